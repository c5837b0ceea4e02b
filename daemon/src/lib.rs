//! A workstation: its reserve, its history, and everything it says to payees and to the bank.
//!
//! A library first: `sterminad` runs it, `stermina` talks to it, shops are built on it.
//!
//! ```text
//! bin, cli ─▶ rpc ─▶ engine ─▶ wallet (rules, no IO) · store (durable) · keyring (the owner's secrets)
//! ```

pub mod cli;
pub mod engine;
pub mod head;
pub mod join;
pub mod keyring;
pub mod profile;
pub mod restore;
pub mod rpc;
pub mod run;
pub mod settings;
pub mod store;
pub mod wallet;
