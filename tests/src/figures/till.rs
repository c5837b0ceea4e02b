//! A till at the end of a day on which the bank was away: tens of thousands of small notes that nobody has seen but the payers.
//!
//! Each note is a sale: opened at the counter's interface, paid by a resident's workstation, received by the shop's own
//! rules into its own store. Then the shop is started again, pays and is paid in its largest state, the bank comes back,
//! and the day is closed and swept to the company.

use super::daemons::start;
use super::machine::resident_mb;
use super::sample::{Times, rate};
use super::{Effort, Figure};
use crate::patience::{let_pass, runtime, settles, wait};
use crate::people::{Community, Resident, amount, key};
use crate::process::Program;
use crate::shopkeeper::Shop;
use daemon::rpc::api::{Pay, PolicyView, WaitPayment, WorkstationClient};
use daemon::store::{RedbStore, Store as _};
use daemon::wallet::change::Happening;
use protocol::money::Units;
use protocol::node::clock::Clock;
use protocol::node::rpc::Empty;
use shop_node::rpc::api::{CartLine, NewSale, TillClient};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Notes in the till.
const NOTES: usize = 50_000;
/// Units in one withdrawal of the customer.
const PURSE: usize = 100;
/// Customers at the counter at once.
const AT_ONCE: usize = 32;
/// How finely the end of something is watched.
const LOOK: Duration = Duration::from_millis(20);
/// An evening that takes longer has failed.
const EVENING_MAX: Duration = Duration::from_secs(3600);

pub(super) fn measure(effort: Effort) -> Vec<Figure> {
    let count = effort.of(NOTES);
    let day = Day::begun(count);
    let mut figures = Vec::new();
    let name = |what: &str| format!("till.{count}.{what}");
    let speed = day.sells(count);
    figures.push(
        Figure::new(name("sales"), speed, "1/s")
            .note("sale opened, paid, received; all of it, the bank away"),
    );
    figures.push(day.one_at_a_time(name("payment"), effort.of(100)));
    day.shop.program().stop();
    let (started, locked) = start(day.shop.program(), &day.clock);
    figures.push(Figure::new(name("restart"), started, "ms").note("from start to the first answer"));
    figures.push(Figure::new(name("memory"), locked, "MB").note("resident after the restart, locked"));
    day.shop.unlocks();
    figures.extend(day.evening(&name));
    figures
}

/// A day at a shop that a company owns.
struct Day {
    community: Community,
    shop: Shop,
    customer: Resident,
    clock: Clock,
}

impl Day {
    fn begun(sales: usize) -> Day {
        let community = Community::open("Figures");
        let company = community.company("company");
        drop(company.joined());
        let shop = Shop::of(&community, "shop").opened();
        let (ours, theirs) = (community.bank().account_of("shop"), community.bank().account_of("company"));
        community.bank().cli(&["shop", "own", &ours, &theirs]).expect_ok("shop own");
        shop.sets(|settings| settings.sweep = true);
        let purses = (sales + 300).div_ceil(PURSE);
        let purse = u64::try_from(PURSE).unwrap_or(u64::MAX);
        let balance = u64::try_from(purses).unwrap_or(u64::MAX) * purse;
        let customer = community.resident("customer", balance).joined().started().unlocked();
        takes_everything(shop.program(), true);
        takes_everything(customer.program(), false);
        for _ in 0..purses {
            customer.withdraws(purse);
        }
        customer.finds("shop");
        let day = Day { community, shop, customer, clock: Clock::system() };
        // They know each other from now on.
        day.sells(1);
        day.community.bank().closes();
        day
    }

