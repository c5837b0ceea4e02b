//! Where peers are: the address book, the records in the address protocol, our own addresses.
//!
//! Nothing here is believed blindly. A record is kept only if the program's [`RecordCheck`] knows
//! its signature, a newer one replaces an older one and never the reverse; and every dial names the
//! peer it wants, so a wrong address costs one attempt and cannot put somebody else in its place.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::{Arc, Mutex},
};

use libp2p::{
    Multiaddr, PeerId,
    core::transport::ListenerId,
    kad::{
        ProviderRecord, Record, RecordKey,
        store::{self, MemoryStore, MemoryStoreConfig, RecordStore},
    },
    multiaddr,
};

use super::{RecordCheck, limits::Limits, lock};

/// Addresses of peers: those that worked, those the settings name, and those the local network announces.
#[derive(Debug, Default)]
pub(super) struct Book {
    peers: HashMap<PeerId, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    /// The last that worked comes first.
    worked: Vec<Multiaddr>,
    announced: Vec<Multiaddr>,
    /// What the settings say: no silence and no crowd takes it away.
    named: Vec<Multiaddr>,
}

impl Entry {
    fn is_near(&self) -> bool {
        !self.announced.is_empty() || !self.named.is_empty()
    }
}

impl Book {
    /// An address led to the peer.
    pub(super) fn worked(&mut self, peer: PeerId, address: Multiaddr, limits: &Limits) {
        if let Some(entry) = self.entry(peer, limits) {
            entry.worked.retain(|known| *known != address);
            entry.worked.insert(0, address);
            entry.worked.truncate(limits.addresses_per_peer);
        }
    }

    /// The local network says the peer is there.
    pub(super) fn announced(&mut self, peer: PeerId, address: Multiaddr, limits: &Limits) {
        if let Some(entry) = self.entry(peer, limits)
            && entry.announced.len() < limits.addresses_per_peer
            && !entry.announced.contains(&address)
        {
            entry.announced.push(address);
        }
    }

    /// The settings say the peer is near.
    fn named(&mut self, peer: PeerId, address: Multiaddr) {
        let entry = self.peers.entry(peer).or_default();
        if !entry.named.contains(&address) {
            entry.named.push(address);
        }
    }

    /// The announcement was withdrawn or has run out.
    pub(super) fn withdrawn(&mut self, peer: PeerId, address: &Multiaddr) {
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.announced.retain(|known| known != address);
            if !entry.is_near() && entry.worked.is_empty() {
                self.peers.remove(&peer);
            }
        }
    }

    /// Who is near.
    pub(super) fn neighbours(&self) -> Vec<PeerId> {
        let near = self.peers.iter().filter(|(_, entry)| entry.is_near());
        near.map(|(peer, _)| *peer).collect()
    }

    /// Addresses that worked, the last one first.
    pub(super) fn known(&self, peer: &PeerId) -> Vec<Multiaddr> {
        self.peers.get(peer).map(|entry| entry.worked.clone()).unwrap_or_default()
    }

    /// Everything worth a dial.
    pub(super) fn candidates(&self, peer: &PeerId) -> Vec<Multiaddr> {
        let entry = self.peers.get(peer);
        let all = |entry: &Entry| [&entry.worked[..], &entry.named[..], &entry.announced[..]].concat();
        entry.map(all).unwrap_or_default()
    }

    /// A full book forgets somebody of whom it knows announcements only, else learns nobody new.
    fn entry(&mut self, peer: PeerId, limits: &Limits) -> Option<&mut Entry> {
        if self.peers.len() >= limits.book_peers && !self.peers.contains_key(&peer) {
            let only_announced = |entry: &Entry| entry.worked.is_empty() && entry.named.is_empty();
            let gone = self.peers.iter().find(|(_, entry)| only_announced(entry)).map(|(peer, _)| *peer)?;
            self.peers.remove(&gone);
        }
        Some(self.peers.entry(peer).or_default())
    }
}

/// Notes the neighbours whom the settings name, where the local network carries no announcements.
pub(super) fn introduce(book: &Mutex<Book>, neighbours: &[Multiaddr]) {
    for full in neighbours {
        if let Some(peer) = peer_named(full)
            && let Some(address) = bare(full, &peer)
        {
            lock(book).named(peer, address);
        }
    }
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Newer than what we had, or the same again.
    Kept,
    /// We know a newer one, or another one of the same sequence.
    Older,
    /// Not a valid record: whoever sends it is at fault.
    Forged,
    /// No place left.
    Full,
}

/// The records we keep: ours, those of others if we are a server, and found ones.
pub(super) struct Records {
    store: MemoryStore,
    check: Arc<dyn RecordCheck>,
}

