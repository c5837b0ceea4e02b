//! A backup of the open bank: a snapshot copied beside the work, read again and verified.

use super::{
    BOOKS, BackupError, FACTS, KEYS, Manifest, copy_file, copy_folder, digest_of, io_at, sync_folder,
};
use crate::home::Home;
use crate::ledger::books::View;
use crate::ledger::{Fault, audit};
use crate::service::{Bank, ROOM_BYTES};
use crate::store::redo::{Mark, standing};
use crate::store::shelf::{Pair, Shelf, ShelfMut as _, Store, Table};
use crate::store::{Ledger, Redb, has_format};
use protocol::id::{Digest, Key};
use protocol::node::chance::chance_bytes;
use protocol::node::host::disk::free_bytes;
use protocol::node::host::paths::private_folder;
use std::path::{Path, PathBuf};
#[cfg(test)]
use std::sync::MutexGuard;
use std::sync::{Mutex, TryLockError};
use std::{fs, io};

/// Records copied in one commit.
const AT_ONCE: usize = 4096;

/// Makes backups of an open bank.
pub struct Backups<S: Store> {
    bank: Bank<Ledger<S>>,
    home: Home,
    /// A second one beside it would double the load, and tells nobody anything.
    under_way: Mutex<()>,
    /// How much room a folder has.
    free: fn(&Path) -> io::Result<u64>,
}

/// A backup that was made and verified.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its folder.
    pub folder: PathBuf,
    /// What it is.
    pub manifest: Manifest,
}

impl<S: Store> Backups<S> {
    /// Of this bank, whose facts and keys lie in `home`.
    pub fn new(bank: Bank<Ledger<S>>, home: Home) -> Backups<S> {
        Backups { bank, home, under_way: Mutex::new(()), free: free_bytes }
    }

    /// Makes a backup in a folder of its own beneath `to`. The writer goes on meanwhile. Takes as long as reading and
    /// writing all of the books, so it is called where blocking is allowed.
    pub fn make(&self, to: &Path, with_keys: bool) -> Result<Made, BackupError> {
        if !to.is_absolute() {
            return Err(BackupError::NotAbsolute(to.to_owned()));
        }
        let _alone = match self.under_way.try_lock() {
            Ok(alone) => alone,
            // It holds nothing that a panic could leave half done.
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(BackupError::UnderWay),
        };
        private_folder(to)?;
        self.has_room(to)?;
        let unfinished = to.join(format!(".unfinished-{}", hex::encode(chance_bytes::<8>())));
        private_folder(&unfinished)?;
        let made = self.fill(&unfinished, with_keys).and_then(|manifest| {
            let name = format!("{}-{:012}", manifest.made.replace(':', "-"), manifest.frame);
            let folder = to.join(name);
            if folder.exists() {
                return Err(BackupError::Taken(folder));
            }
            fs::rename(&unfinished, &folder).map_err(io_at(&folder))?;
            sync_folder(to)?;
            Ok(Made { folder, manifest })
        });
        if made.is_err() {
            // Of no use to anybody; the first error is the one to tell.
            let _ = fs::remove_dir_all(&unfinished);
        }
        made
    }

    /// The copy is at most as large as the books. A backup that fills its disk may take the bank's own with it.
    fn has_room(&self, to: &Path) -> Result<(), BackupError> {
        let books = self.home.books_file();
        let wanted = fs::metadata(&books).map_err(io_at(&books))?.len().saturating_add(ROOM_BYTES);
        let free = (self.free)(to).map_err(io_at(to))?;
        if free < wanted {
            return Err(BackupError::NoRoom { to: to.to_owned(), wanted, free });
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn on_a_disk_with(self, free: fn(&Path) -> io::Result<u64>) -> Backups<S> {
        Backups { free, ..self }
    }

    #[cfg(test)]
    pub(super) fn begun(&self) -> MutexGuard<'_, ()> {
        self.under_way.lock().unwrap()
    }

    fn fill(&self, folder: &Path, with_keys: bool) -> Result<Manifest, BackupError> {
        let facts = self.home.facts()?;
        let file = folder.join(BOOKS);
        let copied = self.bank.read_blocking(|snapshot| Ok(copy(snapshot, &facts.master, &file)));
        let copied = copied.ok_or_else(|| Fault::Store("the bank is out of order".to_owned()))??;
        let again = verify(&file, &facts.master)?;
        if again != copied {
            let what = format!("it holds {again:?}, copied was {copied:?}");
            return Err(BackupError::Wrong { path: file, what });
        }
        let mut manifest = Manifest::of(facts.master, &facts.name, self.bank.now().to_string(), &copied.mark);
        (manifest.directory, manifest.directory_head) = copied.directory;
        manifest.books = digest_of(&file)?;
        copy_file(&self.home.facts_file(), &folder.join(FACTS))?;
        if with_keys {
            copy_folder(self.home.keys().path(), &folder.join(KEYS))?;
            manifest.keys = true;
        }
        manifest.write(folder)?;
        sync_folder(folder)?;
        Ok(manifest)
    }
}

/// Where books end in every respect: what a copy has to agree in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) mark: Mark,
    journal: u64,
    serial: u64,
    directory: (u64, Digest),
    /// Of keys and values of all tables.
    content: Digest,
}

impl Ends {
    fn of(view: &impl View, mark: Mark, content: &blake3::Hasher) -> Result<Ends, Fault> {
        let (journal, serial, directory) =
            (view.journal_head()?, view.last_serial()?, view.directory_head()?);
        Ok(Ends { mark, journal, serial, directory, content: Digest(*content.finalize().as_bytes()) })
    }
}

/// Copies every table into a new file.
fn copy(snapshot: &impl Shelf, bank: &Key, file: &Path) -> Result<Ends, BackupError> {
    let copy = Redb::open(file)?;
    let mut content = blake3::Hasher::new();
    each_page(snapshot, &mut content, &mut |table, page| {
        copy.write(|shelf| page.iter().try_for_each(|(key, value)| shelf.put(table, key, value)))
    })?;
    Ok(Ends::of(snapshot, standing(snapshot, bank)?, &content)?)
}

/// Opens books, audits them, and reads every record.
pub(super) fn verify(file: &Path, bank: &Key) -> Result<Ends, BackupError> {
    let books = Redb::open(file)?;
    let view = books.read()?;
    has_format(&view)?;
    let audit = audit(&view)?;
    if !audit.ok {
        let first = audit.findings.first().map(|finding| finding.what.clone()).unwrap_or_default();
        return Err(BackupError::Audit { path: file.to_owned(), broken: audit.broken, first });
    }
    let mut content = blake3::Hasher::new();
    each_page(&view, &mut content, &mut |_, _| Ok(()))?;
    Ok(Ends::of(&view, standing(&view, bank)?, &content)?)
}

/// What is done with a page of records.
type WithPage<'p> = dyn FnMut(Table, &[Pair]) -> Result<(), Fault> + 'p;

/// Every record in order, and all of them into the digest.
fn each_page(shelf: &impl Shelf, content: &mut blake3::Hasher, each: &mut WithPage<'_>) -> Result<(), Fault> {
    for table in Table::ALL {
        content.update(table.name().as_bytes());
        let mut from = Vec::new();
        loop {
            let page = shelf.from(table, &from, AT_ONCE)?;
            let Some((last, _)) = page.last() else { break };
            // The next key in order is the last one with a zero behind it.
            from = [last.as_slice(), &[0]].concat();
            each(table, &page)?;
            for part in page.iter().flat_map(|(key, value)| [key, value]) {
                content.update(&part.len().to_be_bytes()).update(part);
            }
        }
    }
    Ok(())
}
