//! A payment's way out by the mailbox: a request that the payee left, the sealed item, the item asked back.

use super::contact::Contacts;
use super::handle::Shared;
use super::input::Input;
use super::jobs::Flight;
use super::link::{BankLink, LinkFault};
use super::mailing::MailInput;
use super::outbox::Outbox;
use crate::wallet::paying::Outgoing;
use protocol::bank::{MailItem, MailKind, NodeQuery, Party, Purpose, envelope_digest};
use protocol::id::{Digest, Key, RequestId};
use protocol::node::chance::{chance, chance_bytes};
use protocol::pay::Request;
use protocol::seal;
use protocol::sign::Signed;
use protocol::time::DAY_SECONDS;
use protocol::wire::{self, BankAnswer, BankAsk, ErrorCode, Letterhead, MAIL_MAX, PayAsk};
use serde_bytes::ByteBuf;

/// How long a payee is tried himself before his mailbox is thought of.
const DIRECTLY_FIRST_SECONDS: u64 = 3;
/// How long an answer waits in a payer's mailbox.
const ANSWER_SECONDS: u64 = 30 * DAY_SECONDS;

/// What became of something that was to go by mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mailed {
    /// The bank has it, or will never take it: nothing more is to be done.
    Settled,
    /// Nobody knows: again later.
    Open,
}

impl Shared {
    /// A question to the bank in the owner's name, signed by the node key: it counts only for a while.
    pub(super) fn query(&self, purpose: Purpose, number: u64, subject: Digest) -> NodeQuery {
        NodeQuery {
            bank: self.keys().bank(),
            request: RequestId(chance_bytes()),
            owner: self.persona.owner,
            node: self.persona.node.key(),
            purpose,
            number,
            subject,
            created: self.now(),
        }
    }

    /// Seals something to somebody, if it fits a mailbox.
    fn envelope(&self, party: &Party, ask: PayAsk) -> Option<Vec<u8>> {
        let letter = wire::encode(&Letterhead { from: self.papers(), ask });
        let sender = self.persona.views.first()?;
        let sealed = seal::seal(sender, &party.identity.view, &letter, &mut chance()).ok()?;
        (sealed.len() <= MAIL_MAX).then_some(sealed)
    }
}

/// Leaves an answer or a confirmation in somebody's mailbox.
pub(super) async fn mail_to(
    shared: &Shared,
    (contacts, link): (&Contacts, &BankLink),
    to: &Key,
    order: Digest,
    ask: PayAsk,
) -> Mailed {
    let party = match contacts.party(to, None).await {
        Ok(party) => party,
        Err(fault) if fault.is_for_good() => {
            // What we answer is on disk, or the same at each asking: he hears it when he shows his payment again. Until
            // then an item of his must not stand before everybody else's.
            tracing::warn!(to = %to, %fault, "an answer finds nobody");
            return Mailed::Settled;
        }
        Err(_) => return Mailed::Open,
    };
    let Some(envelope) = shared.envelope(&party, ask) else { return Mailed::Settled };
    let now = shared.now();
    let item = shared.persona.node.sign(MailItem {
        bank: shared.keys().bank(),
        request: RequestId(chance_bytes()),
        from: shared.persona.owner,
        node: shared.persona.node.key(),
        to: *to,
        kind: MailKind::Answer,
        order,
        envelope: envelope_digest(&envelope),
        created: now,
        expires: now.plus_seconds(ANSWER_SECONDS),
    });
    match link.ask(&BankAsk::Mail(item, ByteBuf::from(envelope))).await {
        Ok(BankAnswer::Error(code)) if code.is_passing() => Mailed::Open,
        Ok(BankAnswer::Error(code)) => {
            tracing::info!(code = code.word(), "an answer found no place in a mailbox");
            Mailed::Settled
        }
        Ok(_) => Mailed::Settled,
        Err(_) => Mailed::Open,
    }
}

impl Outbox {
    /// For a payee who is off: the request at hand, or one that he left at the bank.
    pub(super) async fn request_left(&self, payment: &Outgoing) -> Option<Signed<Request>> {
        let shared = self.shared();
        if shared.now().seconds_since(payment.created) < DIRECTLY_FIRST_SECONDS {
            return None;
        }
        if let Some(request) = &payment.request {
            // The bank has to be there for what follows.
            return self.link.is_there().then(|| request.clone());
        }
        let query = shared.query(Purpose::Take, payment.amount.get(), Digest(payment.payee.0));
        // Named after the payment: asked again, it is the same request.
        let query = NodeQuery { request: RequestId(payment.id.0), ..query };
        match self.link.ask(&BankAsk::TakeRequest(shared.persona.node.sign(query))).await {
            Ok(BankAnswer::OpenRequest(Some(request))) if request.unverified().payee() == payment.payee => {
                Some(*request)
            }
            _ => None,
        }
    }

    /// Seals a payment for the payee's mailbox.
    pub(super) async fn seal(&self, payment: &Outgoing) -> Input {
        let unanswered = Input::Unanswered(Flight::Seal(payment.id));
        let (shared, Some(message)) = (self.shared(), payment.message.clone()) else { return unanswered };
        let at_hand = payment.request.as_ref().map(Signed::unverified);
        let Ok(party) = self.contacts.party(&payment.payee, at_hand).await else { return unanswered };
        let Some(envelope) = shared.envelope(&party, PayAsk::Pay(Box::new(message))) else {
            return unanswered;
        };
        let (request, node) = (RequestId(chance_bytes()), shared.persona.node.key());
        match payment.mail_item(request, node, envelope_digest(&envelope), shared.now()) {
            Some(item) => {
                let item = Box::new(shared.persona.node.sign(item));
                MailInput::Sealed(payment.id, item, envelope).into()
            }
            None => unanswered,
        }
    }

    /// Asks the bank for an item that nobody has collected.
    pub(super) async fn mail_back(&self, payment: &Outgoing) -> Input {
        let unanswered = Input::Unanswered(Flight::MailBack(payment.id));
        let Some(item) = payment.post.as_ref().and_then(|post| post.item) else { return unanswered };
        let query = self.shared().query(Purpose::Withdraw, 0, item);
        let answer = self.link.ask(&BankAsk::MailBack(self.shared().persona.node.sign(query))).await;
        match answer {
            Ok(BankAnswer::MailWord(word)) => MailInput::Word(payment.id, word).into(),
            other => {
                log(&other);
                unanswered
            }
        }
    }
}

fn log(answer: &Result<BankAnswer, LinkFault>) {
    match answer {
        Ok(BankAnswer::Error(ErrorCode::OlderGeneration)) => {
            tracing::error!(
                "the bank knows another workstation of this owner: mail can't be asked back here"
            );
        }
        Ok(BankAnswer::Error(code)) => tracing::info!(code = code.word(), "mail was asked back in vain"),
        Ok(_) | Err(_) => tracing::debug!("mail was asked back, and there is no answer yet"),
    }
}
