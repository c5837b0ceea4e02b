//! Orders from afar between residents, bank and shop: answers who orders, asks the bank what it holds (SPEC §3.10).
//! Who carries it out is told by `notice`.

use crate::room::{Room, RoomFault};
use crate::shop::change::Decision;
use crate::shop::order::{Order, OrderState};
use crate::shop::rights::Actor;
use crate::store::ShopStore;
use crate::tills::Tills;
use daemon::engine::inbound::{Answering, Counter};
use daemon::engine::link::BankLink;
use daemon::engine::ordering::holds_after;
use daemon::engine::{CallFault, Engine, Input, OrderInput};
use daemon::store::{Store as _, StoreFault};
use daemon::wallet::banking::{CallKey, OpState};
use protocol::bank::{Act, DISPUTE_MAX, Party};
use protocol::body::{self, Text};
use protocol::id::{Key, RequestId};
use protocol::money::Units;
use protocol::shop::{ShopOrder, Word};
use protocol::sign::Signer;
use protocol::time::{DAY_SECONDS, Timestamp};
use protocol::wire::{self, ErrorCode, GOODS_MAX, Goods, PlacedOrder, ShopAnswer, ShopAsk};
use serde_bytes::ByteBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

/// How often the bank is asked by itself.
const PULL_EVERY: Duration = Duration::from_secs(60);
/// Who asks how his order stands has the bank asked, but not more often than this.
const PULL_AGAIN: Duration = Duration::from_secs(1);
/// How often open things are looked at.
const TICK: Duration = Duration::from_secs(1);
/// After an answer that did not come, who asks how his order stands hears what is known for so long.
const PULL_AFTER_SILENCE: Duration = Duration::from_secs(5);
/// How long he waits for somebody who is asking the bank already.
const LINE_PATIENCE: Duration = Duration::from_millis(250);
/// How long he waits for the bank. His question holds a place that payments need.
const BUYER_PATIENCE: Duration = Duration::from_secs(2);
/// How long the bank is asked for an order whose time is over, when its buyer asks. Later the shop's own round finds money.
const EXPIRED_SECONDS: u64 = DAY_SECONDS;
/// How long somebody at the counter waits for the bank's word.
const SAID_PATIENCE: Duration = Duration::from_secs(15);

/// Orders from afar.
pub struct Orders {
    room: Room,
    engine: Engine,
    link: Arc<BankLink>,
    tills: Arc<Tills>,
    /// One asks the bank at a time.
    pulled: Mutex<Pulled>,
}

/// When the bank was last asked.
#[derive(Clone, Copy, Default)]
struct Pulled {
    at: Option<Duration>,
    /// Whether it has answered.
    answered: bool,
}

impl Pulled {
    /// Whether it is asked again, as it was not within `age`. A silent one is tried again sooner or later than that.
    fn is_due(self, age: Duration, clock: Duration) -> bool {
        let age = match self.answered || age.is_zero() {
            true => age,
            false => PULL_AFTER_SILENCE,
        };
        self.at.is_none_or(|at| clock.saturating_sub(at) >= age)
    }
}

impl Orders {
    /// Orders of this room, with the bank behind `link`, beside what the tills show.
    pub fn new(room: Room, engine: Engine, link: Arc<BankLink>, tills: Arc<Tills>) -> Orders {
        Orders { room, engine, link, tills, pulled: Mutex::default() }
    }

    fn now(&self) -> Timestamp {
        self.engine.shared.now()
    }

    fn node(&self) -> Signer {
        self.engine.shared.persona.node.clone()
    }

