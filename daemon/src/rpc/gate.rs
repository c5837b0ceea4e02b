//! Who may call with a token, and the events as the store has them.

use super::code;
use crate::engine::{Engine, Shared};
use crate::store::Store;
use crate::wallet::token::Token;
use protocol::body;
use protocol::id::Digest;
use protocol::node::rpc::{Caller, EventSource, Gate, RpcError, Scopes};
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
    fn read(&self, since: u64, limit: usize) -> Result<Vec<serde_json::Value>, RpcError> {
        let events = self.0.store.events(since, limit).map_err(|fault| code::store(&fault))?;
        let as_json = |event| serde_json::to_value(event).map_err(|_| RpcError::internal());
        events.iter().map(as_json).collect()
    }

    fn newest(&self) -> watch::Receiver<u64> {
        self.0.newest_event.subscribe()
    }
}
