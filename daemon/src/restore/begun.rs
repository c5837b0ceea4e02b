//! What a restore keeps on disk until it is finished: the sealed seed, the bank, and which workstation it will be.

use super::{BEGUN_FILE, RestoreFault, RestoreOptions, Source};
use crate::keyring::{Keyring, UnlockRefusal};
use crate::profile::{FIRST_GENERATION, Profile};
use crate::store::Contact;
use crate::wallet::OpenKeys;
use protocol::bank::ActivationLetter;
use protocol::code::PublicCode;
use protocol::key::Seed;
use protocol::key::lock::SealedSeed;
use protocol::node::chance::chance;
use protocol::node::host::paths::Paths;
use protocol::node::host::private_file::{self, PrivateFileError};
use protocol::sign::Signed;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

const BEGUN_MAX: u64 = 4096;

/// What was begun, kept until the profile is complete.
#[derive(Serialize, Deserialize)]
pub(super) struct Begun {
    version: u8,
    pub(super) sealed: SealedSeed,
    #[serde(with = "serde_bytes")]
    letter: Vec<u8>,
    pub(super) chosen: Option<Chosen>,
    /// The old files are out of the way: what is there now is new.
    pub(super) aside: bool,
}

/// Which workstation it will be: chosen once, however often the restore is begun again.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Chosen {
    pub(super) generation: u32,
    pub(super) sequence: u64,
    pub(super) at: Timestamp,
}

impl Chosen {
    pub(super) fn after(contact: &Contact, now: Timestamp) -> Chosen {
        let newest = contact.identity.as_ref().map(Signed::unverified);
        let generation = newest.map_or(FIRST_GENERATION, |record| record.generation.saturating_add(1));
        let sequence = newest.map_or(now.0, |record| now.0.max(record.sequence.saturating_add(1)));
        Chosen { generation, sequence, at: now }
    }
}

