//! A workstation's folder is deleted in the middle of a busy day: the phrase brings it back, by real programs (B6, N6).

use std::fs;
use std::io::Write;
use std::time::Duration;

use protocol::node::rpc::Empty;
use protocol::wire::{ErrorCode, PayAnswer, PayAsk};
use tests::gone::{
    PATIENCE, is_safe, joins, loses_everything, restores, restoring, short_of_patience, vault_state,
};
use tests::patience::{until_within, wait};
use tests::people::Community;
use tests::stranger::Stranger;

fn town() -> Community {
    let town = Community::open("Naxos");
    short_of_patience(&town);
    town
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

/// X6: what the bank has told everybody is there before the first payer comes, though the bank is gone by then.
#[test]
fn a_restored_machine_has_heard_the_bank_before_its_first_payer() {
    let town = town();
    let alice = town.resident("alice", 100);
    let phrase = joins(&alice);
    loses_everything(&alice);
    restores(&alice, Some(alice.letter()), &phrase).unwrap();
    town.bank().closes();
    alice.starts();
    let told = wait(alice.rpc().bulletin(Empty {})).unwrap();
    assert!(told.number > 0 && !told.stale, "{told:?}");
    assert!(told.warnings.is_empty() && told.faults.is_empty(), "{told:?}");
}

/// X6: Bob's machine takes money while the bank is away, and is gone before the vault knows of it. To the next machine the
/// same payment is above what it takes, for good; with the receipt of the one before it is taken, and comes to the account.
#[test]
fn what_the_lost_machine_gave_a_receipt_for_is_taken_by_the_next_one() {
    let town = town();
    let bob = town.resident("bob", 0);
    let phrase = joins(&bob);
    let bob = bob.started().unlocked();
    bob.takes_directly_at_most(10);
    is_safe(&bob);
    let mallory = Stranger::joins(&town, "mallory", 100);
    let mut purse = mallory.withdraws(&[50]).remove(0);
    let target = mallory.finds(&bob);
    town.bank().closes();
    bob.takes_directly_at_most(200);
    let draft = mallory.drafts(&target, &mut purse, 30);
    let PayAnswer::Receipt(receipt) = mallory.pays_draft(&target, &draft) else { panic!("he takes it") };
    assert_eq!(bob.reserve(), 30);
    loses_everything(&bob);
    town.bank().opens();
    restores(&bob, Some(bob.letter()), &phrase).unwrap();
    bob.starts();
    let target = mallory.finds(&bob);
    for _ in 0..2 {
        let told = mallory.pays_draft(&target, &draft);
        assert_eq!(told, PayAnswer::Error(ErrorCode::NeedCertified));
    }
    let payment = Box::new(draft.signed(&mallory.owner()));
    let told = mallory.says(&target, PayAsk::Again(payment, receipt));
    assert!(matches!(told, PayAnswer::Receipt(_)), "{told:?}");
    let vault = wait(bob.rpc().vault_status(Empty {})).unwrap();
    assert_eq!((vault.fenced.get(), bob.balance().spendable.get()), (30, 0));
    bob.unlocks();
    let back = until_within(PATIENCE, || {
        let account = bob.balance().account;
        account.is_some_and(|known| known.units.get() == 30).then_some(())
    });
    assert!(back.is_some(), "{:?}", bob.balance());
    bob.checks_history();
    town.bank().audits();
}

fn find(folder: &std::path::Path, name: &str) -> std::path::PathBuf {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = |path: std::path::PathBuf| match path.is_dir() {
        true => Some(find(&path, name)).filter(|found| found.exists()),
        false => path.ends_with(name).then_some(path),
    };
    entries.into_iter().find_map(found).unwrap_or_default()
}
