//! Backups of the shop's book: made, looked at, put back.

use super::{Fault, Session};
use crate::backup;
use crate::rpc::api::NewBackup;
use daemon::cli::show;
use protocol::node::clock::Clock;
use protocol::node::host::exit::Exit;
use protocol::node::host::private_file;
use protocol::node::rpc::Empty;
use protocol::time::Timestamp;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Bytes of the longest private code, and some for the line's end.
const CODE_MAX: u64 = 260;

/// Copies of the shop's book: sales, catalogue, people, reports
#[derive(Debug, clap::Subcommand)]
pub(super) enum BackupWords {
    /// Make one now, while the shop goes on; only the shop's recovery phrase or private code opens it
    Make {
        /// The file
        file: PathBuf,
    },
    /// Where copies go by themselves, the last one, and how putting one back went
    Status,
    /// What a backup says of itself
    Show {
        /// The file
        file: PathBuf,
    },
    /// Put a book back, on a machine where the money is back already
    #[command(after_help = "\
The bank has the money, not the book. On an empty machine: first «shop-node restore LETTER», with the recovery phrase, then this.
What was paid after the backup is then told by the wallet, and booked to its day as a sale of which nobody knows what was sold;
sweeps after it are told by the bank. Only paper knows the Z reports after it: say the number of the last one that you have,
and the next one has the number after it.

Example:
  shop-node restore stermina:stac1…
  shop-node backup restore shop-book-3fa2c1d0-2026-11-22-z41.stermina --last-z 41
  shop-node run")]
    Restore {
        /// The file
        file: PathBuf,
        /// The number of the last Z report that there is anywhere; 0 if there never was one
        #[arg(long, value_name = "N")]
        last_z: u64,
        /// Put it in place of the book that is here; that one is kept beside it
        #[arg(long)]
        replace: bool,
        /// Read the private code from this file (mode 0600) instead of asking for it
        #[arg(long, value_name = "FILE")]
        code_file: Option<PathBuf>,
    },
}

impl BackupWords {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let show = &session.show;
        match self {
            BackupWords::Make { file } => {
                let file = std::path::absolute(file)?.to_string_lossy().into_owned();
                let made = session.client().await?.backup_make(NewBackup { file }).await?;
                show.answer(&made, || {
                    let (event, reports) = (made.event, made.reports);
                    format!("{}, {} bytes: events to {event}, Z reports to {reports}.", made.file, made.bytes)
                })?;
            }
            BackupWords::Status => {
                let status = session.client().await?.backup_status(Empty {}).await?;
                show.answer(&status, || page(&status))?;
            }
            BackupWords::Show { file } => {
                let about = backup::read_about(&file).map_err(|why| Fault::Run(why.to_string()))?;
                let document = serde_json::json!({
                    "shop": protocol::code::PublicCode::of(about.shop),
                    "made": about.made,
                    "event": about.event,
                    "reports": about.reports,
                    "closed": about.closed.map(|day| day.to_string()),
                });
                show.answer(&document, || {
                    show::facts(&[
                        ("shop", protocol::code::PublicCode::of(about.shop).to_string()),
                        ("made", about.made.to_string()),
                        ("events to", about.event.to_string()),
                        ("Z reports to", about.reports.to_string()),
                        ("last day closed", about.closed.map(|day| day.to_string()).unwrap_or_default()),
                    ])
                })?;
            }
            BackupWords::Restore { file, last_z, replace, code_file } => {
                let paths = session.at.paths()?;
                let code = private_code(code_file)?;
                let now = Timestamp(Clock::system().now_seconds());
                let done = backup::restore(&paths, &file, &code, (last_z, replace), now);
                let (about, back) = done.map_err(|why| Fault::Run(why.to_string()))?;
                let document = serde_json::json!({
                    "made": about.made,
                    "event": about.event,
                    "reports": about.reports,
                    "reports_missing": back.reports_missing,
                    "next_report": last_z.saturating_add(1),
                });
                show.answer(&document, || {
                    let missing = match back.reports_missing {
                        0 => String::new(),
                        some => format!(
                            " {some} Z reports after {} are not in it: keep their paper.",
                            about.reports
                        ),
                    };
                    format!(
                        "The book of {} is back, with events to {}.{missing} The next Z report is number {}.\nNext: shop-node run, then \
                         unlock the till: what was paid since is booked, and the bank is asked for sweeps. shop-node backup status says \
                         what came of it.",
                        about.made,
                        about.event,
                        last_z.saturating_add(1)
                    )
                })?;
            }
        }
        Ok(Exit::Done)
    }
}

fn private_code(from: Option<PathBuf>) -> Result<Zeroizing<String>, Fault> {
    let Some(file) = from else { return Ok(Zeroizing::new(rpassword::prompt_password("Private code: ")?)) };
    let bytes = Zeroizing::new(private_file::read(&file, CODE_MAX)?.to_vec());
    let text =
        std::str::from_utf8(&bytes).map_err(|_| Fault::Usage("the private code is no text".to_owned()))?;
    Ok(Zeroizing::new(text.trim_end_matches(['\n', '\r']).to_owned()))
}

fn page(status: &crate::rpc::api::BackupStatus) -> String {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let folder = status
        .folder
        .clone()
        .unwrap_or_else(|| "none: shop-node settings set --backup-folder DIR".to_owned());
    let failing = status.failing.as_ref().map(|one| format!("since {}: {}", one.since, one.error));
    let mut text = show::facts(&[
        ("after each Z report", folder),
        ("kept", status.keep.to_string()),
        ("last", status.file.clone().unwrap_or_default()),
        ("made", time(status.made)),
        ("failing", failing.unwrap_or_default()),
    ]);
    if let Some(back) = &status.back {
        let asked = if back.asked {
            "the bank was asked for sweeps"
        } else {
            "the bank has still to be asked for sweeps"
        };
        let given = match back.unclear {
            true => "there may be others, and of an older sale it gives back only with --looked",
            false => "all that the wallet has",
        };
        text += &format!(
            "This book was put back {} from a backup of {}: {} payments over {} units that it did not know were booked late, and {} refunds \
             ({given}); {} Z reports are on paper only; {asked}.\n",
            back.at, back.made, back.unbooked, back.units, back.refunds, back.reports_missing
        );
        for hold in &back.holds {
            text += &format!(
                "The bank holds {} units of {} for an order that this book does not know, until {}: ask the buyer what it was \
                 (hold {}).\n",
                hold.left, hold.buyer, hold.ends, hold.hold
            );
        }
    }
    text
}
