//! Scenes at the counter, with the real store and a wallet that is only a list of what happened.

mod orders;

use super::catalogue::{Item, Price};
use super::change::{Change, Decision, Happening};
use super::csv;
use super::day::Holds;
use super::hearing::{Arrival, Cursor, Heard, HeardEvent, HeardLine, Moved, Outcome, What};
use super::refund::{Held, NewRefund, Refund, RefundState, Why, name_of};
use super::rights::{Actor, NewStaff, Role};
use super::sale::{CartLine, NewSale, Sale, SaleState};
use super::settings::Settings;
use super::{Keeper, Refusal, Shop};
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
    Received { payer: u8, payment: u8, units: u64, request: RequestId },
    Confirmed { payment: u8 },
    Outgoing { payment: PaymentId, outcome: Outcome },
    Something,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Sent(PaymentId),
    Returned(PaymentId),
    Withdrawn,
    Received,
}

/// A wallet: requests and payments by the caller's key, events and history, a reserve.
#[derive(Default)]
struct Wallet {
    requests: BTreeMap<RequestId, RequestId>,
    payments: Vec<PaymentId>,
    events: Vec<Told>,
    lines: Vec<(Line, u64)>,
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
        self.events.push(Told::Received { payer, payment, units, request });
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
    commits: usize,
    /// The commit at which it dies, and whether that one is still on disk.
    dies_at: Option<(usize, bool)>,
}

impl Scene {
    fn new() -> Scene {
        let store = ShopStore::on(redb::backends::InMemoryBackend::new()).unwrap();
        let shop = store.load(keeper()).unwrap();
        let wallet = Wallet::default();
        Scene { store, shop, wallet, now: NOON, commits: 0, dies_at: None }
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
        for (sale, _) in self.shop.overdue(self.now) {
            self.commit(self.shop.expire_sale(&sale, self.now))?;
        }
        for refund in self.shop.owed(self.now) {
            let decision = match self.wallet.pay(&refund) {
                true => self.shop.refund_is_paying(&refund.id, self.now),
                false => {
                    let sale = self.store.sale(&refund.sale).unwrap();
                    self.shop.refund_is_held(&refund.id, Held::ForNow("locked".to_owned()), sale, self.now)
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
                Line::Sent(payment) => Moved::Sent(refund(payment)),
                Line::Returned(payment) => Moved::Returned(refund(payment)),
                Line::Withdrawn => Moved::Withdrawn,
                Line::Received => Moved::Elsewhere,
            },
        });
        Heard { events: events.collect(), lines: lines.collect(), papers: papers() }
    }

    fn what(&self, told: &Told) -> What {
        match told {
            Told::Received { payer, payment, units: count, request } => What::Received(Arrival {
                payer: Key([*payer; 32]),
                name: format!("payer {payer}"),
                payment: PaymentId([*payment; 16]),
                units: units(*count),
                at: self.now,
                request: Digest([2; 32]),
                order: Digest([*payment; 32]),
                receipt: Digest([*payment; 32]),
                certified: false,
                sale: self.store.sale_of_request(request).unwrap(),
            }),
            Told::Confirmed { payment } => {
                What::Confirmed(self.store.sale_of_payment(&PaymentId([*payment; 16])).unwrap())
            }
            Told::Outgoing { payment, outcome } => {
                let refund = self.store.refund_of_payment(payment).unwrap();
                match refund.filter(|refund| refund.payment == *payment) {
                    Some(refund) => {
                        let sale = self.store.sale(&refund.sale).unwrap();
                        What::Outgoing(refund, sale, *outcome)
                    }
                    None => What::Other,
                }
            }
            Told::Something => What::Other,
        }
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
        Holds { reserve: units(self.wallet.reserve), unconfirmed: Units::ZERO }
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
        let new = NewRefund { id, call, units: count.map(units), reason: "stale".to_owned() };
        let (sale, earlier) = (self.sale(&sale.id), self.store.refund(&id).unwrap());
        let decision = self.shop.refund(new, sale, earlier, who, self.now)?;
        Ok(self.decide(decision))
    }

