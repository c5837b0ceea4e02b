//! A payment as it travels, and what makes it acceptable whatever the payee holds (SPEC §3.3).
//!
//! The payee's checks come in the SPEC's order. Those here need no state but keys; dedup, the
//! comparison with chains held before, and policy are the wallet's (`daemon::wallet::receiving`).

use super::{AmountRule, Mode, Order, Receipt, Request, RequestFlaw, list_of_notes, list_of_roots};
use crate::bank::{Introduction, IntroductionFlaw, Party, Standing};
use crate::body::Text;
use crate::error::ErrorCode;
use crate::id::{Digest, Key};
use crate::key::bank::{BankKeys, KeyCertificate, KeyFlaw};
use crate::money::Units;
use crate::note::{ChainFlaw, Checked, Destination, NoteTable, TableFlaw, VerifiedNote};
use crate::sign::{BadSignature, Signed, Verified};
use crate::time::{DAY_SECONDS, Timestamp};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The longest an order may run.
const ORDER_SECONDS_MAX: u64 = 30 * DAY_SECONDS;
/// Most key certificates beside the notes.
const KEYS_MAX: usize = 64;

/// Request, order and notes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// The payee's request.
    pub request: Signed<Request>,
    /// The payer's order.
    pub order: Signed<Order>,
    /// What for; the order has its digest.
    pub memo: String,
    /// Certificates of the issue keys that the notes need: a payee need not have met the bank since.
    pub keys: Vec<Signed<KeyCertificate>>,
    /// The notes, each ending at the request's key.
    pub notes: NoteTable,
}

