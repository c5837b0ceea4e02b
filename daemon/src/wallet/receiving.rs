//! When a payee says yes: the checks that need what he holds, and what saying yes puts on disk (SPEC §3.3, N7).
//!
//! By the time a payment comes here its papers, signatures, chains and sums are proved: the type says so.
//! Left are, in this order: was it answered before; is the request still open; do its chains agree with
//! what we hold or held; is it within policy. A *yes* is credit, dedup and receipt in one commit.

use super::Wallet;
use super::banking::CallKey;
use super::change::{Answered, Change, Decision, Draft, Effect, Happening, Started};
use super::forks::{ForkRecord, fork_of};
use super::history::{Movement, NewEntry};
use super::paying::{Outgoing, State};
use super::policy::Policy;
use super::reserve::{Holder, OwnNote};
use protocol::body::Text;
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::money::Units;
use protocol::note::{Relation, VerifiedNote, compare};
use protocol::pay::{Mode, Order, Receipt, Refusal, Request, VerifiedPayment};
use protocol::range::{Range, RangeSet};
use protocol::sign::{Signed, Signer};
use protocol::time::Timestamp;
use protocol::wire::ErrorCode;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A payment that came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incoming {
    /// The payer's owner key.
    pub payer: Key,
    /// His payment id.
    pub payment: PaymentId,
    /// His order.
    pub order: Signed<Order>,
    /// The request it answers.
    pub request: RequestId,
    /// His certified name.
    pub name: String,
    /// How much.
    pub amount: Units,
    /// What for.
    pub memo: String,
    /// When it came.
    pub at: Timestamp,
    /// Our receipt: the same for the same order, for ever.
    pub receipt: Signed<Receipt>,
    /// Whether we have been to the bank with it, or it came certified.
    pub confirmed: bool,
    /// Units of it that the bank refused: they had been spent before.
    pub lost: Units,
    /// Our numbers for its notes.
    pub notes: Vec<u64>,
}

/// A request of ours: made for somebody, or paid by somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// The request.
    pub request: Signed<Request>,
    /// Who paid it, and under which payment id.
    pub paid: Option<(Key, PaymentId)>,
    /// Orders that were told «certified, please»: they stay refused, since their payers take the units back.
    pub refused: Vec<Digest>,
    /// When its owner closed it: no direct payment is taken from then on, for ever.
    #[serde(default)]
    pub closed: Option<Timestamp>,
}

/// After so many refused orders a request takes certified money only.
const REFUSED_MAX: usize = 16;

impl RequestRecord {
    /// A request that nobody has paid yet.
    pub fn open(request: Signed<Request>) -> RequestRecord {
        RequestRecord { request, paid: None, refused: Vec::new(), closed: None }
    }

    fn takes_directly(&self, order: &Digest) -> bool {
        self.refused.len() < REFUSED_MAX && !self.refused.contains(order)
    }
}

/// What the store was asked about a payment before deciding.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// A payment of this payer with this id.
    pub earlier: Option<Incoming>,
    /// The request it answers, if it is on record.
    pub request: Option<RequestRecord>,
    /// All notes, live or spent, that we hold or held over the roots it brings.
    pub notes: Vec<OwnNote>,
    /// Forks over those roots that were seen before.
    pub forks: Vec<ForkRecord>,
}

impl Known {
    /// The request's record; a new one if it was made for one payer and not kept.
    fn record(&self, payment: &VerifiedPayment) -> RequestRecord {
        let new = || RequestRecord::open(payment.request().signed().clone());
        self.request.clone().unwrap_or_else(new)
    }
}

/// What came of closing a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// It takes no direct payment any more.
    Closed,
    /// Somebody was faster.
    Paid(Key, PaymentId),
}

/// What the payer is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Received.
    Receipt(Signed<Receipt>),
    /// Opened, and not wanted; signed.
    Refused(Signed<Refusal>),
    /// Not done.
    Error(ErrorCode),
}

impl Incoming {
    pub(super) fn entry(&self, movement: Movement, units: Units) -> NewEntry {
        NewEntry {
            movement,
            units,
            party: self.payer,
            name: Text::new(&self.name, 255).unwrap_or_default(),
            memo: Text::new(&self.memo, 255).unwrap_or_default(),
            id: self.payment.0,
        }
    }
}

