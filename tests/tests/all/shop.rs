//! A shop's day with the real programs: `shop-node`, a bank, residents who pay with `stermina pay` (N7, N12).

use protocol::node::clock::Clock;
use protocol::node::rpc::CallError;
use serde_json::json;
use std::time::Duration;
use tests::patience::{let_pass, settles, wait};
use tests::people::{Community, Resident, reason};
use tests::shopkeeper::Shop;

fn ready(town: &Community, name: &str, balance: u64) -> Resident {
    let who = town.resident(name, balance).joined().started().unlocked();
    if balance > 0 {
        who.withdraws(balance);
    }
    who
}

const ARTICLES: &str = "sku,name,category,rule,price,min,max\nbread,Bread,bakery,fixed,3,,\nmilk,\"Milk, 1 l\",dairy,suggested,2,,\ntip,Tip,,free,,1,50\n";

/// N7, N12, M4: from the letter to the Z report: catalogue, a sale by its URI, the receipt document verified by
/// somebody else off line, a refund, the day closed.
#[test]
fn a_shop_s_day() {
    let town = Community::open("Naxos");
    let bakery = Shop::of(&town, "bakery").opened();
    let (alice, bob) = (ready(&town, "alice", 100), ready(&town, "bob", 50));

    let file = town.folder().join("articles.csv");
    std::fs::write(&file, ARTICLES).unwrap();
    bakery.cli(&["catalogue", "import", &file.to_string_lossy()]).expect_ok("import");
    let asked = bakery.cli(&["--json", "sale", "new", "bread*2", "milk", "tip=5"]).json();
    assert_eq!((&asked["total"], &asked["state"]), (&json!(13), &json!("asked")), "{asked}");
    let uri = asked["uri"].as_str().unwrap();
    alice.cli(&["pay", uri]).expect_ok("stermina pay");
    let id = asked["sale"].as_str().unwrap().parse().unwrap();
    let paid = bakery.waits_for(&id);
    assert_eq!((paid.state.as_str(), paid.number, paid.payer), ("paid", Some(1), Some(alice.public_code())));
    assert_eq!(paid.payer_name.as_deref(), Some("alice"), "the shop knows who paid (N7)");
    // A request takes money once.
    assert_eq!(bob.pays_to(uri, 13).refused(), "request_used");

    let back = bakery.gives_back(&id, 3);
    // What just came in goes to the bank first: until it is back, the refund waits, and then goes out by itself.
    assert_ne!(back.state, "failed", "{back:?}");
    bakery.owes_nothing();
    settles("alice has it back", || alice.reserve() == 90);
    let line = alice.history().into_iter().find(|line| line.id == back.payment.to_string()).unwrap();
    assert_eq!((line.name.as_str(), line.memo.as_str()), ("bakery", "refund, receipt 1: stale"));
    assert_eq!(reason(bakery.tries_to_give_back(&id, 11, "too much")), "over_paid");

    // Anybody can check the document: bob with his own bank key, a stranger with a letter line.
    let receipt = town.folder().join("receipt-1.stermina");
    let receipt = receipt.to_string_lossy();
    bakery.cli(&["sale", "receipt", "1", "--file", &receipt]).expect_ok("receipt");
    town.bank().closes();
    let proved = bob.cli(&["--json", "receipt", "verify", &receipt]).expect_ok("verify").json();
    assert_eq!(
        (&proved["genuine"], &proved["total"], &proved["refunded"]),
        (&json!(true), &json!(13), &json!(3))
    );
    assert_eq!((&proved["shop"]["name"], &proved["payer"]), (&json!("bakery"), &json!(alice.public_code())));
    let nobody = town.folder().join("nobody");
    let stranger = tests::process::run(
        &tests::process::Place::Here,
        &tests::process::built().stermina,
        &nobody,
        &["receipt", "verify", &receipt, "--bank", bob.letter()],
    );
    assert!(stranger.ok() && stranger.stdout.contains("Genuine"), "{stranger:?}");
    let mut forged = std::fs::read(&*receipt).unwrap();
    let at = forged.windows(5).position(|part| part == b"Bread").unwrap();
    forged[at] = b'D';
    std::fs::write(&*receipt, forged).unwrap();
    let refused = bob.cli(&["receipt", "verify", &receipt]);
    assert_eq!(refused.status, Some(4), "{refused:?}");
    town.bank().opens();

    let x = bakery.x();
    let z = bakery.z();
    assert_eq!((x.received.get(), x.refunded.get(), x.reserve.get()), (13, 3, 10));
    assert_eq!((z.number, z.received, z.expected, z.reserve), (1, x.received, x.reserve, x.reserve));
    assert!(z.surplus.is_zero() && z.shortage.is_zero(), "{z:?}");
    assert_eq!(reason(wait(bakery.rpc().report_z(protocol::node::rpc::Empty {}))), "day_closed");
    assert_eq!(bakery.call("report.day", json!({ "day": z.day }))["corrected"], json!(13));
    bakery.program().stop();
    town.is_sound(&[&alice, &bob]);
}

