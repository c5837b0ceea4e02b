//! What goes out, once it is on disk: each job asks somebody and brings the answer back to the engine.
//!
//! A payment's plain bytes are fixed when it is decided; they are sealed afresh at each sending, because
//! the payee's view key may have changed and a resend must not look like one (ADR 0004).

use super::by_mail::{Mailed, mail_to};
use super::contact::{Contacts, SpeakFault};
use super::input::{Input, OfferReply};
use super::jobs::Flight;
use super::link::BankLink;
use super::{Engine, handle::Shared};
use crate::wallet::banking::BankOp;
use crate::wallet::ordering::Purchase;
use crate::wallet::paying::{NotDone, Outgoing};
use protocol::bank::Identity;
use protocol::id::{Key, PaymentId};
use protocol::note::NoteTable;
use protocol::pay::Defence;
use protocol::pay::{Receipt, Request};
use protocol::sign::Signed;
use protocol::wire::{BankAnswer, BankAsk, Offer, PayAnswer, PayAsk};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Most jobs that talk at once.
const JOBS_MAX: usize = 128;

/// One thing to ask of somebody.
#[derive(Clone, Debug)]
pub enum Job {
    /// Ask a payee for a request, or whether the one at hand is still open.
    Offer(Outgoing),
    /// Send a payment.
    Send(Outgoing),
    /// Ask the bank.
    Bank(BankOp),
    /// Tell a payer that his money is safe.
    Confirm {
        /// The payer.
        payer: Key,
        /// His payment.
        payment: PaymentId,
        /// Our word on it.
        receipt: Signed<Receipt>,
        /// Whether he is off, so that it goes into his mailbox.
        by_mail: bool,
    },
    /// Ask the bank how our cases stand.
    Cases,
    /// Say something in a case.
    Defend(u64, Vec<Defence>),
    /// Show the bank chains that go on from reclaimed keys.
    Contest(Flight, NoteTable),
    /// Give the bank a newer identity record of ours.
    Publish(Signed<Identity>),
    /// Seal a payment for the payee's mailbox.
    Seal(Outgoing),
    /// Ask the bank for mail back.
    MailBack(Outgoing),
    /// Tell a shop of an order, or ask how it stands.
    Order(Box<Purchase>),
    /// Ask the bank how our holds stand that changed after this journal entry.
    Holds(u64),
}

impl Job {
    pub(super) fn by_mail(mut self, now: bool) -> Job {
        if let Job::Confirm { by_mail, .. } = &mut self {
            *by_mail = now;
        }
        self
    }
}

/// Runs jobs.
pub struct Outbox {
    engine: Engine,
    pub(super) contacts: Arc<Contacts>,
    pub(super) link: Arc<BankLink>,
    runtime: Handle,
    permits: Arc<Semaphore>,
}

impl Outbox {
    /// An outbox that brings its answers to `engine`.
    pub fn new(engine: Engine, contacts: Arc<Contacts>, link: Arc<BankLink>, runtime: Handle) -> Outbox {
        Outbox { engine, contacts, link, runtime, permits: Arc::new(Semaphore::new(JOBS_MAX)) }
    }

    /// Sends a job on its way.
    pub(super) fn launch(self: &Arc<Self>, job: Job) {
        let this = self.clone();
        self.runtime.spawn(async move {
            let _permit = this.permits.acquire().await;
            let answer = match job {
                Job::Offer(payment) => this.offer(&payment).await,
                Job::Send(payment) => this.send(&payment).await,
                Job::Bank(op) => this.bank(&op).await,
                Job::Confirm { payer, payment, receipt, by_mail } => {
                    this.confirm(&payer, &payment, receipt, by_mail).await
                }
                Job::Cases => this.cases().await,
                Job::Publish(record) => this.publish(record).await,
                Job::Defend(case, defences) => this.defend(case, defences).await,
                Job::Contest(flight, table) => this.contest(flight, table).await,
                Job::Seal(payment) => this.seal(&payment).await,
                Job::MailBack(payment) => this.mail_back(&payment).await,
                Job::Order(purchase) => this.order(&purchase).await,
                Job::Holds(after) => this.holds(after).await,
            };
            this.engine.tell(answer).await;
        });
    }

    /// Brings an input to the engine after a pause.
    pub(super) fn later(&self, input: Input, pause: Duration) {
        let engine = self.engine.clone();
        self.runtime.spawn(async move {
            tokio::time::sleep(pause).await;
            engine.tell(input).await;
        });
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.engine.shared
    }

    async fn offer(&self, payment: &Outgoing) -> Input {
        let reply = match self.ask_for_request(payment).await {
            Ok((request, certified)) => self.check_request(payment, request, certified, false).await,
            Err(OfferReply::Retry(NotDone::Unreachable)) => match self.request_left(payment).await {
                Some(request) => self.check_request(payment, request, false, true).await,
                None => OfferReply::Retry(NotDone::Unreachable),
            },
            Err(reply) => reply,
        };
        Input::Offered(payment.id, reply)
    }

