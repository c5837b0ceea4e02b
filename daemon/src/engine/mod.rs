//! The one task that owns the wallet: inputs in, decisions made, one commit a batch, effects out.
//!
//! ```text
//! rpc, network, timers ─▶ Input ─▶ Core::handle ─▶ Batch ─▶ commit ─▶ replies, events, jobs ─▶ (Input again)
//! ```
//! It runs on a thread of its own, because commits block. Verifying, sealing and asking happen in tasks
//! around it. If the disk fails, what is in memory is ahead of it: callers are told, and the program ends.

mod at_bank;
pub mod bulletins;
mod by_mail;
mod calls;
pub mod carrier;
mod cases;
mod coming_in;
pub mod contact;
mod going_out;
pub mod handle;
pub mod inbound;
mod input;
pub mod jobs;
pub mod link;
mod mailing;
pub mod mailroom;
pub mod near;
pub mod ordering;
pub mod outbox;
mod renewal;
mod unasked;
pub mod upload;
pub mod vault;
pub mod waiting;
pub mod way;

pub use handle::{Engine, Shared};
pub use input::{BankCall, CallFault, Input, LockState, Look, OfferReply, Reply, RequestOrder, TryOutcome};
pub use mailing::MailInput;
pub use ordering::OrderInput;

use crate::keyring::{Attempt, Keyring, UnlockRefusal};
use crate::store::{RedbStore, StoreFault};
use crate::wallet::Wallet;
use crate::wallet::banking::Fresh;
use crate::wallet::change::{Batch, Committed, Decision, Effect, Sealed, Touched};
use jobs::Jobs;
use protocol::id::{Hint, Key, RequestId};
use protocol::key::KeyTicket;
use protocol::key::bank::KeyCertificate;
use protocol::node::chance::chance_bytes;
use protocol::node::host::disk;
use protocol::sign::Signed;
use protocol::time::Timestamp;
use std::collections::{HashMap, HashSet, VecDeque};
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

type After = Box<dyn FnOnce(&Committed) + Send>;

/// What the engine's thread owns.
pub struct Core {
    wallet: Wallet,
    keyring: Keyring,
    store: Arc<RedbStore>,
    shared: Arc<Shared>,
    jobs: Jobs,
    tickets: VecDeque<Signed<KeyTicket>>,
    handed_out: HashMap<Key, coming_in::HandedOut>,
    batch: Batch,
    after: Vec<After>,
    /// What the current batch changes: whoever asks the store about it has to wait for the commit.
    pending: HashSet<Touched>,
    data: PathBuf,
    refresh_due: bool,
    bank_reachable: bool,
    /// The bank has refused a request as a whole: it is left alone until then.
    bank_rests_until: Duration,
    gate: vault::Gate,
    rounds: cases::Rounds,
    holds: ordering::HoldRound,
    letters: unasked::LetterRound,
    leaving: mailing::Leaving,
}

impl Core {
    /// Everything the engine needs, as loaded from disk.
    pub fn new(wallet: Wallet, keyring: Keyring, shared: Arc<Shared>, jobs: Jobs, data: PathBuf) -> Core {
        let leaving = mailing::Leaving::with(wallet.tickets_left());
        Core {
            wallet,
            keyring,
            store: shared.store.clone(),
            shared,
            jobs,
            leaving,
            tickets: VecDeque::new(),
            handed_out: HashMap::new(),
            batch: Batch::default(),
            after: Vec::new(),
            pending: HashSet::new(),
            gate: vault::Gate::beside(&data),
            data,
            refresh_due: true,
            bank_reachable: false,
            bank_rests_until: Duration::ZERO,
            rounds: cases::Rounds::default(),
            holds: ordering::HoldRound::default(),
            letters: unasked::LetterRound::default(),
        }
    }

