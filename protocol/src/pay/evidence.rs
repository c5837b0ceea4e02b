//! Evidence: the order behind a link, which only its payee has (SPEC §4.10, threats X5).

use super::{Mode, Order, Refusal, Request, list_of_notes};
use crate::bank::Admission;
use crate::error::ErrorCode;
use crate::id::{BankId, Digest, Key};
use crate::sign::Signed;
use serde::{Deserialize, Serialize};

/// The order by which somebody was paid a link, with what ties the two together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The payer's order.
    pub order: Signed<Order>,
    /// The request that it answers: the payee's ticket in it names the link's key.
    pub request: Signed<Request>,
    /// Tips of all the payment's notes, in its order: the order has their digest.
    pub tips: Vec<Digest>,
}

impl Evidence {
    /// Who paid `payee` the link with digest `tip` that hands on to `key`, by his own signed order.
    pub fn payer(&self, bank: BankId, payee: &Key, tip: &Digest, key: &Key) -> Result<Key, ErrorCode> {
        let (order, request) = (self.order.unverified(), self.request.unverified());
        if order.bank != bank || order.payee != *payee || request.payee() != *payee {
            return Err(ErrorCode::NotMine);
        }
        if order.request != self.request.digest() || request.key() != *key {
            return Err(ErrorCode::UnknownRequest);
        }
        if order.mode != Mode::Direct || list_of_notes(&self.tips) != order.list || !self.tips.contains(tip) {
            return Err(ErrorCode::BadChain);
        }
        // A refusal counts that the request's node key signed: the payee made it, or it would not be his request.
        let signed = self.order.check_by(&order.payer).and_then(|()| request.ticket.check_by(payee));
        let signed = signed.and_then(|()| self.request.check_by(&request.node));
        signed.map(|()| order.payer).map_err(|_| ErrorCode::BadSignature)
    }
}

/// What somebody who is asked about his order answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Defence {
    /// He had the units from somebody else: the order for the chain one link shorter.
    Upstream(Box<Evidence>),
    /// The payee refused this very order.
    Refused(Signed<Refusal>),
    /// It is his to pay.
    Admitted(Signed<Admission>),
}
