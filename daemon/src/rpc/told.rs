//! What the bank tells in bulletins, and what is wrong with it, as programs see it.

use super::api;
use crate::wallet::Wallet;
use crate::wallet::bulletins::BankFault;
use protocol::key::bank::{Revocation, Usage};
use protocol::sign::Signed;
use protocol::time::{SKEW_SECONDS, Timestamp};

/// A bulletin comes every hour; one that is this much later than that says something about a clock.
const LATE_SECONDS: u64 = 3600 + 2 * SKEW_SECONDS;

/// The newest bulletin, and how it stands with the bank's word.
pub(super) fn bulletin(wallet: &Wallet, bank_reachable: bool, now: Timestamp) -> api::BulletinView {
    let heard = wallet.heard();
    let newest = heard.newest();
    api::BulletinView {
        number: heard.number(),
        at: newest.map(|newest| newest.at),
        journal: newest.map_or(0, |newest| newest.journal),
        directory: newest.map_or(0, |newest| newest.lines),
        issued: newest.map(|newest| newest.issued).unwrap_or_default(),
        redeemed: newest.map(|newest| newest.redeemed).unwrap_or_default(),
        day: newest.map(|newest| newest.day.to_string()).unwrap_or_default(),
        roots: newest.map(|newest| newest.roots.to_string()).unwrap_or_default(),
        suspended: newest.map_or(0, |newest| newest.suspended.len() as u64),
        reclaimed: newest.map_or(0, |newest| newest.reclaimed.len() as u64),
        stale: wallet.is_stale(now),
        direct_max: wallet.policy_now(now).direct_max,
        faults: heard.faults().map(fault).collect(),
        revoked: wallet.keys().revocations().map(revoked).collect(),
        warnings: warnings(wallet, bank_reachable, now),
    }
}

/// What the owner should know of the bank's word, in sentences; nothing when all is well.
pub(super) fn warnings(wallet: &Wallet, bank_reachable: bool, now: Timestamp) -> Vec<String> {
    let heard = wallet.heard();
    let mut said = Vec::new();
    if let Some(seconds) = heard.bank_ahead(now) {
        let minutes = seconds / 60;
        said.push(format!("this clock is {minutes} minutes behind the bank's: set it right, or payments will seem dated in the future"));
    }
    let age = heard.newest().map(|newest| now.seconds_since(newest.at));
    if let Some(age) = age.filter(|age| bank_reachable && *age > LATE_SECONDS) {
        let hours = age / 3600;
        said.push(format!("the bank is in reach and its last bulletin {hours} hours old: this clock is ahead of the bank's, or the bank is silent"));
    }
    if wallet.is_stale(now) {
        let hours = wallet.policy().stale_hours;
        said.push(format!("nothing was heard of the bank for more than {hours} hours: a quarter of the usual is taken directly"));
    }
    said.extend(heard.faults().map(|fault| {
        format!(
            "{} (number {}): both are kept as a proof, see «stermina bulletin»",
            fault.kind.text(),
            fault.number
        )
    }));
    said
}

fn fault(fault: &BankFault) -> api::BankFaultView {
    api::BankFaultView {
        kind: fault.kind.word().to_owned(),
        number: fault.number,
        found: fault.found,
        text: fault.kind.text().to_owned(),
        first: hex::encode(&fault.first),
        second: hex::encode(&fault.second),
    }
}

fn revoked(word: &Signed<Revocation>) -> api::RevokedKey {
    let body = word.unverified();
    api::RevokedKey {
        usage: match body.usage {
            Usage::Issue => "issue",
            Usage::Attest => "attest",
            Usage::Bulletin => "bulletin",
            Usage::Node => "node",
        }
        .to_owned(),
        key: body.key,
        from_day: body.from_day.to_string(),
    }
}
