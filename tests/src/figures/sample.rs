//! Times, and what to say of many of them.

use protocol::node::clock::Clock;
use std::time::Duration;

/// Many times of one thing.
#[derive(Clone, Debug, Default)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    pub(super) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(super) fn extend(&mut self, other: Times) {
        self.0.extend(other.0);
    }

    /// Times one doing of something.
    pub(super) fn time<T>(&mut self, clock: &Clock, what: impl FnOnce() -> T) -> T {
        let begun = clock.monotonic();
        let done = what();
        self.add(clock.monotonic().saturating_sub(begun));
        done
    }

    /// The time below which `percent` of them are, in milliseconds.
    pub(super) fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    }

    pub(super) fn median(&self) -> f64 {
        self.percentile(50)
    }
}

/// The middle one of a few numbers.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// So many in this time, a second.
pub(super) fn rate(count: usize, time: Duration) -> f64 {
    let count = u32::try_from(count).map_or(f64::MAX, f64::from);
    count / time.as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_hundred_milliseconds() {
        let mut times = Times::default();
        (1..=100).rev().for_each(|ms| times.add(Duration::from_millis(ms)));
        assert_eq!((times.median(), times.percentile(99)), (51.0, 100.0));
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(rate(10, Duration::from_secs(2)), 5.0);
        assert_eq!(Times::default().median(), 0.0);
    }
}
