//! The store on redb: one file, one transaction a batch.
//!
//! Records are MessagePack, bodies their own fixed layout, events JSON. Tables that grow with time have
//! running numbers as keys; those that are looked up by name have the name.

use super::{Page, Store, StoreFault, cases, vault};
use crate::wallet::banking::BankOp;
use crate::wallet::bulletins::KEPT;
use crate::wallet::change::{Answered, Change, Event};
use crate::wallet::history::{Entry, HistoryFlaw, HistoryHead};
use crate::wallet::paying::Outgoing;
use crate::wallet::policy::Policy;
use crate::wallet::receiving::{Incoming, RequestRecord};
use crate::wallet::reserve::OwnNote;
use crate::wallet::vault::{Fence, Quarantine};
use crate::wallet::{AccountBalance, Owner, Wallet};
use protocol::bank::Letter;
use protocol::body::Body;
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::key::bank::BankKeys;
use protocol::sign::Signed;
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;

pub(super) type Bytes = TableDefinition<'static, &'static [u8], &'static [u8]>;
pub(super) type Numbered = TableDefinition<'static, u64, &'static [u8]>;

pub(super) const LIVE_NOTES: Numbered = Numbered::new("live_notes");
pub(super) const SPENT_NOTES: Numbered = Numbered::new("spent_notes");
const NOTES_BY_ROOT: Bytes = Bytes::new("notes_by_root");
pub(super) const OUTGOING: Bytes = Bytes::new("outgoing");
const OPEN_OUTGOING: Bytes = Bytes::new("open_outgoing");
pub(super) const INCOMING: Bytes = Bytes::new("incoming");
const INCOMING_BY_ID: Bytes = Bytes::new("incoming_by_id");
pub(super) const REQUESTS: Bytes = Bytes::new("requests");
pub(super) const BANK_OPS: Bytes = Bytes::new("bank_ops");
const OPEN_BANK_OPS: Bytes = Bytes::new("open_bank_ops");
pub(super) const HISTORY: Numbered = Numbered::new("history");
pub(super) const EVENTS: Numbered = Numbered::new("events");
pub(super) const ANSWERED: Bytes = Bytes::new("answered");
const TICKETS: Numbered = Numbered::new("tickets");
pub(super) const LETTERS: Numbered = Numbered::new("letters");
pub(super) const BANK_KEYS: Bytes = Bytes::new("bank_keys");
const TOKENS: Bytes = Bytes::new("tokens");
const REVOCATIONS: Bytes = Bytes::new("revocations");
const BULLETINS: Numbered = Numbered::new("bulletins");
const BANK_FAULTS: Bytes = Bytes::new("bank_faults");
pub(super) const META: Bytes = Bytes::new("meta");
pub(super) const CERTIFICATES: Bytes = Bytes::new("certificates");
pub(super) const IDENTITIES: Bytes = Bytes::new("identities");
pub(super) const ADDRESSES: Bytes = Bytes::new("addresses");

pub(super) const ACCOUNT: &[u8] = b"account";
const STOCK: &[u8] = b"stock";
pub(super) const POLICY: &[u8] = b"policy";
const TICKETS_TAKEN: &[u8] = b"tickets_taken";
pub(super) const FENCE: &[u8] = b"fence";
const QUARANTINE: &[u8] = b"quarantine";
const VERSION: &[u8] = b"version";
/// The form of the records in this file. A file with another one is not opened. Form 1 had no mailboxes and no vault; it
/// was never released.
const VERSION_NOW: u32 = 3;

/// Cache of the database: a workstation's whole working set fits, and an idle one stays small.
const CACHE_BYTES: usize = 8 << 20;

/// The store on redb.
#[derive(Debug)]
pub struct RedbStore {
    pub(super) db: Database,
}

pub(super) fn broken(error: impl Into<redb::Error>) -> StoreFault {
    match error.into() {
        redb::Error::Io(io) if io.kind() == std::io::ErrorKind::StorageFull => StoreFault::Full,
        other => StoreFault::Broken(other.to_string()),
    }
}

