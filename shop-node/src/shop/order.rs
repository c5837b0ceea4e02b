//! Orders from afar, the shop's side (SPEC §3.10; C1–C4, C12, C13).
//!
//! ```text
//! New ─▶ Accepted ─▶ Held ⇄ Disputed ─▶ Closed     Held: the bank says that it keeps the money; only then is anything done
//!  │        │                                      Closed: so much released, so much given back
//!  ├────────┼▶ Refused                             what the bank holds for it is given back
//!  └────────┴▶ Expired                             never held in time; money that shows up all the same makes it Held
//! ```
//! An order is on disk before the word about it goes out; asked again it gets the same word. Only the bank's word says
//! that the money is there.

use super::catalogue::{Item, Price};
use super::change::{Change, Decision, Draft, Happening};
use super::notice::Noticed;
use super::rights::Actor;
use super::{Refusal, Shop};
use protocol::bank::Introduction;
use protocol::body::Text;
use protocol::id::{Digest, Key, RequestId};
use protocol::money::Units;
use protocol::pay::MEMO_MAX;
use protocol::shop::{OrderWord, Release, SaleLine, ShopOrder, Word, delivery_digest};
use protocol::sign::{Signed, Signer};
use protocol::time::{DAY_SECONDS, Timestamp};
use protocol::wire::{
    CATALOGUE_PAGE, CatalogueItem, CatalogueNews, CataloguePage, Changed, ErrorCode, HoldState, HoldStep,
    HoldTerm, PlacedOrder, PriceTag,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most orders of the last hour that wait for a word or for money.
const WAITING_MAX: usize = 2_000;
/// That hour.
const WAITING_SECONDS: u64 = 3_600;
/// Most orders of one buyer that wait, however old.
const OF_BUYER_MAX: usize = 16;
/// Most orders that are kept at hand, with those whose addresses are not forgotten yet.
const LIVE_MAX: usize = 50_000;
/// A buyer's clock may be ahead by so much.
const AHEAD_SECONDS: u64 = 600;
/// An order runs so many days at most.
const DAYS_MAX: u64 = 90;

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderState {
    /// Somebody has to look at it, whether or not its money is there.
    New,
    /// It will be carried out once the bank holds the money.
    Accepted,
    /// The bank holds the money.
    Held,
    /// Somebody disagrees: no timer moves the money.
    Disputed,
    /// So much came to the shop's account, so much went back.
    Closed(Units, Units),
    /// It will not be carried out.
    Refused,
    /// Its time was over before the money was there.
    Expired,
}

impl OrderState {
    /// Its word for programs.
    pub fn word(self) -> &'static str {
        match self {
            OrderState::New => "new",
            OrderState::Accepted => "accepted",
            OrderState::Held => "held",
            OrderState::Disputed => "disputed",
            OrderState::Closed(..) => "closed",
            OrderState::Refused => "refused",
            OrderState::Expired => "expired",
        }
    }

    /// Whether something is still to come.
    pub fn is_open(self) -> bool {
        matches!(self, OrderState::New | OrderState::Accepted | OrderState::Held | OrderState::Disputed)
    }
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What the buyer signed.
    pub order: Signed<ShopOrder>,
    /// His certified name.
    pub buyer: String,
    /// Where it shall be brought, until it is forgotten (C12).
    pub address: Option<String>,
    /// Where it stands.
    pub state: OrderState,
    /// The shop's last word.
    pub word: Option<Signed<OrderWord>>,
    /// How the bank's hold stands, as last told.
    pub hold: Option<HoldState>,
    /// Whether everybody has been told that the money is there.
    pub noticed: bool,
    /// Whether digital goods have been handed over.
    pub delivered: bool,
    /// When it came.
    pub placed: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Who has been told of it so far.
    #[serde(default)]
    pub told: Noticed,
    /// Receipt and refunds are this sale's, once the bank has released money for it.
    pub sale: Option<RequestId>,
}

impl Order {
    /// Its name.
    pub fn id(&self) -> RequestId {
        self.order.unverified().id
    }

    /// What was ordered.
    pub fn body(&self) -> &ShopOrder {
        self.order.unverified()
    }

    /// Whether it is kept at hand: something is to come, or an address is to be forgotten.
    pub fn is_live(&self) -> bool {
        self.state.is_open() || self.address.is_some() || self.owes().is_some()
    }

