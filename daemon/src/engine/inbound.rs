//! What comes in from other workstations: opened and checked here, decided by the engine (SPEC §3.3).
//!
//! The cheap checks stand before the dear ones: size, envelope, form, was it answered before; then papers
//! and signatures, on a thread of their own when there are many. Whoever sends nonsense is charged for it.

use super::contact::Contacts;
use super::handle::Engine;
use super::input::Input;
use super::mailing::MailInput;
use crate::store::Store;
use crate::wallet::Wallet;
use crate::wallet::receiving::Verdict;
use protocol::bank::{Introduction, Party, Standing};
use protocol::id::{Key, PaymentId};
use protocol::node::chance::chance;
use protocol::node::net::limits::Limits;
use protocol::node::net::{Inbound, Net, PeerId, Protocol};
use protocol::pay::{Payment, Reader, Receipt};
use protocol::seal::{self, Opened};
use protocol::sign::Signed;
use protocol::wire::{
    self, ErrorCode, Hail, HailAnswer, Letterhead, Offer, PayAnswer, PayAsk, ShopAnswer, ShopAsk,
};
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// Most messages that are being checked at once.
const AT_ONCE: usize = 64;

/// Answers other workstations.
pub struct Inbox {
    engine: Engine,
    contacts: Arc<Contacts>,
    net: Net,
    counter: Option<Arc<dyn Counter>>,
}

/// Who answers what only a shop can.
pub trait Counter: Send + Sync + 'static {
    /// Answers somebody whose papers are in order.
    fn asked(&self, party: Party, ask: ShopAsk) -> Answering<'_>;
}

/// An answer in the making.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<ShopAnswer, ErrorCode>> + Send + 'a>>;

impl Inbox {
    /// An inbox that brings what it has checked to `engine`.
    pub fn new(
        engine: Engine,
        contacts: Arc<Contacts>,
        net: Net,
        counter: Option<Arc<dyn Counter>>,
    ) -> Inbox {
        Inbox { engine, contacts, net, counter }
    }

    /// Answers until the network ends.
    pub async fn run(self: Arc<Self>, mut inbound: mpsc::Receiver<Inbound>) {
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        while let Some(message) = inbound.recv().await {
            let Ok(permit) = permits.clone().acquire_owned().await else { return };
            let this = self.clone();
            tokio::spawn(async move {
                this.answer(message).await;
                drop(permit);
            });
        }
    }

    async fn answer(&self, message: Inbound) {
        // A workstation is no bank: whoever asks it as one gets no answer.
        if message.protocol != Protocol::Pay {
            return;
        }
        if let Some(answer) = self.hail(&message.body, message.peer).await {
            message.answer.send(wire::encode(&answer));
        }
    }

    async fn hail(&self, body: &[u8], peer: PeerId) -> Option<HailAnswer> {
        let envelope = match wire::decode(body) {
            Ok(Hail::Hello) => return Some(self.introduce()),
            Ok(Hail::Sealed(envelope)) => envelope,
            Err(flaw) => return Some(self.offended(peer, flaw.code()).await),
        };
        let opened = match seal::open(&self.engine.shared.views(), &envelope) {
            Ok(opened) => opened,
            Err(flaw) => return Some(self.offended(peer, flaw.code()).await),
        };
        let answer = match wire::decode::<Letterhead>(&opened.message) {
            Ok(letter) if letter.from.identity.unverified().view != opened.from => {
                PayAnswer::Error(ErrorCode::NotCertified)
            }
            Ok(letter) => match self.engine.shared.are_outdated(&letter.from) {
                Ok(false) => self.asked(letter, peer).await?,
                Ok(true) => PayAnswer::Error(ErrorCode::OlderGeneration),
                Err(_) => PayAnswer::Error(ErrorCode::Unavailable),
            },
            Err(flaw) => PayAnswer::Error(flaw.code()),
        };
        if told(&answer).is_some_and(ErrorCode::is_offence) {
            self.net.penalize(peer, Limits::TABLE.offence_malformed).await;
        }
        self.seal(&opened, &answer)
    }

