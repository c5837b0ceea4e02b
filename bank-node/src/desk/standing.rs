//! Suspend and reinstate: an operator's decision, never a side effect (threats X2).

use super::Desk;
use super::office::{Halt, Objection, Outcome, REASON_MAX, customer};
use crate::ledger::AccountNumber;
use crate::ledger::books::Tx;
use crate::ledger::posting::{Asked, EntryKind};
use protocol::body::Text;
use protocol::money::Units;
use protocol::time::Timestamp;

impl Desk<'_> {
    pub(super) fn suspend(
        &self,
        tx: &mut impl Tx,
        account: AccountNumber,
        reason: &str,
        asked: Option<Asked>,
    ) -> Result<Outcome, Halt> {
        self.change(tx, EntryKind::Suspend, (account, Some(self.now)), reason, asked)
    }

    pub(super) fn reinstate(
        &self,
        tx: &mut impl Tx,
        account: AccountNumber,
        reason: &str,
        asked: Option<Asked>,
    ) -> Result<Outcome, Halt> {
        self.change(tx, EntryKind::Reinstate, (account, None), reason, asked)
    }

    /// The new standing, as a certificate in a new directory line, so that everybody learns of it.
    fn change(
        &self,
        tx: &mut impl Tx,
        kind: EntryKind,
        (number, since): (AccountNumber, Option<Timestamp>),
        reason: &str,
        asked: Option<Asked>,
    ) -> Result<Outcome, Halt> {
        if reason.is_empty() || Text::new(reason, REASON_MAX).is_err() {
            return Err(Objection::BadReason.into());
        }
        let mut account = customer(tx, number)?;
        if account.member.suspended.is_some() == since.is_some() {
            return Err(Objection::NoChange.into());
        }
        account.member.suspended = since;
        self.certify(tx, &mut account)?;
        tx.keep_account(&account)?;
        let mut booking = self.booking(kind, number, Units::ZERO, asked);
        reason.clone_into(&mut booking.reason);
        let entry = booking.write(tx)?;
        Ok(Outcome::of(&entry, &account, None))
    }
}
