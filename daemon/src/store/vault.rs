//! What goes into the vault: each commit once more, sealed, in the same transaction (SPEC §4.13, threats X6).
//!
//! ```text
//! changes ─▶ logged: rows as patches ─▶ packed, cut into records ─▶ sealed at their place ─▶ queue ─▶ the bank
//! restore: records ─▶ opened at their place ─▶ whole commits ─▶ rows ─▶ changes ─▶ a new store
//! ```
//! A record begins with a byte: 1 if a commit begins with it, plus 2 if one ends with it. What belongs to this
//! machine alone (tickets, tokens, the directory) does not go in.

use super::StoreFault;
use super::cases;
use super::patch::Patch;
use super::redb::{
    self, BANK_OPS, INCOMING, LIVE_NOTES, META, OUTGOING, REQUESTS, RedbStore, SPENT_NOTES, broken, pack,
    unpack,
};
use crate::wallet::change::Change;
use crate::wallet::vault::{Origin, belongs_in_vault};
use ::redb::{ReadableTable, TableDefinition, WriteTransaction};
use protocol::bank::{RECORD_MAX, RECORDS_MAX, VaultHead};
use protocol::body::Body as _;
use protocol::id::Key;
use protocol::node::chance::chance;
use protocol::seal::{RECORD_OVERHEAD, SealFlaw, ViewKey, open_record, seal_record};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Sealed records that the bank does not have yet, by their number in the vault.
pub(super) const QUEUE: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("vault_queue");

pub(super) const KEY: &[u8] = b"vault_key";
const HEAD: &[u8] = b"vault_head";
const SENT: &[u8] = b"vault_sent";
const REST: &[u8] = b"vault_rest";
const COMMITS: &[u8] = b"commits";

/// Bytes of a commit in one record.
const PART: usize = RECORD_MAX - RECORD_OVERHEAD - 1;
/// Bytes of records in one message to the bank.
const MESSAGE_BYTES: usize = 192 << 10;
const BEGINS: u8 = 1;
const ENDS: u8 = 2;

/// A change as the vault keeps it.
#[derive(Debug, Serialize, Deserialize)]
enum Logged {
    /// A row of a table that is looked up by name: what is new in it.
    Row(Row, ByteBuf, Patch),
    /// Something that stands for itself.
    Whole(Whole, ByteBuf),
}

/// Tables whose rows change.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Row {
    #[serde(rename = "n")]
    Note,
    #[serde(rename = "o")]
    Outgoing,
    #[serde(rename = "i")]
    Incoming,
    #[serde(rename = "r")]
    Request,
    #[serde(rename = "b")]
    BankOp,
    #[serde(rename = "f")]
    Claim,
    #[serde(rename = "c")]
    Case,
    #[serde(rename = "s")]
    Purchase,
}

/// Records that are written once, or always whole.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Whole {
    #[serde(rename = "O")]
    Origin,
    #[serde(rename = "h")]
    History,
    #[serde(rename = "e")]
    Event,
    #[serde(rename = "a")]
    Answered,
    #[serde(rename = "k")]
    BankKey,
    #[serde(rename = "l")]
    Letter,
    #[serde(rename = "c")]
    Account,
    #[serde(rename = "p")]
    Policy,
    #[serde(rename = "t")]
    Fork,
}

/// Why records of a vault bring nothing back.
#[derive(Debug, thiserror::Error)]
pub enum ReplayFlaw {
    /// A record does not open at its place: it is another's, or the vault was cut, reordered or changed.
    #[error("record {number} of the vault does not open: {flaw}")]
    Sealed {
        /// Which.
        number: u64,
        /// Why.
        flaw: SealFlaw,
    },
    /// A record opens, and can't be read.
    #[error("record {0} of the vault can't be read: it was written by another version of this program")]
    Unreadable(u64),
    /// The vault belongs to another account than the one that is restored.
    #[error("the vault is that of account {0}")]
    OtherAccount(u64),
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// What waits to be sent, and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// How far the vault goes before it.
    pub before: VaultHead,
    /// How far it goes after it.
    pub after: VaultHead,
    /// Sealed records.
    pub records: Vec<ByteBuf>,
}

