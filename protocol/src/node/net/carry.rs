//! Streams that one node opens through another one: asked for, agreed on, handed out (SPEC §5.5, ADR 0007).
//!
//! What goes through them is [`super::carriage`]'s; here is only libp2p's side of a bare stream.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::{Ready, ready},
    option,
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol,
    core::{Endpoint, InboundUpgrade, OutboundUpgrade, UpgradeInfo, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, NotifyHandler, SubstreamProtocol, THandlerInEvent, THandlerOutEvent, ToSwarm,
        handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound},
    },
};
use tokio::sync::oneshot;

use super::limits::Limits;

/// The name that is negotiated on the wire.
const CARRY: StreamProtocol = StreamProtocol::new("/stermina/carry/1");

/// The stream, or nothing when the peer does not speak this, or is gone.
pub(super) type Opening = oneshot::Sender<Stream>;

/// A stream that a peer has opened.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) peer: PeerId,
    pub(super) stream: Stream,
}

/// Opens streams for anybody; takes them only if this node carries.
pub(super) struct Behaviour {
    carries: bool,
    waiting: usize,
    events: VecDeque<ToSwarm<Arrived, Opening>>,
}

impl Behaviour {
    pub(super) fn new(carries: bool, limits: &Limits) -> Self {
        Self { carries, waiting: limits.carry_waiting, events: VecDeque::new() }
    }

    /// Opens a stream to a peer that is connected.
    pub(super) fn open(&mut self, peer_id: PeerId, opening: Opening) {
        let event = opening;
        self.events.push_back(ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::Any, event });
    }

    fn handler(&self) -> Handler {
        let (carries, waiting) = (self.carries, self.waiting);
        Handler { carries, waiting, wanted: VecDeque::new(), arrived: VecDeque::new() }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Arrived;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(self.handler())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(self.handler())
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, peer: PeerId, _: ConnectionId, stream: THandlerOutEvent<Self>) {
        self.events.push_back(ToSwarm::GenerateEvent(Arrived { peer, stream }));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Arrived, THandlerInEvent<Self>>> {
        self.events.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// One connection's part.
pub(super) struct Handler {
    carries: bool,
    waiting: usize,
    wanted: VecDeque<Opening>,
    arrived: VecDeque<Stream>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Opening;
    type ToBehaviour = Stream;
    type InboundProtocol = Bare;
    type OutboundProtocol = Bare;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Opening;

    fn listen_protocol(&self) -> SubstreamProtocol<Bare> {
        SubstreamProtocol::new(Bare { is_spoken: self.carries }, ())
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Bare, Opening, Stream>> {
        if let Some(stream) = self.arrived.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(stream));
        }
        self.wanted.pop_front().map_or(Poll::Pending, |opening| {
            let protocol = SubstreamProtocol::new(Bare { is_spoken: true }, opening);
            Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
        })
    }

    fn on_behaviour_event(&mut self, opening: Opening) {
        self.wanted.push_back(opening);
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Bare, Bare, (), Opening>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, .. })
                if self.arrived.len() < self.waiting =>
            {
                self.arrived.push_back(protocol);
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, info }) => {
                // Whoever asked may have gone away.
                let _ = info.send(protocol);
            }
            // Who waits sees that nothing comes.
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, .. }) => drop(info),
            // Too many ways at once are dropped. libp2p may add events; none of them carries a duty.
            _ => {}
        }
    }
}

/// A stream as it is, under our protocol's name.
pub(super) struct Bare {
    is_spoken: bool,
}

impl UpgradeInfo for Bare {
    type Info = StreamProtocol;
    type InfoIter = option::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.is_spoken.then_some(CARRY).into_iter()
    }
}

impl InboundUpgrade<Stream> for Bare {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}

impl OutboundUpgrade<Stream> for Bare {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}
