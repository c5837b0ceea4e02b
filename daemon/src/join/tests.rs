//! Joins at a bank that lives in the test: no network, every way to break off in the middle.

use super::*;
use protocol::bank::CertificateKind;
use protocol::key::bank::{KeyCertificate, bank_id};
use protocol::sign::Signer;
use protocol::time::Day;
use std::sync::{Mutex, MutexGuard};

const NOW: Timestamp = Timestamp(1_795_305_600);
const CODE: &str = "correct horse";

/// What the bank in the test does to the next activation.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Honest,
    LosesTheAnswer,
    Says(ErrorCode),
    SignsWithAnotherKey,
    AnswersAnotherRequest,
}

struct Bank {
    master: Signer,
    attest: Signer,
    mood: Mutex<Mood>,
    seen: Mutex<Vec<Vec<u8>>>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

impl Bank {
    fn new() -> Bank {
        Bank {
            master: Signer::from_secret(&[1; 32]),
            attest: Signer::from_secret(&[2; 32]),
            mood: Mutex::new(Mood::Honest),
            seen: Mutex::new(Vec::new()),
        }
    }

    fn letter(&self, account: u64) -> ActivationLetter {
        ActivationLetter {
            master: self.master.key(),
            node: Signer::from_secret(&[3; 32]).key(),
            account,
            code: [7; 16],
            addresses: vec![Text::new("/ip4/127.0.0.1/tcp/4001", 128).unwrap()],
        }
    }

    fn terms(&self) -> BankTerms {
        let key = self.master.sign(KeyCertificate {
            bank: bank_id(&self.master.key()),
            usage: Usage::Attest,
            epoch: 0,
            key: self.attest.key(),
            from_day: Day(0),
            until_day: Day(40_000),
        });
        BankTerms { name: "First Bank".into(), currency: Currency::new("EUR", 2).unwrap(), keys: vec![key] }
    }

    fn activate(&self, activation: &Signed<Activation>, mood: Mood) -> BankAnswer {
        let asked = activation.unverified();
        let signer = if mood == Mood::SignsWithAnotherKey { &self.master } else { &self.attest };
        let certificate = signer.sign(Certificate {
            bank: asked.bank,
            sequence: 1,
            owner: asked.owner,
            kind: CertificateKind::Resident,
            standing: Standing::Active,
            offline_limit: Units::ZERO,
            issued: NOW,
            expires: NOW.plus_seconds(1_000_000),
            name: Text::new("Ann Example", NAME_MAX).unwrap(),
        });
        let opening = signer.sign(Letter {
            bank: asked.bank,
            number: 4,
            kind: LetterKind::Opening,
            owner: asked.owner,
            request: if mood == Mood::AnswersAnotherRequest { Digest([9; 32]) } else { activation.digest() },
            units: Units::new(500).unwrap(),
            balance: Units::new(500).unwrap(),
            at: NOW,
        });
        BankAnswer::Activated(certificate, opening)
    }
}

impl AskBank for Bank {
    async fn ask(&self, question: BankAsk) -> Result<BankAnswer, JoinFault> {
        let BankAsk::Activate(activation, identity) = &question else {
            return Ok(BankAnswer::Terms(self.terms()));
        };
        assert!(identity.check_by(&activation.unverified().owner).is_ok());
        held(&self.seen).push(wire::encode(&question));
        match std::mem::replace(&mut *held(&self.mood), Mood::Honest) {
            Mood::LosesTheAnswer => Err(JoinFault::NoAnswer(AskError::TimedOut)),
            Mood::Says(code) => Ok(BankAnswer::Error(code)),
            mood => Ok(self.activate(activation, mood)),
        }
    }
}

struct Home {
    _folder: tempfile::TempDir,
    paths: Paths,
    bank: Bank,
}

impl Home {
    fn new() -> Home {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::beneath(&folder.path().join("home"));
        Home { _folder: folder, paths, bank: Bank::new() }
    }

    fn begun(&self) -> PathBuf {
        Begun::file(&self.paths.data)
    }

    async fn join(&self, code: &str) -> Result<Joined, JoinFault> {
        self.join_with(self.bank.letter(12), code, None).await
    }