    /// Whether the shop has said yes.
    pub fn is_accepted(&self) -> bool {
        let word = self.word.as_ref().map(|word| &word.unverified().word);
        matches!(word, Some(Word::Accepted | Word::Ready(_)))
    }

    /// Whether a date would give the shop what it has refused: then it says first that somebody disagrees.
    pub fn is_running_out(&self) -> bool {
        let runs = |hold: &HoldState| matches!((&hold.step, hold.rule), (HoldStep::Open, HoldTerm::Date(_)));
        self.owes().is_some() && self.hold.as_ref().is_some_and(runs)
    }

    /// What the bank still holds for an order that will not be carried out.
    pub fn owes(&self) -> Option<(RequestId, Units)> {
        let refused = matches!(self.state, OrderState::Refused);
        let hold = self.hold.as_ref().filter(|hold| refused && !hold.left.is_zero())?;
        Some((hold.id, hold.left))
    }

    /// Where it stands once the shop has said yes: its money may have been there before.
    fn accepted(&self) -> OrderState {
        match self.hold.as_ref().map(|hold| &hold.step) {
            Some(HoldStep::Open) => OrderState::Held,
            Some(HoldStep::Disputed(..)) => OrderState::Disputed,
            Some(HoldStep::Closed(..)) | None => OrderState::Accepted,
        }
    }

    /// The hold about which something can be said, and what is left of it.
    pub fn hold_to_act_on(&self) -> Result<(RequestId, Units), Refusal> {
        match (&self.hold, self.state) {
            (Some(hold), _) if !matches!(hold.step, HoldStep::Closed(..)) => Ok((hold.id, hold.left)),
            (_, state) => Err(Refusal::State {
                what: "order",
                state: state.word(),
                why: "the bank holds no money for it; what it released is given back out of the till, with «shop-node refund make»",
            }),
        }
    }

    /// Whether this is the hold that the order asks for: all of its money, on its terms.
    fn fits(&self, hold: &HoldState) -> bool {
        let order = self.body();
        let rule = match order.release {
            Release::Confirmation => HoldTerm::Confirmation,
            Release::Date(date) => HoldTerm::Date(date),
            Release::Code => HoldTerm::Code,
        };
        (hold.buyer, hold.shop, hold.units, hold.rule) == (order.buyer, order.shop, order.total, rule)
            && hold.order == self.order.digest()
            && (hold.order_ends, hold.ends) == (order.order_ends, order.ends)
    }
}

/// Whether orders are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Taking {
    /// At once, if they fit the catalogue.
    Auto,
    /// Somebody looks at each.
    Ask,
    /// None.
    Closed,
}

impl Taking {
    /// All of them.
    pub const ALL: [Taking; 3] = [Taking::Auto, Taking::Ask, Taking::Closed];

    /// Its word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Taking::Auto => "auto",
            Taking::Ask => "ask",
            Taking::Closed => "closed",
        }
    }
}

/// How orders are taken, and who is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderSettings {
    /// Whether they are taken.
    pub taking: Taking,
    /// So many days after an order's end its address is forgotten.
    pub address_days: u64,
    /// A program that is run for each order whose money is there.
    pub command: Option<String>,
    /// A folder that gets a slip for each.
    pub folder: Option<String>,
    /// A printer: a file, or host:port.
    pub printer: Option<String>,
}

/// Whether a printer is one in the network, and no file.
pub(crate) fn is_host(printer: &str) -> bool {
    printer.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains(['/', '\\']) && port.parse::<u16>().is_ok()
    })
}

impl Default for OrderSettings {
    fn default() -> Self {
        OrderSettings { taking: Taking::Auto, address_days: 30, command: None, folder: None, printer: None }
    }
}

impl OrderSettings {
    fn check(&self) -> Result<(), Refusal> {
        if self.address_days > 3650 {
            return Err(Refusal::Value("an address is forgotten within ten years".to_owned()));
        }
        let printer = self.printer.as_ref().filter(|printer| !is_host(printer));
        let paths = [self.command.as_ref(), self.folder.as_ref(), printer];
        if !paths.into_iter().flatten().all(|path| path.starts_with('/')) {
            let why = "a program, a folder or a printer's file: its whole path, from / on; a printer may be host:port";
            return Err(Refusal::Value(why.to_owned()));
        }
        let given = [&self.command, &self.folder, &self.printer];
        match given.into_iter().flatten().all(|text| text.len() <= 4096) {
            true => Ok(()),
            false => Err(Refusal::Value("a notice has a name of at most 4096 bytes".to_owned())),
        }
    }
}

