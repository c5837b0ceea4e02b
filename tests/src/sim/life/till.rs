//! The till of the shop with a workstation: sales, refunds, days and evenings by the shop's own rules, on a disk of its own.

use super::Life;
use crate::sim::act::{Act, Kind};
use crate::sim::setting::SHOP;
use crate::sim::truth::shops::Takings;
use crate::sim::truth::{Violation, broken};
use crate::world::{Kept, Till, Who};
use daemon::store::Page;
use protocol::id::{PaymentId, RequestId};
use protocol::money::Currency;
use protocol::pay::Request;
use protocol::sign::Signed;
use protocol::wire::{BankAnswer, BankAsk, ErrorCode};
use serde_bytes::ByteBuf;
use shop_node::shop::Keeper;
use shop_node::shop::refund::{Refund, Why};
use shop_node::shop::rights::Actor;
use shop_node::shop::sweep::{BankWord, Deposit, SweepState};
use std::collections::{BTreeMap, BTreeSet};

/// Sales whose requests are still paid.
const ASKED: usize = 24;
/// Steps of an evening in one go.
const STEPS: usize = 6;

/// What a payment gives back.
#[derive(Clone, Copy)]
struct Back {
    refund: RequestId,
    units: u64,
    /// The sale that it counts against; none for what was paid for nothing.
    sale: Option<RequestId>,
}

impl Back {
    fn of(refund: &Refund) -> Back {
        let sale = (refund.why == Why::Customer).then_some(refund.sale);
        Back { refund: refund.id, units: refund.units.get(), sale }
    }
}

/// What is known of the till.
pub(super) struct Counter {
    till: Till,
    asked: Vec<(Signed<Request>, u64)>,
    /// Every sale, and its price.
    sales: BTreeMap<RequestId, u64>,
    /// Every payment that was begun for a refund.
    refunds: BTreeMap<PaymentId, Back>,
    /// Sweeps that were signed.
    signed: BTreeSet<RequestId>,
}

impl Counter {
    pub(super) fn begin(life: &Life) -> Counter {
        let person = life.world.person(Who::at(SHOP));
        let keeper = Keeper {
            bank: life.world.bank.keys().bank(),
            key: person.key(),
            name: person.name.clone(),
            currency: Currency::default(),
        };
        let (asked, sales, refunds) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let till = Till::new(keeper, &life.world);
        Counter { till, asked, sales, refunds, signed: BTreeSet::new() }
    }

    /// A sale that is paid by the till's book, and its price.
    fn paid(&self, number: u64) -> Option<(RequestId, u64)> {
        let (_, store) = self.till.open()?;
        let is_paid = |id: &RequestId| store.sale(id).ok().flatten().is_some_and(|sale| sale.paid.is_some());
        let paid: Vec<_> = self.sales.iter().filter(|(id, _)| is_paid(id)).collect();
        let at = usize::try_from(number).ok()?.checked_rem(paid.len())?;
        paid.get(at).map(|(id, price)| (**id, **price))
    }
}

impl Life {
    /// What happens at the counter.
    pub(super) fn counts(&mut self, act: &Act) -> Result<(), Violation> {
        let Some(mut counter) = self.counter.take() else { return Ok(()) };
        let done = self.at_the_counter(act, &mut counter);
        let holds = done.and_then(|()| self.counter_is_true(&counter));
        self.counter = Some(counter);
        holds
    }

    fn at_the_counter(&mut self, act: &Act, counter: &mut Counter) -> Result<(), Violation> {
        let shop = Who::at(SHOP);
        if counter.till.open().is_none() {
            self.tally.count("till-died");
            let kept = match act.number % 3 {
                0 => Kept::Nothing,
                1 => Kept::Some,
                _ => Kept::Everything,
            };
            let mut chance = self.world.chance.clone();
            counter.till.start_again(kept, &mut chance);
        }
        if !self.is_up(shop) {
            return Ok(());
        }
        match act.kind {
            Kind::Sell => {
                let price = 1 + u64::from(act.much) % 90;
                if let Some((sale, request)) = self.world.sells(shop, &mut counter.till, price) {
                    counter.sales.insert(sale, price);
                    if counter.asked.len() >= ASKED {
                        counter.asked.remove(0);
                    }
                    counter.asked.push((request, price));
                }
            }
            Kind::PaySale => self.pays_sale(act, counter),
            Kind::GiveBack => {
                let sale = counter.paid(act.number);
                if let Some((sale, price)) = sale {
                    // Now and then more than was paid.
                    let units = 1 + u64::from(act.much) % (price + price / 4 + 1);
                    if self.world.gives_back(shop, &mut counter.till, sale, units).is_some() {
                        self.tally.count("refund-made");
                    }
                }
            }
            Kind::CloseDay => self.closes_day(act, counter),
            Kind::TillFails => counter.till.disk().fail_after(act.number % 40),
            _ => {
                let _holds = self.world.is_heard(shop, &mut counter.till);
                for refund in self.world.pays_back(shop, &mut counter.till) {
                    counter.refunds.insert(refund.payment, Back::of(&refund));
                    self.tally.count("refund-begun");
                }
                if act.other.is_multiple_of(3) {
                    (0..STEPS).try_for_each(|_| self.evening_step(counter))?;
                }
            }
        }
        Ok(())
    }