    /// Asks the bank, gives back what is refused; until the room ends.
    pub async fn run(self: Arc<Self>) {
        let mut status = self.link.status();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let every = tokio::select! {
                _ = ticks.tick() => PULL_EVERY,
                changed = status.changed() => match changed {
                    Ok(()) => Duration::ZERO,
                    Err(_) => return,
                },
            };
            let done = async {
                self.pull(every).await?;
                self.carry_on().await
            };
            match done.await {
                Ok(()) => {}
                Err(RoomFault::Stopped) => return,
                Err(fault) => tracing::warn!(%fault, "orders could not be carried on"),
            }
        }
    }

    /// Asks the bank how holds stand, unless it was asked within `age`.
    pub async fn pull(&self, age: Duration) -> Result<(), RoomFault> {
        let pulled = self.pulled.lock().await;
        self.pull_alone(pulled, age).await
    }

    /// The same for a buyer, who waits a moment: for whoever asks already, then for the bank. Then he hears what is known.
    async fn pull_for_buyer(&self) -> Result<(), RoomFault> {
        let Ok(pulled) = timeout(LINE_PATIENCE, self.pulled.lock()).await else { return Ok(()) };
        timeout(BUYER_PATIENCE, self.pull_alone(pulled, PULL_AGAIN)).await.unwrap_or(Ok(()))
    }

    async fn pull_alone(&self, mut pulled: MutexGuard<'_, Pulled>, age: Duration) -> Result<(), RoomFault> {
        let clock = self.engine.shared.clock.monotonic();
        if !self.link.is_there() || !pulled.is_due(age, clock) {
            return Ok(());
        }
        // Noted before: also who gives up has asked.
        *pulled = Pulled { at: Some(clock), answered: false };
        let after = self.room.look(|shop| shop.holds_read()).await?;
        let Some(states) = holds_after(&self.engine.shared, &self.link, after).await else { return Ok(()) };
        pulled.answered = true;
        let now = self.now();
        if states.iter().any(|state| state.left < state.units) {
            // What was released is on the account: the wallet hears it from the bank's letters.
            self.engine.tell(Input::Order(OrderInput::FetchLetters)).await;
        }
        let (node, papers) = (self.node(), self.engine.shared.papers());
        let noted = self.room.decide(move |shop, store| {
            let known = store.orders_held(&states)?;
            Ok(shop.holds_told(states, known, (&node, &papers), now))
        });
        noted.await
    }

    async fn carry_on(&self) -> Result<(), RoomFault> {
        let now = self.now();
        self.room
            .decide(move |shop, _| Ok(shop.tidy_orders(now).unwrap_or_else(|| Decision::reply(()))))
            .await?;
        let owed = |order: &Order| Some((order.owes()?, order.is_running_out()));
        let owed = self.room.look(move |shop| shop.live_orders().filter_map(owed).collect::<Vec<_>>());
        for ((hold, left), runs_out) in owed.await? {
            // Locked, it waits; asked again under the same key, it is the same word. What is left is part of the name: a sum
            // that was too high when it came to the bank is refused for good.
            let key = own_key("shop.order-refused", format!("{hold}:{left}"));
            if let Err(fault) = self.engine.say_of_hold((hold, left), Act::Refund(left), key).await {
                tracing::debug!(%hold, %fault, "a refused order's money is not given back yet");
                if matches!(fault, CallFault::Locked) && runs_out {
                    self.stop_the_date((hold, left)).await;
                }
            }
        }
        Ok(())
    }

    /// The node key can't give money back; it can say that somebody disagrees, and then no date gives it to the shop.
    async fn stop_the_date(&self, about: (RequestId, Units)) {
        let hold = about.0;
        let key = own_key("shop.order-stopped", hold.to_string());
        let Ok(reason) = Text::new("the shop has refused this order", DISPUTE_MAX) else { return };
        if let Err(fault) = self.engine.say_of_hold(about, Act::Dispute(reason), key).await {
            tracing::debug!(%hold, %fault, "a refused order's date is not stopped yet");
        }
    }

    /// Somebody of the shop says yes, no or ready.
    pub async fn say(&self, id: RequestId, word: Word, who: crate::room::Asked) -> Result<(), RoomFault> {
        let (node, actor, now) = (self.node(), who.actor.clone(), who.now);
        let said = self.room.decide_for(who, move |shop, store| {
            let order = store.order(&id)?.ok_or(crate::shop::Refusal::NotFound("order"))?;
            Ok(shop.say_of_order(order, word, (&node, &actor), now)?)
        });
        said.await.map(drop)
    }

    /// Says something to the bank about an order's money, and waits a moment for its answer.
    pub async fn act(&self, about: (RequestId, Units), act: Act, key: CallKey) -> Result<OpState, CallFault> {
        let request = self.engine.say_of_hold(about, act, key).await?;
        let mut place = self.engine.shared.waiting.wait_for(request.0);
        let over = tokio::time::sleep(SAID_PATIENCE);
        tokio::pin!(over);
        let state = loop {
            let op = self.engine.shared.store.bank_op(&request)?;
            let state = op.map_or(OpState::Asked, |op| op.state);
            if state != OpState::Asked {
                break state;
            }
            tokio::select! {
                () = &mut over => break state,
                () = place.next() => {}
            }
        };
        // What came of it is the bank's to tell.
        if let Ok(Err(fault)) = timeout(SAID_PATIENCE, self.pull(Duration::ZERO)).await {
            tracing::warn!(%fault, "the bank's holds could not be noted");
        }
        Ok(state)
    }

    async fn answer(&self, party: Party, ask: ShopAsk) -> Result<ShopAnswer, ErrorCode> {
        let buyer = party.owner();
        match ask {
            ShopAsk::Catalogue(after) => {
                let look = self.room.look(move |shop| shop.catalogue_page(&after));
                Ok(ShopAnswer::Catalogue(look.await.map_err(|_| ErrorCode::Unavailable)?))
            }
            ShopAsk::Place(placed) => {
                let name = party.certificate.name.as_str().to_owned();
                self.place(placed, buyer, name).await
            }
            ShopAsk::Order(id) => self.order(id, buyer).await,
            ShopAsk::Till(ask) => self.tills.asked(buyer, ask).await,
            ShopAsk::Tills => self.tills.names().await.map(ShopAnswer::Tills),
        }
    }

    async fn place(&self, placed: PlacedOrder, buyer: Key, name: String) -> Result<ShopAnswer, ErrorCode> {
        let (node, now) = (self.node(), self.now());
        let asked = placed.order.clone();
        let placing = self.room.decide(move |shop, store| {
            let body = placed.order.unverified();
            let earlier = store.order(&body.id)?;
            // What one answer can't carry is not sold by one order.
            if earlier.is_none() && !goods_of(store, body)?.1 {
                return Ok(Decision::reply(Err(ErrorCode::OverLimit)));
            }
            Ok(shop.place(placed, (&buyer, &name), earlier, &node, now))
        });
        let order = match placing.await.map_err(|_| ErrorCode::Unavailable)? {
            // Whoever ordered by an older catalogue is told what has changed.
            Err(ErrorCode::OtherCatalogue) => {
                let news = self.room.look(move |shop| shop.news_for(asked.unverified())).await;
                let news = news.map_err(|_| ErrorCode::Unavailable)?.ok_or(ErrorCode::OtherCatalogue)?;
                return Ok(ShopAnswer::Changed(news));
            }
            placed => placed?,
        };
        Ok(ShopAnswer::Order(told(&order, Vec::new())))
    }

    async fn order(&self, id: RequestId, buyer: Key) -> Result<ShopAnswer, ErrorCode> {
        // Of others' orders a stranger learns nothing, not even that there are any.
        let mine = || -> Result<Order, ErrorCode> {
            let found = self.room.store.order(&id).map_err(|_| ErrorCode::Unavailable)?;
            found.filter(|order| order.body().buyer == buyer).ok_or(ErrorCode::NotFound)
        };
        let mut order = mine()?;
        if waits(&order, self.now()) {
            self.pull_for_buyer().await.map_err(|_| ErrorCode::Unavailable)?;
            order = mine()?;
        }
        let goods = match order.state {
            OrderState::Held | OrderState::Closed(..) if order.is_accepted() => self.goods(&order)?,
            _ => Vec::new(),
        };
        if !goods.is_empty() && !order.delivered {
            let now = self.now();
            let noted = self.room.decide(move |shop, store| {
                let order = store.order(&id)?.ok_or(crate::shop::Refusal::NotFound("order"))?;
                Ok(shop.order_delivered(order, now))
            });
            noted.await.map_err(|_| ErrorCode::Unavailable)?;
        }
        Ok(ShopAnswer::Order(told(&order, goods)))
    }

    /// What is handed over on line, as much as an answer carries. Nothing for money that only came back.
    fn goods(&self, order: &Order) -> Result<Vec<Goods>, ErrorCode> {
        if matches!(order.state, OrderState::Closed(released, _) if released.is_zero()) {
            return Ok(Vec::new());
        }
        let (goods, all) = goods_of(&self.room.store, order.body()).map_err(|_| ErrorCode::Unavailable)?;
        if !all {
            tracing::warn!(order = %order.id(), "an order's goods have become more than an answer carries");
        }
        Ok(goods)
    }
}

