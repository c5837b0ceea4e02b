//! People's wealth as the simulation keeps it: from the lines of their histories, and who has accepted what.

use super::restored::Moves;
use super::{Holds, Truth, broken};
use crate::sim::tally::Tally;
use crate::world::{Person, Who, World};
use bank_node::ledger::{DEPOSITS, EntryKind, GUARANTEE, HELD};
use daemon::store::{Page, Store};
use daemon::wallet::change::{Event, Happening};
use daemon::wallet::history::{Entry, Movement};
use daemon::wallet::paying::{PaymentOutcome, State};
use protocol::id::{Key, PaymentId, RequestId};
use protocol::range::Range;
use std::collections::BTreeMap;

/// A payment that a payee has accepted.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    pub(super) payee: usize,
    pub(super) payer: Key,
    pub(super) units: u64,
}

/// A payment that has left a reserve and has no outcome that the simulation knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) units: u64,
    pub(super) returned: u64,
    pub(super) payee: Key,
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
    events: u64,
    pub(super) sent: BTreeMap<[u8; 16], Sent>,
    pub(super) closed: BTreeMap<[u8; 16], u64>,
    withdrawn: u64,
    deposited: u64,
    accepted_in: u64,
    pub(super) accepted_out: u64,
    pub(super) out_to_evil: u64,
    /// Payments of his that honest payees have accepted: for ever, whatever his machine remembers.
    pub(super) accepted: BTreeMap<[u8; 16], u64>,
    /// What he took back or reclaimed, by payment.
    pub(super) back: BTreeMap<[u8; 16], u64>,
    /// What he took back of what was refused, or reclaimed and found to be lost.
    took_back: u64,
    /// What his machines have signed away and taken, and what the present one does not know of it.
    pub(super) moves: Moves,
    /// How often his machine was restored.
    pub(super) restored: u64,
    pub(super) rereading: bool,
    /// What he had when he ceased to be careful: his own, like what was paid in.
    pub(super) own: i128,
    /// What deposits and reclaims had brought him until then.
    pub(super) brought_before: u64,
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

    /// Units that came in and of which his present machine knows nothing.
    pub(super) fn missing(&self) -> u64 {
        self.moves.missing.values().sum()
    }

    /// Payments without an outcome.
    pub fn is_waiting(&self) -> bool {
        !self.sent.is_empty()
    }
}

fn count_forks(events: &[Event]) -> u64 {
    let forks = events.iter().filter(|event| matches!(event.what, Happening::Forked { .. }));
    u64::try_from(forks.count()).unwrap_or(u64::MAX)
}

