//! Webhooks: tells programs outside what happened, in order, each event at least once (SPEC §5.6).
//!
//! ```text
//! events on disk ─▶ a task for each webhook ─▶ POST, signed by the node's key ─▶ 2xx: cursor on disk
//!                                                                           └─▶ else: again, later and later
//! ```
//! A receiver that is slow or gone holds up nobody else. Nothing of an address but its host is ever logged.

mod post;

pub use post::{Failure, Leave, Target};

use crate::room::{Room, RoomFault};
use crate::shop::hook::{Came, Hook};
use post::{Line, Poster, Posting};
use protocol::body;
use protocol::node::chance::chance_bytes;
use protocol::node::clock::Clock;
use protocol::sign::Signer;
use protocol::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Events that are read together. The cursor goes to the disk after so many, or when there are no more: this many may be
/// told twice after a crash.
const PAGE: usize = 16;

/// An event as programs are told it.
#[derive(Clone, Debug)]
pub struct Telling {
    /// Its number.
    pub seq: u64,
    /// Its kind.
    pub kind: String,
    /// The JSON of the event stream.
    pub body: Vec<u8>,
}

/// Where events are read as programs are told them.
pub trait Told: Send + Sync + 'static {
    /// Events after a number, oldest first; or why they can't be read.
    fn after(&self, since: u64, limit: usize) -> Result<Vec<Telling>, String>;
}

/// What came of a trial.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Why it was not taken.
    pub failure: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// All webhooks of a shop.
pub struct Hooks {
    room: Room,
    told: Arc<dyn Told>,
    node: Signer,
    clock: Clock,
    poster: Poster,
    /// Moves when somebody changed a webhook by hand.
    touched: watch::Sender<u64>,
}

impl Hooks {
    /// Of this shop, signed by `node`.
    pub fn new(room: Room, told: Arc<dyn Told>, node: Signer, clock: Clock) -> Hooks {
        Hooks { room, told, node, clock, poster: Poster::default(), touched: watch::Sender::new(0) }
    }

    /// Who signs.
    pub fn key(&self) -> protocol::id::Key {
        self.node.key()
    }

