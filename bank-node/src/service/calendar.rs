//! The calendar: issue keys of days to come are picked up, those of days that are over are destroyed (B6).
//!
//! What is destroyed never comes back, and the machine's clock may be wrong by years. So keys are forgotten
//! by the clock alone, but destroyed only for days that are known to be over:
//!
//! ```text
//! at the start   the day of the newest note in the register: it was signed with that day's own key
//! while it runs  the clock, as long as it goes on by steps of at most two days
//! after a jump   the clock again, once it has kept its new course for a day of running time
//! ```
//! The journal would be no witness: entries are booked with any date, also while no key fits the day.

use super::Bank;
use crate::keys::{KeyFolder, KeysError, WorkingKeys, day_of};
use crate::ledger::books::{Books, Fault, View};
use protocol::id::Key;
use protocol::key::bank::Usage;
use protocol::node::host::signals::Shutdown;
use protocol::time::{Day, SKEW_SECONDS, Timestamp};
use std::time::Duration;

/// How often the calendar is looked at.
const LOOK: Duration = Duration::from_secs(20);
/// From so many days left on, the log warns.
const FEW_DAYS: u32 = 7;
/// Days by which the clock may be ahead of what is known.
const STEP_DAYS: u32 = 2;
/// Running time after which a clock that jumped is believed.
const BELIEVED_AFTER: Duration = Duration::from_secs(24 * 3600);

/// What the clock says, and how long the process has run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// The clock.
    pub(crate) now: Timestamp,
    /// Never goes back, whoever sets the clock.
    pub(crate) running: Duration,
}

/// Which days are known to be over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calendar {
    /// All days before it are over.
    known: Option<Day>,
    /// Since when the clock has been too far ahead of it.
    doubted: Option<Duration>,
}

impl Calendar {
    /// What the books witness. To be asked before anybody can write into them under today's clock.
    pub(crate) fn of(books: &impl View) -> Result<Calendar, Fault> {
        let newest = books.issued(books.last_serial()?)?;
        let known = newest.map(|issued| issued.root.unverified().issued_day);
        Ok(Calendar { known, doubted: None })
    }

    /// Whether the clock is too far ahead to be believed.
    pub(crate) fn doubts(&self) -> bool {
        self.doubted.is_some()
    }

    /// All days before the one it returns are over.
    fn look(&mut self, first: Day, at: Moment) -> Day {
        // A little late, so that a clock that is set back at midnight does not leave the bank without a key.
        let today = Timestamp(at.now.0.saturating_sub(SKEW_SECONDS)).day();
        let known = *self.known.get_or_insert(first);
        let since = self.doubted.unwrap_or(at.running);
        let is_near = today <= known.plus_days(STEP_DAYS);
        if is_near || at.running.saturating_sub(since) >= BELIEVED_AFTER {
            self.doubted = None;
            self.known = Some(known.max(today));
            return today.min(known.max(today));
        }
        if self.doubted.is_none() {
            tracing::error!(
                clock = %today, known = %known,
                "the clock has jumped ahead: no key is destroyed until it is set right, or has run on for a day"
            );
        }
        self.doubted = Some(since);
        known
    }
}

/// Looks at the calendar until the shutdown.
pub(crate) async fn keep_calendar<B: Books>(
    bank: Bank<B>,
    folder: KeyFolder,
    mut calendar: Calendar,
    shutdown: Shutdown,
) {
    let mut ticks = tokio::time::interval(LOOK);
    let mut warned = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.requested() => return,
        }
        let (at, master, keys) = (bank.moment(), bank.keys().master(), folder.clone());
        let turned = tokio::task::spawn_blocking(move || {
            let turned = turn_page(&keys, master, &mut calendar, at);
            (turned, calendar)
        });
        let turned = turned.await.map(|(turned, seen)| {
            calendar = seen;
            turned
        });
        bank.doubt_clock(calendar.doubts());
        // A clock that has jumped must not end what people have time for.
        if !calendar.doubts() {
            bank.turn().await;
            bank.sweep_post().await;
        }
        match turned {
            Ok(Ok(keys)) => {
                let left = keys.days_left(at.now.day());
                if left < FEW_DAYS && warned != Some(left) {
                    tracing::warn!(days = left, "issue keys run out: bank-node keys extend --master FILE");
                    warned = Some(left);
                }
                bank.use_keys(keys);
            }
            // Works on with the keys it has; the operators have to look.
            Ok(Err(error)) => tracing::error!(%error, "the key folder can't be read"),
            Err(error) => tracing::error!(%error, "the calendar failed"),
        }
    }
}

/// Reads the folder as it is on this day, and destroys what has certainly ended.
pub(crate) fn turn_page(
    folder: &KeyFolder,
    master: Key,
    calendar: &mut Calendar,
    at: Moment,
) -> Result<WorkingKeys, KeysError> {
    let mut keys = folder.read(master)?;
    let issue = keys.public.certificates().filter(|certificate| certificate.usage == Usage::Issue);
    let first = issue.map(|certificate| certificate.from_day).min().unwrap_or(at.now.day());
    let today = calendar.look(first, at);
    for epoch in keys.drop_ended(at.now) {
        if day_of(epoch) < today {
            folder.destroy(epoch)?;
            tracing::info!(epoch, "an issue key's day is over: its private half is destroyed");
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: u32, hours: u64) -> Moment {
        Moment { now: Day(day).start().plus_seconds(43_200), running: Duration::from_secs(hours * 3600) }
    }

    /// B6: a clock is believed day by day; after a jump only when it has run on for a day.
    #[test]
    fn a_jump_is_no_witness() {
        let mut calendar = Calendar { known: None, doubted: None };
        let mut look = |at| (calendar.look(Day(100), at).0, calendar.doubts());
        assert_eq!(look(at(100, 0)), (100, false));
        assert_eq!(look(at(101, 24)), (101, false));
        assert_eq!(look(at(103, 25)), (103, false), "a weekend asleep");
        assert_eq!(look(at(143, 26)), (103, true));
        assert_eq!(look(at(143, 27)), (103, true), "the second look is no witness of the first");
        assert_eq!(look(at(103, 28)), (103, false), "set right");
        assert_eq!(look(at(143, 40)), (103, true));
        assert_eq!(look(at(144, 64)), (144, false), "it has run on for a day");
        assert_eq!(look(at(104, 65)), (104, false), "behind, and nothing of the days to come is destroyed");
    }
}
