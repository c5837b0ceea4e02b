//! The redo log: every commit's writes on a second medium before the books have them (SPEC §4.15, B9, threats X7).
//!
//! ```text
//! work ─▶ writes ─▶ frame appended, synced ─▶ books commit (with the frame's mark) ─▶ heads ─▶ answers
//!                    a crash from here on: the frame is written into the books at the next opening
//! ```
//! Rules and books know nothing of it: it stands between them and the shelf. It is not the ledger's *journal*,
//! which has an entry for each thing done; a frame holds whatever a commit wrote, entries among it.

mod error;
mod frame;
mod head;
mod log;
mod place;
mod read;
mod witness;

#[cfg(test)]
mod tests;

pub use error::RedoError;
pub use frame::Mark;
pub use place::Place;
pub use witness::{Disowned, borne_out, is_kept};

use self::frame::{Frame, Writes};
use self::head::HeadFile;
use self::log::{Disk, Log, Medium};
use crate::ledger::Fault;
use crate::store::has_format;
use crate::store::shelf::{Pair, Shelf, ShelfMut, Store, Table};
use protocol::bank::Letter;
use protocol::body::{Body as _, digest};
use protocol::id::Key;
use protocol::node::host::lock::InstanceLock;
use protocol::node::host::paths::private_folder;
use protocol::sign::Signed;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A segment that has grown to this takes no more frames.
#[cfg(not(test))]
const SEGMENT_BYTES: u64 = 64 << 20;
#[cfg(test)]
const SEGMENT_BYTES: u64 = 16 << 10;
/// Frames that are written into the books in one commit.
const REDO_AT_ONCE: usize = 256;
/// Where the books say at which frame they are.
const MARK: &[u8] = b"redo";

/// A store whose every commit is in the redo log first.
pub struct Logged<S> {
    store: S,
    keeping: Mutex<Keeping>,
    /// Those of the books and of the log.
    folders: [PathBuf; 2],
    _lease: InstanceLock,
}

struct Keeping {
    log: Log,
    heads: [HeadFile; 2],
    mark: Mark,
    said: u64,
    /// After a fault nobody knows what the log holds: it has to be opened again and read.
    failed: bool,
}

/// Reads only the books' own word.
fn mark_in(shelf: &dyn Shelf) -> Result<Option<Mark>, Fault> {
    let Some(bytes) = shelf.get(Table::Meta, MARK)? else { return Ok(None) };
    let mark = Mark::from_bytes(&bytes);
    mark.map(Some).map_err(|why| Fault::Damaged(why.to_string()))
}

/// Where books stand; books without a mark are older than the redo log, or empty: each begins a chain of its own.
pub fn standing(shelf: &dyn Shelf, bank: &Key) -> Result<Mark, Fault> {
    if let Some(mark) = mark_in(shelf)? {
        return Ok(mark);
    }
    let entry = shelf.before(Table::Journal, &[0xff; 9])?.and_then(|(key, _)| key.try_into().ok());
    let age = if is_empty(shelf)? { "empty" } else { "older" };
    let digest = digest("redo-origin", &[&bank.0, age.as_bytes()].concat());
    Ok(Mark { frame: 0, term: 0, entry: entry.map_or(0, u64::from_be_bytes), digest })
}

fn is_empty(shelf: &dyn Shelf) -> Result<bool, Fault> {
    Ok(shelf.from(Table::Meta, b"", 1)?.is_empty())
}

/// Whether the folder holds any of a log.
pub fn is_there(folder: &Path) -> Result<bool, RedoError> {
    Ok(!read::segments(folder)?.is_empty())
}

/// The highest frame and journal number that the bank has said in these folders; `None` if it has said nothing.
pub fn said(folders: [&Path; 2]) -> Result<Option<(u64, u64)>, RedoError> {
    let mut highest: Option<(u64, u64)> = None;
    for folder in folders {
        if let Some(head) = head::read(folder)? {
            let (frame, said) = highest.unwrap_or_default();
            highest = Some((frame.max(head.mark.frame), said.max(head.said)));
        }
    }
    Ok(highest)
}

