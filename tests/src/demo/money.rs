//! Chapter «money»: a bank, three workstations, real payments (N2–N7, N14, M1, M3, B5, B7).

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};

use super::{Stage, say};
use crate::patience::let_pass;
use crate::people::Resident;

/// Payments during which the payee is killed.
const KILLS: u64 = 3;

pub(super) fn play(stage: &mut Stage) {
    for (name, balance) in [("alice", 1_000), ("bob", 200), ("carol", 0)] {
        say(&format!(
            "{name} gets an account with {balance} STM and a letter, joins, and unlocks the workstation."
        ));
        let person = stage.town.resident(name, balance).joined().started().unlocked();
        stage.people.push(person);
        stage.paid_in += balance;
    }
    let Stage { town, people, payments, killed, .. } = stage;
    let [alice, bob, carol] = people.as_slice() else { unreachable!("three people have joined") };

    alice.withdraws(500);
    say(&format!("alice withdraws 500: reserve {}, account {}.", alice.spendable(), alice.account().units));

    let refused = alice.tries_to_withdraw(5_000);
    assert_eq!(refused.state, "declined", "{refused:?}");
    say(&format!("alice asks for 5000: {}.", refused.note.unwrap_or_default()));

    let rent = alice.pays(bob, 120).memo("rent").done();
    *payments += 1;
    say(&format!("alice pays bob 120 for the rent, {}: bob has {}.", mode(&rent.mode), together(bob)));

    let lunch = bob.requests(30, "lunch");
    alice.pays_request(&lunch).done();
    *payments += 1;
    say("bob makes a request for 30, alice pays it.");

    let sofa = alice.pays(carol, 250).memo("a sofa").done();
    *payments += 1;
    assert_eq!(sofa.mode.as_deref(), Some("certified"), "250 is above what is taken directly");
    say(&format!("alice pays carol 250 for a sofa, {}: final at once.", mode(&sofa.mode)));

    assert_eq!(bob.finds("carol"), carol.public_code());
    say("bob looks carol up in the directory.");
    town.bank().closes();
    say("The bank closes. Money goes on passing from hand to hand:");
    bob.pays(carol, 40).memo("eggs").done();
    carol.pays(alice, 15).memo("change").done();
    *payments += 2;
    let held = carol.balance();
    say(&format!(
        "  bob pays carol 40, carol pays alice 15; of carol's {} the bank has yet to see {}.",
        held.spendable, held.unconfirmed
    ));
    let waiting = alice.tries_to_withdraw_later(50);
    say("  alice asks for 50 more: the request waits for the bank by itself.");

    town.bank().opens();
    let answered = alice.answered(waiting);
    assert_eq!(answered.state, "done", "{answered:?}");
    say("The bank opens again: alice has her 50, and what passed meanwhile is taken to it.");

    for round in 1..=KILLS {
        let sent = alice.pays(bob, 10).memo("while bob dies").sent();
        // Somewhere in the middle: each round a little later.
        let_pass(Duration::from_millis(4 * round));
        bob.is_killed();
        *killed += 1;
        bob.starts();
        let ended = alice.outcome(sent.payment);
        assert_eq!(ended.outcome, "done", "{ended:?}");
        *payments += 1;
        say(&format!("bob is killed in the middle of a payment and starts again: {}, once.", ended.state));
    }
    bob.unlocks();

    carol.deposits(100);
    say(&format!("carol deposits 100: her account holds {}.", carol.account().units));
    for person in [alice, bob, carol] {
        person.has_settled();
    }
    agree(alice, bob);
    stage.conserved = prove(stage);
    assert!(stage.conserved, "what was paid in is not what everybody holds");
}

/// The reserve, with what is just being renewed at the bank.
fn together(person: &Resident) -> u64 {
    let balance = person.balance();
    balance.spendable.get() + balance.at_bank.get()
}

fn mode(mode: &Option<String>) -> &str {
    mode.as_deref().unwrap_or("unknown")
}

/// What alice's history says of bob is what bob's says of alice.
fn agree(alice: &Resident, bob: &Resident) {
    let sent: Vec<_> =
        alice.history().into_iter().filter(|line| line.party == Some(bob.public_code())).collect();
    let received = bob.history();
    for line in &sent {
        let other = received.iter().find(|other| other.id == line.id);
        assert!(other.is_some_and(|other| other.units == line.units && other.memo == line.memo), "{line:?}");
    }
    say(&format!("Both histories agree on all {} payments between alice and bob.", sent.len()));
}

/// The table: what was paid in is what everybody holds.
pub(super) fn prove(stage: &Stage) -> bool {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_header(["", "account", "reserve", "in doubt", "together"]);
    let mut sum = 0;
    for person in &stage.people {
        let (account, balance) = (person.account().units.get(), person.balance());
        let reserve = balance.spendable.get() + balance.at_bank.get();
        let (doubt, together) = (balance.in_doubt.get(), account + reserve + balance.in_doubt.get());
        table.add_row([
            person.name().to_owned(),
            account.to_string(),
            reserve.to_string(),
            doubt.to_string(),
            together.to_string(),
        ]);
        sum += together;
    }
    table.add_row(["everybody".to_owned(), String::new(), String::new(), String::new(), sum.to_string()]);
    table.add_row([
        "paid in".to_owned(),
        String::new(),
        String::new(),
        String::new(),
        stage.paid_in.to_string(),
    ]);
    table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    say(&table.to_string());
    let audit = stage.town.bank().audits();
    let everybody: Vec<&Resident> = stage.people.iter().collect();
    stage.town.is_sound(&everybody);
    let ok = audit.get("ok").and_then(serde_json::Value::as_bool) == Some(true);
    say(&format!(
        "The bank's audit {}: debits = credits, outstanding = roots − redeemed.",
        if ok { "passes" } else { "FAILS" }
    ));
    ok && sum == stage.paid_in
}
