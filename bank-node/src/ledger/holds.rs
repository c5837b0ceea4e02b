//! Holds: who may say what about them, and what it comes to (SPEC §4.16; C1, C2, C4, C13).
//!
//! Everything here is decided from the hold itself; nothing reads or writes.

use super::account::AccountNumber;
use super::books::Fault;
use protocol::bank::{Act, Hold, HoldParty, HoldRule, code_hash};
use protocol::error::ErrorCode;
use protocol::money::Units;
use protocol::sign::Signed;
use protocol::time::Timestamp;
use protocol::wire::{HoldState, HoldStep, HoldTerm};
use serde::{Deserialize, Serialize};

/// Wrong codes that a hold takes; after them it ends in another way.
pub const WRONG_MAX: u8 = 5;

/// A hold in the books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Its number, from 1 without gaps.
    pub number: u64,
    /// What was asked.
    pub asked: Signed<Hold>,
    /// Whose money it is.
    pub buyer: AccountNumber,
    /// For whom it is kept.
    pub shop: AccountNumber,
    /// What the bank still keeps.
    pub left: Units,
    /// What went to the shop.
    pub released: Units,
    /// What came back to the buyer.
    pub returned: Units,
    /// Wrong codes so far.
    pub wrong: u8,
    /// That somebody disagrees.
    pub dispute: Option<Dispute>,
    /// How one operator would split it, until another one confirms it.
    pub split: Option<Split>,
    /// When it ended.
    pub closed: Option<Timestamp>,
    /// The journal entry that changed it last.
    pub changed: u64,
}

/// A signed disagreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// Whose.
    pub by: HoldParty,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// One operator's wish for a disputed hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// How much goes back to the buyer; the rest goes to the shop.
    pub to_buyer: Units,
    /// Who proposes it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// Who speaks: one of the two, by his owner key or by his workstation's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// The owner key: he is there and has unlocked.
    Owner(HoldParty),
    /// The node key: his workstation may be locked.
    Node(HoldParty),
}

impl Voice {
    fn party(self) -> HoldParty {
        match self {
            Voice::Owner(party) | Voice::Node(party) => party,
        }
    }
}

/// What a word about a hold comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Everything that is left goes to the shop.
    Release,
    /// So much goes back to the buyer.
    Return(Units),
    /// Timers stop.
    Dispute(Dispute),
    /// A code that is not the one.
    WrongCode,
    /// It changes nothing: the hold has ended, or is disputed already.
    Nothing,
}

/// Where the calendar sends what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the shop.
    Release,
    /// Back to the buyer.
    Return,
}

impl Held {
    /// The hold as it was asked for.
    pub fn terms(&self) -> &Hold {
        self.asked.unverified()
    }

    /// Whether the bank keeps something of it.
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// When the calendar ends it, and how: by its date to the shop, else at its end back to the buyer.
    pub fn timer(&self) -> (Timestamp, Way) {
        match self.terms().rule {
            HoldRule::Date(date) => (date, Way::Release),
            HoldRule::Confirmation | HoldRule::Code { .. } => (self.terms().ends, Way::Return),
        }
    }

    /// What the calendar does with it now. A disagreement stops every timer.
    pub fn is_due(&self, now: Timestamp) -> Option<Way> {
        let (at, way) = self.timer();
        (self.is_open() && self.dispute.is_none() && at <= now).then_some(way)
    }

    /// What a word comes to. `not_allowed`: not his to say, or not of this hold.
    pub fn hear(&self, voice: Voice, act: &Act, now: Timestamp) -> Result<Deed, ErrorCode> {
        use HoldParty::{Buyer, Shop};
        if !self.is_open() {
            return Ok(Deed::Nothing);
        }
        match (act, voice) {
            (Act::Confirm, Voice::Owner(Buyer)) => Ok(Deed::Release),
            (Act::Dispute(_), _) if self.dispute.is_some() => Ok(Deed::Nothing),
            (Act::Dispute(reason), voice) => {
                let (by, reason) = (voice.party(), reason.to_string());
                Ok(Deed::Dispute(Dispute { by, reason, at: now }))
            }
            (Act::Code(code), Voice::Owner(Shop) | Voice::Node(Shop)) => self.try_code(code.as_str()),
            (Act::Refund(units), Voice::Owner(Shop)) if *units <= self.left => Ok(Deed::Return(*units)),
            (Act::Refund(_), Voice::Owner(Shop)) => Err(ErrorCode::OverLimit),
            (
                Act::Confirm | Act::Code(_) | Act::Refund(_),
                Voice::Owner(Buyer | Shop) | Voice::Node(Buyer | Shop),
            ) => Err(ErrorCode::NotAllowed),
        }
    }

    /// Whoever disputes has said that the code shall not release it.
    fn try_code(&self, code: &str) -> Result<Deed, ErrorCode> {
        let HoldRule::Code { salt, hash } = &self.terms().rule else { return Err(ErrorCode::NotAllowed) };
        if self.dispute.is_some() || self.wrong >= WRONG_MAX {
            return Err(ErrorCode::NotAllowed);
        }
        let right = code_hash(salt, &self.terms().request, code) == *hash;
        Ok(if right { Deed::Release } else { Deed::WrongCode })
    }

    /// The hold after so much of it went to the shop and so much to the buyer; `None` if it has less left.
    #[must_use]
    pub fn less(&self, to_shop: Units, to_buyer: Units, now: Timestamp) -> Option<Held> {
        let left = self.left.minus(to_shop).and_then(|left| left.minus(to_buyer)).ok()?;
        Some(Held {
            left,
            released: self.released.plus(to_shop).ok()?,
            returned: self.returned.plus(to_buyer).ok()?,
            closed: left.is_zero().then_some(now),
            // It was proposed for what was left then.
            split: None,
            ..self.clone()
        })
    }

    /// How it stands, for its parties.
    pub fn state(&self) -> HoldState {
        let terms = self.terms();
        let step = match (&self.closed, &self.dispute) {
            (Some(at), _) => HoldStep::Closed(self.released, self.returned, *at),
            (None, Some(dispute)) => HoldStep::Disputed(dispute.by, dispute.reason.clone(), dispute.at),
            (None, None) => HoldStep::Open,
        };
        HoldState {
            number: self.number,
            id: terms.request,
            buyer: terms.owner,
            shop: terms.payee,
            order: terms.order,
            units: terms.units,
            left: self.left,
            rule: match terms.rule {
                HoldRule::Confirmation => HoldTerm::Confirmation,
                HoldRule::Date(date) => HoldTerm::Date(date),
                HoldRule::Code { .. } => HoldTerm::Code,
            },
            wrong: self.wrong,
            order_ends: terms.order_ends,
            ends: terms.ends,
            step,
            changed: self.changed,
        }
    }
}

/// What the rules ask of a store about holds.
pub trait HoldView {
    /// The hold of this number.
    fn hold(&self, number: u64) -> Result<Option<Held>, Fault>;
    /// The highest number, 0 before the first.
    fn last_hold(&self) -> Result<u64, Fault>;
    /// Holds with higher numbers, in order.
    fn holds_after(&self, number: u64, limit: usize) -> Result<Vec<Held>, Fault>;
    /// The holds in which the account has a part and that changed after a journal entry, in the order of their last change.
    fn holds_changed(&self, account: AccountNumber, after: u64, limit: usize) -> Result<Vec<Held>, Fault>;
}

/// Writing holds.
pub trait HoldTx: HoldView {
    /// Writes a hold, and finds it by its parties and its last change from now on.
    fn keep_hold(&mut self, held: &Held) -> Result<(), Fault>;
}
