//! Roots: what the bank signs (SPEC §2.8).

use crate::body::{self, Body, Malformed, Reader, Writer};
use crate::id::{BankId, Digest, Key, RootId};
use crate::money::Units;
use crate::range::Range;
use crate::time::Day;

/// How long after its issue a note may be paid directly; after that only the bank takes it, always.
pub const DIRECT_DAYS: u32 = 60;

/// What kind of root it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RootKind {
    /// Any number of units, issued to a key that the bank saw. Kind 2 is reserved for round roots issued blindly.
    Plain = 1,
}

/// `units` units numbered from 0, first owned by `to`; signed by the day's issue key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// What kind it is.
    pub kind: RootKind,
    /// The bank that owes the money.
    pub bank: BankId,
    /// The bank's running number of issue: its books are ordered by it.
    pub serial: u64,
    /// Follows from the request that asked for the root.
    pub id: RootId,
    /// How many units it has, at least one.
    pub units: Units,
    /// The first owner's note key.
    pub to: Key,
    /// Which issue key signed it.
    pub epoch: u32,
    /// The day of issue.
    pub issued_day: Day,
    /// The last day on which a payee should take it without the bank.
    pub direct_until_day: Day,
}

impl Root {
    /// The id of the root that is outcome `index` of a request: nothing is left to a random generator.
    pub fn id_of(request: &Digest, index: u16) -> RootId {
        RootId(body::digest("root-id", &[&request.0[..], &index.to_be_bytes()].concat()).0)
    }

    /// All its units.
    pub fn range(&self) -> Range {
        Range::new(0, self.units.get()).expect("a root with no units is not read and not made")
    }
}

impl Body for Root {
    const TYPE: &'static str = "root";

    fn write(&self, out: &mut Writer) {
        out.u8(1).u8(self.kind as u8).raw(&self.bank.0).u64(self.serial).raw(&self.id.0);
        out.u64(self.units.get()).raw(&self.to.0).u32(self.epoch);
        out.u32(self.issued_day.0).u32(self.direct_until_day.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        if from.u8()? != RootKind::Plain as u8 {
            return Err(from.flaw("unknown kind of root"));
        }
        let bank = BankId(from.array()?);
        let serial = from.u64()?;
        let id = RootId(from.array()?);
        let units = Units::new(from.u64()?).map_err(|_| from.flaw("2^53 units or more"))?;
        if units.is_zero() {
            return Err(from.flaw("no units"));
        }
        Ok(Root {
            kind: RootKind::Plain,
            bank,
            serial,
            id,
            units,
            to: Key(from.array()?),
            epoch: from.u32()?,
            issued_day: Day(from.u32()?),
            direct_until_day: Day(from.u32()?),
        })
    }
}
