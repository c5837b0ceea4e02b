//! Calls, batches, notifications, errors, scopes, discovery and the client.

use std::time::Duration;

use super::*;
use crate::node::rpc::{CallError, EventsList, Scopes, Transport, openrpc};

/// Body and reason of requests that are answered with an error.
const WRONG: &[(&str, &str)] = &[
    ("", "parse_error"),
    ("{", "parse_error"),
    ("\u{0}", "parse_error"),
    ("[]", "invalid_request"),
    ("3", "invalid_request"),
    ("{}", "invalid_request"),
    (r#"{"jsonrpc":"1.0","id":1,"method":"till.who"}"#, "invalid_request"),
    (r#"{"jsonrpc":"2.0","id":{},"method":"till.who"}"#, "invalid_request"),
    (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, "invalid_request"),
    (r#"{"jsonrpc":"2.0","id":1,"method":"till.rob"}"#, "method_not_found"),
    (r#"{"jsonrpc":"2.0","id":1,"method":"till.spend"}"#, "invalid_params"),
    (r#"{"jsonrpc":"2.0","id":1,"method":"till.spend","params":[1,"k"]}"#, "invalid_params"),
    (r#"{"jsonrpc":"2.0","id":1,"method":"till.spend","params":null}"#, "invalid_params"),
    (r#"{"jsonrpc":"2.0","id":1,"method":"till.who","params":{"x":1}}"#, "invalid_params"),
    (r#"{"jsonrpc":"2.0","id":1,"method":"rpc.discover","params":{"x":1}}"#, "invalid_params"),
    (r#"{"jsonrpc":"2.0","id":1,"method":"events.subscribe"}"#, "invalid_request"),
    (r#"{"jsonrpc":"2.0","id":1,"method":"events.list","params":{"limit":0}}"#, "invalid_params"),
    (r#"{"jsonrpc":"2.0","id":1,"method":"events.list","params":{"wait_seconds":61}}"#, "invalid_params"),
    (r#"{"jsonrpc":"2.0","id":1,"method":"events.list","params":{"since":1}}"#, "since_ahead"),
];

#[tokio::test]
async fn wrong_requests_are_answered_with_their_reason() {
    let world = World::open().await;
    for &(body, expected) in WRONG {
        assert_eq!(reason(&world.ask(body).await), expected, "{body}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(reason(&world.ask(&deep).await), "parse_error");
    let (address, cookie) = (world.address(), world.cookie());
    let head = format!(
        "POST /rpc HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {cookie}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 3\r\n\r\n"
    );
    let (status, body) = world.raw(&[head.as_bytes(), b"\"\xff\""].concat()).await;
    assert_eq!((status, reason(&serde_json::from_str(&body).unwrap())), (200, "parse_error"));
}

#[tokio::test]
async fn an_error_names_the_field_and_keeps_the_id() {
    let world = World::open().await;
    let answer =
        world.ask(r#"{"jsonrpc":"2.0","id":"a","method":"till.spend","params":{"units":1,"kee":"k"}}"#).await;
    assert_eq!(answer["id"], "a");
    assert_eq!(answer["error"]["data"]["field"], "kee");
    assert_eq!(answer["error"]["code"], -32602);
    let answer = world.ask(r#"{"jsonrpc":"2.0","id":null,"method":"till.spend","params":{"units":1}}"#).await;
    assert_eq!((&answer["id"], &answer["error"]["data"]["field"]), (&Value::Null, &json!("key")));
}

#[tokio::test]
async fn a_batch_is_answered_in_order_and_notifications_not_at_all() {
    let world = World::open().await;
    let note = r#"{"jsonrpc":"2.0","method":"till.publish","params":{"count":1}}"#;
    assert_eq!(world.post(&[], note).await, (204, String::new()));
    assert_eq!(world.post(&[], &format!("[{note},{note}]")).await.0, 204);
    assert_eq!(*world.journal.newest.borrow(), 3, "they were carried out");
    let answers = world.ask(&format!("[{WHO},{note},7,{}]", WHO.replace("\"id\":1", "\"id\":2"))).await;
    let ids: Vec<&Value> = answers.as_array().unwrap().iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, [&json!(1), &Value::Null, &json!(2)]);
    let full = vec![WHO; 32].join(",");
    assert_eq!(world.ask(&format!("[{full}]")).await.as_array().unwrap().len(), 32);
    assert_eq!(reason(&world.ask(&format!("[{full},{WHO}]")).await), "invalid_request");
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_in_doubt_and_the_rest_of_its_batch_undone() {
    let world = World::with(Limits { deadline: Duration::from_millis(30), ..Limits::default() }).await;
    let wait = r#"{"jsonrpc":"2.0","id":1,"method":"till.wait"}"#;
    let publish = r#"{"jsonrpc":"2.0","id":2,"method":"till.publish","params":{"count":1}}"#;
    let answers = world.ask(&format!("[{wait},{publish}]")).await;
    assert_eq!((reason(&answers[0]), reason(&answers[1])), ("deadline", "busy"));
    assert_eq!(answers[0]["error"]["data"]["retry"], "same_key");
    assert_eq!(*world.journal.newest.borrow(), 0);
}

#[tokio::test]
async fn the_unix_socket_knows_its_owner_and_a_token_shown_there_counts() {
    let world = World::open().await;
    let owner = TillClient::new(Connection::unix(&world.socket()));
    assert_eq!(owner.who(Empty {}).await.unwrap(), Who { name: "owner".into(), token: None });
    world.tokens.add("s3cret", Caller::token("t1", "scanner", scopes("read")));
    let scanner = TillClient::new(Connection::unix_with(&world.socket(), "s3cret"));
    assert_eq!(
        scanner.who(Empty {}).await.unwrap(),
        Who { name: "scanner".into(), token: Some("t1".into()) }
    );
    let stranger = TillClient::new(Connection::unix_with(&world.socket(), "guess"));
    assert_refused(stranger.who(Empty {}).await, "unauthorized");
}

#[tokio::test]
async fn a_token_opens_what_its_scopes_say_until_it_is_withdrawn() {
    let world = World::open().await;
    world.tokens.add("s3cret", Caller::token("t1", "web shop", scopes("read,receive")));
    let shop = TillClient::new(Connection::http(world.address(), "s3cret"));
    shop.who(Empty {}).await.unwrap();
    shop.publish(Publish { count: 1 }).await.unwrap();
    let spend = || Spend { units: 1, key: "k".into(), memo: None };
    let error = assert_refused(shop.spend(spend()).await, "forbidden");
    assert_eq!(error.code, -32002);
    assert_eq!(error.details["scope"], "spend");
    assert_eq!(world.owner().spend(spend()).await.unwrap(), Spent { left: 9, coin: Coin { units: 1 } });
    world.tokens.withdraw_all();
    assert_refused(shop.who(Empty {}).await, "unauthorized");
    world.tokens.add("blind", Caller::token("t2", "blind", scopes("spend")));
    let blind = Connection::http(world.address(), "blind");
    assert_refused(blind.events(&EventsList::default()).await, "forbidden");
    blind.version().await.unwrap();
}

#[tokio::test]
async fn an_applications_error_reaches_the_client_whole() {
    let world = World::open().await;
    let asked = Spend { units: 12, key: "k".into(), memo: Some("bread".into()) };
    let error = assert_refused(world.owner().spend(asked).await, "insufficient_funds");
    assert_eq!((error.code, error.retry, &error.details["missing"]), (-6, Retry::Later, &json!(2)));
}

#[tokio::test]
async fn the_runtime_folder_is_enough_to_find_the_program() {
    let world = World::open().await;
    let folder = world.folder.path();
    let version = Connection::to(folder).await.unwrap().version().await.unwrap();
    assert_eq!((version.program.as_str(), version.api), ("test-till", vec![1]));
    std::fs::remove_file(world.socket()).unwrap();
    let by_http = Connection::to(folder).await.unwrap();
    assert_eq!(by_http.version().await.unwrap().version, "0.0.1");
    let empty = tempfile::tempdir().unwrap();
    let error = Connection::to(empty.path()).await.unwrap_err();
    assert!(
        matches!(error, CallError::Unreachable { .. }) && error.to_string().contains("start it"),
        "{error}"
    );
}

#[tokio::test]
async fn a_client_outlives_a_restart_of_the_program() {
    let world = World::open().await;
    let client = Connection::unix(&world.socket());
    client.version().await.unwrap();
    world.stop.now();
    world.running.finished().await;
    assert!(matches!(client.version().await, Err(CallError::Unreachable { .. })));
    let (_stop, shutdown) = Shutdown::new();
    let till = TestTill { journal: Arc::clone(&world.journal) };
    let config = config(world.folder.path().to_owned());
    serve(config, till.into_service(), world.tokens, world.journal, Router::new(), shutdown).await.unwrap();
    client.version().await.unwrap();
}

#[tokio::test]
async fn a_call_cut_off_after_it_was_sent_is_in_doubt() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut some = [0; 64];
        stream.read_exact(&mut some).await.unwrap();
    });
    let outcome = Connection::http(address, "x").version().await;
    assert!(matches!(outcome, Err(CallError::Lost { .. })), "{outcome:?}");
    server.await.unwrap();
}

#[tokio::test]
async fn a_client_that_loses_patience_is_in_doubt_and_can_go_on() {
    let world = World::open().await;
    let patient = world.owner().connection().clone();
    let hasty = TillClient::new(patient.clone().with_deadline(Duration::from_millis(20)));
    assert!(matches!(hasty.wait(Empty {}).await, Err(CallError::Lost { .. })));
    patient.version().await.unwrap();
}

#[tokio::test]
async fn calls_run_beside_each_other_on_one_connection_handle() {
    let world = World::open().await;
    let client = world.owner();
    let calls = (0..32).map(|_| client.who(Empty {}));
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(Result::is_ok));
}

#[tokio::test]
async fn discovery_lists_every_method_with_parameters_and_resolvable_references() {
    let world = World::open().await;
    let document = world.owner().connection().discover().await.unwrap();
    assert_eq!(document, openrpc(TillClient::contract()), "the committed file is made the same way");
    assert!(document["openrpc"].as_str().unwrap().starts_with("1.3"));
    assert_eq!(document["info"]["description"], "A till for tests.\n\nIt holds ten units for ever.");
    let methods = document["methods"].as_array().unwrap();
    let names: Vec<&str> = methods.iter().map(|method| method["name"].as_str().unwrap()).collect();
    let ours = ["till.who", "till.spend", "till.wait", "till.publish"];
    let built_in =
        ["rpc.discover", "system.version", "events.list", "events.subscribe", "events.unsubscribe"];
    assert_eq!(names, [&ours[..], &built_in[..]].concat());
    let spend = &methods[1];
    assert_eq!(spend["summary"], "Gives units away.");
    assert_eq!(spend["description"], "The same key gives them once.");
    assert_eq!(spend["x-scope"], "spend");
    let params = spend["params"].as_array().unwrap();
    let required =
        |name: &str| params.iter().find(|param| param["name"] == name).unwrap()["required"].clone();
    assert_eq!((required("units"), required("memo")), (json!(true), json!(false)));
    assert_eq!(spend["result"]["schema"]["$ref"], "#/components/schemas/Spent");
    assert_eq!(document["components"]["errors"]["insufficient_funds"]["code"], -6);
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(references.contains(&"#/components/schemas/Coin".to_owned()));
    for reference in references {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
    }
}

#[tokio::test]
async fn a_long_poll_wakes_with_the_first_event() {
    let world = World::open().await;
    let connection = world.owner().connection().clone();
    let asked = EventsList { since: 0, limit: Some(2), wait_seconds: 60 };
    let poll = tokio::spawn({
        let (connection, asked) = (connection.clone(), asked.clone());
        async move { connection.events(&asked).await.unwrap() }
    });
    // The one receiver is the poll's: it has begun, and nothing is there yet.
    while world.journal.newest.receiver_count() < 1 {
        tokio::task::yield_now().await;
    }
    world.journal.publish(3);
    let page = poll.await.unwrap();
    let seqs =
        |events: &[Value]| events.iter().map(|event| event["seq"].as_u64().unwrap()).collect::<Vec<_>>();
    assert!(!page.events.is_empty() && seqs(&page.events)[0] == 1);
    let next = connection.events(&EventsList { since: 2, ..asked }).await.unwrap();
    assert_eq!((seqs(&next.events), next.newest), (vec![3], 3));
}

#[tokio::test]
async fn the_end_of_the_program_ends_a_long_poll_with_an_empty_page() {
    let world = World::open().await;
    let connection = world.owner().connection().clone();
    let poll = tokio::spawn(async move {
        connection.events(&EventsList { since: 0, limit: None, wait_seconds: 60 }).await
    });
    while world.journal.newest.receiver_count() < 1 {
        tokio::task::yield_now().await;
    }
    world.stop.now();
    assert_eq!(poll.await.unwrap().unwrap().events, Vec::<Value>::new());
    world.running.finished().await;
}

#[test]
fn the_owner_holds_every_scope() {
    let owner = Caller::owner(Transport::Socket);
    assert_eq!(owner.scopes, "admin".parse::<Scopes>().unwrap());
}

fn assert_refused<T: std::fmt::Debug>(outcome: Result<T, CallError>, reason: &str) -> RpcError {
    match outcome {
        Err(CallError::Rpc(error)) if error.reason == reason => error,
        other => panic!("expected {reason}, got {other:?}"),
    }
}

fn collect_references(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            into.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| collect_references(value, into));
        }
        Value::Array(items) => items.iter().for_each(|value| collect_references(value, into)),
        _ => {}
    }
}
