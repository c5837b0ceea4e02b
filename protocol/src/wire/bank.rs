//! Messages of `/stermina/bank/1`, from customers to the bank-node (SPEC §5.3).

use super::hold::{HoldState, Span, StatementLine};
use super::{ErrorCode, Message};
use crate::bank::merkle::Step;
use crate::bank::{
    AccountQuery, Activation, Bulletin, Certificate, Claim, DirectoryEntry, DirectoryHead, Hold, HoldAct,
    Identity, Letter, MailItem, MailWord, NodeQuery, Reclaim, Redemption, Sweep, VaultAppend, VaultHead,
    Withdrawal,
};
use crate::id::{Digest, RequestId};
use crate::key::bank::{KeyCertificate, Revocation};
use crate::money::{Currency, Units};
use crate::note::{NoteTable, Root};
use crate::pay::Request;
use crate::pay::{Defence, Evidence};
use crate::range::Range;
use crate::sign::Signed;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::BTreeSet;

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
    /// Units back whose fate the owner can't know; asked again, it tells how the reclaim stands.
    Reclaim(Signed<Reclaim>, NoteTable),
    /// Chains that go on from reclaimed keys: they cancel the reclaim over their units. Says no name.
    Contest(NoteTable),
    /// Units of one note that were redeemed by somebody else; with the payer's order.
    Claim(Signed<Claim>, NoteTable, Box<Evidence>),
    /// An answer in the case with this number.
    Defend(u64, Defence),
    /// The cases in which the owner has a part.
    Cases(Signed<NodeQuery>),
    /// An envelope for somebody who is off.
    Mail(Signed<MailItem>, ByteBuf),
    /// What lies in the mailbox.
    Collect(Signed<NodeQuery>),
    /// An item back that nobody has collected.
    MailBack(Signed<NodeQuery>),
    /// Requests for payers who come while the payee is off; at most [`REQUESTS_MAX`].
    LeaveRequests(Signed<NodeQuery>, Vec<Signed<Request>>),
    /// A request that the payee left.
    TakeRequest(Signed<NodeQuery>),
    /// More records for the vault.
    VaultAppend(Signed<VaultAppend>, Vec<ByteBuf>),
    /// How far the vault goes.
    VaultHead(Signed<NodeQuery>),
    /// The vault's records after this many.
    VaultRead(Signed<AccountQuery>, u64),
    /// Bulletins after this number.
    Bulletins(u64),
    /// The bank's own word, shown to it: a bank that ends before the letter's number has old books, and stops.
    Witness(Signed<Letter>),
    /// The way from the root with this serial to the digest in the newest bulletin; says no name.
    RootPath(u64),
    /// Keep units of the account for an order.
    Hold(Signed<Hold>),
    /// A word about a hold.
    HoldAct(Signed<HoldAct>),
    /// The holds in which the owner has a part and that changed after a journal entry.
    Holds(Signed<NodeQuery>),
    /// Letters that the bank wrote to the owner without being asked by him, after a journal entry.
    Letters(Signed<NodeQuery>),
    /// Takings to the company; with the list of sales, at most [`super::SALES_MAX`] bytes.
    Sweep(Signed<Sweep>, ByteBuf),
    /// The list of the sweep with this journal entry; for its shop and for whoever got the money.
    SweepList(Signed<AccountQuery>, u64),
    /// What moved money on the account.
    Statement(Signed<AccountQuery>, Span),
    /// The certificates of these epochs' issue keys, at most [`EPOCHS_MAX`]: the bank's lists name only those whose
    /// roots may still be paid directly. Says no name.
    IssueKeys(Vec<u32>),
}

/// Most epochs in one question for issue keys.
pub const EPOCHS_MAX: usize = 64;

/// Most bulletins in a page.
pub const BULLETINS_MAX: usize = 8;
/// In the number of a query for cases: only those in which its owner is asked now.
pub const CASES_ASKED: u64 = 1 << 63;
/// Most requests that a payee can leave for payers.
pub const REQUESTS_MAX: usize = 16;
/// The largest envelope that a mailbox takes.
pub const MAIL_MAX: usize = 64 << 10;

/// How a reclaim stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReclaimState {
    /// Its number at the bank.
    pub number: u64,
    /// When the units come to the account, if nobody has shown a chain that goes on.
    pub closes: Timestamp,
    /// What became of each note's units, in the order of the request.
    pub pieces: Vec<Vec<ReclaimPiece>>,
    /// Once it is closed: what came to the account.
    pub letter: Option<Signed<Letter>>,
}

/// Some units of a reclaim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReclaimPiece {
    /// Which.
    pub range: Range,
    /// What became of them.
    pub fate: ReclaimFate,
}

/// What became of reclaimed units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReclaimFate {
    /// Nobody has shown a chain over them so far.
    Open,
    /// They came to the account.
    Returned,
    /// Whoever had them from the reclaimed key has them: this chain goes on from it.
    Passed(NoteTable),
    /// They were redeemed before by another way: this chain parts above the reclaimed key.
    Clash(NoteTable),
}

