//! The bank of a world: the real desk on books in memory, which can die at the n-th write.

use super::chance::Chance;
use super::shelves::Shelves;
use bank_node::desk::activate::Attempts;
use bank_node::desk::counter::{Prepared, Sign, prepare};
use bank_node::desk::office::{Done, Objection, Opening, Operation, Order};
use bank_node::desk::{Desk, Rules};
use bank_node::keys::{Made, MasterKey, WorkingKeys, make_all, replacement};
use bank_node::ledger::books::{Books, View};
use bank_node::ledger::bulletin::DayRoots;
use bank_node::ledger::post::PostView as _;
use bank_node::ledger::{AccountNumber, Audit, CustomerKind, Fault, audit};
use bank_node::store::Ledger;
use bank_node::store::shelf::{Pair, Shelf, ShelfMut, Store, Table};
use protocol::bank::Bulletin;
use protocol::id::Key;
use protocol::key::bank::{Revocation, Usage};
use protocol::money::{Currency, Units};
use protocol::note::Root;
use protocol::range::Range;
use protocol::sign::Signed;
use protocol::time::{Day, Timestamp};
use protocol::wire::{BankAnswer, BankAsk};
use std::cell::{Cell, RefCell};
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

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), Fault> {
        self.fuse.burn()?;
        self.shelf.remove(table, key)
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

/// The key folder, and the master key beside it.
struct Safe {
    master: MasterKey,
    made: Vec<Made>,
    letters: [u8; 32],
    revoked: Vec<Signed<Revocation>>,
}

impl Safe {
    fn working(&self) -> WorkingKeys {
        let keys = WorkingKeys::in_memory(&self.master, &self.made, self.letters);
        let mut keys = keys.expect("all four kinds were made");
        for word in &self.revoked {
            keys.public.revoke(word.clone()).expect("the master key's own word");
        }
        keys
    }
}

/// The bank.
pub struct Bank {
    safe: Rc<RefCell<Safe>>,
    /// What its books lie on.
    pub shelves: Shelves,
    ledger: Ledger<Failing>,
    keys: Rc<WorkingKeys>,
    sign: Sign,
    attempts: Attempts,
    fuse: Fuse,
    now: Cell<Timestamp>,
    deaths: u64,
    /// Deadlines and caps.
    pub rules: Rules,
    /// Whether it doubts its clock: then the calendar waits.
    pub doubts_clock: bool,
}

impl Bank {
    /// A new bank on `now`'s day, with issue keys for so many days.
    pub fn new(now: Timestamp, days: u32, chance: &mut Chance) -> Bank {
        let master = MasterKey::from_secret(chance.bytes());
        let made = make_all(&master, now.day(), days, &mut || chance.bytes());
        let safe = Safe { master, made, letters: chance.bytes(), revoked: Vec::new() };
        let keys = Rc::new(safe.working());
        Bank::on(Shelves::default(), (Rc::new(RefCell::new(safe)), keys), now)
    }

    fn on(shelves: Shelves, (safe, keys): (Rc<RefCell<Safe>>, Rc<WorkingKeys>), now: Timestamp) -> Bank {
        let fuse = Fuse(Arc::new(AtomicU64::new(NEVER)));
        let ledger = Ledger::open(Failing { shelves: shelves.clone(), fuse: fuse.clone() });
        Bank {
            safe,
            ledger: ledger.expect("memory does not fail"),
            shelves,
            keys,
            sign: Sign { name: "Bank of the world".to_owned(), currency: Currency::default() },
            attempts: Attempts::default(),
            fuse,
            now: Cell::new(now),
            deaths: 0,
            rules: Rules::default(),
            doubts_clock: false,
        }
    }

    /// The same bank a second time, with books of its own.
    pub fn copy(&self) -> Bank {
        let keys = (Rc::clone(&self.safe), Rc::clone(&self.keys));
        Bank { rules: self.rules, ..Bank::on(self.shelves.copy(), keys, self.now.get()) }
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

    /// What its clock says.
    pub fn now(&self) -> Timestamp {
        self.now.get()
    }

    /// What is due: reclaims to close, answers that did not come, debts to collect.
    pub fn turn(&mut self) {
        if self.doubts_clock {
            return;
        }
        loop {
            let desk = Desk { keys: &self.keys, now: self.now.get(), rules: self.rules };
            match self.ledger.in_one_commit(|tx| desk.turn(tx)) {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => return self.open_again(),
            }
        }
        if !self.reclaimed().is_empty() {
            self.list_reclaims();
        }
    }

    /// Nothing is closed that no bulletin has listed.
    fn list_reclaims(&mut self) {
        let now = self.now.get();
        let desk = Desk { keys: &self.keys, now, rules: Rules::default() };
        let roots =
            DayRoots::of(&self.ledger.snapshot().expect("memory does not fail"), Day(now.day().0 - 1));
        let roots = roots.expect("memory does not fail");
        if self.ledger.in_one_commit(|tx| desk.state(tx, (roots.day, roots.top()))).is_err() {
            self.open_again();
        }
    }

    /// What bulletins list as reclaimed.
    pub fn reclaimed(&self) -> Vec<protocol::bank::Reclaimed> {
        let view = self.ledger.snapshot().expect("memory does not fail");
        bank_node::desk::reclaim::listed(&view, 64).expect("memory does not fail")
    }

    /// How far somebody's vault goes, as it lies on the shelf.
    pub(super) fn vault_head_of(&self, owner: &Key) -> Vec<(Table, Vec<u8>, Vec<u8>)> {
        let view = self.ledger.snapshot().expect("memory does not fail");
        let account = view.account_of(owner).expect("memory does not fail").expect("he has an account");
        let key = account.number.0.to_be_bytes().to_vec();
        let shelf = self.shelves.read().expect("memory does not fail");
        let head = shelf.get(Table::Vaults, &key).expect("memory does not fail").expect("he has a vault");
        vec![(Table::Vaults, key, head)]
    }

    /// Writes what no rule would write.
    pub(super) fn write_raw(&mut self, rows: Vec<(Table, Vec<u8>, Vec<u8>)>) {
        let written = self
            .shelves
            .write(|shelf| rows.iter().try_for_each(|(table, key, value)| shelf.put(*table, key, value)));
        written.expect("memory does not fail");
    }

    /// How often it has died.
    pub fn deaths(&self) -> u64 {
        self.deaths
    }

    fn open_again(&mut self) {
        self.deaths += 1;
        let (deaths, shelves, rules) = (self.deaths, self.shelves.clone(), self.rules);
        let keys = (Rc::clone(&self.safe), Rc::clone(&self.keys));
        let doubts_clock = self.doubts_clock;
        *self = Bank { deaths, rules, doubts_clock, ..Bank::on(shelves, keys, self.now.get()) };
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
        let desk = Desk { keys: &self.keys, now: self.now.get(), rules: self.rules };
        match prepare(desk, &self.sign, &self.ledger.snapshot()?, ask)? {
            Prepared::Answer(answer) => Ok(*answer),
            Prepared::Work(work) => {
                self.ledger.in_one_commit(|tx| work.perform(desk, tx, &mut self.attempts))
            }
        }
    }

    /// Generation and sequence of an owner's newest identity record.
    pub(super) fn identity(&self, owner: &Key) -> (u32, u64) {
        let view = self.ledger.snapshot().expect("memory does not fail");
        let account = view.account_of(owner).expect("memory does not fail").expect("he has an account");
        account.member.identity
    }

    /// Whether something lies in an owner's mailbox.
    pub fn has_mail(&self, owner: &Key) -> bool {
        let view = self.ledger.snapshot().expect("memory does not fail");
        let account = view.account_of(owner).expect("memory does not fail");
        account.is_some_and(|account| {
            !view.mail_after(account.number, 0, 1).expect("memory does not fail").is_empty()
        })
    }

    /// What the calendar does with mail whose time is over.
    pub fn sweep_post(&self) {
        self.mend();
        let desk = Desk { keys: &self.keys, now: self.now.get(), rules: self.rules };
        self.ledger.in_one_commit(|tx| desk.sweep_post(tx)).expect("nobody lets the bank fail at sweeping");
    }

    /// Carries out an operator's order.
    pub fn order(&self, operation: Operation) -> Result<Done, Objection> {
        self.mend();
        let desk = Desk { keys: &self.keys, now: self.now.get(), rules: self.rules };
        let order = Order { key: None, operation };
        self.ledger.in_one_commit(|tx| desk.order(tx, &order)).expect("nobody lets the bank fail at orders")
    }

    /// Opens an account with a first balance.
    pub fn open(&self, name: &str, balance: Units, offline_limit: Units) -> Done {
        let opening = Opening { kind: CustomerKind::Resident, name: name.to_owned(), balance, offline_limit };
        self.order(Operation::Open(opening)).expect("a good opening")
    }

    /// Opens a shop's account, with nothing in it.
    pub fn open_shop(&self, name: &str) -> Done {
        let offline_limit = Units::new(200).expect("a small number");
        let opening =
            Opening { kind: CustomerKind::Shop, name: name.to_owned(), balance: Units::ZERO, offline_limit };
        self.order(Operation::Open(opening)).expect("a good opening")
    }

    /// Makes the next bulletin.
    pub fn bulletin(&self) -> Signed<Bulletin> {
        self.mend();
        let now = self.now.get();
        let desk = Desk { keys: &self.keys, now, rules: self.rules };
        let day = Day(now.day().0 - 1);
        let roots = DayRoots::of(&self.ledger.snapshot().expect("memory does not fail"), day);
        let roots = (day, roots.expect("memory does not fail").top());
        let made = self.ledger.in_one_commit(|tx| desk.state(tx, roots));
        made.expect("nobody lets the bank fail at bulletins").expect("a bulletin key for each day")
    }

    /// The master key revokes a key, and another one takes its place; certificates are renewed where that is due.
    pub fn revoke(&mut self, usage: Usage, key: Key, chance: &mut Chance) -> Signed<Revocation> {
        let today = self.now.get().day();
        let epoch = self.keys.next_epoch(today).filter(|_| usage == Usage::Issue).unwrap_or(0);
        let word = {
            let mut safe = self.safe.borrow_mut();
            let made = replacement(&safe.master, usage, epoch, today, &mut || chance.bytes());
            let word = safe.master.revoke(usage, key, today);
            safe.made.push(made);
            safe.revoked.push(word.clone());
            word
        };
        self.keys = Rc::new(self.safe.borrow().working());
        let desk = Desk { keys: &self.keys, now: self.now.get(), rules: self.rules };
        let mut next = Some(AccountNumber(0));
        while let Some(after) = next {
            let renewed = self.ledger.in_one_commit(|tx| desk.renew_certificates(tx, after));
            next = renewed.expect("nobody lets the bank fail at this");
        }
        word
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
