//! JSON-RPC: the contract, and the server that keeps it. Nothing else here knows JSON.

pub mod api;
