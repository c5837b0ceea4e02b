//! Messages of `/stermina/pay/1`, from workstation to workstation (SPEC §5.2).

use super::shop::{ShopAnswer, ShopAsk};
use super::{ErrorCode, Message};
use crate::bank::Introduction;
use crate::id::{PaymentId, RequestId};
use crate::key::bank::KeyCertificate;
use crate::money::Units;
use crate::pay::{Payment, Receipt, Refusal, Request};
use crate::seal;
use crate::sign::Signed;
use serde::{Deserialize, Serialize};

/// The protocol's name on the network.
pub const PROTOCOL: &str = "/stermina/pay/1";

/// The outer question: everything but the greeting is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hail {
    /// Who are you?
    Hello,
    /// An envelope with a [`Letterhead`] inside.
    Sealed(#[serde(with = "serde_bytes")] Vec<u8>),
}

/// The outer answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "one lives at a time, and only while it is being answered")]
pub enum HailAnswer {
    /// Who answers, and the bank keys that prove it.
    Introduction(Introduction, Vec<Signed<KeyCertificate>>),
    /// An envelope with a [`PayAnswer`] inside.
    Sealed(#[serde(with = "serde_bytes")] Vec<u8>),
    /// Nothing could be opened, so nothing can be sealed.
    Error(ErrorCode),
}

/// The inner question: who asks, and what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letterhead {
    /// The sender; his identity record names the view key that sealed the envelope.
    pub from: Introduction,
    /// What he asks.
    pub ask: PayAsk,
}

/// What is asked of a payee or payer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PayAsk {
    /// May I pay you? Nothing is signed yet.
    Offer(Offer),
    /// Here is the money.
    Pay(Box<Payment>),
    /// Here is money for which a workstation of yours has given this receipt, and of which I have not heard since.
    Again(Box<Payment>, Signed<Receipt>),
    /// To the payer: the money of this payment of his is safe now.
    Confirm(PaymentId, Signed<Receipt>),
    /// To the payer: the answer to this payment of his, which came by the mailbox.
    Answered(PaymentId, Box<PayAnswer>),
    /// What is asked of a shop; a resident's workstation answers `unsupported`.
    Shop(Box<ShopAsk>),
}

/// What a payer would like to pay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// How much.
    pub amount: Units,
    /// What for.
    pub memo: String,
    /// A request that he has already, to be told whether it is still open.
    pub request: Option<RequestId>,
}

/// The inner answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PayAnswer {
    /// To an offer: pay this.
    Request(Box<Signed<Request>>),
    /// To an offer about a request at hand: it is still open; true when it has to be certified.
    Open(bool),
    /// To a payment: received. The same for the same order, for ever.
    Receipt(Signed<Receipt>),
    /// To a payment: opened, and not wanted.
    Refused(Signed<Refusal>),
    /// To a confirmation or an answer by mail: noted.
    Noted,
    /// Not done, nothing changed; try again or not, as the code says.
    Error(ErrorCode),
    /// What a shop answers.
    Shop(Box<ShopAnswer>),
}

/// An envelope and what MessagePack adds around it.
const SEALED_MAX: usize = seal::SIZES[4] + 64;

impl Message for Hail {
    const MAX: usize = SEALED_MAX;
}

impl Message for HailAnswer {
    const MAX: usize = SEALED_MAX;
}

impl Message for Letterhead {
    const MAX: usize = seal::MESSAGE_MAX;
}

impl Message for PayAnswer {
    const MAX: usize = seal::MESSAGE_MAX;
}
