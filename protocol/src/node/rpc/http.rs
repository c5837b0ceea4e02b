//! The routes of one listener: from an HTTP request to the dispatcher and back.

use std::sync::Arc;

use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::{Request, State, WebSocketUpgrade};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::dispatch::{Dispatcher, response};
use super::guard::{Credential, Door, Refused, Wall};
use super::session::Session;
use super::{Caller, Limits, RpcError};

/// What the handlers of one listener know.
#[derive(Clone)]
pub(super) struct Front {
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) door: Door,
    pub(super) wall: Wall,
    pub(super) limits: Limits,
    pub(super) sockets: Arc<Semaphore>,
}

impl Front {
    pub(super) fn router(self, extra: Router) -> Router {
        let ours = Router::new()
            .route("/rpc", post(rpc))
            .route("/ws", get(ws))
            .route("/livez", get(async || "ok"))
            .with_state(self.clone());
        ours.merge(extra).layer(axum::middleware::from_fn_with_state(self, wall))
    }

    /// Lets the sender of `headers` in, or says why not.
    fn admit(&self, headers: &HeaderMap) -> Result<(Credential, Caller), Refused> {
        let credential = self.wall.credential(headers)?;
        match self.door.admit(&credential) {
            Some(caller) => Ok((credential, caller)),
            None => Err((StatusCode::UNAUTHORIZED, RpcError::unauthorized())),
        }
    }

    async fn body(&self, request: Request) -> Result<Vec<u8>, Refused> {
        let headers = request.headers();
        if !is_json(headers) {
            let why = "the body must be application/json";
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, RpcError::refused("wrong_content_type", why)));
        }
        let too_large = || {
            let why = format!("the body may hold {} bytes", self.limits.body);
            (StatusCode::PAYLOAD_TOO_LARGE, RpcError::refused("too_large", why))
        };
        let announced =
            headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > self.limits.body) {
            return Err(too_large());
        }
        let arriving = Limited::new(request.into_body(), self.limits.body).collect();
        match timeout(self.limits.arrival, arriving).await {
            Ok(Ok(body)) => Ok(body.to_bytes().to_vec()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
            Ok(Err(error)) => {
                Err((StatusCode::BAD_REQUEST, RpcError::refused("broken_body", error.to_string())))
            }
            Err(_) => {
                Err((StatusCode::REQUEST_TIMEOUT, RpcError::refused("too_slow", "the body did not arrive")))
            }
        }
    }
}

async fn wall(State(front): State<Front>, request: Request, next: Next) -> Response {
    match front.wall.check(request.headers(), request.uri()) {
        Ok(()) => next.run(request).await,
        Err(refused) => refusal(refused),
    }
}

async fn rpc(State(front): State<Front>, request: Request) -> Response {
    let (_, caller) = match front.admit(request.headers()) {
        Ok(admitted) => admitted,
        Err(refused) => return refusal(refused),
    };
    let bytes = match front.body(request).await {
        Ok(bytes) => bytes,
        Err(refused) => return refusal(refused),
    };
    let body = front.dispatcher.parse(&bytes);
    match Box::pin(front.dispatcher.answer(&caller, body)).await {
        Some(answer) => json(StatusCode::OK, &answer),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

async fn ws(State(front): State<Front>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    let (credential, _) = match front.admit(&headers) {
        Ok(admitted) => admitted,
        Err(refused) => return refusal(refused),
    };
    let Ok(permit) = Arc::clone(&front.sockets).try_acquire_owned() else {
        return refusal((StatusCode::SERVICE_UNAVAILABLE, RpcError::busy("too many WebSockets are open")));
    };
    let limit = front.limits.body;
    upgrade.max_message_size(limit).max_frame_size(limit).on_upgrade(async move |socket| {
        Session::new(front, credential).run(socket).await;
        drop(permit);
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

fn refusal((status, error): Refused) -> Response {
    let mut answer = json(status, &response(&Value::Null, Err(error)));
    if status == StatusCode::UNAUTHORIZED {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}

fn json(status: StatusCode, value: &Value) -> Response {
    let headers = [("content-type", "application/json"), ("cache-control", "no-store")];
    (status, headers, HttpBody::from(value.to_string())).into_response()
}