    async fn offended(&self, peer: PeerId, code: ErrorCode) -> HailAnswer {
        if code.is_offence() {
            self.net.penalize(peer, Limits::TABLE.offence_malformed).await;
        }
        HailAnswer::Error(code)
    }

    fn introduce(&self) -> HailAnswer {
        let shared = &self.engine.shared;
        let keys = shared.keys();
        let attest = keys.certificates().filter(|c| c.usage == protocol::key::bank::Usage::Attest).take(8);
        let attest = attest.map(|c| c.signed().clone()).collect();
        HailAnswer::Introduction(shared.papers(), attest)
    }

    fn seal(&self, opened: &Opened, answer: &PayAnswer) -> Option<HailAnswer> {
        let views = self.engine.shared.views();
        let mine = views.iter().find(|view| view.key() == opened.to)?;
        seal::seal(mine, &opened.from, &wire::encode(answer), &mut chance()).ok().map(HailAnswer::Sealed)
    }

    /// Nothing when the engine has ended: the peer will ask again.
    async fn asked(&self, letter: Letterhead, peer: PeerId) -> Option<PayAnswer> {
        match letter.ask {
            PayAsk::Offer(offer) => self.offered(letter.from, offer).await,
            PayAsk::Pay(payment) => self.paid(letter.from, *payment, None, Some(peer)).await,
            PayAsk::Again(payment, receipt) => {
                self.paid(letter.from, *payment, Some(receipt), Some(peer)).await
            }
            PayAsk::Answered(id, answer) => self.answered(letter.from, id, *answer).await,
            PayAsk::Confirm(id, receipt) => self.confirmed(letter.from, id, receipt).await,
            PayAsk::Shop(ask) => Some(self.shop(letter.from, *ask).await),
        }
    }

    fn standing(&self, owner: &Key) -> Option<Standing> {
        // A directory that can't be read says nothing of anybody; the certificate shown still has to hold.
        self.contacts.standing(owner).unwrap_or_default()
    }

    /// The sender's papers, and that the directory has nothing against him.
    fn party(&self, from: Introduction) -> Result<Party, ErrorCode> {
        let shared = &self.engine.shared;
        let party = match self.contacts.caller(&from) {
            Some(party) => party,
            None => {
                let party = from.verify(&shared.keys(), shared.now()).map_err(|flaw| flaw.code())?;
                self.contacts.called(&party);
                party
            }
        };
        match self.standing(&party.owner()) {
            Some(Standing::Suspended) => Err(ErrorCode::Suspended),
            _ => Ok(party),
        }
    }

    /// A resident's workstation is no shop; who asks has to be a customer in good standing.
    async fn shop(&self, from: Introduction, ask: ShopAsk) -> PayAnswer {
        let Some(counter) = &self.counter else { return PayAnswer::Error(ErrorCode::Unsupported) };
        match self.party(from) {
            Ok(party) => match counter.asked(party, ask).await {
                Ok(answer) => PayAnswer::Shop(Box::new(answer)),
                Err(code) => PayAnswer::Error(code),
            },
            Err(code) => PayAnswer::Error(code),
        }
    }

    async fn offered(&self, from: Introduction, offer: Offer) -> Option<PayAnswer> {
        match self.party(from) {
            Ok(party) => self.engine.ask(|reply| Input::Offer(Box::new(party), offer, reply)).await.ok(),
            Err(code) => Some(PayAnswer::Error(code)),
        }
    }

    pub(super) async fn confirmed(
        &self,
        from: Introduction,
        id: PaymentId,
        receipt: Signed<Receipt>,
    ) -> Option<PayAnswer> {
        let node = match self.party(from) {
            Ok(party) if party.owner() == receipt.unverified().payee => party.identity.node,
            Ok(_) => return Some(PayAnswer::Error(ErrorCode::NotMine)),
            Err(code) => return Some(PayAnswer::Error(code)),
        };
        let good = self.engine.ask(|reply| Input::Confirmed(id, receipt, node, reply)).await.ok()?;
        Some(if good { PayAnswer::Noted } else { PayAnswer::Error(ErrorCode::NotFound) })
    }

