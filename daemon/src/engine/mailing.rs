//! What the engine does about the mailbox: mail asked back, answers that came by it, requests left (SPEC §4.12).

use super::input::{CallFault, Reply, RequestOrder};
use super::jobs::Flight;
use super::{Core, Input};
use crate::store::StoreFault;
use protocol::bank::{MailItem, MailWord, Party};
use protocol::body::Text;
use protocol::id::{PaymentId, RequestId};
use protocol::money::Units;
use protocol::pay::{AmountRule, Mode, Request};
use protocol::sign::Signed;
use protocol::time::{DAY_SECONDS, Timestamp};
use protocol::wire::{PayAnswer, REQUESTS_MAX};

/// How long a request that lies at the bank runs.
const LEFT_SECONDS: u64 = 60 * DAY_SECONDS;
/// So many of them take money directly, the others only certified: for an amount above the policy's limits.
const LEFT_DIRECT: usize = REQUESTS_MAX / 2;

/// Most new requests that go to the bank in an hour: each takes a ticket, and the bank could say of all that they are
/// gone.
const LEFT_AN_HOUR: usize = 32;

/// How many requests were made for the bank, so that they do not take all tickets from those who come directly.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    since: Timestamp,
    made: usize,
    /// Tickets when more could last be made, or at the start.
    full: usize,
}

impl Leaving {
    /// With this many tickets at the start.
    pub(super) fn with(tickets: usize) -> Leaving {
        Leaving { full: tickets, ..Leaving::default() }
    }

    /// Whether one more may be made; locked, half of the tickets are kept for those who come directly.
    fn one_more(&mut self, tickets: usize, locked: bool, now: Timestamp) -> bool {
        if now.seconds_since(self.since) >= 3600 {
            (self.since, self.made) = (now, 0);
        }
        if !locked {
            self.full = tickets;
        }
        let allowed = self.made < LEFT_AN_HOUR && (!locked || tickets.saturating_mul(2) > self.full);
        self.made += usize::from(allowed);
        allowed
    }
}

/// What concerns the mailbox.
pub enum MailInput {
    /// A payment has been sealed.
    Sealed(PaymentId, Box<Signed<MailItem>>, Vec<u8>),
    /// The bank's word on a payment's item.
    Word(PaymentId, Signed<MailWord>),
    /// The owner takes a payment out of the payee's mailbox.
    Back(PaymentId, Reply<Result<(), CallFault>>),
    /// A payee answers a payment that he had by mail.
    Answered {
        /// Who answers.
        party: Box<Party>,
        /// Which payment of ours.
        payment: PaymentId,
        /// What.
        answer: PayAnswer,
        /// Whether it was about a payment of ours to him.
        reply: Reply<bool>,
    },
    /// Whether anything could be taken: not in quarantine, nor with a full disk.
    MayTake(Reply<bool>),
    /// Answered when all that is decided by now is in the vault.
    Vaulted(Reply<()>),
    /// The requests that shall lie at the bank; new ones are made where some are missing.
    Stock(Reply<Vec<Signed<Request>>>),
    /// Those that do.
    Left(Vec<RequestId>),
}

impl Core {
    pub(super) fn mail(&mut self, input: MailInput) -> Result<(), StoreFault> {
        match input {
            MailInput::Sealed(id, item, envelope) => self.sealed(&id, *item, envelope),
            MailInput::Word(id, word) => self.word(&id, word),
            MailInput::Back(id, reply) => self.back(&id, reply),
            MailInput::Answered { party, payment, answer, reply } => {
                self.mail_answered(&party, &payment, answer, reply)?;
            }
            MailInput::MayTake(reply) => {
                reply.now(self.wallet.quarantine().is_none() && !self.disk_is_low());
            }
            MailInput::Vaulted(reply) => self.when_vaulted(reply)?,
            MailInput::Stock(reply) => self.stock(reply)?,
            MailInput::Left(names) => {
                let decision = self.wallet.stock_left(&names, self.now());
                let _ = self.take(decision);
            }
        }
        Ok(())
    }

    fn sealed(&mut self, id: &PaymentId, item: Signed<MailItem>, envelope: Vec<u8>) {
        let decision = self.wallet.posted(id, item, envelope, self.now());
        let _ = self.take(decision);
        self.jobs.done(&Flight::Seal(*id));
    }

    fn word(&mut self, id: &PaymentId, word: Signed<MailWord>) {
        match self.wallet.mail_word(id, word, self.now()) {
            Ok(decision) => {
                let fate = self.take(decision);
                self.after.push(Box::new({
                    let id = *id;
                    move |committed| tracing::info!(payment = %id, fate = ?fate.open(committed), "mail asked back")
                }));
                self.jobs.done(&Flight::MailBack(*id));
            }
            Err(flaw) => {
                tracing::error!(payment = %id, %flaw, "the bank's word on an item is not acceptable");
                self.jobs.unanswered(Flight::MailBack(*id));
            }
        }
    }

