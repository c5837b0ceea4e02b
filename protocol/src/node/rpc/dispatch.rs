//! JSON-RPC 2.0: bytes in, calls, bytes out. Knows nothing of HTTP.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::contract::{SystemVersion, decode_params, encode_result};
use super::events::{self, EventSource};
use super::openrpc::{BUILT_IN, openrpc};
use super::{Caller, Empty, RpcError, Scope, Service};
use crate::node::host::signals::Shutdown;

/// Carries out requests.
pub(super) struct Dispatcher {
    pub(super) service: Arc<dyn Service>,
    pub(super) events: Arc<dyn EventSource>,
    pub(super) shutdown: Shutdown,
    pub(super) version: SystemVersion,
    pub(super) deadline: Duration,
    pub(super) batch: usize,
}

/// One request of a body.
#[derive(Debug, PartialEq)]
pub(super) struct Request {
    /// Absent in a notification, which gets no answer.
    pub(super) id: Option<Value>,
    pub(super) method: String,
    pub(super) params: Value,
}

/// A request that cannot be understood, with the id to answer under.
type Bad = Box<(Value, RpcError)>;

/// What a body holds.
#[derive(Debug)]
pub(super) enum Body {
    One(Result<Request, Bad>),
    Batch(Vec<Result<Request, Bad>>),
}

impl Dispatcher {
    /// Reads a body. Nesting is bounded by the parser (128 levels), size by whoever read the bytes.
    pub(super) fn parse(&self, bytes: &[u8]) -> Body {
        match serde_json::from_slice(bytes) {
            Err(why) => Body::One(Err(bad(Value::Null, RpcError::parse_error(why)))),
            Ok(Value::Array(entries)) if entries.is_empty() => invalid("a batch holds at least one request"),
            Ok(Value::Array(entries)) if entries.len() > self.batch => {
                invalid(format!("a batch holds at most {} requests", self.batch))
            }
            Ok(Value::Array(entries)) => Body::Batch(entries.into_iter().map(request).collect()),
            Ok(entry) => Body::One(request(entry)),
        }
    }

    /// Carries out a body; `None` if nothing in it wants an answer.
    pub(super) async fn answer(&self, caller: &Caller, body: Body) -> Option<Value> {
        let deadline = tokio::time::sleep(self.deadline);
        tokio::pin!(deadline);
        let mut late = false;
        let single = matches!(body, Body::One(_));
        let entries = match body {
            Body::One(entry) => vec![entry],
            Body::Batch(entries) => entries,
        };
        let mut answers = Vec::new();
        // One after the other: a batch may unlock first and pay then.
        for entry in entries {
            let (id, outcome) = match entry {
                Err(refused) => (Some(refused.0), Err(refused.1)),
                Ok(request) if late => {
                    (request.id, Err(RpcError::busy("the batch used up its time before this request")))
                }
                Ok(request) => {
                    let call = self.call(caller, &request.method, request.params);
                    let outcome = tokio::select! {
                        outcome = call => outcome,
                        () = &mut deadline => { late = true; Err(RpcError::deadline()) }
                    };
                    (request.id, outcome)
                }
            };
            answers.extend(id.map(|id| response(&id, outcome)));
        }
        if single { answers.pop() } else { (!answers.is_empty()).then_some(Value::Array(answers)) }
    }

    /// Carries out one call for a caller who holds its scope.
    async fn call(&self, caller: &Caller, method: &str, params: Value) -> Result<Value, RpcError> {
        self.check_scope(caller, method)?;
        match method {
            "rpc.discover" => {
                let Empty {} = decode_params(params)?;
                Ok(openrpc(self.service.contract()))
            }
            "system.version" => {
                let Empty {} = decode_params(params)?;
                encode_result(&self.version)
            }
            "events.list" => {
                let asked = decode_params(params)?;
                encode_result(&events::list(&self.events, asked, &self.shutdown).await?)
            }
            "events.subscribe" | "events.unsubscribe" => {
                Err(RpcError::invalid_request(format!("{method} works as a single request on a WebSocket"))
                    .hint("open GET /ws, or poll events.list with wait_seconds"))
            }
            _ => self.service.call(caller, method, params).await,
        }
    }

    /// Refuses unknown methods and callers without the scope.
    pub(super) fn check_scope(&self, caller: &Caller, method: &str) -> Result<(), RpcError> {
        let mut known = BUILT_IN.iter().chain(&self.service.contract().methods);
        let info =
            known.find(|info| info.name == method).ok_or_else(|| RpcError::method_not_found(method))?;
        match info.scope {
            Some(scope) if !caller.scopes.allow(scope) => Err(RpcError::forbidden(method, scope)),
            Some(Scope::Read | Scope::Receive | Scope::Spend | Scope::Admin) | None => {
                self.service.admits(caller, method)
            }
        }
    }
}

/// A response object.
pub(super) fn response(id: &Value, outcome: Result<Value, RpcError>) -> Value {
    match outcome {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(error) => json!({ "jsonrpc": "2.0", "id": id, "error": error.to_json() }),
    }
}

fn invalid(why: impl Into<String>) -> Body {
    Body::One(Err(bad(Value::Null, RpcError::invalid_request(why))))
}

fn bad(id: Value, error: RpcError) -> Bad {
    Box::new((id, error))
}

fn request(entry: Value) -> Result<Request, Bad> {
    let Value::Object(mut fields) = entry else {
        return Err(bad(Value::Null, RpcError::invalid_request("a request is a JSON object")));
    };
    let id = fields.remove("id");
    if !matches!(&id, None | Some(Value::Null | Value::String(_) | Value::Number(_))) {
        return Err(bad(Value::Null, RpcError::invalid_request("the id is a string, a number or null")));
    }
    let refuse = |error| bad(id.clone().unwrap_or(Value::Null), error);
    if fields.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(refuse(RpcError::invalid_request("the member \"jsonrpc\" must be \"2.0\"")));
    }
    let Some(Value::String(method)) = fields.remove("method") else {
        return Err(refuse(RpcError::invalid_request("the member \"method\" must be a string")));
    };
    match fields.remove("params") {
        None => Ok(Request { id, method, params: json!({}) }),
        Some(params @ Value::Object(_)) => Ok(Request { id, method, params }),
        Some(_) => Err(refuse(RpcError::invalid_params("parameters are given by name, in an object"))),
    }
}
