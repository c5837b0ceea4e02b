//! What is true of those whose machines were lost: what was signed away and taken by machines that are gone.
//!
//! A restored machine believes to have what the lost one had paid since its last record in the vault, and knows nothing
//! of what that one had taken. The first it comes to know when it reclaims everything; the second when its payers show
//! it once more. In the end nobody has a unit more or less than what was really paid and taken.

use super::people::PersonTruth;
use super::{Holds, Truth, broken};
use crate::sim::tally::Tally;
use crate::world::{Who, World};
use daemon::store::Store;
use daemon::wallet::history::Entry;
use daemon::wallet::paying::State;
use protocol::id::{Key, PaymentId};
use protocol::note::{Destination, Note};
use protocol::pay::Mode;
use protocol::range::{Range, RangeSet};
use std::collections::BTreeMap;

/// Units of a root.
type Pieces = Vec<(u64, Range)>;

/// A payment that was signed.
#[derive(Clone, Debug)]
struct Signed {
    units: u64,
    payee: Key,
    pieces: Pieces,
    /// How many payments he had signed and taken before.
    after: u64,
}

/// What somebody's machines, all of them, have signed away and taken.
#[derive(Clone, Debug, Default)]
pub struct Moves {
    signed: BTreeMap<[u8; 16], Signed>,
    taken: BTreeMap<[u8; 16], (u64, Pieces)>,
    count: u64,
    /// Payments that a lost machine had signed and the present one knows nothing of.
    forgotten: BTreeMap<[u8; 16], (u64, Key)>,
    /// Payments that came in and that the present machine knows nothing of.
    pub(super) missing: BTreeMap<[u8; 16], u64>,
}

impl Moves {
    pub(super) fn forgets(&mut self, id: [u8; 16], units: u64, payee: Key) {
        self.forgotten.insert(id, (units, payee));
    }

    /// Whether units that a forgotten payment had went through his hands once more: then nobody can say from sums alone
    /// what he should have.
    fn went_round(&self) -> bool {
        let forgotten = || self.forgotten.keys();
        let known = forgotten().all(|id| self.signed.contains_key(id));
        let mut pieces: Vec<((u64, Range), u64)> = Vec::new();
        for signed in forgotten().filter_map(|id| self.signed.get(id)) {
            pieces.extend(signed.pieces.iter().map(|piece| (*piece, signed.after)));
        }
        let overlap = |one: &(u64, Range), other: &(u64, Range)| one.0 == other.0 && one.1.overlaps(other.1);
        let twice = (1..pieces.len()).any(|at| {
            let (before, from) = pieces.split_at(at);
            from.first().is_some_and(|(piece, _)| before.iter().any(|(other, _)| overlap(piece, other)))
        });
        let later = |after: &u64, piece: &(u64, Range)| {
            self.taken
                .values()
                .any(|(taken, have)| taken >= after && have.iter().any(|had| overlap(had, piece)))
        };
        !known || twice || pieces.iter().any(|(piece, after)| later(after, piece))
    }
}

fn pieces_of(notes: &[Note]) -> Pieces {
    let piece = |note: &Note| Some((note.root.unverified().serial, note.holding().ok()?.range));
    notes.iter().filter_map(piece).collect()
}

impl Truth {
    /// Before a line that says what was sent is read.
    pub(super) fn signs_away(&mut self, world: &World, who: Who, line: &Entry) {
        let Some(person) = self.people.get_mut(who.place()) else { return };
        if person.moves.signed.contains_key(&line.id) {
            return;
        }
        let payment = world.payment(who, &PaymentId(line.id)).ok().flatten();
        let order = payment.as_ref().and_then(|payment| payment.order.as_ref());
        let certified = order.is_some_and(|order| order.unverified().mode == Mode::Certified);
        let notes =
            payment.as_ref().and_then(|payment| payment.message.as_ref()?.notes.clone().unpack().ok());
        let payee = line.party;
        // Certified money leaves at the bank, which is asked when the vault has it: no machine forgets that.
        let units = if certified { 0 } else { line.units.get() };
        person.moves.count += 1;
        let after = person.moves.count;
        let pieces = pieces_of(&notes.unwrap_or_default());
        person.moves.signed.insert(line.id, Signed { units, payee, pieces, after });
    }

