//! What a till shows to customers who choose it by name (M2).

use super::{Fault, Session};
use crate::rpc::api::{TillCodeView, TillCodes, TillQuery};
use daemon::cli::show;
use protocol::id::RequestId;
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
They change each minute, and are taken for a minute more. Each till has its own. Of the sales that wait there they lead
to the one that was asked last, and to nothing while none does.

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
fn seen(codes: &TillCodes) -> Vec<(&str, &str, Option<RequestId>)> {
    codes.tills.iter().map(|till| (till.till.as_str(), till.code.as_str(), till.request)).collect()
}

fn page(codes: &TillCodes, currency: &Currency) -> String {
    let row = |till: &TillCodeView| {
        let waits = till.units.map_or_else(|| "nothing waits".to_owned(), |units| currency.show_full(units));
        [till.till.clone(), till.code.clone(), waits]
    };
    show::table(["till", "code", "to pay"], &[], codes.tills.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::money::Units;
    use protocol::time::Timestamp;

    /// M2: the display changes at once when another sale waits, though the digits and the sum are the same.
    #[test]
    fn another_sale_is_something_else_to_see() {
        let codes = |request: Option<u8>, until| TillCodes {
            tills: vec![TillCodeView {
                till: "1".to_owned(),
                code: "483920".to_owned(),
                until: Timestamp(until),
                request: request.map(|byte| RequestId([byte; 16])),
                units: request.map(|_| Units::new(5).unwrap()),
            }],
        };
        assert_ne!(seen(&codes(Some(1), 60)), seen(&codes(Some(2), 60)));
        assert_ne!(seen(&codes(Some(1), 60)), seen(&codes(None, 60)));
        assert_eq!(seen(&codes(Some(1), 60)), seen(&codes(Some(1), 120)));
    }
}
