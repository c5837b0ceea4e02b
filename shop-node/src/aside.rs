//! Work on a folder or a device that may hang, done in a thread of its own: it holds up neither others nor the end of the program.
//!
//! Nobody can stop a call that sleeps in the kernel. So only the waiting has an end; what hangs is not begun a second time, and if
//! it comes to an end after all, that counts.

use std::time::Duration;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum Hangs {
    /// It goes on, with nobody who waits.
    #[error("it took longer than {} s", .0.as_secs())]
    Late(Duration),
    /// What was begun before still goes on.
    #[error("the one before it has not come to an end: it hangs")]
    Before,
    /// It ended without an outcome.
    #[error("it broke")]
    Broke,
    /// There is no thread for it.
    #[error("{0}")]
    Thread(#[from] std::io::Error),
}

/// Where one piece of work at a time is under way, `K` says which.
#[derive(Debug)]
pub(crate) struct Bench<K, T> {
    pub(crate) under_way: Option<(K, oneshot::Receiver<T>)>,
}

impl<K, T> Default for Bench<K, T> {
    fn default() -> Self {
        Bench { under_way: None }
    }
}

impl<K: PartialEq, T: Send + 'static> Bench<K, T> {
    /// Does it, or says what came of the same work begun before. Whoever drops this leaves the work under way.
    pub(crate) async fn work(
        &mut self,
        which: K,
        patience: Duration,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Hangs> {
        if let Some((before, mut done)) = self.under_way.take() {
            match done.try_recv() {
                Ok(came) if before == which => return Ok(came),
                Err(TryRecvError::Empty) => {
                    self.under_way = Some((before, done));
                    return Err(Hangs::Before);
                }
                // Of other work: who wants that asks again.
                Ok(_) | Err(TryRecvError::Closed) => {}
            }
        }
        let (_, done) = self.under_way.insert((which, aside(job)?));
        let came = tokio::time::timeout(patience, done).await.map_err(|_| Hangs::Late(patience))?;
        self.under_way = None;
        came.map_err(|_| Hangs::Broke)
    }
}

fn aside<T: Send + 'static>(
    job: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<oneshot::Receiver<T>> {
    let (sender, receiver) = oneshot::channel();
    let run = move || drop(sender.send(job()));
    std::thread::Builder::new().name("aside".to_owned()).spawn(run)?;
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const LONG: Duration = Duration::from_secs(600);

    /// Issue 4: what hangs keeps nobody waiting, is not begun a second time, and counts when it comes to an end after all.
    #[tokio::test]
    async fn what_hangs_is_left_alone() {
        let mut bench: Bench<&str, u8> = Bench::default();
        let (wakes, sleeps) = mpsc::sync_channel::<u8>(1);
        let hung = bench.work("folder", Duration::ZERO, move || sleeps.recv().unwrap()).await;
        assert!(matches!(hung, Err(Hangs::Late(_))));
        let again = bench.work("folder", LONG, || panic!("it was begun a second time")).await;
        assert!(matches!(again, Err(Hangs::Before)));
        wakes.send(7).unwrap();
        let came = loop {
            match bench.work("folder", LONG, || panic!("it was begun a second time")).await {
                Err(Hangs::Before) => tokio::task::yield_now().await,
                other => break other,
            }
        };
        assert!(matches!(came, Ok(7)));
        assert!(matches!(bench.work("folder", LONG, || 8).await, Ok(8)));
        assert!(matches!(bench.work("folder", LONG, || panic!("broken")).await, Err(Hangs::Broke)));
        assert!(matches!(bench.work("folder", LONG, || 9).await, Ok(9)));
    }
}
