//! What can go wrong, and what a caller may conclude from it.

use libp2p::{Multiaddr, TransportError};

/// Why a question has no answer.
///
/// The money code relies on [`AskError::is_certainly_unsent`]: before the first byte leaves, a
/// request is known not to have been processed; afterwards nobody can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// No address is known. Not sent.
    #[error("no address of this peer is known")]
    NotFound,
    /// Addresses are known, but no connection came about, or it broke before a byte left. Not sent.
    #[error("the peer cannot be reached")]
    Unreachable,
    /// The peer does not speak this protocol. Not sent.
    #[error("the peer does not speak this protocol")]
    Unsupported,
    /// The body is beyond the protocol's limit. Not sent.
    #[error("the request is longer than its protocol allows")]
    RequestTooBig,
    /// Our own limits: too many requests wait for this peer already. Not sent.
    #[error("too many requests are waiting for this peer")]
    Refused,
    /// This node is stopping. Not sent.
    #[error("the node is stopping")]
    Stopped,
    /// The peer closed the stream without an answer. An honest peer does so before it processes
    /// anything, when it is busy or we asked too much; but a crash looks the same: outcome unknown.
    #[error("the peer is busy")]
    Busy,
    /// The deadline passed after the request had left: outcome unknown.
    #[error("the peer did not answer in time")]
    TimedOut,
    /// The connection broke after the request had left: outcome unknown.
    #[error("the connection broke before the answer came")]
    Broken,
    /// The answer is beyond the protocol's limit; the peer has processed something: outcome unknown.
    #[error("the answer is longer than its protocol allows")]
    AnswerTooBig,
}

impl AskError {
    /// Whether the peer certainly has not processed the request. Otherwise the outcome is unknown.
    #[must_use]
    pub const fn is_certainly_unsent(self) -> bool {
        match self {
            Self::NotFound
            | Self::Unreachable
            | Self::Unsupported
            | Self::RequestTooBig
            | Self::Refused
            | Self::Stopped => true,
            Self::Busy | Self::TimedOut | Self::Broken | Self::AnswerTooBig => false,
        }
    }
}

/// Why the node does not start, or a record does not go out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// The bytes are no key.
    #[error("this is not a node key")]
    Key,
    /// A bootstrap address does not end in `/p2p/…`.
    #[error("{0} does not say which peer is there")]
    Bootstrap(Multiaddr),
    /// An address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(Multiaddr, TransportError<std::io::Error>),
    /// Encryption or sockets cannot be set up.
    #[error("the transport cannot be set up: {0}")]
    Transport(String),
    /// The record is not valid for its key.
    #[error("the address record is not valid")]
    Record,
    /// A newer record is known.
    #[error("a newer address record is known")]
    OldRecord,
    /// No server took the record. It is kept and goes out when one is reached.
    #[error("no server has taken the address record yet")]
    Unpublished,
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopped,
}
