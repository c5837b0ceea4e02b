//! Between the shop and its wallet: carries over what the shop decided, brings back what the wallet's events tell.
//!
//! ```text
//! room: Asking, Owed ─▶ hands ─▶ engine (make_request, pay: under the shop's own keys, so once only)
//! engine's events and history ─▶ hands ─▶ room: paid, safe, given back (with the cursor, in one transaction)
//! ```
//! A crash anywhere in between is repaired by doing the same again.

use crate::backup::look_of;
pub use crate::carrying::HandsFault;
use crate::carrying::key;
use crate::evening::Evening;
use crate::listening::{arrival, events, lines, outcome};
use crate::room::{Room, RoomFault};
use crate::shop::change::Decision;
use crate::shop::day::Holds;
use crate::shop::hearing::{Cursor, Heard, Outcome};
use crate::shop::refund::{Held, Refund, RefundState, Why, memo_of};
use crate::shop::sale::{Sale, SaleState};
use crate::store::ShopStore;
use daemon::engine::link::BankLink;
use daemon::engine::{CallFault, Engine, RequestOrder};
use daemon::store::{Store as _, StoreFault};
use daemon::wallet::paying::{NewPayment, PayRefusal};
use daemon::wallet::receiving::Closing;
use protocol::bank::ADDRESS_MAX;
use protocol::body::Text;
use protocol::id::{Key, PaymentId, RequestId};
use protocol::node::net::Net;
use protocol::pay::{AmountRule, MEMO_MAX};
use protocol::shop::DayReport;
use protocol::sign::{Signed, Signer};
use protocol::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Most events, and most lines, that share a commit.
const PAGE: u64 = 64;
/// How often open things are looked at.
const TICK: Duration = Duration::from_secs(1);

/// The hands of a shop.
pub struct Hands {
    room: Room,
    engine: Engine,
    net: Net,
    evening: Evening,
    /// Only one of them moves the cursor at a time.
    hearing: Mutex<()>,
}

/// Where the wallet stands, read in one go.
struct Now {
    at: Cursor,
    holds: Holds,
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks
}

impl Hands {
    /// Hands of `room`, on this wallet.
    pub fn new(room: Room, engine: Engine, net: Net, link: Arc<BankLink>) -> Hands {
        let evening = Evening::new(room.clone(), engine.clone(), link);
        Hands { room, engine, net, evening, hearing: Mutex::new(()) }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.engine.shared.now()
    }

    fn node(&self) -> Signer {
        self.engine.shared.persona.node.clone()
    }

    /// Hears the wallet and carries over what is open, until the room ends. Takings go their own way beside it: a bank that
    /// does not answer holds up no sale.
    pub async fn run(self: Arc<Self>) {
        tokio::select! {
            () = self.hears() => {}
            () = self.takes_to_the_bank() => {}
        }
    }

    async fn hears(&self) {
        let mut news = self.engine.shared.newest_event.subscribe();
        let mut ticks = ticks();
        loop {
            let tick = tokio::select! {
                changed = news.changed() => match changed {
                    Ok(()) => false,
                    Err(_) => return,
                },
                _ = ticks.tick() => true,
            };
            if let Err(fault) = self.hear().await {
                tracing::warn!(%fault, "the wallet could not be heard");
                if matches!(fault, HandsFault::Room(RoomFault::Stopped)) {
                    return;
                }
            }
            if tick && let Err(fault) = self.carry_on().await {
                tracing::warn!(%fault, "what is open could not be carried on");
            }
        }
    }

    /// A deposit of a sweep that the bank has answered is followed by the next at once.
    async fn takes_to_the_bank(&self) {
        let mut news = self.engine.shared.newest_event.subscribe();
        let mut ticks = ticks();
        loop {
            let carried = tokio::select! {
                changed = news.changed() => match changed {
                    Ok(()) => self.evening.goes_on().await,
                    Err(_) => return,
                },
                _ = ticks.tick() => self.evening.carry_on().await,
            };
            match carried {
                Ok(()) => {}
                Err(HandsFault::Room(RoomFault::Stopped)) => return,
                Err(fault) => tracing::warn!(%fault, "takings could not be carried on"),
            }
        }
    }

