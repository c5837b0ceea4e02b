//! Evenings: sweeps with a bank that is only its rules, a till that locks, and a shop that dies at every commit.

use super::*;
use crate::shop::sweep::{BankWord, Deposit, SweepState};
use protocol::bank;
use protocol::body::Body;
use protocol::wire::{SALES_MAX, SaleKind, SalesList, decode, sales_digest};

/// A bank with a shop's and a company's account.
#[derive(Default)]
struct Bank {
    away: bool,
    nobody_owns_it: bool,
    account: u64,
    company: u64,
    sweeps: u64,
    said: BTreeMap<RequestId, (Digest, BankWord)>,
    lists: Vec<SalesList>,
}

impl Bank {
    /// SPEC §4.18.
    fn sweep(&mut self, body: &bank::Sweep, list: &[u8]) -> BankWord {
        if let Some((digest, word)) = self.said.get(&body.request) {
            assert_eq!(*digest, body.digest(), "what is sent again is the same");
            return word.clone();
        }
        let sales: SalesList = decode(list).unwrap();
        assert!(list.len() <= SALES_MAX);
        assert_eq!((sales_digest(list), sales.units()), (body.list, Ok(body.units)));
        assert_eq!(u32::try_from(sales.sales.len()).unwrap(), body.sales);
        if body.number <= self.sweeps {
            return BankWord::Misnumbered("it is there".to_owned());
        }
        if self.nobody_owns_it {
            return BankWord::Refused("nobody owns it".to_owned());
        }
        assert_eq!(body.number, self.sweeps + 1, "without a gap");
        let word = match self.account.checked_sub(body.units.get()) {
            None => BankWord::Declined,
            Some(left) => {
                self.account = left;
                self.company += body.units.get();
                self.sweeps += 1;
                self.lists.push(sales);
                BankWord::Swept(100 + body.number)
            }
        };
        self.said.insert(body.request, (body.digest(), word.clone()));
        word
    }
}

/// A shop that sweeps.
struct Evening {
    scene: Scene,
    bank: Bank,
    deposits: BTreeMap<(RequestId, u32), u64>,
    /// The bank does not take the next deposit.
    refuses: bool,
    payments: u8,
}

impl Evening {
    fn new() -> Evening {
        let mut scene = Scene::new();
        scene.hears().unwrap();
        let settings = Settings { sweep: true, ..Settings::default() };
        let decision = scene.shop.set(settings, &boss(), scene.now).unwrap();
        scene.decide(decision);
        Evening { scene, bank: Bank::default(), deposits: BTreeMap::new(), refuses: false, payments: 0 }
    }

    fn sells(&mut self, price: u64) -> Sale {
        self.payments += 1;
        let sale = self.scene.sells(&format!("sale {}", self.payments), price);
        self.scene.wallet.receives(self.payments, self.payments, price, sale.request.unwrap());
        self.scene.hears().unwrap();
        self.scene.sale(&sale.id)
    }

    fn gives_back(&mut self, sale: &Sale, count: u64) {
        let name = format!("back {}", self.scene.now.0);
        let refund = self.scene.tries_to_refund(sale, &name, Some(count), &boss()).unwrap();
        self.scene.settles();
        self.scene.wallet.done(refund.payment);
        self.scene.settles();
    }

    fn next_day(&mut self) {
        self.scene.now = self.scene.now.plus_seconds(DAY_SECONDS);
    }

    /// What the hand does; false when it has to wait.
    fn step(&mut self) -> Result<bool, Crash> {
        let now = self.scene.now;
        let Some(sweep) = self.scene.shop.sweep_due(now) else { return Ok(false) };
        let (number, part) = (sweep.number, sweep.part);
        let waits = |scene: &mut Scene, why: &str| {
            let decision = scene.shop.sweep_waits(number, why.to_owned(), now);
            scene.commit(decision).map(|()| false)
        };
        let decision = match sweep.state {
            SweepState::Depositing => {
                let came = match self.deposit(sweep.id, part, sweep.left().get()) {
                    Err("short") if sweep.from_account && self.scene.wallet.reserve > 0 => {
                        self.deposit(sweep.id, part, self.scene.wallet.reserve)
                    }
                    came => came,
                };
                let came = match came {
                    Ok(came) => came,
                    Err("short") if sweep.from_account => Deposit::FromAccount,
                    Err(why) => return waits(&mut self.scene, why),
                };
                self.scene.shop.sweep_deposit(number, part, came, now)
            }
            SweepState::Sending if self.bank.away => return waits(&mut self.scene, "away"),
            SweepState::Sending => {
                let list = self.scene.store.sweep_list(&sweep.id).unwrap();
                let word = self.bank.sweep(&self.scene.shop.sweep_body(&sweep), &list);
                self.scene.shop.sweep_told(number, word, now)
            }
            SweepState::Done(..) => panic!("a sweep that is done is not carried on"),
        };
        self.scene.commit(decision).map(|()| true)
    }

