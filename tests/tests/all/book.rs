//! The shop's book is gone with its machine, and comes back from a backup beside the money (issue 4, B6).

use serde_json::json;
use std::io::Write;
use std::process::{Command, Stdio};
use tests::gone::short_of_patience;
use tests::patience::settles;
use tests::people::{Community, Resident};
use tests::process::built;
use tests::shopkeeper::Shop;

fn ready(town: &Community, name: &str, balance: u64) -> Resident {
    let who = town.resident(name, balance).joined().started().unlocked();
    who.withdraws(balance);
    who
}

/// `shop-node restore LETTER`, with the words on its input.
fn restores_money(shop: &Shop, phrase: &str) {
    let mut child = Command::new(&built().shop_node)
        .arg("--home")
        .arg(shop.home())
        .args(["restore", shop.letter(), "--code-file"])
        .arg(shop.code_file())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(phrase.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Issue 4, B6, N7: a copy after the Z report; then sales go on, one of them opened before the copy; the machine is gone. Phrase
/// and copy bring money and book back: receipts have their numbers, what the copy did not know is booked, the Z chain goes on.
#[test]
fn a_lost_shop_comes_back_with_its_book() {
    let town = Community::open("Naxos");
    short_of_patience(&town);
    let bakery = Shop::of(&town, "bakery");
    let phrase = bakery.joins();
    bakery.program().start();
    bakery.unlocks();
    let alice = ready(&town, "alice", 100);
    let copies = town.folder().join("copies");
    let folder = copies.to_string_lossy().into_owned();
    bakery.cli(&["settings", "set", "--backup-folder", &folder, "--backup-keep", "2"]).expect_ok("settings");
    settles("the first copy", || bakery.call("backup.status", json!({}))["reports"] == 0);
    let first = bakery.sells("bread", 10);
    alice.pays_to(first.uri.as_deref().unwrap(), 10).done();
    bakery.waits_for(&first.sale);
    let open = bakery.sells("cake", 7);
    let z = bakery.z();
    settles("a copy after the report", || bakery.call("backup.status", json!({}))["reports"] == 1);
    let status = bakery.call("backup.status", json!({}));
    let copy = copies.join(status["file"].as_str().unwrap());
    assert!(!std::fs::read(&copy).unwrap().windows(5).any(|part| part == b"bread"), "sealed");
    assert_eq!(std::fs::read_dir(&copies).unwrap().count(), 2);

    let lost = bakery.sells("milk", 5);
    alice.pays_to(lost.uri.as_deref().unwrap(), 5).done();
    alice.pays_to(open.uri.as_deref().unwrap(), 7).done();
    let numbers = (bakery.waits_for(&lost.sale).number, bakery.waits_for(&open.sale).number);
    assert_eq!(numbers, (Some(2), Some(3)));
    settles("the vault has it", || bakery.call("vault.status", json!({}))["state"] == "safe");
    bakery.program().kill();
    bakery.is_gone();

    restores_money(&bakery, &phrase);
    let (file, code) =
        (copy.to_string_lossy().into_owned(), bakery.code_file().to_string_lossy().into_owned());
    let words = |last: &str| {
        ["--json", "backup", "restore", &file, "--last-z", last, "--code-file", &code].map(str::to_owned)
    };
    let typed = |last: &str| words(last).iter().map(String::as_str).map(str::to_owned).collect::<Vec<_>>();
    let run = |last: &str| bakery.cli(&typed(last).iter().map(String::as_str).collect::<Vec<_>>());
    let too_low = run("0");
    assert!(!too_low.ok() && too_low.stderr.contains("Z report 1"), "{too_low:?}");
    assert_eq!(run("1").expect_ok("backup restore").json()["next_report"], json!(2));
    assert!(!run("1").ok(), "there is a book now");
    bakery.program().start();
    settles("what was paid since is booked", || {
        bakery.call("backup.status", json!({}))["back"]["unbooked"] == 1
    });
    settles("the sale that it knew is paid", || bakery.sale(&open.sale).state == "paid");
    assert_eq!(bakery.sale(&open.sale).number, Some(3), "the number that its receipt has");
    assert_eq!(bakery.sale(&first.sale).number, Some(1));
    let again = bakery.call("sale.show", json!({ "sale": "2" }));
    assert_eq!(
        (&again["total"], &again["payer"], &again["day"]),
        (&json!(5), &json!(alice.public_code()), &json!(lost.day))
    );
    let known = bakery.call("report.show", json!({ "number": 1 }));
    assert_eq!(known["digest"], json!(z.digest));
    let x = bakery.x();
    assert_eq!((x.number, &x.prev), (2, z.digest.as_ref().unwrap()), "the chain goes on");
    assert_eq!(
        (x.received.plus(x.late).unwrap().get(), x.shortage.get(), x.surplus.get()),
        (12, 0, 0),
        "{x:?}"
    );
    bakery.unlocks();
    settles("the bank was asked for sweeps", || {
        bakery.call("backup.status", json!({}))["back"]["asked"] == true
    });
}
