//! What a workstation takes that does nothing, and how soon it can be used.

use super::machine::resident_mb;
use super::sample::{Times, median};
use super::{Effort, Figure};
use crate::patience::let_pass;
use crate::people::Community;
use crate::process::Program;
use protocol::node::clock::Clock;
use std::time::Duration;

/// Idle means idle: what a start leaves behind has settled by then.
const REST: Duration = Duration::from_secs(2);
/// How finely a start is watched.
const LOOK: Duration = Duration::from_millis(1);

pub(super) fn measure(effort: Effort) -> Vec<Figure> {
    let clock = Clock::system();
    let community = Community::open("Quiet");
    let alice = community.resident("alice", 100).joined();
    let (mut starts, mut locked, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.rounds() {
        let (started, memory) = start(alice.program(), &clock);
        starts.push(started);
        locked.push(memory);
        alice.unlocks();
        let_pass(REST);
        open.push(memory_of(alice.program()));
        alice.stops();
    }
    let bank = community.bank().program();
    vec![
        Figure::new("workstation, idle and locked", median(locked), "MB").note("resident memory; aim 40 MB"),
        Figure::new("workstation, idle after unlock", median(open), "MB")
            .note("the private code's key takes memory for a moment"),
        Figure::new("workstation, from start to the first answer", median(starts), "ms"),
        Figure::new("bank-node, idle with one account", memory_of(bank), "MB"),
    ]
}

/// Starts a program; milliseconds until it answers, and its memory when it has come to rest.
pub(super) fn start(program: &Program, clock: &Clock) -> (f64, f64) {
    let mut times = Times::default();
    times.time(clock, || {
        program.spawn().unwrap_or_else(|why| panic!("{}: {why}", program.name()));
        while !program.answers() {
            assert!(program.is_running(), "{}", program.log_tail());
            let_pass(LOOK);
        }
    });
    let_pass(REST);
    (times.median(), memory_of(program))
}

fn memory_of(program: &Program) -> f64 {
    program.pid().and_then(resident_mb).unwrap_or_else(|| panic!("{} does not run", program.name()))
}