    fn deposit(&mut self, id: RequestId, part: u32, left: u64) -> Result<Deposit, &'static str> {
        if let Some(units) = self.deposits.get(&(id, part)) {
            return Ok(Deposit::Done(super::units(*units)));
        }
        if self.scene.wallet.locked {
            return Err("locked");
        }
        if self.bank.away {
            return Err("away");
        }
        if std::mem::take(&mut self.refuses) {
            return Ok(Deposit::Void("units that are gone".to_owned()));
        }
        // A request carries 60 at the most here: notes are scattered.
        let units = left.min(60);
        if self.scene.wallet.reserve < left {
            return Err("short");
        }
        self.scene.wallet.reserve -= units;
        self.scene.wallet.lines.push((Line::Deposited, units));
        self.bank.account += units;
        self.deposits.insert((id, part), units);
        Ok(Deposit::Done(super::units(units)))
    }

    fn goes_on(&mut self) -> Result<(), Crash> {
        while self.step()? {}
        Ok(())
    }

    fn note(&self) -> String {
        self.scene.shop.open_sweeps().next().map(|sweep| sweep.held.clone()).unwrap_or_default()
    }

    /// Kinds and units of everything that the company has read.
    fn told(&self) -> Vec<(SaleKind, u64)> {
        self.bank.lists.iter().flat_map(|list| &list.sales).map(|s| (s.kind, s.units.get())).collect()
    }
}

use SaleKind::{Late, Refund as Back, Sale as Sold};

/// N10: the day's takings less what was given back go to the company with their list; the till keeps what it began with.
#[test]
fn a_day_goes_to_the_company_with_its_list() {
    let mut evening = Evening::new();
    evening.scene.wallet.withdraws(20);
    let bread = evening.sells(100);
    evening.sells(45);
    evening.gives_back(&bread, 30);
    evening.scene.closes().unwrap();
    evening.goes_on().unwrap();
    assert_eq!((evening.bank.company, evening.bank.account, evening.scene.wallet.reserve), (115, 0, 20));
    assert_eq!(evening.told(), [(Sold, 100), (Sold, 45), (Back, 30)]);
    let line = &evening.bank.lists[0].sales[0];
    assert_eq!((line.number, line.receipt), (1, bread.paid.unwrap().receipt.digest()));
    assert_eq!(evening.deposits.len(), 2, "60 and 55");
    let x = evening.scene.shop.report(evening.scene.holds(), evening.scene.now).unwrap();
    assert_eq!(x.opening, units(135));
    evening.scene.is_sound();
    let x = evening.scene.shop.report(evening.scene.holds(), evening.scene.now).unwrap();
    assert_eq!((x.swept, x.expected), (units(115), units(20)));
}

/// N10, B7: dead at each commit, before it or after it, the takings arrive once, and nothing else does.
#[test]
fn dead_at_every_commit_it_arrives_once() {
    let day = |evening: &mut Evening| -> Result<(), Crash> {
        evening.scene.hears()?;
        if evening.scene.shop.period().reports == 0 {
            let takings = evening.scene.store.takings().unwrap();
            let (holds, now) = (evening.scene.holds(), evening.scene.now);
            let closed = evening.scene.shop.close_day(holds, takings, &node(), &boss(), now).unwrap();
            evening.scene.commit(closed)?;
        }
        evening.goes_on()
    };
    let mut died = 0;
    for at in 1.. {
        let mut alive = true;
        for kept in [false, true] {
            let mut evening = Evening::new();
            let bread = evening.sells(100);
            evening.gives_back(&bread, 10);
            evening.sells(40);
            evening.scene.commits = 0;
            evening.scene.dies_at = Some((at, kept));
            alive = day(&mut evening).is_ok();
            if !alive {
                died += 1;
                evening.scene.starts_again();
                day(&mut evening).unwrap();
            }
            evening.scene.dies_at = None;
            assert_eq!((evening.bank.company, evening.bank.account, evening.bank.sweeps), (130, 0, 1));
            assert_eq!(evening.told(), [(Sold, 100), (Back, 10), (Sold, 40)]);
            assert_eq!(evening.scene.shop.open_sweeps().count(), 0);
            evening.scene.is_sound();
        }
        if alive {
            break;
        }
    }
    assert!(died >= 10, "{died} deaths: the report, three deposits, the bank's word");
}

