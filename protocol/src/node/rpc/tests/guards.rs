//! Every guard at the door, each with the request that it must stop.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;
use crate::node::rpc::{NoTokens, Silent, http_in};

/// Header, value, status and reason of requests that differ from a good one in one header only.
const STOPPED: &[(&str, &str, u16, &str)] = &[
    ("Host", "", 403, "wrong_host"),
    ("Host", "evil.example", 403, "wrong_host"),
    ("Host", "127.0.0.1", 403, "wrong_host"),
    ("Host", "127.0.0.1:1", 403, "wrong_host"),
    ("Origin", "https://evil.example", 403, "foreign_origin"),
    ("Origin", "null", 403, "foreign_origin"),
    ("Origin", "http://127.0.0.1:1", 403, "foreign_origin"),
    ("Sec-Fetch-Site", "cross-site", 403, "foreign_origin"),
    ("Sec-Fetch-Site", "same-site", 403, "foreign_origin"),
    ("Authorization", "", 401, "unauthorized"),
    ("Authorization", "Bearer", 401, "unauthorized"),
    ("Authorization", "Bearer 00", 401, "unauthorized"),
    ("Authorization", "Basic b3duZXI6YQ==", 401, "unauthorized"),
    ("Content-Type", "", 415, "wrong_content_type"),
    ("Content-Type", "text/plain", 415, "wrong_content_type"),
    ("Content-Type", "application/x-www-form-urlencoded", 415, "wrong_content_type"),
    ("Content-Length", "262145", 413, "too_large"),
];

#[tokio::test]
async fn one_wrong_header_stops_a_request() {
    let world = World::open().await;
    assert_eq!(world.post(&[], WHO).await.0, 200, "the request is good without the change");
    for &(header, value, status, expected) in STOPPED {
        let (got, body) = world.post(&[(header, value)], WHO).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((got, reason(&body)), (status, expected), "{header}: {value}");
    }
}

#[tokio::test]
async fn our_own_page_and_every_loopback_name_come_in() {
    let world = World::open().await;
    let port = world.address().port();
    for host in [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")] {
        let origin = format!("http://{host}");
        let headers = [
            ("Host", host.as_str()),
            ("Origin", origin.as_str()),
            ("Sec-Fetch-Site", "same-origin"),
            ("Content-Type", "application/json; charset=utf-8"),
        ];
        assert_eq!(world.post(&headers, WHO).await.0, 200, "{host}");
    }
}

#[tokio::test]
async fn a_doubled_header_or_a_foreign_request_line_is_refused() {
    let world = World::open().await;
    let (address, cookie) = (world.address(), world.cookie());
    let rest = format!(
        "Authorization: Bearer {cookie}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    for head in [
        format!("POST /rpc HTTP/1.1\r\nHost: {address}\r\nHost: {address}\r\n"),
        format!("POST http://evil.example/rpc HTTP/1.1\r\nHost: {address}\r\n"),
        format!(
            "POST /rpc HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nOrigin: http://evil\r\n"
        ),
    ] {
        assert_eq!(world.raw(format!("{head}{rest}").as_bytes()).await.0, 403, "{head}");
    }
    let twice = format!("POST /rpc HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer 1\r\n{rest}");
    assert_eq!(world.raw(twice.as_bytes()).await.0, 401);
}

#[tokio::test]
async fn only_post_calls_and_no_answer_opens_the_door_to_other_sites() {
    let world = World::open().await;
    let (address, cookie) = (world.address(), world.cookie());
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        let head = format!("{method} /rpc HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {cookie}\r\n");
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 405"), "{method}: {answer}");
        assert!(!answer.to_ascii_lowercase().contains("access-control"), "{answer}");
    }
}

