//! Rent: due by the calendar, paid as soon as there is money (SPEC §4.17, N11).

use crate::desk::Desk;
use crate::ledger::AccountNumber;
use crate::ledger::books::{Fault, Tx, View};
use crate::ledger::cases::Due;
use crate::ledger::posting::{Booking, EntryKind, known};
use crate::ledger::tenure::{Arrear, Tenure};
use protocol::bank::LetterKind;
use protocol::id::Digest;
use protocol::money::Units;

/// Shops looked at in one commit.
const SHOPS_MAX: usize = 64;

impl Desk<'_> {
    /// Rents come due, each period once. After an outage of months some are left for the calendar's next look.
    pub(in crate::desk) fn rent_is_due(&self, tx: &mut impl Tx, shop: AccountNumber) -> Result<(), Fault> {
        let Some(mut tenure) = tx.tenure(shop)? else { return Ok(()) };
        let fallen = tenure.fall_due(self.now);
        // A date of a lease that has ended, or of periods that a later look has done already.
        let Some(lease) = tenure.lease.as_ref().filter(|_| fallen > 0) else { return Ok(()) };
        // Never before what this turn of the calendar is done with: it would not be looked at again.
        let next = lease.next_due().start().max(self.now.plus_seconds(1));
        tx.keep_due(next, Due::Rent(shop.0))?;
        tx.keep_tenure(&tenure)
    }

    /// Takes rent from shops that owe some and have something; true if there may be more.
    pub(in crate::desk) fn collect_rents(&self, tx: &mut impl Tx) -> Result<bool, Fault> {
        let mut collected = 0;
        let mut after = AccountNumber(0);
        loop {
            let shops = tx.in_arrears(after, SHOPS_MAX)?;
            let Some(last) = shops.last() else { return Ok(false) };
            after = *last;
            for shop in shops {
                if collected == SHOPS_MAX {
                    return Ok(true);
                }
                collected += usize::from(self.collect_rent(tx, shop)?);
            }
        }
    }

    /// The same for one account, before anything leaves it.
    pub(in crate::desk) fn collect_rent(&self, tx: &mut impl Tx, shop: AccountNumber) -> Result<bool, Fault> {
        let Some(mut tenure) = tx.tenure(shop)?.filter(|tenure| !tenure.arrears.is_empty()) else {
            return Ok(false);
        };
        let mut some = false;
        while let Some((arrear, units)) = tenure.pay_oldest(known(tx, shop)?.balance()) {
            some = true;
            self.pay_rent(tx, &tenure, arrear, units)?;
        }
        if some {
            tx.keep_tenure(&tenure)?;
        }
        Ok(some)
    }

    fn pay_rent(&self, tx: &mut impl Tx, tenure: &Tenure, arrear: Arrear, units: Units) -> Result<(), Fault> {
        let reason = format!("period {}, due {}", arrear.period, arrear.due);
        let booking = self.booking(EntryKind::RentOut, tenure.shop, units, None);
        let out = Booking { reason: reason.clone(), ..booking }.transfer(tx, tenure.company)?;
        self.unasked(tx, &out)?;
        self.tell(tx, LetterKind::RentOut, Digest::default(), &out)?;
        let booking = self.booking(EntryKind::RentIn, tenure.company, units, None);
        let reason = format!("shop {}, {reason}", tenure.shop);
        let came = self.note_down(tx, Booking { reason, ..booking })?;
        self.tell(tx, LetterKind::RentIn, Digest::default(), &came)?;
        Ok(())
    }
}

/// Whether some shop that owes rent has something.
pub(in crate::desk) fn is_collectable(view: &impl View) -> Result<bool, Fault> {
    for shop in view.in_arrears(AccountNumber(0), usize::MAX)? {
        if view.account(shop)?.is_some_and(|account| !account.balance().is_zero()) {
            return Ok(true);
        }
    }
    Ok(false)
}
