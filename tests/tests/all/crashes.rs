//! SIGKILL at any moment, any number of times, to anybody: every payment has one outcome, the same on both sides,
//! and no unit is lost or doubled (B7, M3).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use daemon::rpc::api::{Pay, Payment, WaitPayment};
use protocol::id::PaymentId;
use protocol::money::Units;
use protocol::node::chance::chance_bytes;
use protocol::node::rpc::CallError;
use tests::patience::{let_pass, until, wait};
use tests::people::{Community, Resident, amount};
use tests::world::Chance;

/// Payments in each direction, at least.
const EACH: u64 = 105;
/// Payments go on until somebody was killed so many times: fewer prove little.
const KILLS: usize = 30;
/// The seed of an earlier run, to look at it again: the moments of the kills follow from it, the machine's speed not.
const SEED: Option<u64> = None;

#[test]
fn whoever_is_killed_every_payment_has_one_outcome_on_both_sides() {
    let seed = SEED.unwrap_or_else(|| u64::from_le_bytes(chance_bytes()));
    eprintln!("seed {seed:#018x}");
    let town = Community::open("Naxos");
    let ready = |name: &str| {
        let resident = town.resident(name, 5_000).joined().started().unlocked();
        resident.withdraws(2_000);
        resident
    };
    let (alice, bob) = (ready("alice"), ready("bob"));
    assert_eq!((alice.finds("bob"), bob.finds("alice")), (bob.public_code(), alice.public_code()));

    let (over, kills) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (to_bob, to_alice) = std::thread::scope(|threads| {
        let there = threads.spawn(|| pays_in_the_storm(&alice, &bob, &kills));
        let back = threads.spawn(|| pays_in_the_storm(&bob, &alice, &kills));
        let storm = threads.spawn(|| storm(&town, &[&alice, &bob], Chance::of(seed), &kills, &over));
        let (there, back) = (there.join(), back.join());
        over.store(true, Ordering::Relaxed);
        storm.join().expect("whoever is killed comes up again");
        (there.expect("alice's calls are answered"), back.expect("bob's calls are answered"))
    });
    let kills = kills.into_inner();
    assert!(kills >= KILLS, "only {kills} kills");

    // Once more, so that nobody waits for a pause that has grown long.
    for resident in [&alice, &bob] {
        resident.is_killed();
        resident.starts();
        resident.unlocks();
    }
    let done = one_outcome(&alice, &bob, &to_bob) + one_outcome(&bob, &alice, &to_alice);
    assert!(done >= EACH, "only {done} payments were done");
    for resident in [&alice, &bob] {
        resident.has_settled();
        resident.has_refreshed();
    }
    let held = Units::sum([alice.balance(), bob.balance()].map(|now| now.spendable)).unwrap();
    assert_eq!(held.get(), 4_000, "what was withdrawn is there, no unit more or less");
    assert_eq!((alice.account().units.get(), bob.account().units.get()), (3_000, 3_000));
    town.is_sound(&[&alice, &bob]);
    eprintln!("{done} of {} payments done, {kills} kills", to_bob.len() + to_alice.len());
}

/// Kills somebody, starts him again, and so on, until it is over.
fn storm(
    town: &Community,
    residents: &[&Resident],
    mut chance: Chance,
    kills: &AtomicUsize,
    over: &AtomicBool,
) {
    while !over.load(Ordering::Relaxed) {
        let_pass(Duration::from_millis(chance.below(700)));
        kills.fetch_add(1, Ordering::Relaxed);
        match residents.get(chance.place(residents.len() + 1)) {
            Some(resident) => {
                resident.is_killed();
                let_pass(Duration::from_millis(chance.below(100)));
                resident.starts();
                resident.unlocks();
            }
            None => {
                town.bank().is_killed();
                let_pass(Duration::from_millis(chance.below(300)));
                town.bank().opens();
            }
        }
    }
}

/// Pays again and again, each time with a key of its own, and asks with the same key until it is answered.
fn pays_in_the_storm(payer: &Resident, payee: &Resident, kills: &AtomicUsize) -> Vec<PaymentId> {
    let to = payee.public_code().to_string();
    let one = |number: u64| {
        let asked = Pay {
            to: to.clone(),
            units: Some(amount(1 + number % 7)),
            memo: Some(format!("number {number}")),
            certified: number.is_multiple_of(8).then_some(true),
            key: format!("storm-{number}"),
        };
        let sent = until(|| answered(payer, &asked));
        let id = sent.unwrap_or_else(|| panic!("{} gets no answer to {number}", payer.name())).payment;
        // A short look, so that the kills hit all states and not only the first.
        let _ = wait(payer.rpc().payment_wait(WaitPayment { payment: id, seconds: 1 }));
        id
    };
    // With an end, should nobody be killed any more.
    let goes_on = |number: &u64| *number < EACH || kills.load(Ordering::Relaxed) < KILLS;
    (0..20 * EACH).take_while(goes_on).map(one).collect()
}

/// An answer to keep; none if the call has to be made again.
fn answered(payer: &Resident, asked: &Pay) -> Option<Payment> {
    match wait(payer.rpc().pay(asked.clone())) {
        Ok(payment) => Some(payment),
        Err(CallError::Unreachable { .. } | CallError::Lost { .. }) => None,
        Err(CallError::Rpc(error)) => {
            let passing = ["locked", "stopping", "deadline", "insufficient_funds"];
            assert!(passing.contains(&&*error.reason), "{}: {error:?}", payer.name());
            None
        }
        Err(CallError::Protocol(why)) => panic!("{}: {why}", payer.name()),
    }
}

/// How many were done; fails if the two sides differ about one.
fn one_outcome(payer: &Resident, payee: &Resident, payments: &[PaymentId]) -> u64 {
    let outcomes: Vec<Payment> = payments.iter().map(|payment| payer.outcome(*payment)).collect();
    let (sent, received) = (payer.history(), payee.history());
    let count = |lines: &[daemon::rpc::api::HistoryLine], movement: &str, payment: &Payment| {
        let id = payment.payment.to_string();
        lines.iter().filter(|line| line.id == id && line.movement == movement).count()
    };
    let mut done = 0;
    for payment in &outcomes {
        let here = usize::from(payment.outcome == "done");
        assert!(matches!(payment.outcome.as_str(), "done" | "not_done"), "still open: {payment:?}");
        assert_eq!(count(&received, "received", payment), here, "{}: {payment:?}", payee.name());
        let gone = count(&sent, "sent", payment) - count(&sent, "returned", payment);
        assert_eq!(gone, here, "{}: {payment:?}", payer.name());
        done += u64::from(here == 1);
    }
    let mut ids: Vec<_> = payments.to_vec();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), payments.len(), "one key, one payment");
    done
}
