//! What a case costs whom: the liable party, the guarantee, the one who trusted him (SPEC §4.10, threats X3).
//!
//! Every posting goes from account to account. What is not there is not paid: it stays owed, and is collected
//! from the liable party's account whenever there is money on it.

use super::{Desk, Word};
use crate::ledger::books::{Fault, Tx, View};
use crate::ledger::cases::{Case, Debt, Funds, Side, Stage};
use crate::ledger::posting::{EntryKind, known};
use crate::ledger::{AccountNumber, GUARANTEE};
use protocol::bank::{Letter, LetterKind};
use protocol::money::Units;
use protocol::sign::Signed;

/// Debts collected in one commit.
const COLLECTED_MAX: usize = 64;

impl Desk<'_> {
    /// Judges the liable party and moves what is there.
    pub(super) fn settle_debt(
        &self,
        tx: &mut impl Tx,
        case: &mut Case,
        (liable, bearer): (AccountNumber, Option<AccountNumber>),
        offence: bool,
    ) -> Result<(), Fault> {
        let balance = |number: AccountNumber| known(tx, number).map(|account| account.balance());
        let given = known(tx, liable)?.member.guaranteed;
        let left = self.rules.guarantee_cap.minus(given).unwrap_or(Units::ZERO);
        let funds = Funds {
            liable: balance(liable)?,
            guarantee: balance(GUARANTEE)?.min(left),
            bearer: bearer.map_or(Ok(Units::ZERO), balance)?,
        };
        let mut debt = Debt {
            liable,
            offence,
            bearer,
            units: case.range.units(),
            from_liable: Units::ZERO,
            from_guarantee: Units::ZERO,
            from_bearer: Units::ZERO,
            to_claimant: Units::ZERO,
            to_bearer: Units::ZERO,
        };
        let moves = debt.settle(funds);
        self.move_money(tx, case, debt, Units::ZERO, &moves)
    }

    /// Writes what a debt moved, and the letters about it.
    fn move_money(
        &self,
        tx: &mut impl Tx,
        case: &mut Case,
        debt: Debt,
        guaranteed_before: Units,
        moves: &[(Side, Side, Units)],
    ) -> Result<(), Fault> {
        let mut account = known(tx, debt.liable)?;
        let others = account.member.guaranteed.minus(guaranteed_before);
        let all = others.and_then(|others| others.plus(debt.guaranteed()));
        account.member.guaranteed = all.map_err(|why| Fault::Damaged(why.to_string()))?;
        tx.keep_account(&account)?;
        case.stage = Stage::Judged(debt);
        let number = |side: Side| match side {
            Side::Liable => Some(debt.liable),
            Side::Guarantee => Some(GUARANTEE),
            Side::Bearer => debt.bearer,
            Side::Claimant => Some(case.account),
        };
        for (from, to, units) in moves {
            let (Some(from), Some(to)) = (number(*from), number(*to)) else { continue };
            let charge = self.case_booking(EntryKind::Charge, from, *units, case.number).transfer(tx, to)?;
            self.unasked(tx, &charge)?;
            let booking = self.case_booking(EntryKind::Recovery, to, *units, case.number);
            let recovery = self.note_down(tx, booking)?;
            let told = [(from, LetterKind::Charge, charge), (to, LetterKind::Recovery, recovery)];
            for (whose, kind, entry) in told {
                let letter =
                    self.case_letter(tx, whose, kind, case, (entry.number, entry.units, entry.balance))?;
                case.letters.extend(letter.map(|letter| (whose, letter)));
            }
        }
        Ok(())
    }

    fn case_letter(
        &self,
        tx: &impl Tx,
        whose: AccountNumber,
        kind: LetterKind,
        case: &Case,
        (number, units, balance): (u64, Units, Units),
    ) -> Result<Option<Signed<Letter>>, Fault> {
        let owner = known(tx, whose)?.member.owner;
        let request = case.claim.digest();
        Ok(owner.map(|owner| self.letter(&Word { number, kind, owner, request, units, balance })))
    }

    /// Takes what is owed from accounts that hold something; true if there may be more.
    pub(super) fn collect(&self, tx: &mut impl Tx) -> Result<bool, Fault> {
        let mut collected = 0;
        for (account, case) in tx.debts_after((AccountNumber(0), 0), usize::MAX)? {
            if collected == COLLECTED_MAX {
                return Ok(true);
            }
            collected += usize::from(self.collect_debt(tx, account, case)?);
        }
        self.collect_rents(tx)
    }

    /// The same for one account, before anything leaves it.
    pub(super) fn collect_from(&self, tx: &mut impl Tx, account: AccountNumber) -> Result<(), Fault> {
        for case in tx.debts_of(account)? {
            self.collect_debt(tx, account, case)?;
        }
        self.collect_rent(tx, account)?;
        Ok(())
    }

    fn collect_debt(&self, tx: &mut impl Tx, account: AccountNumber, number: u64) -> Result<bool, Fault> {
        let funds = known(tx, account)?.balance();
        let Some(mut case) = tx.case(number)? else { return Ok(false) };
        let Stage::Judged(mut debt) = case.stage.clone() else { return Ok(false) };
        let before = debt.guaranteed();
        let moves = debt.collect(funds);
        if moves.is_empty() {
            return Ok(false);
        }
        self.move_money(tx, &mut case, debt, before, &moves)?;
        tx.keep_case(&case)?;
        Ok(true)
    }
}

/// Whether somebody who owes something has something.
pub(super) fn is_collectable(view: &impl View) -> Result<bool, Fault> {
    for (account, _) in view.debts_after((AccountNumber(0), 0), usize::MAX)? {
        if view.account(account)?.is_some_and(|account| !account.balance().is_zero()) {
            return Ok(true);
        }
    }
    super::shop::rent::is_collectable(view)
}