    fn closes(&mut self) -> Result<Signed<DayReport>, Refusal> {
        self.hears().unwrap();
        let decision = self.shop.close_day(self.holds(), &node(), &boss(), self.now)?;
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

/// N7: a sale from the cart to the receipt document.
#[test]
fn a_sale_is_paid_once() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    scene.wallet.receives(1, 1, 40, sale.request.unwrap());
    scene.settles();
    let paid = scene.sale(&sale.id);
    let proof = paid.paid.clone().unwrap();
    assert_eq!((paid.state, proof.number, proof.payer), (SaleState::Paid, 1, Key([1; 32])));
    assert_eq!(proof.receipt.check_by(&node().key()), Ok(()));
    assert_eq!((proof.receipt.unverified().total, proof.confirmed), (units(40), false));
    scene.wallet.events.push(Told::Confirmed { payment: 1 });
    scene.settles();
    assert!(scene.sale(&sale.id).paid.unwrap().confirmed);
    assert_eq!(scene.shop.open_sales().count(), 0);
    scene.is_sound();
}

/// B7: dies at every commit, before it and after it, and is started again: whatever was on its way happens once.
#[test]
fn a_crash_anywhere_is_boring() {
    // The same calls with the same keys, as a caller repeats them who had no answer.
    fn life(scene: &mut Scene) -> Result<(), Crash> {
        scene.hears()?;
        let sale = scene.tries_to_sell("one", 40)?;
        if !scene.wallet.lines.contains(&(Line::Received, 40)) {
            scene.wallet.receives(1, 1, 40, sale.request.unwrap());
        }
        scene.hears()?;
        let id = name_of("shop-refund", None, "back");
        let new = NewRefund { id, call: Digest([3; 32]), units: Some(units(15)), reason: String::new() };
        let (sale, earlier) = (scene.sale(&sale.id), scene.store.refund(&id).unwrap());
        let decision = scene.shop.refund(new, sale, earlier, &boss(), scene.now).unwrap();
        scene.commit(decision)?;
        scene.carries_on()?;
        scene.hears()?;
        let payment = scene.refund(&id).payment;
        if scene.refund(&id).state == RefundState::Paying {
            scene.wallet.done(payment);
        }
        scene.hears()
    }
    let mut whole = Scene::new();
    life(&mut whole).unwrap();
    let commits = whole.commits;
    assert!(commits > 8, "{commits}");
    for at in 1..=commits {
        for on_disk in [false, true] {
            let mut scene = Scene::new();
            scene.dies_at = Some((at, on_disk));
            assert!(life(&mut scene).is_err(), "it dies at {at}");
            scene.starts_again();
            life(&mut scene).unwrap();
            let sale = scene.sale(&name_of("shop-sale", None, "one"));
            let refund = scene.refund(&name_of("shop-refund", None, "back"));
            assert_eq!(
                (sale.state, sale.refunded, sale.refunds),
                (SaleState::Paid, units(15), 1),
                "{at} {on_disk}"
            );
            assert_eq!(sale.paid.unwrap().number, 1);
            assert_eq!((refund.state, scene.wallet.payments.len()), (RefundState::Done, 1), "{at} {on_disk}");
            assert_eq!(scene.wallet.reserve, 25);
            scene.is_sound();
        }
    }
}

/// The wallet's events are shown twice, and out of their place: each counts once.
#[test]
fn what_was_heard_is_not_heard_again() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    scene.wallet.receives(1, 1, 40, sale.request.unwrap());
    scene.hears().unwrap();
    for from in [Cursor::default(), Cursor { event: 1, line: 0 }] {
        let decision = scene.shop.hear(scene.page(from), &node(), scene.now).unwrap();
        scene.decide(decision);
    }
    assert_eq!(scene.shop.period().received().unwrap(), units(40));
    let mut ahead = scene.page(Cursor::default());
    ahead.events[0].seq = 5;
    let decision = scene.shop.hear(ahead, &node(), scene.now).unwrap();
    scene.decide(decision);
    assert_eq!(scene.shop.cursor(), Some(Cursor { event: 1, line: 1 }));
    scene.is_sound();
}

