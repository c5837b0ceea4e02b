//! Bulletins: what the bank tells everybody, hourly and numbered, each naming the one before (SPEC §4.14, threats Y6).

use super::Reclaimed;
use crate::body::{Body, Malformed, Reader, Writer};
use crate::id::{BankId, Digest, Key};
use crate::money::Units;
use crate::range::Range;
use crate::time::{Day, Timestamp};

/// Most codes, cards or reclaimed keys in one bulletin.
pub const LISTED_MAX: usize = 1024;

/// What the bank states every hour, and at once when somebody is suspended or reclaims; signed by the bulletin key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bulletin {
    /// The bank.
    pub bank: BankId,
    /// Its number, from 1 without gaps.
    pub number: u64,
    /// Digest of the bulletin before it; zeros in the first.
    pub prev: Digest,
    /// The bank's time.
    pub at: Timestamp,
    /// The number of the last journal entry.
    pub journal: u64,
    /// How many lines the directory has.
    pub lines: u64,
    /// Units of all roots issued so far.
    pub issued: Units,
    /// Units of them redeemed so far.
    pub redeemed: Units,
    /// The day whose roots `roots` commits to: the last one that is over.
    pub day: Day,
    /// Merkle root over the roots issued on that day; zeros if there were none.
    pub roots: Digest,
    /// Suspended owners and revoked cards.
    pub suspended: Vec<Key>,
    /// Units that are being reclaimed.
    pub reclaimed: Vec<Reclaimed>,
}

impl Body for Bulletin {
    const TYPE: &'static str = "bulletin";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).u64(self.number).raw(&self.prev.0).u64(self.at.0);
        out.u64(self.journal).u64(self.lines).u64(self.issued.get()).u64(self.redeemed.get());
        out.u32(self.day.0).raw(&self.roots.0);
        let count = |length| u16::try_from(length).expect("no bulletin lists more than LISTED_MAX");
        out.u16(count(self.suspended.len()));
        for key in &self.suspended {
            out.raw(&key.0);
        }
        out.u16(count(self.reclaimed.len()));
        for Reclaimed { root, tip, range } in &self.reclaimed {
            out.raw(&root.0).raw(&tip.0).u64(range.start()).u64(range.end());
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let bank = BankId(from.array()?);
        let (number, prev, at) = (from.u64()?, Digest(from.array()?), Timestamp(from.u64()?));
        let (journal, lines) = (from.u64()?, from.u64()?);
        let issued = Units::new(from.u64()?).map_err(|_| from.flaw("2^53 units or more"))?;
        let redeemed = Units::new(from.u64()?).map_err(|_| from.flaw("2^53 units or more"))?;
        let (day, roots) = (Day(from.u32()?), Digest(from.array()?));
        let suspended = (0..listed(from)?).map(|_| Ok(Key(from.array()?)));
        let suspended = suspended.collect::<Result<Vec<Key>, Malformed>>()?;
        let reclaimed = (0..listed(from)?).map(|_| {
            let (root, tip) = (Digest(from.array()?), Digest(from.array()?));
            let (start, end) = (from.u64()?, from.u64()?);
            let range = Range::new(start, end).map_err(|_| from.flaw("not a range"))?;
            Ok(Reclaimed { root, tip, range })
        });
        let reclaimed = reclaimed.collect::<Result<Vec<Reclaimed>, Malformed>>()?;
        Ok(Bulletin {
            bank,
            number,
            prev,
            at,
            journal,
            lines,
            issued,
            redeemed,
            day,
            roots,
            suspended,
            reclaimed,
        })
    }
}

fn listed(from: &mut Reader<'_>) -> Result<usize, Malformed> {
    match usize::from(from.u16()?) {
        count if count <= LISTED_MAX => Ok(count),
        _ => Err(from.flaw("too long a list")),
    }
}
