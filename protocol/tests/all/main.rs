//! The crate's rules from outside: properties, models, hostile bytes.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may stop where the scene breaks")]

mod bodies;
mod chains;
mod codes;
mod messages;
mod payments;
mod scene;
mod shop;
mod signatures;
mod tables;
