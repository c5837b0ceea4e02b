//! Scenes at the counter, with the real store and a wallet that is only a list of what happened.

mod backs;
mod books;
mod days;
mod goods;
mod hooks;
mod orders;
mod people;
mod selling;
mod sweeps;

use crate::shop::back::{Given, Lost};
use crate::shop::catalogue::{Item, Price};
use crate::shop::change::{Change, Decision, Happening};
use crate::shop::csv;
use crate::shop::day::Holds;
use crate::shop::hearing::{Arrival, Cursor, Heard, HeardEvent, HeardLine, Moved, Outcome, PaidFor, What};
use crate::shop::refund::{Held, Meant, NewRefund, Refund, RefundState, Why, back_of, name_of};
use crate::shop::rights::{Actor, NewStaff, Role};
use crate::shop::sale::{CartLine, NewSale, Sale, SaleState};
use crate::shop::settings::Settings;
use crate::shop::{Keeper, Refusal, Shop};
use crate::store::ShopStore;
use protocol::bank::{Certificate, CertificateKind, Identity, Introduction, Standing};
use protocol::body::Text;
use protocol::id::{BankId, Digest, Key, PaymentId, RequestId};
use protocol::money::{Currency, Units};
use protocol::shop::DayReport;
use protocol::sign::{Signed, Signer};
use protocol::time::{DAY_SECONDS, Day, Timestamp};
use std::collections::BTreeMap;

/// Noon of a day.
const NOON: Timestamp = Timestamp(20_500 * DAY_SECONDS + 43_200);

fn units(count: u64) -> Units {
    Units::new(count).unwrap()
}

fn keeper() -> Keeper {
    let currency = Currency::new("EUR", 2).unwrap();
    Keeper { bank: BankId([1; 8]), key: node().key(), name: "Bakery".to_owned(), currency }
}

fn node() -> Signer {
    Signer::from_secret(&[7; 32])
}

fn boss() -> Actor {
    Actor { name: "owner".to_owned(), role: Role::Owner, staff: None, token: None }
}

fn papers() -> Introduction {
    let key = node().key();
    let certificate = Certificate {
        bank: BankId([1; 8]),
        sequence: 1,
        owner: key,
        kind: CertificateKind::Shop,
        standing: Standing::Active,
        offline_limit: units(0),
        issued: NOON,
        expires: NOON.plus_seconds(DAY_SECONDS),
        name: Text::new("Bakery", 48).unwrap(),
    };
    let identity = Identity {
        bank: BankId([1; 8]),
        owner: key,
        view: key,
        node: key,
        generation: 0,
        sequence: 1,
        expires: NOON.plus_seconds(DAY_SECONDS),
    };
    Introduction { certificate: node().sign(certificate), identity: node().sign(identity) }
}

/// What the wallet told, in its order.
#[derive(Clone, Debug)]
enum Told {
    Received { payer: u8, payment: u8, units: u64, request: RequestId, certified: bool },
    Confirmed { payer: u8, payment: u8 },
    Outgoing { payment: PaymentId, outcome: Outcome },
    Something,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Sent(PaymentId),
    Returned(PaymentId),
    Reclaimed(PaymentId),
    Withdrawn,
    Deposited,
    Received,
    Lost { payer: u8, payment: u8 },
    ShownAgain { payer: u8, payment: u8 },
}

/// A wallet: requests and payments by the caller's key, events and history, a reserve.
#[derive(Default)]
struct Wallet {
    requests: BTreeMap<RequestId, RequestId>,
    payments: Vec<PaymentId>,
    events: Vec<Told>,
    lines: Vec<(Line, u64)>,
    /// When a payment came, where it matters.
    times: BTreeMap<u8, Timestamp>,
    /// What the wallet's file says of payments that a book may not know.
    given: BTreeMap<PaymentId, Given>,
    reserve: u64,
    locked: bool,
}

impl Wallet {
    /// The same for the same sale, for ever.
    fn request(&mut self, sale: &Sale) -> RequestId {
        let next = RequestId([100 + u8::try_from(self.requests.len()).unwrap(); 16]);
        *self.requests.entry(sale.id).or_insert(next)
    }

    fn receives(&mut self, payer: u8, payment: u8, units: u64, request: RequestId) {
        self.reserve += units;
        self.lines.push((Line::Received, units));
        self.events.push(Told::Received { payer, payment, units, request, certified: true });
    }

