//! Schedules: drawn from a seed, lived through, written down, made shorter.

use super::act::Act;
use super::life::Life;
use super::setting::{Features, Nurseries, Setting};
use super::tally::Tally;
use super::truth::Violation;
use crate::world::Chance;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// What a life came to.
#[derive(Clone, Debug, Default)]
pub struct Lived {
    /// What happened in it.
    pub tally: Tally,
    /// Acts that happened.
    pub steps: usize,
    /// What was broken, if anything was.
    pub violation: Option<Violation>,
    /// How many honest people were named liable.
    pub blamed_honest: u64,
}

/// Acts from a seed.
pub struct Drawn {
    /// What a life begins with.
    pub setting: Setting,
    /// What happens in it.
    pub acts: Vec<Act>,
}

/// Lives a new life of so many acts; what happened in it is drawn while it is lived, and given back.
pub fn live(setting: Setting, steps: usize, nurseries: &mut Nurseries) -> (Vec<Act>, Lived) {
    let mut chance = Chance::of(setting.seed);
    let mut acts = Vec::with_capacity(steps);
    let lived = quietly(|lived| {
        let mut life = Life::begin(setting, nurseries)?;
        let done = (0..steps).try_for_each(|_| {
            let waiting = life.waiting();
            let act = Act::draw(&mut chance, &setting, waiting);
            acts.push(act);
            life.step(&act)
        });
        close(&mut life, done, lived)
    });
    let steps = acts.len();
    (acts, Lived { steps, ..lived })
}

/// Lives a life of these acts again.
pub fn again(setting: Setting, acts: &[Act], nurseries: &mut Nurseries) -> Lived {
    let mut steps = 0;
    let lived = quietly(|lived| {
        let mut life = Life::begin(setting, nurseries)?;
        let done = acts.iter().try_for_each(|act| {
            steps += 1;
            life.step(act)
        });
        close(&mut life, done, lived)
    });
    Lived { steps, ..lived }
}

fn close(life: &mut Life, done: Result<(), Violation>, lived: &mut Lived) -> Result<(), Violation> {
    let done = done.and_then(|()| life.end());
    lived.blamed_honest = life.truth.blamed_honest();
    lived.tally = std::mem::take(&mut life.tally);
    done
}

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    static QUIET: RefCell<bool> = const { RefCell::new(false) };
}

/// A panic of the rules is a violation like any other; it is not shown twice.
fn quietly(life: impl FnOnce(&mut Lived) -> Result<(), Violation>) -> Lived {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if QUIET.with_borrow(|quiet| *quiet) {
                LAST_PANIC.with_borrow_mut(|last| *last = Some(info.to_string()));
            } else {
                before(info);
            }
        }));
    });
    let mut lived = Lived::default();
    QUIET.with_borrow_mut(|quiet| *quiet = true);
    let done = catch_unwind(AssertUnwindSafe(|| life(&mut lived)));
    QUIET.with_borrow_mut(|quiet| *quiet = false);
    lived.violation = match done {
        Ok(done) => done.err(),
        Err(_) => {
            let what = LAST_PANIC.with_borrow_mut(Option::take).unwrap_or_default();
            Some(Violation { rule: "panic", what })
        }
    };
    lived
}

/// So many acts at most are lived again to find out which of them are needed: half a minute, and seldom more.
const SHRINK_STEPS: usize = 200_000;
/// What the end of a life costs, in acts.
const END_COSTS: usize = 1_500;

/// Leaves out whatever is not needed to break the same rule.
pub fn shrink(setting: Setting, acts: &[Act], rule: &str, nurseries: &mut Nurseries) -> Vec<Act> {
    let mut patience = SHRINK_STEPS;
    let mut breaks = |acts: &[Act]| {
        patience = patience.checked_sub(acts.len() + END_COSTS)?;
        let lived = again(setting, acts, nurseries);
        let same = lived.violation.is_some_and(|violation| violation.rule == rule);
        same.then_some(lived.steps)
    };
    let mut left = acts.to_vec();
    if let Some(steps) = breaks(&left) {
        left.truncate(steps);
    }
    let mut chunk = left.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut shorter = false;
        while at < left.len() {
            let mut without = left.clone();
            without.drain(at..(at + chunk).min(without.len()));
            match breaks(&without) {
                Some(steps) => {
                    without.truncate(steps);
                    left = without;
                    shorter = true;
                }
                None => at += chunk,
            }
        }
        if chunk == 1 && !shorter {
            return left;
        }
        chunk = if chunk == 1 { 1 } else { chunk.div_ceil(2) };
    }
}

/// A schedule in one line.
pub fn line(setting: &Setting, acts: &[Act]) -> String {
    let acts: Vec<String> = acts.iter().map(Act::to_string).collect();
    format!("{} {}", setting.seed, acts.join(" "))
}

/// A schedule from its line.
pub fn read(line: &str, features: Features) -> Result<Drawn, String> {
    let mut words = line.split_whitespace();
    let seed = words.next().and_then(|seed| seed.parse().ok()).ok_or("a schedule begins with its seed")?;
    let acts: Result<Vec<Act>, String> = words.map(str::parse).collect();
    Ok(Drawn { setting: Setting::of(seed, features), acts: acts? })
}
