//! The redo log: every commit's writes on a second medium before the books have them (SPEC §4.10, B9, threats X7).
//!
//! ```text
//! work ─▶ writes ─▶ frame appended, synced ─▶ books commit (with the frame's mark) ─▶ heads ─▶ answers
//!                    a crash from here on: the frame is written into the books at the next opening
//! ```
//! Rules and books know nothing of it: it stands between them and the shelf. It is not the ledger's *journal*,
//! which has an entry for each thing done; a frame holds whatever a commit wrote, entries among it.

mod frame;
mod head;
mod log;
mod read;

#[cfg(test)]
mod tests;

pub use frame::Mark;

use self::frame::{Frame, Writes};
use self::head::HeadFile;
use self::log::{Disk, Log, Medium};
use crate::ledger::Fault;
use crate::store::shelf::{Pair, Shelf, ShelfMut, Store, Table};
use protocol::body::{Body as _, digest};
use protocol::id::Key;
use protocol::node::host::lock::{InstanceLock, LockError};
use protocol::node::host::paths::{PathsError, private_folder};
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

/// Why books and redo log can't be opened together. Nothing was changed that the books had.
#[derive(Debug, thiserror::Error)]
pub enum RedoError {
    /// Another bank-node has the log open.
    #[error("the redo log: {0}")]
    Lease(#[from] LockError),
    /// The log's folder.
    #[error("the redo log: {0}")]
    Folder(#[from] PathsError),
    /// The store.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The disk said no.
    #[error("the redo log, {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A frame in the middle can't be read, or does not follow on the one before.
    #[error(
        "{} is damaged after frame {after}, and what follows was answered for: nothing was changed. Bring an undamaged \
         copy of the redo log, or go on with a newer backup: bank-node restore --from BACKUP", path.display()
    )]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// The last frame that is good.
        after: u64,
    },
    /// Books and log have different pasts.
    #[error(
        "books and redo log part at frame {frame}: one of them is another bank's, or a copy of this bank was opened \
         elsewhere. Put those together that belong together; nothing was changed"
    )]
    Parted {
        /// The first frame that differs.
        frame: u64,
    },
    /// Frames between books and log are missing.
    #[error(
        "the books end at frame {books} and the redo log in {} begins at frame {log}: bring the segments between, or \
         restore a newer backup", folder.display()
    )]
    Gap {
        /// The books' frame.
        books: u64,
        /// The log's first.
        log: u64,
        /// The log's folder.
        folder: PathBuf,
    },
    /// The log has less than the books, or nothing.
    #[error(
        "the redo log in {} ends at frame {log} and the books at frame {books}: its medium is not mounted, or is an \
         older copy. Bring the right one. If it is lost for good, move what is left of it away and open the bank with \
         the newest journal number that it has signed, from its last bulletin or a customer's newest letter: \
         bank-node run --said NUMBER", folder.display()
    )]
    LogBehind {
        /// The log's folder.
        folder: PathBuf,
        /// Its last frame.
        log: u64,
        /// The books' frame.
        books: u64,
    },
    /// Books and log together have less than the bank has signed for.
    #[error(
        "the books end at journal entry {entry} (frame {frame}), and the bank has answered up to entry {said} (frame \
         {said_frame}): whoever opens old books pays today's money out again. Bring the newest redo log back and \
         run: bank-node restore --from BACKUP --redo FOLDER"
    )]
    Behind {
        /// The books' newest journal entry.
        entry: u64,
        /// Their frame.
        frame: u64,
        /// What was said.
        said: u64,
        /// At which frame.
        said_frame: u64,
    },
    /// No books, and no log from the beginning to write them from.
    #[error("{} holds no books: bring them back with bank-node restore --from BACKUP", .0.display())]
    NoBooks(PathBuf),
    /// A new bank wants an empty folder.
    #[error(
        "{} holds a redo log already, of another bank or of an init that did not finish: choose another redo.path, or \
         move it away", .0.display()
    )]
    NotEmpty(PathBuf),
    /// The small file can't be read.
    #[error(
        "{} is damaged: it says how far the bank has come. If the one beside the books or the log is whole, remove this one",
        .0.display()
    )]
    BadHead(PathBuf),
}

/// Where books and log are, and how they are to be opened.
#[derive(Clone, Debug)]
pub struct Place {
    /// The folder of the books, which keeps a head.
    pub data: PathBuf,
    /// The log's folder, best on another disk.
    pub log: PathBuf,
    /// The bank's master key: a log is one bank's.
    pub bank: Key,
    /// A new bank: there must be nothing yet.
    pub new: bool,
    /// A journal number that the bank is known to have signed: needed to go on without the log that was.
    pub said: Option<u64>,
}

/// A store whose every commit is in the redo log first.
pub struct Logged<S> {
    store: S,
    keeping: Mutex<Keeping>,
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

impl<S: Store> Logged<S> {
    /// Opens books with their log: takes the lease, brings the books up to the log's end, refuses those that are behind
    /// the bank's own word, and begins a term.
    pub fn open(store: S, place: &Place) -> Result<Logged<S>, RedoError> {
        Logged::open_on(store, place, Box::new(Disk))
    }

    pub(crate) fn open_on(store: S, place: &Place, medium: Box<dyn Medium>) -> Result<Logged<S>, RedoError> {
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
        let mark = place.admit(&base, &end, said)?;
        let term = mark.term.saturating_add(1);
        let log = Log::go_on(&place.log, &end, term, medium)?;
        let heads = [HeadFile::open(&place.data)?, HeadFile::open(&place.log)?];
        let said = said.map_or(0, |(_, said)| said).max(mark.entry);
        let keeping = Keeping { log, heads, mark, said, failed: false };
        let logged = Logged { store, keeping: Mutex::new(keeping), _lease: lease };
        // The term's first frame, with nothing in it.
        logged.commit(true, |_| Ok(()))?;
        logged.keeping().sync_heads()?;
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

impl Place {
    /// Whether the bank may be opened where its log ends; says where.
    fn admit(&self, base: &Mark, end: &read::End, said: Option<(u64, u64)>) -> Result<Mark, RedoError> {
        let mark = &end.mark;
        let (frame, entry) = said.unwrap_or_default();
        let entry = entry.max(self.said.unwrap_or(0));
        let needed = frame.max(base.frame);
        if let (Some((segment, _)), true, true) = (&end.segment, end.torn, mark.frame < needed) {
            return Err(RedoError::Damaged { path: segment.path.clone(), after: mark.frame });
        }
        let begins_anew = end.segment.is_none() && (base.frame == 0 || self.said.is_some());
        if mark.frame < base.frame || (end.segment.is_none() && !begins_anew) {
            let log = if end.segment.is_none() { 0 } else { mark.frame };
            return Err(RedoError::LogBehind { folder: self.log.clone(), log, books: base.frame });
        }
        if mark.frame < frame || mark.entry < entry {
            let (said, said_frame) = (entry.max(mark.entry), frame.max(mark.frame));
            return Err(RedoError::Behind { entry: mark.entry, frame: mark.frame, said, said_frame });
        }
        Ok(mark.clone())
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
}