impl RedbStore {
    /// From now on, every commit goes into the vault, too, sealed to `key`; first of all what is here already.
    pub fn begin_vault(&self, key: Key, origin: &Origin) -> Result<(), StoreFault> {
        if self.vault_key()?.is_some() {
            return Ok(());
        }
        let tx = self.db.begin_write().map_err(broken)?;
        {
            let mut meta = tx.open_table(META).map_err(broken)?;
            meta.insert(KEY, &pack(&key)[..]).map_err(broken)?;
        }
        let mut logged = vec![Logged::Whole(Whole::Origin, ByteBuf::from(pack(origin)))];
        logged.extend(all_rows(&tx)?);
        queue(&tx, &logged)?;
        tx.commit().map_err(broken)
    }

    /// The key that records are sealed to; nothing before the vault was begun.
    pub fn vault_key(&self) -> Result<Option<Key>, StoreFault> {
        self.meta_of(KEY)
    }

    /// How far the vault goes with what still waits here: the number of the last record that a commit has made.
    pub fn vault_head(&self) -> Result<VaultHead, StoreFault> {
        self.meta_of(HEAD).map(Option::unwrap_or_default)
    }

    /// How many commits this file has seen that went into the vault: what the head file beside it keeps.
    pub fn commits(&self) -> Result<u64, StoreFault> {
        self.meta_of(COMMITS).map(Option::unwrap_or_default)
    }

    /// Whether this file was brought back from the vault, to its end.
    pub fn is_fenced(&self) -> Result<bool, StoreFault> {
        self.meta_of::<crate::wallet::vault::Fence>(redb::FENCE).map(|fence| fence.is_some())
    }

    /// How far the bank has it, as last noted on disk; it may be further.
    pub fn vault_sent(&self) -> Result<VaultHead, StoreFault> {
        self.meta_of(SENT).map(Option::unwrap_or_default)
    }

    fn meta_of<T: serde::de::DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreFault> {
        let tx = self.read()?;
        redb::meta(&tx, key)
    }

    /// What the bank does not have after `sent`, as much as one message carries. Nothing if `sent` is no place in our
    /// own vault, as far as it is still here.
    pub fn vault_waiting(&self, sent: VaultHead) -> Result<Option<Waiting>, StoreFault> {
        let mut head = self.vault_sent()?;
        let tx = self.read()?;
        let table = tx.open_table(QUEUE).map_err(broken)?;
        let mut waiting = (head == sent).then(|| Waiting::at(head));
        for row in table.range(head.records + 1..).map_err(broken)? {
            let (_, record) = row.map_err(broken)?;
            let record = record.value();
            match &mut waiting {
                None if head.records >= sent.records => return Ok(None),
                Some(found) if found.is_full(record.len()) => break,
                Some(found) => found.push(record),
                None => {}
            }
            head = head.next(record);
            if waiting.is_none() && head == sent {
                waiting = Some(Waiting::at(head));
            }
        }
        Ok(waiting)
    }

    /// The bank has lost records that it had taken: everything is queued once more, on top of what is there.
    pub fn vault_again(&self, there: VaultHead) -> Result<(), StoreFault> {
        let tx = self.db.begin_write().map_err(broken)?;
        {
            tx.open_table(QUEUE).map_err(broken)?.retain(|_, _| false).map_err(broken)?;
            let mut meta = tx.open_table(META).map_err(broken)?;
            for name in [HEAD, SENT] {
                meta.insert(name, &pack(&there)[..]).map_err(broken)?;
            }
        }
        queue(&tx, &all_rows(&tx)?)?;
        tx.commit().map_err(broken)
    }

    /// The bank has everything up to `sent`: it need not be kept here. Not synced: if it is lost, the bank is asked.
    pub fn vault_was_sent(&self, sent: VaultHead) -> Result<(), StoreFault> {
        let mut tx = self.db.begin_write().map_err(broken)?;
        tx.set_durability(::redb::Durability::None).map_err(broken)?;
        {
            let mut table = tx.open_table(QUEUE).map_err(broken)?;
            table.retain_in(..=sent.records, |_, _| false).map_err(broken)?;
            tx.open_table(META).map_err(broken)?.insert(SENT, &pack(&sent)[..]).map_err(broken)?;
        }
        tx.commit().map_err(broken)
    }

