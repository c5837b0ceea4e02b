//! Being told to stop, by the system or by ourselves.
//!
//! The first signal asks for an orderly end. A second one means that the person has lost patience:
//! the process ends at once, which the store survives like any power cut.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::exit::Exit;

/// Held by every task that must stop. Clones hear the same word.
#[derive(Clone, Debug)]
pub struct Shutdown {
    heard: watch::Receiver<bool>,
}

/// Gives the word to every [`Shutdown`] made with it. Dropping it gives the word as well.
#[derive(Debug)]
pub struct Stop {
    word: watch::Sender<bool>,
}

impl Shutdown {
    /// A stop word and the ear for it.
    pub fn new() -> (Stop, Self) {
        let (word, heard) = watch::channel(false);
        (Stop { word }, Self { heard })
    }

    /// Resolves when the word was given; at once if that is past.
    pub async fn requested(&self) {
        // An error means the giver is gone: nobody could stop us later, so stop now.
        let _ = self.heard.clone().wait_for(|given| *given).await;
    }

    /// Whether the word was given.
    pub fn is_requested(&self) -> bool {
        *self.heard.borrow() || self.heard.has_changed().is_err()
    }
}

impl Stop {
    /// Asks everyone to stop.
    pub fn now(&self) {
        self.word.send_replace(true);
    }
}

/// A [`Shutdown`] that SIGTERM and SIGINT give the word to; a second signal ends the process with 130.
///
/// Must be called within a runtime. Fails only if the system grants no signal handler.
pub fn shutdown() -> io::Result<Shutdown> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stop, shutdown) = Shutdown::new();
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!("stopping; a second signal ends the process at once");
        stop.now();
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        std::process::exit(i32::from(Exit::Interrupted.code()));
    });
    Ok(shutdown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everyone_hears_the_word_early_or_late() {
        let (stop, shutdown) = Shutdown::new();
        let early = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.requested().await }
        });
        assert!(!shutdown.is_requested());
        stop.now();
        early.await.unwrap();
        shutdown.requested().await;
        assert!(shutdown.is_requested());
    }

    #[tokio::test]
    async fn who_loses_the_giver_stops() {
        let (stop, shutdown) = Shutdown::new();
        drop(stop);
        shutdown.requested().await;
        assert!(shutdown.is_requested());
    }

    #[tokio::test]
    async fn a_signal_gives_the_word() {
        let shutdown = shutdown().unwrap();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM).unwrap();
        shutdown.requested().await;
    }

    /// Set in the process that the next test starts and interrupts.
    const CHILD: &str = "STERMINA_TEST_SIGNALS_CHILD";

    #[test]
    fn a_second_signal_ends_a_program_that_does_not_stop() {
        if std::env::var_os(CHILD).is_some() {
            return stubborn();
        }
        let name = "node::host::signals::tests::a_second_signal_ends_a_program_that_does_not_stop";
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, "1")
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        let lines = io::BufRead::lines(io::BufReader::new(child.stdout.take().unwrap()));
        for line in lines.map_while(Result::ok) {
            // Each of the two words asks for the next signal.
            if line.contains("listening") || line.contains("not stopping") {
                rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
            }
        }
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }

    fn stubborn() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let shutdown = shutdown().unwrap();
            println!("\nlistening");
            shutdown.requested().await;
            println!("\nnot stopping");
            std::future::pending::<()>().await;
        });
    }
}
