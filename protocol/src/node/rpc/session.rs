//! A WebSocket: calls as over HTTP, and events as they come.
//!
//! ```text
//! frames ─▶ run ─┬─ call (≤ 16 at once) ──┐
//!                ├─ pump per subscription ┼─▶ bounded queue ─▶ write ─▶ frames
//!                └─ ping ─────────────────┘
//! ```
//! A slow reader fills the queue, and the pumps wait: they pull from the durable source by number, so
//! waiting loses nothing.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::contract::{decode_params, encode_result};
use super::dispatch::{Body, Request, response};
use super::events::{self, EventsSubscribe, EventsUnsubscribe, Subscribed, Unsubscribed};
use super::guard::Credential;
use super::http::Front;
use super::{Caller, Limits, RpcError};

/// Calls of one WebSocket that may run at once.
const CALLS: usize = 16;
/// Subscriptions of one WebSocket.
const SUBSCRIPTIONS: usize = 8;
/// Messages that wait for a slow reader.
const QUEUE: usize = 32;
/// Events read at a time.
const PAGE: u32 = 64;
/// Unanswered pings after which nobody is there.
const SILENCES: u32 = 3;

/// One WebSocket.
pub(super) struct Session {
    front: Front,
    credential: Credential,
    tasks: JoinSet<()>,
    pumps: HashMap<u64, AbortHandle>,
    next: u64,
}

impl Session {
    pub(super) fn new(front: Front, credential: Credential) -> Self {
        Self { front, credential, tasks: JoinSet::new(), pumps: HashMap::new(), next: 1 }
    }

    /// Speaks until either side has enough. Dropping the tasks ends every call and pump.
    pub(super) async fn run(mut self, socket: WebSocket) {
        let (sink, mut frames) = socket.split();
        let (queue, waiting) = mpsc::channel(QUEUE);
        let writer = tokio::spawn(write(sink, waiting, self.front.limits));
        let farewell = self.listen(&mut frames, &queue).await;
        self.tasks.abort_all();
        if let Some((code, reason)) = farewell {
            let frame = CloseFrame { code, reason: reason.into() };
            // The writer may be stuck with a reader that is gone; it has its own deadline.
            let _ = queue.try_send(Message::Close(Some(frame)));
        }
        drop(queue);
        while self.tasks.join_next().await.is_some() {}
        let _ = writer.await;
    }

    async fn listen(
        &mut self,
        frames: &mut SplitStream<WebSocket>,
        queue: &mpsc::Sender<Message>,
    ) -> Option<(u16, &'static str)> {
        let shutdown = self.front.dispatcher.shutdown.clone();
        let mut ping = interval(self.front.limits.ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut silences = 0;
        loop {
            let running = self.tasks.len().saturating_sub(self.pumps.len());
            tokio::select! {
                frame = frames.next(), if running < CALLS => {
                    silences = 0;
                    match frame? {
                        Ok(Message::Text(text)) => {
                            let Some(caller) = self.front.door.admit(&self.credential) else {
                                return Some((close_code::POLICY, "the token is no longer valid"));
                            };
                            self.take(caller, text.as_bytes(), queue).await;
                        }
                        Ok(Message::Ping(_) | Message::Pong(_)) => {}
                        Ok(Message::Binary(_)) => return Some((close_code::UNSUPPORTED, "send text frames")),
                        Ok(Message::Close(_)) | Err(_) => return None,
                    }
                }
                Some(_) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    self.pumps.retain(|_, pump| !pump.is_finished());
                }
                _ = ping.tick() => {
                    if silences >= SILENCES {
                        return None;
                    }
                    silences += u32::from(running < CALLS);
                    // A full queue means that the reader has enough to answer to.
                    let _ = queue.try_send(Message::Ping(Vec::new().into()));
                }
                () = queue.closed() => return None,
                () = shutdown.requested() => return Some((close_code::AWAY, "the program stops")),
            }
        }
    }

    /// Starts on one message.
    async fn take(&mut self, caller: Caller, bytes: &[u8], queue: &mpsc::Sender<Message>) {
        let dispatcher = Arc::clone(&self.front.dispatcher);
        let body = dispatcher.parse(bytes);
        if let Body::One(Ok(request)) = &body
            && matches!(request.method.as_str(), "events.subscribe" | "events.unsubscribe")
        {
            return self.subscription(&caller, request, queue).await;
        }
        let queue = queue.clone();
        self.tasks.spawn(async move {
            if let Some(answer) = Box::pin(dispatcher.answer(&caller, body)).await {
                // A closed queue means that nobody waits any more.
                let _ = queue.send(text(&answer)).await;
            }
        });
    }

