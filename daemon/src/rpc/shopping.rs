//! Orders from afar: look at a catalogue, order, see what became of it (SPEC §3.10).

use super::api::{Article, Catalogue, NewOrder, Order, OrderLine, Orders};
use super::server::Desk;
use super::{api, code, orders};
use crate::engine::{Input, OrderInput};
use crate::store::Store;
use crate::wallet::change::Started;
use crate::wallet::ordering::{NewPurchase, Purchase, PurchaseState};
use protocol::bank::{Act, CertificateKind, DISPUTE_MAX, HoldParty, Party};
use protocol::body::Text;
use protocol::code::{Payable, PublicCode};
use protocol::id::{Key, RequestId};
use protocol::money::{Currency, Units};
use protocol::node::rpc::{Caller, Retry, RpcError, Scope};
use protocol::pay::MEMO_MAX;
use protocol::shop::{DELIVERY_MAX, Release, SaleLine, ShopOrder, Word, total};
use protocol::time::{DAY_SECONDS, Timestamp};
use protocol::wire::{
    CatalogueItem, CataloguePage, HoldStep, PayAnswer, PayAsk, PriceTag, ShopAnswer, ShopAsk,
};

/// Days in which an order has to be carried out, when nothing is said.
const DAYS: u64 = 7;
/// The most that can be said.
const DAYS_MAX: u64 = 60;
/// The money comes back so many days later: time to see, and to disagree.
const LOOK_DAYS: u64 = 7;
/// Pages of a catalogue that are read to find the articles of an order: a whole catalogue has no more.
const PAGES_MAX: usize = 128;

fn text(what: &str, given: Option<&str>, max: usize) -> Result<Text, RpcError> {
    Text::new(given.unwrap_or("").trim(), max)
        .map_err(|flaw| code::reason_of("bad_text", format!("the {what}: {flaw}")))
}

impl Desk {
    /// The shop that is meant, with its papers.
    pub(super) async fn shop(&self, meant: &str) -> Result<Party, RpcError> {
        let owner = match Payable::parse(meant, &self.owner().currency) {
            Ok(Payable::Code { code, .. }) => code.owner(),
            Ok(Payable::Request(request)) => request.unverified().payee(),
            Err(_) => match self.shop_named(meant) {
                Ok(owner) => owner,
                // Always the whole list: the bank is not told whom one looks for.
                Err(_) => {
                    self.link().sync_directory().await;
                    self.shop_named(meant)?
                }
            },
        };
        let party = self.contacts().party(&owner, None).await;
        let party = party.map_err(|fault| code::reason_of("not_found", format!("the shop: {fault}")))?;
        match party.certificate.kind {
            CertificateKind::Shop => Ok(party),
            _ => Err(code::reason_of("no_shop", "the bank has certified this as no shop")),
        }
    }

    fn shop_named(&self, name: &str) -> Result<Key, RpcError> {
        let found = self.store().find_contacts(name, 100).map_err(|fault| code::store(&fault))?;
        let mut exactly = found.iter().map(|contact| contact.certificate.unverified());
        let found = exactly.find(|c| c.kind == CertificateKind::Shop && c.name.as_str() == name);
        let none = || code::reason_of("not_found", format!("«{name}» is no public code, and no shop's name"));
        found.map(|certificate| certificate.owner).ok_or_else(none)
    }

    async fn page(&self, party: &Party, after: &str) -> Result<CataloguePage, RpcError> {
        let ask = PayAsk::Shop(Box::new(ShopAsk::Catalogue(after.to_owned())));
        let unreachable = |why: String| code::reason_of("shop_unreachable", why).retry(Retry::Later);
        let answer = self.contacts().speak(party, None, ask).await;
        match answer.map_err(|fault| unreachable(format!("the shop: {fault}")))? {
            PayAnswer::Shop(answer) => match *answer {
                ShopAnswer::Catalogue(page) => Ok(page),
                ShopAnswer::Order(_)
                | ShopAnswer::Changed(_)
                | ShopAnswer::Till(_)
                | ShopAnswer::Tills(_) => Err(unreachable("the shop answered something else".to_owned())),
            },
            PayAnswer::Error(code) => Err(code::reason_of("no_shop", code.text())),
            _ => Err(unreachable("the shop answered something else".to_owned())),
        }
    }

