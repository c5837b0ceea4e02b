//! Vaults on a shelf: a head for each account, and its records under account and number.

use super::shelf::{Shelf, ShelfMut, Table};
use super::tables::{above, pair_key, record, write};
use crate::ledger::AccountNumber;
use crate::ledger::books::Fault;
use crate::ledger::vault::{Vault, VaultTx, VaultView};

impl<S: Shelf> VaultView for S {
    fn vault(&self, account: AccountNumber) -> Result<Vault, Fault> {
        record(self, Table::Vaults, &account.0.to_be_bytes()).map(Option::unwrap_or_default)
    }

    fn vault_after(&self, account: AccountNumber, number: u64, limit: usize) -> Result<Vec<Vec<u8>>, Fault> {
        let Some(from) = above(number).map(u64::from_be_bytes) else { return Ok(Vec::new()) };
        let found = self.from(Table::VaultRecords, &pair_key(account.0, from), limit)?;
        let his = |key: &[u8]| key.starts_with(&account.0.to_be_bytes());
        Ok(found.into_iter().take_while(|(key, _)| his(key)).map(|(_, record)| record).collect())
    }
}

impl<S: ShelfMut> VaultTx for S {
    fn keep_vault(&mut self, account: AccountNumber, vault: &Vault) -> Result<(), Fault> {
        self.put(Table::Vaults, &account.0.to_be_bytes(), &write(vault)?)
    }

    fn keep_vault_record(&mut self, account: AccountNumber, number: u64, record: &[u8]) -> Result<(), Fault> {
        self.put(Table::VaultRecords, &pair_key(account.0, number), record)
    }
}
