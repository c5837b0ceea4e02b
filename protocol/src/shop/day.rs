//! What a shop's days came to: the Z report, numbered and chained (SPEC §3.9).

use super::receipt::{TILL_MAX, units};
use crate::body::{Body, Malformed, Reader, Text, Writer};
use crate::id::{BankId, Digest, Key};
use crate::money::Units;
use crate::time::{DAY_SECONDS, Day, Timestamp};

/// Most lines of a report.
pub const LINES_MAX: usize = 4096;

/// What a till took on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayLine {
    /// The business day of the sales.
    pub day: Day,
    /// The till.
    pub till: Text,
    /// Whether that day had been closed by an earlier report: these came late.
    pub late: bool,
    /// How many sales were paid.
    pub sales: u32,
    /// What they came to.
    pub received: Units,
    /// How many refunds went out.
    pub refunds: u32,
    /// What they came to.
    pub refunded: Units,
    /// For how many orders from afar the bank released money.
    pub orders: u32,
    /// What that was: it is on the account, not in the reserve.
    pub ordered: Units,
}

/// Closes what a shop has booked since the report before; signed by its node key, and never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayReport {
    /// The bank whose money it is.
    pub bank: BankId,
    /// The shop's owner key.
    pub shop: Key,
    /// 1, 2, 3… without gaps.
    pub number: u64,
    /// Digest of the report before; zero for the first.
    pub prev: Digest,
    /// The business day that it closes.
    pub day: Day,
    /// When the report before was made, or the shop begun.
    pub from: Timestamp,
    /// When this one was made.
    pub to: Timestamp,
    /// The reserve at the report before.
    pub opening: Units,
    /// Paid for sales of the closed day, or of days that no report had closed.
    pub received: Units,
    /// Paid for sales of days that were closed before.
    pub late: Units,
    /// Received for no sale.
    pub other_in: Units,
    /// From the account into the reserve.
    pub withdrawn: Units,
    /// Given back against receipts.
    pub refunded: Units,
    /// Sent back because nothing was sold for it: a sale that was cancelled, that had ended, or that was paid before.
    pub sent_back: Units,
    /// Paid for something else.
    pub other_out: Units,
    /// From the reserve into the account.
    pub swept: Units,
    /// Taken off because the bank had seen it spent before.
    pub lost: Units,
    /// What the reserve should hold by all that.
    pub expected: Units,
    /// What it holds, by the wallet's history.
    pub reserve: Units,
    /// Of that, what is only the payers' word yet.
    pub unconfirmed: Units,
    /// What the bank released to the account for orders from afar: not in the reserve.
    pub ordered: Units,
    /// Days and tills.
    pub lines: Vec<DayLine>,
}

impl DayReport {
    /// Whether it was made before anything could be paid for `day`. Its own day does not say so: the report of a day that
    /// was closed late has lines of the next one. (A business day begins up to a day before or after midnight UTC.)
    pub fn is_before(&self, day: Day) -> bool {
        let begins = u64::from(day.0).saturating_mul(DAY_SECONDS);
        self.to.0 < begins.saturating_sub(DAY_SECONDS)
    }
}

impl Body for DayReport {
    const TYPE: &'static str = "day-report";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.shop.0).u64(self.number).raw(&self.prev.0).u32(self.day.0);
        out.u64(self.from.0).u64(self.to.0);
        let sums = [
            self.opening,
            self.received,
            self.late,
            self.other_in,
            self.withdrawn,
            self.refunded,
            self.sent_back,
            self.other_out,
            self.swept,
            self.lost,
            self.expected,
            self.reserve,
            self.unconfirmed,
            self.ordered,
        ];
        for sum in sums {
            out.u64(sum.get());
        }
        let lines = self.lines.get(..LINES_MAX).unwrap_or(&self.lines);
        out.u16(u16::try_from(lines.len()).expect("4096 at most"));
        for line in lines {
            out.u32(line.day.0).text(line.till.as_str()).u8(u8::from(line.late)).u32(line.sales);
            out.u64(line.received.get()).u32(line.refunds).u64(line.refunded.get());
            out.u32(line.orders).u64(line.ordered.get());
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let (bank, shop, number) = (BankId(from.array()?), Key(from.array()?), from.u64()?);
        let (prev, day) = (Digest(from.array()?), Day(from.u32()?));
        let (begun, to) = (Timestamp(from.u64()?), Timestamp(from.u64()?));
        Ok(DayReport {
            bank,
            shop,
            number,
            prev,
            day,
            from: begun,
            to,
            opening: units(from)?,
            received: units(from)?,
            late: units(from)?,
            other_in: units(from)?,
            withdrawn: units(from)?,
            refunded: units(from)?,
            sent_back: units(from)?,
            other_out: units(from)?,
            swept: units(from)?,
            lost: units(from)?,
            expected: units(from)?,
            reserve: units(from)?,
            unconfirmed: units(from)?,
            ordered: units(from)?,
            lines: lines(from)?,
        })
    }
}

fn lines(from: &mut Reader<'_>) -> Result<Vec<DayLine>, Malformed> {
    let count = usize::from(from.u16()?);
    if count > LINES_MAX {
        return Err(from.flaw("too many lines"));
    }
    (0..count).map(|_| line(from)).collect()
}

fn line(from: &mut Reader<'_>) -> Result<DayLine, Malformed> {
    let (day, till) = (Day(from.u32()?), from.text(TILL_MAX)?);
    let late = match from.u8()? {
        0 => false,
        1 => true,
        _ => return Err(from.flaw("neither late nor in time")),
    };
    let (sales, received) = (from.u32()?, units(from)?);
    let (refunds, refunded) = (from.u32()?, units(from)?);
    let (orders, ordered) = (from.u32()?, units(from)?);
    Ok(DayLine { day, till, late, sales, received, refunds, refunded, orders, ordered })
}
