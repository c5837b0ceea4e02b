//! Orders from afar: a shop's catalogue, an order, what became of it.

use super::fault::Fault;
use super::session::{Session, amount_if};
use super::show::{self, Show};
use super::{KeyWords, WaitWords, till};
use crate::rpc::api::{
    Article, ByOrder, Catalogue, CatalogueQuery, ConfirmOrder, DisputeOrder, NewOrder, Operation, Order,
    OrderLine, WaitOrder, WaitRequest, WorkstationClient,
};
use protocol::id::RequestId;
use protocol::money::{Currency, Units};
use protocol::node::host::exit::Exit;
use protocol::node::rpc::Empty;
use protocol::time::Timestamp;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;

/// Order from a shop: the bank holds the money until the goods are there
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ShopWords {
    /// Shops in the local network, by the names that the bank has certified
    Near {
        /// Only names like this, with * for anything
        name: Option<String>,
    },
    /// What a shop sells
    Catalogue {
        /// The shop: its public code, a stermina: link, or its name
        shop: String,
        /// Articles after this number
        #[arg(long, value_name = "SKU")]
        after: Option<String>,
    },
    Order(Box<OrderWords>),
    /// Your orders, newest first
    Orders,
    /// An order: what the bank holds, until when, what you can do, its code
    Show {
        /// Its id
        order: RequestId,
        /// Write digital goods into this folder, a file for each article
        #[arg(long, value_name = "FOLDER")]
        save: Option<PathBuf>,
    },
    /// You have what you ordered: the bank gives the money to the shop
    Confirm {
        /// The order's id
        order: RequestId,
        #[command(flatten)]
        key: KeyWords,
        #[command(flatten)]
        wait: WaitWords,
    },
    /// Something is wrong: no date moves the money any more, until you agree or the bank decides
    Dispute {
        /// The order's id
        order: RequestId,
        /// Why; the shop and the bank read it
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        key: KeyWords,
        #[command(flatten)]
        wait: WaitWords,
    },
}

/// Order something
#[derive(Debug, clap::Args)]
#[command(after_help = "\
You see what it comes to and where it goes before anything is signed. With --release code you get a code: give it to
whoever brings the goods, and not before; the shop gets the money with it. Your own «shop confirm» always releases it.

Examples:
  stermina shop order 'Mess hall' --item lunch:2 --to 'Via Roma 3' --release code
  stermina shop order st1q… --item song --yes --confirm-goods --json")]
pub(crate) struct OrderWords {
    /// The shop: its public code, a stermina: link, or its name
    shop: String,
    /// An article, as SKU, SKU:COUNT or SKU:COUNT@PRICE; once for each
    #[arg(long = "item", value_name = "SKU:N", required = true)]
    items: Vec<String>,
    /// Where it shall be brought
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// What you have to say, at most 140 bytes
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// What releases the money besides your confirmation: confirmation (nothing else), code, or date:SECONDS
    #[arg(long, value_name = "RULE", default_value = "confirmation")]
    release: String,
    /// In so many days it has to be carried out
    #[arg(long, value_name = "DAYS")]
    days: Option<u64>,
    /// Confirm digital goods by itself when they are here
    #[arg(long)]
    confirm_goods: bool,
    /// Do not ask: address and sum are as you want them
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    key: KeyWords,
    #[command(flatten)]
    wait: WaitWords,
}

