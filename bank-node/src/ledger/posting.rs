//! Double entry and the journal (SPEC §4.9).
//!
//! Every operation that leaves a trace is one [`Entry`] with a number, the numbers have no gaps, and each
//! entry's answer is stored under the request that asked for it. A letter carries the number.

use super::account::{Account, AccountNumber, CASH, DEPOSITS, HELD, OUTSTANDING, Unposted};
use super::books::{Fault, Tx, View};
use protocol::id::{Digest, RequestId};
use protocol::money::Units;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// An account was opened, with what was paid in.
    Open,
    /// Somebody claimed his account.
    Activate,
    /// Cash paid in.
    PayIn,
    /// Cash paid out.
    PayOut,
    /// Account to reserve.
    Withdraw,
    /// A withdrawal or a hold beyond the balance: nothing moved.
    Decline,
    /// Reserve to account.
    Deposit,
    /// Notes became new notes.
    Reissue,
    /// A re-issue met notes that were redeemed before: nothing moved.
    Clash,
    /// The operators suspended the account.
    Suspend,
    /// The operators reinstated it.
    Reinstate,
    /// A new activation letter was made.
    Letter,
    /// A reclaim was filed: nothing moved so far.
    ReclaimFiled,
    /// Somebody showed that reclaimed units had been handed on.
    Contest,
    /// A reclaim was closed: what nobody had shown went to the account.
    Reclaim,
    /// A claim was filed: one case.
    Claim,
    /// Somebody who was asked in a case showed from whom he had the units.
    Heard,
    /// A case ended: the account has to pay.
    Judged,
    /// A case ended: the claimant gets nothing.
    Dismissed,
    /// A case took money from the account.
    Charge,
    /// A case brought money to the account.
    Recovery,
    /// Money was paid into the guarantee.
    GuaranteeIn,
    /// An operator proposed to suspend the account, or to reinstate it.
    Proposal,
    /// An operator got a token.
    OperatorAdded,
    /// An operator's token ended.
    OperatorEnded,
    /// Units of the account are kept for an order.
    Hold,
    /// Buyer or shop disagree about a hold.
    HoldDispute,
    /// The shop told a wrong code for a hold.
    HoldCode,
    /// What was kept for an order went to the shop.
    HoldRelease,
    /// What was kept for an order came back to the buyer.
    HoldReturn,
    /// An operator proposed how to split a disputed hold.
    HoldProposal,
    /// Another operator confirmed it.
    HoldDecision,
    /// A company has a shop of its own.
    Own,
    /// A shop was leased; its caution is kept.
    Lease,
    /// A lease ended.
    EndLease,
    /// What is left of a caution came back to the shop.
    CautionBack,
    /// A part of a caution went to the company.
    CautionKept,
    /// Rent went from the shop to the company.
    RentOut,
    /// Rent came to the company.
    RentIn,
    /// Takings went from the shop to the company.
    SweepOut,
    /// Takings came to the company.
    SweepIn,
    /// A shop was handed over, and this account closed.
    HandOver,
}

/// Who asked: the name under which the answer is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asked {
    /// A customer's request.
    Customer(RequestId),
    /// An operator's idempotency key; `#` and the entry's number when he gave none.
    Operator(String),
}

impl Asked {
    /// The longest key an operator may choose.
    pub const KEY_MAX: usize = 128;
}

/// What was answered, for repeats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Digest of what was asked.
    pub request: Digest,
    /// Digest of the notes that came with it; zero if there were none.
    pub notes: Digest,
    /// The journal entry it belongs to, if there is one.
    pub entry: Option<u64>,
    /// The answer as it went out.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

/// So much from one account's debit side to another's credit side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// Debited.
    pub debit: AccountNumber,
    /// Credited.
    pub credit: AccountNumber,
    /// How much; never zero.
    pub units: Units,
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1 without gaps.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What it is about.
    pub kind: EntryKind,
    /// Whose account; `None` for a re-issue, which does not say who asks.
    pub account: Option<AccountNumber>,
    /// Units moved, or asked for when nothing moved.
    pub units: Units,
    /// What moved between accounts. A re-issue moves nothing: it is owed before and after.
    pub posting: Option<Posting>,
    /// The account's balance after it.
    pub balance: Units,
    /// Where the answer is kept.
    pub asked: Asked,
    /// The operator's reason, if he gave one; the number of the case or hold.
    pub reason: String,
    /// The operator's name, if it was an operator.
    pub by: String,
}

/// An operation, before it has a number.
#[derive(Clone, Debug)]
pub struct Booking {
    /// When.
    pub at: Timestamp,
    /// What it is about.
    pub kind: EntryKind,
    /// Whose account.
    pub account: Option<AccountNumber>,
    /// Units moved or asked for.
    pub units: Units,
    /// Where the answer is kept; `None` gives it a name of its own.
    pub asked: Option<Asked>,
    /// The operator's reason.
    pub reason: String,
    /// The operator's name.
    pub by: String,
}

