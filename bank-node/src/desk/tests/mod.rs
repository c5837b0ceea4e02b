//! The desk from a customer's side: a bank in memory, and people with keys.

mod claims;
mod coalitions;
pub(crate) mod holds;
mod joining;
mod money;
mod orders;
mod post;
mod queries;
mod reclaims;
pub(crate) mod sweeps;
pub(crate) mod tenure;
mod told;
mod vaults;
mod witness;

use super::counter::{Prepared, Sign, prepare};
use super::office::{Done, Objection, Opening, Operation, Order, Ordered};
use super::standing::Change;
use super::*;
use crate::desk::activate::Attempts;
use crate::keys::{MasterKey, make_all};
use crate::ledger::books::Books;
use crate::ledger::{AccountNumber, Audit, CustomerKind, audit};
use crate::store::shelf::Store;
use crate::store::{Ledger, Memory};
use protocol::bank::{Activation, RedeemKind, Redemption, Withdrawal};
use protocol::body::Body;
use protocol::money::Currency;
use protocol::note::{Destination, Note, NoteTable};
use protocol::range::Range;
use protocol::sign::Signed;
use protocol::wire::{BankAsk, Item};
use std::cell::{Cell, RefCell};

pub(crate) const NOON: Timestamp = Timestamp(20_500 * 86_400 + 43_200);

pub(crate) fn units(units: u64) -> Units {
    Units::new(units).unwrap()
}

pub(crate) fn secret_of(n: u64) -> [u8; 32] {
    *blake3::hash(&n.to_be_bytes()).as_bytes()
}

pub(crate) fn keys_of_a_new_bank(today: protocol::time::Day) -> WorkingKeys {
    let master = MasterKey::from_secret([7; 32]);
    let mut n = 1_000_000;
    let mut chance = || {
        n += 1;
        secret_of(n)
    };
    let made = make_all(&master, today, 31, &mut chance);
    WorkingKeys::in_memory(&master, &made, [9; 32]).unwrap()
}

/// A bank at noon. What is asked is carried out at once, each request in a commit of its own.
pub(crate) struct Bank<S: Store = Memory> {
    pub(crate) ledger: Ledger<S>,
    pub(crate) keys: WorkingKeys,
    pub(crate) now: Cell<Timestamp>,
    pub(crate) rules: Cell<Rules>,
    pub(crate) attempts: RefCell<Attempts>,
    next: Cell<u64>,
}

impl Bank {
    pub(crate) fn new() -> Bank {
        Bank::on(Memory::new())
    }
}

impl<S: Store> Bank<S> {
    pub(crate) fn on(store: S) -> Bank<S> {
        Bank::try_on(store).unwrap()
    }

    pub(crate) fn try_on(store: S) -> Result<Bank<S>, Fault> {
        Ok(Bank {
            ledger: Ledger::open(store)?,
            keys: keys_of_a_new_bank(NOON.day()),
            now: Cell::new(NOON),
            rules: Cell::default(),
            attempts: RefCell::default(),
            next: Cell::new(1),
        })
    }

    pub(crate) fn sign(&self) -> Sign {
        Sign { name: "Banca di prova".to_owned(), currency: Currency::default() }
    }

