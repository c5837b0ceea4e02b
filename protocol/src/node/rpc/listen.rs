//! Sockets: taking connections, within limits, until the program stops.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::server::io_error;
use super::{Limits, ServeError};
use crate::node::host::signals::Shutdown;

/// How long open requests may take to finish once the program stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Takes connections until the shutdown, then waits for the open ones.
pub(super) async fn accept<L: Listener>(mut listener: L, router: Router, limits: Limits, shutdown: Shutdown) {
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
pub(super) struct Owners(pub(super) UnixListener);

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
pub(super) struct Loopback(pub(super) TcpListener);

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

/// Binds a unix socket for our user alone. What a crash left there is replaced, a living one is not.
pub(super) async fn bind_socket(path: &Path) -> Result<UnixListener, ServeError> {
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
