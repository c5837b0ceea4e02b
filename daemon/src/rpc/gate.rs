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
        events.iter().map(|event| flat(event).ok_or_else(RpcError::internal)).collect()
    }

    fn newest(&self) -> watch::Receiver<u64> {
        self.0.newest_event.subscribe()
    }
}

/// `seq`, `at` and `kind` beside what belongs to the kind. The stored form is another one: what tells kinds apart in
/// JSON would make MessagePack write ids as text.
fn flat(event: &Event) -> Option<Value> {
    let Value::Object(by_kind) = serde_json::to_value(&event.what).ok()? else { return None };
    let (kind, details) = by_kind.into_iter().next()?;
    let Value::Object(mut flat) = details else { return None };
    flat.insert("seq".to_owned(), event.seq.into());
    flat.insert("at".to_owned(), event.at.0.into());
    flat.insert("kind".to_owned(), kind.into());
    Some(Value::Object(flat))
}
