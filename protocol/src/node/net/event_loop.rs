//! The one task that owns the swarm. It waits for nobody: neither storage nor verification of
//! bodies, and what does not fit into a queue is dropped and counted.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    net::{IpAddr, Ipv6Addr},
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use libp2p::{
    Multiaddr, PeerId, Swarm,
    core::ConnectedPoint,
    identify,
    kad::{self, QueryId, QueryResult, Quorum, Record, RecordKey},
    mdns, ping,
    request_response::{self, InboundFailure, Message, OutboundFailure, OutboundRequestId, ResponseChannel},
    swarm::{ConnectionId, SwarmEvent},
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot, watch},
    time::{interval, timeout},
};

use super::{
    Answer, AskError, Inbound, NetConfig, NetError, NetStatus, Protocol, RecordCheck, Role,
    behaviour::{self, Behaviour, BehaviourEvent},
    budget::{Budgets, TICK, TICKS_PER_SECOND, Tick, Verdict, ticks},
    codec::{Broken, Departure, Request},
    discovery::{self, Admission, Book, OwnAddresses, Records},
    keypair,
    limits::Limits,
    lock,
    search::{self, Search},
};

/// What a handle wants.
pub(super) enum Command {
    Ask(Ask),
    Publish { key: Vec<u8>, value: Vec<u8>, reply: oneshot::Sender<Result<(), NetError>> },
    Listening(oneshot::Sender<Vec<Multiaddr>>),
    External(oneshot::Sender<Vec<Multiaddr>>),
    Penalize { peer: PeerId, points: u32 },
    Stop(oneshot::Sender<()>),
}

/// A request on its way to a peer.
pub(super) struct Ask {
    pub(super) peer: PeerId,
    pub(super) hints: Vec<Multiaddr>,
    pub(super) protocol: Protocol,
    pub(super) body: Vec<u8>,
    pub(super) departure: Departure,
    /// Its place among the requests in flight; given back when the swarm is done with it.
    pub(super) place: OwnedSemaphorePermit,
    pub(super) reply: oneshot::Sender<Result<Vec<u8>, AskError>>,
}

/// A request handed to libp2p.
struct Asked {
    departure: Departure,
    reply: oneshot::Sender<Result<Vec<u8>, AskError>>,
    _place: OwnedSemaphorePermit,
}

/// The program's answer to a request, or its silence.
struct Answered {
    peer: PeerId,
    protocol: Protocol,
    channel: ResponseChannel<Vec<u8>>,
    body: Option<Vec<u8>>,
}

/// Why an address query runs.
pub(super) enum Query {
    Lookup(PeerId),
    Publication(Option<oneshot::Sender<Result<(), NetError>>>),
}

/// A node to stay in touch with.
pub(super) struct Pinned {
    pub(super) peer: PeerId,
    pub(super) addresses: Vec<Multiaddr>,
    /// Dials in vain since the last connection.
    failures: u32,
    /// When to dial again; `None` while connected or dialling.
    due: Option<Tick>,
    dial: Option<ConnectionId>,
}

/// The other ends of the handle's channels.
pub(super) struct Ends {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) inbound: mpsc::Sender<Inbound>,
    pub(super) status: watch::Sender<NetStatus>,
    pub(super) book: Arc<Mutex<Book>>,
}

pub(super) struct EventLoop {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) limits: Limits,
    pub(super) validator: Arc<dyn RecordCheck>,
    pub(super) book: Arc<Mutex<Book>>,
    pub(super) searches: HashMap<PeerId, Search>,
    pub(super) queries: HashMap<QueryId, Query>,
    pub(super) pins: Vec<Pinned>,
    pub(super) now: Tick,
    role: Role,
    commands: mpsc::Receiver<Command>,
    inbound: mpsc::Sender<Inbound>,
    status: watch::Sender<NetStatus>,
    asked: HashMap<(Protocol, OutboundRequestId), Asked>,
    answers: FuturesUnordered<Pin<Box<dyn Future<Output = Answered> + Send>>>,
    budgets: Budgets,
    own: OwnAddresses,
    listening_asked: Vec<oneshot::Sender<Vec<Multiaddr>>>,
    external_asked: Vec<oneshot::Sender<Vec<Multiaddr>>>,
    published: HashMap<Vec<u8>, Vec<u8>>,
    /// Inbound connections by where they come from.
    origins: HashMap<IpAddr, u32>,
    dropped: u64,
    banned: u64,
}

