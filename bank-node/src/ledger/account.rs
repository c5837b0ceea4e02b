//! Accounts: five of the bank itself, the others of customers (SPEC §4.9).

use protocol::bank::{CertificateKind, Standing};
use protocol::id::{Digest, Key, RequestId};
use protocol::money::Units;
use protocol::time::{Day, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// An account's number, as on the activation letter.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct AccountNumber(pub u64);

/// What was paid in over the counter: the bank's one asset.
pub const CASH: AccountNumber = AccountNumber(1);
/// What the bank owes to whoever holds its notes.
pub const OUTSTANDING: AccountNumber = AccountNumber(2);
/// What the operators have set aside to pay claims that nobody else pays.
pub const GUARANTEE: AccountNumber = AccountNumber(3);
/// What the bank keeps for orders: it belongs to buyers until their holds end.
pub const HELD: AccountNumber = AccountNumber(4);
/// What lessees of shops have left with the bank as caution.
pub const DEPOSITS: AccountNumber = AccountNumber(5);
/// Numbers from here on are customers'.
pub const FIRST_CUSTOMER: AccountNumber = AccountNumber(1001);

impl fmt::Display for AccountNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who holds an account.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum CustomerKind {
    /// A person.
    Resident,
    /// A shop's till.
    Shop,
    /// A company.
    Company,
}

impl CustomerKind {
    /// The kind that its certificate states.
    pub fn certificate(self) -> CertificateKind {
        match self {
            CustomerKind::Resident => CertificateKind::Resident,
            CustomerKind::Shop => CertificateKind::Shop,
            CustomerKind::Company => CertificateKind::Company,
        }
    }
}

/// What an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountKind {
    /// [`CASH`]: an asset, grows by debits.
    Cash,
    /// [`OUTSTANDING`]: a liability, grows by credits.
    Outstanding,
    /// [`GUARANTEE`]: a liability, grows by credits.
    Guarantee,
    /// [`HELD`]: a liability, grows by credits.
    Held,
    /// [`DEPOSITS`]: a liability, grows by credits.
    Deposits,
    /// A customer's: a liability, grows by credits.
    Customer(CustomerKind),
}

/// What the bank knows of the person or shop behind an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// How many activation letters were made; only the last one's code counts.
    pub letters: u32,
    /// Hash of the one-time code.
    pub code: Digest,
    /// The owner key, once the account was activated.
    pub owner: Option<Key>,
    /// The request that activated it: its answer is the first answer.
    pub joined: Option<RequestId>,
    /// The directory line with the certificate that counts.
    pub certificate: u64,
    /// Generation and sequence of the identity record that counts.
    pub identity: (u32, u64),
    /// Its digest.
    pub record: Digest,
    /// The node key in it: it signs what the owner's workstation asks while it is locked.
    pub node: Option<Key>,
    /// The day of the last records, and how many came on it.
    pub published: (Day, u32),
    /// The day of the last refusals that were kept, and how many came on it.
    pub refused: (Day, u32),
    /// Since when it is suspended.
    pub suspended: Option<Timestamp>,
    /// What one operator wants of its standing, until another one confirms it.
    pub proposal: Option<Proposal>,
    /// Its reclaims that are open.
    pub reclaims: u32,
    /// Its claims' cases that are open.
    pub claims: u32,
    /// Paid out of the guarantee in its stead, and not recovered.
    pub guaranteed: Units,
    /// The generation that reclaims after a restore were last filed for, and when its first one was.
    #[serde(default)]
    pub restored: (u32, Timestamp),
    /// Its money that is kept for orders: how many holds are open.
    #[serde(default)]
    pub holds: u32,
    /// Others' money that is kept for it: how many holds are open.
    #[serde(default)]
    pub held_for: u32,
    /// Since when it is closed for good: its shop was handed over. It is suspended as well, and never reinstated.
    #[serde(default)]
    pub closed: Option<Timestamp>,
}