    pub(super) async fn catalogue(&self, asked: api::CatalogueQuery) -> Result<Catalogue, RpcError> {
        let party = self.shop(&asked.shop).await?;
        let page = self.page(&party, asked.after.as_deref().unwrap_or("")).await?;
        let next = page.items.last().filter(|_| page.more).map(|item| item.sku.clone());
        Ok(Catalogue {
            shop: PublicCode::of(party.owner()),
            name: party.certificate.name.as_str().to_owned(),
            version: page.version,
            items: page.items.into_iter().map(article).collect(),
            next,
        })
    }

    /// The lines as the shop's catalogue has them now, and its version.
    async fn lines(&self, party: &Party, asked: &[OrderLine]) -> Result<(Vec<SaleLine>, u64), RpcError> {
        let last = asked.iter().map(|line| line.sku.as_str()).max().unwrap_or("");
        let (mut items, mut version, mut after) = (Vec::new(), 0, String::new());
        for _ in 0..PAGES_MAX {
            let page = self.page(party, &after).await?;
            version = page.version;
            let end = page.items.last().map(|item| item.sku.clone());
            items.extend(page.items.into_iter().filter(|item| asked.iter().any(|l| l.sku == item.sku)));
            match end.filter(|end| page.more && *end > after && end.as_str() < last) {
                Some(end) => after = end,
                None => break,
            }
        }
        let lines = asked.iter().map(|line| line_of(line, &items)).collect::<Result<_, _>>()?;
        Ok((lines, version))
    }

    pub(super) async fn order(&self, caller: &Caller, asked: NewOrder) -> Result<Order, RpcError> {
        let call = self.call_key("shop.order", caller, &asked.key, &asked)?;
        // A call that was answered gets its answer, whatever the catalogue says by now.
        if let Some((method, key, params)) = &call
            && let Some(earlier) = self.store().answered(method, key).map_err(|fault| code::store(&fault))?
            && earlier.params == *params
            && let Started::Order(id) = earlier.started
        {
            return self.order_of(caller, &id);
        }
        let party = self.shop(&asked.shop).await?;
        let (lines, version) = self.lines(&party, &asked.lines).await?;
        let sum = total(&lines).map_err(|_| code::reason_of("bad_amount", "the sum is beyond 2^53"))?;
        if let Some(expected) = asked.total.filter(|expected| *expected != sum) {
            let currency = &self.owner().currency;
            let (now, then) = (currency.show_full(sum), currency.show(expected));
            let why = format!("by the shop's catalogue it comes to {now}, not {then}");
            return Err(code::reason_of("other_catalogue", why).detail("total", sum.get()));
        }
        let (release, order_ends, ends) = terms(&asked, self.shared().now())?;
        let new = NewPurchase {
            shop: party.owner(),
            name: party.certificate.name.as_str().to_owned(),
            version,
            lines,
            release,
            order_ends,
            ends,
            address: text("address", asked.address.as_deref(), DELIVERY_MAX)?,
            note: text("note", asked.note.as_deref(), MEMO_MAX)?,
            auto: asked.confirm_goods.unwrap_or(false),
        };
        let made = self.engine().order(new, call).await;
        let id = made.map_err(|fault| code::call(fault, &self.owner().currency))?;
        self.order_of(caller, &id)
    }

    pub(super) fn order_of(&self, caller: &Caller, id: &RequestId) -> Result<Order, RpcError> {
        let found = self.store().purchase(id).map_err(|fault| code::store(&fault))?;
        let found = found.ok_or_else(|| code::reason_of("not_found", "no such order is on record here"))?;
        Ok(view(&found, caller, &self.owner().currency))
    }

    /// As it stands here; the bank is asked meanwhile, so that the next look sees more.
    pub(super) async fn order_seen(&self, caller: &Caller, id: &RequestId) -> Result<Order, RpcError> {
        self.engine().tell(Input::Order(OrderInput::Look)).await;
        self.order_of(caller, id)
    }

    pub(super) fn orders(&self, caller: &Caller) -> Result<Orders, RpcError> {
        let mut all = self.store().purchases().map_err(|fault| code::store(&fault))?;
        all.sort_by_key(|purchase| (std::cmp::Reverse(purchase.created), purchase.id.0));
        let currency = &self.owner().currency;
        // What was handed over is shown with its order alone: a list of it could be long.
        let show = |purchase: &Purchase| Order { goods: Vec::new(), ..view(purchase, caller, currency) };
        Ok(Orders { orders: all.iter().map(show).collect() })
    }