impl Shop {
    /// How orders are taken.
    pub fn order_settings(&self) -> &OrderSettings {
        &self.order_settings
    }

    /// Changes that.
    pub fn set_orders(
        &self,
        settings: OrderSettings,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Decision<()>, Refusal> {
        settings.check()?;
        let mut draft = Draft::at(self, now);
        draft.put(Change::OrderSettings(settings));
        draft.event(Happening::Settings {});
        draft.audit(actor, "order.set", "done", "");
        Ok(draft.decide(()))
    }

    /// Orders that are kept at hand.
    pub fn live_orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.values()
    }

    /// Up to which journal entry the bank was asked about holds.
    pub fn holds_read(&self) -> u64 {
        self.holds_read
    }

    /// A page of what can be ordered.
    pub fn catalogue_page(&self, after: &str) -> CataloguePage {
        let from = (std::ops::Bound::Excluded(after.to_owned()), std::ops::Bound::Unbounded);
        let mut sold = self.items().range(from).map(|(_, item)| item).filter(|item| item.active);
        let items: Vec<CatalogueItem> = sold.by_ref().take(CATALOGUE_PAGE).map(on_page).collect();
        CataloguePage { version: self.version(), items, more: sold.next().is_some() }
    }

    /// Takes an order, or says why not; `buyer` is who sends it, with his certified name, and `earlier` what is here by its
    /// name. What the buyer can mend is told without being kept.
    pub fn place(
        &self,
        placed: PlacedOrder,
        (buyer, name): (&Key, &str),
        earlier: Option<Order>,
        node: &Signer,
        now: Timestamp,
    ) -> Decision<Result<Order, ErrorCode>> {
        match self.look_at(placed, buyer, name, earlier, now) {
            Ok(Look::Known(order)) => Decision::reply(Ok(*order)),
            Ok(Look::New(mut order)) => {
                if self.order_settings.taking == Taking::Auto {
                    order.state = OrderState::Accepted;
                    order.word = Some(self.word_on(&order, Word::Accepted, node, now));
                }
                let mut draft = Draft::at(self, now);
                draft.put_order((*order).clone());
                draft.decide(Ok(*order))
            }
            Err(code) => Decision::reply(Err(code)),
        }
    }

    fn look_at(
        &self,
        placed: PlacedOrder,
        buyer: &Key,
        name: &str,
        earlier: Option<Order>,
        now: Timestamp,
    ) -> Result<Look, ErrorCode> {
        let order = placed.order.unverified();
        let keeper = self.keeper();
        if order.bank != keeper.bank || order.shop != keeper.key || order.buyer != *buyer {
            return Err(ErrorCode::NotMine);
        }
        if let Some(earlier) = earlier {
            return match earlier.order.digest() == placed.order.digest() {
                true => Ok(Look::Known(Box::new(earlier))),
                false => Err(ErrorCode::IdReused),
            };
        }
        placed.order.check_by(buyer).map_err(|_| ErrorCode::BadSignature)?;
        let is_late = order.order_ends <= now || order.created > now.plus_seconds(AHEAD_SECONDS);
        if is_late || order.ends > now.plus_seconds(DAYS_MAX * DAY_SECONDS) {
            return Err(ErrorCode::Expired);
        }
        if self.order_settings.taking == Taking::Closed {
            return Err(ErrorCode::ShopClosed);
        }
        let items: Vec<&Item> =
            order.lines.iter().map(|line| self.sold_like_this(line)).collect::<Result<_, _>>()?;
        let address = address_of(&placed, items.iter().all(|item| item.digital))?;
        let waits = |one: &&Order| matches!(one.state, OrderState::New | OrderState::Accepted);
        let waiting = self.live_orders().filter(waits);
        // Who never pays has used up his own share; the others are not shut out until his orders end.
        let (all, his) = waiting.fold((0, 0), |(all, his), one| {
            let fresh = one.placed.plus_seconds(WAITING_SECONDS) > now;
            (all + usize::from(fresh), his + usize::from(one.body().buyer == *buyer))
        });
        if all >= WAITING_MAX || his >= OF_BUYER_MAX || self.orders.len() >= LIVE_MAX {
            return Err(ErrorCode::Busy);
        }
        Ok(Look::New(Box::new(Order {
            order: placed.order,
            buyer: name.to_owned(),
            address,
            state: OrderState::New,
            word: None,
            hold: None,
            noticed: false,
            delivered: false,
            placed: now,
            ended: None,
            told: Noticed::default(),
            sale: None,
        })))
    }

