//! What the bank did not take: which units are lost, which are free again, which payments are safe (SPEC §4.5).

use super::Wallet;
use super::banking::{BankFlaw, BankOp, OpState, Operation};
use super::change::{Change, Draft, Effect, Happening};
use super::claiming::Claiming;
use super::history::Movement;
use super::ordering::PurchaseState;
use super::paying::{Outgoing, State};
use super::proof::{Shown, shared};
use super::receiving::Incoming;
use super::reserve::{Holder, OwnNote, Piece};
use protocol::id::PaymentId;
use protocol::money::Units;
use protocol::note::Destination;
use protocol::range::RangeSet;
use protocol::wire::{ErrorCode, Item};

impl Wallet {
    /// The bank named the notes at fault and voided the request: what is shown to be redeemed is lost, for what is
    /// refused without proof the bank owes one, the rest is free again.
    pub(super) fn denied(
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
        let mut places: Vec<u16> = faults.iter().map(|(place, _)| *place).collect();
        places.sort_unstable();
        places.dedup();
        if places.len() != faults.len() {
            return Err(BankFlaw::DoesNotFit);
        }
        let code = bad.iter().find_map(|(_, item)| match item {
            Item::Refused(code) => Some(*code),
            Item::Paid(_) | Item::Clash(_) => None,
        });
        let bad: Vec<(Piece, &Item)> = bad.iter().map(|(piece, item)| (*piece, item)).collect();
        let shown = self.shown(&bad, &op.digest);
        match op.what {
            Operation::TakeBack(payment) => {
                self.not_taken_back(draft, op, &payment, &bad, shown, incoming);
            }
            _ => self.void(draft, op, code.unwrap_or(ErrorCode::Clash), &shown, incoming),
        }
        Ok(())
    }

    /// Units of a refused payment that somebody had redeemed. Those that went by way of the payee's key are his, after
    /// all. Others were bad before we paid with them: he does not have them, and we have lost them. The rest is
    /// asked for again.
    fn not_taken_back(
        &self,
        draft: &mut Draft,
        op: &BankOp,
        id: &PaymentId,
        bad: &[(Piece, &Item)],
        mut shown: Shown,
        incoming: &[Incoming],
    ) {
        let Some(payment) = self.open_payment(id) else {
            return self.void(draft, op, ErrorCode::Clash, &Shown::default(), incoming);
        };
        let taken = self.redeemed_through(payment, op, bad);
        let rest = without(&without(&op.uses, &shown.lost), &shown.unproved);
        shown.lost = without(&shown.lost, &taken);
        shown.by_our_key = without(&shown.by_our_key, &taken);
        let never_his = units_of(&shown.lost);
        if !never_his.is_zero() {
            draft.record(payment.entry(Movement::Returned, never_his), self.account().map(|a| a.units));
            self.record_lost(draft, op, &shown, incoming);
            self.refund_token(draft, payment, never_his);
        }
        let asked_again = rest.iter().map(|piece| (*piece, Holder::Payment(*id)));
        let disputed = shown.unproved.iter().map(|piece| (*piece, Holder::Disputed(Some(*id))));
        let kept: Vec<(Piece, Holder)> = asked_again.chain(disputed).chain(self.held_beside(op)).collect();
        self.let_come(draft, self.holder_of(op), &[], &kept);
        if kept.is_empty() && !self.holds_more_for(id, op) {
            draft.put_payment(payment.clone(), payment.after_all(!taken.is_empty()));
        }
        draft.then(Effect::Refresh);
        draft.put_op(op.clone(), OpState::Refused(ErrorCode::Clash));
    }

    /// The bank gave `units` of a refused payment back.
    pub(super) fn taken_back(&self, draft: &mut Draft, id: &PaymentId, op: &BankOp) {
        let Some(payment) = self.open_payment(id) else { return };
        let State::TakingBack(code) = payment.state else { return };
        draft.record(payment.entry(Movement::Returned, op.amount), self.account().map(|a| a.units));
        self.refund_token(draft, payment, op.amount);
        let back = payment.back.plus(op.amount).unwrap_or(payment.amount);
        let payment = Outgoing { back, ..payment.clone() };
        if self.holds_more_for(id, op) {
            draft.put(Change::Outgoing(payment));
            draft.then(Effect::Refresh);
        } else {
            draft.put_payment(payment, State::Returned(code));
        }
    }

