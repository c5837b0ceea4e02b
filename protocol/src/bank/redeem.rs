//! Redemption: notes back to the bank, for an account or for new notes (SPEC §4.5, N5).
//!
//! The digest of the [`Redemption`] is the *sink* that the notes' last links name, so the signatures in
//! the notes authorize exactly this request and nobody can redirect it.

use super::OUTCOMES_MAX;
use crate::body::{Body, Malformed, Reader, Writer};
use crate::id::{BankId, Key, RequestId};
use crate::money::{OutOfRange, Units};

/// So many units to this key: a note key, or an owner key where it names an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Who gets it.
    pub to: Key,
    /// How much, at least one unit.
    pub units: Units,
}

/// What becomes of the notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RedeemKind {
    /// Credit to an account, item by item; the one outcome names its owner, who signs the redemption, too.
    Deposit = 1,
    /// New roots to the outcomes' keys, all or nothing; does not say who asks.
    Reissue = 2,
}

/// Asks the bank to take notes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redemption {
    /// The bank.
    pub bank: BankId,
    /// Names this request; a repeat gets the first answer.
    pub request: RequestId,
    /// What becomes of the notes.
    pub kind: RedeemKind,
    /// To whom; their sum is the sum of the notes.
    pub outcomes: Vec<Outcome>,
}

impl Redemption {
    /// The sum of the outcomes.
    pub fn units(&self) -> Result<Units, OutOfRange> {
        Units::sum(self.outcomes.iter().map(|o| o.units))
    }
}

impl Body for Redemption {
    const TYPE: &'static str = "redemption";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.request.0).u8(self.kind as u8);
        write_outcomes(out, &self.outcomes);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let bank = BankId(from.array()?);
        let request = RequestId(from.array()?);
        let kind = match from.u8()? {
            1 => RedeemKind::Deposit,
            2 => RedeemKind::Reissue,
            _ => return Err(from.flaw("unknown kind of redemption")),
        };
        let outcomes = read_outcomes(from)?;
        if kind == RedeemKind::Deposit && outcomes.len() != 1 {
            return Err(from.flaw("a deposit has one outcome"));
        }
        Ok(Redemption { bank, request, kind, outcomes })
    }
}

pub(super) fn write_outcomes(out: &mut Writer, outcomes: &[Outcome]) {
    out.u16(u16::try_from(outcomes.len()).expect("no request is made with more than OUTCOMES_MAX outcomes"));
    for outcome in outcomes {
        out.raw(&outcome.to.0).u64(outcome.units.get());
    }
}

pub(super) fn read_outcomes(from: &mut Reader<'_>) -> Result<Vec<Outcome>, Malformed> {
    let count = usize::from(from.u16()?);
    if count == 0 || count > OUTCOMES_MAX {
        return Err(from.flaw("no outcomes, or too many"));
    }
    let outcomes = (0..count).map(|_| {
        let to = Key(from.array()?);
        match Units::new(from.u64()?) {
            Ok(units) if !units.is_zero() => Ok(Outcome { to, units }),
            _ => Err(from.flaw("an outcome of nothing, or of 2^53 units or more")),
        }
    });
    outcomes.collect()
}
