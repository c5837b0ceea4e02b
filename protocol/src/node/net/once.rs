//! A question over a name that exists for this question only.
//!
//! Whoever renews a note must not be recognised by its node key. So the question goes out under a
//! fresh random identity, over a connection of its own, with no protocol on it that would tell
//! more. It hides the node, not the machine: the IP address is the same.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm,
    identity::Keypair,
    request_response::{self, Message, ProtocolSupport},
    swarm::{SwarmEvent, dial_opts::PeerCondition},
};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    AskError, Protocol, behaviour,
    codec::{Codec, Departure, Request},
    discovery,
    exchange::why,
    limits::Limits,
    search::dial,
};

type Once = request_response::Behaviour<Codec>;

/// Asks once, under a throw-away identity. All `addrs` name the same peer by `/p2p/…`; those that
/// name another than the first are ignored.
pub async fn ask_once(addrs: &[Multiaddr], protocol: Protocol, body: Vec<u8>) -> Result<Vec<u8>, AskError> {
    let limits = Limits::TABLE;
    let row = limits.row(protocol);
    if body.len() > row.request_bytes {
        return Err(AskError::RequestTooBig);
    }
    let peer = addrs.iter().find_map(discovery::peer_named).ok_or(AskError::NotFound)?;
    let addresses: Vec<Multiaddr> = addrs.iter().filter_map(|addr| discovery::bare(addr, &peer)).collect();
    let departure = Departure::default();
    let whole = limits.reach + limits.handshake + row.deadline;
    let asking = async {
        let room = Arc::new(Semaphore::new(0));
        let mut swarm = behaviour::swarm(Keypair::generate_ed25519(), &limits, limits.idle, |_| {
            behaviour::ask(row, ProtocolSupport::Outbound, &room)
        })
        .map_err(|_| AskError::Unreachable)?;
        connect(&mut swarm, peer, addresses, limits.reach).await?;
        let request = Request { body, departure: departure.clone(), ..Request::default() };
        let answer = exchange(&mut swarm, peer, request, &departure).await;
        part(&mut swarm, peer).await;
        answer
    };
    match timeout(whole, asking).await {
        Ok(result) => result,
        Err(_) if departure.recall() => Err(AskError::Unreachable),
        Err(_) => Err(AskError::TimedOut),
    }
}

async fn connect(
    swarm: &mut Swarm<Once>,
    peer: PeerId,
    addresses: Vec<Multiaddr>,
    within: Duration,
) -> Result<(), AskError> {
    dial(swarm, peer, addresses, PeerCondition::Always).ok_or(AskError::Unreachable)?;
    let connecting = async {
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::ConnectionEstablished { .. } => return Ok(()),
                SwarmEvent::OutgoingConnectionError { .. } => return Err(AskError::Unreachable),
                _ => {}
            }
        }
    };
    timeout(within, connecting).await.unwrap_or(Err(AskError::Unreachable))
}

async fn exchange(
    swarm: &mut Swarm<Once>,
    peer: PeerId,
    request: Request,
    departure: &Departure,
) -> Result<Vec<u8>, AskError> {
    swarm.behaviour_mut().send_request(&peer, request);
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::Behaviour(request_response::Event::Message {
                message: Message::Response { response, .. },
                ..
            }) => return Ok(response),
            SwarmEvent::Behaviour(request_response::Event::OutboundFailure { error, .. }) => {
                return Err(why(departure, &error));
            }
            _ => {}
        }
    }
}

/// Closes the connection properly, so that the peer need not wait for a timeout.
async fn part(swarm: &mut Swarm<Once>, peer: PeerId) {
    let closing = async {
        while swarm.is_connected(&peer) {
            // Gone already is as good as goodbye.
            let _ = swarm.disconnect_peer_id(peer);
            swarm.select_next_some().await;
        }
    };
    let _ = timeout(Duration::from_secs(1), closing).await;
}
