//! The one task that owns the wallet: inputs in, decisions made, one commit a batch, effects out.
//!
//! ```text
//! rpc, network, timers ─▶ Input ─▶ Core::handle ─▶ Batch ─▶ commit ─▶ replies, events, jobs ─▶ (Input again)
//! ```
//! It runs on a thread of its own, because commits block. Verifying, sealing and asking happen in tasks
//! around it. If the disk fails, what is in memory is ahead of it: callers are told, and the program ends.

pub mod contact;
pub mod handle;
pub mod inbound;
mod input;
pub mod jobs;
pub mod link;
pub mod outbox;

pub use handle::{Engine, Shared};
pub use input::{BankCall, CallFault, Input, LockState, OfferReply, Reply, RequestOrder, TryOutcome};

use crate::keyring::Keyring;
use crate::store::{RedbStore, Store, StoreFault};
use crate::wallet::Wallet;
use crate::wallet::banking::{CallKey, Fresh};
use crate::wallet::change::{Answered, Batch, Committed, Decision, Sealed, Started};
use crate::wallet::paying::{NewPayment, NotDone, State};
use crate::wallet::receiving::{Known, RequestRecord, Verdict};
use jobs::Jobs;
use protocol::bank::{AccountQuery, Letter, Party};
use protocol::body::Text;
use protocol::id::{Digest, Hint, Key, PaymentId, RequestId};
use protocol::key::KeyTicket;
use protocol::node::chance::chance_bytes;
use protocol::node::host::disk;
use protocol::pay::{AmountRule, MEMO_MAX, Mode, Receipt, Request, VerifiedPayment};
use protocol::sign::Signed;
use protocol::time::Timestamp;
use protocol::wire::{BankAnswer, ErrorCode, Offer, PayAnswer};
use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Most inputs that share a commit.
const BATCH_MAX: usize = 64;
/// Tickets are taken out of the pool so many at a time.
const TICKETS_AT_ONCE: usize = 32;
/// The pool is filled up to so many tickets at unlock.
const TICKETS_FULL: usize = 512;
/// How long an answer to an offer runs.
const OFFER_SECONDS: u64 = 3600;
/// Less free room than this, and no money is moved: a commit must not be the one that finds out.
const DISK_MIN: u64 = 16 << 20;

/// A bank that refuses a renewal as a whole is not asked for another at once.
const BANK_REST: Duration = Duration::from_secs(60);

/// Something the current batch is about to change in the store, so that a question about it has to wait for the commit.
#[derive(PartialEq, Eq, Hash)]
enum Pending {
    Incoming(Key, PaymentId),
    Request(RequestId),
    Root(Digest),
    Call(String, String),
    Outgoing(PaymentId),
}

type After = Box<dyn FnOnce(&Committed) + Send>;

/// What the engine's thread owns.
pub struct Core {
    wallet: Wallet,
    keyring: Keyring,
    store: Arc<RedbStore>,
    shared: Arc<Shared>,
    jobs: Jobs,
    tickets: VecDeque<Signed<KeyTicket>>,
    batch: Batch,
    after: Vec<After>,
    pending: HashSet<Pending>,
    data: PathBuf,
    refresh_due: bool,
    bank_reachable: bool,
    /// The bank has refused a request as a whole: it is left alone until then.
    bank_rests_until: Duration,
}

impl Core {
    /// Everything the engine needs, as loaded from disk.
    pub fn new(wallet: Wallet, keyring: Keyring, shared: Arc<Shared>, jobs: Jobs, data: PathBuf) -> Core {
        Core {
            wallet,
            keyring,
            store: shared.store.clone(),
            shared,
            jobs,
            tickets: VecDeque::new(),
            batch: Batch::default(),
            after: Vec::new(),
            pending: HashSet::new(),
            data,
            refresh_due: true,
            bank_reachable: false,
            bank_rests_until: Duration::ZERO,
        }
    }

