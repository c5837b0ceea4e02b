//! A frame of the redo log: the writes of one commit, in order, chained by digest (SPEC §4.15).

use crate::ledger::Fault;
use crate::store::shelf::{ShelfMut, Table};
use protocol::body::{Body, Malformed, Reader, Writer, digest};
use protocol::id::Digest;
use std::io::{self, Read};

/// Bytes before the writes: their length, number, term, entry, the digest of the frame before.
pub(super) const HEAD_BYTES: usize = 4 + 8 + 8 + 8 + 32;
/// Most bytes of writes: far above what 256 requests can write.
const WRITES_MAX: usize = 1 << 30;
/// What a write begins with: a value set, with table, key and value; or a key taken away, with table and key.
const PUT: u8 = 1;
const REMOVE: u8 = 2;

/// Where books stand: at which frame of the redo log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The frame's number, 0 before the first.
    pub frame: u64,
    /// The opening of the bank in which it was written.
    pub term: u64,
    /// The newest journal entry after it.
    pub entry: u64,
    /// The frame's digest.
    pub digest: Digest,
}

impl Body for Mark {
    const TYPE: &'static str = "redo-mark";

    fn write(&self, out: &mut Writer) {
        out.u64(self.frame).u64(self.term).u64(self.entry).raw(&self.digest.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (frame, term, entry) = (from.u64()?, from.u64()?, from.u64()?);
        Ok(Mark { frame, term, entry, digest: Digest(from.array()?) })
    }
}

/// The writes of a commit, as they will stand in a frame.
#[derive(Clone, Debug, Default)]
pub(super) struct Writes {
    bytes: Vec<u8>,
    /// The highest journal entry among them.
    entry: Option<u64>,
}

impl Writes {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Tables stand by name: their order in the code may change.
    pub(super) fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        self.add(PUT, &[table.name().as_bytes(), key, value])?;
        if let (Table::Journal, Ok(number)) = (table, key.try_into()) {
            self.entry = self.entry.max(Some(u64::from_be_bytes(number)));
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), Fault> {
        self.add(REMOVE, &[table.name().as_bytes(), key])
    }

    fn add(&mut self, kind: u8, parts: &[&[u8]]) -> Result<(), Fault> {
        let too_long = |_| Fault::Store("a record is too long for the redo log".to_owned());
        self.bytes.push(kind);
        for part in parts {
            self.bytes.extend(u32::try_from(part.len()).map_err(too_long)?.to_be_bytes());
            self.bytes.extend(*part);
        }
        Ok(())
    }

    /// The frame after `last` that holds them, as bytes, and where the books stand with it.
    pub(super) fn frame(&self, last: &Mark, term: u64) -> Result<(Vec<u8>, Mark), Fault> {
        let length = u32::try_from(self.bytes.len()).ok().filter(|_| self.bytes.len() <= WRITES_MAX);
        let length =
            length.ok_or_else(|| Fault::Store("a commit is too large for the redo log".to_owned()))?;
        let frame =
            last.frame.checked_add(1).ok_or_else(|| Fault::Store("no frame number left".to_owned()))?;
        let entry = self.entry.unwrap_or(0).max(last.entry);
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.bytes.len() + 32);
        bytes.extend(length.to_be_bytes());
        for number in [frame, term, entry] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(last.digest.0);
        bytes.extend(&self.bytes);
        let digest = digest("redo-frame", &bytes);
        bytes.extend(digest.0);
        Ok((bytes, Mark { frame, term, entry, digest }))
    }
}

/// A frame that was read; its digest is right.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) mark: Mark,
    /// The digest of the frame before.
    pub(super) before: Digest,
    writes: Vec<u8>,
}

impl Frame {
    /// The next frame of a segment; `None` where no whole frame follows.
    pub(super) fn next(from: &mut impl Read, left: u64) -> io::Result<Option<Frame>> {
        let Some(length) = left.checked_sub(HEAD_BYTES as u64 + 32) else { return Ok(None) };
        let mut bytes = vec![0; HEAD_BYTES];
        from.read_exact(&mut bytes)?;
        let wanted = bytes.first_chunk::<4>().map_or(0, |length| u32::from_be_bytes(*length));
        if u64::from(wanted) > length {
            return Ok(None);
        }
        let rest = usize::try_from(wanted).map_err(io::Error::other)? + 32;
        bytes.resize(HEAD_BYTES + rest, 0);
        if let Some(rest) = bytes.get_mut(HEAD_BYTES..) {
            from.read_exact(rest)?;
        }
        Ok(Frame::read(&bytes))
    }

    fn read(bytes: &[u8]) -> Option<Frame> {
        let (body, sealed) = bytes.split_last_chunk::<32>()?;
        let (head, writes) = body.split_at_checked(HEAD_BYTES)?;
        let numbers = head.get(4..)?;
        let (frame, rest) = numbers.split_first_chunk::<8>()?;
        let (term, rest) = rest.split_first_chunk::<8>()?;
        let (entry, rest) = rest.split_first_chunk::<8>()?;
        let before = Digest(*rest.first_chunk::<32>()?);
        let digest = digest("redo-frame", body);
        let [frame, term, entry] = [frame, term, entry].map(|number| u64::from_be_bytes(*number));
        let mark = Mark { frame, term, entry, digest };
        (digest.0 == *sealed).then(|| Frame { mark, before, writes: writes.to_vec() })
    }

    /// Its length on disk.
    pub(super) fn length(&self) -> u64 {
        u64::try_from(HEAD_BYTES + self.writes.len() + 32).unwrap_or(u64::MAX)
    }

    /// Writes again what it says was written.
    pub(super) fn redo(&self, shelf: &mut dyn ShelfMut) -> Result<(), Fault> {
        let mut left = self.writes.as_slice();
        while !left.is_empty() {
            left = self.redo_one(left, shelf).ok_or_else(|| self.unreadable())??;
        }
        Ok(())
    }

    /// One write; what is left after it, or nothing if it can't be read.
    fn redo_one<'a>(&self, left: &'a [u8], shelf: &mut dyn ShelfMut) -> Option<Result<&'a [u8], Fault>> {
        let (kind, left) = left.split_first()?;
        let (name, left) = part(left)?;
        let (key, left) = part(left)?;
        let table = Table::ALL.iter().find(|table| table.name().as_bytes() == name)?;
        match *kind {
            PUT => {
                let (value, left) = part(left)?;
                Some(shelf.put(*table, key, value).map(|()| left))
            }
            REMOVE => Some(shelf.remove(*table, key).map(|()| left)),
            _ => None,
        }
    }

    fn unreadable(&self) -> Fault {
        let number = self.mark.frame;
        Fault::Damaged(format!("frame {number} of the redo log was written by a newer version"))
    }
}

fn part(left: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, left) = left.split_first_chunk::<4>()?;
    left.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// Whether a whole frame of this number begins anywhere in `bytes`: then what is before it is no torn end.
pub(super) fn holds_frame_above(bytes: &[u8], number: u64) -> bool {
    (0..bytes.len()).any(|at| {
        let bytes = bytes.get(at..).unwrap_or_default();
        let named =
            bytes.get(4..12).and_then(|named| named.first_chunk::<8>()).map(|n| u64::from_be_bytes(*n));
        let near = named.is_some_and(|named| named > number && named - number < 1 << 20);
        near && {
            let mut from = bytes;
            let left = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            Frame::next(&mut from, left).is_ok_and(|frame| frame.is_some())
        }
    })
}
