//! WebSockets: calls, subscriptions without gaps, and the ways a session ends.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::*;

struct Reader {
    socket: WebSocketStream<TcpStream>,
}

impl World {
    async fn ws(&self, secret: &str, origin: Option<&str>) -> Result<Reader, u16> {
        let mut request = format!("ws://{}/ws", self.address()).into_client_request().unwrap();
        let headers = request.headers_mut();
        if !secret.is_empty() {
            headers.insert("authorization", format!("Bearer {secret}").parse().unwrap());
        }
        if let Some(origin) = origin {
            headers.insert("origin", origin.parse().unwrap());
        }
        let stream = TcpStream::connect(self.address()).await.unwrap();
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(Reader { socket }),
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }
}

impl Reader {
    async fn say(&mut self, value: &Value) {
        self.socket.send(Message::text(value.to_string())).await.unwrap();
    }

    /// The next message; `None` when the server has closed.
    async fn hear(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(_) | Err(_)) | None => return None,
            }
        }
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.say(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })).await;
        self.hear().await.unwrap()
    }

    /// Hears events up to number `until` and checks that none is missing after `since`.
    async fn hear_without_gap(&mut self, since: u64, until: u64) {
        for seq in since + 1..=until {
            let message = self.hear().await.unwrap();
            assert_eq!(message["method"], "events.event", "{message}");
            assert_eq!(message["params"]["event"]["seq"], seq);
        }
    }
}

#[tokio::test]
async fn the_door_of_the_websocket_is_the_same_door() {
    let world = World::open().await;
    let cookie = world.cookie();
    assert_eq!(world.ws("", None).await.err(), Some(401));
    assert_eq!(world.ws("guess", None).await.err(), Some(401));
    assert_eq!(world.ws(&cookie, Some("http://evil.example")).await.err(), Some(403));
    let own = format!("http://{}", world.address());
    let mut reader = world.ws(&cookie, Some(&own)).await.unwrap();
    assert_eq!(reader.call("till.who", json!({})).await["result"]["name"], "owner");
    reader.say(&json!([{ "jsonrpc": "2.0", "id": 5, "method": "system.version" }, 7])).await;
    let batch = reader.hear().await.unwrap();
    assert_eq!((&batch[0]["id"], reason(&batch[1])), (&json!(5), "invalid_request"));
    assert_eq!(reason(&reader.call("till.rob", json!({})).await), "method_not_found");
    reader.socket.send(Message::text("{")).await.unwrap();
    assert_eq!(reason(&reader.hear().await.unwrap()), "parse_error");
}

#[tokio::test]
async fn a_slow_reader_hears_every_event_and_holds_up_nobody() {
    let world = World::open().await;
    world.journal.publish(4_000);
    let mut slow = world.ws(&world.cookie(), None).await.unwrap();
    let begun = slow.call("events.subscribe", json!({ "since": 1_000 })).await;
    assert_eq!(begun["result"], json!({ "subscription": 1, "since": 1_000 }));
    // The slow reader reads nothing while others work and thousands of events pile up.
    let owner = world.owner();
    for _ in 0..100 {
        owner.publish(Publish { count: 50 }).await.unwrap();
    }
    slow.hear_without_gap(1_000, 9_000).await;
    drop(slow);
    // A later reader goes on from any number.
    let mut again = world.ws(&world.cookie(), None).await.unwrap();
    again.call("events.subscribe", json!({ "since": 8_990 })).await;
    world.journal.publish(5);
    again.hear_without_gap(8_990, 9_005).await;
}

