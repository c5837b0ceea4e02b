//! The way by the payee's mailbox, for a payee who is off (SPEC §4.12, threats X4, Y8).
//!
//! ```text
//! Posted: not sealed ─▶ sealed, the bank is asked to keep it ─▶ in the mailbox ─┬▶ an answer comes: as if it had been sent
//!            │                  └─────────────┬─────────────────────┘           ├▶ collected, no answer: Sent
//!            └▶ TakingBack                    └▶ asked back ─▶ the bank's word ─┴▶ withdrawn: TakingBack
//! ```
//! What is posted has been on no other wire, so the bank's word *withdrawn* says that nobody ever saw the links. A
//! payment that was sent directly and has no answer may lie in the mailbox as well; that one is not asked back.

use super::Wallet;
use super::banking::{BankFlaw, BankOp, OpState, Operation};
use super::change::{Change, Decision, Draft, Effect};
use super::outgoing::{Outgoing, State};
use super::reserve::Piece;
use protocol::bank::{MailFate, MailItem, MailKind, MailWord, envelope_digest};
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::key::bank::Usage;
use protocol::note::Note;
use protocol::pay::{Mode, Order, Request};
use protocol::sign::Signed;
use protocol::time::{DAY_SECONDS, Timestamp};
use protocol::wire::{self, BankAsk, ErrorCode};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// How long a posted payment waits for its payee.
pub const POSTED_SECONDS: u64 = 30 * DAY_SECONDS;
/// A payment that was sent and has no answer for so long is posted as well.
const POST_AFTER_SECONDS: u64 = 60;
/// Most links in the notes of a posted payment: what has more becomes one fresh note, which fits every envelope.
const POSTED_LINKS_MAX: usize = 128;
/// Requests that end sooner than this are replaced by new ones.
const STOCK_SECONDS_LEAST: u64 = 7 * DAY_SECONDS;

/// A payment's way by the mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// Digest of the item, once it is sealed and the bank is asked to keep it.
    pub item: Option<Digest>,
    /// Since when it lies in the mailbox, as the bank has said.
    pub since: Option<Timestamp>,
    /// Until when it can be collected.
    pub until: Timestamp,
    /// Whether it is asked back.
    pub back: bool,
    /// Why the bank did not keep it.
    pub refused: Option<ErrorCode>,
    /// The bank's word on what became of it; kept for ever.
    pub word: Option<Signed<MailWord>>,
}

impl Post {
    /// To be sealed.
    pub(super) fn until(until: Timestamp) -> Post {
        Post { item: None, since: None, until, back: false, refused: None, word: None }
    }

    /// What became of it, if the bank has said so.
    pub fn fate(&self) -> Option<MailFate> {
        self.word.as_ref().map(|word| word.unverified().fate)
    }
}

/// Why a payment is not taken out of the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackRefusal {
    /// It has an outcome, or the payee is being asked.
    #[error("this payment does not wait in a mailbox")]
    NotPosted,
    /// The links have been elsewhere.
    #[error("this payment was sent to the payee's workstation directly: he may have it")]
    Sent,
    /// The bank has issued the money to the payee's key.
    #[error("this payment is certified: the money is the payee's already")]
    Certified,
}

/// The last moment at which all notes can be paid directly, at most `latest`.
pub(super) fn posted_until(notes: &[Note], latest: Timestamp) -> Timestamp {
    let last = notes.iter().map(|note| note.root.unverified().direct_until_day.plus_days(1).start());
    last.fold(latest, Timestamp::min)
}

impl Outgoing {
    /// Whether it is to be sealed for the payee's mailbox: it goes that way, or was sent and has no answer for long.
    pub fn is_to_seal(&self, now: Timestamp) -> bool {
        let waits = now.seconds_since(self.changed) >= POST_AFTER_SECONDS;
        match (&self.state, &self.post) {
            (State::Posted, Some(post)) => post.item.is_none() && !post.back,
            (State::Sent, Some(post)) => post.item.is_none() && post.refused.is_none(),
            (State::Sent, None) => waits && self.may_be_collected(now),
            // For ever: when its time in the mailbox is over it is put there once more.
            (State::Issued, Some(post)) => {
                (post.item.is_none() && post.refused.is_none()) || now.is_past(post.until)
            }
            (State::Issued, None) => waits,
            _ => false,
        }
    }

