//! The reserve: notes of ours, which of their units are free, and which to take for an amount (SPEC §3.6).

use super::Wallet;
use super::claiming::Claiming;
use protocol::id::{Hint, Key, PaymentId, RequestId};
use protocol::money::Units;
use protocol::note::{LINKS_MAX, LINKS_PER_MESSAGE_MAX, NOTES_MAX, Note};
use protocol::range::{Range, RangeSet};
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// A note of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnNote {
    /// Our number for it.
    pub number: u64,
    /// The chain that ends at our key.
    pub note: Note,
    /// What our key is derived from.
    pub hint: Hint,
    /// Whether the bank has seen that it is ours: issued to us, or re-issued.
    pub confirmed: bool,
    /// Units that may be spent.
    pub free: RangeSet,
    /// Units promised to somebody whose answer is awaited.
    pub held: Vec<Hold>,
    /// Units that the bank has redeemed, for us or for somebody else: worth nothing any more, whoever shows them.
    pub redeemed: RangeSet,
    /// The payment it came with: payer and his payment id.
    pub from: Option<(Key, PaymentId)>,
    /// Since when the bank owes a proof for units of it that it refused.
    #[serde(default)]
    pub disputed: Option<Timestamp>,
}

/// Units promised, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The units.
    pub range: Range,
    /// What they are promised to.
    pub by: Holder,
}

/// What units are promised to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Holder {
    /// A payment going out.
    Payment(PaymentId),
    /// A request to the bank.
    Bank(RequestId),
    /// Nobody: the bank refused them and showed no chain that has them, so it owes the proof. They were asked for on
    /// behalf of this payment, if of one.
    Disputed(Option<PaymentId>),
}

impl Holder {
    /// Whether the units are still the reserve's while the bank's word is awaited.
    pub fn is_bank(&self) -> bool {
        matches!(self, Holder::Bank(_) | Holder::Disputed(None))
    }
}

impl OwnNote {
    /// Whether any of its units may still come to matter.
    pub fn is_live(&self) -> bool {
        !self.free.is_empty() || !self.held.is_empty()
    }

    /// Who paid us with it; nobody when the bank issued it.
    pub fn payer(&self) -> Option<Key> {
        self.from.map(|(payer, _)| payer)
    }

    /// Units promised to bank requests: still the reserve's.
    pub fn held_at_bank(&self) -> Units {
        let ranges = self.held.iter().filter(|h| h.by.is_bank()).map(|h| h.range.units());
        Units::sum(ranges).expect("units of one note are below 2^53")
    }

    /// The note with a piece taken from the free units and promised.
    pub(super) fn hold(&mut self, range: Range, by: Holder) {
        self.free.remove(range);
        self.held.push(Hold { range, by });
    }

    /// What was promised to `by` is redeemed at the bank, save what is in `rest`; that is the caller's to place.
    pub(super) fn redeem(&mut self, by: Holder, rest: &[Piece]) {
        self.release(by).into_iter().for_each(|range| self.redeemed.insert(range));
        rest.iter().filter(|p| p.note == self.number).for_each(|p| self.redeemed.remove(p.range));
    }

    /// What was promised to `by`, no longer promised; what becomes of it is the caller's to say.
    pub(super) fn release(&mut self, by: Holder) -> Vec<Range> {
        let released = self.held.iter().filter(|h| h.by == by).map(|h| h.range).collect();
        self.held.retain(|h| h.by != by);
        released
    }
}

/// A part of one of our notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Our number for the note.
    pub note: u64,
    /// Which of its units.
    pub range: Range,
}

/// Who will look at the notes: a payee without the bank is choosier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taker {
    /// A payee who takes chains as they are.
    Payee(Timestamp),
    /// The bank.
    Bank,
}

/// Why no pieces can be taken for an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Short {
    /// The reserve does not hold that much.
    #[error("the reserve holds less than that")]
    Funds {
        /// What is free.
        free: Units,
    },
    /// It does, but in notes that are too many, too long or too old to be paid directly.
    #[error("the reserve's notes have to be renewed at the bank first")]
    Form {
        /// What can be paid directly.
        payable: Units,
    },
}

/// Notes that are worth merging at the bank: more than so many, or a chain longer than this.
pub const MERGE_NOTES: usize = 32;
/// See [`MERGE_NOTES`].
pub const MERGE_LINKS: usize = 8;

