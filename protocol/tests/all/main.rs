//! The crate's rules from outside: properties, models, hostile bytes.

mod chains;
mod codes;
mod payments;
mod scene;
mod tables;
