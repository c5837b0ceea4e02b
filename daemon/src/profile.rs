//! What a workstation knows of itself in files: its bank, its account, its papers, its sealed seed.
//!
//! | file | what it holds |
//! |---|---|
//! | `account.toml` | bank, account, currency; written last: without it nobody has joined |
//! | `seed` | the seed under the private code |
//! | `node.key` | view and node secrets, open, because a locked workstation is reached and read (N3) |
//! | `certificate`, `identity` | what it shows of itself |
//! | `opening` | the bank's opening letter, for the wallet's first start |
//! | `bank.keys` | the bank's working keys, certified by the pinned master key |
//!
//! All are written once, at the end of `join`. A crash between any two leaves «not joined».

use crate::wallet::Owner;
use protocol::bank::{Introduction, Letter};
use protocol::body::Body;
use protocol::id::Key;
use protocol::key::Seed;
use protocol::key::bank::{BankKeys, KeyCertificate};
use protocol::key::lock::SealedSeed;
use protocol::money::Currency;
use protocol::node::host::paths::Paths;
use protocol::node::host::private_file::{self, PrivateFileError};
use protocol::seal::ViewKey;
use protocol::sign::{Signed, Signer};
use protocol::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const ACCOUNT: &str = "account.toml";
const SEED: &str = "seed";
const NODE: &str = "node.key";
const CERTIFICATE: &str = "certificate";
const IDENTITY: &str = "identity";
const OPENING: &str = "opening";
const BANK_KEYS: &str = "bank.keys";
/// No file of ours is longer.
const FILE_MAX: u64 = 1 << 20;

/// Who this workstation is, as its files say.
#[derive(Clone, Debug)]
pub struct Profile {
    account: AccountFile,
    node: NodeFile,
    sealed: SealedSeed,
    introduction: Introduction,
    opening: Signed<Letter>,
    keys: BankKeys,
}

/// What a finished join hands over to be kept.
#[derive(Debug)]
pub struct NewProfile {
    /// The bank-node's node key.
    pub bank_node: Key,
    /// Where the bank-node is reached, without `/p2p/`.
    pub bank_addresses: Vec<String>,
    /// The bank's name.
    pub bank_name: String,
    /// The bank's keys; the pinned master is one of them.
    pub bank_keys: BankKeys,
    /// Whose workstation it is.
    pub owner: Owner,
    /// When the account was joined.
    pub joined: Timestamp,
    /// The seed.
    pub seed: Seed,
    /// The seed under the private code.
    pub sealed: SealedSeed,
    /// The bank's certificate and the owner's identity record.
    pub introduction: Introduction,
    /// The opening letter.
    pub opening: Signed<Letter>,
    /// [`FIRST_GENERATION`], raised by each restore.
    pub generation: u32,
}

/// The generation of a workstation that was never restored.
pub const FIRST_GENERATION: u32 = 1;

/// What remembers a restore that was begun: until it is finished, nothing else is done in its folder.
pub const RESTORING_FILE: &str = "restoring";

