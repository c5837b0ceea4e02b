//! A disk that fails at the n-th write, and forgets at a crash what was not synced.
//!
//! What redb has written is *live*; what it has synced is *durable*. A crash keeps the durable bytes and
//! none, all or some of the writes after the last sync, as real disks do.

use super::chance::Chance;
use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a crash keeps of the writes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// None of them: the power failed.
    Nothing,
    /// All of them: only the process ended.
    Everything,
    /// Some of them, in no order.
    Some,
}

/// A disk; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Platters>>);

#[derive(Debug, Default)]
struct Platters {
    live: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Write>,
    fuse: Option<u64>,
    dead: bool,
}

#[derive(Clone, Debug)]
enum Write {
    Length(usize),
    Bytes(usize, Vec<u8>),
}

impl Disk {
    /// An empty disk.
    pub fn new() -> Disk {
        Disk::default()
    }

    fn platters(&self) -> MutexGuard<'_, Platters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails at the write or sync after this many, and at everything from then on.
    pub fn fail_after(&self, writes: u64) {
        self.platters().fuse = Some(writes);
    }

    /// Will not fail any more, unless it has.
    pub fn mend(&self) {
        self.platters().fuse = None;
    }

    /// Whether it has failed.
    pub fn is_dead(&self) -> bool {
        self.platters().dead
    }

    /// Nothing reaches it any more: the process has ended.
    pub fn kill(&self) {
        self.platters().dead = true;
    }

    /// Comes back after a crash with `kept` of what was not synced, and works.
    pub fn come_back(&self, kept: Kept, chance: &mut Chance) {
        let mut platters = self.platters();
        let mut bytes = std::mem::take(&mut platters.durable);
        for write in std::mem::take(&mut platters.unsynced) {
            let keep = match (&write, kept) {
                // The length is the file system's own business: it is there, or nothing after it is.
                (Write::Length(_), Kept::Some) | (_, Kept::Everything) => true,
                (Write::Bytes(..), Kept::Some) => chance.percent(50),
                (_, Kept::Nothing) => false,
            };
            if keep {
                write.onto(&mut bytes);
            }
        }
        *platters = Platters { durable: bytes.clone(), live: bytes, ..Platters::default() };
    }

    /// A write without bytes, for stores that keep their records in memory.
    pub(super) fn burn(&self) -> io::Result<()> {
        self.platters().burn()
    }

    /// Another disk with the same durable bytes on it.
    pub fn copy(&self) -> Disk {
        let durable = self.platters().durable.clone();
        Disk(Arc::new(Mutex::new(Platters { live: durable.clone(), durable, ..Platters::default() })))
    }
}

impl Write {
    fn onto(&self, bytes: &mut Vec<u8>) {
        match self {
            Write::Length(length) => bytes.resize(*length, 0),
            Write::Bytes(at, new) => {
                let end = at + new.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes.get_mut(*at..end).expect("it was made long enough").copy_from_slice(new);
            }
        }
    }
}

impl Platters {
    fn burn(&mut self) -> io::Result<()> {
        match self.fuse {
            _ if self.dead => {}
            Some(0) => self.dead = true,
            Some(left) => self.fuse = Some(left - 1),
            None => {}
        }
        if self.dead { Err(gone()) } else { Ok(()) }
    }

    fn put(&mut self, write: Write) -> io::Result<()> {
        self.burn()?;
        write.onto(&mut self.live);
        self.unsynced.push(write);
        Ok(())
    }
}

fn gone() -> io::Error {
    io::Error::other("the disk is gone")
}

fn place(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| gone())
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        u64::try_from(self.platters().live.len()).map_err(|_| gone())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platters = self.platters();
        if platters.dead {
            return Err(gone());
        }
        let at = place(offset)?;
        let bytes = platters.live.get(at..at + out.len()).ok_or_else(gone)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let length = place(len)?;
        self.platters().put(Write::Length(length))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platters = self.platters();
        platters.burn()?;
        for write in std::mem::take(&mut platters.unsynced) {
            write.onto(&mut platters.durable);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let at = place(offset)?;
        self.platters().put(Write::Bytes(at, data.to_vec()))
    }
}
