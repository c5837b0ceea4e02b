//! The quick store: records in memory.
//!
//! It keeps the wallet as the last commit left it, and the records that are looked up by name. It forgets nothing
//! that was committed; it only spares the bytes. What goes into the vault is a number there, and the changes that
//! it stands for are kept beside: the bank's rules for vaults, and what a restore makes of one, are the real ones.

use super::disk::Disk;
use daemon::store::{Contact, Page, Store, StoreFault, Waiting};
use daemon::wallet::banking::BankOp;
use daemon::wallet::change::{Answered, Change, Event};
use daemon::wallet::claiming::{CaseRecord, Claiming, Papers};
use daemon::wallet::forks::ForkRecord;
use daemon::wallet::history::{Entry, HistoryFlaw, HistoryHead};
use daemon::wallet::ordering::Purchase;
use daemon::wallet::paying::{Outgoing, State};
use daemon::wallet::policy::Policy;
use daemon::wallet::receiving::{Incoming, RequestRecord};
use daemon::wallet::reserve::OwnNote;
use daemon::wallet::vault::belongs_in_vault;
use daemon::wallet::{Owner, Wallet};
use protocol::bank::{DirectoryEntry, Letter, RECORDS_MAX, VaultHead};
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::key::bank::BankKeys;
use protocol::sign::Signed;
use protocol::wire::DirectoryPage;
use serde_bytes::ByteBuf;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

thread_local! {
    /// What the records of all vaults of this thread's world stand for.
    static LIBRARY: RefCell<Vec<Arc<[Change]>>> = const { RefCell::new(Vec::new()) };
}

/// Forgets what vaults stood for: another world begins.
pub fn forget_vaults() {
    LIBRARY.with_borrow_mut(Vec::clear);
}

/// A record of a vault, and what it stands for.
fn record_of(changes: Arc<[Change]>) -> Vec<u8> {
    LIBRARY.with_borrow_mut(|library| {
        library.push(changes);
        library.len().to_be_bytes().to_vec()
    })
}

fn what_stands_for(record: &[u8]) -> Option<Arc<[Change]>> {
    let number = usize::from_be_bytes(record.try_into().ok()?);
    LIBRARY.with_borrow(|library| library.get(number.checked_sub(1)?).cloned())
}

/// How far a vault goes, as a store knows it.
#[derive(Clone, Debug, Default)]
struct Vault {
    key: Option<Key>,
    sent: VaultHead,
    head: VaultHead,
    queue: BTreeMap<u64, Vec<u8>>,
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
    answered: BTreeMap<(String, String), Answered>,
    outgoing: BTreeMap<PaymentId, Outgoing>,
    incoming: BTreeMap<(Key, PaymentId), Incoming>,
    requests: BTreeMap<RequestId, RequestRecord>,
    ops: BTreeMap<RequestId, BankOp>,
    purchases: BTreeMap<RequestId, Purchase>,
    notes: BTreeMap<u64, OwnNote>,
    by_root: BTreeMap<Digest, Vec<u64>>,
    history: Vec<Entry>,
    events: Vec<Event>,
    letters: BTreeMap<u64, Signed<Letter>>,
    contacts: BTreeMap<Key, Contact>,
    directory: (u64, Digest),
    claims: BTreeMap<RequestId, Claiming>,
    cases: BTreeMap<u64, CaseRecord>,
    forks: BTreeMap<Digest, Vec<ForkRecord>>,
    paid_keys: BTreeMap<Key, BTreeSet<PaymentId>>,
    receipted: BTreeSet<PaymentId>,
    to_tell: BTreeSet<(Key, PaymentId)>,
    vault: Vault,
}

