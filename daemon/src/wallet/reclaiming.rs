//! Reclaims: units back whose fate the owner can't know (SPEC §3.7, §4.11, threats X4).
//!
//! The owner signs that he answers for it: a valid chain over the units that shows up later is his to pay. Others may
//! object until a date by showing a chain that goes on from the reclaimed key; then the payee has the units. The bank
//! is asked with the same bytes how it stands, until nothing is open any more. Only its answer ends it.

use super::banking::{BankFlaw, BankOp, CallKey, Fresh, OpState, Operation};
use super::change::{Answered, Change, Decision, Draft, Effect, Started};
use super::history::Movement;
use super::losing::units_of;
use super::paying::{Outgoing, State};
use super::proof::{Shown, Twice, Winner, shared};
use super::receiving::Incoming;
use super::reserve::{Holder, Piece};
use super::{OpenKeys, Wallet};
use protocol::bank::{LetterKind, Reclaim, ReclaimKind};
use protocol::body::Body;
use protocol::id::{PaymentId, RequestId};
use protocol::money::Units;
use protocol::note::{Checked, Destination, Note, NoteTable, Relation, compare};
use protocol::pay::Receipt;
use protocol::range::{Range, RangeSet};
use protocol::sign::Signed;
use protocol::time::{DAY_SECONDS, Timestamp};
use protocol::wire::{self, BankAsk, ErrorCode, ReclaimFate, ReclaimState};
use serde::{Deserialize, Serialize};

/// How long others usually have to object; the bank's answer says the date.
pub const OBJECTION_SECONDS: u64 = 7 * DAY_SECONDS;

/// How a reclaim stands, as the bank last told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReclaimTold {
    /// Its number at the bank.
    pub number: u64,
    /// When the units come to the account, if nobody has objected by then.
    pub closes: Timestamp,
    /// Units that nobody has shown a chain over so far.
    pub open: Units,
    /// Units that came to the account.
    pub returned: Units,
    /// Units that whoever was paid with them has handed on.
    pub passed: Units,
    /// Units that were redeemed by a way above our key.
    pub lost: Units,
    /// When the bank said so.
    pub at: Timestamp,
}

/// Why a payment can't be reclaimed; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReclaimRefusal {
    /// No such payment.
    #[error("no such payment is on record here")]
    NotFound,
    /// It is not waiting for the payee's receipt.
    #[error("only a payment that was sent and not answered can be reclaimed: this one is «{0}»")]
    NotSent(&'static str),
    /// The bank has made the units the payee's.
    #[error(
        "the bank has made a certified payment the payee's own: you have paid, it can't be reclaimed, and waits for him"
    )]
    Certified,
}

/// The pieces of a reclaim by their fate.
#[derive(Default)]
struct Fates {
    open: Vec<Piece>,
    returned: Vec<Piece>,
    passed: Vec<Piece>,
    /// Of those: handed on to a key that may still have them.
    handed_on: Vec<Piece>,
    shown: Shown,
    proof: Vec<Note>,
}

impl Wallet {
    /// Reclaims a payment that was sent and not answered. Asked again while it runs, it changes nothing.
    pub fn reclaim_payment(
        &self,
        id: &PaymentId,
        keys: &OpenKeys,
        fresh: Fresh,
        call: CallKey,
        now: Timestamp,
    ) -> Result<Decision<PaymentId>, ReclaimRefusal> {
        let payment = self.open_payment(id).ok_or(ReclaimRefusal::NotFound)?;
        match payment.state {
            State::Reclaiming => return Ok(Decision::reply(*id)),
            State::Sent => {}
            State::Issued => return Err(ReclaimRefusal::Certified),
            _ => return Err(ReclaimRefusal::NotSent(payment.state.word())),
        }
        let mut draft = Draft::at(self, now);
        if let Some((method, key, params)) = call {
            let started = Started::Payment(*id);
            draft.put(Change::Answered(Answered { method, key, params, started }));
        }
        let pieces = self.held_by(Holder::Payment(*id));
        let op = self.reclaim_op(ReclaimKind::Payment, Operation::Reclaim(*id), pieces, keys, fresh, now);
        draft.put_op(op, OpState::Asked);
        let payment = self.out_of_the_mail(&mut draft, payment);
        draft.put_payment(payment, State::Reclaiming);
        Ok(Decision::new(draft, *id))
    }

