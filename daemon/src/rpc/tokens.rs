//! Tokens for programs: their forms, and the calls about them.

use super::code;
use super::gate::secret_digest;
use super::secrets::TokenSecret;
use super::server::Desk;
use crate::engine::Input;
use crate::wallet::token::Token;
use protocol::body::Text;
use protocol::money::Units;
use protocol::node::chance::chance_bytes;
use protocol::node::rpc::{RpcError, Scopes};
use protocol::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A token to make.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for.
    pub name: String,
    /// What it may do: read, receive, spend, admin.
    pub scopes: Scopes,
    /// Most units that it may spend in all.
    pub cap: Option<Units>,
    /// Seconds until it ends.
    pub seconds: Option<u64>,
}

/// One token, by id.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ByToken {
    /// Its id.
    pub token: String,
}

/// A token.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TokenView {
    /// Its id.
    pub token: String,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// Most units that it may spend in all.
    pub cap: Option<Units>,
    /// How much it has spent.
    pub spent: Units,
    /// When it ends.
    pub expires: Option<Timestamp>,
}

/// The tokens.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Tokens {
    /// The tokens.
    pub tokens: Vec<TokenView>,
}

impl Desk {
    pub(super) async fn new_token(&self, asked: NewToken) -> Result<TokenSecret, RpcError> {
        let name = Text::new(&asked.name, 64)
            .map_err(|flaw| code::reason_of("bad_text", format!("the name: {flaw}")))?;
        let (id, secret) = (hex::encode(chance_bytes::<4>()), hex::encode(chance_bytes::<32>()));
        let scopes: Vec<&str> = asked.scopes.given().iter().map(|scope| scope.name()).collect();
        let token = Token {
            id: id.clone(),
            name: name.as_str().to_owned(),
            secret: secret_digest(&secret),
            scopes: scopes.join(","),
            cap: asked.cap,
            spent: Units::ZERO,
            expires: asked.seconds.map(|seconds| self.shared().now().plus_seconds(seconds)),
        };
        self.engine().ask(|reply| Input::AddToken(token, reply)).await.map_err(|f| self.call(f))?;
        self.gate().renew(self.engine()).await;
        Ok(TokenSecret { token: id, secret })
    }

    pub(super) async fn tokens(&self) -> Result<Tokens, RpcError> {
        let tokens = self.engine().look(|wallet, _| wallet.tokens().cloned().collect::<Vec<_>>()).await;
        let show = |token: Token| TokenView {
            scopes: token.scopes.parse().unwrap_or_default(),
            token: token.id,
            name: token.name,
            cap: token.cap,
            spent: token.spent,
            expires: token.expires,
        };
        Ok(Tokens { tokens: tokens.map_err(|f| self.call(f))?.into_iter().map(show).collect() })
    }
}
