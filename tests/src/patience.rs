//! Waiting for what another process does: often asked, never for ever.
//!
//! The only place of the harness that sleeps. A test names what it waits for, so that a test which waits in
//! vain says more than "timed out".

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use protocol::node::clock::Clock;
use tokio::runtime::Runtime;

/// How long anything may take before a test fails. Generous: a busy machine is no bug.
pub const LONG: Duration = Duration::from_secs(60);

/// Between two looks: short enough that nobody notices, long enough that the machine does not either.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs a future to its end on the harness's runtime.
///
/// # Panics
/// Inside another runtime: scenes are plain functions.
pub fn wait<F: Future>(future: F) -> F::Output {
    runtime().block_on(future)
}

/// The runtime on which the harness talks to the programs.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a machine that runs tests can start two threads")
    })
}

/// Looks until `look` finds something or [`LONG`] is over.
pub fn until<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    until_within(LONG, &mut look)
}

/// Looks until `look` finds something or `limit` is over.
pub fn until_within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let clock = Clock::system();
    let begun = clock.monotonic();
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if clock.monotonic().saturating_sub(begun) >= limit {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Lets a short time pass, so that something happens in the middle of something else. Nothing may depend on how long
/// it really was.
pub fn let_pass(time: Duration) {
    std::thread::sleep(time);
}

/// Fails the test unless `holds` becomes true.
#[track_caller]
pub fn settles(what: &str, mut holds: impl FnMut() -> bool) {
    if until(|| holds().then_some(())).is_none() {
        panic!("waited {} s in vain: {what}", LONG.as_secs());
    }
}
