//! The directory in pages, and the bank's terms (SPEC §4.8, §5.3).

use super::{Desk, Reply, Stop};
use crate::ledger::books::View;
use protocol::bank::DirectoryHead;
use protocol::money::Currency;
use protocol::wire::{BankAnswer, BankTerms, DirectoryPage, ENTRIES_MAX, EPOCHS_MAX, ErrorCode};

impl Desk<'_> {
    /// The lines after number `after`, and the head of them all.
    pub fn directory(&self, view: &impl View, after: u64) -> Result<DirectoryPage, Stop> {
        let lines = view.directory_after(after, ENTRIES_MAX)?;
        let (sequence, digest) = view.directory_head()?;
        let bank = self.keys.bank();
        Ok(DirectoryPage {
            entries: lines.into_iter().map(|line| line.entry).collect(),
            head: self.keys.attest.sign(DirectoryHead { bank, sequence, digest, at: self.now }),
            keys: self.keys.certificates_on(self.now.day()),
        })
    }

    /// The certificates of these epochs' issue keys: for whoever gets roots or chains that are older than the keys in
    /// the lists.
    pub fn issue_keys(&self, epochs: &[u32]) -> Reply {
        if epochs.len() > EPOCHS_MAX {
            return Err(ErrorCode::TooMany.into());
        }
        Ok(BankAnswer::IssueKeys(self.keys.issue_certificates(epochs, self.now.day())))
    }

    /// What the bank tells everybody about itself.
    pub fn terms(&self, name: &str, currency: &Currency) -> BankTerms {
        let keys = self.keys.certificates_on(self.now.day());
        BankTerms { name: name.to_owned(), currency: currency.clone(), keys }
    }
}
