//! Webhooks: who outside is told of events, and up to which one (SPEC §5.6).
//!
//! ```text
//! on ⇄ failing ─▶ off ─▶ on again (resume)     events are kept, so nothing is lost meanwhile
//! ```
//! That one fails or works again is an event itself. So that none feeds itself, such events go only to who names their kind, and
//! `failing` becomes an event after some tries in a row: a receiver that takes one post a second says no every other time.
//!
//! The cursor is on disk after what it stands for was told: after a crash an event may be told again, and none is left out.

use super::change::{Change, Decision, Draft, Happening};
use super::failing::Failing;
use super::rights::{Actor, Role, Staff};
use super::{Refusal, Shop};
use protocol::time::{DAY_SECONDS, Timestamp};
use serde::{Deserialize, Serialize};

/// Most webhooks of a shop.
const HOOKS_MAX: usize = 16;
/// Most kinds that one asks for.
const KINDS_MAX: usize = 64;
/// Bytes of a kind.
const KIND_MAX: usize = 32;
/// The kind that tells of webhooks.
const OF_HOOKS: &str = "webhook";
/// So many tries in vain, one after the other, are an event.
const TOLD_TRIES: u32 = 3;
/// After so many days without an answer nobody is told any more, until somebody resumes it.
const GIVE_UP_DAYS: u64 = 14;

/// A program that is told of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Its name.
    pub id: String,
    /// Where it listens. Not for logs: addresses carry secrets.
    pub url: String,
    /// The part of it that may be shown to everybody.
    pub host: String,
    /// Which kinds; none for all but those that tell of webhooks.
    pub kinds: Vec<String>,
    /// Whether it may be without TLS beyond this machine.
    pub insecure: bool,
    /// Who added it.
    pub by: String,
    /// When.
    pub made: Timestamp,
    /// The last event that it has been told, or that is not for it.
    pub cursor: u64,
    /// Counts how often the cursor was put somewhere else by hand: what is on its way then does not move it.
    pub life: u32,
    /// When it last took something.
    pub told: Option<Timestamp>,
    /// Since when it takes nothing.
    pub failing: Option<Failing>,
    /// Since when it is not tried any more.
    pub off: Option<Timestamp>,
    /// His id among the staff, if he is one of them: it ends with his token.
    #[serde(default)]
    pub staff: Option<String>,
    /// Whether it may be on this machine or in its own network: an owner has said so. Else one could knock at doors there.
    #[serde(default)]
    pub near: bool,
}

impl Hook {
    /// Its state's word.
    pub fn word(&self) -> &'static str {
        match (&self.off, &self.failing) {
            (Some(_), _) => "off",
            (None, Some(_)) => "failing",
            (None, None) => "on",
        }
    }

    /// The state that the last event of it told.
    fn told_word(&self) -> &'static str {
        match &self.failing {
            Some(failing) if self.off.is_none() && failing.tries < TOLD_TRIES => "on",
            _ => self.word(),
        }
    }

    /// Whether it is told of this kind.
    pub fn wants(&self, kind: &str) -> bool {
        match self.kinds.is_empty() {
            true => kind != OF_HOOKS,
            false => self.kinds.iter().any(|one| one == kind),
        }
    }
}

/// A webhook to add.
#[derive(Clone, Debug)]
pub struct NewHook {
    /// Its name.
    pub id: String,
    /// Where it listens; checked.
    pub url: String,
    /// What of it may be shown.
    pub host: String,
    /// Which kinds; none for all but those that tell of webhooks.
    pub kinds: Vec<String>,
    /// Whether it may be without TLS beyond this machine.
    pub insecure: bool,
    /// Events after this one; only new ones if left out.
    pub after: Option<u64>,
}

/// What came of telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// Told as far as the cursor.
    Told,
    /// Nothing up to the cursor is for it.
    Passed,
    /// The rest was not taken.
    Failed(String),
    /// It says that nobody listens there any more.
    Gone,
}

impl Draft {
    fn put_hook(&mut self, hook: Hook, before: Option<&'static str>) {
        let word = hook.told_word();
        if before != Some(word) {
            self.event(Happening::Webhook { webhook: hook.id.clone(), state: word.to_owned() });
        }
        self.put(Change::Hook(hook));
    }
}

impl Shop {
    /// All webhooks.
    pub fn hooks(&self) -> impl Iterator<Item = &Hook> {
        self.hooks.values()
    }

    /// A webhook.
    pub fn hook(&self, id: &str) -> Option<&Hook> {
        self.hooks.get(id)
    }

    fn hook_found(&self, id: &str) -> Result<&Hook, Refusal> {
        self.hook(id).ok_or(Refusal::NotFound("webhook"))
    }

    fn after(&self, after: Option<u64>) -> Result<u64, Refusal> {
        let newest = self.newest_event();
        match after.unwrap_or(newest) {
            after if after <= newest => Ok(after),
            _ => Err(Refusal::Value(format!("the newest event is {newest}"))),
        }
    }