/// One operator's wish; it has no effect before another one confirms it (threats X2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// To suspend it, or to reinstate it.
    pub suspend: bool,
    /// Who proposes it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// An account with its running totals.
///
/// The totals are 128 bits wide: they only grow, and somebody who moves the same units to and fro all day
/// must not be able to fill them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its number.
    pub number: AccountNumber,
    /// What it is for.
    pub kind: AccountKind,
    /// Its public name.
    pub name: String,
    /// Sum of everything posted on its debit side.
    pub debits: u128,
    /// Sum of everything posted on its credit side.
    pub credits: u128,
    /// How much others should take from this payer without the bank.
    pub offline_limit: Units,
    /// When it was opened.
    pub opened: Timestamp,
    /// Who is behind it; empty for the bank's own accounts.
    pub member: Membership,
}

/// Why an account does not take a posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unposted {
    /// A balance would fall below zero.
    #[error("the account holds {balance}, less than was asked for")]
    Insufficient {
        /// What is there.
        balance: Units,
    },
    /// A balance would leave 2^53.
    #[error("the bank can't hold that much money")]
    TooMuch,
}

impl Account {
    /// A new account without money.
    pub fn new(number: AccountNumber, kind: AccountKind, name: &str, opened: Timestamp) -> Account {
        Account {
            number,
            kind,
            name: name.to_owned(),
            debits: 0,
            credits: 0,
            offline_limit: Units::ZERO,
            opened,
            member: Membership::default(),
        }
    }

    /// The money on it; `None` if the totals are nonsense, which the audit finds.
    pub fn checked_balance(&self) -> Option<Units> {
        let difference = match self.kind {
            AccountKind::Cash => self.debits.checked_sub(self.credits),
            AccountKind::Outstanding
            | AccountKind::Guarantee
            | AccountKind::Held
            | AccountKind::Deposits
            | AccountKind::Customer(_) => self.credits.checked_sub(self.debits),
        };
        difference.and_then(|d| u64::try_from(d).ok()).and_then(|d| Units::new(d).ok())
    }

    /// The money on it.
    pub fn balance(&self) -> Units {
        self.checked_balance().unwrap_or(Units::ZERO)
    }

    /// The account after `units` on its debit side.
    pub fn debited(&self, units: Units) -> Result<Account, Unposted> {
        let debits = self.debits.checked_add(units.get().into()).ok_or(Unposted::TooMuch)?;
        self.accept(Account { debits, ..self.clone() })
    }

    /// The account after `units` on its credit side.
    pub fn credited(&self, units: Units) -> Result<Account, Unposted> {
        let credits = self.credits.checked_add(units.get().into()).ok_or(Unposted::TooMuch)?;
        self.accept(Account { credits, ..self.clone() })
    }

    fn accept(&self, after: Account) -> Result<Account, Unposted> {
        let shrinks = match after.kind {
            AccountKind::Cash => after.credits > after.debits,
            AccountKind::Outstanding
            | AccountKind::Guarantee
            | AccountKind::Held
            | AccountKind::Deposits
            | AccountKind::Customer(_) => after.debits > after.credits,
        };
        match after.checked_balance() {
            Some(_) => Ok(after),
            None if shrinks => Err(Unposted::Insufficient { balance: self.balance() }),
            None => Err(Unposted::TooMuch),
        }
    }

    /// Whose it is; `None` for the bank's own.
    pub fn customer(&self) -> Option<CustomerKind> {
        match self.kind {
            AccountKind::Customer(kind) => Some(kind),
            AccountKind::Cash
            | AccountKind::Outstanding
            | AccountKind::Guarantee
            | AccountKind::Held
            | AccountKind::Deposits => None,
        }
    }

    /// Its standing.
    pub fn standing(&self) -> Standing {
        if self.member.suspended.is_some() { Standing::Suspended } else { Standing::Active }
    }
}
