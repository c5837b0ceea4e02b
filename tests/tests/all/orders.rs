//! Orders from afar with the real programs: bank, shop and buyer, who are killed, locked and lied to (C1–C4, C12, C13).

use protocol::body::Text;
use protocol::id::{Digest, RequestId};
use protocol::node::chance::chance_bytes;
use protocol::node::rpc::Empty;
use protocol::shop::{Release, SaleLine, ShopOrder, Word, delivery_digest, total};
use protocol::sign::{Signed, Signer};
use protocol::time::DAY_SECONDS;
use protocol::wire::{ErrorCode, PayAnswer, PayAsk, PlacedOrder, ShopAnswer, ShopAsk};
use serde_json::{Value, json};
use tests::patience::{settles, wait};
use tests::people::{Community, Resident, amount, reason};
use tests::shopkeeper::Shop;
use tests::stranger::{Stranger, Target, now};

const ARTICLES: &str = "sku,name,category,rule,price,min,max,digital\nlunch,Lunch,food,fixed,22,,,\ntea,Tè verde,food,suggested,4,,,\ntip,Tip,,free,,1,50,\nsong,Song,music,fixed,5,,,true\n";

fn hall(town: &Community) -> Shop {
    let hall = Shop::of(town, "hall").opened();
    let file = town.folder().join("articles.csv");
    std::fs::write(&file, ARTICLES).unwrap();
    hall.cli(&["catalogue", "import", &file.to_string_lossy()]).expect_ok("import");
    hall
}

/// Somebody whose money is in his account, and who has seen the catalogue.
fn buyer(town: &Community, name: &str, balance: u64) -> Resident {
    let who = town.resident(name, balance).joined().started().unlocked();
    let page = who.cli(&["--json", "shop", "catalogue", "hall"]).expect_ok("catalogue").json();
    assert_eq!(page["items"].as_array().unwrap().len(), 4, "{page}");
    who
}

fn orders(who: &Resident, words: &[&str]) -> Value {
    let all = [&["--json", "shop", "order", "hall", "--yes"][..], words].concat();
    who.cli(&all).expect_ok("shop order").json()
}

fn shown(who: &Resident, order: &str) -> Value {
    who.cli(&["--json", "shop", "show", order]).json()
}

fn at_shop(hall: &Shop, order: &str) -> Value {
    hall.call("order.show", json!({ "order": order }))
}

fn account_of(hall: &Shop) -> Value {
    hall.call("bank.statement", json!({}))["units"].clone()
}

