//! What of a wallet goes into the vault, and what a restored wallet may not do (SPEC §4.7, §4.13, threats X6).
//!
//! A restored workstation can't know what the one before it did after its last record: so it **spends nothing that it
//! had**. The fence stands around every note from before; they come back by a reclaim. Whatever comes to keys made
//! after the restore is free.

use super::banking::{Fresh, Operation};
use super::change::{Change, Decision, Draft};
use super::paying::{NotDone, State};
use super::reserve::{OwnNote, Piece};
use super::{OpenKeys, Wallet};
use protocol::bank::VaultHead;
use protocol::id::{RequestId, RootId};
use protocol::money::Units;
use protocol::note::{LINKS_MAX, Relation, Root, VerifiedNote, compare};
use protocol::pay::VerifiedPayment;
use protocol::range::{Range, RangeSet};
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Reclaims of a restored workstation that run at once; the bank takes 20 from one account.
const RECLAIMS_MAX: usize = 16;

/// Whose vault it is: the first thing in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The account's number.
    pub account: u64,
    /// When the account was joined.
    pub joined: Timestamp,
}

/// Whether a change is of use to another machine. Tickets, tokens and what the machine knows of itself are not.
pub fn belongs_in_vault(change: &Change) -> bool {
    match change {
        Change::Note(_)
        | Change::Outgoing(_)
        | Change::Incoming(_)
        | Change::Request(_)
        | Change::BankOp(_)
        | Change::History(_)
        | Change::Event(_)
        | Change::Answered(_)
        | Change::BankKey(_)
        | Change::Letter(_)
        | Change::Account(_)
        | Change::Policy(_)
        | Change::Claim(_)
        | Change::Case(_)
        | Change::Fork(_)
        | Change::Purchase(_) => true,
        Change::Ticket(..)
        | Change::TicketsTaken(_)
        | Change::Stock(_)
        | Change::Token(_)
        | Change::TokenRevoked(_)
        // The bank tells it again; what speaks against the bank is not left with it.
        | Change::Revocation(_)
        | Change::Bulletin(_)
        | Change::BankFault(_)
        | Change::Fence(_)
        | Change::Fenced(_)
        | Change::Quarantine(_)
        | Change::Told(..) => false,
    }
}

/// What a restored workstation may not spend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// When it was restored.
    pub at: Timestamp,
    /// Notes with lower numbers were there before.
    pub below: u64,
    /// Ids of roots that requests from before will bring: the other copy may have had them already.
    pub roots: BTreeSet<RootId>,
    /// Notes that came later to a key from before.
    pub notes: BTreeSet<u64>,
}

impl Fence {
    /// The fence around everything that `wallet` holds and has asked for.
    pub fn around(wallet: &Wallet, at: Timestamp) -> Fence {
        let roots = wallet.open_bank_ops().map(|op| Root::id_of(&op.digest, 0)).collect();
        Fence { at, below: wallet.next_note, roots, notes: BTreeSet::new() }
    }

    /// Whether it stands around this note.
    pub fn holds(&self, note: &OwnNote) -> bool {
        note.number < self.below
            || self.notes.contains(&note.number)
            || self.roots.contains(&note.note.root.unverified().id)
    }
}

/// Ranges of ours whose chains go on where this one ends.
fn longer_ways<'a>(note: &'a VerifiedNote, ours: &'a [OwnNote]) -> impl Iterator<Item = Range> + 'a {
    let seen = ours.iter().filter(move |own| compare(&own.note, note) == Relation::Seen);
    seen.filter_map(|own| own.note.holding().ok().map(|held| held.range))
}

/// Why a workstation neither spends nor takes money until it is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Quarantine {
    /// The wallet's file is not there.
    StoreMissing,
    /// The wallet's file is older than the head file beside it: it was put back from a backup.
    StoreBehind,
    /// The vault has records that this workstation did not write: it was put back from a backup, or a copy of it runs.
    VaultAhead,
    /// Another copy of this workstation has written to the vault.
    VaultForked,
    /// The account was restored on another machine.
    OlderGeneration,
}

impl Quarantine {
    /// Its word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Quarantine::StoreMissing => "store_missing",
            Quarantine::StoreBehind => "store_behind",
            Quarantine::VaultAhead => "vault_ahead",
            Quarantine::VaultForked => "vault_forked",
            Quarantine::OlderGeneration => "older_generation",
        }
    }
}

/// What the bank's head of the vault means to the workstation that writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A place in our own log: what follows it is sent.
    Ours,
    /// Fewer records than the bank had taken: it has lost some, and is given everything again.
    Lost,
    /// Somebody else writes to it.
    Others(Quarantine),
}

impl Place {
    /// What `there` is to a log of which the bank had taken `sent` and that goes to `here`; `known` says whether it is
    /// a place in it.
    pub fn of(there: VaultHead, sent: VaultHead, here: VaultHead, known: bool) -> Place {
        if known {
            Place::Ours
        } else if there.records < sent.records {
            Place::Lost
        } else if there.records > here.records {
            Place::Others(Quarantine::VaultAhead)
        } else {
            Place::Others(Quarantine::VaultForked)
        }
    }
}

impl std::fmt::Display for Quarantine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Quarantine::StoreMissing => "the wallet's file is not there",
            Quarantine::StoreBehind => "the wallet's file is older than it was: it was put back from a backup",
            Quarantine::VaultAhead => {
                "the vault has records that this workstation did not write: it was put back from a backup, or a copy \
                 of it has been running"
            }
            Quarantine::VaultForked => "another copy of this workstation writes to the vault",
            Quarantine::OlderGeneration => "the account was restored on another machine since",
        })
    }
}

