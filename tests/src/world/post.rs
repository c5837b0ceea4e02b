//! The post between people and the bank: it may lose, repeat, delay and reorder what it carries.

use super::chance::Chance;
use protocol::id::{PaymentId, RequestId};
use protocol::pay::Receipt;
use protocol::sign::Signed;
use protocol::wire::{BankAnswer, PayAnswer};
use std::collections::VecDeque;

/// Somebody in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Who(pub(super) usize);

/// Something on its way.
#[derive(Clone, Debug)]
pub enum Mail {
    /// A letterhead's bytes to a payee or payer; about which payment, and what is asked.
    Ask(Who, Who, PaymentId, Vec<u8>),
    /// The answer to an offer, back at the payer.
    Offered(Who, Who, PaymentId, PayAnswer),
    /// The answer to a payment, back at the payer.
    Paid(Who, Who, PaymentId, PayAnswer),
    /// A confirmation, to the payer.
    Confirm(Who, Who, PaymentId, Signed<Receipt>),
    /// To the bank.
    ToBank(Who, RequestId, Vec<u8>),
    /// From the bank.
    FromBank(Who, RequestId, Box<BankAnswer>),
}

/// How bad the post is, in percent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// Mail that is lost.
    pub lost: u64,
    /// Mail that arrives, and arrives once more later.
    pub repeated: u64,
    /// Mail that is overtaken.
    pub overtaken: u64,
}

/// The post.
#[derive(Clone, Debug, Default)]
pub struct Post {
    bag: VecDeque<Mail>,
    /// How bad it is today.
    pub weather: Weather,
}

impl Post {
    /// Takes mail.
    pub fn send(&mut self, mail: Mail) {
        self.bag.push_back(mail);
    }

    /// How much is on its way.
    pub fn len(&self) -> usize {
        self.bag.len()
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.bag.is_empty()
    }

    /// Throws all of it away.
    pub fn lose_everything(&mut self) {
        self.bag.clear();
    }

    /// The next mail that arrives; none if it was lost or there is none.
    pub fn next(&mut self, chance: &mut Chance) -> Option<Mail> {
        let place = if chance.percent(self.weather.overtaken) { chance.place(self.bag.len()) } else { 0 };
        let mail = self.bag.remove(place)?;
        if chance.percent(self.weather.repeated) {
            self.bag.push_back(mail.clone());
        }
        (!chance.percent(self.weather.lost)).then_some(mail)
    }
}
