//! What operators order: the same rules for every order, and its answer kept under its key for ever (B7).

use super::Desk;
use super::shop::tenure::LeaseTerms;
use super::standing::Change;
use crate::ledger::account::Unposted;
use crate::ledger::books::{Fault, Tx};
use crate::ledger::posting::{Answer, Asked, Entry};
use crate::ledger::{Account, AccountNumber, CustomerKind};
use protocol::body;
use protocol::id::Digest;
use protocol::money::Units;
use serde::{Deserialize, Serialize};

/// The longest reason.
pub const REASON_MAX: usize = 200;

/// What an operator wants done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Open an account.
    Open(Opening),
    /// Make a new activation letter; the old one ends.
    Letter(AccountNumber),
    /// Cash in.
    PayIn(AccountNumber, Units),
    /// Cash out.
    PayOut(AccountNumber, Units),
    /// One operator wants the account's standing changed, for a reason.
    Propose {
        /// Whose.
        account: AccountNumber,
        /// How.
        change: Change,
        /// The operator's name.
        by: String,
        /// Why.
        reason: String,
    },
    /// Another operator confirms it.
    Confirm {
        /// Whose.
        account: AccountNumber,
        /// What was proposed.
        change: Change,
        /// The operator's name.
        by: String,
    },
    /// Cash for the guarantee, and who brought it.
    Guarantee(Units, String),
    /// A new operator, and the digest of his token's secret.
    AddOperator(String, Digest),
    /// An operator's token ends.
    EndOperator(String),
    /// One operator wants a disputed hold split, for a reason.
    ProposeSplit {
        /// Which hold.
        hold: u64,
        /// How much goes back to the buyer.
        to_buyer: Units,
        /// The operator's name.
        by: String,
        /// Why.
        reason: String,
    },
    /// Another operator confirms it.
    ConfirmSplit {
        /// Which hold.
        hold: u64,
        /// What was proposed.
        to_buyer: Units,
        /// The operator's name.
        by: String,
    },
    /// What is ordered of a shop, and the operator's name.
    Shop(ShopOrder, String),
}

/// What operators order of a shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShopOrder {
    /// This company runs it.
    Own {
        /// The shop's account.
        shop: AccountNumber,
        /// The company's.
        company: AccountNumber,
    },
    /// This company leases it out.
    Lease {
        /// The shop's account.
        shop: AccountNumber,
        /// The company's.
        company: AccountNumber,
        /// Caution and rent.
        terms: LeaseTerms,
    },
    /// The lease ends.
    EndLease {
        /// The shop's account.
        shop: AccountNumber,
        /// What the company keeps of the caution.
        kept: Units,
    },
    /// Other people take it over.
    HandOver {
        /// The account that is closed.
        shop: AccountNumber,
        /// The public name of the new one.
        name: String,
    },
}

/// A new account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Who will hold it.
    pub kind: CustomerKind,
    /// Its public name.
    pub name: String,
    /// What is paid in with it.
    pub balance: Units,
    /// How much others should take from this payer without the bank.
    pub offline_limit: Units,
}

/// An operation and the operator's key for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The same key gives the same answer and does nothing again.
    pub key: Option<String>,
    /// What is wanted.
    pub operation: Operation,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The journal entry.
    pub entry: u64,
    /// The account; 0 if it is about none.
    pub account: AccountNumber,
    /// Its balance after it.
    pub balance: Units,
    /// The number of its activation letter, if this was about one.
    pub letter: Option<u32>,
}

