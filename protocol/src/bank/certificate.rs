//! Certificates: the bank's «official document» that a public code holds an account (SPEC §4.1, N14).

use crate::body::{Body, Malformed, Reader, Text, Writer};
use crate::id::{BankId, Key};
use crate::money::Units;
use crate::time::Timestamp;

/// Longest public name, in bytes.
pub const NAME_MAX: usize = 48;

/// What kind of account it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CertificateKind {
    /// A person.
    Resident = 1,
    /// A shop's till.
    Shop = 2,
    /// A company's account.
    Company = 3,
    /// A chip card.
    Card = 4,
    /// A card terminal.
    Terminal = 5,
}

impl CertificateKind {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            CertificateKind::Resident => "resident",
            CertificateKind::Shop => "shop",
            CertificateKind::Company => "company",
            CertificateKind::Card => "card",
            CertificateKind::Terminal => "terminal",
        }
    }
}

/// Whether its holder may pay and be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Standing {
    /// In good standing.
    Active = 1,
    /// Suspended by the bank's operators.
    Suspended = 2,
}

/// Says that `owner` holds an account; signed by the attest key. The highest sequence for an owner counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The bank.
    pub bank: BankId,
    /// The directory's running number when this was issued.
    pub sequence: u64,
    /// The owner key, which is also the public code.
    pub owner: Key,
    /// What kind of account.
    pub kind: CertificateKind,
    /// Whether it counts.
    pub standing: Standing,
    /// How much others should take from this payer without the bank.
    pub offline_limit: Units,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// The public name.
    pub name: Text,
}

impl Body for Certificate {
    const TYPE: &'static str = "certificate";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).u64(self.sequence).raw(&self.owner.0);
        out.u8(self.kind as u8).u8(self.standing as u8).u64(self.offline_limit.get());
        out.u64(self.issued.0).u64(self.expires.0).text(self.name.as_str());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let bank = BankId(from.array()?);
        let sequence = from.u64()?;
        let owner = Key(from.array()?);
        let kind = match from.u8()? {
            1 => CertificateKind::Resident,
            2 => CertificateKind::Shop,
            3 => CertificateKind::Company,
            4 => CertificateKind::Card,
            5 => CertificateKind::Terminal,
            _ => return Err(from.flaw("unknown kind of account")),
        };
        let standing = match from.u8()? {
            1 => Standing::Active,
            2 => Standing::Suspended,
            _ => return Err(from.flaw("unknown standing")),
        };
        let offline_limit = Units::new(from.u64()?).map_err(|_| from.flaw("2^53 units or more"))?;
        Ok(Certificate {
            bank,
            sequence,
            owner,
            kind,
            standing,
            offline_limit,
            issued: Timestamp(from.u64()?),
            expires: Timestamp(from.u64()?),
            name: from.text(NAME_MAX)?,
        })
    }
}
