//! Letters that answer nobody: they lie at the bank until their owner fetches them (SPEC §4.16).

use crate::desk::query::examine_query;
use crate::desk::{Desk, Reply, Word};
use crate::ledger::books::{Fault, Tx, View};
use crate::ledger::posting::{Entry, known};
use protocol::bank::{Letter, LetterKind, NodeQuery, Purpose};
use protocol::id::Digest;
use protocol::sign::Signed;
use protocol::wire::{BankAnswer, LETTERS_PAGE};

impl Desk<'_> {
    /// Letters to the asker about later entries. Letters that answer his own requests are in those answers.
    pub(super) fn letters(&self, view: &impl View, asked: Signed<NodeQuery>) -> Reply {
        let (account, query) = examine_query(self.keys.bank(), self.now, view, asked, Purpose::Letters)?;
        let mut letters = view.letters_after(account.number, query.number, LETTERS_PAGE + 1)?;
        let more = letters.len() > LETTERS_PAGE;
        letters.truncate(LETTERS_PAGE);
        Ok(BankAnswer::Letters(letters, more))
    }

    /// Writes to the entry's account what it says, and keeps the letter. Nobody reads letters of an account that nobody
    /// has claimed.
    pub(in crate::desk) fn tell(
        &self,
        tx: &mut impl Tx,
        kind: LetterKind,
        request: Digest,
        entry: &Entry,
    ) -> Result<Option<Signed<Letter>>, Fault> {
        let Some(whose) = entry.account else { return Ok(None) };
        let Some(owner) = known(tx, whose)?.member.owner else { return Ok(None) };
        let (number, units, balance) = (entry.number, entry.units, entry.balance);
        let letter = self.letter(&Word { number, kind, owner, request, units, balance });
        tx.keep_letter(whose, &letter)?;
        Ok(Some(letter))
    }
}
