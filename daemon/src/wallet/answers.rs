//! What the bank's answers change: effect, letter, balance, and what was lost (SPEC §4, N4, N5, B7).
//!
//! An answer that the bank could not have given if it kept its own rules changes nothing: the request stays asked.

use super::banking::{BankFlaw, BankOp, OpState, Operation};
use super::change::{Change, Decision, Draft, Effect, Happening};
use super::history::Movement;
use super::receiving::Incoming;
use super::reserve::{Holder, OwnNote, Piece};
use super::{AccountBalance, Wallet};
use protocol::bank::{Letter, LetterKind};
use protocol::id::RequestId;
use protocol::key::bank::Usage;
use protocol::money::Units;
use protocol::note::{Checked, Note, Root};
use protocol::range::RangeSet;
use protocol::sign::{Signed, Verified};
use protocol::time::Timestamp;
use protocol::wire::{BankAnswer, ErrorCode, Item};

impl Wallet {
    /// What an answer of the bank changes. `incoming` are the payments that the request's notes came with.
    pub fn bank_answered(
        &self,
        id: &RequestId,
        answer: BankAnswer,
        incoming: &[Incoming],
        now: Timestamp,
    ) -> Result<Decision<()>, BankFlaw> {
        let mut draft = Draft::at(self, now);
        let Some(op) = self.open_bank_op(id) else { return Ok(Decision::new(draft, ())) };
        match answer {
            BankAnswer::Withdrawn(roots, letter) => self.withdrawn(&mut draft, op, roots, letter)?,
            BankAnswer::Declined(letter) => self.declined(&mut draft, op, letter)?,
            BankAnswer::Deposited(items, letter) => {
                self.deposited(&mut draft, op, &items, letter, incoming)?
            }
            BankAnswer::Reissued(roots) => self.reissued(&mut draft, op, roots, incoming)?,
            BankAnswer::Denied(faults) => self.denied(&mut draft, op, &faults, incoming)?,
            // A request dated ahead of the bank's clock is taken later: it stays asked.
            BankAnswer::Error(ErrorCode::Busy | ErrorCode::Unavailable | ErrorCode::Expired) => {}
            BankAnswer::Error(code) => self.void(&mut draft, op, code, &[], incoming),
            BankAnswer::Terms(_)
            | BankAnswer::Activated(..)
            | BankAnswer::Published
            | BankAnswer::Balance(_)
            | BankAnswer::NotSeen
            | BankAnswer::Directory(_) => return Err(BankFlaw::DoesNotFit),
        }
        Ok(Decision::new(draft, ()))
    }

    /// A letter about this request, signed by the bank.
    fn letter(
        &self,
        op: &BankOp,
        letter: Signed<Letter>,
        kind: LetterKind,
    ) -> Result<Verified<Letter>, BankFlaw> {
        let letter = self.keys().verify(Usage::Attest, letter.unverified().at.day(), letter)?;
        let fits = letter.kind == kind && letter.owner == self.owner().key && letter.request == op.digest;
        if fits { Ok(letter) } else { Err(BankFlaw::DoesNotFit) }
    }

    /// The one root that was asked for, checked like anybody else's.
    fn issued(&self, op: &BankOp, roots: Vec<Signed<Root>>) -> Result<Signed<Root>, BankFlaw> {
        let [root] = <[_; 1]>::try_from(roots).map_err(|_| BankFlaw::DoesNotFit)?;
        let body = root.unverified();
        let wanted = op.outcome.ok_or(BankFlaw::DoesNotFit)?;
        if body.id != Root::id_of(&op.digest, 0) || body.units != wanted.units || body.to != wanted.to {
            return Err(BankFlaw::DoesNotFit);
        }
        let note = Note::fresh(root).verify(self.keys(), &mut Checked::default())?;
        Ok(note.into_note().root)
    }

