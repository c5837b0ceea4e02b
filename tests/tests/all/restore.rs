//! A workstation's folder is deleted in the middle of a busy day: the phrase brings it back, by real programs (B6, N6).

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use protocol::node::rpc::Empty;
use serde_json::Value;
use tests::patience::{until_within, wait};
use tests::people::{Community, Resident};
use tests::process::built;

/// How long the bank waits for others to object, in these scenes.
const OBJECTIONS: &str = "\n[reclaim]\nrestore = \"5s\"\n";
/// The bank looks every 20 seconds at what is due, and the workstation asks again with growing pauses.
const PATIENCE: Duration = Duration::from_secs(180);

fn town() -> Community {
    let town = Community::open("Naxos");
    town.bank().closes();
    let file = town.bank().program().home().join("config.toml");
    let before = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{before}{OBJECTIONS}")).unwrap();
    town.bank().opens();
    town
}

fn joins(resident: &Resident) -> String {
    let joined = resident.tries_to_join().expect_ok("join");
    let told: Value = serde_json::from_str(&joined.stdout).unwrap();
    told["phrase"].as_str().unwrap().to_owned()
}

fn restoring(resident: &Resident, line: Option<&str>) -> Command {
    let mut command = Command::new(&built().stermina);
    command.arg("--home").arg(resident.program().home()).arg("restore").args(line);
    command.arg("--code-file").arg(resident.code_file()).arg("--json");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn restores(resident: &Resident, line: Option<&str>, phrase: &str) -> Result<Value, String> {
    let mut child = restoring(resident, line).spawn().unwrap();
    // A command that has ended already does not read it.
    let _ = child.stdin.take().unwrap().write_all(phrase.as_bytes());
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => Ok(serde_json::from_str(&told).unwrap()),
        false => Err(format!("{told}{}", String::from_utf8_lossy(&output.stderr))),
    }
}

fn vault_state(resident: &Resident) -> String {
    wait(resident.rpc().vault_status(Empty {})).map_or_else(|why| why.to_string(), |vault| vault.state)
}

fn is_safe(resident: &Resident) {
    let safe = until_within(PATIENCE, || (vault_state(resident) == "safe").then_some(()));
    assert!(safe.is_some(), "{}: {}", resident.name(), vault_state(resident));
}

fn loses_everything(resident: &Resident) {
    resident.is_killed();
    fs::remove_dir_all(resident.program().home()).unwrap();
    resident.setting().write(resident.program().home(), "").unwrap();
}

/// X6, B6: her machine is gone at noon. With the phrase and the old letter it is back; what it had comes to the account,
/// to the unit; nobody has a case.
#[test]
fn a_deleted_folder_comes_back_with_all_its_money() {
    let town = town();
    let alice = town.resident("alice", 1_000);
    let phrase = joins(&alice);
    let alice = alice.started().unlocked();
    let bob = town.resident("bob", 500).joined().started().unlocked();
    alice.withdraws(600);
    bob.withdraws(200);
    for units in [20, 35, 50] {
        alice.pays(&bob, units).done();
        bob.pays(&alice, 7).done();
    }
    for resident in [&alice, &bob] {
        resident.has_settled();
        resident.has_refreshed();
        is_safe(resident);
    }
    let (had, account, lines) = (alice.reserve(), alice.account().units.get(), alice.history().len());
    assert_eq!(had, 600 - 105 + 21);
    loses_everything(&alice);
    let others = restores(&alice, Some(alice.letter()), "abandon abandon").unwrap_err();
    assert!(others.contains("24 words"), "{others}");
    let strangers = protocol::key::Seed::from_bytes([77; 32]).phrase();
    let others = restores(&alice, Some(alice.letter()), &strangers).unwrap_err();
    assert!(others.contains("no_account"), "{others}");
    let told = restores(&alice, Some(alice.letter()), &phrase).unwrap();
    assert_eq!(told["generation"], 2);
    assert_eq!((told["reserve_to_reclaim"].as_u64(), told["balance"].as_u64()), (Some(had), Some(account)));

    alice.starts();
    assert!(alice.history().len() >= lines, "the history is there at once");
    alice.unlocks();
    let back = until_within(PATIENCE, || {
        let balance = alice.balance();
        let there = balance.account.as_ref().is_some_and(|known| known.units.get() == account + had);
        there.then_some(())
    });
    assert!(back.is_some(), "{:?}", alice.balance());
    // She takes money as ever.
    bob.pays(&alice, 5).done();
    alice.has_settled();
    is_safe(&alice);
    alice.checks_history();
    town.bank().audits();
}

