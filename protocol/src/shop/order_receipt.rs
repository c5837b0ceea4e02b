//! The receipt document of an order from afar: what it came to when its money was released (SPEC §3.10).

use super::receipt::units;
use crate::body::{Body, Malformed, Reader, Writer};
use crate::id::{BankId, Digest, Key, RequestId};
use crate::money::Units;
use crate::time::Timestamp;

/// The shop's word on what the bank released to it for an order; signed by its node key. What was ordered stands in the
/// order that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderReceipt {
    /// The bank that held the money.
    pub bank: BankId,
    /// The shop's owner key.
    pub shop: Key,
    /// Its number, counted with the receipts of sales: 1, 2, 3… in this shop.
    pub number: u64,
    /// Who ordered.
    pub buyer: Key,
    /// Digest of his order.
    pub order: Digest,
    /// The hold, by its name at the bank.
    pub hold: RequestId,
    /// When it ended.
    pub at: Timestamp,
    /// What the order came to, and was held.
    pub total: Units,
    /// Of that, what the shop's account got.
    pub released: Units,
    /// Of that, what went back to the buyer.
    pub returned: Units,
}

impl Body for OrderReceipt {
    const TYPE: &'static str = "order-receipt";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.shop.0).u64(self.number).raw(&self.buyer.0);
        out.raw(&self.order.0).raw(&self.hold.0).u64(self.at.0);
        for sum in [self.total, self.released, self.returned] {
            out.u64(sum.get());
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let (bank, shop, number) = (BankId(from.array()?), Key(from.array()?), from.u64()?);
        let (buyer, order) = (Key(from.array()?), Digest(from.array()?));
        let (hold, at) = (RequestId(from.array()?), Timestamp(from.u64()?));
        let (total, released, returned) = (units(from)?, units(from)?, units(from)?);
        if released.is_zero() || released.plus(returned) != Ok(total) {
            return Err(from.flaw("nothing was released, or it does not come to the total"));
        }
        Ok(OrderReceipt { bank, shop, number, buyer, order, hold, at, total, released, returned })
    }
}
