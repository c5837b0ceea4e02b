//! A workstation's folder is gone, and comes back from the phrase: what a person does then, with the real programs.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use protocol::node::rpc::Empty;
use serde_json::Value;

use crate::patience::{until_within, wait};
use crate::people::{Community, Resident};
use crate::process::built;

/// The bank looks every 20 seconds at what is due, and a workstation asks again with growing pauses.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A bank that waits five seconds for others to object to what a restored workstation reclaims.
///
/// # Panics
/// When its settings can't be written.
pub fn short_of_patience(town: &Community) {
    town.bank().closes();
    let file = town.bank().program().home().join("config.toml");
    let before = fs::read_to_string(&file).expect("the bank has settings");
    fs::write(&file, format!("{before}\n[reclaim]\nrestore = \"5s\"\n")).expect("the folder is ours");
    town.bank().opens();
}

/// Joins, and writes the recovery phrase down.
#[track_caller]
pub fn joins(resident: &Resident) -> String {
    let told = resident.tries_to_join().expect_ok("join").json();
    let phrase = told.get("phrase").and_then(Value::as_str);
    phrase.unwrap_or_else(|| panic!("no phrase in {told}")).to_owned()
}

/// `stermina restore`, which reads the words from its input.
pub fn restoring(resident: &Resident, line: Option<&str>) -> Command {
    let mut command = Command::new(&built().stermina);
    command.arg("--home").arg(resident.program().home()).arg("restore").args(line);
    command.arg("--code-file").arg(resident.code_file()).arg("--json");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Restores: what it tells, or what it complains of.
///
/// # Panics
/// When the program can't be started.
pub fn restores(resident: &Resident, line: Option<&str>, phrase: &str) -> Result<Value, String> {
    let mut child = restoring(resident, line).spawn().expect("the program was built");
    // A command that has ended already does not read it.
    let _ = child.stdin.take().expect("it was asked for").write_all(phrase.as_bytes());
    let output = child.wait_with_output().expect("it ends by itself");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    match serde_json::from_str(&told) {
        Ok(value) if output.status.success() => Ok(value),
        _ => Err(format!("{told}{}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// How the vault stands, in a word.
pub fn vault_state(resident: &Resident) -> String {
    wait(resident.rpc().vault_status(Empty {})).map_or_else(|why| why.to_string(), |vault| vault.state)
}

/// Waits until the vault at the bank has all that is on the disk.
#[track_caller]
pub fn is_safe(resident: &Resident) {
    let safe = until_within(PATIENCE, || (vault_state(resident) == "safe").then_some(()));
    assert!(safe.is_some(), "{}: {}", resident.name(), vault_state(resident));
}

/// His computer is gone: nothing is left but how it meets the network.
///
/// # Panics
/// When the folder can't be removed.
pub fn loses_everything(resident: &Resident) {
    resident.is_killed();
    fs::remove_dir_all(resident.program().home()).expect("the folder is ours");
    resident.setting().write(resident.program().home(), "").expect("the folder is ours");
}