    /// Runs until the last handle is gone or the disk fails.
    pub fn run(mut self, mut inputs: mpsc::Receiver<Input>) -> Result<(), StoreFault> {
        self.begin_gate()?;
        let loaded = self.flush()?;
        self.jobs.start_open(&self.wallet, &loaded);
        if !self.wallet_is_vaulted() {
            self.tell_who_does_not_know()?;
        }
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
                self.go_to_the_bank()?;
                self.flush()?;
            }
        }
        Ok(())
    }

    fn handle(&mut self, input: Input) -> Result<(), StoreFault> {
        match input {
            Input::Look(look) => self.show(look)?,
            Input::BeginTry(reply) => reply.now(self.begin_try()),
            Input::FinishTry(outcome, reply) => self.finish_try(outcome, reply),
            Input::Lock(reply) => self.lock(reply),
            Input::Pay(new, reply) => self.pay(new, reply)?,
            Input::Offered(id, answer) => self.offer_answered(&id, answer),
            Input::PayAnswered(id, answer, node) => self.pay_answered(&id, answer, &node)?,
            Input::Unanswered(flight) => self.unanswered(flight),
            Input::Confirmed(id, receipt, node, reply) => self.confirmed(&id, receipt, &node, reply)?,
            Input::Noted(flight) => self.noted(&flight),
            Input::Reclaim(id, key, reply) => self.reclaim(id, key, reply)?,
            Input::CasesTold(flight, states) => self.cases_told(&flight, states)?,
            Input::Reclaimed(list) => self.contest(&list)?,
            Input::Offer(party, offer, reply) => self.offer(&party, &offer, reply)?,
            Input::Paid(payment, reply) => self.paid(&payment, reply)?,
            Input::Refuse(request, order, reply) => self.refuse(&request, order, reply)?,
            Input::Bank(call, key, reply) => self.bank(call, key, reply)?,
            Input::BankAnswered(id, answer) => self.bank_answered(&id, answer)?,
            Input::SignQuery(reply) => self.sign_query(reply),
            Input::SignSweep(sweep, reply) => self.sign_sweep(*sweep, reply),
            Input::Letter(letter, reply) => self.letter(letter, reply),
            Input::MakeRequest(order, key, reply) => self.make_request(order, key, reply)?,
            Input::CloseRequest(id, reply) => self.close_request(id, reply)?,
            Input::BankKeys(certificates) => self.learn_keys(certificates),
            Input::Revoked(revocations, reply) => reply.now(self.revoked(revocations)?),
            Input::Bulletin(bulletin, source, reply) => reply.now(self.bulletin(*bulletin, source)?),
            Input::BankBehind(shown) => {
                let decision = self.wallet.bank_is_behind(*shown, self.now());
                let _ = self.take(decision);
            }
            Input::SetPolicy(policy, reply) => {
                self.change(|wallet, now| wallet.set_policy(policy, now), reply)
            }
            Input::AddToken(token, reply) => self.change(|wallet, now| wallet.add_token(token, now), reply),
            Input::RevokeToken(id, reply) => self.change(|wallet, now| wallet.revoke_token(&id, now), reply),
            Input::Mail(mail) => self.mail(mail)?,
            Input::Order(order) => self.order_input(order)?,
            Input::BankReachable(reachable) => self.bank_came(reachable),
            Input::Vault(word) => self.vault_said(word),
            Input::ShownAgain(payer, payment) => self.shown_again(payer, payment),
            Input::Tick => self.tick()?,
            Input::Stop => {}
        }
        Ok(())
    }

    /// Shows the state as it is on disk: what was decided before is written first.
    fn show(&mut self, look: Look) -> Result<(), StoreFault> {
        self.flush()?;
        look(&self.wallet, self.lock_state());
        Ok(())
    }

    /// In quarantine there is nothing to unlock: no code is tried.
    fn begin_try(&mut self) -> Result<Attempt, UnlockRefusal> {
        match self.wallet.quarantine() {
            Some(why) => Err(UnlockRefusal::Quarantined(why)),
            None => self.keyring.begin_try(self.shared.now()),
        }
    }

    fn lock(&mut self, reply: Reply<()>) {
        self.keyring.lock();
        self.close_old_mail();
        reply.now(());
    }

    fn learn_keys(&mut self, certificates: Vec<Signed<KeyCertificate>>) {
        let decision = self.wallet.learn_keys(certificates, self.now());
        let _ = self.take(decision);
    }

    /// A change that needs nothing but the wallet; answered once it is on disk.
    fn change<R: Send + 'static>(
        &mut self,
        decide: impl FnOnce(&Wallet, Timestamp) -> Decision<R>,
        reply: Reply<R>,
    ) {
        let decision = decide(&self.wallet, self.now());
        let done = self.take(decision);
        self.reply_after(done, reply, |done| done);
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
        self.pending.extend(decision.touches());
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
    fn flush(&mut self) -> Result<Committed, StoreFault> {
        let batch = std::mem::take(&mut self.batch);
        let names = batch.names();
        let received = batch.received();
        let (committed, effects) = batch.commit(&*self.store)?;
        self.note_head()?;
        self.confirm_when_safe(received);
        self.after.drain(..).for_each(|after| after(&committed));
        self.pending.clear();
        let newest = self.wallet.newest_event();
        self.shared.newest_event.send_if_modified(|known| std::mem::replace(known, newest) != newest);
        self.shared.waiting.changed(&names);
        self.shared.learn(self.wallet.keys());
        self.shared.hear(self.wallet.heard());
        for effect in effects {
            self.hold_for_vault(&effect);
            match effect {
                Effect::Refresh => self.refresh_due = true,
                Effect::Cases => self.rounds.ask_for_cases(),
                Effect::Letters => self.letters.are_due(),
                effect => {
                    let keys = self.keyring.open(self.shared.now());
                    self.jobs.start(effect, &self.wallet, &self.store, keys);
                }
            }
        }
        self.tell_vault();
        Ok(committed)
    }

    /// Before the store is asked: if this batch changes what the question is about, it is made durable first.
    fn settle(&mut self, questions: &[Touched]) -> Result<(), StoreFault> {
        let changed = |question: &Touched| match question {
            // Notes over one root that share no unit do not concern each other, so payments out of one withdrawal
            // may share a commit.
            Touched::Units(root, range) => self.pending.iter().any(
                |p| matches!(p, Touched::Units(other, units) if other == root && units.overlaps(*range)),
            ),
            named => self.pending.contains(named),
        };
        if questions.iter().any(changed) {
            self.flush()?;
        }
        Ok(())
    }

    fn disk_is_low(&self) -> bool {
        disk::free_bytes(&self.data).is_ok_and(|free| free < DISK_MIN)
    }
}

/// New names from the system's chance.
fn fresh() -> Fresh {
    Fresh { request: RequestId(chance_bytes()), hint: Hint(chance_bytes()) }
}