/// How long a stopping node waits for its connections to close.
const GOODBYE: Duration = Duration::from_secs(1);

impl EventLoop {
    pub(super) fn new(
        mut config: NetConfig,
        validator: Arc<dyn RecordCheck>,
        limits: Limits,
        ends: Ends,
    ) -> Result<Self, NetError> {
        let key = keypair(&mut config.secret)?;
        let me = key.public().to_peer_id();
        let pins = pins(&config.bootstrap, me)?;
        let pinned: Vec<PeerId> = pins.iter().map(|pin| pin.peer).collect();
        let records = Records::new(me, Arc::clone(&validator), &limits);
        let mut swarm = behaviour::swarm(key, &limits, limits.idle, |key| {
            Behaviour::new(key, config.role, config.mdns, &pinned, records, &limits)
        })?;
        let mut opening = HashSet::new();
        for address in config.listen {
            let listener =
                swarm.listen_on(address.clone()).map_err(|error| NetError::Listen(address, error))?;
            opening.insert(listener);
        }
        for pin in &pins {
            for address in &pin.addresses {
                swarm.behaviour_mut().kad.add_address(&pin.peer, address.clone());
            }
        }
        if config.role == Role::Server {
            config.external.iter().for_each(|address| swarm.add_external_address(address.clone()));
        }
        Ok(Self {
            swarm,
            validator,
            book: ends.book,
            searches: HashMap::new(),
            queries: HashMap::new(),
            pins,
            now: 0,
            role: config.role,
            commands: ends.commands,
            inbound: ends.inbound,
            status: ends.status,
            asked: HashMap::new(),
            answers: FuturesUnordered::new(),
            budgets: Budgets::new(limits.clone(), pinned.into_iter().collect()),
            own: OwnAddresses::new(config.external, opening),
            listening_asked: Vec::new(),
            external_asked: Vec::new(),
            published: HashMap::new(),
            origins: HashMap::new(),
            dropped: 0,
            banned: 0,
            limits,
        })
    }

    pub(super) fn peer(&self) -> PeerId {
        *self.swarm.local_peer_id()
    }

