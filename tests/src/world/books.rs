//! A wallet's store: the real one on a disk that may be bad, or a quick one in memory.
//!
//! The quick one keeps the wallet as the last commit left it, and the records that are looked up by name. It
//! forgets nothing that was committed; it only spares the bytes. What bytes do, the real one shows.

use super::disk::Disk;
use daemon::store::{Contact, DirectoryFlaw, Page, RedbStore, Store, StoreFault};
use daemon::wallet::banking::BankOp;
use daemon::wallet::change::{Answered, Change, Event};
use daemon::wallet::history::{Entry, HistoryFlaw, HistoryHead};
use daemon::wallet::paying::Outgoing;
use daemon::wallet::policy::Policy;
use daemon::wallet::receiving::{Incoming, RequestRecord};
use daemon::wallet::reserve::OwnNote;
use daemon::wallet::{Owner, Wallet};
use protocol::bank::{DirectoryEntry, Letter};
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::key::bank::BankKeys;
use protocol::sign::Signed;
use protocol::wire::DirectoryPage;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Paper {
    /// The real store: it writes bytes to the disk.
    Redb,
    /// The quick one.
    Memory,
}

/// A wallet's store.
#[derive(Debug)]
pub enum Books {
    /// The real one.
    Redb(RedbStore),
    /// The quick one.
    Memory(Memory),
}

/// Records in memory; clones are the same ones.
#[derive(Clone, Debug)]
pub struct Memory {
    disk: Disk,
    records: Arc<Mutex<Records>>,
}

#[derive(Clone, Debug)]
struct Records {
    wallet: Wallet,
    answered: HashMap<(String, String), Answered>,
    outgoing: HashMap<PaymentId, Outgoing>,
    incoming: HashMap<(Key, PaymentId), Incoming>,
    requests: HashMap<RequestId, RequestRecord>,
    ops: HashMap<RequestId, BankOp>,
    notes: BTreeMap<u64, OwnNote>,
    by_root: HashMap<Digest, Vec<u64>>,
    history: Vec<Entry>,
    events: Vec<Event>,
    letters: BTreeMap<u64, Signed<Letter>>,
    contacts: HashMap<Key, Contact>,
    directory: (u64, Digest),
}

