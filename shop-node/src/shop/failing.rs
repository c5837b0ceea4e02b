//! Something outside that does not do its part: since when, how often, and when it is tried again.

use super::Shop;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest wait between two tries.
const WAIT_MAX: u64 = 3600;
/// Bytes of what it said that are kept.
const ERROR_MAX: usize = 200;

/// Since when something does not work, and what was last said about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// The first try in vain.
    pub since: Timestamp,
    /// The last one.
    pub last: Timestamp,
    /// How many.
    pub tries: u32,
    /// What came of the last one.
    pub error: String,
}

impl Failing {
    /// One more try in vain.
    pub fn again(before: Option<&Failing>, error: &str, now: Timestamp) -> Failing {
        let mut end = error.len().min(ERROR_MAX);
        while !error.is_char_boundary(end) {
            end -= 1;
        }
        Failing {
            since: before.map_or(now, |before| before.since),
            last: now,
            tries: before.map_or(0, |before| before.tries).saturating_add(1),
            error: error.get(..end).unwrap_or_default().to_owned(),
        }
    }

    /// Seconds until the next try: 1, 2, 4, up to an hour. Whoever waits adds chance.
    pub fn wait(&self) -> u64 {
        WAIT_MAX.min(1 << self.tries.saturating_sub(1).min(20))
    }
}

impl Shop {
    /// All of that.
    pub fn failing(&self) -> impl Iterator<Item = (String, &Failing)> {
        let notices = self.notices_failing();
        let notices =
            notices.map(|(channel, failing)| (format!("notice of orders, {}", channel.word()), failing));
        let copies = self.copies().failing.iter().map(|failing| ("backup of the book".to_owned(), failing));
        let hooks = self.hooks().filter_map(|hook| {
            let failing = hook.failing.as_ref()?;
            let stopped = if hook.off.is_some() { ", given up until it is resumed" } else { "" };
            Some((format!("webhook {} ({}){stopped}", hook.id, hook.host), failing))
        });
        copies.chain(notices).chain(hooks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_longer_each_time_and_an_hour_at_most() {
        let mut failing = Failing::again(None, "no", Timestamp(100));
        let mut waits = Vec::new();
        for try_at in 101..120 {
            waits.push(failing.wait());
            failing = Failing::again(Some(&failing), &"ä".repeat(300), Timestamp(try_at));
        }
        assert_eq!(waits.iter().take(4).copied().collect::<Vec<_>>(), [1, 2, 4, 8]);
        assert_eq!(waits.last(), Some(&3600));
        assert_eq!((failing.since, failing.last, failing.tries), (Timestamp(100), Timestamp(119), 20));
        assert_eq!(failing.error.chars().count(), 100);
    }
}