    /// As hands would do it that give a refund another name each time they ask.
    pub(in crate::sim) fn gives_back_twice(&mut self) {
        let Some(mut counter) = self.counter.take() else { return };
        if let Some((sale, price)) = counter.paid(0) {
            let shop = Who::at(SHOP);
            let store = counter.till.open().map(|(_, store)| store);
            let paid = store.and_then(|store| store.sale(&sale).ok().flatten()?.paid);
            let payer = self
                .people()
                .into_iter()
                .find(|who| paid.as_ref().is_some_and(|paid| paid.payer == self.world.person(*who).key()));
            for _ in 0..2 {
                let id = payer.and_then(|payer| self.world.pay(shop, payer, price).ok());
                let back = Back { refund: sale, units: price, sale: Some(sale) };
                counter.refunds.extend(id.map(|id| (id, back)));
            }
        }
        self.counter = Some(counter);
    }

    fn pays_sale(&mut self, act: &Act, counter: &Counter) {
        let at = usize::try_from(act.number).unwrap_or(0).checked_rem(counter.asked.len());
        let Some((request, price)) = at.and_then(|at| counter.asked.get(at)).cloned() else { return };
        let (who, shop, body) = (self.one(act.who), Who::at(SHOP), request.unverified());
        let now = self.world.clock(who);
        let runs = !now.is_past(body.expires) && !now.is_before(body.created);
        // A request of a machine that is gone is paid by nobody: the directory names another one.
        if runs
            && who != shop
            && self.world.person(shop).node.key() == body.node
            && self.world.pay_request(who, &request, price).is_ok()
        {
            self.tally.count("sale-paying");
        }
    }

    fn closes_day(&mut self, act: &Act, counter: &mut Counter) {
        let (shop, actor) = (Who::at(SHOP), Actor::shop());
        let now = self.world.clock(shop);
        let Some(holds) = self.world.is_heard(shop, &mut counter.till) else { return };
        let node = self.world.person(shop).node.clone();
        if act.much.is_multiple_of(2) {
            let rule = |shop: &shop_node::shop::Shop, store: &shop_node::store::ShopStore| {
                Ok(shop.close_day(holds, store.takings()?, &node, &actor, now)?)
            };
            if counter.till.decide(rule).is_some() {
                self.tally.count("day-closed");
            }
        } else {
            counter.till.decide(|shop, store| Ok(shop.sweep_now(store.takings()?, false, &actor, now)?));
        }
    }

    /// Takings go to the company, as far as it goes.
    pub(super) fn evening(&mut self) -> Result<(), Violation> {
        let Some(mut counter) = self.counter.take() else { return Ok(()) };
        let done = (0..STEPS).try_for_each(|_| self.evening_step(&mut counter));
        self.counter = Some(counter);
        done
    }

    fn evening_step(&mut self, counter: &mut Counter) -> Result<(), Violation> {
        let shop = Who::at(SHOP);
        let (now, account) = (self.world.clock(shop), self.account(shop).0);
        let Some((rules, store)) = counter.till.open() else { return Ok(()) };
        let Some(sweep) = rules.sweep_due(now) else { return Ok(()) };
        let number = sweep.number;
        if sweep.state == SweepState::Depositing {
            // What was taken is on the account in this world, or the bank declines.
            let (part, came) = (sweep.part, Deposit::FromAccount);
            counter.till.decide(|shop, _| Ok(shop.sweep_deposit(number, part, came, now)));
            return Ok(());
        }
        let body = rules.sweep_body(&sweep);
        let Ok(list) = store.sweep_list(&sweep.id) else { return Ok(()) };
        let Some(keys) = self.world.person(shop).open_keys() else { return Ok(()) };
        let (request, units, digest) = (body.request, body.units.get(), body.list);
        let signed = keys.owner().sign(body);
        if counter.signed.insert(request) {
            let takings = Takings { shop: account, number, units, list: digest };
            self.truth.bank.shops.takes(request, takings);
        }
        let word = match self.asks_bank(BankAsk::Sweep(signed, ByteBuf::from(list)))? {
            Some(BankAnswer::Swept(letter)) => {
                self.tally.count("till-swept");
                BankWord::Swept(letter.unverified().number)
            }
            Some(BankAnswer::Declined(_)) => BankWord::Declined,
            Some(BankAnswer::Error(ErrorCode::IdReused)) => {
                BankWord::Misnumbered("another number".to_owned())
            }
            Some(BankAnswer::Error(code)) => BankWord::Refused(code.text().to_owned()),
            _ => return Ok(()),
        };
        let misnumbered = matches!(word, BankWord::Misnumbered(_));
        counter.till.decide(|shop, _| Ok(shop.sweep_told(number, word, now)));
        if misnumbered {
            self.tally.count("till-misnumbered");
            let (next, actor) = (self.truth.bank.shops.swept(account) + 1, Actor::shop());
            counter.till.decide(|shop, _| Ok(shop.renumber_sweeps(next, &actor, now)?));
        }
        Ok(())
    }

