//! `cargo chaos`: a town under load in a storm, with the real programs.

use clap::Parser;
use protocol::node::chance::chance_bytes;
use std::process::ExitCode;
use std::time::Duration;
use tests::chaos::{Plan, play};
use tests::demo::say;

/// Plays minutes of load on a bank and workstations while processes are killed and held still, connections cut and
/// disks filled (small disks need root); ends with the audit, and with every wallet agreeing with its counterparts.
#[derive(Parser)]
#[command(name = "cargo chaos")]
struct Arguments {
    /// How long the storm rages
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// How many workstations
    #[arg(long, default_value_t = 8)]
    residents: usize,
    /// Moments and victims follow from it; drawn if none is given
    #[arg(long)]
    seed: Option<u64>,
    /// Print one JSON document as the last line
    #[arg(long)]
    json: bool,
}

#[expect(clippy::print_stdout, reason = "the report is for programs")]
fn main() -> ExitCode {
    let arguments = Arguments::parse_from(std::env::args_os().filter(|word| word != "--"));
    let seed = arguments.seed.unwrap_or_else(|| u64::from_le_bytes(chance_bytes()));
    say(&format!("The programs are being built. The storm's seed is {seed}."));
    let storm = Duration::from_secs(arguments.seconds);
    let report = play(Plan { storm, residents: arguments.residents.max(2), seed });
    report.wrong.iter().for_each(|why| say(why));
    say(&format!("{report:#?}"));
    if arguments.json {
        match serde_json::to_string(&report) {
            Ok(text) => println!("{text}"),
            Err(_) => return ExitCode::FAILURE,
        }
    }
    if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