#[tokio::test]
async fn a_large_body_is_cut_off_whether_it_says_its_length_or_not() {
    let world = World::open().await;
    let large = "x".repeat(256 * 1024 + 1);
    let (status, _) = world.post(&[], &large).await;
    assert_eq!(status, 413);
    let (address, cookie) = (world.address(), world.cookie());
    let head = format!(
        "POST /rpc HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {cookie}\r\nContent-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let (status, _) = world.raw(format!("{head}{:x}\r\n{large}", large.len()).as_bytes()).await;
    assert_eq!(status, 413);
}

#[tokio::test]
async fn a_request_that_arrives_drop_by_drop_is_given_up() {
    let quick = Duration::from_millis(30);
    let world = World::with(Limits { head: quick, arrival: quick, ..Limits::default() }).await;
    let (status, body) = world.raw(b"POST /rpc HTTP/1.1\r\nHost: ").await;
    assert!(status == 0 || status == 408, "the head: {status} {body}");
    let (status, _) = world.post(&[("Content-Length", "100")], "{").await;
    assert_eq!(status, 408, "the body");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_free_place() {
    let world = World::with(Limits { connections: 1, ..Limits::default() }).await;
    let first = TcpStream::connect(world.address()).await.unwrap();
    let mut second = TcpStream::connect(world.address()).await.unwrap();
    let request = format!("GET /livez HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", world.address());
    second.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let reading = tokio::time::timeout(Duration::from_millis(50), second.read_to_string(&mut answer)).await;
    assert!(reading.is_err(), "the first connection holds the only place");
    drop(first);
    second.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
}

#[tokio::test]
async fn pages_and_health_stand_behind_the_host_check_only() {
    let world = World::open().await;
    let get = |path: &str, host: String| {
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    };
    for (path, body) in [("/page", "a page"), ("/livez", "ok")] {
        let own = get(path, world.address().to_string());
        assert_eq!(world.raw(own.as_bytes()).await, (200, body.to_owned()));
        let rebound = get(path, "evil.example".to_owned());
        assert_eq!(world.raw(rebound.as_bytes()).await.0, 403);
    }
}

#[tokio::test]
async fn the_cookie_is_private_fresh_and_gone_at_the_end() {
    let world = World::open().await;
    let folder = world.folder.path().to_owned();
    let first = world.cookie();
    assert_eq!(first.len(), 64);
    for path in [cookie_in(&folder), http_in(&folder), socket_in(&folder)] {
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600,
            "{}",
            path.display()
        );
    }
    assert_eq!(std::fs::read_to_string(http_in(&folder)).unwrap(), world.address().to_string());
    world.stop.now();
    world.running.finished().await;
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "nothing stays behind");
    let second = World::open().await;
    assert_ne!(second.cookie(), first);
}

#[tokio::test]
async fn an_address_that_others_reach_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (_stop, shutdown) = Shutdown::new();
    let config = ServeConfig { http: Some("0.0.0.0:0".parse().unwrap()), ..config(folder.path().to_owned()) };
    let till = TestTill { journal: Arc::new(Journal::default()) }.into_service();
    let opened =
        serve(config, till, Arc::new(NoTokens), Arc::new(Silent::default()), Router::new(), shutdown).await;
    let error = opened.unwrap_err().to_string();
    assert!(error.contains("0.0.0.0:0") && error.contains("loopback"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_socket_left_by_a_crash_is_replaced_and_a_living_one_is_not() {
    let world = World::open().await;
    let open = async |socket: PathBuf| {
        let folder = tempfile::tempdir().unwrap();
        let (stop, shutdown) = Shutdown::new();
        let config = ServeConfig { socket: Some(socket), ..config(folder.path().to_owned()) };
        let till = TestTill { journal: Arc::new(Journal::default()) }.into_service();
        let silent = Arc::new(Silent::default());
        let opened = serve(config, till, Arc::new(NoTokens), silent, Router::new(), shutdown).await;
        stop.now();
        opened.map(|_| ())
    };
    assert!(matches!(open(world.socket()).await, Err(super::super::ServeError::SocketTaken(_))));
    let stale = world.folder.path().join("stale.sock");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    open(stale).await.unwrap();
}
