//! What has to be covered: limits for what comes in, vectors for what travels, tests for what is required.

use std::collections::{BTreeMap, BTreeSet};

use protocol::node::net::Protocol;
use protocol::node::net::limits::Limits;
use protocol::wire::{
    BANK_PROTOCOL, BankAnswer, BankAsk, Hail, HailAnswer, Letterhead, Message, PAY_PROTOCOL, PayAnswer,
};
use serde_json::Value;
use tests::process::root;

use super::source::{Source, everything, has_word, product};

/// What link 1 and link 2 promise; the names are those of the project's list of requirements.
const REQUIRED: [&str; 24] = [
    "N2", "N3", "N4", "N5", "N6", "N7", "N12", "N14", "N15", "N16", "M1", "M2", "M3", "B5", "B6", "B7", "B9",
    "N10", "N11", "M5", "C1", "C2", "C4", "C13",
];

/// What a hostile review of the design found; the names are those of the project's list of threats. Y13 (the history
/// lies in clear on its owner's disk) is open: SPEC §7 says so.
const THREATS: [&str; 24] = [
    "X1", "X2", "X3", "X4", "X5", "X6", "X7", "H1", "H2", "H3", "H4", "H5", "H6", "H7", "H8", "Y5", "Y6",
    "Y7", "Y8", "Y9", "Y10", "Y11", "Y12", "Y14",
];

/// Every protocol has a row of its own in the limits, as wide as its messages.
#[test]
fn every_protocol_has_a_row_in_the_limits() {
    let net = std::fs::read_to_string(root().join("protocol/src/node/net/mod.rs")).unwrap();
    let body = net.split_once("pub enum Protocol {").and_then(|(_, rest)| rest.split_once('}')).unwrap().0;
    let variants = body.lines().filter(|line| line.trim().ends_with(',')).count();
    assert_eq!(variants, Protocol::ALL.len(), "Protocol::ALL names every protocol");

    let row = |protocol| Limits::TABLE.row(protocol);
    let names: BTreeSet<&str> = Protocol::ALL.iter().map(|protocol| row(*protocol).name).collect();
    assert_eq!(names, BTreeSet::from([PAY_PROTOCOL, BANK_PROTOCOL]));
    let (pay, bank) = (row(Protocol::Pay), row(Protocol::Bank));
    for (what, longest, room) in [
        ("a hail", Hail::MAX, pay.request_bytes),
        ("its answer", HailAnswer::MAX, pay.answer_bytes),
        ("a question to the bank", BankAsk::MAX, bank.request_bytes),
        ("the bank's answer", BankAnswer::MAX, bank.answer_bytes),
        ("a sealed question", Letterhead::MAX, Hail::MAX),
        ("a sealed answer", PayAnswer::MAX, HailAnswer::MAX),
    ] {
        assert!(longest <= room, "{what} may have {longest} bytes and its row takes {room}");
    }
}

/// B5: the interface between people and bank is published: every signed body and every message has frozen bytes,
/// valid and malformed.
#[test]
fn everything_that_travels_has_a_vector() {
    let mut sources = product();
    // The workstation's own history has a layout too, and travels nowhere.
    sources.retain(|source| source.within(&["protocol/src/"]));
    let bodies = sources.iter().flat_map(|source| after(source, "const TYPE: &'static str = \"", '"'));
    let messages = sources.iter().flat_map(|source| after(source, "impl Message for ", ' '));
    let mut missing = without_vectors("bodies.json", "type", bodies.collect());
    missing.extend(without_vectors("messages.json", "message", messages.collect()));
    assert!(missing.is_empty(), "no vector for: {}", missing.join(", "));
}

/// What stands between `mark` and `end`, everywhere in a file's product part.
fn after(source: &Source, mark: &str, end: char) -> Vec<String> {
    let ends = source.product.split(mark).skip(1).filter_map(|rest| rest.split(end).next());
    ends.map(|found| found.trim_end_matches('{').to_owned()).collect()
}

