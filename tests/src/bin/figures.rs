//! `cargo figures`: how fast and how small the programs are, beside what the machine could do at best.

use clap::Parser;
use std::process::ExitCode;
use tests::figures::{Effort, Report, load};

/// Measures notes, payments, the bank and idle workstations, each beside its floor. Takes some minutes.
#[derive(Parser)]
#[command(name = "cargo figures")]
struct Arguments {
    /// A fifth of the work: shows that everything runs
    #[arg(long)]
    quick: bool,
    /// Print one JSON document as the last line
    #[arg(long)]
    json: bool,
    /// Only these groups: verifying, bank, payments, daemon, till
    groups: Vec<String>,
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "figures are for people and for programs")]
fn main() -> ExitCode {
    // `cargo figures --json` and `cargo figures -- --json` are the same.
    let arguments = Arguments::parse_from(std::env::args_os().filter(|word| word != "--"));
    if cfg!(debug_assertions) {
        eprintln!("This is a debug build: the figures say nothing. Use `cargo figures`.");
    }
    let effort = if arguments.quick { Effort::Quick } else { Effort::Full };
    let before = load();
    let report = Report::measure(effort, &arguments.groups, |line| eprintln!("{line}"));
    println!("{}", report.table());
    println!("\nLoad of the machine: {before} before, {} after.", load());
    if arguments.json {
        match serde_json::to_string(&report) {
            Ok(text) => println!("{text}"),
            Err(_) => return ExitCode::FAILURE,
        }
    }
    ExitCode::SUCCESS
}