    // ---- what the wallet tells ----

    async fn wallet_now(&self) -> Result<Now, HandsFault> {
        let generation = self.engine.shared.persona.generation;
        let look = move |wallet: &daemon::wallet::Wallet, _| {
            let history = wallet.history();
            let letter = wallet.account().map(|account| account.at);
            let told = wallet.heard().newest().map(|newest| newest.at).max(letter);
            let holds = Holds { reserve: history.reserve, unconfirmed: wallet.holdings().unconfirmed, told };
            Now { at: Cursor { event: wallet.newest_event(), line: history.seq, generation }, holds }
        };
        Ok(self.engine.look(look).await?)
    }

    /// Hears everything up to now.
    pub async fn hear(&self) -> Result<(), HandsFault> {
        let _only = self.hearing.lock().await;
        self.hear_all().await.map(drop)
    }

    async fn hear_all(&self) -> Result<Now, HandsFault> {
        let wallet = self.wallet_now().await?;
        let now = self.now();
        let (at, reserve) = (wallet.at, wallet.holds.reserve);
        let Some(mut cursor) = self.room.look(|shop| shop.cursor()).await? else {
            self.room.decide(move |shop, _| Ok(shop.begin_hearing(at, reserve, now))).await?;
            return Ok(wallet);
        };
        let mut is_another = cursor.generation != at.generation;
        if is_another && self.goes_on(cursor).await? {
            self.room.decide(move |shop, _| Ok(shop.wallet_goes_on(at.generation, now))).await?;
            (cursor.generation, is_another) = (at.generation, false);
        }
        if is_another || cursor.event > at.event || cursor.line > at.line {
            self.room.decide(move |shop, _| Ok(shop.wallet_is_behind(at, now))).await?;
            return Ok(wallet);
        }
        while cursor != at {
            let (event, line) = (at.event.min(cursor.event + PAGE), at.line.min(cursor.line + PAGE));
            let to = Cursor { event, line, ..cursor };
            let (engine, papers, node) = (self.engine.clone(), self.engine.shared.papers(), self.node());
            let from = cursor;
            self.room
                .decide(move |shop, store| {
                    let wallet = &engine.shared.store;
                    let wallet = wallet.as_ref();
                    let (events, lines) = (events(wallet, store, from, to)?, lines(wallet, store, from, to)?);
                    Ok(shop.hear(Heard { events, lines, papers }, &node, now)?)
                })
                .await?;
            // It stops where a payment waits for the bank's sweeps.
            if self.room.look(|shop| shop.cursor()).await? != Some(to) {
                break;
            }
            cursor = to;
        }
        Ok(wallet)
    }

    /// Whether the wallet was restored from the one that this book, which was put back, had heard when its backup was made.
    async fn goes_on(&self, cursor: Cursor) -> Result<bool, HandsFault> {
        let back = self.room.look(|shop| shop.back().map(|back| back.wallet)).await?;
        Ok(back == Some(look_of(&self.engine.shared.store, cursor)?))
    }

    /// The report as it would be now, with the wallet heard up to the moment it tells of.
    pub async fn x_report(&self) -> Result<DayReport, HandsFault> {
        let _only = self.hearing.lock().await;
        let (holds, now) = (self.hear_all().await?.holds, self.now());
        Ok(self.room.decide(move |shop, _| Ok(Decision::reply(shop.report(holds, now)?))).await?)
    }

    /// Closes the day, with the wallet heard up to the moment it tells of.
    pub async fn z_report(&self, who: crate::room::Asked) -> Result<Signed<DayReport>, HandsFault> {
        let _only = self.hearing.lock().await;
        let (holds, node) = (self.hear_all().await?.holds, self.node());
        let (actor, now) = (who.actor.clone(), who.now);
        let rule = move |shop: &crate::shop::Shop, store: &ShopStore| {
            Ok(shop.close_day(holds, store.takings()?, &node, &actor, now)?)
        };
        Ok(self.room.decide_for(who, rule).await?)
    }

