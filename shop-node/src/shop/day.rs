//! What was booked since the last Z report, and the reports themselves.
//!
//! A Z report closes everything booked since the one before, and is named by the business day it is made on; if nobody
//! closed the day before, by that one, and the new day goes on. What is paid later for a sale of a closed day is *late*:
//! it stands in the next report under its own day.

use super::change::{Change, Decision, Draft, Happening};
use super::refund::{Refund, Why};
use super::rights::Actor;
use super::{Refusal, Shop};
use protocol::body::Text;
use protocol::id::Digest;
use protocol::money::{OutOfRange, Units};
use protocol::shop::{DAY_LINES_MAX, DayLine, DayReport};
use protocol::sign::{Signed, Signer};
use protocol::time::{Day, Timestamp};
use protocol::wire::Sale as Line;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a till took on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Sales that were paid.
    pub sales: u32,
    /// What they came to.
    pub received: Units,
    /// Refunds that went out.
    pub refunds: u32,
    /// What they came to.
    pub refunded: Units,
    /// Orders from afar whose money the bank released.
    pub orders: u32,
    /// What that was: on the account, not in the reserve.
    pub ordered: Units,
}

/// What was booked since the last Z report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// When it began.
    pub from: Timestamp,
    /// What the reserve held then.
    pub opening: Units,
    /// Days and tills.
    pub lines: BTreeMap<(Day, String), Tally>,
    /// Received for no sale.
    pub other_in: Units,
    /// From the account into the reserve.
    pub withdrawn: Units,
    /// Sent back, since nothing was sold for it.
    pub sent_back: Units,
    /// Paid for something else.
    pub other_out: Units,
    /// From the reserve into the account.
    pub swept: Units,
    /// Taken off: the bank had seen it spent before.
    pub lost: Units,
    /// The day that the last report closed.
    pub closed: Option<Day>,
    /// How many reports there are.
    pub reports: u64,
    /// Digest of the last one.
    pub head: Digest,
}

/// What the wallet holds at the moment up to which it was heard.
#[derive(Clone, Copy, Debug, Default)]
pub struct Holds {
    /// The reserve by its history.
    pub reserve: Units,
    /// Of that, what is only the payers' word yet.
    pub unconfirmed: Units,
    /// The newest time that the bank has told.
    pub told: Option<Timestamp>,
}

/// A report is made at most so many days after the newest time that is known.
const AHEAD_MAX: u32 = 2;

impl Period {
    /// Whether a day had its report before.
    pub fn is_closed(&self, day: Day) -> bool {
        self.closed.is_some_and(|closed| day <= closed)
    }

    /// A report has room for so many lines and no more: after months without one, the last line takes what is new, so that
    /// its lines still come to its sums.
    pub(super) fn tally(&mut self, day: Day, till: &str) -> &mut Tally {
        let mut place = (day, till.to_owned());
        if self.lines.len() >= DAY_LINES_MAX && !self.lines.contains_key(&place) {
            place = self.lines.last_key_value().map_or(place, |(last, _)| last.clone());
        }
        self.lines.entry(place).or_default()
    }

    fn sum(&self, of: impl Fn(Day, &Tally) -> Units) -> Result<Units, OutOfRange> {
        Units::sum(self.lines.iter().map(|((day, _), tally)| of(*day, tally)))
    }

    /// Paid for sales of days that no report had closed.
    pub fn received(&self) -> Result<Units, OutOfRange> {
        self.sum(|day, tally| if self.is_closed(day) { Units::ZERO } else { tally.received })
    }

    /// Paid for sales of days that were closed before.
    pub fn late(&self) -> Result<Units, OutOfRange> {
        self.sum(|day, tally| if self.is_closed(day) { tally.received } else { Units::ZERO })
    }

    /// Given back against receipts.
    pub fn refunded(&self) -> Result<Units, OutOfRange> {
        self.sum(|_, tally| tally.refunded)
    }

    /// Released by the bank for orders: on the account, so not expected in the reserve.
    pub fn ordered(&self) -> Result<Units, OutOfRange> {
        self.sum(|_, tally| tally.ordered)
    }

    /// What the reserve should hold.
    pub fn expected(&self) -> Result<Units, OutOfRange> {
        let came = [self.opening, self.received()?, self.late()?, self.other_in, self.withdrawn];
        let went = [self.refunded()?, self.sent_back, self.other_out, self.swept, self.lost];
        // More went out than there was: something is missing in the bookings, and the variance shows it.
        Ok(Units::sum(came)?.minus(Units::sum(went)?).unwrap_or_default())
    }

