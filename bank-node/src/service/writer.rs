//! The one writer: a thread that turns what waits in the queue into one commit.

use super::bulletin::News;
use super::{Failed, Keys, OrderError, ROOM_BYTES, World};
use crate::desk::Desk;
use crate::desk::activate::Attempts;
use crate::desk::counter::Work;
use crate::desk::office::{self, Order};
use crate::ledger::AccountNumber;
use crate::ledger::books::{Books, Fault, Tx, View};
use protocol::bank::Bulletin;
use protocol::id::Digest;
use protocol::sign::Signed;
use protocol::time::{Day, Timestamp};
use protocol::wire::{BankAnswer, ErrorCode};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// Requests in one commit.
const BATCH_MAX: usize = 256;
/// Bytes of requests in one commit; the last one may be above.
pub(super) const BATCH_BYTES: usize = 16 << 20;
/// What an order or a chore counts for: they are short.
pub(super) const OWN_BYTES: usize = 4096;

/// What the writer is asked to do.
pub(super) enum Job {
    /// Something for the books.
    Task(Task),
    /// Finish, let go of the books, and say so.
    Stop(oneshot::Sender<()>),
}

/// Something for the books, and who waits for what it comes to.
pub(super) enum Task {
    /// A customer's request, and how many bytes he sent.
    Customer(Work, usize, oneshot::Sender<BankAnswer>),
    /// An operator's order.
    Operator(Order, oneshot::Sender<Result<office::Done, OrderError>>),
    /// The bank's own work; told nothing if it could not be done.
    Own(Chore, oneshot::Sender<Option<Done>>),
    /// What is due; says whether there is more, or nothing if it could not be written.
    Calendar(oneshot::Sender<Option<bool>>),
}

/// What the bank does by itself.
pub(super) enum Chore {
    /// Make a bulletin; with the roots of the last day that is over.
    Bulletin(Day, Digest),
    /// Certify anew whom a revoked key has certified, from the account after this one on.
    Renew(AccountNumber),
}

/// What came of a chore.
pub(super) enum Done {
    /// The bulletin, if a key may sign it.
    Bulletin(Option<Box<Signed<Bulletin>>>),
    /// The last account that was looked at; nothing at the end.
    Renewed(Option<AccountNumber>),
}

impl Chore {
    fn perform(&self, desk: Desk<'_>, tx: &mut impl Tx) -> Result<Done, Fault> {
        Ok(match self {
            Chore::Bulletin(day, roots) => Done::Bulletin(desk.state(tx, (*day, *roots))?.map(Box::new)),
            Chore::Renew(after) => Done::Renewed(desk.renew_certificates(tx, *after)?),
        })
    }
}

/// What a task came to, told once it is durable.
enum Told {
    Customer(Box<BankAnswer>),
    Operator(Result<office::Done, OrderError>),
    Own(Done),
    Calendar(bool),
}

pub(super) struct Writer<B> {
    pub(super) books: Arc<B>,
    pub(super) keys: Keys,
    pub(super) world: World,
    pub(super) queue: mpsc::Receiver<Job>,
    pub(super) newest: watch::Sender<u64>,
    pub(super) news: Arc<News>,
    pub(super) failed: Failed,
}

/// A writer that dies of a bug must not leave a bank that looks open.
struct Alarm(Failed);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.with(Fault::Store("the writer died of a bug; the log says where".to_owned()));
        }
    }
}

impl<B: Books> Writer<B> {
    pub(super) fn run(mut self) {
        let _alarm = Alarm(self.failed.clone());
        let mut attempts = Attempts::default();
        while let Some(first) = self.queue.blocking_recv() {
            let (batch, stop) = drain(&mut self.queue, first);
            if self.failed.has_happened() {
                // Somebody else found it, an audit or a witness: nothing is written any more.
                return batch.into_iter().for_each(Task::unavailable);
            }
            if !(self.world.has_room)() {
                tracing::error!(wanted = ROOM_BYTES, "the disk is full: nothing is written");
                batch.into_iter().for_each(Task::unavailable);
            } else if let Err(fault) = self.carry_out(batch, &mut attempts) {
                return self.failed.with(fault);
            }
            if let Some(stopped) = stop {
                drop(self);
                // Whoever asked for it may not wait any more.
                let _ = stopped.send(());
                return;
            }
        }
    }

