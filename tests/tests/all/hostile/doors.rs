//! The local interfaces of both programs: who has no business there gets no further than the door.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use protocol::node::rpc::{cookie_in, http_in, socket_in};
use tests::people::Community;
use tests::process::Program;

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"system.version","params":{}}"#;

/// A request with these headers instead of, or beside, the good ones.
fn request(host: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut all = vec![("Host", host.to_owned()), ("Content-Type", "application/json".to_owned())];
    all.push(("Content-Length", body.len().to_string()));
    for (name, value) in headers {
        all.retain(|(known, _)| known != name);
        all.push((name, (*value).to_owned()));
    }
    let lines: String = all.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("POST /rpc HTTP/1.1\r\n{lines}Connection: close\r\n\r\n{body}").into_bytes()
}

/// What comes back: the status, or nothing when the connection was closed.
fn told(mut stream: impl Read + Write, bytes: &[u8]) -> Option<u16> {
    // Who is turned away early may not read all that is written.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    text.split_whitespace().nth(1).and_then(|status| status.parse().ok())
}

/// M1, threats L1: garbage, other names, other sites, no cookie and huge bodies are stopped at the door of both
/// programs, and the programs go on.
#[test]
fn local_interfaces_stop_whoever_has_no_business_there() {
    let town = Community::open("Naxos");
    let alice = town.resident("alice", 10).joined().started();
    for program in [town.bank().program(), alice.program()] {
        guarded(program);
        assert!(program.answers(), "{} goes on", program.name());
    }
}

fn guarded(program: &Program) {
    let run = program.runtime_dir();
    let read = |path| std::fs::read_to_string(path).unwrap().trim().to_owned();
    let (http, cookie) = (read(http_in(&run)), format!("Bearer {}", read(cookie_in(&run))));
    let over_http = |bytes: &[u8]| {
        let stream = TcpStream::connect(&http).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        told(stream, bytes)
    };
    let over_socket = |bytes: &[u8]| {
        let stream = UnixStream::connect(socket_in(&run)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        told(stream, bytes)
    };
    let good = [("Authorization", cookie.as_str())];
    assert_eq!(over_http(&request(&http, &good, CALL)), Some(200), "{}", program.name());
    assert_eq!(over_socket(&request("localhost", &[], CALL)), Some(200), "{}", program.name());

    let auth = ("Authorization", cookie.as_str());
    let huge = "x".repeat(300 << 10);
    let stopped: [(&str, Vec<u8>, u16); 8] = [
        ("no cookie", request(&http, &[], CALL), 401),
        ("another cookie", request(&http, &[("Authorization", "Bearer 00")], CALL), 401),
        ("another name", request("evil.example", &[auth], CALL), 403),
        ("another site", request(&http, &[auth, ("Origin", "https://evil.example")], CALL), 403),
        ("a page", request(&http, &[auth, ("Sec-Fetch-Site", "cross-site")], CALL), 403),
        ("a form", request(&http, &[auth, ("Content-Type", "text/plain")], CALL), 415),
        ("a huge body", request(&http, &[auth], &huge), 413),
        ("a huge body in the dark", request(&http, &[auth, ("Content-Length", "99999999999")], CALL), 413),
    ];
    for (what, bytes, status) in stopped {
        assert_eq!(over_http(&bytes), Some(status), "{}: {what}", program.name());
    }
    assert_eq!(over_socket(&request("localhost", &[], &huge)), Some(413), "{}", program.name());
    for garbage in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..], b"GET\r\n\r\n", &[0xff; 70_000]] {
        let status = over_http(garbage);
        assert!(status.is_none_or(|status| (400..500).contains(&status)), "{}: {status:?}", program.name());
        let status = over_socket(garbage);
        assert!(status.is_none_or(|status| (400..500).contains(&status)), "{}: {status:?}", program.name());
    }
    for body in ["", "{", "[]", "null", r#"{"jsonrpc":"2.0","id":1,"method":"no.such","params":{}}"#] {
        let status = over_http(&request(&http, &good, body));
        assert!(status.is_some(), "{}: {body}: an answer of the interface's own", program.name());
    }
}