    /// Runs until the last handle is gone or the disk fails.
    pub fn run(mut self, mut inputs: mpsc::Receiver<Input>) -> Result<(), StoreFault> {
        self.jobs.start_open(&self.wallet);
        while let Some(first) = inputs.blocking_recv() {
            let mut stop = matches!(first, Input::Stop);
            self.handle(first)?;
            for _ in 1..BATCH_MAX {
                let Ok(next) = inputs.try_recv() else { break };
                stop |= matches!(next, Input::Stop);
                self.handle(next)?;
            }
            self.flush()?;
            if stop {
                return Ok(());
            }
            if self.refresh_due {
                self.go_to_the_bank();
                self.flush()?;
            }
        }
        Ok(())
    }

    fn handle(&mut self, input: Input) -> Result<(), StoreFault> {
        match input {
            Input::Look(look) => {
                self.flush()?;
                look(&self.wallet, self.lock_state());
                Ok(())
            }
            Input::BeginTry(reply) => {
                let now = self.now();
                reply.now(self.keyring.begin_try(now));
                Ok(())
            }
            Input::FinishTry(outcome, reply) => self.finish_try(outcome, reply),
            Input::Lock(reply) => {
                self.keyring.lock();
                reply.now(());
                Ok(())
            }
            Input::Pay(new, reply) => self.pay(new, reply),
            Input::Offered(id, answer) => self.offer_answered(&id, answer),
            Input::PayAnswered(id, answer, node) => self.pay_answered(&id, answer, &node),
            Input::Unanswered(flight) => {
                self.jobs.unanswered(flight);
                Ok(())
            }
            Input::Confirmed(id, receipt, node, reply) => self.confirmed(&id, receipt, &node, reply),
            Input::Noted(flight) => {
                self.jobs.done(&flight);
                Ok(())
            }
            Input::Offer(party, offer, reply) => self.offer(&party, &offer, reply),
            Input::Paid(payment, reply) => self.paid(&payment, reply),
            Input::Bank(call, key, reply) => self.bank(call, key, reply),
            Input::BankAnswered(id, answer) => self.bank_answered(&id, answer),
            Input::SignQuery(reply) => {
                self.sign_query(reply);
                Ok(())
            }
            Input::Letter(letter, reply) => self.letter(letter, reply),
            Input::MakeRequest(order, key, reply) => self.make_request(order, key, reply),
            Input::BankKeys(certificates) => {
                let now = self.now();
                let decision = self.wallet.learn_keys(certificates, now);
                let _ = self.take(decision);
                Ok(())
            }
            Input::SetPolicy(policy, reply) => {
                let decision = self.wallet.set_policy(policy, self.now());
                let done = self.take(decision);
                self.reply_after(done, reply, |()| ());
                Ok(())
            }
            Input::AddToken(token, reply) => {
                let decision = self.wallet.add_token(token, self.now());
                let done = self.take(decision);
                self.reply_after(done, reply, |()| ());
                Ok(())
            }
            Input::RevokeToken(id, reply) => {
                let decision = self.wallet.revoke_token(&id, self.now());
                let known = self.take(decision);
                self.reply_after(known, reply, |known| known);
                Ok(())
            }
            Input::BankReachable(reachable) => {
                self.bank_came(reachable);
                Ok(())
            }
            Input::Tick => self.tick(),
            Input::Stop => Ok(()),
        }
    }

    fn now(&self) -> Timestamp {
        self.shared.now()
    }

    fn lock_state(&self) -> LockState {
        LockState {
            until: self.keyring.until().filter(|until| *until > self.now()),
            bank_reachable: self.bank_reachable,
        }
    }

    fn take<R>(&mut self, decision: Decision<R>) -> Sealed<R> {
        self.batch.take(&mut self.wallet, decision)
    }

    /// Sends a reply once the batch that it belongs to is on disk.
    fn reply_after<R: Send + 'static, T: Send + 'static>(
        &mut self,
        sealed: Sealed<R>,
        reply: Reply<T>,
        turn: impl FnOnce(R) -> T + Send + 'static,
    ) {
        self.after.push(Box::new(move |committed| reply.now(turn(sealed.open(committed)))));
    }

