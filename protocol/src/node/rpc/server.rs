//! Opens the interface: a unix socket and loopback HTTP in front of one router.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use super::contract::SystemVersion;
use super::dispatch::Dispatcher;
use super::guard::{Door, Wall};
use super::http::Front;
use super::listen::{Loopback, Owners, accept, bind_socket};
use super::{EventSource, Gate, Service};
use crate::node::host::private_file;
use crate::node::host::signals::Shutdown;

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
    #[error(
        "refusing to listen on {0}: only loopback addresses (127.0.0.1, ::1) are safe without TLS; for access from elsewhere use an SSH tunnel"
    )]
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
        Some(address) => {
            Some(TcpListener::bind(address).await.map_err(io_error(format!("listening on {address}")))?)
        }
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

pub(super) fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> ServeError {
    let what = what.into();
    move |source| ServeError::Io { what, source }
}