    /// The payer's word, until the bank has seen it.
    fn hears_his_word(&mut self, payer: u8, payment: u8, units: u64, request: RequestId) {
        self.reserve += units;
        self.lines.push((Line::Received, units));
        self.events.push(Told::Received { payer, payment, units, request, certified: false });
    }

    fn loses(&mut self, payer: u8, payment: u8, units: u64) {
        self.reserve -= units;
        self.lines.push((Line::Lost { payer, payment }, units));
        self.events.push(Told::Something);
    }

    fn withdraws(&mut self, units: u64) {
        self.reserve += units;
        self.lines.push((Line::Withdrawn, units));
        self.events.push(Told::Something);
    }

    /// Pays a refund: once, however often it is asked.
    fn pay(&mut self, refund: &Refund) -> bool {
        if self.locked {
            return false;
        }
        if !self.payments.contains(&refund.payment) {
            self.payments.push(refund.payment);
            self.reserve -= refund.units.get();
            self.lines.push((Line::Sent(refund.payment), refund.units.get()));
            self.events.push(Told::Outgoing { payment: refund.payment, outcome: Outcome::Open });
        }
        true
    }

    fn done(&mut self, payment: PaymentId) {
        self.events.push(Told::Outgoing { payment, outcome: Outcome::Done(Digest([9; 32])) });
    }

    /// Nobody answered: the units are on the account.
    fn reclaims(&mut self, payment: PaymentId, units: u64) {
        self.lines.push((Line::Reclaimed(payment), units));
        self.events.push(Told::Outgoing { payment, outcome: Outcome::NotDone });
    }

    fn comes_to_nothing(&mut self, payment: PaymentId, units: u64) {
        self.reserve += units;
        self.lines.push((Line::Returned(payment), units));
        self.events.push(Told::Outgoing { payment, outcome: Outcome::NotDone });
    }
}

/// The process ended here.
#[derive(Debug)]
struct Crash;

/// A shop with its disk and its wallet.
struct Scene {
    store: ShopStore,
    shop: Shop,
    wallet: Wallet,
    now: Timestamp,
    /// The newest time that the bank has told.
    told: Option<Timestamp>,
    commits: usize,
    /// The commit at which it dies, and whether that one is still on disk.
    dies_at: Option<(usize, bool)>,
}

impl Scene {
    fn new() -> Scene {
        let store = ShopStore::on(redb::backends::InMemoryBackend::new()).unwrap();
        let shop = store.load(keeper()).unwrap();
        let wallet = Wallet::default();
        Scene { store, shop, wallet, now: NOON, told: None, commits: 0, dies_at: None }
    }

    fn starts_again(&mut self) {
        self.shop = self.store.load(keeper()).unwrap();
        self.dies_at = None;
    }

    fn commit<R>(&mut self, decision: Decision<R>) -> Result<R, Crash> {
        self.commits += 1;
        if self.dies_at == Some((self.commits, false)) {
            return Err(Crash);
        }
        let store = &self.store;
        let reply = decision.commit(&mut self.shop, |changes| store.commit(changes)).unwrap();
        if self.dies_at == Some((self.commits, true)) { Err(Crash) } else { Ok(reply) }
    }

    fn decide<R>(&mut self, decision: Decision<R>) -> R {
        self.commit(decision).unwrap()
    }

    fn new_sale(&self, name: &str, price: u64, seconds: Option<u64>) -> NewSale {
        let line =
            CartLine { sku: None, name: Some("bread".to_owned()), quantity: 1, price: Some(units(price)) };
        let (id, call) = (name_of("shop-sale", None, name), Digest([u8::try_from(price).unwrap(); 32]));
        NewSale { id, call, till: None, cart: vec![line], seconds, ask: true }
    }

    /// Opens a sale and brings its request out, as the hands do.
    fn tries_to_sell(&mut self, name: &str, price: u64) -> Result<Sale, Crash> {
        let new = self.new_sale(name, price, None);
        let earlier = self.store.sale(&new.id).unwrap();
        let decision = self.shop.open_a_sale(new, earlier, &boss(), self.now).unwrap();
        let sale = self.commit(decision)?;
        self.carries_on()?;
        Ok(self.sale(&sale.id))
    }