/// B7, N7: killed between the request and the payment, and with a refund on its way: the sale is paid, the refund goes
/// out once, and the books of shop and wallet agree.
#[test]
fn a_shop_that_is_killed_forgets_nothing() {
    let town = Community::open("Naxos");
    let bakery = Shop::of(&town, "bakery").opened();
    let alice = ready(&town, "alice", 100);
    let first = bakery.sells("bread", 40);
    bakery.program().kill();
    // He is off: the payment waits in his mailbox, or is sent again.
    let sent = alice.pays_to(first.uri.as_deref().unwrap(), 40).sent();
    bakery.program().start();
    let paid = bakery.waits_for(&first.sale);
    assert_eq!((paid.state.as_str(), paid.payment), ("paid", Some(sent.payment)));
    bakery.unlocks();
    let refund = bakery.gives_back(&first.sale, 15);
    bakery.program().kill();
    bakery.program().start();
    bakery.unlocks();
    // The same key after the crash is the same refund; another is another.
    bakery.owes_nothing();
    settles("alice has it back once", || alice.reserve() == 75);
    let sale = bakery.sale(&first.sale);
    assert_eq!((sale.refunded.get(), sale.refunds.len()), (15, 1));
    assert_eq!((sale.refunds[0].refund, sale.refunds[0].state.as_str()), (refund.refund, "done"));
    let z = bakery.z();
    assert_eq!((z.received.get(), z.refunded.get(), z.reserve.get()), (40, 15, 25));
    assert!(z.surplus.is_zero() && z.shortage.is_zero(), "{z:?}");
    bakery.program().stop();
    town.is_sound(&[&alice]);
}

/// B7: killed again and again while customers pay and are given back: each sale is paid once, each refund goes out once,
/// and what the shop has booked is what its till holds.
#[test]
fn a_shop_that_is_killed_again_and_again_agrees_with_its_till() {
    let town = Community::open("Naxos");
    let bakery = Shop::of(&town, "bakery").opened();
    let people = [ready(&town, "alice", 500), ready(&town, "bob", 500)];
    let mut sales = Vec::new();
    let mut refunds = 0;
    for round in 0..5_u64 {
        let fresh: Vec<_> = (0..4).map(|_| bakery.sells("bread", 10)).collect();
        std::thread::scope(|scope| {
            for (at, sale) in fresh.iter().enumerate() {
                let payer = &people[at % people.len()];
                scope.spawn(move || payer.pays_to(sale.uri.as_deref().unwrap(), 10).sent());
            }
            // Somewhere between the first request and the last receipt.
            let_pass(Duration::from_millis(40 + 90 * round));
            bakery.program().kill();
        });
        bakery.program().start();
        bakery.unlocks();
        fresh.iter().for_each(|sale| assert_eq!(bakery.waits_for(&sale.sale).state, "paid"));
        let back = bakery.tries_to_give_back(&fresh[0].sale, 4, &format!("round {round}")).unwrap();
        bakery.program().kill();
        bakery.program().start();
        bakery.unlocks();
        let again = bakery.tries_to_give_back(&fresh[0].sale, 4, &format!("round {round}")).unwrap();
        // A payment that was not signed when the till died came to nothing; then the refund has another one.
        assert_eq!(again.refund, back.refund, "once, however often it is asked");
        refunds += 4;
        sales.extend(fresh);
    }
    bakery.owes_nothing();
    people.iter().for_each(Resident::has_settled);
    let mut numbers: Vec<u64> = sales.iter().map(|sale| bakery.sale(&sale.sale).number.unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=sales.len() as u64).collect::<Vec<_>>());
    let z = bakery.z();
    assert_eq!((z.received.get(), z.refunded.get()), (10 * sales.len() as u64, refunds));
    assert!(z.surplus.is_zero() && z.shortage.is_zero(), "{z:?}");
    assert_eq!(people.iter().map(Resident::reserve).sum::<u64>(), 1_000 - 10 * sales.len() as u64 + refunds);
    bakery.program().stop();
    town.is_sound(&people.iter().collect::<Vec<_>>());
}

