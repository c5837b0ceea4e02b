//! What others hold of the engine: a cloneable handle, and what may be read without asking it.

use super::input::{BankCall, CallFault, Input, LockState, Reply, RequestOrder, TryOutcome};
use super::mailroom::MailWindow;
use super::ordering::OrderInput;
use super::vault::VaultState;
use super::waiting::Waiting;
use crate::keyring::UnlockRefusal;
use crate::profile::FIRST_GENERATION;
use crate::store::{RedbStore, Store as _, StoreFault};
use crate::wallet::Wallet;
use crate::wallet::banking::CallKey;
use crate::wallet::bulletins::Heard;
use crate::wallet::ordering::NewPurchase;
use crate::wallet::paying::NewPayment;
use crate::wallet::receiving::Closing;
use protocol::bank::{Act, Introduction, Sweep};
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::key::bank::BankKeys;
use protocol::money::Units;
use protocol::node::clock::Clock;
use protocol::seal::ViewKey;
use protocol::sign::{Signed, Signer};
use protocol::time::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{mpsc, oneshot, watch};

/// Who this workstation is on the network: what a locked one needs to be reached and to read.
#[derive(Clone, Debug)]
pub struct Persona {
    /// The owner key.
    pub owner: Key,
    /// Certificate and identity record.
    pub introduction: Introduction,
    /// View keys, newest first.
    pub views: Vec<ViewKey>,
    /// The node key.
    pub node: Signer,
    /// Raised by each restore.
    pub generation: u32,
    /// Node keys of earlier generations: requests that they made are still ours.
    pub past_nodes: Vec<Key>,
}

impl Persona {
    /// Every node key that ever was ours, the present one first.
    pub fn nodes(&self) -> Vec<Key> {
        std::iter::once(self.node.key()).chain(self.past_nodes.iter().copied()).collect()
    }
}

/// What tasks around the engine may read.
pub struct Shared {
    /// The store.
    pub store: Arc<RedbStore>,
    /// Who we are.
    pub persona: Persona,
    /// The clock.
    pub clock: Clock,
    /// The number of the newest durable event.
    pub newest_event: watch::Sender<u64>,
    /// Who waits for a payment or a request to the bank.
    pub waiting: Waiting,
    /// Moves whenever something new was copied from the directory: what was checked before may be old.
    pub directory_version: AtomicU64,
    /// Up to which case the bank was last asked how ours stand.
    pub cases_read: AtomicU64,
    /// How the vault stands.
    pub vault: watch::Sender<VaultState>,
    past_views: RwLock<Vec<ViewKey>>,
    /// What the mailbox looks like.
    pub mail: MailWindow,
    keys: RwLock<Arc<BankKeys>>,
    heard: RwLock<Arc<Heard>>,
    papers: RwLock<Introduction>,
}

