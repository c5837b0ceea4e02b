//! What the wallet asks of its store: the asker owns the questions.
//!
//! A commit is one transaction: all of a batch's changes or none. The trait is synchronous, so that rules
//! need no `await`; who answers is decided elsewhere.

use super::banking::BankOp;
use super::change::{Answered, Change, Event};
use super::history::Entry;
use super::paying::Outgoing;
use super::receiving::{Incoming, RequestRecord};
use super::reserve::OwnNote;
use protocol::bank::Letter;
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::sign::Signed;

/// The disk failed us. Whether the last commit is on it is unknown until it is opened again.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    /// No room.
    #[error("the disk is full: make room and start again; nothing acknowledged is lost")]
    Full,
    /// Another error of the disk or the database.
    #[error("the store failed ({0}): start again; nothing acknowledged is lost")]
    Broken(String),
    /// Another version of this program made the file.
    #[error(
        "the wallet was made by {} version of sterminad: its file has form {found}, and this version reads form {ours}; nothing \
         was changed. Open it with the version that made it. If that is gone, stermina restore brings the workstation back \
         from the bank, as far as its vault goes", if found < ours { "an earlier" } else { "a later" }
    )]
    Version {
        /// What the file has.
        found: u32,
        /// What this program reads.
        ours: u32,
    },
    /// Something on disk that this program did not write.
    #[error("the store holds something unreadable in «{0}»: restore from a backup")]
    Unreadable(&'static str),
}

/// Which lines of the history are wanted: newest first.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Lines before this number; all when none is given.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// Durable state of one wallet.
pub trait Store: Send + Sync + 'static {
    /// Makes all changes durable, or none.
    fn commit(&self, changes: &[Change]) -> Result<(), StoreFault>;

    /// What a caller's key stands for.
    fn answered(&self, method: &str, key: &str) -> Result<Option<Answered>, StoreFault>;

    /// A payment that went out.
    fn outgoing(&self, id: &PaymentId) -> Result<Option<Outgoing>, StoreFault>;

    /// A payment that came in.
    fn incoming(&self, payer: &Key, id: &PaymentId) -> Result<Option<Incoming>, StoreFault>;

    /// A request of ours, if it is on record.
    fn request(&self, id: &RequestId) -> Result<Option<RequestRecord>, StoreFault>;

    /// A request to the bank.
    fn bank_op(&self, id: &RequestId) -> Result<Option<BankOp>, StoreFault>;

    /// Every note, live or spent, that we hold or held over a root.
    fn notes_over(&self, root: &Digest) -> Result<Vec<OwnNote>, StoreFault>;

    /// A page of the history, newest first.
    fn history(&self, page: Page) -> Result<Vec<Entry>, StoreFault>;

    /// Events after a number, oldest first.
    fn events(&self, since: u64, limit: usize) -> Result<Vec<Event>, StoreFault>;

    /// A letter of the bank by its number.
    fn letter(&self, number: u64) -> Result<Option<Signed<Letter>>, StoreFault>;

    /// A page of the bank's letters, newest first.
    fn letters(&self, page: Page) -> Result<Vec<Signed<Letter>>, StoreFault>;
}
