//! The floor of a payment: its commits and nothing else.
//!
//! | commit | by | rows |
//! |---|---|---|
//! | begin | payer | the call's answer, the payment, open, an event |
//! | sent | payer | the note with units held, the payment with order and notes, open, a line of history, an event |
//! | credit | payee | the new note, its name under its root, the payment, its name, the request, a line of history, an event |
//! | receipt | payer | the note without the held units, the payment with its receipt, no longer open, an event |
//!
//! Counted in `daemon/src/wallet/{paying,receiving}.rs`; how long the rows are is looked up in the stores of
//! the same run. Keys are as random, and tables as many, as there.

use protocol::node::chance::chance_bytes;
use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition, TableHandle};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

type Named = TableDefinition<'static, &'static [u8], &'static [u8]>;
type Numbered = TableDefinition<'static, u64, &'static [u8]>;

/// Mean lengths of rows by table.
pub(super) type Sizes = BTreeMap<String, usize>;

/// A wallet's cache, as `daemon::store` sets it.
const CACHE_BYTES: usize = 8 << 20;

/// What a commit does to a table.
#[derive(Clone, Copy)]
enum Row {
    /// A row under a random key of so many bytes, as long as the table's rows are.
    Named(Named, usize),
    /// The same, so many bytes long: the payment before it has an order and notes.
    Short(Named, usize, usize),
    /// The same, without a value.
    Marked(Named, usize),
    /// A row that is taken away again.
    Unmarked(Named),
    /// A row under the next number.
    Numbered(Numbered),
    /// A row under a number that was there before.
    Again(Numbered),
}

const ANSWERED: Named = Named::new("answered");
const OUTGOING: Named = Named::new("outgoing");
const OPEN_OUTGOING: Named = Named::new("open_outgoing");
const INCOMING: Named = Named::new("incoming");
const INCOMING_BY_ID: Named = Named::new("incoming_by_id");
const REQUESTS: Named = Named::new("requests");
const NOTES_BY_ROOT: Named = Named::new("notes_by_root");
const LIVE_NOTES: Numbered = Numbered::new("live_notes");
const HISTORY: Numbered = Numbered::new("history");
const EVENTS: Numbered = Numbered::new("events");

/// A commit of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Begin,
    Sent,
    Credit,
    Receipt,
}

impl Step {
    /// In the order in which they follow each other.
    pub(super) const DIRECT: [Step; 4] = [Step::Begin, Step::Sent, Step::Credit, Step::Receipt];

    fn rows(self) -> &'static [Row] {
        match self {
            Step::Begin => &[
                Row::Named(ANSWERED, 40),
                Row::Short(OUTGOING, 16, 300),
                Row::Marked(OPEN_OUTGOING, 16),
                Row::Numbered(EVENTS),
            ],
            Step::Sent => &[
                Row::Again(LIVE_NOTES),
                Row::Named(OUTGOING, 16),
                Row::Marked(OPEN_OUTGOING, 16),
                Row::Numbered(HISTORY),
                Row::Numbered(EVENTS),
            ],
            Step::Credit => &[
                Row::Numbered(LIVE_NOTES),
                Row::Marked(NOTES_BY_ROOT, 40),
                Row::Named(INCOMING, 48),
                Row::Marked(INCOMING_BY_ID, 48),
                Row::Named(REQUESTS, 16),
                Row::Numbered(HISTORY),
                Row::Numbered(EVENTS),
            ],
            Step::Receipt => &[
                Row::Again(LIVE_NOTES),
                Row::Named(OUTGOING, 16),
                Row::Unmarked(OPEN_OUTGOING),
                Row::Numbered(EVENTS),
            ],
        }
    }
}

/// A store with a wallet's tables, and rows as long as those of real wallets.
pub(super) struct BareWallet {
    db: Database,
    sizes: Sizes,
    next: AtomicU64,
}

impl BareWallet {
    /// A new one that holds so many payments already, so that its trees are as high as the wallet's.
    pub(super) fn make(path: &Path, sizes: Sizes, payments: usize) -> Result<BareWallet, redb::Error> {
        let db = Database::builder().set_cache_size(CACHE_BYTES).create(path)?;
        let wallet = BareWallet { db, sizes, next: AtomicU64::new(1) };
        for step in Step::DIRECT {
            wallet.commit(step, payments.max(1))?;
        }
        Ok(wallet)
    }

    /// One commit with this step of so many payments.
    pub(super) fn commit(&self, step: Step, payments: usize) -> Result<(), redb::Error> {
        let tx = self.db.begin_write()?;
        for row in step.rows() {
            self.write(&tx, *row, payments)?;
        }
        tx.commit()?;
        Ok(())
    }

    fn write(&self, tx: &redb::WriteTransaction, row: Row, payments: usize) -> Result<(), redb::Error> {
        match row {
            Row::Named(table, key) => self.insert(tx, table, key, self.size(table.name(), key), payments),
            Row::Short(table, key, length) => self.insert(tx, table, key, length, payments),
            Row::Marked(table, key) => self.insert(tx, table, key, 0, payments),
            Row::Unmarked(table) => {
                let mut table = tx.open_table(table)?;
                for _ in 0..payments {
                    table.pop_first()?;
                }
                Ok(())
            }
            Row::Numbered(table) | Row::Again(table) => {
                let (value, mut table) = (vec![7; self.size(table.name(), 8)], tx.open_table(table)?);
                for _ in 0..payments {
                    let number = match row {
                        Row::Again(_) => 1,
                        _ => self.next.fetch_add(1, Ordering::Relaxed),
                    };
                    table.insert(number, &value[..])?;
                }
                Ok(())
            }
        }
    }

    fn insert(
        &self,
        tx: &redb::WriteTransaction,
        table: Named,
        key: usize,
        length: usize,
        payments: usize,
    ) -> Result<(), redb::Error> {
        let (value, mut table) = (vec![7; length], tx.open_table(table)?);
        for _ in 0..payments {
            table.insert(&name(key)[..], &value[..])?;
        }
        Ok(())
    }

    /// How long a value of this table is, without its key.
    fn size(&self, table: &str, key: usize) -> usize {
        self.sizes.get(table).map_or(64, |row| row.saturating_sub(key))
    }
}

fn name(length: usize) -> Vec<u8> {
    let chance: [u8; 64] = chance_bytes();
    chance.into_iter().cycle().take(length).collect()
}

/// How many bytes a row of each table has on average in this store, key and value together.
pub(super) fn row_sizes(path: &Path) -> Result<Sizes, redb::Error> {
    let db = Database::open(path)?;
    let tx = db.begin_read()?;
    let mut sizes = BTreeMap::new();
    for handle in tx.list_tables()? {
        let name = handle.name().to_owned();
        let stats = match tx.open_table(TableDefinition::<&[u8], &[u8]>::new(handle.name())) {
            Ok(table) => (table.len()?, table.stats()?.stored_bytes()),
            Err(_) => {
                let table = tx.open_table(TableDefinition::<u64, &[u8]>::new(handle.name()))?;
                (table.len()?, table.stats()?.stored_bytes())
            }
        };
        let mean = stats.1.checked_div(stats.0).unwrap_or(0);
        sizes.insert(name, usize::try_from(mean).unwrap_or(0));
    }
    Ok(sizes)
}
