//! People's wealth as the simulation keeps it: from the lines of their histories, and who has accepted what.

use super::{Holds, Truth, broken};
use crate::sim::tally::Tally;
use crate::world::{Person, Who, World};
use bank_node::ledger::EntryKind;
use daemon::store::{Page, Store};
use daemon::wallet::history::{Entry, Movement};
use daemon::wallet::paying::{PaymentOutcome, State};
use protocol::id::{Key, PaymentId, RequestId};
use protocol::range::Range;
use std::collections::HashMap;

/// A payment that a payee has accepted.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    pub(super) payee: usize,
    pub(super) payer: Key,
    pub(super) units: u64,
}

/// A payment that has left a reserve and has no outcome that the simulation knows.
#[derive(Clone, Copy, Debug)]
struct Sent {
    units: u64,
    returned: u64,
    payee: Key,
}

/// Somebody's wealth.
#[derive(Clone, Debug, Default)]
pub struct PersonTruth {
    /// Whether he keeps the rules.
    pub honest: bool,
    /// Whether he kept the rules until he used an older copy of his disk: what his keys signed twice is his.
    pub careless: bool,
    /// Whose second workstation it is.
    pub copy_of: Option<usize>,
    /// His account's number.
    pub account: u64,
    /// His owner key.
    pub key: Key,
    pub(super) changes: u64,
    pub(super) notes: u64,
    pub(super) free: Vec<(u64, Range)>,
    /// What the bank has shown him to be lost to somebody evil.
    pub(super) may_lose: u64,
    lines: u64,
    sent: HashMap<[u8; 16], Sent>,
    closed: HashMap<[u8; 16], u64>,
    withdrawn: u64,
    deposited: u64,
    accepted_in: u64,
    accepted_out: u64,
    out_to_evil: u64,
    /// Payments of his that honest payees have accepted: for ever, whatever his machine remembers.
    accepted: HashMap<[u8; 16], u64>,
    /// What he took back or reclaimed, by payment.
    back: HashMap<[u8; 16], u64>,
    /// What he took back or reclaimed in all: nobody can charge him for more.
    took_back: u64,
    /// Payments that came in and that a restored machine knows nothing of.
    missing: HashMap<[u8; 16], u64>,
    /// Units that somebody has accepted from his lost machine and that the new one does not know to be gone.
    forgotten: u64,
    /// Units that his lost machine sent to somebody evil: nobody says what became of them.
    perhaps: u64,
    /// How often his machine was restored.
    pub(super) restored: u64,
    rereading: bool,
    /// What he had when he ceased to be careful: his own, like what was paid in.
    pub(super) own: i128,
    /// Units he lost to evil payers.
    pub lost: u64,
}

impl PersonTruth {
    /// Somebody of whom nothing has been read.
    pub fn new(person: &Person, honest: bool) -> PersonTruth {
        let account = person.wallet().owner().account;
        // The first look reads everything.
        PersonTruth { honest, account, key: person.key(), changes: u64::MAX, ..PersonTruth::default() }
    }

    /// Units that went, or may have gone, to people who keep no rules.
    pub fn to_evil(&self) -> u64 {
        self.out_to_evil
    }

    /// Units he took back or reclaimed.
    pub fn took_back(&self) -> u64 {
        self.took_back
    }

    /// Payments without an outcome.
    pub fn is_waiting(&self) -> bool {
        !self.sent.is_empty()
    }
}

impl Truth {
    /// Reads the new lines of somebody's history.
    pub(super) fn read_history(&mut self, world: &World, who: Who, tally: &mut Tally) -> Holds {
        let person = world.person(who);
        let Some(seen) = self.people.get_mut(who.place()) else { return Ok(()) };
        seen.changes = person.changes;
        let head = person.wallet().history().seq;
        if seen.careless {
            return Ok(());
        }
        let Some(new) = head.checked_sub(seen.lines) else {
            return broken("history", format!("{}'s history went back to line {head}", person.name));
        };
        seen.lines = head;
        if new == 0 {
            return Ok(());
        }
        let page = Page { before: None, limit: usize::try_from(new).unwrap_or(usize::MAX) };
        let Ok(Ok(mut lines)) = person.store().map(|store| store.history(page)) else {
            return broken("history", format!("{}'s history can't be read", person.name));
        };
        lines.reverse();
        for line in &lines {
            tally.count(match line.movement {
                Movement::Withdrawal => "withdrawn",
                Movement::Deposit => "deposited",
                Movement::Sent => "sent",
                Movement::Received => "received",
                Movement::Returned => "returned",
                Movement::Lost => "lost",
                Movement::Reclaimed => "reclaimed",
                Movement::Recovered => "recovered",
                Movement::Charged => "told-of-charge",
                Movement::Passed => "passed",
                Movement::Held => "held",
            });
            self.read_line(world, who, line)?;
        }
        Ok(())
    }

