//! The directory as this workstation has copied it, and addresses that worked (SPEC §4.8).

use super::StoreFault;
use super::redb::{ADDRESSES, CERTIFICATES, IDENTITIES, META, RedbStore, broken, pack, unpack};
use protocol::bank::{Certificate, DirectoryEntry, Identity, next_head};
use protocol::body::Body;
use protocol::id::{Digest, Key};
use protocol::key::bank::{BankKeys, Usage};
use protocol::sign::{BadSignature, Signed};
use protocol::wire::DirectoryPage;
use redb::ReadableTable;
use std::collections::HashSet;

const HEAD: &[u8] = b"directory_head";

/// Somebody in the directory.
#[derive(Clone, Debug)]
pub struct Contact {
    /// The bank's certificate.
    pub certificate: Signed<Certificate>,
    /// His identity record, if he has published one.
    pub identity: Option<Signed<Identity>>,
}

/// Why a page of the directory is not taken over.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryFlaw {
    /// An entry or the head is not signed by whom it must be.
    #[error("the directory: {0}")]
    Signature(#[from] BadSignature),
    /// The entries do not lead to the head that the bank signed.
    #[error("the directory's entries do not lead to the head that the bank signed")]
    Head,
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl RedbStore {
    /// How many entries have been copied, and the running digest over them.
    pub fn directory_head(&self) -> Result<(u64, Digest), StoreFault> {
        let tx = self.read()?;
        let meta = tx.open_table(META).map_err(broken)?;
        let head =
            meta.get(HEAD).map_err(broken)?.map(|bytes| unpack("directory", bytes.value())).transpose()?;
        Ok(head.unwrap_or_default())
    }

    /// Takes a page over after checking each entry and, once the end is reached, the head. True if more is to come.
    pub fn take_directory(&self, page: DirectoryPage, keys: &BankKeys) -> Result<bool, DirectoryFlaw> {
        let head = keys.verify(Usage::Attest, page.head.unverified().at.day(), page.head)?;
        let (mut sequence, mut digest) = self.directory_head()?;
        let mut counting = Vec::new();
        for entry in &page.entries {
            if check(entry, keys)? {
                counting.push(entry);
            }
            digest = next_head(&digest, entry);
            sequence += 1;
        }
        let ahead = sequence > head.sequence;
        let stalled = page.entries.is_empty() && sequence < head.sequence;
        if ahead || stalled || (sequence == head.sequence && digest != head.digest) {
            // Some page was not the bank's list. Each entry is signed, so none of them lies; but one may be missing:
            // the list is copied anew.
            self.put_entries(&[], (0, Digest::default()), keys)?;
            return Err(DirectoryFlaw::Head);
        }
        if !page.entries.is_empty() {
            self.put_entries(&counting, (sequence, digest), keys)?;
        }
        Ok(sequence < head.sequence)
    }

    fn put_entries(
        &self,
        entries: &[&DirectoryEntry],
        head: (u64, Digest),
        keys: &BankKeys,
    ) -> Result<(), StoreFault> {
        let tx = self.db.begin_write().map_err(broken)?;
        {
            let mut certificates = tx.open_table(CERTIFICATES).map_err(broken)?;
            let mut identities = tx.open_table(IDENTITIES).map_err(broken)?;
            for entry in entries {
                match entry {
                    // A list that is copied anew must not lay old lines over new ones.
                    DirectoryEntry::Certificate(c) => {
                        let known = certificates.get(&c.unverified().owner.0[..]).map_err(broken)?;
                        let known =
                            known.map(|b| signed::<Certificate>("certificates", b.value())).transpose()?;
                        // What a revoked key has signed gives way whatever number it bears: a thief takes high ones.
                        let known = known.filter(|k| k.unverified().sequence > c.unverified().sequence);
                        if known.is_some_and(|known| signed_by_attest(&known, keys)) {
                            continue;
                        }
                        certificates
                            .insert(&c.unverified().owner.0[..], &c.to_bytes()[..])
                            .map_err(broken)?;
                    }
                    DirectoryEntry::Identity(i) => {
                        let known = identities.get(&i.unverified().owner.0[..]).map_err(broken)?;
                        let known = known.map(|b| signed::<Identity>("identities", b.value())).transpose()?;
                        if known.is_some_and(|k| k.unverified().sequence > i.unverified().sequence) {
                            continue;
                        }
                        identities.insert(&i.unverified().owner.0[..], &i.to_bytes()[..]).map_err(broken)?;
                    }
                }
            }
            let mut meta = tx.open_table(META).map_err(broken)?;
            meta.insert(HEAD, &pack(&head)[..]).map_err(broken)?;
        }
        tx.commit().map_err(broken)
    }

    /// What the directory says of an owner.
    pub fn contact(&self, owner: &Key) -> Result<Option<Contact>, StoreFault> {
        let tx = self.read()?;
        let certificates = tx.open_table(CERTIFICATES).map_err(broken)?;
        let Some(certificate) = certificates.get(&owner.0[..]).map_err(broken)? else { return Ok(None) };
        let identities = tx.open_table(IDENTITIES).map_err(broken)?;
        let identity = identities.get(&owner.0[..]).map_err(broken)?;
        Ok(Some(Contact {
            certificate: signed("certificates", certificate.value())?,
            identity: identity.map(|bytes| signed("identities", bytes.value())).transpose()?,
        }))
    }

    /// Node keys of people in the directory, at most so many.
    pub fn nodes(&self, limit: usize) -> Result<Vec<Key>, StoreFault> {
        let tx = self.read()?;
        let identities = tx.open_table(IDENTITIES).map_err(broken)?;
        let rows = identities.iter().map_err(broken)?.take(limit);
        rows.map(|row| {
            Ok(signed::<Identity>("identities", row.map_err(broken)?.1.value())?.unverified().node)
        })
        .collect()
    }

    /// Contacts whose workstation has one of these node keys.
    pub fn contacts_at(&self, nodes: &HashSet<Key>) -> Result<Vec<Contact>, StoreFault> {
        if nodes.is_empty() {
            return Ok(Vec::new());
        }
        let owners: Vec<Key> = {
            let tx = self.read()?;
            let identities = tx.open_table(IDENTITIES).map_err(broken)?;
            let mut owners = Vec::new();
            for row in identities.iter().map_err(broken)? {
                let identity = signed::<Identity>("identities", row.map_err(broken)?.1.value())?;
                if nodes.contains(&identity.unverified().node) {
                    owners.push(identity.unverified().owner);
                }
            }
            owners
        };
        owners.iter().filter_map(|owner| self.contact(owner).transpose()).collect()
    }

    /// Contacts whose name has `text` in it, in any case, or whose code begins with it.
    pub fn find_contacts(&self, text: &str, limit: usize) -> Result<Vec<Contact>, StoreFault> {
        let wanted = text.to_lowercase();
        let owners: Vec<Key> = {
            let tx = self.read()?;
            let certificates = tx.open_table(CERTIFICATES).map_err(broken)?;
            let mut owners = Vec::new();
            for row in certificates.iter().map_err(broken)? {
                let certificate: Signed<Certificate> =
                    signed("certificates", row.map_err(broken)?.1.value())?;
                let body = certificate.unverified();
                let code = protocol::code::PublicCode::of(body.owner).to_string();
                if body.name.as_str().to_lowercase().contains(&wanted) || code.starts_with(&wanted) {
                    owners.push(body.owner);
                }
                if owners.len() == limit {
                    break;
                }
            }
            owners
        };
        owners.iter().filter_map(|owner| self.contact(owner).transpose()).collect()
    }

    /// Remembers where a node was reached, for the time when nobody can be asked.
    pub fn remember_addresses(&self, node: &Key, addresses: &[String]) -> Result<(), StoreFault> {
        let tx = self.db.begin_write().map_err(broken)?;
        tx.open_table(ADDRESSES)
            .map_err(broken)?
            .insert(&node.0[..], &pack(&addresses)[..])
            .map_err(broken)?;
        tx.commit().map_err(broken)
    }

    /// Where a node was reached before.
    pub fn addresses(&self, node: &Key) -> Result<Vec<String>, StoreFault> {
        let tx = self.read()?;
        let table = tx.open_table(ADDRESSES).map_err(broken)?;
        let found = table.get(&node.0[..]).map_err(broken)?;
        found.map(|bytes| unpack("addresses", bytes.value())).transpose().map(Option::unwrap_or_default)
    }
}

fn signed<T: Body>(table: &'static str, bytes: &[u8]) -> Result<Signed<T>, StoreFault> {
    Signed::from_bytes(bytes).map_err(|_| StoreFault::Unreadable(table))
}

fn signed_by_attest(certificate: &Signed<Certificate>, keys: &BankKeys) -> bool {
    keys.verify(Usage::Attest, certificate.unverified().issued.day(), certificate.clone()).is_ok()
}

/// Whether the entry counts. One that a revoked key has signed stands in the list, and counts for nothing.
fn check(entry: &DirectoryEntry, keys: &BankKeys) -> Result<bool, BadSignature> {
    match entry {
        DirectoryEntry::Certificate(certificate) => {
            let day = certificate.unverified().issued.day();
            if keys.was_signed(Usage::Attest, day, certificate) {
                return Ok(signed_by_attest(certificate, keys));
            }
            Err(BadSignature { what: Certificate::TYPE })
        }
        DirectoryEntry::Identity(identity) => identity.check_by(&identity.unverified().owner).map(|()| true),
    }
}
