//! The one writer: a thread that turns what waits in the queue into one commit.

use super::{Failed, Keys, OrderError, ROOM_BYTES, World};
use crate::desk::Desk;
use crate::desk::activate::Attempts;
use crate::desk::counter::Work;
use crate::desk::office::{Done, Order};
use crate::ledger::books::{Books, Fault, Tx, View};
use protocol::time::Timestamp;
use protocol::wire::{BankAnswer, ErrorCode};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// Requests in one commit.
const BATCH_MAX: usize = 256;

/// What the writer is asked to do.
pub(super) enum Job {
    /// A customer's request.
    Customer(Work, oneshot::Sender<BankAnswer>),
    /// An operator's order.
    Operator(Order, oneshot::Sender<Result<Done, OrderError>>),
    /// Finish and close.
    Stop(oneshot::Sender<()>),
}

/// What a job came to, told once it is durable.
enum Told {
    Customer(BankAnswer),
    Operator(Result<Done, OrderError>),
    Stop,
}

pub(super) struct Writer<B> {
    pub(super) books: Arc<B>,
    pub(super) keys: Keys,
    pub(super) world: World,
    pub(super) queue: mpsc::Receiver<Job>,
    pub(super) newest: watch::Sender<u64>,
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
            let batch = self.drain(first);
            let last = batch.iter().any(|job| matches!(job, Job::Stop(_)));
            if !(self.world.has_room)() {
                tracing::error!(wanted = ROOM_BYTES, "the disk is full: nothing is written");
                batch.into_iter().for_each(Job::unavailable);
            } else if let Err(fault) = self.carry_out(batch, &mut attempts) {
                return self.failed.with(fault);
            }
            if last {
                return;
            }
        }
    }

    fn drain(&mut self, first: Job) -> Vec<Job> {
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX {
            match self.queue.try_recv() {
                Ok(job) => batch.push(job),
                Err(_) => break,
            }
        }
        batch
    }

    fn carry_out(&self, batch: Vec<Job>, attempts: &mut Attempts) -> Result<(), Fault> {
        let keys = self.keys.current();
        let desk = Desk { keys: &keys, now: Timestamp(self.world.clock.now_seconds()) };
        let done = self.books.in_one_commit(|tx| {
            let told: Result<Vec<Told>, Fault> =
                batch.iter().map(|job| job.perform(desk, tx, attempts)).collect();
            Ok((told?, tx.journal_head()?))
        });
        match done {
            Ok((told, head)) => {
                tracing::debug!(requests = batch.len(), head, "committed");
                self.newest.send_if_modified(|newest| std::mem::replace(newest, head) != head);
                batch.into_iter().zip(told).for_each(|(job, told)| job.tell(told));
                Ok(())
            }
            Err(fault) => {
                batch.into_iter().for_each(Job::unavailable);
                Err(fault)
            }
        }
    }
}

impl Job {
    fn perform(&self, desk: Desk<'_>, tx: &mut impl Tx, attempts: &mut Attempts) -> Result<Told, Fault> {
        Ok(match self {
            Job::Customer(work, _) => Told::Customer(work.perform(desk, tx, attempts)?),
            Job::Operator(order, _) => Told::Operator(desk.order(tx, order)?.map_err(OrderError::from)),
            Job::Stop(_) => Told::Stop,
        })
    }

    /// Whoever does not wait any more asks again: the answer is kept.
    fn tell(self, told: Told) {
        match (self, told) {
            (Job::Customer(_, reply), Told::Customer(answer)) => drop(reply.send(answer)),
            (Job::Operator(_, reply), Told::Operator(done)) => drop(reply.send(done)),
            (Job::Stop(reply), Told::Stop) => drop(reply.send(())),
            (Job::Customer(..) | Job::Operator(..) | Job::Stop(_), _) => {
                unreachable!("each job is told what it came to itself")
            }
        }
    }

    fn unavailable(self) {
        match self {
            Job::Customer(_, reply) => drop(reply.send(BankAnswer::Error(ErrorCode::Unavailable))),
            Job::Operator(_, reply) => drop(reply.send(Err(OrderError::Unavailable))),
            Job::Stop(reply) => drop(reply.send(())),
        }
    }
}