    async fn subscription(&mut self, caller: &Caller, request: &Request, queue: &mpsc::Sender<Message>) {
        let mut pump = None;
        let outcome = self.front.dispatcher.check_scope(caller, &request.method).and_then(|()| {
            let params = request.params.clone();
            if request.method == "events.unsubscribe" {
                return encode_result(&self.unsubscribe(&decode_params(params)?));
            }
            let begun = self.subscribe(&decode_params(params)?)?;
            let answer = encode_result(&begun)?;
            pump = Some(begun);
            Ok(answer)
        });
        if let Some(id) = &request.id {
            // The answer stands in the queue before the first event.
            let _ = queue.send(text(&response(id, outcome))).await;
        }
        if let Some(Subscribed { subscription, since }) = pump {
            let pump = Pump {
                front: self.front.clone(),
                credential: self.credential.clone(),
                queue: queue.clone(),
                subscription,
            };
            self.pumps.insert(subscription, self.tasks.spawn(pump.run(since)));
        }
    }

    fn subscribe(&mut self, asked: &EventsSubscribe) -> Result<Subscribed, RpcError> {
        if self.pumps.len() >= SUBSCRIPTIONS {
            return Err(RpcError::busy("this WebSocket holds as many subscriptions as it may"));
        }
        let newest = self.front.dispatcher.events.newest();
        let since = asked.since.unwrap_or(*newest.borrow());
        events::start(since, &newest)?;
        let subscription = self.next;
        self.next = self.next.saturating_add(1);
        Ok(Subscribed { subscription, since })
    }

    fn unsubscribe(&mut self, asked: &EventsUnsubscribe) -> Unsubscribed {
        let pump = self.pumps.remove(&asked.subscription);
        if let Some(pump) = &pump {
            pump.abort();
        }
        Unsubscribed { ended: pump.is_some() }
    }
}

/// Carries events of one subscription into the queue.
struct Pump {
    front: Front,
    credential: Credential,
    queue: mpsc::Sender<Message>,
    subscription: u64,
}

impl Pump {
    async fn run(self, since: u64) {
        if let Err(error) = self.carry(since).await {
            let params = json!({ "subscription": self.subscription, "error": error.to_json() });
            self.notify("events.end", params).await;
        }
    }

    /// Ends with an error, or without one when nobody listens or the source closes.
    async fn carry(&self, mut since: u64) -> Result<(), RpcError> {
        let source = &self.front.dispatcher.events;
        let mut newest = source.newest();
        loop {
            let caller = self.front.door.admit(&self.credential).ok_or_else(RpcError::unauthorized)?;
            self.front.dispatcher.check_scope(&caller, "events.subscribe")?;
            newest.mark_unchanged();
            let page = events::read(source, since, PAGE).await?;
            if page.is_empty() && newest.changed().await.is_err() {
                return Ok(());
            }
            for event in page {
                since =
                    event.get("seq").and_then(Value::as_u64).filter(|seq| *seq > since).ok_or_else(|| {
                        tracing::error!(since, "the event source is out of order");
                        RpcError::internal()
                    })?;
                let params = json!({ "subscription": self.subscription, "event": event });
                if !self.notify("events.event", params).await {
                    return Ok(());
                }
            }
        }
    }

    async fn notify(&self, method: &str, params: Value) -> bool {
        let notification = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        self.queue.send(text(&notification)).await.is_ok()
    }
}

/// Writes the queue out; a reader that takes nothing for too long loses the WebSocket, not the events.
async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    mut waiting: mpsc::Receiver<Message>,
    limits: Limits,
) {
    while let Some(message) = waiting.recv().await {
        let last = matches!(message, Message::Close(_));
        match timeout(limits.write, sink.send(message)).await {
            Ok(Ok(())) if !last => {}
            Ok(Ok(()) | Err(_)) | Err(_) => return,
        }
    }
}

fn text(value: &Value) -> Message {
    Message::Text(value.to_string().into())
}