/// N7: a sale that is taken back is refused before the debit; a locked till sells, and owes what it gives back.
#[test]
fn taken_back_and_locked() {
    let town = Community::open("Naxos");
    let bakery = Shop::of(&town, "bakery").opened();
    let alice = ready(&town, "alice", 100);
    let cancelled = bakery.sells("cake", 30);
    assert_eq!(bakery.tries_to_cancel(&cancelled.sale).unwrap().state, "cancelled");
    assert_eq!(alice.pays_to(cancelled.uri.as_deref().unwrap(), 30).refused(), "request_closed");
    assert_eq!(alice.reserve(), 100);

    let bread = bakery.sells("bread", 10);
    bakery.locks();
    alice.pays_to(bread.uri.as_deref().unwrap(), 10).done();
    assert_eq!(bakery.waits_for(&bread.sale).state, "paid");
    assert_eq!(reason(bakery.tries_to_cancel(&bread.sale)), "wrong_state");
    let owed = bakery.tries_to_give_back(&bread.sale, 4, "a key").unwrap();
    assert_eq!(owed.state, "owed", "{owed:?}");
    assert!(owed.note.contains("locked"), "{owed:?}");
    assert_eq!(bakery.status().owed_units.get(), 4);
    bakery.unlocks();
    bakery.owes_nothing();
    settles("alice has it back", || alice.reserve() == 94);
    let again = bakery.tries_to_give_back(&bread.sale, 4, "a key").unwrap();
    assert_eq!((again.refund, again.state.as_str()), (owed.refund, "done"), "the same key gives back once");
    assert_eq!(bakery.sale(&bread.sale).refunded.get(), 4);
    town.is_sound(&[&alice]);
}

/// A till takes payments while the bank is away, within its policy, and says what is unconfirmed; when the bank is back,
/// nothing is.
#[test]
fn a_till_sells_while_the_bank_is_away() {
    let town = Community::open("Naxos");
    let bakery = Shop::of(&town, "bakery").opened();
    let alice = ready(&town, "alice", 900);
    town.bank().closes();
    let (small, big) = (bakery.sells("bread", 20), bakery.sells("an oven", 500));
    alice.pays_to(small.uri.as_deref().unwrap(), 20).done();
    let paid = bakery.waits_for(&small.sale);
    assert_eq!((paid.state.as_str(), paid.confirmed), ("paid", Some(false)));
    assert_eq!((bakery.x().unconfirmed.get(), bakery.status().unconfirmed.get()), (20, 20));
    assert!(!bakery.status().bank_reachable);
    let waiting = alice.pays_to(big.uri.as_deref().unwrap(), 500).sent();
    town.bank().opens();
    assert_eq!(alice.outcome(waiting.payment).outcome, "done", "above the policy it waits for the bank");
    assert_eq!(bakery.waits_for(&big.sale).confirmed, Some(true));
    settles("the bank has seen it all", || bakery.x().unconfirmed.is_zero());
    settles("the first sale is safe", || bakery.sale(&small.sale).confirmed == Some(true));
    assert_eq!(bakery.x().reserve.get(), 520);
    town.is_sound(&[&alice]);
}

