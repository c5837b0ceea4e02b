//! How much room is left on the disk.

use std::io;
use std::path::Path;

/// Bytes that this user may still write to the file system that holds `path`.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let numbers = rustix::fs::statvfs(path)?;
    Ok(numbers.f_bavail.saturating_mul(numbers.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_a_number_and_a_missing_one_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free_bytes(folder.path()).unwrap() > 0);
        assert_eq!(free_bytes(&folder.path().join("no")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
