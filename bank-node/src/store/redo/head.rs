//! The bank's own word on how far it has come, in a small file on either medium (SPEC §4.10).
//!
//! It is written after every commit and before its answers leave, so that books or a log of an older day are
//! recognised when they are opened. Two places in the file are written in turn: a torn write leaves the other.

use super::{Mark, RedoError};
use protocol::body::{Body, Malformed, Reader, Writer, digest};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file's name.
pub(super) const FILE: &str = "HEAD";
/// Where the second place begins: another sector.
const SECOND: u64 = 4096;
/// A record and its digest.
const PLACE_BYTES: usize = 8 + 56 + 8 + 32;

/// What the bank has said: nobody may open it with less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Grows with every record.
    turn: u64,
    /// Where the books stood.
    pub(super) mark: Mark,
    /// The highest journal number that was signed; a bulletin's or a letter's may be above the mark's.
    pub(super) said: u64,
}

impl Body for Head {
    const TYPE: &'static str = "redo-head";

    fn write(&self, out: &mut Writer) {
        out.u64(self.turn).raw(&self.mark.to_bytes()).u64(self.said);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let turn = from.u64()?;
        let mark = Mark::read(from)?;
        Ok(Head { turn, mark, said: from.u64()? })
    }
}

/// The file, open for writing.
#[derive(Debug)]
pub(super) struct HeadFile {
    path: PathBuf,
    file: File,
    turn: u64,
}

/// What stands in the folder's head file; `None` without one.
pub(super) fn read(folder: &Path) -> Result<Option<Head>, RedoError> {
    let path = folder.join(FILE);
    let mut bytes = Vec::new();
    match File::open(&path).and_then(|file| file.take(2 * SECOND).read_to_end(&mut bytes)) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(RedoError::Io { path, source }),
        // Made, and nothing was said yet.
        Ok(0) => return Ok(None),
        Ok(_) => {}
    }
    let second = usize::try_from(SECOND).unwrap_or(usize::MAX);
    let places = [Some(bytes.as_slice()), bytes.get(second..)];
    let newest = places.into_iter().flatten().filter_map(place).max_by_key(|head| head.turn);
    newest.map(Some).ok_or(RedoError::BadHead(path))
}

fn place(bytes: &[u8]) -> Option<Head> {
    let (body, sealed) = bytes.get(..PLACE_BYTES)?.split_last_chunk::<32>()?;
    let whole = digest(Head::TYPE, body).0 == *sealed;
    whole.then(|| Head::from_bytes(body).ok()).flatten()
}

impl HeadFile {
    /// Opens or makes the folder's head file.
    pub(super) fn open(folder: &Path) -> Result<HeadFile, RedoError> {
        let turn = read(folder)?.map_or(0, |head| head.turn);
        let path = folder.join(FILE);
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(|source| RedoError::Io { path: path.clone(), source })?;
        Ok(HeadFile { path, file, turn })
    }

    /// Says it. The system may keep it in memory for a while: a killed process loses nothing, and after a power cut
    /// books and log have it by themselves.
    pub(super) fn say(&mut self, mark: &Mark, said: u64) -> io::Result<()> {
        self.turn += 1;
        let mut bytes = Head { turn: self.turn, mark: mark.clone(), said }.to_bytes();
        let sealed = digest(Head::TYPE, &bytes);
        bytes.extend(sealed.0);
        self.file.write_all_at(&bytes, (self.turn % 2) * SECOND)
    }

    /// Makes it durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}
