//! The bulletin is made every hour, and at once when there is news; then it is told to whoever is connected
//! (SPEC §4.14).
//!
//! ```text
//! a commit with news, the full hour ─▶ due? ─▶ the day's roots, if it is a new day ─▶ writer: one bulletin, durable
//!                                                                                        └─▶ spread among the nodes
//! ```
//! Who is not connected asks for it. The master key's revocations go the same way, and come first.

use super::writer::{Chore, Done, Job, Task};
use super::{Bank, Inner};
use crate::ledger::AccountNumber;
use crate::ledger::books::{Books, View as _};
use crate::ledger::bulletin::DayRoots;
use protocol::bank::Bulletin;
use protocol::bank::merkle::Step;
use protocol::key::bank::{Revocation, Usage};
use protocol::node::host::signals::Shutdown;
use protocol::node::net::Net;
use protocol::sign::Signed;
use protocol::time::{Day, Timestamp};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

/// News that come at once share a bulletin: the next one is made so many seconds later at the earliest.
const BETWEEN_SECONDS: u64 = 10;
/// A day counts as over when its last batch is certainly on disk.
const OVER_SECONDS: u64 = 60;
/// How often it is looked whether the hour is full.
const LOOK: Duration = Duration::from_secs(1);

/// That there is something to tell, and the roots of the last whole day.
#[derive(Default)]
pub(super) struct News {
    pending: AtomicBool,
    wake: Notify,
    roots: Mutex<Option<Arc<DayRoots>>>,
    /// It was said that no key may sign.
    unsigned: AtomicBool,
}

impl News {
    /// Something has happened that others have to hear of at once.
    pub(super) fn arrived(&self) {
        self.pending.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    #[cfg(test)]
    pub(super) fn is_woken(&self) -> bool {
        use futures::FutureExt as _;
        self.wake.notified().now_or_never().is_some()
    }

    /// It could not be told: again at the next look. Waking now would go round and round.
    fn stay(&self) {
        self.pending.store(true, Ordering::Release);
    }
}

impl<B: Books> Bank<B> {
    fn inner(&self) -> &Inner<B> {
        &self.inner
    }

    /// Makes a bulletin if the hour is full or there is news; the word is durable when it is returned.
    pub async fn bulletin_if_due(&self) -> Option<Signed<Bulletin>> {
        let now = self.now();
        let last = self.read(|view| view.last_bulletin()).await?;
        let news = &self.inner().news;
        let last = last.map(|last| last.unverified().at);
        if !is_due(last, now, news.pending.load(Ordering::Acquire)) {
            return None;
        }
        let roots = self.roots_of_the_last_day(now).await?;
        // Taken back before the books are read: what comes now is in the next one at the latest.
        news.pending.store(false, Ordering::Release);
        match self.chore(Chore::Bulletin(roots.day, roots.top())).await {
            // Noted beside books and log before anybody hears it: the bank never opens behind its own bulletin.
            Some(Done::Bulletin(Some(bulletin))) => {
                news.unsigned.store(false, Ordering::Relaxed);
                self.said(bulletin.unverified().journal).await.then_some(*bulletin)
            }
            Some(Done::Bulletin(None)) => {
                if !news.unsigned.swap(true, Ordering::Relaxed) {
                    tracing::error!("no key may sign a bulletin today: bank-node keys list");
                }
                news.stay();
                None
            }
            Some(Done::Renewed(_)) | None => {
                news.stay();
                None
            }
        }
    }

    /// Certifies everybody anew whom a revoked key has certified. True once nobody is left.
    pub async fn renew_certificates(&self) -> bool {
        let mut last = AccountNumber(0);
        loop {
            match self.chore(Chore::Renew(last)).await {
                Some(Done::Renewed(Some(next))) => last = next,
                Some(Done::Renewed(None)) => return true,
                Some(Done::Bulletin(_)) | None => return false,
            }
        }
    }

    async fn chore(&self, chore: Chore) -> Option<Done> {
        let (reply, done) = oneshot::channel();
        self.inner().jobs.send(Job::Task(Task::Own(chore, reply))).await.ok()?;
        done.await.ok().flatten()
    }

    async fn roots_of_the_last_day(&self, now: Timestamp) -> Option<Arc<DayRoots>> {
        let over = Timestamp(now.0.saturating_sub(OVER_SECONDS)).day();
        let day = Day(over.0.saturating_sub(1));
        if let Some(known) = self.roots_known().filter(|known| known.day == day) {
            return Some(known);
        }
        let roots = Arc::new(self.read(move |view| DayRoots::of(view, day)).await?);
        let mut kept = self.inner().news.roots.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(Arc::clone(&roots));
        Some(roots)
    }

    fn roots_known(&self) -> Option<Arc<DayRoots>> {
        self.inner().news.roots.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The way from a root of the last whole day to the digest in the bulletin.
    pub(super) fn root_path(&self, serial: u64) -> Option<Vec<Step>> {
        self.roots_known()?.path(serial)
    }
}

fn is_due(last: Option<Timestamp>, now: Timestamp, news: bool) -> bool {
    const HOUR: u64 = 3600;
    let Some(last) = last else { return true };
    now.0 / HOUR > last.0 / HOUR || (news && now.seconds_since(last) >= BETWEEN_SECONDS)
}

/// Makes bulletins and tells them until the shutdown.
pub(crate) async fn keep_bulletins<B: Books>(bank: Bank<B>, net: Net, shutdown: Shutdown) {
    let mut ticks = tokio::time::interval(LOOK);
    let mut obeyed = 0;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = bank.inner().news.wake.notified() => {}
            () = shutdown.requested() => return,
        }
        let keys = bank.keys();
        let revoked: Vec<&Signed<Revocation>> = keys.public.revocations().collect();
        if revoked.len() > obeyed {
            let is_attest = |r: &&Signed<Revocation>| r.unverified().usage == Usage::Attest;
            if revoked.iter().any(is_attest) && !bank.renew_certificates().await {
                continue;
            }
            obeyed = revoked.len();
            bank.inner().news.arrived();
        }
        if let Some(bulletin) = bank.bulletin_if_due().await {
            tracing::info!(number = bulletin.unverified().number, "bulletin");
            for revocation in revoked {
                net.spread(revocation.to_bytes()).await;
            }
            net.spread(bulletin.to_bytes()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Y6: once an hour, at once after news, and never two within seconds.
    #[test]
    fn a_bulletin_is_due_at_the_full_hour_and_after_news() {
        let at = |seconds: u64| Timestamp(20_500 * 86_400 + seconds);
        assert!(is_due(None, at(0), false));
        assert!(!is_due(Some(at(0)), at(3599), false));
        assert!(is_due(Some(at(3599)), at(3600), false));
        assert!(is_due(Some(at(100)), at(110), true));
        assert!(!is_due(Some(at(100)), at(109), true));
        assert!(!is_due(Some(at(100)), at(50), true), "a clock that was set back waits");
    }
}
