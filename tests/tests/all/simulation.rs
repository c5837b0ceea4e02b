//! The simulation of `cargo sim`, for a few worlds; and that it can fail.

use tests::sim::act::{Act, Kind};
use tests::sim::run::{Plan, run};
use tests::sim::schedule::{Drawn, Lived, again, line, live, read, shrink};
use tests::sim::setting::{Features, Nurseries, Setting};
use tests::sim::truth::Violation;

/// N6, N7, N10, N11, B5, B7, C1, C2, C4, threats X1–X3, H1, H2: whatever people, shops, post, clocks, disks and cheats do,
/// no unit is lost or made, each payment has one outcome, each hold, sweep and rent ends once, and nobody honest pays for
/// anybody.
#[test]
fn worlds_keep_their_sums_after_every_act() {
    let plan = Plan { steps: 5_000, seed: 1, life: 500, threads: 2, features: Features::TODAY };
    let report = run(plan, |_| {});
    let failures: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert!(report.ok, "{}", failures.join("\n\n"));
    assert_eq!((report.violations, report.blamed_honest), (0, 0));
    // A simulation in which nothing happens proves nothing.
    for event in [
        "received",
        "returned",
        "lost",
        "crashed",
        "disk-died",
        "bank-crashed",
        "answer-clash",
        "claim-filed",
        "claim-judged",
        "recovered",
        "restored",
        "reclaim-closed",
        "in-vault",
        "bulletin-read",
        "restored-exactly",
        "hold-made",
        "hold-split",
        "swept",
        "rent-paid",
        "handed-over",
        "sale-paid",
    ] {
        assert!(report.events.of(event) > 0, "no {event}:\n{}", report.events.table());
    }
    assert!(report.events.of("received") > 150 && report.events.of("double-spent") > 25);
}

/// The same seed lives the same life, and its schedule lives it again.
#[test]
fn a_seed_lives_the_same_life_twice() {
    let setting = Setting::of(12, Features::TODAY);
    let nurseries = &mut Nurseries::default();
    let (acts, lived) = live(setting, 400, nurseries);
    let (same, twin) = live(setting, 400, nurseries);
    assert_eq!((&acts, &lived.tally), (&same, &twin.tally));
    let Drawn { setting, acts: written } = read(&line(&setting, &acts), Features::TODAY).unwrap();
    assert_eq!(written, acts);
    let replayed = again(setting, &written, nurseries);
    assert_eq!((replayed.tally, replayed.violation), (lived.tally, None));
}

/// A schedule is read back or refused; it never panics.
#[test]
fn a_schedule_that_is_none_is_refused() {
    for text in
        ["", "x", "7 deliver", "7 deliver.1.2.3", "7 dance.1.2.3.4", "7 pay.1.2.3.g", "7 pay.300.1.1.1"]
    {
        assert!(read(text, Features::TODAY).is_err(), "«{text}»");
    }
    assert!(read("7 pay.1.2.3.ff", Features::TODAY).is_ok());
}

/// Breaks a world somewhere in its middle; gives what was found, and how few acts show it.
fn sabotaged(kind: Kind) -> (Violation, Vec<Act>) {
    let nurseries = &mut Nurseries::default();
    // The first worlds in which there is something to break.
    for seed in 1..40 {
        let setting = Setting::of(seed, Features::TODAY);
        let (mut acts, lived) = live(setting, 200, nurseries);
        assert_eq!(lived.violation, None);
        acts.insert(120, Act { kind, who: 0, other: 1, much: 7, number: 5 });
        let broken = again(setting, &acts, nurseries);
        if let Some(violation) = broken.violation {
            let shrunk = shrink(setting, &acts, violation.rule, nurseries);
            let shown = again(setting, &shrunk, nurseries).violation;
            assert_eq!(shown.map(|shown| shown.rule), Some(violation.rule), "what is left still breaks it");
            return (violation, shrunk);
        }
    }
    panic!("nobody notices {}", kind.word());
}