/// What became of orders, as their buyers' workstations say it.
fn count_orders(events: &[Event], tally: &mut Tally) {
    for event in events {
        if let Happening::Order { state, .. } = &event.what {
            tally.count(match state.as_str() {
                "placing" => "order-placed",
                "holding" => "order-holding",
                "held" => "order-held",
                "disputed" => "order-disputed",
                "closed" => "order-closed",
                "declined" => "order-declined",
                "refused" => "order-refused",
                "not_held" => "order-not-held",
                "late" => "order-late",
                _ => "order-otherwise",
            });
        }
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
        let after = std::mem::replace(&mut seen.events, person.wallet().newest_event());
        if let Some(newer) = seen.events.checked_sub(after).and_then(|newer| usize::try_from(newer).ok()) {
            let told = person.store().ok().and_then(|store| store.events(after, newer).ok());
            let told = told.unwrap_or_default();
            tally.add("fork-seen", count_forks(&told));
            count_orders(&told, tally);
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
        for (at, line) in lines.iter().enumerate() {
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
                Movement::HeldBack => "held_back",
            });
            let after = lines.get(at + 1..).unwrap_or_default();
            self.read_line(world, who, line, after)?;
        }
        Ok(())
    }

    fn read_line(&mut self, world: &World, who: Who, line: &Entry, after: &[Entry]) -> Holds {
        let units = line.units.get();
        let to_evil = self.place_of(&line.party).is_some_and(|place| !self.is_honest(place));
        if line.movement == Movement::Sent {
            self.signs_away(world, who, line);
        }
        let lost_above = after.iter().any(|next| next.movement == Movement::Lost && next.units >= line.units);
        let payee = self.place_of(&line.party).and_then(|place| self.people.get(place));
        // His machine is lost with its answer in it, or he went back to an older disk since. What he loses by it is
        // explained when the bank shows it to him.
        let payee_forgot = payee.is_some_and(|payee| payee.careless || payee.restored > 0);
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
                if !reclaimed && done != Some((kind, person.account, units)) {
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
                // Reclaimed, and lost above his key: his payee has lost them as well, and only one of them claims. Or the
                // payee's machine is lost with the receipt in it, and the new one has said no: it never was.
                None if person.closed.get(&line.id).is_some_and(|kept| units <= *kept)
                    && (lost_above || payee_forgot) =>
                {
                    person.accepted_out -= units;
                    person.took_back += units;
                    *person.back.entry(line.id).or_default() += units;
                    if let Some(kept) = person.closed.get_mut(&line.id) {
                        *kept -= units;
                    }
                }
                None => {
                    let what = format!("{} came back to {name}: {line:?}", PaymentId(line.id));
                    return broken("accepted-and-returned", what);
                }
            },
            Movement::Reclaimed => {
                person.deposited += units;
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
            Movement::Recovered
            | Movement::Charged
            | Movement::Passed
            | Movement::Held
            | Movement::HeldBack => {}
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
            if person.moves.missing.remove(&line.id).is_some() || person.rereading {
                return Ok(());
            }
        }
        self.takes(world, who, line);
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
                payer.moves.forgets(id, units, line.party);
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
        let Some(seen) = self.people.get(who.place()).filter(|seen| seen.honest) else { return };
        let (has, _) = self.has_and_due(world, who, seen);
        // What evil people have of him already stays with them.
        let gone = seen.out_to_evil + self.bank.judged_for(seen.account).0 + seen.missing();
        let own = has - self.put_in(seen) + i128::from(gone);
        let Some(seen) = self.people.get_mut(who.place()) else { return };
        (seen.honest, seen.careless, seen.own) = (false, true, own);
        seen.brought_before = self.bank.moved(seen.account).1;
        let (key, free) = (seen.key, std::mem::take(&mut seen.free));
        for (serial, range) in free {
            self.holders.forget(serial, range, who.place());
        }
        for other in self.people.iter_mut().filter(|other| other.honest) {
            let to_him = other.sent.values().filter(|sent| sent.payee == key);
            other.out_to_evil += to_him.map(|sent| sent.units - sent.returned).sum::<u64>();
        }
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
        // A payee who went down after his receipt had left is heard when he is started again.
        let is_down =
            |payee: &Key| self.place_of(payee).is_some_and(|at| world.person(Who::at(at)).is_down());
        let over = seen.sent.iter().filter(|(id, sent)| is_over(id) && !is_down(&sent.payee));
        let over: Vec<[u8; 16]> = over.map(|(id, _)| *id).collect();
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

    /// What somebody has, known or unheard of, and what was paid in and accepted in less accepted out.
    pub(super) fn has_and_due(&self, world: &World, who: Who, seen: &PersonTruth) -> (i128, i128) {
        let holdings = world.person(who).wallet().holdings();
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
        (has, self.put_in(seen) + paid + cases)
    }

    /// He has what is due; a restored machine believes to have what the lost one had paid, until it knows.
    pub(super) fn check_wealth(&self, world: &World, who: Who) -> Holds {
        let Some(seen) = self.people.get(who.place()).filter(|seen| seen.honest) else { return Ok(()) };
        let (has, due) = self.has_and_due(world, who, seen);
        if has > due || has < due - i128::from(self.forgotten(seen)) {
            let what = format!("{} has {has}, due is {due}: {seen:?}", world.person(who).name);
            return broken("wealth", what);
        }
        Ok(())
    }

    /// When all is settled: nobody waits, nobody has anything that the other side does not know.
    pub fn check_settled(&self, world: &World, tally: &mut Tally) -> Holds {
        for who in world.everybody() {
            let Some(seen) = self.people.get(who.place()).filter(|seen| seen.honest) else { continue };
            let person = world.person(who);
            if person.off {
                continue;
            }
            self.check_missing(world, who, tally)?;
            let waiting = person.wallet().open_payments().count() + person.wallet().open_bank_ops().count();
            if waiting > 0 || seen.is_waiting() {
                let open = world.open_things();
                return broken("not-settled", format!("{} waits: {:?} {open:?}", person.name, seen.sent));
            }
            let (withdrawn, deposited) = self.bank.moved(seen.account);
            if (withdrawn, deposited) != (seen.withdrawn, seen.deposited) {
                return broken("not-settled", format!("{} has not heard from the bank", person.name));
            }
            self.check_restored(world, who, tally)?;
        }
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
        let balance = |account| self.bank.balance(account);
        let kept = balance(GUARANTEE.0) + balance(HELD.0) + balance(DEPOSITS.0);
        let stalls = self.bank.shops.of_stalls(balance);
        if honest + there + kept + stalls + self.bank.outstanding() != self.bank.cash() {
            return broken("cash-in", "accounts and notes are not what was paid in".to_owned());
        }
        // Where everybody keeps the rules nobody else can have them: units that nobody has are lost.
        let missing = self.people.iter().map(PersonTruth::missing).sum::<u64>();
        let left = self.bank.outstanding();
        if self.people.iter().all(|seen| seen.honest) && left > i128::from(missing) {
            let what = format!("{left} units are in nobody's hands, {missing} were lost with two machines");
            return broken("nobodys-units", what);
        }
        Ok(())
    }

    /// What somebody took back or reclaimed in all: nobody can charge him for more.
    pub(super) fn took_back(&self, person: &PersonTruth) -> u64 {
        person.took_back + self.bank.reclaimed_to(person.account)
    }

    /// Units that honest people lost to evil ones.
    pub fn uninsured(&self) -> u64 {
        let honest = self.people.iter().filter(|person| person.honest);
        let uncovered = |person: &PersonTruth| {
            let (charged, recovered) = self.bank.judged_for(person.account);
            (person.lost + charged.saturating_sub(self.took_back(person))).saturating_sub(recovered)
        };
        honest.map(uncovered).sum()
    }
}