    pub(super) async fn order_wait(&self, caller: &Caller, asked: api::WaitOrder) -> Result<Order, RpcError> {
        self.engine().tell(Input::Order(OrderInput::Look)).await;
        let read = || self.order_of(caller, &asked.order);
        let done = |order: &Order| match &asked.from {
            Some(from) => order.state != *from,
            None => !matches!(order.state.as_str(), "placing" | "holding"),
        };
        self.wait(asked.order.0, asked.seconds, read, done).await
    }

    pub(super) async fn order_confirm(
        &self,
        caller: &Caller,
        asked: api::ConfirmOrder,
    ) -> Result<api::Operation, RpcError> {
        let key = self.call_key("shop.confirm", caller, &asked.key, &asked)?;
        let said = self.engine().say_of_order(asked.order, Act::Confirm, key).await;
        self.operation(&said.map_err(|fault| code::call(fault, &self.owner().currency))?)
    }

    pub(super) async fn order_dispute(
        &self,
        caller: &Caller,
        asked: api::DisputeOrder,
    ) -> Result<api::Operation, RpcError> {
        let key = self.call_key("shop.dispute", caller, &asked.key, &asked)?;
        let reason = text("reason", Some(&asked.reason), DISPUTE_MAX)?;
        if reason.as_str().is_empty() {
            return Err(code::reason_of(
                "bad_text",
                "a reason is needed: the other side and the bank read it",
            ));
        }
        let said = self.engine().say_of_order(asked.order, Act::Dispute(reason), key).await;
        self.operation(&said.map_err(|fault| code::call(fault, &self.owner().currency))?)
    }
}

/// What releases the money, until when the order runs, and until when its money.
fn terms(asked: &NewOrder, now: Timestamp) -> Result<(Release, Timestamp, Timestamp), RpcError> {
    let days = asked.days.unwrap_or(DAYS);
    if days == 0 || days > DAYS_MAX {
        return Err(RpcError::invalid_params(format!("days: 1 to {DAYS_MAX}")));
    }
    let last = now.plus_seconds(days * DAY_SECONDS);
    let release = match (asked.release.as_deref().unwrap_or("confirmation"), asked.date) {
        ("confirmation", None) => Release::Confirmation,
        ("code", None) => Release::Code,
        ("date", Some(date)) => Release::Date(date),
        ("date", None) => return Err(RpcError::invalid_params("date: by which one is it released?")),
        ("confirmation" | "code", Some(_)) => {
            return Err(RpcError::invalid_params("date: it goes with release «date» only"));
        }
        _ => return Err(RpcError::invalid_params("release: confirmation, date or code")),
    };
    let order_ends = match release {
        Release::Date(date) => last.min(date),
        Release::Confirmation | Release::Code => last,
    };
    let look = order_ends.plus_seconds(LOOK_DAYS * DAY_SECONDS);
    let ends = match release {
        Release::Date(date) => look.max(date),
        Release::Confirmation | Release::Code => look,
    };
    Ok((release, order_ends, ends))
}

fn article(item: CatalogueItem) -> Article {
    let (rule, price, bounds) = match item.price {
        PriceTag::Fixed(price) => ("fixed", Some(price), None),
        PriceTag::Suggested(price) => ("suggested", Some(price), None),
        PriceTag::Free(least, most) => ("free", None, Some((least, most))),
    };
    Article {
        sku: item.sku,
        name: item.name,
        category: item.category,
        unit: item.unit,
        rule: rule.to_owned(),
        price,
        min: bounds.map(|(least, _)| least),
        max: bounds.map(|(_, most)| most),
        digital: item.digital,
    }
}