impl Records {
    pub(super) fn new(peer: PeerId, check: Arc<dyn RecordCheck>, limits: &Limits) -> Self {
        let config = MemoryStoreConfig {
            max_records: limits.records,
            max_value_bytes: limits.record_bytes,
            max_providers_per_key: 0,
            max_provided_keys: 0,
        };
        Self { store: MemoryStore::with_config(peer, config), check }
    }

    /// Keeps a record if it is valid and not older than the one we have.
    pub(super) fn admit(&mut self, record: Record) -> Admission {
        let Some(sequence) = self.check.check(record.key.as_ref(), &record.value) else {
            return Admission::Forged;
        };
        if let Some(held) = self.store.get(&record.key)
            && held.value != record.value
            && self.check.check(held.key.as_ref(), &held.value).is_some_and(|held| held >= sequence)
        {
            return Admission::Older;
        }
        match self.store.put(record) {
            Ok(()) => Admission::Kept,
            Err(_) => Admission::Full,
        }
    }
}

impl RecordStore for Records {
    type RecordsIter<'a> = <MemoryStore as RecordStore>::RecordsIter<'a>;
    type ProvidedIter<'a> = <MemoryStore as RecordStore>::ProvidedIter<'a>;

    fn get(&self, key: &RecordKey) -> Option<Cow<'_, Record>> {
        self.store.get(key)
    }

    fn put(&mut self, record: Record) -> store::Result<()> {
        match self.admit(record) {
            Admission::Kept => Ok(()),
            Admission::Full => Err(store::Error::MaxRecords),
            // The trait knows no better word.
            Admission::Older | Admission::Forged => Err(store::Error::ValueTooLarge),
        }
    }

    fn remove(&mut self, key: &RecordKey) {
        self.store.remove(key);
    }

    fn records(&self) -> Self::RecordsIter<'_> {
        self.store.records()
    }

    /// Provider records are not part of the network.
    fn add_provider(&mut self, _: ProviderRecord) -> store::Result<()> {
        Err(store::Error::MaxProvidedKeys)
    }

    fn providers(&self, _: &RecordKey) -> Vec<ProviderRecord> {
        Vec::new()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        self.store.provided()
    }

    fn remove_provider(&mut self, _: &RecordKey, _: &PeerId) {}
}

/// Our own addresses.
#[derive(Debug, Default)]
pub(super) struct OwnAddresses {
    configured: Vec<Multiaddr>,
    listening: Vec<(ListenerId, Multiaddr)>,
    /// Listeners that have not reported an address yet.
    opening: HashSet<ListenerId>,
    /// Who sees us where. Only pinned nodes are asked: anybody else could send our payers astray.
    observed: HashMap<PeerId, IpAddr>,
}

impl OwnAddresses {
    pub(super) fn new(configured: Vec<Multiaddr>, opening: HashSet<ListenerId>) -> Self {
        Self { configured, opening, ..Self::default() }
    }

    pub(super) fn opened(&mut self, listener: ListenerId, address: Multiaddr) {
        self.opening.remove(&listener);
        self.listening.push((listener, address));
    }

    pub(super) fn expired(&mut self, listener: ListenerId, address: &Multiaddr) {
        self.listening.retain(|(id, known)| *id != listener || known != address);
    }

    pub(super) fn closed(&mut self, listener: ListenerId) {
        self.opening.remove(&listener);
        self.listening.retain(|(id, _)| *id != listener);
    }

    pub(super) fn observed(&mut self, by: PeerId, address: &Multiaddr) {
        if let Some(ip) = ip_of(address) {
            self.observed.insert(by, ip);
        }
    }

    /// Whether every listener has said where it listens.
    pub(super) fn are_known(&self) -> bool {
        self.opening.is_empty()
    }

    pub(super) fn listening(&self) -> Vec<Multiaddr> {
        self.listening.iter().map(|(_, address)| address.clone()).collect()
    }

    /// What an address record should carry.
    pub(super) fn external(&self) -> Vec<Multiaddr> {
        let listening = self.listening();
        let seen = listening
            .iter()
            .flat_map(|address| self.observed.values().filter_map(|ip| with_ip(address, *ip)));
        let mut found: Vec<Multiaddr> = Vec::new();
        for address in self.configured.iter().cloned().chain(seen).chain(listening.clone()) {
            if !found.contains(&address) && ip_of(&address).is_none_or(is_of_use) {
                found.push(address);
            }
        }
        if found.iter().any(|address| !is_loopback(address)) {
            found.retain(|address| !is_loopback(address));
        }
        found
    }
}

