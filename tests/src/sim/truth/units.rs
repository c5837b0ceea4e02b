//! Units in wallets: none is free twice, and what is free is owed; or somebody evil has signed twice.

use super::{Holds, Truth, broken};
use crate::world::{Who, World};
use bank_node::ledger::books::View;
use daemon::wallet::reserve::OwnNote;
use protocol::id::{Key, RequestId};
use protocol::note::{Destination, Note, NoteTable};
use protocol::range::{Range, RangeSet};
use protocol::wire::{BankAnswer, Item, ReclaimFate};
use std::collections::BTreeMap;

/// Who believes which units to be his.
#[derive(Default)]
pub struct Holders(BTreeMap<u64, Vec<(Range, usize)>>);

impl Holders {
    /// He is not asked any more.
    pub(super) fn forget(&mut self, serial: u64, range: Range, place: usize) {
        if let Some(holders) = self.0.get_mut(&serial) {
            holders.retain(|held| *held != (range, place));
        }
    }
}

/// The key that signed twice where two chains over the same units part; none where one goes on from the other.
pub fn parting(one: &Note, other: &Note) -> Option<Key> {
    let parts = one.links.iter().zip(&other.links).position(|(a, b)| a.unverified() != b.unverified())?;
    let before = parts.checked_sub(1).and_then(|at| one.links.get(at));
    match before.map(|link| link.unverified().to) {
        None => Some(one.root.unverified().to),
        Some(Destination::Key(key)) => Some(key),
        Some(Destination::Redeem(_) | Destination::Reclaim(_)) => None,
    }
}

fn serial(note: &Note) -> u64 {
    note.root.unverified().serial
}

impl Truth {
    /// Whose key two chains part at, for a failure to show: the owner's place, if his key is known.
    fn parted(&self, one: &Note, other: &Note) -> (Option<usize>, usize, usize) {
        let key = parting(one, other);
        (key.and_then(|key| self.owners.get(&key).copied()), one.links.len(), other.links.len())
    }

    /// Who is to blame that two chains over the same units part: the one whose key signed twice. Somebody who keeps
    /// the rules signs twice only to take back what his payee refused; then it is the payee, who handed it on.
    fn evil_at(&self, one: &Note, other: &Note) -> Option<usize> {
        if let Some(owner) = self.evil_owner(&parting(one, other)?) {
            return Some(owner);
        }
        let at = one.links.iter().zip(&other.links).position(|(a, b)| a.unverified() != b.unverified())?;
        let to = |note: &Note| note.links.get(at).map(|link| link.unverified().to);
        match (to(one), to(other)) {
            (Some(Destination::Key(payee)), Some(Destination::Redeem(_)))
            | (Some(Destination::Redeem(_)), Some(Destination::Key(payee))) => self.evil_owner(&payee),
            _ => None,
        }
    }

    /// Whether two chains part because somebody has reclaimed what his payee has after all: a debt, no offence.
    fn reclaimed_at(&self, one: &Note, other: &Note) -> bool {
        let at = one.links.iter().zip(&other.links).position(|(a, b)| a.unverified() != b.unverified());
        let is_reclaim = |note: &Note| {
            let to = at.and_then(|at| note.links.get(at)).map(|link| link.unverified().to);
            matches!(to, Some(Destination::Reclaim(_)))
        };
        is_reclaim(one) || is_reclaim(other)
    }

    fn evil_owner(&self, key: &Key) -> Option<usize> {
        let owner = self.owners.get(key).filter(|owner| !self.is_honest(**owner))?;
        Some(self.root_of(*owner))
    }

    /// After somebody's wallet changed: which units are free that were not.
    pub(super) fn read_units(&mut self, world: &World, who: Who) -> Vec<(u64, Range)> {
        let place = who.place();
        let wallet = world.person(who).wallet();
        let Some(person) = self.people.get_mut(place) else { return Vec::new() };
        let mut free = Vec::new();
        for own in wallet.notes() {
            if person.notes < own.number
                && let Ok(holding) = own.note.holding()
                && let Destination::Key(key) = holding.to
            {
                self.owners.insert(key, place);
            }
            if wallet.fence().is_some_and(|fence| fence.holds(own)) {
                continue;
            }
            free.extend(own.free.iter().map(|range| (serial(&own.note), range)));
        }
        person.notes = wallet.notes().map(|own| own.number).max().unwrap_or(0).max(person.notes);
        if !person.honest {
            return Vec::new();
        }
        let before = std::mem::replace(&mut person.free, free.clone());
        for (serial, range) in &before {
            if let Some(holders) = self.holders.0.get_mut(serial) {
                holders.retain(|held| *held != (*range, place));
            }
        }
        for (serial, range) in &free {
            self.holders.0.entry(*serial).or_default().push((*range, place));
        }
        free.retain(|units| !before.contains(units));
        free
    }

    /// Units that are free now: nobody else has them free, and the bank owes them.
    pub(super) fn check_units(&self, world: &World, who: Who, fresh: &[(u64, Range)]) -> Holds {
        for (serial, range) in fresh {
            self.check_owed(world, who, *serial, *range)?;
            let holders = self.holders.0.get(serial).into_iter().flatten();
            let mut mine = 0;
            for (held, other) in holders.filter(|(held, _)| held.overlaps(*range)) {
                match *other == who.place() {
                    true => mine += 1,
                    false => self.check_twice(world, who, Who::at(*other), *serial, *held)?,
                }
            }
            if mine > 1 {
                let name = &world.person(who).name;
                return broken("free-twice", format!("{name} holds {range} of root {serial} twice"));
            }
        }
        Ok(())
    }

