//! What the bank does for shops, with the real program: over the network, across kills, by the operators' commands
//! (SPEC §4.16 to §4.18). The rules are tested where they stand, in the ledger and at the desk.

use protocol::bank::{
    AccountQuery, Act, Hold, HoldAct, HoldRule, Letter, NodeQuery, Purpose, Sweep, code_hash,
};
use protocol::body::Text;
use protocol::id::{Digest, RequestId};
use protocol::node::chance::chance_bytes;
use protocol::sign::{Signed, Signer};
use protocol::time::DAY_SECONDS;
use protocol::wire::{
    BankAnswer, BankAsk, ErrorCode, HoldStep, Sale, SaleKind, SalesList, Span, encode, sales_digest,
};
use serde_bytes::ByteBuf;
use serde_json::{Value, json};
use tests::patience::until;
use tests::people::{Community, amount};
use tests::stranger::{Stranger, now};

fn text(text: &str) -> Text {
    Text::new(text, 255).unwrap()
}

fn hold(buyer: &Stranger, shop: &Stranger, units: u64, code: &str) -> Hold {
    let (salt, request) = (chance_bytes(), RequestId(chance_bytes()));
    Hold {
        bank: buyer.bank(),
        request,
        owner: buyer.owner().key(),
        payee: shop.owner().key(),
        units: amount(units),
        order: Digest(chance_bytes()),
        rule: HoldRule::Code { salt, hash: code_hash(&salt, &request, code) },
        order_ends: now().plus_seconds(8 * DAY_SECONDS),
        ends: now().plus_seconds(10 * DAY_SECONDS),
        created: now(),
    }
}

fn act(who: &Stranger, signer: &Signer, hold: RequestId, act: Act) -> BankAsk {
    let (bank, request) = (who.bank(), RequestId(chance_bytes()));
    BankAsk::HoldAct(signer.sign(HoldAct { bank, request, hold, signer: signer.key(), created: now(), act }))
}

fn letters(who: &Stranger) -> Vec<Letter> {
    let query = NodeQuery {
        bank: who.bank(),
        request: RequestId(chance_bytes()),
        owner: who.owner().key(),
        node: who.node().key(),
        purpose: Purpose::Letters,
        number: 0,
        subject: Digest::default(),
        created: now(),
    };
    match who.asks_bank(&BankAsk::Letters(who.node().sign(query))) {
        BankAnswer::Letters(letters, false) => letters.iter().map(|l| l.unverified().clone()).collect(),
        other => panic!("no letters but {other:?}"),
    }
}

fn query(who: &Stranger) -> Signed<AccountQuery> {
    let (bank, request, owner) = (who.bank(), RequestId(chance_bytes()), who.owner().key());
    who.owner().sign(AccountQuery { bank, request, owner, created: now() })
}

