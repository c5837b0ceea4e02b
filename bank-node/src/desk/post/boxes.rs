//! Items: in, out, back, and away when their time is over.

use super::{BYTES_MAX, ITEMS_MAX, ITEMS_OF_ONE_MAX, POSTED_A_DAY, SWEPT_AT_ONCE, asker, customer, may_post};
use crate::desk::{Desk, Reply, Stop};
use crate::ledger::books::{Fault, Tx, View};
use crate::ledger::post::{Held, Named, PostBox};
use crate::ledger::{Account, AccountNumber};
use protocol::bank::{MailFate, MailItem, MailWord, NodeQuery};
use protocol::id::Digest;
use protocol::sign::Verified;
use protocol::time::{SKEW_SECONDS, Timestamp};
use protocol::wire::{BankAnswer, ErrorCode, Parcel};
use serde_bytes::ByteBuf;

/// Most bytes of envelopes that are handed out at once.
const PAGE_BYTES: u64 = 192 << 10;

/// What a collection hands out: the oldest that fit a page, and whether there is more.
fn page(view: &impl View, account: AccountNumber, now: Timestamp) -> Result<(Vec<Held>, bool), Fault> {
    let mut held = view.mail_after(account, 0, ITEMS_MAX)?;
    held.retain(|held| !now.is_past(held.item.unverified().expires));
    let mut bytes = 0u64;
    let fits = |held: &&Held| {
        let first = bytes == 0;
        bytes = bytes.saturating_add(held.size.max(1));
        first || bytes <= PAGE_BYTES
    };
    let page: Vec<Held> = held.iter().take_while(fits).cloned().collect();
    let more = page.len() < held.len();
    Ok((page, more))
}

fn handed_out(view: &impl View, (page, more): (Vec<Held>, bool)) -> Result<BankAnswer, Fault> {
    let parcel = |held: Held| {
        let envelope = ByteBuf::from(view.envelope(held.account, held.number)?);
        Ok(Parcel { number: held.number, item: held.item, envelope })
    };
    let parcels: Result<Vec<Parcel>, Fault> = page.into_iter().map(parcel).collect();
    Ok(BankAnswer::Mail(parcels?, more))
}

/// The answer to a collection that changes nothing: nothing new lies there, and nothing is acknowledged.
pub(super) fn as_before(
    view: &impl View,
    account: &Account,
    safe: u64,
    now: Timestamp,
) -> Result<Option<BankAnswer>, Fault> {
    let page = page(view, account.number, now)?;
    let changes = page.0.iter().any(|held| held.handed.is_none() || held.number <= safe);
    if changes { Ok(None) } else { handed_out(view, page).map(Some) }
}

impl Named {
    /// What its sender is told.
    fn fate(&self) -> MailFate {
        if self.handed.is_some() { MailFate::Collected } else { MailFate::Withdrawn }
    }
}

