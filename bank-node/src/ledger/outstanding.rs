//! What the bank owes to its notes: the issue register and the redeemed intervals (SPEC §4.5, N14).
//!
//! **The double-spend rule.** For each root the redeemed intervals never overlap. They are kept by
//! (serial, start), so one look at the neighbour below tells whether a range is still owed:
//!
//! ```text
//! redeemed   [0,10)      [30,45)            asked  [40,50): the last start below 50 is 30, its end 45 > 40: clash
//! ```

use super::books::{Fault, View};
use protocol::id::Digest;
use protocol::note::{Link, Note, Root};
use protocol::range::Range;
use protocol::sign::Signed;
use serde::{Deserialize, Serialize};

/// A root in the issue register. Only what is in here is ever redeemed: a stolen issue key mints nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// The root; its serial is its place in the register.
    pub root: Signed<Root>,
    /// The journal entry that issued it.
    pub entry: u64,
}

impl Issued {
    /// Its place in the register.
    pub fn serial(&self) -> u64 {
        self.root.unverified().serial
    }
}

/// An interval of a root that the bank has taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redeemed {
    /// The root's serial.
    pub serial: u64,
    /// The units.
    pub range: Range,
    /// Digest of the redemption: the sink that the last link names.
    pub request: Digest,
    /// The journal entry.
    pub entry: u64,
    /// The chain that was shown for it, with the link to the sink: proof against whoever shows another.
    pub links: Vec<Signed<Link>>,
}

impl Redeemed {
    /// The winning note, to show to the loser.
    pub fn note(&self, root: &Signed<Root>) -> Note {
        Note { root: root.clone(), links: self.links.clone() }
    }
}

/// The one question of the double-spend rule.
pub trait Neighbours {
    /// What was redeemed.
    type Interval;

    /// The redeemed interval of root `serial` with the highest start below `below`.
    fn last_before(&self, serial: u64, below: u64) -> Result<Option<(Range, Self::Interval)>, Fault>;
}

impl<V: View> Neighbours for V {
    type Interval = Redeemed;

    fn last_before(&self, serial: u64, below: u64) -> Result<Option<(Range, Redeemed)>, Fault> {
        Ok(self.redeemed_before(serial, below)?.map(|redeemed| (redeemed.range, redeemed)))
    }
}

/// The redeemed intervals that share units with `range`, highest first, at most `limit`. None: it is still owed.
pub fn clashes<N: Neighbours>(
    books: &N,
    serial: u64,
    range: Range,
    limit: usize,
) -> Result<Vec<N::Interval>, Fault> {
    let mut found = Vec::new();
    let mut below = range.end();
    while found.len() < limit {
        match books.last_before(serial, below)? {
            Some((redeemed, interval)) if redeemed.end() > range.start() => {
                below = redeemed.start();
                found.push(interval);
            }
            Some(_) | None => break,
        }
    }
    Ok(found)
}
