//! Giving back.

use super::{Fault, Session, key};
use crate::rpc::api::{ByRefund, NewRefund, Refund};
use daemon::cli::show;
use protocol::id::RequestId;
use protocol::money::Currency;
use protocol::node::host::exit::Exit;
use protocol::node::rpc::Empty;

/// Give back against a receipt, and what is owed
#[derive(Debug, clap::Subcommand)]
pub(super) enum RefundWords {
    /// Give a part of a sale back, or all of it
    #[command(after_help = "\
It is an ordinary payment of the till, so the till must be unlocked and hold enough; else it is owed, and goes out by itself.

Examples:
  shop-node refund make 17                       # all that is left of receipt 17
  shop-node refund make 17 3.50 --reason stale")]
    Make {
        /// The sale's id, or its receipt's number
        sale: String,
        /// How much; all that is left if left out
        #[arg(allow_negative_numbers = true)]
        amount: Option<String>,
        /// Why; the customer reads it
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// In a book that was put back from a copy: you have looked, and it was not given back already
        #[arg(long)]
        looked: bool,
        /// Your own key for this call: the same key with the same words gives back once
        #[arg(long)]
        key: Option<String>,
    },
    /// A refund
    Show {
        /// Its id
        refund: RequestId,
    },
    /// What is owed, and what is on its way
    List,
}

impl RefundWords {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let (client, currency) = session.with_currency().await?;
        let refund = match self {
            RefundWords::Make { sale, amount, reason, looked, key: given } => {
                let units = amount.map(|text| currency.parse(&text)).transpose();
                let units = units.map_err(|flaw| Fault::Usage(flaw.to_string()))?;
                client
                    .refund_make(NewRefund { sale, units, reason, looked: Some(looked), key: key(given) })
                    .await?
            }
            RefundWords::Show { refund } => client.refund_show(ByRefund { refund }).await?,
            RefundWords::List => {
                let open = client.refund_list(Empty {}).await?;
                session.show.answer(&open, || list(&open.refunds, &currency))?;
                return Ok(Exit::Done);
            }
        };
        session.show.answer(&refund, || page(&refund, &currency))?;
        Ok(match refund.state.as_str() {
            "owed" | "paying" => Exit::InDoubt,
            "failed" => Exit::Refused,
            _ => Exit::Done,
        })
    }
}

fn page(refund: &Refund, currency: &Currency) -> String {
    show::facts(&[
        ("given back", currency.show_full(refund.units)),
        ("to", refund.name.clone()),
        ("why", if refund.reason.is_empty() { refund.why.clone() } else { refund.reason.clone() }),
        ("state", refund.state.clone()),
        ("what it means", refund.note.clone()),
        ("by", refund.by.clone()),
        ("payment", refund.payment.to_string()),
        ("refund", refund.refund.to_string()),
        ("sale", refund.sale.to_string()),
    ])
}

fn list(refunds: &[Refund], currency: &Currency) -> String {
    if refunds.is_empty() {
        return "Nothing is owed.".to_owned();
    }
    let row = |refund: &Refund| {
        let (units, since) = (currency.show(refund.units), refund.begun.to_string());
        [
            refund.name.clone(),
            units,
            refund.state.clone(),
            refund.note.clone(),
            since,
            refund.refund.to_string(),
        ]
    };
    show::table(
        ["to", "amount", "state", "what it means", "since", "refund"],
        &[1],
        refunds.iter().map(row).collect(),
    )
}
