//! Making keys: the master key once, working keys certified by it.

use super::WorkingKeys;
use protocol::id::Key;
use protocol::key::bank::{BankKeys, KeyCertificate, Revocation, Usage, bank_id};
use protocol::sign::{Signed, Signer};
use protocol::time::Day;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Days for which attest, bulletin and node keys are certified.
const WORKING_DAYS: u32 = 3_653;

/// 32 secret bytes for each call.
pub type Chance<'c> = &'c mut dyn FnMut() -> [u8; 32];

/// The bank's master key: certifies, and lies off line.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({})", self.key())
    }
}

impl MasterKey {
    /// The key that is these bytes.
    pub fn from_secret(secret: [u8; 32]) -> MasterKey {
        MasterKey(Zeroizing::new(secret))
    }

    /// The bytes, for its file.
    pub fn secret(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its public half, by which the bank is known.
    pub fn key(&self) -> Key {
        Signer::from_secret(&self.0).key()
    }

    /// Says that a key counts no more.
    pub fn revoke(&self, usage: Usage, key: Key, from_day: Day) -> Signed<Revocation> {
        let bank = bank_id(&self.key());
        Signer::from_secret(&self.0).sign(Revocation { bank, usage, key, from_day })
    }

    /// Certifies a key for `usage`.
    pub fn certify(&self, usage: Usage, epoch: u32, key: Key, days: (Day, Day)) -> Signed<KeyCertificate> {
        let bank = bank_id(&self.key());
        let (from_day, until_day) = days;
        let body = KeyCertificate { bank, usage, epoch, key, from_day, until_day };
        Signer::from_secret(&self.0).sign(body)
    }
}

/// A working key with its certificate.
pub struct Made {
    /// What it is for.
    pub usage: Usage,
    /// Its epoch; 0 for other than issue keys.
    pub epoch: u32,
    /// The private half.
    pub secret: Zeroizing<[u8; 32]>,
    /// The master key's word for it.
    pub certificate: Signed<KeyCertificate>,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Made {{ usage: {:?}, epoch: {} }}", self.usage, self.epoch)
    }
}

fn make(master: &MasterKey, usage: Usage, epoch: u32, days: (Day, Day), chance: Chance<'_>) -> Made {
    let secret = Zeroizing::new(chance());
    let key = Signer::from_secret(&secret).key();
    Made { usage, epoch, certificate: master.certify(usage, epoch, key, days), secret }
}

/// Issue keys for these days: the epoch is the day, and a key signs on its day only.
pub fn add_issue_keys(
    master: &MasterKey,
    days: impl IntoIterator<Item = Day>,
    chance: Chance<'_>,
) -> Vec<Made> {
    let days = days.into_iter();
    days.map(|day| make(master, Usage::Issue, day.0, (day, day), chance)).collect()
}

/// A key in the place of one that is revoked: for an issue key's day under a new epoch, else for ten years.
pub fn replacement(master: &MasterKey, usage: Usage, epoch: u32, today: Day, chance: Chance<'_>) -> Made {
    let days = match usage {
        Usage::Issue => (super::day_of(epoch), super::day_of(epoch)),
        Usage::Attest | Usage::Bulletin | Usage::Node => span(today),
    };
    make(master, usage, epoch, days, chance)
}

/// From yesterday on, so that a customer whose clock is a little behind accepts the first letter.
fn span(today: Day) -> (Day, Day) {
    (Day(today.0.saturating_sub(1)), today.plus_days(WORKING_DAYS))
}

/// Every working key of a new bank, and `days` days of issue keys.
pub fn make_all(master: &MasterKey, today: Day, days: u32, chance: Chance<'_>) -> Vec<Made> {
    let mut made: Vec<Made> = [Usage::Attest, Usage::Bulletin, Usage::Node]
        .into_iter()
        .map(|usage| make(master, usage, 0, span(today), chance))
        .collect();
    made.extend(add_issue_keys(master, (0..days).map(|ahead| today.plus_days(ahead)), chance));
    made
}

impl WorkingKeys {
    /// The keys held in memory only, for a bank that lives as long as its process.
    pub fn in_memory(master: &MasterKey, made: &[Made], letters: [u8; 32]) -> Option<WorkingKeys> {
        let mut public = BankKeys::pinned(master.key());
        let mut issue = BTreeMap::new();
        for one in made {
            public.learn(one.certificate.clone()).ok()?;
            if one.usage == Usage::Issue {
                issue.insert(one.epoch, Signer::from_secret(&one.secret));
            }
        }
        // The last of a kind: it may have taken the place of one that is revoked.
        let secret = |usage| made.iter().rev().find(|one| one.usage == usage).map(|one| one.secret.clone());
        Some(WorkingKeys {
            public,
            attest: Signer::from_secret(&*secret(Usage::Attest)?),
            bulletin: Signer::from_secret(&*secret(Usage::Bulletin)?),
            node: secret(Usage::Node)?,
            letters: Zeroizing::new(letters),
            issue,
        })
    }
}
