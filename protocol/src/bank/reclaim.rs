//! Reclaims: the owner asks for units back whose fate he can't know (SPEC §4.11, threats X4).
//!
//! The digest of the [`Reclaim`] is the *sink* that the notes' last links name. The signature under it is the
//! owner's indemnity: a valid chain over these units that shows up later is his to pay.

use crate::body::{Body, Malformed, Reader, Writer};
use crate::id::{BankId, Digest, Key, RequestId};
use crate::range::Range;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Why units are reclaimed; it decides how long the others have to object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ReclaimKind {
    /// A payment whose payee does not answer.
    Payment = 1,
    /// A workstation that was restored: everything that it can't know to be unspent.
    Restore = 2,
}

/// Asks for units back by name; signed by the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reclaim {
    /// The bank.
    pub bank: BankId,
    /// Names this request; a repeat tells how it stands.
    pub request: RequestId,
    /// The owner, to whose account the units go.
    pub owner: Key,
    /// Why.
    pub kind: ReclaimKind,
    /// When.
    pub created: Timestamp,
}

impl Body for Reclaim {
    const TYPE: &'static str = "reclaim";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.request.0).raw(&self.owner.0);
        out.u8(self.kind as u8).u64(self.created.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let bank = BankId(from.array()?);
        let request = RequestId(from.array()?);
        let owner = Key(from.array()?);
        let kind = match from.u8()? {
            1 => ReclaimKind::Payment,
            2 => ReclaimKind::Restore,
            _ => return Err(from.flaw("unknown kind of reclaim")),
        };
        Ok(Reclaim { bank, request, owner, kind, created: Timestamp(from.u64()?) })
    }
}

/// Units that are being reclaimed, as bulletins list them: whoever has a chain that goes on from `tip` contests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Reclaimed {
    /// Digest of the root.
    pub root: Digest,
    /// Digest of the body that names the reclaimed key.
    pub tip: Digest,
    /// The units.
    pub range: Range,
}
