//! What the bank's bulletins tell, and what in them does not fit together (SPEC §4.14, threats Y6, H3).
//!
//! ```text
//! pushed by anybody ─┐                  ┌▶ next in the chain ▶ kept
//! pulled at the bank ┴▶ signed? known? ─┼▶ a gap ▶ pulled
//!                                       └▶ against one that is kept, or a letter ▶ both are kept: a proof
//! ```
//! A proof changes nothing by itself: money goes on moving, and the owner is told that his bank has said two things.

use super::Wallet;
use super::change::{Change, Decision, Draft, Effect, Happening};
use protocol::bank::Bulletin;
use protocol::id::Key;
use protocol::key::bank::{BankKeys, Revocation, Usage};
use protocol::sign::Signed;
use protocol::time::{SKEW_SECONDS, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// So many bulletins are kept, to compare what others show with.
pub const KEPT: u64 = 48;
const KEPT_IN_MEMORY: usize = 48;
/// A bank leaves out what lies more than a week of hours back; what is nearer it has to show.
const LEFT_OUT_MAX: u64 = 168;
/// No pushed bulletin is looked at that is farther ahead; the bank itself is asked.
const AHEAD_MAX: u64 = 1000;

/// So many proofs of a kind are kept; further ones prove nothing more, and are counted.
pub const FAULTS_OF_A_KIND: usize = 8;

/// Two words of the bank that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BankFault {
    /// How.
    pub kind: FaultKind,
    /// The bulletin's number.
    pub number: u64,
    /// When it was found.
    pub found: Timestamp,
    /// The first signed word; of a letter its number, for letters are kept.
    #[serde(with = "serde_bytes")]
    pub first: Vec<u8>,
    /// The one that contradicts it.
    #[serde(with = "serde_bytes")]
    pub second: Vec<u8>,
    /// How often more of this kind was found when [`FAULTS_OF_A_KIND`] were kept; told with the lowest number of them.
    #[serde(default)]
    pub more: u64,
}

/// What two words contradict each other in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Two bulletins of one number.
    TwoOfOneNumber,
    /// A bulletin does not name the one before it.
    BrokenChain,
    /// The bank shows later ones and not those before them.
    LeftOut,
    /// A bulletin says less than the one before: time, journal or directory went back.
    Backwards,
    /// The bank's newest bulletin is older than one that it has given.
    Behind,
    /// The journal ends before a letter that the bank had signed earlier.
    BehindLetter,
}

impl FaultKind {
    /// The word for programs.
    pub fn word(self) -> &'static str {
        match self {
            FaultKind::TwoOfOneNumber => "two_of_one_number",
            FaultKind::BrokenChain => "broken_chain",
            FaultKind::LeftOut => "left_out",
            FaultKind::Backwards => "backwards",
            FaultKind::Behind => "behind",
            FaultKind::BehindLetter => "behind_letter",
        }
    }

    /// The words for people.
    pub fn text(self) -> &'static str {
        match self {
            FaultKind::TwoOfOneNumber => "the bank has signed two bulletins of one number",
            FaultKind::BrokenChain => "a bulletin of the bank does not follow the one before it",
            FaultKind::LeftOut => "the bank does not show all its bulletins",
            FaultKind::Backwards => "a bulletin of the bank says less than the one before it",
            FaultKind::Behind => "the bank no longer knows a bulletin that it has given",
            FaultKind::BehindLetter => "the bank's journal ends before a letter that it has signed",
        }
    }
}

/// The bulletins that are kept, and what was found in them.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    recent: BTreeMap<u64, Signed<Bulletin>>,
    faults: BTreeMap<(FaultKind, u64), BankFault>,
}

/// Where a bulletin came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Somebody passed it on.
    Pushed,
    /// The bank itself, asked for what comes after our newest.
    Bank,
}

/// What a bulletin was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// It is the newest now.
    Taken,
    /// It was known, or is older than what is kept.
    Known,
    /// It is genuine, but some before it are missing: the bank is to be asked.
    Gap,
    /// It contradicts another: both are kept.
    Proof,
    /// The bank's bulletin key did not sign it.
    False,
}