    /// Runs until a handle says stop or the last handle is gone.
    pub(super) async fn run(mut self) {
        let mut clock = interval(TICK);
        let stopped = loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm(event),
                command = self.commands.recv() => match command {
                    Some(Command::Stop(reply)) => break Some(reply),
                    Some(command) => self.on_command(command),
                    None => break None,
                },
                Some(answered) = self.answers.next(), if !self.answers.is_empty() => self.on_answer(answered),
                _ = clock.tick() => self.on_tick(),
            }
            self.show_status();
        };
        self.say_goodbye().await;
        // The ports are free before the caller hears that the node has stopped.
        drop(self);
        if let Some(stopped) = stopped {
            let _ = stopped.send(());
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Ask(ask) => self.ask(ask),
            Command::Publish { key, value, reply } => self.publish(key, value, reply),
            Command::Listening(reply) => self.listening_asked.push(reply),
            Command::External(reply) => self.external_asked.push(reply),
            Command::Penalize { peer, points } => self.penalize(peer, points),
            // `run` has taken it.
            Command::Stop(_) => {}
        }
        self.tell_addresses();
    }

    fn on_swarm(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.connected(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, endpoint, num_established, .. } => {
                self.disconnected(peer_id, &endpoint, num_established);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, .. } => {
                self.pin_failed(connection_id);
                self.dial_failed(connection_id);
            }
            SwarmEvent::NewListenAddr { listener_id, address } => self.own.opened(listener_id, address),
            SwarmEvent::ExpiredListenAddr { listener_id, address } => {
                self.own.expired(listener_id, &address);
            }
            SwarmEvent::ListenerClosed { listener_id, .. } => self.own.closed(listener_id),
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "listener"),
            SwarmEvent::IncomingConnectionError { error, .. } => {
                tracing::debug!(%error, "inbound connection came to nothing");
            }
            // libp2p may add events; none of them carries a duty.
            _ => {}
        }
        self.tell_addresses();
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Pay(event) => self.on_message(Protocol::Pay, event),
            BehaviourEvent::Bank(event) => self.on_message(Protocol::Bank, event),
            BehaviourEvent::Kad(event) => self.on_kad(event),
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                self.identified(peer_id, info);
            }
            BehaviourEvent::Ping(ping::Event { connection, result: Err(failure), .. }) => {
                if !matches!(failure, ping::Failure::Unsupported) {
                    self.swarm.close_connection(connection);
                }
            }
            BehaviourEvent::Mdns(event) => self.on_neighbours(event),
            BehaviourEvent::Identify(_) | BehaviourEvent::Ping(_) => {}
            BehaviourEvent::Blocked(never)
            | BehaviourEvent::Connections(never)
            | BehaviourEvent::Memory(never) => match never {},
        }
    }

    fn on_tick(&mut self) {
        self.now += 1;
        self.dial_pins();
        self.end_old_searches();
        for peer in self.budgets.pardoned(self.now) {
            self.swarm.behaviour_mut().blocked.unblock_peer(peer);
        }
        if self.now.is_multiple_of(60 * TICKS_PER_SECOND) {
            self.budgets.forget_quiet(self.now);
        }
    }

    fn tell_addresses(&mut self) {
        if self.own.are_known() {
            self.listening_asked.drain(..).for_each(|reply| drop(reply.send(self.own.listening())));
            self.external_asked.drain(..).for_each(|reply| drop(reply.send(self.own.external())));
        }
    }

    fn show_status(&self) {
        let status = NetStatus {
            connected: self.swarm.network_info().num_peers(),
            bootstrap: self.pins.iter().any(|pin| self.swarm.is_connected(&pin.peer)),
            dropped: self.dropped,
            banned: self.banned,
        };
        self.status.send_if_modified(|shown| std::mem::replace(shown, status) != status);
    }

    async fn say_goodbye(&mut self) {
        for peer in self.swarm.connected_peers().copied().collect::<Vec<_>>() {
            // Gone already is as good as goodbye.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let closing = async {
            while self.swarm.network_info().num_peers() > 0 {
                self.swarm.select_next_some().await;
            }
        };
        let _ = timeout(GOODBYE, closing).await;
    }
}

/// Requests and answers.
impl EventLoop {
    /// Hands a request to libp2p; its peer is connected.
    pub(super) fn send(&mut self, ask: Ask) {
        if ask.reply.is_closed() {
            return;
        }
        let request = Request { body: ask.body, departure: ask.departure.clone(), room: None };
        let id = self.swarm.behaviour_mut().protocol(ask.protocol).send_request(&ask.peer, request);
        let asked = Asked { departure: ask.departure, reply: ask.reply, _place: ask.place };
        self.asked.insert((ask.protocol, id), asked);
    }

    fn on_message(&mut self, protocol: Protocol, event: request_response::Event<Request, Vec<u8>>) {
        match event {
            request_response::Event::Message { peer, message, .. } => match message {
                Message::Request { request, channel, .. } => self.requested(peer, protocol, request, channel),
                Message::Response { request_id, response } => {
                    if let Some(asked) = self.asked.remove(&(protocol, request_id)) {
                        let _ = asked.reply.send(Ok(response));
                    }
                }
            },
            request_response::Event::OutboundFailure { request_id, error, .. } => {
                if let Some(asked) = self.asked.remove(&(protocol, request_id)) {
                    let _ = asked.reply.send(Err(why(&asked.departure, &error)));
                }
            }
            request_response::Event::InboundFailure { peer, error: InboundFailure::Io(error), .. } => {
                self.misread(peer, &error);
            }
            request_response::Event::InboundFailure { .. } | request_response::Event::ResponseSent { .. } => {
            }
        }
    }

