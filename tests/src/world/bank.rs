//! The bank of a world: the real desk on books in memory, which can die at the n-th write.

use super::chance::Chance;
use super::shelves::Shelves;
use bank_node::desk::Desk;
use bank_node::desk::activate::Attempts;
use bank_node::desk::counter::{Prepared, Sign, prepare};
use bank_node::desk::office::{Done, Objection, Opening, Operation, Order};
use bank_node::keys::{MasterKey, WorkingKeys, make_all};
use bank_node::ledger::books::{Books, View};
use bank_node::ledger::{Audit, CustomerKind, Fault, audit};
use bank_node::store::Ledger;
use bank_node::store::shelf::{Pair, Shelf, ShelfMut, Store, Table};
use protocol::id::Key;
use protocol::money::{Currency, Units};
use protocol::note::Root;
use protocol::range::Range;
use protocol::sign::Signed;
use protocol::time::Timestamp;
use protocol::wire::{BankAnswer, BankAsk};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// No failure is near.
const NEVER: u64 = u64::MAX;
/// It has failed; everything fails until it is opened again.
const DEAD: u64 = u64::MAX - 1;

/// Burns down with each write.
#[derive(Clone, Debug)]
struct Fuse(Arc<AtomicU64>);

impl Fuse {
    fn burn(&self) -> Result<(), Fault> {
        match self.0.load(Ordering::Relaxed) {
            NEVER => Ok(()),
            0 | DEAD => {
                self.0.store(DEAD, Ordering::Relaxed);
                Err(Fault::Store("the disk is gone".to_owned()))
            }
            left => {
                self.0.store(left - 1, Ordering::Relaxed);
                Ok(())
            }
        }
    }
}

/// A store in memory that fails when its fuse has burnt: at a write, before the commit, or after it.
struct Failing {
    shelves: Shelves,
    fuse: Fuse,
}

struct Draft<'w> {
    shelf: &'w mut dyn ShelfMut,
    fuse: Fuse,
}

impl Shelf for Draft<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.shelf.get(table, key)
    }

    fn before(&self, table: Table, key: &[u8]) -> Result<Option<Pair>, Fault> {
        self.shelf.before(table, key)
    }

    fn from(&self, table: Table, key: &[u8], limit: usize) -> Result<Vec<Pair>, Fault> {
        self.shelf.from(table, key, limit)
    }
}

impl ShelfMut for Draft<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        self.fuse.burn()?;
        self.shelf.put(table, key, value)
    }
}

impl Store for Failing {
    type Reader = Shelves;
    type Writer<'w> = Draft<'w>;

    fn read(&self) -> Result<Self::Reader, Fault> {
        self.shelves.read()
    }

    fn write<T>(&self, work: impl FnOnce(&mut Draft<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let done = self.shelves.write(|shelf| {
            let done = work(&mut Draft { shelf, fuse: self.fuse.clone() })?;
            self.fuse.burn()?;
            Ok(done)
        })?;
        // Durable, and yet nobody hears of it.
        self.fuse.burn()?;
        Ok(done)
    }
}

/// The bank.
pub struct Bank {
    /// What its books lie on.
    pub shelves: Shelves,
    ledger: Ledger<Failing>,
    keys: Rc<WorkingKeys>,
    sign: Sign,
    attempts: Attempts,
    fuse: Fuse,
    now: Cell<Timestamp>,
    deaths: u64,
}

impl Bank {
    /// A new bank on `now`'s day, with issue keys for so many days.
    pub fn new(now: Timestamp, days: u32, chance: &mut Chance) -> Bank {
        let master = MasterKey::from_secret(chance.bytes());
        let made = make_all(&master, now.day(), days, &mut || chance.bytes());
        let keys = WorkingKeys::in_memory(&master, &made, chance.bytes()).expect("all four kinds were made");
        Bank::on(Shelves::default(), Rc::new(keys), now)
    }

