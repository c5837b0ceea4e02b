//! What is under way to others: each thing once at a time, asked again with growing patience until answered.

use super::input::Input;
use super::outbox::{Job, Outbox};
use crate::store::{RedbStore, Store};
use crate::wallet::banking::BankOp;
use crate::wallet::change::{Committed, Effect};
use crate::wallet::ordering::PurchaseState;
use crate::wallet::paying::{Outgoing, State};
use crate::wallet::reclaiming::conceded;
use crate::wallet::{OpenKeys, Wallet};
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::node::clock::Clock;
use protocol::note::{Note, NoteTable};
use protocol::pay::Defence;
use protocol::pay::{Receipt, list_of_notes};
use protocol::sign::Signer;
use protocol::time::Timestamp;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a payee is asked for a request before the payment counts as not done.
pub const OFFER_PATIENCE_SECONDS: u64 = 15;
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(120);
/// The longest pause before something is looked at again that takes days.
const REST_MAX: Duration = Duration::from_secs(3600);
/// The same of an order, whose goods may be ready any minute.
const REST_OF_ORDERS: Duration = Duration::from_secs(60);
/// How long the engine waits for what is nearly there.
const A_MOMENT: Duration = Duration::from_millis(200);
/// A confirmation is a courtesy: after so many tries it waits for the payer to ask.
const CONFIRM_TRIES: u32 = 12;

/// After so many tries it goes by mail.
const BY_MAIL_AFTER: u32 = 4;

/// Something under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flight {
    /// A payee is asked for a request.
    Offer(PaymentId),
    /// A payment is sent.
    Send(PaymentId),
    /// A payment is sealed for a mailbox.
    Seal(PaymentId),
    /// Mail is asked back.
    MailBack(PaymentId),
    /// The bank is asked.
    Bank(RequestId),
    /// A payer is told that his money is safe.
    Confirm(Key, PaymentId),
    /// The bank is asked how our cases stand.
    Cases,
    /// The bank is told what we say in a case.
    Defend(u64),
    /// The bank is shown chains that go on from reclaimed keys.
    Contest(Digest),
    /// The bank is given a newer identity record.
    Publish,
    /// A shop is told of an order, or asked how it stands.
    Order(RequestId),
    /// The bank is asked how our holds stand.
    Holds,
    /// What the bank has written about the account is fetched.
    Letters,
}

#[derive(Clone, Copy)]
struct Retry {
    tries: u32,
    due: Duration,
}

#[derive(Default)]
struct Traffic {
    flying: HashSet<Flight>,
    retries: HashMap<Flight, Retry>,
    /// What no record on disk makes again.
    kept: HashMap<Flight, Job>,
    /// Not before the vault has what they are about.
    held: HashSet<Flight>,
}

/// What is under way, and when what was not answered is due again.
#[derive(Clone)]
pub struct Jobs {
    outbox: Arc<Outbox>,
    clock: Clock,
    node: Signer,
    traffic: Arc<Mutex<Traffic>>,
}

impl Jobs {
    /// Nothing under way yet.
    pub fn new(outbox: Arc<Outbox>, clock: Clock, node: Signer) -> Jobs {
        Jobs { outbox, clock, node, traffic: Arc::default() }
    }

    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts whatever is open, not under way and due: after a restart that is everything.
    pub fn start_open(&self, wallet: &Wallet, _: &Committed) {
        let now = Timestamp(self.clock.now_seconds());
        for payment in wallet.open_payments() {
            match payment.state {
                State::Asking => self.launch(Flight::Offer(payment.id), || Job::Offer(payment.clone())),
                State::Sent | State::Issued => {
                    self.launch(Flight::Send(payment.id), || Job::Send(payment.clone()))
                }
                _ => {}
            }
            if payment.is_to_seal(now) {
                self.launch(Flight::Seal(payment.id), || Job::Seal(payment.clone()));
            }
            if payment.is_asked_back() {
                self.launch(Flight::MailBack(payment.id), || Job::MailBack(payment.clone()));
            }
        }
        for op in wallet.open_bank_ops() {
            self.launch(Flight::Bank(op.id), || Job::Bank(op.clone()));
        }
        for purchase in wallet.open_purchases().filter(|p| p.state != PurchaseState::Holding) {
            self.launch(Flight::Order(purchase.id), || Job::Order(Box::new(purchase.clone())));
        }
        wallet.to_concede().for_each(|payment| self.concede(payment));
        let waiting: Vec<(Flight, Job)> = {
            let (traffic, now) = (self.traffic(), self.clock.monotonic());
            let by_mail =
                |flight| traffic.retries.get(flight).is_some_and(|retry| retry.tries >= BY_MAIL_AFTER);
            let due = |flight: &Flight| traffic.retries.get(flight).is_none_or(|retry| retry.due <= now);
            // A till that was alone for a day has a confirmation for each of its payers.
            let starts = |(flight, _): &(&Flight, &Job)| due(flight) && !traffic.flying.contains(*flight);
            traffic.kept.iter().filter(starts).map(|(f, job)| (*f, job.clone().by_mail(by_mail(f)))).collect()
        };
        for (flight, job) in waiting {
            self.launch(flight, || job);
        }
    }

