//! Numbered units: a half-open range, and a set of them (SPEC §2.2).

use crate::money::Units;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Units `start` up to but not including `end`; never empty, `end` below 2^53.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Range {
    start: u64,
    end: u64,
}

/// A range that is empty, backwards, or leaves 2^53.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a range needs start < end < 2^53")]
pub struct NotARange;

impl Range {
    /// The range, if `start < end` and `end` is below 2^53.
    pub const fn new(start: u64, end: u64) -> Result<Range, NotARange> {
        if start < end && end <= Units::MAX.get() { Ok(Range { start, end }) } else { Err(NotARange) }
    }

    /// The first unit.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// The unit after the last.
    pub const fn end(self) -> u64 {
        self.end
    }

    /// How much money it is.
    pub fn units(self) -> Units {
        Units::new(self.end - self.start).expect("a range is shorter than its end, which is below 2^53")
    }

    /// Whether every unit of `inner` is in here.
    pub const fn contains(self, inner: Range) -> bool {
        self.start <= inner.start && inner.end <= self.end
    }

    /// Whether the two share a unit.
    pub const fn overlaps(self, other: Range) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The units that both have.
    pub fn intersection(self, other: Range) -> Option<Range> {
        Range::new(self.start.max(other.start), self.end.min(other.end)).ok()
    }

    /// The first `units` of the range and what is left of it.
    pub fn split(self, units: Units) -> Option<(Range, Option<Range>)> {
        let cut = self.start.checked_add(units.get())?;
        if cut > self.end {
            return None;
        }
        Some((Range::new(self.start, cut).ok()?, Range::new(cut, self.end).ok()))
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Range")]
        struct Ends {
            start: u64,
            end: u64,
        }
        let Ends { start, end } = Ends::deserialize(from)?;
        Range::new(start, end).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.start, self.end)
    }
}

/// Ranges that neither overlap nor touch, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RangeSet(Vec<Range>);

impl RangeSet {
    /// No units.
    pub const fn empty() -> RangeSet {
        RangeSet(Vec::new())
    }

    /// Adds the units of `range`; those already in stay in.
    pub fn insert(&mut self, range: Range) {
        let (mut start, mut end) = (range.start, range.end);
        self.0.retain(|r| {
            let touches = r.start <= end && start <= r.end;
            if touches {
                start = start.min(r.start);
                end = end.max(r.end);
            }
            !touches
        });
        let at = self.0.partition_point(|r| r.start < start);
        self.0.insert(at, Range { start, end });
    }

    /// Takes the units of `range` out; those not in are no matter.
    pub fn remove(&mut self, range: Range) {
        let mut left = Vec::with_capacity(self.0.len() + 1);
        for r in self.0.drain(..) {
            left.extend(Range::new(r.start, r.end.min(range.start)));
            left.extend(Range::new(r.start.max(range.end), r.end));
        }
        self.0 = left;
    }

    /// Whether every unit of `range` is in.
    pub fn contains(&self, range: Range) -> bool {
        self.0.iter().any(|r| r.contains(range))
    }

    /// Whether any unit of `range` is in.
    pub fn overlaps(&self, range: Range) -> bool {
        self.0.iter().any(|r| r.overlaps(range))
    }

    /// The ranges, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = Range> + '_ {
        self.0.iter().copied()
    }

    /// How many separate ranges there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no unit is in.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How much money it is.
    pub fn units(&self) -> Units {
        Units::sum(self.iter().map(Range::units)).expect("disjoint ranges below 2^53 sum below 2^53")
    }
}

/// Ranges out of order, or that overlap or touch, are damage: counting them would make money.
impl<'de> Deserialize<'de> for RangeSet {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let ranges = Vec::<Range>::deserialize(from)?;
        if ranges.iter().zip(ranges.iter().skip(1)).any(|(a, b)| b.start <= a.end) {
            return Err(serde::de::Error::custom("ranges out of order"));
        }
        Ok(RangeSet(ranges))
    }
}

impl FromIterator<Range> for RangeSet {
    fn from_iter<I: IntoIterator<Item = Range>>(ranges: I) -> Self {
        let mut set = RangeSet::empty();
        ranges.into_iter().for_each(|r| set.insert(r));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPAN: u8 = 64;

    fn steps() -> impl Strategy<Value = Vec<(bool, u8, u8)>> {
        prop::collection::vec((any::<bool>(), 0..SPAN - 1, 1..20u8), 0..40)
    }

    proptest! {
        /// The set against a bitmap: the same units after any insertions and removals.
        #[test]
        fn a_range_set_is_a_bitmap(steps in steps()) {
            let mut set = RangeSet::empty();
            let mut bits = [false; SPAN as usize];
            for (add, start, length) in steps {
                let end = (start + length).min(SPAN);
                let range = Range::new(u64::from(start), u64::from(end)).unwrap();
                if add { set.insert(range) } else { set.remove(range) }
                let here = usize::from(start)..usize::from(end);
                bits[here.clone()].fill(add);

                let lit: Vec<u64> = (0..SPAN).filter(|i| bits[usize::from(*i)]).map(u64::from).collect();
                let held: Vec<u64> = set.iter().flat_map(|r| r.start()..r.end()).collect();
                prop_assert_eq!(&lit, &held);
                prop_assert_eq!(set.contains(range), bits[here.clone()].iter().all(|b| *b));
                prop_assert_eq!(set.overlaps(range), bits[here].iter().any(|b| *b));
                for pair in set.0.windows(2) {
                    prop_assert!(pair[0].end < pair[1].start, "ranges that touch are one");
                }
            }
        }

        #[test]
        fn a_split_loses_nothing(start in 0..1000u64, length in 1..1000u64, take in 0..1200u64) {
            let range = Range::new(start, start + length).unwrap();
            match range.split(Units::new(take).unwrap()) {
                None => prop_assert!(take == 0 || take > length),
                Some((first, rest)) => {
                    prop_assert_eq!(first.units().get(), take);
                    prop_assert_eq!(rest.map_or(0, |r| r.units().get()), length - take);
                }
            }
        }
    }

    #[test]
    fn stored_ranges_come_back_or_are_refused() {
        let set: RangeSet = [Range { start: 0, end: 2 }, Range { start: 5, end: 9 }].into_iter().collect();
        let (packed, json) = (rmp_serde::to_vec(&set).unwrap(), serde_json::to_string(&set).unwrap());
        assert_eq!(rmp_serde::from_slice::<RangeSet>(&packed).unwrap(), set);
        assert_eq!(serde_json::from_str::<RangeSet>(&json).unwrap(), set);
        for odd in [[(5, 9), (0, 2)], [(0, 5), (4, 6)], [(0, 5), (5, 6)], [(0, 0), (5, 6)]] {
            let bytes = rmp_serde::to_vec(&odd.to_vec()).unwrap();
            assert!(rmp_serde::from_slice::<RangeSet>(&bytes).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn what_is_no_range() {
        assert_eq!(Range::new(5, 5), Err(NotARange));
        assert_eq!(Range::new(6, 5), Err(NotARange));
        assert_eq!(Range::new(0, 1 << 53), Err(NotARange));
    }
}
