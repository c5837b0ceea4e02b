//! Webhooks as programs see them, and the calls about them (SPEC §5.6).

use super::api::Done;
use super::code;
use super::desk::{Desk, not_found};
use super::events;
use super::shape::{params, results};
use crate::hooks::{Hooks, Leave, Target};
use crate::shop::Shop;
use crate::shop::hook::{Hook, NewHook};
use crate::shop::rights::Role;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::id::Key;
use protocol::node::chance::chance_bytes;
use protocol::node::rpc::{Caller, RpcError};
use protocol::time::Timestamp;

params! {
    /// A webhook to add.
    NewWebhook {
        /// Where it listens: https; only an owner's may be on this machine, http there too, or in its own network.
        url: String,
        /// Which kinds of events; when left out, all but `webhook`, which tells of webhooks.
        kinds: Option<Vec<String>>,
        /// Events after this number, 0 for all that there are; only new ones when left out.
        after: Option<u64>,
        /// Whether it may be http beyond this machine, where anybody on the way reads along; an owner's to say.
        insecure: Option<bool>,
    }
    /// One webhook.
    ByWebhook {
        /// Its id.
        webhook: String,
    }
    /// A webhook that shall be tried again at once.
    ResumeWebhook {
        /// Its id.
        webhook: String,
        /// From after this event on; where it was when left out.
        after: Option<u64>,
    }
}

results! {
    /// A program that is told of events.
    Webhook {
        /// Its id.
        webhook: String,
        /// Where it listens.
        url: String,
        /// Which kinds of events; none for all.
        kinds: Vec<String>,
        /// Whether it may be http beyond this machine.
        insecure: bool,
        /// on, failing or off: then it is not tried until it is resumed.
        state: String,
        /// The last event that it has been told, or that is not for it.
        cursor: u64,
        /// Events behind that one.
        behind: u64,
        /// When it last took something.
        told: Option<Timestamp>,
        /// Since when it takes nothing.
        failing_since: Option<Timestamp>,
        /// How often that was tried.
        tries: u32,
        /// What came of the last try.
        error: Option<String>,
        /// Who added it.
        by: String,
        /// When.
        made: Timestamp,
    }
    /// All webhooks.
    Webhooks {
        /// The key that signs, as the Standard Webhooks write it.
        key: String,
        /// The same key as it stands in the shop's papers: its node key.
        node: Key,
        /// The number of the newest event.
        newest: u64,
        /// One line each.
        webhooks: Vec<Webhook>,
    }
    /// What came of a trial.
    WebhookTest {
        /// Whether it was taken.
        taken: bool,
        /// Why not.
        error: Option<String>,
        /// How long it took.
        milliseconds: u64,
    }
}

fn view(hook: &Hook, newest: u64) -> Webhook {
    let failing = hook.failing.as_ref();
    Webhook {
        webhook: hook.id.clone(),
        url: hook.url.clone(),
        kinds: hook.kinds.clone(),
        insecure: hook.insecure,
        state: hook.word().to_owned(),
        cursor: hook.cursor,
        behind: newest.saturating_sub(hook.cursor),
        told: hook.told,
        failing_since: failing.map(|failing| failing.since),
        tries: failing.map_or(0, |failing| failing.tries),
        error: failing.map(|failing| failing.error.clone()),
        by: hook.by.clone(),
        made: hook.made,
    }
}

/// A public key as the Standard Webhooks write it.
fn written(key: &Key) -> String {
    format!("whpk_{}", STANDARD.encode(key.0))
}

/// A kind with a slip of the pen would be waited for in vain.
fn known_kinds(asked: &[String]) -> Result<(), String> {
    let known = events::kinds();
    let Some(unknown) = asked.iter().find(|kind| !known.contains(kind.as_str())) else { return Ok(()) };
    // The words are a program's or a person's: a long one is not said again.
    let unknown: String = unknown.chars().take(32).collect();
    let known: Vec<&str> = known.into_iter().collect();
    Err(format!("no event is of the kind {unknown:?}: there are {}", known.join(", ")))
}