    /// When somebody says that he has received something.
    pub(super) fn takes(&mut self, world: &World, who: Who, line: &Entry) {
        let wallet = world.person(who).wallet();
        let store = world.person(who).store().ok();
        let incoming =
            store.and_then(|store| store.incoming(&line.party, &PaymentId(line.id)).ok().flatten());
        let notes = incoming.iter().flat_map(|incoming| &incoming.notes);
        let notes: Vec<Note> = notes.filter_map(|number| Some(wallet.note(*number)?.note.clone())).collect();
        let Some(person) = self.people.get_mut(who.place()) else { return };
        person.moves.count += 1;
        person.moves.taken.insert(line.id, (person.moves.count, pieces_of(&notes)));
    }

    /// Somebody's machine was restored: what it remembers is read anew, and compared with what others have seen.
    pub(in crate::sim) fn restored(&mut self, world: &World, who: Who) -> Holds {
        let Some(before) = self.people.get(who.place()).cloned() else { return Ok(()) };
        if !before.honest {
            return Ok(());
        }
        let mut fresh = PersonTruth::new(world.person(who), before.honest);
        fresh.accepted.clone_from(&before.accepted);
        fresh.restored = before.restored + 1;
        fresh.rereading = true;
        fresh.may_lose = before.may_lose;
        fresh.moves.clone_from(&before.moves);
        fresh.free.clone_from(&before.free);
        if let Some(person) = self.people.get_mut(who.place()) {
            *person = fresh;
        }
        self.read_history(world, who, &mut Tally::default())?;
        let received = self.accepted_by(who.place());
        let Some(person) = self.people.get_mut(who.place()) else { return Ok(()) };
        // Its units are read after this step.
        (person.rereading, person.changes) = (false, u64::MAX);
        let forgotten = person.moves.signed.iter().filter(|(id, _)| !person.sent.contains_key(*id));
        let forgotten = forgotten.map(|(id, signed)| (*id, (signed.units, signed.payee)));
        person.moves.forgotten = forgotten.collect();
        for (id, units) in person.accepted.clone() {
            match person.sent.remove(&id) {
                Some(sent) => {
                    person.accepted_out += units - sent.returned;
                    person.closed.insert(id, units - sent.returned);
                }
                None if person.back.contains_key(&id) || person.closed.contains_key(&id) => {}
                None if person.moves.forgotten.contains_key(&id) => {}
                None => {
                    let payee = before.moves.forgotten.get(&id).map(|(_, payee)| *payee);
                    person.moves.forgets(id, units, payee.unwrap_or_default());
                }
            }
        }
        let forgotten: Vec<(u64, Key)> = person.moves.forgotten.values().copied().collect();
        let evil = |payee: &Key| self.place_of(payee).is_none_or(|place| !self.is_honest(place));
        let to_evil: u64 = forgotten.iter().filter(|(_, payee)| evil(payee)).map(|(units, _)| units).sum();
        let Some(person) = self.people.get_mut(who.place()) else { return Ok(()) };
        person.out_to_evil += to_evil;
        let known = world.person(who).store().ok();
        person.moves.missing.clear();
        for (id, payer, units) in received {
            let there = known.and_then(|store| store.incoming(&payer, &PaymentId(id)).ok().flatten());
            if there.is_none() {
                person.moves.missing.insert(id, units);
            }
        }
        Ok(())
    }

    /// The most that a restored machine may come to know to be gone: what honest people have accepted, and what went to
    /// people of whom nobody can say whether they have.
    pub(super) fn forgotten(&self, seen: &PersonTruth) -> u64 {
        let gone = |(id, (units, payee)): (&[u8; 16], &(u64, Key))| {
            let evil = self.place_of(payee).is_none_or(|place| !self.is_honest(place));
            if evil || seen.accepted.contains_key(id) { *units } else { 0 }
        };
        seen.moves.forgotten.iter().map(gone).sum()
    }

