//! Where the money of a hold goes, and what the calendar does with it (SPEC §4.16).
//!
//! No balance can leave its bounds by it: all that the bank owes is at most its cash, which has them.

use crate::desk::Desk;
use crate::ledger::AccountNumber;
use crate::ledger::books::{Fault, Tx};
use crate::ledger::holds::{Held, Way};
use crate::ledger::posting::{Asked, EntryKind, known};
use protocol::bank::LetterKind;
use protocol::money::Units;

impl Desk<'_> {
    /// So much to the shop, so much to the buyer, with a letter to each. Returns the first entry and the hold after it.
    pub(super) fn move_held(
        &self,
        tx: &mut impl Tx,
        held: &Held,
        (to_shop, to_buyer): (Units, Units),
        mut asked: Option<Asked>,
    ) -> Result<(u64, Held), Fault> {
        let missing = || Fault::Damaged(format!("hold {} has less left", held.number));
        let mut after = held.less(to_shop, to_buyer, self.now).ok_or_else(missing)?;
        let moves = [
            (EntryKind::HoldRelease, held.shop, to_shop, LetterKind::Released),
            (EntryKind::HoldReturn, held.buyer, to_buyer, LetterKind::Returned),
        ];
        let mut first = None;
        for (kind, whose, units, letter) in moves {
            if units.is_zero() {
                continue;
            }
            let is_asked = asked.is_some();
            let mut booking = self.booking(kind, whose, units, asked.take());
            booking.reason = format!("hold {}", held.number);
            let entry = if is_asked { booking.write(tx)? } else { self.note_down(tx, booking)? };
            self.tell(tx, letter, held.asked.digest(), &entry)?;
            first.get_or_insert(entry.number);
            after.changed = entry.number;
        }
        tx.keep_hold(&after)?;
        if !after.is_open() {
            self.count_hold(tx, &after, |open| open.saturating_sub(1))?;
        }
        Ok((first.ok_or_else(missing)?, after))
    }

    /// Something about a hold that moves nothing.
    pub(super) fn mark_held(
        &self,
        tx: &mut impl Tx,
        mut held: Held,
        kind: EntryKind,
        whose: AccountNumber,
        asked: Option<Asked>,
    ) -> Result<(u64, Held), Fault> {
        let mut booking = self.booking(kind, whose, Units::ZERO, asked);
        booking.reason = format!("hold {}", held.number);
        held.changed = booking.write(tx)?.number;
        tx.keep_hold(&held)?;
        Ok((held.changed, held))
    }

    /// Both know how many of their holds are open.
    pub(super) fn count_hold(
        &self,
        tx: &mut impl Tx,
        held: &Held,
        count: impl Fn(u32) -> u32,
    ) -> Result<(), Fault> {
        let mut buyer = known(tx, held.buyer)?;
        buyer.member.holds = count(buyer.member.holds);
        tx.keep_account(&buyer)?;
        let mut shop = known(tx, held.shop)?;
        shop.member.held_for = count(shop.member.held_for);
        tx.keep_account(&shop)
    }

    /// Its date or its end has come. Whoever signed a disagreement has stopped this for good.
    pub(in crate::desk) fn hold_is_due(&self, tx: &mut impl Tx, number: u64) -> Result<(), Fault> {
        let Some(held) = tx.hold(number)? else { return Ok(()) };
        let moves = match held.is_due(self.now) {
            Some(Way::Release) => (held.left, Units::ZERO),
            Some(Way::Return) => (Units::ZERO, held.left),
            None => return Ok(()),
        };
        self.move_held(tx, &held, moves, None).map(|_| ())
    }
}
