//! Questions in an owner's name that need no owner key, so that his workstation may be locked (SPEC §4.10).
//!
//! The node key in the identity record that counts signs them: a workstation that was restored elsewhere
//! since, or a stolen key that was replaced, asks in vain.

use super::Stop;
use crate::ledger::Account;
use crate::ledger::books::View;
use protocol::bank::{NodeQuery, Purpose};
use protocol::id::BankId;
use protocol::sign::{Signed, Verified};
use protocol::time::Timestamp;
use protocol::wire::ErrorCode;

/// The query as proved to come from its owner's workstation, now and for this purpose; and his account.
pub fn examine_query(
    bank: BankId,
    now: Timestamp,
    view: &impl View,
    asked: Signed<NodeQuery>,
    purpose: Purpose,
) -> Result<(Account, Verified<NodeQuery>), Stop> {
    let query = asked.unverified();
    if query.bank != bank {
        return Err(ErrorCode::NotMine.into());
    }
    if query.purpose != purpose {
        return Err(ErrorCode::Malformed.into());
    }
    // Only while it is fresh: nobody can ask again later with a query that he saw.
    if now.is_past(query.created) || now.is_before(query.created) {
        return Err(ErrorCode::Expired.into());
    }
    let account = view.account_of(&query.owner)?.ok_or(ErrorCode::NotFound)?;
    let node = query.node;
    if account.member.node != Some(node) {
        return Err(ErrorCode::OlderGeneration.into());
    }
    let verified = asked.verify_by(&node).map_err(|_| ErrorCode::BadSignature)?;
    Ok((account, verified))
}