impl EntryKind {
    /// Whether others have to hear of it at once, by a bulletin.
    pub fn is_news(self) -> bool {
        match self {
            EntryKind::Suspend
            | EntryKind::Reinstate
            | EntryKind::ReclaimFiled
            | EntryKind::Reclaim
            | EntryKind::HandOver => true,
            EntryKind::Open
            | EntryKind::Activate
            | EntryKind::PayIn
            | EntryKind::PayOut
            | EntryKind::Withdraw
            | EntryKind::Decline
            | EntryKind::Deposit
            | EntryKind::Reissue
            | EntryKind::Clash
            | EntryKind::Contest
            | EntryKind::Claim
            | EntryKind::Heard
            | EntryKind::Judged
            | EntryKind::Dismissed
            | EntryKind::Charge
            | EntryKind::Recovery
            | EntryKind::GuaranteeIn
            | EntryKind::Proposal
            | EntryKind::OperatorAdded
            | EntryKind::OperatorEnded
            | EntryKind::Hold
            | EntryKind::HoldDispute
            | EntryKind::HoldCode
            | EntryKind::HoldRelease
            | EntryKind::HoldReturn
            | EntryKind::HoldProposal
            | EntryKind::HoldDecision
            | EntryKind::Lease
            | EntryKind::CautionBack
            | EntryKind::CautionKept
            | EntryKind::Own
            | EntryKind::EndLease
            | EntryKind::RentOut
            | EntryKind::RentIn
            | EntryKind::SweepOut
            | EntryKind::SweepIn
            | EntryKind::Letter => false,
        }
    }

    /// Which accounts an operation of this kind moves money between.
    fn sides(self, account: AccountNumber) -> Option<(AccountNumber, AccountNumber)> {
        match self {
            EntryKind::Open | EntryKind::PayIn | EntryKind::GuaranteeIn => Some((CASH, account)),
            EntryKind::PayOut => Some((account, CASH)),
            EntryKind::Withdraw => Some((account, OUTSTANDING)),
            EntryKind::Deposit | EntryKind::Reclaim => Some((OUTSTANDING, account)),
            EntryKind::Hold => Some((account, HELD)),
            EntryKind::Lease => Some((account, DEPOSITS)),
            EntryKind::CautionBack | EntryKind::CautionKept => Some((DEPOSITS, account)),
            EntryKind::HoldRelease | EntryKind::HoldReturn => Some((HELD, account)),
            EntryKind::Activate
            | EntryKind::Decline
            | EntryKind::Reissue
            | EntryKind::Clash
            | EntryKind::Suspend
            | EntryKind::Reinstate
            | EntryKind::Letter
            | EntryKind::ReclaimFiled
            | EntryKind::Contest
            | EntryKind::Claim
            | EntryKind::Heard
            | EntryKind::Judged
            | EntryKind::Dismissed
            | EntryKind::Charge
            | EntryKind::Recovery
            | EntryKind::Proposal
            | EntryKind::OperatorAdded
            | EntryKind::OperatorEnded
            | EntryKind::HoldDispute
            | EntryKind::HoldCode
            | EntryKind::HoldProposal
            | EntryKind::HoldDecision
            | EntryKind::HandOver
            | EntryKind::Own
            | EntryKind::EndLease
            | EntryKind::RentOut
            | EntryKind::RentIn
            | EntryKind::SweepOut
            | EntryKind::SweepIn => None,
        }
    }
}

impl Posting {
    /// Both accounts after it.
    pub fn apply(self, debit: &Account, credit: &Account) -> Result<(Account, Account), Unposted> {
        Ok((debit.debited(self.units)?, credit.credited(self.units)?))
    }
}

impl Booking {
    /// What it would move.
    pub fn posting(&self) -> Option<Posting> {
        let (debit, credit) = self.kind.sides(self.account?)?;
        (!self.units.is_zero()).then_some(Posting { debit, credit, units: self.units })
    }

    /// Whether the accounts take it, before anything is written.
    pub fn check(&self, tx: &impl Tx) -> Result<Result<(), Unposted>, Fault> {
        let Some(posting) = self.posting() else { return Ok(Ok(())) };
        let (debit, credit) = (known(tx, posting.debit)?, known(tx, posting.credit)?);
        Ok(posting.apply(&debit, &credit).map(|_| ()))
    }

    /// Writes accounts and journal. Whoever calls has made sure that the accounts take it.
    pub fn write(self, tx: &mut impl Tx) -> Result<Entry, Fault> {
        let posting = self.posting();
        self.post(tx, posting)
    }

    /// Takes the units from its account to another customer's or from the guarantee to one.
    pub fn transfer(self, tx: &mut impl Tx, to: AccountNumber) -> Result<Entry, Fault> {
        let from = self.account.ok_or_else(|| Fault::Damaged("a transfer from nobody".to_owned()))?;
        let posting = Posting { debit: from, credit: to, units: self.units };
        self.post(tx, Some(posting))
    }

    fn post(self, tx: &mut impl Tx, posting: Option<Posting>) -> Result<Entry, Fault> {
        if let Some(posting) = posting {
            let (debit, credit) = (known(tx, posting.debit)?, known(tx, posting.credit)?);
            let (debit, credit) =
                posting.apply(&debit, &credit).map_err(|why| Fault::Damaged(why.to_string()))?;
            tx.keep_account(&debit)?;
            tx.keep_account(&credit)?;
        }
        let balance = match self.account {
            Some(number) => known(tx, number)?.balance(),
            None => Units::ZERO,
        };
        let number = next(tx.journal_head()?)?;
        let entry = Entry {
            number,
            at: self.at,
            kind: self.kind,
            account: self.account,
            units: self.units,
            posting,
            balance,
            asked: self.asked.unwrap_or_else(|| Asked::Operator(format!("#{number}"))),
            reason: self.reason,
            by: self.by,
        };
        tx.keep_entry(&entry)?;
        Ok(entry)
    }
}

/// The number after this one.
pub fn next(number: u64) -> Result<u64, Fault> {
    number.checked_add(1).ok_or_else(|| Fault::Damaged("a running number is used up".to_owned()))
}

/// An account that must be there.
pub fn known(tx: &impl View, number: AccountNumber) -> Result<Account, Fault> {
    tx.account(number)?.ok_or_else(|| Fault::Damaged(format!("account {number} is missing")))
}
