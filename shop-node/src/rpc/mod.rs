//! JSON-RPC: the shop's contract, the server that keeps it, and the door with the roles.

pub mod api;
pub mod backups;
mod code;
mod days;
mod desk;
mod documents;
mod events;
mod gate;
mod orderdesk;
pub mod orders;
mod page;
pub mod people;
mod shape;
pub mod sweeps;
pub mod tillcodes;
mod view;
pub mod webhooks;

pub use code::ERRORS;
pub use desk::Desk;
pub use events::ShopEvents;
pub use gate::{House, StaffGate, contract};
pub use orderdesk::order_json;
