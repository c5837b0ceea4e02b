//! What travels: MessagePack around signed bodies, and limits (SPEC §5).
//!
//! Only this module knows MessagePack. A message has one form: what does not come out the same when it
//! is written again is refused, so no two implementations can read one message differently (threats X8).

mod bank;
mod document;
mod hold;
mod pay;
mod shop;

pub use crate::error::ErrorCode;
pub use bank::{
    BULLETINS_MAX, BankAnswer, BankAsk, BankTerms, BulletinPage, CASES_ASKED, CasePart, CaseState, CaseStep,
    DirectoryPage, ENTRIES_MAX, EPOCHS_MAX, Item, MAIL_MAX, PROTOCOL as BANK_PROTOCOL, Parcel, REQUESTS_MAX,
    ReclaimFate, ReclaimPiece, ReclaimState,
};
pub use hold::{
    HOLDS_PAGE, HoldState, HoldStep, HoldTerm, LETTERS_PAGE, LineKind, SALES_MAX, Sale, SaleKind, SalesList,
    Span, StatementLine, sales_digest,
};
pub use pay::{Hail, HailAnswer, Letterhead, Offer, PROTOCOL as PAY_PROTOCOL, PayAnswer, PayAsk};
pub use shop::{
    CATALOGUE_PAGE, CatalogueItem, CatalogueNews, CataloguePage, Changed, GOODS_MAX, Goods, NoTillCode,
    OrderState, PlacedOrder, PriceTag, ShopAnswer, ShopAsk, TillAsk, TillCode, TillLine, TillSale,
};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A message and the most bytes it may have.
pub trait Message: Serialize + DeserializeOwned {
    /// Longest form in bytes.
    const MAX: usize;
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireFlaw {
    /// Longer than this message may be.
    #[error("the message is longer than {0} bytes")]
    TooBig(usize),
    /// Not MessagePack of this type, or not in its one form.
    #[error("the message can't be read")]
    Malformed,
}

impl WireFlaw {
    /// Its number on the wire.
    pub fn code(self) -> ErrorCode {
        match self {
            WireFlaw::TooBig(_) => ErrorCode::TooBig,
            WireFlaw::Malformed => ErrorCode::Malformed,
        }
    }
}

/// The message in its one form.
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    rmp_serde::to_vec(message).expect("our messages have nothing that MessagePack can't hold")
}

/// The message, if `bytes` are its one form and not too long.
pub fn decode<M: Message>(bytes: &[u8]) -> Result<M, WireFlaw> {
    if bytes.len() > M::MAX {
        return Err(WireFlaw::TooBig(M::MAX));
    }
    let message: M = rmp_serde::from_slice(bytes).map_err(|_| WireFlaw::Malformed)?;
    if encode(&message) != bytes {
        return Err(WireFlaw::Malformed);
    }
    Ok(message)
}
