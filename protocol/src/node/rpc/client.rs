//! The calling side: over the unix socket if it can, else over HTTP with the cookie.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::events::{EventsList, EventsPage};
use super::{Empty, RpcError, SystemVersion, cookie_in, http_in, socket_in};
use crate::node::host::private_file;

/// Longer than the server's own deadline, so that its word comes first.
const DEADLINE: Duration = Duration::from_secs(150);
/// How long to wait for a program on this machine to take the call.
const DIAL: Duration = Duration::from_secs(5);
/// The longest answer.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;
/// Idle connections that are kept.
const IDLE: usize = 4;

/// Why a call brought no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody took the call, so nothing happened.
    #[error(
        "{place} cannot be reached: {why}; is the program running? start it, or name its folder with --home"
    )]
    Unreachable {
        /// Where it was looked for.
        place: String,
        /// What went wrong.
        why: String,
    },
    /// The call was sent and no answer came: it may have happened.
    #[error("the answer was lost ({why}); the call may have happened: ask again with the same key")]
    Lost {
        /// What went wrong.
        why: String,
    },
    /// The program said no.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// What came back is not this interface.
    #[error("the answer is not understood: {0}")]
    Protocol(String),
}

/// A way to call one program. Clones share their connections.
#[derive(Clone)]
pub struct Connection {
    inner: Arc<Inner>,
    deadline: Duration,
}

struct Inner {
    address: Address,
    secret: Option<String>,
    idle: Mutex<Vec<Sender>>,
    next: AtomicU64,
}

type Sender = SendRequest<Full<Bytes>>;

#[derive(Clone, Debug)]
enum Address {
    Socket(PathBuf),
    Http(SocketAddr),
}

impl Connection {
    /// The program whose runtime folder this is: by its unix socket, else by HTTP with the cookie.
    pub async fn to(runtime_dir: &Path) -> Result<Self, CallError> {
        let unix = Self::unix(&socket_in(runtime_dir));
        let why = match unix.dial().await {
            Ok(sender) => {
                unix.inner.idle.lock().await.push(sender);
                return Ok(unix);
            }
            Err(error) => error,
        };
        let read = |path: PathBuf| -> Option<String> {
            String::from_utf8(private_file::read(&path, 4096).ok()?).ok().map(|text| text.trim().to_owned())
        };
        let address = read(http_in(runtime_dir)).and_then(|text| text.parse().ok());
        match (address, read(cookie_in(runtime_dir))) {
            (Some(address), Some(cookie)) => Ok(Self::http(address, cookie)),
            _ => Err(why),
        }
    }

    /// The program behind a unix socket, as its own user.
    pub fn unix(socket: &Path) -> Self {
        Self::at(Address::Socket(socket.to_owned()), None)
    }

    /// The program behind a unix socket, with no more rights than a token has.
    pub fn unix_with(socket: &Path, secret: impl Into<String>) -> Self {
        Self::at(Address::Socket(socket.to_owned()), Some(secret.into()))
    }

    /// The program at an HTTP address, with its cookie or a token.
    pub fn http(address: SocketAddr, secret: impl Into<String>) -> Self {
        Self::at(Address::Http(address), Some(secret.into()))
    }

    fn at(address: Address, secret: Option<String>) -> Self {
        let idle = Mutex::new(Vec::new());
        let inner = Inner { address, secret, idle, next: AtomicU64::new(1) };
        Self { inner: Arc::new(inner), deadline: DEADLINE }
    }

    /// The same with another patience for answers; 150 seconds unless told.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Calls `method` with typed parameters.
    pub async fn call<P: Serialize + ?Sized, R: DeserializeOwned>(
        &self,
        method: &str,
        params: &P,
    ) -> Result<R, CallError> {
        let params = serde_json::to_value(params).map_err(|why| CallError::Protocol(why.to_string()))?;
        let result = self.call_value(method, params).await?;
        serde_json::from_value(result).map_err(|why| CallError::Protocol(format!("{method}: {why}")))
    }