    /// Who holds the units of a request: a payment that is taken back may hold some of them in dispute.
    pub(super) fn holder_of(&self, op: &BankOp) -> Holder {
        let payment = match op.what {
            Operation::Certify(id) | Operation::TakeBack(id) | Operation::Reclaim(id) => id,
            _ => return Holder::Bank(op.id),
        };
        let disputed = Holder::Disputed(Some(payment));
        let is_held = |own: &OwnNote, piece: &Piece| {
            own.held.iter().any(|hold| hold.by == disputed && hold.range.overlaps(piece.range))
        };
        let first = op.uses.first().and_then(|piece| Some((self.note(piece.note)?, piece)));
        let is_disputed = first.is_some_and(|(own, piece)| is_held(own, piece));
        if is_disputed { disputed } else { Holder::Payment(payment) }
    }

    /// What the holder of a request's units holds beside them: one message may not carry all.
    pub(super) fn held_beside(&self, op: &BankOp) -> Vec<(Piece, Holder)> {
        let by = self.holder_of(op);
        without(&self.held_by(by), &op.uses).into_iter().map(|piece| (piece, by)).collect()
    }

    /// Whether a payment holds units beside those of this request.
    fn holds_more_for(&self, id: &PaymentId, op: &BankOp) -> bool {
        let all = [Holder::Payment(*id), Holder::Disputed(Some(*id))].map(|by| self.held_by(by)).concat();
        !without(&all, &op.uses).is_empty()
    }

    /// Which units of the pieces at fault were redeemed by way of the payment's payee.
    fn redeemed_through(&self, payment: &Outgoing, op: &BankOp, bad: &[(Piece, &Item)]) -> Vec<Piece> {
        let Some(request) = &payment.request else { return Vec::new() };
        let his = Some(Destination::Key(request.unverified().key()));
        let through = |(piece, item): &(Piece, &Item)| {
            let (Item::Clash(table), Some(own)) = (item, self.note(piece.note)) else { return Vec::new() };
            let winners = self.winners(*piece, table, &op.digest);
            shared(*piece, winners.iter().filter(|w| w.is_by_our_key() && w.next(own) == his))
        };
        bad.iter().flat_map(through).collect()
    }

    /// The request will never be carried out.
    pub(super) fn void(
        &self,
        draft: &mut Draft,
        op: &BankOp,
        code: ErrorCode,
        shown: &Shown,
        incoming: &[Incoming],
    ) {
        let rest = without(&without(&op.uses, &shown.lost), &shown.unproved);
        let disputed: Vec<_> = shown.unproved.iter().map(|piece| (*piece, Holder::Disputed(None))).collect();
        match op.what {
            Operation::Withdraw => {}
            Operation::Deposit | Operation::Refresh | Operation::Restore => {
                self.let_come(draft, Holder::Bank(op.id), &rest, &disputed);
                self.record_lost(draft, op, shown, incoming);
            }
            Operation::Certify(payment) => {
                self.let_come(draft, Holder::Payment(payment), &rest, &disputed);
                self.not_certified(draft, &payment, code);
                self.record_lost(draft, op, shown, incoming);
            }
            // Nothing is said about the units: they are asked for again.
            Operation::TakeBack(_) => {}
            Operation::Reclaim(payment) => self.not_reclaimed(draft, &payment),
            Operation::Claim(claim) => self.claim_refused(draft, &claim, code),
            Operation::Post(payment) => self.not_posted(draft, &payment, code),
            Operation::Hold(order) => self.not_held(draft, &order, PurchaseState::NotHeld(code)),
            // What was said of the hold stands with the request; the hold is as it was.
            Operation::HoldAct(_) => {}
        }
        draft.then(Effect::Refresh);
        draft.put_op(op.clone(), OpState::Refused(code));
    }

