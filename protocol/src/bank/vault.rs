//! The vault: a workstation's sealed log at the bank, from which it is restored (SPEC §4.13, threats X6).
//!
//! The bank keeps the records in order and can't read them. Each is sealed to a key that grows from the seed, so
//! that a locked workstation can write and only the recovery phrase can read.

use crate::body::{self, Body, Malformed, Reader, Writer};
use crate::id::{BankId, Digest, Key};
use serde::{Deserialize, Serialize};

/// Longest record.
pub const RECORD_MAX: usize = 64 << 10;
/// Most records in one message.
pub const RECORDS_MAX: usize = 64;

/// Adds records; signed by the node key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultAppend {
    /// The bank.
    pub bank: BankId,
    /// Whose vault.
    pub owner: Key,
    /// The node key in his newest identity record, which signs.
    pub node: Key,
    /// The workstation's generation: the vault takes no writes of an older one.
    pub generation: u32,
    /// How many records there are before these.
    pub after: u64,
    /// The running digest after these.
    pub head: Digest,
}

impl Body for VaultAppend {
    const TYPE: &'static str = "vault-append";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.owner.0).raw(&self.node.0);
        out.u32(self.generation).u64(self.after).raw(&self.head.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        Ok(VaultAppend {
            bank: BankId(from.array()?),
            owner: Key(from.array()?),
            node: Key(from.array()?),
            generation: from.u32()?,
            after: from.u64()?,
            head: Digest(from.array()?),
        })
    }
}

/// How far a vault goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultHead {
    /// How many records it has.
    pub records: u64,
    /// Running digest over them; zeros before the first.
    pub digest: Digest,
}

impl VaultHead {
    /// Where the next record belongs: what it is sealed with, so that it opens nowhere else.
    pub fn place(&self) -> [u8; 40] {
        let mut place = [0; 40];
        let (number, digest) = place.split_at_mut(8);
        number.copy_from_slice(&self.records.to_be_bytes());
        digest.copy_from_slice(&self.digest.0);
        place
    }

    /// The head after one more record.
    #[must_use]
    pub fn next(self, record: &[u8]) -> VaultHead {
        let digest = body::digest("vault", &[&self.digest.0[..], record].concat());
        VaultHead { records: self.records + 1, digest }
    }
}
