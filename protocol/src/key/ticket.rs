//! Key tickets: the owner's word that a note key is his (SPEC §1.2).
//!
//! A pool of them is made while the workstation is unlocked, so that it can take money while it is
//! locked (N3): whoever steals a locked workstation's files can't put a key of his own in their place.

use crate::body::{Body, Malformed, Reader, Writer};
use crate::id::{Hint, Key};

/// Says that note key `key` is `owner`'s; signed by the owner key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTicket {
    /// Whose it is.
    pub owner: Key,
    /// The note key P.
    pub key: Key,
    /// What the owner derives its secret from.
    pub hint: Hint,
}

impl KeyTicket {
    /// Bytes of a signed ticket.
    pub const SIGNED_LENGTH: usize = 1 + 32 + 32 + 16 + crate::sign::SIGNATURE_LENGTH;
}

impl Body for KeyTicket {
    const TYPE: &'static str = "ticket";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.owner.0).raw(&self.key.0).raw(&self.hint.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        Ok(KeyTicket { owner: Key(from.array()?), key: Key(from.array()?), hint: Hint(from.array()?) })
    }
}