    /// Commits what has been decided, then lets replies, events and jobs go.
    fn flush(&mut self) -> Result<(), StoreFault> {
        let batch = std::mem::take(&mut self.batch);
        let (committed, effects) = batch.commit(&*self.store)?;
        self.after.drain(..).for_each(|after| after(&committed));
        self.pending.clear();
        self.shared.newest_event.send_replace(self.wallet.newest_event());
        self.shared.learn(self.wallet.keys());
        for effect in effects {
            if effect == crate::wallet::change::Effect::Refresh {
                self.refresh_due = true;
            } else {
                self.jobs.start(effect, &self.wallet, &self.store, self.keyring.open(self.shared.now()));
            }
        }
        Ok(())
    }

    /// Marks what this batch changes; if it had been marked before, the earlier change is made durable first.
    fn claim(&mut self, things: Vec<Pending>) -> Result<(), StoreFault> {
        if things.iter().any(|thing| self.pending.contains(thing)) {
            self.flush()?;
        }
        self.pending.extend(things);
        Ok(())
    }

    fn disk_is_low(&self) -> bool {
        disk::free_bytes(&self.data).is_ok_and(|free| free < DISK_MIN)
    }

    // ---- what the owner asks ----

    fn finish_try(
        &mut self,
        outcome: TryOutcome,
        reply: Reply<Result<Timestamp, crate::keyring::UnlockRefusal>>,
    ) -> Result<(), StoreFault> {
        let now = self.now();
        let until = self.keyring.finish_try(outcome.result, now, outcome.seconds);
        if until.is_ok() {
            self.fill_tickets();
            self.refresh_due = true;
        }
        reply.now(until);
        Ok(())
    }

    fn fill_tickets(&mut self) {
        let now = self.now();
        let missing = TICKETS_FULL.checked_sub(self.wallet.tickets_left()).unwrap_or(0);
        let Some(keys) = self.keyring.open(now).filter(|_| missing > TICKETS_FULL / 4) else { return };
        let hints: Vec<Hint> = (0..missing).map(|_| Hint(chance_bytes())).collect();
        let decision = self.wallet.fill_tickets(keys, &hints, now);
        let _ = self.take(decision);
    }

    /// What a caller's key stands for already, or nothing; an error if it came with another call.
    fn answered(&mut self, key: &CallKey) -> Result<Option<Started>, CallFault> {
        let Some((method, key, params)) = key else { return Ok(None) };
        self.claim(vec![Pending::Call(method.clone(), key.clone())])?;
        match self.store.answered(method, key)? {
            None => Ok(None),
            Some(Answered { params: first, started, .. }) if first == *params => Ok(Some(started)),
            Some(Answered { params: first, .. }) => Err(CallFault::KeyReused(first)),
        }
    }

    fn pay(&mut self, new: NewPayment, reply: Reply<Result<PaymentId, CallFault>>) -> Result<(), StoreFault> {
        match self.answered(&new.answered) {
            Ok(Some(Started::Payment(id))) => return Ok(reply.now(Ok(id))),
            Ok(Some(_)) => return Ok(reply.now(Err(CallFault::KeyReused(Digest::default())))),
            Err(CallFault::Store(fault)) => return Err(fault),
            Err(fault) => return Ok(reply.now(Err(fault))),
            Ok(None) => {}
        }
        let now = self.now();
        if self.keyring.open(now).is_none() {
            return Ok(reply.now(Err(CallFault::Locked)));
        }
        if self.disk_is_low() {
            return Ok(reply.now(Err(CallFault::DiskLow)));
        }
        match self.wallet.begin_payment(new, now) {
            Ok(decision) => {
                let id = self.take(decision);
                self.reply_after(id, reply, Ok);
            }
            Err(refusal) => reply.now(Err(refusal.into())),
        }
        Ok(())
    }

