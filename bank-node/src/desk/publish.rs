//! Publish: a newer identity record into the directory (SPEC §4.2).

use super::{CERTIFICATE_DAYS, Desk, Reply, Stop};
use crate::ledger::books::{Tx, View};
use protocol::bank::{DirectoryEntry, IDENTITY_DAYS_MAX, Identity};
use protocol::id::BankId;
use protocol::sign::{Signed, Verified};
use protocol::time::{DAY_SECONDS, Timestamp};
use protocol::wire::{BankAnswer, ErrorCode};

/// Records of one owner a day: every workstation copies every line.
const RECORDS_A_DAY: u32 = 32;

/// Whether a record may stand in the directory at all.
pub(super) fn check_identity(bank: BankId, now: Timestamp, record: &Identity) -> Result<(), Stop> {
    if record.bank != bank {
        return Err(ErrorCode::NotMine.into());
    }
    let latest = now.plus_seconds(IDENTITY_DAYS_MAX * DAY_SECONDS);
    if now.is_past(record.expires) || record.expires.is_past(latest) {
        return Err(ErrorCode::Expired.into());
    }
    record.node.parse().map_err(|_| ErrorCode::Malformed)?;
    Ok(())
}

/// What needs no books but the owner's account.
pub fn examine(
    bank: BankId,
    now: Timestamp,
    view: &impl View,
    asked: Signed<Identity>,
) -> Result<Verified<Identity>, Stop> {
    let record = asked.unverified();
    check_identity(bank, now, record)?;
    let owner = record.owner;
    if view.account_of(&owner)?.is_none() {
        return Err(ErrorCode::NotFound.into());
    }
    asked.verify_by(&owner).map_err(|_| ErrorCode::BadSignature.into())
}

impl Desk<'_> {
    /// Enters the record if it is newer than the one that counts; its generation never goes down. The same
    /// record again is fine. A certificate in its last quarter is renewed beside it.
    pub fn publish(&self, tx: &mut impl Tx, asked: &Verified<Identity>) -> Reply {
        let mut account = tx.account_of(&asked.owner)?.ok_or(ErrorCode::NotFound)?;
        let (generation, sequence) = account.member.identity;
        if asked.digest() == account.member.record {
            return Ok(BankAnswer::Published);
        }
        if asked.generation < generation {
            return Err(ErrorCode::OlderGeneration.into());
        }
        if asked.sequence <= sequence {
            return Err(ErrorCode::IdReused.into());
        }
        let today = self.now.day();
        let before = if account.member.published.0 == today { account.member.published.1 } else { 0 };
        if before >= RECORDS_A_DAY {
            return Err(ErrorCode::Busy.into());
        }
        let renew = account.member.closed.is_none() && self.is_ending(tx, account.member.certificate)?;
        account.member.published = (today, before.saturating_add(1));
        if account.member.node != Some(asked.node) {
            // They are signed by the node key of before: nobody shall be sent to a machine that is gone.
            tx.leave_requests(account.number, &[])?;
        }
        if renew {
            self.certify(tx, &mut account)?;
        }
        if asked.generation > generation {
            // What the machine before left is signed by a key that payers take from nobody any more.
            tx.leave_requests(account.number, &[])?;
        }
        self.enter(tx, &mut account, asked.signed())?;
        tx.keep_account(&account)?;
        Ok(BankAnswer::Published)
    }

    fn is_ending(&self, tx: &impl Tx, line: u64) -> Result<bool, Stop> {
        let lines = tx.directory_after(line.saturating_sub(1), 1)?;
        let soon = self.now.plus_seconds(CERTIFICATE_DAYS / 4 * DAY_SECONDS);
        Ok(lines.iter().any(|line| match &line.entry {
            DirectoryEntry::Certificate(certificate) => certificate.unverified().expires < soon,
            DirectoryEntry::Identity(_) => false,
        }))
    }
}
