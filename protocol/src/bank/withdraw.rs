//! Withdrawal: from the account into the reserve (SPEC §4.4, N4, M3).

use super::Outcome;
use super::redeem::{read_outcomes, write_outcomes};
use crate::body::{Body, Malformed, Reader, Writer};
use crate::id::{BankId, Key, RequestId};
use crate::money::{OutOfRange, Units};
use crate::time::Timestamp;

/// Most roots that one request may ask for.
pub const OUTCOMES_MAX: usize = 64;

/// Asks for units from `owner`'s account, issued to the keys in `outcomes`; signed by the owner key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// The bank.
    pub bank: BankId,
    /// Names this request; a repeat gets the first answer.
    pub request: RequestId,
    /// Whose account.
    pub owner: Key,
    /// When it was asked.
    pub created: Timestamp,
    /// Which roots are wanted.
    pub outcomes: Vec<Outcome>,
}

impl Withdrawal {
    /// How much it takes from the account.
    pub fn units(&self) -> Result<Units, OutOfRange> {
        Units::sum(self.outcomes.iter().map(|o| o.units))
    }
}

impl Body for Withdrawal {
    const TYPE: &'static str = "withdrawal";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.request.0).raw(&self.owner.0).u64(self.created.0);
        write_outcomes(out, &self.outcomes);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        Ok(Withdrawal {
            bank: BankId(from.array()?),
            request: RequestId(from.array()?),
            owner: Key(from.array()?),
            created: Timestamp(from.u64()?),
            outcomes: read_outcomes(from)?,
        })
    }
}

/// Asks for the account's balance; signed by the owner key. Answered with a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountQuery {
    /// The bank.
    pub bank: BankId,
    /// Names this question.
    pub request: RequestId,
    /// Whose account.
    pub owner: Key,
    /// When it was asked: the bank answers within the allowed skew only, so that nobody can replay it later.
    pub created: Timestamp,
}

impl Body for AccountQuery {
    const TYPE: &'static str = "account-query";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.request.0).raw(&self.owner.0).u64(self.created.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        Ok(AccountQuery {
            bank: BankId(from.array()?),
            request: RequestId(from.array()?),
            owner: Key(from.array()?),
            created: Timestamp(from.u64()?),
        })
    }
}