/// What is handed over on line for an order, and whether that is all of it: an answer carries so much.
fn goods_of(store: &ShopStore, order: &ShopOrder) -> Result<(Vec<Goods>, bool), StoreFault> {
    let (mut goods, mut bytes) = (Vec::<Goods>::new(), 0_usize);
    for line in &order.lines {
        if goods.iter().any(|one| one.sku == line.sku.as_str()) {
            continue;
        }
        let Some(content) = store.content(line.sku.as_str())? else { continue };
        bytes = bytes.saturating_add(content.len());
        if bytes > GOODS_MAX {
            return Ok((goods, false));
        }
        goods.push(Goods { sku: line.sku.to_string(), content: ByteBuf::from(content) });
    }
    Ok((goods, true))
}

impl Counter for Orders {
    fn asked(&self, party: Party, ask: ShopAsk) -> Answering<'_> {
        Box::pin(self.answer(party, ask))
    }
}

/// Whether the bank is asked for its money when its buyer asks.
fn waits(order: &Order, now: Timestamp) -> bool {
    match order.state {
        OrderState::New | OrderState::Accepted => true,
        OrderState::Expired => order.ended.is_none_or(|at| now < at.plus_seconds(EXPIRED_SECONDS)),
        OrderState::Held | OrderState::Disputed | OrderState::Closed(..) | OrderState::Refused => false,
    }
}

