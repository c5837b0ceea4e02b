//! What residents ask a shop, and what it answers: within `/stermina/pay/1` (SPEC §3.10, §3.11, §5.2).

use crate::id::RequestId;
use crate::money::Units;
use crate::pay::Request;
use crate::shop::{OrderWord, ShopOrder};
use crate::sign::Signed;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::fmt;
use std::str::FromStr;

/// Most articles in a page of a catalogue.
pub const CATALOGUE_PAGE: usize = 200;
/// Most bytes of digital goods that are handed over for an order.
pub const GOODS_MAX: usize = 128 << 10;

/// What is asked of a shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "one lives at a time, and in a box")]
pub enum ShopAsk {
    /// What it sells: the articles after this number, in their order.
    Catalogue(String),
    /// This is ordered. Asked again, it gets the word of the first time.
    Place(PlacedOrder),
    /// How an order of mine stands.
    Order(RequestId),
    /// What is its till's sale that shows this code?
    Till(TillAsk),
    /// What are its tills called?
    Tills,
}

/// An order on its way to the shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedOrder {
    /// What is ordered.
    pub order: Signed<ShopOrder>,
    /// The salt of the address's digest.
    #[serde(with = "serde_bytes")]
    pub salt: [u8; 16],
    /// Where it shall be brought; empty when nothing is.
    pub address: String,
}

/// What a shop answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShopAnswer {
    /// A page of the catalogue.
    Catalogue(CataloguePage),
    /// How an order stands.
    Order(OrderState),
    /// It was ordered by an older catalogue: what of it has changed. Nothing was kept.
    Changed(CatalogueNews),
    /// A sale that waits at a till.
    Till(Box<TillSale>),
    /// Names of tills, at most 32.
    Tills(Vec<String>),
}

/// What has changed since the catalogue that an order was made by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueNews {
    /// The catalogue's version now.
    pub version: u64,
    /// The order's articles that are not sold like this any more, in its order.
    pub changed: Vec<Changed>,
}

/// An article that an order has at another price, or under another name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Its number.
    pub sku: String,
    /// How it is sold now; nothing, when it is not sold any more.
    pub now: Option<CatalogueItem>,
}

/// A page of a catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CataloguePage {
    /// The catalogue's version.
    pub version: u64,
    /// Articles that can be ordered, at most [`CATALOGUE_PAGE`].
    pub items: Vec<CatalogueItem>,
    /// Whether there are more.
    pub more: bool,
}

/// An article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueItem {
    /// Its number.
    pub sku: String,
    /// What it is called.
    pub name: String,
    /// Where it stands.
    pub category: String,
    /// What one of it is.
    pub unit: String,
    /// What one costs.
    pub price: PriceTag,
    /// Whether it is handed over on line.
    pub digital: bool,
}

/// What an article costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PriceTag {
    /// This.
    Fixed(Units),
    /// This, or what the buyer thinks right.
    Suggested(Units),
    /// What the buyer thinks right, within these bounds.
    Free(Units, Units),
}

/// How an order stands at the shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderState {
    /// The shop's word; none while somebody there has still to look at it.
    pub word: Option<Signed<OrderWord>>,
    /// Whether the shop knows that the bank holds the money.
    pub held: bool,
    /// Digital goods, once it does; together at most [`GOODS_MAX`] bytes.
    pub goods: Vec<Goods>,
}

/// Digital goods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goods {
    /// The article's number.
    pub sku: String,
    /// What is handed over.
    pub content: ByteBuf,
}

/// Six digits that a till shows for a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TillCode(u32);

impl TillCode {
    /// How many there are.
    const COUNT: u32 = 1_000_000;

    /// The last six digits of a number.
    pub fn of(number: u64) -> TillCode {
        TillCode(u32::try_from(number % u64::from(TillCode::COUNT)).expect("below a million"))
    }

    /// As a number.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for TillCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

impl FromStr for TillCode {
    type Err = NoTillCode;

    fn from_str(text: &str) -> Result<TillCode, NoTillCode> {
        match text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse().map(TillCode).map_err(|_| NoTillCode),
            false => Err(NoTillCode),
        }
    }
}

impl<'de> Deserialize<'de> for TillCode {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match u32::deserialize(from)? {
            number if number < TillCode::COUNT => Ok(TillCode(number)),
            _ => Err(serde::de::Error::custom(NoTillCode)),
        }
    }
}

/// A text that no till shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a till shows six digits")]
pub struct NoTillCode;

/// A code that somebody has read off a till.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TillAsk {
    /// Which till; empty for the one that shows it.
    pub till: String,
    /// What it shows.
    pub code: TillCode,
}

/// A sale that waits at a till.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TillSale {
    /// At which one.
    pub till: String,
    /// What is to be paid.
    pub request: Signed<Request>,
    /// What for, at most 64 lines; they come to the request's amount.
    pub lines: Vec<TillLine>,
}

/// A line of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TillLine {
    /// What it is called.
    pub name: String,
    /// How many.
    pub quantity: u32,
    /// What one costs.
    pub price: Units,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_till_shows_six_digits_and_nothing_else() {
        assert_eq!(TillCode::of(7).to_string(), "000007");
        assert_eq!("048392".parse(), Ok(TillCode::of(48_392)));
        assert_eq!(TillCode::of(u64::MAX).number(), 551_615);
        for bad in ["", "48392", "0483920", "+48392", "48 392", "４８３９２０"] {
            assert_eq!(bad.parse::<TillCode>(), Err(NoTillCode), "{bad}");
        }
    }
}
