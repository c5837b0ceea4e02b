//! A sale at the counter: cart, total, request, and what becomes of it.
//!
//! ```text
//! Open ─▶ Asking ─▶ Asked ─┬▶ Paid        Asking: on disk before the wallet is asked for a request, by the sale's name,
//!   └───────┴────────┴─────┼▶ Cancelled   so that a crash in between is repaired by asking again.
//!                          └▶ Expired     Cancelled, Expired: the wallet has closed the request first.
//! ```

use super::catalogue::Price;
use super::change::{Decision, Draft};
use super::rights::Actor;
use super::{Refusal, Shop};
use protocol::body::Text;
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::money::Units;
use protocol::shop::{LINES_MAX, NAME_MAX, OrderReceipt, SaleLine, SaleReceipt};
use protocol::sign::Signed;
use protocol::time::{DAY_SECONDS, Day, Timestamp};
use serde::{Deserialize, Serialize};

/// Most sales without an end.
const OPEN_MAX: usize = 2_000;
/// Most of one article on a line.
const QUANTITY_MAX: u32 = 100_000;
/// How long a payment that was signed in time may be on its way.
const UNDERWAY_SECONDS: u64 = 900;
/// How long a cart waits whose request is not out.
const CART_SECONDS: u64 = DAY_SECONDS;

/// Where a sale stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SaleState {
    /// A cart: lines may change.
    Open,
    /// The wallet is being asked for a request.
    Asking,
    /// The request is out.
    Asked,
    /// Paid.
    Paid,
    /// Taken back.
    Cancelled,
    /// Nobody paid in time.
    Expired,
}

impl SaleState {
    /// Its word for programs.
    pub fn word(self) -> &'static str {
        match self {
            SaleState::Open => "open",
            SaleState::Asking => "asking",
            SaleState::Asked => "asked",
            SaleState::Paid => "paid",
            SaleState::Cancelled => "cancelled",
            SaleState::Expired => "expired",
        }
    }

    /// Whether something is still to come.
    pub fn is_open(self) -> bool {
        matches!(self, SaleState::Open | SaleState::Asking | SaleState::Asked)
    }
}

/// So many of an article, at the price of the moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its number in the catalogue; empty for what is in none.
    pub sku: String,
    /// What it is called.
    pub name: String,
    /// How many.
    pub quantity: u32,
    /// What one costs.
    pub price: Units,
}

impl Line {
    /// As it stands in the receipt document.
    pub fn on_paper(&self) -> SaleLine {
        SaleLine {
            // Both were checked when the line was made.
            sku: Text::new(&self.sku, 255).unwrap_or_default(),
            name: Text::new(&self.name, 255).unwrap_or_default(),
            quantity: self.quantity,
            price: self.price,
        }
    }
}

/// The receipt document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SalePaper {
    /// Of a sale at the counter.
    Counter(Signed<SaleReceipt>),
    /// Of the order from afar with this name, whose money the bank has released.
    Order(RequestId, Signed<OrderReceipt>),
}

impl SalePaper {
    /// Its digest: refunds name it.
    pub fn digest(&self) -> Digest {
        match self {
            SalePaper::Counter(paper) => paper.digest(),
            SalePaper::Order(_, paper) => paper.digest(),
        }
    }

    /// Whether this key has signed it.
    pub fn is_by(&self, node: &Key) -> bool {
        match self {
            SalePaper::Counter(paper) => paper.check_by(node).is_ok(),
            SalePaper::Order(_, paper) => paper.check_by(node).is_ok(),
        }
    }
}

/// Who paid, and the papers about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// The receipt's number.
    pub number: u64,
    /// Who.
    pub payer: Key,
    /// His certified name.
    pub name: String,
    /// Under which payment id.
    pub payment: PaymentId,
    /// When it was received.
    pub at: Timestamp,
    /// Whether the bank has seen it.
    pub confirmed: bool,
    /// Of it, what the bank had seen spent before.
    pub lost: Units,
    /// Whether its day had its report already.
    pub late: bool,
    /// The receipt document.
    pub receipt: SalePaper,
}

/// A sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sale {
    /// Its name: made from the caller's key.
    pub id: RequestId,
    /// Digest of the call that opened it.
    pub call: Digest,
    /// At which till.
    pub till: String,
    /// To which business day it belongs.
    pub day: Day,
    /// When it was opened.
    pub opened: Timestamp,
    /// Who opened it.
    pub by: String,
    /// What is sold.
    pub lines: Vec<Line>,
    /// What it comes to.
    pub total: Units,
    /// How long its request shall run.
    pub seconds: u64,
    /// Where it stands.
    pub state: SaleState,
    /// The wallet's request.
    pub request: Option<RequestId>,
    /// When the request ends.
    pub expires: Option<Timestamp>,
    /// Who paid.
    pub paid: Option<Paid>,
    /// What was given back, or is about to be.
    pub refunded: Units,
    /// In how many refunds.
    pub refunds: u32,
}

