//! The history: pages of it, all of it as a file, and whether its chain holds.

use super::export::{self, Format};
use super::fault::Fault;
use super::session::Session;
use super::{date, show};
use crate::rpc::api::{History, HistoryLine, HistoryQuery, WorkstationClient};
use crate::wallet::history::Movement;
use clap::builder::PossibleValuesParser;
use protocol::code::PublicCode;
use protocol::money::Currency;
use protocol::node::host::exit::Exit;
use protocol::node::host::private_file;
use protocol::node::rpc::Empty;
use protocol::time::Timestamp;
use std::path::{Path, PathBuf};

/// Every movement, newest first, with the balances after it
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Dates are UTC: 2026-11-22 or 2026-11-22T08:30:00Z. An export holds all lines that fit the filters, oldest first.

Examples:
  stermina history --limit 20 --kind received
  stermina history --text rent --since 2026-01-01
  stermina history --export csv year.csv --since 2026-01-01 --until 2026-12-31
  stermina history check"
)]
pub(crate) struct HistoryWords {
    /// At most so many lines (1 to 500)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=500))]
    limit: Option<u64>,
    /// Lines before this number
    #[arg(long, value_name = "N")]
    before: Option<u64>,
    /// Only this kind of movement
    #[arg(long, value_parser = PossibleValuesParser::new(Movement::ALL.map(Movement::word)))]
    kind: Option<String>,
    /// Only with this public code
    #[arg(long, value_name = "CODE")]
    with: Option<PublicCode>,
    /// Only with this text in name or memo
    #[arg(long)]
    text: Option<String>,
    /// Not before this date
    #[arg(long, value_name = "DATE", value_parser = date::from)]
    since: Option<Timestamp>,
    /// Not after this date
    #[arg(long, value_name = "DATE", value_parser = date::until)]
    until: Option<Timestamp>,
    /// Write all lines to a file (`-` for stdout): --export csv year.csv
    #[arg(long, num_args = 2, value_names = ["csv|json", "FILE"], conflicts_with_all = ["limit", "before"])]
    export: Option<Vec<String>>,
    #[command(subcommand)]
    command: Option<HistoryCommand>,
}

/// What else can be done with the history.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum HistoryCommand {
    /// Check the chain and the running balances from the first line to the last
    Check,
}

impl HistoryWords {
    pub(crate) async fn run(mut self, session: &Session) -> Result<Exit, Fault> {
        let target = self.export.take().map(target).transpose()?;
        let client = session.client().await?;
        if let Some(HistoryCommand::Check) = self.command {
            return check(session, &client).await;
        }
        let currency = session.status(&client).await?.currency;
        if let Some((format, file)) = target {
            let lines = all(&client, self.query()).await?;
            return write(session, format, &file, &lines, &currency);
        }
        let page = client.history_list(self.query()).await?;
        session.show.answer(&page, || text(&page, &currency))?;
        Ok(Exit::Done)
    }

    fn query(&self) -> HistoryQuery {
        HistoryQuery {
            before: self.before,
            limit: self.limit,
            movement: self.kind.clone(),
            party: self.with,
            text: self.text.clone(),
            since: self.since,
            until: self.until,
        }
    }
}

fn target(words: Vec<String>) -> Result<(Format, PathBuf), Fault> {
    match <[String; 2]>::try_from(words) {
        Ok([format, file]) => Ok((format.parse().map_err(Fault::Usage)?, file.into())),
        Err(_) => Err(Fault::Usage("write --export csv FILE or --export json FILE".to_owned())),
    }
}

async fn check(session: &Session, client: &WorkstationClient) -> Result<Exit, Fault> {
    let state = client.history_check(Empty {}).await?;
    session.show.answer(&state, || {
        format!(
            "The history holds: {} lines, every balance right.\nDigest of the newest line: {}",
            state.lines, state.digest
        )
    })?;
    Ok(Exit::Done)
}

/// All lines, page by page, oldest first. Nothing moves between the pages: the history only grows at its head.
async fn all(client: &WorkstationClient, query: HistoryQuery) -> Result<Vec<HistoryLine>, Fault> {
    let mut lines = Vec::new();
    let mut query = HistoryQuery { limit: Some(500), ..query };
    loop {
        let page = client.history_list(query.clone()).await?;
        lines.extend(page.lines);
        match (page.next, query.before) {
            (None, _) => break,
            (Some(next), Some(before)) if next >= before => {
                return Err(Fault::Nonsense("the history's pages go round in circles"));
            }
            (next, _) => query.before = next,
        }
    }
    lines.reverse();
    Ok(lines)
}

fn write(
    session: &Session,
    format: Format,
    file: &Path,
    lines: &[HistoryLine],
    currency: &Currency,
) -> Result<Exit, Fault> {
    let text = export::text(format, lines, currency)?;
    if file == Path::new("-") {
        show::out(&text)?;
        return Ok(Exit::Done);
    }
    let failed = |why: std::io::Error| std::io::Error::new(why.kind(), format!("{}: {why}", file.display()));
    private_file::write(file, text.as_bytes()).map_err(failed)?;
    let document = serde_json::json!({ "file": file.display().to_string(), "lines": lines.len() });
    session.show.answer(&document, || format!("{} lines written to {}.", lines.len(), file.display()))?;
    Ok(Exit::Done)
}

fn text(page: &History, currency: &Currency) -> String {
    if page.lines.is_empty() {
        return "No movements.".to_owned();
    }
    let row = |line: &HistoryLine| {
        let account = line.account.map(|units| currency.show(units)).unwrap_or_default();
        let who = if line.name.is_empty() {
            line.party.map(|p| p.to_string()).unwrap_or_default()
        } else {
            line.name.clone()
        };
        let what = match &line.state {
            Some(state) => format!("{} ({state})", line.movement),
            None => line.movement.clone(),
        };
        let seq = line.seq.to_string();
        let (at, amount, reserve) =
            (line.at.to_string(), currency.show(line.units), currency.show(line.reserve));
        [seq, at, what, amount, reserve, account, who, line.memo.clone(), line.id.clone()]
    };
    let header = ["no", "time", "movement", "amount", "reserve", "account", "with", "memo", "id"];
    let table = show::table(header, &[0, 3, 4, 5], page.lines.iter().map(row).collect());
    match page.next {
        Some(next) => format!("{table}\nMore: --before {next}"),
        None => table,
    }
}
