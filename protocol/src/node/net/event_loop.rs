//! The one task that owns the swarm. It waits for nobody: neither storage nor verification of
//! bodies, and what does not fit into a queue is dropped and counted.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use libp2p::{
    Multiaddr, PeerId, Stream, Swarm, identify,
    kad::QueryId,
    ping,
    request_response::OutboundRequestId,
    swarm::{ConnectionId, SwarmEvent},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{interval, timeout},
};

use super::{
    CarryAsked, Inbound, NetConfig, NetError, NetStatus, Protocol, RecordCheck, Role,
    behaviour::{self, Behaviour, BehaviourEvent},
    budget::{Budgets, TICK, TICKS_PER_SECOND, Tick, ticks},
    carry,
    contact::{Origins, Pinned, pins},
    discovery::{self, Book, OwnAddresses, Records},
    exchange::{Answered, Ask, Asked},
    gossip, keypair,
    limits::Limits,
    records::Query,
    search::Search,
};

/// What a handle wants.
pub(super) enum Command {
    Ask(Ask),
    LookUp(PeerId),
    Publish {
        key: Vec<u8>,
        value: Vec<u8>,
        reply: oneshot::Sender<Result<(), NetError>>,
    },
    Spread(Vec<u8>),
    Listening(oneshot::Sender<Vec<Multiaddr>>),
    External(oneshot::Sender<Vec<Multiaddr>>),
    Penalize {
        peer: PeerId,
        points: u32,
    },
    /// A stream to a node that carries.
    Carry(PeerId, oneshot::Sender<Stream>),
    /// The bank is behind this door.
    Enter {
        bank: PeerId,
        door: Multiaddr,
    },
    Stop(oneshot::Sender<()>),
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
    pub(super) role: Role,
    commands: mpsc::Receiver<Command>,
    pub(super) inbound: mpsc::Sender<Inbound>,
    status: watch::Sender<NetStatus>,
    pub(super) asked: HashMap<(Protocol, OutboundRequestId), Asked>,
    pub(super) answers: FuturesUnordered<Pin<Box<dyn Future<Output = Answered> + Send>>>,
    pub(super) budgets: Budgets,
    pub(super) own: OwnAddresses,
    listening_asked: Vec<oneshot::Sender<Vec<Multiaddr>>>,
    external_asked: Vec<oneshot::Sender<Vec<Multiaddr>>>,
    pub(super) published: HashMap<Vec<u8>, Vec<u8>>,
    pub(super) origins: Origins,
    /// Doors that lead to a pinned node, and the connections through them.
    pub(super) doors: HashSet<Multiaddr>,
    pub(super) tunnels: HashSet<ConnectionId>,
    carried: Option<mpsc::Sender<CarryAsked>>,
    pub(super) dropped: u64,
    pub(super) banned: u64,
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
        let gossip = gossip::behaviour(validator.hears_rumours(), &limits)?;
        let mut swarm = behaviour::swarm(key, &limits, limits.idle, |key| {
            let switches = (config.mdns, config.carried.is_some());
            Behaviour::new(key, config.role, switches, &pinned, (records, gossip), &limits)
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
        discovery::introduce(&ends.book, &config.neighbours);
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
            origins: Origins::default(),
            doors: HashSet::new(),
            tunnels: HashSet::new(),
            carried: config.carried,
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
            Command::LookUp(peer) => self.look_up(peer),
            Command::Publish { key, value, reply } => self.publish(key, value, reply),
            Command::Spread(rumour) => self.spread(rumour),
            Command::Listening(reply) => self.listening_asked.push(reply),
            Command::External(reply) => self.external_asked.push(reply),
            Command::Penalize { peer, points } => self.penalize(peer, points),
            Command::Carry(peer, opening) => self.swarm.behaviour_mut().carry.open(peer, opening),
            Command::Enter { bank, door } => self.enter(bank, door),
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
            SwarmEvent::ConnectionClosed { peer_id, connection_id, endpoint, num_established, .. } => {
                self.tunnels.remove(&connection_id);
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
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::Identify(identify::Event::Received { connection_id, peer_id, info }) => {
                self.identified(peer_id, connection_id, info);
            }
            BehaviourEvent::Ping(ping::Event { connection, result: Err(failure), .. }) => {
                if !matches!(failure, ping::Failure::Unsupported) {
                    self.swarm.close_connection(connection);
                }
            }
            BehaviourEvent::Mdns(event) => self.on_neighbours(event),
            BehaviourEvent::Carry(carry::Arrived { peer, stream }) => self.carry_asked(peer, stream),
            BehaviourEvent::Identify(_) | BehaviourEvent::Ping(_) => {}
            BehaviourEvent::Blocked(never)
            | BehaviourEvent::Connections(never)
            | BehaviourEvent::Memory(never) => match never {},
        }
    }

    /// The program decides; a full queue says no.
    fn carry_asked(&mut self, peer: PeerId, stream: Stream) {
        let asked = CarryAsked { peer, stream };
        if self.carried.as_ref().is_none_or(|carried| carried.try_send(asked).is_err()) {
            self.dropped += 1;
        }
        self.penalize(peer, self.limits.carry_opening);
    }

    fn on_tick(&mut self) {
        self.now += 1;
        self.dial_pins();
        self.end_old_searches();
        for peer in self.budgets.pardoned(self.now) {
            self.swarm.behaviour_mut().blocked.unblock_peer(peer);
        }
        if self.now.is_multiple_of(ticks(self.limits.republish)) {
            self.publish_again();
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
            carried: !self.tunnels.is_empty(),
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
