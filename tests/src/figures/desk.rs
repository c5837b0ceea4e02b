//! The bank's counter: redemptions and withdrawals a second, without the network.
//!
//! The bank is the real one (`bank_node::service`) on a real file; the customers are tasks that ask again as
//! soon as they have their answer. What they ask was prepared before, signatures and all.

use super::machine::cores;
use super::sample::{Times, median, rate};
use super::{Effort, Figure};
use crate::patience::{runtime, wait};
use bank_node::desk::counter::Sign;
use bank_node::desk::office::{Opening, Operation, Order};
use bank_node::keys::{MasterKey, WorkingKeys, make_all};
use bank_node::ledger::CustomerKind;
use bank_node::service::{self, World};
use bank_node::store::redo::{Disowned, Place};
use bank_node::store::shelf::Store;
use bank_node::store::{Ledger, Logged, Redb};
use ed25519_dalek::{Signature, VerifyingKey};
use protocol::bank::{Activation, Identity, OUTCOMES_MAX, Outcome, RedeemKind, Redemption, Withdrawal};
use protocol::body::Body;
use protocol::id::{Key, RequestId};
use protocol::money::{Currency, Units};
use protocol::node::chance::chance_bytes;
use protocol::node::clock::Clock;
use protocol::note::{Destination, Note, NoteTable};
use protocol::sign::Signer;
use protocol::time::{DAY_SECONDS, Timestamp};
use protocol::wire::{BankAnswer, BankAsk};
use redb::{Database, ReadableTable, TableDefinition};
use std::collections::VecDeque;
use std::hint::black_box;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

type Bank<S> = service::Bank<Ledger<S>>;
type Queue = Arc<Mutex<VecDeque<BankAsk>>>;

/// Customers who ask at once.
const AT_ONCE: [usize; 3] = [1, 16, 256];
/// Requests in one commit of the bank at most, as in `bank_node::service`.
const BATCH_MAX: usize = 256;
/// The bank's cache, as in `bank_node::store`.
const CACHE_BYTES: usize = 64 << 20;

pub(super) fn measure(effort: Effort) -> Vec<Figure> {
    let folder = tempfile::tempdir().unwrap_or_else(|why| panic!("no folder for the bank: {why}"));
    let counter = Counter::open(logged(folder.path()));
    let bare = Counter::open(books(&folder.path().join("bare.redb")));
    let floor = Floor::make(&folder.path().join("floor.redb"));
    let mut figures = Vec::new();
    for at_once in AT_ONCE {
        let count = if at_once == 1 { effort.of(300) } else { effort.of(1500) };
        figures.extend(counter.redemptions(effort, &floor, at_once, count));
    }
    for at_once in AT_ONCE {
        let count = if at_once == 1 { effort.of(300) } else { effort.of(1500) };
        figures.push(counter.withdrawals(effort, &floor, at_once, count));
    }
    for at_once in AT_ONCE {
        let count = if at_once == 1 { effort.of(300) } else { effort.of(1500) };
        figures.push(counter.beside(&bare, effort, at_once, count));
    }
    figures
}

fn books(file: &Path) -> Redb {
    Redb::open(file).unwrap_or_else(|why| panic!("the books: {why}"))
}

/// Books with their redo log, as the bank has them; on one disk, as on most machines that this runs on.
fn logged(folder: &Path) -> Logged<Redb> {
    let (data, log) = (folder.to_owned(), folder.join("redo"));
    let place = Place { data, log, bank: Key([7; 32]), new: true, said: None, disowned: Disowned::default() };
    let opened = Logged::open(books(&folder.join("bank.redb")), &place);
    opened.unwrap_or_else(|why| panic!("the redo log: {why}"))
}

/// An open bank with one customer who has a lot.
struct Counter<S: Store> {
    bank: Bank<S>,
    owner: Signer,
    clock: Clock,
}

impl<S: Store> Counter<S> {
    fn open(store: S) -> Counter<S> {
        let _runtime = runtime().enter();
        let clock = Clock::system();
        let now = Timestamp(clock.now_seconds());
        let master = MasterKey::from_secret(chance_bytes());
        // Two days, in case midnight comes.
        let made = make_all(&master, now.day(), 2, &mut chance_bytes);
        let keys = WorkingKeys::in_memory(&master, &made, chance_bytes()).expect("keys just made are whole");
        let sign = Sign { name: "Figures".to_owned(), currency: Currency::default() };
        let books = Ledger::open(store);
        let books = books.unwrap_or_else(|why| panic!("the books: {why}"));
        let bank = service::start(books, keys, sign, World::roomy(clock.clone()));
        let bank = bank.unwrap_or_else(|why| panic!("the bank: {why}"));
        let owner = wait(open_account(&bank));
        Counter { bank, owner, clock }
    }