    /// What has changed since the catalogue by which this was ordered; nothing if that is the one of now.
    pub fn news_for(&self, order: &ShopOrder) -> Option<CatalogueNews> {
        if order.version == self.version() {
            return None;
        }
        let other = order.lines.iter().filter(|line| self.sold_like_this(line).is_err());
        let changed = other.map(|line| Changed {
            sku: line.sku.to_string(),
            now: self.items().get(line.sku.as_str()).filter(|item| item.active).map(on_page),
        });
        Some(CatalogueNews { version: self.version(), changed: changed.collect() })
    }

    fn sold_like_this(&self, line: &SaleLine) -> Result<&Item, ErrorCode> {
        let item = self.items().get(line.sku.as_str()).filter(|item| item.active);
        let item = item.ok_or(ErrorCode::OtherCatalogue)?;
        let priced = match item.price {
            Price::Fixed(price) => line.price == price,
            Price::Suggested(_) => true,
            Price::Free { least, most } => least <= line.price && line.price <= most,
        };
        match priced && item.name == line.name.as_str() {
            true => Ok(item),
            false => Err(ErrorCode::OtherCatalogue),
        }
    }

    fn word_on(&self, order: &Order, word: Word, node: &Signer, now: Timestamp) -> Signed<OrderWord> {
        let (bank, shop) = (self.keeper().bank, self.keeper().key);
        // A later word stands for an earlier one, also within a second.
        let last = order.word.as_ref().map_or(Timestamp(0), |word| word.unverified().at);
        node.sign(OrderWord { bank, shop, order: order.order.digest(), at: now.max(last), word })
    }

    /// Somebody of the shop says yes, no or ready.
    pub fn say_of_order(
        &self,
        mut order: Order,
        word: Word,
        (node, actor): (&Signer, &Actor),
        now: Timestamp,
    ) -> Result<Decision<Order>, Refusal> {
        use OrderState::{Accepted, Closed, Disputed, Expired, Held, New, Refused};
        let wrong = |why| Refusal::State { what: "order", state: order.state.word(), why };
        let (state, method) = match (&word, order.state) {
            (Word::Accepted, New) if order.body().order_ends <= now => return Err(wrong("its time is over")),
            (Word::Accepted, New | Accepted) => (order.accepted(), "order.accept"),
            (Word::Accepted, _) => return Err(wrong("it has its word")),
            (Word::Refused(_), New | Accepted | Held | Disputed | Refused) => (Refused, "order.refuse"),
            (Word::Refused(_), Closed(..) | Expired) => return Err(wrong("it has ended")),
            (Word::Ready(_), Held) => (Held, "order.ready"),
            (Word::Ready(_), _) => return Err(wrong("only what the bank holds money for is carried out")),
        };
        let mut draft = Draft::at(self, now);
        if state == Refused && order.state != Refused {
            // Whoever refuses gives back what the bank holds: that is within his caps, or not his to do.
            let held = order.hold.as_ref().map_or(Units::ZERO, |hold| hold.left);
            self.count_refund(&mut draft, actor, held)?;
        }
        order.word = Some(self.word_on(&order, word, node, now));
        order.state = state;
        order.ended = order.ended.or((!state.is_open()).then_some(now));
        draft.audit(actor, method, "done", order.id());
        draft.put_order(order.clone());
        Ok(draft.decide(order))
    }

    /// How holds stand, as the bank tells. One that is not on the order's terms counts for nothing. `known` are their orders,
    /// also those that had ended: what is refused hears of its money, too.
    pub fn holds_told(
        &self,
        states: Vec<HoldState>,
        mut known: BTreeMap<Digest, Order>,
        (node, papers): (&Signer, &Introduction),
        now: Timestamp,
    ) -> Decision<()> {
        // Asked again when the bank has told its sweeps: a receipt has the number that it had.
        let states = if self.numbers_wait() { Vec::new() } else { states };
        let mut draft = Draft::at(self, now);
        let mut read = self.holds_read;
        for state in states {
            read = read.max(state.changed);
            let Some(order) = known.get_mut(&state.order) else {
                draft.stray(self, state, node, papers);
                continue;
            };
            let last = order.hold.as_ref();
            if last.is_some_and(|last| last.changed >= state.changed || last.id != state.id) {
                continue;
            }
            if !order.fits(&state) {
                tracing::warn!(order = %order.id(), "a hold is not on the order's terms");
                continue;
            }
            let unwanted = order.state == OrderState::Refused || !order.is_accepted();
            *order = order.clone().with(state, now);
            draft.sell(self, order, unwanted, (node, papers));
            draft.put_order(order.clone());
        }
        if read > self.holds_read {
            draft.put(Change::HoldsRead(read));
        }
        draft.decide(())
    }

