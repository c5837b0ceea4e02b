//! The bank's rules about money: no IO, no clock, no chance (SPEC §4.9).
//!
//! | file | what it holds |
//! |---|---|
//! | [`account`] | accounts and their running totals |
//! | [`posting`] | double entry and the journal |
//! | [`outstanding`] | the issue register, the redeemed intervals, the double-spend rule |
//! | [`post`] | what is asked of a store for the mailboxes |
//! | [`books`] | what the rules ask of a store, a question each |
//! | [`mod@audit`] | every invariant, recomputed from the records |

pub mod account;
pub mod audit;
pub mod books;
pub mod outstanding;
pub mod post;
pub mod posting;

#[cfg(test)]
mod tests;

pub use account::{Account, AccountKind, AccountNumber, CASH, CustomerKind, FIRST_CUSTOMER, OUTSTANDING};
pub use audit::{Audit, Finding, audit};
pub use books::{Books, Fault, Tx, View};
pub use outstanding::{Issued, Redeemed};
pub use posting::{Answer, Asked, Entry, EntryKind, Posting};
