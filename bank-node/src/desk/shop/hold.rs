//! Hold: units of an account are kept for an order (SPEC §4.16, C1, C2).

use crate::desk::{Desk, Question, Reply, Stop, Word};
use crate::ledger::account::Unposted;
use crate::ledger::books::{Tx, View};
use crate::ledger::cases::Due;
use crate::ledger::holds::Held;
use crate::ledger::posting::{Asked, EntryKind, known, next};
use crate::ledger::{Account, AccountNumber, CustomerKind};
use protocol::bank::{Hold, LetterKind};
use protocol::money::Units;
use protocol::sign::{Signed, Verified};
use protocol::time::DAY_SECONDS;
use protocol::wire::{BankAnswer, ErrorCode};

/// Open holds of one buyer.
pub(super) const OPEN_MAX: u32 = 64;
/// Open holds for one shop: more than it can carry out, and no more than its workstation reads.
pub(in crate::desk) const FOR_SHOP_MAX: u32 = 10_000;
/// The longest life of a hold.
pub(super) const HOLD_DAYS_MAX: u64 = 90;

/// What needs no books but the buyer's account, cheap things first.
pub(super) fn examine(desk: Desk<'_>, view: &impl View, asked: Signed<Hold>) -> Result<Verified<Hold>, Stop> {
    let hold = asked.unverified();
    if hold.bank != desk.keys.bank() {
        return Err(ErrorCode::NotMine.into());
    }
    if desk.now.is_before(hold.created) {
        return Err(ErrorCode::Expired.into());
    }
    let owner = hold.owner;
    if view.account_of(&owner)?.is_none() {
        return Err(ErrorCode::NotFound.into());
    }
    asked.verify_by(&owner).map_err(|_| ErrorCode::BadSignature.into())
}

impl Desk<'_> {
    /// Takes the units from the buyer's account and keeps them, or says why not: in a refusal letter with the balance if
    /// the account does not hold that much (C2).
    pub(super) fn hold(&self, tx: &mut impl Tx, asked: &Verified<Hold>) -> Reply {
        let question = Question::plain(asked.request, asked.digest());
        if let Some(answer) = question.answered(tx)? {
            return Ok(answer);
        }
        let buyer = tx.account_of(&asked.owner)?.ok_or(ErrorCode::NotFound)?.number;
        let shop = self.may_be_kept(tx, asked)?;
        // What is owed is not carried away.
        self.collect_from(tx, buyer)?;
        let account = known(tx, buyer)?;
        if account.member.suspended.is_some() || shop.member.suspended.is_some() {
            self.count_refusal(tx, account)?;
            let answer = BankAnswer::Error(ErrorCode::Suspended);
            question.keep(tx, None, &answer)?;
            return Ok(answer);
        }
        if account.member.holds >= OPEN_MAX {
            // An end, and no «later»: weeks after the buyer has given up, room must not make it a hold.
            let answer = BankAnswer::Error(ErrorCode::OverLimit);
            self.count_refusal(tx, account)?;
            question.keep(tx, None, &answer)?;
            return Ok(answer);
        }
        if shop.member.held_for >= FOR_SHOP_MAX {
            let answer = BankAnswer::Error(ErrorCode::ShopFull);
            question.keep(tx, None, &answer)?;
            return Ok(answer);
        }
        let booking = self.booking(EntryKind::Hold, buyer, asked.units, Some(Asked::Customer(asked.request)));
        match booking.check(tx)? {
            Ok(()) => self.keep_for(tx, asked, question, (buyer, shop.number)),
            Err(Unposted::Insufficient { .. }) => {
                self.count_refusal(tx, account)?;
                Ok(self.decline(tx, asked.owner, question, booking)?)
            }
            Err(Unposted::TooMuch) => Err(ErrorCode::OverLimit.into()),
        }
    }

    /// What the request says by itself: for a shop, for an order that can still be carried out, and not for ever.
    fn may_be_kept(&self, tx: &impl Tx, asked: &Hold) -> Result<Account, Stop> {
        if asked.payee == asked.owner {
            return Err(ErrorCode::SelfPayment.into());
        }
        let shop = tx.account_of(&asked.payee)?.ok_or(ErrorCode::NotFound)?;
        if shop.customer() != Some(CustomerKind::Shop) {
            return Err(ErrorCode::NotAllowed.into());
        }
        let latest = self.now.plus_seconds(HOLD_DAYS_MAX * DAY_SECONDS);
        if !asked.is_in_order() || self.now.is_past(asked.order_ends) || asked.ends.is_past(latest) {
            return Err(ErrorCode::OverLimit.into());
        }
        Ok(shop)
    }

    fn keep_for(
        &self,
        tx: &mut impl Tx,
        asked: &Verified<Hold>,
        question: Question,
        (buyer, shop): (AccountNumber, AccountNumber),
    ) -> Reply {
        let number = next(tx.last_hold()?)?;
        let asked_by = Some(Asked::Customer(asked.request));
        let mut booking = self.booking(EntryKind::Hold, buyer, asked.units, asked_by);
        booking.reason = format!("hold {number}");
        let entry = booking.write(tx)?;
        let held = Held {
            number,
            asked: asked.signed().clone(),
            buyer,
            shop,
            left: asked.units,
            released: Units::ZERO,
            returned: Units::ZERO,
            wrong: 0,
            dispute: None,
            split: None,
            closed: None,
            changed: entry.number,
        };
        tx.keep_hold(&held)?;
        tx.keep_due(held.timer().0, Due::Hold(number))?;
        self.count_hold(tx, &held, |open| open.saturating_add(1))?;
        let letter = self.letter(&Word {
            number: entry.number,
            kind: LetterKind::Hold,
            owner: asked.owner,
            request: question.digest,
            units: entry.units,
            balance: entry.balance,
        });
        let answer = BankAnswer::Held(Box::new(held.state()), letter);
        question.keep(tx, Some(entry.number), &answer)?;
        Ok(answer)
    }
}
