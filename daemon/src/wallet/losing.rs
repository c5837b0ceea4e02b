//! What the bank did not take: which units are lost, which are free again, which payments are safe (SPEC §4.5).

use super::Wallet;
use super::banking::{BankFlaw, BankOp, OpState, Operation};
use super::change::{Change, Draft, Effect, Happening};
use super::history::Movement;
use super::paying::{Outgoing, State};
use super::receiving::Incoming;
use super::reserve::{Holder, OwnNote, Piece};
use protocol::id::PaymentId;
use protocol::money::Units;
use protocol::note::{Destination, Note, Relation, compare};
use protocol::range::RangeSet;
use protocol::wire::{ErrorCode, Item};

impl Wallet {
    /// The bank named the notes at fault and voided the request: what clashed is lost, the rest free again.
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
        let bad: Vec<(Piece, &Item)> = bad.iter().map(|(piece, item)| (*piece, item)).collect();
        let lost = self.lost_of(&bad);
        match op.what {
            Operation::TakeBack(payment) => self.not_taken_back(draft, op, &payment, &bad, incoming),
            _ => self.void(draft, op, ErrorCode::Clash, &lost, incoming),
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
        incoming: &[Incoming],
    ) {
        let Some(payment) = self.open_payment(id) else {
            return self.void(draft, op, ErrorCode::Clash, &[], incoming);
        };
        let (lost, taken) = (self.lost_of(bad), self.redeemed_through(payment, bad));
        let never_his = without(&lost, &taken);
        if !never_his.is_empty() {
            draft.record(
                payment.entry(Movement::Returned, units_of(&never_his)),
                self.account().map(|a| a.units),
            );
            self.record_lost(draft, op, &never_his, incoming);
            self.refund_token(draft, payment, units_of(&never_his));
        }
        let rest = without(&op.uses, &lost);
        self.hold_again(draft, Holder::Payment(*id), &rest);
        if rest.is_empty() {
            draft.put_payment(payment.clone(), payment.after_all(!taken.is_empty()));
        }
        draft.then(Effect::Refresh);
        draft.put_op(op.clone(), OpState::Refused(ErrorCode::Clash));
    }

    /// The bank gave `units` of a refused payment back.
    pub(super) fn taken_back(&self, draft: &mut Draft, id: &PaymentId, units: Units) {
        let Some(payment) = self.open_payment(id) else { return };
        let State::TakingBack(code) = payment.state else { return };
        draft.record(payment.entry(Movement::Returned, units), self.account().map(|a| a.units));
        self.refund_token(draft, payment, units);
        draft.put_payment(payment.clone(), State::Returned(code));
    }

    /// Which units of the pieces at fault were redeemed by way of the payment's payee.
    fn redeemed_through(&self, payment: &Outgoing, bad: &[(Piece, &Item)]) -> Vec<Piece> {
        let Some(request) = &payment.request else { return Vec::new() };
        let his = Destination::Key(request.unverified().key());
        let through = |(piece, item): &(Piece, &Item)| {
            let own = self.note(piece.note).map(|own| own.note.clone());
            self.shown_redeemed(*piece, item, move |winner| {
                let next = |own: &Note| winner.links.get(own.links.len()).map(|link| link.unverified().to);
                own.as_ref()
                    .is_some_and(|own| compare(own, winner) == Relation::ComesHome && next(own) == Some(his))
            })
        };
        bad.iter().flat_map(through).collect()
    }

    /// Which units of the pieces at fault are gone: those that the bank shows to be redeemed, and no others.
    /// Without such a proof it is the whole piece, or a bad one would be asked for again for ever.
    pub(super) fn lost_of(&self, bad: &[(Piece, &Item)]) -> Vec<Piece> {
        let lost = |(piece, item): &(Piece, &Item)| {
            let shown = self.shown_redeemed(*piece, item, |_| true);
            if shown.is_empty() { vec![*piece] } else { shown }
        };
        bad.iter().flat_map(lost).collect()
    }

    fn shown_redeemed(&self, piece: Piece, item: &Item, wanted: impl Fn(&Note) -> bool) -> Vec<Piece> {
        let (Item::Clash(winners), Some(own)) = (item, self.note(piece.note)) else { return Vec::new() };
        let root = own.note.root.digest();
        let winners = winners.clone().unpack().unwrap_or_default();
        let winners = winners.iter().filter(|winner| wanted(winner));
        let holdings = winners.filter_map(|note| note.holding().ok()).filter(|h| h.root == root);
        // Each unit counts once, whatever the bank shows.
        let units = RangeSet::from_iter(holdings.filter_map(|h| h.range.intersection(piece.range)));
        units.iter().map(|range| Piece { range, ..piece }).collect()
    }

    /// The request will never be carried out.
    pub(super) fn void(
        &self,
        draft: &mut Draft,
        op: &BankOp,
        code: ErrorCode,
        lost: &[Piece],
        incoming: &[Incoming],
    ) {
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
            // Nothing is said about the units: they are asked for again.
            Operation::TakeBack(_) => {}
            Operation::Post(payment) => self.not_posted(draft, &payment, code),
        }
        draft.then(Effect::Refresh);
        draft.put_op(op.clone(), OpState::Refused(code));
    }

    /// Of the units promised to `by`, those in `rest` are free again; the others are redeemed.
    pub(super) fn free_again(&self, draft: &mut Draft, by: Holder, rest: &[Piece]) {
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

    /// Payments that came in, of whose notes nothing is left outside this request: their payers can be told that
    /// the money is safe. What was passed on before needs no payer who keeps it; what was lost is not safe.
    pub(super) fn confirm(&self, draft: &mut Draft, op: &BankOp, incoming: &[Incoming], lost: &[Piece]) {
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

    pub(super) fn record_lost(&self, draft: &mut Draft, op: &BankOp, lost: &[Piece], incoming: &[Incoming]) {
        let sum = units_of(lost);
        if sum.is_zero() {
            return;
        }
        draft.event(Happening::Lost { units: sum, request: op.id });
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

fn units_of(pieces: &[Piece]) -> Units {
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