/// N10: while the bank is away the days pile up, and go in their order when it is back; Z while a sweep is on its way is a
/// Z as any other.
#[test]
fn a_bank_that_is_away_for_days_gets_every_day_in_order() {
    let mut evening = Evening::new();
    evening.bank.away = true;
    for price in [10, 20, 30] {
        evening.sells(price);
        evening.scene.closes().unwrap();
        evening.goes_on().unwrap();
        assert_eq!(evening.note(), "away");
        evening.next_day();
    }
    assert_eq!(evening.scene.shop.open_sweeps().map(|s| s.number).collect::<Vec<_>>(), [1, 2, 3]);
    evening.scene.starts_again();
    evening.bank.away = false;
    // The first is in the account when the bank goes again; a fourth day is closed meanwhile.
    assert!(evening.step().unwrap());
    evening.bank.away = true;
    evening.sells(40);
    evening.scene.closes().unwrap();
    evening.goes_on().unwrap();
    evening.bank.away = false;
    evening.goes_on().unwrap();
    assert_eq!(evening.told(), [(Sold, 10), (Sold, 20), (Sold, 30), (Sold, 40)]);
    assert_eq!((evening.bank.company, evening.scene.wallet.reserve), (100, 0));
    evening.scene.is_sound();
}

/// A locked till keeps its units and says so once; unlocked, it goes on by itself.
#[test]
fn a_locked_till_waits_and_says_so_once() {
    let mut evening = Evening::new();
    evening.sells(50);
    evening.scene.wallet.locked = true;
    evening.scene.closes().unwrap();
    evening.goes_on().unwrap();
    let told = evening.scene.store.events(0, 1000).unwrap().len();
    evening.goes_on().unwrap();
    assert_eq!((evening.note().as_str(), evening.bank.company), ("locked", 0));
    assert_eq!(evening.scene.store.events(0, 1000).unwrap().len(), told, "said once");
    evening.scene.wallet.locked = false;
    evening.goes_on().unwrap();
    assert_eq!(evening.bank.company, 50);
}

/// What is given back after the Z, and paid late after it, stands in the next list; a day below zero waits for the next.
#[test]
fn what_comes_after_the_report_is_in_the_next_list() {
    let mut evening = Evening::new();
    let bread = evening.sells(50);
    let late = evening.scene.sells("late", 7);
    evening.scene.closes().unwrap();
    evening.goes_on().unwrap();
    evening.scene.wallet.withdraws(60);
    evening.next_day();
    evening.scene.wallet.receives(200, 200, 7, late.request.unwrap());
    evening.scene.hears().unwrap();
    evening.gives_back(&bread, 20);
    evening.scene.closes().unwrap();
    evening.goes_on().unwrap();
    assert_eq!((evening.bank.company, evening.bank.sweeps), (50, 1), "13 below zero: it waits");
    evening.next_day();
    evening.sells(33);
    evening.scene.closes().unwrap();
    evening.goes_on().unwrap();
    assert_eq!(evening.told(), [(Sold, 50), (Late, 7), (Back, 20), (Sold, 33)]);
    assert_eq!((evening.bank.company, evening.scene.wallet.reserve), (70, 60));
    // A day without anything sends nothing.
    evening.next_day();
    evening.scene.closes().unwrap();
    evening.goes_on().unwrap();
    assert_eq!(evening.bank.sweeps, 2);
    evening.scene.is_sound();
}

/// Units that the bank does not take are tried again later; units that are gone are missing, are said, and can be taken
/// from the account.
#[test]
fn units_that_are_lost_at_the_bank_are_missing_until_somebody_says() {
    let mut evening = Evening::new();
    evening.sells(50);
    evening.scene.closes().unwrap();
    evening.refuses = true;
    evening.goes_on().unwrap();
    assert_eq!(evening.note(), "units that are gone");
    // Meanwhile the wallet has taken them off.
    evening.scene.wallet.reserve -= 15;
    evening.scene.now = evening.scene.now.plus_seconds(120);
    evening.goes_on().unwrap();
    assert_eq!(
        (evening.note().as_str(), evening.bank.company, evening.scene.wallet.reserve),
        ("short", 0, 35)
    );
    let now = |evening: &mut Evening| {
        let takings = evening.scene.store.takings().unwrap();
        let decision = evening.scene.shop.sweep_now(takings, true, &boss(), evening.scene.now).unwrap();
        evening.scene.decide(decision);
        evening.goes_on().unwrap();
    };
    now(&mut evening);
    // What the till has goes first. The account lacks the rest: declined, and asked anew under another name.
    assert_eq!((evening.bank.company, evening.bank.account, evening.scene.wallet.reserve), (0, 35, 0));
    assert!(evening.note().contains("account holds less"));
    evening.bank.account += 15;
    now(&mut evening);
    assert_eq!((evening.bank.company, evening.bank.account, evening.bank.sweeps), (50, 0, 1));
}

