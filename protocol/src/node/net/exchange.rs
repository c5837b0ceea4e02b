//! Requests and answers: from `ask` to the stream, from the stream to the program, and back.

use libp2p::{
    PeerId,
    request_response::{self, Message, OutboundFailure, ResponseChannel},
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{
    Answer, AskError, Inbound, Multiaddr, Protocol,
    budget::Verdict,
    codec::{Broken, Departure, Request},
    event_loop::EventLoop,
};

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
pub(super) struct Asked {
    departure: Departure,
    reply: oneshot::Sender<Result<Vec<u8>, AskError>>,
    _place: OwnedSemaphorePermit,
}

/// The program's answer to a request, or its silence.
pub(super) struct Answered {
    peer: PeerId,
    protocol: Protocol,
    channel: ResponseChannel<Vec<u8>>,
    body: Option<Vec<u8>>,
}

impl EventLoop {
    /// Hands a request to libp2p; its peer is connected.
    pub(super) fn send(&mut self, ask: Ask) {
        if ask.reply.is_closed() {
            return;
        }
        let request = Request { body: ask.body, departure: ask.departure.clone(), ..Request::default() };
        let id = self.swarm.behaviour_mut().protocol(ask.protocol).send_request(&ask.peer, request);
        let asked = Asked { departure: ask.departure, reply: ask.reply, _place: ask.place };
        self.asked.insert((ask.protocol, id), asked);
    }

    pub(super) fn on_message(
        &mut self,
        protocol: Protocol,
        event: request_response::Event<Request, Vec<u8>>,
    ) {
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
            // A request that could not be read comes as a message; what fails here is an answer on its way.
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
        if let Some(broken) = request.broken {
            return self.misread(peer, broken);
        }
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
    pub(super) fn on_answer(&mut self, answered: Answered) {
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

    /// An end in the middle may be a lost connection, and a slow line may stall; a length beyond the limit is
    /// always meant.
    fn misread(&mut self, peer: PeerId, broken: Broken) {
        match broken {
            Broken::TooBig => self.penalize(peer, self.limits.offence_malformed),
            Broken::Stalled => self.penalize(peer, self.limits.offence_stalled),
            Broken::Truncated | Broken::NoAnswer => self.penalize(peer, self.limits.offence_flood),
            Broken::NoRoom => self.dropped += 1,
            // Only said of what we send.
            Broken::Recalled => {}
        }
    }

    pub(super) fn penalize(&mut self, peer: PeerId, points: u32) {
        if self.budgets.offence(peer, points, self.now) == Verdict::Ban {
            self.ban(peer);
        }
    }

    pub(super) fn ban(&mut self, peer: PeerId) {
        tracing::warn!(%peer, "banned for a while");
        self.banned += 1;
        self.swarm.behaviour_mut().blocked.block_peer(peer);
    }
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
            Some(Broken::Truncated | Broken::Recalled | Broken::NoRoom | Broken::Stalled) | None => {
                AskError::Broken
            }
        },
        OutboundFailure::ConnectionClosed
        | OutboundFailure::DialFailure
        | OutboundFailure::UnsupportedProtocols => AskError::Broken,
    }
}