impl Heard {
    /// The newest bulletin.
    pub fn newest(&self) -> Option<&Bulletin> {
        self.recent.values().next_back().map(Signed::unverified)
    }

    /// Its number, 0 if there is none.
    pub fn number(&self) -> u64 {
        self.newest().map_or(0, |newest| newest.number)
    }

    /// What contradicts itself in the bank's words.
    pub fn faults(&self) -> impl Iterator<Item = &BankFault> + Clone {
        self.faults.values()
    }

    /// Whether both say the same.
    pub fn is_same(&self, other: &Heard) -> bool {
        self.recent.keys().eq(other.recent.keys()) && self.faults.values().eq(other.faults.values())
    }

    /// Whether the newest bulletin has the owner suspended. `line` is his certificate's in the directory: what
    /// the directory says later than the bulletin is newer.
    pub fn suspends(&self, owner: &Key, line: Option<u64>) -> bool {
        let Some(newest) = self.newest() else { return false };
        newest.suspended.contains(owner) && line.is_none_or(|line| line <= newest.lines)
    }

    /// Whether a pushed bulletin is worth a signature check.
    pub fn may_be_new(&self, bulletin: &Signed<Bulletin>) -> bool {
        let number = bulletin.unverified().number;
        match self.recent.get(&number) {
            Some(known) => known.digest() != bulletin.digest(),
            None => number > self.number() && number - self.number() <= AHEAD_MAX,
        }
    }

    /// Seconds by which the bank's time is ahead of ours for certain; what is newest can only be late.
    pub fn bank_ahead(&self, now: Timestamp) -> Option<u64> {
        let ahead = self.newest()?.at.seconds_since(now);
        (ahead > SKEW_SECONDS).then_some(ahead)
    }

    pub(super) fn keep(&mut self, bulletin: Signed<Bulletin>, keys: &BankKeys) {
        if genuine(&bulletin, keys) {
            self.recent.insert(bulletin.unverified().number, bulletin);
            while self.recent.len() > KEPT_IN_MEMORY {
                self.recent.pop_first();
            }
        }
    }

    /// What a revoked key has signed is forgotten: else the thief's numbers would keep the bank's own out.
    pub(super) fn forget_unsigned(&mut self, keys: &BankKeys) {
        self.recent.retain(|_, bulletin| genuine(bulletin, keys));
    }

    pub(super) fn keep_fault(&mut self, fault: BankFault) {
        self.faults.insert((fault.kind, fault.number), fault);
    }
}

/// Whether one of the bank's bulletin keys signed it, on its day.
pub fn genuine(bulletin: &Signed<Bulletin>, keys: &BankKeys) -> bool {
    let body = bulletin.unverified();
    body.bank == keys.bank() && keys.verify(Usage::Bulletin, body.at.day(), bulletin.clone()).is_ok()
}

impl Wallet {
    /// What the bank has told in bulletins.
    pub fn heard(&self) -> &Heard {
        &self.heard
    }