    /// A payee's answer to a payment of ours that he had from his mailbox.
    pub(super) async fn answered(
        &self,
        from: Introduction,
        id: PaymentId,
        answer: PayAnswer,
    ) -> Option<PayAnswer> {
        let party = match self.party(from) {
            Ok(party) => Box::new(party),
            Err(code) => return Some(PayAnswer::Error(code)),
        };
        let told = |reply| Input::Mail(MailInput::Answered { party, payment: id, answer, reply });
        let good = self.engine.ask(told).await.ok()?;
        Some(if good { PayAnswer::Noted } else { PayAnswer::Error(ErrorCode::NotFound) })
    }

    /// Takes a payment, or says why not; `peer` brought it, or the mailbox did. Its payer may show the receipt that he has.
    pub(super) async fn paid(
        &self,
        from: Introduction,
        payment: Payment,
        receipt: Option<Signed<Receipt>>,
        peer: Option<PeerId>,
    ) -> Option<PayAnswer> {
        let shared = self.engine.shared.clone();
        let order = payment.order.unverified();
        let order_digest = payment.order.digest();
        let (request, signed) = (payment.request.clone(), payment.order.clone());
        // An order that was answered gets the same answer before anything else is looked at.
        match shared.store.incoming(&order.payer, &order.payment) {
            Ok(Some(earlier)) => {
                return Some(match Wallet::earlier_answer(&earlier, &order_digest, &shared.persona.node) {
                    Verdict::Receipt(receipt) => {
                        self.engine.tell(Input::ShownAgain(earlier.payer, earlier.payment)).await;
                        PayAnswer::Receipt(receipt)
                    }
                    Verdict::Refused(refusal) => PayAnswer::Refused(refusal),
                    Verdict::Error(code) => PayAnswer::Error(code),
                });
            }
            Ok(None) => {}
            Err(_) => return Some(PayAnswer::Error(ErrorCode::Unavailable)),
        }
        let standing = self.standing(&order.payer);
        let checked = self.contacts.caller(&from);
        let is_offered = receipt.is_none();
        let verified = tokio::task::spawn_blocking(move || {
            let keys = shared.keys();
            let nodes = shared.persona.nodes();
            let reader = Reader {
                owner: shared.persona.owner,
                nodes: &nodes,
                receipt: receipt.as_ref(),
                keys: &keys,
                standing,
                checked,
                now: shared.now(),
            };
            payment.verify(from, &reader)
        });
        let verified = match verified.await.ok()? {
            Ok(verified) => verified,
            Err(flaw) => {
                tracing::info!(?peer, code = flaw.code().word(), "a payment is refused");
                // Who shows a receipt takes nothing back over a no: it is neither remembered nor signed.
                if !is_offered {
                    return Some(PayAnswer::Error(flaw.code()));
                }
                if flaw.is_for_good(&signed) {
                    let refused = |reply| Input::Refuse(Box::new(request), order_digest, reply);
                    self.engine.ask(refused).await.ok()?;
                }
                return Some(self.refuse(order_digest, &flaw));
            }
        };
        self.engine.ask(|reply| Input::Paid(Box::new(verified), reply)).await.ok()
    }

    /// Flaws found in the notes themselves are answered with a signed refusal; it binds us to nothing else.
    fn refuse(&self, order: protocol::id::Digest, flaw: &protocol::pay::PaymentFlaw) -> PayAnswer {
        let code = flaw.code();
        if !flaw.after_notes_were_opened() {
            return PayAnswer::Error(code);
        }
        let shared = &self.engine.shared;
        PayAnswer::Refused(shared.persona.node.sign(protocol::pay::Refusal { order, code, at: shared.now() }))
    }
}

/// The code in an answer that says no: plainly, or signed after the notes were opened, which costs the most.
fn told(answer: &PayAnswer) -> Option<ErrorCode> {
    match answer {
        PayAnswer::Error(code) => Some(*code),
        PayAnswer::Refused(refusal) => Some(refusal.unverified().code),
        PayAnswer::Request(_)
        | PayAnswer::Open(_)
        | PayAnswer::Receipt(_)
        | PayAnswer::Noted
        | PayAnswer::Shop(_) => None,
    }
}