    fn withdrawn(
        &self,
        draft: &mut Draft,
        op: &BankOp,
        roots: Vec<Signed<Root>>,
        letter: Signed<Letter>,
    ) -> Result<(), BankFlaw> {
        let letter = self.letter(op, letter, LetterKind::Payment)?;
        if op.what != Operation::Withdraw || letter.units != op.amount {
            return Err(BankFlaw::DoesNotFit);
        }
        let root = self.issued(op, roots)?;
        self.take_in(draft, op, root)?;
        let balance = self.keep_letter(draft, &letter);
        draft.record(op.entry(Movement::Withdrawal, op.amount), balance);
        draft.put_op(op.clone(), OpState::Done(Some(letter.number)));
        Ok(())
    }

    fn declined(&self, draft: &mut Draft, op: &BankOp, letter: Signed<Letter>) -> Result<(), BankFlaw> {
        let letter = self.letter(op, letter, LetterKind::Refusal)?;
        if op.what != Operation::Withdraw {
            return Err(BankFlaw::DoesNotFit);
        }
        self.keep_letter(draft, &letter);
        draft.put_op(op.clone(), OpState::Declined(letter.number));
        Ok(())
    }

    fn deposited(
        &self,
        draft: &mut Draft,
        op: &BankOp,
        items: &[Item],
        letter: Signed<Letter>,
        incoming: &[Incoming],
    ) -> Result<(), BankFlaw> {
        let letter = self.letter(op, letter, LetterKind::Deposit)?;
        if op.what != Operation::Deposit || items.len() != op.uses.len() {
            return Err(BankFlaw::DoesNotFit);
        }
        let paid = op.uses.iter().zip(items).filter(|(_, item)| matches!(item, Item::Paid(_)));
        let paid = Units::sum(paid.map(|(piece, _)| piece.range.units())).unwrap_or_default();
        if letter.units != paid {
            return Err(BankFlaw::DoesNotFit);
        }
        let balance = self.keep_letter(draft, &letter);
        let unpaid = op.uses.iter().zip(items).filter(|(_, item)| !matches!(item, Item::Paid(_)));
        let unpaid: Vec<(Piece, &Item)> = unpaid.map(|(piece, item)| (*piece, item)).collect();
        let lost = self.lost_of(&unpaid);
        let whole: Vec<Piece> = unpaid.iter().map(|(piece, _)| *piece).collect();
        self.confirm(draft, op, incoming, &lost);
        self.free_again(draft, Holder::Bank(op.id), &without(&whole, &lost));
        if !paid.is_zero() {
            draft.record(op.entry(Movement::Deposit, paid), balance);
        }
        self.record_lost(draft, op, &lost, incoming);
        if !lost.is_empty() || !whole.is_empty() {
            draft.then(Effect::Refresh);
        }
        draft.put_op(op.clone(), OpState::Done(Some(letter.number)));
        Ok(())
    }

    fn reissued(
        &self,
        draft: &mut Draft,
        op: &BankOp,
        roots: Vec<Signed<Root>>,
        incoming: &[Incoming],
    ) -> Result<(), BankFlaw> {
        let root = self.issued(op, roots)?;
        match op.what {
            Operation::Refresh => {
                self.confirm(draft, op, incoming, &[]);
                self.free_again(draft, Holder::Bank(op.id), &[]);
                self.take_in(draft, op, root)?;
            }
            Operation::Certify(payment) => {
                self.free_again(draft, Holder::Payment(payment), &[]);
                self.certified(draft, &payment, root);
            }
            Operation::TakeBack(payment) => {
                self.free_again(draft, Holder::Payment(payment), &[]);
                self.take_in(draft, op, root)?;
                self.taken_back(draft, &payment, op.amount);
            }
            Operation::Withdraw | Operation::Deposit => return Err(BankFlaw::DoesNotFit),
        }
        draft.put_op(op.clone(), OpState::Done(None));
        Ok(())
    }

    /// The bank named the notes at fault and voided the request: what clashed is lost, the rest free again.
    fn denied(
        &self,
        draft: &mut Draft,
        op: &BankOp,
        faults: &[(u16, Item)],
        incoming: &[Incoming],
    ) -> Result<(), BankFlaw> {
        let at_fault =
            |(place, item): &'_ (u16, Item)| op.uses.get(usize::from(*place)).map(|p| (*p, item.clone()));
        let bad: Option<Vec<(Piece, Item)>> = faults.iter().map(at_fault).collect();
        let bad = bad.filter(|bad| !bad.is_empty()).ok_or(BankFlaw::DoesNotFit)?;
        let bad: Vec<(Piece, &Item)> = bad.iter().map(|(piece, item)| (*piece, item)).collect();
        self.void(draft, op, ErrorCode::Clash, &self.lost_of(&bad), incoming);
        Ok(())
    }

