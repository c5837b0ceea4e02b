//! The protocols of a node, put together: what it speaks and what it refuses to hear.

use std::{error::Error, num::NonZeroUsize, sync::Arc, time::Duration};

use libp2p::{
    PeerId, StreamProtocol, Swarm, SwarmBuilder, allow_block_list, connection_limits, identify,
    identity::Keypair,
    kad, mdns, memory_connection_limits, noise, ping,
    request_response::{self, ProtocolSupport},
    swarm::{self, NetworkBehaviour, behaviour::toggle::Toggle},
    tcp, yamux,
};
use tokio::sync::Semaphore;

use super::{
    NetError, Protocol, Role, carry,
    codec::Codec,
    discovery::Records,
    gossip,
    limits::{Limits, Row},
};

/// The name of the address protocol; nodes of other networks do not answer to it.
pub(super) const KAD: StreamProtocol = StreamProtocol::new("/stermina/kad/1");
/// All that a stranger learns about the program.
const AGENT: &str = "stermina/0.1";

/// One field, one protocol. A new row of the table gets a field here.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) blocked: allow_block_list::Behaviour<allow_block_list::BlockedPeers>,
    connections: connection_limits::Behaviour,
    memory: memory_connection_limits::Behaviour,
    pub(super) identify: identify::Behaviour,
    pub(super) ping: ping::Behaviour,
    pub(super) kad: kad::Behaviour<Records>,
    pub(super) mdns: Toggle<mdns::tokio::Behaviour>,
    pub(super) gossip: gossip::Behaviour,
    pub(super) pay: request_response::Behaviour<Codec>,
    pub(super) bank: request_response::Behaviour<Codec>,
    pub(super) carry: carry::Behaviour,
}

impl Behaviour {
    pub(super) fn new(
        key: &Keypair,
        role: Role,
        (mdns, carries): (bool, bool),
        pinned: &[PeerId],
        (records, gossip): (Records, gossip::Behaviour),
        limits: &Limits,
    ) -> Self {
        let peer = key.public().to_peer_id();
        let room = Arc::new(Semaphore::new(limits.request_memory_kib));
        Self {
            blocked: allow_block_list::Behaviour::default(),
            connections: connections(role, pinned, limits),
            memory: memory_connection_limits::Behaviour::with_max_percentage(limits.memory_share),
            identify: identify::Behaviour::new(
                identify::Config::new(AGENT.to_owned(), key.public())
                    .with_agent_version(AGENT.to_owned())
                    .with_cache_size(0)
                    // Addresses of residents and shops travel in their signed records only.
                    .with_hide_listen_addrs(role != Role::Server),
            ),
            ping: ping::Behaviour::new(
                ping::Config::new().with_interval(limits.ping).with_timeout(limits.ping),
            ),
            kad: kad(peer, role, records, limits),
            mdns: mdns.then(|| neighbours(peer)).flatten().into(),
            gossip,
            pay: ask(limits.row(Protocol::Pay), ProtocolSupport::Full, &room),
            bank: ask(limits.row(Protocol::Bank), ProtocolSupport::Full, &room),
            carry: carry::Behaviour::new(carries, limits),
        }
    }

    /// The request-response protocol of a row.
    pub(super) fn protocol(&mut self, protocol: Protocol) -> &mut request_response::Behaviour<Codec> {
        match protocol {
            Protocol::Pay => &mut self.pay,
            Protocol::Bank => &mut self.bank,
        }
    }
}

/// A swarm over TCP and QUIC with the deadlines of the table.
pub(super) fn swarm<B: NetworkBehaviour>(
    key: Keypair,
    limits: &Limits,
    idle: Duration,
    behaviour: impl FnOnce(&Keypair) -> B,
) -> Result<Swarm<B>, NetError> {
    let streams = limits.connection_streams;
    let swarm = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, move || {
            let mut config = yamux::Config::default();
            config.set_max_num_streams(usize::try_from(streams).unwrap_or(usize::MAX));
            config
        })
        .map_err(|error| NetError::Transport(error.to_string()))?
        .with_quic_config(|mut config| {
            config.handshake_timeout = limits.handshake;
            config.max_concurrent_stream_limit = streams;
            config
        })
        .with_behaviour(|key| Ok::<_, Box<dyn Error + Send + Sync>>(behaviour(key)))
        .map_err(|error| NetError::Transport(error.to_string()))?
        .with_swarm_config(|config: swarm::Config| {
            config
                .with_idle_connection_timeout(idle)
                .with_max_negotiating_inbound_streams(limits.negotiating_streams)
        })
        .with_connection_timeout(limits.handshake)
        .build();
    Ok(swarm)
}

/// Request and answer by the rules of one row.
pub(super) fn ask(
    row: &Row,
    support: ProtocolSupport,
    room: &Arc<Semaphore>,
) -> request_response::Behaviour<Codec> {
    request_response::Behaviour::with_codec(
        Codec::new(row, Arc::clone(room)),
        [(StreamProtocol::new(row.name), support)],
        request_response::Config::default()
            .with_request_timeout(row.deadline)
            .with_max_concurrent_streams(row.streams),
    )
}

fn connections(role: Role, pinned: &[PeerId], limits: &Limits) -> connection_limits::Behaviour {
    let inbound = match role {
        Role::Server | Role::Shop => limits.inbound_server,
        Role::Client => limits.inbound_client,
    };
    let mut connections = connection_limits::Behaviour::new(
        connection_limits::ConnectionLimits::default()
            .with_max_pending_incoming(Some(limits.pending_inbound))
            .with_max_pending_outgoing(Some(limits.pending_outbound))
            .with_max_established_incoming(Some(inbound))
            .with_max_established_per_peer(Some(limits.connections_per_peer)),
    );
    for peer in pinned {
        connections.bypass_peer_id(peer);
    }
    connections
}

fn kad(peer: PeerId, role: Role, records: Records, limits: &Limits) -> kad::Behaviour<Records> {
    let mut config = kad::Config::new(KAD);
    config
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_query_timeout(limits.kad_query)
        .set_max_packet_size(limits.kad_packet_bytes)
        .set_record_ttl(Some(limits.record_ttl))
        .set_replication_interval(Some(limits.republish))
        // `EventLoop` publishes our record again itself.
        .set_publication_interval(None)
        .set_provider_publication_interval(None)
        .set_caching(kad::Caching::Disabled)
        // Everybody may ask, but only pinned nodes are asked: who is in the table gets dialled, and what a
        // stranger says of his addresses could be anybody's.
        .set_kbucket_inserts(kad::BucketInserts::Manual)
        // Also keeps the connections to the known servers from falling idle.
        .set_periodic_bootstrap_interval(Some(limits.idle / 2));
    if let Some(parallel) = NonZeroUsize::new(4) {
        config.set_parallelism(parallel);
    }
    let mut kad = kad::Behaviour::with_config(peer, records, config);
    kad.set_mode(Some(match role {
        Role::Server => kad::Mode::Server,
        Role::Shop | Role::Client => kad::Mode::Client,
    }));
    kad
}

/// A machine without multicast still is a node: it finds its neighbours through the bank.
fn neighbours(peer: PeerId) -> Option<mdns::tokio::Behaviour> {
    mdns::tokio::Behaviour::new(mdns::Config::default(), peer)
        .inspect_err(|error| tracing::warn!(%error, "no discovery in the local network"))
        .ok()
}