impl Desk {
    fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    async fn shown(&self, hook: Hook) -> Result<Webhook, RpcError> {
        self.hooks().touch();
        let newest = self.room.look(Shop::newest_event).await.map_err(|fault| self.room_fault(fault))?;
        Ok(view(&hook, newest))
    }

    pub(super) async fn add_webhook(&self, caller: &Caller, asked: NewWebhook) -> Result<Webhook, RpcError> {
        let (who, actor) = self.asked(caller, "webhook.add");
        let insecure = asked.insecure.unwrap_or(false);
        let leave = Leave::given(actor.role == Role::Owner, insecure);
        let target = Target::parse(&asked.url, leave).map_err(|why| code::reason_of("bad_value", why))?;
        let kinds = asked.kinds.unwrap_or_default();
        known_kinds(&kinds).map_err(|why| code::reason_of("bad_value", why))?;
        let new = NewHook {
            id: hex::encode(chance_bytes::<4>()),
            url: asked.url,
            host: target.shown(),
            kinds,
            insecure,
            after: asked.after,
        };
        let now = who.now;
        let made = self.room.decide_for(who, move |shop, _| Ok(shop.add_hook(new, &actor, now)?)).await;
        self.shown(made.map_err(|fault| self.room_fault(fault))?).await
    }

    pub(super) async fn webhooks(&self) -> Result<Webhooks, RpcError> {
        let look = |shop: &Shop| {
            let newest = shop.newest_event();
            (newest, shop.hooks().map(|hook| view(hook, newest)).collect())
        };
        let (newest, webhooks) = self.room.look(look).await.map_err(|fault| self.room_fault(fault))?;
        let node = self.hooks().key();
        Ok(Webhooks { key: written(&node), node, newest, webhooks })
    }

    pub(super) async fn remove_webhook(&self, caller: &Caller, asked: ByWebhook) -> Result<Done, RpcError> {
        let (who, actor) = self.asked(caller, "webhook.remove");
        let now = who.now;
        let rule = move |shop: &Shop, _: &_| Ok(shop.remove_hook(&asked.webhook, &actor, now)?);
        self.room.decide_for(who, rule).await.map_err(|fault| self.room_fault(fault))?;
        self.hooks().touch();
        Ok(Done { done: true })
    }

    pub(super) async fn resume_webhook(
        &self,
        caller: &Caller,
        asked: ResumeWebhook,
    ) -> Result<Webhook, RpcError> {
        let (who, actor) = self.asked(caller, "webhook.resume");
        let now = who.now;
        let rule =
            move |shop: &Shop, _: &_| Ok(shop.resume_hook(&asked.webhook, asked.after, &actor, now)?);
        let hook = self.room.decide_for(who, rule).await.map_err(|fault| self.room_fault(fault))?;
        self.shown(hook).await
    }

    pub(super) async fn test_webhook(
        &self,
        caller: &Caller,
        asked: ByWebhook,
    ) -> Result<WebhookTest, RpcError> {
        let (who, actor) = self.asked(caller, "webhook.test");
        let found = self.room.look(move |shop| shop.hook(&asked.webhook).cloned()).await;
        let hook = found.map_err(|fault| self.room_fault(fault))?.ok_or_else(|| not_found("webhook"))?;
        let body = serde_json::json!({ "seq": 0, "at": who.now.0, "kind": "webhook_test" }).to_string();
        let trial = self.hooks().try_out(&hook, body.as_bytes()).await;
        let outcome = if trial.failure.is_none() { "done" } else { "not_taken" };
        let note = move |shop: &Shop, _: &_| Ok(shop.note(&actor, who.method, outcome, who.now));
        self.room.decide(note).await.map_err(|fault| self.room_fault(fault))?;
        let milliseconds = u64::try_from(trial.took.as_millis()).unwrap_or(u64::MAX);
        Ok(WebhookTest { taken: trial.failure.is_none(), error: trial.failure, milliseconds })
    }
}
