//! Keys and who signs what with them (SPEC §1).
//!
//! | key | made from | kept | signs or opens |
//! |---|---|---|---|
//! | owner O | seed | in memory while unlocked | tickets, orders, withdrawals, deposits, identity records, final receipts |
//! | note keys P | seed and a hint | nowhere: derived when spent | links |
//! | view key V | seed and generation | private file | opens envelopes |
//! | node key N | seed and generation | private file | libp2p's handshake, requests, receipts, address records |
//! | bank's master key | random | off line | certificates of the four below, revocations |
//! | bank's issue key | random, one a day | bank, destroyed at the day's end | roots |
//! | bank's attest key | random | bank | certificates, letters, the directory's head |
//! | bank's bulletin key | random | bank | bulletins |
//! | bank's node key | random | bank | libp2p's handshake |

pub mod bank;
pub mod lock;
mod seed;
mod ticket;

pub use seed::{BadPhrase, Seed};
pub use ticket::KeyTicket;
