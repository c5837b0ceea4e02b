//! Events that nobody misses: each has a number, and a reader says after which it wants to go on.
//!
//! The server keeps no copies. Every reader pulls pages from the durable source at its own speed.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use super::RpcError;
use crate::node::host::signals::Shutdown;

/// The longest page.
pub(super) const PAGE_LIMIT: u32 = 500;
/// The longest a poll may wait.
const WAIT_LIMIT: u32 = 60;

/// Where the events come from.
pub trait EventSource: Send + Sync + 'static {
    /// At most `limit` events after number `since`, in order; each is an object with its number `seq`.
    /// May touch the disk: the server calls it where that blocks nobody.
    fn read(&self, since: u64, limit: usize) -> Result<Vec<Value>, RpcError>;

    /// The number of the newest event; moves when one was stored.
    fn newest(&self) -> watch::Receiver<u64>;
}

/// A program without events.
#[derive(Debug)]
pub struct Silent {
    newest: watch::Sender<u64>,
}

impl Default for Silent {
    fn default() -> Self {
        Self { newest: watch::Sender::new(0) }
    }
}

impl EventSource for Silent {
    fn read(&self, _since: u64, _limit: usize) -> Result<Vec<Value>, RpcError> {
        Ok(Vec::new())
    }

    fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }
}

/// Parameters of `events.list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsList {
    /// Only events after this number; 0 for all.
    #[serde(default)]
    pub since: u64,
    /// At most so many (1 to 500); 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// If there are none yet, wait so long for the first (at most 60).
    #[serde(default)]
    pub wait_seconds: u32,
}

/// A page of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventsPage {
    /// The events in order, each with its number `seq`.
    pub events: Vec<Value>,
    /// The number of the newest event there is.
    pub newest: u64,
}

/// Parameters of `events.subscribe`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsSubscribe {
    /// Only events after this number; if absent, only those that happen from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}

/// What `events.subscribe` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subscribed {
    /// Stands in each `events.event` that follows.
    pub subscription: u64,
    /// The number after which the events begin.
    pub since: u64,
}

/// Parameters of `events.unsubscribe`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsUnsubscribe {
    /// From `events.subscribe`.
    pub subscription: u64,
}

/// What `events.unsubscribe` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unsubscribed {
    /// Whether there was such a subscription.
    pub ended: bool,
}

/// Answers `events.list`: a page at once, or the first events to come within the wait.
pub(super) async fn list(
    source: &Arc<dyn EventSource>,
    asked: EventsList,
    shutdown: &Shutdown,
) -> Result<EventsPage, RpcError> {
    let limit = asked.limit.unwrap_or(100);
    if !(1..=PAGE_LIMIT).contains(&limit) {
        return Err(
            RpcError::invalid_params(format!("limit must be 1 to {PAGE_LIMIT}")).detail("field", "limit")
        );
    }
    if asked.wait_seconds > WAIT_LIMIT {
        let why = format!("wait_seconds must be at most {WAIT_LIMIT}");
        return Err(RpcError::invalid_params(why).detail("field", "wait_seconds"));
    }
    let mut newest = source.newest();
    start(asked.since, &newest)?;
    let patience = tokio::time::sleep(Duration::from_secs(asked.wait_seconds.into()));
    tokio::pin!(patience);
    loop {
        let seen = *newest.borrow_and_update();
        let events = read(source, asked.since, limit).await?;
        if !events.is_empty() || asked.wait_seconds == 0 {
            return Ok(EventsPage { events, newest: seen });
        }
        let more = tokio::select! {
            changed = newest.changed() => changed.is_ok(),
            () = &mut patience => false,
            () = shutdown.requested() => false,
        };
        if !more {
            return Ok(EventsPage { events, newest: seen });
        }
    }
}

/// A reader cannot begin after the newest event: it comes from another or a later life of this store.
pub(super) fn start(since: u64, newest: &watch::Receiver<u64>) -> Result<(), RpcError> {
    let newest = *newest.borrow();
    if since <= newest {
        return Ok(());
    }
    let why =
        format!("event {since} does not exist yet, the newest is {newest}; was an older backup restored?");
    Err(RpcError::new(-32005, "since_ahead", why).detail("newest", newest))
}

/// Reads a page where a slow disk blocks nobody.
pub(super) async fn read(
    source: &Arc<dyn EventSource>,
    since: u64,
    limit: u32,
) -> Result<Vec<Value>, RpcError> {
    let source = Arc::clone(source);
    let limit = usize::try_from(limit).unwrap_or(1);
    tokio::task::spawn_blocking(move || source.read(since, limit)).await.unwrap_or_else(|error| {
        tracing::error!(%error, "reading events failed");
        Err(RpcError::internal())
    })
}
