//! Many lives, one after the other on each core.

use super::act::Act;
use super::schedule::{Lived, line, live, shrink};
use super::setting::{Features, Nurseries, Setting};
use super::tally::Tally;
use super::truth::Violation;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Fewer steps than this need not show everything.
const EVERYTHING_HAPPENS: u64 = 1_000_000;
/// So many broken lives are enough.
const VIOLATIONS_MAX: u64 = 5;
/// So many of one rule are made shorter; the others are shown with their seed.
const SHRUNK_OF_A_RULE: usize = 1;
/// The last acts that a failure shows.
const TRACE: usize = 25;
/// Schedules of more acts are shown as the line to replay only.
const SHOWN: usize = 200;

/// How much is to be lived.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Acts in all.
    pub steps: u64,
    /// The first seed.
    pub seed: u64,
    /// Acts of a life.
    pub life: usize,
    /// Lives at once.
    pub threads: usize,
    /// Which rules exist.
    pub features: Features,
}

/// A rule broken, and how.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The life's seed.
    pub seed: u64,
    /// What was broken.
    pub violation: Violation,
    /// The last acts before it.
    pub trace: Vec<Act>,
    /// The acts that are needed for it.
    pub shrunk: Vec<Act>,
    /// The same, to replay.
    pub line: String,
}

/// What all lives came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Nothing was broken, and in a long run everything happened that should.
    pub ok: bool,
    /// Acts.
    pub steps: u64,
    /// Lives.
    pub seeds: u64,
    /// Lives in which something was broken.
    pub violations: u64,
    /// Honest people named liable.
    pub blamed_honest: u64,
    /// Units that honest people lost to evil ones, with nothing to pay for it yet.
    pub uninsured: u64,
    /// What should have happened and never did.
    pub missing: Vec<&'static str>,
    /// How often what happened.
    pub events: Tally,
    /// What was broken.
    #[serde(skip)]
    pub failures: Vec<Failure>,
}

impl Report {
    fn add(&mut self, lived: &Lived) {
        self.steps += u64::try_from(lived.steps).unwrap_or(0);
        self.seeds += 1;
        self.blamed_honest += lived.blamed_honest;
        self.events.merge(&lived.tally);
        self.violations += u64::from(lived.violation.is_some());
    }

    fn close(mut self) -> Report {
        self.uninsured = self.events.of("uninsured");
        if self.steps >= EVERYTHING_HAPPENS {
            self.missing = self.events.missing();
        }
        self.ok = self.violations == 0 && self.blamed_honest == 0 && self.missing.is_empty();
        self
    }
}

/// Lives it all; `progress` is told after each life.
pub fn run(plan: Plan, progress: impl Fn(&Report) + Sync) -> Report {
    let (next, report) = (AtomicU64::new(plan.seed), Mutex::new(Report::default()));
    let worker = || {
        let mut nurseries = Nurseries::default();
        loop {
            {
                let so_far = report.lock().unwrap_or_else(PoisonError::into_inner);
                if so_far.steps >= plan.steps || so_far.violations >= VIOLATIONS_MAX {
                    return;
                }
            }
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let setting = Setting::of(seed, plan.features);
            let (acts, lived) = live(setting, plan.life, &mut nurseries);
            let is_new = |violation: &Violation| {
                let so_far = report.lock().unwrap_or_else(PoisonError::into_inner);
                let same = so_far.failures.iter().filter(|failure| failure.violation.rule == violation.rule);
                same.count() < SHRUNK_OF_A_RULE
            };
            let failure = lived.violation.clone().map(|violation| {
                // The others live on meanwhile.
                let shrunk = match is_new(&violation) {
                    true => shrink(setting, &acts, violation.rule, &mut nurseries),
                    false => acts.clone(),
                };
                let trace = acts.iter().rev().take(TRACE).rev().copied().collect();
                Failure { seed, violation, trace, line: line(&setting, &shrunk), shrunk }
            });
            let mut so_far = report.lock().unwrap_or_else(PoisonError::into_inner);
            so_far.add(&lived);
            so_far.failures.extend(failure);
            progress(&so_far);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..plan.threads.max(1) {
            scope.spawn(worker);
        }
    });
    report.into_inner().unwrap_or_else(PoisonError::into_inner).close()
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Failure { seed, violation, trace, shrunk, line } = self;
        let show = |acts: &[Act]| acts.iter().map(|act| format!("    {act}\n")).collect::<String>();
        writeln!(f, "seed {seed} breaks «{}»: {}", violation.rule, violation.what)?;
        writeln!(f, "  the last acts:\n{}", show(trace))?;
        if shrunk.len() < SHOWN {
            writeln!(f, "  {} acts are enough:\n{}", shrunk.len(), show(shrunk))?;
        }
        write!(f, "  to replay, put this line into a file: cargo sim -- --replay FILE\n{line}")
    }
}
