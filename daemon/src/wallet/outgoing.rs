//! A payment going out, as it is kept: what it is, where it stands, what that means for the money (SPEC §3.7).

use super::change::{Change, Draft, Happening};
use super::history::{Movement, NewEntry};
use super::posting::Post;
use protocol::body::Text;
use protocol::id::{Key, PaymentId};
use protocol::money::Units;
use protocol::note::NoteTable;
use protocol::pay::{Mode, Order, Payment, Receipt, Refusal, Request};
use protocol::sign::Signed;
use protocol::time::Timestamp;
use protocol::wire::{ErrorCode, PayAsk};
use serde::{Deserialize, Serialize};

/// A payment going out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// Names it.
    pub id: PaymentId,
    /// The payee's owner key.
    pub payee: Key,
    /// The payee's certified name when it began.
    pub name: String,
    /// How much.
    pub amount: Units,
    /// What for.
    pub memo: String,
    /// The least finality the payer wants.
    pub certified: bool,
    /// The payee's request: given at first, or answered to our offer.
    pub request: Option<Signed<Request>>,
    /// The order, once signed.
    pub order: Option<Signed<Order>>,
    /// What is sent, once it is whole; kept until the payee has confirmed.
    pub message: Option<Payment>,
    /// Where it stands.
    pub state: State,
    /// When it began.
    pub created: Timestamp,
    /// When its state last changed.
    pub changed: Timestamp,
    /// The payee's receipt.
    pub receipt: Option<Signed<Receipt>>,
    /// The payee's refusal.
    pub refusal: Option<Signed<Refusal>>,
    /// The program's token it was made with; none for the owner himself.
    pub token: Option<String>,
    /// Units that came back, to the reserve or to the account.
    #[serde(default)]
    pub back: Units,
    /// Chains that the bank showed: the payee had the units and handed them on. They stand in for his receipt.
    #[serde(default)]
    pub proof: Option<NoteTable>,
    /// When it is decided at the latest, as the bank told: until then others may object.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// Its way by the payee's mailbox, if it goes that way.
    #[serde(default)]
    pub post: Option<Post>,
}

/// Where a payment stands; see [`super::paying`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// The payee is being asked for a request.
    Asking,
    /// The bank is re-issuing the amount to the payee's key.
    Certifying,
    /// Sent, and sent again until the payee answers.
    Sent,
    /// On its way to the payee's mailbox or in it, and nowhere else: no other wire has carried it.
    Posted,
    /// Certified: the bank has issued it to the payee's key, and he has not answered yet. It is his, whenever he collects it.
    Issued,
    /// The payee has it.
    Receipted,
    /// The payee has it, and has been to the bank with it.
    Confirmed,
    /// Nothing was signed, or the bank made it void.
    NotDone(NotDone),
    /// Refused by the payee; the units are on their way back through the bank.
    TakingBack(ErrorCode),
    /// Refused by the payee, and the units are back.
    Returned(ErrorCode),
    /// Refused by the payee, who had nevertheless redeemed the units: he has them.
    Taken(ErrorCode),
    /// Nobody answered; the owner has signed that he wants the units back, and others may object.
    Reclaiming,
    /// Reclaimed, and nobody had a chain that goes on: the units are on the account.
    Reclaimed,
    /// Reclaimed, and somebody showed that the payee had handed the units on: he has them, all or in part.
    Passed,
}

/// Why nothing was paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotDone {
    /// The payee declined, with this code.
    Declined(ErrorCode),
    /// The payee could not be reached in time.
    Unreachable,
    /// The payee's request or papers are not in order.
    BadRequest(String),
    /// The reserve no longer held enough when the payee had answered.
    Short(Units),
    /// The workstation was locked before anything was signed.
    Locked,
    /// The workstation was lost before anything was signed, as far as the vault knows.
    Restored,
    /// The bank would not certify it.
    BankRefused(ErrorCode),
}

/// The three outcomes, and none of them yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentOutcome {
    /// The payee is being asked; nothing is signed.
    Asking,
    /// The payee has the money.
    Done,
    /// The payer has the money.
    NotDone,
    /// It is not known yet who has it.
    InDoubt,
}

impl State {
    /// Whether something is still to be done about it: be it only that the payee is told what is his.
    pub fn is_open(&self) -> bool {
        matches!(
            self,
            State::Asking
                | State::Certifying
                | State::Sent
                | State::Posted
                | State::Issued
                | State::TakingBack(_)
                | State::Reclaiming
        )
    }

