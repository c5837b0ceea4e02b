//! Two chains over one root that share a unit: what the one says about the other (SPEC §2.11, threats X1).

use super::Note;

/// How a chain of ours and a chain shown to us stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Other roots, or no unit in common: they say nothing about each other.
    Apart,
    /// The same chain, or ours goes on where theirs ends: we have seen this note.
    Seen,
    /// Theirs goes on where ours ends, by a link that our key signed: units coming home.
    ComesHome,
    /// They part: the key named before link `at` signed the same unit twice.
    ///
    /// Evidence of two signatures, not of guilt: a retried redemption or a reclaim makes one, too (threats X2).
    Fork {
        /// Index of the first link that differs.
        at: usize,
    },
}

/// Compares from the root. Signatures make bodies authentic but are no part of the comparison.
pub fn compare(ours: &Note, theirs: &Note) -> Relation {
    let (Ok(mine), Ok(other)) = (ours.holding(), theirs.holding()) else {
        return Relation::Apart;
    };
    if mine.root != other.root || !mine.range.overlaps(other.range) {
        return Relation::Apart;
    }
    let parts_at = ours.links.iter().zip(&theirs.links).position(|(a, b)| a.unverified() != b.unverified());
    match parts_at {
        Some(at) => Relation::Fork { at },
        None if ours.links.len() < theirs.links.len() => Relation::ComesHome,
        None => Relation::Seen,
    }
}