pub(super) fn pack<T: Serialize>(record: &T) -> Vec<u8> {
    rmp_serde::to_vec(record).expect("our records have nothing that MessagePack can't hold")
}

pub(super) fn unpack<T: DeserializeOwned>(table: &'static str, bytes: &[u8]) -> Result<T, StoreFault> {
    rmp_serde::from_slice(bytes).map_err(|_| StoreFault::Unreadable(table))
}

/// Events are JSON, as they are told: their kind stands inside them, and a form that depends on whether people
/// read it (ids: bytes or hex) does not come back out of MessagePack then.
pub(super) fn pack_event(event: &Event) -> Vec<u8> {
    serde_json::to_vec(event).expect("our events have nothing that JSON can't hold")
}

pub(super) fn unpack_event(bytes: &[u8]) -> Result<Event, StoreFault> {
    serde_json::from_slice(bytes).map_err(|_| StoreFault::Unreadable("events"))
}

impl RedbStore {
    /// Opens the file, or makes it.
    pub fn open(path: &Path) -> Result<RedbStore, StoreFault> {
        let db = Database::builder().set_cache_size(CACHE_BYTES).create(path).map_err(broken)?;
        RedbStore { db }.prepare()
    }

    /// A store on another backend: in memory, or one that fails when a test wants it to.
    pub fn on(backend: impl redb::StorageBackend) -> Result<RedbStore, StoreFault> {
        let db =
            Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(backend).map_err(broken)?;
        RedbStore { db }.prepare()
    }

    /// A store that is gone with the process.
    pub fn in_memory() -> Result<RedbStore, StoreFault> {
        RedbStore::on(redb::backends::InMemoryBackend::new())
    }

    fn prepare(self) -> Result<RedbStore, StoreFault> {
        let tx = self.db.begin_write().map_err(broken)?;
        for table in [LIVE_NOTES, SPENT_NOTES, HISTORY, EVENTS, TICKETS, LETTERS, BULLETINS, vault::QUEUE] {
            tx.open_table(table).map_err(broken)?;
        }
        let named = [
            NOTES_BY_ROOT,
            OUTGOING,
            OPEN_OUTGOING,
            INCOMING,
            INCOMING_BY_ID,
            REQUESTS,
            BANK_OPS,
            OPEN_BANK_OPS,
            ANSWERED,
            BANK_KEYS,
            CERTIFICATES,
            IDENTITIES,
            ADDRESSES,
            TOKENS,
            REVOCATIONS,
            BANK_FAULTS,
        ];
        for table in named.iter().chain(cases::NAMED) {
            tx.open_table(*table).map_err(broken)?;
        }
        for table in cases::NUMBERED {
            tx.open_table(*table).map_err(broken)?;
        }
        {
            let mut meta = tx.open_table(META).map_err(broken)?;
            let version =
                meta.get(VERSION).map_err(broken)?.map(|v| unpack::<u32>("meta", v.value())).transpose()?;
            match version {
                None => drop(meta.insert(VERSION, &pack(&VERSION_NOW)[..]).map_err(broken)?),
                Some(VERSION_NOW) => {}
                Some(found) => return Err(StoreFault::Version { found, ours: VERSION_NOW }),
            }
        }
        tx.commit().map_err(broken)?;
        Ok(self)
    }

    pub(super) fn read(&self) -> Result<ReadTransaction, StoreFault> {
        self.db.begin_read().map_err(broken)
    }