    /// Payments that came in, of whose notes nothing is left outside this request: their payers can be told that
    /// the money is safe. What was passed on before needs no payer who keeps it; what was lost is not safe.
    pub(super) fn confirm(&self, draft: &mut Draft, op: &BankOp, incoming: &[Incoming], bad: &[Piece]) {
        let done = |number: &u64| {
            let here =
                |own: &OwnNote| own.free.is_empty() && own.held.iter().all(|h| h.by == Holder::Bank(op.id));
            self.note(*number).is_none_or(here)
        };
        let good = |p: &&Incoming| !p.confirmed && p.lost.is_zero() && !touches(p, bad);
        for payment in incoming.iter().filter(good).filter(|p| p.notes.iter().all(done)) {
            let confirmed = Incoming { confirmed: true, ..payment.clone() };
            let (payer, id, units) = (payment.payer, payment.payment, payment.amount);
            draft.put(Change::Incoming(confirmed));
            draft.event(Happening::Confirmed { payment: id, payer, units });
            draft.then(Effect::Confirm { payer, payment: id });
        }
    }

    /// Writes units off that are shown to be redeemed, and notes a claim for those that somebody else signed twice.
    pub(super) fn record_lost(&self, draft: &mut Draft, op: &BankOp, shown: &Shown, incoming: &[Incoming]) {
        let lost = &shown.lost;
        let sum = units_of(lost);
        if sum.is_zero() {
            return;
        }
        draft.event(Happening::Lost { units: sum, request: op.id });
        let ours = units_of(&shown.by_our_key);
        if !ours.is_zero() {
            draft.event(Happening::KeyElsewhere { units: ours, request: Some(op.id) });
        }
        let account = self.account().map(|a| a.units);
        let mut nobody_s = sum;
        for payment in incoming.iter().filter(|p| touches(p, lost)) {
            let his: Vec<Piece> = lost.iter().filter(|p| payment.notes.contains(&p.note)).copied().collect();
            // The history names who paid with them: his signed order is kept with the payment.
            draft.record(payment.entry(Movement::Lost, units_of(&his)), account);
            nobody_s = nobody_s
                .minus(units_of(&his))
                .expect("a note belongs to one payment, and its pieces to the sum");
            let lost = payment.lost.plus(units_of(&his)).unwrap_or(payment.amount);
            draft.put(Change::Incoming(Incoming { lost, ..payment.clone() }));
        }
        if !nobody_s.is_zero() {
            draft.record(op.entry(Movement::Lost, nobody_s), account);
        }
        for twice in &shown.twice {
            let own = self.note(twice.piece.note);
            let payer = incoming.iter().find(|p| p.notes.contains(&twice.piece.note));
            if let (Some(own), Some(payer)) = (own, payer) {
                draft.put_claim(Claiming::over(own, twice, payer, op, draft.now()));
            }
        }
    }
}

impl Outgoing {
    /// How a refused payment ends of which nothing came back.
    fn after_all(&self, taken: bool) -> State {
        let State::TakingBack(code) = self.state else { return self.state.clone() };
        match self.receipt.as_ref().map(|receipt| receipt.unverified().confirmed) {
            _ if !taken => State::Returned(code),
            Some(true) => State::Confirmed,
            Some(false) => State::Receipted,
            None => State::Taken(code),
        }
    }
}

pub(super) fn units_of(pieces: &[Piece]) -> Units {
    Units::sum(pieces.iter().map(|p| p.range.units())).expect("units of one request are below 2^53")
}

fn touches(payment: &Incoming, pieces: &[Piece]) -> bool {
    pieces.iter().any(|piece| payment.notes.contains(&piece.note))
}

/// What is left of the pieces.
pub(super) fn without(pieces: &[Piece], gone: &[Piece]) -> Vec<Piece> {
    let left = |piece: &Piece| {
        let mut ranges = RangeSet::from_iter([piece.range]);
        gone.iter().filter(|g| g.note == piece.note).for_each(|g| ranges.remove(g.range));
        let note = piece.note;
        ranges.iter().map(move |range| Piece { note, range }).collect::<Vec<_>>()
    };
    pieces.iter().flat_map(left).collect()
}
