//! Sweep: a shop's takings go to its company, with the signed list of sales (SPEC §4.18, N10).

use crate::body::{Body, Malformed, Reader, Writer};
use crate::id::{BankId, Digest, Key, RequestId};
use crate::money::Units;
use crate::time::{Day, Timestamp};

/// Moves takings from the shop's account to its company's; signed by the shop's owner key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// The bank.
    pub bank: BankId,
    /// Names this request; a repeat gets the first answer.
    pub request: RequestId,
    /// The shop.
    pub owner: Key,
    /// Its number, from 1 without gaps for each shop's account.
    pub number: u64,
    /// The shop's day.
    pub day: Day,
    /// What the list adds up to, and how much is moved; it may be nothing.
    pub units: Units,
    /// Of what was taken, what the bank had released to the account for orders: the list's orders. The rest came into the
    /// till, and was deposited.
    pub ordered: Units,
    /// How many lines the list has.
    pub sales: u32,
    /// Digest `sales-list` of the list's bytes.
    pub list: Digest,
    /// When it was asked.
    pub created: Timestamp,
}

impl Body for Sweep {
    const TYPE: &'static str = "sweep";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.request.0).raw(&self.owner.0);
        out.u64(self.number).u32(self.day.0).u64(self.units.get()).u64(self.ordered.get());
        out.u32(self.sales);
        out.raw(&self.list.0).u64(self.created.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let (bank, request) = (BankId(from.array()?), RequestId(from.array()?));
        let (owner, number) = (Key(from.array()?), from.u64()?);
        if number == 0 {
            return Err(from.flaw("sweeps are numbered from 1"));
        }
        let day = Day(from.u32()?);
        let units = Units::new(from.u64()?).map_err(|_| from.flaw("2^53 units or more"))?;
        let ordered = Units::new(from.u64()?).map_err(|_| from.flaw("2^53 units or more"))?;
        let (sales, list) = (from.u32()?, Digest(from.array()?));
        Ok(Sweep {
            bank,
            request,
            owner,
            number,
            day,
            units,
            ordered,
            sales,
            list,
            created: Timestamp(from.u64()?),
        })
    }
}