    /// A webhook was added, resumed or removed.
    pub fn touch(&self) {
        self.touched.send_modify(|times| *times += 1);
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.clock.now_seconds())
    }

    /// Keeps a task for each webhook, until the room ends.
    pub async fn run(self: Arc<Self>) {
        let mut touched = self.touched.subscribe();
        let mut tasks = JoinSet::new();
        let mut running: BTreeMap<String, tokio::task::AbortHandle> = BTreeMap::new();
        loop {
            touched.borrow_and_update();
            let on = |shop: &crate::shop::Shop| -> Vec<String> {
                shop.hooks().filter(|hook| hook.off.is_none()).map(|hook| hook.id.clone()).collect()
            };
            let Ok(on) = self.room.look(on).await else { return };
            running.retain(|_, task| !task.is_finished());
            for id in on {
                running.entry(id.clone()).or_insert_with(|| tasks.spawn(self.clone().serve(id)));
            }
            tokio::select! {
                changed = touched.changed() => if changed.is_err() { return },
                // One that has ended may have been resumed in the same moment.
                Some(_) = tasks.join_next() => {}
            }
        }
    }

    /// Tells one of them, until it is off or gone.
    async fn serve(self: Arc<Self>, id: String) {
        let (mut news, mut touched) = (self.room.newest_event.subscribe(), self.touched.subscribe());
        loop {
            news.borrow_and_update();
            touched.borrow_and_update();
            let name = id.clone();
            let Ok(hook) = self.room.look(move |shop| shop.hook(&name).cloned()).await else { return };
            let Some(hook) = hook.filter(|hook| hook.off.is_none()) else { return };
            let wait = match self.tell(&hook).await {
                Ok(Some(after)) => after.failing.as_ref().map(|failing| jittered(failing.wait())),
                Ok(None) => continue,
                Err(_) => return,
            };
            let again = async move {
                match wait {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = again => {}
                changed = news.changed(), if wait.is_none() => if changed.is_err() { return },
                changed = touched.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Tells what is next. The hook after it, if there is nothing more to do at once.
    async fn tell(&self, hook: &Hook) -> Result<Option<Hook>, RoomFault> {
        let told = self.told.clone();
        let since = hook.cursor;
        let read = tokio::task::spawn_blocking(move || told.after(since, PAGE)).await;
        let page = match read {
            Ok(Ok(page)) => page,
            Ok(Err(why)) => return self.note(hook, since, Came::Failed(why)).await,
            Err(_) => return Err(RoomFault::Stopped),
        };
        let (mut cursor, mut sent) = (since, false);
        let mut line = None;
        for telling in &page {
            if hook.wants(&telling.kind) {
                if !self.is_as_it_was(hook).await? {
                    return Ok(None);
                }
                match self.post(hook, &mut line, Some(telling.seq), &telling.body).await {
                    Ok(()) => sent = true,
                    Err(Failure::Gone) => return self.note(hook, cursor, Came::Gone).await,
                    Err(failure) => {
                        return self.note(hook, cursor, Came::Failed(failure.to_string())).await;
                    }
                }
            }
            cursor = telling.seq;
        }
        let is_full = page.len() == PAGE;
        // Who wants everything passes only what tells of webhooks: seldom enough to write it down each time.
        let passed = cursor > since && (hook.failing.is_some() || hook.kinds.is_empty());
        if sent || is_full || passed {
            self.note(hook, cursor, if sent { Came::Told } else { Came::Passed }).await?;
        }
        Ok(if is_full { None } else { Some(Hook { failing: None, ..hook.clone() }) })
    }

    /// Nobody is told the rest of a page who was ended in the middle of it.
    async fn is_as_it_was(&self, hook: &Hook) -> Result<bool, RoomFault> {
        let (id, life) = (hook.id.clone(), hook.life);
        let same = move |known: &Hook| known.life == life && known.off.is_none();
        self.room.look(move |shop| shop.hook(&id).is_some_and(same)).await
    }

    async fn note(&self, hook: &Hook, cursor: u64, came: Came) -> Result<Option<Hook>, RoomFault> {
        if let Came::Failed(why) = &came {
            tracing::warn!(webhook = hook.id, host = hook.host, %why, "a webhook takes no events");
        }
        let (told, now) = (hook.clone(), self.now());
        let noted = self.room.decide(move |shop, _| Ok(shop.hook_went(&told, cursor, &came, now)));
        noted.await
    }

    async fn post(
        &self,
        hook: &Hook,
        line: &mut Option<Line>,
        event: Option<u64>,
        body: &[u8],
    ) -> Result<(), Failure> {
        let target = Target::parse(&hook.url, Leave::of(hook)).map_err(Failure::Unreachable)?;
        // The same event has the same name, also after a restart; another one never, also in a book that was put back.
        let digest = body::digest("event", body);
        let tail = hex::encode(digest.0.split_at(8).0);
        let name = event.map_or_else(|| format!("test_{tail}"), |seq| format!("{seq}_{tail}"));
        let now = self.now();
        let signed = self.node.sign_event(&name, now, body);
        self.poster.post(line, &target, Posting { signed, at: now, event, body }).await
    }

    /// Sends an event that is none, now.
    pub async fn try_out(&self, hook: &Hook, body: &[u8]) -> Trial {
        let begun = self.clock.monotonic();
        let done = self.post(hook, &mut None, None, body).await;
        let took = self.clock.monotonic().saturating_sub(begun);
        Trial { failure: done.err().map(|failure| failure.to_string()), took }
    }
}

/// A wait that is a quarter longer or shorter: many shops do not come back to one receiver in the same moment.
pub(crate) fn jittered(seconds: u64) -> Duration {
    let [chance] = chance_bytes::<1>();
    Duration::from_millis(seconds.saturating_mul(750 + 500 * u64::from(chance) / 255))
}
