//! Identity records (which view and node key an owner uses now) and address records (SPEC §4.2).

use super::{Certificate, Standing};
use crate::body::{Body, Malformed, Reader, Text, Writer};
use crate::error::ErrorCode;
use crate::id::{BankId, Key};
use crate::key::bank::{BankKeys, Usage};
use crate::sign::{BadSignature, Signed, Verified};
use crate::time::{DAY_SECONDS, Timestamp};
use serde::{Deserialize, Serialize};

/// Longest address, in bytes.
pub const ADDRESS_MAX: usize = 128;
/// Most addresses in a record.
pub const ADDRESSES_MAX: usize = 8;
/// Longest life of an identity record.
pub const IDENTITY_DAYS_MAX: u64 = 400;

/// Says which view and node key are `owner`'s; signed by the owner key. The highest sequence counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The bank.
    pub bank: BankId,
    /// Whose record it is.
    pub owner: Key,
    /// The view key V that envelopes to him are sealed to.
    pub view: Key,
    /// The node key N that his workstation has on the network.
    pub node: Key,
    /// Raised by each restore; an older one is refused everywhere (SPEC §4.7).
    pub generation: u32,
    /// Raised with each record.
    pub sequence: u64,
    /// When it ends.
    pub expires: Timestamp,
}

impl Body for Identity {
    const TYPE: &'static str = "identity";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.owner.0).raw(&self.view.0).raw(&self.node.0);
        out.u32(self.generation).u64(self.sequence).u64(self.expires.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        Ok(Identity {
            bank: BankId(from.array()?),
            owner: Key(from.array()?),
            view: Key(from.array()?),
            node: Key(from.array()?),
            generation: from.u32()?,
            sequence: from.u64()?,
            expires: Timestamp(from.u64()?),
        })
    }
}

/// Says where a node can be reached; signed by the node key. The highest sequence counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRecord {
    /// The node.
    pub node: Key,
    /// Raised with each record: seconds since 1970 when it was made.
    pub sequence: u64,
    /// When it ends, at most a day later.
    pub expires: Timestamp,
    /// Multiaddresses as text, without the peer id.
    pub addresses: Vec<Text>,
}

impl AddressRecord {
    /// Longest life in seconds.
    pub const SECONDS_MAX: u64 = DAY_SECONDS;
}

impl Body for AddressRecord {
    const TYPE: &'static str = "address";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.node.0).u64(self.sequence).u64(self.expires.0);
        write_addresses(out, &self.addresses, ADDRESSES_MAX);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        Ok(AddressRecord {
            node: Key(from.array()?),
            sequence: from.u64()?,
            expires: Timestamp(from.u64()?),
            addresses: read_addresses(from, ADDRESSES_MAX)?,
        })
    }
}

/// A count in one byte, then the texts; those beyond `max` or too long to be read back are left out.
pub(crate) fn write_addresses(out: &mut Writer, addresses: &[Text], max: usize) {
    let fits = |address: &&Text| address.as_str().len() <= ADDRESS_MAX;
    let kept: Vec<&Text> = addresses.iter().filter(fits).take(max).collect();
    out.u8(u8::try_from(kept.len()).expect("eight at most"));
    for address in kept {
        out.text(address.as_str());
    }
}

pub(crate) fn read_addresses(from: &mut Reader<'_>, max: usize) -> Result<Vec<Text>, Malformed> {
    let count = usize::from(from.u8()?);
    if count > max {
        return Err(from.flaw("too many addresses"));
    }
    (0..count).map(|_| from.text(ADDRESS_MAX)).collect()
}

/// What a party shows of itself: the bank's certificate and its own identity record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// The bank's word that the owner holds an account.
    pub certificate: Signed<Certificate>,
    /// The owner's word on his keys.
    pub identity: Signed<Identity>,
}

/// Why an introduction is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntroductionFlaw {
    /// The certificate or the record is not signed by whom it must be.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// They are another bank's, or do not belong together.
    #[error("certificate and identity record do not belong together, or to this bank")]
    Mismatch,
    /// One of them has ended.
    #[error("the certificate or the identity record has expired")]
    Expired,
    /// The identity record runs longer than it may, so its keys would never have to be renewed.
    #[error("the identity record runs for more than {IDENTITY_DAYS_MAX} days")]
    TooLong,
    /// The bank has suspended the account.
    #[error("the bank has suspended this account")]
    Suspended,
}

impl IntroductionFlaw {
    /// Its number on the wire.
    pub fn code(self) -> ErrorCode {
        match self {
            IntroductionFlaw::Suspended => ErrorCode::Suspended,
            _ => ErrorCode::NotCertified,
        }
    }
}

/// Somebody whose certificate and identity record have been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// The bank's certificate.
    pub certificate: Verified<Certificate>,
    /// His identity record.
    pub identity: Verified<Identity>,
}

impl Introduction {
    /// Checks both papers, and that they name one owner in good standing.
    pub fn verify(self, keys: &BankKeys, now: Timestamp) -> Result<Party, IntroductionFlaw> {
        let (certificate, identity) = (self.certificate.unverified(), self.identity.unverified());
        if certificate.bank != keys.bank()
            || identity.bank != keys.bank()
            || certificate.owner != identity.owner
        {
            return Err(IntroductionFlaw::Mismatch);
        }
        if now.is_past(certificate.expires) || now.is_past(identity.expires) {
            return Err(IntroductionFlaw::Expired);
        }
        if now.plus_seconds(IDENTITY_DAYS_MAX * DAY_SECONDS).is_before(identity.expires) {
            return Err(IntroductionFlaw::TooLong);
        }
        let issued = certificate.issued.day();
        let certificate = keys.verify(Usage::Attest, issued, self.certificate)?;
        if certificate.standing == Standing::Suspended {
            return Err(IntroductionFlaw::Suspended);
        }
        let identity = self.identity.verify_by(&certificate.owner)?;
        Ok(Party { certificate, identity })
    }
}

impl Party {
    /// The owner key.
    pub fn owner(&self) -> Key {
        self.certificate.owner
    }

    /// Whether these are the very papers that were checked.
    pub fn shows(&self, introduction: &Introduction) -> bool {
        let Introduction { certificate, identity } = introduction;
        self.certificate.signed() == certificate && self.identity.signed() == identity
    }

    /// Whether both papers still run.
    pub fn runs(&self, now: Timestamp) -> bool {
        !now.is_past(self.certificate.expires) && !now.is_past(self.identity.expires)
    }

    /// The papers, to pass on.
    pub fn introduction(&self) -> Introduction {
        Introduction {
            certificate: self.certificate.signed().clone(),
            identity: self.identity.signed().clone(),
        }
    }
}
