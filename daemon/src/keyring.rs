//! The one place that holds the owner's keys: opened by the private code, for a time (SPEC §1.3, N3).
//!
//! ```text
//! begin_try ─(the try is counted on disk)─▶ Attempt::run ─(slow, on any thread)─▶ finish_try ─▶ open until …
//! ```
//! The count comes first, so that pulling the plug buys no free guess. Three wrong codes cost nothing,
//! then each costs a wait twice as long, up to an hour; the right one sets the count back.

use crate::wallet::OpenKeys;
use crate::wallet::vault::Quarantine;
use protocol::key::lock::{LockFlaw, SealedSeed, delay_after};
use protocol::node::host::private_file::{self, PrivateFileError};
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;

/// The owner's keys, sealed or open.
#[derive(Debug)]
pub struct Keyring {
    sealed: SealedSeed,
    attempts_file: PathBuf,
    open: Option<(OpenKeys, Timestamp)>,
}

/// Why the keyring stays closed.
#[derive(Debug, thiserror::Error)]
pub enum UnlockRefusal {
    /// Another code.
    #[error("wrong private code ({}{})", tries_text(*.tries), wait_text(*.wait_seconds))]
    Wrong {
        /// Seconds until the next try is taken.
        wait_seconds: u64,
        /// Wrong codes in a row.
        tries: u32,
    },
    /// Too soon after wrong codes.
    #[error("too many wrong codes: wait {seconds} seconds before the next try")]
    Wait {
        /// Seconds until the next try is taken.
        seconds: u64,
    },
    /// It must be restored: what it holds is not all there is.
    #[error(
        "this workstation is in quarantine ({0}): run «stermina restore» to put it right; nothing is lost by it"
    )]
    Quarantined(Quarantine),
    /// The seed's file is no sealed seed any more.
    #[error("the sealed seed is damaged: restore from the recovery phrase")]
    Damaged,
    /// The count of tries can't be kept, so no code is tried.
    #[error("the private code was not tried, because tries can't be counted: {0}")]
    Disk(String),
}

fn tries_text(tries: u32) -> String {
    if tries == 1 { "the first in a row".to_owned() } else { format!("{tries} in a row") }
}

fn wait_text(seconds: u64) -> String {
    if seconds == 0 { String::new() } else { format!(", the next try is taken in {seconds} seconds") }
}

/// Wrong codes in a row, as kept on disk.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Tries {
    wrong: u32,
    last: Timestamp,
}

const TRIES_MAX: u64 = 64;

/// A try that has been counted. Holds no borrow, so that it can run on a thread of its own.
#[derive(Debug)]
pub struct Attempt {
    sealed: SealedSeed,
}

impl Attempt {
    /// Tries the code: slow, and greedy for memory, on purpose.
    pub fn run(self, code: &str) -> Result<OpenKeys, LockFlaw> {
        self.sealed.open(code).map(OpenKeys::of)
    }
}

impl Keyring {
    /// A closed keyring. `attempts_file` is where wrong codes are counted.
    pub fn new(sealed: SealedSeed, attempts_file: PathBuf) -> Keyring {
        Keyring { sealed, attempts_file, open: None }
    }

    /// Opens the keyring for `seconds` from `now`. Slow: see [`Keyring::begin_try`] for a way that is not.
    pub fn unlock(&mut self, code: &str, now: Timestamp, seconds: u64) -> Result<Timestamp, UnlockRefusal> {
        let result = self.begin_try(now)?.run(code);
        self.finish_try(result, now, seconds)
    }

    /// Counts a try, durably, and gives it out; refuses while a wait is on.
    pub fn begin_try(&mut self, now: Timestamp) -> Result<Attempt, UnlockRefusal> {
        let mut tries = self.tries()?;
        if tries.last > now {
            // The clock was set back. The wait begins anew, else it would last until the clock is there again.
            tries.last = now;
            self.count(tries)?;
        }
        let seconds = wait(tries, now);
        if seconds > 0 {
            return Err(UnlockRefusal::Wait { seconds });
        }
        self.count(Tries { wrong: tries.wrong.saturating_add(1), last: now })?;
        Ok(Attempt { sealed: self.sealed.clone() })
    }

