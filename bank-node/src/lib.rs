//! The bank: accounts, issue and redemption of notes, the directory.
//!
//! | module | what it holds |
//! |---|---|
//! | [`ledger`] | the rules about money, without IO |
//! | [`store`] | where the books lie: redb, or memory for tests |
//! | [`desk`] | a file for each request of customers and operators |
//! | [`keys`] | the working keys and their files |
//! | [`service`] | the open bank: many ask, one writer answers |
//! | [`network`] | customers' requests over libp2p |
//! | [`rpc`] | the operators' interface |
//! | [`backup`] | backups of the open bank, and a bank from one |
//! | [`home`], [`run`], [`cli`] | folders, the process, the command line |
//!
//! ```text
//! cli → run → {network, rpc} → service → desk → ledger → protocol        store → ledger::books
//! ```

pub mod backup;
pub mod cli;
pub mod desk;
pub mod home;
pub mod keys;
pub mod ledger;
pub mod network;
pub mod rpc;
pub mod run;
pub mod service;
pub mod store;