/// Writes what the log has and the books have not into the books; the log stays as it is.
pub fn redo<S: Store>(store: &S, log: &Path, bank: &Key) -> Result<Mark, RedoError> {
    let base = standing(&store.read()?, bank)?;
    let mark = replay(store, log, &base)?.mark;
    if mark.frame < base.frame {
        return Err(RedoError::LogBehind { folder: log.to_owned(), log: mark.frame, books: base.frame });
    }
    Ok(mark)
}

fn replay<S: Store>(store: &S, log: &Path, base: &Mark) -> Result<read::End, RedoError> {
    let mut waiting: Vec<Frame> = Vec::new();
    let end = read::read(log, base, &mut |frame| {
        waiting.push(frame);
        if waiting.len() < REDO_AT_ONCE { Ok(()) } else { carry_over(store, &mut waiting) }
    })?;
    carry_over(store, &mut waiting)?;
    Ok(end)
}

fn carry_over<S: Store>(store: &S, waiting: &mut Vec<Frame>) -> Result<(), RedoError> {
    let Some(last) = waiting.last().map(|frame| frame.mark.clone()) else { return Ok(()) };
    store.write(|shelf| {
        waiting.iter().try_for_each(|frame| frame.redo(shelf))?;
        shelf.put(Table::Meta, MARK, &last.to_bytes())
    })?;
    tracing::info!(frames = waiting.len(), last = last.frame, "the books have what was only in the redo log");
    waiting.clear();
    Ok(())
}

fn sync(folder: &Path) -> Result<(), RedoError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| RedoError::Io { path: folder.to_owned(), source })
}

impl<S: Store> Logged<S> {
    /// Opens books with their log: takes the lease, brings the books up to the log's end, refuses those that are behind
    /// the bank's own word, and begins a term.
    pub fn open(store: S, place: &Place) -> Result<Logged<S>, RedoError> {
        Logged::open_on(store, place, Box::new(Disk))
    }

    pub(crate) fn open_on(store: S, place: &Place, medium: Box<dyn Medium>) -> Result<Logged<S>, RedoError> {
        // Before a mark or a frame is written: the version that made the books has to find them as they were.
        has_format(&store.read()?)?;
        private_folder(&place.log)?;
        let lease = InstanceLock::take(&place.log)?;
        Logged::open_leased(store, place, medium, lease)
    }

    fn open_leased(
        store: S,
        place: &Place,
        medium: Box<dyn Medium>,
        lease: InstanceLock,
    ) -> Result<Logged<S>, RedoError> {
        let base = {
            let books = store.read()?;
            let is_new = is_empty(&books)? && !is_there(&place.log)?;
            match (place.new, is_new) {
                (true, false) => return Err(RedoError::NotEmpty(place.log.clone())),
                (false, true) => return Err(RedoError::NoBooks(place.data.clone())),
                (true, true) | (false, false) => standing(&books, &place.bank)?,
            }
        };
        let said = said([&place.data, &place.log])?;
        if place.new && said.is_some() {
            return Err(RedoError::NotEmpty(place.log.clone()));
        }
        let end = replay(&store, &place.log, &base)?;
        // A log alone brings the books of whoever wrote it.
        has_format(&store.read()?)?;
        let mark = place.admit(&base, &end, said)?;
        borne_out([&place.data, &place.log], mark.entry, &place.disowned)?;
        let term = mark.term.saturating_add(1);
        let log = Log::go_on(&place.log, &end, term, medium)?;
        let heads = [HeadFile::open(&place.data)?, HeadFile::open(&place.log)?];
        // Names that were made just now, or by an opening that was cut short, survive a power cut from here on.
        sync(&place.data)?;
        sync(&place.log)?;
        if let Some(above) = place.log.parent().filter(|above| File::open(above).is_ok()) {
            sync(above)?;
        }
        let said = said.map_or(0, |(_, said)| said).max(mark.entry);
        let keeping = Keeping { log, heads, mark, said, failed: false };
        let folders = [place.data.clone(), place.log.clone()];
        let logged = Logged { store, keeping: Mutex::new(keeping), folders, _lease: lease };
        // The term's first frame, with nothing in it.
        logged.commit(true, |_| Ok(()))?;
        logged.keeping().sync_heads()?;
        if let Some(number) = place.disowned.number {
            witness::put_aside([&place.data, &place.log], number)?;
        }
        Ok(logged)
    }