    /// Takes what a try found: the right code opens the keyring and sets the count back.
    pub fn finish_try(
        &mut self,
        result: Result<OpenKeys, LockFlaw>,
        now: Timestamp,
        seconds: u64,
    ) -> Result<Timestamp, UnlockRefusal> {
        match result {
            Ok(keys) => {
                self.count(Tries::default())?;
                let until = now.plus_seconds(seconds);
                self.open = Some((keys, until));
                Ok(until)
            }
            Err(LockFlaw::Damaged) => Err(UnlockRefusal::Damaged),
            Err(LockFlaw::WrongCode | LockFlaw::BadCode) => {
                let tries = self.tries()?;
                Err(UnlockRefusal::Wrong { wait_seconds: wait(tries, now), tries: tries.wrong })
            }
        }
    }

    /// Closes the keyring; the keys leave memory.
    pub fn lock(&mut self) {
        self.open = None;
    }

    /// The keys, while the keyring is open. When its time is over, it closes itself.
    pub fn open(&mut self, now: Timestamp) -> Option<&OpenKeys> {
        if self.open.as_ref().is_some_and(|(_, until)| *until <= now) {
            self.lock();
        }
        self.open.as_ref().map(|(keys, _)| keys)
    }

    /// When it closes itself; none if it is closed.
    pub fn until(&self) -> Option<Timestamp> {
        self.open.as_ref().map(|(_, until)| *until)
    }

    fn tries(&self) -> Result<Tries, UnlockRefusal> {
        let bytes = match private_file::read(&self.attempts_file, TRIES_MAX) {
            Ok(bytes) => bytes,
            Err(PrivateFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(Tries::default());
            }
            Err(fault) => return Err(UnlockRefusal::Disk(fault.to_string())),
        };
        rmp_serde::from_slice(&bytes).map_err(|_| {
            let file = self.attempts_file.display();
            UnlockRefusal::Disk(format!("{file} is damaged; remove it if only you could have done that"))
        })
    }

    fn count(&self, tries: Tries) -> Result<(), UnlockRefusal> {
        let bytes = rmp_serde::to_vec(&tries).expect("two numbers");
        private_file::write(&self.attempts_file, &bytes)
            .map_err(|fault| UnlockRefusal::Disk(format!("{}: {fault}", self.attempts_file.display())))
    }
}

