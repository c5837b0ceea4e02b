//! Cash over the counter: in and out of an account.

use super::Desk;
use super::office::{Halt, Objection, Outcome, customer, open_customer};
use crate::ledger::AccountNumber;
use crate::ledger::books::Tx;
use crate::ledger::posting::{Asked, EntryKind, known};
use protocol::money::Units;

impl Desk<'_> {
    pub(super) fn pay_in(
        &self,
        tx: &mut impl Tx,
        account: AccountNumber,
        units: Units,
        asked: Option<Asked>,
    ) -> Result<Outcome, Halt> {
        open_customer(tx, account)?;
        self.cash(tx, EntryKind::PayIn, (account, units), asked)
    }

    pub(super) fn pay_out(
        &self,
        tx: &mut impl Tx,
        account: AccountNumber,
        units: Units,
        asked: Option<Asked>,
    ) -> Result<Outcome, Halt> {
        self.collect_from(tx, account)?;
        self.cash(tx, EntryKind::PayOut, (account, units), asked)
    }

    fn cash(
        &self,
        tx: &mut impl Tx,
        kind: EntryKind,
        (number, units): (AccountNumber, Units),
        asked: Option<Asked>,
    ) -> Result<Outcome, Halt> {
        if units.is_zero() {
            return Err(Objection::Nothing.into());
        }
        customer(tx, number)?;
        let booking = self.booking(kind, number, units, asked);
        booking.check(tx)?.map_err(Objection::from)?;
        let entry = booking.write(tx)?;
        Ok(Outcome::of(&entry, &known(tx, number)?, None))
    }
}
