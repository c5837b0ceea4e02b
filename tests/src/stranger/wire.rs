//! Bytes that are no message: half frames, false lengths, streams held open, more than anybody wants.

use std::io;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::request_response::{self, Message, OutboundFailure, ProtocolSupport};
use libp2p::swarm::{SwarmEvent, dial_opts::DialOpts};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, noise, tcp, yamux};
use protocol::node::net::Protocol;
use protocol::node::net::limits::Limits;
use tokio::sync::mpsc;

use crate::patience::{runtime, wait};

/// Longest answer that a stranger reads.
const ANSWER_MAX: u64 = 2 << 20;
/// He gives up after this, if the other side did not before.
const GIVES_UP: Duration = Duration::from_secs(90);

/// Between two bytes of a stream that is held open.
const DROP: Duration = Duration::from_millis(500);

/// What is written on a stream.
#[derive(Clone, Debug)]
pub struct Scrawl {
    /// These bytes, as they are: the length in front is theirs, too.
    pub bytes: Vec<u8>,
    /// And then a byte now and then, and no end.
    pub held: bool,
}

/// A body with its right length in front.
pub fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), body].concat()
}

#[derive(Clone, Debug, Default)]
struct Scrawls;

impl request_response::Codec for Scrawls {
    type Protocol = StreamProtocol;
    type Request = Scrawl;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<Scrawl>
    where
        T: AsyncRead + Unpin + Send,
    {
        Err(io::Error::other("a stranger answers nothing"))
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, stream: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut answer = Vec::new();
        stream.take(ANSWER_MAX).read_to_end(&mut answer).await?;
        Ok(answer)
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, stream: &mut T, scrawl: Scrawl) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        stream.write_all(&scrawl.bytes).await?;
        stream.flush().await?;
        if !scrawl.held {
            return Ok(());
        }
        let mut drops = tokio::time::interval(DROP);
        loop {
            // Fails when the other side has had enough.
            drops.tick().await;
            stream.write_all(&[7]).await?;
            stream.flush().await?;
        }
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, _: &mut T, _: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        Err(io::Error::other("a stranger answers nothing"))
    }
}

/// What became of what a scrawler wrote.
#[derive(Debug)]
pub enum Reply {
    /// These bytes came back; none if the stream was just closed.
    Bytes(Vec<u8>),
    /// The stream or the connection broke.
    Broke(String),
}

/// A connection under a name of its own, on which anything can be written.
#[derive(Debug)]
pub struct Scrawler {
    commands: mpsc::Sender<Scrawl>,
    replies: mpsc::Receiver<Reply>,
}

impl Scrawler {
    /// Connects to one protocol of a node.
    ///
    /// # Panics
    /// When the machine has no sockets.
    #[track_caller]
    pub fn connects(peer: PeerId, addresses: &[Multiaddr], protocol: Protocol) -> Scrawler {
        let name = StreamProtocol::new(Limits::TABLE.row(protocol).name);
        let _inside = runtime().enter();
        let swarm = SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
            .expect("encryption is there")
            .with_behaviour(|_| {
                let config = request_response::Config::default()
                    .with_request_timeout(GIVES_UP)
                    .with_max_concurrent_streams(1024);
                request_response::Behaviour::with_codec(Scrawls, [(name, ProtocolSupport::Outbound)], config)
            })
            .expect("a behaviour is made")
            .with_swarm_config(|config| config.with_idle_connection_timeout(GIVES_UP))
            .build();
        let (commands, wishes) = mpsc::channel(1024);
        let (answers, replies) = mpsc::channel(1024);
        let dial = DialOpts::peer_id(peer).addresses(addresses.to_vec()).build();
        runtime().spawn(scrawl(swarm, dial, peer, wishes, answers));
        Scrawler { commands, replies }
    }

    /// Writes on a new stream.
    pub fn writes(&self, bytes: Vec<u8>) {
        // A scrawler whose connection is gone says so when it is asked for replies.
        let _ = wait(self.commands.send(Scrawl { bytes, held: false }));
    }

    /// Writes on a new stream and holds it open, byte by byte.
    pub fn writes_and_holds(&self, bytes: Vec<u8>) {
        let _ = wait(self.commands.send(Scrawl { bytes, held: true }));
    }

    /// What became of something written.
    ///
    /// # Panics
    /// When nothing came of it.
    #[track_caller]
    pub fn hears(&mut self) -> Reply {
        let heard = wait(async { tokio::time::timeout(GIVES_UP, self.replies.recv()).await });
        heard.ok().flatten().expect("something comes of everything that is written")
    }
}

async fn scrawl(
    mut swarm: Swarm<request_response::Behaviour<Scrawls>>,
    dial: DialOpts,
    peer: PeerId,
    mut wishes: mpsc::Receiver<Scrawl>,
    answers: mpsc::Sender<Reply>,
) {
    if let Err(why) = swarm.dial(dial) {
        let _ = answers.send(Reply::Broke(why.to_string())).await;
        return;
    }
    let mut connected = false;
    loop {
        tokio::select! {
            wish = wishes.recv(), if connected => match wish {
                Some(scrawl) => drop(swarm.behaviour_mut().send_request(&peer, scrawl)),
                None => return,
            },
            event = swarm.select_next_some() => {
                let reply = match event {
                    SwarmEvent::ConnectionEstablished { .. } => {
                        connected = true;
                        None
                    }
                    SwarmEvent::OutgoingConnectionError { error, .. } => {
                        let _ = answers.send(Reply::Broke(error.to_string())).await;
                        return;
                    }
                    SwarmEvent::Behaviour(event) => reply_of(event),
                    _ => None,
                };
                if let Some(reply) = reply
                    && answers.send(reply).await.is_err()
                {
                    return;
                }
            }
        }
    }
}

fn reply_of(event: request_response::Event<Scrawl, Vec<u8>>) -> Option<Reply> {
    match event {
        request_response::Event::Message { message: Message::Response { response, .. }, .. } => {
            Some(Reply::Bytes(response))
        }
        request_response::Event::OutboundFailure { error: OutboundFailure::Timeout, .. } => {
            Some(Reply::Broke("the other side never ended it".to_owned()))
        }
        request_response::Event::OutboundFailure { error, .. } => Some(Reply::Broke(error.to_string())),
        _ => None,
    }
}
