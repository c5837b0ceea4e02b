//! One program per data folder.
//!
//! The lock is the kernel's, so it goes away with the process, however that ends. The pid inside is
//! for people only.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Held for as long as the program runs.
#[derive(Debug)]
pub struct InstanceLock {
    _file: File,
}

/// Why the folder could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process works in the folder.
    #[error("{} is in use by process {pid}; stop it first, or choose another --home", folder.display())]
    Held {
        /// The folder both want.
        folder: PathBuf,
        /// The holder's process id as it wrote it down, or "unknown".
        pid: String,
    },
    /// The disk said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl InstanceLock {
    /// Takes `folder` for this process.
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join("LOCK");
        let io = |source| LockError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false) // the holder's pid stands inside
            .mode(0o600)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held { folder: folder.to_owned(), pid: pid_in(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(io)?;
        Ok(Self { _file: file })
    }
}

fn pid_in(file: &mut File) -> String {
    let mut text = String::new();
    // The file may be anything; only a plain number is worth repeating.
    match file.take(16).read_to_string(&mut text) {
        Ok(_) if text.trim().parse::<u32>().is_ok() => text.trim().to_owned(),
        Ok(_) | Err(_) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_start_is_told_who_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let first = InstanceLock::take(folder.path()).unwrap();
        let error = InstanceLock::take(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(first);
        InstanceLock::take(folder.path()).unwrap();
    }

    #[test]
    fn a_stale_lock_file_of_a_dead_process_hinders_nobody() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("LOCK"), "999999999999 of an older life").unwrap();
        let lock = InstanceLock::take(folder.path()).unwrap();
        let inside = std::fs::read_to_string(folder.path().join("LOCK")).unwrap();
        assert_eq!(inside.trim(), std::process::id().to_string());
        drop(lock);
    }

    #[test]
    fn a_missing_folder_is_an_error_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let error = InstanceLock::take(&folder.path().join("no")).unwrap_err();
        assert!(error.to_string().contains("no/LOCK"));
    }
}
