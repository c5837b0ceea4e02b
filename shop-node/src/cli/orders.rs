//! Orders from afar: what was ordered, and what becomes of its money.

use super::{Fault, Session, key};
use crate::rpc::orders::{
    ByOrder, Order, OrderCode, OrderDispute, OrderNote, OrderQuery, OrderRefund, OrderSaid, OrderedLine,
};
use crate::shop::order::is_host;
use daemon::cli::show;
use protocol::id::RequestId;
use protocol::money::Currency;
use protocol::node::host::exit::Exit;
use protocol::node::rpc::Empty;

/// Orders from afar, whose money the bank holds
#[derive(Debug, clap::Subcommand)]
pub(super) enum OrderWords {
    /// Orders, newest first
    List {
        /// Only in this state: new, accepted, held, disputed, closed, refused, expired
        #[arg(long)]
        state: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u64,
    },
    /// An order: what, for whom, where to, what the bank holds
    Show {
        /// Its id
        order: RequestId,
    },
    /// Say yes to an order that waits for somebody to look at it
    Accept(Said),
    /// Say no; what the bank holds for it goes back by itself
    Refuse(Said),
    /// It is ready, or on its way; the buyer reads the note
    Ready(Said),
    /// Type in the code that came back with the courier: the money comes to the account
    Code {
        /// The order's id
        order: RequestId,
        /// The code
        code: String,
        /// Your own key for this call
        #[arg(long)]
        key: Option<String>,
    },
    /// Give back out of what the bank holds
    Refund {
        /// The order's id
        order: RequestId,
        /// How much; all that is left if left out
        amount: Option<String>,
        /// Your own key for this call: the same key with the same words gives back once
        #[arg(long)]
        key: Option<String>,
    },
    /// Something is wrong: no date moves the money any more
    Dispute {
        /// The order's id
        order: RequestId,
        /// Why; the buyer and the bank read it
        #[arg(long)]
        reason: String,
        /// Your own key for this call
        #[arg(long)]
        key: Option<String>,
    },
    /// How orders are taken, and who is told when the money is there
    Settings(SettingWords),
}

/// An order, and a note that the buyer reads.
#[derive(Debug, clap::Args)]
pub(super) struct Said {
    /// Its id
    order: RequestId,
    /// What the buyer reads
    #[arg(long)]
    note: Option<String>,
}

/// What is changed; the others stay. An empty text ends a notice.
#[derive(Debug, clap::Args)]
pub(super) struct SettingWords {
    /// auto, ask (somebody looks at each) or closed
    #[arg(long)]
    taking: Option<String>,
    /// So many days after an order's end its address is forgotten
    #[arg(long, value_name = "DAYS")]
    address_days: Option<u64>,
    /// A program that is run for each order whose money is there, with the order as JSON on its input
    #[arg(long, value_name = "PATH")]
    notice_command: Option<String>,
    /// A folder that gets a slip for each
    #[arg(long, value_name = "FOLDER")]
    notice_folder: Option<String>,
    /// A receipt printer (ESC/POS): a file, or host:port
    #[arg(long, value_name = "PRINTER")]
    notice_printer: Option<String>,
}

impl OrderWords {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let (client, currency) = session.with_currency().await?;
        let note = |said: Said| OrderNote { order: said.order, note: said.note };
        let order = match self {
            OrderWords::List { state, limit } => {
                let asked = OrderQuery { before: None, limit: Some(limit), state };
                let found = client.order_list(asked).await?;
                session.show.answer(&found, || list(&found.orders, &currency))?;
                return Ok(Exit::Done);
            }
            OrderWords::Show { order } => client.order_show(ByOrder { order }).await?,
            OrderWords::Accept(said) => client.order_accept(note(said)).await?,
            OrderWords::Refuse(said) => client.order_refuse(note(said)).await?,
            OrderWords::Ready(said) => client.order_ready(note(said)).await?,
            OrderWords::Code { order, code, key: given } => {
                let said = client.order_code(OrderCode { order, code, key: key(given) }).await?;
                return answer(session, &said, &currency);
            }
            OrderWords::Refund { order, amount, key: given } => {
                let units = amount.map(|text| currency.parse(&text)).transpose();
                let units = units.map_err(|flaw| Fault::Usage(flaw.to_string()))?;
                let said = client.order_refund(OrderRefund { order, units, key: key(given) }).await?;
                return answer(session, &said, &currency);
            }
            OrderWords::Dispute { order, reason, key: given } => {
                let said = client.order_dispute(OrderDispute { order, reason, key: key(given) }).await?;
                return answer(session, &said, &currency);
            }
            OrderWords::Settings(words) => return words.run(session).await,
        };
        session.show.answer(&order, || page(&order, &currency))?;
        Ok(Exit::Done)
    }
}

