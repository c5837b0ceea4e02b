//! Giving back: against a receipt, with a name of its own; and by itself, when something was paid for nothing.
//!
//! ```text
//! Owed ─▶ Paying ─┬▶ Done      Owed: on disk, and not in the wallet yet: the till is locked, or holds too little.
//!   ▲          │  └▶ Failed    Paying: an ordinary payment of the wallet, under the refund's name: it goes out once.
//!   └──────────┘               Back to Owed, when it came to nothing: the till was locked again before it was signed, or the
//!                              customer could not be reached. Failed: so often that somebody has to look at it.
//! ```

use super::change::{Change, Decision, Draft};
use super::rights::Actor;
use super::sale::{Sale, SaleState};
use super::{Refusal, Shop};
use protocol::body::{self, Text};
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::money::Units;
use protocol::pay::MEMO_MAX;
use protocol::shop::RefundNote;
use protocol::sign::Signed;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Most refunds without an end.
const OPEN_MAX: usize = 1_000;
/// Most refunds of one sale: a receipt file holds no more notes.
const OF_SALE_MAX: u32 = 60;
/// Why it stays here: good money is not given for somebody's word.
const UNSEEN: &str =
    "it waits until the bank has seen the payment; a till that is locked shows it when it is unlocked";
/// How memos of refunds begin, with a number after it; and those of what goes back by itself.
const OF_RECEIPT: &str = "refund, receipt ";
const SENT_BACK: &str = "sent back: ";
/// Why nothing goes out any more.
pub(super) const LOST: &str = "the bank had seen the money spent before: nothing is given back for it";

/// Why something is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// Somebody of the shop decided it.
    Customer,
    /// The sale had been cancelled.
    Cancelled,
    /// The sale had ended.
    Expired,
    /// The sale had been paid before.
    Twice,
}

impl Why {
    /// Its word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Why::Customer => "customer",
            Why::Cancelled => "sale_cancelled",
            Why::Expired => "sale_expired",
            Why::Twice => "paid_twice",
        }
    }

    fn note(self) -> &'static str {
        match self {
            Why::Customer => "refund",
            Why::Cancelled => "sent back: the sale was cancelled",
            Why::Expired => "sent back: the sale had ended",
            Why::Twice => "sent back: the sale was paid before",
        }
    }
}

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefundState {
    /// It has still to be paid.
    Owed,
    /// The payment is on its way.
    Paying,
    /// It is the customer's: he has it, or the bank has issued it to him.
    Done,
    /// Every payment for it came to nothing: the shop has it.
    Failed,
}

impl RefundState {
    /// Its word for programs.
    pub fn word(self) -> &'static str {
        match self {
            RefundState::Owed => "owed",
            RefundState::Paying => "paying",
            RefundState::Done => "done",
            RefundState::Failed => "failed",
        }
    }

    /// Whether something is still to come.
    pub fn is_open(self) -> bool {
        matches!(self, RefundState::Owed | RefundState::Paying)
    }
}

/// Something that is given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Its name: made from the caller's key, or from the payment that is sent back.
    pub id: RequestId,
    /// Digest of the call.
    pub call: Digest,
    /// Of which sale.
    pub sale: RequestId,
    /// At which till.
    pub till: String,
    /// Why.
    pub why: Why,
    /// In words.
    pub reason: String,
    /// To whom.
    pub to: Key,
    /// His name.
    pub name: String,
    /// How much.
    pub units: Units,
    /// Who decided it.
    pub by: String,
    /// The program's token that it is counted to.
    pub token: Option<String>,
    /// When.
    pub begun: Timestamp,
    /// Where it stands.
    pub state: RefundState,
    /// Whether the bank has seen the money that is given back: until then it is the customer's word, and stays here.
    pub safe: bool,
    /// What keeps it from being paid.
    pub held: String,
    /// How many payments for it came to nothing.
    pub attempt: u32,
    /// Not to be tried before.
    pub not_before: Timestamp,
    /// The shop's payment.
    pub payment: PaymentId,
    /// The shop's word on it.
    pub note: Option<Signed<RefundNote>>,
}

impl Refund {
    /// Whether the wallet can be asked to pay it now.
    pub fn may_go_out(&self, now: Timestamp) -> bool {
        self.state == RefundState::Owed && self.safe && self.not_before <= now
    }
}

