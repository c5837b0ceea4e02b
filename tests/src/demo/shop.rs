//! Chapter «shop»: two tills, a refund, an order with a courier, the evening; then a shop is leased (N7, N10–N12, C1, C4,
//! M4, M5).

use serde_json::Value;

use super::{Stage, say};
use crate::patience::{settles, until, wait};
use crate::people::{Community, Resident};
use crate::shopkeeper::Shop;

pub(super) fn play(stage: &mut Stage) {
    say(
        "A bakery opens: shop-node, a till that is a reserve. The company Bread Ltd owns it (bank-node shop own).",
    );
    let company = stage.town.company("breadltd").joined().started().unlocked();
    let bakery = Shop::of(&stage.town, "bakery").opened();
    let bank = stage.town.bank();
    let (shop, owner) = (bank.account_of("bakery"), bank.account_of("breadltd"));
    bank.cli(&["shop", "own", &shop, &owner]).expect_ok("shop own");
    bakery
        .cli(&["settings", "set", "--till", "counter", "--till", "van", "--sweep", "on"])
        .expect_ok("settings set");
    let [alice, bob, ..] = stage.people.as_slice() else { unreachable!("they have joined") };

    let bread = sells(&bakery, "counter", "bread", 12, alice);
    say(
        "alice pays 12 for bread at the counter, by the code that the till shows; her receipt can be verified off line.",
    );
    sells(&bakery, "van", "cake", 30, bob);
    stage.payments += 2;
    say("bob pays 30 for a cake at the van.");
    bakery.gives_back(&bread, 5);
    bakery.owes_nothing();
    stage.payments += 1;
    say("alice gets 5 of it back, against the receipt.");

    courier(&stage.town, &bakery, alice);

    let z = bakery.z();
    assert_eq!((z.received.get(), z.refunded.get(), z.reserve.get()), (42, 5, 37));
    say(&format!(
        "Z report {}: received 42, given back 5, in the till 37, on the account 20 for the order, variance none.",
        z.number
    ));
    bank.is_killed();
    bakery.program().kill();
    stage.killed += 2;
    say(
        "The day's takings are on their way to the company. Both the bank and the shop are killed in the middle of it.",
    );
    bank.opens();
    bakery.program().start();
    bakery.unlocks();
    bakery.has_swept();
    settles("the company has its takings", || company.account().units.get() == 57);
    let list = company.cli(&["--json", "sweep", "list"]).expect_ok("sweep list").json();
    let entry = list.pointer("/lines/0/entry").and_then(Value::as_u64).unwrap_or_default().to_string();
    say("They arrived, once. stermina sweep show, at the company:");
    let shown = company.cli(&["sweep", "show", &entry]).expect_ok("sweep show");
    shown.stdout.lines().for_each(|line| say(&format!("  {line}")));

    leases(stage, &company);
    assert_eq!(bakery.x().reserve.get(), 0);
    alice_and_bob_have_settled(stage);
    bakery.program().stop();
    stage.people.push(company);
}

/// An order from afar: the bank keeps the money, and the code that the courier brings back releases it.
fn courier(town: &Community, bakery: &Shop, alice: &Resident) {
    let file = town.folder().join("articles.csv");
    let written = std::fs::write(&file, "sku,name,category,rule,price,min,max\nbun,Buns,bakery,fixed,10,,\n");
    written.unwrap_or_else(|why| panic!("articles.csv: {why}"));
    bakery.cli(&["catalogue", "import", &file.to_string_lossy()]).expect_ok("catalogue import");
    let words = [
        "--json",
        "shop",
        "order",
        "bakery",
        "--yes",
        "--item",
        "bun:2",
        "--to",
        "Via Roma 3",
        "--release",
        "code",
    ];
    let order = alice.cli(&words).expect_ok("shop order").json();
    let text = |field: &str| order.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (id, code) = (text("order"), text("code"));
    assert_eq!(text("state"), "held", "{order}");
    say(
        "alice orders buns for 20 from home (stermina shop order). The bank keeps the 20; alice has a code for the courier.",
    );
    let at_shop = |state: &str| {
        let order = bakery.call("order.show", serde_json::json!({ "order": id }));
        order.get("state").and_then(Value::as_str) == Some(state)
    };
    settles("the shop knows that the bank has the money", || at_shop("held"));
    bakery.cli(&["order", "code", &id, &code]).expect_ok("order code");
    settles("the order is over", || at_shop("closed"));
    // Its money stands in the day's report, and goes to the company with the rest.
    settles("the shop has booked it", || bakery.x().ordered.get() == 20);
    say("The courier brings the code: the bank releases the 20 to the bakery's account.");
}

/// A shop of somebody's own: caution, rent by the bank's calendar, and its end.
fn leases(stage: &mut Stage, company: &Resident) {
    let bank = stage.town.bank();
    let letter = bank.opens_account("cafe", "shop", 400);
    assert!(!letter.is_empty());
    let (shop, owner) = (bank.account_of("cafe"), bank.account_of("breadltd"));
    let lease = [
        "shop",
        "lease",
        &shop,
        &owner,
        "--caution",
        "300",
        "--rent",
        "50",
        "--every",
        "month",
        "--key",
        "demo",
    ];
    bank.cli(&lease).expect_ok("shop lease");
    say("Bread Ltd leases its cafe to somebody: 300 caution stay with the bank, 50 rent are due each month.");
    let paid = until(|| (company.account().units.get() == 107).then_some(()));
    assert!(paid.is_some(), "the first rent is due today");
    say("The first rent came by the bank's calendar: stermina statement, at the company:");
    let page = company.cli(&["statement"]).expect_ok("statement");
    page.stdout.lines().for_each(|line| say(&format!("  {line}")));
    bank.cli(&["shop", "end-lease", &shop, "--kept", "100"]).expect_ok("shop end-lease");
    bank.cli(&["account", "pay-out", &shop, "250"]).expect_ok("account pay-out");
    let over = bank.cli(&["shop", "hand-over", &shop, "new cafe", "--json"]).expect_ok("hand-over").json();
    assert!(over.get("account").is_some(), "{over}");
    // 400 came with the lessee: 50 rent and 100 of the caution stay, the rest he takes along.
    stage.paid_in += 150;
    say(
        "The lease ends: 100 of the caution stay for damage; the account is settled, and the cafe handed over to new people.",
    );
}

fn sells(bakery: &Shop, till: &str, what: &str, price: u64, payer: &Resident) -> protocol::id::RequestId {
    let opened = wait(bakery.rpc().sale_open(bakery.sale_at(Some(till), what, price)));
    let sale = opened.unwrap_or_else(|why| panic!("a sale at {till}: {why}"));
    payer.pays_to(sale.uri.as_deref().unwrap_or_default(), price).memo(what).done();
    assert_eq!(bakery.waits_for(&sale.sale).state, "paid");
    sale.sale
}

fn alice_and_bob_have_settled(stage: &Stage) {
    stage.people.iter().for_each(Resident::has_settled);
}