    fn bank(
        &mut self,
        call: BankCall,
        key: CallKey,
        reply: Reply<Result<RequestId, CallFault>>,
    ) -> Result<(), StoreFault> {
        match self.answered(&key) {
            Ok(Some(Started::Bank(id))) => return Ok(reply.now(Ok(id))),
            Ok(Some(_)) => return Ok(reply.now(Err(CallFault::KeyReused(Digest::default())))),
            Err(CallFault::Store(fault)) => return Err(fault),
            Err(fault) => return Ok(reply.now(Err(fault))),
            Ok(None) => {}
        }
        let now = self.now();
        if self.disk_is_low() {
            return Ok(reply.now(Err(CallFault::DiskLow)));
        }
        let Some(keys) = self.keyring.open(now) else { return Ok(reply.now(Err(CallFault::Locked))) };
        let decision = match call {
            BankCall::Withdraw(units) => self.wallet.withdraw(units, keys, fresh(), key, now),
            BankCall::Deposit(units) => self.wallet.deposit(units, keys, fresh(), key, now),
        };
        match decision {
            Ok(decision) => {
                let id = self.take(decision);
                self.reply_after(id, reply, Ok);
            }
            Err(refusal) => reply.now(Err(refusal.into())),
        }
        Ok(())
    }

    fn sign_query(&mut self, reply: Reply<Result<Signed<AccountQuery>, CallFault>>) {
        let now = self.now();
        let (bank, owner) = (self.wallet.bank(), self.wallet.owner().key);
        let query = AccountQuery { bank, request: RequestId(chance_bytes()), owner, created: now };
        reply.now(self.keyring.open(now).map(|keys| keys.owner().sign(query)).ok_or(CallFault::Locked));
    }

    fn letter(&mut self, letter: Signed<Letter>, reply: Reply<bool>) -> Result<(), StoreFault> {
        match self.wallet.balance_told(letter, self.now()) {
            Ok(decision) => {
                let told = self.take(decision);
                self.reply_after(told, reply, |_| true);
            }
            Err(flaw) => {
                tracing::warn!(%flaw, "a letter that is not the bank's");
                reply.now(false);
            }
        }
        Ok(())
    }

    fn make_request(
        &mut self,
        order: RequestOrder,
        key: CallKey,
        reply: Reply<Result<RequestId, CallFault>>,
    ) -> Result<(), StoreFault> {
        match self.answered(&key) {
            Ok(Some(Started::Request(id))) => return Ok(reply.now(Ok(id))),
            Ok(Some(_)) => return Ok(reply.now(Err(CallFault::KeyReused(Digest::default())))),
            Err(CallFault::Store(fault)) => return Err(fault),
            Err(fault) => return Ok(reply.now(Err(fault))),
            Ok(None) => {}
        }
        let Some(ticket) = self.ticket() else { return Ok(reply.now(Err(CallFault::NoTickets))) };
        let now = self.now();
        let (AmountRule::Exactly(units) | AmountRule::AtMost(units)) = order.amount;
        let mode = if units <= self.wallet.policy().direct_max { Mode::Direct } else { Mode::Certified };
        let request = self.request(ticket, order.amount, mode, order.memo, order.expires, order.address, now);
        let id = request.unverified().id;
        let record = RequestRecord { request, paid: None };
        let decision = self.wallet.record_request(record, key, now);
        let done = self.take(decision);
        self.reply_after(done, reply, move |()| Ok(id));
        Ok(())
    }

    // ---- a payment going out ----

    fn offer_answered(&mut self, id: &PaymentId, answer: OfferReply) -> Result<(), StoreFault> {
        let now = self.now();
        self.jobs.answered_offer(id);
        let decision = match answer {
            OfferReply::Failed(why) => self.wallet.offer_failed(id, why, now),
            OfferReply::Retry if self.offer_is_too_old(id, now) => {
                self.wallet.offer_failed(id, NotDone::Unreachable, now)
            }
            OfferReply::Retry => {
                self.jobs.offer_again(id);
                return Ok(());
            }
            OfferReply::Request { request, certified } => match self.keyring.open(now) {
                None => self.wallet.offer_failed(id, NotDone::Locked, now),
                Some(keys) => {
                    self.wallet.offer_accepted(id, &request, certified, keys, RequestId(chance_bytes()), now)
                }
            },
        };
        let _ = self.take(decision);
        Ok(())
    }