/// N7: paid after it was taken back, after it had ended, and a second time: all of it is sent back, once, with a note.
#[test]
fn what_comes_for_nothing_goes_back() {
    for (why, state) in [
        (Why::Cancelled, SaleState::Cancelled),
        (Why::Expired, SaleState::Expired),
        (Why::Twice, SaleState::Paid),
    ] {
        let mut scene = Scene::new();
        let sale = scene.sells("one", 40);
        let request = sale.request.unwrap();
        match why {
            Why::Cancelled => {
                let decision = scene.shop.cancel_sale(&sale.id, &boss(), scene.now).unwrap();
                scene.decide(decision);
            }
            Why::Expired => {
                scene.now = scene.now.plus_seconds(901);
                scene.carries_on().unwrap();
            }
            _ => scene.wallet.receives(2, 2, 40, request),
        }
        scene.settles();
        assert_eq!(scene.sale(&sale.id).state, state);
        scene.wallet.locked = true;
        scene.wallet.receives(1, 1, 40, request);
        scene.settles();
        let owed = scene.shop.owed(scene.now);
        assert_eq!((owed.len(), owed[0].why, owed[0].to, owed[0].units), (1, why, Key([1; 32]), units(40)));
        assert_eq!((owed[0].held.as_str(), owed[0].reason.starts_with("sent back")), ("locked", true));
        scene.wallet.locked = false;
        scene.settles();
        assert_eq!(scene.wallet.payments.len(), 1);
        // It comes to nothing once, and is tried again under another name; not at once.
        scene.wallet.comes_to_nothing(owed[0].payment, 40);
        scene.settles();
        assert_eq!(scene.wallet.payments.len(), 1);
        scene.now = scene.now.plus_seconds(61);
        scene.settles();
        assert_eq!(scene.wallet.payments.len(), 2);
        let second = scene.wallet.payments[1];
        scene.wallet.done(second);
        scene.settles();
        assert_eq!(scene.refund(&owed[0].id).state, RefundState::Done);
        assert_eq!(scene.shop.open_refunds().count(), 0);
        let period = scene.shop.period();
        assert_eq!((period.sent_back, period.other_in), (units(40), units(40)), "{why:?}");
        scene.is_sound();
    }
}

/// Money for no sale at all is booked as such, and kept.
#[test]
fn a_present_is_no_sale() {
    let mut scene = Scene::new();
    scene.hears().unwrap();
    scene.wallet.receives(1, 1, 7, RequestId([77; 16]));
    scene.wallet.withdraws(100);
    scene.settles();
    let period = scene.shop.period();
    assert_eq!(
        (period.other_in, period.withdrawn, period.received().unwrap()),
        (units(7), units(100), units(0))
    );
    scene.is_sound();
}

/// Never above what was paid, by one refund or by many; the same key gives back once; another call under it is refused.
#[test]
fn refunds_stay_within_what_was_paid() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    let unpaid = scene.tries_to_refund(&sale, "too early", Some(1), &boss());
    assert!(matches!(unpaid, Err(Refusal::State { state: "asked", .. })));
    scene.wallet.receives(1, 1, 40, sale.request.unwrap());
    scene.settles();
    assert_eq!(
        scene.tries_to_refund(&sale, "a", Some(41), &boss()),
        Err(Refusal::OverPaid { left: units(40), asked: units(41) })
    );
    assert_eq!(
        scene.tries_to_refund(&sale, "a", Some(0), &boss()),
        Err(Refusal::OverPaid { left: units(40), asked: units(0) })
    );
    let first = scene.tries_to_refund(&sale, "a", Some(30), &boss()).unwrap();
    assert_eq!(
        scene.tries_to_refund(&sale, "b", Some(11), &boss()),
        Err(Refusal::OverPaid { left: units(10), asked: units(11) })
    );
    assert_eq!(scene.tries_to_refund(&sale, "a", Some(30), &boss()).unwrap().id, first.id);
    assert_eq!(scene.tries_to_refund(&sale, "a", Some(31), &boss()), Err(Refusal::KeyReused));
    scene.settles();
    assert_eq!(scene.wallet.payments.len(), 1);
    // It comes to nothing: what was promised can be given back again.
    scene.wallet.comes_to_nothing(first.payment, 30);
    scene.settles();
    assert_eq!(scene.refund(&first.id).state, RefundState::Failed);
    assert_eq!(scene.sale(&sale.id).refunded, Units::ZERO);
    let all = scene.tries_to_refund(&sale, "c", None, &boss()).unwrap();
    assert_eq!(all.units, units(40));
    scene.settles();
    scene.wallet.done(all.payment);
    scene.settles();
    let note = scene.refund(&all.id).note.unwrap();
    let receipt = scene.sale(&sale.id).paid.unwrap().receipt;
    assert_eq!((note.unverified().sale, note.unverified().units), (receipt.digest(), units(40)));
    assert!(matches!(scene.tries_to_refund(&sale, "d", None, &boss()), Err(Refusal::OverPaid { .. })));
    assert_eq!(scene.shop.period().refunded().unwrap(), units(40));
    scene.is_sound();
}