    fn read_line(&mut self, world: &World, who: Who, line: &Entry) -> Holds {
        let units = line.units.get();
        let to_evil = self.place_of(&line.party).is_some_and(|place| !self.is_honest(place));
        let Some(person) = self.people.get_mut(who.place()) else { return Ok(()) };
        let name = &world.person(who).name;
        match line.movement {
            Movement::Withdrawal | Movement::Deposit => {
                let kind = match line.movement {
                    Movement::Withdrawal => EntryKind::Withdraw,
                    _ => EntryKind::Deposit,
                };
                let done = self.bank.done(&RequestId(line.id));
                let reclaimed =
                    kind == EntryKind::Deposit && self.bank.is_reclaim(&RequestId(line.id), person.account);
                if reclaimed {
                    person.took_back += units;
                } else if done != Some((kind, person.account, units)) {
                    let what = format!("{name} has {} {units}, the bank {done:?}", line.movement.word());
                    return broken("moved-at-bank", what);
                }
                match kind {
                    EntryKind::Withdraw => person.withdrawn += units,
                    _ => person.deposited += units,
                }
            }
            Movement::Sent => {
                let sent = Sent { units, returned: 0, payee: line.party };
                if person.sent.insert(line.id, sent).is_some() || person.closed.contains_key(&line.id) {
                    return broken("sent-twice", format!("{name} sent {} twice", PaymentId(line.id)));
                }
                if to_evil {
                    person.out_to_evil += units;
                }
            }
            Movement::Received => return self.received(world, who, line),
            Movement::Returned => match person.sent.get_mut(&line.id) {
                Some(sent) if sent.returned + units <= sent.units => {
                    sent.returned += units;
                    person.took_back += units;
                    *person.back.entry(line.id).or_default() += units;
                    if to_evil {
                        person.out_to_evil = person.out_to_evil.saturating_sub(units);
                    }
                }
                Some(_) => return broken("returned-too-much", format!("{name}, {}", PaymentId(line.id))),
                None if !person.honest => {}
                None => {
                    let what = format!("{} came back to {name}: {line:?}", PaymentId(line.id));
                    return broken("accepted-and-returned", what);
                }
            },
            Movement::Reclaimed => {
                person.deposited += units;
                person.took_back += units;
                *person.back.entry(line.id).or_default() += units;
                if to_evil {
                    person.out_to_evil = person.out_to_evil.saturating_sub(units);
                }
                match (person.sent.get_mut(&line.id), person.closed.get_mut(&line.id)) {
                    (Some(sent), _) if sent.returned + units <= sent.units => sent.returned += units,
                    // His payee has it and came too late: the payer has it back, and owes it.
                    (None, Some(kept)) if units <= *kept => {
                        *kept -= units;
                        person.accepted_out -= units;
                    }
                    _ => return broken("reclaimed-too-much", format!("{name}, {}", PaymentId(line.id))),
                }
            }
            Movement::Recovered | Movement::Charged | Movement::Passed | Movement::Held => {}
            Movement::Lost => {
                person.lost += units;
                if person.honest && person.lost > person.may_lose {
                    let (lost, most) = (person.lost, person.may_lose);
                    let what = format!("{name} lost {lost}, to offenders {most} at most: {line:?}");
                    return broken("honest-loss", what);
                }
            }
        }
        Ok(())
    }

