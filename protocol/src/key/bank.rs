//! The bank's keys: one master off line, four working keys that it certifies (SPEC §1.4, B6).

use crate::body::{self, Body, Malformed, Reader, Writer};
use crate::id::{BankId, Key};
use crate::sign::{BadSignature, Signed, Verified};
use crate::time::Day;
use std::collections::BTreeMap;

/// The name of the bank whose master key this is.
pub fn bank_id(master: &Key) -> BankId {
    let digest = body::digest("bank", &master.0);
    let (first, _) = digest.0.split_first_chunk::<8>().expect("a digest has 32 bytes");
    BankId(*first)
}

/// What a working key may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Usage {
    /// Roots, on its day.
    Issue = 1,
    /// Certificates, letters and the directory's head.
    Attest = 2,
    /// Bulletins.
    Bulletin = 3,
    /// The bank-node's libp2p handshake.
    Node = 4,
}

impl Usage {
    fn read(from: &mut Reader<'_>) -> Result<Usage, Malformed> {
        match from.u8()? {
            1 => Ok(Usage::Issue),
            2 => Ok(Usage::Attest),
            3 => Ok(Usage::Bulletin),
            4 => Ok(Usage::Node),
            _ => Err(from.flaw("unknown usage")),
        }
    }
}

/// The master key's word that a key may sign for the bank; signed by the master key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCertificate {
    /// The bank.
    pub bank: BankId,
    /// What the key may sign.
    pub usage: Usage,
    /// Names an issue key in roots; 0 for the other usages.
    pub epoch: u32,
    /// The key.
    pub key: Key,
    /// First day on which it may sign.
    pub from_day: Day,
    /// Last day on which it may sign.
    pub until_day: Day,
}

impl Body for KeyCertificate {
    const TYPE: &'static str = "key-certificate";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).u8(self.usage as u8).u32(self.epoch);
        out.raw(&self.key.0).u32(self.from_day.0).u32(self.until_day.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let bank = BankId(from.array()?);
        let usage = Usage::read(from)?;
        let certificate = KeyCertificate {
            bank,
            usage,
            epoch: from.u32()?,
            key: Key(from.array()?),
            from_day: Day(from.u32()?),
            until_day: Day(from.u32()?),
        };
        if certificate.from_day > certificate.until_day {
            return Err(from.flaw("ends before it begins"));
        }
        Ok(certificate)
    }
}

/// The master key's word that a working key counts no more; signed by the master key, obeyed at once (threats H3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The bank.
    pub bank: BankId,
    /// What the key could sign.
    pub usage: Usage,
    /// The key.
    pub key: Key,
    /// From this day on it may have been in other hands. Of an issue key, roots of earlier days still count; of any
    /// other key nothing does, for a thief writes whatever day he likes.
    pub from_day: Day,
}

impl Body for Revocation {
    const TYPE: &'static str = "revocation";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).u8(self.usage as u8).raw(&self.key.0).u32(self.from_day.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let bank = BankId(from.array()?);
        let usage = Usage::read(from)?;
        Ok(Revocation { bank, usage, key: Key(from.array()?), from_day: Day(from.u32()?) })
    }
}

/// The bank's keys as somebody knows them: a pinned master key and what it has certified.
#[derive(Clone, Debug)]
pub struct BankKeys {
    master: Key,
    bank: BankId,
    issue: BTreeMap<u32, Verified<KeyCertificate>>,
    others: Vec<Verified<KeyCertificate>>,
    revoked: Vec<Verified<Revocation>>,
}

/// Why a key certificate is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFlaw {
    /// The master key did not sign it.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// It is another bank's.
    #[error("the key certificate is another bank's")]
    OtherBank,
    /// A second key for an epoch that has one: a proof against the bank, never taken silently.
    #[error("the bank has certified two issue keys for one epoch")]
    TwoForOneEpoch,
}

impl BankKeys {
    /// Knows the master key and nothing else yet.
    pub fn pinned(master: Key) -> BankKeys {
        BankKeys {
            master,
            bank: bank_id(&master),
            issue: BTreeMap::new(),
            others: Vec::new(),
            revoked: Vec::new(),
        }
    }

    /// The pinned master key.
    pub fn master(&self) -> Key {
        self.master
    }

    /// The bank's id.
    pub fn bank(&self) -> BankId {
        self.bank
    }

