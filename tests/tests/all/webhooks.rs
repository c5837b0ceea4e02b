//! Webhooks with the real `shop-node` and a small HTTP receiver (SPEC §5.6; issue 4: signed, retried, resumable).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use protocol::node::rpc::{CallError, EventsList};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tests::patience::{settles, wait};
use tests::people::{Community, reason};
use tests::receiver::{Answer, Posted, Receiver};
use tests::shopkeeper::Shop;

fn adds(shop: &Shop, receiver: &Receiver, more: &[&str]) -> String {
    let url = receiver.url();
    let words = ["--json", "webhook", "add", &url].into_iter().chain(more.iter().copied());
    let made = shop.cli(&words.collect::<Vec<_>>()).expect_ok("webhook add").json();
    made["webhook"].as_str().unwrap().to_owned()
}

fn hook(shop: &Shop, id: &str) -> Value {
    let list = shop.call("webhook.list", json!({}));
    list["webhooks"].as_array().unwrap().iter().find(|hook| hook["webhook"] == id).unwrap().clone()
}

fn events(shop: &Shop) -> Vec<Value> {
    let asked = EventsList { since: 0, limit: Some(500), wait_seconds: 0 };
    wait(shop.program().connection().events(&asked)).unwrap().events
}

/// What a hook that names no kinds is told.
fn for_all(shop: &Shop) -> Vec<Value> {
    events(shop).into_iter().filter(|event| event["kind"] != "webhook").collect()
}