/// A bank that forgets what it redeemed would pay twice: the books no longer add up.
#[test]
fn a_bank_that_would_pay_twice_is_caught() {
    let (violation, shrunk) = sabotaged(Kind::ForgetRedeemed);
    assert!(["bank-audit", "redeemed-twice"].contains(&violation.rule), "{violation:?}");
    assert!(shrunk.len() <= 25, "{}", shrunk.len());
}

/// Money on an account that nobody paid in.
#[test]
fn money_from_nothing_is_caught() {
    let (violation, shrunk) = sabotaged(Kind::CreditNothing);
    assert!(["account", "bank-audit"].contains(&violation.rule), "{violation:?}");
    assert!(shrunk.len() <= 2, "{}", shrunk.len());
}

/// A wallet that frees what it has promised, as one would that lets a date free it, spends twice.
#[test]
fn a_wallet_that_frees_what_it_promised_is_caught() {
    let (violation, shrunk) = sabotaged(Kind::FreeAgain);
    assert!(
        ["history-fits-reserve", "wealth", "free-not-owed", "free-twice"].contains(&violation.rule),
        "{violation:?}"
    );
    assert!(shrunk.len() <= 8, "{}", shrunk.len());
}

/// A wallet that believes its money to be more than it is.
#[test]
fn a_wallet_with_too_much_is_caught() {
    let (violation, shrunk) = sabotaged(Kind::StretchNote);
    assert!(["history-fits-reserve", "free-twice", "wealth"].contains(&violation.rule), "{violation:?}");
    assert!(shrunk.len() <= 2, "{}", shrunk.len());
}

/// A line of the history that was edited.
#[test]
fn an_edited_history_is_caught() {
    let (violation, shrunk) = sabotaged(Kind::EditHistory);
    // A line too many says that something moved twice: which rule notices first depends on the line.
    assert_ne!(violation.rule, "panic", "{violation:?}");
    assert!(shrunk.len() <= 6, "{violation:?}: {}", shrunk.len());
}

/// C4: a bank that forgets a signed disagreement lets its calendar move the money: no word and no date allows that.
#[test]
fn a_timer_that_a_dispute_does_not_stop_is_caught() {
    let (violation, shrunk) = sabotaged(Kind::ForgetDispute);
    assert!(["hold-moves", "hold-row", "hold-word"].contains(&violation.rule), "{violation:?}");
    assert!(shrunk.len() <= 12, "{}", shrunk.len());
}

/// C1: what was taken for an order ends to the last unit, at the shop or at the buyer.
#[test]
fn a_hold_that_loses_a_unit_is_caught() {
    let (violation, shrunk) = sabotaged(Kind::LoseHeld);
    assert!(["hold-moves", "hold-row", "bank-audit"].contains(&violation.rule), "{violation:?}");
    assert!(shrunk.len() <= 8, "{}", shrunk.len());
}

/// N11: a period's rent is due once.
#[test]
fn rent_of_a_period_that_is_due_twice_is_caught() {
    let (violation, shrunk) = sabotaged(Kind::ForgetPeriod);
    assert!(["rent", "tenure-row", "bank-audit"].contains(&violation.rule), "{violation:?}");
    assert!(shrunk.len() <= 12, "{}", shrunk.len());
}

/// N10: a bank that has forgotten a sweep would take its number once more.
#[test]
fn a_sweep_that_is_forgotten_is_caught() {
    let (violation, shrunk) = sabotaged(Kind::ForgetSweep);
    assert!(["sweep-gap", "tenure-row", "bank-audit"].contains(&violation.rule), "{violation:?}");
    assert!(shrunk.len() <= 12, "{}", shrunk.len());
}

/// N7, B7: a refund has one name for ever; a shop that gave it two would pay it twice.
#[test]
fn a_refund_that_is_paid_twice_is_caught() {
    let (violation, shrunk) = sabotaged(Kind::GiveBackTwice);
    assert_eq!(violation.rule, "refunded-too-much", "{violation:?}");
    assert!(shrunk.len() <= 30, "{}", shrunk.len());
}

