//! What the bank shows when it does not take units: only a chain that holds makes a loss (SPEC §4.5, threats X2, Y9).
//!
//! A chain counts if it hangs on the same root, its links follow each other and are signed, it shares units with ours
//! and ends at the bank by another way than the request that is answered. An answer without such a chain is no proof.

use super::Wallet;
use super::reserve::{OwnNote, Piece};
use protocol::id::Digest;
use protocol::note::{Checked, Destination, Note, NoteTable, Relation, compare};
use protocol::range::RangeSet;
use protocol::wire::Item;

/// A chain that the bank showed, and how it stands to ours.
#[derive(Clone, Debug)]
pub(super) struct Winner {
    pub(super) note: Note,
    pub(super) relation: Relation,
}

impl Winner {
    /// Whether it goes on from our own key.
    pub(super) fn is_by_our_key(&self) -> bool {
        self.relation == Relation::ComesHome
    }

    /// Whether it parts from our chain above our key: somebody before us has signed twice.
    pub(super) fn parts_above(&self) -> bool {
        matches!(self.relation, Relation::Fork { .. })
    }

    /// To whom our key hands on in it.
    pub(super) fn next(&self, own: &OwnNote) -> Option<Destination> {
        self.note.links.get(own.note.links.len()).map(|link| link.unverified().to)
    }
}

/// Units that somebody before us has signed twice.
#[derive(Clone, Debug)]
pub(super) struct Twice {
    pub(super) piece: Piece,
    pub(super) won: NoteTable,
}

/// What the bank's refusals of some pieces amount to.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    /// Redeemed by another way.
    pub(super) lost: Vec<Piece>,
    /// Of those: parted above our key. They can be claimed.
    pub(super) twice: Vec<Twice>,
    /// Of those: signed by our own key, elsewhere.
    pub(super) by_our_key: Vec<Piece>,
    /// Refused without any proof.
    pub(super) unproved: Vec<Piece>,
}

impl Wallet {
    /// Looks at the proof for each piece that the bank did not take; `sink` is the request that it answers.
    pub(super) fn shown(&self, bad: &[(Piece, &Item)], sink: &Digest) -> Shown {
        let mut shown = Shown::default();
        for (piece, item) in bad {
            let winners = match item {
                Item::Clash(table) => self.winners(*piece, table, sink),
                Item::Paid(_) | Item::Refused(_) => Vec::new(),
            };
            let lost = shared(*piece, winners.iter());
            if lost.is_empty() {
                shown.unproved.push(*piece);
                continue;
            }
            shown.lost.extend(lost);
            let won = NoteTable::pack(winners.iter().filter(|w| w.parts_above()).map(|w| &w.note));
            let twice = shared(*piece, winners.iter().filter(|w| w.parts_above()));
            shown.twice.extend(twice.into_iter().map(|piece| Twice { piece, won: won.clone() }));
            shown.by_our_key.extend(shared(*piece, winners.iter().filter(|w| w.is_by_our_key())));
        }
        shown
    }

    /// The chains in a table that prove something about a piece of ours.
    pub(super) fn winners(&self, piece: Piece, table: &NoteTable, sink: &Digest) -> Vec<Winner> {
        let Some(own) = self.note(piece.note) else { return Vec::new() };
        let root = own.note.root.digest();
        let mut checked = Checked::default();
        let notes = table.clone().unpack().unwrap_or_default();
        let holds = |note: &Note| {
            let Ok(holding) = note.holding() else { return false };
            let elsewhere = match holding.to {
                Destination::Key(_) => false,
                Destination::Redeem(to) | Destination::Reclaim(to) => to != *sink,
            };
            elsewhere && holding.root == root && holding.range.overlaps(piece.range)
        };
        let notes = notes.into_iter().filter(holds);
        let mut signed: Vec<Note> = notes.collect();
        signed.retain(|note| note.check_links(&mut checked).is_ok());
        let winner = |note| Winner { relation: compare(&own.note, &note), note };
        signed.into_iter().map(winner).collect()
    }
}

/// The units of a piece that some chains have: each once, whatever is shown.
pub(super) fn shared<'a>(piece: Piece, winners: impl Iterator<Item = &'a Winner>) -> Vec<Piece> {
    let ranges = winners.filter_map(|w| w.note.holding().ok()?.range.intersection(piece.range));
    RangeSet::from_iter(ranges).iter().map(|range| Piece { range, ..piece }).collect()
}
