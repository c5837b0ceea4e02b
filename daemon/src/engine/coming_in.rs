//! A payment coming in: the last questions to the store, then the wallet's word (SPEC §3.3).

use super::input::{Reply, RequestOrder};
use super::{Core, OFFER_SECONDS, TICKETS_AT_ONCE};
use crate::store::{Store, StoreFault};
use crate::wallet::change::Touched;
use crate::wallet::receiving::{Known, Verdict};
use protocol::bank::Party;
use protocol::body::Text;
use protocol::id::{Digest, Key, RequestId};
use protocol::key::KeyTicket;
use protocol::node::chance::chance_bytes;
use protocol::pay::{AmountRule, MEMO_MAX, Mode, Request, VerifiedPayment};
use protocol::range::Range;
use protocol::sign::Signed;
use protocol::time::Timestamp;
use protocol::wire::{ErrorCode, Offer, PayAnswer};
use std::collections::VecDeque;

/// Most tickets that one payer takes from a locked workstation in an hour.
const TICKETS_EACH: usize = 64;

/// The tickets that a payer was given while we are locked.
#[derive(Default)]
pub(super) struct HandedOut {
    since: Timestamp,
    tickets: VecDeque<Signed<KeyTicket>>,
}

impl Core {
    /// A ticket that is given out to nobody else, not even after a restart.
    pub(super) fn ticket(&mut self) -> Result<Option<Signed<KeyTicket>>, StoreFault> {
        if self.tickets.is_empty() {
            if self.wallet.tickets_left() < TICKETS_AT_ONCE {
                self.fill_tickets();
            }
            let decision = self.wallet.reserve_tickets(TICKETS_AT_ONCE, self.now());
            let taken = self.take(decision);
            // They may be given out only after the disk knows that they are.
            let committed = self.flush()?;
            self.tickets.extend(taken.open(&committed));
        }
        Ok(self.tickets.pop_front())
    }

    /// A ticket for somebody who offers. While we are locked none can be made, so nobody takes them all: beyond
    /// [`TICKETS_EACH`] an hour he is given again those that he has.
    fn ticket_for(&mut self, payer: Key, now: Timestamp) -> Result<Option<Signed<KeyTicket>>, StoreFault> {
        if self.keyring.open(now).is_some() {
            self.handed_out.clear();
            return self.ticket();
        }
        let his = self.handed_out.entry(payer).or_default();
        if now.seconds_since(his.since) >= OFFER_SECONDS {
            *his = HandedOut { since: now, tickets: VecDeque::new() };
        }
        if his.tickets.len() >= TICKETS_EACH {
            his.tickets.rotate_left(1);
            return Ok(his.tickets.back().cloned());
        }
        let ticket = self.ticket()?;
        // Somebody who got none is not remembered: there are never more names than tickets.
        match (&ticket, self.handed_out.get_mut(&payer)) {
            (Some(ticket), Some(his)) => his.tickets.push_back(ticket.clone()),
            _ => drop(self.handed_out.remove(&payer)),
        }
        Ok(ticket)
    }

    pub(super) fn request(
        &self,
        ticket: Signed<KeyTicket>,
        mode: Mode,
        order: RequestOrder,
        now: Timestamp,
    ) -> Signed<Request> {
        let node = &self.shared.persona.node;
        node.sign(Request {
            bank: self.wallet.bank(),
            id: RequestId(chance_bytes()),
            ticket,
            node: node.key(),
            amount: order.amount,
            mode,
            created: now,
            expires: order.expires,
            memo: order.memo,
            address: order.address,
        })
    }

    pub(super) fn offer(
        &mut self,
        party: &Party,
        offer: &Offer,
        reply: Reply<PayAnswer>,
    ) -> Result<(), StoreFault> {
        let answer = self.answer_offer(party, offer)?;
        reply.now(answer);
        Ok(())
    }