    fn offer_is_too_old(&self, id: &PaymentId, now: Timestamp) -> bool {
        self.wallet
            .open_payment(id)
            .is_none_or(|p| now.seconds_since(p.created) >= jobs::OFFER_PATIENCE_SECONDS)
    }

    fn pay_answered(&mut self, id: &PaymentId, answer: PayAnswer, node: &Key) -> Result<(), StoreFault> {
        self.claim(vec![Pending::Outgoing(*id)])?;
        let now = self.now();
        let Some(payment) = self.wallet.open_payment(id).cloned() else {
            self.jobs.done(&jobs::Flight::Send(*id));
            return Ok(());
        };
        let decision = match answer {
            PayAnswer::Receipt(receipt) => {
                let decision = self.wallet.receipted(&payment, receipt, node, now);
                let good = self.take(decision);
                let jobs = self.jobs.clone();
                let id = *id;
                self.after.push(Box::new(move |committed| match good.open(committed) {
                    true => jobs.done(&jobs::Flight::Send(id)),
                    false => jobs.unanswered(jobs::Flight::Send(id)),
                }));
                return Ok(());
            }
            PayAnswer::Refused(refusal) => {
                let body = refusal.unverified();
                let ours = payment.order.as_ref().is_some_and(|order| order.digest() == body.order);
                if !ours || refusal.check_by(node).is_err() {
                    self.jobs.unanswered(jobs::Flight::Send(*id));
                    return Ok(());
                }
                let code = body.code;
                self.wallet.refused(id, code, Some(refusal), now)
            }
            PayAnswer::Error(
                ErrorCode::Busy | ErrorCode::Unavailable | ErrorCode::NotMine | ErrorCode::Malformed,
            ) => {
                self.jobs.unanswered(jobs::Flight::Send(*id));
                return Ok(());
            }
            PayAnswer::Error(code) => self.wallet.refused(id, code, None, now),
            PayAnswer::Request(_) | PayAnswer::Open(_) | PayAnswer::Noted => {
                self.jobs.unanswered(jobs::Flight::Send(*id));
                return Ok(());
            }
        };
        // A certified payment stays sent: it is the payee's, and he is asked again. A direct one is on its way back.
        let _ = self.take(decision);
        match self.wallet.open_payment(id).is_some_and(|p| p.state == State::Sent) {
            true => self.jobs.unanswered(jobs::Flight::Send(*id)),
            false => self.jobs.done(&jobs::Flight::Send(*id)),
        }
        Ok(())
    }

    fn confirmed(
        &mut self,
        id: &PaymentId,
        receipt: Signed<Receipt>,
        node: &Key,
        reply: Reply<bool>,
    ) -> Result<(), StoreFault> {
        self.claim(vec![Pending::Outgoing(*id)])?;
        let stored = match self.wallet.open_payment(id).cloned() {
            Some(open) => Some(open),
            None => self.store.outgoing(id)?,
        };
        match stored {
            Some(payment)
                if matches!(
                    payment.state,
                    State::Sent | State::Receipted | State::Confirmed | State::TakingBack(_)
                ) =>
            {
                let decision = self.wallet.receipted(&payment, receipt, node, self.now());
                let good = self.take(decision);
                self.reply_after(good, reply, |good| good);
            }
            _ => reply.now(false),
        }
        Ok(())
    }

    // ---- a payment coming in ----

    fn ticket(&mut self) -> Option<Signed<KeyTicket>> {
        if self.tickets.is_empty() {
            if self.wallet.tickets_left() < TICKETS_AT_ONCE {
                self.fill_tickets();
            }
            let decision = self.wallet.reserve_tickets(TICKETS_AT_ONCE, self.now());
            let taken = self.take(decision);
            // They may be given out only after the disk knows that they are.
            self.flush_tickets(taken);
        }
        self.tickets.pop_front()
    }

