//! A small disk that can be filled to the last byte: a file system in memory of its own. Needs root.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Room on a workstation's small disk.
const SIZE: &str = "size=192m";

/// A disk mounted at a folder, unmounted with it.
#[derive(Debug)]
pub(super) struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts one at `folder`; none where that is not allowed.
    pub(super) fn at(folder: &Path) -> Option<SmallDisk> {
        fs::create_dir_all(folder).ok()?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "stermina-chaos"]).arg(folder);
        let mounted = mount.output().ok()?.status.success();
        mounted.then(|| SmallDisk { folder: folder.to_owned() })
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }

    /// Fills it: not one byte is left.
    pub(super) fn fill(&self) {
        let Ok(mut file) = OpenOptions::new().create(true).append(true).open(self.ballast()) else { return };
        for size in [1 << 20, 4096, 1] {
            let piece = vec![0; size];
            while file.write_all(&piece).is_ok() {}
        }
    }

    /// Makes room again.
    pub(super) fn empty(&self) {
        // It is not there if there was no room even for its name.
        let _ = fs::remove_file(self.ballast());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).output();
    }
}