    /// What was taken since the last sweep goes to the company now; how many sweeps are new.
    pub async fn sweep_now(&self, who: crate::room::Asked, from_account: bool) -> Result<u64, HandsFault> {
        self.hear().await?;
        let (actor, now) = (who.actor.clone(), who.now);
        let rule = move |shop: &crate::shop::Shop, store: &ShopStore| {
            Ok(shop.sweep_now(store.takings()?, from_account, &actor, now)?)
        };
        Ok(self.room.decide_for(who, rule).await?)
    }

    // ---- what the shop decided ----

    /// Everything that is open and waits for the wallet.
    pub async fn carry_on(&self) -> Result<(), HandsFault> {
        let now = self.now();
        let looked = self.engine.shared.mail.state().looked;
        let look = self.room.look(move |shop| {
            let asking = |sale: &&Sale| sale.state == SaleState::Asking;
            let asking: Vec<Sale> = shop.open_sales().filter(asking).cloned().collect();
            let paying = shop.open_refunds().filter(|refund| refund.state == RefundState::Paying);
            let paying: Vec<_> = paying.map(|refund| (refund.id, refund.payment)).collect();
            (asking, shop.overdue(now, looked), shop.owed(now), paying)
        });
        let (asking, overdue, owed, paying) = look.await?;
        for sale in asking {
            // Its caller was told why if it could not be asked; it is tried again later.
            let _ = self.ask(&sale).await;
        }
        for (sale, request) in overdue {
            let closed = match request {
                Some(request) => self.engine.close_request(request).await?,
                None => None,
            };
            match closed {
                Some(Closing::Paid(payer, payment)) => self.hear_of(sale, payer, payment).await?,
                // A restored wallet may know nothing of it.
                Some(Closing::Closed) | None => {
                    self.room.decide(move |shop, _| Ok(shop.expire_sale(&sale, now))).await?;
                }
            }
        }
        for (refund, payment) in paying {
            self.look_after(refund, payment).await?;
        }
        for refund in owed {
            self.pay(refund).await?;
        }
        Ok(())
    }

    /// A sale was paid, and no event has told it.
    async fn hear_of(&self, sale: RequestId, payer: Key, payment: PaymentId) -> Result<(), HandsFault> {
        let (wallet, now) = (&self.engine.shared.store, self.now());
        let Some(incoming) = wallet.incoming(&payer, &payment)? else { return Ok(()) };
        let (papers, node) = (self.engine.shared.papers(), self.node());
        let rule = move |shop: &crate::shop::Shop, store: &ShopStore| {
            let arrival = arrival(&incoming, store.sale(&sale)?);
            Ok(shop.hear_arrival(arrival, papers, &node, now)?)
        };
        Ok(self.room.decide(rule).await?)
    }

    /// A refund's payment, by its state: a restored wallet tells no event of what it had told before.
    async fn look_after(&self, id: RequestId, payment: PaymentId) -> Result<(), HandsFault> {
        let outcome = self.engine.shared.store.outgoing(&payment)?.map(|payment| outcome(&payment));
        if outcome == Some(Outcome::Open) {
            return Ok(());
        }
        let (node, now) = (self.node(), self.now());
        let rule = move |shop: &crate::shop::Shop, store: &ShopStore| {
            let refund = store.refund(&id)?;
            let sale = refund.map(|refund| store.sale(&refund.sale)).transpose()?.flatten();
            Ok(shop.refund_stands(&id, &payment, outcome, sale, &node, now))
        };
        Ok(self.room.decide(rule).await?)
    }

