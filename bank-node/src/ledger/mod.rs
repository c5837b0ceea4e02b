//! The bank's rules about money: no IO, no clock, no chance (SPEC §4.9).
//!
//! | file | what it holds |
//! |---|---|
//! | [`account`] | accounts and their running totals |
//! | [`posting`] | double entry and the journal |
//! | [`outstanding`] | the issue register, the redeemed intervals, the double-spend rule |
//! | [`reclaims`] | reclaims, and what became of their units |
//! | [`cases`] | claims: against which entry a unit is judged, who is asked, who is liable |
//! | [`holds`] | money kept for orders: who may say what about it, and what it comes to |
//! | [`letters`] | what is asked of a store for letters that are fetched |
//! | [`post`] | what is asked of a store for the mailboxes |
//! | [`books`] | what the rules ask of a store, a question each |
//! | [`bulletin`] | what the bank says of itself every hour |
//! | [`tenure`] | whose a shop is, its lease, its rent |
//! | [`sweeps`] | takings that went to companies |
//! | [`vault`] | sealed logs of workstations, which are no money |
//! | [`mod@audit`] | every invariant, recomputed from the records |

pub mod account;
pub mod audit;
pub mod books;
pub mod bulletin;
mod case_audit;
pub mod cases;
pub mod holds;
pub mod letters;
pub mod outstanding;
pub mod post;
pub mod posting;
pub mod reclaims;
mod shop_audit;
pub mod sweeps;
pub mod tenure;
pub mod vault;

#[cfg(test)]
mod case_tests;
#[cfg(test)]
mod tests;

pub use account::{
    Account, AccountKind, AccountNumber, CASH, CustomerKind, DEPOSITS, FIRST_CUSTOMER, GUARANTEE, HELD,
    OUTSTANDING, Proposal,
};
pub use audit::{Audit, Finding, audit};
pub use books::{Books, Fault, Tx, View};
pub use outstanding::{Issued, Redeemed};
pub use posting::{Answer, Asked, Entry, EntryKind, Posting};