/// Which rule a payment breaks. The variants stand in the order of the checks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaymentFlaw {
    /// The order names another payee or bank.
    #[error("the order is for somebody else")]
    NotMine,
    /// Request and order do not fit.
    #[error("the order does not answer this request")]
    WrongRequest,
    /// The request wants the bank's certificate, the order is direct.
    #[error("the request wants the payment certified by the bank")]
    NeedCertified,
    /// The request is not ours, or had expired when the order was signed.
    #[error(transparent)]
    Request(#[from] RequestFlaw),
    /// The order has expired, comes from the future, or runs too long.
    #[error("the order has expired or is dated in the future")]
    Expired,
    /// The payer pays himself.
    #[error("payer and payee are one")]
    SelfPayment,
    /// The payer's papers are not in order.
    #[error("the payer: {0}")]
    Payer(#[from] IntroductionFlaw),
    /// The bank's directory has him suspended, whatever he shows.
    #[error("the bank has suspended the payer")]
    Suspended,
    /// The payer did not sign the order.
    #[error("the order: {0}")]
    OrderSignature(BadSignature),
    /// The memo is not the one in the order, or no memo.
    #[error("the memo is not the order's")]
    Memo,
    /// Too many notes, links or keys, or a table that is none.
    #[error(transparent)]
    Table(#[from] TableFlaw),
    /// A key certificate that the bank did not sign.
    #[error(transparent)]
    Keys(#[from] KeyFlaw),
    /// A note's chain breaks a rule.
    #[error("note {at}: {flaw}")]
    Chain {
        /// Which note.
        at: usize,
        /// What is wrong with it.
        flaw: ChainFlaw,
    },
    /// A note past the day until which it is paid directly.
    #[error("note {0} is too old to be paid directly: only the bank takes it")]
    TooOld(usize),
    /// A note that ends at another key, or a certified one that is not a bare root.
    #[error("note {0} does not end at the request's key")]
    NotToMe(usize),
    /// Two notes share units.
    #[error("two notes of the payment share units")]
    SharedUnits,
    /// The notes are not those of the order.
    #[error("the notes are not those of the order")]
    WrongList,
    /// The notes' sum is not the order's amount, or not what was asked for.
    #[error("the notes add up to {sum}, the order says {order}")]
    Sum {
        /// Their sum.
        sum: Units,
        /// What the order says.
        order: Units,
    },
}

impl PaymentFlaw {
    /// Its number on the wire.
    pub fn code(&self) -> ErrorCode {
        match self {
            PaymentFlaw::NotMine => ErrorCode::NotMine,
            PaymentFlaw::WrongRequest => ErrorCode::UnknownRequest,
            PaymentFlaw::NeedCertified => ErrorCode::NeedCertified,
            PaymentFlaw::Request(flaw) => flaw.code(),
            PaymentFlaw::Expired | PaymentFlaw::TooOld(_) => ErrorCode::Expired,
            PaymentFlaw::SelfPayment => ErrorCode::SelfPayment,
            PaymentFlaw::Payer(flaw) => flaw.code(),
            PaymentFlaw::Suspended => ErrorCode::Suspended,
            PaymentFlaw::OrderSignature(_) => ErrorCode::BadSignature,
            PaymentFlaw::Memo => ErrorCode::Malformed,
            PaymentFlaw::Table(flaw) => flaw.code(),
            PaymentFlaw::Keys(_) => ErrorCode::BadSignature,
            PaymentFlaw::Chain { flaw, .. } => flaw.code(),
            PaymentFlaw::NotToMe(_) | PaymentFlaw::SharedUnits | PaymentFlaw::WrongList => {
                ErrorCode::BadChain
            }
            PaymentFlaw::Sum { .. } => ErrorCode::BadSum,
        }
    }

    /// Whether the no has to be remembered, and stays: the order is a direct one of its payer's on a request of ours,
    /// and shown once more it might be found good. A suspension ends, a key is learned, a clock is set right; or the
    /// notes come whole the second time, when the payer holds our signed refusal already (threats H2).
    pub fn is_for_good(&self, order: &Signed<Order>) -> bool {
        let body = order.unverified();
        if body.mode != Mode::Direct {
            return false;
        }
        // These are found before the order's signature is looked at.
        let early = matches!(self, PaymentFlaw::Expired | PaymentFlaw::Payer(_) | PaymentFlaw::Suspended);
        self.after_notes_were_opened() || (early && order.check_by(&body.payer).is_ok())
    }

    /// Whether it was found in the notes themselves: then the payee answers with a signed refusal.
    pub fn after_notes_were_opened(&self) -> bool {
        matches!(
            self,
            PaymentFlaw::Table(_)
                | PaymentFlaw::Keys(_)
                | PaymentFlaw::Chain { .. }
                | PaymentFlaw::TooOld(_)
                | PaymentFlaw::NotToMe(_)
                | PaymentFlaw::SharedUnits
                | PaymentFlaw::WrongList
                | PaymentFlaw::Sum { .. }
        )
    }
}

/// The payee, as far as checking a payment needs him.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    /// His owner key.
    pub owner: Key,
    /// Node keys that he signs or has signed requests with, the present one first.
    pub nodes: &'a [Key],
    /// The receipt that the payer shows with the payment, if he has one already.
    pub receipt: Option<&'a Signed<Receipt>>,
    /// The bank's keys he knows.
    pub keys: &'a BankKeys,
    /// What the directory last said of the payer.
    pub standing: Option<Standing>,
    /// The payer as checked before, while his papers run: the same papers are not checked again.
    pub checked: Option<Party>,
    /// His clock.
    pub now: Timestamp,
}

/// A payment whose papers and notes have all been checked.
#[derive(Clone, Debug)]
pub struct VerifiedPayment {
    request: Verified<Request>,
    order: Verified<Order>,
    payer: Party,
    memo: Text,
    notes: Vec<VerifiedNote>,
    learned: Vec<Signed<KeyCertificate>>,
    taken_before: bool,
}

/// When a payment's money is the payee's, so that no date and nobody's standing can make it anybody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// It is the payer's offer: dates and standing count.
    Offered,
    /// The bank has issued it to the payee's key.
    Issued,
    /// A workstation of the payee's that is gone has given a receipt for it.
    TakenBefore,
}

impl Payment {
    /// Checks everything that does not depend on what the payee holds; `from` is the sender of the envelope.
    pub fn verify(self, from: Introduction, reader: &Reader<'_>) -> Result<VerifiedPayment, PaymentFlaw> {
        let whose = self.whose(reader);
        let request = self.check_request(whose, reader)?;
        let memo = self.check_order(whose, &from, reader)?;
        let payer = match &reader.checked {
            Some(party) if party.shows(&from) => party.clone(),
            _ if whose == Whose::Offered => from.verify(reader.keys, reader.now)?,
            _ => from.authenticate(reader.keys)?,
        };
        if reader.standing == Some(Standing::Suspended) && whose == Whose::Offered {
            return Err(PaymentFlaw::Suspended);
        }
        let order = self.order.verify_by(&payer.owner()).map_err(PaymentFlaw::OrderSignature)?;
        let (keys, learned) = learn(reader.keys, self.keys)?;
        let keys = match whose {
            Whose::TakenBefore => Cow::Owned(keys.before_revocations()),
            Whose::Offered | Whose::Issued => keys,
        };
        let notes = open_notes(self.notes, &keys, &order, &request, (whose, reader.now))?;
        let taken_before = whose == Whose::TakenBefore;
        Ok(VerifiedPayment { request, order, payer, memo, notes, learned, taken_before })
    }

    fn whose(&self, reader: &Reader<'_>) -> Whose {
        match self.order.unverified().mode {
            Mode::Certified => Whose::Issued,
            Mode::Direct if reader.receipt.is_some_and(|r| self.was_taken_before(r, reader)) => {
                Whose::TakenBefore
            }
            Mode::Direct => Whose::Offered,
        }
    }

    /// Whether a workstation of the payee's that is gone has given this receipt for this very order. It counts for a request
    /// from before the restore only: else whoever has the lost machine could lift the limits of today's sales.
    fn was_taken_before(&self, receipt: &Signed<Receipt>, reader: &Reader<'_>) -> bool {
        let (body, order) = (receipt.unverified(), self.order.unverified());
        let earlier = reader.nodes.get(1..).unwrap_or_default();
        body.order == self.order.digest()
            && body.payee == reader.owner
            && body.amount == order.amount
            && earlier.contains(&self.request.unverified().node)
            && earlier.iter().any(|node| receipt.check_by(node).is_ok())
    }

    /// For me, in answer to a request of mine that still ran when the order was signed.
    fn check_request(&self, whose: Whose, reader: &Reader<'_>) -> Result<Verified<Request>, PaymentFlaw> {
        let (order, request) = (self.order.unverified(), self.request.unverified());
        if order.payee != reader.owner || order.bank != reader.keys.bank() {
            return Err(PaymentFlaw::NotMine);
        }
        if order.request != self.request.digest() || request.payee() != reader.owner {
            return Err(PaymentFlaw::WrongRequest);
        }
        if !request.amount.allows(order.amount) {
            return Err(PaymentFlaw::WrongRequest);
        }
        if order.mode < request.mode {
            return Err(PaymentFlaw::NeedCertified);
        }
        let node =
            reader.nodes.iter().find(|node| **node == request.node).ok_or(PaymentFlaw::WrongRequest)?;
        // The order's own dates say whether it comes too late. A request only has to run when the order is
        // signed: links that the payer has signed are the payee's, however long they were on their way.
        let signed = if whose == Whose::TakenBefore { request.created } else { order.created };
        Ok(self.request.clone().verify_request(order.bank, node, signed)?)
    }

    /// The cheap rules of the order: dates, parties, memo.
    fn check_order(
        &self,
        whose: Whose,
        from: &Introduction,
        reader: &Reader<'_>,
    ) -> Result<Text, PaymentFlaw> {
        let order = self.order.unverified();
        let runs = order.expires.seconds_since(order.created);
        // What is the payee's already is taken whenever it arrives: to refuse it would strand it.
        let late = whose == Whose::Offered && reader.now.is_past(order.expires);
        let odd = reader.now.is_before(order.created) || runs > ORDER_SECONDS_MAX;
        if late || (odd && whose != Whose::TakenBefore) {
            return Err(PaymentFlaw::Expired);
        }
        if order.payer == order.payee {
            return Err(PaymentFlaw::SelfPayment);
        }
        if order.payer != from.certificate.unverified().owner {
            return Err(PaymentFlaw::Payer(IntroductionFlaw::Mismatch));
        }
        if Order::memo_digest(&self.memo) != order.memo {
            return Err(PaymentFlaw::Memo);
        }
        Text::new(&self.memo, super::MEMO_MAX).map_err(|_| PaymentFlaw::Memo)
    }
}

/// The bank's keys with those beside the notes, and which of them were new.
fn learn(
    known: &BankKeys,
    shown: Vec<Signed<KeyCertificate>>,
) -> Result<(Cow<'_, BankKeys>, Vec<Signed<KeyCertificate>>), PaymentFlaw> {
    if shown.len() > KEYS_MAX {
        return Err(TableFlaw::TooMany.into());
    }
    let mut keys = Cow::Borrowed(known);
    let mut learned = Vec::new();
    // Mostly all of them are known: then nothing is copied.
    for certificate in shown.into_iter().filter(|certificate| !known.knows(certificate)) {
        if keys.to_mut().learn(certificate.clone())? {
            learned.push(certificate);
        }
    }
    Ok((keys, learned))
}

/// Roots, links, ends, sums: in this order, note by note.
fn open_notes(
    table: NoteTable,
    keys: &BankKeys,
    order: &Order,
    request: &Request,
    (whose, now): (Whose, Timestamp),
) -> Result<Vec<VerifiedNote>, PaymentFlaw> {
    let notes = table.unpack()?;
    let mut checked = Checked::default();
    let mut verified = Vec::with_capacity(notes.len());
    for (at, note) in notes.into_iter().enumerate() {
        let too_old = now.day() > note.root.unverified().direct_until_day;
        if too_old && whose == Whose::Offered {
            return Err(PaymentFlaw::TooOld(at));
        }
        let note = note.verify(keys, &mut checked).map_err(|flaw| PaymentFlaw::Chain { at, flaw })?;
        let bare_if_certified = order.mode == Mode::Direct || note.links.is_empty();
        if note.holding().to != Destination::Key(request.key()) || !bare_if_certified {
            return Err(PaymentFlaw::NotToMe(at));
        }
        verified.push(note);
    }
    check_list(&verified, order)?;
    Ok(verified)
}

fn check_list(notes: &[VerifiedNote], order: &Order) -> Result<(), PaymentFlaw> {
    for (at, note) in notes.iter().enumerate() {
        let (here, rest) = (note.holding(), notes.iter().skip(at + 1).map(VerifiedNote::holding));
        if rest.into_iter().any(|other| other.root == here.root && other.range.overlaps(here.range)) {
            return Err(PaymentFlaw::SharedUnits);
        }
    }
    let tips: Vec<Digest> = notes.iter().map(|note| note.holding().tip).collect();
    let list = match order.mode {
        Mode::Direct => list_of_notes(&tips),
        Mode::Certified => {
            let roots = notes.iter().map(|note| note.root.unverified());
            list_of_roots(roots.map(|root| (&root.id, root.units, &root.to)))
        }
    };
    if list != order.list {
        return Err(PaymentFlaw::WrongList);
    }
    let sum = Units::sum(notes.iter().map(|note| note.holding().range.units()));
    let sum = sum.map_err(|_| PaymentFlaw::Sum { sum: Units::MAX, order: order.amount })?;
    if sum != order.amount {
        return Err(PaymentFlaw::Sum { sum, order: order.amount });
    }
    Ok(())
}

impl VerifiedPayment {
    /// The request that it answers: made by this workstation, but perhaps answered before.
    pub fn request(&self) -> &Verified<Request> {
        &self.request
    }

    /// The payer's order.
    pub fn order(&self) -> &Verified<Order> {
        &self.order
    }

    /// Who pays.
    pub fn payer(&self) -> &Party {
        &self.payer
    }

    /// What for.
    pub fn memo(&self) -> &Text {
        &self.memo
    }

    /// The notes, each ending at the request's key.
    pub fn notes(&self) -> &[VerifiedNote] {
        &self.notes
    }

    /// Whether a workstation of the payee's that is gone has given a receipt for it: then it is his, and what stands in
    /// the way of an offer stands not in its way.
    pub fn was_taken_before(&self) -> bool {
        self.taken_before
    }

    /// Key certificates that were new to the payee.
    pub fn learned(&self) -> &[Signed<KeyCertificate>] {
        &self.learned
    }

    /// The rule that the request set for the amount.
    pub fn amount_rule(&self) -> AmountRule {
        self.request.amount
    }
}