/// More notes than this are a heap: they are renewed by several requests at once.
pub const HEAP_NOTES: usize = 256;

/// What the reserve holds, in the three kinds that differ for its owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Free, and known to the bank as ours.
    pub confirmed: Units,
    /// Free, but only the payer's word so far.
    pub unconfirmed: Units,
    /// Promised to payments whose outcome is awaited: no longer the reserve's, perhaps back one day.
    pub in_doubt: Units,
    /// Promised to bank requests whose answer is awaited, or refused there without proof: the reserve's until then.
    pub at_bank: Units,
    /// Lost to somebody who signed twice, and claimed: in nobody's reserve, perhaps on the account one day.
    pub claimed: Units,
    /// Of a lost machine: free as far as the vault knows, and not to be spent before the bank has given it back.
    pub fenced: Units,
}

impl Wallet {
    /// The reserve in its kinds.
    pub fn holdings(&self) -> Holdings {
        let sum = |units: Vec<Units>| Units::sum(units).expect("all units of a bank are below 2^53");
        Holdings {
            fenced: self.fenced(),
            confirmed: self.free_of(self.sorted.confirmed.units(), true),
            unconfirmed: self.free_of(self.sorted.unconfirmed.units(), false),
            in_doubt: sum(self.outgoing.values().filter(|p| p.holds_money()).map(|p| p.amount).collect()),
            at_bank: self.sorted.at_bank(),
            claimed: sum(self.claims.values().map(Claiming::open_units).collect()),
        }
    }

    /// Of these free units of one kind, what is not behind the fence.
    fn free_of(&self, units: Units, confirmed: bool) -> Units {
        if self.fence().is_none() {
            return units;
        }
        let open = |n: &&OwnNote| n.confirmed == confirmed && !self.is_fenced(n);
        let units = self.notes.values().filter(open).map(|n| n.free.units());
        Units::sum(units).expect("all units of a bank are below 2^53")
    }

    /// Units that may be spent now.
    pub fn free(&self) -> Units {
        let confirmed = self.free_of(self.sorted.confirmed.units(), true);
        let unconfirmed = self.free_of(self.sorted.unconfirmed.units(), false);
        confirmed.plus(unconfirmed).expect("all units of a bank are below 2^53")
    }

    /// A note of ours with live units.
    pub fn note(&self, number: u64) -> Option<&OwnNote> {
        self.notes.get(&number)
    }

    /// All notes with live units.
    pub fn notes(&self) -> impl Iterator<Item = &OwnNote> {
        self.notes.values()
    }

    pub(super) fn unconfirmed_from(&self, payer: &Key) -> Units {
        self.unconfirmed.get(payer).copied().unwrap_or_default()
    }

    pub(super) fn unconfirmed_total(&self) -> Units {
        Units::sum(self.unconfirmed.values().copied()).expect("all units of a bank are below 2^53")
    }

    /// Pieces for an amount: the smallest single range that covers it, else the largest first.
    ///
    /// A payee gets confirmed units first, so that nobody is drawn into another's dispute (threats Y10).
    pub fn select(&self, amount: Units, taker: Taker) -> Result<Vec<Piece>, Short> {
        let free = self.free();
        if free < amount {
            return Err(Short::Funds { free });
        }
        let single = self.single(amount, taker);
        if let Some(piece) = single {
            return Ok(cut(std::iter::once(piece), amount));
        }
        // One more than a message carries shows that it does not.
        let largest: Vec<Piece> = self.largest_first(taker).take(NOTES_MAX + 1).collect();
        let taken = cut(largest.iter().copied(), amount);
        let sum = Units::sum(taken.iter().map(|piece| piece.range.units())).unwrap_or(Units::MAX);
        let fitting = self.that_fit_a_message(largest.into_iter());
        if sum < amount || taken.len() > fitting.len() {
            let payable = fitting.iter().map(|piece| piece.range.units());
            return Err(Short::Form { payable: Units::sum(payable).unwrap_or(Units::MAX) });
        }
        Ok(taken)
    }

    fn is_usable(&self, piece: &Piece, taker: Taker) -> bool {
        let Some(note) = self.note(piece.note).filter(|note| !self.is_fenced(note)) else { return false };
        match taker {
            Taker::Bank => note.note.links.len() < LINKS_MAX,
            // The last link of a note is kept for its way to the bank.
            Taker::Payee(now) => {
                note.note.links.len() + 1 < LINKS_MAX
                    && now.day() <= note.note.root.unverified().direct_until_day
                    && self.signer_counts(note)
            }
        }
    }

