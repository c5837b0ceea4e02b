//! Bulletins in pages, and the certificates of everybody anew when the key that signed them was revoked
//! (SPEC §4.14, §1.4).

use super::reclaim::{Listing, listing};
use super::{Desk, Stop};
use crate::ledger::AccountNumber;
use crate::ledger::books::{Fault, Tx, View};
use crate::ledger::bulletin::next_bulletin;
use crate::ledger::cases::Due;
use crate::ledger::reclaims::Filed;
use protocol::bank::{Bulletin, DirectoryEntry, LISTED_MAX};
use protocol::id::Digest;
use protocol::key::bank::Usage;
use protocol::sign::Signed;
use protocol::time::Day;
use protocol::wire::{BULLETINS_MAX, BulletinPage};

/// Who is farther behind than a week of hours gets the newest bulletin alone.
const BEHIND_MAX: u64 = 168;
/// A page ends after so many bytes, but holds one bulletin at least.
const PAGE_BYTES: usize = 192 << 10;
/// Accounts looked at in one commit when all certificates are renewed.
const RENEWED_AT_ONCE: usize = 256;

impl Desk<'_> {
    /// The bulletins after number `after`; to who knows a higher one than there is, the newest.
    pub fn bulletins(&self, view: &impl View, after: u64) -> Result<BulletinPage, Stop> {
        let newest = view.last_bulletin()?;
        let last = newest.as_ref().map_or(0, |newest| newest.unverified().number);
        let bulletins = if after > last || last - after > BEHIND_MAX {
            newest.into_iter().collect()
        } else {
            let mut bytes = 0;
            let mut page = view.bulletins_after(after, BULLETINS_MAX)?;
            page.retain(|bulletin| {
                let before = bytes;
                bytes += bulletin.to_bytes().len();
                before == 0 || bytes <= PAGE_BYTES
            });
            page
        };
        Ok(BulletinPage {
            bulletins,
            keys: self.keys.certificates_on(self.now.day()),
            revoked: self.keys.public.revocations().cloned().collect(),
        })
    }

    /// Writes the next bulletin, unless no key may sign it today; reclaims remember that it lists them, and those of which
    /// nothing is open any more are closed at the next turn.
    pub fn state(&self, tx: &mut impl Tx, roots: (Day, Digest)) -> Result<Option<Signed<Bulletin>>, Fault> {
        let Listing { list, reclaims, idle } = listing(tx, LISTED_MAX)?;
        let bulletin = next_bulletin(tx, self.keys.bank(), self.now, roots, list)?;
        let Some(signer) = self.keys.bulletin_on(bulletin.at.day()) else { return Ok(None) };
        let bulletin = signer.sign(bulletin);
        for filed in reclaims.into_iter().filter(|filed| filed.listed.is_none()) {
            tx.keep_reclaim(&Filed { listed: Some(self.now), ..filed })?;
        }
        for number in idle {
            tx.keep_due(self.now, Due::Reclaim(number))?;
        }
        tx.keep_bulletin(&bulletin)?;
        Ok(Some(bulletin))
    }

    /// Certifies those anew whose certificates a revoked key has signed, some accounts at a time. Returns where to
    /// go on, or nothing at the end.
    pub fn renew_certificates(
        &self,
        tx: &mut impl Tx,
        after: AccountNumber,
    ) -> Result<Option<AccountNumber>, Fault> {
        let accounts = tx.accounts_after(after, RENEWED_AT_ONCE)?;
        let last = accounts.last().map(|account| account.number);
        for mut account in accounts {
            if account.member.owner.is_some() && !self.is_good(tx, account.member.certificate)? {
                self.certify(tx, &mut account)?;
                tx.keep_account(&account)?;
            }
        }
        Ok(last)
    }

    fn is_good(&self, view: &impl View, line: u64) -> Result<bool, Fault> {
        let lines = view.directory_after(line.saturating_sub(1), 1)?;
        Ok(lines.first().is_some_and(|line| match &line.entry {
            DirectoryEntry::Certificate(certificate) => {
                let day = certificate.unverified().issued.day();
                self.keys.public.verify(Usage::Attest, day, certificate.clone()).is_ok()
            }
            DirectoryEntry::Identity(_) => false,
        }))
    }
}
