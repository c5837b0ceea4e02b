//! The vault: a workstation's sealed log is kept in order, and nobody but its newest generation adds to it (SPEC §4.13).
//!
//! The bank can't read the records. It keeps their number and running digest, so that a copy of a workstation that
//! writes beside the first one is found at its first word.

use super::query::examine_query;
use super::{Desk, Reply, Stop};
use crate::ledger::Account;
use crate::ledger::books::{Tx, View};
use protocol::bank::{AccountQuery, NodeQuery, Purpose, RECORD_MAX, RECORDS_MAX, VaultAppend};
use protocol::id::BankId;
use protocol::sign::{Signed, Verified};
use protocol::time::Timestamp;
use protocol::wire::{BankAnswer, ErrorCode};
use serde_bytes::ByteBuf;

/// Bytes of records in one answer: it stays within the message's limit.
const READ_BYTES: usize = 384 << 10;

/// Records that are proved to come from the owner's newest workstation, at the time they were looked at.
#[derive(Clone, Debug)]
pub struct Append {
    append: Verified<VaultAppend>,
    records: Vec<ByteBuf>,
}

/// All checks that need no write.
pub fn examine_append(
    bank: BankId,
    view: &impl View,
    asked: Signed<VaultAppend>,
    records: Vec<ByteBuf>,
) -> Result<Append, Stop> {
    let append = asked.unverified();
    if append.bank != bank {
        return Err(ErrorCode::NotMine.into());
    }
    if records.is_empty() || records.iter().any(|record| record.is_empty()) {
        return Err(ErrorCode::Malformed.into());
    }
    if records.len() > RECORDS_MAX {
        return Err(ErrorCode::TooMany.into());
    }
    if records.iter().any(|record| record.len() > RECORD_MAX) {
        return Err(ErrorCode::TooBig.into());
    }
    account_of_newest(view, append)?;
    let node = append.node;
    let append = asked.verify_by(&node).map_err(|_| ErrorCode::BadSignature)?;
    Ok(Append { append, records })
}

/// The account, if the append is by its owner's newest workstation.
fn account_of_newest(view: &impl View, append: &VaultAppend) -> Result<Account, Stop> {
    let account = view.account_of(&append.owner)?.ok_or(ErrorCode::NotFound)?;
    let newest = account.member.node == Some(append.node) && account.member.identity.0 == append.generation;
    if newest { Ok(account) } else { Err(ErrorCode::OlderGeneration.into()) }
}

impl Desk<'_> {
    /// Adds the records if they continue the vault. The same records again get the same head (B7); others in their
    /// place are another copy's: `fork`, and nothing is written.
    pub fn append_to_vault(&self, tx: &mut impl Tx, asked: &Append) -> Reply {
        let (append, today) = (&asked.append, self.now.day());
        // Restored meanwhile: the fence counts at the time of writing.
        let account = account_of_newest(tx, append)?;
        let before = tx.vault(account.number)?;
        let count = u64::try_from(asked.records.len()).unwrap_or(u64::MAX);
        let told = (append.after.checked_add(count), append.head);
        if told == (Some(before.head.records), before.head.digest) {
            return Ok(BankAnswer::Vault(before.head));
        }
        let after = asked.records.iter().fold(before, |vault, record| vault.with(record, today));
        if append.after != before.head.records || append.head != after.head.digest {
            return Err(ErrorCode::Fork.into());
        }
        if !after.is_within(self.rules.vault) {
            return Err(ErrorCode::OverLimit.into());
        }
        for (number, record) in (append.after.saturating_add(1)..).zip(&asked.records) {
            tx.keep_vault_record(account.number, number, record)?;
        }
        tx.keep_vault(account.number, &after)?;
        Ok(BankAnswer::Vault(after.head))
    }

    /// How far the vault goes; asked by the newest workstation, locked or not.
    pub fn vault_head(&self, view: &impl View, asked: Signed<NodeQuery>) -> Reply {
        let (account, _) = examine_query(self.keys.bank(), self.now, view, asked, Purpose::Vault)?;
        Ok(BankAnswer::Vault(view.vault(account.number)?.head))
    }

    /// Records after `number`, as many as an answer holds; asked by the owner himself, who may have nothing left but
    /// his phrase.
    pub fn read_vault(&self, view: &impl View, asked: &Signed<AccountQuery>, number: u64) -> Reply {
        let account = asker(self.keys.bank(), self.now, view, asked)?;
        let head = view.vault(account.number)?.head;
        let mut bytes = 0;
        let fits = |record: &Vec<u8>| {
            bytes += record.len();
            bytes <= READ_BYTES
        };
        let found = view.vault_after(account.number, number, RECORDS_MAX)?;
        let left = usize::try_from(head.records.saturating_sub(number)).unwrap_or(usize::MAX);
        let records = found.into_iter().take(left).take_while(fits).map(ByteBuf::from).collect();
        Ok(BankAnswer::VaultRecords(records, head))
    }
}

/// The account of an owner who asks now.
pub(super) fn asker(
    bank: BankId,
    now: Timestamp,
    view: &impl View,
    asked: &Signed<AccountQuery>,
) -> Result<Account, Stop> {
    let query = asked.unverified();
    if query.bank != bank {
        return Err(ErrorCode::NotMine.into());
    }
    if now.is_past(query.created) || now.is_before(query.created) {
        return Err(ErrorCode::Expired.into());
    }
    let account = view.account_of(&query.owner)?.ok_or(ErrorCode::NotFound)?;
    asked.check_by(&query.owner).map_err(|_| ErrorCode::BadSignature)?;
    Ok(account)
}