    /// Adds one.
    pub fn add_hook(&self, new: NewHook, actor: &Actor, now: Timestamp) -> Result<Decision<Hook>, Refusal> {
        if self.hooks.len() >= HOOKS_MAX {
            return Err(Refusal::TooMany("a shop has at most 16 webhooks"));
        }
        if self.hooks().any(|hook| hook.url == new.url) {
            let why = "remove it first, or resume it";
            return Err(Refusal::State { what: "webhook of this address", state: "there", why });
        }
        let letters = |kind: &String| {
            let plain = kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            plain && (1..=KIND_MAX).contains(&kind.len())
        };
        if new.kinds.len() > KINDS_MAX || !new.kinds.iter().all(letters) {
            let why =
                format!("at most {KINDS_MAX} kinds, each a word as events have it, such as sale or order");
            return Err(Refusal::Value(why));
        }
        let cursor = self.after(new.after)?;
        let NewHook { id, url, host, kinds, insecure, .. } = new;
        let by = actor.name.clone();
        let (staff, near) = (actor.staff.clone(), actor.role == Role::Owner);
        if insecure && !near {
            return Err(Refusal::Value("that it may be insecure is the owner's to say".to_owned()));
        }
        let (made, life, told, failing, off) = (now, 0, None, None, None);
        let hook =
            Hook { id, url, host, kinds, insecure, by, made, cursor, life, told, failing, off, staff, near };
        let mut draft = Draft::at(self, now);
        draft.audit(actor, "webhook.add", "done", format!("{} ({})", hook.id, hook.host));
        draft.put_hook(hook.clone(), None);
        Ok(draft.decide(hook))
    }

    /// Removes one.
    pub fn remove_hook(&self, id: &str, actor: &Actor, now: Timestamp) -> Result<Decision<()>, Refusal> {
        let hook = self.hook_found(id)?;
        let mut draft = Draft::at(self, now);
        draft.audit(actor, "webhook.remove", "done", format!("{} ({})", hook.id, hook.host));
        draft.event(Happening::Webhook { webhook: hook.id.clone(), state: "removed".to_owned() });
        draft.put(Change::HookGone(hook.id.clone()));
        Ok(draft.decide(()))
    }

    /// Tries it again at once, from where it was or after another event.
    pub fn resume_hook(
        &self,
        id: &str,
        after: Option<u64>,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Decision<Hook>, Refusal> {
        let known = self.hook_found(id)?;
        let cursor = after.map_or(Ok(known.cursor), |after| self.after(Some(after)))?;
        let life = known.life.saturating_add(1);
        let mut hook = Hook { cursor, life, failing: None, off: None, ..known.clone() };
        let works_here = |id: &String| self.staff.get(id).is_some_and(|one| one.ended.is_none());
        if !hook.staff.as_ref().is_none_or(works_here) {
            // Who takes it over answers for it, and allows it no more than he may.
            (hook.by, hook.staff) = (actor.name.clone(), actor.staff.clone());
            hook.near &= actor.role == Role::Owner;
        }
        let mut draft = Draft::at(self, now);
        draft.audit(actor, "webhook.resume", "done", format!("{} ({}) after {cursor}", hook.id, hook.host));
        draft.put_hook(hook.clone(), Some(known.told_word()));
        Ok(draft.decide(hook))
    }

    /// Those of somebody who does not work here any more are told nothing more. Which these were.
    pub(super) fn end_hooks(&self, draft: &mut Draft, staff: &Staff, actor: &Actor) -> Vec<String> {
        let theirs = |hook: &&Hook| hook.off.is_none() && hook.staff.as_ref() == Some(&staff.id);
        let mut ended = Vec::new();
        for known in self.hooks().filter(theirs) {
            let why = format!("{}, who added it, does not work here any more", staff.name);
            let failing = Some(Failing::again(None, &why, draft.now()));
            let life = known.life.saturating_add(1);
            draft.audit(actor, "staff.end", "webhook_off", format!("{} ({})", known.id, known.host));
            draft.put_hook(
                Hook { life, failing, off: Some(draft.now()), ..known.clone() },
                Some(known.told_word()),
            );
            ended.push(known.id.clone());
        }
        ended
    }

    /// How far telling came; `told` is the hook as it was when it began. The hook after it, if it is still there.
    pub fn hook_went(&self, told: &Hook, cursor: u64, came: &Came, now: Timestamp) -> Decision<Option<Hook>> {
        let known = self.hook(&told.id).filter(|known| known.life == told.life && known.off.is_none());
        let Some(known) = known else { return Decision::reply(None) };
        let advanced = cursor > known.cursor;
        let mut hook = Hook { cursor: known.cursor.max(cursor), ..known.clone() };
        let before = if advanced { None } else { known.failing.as_ref() };
        match came {
            Came::Told => (hook.told, hook.failing) = (Some(now), None),
            Came::Passed => hook.failing = None,
            Came::Failed(error) => {
                let failing = Failing::again(before, error, now);
                let given_up = failing.since.plus_seconds(GIVE_UP_DAYS * DAY_SECONDS) <= now;
                (hook.off, hook.failing) = (given_up.then_some(now), Some(failing));
            }
            Came::Gone => {
                let why = "it says that nobody listens there any more (410)";
                (hook.off, hook.failing) = (Some(now), Some(Failing::again(before, why, now)));
            }
        }
        let mut draft = Draft::at(self, now);
        draft.put_hook(hook.clone(), Some(known.told_word()));
        draft.decide(Some(hook))
    }
}
