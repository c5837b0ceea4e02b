//! Messages of `/stermina/bank/1`, from customers to the bank-node (SPEC §5.3).

use super::{ErrorCode, Message};
use crate::bank::{
    AccountQuery, Activation, Certificate, DirectoryEntry, DirectoryHead, Identity, Letter, Redemption,
    Withdrawal,
};
use crate::id::{Digest, RequestId};
use crate::key::bank::KeyCertificate;
use crate::money::{Currency, Units};
use crate::note::{NoteTable, Root};
use crate::sign::Signed;
use serde::{Deserialize, Serialize};

/// The protocol's name on the network.
pub const PROTOCOL: &str = "/stermina/bank/1";

/// Most directory entries in a page.
pub const ENTRIES_MAX: usize = 256;

/// What is asked of the bank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BankAsk {
    /// The bank's keys and terms.
    Terms,
    /// Claim an account with an activation letter.
    Activate(Signed<Activation>, Signed<Identity>),
    /// Publish a newer identity record.
    Publish(Signed<Identity>),
    /// Account to reserve.
    Withdraw(Signed<Withdrawal>),
    /// Notes to an account; the account's owner signs.
    Deposit(Signed<Redemption>, NoteTable),
    /// Notes to new notes; the signatures in them suffice.
    Reissue(#[serde(with = "serde_bytes")] Vec<u8>, NoteTable),
    /// What became of a request: knowing its digest shows that one has it.
    Status(RequestId, Digest),
    /// The account's balance.
    Balance(Signed<AccountQuery>),
    /// The directory after this many entries.
    Directory(u64),
    /// The bank's own word, shown to it: a bank that ends before the letter's number has old books, and stops.
    Witness(Signed<Letter>),
}

/// What the bank tells everybody about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BankTerms {
    /// Its name.
    pub name: String,
    /// What its units are called.
    pub currency: Currency,
    /// Its working keys, certified by the master key.
    pub keys: Vec<Signed<KeyCertificate>>,
}

/// What became of one note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Item {
    /// Credited.
    Paid(Units),
    /// Not credited.
    Refused(ErrorCode),
    /// Not credited: these redeemed notes share units with it.
    Clash(NoteTable),
}

/// A page of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryPage {
    /// Entries after the number asked for, at most [`ENTRIES_MAX`].
    pub entries: Vec<DirectoryEntry>,
    /// The whole directory's head.
    pub head: Signed<DirectoryHead>,
    /// The bank's working keys, certified by the master key.
    pub keys: Vec<Signed<KeyCertificate>>,
}

/// What the bank answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BankAnswer {
    /// Its keys and terms.
    Terms(BankTerms),
    /// The account is yours.
    Activated(Signed<Certificate>, Signed<Letter>),
    /// The record is in the directory.
    Published,
    /// Debited, and these roots are yours; with the payment letter.
    Withdrawn(Vec<Signed<Root>>, Signed<Letter>),
    /// Not enough funds; with the refusal letter. Nothing moved.
    Declined(Signed<Letter>),
    /// The notes, each paid or not; with the deposit letter.
    Deposited(Vec<Item>, Signed<Letter>),
    /// New roots for the notes.
    Reissued(Vec<Signed<Root>>),
    /// None of the notes was taken: these bytes are done with. Names the notes that break a rule, by their place; if
    /// none does, those that clash.
    Denied(Vec<(u16, Item)>),
    /// The balance.
    Balance(Signed<Letter>),
    /// To a status question: never seen.
    NotSeen,
    /// A page of the directory.
    Directory(Box<DirectoryPage>),
    /// The bank knows of what it has signed.
    Noted,
    /// `Busy` and `Unavailable` leave it open, and so does `Expired` for a withdrawal: the same bytes may be taken
    /// later. Every other code says that it is not done, for good (SPEC §4).
    Error(ErrorCode),
}

impl Message for BankAsk {
    const MAX: usize = 256 << 10;
}

impl Message for BankAnswer {
    const MAX: usize = 512 << 10;
}
