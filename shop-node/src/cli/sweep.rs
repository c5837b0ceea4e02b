//! Sweeps: what goes to the company that owns the shop.

use super::{Fault, Session};
use crate::rpc::api::{PageQuery, Renumber, SweepNow, SweepStatus, SweepView};
use daemon::cli::show;
use protocol::money::Currency;
use protocol::node::host::exit::Exit;
use protocol::node::rpc::Empty;

/// What was taken goes to the company that owns the shop, with the signed list of sales
#[derive(Debug, clap::Subcommand)]
pub(super) enum SweepWords {
    /// What is on its way, and what waits for the next one
    Status,
    /// Send what was taken since the last one now, and try at once what waits
    #[command(after_help = "\
Closing the day does it by itself (settings set --sweep on). The units go from the till into the shop's account, and from there
to the company: once, whatever crashes; the till has to be unlocked and the bank there, else it waits and goes on by itself.")]
    Now {
        /// Take what the till lacks from what the shop's account holds
        #[arg(long)]
        from_account: bool,
    },
    /// Sweeps, newest first
    List,
    /// Go on from another number: when the bank has sweeps that this shop's file has not
    Renumber {
        /// One more than the last that the bank has
        next: u64,
    },
}

impl SweepWords {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let (client, currency) = session.with_currency().await?;
        let status = match self {
            SweepWords::Status => client.sweep_status(Empty {}).await?,
            SweepWords::Now { from_account } => {
                client.sweep_now(SweepNow { from_account: Some(from_account) }).await?
            }
            SweepWords::Renumber { next } => client.sweep_renumber(Renumber { next }).await?,
            SweepWords::List => {
                let found = client.sweep_list(PageQuery { before: None, limit: Some(500) }).await?;
                session.show.answer(&found, || table(&found.sweeps, &currency))?;
                return Ok(Exit::Done);
            }
        };
        session.show.answer(&status, || page(&status, &currency))?;
        Ok(Exit::Done)
    }
}

fn table(sweeps: &[SweepView], currency: &Currency) -> String {
    let row = |sweep: &SweepView| {
        let (number, units) = (sweep.number.to_string(), currency.show(sweep.units));
        let done = sweep.done.map(|at| at.to_string()).unwrap_or_default();
        let letter = sweep.letter.map(|letter| letter.to_string()).unwrap_or_default();
        let ordered = currency.show(sweep.ordered);
        [
            number,
            sweep.day.clone(),
            units,
            ordered,
            sweep.sales.to_string(),
            sweep.state.clone(),
            done,
            letter,
        ]
    };
    let header = ["no.", "day", "amount", "by orders", "lines", "state", "done", "letter"];
    show::table(header, &[0, 2, 3, 4], sweeps.iter().map(row).collect())
}

fn page(status: &SweepStatus, currency: &Currency) -> String {
    let first = status.open.first().map(|sweep| sweep.note.clone()).unwrap_or_default();
    let facts = show::facts(&[
        (
            "when a day is closed",
            if status.on { "takings go to the company" } else { "they stay here" }.to_owned(),
        ),
        ("since the last one", format!("{} lines", status.lines)),
        ("received", currency.show_full(status.received)),
        ("given back", currency.show_full(status.refunded)),
        ("on their way", status.open.len().to_string()),
        ("waits", first),
    ]);
    if status.open.is_empty() { facts } else { format!("{facts}\n{}", table(&status.open, currency)) }
}
