//! The store: what must survive a crash, and the few questions that decisions ask of it.
//!
//! A commit is one transaction: all of a batch's changes or none. The wallet's open state is loaded
//! whole; what is closed is asked for by name. The trait is the wallet's own: [`crate::wallet::books`].

mod book;
mod cases;
mod patch;
mod redb;
mod vault;

pub use book::{Contact, DirectoryFlaw};
pub use redb::RedbStore;
pub use vault::{ReplayFlaw, Waiting};

pub use crate::wallet::books::{Page, Store, StoreFault};

/// The wallet's file in the data folder.
pub const STORE_FILE: &str = "wallet.redb";
