//! What the rules ask of a store: each question named after the rule that asks it.
//!
//! All synchronous: a store that is not has a thread of its own. A [`Tx`] sees its own writes; nothing of
//! it is there until [`Books::in_one_commit`] has returned.

use super::account::{Account, AccountNumber};
use super::cases::{CaseTx, CaseView, DueTx, DueView};
use super::holds::{HoldTx, HoldView};
use super::letters::{LetterTx, LetterView};
use super::outstanding::{Issued, Redeemed};
use super::post::{PostTx, PostView};
use super::posting::{Answer, Asked, Entry};
use super::reclaims::{ReclaimTx, ReclaimView};
use super::sweeps::{SweepTx, SweepView};
use super::tenure::{TenureTx, TenureView};
use super::vault::{VaultTx, VaultView};
use protocol::bank::{Bulletin, DirectoryEntry, Letter};
use protocol::id::{Digest, Key};
use protocol::sign::Signed;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The disk's fault or the books': nobody's request is to blame, and the program has to stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The store does not work.
    #[error("the store failed: {0}")]
    Store(String),
    /// The store works, but what is in it breaks a rule.
    #[error("the books are damaged: {0}")]
    Damaged(String),
    /// Another version of this program made the books.
    #[error(
        "the books were made by {} version of bank-node: they have format {books}, and this version reads format {ours}; \
         nothing was changed. Open them with the version that made them, or make a new bank in another folder: \
         bank-node --home DIR init", if books < ours { "an earlier" } else { "a later" }
    )]
    Format {
        /// What the books have.
        books: u8,
        /// What this program reads.
        ours: u8,
    },
    /// The bank's own signature is under a higher number: these are old books (threats X7).
    #[error(
        "the books end at journal entry {entry}, and the bank was shown a letter of its own for entry {}: they are an old \
         copy, and redeem what was redeemed before, or the letter was signed with a stolen key. bank-node run says what to do",
        letter.unverified().number
    )]
    Behind {
        /// Where the books end.
        entry: u64,
        /// What was shown.
        letter: Box<Signed<Letter>>,
    },
}

/// A line of the directory as the bank keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its number, from 1 without gaps.
    pub number: u64,
    /// What it says.
    pub entry: DirectoryEntry,
    /// The running digest after it.
    pub head: Digest,
}

/// An operator and his token. The secret itself is not kept, only its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// His name, as the journal shows it.
    pub name: String,
    /// Digest of the token's secret.
    pub secret: Digest,
    /// Since when.
    pub since: Timestamp,
    /// When his token ended, if it has.
    pub ended: Option<Timestamp>,
}