    /// Which units of the pieces at fault are gone: those that the bank shows to be redeemed, and no others.
    /// Without such a proof it is the whole piece, or a bad one would be asked for again for ever.
    fn lost_of(&self, bad: &[(Piece, &Item)]) -> Vec<Piece> {
        let lost = |(piece, item): &(Piece, &Item)| {
            let shown = self.shown_redeemed(*piece, item);
            if shown.is_empty() { vec![*piece] } else { shown }
        };
        bad.iter().flat_map(lost).collect()
    }

    fn shown_redeemed(&self, piece: Piece, item: &Item) -> Vec<Piece> {
        let (Item::Clash(winners), Some(own)) = (item, self.note(piece.note)) else { return Vec::new() };
        let root = own.note.root.digest();
        let winners = winners.clone().unpack().unwrap_or_default();
        let holdings = winners.iter().filter_map(|note| note.holding().ok()).filter(|h| h.root == root);
        holdings.filter_map(|h| Some(Piece { range: h.range.intersection(piece.range)?, ..piece })).collect()
    }

    /// The request will never be carried out.
    fn void(&self, draft: &mut Draft, op: &BankOp, code: ErrorCode, lost: &[Piece], incoming: &[Incoming]) {
        let rest = without(&op.uses, lost);
        match op.what {
            Operation::Withdraw => {}
            Operation::Deposit | Operation::Refresh => {
                self.free_again(draft, Holder::Bank(op.id), &rest);
                self.record_lost(draft, op, lost, incoming);
            }
            Operation::Certify(payment) => {
                self.free_again(draft, Holder::Payment(payment), &rest);
                self.not_certified(draft, &payment, code);
                self.record_lost(draft, op, lost, incoming);
            }
            // Units that the payee has redeemed are his; the rest is asked for again.
            Operation::TakeBack(payment) => {
                self.hold_again(draft, Holder::Payment(payment), &rest);
                if rest.is_empty() {
                    self.taken_back(draft, &payment, Units::ZERO);
                }
            }
        }
        draft.then(Effect::Refresh);
        draft.put_op(op.clone(), OpState::Refused(code));
    }

    /// Of the units promised to `by`, those in `rest` are free again; the others are redeemed.
    fn free_again(&self, draft: &mut Draft, by: Holder, rest: &[Piece]) {
        for note in self.notes().filter(|n| n.held.iter().any(|h| h.by == by)) {
            let mut note = note.clone();
            let number = note.number;
            note.redeem(by, rest);
            rest.iter().filter(|p| p.note == number).for_each(|p| note.free.insert(p.range));
            draft.put(Change::Note(note));
        }
    }

    /// Of the units promised to `by`, those in `rest` stay so; the others are redeemed.
    fn hold_again(&self, draft: &mut Draft, by: Holder, rest: &[Piece]) {
        for note in self.notes().filter(|n| n.held.iter().any(|h| h.by == by)) {
            let mut note = note.clone();
            let number = note.number;
            note.redeem(by, rest);
            rest.iter().filter(|p| p.note == number).for_each(|p| note.hold(p.range, by));
            draft.put(Change::Note(note));
        }
    }

    /// A fresh note of ours.
    fn take_in(&self, draft: &mut Draft, op: &BankOp, root: Signed<Root>) -> Result<(), BankFlaw> {
        let hint = op.hint.ok_or(BankFlaw::DoesNotFit)?;
        let free = RangeSet::from_iter([root.unverified().range()]);
        let number = draft.note_number();
        let note = Note::fresh(root);
        draft.put(Change::Note(OwnNote {
            number,
            note,
            hint,
            confirmed: true,
            free,
            held: Vec::new(),
            redeemed: RangeSet::empty(),
            from: None,
        }));
        Ok(())
    }