impl Wallet {
    /// The answer that an order got before: looked up before anything else is checked. What has been safe since then
    /// is said to be: a payer who asks again hears what a lost confirmation would have told him (threats X6).
    pub fn earlier_answer(earlier: &Incoming, order: &Digest, node: &Signer) -> Verdict {
        let first = earlier.receipt.unverified();
        if earlier.order.digest() != *order {
            // Another body under a known id never gets somebody else's answer (threats H4).
            Verdict::Error(ErrorCode::IdReused)
        } else if earlier.confirmed && !first.confirmed && earlier.order.unverified().mode == Mode::Direct {
            Verdict::Receipt(node.sign(Receipt { confirmed: true, ..first.clone() }))
        } else if earlier.receipt.check_by(&node.key()).is_ok() {
            Verdict::Receipt(earlier.receipt.clone())
        } else {
            // By a machine that is lost: of two of them the payer may know neither the one nor the other, but this one.
            Verdict::Receipt(node.sign(first.clone()))
        }
    }

    /// Says yes or no to a proved payment.
    pub fn receive(
        &self,
        payment: &VerifiedPayment,
        known: &Known,
        node: &Signer,
        now: Timestamp,
    ) -> Decision<Verdict> {
        let order = payment.order().digest();
        if let Some(earlier) = &known.earlier {
            return Decision::reply(Wallet::earlier_answer(earlier, &order, node));
        }
        // What a lost machine of ours gave a receipt for is as much ours as certified money: no limit and no earlier no
        // of this machine counts against it.
        if payment.was_taken_before() {
            return self.receive_again(payment, order, known, node, now);
        }
        let direct = payment.order().mode == Mode::Direct;
        if direct && known.request.as_ref().is_some_and(|record| !record.takes_directly(&order)) {
            return Decision::reply(Verdict::Error(ErrorCode::NeedCertified));
        }
        let used = known.request.as_ref().and_then(|record| record.paid);
        // Certified money is ours already: refused, it would be nobody's. It is taken beside the first.
        if used.is_some() && direct {
            return Decision::reply(Verdict::Error(ErrorCode::RequestUsed));
        }
        // For ever, so this needs no mark of its own. Certified money is taken here, too.
        if direct && known.request.as_ref().is_some_and(|record| record.closed.is_some()) {
            return Decision::reply(Verdict::Error(ErrorCode::RequestClosed));
        }
        if let Some((code, own, theirs)) = self.clash(payment, &known.notes) {
            if code != ErrorCode::Fork {
                return Decision::reply(Verdict::Error(code));
            }
            let mut draft = Draft::at(self, now);
            let mut record = known.record(payment);
            if direct && record.takes_directly(&order) {
                record.refused.push(order);
                draft.put(Change::Request(record));
            }
            if let Some(fork) = fork_of(own, theirs, payment, known, now) {
                draft.put_fork(fork, known);
            }
            return Decision::new(draft, Verdict::Refused(node.sign(Refusal { order, code, at: now })));
        }
        if payment.order().mode < self.least_mode(payment, now) {
            return self.want_certified(payment, order, known, now);
        }
        self.credit(payment, order, known, node, now)
    }

