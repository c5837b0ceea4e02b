//! Restoring: from the recovery phrase, or from a profile with its private code, to a workstation that goes on (SPEC §4.7).
//!
//! ```text
//! phrase, letter ─▶ terms ─▶ directory ─▶ `restoring` on disk ─▶ publish: the older one is fenced ─▶ vault, record by record
//!                                        (the generation is chosen once)        ─▶ fence, tickets ─▶ old files aside ─▶ profile
//! ```
//! Everything up to the profile can be done again: whoever kills it at any point runs the same command once more. What
//! was had is not spent: the workstation reclaims it when it is started and unlocked.

mod begun;

use self::begun::{Begun, Chosen, letter_of};
use crate::head::HEAD_FILE;
use crate::join::{AskBank, JoinFault, Remote, Terms};
use crate::keyring::UnlockRefusal;
use crate::profile::{NewProfile, Profile, ProfileFault, RESTORING_FILE as BEGUN_FILE};
use crate::store::{Contact, DirectoryFlaw, Page, RedbStore, ReplayFlaw, STORE_FILE, Store as _, StoreFault};
use crate::wallet::bulletins::Source as Heard;
use crate::wallet::change::Batch;
use crate::wallet::policy::Policy;
use crate::wallet::{OpenKeys, Owner, Wallet};
use protocol::bank::{
    AccountQuery, ActivationLetter, IDENTITY_DAYS_MAX, Identity, Introduction, Letter, LetterKind, VaultHead,
};
use protocol::code::PublicCode;
use protocol::id::{Hint, Key, RequestId};
use protocol::key::BadPhrase;
use protocol::key::lock::{GuessCost, LockFlaw};
use protocol::money::{Currency, Units};
use protocol::node::chance::chance_bytes;
use protocol::node::host::lock::{InstanceLock, LockError};
use protocol::node::host::paths::{Paths, PathsError};
use protocol::node::host::private_file::PrivateFileError;
use protocol::sign::{Signed, Signer};
use protocol::time::{DAY_SECONDS, Timestamp};
use protocol::wire::{BankAnswer, BankAsk, BulletinPage, ErrorCode};
use std::io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The new wallet's file while it is being filled.
const NEW_STORE: &str = "wallet.restoring";
/// Most pages of the directory: four million lines, more than a town will ever have. A bank whose list has no end fills no disk.
const DIRECTORY_PAGES_MAX: u32 = 16_384;
/// Tickets that are made at once, before the first unlock makes more.
const FIRST_TICKETS: usize = 64;
/// Files of an older generation; the last of them says that there is a profile.
const OLD_FILES: [&str; 11] = [
    STORE_FILE,
    HEAD_FILE,
    "tries",
    "joining",
    "seed",
    "node.key",
    "certificate",
    "identity",
    "opening",
    "bank.keys",
    "account.toml",
];

/// What the keys are grown from.
#[derive(Debug)]
pub enum Source {
    /// The 24 words, and any activation letter's line: it says where the bank is and what its key is.
    Phrase {
        /// The letter.
        letter: Box<ActivationLetter>,
        /// The words.
        phrase: Zeroizing<String>,
    },
    /// The profile in the folder, opened with its private code.
    Profile,
}

/// What may be chosen when restoring.
#[derive(Debug)]
pub struct RestoreOptions {
    /// The time.
    pub now: Timestamp,
    /// How dear one guess of the private code is made.
    pub cost: GuessCost,
}

/// A workstation that is back.
#[derive(Debug)]
pub struct Restored {
    /// The public code.
    pub code: PublicCode,
    /// The certified name.
    pub name: String,
    /// The bank's name.
    pub bank: String,
    /// The account's number.
    pub account: u64,
    /// The currency.
    pub currency: Currency,
    /// Which workstation of this owner it is.
    pub generation: u32,
    /// What the account holds, as the bank told just now.
    pub balance: Units,
    /// What the reserve held as the vault tells: it comes to the account by a reclaim.
    pub reserve: Units,
    /// Records that the vault had, and when the newest line of the history was written.
    pub records: u64,
    /// When the newest movement was.
    pub newest: Option<Timestamp>,
    /// Payments without an outcome, and their sum: they are sent on.
    pub payments: (usize, Units),
    /// Requests to the bank without an answer: they are asked again.
    pub requests: usize,
    /// Where the old files lie, if there were any.
    pub kept: Option<PathBuf>,
}

