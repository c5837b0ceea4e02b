//! What a peer may still ask of us: token buckets, points for offences, bans.
//!
//! Pure: time is the number of ticks the event loop has counted.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use libp2p::PeerId;

use super::{Protocol, limits::Limits};

/// Time as the event loop counts it.
pub(super) type Tick = u64;
/// Ticks in a second.
pub(super) const TICKS_PER_SECOND: u64 = 10;
/// One tick.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// A length of time in ticks, at least one.
pub(super) fn ticks(duration: Duration) -> Tick {
    let ticks = duration.as_millis() / TICK.as_millis();
    Tick::try_from(ticks).unwrap_or(Tick::MAX).max(1)
}

/// Tokens that come back at a steady rate up to a limit. Counted in tenths of a token, so that
/// one tick gives back a whole number of them.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    level: u64,
    seen: Tick,
}

/// How fast a bucket fills, and how far.
#[derive(Debug, Clone, Copy)]
struct Flow {
    per_second: u32,
    burst: u32,
}

impl Flow {
    fn full(self) -> u64 {
        u64::from(self.burst) * TICKS_PER_SECOND
    }
}

impl Bucket {
    fn fill(&mut self, flow: Flow, now: Tick) {
        let gained = now.saturating_sub(self.seen).saturating_mul(u64::from(flow.per_second));
        self.level = self.level.saturating_add(gained).min(flow.full());
        self.seen = now;
    }

    fn take(&mut self, flow: Flow, tokens: u32, now: Tick) -> bool {
        self.fill(flow, now);
        match self.level.checked_sub(u64::from(tokens) * TICKS_PER_SECOND) {
            Some(rest) => {
                self.level = rest;
                true
            }
            None => false,
        }
    }
}

/// What is counted for one peer.
#[derive(Debug, Clone)]
struct Account {
    buckets: HashMap<Kind, Bucket>,
    unanswered: HashMap<Protocol, u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Requests(Protocol),
    Records,
    Offences,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Within budget.
    Fine,
    /// Beyond the budget: drop it.
    Drop,
    /// Beyond every patience: disconnect and refuse for a while.
    Ban,
}

/// The accounts of all peers.
#[derive(Debug)]
pub(super) struct Budgets {
    limits: Limits,
    accounts: HashMap<PeerId, Account>,
    bans: HashMap<PeerId, Tick>,
    /// Bans that had to make room for others; to be lifted like those that are over.
    evicted: Vec<PeerId>,
    unanswered: usize,
    /// Peers that are never banned: the nodes this one was told to keep in touch with.
    pinned: HashSet<PeerId>,
}

impl Budgets {
    pub(super) fn new(limits: Limits, pinned: HashSet<PeerId>) -> Self {
        Self {
            limits,
            accounts: HashMap::new(),
            bans: HashMap::new(),
            evicted: Vec::new(),
            unanswered: 0,
            pinned,
        }
    }

    /// A request came in. `Fine` counts it as unanswered until [`Budgets::answered`].
    pub(super) fn request(&mut self, peer: PeerId, protocol: Protocol, now: Tick) -> Verdict {
        if !self.take(peer, Kind::Requests(protocol), 1, now) {
            return self.offence(peer, self.limits.offence_flood, now).max_drop();
        }
        let allowed = self.limits.row(protocol).unanswered_per_peer;
        if self.unanswered >= self.limits.unanswered {
            return Verdict::Drop;
        }
        let waiting = self.account(peer, now).unanswered.entry(protocol).or_default();
        if *waiting >= allowed {
            return Verdict::Drop;
        }
        *waiting += 1;
        self.unanswered += 1;
        Verdict::Fine
    }

    /// A request that was `Fine` has been answered or dropped.
    pub(super) fn answered(&mut self, peer: PeerId, protocol: Protocol) {
        self.unanswered = self.unanswered.saturating_sub(1);
        if let Some(waiting) = self.accounts.get_mut(&peer).and_then(|a| a.unanswered.get_mut(&protocol)) {
            *waiting = waiting.saturating_sub(1);
        }
    }