    /// Has the wallet make the request of a sale; asked again, it is the same one.
    pub async fn ask(&self, sale: &Sale) -> Result<(), HandsFault> {
        let memo = self.room.look(|shop| shop.keeper().name.clone()).await?;
        let memo = format!("{memo}, till {}", sale.till);
        let addresses = self.net.external().await;
        let address = addresses.iter().find_map(|a| Text::new(&a.to_string(), ADDRESS_MAX).ok());
        let order = RequestOrder {
            amount: AmountRule::Exactly(sale.total),
            memo: Text::new(&memo, MEMO_MAX).unwrap_or_default(),
            expires: self.now().plus_seconds(sale.seconds),
            address: address.unwrap_or_default(),
        };
        let request = self.engine.make_request(order, key("shop.sale", &sale.id, 0)).await?;
        let record = self.engine.shared.store.request(&request)?;
        let expires = record.map_or_else(|| self.now(), |record| record.request.unverified().expires);
        let (id, now) = (sale.id, self.now());
        if !self.room.decide(move |shop, _| Ok(shop.asked(&id, request, expires, now))).await? {
            // Taken back while the wallet was making it: nobody has seen it, and nobody shall pay it.
            self.engine.close_request(request).await?;
        }
        Ok(())
    }

    /// Closes the request of a sale that is about to be taken back.
    pub async fn close(&self, request: RequestId) -> Result<(), HandsFault> {
        match self.engine.close_request(request).await? {
            Some(Closing::Paid(..)) => Err(HandsFault::PaidMeanwhile),
            Some(Closing::Closed) | None => Ok(()),
        }
    }

    /// Has the wallet pay a refund; asked again, it is the same payment.
    pub async fn pay(&self, refund: Refund) -> Result<(), HandsFault> {
        let memo = self.memo(&refund)?;
        let new = NewPayment {
            id: refund.payment,
            payee: refund.to,
            name: refund.name.clone(),
            amount: refund.units,
            memo,
            certified: false,
            request: None,
            token: refund.token.clone(),
            answered: key("shop.refund", &refund.id, refund.attempt),
        };
        let (id, payment, now) = (refund.id, refund.payment, self.now());
        let held = match self.engine.pay(new).await {
            Ok(_) => {
                return Ok(self
                    .room
                    .decide(move |shop, _| Ok(shop.refund_is_paying(&id, &payment, now)))
                    .await?);
            }
            Err(CallFault::Stopped) => return Err(CallFault::Stopped.into()),
            Err(CallFault::Pay(PayRefusal::Short { .. })) => self.short().await?,
            Err(CallFault::Pay(refusal)) => Held::ForGood(refusal.to_string()),
            Err(fault) => Held::ForNow(fault.to_string()),
        };
        let rule = move |shop: &crate::shop::Shop, store: &ShopStore| {
            let sale = store.sale(&refund.sale)?;
            Ok(shop.refund_is_held(&id, &payment, held, sale, now))
        };
        Ok(self.room.decide(rule).await?)
    }
}

impl Hands {
    /// The till holds too little; what is being renewed at the bank comes back in a moment, and is paid out then.
    async fn short(&self) -> Result<Held, HandsFault> {
        let at_bank = self.engine.look(|wallet, _| wallet.holdings().at_bank).await?;
        let why = match at_bank.is_zero() {
            true => "the till holds less than that: withdraw, or wait for sales",
            false => "units of the till are being renewed at the bank: it goes out when they are back",
        };
        Ok(Held::ForNow(why.to_owned()))
    }

    /// What the customer reads: which receipt it is about, and why, as far as there is room.
    fn memo(&self, refund: &Refund) -> Result<Text, StoreFault> {
        let number = self.room.store.sale(&refund.sale)?.and_then(|sale| sale.paid).map(|paid| paid.number);
        let of = match (number, refund.why) {
            (Some(number), Why::Customer) => memo_of(number),
            _ => String::new(),
        };
        let whole = [of.as_str(), refund.reason.as_str()].into_iter().filter(|part| !part.is_empty());
        let whole = whole.collect::<Vec<_>>().join(": ");
        let short = || Text::new(&of, MEMO_MAX).unwrap_or_default();
        Ok(Text::new(&whole, MEMO_MAX).unwrap_or_else(|_| short()))
    }
}