/// A locked till owes, a wallet that says no for good ends it; both are said.
#[test]
fn a_refund_that_cannot_go_out_waits_or_ends() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    scene.wallet.receives(1, 1, 40, sale.request.unwrap());
    scene.settles();
    scene.wallet.locked = true;
    let refund = scene.tries_to_refund(&sale, "a", Some(5), &boss()).unwrap();
    scene.settles();
    let commits = scene.commits;
    scene.carries_on().unwrap();
    assert_eq!(scene.refund(&refund.id).held, "locked");
    assert_eq!(scene.store.events(0, 1000).unwrap().len(), {
        scene.carries_on().unwrap();
        scene.store.events(0, 1000).unwrap().len()
    });
    assert!(scene.commits > commits);
    scene.starts_again();
    let stored = scene.store.sale(&sale.id).unwrap();
    let decision =
        scene.shop.refund_is_held(&refund.id, Held::ForGood("over the cap".to_owned()), stored, scene.now);
    scene.decide(decision);
    assert_eq!(scene.refund(&refund.id).state, RefundState::Failed);
    assert_eq!((scene.sale(&sale.id).refunded, scene.sale(&sale.id).refunds), (Units::ZERO, 0));
    scene.is_sound();
}

/// Z once a business day; an X report changes nothing; what is paid after its day's report is late in the next.
#[test]
fn a_day_is_closed_once_and_late_money_is_told() {
    let mut scene = Scene::new();
    scene.hears().unwrap();
    let (first, late) = (scene.sells("one", 40), scene.sells("two", 25));
    scene.wallet.receives(1, 1, 40, first.request.unwrap());
    scene.hears().unwrap();
    let before = scene.store.events(0, 1000).unwrap().len();
    let x = scene.shop.report(scene.holds(), scene.now).unwrap();
    assert_eq!((x.received, x.number), (units(40), 1));
    assert_eq!(scene.store.events(0, 1000).unwrap().len(), before);
    let z1 = scene.closes().unwrap();
    assert_eq!(
        (z1.unverified().number, z1.unverified().received, z1.unverified().prev),
        (1, units(40), Digest::default())
    );
    assert_eq!(scene.closes(), Err(Refusal::DayClosed { day: Day(20_500), number: 1 }));
    // The shop goes on selling: that is tomorrow's.
    scene.now = scene.now.plus_seconds(60);
    let evening = scene.sells("three", 7);
    assert_eq!(evening.day, Day(20_501));
    scene.wallet.receives(2, 2, 25, late.request.unwrap());
    scene.wallet.receives(3, 3, 7, evening.request.unwrap());
    scene.hears().unwrap();
    assert!(scene.sale(&late.id).paid.unwrap().late);
    scene.now = scene.now.plus_seconds(DAY_SECONDS);
    let z2 = scene.closes().unwrap();
    let body = z2.unverified();
    assert_eq!((body.number, body.prev, body.opening), (2, z1.digest(), units(40)));
    assert_eq!(
        (body.received, body.late, body.expected, body.reserve),
        (units(7), units(25), units(72), units(72))
    );
    let lines: Vec<(Day, bool, Units)> =
        body.lines.iter().map(|line| (line.day, line.late, line.received)).collect();
    assert_eq!(lines, [(Day(20_500), true, units(25)), (Day(20_501), false, units(7))]);
    assert_eq!(z2.check_by(&node().key()), Ok(()));
    // Kept as they were made.
    scene.starts_again();
    assert_eq!(scene.store.report(1).unwrap().unwrap(), z1);
    assert_eq!((scene.shop.period().reports, scene.shop.period().opening), (2, units(72)));
}