#[tokio::test]
async fn a_subscription_begins_now_unless_told_and_ends_when_told() {
    let world = World::open().await;
    world.journal.publish(7);
    let mut reader = world.ws(&world.cookie(), None).await.unwrap();
    let begun = reader.call("events.subscribe", json!({})).await;
    assert_eq!(begun["result"]["since"], 7);
    world.journal.publish(1);
    reader.hear_without_gap(7, 8).await;
    let subscription = begun["result"]["subscription"].clone();
    let ended = reader.call("events.unsubscribe", json!({ "subscription": subscription })).await;
    assert_eq!(ended["result"]["ended"], true);
    world.journal.publish(1);
    let version = reader.call("system.version", json!({})).await;
    assert_eq!(version["result"]["program"], "test-till", "no event came in between");
    let ended = reader.call("events.unsubscribe", json!({ "subscription": subscription })).await;
    assert_eq!(ended["result"]["ended"], false);
    assert_eq!(reason(&reader.call("events.subscribe", json!({ "since": 99 })).await), "since_ahead");
    assert_eq!(reason(&reader.call("events.subscribe", json!({ "from": 1 })).await), "invalid_params");
    for _ in 0..8 {
        assert!(reader.call("events.subscribe", json!({})).await["result"].is_object());
    }
    assert_eq!(reason(&reader.call("events.subscribe", json!({})).await), "busy");
}

#[tokio::test]
async fn a_withdrawn_token_ends_its_subscription_and_its_session() {
    let world = World::open().await;
    world.tokens.add("s3cret", Caller::token("t1", "display", scopes("read")));
    let mut reader = world.ws("s3cret", None).await.unwrap();
    reader.call("events.subscribe", json!({})).await;
    assert_eq!(reason(&reader.call("till.publish", json!({ "count": 1 })).await), "forbidden");
    world.journal.publish(1);
    reader.hear_without_gap(0, 1).await;
    world.tokens.withdraw_all();
    world.journal.publish(1);
    // The event that was already asked for may still come; then the end, with its reason.
    let mut last = reader.hear().await.unwrap();
    if last["method"] == "events.event" {
        world.journal.publish(1);
        last = reader.hear().await.unwrap();
    }
    assert_eq!((&last["method"], reason(&last["params"])), (&json!("events.end"), "unauthorized"));
    reader.say(&json!({ "jsonrpc": "2.0", "id": 1, "method": "till.who" })).await;
    assert_eq!(reader.hear().await, None);
}

#[tokio::test]
async fn a_token_without_read_hears_no_events() {
    let world = World::open().await;
    world.tokens.add("s3cret", Caller::token("t1", "payer", scopes("spend")));
    let mut reader = world.ws("s3cret", None).await.unwrap();
    assert_eq!(reason(&reader.call("events.subscribe", json!({})).await), "forbidden");
}

#[tokio::test]
async fn large_and_binary_messages_end_the_session() {
    let world = World::open().await;
    let mut reader = world.ws(&world.cookie(), None).await.unwrap();
    reader.socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(reader.hear().await, None);
    let mut reader = world.ws(&world.cookie(), None).await.unwrap();
    // The server may hang up before the last byte is written.
    let _ = reader.socket.send(Message::text("x".repeat(256 * 1024 + 1))).await;
    assert_eq!(reader.hear().await, None);
}

#[tokio::test]
async fn websockets_beyond_the_limit_are_turned_away() {
    let world = World::with(Limits { sockets: 1, ..Limits::default() }).await;
    let _first = world.ws(&world.cookie(), None).await.unwrap();
    assert_eq!(world.ws(&world.cookie(), None).await.err(), Some(503));
}

#[tokio::test]
async fn who_never_answers_a_ping_is_let_go() {
    let world = World::with(Limits { ping: Duration::from_millis(10), ..Limits::default() }).await;
    let mut stream = TcpStream::connect(world.address()).await.unwrap();
    let (address, cookie) = (world.address(), world.cookie());
    let head = format!(
        "GET /ws HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {cookie}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    // Reads pings and never sends a pong; the end of the stream is the server's doing.
    stream.read_to_end(&mut heard).await.unwrap();
    assert!(heard.starts_with(b"HTTP/1.1 101"));
}

#[tokio::test]
async fn the_end_of_the_program_closes_every_session() {
    let world = World::open().await;
    let mut reader = world.ws(&world.cookie(), None).await.unwrap();
    reader.call("events.subscribe", json!({})).await;
    world.stop.now();
    assert_eq!(reader.hear().await, None);
    world.running.finished().await;
}
