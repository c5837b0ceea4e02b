//! Witness: the bank's own letter, shown to it by whoever holds it (SPEC §4.15, threats X7).

use super::{Desk, Reply};
use crate::ledger::books::{Fault, View};
use crate::ledger::posting::Entry;
use protocol::bank::{Letter, LetterKind};
use protocol::key::bank::Usage;
use protocol::sign::Signed;
use protocol::wire::{BankAnswer, ErrorCode};

impl Desk<'_> {
    /// A letter leaves after its entry is durable, so books that end before it are an old copy. That is a fault: the
    /// bank stops, since all that it would redeem may have been redeemed. A copy that went on is found by its own
    /// entry of that number.
    pub fn witness(&self, view: &impl View, letter: &Signed<Letter>) -> Reply {
        let shown = letter.unverified();
        if shown.bank != self.keys.bank() {
            return Err(ErrorCode::NotMine.into());
        }
        let signed = self.keys.public.verify(Usage::Attest, shown.at.day(), letter.clone());
        let shown = signed.map_err(|_| ErrorCode::BadSignature)?;
        let entry = view.journal_head()?;
        if shown.number > entry {
            return Err(Fault::Behind { entry, letter: Box::new(letter.clone()) }.into());
        }
        match shown.kind {
            LetterKind::Payment
            | LetterKind::Deposit
            | LetterKind::Hold
            | LetterKind::Released
            | LetterKind::Returned
            | LetterKind::SweepOut
            | LetterKind::SweepIn
            | LetterKind::RentOut
            | LetterKind::RentIn
            | LetterKind::Caution
            | LetterKind::CautionBack
            | LetterKind::CautionKept => bears_out(view, &shown)?,
            LetterKind::Opening
            | LetterKind::Refusal
            | LetterKind::Balance
            | LetterKind::Reclaim
            | LetterKind::Recovery
            | LetterKind::Charge => {}
        }
        Ok(BankAnswer::Noted)
    }
}

/// Moved money is in the letter as it is in the entry: both were made of the same numbers in one commit.
fn bears_out(view: &impl View, letter: &Letter) -> Result<(), Fault> {
    let entries = view.entries_after(letter.number.saturating_sub(1), 1)?;
    let same = |entry: &Entry| {
        let (ours, theirs) = ((entry.number, entry.at), (letter.number, letter.at));
        ours == theirs && (entry.units, entry.balance) == (letter.units, letter.balance)
    };
    if entries.first().is_some_and(same) {
        return Ok(());
    }
    let number = letter.number;
    let what = format!(
        "the bank has signed another entry {number} than its books have: they are an old copy that went on"
    );
    Err(Fault::Damaged(what))
}
