//! Shelves for a bank's books in memory that cost what is written, not what is there.
//!
//! The bank's own store in memory copies all of it at each commit. Here a commit writes in place and keeps
//! what it overwrote until it is done, so a life of thousands of commits stays quick.

use bank_node::ledger::Fault;
use bank_node::store::shelf::{Pair, Shelf, ShelfMut, Store, Table};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Name = (Table, Vec<u8>);

#[derive(Debug, Default)]
struct Rows {
    rows: BTreeMap<Table, BTreeMap<Vec<u8>, Vec<u8>>>,
    /// What was written since somebody asked.
    written: Vec<Name>,
}

/// The shelves; clones are the same ones.
#[derive(Clone, Debug, Default)]
pub struct Shelves(Arc<Mutex<Rows>>);

/// A commit in the making.
#[derive(Debug)]
pub struct Draft<'s> {
    rows: MutexGuard<'s, Rows>,
    undo: Vec<(Name, Option<Vec<u8>>)>,
}

impl Shelves {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Other shelves with the same on them.
    pub fn copy(&self) -> Shelves {
        let rows = self.rows().rows.clone();
        Shelves(Arc::new(Mutex::new(Rows { rows, written: Vec::new() })))
    }

    /// What was committed since the last time this was asked.
    pub fn written(&self) -> Vec<Name> {
        std::mem::take(&mut self.rows().written)
    }

    /// Changes a row behind the bank's back; nothing takes it away.
    pub fn tamper(&self, table: Table, key: &[u8], value: Option<Vec<u8>>) {
        let name = (table, key.to_vec());
        let mut rows = self.rows();
        rows.write(name, value);
    }
}

impl Rows {
    fn get(&self, table: Table, key: &[u8]) -> Option<Vec<u8>> {
        self.rows.get(&table)?.get(key).cloned()
    }

    fn before(&self, table: Table, key: &[u8]) -> Option<Pair> {
        let range = (Bound::Unbounded, Bound::Excluded(key));
        let last = self.rows.get(&table)?.range::<[u8], _>(range).next_back();
        last.map(|(key, value)| (key.clone(), value.clone()))
    }

    fn from(&self, table: Table, key: &[u8], limit: usize) -> Vec<Pair> {
        let range = (Bound::Included(key), Bound::Unbounded);
        let rows = self.rows.get(&table).into_iter().flat_map(|rows| rows.range::<[u8], _>(range));
        rows.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// Puts a row there or takes it away; what was there before.
    fn write(&mut self, (table, key): Name, value: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let rows = self.rows.entry(table).or_default();
        match value {
            Some(value) => rows.insert(key, value),
            None => rows.remove(&key),
        }
    }
}

impl Shelf for Shelves {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.rows().get(table, key))
    }

    fn before(&self, table: Table, key: &[u8]) -> Result<Option<Pair>, Fault> {
        Ok(self.rows().before(table, key))
    }

    fn from(&self, table: Table, key: &[u8], limit: usize) -> Result<Vec<Pair>, Fault> {
        Ok(self.rows().from(table, key, limit))
    }
}

impl Shelf for Draft<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.rows.get(table, key))
    }

    fn before(&self, table: Table, key: &[u8]) -> Result<Option<Pair>, Fault> {
        Ok(self.rows.before(table, key))
    }

    fn from(&self, table: Table, key: &[u8], limit: usize) -> Result<Vec<Pair>, Fault> {
        Ok(self.rows.from(table, key, limit))
    }
}

impl ShelfMut for Draft<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        let name = (table, key.to_vec());
        let before = self.rows.write(name.clone(), Some(value.to_vec()));
        self.undo.push((name, before));
        Ok(())
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), Fault> {
        let name = (table, key.to_vec());
        let before = self.rows.write(name.clone(), None);
        self.undo.push((name, before));
        Ok(())
    }
}

impl Store for Shelves {
    /// The shelves themselves: nobody here commits while somebody else still reads.
    type Reader = Shelves;
    type Writer<'w> = Draft<'w>;

    fn read(&self) -> Result<Shelves, Fault> {
        Ok(self.clone())
    }

    fn write<T>(&self, work: impl FnOnce(&mut Draft<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut draft = Draft { rows: self.rows(), undo: Vec::new() };
        let done = work(&mut draft);
        let Draft { mut rows, undo } = draft;
        match &done {
            Ok(_) => rows.written.extend(undo.into_iter().map(|(name, _)| name)),
            Err(_) => {
                for (name, before) in undo.into_iter().rev() {
                    rows.write(name, before);
                }
            }
        }
        done
    }
}
