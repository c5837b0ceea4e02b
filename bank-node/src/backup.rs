//! Backups of the open bank, and a bank from a backup and its redo log (SPEC §4.15, B9, threats X7).
//!
//! ```text
//! TO/2026-11-22T09-15-00Z-000000000123/manifest.toml    what it is; written last
//!                                      bank.redb        the books
//!                                      bank.toml        name, currency, master key (public)
//!                                      keys/…           only if asked for: whoever has them is the bank
//! ```
//! A backup is verified before it gets its name: until then its folder begins with a dot. None is ever written over.

mod make;
mod manifest;
mod restore;

#[cfg(test)]
mod tests;

pub use make::{Backups, Made};
pub use manifest::Manifest;
pub use restore::{Restored, Source, restore};

use crate::home::HomeError;
use crate::ledger::Fault;
use crate::store::redo::RedoError;
use protocol::node::host::paths::{PathsError, private_folder};
use protocol::node::host::private_file::PrivateFileError;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The books in a backup.
const BOOKS: &str = "bank.redb";
/// The facts in it.
const FACTS: &str = "bank.toml";
/// The working keys in it.
const KEYS: &str = "keys";

/// Why there is no backup, or no bank from it.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The bank's folders.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A folder that others can look into.
    #[error(transparent)]
    Paths(#[from] PathsError),
    /// A file.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The store.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The redo log.
    #[error(transparent)]
    Redo(#[from] RedoError),
    /// The disk said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was tried.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A path that means another folder to the bank than to who wrote it.
    #[error("{} is no absolute path", .0.display())]
    NotAbsolute(PathBuf),
    /// One at a time.
    #[error("another backup is being made: wait for it")]
    UnderWay,
    /// It would not fit.
    #[error(
        "{} has room for {} MiB and the backup may need {}: nothing was written", to.display(), free >> 20, wanted >> 20
    )]
    NoRoom {
        /// Where it was to be made.
        to: PathBuf,
        /// How many bytes it may need.
        wanted: u64,
        /// How many are free.
        free: u64,
    },
    /// What was read is not what was written.
    #[error("{} is not what it should be: {what}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// Books that break a rule.
    #[error("the audit of {} found {broken} broken rules, first: {first}", path.display())]
    Audit {
        /// The books.
        path: PathBuf,
        /// How many.
        broken: u64,
        /// The first of them.
        first: String,
    },
    /// Books and backups are never written over.
    #[error("{} is there already: move it away first, nothing is written over", .0.display())]
    Taken(PathBuf),
    /// Books of a backup alone: nobody knows what came after them.
    #[error(
        "there is no redo log in {}, so nobody knows what the bank has done since this backup (journal entry {entry}): \
         whoever opens old books pays today's money out again. Give the log with --redo FOLDER. If it is lost for good, \
         give the newest journal number that the bank has signed, from its last bulletin or a customer's newest letter, \
         with --said NUMBER", redo.display()
    )]
    NoRedo {
        /// Where a log was looked for.
        redo: PathBuf,
        /// Where the backup ends.
        entry: u64,
    },
    /// Without a log, nobody knows what is lost.
    #[error(
        "there is no redo log: whatever the bank did after journal entry {entry} is lost, and what was redeemed since may be \
         paid out a second time. If that is to be so, say --what-followed-is-lost, too; nothing was opened"
    )]
    Lost {
        /// Where the backup ends.
        entry: u64,
    },
    /// Backup and log together do not reach what the bank has signed.
    #[error(
        "backup and redo log end at journal entry {entry} (frame {frame}), and the bank has answered up to entry {said} \
         (frame {said_frame}): the newest part of the redo log is missing. Bring it, or a newer backup; nothing was opened"
    )]
    Behind {
        /// Where they end.
        entry: u64,
        /// At which frame.
        frame: u64,
        /// What was said.
        said: u64,
        /// At which frame.
        said_frame: u64,
    },
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> BackupError + '_ {
    |source| BackupError::Io { path: path.to_owned(), source }
}

/// Copies a file for its owner alone, durable when this returns.
fn copy_file(from: &Path, to: &Path) -> Result<(), BackupError> {
    let mut source = File::open(from).map_err(io_at(from))?;
    let target = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    let mut target = target.map_err(io_at(to))?;
    io::copy(&mut source, &mut target).and_then(|_| target.sync_all()).map_err(io_at(to))
}

/// Copies the files of a folder into another one, as [`copy_file`].
fn copy_folder(from: &Path, to: &Path) -> Result<(), BackupError> {
    private_folder(to)?;
    for entry in fs::read_dir(from).map_err(io_at(from))? {
        let entry = entry.map_err(io_at(from))?;
        copy_file(&entry.path(), &to.join(entry.file_name()))?;
    }
    sync_folder(to)
}

/// Names in the folder are durable when this returns.
fn sync_folder(folder: &Path) -> Result<(), BackupError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_at(folder))
}

/// A file's digest.
fn digest_of(path: &Path) -> Result<protocol::id::Digest, BackupError> {
    let mut hasher = blake3::Hasher::new();
    File::open(path).and_then(|mut file| io::copy(&mut file, &mut hasher)).map_err(io_at(path))?;
    Ok(protocol::id::Digest(*hasher.finalize().as_bytes()))
}