    /// Asks the payee; gives the request to pay and whether it has to be certified.
    async fn ask_for_request(&self, payment: &Outgoing) -> Result<(Signed<Request>, bool), OfferReply> {
        let at_hand = payment.request.as_ref().map(Signed::unverified);
        let party = self.contacts.party(&payment.payee, at_hand).await.map_err(failed)?;
        let offer =
            Offer { amount: payment.amount, memo: payment.memo.clone(), request: at_hand.map(|r| r.id) };
        let answer = self.contacts.speak(&party, at_hand, PayAsk::Offer(offer)).await.map_err(failed)?;
        match (answer, &payment.request) {
            (PayAnswer::Request(request), None) => Ok((*request, false)),
            (PayAnswer::Open(certified), Some(request)) => Ok((request.clone(), certified)),
            (PayAnswer::Error(code), _) if code.is_passing() => {
                Err(OfferReply::Retry(NotDone::Declined(code)))
            }
            (PayAnswer::Error(code), _) => Err(OfferReply::Failed(NotDone::Declined(code))),
            _ => Err(OfferReply::Failed(NotDone::BadRequest("the payee answered something else".to_owned()))),
        }
    }

    async fn check_request(
        &self,
        payment: &Outgoing,
        request: Signed<Request>,
        certified: bool,
        post: bool,
    ) -> OfferReply {
        let party = match self.contacts.party(&payment.payee, None).await {
            Ok(party) => party,
            Err(fault) => return failed(fault),
        };
        let shared = self.shared();
        match request.verify_request(shared.keys().bank(), &party.identity.node, shared.now()) {
            Ok(request) => {
                let name = party.certificate.name.as_str().to_owned();
                OfferReply::Request { request: Box::new(request), certified, name, post }
            }
            Err(flaw) => OfferReply::Failed(NotDone::BadRequest(flaw.to_string())),
        }
    }

    async fn send(&self, payment: &Outgoing) -> Input {
        let flight = Flight::Send(payment.id);
        let Some(message) = payment.message.clone() else { return Input::Unanswered(flight) };
        let at_hand = payment.request.as_ref().map(Signed::unverified);
        // What is his already goes to him whatever the bank says of his standing.
        let party = match payment.is_his() {
            true => self.contacts.anybody(&payment.payee, at_hand).await,
            false => self.contacts.party(&payment.payee, at_hand).await,
        };
        let party = match party {
            Ok(party) => party,
            Err(fault) => {
                tracing::debug!(payment = %payment.id, %fault, "the payee is not reached");
                return Input::Unanswered(flight);
            }
        };
        match self.contacts.speak(&party, at_hand, payment.shown(message)).await {
            Ok(answer) => Input::PayAnswered(payment.id, answer, party.identity.node),
            Err(fault) => {
                tracing::debug!(payment = %payment.id, %fault, "sent, not answered");
                Input::Unanswered(flight)
            }
        }
    }

    async fn bank(&self, op: &BankOp) -> Input {
        let answer = if op.what.is_anonymous() {
            self.link.ask_anonymously(op.ask.clone()).await
        } else {
            self.link.ask_bytes(op.ask.clone()).await
        };
        match answer {
            Ok(answer) => {
                self.link.learn_keys_for(&answer).await;
                Input::BankAnswered(op.id, answer)
            }
            Err(fault) => {
                tracing::debug!(request = %op.id, %fault, "the bank did not answer");
                Input::Unanswered(Flight::Bank(op.id))
            }
        }
    }

    async fn publish(&self, record: Signed<Identity>) -> Input {
        match self.link.ask(&BankAsk::Publish(record)).await {
            // It comes back with the directory, and counts from then on.
            Ok(BankAnswer::Published) => self.link.sync_directory().await,
            Ok(BankAnswer::Error(code)) => {
                tracing::warn!(code = code.word(), "the identity record is not renewed")
            }
            Ok(_) | Err(_) => {}
        }
        Input::Noted(Flight::Publish)
    }

    async fn confirm(
        &self,
        payer: &Key,
        payment: &PaymentId,
        receipt: Signed<Receipt>,
        by_mail: bool,
    ) -> Input {
        let flight = Flight::Confirm(*payer, *payment);
        let (order, ask) = (receipt.unverified().order, PayAsk::Confirm(*payment, receipt.clone()));
        if by_mail {
            let rooms = (&*self.contacts, &*self.link);
            return match mail_to(self.shared(), rooms, payer, order, ask).await {
                Mailed::Settled => Input::Noted(flight),
                Mailed::Open => Input::Unanswered(flight),
            };
        }
        let told = match self.contacts.party(payer, None).await {
            Ok(party) => self.contacts.speak(&party, None, PayAsk::Confirm(*payment, receipt)).await,
            Err(fault) => Err(fault),
        };
        match told {
            Ok(PayAnswer::Noted) => Input::Noted(flight),
            _ => Input::Unanswered(flight),
        }
    }
}

/// Nothing has been signed, so whatever failed can be tried again or given up.
fn failed(fault: SpeakFault) -> OfferReply {
    match fault {
        SpeakFault::Papers(why) => OfferReply::Failed(NotDone::BadRequest(why)),
        SpeakFault::Unopened(code) => OfferReply::Failed(NotDone::Declined(code)),
        SpeakFault::Unknown | SpeakFault::Unreachable(_) | SpeakFault::Garbled | SpeakFault::Store(_) => {
            OfferReply::Retry(NotDone::Unreachable)
        }
    }
}