/// A wallet that holds something else than was booked shows in the report, once.
#[test]
fn a_difference_is_told_once() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    scene.wallet.receives(1, 1, 40, sale.request.unwrap());
    scene.hears().unwrap();
    scene.wallet.reserve -= 3;
    let z = scene.closes().unwrap();
    assert_eq!((z.unverified().expected, z.unverified().reserve), (units(40), units(37)));
    scene.now = scene.now.plus_seconds(DAY_SECONDS);
    let next = scene.closes().unwrap();
    assert_eq!((next.unverified().expected, next.unverified().reserve), (units(37), units(37)));
}

/// A wallet with fewer events than were heard is another one: it is said, and heard from where it is.
#[test]
fn a_restored_wallet_is_noticed() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    scene.wallet.receives(1, 1, 40, sale.request.unwrap());
    scene.settles();
    let decision = scene.shop.wallet_is_behind(Cursor::default(), scene.now);
    scene.decide(decision);
    let last = scene.store.events(0, 1000).unwrap().pop().unwrap();
    assert_eq!(last.what, Happening::WalletBehind { heard: 1, has: 0 });
    // The same payment, told again by the restored wallet: the sale is paid already, by this very one.
    scene.hears().unwrap();
    assert_eq!((scene.shop.open_refunds().count(), scene.shop.period().received().unwrap()), (0, units(40)));
}

