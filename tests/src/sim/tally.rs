//! What happened: a simulation whose rare events never occur proves nothing.

use serde::Serialize;
use std::collections::BTreeMap;

/// Counted events by name.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Tally(BTreeMap<&'static str, u64>);

/// What must have happened in a long run with today's rules.
pub const EXPECTED: &[&str] = &[
    "answer-clash",
    "answer-declined",
    "answer-deposited",
    "answer-error",
    "answer-reissued",
    "answer-withdrawn",
    "bank-crashed",
    "bulletin-read",
    "came-home",
    "case-walked-up",
    "certified",
    "charged",
    "claim-dismissed",
    "claim-filed",
    "claim-judged",
    "clock-doubted",
    "codes-used-up",
    "confirmed",
    "contested",
    "copied",
    "crashed",
    "day-closed",
    "day-passed",
    "deposited",
    "disk-died",
    "done-passed",
    "double-spent",
    "false-receipt",
    "fork-seen",
    "guarantee-paid",
    "hand-over-refused",
    "handed-over",
    "hold-came-back",
    "hold-coded",
    "hold-confirmed",
    "hold-dated",
    "hold-disputed",
    "hold-made",
    "hold-partly-refunded",
    "hold-refunded",
    "hold-split",
    "in-vault",
    "kept-and-refused",
    "lease-ended",
    "leased",
    "long-chain",
    "lost",
    "mail-collected",
    "mail-cut",
    "mail-lost",
    "mail-overtaken",
    "mail-repeated",
    "mail-replayed",
    "mail-wanted-back",
    "meddling-refused",
    "not-done-bank-refused",
    "not-done-reclaimed",
    "not-done-taken-back",
    "order-closed",
    "order-declined",
    "order-late",
    "order-not-held",
    "order-refused",
    "owned",
    "paid-by-copy",
    "passed",
    "quarantined",
    "received",
    "reclaim-asked",
    "reclaim-closed",
    "reclaim-contested",
    "reclaim-filed",
    "reclaimed",
    "recovered",
    "redeemed-by-hand",
    "refund-begun",
    "refund-made",
    "refused-and-taken",
    "refused-expired",
    "refused-fork",
    "refused-need-certified",
    "refused-suspended",
    "reinstated",
    "rent-paid",
    "rent-partly-paid",
    "restored",
    "restored-exactly",
    "returned",
    "rolled-back",
    "sale-paid",
    "sent",
    "shop-not-heard",
    "shop-said-again",
    "suspended",
    "swallowed",
    "sweep-again",
    "sweep-declined",
    "sweep-misnumbered",
    "sweep-number-used",
    "sweep-of-leased",
    "swept",
    "till-died",
    "till-misnumbered",
    "till-swept",
    "twinned",
    "withdrawn",
    "worlds-on-disk",
    "worlds-with-evil",
    "worlds-with-shops",
    "wrong-code",
];

impl Tally {
    /// Once more.
    pub fn count(&mut self, event: &'static str) {
        self.add(event, 1);
    }

    /// So many more.
    pub fn add(&mut self, event: &'static str, times: u64) {
        *self.0.entry(event).or_default() += times;
    }

    /// How often.
    pub fn of(&self, event: &str) -> u64 {
        self.0.get(event).copied().unwrap_or(0)
    }

    /// Both together.
    pub fn merge(&mut self, other: &Tally) {
        other.0.iter().for_each(|(event, times)| self.add(event, *times));
    }

    /// What was expected and never happened.
    pub fn missing(&self) -> Vec<&'static str> {
        EXPECTED.iter().filter(|event| self.of(event) == 0).copied().collect()
    }

    /// All of it, for people.
    pub fn table(&self) -> String {
        let lines = self.0.iter().map(|(event, times)| format!("{times:>12}  {event}"));
        lines.collect::<Vec<_>>().join("\n")
    }
}
