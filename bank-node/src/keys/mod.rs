//! The bank's working keys, as they are held while it is open (SPEC §1.4, B6).
//!
//! The master key never comes here: it certifies these keys and lies elsewhere.

mod files;
mod make;

pub use files::{KeyFolder, KeysError};
pub(crate) use files::{read_secret, write_secret};
pub use make::{Chance, Made, MasterKey, add_issue_keys, make_all, replacement};

use protocol::bank::CODE_LENGTH;
use protocol::id::{BankId, Key};
use protocol::key::bank::{BankKeys, KeyCertificate, Usage};
use protocol::note::DIRECT_DAYS;
use protocol::sign::{Signed, Signer};
use protocol::time::{Day, SKEW_SECONDS, Timestamp};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Days of issue keys that `init` and `keys extend` make unless told otherwise.
pub const ISSUE_DAYS: u32 = 31;

/// Epochs of one day are so far apart: the first is the day itself, each further one replaces a revoked key.
const EPOCH_STEP: u32 = 1 << 24;

/// The day whose issue key an epoch names.
pub fn day_of(epoch: u32) -> Day {
    Day(epoch % EPOCH_STEP)
}

/// What a working bank holds.
pub struct WorkingKeys {
    /// What everybody may know: the pinned master key and its certificates.
    pub public: BankKeys,
    /// Signs certificates, letters and the directory's head.
    pub attest: Signer,
    /// Signs bulletins.
    pub bulletin: Signer,
    /// The libp2p identity.
    pub node: Zeroizing<[u8; 32]>,
    /// Activation codes grow from it, so that no code has to be stored.
    pub letters: Zeroizing<[u8; 32]>,
    /// Issue keys whose private half is still there, by epoch; see [`day_of`].
    pub issue: BTreeMap<u32, Signer>,
}

impl std::fmt::Debug for WorkingKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WorkingKeys {{ bank: {}, issue: {:?} }}", self.bank(), self.issue.keys())
    }
}

impl WorkingKeys {
    /// The bank's id.
    pub fn bank(&self) -> BankId {
        self.public.bank()
    }

    /// The master key's public half.
    pub fn master(&self) -> Key {
        self.public.master()
    }

    /// The node key's public half.
    pub fn node_key(&self) -> Key {
        Signer::from_secret(&self.node).key()
    }

    /// The key that signs roots on `day`, with its epoch: there is at most one.
    pub fn issue_on(&self, day: Day) -> Option<(u32, &Signer)> {
        let mut his = self.issue.iter().filter(|(epoch, _)| day_of(**epoch) == day);
        his.find(|(epoch, signer)| self.public.issue(**epoch, day) == Some(signer.key()))
            .map(|(epoch, signer)| (*epoch, signer))
    }

    /// An epoch for another key of this day, because the one before is revoked.
    pub fn next_epoch(&self, day: Day) -> Option<u32> {
        let taken = self.public.certificates().filter(|c| c.usage == Usage::Issue && day_of(c.epoch) == day);
        taken.map(|c| c.epoch).max().map_or(Some(day.0), |last| last.checked_add(EPOCH_STEP))
    }

    /// The key that signs bulletins on `day`.
    pub fn bulletin_on(&self, day: Day) -> Option<&Signer> {
        let key = self.bulletin.key();
        self.public.working(Usage::Bulletin, day).any(|working| working == key).then_some(&self.bulletin)
    }

    /// Whether letters and certificates may be signed on `day`.
    pub fn attests_on(&self, day: Day) -> bool {
        let key = self.attest.key();
        self.public.working(Usage::Attest, day).any(|working| working == key)
    }

    /// How many days from `day` on have an issue key, without a gap.
    pub fn days_left(&self, day: Day) -> u32 {
        let days = (0..=u32::MAX).take_while(|ahead| self.issue_on(day.plus_days(*ahead)).is_some());
        u32::try_from(days.count()).unwrap_or(u32::MAX)
    }

    /// Whether an issue key was ever certified for `day`. Such a day never gets another one: two keys of one
    /// epoch are two banks to everybody who meets both.
    pub fn is_certified(&self, day: Day) -> bool {
        let mut issue = self.public.certificates().filter(|c| c.usage == Usage::Issue);
        issue.any(|c| c.from_day <= day && day <= c.until_day)
    }

    /// Days from `day` on that were certified a key whose private half is not here: nothing can be issued then.
    pub fn lost_days(&self, day: Day) -> Vec<Day> {
        let issue = self.public.certificates().filter(|c| c.usage == Usage::Issue && c.from_day >= day);
        issue.filter(|c| !self.issue.contains_key(&c.epoch)).map(|c| c.from_day).collect()
    }

    /// The certificates that every customer needs on `day`: of issue keys those whose notes may still be paid
    /// directly, and not those of days to come beyond tomorrow. Older ones are asked for by their epoch.
    pub fn certificates_on(&self, day: Day) -> Vec<Signed<KeyCertificate>> {
        let needed = |certificate: &KeyCertificate| {
            let ends = certificate.until_day.plus_days(DIRECT_DAYS + 1);
            certificate.usage != Usage::Issue || (certificate.from_day <= day.plus_days(1) && day <= ends)
        };
        self.public.certificates().filter(|c| needed(c)).map(|c| c.signed().clone()).collect()
    }

    /// The certificates of these epochs' issue keys, but for days to come beyond tomorrow.
    pub fn issue_certificates(&self, epochs: &[u32], day: Day) -> Vec<Signed<KeyCertificate>> {
        let asked = epochs.iter().filter_map(|epoch| self.public.issue_certificate(*epoch));
        asked.filter(|c| c.unverified().from_day <= day.plus_days(1)).cloned().collect()
    }

    /// The code of an account's activation letter: the same for the same letter, so that a repeated call
    /// shows the same letter and the books hold only a hash.
    pub fn activation_code(&self, account: u64, letter: u32) -> Zeroizing<[u8; CODE_LENGTH]> {
        let mut hasher = blake3::Hasher::new_keyed(&self.letters);
        hasher
            .update(b"stermina/1/activation-code")
            .update(&account.to_be_bytes())
            .update(&letter.to_be_bytes());
        let mut code = Zeroizing::new([0; CODE_LENGTH]);
        hasher.finalize_xof().fill(&mut *code);
        code
    }

    /// Forgets issue keys whose day is over by the clock; says which. Whether their files may be destroyed, too,
    /// is the calendar's to say. It waits for the allowed skew, so that a clock that
    /// is set back a little at midnight does not leave the bank without a key.
    pub fn drop_ended(&mut self, now: Timestamp) -> Vec<u32> {
        let today = Timestamp(now.0.saturating_sub(SKEW_SECONDS)).day();
        let ended: Vec<u32> = self.issue.keys().copied().filter(|epoch| day_of(*epoch) < today).collect();
        for epoch in &ended {
            self.issue.remove(epoch);
        }
        ended
    }
}
