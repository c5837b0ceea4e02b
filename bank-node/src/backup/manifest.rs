//! What a backup says about itself.

use super::{BackupError, io_at};
use crate::store::redo::Mark;
use protocol::id::{Digest, Key};
use protocol::node::host::private_file;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The file's name.
const FILE: &str = "manifest.toml";
const BYTES_MAX: u64 = 4096;
/// The form of a backup.
const FORMAT: u32 = 1;

/// A backup's manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form of the backup.
    format: u32,
    /// The bank's master key.
    pub bank: Key,
    /// The bank's name.
    pub name: String,
    /// When it was made, for people.
    pub made: String,
    /// The redo log's frame up to which it goes.
    pub frame: u64,
    /// The opening in which that frame was written.
    pub term: u64,
    /// That frame's digest.
    pub frame_digest: Digest,
    /// The newest journal entry in it.
    pub journal: u64,
    /// The directory's last line in it.
    pub directory: u64,
    /// The directory's running digest.
    pub directory_head: Digest,
    /// BLAKE3 of the books' file.
    pub books: Digest,
    /// Whether the working keys are in it.
    pub keys: bool,
}

impl Manifest {
    /// Of a bank's books that stand at `mark`; what is in the folder comes later.
    pub(super) fn of(bank: Key, name: &str, made: String, mark: &Mark) -> Manifest {
        Manifest {
            format: FORMAT,
            bank,
            name: name.to_owned(),
            made,
            frame: mark.frame,
            term: mark.term,
            frame_digest: mark.digest,
            journal: mark.entry,
            directory: 0,
            directory_head: Digest::default(),
            books: Digest::default(),
            keys: false,
        }
    }

    /// Where the books in it stand.
    pub fn mark(&self) -> Mark {
        Mark { frame: self.frame, term: self.term, entry: self.journal, digest: self.frame_digest }
    }

    /// Of the backup in this folder.
    pub fn read(folder: &Path) -> Result<Manifest, BackupError> {
        let path = folder.join(FILE);
        let bytes = private_file::read(&path, BYTES_MAX)?;
        let wrong = |what: String| BackupError::Wrong { path: path.clone(), what };
        let text = String::from_utf8(bytes).map_err(|why| wrong(why.to_string()))?;
        let manifest: Manifest = toml::from_str(&text).map_err(|why| wrong(why.to_string()))?;
        match manifest.format {
            FORMAT => Ok(manifest),
            other => Err(wrong(format!("form {other} of backups is not known here"))),
        }
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), BackupError> {
        let path = folder.join(FILE);
        let text = toml::to_string(self);
        let text = text.map_err(|why| BackupError::Wrong { path: path.clone(), what: why.to_string() })?;
        private_file::write(&path, text.as_bytes()).map_err(io_at(&path))
    }
}