    /// The wallet as the last commit left it.
    pub fn load(&self, owner: Owner, keys: BankKeys, policy: Policy) -> Result<Wallet, StoreFault> {
        let tx = self.read()?;
        let mut wallet = Wallet::new(owner, keys, policy);
        if let Some(policy) = meta(&tx, POLICY)? {
            wallet.apply(&Change::Policy(policy));
        }
        if let Some(stock) = meta(&tx, STOCK)? {
            wallet.apply(&Change::Stock(stock));
        }
        if let Some(balance) = meta::<AccountBalance>(&tx, ACCOUNT)? {
            wallet.apply(&Change::Account(balance));
        }
        for bytes in all_named(&tx, BANK_KEYS)? {
            let certificate = Signed::from_bytes(&bytes).map_err(|_| StoreFault::Unreadable("bank_keys"))?;
            wallet.apply(&Change::BankKey(certificate));
        }
        for bytes in all_named(&tx, REVOCATIONS)? {
            let revocation = Signed::from_bytes(&bytes).map_err(|_| StoreFault::Unreadable("revocations"))?;
            wallet.apply(&Change::Revocation(revocation));
        }
        for (_, bytes) in all_numbered(&tx, BULLETINS)? {
            let bulletin = Signed::from_bytes(&bytes).map_err(|_| StoreFault::Unreadable("bulletins"))?;
            wallet.apply(&Change::Bulletin(bulletin));
        }
        for bytes in all_named(&tx, BANK_FAULTS)? {
            wallet.apply(&Change::BankFault(unpack("bank_faults", &bytes)?));
        }
        for (_, bytes) in all_numbered(&tx, LIVE_NOTES)? {
            wallet.apply(&Change::Note(unpack("live_notes", &bytes)?));
        }
        // Numbers of spent notes are not used again.
        if let Some((_, bytes)) = last(&tx, SPENT_NOTES)? {
            wallet.apply(&Change::Note(unpack("spent_notes", &bytes)?));
        }
        for bytes in all_named(&tx, TOKENS)? {
            wallet.apply(&Change::Token(unpack("tokens", &bytes)?));
        }
        for bytes in open_of(&tx, OPEN_OUTGOING, OUTGOING)? {
            wallet.apply(&Change::Outgoing(unpack::<Outgoing>("outgoing", &bytes)?.standing_now()));
        }
        for bytes in open_of(&tx, OPEN_BANK_OPS, BANK_OPS)? {
            wallet.apply(&Change::BankOp(unpack("bank_ops", &bytes)?));
        }
        cases::load(&tx, &mut wallet)?;
        if let Some(up_to) = meta(&tx, TICKETS_TAKEN)? {
            wallet.apply(&Change::TicketsTaken(up_to));
        }
        for (number, bytes) in all_numbered(&tx, TICKETS)? {
            let ticket = Signed::from_bytes(&bytes).map_err(|_| StoreFault::Unreadable("tickets"))?;
            wallet.apply(&Change::Ticket(number, ticket));
        }
        if let Some((_, bytes)) = last(&tx, HISTORY)? {
            let entry = Entry::from_bytes(&bytes).map_err(|_| StoreFault::Unreadable("history"))?;
            wallet.apply(&Change::History(entry));
        }
        if meta::<Key>(&tx, vault::KEY)?.is_some() {
            wallet.keep_vault();
        }
        if let Some(fence) = meta(&tx, FENCE)? {
            wallet.apply(&Change::Fence(fence));
        }
        if let Some(why) = meta(&tx, QUARANTINE)? {
            wallet.apply(&Change::Quarantine(why));
        }
        if let Some((_, bytes)) = last(&tx, EVENTS)? {
            wallet.apply(&Change::Event(unpack_event(&bytes)?));
        }
        Ok(wallet)
    }

    fn named<T: DeserializeOwned>(
        &self,
        table: Bytes,
        what: &'static str,
        key: &[u8],
    ) -> Result<Option<T>, StoreFault> {
        let tx = self.read()?;
        let table = tx.open_table(table).map_err(broken)?;
        table.get(key).map_err(broken)?.map(|bytes| unpack(what, bytes.value())).transpose()
    }

    /// A payment that came in, by the payer's payment id alone; ids are random, so one is as good as unique.
    pub fn incoming_by_id(&self, id: &PaymentId) -> Result<Option<Incoming>, StoreFault> {
        let payer = {
            let tx = self.read()?;
            let index = tx.open_table(INCOMING_BY_ID).map_err(broken)?;
            let mut rows = index.range(&id.0[..]..).map_err(broken)?;
            let Some(row) = rows.next() else { return Ok(None) };
            let (key, _) = row.map_err(broken)?;
            let Some(payer) = key.value().strip_prefix(&id.0[..]) else { return Ok(None) };
            Key(payer.try_into().map_err(|_| StoreFault::Unreadable("incoming_by_id"))?)
        };
        self.incoming(&payer, id)
    }

