//! A payment going out, from its first record on disk to its end (SPEC §3.7, N7).
//!
//! ```text
//! Asking ─┬▶ Posted ─▶ Sent
//!         ├▶ Sent ──────────┬▶ Receipted ─▶ Confirmed          done
//!         ├▶ Certifying ─▶ Sent
//!         └▶ NotDone        ├▶ TakingBack ─┬▶ Returned          not done: the bank gave the units back
//!                           │              └▶ Taken             done: the payee had redeemed them after all
//!                           └▶ Reclaiming ─┬▶ Reclaimed         not done: they are on the account
//!                                          └▶ Passed            done: a chain shows that the payee handed them on
//! ```
//! | state | on disk | after a crash | outcome |
//! |---|---|---|---|
//! | Asking | whom, how much; nothing is signed | the payee is asked again | not yet |
//! | Certifying | order, request to the bank | the bank is asked again, the same bytes | in doubt |
//! | Sent | order, notes | the same payment is sent again, until there is an answer | in doubt |
//! | Posted | order, notes, the sealed item ([`super::posting`]) | the same item is posted again; asked back again | in doubt |
//! | TakingBack | the refusal, request to the bank | the bank is asked (again) | in doubt |
//! | Reclaiming | the signed reclaim | the bank is asked how it stands | in doubt, until a date |
//!
//! No date and no refusal frees units: they come back only when the bank has redeemed them to their owner.

pub use super::outgoing::{NotDone, Outgoing, PaymentOutcome, State};

use super::banking::{OpState, Operation};
use super::change::{Answered, Change, Decision, Draft, Effect, Started};
use super::history::Movement;
use super::posting::{POSTED_SECONDS, Post, posted_until};
use super::reserve::{Holder, Piece, Short, Taker};
use super::{OpenKeys, Wallet};
use protocol::bank::{Outcome, RedeemKind};
use protocol::body::{Body, Text};
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::money::Units;
use protocol::note::{Destination, Note, NoteTable, Root};
use protocol::pay::{Mode, Order, Payment, Receipt, Refusal, Request, list_of_notes, list_of_roots};
use protocol::sign::{Signed, Verified};
use protocol::time::{DAY_SECONDS, Timestamp};
use protocol::wire::ErrorCode;

/// How long a payee may take an order.
const ORDER_SECONDS: u64 = 7 * DAY_SECONDS;

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

