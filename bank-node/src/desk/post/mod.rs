//! The mailbox: sealed things left for somebody who is off, and requests left for payers (SPEC §4.12, threats Y8).
//!
//! | item | the sender is told |
//! |---|---|
//! | never handed out | `Withdrawn`, and it will never be handed out |
//! | handed out, be it once | `Collected` |
//!
//! His word is kept and stays the same. Nothing here moves units, so nothing has a journal entry.

mod boxes;
mod requests;

use super::query::examine_query;
use super::{Desk, Reply, Stop};
use crate::ledger::Account;
use crate::ledger::books::{Fault, Tx, View};
use protocol::bank::{MailItem, NodeQuery, Purpose, Standing, envelope_digest};
use protocol::id::{BankId, Key};
use protocol::pay::Request;
use protocol::sign::{Signed, Verified};
use protocol::time::{DAY_SECONDS, Timestamp};
use protocol::wire::{BankAnswer, BankAsk, ErrorCode, MAIL_MAX};
use serde_bytes::ByteBuf;

/// The longest that an item may lie.
pub const MAIL_SECONDS_MAX: u64 = 30 * DAY_SECONDS;
/// Most items in a mailbox.
pub const ITEMS_MAX: usize = 64;
/// Most bytes of envelopes in a mailbox.
pub const BYTES_MAX: u64 = 4 << 20;
/// Most items of one sender in a mailbox.
pub const ITEMS_OF_ONE_MAX: usize = 16;
/// Most items that one sender posts in a day.
pub const POSTED_A_DAY: u32 = 256;
/// Most requests that one payer takes from one payee in a day.
pub const TAKEN_A_DAY: u32 = 8;
/// Items that are taken away in one commit when their time is over.
const SWEPT_AT_ONCE: usize = 128;

/// What is asked of the post, examined.
#[derive(Clone, Debug)]
pub enum PostWork {
    /// Put an envelope into a mailbox.
    Mail(Verified<MailItem>, ByteBuf),
    /// Hand out what lies in one.
    Collect(Verified<NodeQuery>),
    /// Give an item back.
    Back(Verified<NodeQuery>),
    /// Leave requests for payers.
    Leave(Verified<NodeQuery>, Vec<Signed<Request>>),
    /// Hand one out.
    Take(Verified<NodeQuery>),
    /// Take away what nobody has collected in time.
    Sweep,
}

/// What the post can do with a request.
#[derive(Debug)]
pub enum Ready {
    /// Answer it: nothing is to be written.
    Answered(Box<BankAnswer>),
    /// Hand it on.
    Examined(Box<PostWork>),
}

/// Examines what is asked of the post, on what is durable.
pub fn examine(bank: BankId, now: Timestamp, view: &impl View, ask: BankAsk) -> Result<Ready, Stop> {
    let query = |asked, purpose| examine_query(bank, now, view, asked, purpose);
    let work = match ask {
        BankAsk::Mail(item, envelope) => {
            PostWork::Mail(examine_mail(bank, now, view, item, &envelope)?, envelope)
        }
        BankAsk::Collect(asked) => {
            let (account, asked) = query(asked, Purpose::Collect)?;
            if let Some(answer) = boxes::as_before(view, &account, asked.number, now)? {
                return Ok(Ready::Answered(Box::new(answer)));
            }
            PostWork::Collect(asked)
        }
        BankAsk::MailBack(asked) => PostWork::Back(query(asked, Purpose::Withdraw)?.1),
        BankAsk::LeaveRequests(asked, requests) => {
            let (_, asked) = query(asked, Purpose::Leave)?;
            requests::examine_left(now, &asked, &requests)?;
            PostWork::Leave(asked, requests)
        }
        BankAsk::TakeRequest(asked) => PostWork::Take(query(asked, Purpose::Take)?.1),
        _ => return Err(ErrorCode::Unsupported.into()),
    };
    Ok(Ready::Examined(Box::new(work)))
}

/// Whether an item may lie in a mailbox at all; the cheap rules first.
fn examine_mail(
    bank: BankId,
    now: Timestamp,
    view: &impl View,
    asked: Signed<MailItem>,
    envelope: &[u8],
) -> Result<Verified<MailItem>, Stop> {
    let item = asked.unverified();
    if item.bank != bank {
        return Err(ErrorCode::NotMine.into());
    }
    if envelope.len() > MAIL_MAX {
        return Err(ErrorCode::TooBig.into());
    }
    if envelope_digest(envelope) != item.envelope {
        return Err(ErrorCode::Malformed.into());
    }
    let too_long = item.expires.seconds_since(item.created) > MAIL_SECONDS_MAX;
    if now.is_before(item.created) || now.is_past(item.expires) || too_long {
        return Err(ErrorCode::Expired.into());
    }
    if item.from == item.to {
        return Err(ErrorCode::SelfPayment.into());
    }
    let sender = customer(view, &item.from)?;
    // Asked again, an item finds itself before anything that may have changed since is looked at: a workstation that
    // was restored meanwhile, or a suspended one, hears what became of what it had posted.
    let is_known = view.mail_named(&asked.digest())?.is_some_and(|named| named.sender == sender.number);
    if !is_known {
        customer(view, &item.to)?;
        may_post(&sender, &item.node)?;
    }
    let node = item.node;
    asked.verify_by(&node).map_err(|_| ErrorCode::BadSignature.into())
}

fn customer(view: &impl View, owner: &Key) -> Result<Account, Stop> {
    Ok(view.account_of(owner)?.ok_or(ErrorCode::NotFound)?)
}

fn may_post(account: &Account, node: &Key) -> Result<(), Stop> {
    if account.standing() == Standing::Suspended {
        return Err(ErrorCode::Suspended.into());
    }
    if account.member.node != Some(*node) {
        return Err(ErrorCode::OlderGeneration.into());
    }
    Ok(())
}

/// The account behind a query as it is inside the batch: his node key may just have been replaced.
fn asker(tx: &impl Tx, asked: &NodeQuery) -> Result<Account, Stop> {
    let account = customer(tx, &asked.owner)?;
    let same = account.member.node == Some(asked.node);
    if same { Ok(account) } else { Err(ErrorCode::OlderGeneration.into()) }
}

impl Desk<'_> {
    /// Carries it out.
    pub fn post(&self, tx: &mut impl Tx, work: &PostWork) -> Reply {
        match work {
            PostWork::Mail(item, envelope) => self.put_in(tx, item, envelope),
            PostWork::Collect(asked) => self.hand_out(tx, asked),
            PostWork::Back(asked) => self.give_back(tx, asked),
            PostWork::Leave(asked, requests) => self.leave(tx, asked, requests),
            PostWork::Take(asked) => self.take_request(tx, asked),
            PostWork::Sweep => Ok(self.sweep_post(tx).map(|_| BankAnswer::MailKept)?),
        }
    }

    /// Whether there is something in the mailboxes whose time is over.
    pub fn post_is_due(&self, view: &impl View) -> Result<bool, Fault> {
        Ok(!view.mail_ending(self.swept_before(), 1)?.is_empty())
    }
}
