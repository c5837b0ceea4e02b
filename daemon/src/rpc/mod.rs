//! JSON-RPC: the contract and the server that keeps it. Only this room and the CLI know JSON.

pub mod api;
mod code;
pub mod claims;
mod doubt;
mod gate;
mod moves;
mod server;
mod told;
mod view;

pub use code::{ERRORS, reason_of};
pub use gate::{StoredEvents, TokenGate};
pub use server::{Desk, DeskParts};