    pub(crate) fn desk(&self) -> Desk<'_> {
        Desk { keys: &self.keys, now: self.now.get(), rules: self.rules.get() }
    }

    pub(crate) fn try_ask(&self, ask: BankAsk) -> Result<BankAnswer, Fault> {
        let view = self.ledger.snapshot()?;
        match prepare(self.desk(), &self.sign(), &view, ask)? {
            Prepared::Answer(answer) => Ok(*answer),
            Prepared::Work(work) => {
                self.ledger.in_one_commit(|tx| work.perform(self.desk(), tx, &mut self.attempts.borrow_mut()))
            }
        }
    }

    pub(crate) fn ask(&self, ask: BankAsk) -> BankAnswer {
        self.try_ask(ask).unwrap()
    }

    /// The calendar's look at the books.
    pub(crate) fn turn(&self) {
        while self.ledger.in_one_commit(|tx| self.desk().turn(tx)).unwrap() {}
    }

    /// The hourly bulletin.
    pub(crate) fn bulletin(&self) -> protocol::bank::Bulletin {
        let roots = (protocol::time::Day(self.now.get().day().0 - 1), Digest::default());
        let made = self.ledger.in_one_commit(|tx| self.desk().state(tx, roots));
        made.unwrap().unwrap().unverified().clone()
    }

    /// So many seconds later, with a bulletin before and a look at the calendar.
    pub(crate) fn later(&self, seconds: u64) {
        // A bank whose bulletin keys have ended makes none; nothing is closed there.
        let roots = (protocol::time::Day(self.now.get().day().0 - 1), Digest::default());
        self.ledger.in_one_commit(|tx| self.desk().state(tx, roots)).unwrap();
        self.now.set(self.now.get().plus_seconds(seconds));
        self.turn();
    }

    pub(crate) fn order(&self, key: Option<&str>, operation: Operation) -> Result<Done, Objection> {
        self.try_order(key, operation).unwrap()
    }

    pub(crate) fn try_order(&self, key: Option<&str>, operation: Operation) -> Ordered {
        let order = Order { key: key.map(str::to_owned), operation };
        self.ledger.in_one_commit(|tx| self.desk().order(tx, &order))
    }

    pub(crate) fn suspend(&self, account: AccountNumber) {
        self.decide(account, Change::Suspend).unwrap();
    }

    /// What two operators have decided.
    pub(crate) fn decide(&self, account: AccountNumber, change: Change) -> Result<Done, Objection> {
        self.order(None, proposal(account, change, "anna", "case 7"))?;
        self.order(None, Operation::Confirm { account, change, by: "bruno".to_owned() })
    }

    /// A fresh number: names a request or a key.
    pub(crate) fn fresh(&self) -> u64 {
        self.next.set(self.next.get() + 1);
        self.next.get()
    }

    pub(crate) fn request(&self) -> RequestId {
        RequestId(u128::from(self.fresh()).to_be_bytes())
    }

    pub(crate) fn open(&self, name: &str, balance: u64) -> Done {
        let opening = Opening {
            kind: CustomerKind::Resident,
            name: name.to_owned(),
            balance: units(balance),
            offline_limit: units(200),
        };
        self.order(None, Operation::Open(opening)).unwrap()
    }

    /// A customer with an activated account.
    pub(crate) fn customer(&self, name: &str, balance: u64) -> Customer {
        let opened = self.open(name, balance);
        let customer = Customer { owner: self.signer(), account: opened.account };
        let answer = self.ask(self.activation(&customer, opened.letter.unwrap()));
        assert!(matches!(answer, BankAnswer::Activated(..)), "{answer:?}");
        customer
    }

    pub(crate) fn signer(&self) -> Signer {
        Signer::from_secret(&secret_of(self.fresh()))
    }

    pub(crate) fn activation(&self, customer: &Customer, letter: u32) -> BankAsk {
        let code = *self.keys.activation_code(customer.account.0, letter);
        let claim = Activation {
            bank: self.keys.bank(),
            request: self.request(),
            account: customer.account.0,
            owner: customer.owner.key(),
            code,
        };
        BankAsk::Activate(customer.owner.sign(claim), self.identity(customer, 1, 1))
    }

    pub(crate) fn identity(&self, customer: &Customer, generation: u32, sequence: u64) -> Signed<Identity> {
        customer.owner.sign(Identity {
            bank: self.keys.bank(),
            owner: customer.owner.key(),
            view: Key([3; 32]),
            node: customer.owner.key(),
            generation,
            sequence,
            expires: self.now.get().plus_seconds(300 * DAY_SECONDS),
        })
    }

    pub(crate) fn withdrawal(&self, customer: &Customer, outcomes: &[(&Signer, u64)]) -> Signed<Withdrawal> {
        customer.owner.sign(Withdrawal {
            bank: self.keys.bank(),
            request: self.request(),
            owner: customer.owner.key(),
            created: self.now.get(),
            outcomes: outcomes_of(outcomes),
        })
    }

    /// A note of this many units, and the key that may spend it.
    pub(crate) fn note(&self, customer: &Customer, amount: u64) -> Purse {
        let key = self.signer();
        match self.ask(BankAsk::Withdraw(self.withdrawal(customer, &[(&key, amount)]))) {
            BankAnswer::Withdrawn(roots, _) => {
                let root = roots.into_iter().next().unwrap();
                Purse { range: root.unverified().range(), note: Note::fresh(root), key }
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn redemption(&self, kind: RedeemKind, outcomes: &[(&Signer, u64)]) -> Redemption {
        let bank = self.keys.bank();
        Redemption { bank, request: self.request(), kind, outcomes: outcomes_of(outcomes) }
    }

    pub(crate) fn deposit(&self, customer: &Customer, purses: &[&Purse]) -> BankAsk {
        let sum = purses.iter().map(|p| p.range.units().get()).sum();
        let redemption = self.redemption(RedeemKind::Deposit, &[(&customer.owner, sum)]);
        let notes: Vec<Note> = purses.iter().map(|p| p.sunk(&redemption)).collect();
        BankAsk::Deposit(customer.owner.sign(redemption), NoteTable::pack(&notes))
    }

    pub(crate) fn reissue(&self, purses: &[&Purse], outcomes: &[(&Signer, u64)]) -> BankAsk {
        let redemption = self.redemption(RedeemKind::Reissue, outcomes);
        let notes: Vec<Note> = purses.iter().map(|p| p.sunk(&redemption)).collect();
        BankAsk::Reissue(redemption.to_bytes(), NoteTable::pack(&notes))
    }

    pub(crate) fn balance(&self, customer: &Customer) -> u64 {
        self.ledger.snapshot().unwrap().account(customer.account).unwrap().unwrap().balance().get()
    }

    pub(crate) fn journal(&self) -> u64 {
        self.ledger.snapshot().unwrap().journal_head().unwrap()
    }

    pub(crate) fn audit(&self) -> Audit {
        audit(&self.ledger.snapshot().unwrap()).unwrap()
    }

    /// Refused with this code, and nothing was written.
    pub(crate) fn refuses(&self, ask: BankAsk, code: ErrorCode) {
        let before = self.journal();
        // A re-issue names the note at fault; everything else is about the whole request.
        let told = match self.ask(ask) {
            BankAnswer::Error(code) => code,
            BankAnswer::Denied(faults) => match faults.as_slice() {
                [(_, Item::Refused(code))] => *code,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        assert_eq!(told, code);
        assert_eq!(self.journal(), before, "a refusal writes no entry");
    }
}

pub(crate) fn proposal(account: AccountNumber, change: Change, by: &str, reason: &str) -> Operation {
    Operation::Propose { account, change, by: by.to_owned(), reason: reason.to_owned() }
}

pub(crate) fn outcomes_of(outcomes: &[(&Signer, u64)]) -> Vec<Outcome> {
    outcomes.iter().map(|(key, amount)| Outcome { to: key.key(), units: units(*amount) }).collect()
}

pub(crate) struct Customer {
    pub(crate) owner: Signer,
    pub(crate) account: AccountNumber,
}

/// A note, the units of it that are ours, and the key that may spend them.
#[derive(Clone)]
pub(crate) struct Purse {
    pub(crate) note: Note,
    pub(crate) range: Range,
    pub(crate) key: Signer,
}

impl Purse {
    pub(crate) fn part(&self, start: u64, end: u64) -> Purse {
        Purse { range: Range::new(start, end).unwrap(), ..self.clone() }
    }

    pub(crate) fn sunk(&self, redemption: &Redemption) -> Note {
        self.note.hand_on(self.range, Destination::Redeem(redemption.digest()), &self.key).unwrap()
    }

    /// Handed on to another key.
    pub(crate) fn to(&self, key: &Signer) -> Purse {
        let note = self.note.hand_on(self.range, Destination::Key(key.key()), &self.key).unwrap();
        Purse { note, range: self.range, key: key.clone() }
    }
}