impl Wallet {
    /// Whether what is committed goes into the vault.
    pub fn is_vaulted(&self) -> bool {
        self.vaulted
    }

    /// From now on what is committed goes into the vault.
    pub fn keep_vault(&mut self) {
        self.vaulted = true;
    }

    /// The fence, if this workstation was restored.
    pub fn fence(&self) -> Option<&Fence> {
        self.fence.as_ref()
    }

    /// Why this workstation neither spends nor takes money, if so.
    pub fn quarantine(&self) -> Option<Quarantine> {
        self.quarantine
    }

    /// A wallet that was just brought back from the vault: nothing it had is spent, and nobody is asked any more to take
    /// money that the workstation before this one may have paid already.
    pub fn restored(&self, now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        draft.put(Change::Fence(Fence::around(self, now)));
        for payment in self.open_payments().filter(|p| p.state == State::Asking) {
            draft.put_payment(payment.clone(), State::NotDone(NotDone::Restored));
        }
        Decision::new(draft, ())
    }

    /// Marks the workstation as one that must be restored; the first reason stays.
    pub fn put_in_quarantine(&self, why: Quarantine, now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        if self.quarantine.is_none() {
            draft.put(Change::Quarantine(why));
        }
        Decision::new(draft, ())
    }

    /// A payment that the lost machine took and handed on before the vault knew of it: some of its units came home by
    /// another hand since, so that a chain of ours goes on where this one ends. It is ours, and no repetition.
    pub(super) fn went_through_the_lost_machine(&self, theirs: &VerifiedNote, ours: &[OwnNote]) -> bool {
        let tip = theirs.holding().tip;
        self.fence.is_some() && ours.iter().all(|own| own.note.holding().is_ok_and(|held| held.tip != tip))
    }

    /// The units of a note that comes in, without those that are here already: by a longer way, or because the bank has
    /// given back what the lost machine had paid and got again.
    pub(super) fn not_here_already(
        &self,
        payment: &VerifiedPayment,
        note: &VerifiedNote,
        ours: &[OwnNote],
    ) -> RangeSet {
        let mut free = RangeSet::from_iter([note.holding().range]);
        longer_ways(note, ours).for_each(|range| free.remove(range));
        let shorter = ours.iter().filter(|own| self.the_lost_one_had(payment, own));
        for own in shorter.filter(|own| compare(&own.note, note) == Relation::ComesHome) {
            own.redeemed.iter().for_each(|range| free.remove(range));
        }
        free
    }

    /// Whether a payment that a lost machine took may go on from this note: that machine had it, and has paid with it since.
    pub(super) fn the_lost_one_had(&self, payment: &VerifiedPayment, own: &OwnNote) -> bool {
        payment.was_taken_before() && self.is_fenced(own)
    }

    /// A payment that a lost machine took shows that it had handed on units which are still free behind the fence: they
    /// are gone there, and here by the way they came back. Says how many.
    pub(super) fn handed_on_by_the_lost_one(
        &self,
        draft: &mut Draft,
        payment: &VerifiedPayment,
        ours: &[OwnNote],
    ) -> Units {
        let mut handed_on = Vec::new();
        for own in ours.iter().filter(|own| self.the_lost_one_had(payment, own)) {
            let coming = payment.notes().iter().filter(|n| compare(&own.note, n) == Relation::ComesHome);
            let coming: Vec<Range> = coming.map(|note| note.holding().range).collect();
            let mut left = own.clone();
            coming.iter().for_each(|range| left.free.remove(*range));
            let gone = own.free.units().minus(left.free.units()).unwrap_or_default();
            if !gone.is_zero() {
                handed_on.push(gone);
                draft.put(Change::Note(left));
            }
        }
        Units::sum(handed_on).unwrap_or_default()
    }

    /// How many units of a payment are here already by a longer way.
    pub(super) fn here_already(&self, payment: &VerifiedPayment, ours: &[OwnNote]) -> Units {
        let left = payment.notes().iter().map(|note| self.not_here_already(payment, note, ours).units());
        let left = Units::sum(left).unwrap_or_default();
        payment.order().amount.minus(left).unwrap_or_default()
    }

    /// Whether a note may not be spent.
    pub(super) fn is_fenced(&self, note: &OwnNote) -> bool {
        self.fence.as_ref().is_some_and(|fence| fence.holds(note))
    }

    /// Free units behind the fence: they are to be reclaimed.
    pub fn fenced_pieces(&self) -> Vec<Piece> {
        let notes = self.fence.iter().flat_map(|_| self.notes());
        let fenced = notes.filter(|n| self.is_fenced(n) && n.note.links.len() < LINKS_MAX);
        fenced.flat_map(|n| n.free.iter().map(|range| Piece { note: n.number, range })).collect()
    }

    /// How much that is.
    pub fn fenced(&self) -> Units {
        let pieces = self.fenced_pieces();
        Units::sum(pieces.iter().map(|p| p.range.units())).expect("all units of a bank are below 2^53")
    }

    /// Asks for units behind the fence back, as many as one request carries; nothing if there are none, or if so many
    /// requests run that the bank takes no more.
    pub fn reclaim_behind_fence(
        &self,
        keys: &OpenKeys,
        fresh: Fresh,
        now: Timestamp,
    ) -> Option<Decision<RequestId>> {
        let running = self.open_bank_ops().filter(|op| op.what == Operation::Restore).count();
        let pieces = self.fenced_pieces();
        if pieces.is_empty() || running >= RECLAIMS_MAX {
            return None;
        }
        let pieces = self.that_fit_a_message(pieces.into_iter());
        Some(self.reclaim_restored(pieces, keys, fresh, now))
    }
}
