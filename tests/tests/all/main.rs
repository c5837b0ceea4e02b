//! All scenes and checks in one binary: one link, one run, one summary.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has found something")]

mod anonymity;
mod bad_input;
mod bank_durability;
mod book;
mod carried;
mod chaos;
mod crashes;
mod evening;
mod hostile;
mod lessons;
mod link2;
mod mailbox;
mod openrpc;
mod orders;
mod restore;
mod shop;
mod shops;
mod simulation;
mod tidy;
mod tills;
mod webhooks;
mod wire;
mod world;