impl ShopWords {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let client = session.client().await?;
        let currency = session.status(&client).await?.currency;
        match self {
            ShopWords::Near { name } => till::near(session, &client, name).await,
            ShopWords::Catalogue { shop, after } => {
                let page = client.shop_catalogue(CatalogueQuery { shop, after }).await?;
                session.show.answer(&page, || catalogue_page(&page, &currency))?;
                Ok(Exit::Done)
            }
            ShopWords::Order(words) => words.run(session, &client, &currency).await,
            ShopWords::Orders => list(session, &client, &currency).await,
            ShopWords::Show { order, save } => {
                let order = client.shop_show(ByOrder { order }).await?;
                if let Some(folder) = save {
                    write_goods(&order, &folder)?;
                }
                session.show.answer(&order, || order_page(&order, &currency))?;
                Ok(end(&order))
            }
            ShopWords::Confirm { order, key, wait } => {
                let key = session.key(key.key.as_deref());
                let said = client.shop_confirm(ConfirmOrder { order, key: key.clone() }).await?;
                settle(session, &client, (said, order), (&key, &wait), &currency).await
            }
            ShopWords::Dispute { order, reason, key, wait } => {
                let key = session.key(key.key.as_deref());
                let said = client.shop_dispute(DisputeOrder { order, reason, key: key.clone() }).await?;
                settle(session, &client, (said, order), (&key, &wait), &currency).await
            }
        }
    }
}

impl OrderWords {
    async fn run(
        self,
        session: &Session,
        client: &WorkstationClient,
        currency: &Currency,
    ) -> Result<Exit, Fault> {
        let lines: Vec<OrderLine> =
            self.items.iter().map(|text| line(text, currency)).collect::<Result<_, _>>()?;
        let (release, date) = release(&self.release)?;
        let mut total = None;
        if !self.yes {
            let sum = self.comes_to(client, &lines, currency).await?;
            let place = self.to.as_deref().unwrap_or("nowhere: nothing is brought");
            let words = format!(
                "{} of {}\nto      {place}\nfrom your account; the bank holds it (release: {})",
                currency.show_full(sum),
                self.shop,
                self.release
            );
            if !confirmed(session, &words)? {
                return Ok(Exit::Refused);
            }
            total = Some(sum);
        }
        let key = session.key(self.key.key.as_deref());
        let asked = NewOrder {
            shop: self.shop,
            lines,
            total,
            address: self.to,
            note: self.note,
            release: Some(release),
            date,
            days: self.days,
            confirm_goods: self.confirm_goods.then_some(true),
            key: key.clone(),
        };
        let mut order = client.shop_order(asked).await?;
        for seconds in self.wait.slices() {
            if !matches!(order.state.as_str(), "placing" | "holding") {
                break;
            }
            order = client.shop_wait(WaitOrder { order: order.order, seconds, from: None }).await?;
        }
        session.show.answer(&super::with_key(&order, &key), || order_page(&order, currency))?;
        Ok(end(&order))
    }

    /// What the shop's catalogue says that it comes to.
    async fn comes_to(
        &self,
        client: &WorkstationClient,
        lines: &[OrderLine],
        currency: &Currency,
    ) -> Result<Units, Fault> {
        let mut sum = Units::ZERO;
        let mut after = None;
        let mut left: Vec<&OrderLine> = lines.iter().collect();
        loop {
            let page = client.shop_catalogue(CatalogueQuery { shop: self.shop.clone(), after }).await?;
            for item in &page.items {
                for line in left.extract_if(.., |line| line.sku == item.sku) {
                    let price = line.price.or(item.price);
                    let price = price.ok_or_else(|| {
                        Fault::Usage(format!("say what you give for «{}»: --item {0}:1@PRICE", item.sku))
                    })?;
                    let cost = price.times(line.quantity.unwrap_or(1)).and_then(|cost| sum.plus(cost));
                    sum = cost.map_err(|flaw| Fault::Usage(flaw.to_string()))?;
                }
            }
            after = page.next;
            if after.is_none() || left.is_empty() {
                break;
            }
        }
        match left.first() {
            Some(line) => Err(Fault::Usage(format!("«{}» is not in the catalogue", line.sku))),
            None if sum.is_zero() => Err(Fault::Usage(format!("it comes to {}", currency.show_full(sum)))),
            None => Ok(sum),
        }
    }
}

