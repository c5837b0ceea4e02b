//! What waits in mailboxes.

use super::fault::Fault;
use super::session::Session;
use super::show;
use crate::rpc::api::{Mailbox, Payment};
use protocol::money::Currency;
use protocol::node::host::exit::Exit;
use protocol::node::rpc::Empty;

/// Shows what waits in mailboxes.
pub(crate) async fn mailbox(session: &Session) -> Result<Exit, Fault> {
    let client = session.client().await?;
    let currency = session.status(&client).await?.currency;
    let mailbox = client.mailbox_show(Empty {}).await?;
    session.show.answer(&mailbox, || page(&mailbox, &currency))?;
    Ok(Exit::Done)
}

fn page(mailbox: &Mailbox, currency: &Currency) -> String {
    let looked = mailbox.looked.map_or("not yet".to_owned(), |at| at.to_string());
    let facts = show::facts(&[
        ("last looked into", looked),
        ("mail not handled yet", mailbox.waiting.to_string()),
        ("requests left for payers", mailbox.requests.to_string()),
    ]);
    if mailbox.left.is_empty() {
        return format!("{facts}No payment of yours waits in a mailbox.");
    }
    let row = |payment: &Payment| {
        let way = payment.mailbox.as_ref();
        let since = way.and_then(|way| way.since).map_or("on its way".to_owned(), |at| at.to_string());
        let until = way.map(|way| way.until.to_string()).unwrap_or_default();
        [payment.name.clone(), currency.show(payment.units), since, until, payment.payment.to_string()]
    };
    let header = ["payee", "amount", "since", "until", "payment"];
    let table = show::table(header, &[1], mailbox.left.iter().map(row).collect());
    format!("{facts}{table}\nTo take one back: stermina payment cancel ID")
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::time::Timestamp;

    #[test]
    fn an_empty_mailbox_says_so() {
        let mailbox = Mailbox { looked: Some(Timestamp(0)), waiting: 2, requests: 16, left: Vec::new() };
        let page = page(&mailbox, &Currency::default());
        for words in ["1970-01-01T00:00:00Z", "2", "16", "No payment of yours"] {
            assert!(page.contains(words), "{page}");
        }
    }
}
