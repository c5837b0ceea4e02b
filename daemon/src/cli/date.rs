//! Dates as people type them: `2026-11-22` or `2026-11-22T08:30:00Z`, in UTC.

use protocol::time::{DAY_SECONDS, Day, Timestamp};

const WRONG: &str = "write a date as 2026-11-22 or 2026-11-22T08:30:00Z (UTC)";

/// The moment, or the beginning of the day.
pub(crate) fn from(text: &str) -> Result<Timestamp, String> {
    parse(text).map(|(at, _)| at).ok_or_else(|| WRONG.to_owned())
}

/// The moment, or the last second of the day.
pub(crate) fn until(text: &str) -> Result<Timestamp, String> {
    match parse(text) {
        Some((at, true)) => Ok(at.plus_seconds(DAY_SECONDS - 1)),
        Some((at, false)) => Ok(at),
        None => Err(WRONG.to_owned()),
    }
}

/// The moment, and whether a whole day was meant.
fn parse(text: &str) -> Option<(Timestamp, bool)> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let day = day(date)?;
    let at = match time {
        Some(time) => day.start().plus_seconds(seconds(time)?),
        None => day.start(),
    };
    Some((at, time.is_none()))
}

fn numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[u64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next().filter(|p| p.len() == width && p.bytes().all(|b| b.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn day(text: &str) -> Option<Day> {
    let [year, month, day] = numbers(text, '-', [4, 2, 2])?;
    if year < 1970 || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    // Days from civil, after Hinnant: years begin in March, so that leap days come last.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    let number = (era * 146_097 + of_era).checked_sub(719_468)?;
    let found = Day(u32::try_from(number).ok()?);
    // What does not come out the same is no date: the 31st of April, the 29th of February 2027.
    (found.to_string() == text).then_some(found)
}

fn seconds(text: &str) -> Option<u64> {
    let [hour, minute, second] = numbers(text.strip_suffix('Z')?, ':', [2, 2, 2])?;
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_as_typed() {
        for (text, at) in [
            ("1970-01-01", 0),
            ("2000-02-29", 951_782_400),
            ("2026-11-22", 1_795_305_600),
            ("2026-11-22T08:30:00Z", 1_795_305_600 + 30_600),
            ("2100-03-01", 4_107_542_400),
        ] {
            assert_eq!(from(text), Ok(Timestamp(at)), "{text}");
        }
        assert_eq!(until("2026-11-22"), Ok(Timestamp(1_795_305_600 + 86_399)));
        for bad in [
            "",
            "yesterday",
            "2027-02-29",
            "2026-04-31",
            "2026-13-01",
            "26-1-1",
            "2026-11-22T25:00:00Z",
            "1969-12-31",
        ] {
            assert_eq!(from(bad), Err(WRONG.to_owned()), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(at in 0u64..200_000_000_000) {
            prop_assert_eq!(from(&Timestamp(at).to_string()).ok(), (at < 253_402_300_800).then_some(Timestamp(at)));
        }
    }
}
