//! Requests: what a payee gives to a payer so that he can be paid (SPEC §3.1).

use super::Mode;
use crate::bank::ADDRESS_MAX;
use crate::body::{Body, Malformed, Reader, Text, Writer};
use crate::error::ErrorCode;
use crate::id::{BankId, Key, RequestId};
use crate::key::KeyTicket;
use crate::money::Units;
use crate::sign::{BadSignature, Signed, Verified};
use crate::time::Timestamp;

/// Longest memo, in bytes.
pub const MEMO_MAX: usize = 140;

/// How much the payee asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmountRule {
    /// This and nothing else.
    Exactly(Units),
    /// Anything from one unit to this.
    AtMost(Units),
}

impl AmountRule {
    /// Whether a payment of `units` keeps the rule.
    pub fn allows(self, units: Units) -> bool {
        match self {
            AmountRule::Exactly(wanted) => units == wanted,
            AmountRule::AtMost(limit) => !units.is_zero() && units <= limit,
        }
    }
}

/// Asks for money once, to one note key; signed by the payee's node key, so that a locked workstation can make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The bank whose money is wanted.
    pub bank: BankId,
    /// Names the request.
    pub id: RequestId,
    /// The owner's word that the note key is his.
    pub ticket: Signed<KeyTicket>,
    /// The node key that signs this request; the payee's identity record names it.
    pub node: Key,
    /// How much.
    pub amount: AmountRule,
    /// The least that is accepted: a certified payment always is.
    pub mode: Mode,
    /// When it was made.
    pub created: Timestamp,
    /// Until when it is taken.
    pub expires: Timestamp,
    /// What for.
    pub memo: Text,
    /// Where the payee's workstation can be reached, if the network does not tell; at most one.
    pub address: Text,
}

impl Request {
    /// The payee's owner key.
    pub fn payee(&self) -> Key {
        self.ticket.unverified().owner
    }

    /// The note key to pay to.
    pub fn key(&self) -> Key {
        self.ticket.unverified().key
    }
}

impl Body for Request {
    const TYPE: &'static str = "request";

    fn write(&self, out: &mut Writer) {
        let (rule, units) = match self.amount {
            AmountRule::Exactly(units) => (1, units),
            AmountRule::AtMost(units) => (2, units),
        };
        out.u8(1).raw(&self.bank.0).raw(&self.id.0).raw(&self.ticket.to_bytes()).raw(&self.node.0);
        out.u8(rule).u64(units.get()).u8(self.mode as u8).u64(self.created.0).u64(self.expires.0);
        out.text(self.memo.as_str()).text(self.address.as_str());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let bank = BankId(from.array()?);
        let id = RequestId(from.array()?);
        let ticket = Signed::from_bytes(from.slice(KeyTicket::SIGNED_LENGTH)?)?;
        let node = Key(from.array()?);
        let rule = from.u8()?;
        let units = Units::new(from.u64()?).map_err(|_| from.flaw("2^53 units or more"))?;
        let amount = match rule {
            _ if units.is_zero() => return Err(from.flaw("asks for nothing")),
            1 => AmountRule::Exactly(units),
            2 => AmountRule::AtMost(units),
            _ => return Err(from.flaw("unknown amount rule")),
        };
        Ok(Request {
            bank,
            id,
            ticket,
            node,
            amount,
            mode: Mode::read(from)?,
            created: Timestamp(from.u64()?),
            expires: Timestamp(from.u64()?),
            memo: from.text(MEMO_MAX)?,
            address: from.text(ADDRESS_MAX)?,
        })
    }
}

/// Why a payer does not pay a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestFlaw {
    /// Another bank's money is wanted.
    #[error("the request is for another bank's money")]
    OtherBank,
    /// It has expired.
    #[error("the request expired on {0}: ask for a new one")]
    Expired(Timestamp),
    /// Ticket or request are not signed by whom they must be.
    #[error("the request is not genuine: {0}")]
    Signature(#[from] BadSignature),
    /// It is signed by another workstation than the payee's.
    #[error("the request was not made by the payee's workstation")]
    OtherNode,
}

impl RequestFlaw {
    /// Its number on the wire.
    pub fn code(&self) -> ErrorCode {
        match self {
            RequestFlaw::Expired(_) => ErrorCode::Expired,
            RequestFlaw::Signature(_) => ErrorCode::BadSignature,
            RequestFlaw::OtherBank | RequestFlaw::OtherNode => ErrorCode::UnknownRequest,
        }
    }
}

impl Signed<Request> {
    /// The request as proved to be from `payee`, whose workstation has node key `node`.
    pub fn verify_request(
        self,
        bank: BankId,
        node: &Key,
        now: Timestamp,
    ) -> Result<Verified<Request>, RequestFlaw> {
        let request = self.unverified();
        if request.bank != bank {
            return Err(RequestFlaw::OtherBank);
        }
        if now.is_past(request.expires) {
            return Err(RequestFlaw::Expired(request.expires));
        }
        if request.node != *node {
            return Err(RequestFlaw::OtherNode);
        }
        request.ticket.check_by(&request.payee())?;
        Ok(self.verify_by(node)?)
    }
}