fn told(order: &Order, goods: Vec<Goods>) -> wire::OrderState {
    let held = matches!(order.state, OrderState::Held | OrderState::Disputed | OrderState::Closed(..));
    wire::OrderState { word: order.word.clone(), held, goods }
}

/// A key of the shop's own at the wallet: programs have theirs behind a `/`.
fn own_key(method: &str, name: String) -> CallKey {
    let digest = body::digest("shop-call", name.as_bytes());
    Some((method.to_owned(), name, digest))
}

/// The key of somebody who calls, at the wallet.
pub fn call_key(method: &str, actor: &Actor, key: &str, call: protocol::id::Digest) -> CallKey {
    let whose = actor.staff.as_deref().or(actor.token.as_deref()).unwrap_or("");
    Some((method.to_owned(), format!("{whose}/{key}"), call))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C9: a bank that is connected and silent is asked by one buyer in five seconds, not by each of them in turn.
    #[test]
    fn a_silent_bank_is_not_asked_by_everybody() {
        let at = |answered| Pulled { at: Some(Duration::from_secs(100)), answered };
        let due = |pulled: Pulled, age, seconds: u64| pulled.is_due(age, Duration::from_secs(100 + seconds));
        assert!(Pulled::default().is_due(PULL_EVERY, Duration::ZERO));
        assert_eq!((due(at(true), PULL_AGAIN, 0), due(at(true), PULL_AGAIN, 1)), (false, true));
        assert_eq!((due(at(false), PULL_AGAIN, 4), due(at(false), PULL_AGAIN, 5)), (false, true));
        assert_eq!((due(at(true), PULL_EVERY, 59), due(at(false), PULL_EVERY, 5)), (false, true));
        assert!(due(at(false), Duration::ZERO, 0), "the counter asks always");
    }
}