    /// A request goes to the program if its sender, the queue and the program have room for it.
    fn requested(
        &mut self,
        peer: PeerId,
        protocol: Protocol,
        request: Request,
        channel: ResponseChannel<Vec<u8>>,
    ) {
        match self.budgets.request(peer, protocol, self.now) {
            Verdict::Fine => {}
            Verdict::Drop => return self.dropped += 1,
            Verdict::Ban => return self.ban(peer),
        }
        let (reply, answer) = oneshot::channel();
        let answer_back = Answer { reply, _room: request.room };
        let inbound = Inbound { peer, protocol, body: request.body, answer: answer_back };
        if self.inbound.try_send(inbound).is_err() {
            self.budgets.answered(peer, protocol);
            return self.dropped += 1;
        }
        self.answers
            .push(Box::pin(async move { Answered { peer, protocol, channel, body: answer.await.ok() } }));
    }

    /// Silence drops the channel, which closes the stream.
    fn on_answer(&mut self, answered: Answered) {
        let Answered { peer, protocol, channel, body } = answered;
        self.budgets.answered(peer, protocol);
        let limit = self.limits.row(protocol).answer_bytes;
        match body {
            Some(body) if body.len() <= limit => {
                // Too late is the asker's timeout; it asks again.
                let _ = self.swarm.behaviour_mut().protocol(protocol).send_response(channel, body);
            }
            Some(body) => tracing::error!(?protocol, bytes = body.len(), "answer beyond its limit, not sent"),
            None => self.dropped += 1,
        }
    }

    /// An end in the middle may be a lost connection; a length beyond the limit never is.
    fn misread(&mut self, peer: PeerId, error: &std::io::Error) {
        match Broken::of(error) {
            Some(Broken::TooBig) => self.penalize(peer, self.limits.offence_malformed),
            Some(Broken::Truncated | Broken::NoAnswer) => self.penalize(peer, self.limits.offence_flood),
            Some(Broken::NoRoom) => self.dropped += 1,
            Some(Broken::Recalled) | None => {}
        }
    }

    pub(super) fn penalize(&mut self, peer: PeerId, points: u32) {
        if self.budgets.offence(peer, points, self.now) == Verdict::Ban {
            self.ban(peer);
        }
    }

    fn ban(&mut self, peer: PeerId) {
        tracing::warn!(%peer, "banned for a while");
        self.banned += 1;
        self.swarm.behaviour_mut().blocked.block_peer(peer);
    }
}

/// Connections and addresses.
impl EventLoop {
    fn connected(&mut self, peer: PeerId, connection: ConnectionId, endpoint: &ConnectedPoint) {
        match endpoint {
            ConnectedPoint::Dialer { address, .. } => {
                if let Some(address) = discovery::bare(address, &peer) {
                    lock(&self.book).worked(peer, address, &self.limits);
                }
            }
            ConnectedPoint::Listener { send_back_addr, .. } => {
                if let Some(origin) = origin(send_back_addr) {
                    let from_there = self.origins.entry(origin).or_default();
                    *from_there += 1;
                    if *from_there > self.limits.connections_per_address {
                        self.dropped += 1;
                        self.swarm.close_connection(connection);
                    }
                }
            }
        }
        if let Some(pin) = self.pins.iter_mut().find(|pin| pin.peer == peer) {
            let back = pin.due.is_some() || pin.dial.is_some();
            (pin.failures, pin.due, pin.dial) = (0, None, None);
            if back {
                self.publish_again();
            }
        }
        self.reached(peer);
    }

    fn disconnected(&mut self, peer: PeerId, endpoint: &ConnectedPoint, left: u32) {
        if let ConnectedPoint::Listener { send_back_addr, .. } = endpoint
            && let Some(origin) = origin(send_back_addr)
            && let Some(from_there) = self.origins.get_mut(&origin)
        {
            *from_there = from_there.saturating_sub(1);
            if *from_there == 0 {
                self.origins.remove(&origin);
            }
        }
        if left == 0
            && let Some(pin) = self.pins.iter_mut().find(|pin| pin.peer == peer)
        {
            pin.due = Some(self.now.saturating_add(pause(0, &self.limits)));
        }
    }

