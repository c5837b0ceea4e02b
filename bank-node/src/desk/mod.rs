//! The desk: a file for each request, written once over `&mut impl Tx` (SPEC §4).
//!
//! Every request is decided first (all checks, nothing written) and then written, so a refusal leaves no
//! trace but the answer that must be kept. Whatever needs no books is examined before, on as many cores as
//! there are; the books are asked again inside the batch.
//!
//! | answer | kept under the request id |
//! |---|---|
//! | done, `Declined`, `Clash`, `Suspended` | yes: the same for ever, whatever changes later |
//! | other errors about the request itself | no: the same bytes meet the same error again |
//! | `Busy`, `Unavailable` | no: they say nothing about the request |

pub mod activate;
pub mod balance;
pub mod bulletins;
pub mod cash;
pub mod claim;
pub mod counter;
mod debt;
pub mod directory;
pub mod due;
pub mod office;
pub mod open_account;
pub mod operators;
pub mod post;
pub mod publish;
pub mod query;
pub mod reclaim;
pub mod redeem;
pub mod shop;
pub mod standing;
pub mod status;
pub mod vault;
pub mod withdraw;
pub mod witness;

#[cfg(test)]
pub(crate) mod tests;

pub use self::due::Rules;

use crate::keys::WorkingKeys;
use crate::ledger::books::{Fault, Line, Tx, View};
use crate::ledger::posting::next;
use crate::ledger::{Account, Answer, Asked, Issued};
use protocol::bank::{
    Certificate, DirectoryEntry, Identity, Letter, LetterKind, NAME_MAX, Outcome, next_head,
};
use protocol::body::Text;
use protocol::id::{Digest, Key, RequestId};
use protocol::money::Units;
use protocol::note::{DIRECT_DAYS, Root, RootKind};
use protocol::sign::{Signed, Signer};
use protocol::time::{DAY_SECONDS, Timestamp};
use protocol::wire::{self, BankAnswer, ErrorCode};

/// Life of a certificate; it is renewed when its holder publishes an identity record in its last quarter.
pub const CERTIFICATE_DAYS: u64 = 400;

/// What a request needs besides the books.
#[derive(Clone, Copy, Debug)]
pub struct Desk<'k> {
    /// The keys to sign with.
    pub keys: &'k WorkingKeys,
    /// The bank's time.
    pub now: Timestamp,
    /// How long people have.
    pub rules: Rules,
}

/// Why a request ends early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The request breaks a rule; nothing was written.
    Refused(ErrorCode),
    /// The store failed; nobody knows what was written.
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Stop::Fault(fault)
    }
}

impl From<ErrorCode> for Stop {
    fn from(code: ErrorCode) -> Self {
        Stop::Refused(code)
    }
}

/// What a customer is told.
pub type Reply = Result<BankAnswer, Stop>;

/// A refusal is an answer, too; a fault is not.
pub fn settle(reply: Reply) -> Result<BankAnswer, Fault> {
    match reply {
        Ok(answer) => Ok(answer),
        Err(Stop::Refused(code)) => Ok(BankAnswer::Error(code)),
        Err(Stop::Fault(fault)) => Err(fault),
    }
}

/// A request as the stored answers know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its id, chosen by who asks.
    pub id: RequestId,
    /// Digest of the body.
    pub digest: Digest,
    /// Digest of the notes that came with it; zero if there are none.
    pub notes: Digest,
}

impl Question {
    /// A request without notes.
    pub fn plain(id: RequestId, digest: Digest) -> Question {
        Question { id, digest, notes: Digest::default() }
    }

    /// The first answer, if there was one to the very same request (B7).
    pub fn answered(&self, view: &impl View) -> Result<Option<BankAnswer>, Stop> {
        match view.answer_to(&Asked::Customer(self.id))? {
            None => Ok(None),
            Some(answer) if (answer.request, answer.notes) == (self.digest, self.notes) => {
                read_answer(&answer).map(Some)
            }
            // Somebody else's answer is nobody's business (threats H4).
            Some(_) => Err(ErrorCode::IdReused.into()),
        }
    }

    /// Keeps the answer for repeats.
    fn keep(&self, tx: &mut impl Tx, entry: Option<u64>, answer: &BankAnswer) -> Result<(), Fault> {
        let bytes = wire::encode(answer);
        let answer = Answer { request: self.digest, notes: self.notes, entry, bytes };
        tx.keep_answer(&Asked::Customer(self.id), &answer)
    }
}

