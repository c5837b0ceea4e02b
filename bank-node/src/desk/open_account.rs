//! Opening an account, and the letter that lets somebody claim it (SPEC §4.3).

use super::Desk;
use super::activate::code_hash;
use super::office::{Halt, Objection, Opening, Outcome, open_customer};
use crate::ledger::books::Tx;
use crate::ledger::posting::{Asked, Booking, EntryKind, known, next};
use crate::ledger::{Account, AccountKind, AccountNumber, FIRST_CUSTOMER};
use protocol::bank::NAME_MAX;
use protocol::body::Text;
use protocol::money::Units;

impl Desk<'_> {
    /// A new account with its first balance and its first letter.
    pub(super) fn open_account(
        &self,
        tx: &mut impl Tx,
        Opening { kind, name, balance, offline_limit }: &Opening,
        asked: Option<Asked>,
    ) -> Result<Outcome, Halt> {
        if name.is_empty() || name.trim() != name || Text::new(name, NAME_MAX).is_err() {
            return Err(Objection::BadName.into());
        }
        let number = AccountNumber(next(tx.last_account()?.0)?).max(FIRST_CUSTOMER);
        let kind = AccountKind::Customer(*kind);
        let mut account = Account::new(number, kind, name, self.now);
        account.offline_limit = *offline_limit;
        let letter = self.give_letter(&mut account);
        let booking = self.booking(EntryKind::Open, number, *balance, asked);
        // Cash grows by as much: whether it may is known before anything is written.
        known(tx, crate::ledger::CASH)?.debited(*balance).map_err(Objection::from)?;
        tx.keep_account(&account)?;
        let entry = booking.write(tx)?;
        Ok(Outcome::of(&entry, &known(tx, number)?, Some(letter)))
    }

    /// Another letter for an account that nobody has claimed; the one before it ends.
    pub(super) fn new_letter(
        &self,
        tx: &mut impl Tx,
        number: AccountNumber,
        asked: Option<Asked>,
    ) -> Result<Outcome, Halt> {
        let mut account = open_customer(tx, number)?;
        if account.member.owner.is_some() {
            return Err(Objection::Activated.into());
        }
        let letter = self.give_letter(&mut account);
        tx.keep_account(&account)?;
        let entry = self.booking(EntryKind::Letter, number, Units::ZERO, asked).write(tx)?;
        Ok(Outcome::of(&entry, &account, Some(letter)))
    }

    fn give_letter(&self, account: &mut Account) -> u32 {
        let letter = account.member.letters.saturating_add(1);
        account.member.letters = letter;
        let code = self.keys.activation_code(account.number.0, letter);
        account.member.code = code_hash(account.number.0, &code);
        letter
    }

    pub(super) fn booking(
        &self,
        kind: EntryKind,
        account: AccountNumber,
        units: Units,
        asked: Option<Asked>,
    ) -> Booking {
        Booking {
            at: self.now,
            kind,
            account: Some(account),
            units,
            asked,
            reason: String::new(),
            by: String::new(),
        }
    }
}
