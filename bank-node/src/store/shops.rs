//! Holds, letters to fetch, tenure and sweeps, as keys and values.
//!
//! ```text
//! Holds     number → hold               HoldsOf   account ‖ entry that changed it last → its number
//! Letters   account ‖ entry → letter    account ‖ 0 → how many
//! Tenures   t shop → tenure             a shop → nothing: it has arrears
//! Sweeps    s shop ‖ number → sweep     l shop ‖ number → its list         e entry → shop ‖ number
//! ```

use super::shelf::{Pair, Shelf, ShelfMut, Table};
use super::tables::{above, last_key, number_in, pair_key, read, record, records_after, write};
use crate::ledger::AccountNumber;
use crate::ledger::books::Fault;
use crate::ledger::holds::{Held, HoldTx, HoldView};
use crate::ledger::letters::{LetterTx, LetterView};
use crate::ledger::sweeps::{SweepTx, SweepView, Swept};
use crate::ledger::tenure::{Tenure, TenureTx, TenureView};
use protocol::bank::Letter;
use protocol::sign::Signed;

/// The newest letters of an account that are kept.
const LETTERS_KEPT: u64 = 1024;
/// So many older ones are taken away at a time.
const LETTERS_AT_ONCE: u64 = 256;

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
        self.put(Table::Letters, &pair_key(account.0, letter.unverified().number), &write(letter)?)?;
        // Entries are numbered from 1: at 0 stands how many there are.
        let counted = pair_key(account.0, 0);
        let mut kept = record::<S, u64>(self, Table::Letters, &counted)?.unwrap_or_default() + 1;
        if kept > LETTERS_KEPT + LETTERS_AT_ONCE {
            let some = usize::try_from(LETTERS_AT_ONCE).unwrap_or(usize::MAX);
            for (old, _) in of_account(self, Table::Letters, account, 0, some)? {
                self.remove(Table::Letters, &old)?;
                kept -= 1;
            }
        }
        self.put(Table::Letters, &counted, &write(&kept)?)
    }
}

fn key(kind: u8, rest: &[u8]) -> Vec<u8> {
    [&[kind][..], rest].concat()
}

fn shop_key(kind: u8, shop: AccountNumber) -> Vec<u8> {
    key(kind, &shop.0.to_be_bytes())
}

fn sweep_key(kind: u8, swept: &Swept) -> Vec<u8> {
    key(kind, &pair_key(swept.shop.0, swept.asked.unverified().number))
}

/// Pairs of this kind from a key on.
fn of_kind<S: Shelf>(
    shelf: &S,
    table: Table,
    kind: u8,
    from: &[u8],
    limit: usize,
) -> Result<Vec<Pair>, Fault> {
    let mut pairs = shelf.from(table, &key(kind, from), limit)?;
    let of_it = pairs.iter().take_while(|(key, _)| key.first() == Some(&kind)).count();
    pairs.truncate(of_it);
    Ok(pairs)
}

impl<S: Shelf> TenureView for S {
    fn tenure(&self, shop: AccountNumber) -> Result<Option<Tenure>, Fault> {
        record(self, Table::Tenures, &shop_key(b't', shop))
    }

    fn tenures_after(&self, shop: AccountNumber, limit: usize) -> Result<Vec<Tenure>, Fault> {
        let Some(from) = above(shop.0) else { return Ok(Vec::new()) };
        let pairs = of_kind(self, Table::Tenures, b't', &from, limit)?;
        pairs.iter().map(|(_, value)| read(Table::Tenures, value)).collect()
    }

    fn in_arrears(&self, after: AccountNumber, limit: usize) -> Result<Vec<AccountNumber>, Fault> {
        let Some(from) = above(after.0) else { return Ok(Vec::new()) };
        let pairs = of_kind(self, Table::Tenures, b'a', &from, limit)?;
        let number = |key: &[u8]| number_in(Table::Tenures, key.get(1..).unwrap_or_default());
        pairs.iter().map(|(key, _)| number(key).map(AccountNumber)).collect()
    }
}

