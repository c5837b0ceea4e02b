//! What must be true of a world, whatever happened in it.

use super::{Who, World};
use daemon::store::{Page, Store};
use daemon::wallet::history::{Entry, Movement};
use daemon::wallet::paying::{PaymentOutcome, State};
use protocol::id::{Digest, PaymentId};
use protocol::range::Range;
use std::collections::BTreeMap;

impl World {
    /// What somebody's reserve holds: free, and on its way to the bank.
    pub fn reserve(&self, who: Who) -> u64 {
        let holdings = self.person(who).wallet().holdings();
        holdings.confirmed.get() + holdings.unconfirmed.get() + holdings.at_bank.get() + holdings.fenced.get()
    }

    /// What somebody's account holds.
    pub fn account(&self, who: Who) -> u64 {
        self.bank.balance(&self.person(who).key()).get()
    }

    /// Somebody's history, oldest first.
    pub fn history(&self, who: Who) -> Vec<Entry> {
        let page = Page { before: None, limit: usize::MAX };
        let mut lines = self.person(who).store().expect("he is up").history(page).expect("the disk works");
        lines.reverse();
        lines
    }

    /// The state of a payment that went out.
    pub fn state(&self, who: Who, id: &PaymentId) -> State {
        self.payment(who, id).expect("he is up").expect("it is on record").state
    }

    /// What is still open, for a failing test to show.
    pub fn open_things(&self) -> Vec<String> {
        let mut open = Vec::new();
        for who in self.everybody() {
            let person = self.person(who);
            let payments = person.wallet().open_payments();
            open.extend(payments.map(|p| format!("{}: payment {} {:?}", person.name, p.id, p.state)));
            let ops = person.wallet().open_bank_ops();
            open.extend(ops.map(|op| format!("{}: {:?} {:?}", person.name, op.what, op.state)));
        }
        open
    }

    /// True after every step: each history fits its reserve, no unit is free twice, and what is free is owed.
    pub fn check_step(&self) {
        let mut free: BTreeMap<Digest, Vec<(Range, &str)>> = BTreeMap::new();
        for who in self.everybody() {
            let person = self.person(who);
            if person.is_down() {
                continue;
            }
            let name = person.name.as_str();
            assert_eq!(
                person.wallet().history().reserve.get(),
                self.reserve(who),
                "{name}'s history does not fit the reserve"
            );
            assert!(!person.given_twice, "{name} has given a ticket to two payers");
            for own in person.wallet().notes() {
                let ranges = free.entry(own.note.root.digest()).or_default();
                for range in own.free.iter() {
                    let other = ranges.iter().find(|(other, _)| other.overlaps(range));
                    assert_eq!(other, None, "{name} and another hold {range} of one root");
                    ranges.push((range, name));
                    assert!(
                        self.bank.owes(&own.note.root, range),
                        "{name} holds {range}, which the bank does not owe any more"
                    );
                }
            }
        }
    }

    /// True when all is settled: nothing is open, both sides agree on every payment, and no unit is lost or doubled.
    pub fn check_settled(&self) {
        assert_eq!(self.open_things(), Vec::<String>::new(), "something is still open");
        self.check_step();
        let audit = self.bank.audit();
        assert!(audit.ok, "{:?}", audit.findings);
        let mut sum = 0;
        for who in self.everybody() {
            self.check_history(who);
            sum += self.reserve(who) + self.account(who);
            assert_eq!(self.person(who).wallet().holdings().in_doubt.get(), 0);
        }
        assert_eq!(sum, self.paid_in, "units were lost or made");
        self.check_both_sides();
    }

    /// The history is whole, and its head on disk is the one in memory.
    pub fn check_history(&self, who: Who) {
        let person = self.person(who);
        let head = person.store().expect("he is up").check_history().expect("the disk works");
        assert_eq!(head.as_ref(), Ok(person.wallet().history()), "{}'s history", person.name);
    }

    /// Every payment has one outcome, the same on both sides.
    fn check_both_sides(&self) {
        let mut received: BTreeMap<[u8; 16], (Who, u64)> = BTreeMap::new();
        for who in self.everybody() {
            for line in self.history(who).iter().filter(|line| line.movement == Movement::Received) {
                let twice = received.insert(line.id, (who, line.units.get()));
                assert_eq!(twice, None, "a payment was received twice");
            }
        }
        for payer in self.everybody() {
            let lines = self.history(payer);
            for sent in lines.iter().filter(|line| line.movement == Movement::Sent) {
                let id = PaymentId(sent.id);
                let state = self.state(payer, &id);
                let taken = received.remove(&sent.id).map(|(_, units)| units);
                let came = |movement| matches!(movement, Movement::Returned | Movement::Reclaimed);
                let back = lines.iter().filter(|l| came(l.movement) && l.id == sent.id);
                let back: u64 = back.map(|line| line.units.get()).sum();
                match state.outcome() {
                    PaymentOutcome::Done => {
                        assert_eq!(taken, Some(sent.units.get()), "{state:?} at the payer, {id}");
                        let told = self.payment(payer, &id).expect("he is up").expect("it is on record").back;
                        assert_eq!(back, told.get(), "what came back of a payment that is done");
                    }
                    PaymentOutcome::NotDone => {
                        assert_eq!(taken, None, "{state:?} at the payer, received at the payee, {id}");
                        assert_eq!(back, sent.units.get(), "what was not done came back whole");
                    }
                    PaymentOutcome::Asking | PaymentOutcome::InDoubt => panic!("{state:?} is no outcome"),
                }
            }
        }
        assert!(received.is_empty(), "somebody received what nobody sent: {received:?}");
    }

    /// Everybody takes everything to the bank: each unit that a reserve shows is worth one on an account.
    pub fn cash_in(&mut self) {
        for who in self.everybody() {
            self.person_mut(who).locked = false;
        }
        self.settles();
        for who in self.everybody() {
            // Scattered reserves are merged first, as a person would do it.
            for _ in 0..8 {
                let free = self.person(who).wallet().free().get();
                if free == 0 {
                    break;
                }
                if self.deposit(who, free).is_err() {
                    let note = self.person(who).wallet().notes().map(|n| n.free.units().get()).max();
                    self.deposit(who, note.unwrap_or(free)).expect("one note fits a request");
                }
                self.settles();
            }
            assert_eq!(self.reserve(who), 0, "{} could not deposit everything", self.person(who).name);
        }
        self.check_settled();
    }
}