    /// Whether this very certificate is known already.
    pub fn knows(&self, certificate: &Signed<KeyCertificate>) -> bool {
        self.certificates().any(|known| known.signed() == certificate)
    }

    /// Learns a key; knowing it already is fine and costs no verification. True if it was new.
    pub fn learn(&mut self, certificate: Signed<KeyCertificate>) -> Result<bool, KeyFlaw> {
        if self.knows(&certificate) {
            return Ok(false);
        }
        if certificate.unverified().bank != self.bank {
            return Err(KeyFlaw::OtherBank);
        }
        let certificate = certificate.verify_by(&self.master)?;
        if certificate.usage != Usage::Issue {
            self.others.push(certificate);
            return Ok(true);
        }
        match self.issue.get(&certificate.epoch) {
            Some(known) if known.key != certificate.key => Err(KeyFlaw::TwoForOneEpoch),
            // The first counts: else two certificates of one key could take turns, each «new» every time.
            Some(_) => Ok(false),
            None => {
                self.issue.insert(certificate.epoch, certificate);
                Ok(true)
            }
        }
    }

    /// Learns that a key counts no more, for ever; knowing it already is fine. True if it was new.
    pub fn revoke(&mut self, revocation: Signed<Revocation>) -> Result<bool, KeyFlaw> {
        if self.revoked.iter().any(|known| **known == *revocation.unverified()) {
            return Ok(false);
        }
        if revocation.unverified().bank != self.bank {
            return Err(KeyFlaw::OtherBank);
        }
        self.revoked.push(revocation.verify_by(&self.master)?);
        Ok(true)
    }

    /// What the master key has revoked, to store or pass on.
    pub fn revocations(&self) -> impl Iterator<Item = &Signed<Revocation>> {
        self.revoked.iter().map(Verified::signed)
    }

    /// The same keys as if no issue key had been revoked: for notes that are the reader's already. Whether they are in
    /// the bank's register is for the bank to say.
    pub fn before_revocations(&self) -> BankKeys {
        let mut keys = self.clone();
        keys.revoked.retain(|revocation| revocation.usage != Usage::Issue);
        keys
    }

    /// Whether what this key signed under that day counts no more.
    fn is_revoked(&self, certificate: &KeyCertificate, day: Day) -> bool {
        let names = |r: &Revocation| r.usage == certificate.usage && r.key == certificate.key;
        self.revoked.iter().any(|r| names(r) && (certificate.usage != Usage::Issue || r.from_day <= day))
    }

    /// The issue key of an epoch, if it may sign on `day` and is not revoked.
    pub fn issue(&self, epoch: u32, day: Day) -> Option<Key> {
        let certificate = self.issue.get(&epoch)?;
        let fits = certificate.from_day <= day && day <= certificate.until_day;
        (fits && !self.is_revoked(certificate, day)).then_some(certificate.key)
    }

    /// The certificate of an epoch's issue key, to pass on with notes.
    pub fn issue_certificate(&self, epoch: u32) -> Option<&Signed<KeyCertificate>> {
        self.issue.get(&epoch).map(Verified::signed)
    }

