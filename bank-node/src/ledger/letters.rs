//! Letters that the bank writes without being asked by their owner; he fetches them (SPEC §4.16).

use super::account::AccountNumber;
use super::books::Fault;
use protocol::bank::Letter;
use protocol::sign::Signed;

/// Reading letters.
pub trait LetterView {
    /// An account's letters about later journal entries, in order.
    fn letters_after(
        &self,
        account: AccountNumber,
        entry: u64,
        limit: usize,
    ) -> Result<Vec<Signed<Letter>>, Fault>;
}

/// Writing letters.
pub trait LetterTx: LetterView {
    /// Keeps a letter for its owner, under its journal entry. Of very many the oldest go: their entries stand in the statement.
    fn keep_letter(&mut self, account: AccountNumber, letter: &Signed<Letter>) -> Result<(), Fault>;
}