impl Memory {
    /// An empty store for this wallet.
    pub fn new(disk: Disk, wallet: Wallet) -> Memory {
        let records = Records {
            wallet,
            answered: BTreeMap::new(),
            outgoing: BTreeMap::new(),
            incoming: BTreeMap::new(),
            requests: BTreeMap::new(),
            ops: BTreeMap::new(),
            purchases: BTreeMap::new(),
            notes: BTreeMap::new(),
            by_root: BTreeMap::new(),
            history: Vec::new(),
            events: Vec::new(),
            letters: BTreeMap::new(),
            contacts: BTreeMap::new(),
            directory: (0, Digest::default()),
            claims: BTreeMap::new(),
            cases: BTreeMap::new(),
            forks: BTreeMap::new(),
            paid_keys: BTreeMap::new(),
            receipted: BTreeSet::new(),
            to_tell: BTreeSet::new(),
            vault: Vault::default(),
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
            Change::Outgoing(payment) => {
                if let (Some(request), true) = (&payment.request, payment.order.is_some()) {
                    self.paid_keys.entry(request.unverified().key()).or_default().insert(payment.id);
                }
                match payment.state == State::Receipted {
                    true => self.receipted.insert(payment.id),
                    false => self.receipted.remove(&payment.id),
                };
                self.outgoing.insert(payment.id, payment.clone());
            }
            Change::Incoming(payment) => {
                if payment.confirmed && !payment.receipt.unverified().confirmed {
                    self.to_tell.insert((payment.payer, payment.payment));
                }
                self.incoming.insert((payment.payer, payment.payment), payment.clone());
            }
            Change::Request(record) => {
                self.requests.insert(record.request.unverified().id, record.clone());
            }
            Change::BankOp(op) => drop(self.ops.insert(op.id, op.clone())),
            Change::Purchase(purchase) => drop(self.purchases.insert(purchase.id, purchase.clone())),
            Change::History(entry) => self.history.push(entry.clone()),
            Change::Event(event) => self.events.push(event.clone()),
            Change::Answered(answered) => {
                let name = (answered.method.clone(), answered.key.clone());
                self.answered.insert(name, answered.clone());
            }
            Change::Letter(letter) => drop(self.letters.insert(letter.unverified().number, letter.clone())),
            Change::Claim(claim) => drop(self.claims.insert(claim.id, claim.clone())),
            Change::Case(case) => drop(self.cases.insert(case.state.case, case.clone())),
            Change::Fork(fork) => {
                let forks = self.forks.entry(fork.root).or_default();
                forks.retain(|other| (other.parting, other.ours) != (fork.parting, fork.ours));
                forks.push(fork.clone());
            }
            Change::Told(payer, payment) => drop(self.to_tell.remove(&(*payer, *payment))),
            // The wallet has all there is to know of these.
            Change::Ticket(..)
            | Change::TicketsTaken(_)
            | Change::Revocation(_)
            | Change::Bulletin(_)
            | Change::BankFault(_)
            | Change::Stock(_)
            | Change::Fence(_)
            | Change::Fenced(_)
            | Change::Quarantine(_)
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
            records.log(changes);
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
        let older = page.before.map_or(records.history.len(), |before| {
            records.history.partition_point(|entry| entry.seq < before)
        });
        let rows = records.history.iter().take(older).rev().take(page.limit);
        Ok(rows.cloned().collect())
    }

    fn events(&self, since: u64, limit: usize) -> Result<Vec<Event>, StoreFault> {
        let records = self.records();
        let known = records.events.partition_point(|event| event.seq <= since);
        Ok(records.events.iter().skip(known).take(limit).cloned().collect())
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
    pub(super) fn check_history(&self) -> Result<HistoryHead, HistoryFlaw> {
        let records = self.records();
        records.history.iter().try_fold(HistoryHead::default(), |head, entry| entry.follows(&head))
    }

    /// The bank's own page, straight from the bank: the real store shows what becomes of another's.
    pub(super) fn take_directory(&self, page: DirectoryPage) -> bool {
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

impl Records {
    /// Puts into the vault's queue what belongs there.
    fn log(&mut self, changes: &[Change]) {
        if self.vault.key.is_some() {
            let changes: Arc<[Change]> = changes.iter().filter(|c| belongs_in_vault(c)).cloned().collect();
            self.queue(changes);
        }
    }

    fn queue(&mut self, changes: Arc<[Change]>) {
        if !changes.is_empty() {
            let record = record_of(changes);
            self.vault.head = self.vault.head.next(&record);
            self.vault.queue.insert(self.vault.head.records, record);
        }
    }

    /// Everything that is here and belongs into a vault.
    fn everything(&self) -> Arc<[Change]> {
        let mut all: Vec<Change> = vec![Change::Policy(self.wallet.policy().clone())];
        all.extend(self.wallet.account().map(Change::Account));
        all.extend(self.answered.values().cloned().map(Change::Answered));
        all.extend(self.forks.values().flatten().cloned().map(Change::Fork));
        all.extend(self.notes.values().cloned().map(Change::Note));
        all.extend(self.cases.values().cloned().map(Change::Case));
        all.extend(self.outgoing.values().cloned().map(Change::Outgoing));
        all.extend(self.incoming.values().cloned().map(Change::Incoming));
        all.extend(self.requests.values().cloned().map(Change::Request));
        all.extend(self.ops.values().cloned().map(Change::BankOp));
        all.extend(self.purchases.values().cloned().map(Change::Purchase));
        all.extend(self.claims.values().cloned().map(Change::Claim));
        all.extend(self.letters.values().cloned().map(Change::Letter));
        all.extend(self.history.iter().cloned().map(Change::History));
        all.extend(self.events.iter().cloned().map(Change::Event));
        all.into()
    }
}

/// What the real store answers, too.
impl Memory {
    /// The wallet as the last commit left it.
    pub(super) fn load(&self) -> Wallet {
        self.records().wallet.clone()
    }

    /// What the directory says of an owner.
    pub(super) fn contact(&self, owner: &Key) -> Option<Contact> {
        self.records().contacts.get(owner).cloned()
    }

    /// How much of the directory has been copied.
    pub(super) fn directory_head(&self) -> (u64, Digest) {
        self.records().directory
    }

    pub(super) fn begin_vault(&self, key: Key) -> Result<(), StoreFault> {
        self.burn()?;
        let mut records = self.records();
        if records.vault.key.replace(key).is_none() {
            let everything = records.everything();
            records.queue(everything);
            records.wallet.keep_vault();
        }
        Ok(())
    }

    pub(super) fn vault_key(&self) -> Option<Key> {
        self.records().vault.key
    }

    pub(super) fn vault_head(&self) -> VaultHead {
        self.records().vault.head
    }

    pub(super) fn vault_sent(&self) -> VaultHead {
        self.records().vault.sent
    }

    pub(super) fn vault_waiting(&self, sent: VaultHead) -> Option<Waiting> {
        let records = self.records();
        let mut head = records.vault.sent;
        let at = |head| Waiting { before: head, after: head, records: Vec::new() };
        let mut waiting = (head == sent).then(|| at(head));
        for record in records.vault.queue.values() {
            head = head.next(record);
            match &mut waiting {
                Some(found) if found.records.len() >= RECORDS_MAX => break,
                Some(found) => {
                    found.after = head;
                    found.records.push(ByteBuf::from(record.clone()));
                }
                None => waiting = (head == sent).then(|| at(head)),
            }
        }
        waiting
    }

    pub(super) fn vault_again(&self, there: VaultHead) -> Result<(), StoreFault> {
        self.burn()?;
        let mut records = self.records();
        records.vault.queue.clear();
        (records.vault.head, records.vault.sent) = (there, there);
        let everything = records.everything();
        records.queue(everything);
        Ok(())
    }

    pub(super) fn vault_was_sent(&self, sent: VaultHead) {
        let mut records = self.records();
        records.vault.queue = records.vault.queue.split_off(&(sent.records + 1));
        records.vault.sent = sent;
    }

    /// A store on a new disk that is made of records alone.
    pub(super) fn replayed(
        disk: Disk,
        (owner, keys): (Owner, BankKeys),
        vault: Key,
        all: &[ByteBuf],
    ) -> Option<Memory> {
        let policy = Policy::of(&owner.currency);
        let memory = Memory::new(disk, Wallet::new(owner, keys, policy));
        {
            let mut records = memory.records();
            let mut head = VaultHead::default();
            for record in all {
                head = head.next(record);
                what_stands_for(record)?.iter().for_each(|change| records.write(change));
            }
            records.vault = Vault { key: Some(vault), sent: head, head, queue: BTreeMap::new() };
            records.wallet.keep_vault();
        }
        Some(memory)
    }

    pub(super) fn claims(&self) -> Vec<Claiming> {
        self.records().claims.values().cloned().collect()
    }

    pub(super) fn cases(&self) -> Vec<CaseRecord> {
        self.records().cases.values().cloned().collect()
    }

    pub(super) fn cases_numbered(&self, numbers: impl Iterator<Item = u64>) -> Vec<CaseRecord> {
        let records = self.records();
        numbers.filter_map(|number| records.cases.get(&number).cloned()).collect()
    }

    pub(super) fn forks_over(&self, root: &Digest) -> Vec<ForkRecord> {
        self.records().forks.get(root).cloned().unwrap_or_default()
    }

    pub(super) fn papers(&self, payer: &Key, payment: &PaymentId) -> Option<Papers> {
        let records = self.records();
        let incoming = records.incoming.get(&(*payer, *payment))?.clone();
        let request = records.requests.get(&incoming.request)?.clone();
        let notes = incoming.notes.iter().filter_map(|number| records.notes.get(number).cloned()).collect();
        Some(Papers { incoming, request, notes })
    }

    pub(super) fn payments_to(&self, key: &Key) -> Vec<Outgoing> {
        let records = self.records();
        let ids = records.paid_keys.get(key).into_iter().flatten();
        ids.filter_map(|id| records.outgoing.get(id).cloned()).collect()
    }

    pub(super) fn receipted(&self, limit: usize) -> Vec<PaymentId> {
        self.records().receipted.iter().take(limit).copied().collect()
    }

    pub(super) fn to_tell(&self, limit: usize) -> Vec<Incoming> {
        let records = self.records();
        let names = records.to_tell.iter().take(limit);
        names.filter_map(|name| records.incoming.get(name).cloned()).collect()
    }
}
