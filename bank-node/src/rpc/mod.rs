//! The operators' interface: this contract is its manual (`rpc.discover`, `bank-node -h`).
//!
//! Local only: unix socket for our own user, loopback HTTP with the cookie of this run. Amounts are integers
//! of the smallest unit.

mod cases;
mod gate;
mod office;
mod shops;
mod shown;

#[cfg(test)]
mod tests;

pub use cases::{
    ByNumber, CasePage, CaseShown, Confirmation, Ended, Guarantee, GuaranteeCash, JournalPage, ListAfter,
    OperatorList, OperatorMade, OperatorName, OperatorShown, PieceShown, ReclaimPage, ReclaimShown,
};
pub use gate::OperatorGate;
pub use office::{JournalEvents, Office, Reach, Safe};
pub use shops::{
    ArrearShown, HoldConfirmation, HoldDecision, HoldPage, HoldShown, LeaseShown, LineOfStatement, SaleShown,
    ShopEndLease, ShopHandOver, ShopLease, ShopOwn, ShopPage, ShopShow, ShopShown, StatementAsked,
    StatementPage, SweepDetail, SweepListAsked, SweepPage, SweepShow, SweepShown,
};
pub use shown::{AccountShown, EntryShown, KeyShown, LineShown, ProposalShown};

pub use crate::desk::standing::Change;
use crate::ledger::posting::EntryKind;
use crate::ledger::{AccountNumber, Audit, CustomerKind};
use protocol::id::Key;
use protocol::money::{Currency, Units};
use protocol::node::rpc::{Empty, ErrorInfo, Scope, rpc_contract};
use protocol::time::Day;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the bank's own errors are called.
pub const ERRORS: &[ErrorInfo] = &[
    ErrorInfo {
        code: -4101,
        reason: "account_not_found",
        meaning: "there is no customer account of this number",
    },
    ErrorInfo { code: -4102, reason: "key_reused", meaning: "the key was used before for another order" },
    ErrorInfo { code: -4103, reason: "bad_key", meaning: "the key has no or too many characters, or spaces" },
    ErrorInfo {
        code: -4104,
        reason: "bad_name",
        meaning: "the name is empty, too long, or has control characters",
    },
    ErrorInfo {
        code: -4105,
        reason: "bad_reason",
        meaning: "the reason is empty, too long, or has control characters",
    },
    ErrorInfo { code: -4106, reason: "nothing", meaning: "the amount is zero" },
    ErrorInfo { code: -4107, reason: "insufficient_funds", meaning: "the account holds less than is asked" },
    ErrorInfo { code: -4108, reason: "too_much", meaning: "there would be more than 2^53-1 units" },
    ErrorInfo {
        code: -4109,
        reason: "already_activated",
        meaning: "the account was claimed: it needs no letter",
    },
    ErrorInfo { code: -4110, reason: "no_change", meaning: "the account is in that standing already" },
    ErrorInfo { code: -4111, reason: "not_proposed", meaning: "nobody has proposed that for this account" },
    ErrorInfo { code: -4112, reason: "same_operator", meaning: "who proposed it can't confirm it" },
    ErrorInfo {
        code: -4113,
        reason: "bad_operator",
        meaning: "the operator's name is empty, too long, has spaces, was given before, or is nobody's",
    },
    ErrorInfo { code: -4114, reason: "operator_needed", meaning: "this call needs an operator's token" },
    ErrorInfo { code: -4115, reason: "owner_needed", meaning: "only the owner may do this, not an operator" },
    ErrorInfo {
        code: -4116,
        reason: "case_not_found",
        meaning: "there is no case or reclaim of this number",
    },
    ErrorInfo { code: -4117, reason: "no_backup", meaning: "the backup could not be made, or is not good" },
    ErrorInfo { code: -4130, reason: "hold_not_found", meaning: "there is no hold of this number" },
    ErrorInfo { code: -4131, reason: "not_disputed", meaning: "nobody disputes the hold, or it has ended" },
    ErrorInfo { code: -4132, reason: "over_left", meaning: "the hold has less left than that" },
    ErrorInfo {
        code: -4133,
        reason: "account_closed",
        meaning: "the account is closed for good: its shop was handed over",
    },
    ErrorInfo {
        code: -4134,
        reason: "wrong_kind",
        meaning: "a shop is wanted, or a company, and the account is of another kind",
    },
    ErrorInfo { code: -4135, reason: "leased", meaning: "the shop is leased" },
    ErrorInfo { code: -4136, reason: "not_leased", meaning: "the shop is not leased" },
    ErrorInfo { code: -4137, reason: "other_owner", meaning: "another company has the shop" },
    ErrorInfo { code: -4138, reason: "no_company", meaning: "no company has the shop" },
    ErrorInfo { code: -4139, reason: "arrears", meaning: "rent is owed for the shop" },
    ErrorInfo {
        code: -4140,
        reason: "bad_day",
        meaning: "the first rent would be due on a day that is over",
    },
    ErrorInfo {
        code: -4141,
        reason: "not_settled",
        meaning: "the account can't be closed yet; the message says what is left to settle",
    },
    ErrorInfo { code: -4142, reason: "sweep_not_found", meaning: "there is no sweep of this number" },
    ErrorInfo { code: -4143, reason: "shop_not_found", meaning: "nobody has said whose this shop is" },
    ErrorInfo { code: -4120, reason: "unavailable", meaning: "no room on the disk, or the store has failed" },
];