    /// A peer wants an address record stored.
    pub(super) fn record(&mut self, peer: PeerId, now: Tick) -> Verdict {
        match self.take(peer, Kind::Records, 1, now) {
            true => Verdict::Fine,
            false => self.offence(peer, self.limits.offence_flood, now).max_drop(),
        }
    }

    /// A peer did something wrong.
    pub(super) fn offence(&mut self, peer: PeerId, points: u32, now: Tick) -> Verdict {
        if self.take(peer, Kind::Offences, points, now) || self.pinned.contains(&peer) {
            return Verdict::Fine;
        }
        if self.bans.len() >= self.limits.accounts
            && let Some(first) = self.bans.iter().min_by_key(|(_, until)| **until).map(|(peer, _)| *peer)
        {
            self.bans.remove(&first);
            self.evicted.push(first);
        }
        self.bans.insert(peer, now.saturating_add(ticks(self.limits.ban)));
        Verdict::Ban
    }

    /// Peers whose ban is over or had to go; they are forgotten here.
    pub(super) fn pardoned(&mut self, now: Tick) -> Vec<PeerId> {
        let mut pardoned = std::mem::take(&mut self.evicted);
        pardoned.extend(self.bans.extract_if(|_, until| *until <= now).map(|(peer, _)| peer));
        // A peer may have been banned again since.
        pardoned.retain(|peer| !self.bans.contains_key(peer));
        pardoned
    }

    /// Forgets peers about whom there is nothing to remember.
    pub(super) fn forget_quiet(&mut self, now: Tick) {
        let limits = &self.limits;
        self.accounts.retain(|_, account| !account.is_fresh(limits, now));
    }

    fn take(&mut self, peer: PeerId, kind: Kind, tokens: u32, now: Tick) -> bool {
        let flow = flow(&self.limits, kind);
        let bucket = Bucket { level: flow.full(), seen: now };
        self.account(peer, now).buckets.entry(kind).or_insert(bucket).take(flow, tokens, now)
    }

    fn account(&mut self, peer: PeerId, now: Tick) -> &mut Account {
        if self.accounts.len() >= self.limits.accounts && !self.accounts.contains_key(&peer) {
            self.make_room(now);
        }
        self.accounts
            .entry(peer)
            .or_insert_with(|| Account { buckets: HashMap::new(), unanswered: HashMap::new() })
    }

    /// The table is full: quiet peers go first, then whoever waits for nothing.
    fn make_room(&mut self, now: Tick) {
        self.forget_quiet(now);
        if self.accounts.len() >= self.limits.accounts
            && let Some(peer) = self.accounts.iter().find(|(_, a)| !a.waits()).map(|(peer, _)| *peer)
        {
            self.accounts.remove(&peer);
        }
    }
}

impl Account {
    fn waits(&self) -> bool {
        self.unanswered.values().any(|waiting| *waiting > 0)
    }

    fn is_fresh(&mut self, limits: &Limits, now: Tick) -> bool {
        let full = self.buckets.iter_mut().all(|(kind, bucket)| {
            let flow = flow(limits, *kind);
            bucket.fill(flow, now);
            bucket.level == flow.full()
        });
        full && !self.waits()
    }
}

impl Verdict {
    /// A request beyond the rate is dropped even while its sender keeps some points.
    fn max_drop(self) -> Self {
        if self == Self::Ban { Self::Ban } else { Self::Drop }
    }
}

