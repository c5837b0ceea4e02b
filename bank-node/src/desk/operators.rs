//! Operators: named people with tokens of their own, so that two of them can be told apart; and the guarantee,
//! which they fund.

use super::Desk;
use super::office::{Done, Halt, Objection, Outcome};
use crate::ledger::books::{Operator, Tx};
use crate::ledger::posting::{Asked, Booking, EntryKind, known};
use crate::ledger::{AccountNumber, GUARANTEE};
use protocol::body::Text;
use protocol::id::Digest;
use protocol::money::Units;

/// The longest name.
pub const NAME_MAX: usize = 32;

/// What is kept of a token's secret. It is 128 random bits or more, so a plain hash gives nothing away.
pub fn secret_digest(secret: &str) -> Digest {
    protocol::body::digest("operator-token", secret.as_bytes())
}

impl Desk<'_> {
    /// A name that was used once is not given to somebody else: the journal would lie.
    pub(super) fn add_operator(
        &self,
        tx: &mut impl Tx,
        (name, secret): (&str, Digest),
        asked: Option<Asked>,
    ) -> Result<Outcome, Halt> {
        let usable = !name.is_empty() && !name.chars().any(char::is_whitespace) && name != "owner";
        if !usable || Text::new(name, NAME_MAX).is_err() || tx.operator(name)?.is_some() {
            return Err(Objection::BadOperator.into());
        }
        let operator = Operator { name: name.to_owned(), secret, since: self.now, ended: None };
        tx.keep_operator(&operator)?;
        self.about_operator(tx, EntryKind::OperatorAdded, name, asked)
    }

    /// His token is of no use any more; what he proposed stands.
    pub(super) fn end_operator(
        &self,
        tx: &mut impl Tx,
        name: &str,
        asked: Option<Asked>,
    ) -> Result<Outcome, Halt> {
        let operator = tx.operator(name)?.filter(|operator| operator.ended.is_none());
        let mut operator = operator.ok_or(Objection::BadOperator)?;
        operator.ended = Some(self.now);
        tx.keep_operator(&operator)?;
        self.about_operator(tx, EntryKind::OperatorEnded, name, asked)
    }

    fn about_operator(
        &self,
        tx: &mut impl Tx,
        kind: EntryKind,
        name: &str,
        asked: Option<Asked>,
    ) -> Result<Outcome, Halt> {
        let entry = Booking {
            at: self.now,
            kind,
            account: None,
            units: Units::ZERO,
            asked,
            reason: name.to_owned(),
            by: "owner".to_owned(),
        }
        .write(tx)?;
        let done =
            Done { entry: entry.number, account: AccountNumber(0), balance: Units::ZERO, letter: None };
        Ok(Outcome { asked: entry.asked, done })
    }

    /// Cash for the guarantee.
    pub(super) fn fund_guarantee(
        &self,
        tx: &mut impl Tx,
        (units, by): (Units, &str),
        asked: Option<Asked>,
    ) -> Result<Outcome, Halt> {
        if units.is_zero() {
            return Err(Objection::Nothing.into());
        }
        let mut booking = self.booking(EntryKind::GuaranteeIn, GUARANTEE, units, asked);
        by.clone_into(&mut booking.by);
        booking.check(tx)?.map_err(Objection::from)?;
        let entry = booking.write(tx)?;
        Ok(Outcome::of(&entry, &known(tx, GUARANTEE)?, None))
    }
}
