//! The command line without a bank behind it.

use super::*;

fn run(arguments: &[&str]) -> Result<Exit, Failure> {
    let words = ["bank-node"].iter().chain(arguments);
    carry_out(Cli::try_parse_from(words).expect("a command that is understood"))
}

fn exit(arguments: &[&str], folder: &tempfile::TempDir) -> (Exit, String) {
    let home = folder.path().join("bank").display().to_string();
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--home", &home, "--json"]).collect();
    match run(&arguments) {
        Ok(exit) => (exit, String::new()),
        Err(failure) => (failure.exit, failure.words),
    }
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
    for wrong in [&["account"][..], &["init"], &["keys", "extend"], &["account", "pay-in", "x", "1"]] {
        let words = ["bank-node"].iter().chain(wrong);
        assert!(Cli::try_parse_from(words).is_err(), "{wrong:?}");
    }
}

/// A bank is made once; name and currency are looked at before anything is written.
#[test]
fn init_makes_a_bank_once() {
    let folder = tempfile::tempdir().unwrap();
    let (refused, words) = exit(&["init", "--name", "x", "--currency", "eur"], &folder);
    assert_eq!(refused, Exit::Usage, "{words}");
    assert_eq!(exit(&["init", "--name", " x"], &folder).0, Exit::Usage);
    assert_eq!(exit(&["audit", "--offline"], &folder).0, Exit::NotFound);
    assert_eq!(exit(&["init", "--name", "Banca", "--days", "2"], &folder).0, Exit::Done);
    let (taken, words) = exit(&["init", "--name", "Banca"], &folder);
    assert_eq!(taken, Exit::Refused);
    assert!(words.contains("already"), "{words}");
    assert_eq!(exit(&["audit", "--offline"], &folder).0, Exit::Done);
    assert_eq!(exit(&["config", "check"], &folder).0, Exit::Done);
    assert_eq!(exit(&["keys", "list"], &folder).0, Exit::Done);
}

/// B6: the master key makes keys for more days, one for each; another master key does not.
#[test]
fn keys_are_extended_with_the_master_key() {
    let folder = tempfile::tempdir().unwrap();
    exit(&["init", "--name", "Banca", "--days", "2"], &folder);
    let home = Home::find(Some(&folder.path().join("bank"))).unwrap();
    let master = home.master_file().display().to_string();
    assert_eq!(exit(&["keys", "extend", "--master", &master, "--days", "3"], &folder).0, Exit::Done);
    let keys = home.keys().read(home.facts().unwrap().master).unwrap();
    assert_eq!(keys.issue.len(), 5);
    let epochs: Vec<u32> = keys.issue.keys().copied().collect();
    assert!(epochs.windows(2).all(|pair| pair[1] == pair[0] + 1), "{epochs:?}");
    let stolen = folder.path().join("other");
    crate::keys::write_secret(&stolen, &[1; 32]).unwrap();
    let stolen = stolen.display().to_string();
    assert_eq!(exit(&["keys", "extend", "--master", &stolen], &folder).0, Exit::Refused);
}

/// Without a running bank the answer says so, and what to do.
#[test]
fn a_closed_bank_is_unreachable() {
    let folder = tempfile::tempdir().unwrap();
    for command in [&["status"][..], &["account", "list"], &["audit"]] {
        let (unreachable, words) = exit(command, &folder);
        assert_eq!(unreachable, Exit::Unreachable);
        assert!(words.contains("bank-node run"), "{words}");
    }
}

#[test]
fn a_qr_is_a_square_of_blocks() {
    let image = show::qr(&format!("stermina:stac1{}", "q".repeat(200))).unwrap();
    let widths: Vec<usize> = image.lines().map(|line| line.chars().count()).collect();
    assert!(widths.len() > 20 && widths.iter().all(|width| width == &widths[0]));
}
