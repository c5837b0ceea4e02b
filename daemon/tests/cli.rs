//! The real `stermina` against a workstation that says what the test wants: documents, sentences, exit codes.
#![expect(clippy::unwrap_used, reason = "a test may panic, its scenery too")]

use daemon::rpc::api::WorkstationClient;
use protocol::code::PublicCode;
use protocol::node::host::paths::Paths;
use protocol::node::host::signals::{Shutdown, Stop};
use protocol::node::rpc::{
    BoxFuture, Caller, Contract, NoTokens, Retry, RpcError, ServeConfig, Service, Silent, serve, socket_in,
};
use protocol::sign::Signer;
use serde_json::{Value, json};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

const ID: &str = "07070707070707070707070707070707";

type Says = fn(&str, &Value) -> Result<Value, RpcError>;

/// A workstation that has one answer for each call, and remembers what it was asked.
struct Scripted {
    says: Says,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Service for Scripted {
    fn contract(&self) -> &'static Contract {
        WorkstationClient::contract()
    }

    fn call<'a>(
        &'a self,
        _caller: &'a Caller,
        method: &'a str,
        params: Value,
    ) -> BoxFuture<'a, Result<Value, RpcError>> {
        let answer = (self.says)(method, &params);
        self.asked.lock().unwrap().push((method.to_owned(), params));
        Box::pin(std::future::ready(answer))
    }
}

struct World {
    home: tempfile::TempDir,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
    _runtime: tokio::runtime::Runtime,
    _stop: Stop,
}

impl World {
    fn new(says: Says) -> World {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::beneath(home.path());
        paths.prepare().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (stop, shutdown) = Shutdown::new();
        let config = ServeConfig {
            socket: Some(socket_in(&paths.run)),
            http: None,
            runtime_dir: paths.run,
            program: "scripted",
            version: "0",
            limits: Default::default(),
        };
        let service = Arc::new(Scripted { says, asked: asked.clone() });
        let serving = serve(
            config,
            service,
            Arc::new(NoTokens),
            Arc::new(Silent::default()),
            axum::Router::new(),
            shutdown,
        );
        runtime.block_on(serving).unwrap();
        World { home, asked, _runtime: runtime, _stop: stop }
    }

    fn runs(&self, words: &[&str]) -> Output {
        stermina(self.home.path(), words)
    }

    fn params_of(&self, method: &str) -> Value {
        let asked = self.asked.lock().unwrap();
        asked.iter().rev().find(|(name, _)| name == method).expect("it was called").1.clone()
    }
}

fn stermina(home: &std::path::Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stermina"))
        .env_clear()
        .arg("--home")
        .arg(home)
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|flaw| panic!("{flaw}: {}", out(output)))
}

fn code() -> String {
    PublicCode::of(Signer::from_secret(&[1; 32]).key()).to_string()
}

fn status() -> Value {
    json!({
        "code": code(), "name": "Ann", "account": 7, "currency": { "code": "EUR", "digits": 2 }, "bank": "First Bank",
        "bank_reachable": false, "locked": true, "unlocked_until": null, "tickets_left": 64, "peers": 0,
        "addresses": [], "node": "12D3KooW", "bank_by_way_of": null, "directory": 3, "version": "0", "warnings": [],
    })
}

fn payment(state: &str, outcome: &str) -> Value {
    json!({
        "payment": ID, "payee": code(), "name": "Bob", "units": 1250, "memo": "rent", "state": state,
        "outcome": outcome, "mode": null, "created": 0, "changed": 0, "note": "A sentence.", "reason": null,
    })
}

fn line(seq: u64) -> Value {
    json!({
        "seq": seq, "at": 0, "movement": "received", "units": seq, "reserve": seq, "account": null, "party": null,
        "name": "Ann", "memo": "=1+1", "id": ID, "state": null,
    })
}

fn honest(method: &str, params: &Value) -> Result<Value, RpcError> {
    Ok(match method {
        "wallet.status" => status(),
        "payment.pay" => payment("asking", "asking"),
        "payment.wait" => payment("receipted", "done"),
        "history.list" => {
            let before = params["before"].as_u64().unwrap_or(1_001);
            let first = before.checked_sub(500).filter(|first| *first > 0).unwrap_or(1);
            let lines: Vec<Value> = (first..before).rev().map(line).collect();
            json!({ "lines": lines, "next": (first > 1).then_some(first) })
        }
        "wallet.unlock" => json!({ "until": 60 }),
        _ => return Err(RpcError::new(-5, "not_found", "no such thing is on record")),
    })
}

