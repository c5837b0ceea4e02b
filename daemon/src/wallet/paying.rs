//! A payment going out, from its first record on disk to its end (SPEC §3.7, N7).
//!
//! ```text
//! Asking ─┬▶ Sent ──────────┬▶ Receipted ─▶ Confirmed          done
//!         ├▶ Certifying ─▶ Sent
//!         └▶ NotDone        └▶ TakingBack ─┬▶ Returned          not done: the bank gave the units back
//!                                          └▶ Taken             done: the payee had redeemed them after all
//! ```
//! | state | on disk | after a crash | outcome |
//! |---|---|---|---|
//! | Asking | whom, how much; nothing is signed | the payee is asked again | not yet |
//! | Certifying | order, request to the bank | the bank is asked again, the same bytes | in doubt |
//! | Sent | order, notes | the same payment is sent again, until there is an answer | in doubt |
//! | TakingBack | the refusal, request to the bank | the bank is asked (again) | in doubt |
//!
//! No date and no refusal frees units: they come back only when the bank has redeemed them to their owner.

use super::banking::{BankOp, OpState, Operation};
use super::change::{Answered, Change, Decision, Draft, Effect, Happening, Started};
use super::history::{Movement, NewEntry};
use super::reserve::{Holder, Piece, Short, Taker};
use super::{OpenKeys, Wallet};
use protocol::bank::{Outcome, RedeemKind, Redemption};
use protocol::body::{Body, Text};
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::key::bank::KeyCertificate;
use protocol::money::Units;
use protocol::note::{Destination, Note, NoteTable, Root};
use protocol::pay::{Mode, Order, Payment, Receipt, Refusal, Request, list_of_notes, list_of_roots};
use protocol::sign::{Signed, Verified};
use protocol::time::{DAY_SECONDS, Timestamp};
use protocol::wire::{self, BankAsk, ErrorCode};
use serde::{Deserialize, Serialize};

/// How long a payee may take an order.
const ORDER_SECONDS: u64 = 7 * DAY_SECONDS;

/// A payment going out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// Names it.
    pub id: PaymentId,
    /// The payee's owner key.
    pub payee: Key,
    /// The payee's certified name when it began.
    pub name: String,
    /// How much.
    pub amount: Units,
    /// What for.
    pub memo: String,
    /// The least finality the payer wants.
    pub certified: bool,
    /// The payee's request: given at first, or answered to our offer.
    pub request: Option<Signed<Request>>,
    /// The order, once signed.
    pub order: Option<Signed<Order>>,
    /// What is sent, once it is whole; kept until the payee has confirmed.
    pub message: Option<Payment>,
    /// Where it stands.
    pub state: State,
    /// When it began.
    pub created: Timestamp,
    /// When its state last changed.
    pub changed: Timestamp,
    /// The payee's receipt.
    pub receipt: Option<Signed<Receipt>>,
    /// The payee's refusal.
    pub refusal: Option<Signed<Refusal>>,
    /// The program's token it was made with; none for the owner himself.
    pub token: Option<String>,
}

/// Where a payment stands; see the module's head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// The payee is being asked for a request.
    Asking,
    /// The bank is re-issuing the amount to the payee's key.
    Certifying,
    /// Sent, and sent again until the payee answers.
    Sent,
    /// The payee has it.
    Receipted,
    /// The payee has it, and has been to the bank with it.
    Confirmed,
    /// Nothing was signed, or the bank made it void.
    NotDone(NotDone),
    /// Refused by the payee; the units are on their way back through the bank.
    TakingBack(ErrorCode),
    /// Refused by the payee, and the units are back.
    Returned(ErrorCode),
    /// Refused by the payee, who had nevertheless redeemed the units: he has them.
    Taken(ErrorCode),
}

/// Why nothing was paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotDone {
    /// The payee declined, with this code.
    Declined(ErrorCode),
    /// The payee could not be reached in time.
    Unreachable,
    /// The payee's request or papers are not in order.
    BadRequest(String),
    /// The reserve no longer held enough when the payee had answered.
    Short(Units),
    /// The workstation was locked before anything was signed.
    Locked,
    /// The bank would not certify it.
    BankRefused(ErrorCode),
}