/// Asks the person at the terminal; without one nothing is ordered, and it says how.
fn confirmed(session: &Session, words: &str) -> Result<bool, Fault> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() || matches!(session.show, Show::Json) {
        show::advise(&format!(
            "Nothing was ordered. It would be:\n{words}\nTo order it: the same with --yes"
        ));
        return Ok(false);
    }
    let mut out = std::io::stderr().lock();
    write!(out, "{words}\nOrder it? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn line(text: &str, currency: &Currency) -> Result<OrderLine, Fault> {
    let (article, price) = match text.split_once('@') {
        Some((article, price)) => (article, Some(price.to_owned())),
        None => (text, None),
    };
    let (sku, count) = match article.rsplit_once(':') {
        Some((sku, count)) => (sku, Some(count)),
        None => (article, None),
    };
    let wrong = || Fault::Usage(format!("«{text}» is no article: write SKU, SKU:COUNT or SKU:COUNT@PRICE"));
    let quantity = count.map(|count| count.parse().map_err(|_| wrong())).transpose()?;
    if sku.is_empty() {
        return Err(wrong());
    }
    Ok(OrderLine { sku: sku.to_owned(), quantity, price: amount_if(currency, price.as_ref())? })
}

fn release(text: &str) -> Result<(String, Option<Timestamp>), Fault> {
    match text.split_once(':') {
        None => Ok((text.to_owned(), None)),
        Some(("date", at)) => match at.parse() {
            Ok(seconds) => Ok(("date".to_owned(), Some(Timestamp(seconds)))),
            Err(_) => Err(Fault::Usage(format!("«{at}» is no date: write seconds since 1970"))),
        },
        Some(_) => Err(Fault::Usage(format!("«{text}» is no rule: confirmation, code or date:SECONDS"))),
    }
}

/// Waits for the bank's answer to what was said of a hold, then shows the order.
async fn settle(
    session: &Session,
    client: &WorkstationClient,
    (first, order): (Operation, RequestId),
    (key, wait): (&str, &WaitWords),
    currency: &Currency,
) -> Result<Exit, Fault> {
    let mut said = first;
    for seconds in wait.slices() {
        if said.state != "asked" {
            break;
        }
        said = client.bank_wait(WaitRequest { request: said.request, seconds }).await?;
    }
    let order = client.shop_show(ByOrder { order }).await?;
    let mut document = super::with_key(&order, key);
    if let Some(fields) = document.as_object_mut() {
        fields.insert("said".to_owned(), said.state.clone().into());
    }
    session.show.answer(&document, || match said.state.as_str() {
        "refused" => format!("The bank says no: {}\n", said.note.as_deref().unwrap_or_default()),
        _ => order_page(&order, currency),
    })?;
    Ok(match said.state.as_str() {
        "done" => Exit::Done,
        "asked" => Exit::InDoubt,
        _ => Exit::Refused,
    })
}

/// An order ends as its state says.
fn end(order: &Order) -> Exit {
    match order.state.as_str() {
        "held" | "disputed" | "closed" => Exit::Done,
        "placing" | "holding" => Exit::InDoubt,
        _ => Exit::Refused,
    }
}

fn write_goods(order: &Order, folder: &std::path::Path) -> Result<(), Fault> {
    std::fs::create_dir_all(folder)?;
    for (number, goods) in order.goods.iter().enumerate() {
        let content =
            hex::decode(&goods.content).map_err(|_| Fault::Usage("the goods can't be read".to_owned()))?;
        // An article's number is the shop's word: it may not lead out of the folder.
        let plain: String =
            goods.sku.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        std::fs::write(folder.join(format!("{}-{plain}", number + 1)), content)?;
    }
    Ok(())
}

