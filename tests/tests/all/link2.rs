//! Link 2, person to person, with the real programs in processes of their own (N3–N7, N14).
//!
//! The rules are tested where they stand, in the wallet and the ledger; these scenes show that the programs keep
//! them together: over sockets, across restarts, without the bank.

use protocol::node::rpc::{CallError, Empty};
use tests::patience::{settles, wait};
use tests::people::{Community, Resident, reason};

fn ready(town: &Community, name: &str, balance: u64) -> Resident {
    town.resident(name, balance).joined().started().unlocked()
}

/// What one side's history says about a payment: movement, units, memo and the other's name.
fn line_about(who: &Resident, payment: &str) -> (String, u64, String, String) {
    let lines = who.history();
    let mut about = lines.into_iter().filter(|line| line.id == payment);
    let line = about.next().unwrap_or_else(|| panic!("{} has no line about {payment}", who.name()));
    assert!(about.next().is_none(), "{} has {payment} twice", who.name());
    (line.movement, line.units.get(), line.memo, line.name)
}

/// N2, N4, N5, N6, N7, M1, M3: from the letter to the audit, as a resident lives it.
#[test]
fn a_day_on_link_2() {
    let town = Community::open("Naxos");
    let alice = ready(&town, "alice", 1_000);
    let bob = ready(&town, "bob", 0);
    assert_eq!(alice.reserve(), 0, "the reserve is empty at first (N2)");

    alice.withdraws(500);
    assert_eq!(alice.reserve(), 500);
    assert_eq!(alice.account().units.get(), 500, "what is issued is no longer in the account (M1, M3)");
    let letters = alice.letters();
    let letter = letters.iter().find(|letter| letter.kind == "payment").expect("a payment letter (N4)");
    assert_eq!((letter.units.get(), letter.balance.get()), (500, 500));

    assert_eq!(alice.finds("bob"), bob.public_code());
    let rent = alice.pays(&bob, 120).memo("rent").done();
    assert_eq!((alice.reserve(), bob.reserve()), (380, 120));

    let lunch = bob.requests(30, "lunch");
    let paid = alice.pays_request(&lunch).done();
    assert_eq!(bob.request(lunch.request).paid_by, Some(alice.public_code()));
    assert_eq!(alice.pays_request(&lunch).refused(), "request_used");

    bob.deposits(50);
    assert_eq!((bob.reserve(), bob.account().units.get()), (100, 50));

    for (payment, units, memo) in [(rent.payment, 120, "rent"), (paid.payment, 30, "lunch")] {
        let id = payment.to_string();
        let sent = line_about(&alice, &id);
        let received = line_about(&bob, &id);
        assert_eq!(sent, ("sent".into(), units, memo.into(), "bob".into()));
        assert_eq!(
            received,
            ("received".into(), units, memo.into(), "alice".into()),
            "the payee knows who (N7)"
        );
        let (his, hers) = (bob.receipt(payment), alice.receipt(payment));
        // Alice's receipt may be the later one, which says that the bank has seen the money.
        assert_eq!((his.order, his.received), (hers.order, hers.received), "one receipt on both sides");
        assert_eq!((his.payer, hers.payee), (alice.public_code(), bob.public_code()));
    }
    town.is_sound(&[&alice, &bob]);
}

/// N7, B7: link 2 does not need the bank; the bank is asked when it is back.
#[test]
fn money_passes_while_the_bank_is_closed() {
    let town = Community::open("Naxos");
    let (alice, bob) = (ready(&town, "alice", 500), ready(&town, "bob", 0));
    alice.withdraws(300);
    town.bank().closes();

    // They have never met: the request says where bob is, and the payment where alice is.
    let eggs = bob.requests(70, "eggs");
    alice.pays_request(&eggs).done();
    bob.pays(&alice, 20).memo("change").done();
    assert_eq!((alice.reserve(), bob.reserve()), (250, 50));
    let waiting = bob.tries_to_deposit(50).expect("what waits for the bank is taken all the same");
    assert_eq!(bob.spendable(), 0, "and is not spent twice");

    town.bank().opens();
    assert_eq!(bob.answered(waiting.request).state, "done");
    assert_eq!(bob.account().units.get(), 50);
    alice.has_settled();
    town.is_sound(&[&alice, &bob]);
}

/// N4, N5, N7: who asks for too much is told what there is, and nothing moves.
#[test]
fn too_much_is_answered_with_what_there_is() {
    let town = Community::open("Naxos");
    let (alice, bob) = (ready(&town, "alice", 100), ready(&town, "bob", 0));

    let declined = alice.tries_to_withdraw(101);
    assert_eq!(declined.state, "declined");
    let letters = alice.letters();
    let letter = letters.iter().find(|letter| letter.kind == "refusal").expect("a refusal letter (N4)");
    assert_eq!((letter.units.get(), letter.balance.get()), (101, 100));
    assert!(letter.text.contains("100"), "it names the balance: {}", letter.text);

    alice.withdraws(40);
    for answer in [alice.tries_to_deposit(41).map(drop), alice.pays(&bob, 41).tries().map(drop)] {
        let Err(CallError::Rpc(error)) = answer else { panic!("41 of 40 went through: {answer:?}") };
        assert_eq!(error.reason, "insufficient_funds");
        assert!(error.message.contains("40"), "it names the reserve (N5, N7): {}", error.message);
    }
    assert_eq!((alice.reserve(), alice.account().units.get(), bob.reserve()), (40, 60, 0));
    town.is_sound(&[&alice, &bob]);
}

