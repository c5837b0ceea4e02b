//! Appending to the redo log: one frame for each commit, durable before the books commit (SPEC §4.10).

use super::frame::{Mark, Writes};
use super::read::{End, Segment, file_name};
use super::{RedoError, SEGMENT_BYTES};
use crate::ledger::Fault;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// How bytes get onto the log's medium; tests have one that fails.
pub(crate) trait Medium: Send {
    /// Appends them.
    fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    /// Makes them durable.
    fn sync(&mut self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}

/// An ordinary disk.
pub(super) struct Disk;

impl Medium for Disk {}

/// The log, open at its end.
pub(super) struct Log {
    folder: PathBuf,
    medium: Box<dyn Medium>,
    segment: Option<Open>,
    /// This opening's number: a frame of another one behind ours means that another bank-node works here.
    term: u64,
}

struct Open {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Log {
    /// Goes on where the log ends; an end that a crash tore is cut off.
    pub(super) fn go_on(
        folder: &Path,
        end: &End,
        term: u64,
        medium: Box<dyn Medium>,
    ) -> Result<Log, RedoError> {
        let open = |(segment, length): &(Segment, u64)| -> Result<Open, RedoError> {
            let io = |source| RedoError::Io { path: segment.path.clone(), source };
            let mut options = OpenOptions::new();
            let file = options.append(true).open(&segment.path).map_err(io)?;
            if end.torn {
                file.set_len(*length).and_then(|()| file.sync_all()).map_err(io)?;
                tracing::warn!(
                    frame = end.mark.frame,
                    "the redo log's torn end was cut off: nobody was answered for it"
                );
            }
            Ok(Open { path: segment.path.clone(), file, length: *length })
        };
        let segment = end.segment.as_ref().map(open).transpose()?;
        Ok(Log { folder: folder.to_owned(), medium, segment, term })
    }

    /// Writes a frame after `last`; when this returns it is durable.
    pub(super) fn append(&mut self, last: &Mark, writes: &Writes) -> Result<Mark, Fault> {
        let (bytes, mark) = writes.frame(last, self.term)?;
        let (mut open, fresh) = match self.segment.take() {
            Some(open) if open.length < SEGMENT_BYTES => (open, false),
            Some(_) | None => (self.begin(mark.frame)?, true),
        };
        open.is_ours(self.term)?;
        let written = self.medium.append(&mut open.file, &bytes);
        written.and_then(|()| self.medium.sync(&open.file)).map_err(|why| open.fault(&why))?;
        if fresh {
            // The name, too.
            File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(|why| open.fault(&why))?;
        }
        open.length = open.length.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        // Somebody may have written in between: then two banks believe that they are this one.
        open.is_ours(self.term)?;
        self.segment = Some(open);
        Ok(mark)
    }

    fn begin(&self, first: u64) -> Result<Open, Fault> {
        let path = self.folder.join(file_name(first));
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|why| Fault::Store(format!("the redo log, {}: {why}", path.display())))?;
        Ok(Open { path, file, length: 0 })
    }
}

impl Open {
    fn is_ours(&self, term: u64) -> Result<(), Fault> {
        let found = self.file.metadata().map_err(|why| self.fault(&why))?.len();
        if found == self.length {
            return Ok(());
        }
        let path = self.path.display();
        Err(Fault::Store(format!(
            "{path} has {found} bytes where opening {term} has written {}: another bank-node works on this redo log",
            self.length
        )))
    }

    fn fault(&self, why: &io::Error) -> Fault {
        Fault::Store(format!("the redo log, {}: {why}", self.path.display()))
    }
}
