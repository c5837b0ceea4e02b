//! Receipts and refusals: the payee's signed word on an order (SPEC §3.4).

use crate::body::{Body, Malformed, Reader, Writer};
use crate::error::ErrorCode;
use crate::id::{Digest, Key};
use crate::money::Units;
use crate::time::Timestamp;

/// The payee has the money; signed by his node key at once, and again by his owner key at the next unlock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The order.
    pub order: Digest,
    /// The payee's owner key.
    pub payee: Key,
    /// How much.
    pub amount: Units,
    /// When it was received.
    pub received: Timestamp,
    /// Whether the payee has been to the bank with it: then nothing can undo it.
    pub confirmed: bool,
}

impl Body for Receipt {
    const TYPE: &'static str = "receipt";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.order.0).raw(&self.payee.0).u64(self.amount.get());
        out.u64(self.received.0).u8(u8::from(self.confirmed));
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let order = Digest(from.array()?);
        let payee = Key(from.array()?);
        let amount = Units::new(from.u64()?).map_err(|_| from.flaw("2^53 units or more"))?;
        let received = Timestamp(from.u64()?);
        let confirmed = match from.u8()? {
            0 => false,
            1 => true,
            _ => return Err(from.flaw("neither confirmed nor not")),
        };
        Ok(Receipt { order, payee, amount, received, confirmed })
    }
}

/// The payee opened the notes and will not have them; signed by his node key.
///
/// It answers this one order and frees nothing: the payer redeems the units before he spends them again (threats H2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The order.
    pub order: Digest,
    /// Why.
    pub code: ErrorCode,
    /// When.
    pub at: Timestamp,
}

impl Body for Refusal {
    const TYPE: &'static str = "refusal";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.order.0).u16(self.code.number()).u64(self.at.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let order = Digest(from.array()?);
        let code = ErrorCode::from_number(from.u16()?).ok_or(from.flaw("unknown error code"))?;
        Ok(Refusal { order, code, at: Timestamp(from.u64()?) })
    }
}
