//! Tokens: what a program may do, how much it may spend, until when.
//!
//! The cap is counted in the same commit as the payment, so no crash and no race spends beyond it.

use super::Wallet;
use super::change::{Change, Decision, Draft};
use super::paying::{Outgoing, PayRefusal};
use protocol::id::Digest;
use protocol::money::Units;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A program's token. The secret itself is not kept, only its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Digest of the secret.
    pub secret: Digest,
    /// What it may do, as text: read, receive, spend, admin.
    pub scopes: String,
    /// Most units that it may spend in all.
    pub cap: Option<Units>,
    /// What it has spent; payments that came to nothing are taken off again.
    pub spent: Units,
    /// When it ends.
    pub expires: Option<Timestamp>,
}

impl Token {
    /// What it may still spend.
    fn left(&self) -> Units {
        self.cap.map_or(Units::MAX, |cap| cap.minus(self.spent).unwrap_or_default())
    }
}

impl Wallet {
    /// All tokens.
    pub fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.tokens.values()
    }

    /// Makes a token.
    pub fn add_token(&self, token: Token, now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        draft.put(Change::Token(token));
        Decision::new(draft, ())
    }

    /// Ends a token; false if there is none with this id.
    pub fn revoke_token(&self, id: &str, now: Timestamp) -> Decision<bool> {
        let mut draft = Draft::at(self, now);
        let known = self.tokens.contains_key(id);
        if known {
            draft.put(Change::TokenRevoked(id.to_owned()));
        }
        Decision::new(draft, known)
    }

    pub(super) fn spend_token(
        &self,
        draft: &mut Draft,
        id: Option<&str>,
        units: Units,
    ) -> Result<(), PayRefusal> {
        let Some(id) = id else { return Ok(()) };
        let none_left = PayRefusal::OverCap { left: Units::ZERO, asked: units };
        let token = self.tokens.get(id).ok_or(none_left)?;
        if token.left() < units {
            return Err(PayRefusal::OverCap { left: token.left(), asked: units });
        }
        let spent = token.spent.plus(units).map_err(|_| none_left)?;
        draft.put(Change::Token(Token { spent, ..token.clone() }));
        Ok(())
    }

    pub(super) fn refund_token(&self, draft: &mut Draft, payment: &Outgoing, units: Units) {
        let token = payment.token.as_ref().and_then(|id| self.tokens.get(id));
        if let Some(token) = token {
            let spent = token.spent.minus(units).unwrap_or_default();
            draft.put(Change::Token(Token { spent, ..token.clone() }));
        }
    }
}
