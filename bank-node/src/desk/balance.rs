//! Balance: a letter with what the account holds (SPEC §4.6, N4).

use super::{Desk, Reply, Word};
use crate::ledger::books::View;
use protocol::bank::{AccountQuery, LetterKind};
use protocol::money::Units;
use protocol::sign::Signed;
use protocol::wire::{BankAnswer, ErrorCode};

impl Desk<'_> {
    /// The balance after the last journal entry, whose number the letter carries: nothing is written.
    /// A question is answered only within the allowed skew, so that nobody can ask it again later.
    pub fn balance(&self, view: &impl View, asked: &Signed<AccountQuery>) -> Reply {
        let query = asked.unverified();
        if query.bank != self.keys.bank() {
            return Err(ErrorCode::NotMine.into());
        }
        if self.now.is_past(query.created) || self.now.is_before(query.created) {
            return Err(ErrorCode::Expired.into());
        }
        let account = view.account_of(&query.owner)?.ok_or(ErrorCode::NotFound)?;
        asked.check_by(&query.owner).map_err(|_| ErrorCode::BadSignature)?;
        Ok(BankAnswer::Balance(self.letter(&Word {
            number: view.journal_head()?,
            kind: LetterKind::Balance,
            owner: query.owner,
            request: asked.digest(),
            units: Units::ZERO,
            balance: account.balance(),
        })))
    }
}
