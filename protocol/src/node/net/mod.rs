//! The network room: bytes to a peer and back, addresses found, strangers kept within limits.
//!
//! It knows nothing of money; bodies are opaque. Reading order: this file (what callers see),
//! [`limits`] (the one table), `behaviour` (what is spoken), `codec` (how a message is framed),
//! `budget` (who may still ask), `discovery` (where peers are), `event_loop` (the one task that owns
//! the swarm) with its parts `search` (how a peer is reached), `exchange` (requests and answers),
//! `contact` (connections), `records` (addresses published and found) and `gossip` (what everybody passes on to
//! everybody), `carry` and `carriage` (a way to the bank through a shop), and at last `once` (a question nobody can
//! attribute).
//!
//! ```text
//! ask, publish ─▶ Net ──commands──▶ EventLoop (Swarm) ──▶ Inbound{peer, body, answer} ─▶ the program
//!                  ◀────oneshot────      │  ▲                                  Answer::send │
//!                                      streams └──────────────oneshot────────────────────────┘
//! ```
//! The event loop never waits for the program: a full queue drops the request, and its sender
//! sees [`AskError::Busy`] at once.

mod behaviour;
mod budget;
mod carriage;
mod carry;
mod codec;
mod contact;
mod discovery;
mod error;
mod event_loop;
mod exchange;
mod gossip;
#[cfg(test)]
mod gossip_tests;
pub mod limits;
mod once;
mod records;
mod search;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use libp2p::identity;
pub use libp2p::{Multiaddr, PeerId};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch},
    time::timeout,
};
use zeroize::Zeroize;

pub use self::{
    carriage::{CarryAsked, CarryFault, Terms},
    error::{AskError, NetError},
    gossip::Rumour,
    once::ask_once,
};
use self::{
    codec::{Departure, Room},
    discovery::Book,
    event_loop::{Command, EventLoop},
    exchange::Ask,
    limits::Limits,
};

/// How a node takes part.
pub struct NetConfig {
    /// Ed25519 seed of the node key; the [`PeerId`] derives from it.
    pub secret: [u8; 32],
    /// Where to listen; port 0 lets the system choose.
    pub listen: Vec<Multiaddr>,
    /// Nodes to stay in touch with, for ever; each address ends in `/p2p/…`.
    pub bootstrap: Vec<Multiaddr>,
    /// Addresses under which others reach this node, if the operator knows them.
    pub external: Vec<Multiaddr>,
    /// Whether this node keeps address records for others, and for how many it has room.
    pub role: Role,
    /// Whether to announce this node in the local network and listen for others there.
    pub mdns: bool,
    /// Nodes that are near though the local network does not tell; each address ends in `/p2p/…`.
    pub neighbours: Vec<Multiaddr>,
    /// Who takes those that want to be carried to the bank; with nobody there this node carries nobody.
    pub carried: Option<mpsc::Sender<CarryAsked>>,
}

/// What a node is to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A bank: keeps address records and answers lookups.
    Server,
    /// A shop: publishes and looks up only, but has room for a crowd at its tills.
    Shop,
    /// A resident: publishes and looks up only.
    Client,
}

/// The request-response protocols; each has a row in [`limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `/stermina/pay/1`
    Pay,
    /// `/stermina/bank/1`
    Bank,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Pay, Self::Bank];
}

/// What the program knows about address records and rumours. Called in the swarm's task: one signature, no IO.
pub trait RecordCheck: Send + Sync {
    /// The sequence number, if `value` is a valid signed address record for `key`.
    fn check(&self, key: &[u8], value: &[u8]) -> Option<u64>;
    /// The addresses in a record that passed [`RecordCheck::check`].
    fn addresses(&self, value: &[u8]) -> Vec<Multiaddr>;
    /// Whether this node listens to rumours, and passes them on.
    fn hears_rumours(&self) -> bool {
        false
    }
    /// What a rumour of at most `rumour_bytes` is worth.
    fn rumour(&self, _: &[u8]) -> Rumour {
        Rumour::False
    }
}

/// A request of a peer.
#[derive(Debug)]
pub struct Inbound {
    /// Who asks; proven by the connection.
    pub peer: PeerId,
    /// On which protocol.
    pub protocol: Protocol,
    /// What. At most the row's `request_bytes`, otherwise unchecked.
    pub body: Vec<u8>,
    /// The way back.
    pub answer: Answer,
}

/// The way back to whoever asked. Dropping it closes the stream: the peer sees an error at once.
pub struct Answer {
    reply: oneshot::Sender<Vec<u8>>,
    /// The request's share of memory; given back with the answer.
    _room: Room,
}

