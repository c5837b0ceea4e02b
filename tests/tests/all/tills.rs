//! A till chosen by name, and the code that it shows (M2), with the real programs: customers, guessers, strangers.

use protocol::node::rpc::CallError;
use protocol::wire::{ErrorCode, PayAnswer, PayAsk, ShopAnswer, ShopAsk, TillAsk, TillCode, TillSale};
use serde_json::{Value, json};
use tests::patience::{settles, wait};
use tests::people::{Community, Resident, reason};
use tests::process::Output;
use tests::shopkeeper::Shop;
use tests::stranger::{Stranger, Target};

use daemon::rpc::api::{NearQuery, TillQuery};

/// Two tills, and where a neighbour finds it.
fn mess_hall(town: &Community) -> (Shop, String) {
    let hall = Shop::of(town, "Mess hall").opened();
    hall.sets(|settings| settings.tills = vec!["1".to_owned(), "Bar".to_owned()]);
    let address = address_of(&hall);
    (hall, address)
}

fn address_of(shop: &Shop) -> String {
    let status = shop.call("wallet.status", json!({}));
    format!("{}/p2p/{}", status["addresses"][0].as_str().unwrap(), status["node"].as_str().unwrap())
}

/// Somebody in one room with these; no announcement reaches loopback, so the settings say it.
fn neighbour(town: &Community, name: &str, balance: u64, near: &[&str]) -> Resident {
    let who = town.resident(name, balance).joined();
    let file = who.program().home().join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let line = format!("[network]\nneighbours = {}\n", json!(near));
    std::fs::write(&file, text.replacen("[network]\n", &line, 1)).unwrap();
    who.started().unlocked()
}

/// What a till shows now.
fn shown(shop: &Shop, till: &str) -> Value {
    let all = shop.cli(&["--json", "till", "code", till]).expect_ok("till code").json();
    assert_eq!(all["tills"].as_array().unwrap().len(), 1, "{all}");
    all["tills"][0].clone()
}

fn digits(shop: &Shop, till: &str) -> String {
    shown(shop, till)["code"].as_str().unwrap().to_owned()
}

/// Another code than a till shows.
fn wrong(code: &str) -> String {
    TillCode::of(code.parse::<u64>().unwrap() + 333_333).to_string()
}

fn fails(output: &Output) -> (Option<i32>, Value) {
    (output.status, output.json()["error"]["reason"].clone())
}

/// M2: found by a pattern, chosen by the code that the till shows; shop, amount and lines are seen before anything is paid, and
/// nothing is paid without a yes. A code leads nowhere while no sale waits, and to no sale that was paid or taken back.
#[test]
fn a_till_is_found_by_name_and_paid_by_its_code() {
    let town = Community::open("Naxos");
    let (hall, address) = mess_hall(&town);
    let alice = neighbour(&town, "alice", 100, &[&address]);
    alice.withdraws(60);
    settles("the shop is near", || {
        !wait(alice.rpc().shop_near(NearQuery::default())).unwrap().shops.is_empty()
    });
    let near = alice.cli(&["--json", "shop", "near", "mess*"]).expect_ok("near").json();
    let tills = json!(["1", "Bar"]);
    assert_eq!(
        (&near["shops"][0]["name"], &near["shops"][0]["tills"]),
        (&json!("Mess hall"), &tills),
        "{near}"
    );
    assert!(alice.cli(&["shop", "near"]).expect_ok("near").stdout.contains("Mess hall"));
    assert_eq!(alice.cli(&["--json", "shop", "near", "Bar*"]).json()["shops"], json!([]));

    let nothing = alice.cli(&["--json", "pay", "--till", "Mess*", "--code", &digits(&hall, "Bar")]);
    assert_eq!(fails(&nothing), (Some(4), json!("nothing_to_pay")));
    let opened = hall.sale_at(Some("Bar"), "lunch", 12);
    let sale = wait(hall.rpc().sale_open(opened)).unwrap();
    let seen = shown(&hall, "Bar");
    assert_eq!((&seen["units"], &seen["request"]), (&json!(12), &json!(sale.request.unwrap())), "{seen}");
    let code = digits(&hall, "Bar");
    assert!(
        hall.cli(&["sale", "show", &sale.sale.to_string()]).stdout.contains(&code),
        "the sale shows it, too"
    );

    let asked = alice.cli(&["pay", "--till", "mess*", "--code", &code]);
    assert_eq!(asked.status, Some(4), "{asked:?}");
    assert!(
        asked.stderr.contains("lunch") && asked.stderr.contains("12 STM to Mess hall, till Bar"),
        "{asked:?}"
    );
    assert_eq!(alice.spendable(), 60, "nothing is paid before the person has said yes");
    // The only shop near need not be named. Its other till shows another code, and nothing waits there.
    let other = alice.cli(&["--json", "pay", "--code", &digits(&hall, "1"), "--yes"]);
    assert_eq!(fails(&other), (Some(4), json!("nothing_to_pay")));
    let paid =
        alice.cli(&["--json", "pay", "--code", &digits(&hall, "Bar"), "--yes"]).expect_ok("pay").json();
    assert_eq!(
        (&paid["outcome"], &paid["units"], &paid["name"]),
        (&json!("done"), &json!(12), &json!("Mess hall"))
    );
    assert_eq!(hall.waits_for(&sale.sale).payment.unwrap().to_string(), paid["payment"]);
    let again = alice.cli(&["--json", "pay", "--code", &digits(&hall, "Bar"), "--yes"]);
    assert_eq!(fails(&again), (Some(4), json!("nothing_to_pay")), "paid");

    let taken_back = wait(hall.rpc().sale_open(hall.sale_at(Some("Bar"), "tea", 4))).unwrap();
    hall.tries_to_cancel(&taken_back.sale).unwrap();
    let gone = alice.cli(&["--json", "pay", "--code", &digits(&hall, "Bar"), "--yes"]);
    assert_eq!(fails(&gone), (Some(4), json!("nothing_to_pay")), "taken back");
    // The newest that waits is meant; with the private code's lock nothing goes out.
    let two = ["first", "second"]
        .map(|what| wait(hall.rpc().sale_open(hall.sale_at(Some("Bar"), what, 5))).unwrap());
    hall.tries_to_cancel(&two[0].sale).unwrap();
    alice.locks();
    let locked =
        alice.cli(&["--json", "pay", "--till", "Mess hall", "--code", &digits(&hall, "Bar"), "--yes"]);
    assert_eq!(fails(&locked), (Some(4), json!("locked")));
    assert_eq!(hall.sale(&two[1].sale).state, "asked");
    // A cashier sees what the tills show; a customer who was told nonsense learns so.
    let cashier = hall.takes_on("Carla", "cashier", None);
    wait(hall.rpc_as(&cashier).till_code(shop_node::rpc::api::TillQuery::default())).unwrap();
    assert_eq!(hall.cli(&["till", "code", "7"]).status, Some(2), "no such till");
    assert_eq!(alice.cli(&["pay", "--code", "12345"]).status, Some(4));
    town.is_sound(&[&alice]);
}

