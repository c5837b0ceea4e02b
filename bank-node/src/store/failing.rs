//! A store that dies at the n-th write, or at a commit, before or after it was durable.

use super::shelf::{Pair, Shelf, ShelfMut, Store, Table};
use crate::ledger::Fault;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Burns down with each write.
#[derive(Clone, Debug)]
pub(crate) struct Fuse(Arc<AtomicU64>);

impl Fuse {
    pub(crate) fn of(writes: u64) -> Fuse {
        Fuse(Arc::new(AtomicU64::new(writes)))
    }

    pub(crate) fn burn(&self) -> Result<(), Fault> {
        match self.0.load(Ordering::SeqCst) {
            0 => Err(Fault::Store("the disk is gone".to_owned())),
            left => {
                self.0.store(left - 1, Ordering::SeqCst);
                Ok(())
            }
        }
    }
}

pub(crate) struct Failing<S> {
    pub(crate) store: S,
    pub(crate) fuse: Fuse,
}

pub(crate) struct Writer<'w> {
    shelf: &'w mut dyn ShelfMut,
    fuse: Fuse,
}

impl Shelf for Writer<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.shelf.get(table, key)
    }

    fn before(&self, table: Table, key: &[u8]) -> Result<Option<Pair>, Fault> {
        self.shelf.before(table, key)
    }

    fn from(&self, table: Table, key: &[u8], limit: usize) -> Result<Vec<Pair>, Fault> {
        self.shelf.from(table, key, limit)
    }
}

impl ShelfMut for Writer<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        self.fuse.burn()?;
        self.shelf.put(table, key, value)
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), Fault> {
        self.fuse.burn()?;
        self.shelf.remove(table, key)
    }
}

impl<S: Store> Store for Failing<S> {
    type Reader = S::Reader;
    type Writer<'w> = Writer<'w>;

    fn read(&self) -> Result<S::Reader, Fault> {
        self.store.read()
    }

    fn write<T>(&self, work: impl FnOnce(&mut Writer<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let done = self.store.write(|shelf| {
            let done = work(&mut Writer { shelf, fuse: self.fuse.clone() })?;
            self.fuse.burn()?;
            Ok(done)
        })?;
        // Durable, and yet nobody hears of it.
        self.fuse.burn()?;
        Ok(done)
    }
}