/// Why nothing was restored yet. The same command goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum RestoreFault {
    /// The bank, as when joining.
    #[error(transparent)]
    Bank(#[from] JoinFault),
    /// The phrase is none.
    #[error(transparent)]
    Phrase(#[from] BadPhrase),
    /// The private code.
    #[error(transparent)]
    Code(#[from] UnlockRefusal),
    /// The new private code is too short or too long.
    #[error(transparent)]
    NewCode(LockFlaw),
    /// A restore was begun with something else.
    #[error(
        "a restore was begun here with another {what}: use the same one, or remove {} and begin anew", file.display()
    )]
    OtherSecret {
        /// Private code or recovery phrase.
        what: &'static str,
        /// What remembers it.
        file: PathBuf,
    },
    /// What remembers a begun restore can't be read.
    #[error("{} is damaged: remove it and begin anew", .0.display())]
    Damaged(PathBuf),
    /// The keys of the phrase hold no account.
    #[error(
        "the bank knows no account of these 24 words: is it the right phrase, and the letter of the right bank?"
    )]
    NoAccount,
    /// Somebody else's account is in the folder.
    #[error(
        "there is another account in this folder ({0}): restore in a folder of its own, --instance NAME or --home DIR"
    )]
    AnotherAccount(PublicCode),
    /// Another restore was faster.
    #[error(
        "the account was restored on another machine meanwhile; if that was not you, tell the bank. Run the command \
         again to make this machine the newest"
    )]
    Overtaken,
    /// The bank finds the new identity record's dates wrong.
    #[error(
        "the bank finds the date wrong: check this machine's clock, then run the same command again; nothing was changed"
    )]
    Clock,
    /// The vault's records are not what the workstation put in.
    #[error("what the bank gives out as your vault is not what was put in ({0}): show this to the bank")]
    Vault(String),
    /// Another program works in the folder.
    #[error(transparent)]
    Busy(#[from] LockError),
    /// The folder can't be used.
    #[error(transparent)]
    Folder(#[from] PathsError),
    /// The profile can't be read or written.
    #[error(transparent)]
    Profile(#[from] ProfileFault),
    /// The wallet's file.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// A file can't be read.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// A file can't be written or moved.
    #[error("{}: {source}", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl From<DirectoryFlaw> for RestoreFault {
    fn from(flaw: DirectoryFlaw) -> RestoreFault {
        match flaw {
            DirectoryFlaw::Store(fault) => fault.into(),
            other => not_the_bank(&other.to_string()),
        }
    }
}

impl From<ReplayFlaw> for RestoreFault {
    fn from(flaw: ReplayFlaw) -> RestoreFault {
        match flaw {
            ReplayFlaw::Store(fault) => fault.into(),
            other => RestoreFault::Vault(other.to_string()),
        }
    }
}

fn not_the_bank(why: &str) -> RestoreFault {
    JoinFault::NotTheBank(why.to_owned()).into()
}

fn no_answer(answer: BankAnswer) -> RestoreFault {
    match answer {
        BankAnswer::Error(code) => JoinFault::Bank(code).into(),
        _ => not_the_bank("another answer than was asked for"),
    }
}

/// Restores at the bank on the network.
pub async fn restore(
    paths: &Paths,
    source: Source,
    code: &str,
    options: RestoreOptions,
) -> Result<Restored, RestoreFault> {
    paths.prepare()?;
    let letter = match (&source, Begun::read(&paths.data)?) {
        (_, Some(begun)) => begun.letter()?,
        (Source::Phrase { letter, .. }, None) => (**letter).clone(),
        (Source::Profile, None) => letter_of(&Profile::load(paths)?)?,
    };
    let bank = Remote::of(&letter)?;
    restore_at(&bank, paths, source, code, options).await
}

/// The same at whatever answers for the bank.
pub async fn restore_at(
    bank: &impl AskBank,
    paths: &Paths,
    source: Source,
    code: &str,
    options: RestoreOptions,
) -> Result<Restored, RestoreFault> {
    paths.prepare()?;
    // Held to the end: the workstation must not run meanwhile.
    let _lock = InstanceLock::take(&paths.data)?;
    let (mut begun, keys) = Begun::take_up(paths, source, code, &options)?;
    let letter = begun.letter()?;
    let terms = Terms::ask(bank, &letter, options.now).await?;
    let work = Work { bank, paths, keys: &keys, letter: &letter, terms: &terms, now: options.now };
    let store = work.open()?;
    let contact = work.copy_directory(&store).await?;
    if begun.chosen.is_none() {
        begun.chosen = Some(Chosen::after(&contact, options.now));
        begun.keep(&paths.data)?;
    }
    let chosen = begun.chosen.ok_or_else(|| RestoreFault::Damaged(paths.data.join(BEGUN_FILE)))?;
    let identity = work.publish(chosen).await?;
    work.replay(&store).await?;
    let balance = work.balance().await?;
    let told = work.bulletin().await?;
    let owner = Owner {
        key: keys.owner().key(),
        name: contact.certificate.unverified().name.as_str().to_owned(),
        account: letter.account,
        currency: terms.currency.clone(),
    };
    let wallet = work.fence(&store, owner.clone(), &balance, told)?;
    let mut restored = work.summary(&store, &wallet, chosen.generation, &balance)?;
    drop(store);
    if !begun.aside {
        set_aside(&paths.data, chosen.generation)?;
        begun.aside = true;
        begun.keep(&paths.data)?;
    }
    let kept = folder_aside(&paths.data, chosen.generation);
    restored.kept = kept.exists().then_some(kept);
    let new = NewProfile {
        bank_node: letter.node,
        bank_addresses: letter.addresses.iter().map(|text| text.as_str().to_owned()).collect(),
        bank_name: terms.name.clone(),
        bank_keys: terms.keys.clone(),
        owner,
        joined: options.now,
        seed: keys.seed().clone(),
        sealed: begun.sealed.clone(),
        introduction: Introduction { certificate: contact.certificate, identity },
        opening: balance,
        generation: chosen.generation,
    };
    move_file(&paths.data.join(NEW_STORE), &paths.data.join(STORE_FILE))?;
    Profile::create(paths, new)?;
    remove(&paths.data.join(BEGUN_FILE))?;
    Ok(restored)
}

/// A restore under way.
struct Work<'w, B> {
    bank: &'w B,
    paths: &'w Paths,
    keys: &'w OpenKeys,
    letter: &'w ActivationLetter,
    terms: &'w Terms,
    now: Timestamp,
}

impl<B: AskBank> Work<'_, B> {
    fn owner(&self) -> Key {
        self.keys.owner().key()
    }

    /// The new wallet's file: with what an earlier try has brought already.
    fn open(&self) -> Result<RedbStore, RestoreFault> {
        open_or_begin(&self.paths.data.join(NEW_STORE))
    }

    /// Everybody's papers; our own say which generation is the newest.
    async fn copy_directory(&self, store: &RedbStore) -> Result<Contact, RestoreFault> {
        for page in 0.. {
            // The engine copies the rest. But our own newest record may be in it, and with it our generation.
            if page == DIRECTORY_PAGES_MAX {
                return Err(not_the_bank("its directory has no end"));
            }
            let (since, _) = store.directory_head()?;
            let page = match self.bank.ask(BankAsk::Directory(since)).await? {
                BankAnswer::Directory(page) => page,
                other => return Err(no_answer(other)),
            };
            let mut keys = self.terms.keys.clone();
            for certificate in &page.keys {
                keys.learn(certificate.clone()).map_err(|flaw| not_the_bank(&flaw.to_string()))?;
            }
            if !store.take_directory(*page, &keys)? {
                break;
            }
        }
        store.contact(&self.owner())?.ok_or(RestoreFault::NoAccount)
    }

    /// From here on the older workstation is fenced: at the bank, at the vault, and soon at everybody's.
    async fn publish(&self, chosen: Chosen) -> Result<Signed<Identity>, RestoreFault> {
        let seed = self.keys.seed();
        let identity = self.keys.owner().sign(Identity {
            bank: self.terms.keys.bank(),
            owner: self.owner(),
            view: seed.view(chosen.generation).key(),
            node: Signer::from_secret(&seed.node(chosen.generation)).key(),
            generation: chosen.generation,
            sequence: chosen.sequence,
            expires: chosen.at.plus_seconds((IDENTITY_DAYS_MAX - 1) * DAY_SECONDS),
        });
        match self.bank.ask(BankAsk::Publish(identity.clone())).await? {
            BankAnswer::Published => Ok(identity),
            BankAnswer::Error(code) => match why_not_published(code) {
                Some(why) => {
                    remove(&self.paths.data.join(BEGUN_FILE))?;
                    remove(&self.paths.data.join(NEW_STORE))?;
                    Err(why)
                }
                None => Err(no_answer(BankAnswer::Error(code))),
            },
            other => Err(no_answer(other)),
        }
    }

    /// The vault's records, one after the other, to the end that the bank tells.
    async fn replay(&self, store: &RedbStore) -> Result<(), RestoreFault> {
        let vault = self.keys.seed().vault();
        if store.is_fenced()? {
            return Ok(());
        }
        loop {
            let head = store.vault_head()?;
            let asked = BankAsk::VaultRead(self.query(), head.records);
            let (records, told) = match self.bank.ask(asked).await? {
                BankAnswer::VaultRecords(records, told) => (records, told),
                other => return Err(no_answer(other)),
            };
            let replayed = match store.replay(&vault, self.letter.account, head, &records) {
                Ok(replayed) => replayed,
                Err(ReplayFlaw::Store(fault)) => return Err(fault.into()),
                Err(flaw) => return Err(self.start_over(&flaw.to_string())?),
            };
            if replayed == told {
                return Ok(());
            }
            if records.is_empty() || replayed.records >= told.records {
                return Err(self.start_over("its records do not lead to the head that it tells")?);
            }
        }
    }

    /// What was brought from a vault that is not right is not kept: the next try begins with nothing.
    fn start_over(&self, why: &str) -> Result<RestoreFault, RestoreFault> {
        remove(&self.paths.data.join(NEW_STORE))?;
        Ok(RestoreFault::Vault(why.to_owned()))
    }

    fn query(&self) -> Signed<AccountQuery> {
        self.keys.owner().sign(AccountQuery {
            bank: self.terms.keys.bank(),
            request: RequestId(chance_bytes()),
            owner: self.owner(),
            created: self.now,
        })
    }

    /// What the account holds now.
    async fn balance(&self) -> Result<Signed<Letter>, RestoreFault> {
        let query = self.query();
        let letter = match self.bank.ask(BankAsk::Balance(query.clone())).await? {
            BankAnswer::Balance(letter) => letter,
            other => return Err(no_answer(other)),
        };
        let body = letter.unverified();
        let ours = body.owner == self.owner()
            && body.kind == LetterKind::Balance
            && body.request == protocol::body::Body::digest(query.unverified());
        if ours { Ok(letter) } else { Err(not_the_bank("a statement for something else")) }
    }

    /// The newest bulletin, and which keys are revoked: the first payer may come before the bank is in reach again.
    async fn bulletin(&self) -> Result<BulletinPage, RestoreFault> {
        // To who knows a higher number than there is the bank tells the newest alone.
        match self.bank.ask(BankAsk::Bulletins(u64::MAX)).await? {
            BankAnswer::Bulletins(page) => Ok(*page),
            other => Err(no_answer(other)),
        }
    }

    /// The fence around everything that was had, tickets for the first payers, the balance, and what the bank has told
    /// everybody: one commit.
    fn fence(
        &self,
        store: &RedbStore,
        owner: Owner,
        balance: &Signed<Letter>,
        news: BulletinPage,
    ) -> Result<Wallet, RestoreFault> {
        let policy = Policy::of(&owner.currency);
        let mut wallet = store.load(owner, self.terms.keys.clone(), policy)?;
        if wallet.fence().is_some() {
            return Ok(wallet);
        }
        let origin = crate::wallet::vault::Origin { account: self.letter.account, joined: self.now };
        store.begin_vault(self.keys.seed().vault().key(), &origin)?;
        let hints: Vec<Hint> = (0..FIRST_TICKETS).map(|_| Hint(chance_bytes())).collect();
        let mut batch = Batch::default();
        let told = wallet.balance_told(balance.clone(), self.now);
        let told = told.map_err(|flaw| not_the_bank(&flaw.to_string()))?;
        let _ = batch.take(&mut wallet, told);
        let learned = wallet.learn_keys(news.keys, self.now);
        let _ = batch.take(&mut wallet, learned);
        let obeyed = wallet.obey(news.revoked, self.now);
        let _ = batch.take(&mut wallet, obeyed);
        for bulletin in news.bulletins {
            let heard = wallet.hear(bulletin, Heard::Bank, self.now);
            let _ = batch.take(&mut wallet, heard);
        }
        let restored = wallet.restored(self.now);
        let _ = batch.take(&mut wallet, restored);
        let tickets = wallet.fill_tickets(self.keys, &hints, self.now);
        let _ = batch.take(&mut wallet, tickets);
        batch.commit(store)?;
        Ok(wallet)
    }

    fn summary(
        &self,
        store: &RedbStore,
        wallet: &Wallet,
        generation: u32,
        balance: &Signed<Letter>,
    ) -> Result<Restored, RestoreFault> {
        let newest = store.history(Page { before: None, limit: 1 })?;
        let open: Vec<_> = wallet.open_payments().filter(|p| p.holds_money()).map(|p| p.amount).collect();
        let sum = Units::sum(open.iter().copied()).unwrap_or_default();
        let VaultHead { records, .. } = store.vault_sent()?;
        Ok(Restored {
            code: PublicCode::of(self.owner()),
            name: wallet.owner().name.clone(),
            bank: self.terms.name.clone(),
            account: self.letter.account,
            currency: self.terms.currency.clone(),
            generation,
            balance: balance.unverified().balance,
            reserve: wallet.fenced(),
            records,
            newest: newest.first().map(|entry| entry.at),
            payments: (open.len(), sum),
            requests: wallet.open_bank_ops().count(),
            kept: None,
        })
    }
}

