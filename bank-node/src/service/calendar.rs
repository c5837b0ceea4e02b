//! The calendar: issue keys of days to come are picked up, those of days that are over are destroyed (B6).

use super::Bank;
use crate::keys::{KeyFolder, KeysError, WorkingKeys};
use crate::ledger::books::Books;
use protocol::node::host::signals::Shutdown;
use std::time::Duration;

/// How often the calendar is looked at.
const LOOK: Duration = Duration::from_secs(20);
/// From so many days left on, the log warns.
const FEW_DAYS: u32 = 7;

/// Looks at the calendar until the shutdown.
pub async fn keep_calendar<B: Books>(bank: Bank<B>, folder: KeyFolder, shutdown: Shutdown) {
    let mut ticks = tokio::time::interval(LOOK);
    let mut warned = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.requested() => return,
        }
        let (bank_now, master, keys) = (bank.now(), bank.keys().master(), folder.clone());
        let turned = tokio::task::spawn_blocking(move || turn_page(&keys, master, bank_now)).await;
        match turned {
            Ok(Ok(keys)) => {
                let left = keys.days_left(bank_now.day());
                if left < FEW_DAYS && warned != Some(left) {
                    tracing::warn!(days = left, "issue keys run out: bank-node keys extend --master FILE");
                    warned = Some(left);
                }
                bank.use_keys(keys);
            }
            // Works on with the keys it has; the operators have to look.
            Ok(Err(error)) => tracing::error!(%error, "the key folder can't be read"),
            Err(error) => tracing::error!(%error, "the calendar failed"),
        }
    }
}

/// Reads the folder as it is on this day and destroys what has ended.
pub(crate) fn turn_page(
    folder: &KeyFolder,
    master: protocol::id::Key,
    now: protocol::time::Timestamp,
) -> Result<WorkingKeys, KeysError> {
    let mut keys = folder.read(master)?;
    for epoch in keys.drop_ended(now) {
        folder.destroy(epoch)?;
        tracing::info!(epoch, "an issue key's day is over: its private half is destroyed");
    }
    Ok(keys)
}
