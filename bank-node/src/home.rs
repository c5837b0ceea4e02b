//! What lies in the bank's folders, and how they come to be.
//!
//! ```text
//! HOME/config.toml           settings, need not exist
//! HOME/data/bank.toml        name, currency, master key (public)
//! HOME/data/bank.redb        the books
//! HOME/data/redo/…           the redo log, unless redo.path puts it on another disk
//! HOME/data/HEAD             how far the bank has come, beside the books; another one beside the log
//! HOME/data/keys/…           working keys
//! HOME/data/LOCK             held while the bank is open
//! HOME/run/{rpc.sock,cookie,http}
//! HOME/master/master.key     to be moved off line after init
//! ```

use crate::desk::counter::Sign;
use crate::keys::{KeyFolder, KeysError, MasterKey, make_all};
use crate::ledger::Fault;
use crate::store::redo::{self, Disowned, Place, RedoError};
use crate::store::{Ledger, Logged, Redb};
use protocol::body::Text;
use protocol::id::Key;
use protocol::key::bank::Usage;
use protocol::money::{AmountFlaw, Currency};
use protocol::node::host::lock::{InstanceLock, LockError};
use protocol::node::host::paths::{Paths, PathsError, private_folder};
use protocol::node::host::private_file::{self, PrivateFileError};
use protocol::time::Day;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// The program's name for folders and interfaces.
pub const PROGRAM: &str = "bank-node";
/// The longest name of a bank, in bytes.
pub const NAME_MAX: usize = 64;
const FACTS_MAX: u64 = 4096;

/// The bank's folders.
#[derive(Clone, Debug)]
pub struct Home {
    /// Where everything lies.
    pub paths: Paths,
    /// Where `init` puts the master key.
    pub master: PathBuf,
    /// The redo log's folder: beside the books unless it is set.
    pub redo: PathBuf,
    /// A journal number that the operators know to be signed, to open books whose redo log is lost.
    pub said: Option<u64>,
    /// The number of a letter that the bank was shown and, as the operators know, has never signed.
    pub not_said: Option<u64>,
}

/// The bank's books on disk, with their redo log.
pub type Kept = Ledger<Logged<Redb>>;

/// `bank.toml`: what `init` fixes for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The bank's name.
    pub name: String,
    /// What its units are called.
    pub currency: Currency,
    /// The master key's public half.
    pub master: Key,
}

