//! Holds and letters to fetch, as keys and values.
//!
//! ```text
//! Holds     number → hold               HoldsOf   account ‖ entry that changed it last → its number
//! Letters   account ‖ entry → letter
//! ```

use super::shelf::{Pair, Shelf, ShelfMut, Table};
use super::tables::{last_key, number_in, pair_key, read, record, records_after, write};
use crate::ledger::AccountNumber;
use crate::ledger::books::Fault;
use crate::ledger::holds::{Held, HoldTx, HoldView};
use crate::ledger::letters::{LetterTx, LetterView};
use protocol::bank::Letter;
use protocol::sign::Signed;

/// An account's pairs behind a second number, in order.
fn of_account<S: Shelf>(
    shelf: &S,
    table: Table,
    account: AccountNumber,
    after: u64,
    limit: usize,
) -> Result<Vec<Pair>, Fault> {
    let Some(from) = after.checked_add(1) else { return Ok(Vec::new()) };
    let mut pairs = shelf.from(table, &pair_key(account.0, from), limit)?;
    let his = pairs.iter().take_while(|(key, _)| key.starts_with(&account.0.to_be_bytes())).count();
    pairs.truncate(his);
    Ok(pairs)
}

impl<S: Shelf> HoldView for S {
    fn hold(&self, number: u64) -> Result<Option<Held>, Fault> {
        record(self, Table::Holds, &number.to_be_bytes())
    }

    fn last_hold(&self) -> Result<u64, Fault> {
        last_key(self, Table::Holds)
    }

    fn holds_after(&self, number: u64, limit: usize) -> Result<Vec<Held>, Fault> {
        records_after(self, Table::Holds, number, limit)
    }

    fn holds_changed(&self, account: AccountNumber, after: u64, limit: usize) -> Result<Vec<Held>, Fault> {
        let damaged = || Fault::Damaged("a hold is missing".to_owned());
        let pairs = of_account(self, Table::HoldsOf, account, after, limit)?;
        let number = |value: &[u8]| number_in(Table::HoldsOf, value);
        pairs.iter().map(|(_, value)| self.hold(number(value)?)?.ok_or_else(damaged)).collect()
    }
}

impl<S: ShelfMut> HoldTx for S {
    fn keep_hold(&mut self, held: &Held) -> Result<(), Fault> {
        if let Some(before) = self.hold(held.number)? {
            for account in [before.buyer, before.shop] {
                self.remove(Table::HoldsOf, &pair_key(account.0, before.changed))?;
            }
        }
        let number = held.number.to_be_bytes();
        for account in [held.buyer, held.shop] {
            self.put(Table::HoldsOf, &pair_key(account.0, held.changed), &number)?;
        }
        self.put(Table::Holds, &number, &write(held)?)
    }
}

impl<S: Shelf> LetterView for S {
    fn letters_after(
        &self,
        account: AccountNumber,
        entry: u64,
        limit: usize,
    ) -> Result<Vec<Signed<Letter>>, Fault> {
        let pairs = of_account(self, Table::Letters, account, entry, limit)?;
        pairs.iter().map(|(_, value)| read(Table::Letters, value)).collect()
    }
}

impl<S: ShelfMut> LetterTx for S {
    fn keep_letter(&mut self, account: AccountNumber, letter: &Signed<Letter>) -> Result<(), Fault> {
        self.put(Table::Letters, &pair_key(account.0, letter.unverified().number), &write(letter)?)
    }
}