/// Lives written acts, and finds nothing broken.
fn lived(line: &str) -> Lived {
    let Drawn { setting, acts } = read(line, Features::TODAY).unwrap();
    let lived = again(setting, &acts, &mut Nurseries::default());
    assert_eq!((&lived.violation, lived.blamed_honest), (&None, 0));
    lived
}

/// Threats X6: a payee's machine is lost before the vault has what it took. Its payer shows the payment and the receipt
/// again when his order is long past, and the new machine takes it.
#[test]
fn a_receipt_outlives_the_machine_that_gave_it() {
    let lived = lived(
        "412 pay.189.234.20.d45546febb3abc71 deliver.35.221.12.514d79b3ddd23002 \
         deliver.171.229.11.71189239fa04501f deliver.157.31.141.b78f2c8736303e9d \
         lose-machine.0.206.29.fbdba9f4a8a75e43 hours.206.56.139.dc79e24ea1d46575 \
         days.200.138.130.b3270ff2dd882310 days.125.201.17.deec4941cdba39a5",
    );
    let tally = lived.tally;
    assert_eq!((tally.of("restored"), tally.of("restored-exactly"), tally.of("received")), (1, 1, 2));
}

/// Threats X6: where the receipt is lost, too, nobody knows of the payment: the payer has it back, and is not blamed.
#[test]
fn what_nobody_knows_of_was_never_paid() {
    let lived = lived(
        "1165 pay.198.53.107.f24a785c59c16d4d deliver.188.32.2.99666673d0029429 \
         deliver.130.158.51.cedb0ff564268310 deliver.98.51.241.dd1d28639fe77e9b \
         lose.95.104.162.df269bf81f872e18 lose-machine.165.230.50.c07f3531a0117e24 \
         days.89.184.45.fa18e255fec12baf",
    );
    assert_eq!((lived.tally.of("restored"), lived.tally.of("never-was")), (1, 107));
}

/// Threats X1, X6: who goes back to an older disk takes to the bank what he had paid before that. He has it until those he
/// paid have claimed it, and no longer: nobody honest is blamed, and in the end all sums are right.
#[test]
fn an_older_disk_deposits_what_was_paid() {
    let lived = lived(
        "20119 backup.145.79.3.5853d5cf17e57f83 pay.124.14.5.903824a6b28cc2cf \
         deliver.88.223.2.3e7cc750dc87ee0c deliver.82.173.60.b631f579cf835d45 \
         overtake.163.96.7.d1fd340ac4f78939 roll-back.124.105.9.baea9dbf39c9ff0b \
         deposit.208.169.30.c853ccb9be205f78",
    );
    assert_eq!((lived.tally.of("rolled-back"), lived.tally.of("received")), (1, 1));
}

/// Threats X6: somebody whose machine is gone gets everything back that was his; nobody is blamed.
#[test]
fn a_lost_machine_costs_nobody_anything() {
    let nurseries = &mut Nurseries::default();
    let setting = Setting::of(2, Features::TODAY);
    let act = |kind, number| Act { kind, who: 0, other: 1, much: 7, number };
    let mut acts = vec![act(Kind::Pay, 1), act(Kind::Withdraw, 2)];
    acts.extend((3..12).map(|number| act(Kind::Deliver, number)));
    acts.extend([act(Kind::LoseMachine, 20), act(Kind::Pay, 21)]);
    acts.extend((30..40).map(|number| act(Kind::Deliver, number)));
    let lived = again(setting, &acts, nurseries);
    assert_eq!((lived.violation, lived.blamed_honest), (None, 0));
    assert!(
        lived.tally.of("restored") > 0 && lived.tally.of("reclaim-closed") > 0,
        "{}",
        lived.tally.table()
    );
}