impl Begun {
    pub(super) fn read(folder: &Path) -> Result<Option<Begun>, RestoreFault> {
        let file = folder.join(BEGUN_FILE);
        let bytes = match private_file::read(&file, BEGUN_MAX) {
            Ok(bytes) => bytes,
            Err(PrivateFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(fault) => return Err(fault.into()),
        };
        match rmp_serde::from_slice::<Begun>(&bytes) {
            Ok(begun) if begun.version == 1 => Ok(Some(begun)),
            _ => Err(RestoreFault::Damaged(file)),
        }
    }

    pub(super) fn keep(&self, folder: &Path) -> Result<(), RestoreFault> {
        let path = folder.join(BEGUN_FILE);
        let bytes = rmp_serde::to_vec(self).expect("numbers and bytes");
        private_file::write(&path, &bytes).map_err(|source| RestoreFault::Disk { path, source })
    }

    pub(super) fn letter(&self) -> Result<ActivationLetter, RestoreFault> {
        let letter = <ActivationLetter as protocol::body::Body>::from_bytes(&self.letter);
        letter.map_err(|_| RestoreFault::Damaged(PathBuf::from(BEGUN_FILE)))
    }

    /// What was begun before with this code, else a beginning that is not on disk yet.
    pub(super) fn take_up(
        paths: &Paths,
        source: Source,
        code: &str,
        options: &RestoreOptions,
    ) -> Result<(Begun, OpenKeys), RestoreFault> {
        if let Some(begun) = Begun::read(&paths.data)? {
            let other = |what| RestoreFault::OtherSecret { what, file: paths.data.join(BEGUN_FILE) };
            let seed = begun.sealed.open(code).map_err(|_| other("private code"))?;
            if let Source::Phrase { phrase, .. } = &source
                && Seed::from_phrase(phrase)?.as_bytes() != seed.as_bytes()
            {
                return Err(other("recovery phrase"));
            }
            let keys = OpenKeys::of(seed);
            refuse_another_account(paths, &keys)?;
            return Ok((begun, keys));
        }
        let (letter, sealed, keys) = match source {
            Source::Phrase { letter, phrase } => {
                let seed = Seed::from_phrase(&phrase)?;
                let sealed = SealedSeed::close(&seed, code, options.cost, &mut chance())
                    .map_err(RestoreFault::NewCode)?;
                (*letter, sealed, OpenKeys::of(seed))
            }
            Source::Profile => {
                let profile = Profile::load(paths)?;
                let sealed = profile.sealed_seed();
                let mut keyring = Keyring::new(sealed.clone(), Profile::attempts_file(paths));
                keyring.unlock(code, options.now, 1)?;
                let keys = keyring.open(options.now).cloned().ok_or(UnlockRefusal::Damaged)?;
                (letter_of(&profile)?, sealed, keys)
            }
        };
        refuse_another_account(paths, &keys)?;
        let letter = protocol::body::Body::to_bytes(&letter);
        Ok((Begun { version: 1, sealed, letter, chosen: None, aside: false }, keys))
    }
}

/// A profile that can't be read says nothing: its files are kept aside, whosever they are.
fn refuse_another_account(paths: &Paths, keys: &OpenKeys) -> Result<(), RestoreFault> {
    match Profile::load(paths) {
        Ok(there) if there.owner().key != keys.owner().key() => {
            Err(RestoreFault::AnotherAccount(PublicCode::of(there.owner().key)))
        }
        _ => Ok(()),
    }
}

/// Where the bank is and what its key is, as the profile has it.
pub(super) fn letter_of(profile: &Profile) -> Result<ActivationLetter, RestoreFault> {
    let text = |address: &String| protocol::body::Text::new(address, 128).ok();
    let addresses: Vec<_> = profile.bank_addresses().iter().filter_map(text).take(4).collect();
    Ok(ActivationLetter {
        master: profile.bank_keys().master(),
        node: profile.bank_node(),
        account: profile.owner().account,
        code: [0; 16],
        addresses,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::NewProfile;
    use crate::wallet::Owner;
    use protocol::bank::{
        Certificate, CertificateKind, Identity, Introduction, Letter, LetterKind, Standing,
    };
    use protocol::body::Text;
    use protocol::id::{Digest, Key};
    use protocol::key::bank::BankKeys;
    use protocol::key::lock::GuessCost;
    use protocol::money::{Currency, Units};
    use protocol::sign::Signer;

    const NOW: Timestamp = Timestamp(1_795_305_600);
    const CODE: &str = "correct horse";
    const COST: GuessCost = GuessCost { memory_kib: 64, passes: 1 };

    fn sealed(seed: &Seed) -> SealedSeed {
        SealedSeed::close(seed, CODE, COST, &mut chance()).unwrap()
    }

    /// Somebody's workstation, as joining leaves it.
    fn lives_in(paths: &Paths, seed: &Seed) {
        let bank = Signer::from_secret(&[1; 32]);
        let keys = BankKeys::pinned(bank.key());
        let (owner, node) = (seed.owner(), Signer::from_secret(&seed.node(1)));
        let certificate = bank.sign(Certificate {
            bank: keys.bank(),
            sequence: 1,
            owner: owner.key(),
            kind: CertificateKind::Resident,
            standing: Standing::Active,
            offline_limit: Units::ZERO,
            issued: NOW,
            expires: NOW.plus_seconds(1_000_000),
            name: Text::new("Ann Example", 64).unwrap(),
        });
        let identity = owner.sign(Identity {
            bank: keys.bank(),
            owner: owner.key(),
            view: seed.view(1).key(),
            node: node.key(),
            generation: 1,
            sequence: 1,
            expires: NOW.plus_seconds(1_000_000),
        });
        let opening = bank.sign(Letter {
            bank: keys.bank(),
            number: 1,
            kind: LetterKind::Opening,
            owner: owner.key(),
            request: Digest::default(),
            units: Units::ZERO,
            balance: Units::ZERO,
            at: NOW,
        });
        let new = NewProfile {
            bank_node: Key([3; 32]),
            bank_addresses: vec![],
            bank_name: "First Bank".to_owned(),
            bank_keys: keys,
            owner: Owner {
                key: owner.key(),
                name: "Ann Example".to_owned(),
                account: 12,
                currency: Currency::new("EUR", 2).unwrap(),
            },
            joined: NOW,
            sealed: sealed(seed),
            seed: seed.clone(),
            introduction: Introduction { certificate, identity },
            opening,
            generation: 1,
        };
        Profile::create(paths, new).unwrap();
    }

    /// X6: a restore that goes on looks whose folder it is, as a new one does: it puts nobody else's files aside.
    #[test]
    fn a_restore_that_goes_on_refuses_anothers_folder() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::beneath(&folder.path().join("home"));
        paths.prepare().unwrap();
        let [mine, hers] = [5, 6].map(|n| Seed::from_bytes([n; 32]));
        Begun { version: 1, sealed: sealed(&mine), letter: vec![], chosen: None, aside: false }
            .keep(&paths.data)
            .unwrap();
        let options = RestoreOptions { now: NOW, cost: COST };
        let take_up = || Begun::take_up(&paths, Source::Profile, CODE, &options).map(drop);
        take_up().unwrap();
        lives_in(&paths, &hers);
        assert!(matches!(take_up(), Err(RestoreFault::AnotherAccount(_))));
        lives_in(&paths, &mine);
        take_up().unwrap();
    }
}