    /// Starts what a decision asks for, now that it is on disk.
    pub fn start(&self, effect: Effect, wallet: &Wallet, store: &Arc<RedbStore>, keys: Option<&OpenKeys>) {
        let open = |id: &PaymentId| wallet.open_payment(id).cloned();
        match effect {
            Effect::Offer(id) => self.start_payment(Flight::Offer(id), open(&id), Job::Offer),
            Effect::Send(id) => self.start_payment(Flight::Send(id), open(&id), Job::Send),
            Effect::Seal(id) => self.start_payment(Flight::Seal(id), open(&id), Job::Seal),
            Effect::MailBack(id) => self.start_payment(Flight::MailBack(id), open(&id), Job::MailBack),
            Effect::Bank(id) => {
                let op: Option<BankOp> = wallet.open_bank_op(&id).cloned();
                if let Some(op) = op {
                    self.launch(Flight::Bank(id), || Job::Bank(op));
                }
            }
            Effect::Confirm { payer, payment } => {
                if let Ok(Some(incoming)) = store.incoming(&payer, &payment) {
                    let body = incoming.receipt.unverified();
                    let receipt = Receipt { confirmed: true, ..body.clone() };
                    // With the owner's own signature where he is there to give it.
                    let signer = keys.map_or(&self.node, OpenKeys::owner);
                    let job = Job::Confirm { payer, payment, receipt: signer.sign(receipt), by_mail: false };
                    let flight = Flight::Confirm(payer, payment);
                    self.keep(flight, job);
                }
            }
            Effect::Concede(id) => {
                if let Some(payment) = wallet.open_payment(&id) {
                    self.concede(payment);
                }
            }
            Effect::Order(id) => {
                if let Some(purchase) = wallet.open_purchase(&id).cloned() {
                    // What has changed is said at once, whatever was to be asked later.
                    self.release(&Flight::Order(id));
                    self.launch(Flight::Order(id), || Job::Order(Box::new(purchase)));
                }
            }
            Effect::Refresh | Effect::Cases | Effect::Letters => {}
        }
    }

    /// Sends a job that nothing on disk makes again, until it is answered.
    fn keep(&self, flight: Flight, job: Job) {
        self.traffic().kept.insert(flight, job.clone());
        self.launch(flight, || job);
    }

    /// Sends a payment again whose payee has answered it before.
    pub fn offer_once_more(&self, payment: Outgoing) {
        self.launch(Flight::Send(payment.id), || Job::Send(payment));
    }

    /// Asks how our holds stand that changed after a journal entry.
    pub fn ask_for_holds(&self, after: u64) {
        self.release(&Flight::Holds);
        self.launch(Flight::Holds, || Job::Holds(after));
    }

    /// Fetches what the bank has written about the account after a journal entry; not while that is under way, or shortly
    /// after it came to nothing.
    pub fn ask_for_letters(&self, after: u64) -> bool {
        let now = self.clock.monotonic();
        let rests = {
            let traffic = self.traffic();
            let waits = traffic.retries.get(&Flight::Letters).is_some_and(|retry| retry.due > now);
            waits || traffic.flying.contains(&Flight::Letters)
        };
        if !rests {
            self.launch(Flight::Letters, || Job::Letters(after));
        }
        !rests
    }

    /// Asks how our cases stand.
    pub fn ask_for_cases(&self) {
        self.launch(Flight::Cases, || Job::Cases);
    }

    /// Says in a case what we have to say.
    pub fn defend(&self, case: u64, defences: Vec<Defence>) {
        self.launch(Flight::Defend(case), || Job::Defend(case, defences));
    }

