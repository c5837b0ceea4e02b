//! Joining: from the letter on paper to a workstation with keys, certificate and opening letter (SPEC §4.3).
//!
//! ```text
//! letter, private code ─▶ terms ─▶ seed ─▶ `joining` on disk ─▶ activate ─▶ check the papers ─▶ profile on disk
//! ```
//! The seed is on disk, under the private code, before the bank hears of its keys. After a crash or a lost
//! answer the same command with the same code sends the same bytes again, and the bank gives the same answer.

use crate::profile::{FIRST_GENERATION, NewProfile, Profile, ProfileFault, RESTORING_FILE};
use crate::store::{RedbStore, STORE_FILE, Store as _};
use crate::wallet::Owner;
use crate::wallet::change::Change;
use crate::wallet::vault::Origin;
use protocol::bank::{
    Activation, ActivationLetter, Certificate, IDENTITY_DAYS_MAX, Identity, Introduction, Letter, LetterKind,
    NAME_MAX, Standing,
};
use protocol::body::{Body, Text};
use protocol::code::PublicCode;
use protocol::id::{Digest, Hint, RequestId};
use protocol::key::bank::{BankKeys, Usage};
use protocol::key::lock::{GuessCost, LockFlaw, SealedSeed};
use protocol::key::{BadPhrase, KeyTicket, Seed};
use protocol::money::{Currency, Units};
use protocol::node::chance::{chance, chance_bytes};
use protocol::node::host::lock::{InstanceLock, LockError};
use protocol::node::host::paths::{Paths, PathsError};
use protocol::node::host::private_file::{self, PrivateFileError};
use protocol::node::net::{AskError, Multiaddr, Protocol, ask_once, peer_of};
use protocol::sign::Signed;
use protocol::time::{DAY_SECONDS, Timestamp};
use protocol::wire::{self, BankAnswer, BankAsk, BankTerms, ErrorCode};
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What may be chosen when joining.
#[derive(Debug)]
pub struct JoinOptions {
    /// The time.
    pub now: Timestamp,
    /// A recovery phrase to grow the keys from; a new one is made when none is given.
    pub phrase: Option<Zeroizing<String>>,
    /// How dear one guess of the private code is made.
    pub cost: GuessCost,
}

/// A workstation that has joined.
#[derive(Debug)]
pub struct Joined {
    /// The 24 words that bring every key back. Shown once, kept nowhere.
    pub phrase: Zeroizing<String>,
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
    /// The account's balance as the opening letter tells.
    pub balance: Units,
}

