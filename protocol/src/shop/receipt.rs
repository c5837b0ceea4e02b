//! The receipt document of a sale, and the note of a refund against it (SPEC §3.9).

use crate::body::{Body, Malformed, Reader, Text, Writer};
use crate::id::{BankId, Digest, Key, PaymentId, RequestId};
use crate::money::{OutOfRange, Units};
use crate::pay::MEMO_MAX;
use crate::time::Timestamp;

/// Most lines of a sale.
pub const LINES_MAX: usize = 200;
/// Longest name of a till, in bytes.
pub const TILL_MAX: usize = 24;
/// Longest article number, in bytes.
pub const SKU_MAX: usize = 32;
/// Longest name of an article, in bytes.
pub const NAME_MAX: usize = 64;

/// So many of an article.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaleLine {
    /// Its number in the shop's catalogue; empty when it is in none.
    pub sku: Text,
    /// What it is called.
    pub name: Text,
    /// How many.
    pub quantity: u32,
    /// What one costs.
    pub price: Units,
}

/// What all lines come to.
pub fn total<'a>(lines: impl IntoIterator<Item = &'a SaleLine>) -> Result<Units, OutOfRange> {
    lines.into_iter().try_fold(Units::ZERO, |sum, line| sum.plus(line.price.times(line.quantity)?))
}

/// The shop's word on what a payment was for; signed by its node key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaleReceipt {
    /// The bank whose money it was.
    pub bank: BankId,
    /// The shop's owner key.
    pub shop: Key,
    /// The till.
    pub till: Text,
    /// Its number: 1, 2, 3… in this shop.
    pub number: u64,
    /// Who paid.
    pub payer: Key,
    /// Under which payment id.
    pub payment: PaymentId,
    /// Digest of the request that the shop made for this sale; the order names it as well.
    pub request: Digest,
    /// Digest of the payer's order.
    pub order: Digest,
    /// Digest of the shop's receipt for the payment.
    pub receipt: Digest,
    /// When the sale was opened.
    pub opened: Timestamp,
    /// When the payment was received.
    pub at: Timestamp,
    /// What it came to: the sum of the lines, and the amount of the order.
    pub total: Units,
    /// What was sold.
    pub lines: Vec<SaleLine>,
}

impl Body for SaleReceipt {
    const TYPE: &'static str = "sale-receipt";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.shop.0).text(self.till.as_str()).u64(self.number);
        out.raw(&self.payer.0).raw(&self.payment.0).raw(&self.request.0).raw(&self.order.0);
        out.raw(&self.receipt.0).u64(self.opened.0).u64(self.at.0).u64(self.total.get());
        out.u16(u16::try_from(self.lines.len()).expect("a sale has at most 200 lines"));
        for line in &self.lines {
            out.text(line.sku.as_str()).text(line.name.as_str()).u32(line.quantity).u64(line.price.get());
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let (bank, shop) = (BankId(from.array()?), Key(from.array()?));
        let (till, number) = (from.text(TILL_MAX)?, from.u64()?);
        let (payer, payment) = (Key(from.array()?), PaymentId(from.array()?));
        let (request, order) = (Digest(from.array()?), Digest(from.array()?));
        let receipt = Digest(from.array()?);
        let (opened, at) = (Timestamp(from.u64()?), Timestamp(from.u64()?));
        let sum = units(from)?;
        let count = usize::from(from.u16()?);
        if count == 0 || count > LINES_MAX {
            return Err(from.flaw("no lines, or too many"));
        }
        let lines: Vec<SaleLine> = (0..count).map(|_| line(from)).collect::<Result<_, _>>()?;
        if total(&lines) != Ok(sum) {
            return Err(from.flaw("the lines do not add up to the total"));
        }
        Ok(SaleReceipt {
            bank,
            shop,
            till,
            number,
            payer,
            payment,
            request,
            order,
            receipt,
            opened,
            at,
            total: sum,
            lines,
        })
    }
}

pub(super) fn line(from: &mut Reader<'_>) -> Result<SaleLine, Malformed> {
    let (sku, name, quantity) = (from.text(SKU_MAX)?, from.text(NAME_MAX)?, from.u32()?);
    if quantity == 0 {
        return Err(from.flaw("a line of nothing"));
    }
    Ok(SaleLine { sku, name, quantity, price: units(from)? })
}

pub(super) fn units(from: &mut Reader<'_>) -> Result<Units, Malformed> {
    Units::new(from.u64()?).map_err(|_| from.flaw("2^53 units or more"))
}

/// The shop's word that it gave back a part of a sale, or all of it; signed by its node key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundNote {
    /// The bank whose money it was.
    pub bank: BankId,
    /// The shop's owner key.
    pub shop: Key,
    /// Digest of the sale's receipt document.
    pub sale: Digest,
    /// Names the refund.
    pub refund: RequestId,
    /// How much.
    pub units: Units,
    /// To whom: who paid the sale.
    pub to: Key,
    /// The shop's payment.
    pub payment: PaymentId,
    /// Digest of the order that the shop signed for it.
    pub order: Digest,
    /// When it was done.
    pub at: Timestamp,
    /// Why.
    pub reason: Text,
}

impl Body for RefundNote {
    const TYPE: &'static str = "refund-note";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.shop.0).raw(&self.sale.0).raw(&self.refund.0);
        out.u64(self.units.get()).raw(&self.to.0).raw(&self.payment.0).raw(&self.order.0).u64(self.at.0);
        out.text(self.reason.as_str());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let (bank, shop) = (BankId(from.array()?), Key(from.array()?));
        let (sale, refund) = (Digest(from.array()?), RequestId(from.array()?));
        let back = units(from)?;
        if back.is_zero() {
            return Err(from.flaw("gives nothing back"));
        }
        Ok(RefundNote {
            bank,
            shop,
            sale,
            refund,
            units: back,
            to: Key(from.array()?),
            payment: PaymentId(from.array()?),
            order: Digest(from.array()?),
            at: Timestamp(from.u64()?),
            reason: from.text(MEMO_MAX)?,
        })
    }
}
