//! What touches the world: sockets, clock, chance, runtime. Only with the feature `node`.

pub mod chance;
pub mod net;