/// How a case stands, as its parties see it. It names nobody: who is asked knows that it is he.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseState {
    /// Its number.
    pub case: u64,
    /// What the reader is in it.
    pub part: CasePart,
    /// The units.
    pub range: Range,
    /// The chain that lost, up to the claimant's key.
    pub lost: NoteTable,
    /// The chain that won.
    pub won: NoteTable,
    /// Where it stands.
    pub step: CaseStep,
    /// Paid to the claimant so far.
    pub paid: Units,
    /// The reader's letters about it, oldest first: what he was paid, or what was taken from his account.
    pub letters: Vec<Signed<Letter>>,
}

/// What somebody is in a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CasePart {
    /// It is his claim.
    Claimant,
    /// He is asked about his order for the chain with this many links, with this digest; by then.
    Asked(u8, Digest, Timestamp),
    /// He showed from whom he had the units.
    Heard,
    /// The units are his to pay.
    Liable,
}

/// Where a case stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CaseStep {
    /// Somebody is asked until then; after that he is liable.
    Open(Timestamp),
    /// The claimant gets nothing, for this reason.
    Dismissed(ErrorCode),
    /// Somebody is liable, and so many units are still to be recovered from him.
    Judged(Units),
}

/// An item of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// Its number in this mailbox, rising.
    pub number: u64,
    /// From whom, about what.
    pub item: Signed<MailItem>,
    /// The envelope.
    pub envelope: ByteBuf,
}

/// Bulletins and the keys behind them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulletinPage {
    /// Bulletins after the number asked for, at most [`BULLETINS_MAX`]; the newest alone if that one is too old.
    pub bulletins: Vec<Signed<Bulletin>>,
    /// The bank's working keys, certified by the master key.
    pub keys: Vec<Signed<KeyCertificate>>,
    /// Keys that the master key has revoked.
    pub revoked: Vec<Signed<Revocation>>,
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
    /// How a reclaim stands.
    Reclaim(Box<ReclaimState>),
    /// The chains were looked at; so many units are reclaimed no more.
    Contested(Units),
    /// How cases stand.
    Cases(Vec<CaseState>),
    /// The item lies in the mailbox.
    MailKept,
    /// What lies in the mailbox, and whether there is more.
    Mail(Vec<Parcel>, bool),
    /// What became of an item.
    MailWord(Signed<MailWord>),
    /// The requests with these names lie there for payers now: those of them that were handed out do not.
    RequestsLeft(Vec<RequestId>),
    /// A request of the payee's, or none is left.
    OpenRequest(Option<Box<Signed<Request>>>),
    /// How far the vault goes.
    Vault(VaultHead),
    /// Records of the vault, and how far it goes.
    VaultRecords(Vec<ByteBuf>, VaultHead),
    /// Bulletins.
    Bulletins(Box<BulletinPage>),
    /// The bank knows of what it has signed.
    Noted,
    /// The way from a root up to the digest in the bulletin.
    RootPath(Vec<Step>),
    /// The units are kept; with the letter about it.
    Held(Box<HoldState>, Signed<Letter>),
    /// How a hold stands after the word about it.
    Hold(Box<HoldState>),
    /// How holds stand, in the order in which they changed; and whether there are more.
    Holds(Vec<HoldState>, bool),
    /// Letters in the order of their entries, and whether there are more.
    Letters(Vec<Signed<Letter>>, bool),
    /// The takings are with the company; with the shop's letter about it.
    Swept(Signed<Letter>),
    /// A sweep as its shop signed it, and its list.
    SweepList(Box<Signed<Sweep>>, ByteBuf),
    /// Lines of a statement, and where to go on if there may be more.
    Statement(Vec<StatementLine>, Option<Span>),
    /// The certificates of the epochs asked for, as far as there are any.
    IssueKeys(Vec<Signed<KeyCertificate>>),
    /// `Busy` and `Unavailable` leave it open, and so does `Expired` for a withdrawal: the same bytes may be taken
    /// later. Every other code says that it is not done, for good (SPEC §4).
    Error(ErrorCode),
}

impl BankAnswer {
    /// The epochs whose issue keys one needs to check the roots and chains in it.
    pub fn epochs(&self) -> BTreeSet<u32> {
        let clash = |item: &Item| match item {
            Item::Clash(table) => table.epochs().collect(),
            Item::Paid(_) | Item::Refused(_) => Vec::new(),
        };
        match self {
            BankAnswer::Withdrawn(roots, _) | BankAnswer::Reissued(roots) => {
                roots.iter().map(|root| root.unverified().epoch).collect()
            }
            BankAnswer::Deposited(items, _) => items.iter().flat_map(clash).collect(),
            BankAnswer::Denied(items) => items.iter().flat_map(|(_, item)| clash(item)).collect(),
            BankAnswer::Reclaim(state) => {
                let fates = state.pieces.iter().flatten().map(|piece| &piece.fate);
                let tables = fates.filter_map(|fate| match fate {
                    ReclaimFate::Passed(table) | ReclaimFate::Clash(table) => Some(table),
                    ReclaimFate::Open | ReclaimFate::Returned => None,
                });
                tables.flat_map(NoteTable::epochs).collect()
            }
            BankAnswer::Cases(cases) => {
                cases.iter().flat_map(|case| case.lost.epochs().chain(case.won.epochs())).collect()
            }
            _ => BTreeSet::new(),
        }
    }
}

impl Message for BankAsk {
    const MAX: usize = 256 << 10;
}

impl Message for BankAnswer {
    const MAX: usize = 512 << 10;
}
