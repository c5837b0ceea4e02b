//! The bank through SIGKILL, lost disks, old copies and second processes, as its operators meet them (SPEC §4.15).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::node::chance::chance_bytes;
use serde_json::{Value, json};
use tests::patience::{let_pass, until, wait};
use tests::people::{Community, Resident};
use tests::process::{Output, Program, built};
use tests::world::Chance;

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (entry, kind) = entry.map(|entry| (entry.path(), entry.file_type().unwrap())).unwrap();
        let there = to.join(entry.file_name().unwrap());
        if kind.is_dir() {
            copy_all(&entry, &there);
        } else if kind.is_file() {
            fs::copy(&entry, there).unwrap();
        }
    }
}

/// A bank whose redo log was moved to another disk, as the manual says.
fn town_with_two_disks(name: &str) -> (Community, PathBuf) {
    let town = Community::open(name);
    let second = town.folder().join("second-disk");
    fs::create_dir(&second).unwrap();
    fs::set_permissions(&second, fs::Permissions::from_mode(0o700)).unwrap();
    town.bank().keeps_its_redo_log_in(&second);
    (town, second)
}

/// Pays in with a key; asked again until there is an answer.
fn pays_in(town: &Community, account: u64, n: u64) -> Value {
    let params = json!({ "account": account, "units": 1 + n, "key": format!("cash-{n}") });
    let asked = || {
        let bank = town.bank().program();
        wait(bank.connection().call_value("account.pay_in", params.clone())).ok()
    };
    until(asked).expect("the bank comes back")
}

fn restored(town: &Community, backup: &str, more: &[&str]) -> Output {
    let home = town.bank().program().home().display().to_string();
    let arguments = ["restore", "--from", backup, "--to", &home, "--json"];
    town.bank().cli(&[&arguments, more].concat())
}

fn backup_of(town: &Community) -> String {
    let safe = town.folder().join("safe").display().to_string();
    let made = town.bank().cli(&["backup", "--to", &safe, "--json"]).expect_ok("backup").json();
    made["folder"].as_str().unwrap().to_owned()
}

/// B7, B9, threats X7: killed again and again in the middle of its work, then its disk is lost. Backup and redo log are
/// the same bank: every repeat gets its first answer, nobody has a unit more or less. The backup alone is refused.
#[test]
fn killed_and_restored_it_is_the_same_bank() {
    let (town, second) = town_with_two_disks("Delos");
    let (bank, home) = (town.bank(), town.bank().program().home().to_owned());
    let alice = town.resident("alice", 1_000).joined().started().unlocked();
    alice.withdraws(100);
    let backup = backup_of(&town);

    let mut chance = Chance::of(u64::from_le_bytes(chance_bytes()));
    let mut answers = Vec::new();
    for round in 0..6 {
        let asked = alice.tries_to_withdraw_later(10 + round);
        std::thread::scope(|threads| {
            let office =
                threads.spawn(|| (0..8).map(|n| pays_in(&town, 1001, 8 * round + n)).collect::<Vec<_>>());
            let_pass(Duration::from_millis(chance.below(60)));
            bank.is_killed();
            bank.opens();
            answers.extend(office.join().unwrap());
        });
        assert_eq!(alice.answered(asked).state, "done");
    }
    let (before, audit) = (alice.account(), bank.audits());
    bank.is_killed();

    // The first disk is gone; the keys lie in a copy of their own.
    let lost = town.folder().join("lost");
    fs::rename(&home, &lost).unwrap();
    let refused = restored(&town, &backup, &[]);
    assert_eq!(refused.status, Some(4), "{refused:?}");
    assert!(refused.stderr.contains("--redo"), "{refused:?}");
    let last = audit["entries"].to_string();
    let refused = restored(&town, &backup, &["--said", &last, "--what-followed-is-lost"]);
    assert_eq!(refused.status, Some(4), "the backup does not reach what was signed: {refused:?}");
    fs::copy(lost.join("config.toml"), home.join("config.toml")).unwrap();
    let done = restored(&town, &backup, &[]).expect_ok("restore").json();
    assert_eq!((&done["journal"], &done["keys"]), (&audit["entries"], &json!(false)));
    assert!(second.join("HEAD").exists());
    fs::remove_dir(home.join("data/keys")).unwrap();
    copy_all(&lost.join("data/keys"), &home.join("data/keys"));
    let again = restored(&town, &backup, &[]);
    assert_eq!(again.status, Some(4), "books are never written over: {again:?}");

    bank.opens();
    assert_eq!(bank.audits(), audit);
    for (n, first) in (0..).zip(&answers) {
        assert_eq!(&pays_in(&town, 1001, n), first, "a repeat gets its first answer");
    }
    assert_eq!(alice.account().units, before.units);
    alice.withdraws(5);
    assert_eq!(alice.balance().spendable.get(), 100 + (10..16).sum::<u64>() + 5);
    town.is_sound(&[&alice]);
}

