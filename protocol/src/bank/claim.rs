//! Claims: who lost units to a clash shows whom he had them from (SPEC §4.10, threats X2, X3, X5).
//!
//! Chains carry no names. What names a payer is his signed order, and only his payee has it: so a claim is
//! walked up from order to order, and ends at the signer of the key at which two chains part.

use crate::body::{Body, Malformed, Reader, Writer};
use crate::id::{BankId, Digest, Key, RequestId};
use crate::range::Range;
use crate::time::Timestamp;

/// Claims units of a note that the bank would not redeem; signed by the claimant's owner key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The bank.
    pub bank: BankId,
    /// Names this request; a repeat gets the same cases.
    pub request: RequestId,
    /// The claimant's owner key.
    pub claimant: Key,
    /// The tip of the refused note: its last link names a key of the claimant's. In the table that goes with the
    /// claim one more link follows, signed by that key: a sink of kind 2 that names this claim's digest.
    pub note: Digest,
    /// Which of its units.
    pub range: Range,
    /// When.
    pub created: Timestamp,
}

impl Body for Claim {
    const TYPE: &'static str = "claim";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.request.0).raw(&self.claimant.0).raw(&self.note.0);
        out.u64(self.range.start()).u64(self.range.end()).u64(self.created.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let bank = BankId(from.array()?);
        let request = RequestId(from.array()?);
        let claimant = Key(from.array()?);
        let note = Digest(from.array()?);
        let (start, end) = (from.u64()?, from.u64()?);
        let range = Range::new(start, end).map_err(|_| from.flaw("not a range"))?;
        Ok(Claim { bank, request, claimant, note, range, created: Timestamp(from.u64()?) })
    }
}

/// The signer of a parting key says that the units are his to pay; signed by his owner key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The bank.
    pub bank: BankId,
    /// The case.
    pub case: u64,
    /// Who admits it.
    pub owner: Key,
}

impl Body for Admission {
    const TYPE: &'static str = "admission";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).u64(self.case).raw(&self.owner.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        Ok(Admission { bank: BankId(from.array()?), case: from.u64()?, owner: Key(from.array()?) })
    }
}
