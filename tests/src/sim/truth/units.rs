//! Units in wallets: none is free twice, and what is free is owed; or somebody evil has signed twice.

use super::{Holds, Truth, broken};
use crate::world::{Who, World};
use bank_node::ledger::books::View;
use protocol::id::{Key, RequestId};
use protocol::note::{Destination, Note};
use protocol::range::{Range, RangeSet};
use protocol::wire::{BankAnswer, Item};
use std::collections::HashMap;

/// Who believes which units to be his.
#[derive(Default)]
pub struct Holders(HashMap<u64, Vec<(Range, usize)>>);

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
    /// Whether two chains part at the key of somebody who keeps no rules.
    fn is_evil_s(&self, one: &Note, other: &Note) -> bool {
        self.evil_at(one, other).is_some()
    }

    /// Whose key two chains part at, for a failure to show: the owner's place, if his key is known.
    fn parted(&self, one: &Note, other: &Note) -> (Option<usize>, usize, usize) {
        let key = parting(one, other);
        (key.and_then(|key| self.owners.get(&key).copied()), one.links.len(), other.links.len())
    }

    /// Who is to blame that two chains over the same units part: the one whose key signed twice. Somebody who keeps
    /// the rules signs twice only to take back what his payee refused; then it is the payee, who handed it on.
    fn evil_at(&self, one: &Note, other: &Note) -> Option<usize> {
        let evil = |key: &Key| self.owners.get(key).filter(|owner| !self.is_honest(**owner));
        if let Some(owner) = evil(&parting(one, other)?) {
            return Some(self.root_of(*owner));
        }
        let at = one.links.iter().zip(&other.links).position(|(a, b)| a.unverified() != b.unverified())?;
        let taken_back = |note: &Note| {
            let to = note.links.get(at).map(|link| link.unverified().to);
            matches!(to, Some(Destination::Redeem(_)))
        };
        let handed_on = |note: &Note| {
            let to = note.links.get(at).map(|link| link.unverified().to);
            let payee = matches!(to, Some(Destination::Key(key)) if evil(&key).is_some());
            payee.then_some(to)
        };
        let payee = match (taken_back(one), taken_back(other)) {
            (false, true) => handed_on(one)?,
            (true, false) => handed_on(other)?,
            _ => None,
        };
        match payee {
            Some(Destination::Key(key)) => evil(&key).map(|owner| self.root_of(*owner)),
            _ => None,
        }
    }

    /// After somebody's wallet changed.
    pub(super) fn check_units(&mut self, world: &World, who: Who) -> Holds {
        let place = who.place();
        let wallet = world.person(who).wallet();
        let mut free = Vec::new();
        for own in wallet.notes() {
            let first = self.people.get(place).is_some_and(|person| person.notes < own.number);
            if first && let Ok(holding) = own.note.holding()
                && let Destination::Key(key) = holding.to
            {
                self.owners.insert(key, place);
            }
            free.extend(own.free.iter().map(|range| (serial(&own.note), range)));
        }
        let Some(person) = self.people.get_mut(place) else { return Ok(()) };
        person.notes = wallet.notes().map(|own| own.number).max().unwrap_or(0).max(person.notes);
        if !person.honest {
            return Ok(());
        }
        let before = std::mem::replace(&mut person.free, free.clone());
        for (serial, range) in &before {
            if let Some(holders) = self.holders.0.get_mut(serial) {
                holders.retain(|held| *held != (*range, place));
            }
        }
        for (serial, range) in free {
            if !before.contains(&(serial, range)) {
                self.check_owed(world, who, serial, range)?;
            }
            let others = self.holders.0.entry(serial).or_default();
            let other = others.iter().find(|(held, _)| held.overlaps(range)).copied();
            others.push((range, place));
            if let Some((held, other)) = other {
                self.check_twice(world, who, Who::at(other), serial, held)?;
            }
        }
        Ok(())
    }

    fn note_over(&self, world: &World, who: Who, at: u64, range: Range) -> Option<Note> {
        let over = || world.person(who).wallet().notes().filter(|own| serial(&own.note) == at);
        let free = over().find(|own| own.free.overlaps(range));
        // A wallet whose disk has just failed is ahead of it, and has promised what its disk has free.
        let held = || over().find(|own| own.held.iter().any(|hold| hold.range.overlaps(range)));
        free.or_else(held).map(|own| own.note.clone())
    }

    fn check_twice(&self, world: &World, one: Who, other: Who, at: u64, range: Range) -> Holds {
        let notes = (self.note_over(world, one, at, range), self.note_over(world, other, at, range));
        if let (Some(mine), Some(his)) = (&notes.0, &notes.1)
            && one != other
            && self.is_evil_s(mine, his)
        {
            return Ok(());
        }
        let why = notes.0.as_ref().zip(notes.1.as_ref()).map(|(mine, his)| self.parted(mine, his));
        let (one, other) = (&world.person(one).name, &world.person(other).name);
        broken("free-twice", format!("{one} and {other} both hold {range} of root {at}: {why:?}"))
    }

    fn check_owed(&self, world: &World, who: Who, at: u64, range: Range) -> Holds {
        let Some(gone) = self.bank.redeemed_in(at, range) else { return Ok(()) };
        if let Some(mine) = self.note_over(world, who, at, gone)
            && let Ok(Some(redeemed)) = world.bank.shelves.redeemed_before(at, gone.end())
            && self.is_evil_s(&mine, &redeemed.note(&mine.root))
        {
            return Ok(());
        }
        let name = &world.person(who).name;
        let mine = self.note_over(world, who, at, gone);
        let winner = world.bank.shelves.redeemed_before(at, gone.end()).ok().flatten();
        let why = mine.zip(winner).map(|(mine, winner)| self.parted(&mine, &winner.note(&mine.root)));
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
        let faults: Vec<(usize, &Item)> = match answer {
            BankAnswer::Denied(faults) => faults.iter().map(|(at, item)| (usize::from(*at), item)).collect(),
            BankAnswer::Deposited(items, _) => items.iter().enumerate().collect(),
            _ => return Ok(()),
        };
        let wallet = world.person(who).wallet();
        if !self.is_honest(who.place()) || world.person(who).is_down() {
            return Ok(());
        }
        let Some(op) = wallet.open_bank_op(id) else { return Ok(()) };
        let mut found: HashMap<usize, u64> = HashMap::new();
        for (at, item) in faults {
            let (Item::Clash(winners), Some(piece)) = (item, op.uses.get(at)) else { continue };
            let Some(own) = wallet.note(piece.note) else { continue };
            let mut units: HashMap<usize, RangeSet> = HashMap::new();
            for winner in winners.clone().unpack().unwrap_or_default() {
                let shared = winner.holding().ok().and_then(|held| held.range.intersection(piece.range));
                if let (Some(shared), Some(evil)) = (shared, self.evil_at(&own.note, &winner)) {
                    units.entry(evil).or_default().insert(shared);
                }
            }
            for (evil, ranges) in units {
                *found.entry(evil).or_default() += ranges.units().get();
            }
        }
        if !self.explained.insert(*id) {
            return Ok(());
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
