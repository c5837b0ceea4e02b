//! What bank, wallet and shop say to each other, and what makes it true.
//!
//! The crate in reading order; `SPEC.md` beside it is the same in prose, and each file names its section.
//!
//! | module | what it holds |
//! |---|---|
//! | [`money`], [`range`], [`id`], [`time`] | amounts, numbered units, names, dates: no clock, no arithmetic elsewhere |
//! | [`body`], [`sign`], [`seal`] | fixed layouts, digests and signatures, sealed envelopes |
//! | [`key`], [`code`] | seed and what comes of it, the private code's lock, public codes and URIs |
//! | [`note`] | roots, links, chains: check and compare |
//! | [`pay`] | request, order, payment, receipt (link 2) |
//! | [`bank`] | certificates, withdrawals, redemptions, letters, the directory (link 1) |
//! | [`shop`] | what was sold: receipt documents, refund notes, day reports |
//! | [`error`] | the one list of error codes |
//! | [`wire`] | MessagePack envelopes around all that, and limits |
//! | [`mod@print`] | letters and receipts as pages of text |
//! | `node` | with the feature `node`: sockets, clock, runtime; nothing else in the crate knows of them |

pub mod bank;
pub mod body;
pub mod code;
pub mod error;
pub mod id;
pub mod key;
pub mod money;
#[cfg(feature = "node")]
pub mod node;
pub mod note;
pub mod pay;
pub mod print;
pub mod range;
pub mod seal;
pub mod shop;
pub mod sign;
pub mod time;
pub mod wire;
