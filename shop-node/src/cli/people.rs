//! The shop's people, the audit log, the settings.

use super::{Fault, Session};
use crate::rpc::api::{AuditView, ByStaff, NewStaff, PageQuery, SettingsView, StaffView};
use daemon::cli::show;
use protocol::node::host::exit::Exit;
use protocol::node::rpc::Empty;
use std::path::PathBuf;
use std::time::Duration;

/// The shop's people and their tokens
#[derive(Debug, clap::Subcommand)]
pub(super) enum StaffWords {
    /// Take somebody on; his token is shown once
    #[command(after_help = "\
A cashier sells, gives back up to his caps and makes X reports; a manager also changes the catalogue and closes the day; an
owner may everything. Give the token to the person in a file of mode 0600: shop-node --token-file FILE sale new …

Example:
  shop-node staff add 'Ann Bell' --role cashier --refund-max 20 --refund-day 100")]
    Add {
        /// The name that stands in the audit log
        name: String,
        /// cashier, manager or owner
        #[arg(long)]
        role: String,
        /// Most of one refund
        #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
        refund_max: Option<String>,
        /// Most of all refunds on a business day; a cashier without it gives nothing back
        #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
        refund_day: Option<String>,
    },
    /// Everybody with a token
    List,
    /// End a token at once
    End {
        /// The person's id
        staff: String,
    },
}

impl StaffWords {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let (client, currency) = session.with_currency().await?;
        match self {
            StaffWords::Add { name, role, refund_max, refund_day } => {
                let units = |text: Option<String>| {
                    let units = text.map(|text| currency.parse(&text)).transpose();
                    units.map_err(|flaw| Fault::Usage(flaw.to_string()))
                };
                let (refund_max, refund_day) = (units(refund_max)?, units(refund_day)?);
                let made = client.staff_add(NewStaff { name, role, refund_max, refund_day }).await?;
                session.show.answer(&made, || {
                    let facts =
                        show::facts(&[("person", made.staff.clone()), ("token", made.secret.clone())]);
                    format!("{facts}The token is shown only now.")
                })?;
            }
            StaffWords::List => {
                let found = client.staff_list(Empty {}).await?;
                session.show.answer(&found, || {
                    let row = |one: &StaffView| {
                        let cap = |cap: Option<_>| cap.map(|units| currency.show(units)).unwrap_or_default();
                        let ended = one.ended.map(|at| at.to_string()).unwrap_or_default();
                        let (max, day) = (cap(one.refund_max), cap(one.refund_day));
                        [one.staff.clone(), one.name.clone(), one.role.clone(), max, day, ended]
                    };
                    let header = ["person", "name", "role", "a refund", "a day", "ended"];
                    show::table(header, &[3, 4], found.staff.iter().map(row).collect())
                })?;
            }
            StaffWords::End { staff } => {
                let ended = client.staff_end(ByStaff { staff: staff.clone() }).await?;
                session.show.answer(&ended, || {
                    let hooks = ended.webhooks.iter().map(|hook| {
                        format!("\nWebhook {hook}, which {staff} added, is told nothing more: webhook remove, or webhook resume.")
                    });
                    format!("{staff}'s token is of no use any more.{}", hooks.collect::<String>())
                })?;
            }
        }
        Ok(Exit::Done)
    }
}