    /// All keys that may sign under `usage` on `day` and are not revoked.
    pub fn working(&self, usage: Usage, day: Day) -> impl Iterator<Item = Key> + '_ {
        self.others
            .iter()
            .filter(move |c| c.usage == usage && c.from_day <= day && day <= c.until_day)
            .filter(move |c| !self.is_revoked(c, day))
            .map(|c| c.key)
    }

    /// A body that one of the keys under `usage` signed on `day`.
    pub fn verify<T: Body>(
        &self,
        usage: Usage,
        day: Day,
        signed: Signed<T>,
    ) -> Result<Verified<T>, BadSignature> {
        match self.working(usage, day).find(|key| signed.check_by(key).is_ok()) {
            Some(key) => signed.verify_by(&key),
            None => Err(BadSignature { what: T::TYPE }),
        }
    }

    /// Whether one of the keys under `usage` signed it on `day`, revoked since or not: a list that only grows has such
    /// lines, and they count for nothing but the list's digest.
    pub fn was_signed<T: Body>(&self, usage: Usage, day: Day, signed: &Signed<T>) -> bool {
        let then = self.others.iter().filter(|c| c.usage == usage && c.from_day <= day && day <= c.until_day);
        then.into_iter().any(|c| signed.check_by(&c.key).is_ok())
    }

    /// Every certificate known, to store or pass on.
    pub fn certificates(&self) -> impl Iterator<Item = &Verified<KeyCertificate>> {
        self.issue.values().chain(&self.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::Signer;

    fn certificate(master: &Signer, usage: Usage, epoch: u32, secret: u8) -> Signed<KeyCertificate> {
        master.sign(KeyCertificate {
            bank: bank_id(&master.key()),
            usage,
            epoch,
            key: Signer::from_secret(&[secret; 32]).key(),
            from_day: Day(10),
            until_day: Day(12),
        })
    }

    /// B6: only what the pinned master key certified counts, on its days, for its usage.
    #[test]
    fn the_bank_s_keys_are_what_the_master_key_says() {
        let master = Signer::from_secret(&[1; 32]);
        let mut keys = BankKeys::pinned(master.key());
        assert_eq!(keys.learn(certificate(&master, Usage::Issue, 7, 2)), Ok(true));
        assert_eq!(keys.learn(certificate(&master, Usage::Issue, 7, 2)), Ok(false));
        assert_eq!(keys.learn(certificate(&master, Usage::Issue, 7, 3)), Err(KeyFlaw::TwoForOneEpoch));
        let longer = KeyCertificate {
            until_day: Day(13),
            ..certificate(&master, Usage::Issue, 7, 2).unverified().clone()
        };
        assert_eq!(keys.learn(master.sign(longer)), Ok(false), "an epoch is certified once");
        assert_eq!(keys.issue(7, Day(10)), Some(Signer::from_secret(&[2; 32]).key()));
        assert_eq!(keys.issue(7, Day(13)), None);
        assert_eq!(keys.working(Usage::Attest, Day(10)).count(), 0);

        let thief = Signer::from_secret(&[5; 32]);
        assert_eq!(keys.learn(certificate(&thief, Usage::Issue, 8, 2)), Err(KeyFlaw::OtherBank));
        let mut forged = certificate(&thief, Usage::Attest, 0, 2).unverified().clone();
        forged.bank = keys.bank();
        assert!(matches!(keys.learn(thief.sign(forged)), Err(KeyFlaw::Signature(_))));
    }

    fn revocation(master: &Signer, usage: Usage, secret: u8, from: u32) -> Signed<Revocation> {
        let key = Signer::from_secret(&[secret; 32]).key();
        master.sign(Revocation { bank: bank_id(&master.key()), usage, key, from_day: Day(from) })
    }

    /// H3: only the master key revokes. An issue key loses the days from there on, any other key all of them.
    #[test]
    fn a_revoked_key_signs_nothing_any_more() {
        let master = Signer::from_secret(&[1; 32]);
        let mut keys = BankKeys::pinned(master.key());
        for (usage, epoch, secret) in [(Usage::Issue, 7, 2), (Usage::Attest, 0, 3), (Usage::Attest, 0, 4)] {
            keys.learn(certificate(&master, usage, epoch, secret)).unwrap();
        }
        let thief = Signer::from_secret(&[5; 32]);
        let mut forged = revocation(&master, Usage::Issue, 2, 11).unverified().clone();
        assert!(matches!(keys.revoke(thief.sign(forged.clone())), Err(KeyFlaw::Signature(_))));
        forged.bank = bank_id(&thief.key());
        assert_eq!(keys.revoke(thief.sign(forged)), Err(KeyFlaw::OtherBank));
        assert_eq!(keys.revocations().count(), 0);

        assert_eq!(keys.revoke(revocation(&master, Usage::Issue, 2, 11)), Ok(true));
        assert_eq!(keys.revoke(revocation(&master, Usage::Issue, 2, 11)), Ok(false));
        assert!(keys.issue(7, Day(10)).is_some());
        assert_eq!(keys.issue(7, Day(11)), None);
        assert_eq!(keys.learn(certificate(&master, Usage::Issue, 7, 2)), Ok(false), "and does not come back");
        assert_eq!(keys.issue(7, Day(12)), None);

        keys.revoke(revocation(&master, Usage::Attest, 3, 12)).unwrap();
        let working: Vec<Key> = keys.working(Usage::Attest, Day(10)).collect();
        assert_eq!(working, [Signer::from_secret(&[4; 32]).key()], "whatever day he writes");
    }
}
