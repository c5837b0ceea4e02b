//! Whose a shop is: owned by a company, or leased from it (SPEC §4.17, N10, N11).
//!
//! Rent comes due by the calendar, each period once for ever: the record counts the periods that have begun. What is due
//! and not paid is *arrears*, and goes to the company as soon as there is money, the oldest first.

use super::account::AccountNumber;
use super::books::Fault;
use protocol::money::Units;
use protocol::time::{Day, Timestamp};
use serde::{Deserialize, Serialize};

/// Periods that come due in one commit; after an outage of years the next one goes on.
pub const PERIODS_AT_ONCE: usize = 256;

/// A shop and its company.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenure {
    /// The shop's account.
    pub shop: AccountNumber,
    /// The company's account: takings of an owned shop and rent of a leased one go there.
    pub company: AccountNumber,
    /// Since when.
    pub since: Timestamp,
    /// The lease; none: the company runs the shop itself.
    pub lease: Option<Lease>,
    /// Rent that came due and was not paid, the oldest first.
    pub arrears: Vec<Arrear>,
    /// All rent that ever came due.
    pub due: u128,
    /// What was paid of it.
    pub paid: u128,
    /// The number of its last sweep, 0 before the first.
    pub sweeps: u64,
    /// The account that it was handed over from.
    pub before: Option<AccountNumber>,
    /// The account that it was handed over to: this one is closed.
    pub after: Option<AccountNumber>,
}

/// The terms of a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Since when.
    pub since: Timestamp,
    /// What the bank keeps as caution.
    pub caution: Units,
    /// Rent of a period.
    pub rent: Units,
    /// How long a period is.
    pub every: Every,
    /// When the first rent is due.
    pub first_due: Day,
    /// How many periods' rents have come due.
    pub periods: u32,
}

/// How long a period of rent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// So many days.
    Days(u16),
    /// A month: the same day of each, or its last one.
    Month,
}

/// Rent of a period that is still owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrear {
    /// The period, counted from 1.
    pub period: u32,
    /// When it was due.
    pub due: Day,
    /// How much is still owed.
    pub units: Units,
}

impl Lease {
    /// When the next rent is due.
    pub fn next_due(&self) -> Day {
        match self.every {
            Every::Days(days) => self.first_due.plus_days(u32::from(days).saturating_mul(self.periods)),
            Every::Month => self.first_due.plus_months(self.periods),
        }
    }
}

impl Tenure {
    /// A shop that its company runs itself.
    pub fn owned(shop: AccountNumber, company: AccountNumber, since: Timestamp) -> Tenure {
        Tenure {
            shop,
            company,
            since,
            lease: None,
            arrears: Vec::new(),
            due: 0,
            paid: 0,
            sweeps: 0,
            before: None,
            after: None,
        }
    }

    /// Whether takings go to the company.
    pub fn is_owned(&self) -> bool {
        self.lease.is_none() && self.after.is_none()
    }

    /// What is owed.
    pub fn owed(&self) -> Units {
        Units::sum(self.arrears.iter().map(|arrear| arrear.units)).unwrap_or(Units::MAX)
    }

    /// Rents that have come due by now, up to a bound; how many did.
    pub fn fall_due(&mut self, now: Timestamp) -> usize {
        let mut fallen = 0;
        let Some(lease) = &mut self.lease else { return fallen };
        while fallen < PERIODS_AT_ONCE && lease.next_due().start() <= now {
            let due = lease.next_due();
            let sum = self.due.checked_add(lease.rent.get().into());
            let (Some(period), Some(sum)) = (lease.periods.checked_add(1), sum) else { break };
            (lease.periods, self.due) = (period, sum);
            self.arrears.push(Arrear { period, due, units: lease.rent });
            fallen += 1;
        }
        fallen
    }

    /// Pays the oldest arrear as far as `funds` go: which, and how much of it.
    pub fn pay_oldest(&mut self, funds: Units) -> Option<(Arrear, Units)> {
        let oldest = self.arrears.first_mut()?;
        let units = oldest.units.min(funds);
        if units.is_zero() {
            return None;
        }
        let (left, sum) = (oldest.units.minus(units).ok()?, self.paid.checked_add(units.get().into())?);
        (oldest.units, self.paid) = (left, sum);
        let paid = (*oldest, units);
        if left.is_zero() {
            self.arrears.remove(0);
        }
        Some(paid)
    }
}

/// What the rules ask of a store about tenure.
pub trait TenureView {
    /// Whose this shop is.
    fn tenure(&self, shop: AccountNumber) -> Result<Option<Tenure>, Fault>;
    /// Shops with higher account numbers, in order.
    fn tenures_after(&self, shop: AccountNumber, limit: usize) -> Result<Vec<Tenure>, Fault>;
    /// Shops with arrears and higher account numbers, in order.
    fn in_arrears(&self, after: AccountNumber, limit: usize) -> Result<Vec<AccountNumber>, Fault>;
}

/// Writing tenure.
pub trait TenureTx: TenureView {
    /// Writes whose a shop is, and finds it by its arrears from now on.
    fn keep_tenure(&mut self, tenure: &Tenure) -> Result<(), Fault>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(every: Every, first_due: Day) -> Lease {
        let rent = Units::new(100).unwrap();
        Lease { since: Timestamp(0), caution: Units::ZERO, rent, every, first_due, periods: 0 }
    }

    /// N11: months have other lengths, and the day of the month comes back after a short one.
    #[test]
    fn months_begin_on_their_day_or_end_on_their_last() {
        // 31 January 2028, a leap year.
        let mut lease = lease(Every::Month, Day(21_214));
        let days: Vec<String> = (0..14)
            .map(|period| {
                lease.periods = period;
                lease.next_due().to_string()
            })
            .collect();
        assert_eq!(days[..4], ["2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30"]);
        assert_eq!(days[11..], ["2028-12-31", "2029-01-31", "2029-02-28"]);
    }

    /// N11: whatever the clock does, a period comes due once, in order; what is paid is taken off the oldest.
    #[test]
    fn each_period_comes_due_once() {
        let mut tenure = Tenure::owned(AccountNumber(7), AccountNumber(8), Timestamp(0));
        tenure.lease = Some(lease(Every::Days(7), Day(100)));
        let at = |day: u32| Day(day).start();
        assert_eq!(tenure.fall_due(at(99)), 0);
        assert_eq!(tenure.fall_due(at(100)), 1);
        assert_eq!(tenure.fall_due(at(100)), 0);
        assert_eq!(tenure.fall_due(at(50)), 0, "a clock that was set back");
        assert_eq!(tenure.fall_due(at(114)), 2);
        let periods: Vec<u32> = tenure.arrears.iter().map(|arrear| arrear.period).collect();
        assert_eq!((periods, tenure.owed().get(), tenure.due), (vec![1, 2, 3], 300, 300));
        assert_eq!(tenure.pay_oldest(Units::new(150).unwrap()).unwrap().1.get(), 100);
        let (part, units) = tenure.pay_oldest(Units::new(50).unwrap()).unwrap();
        assert_eq!((part.period, units.get(), tenure.owed().get(), tenure.paid), (2, 50, 150, 150));
        assert_eq!(tenure.pay_oldest(Units::ZERO), None);
        assert_eq!(tenure.fall_due(at(100_000)), PERIODS_AT_ONCE);
    }
}
