//! `cargo demo`: a day with the real programs in processes of their own.

use clap::Parser;
use std::process::ExitCode;
use tests::demo::{Stage, say};

/// Plays a day: a bank, Alice, Bob and Carol, payments with and without the bank, a payee killed in the middle, a shop,
/// an order and its evening, and proves at the end that no unit was lost or made.
#[derive(Parser)]
#[command(name = "cargo demo")]
struct Arguments {
    /// Print one JSON document as the last line
    #[arg(long)]
    json: bool,
    /// Leave the programs running, and say how to use them
    #[arg(long)]
    keep: bool,
}

#[expect(clippy::print_stdout, reason = "the report is for programs")]
fn main() -> ExitCode {
    // `cargo demo --json` and `cargo demo -- --json` are the same.
    let arguments = Arguments::parse_from(std::env::args_os().filter(|word| word != "--"));
    let mut stage = Stage::open();
    let report = stage.play();
    stage.close(arguments.keep);
    say(if report.ok { "\nAll is well." } else { "\nSomething is off: see above." });
    if arguments.json {
        match serde_json::to_string(&report) {
            Ok(text) => println!("{text}"),
            Err(_) => return ExitCode::FAILURE,
        }
    }
    if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