    /// So many sales, several at once; how many a second.
    fn sells(&self, count: usize) -> f64 {
        let begun = self.clock.monotonic();
        let left = Arc::new(AtomicUsize::new(count));
        let tills: Vec<_> = (0..AT_ONCE.min(count))
            .map(|_| {
                let counter = self.counter();
                let left = Arc::clone(&left);
                runtime().spawn(async move {
                    let one_less = |left: usize| left.checked_sub(1);
                    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
                        counter.sells().await;
                    }
                })
            })
            .collect();
        for till in tills {
            wait(till).unwrap_or_else(|why| panic!("a till: {why}"));
        }
        rate(count, self.clock.monotonic().saturating_sub(begun))
    }

    fn counter(&self) -> Counter {
        Counter { till: self.shop.rpc(), customer: self.customer.rpc() }
    }

    fn one_at_a_time(&self, name: String, count: usize) -> Figure {
        let (mut times, counter) = (Times::default(), self.counter());
        for _ in 0..count {
            times.time(&self.clock, || wait(counter.sells()));
        }
        let note = format!(
            "p50 of a sale, opened and paid, with all those notes in the till; p99 {:.1} ms",
            times.percentile(99)
        );
        Figure::new(name, times.median(), "ms").note(note)
    }

    /// The bank comes back, the day is closed and swept.
    fn evening(&self, name: &dyn Fn(&str) -> String) -> Vec<Figure> {
        let mut z = Times::default();
        let report = z.time(&self.clock, || self.shop.z());
        assert_eq!((report.surplus, report.shortage), (Units::ZERO, Units::ZERO), "{report:?}");
        let begun = self.clock.monotonic();
        self.community.bank().opens();
        let opened = self.clock.monotonic();
        let mut largest: f64 = 0.0;
        while !self.shop.sweeps().open.is_empty() {
            largest = largest.max(self.shop.program().pid().and_then(resident_mb).unwrap_or(0.0));
            let waits = self.clock.monotonic().saturating_sub(begun);
            assert!(waits < EVENING_MAX, "{:?}", self.shop.sweeps());
            let_pass(LOOK);
        }
        let swept = self.clock.monotonic().saturating_sub(opened);
        self.shop.program().stop();
        let asked = self.asked();
        let of = |what: &str| asked.get(what).copied().unwrap_or(0);
        let bank = format!("{} deposits and {} renewals at the bank", of("deposit"), of("refresh"));
        let close = z.median() / 1e3 + swept.as_secs_f64();
        vec![
            Figure::new(name("z"), z.median(), "ms")
                .note("the Z report, with the list of all sales for the company"),
            Figure::new(name("sweep"), swept.as_secs_f64(), "s").note(bank),
            Figure::new(name("close"), close, "s")
                .note("Z report and sweep, from the bank's return to the company's letter"),
            Figure::new(name("memory.most"), largest, "MB").note("resident, the most while it swept"),
        ]
    }

    /// What the shop's wallet had done at the bank, by its events.
    fn asked(&self) -> BTreeMap<String, usize> {
        let path = self.shop.home().join("data").join("wallet.redb");
        let store = RedbStore::open(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let (mut asked, mut last) = (BTreeMap::new(), 0);
        loop {
            let page = store.events(last, 1000).unwrap_or_else(|why| panic!("events: {why}"));
            let Some(newest) = page.last() else { return asked };
            last = newest.seq;
            for event in page {
                if let Happening::Bank { operation, state, .. } = event.what
                    && state == "done"
                {
                    *asked.entry(operation).or_default() += 1;
                }
            }
        }
    }
}

/// One place at the counter, with somebody who pays there.
struct Counter {
    till: TillClient,
    customer: WorkstationClient,
}

impl Counter {
    async fn sells(&self) {
        let line =
            CartLine { sku: None, name: Some("roll".to_owned()), quantity: None, price: Some(amount(1)) };
        let sale = NewSale { till: None, lines: vec![line], seconds: None, ask: None, key: key("till") };
        let sale = self.till.sale_open(sale).await.unwrap_or_else(|why| panic!("sale.open: {why:?}"));
        let to = sale.uri.unwrap_or_else(|| panic!("no code for {}", sale.sale));
        let asked = Pay { to, units: None, memo: None, certified: None, key: key("customer") };
        let sent = self.customer.pay(asked).await.unwrap_or_else(|why| panic!("pay: {why:?}"));
        let waits = WaitPayment { payment: sent.payment, seconds: 60 };
        let paid = self.customer.payment_wait(waits).await.unwrap_or_else(|why| panic!("wait: {why:?}"));
        assert_eq!(paid.outcome, "done", "{paid:?}");
    }
}

fn takes_everything(program: &Program, refresh: bool) {
    let all = amount(1 << 40);
    let policy = PolicyView {
        direct_max: all,
        unconfirmed_per_payer: all,
        unconfirmed_total: all,
        refresh,
        stale_hours: 48,
    };
    let rpc = WorkstationClient::new(program.connection());
    wait(rpc.policy_set(policy)).unwrap_or_else(|why| panic!("{}: policy: {why}", program.name()));
    settles("the workstation answers", || wait(rpc.status(Empty {})).is_ok());
}
