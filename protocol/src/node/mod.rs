//! The edge: everything that touches a socket, a file, a clock or a runtime.
//!
//! Programs turn this on with the feature `node`; the rest of the crate stays pure.

pub mod clock;
pub mod host;
pub mod rpc;
