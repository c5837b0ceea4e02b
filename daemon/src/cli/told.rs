//! What the bank last told everybody.

use super::fault::Fault;
use super::session::Session;
use super::show;
use crate::rpc::api::BulletinView;
use protocol::money::Currency;
use protocol::node::host::exit::Exit;
use protocol::node::rpc::Empty;

pub(crate) async fn bulletin(session: &Session) -> Result<Exit, Fault> {
    let client = session.client().await?;
    let currency = session.status(&client).await?.currency;
    let bulletin = client.bulletin(Empty {}).await?;
    session.show.answer(&bulletin, || page(&bulletin, &currency))?;
    Ok(Exit::Done)
}

fn page(bulletin: &BulletinView, currency: &Currency) -> String {
    let mut lines = match bulletin.at {
        None => vec!["No bulletin of the bank has come yet.".to_owned()],
        Some(at) => vec![show::facts(&[
            ("bulletin", format!("number {}, {at}", bulletin.number)),
            ("journal", format!("{} entries", bulletin.journal)),
            ("directory", format!("{} lines", bulletin.directory)),
            ("withdrawn in all", currency.show_full(bulletin.issued)),
            ("brought back", currency.show_full(bulletin.redeemed)),
            ("suspended", bulletin.suspended.to_string()),
            ("being reclaimed", format!("{} pieces", bulletin.reclaimed)),
            ("a direct payment, now at most", currency.show_full(bulletin.direct_max)),
        ])],
    };
    let revoked = bulletin.revoked.iter();
    lines.extend(revoked.map(|key| format!("Revoked: the {} key {} ({})", key.usage, key.key, key.from_day)));
    lines.extend(bulletin.warnings.iter().map(|warning| format!("Warning: {warning}.")));
    lines.join("\n")
}
