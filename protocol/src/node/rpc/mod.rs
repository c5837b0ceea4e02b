//! The local interface: JSON-RPC 2.0 for the person at the keyboard and the programs beside them.
//!
//! ```text
//! rpc_contract! ─▶ trait (server side) ─▶ Service ─▶ dispatch ─┬─ POST /rpc ─┬─ unix socket: our own user
//!              └─▶ client (CLI, tests)  ◀── Connection ◀───────┴─ GET /ws ───┴─ loopback HTTP: cookie or token
//!              └─▶ OpenRPC document: `rpc.discover`, the manual, a committed file
//! ```
//! Why not a framework: `adr/0001-json-rpc.md`. Amounts are integers of the smallest unit. A `reason` in
//! an error is part of the contract; its number and its sentence are courtesy.

mod client;
mod contract;
mod dispatch;
mod error;
mod events;
mod guard;
mod http;
mod listen;
mod openrpc;
mod scope;
mod server;
mod session;
#[cfg(test)]
mod tests;

pub use client::{CallError, Connection};
pub use contract::{
    BoxFuture, Contract, Empty, MethodInfo, Service, SystemVersion, decode_params, encode_result,
};
pub use error::{ErrorInfo, Retry, RpcError};
pub use events::{
    EventSource, EventsList, EventsPage, EventsSubscribe, EventsUnsubscribe, Silent, Subscribed, Unsubscribed,
};
pub use openrpc::openrpc;
pub use scope::{Caller, Gate, NoTokens, Scope, Scopes, Transport};
pub use server::{Limits, Running, ServeConfig, ServeError, cookie_in, http_in, serve, socket_in};

pub use crate::rpc_contract;
/// What the macro needs from elsewhere, so that its users need not depend on it by name.
pub use {schemars::JsonSchema, serde_json::Value};