/// A file that was killed while it was being made is none: everything in it comes from the bank once more.
fn open_or_begin(file: &Path) -> Result<RedbStore, RestoreFault> {
    match RedbStore::open(file) {
        Ok(store) => Ok(store),
        Err(_) => {
            remove(file)?;
            Ok(RedbStore::open(file)?)
        }
    }
}

/// Why a record that was chosen will never be published: another has to be chosen.
fn why_not_published(code: ErrorCode) -> Option<RestoreFault> {
    match code {
        ErrorCode::OlderGeneration | ErrorCode::IdReused => Some(RestoreFault::Overtaken),
        ErrorCode::Expired => Some(RestoreFault::Clock),
        _ => None,
    }
}

/// Moves the files of the older generation out of the way, the account's last: until then they are the profile.
fn set_aside(folder: &Path, generation: u32) -> Result<(), RestoreFault> {
    let aside = folder_aside(folder, generation);
    for file in OLD_FILES {
        let from = folder.join(file);
        if !from.exists() {
            continue;
        }
        protocol::node::host::paths::private_folder(&aside)?;
        move_file(&from, &aside.join(file))?;
    }
    Ok(())
}

fn folder_aside(folder: &Path, generation: u32) -> PathBuf {
    folder.join(format!("before-generation-{generation}"))
}