    async fn join_with(
        &self,
        letter: ActivationLetter,
        code: &str,
        phrase: Option<&str>,
    ) -> Result<Joined, JoinFault> {
        let cost = GuessCost { memory_kib: 64, passes: 1 };
        let phrase = phrase.map(|words| Zeroizing::new(words.to_owned()));
        join_at(&self.bank, &self.paths, letter, code, JoinOptions { now: NOW, phrase, cost }).await
    }
}

/// N2: from the letter to a workstation that knows who it is.
#[tokio::test]
async fn a_join_leaves_a_profile_that_loads() {
    let home = Home::new();
    assert!(matches!(Profile::load(&home.paths), Err(ProfileFault::NotJoined { .. })));
    let joined = home.join(CODE).await.unwrap();
    assert_eq!((joined.name.as_str(), joined.account, joined.balance.get()), ("Ann Example", 12, 500));

    let profile = Profile::load(&home.paths).unwrap();
    let seed = Seed::from_phrase(&joined.phrase).unwrap();
    assert_eq!(profile.owner().key, joined.code.owner());
    assert_eq!(profile.owner().currency, Currency::new("EUR", 2).unwrap());
    assert_eq!(*profile.node_secret(), *seed.node(1));
    assert_eq!(profile.view_keys()[0].key(), seed.view(1).key());
    assert_eq!(profile.sealed_seed().open(CODE).unwrap().as_bytes(), seed.as_bytes());
    assert_eq!(profile.opening().unverified().number, 4);
    assert_eq!(profile.bank_addresses(), ["/ip4/127.0.0.1/tcp/4001"]);
    assert!(profile.introduction().verify(&profile.bank_keys(), NOW).is_ok());
    let again = home.join(CODE).await.unwrap();
    assert_eq!(
        *again.phrase, *joined.phrase,
        "killed before the phrase was on the screen: it is shown again"
    );
    phrase_was_shown(&home.paths);
    assert!(!home.begun().exists());
    assert!(matches!(home.join(CODE).await, Err(JoinFault::Already)));
}

/// The answer is lost, the process dies: the same command sends the same bytes and ends with the same keys.
#[tokio::test]
async fn a_join_that_broke_off_is_taken_up_with_the_same_bytes() {
    let home = Home::new();
    *held(&home.bank.mood) = Mood::LosesTheAnswer;
    assert!(matches!(home.join(CODE).await, Err(JoinFault::NoAnswer(_))));
    assert!(home.begun().exists() && !Profile::exists(&home.paths));
    home.join(CODE).await.unwrap();
    let seen = held(&home.bank.seen);
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0], seen[1]);
}

/// X6: where a restore was begun nobody joins, whether the old files are still there or aside already; the letter stays
/// unused.
#[tokio::test]
async fn nobody_joins_over_a_begun_restore() {
    let home = Home::new();
    let begun = home.paths.data.join(RESTORING_FILE);
    home.paths.prepare().unwrap();
    std::fs::write(&begun, b"begun").unwrap();
    assert!(matches!(home.join(CODE).await, Err(JoinFault::Restoring)));
    assert!(held(&home.bank.seen).is_empty(), "the bank has heard nothing");
    assert!(!home.begun().exists());
    std::fs::remove_file(&begun).unwrap();
    home.join(CODE).await.unwrap();
    phrase_was_shown(&home.paths);
    std::fs::write(&begun, b"begun").unwrap();
    assert!(matches!(home.join(CODE).await, Err(JoinFault::Restoring)));
}

#[tokio::test]
async fn a_begun_join_wants_the_same_letter_code_and_phrase() {
    let home = Home::new();
    *held(&home.bank.mood) = Mood::LosesTheAnswer;
    home.join(CODE).await.unwrap_err();
    let other = home.join("another code").await.unwrap_err();
    assert!(matches!(other, JoinFault::OtherSecret { what: "private code", .. }), "{other}");
    let letter = home.join_with(home.bank.letter(13), CODE, None).await.unwrap_err();
    assert!(matches!(letter, JoinFault::OtherLetter { .. }), "{letter}");
    let phrase = Seed::from_bytes([5; 32]).phrase();
    let other = home.join_with(home.bank.letter(12), CODE, Some(&phrase)).await.unwrap_err();
    assert!(matches!(other, JoinFault::OtherSecret { what: "recovery phrase", .. }), "{other}");
    assert_eq!(held(&home.bank.seen).len(), 1, "the bank was not asked again");
    private_file::write(&home.begun(), b"\xc1").unwrap();
    assert!(matches!(home.join(CODE).await, Err(JoinFault::Damaged(_))));
}

#[tokio::test]
async fn a_phrase_at_hand_brings_its_own_keys() {
    let home = Home::new();
    let seed = Seed::from_bytes([5; 32]);
    let joined = home.join_with(home.bank.letter(12), CODE, Some(&seed.phrase())).await.unwrap();
    assert_eq!(joined.code.owner(), seed.owner().key());
    let bad = Home::new().join_with(home.bank.letter(12), CODE, Some("abandon")).await.unwrap_err();
    assert!(matches!(bad, JoinFault::Phrase(BadPhrase::WordCount(1))));
}