/// A refund to make.
#[derive(Clone, Debug)]
pub struct NewRefund {
    /// Its name: made from the caller's key.
    pub id: RequestId,
    /// Digest of the call.
    pub call: Digest,
    /// How much; all that is left when left out.
    pub units: Option<Units>,
    /// Why.
    pub reason: String,
    /// Whether the caller says that it was not given back already: a book that was put back may not know.
    pub looked: bool,
}

/// What kept the wallet from paying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// It may pass: the till is locked, or holds too little.
    ForNow(String),
    /// It will not.
    ForGood(String),
}

pub(super) fn short(what: &str, bytes: &[&[u8]]) -> [u8; 16] {
    let digest = body::digest(what, &bytes.concat());
    let (name, _) = digest.0.split_first_chunk().expect("a digest has 32 bytes");
    *name
}

/// The wallet's payment for a refund: its name is known before the wallet has heard of it.
pub(super) fn payment_of(refund: &RequestId, attempt: u32) -> PaymentId {
    PaymentId(short("shop-refund", &[&refund.0, &attempt.to_be_bytes()]))
}

/// What the memo of a refund begins with; its reason follows.
pub fn memo_of(number: u64) -> String {
    format!("{OF_RECEIPT}{number}")
}

/// What a payment of ours is, by its memo, where no book knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meant {
    /// A refund of the sale with this receipt.
    Refund(u64),
    /// Something that was paid for nothing went back.
    SentBack,
    /// Not the shop's.
    Other,
}

/// Reads what [`memo_of`] has written.
pub fn meant_by(memo: &str) -> Meant {
    let number = memo.strip_prefix(OF_RECEIPT).map(|rest| rest.split(':').next().unwrap_or(rest).parse());
    match number {
        Some(Ok(number)) => Meant::Refund(number),
        _ if memo.starts_with(SENT_BACK) => Meant::SentBack,
        _ => Meant::Other,
    }
}

/// The name under which somebody's payment is sent back, if it is.
pub fn back_of(payer: &Key, payment: &PaymentId) -> RequestId {
    RequestId(short("shop-back", &[&payer.0, &payment.0]))
}

fn held_if(unseen: bool) -> String {
    if unseen { UNSEEN.to_owned() } else { String::new() }
}

/// A caller's key as a name of a sale or refund; another program may use the same keys.
pub fn name_of(what: &str, token: Option<&str>, key: &str) -> RequestId {
    RequestId(short(what, &[token.unwrap_or_default().as_bytes(), &[0], key.as_bytes()]))
}

