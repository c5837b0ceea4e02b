//! Withdraw: from the account into the reserve (SPEC §4.4, N4, M3).

use super::{Desk, Question, Reply, Stop, Word, check_keys};
use crate::ledger::Account;
use crate::ledger::account::Unposted;
use crate::ledger::books::{Fault, Tx, View};
use crate::ledger::posting::{Asked, Booking, EntryKind, known};
use protocol::bank::{LetterKind, Withdrawal};
use protocol::id::{BankId, Key};
use protocol::sign::{Signed, Verified};
use protocol::time::Timestamp;
use protocol::wire::{BankAnswer, ErrorCode};

/// Refusals of one owner a day that are kept: each of them stays for ever.
const REFUSALS_A_DAY: u32 = 64;

/// What needs no books, cheap things first.
pub fn examine(
    bank: BankId,
    now: Timestamp,
    view: &impl View,
    asked: Signed<Withdrawal>,
) -> Result<Verified<Withdrawal>, Stop> {
    let withdrawal = asked.unverified();
    if withdrawal.bank != bank {
        return Err(ErrorCode::NotMine.into());
    }
    if now.is_before(withdrawal.created) {
        return Err(ErrorCode::Expired.into());
    }
    if withdrawal.units().is_err() {
        return Err(ErrorCode::OverLimit.into());
    }
    let owner = withdrawal.owner;
    if view.account_of(&owner)?.is_none() {
        return Err(ErrorCode::NotFound.into());
    }
    check_keys(&withdrawal.outcomes)?;
    asked.verify_by(&owner).map_err(|_| ErrorCode::BadSignature.into())
}

impl Desk<'_> {
    /// Debits the account and issues the roots, or says why not: in a refusal letter with the balance if the
    /// account does not hold that much.
    ///
    /// A suspended account can't be withdrawn from: what leaves it leaves the bank's reach, and suspension
    /// is there to keep what a case may be about. It may still deposit: the bank owes its notes to whoever
    /// holds them, and refusing them would take money away instead of holding it.
    pub fn withdraw(&self, tx: &mut impl Tx, asked: &Verified<Withdrawal>) -> Reply {
        let question = Question::plain(asked.request, asked.digest());
        if let Some(answer) = question.answered(tx)? {
            return Ok(answer);
        }
        let number = tx.account_of(&asked.owner)?.ok_or(ErrorCode::NotFound)?.number;
        // What is owed is not carried away.
        self.collect_from(tx, number)?;
        let account = known(tx, number)?;
        if account.member.suspended.is_some() {
            self.count_refusal(tx, account)?;
            let answer = BankAnswer::Error(ErrorCode::Suspended);
            question.keep(tx, None, &answer)?;
            return Ok(answer);
        }
        let units = asked.units().map_err(|_| ErrorCode::OverLimit)?;
        let booking = Booking {
            at: self.now,
            kind: EntryKind::Withdraw,
            account: Some(account.number),
            units,
            asked: Some(Asked::Customer(asked.request)),
            reason: String::new(),
            by: String::new(),
        };
        match booking.check(tx)? {
            Ok(()) => self.pay_out_in_notes(tx, asked, question, booking),
            Err(Unposted::Insufficient { .. }) => {
                self.count_refusal(tx, account)?;
                Ok(self.decline(tx, asked.owner, question, booking)?)
            }
            Err(Unposted::TooMuch) => Err(ErrorCode::OverLimit.into()),
        }
    }

    fn pay_out_in_notes(
        &self,
        tx: &mut impl Tx,
        asked: &Withdrawal,
        question: Question,
        booking: Booking,
    ) -> Reply {
        let key = self.issue_key()?;
        let entry = booking.write(tx)?;
        let roots = self.issue(tx, key, &question.digest, &asked.outcomes, entry.number)?;
        let letter = self.letter(&Word {
            number: entry.number,
            kind: LetterKind::Payment,
            owner: asked.owner,
            request: question.digest,
            units: entry.units,
            balance: entry.balance,
        });
        let answer = BankAnswer::Withdrawn(roots, letter);
        question.keep(tx, Some(entry.number), &answer)?;
        Ok(answer)
    }

    /// One more refusal to keep, unless there were too many today: then nothing is kept and nothing is decided.
    pub(super) fn count_refusal(&self, tx: &mut impl Tx, mut account: Account) -> Result<(), Stop> {
        let today = self.now.day();
        let before = if account.member.refused.0 == today { account.member.refused.1 } else { 0 };
        if before >= REFUSALS_A_DAY {
            return Err(ErrorCode::Busy.into());
        }
        account.member.refused = (today, before.saturating_add(1));
        Ok(tx.keep_account(&account)?)
    }

    /// Not enough funds: a letter says how much there is.
    pub(super) fn decline(
        &self,
        tx: &mut impl Tx,
        owner: Key,
        question: Question,
        booking: Booking,
    ) -> Result<BankAnswer, Fault> {
        let entry = Booking { kind: EntryKind::Decline, ..booking }.write(tx)?;
        let letter = self.letter(&Word {
            number: entry.number,
            kind: LetterKind::Refusal,
            owner,
            request: question.digest,
            units: entry.units,
            balance: entry.balance,
        });
        let answer = BankAnswer::Declined(letter);
        question.keep(tx, Some(entry.number), &answer)?;
        Ok(answer)
    }
}
