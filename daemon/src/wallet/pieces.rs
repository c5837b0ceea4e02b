//! Pieces of notes on their way: handed on, promised, let go (SPEC §3.6).

use super::banking::{BankOp, OpState, Operation};
use super::change::{Change, Draft};
use super::reserve::{Holder, OwnNote, Piece};
use super::{OpenKeys, Wallet};
use protocol::bank::{Outcome, RedeemKind, Redemption};
use protocol::body::Body;
use protocol::id::RequestId;
use protocol::key::bank::KeyCertificate;
use protocol::note::{Destination, Note, NoteTable};
use protocol::sign::Signed;
use protocol::time::Timestamp;
use protocol::wire::{self, BankAsk};

impl Wallet {
    /// The pieces that are promised to `by`.
    pub(super) fn held_by(&self, by: Holder) -> Vec<Piece> {
        self.holding(by)
            .flat_map(|n| {
                n.held.iter().filter(move |h| h.by == by).map(|h| Piece { note: n.number, range: h.range })
            })
            .collect()
    }

    /// The notes of which something is promised to `by`.
    fn holding(&self, by: Holder) -> impl Iterator<Item = &OwnNote> {
        self.sorted.held_by(by).filter_map(|number| self.note(number))
    }

    /// The pieces' notes, each handed on over exactly its range.
    pub(super) fn hand_on(&self, pieces: &[Piece], to: Destination, keys: &OpenKeys) -> Vec<Note> {
        let hand = |piece: &Piece| {
            let own = self.note(piece.note)?;
            own.note.hand_on(piece.range, to, &keys.seed().note(&own.hint)).ok()
        };
        let notes: Vec<Note> = pieces.iter().filter_map(hand).collect();
        assert_eq!(
            notes.len(),
            pieces.len(),
            "pieces are of live notes, inside their ranges, below the link limit"
        );
        notes
    }

    /// Promises the pieces to `by`.
    pub(super) fn hold(&self, draft: &mut Draft, pieces: &[Piece], by: Holder) {
        let mut numbers: Vec<u64> = pieces.iter().map(|p| p.note).collect();
        numbers.dedup();
        for number in numbers {
            let Some(mut note) = self.note(number).cloned() else { continue };
            pieces.iter().filter(|p| p.note == number).for_each(|p| note.hold(p.range, by));
            draft.put(Change::Note(note));
        }
    }

    /// Units promised to `by` are gone for good.
    pub(super) fn let_go(&self, draft: &mut Draft, by: &[Holder]) {
        let mut numbers: Vec<u64> = by.iter().flat_map(|by| self.sorted.held_by(*by)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        for mut note in numbers.iter().filter_map(|number| self.note(*number).cloned()) {
            by.iter().for_each(|by| drop(note.release(*by)));
            draft.put(Change::Note(note));
        }
    }

    /// Of the units promised to `by`, some are free again, some promised to somebody else; the others are redeemed.
    pub(super) fn let_come(&self, draft: &mut Draft, by: Holder, free: &[Piece], kept: &[(Piece, Holder)]) {
        self.place(draft, by, free, kept, &[]);
    }

    /// Of the units promised to `by`, some were handed on: gone like anything that was paid, so that they may come home
    /// again. Some are promised to somebody else; the others are redeemed.
    pub(super) fn let_pass(
        &self,
        draft: &mut Draft,
        by: Holder,
        handed_on: &[Piece],
        kept: &[(Piece, Holder)],
    ) {
        self.place(draft, by, &[], kept, handed_on);
    }

    fn place(
        &self,
        draft: &mut Draft,
        by: Holder,
        free: &[Piece],
        kept: &[(Piece, Holder)],
        handed_on: &[Piece],
    ) {
        for note in self.holding(by) {
            let mut note = note.clone();
            let number = note.number;
            let rest = free.iter().chain(handed_on).copied().chain(kept.iter().map(|(piece, _)| *piece));
            note.redeem(by, &rest.collect::<Vec<Piece>>());
            free.iter().filter(|p| p.note == number).for_each(|p| note.free.insert(p.range));
            kept.iter().filter(|(p, _)| p.note == number).for_each(|(p, by)| note.hold(p.range, *by));
            let is_disputed = note.held.iter().any(|hold| matches!(hold.by, Holder::Disputed(_)));
            note.disputed = is_disputed.then(|| note.disputed.unwrap_or(draft.now()));
            draft.put(Change::Note(note));
        }
    }

    /// Certificates of the issue keys that the notes need.
    pub(super) fn certificates_for(&self, notes: &[Note]) -> Vec<Signed<KeyCertificate>> {
        let mut epochs: Vec<u32> = notes.iter().map(|n| n.root.unverified().epoch).collect();
        epochs.sort_unstable();
        epochs.dedup();
        epochs.iter().filter_map(|epoch| self.keys().issue_certificate(*epoch).cloned()).collect()
    }

    pub(super) fn redemption(&self, kind: RedeemKind, request: RequestId, outcome: Outcome) -> Redemption {
        Redemption { bank: self.bank(), request, kind, outcomes: vec![outcome] }
    }

    /// A request to re-issue, with links that only this request can use.
    pub(super) fn reissue_op(
        &self,
        redemption: Redemption,
        what: Operation,
        uses: Vec<Piece>,
        hint: Option<protocol::id::Hint>,
        keys: &OpenKeys,
        now: Timestamp,
    ) -> BankOp {
        let sink = redemption.digest();
        let notes = self.hand_on(&uses, Destination::Redeem(sink), keys);
        let ask = BankAsk::Reissue(redemption.to_bytes(), NoteTable::pack(&notes));
        BankOp {
            id: redemption.request,
            what,
            digest: sink,
            ask: wire::encode(&ask),
            amount: redemption.units().unwrap_or_default(),
            outcome: redemption.outcomes.first().copied(),
            hint,
            uses,
            state: OpState::Asked,
            created: now,
            told: None,
        }
    }
}
