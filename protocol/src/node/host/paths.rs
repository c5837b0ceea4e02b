//! Where a program keeps its files.
//!
//! Usually by the XDG rules, a folder per program and instance; with `--home DIR` everything lies
//! beneath one folder, which tests and USB sticks want.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The places of one running program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// `config.toml`; need not exist.
    pub config: PathBuf,
    /// What must not be lost.
    pub data: PathBuf,
    /// The socket, the cookie, the address: gone after a restart of the machine.
    pub run: PathBuf,
    /// Log files, if any are written.
    pub log: PathBuf,
}

/// Why the places cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PathsError {
    /// An instance name that would be a path.
    #[error(
        "the instance name {0:?} must be 1 to 64 letters, digits, dots, dashes or underscores, not starting with a dot"
    )]
    Name(String),
    /// Neither HOME nor the XDG variables say where to go.
    #[error("HOME is not set; say where to keep the files with --home DIR")]
    Homeless,
    /// Others could read or change the money.
    #[error("{} is open to other users (mode {mode:o}); run: chmod 700 {}", path.display(), path.display())]
    OpenToOthers {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Someone else's folder.
    #[error("{} belongs to user {owner}, not to you", path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// The user id that owns it.
        owner: u32,
    },
    /// The disk said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Paths {
    /// The places of `program` (say `sterminad`) and its `instance` (say `default`). Makes nothing yet.
    pub fn resolve(program: &str, instance: &str, home: Option<&Path>) -> Result<Self, PathsError> {
        Self::resolve_with(program, instance, home, |name| std::env::var_os(name))
    }

    fn resolve_with(
        program: &str,
        instance: &str,
        home: Option<&Path>,
        var: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, PathsError> {
        if !good_name(instance) {
            return Err(PathsError::Name(instance.to_owned()));
        }
        if let Some(home) = home {
            return Ok(Self::beneath(home));
        }
        // XDG: a variable that holds no absolute path counts as not set.
        let absolute = |name: &str| var(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let place = |name: &str, beneath_home: &str| match absolute(name) {
            Some(base) => Ok(base.join("stermina").join(program).join(instance)),
            None => absolute("HOME")
                .map(|home| home.join(beneath_home).join("stermina").join(program).join(instance))
                .ok_or(PathsError::Homeless),
        };
        let state = place("XDG_STATE_HOME", ".local/state")?;
        let run = match absolute("XDG_RUNTIME_DIR") {
            Some(base) => base.join("stermina").join(program).join(instance),
            None => state.join("run"),
        };
        Ok(Self {
            config: place("XDG_CONFIG_HOME", ".config")?.join("config.toml"),
            data: place("XDG_DATA_HOME", ".local/share")?,
            run,
            log: state.join("log"),
        })
    }

    /// Everything beneath one folder.
    pub fn beneath(home: &Path) -> Self {
        Self {
            config: home.join("config.toml"),
            data: home.join("data"),
            run: home.join("run"),
            log: home.join("log"),
        }
    }

    /// Makes the folders (0700) and refuses those that other users could look into.
    pub fn prepare(&self) -> Result<(), PathsError> {
        [&self.data, &self.run, &self.log].into_iter().try_for_each(|folder| private_folder(folder))
    }
}

/// Makes `folder` and its missing parents with mode 0700, or checks that it is ours alone.
pub fn private_folder(folder: &Path) -> Result<(), PathsError> {
    let io = |source| PathsError::Io { path: folder.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
    let facts = fs::metadata(folder).map_err(io)?;
    if facts.uid() != rustix::process::geteuid().as_raw() {
        return Err(PathsError::NotOurs { path: folder.to_owned(), owner: facts.uid() });
    }
    let mode = facts.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(PathsError::OpenToOthers { path: folder.to_owned(), mode });
    }
    Ok(())
}

fn good_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn with(vars: &[(&str, &str)]) -> Result<Paths, PathsError> {
        let find = |name: &str| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        Paths::resolve_with("sterminad", "bob", None, find)
    }

    #[test]
    fn xdg_variables_decide_and_relative_ones_do_not_count() {
        let paths = with(&[
            ("HOME", "/h"),
            ("XDG_DATA_HOME", "/d"),
            ("XDG_CONFIG_HOME", "rel"),
            ("XDG_RUNTIME_DIR", "/r"),
        ])
        .unwrap();
        assert_eq!(paths.data, Path::new("/d/stermina/sterminad/bob"));
        assert_eq!(paths.config, Path::new("/h/.config/stermina/sterminad/bob/config.toml"));
        assert_eq!(paths.run, Path::new("/r/stermina/sterminad/bob"));
        assert_eq!(paths.log, Path::new("/h/.local/state/stermina/sterminad/bob/log"));
        assert_eq!(
            with(&[("HOME", "/h")]).unwrap().run,
            Path::new("/h/.local/state/stermina/sterminad/bob/run")
        );
        assert!(matches!(with(&[]), Err(PathsError::Homeless)));
    }

    #[test]
    fn a_name_that_is_a_path_is_refused() {
        for name in ["", "..", "a/b", "ä", ".hidden"] {
            assert!(matches!(Paths::resolve("x", name, None), Err(PathsError::Name(_))), "{name}");
        }
    }

    #[test]
    fn folders_are_made_private_and_open_ones_refused_with_the_cure() {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::resolve("sterminad", "default", Some(home.path())).unwrap();
        paths.prepare().unwrap();
        paths.prepare().unwrap();
        assert_eq!(fs::metadata(&paths.data).unwrap().mode() & 0o777, 0o700);
        fs::set_permissions(&paths.data, fs::Permissions::from_mode(0o750)).unwrap();
        let error = paths.prepare().unwrap_err();
        assert!(matches!(error, PathsError::OpenToOthers { mode: 0o750, .. }));
        assert!(error.to_string().contains(&format!("chmod 700 {}", paths.data.display())));
    }
}