    /// May he pay us, and how? Nothing is on disk for it: a request proves by its own signature that it is ours.
    fn answer_offer(&mut self, party: &Party, offer: &Offer) -> Result<PayAnswer, StoreFault> {
        if self.wallet.quarantine().is_some() {
            return Ok(PayAnswer::Error(ErrorCode::Unavailable));
        }
        let now = self.now();
        let (payer, limit) = (party.owner(), party.certificate.offline_limit);
        let mode = self.wallet.mode_for(&payer, limit, offer.amount, now);
        if payer == self.wallet.owner().key {
            return Ok(PayAnswer::Error(ErrorCode::SelfPayment));
        }
        if let Some(id) = offer.request {
            return self.answer_on_request(id, offer, mode);
        }
        let Ok(memo) = Text::new(&offer.memo, MEMO_MAX) else {
            return Ok(PayAnswer::Error(ErrorCode::Malformed));
        };
        if offer.amount.is_zero() {
            return Ok(PayAnswer::Error(ErrorCode::Malformed));
        }
        if self.disk_is_low() {
            return Ok(PayAnswer::Error(ErrorCode::Unavailable));
        }
        let Some(ticket) = self.ticket_for(payer, now)? else {
            return Ok(PayAnswer::Error(ErrorCode::NoTickets));
        };
        let amount = AmountRule::Exactly(offer.amount);
        let expires = now.plus_seconds(OFFER_SECONDS);
        let order = RequestOrder { amount, memo, expires, address: Text::default() };
        Ok(PayAnswer::Request(Box::new(self.request(ticket, mode, order, now))))
    }

    fn answer_on_request(
        &mut self,
        id: RequestId,
        offer: &Offer,
        mode: Mode,
    ) -> Result<PayAnswer, StoreFault> {
        self.settle(&[Touched::Request(id)])?;
        let Some(record) = self.store.request(&id)? else {
            return Ok(PayAnswer::Error(ErrorCode::UnknownRequest));
        };
        let request = record.request.unverified();
        Ok(match record.paid {
            Some(_) => PayAnswer::Error(ErrorCode::RequestUsed),
            None if record.closed.is_some() => PayAnswer::Error(ErrorCode::RequestClosed),
            // It is our own date by our own clock: no allowance for another's.
            None if self.now() > request.expires => PayAnswer::Error(ErrorCode::Expired),
            None if !request.amount.allows(offer.amount) => PayAnswer::Error(ErrorCode::BadSum),
            None => PayAnswer::Open(mode == Mode::Certified),
        })
    }

    /// What is told no for a reason that may pass is told no for good, durably before it is said.
    pub(super) fn refuse(
        &mut self,
        request: &Signed<Request>,
        order: Digest,
        reply: Reply<()>,
    ) -> Result<(), StoreFault> {
        let id = request.unverified().id;
        self.settle(&[Touched::Request(id)])?;
        let known = self.store.request(&id)?;
        let decision = self.wallet.refuse_for_good(request, order, known, self.now());
        let done = self.take(decision);
        self.reply_after(done, reply, |()| ());
        Ok(())
    }

    pub(super) fn paid(
        &mut self,
        payment: &VerifiedPayment,
        reply: Reply<PayAnswer>,
    ) -> Result<(), StoreFault> {
        // What a workstation in quarantine took would be in no vault, and gone with the restore: its payer tries on.
        if self.disk_is_low() || self.wallet.quarantine().is_some() {
            reply.now(PayAnswer::Error(ErrorCode::Unavailable));
            return Ok(());
        }
        let order = payment.order();
        let (payer, id, request) = (order.payer, order.payment, payment.request().id);
        let units: Vec<(Digest, Range)> =
            payment.notes().iter().map(|note| note.holding()).map(|held| (held.root, held.range)).collect();
        let mut roots: Vec<Digest> = units.iter().map(|(root, _)| *root).collect();
        roots.sort_unstable();
        roots.dedup();
        let mut asked = vec![Touched::Incoming(payer, id), Touched::Request(request)];
        asked.extend(units.iter().map(|(root, range)| Touched::Units(*root, *range)));
        self.settle(&asked)?;
        let mut known = Known {
            earlier: self.store.incoming(&payer, &id)?,
            request: self.store.request(&request)?,
            notes: Vec::new(),
            forks: Vec::new(),
        };
        for root in &roots {
            known.notes.extend(self.store.notes_over(root)?);
            known.forks.extend(self.store.forks_over(root)?);
        }
        let node = self.shared.persona.node.clone();
        let decision = self.wallet.receive(payment, &known, &node, self.now());
        let verdict = self.take(decision);
        self.reply_after(verdict, reply, |verdict| match verdict {
            Verdict::Receipt(receipt) => PayAnswer::Receipt(receipt),
            Verdict::Refused(refusal) => PayAnswer::Refused(refusal),
            Verdict::Error(code) => PayAnswer::Error(code),
        });
        Ok(())
    }
}
