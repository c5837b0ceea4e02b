//! What everything that is carried to the wallet has in common: the name that makes it happen once, and why it may fail.

use crate::room::RoomFault;
use daemon::engine::CallFault;
use daemon::store::StoreFault;
use daemon::wallet::banking::CallKey;
use protocol::body;
use protocol::id::{Digest, RequestId};

/// Why the wallet could not be asked, or said no.
#[derive(Debug, thiserror::Error)]
pub enum HandsFault {
    /// The shop.
    #[error(transparent)]
    Room(#[from] RoomFault),
    /// The wallet.
    #[error(transparent)]
    Wallet(#[from] CallFault),
    /// Somebody has paid it.
    #[error("somebody has just paid it: give it back instead")]
    PaidMeanwhile,
}

impl From<StoreFault> for HandsFault {
    fn from(fault: StoreFault) -> Self {
        HandsFault::Room(fault.into())
    }
}

/// A key of the shop's own at the wallet: programs have theirs behind a `/`.
pub(crate) fn key(method: &str, id: &RequestId, attempt: u32) -> CallKey {
    let name = format!("{id}/{attempt}");
    let digest: Digest = body::digest("shop-call", name.as_bytes());
    Some((method.to_owned(), name, digest))
}