impl Shop {
    /// Gives a part of a sale back, or all of it. `earlier` is the refund of this name, if there is one.
    pub fn refund(
        &self,
        new: NewRefund,
        sale: Sale,
        earlier: Option<Refund>,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Decision<Refund>, Refusal> {
        if let Some(refund) = earlier {
            return if refund.call == new.call {
                Ok(Decision::reply(refund))
            } else {
                Err(Refusal::KeyReused)
            };
        }
        let Some(paid) = sale.paid.clone().filter(|_| sale.state == SaleState::Paid) else {
            let why = "only what was paid can be given back; cancel it instead";
            return Err(Refusal::State { what: "sale", state: sale.state.word(), why });
        };
        if !paid.lost.is_zero() {
            let why = "the bank had seen the money for it spent before: there is nothing to give back";
            return Err(Refusal::State { what: "sale", state: sale.state.word(), why });
        }
        if !new.looked {
            self.knows_refunds_of(paid.at)?;
        }
        Text::new(&new.reason, MEMO_MAX).map_err(|flaw| Refusal::Text(format!("the reason: {flaw}")))?;
        let left = sale.total.minus(sale.refunded)?;
        let units = new.units.unwrap_or(left);
        if units.is_zero() || units > left {
            return Err(Refusal::OverPaid { left, asked: units });
        }
        if self.refunds.len() >= OPEN_MAX || sale.refunds >= OF_SALE_MAX {
            return Err(Refusal::TooMany(
                "so many refunds are open, or were made of this sale, that no more can be",
            ));
        }
        let mut draft = Draft::at(self, now);
        self.count_refund(&mut draft, actor, units)?;
        let refund = Refund {
            id: new.id,
            call: new.call,
            sale: sale.id,
            till: sale.till.clone(),
            why: Why::Customer,
            reason: new.reason,
            to: paid.payer,
            name: paid.name,
            units,
            by: actor.name.clone(),
            token: actor.token.clone(),
            begun: now,
            state: RefundState::Owed,
            safe: paid.confirmed,
            held: held_if(!paid.confirmed),
            attempt: 0,
            not_before: now,
            payment: payment_of(&new.id, 0),
            note: None,
        };
        draft.audit(actor, "refund.make", "done", refund.id);
        draft.put_refund(refund.clone());
        draft.put(Change::Sale(Sale {
            refunded: sale.refunded.plus(units)?,
            refunds: sale.refunds + 1,
            ..sale
        }));
        Ok(draft.decide(refund))
    }

    /// Refunds that the wallet can be asked to pay now.
    pub fn owed(&self, now: Timestamp) -> Vec<Refund> {
        self.open_refunds().filter(|refund| refund.may_go_out(now)).cloned().collect()
    }

    /// A refund that waits for the wallet, under this attempt's payment: another may be the one by now.
    fn owed_by(&self, id: &RequestId, payment: &PaymentId) -> Option<&Refund> {
        let refund = self.refunds.get(id)?;
        (refund.state == RefundState::Owed && refund.payment == *payment).then_some(refund)
    }

    /// The wallet has it.
    pub fn refund_is_paying(&self, id: &RequestId, payment: &PaymentId, now: Timestamp) -> Decision<()> {
        let Some(refund) = self.owed_by(id, payment) else { return Decision::reply(()) };
        let mut draft = Draft::at(self, now);
        draft.put_refund(Refund { state: RefundState::Paying, held: String::new(), ..refund.clone() });
        draft.decide(())
    }

    /// The wallet would not: now, or for good. `sale` is the sale that it belongs to.
    pub fn refund_is_held(
        &self,
        id: &RequestId,
        payment: &PaymentId,
        held: Held,
        sale: Option<Sale>,
        now: Timestamp,
    ) -> Decision<()> {
        let Some(refund) = self.owed_by(id, payment).cloned() else { return Decision::reply(()) };
        // What came for nothing is not the shop's, whatever stands in the way of sending it back.
        let held = match held {
            Held::ForGood(why) if refund.why != Why::Customer => Held::ForNow(why),
            held => held,
        };
        let mut draft = Draft::at(self, now);
        match held {
            Held::ForNow(why) if why == refund.held => return Decision::reply(()),
            Held::ForNow(held) => draft.put_refund(Refund { held, ..refund }),
            Held::ForGood(held) => {
                give_up(&mut draft, Refund { held, ..refund }, sale);
            }
        }
        draft.decide(())
    }
}

/// What was promised for a refund can be given back again.
pub(super) fn give_up(draft: &mut Draft, refund: Refund, sale: Option<Sale>) -> Option<Sale> {
    let units = refund.units;
    draft.put_refund(Refund { state: RefundState::Failed, ..refund });
    let sale = sale?;
    let refunded = sale.refunded.minus(units).expect("it was added when the refund was made");
    let sale = Sale { refunded, refunds: sale.refunds.saturating_sub(1), ..sale };
    draft.put(Change::Sale(sale.clone()));
    Some(sale)
}

/// What came for nothing goes back to whoever paid it.
pub(super) struct SentBack<'a> {
    pub(super) sale: &'a Sale,
    pub(super) why: Why,
    pub(super) payer: Key,
    pub(super) name: String,
    pub(super) payment: PaymentId,
    pub(super) units: Units,
    pub(super) safe: bool,
}

impl SentBack<'_> {
    pub(super) fn refund(self, now: Timestamp) -> Refund {
        let id = back_of(&self.payer, &self.payment);
        Refund {
            id,
            call: Digest::default(),
            sale: self.sale.id,
            till: self.sale.till.clone(),
            why: self.why,
            reason: self.why.note().to_owned(),
            to: self.payer,
            name: self.name,
            units: self.units,
            by: "shop".to_owned(),
            token: None,
            begun: now,
            state: RefundState::Owed,
            safe: self.safe,
            held: held_if(!self.safe),
            attempt: 0,
            not_before: now,
            payment: payment_of(&id, 0),
            note: None,
        }
    }
}