    /// Its word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            State::Asking => "asking",
            State::Certifying => "certifying",
            State::Sent => "sent",
            State::Posted => "posted",
            State::Issued => "issued",
            State::Receipted => "receipted",
            State::Confirmed => "confirmed",
            State::NotDone(_) => "not_done",
            State::TakingBack(_) => "taking_back",
            State::Returned(_) => "returned",
            State::Taken(_) => "taken",
            State::Reclaiming => "reclaiming",
            State::Reclaimed => "reclaimed",
            State::Passed => "passed",
        }
    }

    /// What it means for the money.
    pub fn outcome(&self) -> PaymentOutcome {
        match self {
            State::Asking => PaymentOutcome::Asking,
            State::Issued | State::Receipted | State::Confirmed | State::Taken(_) | State::Passed => {
                PaymentOutcome::Done
            }
            State::NotDone(_) | State::Returned(_) | State::Reclaimed => PaymentOutcome::NotDone,
            State::Certifying | State::Sent | State::Posted | State::TakingBack(_) | State::Reclaiming => {
                PaymentOutcome::InDoubt
            }
        }
    }
}

impl Outgoing {
    /// Whether its amount has left the reserve without an outcome.
    pub fn holds_money(&self) -> bool {
        self.state.outcome() == PaymentOutcome::InDoubt
    }

    /// As it stands by today's rules. Files from before called a payment sent that the bank had issued to the payee:
    /// it could have been taken back or reclaimed, though it is his.
    #[must_use]
    pub(crate) fn standing_now(self) -> Outgoing {
        let certified = self.order.as_ref().is_some_and(|order| order.unverified().mode == Mode::Certified);
        match self.state {
            State::Sent if certified => Outgoing { state: State::Issued, ..self },
            _ => self,
        }
    }
}

impl Outgoing {
    /// Whether this receipt is the payee's word on this payment's order.
    pub(super) fn answers(&self, receipt: &Signed<Receipt>, node: &Key) -> bool {
        let body = receipt.unverified();
        // His workstation may have another node key by now than the one that made the request.
        let requested = self.request.as_ref().map(|request| request.unverified().node);
        let his = [Some(*node), Some(self.payee), requested];
        let signed = his.into_iter().flatten().any(|key| receipt.check_by(&key).is_ok());
        let ours = self.order.as_ref().is_some_and(|order| order.digest() == body.order);
        signed && ours && body.payee == self.payee && body.amount == self.amount
    }

    /// Whether the money is the payee's already, by his receipt or because the bank has issued it to him.
    pub fn is_his(&self) -> bool {
        self.state.outcome() == PaymentOutcome::Done
    }

    /// How its message is shown to the payee. With his receipt, once there is one: the machine that gave it may be lost,
    /// and then the next one takes the payment for its sake.
    pub fn shown(&self, message: Payment) -> PayAsk {
        match &self.receipt {
            Some(receipt) => PayAsk::Again(Box::new(message), receipt.clone()),
            None => PayAsk::Pay(Box::new(message)),
        }
    }

    pub(super) fn entry(&self, movement: Movement, units: Units) -> NewEntry {
        NewEntry {
            movement,
            units,
            party: self.payee,
            name: Text::new(&self.name, 255).unwrap_or_default(),
            memo: Text::new(&self.memo, 255).unwrap_or_default(),
            id: self.id.0,
        }
    }
}

impl Draft {
    pub(super) fn put_payment(&mut self, mut payment: Outgoing, state: State) {
        payment.changed = self.now();
        let (id, units, word) = (payment.id, payment.amount, state.word().to_owned());
        payment.state = state;
        self.put(Change::Outgoing(payment));
        self.event(Happening::Payment { payment: id, state: word, units });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::id::{BankId, Digest};
    use protocol::sign::Signer;

    /// M4: a certified payment that an earlier version called sent is the payee's; a direct one is not yet.
    #[test]
    fn a_certified_payment_from_before_is_issued() {
        let signed = |mode| {
            Signer::from_secret(&[1; 32]).sign(Order {
                bank: BankId([1; 8]),
                payment: PaymentId([1; 16]),
                request: Digest([1; 32]),
                payer: Key([1; 32]),
                payee: Key([2; 32]),
                amount: Units::ZERO,
                created: Timestamp(1),
                expires: Timestamp(2),
                mode,
                replaces: Digest::default(),
                memo: Digest::default(),
                list: Digest::default(),
            })
        };
        let payment = |order, state| Outgoing {
            id: PaymentId([1; 16]),
            payee: Key([2; 32]),
            name: String::new(),
            amount: Units::ZERO,
            memo: String::new(),
            certified: false,
            request: None,
            order,
            message: None,
            state,
            created: Timestamp(1),
            changed: Timestamp(1),
            receipt: None,
            refusal: None,
            token: None,
            back: Units::ZERO,
            proof: None,
            until: None,
            post: None,
        };
        for (mode, state, now) in [
            (Some(Mode::Certified), State::Sent, State::Issued),
            (Some(Mode::Direct), State::Sent, State::Sent),
            (Some(Mode::Certified), State::Receipted, State::Receipted),
            (None, State::Asking, State::Asking),
        ] {
            assert_eq!(payment(mode.map(signed), state).standing_now().state, now);
        }
    }
}