/// Why an operation is not done. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// No such account, or one of the bank's own.
    #[error("there is no customer account {0}")]
    NotFound(AccountNumber),
    /// The key was used for something else.
    #[error("the key was used before, for another order: choose a new one")]
    KeyReused,
    /// Not a usable key.
    #[error("a key has 1 to {} visible characters and does not begin with #", Asked::KEY_MAX)]
    BadKey,
    /// Not a usable name.
    #[error("a name has 1 to {} bytes, no control characters, no spaces around it", protocol::bank::NAME_MAX)]
    BadName,
    /// A reason that is too long.
    #[error("a reason has 1 to {REASON_MAX} bytes and no control characters")]
    BadReason,
    /// Nothing is no amount.
    #[error("the amount must be more than nothing")]
    Nothing,
    /// The account does not hold that much.
    #[error("the account holds less than that")]
    Insufficient {
        /// What is there.
        balance: Units,
    },
    /// All the money there can be.
    #[error("the bank can't hold that much money")]
    TooMuch,
    /// The letter has done its work.
    #[error("the account was activated before: it needs no letter")]
    Activated,
    /// It is suspended, or in good standing, already.
    #[error("the account is in that standing already")]
    NoChange,
    /// Nobody has proposed it.
    #[error("nobody has proposed that for this account: propose it first")]
    NotProposed,
    /// Two people decide, not one twice.
    #[error("another operator has to confirm it, not the one who proposed it")]
    SameOperator,
    /// Not a usable name for an operator, or no such operator.
    #[error(
        "an operator's name has 1 to {} bytes without spaces, and is given once; to end one, name one who is there",
        super::operators::NAME_MAX
    )]
    BadOperator,
    /// There is no such hold.
    #[error("there is no hold {0}")]
    NoHold(u64),
    /// The two are still agreed, or it has ended.
    #[error("operators decide a hold only while buyer or shop dispute it")]
    NotDisputed,
    /// More than the hold has left.
    #[error("the hold has less left than that")]
    OverLeft {
        /// What is left.
        left: Units,
    },
    /// The account is closed for good.
    #[error("account {0} is closed")]
    Closed(AccountNumber),
    /// A shop where a company is wanted, or the other way round.
    #[error("account {0} is of another kind: a shop belongs to a company")]
    WrongKind(AccountNumber),
    /// There is a lease.
    #[error("the shop is leased: end the lease first")]
    Leased,
    /// There is no lease.
    #[error("the shop is not leased")]
    NotLeased,
    /// Another company has it.
    #[error("the shop is owned by account {0}")]
    OtherOwner(AccountNumber),
    /// Nobody has it.
    #[error("no company has that shop: say first who owns it")]
    NoCompany,
    /// Rent is owed.
    #[error("rent is owed for the shop: it has to be paid first")]
    Arrears,
    /// Rent of days that are over.
    #[error("the first rent can't be due on a day that is over")]
    BadDay,
    /// What stands in the way of a hand-over.
    #[error("the account can't be closed yet: {0}")]
    Unsettled(String),
}

impl Objection {
    /// The word for programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Objection::NotFound(_) => "account_not_found",
            Objection::KeyReused => "key_reused",
            Objection::BadKey => "bad_key",
            Objection::BadName => "bad_name",
            Objection::BadReason => "bad_reason",
            Objection::Nothing => "nothing",
            Objection::Insufficient { .. } => "insufficient_funds",
            Objection::TooMuch => "too_much",
            Objection::Activated => "already_activated",
            Objection::NoChange => "no_change",
            Objection::NotProposed => "not_proposed",
            Objection::SameOperator => "same_operator",
            Objection::BadOperator => "bad_operator",
            Objection::NoHold(_) => "hold_not_found",
            Objection::NotDisputed => "not_disputed",
            Objection::OverLeft { .. } => "over_left",
            Objection::Closed(_) => "account_closed",
            Objection::WrongKind(_) => "wrong_kind",
            Objection::Leased => "leased",
            Objection::NotLeased => "not_leased",
            Objection::OtherOwner(_) => "other_owner",
            Objection::NoCompany => "no_company",
            Objection::Arrears => "arrears",
            Objection::BadDay => "bad_day",
            Objection::Unsettled(_) => "not_settled",
        }
    }
}

impl From<Unposted> for Objection {
    fn from(why: Unposted) -> Self {
        match why {
            Unposted::Insufficient { balance } => Objection::Insufficient { balance },
            Unposted::TooMuch => Objection::TooMuch,
        }
    }
}

/// A decision of an operator's order: done, refused, or the store failed.
pub type Ordered = Result<Result<Done, Objection>, Fault>;

/// As [`super::Stop`], for operators.
pub(super) enum Halt {
    Objection(Objection),
    Fault(Fault),
}

impl From<Objection> for Halt {
    fn from(objection: Objection) -> Self {
        Halt::Objection(objection)
    }
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Halt::Fault(fault)
    }
}

impl Operation {
    fn digest(&self) -> Digest {
        let bytes = rmp_serde::to_vec(self).expect("an operation is numbers and texts");
        body::digest("operation", &bytes)
    }
}

