//! What the bank tells about holds (SPEC §4.16).

use crate::bank::HoldParty;
use crate::id::{Digest, Key, RequestId};
use crate::money::Units;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Most holds in a page.
pub const HOLDS_PAGE: usize = 256;

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