    /// Checks the whole history, line by line, without holding it in memory.
    pub fn check_history(&self) -> Result<Result<HistoryHead, HistoryFlaw>, StoreFault> {
        let tx = self.read()?;
        let table = tx.open_table(HISTORY).map_err(broken)?;
        let mut head = HistoryHead::default();
        for row in table.iter().map_err(broken)? {
            let (_, bytes) = row.map_err(broken)?;
            let entry = Entry::from_bytes(bytes.value()).map_err(|_| StoreFault::Unreadable("history"))?;
            match entry.follows(&head) {
                Ok(next) => head = next,
                Err(flaw) => return Ok(Err(flaw)),
            }
        }
        Ok(Ok(head))
    }

    fn newest(&self, table: Numbered, page: Page) -> Result<Vec<Vec<u8>>, StoreFault> {
        let tx = self.read()?;
        let table = tx.open_table(table).map_err(broken)?;
        let end = page.before.unwrap_or(u64::MAX);
        let rows = table.range(..end).map_err(broken)?.rev().take(page.limit);
        rows.map(|row| row.map(|(_, bytes)| bytes.value().to_vec()).map_err(broken)).collect()
    }
}

pub(super) fn meta<T: DeserializeOwned>(tx: &ReadTransaction, key: &[u8]) -> Result<Option<T>, StoreFault> {
    let table = tx.open_table(META).map_err(broken)?;
    table.get(key).map_err(broken)?.map(|bytes| unpack("meta", bytes.value())).transpose()
}

/// As [`meta`], within a commit in the making.
pub(super) fn meta_in<T: DeserializeOwned>(
    tx: &WriteTransaction,
    key: &[u8],
) -> Result<Option<T>, StoreFault> {
    let table = tx.open_table(META).map_err(broken)?;
    table.get(key).map_err(broken)?.map(|bytes| unpack("meta", bytes.value())).transpose()
}

pub(super) fn all_named(tx: &ReadTransaction, table: Bytes) -> Result<Vec<Vec<u8>>, StoreFault> {
    let table = tx.open_table(table).map_err(broken)?;
    table.iter().map_err(broken)?.map(|row| row.map(|(_, v)| v.value().to_vec()).map_err(broken)).collect()
}

pub(super) fn all_numbered(tx: &ReadTransaction, table: Numbered) -> Result<Vec<(u64, Vec<u8>)>, StoreFault> {
    let table = tx.open_table(table).map_err(broken)?;
    let rows = table.iter().map_err(broken)?;
    rows.map(|row| row.map(|(k, v)| (k.value(), v.value().to_vec())).map_err(broken)).collect()
}

fn last(tx: &ReadTransaction, table: Numbered) -> Result<Option<(u64, Vec<u8>)>, StoreFault> {
    let table = tx.open_table(table).map_err(broken)?;
    Ok(table.last().map_err(broken)?.map(|(k, v)| (k.value(), v.value().to_vec())))
}

/// The records whose names stand in the table of open ones.
pub(super) fn open_of(tx: &ReadTransaction, open: Bytes, records: Bytes) -> Result<Vec<Vec<u8>>, StoreFault> {
    let open = tx.open_table(open).map_err(broken)?;
    let records = tx.open_table(records).map_err(broken)?;
    let mut found = Vec::new();
    for row in open.iter().map_err(broken)? {
        let (name, _) = row.map_err(broken)?;
        let record =
            records.get(name.value()).map_err(broken)?.ok_or(StoreFault::Unreadable("open records"))?;
        found.push(record.value().to_vec());
    }
    Ok(found)
}

pub(super) fn put(tx: &WriteTransaction, table: Bytes, key: &[u8], value: &[u8]) -> Result<(), StoreFault> {
    tx.open_table(table).map_err(broken)?.insert(key, value).map_err(broken).map(drop)
}

pub(super) fn remove(tx: &WriteTransaction, table: Bytes, key: &[u8]) -> Result<(), StoreFault> {
    tx.open_table(table).map_err(broken)?.remove(key).map_err(broken).map(drop)
}

