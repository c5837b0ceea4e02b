//! The bank's own letters that it was shown and can't bear out, kept beside the heads (SPEC §4.15, threats X7).
//!
//! A head's number is the bank's own word and counts for ever. A letter's number counts as long as the key under it: who
//! has stolen one can sign any number, and must not close the bank for good. So the letter itself is kept.

use super::RedoError;
use protocol::bank::Letter;
use protocol::id::Key;
use protocol::node::host::private_file;
use protocol::sign::Signed;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// What the files' names begin with, and what they begin with once the operators have disowned them.
const COUNTS: &str = "WITNESS-";
const DISOWNED: &str = "NOT-SAID-";
const LETTER_MAX: u64 = 4096;

/// Which letters do not count.
#[derive(Clone, Debug, Default)]
pub struct Disowned {
    /// Those under a key that was revoked.
    pub keys: Vec<Key>,
    /// The one of this number: the operators have made sure that the bank never signed it.
    pub number: Option<u64>,
}

struct Shown {
    path: PathBuf,
    letter: Signed<Letter>,
}

impl Shown {
    fn number(&self) -> u64 {
        self.letter.unverified().number
    }
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> RedoError + '_ {
    |source| RedoError::Io { path: path.to_owned(), source }
}

/// Keeps a letter; durable when this returns.
pub(super) fn keep(folder: &Path, letter: &Signed<Letter>) -> Result<(), RedoError> {
    let path = folder.join(format!("{COUNTS}{}-{}", letter.unverified().number, letter.digest()));
    private_file::write(&path, &letter.to_bytes()).map_err(io_at(&path))
}

fn kept(folder: &Path) -> Result<Vec<Shown>, RedoError> {
    let files = match fs::read_dir(folder) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        files => files.map_err(io_at(folder))?,
    };
    let mut found = Vec::new();
    for file in files {
        let file = file.map_err(io_at(folder))?;
        if file.file_name().to_str().is_some_and(|name| name.starts_with(COUNTS)) {
            let path = file.path();
            let bytes = private_file::read(&path, LETTER_MAX);
            let letter = bytes.ok().and_then(|bytes| Signed::from_bytes(&bytes).ok());
            let letter = letter.ok_or_else(|| RedoError::BadWitness(path.clone()))?;
            found.push(Shown { path, letter });
        }
    }
    Ok(found)
}

/// Whether a letter of this number is kept and counts.
pub fn is_kept(folders: [&Path; 2], number: u64) -> Result<bool, RedoError> {
    for folder in folders {
        if kept(folder)?.iter().any(|shown| shown.number() == number) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether books that end at `entry` bear out every letter that counts.
pub fn borne_out(folders: [&Path; 2], entry: u64, disowned: &Disowned) -> Result<(), RedoError> {
    if let Some(number) = disowned.number
        && !is_kept(folders, number)?
    {
        return Err(RedoError::NoWitness(number));
    }
    for folder in folders {
        for shown in kept(folder)? {
            let number = shown.number();
            if disowned.number == Some(number) {
                continue;
            }
            if disowned.keys.iter().any(|key| shown.letter.check_by(key).is_ok()) {
                tracing::warn!(number, "a letter counts no more: its key was revoked");
            } else if number > entry {
                return Err(RedoError::Witnessed { entry, number, path: shown.path });
            }
        }
    }
    Ok(())
}

/// Puts the letters of this number aside for good; they stay as evidence.
pub(super) fn put_aside(folders: [&Path; 2], number: u64) -> Result<(), RedoError> {
    for folder in folders {
        for shown in kept(folder)?.iter().filter(|shown| shown.number() == number) {
            let name = format!("{DISOWNED}{number}-{}", shown.letter.digest());
            fs::rename(&shown.path, folder.join(name)).map_err(io_at(&shown.path))?;
            tracing::warn!(number, "the operators say that the bank never signed this letter");
        }
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_at(folder))?;
    }
    Ok(())
}