impl Desk<'_> {
    /// Carries out an operator's order once.
    pub fn order(&self, tx: &mut impl Tx, order: &Order) -> Ordered {
        match self.decide(tx, order) {
            Ok(done) => Ok(Ok(done)),
            Err(Halt::Objection(objection)) => Ok(Err(objection)),
            Err(Halt::Fault(fault)) => Err(fault),
        }
    }

    fn decide(&self, tx: &mut impl Tx, order: &Order) -> Result<Done, Halt> {
        let asked = order.key.as_deref().map(operator_key).transpose()?;
        if let Some(asked) = &asked
            && let Some(answer) = tx.answer_to(asked)?
        {
            return repeat(&answer, &order.operation);
        }
        let Outcome { asked, done } = match &order.operation {
            Operation::Open(opening) => self.open_account(tx, opening, asked)?,
            Operation::Letter(account) => self.new_letter(tx, *account, asked)?,
            Operation::PayIn(account, units) => self.pay_in(tx, *account, *units, asked)?,
            Operation::PayOut(account, units) => self.pay_out(tx, *account, *units, asked)?,
            Operation::Propose { account, change, by, reason } => {
                self.propose(tx, (*account, *change), (by, reason), asked)?
            }
            Operation::Confirm { account, change, by } => self.confirm(tx, (*account, *change), by, asked)?,
            Operation::Guarantee(units, by) => self.fund_guarantee(tx, (*units, by), asked)?,
            Operation::AddOperator(name, secret) => self.add_operator(tx, (name, *secret), asked)?,
            Operation::EndOperator(name) => self.end_operator(tx, name, asked)?,
            Operation::ProposeSplit { hold, to_buyer, by, reason } => {
                self.propose_split(tx, (*hold, *to_buyer), (by, reason), asked)?
            }
            Operation::ConfirmSplit { hold, to_buyer, by } => {
                self.confirm_split(tx, (*hold, *to_buyer), by, asked)?
            }
            Operation::Shop(order, by) => self.order_shop(tx, order, by, asked)?,
        };
        let bytes = rmp_serde::to_vec(&done).map_err(|why| Fault::Damaged(format!("an answer: {why}")))?;
        let request = order.operation.digest();
        let entry = Some(done.entry);
        tx.keep_answer(&asked, &Answer { request, notes: Digest::default(), entry, bytes })?;
        Ok(done)
    }
}

impl Desk<'_> {
    fn order_shop(
        &self,
        tx: &mut impl Tx,
        order: &ShopOrder,
        by: &str,
        asked: Option<Asked>,
    ) -> Result<Outcome, Halt> {
        match order {
            ShopOrder::Own { shop, company } => self.own(tx, (*shop, *company), by, asked),
            ShopOrder::Lease { shop, company, terms } => {
                self.lease(tx, (*shop, *company), *terms, (by, asked))
            }
            ShopOrder::EndLease { shop, kept } => self.end_lease(tx, (*shop, *kept), by, asked),
            ShopOrder::HandOver { shop, name } => self.hand_over(tx, (*shop, name), by, asked),
        }
    }
}

/// What an operation comes to, and where its answer belongs.
pub(super) struct Outcome {
    pub(super) asked: Asked,
    pub(super) done: Done,
}

impl Outcome {
    pub(super) fn of(entry: &Entry, account: &Account, letter: Option<u32>) -> Outcome {
        let done = Done { entry: entry.number, account: account.number, balance: account.balance(), letter };
        Outcome { asked: entry.asked.clone(), done }
    }
}

fn operator_key(key: &str) -> Result<Asked, Objection> {
    let visible = !key.is_empty() && key.chars().all(|c| !c.is_control() && !c.is_whitespace());
    if !visible || key.len() > Asked::KEY_MAX || key.starts_with('#') {
        return Err(Objection::BadKey);
    }
    Ok(Asked::Operator(key.to_owned()))
}

fn repeat(answer: &Answer, operation: &Operation) -> Result<Done, Halt> {
    if answer.request != operation.digest() {
        return Err(Objection::KeyReused.into());
    }
    let done = rmp_serde::from_slice(&answer.bytes);
    done.map_err(|why| Fault::Damaged(format!("a stored answer: {why}")).into())
}

/// A customer's account that must be there.
pub(super) fn customer(tx: &impl Tx, number: AccountNumber) -> Result<Account, Halt> {
    let account = tx.account(number)?.filter(|account| account.customer().is_some());
    account.ok_or_else(|| Objection::NotFound(number).into())
}

/// The same of one that is not closed.
pub(super) fn open_customer(tx: &impl Tx, number: AccountNumber) -> Result<Account, Halt> {
    let account = customer(tx, number)?;
    if account.member.closed.is_some() { Err(Objection::Closed(number).into()) } else { Ok(account) }
}
