//! Records as the interface shows them.

use crate::desk::standing::Change;
use crate::keys::WorkingKeys;
use crate::ledger::books::Line;
use crate::ledger::posting::{Entry, EntryKind};
use crate::ledger::{Account, AccountNumber, CustomerKind, Proposal};
use protocol::bank::DirectoryEntry;
use protocol::code::PublicCode;
use protocol::id::Key;
use protocol::key::bank::{KeyCertificate, Usage};
use protocol::money::Units;
use protocol::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A customer's account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountShown {
    /// Its number.
    pub number: AccountNumber,
    /// Who holds it.
    pub kind: CustomerKind,
    /// Its public name.
    pub name: String,
    /// The public code of whoever claimed it.
    pub owner: Option<PublicCode>,
    /// The money on it.
    pub balance: Units,
    /// How much others should take from this payer without the bank.
    pub offline_limit: Units,
    /// When it was opened, in seconds since 1970.
    pub opened: Timestamp,
    /// Since when it is suspended.
    pub suspended: Option<Timestamp>,
    /// What one operator has proposed, until another one confirms it.
    pub proposal: Option<ProposalShown>,
}

/// One operator's wish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProposalShown {
    /// What is to be done.
    pub change: Change,
    /// Who proposes it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, in seconds since 1970.
    pub at: Timestamp,
}

impl ProposalShown {
    fn of(proposal: &Proposal) -> ProposalShown {
        let Proposal { suspend, by, reason, at } = proposal.clone();
        ProposalShown { change: if suspend { Change::Suspend } else { Change::Reinstate }, by, reason, at }
    }
}

impl AccountShown {
    /// A customer's account; `None` for the bank's own.
    pub(crate) fn of(account: &Account) -> Option<AccountShown> {
        Some(AccountShown {
            number: account.number,
            kind: account.customer()?,
            name: account.name.clone(),
            owner: account.member.owner.map(PublicCode::of),
            balance: account.balance(),
            offline_limit: account.offline_limit,
            opened: account.opened,
            suspended: account.member.suspended,
            proposal: account.member.proposal.as_ref().map(ProposalShown::of),
        })
    }
}

/// A journal entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntryShown {
    /// Its number.
    pub number: u64,
    /// When, in seconds since 1970.
    pub at: Timestamp,
    /// What it is about.
    pub kind: EntryKind,
    /// Units moved, or asked for when nothing moved.
    pub units: Units,
    /// The balance after it.
    pub balance: Units,
    /// The operator's reason, or the number of the case or reclaim, if there is one.
    pub reason: String,
    /// The operator's name, if it was one.
    pub by: String,
    /// Whose account; absent for what names nobody.
    pub account: Option<AccountNumber>,
}

impl EntryShown {
    pub(crate) fn of(entry: Entry) -> EntryShown {
        let Entry { number, at, kind, units, balance, reason, by, account, .. } = entry;
        EntryShown { number, at, kind, units, balance, reason, by, account }
    }
}

/// A working key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyShown {
    /// What it may sign: `issue`, `attest`, `bulletin` or `node`.
    pub usage: String,
    /// The epoch that an issue key is named by; 0 for others.
    pub epoch: u32,
    /// The public key.
    pub key: Key,
    /// The first day on which it may sign.
    pub from_day: String,
    /// The last day on which it may sign.
    pub until_day: String,
    /// Whether the private half is here.
    pub private: bool,
}

impl KeyShown {
    pub(crate) fn of(keys: &WorkingKeys, certificate: &KeyCertificate) -> KeyShown {
        let usage = match certificate.usage {
            Usage::Issue => "issue",
            Usage::Attest => "attest",
            Usage::Bulletin => "bulletin",
            Usage::Node => "node",
        };
        KeyShown {
            usage: usage.to_owned(),
            epoch: certificate.epoch,
            key: certificate.key,
            from_day: super::day_text(certificate.from_day),
            until_day: super::day_text(certificate.until_day),
            private: certificate.usage != Usage::Issue || keys.issue.contains_key(&certificate.epoch),
        }
    }
}

/// A line of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum LineShown {
    /// The bank certified somebody, or changed his standing.
    Certificate {
        /// The line's number.
        number: u64,
        /// Whose account.
        owner: PublicCode,
        /// Its public name.
        name: String,
        /// What kind of account.
        kind: String,
        /// Whether it is suspended.
        suspended: bool,
        /// When the certificate ends.
        expires: Timestamp,
    },
    /// Somebody published his keys.
    Identity {
        /// The line's number.
        number: u64,
        /// Whose.
        owner: PublicCode,
        /// The workstation's generation.
        generation: u32,
        /// The record's number.
        sequence: u64,
        /// When the record ends.
        expires: Timestamp,
    },
}

impl LineShown {
    pub(crate) fn of(line: &Line) -> LineShown {
        let number = line.number;
        match &line.entry {
            DirectoryEntry::Certificate(certificate) => {
                let certificate = certificate.unverified();
                LineShown::Certificate {
                    number,
                    owner: PublicCode::of(certificate.owner),
                    name: certificate.name.to_string(),
                    kind: certificate.kind.name().to_owned(),
                    suspended: certificate.standing == protocol::bank::Standing::Suspended,
                    expires: certificate.expires,
                }
            }
            DirectoryEntry::Identity(identity) => {
                let identity = identity.unverified();
                LineShown::Identity {
                    number,
                    owner: PublicCode::of(identity.owner),
                    generation: identity.generation,
                    sequence: identity.sequence,
                    expires: identity.expires,
                }
            }
        }
    }
}