fn read_answer(answer: &Answer) -> Result<BankAnswer, Stop> {
    let read = wire::decode(&answer.bytes);
    read.map_err(|flaw| Fault::Damaged(format!("a stored answer: {flaw}")).into())
}

/// Refuses keys that nobody could sign with: money sent there would be lost.
fn check_keys(outcomes: &[Outcome]) -> Result<(), Stop> {
    let usable = outcomes.iter().all(|outcome| outcome.to.parse().is_ok());
    if usable { Ok(()) } else { Err(ErrorCode::Malformed.into()) }
}

/// What a letter says.
struct Word {
    number: u64,
    kind: LetterKind,
    owner: Key,
    request: Digest,
    units: Units,
    balance: Units,
}

impl Desk<'_> {
    fn letter(&self, word: &Word) -> Signed<Letter> {
        let Word { number, kind, owner, request, units, balance } = *word;
        let bank = self.keys.bank();
        self.keys.attest.sign(Letter { bank, number, kind, owner, request, units, balance, at: self.now })
    }

    /// The day's issue key, or nothing can be issued today.
    fn issue_key(&self) -> Result<(u32, &Signer), Stop> {
        self.keys.issue_on(self.now.day()).ok_or(Stop::Refused(ErrorCode::Unavailable))
    }

    /// Signs roots for the outcomes of a request and enters them into the register. The ids follow from the
    /// request's digest, and a request has one answer: no id can come twice.
    fn issue(
        &self,
        tx: &mut impl Tx,
        (epoch, signer): (u32, &Signer),
        request: &Digest,
        outcomes: &[Outcome],
        entry: u64,
    ) -> Result<Vec<Signed<Root>>, Fault> {
        let mut roots = Vec::with_capacity(outcomes.len());
        for (index, outcome) in (0u16..).zip(outcomes) {
            let root = signer.sign(Root {
                kind: RootKind::Plain,
                bank: self.keys.bank(),
                serial: next(tx.last_serial()?)?,
                id: Root::id_of(request, index),
                units: outcome.units,
                to: outcome.to,
                epoch,
                issued_day: self.now.day(),
                direct_until_day: self.now.day().plus_days(DIRECT_DAYS),
            });
            tx.keep_issued(&Issued { root: root.clone(), entry })?;
            roots.push(root);
        }
        Ok(roots)
    }

    /// Certifies the account as it stands now, in a new directory line that `account` remembers.
    fn certify(&self, tx: &mut impl Tx, account: &mut Account) -> Result<Option<Signed<Certificate>>, Fault> {
        let (Some(owner), Some(kind)) = (account.member.owner, account.customer()) else { return Ok(None) };
        let name = Text::new(&account.name, NAME_MAX).map_err(|why| Fault::Damaged(why.to_string()))?;
        let sequence = next(tx.directory_head()?.0)?;
        // What is closed is certified for no day any more.
        let days = if account.member.closed.is_some() { 0 } else { CERTIFICATE_DAYS };
        let certificate = self.keys.attest.sign(Certificate {
            bank: self.keys.bank(),
            sequence,
            owner,
            kind: kind.certificate(),
            standing: account.standing(),
            offline_limit: account.offline_limit,
            issued: self.now,
            expires: self.now.plus_seconds(days * DAY_SECONDS),
            name,
        });
        self.add_line(tx, DirectoryEntry::Certificate(certificate.clone()))?;
        account.member.certificate = sequence;
        Ok(Some(certificate))
    }

    /// Enters an identity record into the directory; `account` remembers it.
    fn enter(
        &self,
        tx: &mut impl Tx,
        account: &mut Account,
        identity: &Signed<Identity>,
    ) -> Result<(), Fault> {
        let record = identity.unverified();
        account.member.identity = (record.generation, record.sequence);
        account.member.record = identity.digest();
        account.member.node = Some(record.node);
        self.add_line(tx, DirectoryEntry::Identity(identity.clone()))
    }

    fn add_line(&self, tx: &mut impl Tx, entry: DirectoryEntry) -> Result<(), Fault> {
        let (last, head) = tx.directory_head()?;
        tx.keep_line(&Line { number: next(last)?, head: next_head(&head, &entry), entry })
    }
}
