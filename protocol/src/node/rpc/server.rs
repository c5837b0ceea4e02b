//! The listeners: a unix socket and loopback HTTP in front of one router.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::{Request, State, WebSocketUpgrade};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::Listener;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::contract::SystemVersion;
use super::dispatch::{Dispatcher, response};
use super::guard::{Credential, Door, Refused, Wall};
use super::session::Session;
use super::{Caller, EventSource, Gate, RpcError, Service};
use crate::node::host::private_file;
use crate::node::host::signals::Shutdown;

/// How long open requests may take to finish once the program stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// The unix socket, usually [`socket_in`] the runtime folder; none if absent.
    pub socket: Option<PathBuf>,
    /// Loopback HTTP; port 0 takes a free one. None if absent.
    pub http: Option<SocketAddr>,
    /// A private folder for the cookie and the address.
    pub runtime_dir: PathBuf,
    /// The program's name for `system.version`.
    pub program: &'static str,
    /// The program's version for `system.version`.
    pub version: &'static str,
    /// What strangers and friends may use up.
    pub limits: Limits,
}

/// What a caller may use up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest body or WebSocket message in bytes.
    pub body: usize,
    /// The most requests in a batch.
    pub batch: usize,
    /// How long a call, or a whole batch, may take.
    pub deadline: Duration,
    /// How long the head of a request may take to arrive; also how long an idle connection is kept.
    pub head: Duration,
    /// How long a body may take to arrive.
    pub arrival: Duration,
    /// Connections at a time, for each listener.
    pub connections: usize,
    /// WebSockets at a time, for each listener.
    pub sockets: usize,
    /// How often a WebSocket is asked whether it still lives; three silences end it.
    pub ping: Duration,
    /// How long a WebSocket may refuse to take a message.
    pub write: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 256 * 1024,
            batch: 32,
            deadline: Duration::from_secs(120),
            head: Duration::from_secs(20),
            arrival: Duration::from_secs(20),
            connections: 128,
            sockets: 32,
            ping: Duration::from_secs(30),
            write: Duration::from_secs(60),
        }
    }
}

/// Why the interface could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// HTTP without TLS would show every secret to the network.
    #[error("refusing to listen on {0}: only loopback addresses (127.0.0.1, ::1) are safe without TLS; for access from elsewhere use an SSH tunnel")]
    NotLoopback(SocketAddr),
    /// Another program answers there.
    #[error("another program already listens on {}", .0.display())]
    SocketTaken(PathBuf),
    /// The system said no.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

/// An open interface. It ends with the shutdown it was given.
#[derive(Debug)]
pub struct Running {
    /// Where HTTP listens, with the real port.
    pub http_addr: Option<SocketAddr>,
    /// Where the unix socket listens.
    pub socket: Option<PathBuf>,
    task: JoinHandle<()>,
}

impl Running {
    /// Resolves when every connection has ended and the cookie is gone.
    pub async fn finished(self) {
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the interface ended badly");
        }
    }
}

/// The unix socket in a runtime folder.
pub fn socket_in(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("rpc.sock")
}

/// The file with the secret of this run in a runtime folder.
pub fn cookie_in(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("cookie")
}

/// The file with the real HTTP address in a runtime folder.
pub fn http_in(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("http")
}

/// Opens the interface. `extra` adds routes (pages, metrics) behind the same Host and Origin checks;
/// it must not define `/rpc`, `/ws` or `/livez`, and lets its own visitors in.
pub async fn serve(
    config: ServeConfig,
    service: Arc<dyn Service>,
    gate: Arc<dyn Gate>,
    events: Arc<dyn EventSource>,
    extra: Router,
    shutdown: Shutdown,
) -> Result<Running, ServeError> {
    if let Some(address) = config.http.filter(|address| !address.ip().is_loopback()) {
        return Err(ServeError::NotLoopback(address));
    }
    let cookie = fresh_cookie()?;
    let front = Front {
        dispatcher: Arc::new(Dispatcher {
            service,
            events,
            shutdown: shutdown.clone(),
            version: SystemVersion {
                program: config.program.to_owned(),
                version: config.version.to_owned(),
                api: vec![1],
            },
            deadline: config.limits.deadline,
            batch: config.limits.batch,
        }),
        door: Door { cookie: cookie.as_str().into(), gate },
        wall: Wall::Socket,
        limits: config.limits,
        sockets: Arc::new(Semaphore::new(config.limits.sockets)),
    };
    let socket = match &config.socket {
        Some(path) => Some(bind_socket(path).await?),
        None => None,
    };
    let http = match config.http {
        Some(address) => Some(TcpListener::bind(address).await.map_err(io_error(format!("listening on {address}")))?),
        None => None,
    };
    let http_addr = match &http {
        Some(listener) => Some(listener.local_addr().map_err(io_error("the listening address"))?),
        None => None,
    };
    let litter = write_runtime_files(&config, http_addr, &cookie)?;

    let mut listeners = JoinSet::new();
    if let Some(listener) = socket {
        let router = front.clone().router(extra.clone());
        listeners.spawn(accept(Owners(listener), router, config.limits, shutdown.clone()));
    }
    if let (Some(listener), Some(address)) = (http, http_addr) {
        let sockets = Arc::new(Semaphore::new(config.limits.sockets));
        let router = Front { wall: Wall::http(address), sockets, ..front }.router(extra);
        listeners.spawn(accept(Loopback(listener), router, config.limits, shutdown.clone()));
    }
    let task = tokio::spawn(async move {
        shutdown.requested().await;
        while listeners.join_next().await.is_some() {}
        for path in litter {
            // Whoever comes later finds nothing there or replaces it: no reason to fail at the end.
            let _ = std::fs::remove_file(path);
        }
    });
    Ok(Running { http_addr, socket: config.socket, task })
}