    /// A payment that came back is taken off where it was booked; if that report is closed, it is other income of this one.
    pub(super) fn take_off(&mut self, refund: Option<&Refund>, units: Units) -> Result<(), OutOfRange> {
        let booked = match refund {
            Some(refund) if refund.why == Why::Customer => {
                let of_till = self
                    .lines
                    .iter_mut()
                    .filter(|((_, till), _)| *till == refund.till)
                    .map(|(_, tally)| tally);
                of_till.rev().map(|tally| &mut tally.refunded).find(|sum| **sum >= units)
            }
            Some(_) => Some(&mut self.sent_back),
            None => Some(&mut self.other_out),
        };
        match booked.filter(|sum| **sum >= units) {
            Some(sum) => {
                *sum = sum.minus(units)?;
                Ok(())
            }
            None => add(&mut self.other_in, units),
        }
    }
}

pub(super) fn add(to: &mut Units, units: Units) -> Result<(), OutOfRange> {
    *to = to.plus(units)?;
    Ok(())
}

impl Shop {
    /// The last business day that is over and has bookings and no report; else the one that it is now.
    fn day_to_close(&self, now: Timestamp) -> Day {
        let today = self.settings().day_of(now);
        let days = self.period().lines.keys().map(|(day, _)| *day);
        days.filter(|day| *day < today && !self.period().is_closed(*day)).max().unwrap_or(today)
    }

    /// The report as it would be now.
    pub fn report(&self, holds: Holds, now: Timestamp) -> Result<DayReport, Refusal> {
        let period = self.period();
        let line = |((day, till), tally): (&(Day, String), &Tally)| DayLine {
            day: *day,
            // Checked when it was set.
            till: Text::new(till, 255).unwrap_or_default(),
            late: period.is_closed(*day),
            sales: tally.sales,
            received: tally.received,
            refunds: tally.refunds,
            refunded: tally.refunded,
            orders: tally.orders,
            ordered: tally.ordered,
        };
        Ok(DayReport {
            bank: self.keeper().bank,
            shop: self.keeper().key,
            number: period.reports + 1,
            prev: period.head,
            day: self.day_to_close(now),
            from: period.from,
            to: now,
            opening: period.opening,
            received: period.received()?,
            late: period.late()?,
            other_in: period.other_in,
            withdrawn: period.withdrawn,
            refunded: period.refunded()?,
            sent_back: period.sent_back,
            other_out: period.other_out,
            swept: period.swept,
            lost: period.lost,
            expected: period.expected()?,
            reserve: holds.reserve,
            unconfirmed: holds.unconfirmed,
            ordered: period.ordered()?,
            lines: period.lines.iter().map(line).collect(),
        })
    }

    /// Closes the day: a numbered report on the one before, signed, never changed. Once a business day. Where the shop
    /// sweeps, `takings` are on their way to the company with the same commit.
    pub fn close_day(
        &self,
        holds: Holds,
        takings: Vec<(u64, Line)>,
        node: &Signer,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Decision<Signed<DayReport>>, Refusal> {
        let period = self.period();
        if self.settings().sweep {
            self.may_sweep()?;
        }
        let day = self.day_to_close(now);
        if let Some(closed) = period.closed.filter(|closed| day <= *closed) {
            return Err(Refusal::DayClosed { day: closed, number: period.reports });
        }
        // A clock that runs ahead would close days for good that have not come.
        let known = holds.told.unwrap_or(period.from).max(period.from);
        let today = self.settings().day_of(now);
        if today > self.settings().day_of(known).plus_days(AHEAD_MAX) {
            let why = format!(
                "by this machine's clock it is {today}; the bank last told {known}: set the clock, or wait until the bank answers"
            );
            return Err(Refusal::Value(why));
        }
        let report = node.sign(self.report(holds, now)?);
        let (number, head) = (period.reports + 1, report.digest());
        let mut draft = Draft::at(self, now);
        draft.event(Happening::Report { number, day });
        draft.audit(actor, "report.z", "done", number);
        draft.put(Change::Report(report.clone()));
        match self.settings().sweep {
            true => drop(draft.sweep(self, takings, day)),
            false => draft.keep_takings(&takings),
        }
        draft.book(|period| {
            *period = Period {
                from: now,
                // What is there, not what should be: a difference is told once.
                opening: holds.reserve,
                closed: Some(day),
                reports: number,
                head,
                ..Period::default()
            };
        });
        Ok(draft.decide(report))
    }
}