    fn carry_out(&self, batch: Vec<Task>, attempts: &mut Attempts) -> Result<(), Fault> {
        let keys = self.keys.current();
        let desk =
            Desk { keys: &keys, now: Timestamp(self.world.clock.now_seconds()), rules: self.world.rules };
        let done = self.books.in_one_commit(|tx| {
            let before = tx.journal_head()?;
            let told: Result<Vec<Told>, Fault> =
                batch.iter().map(|task| task.perform(desk, tx, attempts)).collect();
            let told = told?;
            let written = tx.entries_after(before, usize::MAX)?;
            let news = written.iter().any(|entry| entry.kind.is_news());
            Ok((told, tx.journal_head()?, news))
        });
        match done {
            Ok((told, head, news)) => {
                if news {
                    self.news.arrived();
                }
                tracing::debug!(requests = batch.len(), head, "committed");
                self.newest.send_if_modified(|newest| std::mem::replace(newest, head) != head);
                batch.into_iter().zip(told).for_each(|(task, told)| task.tell(told));
                Ok(())
            }
            Err(fault) => {
                batch.into_iter().for_each(Task::unavailable);
                Err(fault)
            }
        }
    }
}

/// What waits, up to a batch, and whether it is the last.
fn drain(queue: &mut mpsc::Receiver<Job>, first: Job) -> (Vec<Task>, Option<oneshot::Sender<()>>) {
    let (mut batch, mut bytes) = (Vec::new(), 0_usize);
    let mut next = Some(first);
    while let Some(job) = next {
        match job {
            Job::Task(task) => {
                bytes = bytes.saturating_add(task.bytes());
                batch.push(task);
            }
            Job::Stop(stopped) => return (batch, Some(stopped)),
        }
        // What it writes has to fit into the room that was asked for.
        let has_place = batch.len() < BATCH_MAX && bytes < BATCH_BYTES;
        next = if has_place { queue.try_recv().ok() } else { None };
    }
    (batch, None)
}

impl Task {
    fn bytes(&self) -> usize {
        match self {
            Task::Customer(_, bytes, _) => *bytes,
            Task::Operator(..) | Task::Own(..) | Task::Calendar(_) => OWN_BYTES,
        }
    }

    fn perform(&self, desk: Desk<'_>, tx: &mut impl Tx, attempts: &mut Attempts) -> Result<Told, Fault> {
        Ok(match self {
            Task::Customer(work, ..) => Told::Customer(Box::new(work.perform(desk, tx, attempts)?)),
            Task::Operator(order, _) => Told::Operator(desk.order(tx, order)?.map_err(OrderError::from)),
            Task::Own(chore, _) => Told::Own(chore.perform(desk, tx)?),
            Task::Calendar(_) => Told::Calendar(desk.turn(tx)?),
        })
    }

    /// Whoever does not wait any more asks again: the answer is kept.
    fn tell(self, told: Told) {
        match (self, told) {
            (Task::Customer(_, _, reply), Told::Customer(answer)) => drop(reply.send(*answer)),
            (Task::Operator(_, reply), Told::Operator(done)) => drop(reply.send(done)),
            (Task::Own(_, reply), Told::Own(done)) => drop(reply.send(Some(done))),
            (Task::Calendar(reply), Told::Calendar(more)) => drop(reply.send(Some(more))),
            (Task::Customer(..) | Task::Operator(..) | Task::Own(..) | Task::Calendar(_), _) => {
                unreachable!("each task is told what it came to itself")
            }
        }
    }

    fn unavailable(self) {
        match self {
            Task::Customer(_, _, reply) => drop(reply.send(BankAnswer::Error(ErrorCode::Unavailable))),
            Task::Operator(_, reply) => drop(reply.send(Err(OrderError::Unavailable))),
            Task::Own(_, reply) => drop(reply.send(None)),
            Task::Calendar(reply) => drop(reply.send(None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A commit never has more in it than there is room for: large requests go into several, small ones into one.
    #[test]
    fn a_batch_is_bounded_by_number_and_bytes() {
        let batches = |each: usize| {
            let (jobs, mut queue) = mpsc::channel(1000);
            for _ in 0..300 {
                let task = Task::Customer(Work::Contest(Vec::new()), each, oneshot::channel().0);
                assert!(jobs.try_send(Job::Task(task)).is_ok());
            }
            let mut sizes = Vec::new();
            while let Ok(first) = queue.try_recv() {
                sizes.push(drain(&mut queue, first).0.len());
            }
            sizes
        };
        assert_eq!(batches(1000), [256, 44]);
        let large = 272 << 10;
        let sizes = batches(large);
        assert_eq!(sizes.iter().sum::<usize>(), 300);
        assert!(sizes.iter().all(|size| size * large < BATCH_BYTES + large), "{sizes:?}");
        assert_eq!(batches(2 * BATCH_BYTES).len(), 300, "one alone always goes");
    }
}