/// M2, B7: in doubt, the command that is shown asks for the same payment by its request: it ends done or in doubt, however
/// often it is run, whatever waits at the till by then.
#[test]
fn what_a_code_led_to_is_asked_again_and_paid_once() {
    let town = Community::open("Naxos");
    let (hall, address) = mess_hall(&town);
    let alice = neighbour(&town, "alice", 100, &[&address]);
    alice.withdraws(60);
    settles("the shop is near", || {
        !wait(alice.rpc().shop_near(NearQuery::default())).unwrap().shops.is_empty()
    });
    let sale = hall.sells("lunch", 12);
    let code = digits(&hall, "1");
    let first = alice.cli(&["pay", "--yes", "--memo=-for-two", "--no-wait", "--code", &code]);
    assert_eq!(first.status, Some(5), "{first:?}");
    let again = first.stderr.lines().last().unwrap().trim().to_owned();
    assert!(!again.contains("--code") && again.contains(" --memo=-for-two "), "{again}");
    // Where he lives, every command of a scene says by itself.
    let (mut words, home) = (again.split(' ').skip(1).collect::<Vec<_>>(), "--home");
    let at = words.iter().position(|word| *word == home).unwrap();
    words.drain(at..at + 2);
    hall.waits_for(&sale.sale);
    hall.sells("another", 7);
    for _ in 0..2 {
        let repeated = alice.cli(&words);
        assert!(matches!(repeated.status, Some(0 | 5)), "{repeated:?}");
    }
    assert_eq!(alice.outcome(hall.sale(&sale.sale).payment.unwrap()).outcome, "done");
    assert_eq!(alice.reserve(), 48, "paid once");
    town.is_sound(&[&alice]);
}

