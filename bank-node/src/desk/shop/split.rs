//! A disputed hold that neither side ends: two operators decide, as of an account's standing (SPEC §4.16).

use crate::desk::Desk;
use crate::desk::office::{Done, Halt, Objection, Outcome, REASON_MAX};
use crate::ledger::books::Tx;
use crate::ledger::holds::{Held, Split};
use crate::ledger::posting::{Asked, Booking, EntryKind};
use protocol::body::Text;
use protocol::money::Units;

impl Desk<'_> {
    /// One operator's wish; it takes the place of the one before it.
    pub(in crate::desk) fn propose_split(
        &self,
        tx: &mut impl Tx,
        (number, to_buyer): (u64, Units),
        (by, reason): (&str, &str),
        asked: Option<Asked>,
    ) -> Result<Outcome, Halt> {
        if reason.is_empty() || Text::new(reason, REASON_MAX).is_err() {
            return Err(Objection::BadReason.into());
        }
        let mut held = disputed(tx, number, to_buyer)?;
        let (by, reason) = (by.to_owned(), reason.to_owned());
        held.split = Some(Split { to_buyer, by: by.clone(), reason: reason.clone(), at: self.now });
        tx.keep_hold(&held)?;
        let booking = self.about_split(EntryKind::HoldProposal, &held, to_buyer, asked);
        outcome(tx, Booking { by, reason: format!("hold {number}: {reason}"), ..booking })
    }

    /// Another operator's word: so much goes back, the rest to the shop.
    pub(in crate::desk) fn confirm_split(
        &self,
        tx: &mut impl Tx,
        (number, to_buyer): (u64, Units),
        by: &str,
        asked: Option<Asked>,
    ) -> Result<Outcome, Halt> {
        let held = disputed(tx, number, to_buyer)?;
        let split = held.split.clone().filter(|split| split.to_buyer == to_buyer);
        let split = split.ok_or(Objection::NotProposed)?;
        if split.by == by {
            return Err(Objection::SameOperator.into());
        }
        let reason = format!("hold {number}, proposed by {}: {}", split.by, split.reason);
        let booking = self.about_split(EntryKind::HoldDecision, &held, to_buyer, asked);
        let outcome = outcome(tx, Booking { by: by.to_owned(), reason, ..booking })?;
        let to_shop = held.left.minus(to_buyer).map_err(|_| Objection::OverLeft { left: held.left })?;
        self.move_held(tx, &held, (to_shop, to_buyer), None)?;
        Ok(outcome)
    }

    fn about_split(&self, kind: EntryKind, held: &Held, to_buyer: Units, asked: Option<Asked>) -> Booking {
        self.booking(kind, held.buyer, to_buyer, asked)
    }
}

fn outcome(tx: &mut impl Tx, booking: Booking) -> Result<Outcome, Halt> {
    let account = booking.account.unwrap_or(crate::ledger::AccountNumber(0));
    let entry = booking.write(tx)?;
    let done = Done { entry: entry.number, account, balance: entry.balance, letter: None };
    Ok(Outcome { asked: entry.asked, done })
}

/// Operators decide what is disputed, and nothing else.
fn disputed(tx: &impl Tx, number: u64, to_buyer: Units) -> Result<Held, Halt> {
    let held = tx.hold(number)?.ok_or(Objection::NoHold(number))?;
    if !held.is_open() || held.dispute.is_none() {
        return Err(Objection::NotDisputed.into());
    }
    if to_buyer > held.left {
        return Err(Objection::OverLeft { left: held.left }.into());
    }
    Ok(held)
}
