//! Links: what an owner signs to hand units on (SPEC §2.9).

use crate::body::{Body, Malformed, Reader, Writer};
use crate::id::{Digest, Key};
use crate::range::Range;

/// Where a link hands its units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// To whoever holds this note key.
    Key(Key),
    /// To the bank, for exactly the redemption with this digest and no other.
    Redeem(Digest),
    /// To the bank, as a reclaim with this digest.
    Reclaim(Digest),
}

/// Hands `range` on to `to`; signed by the key that the body before it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Digest of the root or link before it.
    pub prev: Digest,
    /// Units handed on: inside those of the body before it.
    pub range: Range,
    /// To whom.
    pub to: Destination,
}

impl Body for Link {
    const TYPE: &'static str = "link";

    fn write(&self, out: &mut Writer) {
        let (kind, to) = match &self.to {
            Destination::Key(key) => (1, &key.0),
            Destination::Redeem(sink) => (2, &sink.0),
            Destination::Reclaim(sink) => (3, &sink.0),
        };
        out.u8(1).raw(&self.prev.0).u64(self.range.start()).u64(self.range.end()).u8(kind).raw(to);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let prev = Digest(from.array()?);
        let (start, end) = (from.u64()?, from.u64()?);
        let range = Range::new(start, end).map_err(|_| from.flaw("not a range"))?;
        let (kind, to) = (from.u8()?, from.array()?);
        let to = match kind {
            1 => Destination::Key(Key(to)),
            2 => Destination::Redeem(Digest(to)),
            3 => Destination::Reclaim(Digest(to)),
            _ => return Err(from.flaw("unknown destination")),
        };
        Ok(Link { prev, range, to })
    }
}