fn without_vectors(file: &str, field: &str, wanted: BTreeSet<String>) -> Vec<String> {
    assert!(wanted.len() > 5, "only {wanted:?} found in the source for {file}");
    let path = root().join("tests/vectors").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("tests/vectors/{file}: {why}"));
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let named = |part: &str| -> BTreeSet<String> {
        let list = vectors.get(part).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|one| one.get(field)?.as_str()).map(str::to_owned).collect()
    };
    let parts = ["valid", "malformed"].map(|part| (part, named(part)));
    let missing = parts
        .iter()
        .flat_map(|(part, have)| wanted.difference(have).map(move |name| format!("{name} ({part}, {file})")));
    missing.collect()
}

/// Every requirement is named by a test. `cargo test -p tests every_requirement -- --nocapture` prints which.
#[test]
fn every_requirement_is_named_by_a_test() {
    every_one_is_named(&REQUIRED);
}

/// Every threat is named by the test that shows that it is met. Printed in the same way.
#[test]
fn every_threat_is_named_by_a_test() {
    every_one_is_named(&THREATS);
}

#[expect(clippy::print_stdout, reason = "the matrix is printed for whoever asks for it")]
fn every_one_is_named(ids: &[&'static str]) {
    let mut matrix: BTreeMap<&str, Vec<String>> = ids.iter().map(|id| (*id, Vec::new())).collect();
    for source in &everything() {
        for test in scenes(source) {
            for (id, tests) in &mut matrix {
                if has_word(&test.about, id) {
                    tests.push(format!("{}::{}", source.path, test.name));
                }
            }
        }
    }
    for id in ids {
        println!("{id:<4} {}", matrix[id].join("\n     "));
    }
    let unnamed: Vec<&&str> = matrix.iter().filter(|(_, tests)| tests.is_empty()).map(|(id, _)| id).collect();
    assert!(unnamed.is_empty(), "no test names {unnamed:?}");
}

pub(super) struct Scene {
    pub(super) name: String,
    /// Its doc comment and what it says while it runs.
    about: String,
}

/// The tests of a file: everything from the doc comment to the next test.
pub(super) fn scenes(source: &Source) -> Vec<Scene> {
    let lines: Vec<&str> = source.text.lines().collect();
    let marks: Vec<usize> = (0..lines.len()).filter(|at| is_mark(lines[*at])).collect();
    let begins = |mark: usize| {
        let above = lines[..mark].iter().rev().take_while(|line| line.trim_start().starts_with(['#', '/']));
        mark - above.count()
    };
    let ends = marks.iter().skip(1).map(|next| begins(*next)).chain([lines.len()]);
    let parts = marks.iter().zip(ends).map(|(mark, end)| (begins(*mark), *mark, end));
    parts.map(|(begin, mark, end)| scene(&lines[begin..end], &lines[mark..end])).collect()
}

fn is_mark(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("#[test]") || line.starts_with("#[tokio::test")
}

fn scene(about: &[&str], item: &[&str]) -> Scene {
    let name = item.iter().find_map(|line| line.split_once("fn ")).map_or("?", |(_, rest)| rest);
    let name = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    Scene { name, about: about.join("\n") }
}

#[test]
fn a_scene_is_its_comment_and_its_body() {
    let text = "/// Q3: locked.\n#[test]\nfn one() {\n    let n7 = 1;\n}\n\n/// Q1.\n/// Q7.\n#[test]\nfn two() {}\n";
    let found = scenes(&Source::of("tests/x.rs".into(), text.into()));
    let ids = |id: &str| -> Vec<&str> {
        found.iter().filter(|scene| has_word(&scene.about, id)).map(|scene| scene.name.as_str()).collect()
    };
    assert_eq!((ids("Q3"), ids("Q1"), ids("Q7"), ids("n8")), (vec!["one"], vec!["two"], vec!["two"], vec![]));
}