    fn dial_pins(&mut self) {
        for pin in &mut self.pins {
            if pin.due.is_some_and(|due| due <= self.now) {
                pin.due = None;
                pin.dial = search::dial(&mut self.swarm, pin.peer, pin.addresses.clone());
                if pin.dial.is_none() {
                    pin.wait(self.now, &self.limits);
                }
            }
        }
    }

    fn pin_failed(&mut self, connection: ConnectionId) {
        if let Some(pin) = self.pins.iter_mut().find(|pin| pin.dial == Some(connection)) {
            pin.dial = None;
            pin.wait(self.now, &self.limits);
        }
    }

    fn identified(&mut self, peer: PeerId, info: identify::Info) {
        if self.pins.iter().any(|pin| pin.peer == peer) {
            self.own.observed(peer, &info.observed_addr);
        }
        if !info.protocols.contains(&behaviour::KAD) {
            return;
        }
        // Somebody else's loopback is ours only on the same machine.
        let is_local = |address: &Multiaddr| discovery::ip_of(address).is_some_and(|ip| ip.is_loopback());
        let same_machine = is_local(&info.observed_addr);
        let addresses = info.listen_addrs.iter().filter(|address| same_machine || !is_local(address));
        for address in addresses.take(self.limits.addresses_per_peer) {
            if let Some(address) = discovery::bare(address, &peer) {
                self.swarm.behaviour_mut().kad.add_address(&peer, address);
            }
        }
    }

    /// Neighbours enter the book; they are dialled when somebody asks for them.
    fn on_neighbours(&mut self, event: mdns::Event) {
        let mut book = lock(&self.book);
        match event {
            mdns::Event::Discovered(found) => {
                for (peer, address) in found {
                    if let Some(address) = discovery::bare(&address, &peer) {
                        book.announced(peer, address, &self.limits);
                    }
                }
            }
            mdns::Event::Expired(gone) => {
                for (peer, address) in gone {
                    if let Some(address) = discovery::bare(&address, &peer) {
                        book.withdrawn(peer, &address);
                    }
                }
            }
        }
    }

    fn on_kad(&mut self, event: kad::Event) {
        match event {
            kad::Event::InboundRequest {
                request: kad::InboundRequest::PutRecord { source, record: Some(record), .. },
            } => self.offered(source, record),
            kad::Event::OutboundQueryProgressed { id, result, step, .. } => {
                let query = match step.last {
                    true => self.queries.remove(&id),
                    false => self.queries.get_mut(&id).map(Query::unfinished),
                };
                match (query, result) {
                    (Some(Query::Lookup(peer)), QueryResult::GetRecord(result)) => {
                        self.looked_up(peer, result, step.last);
                    }
                    (Some(Query::Publication(Some(reply))), QueryResult::PutRecord(result)) => {
                        // A lone server is the place where others look.
                        let taken = result.is_ok() || self.role == Role::Server;
                        let _ = reply.send(if taken { Ok(()) } else { Err(NetError::Unpublished) });
                    }
                    // Queries that kad runs for itself.
                    (_, _) => {}
                }
            }
            _ => {}
        }
    }

    /// A peer wants a record stored.
    fn offered(&mut self, source: PeerId, record: Record) {
        match self.budgets.record(source, self.now) {
            Verdict::Fine => {}
            Verdict::Drop => return self.dropped += 1,
            Verdict::Ban => return self.ban(source),
        }
        match self.swarm.behaviour_mut().kad.store_mut().admit(record) {
            Admission::Kept | Admission::Older => {}
            Admission::Full => self.dropped += 1,
            Admission::Forged => self.penalize(source, self.limits.offence_malformed),
        }
    }