    /// What is reclaimed is posted no more, and asked back if nobody has collected it.
    fn out_of_the_mail(&self, draft: &mut Draft, payment: &Outgoing) -> Outgoing {
        let mut payment = payment.clone();
        let posting = self.open_bank_ops().filter(|op| op.what == Operation::Post(payment.id));
        posting.for_each(|op| draft.put_op(op.clone(), OpState::Refused(ErrorCode::Expired)));
        if let Some(post) = payment.post.as_mut().filter(|post| post.item.is_some() && post.word.is_none()) {
            post.back = true;
            draft.then(Effect::MailBack(payment.id));
        }
        payment
    }

    /// Reclaims pieces of the reserve of a restored workstation: at most 64 in one request.
    pub fn reclaim_restored(
        &self,
        pieces: Vec<Piece>,
        keys: &OpenKeys,
        fresh: Fresh,
        now: Timestamp,
    ) -> Decision<RequestId> {
        let mut draft = Draft::at(self, now);
        self.hold(&mut draft, &pieces, Holder::Bank(fresh.request));
        let op = self.reclaim_op(ReclaimKind::Restore, Operation::Restore, pieces, keys, fresh, now);
        let id = op.id;
        draft.put_op(op, OpState::Asked);
        Decision::new(draft, id)
    }

    /// Reclaims units of a restored workstation for which the bank owes a proof.
    pub(super) fn reclaim_disputed(
        &self,
        uses: &[Piece],
        keys: &OpenKeys,
        fresh: Fresh,
        now: Timestamp,
    ) -> Decision<RequestId> {
        let op = self.reclaim_op(ReclaimKind::Restore, Operation::Restore, uses.to_vec(), keys, fresh, now);
        self.ask_for_disputed(op, now)
    }

    fn reclaim_op(
        &self,
        kind: ReclaimKind,
        what: Operation,
        uses: Vec<Piece>,
        keys: &OpenKeys,
        fresh: Fresh,
        now: Timestamp,
    ) -> BankOp {
        let (bank, request, owner) = (self.bank(), fresh.request, self.owner().key);
        let body = Reclaim { bank, request, owner, kind, created: now };
        let digest = body.digest();
        let notes = self.hand_on(&uses, Destination::Reclaim(digest), keys);
        BankOp {
            id: request,
            what,
            digest,
            ask: wire::encode(&BankAsk::Reclaim(keys.owner().sign(body), NoteTable::pack(&notes))),
            amount: units_of(&uses),
            outcome: None,
            hint: None,
            uses,
            state: OpState::Asked,
            created: now,
            told: None,
        }
    }

    /// The bank did not take the reclaim: the payment is in doubt as before.
    pub(super) fn not_reclaimed(&self, draft: &mut Draft, id: &PaymentId) {
        if let Some(payment) = self.open_payment(id).filter(|p| p.state == State::Reclaiming) {
            draft.then(Effect::Send(*id));
            draft.put_payment(payment.clone(), State::Sent);
        }
    }

    /// A receipt that comes while a reclaim runs, or after it, is kept. While it runs we show the payee's chain ourselves:
    /// he has the money, and nobody shall wait for him to object.
    pub(super) fn late_receipt(&self, draft: &mut Draft, payment: &Outgoing, receipt: Signed<Receipt>) {
        if payment.receipt.is_none() {
            draft.put(Change::Outgoing(Outgoing { receipt: Some(receipt), ..payment.clone() }));
            if payment.state == State::Reclaiming {
                draft.then(Effect::Concede(payment.id));
            }
        }
    }

    /// How a reclaim stands, as the bank tells it.
    pub(super) fn reclaim_told(
        &self,
        draft: &mut Draft,
        op: &BankOp,
        state: &ReclaimState,
        incoming: &[Incoming],
    ) -> Result<(), BankFlaw> {
        if !matches!(op.what, Operation::Reclaim(_) | Operation::Restore) {
            return Err(BankFlaw::DoesNotFit);
        }
        let fates = self.fates(op, state)?;
        let told = ReclaimTold {
            number: state.number,
            closes: state.closes,
            open: units_of(&fates.open),
            returned: units_of(&fates.returned),
            passed: units_of(&fates.passed),
            lost: units_of(&fates.shown.lost),
            at: draft.now(),
        };
        let letter_awaited = !told.returned.is_zero() && state.letter.is_none();
        if !told.open.is_zero() || letter_awaited {
            let same = |before: &ReclaimTold| ReclaimTold { at: told.at, ..*before } == told;
            if !op.told.as_ref().is_some_and(same) {
                draft.put(Change::BankOp(BankOp { told: Some(told), ..op.clone() }));
                if let Operation::Reclaim(id) = op.what
                    && let Some(payment) = self.open_payment(&id)
                {
                    let payment = Outgoing { until: Some(told.closes), ..payment.clone() };
                    draft.put_payment(payment, State::Reclaiming);
                }
            }
            return Ok(());
        }
        self.reclaim_ends(draft, op, state, told, fates, incoming)
    }

