//! The working keys on disk: files of mode 0600 under `data/keys`.
//!
//! ```text
//! data/keys/attest  bulletin  node  letters        32 secret bytes each
//! data/keys/issue-20500                            one for each day to come, destroyed when the day is over
//! data/keys/attest.certificate  issue-20500.certificate …    the master key's word, public, never removed
//! data/keys/5f1c….revocation                                 the same, against a key
//! ```

use super::{Made, WorkingKeys};
use protocol::body::Body;
use protocol::body::Malformed;
use protocol::id::Key;
use protocol::key::bank::{BankKeys, KeyFlaw, Revocation, Usage};
use protocol::node::host::private_file::{self, PrivateFileError};
use protocol::sign::{Signed, Signer};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const CERTIFICATE: &str = ".certificate";
const REVOCATION: &str = ".revocation";
const CERTIFICATE_MAX: u64 = 1024;

/// The folder with the working keys.
#[derive(Clone, Debug)]
pub struct KeyFolder(PathBuf);

/// Why keys can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file that is open to others, or not there.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The disk said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was tried.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that does not hold what its name says.
    #[error("{} does not hold a key", .0.display())]
    NotAKey(PathBuf),
    /// A certificate that can't be read.
    #[error("{}: {flaw}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        flaw: Malformed,
    },
    /// A certificate that the bank's master key did not give.
    #[error("{}: {flaw}", path.display())]
    Flaw {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        flaw: KeyFlaw,
    },
}

fn file_name(usage: Usage, epoch: u32) -> String {
    match usage {
        Usage::Issue => format!("issue-{epoch}"),
        Usage::Attest => "attest".to_owned(),
        Usage::Bulletin => "bulletin".to_owned(),
        Usage::Node => "node".to_owned(),
    }
}

/// 32 secret bytes from a private file.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeysError> {
    let bytes = Zeroizing::new(private_file::read(path, 64)?);
    let secret = <[u8; 32]>::try_from(bytes.as_slice());
    secret.map(Zeroizing::new).map_err(|_| KeysError::NotAKey(path.to_owned()))
}

/// Writes 32 secret bytes to a private file.
pub(crate) fn write_secret(path: &Path, secret: &[u8; 32]) -> Result<(), KeysError> {
    private_file::write(path, secret).map_err(|source| KeysError::Io { path: path.to_owned(), source })
}

impl KeyFolder {
    /// The keys in a data folder.
    pub fn beneath(data: &Path) -> KeyFolder {
        KeyFolder(data.join("keys"))
    }

    /// Where they lie.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes keys that were made: the certificate last, so that a certified key is always there.
    pub fn write(&self, made: &[Made]) -> Result<(), KeysError> {
        for one in made {
            let name = file_name(one.usage, one.epoch);
            write_secret(&self.0.join(&name), &one.secret)?;
            let path = self.0.join(format!("{name}{CERTIFICATE}"));
            private_file::write(&path, &one.certificate.to_bytes())
                .map_err(|source| KeysError::Io { path, source })?;
        }
        Ok(())
    }

    /// Writes a key in the place of another. The old one's certificate stays: what it signed was good once.
    pub fn replace(&self, made: &Made) -> Result<(), KeysError> {
        let name = file_name(made.usage, made.epoch);
        let certified = made.certificate.unverified().key;
        let path = self.0.join(format!("{name}-{certified}{CERTIFICATE}"));
        private_file::write(&path, &made.certificate.to_bytes())
            .map_err(|source| KeysError::Io { path, source })?;
        write_secret(&self.0.join(name), &made.secret)
    }

    /// Writes the master key's word against a key. An open bank finds it and obeys.
    pub fn write_revocation(&self, revocation: &Signed<Revocation>) -> Result<(), KeysError> {
        let path = self.0.join(format!("{}{REVOCATION}", revocation.unverified().key));
        private_file::write(&path, &revocation.to_bytes()).map_err(|source| KeysError::Io { path, source })
    }

    /// Writes the secret that activation codes grow from.
    pub fn write_letters(&self, secret: &[u8; 32]) -> Result<(), KeysError> {
        write_secret(&self.0.join("letters"), secret)
    }

    /// Reads everything; certificates count only if the bank's master key gave them.
    pub fn read(&self, master: Key) -> Result<WorkingKeys, KeysError> {
        let mut public = BankKeys::pinned(master);
        for (path, certificate) in self.papers(CERTIFICATE)? {
            public.learn(certificate).map_err(|flaw| KeysError::Flaw { path, flaw })?;
        }
        for (path, revocation) in self.papers(REVOCATION)? {
            public.revoke(revocation).map_err(|flaw| KeysError::Flaw { path, flaw })?;
        }
        let mut issue = BTreeMap::new();
        for (name, path) in self.files()? {
            let epoch = name.strip_prefix("issue-").and_then(|epoch| epoch.parse::<u32>().ok());
            if let Some(epoch) = epoch {
                issue.insert(epoch, Signer::from_secret(&*read_secret(&path)?));
            }
        }
        Ok(WorkingKeys {
            public,
            attest: Signer::from_secret(&*read_secret(&self.0.join("attest"))?),
            bulletin: Signer::from_secret(&*read_secret(&self.0.join("bulletin"))?),
            node: read_secret(&self.0.join("node"))?,
            letters: read_secret(&self.0.join("letters"))?,
            issue,
        })
    }

    /// The keys of this usage that the master key has revoked; none where there is no folder yet.
    pub fn revoked(&self, master: Key, usage: Usage) -> Result<Vec<Key>, KeysError> {
        if !self.0.exists() {
            return Ok(Vec::new());
        }
        let mut public = BankKeys::pinned(master);
        for (path, revocation) in self.papers(REVOCATION)? {
            public.revoke(revocation).map_err(|flaw| KeysError::Flaw { path, flaw })?;
        }
        let words = public.revocations().map(Signed::unverified);
        Ok(words.filter(|word| word.usage == usage).map(|word| word.key).collect())
    }

    /// Destroys the private half of an issue key: overwritten first, for what that is worth on today's disks.
    pub fn destroy(&self, epoch: u32) -> Result<(), KeysError> {
        let path = self.0.join(file_name(Usage::Issue, epoch));
        let wiped = private_file_overwrite(&path);
        match wiped.and_then(|()| fs::remove_file(&path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(KeysError::Io { path, source: error })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// What the master key has signed, in the files with this ending.
    fn papers<T: Body>(&self, ending: &str) -> Result<Vec<(PathBuf, Signed<T>)>, KeysError> {
        let mut found = Vec::new();
        for (name, path) in self.files()? {
            if name.ends_with(ending) {
                let bytes = private_file::read(&path, CERTIFICATE_MAX)?;
                let paper = Signed::from_bytes(&bytes)
                    .map_err(|flaw| KeysError::Malformed { path: path.clone(), flaw })?;
                found.push((path, paper));
            }
        }
        Ok(found)
    }

    fn files(&self) -> Result<Vec<(String, PathBuf)>, KeysError> {
        let io = |source| KeysError::Io { path: self.0.clone(), source };
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(io)? {
            let entry = entry.map_err(io)?;
            if let Ok(name) = entry.file_name().into_string() {
                files.push((name, entry.path()));
            }
        }
        files.sort();
        Ok(files)
    }
}

/// In place, not by a new file: the point is to lose the old bytes.
fn private_file_overwrite(path: &Path) -> io::Result<()> {
    use std::io::Write;
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    file.write_all(&[0; 32])?;
    file.sync_all()
}
