//! Who waits for which payment or bank request: each is woken for his own, not by every commit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// A payment's or a request's id; both are random, so they do not meet.
pub type Name = [u8; 16];

/// The waiting, by what they wait for.
#[derive(Clone, Default)]
pub struct Waiting(Arc<Mutex<HashMap<Name, watch::Sender<()>>>>);

/// Somebody's place among the waiting, until he goes.
pub struct Place {
    name: Name,
    changed: Option<watch::Receiver<()>>,
    waiting: Waiting,
}

impl Waiting {
    fn places(&self) -> MutexGuard<'_, HashMap<Name, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on no change of it is missed.
    pub fn wait_for(&self, name: Name) -> Place {
        let changed = self.places().entry(name).or_default().subscribe();
        Place { name, changed: Some(changed), waiting: self.clone() }
    }

    /// What is durable now is told to those who wait for it.
    pub(super) fn changed(&self, names: &[Name]) {
        let places = self.places();
        names.iter().filter_map(|name| places.get(name)).for_each(|place| place.send_replace(()));
    }
}

impl Place {
    /// Waits for the next change that has not been waited for yet.
    pub async fn next(&mut self) {
        match &mut self.changed {
            // The sender stays in the map as long as this place is taken.
            Some(changed) => drop(changed.changed().await),
            None => std::future::pending().await,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.changed.take());
        let mut places = self.waiting.places();
        if places.get(&self.name).is_some_and(|place| place.receiver_count() == 0) {
            places.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    /// Whether there is a change right now that has not been waited for.
    fn hears(place: &mut Place) -> bool {
        let next = pin!(place.next());
        next.poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    #[test]
    fn a_change_wakes_those_who_wait_for_it_and_nobody_else() {
        let waiting = Waiting::default();
        let (mut one, mut same, mut other) =
            (waiting.wait_for([1; 16]), waiting.wait_for([1; 16]), waiting.wait_for([2; 16]));
        waiting.changed(&[[1; 16], [3; 16]]);
        assert!(hears(&mut one) && hears(&mut same));
        assert!(!hears(&mut other));
        assert!(!hears(&mut one), "once for each change");
        drop(one);
        waiting.changed(&[[1; 16]]);
        assert!(hears(&mut same), "whoever is left still hears");
        drop((same, other));
        assert!(waiting.places().is_empty());
    }
}