impl Sale {
    /// When its request went out.
    fn asked_at(&self) -> Option<u64> {
        self.expires.map(|expires| expires.0.saturating_sub(self.seconds))
    }
}

/// A line of a cart as it is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CartLine {
    /// An article of the catalogue.
    pub sku: Option<String>,
    /// What it is called, when it is in no catalogue.
    pub name: Option<String>,
    /// How many.
    pub quantity: u32,
    /// What one costs, where the catalogue leaves that open.
    pub price: Option<Units>,
}

/// A sale to open.
#[derive(Clone, Debug)]
pub struct NewSale {
    /// Its name: made from the caller's key.
    pub id: RequestId,
    /// Digest of the call.
    pub call: Digest,
    /// At which till; the first one when left out.
    pub till: Option<String>,
    /// What is sold.
    pub cart: Vec<CartLine>,
    /// How long the request shall run; as the settings say when left out.
    pub seconds: Option<u64>,
    /// Whether the request is made at once.
    pub ask: bool,
}

fn state(sale: &Sale, why: &'static str) -> Refusal {
    Refusal::State { what: "sale", state: sale.state.word(), why }
}

impl Shop {
    /// Opens a sale. `earlier` is the sale of this name, if there is one: the same call again opens none.
    pub fn open_a_sale(
        &self,
        new: NewSale,
        earlier: Option<Sale>,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Decision<Sale>, Refusal> {
        if let Some(sale) = earlier {
            return if sale.call == new.call { Ok(Decision::reply(sale)) } else { Err(Refusal::KeyReused) };
        }
        if self.sales.len() >= OPEN_MAX {
            return Err(Refusal::TooMany("2,000 sales are open: cancel some, or wait until they end"));
        }
        let tills = &self.settings().tills;
        let till = match new.till {
            Some(till) if tills.contains(&till) => till,
            Some(till) => return Err(Refusal::NoTill(till)),
            None => tills.first().cloned().ok_or(Refusal::NotFound("till"))?,
        };
        let seconds = new.seconds.unwrap_or(self.settings().sale_seconds);
        if !(30..=2_592_000).contains(&seconds) {
            return Err(Refusal::Value("a sale waits 30 seconds to 30 days".to_owned()));
        }
        let (lines, total) = self.priced(&new.cart)?;
        let sale = Sale {
            id: new.id,
            call: new.call,
            till,
            day: self.today(now),
            opened: now,
            by: actor.name.clone(),
            lines,
            total,
            seconds,
            state: if new.ask { SaleState::Asking } else { SaleState::Open },
            request: None,
            expires: None,
            paid: None,
            refunded: Units::ZERO,
            refunds: 0,
        };
        let mut draft = Draft::at(self, now);
        draft.audit(actor, "sale.open", "done", sale.id);
        draft.put_sale(sale.clone());
        Ok(draft.decide(sale))
    }

    /// Other lines in a cart.
    pub fn change_sale(
        &self,
        id: &RequestId,
        cart: &[CartLine],
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Decision<Sale>, Refusal> {
        let sale = self.open_sale(id).ok_or(Refusal::NotFound("open sale"))?;
        if sale.state != SaleState::Open {
            return Err(state(sale, "its request is out; cancel it and open another"));
        }
        let (lines, total) = self.priced(cart)?;
        let sale = Sale { lines, total, ..sale.clone() };
        let mut draft = Draft::at(self, now);
        draft.audit(actor, "sale.change", "done", id);
        draft.put_sale(sale.clone());
        Ok(draft.decide(sale))
    }

    /// The cart is complete: the wallet shall be asked for a request.
    pub fn ask_for_sale(
        &self,
        id: &RequestId,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Decision<Sale>, Refusal> {
        let sale = self.open_sale(id).ok_or(Refusal::NotFound("open sale"))?.clone();
        if sale.state != SaleState::Open {
            return Ok(Decision::reply(sale));
        }
        let sale = Sale { state: SaleState::Asking, ..sale };
        let mut draft = Draft::at(self, now);
        draft.audit(actor, "sale.ask", "done", id);
        draft.put_sale(sale.clone());
        Ok(draft.decide(sale))
    }

    /// The wallet has made the request: whether it is the sale's. A sale that was taken back meanwhile stays so, and the
    /// request has to be closed.
    pub fn asked(
        &self,
        id: &RequestId,
        request: RequestId,
        expires: Timestamp,
        now: Timestamp,
    ) -> Decision<bool> {
        let Some(sale) = self.open_sale(id) else { return Decision::reply(false) };
        if sale.state != SaleState::Asking {
            return Decision::reply(sale.request == Some(request));
        }
        let mut draft = Draft::at(self, now);
        let (state, request, expires) = (SaleState::Asked, Some(request), Some(expires));
        draft.put_sale(Sale { state, request, expires, ..sale.clone() });
        draft.decide(true)
    }

    /// Takes a sale back, if `closed` is its request, which the wallet has closed before; nothing when it has another by
    /// now, which has to be closed first.
    pub fn cancel_sale(
        &self,
        id: &RequestId,
        closed: Option<RequestId>,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Decision<Option<Sale>>, Refusal> {
        let sale = self.open_sale(id).ok_or(Refusal::NotFound("open sale"))?;
        if sale.request != closed {
            return Ok(Decision::reply(None));
        }
        let sale = Sale { state: SaleState::Cancelled, ..sale.clone() };
        let mut draft = Draft::at(self, now);
        draft.audit(actor, "sale.cancel", "done", id);
        draft.put_sale(sale.clone());
        Ok(draft.decide(Some(sale)))
    }

    /// Sales at a till whose request is out and runs; first the one that was asked last.
    pub fn waiting_at(&self, till: &str, now: Timestamp) -> Vec<Sale> {
        let waits = |sale: &&Sale| sale.till == till && sale.state == SaleState::Asked;
        let runs = |sale: &&Sale| sale.expires > Some(now);
        let mut here: Vec<Sale> = self.open_sales().filter(waits).filter(runs).cloned().collect();
        here.sort_by_key(|sale| std::cmp::Reverse((sale.asked_at(), sale.opened, sale.id.0)));
        here
    }

    /// Sales that have ended, and their requests: the wallet closes those, then [`Shop::expire_sale`] says so.
    ///
    /// A request has to run when the order is signed, not when it comes in (SPEC §3.3). So it is closed a while after its
    /// end, and when the mailbox was `looked` into since: an outage of the bank refuses nobody who paid in time.
    pub fn overdue(&self, now: Timestamp, looked: Option<Timestamp>) -> Vec<(RequestId, Option<RequestId>)> {
        let over = |sale: &&Sale| match sale.expires {
            Some(expires) => {
                let end = expires.plus_seconds(UNDERWAY_SECONDS);
                now > end && looked.is_some_and(|looked| looked > end)
            }
            None => now > sale.opened.plus_seconds(CART_SECONDS),
        };
        self.open_sales().filter(over).map(|sale| (sale.id, sale.request)).collect()
    }

    /// Nobody has paid in time, and the request is closed.
    pub fn expire_sale(&self, id: &RequestId, now: Timestamp) -> Decision<()> {
        let Some(sale) = self.open_sale(id) else { return Decision::reply(()) };
        let mut draft = Draft::at(self, now);
        draft.put_sale(Sale { state: SaleState::Expired, ..sale.clone() });
        draft.decide(())
    }

    fn priced(&self, cart: &[CartLine]) -> Result<(Vec<Line>, Units), Refusal> {
        if cart.is_empty() || cart.len() > LINES_MAX {
            return Err(Refusal::Lines(LINES_MAX));
        }
        let lines: Vec<Line> = cart
            .iter()
            .zip(1..)
            .map(|(line, at)| self.line(line).map_err(|why| Refusal::Line { line: at, why }))
            .collect::<Result<_, _>>()?;
        let papers: Vec<SaleLine> = lines.iter().map(Line::on_paper).collect();
        let total = protocol::shop::total(&papers)?;
        if total.is_zero() {
            return Err(Refusal::Value("the sale comes to nothing: nobody can pay that".to_owned()));
        }
        Ok((lines, total))
    }

    fn line(&self, line: &CartLine) -> Result<Line, String> {
        let quantity = line.quantity;
        if quantity == 0 || quantity > QUANTITY_MAX {
            return Err(format!("1 to {QUANTITY_MAX} pieces"));
        }
        let Some(sku) = &line.sku else {
            let name = line.name.as_deref().unwrap_or_default();
            let text = Text::new(name, NAME_MAX).map_err(|flaw| flaw.to_string())?;
            if name.trim().is_empty() {
                return Err("what is it? an article or a name is needed".to_owned());
            }
            let price = line.price.ok_or("it stands in no catalogue: a price is needed")?;
            return Ok(Line { sku: String::new(), name: text.as_str().to_owned(), quantity, price });
        };
        let item = self.items().get(sku).filter(|item| item.active);
        let item = item
            .ok_or_else(|| format!("there is no article «{}»", sku.chars().take(40).collect::<String>()))?;
        let show = |units: Units| self.keeper().currency.show_full(units);
        let price = match (item.price, line.price) {
            (Price::Fixed(price), None) => price,
            (Price::Fixed(price), Some(typed)) if typed == price => price,
            (Price::Fixed(price), Some(_)) => return Err(format!("{} costs {}", item.name, show(price))),
            (Price::Suggested(price), typed) => typed.unwrap_or(price),
            (Price::Free { .. }, None) => {
                return Err(format!("{} has a free price: say how much", item.name));
            }
            (Price::Free { least, most }, Some(typed)) if typed < least || typed > most => {
                return Err(format!("{} costs {} to {}", item.name, show(least), show(most)));
            }
            (Price::Free { .. }, Some(typed)) => typed,
        };
        Ok(Line { sku: item.sku.clone(), name: item.name.clone(), quantity, price })
    }
}