    fn on(shelves: Shelves, keys: Rc<WorkingKeys>, now: Timestamp) -> Bank {
        let fuse = Fuse(Arc::new(AtomicU64::new(NEVER)));
        let ledger = Ledger::open(Failing { shelves: shelves.clone(), fuse: fuse.clone() });
        Bank {
            ledger: ledger.expect("memory does not fail"),
            shelves,
            keys,
            sign: Sign { name: "Bank of the world".to_owned(), currency: Currency::default() },
            attempts: Attempts::default(),
            fuse,
            now: Cell::new(now),
            deaths: 0,
        }
    }

    /// The same bank a second time, with books of its own.
    pub fn copy(&self) -> Bank {
        Bank::on(self.shelves.copy(), Rc::clone(&self.keys), self.now.get())
    }

    /// Fails at the write after this many; the next question finds it open again.
    pub fn fail_after(&self, writes: u64) {
        self.fuse.0.store(writes, Ordering::Relaxed);
    }

    /// Will not fail any more.
    pub fn mend(&self) {
        self.fuse.0.store(NEVER, Ordering::Relaxed);
    }

    /// Sets the bank's clock.
    pub fn tell_time(&self, now: Timestamp) {
        self.now.set(now);
    }

    /// How often it has died.
    pub fn deaths(&self) -> u64 {
        self.deaths
    }

    fn open_again(&mut self) {
        self.deaths += 1;
        let (deaths, shelves, keys) = (self.deaths, self.shelves.clone(), Rc::clone(&self.keys));
        *self = Bank { deaths, ..Bank::on(shelves, keys, self.now.get()) };
    }

    /// Answers, or dies over it and is opened again.
    pub fn ask(&mut self, ask: BankAsk) -> Option<BankAnswer> {
        let answer = self.try_ask(ask);
        if answer.is_err() {
            self.open_again();
        }
        answer.ok()
    }

    fn try_ask(&mut self, ask: BankAsk) -> Result<BankAnswer, Fault> {
        let desk = Desk { keys: &self.keys, now: self.now.get() };
        match prepare(desk, &self.sign, &self.ledger.snapshot()?, ask)? {
            Prepared::Answer(answer) => Ok(*answer),
            Prepared::Work(work) => {
                self.ledger.in_one_commit(|tx| work.perform(desk, tx, &mut self.attempts))
            }
        }
    }

    /// Carries out an operator's order.
    pub fn order(&self, operation: Operation) -> Result<Done, Objection> {
        let desk = Desk { keys: &self.keys, now: self.now.get() };
        let order = Order { key: None, operation };
        self.ledger.in_one_commit(|tx| desk.order(tx, &order)).expect("nobody lets the bank fail at orders")
    }

    /// Opens an account with a first balance.
    pub fn open(&self, name: &str, balance: Units, offline_limit: Units) -> Done {
        let opening = Opening { kind: CustomerKind::Resident, name: name.to_owned(), balance, offline_limit };
        self.order(Operation::Open(opening)).expect("a good opening")
    }

    /// The bank's keys.
    pub fn keys(&self) -> &WorkingKeys {
        &self.keys
    }

    /// What an owner's account holds.
    pub fn balance(&self, owner: &Key) -> Units {
        let view = self.ledger.snapshot().expect("memory does not fail");
        view.account_of(owner).expect("memory does not fail").map(|a| a.balance()).unwrap_or_default()
    }

    /// Recomputes every invariant of the books.
    pub fn audit(&self) -> Audit {
        audit(&self.ledger.snapshot().expect("memory does not fail")).expect("the books can be read")
    }

    /// Whether the bank still owes every unit of `range`.
    pub fn owes(&self, root: &Signed<Root>, range: Range) -> bool {
        let view = self.ledger.snapshot().expect("memory does not fail");
        let before = view.redeemed_before(root.unverified().serial, range.end());
        let before = before.expect("memory does not fail");
        before.is_none_or(|redeemed| redeemed.range.end() <= range.start())
    }
}
