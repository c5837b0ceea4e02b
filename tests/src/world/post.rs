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

impl Who {
    /// Whoever joined at this place.
    pub fn at(place: usize) -> Who {
        Who(place)
    }

    /// His place among those who joined.
    pub fn place(self) -> usize {
        self.0
    }
}

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

impl Mail {
    /// From whom and to whom; nobody is the bank.
    pub fn ends(&self) -> (Option<Who>, Option<Who>) {
        match self {
            Mail::Ask(from, to, ..) => (Some(*from), Some(*to)),
            Mail::Offered(to, from, ..) | Mail::Paid(to, from, ..) => (Some(*from), Some(*to)),
            Mail::Confirm(from, to, ..) => (Some(*from), Some(*to)),
            Mail::ToBank(from, ..) => (Some(*from), None),
            Mail::FromBank(to, ..) => (None, Some(*to)),
        }
    }
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

    /// The mail at this place, out of the bag.
    pub fn take(&mut self, place: usize) -> Option<Mail> {
        self.bag.remove(place)
    }

    /// The mail at this place.
    pub fn at(&self, place: usize) -> Option<&Mail> {
        self.bag.get(place)
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