/// A bank where nobody owns the shop says so, and the takings wait; turned off, nothing is carried on and a day's takings
/// stay with the shop.
#[test]
fn a_shop_that_nobody_owns_keeps_its_takings() {
    let mut evening = Evening::new();
    evening.bank.nobody_owns_it = true;
    evening.sells(50);
    evening.scene.closes().unwrap();
    evening.goes_on().unwrap();
    assert_eq!((evening.note().as_str(), evening.bank.account), ("nobody owns it", 50));
    let set = |evening: &mut Evening, sweep| {
        let settings = Settings { sweep, ..Settings::default() };
        let decision = evening.scene.shop.set(settings, &boss(), evening.scene.now).unwrap();
        evening.scene.decide(decision);
    };
    set(&mut evening, false);
    evening.next_day();
    evening.goes_on().unwrap();
    let refused = evening.scene.shop.sweep_now(Vec::new(), false, &boss(), evening.scene.now);
    assert!(matches!(refused, Err(Refusal::State { what: "sweep", .. })), "{refused:?}");
    evening.sells(8);
    evening.scene.closes().unwrap();
    assert!(evening.scene.store.takings().unwrap().is_empty(), "the day was the shop's own");
    evening.bank.nobody_owns_it = false;
    set(&mut evening, true);
    evening.goes_on().unwrap();
    assert_eq!((evening.bank.company, evening.scene.wallet.reserve), (50, 8));
}

/// A shop whose file is older than the bank's books goes on from the bank's number, and only then.
#[test]
fn a_shop_that_lost_its_file_goes_on_from_the_bank_s_number() {
    let mut evening = Evening::new();
    evening.bank.sweeps = 4;
    evening.sells(50);
    evening.scene.closes().unwrap();
    let early = evening.scene.shop.renumber_sweeps(5, &boss(), evening.scene.now);
    assert!(matches!(early, Err(Refusal::State { .. })), "{early:?}");
    evening.goes_on().unwrap();
    assert_eq!(evening.note(), "it is there");
    evening.scene.starts_again();
    let decision = evening.scene.shop.renumber_sweeps(5, &boss(), evening.scene.now).unwrap();
    evening.scene.decide(decision);
    evening.scene.starts_again();
    evening.goes_on().unwrap();
    assert_eq!((evening.bank.company, evening.bank.sweeps, evening.bank.account), (50, 5, 0));
    assert_eq!(evening.scene.shop.next_sweep_number(), 6);
    let kept: Vec<u64> =
        evening.scene.store.sweeps(page_of_all()).unwrap().iter().map(|sweep| sweep.number).collect();
    assert_eq!(kept, [5]);
}

fn page_of_all() -> daemon::store::Page {
    daemon::store::Page { before: None, limit: 100 }
}

/// A day with more lines than a list holds goes in several sweeps, none of them below zero, and no line twice.
#[test]
fn a_long_day_goes_in_parts() {
    let mut evening = Evening::new();
    let line = |at: u64, count: u64, kind| {
        let receipt = Digest([u8::try_from(at % 251).unwrap(); 32]);
        (
            at,
            protocol::wire::Sale {
                number: at,
                at: NOON,
                units: units(count),
                kind,
                till: "1".to_owned(),
                receipt,
            },
        )
    };
    let lines: Vec<_> = (1..=4000)
        .map(|at| if at % 3 == 0 { line(at, 5, SaleKind::Refund) } else { line(at, 4, SaleKind::Sale) })
        .collect();
    let takings: Vec<Change> = lines.iter().map(|(at, line)| Change::Taking(*at, line.clone())).collect();
    evening.scene.store.commit(&takings).unwrap();
    evening.scene.starts_again();
    let wanted = 2667 * 4 - 1333 * 5;
    evening.scene.wallet.withdraws(wanted);
    evening.scene.closes().unwrap();
    assert!(evening.scene.store.takings().unwrap().is_empty());
    evening.goes_on().unwrap();
    assert!(evening.bank.sweeps > 1 && evening.bank.lists.len() > 1);
    assert_eq!((evening.bank.company, evening.scene.wallet.reserve), (wanted, 0));
    let mut numbers: Vec<u64> =
        evening.bank.lists.iter().flat_map(|list| &list.sales).map(|sale| sale.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=4000).collect::<Vec<_>>());
}