/// Reading.
pub trait View:
    ReclaimView + CaseView + DueView + VaultView + PostView + HoldView + LetterView + TenureView + SweepView
{
    /// The account of this number.
    fn account(&self, number: AccountNumber) -> Result<Option<Account>, Fault>;
    /// The account that this owner key has activated.
    fn account_of(&self, owner: &Key) -> Result<Option<Account>, Fault>;
    /// Accounts with higher numbers, in order.
    fn accounts_after(&self, number: AccountNumber, limit: usize) -> Result<Vec<Account>, Fault>;
    /// The highest account number.
    fn last_account(&self) -> Result<AccountNumber, Fault>;
    /// What was answered before.
    fn answer_to(&self, asked: &Asked) -> Result<Option<Answer>, Fault>;
    /// The number of the last journal entry, 0 before the first.
    fn journal_head(&self) -> Result<u64, Fault>;
    /// Journal entries with higher numbers, in order.
    fn entries_after(&self, number: u64, limit: usize) -> Result<Vec<Entry>, Fault>;
    /// An account's journal entries with higher numbers, in order.
    fn entries_of(&self, account: AccountNumber, after: u64, limit: usize) -> Result<Vec<Entry>, Fault>;
    /// The last of an account's journal entries with a number below `below`.
    fn entry_before(&self, account: AccountNumber, below: u64) -> Result<Option<Entry>, Fault>;
    /// The serial of the last root, 0 before the first.
    fn last_serial(&self) -> Result<u64, Fault>;
    /// The root of this serial.
    fn issued(&self, serial: u64) -> Result<Option<Issued>, Fault>;
    /// Roots with higher serials, in order.
    fn issued_after(&self, serial: u64, limit: usize) -> Result<Vec<Issued>, Fault>;
    /// The redeemed interval of a root with the highest start below `below`: the double-spend rule's question.
    fn redeemed_before(&self, serial: u64, below: u64) -> Result<Option<Redeemed>, Fault>;
    /// Redeemed intervals from (serial, start) on, in order.
    fn redeemed_from(&self, serial: u64, start: u64, limit: usize) -> Result<Vec<Redeemed>, Fault>;
    /// The operator of this name.
    fn operator(&self, name: &str) -> Result<Option<Operator>, Fault>;
    /// All operators, those whose tokens ended, too, by name.
    fn operators(&self) -> Result<Vec<Operator>, Fault>;
    /// Number and running digest of the directory's last line; 0 and zeros before the first.
    fn directory_head(&self) -> Result<(u64, Digest), Fault>;
    /// Directory lines with higher numbers, in order.
    fn directory_after(&self, number: u64, limit: usize) -> Result<Vec<Line>, Fault>;
    /// The newest bulletin.
    fn last_bulletin(&self) -> Result<Option<Signed<Bulletin>>, Fault>;
    /// Bulletins with higher numbers, in order.
    fn bulletins_after(&self, number: u64, limit: usize) -> Result<Vec<Signed<Bulletin>>, Fault>;
}

/// Writing; all of a batch or nothing.
pub trait Tx:
    View + ReclaimTx + CaseTx + DueTx + VaultTx + PostTx + HoldTx + LetterTx + TenureTx + SweepTx
{
    /// Writes an account, and finds it by its owner from now on.
    fn keep_account(&mut self, account: &Account) -> Result<(), Fault>;
    /// Writes an answer.
    fn keep_answer(&mut self, asked: &Asked, answer: &Answer) -> Result<(), Fault>;
    /// Appends to the journal.
    fn keep_entry(&mut self, entry: &Entry) -> Result<(), Fault>;
    /// Enters a root into the register.
    fn keep_issued(&mut self, issued: &Issued) -> Result<(), Fault>;
    /// Enters a redeemed interval.
    fn keep_redeemed(&mut self, redeemed: &Redeemed) -> Result<(), Fault>;
    /// Writes an operator.
    fn keep_operator(&mut self, operator: &Operator) -> Result<(), Fault>;
    /// Appends to the directory.
    fn keep_line(&mut self, line: &Line) -> Result<(), Fault>;
    /// Appends to the bulletins.
    fn keep_bulletin(&mut self, bulletin: &Signed<Bulletin>) -> Result<(), Fault>;
}

/// A store.
pub trait Books: Send + Sync + 'static {
    /// How it is read.
    type Snapshot: View + Send;
    /// How it is written.
    type Tx<'t>: Tx;

    /// What is durable now; later commits do not change it.
    fn snapshot(&self) -> Result<Self::Snapshot, Fault>;

    /// Carries out `work` and makes all of it durable. After a fault nothing may be assumed, neither that it
    /// was kept nor that it was not: the store has to be opened again and asked.
    fn in_one_commit<T>(&self, work: impl FnOnce(&mut Self::Tx<'_>) -> Result<T, Fault>) -> Result<T, Fault>;

    /// Remembers for good that the bank has given its word up to this journal entry in a bulletin: books that end before
    /// it are never opened again. Returns when it is durable; the word may leave then.
    fn said(&self, entry: u64) -> Result<(), Fault>;

    /// Keeps a letter of the bank's own that is above the books' end. Its number counts as long as the key under it does.
    fn witnessed(&self, letter: &Signed<Letter>) -> Result<(), Fault>;
}
