//! Letters that answer nobody: they lie at the bank until their owner fetches them (SPEC §4.16).

use crate::desk::{Desk, Word};
use crate::ledger::books::{Fault, Tx};
use crate::ledger::posting::{Entry, known};
use protocol::bank::{Letter, LetterKind};
use protocol::id::Digest;
use protocol::sign::Signed;

impl Desk<'_> {
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
