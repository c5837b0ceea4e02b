//! Own, lease, end a lease: whose a shop is, by operators' orders (SPEC §4.17, N10, N11).

use crate::desk::Desk;
use crate::desk::office::{Halt, Objection, Outcome, open_customer};
use crate::ledger::books::Tx;
use crate::ledger::cases::Due;
use crate::ledger::posting::{Asked, Booking, EntryKind, known};
use crate::ledger::tenure::{Every, Lease, Tenure};
use crate::ledger::{Account, AccountNumber, CustomerKind};
use protocol::bank::LetterKind;
use protocol::id::Digest;
use protocol::money::Units;
use protocol::time::Day;
use serde::{Deserialize, Serialize};

/// What a lease is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseTerms {
    /// What the bank keeps as caution, from the shop's account.
    pub caution: Units,
    /// Rent of a period.
    pub rent: Units,
    /// How long a period is.
    pub every: Every,
    /// When the first rent is due.
    pub first_due: Day,
}

impl Desk<'_> {
    /// From now on the company runs the shop itself: takings go to it.
    pub(in crate::desk) fn own(
        &self,
        tx: &mut impl Tx,
        (shop, company): (AccountNumber, AccountNumber),
        by: &str,
        asked: Option<Asked>,
    ) -> Result<Outcome, Halt> {
        let account = shop_of(tx, shop)?;
        company_of(tx, company)?;
        let tenure = match tx.tenure(shop)? {
            Some(tenure) if tenure.lease.is_some() => return Err(Objection::Leased.into()),
            Some(tenure) if tenure.company == company => return Err(Objection::NoChange.into()),
            // What is owed stays owed to whom it is owed.
            Some(tenure) if !tenure.arrears.is_empty() => return Err(Objection::Arrears.into()),
            Some(tenure) => Tenure { company, since: self.now, ..tenure },
            None => Tenure::owned(shop, company, self.now),
        };
        tx.keep_tenure(&tenure)?;
        let booking = self.about_shop(EntryKind::Own, &tenure, Units::ZERO, (by, asked));
        let entry = booking.write(tx)?;
        Ok(Outcome::of(&entry, &account, None))
    }

    /// The company leases the shop out: the bank takes the caution, and rent by the calendar.
    pub(in crate::desk) fn lease(
        &self,
        tx: &mut impl Tx,
        (shop, company): (AccountNumber, AccountNumber),
        terms: LeaseTerms,
        (by, asked): (&str, Option<Asked>),
    ) -> Result<Outcome, Halt> {
        let LeaseTerms { caution, rent, every, first_due } = terms;
        shop_of(tx, shop)?;
        company_of(tx, company)?;
        if rent.is_zero() || every == Every::Days(0) {
            return Err(Objection::Nothing.into());
        }
        if first_due < self.now.day() {
            return Err(Objection::BadDay.into());
        }
        let before = tx.tenure(shop)?.unwrap_or(Tenure::owned(shop, company, self.now));
        if before.lease.is_some() {
            return Err(Objection::Leased.into());
        }
        if before.company != company {
            return Err(Objection::OtherOwner(before.company).into());
        }
        if !before.arrears.is_empty() {
            return Err(Objection::Arrears.into());
        }
        self.collect_from(tx, shop)?;
        let lease = Lease { since: self.now, caution, rent, every, first_due, periods: 0 };
        let tenure = Tenure { lease: Some(lease), ..before };
        let booking = self.about_shop(EntryKind::Lease, &tenure, caution, (by, asked));
        booking.check(tx)?.map_err(Objection::from)?;
        let entry = booking.write(tx)?;
        if !caution.is_zero() {
            self.tell(tx, LetterKind::Caution, Digest::default(), &entry)?;
        }
        tx.keep_tenure(&tenure)?;
        tx.keep_due(first_due.start(), Due::Rent(shop.0))?;
        Ok(Outcome::of(&entry, &known(tx, shop)?, None))
    }

    /// The lease ends: the company keeps so much of the caution, the rest comes back, and pays what rent is still owed.
    pub(in crate::desk) fn end_lease(
        &self,
        tx: &mut impl Tx,
        (shop, kept): (AccountNumber, Units),
        by: &str,
        asked: Option<Asked>,
    ) -> Result<Outcome, Halt> {
        shop_of(tx, shop)?;
        let mut tenure = tx.tenure(shop)?.ok_or(Objection::NotLeased)?;
        let lease = tenure.lease.take().ok_or(Objection::NotLeased)?;
        let back = lease.caution.minus(kept);
        let back = back.map_err(|_| Objection::Insufficient { balance: lease.caution })?;
        let entry = self.about_shop(EntryKind::EndLease, &tenure, kept, (by, asked)).write(tx)?;
        // A period that began before the end is owed, whether the calendar has looked or not.
        let mut last = Tenure { lease: Some(lease), ..tenure.clone() };
        while last.fall_due(self.now) > 0 {}
        tenure = Tenure { lease: None, ..last };
        tx.keep_tenure(&tenure)?;
        let moves = [
            (EntryKind::CautionKept, LetterKind::CautionKept, tenure.company, kept),
            (EntryKind::CautionBack, LetterKind::CautionBack, shop, back),
        ];
        for (kind, letter, whose, units) in moves {
            if !units.is_zero() {
                let booking = self.booking(kind, whose, units, None);
                let moved =
                    self.note_down(tx, Booking { reason: format!("lease of shop {shop}"), ..booking })?;
                self.tell(tx, letter, Digest::default(), &moved)?;
            }
        }
        self.collect_from(tx, shop)?;
        Ok(Outcome::of(&entry, &known(tx, shop)?, None))
    }

    fn about_shop(
        &self,
        kind: EntryKind,
        tenure: &Tenure,
        units: Units,
        (by, asked): (&str, Option<Asked>),
    ) -> Booking {
        let booking = self.booking(kind, tenure.shop, units, asked);
        Booking { by: by.to_owned(), reason: format!("company {}", tenure.company), ..booking }
    }
}

/// A shop that is not closed.
pub(super) fn shop_of(tx: &impl Tx, number: AccountNumber) -> Result<Account, Halt> {
    of_kind(tx, number, CustomerKind::Shop)
}

fn company_of(tx: &impl Tx, number: AccountNumber) -> Result<Account, Halt> {
    of_kind(tx, number, CustomerKind::Company)
}

fn of_kind(tx: &impl Tx, number: AccountNumber, kind: CustomerKind) -> Result<Account, Halt> {
    let account = open_customer(tx, number)?;
    if account.customer() != Some(kind) {
        return Err(Objection::WrongKind(number).into());
    }
    Ok(account)
}