/// N12, N16: a shop's till is a reserve like anybody's; small amounts pass directly, large ones with the bank's word,
/// and nothing is too large for that.
#[test]
fn a_shop_takes_small_amounts_directly_and_large_ones_certified() {
    let town = Community::open("Naxos");
    let (alice, bakery) =
        (ready(&town, "alice", 1_000_000), town.shop("bakery").joined().started().unlocked());
    alice.withdraws(900_000);
    bakery.takes_directly_at_most(100);
    let bread = alice.pays(&bakery, 4).memo("bread").done();
    let oven = alice.pays(&bakery, 800_000).memo("an oven").done();
    assert_eq!((bread.mode.as_deref(), oven.mode.as_deref()), (Some("direct"), Some("certified")));
    assert_eq!(bakery.reserve(), 800_004);
    bakery.deposits(800_004);
    assert_eq!(bakery.account().units.get(), 800_004);
    town.is_sound(&[&alice, &bakery]);
}

/// N3, N14: a locked workstation takes money and gives none.
#[test]
fn a_locked_workstation_takes_money_but_gives_none() {
    let town = Community::open("Naxos");
    let (alice, bob) = (ready(&town, "alice", 500), ready(&town, "bob", 0));
    alice.withdraws(200);
    bob.locks();
    alice.pays(&bob, 80).done();
    assert_eq!(bob.reserve(), 80);
    assert_eq!(reason(bob.pays(&alice, 1).tries()), "locked");
    for _ in 0..3 {
        assert_eq!(reason(bob.tries_to_unlock("somebody else's code")), "wrong_code");
    }
    assert_eq!(
        reason(bob.tries_to_unlock(&bob.private_code())),
        "too_many_tries",
        "even the right one has to wait"
    );

    bob.stops();
    bob.starts();
    assert!(bob.status().locked, "a start does not open the reserve");
    alice.pays(&bob, 5).done();
    bob.unlocks_in_time();
    bob.has_refreshed();
    bob.pays(&alice, 85).done();
    town.is_sound(&[&alice, &bob]);
}

/// N7, B7: the payee dies in the middle of payments; each reaches one outcome, the same on both sides.
#[test]
fn a_payee_that_dies_in_the_middle_loses_and_doubles_nothing() {
    const PAYMENTS: u64 = 24;
    let town = Community::open("Naxos");
    let (alice, bob) = (ready(&town, "alice", 1_000), ready(&town, "bob", 0));
    alice.withdraws(500);
    alice.pays(&bob, 1).memo("hello").done();

    let mut sent = Vec::new();
    for number in 1..=PAYMENTS {
        sent.push(alice.pays(&bob, number).memo("in the storm").sent());
        // No wait between sending and killing: each round dies somewhere else.
        if number % 4 == 0 {
            bob.is_killed();
            bob.starts();
        }
    }
    for payment in &sent {
        let known = alice.outcome(payment.payment);
        assert_ne!(known.outcome, "in_doubt", "{known:?}");
    }
    alice.has_settled();

    let mut arrived = 1;
    for payment in &sent {
        let known = alice.payment(payment.payment);
        let lines = bob.history();
        let here = lines.iter().filter(|line| line.id == payment.payment.to_string()).count();
        assert_eq!(here, usize::from(known.outcome == "done"), "the sides differ about {known:?}");
        if known.outcome == "done" {
            arrived += payment.units.get();
        }
    }
    assert_eq!(bob.reserve(), arrived);
    assert_eq!(alice.reserve(), 500 - arrived);
    town.is_sound(&[&alice, &bob]);
}

/// B7: the payer dies in the middle and sends the same bytes again after his return.
#[test]
fn a_payer_that_dies_in_the_middle_pays_once() {
    let town = Community::open("Naxos");
    let (alice, bob) = (ready(&town, "alice", 500), ready(&town, "bob", 0));
    alice.withdraws(400);
    alice.pays(&bob, 1).done();
    let mut arrived = 1;
    for round in 0..6 {
        let key = format!("round-{round}");
        let sent = alice.pays(&bob, 10).key(&key).sent();
        alice.is_killed();
        alice.starts();
        alice.unlocks();
        let again = alice.pays(&bob, 10).key(&key).sent();
        assert_eq!(again.payment, sent.payment, "one key, one payment");
        // Killed before anything was signed it is not done, and says so for ever; else it arrives.
        let known = alice.outcome(sent.payment);
        assert!(matches!(known.outcome.as_str(), "done" | "not_done"), "{known:?}");
        let id = sent.payment.to_string();
        let here = bob.history().iter().filter(|line| line.id == id).count();
        assert_eq!(here, usize::from(known.outcome == "done"), "the sides differ about {known:?}");
        arrived += if known.outcome == "done" { 10 } else { 0 };
    }
    alice.has_settled();
    assert_eq!((alice.reserve(), bob.reserve()), (400 - arrived, arrived));
    town.is_sound(&[&alice, &bob]);
}

/// N7: a payee who is not there keeps the payer waiting, not guessing; the money arrives when he is back.
#[test]
fn a_frozen_payee_gets_his_money_when_he_thaws() {
    let town = Community::open("Naxos");
    let (alice, bob) = (ready(&town, "alice", 500), ready(&town, "bob", 0));
    alice.withdraws(100);
    alice.pays(&bob, 1).done();
    bob.program().freeze();
    let sent = alice.pays(&bob, 60).sent();
    let now = alice.payment(sent.payment);
    assert!(matches!(now.outcome.as_str(), "asking" | "in_doubt"), "nobody guesses: {now:?}");
    bob.program().thaw();
    assert_eq!(alice.outcome(sent.payment).outcome, "done");
    settles("bob has it", || {
        wait(bob.rpc().balance(Empty {})).is_ok_and(|now| now.spendable.get() + now.at_bank.get() == 61)
    });
    town.is_sound(&[&alice, &bob]);
}
