//! Being paid: the own public code, requests, and who paid them.

use super::KeyWords;
use super::fault::Fault;
use super::session::{Session, amount};
use super::show;
use crate::rpc::api::{ByRequest, NewRequest, RequestView};
use protocol::code::SCHEME;
use protocol::id::RequestId;
use protocol::money::Currency;
use protocol::node::host::exit::Exit;
use std::time::Duration;

/// `code`.
pub(crate) async fn code(session: &Session) -> Result<Exit, Fault> {
    let client = session.client().await?;
    let status = session.status(&client).await?;
    let uri = format!("{SCHEME}{}", status.code);
    let document = serde_json::json!({ "code": status.code, "uri": uri, "name": status.name });
    session.show.answer(&document, || format!("{}\n{}\n{}", show::qr(&uri), status.name, status.code))?;
    Ok(Exit::Done)
}

/// Ask to be paid once: prints a line and a QR code to hand over
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  stermina request 30 --memo lunch
  stermina request 50 --at-most --expires 7d     # the payer chooses, up to 50
  stermina request show 0f3a…                    # was it paid, and by whom?"
)]
pub(crate) struct RequestWords {
    /// How much, in the bank's currency (12 or 12.50)
    #[arg(required = true, allow_negative_numbers = true)]
    amount: Option<String>,
    /// What for, at most 140 bytes; the payer reads it
    #[arg(long, value_name = "TEXT")]
    memo: Option<String>,
    /// The payer may choose any amount up to this
    #[arg(long)]
    at_most: bool,
    /// How long it can be paid (30m, 1d, 7d; a day if left out)
    #[arg(long, value_name = "TIME", value_parser = super::duration)]
    expires: Option<Duration>,
    #[command(flatten)]
    key: KeyWords,
    #[command(subcommand)]
    command: Option<RequestCommand>,
}

/// What can be done with a request that was made.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum RequestCommand {
    /// A request that was made here, and who paid it
    Show {
        /// Its id
        request: RequestId,
    },
}

impl RequestWords {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let client = session.client().await?;
        let currency = session.status(&client).await?.currency;
        let view = match (self.command, self.amount) {
            (Some(RequestCommand::Show { request }), _) => client.request_show(ByRequest { request }).await?,
            (None, Some(text)) => {
                let units = amount(&currency, &text)?;
                let key = session.key(self.key.key.as_deref());
                let (at_most, seconds) =
                    (self.at_most.then_some(true), self.expires.map(|time| time.as_secs()));
                client.request_create(NewRequest { units, at_most, memo: self.memo, seconds, key }).await?
            }
            (None, None) => return Err(Fault::Usage("how much? stermina request AMOUNT".to_owned())),
        };
        session.show.answer(&view, || page(&view, &currency))?;
        Ok(Exit::Done)
    }
}

fn page(view: &RequestView, currency: &Currency) -> String {
    let rule = if view.at_most { "at most " } else { "" };
    let paid = match &view.paid_by {
        Some(payer) => format!("by {payer}"),
        None => "not yet".to_owned(),
    };
    let facts = show::facts(&[
        ("amount", format!("{rule}{}", currency.show_full(view.units))),
        ("memo", view.memo.clone()),
        ("until", view.expires.to_string()),
        ("paid", paid),
        ("payment", view.payment.map(|id| id.to_string()).unwrap_or_default()),
        ("request", view.request.to_string()),
    ]);
    match view.paid_by {
        Some(_) => facts,
        None => format!("{}\n{facts}\n{}", show::qr(&view.uri), view.uri),
    }
}