    fn received(&mut self, world: &World, who: Who, line: &Entry) -> Holds {
        let (units, place) = (line.units.get(), who.place());
        let name = &world.person(who).name;
        let payer = self.place_of(&line.party);
        if let Some(person) = self.people.get_mut(place) {
            person.accepted_in += units;
            // A restored machine is paid once more what the lost one had taken.
            if person.missing.remove(&line.id).is_some() || person.rereading {
                return Ok(());
            }
        }
        let Some(payer) = payer else { return broken("stranger", format!("{name} was paid by nobody")) };
        if !self.is_honest(place) {
            return Ok(());
        }
        // Somebody evil may use an id twice, as long as each payee takes it once.
        let id = line.id;
        let twice = self.accepted.insert(id, Accepted { payee: place, payer: line.party, units });
        if let Some(twice) = twice.filter(|twice| self.is_honest(payer) || twice.payee == place) {
            let what = format!("{name} and earlier {twice:?} received {}", PaymentId(id));
            return broken("received-twice", what);
        }
        let Some(payer) = self.people.get_mut(payer).filter(|payer| payer.honest) else { return Ok(()) };
        payer.accepted.insert(id, units);
        let back = payer.back.get(&id).copied().unwrap_or(0);
        match payer.sent.remove(&id) {
            Some(sent) if sent.units == units && sent.returned == back => {
                payer.accepted_out += units - back;
                payer.closed.insert(id, units - back);
                Ok(())
            }
            // Reclaimed, as nobody had answered: now the payer owes it.
            None if back > 0 => Ok(()),
            // His machine was lost with the payment in it.
            None if payer.restored > 0 && !payer.closed.contains_key(&id) => {
                payer.forgotten += units;
                Ok(())
            }
            other => {
                let what = format!("{name} received {units} as {}, sent was {other:?}", PaymentId(id));
                broken("accepted-not-sent", what)
            }
        }
    }

    /// Somebody goes on with an older copy of his disk: what he signs twice from now on is counted apart.
    pub(in crate::sim) fn careless(&mut self, world: &World, who: Who) {
        let Some(seen) = self.people.get_mut(who.place()).filter(|seen| seen.honest) else { return };
        let holdings = world.person(who).wallet().holdings();
        let reserve = holdings.confirmed.get() + holdings.unconfirmed.get() + holdings.at_bank.get();
        let rest = holdings.fenced.get() + holdings.in_doubt.get();
        let has = self.bank.balance(seen.account) + i128::from(reserve + rest);
        (seen.honest, seen.careless) = (false, true);
        seen.own = has - self.bank.paid_in(seen.account);
        let (key, free) = (seen.key, std::mem::take(&mut seen.free));
        for (serial, range) in free {
            self.holders.forget(serial, range, who.place());
        }
        for other in self.people.iter_mut().filter(|other| other.honest) {
            let to_him = other.sent.values().filter(|sent| sent.payee == key);
            other.out_to_evil += to_him.map(|sent| sent.units - sent.returned).sum::<u64>();
        }
    }

    /// Somebody's machine was restored: what it remembers is read anew, and compared with what others have seen.
    pub(in crate::sim) fn restored(&mut self, world: &World, who: Who) -> Holds {
        let Some(before) = self.people.get(who.place()).cloned() else { return Ok(()) };
        if !before.honest {
            return Ok(());
        }
        let fresh = PersonTruth {
            accepted: before.accepted.clone(),
            restored: before.restored + 1,
            rereading: true,
            may_lose: before.may_lose,
            perhaps: before.perhaps,
            notes: 0,
            free: before.free.clone(),
            ..PersonTruth::new(world.person(who), before.honest)
        };
        if let Some(person) = self.people.get_mut(who.place()) {
            *person = fresh;
        }
        self.read_history(world, who, &mut Tally::default())?;
        let evil = |payee: &Key| self.place_of(payee).is_none_or(|place| !self.is_honest(place));
        let perhaps: u64 = before.sent.values().filter(|sent| evil(&sent.payee)).map(|sent| sent.units).sum();
        let received = self.accepted_by(who.place());
        let Some(person) = self.people.get_mut(who.place()) else { return Ok(()) };
        person.rereading = false;
        person.perhaps += perhaps + before.out_to_evil;
        for (id, units) in person.accepted.clone() {
            match person.sent.remove(&id) {
                Some(sent) => {
                    person.accepted_out += units - sent.returned;
                    person.closed.insert(id, units - sent.returned);
                }
                None if person.back.contains_key(&id) || person.closed.contains_key(&id) => {}
                None => person.forgotten += units,
            }
        }
        let known = world.person(who).store().ok();
        for (id, payer, units) in received {
            let there = known.and_then(|store| store.incoming(&payer, &PaymentId(id)).ok().flatten());
            if there.is_none() {
                person.missing.insert(id, units);
            }
        }
        Ok(())
    }

