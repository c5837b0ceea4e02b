//! The interface from outside: a till on real sockets in a temporary folder.

mod calls;
mod guards;
mod sockets;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::{
    Caller, Connection, Empty, ErrorInfo, EventSource, Gate, Limits, Retry, RpcError, Running, Scope,
    ServeConfig, cookie_in, rpc_contract, serve, socket_in,
};
use crate::node::host::signals::{Shutdown, Stop};

const ERRORS: &[ErrorInfo] =
    &[ErrorInfo { code: -6, reason: "insufficient_funds", meaning: "the reserve holds less than is asked" }];

rpc_contract! {
    /// A till for tests.
    ///
    /// It holds ten units for ever.
    pub(super) trait Till, client TillClient,
    title "test till", version "1", errors(ERRORS) {
        /// Says who calls.
        "till.who" (Scope::Read) who(Empty) -> Who;
        /// Gives units away.
        ///
        /// The same key gives them once.
        "till.spend" (Scope::Spend) spend(Spend) -> Spent;
        /// Never answers.
        "till.wait" (Scope::Read) wait(Empty) -> Empty;
        /// Publishes so many events.
        "till.publish" (Scope::Receive) publish(Publish) -> Empty;
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(super) struct Who {
    name: String,
    token: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Spend {
    /// How much.
    units: u64,
    /// The caller's word for this payment.
    key: String,
    memo: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(super) struct Spent {
    left: u64,
    coin: Coin,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(super) struct Coin {
    units: u64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Publish {
    count: u64,
}

struct TestTill {
    journal: Arc<Journal>,
}

impl Till for TestTill {
    async fn who(&self, caller: &Caller, Empty {}: Empty) -> Result<Who, RpcError> {
        Ok(Who { name: caller.name.clone(), token: caller.token.clone() })
    }

    async fn spend(&self, _caller: &Caller, spend: Spend) -> Result<Spent, RpcError> {
        match 10u64.checked_sub(spend.units) {
            Some(left) => Ok(Spent { left, coin: Coin { units: spend.units } }),
            None => Err(RpcError::new(-6, "insufficient_funds", "the reserve holds 10")
                .retry(Retry::Later)
                .detail("missing", spend.units - 10)),
        }
    }

    async fn wait(&self, _caller: &Caller, Empty {}: Empty) -> Result<Empty, RpcError> {
        std::future::pending().await
    }

    async fn publish(&self, _caller: &Caller, publish: Publish) -> Result<Empty, RpcError> {
        self.journal.publish(publish.count);
        Ok(Empty {})
    }
}

/// Numbered events in memory.
#[derive(Default)]
struct Journal {
    newest: watch::Sender<u64>,
}

impl Journal {
    fn publish(&self, count: u64) {
        self.newest.send_modify(|newest| *newest += count);
    }
}

impl EventSource for Journal {
    fn read(&self, since: u64, limit: usize) -> Result<Vec<Value>, RpcError> {
        // Large enough that a few thousand overflow every buffer between server and reader.
        let event = |seq| json!({ "seq": seq, "kind": "test", "text": "x".repeat(1024) });
        Ok((since + 1..=*self.newest.borrow()).take(limit).map(event).collect())
    }

    fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }
}

/// Tokens by their hashes, as an application keeps them.
#[derive(Default)]
struct Tokens {
    known: Mutex<Vec<(blake3::Hash, Caller)>>,
}

impl Tokens {
    fn add(&self, secret: &str, caller: Caller) {
        self.known.lock().unwrap().push((blake3::hash(secret.as_bytes()), caller));
    }

    fn withdraw_all(&self) {
        self.known.lock().unwrap().clear();
    }
}

impl Gate for Tokens {
    fn admit(&self, secret: &str) -> Option<Caller> {
        let hash = blake3::hash(secret.as_bytes());
        self.known.lock().unwrap().iter().find(|(known, _)| *known == hash).map(|(_, caller)| caller.clone())
    }
}

/// A running till and everything a test needs to visit it.
struct World {
    folder: tempfile::TempDir,
    running: Running,
    stop: Stop,
    tokens: Arc<Tokens>,
    journal: Arc<Journal>,
}

impl World {
    async fn open() -> Self {
        Self::with(Limits::default()).await
    }

    async fn with(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (stop, shutdown) = Shutdown::new();
        let (tokens, journal) = (Arc::new(Tokens::default()), Arc::new(Journal::default()));
        let till = TestTill { journal: Arc::clone(&journal) };
        let config = ServeConfig { limits, ..config(folder.path().to_owned()) };
        let pages = Router::new().route("/page", get(async || "a page"));
        let running = serve(config, till.into_service(), tokens.clone(), journal.clone(), pages, shutdown);
        let running = running.await.unwrap();
        Self { folder, running, stop, tokens, journal }
    }

    fn address(&self) -> SocketAddr {
        self.running.http_addr.unwrap()
    }

    fn socket(&self) -> PathBuf {
        socket_in(self.folder.path())
    }

    fn cookie(&self) -> String {
        std::fs::read_to_string(cookie_in(self.folder.path())).unwrap()
    }

    /// The till as its owner sees it, over HTTP.
    fn owner(&self) -> TillClient {
        TillClient::new(Connection::http(self.address(), self.cookie()))
    }

    /// A good request, with these headers put in place of its own and this body.
    async fn post(&self, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let good = [
            ("Host", self.address().to_string()),
            ("Authorization", format!("Bearer {}", self.cookie())),
            ("Content-Type", "application/json".to_owned()),
            ("Content-Length", body.len().to_string()),
        ];
        let mut text = String::from("POST /rpc HTTP/1.1\r\nConnection: close\r\n");
        for (name, value) in &good {
            if !headers.iter().any(|(other, _)| other == name) {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        // An empty value means: without this header.
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        self.raw(format!("{text}\r\n{body}").as_bytes()).await
    }

    /// The outcome of one good request with this body.
    async fn ask(&self, body: &str) -> Value {
        let (status, text) = self.post(&[], body).await;
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Sends bytes and returns status and body.
    async fn raw(&self, bytes: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        // The server may answer and hang up before it has read everything.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
        (status, body)
    }
}

fn config(runtime_dir: PathBuf) -> ServeConfig {
    ServeConfig {
        socket: Some(socket_in(&runtime_dir)),
        http: Some("127.0.0.1:0".parse().unwrap()),
        runtime_dir,
        program: "test-till",
        version: "0.0.1",
        limits: Limits::default(),
    }
}

fn scopes(text: &str) -> super::Scopes {
    text.parse().unwrap()
}

const WHO: &str = r#"{"jsonrpc":"2.0","id":1,"method":"till.who"}"#;

fn reason(answer: &Value) -> &str {
    answer["error"]["data"]["reason"].as_str().unwrap_or("no error")
}
