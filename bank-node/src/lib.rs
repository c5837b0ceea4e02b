//! The bank: accounts, issue and redemption of notes, the directory.
//!
//! | module | what it holds |
//! |---|---|
//! | [`ledger`] | the rules about money, without IO |
//! | [`store`] | where the books lie: redb, or memory for tests |
//! | [`desk`] | a file for each request of customers and operators |

pub mod desk;
pub mod keys;
pub mod ledger;
pub mod network;
pub mod rpc;
pub mod service;
pub mod store;
