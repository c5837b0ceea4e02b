//! What the bank tells in bulletins, and what is wrong with it, as programs see it.

use crate::wallet::Wallet;
use crate::wallet::bulletins::BankFault;
use protocol::id::Key;
use protocol::key::bank::{Revocation, Usage};
use protocol::money::Units;
use protocol::sign::Signed;
use protocol::time::{SKEW_SECONDS, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The bank's last bulletin.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BulletinView {
    /// Its number; 0 if none has come yet.
    pub number: u64,
    /// The bank's time in it.
    pub at: Option<Timestamp>,
    /// The number of the bank's last journal entry.
    pub journal: u64,
    /// How many lines the directory has.
    pub directory: u64,
    /// What was withdrawn into notes in all, modulo 2^53.
    pub issued: Units,
    /// What came back from notes to accounts in all, modulo 2^53. The difference is what is outstanding.
    pub redeemed: Units,
    /// The last day that was over.
    pub day: String,
    /// The digest over the roots issued on that day, in hex.
    pub roots: String,
    /// How many owners are suspended.
    pub suspended: u64,
    /// How many pieces of notes are being reclaimed.
    pub reclaimed: u64,
    /// Whether it is so old that less is taken directly.
    pub stale: bool,
    /// Most units that a single direct payment may have now.
    pub direct_max: Units,
    /// Words of the bank that contradict each other, kept as proofs.
    pub faults: Vec<BankFaultView>,
    /// Keys that the bank's master key has revoked.
    pub revoked: Vec<RevokedKey>,
    /// What is amiss, in sentences.
    pub warnings: Vec<String>,
}

/// Two words of the bank that contradict each other.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BankFaultView {
    /// In what.
    pub kind: String,
    /// The bulletin's number.
    pub number: u64,
    /// When it was found.
    pub found: Timestamp,
    /// The same in words.
    pub text: String,
    /// The first signed word, in hex; of a letter its number.
    pub first: String,
    /// The one that contradicts it, in hex.
    pub second: String,
}

/// A key that counts no more.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RevokedKey {
    /// What it could sign: issue, attest, bulletin or node.
    pub usage: String,
    /// The key.
    pub key: Key,
    /// Since when.
    pub from_day: String,
}

/// A bulletin comes every hour; one that is this much later than that says something about a clock.
const LATE_SECONDS: u64 = 3600 + 2 * SKEW_SECONDS;

/// The newest bulletin, and how it stands with the bank's word.
pub(super) fn bulletin(wallet: &Wallet, bank_reachable: bool, now: Timestamp) -> BulletinView {
    let heard = wallet.heard();
    let newest = heard.newest();
    BulletinView {
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
        let more = if fault.more == 0 { String::new() } else { format!("; {} times more", fault.more) };
        format!(
            "{} (number {}{more}): both are kept as a proof, see «stermina bulletin»",
            fault.kind.text(),
            fault.number
        )
    }));
    said
}

fn fault(fault: &BankFault) -> BankFaultView {
    BankFaultView {
        kind: fault.kind.word().to_owned(),
        number: fault.number,
        found: fault.found,
        text: fault.kind.text().to_owned(),
        first: hex::encode(&fault.first),
        second: hex::encode(&fault.second),
    }
}

fn revoked(word: &Signed<Revocation>) -> RevokedKey {
    let body = word.unverified();
    RevokedKey {
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