fn move_file(from: &Path, to: &Path) -> Result<(), RestoreFault> {
    std::fs::rename(from, to).map_err(|source| RestoreFault::Disk { path: from.to_owned(), source })?;
    let folder = to.parent().unwrap_or(to);
    let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| RestoreFault::Disk { path: folder.to_owned(), source })
}

fn remove(path: &Path) -> Result<(), RestoreFault> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(RestoreFault::Disk { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// X6: killed in the first moment of the new wallet's file, a restore begins that file anew.
    #[test]
    fn a_file_that_was_never_finished_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(NEW_STORE);
        std::fs::write(&file, vec![0; 8192]).unwrap();
        assert!(RedbStore::open(&file).is_err(), "it is no wallet");
        assert_eq!(open_or_begin(&file).unwrap().commits().unwrap(), 0);
        assert!(RedbStore::open(&file).is_ok());
    }

    /// X6: a wrong clock is not told as somebody else's restore; a bank that is busy ends nothing.
    #[test]
    fn a_wrong_clock_is_no_other_machine() {
        assert!(matches!(why_not_published(ErrorCode::Expired), Some(RestoreFault::Clock)));
        assert!(matches!(why_not_published(ErrorCode::OlderGeneration), Some(RestoreFault::Overtaken)));
        assert!(matches!(why_not_published(ErrorCode::IdReused), Some(RestoreFault::Overtaken)));
        assert!(why_not_published(ErrorCode::Busy).is_none());
        assert!(RestoreFault::Clock.to_string().contains("clock"));
    }
}
