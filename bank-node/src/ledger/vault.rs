//! What the vault's rules ask of a store: a head for each account, and its records in order (SPEC §4.13).

use super::account::AccountNumber;
use super::books::Fault;
use protocol::bank::VaultHead;
use protocol::time::Day;
use serde::{Deserialize, Serialize};

/// How far an account's vault goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vault {
    /// Number of records and running digest.
    pub head: VaultHead,
    /// Bytes of all records.
    pub bytes: u64,
    /// A day, and the bytes that came on it.
    pub on_day: (Day, u64),
}

/// How much one account may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Bytes in all.
    pub bytes: u64,
    /// Bytes on one day (UTC).
    pub bytes_a_day: u64,
}

impl Default for Quota {
    fn default() -> Quota {
        Quota { bytes: 256 << 20, bytes_a_day: 16 << 20 }
    }
}

impl Vault {
    /// What the vault comes to with one more record of this day.
    #[must_use]
    pub fn with(mut self, record: &[u8], today: Day) -> Vault {
        let size = u64::try_from(record.len()).unwrap_or(u64::MAX);
        let before = if self.on_day.0 == today { self.on_day.1 } else { 0 };
        self.head = self.head.next(record);
        self.bytes = self.bytes.saturating_add(size);
        self.on_day = (today, before.saturating_add(size));
        self
    }

    /// Whether it keeps to its quota.
    pub fn is_within(&self, quota: Quota) -> bool {
        self.bytes <= quota.bytes && self.on_day.1 <= quota.bytes_a_day
    }
}

/// Reading vaults.
pub trait VaultView {
    /// An account's vault; an empty one if nothing was ever put in.
    fn vault(&self, account: AccountNumber) -> Result<Vault, Fault>;
    /// Its records with higher numbers, in order.
    fn vault_after(&self, account: AccountNumber, number: u64, limit: usize) -> Result<Vec<Vec<u8>>, Fault>;
}

/// Writing vaults.
pub trait VaultTx: VaultView {
    /// Writes how far a vault goes.
    fn keep_vault(&mut self, account: AccountNumber, vault: &Vault) -> Result<(), Fault>;
    /// Appends the record with this number.
    fn keep_vault_record(&mut self, account: AccountNumber, number: u64, record: &[u8]) -> Result<(), Fault>;
}
