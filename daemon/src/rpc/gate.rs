//! Who may call with a token, and the events as the store has them.

use super::code;
use crate::engine::{Engine, Shared};
use crate::store::Store;
use crate::wallet::change::Event;
use crate::wallet::token::Token;
use protocol::body;
use protocol::id::Digest;
use protocol::node::rpc::{Caller, EventSource, Gate, RpcError, Scopes};
use serde_json::Value;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// The digest of a token's secret: what is kept of it.
pub(super) fn secret_digest(secret: &str) -> Digest {
    body::digest("token", secret.as_bytes())
}

/// Admits tokens that the wallet knows. Tokens are few: a copy is kept here, renewed when one is made or ended.
pub struct TokenGate {
    shared: Arc<Shared>,
    tokens: RwLock<Vec<Token>>,
}

impl TokenGate {
    /// With the tokens as the wallet knows them.
    pub fn new(shared: Arc<Shared>, tokens: Vec<Token>) -> TokenGate {
        TokenGate { shared, tokens: RwLock::new(tokens) }
    }

    /// Reads them again.
    pub async fn renew(&self, engine: &Engine) {
        if let Ok(tokens) = engine.look(|wallet, _| wallet.tokens().cloned().collect::<Vec<_>>()).await {
            *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
        }
    }
}

impl Gate for TokenGate {
    fn admit(&self, secret: &str) -> Option<Caller> {
        // Digests are compared, so the time it takes says nothing about the secret.
        let shown = secret_digest(secret);
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let token = tokens.iter().find(|token| token.secret == shown)?;
        if token.expires.is_some_and(|end| self.shared.now() > end) {
            return None;
        }
        let scopes: Scopes = token.scopes.parse().ok()?;
        Some(Caller::token(token.id.clone(), token.name.clone(), scopes))
    }
}

/// Events, as durable as what they tell of.
pub struct StoredEvents(pub Arc<Shared>);

impl EventSource for StoredEvents {
    fn read(&self, since: u64, limit: usize) -> Result<Vec<Value>, RpcError> {
        let events = self.0.store.events(since, limit).map_err(|fault| code::store(&fault))?;
        events.iter().map(as_json).collect()
    }

    fn newest(&self) -> watch::Receiver<u64> {
        self.0.newest_event.subscribe()
    }
}

/// `{seq, at, what: {kind, …}}`. The store has another form: a tag inside would make serde read ids back as text.
fn as_json(event: &Event) -> Result<Value, RpcError> {
    let mut shown = serde_json::to_value(event).map_err(|_| RpcError::internal())?;
    if let Some(Value::Object(what)) = shown.get_mut("what")
        && let Some((kind, Value::Object(mut fields))) = std::mem::take(what).into_iter().next()
    {
        fields.insert("kind".to_owned(), Value::String(kind));
        *what = fields;
    }
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wallet::change::Happening;
    use protocol::id::{Key, PaymentId, RequestId};
    use protocol::money::Units;
    use protocol::time::Timestamp;

    #[test]
    fn an_event_is_kept_as_bytes_and_shown_with_its_kind() {
        let (payment, payer, request) = (PaymentId([1; 16]), Key([2; 32]), RequestId([3; 16]));
        let what = Happening::Received { payment, payer, units: Units::new(5).unwrap(), request };
        let event = Event { seq: 1, at: Timestamp(9), what };
        let kept: Event = rmp_serde::from_slice(&rmp_serde::to_vec(&event).unwrap()).unwrap();
        assert_eq!(kept, event);
        let shown = as_json(&event).unwrap();
        assert_eq!(shown["what"]["kind"], "received");
        assert_eq!(shown["what"]["payment"], payment.to_string());
    }
}