/// A cashier's token opens what a cashier may: the rest is refused, and stands in the audit log.
#[test]
fn people_do_what_their_role_allows() {
    let town = Community::open("Naxos");
    let bakery = Shop::of(&town, "bakery").opened();
    let alice = ready(&town, "alice", 100);
    let (ann, max) = (bakery.takes_on("Ann", "cashier", Some(5)), bakery.takes_on("Max", "manager", None));
    let (ann, max) = (bakery.rpc_as(&ann), bakery.rpc_as(&max));
    let sale = wait(ann.sale_open(bakery.sale_of("bread", 20))).unwrap();
    alice.pays_to(sale.uri.as_deref().unwrap(), 20).done();
    let sale = bakery.waits_for(&sale.sale);
    assert_eq!((sale.by.as_str(), sale.state.as_str()), ("Ann", "paid"));

    let empty = protocol::node::rpc::Empty {};
    assert_eq!(reason(wait(ann.report_z(empty))), "not_your_role");
    let pay = json!({ "to": alice.public_code(), "units": 1, "key": "k" });
    assert_eq!(reason(wait(ann.connection().call_value("payment.pay", pay.clone()))), "not_your_role");
    assert_eq!(reason(wait(max.connection().call_value("payment.pay", pay))), "not_your_role");
    let back = |units: u64, key: &str| shop_node::rpc::api::NewRefund {
        sale: "1".to_owned(),
        units: Some(tests::people::amount(units)),
        reason: None,
        looked: None,
        key: key.to_owned(),
    };
    assert_eq!(reason(wait(ann.refund_make(back(6, "a")))), "over_cap");
    assert!(wait(ann.refund_make(back(5, "b"))).is_ok());
    assert!(wait(max.refund_make(back(6, "c"))).is_ok());
    bakery.owes_nothing();
    assert_eq!(wait(max.report_z(empty)).unwrap().refunded.get(), 11);

    let audit = bakery.cli(&["--json", "audit"]).json();
    let lines: Vec<(String, String, String)> = audit["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| ["who", "method", "outcome"].map(|field| line[field].as_str().unwrap().to_owned()).into())
        .collect();
    for (who, method, outcome) in [
        ("Ann", "report.z", "not_your_role"),
        ("Ann", "payment.pay", "not_your_role"),
        ("Ann", "refund.make", "over_cap"),
        ("Ann", "sale.open", "done"),
        ("Max", "report.z", "done"),
    ] {
        let line = (who.to_owned(), method.to_owned(), outcome.to_owned());
        assert!(lines.contains(&line), "{line:?} in {lines:?}");
    }
    // A program's token at the till's wallet is what it is at any workstation; at the counter its scopes are a role.
    let made = bakery.stermina(&["--json", "token", "create", "kiosk", "--can", "read,receive"]).json();
    let kiosk = bakery.rpc_as(made["secret"].as_str().unwrap());
    let asked = json!({ "units": 3, "key": "k" });
    assert!(wait(kiosk.connection().call_value("request.create", asked)).is_ok());
    assert!(wait(kiosk.sale_open(bakery.sale_of("ice", 2))).is_ok());
    assert_eq!(reason(wait(kiosk.refund_make(back(1, "d")))), "forbidden");
    assert_eq!(reason(wait(kiosk.report_z(empty))), "forbidden");

    let people = bakery.cli(&["--json", "staff", "list"]).json();
    let id =
        people["staff"].as_array().unwrap().iter().find(|one| one["name"] == "Ann").unwrap()["staff"].clone();
    bakery.cli(&["staff", "end", id.as_str().unwrap()]).expect_ok("staff end");
    assert!(matches!(wait(ann.status(empty)), Err(CallError::Rpc(error)) if error.reason == "unauthorized"));
}

/// Many customers at one till at once: each pays his own sale once, nothing is lost or doubled.
#[test]
fn forty_customers_at_once() {
    let customers: usize = std::env::var("SHOP_CUSTOMERS").ok().and_then(|n| n.parse().ok()).unwrap_or(40);
    let town = Community::open("Naxos");
    let bakery = Shop::of(&town, "bakery").opened();
    // Five people with many payments each: the till sees the crowd, the machine not forty more programs.
    let people: Vec<Resident> = (0..5).map(|n| ready(&town, &format!("p{n}"), 2_000)).collect();
    let sales: Vec<_> = (0..customers).map(|_| bakery.sells("bread", 3)).collect();
    let clock = Clock::system();
    let begun = clock.monotonic();
    std::thread::scope(|scope| {
        for (at, sale) in sales.iter().enumerate() {
            let payer = &people[at % people.len()];
            scope.spawn(move || payer.pays_to(sale.uri.as_deref().unwrap(), 3).done());
        }
    });
    let receipted = clock.monotonic().saturating_sub(begun);
    let mut numbers: Vec<u64> =
        sales.iter().map(|sale| bakery.waits_for(&sale.sale).number.unwrap()).collect();
    let known = clock.monotonic().saturating_sub(begun);
    println!("{customers} customers: all receipted after {receipted:?}, all booked after {known:?}");
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=customers as u64).collect::<Vec<_>>());
    let z = bakery.z();
    assert_eq!(z.received.get(), 3 * customers as u64);
    assert!(z.surplus.is_zero() && z.shortage.is_zero(), "{z:?}");
    bakery.program().stop();
    people.iter().for_each(Resident::has_settled);
    town.is_sound(&people.iter().collect::<Vec<_>>());
}