    fn flush_tickets(&mut self, taken: Sealed<Vec<Signed<KeyTicket>>>) {
        let batch = std::mem::take(&mut self.batch);
        match batch.commit(&*self.store) {
            Ok((committed, effects)) => {
                self.tickets.extend(taken.open(&committed));
                self.after.drain(..).for_each(|after| after(&committed));
                self.pending.clear();
                for effect in effects {
                    self.jobs.start(effect, &self.wallet, &self.store, None);
                }
            }
            Err(fault) => tracing::error!(%fault, "tickets could not be taken"),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "they are the fields of a request, one for one")]
    fn request(
        &self,
        ticket: Signed<KeyTicket>,
        amount: AmountRule,
        mode: Mode,
        memo: Text,
        expires: Timestamp,
        address: Text,
        now: Timestamp,
    ) -> Signed<Request> {
        let node = &self.shared.persona.node;
        node.sign(Request {
            bank: self.wallet.bank(),
            id: RequestId(chance_bytes()),
            ticket,
            node: node.key(),
            amount,
            mode,
            created: now,
            expires,
            memo,
            address,
        })
    }

    fn offer(&mut self, party: &Party, offer: &Offer, reply: Reply<PayAnswer>) -> Result<(), StoreFault> {
        let now = self.now();
        let (payer, limit) = (party.owner(), party.certificate.offline_limit);
        let mode = self.wallet.mode_for(&payer, limit, offer.amount);
        if payer == self.wallet.owner().key {
            return Ok(reply.now(PayAnswer::Error(ErrorCode::SelfPayment)));
        }
        if let Some(id) = offer.request {
            return self.offer_on_request(id, offer, mode, reply);
        }
        let Ok(memo) = Text::new(&offer.memo, MEMO_MAX) else {
            return Ok(reply.now(PayAnswer::Error(ErrorCode::Malformed)));
        };
        if offer.amount.is_zero() {
            return Ok(reply.now(PayAnswer::Error(ErrorCode::Malformed)));
        }
        if self.disk_is_low() {
            return Ok(reply.now(PayAnswer::Error(ErrorCode::Unavailable)));
        }
        let answer = match self.ticket() {
            None => PayAnswer::Error(ErrorCode::NoTickets),
            Some(ticket) => {
                let expires = now.plus_seconds(OFFER_SECONDS);
                let amount = AmountRule::Exactly(offer.amount);
                PayAnswer::Request(Box::new(self.request(
                    ticket,
                    amount,
                    mode,
                    memo,
                    expires,
                    Text::default(),
                    now,
                )))
            }
        };
        reply.now(answer);
        Ok(())
    }

    fn offer_on_request(
        &mut self,
        id: RequestId,
        offer: &Offer,
        mode: Mode,
        reply: Reply<PayAnswer>,
    ) -> Result<(), StoreFault> {
        self.claim(vec![Pending::Request(id)])?;
        let answer = match self.store.request(&id)? {
            None => PayAnswer::Error(ErrorCode::UnknownRequest),
            Some(record) if record.paid.is_some() => PayAnswer::Error(ErrorCode::RequestUsed),
            Some(record) if self.now().is_past(record.request.unverified().expires) => {
                PayAnswer::Error(ErrorCode::Expired)
            }
            Some(record) if !record.request.unverified().amount.allows(offer.amount) => {
                PayAnswer::Error(ErrorCode::BadSum)
            }
            Some(_) => PayAnswer::Open(mode == Mode::Certified),
        };
        reply.now(answer);
        Ok(())
    }

