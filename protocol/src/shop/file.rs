//! A receipt document as a file that anybody can check off line (SPEC §3.9, N7).

use super::receipt::{RefundNote, SaleReceipt};
use crate::bank::{CertificateKind, Introduction, IntroductionFlaw, Party};
use crate::body::Body;
use crate::id::{BankId, Digest, Key};
use crate::key::bank::{BankKeys, KeyCertificate};
use crate::money::Units;
use crate::pay::{Order, Receipt};
use crate::sign::Signed;
use serde::{Deserialize, Serialize};

/// Most papers of one kind in a file.
pub(super) const PAPERS_MAX: usize = 64;

/// A sale, its payment and its refunds, with the papers that prove the shop's keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptFile {
    /// The shop's papers; more than one if it was restored between sale and refund.
    pub introductions: Vec<Introduction>,
    /// The bank's keys that signed its certificates.
    pub keys: Vec<Signed<KeyCertificate>>,
    /// The payer's order.
    pub order: Signed<Order>,
    /// The shop's receipt for the payment.
    pub receipt: Signed<Receipt>,
    /// The shop's receipt document.
    pub sale: Signed<SaleReceipt>,
    /// What was given back.
    pub refunds: Vec<Signed<RefundNote>>,
}

/// Why a file proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileFlaw {
    /// A key that this bank's master key has not certified.
    #[error("the file's bank keys are not of this bank: it proves nothing to its customers")]
    OtherBank,
    /// The shop's papers are not genuine.
    #[error("the shop's papers: {0}")]
    Papers(#[from] IntroductionFlaw),
    /// The papers are somebody else's.
    #[error("the papers are not those of the shop that the receipt names")]
    OtherShop,
    /// A signature that should be the shop's.
    #[error("the {0} is not signed by the shop")]
    NotTheShop(&'static str),
    /// The order is not signed by who is said to have paid.
    #[error("the order is not signed by the payer that the receipt names")]
    NotThePayer,
    /// Papers that do not belong together.
    #[error("the {0} belongs to another sale")]
    Apart(&'static str),
    /// More was given back than was paid.
    #[error("the refunds are more than was paid, or one stands twice")]
    TooMuch,
    /// Too many papers.
    #[error("the file holds more papers than it may")]
    TooMany,
}

/// What a file proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// The shop's certified name.
    pub shop: String,
    /// Whether the bank certified it as a shop.
    pub is_shop: bool,
    /// What was sold, to whom, for how much.
    pub sale: SaleReceipt,
    /// What was given back.
    pub refunds: Vec<RefundNote>,
    /// The sum of that.
    pub refunded: Units,
}

impl ReceiptFile {
    /// Checks everything against the bank's master key. Dates are not looked at: a proof does not grow old. Whether a key
    /// was revoked since then, a file can't know.
    pub fn verify(&self, master: Key) -> Result<Proved, FileFlaw> {
        if self.refunds.len() > PAPERS_MAX {
            return Err(FileFlaw::TooMany);
        }
        let sale = self.sale.unverified();
        let parties = parties(&self.introductions, &self.keys, master, (sale.bank, sale.shop))?;
        let shop = parties.first().ok_or(FileFlaw::OtherShop)?;
        signed_by(&parties, &self.sale, "receipt document")?;
        signed_by(&parties, &self.receipt, "receipt of the payment")?;
        self.payment_is_of(sale)?;
        let against = Against {
            document: self.sale.digest(),
            bank: sale.bank,
            shop: sale.shop,
            to: sale.payer,
            most: sale.total,
        };
        let refunded = refunds(&self.refunds, &against, &parties)?;
        Ok(Proved {
            shop: shop.certificate.name.as_str().to_owned(),
            is_shop: shop.certificate.kind == CertificateKind::Shop,
            sale: sale.clone(),
            refunds: self.refunds.iter().map(|note| note.unverified().clone()).collect(),
            refunded,
        })
    }

    fn payment_is_of(&self, sale: &SaleReceipt) -> Result<(), FileFlaw> {
        let (order, receipt) = (self.order.unverified(), self.receipt.unverified());
        let digest = self.order.digest();
        let ours = digest == sale.order
            && order.payment == sale.payment
            && order.payer == sale.payer
            && order.payee == sale.shop
            && order.bank == sale.bank
            && order.request == sale.request
            && order.amount == sale.total;
        if !ours {
            return Err(FileFlaw::Apart("order"));
        }
        let answers = self.receipt.digest() == sale.receipt
            && receipt.order == digest
            && receipt.payee == sale.shop
            && receipt.amount == sale.total;
        if !answers {
            return Err(FileFlaw::Apart("receipt of the payment"));
        }
        self.order.check_by(&sale.payer).map_err(|_| FileFlaw::NotThePayer)
    }
}

/// What refunds are against.
pub(super) struct Against {
    /// Digest of the receipt document.
    pub(super) document: Digest,
    pub(super) bank: BankId,
    pub(super) shop: Key,
    /// Who paid.
    pub(super) to: Key,
    /// What they come to at most.
    pub(super) most: Units,
}

/// What the notes come to, if they are the shop's and belong to the document.
pub(super) fn refunds(
    notes: &[Signed<RefundNote>],
    against: &Against,
    parties: &[Party],
) -> Result<Units, FileFlaw> {
    let mut names = Vec::new();
    for note in notes {
        signed_by(parties, note, "refund note")?;
        let refund = note.unverified();
        let its = (refund.sale, refund.bank, refund.shop, refund.to)
            == (against.document, against.bank, against.shop, against.to);
        if !its {
            return Err(FileFlaw::Apart("refund note"));
        }
        if names.contains(&refund.refund) {
            return Err(FileFlaw::TooMuch);
        }
        names.push(refund.refund);
    }
    let sum = Units::sum(notes.iter().map(|note| note.unverified().units));
    sum.ok().filter(|sum| *sum <= against.most).ok_or(FileFlaw::TooMuch)
}

/// The shop's papers, each certified by a key that this master key has certified.
pub(super) fn parties(
    introductions: &[Introduction],
    certificates: &[Signed<KeyCertificate>],
    master: Key,
    (bank, shop): (BankId, Key),
) -> Result<Vec<Party>, FileFlaw> {
    if introductions.len().max(certificates.len()) > PAPERS_MAX {
        return Err(FileFlaw::TooMany);
    }
    let mut keys = BankKeys::pinned(master);
    for certificate in certificates {
        keys.learn(certificate.clone()).map_err(|_| FileFlaw::OtherBank)?;
    }
    if bank != keys.bank() {
        return Err(FileFlaw::OtherBank);
    }
    let parties: Vec<Party> =
        introductions.iter().map(|papers| papers.clone().authenticate(&keys)).collect::<Result<_, _>>()?;
    match !parties.is_empty() && parties.iter().all(|party| party.owner() == shop) {
        true => Ok(parties),
        false => Err(FileFlaw::OtherShop),
    }
}

pub(super) fn signed_by<T: Body>(
    parties: &[Party],
    paper: &Signed<T>,
    what: &'static str,
) -> Result<(), FileFlaw> {
    let good = parties.iter().any(|party| paper.check_by(&party.identity.node).is_ok());
    if good { Ok(()) } else { Err(FileFlaw::NotTheShop(what)) }
}
