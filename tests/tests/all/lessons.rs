//! Mistakes that others made, tried here on the real programs: `tests/LESSONS.md` says which scene belongs to which.

use daemon::rpc::api::{Balance, Move, NewToken, WorkstationClient};
use protocol::money::Units;
use protocol::node::rpc::{CallError, Connection, Empty, Scope, socket_in};
use tests::patience::{settles, wait};
use tests::people::{Community, Resident, amount, key, reason};

fn ready(town: &Community, name: &str, balance: u64) -> Resident {
    town.resident(name, balance).joined().started().unlocked()
}

/// What is said to be held for payments, and for deposits: from the list, not from the sums.
fn listed(now: &Balance) -> (u64, u64) {
    let sum = |kind: &str, states: &[&str]| {
        let held = now.held.iter().filter(|one| one.kind == kind);
        let held = held.filter(|one| states.is_empty() || states.contains(&one.state.as_str()));
        Units::sum(held.map(|one| one.units)).unwrap().get()
    };
    // A withdrawal is awaited, too; the reserve does not have its units yet.
    (sum("payment", &[]), sum("bank", &["deposit", "refresh"]))
}

/// N7, lesson 12 of what users ask for: a balance and the list of what holds it are one reading, however much goes on.
#[test]
fn a_balance_and_what_holds_it_are_one_reading() {
    let town = Community::open("Naxos");
    let (alice, bob) = (ready(&town, "alice", 200), ready(&town, "bob", 0));
    alice.withdraws(100);
    alice.pays(&bob, 1).done();
    town.bank().closes();
    bob.program().freeze();
    let sent = alice.pays(&bob, 60).sent();
    alice.tries_to_deposit(20).expect("what waits for the bank is taken all the same");
    let agrees = |now: &Balance| {
        assert_eq!(listed(now), (now.in_doubt.get(), now.at_bank.get()), "{now:?}");
        assert_eq!(Ok(now.spendable), now.confirmed.plus(now.unconfirmed));
    };
    let now = alice.balance();
    agrees(&now);
    assert!(
        now.held.iter().any(|one| one.awaiting == "the bank"),
        "it says whose answer is awaited: {now:?}"
    );

    bob.program().thaw();
    town.bank().opens();
    settles("nothing is held any more", || {
        let now = alice.balance();
        agrees(&now);
        now.held.is_empty() && alice.payment(sent.payment).outcome != "asking"
    });
    let done = alice.outcome(sent.payment).outcome == "done";
    assert_eq!(alice.reserve(), if done { 19 } else { 79 });
    town.is_sound(&[&alice, &bob]);
}

/// Lesson 17: a program's token opens the doors that its scopes name, and ends by itself.
#[test]
fn a_programs_token_opens_its_own_doors_and_ends_by_itself() {
    let town = Community::open("Naxos");
    let alice = ready(&town, "alice", 100);
    let with = |scopes: &[Scope], seconds: Option<u64>| {
        let scopes = scopes.iter().copied().collect();
        let new = NewToken { name: "a program".to_owned(), scopes, cap: Some(amount(5)), seconds };
        let made = wait(alice.rpc().token_create(new)).expect("the owner makes tokens");
        let socket = socket_in(&alice.program().runtime_dir());
        WorkstationClient::new(Connection::unix_with(&socket, made.secret))
    };
    let reader = with(&[Scope::Read], None);
    assert!(wait(reader.balance(Empty {})).is_ok());
    for scopes in [&[Scope::Read][..], &[Scope::Read, Scope::Receive, Scope::Spend]] {
        let program = with(scopes, None);
        let withdrawn = wait(program.withdraw(Move { units: amount(1), key: key("w") }));
        assert_eq!(reason(withdrawn), "forbidden", "{scopes:?}: the account is the owner's");
        let token = NewToken {
            name: "more".to_owned(),
            scopes: [Scope::Admin].into_iter().collect(),
            cap: None,
            seconds: None,
        };
        assert_eq!(
            reason(wait(program.token_create(token))),
            "forbidden",
            "{scopes:?}: no token makes a token"
        );
    }
    let short = with(&[Scope::Read], Some(1));
    settles("the token ends", || {
        let told = wait(short.balance(Empty {}));
        matches!(told, Err(CallError::Rpc(why)) if why.reason == "unauthorized")
    });
    assert!(wait(reader.balance(Empty {})).is_ok(), "the other one goes on");
}
