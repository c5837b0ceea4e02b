//! Backups of the book as programs see them, and the calls about them.

use super::desk::Desk;
use super::shape::{params, results};
use super::{code, view};
use crate::backup::BackupFault;
use crate::shop::Shop;
use crate::shop::order_sale::hold_word;
use protocol::code::PublicCode;
use protocol::id::RequestId;
use protocol::money::Units;
use protocol::node::rpc::{Caller, RpcError};
use protocol::time::Timestamp;
use protocol::wire::HoldState;
use std::path::PathBuf;

params! {
    /// Where a backup goes.
    NewBackup {
        /// A file on the shop's machine, by its whole path.
        file: String,
    }
}

results! {
    /// A backup that was made.
    Backup {
        /// The file.
        file: String,
        /// Bytes.
        bytes: u64,
        /// When it was made.
        made: Timestamp,
        /// The newest event in it.
        event: u64,
        /// How many Z reports are in it.
        reports: u64,
    }
    /// How backups stand.
    BackupStatus {
        /// The folder that gets one after each Z report.
        folder: Option<String>,
        /// How many are kept there.
        keep: u32,
        /// The last file in it.
        file: Option<String>,
        /// When it was made.
        made: Option<Timestamp>,
        /// How many Z reports are in it.
        reports: Option<u64>,
        /// Why there is none since.
        failing: Option<super::api::Failing>,
        /// If this book was put back from a backup: what came of it.
        back: Option<BookBack>,
    }
    /// A book that was put back.
    BookBack {
        /// When the backup was made.
        made: Timestamp,
        /// When it was put back.
        at: Timestamp,
        /// Z reports that are not in it: the next one has the number after them.
        reports_missing: u64,
        /// Payments for sales that it did not know; each was booked to its day.
        unbooked: u64,
        /// What they come to.
        units: Units,
        /// Whether the bank was asked for sweeps that it did not know.
        asked: bool,
        /// Refunds after the backup that are known from the wallet, and count.
        refunds: u64,
        /// Whether there may be others: refunds of older sales are refused until somebody says that he has looked.
        unclear: bool,
        /// What the bank holds for orders that it does not know: somebody has to look for them.
        holds: Vec<BookHold>,
    }
    /// Money that the bank holds for an order of which the book knows nothing.
    BookHold {
        /// Its name.
        hold: RequestId,
        /// Who ordered.
        buyer: PublicCode,
        /// How much it was.
        units: Units,
        /// How much is left.
        left: Units,
        /// held or disputed.
        state: String,
        /// When what is left goes back to the buyer by itself.
        ends: Timestamp,
    }
}

fn book_hold(hold: &HoldState) -> BookHold {
    let HoldState { id, buyer, units, left, ends, .. } = *hold;
    let state = hold_word(&hold.step).to_owned();
    BookHold { hold: id, buyer: PublicCode::of(buyer), units, left, state, ends }
}

impl Desk {
    pub(super) async fn make_backup(&self, caller: &Caller, asked: NewBackup) -> Result<Backup, RpcError> {
        let (who, actor) = self.asked(caller, "backup.make");
        let path = PathBuf::from(&asked.file);
        if !path.is_absolute() {
            return Err(code::reason_of("bad_value", "the file: its whole path, from / on"));
        }
        let made = self.backups.make(path).await;
        let outcome = if made.is_ok() { "done" } else { "failed" };
        let note = move |shop: &Shop, _: &_| Ok(shop.note(&actor, who.method, outcome, who.now));
        self.room.decide(note).await.map_err(|fault| self.room_fault(fault))?;
        let made = made.map_err(|fault| match fault {
            BackupFault::Room(fault) => self.room_fault(fault),
            BackupFault::Store(fault) => code::store(&fault),
            other => code::reason_of("no_backup", other.to_string()),
        })?;
        let (bytes, about) = (made.bytes, made.about);
        Ok(Backup { file: asked.file, bytes, made: about.made, event: about.event, reports: about.reports })
    }

    pub(super) async fn backups_now(&self) -> Result<BackupStatus, RpcError> {
        let look = |shop: &Shop| {
            let (settings, copies) = (shop.settings(), shop.copies());
            let last = copies.last.as_ref();
            BackupStatus {
                folder: settings.backup_folder.clone(),
                keep: settings.backup_keep,
                file: last.map(|last| last.file.clone()),
                made: last.map(|last| last.at),
                reports: last.map(|last| last.reports),
                failing: copies
                    .failing
                    .as_ref()
                    .map(|failing| view::one_failing("backup".to_owned(), failing)),
                back: shop.back().map(|back| BookBack {
                    made: back.made,
                    at: back.at,
                    reports_missing: back.reports_missing,
                    unbooked: back.unbooked,
                    units: back.units,
                    asked: back.asked,
                    refunds: back.refunds,
                    unclear: back.unclear,
                    holds: back.holds.iter().map(book_hold).collect(),
                }),
            }
        };
        self.room.look(look).await.map_err(|fault| self.room_fault(fault))
    }
}