    /// A paid sale is one payment that came in; nobody gets more back than he paid.
    fn counter_is_true(&self, counter: &Counter) -> Result<(), Violation> {
        let Some((_, store)) = counter.till.open() else { return Ok(()) };
        let surely = self.truth.is_careful(SHOP);
        let (mut numbers, mut payments) = (BTreeSet::new(), BTreeSet::new());
        for (id, price) in &counter.sales {
            let Ok(Some(sale)) = store.sale(id) else { continue };
            if sale.refunded > sale.total || sale.total.get() != *price {
                return broken("refunded-too-much", format!("{sale:?}"));
            }
            let Some(paid) = &sale.paid else { continue };
            if !numbers.insert(paid.number) || !payments.insert((paid.payer, paid.payment)) {
                return broken("booked-twice", format!("{sale:?}"));
            }
            let came = self.truth.accepted_units(&paid.payment.0);
            // Who keeps no rules may use an id twice.
            if surely && self.truth.keeps_rules(&paid.payer) && came != Some((SHOP, *price)) {
                return broken("booked-not-paid", format!("{came:?} came in for {sale:?}"));
            }
        }
        if !surely {
            // What a lost machine has paid may be paid once more: the customer is asked.
            return Ok(());
        }
        let (mut of_sale, mut of_refund) = (BTreeMap::new(), BTreeMap::new());
        for (payment, back) in &counter.refunds {
            // What was refused after all, or that nobody had answered, came back: another payment goes out for it.
            let units = self.truth.given_for_good(SHOP, &payment.0);
            let sum: &mut u64 = of_refund.entry(back.refund).or_default();
            *sum += units;
            if *sum > back.units {
                return broken("refunded-too-much", format!("{sum} for a refund of {}", back.units));
            }
            if let Some((sale, price)) = back.sale.and_then(|sale| counter.sales.get_key_value(&sale)) {
                let sum: &mut u64 = of_sale.entry(*sale).or_default();
                *sum += units;
                if *sum > *price {
                    return broken("refunded-too-much", format!("{sum} of a sale of {price}: {sale}"));
                }
            }
        }
        Ok(())
    }

    /// At the end the till hears the rest: its reports follow on each other, and what they say was received is what its
    /// sales came to.
    pub(super) fn counter_is_settled(&mut self) -> Result<(), Violation> {
        let Some(mut counter) = self.counter.take() else { return Ok(()) };
        let shop = Who::at(SHOP);
        if counter.till.open().is_none() {
            let mut chance = self.world.chance.clone();
            counter.till.start_again(Kept::Everything, &mut chance);
        }
        counter.till.disk().mend();
        let holds = self.world.is_heard(shop, &mut counter.till);
        let sold = counter.sales.keys().filter(|id| {
            let store = counter.till.open().map(|(_, store)| store);
            store.and_then(|store| store.sale(id).ok().flatten()).is_some_and(|sale| sale.paid.is_some())
        });
        self.tally.add("sale-paid", u64::try_from(sold.count()).unwrap_or(0));
        let done = self.counter_is_true(&counter).and_then(|()| {
            let (Some(holds), Some((rules, store))) = (holds, counter.till.open()) else { return Ok(()) };
            let mut reports = store.reports(Page { before: None, limit: 500 }).unwrap_or_default();
            reports.reverse();
            let mut received = 0;
            let mut head = protocol::id::Digest::default();
            for report in &reports {
                let body = report.unverified();
                if body.prev != head {
                    return broken("reports", format!("report {} follows another", body.number));
                }
                head = report.digest();
                received += body.received.get() + body.late.get();
            }
            let Ok(now) = rules.report(holds, self.world.now) else { return Ok(()) };
            received += now.received.get() + now.late.get();
            let paid = counter.sales.keys().filter_map(|id| store.sale(id).ok().flatten());
            let paid: u64 = paid.filter(|sale| sale.paid.is_some()).map(|sale| sale.total.get()).sum();
            match paid == received {
                true => Ok(()),
                false => broken("reports", format!("{received} by the reports, {paid} by the sales")),
            }
        });
        self.counter = Some(counter);
        done
    }
}
