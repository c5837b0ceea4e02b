//! Command lines: what is understood, what is not, and that the help says what it must.

use super::*;
use clap::CommandFactory;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("stermina").chain(line.split_whitespace()))
}

const ID: &str = "07070707070707070707070707070707";

#[test]
fn the_program_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn what_people_type_is_understood() {
    let code = protocol::code::PublicCode::of(protocol::sign::Signer::from_secret(&[1; 32]).key());
    for line in [
        "join stermina:stac1xyz",
        "join - --code-file /x",
        "join stermina:stac1xyz --phrase-stdin --code-fd 3 --security-guess-memory-kib 64",
        "unlock",
        "unlock --for 15m --code-fd 3",
        "lock",
        "status --json",
        "--home /x balance",
        "balance --home /x --json",
        "--instance till balance",
        "statement",
        "withdraw 500",
        "withdraw 12.50 --key may --no-wait",
        "withdraw -5",
        "deposit 50 --wait 2m",
        "pay st1xyz 120 --memo rent",
        "pay stermina:strq1xyz",
        "pay st1xyz 120 --certified --key k --no-wait",
        "pay st1xyz -1",
        "request 30 --memo lunch",
        "request 30 --at-most --expires 1d --key k",
        "--json request 30",
        "history",
        "history --limit 20 --before 7 --kind received --text rent",
        "history --since 2026-01-01 --until 2026-12-31T23:00:00Z",
        "history --export csv year.csv --kind sent",
        "history check",
        "letter list --limit 5",
        "letter show 4",
        "directory find ann",
        "directory sync",
        "policy show",
        "policy set --direct-max 10 --refresh false",
        "token create till --can read,receive --expires 90d --max 50",
        "token list",
        "token revoke t1",
        "events follow --since 3",
        "rpc wallet.balance",
        "rpc wallet.balance {}",
        "config show",
        "config check --network-mdns false",
        "code",
        "completions bash",
        "payment list",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
    for line in [
        "payment show",
        "payment wait",
        "receipt show",
        "request show",
        "--json request show",
        "operation show",
    ] {
        let line = format!("{line} {ID}");
        assert!(parse(&line).is_ok(), "{line}: {}", parse(&line).unwrap_err());
    }
    assert!(parse(&format!("history --with {code}")).is_ok());
}

#[test]
fn what_makes_no_sense_ends_with_usage_and_says_why() {
    for (line, words) in [
        ("", "Usage"),
        ("pay", "required"),
        ("request", "required"),
        ("pey st1xyz 5", "pay"),
        ("unlock --for 15", "number with a unit"),
        ("unlock --code 1234", "--code"),
        ("unlock --code-file a --code-fd 3", "cannot be used with"),
        ("withdraw 5 --wait 5s --no-wait", "cannot be used with"),
        ("payment show xyz", "32 hex digits"),
        ("history --kind gift", "received"),
        ("history --with st1bad", "character"),
        ("history --since yesterday", "write a date"),
        ("history --limit 501", "1..=500"),
        ("history --export csv", "2 values"),
        ("history --export csv x --limit 3", "cannot be used with"),
        ("token create till --can write", "known are read"),
        ("letter show four", "invalid"),
        ("policy set", "Usage"),
    ] {
        let misread = parse(line).unwrap_err();
        assert_eq!(misread.exit_code(), 2, "{line}");
        assert!(misread.to_string().contains(words), "{line}: {misread}");
    }
}

#[test]
fn the_request_forms_do_not_get_mixed_up() {
    let Command::Request(made) = parse("request 30 --memo lunch").unwrap().command else {
        panic!("a request")
    };
    assert!(format!("{made:?}").contains("amount: Some(\"30\")"));
    let Command::Request(shown) = parse(&format!("request show {ID}")).unwrap().command else {
        panic!("a request")
    };
    assert!(format!("{shown:?}").contains("command: Some(Show"));
    assert!(parse(&format!("request 30 show {ID}")).is_err());
}

#[test]
fn a_wait_goes_in_parts_that_a_call_may_take() {
    let slices =
        |wait, no_wait| WaitWords { wait: Duration::from_secs(wait), no_wait }.slices().collect::<Vec<_>>();
    assert_eq!(slices(30, false), [30]);
    assert_eq!(slices(150, false), [60, 60, 30]);
    assert_eq!(slices(30, true), [0; 0]);
}

#[test]
fn the_help_names_every_exit_code() {
    let help = Cli::command().render_long_help().to_string();
    for exit in Exit::ALL {
        let line = format!("  {}  ", exit.code());
        assert!(help.contains(&line), "{line}");
    }
}

#[test]
fn the_key_stands_in_the_answer() {
    let answer = with_key(&serde_json::json!({ "state": "done" }), "k1");
    assert_eq!(answer, serde_json::json!({ "state": "done", "key": "k1" }));
}