    /// When all is settled: what a lost machine had taken is here again, as long as somebody honest knows of it.
    pub(super) fn check_missing(&self, world: &World, who: Who, tally: &mut Tally) -> Holds {
        let Some(seen) = self.people.get(who.place()) else { return Ok(()) };
        for (id, units) in &seen.moves.missing {
            let payer = self.accepted.get(id).and_then(|accepted| self.place_of(&accepted.payer));
            let Some(payer) = payer.filter(|payer| self.is_honest(*payer)).map(Who::at) else {
                tally.add("lost-by-evil-silence", *units);
                continue;
            };
            // If both machines were lost before the vaults had it, nobody knows of the payment: it never was.
            let known = world.payment(payer, &PaymentId(*id)).ok().flatten();
            // What the lost machine had handed on is with others, and the payer may have the rest back.
            let left = seen.moves.not_handed_on(id).saturating_sub(self.came_back(payer, id));
            match known.filter(|payment| payment.order.is_some()) {
                // No receipt came, the payer reclaimed it, and somebody showed that it was handed on.
                Some(payment) if payment.state == State::Passed => {
                    tally.add("lost-without-receipt", left);
                }
                // No receipt had come to the payer, and the new machine knew of nothing.
                Some(_) if left == 0 => tally.add("never-was", *units),
                Some(payment) if !world.person(payer).off => {
                    let (name, state) = (&world.person(who).name, payment.state);
                    let what =
                        format!("{units} of {}, taken by {name}'s lost machine: {state:?}", PaymentId(*id));
                    return broken("lost-with-machine", what);
                }
                Some(_) => {}
                // He had not signed yet, as far as his new machine knows; or it knows of nothing.
                None => tally.add("lost-with-both-machines", *units),
            }
        }
        Ok(())
    }

    fn came_back(&self, payer: Who, id: &[u8; 16]) -> u64 {
        self.people.get(payer.place()).and_then(|payer| payer.back.get(id)).copied().unwrap_or_default()
    }

    /// When all is settled: whoever was restored has come to know exactly what his lost machine had paid.
    pub(super) fn check_restored(&self, world: &World, who: Who, tally: &mut Tally) -> Holds {
        let Some(seen) = self.people.get(who.place()).filter(|seen| seen.restored > 0) else { return Ok(()) };
        let open =
            !seen.moves.missing.is_empty() || seen.lost > 0 || world.person(who).wallet().fence().is_none();
        if open || seen.moves.went_round() {
            tally.count("restored-within-bounds");
            return Ok(());
        }
        let (has, due) = self.has_and_due(world, who, seen);
        let mine = |key: &Key| self.owners.get(key) == Some(&who.place());
        let back: u64 = self.bank.reclaimed_by(mine, seen.moves.forgotten_pieces());
        let gone: u64 = seen.moves.forgotten.values().map(|(units, _)| units).sum();
        if has != due - i128::from(gone - back) {
            let name = &world.person(who).name;
            let what = format!("{name} has {has}, {due} less {gone} and {back} back is due: {seen:?}");
            return broken("wealth-after-restore", what);
        }
        tally.count("restored-exactly");
        Ok(())
    }
}

impl Moves {
    /// Units of all payments that were ever signed.
    pub(super) fn signed_in_all(&self) -> u64 {
        self.signed.values().map(|signed| signed.units).sum()
    }

    /// How many units of a payment that came in no forgotten payment has handed on.
    fn not_handed_on(&self, id: &[u8; 16]) -> u64 {
        let taken = self.taken.get(id).into_iter().flat_map(|(_, pieces)| pieces);
        let gone: Pieces = self.forgotten_pieces().collect();
        let left = taken.map(|(serial, range)| {
            let mut left = RangeSet::from_iter([*range]);
            gone.iter().filter(|(at, _)| at == serial).for_each(|(_, gone)| left.remove(*gone));
            left.units().get()
        });
        left.sum()
    }

    fn forgotten_pieces(&self) -> impl Iterator<Item = (u64, Range)> + '_ {
        let signed = self.forgotten.keys().filter_map(|id| self.signed.get(id));
        signed.flat_map(|signed| signed.pieces.iter().copied())
    }
}

/// The key that signed the last link of a chain.
pub(super) fn last_signer(note: &Note) -> Option<Key> {
    let before = note.links.len().checked_sub(2).and_then(|at| note.links.get(at));
    match before.map(|link| link.unverified().to) {
        None => Some(note.root.unverified().to),
        Some(Destination::Key(key)) => Some(key),
        Some(_) => None,
    }
}