/// `audit`.
pub(super) async fn audit(session: &Session, limit: u64) -> Result<Exit, Fault> {
    let found = session.client().await?.audit_list(PageQuery { before: None, limit: Some(limit) }).await?;
    session.show.answer(&found, || {
        let row = |line: &AuditView| {
            let (number, at) = (line.number.to_string(), line.at.to_string());
            [
                number,
                at,
                line.who.clone(),
                line.role.clone(),
                line.method.clone(),
                line.outcome.clone(),
                line.about.clone(),
            ]
        };
        show::table(
            ["no.", "when", "who", "role", "what", "outcome", "about"],
            &[0],
            found.lines.iter().map(row).collect(),
        )
    })?;
    Ok(Exit::Done)
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Switch {
    /// Yes.
    On,
    /// No.
    Off,
}

/// Tills, closing hour, how long a sale waits, whether takings go to the company
#[derive(Debug, clap::Subcommand)]
pub(super) enum SettingsWords {
    /// As they are
    Show,
    /// Change some of them
    #[command(after_help = "\
A business day ends at the closing hour of the shop's own clock: with 03:00, what a bar sells at two in the night belongs to the
evening before. The clock is set by its distance from UTC; where summer time is kept, change it twice a year.

Example:
  shop-node settings set --till 1 --till bar --closes 03:00 --offset +02:00 --sale 15m")]
    Set {
        /// Names of the tills; all of them
        #[arg(long = "till", value_name = "NAME")]
        tills: Vec<String>,
        /// When a business day ends (03:00)
        #[arg(long, value_name = "HH:MM")]
        closes: Option<String>,
        /// How far the shop's clock is ahead of UTC (+02:00, -05:00)
        #[arg(long, value_name = "±HH:MM", allow_hyphen_values = true)]
        offset: Option<String>,
        /// How long a sale waits for its payment
        #[arg(long, value_name = "TIME", value_parser = super::sale::duration)]
        sale: Option<Duration>,
        /// Whether what a day took goes to the company when it is closed (a shop that its company owns)
        #[arg(long, value_name = "on|off")]
        sweep: Option<Switch>,
        /// A folder that gets a copy of the book after each Z report; «none» for no folder
        #[arg(long, value_name = "DIR")]
        backup_folder: Option<PathBuf>,
        /// How many copies are kept there
        #[arg(long, value_name = "N")]
        backup_keep: Option<u32>,
    },
}

fn minutes(text: &str) -> Result<u32, Fault> {
    let wrong = || Fault::Usage(format!("«{text}» is no time of day: write HH:MM"));
    let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
    let number = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<u32>().ok().filter(|_| digits).ok_or_else(wrong)
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    if minutes > 59 || hours > 23 { Err(wrong()) } else { Ok(hours * 60 + minutes) }
}

fn offset(text: &str) -> Result<i32, Fault> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    Ok(sign * i32::try_from(minutes(rest)?).map_err(|_| Fault::Usage("too far from UTC".to_owned()))?)
}

impl SettingsWords {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let client = session.client().await?;
        let now = client.settings(Empty {}).await?;
        let settings = match self {
            SettingsWords::Show => now,
            SettingsWords::Set { tills, closes, offset: typed, sale, sweep, backup_folder, backup_keep } => {
                let changed = SettingsView {
                    tills: if tills.is_empty() { now.tills } else { tills },
                    closes_minutes: closes.map_or(Ok(now.closes_minutes), |text| minutes(&text))?,
                    offset_minutes: typed.map_or(Ok(now.offset_minutes), |text| offset(&text))?,
                    sale_seconds: sale.map_or(now.sale_seconds, |time| time.as_secs()),
                    sweep: sweep.map_or(now.sweep, |switch| switch == Switch::On),
                    backup_folder: match backup_folder {
                        None => now.backup_folder,
                        Some(none) if none.as_os_str() == "none" => None,
                        Some(folder) => Some(std::path::absolute(folder)?.to_string_lossy().into_owned()),
                    },
                    backup_keep: backup_keep.or(now.backup_keep),
                };
                client.set(changed).await?
            }
        };
        session.show.answer(&settings, || {
            let clock = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
            let sign = if settings.offset_minutes < 0 { '-' } else { '+' };
            show::facts(&[
                ("tills", settings.tills.join(", ")),
                ("a day ends at", clock(settings.closes_minutes)),
                ("ahead of UTC", format!("{sign}{}", clock(settings.offset_minutes.unsigned_abs()))),
                ("a sale waits", format!("{} s", settings.sale_seconds)),
                (
                    "takings go to the company",
                    if settings.sweep { "when a day is closed" } else { "no" }.to_owned(),
                ),
                ("copies of the book", settings.backup_folder.clone().unwrap_or_else(|| "none".to_owned())),
                ("kept", settings.backup_keep.unwrap_or_default().to_string()),
            ])
        })?;
        Ok(Exit::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_and_offsets_are_read() {
        assert_eq!(minutes("03:00").unwrap(), 180);
        assert_eq!(
            (offset("+02:00").unwrap(), offset("-05:30").unwrap(), offset("00:00").unwrap()),
            (120, -330, 0)
        );
        for bad in ["3:00", "24:00", "12:60", "noon", "", "+1:00", "１2:00"] {
            assert!(minutes(bad).is_err(), "{bad}");
        }
    }
}