impl<S: ShelfMut> TenureTx for S {
    fn keep_tenure(&mut self, tenure: &Tenure) -> Result<(), Fault> {
        let owing = shop_key(b'a', tenure.shop);
        match tenure.arrears.is_empty() {
            true => self.remove(Table::Tenures, &owing)?,
            false => self.put(Table::Tenures, &owing, &[])?,
        }
        self.put(Table::Tenures, &shop_key(b't', tenure.shop), &write(tenure)?)
    }
}

impl<S: Shelf> SweepView for S {
    fn sweeps_after(&self, shop: AccountNumber, number: u64, limit: usize) -> Result<Vec<Swept>, Fault> {
        let Some(from) = number.checked_add(1) else { return Ok(Vec::new()) };
        let pairs = of_kind(self, Table::Sweeps, b's', &pair_key(shop.0, from), limit)?;
        let his = shop_key(b's', shop);
        let his = pairs.iter().take_while(|(key, _)| key.starts_with(&his));
        his.map(|(_, value)| read(Table::Sweeps, value)).collect()
    }

    fn sweep_of(&self, entry: u64) -> Result<Option<Swept>, Fault> {
        match self.get(Table::Sweeps, &key(b'e', &entry.to_be_bytes()))? {
            Some(place) => record(self, Table::Sweeps, &key(b's', &place)),
            None => Ok(None),
        }
    }

    fn sales_of(&self, swept: &Swept) -> Result<Vec<u8>, Fault> {
        let damaged = || Fault::Damaged("the list of a sweep is missing".to_owned());
        self.get(Table::Sweeps, &sweep_key(b'l', swept))?.ok_or_else(damaged)
    }
}

impl<S: ShelfMut> SweepTx for S {
    fn keep_sweep(&mut self, swept: &Swept, list: &[u8]) -> Result<(), Fault> {
        let place = pair_key(swept.shop.0, swept.asked.unverified().number);
        for entry in [swept.entry, swept.entry.saturating_add(1)] {
            self.put(Table::Sweeps, &key(b'e', &entry.to_be_bytes()), &place)?;
        }
        self.put(Table::Sweeps, &sweep_key(b'l', swept), list)?;
        self.put(Table::Sweeps, &sweep_key(b's', swept), &write(swept)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Memory;
    use crate::store::shelf::Store as _;
    use protocol::bank::LetterKind;
    use protocol::id::{BankId, Digest, Key};
    use protocol::money::Units;
    use protocol::sign::Signer;
    use protocol::time::Timestamp;

    /// M5: an account that the bank writes to for years keeps the newest letters, and no more than there is room for.
    #[test]
    fn the_newest_letters_stay() {
        let (store, signer) = (Memory::new(), Signer::from_secret(&[3; 32]));
        let (his, other) = (AccountNumber(7), AccountNumber(8));
        let letter = |number| Letter {
            bank: BankId([1; 8]),
            number,
            kind: LetterKind::SweepIn,
            owner: Key([2; 32]),
            request: Digest::default(),
            units: Units::ZERO,
            balance: Units::ZERO,
            at: Timestamp(number),
        };
        let last = LETTERS_KEPT + LETTERS_AT_ONCE + 1;
        store
            .write(|shelf| {
                shelf.keep_letter(other, &signer.sign(letter(1)))?;
                (1..=last).try_for_each(|number| shelf.keep_letter(his, &signer.sign(letter(number))))
            })
            .unwrap();
        let shelf = store.read().unwrap();
        let numbers: Vec<u64> = shelf
            .letters_after(his, 0, 5_000)
            .unwrap()
            .iter()
            .map(|letter| letter.unverified().number)
            .collect();
        assert_eq!(numbers, (LETTERS_AT_ONCE + 1..=last).collect::<Vec<u64>>());
        assert_eq!(shelf.letters_after(other, 0, 10).unwrap().len(), 1);
    }
}
