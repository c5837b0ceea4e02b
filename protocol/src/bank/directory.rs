//! The directory: every certificate and identity record, as a list that only grows (SPEC §4.8, N14).
//!
//! Workstations copy it whole, so nobody learns who looks up whom (threats H8). Its head is a running
//! digest under the bank's signature: two different lists can't have one head.

use super::{Certificate, Identity};
use crate::body::{self, Body, Malformed, Reader, Writer};
use crate::id::{BankId, Digest};
use crate::sign::Signed;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A line of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DirectoryEntry {
    /// The bank certified somebody, or changed his standing.
    Certificate(Signed<Certificate>),
    /// Somebody published his keys.
    Identity(Signed<Identity>),
}

/// The directory up to `sequence`; signed by the attest key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryHead {
    /// The bank.
    pub bank: BankId,
    /// How many lines it has.
    pub sequence: u64,
    /// Running digest over them.
    pub digest: Digest,
    /// When it was signed.
    pub at: Timestamp,
}

/// The running digest after one more line; it begins with 32 zero bytes.
pub fn next_head(head: &Digest, entry: &DirectoryEntry) -> Digest {
    let (kind, bytes) = match entry {
        DirectoryEntry::Certificate(certificate) => (1, certificate.to_bytes()),
        DirectoryEntry::Identity(identity) => (2, identity.to_bytes()),
    };
    body::digest("directory", &[&head.0[..], &[kind], &bytes].concat())
}

impl Body for DirectoryHead {
    const TYPE: &'static str = "directory-head";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).u64(self.sequence).raw(&self.digest.0).u64(self.at.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        Ok(DirectoryHead {
            bank: BankId(from.array()?),
            sequence: from.u64()?,
            digest: Digest(from.array()?),
            at: Timestamp(from.u64()?),
        })
    }
}
