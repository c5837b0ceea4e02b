//! A payment going out, as the network answers (SPEC §3.7).

use super::Core;
use super::input::{Input, OfferReply, Reply};
use super::jobs::{Flight, OFFER_PATIENCE_SECONDS};
use crate::store::{Store, StoreFault};
use crate::wallet::change::Touched;
use crate::wallet::paying::{NotDone, State, Terms};
use protocol::id::{Key, PaymentId, RequestId};
use protocol::node::chance::chance_bytes;
use protocol::pay::Receipt;
use protocol::sign::Signed;
use protocol::time::Timestamp;
use protocol::wire::PayAnswer;

impl Core {
    pub(super) fn offer_answered(&mut self, id: &PaymentId, answer: OfferReply) {
        let now = self.now();
        let answered = matches!(answer, OfferReply::Request { .. });
        if answered && self.is_renewing_for(id) && !self.offer_is_too_old(id, now) {
            // The payee has given a request already: it is looked at again in a moment, he is not asked twice.
            self.jobs.later(Input::Offered(*id, answer));
            return;
        }
        self.jobs.answered_offer(id);
        let decision = match answer {
            OfferReply::Failed(why) => self.wallet.offer_failed(id, why, now),
            OfferReply::Retry(why) if self.offer_is_too_old(id, now) => {
                self.wallet.offer_failed(id, why, now)
            }
            OfferReply::Retry(_) => {
                self.jobs.offer_again(id);
                return;
            }
            OfferReply::Request { request, certified, name, post } => match self.keyring.open(now) {
                None => self.wallet.offer_failed(id, NotDone::Locked, now),
                Some(keys) => {
                    let terms = Terms { request: &request, certified, name, post };
                    self.wallet.offer_accepted(id, terms, keys, RequestId(chance_bytes()), now)
                }
            },
        };
        let _ = self.take(decision);
    }

    /// Whether the units for a payment are just being renewed at the bank: they are there again in a moment.
    fn is_renewing_for(&self, id: &PaymentId) -> bool {
        let holdings = self.wallet.holdings();
        let free = self.wallet.free();
        let all = free.plus(holdings.at_bank).unwrap_or(free);
        self.wallet.open_payment(id).is_some_and(|p| free < p.amount && p.amount <= all)
    }

    fn offer_is_too_old(&self, id: &PaymentId, now: Timestamp) -> bool {
        self.wallet.open_payment(id).is_none_or(|p| now.seconds_since(p.created) >= OFFER_PATIENCE_SECONDS)
    }

    pub(super) fn pay_answered(
        &mut self,
        id: &PaymentId,
        answer: PayAnswer,
        node: &Key,
    ) -> Result<(), StoreFault> {
        let now = self.now();
        let Some(payment) = self.wallet.open_payment(id).cloned() else {
            self.jobs.done(&Flight::Send(*id));
            return self.answered_again(id, answer, node);
        };
        let decision = match answer {
            PayAnswer::Receipt(receipt) => {
                let decision = self.wallet.receipted(&payment, receipt, node, now);
                let good = self.take(decision);
                let jobs = self.jobs.clone();
                let id = *id;
                self.after.push(Box::new(move |committed| match good.open(committed) {
                    true => jobs.done(&Flight::Send(id)),
                    false => jobs.unanswered(Flight::Send(id)),
                }));
                return Ok(());
            }
            PayAnswer::Refused(refusal) => {
                let body = refusal.unverified();
                let ours = payment.order.as_ref().is_some_and(|order| order.digest() == body.order);
                if !ours || refusal.check_by(node).is_err() {
                    self.jobs.unanswered(Flight::Send(*id));
                    return Ok(());
                }
                let code = body.code;
                self.wallet.refused(id, code, Some(refusal), now)
            }
            PayAnswer::Error(code) if code.is_passing() => {
                self.jobs.unanswered(Flight::Send(*id));
                return Ok(());
            }
            PayAnswer::Error(code) => self.wallet.refused(id, code, None, now),
            PayAnswer::Request(_) | PayAnswer::Open(_) | PayAnswer::Noted | PayAnswer::Shop(_) => {
                self.jobs.unanswered(Flight::Send(*id));
                return Ok(());
            }
        };
        // A certified payment stays issued: it is the payee's, and he is asked again. A direct one is on its way back.
        let _ = self.take(decision);
        match self.wallet.open_payment(id).is_some_and(|p| p.state == State::Issued) {
            true => self.jobs.unanswered(Flight::Send(*id)),
            false => self.jobs.done(&Flight::Send(*id)),
        }
        Ok(())
    }

    pub(super) fn confirmed(
        &mut self,
        id: &PaymentId,
        receipt: Signed<Receipt>,
        node: &Key,
        reply: Reply<bool>,
    ) -> Result<(), StoreFault> {
        self.settle(&[Touched::Outgoing(*id)])?;
        let stored = match self.wallet.open_payment(id).cloned() {
            Some(open) => Some(open),
            None => self.store.outgoing(id)?,
        };
        match stored {
            Some(payment)
                if matches!(
                    payment.state,
                    State::Sent
                        | State::Posted
                        | State::Issued
                        | State::Receipted
                        | State::Confirmed
                        | State::TakingBack(_)
                        | State::Reclaiming
                        | State::Reclaimed
                        | State::Passed
                ) =>
            {
                let decision = self.wallet.receipted(&payment, receipt, node, self.now());
                let good = self.take(decision);
                self.reply_after(good, reply, |good| good);
            }
            _ => reply.now(false),
        }
        Ok(())
    }
}
