//! The reserve in order of size, so that a till with tens of thousands of notes decides as quickly as one with ten.
//!
//! Kept beside the notes: whatever changes a note takes it out of here and puts it in again. Sums are kept, too.

use super::reserve::{Holder, OwnNote, Piece};
use protocol::money::Units;
use protocol::range::Range;
use std::collections::{BTreeMap, BTreeSet};

/// A free piece's place: its size, then its note, then where it begins.
type Place = (Units, u64, u64);

/// Free pieces of one kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Sizes {
    places: BTreeMap<Place, Range>,
    units: Units,
}

/// All that is free, and all that is promised.
#[derive(Clone, Debug, Default)]
pub(super) struct Sorted {
    /// What the bank knows as ours.
    pub(super) confirmed: Sizes,
    /// What is only a payer's word.
    pub(super) unconfirmed: Sizes,
    held: BTreeSet<(Holder, u64)>,
    at_bank: Units,
    spendable: usize,
}

const SMALL: &str = "all units of a bank are below 2^53, and what is taken out was put in";

impl Sizes {
    /// How much it is.
    pub(super) fn units(&self) -> Units {
        self.units
    }

    /// How many pieces.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The smallest first, of equal ones the oldest.
    pub(super) fn smallest_first(&self) -> impl Iterator<Item = Piece> + '_ {
        self.places.iter().map(piece)
    }

    /// Those of this size or larger, the smallest first.
    pub(super) fn from(&self, units: Units) -> impl Iterator<Item = Piece> + '_ {
        self.places.range((units, 0, 0)..).map(piece)
    }

    /// The largest first, of equal ones the oldest.
    pub(super) fn largest_first(&self) -> impl Iterator<Item = Piece> + '_ {
        let mut size = self.places.last_key_value().map(|((units, ..), _)| *units);
        let sizes = std::iter::from_fn(move || {
            let now = size?;
            size = self.places.range(..(now, 0, 0)).next_back().map(|((units, ..), _)| *units);
            Some(now)
        });
        sizes.flat_map(|now| self.places.range((now, 0, 0)..=(now, u64::MAX, u64::MAX)).map(piece))
    }
}

fn piece(((_, note, _), range): (&Place, &Range)) -> Piece {
    Piece { note: *note, range: *range }
}

impl Sorted {
    /// Notes of which something is free.
    pub(super) fn spendable(&self) -> usize {
        self.spendable
    }

    /// Units promised to bank requests: still the reserve's.
    pub(super) fn at_bank(&self) -> Units {
        self.at_bank
    }

    /// Numbers of the notes of which something is promised to `by`.
    pub(super) fn held_by(&self, by: Holder) -> impl Iterator<Item = u64> + '_ {
        self.held.range((by, 0)..=(by, u64::MAX)).map(|(_, note)| *note)
    }

    pub(super) fn put(&mut self, note: &OwnNote) {
        let sizes = if note.confirmed { &mut self.confirmed } else { &mut self.unconfirmed };
        sizes.places.extend(note.free.iter().map(|range| (place(note, range), range)));
        sizes.units = sizes.units.plus(note.free.units()).expect(SMALL);
        self.held.extend(note.held.iter().map(|hold| (hold.by, note.number)));
        self.at_bank = self.at_bank.plus(note.held_at_bank()).expect(SMALL);
        self.spendable += usize::from(!note.free.is_empty());
    }

    pub(super) fn take(&mut self, note: &OwnNote) {
        let sizes = if note.confirmed { &mut self.confirmed } else { &mut self.unconfirmed };
        for range in note.free.iter() {
            sizes.places.remove(&place(note, range));
        }
        sizes.units = sizes.units.minus(note.free.units()).expect(SMALL);
        for hold in &note.held {
            self.held.remove(&(hold.by, note.number));
        }
        self.at_bank = self.at_bank.minus(note.held_at_bank()).expect(SMALL);
        self.spendable -= usize::from(!note.free.is_empty());
    }
}

fn place(note: &OwnNote, range: Range) -> Place {
    (range.units(), note.number, range.start())
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::id::{BankId, Digest, Hint, Key, RequestId};
    use protocol::note::{Note, Root, RootKind};
    use protocol::range::RangeSet;
    use protocol::sign::Signer;
    use protocol::time::Day;

    fn note(number: u64, pieces: &[(u64, u64)], confirmed: bool) -> OwnNote {
        let root = Root {
            kind: RootKind::Plain,
            bank: BankId([1; 8]),
            serial: number,
            id: Root::id_of(&Digest([1; 32]), 0),
            units: Units::new(1000).unwrap(),
            to: Key([2; 32]),
            epoch: 1,
            issued_day: Day(1),
            direct_until_day: Day(60),
        };
        OwnNote {
            number,
            note: Note::fresh(Signer::from_secret(&[3; 32]).sign(root)),
            hint: Hint([0; 16]),
            confirmed,
            free: pieces.iter().map(|(from, to)| Range::new(*from, *to).unwrap()).collect::<RangeSet>(),
            held: Vec::new(),
            redeemed: RangeSet::empty(),
            from: None,
            disputed: None,
        }
    }

    /// Equal pieces come oldest first from both ends, and what was put in comes out without a rest.
    #[test]
    fn pieces_lie_in_order_of_size() {
        let notes = [
            note(1, &[(0, 5), (10, 12)], false),
            note(2, &[(0, 5)], false),
            note(3, &[(0, 9)], false),
            note(4, &[(0, 1)], true),
        ];
        let mut sorted = Sorted::default();
        notes.iter().for_each(|note| sorted.put(note));
        let sizes = |pieces: Vec<Piece>| -> Vec<(u64, u64)> {
            pieces.iter().map(|piece| (piece.range.units().get(), piece.note)).collect()
        };
        let all = &sorted.unconfirmed;
        assert_eq!(sizes(all.largest_first().collect()), [(9, 3), (5, 1), (5, 2), (2, 1)]);
        assert_eq!(sizes(all.smallest_first().collect()), [(2, 1), (5, 1), (5, 2), (9, 3)]);
        assert_eq!(sizes(all.from(Units::new(5).unwrap()).take(1).collect()), [(5, 1)]);
        assert_eq!((all.units().get(), sorted.confirmed.units().get(), sorted.spendable()), (21, 1, 4));
        let by = Holder::Bank(RequestId([7; 16]));
        let [first, ..] = &notes;
        let mut promised = first.clone();
        promised.hold(Range::new(10, 12).unwrap(), by);
        sorted.take(first);
        sorted.put(&promised);
        assert_eq!((sorted.held_by(by).collect::<Vec<u64>>(), sorted.at_bank().get()), (vec![1], 2));
        sorted.take(&promised);
        notes.iter().skip(1).for_each(|note| sorted.take(note));
        assert!(sorted.held.is_empty() && sorted.unconfirmed.places.is_empty());
        assert_eq!(
            (sorted.unconfirmed.units(), sorted.at_bank(), sorted.spendable()),
            (Units::ZERO, Units::ZERO, 0)
        );
    }
}
