//! What a shop's owner sets: tills, where one day ends, how long a sale waits.

use super::change::{Change, Decision, Draft, Happening};
use super::rights::Actor;
use super::{Refusal, Shop};
use protocol::body::Text;
use protocol::shop::TILL_MAX;
use protocol::time::{DAY_SECONDS, Day, Timestamp};
use serde::{Deserialize, Serialize};

/// Most tills of a shop.
const TILLS_MAX: usize = 32;
/// A clock is at most so many minutes from UTC.
const OFFSET_MAX: i32 = 14 * 60;
/// Minutes of a day.
const DAY_MINUTES: u32 = 1440;

/// A shop's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Names of the tills: on every sale stands one of them.
    pub tills: Vec<String>,
    /// Minutes that the shop's clock is ahead of UTC.
    pub offset_minutes: i32,
    /// Minutes after midnight at which a business day ends: 180 for a bar that closes at three.
    pub closes_minutes: u32,
    /// How many seconds a sale waits for its payment.
    pub sale_seconds: u64,
    /// Whether what a day took goes to the company when it is closed: only in a shop that its company owns.
    #[serde(default)]
    pub sweep: bool,
    /// The folder that gets a copy of the book after each Z report.
    #[serde(default)]
    pub backup_folder: Option<String>,
    /// How many are kept there.
    #[serde(default = "copies_kept")]
    pub backup_keep: u32,
}

fn copies_kept() -> u32 {
    30
}

impl Default for Settings {
    fn default() -> Self {
        let tills = vec!["1".to_owned()];
        Settings {
            tills,
            offset_minutes: 0,
            closes_minutes: 0,
            sale_seconds: 900,
            sweep: false,
            backup_folder: None,
            backup_keep: copies_kept(),
        }
    }
}

impl Settings {
    /// The business day of a moment: it ends at the closing hour, by the shop's own clock.
    pub fn day_of(&self, at: Timestamp) -> Day {
        let shift = i64::from(self.offset_minutes) * 60 - i64::from(self.closes_minutes) * 60;
        let local = i64::try_from(at.0).unwrap_or(i64::MAX).saturating_add(shift);
        let days = local.div_euclid(i64::try_from(DAY_SECONDS).expect("86,400"));
        Day(u32::try_from(days).unwrap_or(0))
    }

    fn check(&self) -> Result<(), Refusal> {
        if self.tills.is_empty() || self.tills.len() > TILLS_MAX {
            return Err(Refusal::Value(format!("a shop has 1 to {TILLS_MAX} tills")));
        }
        for (at, till) in self.tills.iter().enumerate() {
            Text::new(till, TILL_MAX).map_err(|flaw| Refusal::Text(format!("the till: {flaw}")))?;
            if till.trim().is_empty() || self.tills.iter().take(at).any(|other| other == till) {
                return Err(Refusal::Value(format!("till «{till}» has no name of its own")));
            }
        }
        if self.offset_minutes.abs() > OFFSET_MAX || self.closes_minutes >= DAY_MINUTES {
            return Err(Refusal::Value(
                "a clock is up to 14 h from UTC, a day ends at 00:00 to 23:59".to_owned(),
            ));
        }
        let folder = self.backup_folder.as_ref();
        if folder.is_some_and(|folder| !folder.starts_with('/') || folder.len() > 4096) {
            return Err(Refusal::Value("the folder for backups: its whole path, from / on".to_owned()));
        }
        if !(1..=10_000).contains(&self.backup_keep) {
            return Err(Refusal::Value("1 to 10000 backups are kept".to_owned()));
        }
        match self.sale_seconds {
            30..=2_592_000 => Ok(()),
            _ => Err(Refusal::Value("a sale waits 30 seconds to 30 days".to_owned())),
        }
    }
}

impl Shop {
    /// Other settings. Sales that are open keep their day.
    pub fn set(&self, settings: Settings, actor: &Actor, now: Timestamp) -> Result<Decision<()>, Refusal> {
        settings.check()?;
        let mut draft = Draft::at(self, now);
        draft.put(Change::Settings(settings));
        draft.event(Happening::Settings {});
        draft.audit(actor, "shop.set", "done", "");
        Ok(draft.decide(()))
    }

    /// The business day to which what begins now is booked: never one that has its report.
    pub fn today(&self, now: Timestamp) -> Day {
        let day = self.settings().day_of(now);
        self.period().closed.map_or(day, |closed| day.max(closed.plus_days(1)))
    }
}