pub(super) fn put_numbered(
    tx: &WriteTransaction,
    table: Numbered,
    key: u64,
    value: &[u8],
) -> Result<(), StoreFault> {
    tx.open_table(table).map_err(broken)?.insert(key, value).map_err(broken).map(drop)
}

pub(super) fn put_open(
    tx: &WriteTransaction,
    table: Bytes,
    key: &[u8],
    open: bool,
) -> Result<(), StoreFault> {
    if open { put(tx, table, key, &[]) } else { remove(tx, table, key) }
}

fn put_note(tx: &WriteTransaction, note: &OwnNote) -> Result<(), StoreFault> {
    let bytes = pack(note);
    let (to, other) = if note.is_live() { (LIVE_NOTES, SPENT_NOTES) } else { (SPENT_NOTES, LIVE_NOTES) };
    tx.open_table(other).map_err(broken)?.remove(note.number).map_err(broken)?;
    put_numbered(tx, to, note.number, &bytes)?;
    let by_root = [&note.note.root.digest().0[..], &note.number.to_be_bytes()].concat();
    let mut index = tx.open_table(NOTES_BY_ROOT).map_err(broken)?;
    // A note's root never changes: an entry that is there need not be written with each change of the note.
    if index.get(&by_root[..]).map_err(broken)?.is_none() {
        index.insert(&by_root[..], &[][..]).map_err(broken)?;
    }
    Ok(())
}

/// Writes one change; a shop adds its sale to the same transaction.
pub(crate) fn write(tx: &WriteTransaction, change: &Change) -> Result<(), StoreFault> {
    cases::write(tx, change)?;
    match change {
        Change::Note(note) => put_note(tx, note),
        Change::Outgoing(payment) => {
            put(tx, OUTGOING, &payment.id.0, &pack(payment))?;
            put_open(tx, OPEN_OUTGOING, &payment.id.0, payment.state.is_open())
        }
        Change::Incoming(payment) => {
            put(tx, INCOMING_BY_ID, &[&payment.payment.0[..], &payment.payer.0].concat(), &[])?;
            put(tx, INCOMING, &incoming_key(&payment.payer, &payment.payment), &pack(payment))
        }
        Change::Request(record) => put(tx, REQUESTS, &record.request.unverified().id.0, &pack(record)),
        Change::BankOp(op) => {
            put(tx, BANK_OPS, &op.id.0, &pack(op))?;
            put_open(tx, OPEN_BANK_OPS, &op.id.0, op.is_open())
        }
        Change::History(entry) => put_numbered(tx, HISTORY, entry.seq, &entry.to_bytes()),
        Change::Event(event) => put_numbered(tx, EVENTS, event.seq, &pack_event(event)),
        Change::Answered(answered) => {
            put(tx, ANSWERED, &answered_key(&answered.method, &answered.key), &pack(answered))
        }
        Change::Ticket(number, ticket) => put_numbered(tx, TICKETS, *number, &ticket.to_bytes()),
        Change::TicketsTaken(up_to) => {
            let mut tickets = tx.open_table(TICKETS).map_err(broken)?;
            tickets.retain_in(..=*up_to, |_, _| false).map_err(broken)?;
            drop(tickets);
            put(tx, META, TICKETS_TAKEN, &pack(up_to))
        }
        Change::BankKey(certificate) => put(tx, BANK_KEYS, &certificate.digest().0, &certificate.to_bytes()),
        Change::Revocation(revocation) => {
            put(tx, REVOCATIONS, &revocation.digest().0, &revocation.to_bytes())
        }
        Change::Bulletin(bulletin) => {
            let number = bulletin.unverified().number;
            let mut kept = tx.open_table(BULLETINS).map_err(broken)?;
            kept.retain_in(..=number.saturating_sub(KEPT), |_, _| false).map_err(broken)?;
            drop(kept);
            put_numbered(tx, BULLETINS, number, &bulletin.to_bytes())
        }
        Change::BankFault(fault) => {
            let name = format!("{}/{}", fault.kind.word(), fault.number);
            put(tx, BANK_FAULTS, name.as_bytes(), &pack(fault))
        }
        Change::Letter(letter) => put_numbered(tx, LETTERS, letter.unverified().number, &letter.to_bytes()),
        Change::Account(balance) => put(tx, META, ACCOUNT, &pack(balance)),
        Change::Stock(stock) => put(tx, META, STOCK, &pack(stock)),
        Change::Policy(policy) => put(tx, META, POLICY, &pack(policy)),
        Change::Token(token) => put(tx, TOKENS, token.id.as_bytes(), &pack(token)),
        Change::TokenRevoked(id) => remove(tx, TOKENS, id.as_bytes()),
        Change::Fence(fence) => put(tx, META, FENCE, &pack(fence)),
        Change::Fenced(note) => {
            let mut fence: Fence = meta_in(tx, FENCE)?.unwrap_or_default();
            fence.notes.insert(*note);
            put(tx, META, FENCE, &pack(&fence))
        }
        Change::Quarantine(why) => match meta_in::<Quarantine>(tx, QUARANTINE)? {
            Some(_) => Ok(()),
            None => put(tx, META, QUARANTINE, &pack(why)),
        },
        Change::Claim(_) | Change::Case(_) | Change::Fork(_) | Change::Told(..) | Change::Purchase(_) => {
            Ok(())
        }
    }
}

