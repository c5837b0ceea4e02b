//! Dates as arguments: this crate has no clock outside `node` (SPEC §2.4).

use serde::{Deserialize, Serialize};
use std::fmt;

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Timestamp(pub u64);

/// Days since 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Day(pub u32);

/// Seconds in a day.
pub const DAY_SECONDS: u64 = 86_400;
/// How far two honest clocks may differ (SPEC §2.4, threats Y11).
pub const SKEW_SECONDS: u64 = 600;

impl Timestamp {
    /// This moment and `seconds` more; the far end of time when it would not fit.
    pub fn plus_seconds(self, seconds: u64) -> Timestamp {
        Timestamp(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` until this moment, 0 if it was later.
    pub fn seconds_since(self, earlier: Timestamp) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The day this moment falls on, in UTC.
    pub fn day(self) -> Day {
        Day(u32::try_from(self.0 / DAY_SECONDS).unwrap_or(u32::MAX))
    }

    /// Whether a thing that was to expire at `expires` is over, with the allowed skew.
    pub fn is_past(self, expires: Timestamp) -> bool {
        self > expires.plus_seconds(SKEW_SECONDS)
    }

    /// Whether a thing dated `created` lies in the future beyond the allowed skew.
    pub fn is_before(self, created: Timestamp) -> bool {
        created > self.plus_seconds(SKEW_SECONDS)
    }
}

impl Day {
    /// This day and `days` more.
    pub fn plus_days(self, days: u32) -> Day {
        Day(self.0.saturating_add(days))
    }

    /// The same day of the month so many months later, or the last one of a month that is shorter.
    pub fn plus_months(self, months: u32) -> Day {
        let (year, month, day) = civil(self);
        let month = month.saturating_sub(1).saturating_add(u64::from(months));
        let (year, month) = (year.saturating_add(month / 12), month % 12 + 1);
        let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        let first = day_of(year, month);
        let length = day_of(next.0, next.1).saturating_sub(first);
        Day(u32::try_from(first.saturating_add(day.min(length) - 1)).unwrap_or(u32::MAX))
    }

    /// Midnight at which the day begins.
    pub fn start(self) -> Timestamp {
        Timestamp(u64::from(self.0) * DAY_SECONDS)
    }
}

/// Year, month and day of a day number (proleptic Gregorian, after Hinnant's algorithm).
fn civil(day: Day) -> (u64, u64, u64) {
    let z = u64::from(day.0) + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    (year, month, doy - (153 * mp + 2) / 5 + 1)
}

/// Day number of the first of a month; the other direction of [`civil`].
fn day_of(year: u64, month: u64) -> u64 {
    let year = if month <= 2 { year.saturating_sub(1) } else { year };
    let (era, yoe) = (year / 400, year % 400);
    let doy = (153 * ((month + 9) % 12) + 2) / 5;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    (era * 146_097 + doe).saturating_sub(719_468)
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(*self);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// RFC 3339 in UTC.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 % DAY_SECONDS;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{}T{hour:02}:{minute:02}:{second:02}Z", self.day())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_for_people() {
        let table = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_305_600, "2026-11-22T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (seconds, text) in table {
            assert_eq!(Timestamp(seconds).to_string(), text);
        }
    }

    /// A month later is the same day, or the month's last; a year later the same, for two centuries.
    #[test]
    fn months_are_added_by_the_calendar() {
        let table = [
            ("2028-01-31", 1, "2028-02-29"),
            ("2100-01-31", 1, "2100-02-28"),
            ("2026-11-22", 2, "2027-01-22"),
        ];
        for (from, months, to) in table {
            let day = (0..80_000).map(Day).find(|day| day.to_string() == from).unwrap();
            assert_eq!(day.plus_months(months).to_string(), to);
        }
        for day in (0..80_000).step_by(17).map(Day) {
            assert_eq!(day.plus_months(0), day);
            let later = day.plus_months(12).0 - day.0;
            assert!((365..=366).contains(&later), "{day}: {later}");
        }
    }

    #[test]
    fn expiry_allows_for_skew() {
        let expires = Timestamp(1_000);
        assert!(!Timestamp(1_600).is_past(expires));
        assert!(Timestamp(1_601).is_past(expires));
        assert!(Timestamp(1_000).is_before(Timestamp(1_601)));
    }
}
