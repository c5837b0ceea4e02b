//! A till chosen by name: shops near by, and paying what waits where a code was read (M2).

use super::fault::Fault;
use super::session::Session;
use super::show::{self, Show};
use crate::rpc::api::{NearQuery, NearShop, TillLine, TillQuery, TillSale, WorkstationClient};
use protocol::money::Currency;
use protocol::node::host::exit::Exit;
use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// A till chosen by name, instead of a code or a link.
#[derive(Debug, clap::Args)]
pub(super) struct TillWords {
    /// The shop: its name with * for anything, among those near by; or its whole name or public code, wherever it is
    #[arg(long, value_name = "NAME", requires = "code", conflicts_with = "to")]
    till: Option<String>,
    /// The six digits that the till shows; with --till, or alone when one shop only is near
    #[arg(long, value_name = "DIGITS", conflicts_with = "to")]
    code: Option<String>,
    /// Which till of the shop, where several show the same digits
    #[arg(long, value_name = "TILL", requires = "code")]
    at: Option<String>,
    /// Do not ask: shop and amount are as you want them
    #[arg(long, requires = "code")]
    yes: bool,
}

impl TillWords {
    /// What waits at the till, if one was chosen; nothing to pay when the person says no.
    pub(super) async fn chosen(
        &self,
        session: &Session,
        client: &WorkstationClient,
        currency: &Currency,
    ) -> Result<Chosen, Fault> {
        let Some(code) = self.code.clone() else { return Ok(Chosen::NoTill) };
        let asked = TillQuery { name: self.till.clone(), till: self.at.clone(), code };
        let sale = client.shop_till(asked).await?;
        let wanted = self.yes || confirmed(session, &page(&sale, currency))?;
        Ok(if wanted { Chosen::Sale(sale) } else { Chosen::Refused })
    }
}

/// What came of choosing.
pub(super) enum Chosen {
    /// No till was named.
    NoTill,
    /// This is to be paid.
    Sale(TillSale),
    /// The person said no, or nobody could be asked.
    Refused,
}

fn page(sale: &TillSale, currency: &Currency) -> String {
    let row = |line: &TillLine| [line.quantity.to_string(), line.name.clone(), currency.show(line.price)];
    let lines = show::table(["", "what", "each"], &[0, 2], sale.lines.iter().map(row).collect());
    format!("{lines}{} to {}, till {}", currency.show_full(sale.units), sale.name, sale.till)
}

/// Asks the person at the terminal; without one nothing is paid, and it says how.
fn confirmed(session: &Session, words: &str) -> Result<bool, Fault> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() || matches!(session.show, Show::Json) {
        show::advise(&format!("Nothing was paid. It would be:\n{words}\nTo pay it: the same with --yes"));
        return Ok(false);
    }
    let mut out = std::io::stderr().lock();
    write!(out, "{words}\nPay it? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// `shop near`.
pub(super) async fn near(
    session: &Session,
    client: &WorkstationClient,
    name: Option<String>,
) -> Result<Exit, Fault> {
    let found = client.shop_near(NearQuery { name }).await?;
    session.show.answer(&found, || {
        if found.shops.is_empty() {
            return "No shop is near: one that the bank has certified, in this local network.".to_owned();
        }
        let row = |shop: &NearShop| {
            let tills = if shop.answers { shop.tills.join(", ") } else { "does not answer".to_owned() };
            [shop.name.clone(), tills, shop.shop.to_string()]
        };
        show::table(["shop", "tills", "public code"], &[], found.shops.iter().map(row).collect())
    })?;
    Ok(Exit::Done)
}
