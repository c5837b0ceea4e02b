//! The one clock: the only file that may ask the machine what time it is.
//!
//! Everything else takes time as an argument, so a test can say what time it is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tells the time. Clones tell the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Arc<Source>,
}

#[derive(Debug)]
enum Source {
    System { started: Instant },
    Manual(Mutex<Hands>),
}

#[derive(Debug)]
struct Hands {
    unix: Duration,
    elapsed: Duration,
}

impl Clock {
    /// The clock of this machine.
    #[expect(clippy::disallowed_methods, reason = "this file is the one clock")]
    pub fn system() -> Self {
        Self { source: Arc::new(Source::System { started: Instant::now() }) }
    }

    /// A clock that stands still until a test moves it.
    pub fn manual(unix_seconds: u64) -> Self {
        let hands = Hands { unix: Duration::from_secs(unix_seconds), elapsed: Duration::ZERO };
        Self { source: Arc::new(Source::Manual(Mutex::new(hands))) }
    }

    /// Seconds since 1970 in UTC; zero on a machine that believes to live before that.
    #[expect(clippy::disallowed_methods, reason = "this file is the one clock")]
    pub fn now_seconds(&self) -> u64 {
        match &*self.source {
            Source::System { .. } => {
                SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
            }
            Source::Manual(hands) => lock(hands).unix.as_secs(),
        }
    }

    /// Time since this clock was made. It never goes back, whoever sets the wall clock.
    pub fn monotonic(&self) -> Duration {
        match &*self.source {
            Source::System { started } => started.elapsed(),
            Source::Manual(hands) => lock(hands).elapsed,
        }
    }

    /// Sets the wall time of a manual clock, as an administrator would: `monotonic` does not move.
    ///
    /// # Panics
    /// On the system clock: a test that reaches it has mixed up its clocks.
    pub fn set(&self, unix_seconds: u64) {
        lock(self.hands()).unix = Duration::from_secs(unix_seconds);
    }

    /// Lets time pass on a manual clock, on both of its faces.
    ///
    /// # Panics
    /// On the system clock: a test that reaches it has mixed up its clocks.
    pub fn advance(&self, by: Duration) {
        let mut hands = lock(self.hands());
        hands.unix = hands.unix.saturating_add(by);
        hands.elapsed = hands.elapsed.saturating_add(by);
    }

    fn hands(&self) -> &Mutex<Hands> {
        match &*self.source {
            Source::Manual(hands) => hands,
            Source::System { .. } => panic!("only a manual clock can be moved"),
        }
    }
}

fn lock(hands: &Mutex<Hands>) -> std::sync::MutexGuard<'_, Hands> {
    hands.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand_and_for_every_clone() {
        let clock = Clock::manual(1_000);
        let same = clock.clone();
        clock.advance(Duration::from_millis(1_500));
        clock.advance(Duration::from_millis(500));
        assert_eq!((same.now_seconds(), same.monotonic()), (1_002, Duration::from_secs(2)));
        clock.set(50);
        assert_eq!((same.now_seconds(), same.monotonic()), (50, Duration::from_secs(2)));
    }

    #[test]
    fn the_system_clock_runs_forward() {
        let clock = Clock::system();
        let before = clock.monotonic();
        assert!(clock.monotonic() >= before);
        assert!(clock.now_seconds() > 1_700_000_000);
    }
}