    fn back(&mut self, id: &PaymentId, reply: Reply<Result<(), CallFault>>) {
        match self.wallet.back_from_mailbox(id, self.now()) {
            Ok(decision) => {
                let done = self.take(decision);
                self.reply_after(done, reply, Ok);
            }
            Err(refusal) => reply.now(Err(refusal.into())),
        }
    }

    fn mail_answered(
        &mut self,
        party: &Party,
        id: &PaymentId,
        answer: PayAnswer,
        reply: Reply<bool>,
    ) -> Result<(), StoreFault> {
        let node = party.identity.node;
        if let PayAnswer::Receipt(receipt) = answer {
            return match receipt.unverified().payee == party.owner() {
                true => self.confirmed(id, receipt, &node, reply),
                false => {
                    reply.now(false);
                    Ok(())
                }
            };
        }
        let his = |payee| payee == party.owner();
        if !self.wallet.open_payment(id).is_some_and(|payment| his(payment.payee)) {
            reply.now(false);
            return Ok(());
        }
        self.pay_answered(id, answer, &node)?;
        // An answer that settles nothing shows at least that he has collected it.
        let decision = self.wallet.was_collected(id, self.now());
        let done = self.take(decision);
        self.reply_after(done, reply, |()| true);
        Ok(())
    }

    fn stock(&mut self, reply: Reply<Vec<Signed<Request>>>) -> Result<(), StoreFault> {
        let now = self.now();
        let node = self.shared.persona.node.key();
        let mut stock = self.wallet.good_stock(&node, now);
        let direct = stock.iter().filter(|request| request.unverified().mode == Mode::Direct).count();
        let limit = self.wallet.policy().direct_max;
        let wanted = if limit.is_zero() { 0 } else { LEFT_DIRECT };
        let kinds = (direct..wanted).map(|_| (Mode::Direct, limit));
        let certified = stock.len().saturating_sub(direct);
        let kinds = kinds.chain((certified..REQUESTS_MAX - wanted).map(|_| (Mode::Certified, Units::MAX)));
        for (mode, most) in kinds {
            if self.disk_is_low() || stock.len() >= REQUESTS_MAX {
                break;
            }
            let (tickets, locked) =
                (self.wallet.tickets_left() + self.tickets.len(), self.keyring.open(now).is_none());
            if !self.leaving.one_more(tickets, locked, now) {
                break;
            }
            let Some(ticket) = self.ticket()? else { break };
            let order = RequestOrder {
                amount: AmountRule::AtMost(most),
                memo: Text::default(),
                expires: now.plus_seconds(LEFT_SECONDS),
                address: Text::default(),
            };
            stock.push(self.request(ticket, mode, order, now));
        }
        let decision = self.wallet.set_stock(stock, now);
        let stock = self.take(decision);
        self.reply_after(stock, reply, |stock| stock);
        Ok(())
    }

    /// Mail whose time is over is asked back, and what is still asked of the mailbox in vain ends.
    pub(super) fn mind_the_mail(&mut self) {
        let now = self.now();
        for id in self.wallet.overdue_mail(now) {
            if let Ok(decision) = self.wallet.back_from_mailbox(&id, now) {
                let _ = self.take(decision);
            }
        }
        if let Some(decision) = self.wallet.end_posting(now) {
            let _ = self.take(decision);
        }
    }
}

impl From<MailInput> for Input {
    fn from(mail: MailInput) -> Input {
        Input::Mail(mail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Y8: a bank that says at each look that every request is gone gets so many an hour, and of a locked workstation's
    /// tickets half at most.
    #[test]
    fn a_bank_does_not_drain_the_tickets() {
        let now = Timestamp(1_000_000);
        let mut leaving = Leaving::with(100);
        let made = (0..1000).filter(|_| leaving.one_more(100, false, now)).count();
        assert_eq!(made, LEFT_AN_HOUR);
        assert!(!leaving.one_more(100, false, now.plus_seconds(3599)));
        assert!(leaving.one_more(100, false, now.plus_seconds(3600)));
        let mut left = 100;
        for hour in 0..100 {
            let mut leaving_now = 0;
            while leaving.one_more(left, true, now.plus_seconds(7200 + hour * 3600)) {
                (left, leaving_now) = (left - 1, leaving_now + 1);
            }
            assert!(leaving_now <= LEFT_AN_HOUR);
        }
        assert_eq!(left, 50);
    }
}