    /// After somebody's wallet changed.
    pub(super) fn check_person(&mut self, world: &World, who: Who, tally: &mut Tally) -> Holds {
        if !self.is_honest(who.place()) {
            return Ok(());
        }
        let person = world.person(who);
        let holdings = person.wallet().holdings();
        let reserve = holdings.confirmed.get()
            + holdings.unconfirmed.get()
            + holdings.at_bank.get()
            + holdings.fenced.get();
        let told = person.wallet().history().reserve.get();
        if told != reserve {
            let what = format!("{}'s history says {told}, the notes {reserve}", person.name);
            return broken("history-fits-reserve", what);
        }
        if person.gave_a_ticket_twice() {
            return broken("ticket-twice", format!("{} gave a note key to two payers", person.name));
        }
        self.close_payments(world, who, tally)?;
        self.check_wealth(world, who)
    }

    /// Payments of which the wallet says that they have an outcome: it must be the true one.
    fn close_payments(&mut self, world: &World, who: Who, tally: &mut Tally) -> Holds {
        let person = world.person(who);
        let Some(seen) = self.people.get(who.place()) else { return Ok(()) };
        let is_over = |id: &[u8; 16]| person.wallet().open_payment(&PaymentId(*id)).is_none();
        let over: Vec<[u8; 16]> = seen.sent.keys().filter(|id| is_over(id)).copied().collect();
        for id in over {
            let Some(sent) = self.people.get_mut(who.place()).and_then(|seen| seen.sent.remove(&id)) else {
                continue;
            };
            let honest = self.place_of(&sent.payee).is_some_and(|place| self.is_honest(place));
            let id_shown = PaymentId(id);
            let state = world.payment(who, &id_shown).ok().flatten().map(|payment| payment.state);
            let outcome = state.as_ref().map(State::outcome);
            let kept = sent.units - sent.returned;
            let fits = match outcome {
                // Whoever is honest and has it was ticked off when he accepted it.
                Some(PaymentOutcome::Done) => !honest,
                // Part of what somebody evil refused may be redeemed by him.
                Some(PaymentOutcome::NotDone) => kept == 0 || !honest,
                _ => false,
            };
            if !fits {
                let what = format!("{}, {id_shown}: {state:?}, {sent:?}", person.name);
                return broken("outcome", what);
            }
            tally.count(match (&state, kept) {
                (Some(State::Taken(_)), _) => "refused-and-taken",
                (Some(State::Returned(_)), 0) => "not-done-taken-back",
                (Some(State::Returned(_)), _) => "not-done-partly-taken",
                (Some(State::NotDone(_)), _) => "not-done-bank-refused",
                (Some(State::Reclaimed), _) => "not-done-reclaimed",
                (Some(State::Passed), _) => "done-passed",
                _ => "done-evil-payee",
            });
            if let Some(seen) = self.people.get_mut(who.place()) {
                seen.accepted_out += kept;
                seen.closed.insert(id, kept);
            }
        }
        Ok(())
    }

    /// Reserve, in doubt and account are what was paid in, and accepted in less accepted out.
    pub(super) fn check_wealth(&self, world: &World, who: Who) -> Holds {
        let Some(seen) = self.people.get(who.place()).filter(|seen| seen.honest) else { return Ok(()) };
        let person = world.person(who);
        let holdings = person.wallet().holdings();
        let reserve = holdings.confirmed.get()
            + holdings.unconfirmed.get()
            + holdings.at_bank.get()
            + holdings.fenced.get();
        let in_doubt: u64 = seen.sent.values().map(|sent| sent.units - sent.returned).sum();
        // What the bank has done and the wallet has not heard of.
        let (withdrawn, deposited) = self.bank.moved(seen.account);
        let moved = |done: u64, known: u64| i128::from(done) - i128::from(known);
        let unheard = moved(withdrawn, seen.withdrawn) - moved(deposited, seen.deposited);
        let has = self.bank.balance(seen.account) + i128::from(reserve + in_doubt) + unheard;
        let paid = i128::from(seen.accepted_in) - i128::from(seen.accepted_out + seen.lost);
        let (charged, recovered) = self.bank.judged_for(seen.account);
        let cases = i128::from(recovered) - i128::from(charged);
        // A restored machine believes to have what the lost one had paid, and knows nothing of what it had received.
        let (forgotten, missing) =
            (i128::from(seen.forgotten), i128::from(seen.missing.values().sum::<u64>()));
        let due = self.bank.paid_in(seen.account) + paid + cases + missing - forgotten;
        if has > due + forgotten || has < due - i128::from(seen.perhaps) - missing {
            let name = &person.name;
            let what = format!(
                "{name} has {has} (reserve {reserve}, in doubt {in_doubt}, unheard {unheard}), due is {due}: {seen:?}"
            );
            return broken("wealth", what);
        }
        Ok(())
    }