    fn reclaim_ends(
        &self,
        draft: &mut Draft,
        op: &BankOp,
        state: &ReclaimState,
        told: ReclaimTold,
        fates: Fates,
        incoming: &[Incoming],
    ) -> Result<(), BankFlaw> {
        let letter = state.letter.clone().map(|letter| self.letter(op, letter, LetterKind::Reclaim));
        let letter = letter.transpose()?;
        if letter.as_ref().is_some_and(|letter| letter.units != told.returned) {
            return Err(BankFlaw::DoesNotFit);
        }
        let disputed: Vec<_> =
            fates.shown.unproved.iter().map(|piece| (*piece, Holder::Disputed(None))).collect();
        self.let_pass(draft, self.holder_of(op), &fates.handed_on, &disputed);
        let balance = match &letter {
            Some(letter) => self.keep_letter(draft, letter),
            None => self.account().map(|a| a.units),
        };
        match op.what {
            Operation::Reclaim(id) => self.payment_reclaimed(draft, &id, op, told, &fates, incoming, balance),
            _ => {
                if !told.returned.is_zero() {
                    draft.record(op.entry(Movement::Deposit, told.returned), balance);
                }
                if !told.passed.is_zero() {
                    // What an earlier workstation of ours had paid, and this one knows nothing of.
                    draft.record(op.entry(Movement::Passed, told.passed), balance);
                }
                self.record_lost(draft, op, &fates.shown, incoming);
                // Whoever paid with it need not show it any more, wherever it has gone from here.
                let bad = [&fates.shown.lost[..], &fates.shown.unproved].concat();
                self.confirm(draft, op, incoming, &bad);
            }
        }
        let op = BankOp { told: Some(told), ..op.clone() };
        draft.put_op(op, OpState::Done(letter.map(|letter| letter.number)));
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "one commit has all of these in it")]
    fn payment_reclaimed(
        &self,
        draft: &mut Draft,
        id: &PaymentId,
        op: &BankOp,
        told: ReclaimTold,
        fates: &Fates,
        incoming: &[Incoming],
        balance: Option<Units>,
    ) {
        let Some(payment) = self.open_payment(id) else { return };
        if !told.returned.is_zero() {
            draft.record(payment.entry(Movement::Reclaimed, told.returned), balance);
        }
        if !told.lost.is_zero() {
            draft.record(payment.entry(Movement::Returned, told.lost), balance);
            self.record_lost(draft, op, &fates.shown, incoming);
        }
        let never_his = told.returned.plus(told.lost).unwrap_or(payment.amount);
        if !never_his.is_zero() {
            self.refund_token(draft, payment, never_his);
        }
        let state = match payment.receipt.as_ref().map(|receipt| receipt.unverified().confirmed) {
            _ if told.passed.is_zero() => State::Reclaimed,
            Some(true) => State::Confirmed,
            Some(false) => State::Receipted,
            None => State::Passed,
        };
        let proof = (!fates.proof.is_empty()).then(|| NoteTable::pack(&fates.proof));
        draft.put_payment(Outgoing { back: told.returned, proof, ..payment.clone() }, state);
    }

    /// What became of each unit; an answer that leaves one out, or says without proof that it is gone, is none.
    fn fates(&self, op: &BankOp, state: &ReclaimState) -> Result<Fates, BankFlaw> {
        if state.pieces.len() != op.uses.len() {
            return Err(BankFlaw::DoesNotFit);
        }
        let mut fates = Fates::default();
        for (used, pieces) in op.uses.iter().zip(&state.pieces) {
            let mut left = RangeSet::from_iter([used.range]);
            for told in pieces {
                if !left.contains(told.range) {
                    return Err(BankFlaw::DoesNotFit);
                }
                left.remove(told.range);
                let piece = Piece { range: told.range, ..*used };
                match self.fate(op, piece, &told.fate, &mut fates) {
                    // One answer may not carry all chains: what is proved is settled, the rest is asked for alone.
                    Err(BankFlaw::NoProof) if op.what == Operation::Restore => {
                        fates.shown.unproved.push(piece)
                    }
                    said => said?,
                }
            }
            if !left.is_empty() {
                return Err(BankFlaw::DoesNotFit);
            }
        }
        Ok(fates)
    }

    fn fate(&self, op: &BankOp, piece: Piece, fate: &ReclaimFate, fates: &mut Fates) -> Result<(), BankFlaw> {
        let covered = |winners: &[Winner]| match shared(piece, winners.iter()).as_slice() {
            [all] if *all == piece => Ok(()),
            _ => Err(BankFlaw::NoProof),
        };
        match fate {
            ReclaimFate::Open => fates.open.push(piece),
            ReclaimFate::Returned => fates.returned.push(piece),
            ReclaimFate::Passed(table) => {
                let going_on = self.going_on(piece, table);
                if covers(piece, &going_on) {
                    fates.passed.push(piece);
                    let at_a_key = |(_, note): &(Range, Note)| {
                        note.holding().is_ok_and(|held| matches!(held.to, Destination::Key(_)))
                    };
                    if going_on.iter().all(at_a_key) {
                        fates.handed_on.push(piece);
                    }
                    fates.proof.extend(going_on.into_iter().map(|(_, note)| note));
                    return Ok(());
                }
                // To no other key: another request of ours took them to the bank.
                let winners = self.winners(piece, table, &op.digest);
                covered(&winners)?;
                match op.what {
                    Operation::Restore => fates.passed.push(piece),
                    _ => {
                        fates.shown.by_our_key.push(piece);
                        fates.shown.lost.push(piece);
                    }
                }
            }
            ReclaimFate::Clash(table) => {
                let winners = self.winners(piece, table, &op.digest);
                covered(&winners)?;
                let above = || winners.iter().filter(|w| w.parts_above());
                let won = NoteTable::pack(above().map(|w| &w.note));
                let twice = shared(piece, above());
                fates.shown.twice.extend(twice.into_iter().map(|piece| Twice { piece, won: won.clone() }));
                fates.shown.by_our_key.extend(shared(piece, winners.iter().filter(|w| w.is_by_our_key())));
                fates.shown.lost.push(piece);
            }
        }
        Ok(())
    }

    /// The chains in a table that go on from our key by a link to another key, with every signature; and the units of
    /// that link, all of which it handed on.
    fn going_on(&self, piece: Piece, table: &NoteTable) -> Vec<(Range, Note)> {
        let Some(own) = self.note(piece.note) else { return Vec::new() };
        let mut checked = Checked::default();
        let notes = table.clone().unpack().unwrap_or_default().into_iter();
        let handed_on = |note: Note| {
            let next = note.links.get(own.note.links.len())?.unverified();
            let by_our_key = compare(&own.note, &note) == Relation::ComesHome;
            let to_a_key = matches!(next.to, Destination::Key(_));
            (by_our_key && to_a_key).then_some((next.range, note))
        };
        let mut found: Vec<(Range, Note)> = notes.filter_map(handed_on).collect();
        found.retain(|(_, note)| note.check_links(&mut checked).is_ok());
        found
    }

    /// Whether a request to the bank takes its time there: it is asked about rarely.
    pub fn takes_its_time(&self, id: &RequestId) -> bool {
        self.open_bank_op(id).is_some_and(|op| matches!(op.what, Operation::Reclaim(_) | Operation::Restore))
    }

    /// Reclaimed payments whose payees gave receipts after all: their chains are shown to the bank.
    pub fn to_concede(&self) -> impl Iterator<Item = &Outgoing> {
        self.open_payments().filter(|p| p.state == State::Reclaiming && p.receipt.is_some())
    }
}

/// Whether the links have all units of a piece.
fn covers(piece: Piece, shown: &[(Range, Note)]) -> bool {
    let units = RangeSet::from_iter(shown.iter().filter_map(|(range, _)| range.intersection(piece.range)));
    units.contains(piece.range)
}

/// The chains that a reclaimed payment handed out: whoever shows them ends the reclaim.
pub fn conceded(payment: &Outgoing) -> Option<NoteTable> {
    payment.message.as_ref().map(|message| message.notes.clone())
}
