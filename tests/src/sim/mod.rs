//! The simulation: small worlds of the real rules, lived through for thousands of acts, looked at after each.
//!
//! ```text
//! seed ─▶ setting ─▶ life: act ─▶ what it touched is true ─▶ act ─▶ … ─▶ everybody cashes in ─▶ all is true
//!                      └─ a rule is broken ─▶ acts are left out while it stays broken ─▶ a line to replay
//! ```
//! | file | what it holds |
//! |---|---|
//! | [`act`] | the table of acts: one line each |
//! | [`life`] | how an act happens, `shops` and `till` in a world that has some; `evil` and `sabotage` hold those that break rules |
//! | [`truth`] | what must be true |
//! | [`setting`] | what a life begins with, and which rules exist ([`setting::Features`]) |
//! | [`schedule`] | living, replaying, shrinking |
//! | [`run`] | many lives on all cores |
//! | [`tally`] | what happened, and what must have happened |

pub mod act;
mod evil;
pub mod life;
pub mod run;
mod sabotage;
pub mod schedule;
pub mod setting;
pub mod tally;
pub mod truth;
