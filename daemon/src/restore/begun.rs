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
            return Ok((begun, OpenKeys::of(seed)));
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
        if Profile::exists(paths) {
            // A profile that can't be read says nothing: its files are kept aside, whosever they are.
            match Profile::load(paths) {
                Ok(there) if there.owner().key != keys.owner().key() => {
                    return Err(RestoreFault::AnotherAccount(PublicCode::of(there.owner().key)));
                }
                _ => {}
            }
        }
        let letter = protocol::body::Body::to_bytes(&letter);
        Ok((Begun { version: 1, sealed, letter, chosen: None, aside: false }, keys))
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
