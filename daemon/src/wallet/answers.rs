//! What the bank's answers change: effect, letter, balance, and what was lost (SPEC §4, N4, N5, B7).
//!
//! An answer that the bank could not have given if it kept its own rules changes nothing: the request stays asked.

use super::banking::{BankFlaw, BankOp, OpState, Operation};
use super::change::{Change, Decision, Draft, Effect};
use super::history::Movement;
use super::losing::without;
use super::ordering::PurchaseState;
use super::proof::Shown;
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
use protocol::wire::{BankAnswer, Item};

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
            BankAnswer::Error(code) if code.leaves_it_open() && !self.came_too_late(id, code, now) => {}
            BankAnswer::Error(code) => self.void(&mut draft, op, code, &Shown::default(), incoming),
            BankAnswer::Reclaim(state) => self.reclaim_told(&mut draft, op, &state, incoming)?,
            BankAnswer::Cases(states) => self.claim_filed(&mut draft, op, &states)?,
            BankAnswer::MailKept => self.mail_kept(&mut draft, op)?,
            BankAnswer::MailWord(word) => self.take_word(&mut draft, op, word)?,
            BankAnswer::Held(state, letter) => self.held(&mut draft, op, *state, letter)?,
            BankAnswer::Hold(state) => self.hold_heard(&mut draft, op, *state)?,
            BankAnswer::Terms(_)
            | BankAnswer::Activated(..)
            | BankAnswer::Published
            | BankAnswer::Noted
            | BankAnswer::Balance(_)
            | BankAnswer::NotSeen
            | BankAnswer::Directory(_)
            | BankAnswer::Contested(_)
            | BankAnswer::Mail(..)
            | BankAnswer::RequestsLeft(_)
            | BankAnswer::OpenRequest(_)
            | BankAnswer::Vault(_)
            | BankAnswer::VaultRecords(..)
            | BankAnswer::Bulletins(_)
            | BankAnswer::RootPath(_)
            | BankAnswer::IssueKeys(_)
            | BankAnswer::Holds(..)
            | BankAnswer::Letters(..)
            | BankAnswer::Swept(_)
            | BankAnswer::SweepList(..)
            | BankAnswer::Statement(..) => return Err(BankFlaw::DoesNotFit),
        }
        Ok(Decision::new(draft, ()))
    }

    /// A letter about this request, signed by the bank.
    pub(super) fn letter(
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
        match op.what {
            Operation::Withdraw => {}
            Operation::Hold(order) => {
                self.not_held(draft, &order, PurchaseState::Declined(letter.number));
            }
            _ => return Err(BankFlaw::DoesNotFit),
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
        let shown = self.shown(&unpaid, &op.digest);
        let whole: Vec<Piece> = unpaid.iter().map(|(piece, _)| *piece).collect();
        let rest = without(&without(&whole, &shown.lost), &shown.unproved);
        let disputed: Vec<_> = shown.unproved.iter().map(|piece| (*piece, Holder::Disputed(None))).collect();
        self.confirm(draft, op, incoming, &whole);
        self.let_come(draft, Holder::Bank(op.id), &rest, &disputed);
        if !paid.is_zero() {
            draft.record(op.entry(Movement::Deposit, paid), balance);
        }
        self.record_lost(draft, op, &shown, incoming);
        if !whole.is_empty() {
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
                self.let_come(draft, Holder::Bank(op.id), &[], &[]);
                self.take_in(draft, op, root)?;
            }
            Operation::Certify(payment) => {
                self.let_come(draft, Holder::Payment(payment), &[], &[]);
                self.certified(draft, &payment, root);
            }
            Operation::TakeBack(payment) => {
                self.let_come(draft, self.holder_of(op), &[], &self.held_beside(op));
                self.take_in(draft, op, root)?;
                self.taken_back(draft, &payment, op);
            }
            Operation::Withdraw
            | Operation::Deposit
            | Operation::Reclaim(_)
            | Operation::Restore
            | Operation::Claim(_)
            | Operation::Post(_)
            | Operation::Hold(_)
            | Operation::HoldAct(_) => return Err(BankFlaw::DoesNotFit),
        }
        draft.put_op(op.clone(), OpState::Done(None));
        Ok(())
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
            disputed: None,
        }));
        Ok(())
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
