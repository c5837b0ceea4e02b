//! The one thread that owns the shop: a decision at a time, on disk before its reply goes out.
//!
//! A disk that fails ends the thread, and with it the program: what is in memory must not be ahead of it.

use crate::shop::change::Decision;
use crate::shop::rights::Actor;
use crate::shop::{Refusal, Shop};
use crate::store::ShopStore;
use daemon::head::HeadFile;
use daemon::store::StoreFault;
use protocol::time::Timestamp;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// Jobs that may wait; whoever brings more waits as well.
const JOBS_MAX: usize = 1024;

type Job = Box<dyn FnOnce(&mut Shop, &ShopStore) -> Result<(), StoreFault> + Send>;

/// Why a call comes to nothing.
#[derive(Debug, thiserror::Error)]
pub enum RoomFault {
    /// A rule.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The room has ended.
    #[error("the shop is stopping: start it again and repeat the call with the same key")]
    Stopped,
}

/// A handle on the room; clones are the same one.
#[derive(Clone)]
pub struct Room {
    jobs: mpsc::Sender<Job>,
    /// What may be read without asking.
    pub store: Arc<ShopStore>,
    /// The number of the newest durable event.
    pub newest_event: Arc<watch::Sender<u64>>,
}

/// Opens the room; what comes back second ends when the disk fails.
///
/// `head` notes how far its events went: an older file that is put in this one's place is found by it.
pub fn open(
    mut shop: Shop,
    store: Arc<ShopStore>,
    mut head: HeadFile,
) -> std::io::Result<(Room, std::thread::JoinHandle<Result<(), StoreFault>>)> {
    let (jobs, mut waiting) = mpsc::channel::<Job>(JOBS_MAX);
    let newest_event = Arc::new(watch::Sender::new(shop.newest_event()));
    let room = Room { jobs, store: store.clone(), newest_event: newest_event.clone() };
    let thread = std::thread::Builder::new().name("shop".to_owned()).spawn(move || {
        while let Some(job) = waiting.blocking_recv() {
            job(&mut shop, &store)?;
            let newest = shop.newest_event();
            newest_event.send_if_modified(|known| std::mem::replace(known, newest) != newest);
            if let Err(fault) = head.raise(newest) {
                tracing::warn!(%fault, "the shop's head file could not be written");
            }
        }
        Ok(())
    })?;
    Ok((room, thread))
}

impl Room {
    async fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Shop, &ShopStore) -> Result<Result<R, Refusal>, StoreFault> + Send + 'static,
    ) -> Result<R, RoomFault> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |shop, store| {
            let done = job(shop, store)?;
            // A caller that has gone away is no matter.
            let _ = sender.send(done);
            Ok(())
        });
        self.jobs.send(job).await.map_err(|_| RoomFault::Stopped)?;
        Ok(receiver.await.map_err(|_| RoomFault::Stopped)??)
    }

    /// Reads the shop's state.
    pub async fn look<R: Send + 'static>(
        &self,
        look: impl FnOnce(&Shop) -> R + Send + 'static,
    ) -> Result<R, RoomFault> {
        self.run(move |shop, _| Ok(Ok(look(shop)))).await
    }

    /// Asks the store what the rule needs, decides, commits, and gives the reply.
    pub async fn decide<R: Send + 'static>(
        &self,
        rule: impl FnOnce(&Shop, &ShopStore) -> Result<Decision<R>, RoomFault> + Send + 'static,
    ) -> Result<R, RoomFault> {
        self.run(move |shop, store| decide(shop, store, rule)).await
    }

    /// The same for a person or a program: a call that is refused stands in the audit log, too.
    pub async fn decide_for<R: Send + 'static>(
        &self,
        who: Asked,
        rule: impl FnOnce(&Shop, &ShopStore) -> Result<Decision<R>, RoomFault> + Send + 'static,
    ) -> Result<R, RoomFault> {
        self.run(move |shop, store| {
            let done = decide(shop, store, rule)?;
            if let Err(refusal) = &done {
                let note = shop.note(&who.actor, who.method, word(refusal), who.now);
                note.commit(shop, |changes| store.commit(changes))?;
            }
            Ok(done)
        })
        .await
    }
}

fn decide<R>(
    shop: &mut Shop,
    store: &ShopStore,
    rule: impl FnOnce(&Shop, &ShopStore) -> Result<Decision<R>, RoomFault>,
) -> Result<Result<R, Refusal>, StoreFault> {
    match rule(shop, store) {
        Ok(decision) => decision.commit(shop, |changes| store.commit(changes)).map(Ok),
        Err(RoomFault::Refused(refusal)) => Ok(Err(refusal)),
        Err(RoomFault::Store(fault)) => Err(fault),
        Err(RoomFault::Stopped) => Err(StoreFault::Broken("the shop is stopping".to_owned())),
    }
}

/// Who asked for what, and when.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who.
    pub actor: Actor,
    /// The method.
    pub method: &'static str,
    /// When.
    pub now: Timestamp,
}

/// A refusal's word for programs and for the audit log.
pub fn word(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NotFound(_) => "not_found",
        Refusal::KeyReused => "key_reused",
        Refusal::NoTill(_) => "no_till",
        Refusal::Line { .. } | Refusal::Lines(_) => "bad_cart",
        Refusal::Text(_) => "bad_text",
        Refusal::Value(_) => "bad_value",
        Refusal::State { .. } => "wrong_state",
        Refusal::OverPaid { .. } => "over_paid",
        Refusal::OverCap { .. } => "over_cap",
        Refusal::DayClosed { .. } => "day_closed",
        Refusal::MaybeGiven { .. } => "maybe_given",
        Refusal::TooMany(_) => "too_many",
        Refusal::Range(_) => "bad_amount",
    }
}