/// C1, C2, C4, C12, M4: browsed, confirmed by the person, held by the bank, slip printed, brought, released with the code
/// that the courier brings back; a wrong one releases nothing.
#[test]
fn an_order_with_a_courier_and_a_code() {
    let town = Community::open("Naxos");
    let hall = hall(&town);
    let (slips, paper) = (town.folder().join("slips"), town.folder().join("printer"));
    let (folder, printer) = (slips.to_string_lossy(), paper.to_string_lossy());
    let settings = ["order", "settings", "--notice-folder", &folder, "--notice-printer", &printer];
    hall.cli(&settings).expect_ok("settings");
    let alice = buyer(&town, "alice", 100);

    let words = ["shop", "order", "hall", "--item", "lunch:2", "--to", "Via Roma 3", "--release", "code"];
    let asked = alice.cli(&words);
    assert_eq!(asked.status, Some(4), "nothing is ordered before the person has said yes: {asked:?}");
    assert!(asked.stderr.contains("44 STM") && asked.stderr.contains("Via Roma 3"), "{asked:?}");
    assert!(alice.cli(&["--json", "shop", "orders"]).json()["orders"].as_array().unwrap().is_empty());

    let words = ["--item", "lunch:2", "--to", "Via Roma 3", "--release", "code", "--key", "today"];
    let order = orders(&alice, &words);
    let (id, code) = (order["order"].as_str().unwrap(), order["code"].as_str().unwrap());
    assert_eq!((&order["state"], &order["total"], code.len()), (&json!("held"), &json!(44), 8), "{order}");
    assert_eq!(orders(&alice, &words)["order"], order["order"], "the same key orders once");
    assert_eq!((alice.account().units.get(), alice.balance().ordered.get()), (56, 44));
    let held = alice.cli(&["--json", "doubt"]).json();
    assert_eq!((&held["items"][0]["kind"], &held["items"][0]["id"]), (&json!("order"), &json!(id)), "{held}");

    settles("the shop has the money's word", || at_shop(&hall, id)["state"] == "held");
    let slip = slips.join(format!("order-{id}.txt"));
    settles("the slip is there", || slip.exists() && paper.exists());
    let (slip, printed) = (std::fs::read_to_string(slip).unwrap(), std::fs::read(paper).unwrap());
    assert!(slip.contains("Via Roma 3") && slip.contains("2 x Lunch") && !slip.contains(code), "{slip}");
    assert!(printed.starts_with(b"\x1b@") && printed.ends_with(b"\x1dV\x42\x00"));

    let guess = if code == "00000000" { "00000001" } else { "00000000" };
    let wrong = hall.cli(&["--json", "order", "code", id, guess]);
    let said = wrong.json();
    assert_eq!((wrong.status, &said["reason"]), (Some(4), &json!("wrong_code")), "{wrong:?}");
    assert_eq!(said["order"]["hold"]["wrong_codes"], json!(1), "{said}");
    hall.cli(&["order", "code", id, code, "--key", "c"]).expect_ok("the right code");
    hall.cli(&["order", "code", id, code, "--key", "c"]).expect_ok("the same call again");
    assert_eq!((&at_shop(&hall, id)["state"], account_of(&hall)), (&json!("closed"), json!(44)));
    settles("alice knows", || shown(&alice, id)["state"] == "closed");
    assert_eq!(shown(&alice, id)["hold"]["released"], json!(44));
    assert_eq!(alice.balance().ordered.get(), 0);
    // What has ended moves no more.
    let late = alice.cli(&["shop", "dispute", id, "--reason", "cold"]);
    assert_eq!(late.status, Some(3), "{late:?}");
    town.is_sound(&[&alice]);
}

/// B7, C1: the shop killed between its yes and the bank's hold, the buyer between the yes and the bank: both go on, locked
/// as they are, and the money is held once.
#[test]
fn killed_between_the_yes_and_the_hold() {
    let town = Community::open("Naxos");
    let hall = hall(&town);
    let alice = buyer(&town, "alice", 100);
    town.bank().closes();
    let words =
        ["--json", "shop", "order", "hall", "--yes", "--item", "lunch", "--to", "Via Roma 3", "--no-wait"];
    let placed = alice.cli(&words);
    assert_eq!(placed.status, Some(5), "{placed:?}");
    let order = placed.json();
    let id = order["order"].as_str().unwrap();
    settles("the shop has said yes", || shown(&alice, id)["state"] == "holding");
    assert_eq!(at_shop(&hall, id)["state"], "accepted");
    hall.program().kill();
    alice.is_killed();
    hall.program().start();
    alice.starts();
    assert_eq!(
        (&shown(&alice, id)["state"], &at_shop(&hall, id)["state"]),
        (&json!("holding"), &json!("accepted"))
    );
    town.bank().opens();
    settles("the bank holds it", || shown(&alice, id)["state"] == "held");
    settles("the shop knows", || at_shop(&hall, id)["state"] == "held");
    // Locked, one does not give money away.
    let locked = alice.cli(&["shop", "confirm", id]);
    assert_eq!(locked.status, Some(4), "{locked:?}");
    alice.unlocks();
    assert_eq!(alice.account().units.get(), 78, "held once");
    alice.cli(&["shop", "confirm", id]).expect_ok("confirm");
    assert_eq!(shown(&alice, id)["state"], "closed");
    hall.unlocks();
    settles("the shop has it", || account_of(&hall) == json!(22));
    town.is_sound(&[&alice]);
}