/// C1, C2, C4, C13: an order is held, the courier's code pays the shop, also when the bank is killed before the answer is
/// read; the takings go to the company with their list, once (N10).
#[test]
fn an_order_is_held_paid_by_its_code_and_swept() {
    let town = Community::open("Shops");
    let bank = town.bank();
    let alice = Stranger::joins(&town, "alice", 500);
    let shop = Stranger::joins_as(&town, "Bakery", "shop", 0);
    let company = Stranger::joins_as(&town, "Bread Ltd", "company", 0);

    let asked = hold(&alice, &shop, 120, "4711");
    let held = BankAsk::Hold(alice.owner().sign(asked.clone()));
    let answer = alice.asks_bank(&held);
    assert!(matches!(answer, BankAnswer::Held(..)), "{answer:?}");
    let guess = act(&shop, &shop.node(), asked.request, Act::Code(text("0000")));
    assert_eq!(shop.asks_bank(&guess), BankAnswer::Error(ErrorCode::WrongCode));
    let courier = act(&shop, &shop.node(), asked.request, Act::Code(text("4711")));
    let told = shop.asks_bank(&courier);
    assert!(
        matches!(&told, BankAnswer::Hold(state) if matches!(state.step, HoldStep::Closed(..)) && state.wrong == 1),
        "{told:?}"
    );
    bank.is_killed();
    bank.opens();
    assert_eq!(alice.asks_bank(&held), answer);
    assert_eq!(shop.asks_bank(&courier), told);
    assert_eq!(letters(&shop).iter().map(|letter| letter.balance.get()).collect::<Vec<_>>(), [120]);

    let (number, at, units, till) = (1, now(), amount(120), "front".to_owned());
    let sale = Sale { number, at, units, kind: SaleKind::Sale, till, receipt: Digest(chance_bytes()) };
    let list = ByteBuf::from(encode(&SalesList { sales: vec![sale] }));
    let sweep = Sweep {
        bank: shop.bank(),
        request: RequestId(chance_bytes()),
        owner: shop.owner().key(),
        number: 1,
        day: now().day(),
        units,
        ordered: amount(0),
        sales: 1,
        list: sales_digest(&list),
        created: now(),
    };
    let swept = BankAsk::Sweep(shop.owner().sign(sweep), list.clone());
    assert_eq!(shop.asks_bank(&swept), BankAnswer::Error(ErrorCode::NotAllowed), "nobody owns it yet");
    let (shops, owner) = (shop.account.to_string(), company.account.to_string());
    bank.cli(&["shop", "own", &shops, &owner]).expect_ok("shop own");
    let answer = shop.asks_bank(&swept);
    assert!(matches!(answer, BankAnswer::Swept(_)), "{answer:?}");
    bank.is_killed();
    bank.opens();
    assert_eq!(shop.asks_bank(&swept), answer);

    let told = company.asks_bank(&BankAsk::Statement(query(&company), Span::Before(u64::MAX)));
    let BankAnswer::Statement(lines, None) = told else { panic!("{told:?}") };
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((line.incoming.get(), line.balance.get(), line.other.as_str()), (120, 120, "Bakery"));
    let told = company.asks_bank(&BankAsk::SweepList(query(&company), line.entry));
    assert!(matches!(&told, BankAnswer::SweepList(_, bytes) if *bytes == list), "{told:?}");
    let shown = bank.cli(&["sweep", "show", &shops, "1", "--json"]).expect_ok("sweep show").json();
    assert_eq!(shown["sales"][0]["till"], json!("front"));
    bank.audits();
}

/// N11: a shop is leased out, its rent is collected by a bank that was killed before it was due, and the shop is handed
/// over to people with a letter of their own.
#[test]
fn a_shop_is_leased_out_and_handed_over() {
    let town = Community::open("Shops");
    let bank = town.bank();
    let shop = Stranger::joins_as(&town, "Bakery", "shop", 500);
    let company = Stranger::joins_as(&town, "Bread Ltd", "company", 0);
    let (shops, owner) = (shop.account.to_string(), company.account.to_string());
    let lease = [
        "shop",
        "lease",
        &shops,
        &owner,
        "--caution",
        "300",
        "--rent",
        "50",
        "--every",
        "month",
        "--key",
        "lease",
    ];
    bank.cli(&lease).expect_ok("shop lease");
    bank.cli(&lease).expect_ok("the same lease again");
    bank.is_killed();
    bank.opens();
    let paid = until(|| {
        let page = bank.cli(&["statement", &owner, "--json"]).expect_ok("statement").json();
        page["lines"].as_array().filter(|lines| !lines.is_empty()).cloned()
    });
    let rent = paid.expect("rent within a minute");
    assert_eq!((rent.len(), &rent[0]["incoming"], &rent[0]["other"]), (1, &json!(50), &json!("Bakery")));
    let early = bank.cli(&["shop", "hand-over", &shops, "New Bakery"]);
    assert!(!early.ok(), "it is leased, and has money");

    bank.cli(&["shop", "end-lease", &shops, "--kept", "100"]).expect_ok("shop end-lease");
    bank.cli(&["account", "pay-out", &shops, "350"]).expect_ok("account pay-out");
    let over = bank.cli(&["shop", "hand-over", &shops, "New Bakery", "--json"]).expect_ok("hand-over").json();
    assert_ne!(over["account"], json!(shop.account));
    let old = bank.cli(&["shop", "show", &shops, "--json"]).expect_ok("shop show").json();
    assert_eq!((&old["after"], &old["owed"]), (&over["account"], &json!(0)));
    let audit: Value = bank.audits();
    assert_eq!((&audit["deposits"], &audit["on_accounts"]), (&json!(0), &json!(150)));
}