/// The longest page.
pub const PAGE_MAX: u32 = 500;

rpc_contract! {
    /// The office of a bank-node.
    ///
    /// Every call that moves money takes a key of the caller's choice. The same key gives the same answer for
    /// ever and moves nothing again; with other parameters it is refused.
    pub trait BankOffice, client BankClient,
    title "bank-node", version "1", errors(ERRORS) {
        /// Tells how the bank is.
        "bank.status" (Scope::Read) status(Empty) -> Status;
        /// Opens an account and makes its activation letter.
        ///
        /// The letter is a secret: whoever has it can claim the account, once.
        "account.open" (Scope::Admin) account_open(AccountOpen) -> LetterMade;
        /// Lists customers' accounts by number.
        "account.list" (Scope::Read) account_list(AccountList) -> AccountPage;
        /// Shows an account and its journal entries, the oldest first.
        "account.show" (Scope::Read) account_show(AccountShow) -> Statement;
        /// Makes a new activation letter for an account that nobody has claimed; the one before it ends.
        "account.letter" (Scope::Admin) account_letter(AccountLetter) -> LetterMade;
        /// Books cash that was paid in over the counter.
        "account.pay_in" (Scope::Admin) account_pay_in(Cash) -> Booked;
        /// Books cash that was paid out over the counter.
        "account.pay_out" (Scope::Admin) account_pay_out(Cash) -> Booked;
        /// Proposes to suspend an account, or to reinstate it. Nothing changes before another operator confirms it.
        ///
        /// Needs an operator's token, as the journal names him.
        "standing.propose" (Scope::Admin) standing_propose(Decision) -> Booked;
        /// Confirms what another operator proposed: now it is done, and everybody learns of it.
        "standing.confirm" (Scope::Admin) standing_confirm(Confirmation) -> Booked;
        /// Makes a token for an operator; only the owner of the bank's account on this machine may. Its secret is shown
        /// once.
        "operator.add" (Scope::Admin) operator_add(OperatorName) -> OperatorMade;
        /// Ends an operator's token at once. Only the owner may.
        "operator.end" (Scope::Admin) operator_end(OperatorName) -> Ended;
        /// Lists operators.
        "operator.list" (Scope::Read) operator_list(Empty) -> OperatorList;
        /// Books cash that was paid into the guarantee, out of which claims are paid that nobody else pays.
        "guarantee.pay_in" (Scope::Admin) guarantee_pay_in(GuaranteeCash) -> Booked;
        /// Shows the guarantee: what is in it, the most it pays in one offender's stead, what it has paid.
        "guarantee.show" (Scope::Read) guarantee_show(Empty) -> Guarantee;
        /// Lists cases by number.
        "claim.list" (Scope::Read) claim_list(ListAfter) -> CasePage;
        /// Shows a case: who is asked or liable, until when, what was paid.
        "claim.show" (Scope::Read) claim_show(ByNumber) -> CaseShown;
        /// Lists reclaims by number.
        "reclaim.list" (Scope::Read) reclaim_list(ListAfter) -> ReclaimPage;
        /// Shows a reclaim and what became of its units.
        "reclaim.show" (Scope::Read) reclaim_show(ByNumber) -> ReclaimShown;
        /// Says that a company runs a shop itself: its takings go there.
        "shop.own" (Scope::Admin) shop_own(ShopOwn) -> Booked;
        /// Leases a shop out: takes the caution from its account, and rent by the calendar.
        "shop.lease" (Scope::Admin) shop_lease(ShopLease) -> Booked;
        /// Ends a lease: the company keeps a part of the caution, the rest comes back and pays what rent is owed.
        "shop.end_lease" (Scope::Admin) shop_end_lease(ShopEndLease) -> Booked;
        /// Closes a shop's account for good and opens another one for the same company; the answer is its letter.
        "shop.hand_over" (Scope::Admin) shop_hand_over(ShopHandOver) -> LetterMade;
        /// Shows a shop: its company, its lease, what rent it owes.
        "shop.show" (Scope::Read) shop_show(ShopShow) -> ShopShown;
        /// Lists shops by account.
        "shop.list" (Scope::Read) shop_list(ListAfter) -> ShopPage;
        /// Lists shops that owe rent, at most 500.
        "shop.arrears" (Scope::Read) shop_arrears(Empty) -> ShopPage;
        /// Lists holds by number.
        "hold.list" (Scope::Read) hold_list(ListAfter) -> HoldPage;
        /// Shows a hold: what is kept, where the rest went, who disagrees.
        "hold.show" (Scope::Read) hold_show(ByNumber) -> HoldShown;
        /// Proposes how to split a disputed hold. Nothing moves before another operator confirms it.
        ///
        /// Needs an operator's token, as the journal names him.
        "hold.propose" (Scope::Admin) hold_propose(HoldDecision) -> Booked;
        /// Confirms what another operator proposed: the money goes where it says.
        "hold.confirm" (Scope::Admin) hold_confirm(HoldConfirmation) -> Booked;
        /// Lists a shop's sweeps by number.
        "sweep.list" (Scope::Read) sweep_list(SweepListAsked) -> SweepPage;
        /// Shows a sweep with its list of sales.
        "sweep.show" (Scope::Read) sweep_show(SweepShow) -> SweepDetail;
        /// Shows what moved money on an account, the newest first, with the other party's name.
        "account.statement" (Scope::Read) account_statement(StatementAsked) -> StatementPage;
        /// Lists the journal: who did what, when and why.
        "journal.list" (Scope::Read) journal_list(ListAfter) -> JournalPage;
        /// Recomputes every invariant of the books.
        "audit.run" (Scope::Read) audit_run(Empty) -> Audit;
        /// Copies the books into a new folder while the bank goes on, then reads, audits and compares the copy.
        ///
        /// It goes on when the caller does not wait any more. A folder whose name begins with a dot is no backup. Only the
        /// owner may, one at a time.
        "backup.make" (Scope::Admin) backup_make(BackupAsked) -> BackupMade;
        /// Lists the working keys.
        "keys.list" (Scope::Read) keys_list(Empty) -> KeyList;
        /// Lists the directory: certificates and identity records, the oldest first.
        "directory.list" (Scope::Read) directory_list(DirectoryList) -> DirectoryShown;
    }
}