    fn sells(&mut self, name: &str, price: u64) -> Sale {
        let sale = self.tries_to_sell(name, price).unwrap();
        assert_eq!(sale.state, SaleState::Asked);
        sale
    }

    fn sale(&self, id: &RequestId) -> Sale {
        self.store.sale(id).unwrap().unwrap()
    }

    fn refund(&self, id: &RequestId) -> Refund {
        self.store.refund(id).unwrap().unwrap()
    }

    /// What the hands do with what is open.
    fn carries_on(&mut self) -> Result<(), Crash> {
        let asking: Vec<Sale> =
            self.shop.open_sales().filter(|s| s.state == SaleState::Asking).cloned().collect();
        for sale in asking {
            let request = self.wallet.request(&sale);
            self.commit(self.shop.asked(&sale.id, request, self.now.plus_seconds(sale.seconds), self.now))?;
        }
        for (sale, _) in self.shop.overdue(self.now, Some(self.now)) {
            self.commit(self.shop.expire_sale(&sale, self.now))?;
        }
        for refund in self.shop.owed(self.now) {
            let decision = match self.wallet.pay(&refund) {
                true => self.shop.refund_is_paying(&refund.id, &refund.payment, self.now),
                false => {
                    let sale = self.store.sale(&refund.sale).unwrap();
                    let held = Held::ForNow("locked".to_owned());
                    self.shop.refund_is_held(&refund.id, &refund.payment, held, sale, self.now)
                }
            };
            self.commit(decision)?;
        }
        Ok(())
    }

    fn page(&self, from: Cursor) -> Heard {
        let events = self.wallet.events.iter().zip(1..).skip(usize::try_from(from.event).unwrap());
        let events = events.map(|(told, seq)| HeardEvent { seq, what: self.what(told) });
        let refund = |payment: &PaymentId| self.store.refund_of_payment(payment).unwrap();
        let lines = self.wallet.lines.iter().zip(1..).skip(usize::try_from(from.line).unwrap());
        let lines = lines.map(|((line, count), seq)| HeardLine {
            seq,
            units: units(*count),
            moved: match line {
                Line::Sent(payment) => match refund(payment) {
                    Some(refund) => Moved::Sent(Some(refund)),
                    None => Moved::Paid(*payment),
                },
                Line::Returned(payment) => Moved::Returned(refund(payment)),
                Line::Reclaimed(payment) => Moved::Reclaimed(refund(payment)),
                Line::Withdrawn => Moved::Withdrawn,
                Line::Deposited => Moved::Deposited,
                Line::Received => Moved::Elsewhere,
                Line::ShownAgain { payer, payment } => {
                    Moved::ShownAgain(Key([*payer; 32]), PaymentId([*payment; 16]))
                }
                Line::Lost { payer, payment } => Moved::Lost(self.paid_for(*payer, *payment)),
            },
        });
        Heard { events: events.collect(), lines: lines.collect(), papers: papers() }
    }

    fn what(&self, told: &Told) -> What {
        match told {
            Told::Received { payer, payment, units: count, request, certified } => What::Received(Arrival {
                payer: Key([*payer; 32]),
                name: format!("payer {payer}"),
                payment: PaymentId([*payment; 16]),
                units: units(*count),
                at: self.wallet.times.get(payment).copied().unwrap_or(self.now),
                request: Digest([2; 32]),
                order: Digest([*payment; 32]),
                receipt: Digest([*payment; 32]),
                certified: *certified,
                sale: self.store.sale_of_request(request).unwrap(),
                lost: self.store.back().unwrap().map(|_| Lost { till: "1".to_owned(), request: *request }),
            }),
            Told::Confirmed { payer, payment } => What::Confirmed(self.paid_for(*payer, *payment)),
            Told::Outgoing { payment, outcome } => {
                let refund = self.store.refund_of_payment(payment).unwrap();
                match refund.clone().filter(|refund| refund.payment == *payment) {
                    Some(refund) => {
                        let sale = self.store.sale(&refund.sale).unwrap();
                        What::Outgoing(refund, sale, *outcome)
                    }
                    None if self.store.back().unwrap().is_some() && refund.is_none() => {
                        let found = self.wallet.given.get(payment).cloned();
                        What::Given(found.map(|found| {
                            let sale = match found.meant {
                                Meant::Refund(number) => self.store.sale_of_number(number).unwrap(),
                                Meant::SentBack | Meant::Other => None,
                            };
                            Box::new(Given { sale, ..found })
                        }))
                    }
                    None => What::Other,
                }
            }
            Told::Something => What::Other,
        }
    }

