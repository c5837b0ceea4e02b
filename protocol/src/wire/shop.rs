//! What residents ask a shop, and what it answers: within `/stermina/pay/1` (SPEC §3.10, §5.2).

use crate::id::RequestId;
use crate::money::Units;
use crate::shop::{OrderWord, ShopOrder};
use crate::sign::Signed;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

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