/// The bank has ended by itself, and the operators read why.
fn stops_loudly(town: &Community, why: &str) {
    let ended = town.bank().program().ends_by_itself().expect("it stops");
    assert!(!ended.success());
    let log = town.bank().program().log();
    assert!(log.contains(why), "{log}");
}

fn withdraws_once_more(alice: &Resident) {
    alice.unlocks();
    alice.withdraws(50);
}

/// Threats X7: yesterday's folder with the redo log on another disk is brought up to today by itself. Yesterday's folder
/// with yesterday's log looks whole; the first customer who was there today shows the bank its own letter, and it stops
/// for good.
#[test]
fn a_bank_of_yesterday_is_found_out() {
    let (town, second) = town_with_two_disks("Paros");
    let (bank, home) = (town.bank(), town.bank().program().home().to_owned());
    let alice = town.resident("alice", 1_000).joined().started();
    bank.closes();
    let (yesterday, old_log) = (town.folder().join("yesterday"), town.folder().join("yesterday-log"));
    copy_all(&home.join("data"), &yesterday);
    copy_all(&second, &old_log);
    bank.opens();
    withdraws_once_more(&alice);
    let today = bank.audits();
    bank.is_killed();

    let go_back = |from: &Path, to: &Path| {
        fs::remove_dir_all(to).unwrap();
        copy_all(from, to);
    };
    go_back(&yesterday, &home.join("data"));
    bank.opens();
    assert_eq!(bank.audits(), today, "the log has what yesterday's books do not");
    withdraws_once_more(&alice);
    bank.closes();

    alice.stops();
    go_back(&yesterday, &home.join("data"));
    go_back(&old_log, &second);
    bank.opens();
    alice.starts();
    stops_loudly(&town, "the bank has signed for entry");
    assert!(bank.program().try_start().is_err(), "and it stays closed");
    stops_loudly(&town, "the bank has answered up to entry");
}

/// Threats X7: one bank-node for one home, and for one redo log, whichever copy of the books it has.
#[test]
fn one_bank_node_for_one_home_and_one_log() {
    let (town, second) = town_with_two_disks("Tinos");
    let home = town.bank().program().home().to_owned();
    let refused = town.bank().cli(&["run"]);
    assert_eq!(refused.status, Some(1));
    assert!(refused.stderr.contains("in use by process"), "{refused:?}");

    let copy = town.folder().join("copy");
    copy_all(&home.join("data"), &copy.join("data"));
    fs::copy(home.join("config.toml"), copy.join("config.toml")).unwrap();
    let twin = Program::new("twin", &built().bank_node, &["run"], &copy, "bank.status");
    assert!(twin.try_start().is_err());
    let said = twin.log();
    assert!(said.contains("redo log") && said.contains("in use by process"), "{said}");
    assert!(said.contains(&second.display().to_string()), "{said}");
    assert!(town.bank().program().is_running());
    town.bank().audits();
}