/// What a payee answered to an offer.
#[derive(Clone, Debug)]
pub struct Terms<'a> {
    /// What to pay.
    pub request: &'a Verified<Request>,
    /// Whether he wants it certified, though the request at hand did not say so.
    pub certified: bool,
    /// His certified name.
    pub name: String,
    /// Whether he is off, so that it goes into his mailbox.
    pub post: bool,
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
            back: Units::ZERO,
            proof: None,
            until: None,
            post: None,
        };
        draft.then(Effect::Offer(payment.id));
        draft.put_payment(payment, State::Asking);
        Ok(Decision::new(draft, new.id))
    }

    /// The payee will not, or can't be asked: nothing was signed, so nothing is lost.
    pub fn offer_failed(&self, id: &PaymentId, why: NotDone, now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        if let Some(payment) = self.open_payment(id).filter(|p| p.state == State::Asking) {
            self.refund_token(&mut draft, payment, payment.amount);
            draft.put_payment(payment.clone(), State::NotDone(why));
        }
        Decision::new(draft, ())
    }

    /// The payee made a request, or ours is still open: sign, hold the units, and send or certify.
    pub fn offer_accepted(
        &self,
        id: &PaymentId,
        terms: Terms<'_>,
        keys: &OpenKeys,
        bank_request: RequestId,
        now: Timestamp,
    ) -> Decision<()> {
        let Terms { request, certified, name, post } = terms;
        let mut draft = Draft::at(self, now);
        let Some(payment) = self.open_payment(id).filter(|p| p.state == State::Asking) else {
            return Decision::new(draft, ());
        };
        let mut payment = payment.clone();
        if request.payee() != payment.payee || !request.amount.allows(payment.amount) {
            let why = NotDone::BadRequest("the payee answered with another request".to_owned());
            self.refund_token(&mut draft, &payment, payment.amount);
            draft.put_payment(payment, State::NotDone(why));
            return Decision::new(draft, ());
        }
        payment.request = Some(request.signed().clone());
        payment.name = name;
        let direct = request.mode == Mode::Direct && !payment.certified && !certified;
        payment.post = post.then(|| Post::until(now.plus_seconds(POSTED_SECONDS)));
        let pieces = match direct.then(|| self.select(payment.amount, Taker::Payee(now))) {
            Some(Ok(pieces)) if !post || self.fits_mailbox(&pieces) => Ok((Mode::Direct, pieces)),
            // Too scattered, long or old for a payee: the bank makes one fresh note of it.
            _ => self.select(payment.amount, Taker::Bank).map(|pieces| (Mode::Certified, pieces)),
        };
        match pieces {
            Ok((Mode::Direct, pieces)) => self.pay_directly(&mut draft, payment, request, &pieces, keys),
            Ok((Mode::Certified, pieces)) => {
                self.certify(&mut draft, payment, request, pieces, keys, bank_request);
            }
            Err(Short::Funds { free } | Short::Form { payable: free }) => {
                self.refund_token(&mut draft, &payment, payment.amount);
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
        let mut order = self.order(&payment, request, Mode::Direct, list_of_notes(&tips), draft.now());
        if let Some(post) = &mut payment.post {
            order.expires = posted_until(&notes, post.until);
            post.until = order.expires;
        }
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
        self.on_its_way(draft, payment);
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
        self.on_its_way(draft, payment);
    }

    /// The bank would not certify: nothing reached the payee, the units are free again.
    pub(super) fn not_certified(&self, draft: &mut Draft, id: &PaymentId, code: ErrorCode) {
        let Some(payment) = self.open_payment(id).filter(|p| p.state == State::Certifying) else { return };
        let account = self.account().map(|a| a.units);
        draft.record(payment.entry(Movement::Returned, payment.amount), account);
        self.refund_token(draft, payment, payment.amount);
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
            // What the bank says decides; the receipt is kept beside it, and helps the payee to his units.
            State::Reclaiming | State::Reclaimed | State::Passed => {
                self.late_receipt(&mut draft, payment, receipt);
                return Decision::new(draft, true);
            }
            // The bank has been asked for the units, and its answer says whose they are. The receipt waits for it.
            State::TakingBack(_) if self.is_asked_back(&payment.id) => {
                draft.put(Change::Outgoing(Outgoing { receipt: Some(receipt), ..payment.clone() }));
                return Decision::new(draft, true);
            }
            State::Sent | State::Posted | State::Issued | State::TakingBack(_) if confirmed => {
                State::Confirmed
            }
            State::Sent | State::Posted | State::Issued | State::TakingBack(_) => State::Receipted,
            State::Receipted if confirmed => State::Confirmed,
            _ => return Decision::new(draft, matches!(payment.state, State::Receipted | State::Confirmed)),
        };
        let mut payment = payment.clone();
        self.let_go(&mut draft, &[Holder::Payment(payment.id), Holder::Disputed(Some(payment.id))]);
        payment.receipt = Some(receipt);
        if state == State::Confirmed {
            payment.message = None;
        }
        draft.put_payment(payment, state);
        Decision::new(draft, true)
    }

    /// The payee will not have it: the units must come back through the bank before they are spent again (threats H2).
    ///
    /// A certified payment is the payee's already: it stays issued, and he is asked again.
    pub fn refused(
        &self,
        id: &PaymentId,
        code: ErrorCode,
        refusal: Option<Signed<Refusal>>,
        now: Timestamp,
    ) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        let open = self.open_payment(id).filter(|p| matches!(p.state, State::Sent | State::Posted));
        if let Some(payment) = open {
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
        // What the bank refused without proof is asked for alone, or it would hold up the rest.
        let pieces = Some(self.held_by(Holder::Payment(*id))).filter(|pieces| !pieces.is_empty());
        let pieces = pieces.unwrap_or_else(|| self.held_by(Holder::Disputed(Some(*id))));
        // The rest follows when these are answered.
        let pieces = self.that_fit_a_message(pieces.into_iter());
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
}
