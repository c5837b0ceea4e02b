//! The receipt document of an order as a file that anybody can check off line (SPEC §3.10, N7).

use super::file::{Against, FileFlaw, PAPERS_MAX, parties, refunds, signed_by};
use super::order::ShopOrder;
use super::order_receipt::OrderReceipt;
use super::receipt::RefundNote;
use crate::bank::{CertificateKind, Introduction};
use crate::id::Key;
use crate::key::bank::KeyCertificate;
use crate::money::Units;
use crate::sign::Signed;
use serde::{Deserialize, Serialize};

/// An order, what the bank released for it, and what was given back since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderFile {
    /// The shop's papers; more than one if it was restored in between.
    pub introductions: Vec<Introduction>,
    /// The bank's keys that signed its certificates.
    pub keys: Vec<Signed<KeyCertificate>>,
    /// What the buyer ordered.
    pub order: Signed<ShopOrder>,
    /// The shop's receipt document.
    pub receipt: Signed<OrderReceipt>,
    /// What was given back after the release.
    pub refunds: Vec<Signed<RefundNote>>,
}

/// What such a file proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedOrder {
    /// The shop's certified name.
    pub shop: String,
    /// Whether the bank certified it as a shop.
    pub is_shop: bool,
    /// What was ordered, by whom, for how much.
    pub order: ShopOrder,
    /// What the shop got for it.
    pub receipt: OrderReceipt,
    /// What was given back after the release.
    pub refunds: Vec<RefundNote>,
    /// The sum of that.
    pub refunded: Units,
}

impl OrderFile {
    /// Checks everything against the bank's master key. Dates are not looked at: a proof does not grow old.
    pub fn verify(&self, master: Key) -> Result<ProvedOrder, FileFlaw> {
        if self.refunds.len() > PAPERS_MAX {
            return Err(FileFlaw::TooMany);
        }
        let (paper, order) = (self.receipt.unverified(), self.order.unverified());
        let parties = parties(&self.introductions, &self.keys, master, (paper.bank, paper.shop))?;
        let shop = parties.first().ok_or(FileFlaw::OtherShop)?;
        signed_by(&parties, &self.receipt, "receipt document")?;
        let its = self.order.digest() == paper.order
            && (order.bank, order.shop, order.buyer) == (paper.bank, paper.shop, paper.buyer)
            && order.total == paper.total;
        if !its {
            return Err(FileFlaw::Apart("order"));
        }
        self.order.check_by(&paper.buyer).map_err(|_| FileFlaw::NotThePayer)?;
        // What the bank gave back before is not released: so both together are never more than was paid.
        let against = Against {
            document: self.receipt.digest(),
            bank: paper.bank,
            shop: paper.shop,
            to: paper.buyer,
            most: paper.released,
        };
        let refunded = refunds(&self.refunds, &against, &parties)?;
        Ok(ProvedOrder {
            shop: shop.certificate.name.as_str().to_owned(),
            is_shop: shop.certificate.kind == CertificateKind::Shop,
            order: order.clone(),
            receipt: paper.clone(),
            refunds: self.refunds.iter().map(|note| note.unverified().clone()).collect(),
            refunded,
        })
    }
}