    /// A direct order on a request of ours is told no for a reason that may pass. It stays refused: its payer takes
    /// the units back, and the same order, shown once more, would bring what the bank has redeemed (threats X2, H2).
    pub fn refuse_for_good(
        &self,
        request: &Signed<Request>,
        order: Digest,
        known: Option<RequestRecord>,
        now: Timestamp,
    ) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        let mut record = known.unwrap_or_else(|| RequestRecord::open(request.clone()));
        if record.takes_directly(&order) {
            record.refused.push(order);
            draft.put(Change::Request(record));
        }
        Decision::new(draft, ())
    }

    /// What we would take from somebody: asked when he offers, and again when the money comes.
    pub fn mode_for(&self, payer: &Key, payer_limit: Units, units: Units, now: Timestamp) -> Mode {
        let policy = self.policy_now(now);
        policy.mode_for(units, payer_limit, self.unconfirmed_from(payer), self.unconfirmed_total())
    }

    /// The limits that hold now: less is taken from who may have been suspended in the meantime.
    pub fn policy_now(&self, now: Timestamp) -> Cow<'_, Policy> {
        if self.is_stale(now) {
            return Cow::Owned(self.policy().when_stale());
        }
        Cow::Borrowed(self.policy())
    }

    /// Keeps a request that the owner made.
    pub fn record_request(
        &self,
        record: RequestRecord,
        call: CallKey,
        now: Timestamp,
    ) -> Decision<RequestId> {
        let mut draft = Draft::at(self, now);
        let id = record.request.unverified().id;
        if let Some((method, key, params)) = call {
            let started = Started::Request(id);
            draft.put(Change::Answered(Answered { method, key, params, started }));
        }
        draft.put(Change::Request(record));
        Decision::new(draft, id)
    }

    /// Closes a request of ours, unless somebody has paid it: who would pay it from now on is told before he signs.
    pub fn close_request(&self, record: RequestRecord, now: Timestamp) -> Decision<Closing> {
        if let Some((payer, payment)) = record.paid {
            return Decision::reply(Closing::Paid(payer, payment));
        }
        let mut draft = Draft::at(self, now);
        if record.closed.is_none() {
            draft.put(Change::Request(RequestRecord { closed: Some(now), ..record }));
        }
        Decision::new(draft, Closing::Closed)
    }

    /// Other rules for taking money directly.
    pub fn set_policy(&self, policy: Policy, now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        draft.put(Change::Policy(policy));
        Decision::new(draft, ())
    }

    fn least_mode(&self, payment: &VerifiedPayment, now: Timestamp) -> Mode {
        let payer = payment.payer();
        self.mode_for(&payer.owner(), payer.certificate.offline_limit, payment.order().amount, now)
    }

    /// Room under the limits comes and goes; the answer to this order does not.
    fn want_certified(
        &self,
        payment: &VerifiedPayment,
        order: Digest,
        known: &Known,
        now: Timestamp,
    ) -> Decision<Verdict> {
        let mut draft = Draft::at(self, now);
        let mut record = known.record(payment);
        record.refused.push(order);
        draft.put(Change::Request(record));
        Decision::new(draft, Verdict::Error(ErrorCode::NeedCertified))
    }

    fn credit(
        &self,
        payment: &VerifiedPayment,
        order: Digest,
        known: &Known,
        node: &Signer,
        now: Timestamp,
    ) -> Decision<Verdict> {
        let mut draft = Draft::at(self, now);
        let (body, payer) = (payment.order(), payment.payer());
        let certified = body.mode == Mode::Certified;
        let hint = payment.request().ticket.unverified().hint;
        let mut numbers = Vec::new();
        for note in payment.notes() {
            let number = draft.note_number();
            numbers.push(number);
            // To a key from before the restore: the other copy may have had it, and handed it on.
            let fenced = self.fence().is_some() && payment.request().node != node.key();
            if fenced || payment.was_taken_before() {
                draft.put(Change::Fenced(number));
            }
            draft.put(Change::Note(OwnNote {
                number,
                note: (**note).clone(),
                hint,
                confirmed: certified,
                free: self.not_here_already(payment, note, &known.notes),
                held: Vec::new(),
                redeemed: RangeSet::empty(),
                from: Some((payer.owner(), body.payment)),
                disputed: None,
            }));
        }
        for certificate in payment.learned() {
            draft.put(Change::BankKey(certificate.clone()));
        }
        let receipt = node.sign(Receipt {
            order,
            payee: self.owner().key,
            amount: body.amount,
            received: now,
            // Certified money is final, and yet it can be lost with this disk until the vault has it: its payer keeps it
            // that long (threats X6).
            confirmed: certified && !self.vaulted,
        });
        draft.put(Change::Incoming(Incoming {
            payer: payer.owner(),
            payment: body.payment,
            order: body.signed().clone(),
            request: payment.request().id,
            name: payer.certificate.name.as_str().to_owned(),
            amount: body.amount,
            memo: payment.memo().as_str().to_owned(),
            at: now,
            receipt: receipt.clone(),
            confirmed: certified,
            lost: Units::ZERO,
            notes: numbers,
        }));
        let waited_for = known.request.is_some() && payment.was_taken_before();
        if !waited_for {
            let mut record = known.record(payment);
            record.paid.get_or_insert((payer.owner(), body.payment));
            draft.put(Change::Request(record));
        }
        let entry = NewEntry {
            movement: Movement::Received,
            units: body.amount,
            party: payer.owner(),
            name: payer.certificate.name.clone(),
            memo: payment.memo().clone(),
            id: body.payment.0,
        };
        let back = self.here_already(payment, &known.notes);
        let back =
            back.plus(self.handed_on_by_the_lost_one(&mut draft, payment, &known.notes)).unwrap_or(back);
        draft.record(entry.clone(), self.account().map(|a| a.units));
        if !back.is_zero() {
            let passed = NewEntry { movement: Movement::Passed, units: back, ..entry };
            draft.record(passed, self.account().map(|a| a.units));
        }
        // Whoever has the lost machine can sign such a receipt: nobody who waits for a request hands anything out for it.
        if !waited_for {
            draft.event(Happening::Received {
                payment: body.payment,
                payer: payer.owner(),
                units: body.amount,
                request: payment.request().id,
            });
        }
        if !certified {
            draft.then(Effect::Refresh);
        }
        Decision::new(draft, Verdict::Receipt(receipt))
    }

    /// A payment that a lost machine of ours gave a receipt for comes in behind the fence. What is wrong with it is no
    /// refusal: its payer has our word already. Two chains over its units are kept as evidence.
    fn receive_again(
        &self,
        payment: &VerifiedPayment,
        order: Digest,
        known: &Known,
        node: &Signer,
        now: Timestamp,
    ) -> Decision<Verdict> {
        let Some((code, own, theirs)) = self.clash(payment, &known.notes) else {
            return self.credit(payment, order, known, node, now);
        };
        let mut draft = Draft::at(self, now);
        if code == ErrorCode::Fork
            && let Some(fork) = fork_of(own, theirs, payment, known, now)
        {
            draft.put_fork(fork, known);
        }
        Decision::new(draft, Verdict::Error(code))
    }

    /// Compares the payment's chains with all that we hold or held over the same roots (threats X1).
    fn clash<'a>(
        &self,
        payment: &'a VerifiedPayment,
        ours: &'a [OwnNote],
    ) -> Option<(ErrorCode, &'a OwnNote, &'a VerifiedNote)> {
        let pairs = payment.notes().iter().flat_map(|theirs| ours.iter().map(move |own| (own, theirs)));
        pairs.into_iter().find_map(|(own, theirs)| {
            let code = match compare(&own.note, theirs) {
                Relation::Apart => None,
                Relation::Seen if self.went_through_the_lost_machine(theirs, ours) => None,
                Relation::Seen => Some(ErrorCode::DuplicateNote),
                Relation::Fork { .. } => Some(ErrorCode::Fork),
                Relation::ComesHome if self.the_lost_one_had(payment, own) => {
                    self.is_on_its_way_back(own, theirs.holding().range).then_some(ErrorCode::Busy)
                }
                Relation::ComesHome => self.comes_home(own, theirs.holding().range),
            };
            code.map(|code| (code, own, theirs))
        })
    }

    /// Our units come home, unless we know better. A payee who refused them, saw them taken back, and pays with
    /// them afterwards has signed nothing twice: it is ours to remember that they are redeemed.
    fn comes_home(&self, own: &OwnNote, range: Range) -> Option<ErrorCode> {
        let mut promised = own.held.iter().filter(|hold| hold.range.overlaps(range));
        if own.redeemed.overlaps(range) {
            return Some(ErrorCode::Clash);
        }
        // Were they still here, or only promised to the bank, our key would be signing somewhere else.
        if own.free.overlaps(range) || promised.any(|hold| hold.by.is_bank()) {
            return Some(ErrorCode::Fork);
        }
        self.is_on_its_way_back(own, range).then_some(ErrorCode::Busy)
    }

    /// On their way back through the bank: whose they are it has to say first.
    fn is_on_its_way_back(&self, own: &OwnNote, range: Range) -> bool {
        let mut promised = own.held.iter().filter(|hold| hold.range.overlaps(range));
        promised.any(|hold| self.is_coming_back(&hold.by))
    }

    fn is_coming_back(&self, by: &Holder) -> bool {
        let (Holder::Payment(id) | Holder::Disputed(Some(id))) = by else { return false };
        let coming = |p: &Outgoing| matches!(p.state, State::TakingBack(_) | State::Reclaiming);
        self.open_payment(id).is_some_and(coming)
    }
}
