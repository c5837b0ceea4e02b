//! Payments between two workstations, each a process of its own.
//!
//! The bank is stopped for direct payments, so nothing but the two of them is at work. Figure and floor are
//! measured in turns. What is timed is what a program sees: from the call `payment.pay` until `payment.wait`
//! says that the payee's receipt is on disk.

use super::floor::{BareWallet, Sizes, Step, row_sizes};
use super::machine::cpu_seconds;
use super::sample::{Times, median, rate};
use super::{Effort, Figure};
use crate::patience::{runtime, wait};
use crate::people::{Community, Resident, amount, key};
use daemon::rpc::api::{Pay, PolicyView, WaitPayment, WorkstationClient};
use protocol::money::Units;
use protocol::node::clock::Clock;
use protocol::node::rpc::Empty;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Units in one withdrawal: a purse's worth of small payments hangs on one root.
const PURSE: usize = 100;
/// How many payments are under way at once where throughput is measured.
const AT_ONCE: [usize; 3] = [1, 16, 64];

/// Alice pays Bob.
struct Town {
    community: Community,
    alice: Resident,
    bob: Resident,
    clock: Clock,
}

/// Whom to pay, as text: a code, or one request after the other.
type Targets = Arc<Mutex<VecDeque<String>>>;

pub(super) fn payments(effort: Effort) -> Vec<Figure> {
    let town = Town::settled(effort);
    let mut figures = town.certified(effort);
    town.pay(1, town.by_code(20));
    let sizes = town.row_sizes();
    // They find each other again while somebody can say where they are.
    town.pay(1, town.by_code(5));
    town.community.bank().closes();
    let folder = town.community.folder().join("floor");
    std::fs::create_dir_all(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let floor = Floor::make(&folder, sizes);
    figures.extend(town.latency(effort, &floor));
    for at_once in AT_ONCE {
        figures.push(town.throughput(effort, &floor, at_once));
    }
    figures.extend(town.after_all());
    figures
}

impl Town {
    /// Both with workstations that take everything directly and do not go to the bank by themselves.
    fn settled(effort: Effort) -> Town {
        let community = Community::open("Figures");
        let rounds = effort.rounds();
        // Latency by code and by request, a sequence of each number at once by both, certified, and some for warmth.
        let paid = rounds * (2 * effort.of(100) + AT_ONCE.len() * effort.of(400)) + effort.of(100) + 500;
        let purses = paid.div_ceil(PURSE);
        let balance = u64::try_from(purses * PURSE).unwrap_or(u64::MAX);
        let alice = community.resident("alice", balance).joined().started().unlocked();
        let bob = community.resident("bob", 0).joined().started().unlocked();
        for one in [&alice, &bob] {
            let all = amount(1 << 40);
            let policy = PolicyView {
                direct_max: all,
                unconfirmed_per_payer: all,
                unconfirmed_total: all,
                refresh: false,
                stale_hours: 48,
            };
            wait(one.rpc().policy_set(policy)).unwrap_or_else(|why| panic!("{}: policy: {why}", one.name()));
        }
        for _ in 0..purses {
            alice.withdraws(u64::try_from(PURSE).unwrap_or(u64::MAX));
        }
        alice.finds("bob");
        bob.finds("alice");
        Town { community, alice, bob, clock: Clock::system() }
    }

    fn by_code(&self, count: usize) -> Targets {
        let code = self.bob.public_code().to_string();
        Arc::new(Mutex::new(std::iter::repeat_n(code, count).collect()))
    }

    fn by_request(&self, count: usize) -> Targets {
        let requests = (0..count).map(|_| self.bob.requests(1, "").uri);
        Arc::new(Mutex::new(requests.collect()))
    }

    /// Pays all targets, so many at once; how long each took, and all together.
    fn pay(&self, at_once: usize, targets: Targets) -> (Times, Duration) {
        self.pay_as(at_once, targets, None)
    }

    fn pay_as(&self, at_once: usize, targets: Targets, certified: Option<bool>) -> (Times, Duration) {
        let begun = self.clock.monotonic();
        let payers: Vec<_> = (0..at_once)
            .map(|_| {
                let payer = Payer {
                    rpc: WorkstationClient::new(self.alice.program().connection()),
                    targets: Arc::clone(&targets),
                    clock: self.clock.clone(),
                    certified,
                };
                runtime().spawn(payer.pay_all())
            })
            .collect();
        let mut times = Times::default();
        for payer in payers {
            times.extend(wait(payer).unwrap_or_else(|why| panic!("a payer: {why}")));
        }
        (times, self.clock.monotonic().saturating_sub(begun))
    }

    fn certified(&self, effort: Effort) -> Vec<Figure> {
        let (times, _) = self.pay_as(1, self.by_code(effort.of(100)), Some(true));
        let note = format!("p99 {:.1} ms; the bank is asked in between", times.percentile(99));
        vec![Figure::new("certified payment by code, 1 in flight, p50", times.median(), "ms").note(note)]
    }

    /// How long rows are in the two stores; the workstations are stopped for the look and started again.
    fn row_sizes(&self) -> Sizes {
        let mut sizes = Sizes::new();
        for one in [&self.alice, &self.bob] {
            one.stops();
            let store = one.program().home().join("data").join("wallet.redb");
            let found = row_sizes(&store).unwrap_or_else(|why| panic!("{}: {why}", store.display()));
            for (table, size) in found {
                let longest = sizes.entry(table).or_default();
                *longest = size.max(*longest);
            }
            one.starts();
            one.unlocks();
        }
        sizes
    }

    fn latency(&self, effort: Effort, floor: &Floor) -> Vec<Figure> {
        let (mut by_code, mut by_request, mut bare) = (Times::default(), Times::default(), Times::default());
        let count = effort.of(100);
        // The first one finds the way again.
        self.pay(1, self.by_code(5));
        for _ in 0..effort.rounds() {
            by_code.extend(self.pay(1, self.by_code(count)).0);
            bare.extend(floor.one_by_one(&self.clock, count));
            by_request.extend(self.pay(1, self.by_request(count)).0);
        }
        let figure = |how: &str, times: &Times| {
            let note =
                format!("p99 {:.2} ms, floor's p99 {:.2} ms", times.percentile(99), bare.percentile(99));
            Figure::new(format!("direct payment by {how}, 1 in flight, p50"), times.median(), "ms")
                .floor(bare.median())
                .note(note)
        };
        vec![figure("code", &by_code), figure("request", &by_request)]
    }

    fn throughput(&self, effort: Effort, floor: &Floor, at_once: usize) -> Figure {
        let (mut speeds, mut floors, mut times) = (Vec::new(), Vec::new(), Times::default());
        let (mut payer, mut payee) = (Vec::new(), Vec::new());
        for _ in 0..effort.rounds() {
            let count = effort.of(400);
            let before = self.cpu();
            let (each, all) = self.pay(at_once, self.by_code(count));
            let after = self.cpu();
            let share = 1e3 / u32::try_from(count).map_or(1.0, f64::from);
            payer.push((after.0 - before.0) * share);
            payee.push((after.1 - before.1) * share);
            times.extend(each);
            speeds.push(rate(count, all));
            floors.push(rate(count, floor.in_groups(&self.clock, count, at_once)));
        }
        let note = format!(
            "p50 {:.1} ms, p99 {:.1} ms; CPU a payment: payer {:.2} ms, payee {:.2} ms",
            times.median(),
            times.percentile(99),
            median(payer),
            median(payee)
        );
        Figure::new(format!("direct payments by code, {at_once} in flight"), median(speeds), "payments/s")
            .floor(median(floors))
            .note(note)
    }

    fn cpu(&self) -> (f64, f64) {
        let of = |one: &Resident| one.program().pid().and_then(cpu_seconds).unwrap_or(0.0);
        (of(&self.alice), of(&self.bob))
    }

    /// A workstation with a long past starts as quickly as a new one.
    fn after_all(&self) -> Vec<Figure> {
        let lines = wait(self.bob.rpc().history_check(Empty {})).map_or(0, |state| state.lines);
        self.bob.stops();
        let (started, memory) = super::daemons::start(self.bob.program(), &self.clock);
        let held = self.bob.balance().spendable;
        assert!(held > Units::ZERO, "Bob was paid");
        vec![
            Figure::new(format!("start of a workstation with {lines} lines of history"), started, "ms")
                .note(format!("all {held} notes of it unconfirmed and in memory")),
            Figure::new("its memory, locked", memory, "MB"),
        ]
    }
}

/// One of those who pay at once.
struct Payer {
    rpc: WorkstationClient,
    targets: Targets,
    clock: Clock,
    certified: Option<bool>,
}

impl Payer {
    async fn pay_all(self) -> Times {
        let mut times = Times::default();
        while let Some(to) = self.next() {
            let begun = self.clock.monotonic();
            let units = (!to.contains("request")).then(|| amount(1));
            let asked = Pay { to, units, memo: None, certified: self.certified, key: key("figures") };
            let sent = self.rpc.pay(asked).await.unwrap_or_else(|why| panic!("pay: {why:?}"));
            let waits = WaitPayment { payment: sent.payment, seconds: 60 };
            let paid = self.rpc.payment_wait(waits).await.unwrap_or_else(|why| panic!("wait: {why:?}"));
            times.add(self.clock.monotonic().saturating_sub(begun));
            assert_eq!(paid.outcome, "done", "{paid:?}");
        }
        times
    }

    fn next(&self) -> Option<String> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// Two stores that do nothing but a payment's commits.
struct Floor {
    payer: BareWallet,
    payee: BareWallet,
}

impl Floor {
    fn make(folder: &Path, sizes: Sizes) -> Floor {
        let make = |name: &str| {
            let made = BareWallet::make(&folder.join(name), sizes.clone(), 500);
            made.unwrap_or_else(|why| panic!("the floor's store: {why}"))
        };
        Floor { payer: make("payer.redb"), payee: make("payee.redb") }
    }

    fn commit(&self, step: Step, payments: usize) {
        let wallet = if step == Step::Credit { &self.payee } else { &self.payer };
        wallet.commit(step, payments).unwrap_or_else(|why| panic!("the floor's store: {why}"));
    }

    /// Commit after commit, as one payment needs them.
    fn one_by_one(&self, clock: &Clock, payments: usize) -> Times {
        let mut times = Times::default();
        for _ in 0..payments {
            times.time(clock, || Step::DIRECT.into_iter().for_each(|step| self.commit(step, 1)));
        }
        times
    }

    /// Both stores at work at once, with commits as large as what is under way.
    fn in_groups(&self, clock: &Clock, payments: usize, group: usize) -> Duration {
        let begun = clock.monotonic();
        let rounds = || 0..payments.div_ceil(group);
        let steps = |of_payee: bool| {
            for step in Step::DIRECT.into_iter().filter(|step| (*step == Step::Credit) == of_payee) {
                self.commit(step, group);
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| rounds().for_each(|_| steps(true)));
            rounds().for_each(|_| steps(false));
        });
        clock.monotonic().saturating_sub(begun)
    }
}