    /// Takes over records of the vault that follow `before` at the bank: opened with the vault's key, in one commit
    /// with how far they go. Returns how far that is.
    pub fn replay(
        &self,
        key: &ViewKey,
        account: u64,
        before: VaultHead,
        records: &[ByteBuf],
    ) -> Result<VaultHead, ReplayFlaw> {
        let tx = self.db.begin_write().map_err(broken)?;
        let mut head = before;
        let mut rest: ByteBuf = redb::meta_in(&tx, REST)?.unwrap_or_default();
        for record in records {
            let number = head.records + 1;
            let plain = open_record(key, &head.place(), record)
                .map_err(|flaw| ReplayFlaw::Sealed { number, flaw })?;
            head = head.next(record);
            let (kind, part) = plain.split_first().ok_or(ReplayFlaw::Unreadable(number))?;
            if kind & BEGINS != 0 {
                rest.clear();
            }
            rest.extend_from_slice(part);
            if kind & ENDS != 0 {
                let logged: Vec<Logged> =
                    rmp_serde::from_slice(&rest).map_err(|_| ReplayFlaw::Unreadable(number))?;
                for logged in logged {
                    if let Some(change) = read(&tx, logged, account, number)? {
                        redb::write(&tx, &change)?;
                    }
                }
                rest.clear();
            }
        }
        {
            let mut meta = tx.open_table(META).map_err(broken)?;
            meta.insert(KEY, &pack(&key.key())[..]).map_err(broken)?;
            for name in [HEAD, SENT] {
                meta.insert(name, &pack(&head)[..]).map_err(broken)?;
            }
            meta.insert(REST, &pack(&rest)[..]).map_err(broken)?;
        }
        tx.commit().map_err(broken)?;
        Ok(head)
    }
}

impl Waiting {
    fn at(head: VaultHead) -> Waiting {
        Waiting { before: head, after: head, records: Vec::new() }
    }

    fn is_full(&self, more: usize) -> bool {
        let bytes: usize = self.records.iter().map(|record| record.len()).sum();
        self.records.len() >= RECORDS_MAX || bytes + more > MESSAGE_BYTES
    }

    fn push(&mut self, record: &[u8]) {
        self.after = self.after.next(record);
        self.records.push(ByteBuf::from(record));
    }
}

/// Writes a batch, and into the vault's queue what of it belongs there.
pub(super) fn write_logged(tx: &WriteTransaction, changes: &[Change]) -> Result<(), StoreFault> {
    let begun = redb::meta_in::<Key>(tx, KEY)?.is_some();
    let mut logged = Vec::new();
    for change in changes {
        if begun && belongs_in_vault(change) {
            logged.extend(log(tx, change)?);
        }
        redb::write(tx, change)?;
    }
    if logged.is_empty() { Ok(()) } else { queue(tx, &logged) }
}

/// What of a change is new against what is on disk.
fn log(tx: &WriteTransaction, change: &Change) -> Result<Option<Logged>, StoreFault> {
    let whole = |what, bytes: Vec<u8>| Ok(Some(Logged::Whole(what, ByteBuf::from(bytes))));
    let row = |row: Row, key: Vec<u8>, after: Vec<u8>| {
        let before = row.get(tx, &key)?.unwrap_or_default();
        Ok(Some(Logged::Row(row, ByteBuf::from(key), Patch::between(&before, &after))))
    };
    match change {
        Change::Note(note) => row(Row::Note, note.number.to_be_bytes().to_vec(), pack(note)),
        Change::Outgoing(payment) => row(Row::Outgoing, payment.id.0.to_vec(), pack(payment)),
        Change::Incoming(payment) => {
            row(Row::Incoming, redb::incoming_key(&payment.payer, &payment.payment), pack(payment))
        }
        Change::Request(record) => row(Row::Request, record.request.unverified().id.0.to_vec(), pack(record)),
        Change::BankOp(op) => row(Row::BankOp, op.id.0.to_vec(), pack(op)),
        Change::Claim(claim) => row(Row::Claim, claim.id.0.to_vec(), pack(claim)),
        Change::Case(case) => row(Row::Case, case.state.case.to_be_bytes().to_vec(), pack(case)),
        Change::Purchase(purchase) => row(Row::Purchase, purchase.id.0.to_vec(), pack(purchase)),
        Change::Fork(fork) => whole(Whole::Fork, pack(fork)),
        Change::History(entry) => whole(Whole::History, entry.to_bytes()),
        Change::Event(event) => whole(Whole::Event, redb::pack_event(event)),
        Change::Answered(answered) => whole(Whole::Answered, pack(answered)),
        Change::BankKey(certificate) => whole(Whole::BankKey, certificate.to_bytes()),
        Change::Letter(letter) => whole(Whole::Letter, letter.to_bytes()),
        Change::Account(balance) => whole(Whole::Account, pack(balance)),
        Change::Policy(policy) => whole(Whole::Policy, pack(policy)),
        Change::Ticket(..)
        | Change::TicketsTaken(_)
        | Change::Stock(_)
        | Change::Token(_)
        | Change::TokenRevoked(_)
        // The bank tells it again; what speaks against the bank is not left with it.
        | Change::Revocation(_)
        | Change::Bulletin(_)
        | Change::BankFault(_)
        | Change::Fence(_)
        | Change::Fenced(_)
        | Change::Quarantine(_)
        | Change::Told(..) => Ok(None),
    }
}