    fn publish(&mut self, key: Vec<u8>, value: Vec<u8>, reply: oneshot::Sender<Result<(), NetError>>) {
        let record = Record::new(RecordKey::new(&key), value.clone());
        let refusal = match self.swarm.behaviour_mut().kad.store_mut().admit(record) {
            Admission::Kept => None,
            Admission::Older => Some(NetError::OldRecord),
            Admission::Forged | Admission::Full => Some(NetError::Record),
        };
        if let Some(refusal) = refusal {
            let _ = reply.send(Err(refusal));
            return;
        }
        self.published.insert(key.clone(), value.clone());
        self.put(&key, value, Some(reply));
    }

    /// After a pause a server may have forgotten us.
    fn publish_again(&mut self) {
        for (key, value) in self.published.clone() {
            self.put(&key, value, None);
        }
    }

    fn put(&mut self, key: &[u8], value: Vec<u8>, reply: Option<oneshot::Sender<Result<(), NetError>>>) {
        let record = Record::new(RecordKey::new(&key), value);
        match self.swarm.behaviour_mut().kad.put_record(record, Quorum::One) {
            Ok(query) => {
                self.queries.insert(query, Query::Publication(reply));
            }
            Err(_) => {
                if let Some(reply) = reply {
                    let _ = reply.send(Err(NetError::OldRecord));
                }
            }
        }
    }
}

impl Query {
    /// What the query is for, while it goes on. A publication is answered at its end only.
    fn unfinished(&mut self) -> Self {
        match self {
            Self::Lookup(peer) => Self::Lookup(*peer),
            Self::Publication(_) => Self::Publication(None),
        }
    }
}

impl Pinned {
    fn wait(&mut self, now: Tick, limits: &Limits) {
        self.due = Some(now.saturating_add(pause(self.failures, limits)));
        self.failures = self.failures.saturating_add(1);
    }
}

/// Doubles with each failure and varies by half, so that a town does not call in step.
fn pause(failures: u32, limits: &Limits) -> Tick {
    let (first, last) = (ticks(limits.redial_first), ticks(limits.redial_last));
    let pause = first.saturating_mul(2_u64.saturating_pow(failures)).min(last);
    pause + chance() % (pause / 2).max(1)
}

/// Without randomness there is no spread, but still a pause.
fn chance() -> u64 {
    getrandom::u64().unwrap_or_default()
}

/// Who the address stands for: a host, or the whole /64 that one customer gets.
fn origin(address: &Multiaddr) -> Option<IpAddr> {
    Some(match discovery::ip_of(address)? {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    })
}

fn pins(bootstrap: &[Multiaddr], me: PeerId) -> Result<Vec<Pinned>, NetError> {
    let mut pins: Vec<Pinned> = Vec::new();
    for full in bootstrap {
        let unnamed = || NetError::Bootstrap(full.clone());
        let peer = discovery::peer_named(full).ok_or_else(unnamed)?;
        let address = discovery::bare(full, &peer).ok_or_else(unnamed)?;
        if peer == me {
            continue;
        }
        match pins.iter_mut().find(|pin| pin.peer == peer) {
            Some(pin) => pin.addresses.push(address),
            None => {
                pins.push(Pinned { peer, addresses: vec![address], failures: 0, due: Some(0), dial: None })
            }
        }
    }
    Ok(pins)
}

/// What a failure means, and whether the request had left.
pub(super) fn why(departure: &Departure, failure: &OutboundFailure) -> AskError {
    let unsent = departure.recall();
    match failure {
        OutboundFailure::UnsupportedProtocols if unsent => AskError::Unsupported,
        _ if unsent => AskError::Unreachable,
        OutboundFailure::Timeout => AskError::TimedOut,
        OutboundFailure::Io(error) => match Broken::of(error) {
            Some(Broken::NoAnswer) => AskError::Busy,
            Some(Broken::TooBig) => AskError::AnswerTooBig,
            Some(Broken::Truncated | Broken::Recalled | Broken::NoRoom) | None => AskError::Broken,
        },
        OutboundFailure::ConnectionClosed
        | OutboundFailure::DialFailure
        | OutboundFailure::UnsupportedProtocols => AskError::Broken,
    }
}