    fn redemptions(&self, effort: Effort, floor: &Floor, at_once: usize, count: usize) -> Vec<Figure> {
        let (mut speeds, mut verified, mut committed) = (Vec::new(), Vec::new(), Vec::new());
        let mut times = Times::default();
        for _ in 0..effort.rounds() {
            let (asks, bare) = self.reissues(count);
            let (each, all) = self.ask_all(at_once, asks);
            speeds.push(rate(count, all));
            times.extend(each);
            verified.push(rate(count, verify_on_all_cores(&self.clock, &bare)));
            committed.push(rate(count, floor.commit_all(&self.clock, count, at_once)));
        }
        let speed = median(speeds);
        let name = format!("bank: redemptions, {at_once} at once");
        let note =
            format!("p50 {:.2} ms, p99 {:.2} ms; floor: its commits", times.median(), times.percentile(99));
        vec![
            Figure::new(&name, speed, "1/s").floor(median(committed)).note(note),
            Figure::new(&name, speed, "1/s")
                .floor(median(verified))
                .note("floor: bare verification of its signatures on all cores"),
        ]
    }

    /// What the redo log costs: in turns with a bank that has none.
    fn beside<T: Store>(&self, bare: &Counter<T>, effort: Effort, at_once: usize, count: usize) -> Figure {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for _ in 0..effort.rounds() {
            with.push(rate(count, self.ask_all(at_once, self.reissues(count).0).1));
            without.push(rate(count, bare.ask_all(at_once, bare.reissues(count).0).1));
        }
        Figure::new(format!("bank: redemptions with a redo log, {at_once} at once"), median(with), "1/s")
            .floor(median(without))
            .note("floor: the same bank without one; books and log on one disk")
    }

    fn withdrawals(&self, effort: Effort, floor: &Floor, at_once: usize, count: usize) -> Figure {
        let (mut speeds, mut committed, mut times) = (Vec::new(), Vec::new(), Times::default());
        for _ in 0..effort.rounds() {
            let asks = (0..count).map(|_| BankAsk::Withdraw(self.withdrawal(1).0)).collect();
            let (each, all) = self.ask_all(at_once, asks);
            speeds.push(rate(count, all));
            times.extend(each);
            committed.push(rate(count, floor.commit_all(&self.clock, count, at_once)));
        }
        let note =
            format!("p50 {:.2} ms, p99 {:.2} ms; floor: its commits", times.median(), times.percentile(99));
        Figure::new(format!("bank: withdrawals, {at_once} at once"), median(speeds), "1/s")
            .floor(median(committed))
            .note(note)
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.clock.now_seconds())
    }

    /// A withdrawal of so many notes of one unit, and their keys.
    fn withdrawal(&self, notes: usize) -> (protocol::sign::Signed<Withdrawal>, Vec<Signer>) {
        let keys: Vec<Signer> = (0..notes).map(|_| Signer::from_secret(&chance_bytes())).collect();
        let outcomes = keys.iter().map(|key| Outcome { to: key.key(), units: one() }).collect();
        let asked = Withdrawal {
            bank: self.bank.keys().bank(),
            request: RequestId(chance_bytes()),
            owner: self.owner.key(),
            created: self.now(),
            outcomes,
        };
        (self.owner.sign(asked), keys)
    }

    /// So many requests to re-issue one note to one key, and their signatures.
    fn reissues(&self, count: usize) -> (VecDeque<BankAsk>, Vec<Bare>) {
        let (mut asks, mut bare) = (VecDeque::new(), Vec::new());
        while asks.len() < count {
            let (asked, keys) = self.withdrawal(OUTCOMES_MAX.min(count - asks.len()));
            let answer = wait(self.bank.ask(BankAsk::Withdraw(asked)));
            let BankAnswer::Withdrawn(roots, _) = answer else { panic!("a withdrawal: {answer:?}") };
            for (root, key) in roots.into_iter().zip(keys) {
                let (ask, signature) = self.reissue(&Note::fresh(root), &key);
                asks.push_back(ask);
                bare.push(signature);
            }
        }
        (asks, bare)
    }

    fn reissue(&self, note: &Note, key: &Signer) -> (BankAsk, Bare) {
        let to = Signer::from_secret(&chance_bytes()).key();
        let redemption = Redemption {
            bank: self.bank.keys().bank(),
            request: RequestId(chance_bytes()),
            kind: RedeemKind::Reissue,
            outcomes: vec![Outcome { to, units: one() }],
        };
        let range = note.root.unverified().range();
        let sunk = note.hand_on(range, Destination::Redeem(redemption.digest()), key);
        let sunk = sunk.unwrap_or_else(|flaw| panic!("an honest link: {flaw}"));
        let bare = Bare::of(&sunk, &key.key());
        (BankAsk::Reissue(redemption.to_bytes(), NoteTable::pack([&sunk])), bare)
    }

    fn ask_all(&self, at_once: usize, asks: VecDeque<BankAsk>) -> (Times, Duration) {
        let queue: Queue = Arc::new(Mutex::new(asks));
        let begun = self.clock.monotonic();
        let customers: Vec<_> = (0..at_once)
            .map(|_| runtime().spawn(ask_on(self.bank.clone(), Arc::clone(&queue), self.clock.clone())))
            .collect();
        let mut times = Times::default();
        for customer in customers {
            times.extend(wait(customer).unwrap_or_else(|why| panic!("a customer: {why}")));
        }
        (times, self.clock.monotonic().saturating_sub(begun))
    }
}

