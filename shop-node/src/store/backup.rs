//! The shop's book as a file that only the shop's seed opens, and back (ADR 0006).
//!
//! ```text
//! mark ‖ length ‖ about (open) ‖ (length ‖ sealed part)…     rows of one moment, in parts of 60 KiB, the last one marked
//! ```
//! It is sealed to the key of the vault, so a locked shop writes it and only recovery phrase or private code read it. Each part
//! is sealed at its place, behind all that was before: none can be left out, moved, or taken from another file.

use super::{
    Bytes, EVENTS, NAMED, NUMBERED, Numbered, PERIOD, ShopStore, broken, last, orders, pack, unpack,
};
use crate::shop::change::Event;
use crate::shop::day::Period;
use crate::shop::hearing::Cursor;
use daemon::store::StoreFault;
use protocol::bank::VaultHead;
use protocol::body;
use protocol::id::{BankId, Digest, Key};
use protocol::node::chance::chance;
use protocol::seal::{RECORD_OVERHEAD, ViewKey, open_record, seal_record};
use protocol::time::{Day, Timestamp};
use redb::{ReadTransaction, ReadableDatabase as _, ReadableTable as _};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::io::{self, Read, Write};

const MARK: &[u8; 16] = b"stermina-book-1\n";
/// Bytes of rows in one part.
const PART: usize = 60 << 10;
/// A row is no longer: a sweep's list is.
const ROW_MAX: usize = 1 << 20;
const ABOUT_MAX: usize = 4096;
const MORE: u8 = 0;
const END: u8 = 1;

/// What a backup says of itself without being opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The bank.
    pub bank: BankId,
    /// Whose book it is.
    pub shop: Key,
    /// When it was made.
    pub made: Timestamp,
    /// The newest event in it.
    pub event: u64,
    /// How many Z reports are in it.
    pub reports: u64,
    /// The day that the last of them closed.
    pub closed: Option<Day>,
    /// What the wallet's event and line looked like up to which it had been heard.
    pub wallet: Digest,
}

/// Why a backup is of no use.
#[derive(Debug, thiserror::Error)]
pub enum BackupFlaw {
    /// It can't be read or written.
    #[error("{0}")]
    Disk(#[from] io::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// Something else, or only a part of it.
    #[error("this is no whole backup of a shop's book: {0}")]
    Broken(&'static str),
    /// Sealed to another seed.
    #[error("it does not open with this shop's seed, or it was changed")]
    DoesNotOpen,
    /// It could not be sealed.
    #[error("the key that it should be sealed to is none")]
    BadKey,
}

/// The book at one moment; what is written meanwhile is not in it.
pub struct Snapshot {
    tx: ReadTransaction,
    /// The newest event.
    pub event: u64,
    /// What was booked.
    pub period: Period,
    /// Up to where the wallet was heard.
    pub cursor: Cursor,
}

#[derive(Serialize, Deserialize)]
struct Row(String, ByteBuf, ByteBuf);

impl ShopStore {
    /// The book as it is now.
    pub fn snapshot(&self) -> Result<Snapshot, StoreFault> {
        let tx = self.db.begin_read().map_err(broken)?;
        let event = match last(&tx, EVENTS)? {
            Some((_, bytes)) => unpack::<Event>("events", &bytes)?.seq,
            None => 0,
        };
        let meta = tx.open_table(super::META).map_err(broken)?;
        let period = meta.get(PERIOD).map_err(broken)?;
        let period = period.map(|bytes| unpack("period", bytes.value())).transpose()?.unwrap_or_default();
        let cursor = meta.get(super::CURSOR).map_err(broken)?;
        let cursor = cursor.map(|bytes| unpack("cursor", bytes.value())).transpose()?.unwrap_or_default();
        drop(meta);
        Ok(Snapshot { tx, event, period, cursor })
    }
}

/// What is written, part by part.
struct Sealing<'a, W> {
    out: W,
    key: &'a Key,
    head: VaultHead,
    rows: Vec<u8>,
}

impl<W: Write> Sealing<'_, W> {
    fn row(&mut self, row: &Row) -> Result<(), BackupFlaw> {
        let bytes = pack(row);
        self.rows.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.rows.extend(bytes);
        while self.rows.len() > PART {
            let rest = self.rows.split_off(PART);
            self.part(MORE)?;
            self.rows = rest;
        }
        Ok(())
    }

    fn part(&mut self, mark: u8) -> Result<(), BackupFlaw> {
        let plain = [&[mark], &self.rows[..]].concat();
        self.rows.clear();
        let sealed = seal_record(self.key, &self.head.place(), &plain, &mut chance())
            .map_err(|_| BackupFlaw::BadKey)?;
        self.head = self.head.next(&sealed);
        framed(&mut self.out, &sealed)
    }
}

fn framed(out: &mut impl Write, bytes: &[u8]) -> Result<(), BackupFlaw> {
    out.write_all(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes())?;
    out.write_all(bytes)?;
    Ok(())
}

fn unframed(from: &mut impl Read, most: usize) -> Result<Vec<u8>, BackupFlaw> {
    let mut length = [0; 4];
    from.read_exact(&mut length).map_err(|_| BackupFlaw::Broken("it ends too early"))?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > most {
        return Err(BackupFlaw::Broken("a part is too long"));
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).map_err(|_| BackupFlaw::Broken("it ends too early"))?;
    Ok(bytes)
}

