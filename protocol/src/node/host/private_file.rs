//! Files that only their owner reads: secrets, cookies, backups.
//!
//! A write is all or nothing: whoever reads sees the old bytes or the new ones, also after a power cut.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Why a private file was not read.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// Others could have read or changed it.
    #[error("{} is open to other users (mode {mode:o}); run: chmod 600 {}", path.display(), path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Someone else owns it, so someone else could have written it.
    #[error("{} belongs to user {owner}, not to you", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// The user id that owns it.
        owner: u32,
    },
    /// A folder, a pipe or a device stands where the file should be.
    #[error("{} is not an ordinary file", path.display())]
    NotAFile {
        /// What was found.
        path: PathBuf,
    },
    /// More bytes than the reader is willing to take.
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        limit: u64,
    },
    /// The disk said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Replaces the file at `path` with `bytes`, mode 0600, durable when this returns.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path)?;
    let fresh = beside(path)?;
    let written = fill(&fresh, bytes).and_then(|()| fs::rename(&fresh, path));
    if written.is_err() {
        // The half-written file is of no use to anyone; the first error is the one to tell.
        let _ = fs::remove_file(&fresh);
    }
    written?;
    File::open(folder)?.sync_all()
}

/// Reads at most `limit` bytes of a file that is ours alone.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, PrivateFileError> {
    let io = |source| PrivateFileError::Io { path: path.to_owned(), source };
    // The checks look at the opened file, so nobody can swap it in between. A pipe does not block.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(io)?;
    let facts = file.metadata().map_err(io)?;
    if !facts.is_file() {
        return Err(PrivateFileError::NotAFile { path: path.to_owned() });
    }
    if facts.uid() != rustix::process::geteuid().as_raw() {
        return Err(PrivateFileError::NotOurs { path: path.to_owned(), owner: facts.uid() });
    }
    let mode = facts.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(PrivateFileError::OpenToOthers { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(io)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
        Ok(bytes)
    } else {
        Err(PrivateFileError::TooLarge { path: path.to_owned(), limit })
    }
}

fn fill(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn folder_of(path: &Path) -> io::Result<&Path> {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(folder) => Ok(folder),
        None => Err(io::Error::new(io::ErrorKind::InvalidInput, "a folder cannot be written as a file")),
    }
}

/// A name in the same folder that nobody else has: a rename stays within one file system.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let mut chance = [0u8; 8];
    getrandom::fill(&mut chance).map_err(io::Error::other)?;
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.new", hex::encode(chance)));
    Ok(path.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_written_file_is_ours_alone_and_replaces_the_old_one_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seed");
        fs::write(&path, b"a longer old text").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(read(&path, 3).unwrap(), b"new");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no leftovers beside it");
    }

    #[test]
    fn an_open_file_a_folder_and_a_large_file_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seed");
        write(&path, b"12345").unwrap();
        assert!(matches!(read(&path, 4), Err(PrivateFileError::TooLarge { limit: 4, .. })));
        for open in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
            let error = read(&path, 64).unwrap_err();
            assert!(matches!(&error, PrivateFileError::OpenToOthers { mode, .. } if *mode == open));
            assert!(error.to_string().contains("chmod 600"));
        }
        assert!(matches!(read(folder.path(), 64), Err(PrivateFileError::NotAFile { .. })));
        assert!(matches!(read(&folder.path().join("no"), 64), Err(PrivateFileError::Io { .. })));
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_no_litter() {
        let folder = tempfile::tempdir().unwrap();
        let occupied = folder.path().join("taken");
        fs::create_dir(&occupied).unwrap();
        write(&occupied, b"x").unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