impl Memory {
    /// An empty store for this wallet.
    pub fn new(disk: Disk, wallet: Wallet) -> Memory {
        let records = Records {
            wallet,
            answered: HashMap::new(),
            outgoing: HashMap::new(),
            incoming: HashMap::new(),
            requests: HashMap::new(),
            ops: HashMap::new(),
            notes: BTreeMap::new(),
            by_root: HashMap::new(),
            history: Vec::new(),
            events: Vec::new(),
            letters: BTreeMap::new(),
            contacts: HashMap::new(),
            directory: (0, Digest::default()),
        };
        Memory { disk, records: Arc::new(Mutex::new(records)) }
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another store with the same records, on another disk.
    pub fn copy(&self, disk: Disk) -> Memory {
        Memory { disk, records: Arc::new(Mutex::new(self.records().clone())) }
    }

    fn burn(&self) -> Result<(), StoreFault> {
        self.disk.burn().map_err(|why| StoreFault::Broken(why.to_string()))
    }
}

impl Records {
    fn write(&mut self, change: &Change) {
        self.wallet.apply(change);
        match change {
            Change::Note(own) => {
                if self.notes.insert(own.number, own.clone()).is_none() {
                    self.by_root.entry(own.note.root.digest()).or_default().push(own.number);
                }
            }
            Change::Outgoing(payment) => drop(self.outgoing.insert(payment.id, payment.clone())),
            Change::Incoming(payment) => {
                self.incoming.insert((payment.payer, payment.payment), payment.clone());
            }
            Change::Request(record) => {
                self.requests.insert(record.request.unverified().id, record.clone());
            }
            Change::BankOp(op) => drop(self.ops.insert(op.id, op.clone())),
            Change::History(entry) => self.history.push(entry.clone()),
            Change::Event(event) => self.events.push(event.clone()),
            Change::Answered(answered) => {
                let name = (answered.method.clone(), answered.key.clone());
                self.answered.insert(name, answered.clone());
            }
            Change::Letter(letter) => drop(self.letters.insert(letter.unverified().number, letter.clone())),
            // The wallet has all there is to know of these.
            Change::Ticket(..)
            | Change::TicketsTaken(_)
            | Change::BankKey(_)
            | Change::Account(_)
            | Change::Policy(_)
            | Change::Token(_)
            | Change::TokenRevoked(_) => {}
        }
    }
}

fn newest<'a, T: 'a>(rows: impl DoubleEndedIterator<Item = (u64, &'a T)>, page: Page) -> Vec<&'a T> {
    let wanted = |row: &(u64, &'a T)| page.before.is_none_or(|before| row.0 < before);
    rows.rev().filter(wanted).map(|(_, row)| row).take(page.limit).collect()
}

impl Store for Memory {
    fn commit(&self, changes: &[Change]) -> Result<(), StoreFault> {
        self.burn()?;
        {
            let mut records = self.records();
            changes.iter().for_each(|change| records.write(change));
        }
        // Durable, and yet nobody hears of it.
        self.burn()
    }

    fn answered(&self, method: &str, key: &str) -> Result<Option<Answered>, StoreFault> {
        Ok(self.records().answered.get(&(method.to_owned(), key.to_owned())).cloned())
    }

    fn outgoing(&self, id: &PaymentId) -> Result<Option<Outgoing>, StoreFault> {
        Ok(self.records().outgoing.get(id).cloned())
    }

    fn incoming(&self, payer: &Key, id: &PaymentId) -> Result<Option<Incoming>, StoreFault> {
        Ok(self.records().incoming.get(&(*payer, *id)).cloned())
    }

    fn request(&self, id: &RequestId) -> Result<Option<RequestRecord>, StoreFault> {
        Ok(self.records().requests.get(id).cloned())
    }

    fn bank_op(&self, id: &RequestId) -> Result<Option<BankOp>, StoreFault> {
        Ok(self.records().ops.get(id).cloned())
    }

    fn notes_over(&self, root: &Digest) -> Result<Vec<OwnNote>, StoreFault> {
        let records = self.records();
        let numbers = records.by_root.get(root).into_iter().flatten();
        Ok(numbers.filter_map(|number| records.notes.get(number).cloned()).collect())
    }

    fn history(&self, page: Page) -> Result<Vec<Entry>, StoreFault> {
        let records = self.records();
        let rows = records.history.iter().map(|entry| (entry.seq, entry));
        Ok(newest(rows, page).into_iter().cloned().collect())
    }

    fn events(&self, since: u64, limit: usize) -> Result<Vec<Event>, StoreFault> {
        let records = self.records();
        Ok(records.events.iter().filter(|event| event.seq > since).take(limit).cloned().collect())
    }

    fn letter(&self, number: u64) -> Result<Option<Signed<Letter>>, StoreFault> {
        Ok(self.records().letters.get(&number).cloned())
    }

    fn letters(&self, page: Page) -> Result<Vec<Signed<Letter>>, StoreFault> {
        let records = self.records();
        let rows = records.letters.iter().map(|(number, letter)| (*number, letter));
        Ok(newest(rows, page).into_iter().cloned().collect())
    }
}

impl Memory {
    fn check_history(&self) -> Result<HistoryHead, HistoryFlaw> {
        let records = self.records();
        records.history.iter().try_fold(HistoryHead::default(), |head, entry| entry.follows(&head))
    }

    /// The bank's own page, straight from the bank: the real store shows what becomes of another's.
    fn take_directory(&self, page: DirectoryPage) -> bool {
        let head = page.head.unverified();
        let mut records = self.records();
        for entry in page.entries {
            records.directory.1 = protocol::bank::next_head(&records.directory.1, &entry);
            records.directory.0 += 1;
            match entry {
                DirectoryEntry::Certificate(certificate) => {
                    let owner = certificate.unverified().owner;
                    let identity = records.contacts.get(&owner).and_then(|known| known.identity.clone());
                    records.contacts.insert(owner, Contact { certificate, identity });
                }
                DirectoryEntry::Identity(identity) => {
                    let owner = identity.unverified().owner;
                    if let Some(known) = records.contacts.get_mut(&owner) {
                        known.identity = Some(identity);
                    }
                }
            }
        }
        assert!(
            records.directory.0 < head.sequence || records.directory == (head.sequence, head.digest),
            "the bank's directory leads to its head"
        );
        records.directory.0 < head.sequence
    }
}

impl Books {
    /// The wallet as the last commit left it.
    pub fn load(&self, owner: Owner, keys: BankKeys, policy: Policy) -> Result<Wallet, StoreFault> {
        match self {
            Books::Redb(redb) => redb.load(owner, keys, policy),
            Books::Memory(memory) => Ok(memory.records().wallet.clone()),
        }
    }

    /// Checks the whole history, line by line.
    pub fn check_history(&self) -> Result<Result<HistoryHead, HistoryFlaw>, StoreFault> {
        match self {
            Books::Redb(redb) => redb.check_history(),
            Books::Memory(memory) => Ok(memory.check_history()),
        }
    }

    /// What the directory says of an owner.
    pub fn contact(&self, owner: &Key) -> Result<Option<Contact>, StoreFault> {
        match self {
            Books::Redb(redb) => redb.contact(owner),
            Books::Memory(memory) => Ok(memory.records().contacts.get(owner).cloned()),
        }
    }

    /// How much of the directory has been copied.
    pub fn directory_head(&self) -> Result<(u64, Digest), StoreFault> {
        match self {
            Books::Redb(redb) => redb.directory_head(),
            Books::Memory(memory) => Ok(memory.records().directory),
        }
    }

    /// Takes a page of the directory over. True if more is to come.
    pub fn take_directory(&self, page: DirectoryPage, keys: &BankKeys) -> Result<bool, DirectoryFlaw> {
        match self {
            Books::Redb(redb) => redb.take_directory(page, keys),
            Books::Memory(memory) => Ok(memory.take_directory(page)),
        }
    }
}

macro_rules! either {
    ($self:ident, $store:ident => $asked:expr) => {
        match $self {
            Books::Redb($store) => $asked,
            Books::Memory($store) => $asked,
        }
    };
}

impl Store for Books {
    fn commit(&self, changes: &[Change]) -> Result<(), StoreFault> {
        either!(self, store => store.commit(changes))
    }

    fn answered(&self, method: &str, key: &str) -> Result<Option<Answered>, StoreFault> {
        either!(self, store => store.answered(method, key))
    }

    fn outgoing(&self, id: &PaymentId) -> Result<Option<Outgoing>, StoreFault> {
        either!(self, store => store.outgoing(id))
    }

    fn incoming(&self, payer: &Key, id: &PaymentId) -> Result<Option<Incoming>, StoreFault> {
        either!(self, store => store.incoming(payer, id))
    }

    fn request(&self, id: &RequestId) -> Result<Option<RequestRecord>, StoreFault> {
        either!(self, store => store.request(id))
    }

    fn bank_op(&self, id: &RequestId) -> Result<Option<BankOp>, StoreFault> {
        either!(self, store => store.bank_op(id))
    }

    fn notes_over(&self, root: &Digest) -> Result<Vec<OwnNote>, StoreFault> {
        either!(self, store => store.notes_over(root))
    }

    fn history(&self, page: Page) -> Result<Vec<Entry>, StoreFault> {
        either!(self, store => store.history(page))
    }

    fn events(&self, since: u64, limit: usize) -> Result<Vec<Event>, StoreFault> {
        either!(self, store => store.events(since, limit))
    }

    fn letter(&self, number: u64) -> Result<Option<Signed<Letter>>, StoreFault> {
        either!(self, store => store.letter(number))
    }

    fn letters(&self, page: Page) -> Result<Vec<Signed<Letter>>, StoreFault> {
        either!(self, store => store.letters(page))
    }
}