impl Answer {
    /// Sends the answer. Beyond the row's `answer_bytes` nothing is sent and the stream closes.
    pub fn send(self, body: Vec<u8>) {
        // Nobody waits any more: the deadline has passed or the connection is gone.
        let _ = self.reply.send(body);
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}

/// How the node is connected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetStatus {
    /// Peers with a connection.
    pub connected: usize,
    /// Whether one of the bootstrap nodes is connected.
    pub bootstrap: bool,
    /// Whether it is connected by way of a shop.
    pub carried: bool,
    /// Requests that were left without an answer, by a limit or by the program, and connections
    /// turned away, since the start.
    pub dropped: u64,
    /// Peers banned since the start.
    pub banned: u64,
}

/// The handle of a node; clones speak to the same one.
#[derive(Clone)]
pub struct Net {
    peer: PeerId,
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<NetStatus>,
    book: Arc<Mutex<Book>>,
    lines: Arc<Mutex<Lines>>,
    limits: Arc<Limits>,
}

/// Where our requests wait, one line for each peer and protocol.
type Lines = HashMap<(PeerId, Protocol), Weak<Semaphore>>;

/// Starts a node. Must be called within a tokio runtime. The node stops when [`Net::stop`] is
/// called or the last handle is gone.
pub fn start(
    config: NetConfig,
    validator: Arc<dyn RecordCheck>,
) -> Result<(Net, mpsc::Receiver<Inbound>), NetError> {
    start_with(config, validator, Limits::TABLE)
}

/// Starts a node under limits other than [`Limits::TABLE`].
pub fn start_with(
    config: NetConfig,
    validator: Arc<dyn RecordCheck>,
    limits: Limits,
) -> Result<(Net, mpsc::Receiver<Inbound>), NetError> {
    let (commands, command_queue) = mpsc::channel(limits.commands);
    let (inbound, inbound_queue) = mpsc::channel(limits.inbound_queue);
    let (status, status_seen) = watch::channel(NetStatus::default());
    let book = Arc::new(Mutex::new(Book::default()));
    let event_loop = EventLoop::new(
        config,
        validator,
        limits.clone(),
        event_loop::Ends { commands: command_queue, inbound, status, book: Arc::clone(&book) },
    )?;
    let net = Net {
        peer: event_loop.peer(),
        commands,
        status: status_seen,
        book,
        lines: Arc::default(),
        limits: Arc::new(limits),
    };
    tokio::spawn(event_loop.run());
    Ok((net, inbound_queue))
}