fn line_of(asked: &OrderLine, items: &[CatalogueItem]) -> Result<SaleLine, RpcError> {
    let flaw = |why: &str| code::reason_of("other_catalogue", format!("«{}»: {why}", asked.sku));
    let item = items.iter().find(|item| item.sku == asked.sku).ok_or_else(|| flaw("not in the catalogue"))?;
    let price = match (item.price, asked.price) {
        (PriceTag::Fixed(price), None) | (PriceTag::Suggested(price), None) => price,
        (PriceTag::Fixed(price), Some(given)) if price == given => price,
        (PriceTag::Fixed(_), Some(_)) => return Err(flaw("has a fixed price, and not this one")),
        (PriceTag::Suggested(_), Some(given)) => given,
        (PriceTag::Free(least, most), Some(given)) if least <= given && given <= most => given,
        (PriceTag::Free(..), _) => return Err(flaw("say what you give for it, within its bounds")),
    };
    let quantity = asked.quantity.unwrap_or(1);
    if quantity == 0 {
        return Err(flaw("none of it is ordered"));
    }
    // What a shop writes into its catalogue is checked like anybody's words.
    let word = |text: &str, max| Text::new(text, max).map_err(|_| flaw("its catalogue can't be read"));
    let (sku, name) =
        (word(&item.sku, protocol::shop::SKU_MAX)?, word(&item.name, protocol::shop::NAME_MAX)?);
    Ok(SaleLine { sku, name, quantity, price })
}

fn view(purchase: &Purchase, caller: &Caller, currency: &Currency) -> Order {
    let order: &ShopOrder = purchase.order();
    let owner = caller.scopes.allow(Scope::Admin);
    let word = purchase.word.as_ref().map(|word| &word.unverified().word);
    let (word, said) = match word {
        Some(Word::Accepted) => (Some("accepted"), None),
        Some(Word::Refused(reason)) => (Some("refused"), Some(reason.to_string())),
        Some(Word::Ready(note)) => (Some("ready"), Some(note.to_string())),
        None => (None, None),
    };
    let (meaning, can_do) = words(purchase, currency);
    let goods = purchase.goods.iter().filter(|_| owner);
    Order {
        order: purchase.id,
        shop: PublicCode::of(order.shop),
        name: purchase.name.clone(),
        state: purchase.state.word().to_owned(),
        lines: order.lines.iter().map(line_view).collect(),
        total: order.total,
        release: order.release.word().to_owned(),
        date: match order.release {
            Release::Date(date) => Some(date),
            Release::Confirmation | Release::Code => None,
        },
        code: purchase.code.clone().filter(|_| owner),
        address: Some(purchase.placed.address.clone()).filter(|text| owner && !text.is_empty()),
        note: order.note.to_string(),
        order_ends: order.order_ends,
        word: word.map(str::to_owned),
        said: said.filter(|said| !said.is_empty()),
        hold: purchase.held.as_ref().map(hold_view),
        goods: goods
            .map(|one| orders::GoodsView { sku: one.sku.clone(), content: hex::encode(&one.content) })
            .collect(),
        created: purchase.created,
        changed: purchase.changed,
        other_articles: others(purchase),
        meaning,
        can_do,
    }
}

/// What the shop sells otherwise now.
fn others(purchase: &Purchase) -> Vec<orders::OtherArticle> {
    let lines = &purchase.order().lines;
    let other = |changed: &protocol::wire::Changed| {
        let line = lines.iter().find(|line| line.sku.as_str() == changed.sku)?;
        let text = |item: &CatalogueItem| {
            Text::new(&item.name, 255).map(|name| name.to_string()).unwrap_or_default()
        };
        Some(orders::OtherArticle {
            sku: line.sku.to_string(),
            name: line.name.to_string(),
            was: line.price,
            name_now: changed.now.as_ref().map(text),
            now: changed.now.as_ref().and_then(|item| match item.price {
                PriceTag::Fixed(price) | PriceTag::Suggested(price) => Some(price),
                PriceTag::Free(..) => None,
            }),
        })
    };
    purchase.news.iter().flat_map(|news| news.changed.iter().filter_map(other)).collect()
}

fn other_text(purchase: &Purchase, currency: &Currency) -> String {
    let one = |other: orders::OtherArticle| match (other.name_now, other.now) {
        (None, _) => format!("{} is not sold any more", other.name),
        (Some(name), Some(now)) => {
            format!("{name} costs {} ({} when you looked)", currency.show(now), currency.show(other.was))
        }
        (Some(name), None) => format!("{name} has other bounds"),
    };
    others(purchase).into_iter().map(one).collect::<Vec<_>>().join("; ")
}

