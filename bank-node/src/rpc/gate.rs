//! Operators' tokens at the door of the interface.

use crate::desk::operators::secret_digest;
use crate::ledger::books::{Books, View};
use crate::service::Bank;
use protocol::node::rpc::{Caller, Gate, Scope};

/// Lets in who shows the token of an operator.
pub struct OperatorGate<B>(pub Bank<B>);

impl<B: Books> Gate for OperatorGate<B> {
    fn admit(&self, secret: &str) -> Option<Caller> {
        // Digests are compared, so the time it takes says nothing about the secret.
        let digest = secret_digest(secret);
        let operators = self.0.read_blocking(View::operators)?;
        let mut valid = operators.into_iter().filter(|operator| operator.ended.is_none());
        let operator = valid.find(|operator| operator.secret == digest)?;
        Some(Caller::token(operator.name.clone(), operator.name, [Scope::Admin].into_iter().collect()))
    }
}
