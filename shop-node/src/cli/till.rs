//! What a till shows to customers who choose it by name (M2).

use super::{Fault, Session};
use crate::rpc::api::{TillCodeView, TillCodes, TillQuery};
use daemon::cli::show;
use protocol::money::Currency;
use protocol::node::host::exit::Exit;
use std::time::Duration;

/// How often a code is looked at that is being followed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a till shows to customers who choose it by name
#[derive(Debug, clap::Subcommand)]
pub(super) enum TillWords {
    /// The six digits of now: the customer types stermina pay --till NAME --code DIGITS
    #[command(after_help = "\
They change each minute, and are taken for a minute more. Each till has its own. They lead to the newest sale that waits
there, and to nothing while none does.

Examples:
  shop-node till code
  shop-node till code 2 --follow                 # for a display at the till")]
    Code {
        /// Which till; all of them if left out
        till: Option<String>,
        /// Go on, and print again whenever something has changed, until interrupted
        #[arg(long)]
        follow: bool,
    },
}

impl TillWords {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let TillWords::Code { till, follow } = self;
        let (client, currency) = session.with_currency().await?;
        let asked = TillQuery { till };
        let mut codes = client.till_code(asked.clone()).await?;
        session.show.answer(&codes, || page(&codes, &currency))?;
        if !follow {
            return Ok(Exit::Done);
        }
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = client.till_code(asked.clone()).await?;
            if seen(&now) != seen(&codes) {
                session.show.answer(&now, || page(&now, &currency))?;
            }
            codes = now;
        }
    }
}

/// What a person sees of it.
fn seen(codes: &TillCodes) -> Vec<(&str, &str, bool)> {
    let line = |till: &TillCodeView| till.request.is_some();
    codes.tills.iter().map(|till| (till.till.as_str(), till.code.as_str(), line(till))).collect()
}

fn page(codes: &TillCodes, currency: &Currency) -> String {
    let row = |till: &TillCodeView| {
        let waits = till.units.map_or_else(|| "nothing waits".to_owned(), |units| currency.show_full(units));
        [till.till.clone(), till.code.clone(), waits]
    };
    show::table(["till", "code", "to pay"], &[], codes.tills.iter().map(row).collect())
}
