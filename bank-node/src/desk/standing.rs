//! Suspend and reinstate: the decision of two operators, never a side effect (threats X2).
//!
//! One proposes, another one confirms. Until then nothing has changed, and nobody outside the bank learns of it.

use super::Desk;
use super::office::{Halt, Objection, Outcome, REASON_MAX, open_customer};
use crate::ledger::books::Tx;
use crate::ledger::posting::{Asked, EntryKind};
use crate::ledger::{AccountNumber, Proposal};
use protocol::body::Text;
use protocol::money::Units;
use serde::{Deserialize, Serialize};

/// What an operator wants of an account's standing.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It can't withdraw any more, nobody takes its payments; it may deposit.
    Suspend,
    /// The suspension ends.
    Reinstate,
}

impl Desk<'_> {
    /// One operator's wish; it takes the place of the one before it.
    pub(super) fn propose(
        &self,
        tx: &mut impl Tx,
        (number, change): (AccountNumber, Change),
        (by, reason): (&str, &str),
        asked: Option<Asked>,
    ) -> Result<Outcome, Halt> {
        if reason.is_empty() || Text::new(reason, REASON_MAX).is_err() {
            return Err(Objection::BadReason.into());
        }
        let mut account = open_customer(tx, number)?;
        let suspend = change == Change::Suspend;
        if account.member.suspended.is_some() == suspend {
            return Err(Objection::NoChange.into());
        }
        let (by, reason) = (by.to_owned(), reason.to_owned());
        account.member.proposal =
            Some(Proposal { suspend, by: by.clone(), reason: reason.clone(), at: self.now });
        tx.keep_account(&account)?;
        let mut booking = self.booking(EntryKind::Proposal, number, Units::ZERO, asked);
        (booking.by, booking.reason) = (by, reason);
        let entry = booking.write(tx)?;
        Ok(Outcome::of(&entry, &account, None))
    }

    /// Another operator's word: the new standing, as a certificate in a new directory line, so that everybody
    /// learns of it.
    pub(super) fn confirm(
        &self,
        tx: &mut impl Tx,
        (number, change): (AccountNumber, Change),
        by: &str,
        asked: Option<Asked>,
    ) -> Result<Outcome, Halt> {
        let mut account = open_customer(tx, number)?;
        let suspend = change == Change::Suspend;
        let proposal = account.member.proposal.take().filter(|proposal| proposal.suspend == suspend);
        let proposal = proposal.ok_or(Objection::NotProposed)?;
        if proposal.by == by {
            return Err(Objection::SameOperator.into());
        }
        account.member.suspended = suspend.then_some(self.now);
        self.certify(tx, &mut account)?;
        tx.keep_account(&account)?;
        let kind = if suspend { EntryKind::Suspend } else { EntryKind::Reinstate };
        let mut booking = self.booking(kind, number, Units::ZERO, asked);
        by.clone_into(&mut booking.by);
        booking.reason = format!("proposed by {}: {}", proposal.by, proposal.reason);
        let entry = booking.write(tx)?;
        Ok(Outcome::of(&entry, &account, None))
    }
}