    /// The smallest piece that covers it alone. A payee gets an unconfirmed one only if no other does.
    fn single(&self, amount: Units, taker: Taker) -> Option<Piece> {
        let fits = |piece: &Piece| self.is_usable(piece, taker);
        let confirmed = self.sorted.confirmed.from(amount).find(fits);
        let unconfirmed = || self.sorted.unconfirmed.from(amount).find(fits);
        match taker {
            Taker::Payee(_) => confirmed.or_else(unconfirmed),
            Taker::Bank => confirmed
                .into_iter()
                .chain(unconfirmed())
                .min_by_key(|piece| (piece.range.units(), piece.note)),
        }
    }

    /// What a taker takes, the largest first. A payee gets unconfirmed ones last.
    fn largest_first(&self, taker: Taker) -> impl Iterator<Item = Piece> + '_ {
        let mut confirmed = self.sorted.confirmed.largest_first().peekable();
        let mut unconfirmed = self.sorted.unconfirmed.largest_first().peekable();
        let mixed = matches!(taker, Taker::Bank);
        let order = |piece: &Piece| (Reverse(piece.range.units()), piece.note);
        let all = std::iter::from_fn(move || {
            let other_first = match (confirmed.peek(), unconfirmed.peek()) {
                (Some(one), Some(other)) => mixed && order(other) < order(one),
                (one, _) => one.is_none(),
            };
            if other_first { unconfirmed.next() } else { confirmed.next() }
        });
        all.filter(move |piece| self.is_usable(piece, taker))
    }

    /// Whether payees take the key that signed the note's root: they do not take a revoked one. The bank, whose
    /// register has the root, does.
    fn signer_counts(&self, note: &OwnNote) -> bool {
        let root = note.note.root.unverified();
        self.keys().issue(root.epoch, root.issued_day).is_some()
    }

    /// As many of the pieces, in their order, as one message carries when each has got its last link.
    pub(super) fn that_fit_a_message(&self, pieces: impl Iterator<Item = Piece>) -> Vec<Piece> {
        let mut links = 0;
        let fits = |piece: &Piece| {
            links += 1 + self.note(piece.note).map_or(0, |own| own.note.links.len());
            links <= LINKS_PER_MESSAGE_MAX
        };
        pieces.take(NOTES_MAX).take_while(fits).collect()
    }

    /// Whether there are so many notes that they should become fewer soon, as in a till after a day without the bank.
    pub fn is_heaped(&self) -> bool {
        self.sorted.spendable() > HEAP_NOTES
    }

    /// Pieces worth taking to the bank: what is unconfirmed first, then what is scattered or long.
    pub fn worth_refreshing(&self) -> Vec<Piece> {
        let scattered = self.sorted.spendable() > MERGE_NOTES;
        let goes = |piece: &Piece| self.is_usable(piece, Taker::Bank);
        let worth = |piece: &Piece| {
            let long = |n: &OwnNote| n.note.links.len() > MERGE_LINKS || !self.signer_counts(n);
            scattered || self.note(piece.note).is_some_and(long)
        };
        let unconfirmed = self.sorted.unconfirmed.smallest_first().filter(goes);
        let known = self.sorted.confirmed.smallest_first().filter(goes).filter(worth);
        // What is on its way can't be paid with, and the bank may vanish meanwhile: of what it has seen before, the
        // smaller half goes and the larger stays at hand.
        let half = match scattered {
            true => self.sorted.confirmed.len(),
            false => self.sorted.confirmed.smallest_first().filter(goes).filter(worth).count(),
        };
        self.that_fit_a_message(unconfirmed.chain(known.take(half.div_ceil(2))))
    }
}

/// Whole pieces until the last, which is cut to fit.
fn cut(pieces: impl Iterator<Item = Piece>, amount: Units) -> Vec<Piece> {
    let mut taken = Vec::new();
    let mut wanted = amount;
    for piece in pieces {
        if wanted.is_zero() {
            break;
        }
        let part = piece.range.units().min(wanted);
        let Some((range, _)) = piece.range.split(part) else { continue };
        taken.push(Piece { range, ..piece });
        wanted = wanted.minus(part).expect("a part is at most what is wanted");
    }
    taken
}