    /// Where the books stand.
    pub fn mark(&self) -> Mark {
        self.keeping().mark.clone()
    }

    fn keeping(&self) -> MutexGuard<'_, Keeping> {
        self.keeping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commit<T>(
        &self,
        opening: bool,
        work: impl FnOnce(&mut Recorded<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut keeping = self.keeping();
        if keeping.failed {
            return Err(Fault::Store("the redo log has failed".to_owned()));
        }
        let Keeping { log, mark, failed, .. } = &mut *keeping;
        let (done, new) = self.store.write(|shelf| {
            let mut recorded = Recorded { shelf, writes: Writes::default() };
            let done = work(&mut recorded)?;
            let Recorded { shelf, writes } = recorded;
            if writes.is_empty() && !opening {
                return Ok((done, None));
            }
            // Until the books have committed it, nobody knows.
            *failed = true;
            let new = log.append(mark, &writes)?;
            shelf.put(Table::Meta, MARK, &new.to_bytes())?;
            Ok((done, Some(new)))
        })?;
        if let Some(new) = new {
            keeping.mark = new;
            keeping.say()?;
            keeping.failed = false;
        }
        Ok(done)
    }
}

impl Keeping {
    /// Says where the books stand, on both media.
    fn say(&mut self) -> Result<(), Fault> {
        self.said = self.said.max(self.mark.entry);
        let (mark, said) = (&self.mark, self.said);
        self.heads.iter_mut().try_for_each(|head| head.say(mark, said).map_err(|why| head_fault(head, &why)))
    }

    fn sync_heads(&self) -> Result<(), Fault> {
        self.heads.iter().try_for_each(|head| head.sync().map_err(|why| head_fault(head, &why)))
    }
}

fn head_fault(head: &HeadFile, why: &io::Error) -> Fault {
    Fault::Store(format!("{}: {why}", head.path().display()))
}

/// A commit in the making, whose writes are kept for the log.
pub struct Recorded<'w> {
    shelf: &'w mut dyn ShelfMut,
    writes: Writes,
}

impl Shelf for Recorded<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.shelf.get(table, key)
    }

    fn before(&self, table: Table, key: &[u8]) -> Result<Option<Pair>, Fault> {
        self.shelf.before(table, key)
    }

    fn from(&self, table: Table, key: &[u8], limit: usize) -> Result<Vec<Pair>, Fault> {
        self.shelf.from(table, key, limit)
    }
}

impl ShelfMut for Recorded<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        self.writes.put(table, key, value)?;
        self.shelf.put(table, key, value)
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), Fault> {
        self.writes.remove(table, key)?;
        self.shelf.remove(table, key)
    }
}

impl<S: Store> Store for Logged<S> {
    type Reader = S::Reader;
    type Writer<'w> = Recorded<'w>;

    fn read(&self) -> Result<S::Reader, Fault> {
        self.store.read()
    }

    fn write<T>(&self, work: impl FnOnce(&mut Recorded<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        self.commit(false, work)
    }

    fn said(&self, entry: u64) -> Result<(), Fault> {
        let mut keeping = self.keeping();
        if entry > keeping.said {
            keeping.said = entry;
            keeping.say()?;
        }
        keeping.sync_heads()
    }

    fn witnessed(&self, letter: &Signed<Letter>) -> Result<(), Fault> {
        let keep = |folder: &PathBuf| witness::keep(folder, letter);
        self.folders.iter().try_for_each(keep).map_err(|why| Fault::Store(why.to_string()))
    }
}
