//! What comes in by the mailbox: collected, opened, handled as if it had come directly, answered (SPEC §4.12).
//!
//! ```text
//! collect ─▶ open, check ─┬▶ payment ─▶ the checks of §3.3 ─▶ answer: to the payer himself, else into his mailbox
//!                         ├▶ answer, confirmation ─▶ the payment it is about
//!                         └▶ nonsense: dropped
//! safe here, answered ─▶ acknowledged with the next collection, and only then the bank forgets it
//! ```
//! Nothing of it is kept here but in memory: after a crash the bank hands out again what was not acknowledged, and
//! the same order gets the same answer.

use super::by_mail::{Mailed, mail_to};
use super::contact::Contacts;
use super::handle::{Engine, Shared};
use super::inbound::Inbox;
use super::link::BankLink;
use super::mailing::MailInput;
use protocol::bank::{MailKind, Purpose, envelope_digest};
use protocol::id::{Digest, Key, PaymentId};
use protocol::node::net::Net;
use protocol::pay::Mode;
use protocol::seal::{self, Opened, SealFlaw, ViewKey};
use protocol::time::Timestamp;
use protocol::wire::{self, BankAnswer, BankAsk, ErrorCode, Letterhead, Parcel, PayAnswer, PayAsk};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How often the mailbox is looked into while the bank is in reach.
const COLLECT_EVERY: Duration = Duration::from_secs(60);
/// After so many looks an item that can't be taken just now is answered with what stands in its way; what stands in
/// ours is not counted.
const LOOKS_MAX: u32 = 20;
/// How long a refusal waits for the vault; after that the item is looked at again later, and answered the same.
const VAULT_WAIT: Duration = Duration::from_secs(20);
/// How often requests are left again, whether or not one was handed out.
const LEAVE_EVERY: Duration = Duration::from_secs(3600);

/// What the mailbox looks like from here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailState {
    /// When it was last looked into.
    pub looked: Option<Timestamp>,
    /// Items that lie in it and could not be handled yet.
    pub waiting: u64,
    /// Requests of ours that lie at the bank.
    pub requests: u64,
}

/// The mailbox as tasks share it.
#[derive(Debug, Default)]
pub struct MailWindow {
    state: Mutex<MailState>,
    wanted: Notify,
}