    fn paid_for(&self, payer: u8, payment: u8) -> PaidFor {
        let (payer, payment) = (Key([payer; 32]), PaymentId([payment; 16]));
        let sale = self.store.sale_of_payment(&payer, &payment).unwrap();
        PaidFor { payer, payment, sale, back: self.store.refund(&back_of(&payer, &payment)).unwrap() }
    }

    fn hears(&mut self) -> Result<(), Crash> {
        let Some(cursor) = self.shop.cursor() else {
            let decision = self.shop.begin_hearing(Cursor::default(), Units::ZERO, self.now);
            self.commit(decision)?;
            return self.hears();
        };
        let decision = self.shop.hear(self.page(cursor), &node(), self.now).unwrap();
        self.commit(decision)
    }

    fn settles(&mut self) {
        self.hears().unwrap();
        self.carries_on().unwrap();
        self.hears().unwrap();
    }

    fn holds(&self) -> Holds {
        Holds { reserve: units(self.wallet.reserve), unconfirmed: Units::ZERO, told: self.told }
    }

    fn tries_to_refund(
        &mut self,
        sale: &Sale,
        name: &str,
        count: Option<u64>,
        who: &Actor,
    ) -> Result<Refund, Refusal> {
        let id = name_of("shop-refund", None, name);
        let call = Digest([u8::try_from(count.unwrap_or(0)).unwrap(); 32]);
        let new = NewRefund { id, call, units: count.map(units), reason: "stale".to_owned(), looked: false };
        let (sale, earlier) = (self.sale(&sale.id), self.store.refund(&id).unwrap());
        let decision = self.shop.refund(new, sale, earlier, who, self.now)?;
        Ok(self.decide(decision))
    }

    fn closes(&mut self) -> Result<Signed<DayReport>, Refusal> {
        self.hears().unwrap();
        let takings = self.store.takings().unwrap();
        let decision = self.shop.close_day(self.holds(), takings, &node(), &boss(), self.now)?;
        Ok(self.decide(decision))
    }

    /// The books of the shop are those of its wallet, and events have no gaps.
    fn is_sound(&mut self) {
        self.hears().unwrap();
        assert_eq!(
            self.shop.period().expected().unwrap(),
            units(self.wallet.reserve),
            "{:?}",
            self.shop.period()
        );
        let events = self.store.events(0, 100_000).unwrap();
        assert!(events.iter().zip(1..).all(|(event, seq)| event.seq == seq));
        let heard = events.iter().filter_map(|event| match event.what {
            Happening::Wallet { seq } => Some(seq),
            _ => None,
        });
        assert_eq!(heard.collect::<Vec<_>>(), (1..=self.wallet.events.len() as u64).collect::<Vec<_>>());
    }
}

fn cashier(scene: &mut Scene, max: Option<u64>, day: Option<u64>) -> Actor {
    let (refund_max, refund_day) = (max.map(units), day.map(units));
    let new = NewStaff {
        id: "ann".to_owned(),
        name: "Ann".to_owned(),
        role: Role::Cashier,
        secret: Digest([1; 32]),
        refund_max,
        refund_day,
    };
    let decision = scene.shop.add_staff(new, &boss(), scene.now).unwrap();
    scene.decide(decision);
    Actor { name: "Ann".to_owned(), role: Role::Cashier, staff: Some("ann".to_owned()), token: None }
}

fn item(sku: &str, name: &str, price: Price) -> Item {
    let (category, unit) = ("things".to_owned(), "piece".to_owned());
    let (sku, name) = (sku.to_owned(), name.to_owned());
    Item { sku, name, category, price, unit, digital: false, active: true, version: 0 }
}

fn three_items() -> Vec<Item> {
    vec![
        item("bread", "Bread", Price::Fixed(units(300))),
        item("tea", "Tea, green", Price::Suggested(units(450))),
        item("tip", "=Tip", Price::Free { least: units(50), most: units(5000) }),
    ]
}
