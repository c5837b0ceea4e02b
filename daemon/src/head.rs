//! The head file: how far the wallet's vault went, beside the wallet's own file (threats X6).
//!
//! It is written after each commit, over its own few bytes and without a sync: so it is never ahead of what is on disk,
//! and costs next to nothing. A wallet's file that is behind it was put back from a backup. It finds that off line; a
//! whole folder that was put back is found by the vault.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// The head file's name in the data folder.
pub const HEAD_FILE: &str = "head";

const LENGTH: usize = 16;
/// Tells a number that was written whole from anything else.
const MARK: u64 = 0x5374_6572_6d69_6e61;

/// The open head file.
#[derive(Debug)]
pub struct HeadFile {
    file: File,
    number: u64,
}

impl HeadFile {
    /// Opens the file, or makes it. What can't be read counts as 0: it says nothing.
    pub fn open(path: &Path) -> io::Result<HeadFile> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let mut bytes = [0; LENGTH];
        let number = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => read(bytes),
            Err(short) if short.kind() == io::ErrorKind::UnexpectedEof => 0,
            Err(fault) => return Err(fault),
        };
        Ok(HeadFile { file, number })
    }

    /// The highest number that was ever noted.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Notes a number, if it is higher.
    pub fn raise(&mut self, number: u64) -> io::Result<()> {
        if number <= self.number {
            return Ok(());
        }
        let bytes = (u128::from(number) << 64) | u128::from(number ^ MARK);
        self.file.write_all_at(&bytes.to_be_bytes(), 0)?;
        self.number = number;
        Ok(())
    }
}

fn read(bytes: [u8; LENGTH]) -> u64 {
    let (number, mark) = bytes.split_at(8);
    let word = |half: &[u8]| half.try_into().map(u64::from_be_bytes).unwrap_or_default();
    let (number, mark): (u64, u64) = (word(number), word(mark));
    if number ^ MARK == mark { number } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// X6: it only goes up, also over a restart, and damage says nothing.
    #[test]
    fn it_only_goes_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(HEAD_FILE);
        let mut head = HeadFile::open(&path).unwrap();
        assert_eq!(head.number(), 0);
        head.raise(7).unwrap();
        head.raise(3).unwrap();
        assert_eq!(HeadFile::open(&path).unwrap().number(), 7);
        std::fs::write(&path, [1; LENGTH]).unwrap();
        assert_eq!(HeadFile::open(&path).unwrap().number(), 0);
        std::fs::write(&path, [1; 3]).unwrap();
        let mut head = HeadFile::open(&path).unwrap();
        head.raise(9).unwrap();
        assert_eq!(HeadFile::open(&path).unwrap().number(), 9);
    }
}