/// M2: several shops fit: the person chooses. A name that nobody near bears is looked for in the directory, whole.
#[test]
fn of_several_the_person_chooses() {
    let town = Community::open("Naxos");
    let (hall, first) = mess_hall(&town);
    let tent = Shop::of(&town, "Mess tent").opened();
    let second = address_of(&tent);
    let alice = neighbour(&town, "alice", 50, &[&first, &second]);
    let bob = neighbour(&town, "bob", 50, &[]);
    alice.withdraws(20);
    settles("both are near", || wait(alice.rpc().shop_near(NearQuery::default())).unwrap().shops.len() == 2);
    let sale = tent.sells("tent peg", 3);
    let code = digits(&tent, "1");
    for words in [&["--till", "mess*"][..], &[]] {
        let all = [&["--json", "pay", "--yes", "--code", &code][..], words].concat();
        let several = alice.cli(&all);
        assert_eq!(fails(&several), (Some(4), json!("several_shops")));
        let list = several.json()["error"]["details"]["shops"].clone();
        let names: Vec<&str> =
            list.as_array().unwrap().iter().map(|shop| shop["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["Mess hall", "Mess tent"], "{list}");
    }
    assert_eq!(alice.spendable(), 20);
    // A code of the one is none of the other.
    let crossed =
        alice.cli(&["--json", "pay", "--yes", "--till", "mess hall", "--code", &wrong(&digits(&hall, "1"))]);
    assert_eq!(fails(&crossed), (Some(4), json!("other_till_code")));
    let code = digits(&tent, "1");
    alice.cli(&["pay", "--yes", "--till", "*tent", "--code", &code]).expect_ok("pay");
    hall.owes_nothing();
    tent.waits_for(&sale.sale);
    let waits = tent.sells("rope", 2);
    let asked = |name: &str| TillQuery { name: Some(name.to_owned()), till: None, code: digits(&tent, "1") };
    assert_eq!(reason(wait(bob.rpc().shop_till(asked("*tent")))), "not_found", "bob is far away");
    let found = wait(bob.rpc().shop_till(asked("Mess tent"))).unwrap();
    assert_eq!((found.units.get(), found.till.as_str(), found.lines[0].name.as_str()), (2, "1", "rope"));
    assert_eq!(found.uri, waits.uri.unwrap(), "the request itself");
    town.is_sound(&[&alice, &bob]);
}

fn asks(who: &Stranger, shop: &Target, till: &str, code: TillCode) -> Result<TillSale, ErrorCode> {
    let ask = ShopAsk::Till(TillAsk { till: till.to_owned(), code });
    match who.says(shop, PayAsk::Shop(Box::new(ask))) {
        PayAnswer::Shop(answer) => match *answer {
            ShopAnswer::Till(sale) => Ok(*sale),
            other => panic!("{other:?}"),
        },
        PayAnswer::Error(code) => Err(code),
        other => panic!("{other:?}"),
    }
}

/// M2, threats: whoever guesses hears no more after five tries, and never whether there was a sale; somebody who is in no
/// directory hears nothing at all; a resident's workstation shows no till; an announced name is worth nothing.
#[test]
fn guessers_and_strangers_find_no_till() {
    let town = Community::open("Naxos");
    let (hall, address) = mess_hall(&town);
    let alice = neighbour(&town, "alice", 10, &[&address]);
    let (eve, nobody) = (Stranger::joins(&town, "eve", 0), Stranger::with_forged_papers(&town));
    let status = hall.call("wallet.status", json!({}));
    let owner: protocol::code::PublicCode = serde_json::from_value(status["code"].clone()).unwrap();
    let places: Vec<String> = serde_json::from_value(status["addresses"].clone()).unwrap();
    let target = eve.finds_at(&owner.owner(), &places);
    let read = || digits(&hall, "1").parse::<TillCode>().unwrap();
    let missed = || TillCode::of(u64::from(read().number()) + 333_333);

    assert_eq!(asks(&nobody, &target, "", read()), Err(ErrorCode::NotCertified));
    assert_eq!(asks(&eve, &target, "", read()), Err(ErrorCode::NothingToPay), "she stands before it");
    assert_eq!(asks(&eve, &target, &"t".repeat(64), read()), Err(ErrorCode::Malformed));
    assert_eq!(asks(&eve, &target, "", missed()), Err(ErrorCode::OtherTillCode));
    let sale = hall.sells("lunch", 12);
    assert_eq!(asks(&eve, &target, "", missed()), Err(ErrorCode::OtherTillCode), "as without a sale");
    let found = asks(&eve, &target, "1", read()).unwrap();
    assert_eq!((found.till.as_str(), found.lines.len()), ("1", 1));
    for _ in 0..3 {
        assert_eq!(asks(&eve, &target, "", missed()), Err(ErrorCode::OtherTillCode));
    }
    assert_eq!(asks(&eve, &target, "", read()), Err(ErrorCode::TooManyTries));
    let asked = TillQuery { name: Some("Mess*".to_owned()), till: None, code: digits(&hall, "1") };
    settles("alice goes on", || {
        wait(alice.rpc().shop_till(asked.clone())).is_ok() || digits(&hall, "1") != asked.code
    });
    for _ in 0..5 {
        let code = wrong(&digits(&hall, "1"));
        let guess = wait(alice.rpc().shop_till(TillQuery { code, ..asked.clone() }));
        assert_eq!(reason(guess), "other_till_code");
    }
    let late: Result<_, CallError> =
        wait(alice.rpc().shop_till(TillQuery { code: digits(&hall, "1"), ..asked.clone() }));
    assert_eq!(reason(late), "too_many_codes");
    assert_eq!(hall.sale(&sale.sale).state, "asked");

    // The bank has certified this one as a resident, whatever he calls himself, and wherever he is near.
    let false_hall = town.resident("Mess ha1l", 0).joined().started();
    let near = format!("{}/p2p/{}", false_hall.status().addresses[0], false_hall.status().node);
    let carol = neighbour(&town, "carol", 10, &[&near]);
    settles("carol knows him", || carol.status().directory >= 10);
    assert!(wait(carol.rpc().shop_near(NearQuery::default())).unwrap().shops.is_empty());
    let asked = TillQuery { name: Some("Mess*".to_owned()), till: None, code: "000000".to_owned() };
    assert_eq!(reason(wait(carol.rpc().shop_till(asked))), "not_found");
    let target = eve.finds(&false_hall);
    assert_eq!(asks(&eve, &target, "", TillCode::of(0)), Err(ErrorCode::Unsupported));
}