/// The change that a logged one stands for, on top of what is on disk.
fn read(
    tx: &WriteTransaction,
    logged: Logged,
    account: u64,
    number: u64,
) -> Result<Option<Change>, ReplayFlaw> {
    let unreadable = || ReplayFlaw::Unreadable(number);
    let found = match logged {
        Logged::Row(row, key, patch) => {
            let before = row.get(tx, &key)?.unwrap_or_default();
            let after = patch.onto(&before).ok_or_else(unreadable)?;
            match row {
                Row::Note => Change::Note(unpack("vault", &after)?),
                Row::Outgoing => Change::Outgoing(unpack("vault", &after)?),
                Row::Incoming => Change::Incoming(unpack("vault", &after)?),
                Row::Request => Change::Request(unpack("vault", &after)?),
                Row::BankOp => Change::BankOp(unpack("vault", &after)?),
                Row::Claim => Change::Claim(unpack("vault", &after)?),
                Row::Case => Change::Case(unpack("vault", &after)?),
                Row::Purchase => Change::Purchase(unpack("vault", &after)?),
            }
        }
        Logged::Whole(what, bytes) => match what {
            Whole::Origin => {
                let origin: Origin = unpack("vault", &bytes)?;
                return if origin.account == account {
                    Ok(None)
                } else {
                    Err(ReplayFlaw::OtherAccount(origin.account))
                };
            }
            Whole::History => {
                let entry = crate::wallet::history::Entry::from_bytes(&bytes);
                Change::History(entry.map_err(|_| unreadable())?)
            }
            Whole::Event => Change::Event(redb::unpack_event(&bytes)?),
            Whole::Answered => Change::Answered(unpack("vault", &bytes)?),
            Whole::BankKey => {
                Change::BankKey(protocol::sign::Signed::from_bytes(&bytes).map_err(|_| unreadable())?)
            }
            Whole::Letter => {
                Change::Letter(protocol::sign::Signed::from_bytes(&bytes).map_err(|_| unreadable())?)
            }
            Whole::Account => Change::Account(unpack("vault", &bytes)?),
            Whole::Policy => Change::Policy(unpack("vault", &bytes)?),
            Whole::Fork => Change::Fork(unpack("vault", &bytes)?),
        },
    };
    Ok(Some(found))
}

impl Row {
    fn get(self, tx: &WriteTransaction, key: &[u8]) -> Result<Option<Vec<u8>>, StoreFault> {
        let named = |table: TableDefinition<'static, &'static [u8], &'static [u8]>| -> Result<Option<Vec<u8>>, StoreFault> {
            let table = tx.open_table(table).map_err(broken)?;
            Ok(table.get(key).map_err(broken)?.map(|value| value.value().to_vec()))
        };
        let numbered = |tables: &[TableDefinition<'static, u64, &'static [u8]>]| {
            let number = <[u8; 8]>::try_from(key).map_err(|_| StoreFault::Unreadable("vault"))?;
            for table in tables {
                let table = tx.open_table(*table).map_err(broken)?;
                if let Some(found) = table.get(u64::from_be_bytes(number)).map_err(broken)? {
                    return Ok(Some(found.value().to_vec()));
                }
            }
            Ok(None)
        };
        match self {
            Row::Note => numbered(&[LIVE_NOTES, SPENT_NOTES]),
            Row::Case => numbered(&[cases::CASES]),
            Row::Claim => named(cases::CLAIMS),
            Row::Purchase => named(cases::PURCHASES),
            Row::Outgoing => named(OUTGOING),
            Row::Incoming => named(INCOMING),
            Row::Request => named(REQUESTS),
            Row::BankOp => named(BANK_OPS),
        }
    }
}

