//! Hand-over: a shop gets other people, and they get an account of their own (SPEC §4.17, N11).
//!
//! The old account is closed for good and the new one is opened in one commit. Who has the old owner key has no part in
//! the new account: its holder claims it with a letter, as anybody does.

use super::tenure::shop_of;
use crate::desk::Desk;
use crate::desk::office::{Halt, Objection, Opening, Outcome};
use crate::ledger::books::{Fault, Tx};
use crate::ledger::posting::{Asked, Booking, EntryKind};
use crate::ledger::tenure::Tenure;
use crate::ledger::{Account, AccountNumber, CustomerKind};
use protocol::id::Digest;
use protocol::money::Units;

impl Desk<'_> {
    /// Closes the account of a shop, if nothing is left to settle, and opens another one for the same company.
    pub(in crate::desk) fn hand_over(
        &self,
        tx: &mut impl Tx,
        (shop, name): (AccountNumber, &str),
        by: &str,
        asked: Option<Asked>,
    ) -> Result<Outcome, Halt> {
        let account = shop_of(tx, shop)?;
        let tenure = tx.tenure(shop)?.ok_or(Objection::NoCompany)?;
        let unsettled = unsettled(tx, &account, &tenure)?;
        if !unsettled.is_empty() {
            return Err(Objection::Unsettled(unsettled).into());
        }
        let opening = Opening {
            kind: CustomerKind::Shop,
            name: name.to_owned(),
            balance: Units::ZERO,
            offline_limit: account.offline_limit,
        };
        // The one thing that may still say no comes first.
        let opened = self.open_account(tx, &opening, asked)?;
        let new = opened.done.account;
        tx.keep_tenure(&Tenure { before: Some(shop), ..Tenure::owned(new, tenure.company, self.now) })?;
        tx.keep_tenure(&Tenure { after: Some(new), ..tenure })?;
        self.close_account(tx, account)?;
        let booking = self.booking(EntryKind::HandOver, shop, Units::ZERO, None);
        self.note_down(tx, Booking { by: by.to_owned(), reason: format!("to account {new}"), ..booking })?;
        Ok(opened)
    }

    /// Closed is suspended for good: notes may still be deposited, since the bank owes them, and paid out in cash.
    fn close_account(&self, tx: &mut impl Tx, mut account: Account) -> Result<(), Fault> {
        let member = &mut account.member;
        member.closed = Some(self.now);
        member.suspended.get_or_insert(self.now);
        member.proposal = None;
        // A letter that nobody has used opens nothing any more.
        member.code = Digest::default();
        tx.leave_requests(account.number, &[])?;
        self.certify(tx, &mut account)?;
        tx.keep_account(&account)
    }
}

/// What keeps an account from being closed, for people.
fn unsettled(tx: &impl Tx, account: &Account, tenure: &Tenure) -> Result<String, Fault> {
    let (number, member) = (account.number, &account.member);
    let list = [
        (tenure.lease.is_some(), "it is leased".to_owned()),
        (!account.balance().is_zero(), "there is money on it".to_owned()),
        (member.holds > 0, format!("{} holds of its own money are open", member.holds)),
        (member.held_for > 0, format!("{} holds for it are open", member.held_for)),
        (member.reclaims > 0, format!("{} reclaims are open", member.reclaims)),
        (member.claims > 0, format!("{} claims are open", member.claims)),
        (!tx.cases_asking(number, 0, 1)?.is_empty(), "it is asked in a case".to_owned()),
        (!tx.debts_of(number)?.is_empty(), "it owes for a case".to_owned()),
    ];
    let reasons: Vec<String> = list.into_iter().filter(|(is, _)| *is).map(|(_, why)| why).collect();
    Ok(reasons.join(", "))
}