/// C2, C4: too little in the account; five wrong codes end the guessing; a dispute, also of a locked buyer; given back in
/// part, the rest confirmed; what a shop refuses goes back by itself.
#[test]
fn declined_disputed_given_back() {
    let town = Community::open("Naxos");
    let hall = hall(&town);
    let alice = buyer(&town, "alice", 100);
    let much = alice.cli(&["--json", "shop", "order", "hall", "--yes", "--item", "lunch:5", "--to", "Roma"]);
    assert_eq!((much.status, &much.json()["state"]), (Some(4), &json!("declined")), "{much:?}");
    assert_eq!((alice.account().units.get(), alice.balance().ordered.get()), (100, 0));

    let order = orders(&alice, &["--item", "lunch", "--to", "Roma", "--release", "code"]);
    let (id, code) = (order["order"].as_str().unwrap(), order["code"].as_str().unwrap());
    settles("held", || at_shop(&hall, id)["state"] == "held");
    let guess = if code == "11111111" { "22222222" } else { "11111111" };
    for _ in 0..5 {
        assert_eq!(hall.cli(&["--json", "order", "code", id, guess]).json()["reason"], "wrong_code");
    }
    let sixth = hall.cli(&["--json", "order", "code", id, code]).json();
    assert_eq!((&sixth["said"], &sixth["reason"]), (&json!("refused"), &json!("not_allowed")), "{sixth}");

    alice.locks();
    alice.cli(&["shop", "dispute", id, "--reason", "it was cold"]).expect_ok("dispute");
    settles("the shop sees it", || {
        hall.cli(&["--json", "order", "refund", id, "7", "--key", "seven"]).json()["order"]["state"]
            == "disputed"
    });
    let seen = at_shop(&hall, id);
    assert_eq!(
        (&seen["hold"]["reason"], &seen["hold"]["left"]),
        (&json!("it was cold"), &json!(15)),
        "{seen}"
    );
    let over = hall.cli(&["order", "refund", id, "16"]);
    assert_eq!(over.status, Some(4), "never above what is left: {over:?}");
    alice.unlocks();
    alice.cli(&["shop", "confirm", id]).expect_ok("they agree");
    let closed = shown(&alice, id);
    assert_eq!(
        (&closed["hold"]["released"], &closed["hold"]["returned"]),
        (&json!(15), &json!(7)),
        "{closed}"
    );
    assert_eq!((alice.account().units.get(), account_of(&hall)), (85, json!(15)));

    let again = orders(&alice, &["--item", "tea:2@5", "--to", "Roma"]);
    let id = again["order"].as_str().unwrap();
    settles("held", || at_shop(&hall, id)["state"] == "held");
    hall.cli(&["order", "ready", id, "--note", "at six"]).expect_ok("ready");
    hall.cli(&["order", "refuse", id, "--note", "no tea left"]).expect_ok("refuse");
    settles("it is back", || alice.account().units.get() == 85);
    settles("alice knows", || shown(&alice, id)["hold"]["returned"] == json!(10));
    town.is_sound(&[&alice]);
}