/// Day borders and time zones: a table of (UTC second of the day, offset, closing hour) and the business day.
#[test]
fn a_business_day_ends_at_the_closing_hour() {
    let day = 20_500;
    let at = |hours: u64, minutes: u64| Timestamp(day * DAY_SECONDS + hours * 3600 + minutes * 60);
    let today = u32::try_from(day).unwrap();
    for (moment, offset_minutes, closes_minutes, expected) in [
        (at(0, 0), 0, 0, today),
        (at(23, 59), 0, 0, today),
        (at(23, 0), 120, 0, today + 1),
        (at(21, 59), 120, 0, today),
        (at(0, 30), -60, 0, today - 1),
        (at(2, 59), 0, 180, today - 1),
        (at(3, 0), 0, 180, today),
        (at(0, 59), 120, 180, today - 1),
        (at(1, 0), 120, 180, today),
        (at(12, 0), 14 * 60, 0, today + 1),
        (Timestamp(0), -60, 180, 0),
    ] {
        let settings = Settings { offset_minutes, closes_minutes, ..Settings::default() };
        assert_eq!(settings.day_of(moment), Day(expected), "{moment} {offset_minutes} {closes_minutes}");
    }
    let scene = Scene::new();
    let good = Settings::default();
    for bad in [
        Settings { tills: Vec::new(), ..good.clone() },
        Settings { tills: vec!["1".into(), "1".into()], ..good.clone() },
        Settings { tills: vec![" ".into()], ..good.clone() },
        Settings { tills: vec!["x".repeat(25)], ..good.clone() },
        Settings { offset_minutes: 841, ..good.clone() },
        Settings { closes_minutes: 1440, ..good.clone() },
        Settings { sale_seconds: 29, ..good.clone() },
    ] {
        assert!(scene.shop.set(bad, &boss(), NOON).is_err());
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

/// A cashier's caps hold for each refund and for the business day, over a restart.
#[test]
fn caps_are_kept() {
    let mut scene = Scene::new();
    let ann = cashier(&mut scene, Some(10), Some(15));
    let sale = scene.sells("one", 100);
    scene.wallet.receives(1, 1, 100, sale.request.unwrap());
    scene.settles();
    let over = |left, asked| Err(Refusal::OverCap { left: units(left), asked: units(asked) });
    assert_eq!(scene.tries_to_refund(&sale, "a", Some(11), &ann), over(10, 11));
    assert!(scene.tries_to_refund(&sale, "b", Some(10), &ann).is_ok());
    scene.starts_again();
    assert_eq!(scene.tries_to_refund(&sale, "c", Some(6), &ann), over(5, 6));
    assert!(scene.tries_to_refund(&sale, "d", Some(5), &ann).is_ok());
    assert_eq!(scene.tries_to_refund(&sale, "e", Some(1), &ann), over(0, 1));
    assert!(scene.tries_to_refund(&sale, "f", Some(30), &boss()).is_ok(), "the owner has no cap");
    scene.now = scene.now.plus_seconds(DAY_SECONDS);
    assert!(scene.tries_to_refund(&sale, "g", Some(10), &ann).is_ok(), "a new day");
}

/// What is asked and refused stands in the audit log as well as what is done.
#[test]
fn everything_is_audited() {
    let mut scene = Scene::new();
    let ann = cashier(&mut scene, None, None);
    scene.sells("one", 4);
    let decision = scene.shop.note_refused(&ann, "report.z", "not_your_role", scene.now);
    scene.decide(decision);
    let end = scene.shop.end_staff("ann", &boss(), scene.now).unwrap();
    scene.decide(end);
    assert!(matches!(scene.shop.end_staff("ann", &boss(), NOON), Err(Refusal::NotFound(_))));
    scene.starts_again();
    let page = daemon::store::Page { before: None, limit: 10 };
    let lines = scene.store.audit(page).unwrap();
    let lines: Vec<(u64, &str, &str, &str)> = lines
        .iter()
        .map(|line| (line.number, line.who.as_str(), line.method.as_str(), line.outcome.as_str()))
        .collect();
    assert_eq!(
        lines,
        [
            (4, "owner", "staff.end", "done"),
            (3, "Ann", "report.z", "not_your_role"),
            (2, "owner", "sale.open", "done"),
            (1, "owner", "staff.add", "done"),
        ]
    );
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

/// M4: fixed, suggested and free prices; a cart that breaks a rule names its line.
#[test]
fn prices_keep_their_rules() {
    let mut scene = Scene::new();
    let decision = scene.shop.import(three_items(), false, &boss(), NOON).unwrap();
    scene.decide(decision);
    let line = |sku: &str, quantity, price: Option<u64>| CartLine {
        sku: Some(sku.to_owned()),
        name: None,
        quantity,
        price: price.map(units),
    };
    let total = |scene: &Scene, cart: Vec<CartLine>| {
        let new = NewSale { cart, ..scene.new_sale("x", 1, None) };
        let mut shop = scene.shop.clone();
        let opened = shop.clone().open_a_sale(new, None, &boss(), NOON)?;
        Ok(opened.commit::<()>(&mut shop, |_| Ok(())).unwrap().total.get())
    };
    let good = vec![
        line("bread", 2, None),
        line("tea", 1, None),
        line("tea", 1, Some(100)),
        line("tip", 1, Some(50)),
    ];
    assert_eq!(total(&scene, good), Ok(600 + 450 + 100 + 50));
    for (bad, words) in [
        (line("bread", 1, Some(299)), "costs 3.00 EUR"),
        (line("tip", 1, None), "say how much"),
        (line("tip", 1, Some(49)), "0.50 EUR to 50.00 EUR"),
        (line("tip", 1, Some(5001)), "0.50 EUR to 50.00 EUR"),
        (line("cake", 1, None), "no article «cake»"),
        (line("bread", 0, None), "1 to"),
        (line("bread", 100_001, None), "1 to"),
        (CartLine { sku: None, name: None, quantity: 1, price: Some(units(1)) }, "what is it"),
        (CartLine { sku: None, name: Some("x".into()), quantity: 1, price: None }, "a price is needed"),
        (CartLine { sku: None, name: Some("a\u{7}".into()), quantity: 1, price: Some(units(1)) }, "control"),
    ] {
        match total(&scene, vec![line("bread", 1, None), bad]) {
            Err(Refusal::Line { line: 2, why }) => assert!(why.contains(words), "{why}"),
            other => panic!("{words}: {other:?}"),
        }
    }
    assert!(matches!(total(&scene, Vec::new()), Err(Refusal::Lines(200))));
    assert!(matches!(total(&scene, vec![line("bread", 1, None); 201]), Err(Refusal::Lines(200))));
    let free = CartLine { sku: None, name: Some("air".into()), quantity: 1, price: Some(Units::ZERO) };
    assert!(matches!(total(&scene, vec![free]), Err(Refusal::Value(_))), "nobody can pay nothing");
    let dear = CartLine { sku: None, name: Some("x".into()), quantity: 2, price: Some(Units::MAX) };
    assert!(matches!(total(&scene, vec![dear]), Err(Refusal::Range(_))));
    // An article that is not sold any more; a sale keeps the price that it was opened with.
    let ended = Item { active: false, ..item("bread", "Bread", Price::Fixed(units(300))) };
    let decision = scene.shop.put_item(ended, &boss(), NOON).unwrap();
    scene.decide(decision);
    assert!(matches!(total(&scene, vec![line("bread", 1, None)]), Err(Refusal::Line { .. })));
}

/// A till that the settings do not name, the same key with another cart, a cart whose request is out.
#[test]
fn a_sale_that_cannot_be_opened_is_not() {
    let mut scene = Scene::new();
    let new = NewSale { till: Some("9".to_owned()), ..scene.new_sale("a", 4, None) };
    assert!(matches!(scene.shop.open_a_sale(new, None, &boss(), NOON), Err(Refusal::NoTill(_))));
    let new = scene.new_sale("a", 4, Some(10));
    assert!(matches!(scene.shop.open_a_sale(new, None, &boss(), NOON), Err(Refusal::Value(_))));
    let sale = scene.sells("a", 4);
    let other = scene.new_sale("a", 5, None);
    assert!(matches!(
        scene.shop.open_a_sale(other, Some(sale.clone()), &boss(), NOON),
        Err(Refusal::KeyReused)
    ));
    assert!(matches!(scene.shop.change_sale(&sale.id, &[], &boss(), NOON), Err(Refusal::State { .. })));
    assert!(matches!(
        scene.shop.change_sale(&RequestId([0; 16]), &[], &boss(), NOON),
        Err(Refusal::NotFound(_))
    ));
    // Asked by the wallet after it was taken back: nobody has seen the request, and it stays so.
    let cart = NewSale { ask: true, ..scene.new_sale("b", 4, None) };
    let decision = scene.shop.open_a_sale(cart, None, &boss(), NOON).unwrap();
    let asking = scene.decide(decision);
    let decision = scene.shop.cancel_sale(&asking.id, &boss(), NOON).unwrap();
    scene.decide(decision);
    let decision = scene.shop.asked(&asking.id, RequestId([9; 16]), NOON, NOON);
    scene.decide(decision);
    assert_eq!(scene.sale(&asking.id).state, SaleState::Cancelled);
}

/// What is exported reads back the same; `replace` ends what is not in the file; a look changes nothing.
#[test]
fn a_catalogue_comes_back_as_it_went() {
    let mut scene = Scene::new();
    let mut items = three_items();
    items.push(item("apo", "'=quoted", Price::Fixed(units(1))));
    items.push(Item { digital: true, ..item("song", "Söng \"live\"\nno", Price::Fixed(units(99))) });
    items[4].name = "Söng \"live\"; x".to_owned();
    let decision = scene.shop.import(items.clone(), false, &boss(), NOON).unwrap();
    assert_eq!(scene.decide(decision).added, 5);
    let text = csv::write(scene.shop.items().values(), &keeper().currency);
    assert!(text.contains("'=Tip") && text.contains("''=quoted"), "{text}");
    let read = csv::read(&text, &keeper().currency).unwrap();
    let done = scene.shop.would_import(read.clone(), true, &boss(), NOON).unwrap();
    assert_eq!((done.same, done.added, done.changed, done.ended, done.version), (5, 0, 0, 0, 1));
    let excel = format!("\u{feff}{}", text.replace("\r\n", "\n"));
    assert_eq!(csv::read(&excel, &keeper().currency).unwrap(), read);
    let decision = scene.shop.import(read[..2].to_vec(), true, &boss(), NOON).unwrap();
    let done = scene.decide(decision);
    assert_eq!((done.same, done.ended, done.version), (2, 3, 2));
    scene.starts_again();
    assert_eq!(scene.shop.items().values().filter(|item| item.active).count(), 2);
    assert_eq!(scene.shop.version(), 2);
}

/// A file with mistakes: each is named by line and column, and nothing of it is taken.
#[test]
fn a_bad_file_is_refused_as_a_whole() {
    let eur = keeper().currency;
    for (text, line, column, words) in [
        ("", 1, "sku", "needed"),
        ("sku;name;price\nbread;Bread;1,50", 2, "price", "not an amount"),
        ("sku,name,price\nbread,Bread,-1", 2, "price", "not an amount"),
        ("sku,name,price\nbread,Bread,1.234", 2, "price", "more decimals"),
        ("sku,name,price\nbread,Bread,=1+1", 2, "price", "not an amount"),
        ("sku,name,price\nbread,Bread,", 2, "price", "needed"),
        ("sku,name,price\nbread,,1", 2, "name", "needed"),
        ("sku,name,price\n,Bread,1", 2, "sku", "one word"),
        ("sku,name,price\na b,Bread,1", 2, "sku", "one word"),
        ("sku,name,price\na*b,Bread,1", 2, "sku", "one word"),
        ("sku,name,price\nbread,Bread,1\nmilk,Milk,2\nbread,More,3", 4, "sku", "line 2, too"),
        ("sku,name,price\nbread,Bread", 2, "", "2 cells"),
        ("sku,name,price\nbread,Bread,1,x", 2, "", "4 cells"),
        ("sku,name,prise\nbread,Bread,1", 1, "prise", "unknown column"),
        ("sku,sku,name\na,b,c", 1, "sku", "twice"),
        ("sku,name,rule,price\na,b,gift,1", 2, "rule", "none of"),
        ("sku,name,rule,price,min,max\na,b,free,1,,2", 2, "price", "has none"),
        ("sku,name,rule,min\na,b,free,1", 2, "max", "needs its most"),
        ("sku,name,rule,min,max\na,b,free,3,2", 2, "max", "less than"),
        ("sku,name,price,min\na,b,1,1", 2, "rule", "beside the rule"),
        ("sku,name,price,active\na,b,1,maybe", 2, "active", "neither"),
        ("sku,name,price\na,\u{202e}b,1", 2, "name", "control"),
        ("sku,name,price", 0, "", "no article"),
    ] {
        let flaws = csv::read(text, &eur).unwrap_err();
        let flaw = &flaws[0];
        assert_eq!((flaw.line, flaw.column.as_str()), (line, column), "{text:?}: {flaws:?}");
        assert!(flaw.why.contains(words), "{text:?}: {}", flaw.why);
    }
    let huge = format!("sku,name,price\n{}", "x,y,1\n".repeat(400_000));
    assert!(csv::read(&huge, &eur).unwrap_err()[0].why.contains("at most"));
    let many: String = (0..200).map(|n| format!("a{n},,\n")).collect();
    assert_eq!(csv::read(&format!("sku,name,price\n{many}"), &eur).unwrap_err().len(), 100);
    let quote = csv::read("sku,name,price\n\"a,b,1", &eur);
    assert!(quote.is_err(), "an open quote takes the rest");
}

proptest::proptest! {
    /// Nonsense is refused or read, and never panics; what is read is written so that it reads back the same.
    #[test]
    fn nonsense_never_panics(text in "[a-z0-9,;\"'=\n\r\\-+@.áß]{0,120}", header in proptest::bool::ANY) {
        let eur = keeper().currency;
        let text = if header { format!("sku,name,price\n{text}") } else { text };
        if let Ok(items) = csv::read(&text, &eur) {
            let again = csv::read(&csv::write(&items, &eur), &eur);
            proptest::prop_assert_eq!(again, Ok(items));
        }
    }
}

/// The store holds what was decided: loaded again, the shop is the same.
#[test]
fn what_is_loaded_is_what_was_left() {
    let mut scene = Scene::new();
    let decision = scene.shop.import(three_items(), false, &boss(), NOON).unwrap();
    scene.decide(decision);
    cashier(&mut scene, Some(5), None);
    let settings =
        Settings { tills: vec!["a".into(), "b".into()], closes_minutes: 180, ..Settings::default() };
    let decision = scene.shop.set(settings, &boss(), NOON).unwrap();
    scene.decide(decision);
    let (open, paid) = (scene.sells("one", 4), scene.sells("two", 5));
    scene.wallet.receives(1, 1, 5, paid.request.unwrap());
    scene.settles();
    let before = format!("{:?}", scene.shop);
    scene.starts_again();
    assert_eq!(format!("{:?}", scene.shop), before);
    assert_eq!(scene.shop.open_sale(&open.id), Some(&open));
    assert_eq!(scene.store.sale_of_number(1).unwrap().unwrap().id, paid.id);
    let page: Vec<RequestId> =
        scene.store.sales(None, 10).unwrap().into_iter().map(|(_, sale)| sale.id).collect();
    assert_eq!(page.len(), 2);
    let change = Change::Cursor(Cursor { event: 9, line: 9 });
    scene.shop.apply(&change);
    assert_eq!(scene.shop.cursor(), Some(Cursor { event: 9, line: 9 }));
}
