//! The edge of the crate: sockets, clock, runtime. Everything here needs the feature `node`.

pub mod net;