    fn paid(&mut self, payment: &VerifiedPayment, reply: Reply<PayAnswer>) -> Result<(), StoreFault> {
        if self.disk_is_low() {
            return Ok(reply.now(PayAnswer::Error(ErrorCode::Unavailable)));
        }
        let order = payment.order();
        let (payer, id, request) = (order.payer, order.payment, payment.request().id);
        let mut roots: Vec<Digest> = payment.notes().iter().map(|note| note.holding().root).collect();
        roots.sort_unstable();
        roots.dedup();
        let mut claims = vec![Pending::Incoming(payer, id), Pending::Request(request)];
        claims.extend(roots.iter().map(|root| Pending::Root(*root)));
        self.claim(claims)?;
        let mut known = Known {
            earlier: self.store.incoming(&payer, &id)?,
            request: self.store.request(&request)?,
            notes: Vec::new(),
        };
        for root in &roots {
            known.notes.extend(self.store.notes_over(root)?);
        }
        let node = self.shared.persona.node.clone();
        let decision = self.wallet.receive(payment, &known, &node, self.now());
        let verdict = self.take(decision);
        self.reply_after(verdict, reply, |verdict| match verdict {
            Verdict::Receipt(receipt) => PayAnswer::Receipt(receipt),
            Verdict::Refused(refusal) => PayAnswer::Refused(refusal),
            Verdict::Error(code) => PayAnswer::Error(code),
        });
        Ok(())
    }

    // ---- the bank ----

    fn bank_answered(&mut self, id: &RequestId, answer: BankAnswer) -> Result<(), StoreFault> {
        let flight = jobs::Flight::Bank(*id);
        if matches!(answer, BankAnswer::Error(ErrorCode::Busy | ErrorCode::Unavailable)) {
            self.jobs.unanswered(flight);
            return Ok(());
        }
        let Some(op) = self.wallet.open_bank_op(id) else {
            self.jobs.done(&flight);
            return Ok(());
        };
        let anonymous = op.what.is_anonymous();
        let origins: HashSet<(Key, PaymentId)> =
            op.uses.iter().filter_map(|piece| self.wallet.note(piece.note)?.from).collect();
        self.claim(origins.iter().map(|(payer, id)| Pending::Incoming(*payer, *id)).collect())?;
        let mut incoming = Vec::new();
        for (payer, payment) in origins {
            incoming.extend(self.store.incoming(&payer, &payment)?);
        }
        if anonymous && matches!(answer, BankAnswer::Error(_)) {
            self.bank_rests_until = self.shared.clock.monotonic() + BANK_REST;
        }
        match self.wallet.bank_answered(id, answer, &incoming, self.now()) {
            Ok(decision) => {
                let _ = self.take(decision);
                self.jobs.done(&flight);
                self.refresh_due = true;
            }
            Err(flaw) => {
                // The bank broke its own rules: nothing changes, the request stays asked.
                tracing::error!(request = %id, %flaw, "the bank's answer is not acceptable");
                self.jobs.unanswered(flight);
            }
        }
        Ok(())
    }

    fn bank_came(&mut self, reachable: bool) {
        if reachable && !self.bank_reachable {
            self.jobs.bank_is_back();
            self.refresh_due = true;
        }
        self.bank_reachable = reachable;
    }

    fn tick(&mut self) -> Result<(), StoreFault> {
        self.jobs.start_open(&self.wallet);
        self.go_to_the_bank();
        Ok(())
    }

    /// Refused payments first, then what is worth refreshing: one request at a time.
    fn go_to_the_bank(&mut self) {
        let now = self.now();
        let resting = self.shared.clock.monotonic() < self.bank_rests_until;
        if !self.refresh_due || !self.bank_reachable || resting {
            return;
        }
        let Some(keys) = self.keyring.open(now) else { return };
        let refused: Vec<PaymentId> = self.wallet.to_take_back().collect();
        for id in refused {
            let decision = self.wallet.take_back(&id, keys, fresh(), now);
            let _ = self.batch.take(&mut self.wallet, decision);
        }
        let refreshing =
            self.wallet.open_bank_ops().any(|op| op.what == crate::wallet::banking::Operation::Refresh);
        if refreshing || !self.wallet.policy().refresh {
            return;
        }
        self.refresh_due = false;
        if let Some(decision) = self.wallet.refresh(keys, fresh(), now) {
            let _ = self.batch.take(&mut self.wallet, decision);
            self.refresh_due = true;
        }
    }
}

/// New names from the system's chance.
fn fresh() -> Fresh {
    Fresh { request: RequestId(chance_bytes()), hint: Hint(chance_bytes()) }
}