    /// Shows chains that go on from reclaimed keys.
    pub fn contest(&self, notes: &[Note]) {
        let tips: Vec<Digest> = notes.iter().filter_map(|n| n.holding().ok()).map(|h| h.tip).collect();
        let flight = Flight::Contest(list_of_notes(&tips));
        self.keep(flight, Job::Contest(flight, NoteTable::pack(notes)));
    }

    fn concede(&self, payment: &Outgoing) {
        let Some(table) = conceded(payment) else { return };
        let flight = Flight::Contest(payment.order.as_ref().map(|o| o.unverified().list).unwrap_or_default());
        self.launch(flight, || Job::Contest(flight, table));
    }

    fn start_payment(&self, flight: Flight, payment: Option<Outgoing>, job: impl FnOnce(Outgoing) -> Job) {
        if let Some(payment) = payment {
            self.launch(flight, || job(payment));
        }
    }

    /// Sends a job on its way, unless it is under way or not due.
    fn launch(&self, flight: Flight, job: impl FnOnce() -> Job) {
        let now = self.clock.monotonic();
        {
            let mut traffic = self.traffic();
            if traffic.held.contains(&flight) {
                return;
            }
            if traffic.retries.get(&flight).is_some_and(|retry| retry.due > now)
                || !traffic.flying.insert(flight)
            {
                return;
            }
        }
        self.outbox.launch(job());
    }

    /// A newer identity record on its way.
    pub(super) fn publish(&self, flight: Flight, job: Job) {
        self.release(&flight);
        self.launch(flight, || job);
    }

    /// Not to be started until it is released.
    pub(super) fn hold(&self, flight: Flight) {
        self.traffic().held.insert(flight);
    }

    /// It may be started, whatever was tried before.
    pub(super) fn release(&self, flight: &Flight) {
        let mut traffic = self.traffic();
        traffic.held.remove(flight);
        traffic.retries.remove(flight);
    }

    /// Answered: nothing more to do.
    pub fn done(&self, flight: &Flight) {
        let mut traffic = self.traffic();
        traffic.flying.remove(flight);
        traffic.retries.remove(flight);
        traffic.kept.remove(flight);
    }

    /// Answered, and to be asked again in a while: the pause grows from half a minute to an hour.
    pub fn rest(&self, flight: Flight) {
        let now = self.clock.monotonic();
        let mut traffic = self.traffic();
        traffic.flying.remove(&flight);
        traffic.kept.remove(&flight);
        let tries = traffic.retries.get(&flight).map_or(0, |retry| retry.tries) + 1;
        let longest = if matches!(flight, Flight::Order(_)) { REST_OF_ORDERS } else { REST_MAX };
        let pause = Duration::from_secs(15).saturating_mul(1 << tries.min(8)).min(longest);
        traffic.retries.insert(flight, Retry { tries, due: now + pause });
    }

    /// Not answered: again later, each time a little later, up to two minutes.
    pub fn unanswered(&self, flight: Flight) {
        let now = self.clock.monotonic();
        let mut traffic = self.traffic();
        traffic.flying.remove(&flight);
        let tries = traffic.retries.get(&flight).map_or(0, |retry| retry.tries) + 1;
        let pause = Duration::from_millis(250).saturating_mul(1 << tries.min(10)).min(PAUSE_MAX);
        traffic.retries.insert(flight, Retry { tries, due: now + pause });
        if matches!(flight, Flight::Confirm(..)) && tries > CONFIRM_TRIES {
            traffic.kept.remove(&flight);
            traffic.retries.remove(&flight);
        }
    }

    /// The payee has answered an offer, one way or another.
    pub fn answered_offer(&self, id: &PaymentId) {
        self.done(&Flight::Offer(*id));
    }

    /// The payee could not be asked: in a moment again.
    pub fn offer_again(&self, id: &PaymentId) {
        self.unanswered(Flight::Offer(*id));
    }

    /// Brings an input to the engine in a moment.
    pub fn later(&self, input: Input) {
        self.outbox.later(input, A_MOMENT);
    }

    /// The bank is back: what waits for it need not wait longer.
    pub fn bank_is_back(&self) {
        self.traffic().retries.retain(|flight, _| !matches!(flight, Flight::Bank(_) | Flight::MailBack(_)));
    }
}
