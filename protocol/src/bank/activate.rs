//! Opening an account: the letter that a person is handed, and the answer his workstation gives (SPEC §4.3).

use super::identity::{read_addresses, write_addresses};
use crate::body::{Body, Malformed, Reader, Text, Writer};
use crate::id::{BankId, Key, RequestId};

/// Bytes of a one-time activation code.
pub const CODE_LENGTH: usize = 16;

/// What the bank hands out when it opens an account: on paper, as a URI, as a QR. Whoever has it can join once.
#[derive(Clone, PartialEq, Eq)]
pub struct ActivationLetter {
    /// The bank's master key, pinned from now on.
    pub master: Key,
    /// The bank-node's node key.
    pub node: Key,
    /// The account's number.
    pub account: u64,
    /// The one-time activation code.
    pub code: [u8; CODE_LENGTH],
    /// Where the bank-node is reached: the first [`ActivationLetter::ADDRESSES_MAX`] are written.
    pub addresses: Vec<Text>,
}

impl ActivationLetter {
    /// Most addresses in a letter: with these it still fits a bech32m line of 1,023 characters.
    pub const ADDRESSES_MAX: usize = 4;
}

impl std::fmt::Debug for ActivationLetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ActivationLetter {{ account: {}, code: … }}", self.account)
    }
}

impl Body for ActivationLetter {
    const TYPE: &'static str = "activation-letter";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.master.0).raw(&self.node.0).u64(self.account).raw(&self.code);
        write_addresses(out, &self.addresses, Self::ADDRESSES_MAX);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        Ok(ActivationLetter {
            master: Key(from.array()?),
            node: Key(from.array()?),
            account: from.u64()?,
            code: from.array()?,
            addresses: read_addresses(from, Self::ADDRESSES_MAX)?,
        })
    }
}

/// Claims an account for an owner key; signed by it, which proves possession.
#[derive(Clone, PartialEq, Eq)]
pub struct Activation {
    /// The bank.
    pub bank: BankId,
    /// Names this request.
    pub request: RequestId,
    /// The account's number, from the letter.
    pub account: u64,
    /// The owner key that the account shall belong to.
    pub owner: Key,
    /// The one-time code, from the letter.
    pub code: [u8; CODE_LENGTH],
}

impl std::fmt::Debug for Activation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Activation {{ account: {}, owner: {}, code: … }}", self.account, self.owner)
    }
}

impl Body for Activation {
    const TYPE: &'static str = "activation";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.request.0).u64(self.account).raw(&self.owner.0).raw(&self.code);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        Ok(Activation {
            bank: BankId(from.array()?),
            request: RequestId(from.array()?),
            account: from.u64()?,
            owner: Key(from.array()?),
            code: from.array()?,
        })
    }
}
