//! Notes: numbered units that the bank signed, handed on by links (SPEC §2.8–2.11).
//!
//! ```text
//! Root [0, 100) to P1 ─ Link [20, 60) to P2 ─ Link [20, 30) to P3     P3 may spend units 20 to 29
//! ```

mod chain;
mod compare;
mod link;
mod root;
mod table;

pub use chain::{ChainFlaw, Checked, Holding, LINKS_MAX, Note, VerifiedNote};
pub use compare::{Relation, compare};
pub use link::{Destination, Link};
pub use root::{DIRECT_DAYS, Root, RootKind};
pub use table::{LINKS_PER_MESSAGE_MAX, NOTES_MAX, NoteTable, TableFlaw};