async fn ask_on<S: Store>(bank: Bank<S>, queue: Queue, clock: Clock) -> Times {
    let mut times = Times::default();
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(ask) = next else { return times };
        let begun = clock.monotonic();
        let answer = bank.ask(ask).await;
        times.add(clock.monotonic().saturating_sub(begun));
        assert!(matches!(answer, BankAnswer::Reissued(_) | BankAnswer::Withdrawn(..)), "{answer:?}");
    }
}

fn one() -> Units {
    Units::new(1).unwrap_or_default()
}

/// A customer with more than all figures take.
async fn open_account<S: Store>(bank: &Bank<S>) -> Signer {
    let owner = Signer::from_secret(&chance_bytes());
    let opening = Opening {
        kind: CustomerKind::Resident,
        name: "Alice".to_owned(),
        balance: Units::new(1 << 40).unwrap_or_default(),
        offline_limit: one(),
    };
    let opened = bank.order(Order { key: None, operation: Operation::Open(opening) }).await;
    let opened = opened.unwrap_or_else(|why| panic!("an account: {why}"));
    let (keys, now) = (bank.keys(), bank.now());
    let identity = owner.sign(Identity {
        bank: keys.bank(),
        owner: owner.key(),
        view: Key([3; 32]),
        node: owner.key(),
        generation: 1,
        sequence: 1,
        expires: now.plus_seconds(30 * DAY_SECONDS),
    });
    let activation = owner.sign(Activation {
        bank: keys.bank(),
        request: RequestId(chance_bytes()),
        account: opened.account.0,
        owner: owner.key(),
        code: *keys.activation_code(opened.account.0, opened.letter.unwrap_or(1)),
    });
    let answer = bank.ask(BankAsk::Activate(activation, identity)).await;
    assert!(matches!(answer, BankAnswer::Activated(..)), "{answer:?}");
    owner
}

/// The one signature that the bank checks of such a request: roots count by its register.
struct Bare {
    key: [u8; 32],
    message: Vec<u8>,
    signature: Signature,
}

impl Bare {
    fn of(sunk: &Note, key: &Key) -> Bare {
        let link = sunk.links.last().expect("it was just handed on").to_bytes();
        let (body, signature) = link.split_last_chunk::<64>().expect("a signed body ends with its signature");
        let message = [b"stermina/1/link\0", body].concat();
        Bare { key: key.0, message, signature: Signature::from_bytes(signature) }
    }

    fn holds(&self) -> bool {
        let key = VerifyingKey::from_bytes(&self.key);
        key.is_ok_and(|key| key.verify_strict(&self.message, &self.signature).is_ok())
    }
}

fn verify_on_all_cores(clock: &Clock, bare: &[Bare]) -> Duration {
    let begun = clock.monotonic();
    std::thread::scope(|scope| {
        for share in bare.chunks(bare.len().div_ceil(cores()).max(1)) {
            scope.spawn(|| share.iter().for_each(|one| assert!(black_box(one.holds()), "an honest link")));
        }
    });
    clock.monotonic().saturating_sub(begun)
}

/// A file with nothing but the rows of a redemption: entry, root, redeemed interval, answer.
struct Floor(Database);

impl Floor {
    fn make(path: &Path) -> Floor {
        let database = Database::builder().set_cache_size(CACHE_BYTES).create(path);
        Floor(database.unwrap_or_else(|why| panic!("the floor's store: {why}")))
    }

    fn commit_all(&self, clock: &Clock, count: usize, at_once: usize) -> Duration {
        let begun = clock.monotonic();
        let batch = at_once.min(BATCH_MAX);
        for _ in 0..count.div_ceil(batch) {
            self.commit(batch).unwrap_or_else(|why| panic!("the floor's store: {why}"));
        }
        clock.monotonic().saturating_sub(begun)
    }

    fn commit(&self, requests: usize) -> Result<(), redb::Error> {
        const ROWS: [(&str, usize, usize); 4] =
            [("journal", 8, 100), ("roots", 8, 230), ("redeemed", 16, 260), ("answers", 17, 330)];
        let mut tx = self.0.begin_write()?;
        tx.set_quick_repair(true);
        for (name, key, value) in ROWS {
            let mut table = tx.open_table(TableDefinition::<&[u8], &[u8]>::new(name))?;
            let value = vec![7; value];
            let mut number = table.last()?.map_or(0, |(last, _)| number_of(last.value()));
            for _ in 0..requests {
                number += 1;
                let chance: [u8; 17] = chance_bytes();
                // The answers' names are random, all other keys grow.
                let grows = [&number.to_be_bytes()[..], &[0; 8]].concat();
                let name = if key == 17 { &chance[..] } else { grows.get(..key).unwrap_or(&grows) };
                table.insert(name, &value[..])?;
            }
        }
        tx.commit()?;
        Ok(())
    }
}

fn number_of(key: &[u8]) -> u64 {
    key.first_chunk::<8>().map_or(0, |first| u64::from_be_bytes(*first) & (u64::MAX >> 1))
}