/// Everything that is in the store when the vault is begun.
fn all_rows(tx: &WriteTransaction) -> Result<Vec<Logged>, StoreFault> {
    let mut all = Vec::new();
    let whole = |what, bytes: &[u8]| Logged::Whole(what, ByteBuf::from(bytes));
    let row =
        |row, key: &[u8], bytes: &[u8]| Logged::Row(row, ByteBuf::from(key), Patch::between(&[], bytes));
    for (table, what) in
        [(redb::BANK_KEYS, Whole::BankKey), (redb::ANSWERED, Whole::Answered), (cases::FORKS, Whole::Fork)]
    {
        for found in tx.open_table(table).map_err(broken)?.iter().map_err(broken)? {
            all.push(whole(what, found.map_err(broken)?.1.value()));
        }
    }
    for (name, what) in [(redb::POLICY, Whole::Policy), (redb::ACCOUNT, Whole::Account)] {
        let meta = tx.open_table(META).map_err(broken)?;
        if let Some(found) = meta.get(name).map_err(broken)? {
            all.push(whole(what, found.value()));
        }
    }
    for (table, what) in [(LIVE_NOTES, Row::Note), (SPENT_NOTES, Row::Note), (cases::CASES, Row::Case)] {
        for found in tx.open_table(table).map_err(broken)?.iter().map_err(broken)? {
            let (number, bytes) = found.map_err(broken)?;
            all.push(row(what, &number.value().to_be_bytes(), bytes.value()));
        }
    }
    let named = [
        (OUTGOING, Row::Outgoing),
        (INCOMING, Row::Incoming),
        (REQUESTS, Row::Request),
        (BANK_OPS, Row::BankOp),
        (cases::CLAIMS, Row::Claim),
        (cases::PURCHASES, Row::Purchase),
    ];
    for (table, what) in named {
        for found in tx.open_table(table).map_err(broken)?.iter().map_err(broken)? {
            let (key, bytes) = found.map_err(broken)?;
            all.push(row(what, key.value(), bytes.value()));
        }
    }
    let numbered =
        [(redb::LETTERS, Whole::Letter), (redb::HISTORY, Whole::History), (redb::EVENTS, Whole::Event)];
    for (table, what) in numbered {
        for found in tx.open_table(table).map_err(broken)?.iter().map_err(broken)? {
            all.push(whole(what, found.map_err(broken)?.1.value()));
        }
    }
    Ok(all)
}

/// Packs what was logged, cuts it into records, and seals each at its place.
fn queue(tx: &WriteTransaction, logged: &[Logged]) -> Result<(), StoreFault> {
    let key: Key = redb::meta_in(tx, KEY)?.ok_or(StoreFault::Unreadable("vault"))?;
    let mut head: VaultHead = redb::meta_in(tx, HEAD)?.unwrap_or_default();
    let bytes = pack(&logged);
    let parts: Vec<&[u8]> = bytes.chunks(PART).collect();
    let mut table = tx.open_table(QUEUE).map_err(broken)?;
    for (at, part) in parts.iter().enumerate() {
        let kind = if at == 0 { BEGINS } else { 0 } | if at + 1 == parts.len() { ENDS } else { 0 };
        let plain = zeroize::Zeroizing::new([&[kind], *part].concat());
        let record = seal_record(&key, &head.place(), &plain, &mut chance())
            .map_err(|flaw| StoreFault::Broken(format!("the vault's key: {flaw}")))?;
        head = head.next(&record);
        table.insert(head.records, &record[..]).map_err(broken)?;
    }
    let mut meta = tx.open_table(META).map_err(broken)?;
    meta.insert(HEAD, &pack(&head)[..]).map_err(broken)?;
    let commits: u64 = meta.get(COMMITS).map_err(broken)?.map_or(Ok(0), |n| unpack("meta", n.value()))?;
    meta.insert(COMMITS, &pack(&(commits + 1))[..]).map_err(broken)?;
    Ok(())
}