    /// Digital goods are being handed over.
    pub fn order_delivered(&self, order: Order, now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        if !order.delivered {
            draft.put_order(Order { delivered: true, ..order });
        }
        draft.decide(())
    }

    /// Orders whose time is over without money, and addresses that are to be forgotten (C12); nothing if there are none.
    pub fn tidy_orders(&self, now: Timestamp) -> Option<Decision<()>> {
        let keeps = self.order_settings.address_days.saturating_mul(DAY_SECONDS);
        let over = |order: &Order| {
            matches!(order.state, OrderState::New | OrderState::Accepted)
                && order.body().order_ends.plus_seconds(DAY_SECONDS) <= now
        };
        let known = |order: &Order| {
            order.address.is_some() && order.ended.is_some_and(|at| at.plus_seconds(keeps) <= now)
        };
        let mut draft = Draft::at(self, now);
        let mut any = false;
        for order in self.live_orders().filter(|order| over(order) || known(order)).take(256) {
            any = true;
            let mut order = order.clone();
            if over(&order) {
                // Money at which nobody looked in time goes back.
                order.state = if order.hold.is_some() { OrderState::Refused } else { OrderState::Expired };
                order.ended = Some(now);
                draft.put_order(order);
            } else {
                order.address = None;
                draft.put(Change::Order(order));
            }
        }
        any.then(|| draft.decide(()))
    }
}

enum Look {
    Known(Box<Order>),
    New(Box<Order>),
}

impl Order {
    /// With its hold as it stands now. What was refused stays refused: its money goes back. Money is no yes: an order at which
    /// somebody has to look stays new.
    fn with(mut self, hold: HoldState, now: Timestamp) -> Order {
        self.state = match (self.state, &hold.step) {
            (_, HoldStep::Closed(released, returned, _)) => OrderState::Closed(*released, *returned),
            (OrderState::Refused, _) => OrderState::Refused,
            _ if !self.is_accepted() => OrderState::New,
            (_, HoldStep::Open) => OrderState::Held,
            (_, HoldStep::Disputed(..)) => OrderState::Disputed,
        };
        self.ended = match self.state.is_open() {
            true => None,
            false => self.ended.or(Some(now)),
        };
        self.hold = Some(hold);
        self
    }
}

/// The address, if it is the one that the order names and goods have to be brought there.
fn address_of(placed: &PlacedOrder, digital: bool) -> Result<Option<String>, ErrorCode> {
    let named = placed.order.unverified().delivery;
    let text = Text::new(&placed.address, protocol::shop::DELIVERY_MAX).map_err(|_| ErrorCode::Malformed)?;
    match text.as_str() {
        "" if named != Digest::default() => Err(ErrorCode::Malformed),
        "" if digital => Ok(None),
        "" => Err(ErrorCode::NoAddress),
        address if delivery_digest(&placed.salt, address) == named => Ok(Some(address.to_owned())),
        _ => Err(ErrorCode::Malformed),
    }
}

fn on_page(item: &Item) -> CatalogueItem {
    CatalogueItem {
        sku: item.sku.clone(),
        name: item.name.clone(),
        category: item.category.clone(),
        unit: item.unit.clone(),
        price: match item.price {
            Price::Fixed(price) => PriceTag::Fixed(price),
            Price::Suggested(price) => PriceTag::Suggested(price),
            Price::Free { least, most } => PriceTag::Free(least, most),
        },
        digital: item.digital,
    }
}

/// A word of the shop's people, as it was typed.
pub fn said(text: Option<&str>) -> Result<Text, Refusal> {
    Text::new(text.unwrap_or("").trim(), MEMO_MAX).map_err(|flaw| Refusal::Text(flaw.to_string()))
}