    /// Whether the last bulletin is so old that less is taken directly. Before the first bulletin the last letter
    /// says when the bank was last heard of.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        let letter = self.account().map(|account| account.at);
        let heard = self.heard.newest().map(|newest| newest.at).or(letter);
        heard.is_some_and(|at| now.seconds_since(at) > self.policy().stale_seconds())
    }

    /// Keys that the master key has revoked, for ever. Notes that they signed are not passed on any more.
    pub fn obey(&self, revocations: Vec<Signed<Revocation>>, now: Timestamp) -> Decision<bool> {
        let mut draft = Draft::at(self, now);
        let mut keys = self.keys().clone();
        let mut any = false;
        for revocation in revocations {
            // What is known, or not the bank's word at all, changes nothing.
            if let Ok(true) = keys.revoke(revocation.clone()) {
                any = true;
                draft.event(Happening::KeyRevoked { key: revocation.unverified().key });
                draft.put(Change::Revocation(revocation));
                draft.then(Effect::Refresh);
            }
        }
        Decision::new(draft, any)
    }

    /// Takes a bulletin, or keeps it as a proof, or does not believe it.
    pub fn hear(&self, bulletin: Signed<Bulletin>, source: Source, now: Timestamp) -> Decision<Worth> {
        let mut draft = Draft::at(self, now);
        let body = bulletin.unverified();
        if body.number == 0 || !genuine(&bulletin, self.keys()) {
            return Decision::reply(Worth::False);
        }
        if let Some(known) = self.heard.recent.get(&body.number) {
            if known.digest() == bulletin.digest() {
                return Decision::reply(Worth::Known);
            }
            self.fault(&mut draft, FaultKind::TwoOfOneNumber, known.to_bytes(), &bulletin);
            return Decision::new(draft, Worth::Proof);
        }
        let Some(last) = self.heard.recent.values().next_back() else {
            self.take_bulletin(&mut draft, bulletin);
            return Decision::new(draft, Worth::Taken);
        };
        let newest = last.unverified();
        if body.number < newest.number {
            return Decision::reply(Worth::Known);
        }
        let follows = body.number == newest.number + 1;
        let fits = follows && body.prev == last.digest();
        if !fits && source == Source::Pushed {
            if follows {
                self.fault(&mut draft, FaultKind::BrokenChain, last.to_bytes(), &bulletin);
            }
            return Decision::new(draft, Worth::Gap);
        }
        if follows && !fits {
            self.fault(&mut draft, FaultKind::BrokenChain, last.to_bytes(), &bulletin);
        } else if !follows && body.number - newest.number <= LEFT_OUT_MAX {
            self.fault(&mut draft, FaultKind::LeftOut, last.to_bytes(), &bulletin);
        }
        if body.journal < newest.journal || body.lines < newest.lines || body.at < newest.at {
            self.fault(&mut draft, FaultKind::Backwards, last.to_bytes(), &bulletin);
        }
        self.take_bulletin(&mut draft, bulletin);
        Decision::new(draft, Worth::Taken)
    }

    /// The bank was asked for what comes after our newest, and showed this as its newest: it has forgotten ours.
    pub fn bank_is_behind(&self, shown: Signed<Bulletin>, now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        if let Some(last) = self.heard.recent.values().next_back()
            && shown.unverified().number < last.unverified().number
            && genuine(&shown, self.keys())
        {
            self.fault(&mut draft, FaultKind::Behind, last.to_bytes(), &shown);
        }
        Decision::new(draft, ())
    }

    fn take_bulletin(&self, draft: &mut Draft, bulletin: Signed<Bulletin>) {
        let body = bulletin.unverified();
        if let Some(account) = self.account()
            && account.letter > body.journal
            && account.at < body.at
        {
            self.fault(draft, FaultKind::BehindLetter, account.letter.to_be_bytes().to_vec(), &bulletin);
        }
        draft.put(Change::Bulletin(bulletin));
    }

    /// Once for each: what is found again each hour is told once. A bank that makes up one after the other fills no disk.
    fn fault(&self, draft: &mut Draft, kind: FaultKind, first: Vec<u8>, second: &Signed<Bulletin>) {
        let number = second.unverified().number;
        if self.heard.faults.contains_key(&(kind, number)) {
            return;
        }
        let mut of_this_kind = self.heard.faults().filter(|fault| fault.kind == kind);
        if let Some(first) = of_this_kind.clone().next()
            && of_this_kind.nth(FAULTS_OF_A_KIND - 1).is_some()
        {
            let more = first.more.saturating_add(1);
            draft.put(Change::BankFault(BankFault { more, ..first.clone() }));
            return;
        }
        draft.event(Happening::BankFault { kind: kind.word().to_owned(), number });
        draft.put(Change::BankFault(BankFault {
            kind,
            number,
            found: draft.now(),
            first,
            second: second.to_bytes(),
            more: 0,
        }));
    }
}
