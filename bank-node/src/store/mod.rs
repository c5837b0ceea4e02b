//! Where the books lie: ordered keys and values, in redb or in memory.
//!
//! ```text
//! ledger::books (questions) ◀── tables (records and keys) ──▶ shelf (get, put, neighbours) ◀── redb | memory
//!                                                                    ▲── redo: the same writes in a log, first
//! ```
//! Rules know only the questions; redb and memory know only bytes. A store with tables of its own, such as
//! PostgreSQL, would answer the questions directly and leave the shelf out.

mod cases;
mod memory;
mod post;
mod redb;
pub mod redo;
pub mod shelf;
mod shops;
mod tables;
mod vault;

#[cfg(test)]
pub(crate) mod failing;
#[cfg(test)]
pub(crate) mod tests;

pub use memory::Memory;
pub use redb::Redb;
pub use redo::Logged;
pub use tables::Ledger;
pub(crate) use tables::has_format;
