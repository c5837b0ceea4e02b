//! A way to the bank through a shop: a stream to the shop, on whose other end is a connection to the bank (SPEC §5.5,
//! ADR 0007).
//!
//! ```text
//! node ══ Noise to the bank ═════════════════════════════════════════════════▶ bank
//!   └─ door (loopback) ─ stream within the connection to the shop ─ shop ─ TCP ─┘
//! ```
//! The node dials the door like any address of the bank and names the bank's key, so the shop moves bytes that it can't
//! read, and can't pretend to be the bank. The shop chooses where they go, not the node: it is a way to the bank only.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::{Multiaddr, PeerId, Stream, multiaddr};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::{Net, event_loop::Command};

/// What is read at once, in each direction.
const BUFFER: usize = 16 << 10;
/// How long the shop's word may take, and the dial of a door.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why nobody is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CarryFault {
    /// It is not connected, or does not carry.
    #[error("it carries nobody")]
    NotCarrying,
    /// It does not know who asks.
    #[error("it carries only people in the bank's directory")]
    Stranger,
    /// Its limits.
    #[error("it carries as much as it may: try again later")]
    Full,
    /// The bank, from there.
    #[error("it does not reach the bank either")]
    NoBank,
    /// This machine.
    #[error("no door could be opened on this machine")]
    NoDoor,
}

/// The shop's first byte.
const GOES: u8 = 0;

impl CarryFault {
    const fn byte(self) -> u8 {
        match self {
            Self::Stranger => 1,
            Self::Full => 2,
            Self::NoBank => 3,
            Self::NotCarrying | Self::NoDoor => 4,
        }
    }

    const fn of(byte: u8) -> Self {
        match byte {
            1 => Self::Stranger,
            2 => Self::Full,
            3 => Self::NoBank,
            _ => Self::NotCarrying,
        }
    }
}

/// A node that wants to be carried to the bank. Dropped, it is told nothing and goes elsewhere.
#[derive(Debug)]
pub struct CarryAsked {
    /// Who; proven by the connection.
    pub peer: PeerId,
    pub(super) stream: Stream,
}

/// How much one node is carried.
pub struct Terms<'a> {
    /// How long.
    pub time: Duration,
    /// Takes so many bytes from what may still be carried; false ends it.
    pub take: &'a (dyn Fn(usize) -> bool + Send + Sync),
}

impl CarryAsked {
    /// Says no, and why.
    pub async fn refuse(mut self, why: CarryFault) {
        // Whoever asked may have gone away.
        let _ = timeout(PATIENCE, say(&mut self.stream, why.byte())).await;
    }

    /// Says yes, and carries to the bank at the other end of `bank` until either side is done or the terms are over.
    pub async fn carry(mut self, bank: TcpStream, terms: &Terms<'_>) {
        if !matches!(timeout(PATIENCE, say(&mut self.stream, GOES)).await, Ok(Ok(()))) {
            return;
        }
        // However it ends, both sides see it end.
        let _ = timeout(terms.time, pipe(self.stream, bank, terms.take)).await;
    }
}

async fn say(stream: &mut Stream, byte: u8) -> io::Result<()> {
    stream.write_all(&[byte]).await?;
    stream.flush().await
}

/// Moves bytes both ways until one side ends.
async fn pipe(stream: Stream, tcp: TcpStream, take: &(dyn Fn(usize) -> bool + Send + Sync)) {
    let (from_stream, to_stream) = stream.split();
    let (from_tcp, to_tcp) = tcp.into_split();
    let there = async {
        let (mut from, mut to, mut buffer) = (from_stream, to_tcp, vec![0; BUFFER]);
        while let Ok(bytes) = read(&mut from, &mut buffer).await {
            if !take(bytes.len()) || to.write_all(bytes).await.is_err() {
                return;
            }
        }
    };
    let back = async {
        let (mut from, mut to, mut buffer) = (from_tcp, to_stream, vec![0; BUFFER]);
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            let bytes = buffer.get(..count).unwrap_or_default();
            if !take(count) || write(&mut to, bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! { () = there => {}, () = back => {} }
}

async fn read<'a>(from: &mut (impl AsyncRead + Unpin), buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    match from.read(buffer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => Ok(buffer.get(..count).unwrap_or_default()),
    }
}

async fn write(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes).await?;
    to.flush().await
}

impl Net {
    /// Opens a way to the bank through `carrier`, which has to be connected: the address on this machine behind which the
    /// bank is, for one connection within a few seconds; and what ends when the way does.
    pub async fn door(
        &self,
        carrier: PeerId,
    ) -> Result<(Multiaddr, tokio::task::JoinHandle<()>), CarryFault> {
        let opened = timeout(PATIENCE, self.command(|reply| Command::Carry(carrier, reply))).await;
        let mut stream = opened.ok().flatten().ok_or(CarryFault::NotCarrying)?;
        let mut word = [0xff];
        match timeout(PATIENCE, stream.read_exact(&mut word)).await {
            Ok(Ok(())) if word == [GOES] => {}
            Ok(Ok(())) => return Err(CarryFault::of(word[0])),
            Ok(Err(_)) | Err(_) => return Err(CarryFault::NotCarrying),
        }
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = TcpListener::bind(here).await.map_err(|_| CarryFault::NoDoor)?;
        let port = listener.local_addr().map_err(|_| CarryFault::NoDoor)?.port();
        let address = Multiaddr::from(Ipv4Addr::LOCALHOST).with(multiaddr::Protocol::Tcp(port));
        let through = tokio::spawn(async move {
            if let Ok(Ok((tcp, _))) = timeout(PATIENCE, listener.accept()).await {
                drop(listener);
                pipe(stream, tcp, &|_| true).await;
            }
        });
        Ok((address, through))
    }

    /// Dials a bootstrap node through a door, if it is not connected.
    pub async fn enter(&self, bank: PeerId, door: Multiaddr) {
        // A node that is stopping goes nowhere.
        let _ = self.commands.send(Command::Enter { bank, door }).await;
    }

    /// Nodes that are near: those that the local network tells of, and those that the settings name.
    #[must_use]
    pub fn neighbours(&self) -> Vec<PeerId> {
        super::lock(&self.book).neighbours()
    }
}