/// The three outcomes, and none of them yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentOutcome {
    /// The payee is being asked; nothing is signed.
    Asking,
    /// The payee has the money.
    Done,
    /// The payer has the money.
    NotDone,
    /// It is not known yet who has it.
    InDoubt,
}

impl State {
    /// Whether something is still to be done about it.
    pub fn is_open(&self) -> bool {
        matches!(self, State::Asking | State::Certifying | State::Sent | State::TakingBack(_))
    }

    /// Its word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            State::Asking => "asking",
            State::Certifying => "certifying",
            State::Sent => "sent",
            State::Receipted => "receipted",
            State::Confirmed => "confirmed",
            State::NotDone(_) => "not_done",
            State::TakingBack(_) => "taking_back",
            State::Returned(_) => "returned",
            State::Taken(_) => "taken",
        }
    }

    /// What it means for the money.
    pub fn outcome(&self) -> PaymentOutcome {
        match self {
            State::Asking => PaymentOutcome::Asking,
            State::Receipted | State::Confirmed | State::Taken(_) => PaymentOutcome::Done,
            State::NotDone(_) | State::Returned(_) => PaymentOutcome::NotDone,
            State::Certifying | State::Sent | State::TakingBack(_) => PaymentOutcome::InDoubt,
        }
    }
}

impl Outgoing {
    /// Whether its amount has left the reserve without an outcome.
    pub fn holds_money(&self) -> bool {
        self.state.outcome() == PaymentOutcome::InDoubt
    }
}

/// What a payer asks for.
#[derive(Clone, Debug)]
pub struct NewPayment {
    /// Names the payment, chosen at random.
    pub id: PaymentId,
    /// The payee's owner key.
    pub payee: Key,
    /// The payee's certified name, as far as known.
    pub name: String,
    /// How much.
    pub amount: Units,
    /// What for.
    pub memo: Text,
    /// Whether the bank shall certify it whatever the payee wants.
    pub certified: bool,
    /// A request at hand; its signatures have been checked.
    pub request: Option<Verified<Request>>,
    /// The program's token.
    pub token: Option<String>,
    /// The caller's key, with the method and the digest of the call.
    pub answered: Option<(String, String, Digest)>,
}

/// Why a payment is not even begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayRefusal {
    /// Nothing is to be paid.
    #[error("an amount of nothing can't be paid")]
    Nothing,
    /// Paying oneself.
    #[error("this is your own public code: paying yourself changes nothing")]
    Yourself,
    /// The reserve does not hold that much (N7).
    #[error("the reserve holds {free}, the payment asks {asked}: withdraw the difference first")]
    Short {
        /// What is free.
        free: Units,
        /// What was asked.
        asked: Units,
    },
    /// Not what the request asks for.
    #[error("the request asks for another amount")]
    OtherAmount,
    /// The program's token does not allow that much.
    #[error("the token may spend {left} more, the payment asks {asked}")]
    OverCap {
        /// What the token may still spend.
        left: Units,
        /// What was asked.
        asked: Units,
    },
}

impl Wallet {
    /// Records a payment before anybody is asked for anything.
    pub fn begin_payment(&self, new: NewPayment, now: Timestamp) -> Result<Decision<PaymentId>, PayRefusal> {
        if new.amount.is_zero() {
            return Err(PayRefusal::Nothing);
        }
        if new.payee == self.owner().key {
            return Err(PayRefusal::Yourself);
        }
        if new.request.as_ref().is_some_and(|request| !request.amount.allows(new.amount)) {
            return Err(PayRefusal::OtherAmount);
        }
        let free = self.free();
        if free < new.amount {
            return Err(PayRefusal::Short { free, asked: new.amount });
        }
        let mut draft = Draft::at(self, now);
        self.spend_token(&mut draft, new.token.as_deref(), new.amount)?;
        if let Some((method, key, params)) = new.answered {
            let started = Started::Payment(new.id);
            draft.put(Change::Answered(Answered { method, key, params, started }));
        }
        let payment = Outgoing {
            id: new.id,
            payee: new.payee,
            name: new.name,
            amount: new.amount,
            memo: new.memo.as_str().to_owned(),
            certified: new.certified,
            request: new.request.map(|request| request.signed().clone()),
            order: None,
            message: None,
            state: State::Asking,
            created: now,
            changed: now,
            receipt: None,
            refusal: None,
            token: new.token,
        };
        draft.then(Effect::Offer(payment.id));
        draft.put_payment(payment, State::Asking);
        Ok(Decision::new(draft, new.id))
    }