/// X6: killed at any moment, and run again: it goes on where it stopped, and there is one new workstation, not several.
#[test]
fn a_restore_that_is_killed_at_any_moment_goes_on() {
    let town = town();
    let alice = town.resident("alice", 1_000);
    let phrase = joins(&alice);
    let alice = alice.started().unlocked();
    alice.withdraws(300);
    alice.has_settled();
    is_safe(&alice);
    loses_everything(&alice);
    let mut done = None;
    for moment in 0..60 {
        let mut child = restoring(&alice, Some(alice.letter())).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(phrase.as_bytes());
        let ended = until_within(Duration::from_millis(5 + moment * 9), || child.try_wait().unwrap());
        if ended.is_some_and(|status| status.success()) {
            done = Some(moment);
            break;
        }
        let _ = child.kill();
        let _ = child.wait();
        // It may have been killed when everything was done: another restore would be another workstation.
        let data = alice.program().home().join("data");
        if data.join("account.toml").exists() && !data.join("restoring").exists() {
            done = Some(moment);
            break;
        }
    }
    if done.is_none() {
        restores(&alice, Some(alice.letter()), &phrase).unwrap();
    }
    alice.starts();
    let vault = wait(alice.rpc().vault_status(Empty {})).unwrap();
    assert_eq!(vault.generation, 2, "raised once, however often it was begun");
    assert_eq!(vault.fenced.get(), 300);
    town.bank().audits();
}

/// X6: a copy of the folder runs beside the first one. One of the two is stopped, says so, and a restore with the private
/// code puts that folder right; the old files are kept.
#[test]
fn a_copied_folder_is_found_out_and_put_right() {
    let town = town();
    let alice = town.resident("alice", 1_000).joined().started().unlocked();
    alice.withdraws(300);
    alice.has_settled();
    is_safe(&alice);
    alice.stops();
    let home = alice.program().home();
    let store = home.join("data").join("wallet.redb");
    let store = if store.exists() { store } else { find(home, "wallet.redb") };
    let yesterday = fs::read(&store).unwrap();
    alice.starts();
    alice.unlocks();
    alice.withdraws(100);
    is_safe(&alice);
    alice.is_killed();
    // Only the wallet's file is put back: the head file beside it knows better, without any bank.
    fs::write(&store, &yesterday).unwrap();
    alice.starts();
    assert_eq!(vault_state(&alice), "quarantined");
    assert!(alice.tries_to_unlock(&alice.private_code()).is_err());
    alice.stops();
    // A file that is gone is no empty wallet.
    fs::remove_file(&store).unwrap();
    alice.starts();
    assert_eq!(vault_state(&alice), "quarantined");
    alice.stops();
    let told = restores(&alice, None, "").unwrap();
    assert_eq!(told["reserve_to_reclaim"], 400);
    assert!(std::path::Path::new(told["old_files"].as_str().unwrap()).join("seed").exists());
    alice.starts();
    alice.unlocks();
    assert_ne!(vault_state(&alice), "quarantined");
}

fn find(folder: &std::path::Path, name: &str) -> std::path::PathBuf {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = |path: std::path::PathBuf| match path.is_dir() {
        true => Some(find(&path, name)).filter(|found| found.exists()),
        false => path.ends_with(name).then_some(path),
    };
    entries.into_iter().find_map(found).unwrap_or_default()
}