/// How the bank is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// What its units are called.
    pub currency: Currency,
    /// Its id.
    pub bank: String,
    /// The master key by which customers know it.
    pub master: Key,
    /// Its key on the network.
    pub node: Key,
    /// Where customers reach it, as in activation letters.
    pub addresses: Vec<String>,
    /// Customers connected now.
    pub connected: u64,
    /// The bank's day.
    pub day: String,
    /// The same in days since 1970.
    pub today: Day,
    /// Whether notes can be issued today.
    pub issuing: bool,
    /// Days from today on that have an issue key.
    pub issue_days_left: u32,
    /// The number of the last journal entry.
    pub journal: u64,
    /// The number of the last directory line.
    pub directory: u64,
    /// What the operators should do, if anything.
    pub advice: Option<String>,
}

/// Parameters of `account.open`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountOpen {
    /// Who will hold it.
    pub kind: CustomerKind,
    /// Its public name, at most 48 bytes.
    pub name: String,
    /// What is paid in with it.
    pub balance: Units,
    /// How much others should take from this payer without the bank.
    pub offline_limit: Units,
    /// The caller's key.
    pub key: String,
}

/// What `account.open` and `account.letter` answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LetterMade {
    /// The account's number.
    pub account: AccountNumber,
    /// The activation letter as one line, for a QR or for paper.
    pub letter_uri: String,
    /// The account's balance.
    pub balance: Units,
}

