//! How a peer is reached: known addresses first, then a lookup by its node key, then its answer.
//!
//! ```text
//! ask ─▶ dial what is known ─▶ look the record up ─▶ dial what it says ─▶ give up
//!            └──────────── connected: everything that waits is sent ◀──┘
//! ```

use std::collections::HashSet;

use libp2p::{
    Multiaddr, PeerId,
    kad::{self, GetRecordOk, QueryId, Record, RecordKey},
    swarm::{
        ConnectionId,
        dial_opts::{DialOpts, PeerCondition},
    },
};

use super::{
    AskError,
    budget::{Tick, ticks},
    discovery::{self, Admission},
    event_loop::EventLoop,
    exchange::Ask,
    lock, node_key_of,
    records::Query,
};

/// The attempt to reach one peer, for all requests that wait for it.
pub(super) struct Search {
    waiting: Vec<Ask>,
    untried: Vec<Multiaddr>,
    tried: HashSet<Multiaddr>,
    dial: Option<ConnectionId>,
    lookup: Lookup,
    until: Tick,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lookup {
    NotYet,
    Running(QueryId),
    Done,
}

/// What to do next for a peer.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Dial(Vec<Multiaddr>),
    LookUp,
    Wait,
    GiveUp(AskError),
}

impl Search {
    fn new(until: Tick) -> Self {
        Self {
            waiting: Vec::new(),
            untried: Vec::new(),
            tried: HashSet::new(),
            dial: None,
            lookup: Lookup::NotYet,
            until,
        }
    }

    /// Takes addresses that are new, up to the limit.
    fn offer(&mut self, addresses: impl IntoIterator<Item = Multiaddr>, limit: usize) {
        for address in addresses {
            if self.tried.len() < 2 * limit && self.tried.insert(address.clone()) {
                self.untried.push(address);
            }
        }
    }

    fn next(&mut self) -> Step {
        match self.lookup {
            _ if self.dial.is_some() => Step::Wait,
            _ if !self.untried.is_empty() => Step::Dial(std::mem::take(&mut self.untried)),
            Lookup::NotYet => Step::LookUp,
            Lookup::Running(_) => Step::Wait,
            Lookup::Done if self.tried.is_empty() => Step::GiveUp(AskError::NotFound),
            Lookup::Done => Step::GiveUp(AskError::Unreachable),
        }
    }
}

impl EventLoop {
    /// Sends a request now, or as soon as its peer is reached.
    pub(super) fn ask(&mut self, ask: Ask) {
        if self.swarm.is_connected(&ask.peer) {
            return self.send(ask);
        }
        let (peer, limit) = (ask.peer, self.limits.addresses_per_peer);
        let mut known = lock(&self.book).candidates(&peer);
        known.extend(self.pins.iter().filter(|pin| pin.peer == peer).flat_map(|pin| pin.addresses.clone()));
        let until = self.now.saturating_add(ticks(self.limits.reach));
        let search = self.searches.entry(peer).or_insert_with(|| Search::new(until));
        search.offer(ask.hints.iter().cloned().chain(known), limit);
        search.waiting.push(ask);
        self.advance(peer);
    }

    /// Fetches a peer's address record and keeps it, for the time when nobody can be asked.
    pub(super) fn look_up(&mut self, peer: PeerId) {
        if let Some(key) = node_key_of(&peer) {
            let query = self.swarm.behaviour_mut().kad.get_record(RecordKey::new(&key));
            self.queries.insert(query, Query::Lookup(peer));
        }
    }

    /// The next step towards a peer, until there is something to wait for.
    fn advance(&mut self, peer: PeerId) {
        while let Some(search) = self.searches.get_mut(&peer) {
            match search.next() {
                Step::Wait => return,
                // Whoever else is dialling may have worse addresses.
                Step::Dial(addresses) => {
                    search.dial = dial(&mut self.swarm, peer, addresses, PeerCondition::Always);
                }
                Step::LookUp => {
                    let query = node_key_of(&peer)
                        .map(|key| self.swarm.behaviour_mut().kad.get_record(RecordKey::new(&key)));
                    search.lookup = query.map_or(Lookup::Done, Lookup::Running);
                    if let Some(query) = query {
                        self.queries.insert(query, Query::Lookup(peer));
                    }
                }
                Step::GiveUp(error) => return self.give_up(peer, error),
            }
        }
    }

