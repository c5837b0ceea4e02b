//! Holds, lists of sales and statements, as they travel (SPEC §4.16, §4.18).

use super::Message;
use crate::bank::HoldParty;
use crate::body;
use crate::id::{Digest, Key, RequestId};
use crate::money::{OutOfRange, Units};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Most holds in a page.
pub const HOLDS_PAGE: usize = 256;

/// Most letters in a page.
pub const LETTERS_PAGE: usize = 256;
/// The longest list of sales that goes with one sweep, in bytes.
pub const SALES_MAX: usize = 128 << 10;

/// How a hold stands. Salt and hash of a code stay with the bank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldState {
    /// Its number at the bank.
    pub number: u64,
    /// The request that asked for it: its name in acts.
    pub id: RequestId,
    /// The buyer's owner key.
    pub buyer: Key,
    /// The shop's owner key.
    pub shop: Key,
    /// Digest of the order.
    pub order: Digest,
    /// How much was taken from the buyer's account.
    pub units: Units,
    /// How much of it the bank still keeps.
    pub left: Units,
    /// What releases it besides the buyer's confirmation.
    pub rule: HoldTerm,
    /// Wrong codes so far.
    pub wrong: u8,
    /// Until when the order is to be carried out.
    pub order_ends: Timestamp,
    /// When it goes back to the buyer, if nothing else happens.
    pub ends: Timestamp,
    /// Where it stands.
    pub step: HoldStep,
    /// The journal entry that changed it last.
    pub changed: u64,
}

/// What releases a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HoldTerm {
    /// The buyer's confirmation alone.
    Confirmation,
    /// This moment.
    Date(Timestamp),
    /// A code that the buyer hands over.
    Code,
}

/// Where a hold stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HoldStep {
    /// Nobody disagrees.
    Open,
    /// One of the two disagrees, for this reason, since then: no timer acts.
    Disputed(HoldParty, String, Timestamp),
    /// So much went to the shop, so much back to the buyer; when.
    Closed(Units, Units, Timestamp),
}

/// What a sweep is made of; the company reads it at the bank.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SalesList {
    /// The sales, in the order of the till.
    pub sales: Vec<Sale>,
}

/// A line of a list of sales.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sale {
    /// The sale's number at the shop.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// How much.
    pub units: Units,
    /// Whether it came in or went out.
    pub kind: SaleKind,
    /// The till's name.
    pub till: String,
    /// Digest of the receipt document, or of the note about the refund.
    pub receipt: Digest,
}

/// What a line counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SaleKind {
    /// It was paid.
    Sale,
    /// It was given back: counts against the sum.
    Refund,
    /// It was paid on an earlier day, and came in after that day's close.
    Late,
    /// The bank released it for an order from afar: it came to the account, and never into the till.
    Order,
}

impl SalesList {
    /// What the bank had released to the account for its orders: so much of the takings never was in the till.
    pub fn ordered(&self) -> Result<Units, OutOfRange> {
        let orders = self.sales.iter().filter(|sale| sale.kind == SaleKind::Order);
        Units::sum(orders.map(|sale| sale.units))
    }

    /// What it adds up to: sales, late ones and orders less refunds. A list below zero waits for the next day's sales.
    pub fn units(&self) -> Result<Units, OutOfRange> {
        let is_refund = |sale: &&Sale| sale.kind == SaleKind::Refund;
        let refunds = Units::sum(self.sales.iter().filter(is_refund).map(|sale| sale.units))?;
        Units::sum(self.sales.iter().filter(|sale| !is_refund(sale)).map(|sale| sale.units))?.minus(refunds)
    }
}

impl Message for SalesList {
    const MAX: usize = SALES_MAX;
}

/// Digest of a list's bytes, as its sweep names it.
pub fn sales_digest(list: &[u8]) -> Digest {
    body::digest("sales-list", list)
}

/// Which lines of a statement are wanted; a page has at most 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Span {
    /// Those after this journal entry, the oldest first.
    After(u64),
    /// Those before this journal entry, the newest first.
    Before(u64),
}

/// Something that moved money on an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementLine {
    /// The journal entry.
    pub entry: u64,
    /// When.
    pub at: Timestamp,
    /// What it was.
    pub kind: LineKind,
    /// What came to the account.
    pub incoming: Units,
    /// What left it.
    pub outgoing: Units,
    /// The balance after it.
    pub balance: Units,
    /// The other party's name, if there is one.
    pub other: String,
    /// What it is about: the number of a hold, a sweep, a period.
    pub about: String,
}

/// What a line of a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(schemars::JsonSchema))]
pub enum LineKind {
    /// The account was opened, with what was paid in.
    Opened,
    /// Cash came in.
    CashIn,
    /// Cash went out.
    CashOut,
    /// Into the reserve.
    Withdrawn,
    /// Out of the reserve.
    Deposited,
    /// Reclaimed units came.
    Reclaimed,
    /// A case took it.
    Charged,
    /// A case brought it.
    Recovered,
    /// It is kept for an order.
    Held,
    /// It was kept for the account, and came.
    Released,
    /// It was kept for an order, and came back.
    Returned,
    /// Takings went to the company.
    SweptOut,
    /// Takings came from a shop.
    SweptIn,
    /// Rent was taken.
    RentOut,
    /// Rent came.
    RentIn,
    /// It is kept as caution.
    Caution,
    /// It was kept as caution, and came back.
    CautionBack,
    /// It was a lessee's caution, and the company keeps it.
    CautionKept,
}