/// Why there is no profile to work with.
#[derive(Debug, thiserror::Error)]
pub enum ProfileFault {
    /// Nobody has joined here.
    #[error(
        "no account in {}: join first with the bank's activation letter: stermina join <uri>", folder.display()
    )]
    NotJoined {
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// A file is missing or not what was written.
    #[error(
        "{} is damaged ({why}): put the whole folder back from a backup, or join again with --phrase-stdin and your \
         recovery phrase", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file can't be read, or others could read it.
    #[error(transparent)]
    Unreadable(#[from] PrivateFileError),
    /// A file can't be written.
    #[error("{}: {source}", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountFile {
    version: u32,
    generation: u32,
    joined: Timestamp,
    account: AccountTable,
    bank: BankTable,
    currency: CurrencyTable,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountTable {
    number: u64,
    owner: Key,
    name: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BankTable {
    name: String,
    master: Key,
    node: Key,
    addresses: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CurrencyTable {
    code: String,
    digits: u8,
}

/// Secrets in hex; wiped with the value.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct NodeFile {
    version: u32,
    generation: u32,
    node: String,
    /// Newest first.
    views: Vec<String>,
    /// Public node keys of earlier generations, newest first.
    #[serde(default)]
    #[zeroize(skip)]
    past: Vec<Key>,
}

impl std::fmt::Debug for NodeFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NodeFile {{ generation: {}, … }}", self.generation)
    }
}

impl Profile {
    /// Whether somebody has joined here.
    pub fn exists(paths: &Paths) -> bool {
        paths.data.join(ACCOUNT).exists()
    }

    /// The profile in the files, checked to be one whole.
    pub fn load(paths: &Paths) -> Result<Profile, ProfileFault> {
        if !Profile::exists(paths) {
            return Err(ProfileFault::NotJoined { folder: paths.data.clone() });
        }
        let folder = &paths.data;
        let account: AccountFile = read_toml(folder, ACCOUNT)?;
        let profile = Profile {
            keys: read_bank_keys(folder, account.bank.master)?,
            node: read_toml(folder, NODE)?,
            sealed: read_rmp(folder, SEED)?,
            introduction: Introduction {
                certificate: read_signed(folder, CERTIFICATE)?,
                identity: read_signed(folder, IDENTITY)?,
            },
            opening: read_signed(folder, OPENING)?,
            account,
        };
        profile.check(folder)?;
        Ok(profile)
    }

    /// Writes everything; from the last write on, the workstation has joined.
    pub fn create(paths: &Paths, new: NewProfile) -> Result<Profile, ProfileFault> {
        let profile = Profile::of(new);
        let folder = &paths.data;
        let keys: Vec<&Signed<KeyCertificate>> = profile.keys.certificates().map(|c| c.signed()).collect();
        put(folder, SEED, &rmp(&profile.sealed))?;
        put_toml(folder, NODE, &profile.node)?;
        put(folder, CERTIFICATE, &profile.introduction.certificate.to_bytes())?;
        put(folder, IDENTITY, &profile.introduction.identity.to_bytes())?;
        put(folder, OPENING, &profile.opening.to_bytes())?;
        put(folder, BANK_KEYS, &rmp(&keys))?;
        put_toml(folder, ACCOUNT, &profile.account)?;
        Ok(profile)
    }

    fn of(new: NewProfile) -> Profile {
        let secret = |bytes: &[u8; 32]| hex::encode(bytes);
        let node = NodeFile {
            version: 1,
            generation: new.generation,
            node: secret(&new.seed.node(new.generation)),
            views: vec![secret(new.seed.view(new.generation).secret())],
            past: past_nodes(&new.seed, new.generation),
        };
        let account = AccountFile {
            version: 1,
            generation: new.generation,
            joined: new.joined,
            account: AccountTable {
                number: new.owner.account,
                owner: new.owner.key,
                name: new.owner.name.clone(),
            },
            bank: BankTable {
                name: new.bank_name,
                master: new.bank_keys.master(),
                node: new.bank_node,
                addresses: new.bank_addresses,
            },
            currency: CurrencyTable {
                code: new.owner.currency.code().to_owned(),
                digits: new.owner.currency.digits(),
            },
        };
        Profile {
            account,
            node,
            sealed: new.sealed,
            introduction: new.introduction,
            opening: new.opening,
            keys: new.bank_keys,
        }
    }

    /// Files from two lives must not be mixed: money would go to keys that nobody holds.
    fn check(&self, folder: &Path) -> Result<(), ProfileFault> {
        let damaged =
            |file: &str, why: &str| ProfileFault::Damaged { path: folder.join(file), why: why.to_owned() };
        if self.account.version != 1 || self.node.version != 1 {
            return Err(damaged(ACCOUNT, "written by another version of this program"));
        }
        if Currency::new(&self.account.currency.code, self.account.currency.digits).is_err() {
            return Err(damaged(ACCOUNT, "no such currency"));
        }
        let secrets = self.node.secret().zip(self.node.view_secrets().first().map(ViewKey::key));
        let (node, view) = secrets.ok_or_else(|| damaged(NODE, "not the hex of two keys"))?;
        let identity = self.introduction.identity.unverified();
        let certificate = self.introduction.certificate.unverified();
        let owner = self.account.account.owner;
        if identity.node != Signer::from_secret(&node).key() || identity.view != view {
            return Err(damaged(NODE, "not the keys of the identity record"));
        }
        if self.node.generation != self.account.generation || identity.generation != self.account.generation {
            return Err(damaged(NODE, "another generation"));
        }
        if identity.owner != owner || self.introduction.identity.check_by(&owner).is_err() {
            return Err(damaged(IDENTITY, "another owner's"));
        }
        if certificate.owner != owner || certificate.bank != self.keys.bank() {
            return Err(damaged(CERTIFICATE, "another owner's or another bank's"));
        }
        Ok(())
    }

    /// Whose wallet it is.
    pub fn owner(&self) -> Owner {
        let CurrencyTable { code, digits } = &self.account.currency;
        Owner {
            key: self.account.account.owner,
            name: self.account.account.name.clone(),
            account: self.account.account.number,
            currency: Currency::new(code, *digits).expect("checked when the profile was made"),
        }
    }

    /// The pinned master key and what it had certified when the account was joined.
    pub fn bank_keys(&self) -> BankKeys {
        self.keys.clone()
    }

    /// The keys that envelopes to this workstation are sealed to, newest first.
    pub fn view_keys(&self) -> Vec<ViewKey> {
        self.node.view_secrets()
    }

    /// The secret of the node key.
    pub fn node_secret(&self) -> Zeroizing<[u8; 32]> {
        self.node.secret().expect("checked when the profile was made")
    }

    /// Node keys of earlier generations, newest first.
    pub fn past_nodes(&self) -> Vec<Key> {
        self.node.past.clone()
    }

    /// What this workstation shows of itself.
    pub fn introduction(&self) -> Introduction {
        self.introduction.clone()
    }

    /// The bank's opening letter.
    pub fn opening(&self) -> &Signed<Letter> {
        &self.opening
    }

    /// The bank's name.
    pub fn bank_name(&self) -> &str {
        &self.account.bank.name
    }

    /// The bank-node's node key.
    pub fn bank_node(&self) -> Key {
        self.account.bank.node
    }

    /// Where the bank-node is reached, as multiaddresses without `/p2p/`.
    pub fn bank_addresses(&self) -> Vec<String> {
        self.account.bank.addresses.clone()
    }

    /// Raised by each restore.
    pub fn generation(&self) -> u32 {
        self.account.generation
    }

    /// When the account was joined.
    pub fn joined(&self) -> Timestamp {
        self.account.joined
    }

    /// The seed under the private code, for the keyring.
    pub fn sealed_seed(&self) -> SealedSeed {
        self.sealed.clone()
    }

    /// Where the keyring counts wrong codes.
    pub fn attempts_file(paths: &Paths) -> PathBuf {
        paths.data.join("tries")
    }
}

impl NodeFile {
    fn secret(&self) -> Option<Zeroizing<[u8; 32]>> {
        secret_of(&self.node)
    }

    fn view_secrets(&self) -> Vec<ViewKey> {
        self.views.iter().filter_map(|hex| secret_of(hex)).map(|s| ViewKey::from_secret(*s)).collect()
    }
}

/// Requests that earlier generations made are still ours; more restores than this have no open requests.
const PAST_NODES: usize = 64;

fn past_nodes(seed: &Seed, generation: u32) -> Vec<Key> {
    let past = (FIRST_GENERATION..generation).rev().take(PAST_NODES);
    past.map(|generation| Signer::from_secret(&seed.node(generation)).key()).collect()
}

fn secret_of(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text, &mut *bytes).ok()?;
    Some(bytes)
}

