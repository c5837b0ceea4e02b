//! Orders: the payer's signed word whom he pays, how much, with which notes (SPEC §3.2).
//!
//! The order is what makes a payment his: chains carry no names.

use crate::body::{self, Body, Malformed, Reader, Writer};
use crate::id::{BankId, Digest, Key, PaymentId, RootId};
use crate::money::Units;
use crate::time::Timestamp;

/// How a payment gets its finality.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Mode {
    /// The chains as they are: unconfirmed until the payee has been to the bank.
    Direct = 1,
    /// Re-issued by the bank to the payee's key before it is sent: final at once.
    Certified = 2,
}

impl Mode {
    pub(super) fn read(from: &mut Reader<'_>) -> Result<Mode, Malformed> {
        match from.u8()? {
            1 => Ok(Mode::Direct),
            2 => Ok(Mode::Certified),
            _ => Err(from.flaw("unknown mode")),
        }
    }

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Direct => "direct",
            Mode::Certified => "certified",
        }
    }
}

/// Pays; signed by the payer's owner key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The bank.
    pub bank: BankId,
    /// Names the payment; unique per payer.
    pub payment: PaymentId,
    /// The request that it answers.
    pub request: Digest,
    /// The payer's owner key.
    pub payer: Key,
    /// The payee's owner key.
    pub payee: Key,
    /// How much.
    pub amount: Units,
    /// When it was signed.
    pub created: Timestamp,
    /// Until when the payee takes it. It frees nothing: only the bank's answer does.
    pub expires: Timestamp,
    /// Direct or certified.
    pub mode: Mode,
    /// The order that this one replaces; zero when there is none.
    pub replaces: Digest,
    /// Digest of the memo.
    pub memo: Digest,
    /// Digest of the notes: see [`list_of_notes`] and [`list_of_roots`].
    pub list: Digest,
}

impl Order {
    /// Digest of a memo.
    pub fn memo_digest(memo: &str) -> Digest {
        body::digest("memo", memo.as_bytes())
    }
}

/// Digest of a direct payment's notes: their last links, in order.
pub fn list_of_notes<'a>(tips: impl IntoIterator<Item = &'a Digest>) -> Digest {
    let bytes: Vec<u8> = tips.into_iter().flat_map(|tip| tip.0).collect();
    body::digest("list-direct", &bytes)
}

/// Digest of a certified payment's roots, which do not exist yet when the order is signed.
pub fn list_of_roots<'a>(roots: impl IntoIterator<Item = (&'a RootId, Units, &'a Key)>) -> Digest {
    let mut bytes = Vec::new();
    for (id, units, to) in roots {
        bytes.extend_from_slice(&id.0);
        bytes.extend_from_slice(&units.get().to_be_bytes());
        bytes.extend_from_slice(&to.0);
    }
    body::digest("list-certified", &bytes)
}

impl Body for Order {
    const TYPE: &'static str = "order";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.payment.0).raw(&self.request.0);
        out.raw(&self.payer.0).raw(&self.payee.0).u64(self.amount.get());
        out.u64(self.created.0).u64(self.expires.0).u8(self.mode as u8);
        out.raw(&self.replaces.0).raw(&self.memo.0).raw(&self.list.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let bank = BankId(from.array()?);
        let payment = PaymentId(from.array()?);
        let request = Digest(from.array()?);
        let (payer, payee) = (Key(from.array()?), Key(from.array()?));
        let amount = Units::new(from.u64()?).map_err(|_| from.flaw("2^53 units or more"))?;
        if amount.is_zero() {
            return Err(from.flaw("pays nothing"));
        }
        Ok(Order {
            bank,
            payment,
            request,
            payer,
            payee,
            amount,
            created: Timestamp(from.u64()?),
            expires: Timestamp(from.u64()?),
            mode: Mode::read(from)?,
            replaces: Digest(from.array()?),
            memo: Digest(from.array()?),
            list: Digest(from.array()?),
        })
    }
}
