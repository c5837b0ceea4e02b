//! Forks: chains that part, kept as evidence (SPEC §2.11, threats X1, X2, X6).
//!
//! A fork is evidence of two signatures, not of guilt: nobody is blamed for it here. If the key at the parting is our
//! own, somebody else signs with it, and the owner is told.

use super::change::{Change, Draft, Happening};
use super::receiving::Known;
use super::reserve::OwnNote;
use protocol::id::{Digest, Key, PaymentId};
use protocol::note::{Note, Relation, VerifiedNote, compare};
use protocol::pay::{Order, VerifiedPayment};
use protocol::range::Range;
use protocol::sign::Signed;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Two chains that share units. The first parting that is seen at a key and a note of ours is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkRecord {
    /// Digest of the root.
    pub root: Digest,
    /// Digest of the body that names the key which signed twice.
    pub parting: Digest,
    /// Our number for the note that was here before; it is kept for ever.
    pub ours: u64,
    /// The chain that was refused.
    pub theirs: Note,
    /// The order that came with it: it names its payer.
    pub order: Signed<Order>,
    /// The units that both have.
    pub range: Range,
    /// Whether the key at the parting is our own.
    pub by_our_key: bool,
    /// When it was seen.
    pub at: Timestamp,
}

impl ForkRecord {
    /// Who paid with it.
    pub fn payer(&self) -> (Key, PaymentId) {
        (self.order.unverified().payer, self.order.unverified().payment)
    }
}

/// A fork between a note of ours and one that a payment brought.
pub(super) fn fork_of(
    own: &OwnNote,
    theirs: &VerifiedNote,
    payment: &VerifiedPayment,
    known: &Known,
    now: Timestamp,
) -> Option<ForkRecord> {
    let parting = match compare(&own.note, theirs) {
        Relation::Fork { at } => own.note.links.get(at)?.unverified().prev,
        // It comes home, and we never handed it on.
        Relation::ComesHome => own.note.holding().ok()?.tip,
        Relation::Apart | Relation::Seen => return None,
    };
    // A body that ends a chain of ours names a key of ours.
    let is_tip = |own: &OwnNote| own.note.holding().is_ok_and(|holding| holding.tip == parting);
    Some(ForkRecord {
        root: theirs.holding().root,
        parting,
        ours: own.number,
        theirs: (**theirs).clone(),
        order: payment.order().signed().clone(),
        range: own.note.holding().ok()?.range.intersection(theirs.holding().range)?,
        by_our_key: known.notes.iter().any(is_tip),
        at: now,
    })
}

impl Draft {
    /// Keeps a fork as evidence and tells of it, the first time that it is seen.
    pub(super) fn put_fork(&mut self, fork: ForkRecord, known: &Known) {
        let same = |other: &ForkRecord| other.parting == fork.parting && other.ours == fork.ours;
        if known.forks.iter().any(same) {
            return;
        }
        let (payer, payment) = fork.payer();
        let units = fork.range.units();
        self.event(Happening::Forked { payer, payment, units });
        if fork.by_our_key {
            self.event(Happening::KeyElsewhere { units, request: None });
        }
        self.put(Change::Fork(fork));
    }
}
