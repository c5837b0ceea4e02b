//! What the calendar brings to the desk: reclaims to close, answers that did not come, debts and rents to collect,
//! holds that end (SPEC §4.10, §4.11, §4.16, §4.17).

use super::{Desk, debt};
use crate::ledger::AccountNumber;
use crate::ledger::books::{Fault, Tx, View};
use crate::ledger::cases::Due;
use crate::ledger::posting::{Answer, Booking, Entry};
use crate::ledger::reclaims::Filed;
use protocol::id::Digest;
use protocol::time::Timestamp;
use std::cmp::Reverse;

/// Things done in one commit.
const BATCH_MAX: usize = 64;

/// How long people have, and how much the bank gives for somebody who can't pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long others may object to a reclaim of a payment.
    pub reclaim_payment_seconds: u64,
    /// The same after a restore.
    pub reclaim_restore_seconds: u64,
    /// How long somebody who is asked in a case has for his answer.
    pub case_seconds: u64,
    /// The most that the guarantee pays in one offender's stead.
    pub guarantee_cap: protocol::money::Units,
    /// How much an account's vault may hold.
    pub vault: crate::ledger::vault::Quota,
}

const DAY: u64 = protocol::time::DAY_SECONDS;

impl Default for Rules {
    fn default() -> Self {
        let guarantee_cap = protocol::money::Units::new(20_000).unwrap_or_default();
        Rules {
            reclaim_payment_seconds: 7 * DAY,
            reclaim_restore_seconds: 3 * DAY,
            case_seconds: 14 * DAY,
            guarantee_cap,
            vault: crate::ledger::vault::Quota::default(),
        }
    }
}

/// Whether [`Desk::turn`] would find anything to do: a look that writes nothing.
pub fn is_due(view: &impl View, now: Timestamp) -> Result<bool, Fault> {
    let first = view.due(1)?.into_iter().next();
    Ok(first.is_some_and(|(at, _)| at <= now) || debt::is_collectable(view)?)
}

impl Desk<'_> {
    /// Does what is due, up to a batch; true if there is more.
    pub fn turn(&self, tx: &mut impl Tx) -> Result<bool, Fault> {
        let mut due = tx.due(BATCH_MAX)?;
        due.retain(|(at, _)| *at <= self.now);
        let more = due.len() == BATCH_MAX;
        let Some((at, last)) = due.last().copied() else { return self.collect(tx) };
        let mut reclaims: Vec<Filed> = Vec::new();
        for (_, due) in due {
            match due {
                Due::Reclaim(number) => reclaims.extend(tx.reclaim(number)?.filter(Filed::is_open)),
                Due::Case(number) => self.overdue(tx, number)?,
                Due::Hold(number) => self.hold_is_due(tx, number)?,
                Due::Rent(shop) => self.rent_is_due(tx, AccountNumber(shop))?,
            }
        }
        // The deepest chain first: of two over the same units it is the one that was handed on.
        reclaims.sort_by_key(|filed| Reverse(filed.notes.iter().map(|note| note.links.len()).max()));
        for Filed { number, .. } in reclaims {
            // An earlier one in this list may have ended it meanwhile.
            if let Some(filed) = tx.reclaim(number)?.filter(Filed::is_open) {
                self.look_at(tx, filed)?;
            }
        }
        tx.done_due(at, last)?;
        Ok(self.collect(tx)? || more)
    }

    /// An entry that nobody asked for keeps an empty answer.
    pub(super) fn note_down(&self, tx: &mut impl Tx, booking: Booking) -> Result<Entry, Fault> {
        let entry = booking.write(tx)?;
        self.unasked(tx, &entry)?;
        Ok(entry)
    }

    pub(super) fn unasked(&self, tx: &mut impl Tx, entry: &Entry) -> Result<(), Fault> {
        let (request, notes) = (Digest::default(), Digest::default());
        tx.keep_answer(&entry.asked, &Answer { request, notes, entry: Some(entry.number), bytes: Vec::new() })
    }
}
