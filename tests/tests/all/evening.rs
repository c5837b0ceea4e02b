//! A shop's evening with the real programs: takings go to the company that owns it, once and only once (N10).

use serde_json::json;
use std::time::Duration;
use tests::patience::{let_pass, settles};
use tests::people::{Community, Resident};
use tests::shopkeeper::Shop;

struct Street {
    town: Community,
    bakery: Shop,
    company: Resident,
    alice: Resident,
}

/// A bakery that Bread Ltd owns, and a customer.
fn street() -> Street {
    let town = Community::open("Naxos");
    let bakery = Shop::of(&town, "bakery").opened();
    let company = town.company("breadltd").joined().started().unlocked();
    let alice = town.resident("alice", 500).joined().started().unlocked();
    alice.withdraws(500);
    bakery.cli(&["settings", "set", "--sweep", "on"]).expect_ok("settings set");
    Street { town, bakery, company, alice }
}

impl Street {
    fn owns(&self) {
        let (shop, company) =
            (self.town.bank().account_of("bakery"), self.town.bank().account_of("breadltd"));
        self.town.bank().cli(&["shop", "own", &shop, &company]).expect_ok("shop own");
    }

    fn sells(&self, price: u64) -> protocol::id::RequestId {
        let sale = self.bakery.sells("bread", price);
        self.alice.pays_to(sale.uri.as_deref().unwrap(), price).done();
        assert_eq!(self.bakery.waits_for(&sale.sale).state, "paid");
        sale.sale
    }
}

/// N10, B7: shop and bank are killed in the middle of a sweep, several times; the company has the takings once, with the
/// list that the shop signed, and the till keeps nothing and owes nothing.
#[test]
fn a_sweep_survives_shop_and_bank() {
    let street = street();
    street.owns();
    let Street { town, bakery, company, alice } = &street;
    let (first, _) = (street.sells(120), street.sells(35));
    bakery.gives_back(&first, 20);
    bakery.owes_nothing();
    settles("alice has it back", || alice.reserve() == 365);
    town.bank().is_killed();
    let z = bakery.z();
    assert_eq!((z.received.get(), z.refunded.get(), z.reserve.get()), (155, 20, 135));
    let waiting = bakery.sweeps();
    assert_eq!((waiting.open.len(), waiting.open[0].units.get(), waiting.lines), (1, 135, 0));
    let note = || bakery.sweeps().open[0].note.clone();
    settles("it says why it waits", || note().contains("the bank is away"));
    bakery.program().kill();
    bakery.program().start();
    // The deposit may have been asked before: then it is the bank that it waits for.
    settles("a locked till says so", || note().contains("locked") || note().contains("the bank is away"));
    // The deposit, the signature and the answer all fall into these moments.
    for round in 0..4_u64 {
        bakery.unlocks();
        town.bank().opens();
        let_pass(Duration::from_millis(150 + 350 * round));
        bakery.program().kill();
        town.bank().is_killed();
        bakery.program().start();
    }
    bakery.unlocks();
    town.bank().opens();
    bakery.has_swept();
    let swept = bakery.cli(&["--json", "sweep", "list"]).json();
    let one = &swept["sweeps"][0];
    assert_eq!(
        (swept["sweeps"].as_array().unwrap().len(), &one["state"], &one["number"], &one["deposited"]),
        (1, &json!("done"), &json!(1), &json!(135))
    );
    settles("the company has it once", || company.account().units.get() == 135);
    let list = company.cli(&["--json", "sweep", "list"]).json();
    let line = &list["lines"][0];
    assert_eq!((list["lines"].as_array().unwrap().len(), &line["incoming"]), (1, &json!(135)));
    assert_eq!((&line["other"], &line["kind"]), (&json!("bakery"), &json!("SweptIn")));
    let entry = line["entry"].to_string();
    let shown = company.cli(&["--json", "sweep", "show", &entry]).json();
    let kinds: Vec<_> =
        shown["sales"].as_array().unwrap().iter().map(|sale| (&sale["kind"], &sale["units"])).collect();
    assert_eq!(
        kinds,
        [(&json!("sale"), &json!(120)), (&json!("sale"), &json!(35)), (&json!("refund"), &json!(20))]
    );
    // The digest is that of the receipt document which the customer has.
    let text = company.cli(&["sweep", "show", &entry]).expect_ok("sweep show");
    assert!(text.stdout.contains("bakery") && text.stdout.contains("refund"), "{text:?}");
    let page = company.cli(&["statement"]).expect_ok("statement");
    assert!(page.stdout.contains("takings of a shop"), "{page:?}");
    assert_eq!(alice.cli(&["sweep", "show", &entry]).status, Some(3), "others' lists are nobody else's");
    let x = bakery.x();
    assert_eq!((x.swept.get(), x.reserve.get(), x.expected.get()), (135, 0, 0));
    assert!(x.surplus.is_zero() && x.shortage.is_zero(), "{x:?}");
    bakery.program().stop();
    town.is_sound(&[company, alice]);
}

/// N10: a shop that nobody owns at the bank is told so, and by whom it can be put right; then it goes by itself. A cashier
/// has no say in it.
#[test]
fn a_shop_that_nobody_owns_is_told_what_to_do() {
    let street = street();
    let Street { town, bakery, company, alice } = &street;
    street.sells(40);
    let ann = bakery.rpc_as(&bakery.takes_on("Ann", "cashier", None));
    let asked = shop_node::rpc::api::SweepNow { from_account: None };
    assert_eq!(tests::people::reason(tests::patience::wait(ann.sweep_now(asked))), "not_your_role");
    bakery.cli(&["sweep", "now"]).expect_ok("sweep now");
    settles("it says what to do", || {
        bakery.sweeps().open.first().is_some_and(|sweep| sweep.note.contains("bank-node shop own"))
    });
    assert_eq!(company.account().units.get(), 0);
    street.owns();
    bakery.cli(&["sweep", "now"]).expect_ok("sweep now");
    bakery.has_swept();
    assert_eq!(company.account().units.get(), 40);
    bakery.program().stop();
    town.is_sound(&[company, alice]);
}