    /// There is a connection: what waits goes out.
    pub(super) fn reached(&mut self, peer: PeerId) {
        let Some(search) = self.searches.remove(&peer) else { return };
        if let Lookup::Running(query) = search.lookup {
            self.queries.remove(&query);
            if let Some(mut query) = self.swarm.behaviour_mut().kad.query_mut(&query) {
                query.finish();
            }
        }
        for ask in search.waiting {
            self.send(ask);
        }
    }

    /// A dial came to nothing.
    pub(super) fn dial_failed(&mut self, connection: ConnectionId) {
        let of = self.searches.iter_mut().find(|(_, search)| search.dial == Some(connection));
        if let Some((peer, search)) = of {
            search.dial = None;
            let peer = *peer;
            self.advance(peer);
        }
    }

    /// A lookup found a record, or ended.
    pub(super) fn looked_up(&mut self, peer: PeerId, result: kad::GetRecordResult, last: bool) {
        if let Ok(GetRecordOk::FoundRecord(found)) = result {
            self.found(peer, found.peer, found.record);
        }
        if let Some(search) = self.searches.get_mut(&peer) {
            if last {
                search.lookup = Lookup::Done;
            }
            self.advance(peer);
        }
    }

    /// Searches that have taken too long end here.
    pub(super) fn end_old_searches(&mut self) {
        let late = self.searches.iter().filter(|(_, search)| search.until <= self.now);
        for peer in late.map(|(peer, _)| *peer).collect::<Vec<_>>() {
            self.give_up(peer, AskError::Unreachable);
        }
    }

    /// The store decides: it checks the signature and never goes back to an older sequence.
    fn found(&mut self, peer: PeerId, from: Option<PeerId>, record: Record) {
        let about_peer = node_key_of(&peer).is_some_and(|key| record.key.as_ref() == key);
        let admission = match about_peer {
            true => self.swarm.behaviour_mut().kad.store_mut().admit(record.clone()),
            false => Admission::Forged,
        };
        match admission {
            Admission::Kept | Admission::Full => {
                let addresses = self.validator.addresses(&record.value);
                let addresses = addresses.iter().filter_map(|address| discovery::bare(address, &peer));
                if let Some(search) = self.searches.get_mut(&peer) {
                    search.offer(addresses, self.limits.addresses_per_peer);
                }
            }
            Admission::Older => {}
            Admission::Forged => {
                if let Some(from) = from {
                    self.penalize(from, self.limits.offence_malformed);
                }
            }
        }
    }

    fn give_up(&mut self, peer: PeerId, error: AskError) {
        if let Some(search) = self.searches.remove(&peer) {
            for ask in search.waiting {
                // Whoever asked may have gone away.
                let _ = ask.reply.send(Err(error));
            }
        }
    }
}

/// Starts a dial; `None` if it fails at once.
pub(super) fn dial<B: libp2p::swarm::NetworkBehaviour>(
    swarm: &mut libp2p::Swarm<B>,
    peer: PeerId,
    addresses: Vec<Multiaddr>,
    condition: PeerCondition,
) -> Option<ConnectionId> {
    let options = DialOpts::peer_id(peer).addresses(addresses).condition(condition).build();
    let connection = options.connection_id();
    swarm.dial(options).inspect_err(|error| tracing::debug!(%peer, %error, "not dialled")).ok()?;
    Some(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_dialled_before_anybody_is_asked_and_once_only() {
        let address: Multiaddr = "/ip4/10.0.0.2/tcp/1".parse().unwrap();
        let mut search = Search::new(0);
        search.offer([address.clone(), address.clone()], 4);
        assert_eq!(search.next(), Step::Dial(vec![address.clone()]));
        search.offer([address], 4);
        assert_eq!(search.next(), Step::LookUp);
        search.lookup = Lookup::Done;
        assert_eq!(search.next(), Step::GiveUp(AskError::Unreachable));
        let mut nowhere = Search::new(0);
        nowhere.lookup = Lookup::Done;
        assert_eq!(nowhere.next(), Step::GiveUp(AskError::NotFound));
    }
}
