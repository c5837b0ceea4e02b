//! The account at the bank: its statement, and what shops sent to their company.

use super::fault::Fault;
use super::session::Session;
use super::show;
use crate::rpc::api::{
    AccountLine, AccountLines, AccountView, BySweepEntry, LinesQuery, Takings, TakingsLine,
};
use protocol::money::{Currency, Units};
use protocol::node::host::exit::Exit;
use protocol::node::rpc::Empty;
use protocol::wire::LineKind;
use serde::Serialize;

/// Ask the bank for the account: its balance, and what moved money on it
#[derive(Debug, clap::Args)]
pub(crate) struct StatementWords {
    /// At most so many lines (1 to 256)
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=256))]
    limit: u64,
    /// Lines before this number
    #[arg(long, value_name = "N")]
    before: Option<u64>,
}

#[derive(Serialize)]
struct Statement {
    #[serde(flatten)]
    account: AccountView,
    #[serde(flatten)]
    page: AccountLines,
}

impl StatementWords {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let client = session.client().await?;
        let currency = session.status(&client).await?.currency;
        let account = client.statement(Empty {}).await?;
        let asked = LinesQuery { before: self.before, limit: Some(self.limit), sweeps: None };
        let statement = Statement { account, page: client.bank_lines(asked).await? };
        session.show.answer(&statement, || {
            let account = &statement.account;
            let (holds, letter, at) = (currency.show_full(account.units), account.letter, account.at);
            let first = format!("The account holds {holds} (bank's journal {letter}, {at}).");
            match statement.page.lines.is_empty() {
                true => first,
                false => format!("{first}\n\n{}", lines(&statement.page, &currency)),
            }
        })?;
        Ok(Exit::Done)
    }
}

/// What shops sent to their company: for the company, and for the shop itself
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SweepWords {
    /// What came, newest first
    List {
        /// At most so many (1 to 256)
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=256))]
        limit: u64,
        /// Those before this number
        #[arg(long, value_name = "N")]
        before: Option<u64>,
    },
    /// One of them, with the list of sales that the shop signed
    Show {
        /// The number in the first column of the list
        number: u64,
    },
}

impl SweepWords {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let client = session.client().await?;
        let currency = session.status(&client).await?.currency;
        match self {
            SweepWords::List { limit, before } => {
                let asked = LinesQuery { before, limit: Some(limit), sweeps: Some(true) };
                let page = client.bank_lines(asked).await?;
                session.show.answer(&page, || lines(&page, &currency))?;
            }
            SweepWords::Show { number } => {
                let takings = client.bank_sweep(BySweepEntry { entry: number }).await?;
                session.show.answer(&takings, || takings_page(&takings, &currency))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn word(kind: LineKind) -> &'static str {
    match kind {
        LineKind::Opened => "opened",
        LineKind::CashIn => "cash paid in",
        LineKind::CashOut => "cash paid out",
        LineKind::Withdrawn => "withdrawn",
        LineKind::Deposited => "deposited",
        LineKind::Reclaimed => "reclaimed",
        LineKind::Charged => "charged in a case",
        LineKind::Recovered => "recovered in a case",
        LineKind::Held => "kept for an order",
        LineKind::Released => "paid for an order",
        LineKind::Returned => "back from an order",
        LineKind::SweptOut => "takings to the company",
        LineKind::SweptIn => "takings of a shop",
        LineKind::RentOut => "rent paid",
        LineKind::RentIn => "rent",
        LineKind::Caution => "caution",
        LineKind::CautionBack => "caution back",
        LineKind::CautionKept => "caution kept",
    }
}

fn lines(page: &AccountLines, currency: &Currency) -> String {
    let some = |units: Units| if units.is_zero() { String::new() } else { currency.show(units) };
    let row = |line: &AccountLine| {
        let (number, at, what) = (line.entry.to_string(), line.at.to_string(), word(line.kind).to_owned());
        let (incoming, outgoing) = (some(line.incoming), some(line.outgoing));
        let balance = currency.show(line.balance);
        [number, at, what, incoming, outgoing, balance, line.other.clone(), line.about.clone()]
    };
    let header = ["no.", "time", "what", "in", "out", "balance", "with", "about"];
    let table = show::table(header, &[0, 3, 4, 5], page.lines.iter().map(row).collect());
    match page.next {
        Some(next) => format!("{table}\nMore: --before {next}"),
        None => table,
    }
}

fn takings_page(takings: &Takings, currency: &Currency) -> String {
    let facts = show::facts(&[
        ("shop", takings.name.clone()),
        ("public code", takings.shop.to_string()),
        ("sweep", format!("{} for {}", takings.number, takings.day)),
        ("came to", currency.show_full(takings.units)),
        ("of it by orders", currency.show_full(takings.ordered)),
        ("signed by the shop", "yes: list and sum are its own".to_owned()),
    ]);
    let row = |line: &TakingsLine| {
        let (number, at, amount) = (line.number.to_string(), line.at.to_string(), currency.show(line.units));
        [number, at, line.kind.clone(), amount, line.till.clone()]
    };
    let header = ["receipt", "time", "kind", "amount", "till"];
    format!("{facts}\n{}", show::table(header, &[0, 3], takings.sales.iter().map(row).collect()))
}