impl Net {
    /// This node's name in the network.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.peer
    }

    /// Asks a peer and waits for its answer, connecting first if need be: over a connection that
    /// stands, `hints`, the address book, the local network, then a lookup by the node key.
    ///
    /// Dropping the future calls the request back if it has not left.
    pub async fn ask(
        &self,
        peer: PeerId,
        hints: &[Multiaddr],
        protocol: Protocol,
        body: Vec<u8>,
    ) -> Result<Vec<u8>, AskError> {
        let row = self.limits.row(protocol);
        if body.len() > row.request_bytes {
            return Err(AskError::RequestTooBig);
        }
        if peer == self.peer {
            return Err(AskError::NotFound);
        }
        let place = self.place_in_line(peer, protocol).await?;
        let call = CallBack(Departure::default());
        let (reply, answer) = oneshot::channel();
        let hints = hints.iter().filter_map(|hint| discovery::bare(hint, &peer)).collect();
        let ask = Ask { peer, hints, protocol, body, departure: call.0.clone(), place, reply };
        // The swarm has deadlines for every step; this one is for the sum of them.
        let whole = self.limits.reach + self.limits.handshake + row.deadline;
        let answered = timeout(whole, async {
            self.commands.send(Command::Ask(ask)).await.map_err(|_| AskError::Stopped)?;
            answer.await.unwrap_or(Err(AskError::Stopped))
        })
        .await;
        match answered {
            Ok(Err(AskError::Stopped)) if !call.0.recall() => Err(AskError::Broken),
            Ok(result) => result,
            Err(_) if call.0.recall() => Err(AskError::Unreachable),
            Err(_) => Err(AskError::TimedOut),
        }
    }

    /// Fetches a peer's address record and keeps it, so that it can be reached while the nodes that
    /// keep records cannot.
    pub async fn look_up(&self, peer: PeerId) {
        // A node that is stopping has no use for an address.
        let _ = self.commands.send(Command::LookUp(peer)).await;
    }

    /// Publishes an address record at the servers and keeps publishing it. An error other than
    /// [`NetError::Unpublished`] means the record was not taken at all. A server that knows a newer
    /// one keeps that silently: the sequence has to grow over a restored backup too.
    pub async fn publish(&self, key: Vec<u8>, value: Vec<u8>) -> Result<(), NetError> {
        self.command(|reply| Command::Publish { key, value, reply }).await.unwrap_or(Err(NetError::Stopped))
    }

    /// Tells everybody who is connected and listens; they pass it on. See [`Rumour`].
    pub async fn spread(&self, rumour: Vec<u8>) {
        // A node that is stopping has nothing to tell.
        let _ = self.commands.send(Command::Spread(rumour)).await;
    }

    /// The addresses this node listens on, with their ports. Waits until every listener has one.
    pub async fn listening(&self) -> Vec<Multiaddr> {
        self.command(Command::Listening).await.unwrap_or_default()
    }

    /// What an address record should carry: configured, observed by the bootstrap nodes and
    /// listening addresses, each once; loopback only if there is nothing else.
    pub async fn external(&self) -> Vec<Multiaddr> {
        self.command(Command::External).await.unwrap_or_default()
    }

    /// Addresses that led to the peer, the last one first, for a persistent address book.
    #[must_use]
    pub fn known(&self, peer: PeerId) -> Vec<Multiaddr> {
        lock(&self.book).known(&peer)
    }

    /// Takes points from a peer for what it sent. Without points left it is disconnected and
    /// refused for a while. See `offence_*` in [`limits`].
    pub async fn penalize(&self, peer: PeerId, points: u32) {
        // A node that is stopping has nobody to punish.
        let _ = self.commands.send(Command::Penalize { peer, points }).await;
    }

    /// How the node is connected, as it changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<NetStatus> {
        self.status.clone()
    }

    /// Says goodbye and stops; all clones of the handle are dead afterwards.
    pub async fn stop(self) {
        self.command(Command::Stop).await;
    }

    async fn command<T>(&self, make: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(make(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Waits until fewer than `in_flight` of our requests are on the way to the peer.
    async fn place_in_line(
        &self,
        peer: PeerId,
        protocol: Protocol,
    ) -> Result<OwnedSemaphorePermit, AskError> {
        let row = self.limits.row(protocol);
        let line = self.line(peer, protocol);
        match timeout(row.deadline, line.acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(AskError::Refused),
        }
    }

    fn line(&self, peer: PeerId, protocol: Protocol) -> Arc<Semaphore> {
        let mut lines = lock(&self.lines);
        if let Some(line) = lines.get(&(peer, protocol)).and_then(Weak::upgrade) {
            return line;
        }
        lines.retain(|_, line| line.strong_count() > 0);
        let line = Arc::new(Semaphore::new(self.limits.row(protocol).in_flight));
        lines.insert((peer, protocol), Arc::downgrade(&line));
        line
    }
}

/// A request nobody waits for must not leave.
struct CallBack(Departure);

impl Drop for CallBack {
    fn drop(&mut self) {
        self.0.recall();
    }
}

/// What it guards stays whole even if a holder panicked: every change is a single step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The [`PeerId`] of a node key.
pub fn peer_of(node_public_key: &[u8; 32]) -> Result<PeerId, NetError> {
    let key = identity::ed25519::PublicKey::try_from_bytes(node_public_key).map_err(|_| NetError::Key)?;
    Ok(identity::PublicKey::from(key).to_peer_id())
}

/// Where an address over TCP leads; `None` for another one.
#[must_use]
pub fn socket_of(address: &Multiaddr) -> Option<std::net::SocketAddr> {
    let port = address.iter().nth(1).and_then(|part| match part {
        libp2p::multiaddr::Protocol::Tcp(port) => Some(port),
        _ => None,
    })?;
    Some((discovery::ip_of(address)?, port).into())
}

/// The peer that an address names at its end.
#[must_use]
pub fn named_by(address: &Multiaddr) -> Option<PeerId> {
    discovery::peer_named(address)
}

/// The node key of a [`PeerId`]; `None` if it is of another kind.
#[must_use]
pub fn node_key_of(peer: &PeerId) -> Option<[u8; 32]> {
    let key = identity::PublicKey::try_decode_protobuf(peer.as_ref().digest()).ok()?;
    Some(key.try_into_ed25519().ok()?.to_bytes())
}

fn keypair(secret: &mut [u8; 32]) -> Result<identity::Keypair, NetError> {
    let key = identity::Keypair::ed25519_from_bytes(&mut *secret).map_err(|_| NetError::Key);
    secret.zeroize();
    key
}