/// Why joining came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum JoinFault {
    /// The wallet's file could not be made.
    #[error("the wallet's file can't be written: {0}")]
    Store(String),
    /// Somebody has joined here.
    #[error(
        "this workstation has joined already; a second account needs a folder of its own: --instance NAME or --home DIR"
    )]
    Already,
    /// A restore was begun in the folder.
    #[error(
        "a restore was begun here and is not finished: run «stermina restore», it goes on where it stopped; or join in a \
         folder of its own: --instance NAME or --home DIR"
    )]
    Restoring,
    /// Another join was begun here and has no end yet.
    #[error(
        "a join with another letter was begun here and not finished: finish it with that letter, or, if that letter \
         is of no use any more, remove {} and try again", file.display()
    )]
    OtherLetter {
        /// What remembers it.
        file: PathBuf,
    },
    /// A join was begun here under another private code or phrase.
    #[error(
        "a join with this letter was begun here with another {what}: use the same one; if it is forgotten and \
         the bank says that the letter is still unused, remove {} and try again", file.display()
    )]
    OtherSecret {
        /// Private code or recovery phrase.
        what: &'static str,
        /// What remembers it.
        file: PathBuf,
    },
    /// What remembers a begun join can't be read.
    #[error("{} is damaged: remove it and try again", .0.display())]
    Damaged(PathBuf),
    /// The phrase is none.
    #[error(transparent)]
    Phrase(#[from] BadPhrase),
    /// The private code is too short or too long.
    #[error(transparent)]
    Code(LockFlaw),
    /// The letter names no usable address or key.
    #[error("the activation letter is of no use ({0}): ask the bank for a new one")]
    Letter(&'static str),
    /// The bank was not reached; nothing happened.
    #[error("the bank can't be reached at {addresses} ({error}); nothing has happened yet: try again later")]
    Unreachable {
        /// Where it was looked for.
        addresses: String,
        /// What went wrong.
        error: AskError,
    },
    /// The bank was asked and its answer did not come.
    #[error("the bank's answer did not come ({0}): run the same command again with the same private code")]
    NoAnswer(AskError),
    /// The bank said no.
    #[error("{}", bank_words(*.0))]
    Bank(ErrorCode),
    /// Who answered is not the bank of the letter, or breaks its own rules.
    #[error("what answered is not the bank of this letter, or is at fault ({0}): show this to the bank")]
    NotTheBank(String),
    /// Another program works in the folder.
    #[error(transparent)]
    Busy(#[from] LockError),
    /// The folder can't be used.
    #[error(transparent)]
    Folder(#[from] PathsError),
    /// The profile can't be read or written.
    #[error(transparent)]
    Profile(#[from] ProfileFault),
    /// A file can't be read.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// A file can't be written.
    #[error("{}: {source}", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What a person can do about it.
fn bank_words(code: ErrorCode) -> String {
    match code {
        ErrorCode::NotFound => {
            "the bank does not know this activation code: it is mistyped, was used before, or a newer letter has \
             replaced it; ask the bank for a new letter"
                .to_owned()
        }
        ErrorCode::NotAllowed => {
            "the bank does not open this account for these keys: they hold another account already; join without \
             --phrase-stdin to make new ones"
                .to_owned()
        }
        ErrorCode::Expired => {
            "the bank finds the date wrong: check this machine's clock, then try again".to_owned()
        }
        ErrorCode::Busy | ErrorCode::Unavailable => {
            format!("the bank is there and can't answer just now ({}): run the same command again", code.word())
        }
        ErrorCode::Suspended => "the bank has suspended this account: ask the bank".to_owned(),
        other => format!("the bank refused: {}", other.text()),
    }
}

/// Somebody who answers for the bank: the network, or a bank in a test.
pub trait AskBank {
    /// Asks once.
    fn ask(&self, question: BankAsk) -> impl Future<Output = Result<BankAnswer, JoinFault>> + Send;
}

/// Joins the account that the letter names; the workstation's private code will be `code`.
pub async fn join(
    paths: &Paths,
    letter: ActivationLetter,
    code: &str,
    options: JoinOptions,
) -> Result<Joined, JoinFault> {
    let bank = Remote::of(&letter)?;
    join_at(&bank, paths, letter, code, options).await
}

/// The same at whatever answers for the bank.
pub async fn join_at(
    bank: &impl AskBank,
    paths: &Paths,
    letter: ActivationLetter,
    code: &str,
    options: JoinOptions,
) -> Result<Joined, JoinFault> {
    paths.prepare()?;
    let is_restoring = paths.data.join(RESTORING_FILE).exists();
    if Profile::exists(paths) && !Begun::file(&paths.data).exists() && !is_restoring {
        return Err(JoinFault::Already);
    }
    // Held to the end: two joins at once would make two seeds for one letter.
    let _lock = InstanceLock::take(&paths.data)?;
    if paths.data.join(RESTORING_FILE).exists() {
        return Err(JoinFault::Restoring);
    }
    if Profile::exists(paths) {
        return joined_before(paths, &letter, code, &options);
    }
    let (begun, seed) = Begun::take_up(&paths.data, &letter, code, &options)?;
    let terms = Terms::ask(bank, &letter, options.now).await?;
    begun.keep(&paths.data)?;
    let question = Question::of(&letter, &begun, &seed, &terms);
    let answer = bank.ask(question.ask()).await?;
    if let BankAnswer::Error(ErrorCode::NotFound | ErrorCode::NotAllowed) = &answer {
        // The account is not and will not be ours with this letter: a new one must not be in its way.
        Begun::forget(&paths.data);
    }
    let papers = question.check(answer, &terms)?;
    finish(paths, letter, terms, papers, (begun, seed))
}

/// The recovery phrase has been shown: from now on the folder has joined, and a second join is refused.
pub fn phrase_was_shown(paths: &Paths) {
    Begun::forget(&paths.data);
}

/// A join that was killed between its last write and the recovery phrase on the screen: it is shown now.
fn joined_before(
    paths: &Paths,
    letter: &ActivationLetter,
    code: &str,
    options: &JoinOptions,
) -> Result<Joined, JoinFault> {
    if !Begun::file(&paths.data).exists() {
        return Err(JoinFault::Already);
    }
    let (_, seed) = Begun::take_up(&paths.data, letter, code, options)?;
    let profile = Profile::load(paths)?;
    let owner = profile.owner();
    if seed.owner().key() != owner.key {
        return Err(JoinFault::Already);
    }
    Ok(Joined {
        phrase: seed.phrase(),
        code: PublicCode::of(owner.key),
        name: owner.name,
        bank: profile.bank_name().to_owned(),
        account: owner.account,
        currency: owner.currency,
        balance: profile.opening().unverified().balance,
    })
}

/// What was begun with a letter, kept until the profile is complete.
#[derive(Serialize, Deserialize)]
struct Begun {
    version: u8,
    letter: Digest,
    request: RequestId,
    at: Timestamp,
    sealed: SealedSeed,
}

const BEGUN_MAX: u64 = 4096;
/// Tickets that are made at once, before the first unlock makes more.
const FIRST_TICKETS: u64 = 64;

impl Begun {
    fn file(folder: &Path) -> PathBuf {
        folder.join("joining")
    }

    /// What was begun before with this letter and code, else a beginning.
    fn take_up(
        folder: &Path,
        letter: &ActivationLetter,
        code: &str,
        options: &JoinOptions,
    ) -> Result<(Begun, Seed), JoinFault> {
        let file = Begun::file(folder);
        let phrase = options.phrase.as_deref().map(|words| Seed::from_phrase(words)).transpose()?;
        match private_file::read(&file, BEGUN_MAX) {
            Ok(bytes) => Begun::again(&file, &bytes, letter, code, phrase),
            Err(PrivateFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let seed = phrase.unwrap_or_else(|| Seed::generate(&mut chance()));
                let sealed =
                    SealedSeed::close(&seed, code, options.cost, &mut chance()).map_err(JoinFault::Code)?;
                let begun = Begun {
                    version: 1,
                    letter: letter.digest(),
                    request: RequestId(chance_bytes()),
                    at: options.now,
                    sealed,
                };
                Ok((begun, seed))
            }
            Err(fault) => Err(fault.into()),
        }
    }

    fn keep(&self, folder: &Path) -> Result<(), JoinFault> {
        let path = Begun::file(folder);
        let bytes = rmp_serde::to_vec(self).expect("numbers and bytes");
        private_file::write(&path, &bytes).map_err(|source| JoinFault::Disk { path, source })
    }

    /// Where this fails, a file of no use stays behind; the next join says so.
    fn forget(folder: &Path) {
        let _ = std::fs::remove_file(Begun::file(folder));
    }

    fn again(
        file: &Path,
        bytes: &[u8],
        letter: &ActivationLetter,
        code: &str,
        phrase: Option<Seed>,
    ) -> Result<(Begun, Seed), JoinFault> {
        let damaged = || JoinFault::Damaged(file.to_owned());
        let begun: Begun = rmp_serde::from_slice(bytes).map_err(|_| damaged())?;
        if begun.version != 1 {
            return Err(damaged());
        }
        if begun.letter != letter.digest() {
            return Err(JoinFault::OtherLetter { file: file.to_owned() });
        }
        let other = |what| JoinFault::OtherSecret { what, file: file.to_owned() };
        let seed = begun.sealed.open(code).map_err(|flaw| match flaw {
            LockFlaw::Damaged => damaged(),
            LockFlaw::WrongCode | LockFlaw::BadCode => other("private code"),
        })?;
        if phrase.is_some_and(|phrase| phrase.as_bytes() != seed.as_bytes()) {
            return Err(other("recovery phrase"));
        }
        Ok((begun, seed))
    }
}

/// The bank's word about itself, under the master key of the letter.
pub(crate) struct Terms {
    pub(crate) keys: BankKeys,
    pub(crate) name: String,
    pub(crate) currency: Currency,
}

impl Terms {
    pub(crate) async fn ask(
        bank: &impl AskBank,
        letter: &ActivationLetter,
        now: Timestamp,
    ) -> Result<Terms, JoinFault> {
        match bank.ask(BankAsk::Terms).await? {
            BankAnswer::Terms(terms) => Terms::check(terms, letter, now),
            BankAnswer::Error(code) => Err(JoinFault::Bank(code)),
            _ => Err(not_the_bank("another answer than its terms")),
        }
    }

    fn check(terms: BankTerms, letter: &ActivationLetter, now: Timestamp) -> Result<Terms, JoinFault> {
        let mut keys = BankKeys::pinned(letter.master);
        for certificate in terms.keys {
            keys.learn(certificate).map_err(|flaw| not_the_bank(&flaw.to_string()))?;
        }
        if keys.working(Usage::Attest, now.day()).next().is_none() {
            return Err(not_the_bank(
                "no key of the bank may sign letters today; is this machine's clock right?",
            ));
        }
        let currency = Currency::new(terms.currency.code(), terms.currency.digits())
            .map_err(|flaw| not_the_bank(&flaw.to_string()))?;
        let name = Text::new(&terms.name, NAME_MAX).map_err(|flaw| not_the_bank(&flaw.to_string()))?;
        Ok(Terms { keys, name: name.as_str().to_owned(), currency })
    }
}

fn not_the_bank(why: &str) -> JoinFault {
    JoinFault::NotTheBank(why.to_owned())
}

/// What the bank is asked. The same bytes whenever it is asked again.
struct Question {
    activation: Signed<Activation>,
    identity: Signed<Identity>,
}

/// What the bank hands out, checked.
struct Papers {
    identity: Signed<Identity>,
    certificate: Signed<Certificate>,
    opening: Signed<Letter>,
}

/// A day less than the longest life, for a bank whose clock is behind.
const IDENTITY_SECONDS: u64 = (IDENTITY_DAYS_MAX - 1) * DAY_SECONDS;

impl Question {
    fn of(letter: &ActivationLetter, begun: &Begun, seed: &Seed, terms: &Terms) -> Question {
        let signer = seed.owner();
        let activation = signer.sign(Activation {
            bank: terms.keys.bank(),
            request: begun.request,
            account: letter.account,
            owner: signer.key(),
            code: letter.code,
        });
        let identity = signer.sign(Identity {
            bank: terms.keys.bank(),
            owner: signer.key(),
            view: seed.view(FIRST_GENERATION).key(),
            node: protocol::sign::Signer::from_secret(&seed.node(FIRST_GENERATION)).key(),
            generation: FIRST_GENERATION,
            sequence: begun.at.0,
            expires: begun.at.plus_seconds(IDENTITY_SECONDS),
        });
        Question { activation, identity }
    }

    fn ask(&self) -> BankAsk {
        BankAsk::Activate(self.activation.clone(), self.identity.clone())
    }

    fn check(self, answer: BankAnswer, terms: &Terms) -> Result<Papers, JoinFault> {
        let (certificate, opening) = match answer {
            BankAnswer::Activated(certificate, opening) => (certificate, opening),
            BankAnswer::Error(code) => return Err(JoinFault::Bank(code)),
            _ => return Err(not_the_bank("another answer than was asked for")),
        };
        let (bank, owner) = (terms.keys.bank(), self.activation.unverified().owner);
        let unproved = |flaw: protocol::sign::BadSignature| not_the_bank(&flaw.to_string());
        let issued = certificate.unverified().issued.day();
        let certificate = terms.keys.verify(Usage::Attest, issued, certificate).map_err(unproved)?;
        if certificate.bank != bank || certificate.owner != owner {
            return Err(not_the_bank("a certificate for somebody else"));
        }
        if certificate.standing == Standing::Suspended {
            return Err(JoinFault::Bank(ErrorCode::Suspended));
        }
        let at = opening.unverified().at.day();
        let opening = terms.keys.verify(Usage::Attest, at, opening).map_err(unproved)?;
        let answers = opening.request == self.activation.digest() && opening.kind == LetterKind::Opening;
        if opening.bank != bank || opening.owner != owner || !answers {
            return Err(not_the_bank("an opening letter for something else"));
        }
        Ok(Papers {
            identity: self.identity,
            certificate: certificate.signed().clone(),
            opening: opening.signed().clone(),
        })
    }
}

fn finish(
    paths: &Paths,
    letter: ActivationLetter,
    terms: Terms,
    papers: Papers,
    (begun, seed): (Begun, Seed),
) -> Result<Joined, JoinFault> {
    let name = papers.certificate.unverified().name.as_str().to_owned();
    let owner = seed.owner().key();
    let joined = Joined {
        phrase: seed.phrase(),
        code: PublicCode::of(owner),
        name: name.clone(),
        bank: terms.name.clone(),
        account: letter.account,
        currency: terms.currency.clone(),
        balance: papers.opening.unverified().balance,
    };
    let new = NewProfile {
        bank_node: letter.node,
        bank_addresses: letter.addresses.iter().map(|text| text.as_str().to_owned()).collect(),
        bank_name: terms.name,
        bank_keys: terms.keys,
        owner: Owner { key: owner, name, account: letter.account, currency: terms.currency },
        joined: begun.at,
        seed,
        sealed: begun.sealed,
        introduction: Introduction { certificate: papers.certificate, identity: papers.identity },
        opening: papers.opening,
        generation: FIRST_GENERATION,
    };
    first_tickets(paths, &new)?;
    Profile::create(paths, new)?;
    Ok(joined)
}

/// Tickets for the first payers, so that a workstation takes money from its first start, locked as it is (N3).
fn first_tickets(paths: &Paths, new: &NewProfile) -> Result<(), JoinFault> {
    let owner = new.seed.owner();
    let ticket = |number: u64| {
        let hint = Hint(chance_bytes());
        let ticket = KeyTicket { owner: owner.key(), key: new.seed.note(&hint).key(), hint };
        Change::Ticket(number, owner.sign(ticket))
    };
    let changes: Vec<Change> = (1..=FIRST_TICKETS).map(ticket).collect();
    let store =
        RedbStore::open(&paths.data.join(STORE_FILE)).map_err(|fault| JoinFault::Store(fault.to_string()))?;
    let origin = Origin { account: new.owner.account, joined: new.joined };
    let begun = store.begin_vault(new.seed.vault().key(), &origin);
    begun.map_err(|fault| JoinFault::Store(fault.to_string()))?;
    store.commit(&changes).map_err(|fault| JoinFault::Store(fault.to_string()))
}

/// The bank-node on the network, asked under a name that exists for this question only.
#[derive(Debug)]
pub(crate) struct Remote {
    addresses: Vec<Multiaddr>,
}

impl Remote {
    pub(crate) fn of(letter: &ActivationLetter) -> Result<Remote, JoinFault> {
        let peer = peer_of(&letter.node.0).map_err(|_| JoinFault::Letter("its node key is no key"))?;
        let full = |text: &Text| format!("{}/p2p/{peer}", text.as_str()).parse().ok();
        let addresses: Vec<Multiaddr> = letter.addresses.iter().filter_map(full).collect();
        if addresses.is_empty() {
            return Err(JoinFault::Letter("it says no address of the bank"));
        }
        Ok(Remote { addresses })
    }

    fn places(&self) -> String {
        let texts: Vec<String> = self.addresses.iter().map(Multiaddr::to_string).collect();
        texts.join(", ")
    }
}

impl AskBank for Remote {
    async fn ask(&self, question: BankAsk) -> Result<BankAnswer, JoinFault> {
        let bytes = Box::pin(ask_once(&self.addresses, Protocol::Bank, wire::encode(&question))).await;
        match bytes {
            Ok(bytes) => wire::decode(&bytes).map_err(|flaw| not_the_bank(&flaw.to_string())),
            Err(error) if error.is_certainly_unsent() => {
                Err(JoinFault::Unreachable { addresses: self.places(), error })
            }
            Err(error) => Err(JoinFault::NoAnswer(error)),
        }
    }
}

#[cfg(test)]
mod tests;