fn flow(limits: &Limits, kind: Kind) -> Flow {
    match kind {
        Kind::Requests(protocol) => {
            let row = limits.row(protocol);
            Flow { per_second: row.per_second, burst: row.burst }
        }
        Kind::Records => Flow { per_second: limits.records_per_second, burst: limits.records_burst },
        Kind::Offences => Flow { per_second: limits.offence_refund, burst: limits.offence_points },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budgets() -> Budgets {
        let mut limits = Limits::TABLE;
        limits.pay.burst = 3;
        limits.pay.per_second = 1;
        limits.offence_points = 2;
        limits.offence_refund = 1;
        limits.accounts = 4;
        Budgets::new(limits, HashSet::new())
    }

    #[test]
    fn a_peer_has_a_burst_then_a_rate_then_a_ban() {
        let (mut budgets, peer) = (budgets(), PeerId::random());
        for _ in 0..3 {
            assert_eq!(budgets.request(peer, Protocol::Pay, 0), Verdict::Fine);
        }
        assert_eq!(budgets.request(peer, Protocol::Pay, 0), Verdict::Drop);
        assert_eq!(budgets.request(peer, Protocol::Pay, 10), Verdict::Fine, "one comes back each second");
        for _ in 0..2 {
            assert_eq!(budgets.request(peer, Protocol::Pay, 10), Verdict::Drop);
        }
        assert_eq!(budgets.request(peer, Protocol::Pay, 10), Verdict::Ban);
        assert_eq!(budgets.pardoned(10), vec![]);
        assert_eq!(budgets.pardoned(10 + ticks(Limits::TABLE.ban)), vec![peer]);
    }

    #[test]
    fn the_other_peers_and_the_other_protocols_keep_their_budget() {
        let (mut budgets, peer) = (budgets(), PeerId::random());
        while budgets.request(peer, Protocol::Pay, 0) == Verdict::Fine {}
        assert_eq!(budgets.request(peer, Protocol::Bank, 0), Verdict::Fine);
        assert_eq!(budgets.request(PeerId::random(), Protocol::Pay, 0), Verdict::Fine);
    }

    #[test]
    fn requests_without_an_answer_are_bounded() {
        let mut limits = Limits::TABLE;
        limits.pay.unanswered_per_peer = 1;
        let (mut budgets, peer) = (Budgets::new(limits, HashSet::new()), PeerId::random());
        assert_eq!(budgets.request(peer, Protocol::Pay, 0), Verdict::Fine);
        assert_eq!(budgets.request(peer, Protocol::Pay, 0), Verdict::Drop);
        budgets.answered(peer, Protocol::Pay);
        assert_eq!(budgets.request(peer, Protocol::Pay, 0), Verdict::Fine);
    }

    #[test]
    fn a_pinned_peer_is_dropped_but_never_banned() {
        let peer = PeerId::random();
        let mut budgets = Budgets::new(budgets().limits, HashSet::from([peer]));
        assert_eq!(budgets.offence(peer, u32::MAX, 0), Verdict::Fine);
        while budgets.request(peer, Protocol::Pay, 0) == Verdict::Fine {}
        assert_eq!(budgets.request(peer, Protocol::Pay, 0), Verdict::Drop);
    }

    #[test]
    fn a_ban_that_is_forgotten_is_lifted() {
        let mut budgets = budgets();
        let peers: Vec<PeerId> = (0..6).map(|_| PeerId::random()).collect();
        for (peer, now) in peers.iter().zip(0..) {
            assert_eq!(budgets.offence(*peer, 1000, now), Verdict::Ban);
        }
        assert_eq!(budgets.pardoned(6), peers[..2]);
        assert_eq!(budgets.pardoned(6), vec![]);
    }

    #[test]
    fn identities_are_free_so_accounts_are_bounded() {
        let mut budgets = budgets();
        for _ in 0..100 {
            let peer = PeerId::random();
            budgets.request(peer, Protocol::Pay, 0);
            budgets.answered(peer, Protocol::Pay);
        }
        assert!(budgets.accounts.len() <= 4);
        budgets.forget_quiet(1000);
        assert!(budgets.accounts.is_empty());
    }
}
