//! `cargo sim`: worlds of the real rules with bad networks, bad disks and bad people, as many as asked for.

use clap::Parser;
use daemon::store::{Page, Store};
use protocol::id::PaymentId;
use protocol::node::clock::Clock;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tests::sim::life::Life;
use tests::sim::run::{Plan, Report, run};
use tests::sim::schedule::{Drawn, again, read};
use tests::sim::setting::{Features, Nurseries};

/// Lives worlds of bank and wallets act by act and looks after each act whether any unit was lost or made.
#[derive(Parser)]
#[command(name = "cargo sim")]
struct Arguments {
    /// Acts in all
    #[arg(long, default_value_t = 1_000_000)]
    steps: u64,
    /// The first seed; the next worlds have the next seeds
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Acts of one world
    #[arg(long, default_value_t = 3_000)]
    life: usize,
    /// Worlds at once
    #[arg(long)]
    threads: Option<usize>,
    /// Print one JSON document as the last line
    #[arg(long)]
    json: bool,
    /// Live the schedules of this file again, one a line, as a failure prints them
    #[arg(long)]
    replay: Option<PathBuf>,
    /// With `--replay`: tell what each act brings, as the histories of the people have it
    #[arg(long, requires = "replay")]
    tell: bool,
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a simulation reports to people and programs")]
fn main() -> ExitCode {
    // `cargo sim --json` and `cargo sim -- --json` are the same.
    let arguments = Arguments::parse_from(std::env::args_os().filter(|word| word != "--"));
    if let Some(file) = &arguments.replay {
        return replay(file, arguments.tell);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let plan = Plan {
        steps: arguments.steps,
        seed: arguments.seed,
        life: arguments.life,
        threads: arguments.threads.unwrap_or(cores),
        features: Features::TODAY,
    };
    let (clock, shown, told) = (Clock::system(), AtomicU64::new(0), AtomicUsize::new(0));
    let began = clock.now_seconds();
    let report = run(plan, |report| {
        let seconds = clock.now_seconds().saturating_sub(began);
        // Told at once: a long run is not waited for.
        let before = told.fetch_max(report.failures.len(), Ordering::Relaxed);
        report.failures.iter().skip(before).for_each(|failure| eprintln!("\n{failure}\n"));
        if shown.fetch_max(seconds / 5, Ordering::Relaxed) < seconds / 5 {
            let speed = report.steps / seconds.max(1);
            let (steps, seeds, violations) = (report.steps, report.seeds, report.violations);
            eprintln!(
                "{seconds:>5} s  {steps:>10} acts  {seeds:>6} worlds  {speed:>6}/s  {violations} broken"
            );
        }
    });
    let seconds = clock.now_seconds().saturating_sub(began).max(1);
    show(&report, seconds);
    if arguments.json {
        match serde_json::to_string(&report) {
            Ok(text) => println!("{text}"),
            Err(_) => return ExitCode::FAILURE,
        }
    }
    if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::print_stdout, reason = "for people")]
fn show(report: &Report, seconds: u64) {
    println!("{}", report.events.table());
    for failure in &report.failures {
        println!("\n{failure}\n");
    }
    let Report { steps, seeds, violations, blamed_honest, uninsured, missing, .. } = report;
    println!(
        "{steps} acts in {seeds} worlds, {} a second: {violations} broken, {blamed_honest} honest people blamed, \
         {uninsured} units lost to offenders.",
        steps / seconds
    );
    if !missing.is_empty() {
        println!("Never happened, and should have: {}.", missing.join(", "));
    }
}

/// Each act, and the new lines of everybody's history.
#[expect(clippy::print_stdout, reason = "for people")]
fn tell(drawn: &Drawn) {
    let Ok(mut life) = Life::begin(drawn.setting, &mut Nurseries::default()) else { return };
    let mut known: BTreeMap<usize, u64> = BTreeMap::new();
    for act in &drawn.acts {
        println!("{act}");
        let done = life.step(act);
        tell_lines(&life, &mut known);
        if let Err(violation) = done {
            return println!("breaks «{}»: {}", violation.rule, violation.what);
        }
    }
    println!("the end");
    // What breaks then is told when it is lived again.
    drop(life.end());
    tell_lines(&life, &mut known);
}

#[expect(clippy::print_stdout, reason = "for people")]
fn tell_lines(life: &Life, known: &mut BTreeMap<usize, u64>) {
    for who in life.world.everybody() {
        let person = life.world.person(who);
        let before = known.insert(who.place(), person.wallet().history().seq).unwrap_or(0);
        let Ok(store) = person.store() else { continue };
        let lines = store.history(Page { before: None, limit: 64 }).unwrap_or_default();
        for line in lines.iter().rev().filter(|line| line.seq > before) {
            let id = PaymentId(line.id);
            let (word, units, other) = (line.movement.word(), line.units, line.name.as_str());
            println!("    {} {}: {word} {units} {other} {id}, has {}", person.name, line.seq, line.reserve);
        }
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "for people")]
fn replay(file: &std::path::Path, aloud: bool) -> ExitCode {
    let Ok(text) = std::fs::read_to_string(file) else {
        eprintln!("{} can't be read", file.display());
        return ExitCode::FAILURE;
    };
    let mut broken = false;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match read(line, Features::TODAY) {
            Ok(drawn) => {
                if aloud {
                    tell(&drawn);
                }
                let lived = again(drawn.setting, &drawn.acts, &mut Nurseries::default());
                broken |= lived.violation.is_some();
                match lived.violation {
                    Some(violation) => println!("breaks «{}»: {}", violation.rule, violation.what),
                    None => println!("{} acts, and nothing is broken", lived.steps),
                }
            }
            Err(why) => {
                eprintln!("{why}");
                return ExitCode::FAILURE;
            }
        }
    }
    if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