/// A crash between any two files leaves «not joined», and the next try finishes.
#[tokio::test]
async fn a_crash_between_any_two_files_leaves_no_half_account() {
    for written in 1..=6 {
        let home = Home::new();
        *held(&home.bank.mood) = Mood::LosesTheAnswer;
        home.join(CODE).await.unwrap_err();
        let begun = std::fs::read(home.begun()).unwrap();
        let code = home.join(CODE).await.unwrap().code;
        private_file::write(&home.begun(), &begun).unwrap();
        let order = ["seed", "node.key", "certificate", "identity", "opening", "bank.keys", "account.toml"];
        for file in &order[written..] {
            std::fs::remove_file(home.paths.data.join(file)).unwrap();
        }
        assert!(matches!(Profile::load(&home.paths), Err(ProfileFault::NotJoined { .. })), "{written}");
        assert_eq!(home.join(CODE).await.unwrap().code, code, "the same keys");
        Profile::load(&home.paths).unwrap();
    }
}

#[tokio::test]
async fn a_damaged_profile_says_which_file_and_what_to_do() {
    let home = Home::new();
    home.join(CODE).await.unwrap();
    let folder = &home.paths.data;
    for file in ["seed", "node.key", "certificate", "identity", "opening", "bank.keys", "account.toml"] {
        let path = folder.join(file);
        let good = std::fs::read(&path).unwrap();
        private_file::write(&path, &good[..good.len() / 2]).unwrap();
        let fault = Profile::load(&home.paths).unwrap_err();
        assert!(matches!(&fault, ProfileFault::Damaged { path: at, .. } if *at == path), "{file}: {fault}");
        assert!(fault.to_string().contains("recovery phrase"), "{fault}");
        if file != "account.toml" {
            std::fs::remove_file(&path).unwrap();
            assert!(Profile::load(&home.paths).unwrap_err().to_string().contains("missing"));
        }
        private_file::write(&path, &good).unwrap();
        Profile::load(&home.paths).unwrap();
    }
    let account = folder.join("account.toml");
    let text = std::fs::read_to_string(&account).unwrap();
    private_file::write(&account, format!("colour = 1\n{text}").as_bytes()).unwrap();
    assert!(Profile::load(&home.paths).unwrap_err().to_string().contains("colour"));
}

/// Files from two accounts, put together, are found out.
#[tokio::test]
async fn files_of_two_lives_do_not_mix() {
    let (ann, bob) = (Home::new(), Home::new());
    ann.join(CODE).await.unwrap();
    bob.join(CODE).await.unwrap();
    for file in ["node.key", "certificate", "identity"] {
        let path = ann.paths.data.join(file);
        let good = std::fs::read(&path).unwrap();
        private_file::write(&path, &std::fs::read(bob.paths.data.join(file)).unwrap()).unwrap();
        assert!(matches!(Profile::load(&ann.paths), Err(ProfileFault::Damaged { .. })), "{file}");
        private_file::write(&path, &good).unwrap();
    }
}

#[tokio::test]
async fn what_the_bank_does_wrong_or_refuses_leaves_nothing_but_the_beginning() {
    for (mood, words, begun) in [
        (Mood::Says(ErrorCode::NotFound), "used before", false),
        (Mood::Says(ErrorCode::NotAllowed), "another account", false),
        (Mood::Says(ErrorCode::Busy), "same command", true),
        (Mood::SignsWithAnotherKey, "does not verify", true),
        (Mood::AnswersAnotherRequest, "something else", true),
    ] {
        let home = Home::new();
        *held(&home.bank.mood) = mood;
        let fault = home.join(CODE).await.unwrap_err().to_string();
        assert!(fault.contains(words), "{fault}");
        assert_eq!((home.begun().exists(), Profile::exists(&home.paths)), (begun, false), "{fault}");
        home.join(CODE).await.unwrap();
    }
}

#[tokio::test]
async fn a_letter_of_another_bank_or_a_short_code_ends_before_the_code_is_shown_to_anybody() {
    let home = Home::new();
    let stranger = ActivationLetter { master: Signer::from_secret(&[8; 32]).key(), ..home.bank.letter(12) };
    let fault = home.join_with(stranger, CODE, None).await.unwrap_err();
    assert!(matches!(fault, JoinFault::NotTheBank(_)), "{fault}");
    assert!(matches!(home.join("12345").await, Err(JoinFault::Code(LockFlaw::BadCode))));
    assert!(held(&home.bank.seen).is_empty());
    home.join(CODE).await.unwrap();
}

#[test]
fn a_letter_without_an_address_is_of_no_use() {
    let letter = ActivationLetter { addresses: Vec::new(), ..Bank::new().letter(12) };
    assert!(Remote::of(&letter).unwrap_err().to_string().contains("no address"));
    let remote = Remote::of(&Bank::new().letter(12)).unwrap();
    assert!(remote.places().starts_with("/ip4/127.0.0.1/tcp/4001/p2p/"));
}