pub(super) fn incoming_key(payer: &Key, id: &PaymentId) -> Vec<u8> {
    [&payer.0[..], &id.0].concat()
}

fn answered_key(method: &str, key: &str) -> Vec<u8> {
    [method.as_bytes(), &[0], key.as_bytes()].concat()
}

impl Store for RedbStore {
    fn commit(&self, changes: &[Change]) -> Result<(), StoreFault> {
        let tx = self.db.begin_write().map_err(broken)?;
        vault::write_logged(&tx, changes)?;
        tx.commit().map_err(broken)
    }

    fn answered(&self, method: &str, key: &str) -> Result<Option<Answered>, StoreFault> {
        self.named(ANSWERED, "answered", &answered_key(method, key))
    }

    fn outgoing(&self, id: &PaymentId) -> Result<Option<Outgoing>, StoreFault> {
        Ok(self.named::<Outgoing>(OUTGOING, "outgoing", &id.0)?.map(Outgoing::standing_now))
    }

    fn incoming(&self, payer: &Key, id: &PaymentId) -> Result<Option<Incoming>, StoreFault> {
        self.named(INCOMING, "incoming", &incoming_key(payer, id))
    }

    fn request(&self, id: &RequestId) -> Result<Option<RequestRecord>, StoreFault> {
        self.named(REQUESTS, "requests", &id.0)
    }

    fn bank_op(&self, id: &RequestId) -> Result<Option<BankOp>, StoreFault> {
        self.named(BANK_OPS, "bank_ops", &id.0)
    }

    fn notes_over(&self, root: &Digest) -> Result<Vec<OwnNote>, StoreFault> {
        let tx = self.read()?;
        let index = tx.open_table(NOTES_BY_ROOT).map_err(broken)?;
        let (live, spent) =
            (tx.open_table(LIVE_NOTES).map_err(broken)?, tx.open_table(SPENT_NOTES).map_err(broken)?);
        let mut found = Vec::new();
        for row in index.range(&root.0[..]..).map_err(broken)? {
            let (key, _) = row.map_err(broken)?;
            let Some(number) = key.value().strip_prefix(&root.0[..]) else { break };
            let number = <[u8; 8]>::try_from(number).map_err(|_| StoreFault::Unreadable("notes_by_root"))?;
            let number = u64::from_be_bytes(number);
            let bytes = match live.get(number).map_err(broken)? {
                Some(bytes) => bytes,
                None => spent.get(number).map_err(broken)?.ok_or(StoreFault::Unreadable("notes_by_root"))?,
            };
            found.push(unpack("notes", bytes.value())?);
        }
        Ok(found)
    }