    /// The payee will not, or can't be asked: nothing was signed, so nothing is lost.
    pub fn offer_failed(&self, id: &PaymentId, why: NotDone, now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        if let Some(payment) = self.open_payment(id).filter(|p| p.state == State::Asking) {
            self.refund_token(&mut draft, payment);
            draft.put_payment(payment.clone(), State::NotDone(why));
        }
        Decision::new(draft, ())
    }

    /// The payee made a request, or ours is still open: sign, hold the units, and send or certify.
    ///
    /// `certified` is what the payee said of a request at hand: he wants it certified by now.
    pub fn offer_accepted(
        &self,
        id: &PaymentId,
        request: &Verified<Request>,
        certified: bool,
        keys: &OpenKeys,
        bank_request: RequestId,
        now: Timestamp,
    ) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        let Some(payment) = self.open_payment(id).filter(|p| p.state == State::Asking) else {
            return Decision::new(draft, ());
        };
        let mut payment = payment.clone();
        if request.payee() != payment.payee || !request.amount.allows(payment.amount) {
            let why = NotDone::BadRequest("the payee answered with another request".to_owned());
            self.refund_token(&mut draft, &payment);
            draft.put_payment(payment, State::NotDone(why));
            return Decision::new(draft, ());
        }
        payment.request = Some(request.signed().clone());
        let direct = request.mode == Mode::Direct && !payment.certified && !certified;
        let pieces = match direct.then(|| self.select(payment.amount, Taker::Payee(now))) {
            Some(Ok(pieces)) => Ok((Mode::Direct, pieces)),
            // Too scattered, long or old for a payee: the bank makes one fresh note of it.
            _ => self.select(payment.amount, Taker::Bank).map(|pieces| (Mode::Certified, pieces)),
        };
        match pieces {
            Ok((Mode::Direct, pieces)) => self.pay_directly(&mut draft, payment, request, &pieces, keys),
            Ok((Mode::Certified, pieces)) => {
                self.certify(&mut draft, payment, request, pieces, keys, bank_request);
            }
            Err(Short::Funds { free } | Short::Form { payable: free }) => {
                self.refund_token(&mut draft, &payment);
                draft.put_payment(payment, State::NotDone(NotDone::Short(free)));
            }
        }
        Decision::new(draft, ())
    }

    /// Links straight to the payee's key.
    fn pay_directly(
        &self,
        draft: &mut Draft,
        mut payment: Outgoing,
        request: &Verified<Request>,
        pieces: &[Piece],
        keys: &OpenKeys,
    ) {
        let notes = self.hand_on(pieces, Destination::Key(request.key()), keys);
        let tips: Vec<Digest> = notes.iter().filter_map(|note| note.holding().ok()).map(|h| h.tip).collect();
        let order = self.order(&payment, request, Mode::Direct, list_of_notes(&tips), draft.now());
        let order = keys.owner().sign(order);
        payment.message = Some(Payment {
            request: request.signed().clone(),
            order: order.clone(),
            memo: payment.memo.clone(),
            keys: self.certificates_for(&notes),
            notes: NoteTable::pack(&notes),
        });
        payment.order = Some(order);
        self.hold(draft, pieces, Holder::Payment(payment.id));
        self.record_sent(draft, &payment);
        draft.then(Effect::Send(payment.id));
        draft.put_payment(payment, State::Sent);
    }

    /// A redemption whose only outcome is the payee's key; the order is signed before the bank is asked (threats H1).
    fn certify(
        &self,
        draft: &mut Draft,
        mut payment: Outgoing,
        request: &Verified<Request>,
        pieces: Vec<Piece>,
        keys: &OpenKeys,
        bank_request: RequestId,
    ) {
        let outcome = Outcome { to: request.key(), units: payment.amount };
        let redemption = self.redemption(RedeemKind::Reissue, bank_request, outcome);
        let root = Root::id_of(&redemption.digest(), 0);
        let list = list_of_roots([(&root, outcome.units, &outcome.to)]);
        payment.order =
            Some(keys.owner().sign(self.order(&payment, request, Mode::Certified, list, draft.now())));
        let op = self.reissue_op(redemption, Operation::Certify(payment.id), pieces, None, keys, draft.now());
        self.hold(draft, &op.uses, Holder::Payment(payment.id));
        self.record_sent(draft, &payment);
        draft.put_op(op, OpState::Asked);
        draft.put_payment(payment, State::Certifying);
    }

    fn order(
        &self,
        payment: &Outgoing,
        request: &Verified<Request>,
        mode: Mode,
        list: Digest,
        now: Timestamp,
    ) -> Order {
        Order {
            bank: self.bank(),
            payment: payment.id,
            request: request.digest(),
            payer: self.owner().key,
            payee: payment.payee,
            amount: payment.amount,
            created: now,
            expires: now.plus_seconds(ORDER_SECONDS),
            mode,
            replaces: Digest::default(),
            memo: Order::memo_digest(&payment.memo),
            list,
        }
    }

    fn record_sent(&self, draft: &mut Draft, payment: &Outgoing) {
        let entry = payment.entry(Movement::Sent, payment.amount);
        draft.record(entry, self.account().map(|a| a.units));
    }

    /// The bank has re-issued: the payment is whole and goes out.
    pub(super) fn certified(&self, draft: &mut Draft, id: &PaymentId, root: Signed<Root>) {
        let Some(payment) = self.open_payment(id).filter(|p| p.state == State::Certifying) else { return };
        let mut payment = payment.clone();
        let (Some(request), Some(order)) = (payment.request.clone(), payment.order.clone()) else { return };
        let notes = [Note::fresh(root)];
        payment.message = Some(Payment {
            request,
            order,
            memo: payment.memo.clone(),
            keys: self.certificates_for(&notes),
            notes: NoteTable::pack(&notes),
        });
        draft.then(Effect::Send(payment.id));
        draft.put_payment(payment, State::Sent);
    }

    /// The bank would not certify: nothing reached the payee, the units are free again.
    pub(super) fn not_certified(&self, draft: &mut Draft, id: &PaymentId, code: ErrorCode) {
        let Some(payment) = self.open_payment(id).filter(|p| p.state == State::Certifying) else { return };
        let account = self.account().map(|a| a.units);
        draft.record(payment.entry(Movement::Returned, payment.amount), account);
        self.refund_token(draft, payment);
        draft.put_payment(payment.clone(), State::NotDone(NotDone::BankRefused(code)));
    }

    /// The payee has it. A receipt that somebody else signed, or for another order, changes nothing.
    pub fn receipted(
        &self,
        payment: &Outgoing,
        receipt: Signed<Receipt>,
        node: &Key,
        now: Timestamp,
    ) -> Decision<bool> {
        let mut draft = Draft::at(self, now);
        if !payment.answers(&receipt, node) {
            return Decision::new(draft, false);
        }
        let confirmed = receipt.unverified().confirmed;
        let state = match payment.state {
            // The bank has been asked for the units, and its answer says whose they are. The receipt waits for it.
            State::TakingBack(_) if self.is_asked_back(&payment.id) => {
                draft.put(Change::Outgoing(Outgoing { receipt: Some(receipt), ..payment.clone() }));
                return Decision::new(draft, true);
            }
            State::Sent | State::TakingBack(_) if confirmed => State::Confirmed,
            State::Sent | State::TakingBack(_) => State::Receipted,
            State::Receipted if confirmed => State::Confirmed,
            _ => return Decision::new(draft, matches!(payment.state, State::Receipted | State::Confirmed)),
        };
        let mut payment = payment.clone();
        self.let_go(&mut draft, Holder::Payment(payment.id));
        payment.receipt = Some(receipt);
        if state == State::Confirmed {
            payment.message = None;
        }
        draft.put_payment(payment, state);
        Decision::new(draft, true)
    }

    /// The payee will not have it: the units must come back through the bank before they are spent again (threats H2).
    ///
    /// A certified payment is the payee's already: it stays sent, and he is asked again.
    pub fn refused(
        &self,
        id: &PaymentId,
        code: ErrorCode,
        refusal: Option<Signed<Refusal>>,
        now: Timestamp,
    ) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        let open = self.open_payment(id).filter(|p| p.state == State::Sent);
        let direct = |p: &&Outgoing| p.order.as_ref().is_some_and(|o| o.unverified().mode == Mode::Direct);
        if let Some(payment) = open.filter(direct) {
            let mut payment = payment.clone();
            payment.refusal = refusal;
            draft.then(Effect::Refresh);
            draft.put_payment(payment, State::TakingBack(code));
        }
        Decision::new(draft, ())
    }

    /// Refused payments whose units nobody has asked the bank for yet.
    pub fn to_take_back(&self) -> impl Iterator<Item = PaymentId> + '_ {
        self.open_payments()
            .filter(|p| matches!(p.state, State::TakingBack(_)) && !self.is_asked_back(&p.id))
            .map(|p| p.id)
    }

    fn is_asked_back(&self, id: &PaymentId) -> bool {
        self.open_bank_ops().any(|op| op.what == Operation::TakeBack(*id))
    }

    /// Asks the bank to re-issue a refused payment's units to us.
    pub fn take_back(
        &self,
        id: &PaymentId,
        keys: &OpenKeys,
        fresh: super::banking::Fresh,
        now: Timestamp,
    ) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        let pieces = self.held_by(Holder::Payment(*id));
        let sum = Units::sum(pieces.iter().map(|p| p.range.units())).unwrap_or_default();
        if !sum.is_zero() {
            let to = keys.seed().note(&fresh.hint).key();
            let redemption = self.redemption(RedeemKind::Reissue, fresh.request, Outcome { to, units: sum });
            let what = Operation::TakeBack(*id);
            let op = self.reissue_op(redemption, what, pieces, Some(fresh.hint), keys, now);
            draft.put_op(op, OpState::Asked);
        }
        Decision::new(draft, ())
    }

    /// The bank gave `units` of a refused payment back; none at all means the payee had taken everything.
    pub(super) fn taken_back(&self, draft: &mut Draft, id: &PaymentId, units: Units) {
        let Some(payment) = self.open_payment(id) else { return };
        let State::TakingBack(code) = payment.state else { return };
        if units.is_zero() {
            let state = match payment.receipt.as_ref().map(|receipt| receipt.unverified().confirmed) {
                Some(true) => State::Confirmed,
                Some(false) => State::Receipted,
                None => State::Taken(code),
            };
            draft.put_payment(payment.clone(), state);
        } else {
            let account = self.account().map(|a| a.units);
            draft.record(payment.entry(Movement::Returned, units), account);
            self.refund_token(draft, payment);
            draft.put_payment(payment.clone(), State::Returned(code));
        }
    }

    /// The pieces that are promised to `by`.
    pub(super) fn held_by(&self, by: Holder) -> Vec<Piece> {
        self.notes()
            .flat_map(|n| {
                n.held.iter().filter(move |h| h.by == by).map(|h| Piece { note: n.number, range: h.range })
            })
            .collect()
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
    pub(super) fn let_go(&self, draft: &mut Draft, by: Holder) {
        for note in self.notes().filter(|n| n.held.iter().any(|h| h.by == by)) {
            let mut note = note.clone();
            note.release(by);
            draft.put(Change::Note(note));
        }
    }

    /// Certificates of the issue keys that the notes need.
    fn certificates_for(&self, notes: &[Note]) -> Vec<Signed<KeyCertificate>> {
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
        }
    }
}

impl Outgoing {
    /// Whether this receipt is the payee's word on this payment's order.
    fn answers(&self, receipt: &Signed<Receipt>, node: &Key) -> bool {
        let body = receipt.unverified();
        let signed = receipt.check_by(node).is_ok() || receipt.check_by(&self.payee).is_ok();
        let ours = self.order.as_ref().is_some_and(|order| order.digest() == body.order);
        signed && ours && body.payee == self.payee && body.amount == self.amount
    }

    fn entry(&self, movement: Movement, units: Units) -> NewEntry {
        NewEntry {
            movement,
            units,
            party: self.payee,
            name: Text::new(&self.name, 255).unwrap_or_default(),
            memo: Text::new(&self.memo, 255).unwrap_or_default(),
            id: self.id.0,
        }
    }
}

impl Draft {
    pub(super) fn put_payment(&mut self, mut payment: Outgoing, state: State) {
        payment.changed = self.now();
        let (id, units, word) = (payment.id, payment.amount, state.word().to_owned());
        payment.state = state;
        self.put(Change::Outgoing(payment));
        self.event(Happening::Payment { payment: id, state: word, units });
    }
}