fn doubtful(method: &str, _: &Value) -> Result<Value, RpcError> {
    Ok(match method {
        "wallet.status" => status(),
        "payment.pay" | "payment.wait" => payment("sent", "in_doubt"),
        "wallet.withdraw" => return Err(RpcError::deadline()),
        "wallet.deposit" => {
            return Err(RpcError::new(
                -6,
                "insufficient_funds",
                "the reserve holds 3.00 EUR, the deposit asks 5.00",
            )
            .retry(Retry::Never));
        }
        _ => return Err(RpcError::new(-13, "locked", "the reserve is locked").hint("stermina unlock")),
    })
}

#[test]
fn a_payment_is_waited_for_and_its_answer_is_one_document() {
    let world = World::new(honest);
    let paid = world.runs(&["pay", &code(), "12.5", "--memo", "rent", "--key", "may", "--json"]);
    assert_eq!(paid.status.code(), Some(0), "{}", err(&paid));
    let answer = document(&paid);
    assert_eq!(
        (&answer["outcome"], &answer["key"], &answer["units"]),
        (&json!("done"), &json!("may"), &json!(1250))
    );
    let asked = world.params_of("payment.pay");
    assert_eq!(
        (&asked["units"], &asked["key"], &asked["certified"]),
        (&json!(1250), &json!("may"), &Value::Null)
    );
    // In short turns: a payment that comes to lie in a mailbox is told at once.
    assert_eq!(world.params_of("payment.wait")["seconds"], 1);

    let shown = world.runs(&["pay", &code(), "12.5"]);
    assert!(out(&shown).contains("Paid: 12.50 EUR to Bob."), "{}", out(&shown));
    assert_eq!(world.params_of("payment.pay")["key"].as_str().unwrap().len(), 16);
}

/// The outcome is not known: exit code 5, and the line that asks again carries the same key.
#[test]
fn who_is_left_in_doubt_is_told_how_to_ask_again() {
    let world = World::new(doubtful);
    let paid = world.runs(&["pay", &code(), "12.5", "--memo", "May rent", "--no-wait"]);
    assert_eq!(paid.status.code(), Some(5), "{}", err(&paid));
    let key = world.params_of("payment.pay")["key"].as_str().unwrap().to_owned();
    let again = format!("pay {} 12.5 --memo 'May rent' --no-wait --key {key}", code());
    assert!(err(&paid).contains(&again), "{}", err(&paid));

    let asked = world.runs(&["withdraw", "5", "--json"]);
    assert_eq!(asked.status.code(), Some(5));
    let error = &document(&asked)["error"];
    assert_eq!((&error["reason"], &error["exit"]), (&json!("deadline"), &json!(5)));
    assert!(error["again"].as_str().unwrap().contains("--key"), "{error}");
}

#[test]
fn a_refusal_is_a_sentence_and_a_number() {
    let world = World::new(doubtful);
    let refused = world.runs(&["deposit", "5"]);
    assert_eq!((refused.status.code(), out(&refused).as_str()), (Some(4), ""));
    assert!(err(&refused).contains("the reserve holds 3.00 EUR"), "{}", err(&refused));
    assert!(!err(&refused).contains("asks again"), "{}", err(&refused));
    let locked = world.runs(&["policy", "show", "--json"]);
    assert_eq!(locked.status.code(), Some(4));
    assert_eq!(document(&locked)["error"]["hint"], "stermina unlock");
    let missing = World::new(honest).runs(&["letter", "show", "9"]);
    assert_eq!(missing.status.code(), Some(3), "{}", err(&missing));
}