/// The IP address an address starts with.
pub(super) fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        multiaddr::Protocol::Ip4(ip) => Some(ip.into()),
        multiaddr::Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    }
}

/// The address without its trailing `/p2p/…`; `None` if that names another peer.
pub(super) fn bare(address: &Multiaddr, peer: &PeerId) -> Option<Multiaddr> {
    match peer_named(address) {
        None => Some(address.clone()),
        Some(named) if named == *peer => {
            let mut address = address.clone();
            address.pop();
            Some(address)
        }
        Some(_) => None,
    }
}

/// The peer an address ends in.
pub(super) fn peer_named(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last()? {
        multiaddr::Protocol::P2p(peer) => Some(peer),
        _ => None,
    }
}

/// The same port, seen from elsewhere. `None` for another family of addresses.
fn with_ip(address: &Multiaddr, ip: IpAddr) -> Option<Multiaddr> {
    let same_family = ip_of(address)?.is_ipv4() == ip.is_ipv4();
    same_family.then(|| address.replace(0, |_| Some(ip.into()))).flatten()
}

fn is_of_use(ip: IpAddr) -> bool {
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !ip.is_unspecified() && !ip.is_multicast() && !link_local
}

fn is_loopback(address: &Multiaddr) -> bool {
    ip_of(address).is_some_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_record_carries_each_reachable_address_once() {
        let mut own = OwnAddresses::new(vec![address("/ip4/192.0.2.7/tcp/4001")], HashSet::new());
        for text in ["/ip4/127.0.0.1/tcp/4001", "/ip4/10.0.0.2/tcp/4001", "/ip4/169.254.0.9/tcp/4001"] {
            own.opened(ListenerId::next(), address(text));
        }
        own.observed(PeerId::random(), &address("/ip4/192.0.2.7/tcp/50999"));
        assert_eq!(own.external(), [address("/ip4/192.0.2.7/tcp/4001"), address("/ip4/10.0.0.2/tcp/4001")]);
    }

    #[test]
    fn loopback_is_published_only_if_there_is_nothing_else() {
        let mut own = OwnAddresses::default();
        own.opened(ListenerId::next(), address("/ip4/127.0.0.1/tcp/4001"));
        assert_eq!(own.external(), [address("/ip4/127.0.0.1/tcp/4001")]);
    }

    #[test]
    fn an_address_of_somebody_else_is_not_dialled() {
        let (peer, other) = (PeerId::random(), PeerId::random());
        let plain = address("/ip4/10.0.0.2/tcp/1");
        assert_eq!(bare(&plain, &peer), Some(plain.clone()));
        assert_eq!(bare(&plain.clone().with_p2p(peer).unwrap(), &peer), Some(plain.clone()));
        assert_eq!(bare(&plain.with_p2p(other).unwrap(), &peer), None);
    }

    #[test]
    fn the_book_is_bounded_and_puts_the_last_success_first() {
        let limits = Limits { book_peers: 2, addresses_per_peer: 2, ..Limits::TABLE };
        let (mut book, peer) = (Book::default(), PeerId::random());
        for port in [1, 2, 3, 2] {
            book.worked(peer, address(&format!("/ip4/10.0.0.2/tcp/{port}")), &limits);
        }
        assert_eq!(book.known(&peer), [address("/ip4/10.0.0.2/tcp/2"), address("/ip4/10.0.0.2/tcp/3")]);
        for _ in 0..10 {
            book.announced(PeerId::random(), address("/ip4/10.0.0.3/tcp/1"), &limits);
        }
        assert_eq!(book.peers.len(), 2);
        assert_eq!(book.known(&peer).len(), 2, "announcements push nobody out that worked");
    }

    /// M2, M3: `network.neighbours` is for networks whose announcements come and go; it holds until the node stops.
    #[test]
    fn a_neighbour_of_the_settings_is_lost_to_no_silence_and_to_no_crowd() {
        let limits = Limits { book_peers: 2, ..Limits::TABLE };
        let (book, peer, at) =
            (Mutex::new(Book::default()), PeerId::random(), address("/ip4/10.0.0.2/tcp/1"));
        introduce(&book, &[at.clone().with_p2p(peer).unwrap()]);
        let mut book = book.into_inner().unwrap();
        book.announced(peer, at.clone(), &limits);
        book.withdrawn(peer, &at);
        for _ in 0..10 {
            book.announced(PeerId::random(), address("/ip4/10.0.0.3/tcp/1"), &limits);
        }
        assert!(book.neighbours().contains(&peer));
        assert_eq!((book.candidates(&peer), book.peers.len()), (vec![at], 2));
    }
}