fn wait(tries: Tries, now: Timestamp) -> u64 {
    delay_after(tries.wrong).saturating_sub(now.seconds_since(tries.last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::key::Seed;
    use protocol::key::lock::GuessCost;
    use protocol::node::chance::chance;

    const CODE: &str = "correct horse";
    const NOW: Timestamp = Timestamp(1_795_305_600);

    struct Home {
        folder: tempfile::TempDir,
        sealed: SealedSeed,
    }

    impl Home {
        fn new() -> Home {
            let cost = GuessCost { memory_kib: 64, passes: 1 };
            let sealed = SealedSeed::close(&Seed::from_bytes([9; 32]), CODE, cost, &mut chance()).unwrap();
            Home { folder: tempfile::tempdir().unwrap(), sealed }
        }

        /// As after a start of the program.
        fn keyring(&self) -> Keyring {
            Keyring::new(self.sealed.clone(), self.folder.path().join("tries"))
        }
    }

    fn later(seconds: u64) -> Timestamp {
        NOW.plus_seconds(seconds)
    }

    /// N3: guessing gets slower, and a restart does not give new tries.
    #[test]
    fn wrong_codes_cost_time_and_a_restart_does_not_forget_them() {
        let home = Home::new();
        for (tries, wait) in [(1, 0), (2, 0), (3, 2)] {
            let refused = home.keyring().unlock("correct hors", NOW, 60).unwrap_err();
            assert!(
                matches!(refused, UnlockRefusal::Wrong { wait_seconds, tries: t } if (t, wait_seconds) == (tries, wait)),
                "{refused}"
            );
        }
        let early = home.keyring().unlock(CODE, later(1), 60).unwrap_err();
        assert!(matches!(early, UnlockRefusal::Wait { seconds: 1 }), "{early}");
        let fourth = home.keyring().unlock("correct hors", later(2), 60).unwrap_err();
        assert!(matches!(fourth, UnlockRefusal::Wrong { wait_seconds: 4, tries: 4 }), "{fourth}");
        assert_eq!(home.keyring().unlock(CODE, later(6), 60).unwrap(), later(66));
    }

    /// Whoever kills the process while a code is being tried has spent the try.
    #[test]
    fn a_try_counts_before_its_result_is_known() {
        let home = Home::new();
        for _ in 0..3 {
            let attempt = home.keyring().begin_try(NOW).unwrap();
            drop(attempt);
        }
        assert!(matches!(home.keyring().begin_try(NOW), Err(UnlockRefusal::Wait { seconds: 2 })));
    }

    #[test]
    fn the_right_code_sets_the_count_back() {
        let home = Home::new();
        let mut keyring = home.keyring();
        keyring.unlock("wrong code", NOW, 60).unwrap_err();
        keyring.unlock("wrong code", NOW, 60).unwrap_err();
        keyring.unlock(CODE, NOW, 60).unwrap();
        let refused = home.keyring().unlock("wrong code", NOW, 60).unwrap_err();
        assert!(matches!(refused, UnlockRefusal::Wrong { tries: 1, .. }), "{refused}");
    }

    #[test]
    fn it_closes_itself_when_its_time_is_over() {
        let home = Home::new();
        let mut keyring = home.keyring();
        assert!(keyring.open(NOW).is_none());
        let until = keyring.unlock(CODE, NOW, 60).unwrap();
        assert_eq!((until, keyring.until()), (later(60), Some(later(60))));
        let owner = Seed::from_bytes([9; 32]).owner().key();
        assert_eq!(keyring.open(later(59)).unwrap().owner().key(), owner);
        assert!(keyring.open(later(60)).is_none());
        assert!(keyring.open(NOW).is_none(), "closed is closed, whatever the clock says afterwards");
        assert_eq!(keyring.until(), None);
        keyring.unlock(CODE, NOW, 60).unwrap();
        keyring.lock();
        assert!(keyring.open(NOW).is_none());
    }

    #[test]
    fn a_try_runs_on_a_thread_of_its_own() {
        let home = Home::new();
        let mut keyring = home.keyring();
        let attempt = keyring.begin_try(NOW).unwrap();
        let result = std::thread::spawn(move || attempt.run(CODE)).join().unwrap();
        assert_eq!(keyring.finish_try(result, NOW, 5).unwrap(), later(5));
    }

    /// Setting the clock back starts the wait anew; it neither ends it nor makes it last for years.
    #[test]
    fn a_clock_set_back_neither_helps_nor_locks_out() {
        let home = Home::new();
        for _ in 0..3 {
            home.keyring().unlock("wrong code", later(1_000_000), 60).unwrap_err();
        }
        assert!(matches!(home.keyring().begin_try(NOW), Err(UnlockRefusal::Wait { seconds: 2 })));
        home.keyring().unlock(CODE, later(2), 60).unwrap();
    }

    #[test]
    fn without_a_count_no_code_is_tried() {
        let home = Home::new();
        std::fs::create_dir(home.folder.path().join("tries")).unwrap();
        let refused = home.keyring().unlock(CODE, NOW, 60).unwrap_err();
        assert!(matches!(&refused, UnlockRefusal::Disk(_)), "{refused}");
        assert!(refused.to_string().contains("tries"));
        let home = Home::new();
        private_file::write(&home.folder.path().join("tries"), b"\xc1").unwrap();
        assert!(matches!(home.keyring().begin_try(NOW), Err(UnlockRefusal::Disk(_))));
    }
}