impl Desk<'_> {
    /// The same item again finds itself; once its sender was told what became of it, that is the answer.
    pub(super) fn put_in(&self, tx: &mut impl Tx, item: &Verified<MailItem>, envelope: &[u8]) -> Reply {
        let sender = customer(tx, &item.from)?;
        if let Some(known) = tx.mail_named(&item.digest())? {
            if known.sender != sender.number {
                return Err(ErrorCode::IdReused.into());
            }
            return Ok(known.word.map_or(BankAnswer::MailKept, BankAnswer::MailWord));
        }
        may_post(&sender, &item.node)?;
        let posted = self.one_more(tx, sender.number)?;
        let to = customer(tx, &item.to)?.number;
        let size = u64::try_from(envelope.len()).map_err(|_| ErrorCode::TooBig)?;
        has_room(&tx.mail_after(to, 0, ITEMS_MAX)?, item, size)?;
        // Whoever writes to himself was refused before: these are two boxes.
        tx.keep_post_box(sender.number, &posted)?;
        let post = tx.post_box(to)?;
        let number = crate::ledger::posting::next(post.last)?;
        tx.keep_post_box(to, &PostBox { last: number, ..post })?;
        tx.put_mail(
            &Held { account: to, number, item: item.signed().clone(), size, handed: None },
            envelope,
        )?;
        let named = Named {
            sender: sender.number,
            order: item.order,
            place: Some((to, number)),
            handed: None,
            ended: None,
            word: None,
        };
        tx.keep_named(&item.digest(), &named)?;
        Ok(BankAnswer::MailKept)
    }

    /// One more of what a sender may do a number of times a day.
    fn one_more(&self, tx: &impl Tx, sender: AccountNumber) -> Result<PostBox, Stop> {
        let (today, post) = (self.now.day(), tx.post_box(sender)?);
        let before = if post.posted.0 == today { post.posted.1 } else { 0 };
        if before >= POSTED_A_DAY {
            return Err(ErrorCode::Busy.into());
        }
        Ok(PostBox { posted: (today, before.saturating_add(1)), ..post })
    }

    pub(super) fn hand_out(&self, tx: &mut impl Tx, asked: &NodeQuery) -> Reply {
        let account = asker(tx, asked)?.number;
        for held in tx.mail_after(account, 0, ITEMS_MAX)? {
            // Only what was handed out can be safe with him, whatever he says.
            if held.number <= asked.number && held.handed.is_some() {
                self.forget_place(tx, &held)?;
                tx.drop_mail(&held)?;
            }
        }
        let (mut page, more) = page(tx, account, self.now)?;
        for held in page.iter_mut().filter(|held| held.handed.is_none()) {
            held.handed = Some(self.now);
            tx.keep_mail(held)?;
            let digest = held.item.digest();
            if let Some(named) = tx.mail_named(&digest)? {
                tx.keep_named(&digest, &Named { handed: Some(self.now), ..named })?;
            }
        }
        Ok(handed_out(tx, (page, more))?)
    }

    /// It lies nowhere any more; what became of it stays known.
    fn forget_place(&self, tx: &mut impl Tx, held: &Held) -> Result<(), Fault> {
        let digest = held.item.digest();
        let Some(named) = tx.mail_named(&digest)? else { return Ok(()) };
        let ended = if named.handed.is_none() { Some(self.now) } else { None };
        tx.keep_named(&digest, &Named { place: None, ended, ..named })
    }

    /// The word on an item. One that has not come yet never will: whoever asks may be sure from then on.
    pub(super) fn give_back(&self, tx: &mut impl Tx, asked: &NodeQuery) -> Reply {
        let account = asker(tx, asked)?.number;
        let item = asked.subject;
        let known = match tx.mail_named(&item)? {
            Some(named) if named.sender != account => return Err(ErrorCode::NotFound.into()),
            Some(named) => named,
            None => {
                let posted = self.one_more(tx, account)?;
                tx.keep_post_box(account, &posted)?;
                Named {
                    sender: account,
                    order: Digest::default(),
                    place: None,
                    handed: None,
                    ended: Some(self.now),
                    word: None,
                }
            }
        };
        if let Some(word) = known.word {
            return Ok(BankAnswer::MailWord(word));
        }
        // Dated today: the key that signs it may not have been there when it was handed out.
        let (fate, at) = (known.fate(), self.now);
        let (bank, order) = (self.keys.bank(), known.order);
        let word = self.keys.attest.sign(MailWord { bank, item, order, fate, at });
        let mut named = Named { word: Some(word.clone()), ..known };
        if let (MailFate::Withdrawn, Some((to, number))) = (fate, named.place) {
            let held = tx.mail_after(to, number.saturating_sub(1), 1)?.into_iter().next();
            if let Some(held) = held.filter(|held| held.number == number) {
                tx.drop_mail(&held)?;
            }
            named = Named { place: None, ended: Some(at), ..named };
        }
        tx.keep_named(&item, &named)?;
        Ok(BankAnswer::MailWord(word))
    }

    /// What ended before then is taken away; clocks may differ, so nothing goes early.
    pub(super) fn swept_before(&self) -> Timestamp {
        Timestamp(self.now.0.saturating_sub(SKEW_SECONDS))
    }

    /// Takes away what nobody has collected in time; the word on it can still be asked for.
    pub fn sweep_post(&self, tx: &mut impl Tx) -> Result<usize, Fault> {
        let over = tx.mail_ending(self.swept_before(), SWEPT_AT_ONCE)?;
        for held in &over {
            self.forget_place(tx, held)?;
            tx.drop_mail(held)?;
        }
        Ok(over.len())
    }
}

/// A box holds so many items and bytes, and of one sender so many: nobody fills another's (threats Y8).
fn has_room(held: &[Held], item: &MailItem, size: u64) -> Result<(), Stop> {
    let bytes = held.iter().fold(size, |sum, held| sum.saturating_add(held.size));
    let his = held.iter().filter(|held| held.item.unverified().from == item.from).count();
    let full = held.len() >= ITEMS_MAX || bytes > BYTES_MAX || his >= ITEMS_OF_ONE_MAX;
    if full { Err(ErrorCode::OverLimit.into()) } else { Ok(()) }
}