/// Why the folders can't be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// There is a bank already.
    #[error("{} holds a bank already: nothing was changed", .0.display())]
    Taken(PathBuf),
    /// There is none.
    #[error("{} holds no bank: make one with bank-node init --name NAME", .0.display())]
    NoBank(PathBuf),
    /// A name that can't be shown.
    #[error("a bank's name has 1 to {NAME_MAX} bytes, no control characters, no spaces around it")]
    BadName,
    /// No currency.
    #[error(transparent)]
    Currency(#[from] AmountFlaw),
    /// The folders.
    #[error(transparent)]
    Paths(#[from] PathsError),
    /// Somebody else works there.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A file.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The books.
    #[error(transparent)]
    Books(#[from] Fault),
    /// The books and their redo log.
    #[error(transparent)]
    Redo(#[from] RedoError),
    /// The file with the facts.
    #[error("{}: {why}", path.display())]
    Facts {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The disk said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was tried.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Home {
    /// The folders of this `--home`, or those of the user.
    pub fn find(home: Option<&Path>) -> Result<Home, HomeError> {
        let paths = Paths::resolve(PROGRAM, "default", home)?;
        let master = home.map_or_else(|| paths.data.join("master"), |home| home.join("master"));
        let redo = paths.data.join("redo");
        Ok(Home { paths, master, redo, said: None, not_said: None })
    }

    /// The same with the redo log where the settings say, if they do.
    #[must_use]
    pub fn with_redo(mut self, path: Option<&str>) -> Home {
        if let Some(path) = path.filter(|path| !path.is_empty()) {
            self.redo = self.paths.data.join(path);
        }
        self
    }

    /// The file with the master key, until somebody moves it.
    pub fn master_file(&self) -> PathBuf {
        self.master.join("master.key")
    }

    /// The working keys.
    pub fn keys(&self) -> KeyFolder {
        KeyFolder::beneath(&self.paths.data)
    }

    /// The books.
    pub fn books_file(&self) -> PathBuf {
        self.paths.data.join("bank.redb")
    }

    /// The facts that `init` has fixed.
    pub(crate) fn facts_file(&self) -> PathBuf {
        self.paths.data.join("bank.toml")
    }

    /// Makes a bank: master key, working keys, empty books. The facts come last: without them there is no bank.
    pub fn init(
        &self,
        sign: &Sign,
        today: Day,
        days: u32,
        chance: &mut dyn FnMut() -> [u8; 32],
    ) -> Result<Facts, HomeError> {
        if sign.name.is_empty() || sign.name.trim() != sign.name || Text::new(&sign.name, NAME_MAX).is_err() {
            return Err(HomeError::BadName);
        }
        self.paths.prepare()?;
        let _lock = InstanceLock::take(&self.paths.data)?;
        // A master key that is still there may have certified something: it is never written over.
        if self.facts_file().exists() || self.master_file().exists() {
            return Err(HomeError::Taken(self.paths.data.clone()));
        }
        let keys = self.keys();
        private_folder(keys.path())?;
        private_folder(&self.master)?;
        let master = MasterKey::from_secret(chance());
        keys.write(&make_all(&master, today, days, chance))?;
        keys.write_letters(&chance())?;
        drop(self.open_books(master.key(), true)?);
        crate::keys::write_secret(&self.master_file(), master.secret())?;
        let facts = Facts { name: sign.name.clone(), currency: sign.currency.clone(), master: master.key() };
        let path = self.facts_file();
        let text = toml::to_string(&facts)
            .map_err(|why| HomeError::Facts { path: path.clone(), why: why.to_string() })?;
        private_file::write(&path, text.as_bytes()).map_err(|source| HomeError::Io { path, source })?;
        Ok(facts)
    }

    /// What `init` fixed.
    pub fn facts(&self) -> Result<Facts, HomeError> {
        if !self.facts_file().exists() {
            return Err(HomeError::NoBank(self.paths.data.clone()));
        }
        facts_in(&self.facts_file())
    }

    /// Takes the folder for this process.
    pub fn lock(&self) -> Result<InstanceLock, HomeError> {
        Ok(InstanceLock::take(&self.paths.data)?)
    }

    /// Opens the books with their redo log.
    pub fn books(&self) -> Result<Kept, HomeError> {
        self.open_books(self.facts()?.master, false)
    }

    /// Which letters that the bank was shown do not count.
    pub(crate) fn disowned(&self, bank: Key) -> Result<Disowned, HomeError> {
        Ok(Disowned { keys: self.keys().revoked(bank, Usage::Attest)?, number: self.not_said })
    }

    fn open_books(&self, bank: Key, new: bool) -> Result<Kept, HomeError> {
        let file = self.books_file();
        if !new && !file.exists() && !redo::is_there(&self.redo)? {
            return Err(RedoError::NoBooks(self.paths.data.clone()).into());
        }
        let (data, log) = (self.paths.data.clone(), self.redo.clone());
        let disowned = self.disowned(bank)?;
        let place = Place { data, log, bank, new, said: self.said, disowned };
        let fresh = !file.exists();
        let opened = Logged::open(Redb::open(&file)?, &place);
        if fresh && opened.is_err() {
            // Made just now, and nothing came into it: it must not look like books.
            std::fs::remove_file(&file).map_err(|source| HomeError::Io { path: file, source })?;
        }
        Ok(Ledger::open(opened?)?)
    }
}

/// The facts in a file.
pub(crate) fn facts_in(path: &Path) -> Result<Facts, HomeError> {
    let bytes = private_file::read(path, FACTS_MAX)?;
    let wrong = |why: String| HomeError::Facts { path: path.to_owned(), why };
    let text = String::from_utf8(bytes).map_err(|why| wrong(why.to_string()))?;
    let facts: Facts = toml::from_str(&text).map_err(|why| wrong(why.to_string()))?;
    Currency::new(facts.currency.code(), facts.currency.digits())?;
    Ok(facts)
}