    fn may_be_collected(&self, now: Timestamp) -> bool {
        let runs = |order: &Signed<Order>| now < order.unverified().expires;
        self.message.is_some() && self.order.as_ref().is_some_and(runs)
    }

    /// Whether the bank is to be asked for it back.
    pub fn is_asked_back(&self) -> bool {
        let asked = self.post.as_ref().filter(|post| post.back && post.item.is_some());
        asked.is_some_and(|post| match self.state {
            State::Posted => true,
            // Nothing hangs on the word: the bank's own says whose the units are.
            State::Reclaiming => post.word.is_none(),
            _ => false,
        })
    }

    /// The item for an envelope of this digest; nothing while there is no order.
    pub fn mail_item(
        &self,
        request: RequestId,
        node: Key,
        envelope: Digest,
        now: Timestamp,
    ) -> Option<MailItem> {
        let order = self.order.as_ref()?;
        let body = order.unverified();
        // Certified money is the payee's whenever he collects it.
        let expires = match body.mode {
            Mode::Direct => body.expires,
            Mode::Certified => now.plus_seconds(POSTED_SECONDS),
        };
        Some(MailItem {
            bank: body.bank,
            request,
            from: body.payer,
            node,
            to: body.payee,
            kind: MailKind::Payment,
            order: order.digest(),
            envelope,
            created: now,
            expires,
        })
    }
}

impl Wallet {
    /// Whether the notes that these pieces become fit the largest envelope of a mailbox.
    pub(super) fn fits_mailbox(&self, pieces: &[Piece]) -> bool {
        let links = |piece: &Piece| self.note(piece.note).map_or(0, |own| own.note.links.len() + 1);
        pieces.iter().map(links).sum::<usize>() <= POSTED_LINKS_MAX
    }

    /// A payment that is whole goes out: into the mailbox alone, or to the payee himself. Certified money is
    /// nobody else's any more, so it takes both ways.
    pub(super) fn on_its_way(&self, draft: &mut Draft, payment: Outgoing) {
        let direct = payment.order.as_ref().is_some_and(|order| order.unverified().mode == Mode::Direct);
        if payment.post.is_some() {
            draft.then(Effect::Seal(payment.id));
        }
        if payment.post.is_some() && direct {
            return draft.put_payment(payment, State::Posted);
        }
        draft.then(Effect::Send(payment.id));
        draft.put_payment(payment, if direct { State::Sent } else { State::Issued });
    }

