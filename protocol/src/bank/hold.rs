//! Holds: money that the bank keeps for an order, until somebody who may says where it goes (SPEC §4.16; C1, C2, C4, C13).
//!
//! ```text
//! Open ─┬▶ confirmed by the buyer, right code, its date ─▶ what is left goes to the shop
//!       ├▶ refunded by the shop, in part or whole       ─▶ back to the buyer
//!       ├▶ its end                                      ─▶ back to the buyer
//!       └▶ Disputed: no timer acts; the buyer confirms, the shop refunds all, or two operators decide
//! ```

use crate::body::{self, Body, Malformed, Reader, Text, Writer};
use crate::id::{BankId, Digest, Key, RequestId};
use crate::money::Units;
use crate::time::{DAY_SECONDS, Timestamp};
use serde::{Deserialize, Serialize};

/// A hold lives so much longer than its order, at least.
pub const HOLD_OUTLIVES_SECONDS: u64 = DAY_SECONDS;
/// The longest reason of a dispute.
pub const DISPUTE_MAX: usize = 200;
/// The longest special code.
pub const HOLD_CODE_MAX: usize = 32;

/// What releases a hold besides the buyer's confirmation, which always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldRule {
    /// Nothing else.
    Confirmation,
    /// This moment, unless somebody disputes it before.
    Date(Timestamp),
    /// The code that the buyer hands over with the goods. Only the bank learns salt and hash, so nobody tries codes
    /// but at the bank.
    Code {
        /// Random bytes.
        salt: [u8; 16],
        /// [`code_hash`] of salt, hold and code.
        hash: Digest,
    },
}

/// Digest of a special code, as its hold names it.
pub fn code_hash(salt: &[u8; 16], hold: &RequestId, code: &str) -> Digest {
    body::digest("hold-code", &[&salt[..], &hold.0, code.as_bytes()].concat())
}

/// Asks the bank to keep units of the owner's account for an order; signed by the owner key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The bank.
    pub bank: BankId,
    /// Names this request, and the hold from then on.
    pub request: RequestId,
    /// The buyer, from whose account it is taken.
    pub owner: Key,
    /// The shop, for which it is kept.
    pub payee: Key,
    /// How much, at least one unit.
    pub units: Units,
    /// Digest of the order.
    pub order: Digest,
    /// What releases it.
    pub rule: HoldRule,
    /// Until when the order is to be carried out.
    pub order_ends: Timestamp,
    /// When it goes back to the buyer; at least [`HOLD_OUTLIVES_SECONDS`] later.
    pub ends: Timestamp,
    /// When it was asked.
    pub created: Timestamp,
}

impl Hold {
    /// Whether it outlives its order, and its date lies between the two ends. Another one can't be read.
    pub fn is_in_order(&self) -> bool {
        let dated = match self.rule {
            HoldRule::Date(date) => self.order_ends <= date && date <= self.ends,
            HoldRule::Confirmation | HoldRule::Code { .. } => true,
        };
        dated && self.ends.0.checked_sub(self.order_ends.0).is_some_and(|by| by >= HOLD_OUTLIVES_SECONDS)
    }
}

impl Body for Hold {
    const TYPE: &'static str = "hold";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.request.0).raw(&self.owner.0).raw(&self.payee.0);
        out.u64(self.units.get()).raw(&self.order.0);
        out.u64(self.order_ends.0).u64(self.ends.0).u64(self.created.0);
        match &self.rule {
            HoldRule::Confirmation => out.u8(1),
            HoldRule::Date(date) => out.u8(2).u64(date.0),
            HoldRule::Code { salt, hash } => out.u8(3).raw(salt).raw(&hash.0),
        };
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let (bank, request) = (BankId(from.array()?), RequestId(from.array()?));
        let (owner, payee) = (Key(from.array()?), Key(from.array()?));
        let units = some_units(from)?;
        let order = Digest(from.array()?);
        let (order_ends, ends) = (Timestamp(from.u64()?), Timestamp(from.u64()?));
        let created = Timestamp(from.u64()?);
        let rule = match from.u8()? {
            1 => HoldRule::Confirmation,
            2 => HoldRule::Date(Timestamp(from.u64()?)),
            3 => HoldRule::Code { salt: from.array()?, hash: Digest(from.array()?) },
            _ => return Err(from.flaw("unknown rule")),
        };
        let hold = Hold { bank, request, owner, payee, units, order, rule, order_ends, ends, created };
        if hold.is_in_order() { Ok(hold) } else { Err(from.flaw("does not outlive its order")) }
    }
}

fn some_units(from: &mut Reader<'_>) -> Result<Units, Malformed> {
    match Units::new(from.u64()?) {
        Ok(units) if !units.is_zero() => Ok(units),
        _ => Err(from.flaw("nothing, or 2^53 units or more")),
    }
}

/// What somebody says about a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// The buyer has what he ordered: what is left goes to the shop. Signed by the buyer's owner key.
    Confirm,
    /// Buyer or shop disagree, for this reason: no timer acts any more. Signed by an owner or a node key.
    Dispute(Text),
    /// The code that was handed over with the goods. Signed by the shop's owner or node key.
    Code(Text),
    /// So much goes back to the buyer at once. Signed by the shop's owner key.
    Refund(Units),
}

/// A word about a hold; signed by `signer`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldAct {
    /// The bank.
    pub bank: BankId,
    /// Names this word; a repeat gets the first answer.
    pub request: RequestId,
    /// The hold: the request that asked for it.
    pub hold: RequestId,
    /// The owner or node key that signs.
    pub signer: Key,
    /// When.
    pub created: Timestamp,
    /// What is said.
    pub act: Act,
}

impl Body for HoldAct {
    const TYPE: &'static str = "hold-act";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.request.0).raw(&self.hold.0).raw(&self.signer.0);
        out.u64(self.created.0);
        match &self.act {
            Act::Confirm => out.u8(1),
            Act::Dispute(reason) => out.u8(2).text(reason.as_str()),
            Act::Code(code) => out.u8(3).text(code.as_str()),
            Act::Refund(units) => out.u8(4).u64(units.get()),
        };
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let bank = BankId(from.array()?);
        let (request, hold) = (RequestId(from.array()?), RequestId(from.array()?));
        let (signer, created) = (Key(from.array()?), Timestamp(from.u64()?));
        let act = match from.u8()? {
            1 => Act::Confirm,
            2 => Act::Dispute(from.text(DISPUTE_MAX)?),
            3 => Act::Code(from.text(HOLD_CODE_MAX)?),
            4 => Act::Refund(some_units(from)?),
            _ => return Err(from.flaw("unknown act")),
        };
        Ok(HoldAct { bank, request, hold, signer, created, act })
    }
}

/// One of the two whom a hold is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HoldParty {
    /// Whose money it is.
    Buyer,
    /// For whom it is kept.
    Shop,
}
