//! X and Z reports, days, and the shop at a glance.

use super::{Fault, Session};
use crate::rpc::api::{ByDay, ByReport, DayView, PageQuery, Report, ReportLine, ShopStatus};
use daemon::cli::show;
use protocol::money::Currency;
use protocol::node::host::exit::Exit;
use protocol::node::rpc::Empty;

/// What was sold, given back, and should be in the till
#[derive(Debug, clap::Subcommand)]
pub(super) enum ReportWords {
    /// As it is now; changes nothing
    X {
        /// Only this till
        #[arg(long)]
        till: Option<String>,
    },
    /// Close the day: numbered, signed, never changed; once a business day
    Z,
    /// A Z report
    Show {
        /// Its number
        number: u64,
    },
    /// Z reports, newest first
    List,
    /// A business day with what was paid late for it
    Day {
        /// As in 2026-11-22
        day: String,
    },
}

impl ReportWords {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let (client, currency) = session.with_currency().await?;
        let report = match self {
            ReportWords::X { till } => {
                let mut report = client.report_x(Empty {}).await?;
                report.lines.retain(|line| till.as_ref().is_none_or(|till| line.till == *till));
                report
            }
            ReportWords::Z => client.report_z(Empty {}).await?,
            ReportWords::Show { number } => client.report_show(ByReport { number }).await?,
            ReportWords::List => {
                let found = client.report_list(PageQuery { before: None, limit: Some(500) }).await?;
                session.show.answer(&found, || list(&found.reports, &currency))?;
                return Ok(Exit::Done);
            }
            ReportWords::Day { day } => {
                let view = client.report_day(ByDay { day }).await?;
                session.show.answer(&view, || day_page(&view, &currency))?;
                return Ok(Exit::Done);
            }
        };
        session.show.answer(&report, || page(&report, &currency))?;
        Ok(Exit::Done)
    }
}

fn lines(lines: &[ReportLine], currency: &Currency) -> String {
    let row = |line: &ReportLine| {
        let late = if line.late { "late" } else { "" }.to_owned();
        let (received, refunded) = (currency.show(line.received), currency.show(line.refunded));
        let (sales, refunds) = (line.sales.to_string(), line.refunds.to_string());
        let ordered = if line.orders == 0 { String::new() } else { currency.show(line.ordered) };
        [line.day.clone(), line.till.clone(), late, sales, received, refunds, refunded, ordered]
    };
    let header = ["day", "till", "", "sales", "received", "refunds", "given back", "by orders"];
    show::table(header, &[3, 4, 5, 6, 7], lines.iter().map(row).collect())
}

fn page(report: &Report, currency: &Currency) -> String {
    let title = match report.kind.as_str() {
        "z" => format!("Z REPORT {} for {}", report.number, report.day),
        _ => format!("X REPORT for {}", report.day),
    };
    // What is nothing says nothing, but for the sums that everybody looks for.
    let some = |units: protocol::money::Units| {
        if units.is_zero() { String::new() } else { currency.show(units) }
    };
    let variance = match (report.surplus.is_zero(), report.shortage.is_zero()) {
        (true, true) => "none".to_owned(),
        (false, _) => format!("{} too much", currency.show(report.surplus)),
        (_, false) => format!("{} missing", currency.show(report.shortage)),
    };
    let facts = show::facts(&[
        ("opening", currency.show(report.opening)),
        ("received", currency.show(report.received)),
        ("late, for closed days", some(report.late)),
        ("received for no sale", some(report.other_in)),
        ("from the account", some(report.withdrawn)),
        ("given back", currency.show(report.refunded)),
        ("sent back", some(report.sent_back)),
        ("paid for something else", some(report.other_out)),
        ("to the account", some(report.swept)),
        ("lost", some(report.lost)),
        ("expected", currency.show(report.expected)),
        ("reserve", currency.show_full(report.reserve)),
        ("variance", variance),
        ("of that unconfirmed", currency.show(report.unconfirmed)),
        ("on the account by orders", some(report.ordered)),
        ("from", report.from.to_string()),
        ("to", report.to.to_string()),
        ("document", report.digest.clone().unwrap_or_default()),
    ]);
    format!("{title}\n\n{facts}\n{}", lines(&report.lines, currency))
}

fn list(reports: &[Report], currency: &Currency) -> String {
    let row = |report: &Report| {
        let (received, late) = (currency.show(report.received), currency.show(report.late));
        let (refunded, reserve) = (currency.show(report.refunded), currency.show(report.reserve));
        [report.number.to_string(), report.day.clone(), received, late, refunded, reserve]
    };
    show::table(
        ["no.", "day", "received", "late", "given back", "reserve"],
        &[0, 2, 3, 4, 5],
        reports.iter().map(row).collect(),
    )
}

fn day_page(view: &DayView, currency: &Currency) -> String {
    let facts = show::facts(&[
        ("day", view.day.clone()),
        ("closed by", view.report.map(|number| format!("Z report {number}")).unwrap_or_default()),
        ("received", currency.show(view.received)),
        ("late", currency.show(view.late)),
        ("corrected", currency.show_full(view.corrected)),
        ("given back", currency.show(view.refunded)),
        ("on the account by orders", currency.show(view.ordered)),
    ]);
    format!("{facts}\n{}", lines(&view.lines, currency))
}

/// `status`.
pub(super) async fn status(session: &Session) -> Result<Exit, Fault> {
    let status = session.client().await?.status(Empty {}).await?;
    session.show.answer(&status, || status_page(&status))?;
    Ok(Exit::Done)
}

fn status_page(status: &ShopStatus) -> String {
    let show = |units| status.currency.show_full(units);
    let till = if status.locked { "locked: sells, and gives nothing back" } else { "unlocked" };
    let bank = if status.bank_reachable {
        "connected"
    } else {
        "not reachable now: payments are taken within the policy"
    };
    let failing = status.failing.iter().map(|one| {
        format!("failing: {}, since {}, {} tries: {}\n", one.what, one.since, one.tries, one.error)
    });
    let facts = show::facts(&[
        ("shop", status.name.clone()),
        ("public code", status.code.to_string()),
        ("day", status.day.clone()),
        ("last closed", status.closed.clone().unwrap_or_default()),
        ("till", till.to_owned()),
        ("bank", bank.to_owned()),
        ("reserve", show(status.reserve)),
        ("of that unconfirmed", show(status.unconfirmed)),
        ("open sales", status.open_sales.to_string()),
        ("owed", format!("{} ({})", show(status.owed_units), status.owed)),
        ("catalogue", format!("{} articles, version {}", status.items, status.catalogue)),
    ]);
    facts + &failing.collect::<String>()
}