/// The numbers of these.
fn numbers(shop: &Shop) -> Vec<u64> {
    for_all(shop).iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

fn seqs(taken: &[Posted]) -> Vec<u64> {
    taken.iter().map(Posted::seq).collect()
}

/// The recipe of SPEC §5.6, with nothing of ours but the key that the shop shows.
fn verifies(posted: &Posted, key: &str) -> bool {
    let bytes = STANDARD.decode(key.strip_prefix("whpk_").unwrap()).unwrap();
    let key = VerifyingKey::from_bytes(&bytes.try_into().unwrap()).unwrap();
    let signature =
        STANDARD.decode(posted.header("webhook-signature").strip_prefix("v1a,").unwrap()).unwrap();
    let head = format!("{}.{}.", posted.header("webhook-id"), posted.header("webhook-timestamp"));
    let message = [head.as_bytes(), &posted.body].concat();
    key.verify_strict(&message, &Signature::from_slice(&signature).unwrap()).is_ok()
}

/// Issue 4: every event comes once, in order, as the event stream tells it, and its signature holds; another hook is told
/// only the kinds that it asked for; what was told is told again when somebody asks for that.
#[test]
fn events_arrive_in_order_and_signed() {
    let town = Community::open("Naxos");
    let bakery = Shop::of(&town, "bakery").opened();
    bakery.sells("bread", 4);
    let (all, sales) = (Receiver::listens(), Receiver::listens());
    let id = adds(&bakery, &all, &["--after", "0"]);
    adds(&bakery, &sales, &["--kinds", "sale,report"]);
    let sale = bakery.sells("milk", 2);
    bakery.tries_to_cancel(&sale.sale).unwrap();
    bakery.z();
    let told = |receiver: &Receiver, many: usize| receiver.taken().len() >= many;
    let many = for_all(&bakery).len();
    settles("all is told", || told(&all, many));
    settles("sales are told", || told(&sales, 4));
    let (taken, known) = (all.taken(), for_all(&bakery));
    assert_eq!(taken.iter().map(Posted::event).collect::<Vec<_>>(), known);
    let key = bakery.call("webhook.list", json!({}))["key"].as_str().unwrap().to_owned();
    assert!(taken.iter().all(|posted| verifies(posted, &key)));
    let mut forged = taken[0].clone();
    forged.body[0] = b' ';
    assert!(!verifies(&forged, &key));
    let names: BTreeSet<&str> = taken.iter().map(|posted| posted.header("webhook-id")).collect();
    assert_eq!(names.len(), taken.len(), "each event has a name of its own");
    assert_eq!(taken[0].header("stermina-event"), "1");
    assert_eq!(taken[0].header("content-type"), "application/json");
    let kinds: Vec<Value> = sales.taken().iter().map(|posted| posted.event()["kind"].clone()).collect();
    // Asked, asked of the wallet, taken back; and the day closed.
    assert!(kinds.iter().all(|kind| kind == "sale" || kind == "report"), "{kinds:?}");
    assert_eq!(kinds.last(), Some(&json!("report")));

    bakery.cli(&["webhook", "replay", &id, "--after", "1"]).expect_ok("replay");
    settles("it is told again", || all.taken().len() >= 2 * many - 1);
    let again = all.taken();
    assert_eq!(again[many].header("webhook-id"), taken[1].header("webhook-id"), "known by its name");
    let tried = bakery.cli(&["--json", "webhook", "test", &id]).expect_ok("test").json();
    assert_eq!(tried["taken"], json!(true));
    let trial = all.taken().into_iter().find(|posted| posted.event()["kind"] == "webhook_test").unwrap();
    assert!(verifies(&trial, &key) && trial.header("webhook-id").starts_with("evt_test_"));
    bakery.cli(&["webhook", "remove", &id]).expect_ok("remove");
    assert_eq!(
        reason(wait(bakery.program().connection().call_value("webhook.test", json!({ "webhook": id })))),
        "not_found"
    );
}

/// Issue 4: a receiver that fails in every way is told later, in order and without a gap; one that never answers holds up
/// nobody else; where it listens stands in no log.
#[test]
fn a_receiver_that_fails_is_told_later() {
    let town = Community::open("Naxos");
    let bakery = Shop::of(&town, "bakery").opened();
    let (bad, silent, elsewhere) = (Receiver::listens(), Receiver::listens(), Receiver::listens());
    silent.always_answers(Some(Answer::Silence));
    adds(&bakery, &silent, &["--after", "0"]);
    bad.will_answer([
        Answer::Status(500),
        Answer::Redirect(elsewhere.url()),
        Answer::LongHead,
        Answer::HangUp,
        Answer::Endless,
        Answer::Status(503),
    ]);
    let id = adds(&bakery, &bad, &["--after", "0"]);
    bakery.sells("bread", 4);
    settles("it fails", || hook(&bakery, &id)["state"] == "failing");
    let failing = bakery.status().failing;
    assert!(failing.iter().any(|one| one.what.contains(&id) && one.tries > 0), "{failing:?}");
    bakery.sells("bread", 4);
    settles("it is told all the same", || {
        hook(&bakery, &id)["state"] == "on" && hook(&bakery, &id)["behind"] == 0
    });
    let taken = seqs(&bad.taken());
    assert_eq!(taken, numbers(&bakery), "in order, once, without a gap");
    assert_eq!((bad.refused(), elsewhere.taken().len()), (5, 0), "a redirect is not followed");
    assert!(silent.taken().is_empty());
    assert!(bakery.status().failing.iter().all(|one| !one.what.contains(&id)));
    let log = bakery.program().log();
    assert!(log.contains("a webhook takes no events"), "{log}");
    assert!(!log.contains("sesame"), "an address is a secret");
    assert!(!bakery.cli(&["--json", "audit"]).expect_ok("audit").stdout.contains("sesame"));
    let silent = silent.url();
    let address = silent.strip_suffix("/sesame").unwrap();
    settles("the silent one is shown", || {
        bakery.cli(&["status"]).expect_ok("status").stdout.contains(address)
    });
}

/// Issue 4: killed in the middle of telling, a shop goes on at the cursor: nothing is left out, and what comes twice has the
/// same name.
#[test]
fn a_killed_shop_goes_on_telling_where_it_was() {
    let town = Community::open("Naxos");
    let bakery = Shop::of(&town, "bakery").opened();
    for _ in 0..10 {
        bakery.sells("bread", 4);
    }
    let receiver = Receiver::listens();
    receiver.will_answer(vec![Answer::Status(200); 18]);
    receiver.always_answers(Some(Answer::Status(500)));
    let id = adds(&bakery, &receiver, &["--after", "0"]);
    settles("it has begun", || receiver.refused() > 0);
    settles("the cursor is on disk", || hook(&bakery, &id)["cursor"] == 18);
    bakery.program().kill();
    receiver.always_answers(None);
    bakery.program().start();
    settles("it is told", || hook(&bakery, &id)["behind"] == 0 && hook(&bakery, &id)["state"] == "on");
    let taken = seqs(&receiver.taken());
    assert_eq!(taken, numbers(&bakery));
    // In the very middle: some may come twice, none is left out.
    bakery.cli(&["webhook", "resume", &id, "--after", "0"]).expect_ok("resume");
    let before = receiver.taken().len();
    settles("it has begun again", || receiver.taken().len() > before + 3);
    bakery.program().kill();
    bakery.program().start();
    settles("it is told again", || hook(&bakery, &id)["behind"] == 0);
    let again: BTreeSet<u64> = seqs(&receiver.taken()[before..]).into_iter().collect();
    assert_eq!(again, numbers(&bakery).into_iter().collect::<BTreeSet<_>>());
    // Nobody listens there any more: it says so, and is left in peace.
    receiver.always_answers(Some(Answer::Status(410)));
    bakery.sells("bread", 4);
    settles("it is off", || hook(&bakery, &id)["state"] == "off");
    receiver.always_answers(None);
    bakery.cli(&["webhook", "resume", &id]).expect_ok("resume");
    settles("it is told the rest", || hook(&bakery, &id)["behind"] == 0);
    assert_eq!(receiver.taken().last().map(Posted::seq), numbers(&bakery).last().copied());
}

/// Issue 4, N7: a manager adds webhooks and a cashier does not; an address that could be read on the way is refused; what was
/// asked stands in the audit log.
#[test]
fn who_may_have_events_sent_where() {
    let town = Community::open("Naxos");
    let bakery = Shop::of(&town, "bakery").opened();
    let (ann, max) = (bakery.takes_on("Ann", "cashier", None), bakery.takes_on("Max", "manager", None));
    let (ann, max) = (bakery.rpc_as(&ann), bakery.rpc_as(&max));
    let call = |who: &shop_node::rpc::api::TillClient, url: &str| -> Result<Value, CallError> {
        wait(who.connection().call_value("webhook.add", json!({ "url": url })))
    };
    assert_eq!(reason(call(&ann, "https://shop.example/x")), "not_your_role");
    let receiver = Receiver::listens();
    let near = [receiver.url(), receiver.url().replace("http:", "https:")];
    let near = near.iter().map(String::as_str).chain(["https://10.0.0.7/x", "https://localhost/x"]);
    for bad in ["http://shop.example/x", "https://me:word@shop.example/", "ftp://shop.example/"]
        .into_iter()
        .chain(near)
    {
        assert_eq!(reason(call(&max, bad)), "bad_value", "{bad}");
    }
    let typo = json!({ "url": "https://shop.example/x", "kinds": ["sale", "refunds"] });
    assert_eq!(reason(wait(max.connection().call_value("webhook.add", typo))), "bad_value");
    let outside = "https://shop.invalid/sesame";
    let made = call(&max, outside).unwrap();
    assert_eq!((&made["by"], &made["state"]), (&json!("Max"), &json!("on")));
    assert_eq!(reason(call(&max, outside)), "wrong_state", "once for an address");
    let owner_s = adds(&bakery, &receiver, &[]);
    let (his, people) = (made["webhook"].as_str().unwrap(), bakery.call("staff.list", json!({})));
    let staff = people["staff"].as_array().unwrap().iter().find(|one| one["name"] == "Max").unwrap();
    let said = bakery.cli(&["staff", "end", staff["staff"].as_str().unwrap()]).expect_ok("staff end").stdout;
    assert!(said.contains(his) && !said.contains(&owner_s), "{said}");
    assert_eq!(
        (&hook(&bakery, his)["state"], &hook(&bakery, &owner_s)["state"]),
        (&json!("off"), &json!("on"))
    );
    assert!(bakery.cli(&["status"]).expect_ok("status").stdout.contains("Max, who added it"));
    let read = bakery.stermina(&["--json", "token", "create", "kiosk", "--can", "read"]).json();
    let kiosk = bakery.rpc_as(read["secret"].as_str().unwrap());
    let list = wait(kiosk.connection().call_value("webhook.list", json!({})));
    assert_eq!(reason(list), "forbidden", "an address is a secret");
    let audit = bakery.cli(&["--json", "audit"]).json();
    let lines = audit["lines"].as_array().unwrap();
    assert!(lines.iter().any(|line| line["method"] == "webhook.add" && line["outcome"] == "done"));
    assert!(lines.iter().any(|line| line["method"] == "webhook.add" && line["outcome"] == "not_your_role"));
}
