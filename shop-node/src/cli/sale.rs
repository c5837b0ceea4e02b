//! Sales at the counter.

use super::{Fault, Session, cart, key};
use crate::rpc::api::{BySale, ChangeSale, LineView, NewSale, Sale, SaleQuery, TillClient, WaitSale};
use daemon::cli::show;
use protocol::money::Currency;
use protocol::node::host::config::parse_duration;
use protocol::node::host::exit::Exit;
use std::path::PathBuf;
use std::time::Duration;

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .ok_or_else(|| format!("«{text}» is no time: write a number with a unit, such as 90s, 15m, 2h or 7d"))
}

/// Sales at the counter
#[derive(Debug, clap::Subcommand)]
pub(super) enum SaleWords {
    /// Sell: shows the total and a code for the customer, and waits until it is paid
    #[command(after_help = "\
A line is an article, with *N for several of it and =PRICE where the catalogue leaves the price open; or NAME@PRICE for
what stands in no catalogue.

Examples:
  shop-node sale new bread*2 milk
  shop-node sale new tip=5 'hair cut@25' --till 2
  shop-node sale new bread --open                # a cart; shop-node sale ask makes its code")]
    New {
        /// What is sold
        #[arg(required = true)]
        lines: Vec<String>,
        /// At which till; the first one if left out
        #[arg(long)]
        till: Option<String>,
        /// Only a cart for now
        #[arg(long)]
        open: bool,
        /// How long it can be paid (15m, 7d)
        #[arg(long, value_name = "TIME", value_parser = duration)]
        expires: Option<Duration>,
        /// Wait so long for the payment; 0s for not at all
        #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
        wait: Duration,
        /// Your own key for this call: the same key with the same words opens one sale
        #[arg(long)]
        key: Option<String>,
    },
    /// Other lines for a cart
    Change {
        /// The sale's id
        sale: String,
        /// What is sold
        #[arg(required = true)]
        lines: Vec<String>,
    },
    /// Make the code for a cart
    Ask {
        /// The sale's id
        sale: String,
    },
    /// Take a sale back that nobody has paid
    Cancel {
        /// The sale's id
        sale: String,
    },
    /// A sale
    Show {
        /// The sale's id, or its receipt's number
        sale: String,
    },
    /// Wait until a sale is paid or over
    Wait {
        /// The sale's id
        sale: String,
        /// Wait so long
        #[arg(long, value_name = "TIME", default_value = "15m", value_parser = duration)]
        wait: Duration,
    },
    /// Sales, newest first
    List {
        /// Only this till
        #[arg(long)]
        till: Option<String>,
        /// Only in this state: open, asking, asked, paid, cancelled, expired
        #[arg(long)]
        state: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u64,
    },
    /// The receipt document: for paper, and as a file that anybody can verify off line
    Receipt {
        /// The sale's id, or its receipt's number
        sale: String,
        /// Write the file here
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

impl SaleWords {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let (client, currency) = session.with_currency().await?;
        let sale = match self {
            SaleWords::New { lines, till, open, expires, wait, key: given } => {
                let lines = cart::lines(&lines, &currency)?;
                let seconds = expires.map(|time| time.as_secs());
                let ask = open.then_some(false);
                let asked = NewSale { till, lines, seconds, ask, key: key(given) };
                let sale = client.sale_open(asked).await?;
                if wait.is_zero() || open {
                    sale
                } else {
                    show::advise(&page(&sale, &currency));
                    wait_for(&client, sale.sale.to_string(), wait).await?
                }
            }
            SaleWords::Change { sale, lines } => {
                let lines = cart::lines(&lines, &currency)?;
                client.sale_change(ChangeSale { sale, lines }).await?
            }
            SaleWords::Ask { sale } => client.sale_ask(BySale { sale }).await?,
            SaleWords::Cancel { sale } => client.sale_cancel(BySale { sale }).await?,
            SaleWords::Show { sale } => client.sale_show(BySale { sale }).await?,
            SaleWords::Wait { sale, wait } => wait_for(&client, sale, wait).await?,
            SaleWords::List { till, state, limit } => {
                let asked = SaleQuery { before: None, limit: Some(limit), till, state };
                return list(session, &client, asked, &currency).await;
            }
            SaleWords::Receipt { sale, file } => return receipt(session, &client, sale, file).await,
        };
        session.show.answer(&sale, || page(&sale, &currency))?;
        Ok(match sale.state.as_str() {
            "asking" | "asked" => Exit::InDoubt,
            "expired" => Exit::Refused,
            _ => Exit::Done,
        })
    }
}

async fn wait_for(client: &TillClient, sale: String, wait: Duration) -> Result<Sale, Fault> {
    let mut left = wait.as_secs();
    loop {
        let seconds = left.min(50);
        let now = client.sale_wait(WaitSale { sale: sale.clone(), seconds }).await?;
        left -= seconds;
        if left == 0 || !matches!(now.state.as_str(), "open" | "asking" | "asked") {
            return Ok(now);
        }
    }
}

fn page(sale: &Sale, currency: &Currency) -> String {
    let row = |line: &LineView| {
        let (each, sum) = (currency.show(line.price), currency.show(line.total));
        [line.quantity.to_string(), line.name.clone(), each, sum]
    };
    let lines = show::table(["n", "what", "each", "sum"], &[0, 2, 3], sale.lines.iter().map(row).collect());
    let facts = show::facts(&[
        ("total", currency.show_full(sale.total)),
        ("state", sale.state.clone()),
        ("what it means", sale.note.clone()),
        ("till", sale.till.clone()),
        ("till's code", sale.till_code.clone().unwrap_or_default()),
        ("receipt no.", sale.number.map(|number| number.to_string()).unwrap_or_default()),
        ("paid by", sale.payer_name.clone().unwrap_or_default()),
        (
            "given back",
            if sale.refunded.is_zero() { String::new() } else { currency.show_full(sale.refunded) },
        ),
        ("until", sale.expires.filter(|_| sale.uri.is_some()).map(|at| at.to_string()).unwrap_or_default()),
        ("sale", sale.sale.to_string()),
    ]);
    match &sale.uri {
        Some(uri) => format!("{lines}\n{}\n{facts}\n{uri}", show::qr(uri)),
        None => format!("{lines}\n{facts}"),
    }
}

async fn list(
    session: &Session,
    client: &TillClient,
    asked: SaleQuery,
    currency: &Currency,
) -> Result<Exit, Fault> {
    let found = client.sale_list(asked).await?;
    session.show.answer(&found, || {
        let row = |sale: &Sale| {
            let number = sale.number.map(|number| number.to_string()).unwrap_or_default();
            let payer = sale.payer_name.clone().unwrap_or_default();
            let (total, opened, id) =
                (currency.show(sale.total), sale.opened.to_string(), sale.sale.to_string());
            [number, sale.till.clone(), total, sale.state.clone(), payer, opened, id]
        };
        let header = ["no.", "till", "total", "state", "by", "opened", "sale"];
        show::table(header, &[0, 2], found.sales.iter().map(row).collect())
    })?;
    Ok(Exit::Done)
}

async fn receipt(
    session: &Session,
    client: &TillClient,
    sale: String,
    file: Option<PathBuf>,
) -> Result<Exit, Fault> {
    let document = client.sale_receipt(BySale { sale }).await?;
    if let Some(path) = &file {
        let bytes = hex::decode(&document.file).map_err(|_| Fault::Usage("the file is no hex".to_owned()))?;
        std::fs::write(path, bytes)?;
    }
    session.show.answer(&document, || match &file {
        Some(path) => format!("{}\nVerify it: stermina receipt verify {}", document.text, path.display()),
        None => document.text.clone(),
    })?;
    Ok(Exit::Done)
}
