//! What the bank says of itself every hour, read off the books (SPEC §4.14, threats Y6, Y9).

use super::books::{Fault, View};
use super::posting::{known, next};
use super::{AccountNumber, OUTSTANDING};
use protocol::bank::merkle::Tree;
use protocol::bank::{Bulletin, LISTED_MAX, Reclaimed};
use protocol::id::{BankId, Digest, Key};
use protocol::money::Units;
use protocol::time::{Day, Timestamp};

/// Records read at a time.
const PAGE: usize = 4096;

/// The roots that were issued on a day, and the tree over them. A day that is over gets no more roots.
#[derive(Clone, Debug)]
pub struct DayRoots {
    /// The day.
    pub day: Day,
    /// Their serials, rising.
    serials: Vec<u64>,
    tree: Tree,
}

impl DayRoots {
    /// The roots of `day`, which is over.
    pub fn of(view: &impl View, day: Day) -> Result<DayRoots, Fault> {
        let (mut serials, mut roots) = (Vec::new(), Vec::new());
        let mut last = before_day(view, day)?;
        loop {
            let page = view.issued_after(last, PAGE)?;
            for issued in &page {
                last = issued.serial();
                if issued.root.unverified().issued_day == day {
                    serials.push(last);
                    roots.push(issued.root.digest());
                }
            }
            // A clock that was set back leaves a day's roots in two runs; within a page of each other they are found.
            if page.last().is_none_or(|issued| issued.root.unverified().issued_day > day) {
                return Ok(DayRoots { day, serials, tree: Tree::over(roots) });
            }
        }
    }

    /// What the bulletin says of them.
    pub fn top(&self) -> Digest {
        self.tree.top()
    }

    /// The way from a root to the top; `None` if it was issued on another day.
    pub fn path(&self, serial: u64) -> Option<Vec<protocol::bank::merkle::Step>> {
        self.tree.path(self.serials.binary_search(&serial).ok()?)
    }
}

/// The last serial that was issued before `day`: serials and days rise together.
fn before_day(view: &impl View, day: Day) -> Result<u64, Fault> {
    let (mut below, mut above) = (0, view.last_serial()?.saturating_add(1));
    while above - below > 1 {
        let middle = below + (above - below) / 2;
        let issued = view.issued(middle)?;
        if issued.is_some_and(|issued| issued.root.unverified().issued_day < day) {
            below = middle;
        } else {
            above = middle;
        }
    }
    Ok(below)
}

/// The next bulletin. `roots` are those of the last day that is over, `reclaimed` what may still be objected to.
pub fn next_bulletin(
    view: &impl View,
    bank: BankId,
    now: Timestamp,
    roots: (Day, Digest),
    reclaimed: Vec<Reclaimed>,
) -> Result<Bulletin, Fault> {
    let last = view.last_bulletin()?;
    let before = last.as_ref().map(|last| last.unverified());
    let outstanding = known(view, OUTSTANDING)?;
    let (day, roots) = roots;
    Ok(Bulletin {
        bank,
        number: next(before.map_or(0, |before| before.number))?,
        prev: last.as_ref().map(|last| last.digest()).unwrap_or_default(),
        // A clock that was set back must not make the bank look as if it had been.
        at: before.map_or(now, |before| now.max(before.at)),
        journal: view.journal_head()?,
        lines: view.directory_head()?.0,
        issued: turnover(outstanding.credits),
        redeemed: turnover(outstanding.debits),
        day,
        roots,
        suspended: suspended(view)?,
        reclaimed,
    })
}

/// The totals are 128 bits wide; here they are told modulo 2^53, and so is their difference.
fn turnover(total: u128) -> Units {
    let told = u64::try_from(total % (1 << 53)).ok().and_then(|told| Units::new(told).ok());
    told.expect("a remainder of 2^53 is below 2^53")
}

/// Who is suspended: if too many, those who were suspended last; the directory has them all.
fn suspended(view: &impl View) -> Result<Vec<Key>, Fault> {
    let mut found = Vec::new();
    let mut last = AccountNumber(0);
    loop {
        let page = view.accounts_after(last, PAGE)?;
        let Some(end) = page.last() else { break };
        last = end.number;
        found.extend(page.iter().filter_map(|a| Some((a.member.suspended?, a.member.owner?))));
    }
    found.sort_by_key(|(since, owner)| (std::cmp::Reverse(*since), *owner));
    found.truncate(LISTED_MAX);
    Ok(found.into_iter().map(|(_, owner)| owner).collect())
}
