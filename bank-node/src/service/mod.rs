//! The open bank: many ask at once, one writer answers them batch by batch (SPEC §4).
//!
//! ```text
//! ask ─▶ admission ─▶ examine (all cores, on a snapshot) ─▶ bounded queue ─▶ writer: ≤ 256 requests, one commit ─▶ answers
//! full: Busy                                                full: Busy       fault: Unavailable, and the bank closes
//! ```
//! Clock, chance and disk are arguments. The rules know nothing of batches.

mod bulletin;
mod calendar;
mod post;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use bulletin::keep_bulletins;
pub(crate) use calendar::{Calendar, Moment, keep_calendar, turn_page};

use self::bulletin::News;
use self::writer::{Job, Task, Writer};
use crate::desk::counter::{Prepared, Sign, Work, prepare};
use crate::desk::due::is_due;
use crate::desk::office::{Done, Objection, Order};
use crate::desk::{Desk, Rules};
use crate::keys::WorkingKeys;
use crate::ledger::audit;
use crate::ledger::books::{Books, Fault, View};
use protocol::node::clock::Clock;
use protocol::time::Timestamp;
use protocol::wire::{BankAnswer, BankAsk, ErrorCode, encode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

/// Requests under way; the next ones are told to come later.
const ADMITTED: usize = 1024;
/// Bytes that must be free on each disk for a batch to begin: its bytes, their tables' pages, and what the commit before
/// still holds.
pub const ROOM_BYTES: u64 = 3 * writer::BATCH_BYTES as u64;

/// What the bank needs from the world.
pub struct World {
    /// What time it is.
    pub clock: Clock,
    /// Whether the disk has room for another batch.
    pub has_room: Box<dyn Fn() -> bool + Send + Sync>,
    /// How long people have.
    pub rules: Rules,
}

impl World {
    /// A disk that is never full, for books in memory.
    pub fn roomy(clock: Clock) -> World {
        World { clock, has_room: Box::new(|| true), rules: Rules::default() }
    }
}

/// The open bank; clones are the same one.
pub struct Bank<B> {
    inner: Arc<Inner<B>>,
}

impl<B> Clone for Bank<B> {
    fn clone(&self) -> Self {
        Bank { inner: Arc::clone(&self.inner) }
    }
}

struct Inner<B> {
    books: Arc<B>,
    keys: Keys,
    sign: Sign,
    clock: Clock,
    rules: Rules,
    jobs: mpsc::Sender<Job>,
    admission: Arc<Semaphore>,
    examiners: Arc<Semaphore>,
    newest: watch::Sender<u64>,
    news: Arc<News>,
    failed: Failed,
    clock_doubted: AtomicBool,
}

/// The working keys, replaced as a whole when a day begins or keys are added.
#[derive(Clone)]
struct Keys(Arc<RwLock<Arc<WorkingKeys>>>);

impl Keys {
    fn current(&self) -> Arc<WorkingKeys> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The first fault; after it the bank is closed.
#[derive(Clone)]
struct Failed(Arc<watch::Sender<Option<Fault>>>);

impl Failed {
    fn has_happened(&self) -> bool {
        self.0.borrow().is_some()
    }

    fn with(&self, fault: Fault) {
        self.0.send_if_modified(|first| {
            let new = first.is_none();
            if new {
                tracing::error!(%fault, "the bank closes");
                *first = Some(fault);
            }
            new
        });
    }
}

/// Why an operator's order has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// A rule says no; nothing was done.
    #[error(transparent)]
    Objection(#[from] Objection),
    /// Too much at once; nothing was done.
    #[error("the bank is busy: try again later")]
    Busy,
    /// No room on the disk, or the store has failed: it may have been done.
    #[error("the bank is out of order: look at its log, then ask again with the same key")]
    Unavailable,
}

/// Opens the bank. Must be called within a tokio runtime.
///
/// Fails if the books can't be read.
pub fn start<B: Books>(books: B, keys: WorkingKeys, sign: Sign, world: World) -> Result<Bank<B>, Fault> {
    let books = Arc::new(books);
    let head = books.snapshot()?.journal_head()?;
    let (jobs, queue) = mpsc::channel(ADMITTED);
    let keys = Keys(Arc::new(RwLock::new(Arc::new(keys))));
    let failed = Failed(Arc::new(watch::Sender::new(None)));
    let newest = watch::Sender::new(head);
    let news = Arc::new(News::default());
    // What happened before may not have been told.
    news.arrived();
    let (clock, rules) = (world.clock.clone(), world.rules);
    let writer = Writer {
        books: Arc::clone(&books),
        keys: keys.clone(),
        world,
        queue,
        newest: newest.clone(),
        news: Arc::clone(&news),
        failed: failed.clone(),
    };
    std::thread::Builder::new()
        .name("bank-writer".to_owned())
        .spawn(move || writer.run())
        .map_err(|why| Fault::Store(format!("no thread for the writer: {why}")))?;
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    Ok(Bank {
        inner: Arc::new(Inner {
            books,
            keys,
            sign,
            clock,
            rules,
            jobs,
            admission: Arc::new(Semaphore::new(ADMITTED)),
            examiners: Arc::new(Semaphore::new(cores)),
            newest,
            news,
            failed,
            clock_doubted: AtomicBool::new(false),
        }),
    })
}

impl<B: Books> Bank<B> {
    /// Answers a customer. What was begun goes on when nobody waits for the answer any more.
    pub async fn ask(&self, ask: BankAsk) -> BankAnswer {
        let Ok(_place) = Arc::clone(&self.inner.admission).try_acquire_owned() else {
            return BankAnswer::Error(ErrorCode::Busy);
        };
        // The one question that the books alone can't answer quickly: the day's tree is kept beside them.
        if let BankAsk::RootPath(serial) = ask {
            let path = self.root_path(serial).map(BankAnswer::RootPath);
            return path.unwrap_or(BankAnswer::Error(ErrorCode::NotFound));
        }
        let bytes = encode(&ask).len();
        match self.examine(ask).await {
            Some(Prepared::Answer(answer)) => *answer,
            Some(Prepared::Work(work)) => self.hand_in(work, bytes).await,
            None => BankAnswer::Error(ErrorCode::Unavailable),
        }
    }

    /// Signatures are checked on as many threads as there are cores, and no more wait inside tokio's pool.
    async fn examine(&self, ask: BankAsk) -> Option<Prepared> {
        let permit = Arc::clone(&self.inner.examiners).acquire_owned().await.ok()?;
        let bank = self.clone();
        let examined = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let keys = bank.keys();
            let desk = Desk { keys: &keys, now: bank.now(), rules: bank.inner.rules };
            let view = bank.inner.books.snapshot()?;
            prepare(desk, &bank.inner.sign, &view, ask)
        });
        self.settle(examined.await)
    }

    async fn hand_in(&self, work: Work, bytes: usize) -> BankAnswer {
        let (reply, answer) = oneshot::channel();
        match self.inner.jobs.try_send(Job::Task(Task::Customer(work, bytes, reply))) {
            Ok(()) => answer.await.unwrap_or(BankAnswer::Error(ErrorCode::Unavailable)),
            Err(mpsc::error::TrySendError::Full(_)) => BankAnswer::Error(ErrorCode::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => BankAnswer::Error(ErrorCode::Unavailable),
        }
    }

    /// Carries out an operator's order.
    pub async fn order(&self, order: Order) -> Result<Done, OrderError> {
        let (reply, answer) = oneshot::channel();
        match self.inner.jobs.try_send(Job::Task(Task::Operator(order, reply))) {
            Ok(()) => answer.await.unwrap_or(Err(OrderError::Unavailable)),
            Err(mpsc::error::TrySendError::Full(_)) => Err(OrderError::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(OrderError::Unavailable),
        }
    }

    /// Does what is due by now: reclaims to close, answers that did not come. `false`: the bank can't write just now.
    pub async fn turn(&self) -> bool {
        let now = self.now();
        // Most looks find nothing, and write nothing.
        if self.read(move |view| is_due(view, now)).await != Some(true) {
            return true;
        }
        loop {
            let (reply, more) = oneshot::channel();
            if self.inner.jobs.send(Job::Task(Task::Calendar(reply))).await.is_err() {
                return false;
            }
            match more.await {
                Ok(Some(true)) => {}
                Ok(Some(false)) => return true,
                Ok(None) | Err(_) => return false,
            }
        }
    }

    /// Looks something up in what is durable. `None`: the store has failed, and the bank closes.
    pub async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&B::Snapshot) -> Result<T, Fault> + Send + 'static,
    ) -> Option<T> {
        let books = Arc::clone(&self.inner.books);
        let looked = tokio::task::spawn_blocking(move || look(&books.snapshot()?));
        self.settle(looked.await)
    }

    /// Recomputes the books as they are, beside everything else; the bank closes if they break a rule.
    pub async fn audit_books(&self) {
        let Some(audit) = self.read(audit).await else { return };
        if audit.ok {
            return tracing::info!(entries = audit.entries, "the books are in order");
        }
        let first = audit.findings.first().map(|finding| finding.what.clone()).unwrap_or_default();
        let broken = audit.broken;
        self.inner
            .failed
            .with(Fault::Damaged(format!("the audit found {broken} broken rules, first: {first}")));
    }

    /// As [`Bank::read`], where blocking is allowed.
    pub fn read_blocking<T>(&self, look: impl FnOnce(&B::Snapshot) -> Result<T, Fault>) -> Option<T> {
        self.settle(Ok(self.inner.books.snapshot().and_then(|view| look(&view))))
    }

    /// Remembers for good that the bank gives its word up to this journal entry; to be called before the word leaves,
    /// and never from inside a commit. `false`: the store has failed, and the bank closes.
    pub async fn said(&self, entry: u64) -> bool {
        let books = Arc::clone(&self.inner.books);
        let said = tokio::task::spawn_blocking(move || books.said(entry));
        self.settle(said.await).is_some()
    }

    fn settle<T>(&self, done: Result<Result<T, Fault>, tokio::task::JoinError>) -> Option<T> {
        match done {
            Ok(Ok(done)) => Some(done),
            Ok(Err(fault)) => {
                if let (Fault::Behind { letter, .. }, false) = (&fault, self.inner.failed.has_happened()) {
                    // Old books stay closed, whoever starts the program again. The letter is kept and not its number
                    // alone: should it prove forged, the bank must not stay closed.
                    let kept = self.inner.books.witnessed(letter);
                    kept.unwrap_or_else(|why| tracing::error!(%why, "the letter was not kept"));
                }
                self.inner.failed.with(fault);
                None
            }
            // A bug in an examiner stops that request, not the bank: it has written nothing.
            Err(why) => {
                tracing::error!(%why, "a request could not be examined");
                None
            }
        }
    }

    /// How long people have.
    pub fn rules(&self) -> Rules {
        self.inner.rules
    }

    /// The bank's time.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.inner.clock.now_seconds())
    }

    /// The bank's time and how long it has been told.
    pub(crate) fn moment(&self) -> Moment {
        Moment { now: self.now(), running: self.inner.clock.monotonic() }
    }

    /// Says whether the clock is so far ahead that the calendar does not believe it.
    pub(crate) fn doubt_clock(&self, doubted: bool) {
        self.inner.clock_doubted.store(doubted, Ordering::Relaxed);
    }

    /// Whether the calendar does not believe the clock.
    pub(crate) fn is_clock_doubted(&self) -> bool {
        self.inner.clock_doubted.load(Ordering::Relaxed)
    }

    /// The working keys as they are now.
    pub fn keys(&self) -> Arc<WorkingKeys> {
        self.inner.keys.current()
    }

    /// Works with these keys from the next batch on.
    pub fn use_keys(&self, keys: WorkingKeys) {
        *self.inner.keys.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// Name and currency.
    pub fn sign(&self) -> &Sign {
        &self.inner.sign
    }

    /// The number of the newest journal entry, as it grows.
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.inner.newest.subscribe()
    }

    /// Resolves with the fault that closed the bank; the process has to end, and ask the store when it starts
    /// again: the last commit may have been durable.
    pub async fn failed(&self) -> Fault {
        let mut failed = self.inner.failed.0.subscribe();
        let first = failed.wait_for(Option::is_some).await.map(|fault| fault.clone());
        let unknown = || Fault::Store("the writer is gone".to_owned());
        first.ok().flatten().unwrap_or_else(unknown)
    }

    /// Finishes what is in the queue and closes; the books are free when the last clone is gone, too.
    pub async fn stop(&self) {
        let (reply, stopped) = oneshot::channel();
        if self.inner.jobs.send(Job::Stop(reply)).await.is_ok() {
            // An error means that the writer is gone already.
            let _ = stopped.await;
        }
    }
}