    /// When all is settled: nobody waits, nobody has anything that the other side does not know.
    pub fn check_settled(&self, world: &World, tally: &mut Tally) -> Holds {
        let mut lost_with_machines = 0;
        for who in world.everybody() {
            let Some(seen) = self.people.get(who.place()).filter(|seen| seen.honest) else { continue };
            let person = world.person(who);
            if person.off {
                continue;
            }
            let by_honest = |id: &&[u8; 16]| {
                let payer = self.accepted.get(*id).and_then(|accepted| self.place_of(&accepted.payer));
                // If both machines were lost before the vaults had it, nobody knows of the payment: it never was.
                let knows = |payer: usize| world.payment(Who::at(payer), &PaymentId(**id)).ok().flatten();
                payer.is_some_and(|payer| self.is_honest(payer) && knows(payer).is_some())
            };
            // What a machine had taken and lost before the vault had it, and what its payer could show again too late
            // only (request or note expired in the meantime): nobody else has it. Counted apart, not hidden.
            let lost = seen.missing.iter().filter(|(id, _)| by_honest(id)).map(|(_, units)| units);
            lost_with_machines += lost.sum::<u64>();
            let waiting = person.wallet().open_payments().count() + person.wallet().open_bank_ops().count();
            if waiting > 0 || seen.is_waiting() {
                let open = world.open_things();
                return broken("not-settled", format!("{} waits: {:?} {open:?}", person.name, seen.sent));
            }
            let (withdrawn, deposited) = self.bank.moved(seen.account);
            if (withdrawn, deposited) != (seen.withdrawn, seen.deposited) {
                return broken("not-settled", format!("{} has not heard from the bank", person.name));
            }
        }
        tally.add("lost-with-machine", lost_with_machines);
        Ok(())
    }

    /// When every honest person has cashed in: nobody honest lacks anything but what somebody evil took.
    pub fn check_cashed_in(&self, world: &World) -> Holds {
        let mut honest = 0;
        for who in world.everybody() {
            let Some(seen) = self.people.get(who.place()).filter(|seen| seen.honest) else { continue };
            let (reserve, account) = (world.reserve(who), self.bank.balance(seen.account));
            let told = world.person(who).wallet().account().map(|told| i128::from(told.units.get()));
            if world.person(who).off {
                honest += account + i128::from(reserve);
                continue;
            }
            if reserve != 0 || told.is_some_and(|told| told > self.bank.cash()) {
                return broken("cash-in", format!("{} keeps {reserve}", world.person(who).name));
            }
            honest += account;
        }
        let evil = |seen: &&PersonTruth| !seen.honest && seen.copy_of.is_none();
        let there: i128 = self.people.iter().filter(evil).map(|seen| self.bank.balance(seen.account)).sum();
        let guarantee = self.bank.balance(bank_node::ledger::GUARANTEE.0);
        if honest + there + guarantee + self.bank.outstanding() != self.bank.cash() {
            return broken("cash-in", "accounts and notes are not what was paid in".to_owned());
        }
        Ok(())
    }

    /// Units that honest people lost to evil ones.
    pub fn uninsured(&self) -> u64 {
        let honest = self.people.iter().filter(|person| person.honest);
        let uncovered = |person: &PersonTruth| {
            let (charged, recovered) = self.bank.judged_for(person.account);
            (person.lost + charged.saturating_sub(person.took_back)).saturating_sub(recovered)
        };
        honest.map(uncovered).sum()
    }
}