#[test]
fn typed_nonsense_never_reaches_the_wallet() {
    let world = World::new(honest);
    for (words, sentence) in [
        (["withdraw", "1,50"], "«1,50» is not an amount"),
        (["withdraw", "-5"], "«-5» is not an amount"),
        (["deposit", "1.234"], "more decimals than EUR has (2)"),
        (["deposit", "99999999999999999"], "more money than there can be"),
    ] {
        let misread = world.runs(&words);
        assert_eq!(misread.status.code(), Some(2), "{words:?}");
        assert!(err(&misread).contains(sentence), "{}", err(&misread));
    }
    assert!(world.asked.lock().unwrap().iter().all(|(method, _)| method == "wallet.status"));
    let misread = world.runs(&["history", "--kind", "gift", "--json"]);
    assert_eq!(document(&misread)["error"]["exit"], 2);
}

/// The input is no terminal: the code is read from a private file, or the command says so.
#[test]
fn the_private_code_comes_from_a_file_and_never_from_the_command_line() {
    let world = World::new(honest);
    let silent = world.runs(&["unlock"]);
    assert_eq!(silent.status.code(), Some(2));
    assert!(err(&silent).contains("--code-file"), "{}", err(&silent));
    let file = world.home.path().join("code");
    protocol::node::host::private_file::write(&file, b"correct horse\n").unwrap();
    let unlocked = world.runs(&["unlock", "--for", "15m", "--code-file", file.to_str().unwrap()]);
    assert_eq!(unlocked.status.code(), Some(0), "{}", err(&unlocked));
    assert_eq!(world.params_of("wallet.unlock"), json!({ "code": "correct horse", "seconds": 900 }));
}

#[test]
fn an_export_pages_through_everything_oldest_first() {
    let world = World::new(honest);
    let file = world.home.path().join("year.csv");
    let done = world.runs(&["history", "--export", "csv", file.to_str().unwrap(), "--json"]);
    assert_eq!((done.status.code(), &document(&done)["lines"]), (Some(0), &json!(1_000)));
    let csv = std::fs::read_to_string(&file).unwrap();
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!(rows.len(), 1_001);
    assert!(rows[1].starts_with("1,1970-01-01T00:00:00Z,received,0.01,EUR,"), "{}", rows[1]);
    assert!(rows[1_000].starts_with("1000,") && rows[1_000].contains(",'=1+1,"), "{}", rows[1_000]);
    let shown = world.runs(&["history", "--export", "json", "-"]);
    assert_eq!(document(&shown)["lines"].as_array().unwrap().len(), 1_000);
}

#[test]
fn the_own_code_comes_with_a_picture_and_settings_with_their_source() {
    let world = World::new(honest);
    let shown = world.runs(&["code"]);
    assert!(out(&shown).contains(&code()) && out(&shown).contains('█'), "{}", out(&shown));
    std::fs::write(world.home.path().join("config.toml"), "[wallet]\nunlock_seconds = 60\n").unwrap();
    let config = document(&world.runs(&["config", "show", "--json"]));
    let row = config["settings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["key"] == "wallet.unlock_seconds")
        .unwrap();
    assert_eq!(row["value"], "60");
    assert!(row["source"]["file"].as_str().unwrap().ends_with("config.toml"), "{row}");
    std::fs::write(world.home.path().join("config.toml"), "[wallet]\nunlock_second = 60\n").unwrap();
    let wrong = world.runs(&["config", "check"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(err(&wrong).contains("did you mean"), "{}", err(&wrong));
}

#[test]
fn without_a_workstation_the_command_says_what_to_start() {
    let home = tempfile::tempdir().unwrap();
    let alone = stermina(home.path(), &["balance", "--json"]);
    assert_eq!(alone.status.code(), Some(6));
    assert_eq!(document(&alone)["error"]["reason"], "not_running");
    assert!(err(&alone).contains("stermina --home") && err(&alone).contains("join URI"), "{}", err(&alone));
}

#[test]
fn a_join_with_a_bad_letter_or_without_a_code_makes_no_files() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("new");
    let silent = stermina(&folder, &["join", "stermina:stac1qqqq"]);
    assert!(err(&silent).contains("--code-file"), "{}", err(&silent));
    let bad = stermina(&folder, &["join", "stermina:stac1qqqq", "--code-file", "/none"]);
    assert_eq!(bad.status.code(), Some(2), "{}", err(&bad));
    assert!(err(&bad).contains("mistyped"), "{}", err(&bad));
    let other = stermina(&folder, &["join", &code(), "--code-file", "/none"]);
    assert!(err(&other).contains("this is a public code, an activation letter is wanted"), "{}", err(&other));
    assert!(!folder.exists());
}