/// A path is meant from where it is typed; the shop stands somewhere else. A printer in the network is none.
fn whole(text: String) -> std::io::Result<String> {
    if is_host(&text) {
        return Ok(text);
    }
    Ok(std::path::absolute(text)?.to_string_lossy().into_owned())
}

impl SettingWords {
    async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let client = session.client().await?;
        let mut settings = client.order_settings(Empty {}).await?;
        let mut changes = false;
        if let Some(taking) = self.taking {
            (settings.taking, changes) = (taking, true);
        }
        if let Some(days) = self.address_days {
            (settings.address_days, changes) = (days, true);
        }
        let given = [
            (self.notice_command, &mut settings.command),
            (self.notice_folder, &mut settings.folder),
            (self.notice_printer, &mut settings.printer),
        ];
        for (given, place) in given {
            if let Some(text) = given {
                *place = (!text.is_empty()).then(|| whole(text)).transpose()?;
                changes = true;
            }
        }
        if changes {
            settings = client.order_set(settings).await?;
        }
        session.show.answer(&settings, || {
            show::facts(&[
                ("orders are taken", settings.taking.clone()),
                ("addresses are kept", format!("{} days", settings.address_days)),
                ("program", settings.command.clone().unwrap_or_default()),
                ("folder", settings.folder.clone().unwrap_or_default()),
                ("printer", settings.printer.clone().unwrap_or_default()),
            ])
        })?;
        Ok(Exit::Done)
    }
}

fn answer(session: &Session, said: &OrderSaid, currency: &Currency) -> Result<Exit, Fault> {
    session.show.answer(said, || match (said.said.as_str(), &said.reason) {
        ("refused", Some(reason)) if reason == "wrong_code" => {
            let wrong = said.order.hold.as_ref().map_or(0, |hold| hold.wrong_codes);
            format!("This is not the code ({wrong} of 5 tries).\n")
        }
        ("refused", reason) => format!("The bank says no: {}\n", reason.clone().unwrap_or_default()),
        ("asked", _) => "The bank is away: it is asked again by itself.\n".to_owned(),
        _ => page(&said.order, currency),
    })?;
    Ok(match said.said.as_str() {
        "done" => Exit::Done,
        "asked" => Exit::InDoubt,
        _ => Exit::Refused,
    })
}

fn page(order: &Order, currency: &Currency) -> String {
    let row = |line: &OrderedLine| {
        [line.quantity.to_string(), line.name.clone(), currency.show(line.price), line.sku.clone()]
    };
    let lines = show::table(["", "article", "each", "sku"], &[0, 2], order.lines.iter().map(row).collect());
    let hold = order.hold.as_ref();
    let facts = show::facts(&[
        ("state", order.state.clone()),
        ("what it means", order.meaning.clone()),
        ("for", order.name.clone()),
        ("to", order.address.clone().unwrap_or_default()),
        ("says", order.note.clone()),
        ("carry out by", order.order_ends.to_string()),
        ("released by", order.release.clone()),
        ("held", hold.map(|hold| currency.show_full(hold.left)).unwrap_or_default()),
        ("disagrees", hold.and_then(|hold| hold.disputed_by.clone()).unwrap_or_default()),
        ("because", hold.and_then(|hold| hold.reason.clone()).unwrap_or_default()),
        ("came", hold.and_then(|h| h.released).map(|units| currency.show_full(units)).unwrap_or_default()),
        (
            "went back",
            hold.and_then(|h| h.returned).map(|units| currency.show_full(units)).unwrap_or_default(),
        ),
        ("order", order.order.to_string()),
    ]);
    format!("{} for {}\n{lines}{facts}", currency.show_full(order.total), order.name)
}

fn list(orders: &[Order], currency: &Currency) -> String {
    if orders.is_empty() {
        return "Nothing was ordered.".to_owned();
    }
    let row = |order: &Order| {
        let (total, at) = (currency.show(order.total), order.placed.to_string());
        [order.name.clone(), total, order.state.clone(), at, order.order.to_string()]
    };
    show::table(["for", "total", "state", "came", "order"], &[1], orders.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Review of issue 4: what is typed as «slips» is a folder here, not one where the shop happens to stand.
    #[test]
    fn paths_are_whole_and_hosts_stay() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(whole("slips".to_owned()).unwrap(), here.join("slips").to_string_lossy());
        for stays in ["/var/slips", "printer.hall:9100", "10.0.0.7:9100", "[fe80::1]:9100"] {
            assert_eq!(whole(stays.to_owned()).unwrap(), stays);
        }
    }
}