fn first(about: &[u8]) -> VaultHead {
    VaultHead { records: 0, digest: body::digest("shop-book", about) }
}

impl Snapshot {
    /// Writes it, sealed to `key`. The digest of all that was written.
    pub fn write(&self, about: &About, key: &Key, mut out: impl Write) -> Result<Digest, BackupFlaw> {
        let about = pack(about);
        out.write_all(MARK)?;
        framed(&mut out, &about)?;
        let mut sealing = Sealing { out, key, head: first(&about), rows: Vec::new() };
        for table in NAMED.into_iter().chain(orders::NAMED) {
            self.named(table, &mut sealing)?;
        }
        for table in NUMBERED {
            self.numbered(table, &mut sealing)?;
        }
        sealing.part(END)?;
        sealing.out.flush()?;
        Ok(sealing.head.digest)
    }

    fn named(&self, table: Bytes, sealing: &mut Sealing<'_, impl Write>) -> Result<(), BackupFlaw> {
        let name = redb::TableHandle::name(&table).to_owned();
        for row in self.tx.open_table(table).map_err(broken)?.iter().map_err(broken)? {
            let (key, value) = row.map_err(broken)?;
            sealing.row(&Row(name.clone(), ByteBuf::from(key.value()), ByteBuf::from(value.value())))?;
        }
        Ok(())
    }

    fn numbered(&self, table: Numbered, sealing: &mut Sealing<'_, impl Write>) -> Result<(), BackupFlaw> {
        let name = redb::TableHandle::name(&table).to_owned();
        for row in self.tx.open_table(table).map_err(broken)?.iter().map_err(broken)? {
            let (key, value) = row.map_err(broken)?;
            let key = ByteBuf::from(key.value().to_be_bytes());
            sealing.row(&Row(name.clone(), key, ByteBuf::from(value.value())))?;
        }
        Ok(())
    }
}

/// What a backup says of itself.
pub fn about(from: &mut impl Read) -> Result<About, BackupFlaw> {
    Ok(opening(from)?.0)
}

fn opening(from: &mut impl Read) -> Result<(About, VaultHead), BackupFlaw> {
    let mut mark = [0; MARK.len()];
    from.read_exact(&mut mark).map_err(|_| BackupFlaw::Broken("it is too short"))?;
    if mark != *MARK {
        return Err(BackupFlaw::Broken("it begins otherwise"));
    }
    let bytes = unframed(from, ABOUT_MAX)?;
    let about = unpack("about", &bytes).map_err(|_| BackupFlaw::Broken("what it is about can't be read"))?;
    Ok((about, first(&bytes)))
}

/// Reads a backup to its end without opening it: the digest that [`Snapshot::write`] gave, if all is there.
pub fn reread(from: &mut impl Read) -> Result<Digest, BackupFlaw> {
    let (_, mut head) = opening(from)?;
    loop {
        match unframed(from, PART + RECORD_OVERHEAD + 1) {
            Ok(sealed) => head = head.next(&sealed),
            Err(_) if head.records > 0 => return Ok(head.digest),
            Err(flaw) => return Err(flaw),
        }
    }
}

/// Puts a backup's rows into a store in which nothing is yet. All of them, or an error.
pub fn bring_back(from: &mut impl Read, mine: &ViewKey, store: &ShopStore) -> Result<About, BackupFlaw> {
    let (about, mut head) = opening(from)?;
    let tx = store.db.begin_write().map_err(broken)?;
    let mut rows = Vec::new();
    loop {
        let sealed = unframed(from, PART + RECORD_OVERHEAD + 1)?;
        let plain = open_record(mine, &head.place(), &sealed).map_err(|_| BackupFlaw::DoesNotOpen)?;
        head = head.next(&sealed);
        let (mark, part) = plain.split_first().ok_or(BackupFlaw::Broken("a part is empty"))?;
        rows.extend_from_slice(part);
        let mut rest = &rows[..];
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            if length > ROW_MAX {
                return Err(BackupFlaw::Broken("a row is too long"));
            }
            let Some((row, after)) = after.split_at_checked(length) else { break };
            put_row(&tx, unpack("row", row).map_err(|_| BackupFlaw::Broken("a row can't be read"))?)?;
            rest = after;
        }
        rows = rest.to_vec();
        match *mark {
            MORE => {}
            END if rows.is_empty() => break,
            _ => return Err(BackupFlaw::Broken("its last row is cut")),
        }
    }
    if from.read(&mut [0; 1])? != 0 {
        return Err(BackupFlaw::Broken("something follows its end"));
    }
    tx.commit().map_err(broken)?;
    Ok(about)
}

fn put_row(tx: &redb::WriteTransaction, Row(name, key, value): Row) -> Result<(), BackupFlaw> {
    let is = |handle: &str| handle == name;
    if let Some(table) =
        NAMED.into_iter().chain(orders::NAMED).find(|table| is(redb::TableHandle::name(table)))
    {
        return Ok(super::put(tx, table, &key, &value)?);
    }
    let table = NUMBERED.into_iter().find(|table| is(redb::TableHandle::name(table)));
    let table = table.ok_or(BackupFlaw::Broken("it is from a newer shop-node"))?;
    let key = key.as_slice().try_into().map_err(|_| BackupFlaw::Broken("a number is none"))?;
    Ok(super::put_numbered(tx, table, u64::from_be_bytes(key), &value)?)
}