    fn history(&self, page: Page) -> Result<Vec<Entry>, StoreFault> {
        let rows = self.newest(HISTORY, page)?;
        rows.iter()
            .map(|bytes| Entry::from_bytes(bytes).map_err(|_| StoreFault::Unreadable("history")))
            .collect()
    }

    fn events(&self, since: u64, limit: usize) -> Result<Vec<Event>, StoreFault> {
        let tx = self.read()?;
        let table = tx.open_table(EVENTS).map_err(broken)?;
        let from = since.saturating_add(1);
        let rows = table.range(from..).map_err(broken)?.take(limit);
        rows.map(|row| unpack_event(row.map_err(broken)?.1.value())).collect()
    }

    fn letter(&self, number: u64) -> Result<Option<Signed<Letter>>, StoreFault> {
        let tx = self.read()?;
        let table = tx.open_table(LETTERS).map_err(broken)?;
        let found = table.get(number).map_err(broken)?;
        found
            .map(|b| Signed::from_bytes(b.value()).map_err(|_| StoreFault::Unreadable("letters")))
            .transpose()
    }

    fn letters(&self, page: Page) -> Result<Vec<Signed<Letter>>, StoreFault> {
        let rows = self.newest(LETTERS, page)?;
        rows.iter()
            .map(|bytes| Signed::from_bytes(bytes).map_err(|_| StoreFault::Unreadable("letters")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wallet::change::Happening;
    use protocol::money::{Currency, Units};
    use protocol::time::Timestamp;

    /// Every kind of event comes back as it was written: a workstation that can't read its own events can't start.
    #[test]
    fn events_read_back() {
        let (units, request) = (Units::new(7).unwrap(), RequestId([3; 16]));
        let (payment, payer) = (PaymentId([1; 16]), Key([2; 32]));
        let kinds = [
            Happening::Payment { payment, state: "sent".to_owned(), units },
            Happening::Received { payment, payer, units, request },
            Happening::Confirmed { payment, payer, units },
            Happening::Bank { request, operation: "deposit".to_owned(), state: "asked".to_owned(), units },
            Happening::Lost { units, request },
            Happening::BankFault { kind: "behind".to_owned(), number: 3 },
            Happening::KeyRevoked { key: payer },
            Happening::Claim { claim: request, state: "open".to_owned(), units, paid: Units::ZERO },
            Happening::Case { case: 3, part: "asked".to_owned() },
            Happening::Forked { payer, payment, units },
            Happening::KeyElsewhere { units, request: Some(request) },
            Happening::KeyElsewhere { units, request: None },
            Happening::Account { letter: 4, kind: "returned".to_owned(), units, balance: units },
        ];
        let store = RedbStore::in_memory().unwrap();
        let events: Vec<Event> =
            (1..).zip(kinds).map(|(seq, what)| Event { seq, at: Timestamp(seq), what }).collect();
        let changes: Vec<Change> = events.iter().cloned().map(Change::Event).collect();
        store.commit(&changes).unwrap();
        assert_eq!(store.events(0, 100).unwrap(), events);
        assert_eq!(store.events(3, 1).unwrap(), events[3..4]);
        let owner = Owner { key: payer, name: "Alice".to_owned(), account: 1, currency: Currency::default() };
        let wallet = store.load(owner, BankKeys::pinned(payer), Policy::of(&Currency::default())).unwrap();
        assert_eq!(wallet.newest_event(), 13);
    }

    /// A wallet of another version is told from a damaged one, with what to do, and is not touched.
    #[test]
    fn a_wallet_of_another_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (form, whose) in [(2_u32, "an earlier version"), (4, "a later version")] {
            let path = folder.path().join(form.to_string());
            let store = RedbStore::open(&path).unwrap();
            let tx = store.db.begin_write().unwrap();
            tx.open_table(META).unwrap().insert(VERSION, &pack(&form)[..]).unwrap();
            tx.commit().unwrap();
            drop(store);
            let refused = RedbStore::open(&path).unwrap_err();
            assert!(matches!(refused, StoreFault::Version { found, ours: 3 } if found == form));
            assert!(refused.to_string().contains(whose), "{refused}");
        }
    }
}
