//! What the mailboxes need of a store, a question each (SPEC §4.12).

use super::account::AccountNumber;
use super::books::Fault;
use protocol::bank::{MailItem, MailWord};
use protocol::id::{Digest, RequestId};
use protocol::pay::Request;
use protocol::sign::Signed;
use protocol::time::{Day, Timestamp};
use serde::{Deserialize, Serialize};

/// A count that begins anew each day.
pub type Today = (Day, u32);

/// What is kept of an account's post besides the items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostBox {
    /// The number of the last item that came in; none is given twice.
    pub last: u64,
    /// How many items its owner has posted today.
    pub posted: Today,
}

/// An item in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Whose mailbox.
    pub account: AccountNumber,
    /// Its number there.
    pub number: u64,
    /// From whom, about what, until when.
    pub item: Signed<MailItem>,
    /// Bytes of its envelope.
    pub size: u64,
    /// When it was first handed out.
    pub handed: Option<Timestamp>,
}

/// What is remembered of an item for ever, by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Who posted it, or asked for it back before it came.
    pub sender: AccountNumber,
    /// The order that it is about; zeros if it never came.
    pub order: Digest,
    /// Where it lies, as long as it does.
    pub place: Option<(AccountNumber, u64)>,
    /// When it was first handed out.
    pub handed: Option<Timestamp>,
    /// When it was taken away without having been handed out.
    pub ended: Option<Timestamp>,
    /// The bank's word on it, once it was asked for.
    pub word: Option<Signed<MailWord>>,
}

/// Reading.
pub trait PostView {
    /// An account's post.
    fn post_box(&self, account: AccountNumber) -> Result<PostBox, Fault>;
    /// Items of a mailbox with higher numbers, in order.
    fn mail_after(&self, account: AccountNumber, number: u64, limit: usize) -> Result<Vec<Held>, Fault>;
    /// An item's envelope.
    fn envelope(&self, account: AccountNumber, number: u64) -> Result<Vec<u8>, Fault>;
    /// The item with this digest.
    fn mail_named(&self, item: &Digest) -> Result<Option<Named>, Fault>;
    /// Items that end before `before`, the oldest first.
    fn mail_ending(&self, before: Timestamp, limit: usize) -> Result<Vec<Held>, Fault>;
    /// The requests that an account's owner has left.
    fn requests_left(&self, account: AccountNumber) -> Result<Vec<Signed<Request>>, Fault>;
    /// The request that was handed out to this query of `taker`'s.
    fn request_taken(&self, taker: AccountNumber, query: RequestId)
    -> Result<Option<Signed<Request>>, Fault>;
    /// Whether a request of this account's owner was handed out.
    fn was_handed_out(&self, payee: AccountNumber, request: RequestId) -> Result<bool, Fault>;
    /// How many requests `taker` has taken from `payee` today.
    fn taken_today(&self, taker: AccountNumber, payee: AccountNumber) -> Result<Today, Fault>;
}

/// Writing.
pub trait PostTx: PostView {
    /// Writes an account's post.
    fn keep_post_box(&mut self, account: AccountNumber, post: &PostBox) -> Result<(), Fault>;
    /// Puts an item into its mailbox.
    fn put_mail(&mut self, held: &Held, envelope: &[u8]) -> Result<(), Fault>;
    /// Writes that an item was handed out.
    fn keep_mail(&mut self, held: &Held) -> Result<(), Fault>;
    /// Takes an item out of its mailbox.
    fn drop_mail(&mut self, held: &Held) -> Result<(), Fault>;
    /// Remembers an item.
    fn keep_named(&mut self, item: &Digest, named: &Named) -> Result<(), Fault>;
    /// Replaces the requests that an account's owner has left.
    fn leave_requests(&mut self, payee: AccountNumber, left: &[Signed<Request>]) -> Result<(), Fault>;
    /// Remembers to whose query a request was handed out, and how many he has taken today.
    fn hand_out(&mut self, taken: &Taken<'_>) -> Result<(), Fault>;
}

/// A request that is handed out.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'r> {
    /// Who gets it.
    pub taker: AccountNumber,
    /// Whose it is.
    pub payee: AccountNumber,
    /// The query that it answers.
    pub query: RequestId,
    /// The request.
    pub request: &'r Signed<Request>,
    /// With this one, so many today.
    pub today: Today,
}