/// Parameters of `account.list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountList {
    /// Only accounts with higher numbers.
    #[serde(default)]
    pub after: u64,
    /// At most so many (1 to 500); 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A page of accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountPage {
    /// The accounts, by number.
    pub accounts: Vec<AccountShown>,
    /// Whether there are more: ask again after the last number.
    pub more: bool,
}

/// Parameters of `account.show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountShow {
    /// The account's number.
    pub account: AccountNumber,
    /// Only journal entries with higher numbers.
    #[serde(default)]
    pub after: u64,
    /// At most so many (1 to 500); 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// An account and its journal entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Statement {
    /// The account.
    pub account: AccountShown,
    /// Its entries, the oldest first.
    pub entries: Vec<EntryShown>,
    /// Whether there are more: ask again after the last number.
    pub more: bool,
}

/// Parameters of `account.letter`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountLetter {
    /// The account's number.
    pub account: AccountNumber,
    /// The caller's key; without one, each call makes another letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Parameters of `account.pay_in` and `account.pay_out`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cash {
    /// The account's number.
    pub account: AccountNumber,
    /// How much.
    pub units: Units,
    /// The caller's key.
    pub key: String,
}

/// Parameters of `standing.propose`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The account's number.
    pub account: AccountNumber,
    /// What is to be done.
    pub change: Change,
    /// Why, for the journal; at most 200 bytes.
    pub reason: String,
    /// The caller's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Parameters of `backup.make`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupAsked {
    /// The folder that holds the backups: an absolute path on the bank's machine.
    pub to: String,
    /// Whether to put the working keys into it; whoever has them can sign as the bank.
    #[serde(default)]
    pub keys: bool,
}

/// A backup that was made and verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupMade {
    /// Its folder.
    pub folder: String,
    /// The newest journal entry in it.
    pub journal: u64,
    /// The redo log's frame up to which it goes.
    pub frame: u64,
    /// That frame's digest.
    pub frame_digest: protocol::id::Digest,
    /// BLAKE3 of the books in it.
    pub books: protocol::id::Digest,
    /// Whether the working keys are in it.
    pub keys: bool,
}

/// What was booked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Booked {
    /// The number of the journal entry.
    pub entry: u64,
    /// The account's number.
    pub account: AccountNumber,
    /// Its balance after it.
    pub balance: Units,
}

/// The working keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyList {
    /// The keys, issue keys by day first.
    pub keys: Vec<KeyShown>,
}

/// Parameters of `directory.list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectoryList {
    /// Only lines with higher numbers.
    #[serde(default)]
    pub after: u64,
    /// At most so many (1 to 500); 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A page of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DirectoryShown {
    /// The lines in order.
    pub lines: Vec<LineShown>,
    /// How many lines there are in all.
    pub sequence: u64,
    /// The running digest over all of them.
    pub head: protocol::id::Digest,
}

/// An event of the bank: each journal entry is one, its number is the event's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// The journal entry's number.
    pub seq: u64,
    /// What it is about.
    pub kind: EntryKind,
    /// When, in seconds since 1970.
    pub at: u64,
    /// Whose account; absent for a re-issue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountNumber>,
    /// Units moved or asked for.
    pub units: Units,
    /// The account's balance after it.
    pub balance: Units,
}

/// Shown days read as dates.
pub(crate) fn day_text(day: Day) -> String {
    day.to_string()
}