impl MailWindow {
    /// How it looks.
    pub fn state(&self) -> MailState {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks into it at once: what stood in the way of its mail may be gone.
    pub fn look_again(&self) {
        self.wanted.notify_one();
    }

    fn set(&self, change: impl FnOnce(&mut MailState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Fetches and handles mail.
pub struct Mailroom {
    engine: Engine,
    contacts: Arc<Contacts>,
    link: Arc<BankLink>,
    inbox: Arc<Inbox>,
    /// How often each item was looked at that could not be handled.
    looks: HashMap<Digest, u32>,
    /// Handled, and not acknowledged yet because something before it waits: not answered a second time.
    handled: HashSet<Digest>,
    left_at: Option<Duration>,
    /// Whether a refusal has waited for the vault in vain in this round: the others do not wait as well.
    vault_lags: bool,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handled {
    /// It is safe here and answered, or it is nothing.
    Done,
    /// Not just now, for what it is.
    Later,
    /// Not just now, for what we are: no look is counted.
    Hindered,
}

impl Mailroom {
    /// A mailroom that brings what it collects to `inbox`.
    pub fn new(engine: Engine, contacts: Arc<Contacts>, link: Arc<BankLink>, inbox: Arc<Inbox>) -> Mailroom {
        Mailroom {
            engine,
            contacts,
            link,
            inbox,
            looks: HashMap::new(),
            handled: HashSet::new(),
            left_at: None,
            vault_lags: false,
        }
    }

    fn shared(&self) -> &Shared {
        &self.engine.shared
    }

    /// Looks into the mailbox whenever the bank comes into reach, and now and then, for ever.
    pub async fn run(mut self, net: Net) {
        let mut status = net.status();
        let shared = self.engine.shared.clone();
        let mut ticks = tokio::time::interval(COLLECT_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut was_there = false;
        loop {
            let due = tokio::select! {
                _ = ticks.tick() => true,
                () = shared.mail.wanted.notified() => true,
                changed = status.changed() => match changed {
                    Ok(()) => false,
                    Err(_) => return,
                },
            };
            let is_there = status.borrow_and_update().bootstrap;
            let came = is_there && !was_there;
            was_there = is_there;
            if came {
                // Whose letters these are, and the bank's keys of the day: the directory says it.
                self.link.sync_directory().await;
                // Whoever was off for days takes less until he has heard the bank, and his mail would be sent back.
                super::bulletins::pull_all(&self.engine, &self.link).await;
            }
            if is_there && (came || due) {
                let paid = self.collect().await;
                self.leave(paid).await;
            }
        }
    }

    /// Leaves requests for payers, if that is due; says nothing more than the bank needs to hand them out.
    async fn leave(&mut self, paid: bool) {
        let now = self.shared().clock.monotonic();
        if !paid && self.left_at.is_some_and(|at| now.saturating_sub(at) < LEAVE_EVERY) {
            return;
        }
        let Ok(requests) = self.engine.ask(|reply| MailInput::Stock(reply).into()).await else { return };
        let query = self.shared().query(Purpose::Leave, 0, Digest::default());
        let query = self.shared().persona.node.sign(query);
        match self.link.ask(&BankAsk::LeaveRequests(query, requests.clone())).await {
            Ok(BankAnswer::RequestsLeft(names)) => {
                let some_gone = names.len() < requests.len();
                self.shared().mail.set(|state| state.requests = names.len().try_into().unwrap_or(u64::MAX));
                self.engine.tell(MailInput::Left(names).into()).await;
                // Those that were handed out are replaced at the next look.
                self.left_at = if some_gone { None } else { Some(now) };
            }
            Ok(BankAnswer::Error(code)) => {
                tracing::info!(code = code.word(), "requests for payers are not left at the bank");
                self.left_at = Some(now);
            }
            Ok(_) | Err(_) => {}
        }
    }

    /// Collects page by page until nothing new comes; whether there was a payment.
    async fn collect(&mut self) -> bool {
        let (mut safe, mut paid) = (0, false);
        self.vault_lags = false;
        loop {
            // What is handed out counts as collected: whoever could take nothing of it does not ask for it.
            if !self.engine.ask(|reply| MailInput::MayTake(reply).into()).await.unwrap_or(false) {
                return paid;
            }
            let query = self.shared().query(Purpose::Collect, safe, Digest::default());
            let query = self.shared().persona.node.sign(query);
            let parcels = match self.link.ask(&BankAsk::Collect(query)).await {
                Ok(BankAnswer::Mail(parcels, _)) => parcels,
                Ok(BankAnswer::Error(code)) => {
                    tracing::info!(code = code.word(), "the mailbox stays closed");
                    return paid;
                }
                Ok(_) | Err(_) => return paid,
            };
            let before = safe;
            let (mut waiting, mut all_before_done) = (0u64, true);
            for parcel in parcels {
                let number = parcel.number;
                paid |= parcel.item.unverified().kind == MailKind::Payment;
                match self.handle(parcel).await {
                    Handled::Done if all_before_done => safe = number,
                    Handled::Done => {}
                    Handled::Later | Handled::Hindered => {
                        waiting += 1;
                        all_before_done = false;
                    }
                }
            }
            if all_before_done {
                self.handled.clear();
            }
            let now = self.shared().now();
            self.shared().mail.set(|state| (state.looked, state.waiting) = (Some(now), waiting));
            if safe == before {
                return paid;
            }
        }
    }

    /// Handles an item once it is clear that it is what it says. One that is nothing is gone with a line in the log.
    async fn handle(&mut self, parcel: Parcel) -> Handled {
        let name = parcel.item.digest();
        if self.handled.contains(&name) {
            return Handled::Done;
        }
        let looks = self.looks.get(&name).copied().unwrap_or(0);
        let handled = match self.open(&parcel) {
            Ok((letter, order)) => self.read(letter, order, looks >= LOOKS_MAX).await,
            Err(Unread::Locked) => {
                tracing::info!(item = %name, "mail from before a restore waits until this workstation is unlocked");
                Handled::Hindered
            }
            Err(Unread::Nothing(why)) => {
                tracing::warn!(item = %name, why, "mail that is dropped");
                Handled::Done
            }
        };
        match handled {
            Handled::Done => {
                self.looks.remove(&name);
                self.handled.insert(name);
            }
            Handled::Later => {
                self.looks.insert(name, looks.saturating_add(1));
            }
            Handled::Hindered => {}
        }
        handled
    }

    /// The letter inside, if envelope, item and papers belong together.
    fn open(&self, parcel: &Parcel) -> Result<(Letter, Digest), Unread> {
        let (shared, item) = (self.shared(), parcel.item.unverified());
        if item.to != shared.persona.owner || item.bank != shared.keys().bank() {
            return Err("it is for somebody else".into());
        }
        if envelope_digest(&parcel.envelope) != item.envelope {
            return Err("the envelope is not the item's".into());
        }
        parcel.item.check_by(&item.node).map_err(|_| "the item is not signed")?;
        let (views, all) = shared.views_and_whether_all();
        let opened = unseal(&views, all, &parcel.envelope)?;
        let letter: Letterhead = wire::decode(&opened.message).map_err(|_| "the letter can't be read")?;
        let papers = &letter.from;
        if papers.identity.unverified().view != opened.from {
            return Err("another view key than that of the papers has sealed it".into());
        }
        if papers.certificate.unverified().owner != item.from {
            return Err("the papers are not the sender's".into());
        }
        // Certified money is ours whatever became of its payer; everything else he shows again with new papers.
        if !is_certified(&letter.ask) && shared.are_replaced(papers).unwrap_or(true) {
            return Err("the sender's workstation has been restored since".into());
        }
        match (item.kind, letter.ask) {
            (MailKind::Payment, PayAsk::Pay(payment)) => {
                let order = payment.order.unverified();
                if payment.order.digest() != item.order || order.payer != item.from {
                    return Err("the payment is not the one that the item names".into());
                }
                let id = order.payment;
                Ok((Letter::Payment(letter.from, id, payment), item.order))
            }
            (MailKind::Answer, PayAsk::Answered(id, answer)) => {
                Ok((Letter::Answer(letter.from, id, answer), item.order))
            }
            (MailKind::Answer, PayAsk::Confirm(id, receipt)) => {
                if receipt.unverified().order != item.order {
                    return Err("the confirmation is about another order".into());
                }
                Ok((Letter::Answer(letter.from, id, Box::new(PayAnswer::Receipt(receipt))), item.order))
            }
            _ => Err("such a letter does not come by mail".into()),
        }
    }

    async fn read(&mut self, letter: Letter, order: Digest, last_look: bool) -> Handled {
        match letter {
            Letter::Answer(from, id, answer) => {
                let about_it = self.shared().is_order_of(&id, &order).unwrap_or(true);
                if !about_it {
                    tracing::warn!(payment = %id, "an answer about another order is dropped");
                    return Handled::Done;
                }
                match self.inbox.answered(from, id, *answer).await {
                    // The engine has ended: after the next start it is handed out again.
                    None => Handled::Hindered,
                    Some(_) => Handled::Done,
                }
            }
            Letter::Payment(from, id, payment) => {
                let payer = from.certificate.unverified().owner;
                match self.inbox.paid(from, *payment, None, None).await {
                    None => Handled::Hindered,
                    Some(answer) if let Some(handled) = hindrance(&answer, last_look) => handled,
                    Some(PayAnswer::Refused(_)) if !self.is_vaulted().await => Handled::Hindered,
                    Some(answer) => self.answer(&payer, id, order, answer).await,
                }
            }
        }
    }

    /// Whether the vault has what was decided. The mailbox hands out again what is not acknowledged: were this machine lost
    /// with a no that only its payer knows, the next one would take the same order.
    async fn is_vaulted(&mut self) -> bool {
        if self.vault_lags {
            return false;
        }
        let vaulted = self.engine.ask(|reply| MailInput::Vaulted(reply).into());
        self.vault_lags = !matches!(tokio::time::timeout(VAULT_WAIT, vaulted).await, Ok(Ok(())));
        !self.vault_lags
    }

    /// Brings the answer to the payer himself, or into his mailbox.
    async fn answer(&self, payer: &Key, id: PaymentId, order: Digest, answer: PayAnswer) -> Handled {
        let ask = PayAsk::Answered(id, Box::new(answer));
        if let Ok(party) = self.contacts.party(payer, None).await
            && let Ok(PayAnswer::Noted) = self.contacts.speak(&party, None, ask.clone()).await
        {
            return Handled::Done;
        }
        match mail_to(self.shared(), (&self.contacts, &self.link), payer, order, ask).await {
            Mailed::Settled => Handled::Done,
            Mailed::Open => Handled::Hindered,
        }
    }
}

/// What is left in the box, and whether the look counts. «Unavailable» is what we say of our own disk and quarantine:
/// such an answer never goes out by mail, for the payment in it is good.
fn hindrance(answer: &PayAnswer, last_look: bool) -> Option<Handled> {
    match answer {
        PayAnswer::Error(ErrorCode::Unavailable) => Some(Handled::Hindered),
        PayAnswer::Error(code) if code.is_passing() && !last_look => Some(Handled::Later),
        _ => None,
    }
}

/// Why an item is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It may be sealed to a key that is in memory only while we are unlocked.
    Locked,
    /// It is nothing, for this reason.
    Nothing(&'static str),
}

impl From<&'static str> for Unread {
    fn from(why: &'static str) -> Unread {
        Unread::Nothing(why)
    }
}

/// Opens mail with the keys at hand. After a restore the keys of earlier generations are there only while unlocked: until
/// `all` of them are, what they do not open may be money that the bank has told its payer was collected.
pub fn unseal(views: &[ViewKey], all: bool, envelope: &[u8]) -> Result<Opened, Unread> {
    seal::open(views, envelope).map_err(|flaw| match flaw {
        SealFlaw::NotMine if !all => Unread::Locked,
        _ => "the envelope does not open".into(),
    })
}

fn is_certified(ask: &PayAsk) -> bool {
    matches!(ask, PayAsk::Pay(payment) if payment.order.unverified().mode == Mode::Certified)
}

/// What a letter says, its sender's papers first.
enum Letter {
    Payment(protocol::bank::Introduction, PaymentId, Box<protocol::pay::Payment>),
    Answer(protocol::bank::Introduction, PaymentId, Box<PayAnswer>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::node::chance::chance;

    /// X6, Y11: our own full disk or quarantine costs no payer his payment, however often we look; what stands in the
    /// payment's own way is answered in the end.
    #[test]
    fn only_what_stands_in_an_items_way_is_counted() {
        let said = PayAnswer::Error;
        for last_look in [false, true] {
            assert_eq!(hindrance(&said(ErrorCode::Unavailable), last_look), Some(Handled::Hindered));
            assert_eq!(hindrance(&said(ErrorCode::Suspended), last_look), None);
        }
        assert_eq!(hindrance(&said(ErrorCode::Busy), false), Some(Handled::Later));
        assert_eq!(hindrance(&said(ErrorCode::Busy), true), None);
    }

    /// X6: an envelope to a key that is not in memory waits while there may be more keys; one to somebody else is
    /// nothing once all are there, and one that is damaged is nothing at once.
    #[test]
    fn what_does_not_open_waits_only_while_keys_are_locked_away() {
        let [mine, past, payer] = [1, 2, 3].map(|n| ViewKey::from_secret([n; 32]));
        let envelope = seal::seal(&payer, &past.key(), b"letter", &mut chance()).unwrap();
        let views = [mine.clone(), past];
        assert_eq!(unseal(&views[..1], false, &envelope).unwrap_err(), Unread::Locked);
        assert!(matches!(unseal(&views[..1], true, &envelope), Err(Unread::Nothing(_))));
        assert_eq!(unseal(&views, true, &envelope).unwrap().message, b"letter");
        let mut broken = seal::seal(&payer, &mine.key(), b"letter", &mut chance()).unwrap();
        *broken.last_mut().unwrap() ^= 1;
        assert!(matches!(unseal(&views, false, &broken), Err(Unread::Nothing(_))));
    }
}