fn read_bank_keys(folder: &Path, master: Key) -> Result<BankKeys, ProfileFault> {
    let damaged = |why: String| ProfileFault::Damaged { path: folder.join(BANK_KEYS), why };
    let mut keys = BankKeys::pinned(master);
    for certificate in read_rmp::<Vec<Signed<KeyCertificate>>>(folder, BANK_KEYS)? {
        keys.learn(certificate).map_err(|flaw| damaged(flaw.to_string()))?;
    }
    Ok(keys)
}

fn read(folder: &Path, file: &str) -> Result<Zeroizing<Vec<u8>>, ProfileFault> {
    let path = folder.join(file);
    match private_file::read(&path, FILE_MAX) {
        Ok(bytes) => Ok(Zeroizing::new(bytes)),
        Err(PrivateFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Err(ProfileFault::Damaged { path, why: "it is missing".to_owned() })
        }
        Err(other) => Err(other.into()),
    }
}

fn read_as<T>(
    folder: &Path,
    file: &str,
    parse: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<T, ProfileFault> {
    let bytes = read(folder, file)?;
    parse(&bytes).map_err(|why| ProfileFault::Damaged { path: folder.join(file), why })
}

/// Parsers quote the line at fault; secrets stand in these files, so only the kind of fault is told.
fn read_toml<T: DeserializeOwned>(folder: &Path, file: &str) -> Result<T, ProfileFault> {
    read_as(folder, file, |bytes| {
        let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?;
        toml::from_str(text).map_err(|flaw: toml::de::Error| flaw.message().to_owned())
    })
}

fn read_rmp<T: DeserializeOwned>(folder: &Path, file: &str) -> Result<T, ProfileFault> {
    read_as(folder, file, |bytes| rmp_serde::from_slice(bytes).map_err(|flaw| flaw.to_string()))
}

fn read_signed<T: Body>(folder: &Path, file: &str) -> Result<Signed<T>, ProfileFault> {
    read_as(folder, file, |bytes| Signed::from_bytes(bytes).map_err(|flaw| flaw.to_string()))
}

fn put(folder: &Path, file: &str, bytes: &[u8]) -> Result<(), ProfileFault> {
    let path = folder.join(file);
    private_file::write(&path, bytes).map_err(|source| ProfileFault::Disk { path, source })
}

fn rmp<T: Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("our files have nothing that MessagePack can't hold")
}

/// TOML's integers end at 2^63 − 1; a bank that numbers its accounts beyond that can't be kept.
fn put_toml<T: Serialize>(folder: &Path, file: &str, value: &T) -> Result<(), ProfileFault> {
    let text = toml::to_string(value)
        .map_err(|flaw| ProfileFault::Disk { path: folder.join(file), source: io::Error::other(flaw) })?;
    put(folder, file, &Zeroizing::new(text.into_bytes()))
}