/// C13: digital goods come once the money is held, and are confirmed by the buyer's workstation when they are there. C3: a
/// shop that looks at each order first, and one that is closed.
#[test]
fn digital_goods_and_a_shop_that_looks_first() {
    let town = Community::open("Naxos");
    let hall = hall(&town);
    let alice = buyer(&town, "alice", 100);
    let song = town.folder().join("song");
    std::fs::write(&song, b"la la la").unwrap();
    hall.cli(&["item", "content", "song", &song.to_string_lossy()]).expect_ok("content");
    let lunch = hall.cli(&["item", "content", "lunch", &song.to_string_lossy()]);
    assert_eq!(lunch.status, Some(2), "a lunch does not travel by wire: {lunch:?}");

    let order = orders(&alice, &["--item", "song", "--confirm-goods"]);
    let id = order["order"].as_str().unwrap();
    settles("it is here and paid", || shown(&alice, id)["state"] == "closed");
    let folder = town.folder().join("music");
    alice.cli(&["shop", "show", id, "--save", &folder.to_string_lossy()]).expect_ok("save");
    assert_eq!(std::fs::read(folder.join("1-song")).unwrap(), b"la la la");
    settles("the shop has it", || account_of(&hall) == json!(5));

    hall.cli(&["order", "settings", "--taking", "ask"]).expect_ok("settings");
    let words = ["--json", "shop", "order", "hall", "--yes", "--item", "lunch", "--to", "Roma", "--no-wait"];
    let waiting = alice.cli(&words).json();
    let id = waiting["order"].as_str().unwrap();
    settles("it is there", || {
        !hall.call("order.list", json!({ "state": "new" }))["orders"].as_array().unwrap().is_empty()
    });
    hall.cli(&["order", "accept", id]).expect_ok("accept");
    settles("held", || shown(&alice, id)["state"] == "held");

    hall.cli(&["order", "settings", "--taking", "closed"]).expect_ok("settings");
    let closed = alice.cli(&["--json", "shop", "order", "hall", "--yes", "--item", "lunch", "--to", "Roma"]);
    assert_eq!((closed.status, &closed.json()["state"]), (Some(4), &json!("refused")), "{closed:?}");
    // People's rights: a cashier types codes in, and gives nothing back.
    let cashier = hall.takes_on("Carla", "cashier", None);
    let refund =
        shop_node::rpc::api::OrderRefund { order: id.parse().unwrap(), units: None, key: "k".to_owned() };
    assert_eq!(reason(wait(hall.rpc_as(&cashier).order_refund(refund))), "not_your_role");
    town.is_sound(&[&alice]);
}

/// An order that a stranger writes by himself.
struct Forgery {
    body: ShopOrder,
    salt: [u8; 16],
    address: String,
}

impl Forgery {
    fn of(who: &Stranger, shop: &Target) -> Forgery {
        let text = |text: &str| Text::new(text, 64).unwrap();
        let line = |sku: &str, name: &str, price| SaleLine {
            sku: text(sku),
            name: text(name),
            quantity: 1,
            price: amount(price),
        };
        let (salt, address) = ([5; 16], "Via Roma 3".to_owned());
        let lines = vec![line("lunch", "Lunch", 22)];
        let body = ShopOrder {
            bank: who.bank(),
            id: RequestId(chance_bytes()),
            buyer: who.owner().key(),
            shop: shop.identity.owner,
            version: 1,
            release: Release::Confirmation,
            order_ends: now().plus_seconds(DAY_SECONDS),
            ends: now().plus_seconds(3 * DAY_SECONDS),
            delivery: delivery_digest(&salt, &address),
            note: Text::default(),
            created: now(),
            total: total(&lines).unwrap(),
            lines,
        };
        Forgery { body, salt, address }
    }

    fn but(mut self, change: impl FnOnce(&mut Forgery)) -> Forgery {
        change(&mut self);
        self
    }

    fn signed(self, by: &Signer) -> PlacedOrder {
        PlacedOrder { order: by.sign(self.body), salt: self.salt, address: self.address }
    }
}

fn says(who: &Stranger, shop: &Target, ask: ShopAsk) -> Result<ShopAnswer, ErrorCode> {
    match who.says(shop, PayAsk::Shop(Box::new(ask))) {
        PayAnswer::Shop(answer) => Ok(*answer),
        PayAnswer::Error(code) => Err(code),
        other => panic!("{other:?}"),
    }
}

fn word(answer: Result<ShopAnswer, ErrorCode>) -> Result<Signed<protocol::shop::OrderWord>, ErrorCode> {
    match answer? {
        ShopAnswer::Order(state) => Ok(state.word.unwrap()),
        other => panic!("{other:?}"),
    }
}

