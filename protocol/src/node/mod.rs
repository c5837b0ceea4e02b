//! What touches the world: sockets, clock, chance, runtime. Only with the feature `node`.

pub mod address;
pub mod chance;
pub mod clock;
pub mod host;
pub mod net;
pub mod rpc;
