//! Carries neighbours to the bank: whom, how many, how much (M3, SPEC §5.5, ADR 0007).
//!
//! Whoever stands in the bank's directory is carried, whatever his standing: what he may do is the bank's to say, and a
//! certificate that has run out is renewed there. Where he is carried is not his to choose: to this bank, nowhere else.

use super::handle::Shared;
use protocol::id::Key;
use protocol::node::net::{CarryAsked, CarryFault, Multiaddr, Terms, node_key_of, socket_of};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

/// Most ways of one node at once: its own, one under another name for each of two refreshes, and one to spare.
const EACH_MAX: u32 = 4;
/// How long one way lasts; then the node looks whether it has one of its own again.
const LASTS: Duration = Duration::from_secs(600);
/// How long the bank may take to accept.
const DIAL: Duration = Duration::from_secs(8);
/// What a new way costs of a day's bytes, so that opening alone is not free.
const OPENING: u64 = 32 << 10;
/// A node's bytes are counted anew after this.
const DAY: Duration = Duration::from_secs(86_400);

/// How much is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Ways at once, of all nodes together.
    pub at_once: usize,
    /// Bytes a day for one node, both directions together.
    pub bytes_a_day: u64,
}

/// One node's use.
#[derive(Debug)]
struct Used {
    since: Duration,
    bytes: u64,
    open: u32,
}

/// Who stands in the directory, as of one version of it.
#[derive(Default)]
struct Listed {
    version: Option<u64>,
    nodes: HashSet<Key>,
}

/// Who has used how much.
struct Quotas {
    load: Load,
    used: HashMap<Key, Used>,
}

impl Quotas {
    /// Whether one more way may be opened for a node; it counts as open until [`Quotas::leave`].
    fn admit(&mut self, node: Key, now: Duration) -> bool {
        let used = self.used.entry(node).or_insert(Used { since: now, bytes: 0, open: 0 });
        if now.saturating_sub(used.since) >= DAY {
            (used.since, used.bytes) = (now, 0);
        }
        let has_room = used.open < EACH_MAX && used.bytes < self.load.bytes_a_day;
        if has_room {
            used.open += 1;
            used.bytes += OPENING;
        }
        has_room
    }

    /// Whether so many bytes more may go.
    fn take(&mut self, node: &Key, bytes: usize) -> bool {
        let Some(used) = self.used.get_mut(node) else { return false };
        used.bytes = used.bytes.saturating_add(bytes as u64);
        used.bytes <= self.load.bytes_a_day
    }

    fn leave(&mut self, node: &Key) {
        if let Some(used) = self.used.get_mut(node) {
            used.open = used.open.saturating_sub(1);
        }
    }
}

/// Carries neighbours.
pub struct Carrier {
    shared: Arc<Shared>,
    bank: Vec<SocketAddr>,
    places: Arc<Semaphore>,
    /// Of people in the directory only, so that there are no more than of those.
    quotas: Mutex<Quotas>,
    listed: Mutex<Listed>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Carrier {
    /// Carries to the bank at `addresses`.
    pub fn new(shared: Arc<Shared>, addresses: &[Multiaddr], load: Load) -> Carrier {
        // A bare connection has no handshake of its own; the node makes one, with the bank.
        let bank = addresses.iter().filter_map(socket_of).collect();
        let quotas = Mutex::new(Quotas { load, used: HashMap::new() });
        let places = Arc::new(Semaphore::new(load.at_once));
        Carrier { shared, bank, places, quotas, listed: Mutex::default() }
    }

    /// Carries until the network ends.
    pub async fn run(self: Arc<Self>, mut asked: mpsc::Receiver<CarryAsked>) {
        while let Some(asked) = asked.recv().await {
            let Some(node) = node_key_of(&asked.peer).map(Key) else { continue };
            let this = self.clone();
            match self.admit(node) {
                Ok(place) => drop(tokio::spawn(async move { this.carry(asked, node, place).await })),
                Err(why) => {
                    tracing::debug!(peer = %asked.peer, %why, "nobody is carried");
                    drop(tokio::spawn(asked.refuse(why)));
                }
            }
        }
    }

    fn admit(&self, node: Key) -> Result<OwnedSemaphorePermit, CarryFault> {
        if !self.is_listed(&node) {
            return Err(CarryFault::Stranger);
        }
        let place = self.places.clone().try_acquire_owned().map_err(|_| CarryFault::Full)?;
        match lock(&self.quotas).admit(node, self.shared.clock.monotonic()) {
            true => Ok(place),
            false => Err(CarryFault::Full),
        }
    }

    async fn carry(&self, asked: CarryAsked, node: Key, place: OwnedSemaphorePermit) {
        match self.dial().await {
            Some(bank) => {
                tracing::info!(peer = %asked.peer, "carried to the bank");
                asked
                    .carry(bank, &Terms { time: LASTS, take: &|bytes| lock(&self.quotas).take(&node, bytes) })
                    .await;
            }
            None => asked.refuse(CarryFault::NoBank).await,
        }
        lock(&self.quotas).leave(&node);
        drop(place);
    }

    async fn dial(&self) -> Option<TcpStream> {
        for address in &self.bank {
            if let Ok(Ok(stream)) = timeout(DIAL, TcpStream::connect(address)).await {
                // Slow answers are worse than small packets; where it can't be set they are only slower.
                let _ = stream.set_nodelay(true);
                return Some(stream);
            }
        }
        None
    }

    fn is_listed(&self, node: &Key) -> bool {
        let version = self.shared.directory_version.load(Ordering::Relaxed);
        let mut listed = lock(&self.listed);
        if listed.version != Some(version) {
            match self.shared.store.nodes(usize::MAX) {
                Ok(nodes) => *listed = Listed { version: Some(version), nodes: nodes.into_iter().collect() },
                Err(fault) => tracing::error!(%fault, "the directory can't be read"),
            }
        }
        listed.nodes.contains(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// M3: one node has so many ways at once and so many bytes a day, whatever the others do.
    #[test]
    fn a_node_has_its_share_and_no_more() {
        let (alice, bob, day) = (Key([1; 32]), Key([2; 32]), Duration::from_secs(86_400));
        let load = Load { at_once: 9, bytes_a_day: 4 * OPENING + 100 };
        let mut quotas = Quotas { load, used: HashMap::new() };
        assert!((0..EACH_MAX).all(|_| quotas.admit(alice, Duration::ZERO)));
        assert!(!quotas.admit(alice, Duration::ZERO), "one way too many");
        quotas.leave(&alice);
        assert!(quotas.admit(bob, Duration::ZERO) && quotas.take(&bob, 100), "bob has his own");
        assert!(quotas.take(&alice, 100) && !quotas.take(&alice, 1), "not a byte more");
        assert!(!quotas.admit(alice, day - Duration::from_secs(1)));
        assert!(quotas.admit(alice, day) && quotas.take(&alice, 100), "the next day");
        assert!(!quotas.take(&Key([3; 32]), 1));
    }

    #[test]
    fn only_addresses_over_tcp_are_dialled() {
        let read = |text: &str| socket_of(&text.parse().unwrap()).map(|at| at.to_string());
        assert_eq!(read("/ip4/192.0.2.7/tcp/4001"), Some("192.0.2.7:4001".to_owned()));
        assert_eq!(read("/ip6/2001:db8::1/tcp/4001"), Some("[2001:db8::1]:4001".to_owned()));
        assert_eq!(read("/ip4/192.0.2.7/udp/4001/quic-v1"), None);
        assert_eq!(read("/dns4/bank.example/tcp/4001"), None);
    }
}