fn line_view(line: &SaleLine) -> orders::OrderedLine {
    orders::OrderedLine {
        sku: line.sku.to_string(),
        name: line.name.to_string(),
        quantity: line.quantity,
        price: line.price,
    }
}

fn hold_view(held: &protocol::wire::HoldState) -> orders::HoldView {
    let (disputed_by, reason) = match &held.step {
        HoldStep::Disputed(HoldParty::Buyer, reason, _) => (Some("you"), Some(reason.clone())),
        HoldStep::Disputed(HoldParty::Shop, reason, _) => (Some("shop"), Some(reason.clone())),
        HoldStep::Open | HoldStep::Closed(..) => (None, None),
    };
    let closed: Option<(Units, Units)> = match held.step {
        HoldStep::Closed(released, returned, _) => Some((released, returned)),
        HoldStep::Open | HoldStep::Disputed(..) => None,
    };
    orders::HoldView {
        hold: held.id,
        units: held.units,
        left: held.left,
        wrong_codes: held.wrong,
        ends: held.ends,
        disputed_by: disputed_by.map(str::to_owned),
        reason,
        released: closed.map(|(released, _)| released),
        returned: closed.map(|(_, returned)| returned),
    }
}

/// What an order's state means, and what its buyer can do.
pub(super) fn words(purchase: &Purchase, currency: &Currency) -> (String, String) {
    let both = |meaning: &str, can_do: &str| (meaning.to_owned(), can_do.to_owned());
    let (id, order) = (purchase.id, purchase.order());
    let nothing = "nothing was taken from your account";
    let act = format!(
        "stermina shop confirm {id} when you have it; stermina shop dispute {id} if something is wrong"
    );
    match purchase.state {
        PurchaseState::Placing => {
            both("the shop has not said yes or no yet; it is asked again by itself", "wait")
        }
        PurchaseState::Holding => both(
            "the shop has accepted; the bank is asked to hold the money, and asked again by itself",
            "wait for the bank",
        ),
        PurchaseState::Held => {
            let left = currency.show_full(purchase.left());
            let ends = purchase.held.as_ref().map_or(order.ends, |held| held.ends);
            let meaning = match order.release {
                Release::Confirmation => {
                    format!("the bank holds {left} until you confirm; at {ends} it comes back to you")
                }
                Release::Date(date) => {
                    format!(
                        "the bank holds {left}, and gives it to the shop at {date} unless one of you disagrees"
                    )
                }
                Release::Code => format!(
                    "the bank holds {left} until the shop has your code or you confirm; at {ends} it comes back to you"
                ),
            };
            let can_do = match order.release {
                Release::Code => format!("give the code to whoever brings the goods, not before; {act}"),
                Release::Confirmation | Release::Date(_) => act,
            };
            (meaning, can_do)
        }
        PurchaseState::Disputed => (
            format!(
                "one of you disagrees: the bank holds {} and no date moves it",
                currency.show_full(purchase.left())
            ),
            format!(
                "agree with the shop: stermina shop confirm {id}, or it gives the money back; else two people at the bank decide"
            ),
        ),
        PurchaseState::Closed(released, returned) => {
            let (to, back) = (currency.show_full(released), currency.show_full(returned));
            let meaning = match (released.is_zero(), returned.is_zero()) {
                (_, true) => format!("done: {to} went to the shop"),
                (true, false) => format!("done: {back} came back to your account"),
                (false, false) => format!("done: {to} went to the shop, {back} came back to your account"),
            };
            (meaning, String::new())
        }
        PurchaseState::Declined(_) => {
            (format!("your account does not hold that much; {nothing}"), "stermina balance".to_owned())
        }
        PurchaseState::Refused => (format!("the shop will not carry it out; {nothing}"), String::new()),
        PurchaseState::NotTaken(_) if purchase.news.is_some() => {
            let meaning =
                format!("the shop's catalogue has changed: {}; {nothing}", other_text(purchase, currency));
            (meaning, "look at the catalogue again, and order anew".to_owned())
        }
        PurchaseState::NotTaken(code) => {
            (format!("the shop says no: {} {nothing}", code.text()), String::new())
        }
        PurchaseState::NotHeld(code) => {
            (format!("the bank says no: {} {nothing}", code.text()), String::new())
        }
        PurchaseState::Late => (format!("the shop did not answer in time; {nothing}"), String::new()),
    }
}
