//! Mailboxes as programs see them.

use super::server::Desk;
use super::{api, code, view};
use crate::engine::MailInput;
use crate::store::Store as _;
use crate::wallet::paying::{Outgoing, State};
use crate::wallet::posting::Post;
use protocol::bank::MailFate;
use protocol::id::PaymentId;
use protocol::node::rpc::{Caller, RpcError};

impl Desk {
    pub(super) async fn take_out_of_mailbox(
        &self,
        caller: &Caller,
        id: PaymentId,
    ) -> Result<api::Payment, RpcError> {
        let payment = self.store().outgoing(&id).map_err(|fault| code::store(&fault))?;
        if payment.as_ref().is_some_and(|payment| !is_his(caller.token.as_deref(), payment.token.as_deref()))
        {
            return Err(code::reason_of("not_found", "no such payment was begun with this token"));
        }
        if payment.is_some_and(|payment| was_withdrawn(&payment) && !payment.state.is_open()) {
            // Asked before, and back by now: the same answer.
            return self.payment(&id);
        }
        // Nobody is told of a payment that is not on record.
        self.payment(&id)?;
        let asked = self.engine().ask(|reply| MailInput::Back(id, reply).into()).await;
        asked.and_then(|done| done).map_err(|fault| code::call(fault, &self.owner().currency))?;
        self.payment(&id)
    }

    pub(super) async fn mailbox(&self) -> Result<api::Mailbox, RpcError> {
        let posted = |payment: &&Outgoing| payment.state == State::Posted || payment.post.is_some();
        let left = self
            .engine()
            .look(move |wallet, _| wallet.open_payments().filter(posted).cloned().collect::<Vec<_>>());
        let left = left.await.map_err(|fault| code::call(fault, &self.owner().currency))?;
        let state = self.shared().mail.state();
        Ok(api::Mailbox {
            looked: state.looked,
            waiting: state.waiting,
            requests: state.requests,
            left: left.iter().map(|payment| view::payment(payment, &self.owner().currency)).collect(),
        })
    }
}

pub(super) fn in_mailbox(post: &Post) -> api::InMailbox {
    let fate = post.fate().map(|fate| match fate {
        MailFate::Withdrawn => "withdrawn".to_owned(),
        MailFate::Collected => "collected".to_owned(),
    });
    api::InMailbox {
        since: post.since,
        until: post.until,
        asked_back: post.back,
        fate,
        word: post.word.as_ref().map(|word| hex::encode(word.to_bytes())),
    }
}

/// Whether the bank has said that nobody collected it.
pub(super) fn was_withdrawn(payment: &Outgoing) -> bool {
    let post = payment.post.as_ref();
    post.is_some_and(|post| post.back && post.fate() != Some(MailFate::Collected))
}

/// What a payment in a mailbox means to the payer.
pub(super) fn posted(payment: &Outgoing, payee: &str) -> String {
    match &payment.post {
        Some(post) if post.back => {
            format!("taking it out of {payee}'s mailbox; the bank says whether {payee} has collected it")
        }
        Some(Post { since: Some(since), until, .. }) => format!(
            "in {payee}'s mailbox since {since}, until {until}: {payee} is off. You can cancel it until {payee} collects it"
        ),
        _ => format!("on its way to {payee}'s mailbox; you can cancel it"),
    }
}

/// Whether a caller may end a payment: the owner any, a program those that it has begun.
fn is_his(caller: Option<&str>, payment: Option<&str>) -> bool {
    caller.is_none() || caller == payment
}

#[cfg(test)]
mod tests {
    use super::is_his;

    /// N13: a program that may spend does not take back what the owner or another program has paid.
    #[test]
    fn a_program_cancels_its_own_payments_only() {
        assert!(is_his(Some("till"), Some("till")));
        assert!(!is_his(Some("till"), Some("other")));
        assert!(!is_his(Some("till"), None));
        assert!(is_his(None, Some("till")) && is_his(None, None), "the owner");
    }
}
