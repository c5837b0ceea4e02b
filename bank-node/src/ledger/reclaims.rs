//! Reclaims, and what became of their units (SPEC §4.11, threats X4).
//!
//! Nothing but the filing, the contests and the close is written. Everything else follows from them and from
//! the redeemed intervals, and is computed when somebody asks:
//!
//! ```text
//! reclaimed key ─┬─ sink of this reclaim, entered at the close      Returned
//!                ├─ link to another key, shown or redeemed          Passed: all the units of that link
//!                ├─ another sink of the same key                    Passed
//!                └─ nothing so far                                  Open
//! a chain that parts above the key and was redeemed                 Clash
//! ```

use super::account::AccountNumber;
use super::books::Fault;
use super::outstanding::Redeemed;
use protocol::bank::Reclaim;
use protocol::id::Digest;
use protocol::note::{Destination, Link};
use protocol::range::{Range, RangeSet};
use protocol::sign::Signed;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A reclaim in the books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filed {
    /// Its number, from 1 without gaps.
    pub number: u64,
    /// What was asked.
    pub asked: Signed<Reclaim>,
    /// The owner's account.
    pub account: AccountNumber,
    /// When it was filed.
    pub filed: Timestamp,
    /// When it is closed.
    pub closes: Timestamp,
    /// Its notes, in the order of the request.
    pub notes: Vec<Reclaimed>,
    /// The journal entry that closed it.
    pub closed: Option<Closing>,
    /// When a bulletin first listed all of it that was open.
    #[serde(default)]
    pub listed: Option<Timestamp>,
}

/// How a reclaim was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// The journal entry.
    pub entry: u64,
    /// What the owner is told.
    pub letter: Signed<protocol::bank::Letter>,
}

/// A note of a reclaim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reclaimed {
    /// The root's serial.
    pub serial: u64,
    /// Digest of the root.
    pub root: Digest,
    /// The units.
    pub range: Range,
    /// The chain; its last link is the sink.
    pub links: Vec<Signed<Link>>,
    /// Contests: chains up to a link by which the reclaimed key handed units to another key.
    pub passed: Vec<Vec<Signed<Link>>>,
}

/// What became of some units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nobody has shown anything over them.
    Open,
    /// They came to the account.
    Returned,
    /// This chain goes on from the reclaimed key.
    Passed(Vec<Signed<Link>>),
    /// This chain parts above it, and was redeemed.
    Clash(Vec<Signed<Link>>),
}

impl Filed {
    /// Whether its units have gone where they belong.
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }
}

impl Reclaimed {
    /// How many links lead to the reclaimed key.
    pub fn depth(&self) -> usize {
        self.links.len().saturating_sub(1)
    }

    /// Digest of the body that names the reclaimed key.
    pub fn tip(&self) -> Digest {
        self.links.last().map_or(self.root, |sink| sink.unverified().prev)
    }

