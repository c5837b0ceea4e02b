//! Books in memory, for tests and benchmarks: the same keys in a B-tree.

use super::shelf::{Pair, Shelf, ShelfMut, Store, Table};
use crate::ledger::Fault;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

type Map = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// A store that a power cut empties.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    committed: Arc<Mutex<Arc<Map>>>,
}

/// What was committed when it was taken.
#[derive(Debug)]
pub struct Snapshot(Arc<Map>);

/// A commit in the making.
#[derive(Debug)]
pub struct Draft(Map);

impl Memory {
    /// An empty store.
    pub fn new() -> Memory {
        Memory::default()
    }

    fn current(&self) -> Arc<Map> {
        Arc::clone(&self.committed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn get(map: &Map, table: Table, key: &[u8]) -> Option<Vec<u8>> {
    map.get(&(table, key.to_vec())).cloned()
}

fn before(map: &Map, table: Table, key: &[u8]) -> Option<Pair> {
    let range = (Bound::Included((table, Vec::new())), Bound::Excluded((table, key.to_vec())));
    map.range(range).next_back().map(|((_, key), value)| (key.clone(), value.clone()))
}

fn from(map: &Map, table: Table, key: &[u8], limit: usize) -> Vec<Pair> {
    map.range((table, key.to_vec())..)
        .take_while(|((found, _), _)| *found == table)
        .take(limit)
        .map(|((_, key), value)| (key.clone(), value.clone()))
        .collect()
}

impl Shelf for Snapshot {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(get(&self.0, table, key))
    }

    fn before(&self, table: Table, key: &[u8]) -> Result<Option<Pair>, Fault> {
        Ok(before(&self.0, table, key))
    }

    fn from(&self, table: Table, key: &[u8], limit: usize) -> Result<Vec<Pair>, Fault> {
        Ok(from(&self.0, table, key, limit))
    }
}

impl Shelf for Draft {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(get(&self.0, table, key))
    }

    fn before(&self, table: Table, key: &[u8]) -> Result<Option<Pair>, Fault> {
        Ok(before(&self.0, table, key))
    }

    fn from(&self, table: Table, key: &[u8], limit: usize) -> Result<Vec<Pair>, Fault> {
        Ok(from(&self.0, table, key, limit))
    }
}

impl ShelfMut for Draft {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        self.0.insert((table, key.to_vec()), value.to_vec());
        Ok(())
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), Fault> {
        self.0.remove(&(table, key.to_vec()));
        Ok(())
    }
}

impl Store for Memory {
    type Reader = Snapshot;
    type Writer<'w> = Draft;

    fn read(&self) -> Result<Snapshot, Fault> {
        Ok(Snapshot(self.current()))
    }

    fn write<T>(&self, work: impl FnOnce(&mut Draft) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut draft = Draft(Map::clone(&self.current()));
        let done = work(&mut draft)?;
        *self.committed.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(draft.0);
        Ok(done)
    }
}