    /// Calls `method` with whatever parameters.
    pub async fn call_value(&self, method: &str, params: Value) -> Result<Value, CallError> {
        let id = self.inner.next.fetch_add(1, Ordering::Relaxed);
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string();
        let exchange = Box::pin(self.exchange(Bytes::from(body)));
        let mut answer = timeout(self.deadline, exchange)
            .await
            .map_err(|_| CallError::Lost { why: format!("no answer in {:?}", self.deadline) })??;
        if let Some(error) = answer.get("error") {
            return Err(match RpcError::from_json(error) {
                Some(error) => CallError::Rpc(error),
                None => CallError::Protocol("an error without a code".to_owned()),
            });
        }
        if answer.get("id").and_then(Value::as_u64) != Some(id) {
            return Err(CallError::Protocol("the answer belongs to another call".to_owned()));
        }
        match answer.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(CallError::Protocol("neither result nor error".to_owned())),
        }
    }

    /// Which program answers.
    pub async fn version(&self) -> Result<SystemVersion, CallError> {
        self.call("system.version", &Empty {}).await
    }

    /// The OpenRPC document of the program.
    pub async fn discover(&self) -> Result<Value, CallError> {
        self.call_value("rpc.discover", json!({})).await
    }

    /// A page of events after a number, waiting for the first if asked to.
    pub async fn events(&self, asked: &EventsList) -> Result<EventsPage, CallError> {
        self.call("events.list", asked).await
    }

    async fn exchange(&self, body: Bytes) -> Result<Value, CallError> {
        let kept = self.inner.idle.lock().await.pop();
        let (mut sender, fresh) = match kept {
            Some(sender) => (sender, false),
            None => (self.dial().await?, true),
        };
        let lost = |why: hyper::Error| CallError::Lost { why: why.to_string() };
        let sent = match sender.ready().await {
            Ok(()) => sender.try_send_request(self.request(body.clone())?).await,
            // A kept connection that has ended meanwhile: the request never left.
            Err(_) if !fresh => return self.on_a_fresh_connection(body).await,
            Err(why) => return Err(self.unreachable(&why)),
        };
        let answer = match sent {
            Ok(answer) => read(answer).await?,
            // hyper hands the request back only if not one byte of it was written.
            Err(error) if error.message().is_some() && !fresh => {
                return self.on_a_fresh_connection(body).await;
            }
            Err(error) if error.message().is_some() => return Err(self.unreachable(error.error())),
            Err(error) => return Err(lost(error.into_error())),
        };
        self.keep(sender).await;
        Ok(answer)
    }

    async fn on_a_fresh_connection(&self, body: Bytes) -> Result<Value, CallError> {
        let mut sender = self.dial().await?;
        let request = self.request(body)?;
        let sent = sender.send_request(request).await;
        let answer = read(sent.map_err(|why| CallError::Lost { why: why.to_string() })?).await?;
        self.keep(sender).await;
        Ok(answer)
    }

    async fn keep(&self, sender: Sender) {
        let mut idle = self.inner.idle.lock().await;
        if idle.len() < IDLE && !sender.is_closed() {
            idle.push(sender);
        }
    }

    fn request(&self, body: Bytes) -> Result<Request<Full<Bytes>>, CallError> {
        let host = match &self.inner.address {
            Address::Socket(_) => "localhost".to_owned(),
            Address::Http(address) => address.to_string(),
        };
        let mut request = Request::post("/rpc").header(HOST, host).header(CONTENT_TYPE, "application/json");
        if let Some(secret) = &self.inner.secret {
            request = request.header(AUTHORIZATION, format!("Bearer {secret}"));
        }
        request.body(Full::new(body)).map_err(|why| CallError::Protocol(format!("the secret: {why}")))
    }

    async fn dial(&self) -> Result<Sender, CallError> {
        let dialled = timeout(DIAL, async {
            match &self.inner.address {
                Address::Socket(path) => shake(UnixStream::connect(path).await?).await,
                Address::Http(address) => {
                    let stream = TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    shake(stream).await
                }
            }
        });
        match dialled.await {
            Ok(Ok(sender)) => Ok(sender),
            Ok(Err(why)) => Err(self.unreachable(&why)),
            Err(_) => Err(self.unreachable(&"nobody takes the call")),
        }
    }

    fn unreachable(&self, why: &dyn std::fmt::Display) -> CallError {
        let place = match &self.inner.address {
            Address::Socket(path) => path.display().to_string(),
            Address::Http(address) => address.to_string(),
        };
        CallError::Unreachable { place, why: why.to_string() }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("address", &self.inner.address).finish_non_exhaustive()
    }
}

async fn shake<I>(io: I) -> std::io::Result<Sender>
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(io)).await.map_err(std::io::Error::other)?;
    // Ends with the sender, or when the other side hangs up; the sender then tells.
    tokio::spawn(connection);
    Ok(sender)
}

async fn read(answer: hyper::Response<Incoming>) -> Result<Value, CallError> {
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_LIMIT).collect().await;
    let body = body.map_err(|why| CallError::Lost { why: why.to_string() })?.to_bytes();
    serde_json::from_slice(&body).map_err(|_| CallError::Protocol(format!("HTTP {status} without JSON")))
}
