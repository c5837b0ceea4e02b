//! A small disk of its own: a tmpfs, mounted for a scene and gone with it. Needs root.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A mounted disk.
pub(crate) struct Disk {
    folder: tempfile::TempDir,
    bytes: u64,
}

fn must(program: &str, arguments: &[&str]) {
    let ended = Command::new(program).args(arguments).status();
    let ended = ended.unwrap_or_else(|why| panic!("{program}: {why}"));
    assert!(ended.success(), "{program} {arguments:?} ended with {ended}");
}

impl Disk {
    /// A disk of this size.
    pub(crate) fn with(bytes: u64) -> Disk {
        let disk = Disk { folder: tempfile::tempdir().unwrap(), bytes };
        for name in ["disk", "away"] {
            fs::create_dir(disk.folder.path().join(name)).unwrap();
        }
        let options = format!("size={bytes},mode=700");
        must("mount", &["-t", "tmpfs", "-o", &options, "tmpfs", disk.text("disk").as_str()]);
        disk
    }

    fn text(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("disk")
    }

    fn filler(&self) -> std::path::PathBuf {
        self.path().join("filler")
    }

    /// Leaves less room than the bank wants for a batch.
    pub(crate) fn fill(&self) {
        fs::write(self.filler(), vec![0; usize::try_from(self.bytes / 2).unwrap()]).unwrap();
    }

    /// As before.
    pub(crate) fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    /// Not there any more: an empty folder in its place.
    pub(crate) fn hide(&self) {
        must("mount", &["--move", &self.text("disk"), &self.text("away")]);
        set_private(&self.path());
    }

    /// There again.
    pub(crate) fn show(&self) {
        must("mount", &["--move", &self.text("away"), &self.text("disk")]);
    }
}

fn set_private(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
}

impl Drop for Disk {
    fn drop(&mut self) {
        for name in ["disk", "away"] {
            // Only one of them is mounted; the other's failure is no news.
            let _ = Command::new("umount").args(["--lazy", "--quiet", &self.text(name)]).status();
        }
    }
}