impl Shared {
    /// With the bank's keys as loaded.
    pub fn new(store: Arc<RedbStore>, persona: Persona, clock: Clock, wallet: &Wallet) -> Shared {
        let papers = RwLock::new(persona.introduction.clone());
        let shared = Shared {
            store,
            persona,
            clock,
            newest_event: watch::Sender::new(wallet.newest_event()),
            waiting: Waiting::default(),
            directory_version: AtomicU64::new(0),
            cases_read: AtomicU64::new(0),
            vault: watch::Sender::default(),
            past_views: RwLock::default(),
            mail: MailWindow::default(),
            keys: RwLock::new(Arc::new(wallet.keys().clone())),
            heard: RwLock::new(Arc::new(wallet.heard().clone())),
            papers,
        };
        shared.renew_papers();
        shared
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.clock.now_seconds())
    }

    /// The bank's keys known now.
    pub fn keys(&self) -> Arc<BankKeys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys that envelopes to us open with: the present one, and while we are unlocked those of all earlier
    /// generations, too. (Only the present one lies on disk: a thief reads no old mail.)
    pub fn views(&self) -> Vec<ViewKey> {
        self.views_and_whether_all().0
    }

    /// The same, and whether these are all that ever were ours: said of one moment, for a lock may fall in between.
    pub(super) fn views_and_whether_all(&self) -> (Vec<ViewKey>, bool) {
        let past = self.past_views.read().unwrap_or_else(PoisonError::into_inner);
        let all = self.persona.generation <= FIRST_GENERATION || !past.is_empty();
        (self.persona.views.iter().chain(past.iter()).cloned().collect(), all)
    }

    pub(super) fn set_past_views(&self, views: Vec<ViewKey>) {
        *self.past_views.write().unwrap_or_else(PoisonError::into_inner) = views;
    }

    /// Whether the directory has a workstation of ours that is newer than this one.
    pub fn is_replaced(&self) -> bool {
        let listed = self.store.contact(&self.persona.owner).ok().flatten().and_then(|c| c.identity);
        listed.is_some_and(|identity| identity.unverified().generation > self.persona.generation)
    }

    /// Certificate and identity record, as new as the directory has them.
    pub fn papers(&self) -> Introduction {
        self.papers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes newer papers of ours from the directory: the bank has renewed or changed them.
    pub fn renew_papers(&self) {
        let Ok(Some(listed)) = self.store.contact(&self.persona.owner) else { return };
        let mut papers = self.papers.write().unwrap_or_else(PoisonError::into_inner);
        if listed.certificate.unverified().sequence > papers.certificate.unverified().sequence {
            papers.certificate = listed.certificate;
        }
        if let Some(identity) = listed.identity
            && identity.unverified().sequence > papers.identity.unverified().sequence
            // A newer generation's record names keys that this machine does not have.
            && identity.unverified().generation == self.persona.generation
        {
            papers.identity = identity;
        }
    }

    /// Whether the directory has a newer identity record of their owner: an old one may be a thief's.
    pub fn are_outdated(&self, papers: &Introduction) -> Result<bool, StoreFault> {
        let owner = papers.certificate.unverified().owner;
        let Some(listed) = self.store.contact(&owner)? else { return Ok(false) };
        let newest = listed.identity.map_or(0, |identity| identity.unverified().sequence);
        Ok(newest > papers.identity.unverified().sequence)
    }

    /// Whether their owner has restored his workstation since: older papers that come by mail are as good otherwise,
    /// for they may have lain there for weeks.
    pub fn are_replaced(&self, papers: &Introduction) -> Result<bool, StoreFault> {
        let owner = papers.certificate.unverified().owner;
        let Some(listed) = self.store.contact(&owner)? else { return Ok(false) };
        let newest = listed.identity.map_or(0, |identity| identity.unverified().generation);
        Ok(newest > papers.identity.unverified().generation)
    }

    /// Whether a payment that went out has this order.
    pub fn is_order_of(&self, id: &PaymentId, order: &Digest) -> Result<bool, StoreFault> {
        let payment = self.store.outgoing(id)?;
        Ok(payment.and_then(|p| p.order).is_some_and(|signed| signed.digest() == *order))
    }

    pub(super) fn learn(&self, keys: &BankKeys) {
        let known = self.keys();
        let revoked = known.revocations().count() != keys.revocations().count();
        if revoked || known.certificates().count() != keys.certificates().count() {
            *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys.clone());
        }
        if revoked {
            // Papers that were found good may have been signed by a key that is not.
            self.directory_version.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What the bank has told in bulletins, as it is on disk.
    pub fn heard(&self) -> Arc<Heard> {
        self.heard.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn hear(&self, heard: &Heard) {
        if !self.heard().is_same(heard) {
            *self.heard.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(heard.clone());
        }
    }
}

/// The engine, as everybody else knows it.
#[derive(Clone)]
pub struct Engine {
    inputs: mpsc::Sender<Input>,
    /// What may be read without asking.
    pub shared: Arc<Shared>,
}

impl Engine {
    /// A handle on an engine that reads from the other end of `inputs`.
    pub fn new(inputs: mpsc::Sender<Input>, shared: Arc<Shared>) -> Engine {
        Engine { inputs, shared }
    }

    /// Tells the engine something that has no answer.
    pub async fn tell(&self, input: Input) {
        // An engine that has ended is ending the program: there is nobody to tell.
        let _ = self.inputs.send(input).await;
    }

    /// Asks, and waits until the answer is allowed to go.
    pub async fn ask<T>(&self, input: impl FnOnce(Reply<T>) -> Input) -> Result<T, CallFault> {
        let (sender, receiver) = oneshot::channel();
        self.inputs.send(input(Reply(sender))).await.map_err(|_| CallFault::Stopped)?;
        receiver.await.map_err(|_| CallFault::Stopped)
    }

    /// Reads the wallet's state in one go.
    pub async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Wallet, LockState) -> T + Send + 'static,
    ) -> Result<T, CallFault> {
        self.ask(|reply| Input::Look(Box::new(move |wallet, lock| reply.now(look(wallet, lock))))).await
    }

    /// Tries a private code; the slow part runs beside the engine.
    pub async fn unlock(
        &self,
        code: String,
        seconds: u64,
    ) -> Result<Result<Timestamp, UnlockRefusal>, CallFault> {
        let attempt = match self.ask(Input::BeginTry).await? {
            Ok(attempt) => attempt,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let code = zeroize::Zeroizing::new(code);
        let result = tokio::task::spawn_blocking(move || attempt.run(&code)).await;
        let result = result.map_err(|_| CallFault::Stopped)?;
        self.ask(|reply| Input::FinishTry(TryOutcome { result, seconds }, reply)).await
    }

    /// Begins a payment.
    pub async fn pay(&self, new: NewPayment) -> Result<PaymentId, CallFault> {
        self.ask(|reply| Input::Pay(new, reply)).await?
    }

    /// Withdraws or deposits.
    pub async fn bank(&self, call: BankCall, key: CallKey) -> Result<RequestId, CallFault> {
        self.ask(|reply| Input::Bank(call, key, reply)).await?
    }

    /// Signs a sweep of our own account.
    pub async fn sign_sweep(&self, sweep: Sweep) -> Result<Signed<Sweep>, CallFault> {
        self.ask(|reply| Input::SignSweep(Box::new(sweep), reply)).await?
    }

    /// Reclaims a payment that nobody answers.
    pub async fn reclaim(&self, payment: PaymentId, key: CallKey) -> Result<PaymentId, CallFault> {
        self.ask(|reply| Input::Reclaim(payment, key, reply)).await?
    }

    /// Orders something of a shop.
    pub async fn order(&self, new: NewPurchase, key: CallKey) -> Result<RequestId, CallFault> {
        self.ask(|reply| Input::Order(OrderInput::Order(new, key, reply))).await?
    }

    /// Says something about the hold of an order of ours.
    pub async fn say_of_order(
        &self,
        order: RequestId,
        act: Act,
        key: CallKey,
    ) -> Result<RequestId, CallFault> {
        self.ask(|reply| Input::Order(OrderInput::OfOrder(order, act, key, reply))).await?
    }

    /// Says something about a hold in which we are the shop; with the units that it is about.
    pub async fn say_of_hold(
        &self,
        (hold, units): (RequestId, Units),
        act: Act,
        key: CallKey,
    ) -> Result<RequestId, CallFault> {
        self.ask(|reply| Input::Order(OrderInput::OfHold(hold, units, act, key, reply))).await?
    }

    /// Makes a request for money.
    pub async fn make_request(&self, order: RequestOrder, key: CallKey) -> Result<RequestId, CallFault> {
        self.ask(|reply| Input::MakeRequest(order, key, reply)).await?
    }

    /// Closes a request of ours; nothing if there is none by this name.
    pub async fn close_request(&self, id: RequestId) -> Result<Option<Closing>, CallFault> {
        self.ask(|reply| Input::CloseRequest(id, reply)).await?
    }
}