    /// Whether a chain over the same root leads through the reclaimed key, and by which link it goes on.
    fn goes_on<'c>(&self, chain: &'c [Signed<Link>]) -> Option<&'c Signed<Link>> {
        let depth = self.depth();
        let same = self.links.iter().zip(chain).take(depth).all(|(a, b)| a.unverified() == b.unverified());
        chain.get(depth).filter(|_| same)
    }

    /// The part of a chain that shows that the reclaimed key handed some of these units to another key.
    pub fn contested_by(&self, chain: &[Signed<Link>]) -> Option<Vec<Signed<Link>>> {
        let next = self.goes_on(chain)?.unverified();
        let hands_on = matches!(next.to, Destination::Key(_)) && next.range.overlaps(self.range);
        hands_on.then(|| chain.iter().take(self.depth() + 1).cloned().collect())
    }

    /// Notes a contest; false if that link was known.
    pub fn contest(&mut self, shown: Vec<Signed<Link>>) -> bool {
        let known = self
            .passed
            .iter()
            .any(|chain| chain.last().map(Signed::unverified) == shown.last().map(Signed::unverified));
        if !known {
            self.passed.push(shown);
        }
        !known
    }

    /// What became of the units, in their order; `entries` are the redeemed intervals that share units with them.
    pub fn fates(&self, entries: &[Redeemed]) -> Vec<(Range, Fate)> {
        let mut fates: Vec<(Range, Fate)> = Vec::new();
        let mut left = RangeSet::from_iter([self.range]);
        let own = self.links.last().map(Signed::unverified);
        let mut take = |left: &mut RangeSet, range: Range, fate: &Fate| {
            let taken: Vec<Range> = left.iter().filter_map(|piece| piece.intersection(range)).collect();
            left.remove(range);
            fates.extend(taken.into_iter().map(|piece| (piece, fate.clone())));
        };
        for entry in entries {
            if self.goes_on(&entry.links).map(Signed::unverified) == own {
                take(&mut left, entry.range, &Fate::Returned);
            }
        }
        let redeemed = entries.iter().map(|entry| &entry.links);
        for chain in self.passed.iter().chain(redeemed) {
            if let Some(shown) = self.contested_by(chain)
                && let Some(range) = shown.last().map(|link| link.unverified().range)
            {
                take(&mut left, range, &Fate::Passed(chain.clone()));
            }
        }
        for entry in entries {
            let fate = match self.goes_on(&entry.links) {
                Some(_) => Fate::Passed(entry.links.clone()),
                None => Fate::Clash(entry.links.clone()),
            };
            take(&mut left, entry.range, &fate);
        }
        fates.extend(left.iter().map(|range| (range, Fate::Open)));
        self.merged(fates)
    }

    /// Neighbours of one fate become one piece if one chain shows it of both, so that many small redemptions behind one
    /// payment are one.
    fn merged(&self, mut fates: Vec<(Range, Fate)>) -> Vec<(Range, Fate)> {
        fates.sort_by_key(|(range, _)| range.start());
        let mut pieces: Vec<(Range, Fate)> = Vec::with_capacity(fates.len());
        for (range, fate) in fates {
            let name = self.name(&fate);
            if let Some((last, before)) = pieces.last_mut()
                && last.end() == range.start()
                && self.name(before) == name
                && let Ok(both) = Range::new(last.start(), range.end())
                && (self.shows(before, both) || self.shows(&fate, both))
            {
                if !self.shows(before, both) {
                    *before = fate;
                }
                *last = both;
            } else {
                pieces.push((range, fate));
            }
        }
        pieces
    }

    /// Whether the chain of a fate shows it of these units.
    fn shows(&self, fate: &Fate, range: Range) -> bool {
        let last =
            |chain: &[Signed<Link>]| chain.last().is_some_and(|link| link.unverified().range.contains(range));
        match fate {
            Fate::Open | Fate::Returned => true,
            Fate::Passed(chain) => match self.contested_by(chain) {
                Some(handed_on) => last(&handed_on),
                None => last(chain),
            },
            Fate::Clash(chain) => last(chain),
        }
    }

    /// Two fates are the same if one link decides both: where the chain leaves the reclaimed one. What was redeemed by
    /// another way is proved by the chains that end in a sink, each for its own units: only the same chain is the same.
    fn name(&self, fate: &Fate) -> (u8, Option<Digest>) {
        let parts = |chain: &[Signed<Link>]| {
            let mut pairs = self.links.iter().zip(chain);
            pairs.find(|(a, b)| a.unverified() != b.unverified()).map(|(_, theirs)| theirs.digest())
        };
        match fate {
            Fate::Open => (0, None),
            Fate::Returned => (1, None),
            Fate::Passed(chain) => (2, parts(chain)),
            Fate::Clash(chain) => (3, chain.last().map(Signed::digest)),
        }
    }
}

/// What the rules ask of a store about reclaims.
pub trait ReclaimView {
    /// The reclaim of this number.
    fn reclaim(&self, number: u64) -> Result<Option<Filed>, Fault>;
    /// The highest number, 0 before the first.
    fn last_reclaim(&self) -> Result<u64, Fault>;
    /// Reclaims with higher numbers, in order.
    fn reclaims_after(&self, number: u64, limit: usize) -> Result<Vec<Filed>, Fault>;
    /// Numbers of the reclaims that have a note over this root, open or not.
    fn reclaims_over(&self, serial: u64) -> Result<Vec<u64>, Fault>;
}

/// Writing reclaims.
pub trait ReclaimTx: ReclaimView {
    /// Writes a reclaim, and finds it by its roots from now on.
    fn keep_reclaim(&mut self, filed: &Filed) -> Result<(), Fault>;
}