/// What the handlers of one listener know.
#[derive(Clone)]
pub(super) struct Front {
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) door: Door,
    wall: Wall,
    pub(super) limits: Limits,
    sockets: Arc<Semaphore>,
}

impl Front {
    fn router(self, extra: Router) -> Router {
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
        let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > self.limits.body) {
            return Err(too_large());
        }
        let arriving = Limited::new(request.into_body(), self.limits.body).collect();
        match timeout(self.limits.arrival, arriving).await {
            Ok(Ok(body)) => Ok(body.to_bytes().to_vec()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
            Ok(Err(error)) => Err((StatusCode::BAD_REQUEST, RpcError::refused("broken_body", error.to_string()))),
            Err(_) => Err((StatusCode::REQUEST_TIMEOUT, RpcError::refused("too_slow", "the body did not arrive"))),
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

/// Takes connections until the shutdown, then waits for the open ones.
async fn accept<L: Listener>(mut listener: L, router: Router, limits: Limits, shutdown: Shutdown) {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let mut open = JoinSet::new();
    loop {
        // A place first: who comes when all are taken waits in the kernel's queue.
        let permit = tokio::select! {
            permit = Arc::clone(&permits).acquire_owned() => permit,
            () = shutdown.requested() => break,
        };
        let (io, _) = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.requested() => break,
        };
        let (router, shutdown) = (router.clone(), shutdown.clone());
        open.spawn(async move {
            connection(io, router, limits, shutdown).await;
            drop(permit);
        });
        while open.try_join_next().is_some() {}
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

async fn connection<I>(io: I, router: Router, limits: Limits, shutdown: Shutdown)
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_headers(64).max_buf_size(64 * 1024);
    let service = TowerToHyperService::new(router);
    let mut serving = pin!(http.serve_connection(TokioIo::new(io), service).with_upgrades());
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = shutdown.requested() => {
            serving.as_mut().graceful_shutdown();
            timeout(DRAIN, serving).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a local connection broke");
    }
}

/// A unix socket that only processes of our own user reach.
struct Owners(UnixListener);

impl Listener for Owners {
    type Io = UnixStream;
    type Addr = ();

    async fn accept(&mut self) -> (UnixStream, ()) {
        let us = rustix::process::geteuid().as_raw();
        loop {
            // axum's accept outlives errors such as too many open files by waiting a little.
            let (stream, _) = Listener::accept(&mut self.0).await;
            match stream.peer_cred() {
                Ok(peer) if peer.uid() == us => return (stream, ()),
                Ok(peer) => tracing::warn!(uid = peer.uid(), "another user tried the unix socket"),
                Err(error) => tracing::warn!(%error, "a caller without a user tried the unix socket"),
            }
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Loopback TCP without waiting for full packets.
struct Loopback(TcpListener);

impl Listener for Loopback {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Only speed: a connection without it still works.
        let _ = stream.set_nodelay(true);
        (stream, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

async fn bind_socket(path: &Path) -> Result<UnixListener, ServeError> {
    use std::os::unix::fs::PermissionsExt;
    let what = format!("the unix socket {}", path.display());
    if UnixStream::connect(path).await.is_ok() {
        return Err(ServeError::SocketTaken(path.to_owned()));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(what)(error)),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(io_error(what.clone()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(io_error(what))?;
    Ok(listener)
}

/// Writes cookie and address; returns what must be removed at the end.
fn write_runtime_files(
    config: &ServeConfig,
    http: Option<SocketAddr>,
    cookie: &str,
) -> Result<Vec<PathBuf>, ServeError> {
    let mut litter: Vec<PathBuf> = config.socket.iter().cloned().collect();
    let mut put = |path: PathBuf, text: &str| {
        private_file::write(&path, text.as_bytes()).map_err(io_error(path.display().to_string()))?;
        litter.push(path);
        Ok(())
    };
    put(cookie_in(&config.runtime_dir), cookie)?;
    match http {
        Some(address) => put(http_in(&config.runtime_dir), &address.to_string())?,
        // A former run may have left its address, which is now anybody's.
        None => drop(std::fs::remove_file(http_in(&config.runtime_dir))),
    }
    Ok(litter)
}

fn fresh_cookie() -> Result<String, ServeError> {
    let mut chance = [0u8; 32];
    getrandom::fill(&mut chance).map_err(|error| io_error("randomness")(io::Error::other(error)))?;
    Ok(hex::encode(chance))
}

fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> ServeError {
    let what = what.into();
    move |source| ServeError::Io { what, source }
}
