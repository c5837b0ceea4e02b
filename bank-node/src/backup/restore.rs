//! A bank from a backup and its redo log, opened only if nothing is missing.

use super::make::verify;
use super::{
    BOOKS, BackupError, FACTS, KEYS, Manifest, copy_file, copy_folder, digest_of, io_at, sync_folder,
};
use crate::home::{Facts, Home, HomeError, facts_in};
use crate::store::redo::{self, Mark, RedoError, standing};
use crate::store::shelf::Store as _;
use crate::store::{Redb, has_format};
use protocol::node::host::lock::InstanceLock;
use protocol::node::host::paths::private_folder;
use protocol::node::host::private_file;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// From what a bank is restored.
#[derive(Clone, Debug)]
pub struct Source {
    /// The backup's folder.
    pub backup: PathBuf,
    /// The redo log's folder; where the home's settings say if absent.
    pub redo: Option<PathBuf>,
    /// A journal number that the bank is known to have signed.
    pub said: Option<u64>,
    /// Without a log: whoever restores knows that all that followed the backup is lost.
    pub lost: bool,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Restored {
    /// The bank's name.
    pub name: String,
    /// The journal entry at which the backup ends.
    pub backup_journal: u64,
    /// The frames that came from the redo log.
    pub frames: u64,
    /// Whether there was a redo log; without one, whatever followed the backup is lost.
    pub has_log: bool,
    /// The journal entry at which the books end now.
    pub journal: u64,
    /// Whether the working keys are there; without them the bank does not open.
    pub keys: bool,
    /// Where they have to be.
    pub keys_folder: PathBuf,
    /// Where the redo log goes on.
    pub redo: PathBuf,
}

/// Brings the bank of a backup up to the end of its redo log and puts it into `home`, which has no books. The books
/// get their name last: until then there is no bank to be opened.
pub fn restore(home: &Home, source: &Source) -> Result<Restored, BackupError> {
    let manifest = Manifest::read(&source.backup)?;
    home.paths.prepare().map_err(HomeError::from)?;
    let _lock = home.lock()?;
    if home.books_file().exists() {
        return Err(BackupError::Taken(home.books_file()));
    }
    let facts = facts(home, &source.backup, &manifest)?;
    let log = source.redo.as_ref().unwrap_or(&home.redo);
    let goes_on = same(log, &home.redo);
    if !goes_on && redo::is_there(&home.redo)? {
        return Err(RedoError::NotEmpty(home.redo.clone()).into());
    }
    let has_log = redo::is_there(log)?;
    if !has_log && source.said.is_none() {
        return Err(BackupError::NoRedo { redo: log.clone(), entry: manifest.journal });
    }
    if !has_log && !source.lost {
        return Err(BackupError::Lost { entry: manifest.journal });
    }
    let fresh = home.paths.data.join("bank.redb.restoring");
    if fresh.exists() {
        fs::remove_file(&fresh).map_err(io_at(&fresh))?;
    }
    let mark = books(&fresh, &source.backup.join(BOOKS), &manifest, has_log.then_some(log))?;
    reaches(&mark, [&home.paths.data, log], source.said)?;
    redo::borne_out([&home.paths.data, log], mark.entry, &home.disowned(manifest.bank)?)?;
    verify(&fresh, &manifest.bank)?;
    let keys = place_files(home, &source.backup, &manifest)?;
    fs::rename(&fresh, home.books_file()).map_err(io_at(&fresh))?;
    sync_folder(&home.paths.data)?;
    // Takes the lease, begins a term and says where the books are: from here on it is a bank like any other.
    let said = if goes_on && has_log { source.said } else { Some(mark.entry) };
    // The log that was brought may be elsewhere, and the letter with it.
    let here = [home.paths.data.as_path(), &home.redo];
    let not_said = match home.not_said {
        Some(number) if redo::is_kept(here, number)? => Some(number),
        Some(_) | None => None,
    };
    drop(Home { said, not_said, ..home.clone() }.books()?);
    Ok(Restored {
        name: facts.name,
        backup_journal: manifest.journal,
        frames: mark.frame.saturating_sub(manifest.frame),
        has_log,
        journal: mark.entry,
        keys,
        keys_folder: home.keys().path().to_owned(),
        redo: home.redo.clone(),
    })
}

/// The backup is of the bank that is at home here, if there is one.
fn facts(home: &Home, backup: &Path, manifest: &Manifest) -> Result<Facts, BackupError> {
    let path = backup.join(FACTS);
    let facts = facts_in(&path)?;
    let wrong = |what: &str| BackupError::Wrong { path: path.clone(), what: what.to_owned() };
    if facts.master != manifest.bank {
        return Err(wrong("manifest and facts name two banks"));
    }
    if home.facts_file().exists() && home.facts()? != facts {
        return Err(wrong("another bank is at home here"));
    }
    Ok(facts)
}

/// The backup's books in a file of our own, checked, with all that the log has.
fn books(
    fresh: &Path,
    backed_up: &Path,
    manifest: &Manifest,
    log: Option<&PathBuf>,
) -> Result<Mark, BackupError> {
    let wrong = |what: &str| BackupError::Wrong { path: backed_up.to_owned(), what: what.to_owned() };
    copy_file(backed_up, fresh)?;
    if digest_of(fresh)? != manifest.books {
        return Err(wrong("its digest is not the manifest's"));
    }
    let store = Redb::open(fresh)?;
    has_format(&store.read()?)?;
    let mark = standing(&store.read()?, &manifest.bank)?;
    if mark != manifest.mark() {
        return Err(wrong("it ends at another frame than the manifest says"));
    }
    let Some(log) = log else { return Ok(mark) };
    // Whoever has it open still writes to it.
    let _lease = InstanceLock::take(log).map_err(RedoError::from)?;
    Ok(redo::redo(&store, log, &manifest.bank)?)
}

/// Whether the books have all that the bank is known to have answered.
fn reaches(mark: &Mark, heads: [&Path; 2], told: Option<u64>) -> Result<(), BackupError> {
    let (said_frame, said) = redo::said(heads)?.unwrap_or_default();
    let said = said.max(told.unwrap_or(0));
    let (entry, frame) = (mark.entry, mark.frame);
    if entry < said || frame < said_frame {
        let (said, said_frame) = (said.max(entry), said_frame.max(frame));
        return Err(BackupError::Behind { entry, frame, said, said_frame });
    }
    Ok(())
}

/// Facts and keys, where they are missing; whether there are keys now.
fn place_files(home: &Home, backup: &Path, manifest: &Manifest) -> Result<bool, BackupError> {
    let keys = home.keys();
    if manifest.keys && !keys.path().exists() {
        // All of them or none: half a folder would look like the keys to the next run.
        let fresh = home.paths.data.join("keys.restoring");
        if fresh.exists() {
            fs::remove_dir_all(&fresh).map_err(io_at(&fresh))?;
        }
        copy_folder(&backup.join(KEYS), &fresh)?;
        fs::rename(&fresh, keys.path()).map_err(io_at(&fresh))?;
        sync_folder(&home.paths.data)?;
    }
    private_folder(keys.path())?;
    if !home.facts_file().exists() {
        let facts = fs::read(backup.join(FACTS)).map_err(io_at(backup))?;
        private_file::write(&home.facts_file(), &facts).map_err(io_at(&home.facts_file()))?;
    }
    Ok(keys.path().join("attest").exists())
}

fn same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real(one) == real(other)
}