    /// Somebody's notes in which units may be free.
    fn notes_over(&self, world: &World, who: Who, at: u64, range: Range) -> Vec<Note> {
        let person = world.person(who);
        // A wallet whose disk has just failed is ahead of it, and has promised what its disk has free.
        let held = |own: &OwnNote| person.is_down() && own.held.iter().any(|hold| hold.range.overlaps(range));
        let over = person.wallet().notes().filter(|own| serial(&own.note) == at);
        over.filter(|own| own.free.overlaps(range) || held(own)).map(|own| own.note.clone()).collect()
    }

    fn check_twice(&self, world: &World, one: Who, other: Who, at: u64, range: Range) -> Holds {
        let (mine, his) = (self.notes_over(world, one, at, range), self.notes_over(world, other, at, range));
        let parts = |my: &Note| his.iter().any(|his| self.evil_at(my, his).is_some());
        if one != other && mine.iter().any(parts) {
            return Ok(());
        }
        let why: Vec<_> = mine.iter().zip(&his).map(|(mine, his)| self.parted(mine, his)).collect();
        let (one, other) = (&world.person(one).name, &world.person(other).name);
        broken("free-twice", format!("{one} and {other} both hold {range} of root {at}: {why:?}"))
    }

    fn check_owed(&self, world: &World, who: Who, at: u64, range: Range) -> Holds {
        let Some(gone) = self.bank.redeemed_in(at, range) else { return Ok(()) };
        let winner = world.bank.shelves.redeemed_before(at, gone.end()).ok().flatten();
        let mine = self.notes_over(world, who, at, gone);
        let winner = |my: &Note| winner.as_ref().map(|winner| winner.note(&my.root));
        let parts = |my: &Note| {
            winner(my).is_some_and(|won| self.evil_at(my, &won).is_some() || self.reclaimed_at(my, &won))
        };
        if mine.iter().any(parts) {
            return Ok(());
        }
        let why: Vec<_> = mine.iter().map(|my| winner(my).map(|winner| self.parted(my, &winner))).collect();
        let name = &world.person(who).name;
        broken("free-not-owed", format!("{name} holds {range} of root {at}; {gone} is redeemed: {why:?}"))
    }

    /// After the bank has redeemed something.
    pub(super) fn check_redeemed(&self, world: &World, redeemed: &[(u64, Range)]) -> Holds {
        for (serial, range) in redeemed {
            for (held, place) in self.holders.0.get(serial).into_iter().flatten() {
                if held.overlaps(*range) && !world.person(Who::at(*place)).is_down() {
                    self.check_owed(world, Who::at(*place), *serial, *held)?;
                }
            }
        }
        Ok(())
    }

    /// Before an answer of the bank arrives: which units it shows to be lost, and to whom.
    pub(in crate::sim) fn explain(
        &mut self,
        world: &World,
        who: Who,
        id: &RequestId,
        answer: &BankAnswer,
    ) -> Holds {
        let clash = |(at, item): (usize, &Item)| match item {
            Item::Clash(winners) => Some((at, winners.clone())),
            _ => None,
        };
        let faults: Vec<(usize, NoteTable)> = match answer {
            BankAnswer::Denied(faults) => {
                faults.iter().map(|(at, item)| (usize::from(*at), item)).filter_map(clash).collect()
            }
            BankAnswer::Deposited(items, _) => items.iter().enumerate().filter_map(clash).collect(),
            BankAnswer::Reclaim(state) if state.letter.is_some() => {
                let pieces = state.pieces.iter().enumerate();
                let fates = pieces.flat_map(|(at, pieces)| pieces.iter().map(move |piece| (at, &piece.fate)));
                let clash = |(at, fate): (usize, &ReclaimFate)| match fate {
                    ReclaimFate::Clash(winners) => Some((at, winners.clone())),
                    _ => None,
                };
                fates.filter_map(clash).collect()
            }
            _ => return Ok(()),
        };
        let wallet = world.person(who).wallet();
        if !self.is_honest(who.place()) || world.person(who).is_down() {
            return Ok(());
        }
        let Some(op) = wallet.open_bank_op(id) else { return Ok(()) };
        let mut found: BTreeMap<usize, u64> = BTreeMap::new();
        let mut to_reclaim = 0;
        for (at, winners) in &faults {
            let at = *at;
            let Some(piece) = op.uses.get(at) else { continue };
            let Some(own) = wallet.note(piece.note) else { continue };
            let mut units: BTreeMap<usize, RangeSet> = BTreeMap::new();
            let mut owed = RangeSet::default();
            for winner in winners.clone().unpack().unwrap_or_default() {
                let shared = winner.holding().ok().and_then(|held| held.range.intersection(piece.range));
                let Some(shared) = shared else { continue };
                match self.evil_at(&own.note, &winner) {
                    Some(evil) => units.entry(evil).or_default().insert(shared),
                    None if self.reclaimed_at(&own.note, &winner) => owed.insert(shared),
                    None => {}
                }
            }
            to_reclaim += owed.units().get();
            for (evil, ranges) in units {
                *found.entry(evil).or_default() += ranges.units().get();
            }
        }
        if !self.explained.insert(*id) {
            return Ok(());
        }
        if let Some(person) = self.people.get_mut(who.place()) {
            person.may_lose += to_reclaim;
        }
        for (evil, units) in found {
            let lost = self.lost_to.entry(evil).or_default();
            *lost += units;
            let most = self.signed_by_hand.get(&evil).copied().unwrap_or_default();
            if *lost > most {
                let lost = *lost;
                return broken("uninsured", format!("{lost} lost to an offender who signed {most} by hand"));
            }
            if let Some(person) = self.people.get_mut(who.place()) {
                person.may_lose += units;
            }
        }
        Ok(())
    }
}
