//! `bank-node backup`, `restore`

use super::show::facts;
use super::{Desktop, Failure};
use crate::backup::{BackupError, Restored, Source, restore};
use crate::home::Home;
use crate::ledger::Fault;
use crate::rpc::{BackupAsked, BankClient};
use crate::store::redo::RedoError;
use clap::Args;
use protocol::node::host::exit::Exit;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Example: bank-node backup --to /mnt/backups

Each backup gets a folder of its own, named by date and frame; none is ever written over. The bank stays open. The copy
is read again, audited and compared before it gets its name. The working keys are secrets and not in it: keep a copy of
data/keys apart, after each keys extend, or say --with-keys and guard the backup as you guard the bank.")]
pub(super) struct Backup {
    /// The folder that holds the backups, best on another disk.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Put the working keys into it: whoever has it can then sign as the bank.
    #[arg(long)]
    with_keys: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bank-node restore --from /mnt/backups/2026-11-22T09-15-00Z-000000000123 --to /srv/bank
  bank-node restore --from BACKUP --redo /mnt/redo --to /srv/bank

Backup and redo log together are the bank as it was at its last answer. Every frame is checked, then the books are
audited. Without the whole redo log it is refused: the bank would pay the units of that time out a second time. --said
is for a redo log that is lost for good: the newest journal number on any bulletin or letter of the bank; it is taken
only if the backup reaches it, and with --what-followed-is-lost: nobody can know what the bank did after it. Books that are there are never written over: move them away first.")]
pub(super) struct Restore {
    /// The backup's folder.
    #[arg(long, value_name = "BACKUP")]
    from: PathBuf,
    /// The redo log's folder, if it is another one than the settings of the restored bank say.
    #[arg(long, value_name = "DIR")]
    redo: Option<PathBuf>,
    /// The home to restore into; the usual one if absent.
    #[arg(long, value_name = "HOME")]
    to: Option<PathBuf>,
    /// The newest journal number that the bank is known to have signed.
    #[arg(long, value_name = "NUMBER")]
    said: Option<u64>,
    /// Needed with --said when there is no redo log: you know that whatever followed the backup is lost, and that what was
    /// redeemed since may be paid out a second time.
    #[arg(long)]
    what_followed_is_lost: bool,
    /// The number of a letter that was shown to the bank and that it never signed: somebody has its attest key.
    #[arg(long, value_name = "NUMBER")]
    not_said: Option<u64>,
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        let exit = match error {
            BackupError::Home(error) => return error.into(),
            BackupError::Redo(error) => return error.into(),
            BackupError::Fault(Fault::Format { .. }) => Exit::Refused,
            BackupError::NotAbsolute(_) => Exit::Usage,
            BackupError::Taken(_)
            | BackupError::UnderWay
            | BackupError::NoRedo { .. }
            | BackupError::Lost { .. }
            | BackupError::Behind { .. } => Exit::Refused,
            _ => Exit::Failed,
        };
        Failure::new(exit, error.to_string())
    }
}

impl From<RedoError> for Failure {
    fn from(error: RedoError) -> Self {
        let exit = match error {
            RedoError::NoBooks(_) => Exit::NotFound,
            RedoError::Behind { .. }
            | RedoError::LogBehind { .. }
            | RedoError::Gap { .. }
            | RedoError::Parted { .. }
            | RedoError::Damaged { .. }
            | RedoError::NotEmpty(_)
            | RedoError::Witnessed { .. }
            | RedoError::NoWitness(_)
            | RedoError::Fault(Fault::Format { .. }) => Exit::Refused,
            RedoError::Lease(_)
            | RedoError::Folder(_)
            | RedoError::Fault(_)
            | RedoError::Io { .. }
            | RedoError::BadHead(_)
            | RedoError::BadWitness(_) => Exit::Failed,
        };
        Failure::new(exit, error.to_string())
    }
}

pub(super) async fn backup(desktop: &Desktop, backup: &Backup) -> Result<Exit, Failure> {
    // The bank has another working folder.
    let to = std::path::absolute(&backup.to)?.display().to_string();
    let client = BankClient::new(desktop.connect().await?);
    let made = client.backup_make(BackupAsked { to, keys: backup.with_keys }).await?;
    desktop.out.tell(&made, || {
        let keys = match made.keys {
            true => "in it: guard it as you guard the bank",
            false => "not in it: keep a copy of data/keys apart",
        };
        let lines = facts([
            ("backup", made.folder.clone()),
            ("journal", made.journal.to_string()),
            ("frame", made.frame.to_string()),
            ("keys", keys.to_owned()),
        ]);
        format!("{lines}\n\nThe copy was read again: it is what the bank has, and every invariant holds.")
    })?;
    Ok(Exit::Done)
}

/// What is missing, in one sentence: nothing, or nobody knows how much.
fn ends(done: &Restored) -> String {
    match done.has_log {
        true => "Nothing is missing, and every invariant holds.".to_owned(),
        false => format!(
            "Every invariant holds, but there was no redo log: whatever followed journal entry {} is LOST. What was redeemed \
             after it may be paid out a second time, and what was booked after it is gone: compare with customers' letters.",
            done.journal
        ),
    }
}

pub(super) fn restored(desktop: &Desktop, asked: &Restore) -> Result<Exit, Failure> {
    let home = match &asked.to {
        Some(home) => Home::find(Some(home))?,
        None => desktop.home.clone(),
    };
    let at_home = Desktop { home: home.clone(), out: desktop.out, log: None, token: None };
    let home = home.with_redo(at_home.config(Vec::new())?.text("redo.path"));
    let source = Source {
        backup: asked.from.clone(),
        redo: asked.redo.clone(),
        said: asked.said,
        lost: asked.what_followed_is_lost,
    };
    let home = Home { not_said: asked.not_said, ..home };
    let done = restore(&home, &source)?;
    desktop.out.tell(&done, || {
        let keys = match done.keys {
            true => "there".to_owned(),
            false => {
                format!("MISSING: put your copy into {} before you open the bank", done.keys_folder.display())
            }
        };
        let lines = facts([
            ("bank", done.name.clone()),
            ("backup", format!("up to journal entry {}", done.backup_journal)),
            ("redo log", format!("{} frames more", done.frames)),
            ("journal", done.journal.to_string()),
            ("keys", keys),
            ("goes on in", done.redo.display().to_string()),
        ]);
        format!("{lines}\n\n{} Open the bank with: bank-node run", ends(&done))
    })?;
    Ok(Exit::Done)
}
