//! Shops near by and their tills, as programs see them (M2, SPEC §3.11).

use protocol::code::PublicCode;
use protocol::money::Units;
use protocol::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which shops.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NearQuery {
    /// The certified name, in any case, with `*` for anything and `?` for one character; all of them when left out.
    pub name: Option<String>,
}

/// A shop near by.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NearShop {
    /// Its public code.
    pub shop: PublicCode,
    /// Its name, as the bank has certified it.
    pub name: String,
    /// Names of its tills; none when it does not answer.
    pub tills: Vec<String>,
    /// Whether it answers now.
    pub answers: bool,
}

/// Shops near by.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NearShops {
    /// By name.
    pub shops: Vec<NearShop>,
}

/// What a till shows.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TillQuery {
    /// The shop: a pattern for the name of one near by, or the exact name or public code of any. The only one near by when
    /// left out.
    pub name: Option<String>,
    /// The till, where a shop has several that show the same.
    pub till: Option<String>,
    /// The six digits that the till shows.
    pub code: String,
}

/// A line of a sale.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TillLine {
    /// What.
    pub name: String,
    /// How many.
    pub quantity: u32,
    /// What one costs.
    pub price: Units,
}

/// A sale that waits at a till.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TillSale {
    /// The shop.
    pub shop: PublicCode,
    /// Its name, as the bank has certified it.
    pub name: String,
    /// The till.
    pub till: String,
    /// The signed request: what `payment.pay` takes.
    pub uri: String,
    /// What it comes to.
    pub units: Units,
    /// What the request says that it is for.
    pub memo: String,
    /// Until when it can be paid.
    pub expires: Timestamp,
    /// What is sold.
    pub lines: Vec<TillLine>,
}