/// C3, threats X8: orders in somebody else's name, replayed, with forged prices, under a used name; a catalogue read past its
/// end; somebody who is no customer; a resident who is asked like a shop.
#[test]
fn a_shop_takes_no_order_that_is_not_one() {
    let town = Community::open("Naxos");
    let hall = hall(&town);
    let alice = buyer(&town, "alice", 10);
    let (eve, mallory) = (Stranger::joins(&town, "eve", 50), Stranger::joins(&town, "mallory", 50));
    let status = hall.call("wallet.status", json!({}));
    let code: protocol::code::PublicCode = serde_json::from_value(status["code"].clone()).unwrap();
    let addresses: Vec<String> = serde_json::from_value(status["addresses"].clone()).unwrap();
    let shop = eve.finds_at(&code.owner(), &addresses);
    let place = |who: &Stranger, order: PlacedOrder| word(says(who, &shop, ShopAsk::Place(order)));
    let fresh = || Forgery::of(&eve, &shop);

    let order = fresh().signed(&eve.owner());
    let id = order.order.unverified().id;
    let first = place(&eve, order.clone()).unwrap();
    assert_eq!(first.unverified().word, Word::Accepted);
    assert_eq!(place(&eve, order.clone()), Ok(first), "the same order gets the same word");
    assert_eq!(place(&mallory, order), Err(ErrorCode::NotMine), "replayed by somebody else");
    assert_eq!(
        says(&mallory, &shop, ShopAsk::Order(id)),
        Err(ErrorCode::NotFound),
        "of others' orders he learns nothing"
    );

    let named = |who: &Stranger| fresh().but(|forged| forged.body.buyer = who.owner().key());
    assert_eq!(place(&eve, named(&mallory).signed(&eve.owner())), Err(ErrorCode::NotMine), "in his name");
    assert_eq!(place(&mallory, named(&mallory).signed(&eve.owner())), Err(ErrorCode::BadSignature));
    let used = fresh().but(|forged| (forged.body.id, forged.body.version) = (id, 9));
    assert_eq!(place(&eve, used.signed(&eve.owner())), Err(ErrorCode::IdReused));

    let price = |units| {
        fresh().but(|forged| {
            forged.body.lines[0].price = amount(units);
            forged.body.total = amount(units);
        })
    };
    assert_eq!(place(&eve, price(1).signed(&eve.owner())), Err(ErrorCode::OtherCatalogue), "forged price");
    let unknown = fresh().but(|forged| forged.body.lines[0].sku = Text::new("caviar", 32).unwrap());
    assert_eq!(place(&eve, unknown.signed(&eve.owner())), Err(ErrorCode::OtherCatalogue));
    let other = fresh().but(|forged| forged.body.shop = eve.owner().key());
    assert_eq!(place(&eve, other.signed(&eve.owner())), Err(ErrorCode::NotMine), "of another shop");
    let late = fresh().but(|forged| forged.body.order_ends = now());
    assert_eq!(place(&eve, late.signed(&eve.owner())), Err(ErrorCode::Expired));
    let nowhere = fresh().but(|forged| {
        (forged.body.delivery, forged.address) = (Digest::default(), String::new());
    });
    assert_eq!(place(&eve, nowhere.signed(&eve.owner())), Err(ErrorCode::NoAddress));
    let elsewhere = fresh().but(|forged| "Via Milano 1".clone_into(&mut forged.address));
    assert_eq!(place(&eve, elsewhere.signed(&eve.owner())), Err(ErrorCode::Malformed));

    let page = says(&eve, &shop, ShopAsk::Catalogue("zzz".to_owned())).unwrap();
    assert!(matches!(page, ShopAnswer::Catalogue(page) if page.items.is_empty() && !page.more));
    let forged = Stranger::with_forged_papers(&town);
    assert_eq!(says(&forged, &shop, ShopAsk::Catalogue(String::new())), Err(ErrorCode::NotCertified));
    let resident = eve.finds(&alice);
    assert_eq!(says(&eve, &resident, ShopAsk::Catalogue(String::new())), Err(ErrorCode::Unsupported));

    let line = json!({ "sku": "lunch" });
    let many = json!({ "shop": "hall", "lines": vec![line; 10_000], "key": "many" });
    let refused = wait(alice.program().connection().call_value("shop.order", many));
    assert_eq!(reason(refused), "bad_amount", "10,000 lines");
    assert!(wait(alice.rpc().shop_orders(Empty {})).unwrap().orders.is_empty());
    town.bank().audits();
}