    /// Payments that came in, of whose notes nothing is left outside this request: their payers can be told that
    /// the money is safe. What was passed on before needs no payer who keeps it; what was lost is not safe.
    fn confirm(&self, draft: &mut Draft, op: &BankOp, incoming: &[Incoming], lost: &[Piece]) {
        let done = |number: &u64| {
            let here =
                |own: &OwnNote| own.free.is_empty() && own.held.iter().all(|h| h.by == Holder::Bank(op.id));
            self.note(*number).is_none_or(here)
        };
        let good = |p: &&Incoming| !p.confirmed && p.lost.is_zero() && !touches(p, lost);
        for payment in incoming.iter().filter(good).filter(|p| p.notes.iter().all(done)) {
            let confirmed = Incoming { confirmed: true, ..payment.clone() };
            let (payer, id, units) = (payment.payer, payment.payment, payment.amount);
            draft.put(Change::Incoming(confirmed));
            draft.event(Happening::Confirmed { payment: id, units });
            draft.then(Effect::Confirm { payer, payment: id });
        }
    }

    fn record_lost(&self, draft: &mut Draft, op: &BankOp, lost: &[Piece], incoming: &[Incoming]) {
        let sum = units_of(lost);
        if sum.is_zero() {
            return;
        }
        draft.record(op.entry(Movement::Lost, sum), self.account().map(|a| a.units));
        draft.event(Happening::Lost { units: sum, request: op.id });
        for payment in incoming.iter().filter(|p| touches(p, lost)) {
            let his: Vec<Piece> = lost.iter().filter(|p| payment.notes.contains(&p.note)).copied().collect();
            let lost = payment.lost.plus(units_of(&his)).unwrap_or(payment.amount);
            draft.put(Change::Incoming(Incoming { lost, ..payment.clone() }));
        }
    }

    /// Keeps a letter, and the balance it tells if none newer is known.
    pub(super) fn keep_letter(&self, draft: &mut Draft, letter: &Verified<Letter>) -> Option<Units> {
        draft.put(Change::Letter(letter.signed().clone()));
        let told = AccountBalance { units: letter.balance, letter: letter.number, at: letter.at };
        match self.account() {
            Some(known) if known.letter >= told.letter => Some(known.units),
            _ => {
                draft.put(Change::Account(told));
                Some(told.units)
            }
        }
    }

    /// A statement of balance, or the opening letter.
    pub fn balance_told(
        &self,
        letter: Signed<Letter>,
        now: Timestamp,
    ) -> Result<Decision<AccountBalance>, BankFlaw> {
        let letter = self.keys().verify(Usage::Attest, letter.unverified().at.day(), letter)?;
        if letter.owner != self.owner().key {
            return Err(BankFlaw::DoesNotFit);
        }
        let mut draft = Draft::at(self, now);
        if letter.kind == LetterKind::Balance {
            // A statement is no paper to keep: only the balance counts.
            let told = AccountBalance { units: letter.balance, letter: letter.number, at: letter.at };
            if self.account().is_none_or(|known| known.letter <= told.letter) {
                draft.put(Change::Account(told));
            }
        } else {
            self.keep_letter(&mut draft, &letter);
        }
        Ok(Decision::new(
            draft,
            AccountBalance { units: letter.balance, letter: letter.number, at: letter.at },
        ))
    }
}

fn units_of(pieces: &[Piece]) -> Units {
    Units::sum(pieces.iter().map(|p| p.range.units())).expect("units of one request are below 2^53")
}

fn touches(payment: &Incoming, pieces: &[Piece]) -> bool {
    pieces.iter().any(|piece| payment.notes.contains(&piece.note))
}

/// What is left of the pieces.
fn without(pieces: &[Piece], gone: &[Piece]) -> Vec<Piece> {
    let left = |piece: &Piece| {
        let mut ranges = RangeSet::from_iter([piece.range]);
        gone.iter().filter(|g| g.note == piece.note).for_each(|g| ranges.remove(g.range));
        let note = piece.note;
        ranges.iter().map(move |range| Piece { note, range }).collect::<Vec<_>>()
    };
    pieces.iter().flat_map(left).collect()
}
