//! Sweep: takings to the company, once and only once (SPEC §4.18, N10).

use super::{Ready, ShopWork};
use crate::desk::{Desk, Question, Reply, Stop, vault};
use crate::ledger::account::Unposted;
use crate::ledger::books::{Tx, View};
use crate::ledger::posting::{Asked, Booking, EntryKind, known, next};
use crate::ledger::sweeps::Swept;
use crate::ledger::tenure::Tenure;
use protocol::bank::{AccountQuery, LetterKind, Sweep};
use protocol::sign::{Signed, Verified};
use protocol::time::Day;
use protocol::wire::{BankAnswer, ErrorCode, SALES_MAX, SalesList, decode, sales_digest};
use serde_bytes::ByteBuf;

/// Most sweeps of a shop in a day: their lists are kept for ever.
const SWEEPS_A_DAY: u32 = 64;

/// Checks sweep and list; a repeat is answered at once.
pub(super) fn examine(
    desk: Desk<'_>,
    view: &impl View,
    asked: Signed<Sweep>,
    list: ByteBuf,
) -> Result<Ready, Stop> {
    let sweep = asked.unverified();
    if sweep.bank != desk.keys.bank() {
        return Err(ErrorCode::NotMine.into());
    }
    if list.len() > SALES_MAX {
        return Err(ErrorCode::TooBig.into());
    }
    if desk.now.is_before(sweep.created) {
        return Err(ErrorCode::Expired.into());
    }
    let owner = sweep.owner;
    if view.account_of(&owner)?.is_none() {
        return Err(ErrorCode::NotFound.into());
    }
    let asked = asked.verify_by(&owner).map_err(|_| ErrorCode::BadSignature)?;
    if let Some(answer) = Question::plain(asked.request, asked.digest()).answered(view)? {
        return Ok(answer.into());
    }
    if sales_digest(&list) != asked.list {
        return Err(ErrorCode::Malformed.into());
    }
    let sales: SalesList = decode(&list).map_err(|flaw| flaw.code())?;
    let count = u32::try_from(sales.sales.len()).ok();
    let sums = (sales.units(), sales.ordered());
    if sums != (Ok(asked.units), Ok(asked.ordered)) || count != Some(asked.sales) {
        return Err(ErrorCode::BadSum.into());
    }
    Ok(ShopWork::Sweep(asked, list).into())
}

fn swept_on(tenure: &Tenure, day: Day) -> u32 {
    if tenure.swept.0 == day { tenure.swept.1 } else { 0 }
}

impl Desk<'_> {
    /// Moves the takings to the company that owns the shop, and to no other. What can't be done now leaves no trace but a
    /// refusal letter: the number is still free.
    pub(super) fn sweep(&self, tx: &mut impl Tx, asked: &Verified<Sweep>, list: &ByteBuf) -> Reply {
        let question = Question::plain(asked.request, asked.digest());
        if let Some(answer) = question.answered(tx)? {
            return Ok(answer);
        }
        let shop = tx.account_of(&asked.owner)?.ok_or(ErrorCode::NotFound)?.number;
        let tenure = tx.tenure(shop)?.ok_or(ErrorCode::NotAllowed)?;
        if asked.number <= tenure.sweeps {
            return Err(ErrorCode::IdReused.into());
        }
        if !tenure.is_owned() {
            return Err(ErrorCode::NotAllowed.into());
        }
        // The one before it is not here.
        if asked.number != next(tenure.sweeps)? {
            return Err(ErrorCode::NotFound.into());
        }
        if swept_on(&tenure, self.now.day()) >= SWEEPS_A_DAY {
            return Err(ErrorCode::Busy.into());
        }
        self.collect_from(tx, shop)?;
        // Rent may have been paid just now.
        let tenure = tx.tenure(shop)?.ok_or(ErrorCode::NotAllowed)?;
        let account = known(tx, shop)?;
        if account.member.suspended.is_some() {
            return Err(ErrorCode::Suspended.into());
        }
        let asked_by = Some(Asked::Customer(asked.request));
        let booking = self.booking(EntryKind::SweepOut, shop, asked.units, asked_by);
        match account.debited(asked.units) {
            Ok(_) => self.carry_over(tx, (asked, list), question, (tenure, booking)),
            Err(Unposted::Insufficient { .. }) => {
                self.count_refusal(tx, account)?;
                Ok(self.decline(tx, asked.owner, question, booking)?)
            }
            Err(Unposted::TooMuch) => Err(ErrorCode::OverLimit.into()),
        }
    }

    fn carry_over(
        &self,
        tx: &mut impl Tx,
        (asked, list): (&Verified<Sweep>, &ByteBuf),
        question: Question,
        (tenure, booking): (Tenure, Booking),
    ) -> Reply {
        let (shop, company, number) = (tenure.shop, tenure.company, asked.number);
        let booking = Booking { reason: format!("sweep {number} of {}", asked.day), ..booking };
        // A day may come to nothing: its list goes to the company all the same.
        let out = if asked.units.is_zero() { booking.write(tx)? } else { booking.transfer(tx, company)? };
        let letter = self.tell(tx, LetterKind::SweepOut, question.digest, &out)?;
        let booking = self.booking(EntryKind::SweepIn, company, asked.units, None);
        let reason = format!("sweep {number} of {}, shop {shop}", asked.day);
        let came = self.note_down(tx, Booking { reason, ..booking })?;
        self.tell(tx, LetterKind::SweepIn, question.digest, &came)?;
        let swept = Swept { asked: asked.signed().clone(), shop, company, entry: out.number };
        tx.keep_sweep(&swept, list)?;
        let today = self.now.day();
        let swept = (today, swept_on(&tenure, today).saturating_add(1));
        tx.keep_tenure(&Tenure { sweeps: number, swept, ..tenure })?;
        let answer = BankAnswer::Swept(letter.ok_or(ErrorCode::NotFound)?);
        question.keep(tx, Some(out.number), &answer)?;
        Ok(answer)
    }

    /// A sweep and its list, for the shop and for the company that got it.
    pub(super) fn sweep_list(&self, view: &impl View, asked: &Signed<AccountQuery>, entry: u64) -> Reply {
        let account = vault::asker(self.keys.bank(), self.now, view, asked)?.number;
        let swept = view.sweep_of(entry)?.filter(|swept| [swept.shop, swept.company].contains(&account));
        let swept = swept.ok_or(ErrorCode::NotFound)?;
        let list = ByteBuf::from(view.sales_of(&swept)?);
        Ok(BankAnswer::SweepList(Box::new(swept.asked), list))
    }
}
