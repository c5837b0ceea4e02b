//! JSON-RPC: the contract and the server that keeps it. Only this room and the CLI know JSON.

pub mod api;
mod at_till;
pub mod claims;
mod code;
pub mod counter;
mod doubt;
mod gate;
mod mail;
mod moves;
pub mod orders;
mod secrets;
mod server;
mod shopping;
pub mod takings;
pub mod tokens;
mod told;
pub mod vault;
mod view;

pub use code::{ERRORS, reason_of};
pub use gate::{StoredEvents, TokenGate};
pub use server::{Desk, DeskParts};