fn catalogue_page(page: &Catalogue, currency: &Currency) -> String {
    let price = |item: &Article| match (item.price, item.min, item.max) {
        (Some(price), ..) if item.rule == "suggested" => format!("{} or more", currency.show(price)),
        (Some(price), ..) => currency.show(price),
        (None, Some(least), Some(most)) => format!("{}-{}", currency.show(least), currency.show(most)),
        _ => String::new(),
    };
    let row = |item: &Article| {
        let how = if item.digital { "on line" } else { "" };
        [item.sku.clone(), item.name.clone(), price(item), item.unit.clone(), how.to_owned()]
    };
    let table = show::table(["sku", "name", "price", "unit", ""], &[2], page.items.iter().map(row).collect());
    let more = page.next.as_ref().map(|next| format!("More: --after {next}\n")).unwrap_or_default();
    format!("{} (catalogue {})\n{table}{more}", page.name, page.version)
}

fn order_page(order: &Order, currency: &Currency) -> String {
    let row = |line: &crate::rpc::orders::OrderedLine| {
        [line.quantity.to_string(), line.name.clone(), currency.show(line.price), line.sku.clone()]
    };
    let lines = show::table(["", "article", "each", "sku"], &[0, 2], order.lines.iter().map(row).collect());
    let hold = order.hold.as_ref();
    let word = [order.word.clone(), order.said.clone()].into_iter().flatten().collect::<Vec<_>>().join(": ");
    let facts = show::facts(&[
        ("state", order.state.clone()),
        ("what it means", order.meaning.clone()),
        ("you can", order.can_do.clone()),
        ("code", order.code.clone().filter(|_| order.state == "held").unwrap_or_default()),
        ("the shop says", word),
        ("to", order.address.clone().unwrap_or_default()),
        ("note", order.note.clone()),
        ("carried out by", order.order_ends.to_string()),
        ("held", hold.map(|hold| currency.show_full(hold.left)).unwrap_or_default()),
        ("comes back at", hold.map(|hold| hold.ends.to_string()).unwrap_or_default()),
        ("disagrees", hold.and_then(|hold| hold.disputed_by.clone()).unwrap_or_default()),
        ("because", hold.and_then(|hold| hold.reason.clone()).unwrap_or_default()),
        (
            "goods",
            if order.goods.is_empty() {
                String::new()
            } else {
                format!("{} here: --save FOLDER", order.goods.len())
            },
        ),
        ("order", order.order.to_string()),
    ]);
    format!("{} of {}\n{lines}{facts}", currency.show_full(order.total), order.name)
}

async fn list(session: &Session, client: &WorkstationClient, currency: &Currency) -> Result<Exit, Fault> {
    let all = client.shop_orders(Empty {}).await?;
    session.show.answer(&all, || {
        if all.orders.is_empty() {
            return "Nothing was ordered from here.".to_owned();
        }
        let row = |order: &Order| {
            let (total, at) = (currency.show(order.total), order.created.to_string());
            [order.name.clone(), total, order.state.clone(), at, order.order.to_string()]
        };
        show::table(
            ["shop", "total", "state", "ordered", "order"],
            &[1],
            all.orders.iter().map(row).collect(),
        )
    })?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn articles_and_rules_are_read_or_refused() {
        let eur = Currency::new("EUR", 2).unwrap();
        let read = |text: &str| line(text, &eur).map(|l| (l.sku, l.quantity, l.price.map(Units::get)));
        assert_eq!(read("tea").unwrap(), ("tea".to_owned(), None, None));
        assert_eq!(read("tea:2").unwrap(), ("tea".to_owned(), Some(2), None));
        assert_eq!(read("tip:1@2.50").unwrap(), ("tip".to_owned(), Some(1), Some(250)));
        for bad in ["", ":2", "tea:two", "tea:-1", "tip:1@much"] {
            assert_eq!(read(bad).unwrap_err().exit().code(), 2, "{bad}");
        }
        assert_eq!(release("date:17").unwrap(), ("date".to_owned(), Some(Timestamp(17))));
        assert!(release("date:soon").is_err() && release("code:1234").is_err());
    }
}
