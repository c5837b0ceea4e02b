//! Orders from afar: what a buyer orders, and the shop's word on it (SPEC §3.10, C1–C4, C12, C13).
//!
//! The money is not here: once the shop has accepted, the buyer has the bank hold it (SPEC §4.16). The order names the
//! digest of the delivery address only, so that the shop can forget where it brought the goods and keep the order.

use super::receipt::{SaleLine, line, total, units};
use crate::bank::HOLD_OUTLIVES_SECONDS;
use crate::body::{self, Body, Malformed, Reader, Text, Writer};
use crate::id::{BankId, Digest, Key, RequestId};
use crate::money::Units;
use crate::pay::MEMO_MAX;
use crate::time::Timestamp;

/// Most lines of an order.
pub const ORDER_LINES_MAX: usize = 64;
/// Longest delivery address, in bytes.
pub const DELIVERY_MAX: usize = 255;

/// What releases the money besides the buyer's confirmation, as the order says it. The code itself is the buyer's and
/// the bank's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Release {
    /// Nothing else.
    Confirmation,
    /// This moment, unless somebody disputes it before.
    Date(Timestamp),
    /// A code that the buyer hands over with the goods.
    Code,
}

impl Release {
    /// Its word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Release::Confirmation => "confirmation",
            Release::Date(_) => "date",
            Release::Code => "code",
        }
    }
}

/// Digest of a delivery address, as the order names it; the salt keeps it from being guessed once it is forgotten.
pub fn delivery_digest(salt: &[u8; 16], address: &str) -> Digest {
    body::digest("delivery", &[&salt[..], address.as_bytes()].concat())
}

/// What a buyer orders; signed by his owner key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShopOrder {
    /// The bank.
    pub bank: BankId,
    /// Names it among the buyer's orders.
    pub id: RequestId,
    /// The buyer.
    pub buyer: Key,
    /// The shop.
    pub shop: Key,
    /// The version of the catalogue that he looked at.
    pub version: u64,
    /// What it releases.
    pub release: Release,
    /// Until when the order is to be carried out.
    pub order_ends: Timestamp,
    /// When the money goes back, if nothing else happens; a day later at least.
    pub ends: Timestamp,
    /// [`delivery_digest`]; zero when nothing is to be brought.
    pub delivery: Digest,
    /// What the buyer has to say.
    pub note: Text,
    /// When it was signed.
    pub created: Timestamp,
    /// What it comes to: the sum of the lines, and the units of the hold.
    pub total: Units,
    /// What is ordered.
    pub lines: Vec<SaleLine>,
}

impl ShopOrder {
    /// Whether its money outlives it, and its date lies between the two ends. Another one can't be read.
    pub fn is_in_order(&self) -> bool {
        let dated = match self.release {
            Release::Date(date) => self.order_ends <= date && date <= self.ends,
            Release::Confirmation | Release::Code => true,
        };
        dated && self.ends.0.checked_sub(self.order_ends.0).is_some_and(|by| by >= HOLD_OUTLIVES_SECONDS)
    }
}

impl Body for ShopOrder {
    const TYPE: &'static str = "shop-order";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.id.0).raw(&self.buyer.0).raw(&self.shop.0).u64(self.version);
        match self.release {
            Release::Confirmation => out.u8(1),
            Release::Date(date) => out.u8(2).u64(date.0),
            Release::Code => out.u8(3),
        };
        out.u64(self.order_ends.0).u64(self.ends.0).raw(&self.delivery.0).text(self.note.as_str());
        out.u64(self.created.0).u64(self.total.get());
        out.u8(u8::try_from(self.lines.len()).expect("an order has at most 64 lines"));
        for line in &self.lines {
            out.text(line.sku.as_str()).text(line.name.as_str()).u32(line.quantity).u64(line.price.get());
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let (bank, id) = (BankId(from.array()?), RequestId(from.array()?));
        let (buyer, shop, version) = (Key(from.array()?), Key(from.array()?), from.u64()?);
        let release = match from.u8()? {
            1 => Release::Confirmation,
            2 => Release::Date(Timestamp(from.u64()?)),
            3 => Release::Code,
            _ => return Err(from.flaw("unknown release")),
        };
        let (order_ends, ends) = (Timestamp(from.u64()?), Timestamp(from.u64()?));
        let (delivery, note) = (Digest(from.array()?), from.text(MEMO_MAX)?);
        let (created, sum) = (Timestamp(from.u64()?), units(from)?);
        let lines = lines(from)?;
        if sum.is_zero() || total(&lines) != Ok(sum) {
            return Err(from.flaw("the lines do not add up to the total"));
        }
        let order = ShopOrder {
            bank,
            id,
            buyer,
            shop,
            version,
            release,
            order_ends,
            ends,
            delivery,
            note,
            created,
            total: sum,
            lines,
        };
        if order.is_in_order() { Ok(order) } else { Err(from.flaw("its money does not outlive it")) }
    }
}

fn lines(from: &mut Reader<'_>) -> Result<Vec<SaleLine>, Malformed> {
    let count = usize::from(from.u8()?);
    if count == 0 || count > ORDER_LINES_MAX {
        return Err(from.flaw("no lines, or too many"));
    }
    (0..count).map(|_| line(from)).collect()
}

/// What a shop says of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// It will be carried out once the bank holds the money.
    Accepted,
    /// It will not, for this reason.
    Refused(Text),
    /// It is ready, or on its way; with what there is to say.
    Ready(Text),
}

/// The shop's word on an order; signed by its node key. A later one stands for an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderWord {
    /// The bank.
    pub bank: BankId,
    /// The shop.
    pub shop: Key,
    /// Digest of the order.
    pub order: Digest,
    /// When.
    pub at: Timestamp,
    /// What.
    pub word: Word,
}

impl Body for OrderWord {
    const TYPE: &'static str = "order-word";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.shop.0).raw(&self.order.0).u64(self.at.0);
        match &self.word {
            Word::Accepted => out.u8(1),
            Word::Refused(reason) => out.u8(2).text(reason.as_str()),
            Word::Ready(note) => out.u8(3).text(note.as_str()),
        };
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let (bank, shop) = (BankId(from.array()?), Key(from.array()?));
        let (order, at) = (Digest(from.array()?), Timestamp(from.u64()?));
        let word = match from.u8()? {
            1 => Word::Accepted,
            2 => Word::Refused(from.text(MEMO_MAX)?),
            3 => Word::Ready(from.text(MEMO_MAX)?),
            _ => return Err(from.flaw("unknown word")),
        };
        Ok(OrderWord { bank, shop, order, at, word })
    }
}
