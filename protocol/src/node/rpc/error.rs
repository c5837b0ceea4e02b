//! What a call says when it does not do what was asked.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Whether asking again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// The same call will fail again.
    Never,
    /// It may have happened: ask again with the same key to learn how it ended.
    SameKey,
    /// It did not happen; later it may.
    Later,
}

/// An error of the interface. `reason` is the contract, the rest explains.
#[derive(Clone, Debug, PartialEq)]
pub struct RpcError {
    /// JSON-RPC's number.
    pub code: i32,
    /// Stable snake_case word that programs match on.
    pub reason: Cow<'static, str>,
    /// A sentence for a person.
    pub message: String,
    /// Whether asking again can help.
    pub retry: Retry,
    /// What the person can do.
    pub hint: Option<String>,
    /// Further facts, such as the missing scope.
    pub details: Map<String, Value>,
}

/// A line of a contract's error list, for discovery and the manual.
#[derive(Clone, Copy, Debug)]
pub struct ErrorInfo {
    /// JSON-RPC's number.
    pub code: i32,
    /// The word programs match on.
    pub reason: &'static str,
    /// When it happens.
    pub meaning: &'static str,
}

/// Errors that every contract shares.
pub(super) const SHARED: &[ErrorInfo] = &[
    ErrorInfo { code: -32700, reason: "parse_error", meaning: "the body is not JSON" },
    ErrorInfo { code: -32600, reason: "invalid_request", meaning: "the JSON is not a JSON-RPC 2.0 request" },
    ErrorInfo { code: -32601, reason: "method_not_found", meaning: "there is no such method" },
    ErrorInfo {
        code: -32602,
        reason: "invalid_params",
        meaning: "a parameter is missing, unknown or malformed",
    },
    ErrorInfo { code: -32603, reason: "internal", meaning: "the program failed; its log says more" },
    ErrorInfo { code: -32000, reason: "refused", meaning: "the HTTP request itself was not acceptable" },
    ErrorInfo { code: -32001, reason: "unauthorized", meaning: "no valid cookie or token was shown" },
    ErrorInfo {
        code: -32002,
        reason: "forbidden",
        meaning: "the token does not hold the scope of the method",
    },
    ErrorInfo { code: -32003, reason: "deadline", meaning: "no answer in time; the call may have happened" },
    ErrorInfo { code: -32004, reason: "busy", meaning: "too much at once; nothing was done" },
    ErrorInfo { code: -32005, reason: "since_ahead", meaning: "events are asked for that do not exist yet" },
];

impl RpcError {
    /// An error that asking again does not cure.
    pub fn new(code: i32, reason: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            message: message.into(),
            retry: Retry::Never,
            hint: None,
            details: Map::new(),
        }
    }

    /// The same with another advice on asking again.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The same with a word on what the person can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with one more fact.
    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// The body is not JSON.
    pub fn parse_error(why: impl std::fmt::Display) -> Self {
        Self::new(-32700, "parse_error", format!("the request is not valid JSON: {why}"))
    }

    /// The JSON is no request.
    pub fn invalid_request(why: impl Into<String>) -> Self {
        Self::new(-32600, "invalid_request", why)
    }

    /// No such method.
    pub fn method_not_found(method: &str) -> Self {
        let shown: String = method.chars().take(80).collect();
        Self::new(-32601, "method_not_found", format!("there is no method {shown:?}"))
            .hint("rpc.discover lists every method")
    }

    /// A parameter is missing, unknown or malformed.
    pub fn invalid_params(why: impl Into<String>) -> Self {
        Self::new(-32602, "invalid_params", why)
    }

    /// The program failed. What went wrong goes to the log, not to the caller.
    pub fn internal() -> Self {
        Self::new(-32603, "internal", "the program failed inside; its log says more").retry(Retry::SameKey)
    }

    /// No valid secret was shown.
    pub fn unauthorized() -> Self {
        Self::new(-32001, "unauthorized", "this interface needs the cookie of this run or a token")
            .hint("send \"Authorization: Bearer …\" with the content of the cookie file or with a token")
    }

    /// The caller lacks the scope of the method.
    pub fn forbidden(method: &str, scope: super::Scope) -> Self {
        Self::new(-32002, "forbidden", format!("{method} needs a token with the scope {scope}"))
            .detail("scope", scope.name())
    }

    /// No answer in time.
    pub fn deadline() -> Self {
        Self::new(-32003, "deadline", "there was no answer in time; the call may still have happened")
            .retry(Retry::SameKey)
    }

    /// Too much at once.
    pub fn busy(what: &str) -> Self {
        Self::new(-32004, "busy", what).retry(Retry::Later)
    }

    /// The HTTP request was not acceptable.
    pub(super) fn refused(reason: &'static str, why: impl Into<String>) -> Self {
        Self::new(-32000, reason, why)
    }

    /// The error object of JSON-RPC.
    pub fn to_json(&self) -> Value {
        let mut data = self.details.clone();
        data.insert("reason".to_owned(), json!(self.reason));
        data.insert("retry".to_owned(), json!(self.retry));
        if let Some(hint) = &self.hint {
            data.insert("hint".to_owned(), json!(hint));
        }
        json!({ "code": self.code, "message": self.message, "data": data })
    }

    /// Reads an error object. A foreign one without our `data` gets the reason `unknown`.
    pub fn from_json(error: &Value) -> Option<Self> {
        let code = i32::try_from(error.get("code")?.as_i64()?).ok()?;
        let message = error.get("message")?.as_str()?.to_owned();
        let mut details = error.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut text = |name: &str| match details.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let reason = text("reason").unwrap_or_else(|| "unknown".to_owned());
        let retry = match text("retry").as_deref() {
            Some("same_key") => Retry::SameKey,
            Some("later") => Retry::Later,
            _ => Retry::Never,
        };
        let hint = text("hint");
        Some(Self { code, reason: reason.into(), message, retry, hint, details })
    }
}

impl std::fmt::Display for RpcError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for RpcError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_its_journey() {
        let error = RpcError::new(-6, "insufficient_funds", "the reserve holds 12, the payment asks 15")
            .retry(Retry::Later)
            .hint("withdraw 3")
            .detail("missing", 3);
        let json = error.to_json();
        assert_eq!(json["data"]["reason"], "insufficient_funds");
        assert_eq!(json["data"]["retry"], "later");
        assert_eq!(json["data"]["missing"], 3);
        assert_eq!(RpcError::from_json(&json), Some(error));
    }

    #[test]
    fn a_foreign_error_is_understood_as_far_as_it_goes() {
        let error = RpcError::from_json(&json!({ "code": -32601, "message": "no", "data": "text" })).unwrap();
        assert_eq!((error.reason.as_ref(), error.retry), ("unknown", Retry::Never));
        assert_eq!(RpcError::from_json(&json!({ "code": 1e99, "message": "no" })), None);
        assert_eq!(RpcError::from_json(&json!("no")), None);
    }
}