    /// A payment was sealed: the bank is asked to keep it, with the same bytes until it answers.
    pub fn posted(
        &self,
        id: &PaymentId,
        item: Signed<MailItem>,
        envelope: Vec<u8>,
        now: Timestamp,
    ) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        let body = item.unverified();
        let ours = |payment: &&Outgoing| {
            let order = payment.order.as_ref().map(|order| order.digest());
            let fits = order == Some(body.order) && envelope_digest(&envelope) == body.envelope;
            fits && payment.is_to_seal(now)
        };
        // It may have been asked back, or answered, while it was being sealed.
        let Some(payment) = self.open_payment(id).filter(ours) else { return Decision::new(draft, ()) };
        let mut payment = payment.clone();
        let (request, digest, until) = (body.request, item.digest(), body.expires);
        payment.post = Some(Post { item: Some(digest), ..Post::until(until) });
        let op = BankOp {
            id: request,
            what: Operation::Post(payment.id),
            digest,
            ask: wire::encode(&BankAsk::Mail(item, ByteBuf::from(envelope))),
            amount: payment.amount,
            outcome: None,
            hint: None,
            uses: Vec::new(),
            state: OpState::Asked,
            created: now,
            told: None,
        };
        draft.put_op(op, OpState::Asked);
        draft.put(Change::Outgoing(payment));
        Decision::new(draft, ())
    }

    /// The item of this request lies in the mailbox.
    pub(super) fn mail_kept(&self, draft: &mut Draft, op: &BankOp) -> Result<(), BankFlaw> {
        let Operation::Post(id) = op.what else { return Err(BankFlaw::DoesNotFit) };
        let now = draft.now();
        if let Some(payment) = self.posted_as(&id, &op.digest) {
            let mut payment = payment.clone();
            if let Some(post) = &mut payment.post {
                post.since.get_or_insert(now);
            }
            draft.put(Change::Outgoing(payment));
        }
        draft.put_op(op.clone(), OpState::Done(None));
        Ok(())
    }

    /// The bank does not keep it. What was posted and nothing else is asked back: only the bank's word makes sure
    /// that a late copy of it is not taken after all.
    pub(super) fn not_posted(&self, draft: &mut Draft, id: &PaymentId, code: ErrorCode) {
        let Some(payment) = self.open_payment(id) else { return };
        let mut payment = payment.clone();
        let posted = payment.state == State::Posted;
        let Some(post) = &mut payment.post else { return };
        post.refused = Some(code);
        post.back = posted;
        if posted {
            draft.then(Effect::MailBack(payment.id));
        }
        draft.put(Change::Outgoing(payment));
    }

    /// The bank's word in answer to the item itself: it was asked back before.
    pub(super) fn take_word(
        &self,
        draft: &mut Draft,
        op: &BankOp,
        word: Signed<MailWord>,
    ) -> Result<(), BankFlaw> {
        let Operation::Post(id) = op.what else { return Err(BankFlaw::DoesNotFit) };
        self.hear_of_mail(draft, &id, word).map(drop)
    }

    fn posted_as(&self, id: &PaymentId, item: &Digest) -> Option<&Outgoing> {
        let named = |p: &&Outgoing| p.post.as_ref().is_some_and(|post| post.item.as_ref() == Some(item));
        self.open_payment(id).filter(named)
    }

    /// Takes a payment out of the mailbox, on its owner's word. What is not sealed yet has been nowhere.
    pub fn back_from_mailbox(&self, id: &PaymentId, now: Timestamp) -> Result<Decision<()>, BackRefusal> {
        let mut draft = Draft::at(self, now);
        let payment = self.open_payment(id).ok_or(BackRefusal::NotPosted)?;
        match payment.state {
            State::Posted => self.ask_back(&mut draft, payment),
            // Asked before, and on its way back.
            State::TakingBack(_) if payment.post.as_ref().is_some_and(|post| post.back) => {}
            State::Issued | State::Certifying => return Err(BackRefusal::Certified),
            State::Sent => return Err(BackRefusal::Sent),
            _ => return Err(BackRefusal::NotPosted),
        }
        Ok(Decision::new(draft, ()))
    }

    /// Posted payments that nobody has collected in time: they are asked back without being told to.
    pub fn overdue_mail(&self, now: Timestamp) -> Vec<PaymentId> {
        let over = |p: &&Outgoing| {
            p.state == State::Posted
                && p.post.as_ref().is_some_and(|post| !post.back && now.is_past(post.until))
        };
        self.open_payments().filter(over).map(|p| p.id).collect()
    }

    /// Ends what is still asked of the mailbox for payments that have an outcome, or whose time in it is over.
    pub fn end_posting(&self, now: Timestamp) -> Option<Decision<()>> {
        let mut draft = Draft::at(self, now);
        let wanted = |id: &PaymentId| {
            let post = |p: &Outgoing| p.post.as_ref().is_some_and(|post| !now.is_past(post.until));
            self.open_payment(id).is_some_and(|p| p.state == State::Posted || post(p))
        };
        let idle = |op: &&BankOp| matches!(op.what, Operation::Post(id) if !wanted(&id));
        let ended: Vec<&BankOp> = self.open_bank_ops().filter(idle).collect();
        for op in &ended {
            draft.put_op((*op).clone(), OpState::Refused(ErrorCode::Expired));
        }
        (!ended.is_empty()).then(|| Decision::new(draft, ()))
    }

    fn ask_back(&self, draft: &mut Draft, payment: &Outgoing) {
        let mut payment = payment.clone();
        let Some(post) = &mut payment.post else { return };
        if post.back {
            return;
        }
        post.back = true;
        if post.item.is_none() {
            draft.then(Effect::Refresh);
            return draft.put_payment(payment, State::TakingBack(ErrorCode::Expired));
        }
        draft.then(Effect::MailBack(payment.id));
        draft.put(Change::Outgoing(payment));
    }

    /// What the bank says of a payment's item.
    pub fn mail_word(
        &self,
        id: &PaymentId,
        word: Signed<MailWord>,
        now: Timestamp,
    ) -> Result<Decision<Option<MailFate>>, BankFlaw> {
        let mut draft = Draft::at(self, now);
        let fate = self.hear_of_mail(&mut draft, id, word)?;
        Ok(Decision::new(draft, fate))
    }

    fn hear_of_mail(
        &self,
        draft: &mut Draft,
        id: &PaymentId,
        word: Signed<MailWord>,
    ) -> Result<Option<MailFate>, BankFlaw> {
        let word = self.keys().verify(Usage::Attest, word.unverified().at.day(), word)?;
        if word.bank != self.bank() {
            return Err(BankFlaw::DoesNotFit);
        }
        let posting =
            self.open_bank_ops().find(|op| op.what == Operation::Post(*id) && op.digest == word.item);
        if let Some(op) = posting {
            draft.put_op(op.clone(), OpState::Refused(ErrorCode::Expired));
        }
        let Some(payment) = self.posted_as(id, &word.item) else { return Ok(None) };
        let mut payment = payment.clone();
        if let Some(post) = &mut payment.post {
            post.word = Some(word.signed().clone());
        }
        let fate = word.fate;
        match (fate, payment.state == State::Posted) {
            (MailFate::Withdrawn, true) => {
                // Nobody has seen the links: the units come back through the bank.
                let why = payment.post.as_ref().and_then(|post| post.refused);
                draft.then(Effect::Refresh);
                draft.put_payment(payment, State::TakingBack(why.unwrap_or(ErrorCode::Expired)));
            }
            (MailFate::Collected, true) => {
                draft.then(Effect::Send(payment.id));
                draft.put_payment(payment, State::Sent);
            }
            (_, false) => draft.put(Change::Outgoing(payment)),
        }
        Ok(Some(fate))
    }

    /// The payee has it, as something that he sent shows, but it is no answer yet: he is asked directly, too.
    pub fn was_collected(&self, id: &PaymentId, now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        if let Some(payment) = self.open_payment(id).filter(|p| p.state == State::Posted) {
            draft.then(Effect::Send(payment.id));
            draft.put_payment(payment.clone(), State::Sent);
        }
        Decision::new(draft, ())
    }

    /// The requests that lie at the bank for payers.
    pub fn stock(&self) -> &[Signed<Request>] {
        &self.stock
    }

    /// Those of them that still run for a while and are signed by this node key.
    pub fn good_stock(&self, node: &Key, now: Timestamp) -> Vec<Signed<Request>> {
        let good = |request: &&Signed<Request>| {
            let body = request.unverified();
            body.node == *node && body.expires > now.plus_seconds(STOCK_SECONDS_LEAST)
        };
        self.stock.iter().filter(good).cloned().collect()
    }

    /// Writes down which requests lie at the bank, before they do.
    pub fn set_stock(&self, stock: Vec<Signed<Request>>, now: Timestamp) -> Decision<Vec<Signed<Request>>> {
        let mut draft = Draft::at(self, now);
        if stock != self.stock {
            draft.put(Change::Stock(stock.clone()));
        }
        Decision::new(draft, stock)
    }

    /// Only these are left: the others were handed to payers.
    pub fn stock_left(&self, names: &[RequestId], now: Timestamp) -> Decision<()> {
        let left = self.stock.iter().filter(|request| names.contains(&request.unverified().id)).cloned();
        let mut draft = Draft::at(self, now);
        let left: Vec<Signed<Request>> = left.collect();
        if left.len() != self.stock.len() {
            draft.put(Change::Stock(left));
        }
        Decision::new(draft, ())
    }
}
