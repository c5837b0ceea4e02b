//! The books on disk: one redb file, one writer, a commit for each batch.

use super::shelf::{Pair, Shelf, ShelfMut, Store, Table};
use crate::ledger::Fault;
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Pages kept in memory. redb's own default is a gigabyte.
const CACHE_BYTES: usize = 64 << 20;

type Bytes = &'static [u8];
type Definition = TableDefinition<'static, Bytes, Bytes>;

/// A store in one file.
#[derive(Debug)]
pub struct Redb {
    database: Database,
}

/// What was durable when it was taken.
pub struct Snapshot(Vec<ReadOnlyTable<Bytes, Bytes>>);

/// A commit in the making.
pub struct Draft<'t>(Vec<redb::Table<'t, Bytes, Bytes>>);

const fn definition(table: Table) -> Definition {
    TableDefinition::new(table.name())
}

fn fault(error: impl Into<redb::Error>) -> Fault {
    Fault::Store(error.into().to_string())
}

fn missing() -> Fault {
    Fault::Damaged("a table is missing".to_owned())
}

impl Redb {
    /// Opens the file, or makes it, for its owner alone.
    pub fn open(path: &Path) -> Result<Redb, Fault> {
        // redb would make it with whatever mode the umask leaves.
        let empty = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        drop(empty.map_err(|why| Fault::Store(format!("{}: {why}", path.display())))?);
        let database = Database::builder().set_cache_size(CACHE_BYTES).create(path).map_err(fault)?;
        let store = Redb { database };
        // Makes the tables, so that readers find them.
        store.write(|_| Ok(()))?;
        Ok(store)
    }
}

impl Store for Redb {
    type Reader = Snapshot;
    type Writer<'w> = Draft<'w>;

    fn read(&self) -> Result<Snapshot, Fault> {
        let reading = self.database.begin_read().map_err(fault)?;
        let tables = Table::ALL.iter().map(|table| reading.open_table(definition(*table)));
        Ok(Snapshot(tables.collect::<Result<_, _>>().map_err(fault)?))
    }

    fn write<T>(&self, work: impl FnOnce(&mut Draft<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut writing = self.database.begin_write().map_err(fault)?;
        // On every commit, or the next start after a crash reads the whole file (10 s at ten million records).
        writing.set_quick_repair(true);
        let done = {
            let tables = Table::ALL.iter().map(|table| writing.open_table(definition(*table)));
            let mut draft = Draft(tables.collect::<Result<_, _>>().map_err(fault)?);
            work(&mut draft)
        };
        match done {
            Ok(done) => writing.commit().map_err(fault).map(|()| done),
            Err(why) => {
                writing.abort().map_err(fault)?;
                Err(why)
            }
        }
    }
}

fn get(table: &impl ReadableTable<Bytes, Bytes>, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    Ok(table.get(key).map_err(fault)?.map(|value| value.value().to_vec()))
}

fn before(table: &impl ReadableTable<Bytes, Bytes>, key: &[u8]) -> Result<Option<Pair>, Fault> {
    let last = table.range::<&[u8]>(..key).map_err(fault)?.next_back().transpose().map_err(fault)?;
    Ok(last.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
}

fn from(table: &impl ReadableTable<Bytes, Bytes>, key: &[u8], limit: usize) -> Result<Vec<Pair>, Fault> {
    let pairs = table.range::<&[u8]>(key..).map_err(fault)?.take(limit);
    pairs
        .map(|pair| pair.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
        .collect::<Result<_, _>>()
        .map_err(fault)
}

fn place(table: Table) -> usize {
    // The tables are opened in the order of `Table::ALL`, which is that of the enum.
    Table::ALL.partition_point(|other| *other < table)
}

impl Shelf for Snapshot {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        get(self.0.get(place(table)).ok_or_else(missing)?, key)
    }

    fn before(&self, table: Table, key: &[u8]) -> Result<Option<Pair>, Fault> {
        before(self.0.get(place(table)).ok_or_else(missing)?, key)
    }

    fn from(&self, table: Table, key: &[u8], limit: usize) -> Result<Vec<Pair>, Fault> {
        from(self.0.get(place(table)).ok_or_else(missing)?, key, limit)
    }
}

impl Shelf for Draft<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        get(self.0.get(place(table)).ok_or_else(missing)?, key)
    }

    fn before(&self, table: Table, key: &[u8]) -> Result<Option<Pair>, Fault> {
        before(self.0.get(place(table)).ok_or_else(missing)?, key)
    }

    fn from(&self, table: Table, key: &[u8], limit: usize) -> Result<Vec<Pair>, Fault> {
        from(self.0.get(place(table)).ok_or_else(missing)?, key, limit)
    }
}

impl ShelfMut for Draft<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        let table = self.0.get_mut(place(table)).ok_or_else(missing)?;
        table.insert(key, value).map(|_| ()).map_err(fault)
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), Fault> {
        let table = self.0.get_mut(place(table)).ok_or_else(missing)?;
        table.remove(key).map(|_| ()).map_err(fault)
    }
}
