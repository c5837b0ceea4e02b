//! A till in a world: the shop's rules and its store, on a disk that may fail, beside somebody's wallet.
//!
//! What the hands of a shop's workstation do between the two is done here in the same order, without threads.

use super::chance::Chance;
use super::disk::{Disk, Kept};
use super::{Cannot, Who, World};
use daemon::wallet::paying::{NewPayment, PayRefusal};
use protocol::body::Text;
use protocol::id::{Digest, RequestId};
use protocol::pay::{AmountRule, Request};
use protocol::sign::Signed;
use shop_node::listening;
use shop_node::room::RoomFault;
use shop_node::shop::change::Decision;
use shop_node::shop::day::Holds;
use shop_node::shop::hearing::{Cursor, Heard, Outcome};
use shop_node::shop::refund::{Held, NewRefund, Refund, RefundState};
use shop_node::shop::rights::Actor;
use shop_node::shop::sale::{CartLine, NewSale, Sale};
use shop_node::shop::settings::Settings;
use shop_node::shop::{Keeper, Shop};
use shop_node::store::ShopStore;

/// How long a sale's request runs.
const SALE_SECONDS: u64 = 86_400;

/// A till.
pub struct Till {
    keeper: Keeper,
    shop: Shop,
    store: Option<ShopStore>,
    disk: Disk,
}

impl Till {
    /// A new one, which sends its takings to a company.
    pub fn new(keeper: Keeper, world: &World) -> Till {
        let disk = Disk::new();
        let store = ShopStore::on(disk.clone()).expect("a new disk does not fail");
        let mut till = Till { shop: Shop::new(keeper.clone()), keeper, store: Some(store), disk };
        let settings = Settings { sweep: true, ..Settings::default() };
        let now = world.now;
        till.decide(|shop, _| Ok(shop.set(settings, &Actor::shop(), now)?));
        till
    }

    /// Its disk.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The rules and the store, unless it is down.
    pub fn open(&self) -> Option<(&Shop, &ShopStore)> {
        self.store.as_ref().filter(|_| !self.disk.is_dead()).map(|store| (&self.shop, store))
    }

    /// Starts again with what a crash has left.
    pub fn start_again(&mut self, kept: Kept, chance: &mut Chance) {
        self.disk.kill();
        self.store = None;
        self.disk.come_back(kept, chance);
        let store = ShopStore::on(self.disk.clone()).expect("what was synced can be opened");
        self.shop = store.load(self.keeper.clone()).expect("what was committed can be read");
        self.store = Some(store);
    }

    /// Decides and commits; nothing if a rule says no, or the disk fails: then it is down.
    pub fn decide<R>(
        &mut self,
        rule: impl FnOnce(&Shop, &ShopStore) -> Result<Decision<R>, RoomFault>,
    ) -> Option<R> {
        let store = self.store.as_ref().filter(|_| !self.disk.is_dead())?;
        let done = match rule(&self.shop, store) {
            Ok(decision) => decision.commit(&mut self.shop, |changes| store.commit(changes)).ok(),
            Err(RoomFault::Refused(_)) => return None,
            Err(_) => None,
        };
        if done.is_none() {
            self.disk.kill();
        }
        done
    }
}

impl World {
    /// Opens a sale and makes its request.
    pub fn sells(&mut self, who: Who, till: &mut Till, price: u64) -> Option<(RequestId, Signed<Request>)> {
        let (id, now) = (RequestId(self.chance.bytes()), self.clock(who));
        let line = CartLine {
            sku: None,
            name: Some("bread".to_owned()),
            quantity: 1,
            price: Some(super::units(price)),
        };
        let (till_name, seconds) = (None, Some(SALE_SECONDS));
        let call = Digest::default();
        let new = NewSale { id, call, till: till_name, cart: vec![line], seconds, ask: true };
        let sale =
            till.decide(|shop, store| Ok(shop.open_a_sale(new, store.sale(&id)?, &Actor::shop(), now)?))?;
        let request = self.ask_for(who, AmountRule::Exactly(sale.total)).ok()?;
        let (name, expires) = (request.unverified().id, request.unverified().expires);
        till.decide(|shop, _| Ok(shop.asked(&id, name, expires, now)))?;
        Some((id, request))
    }

    /// Gives a part of a sale back.
    pub fn gives_back(&mut self, who: Who, till: &mut Till, sale: RequestId, units: u64) -> Option<Refund> {
        let (id, now) = (RequestId(self.chance.bytes()), self.clock(who));
        let units = Some(super::units(units));
        let new = NewRefund { id, call: Digest::default(), units, reason: "stale".to_owned(), looked: false };
        till.decide(|shop, store| {
            let found: Option<Sale> = store.sale(&sale)?;
            let found = found.ok_or(shop_node::shop::Refusal::NotFound("sale"))?;
            Ok(shop.refund(new, found, store.refund(&id)?, &Actor::shop(), now)?)
        })
    }

    /// The till hears what the wallet has to tell.
    pub fn is_heard(&mut self, who: Who, till: &mut Till) -> Option<Holds> {
        let now = self.clock(who);
        let person = self.person(who);
        let wallet = person.store().ok()?;
        let line = person.wallet().history().seq;
        let at = Cursor { event: person.wallet().newest_event(), line, generation: person.generation };
        let reserve = person.wallet().history().reserve;
        let told = person.wallet().account().map(|account| account.at);
        let holds = Holds { reserve, unconfirmed: person.wallet().holdings().unconfirmed, told };
        let (shop, _) = till.open()?;
        let Some(cursor) = shop.cursor() else {
            till.decide(|shop, _| Ok(shop.begin_hearing(at, reserve, now)))?;
            return Some(holds);
        };
        if cursor.generation != at.generation || cursor.event > at.event || cursor.line > at.line {
            till.decide(|shop, _| Ok(shop.wallet_is_behind(at, now)))?;
            return Some(holds);
        }
        if cursor != at {
            let (papers, node) = (person.introduction.clone(), person.node.clone());
            till.decide(|shop, store| {
                let events = listening::events(wallet, store, cursor, at)?;
                let lines = listening::lines(wallet, store, cursor, at)?;
                Ok(shop.hear(Heard { events, lines, papers }, &node, now)?)
            })?;
        }
        Some(holds)
    }

    /// What is owed goes to the wallet, each refund under its own name; the payments that were begun.
    pub fn pays_back(&mut self, who: Who, till: &mut Till) -> Vec<Refund> {
        let now = self.clock(who);
        let Some((shop, _)) = till.open() else { return Vec::new() };
        let owed = shop.owed(now);
        let paying = shop.open_refunds().filter(|refund| refund.state == RefundState::Paying);
        let paying: Vec<Refund> = paying.cloned().collect();
        for refund in paying {
            self.looks_after(who, till, &refund);
        }
        let mut begun = Vec::new();
        for refund in owed {
            match self.begins_refund(who, &refund) {
                Ok(()) => {
                    begun.push(refund.clone());
                    till.decide(|shop, _| Ok(shop.refund_is_paying(&refund.id, &refund.payment, now)));
                }
                Err(Cannot::Down) => {
                    // Nobody knows whether it is on disk.
                    begun.push(refund);
                    return begun;
                }
                Err(why) => {
                    let held = match why {
                        Cannot::Pay(refusal) if !matches!(refusal, PayRefusal::Short { .. }) => {
                            Held::ForGood(refusal.to_string())
                        }
                        _ => Held::ForNow("later".to_owned()),
                    };
                    till.decide(|shop, store| {
                        let sale = store.sale(&refund.sale)?;
                        Ok(shop.refund_is_held(&refund.id, &refund.payment, held, sale, now))
                    });
                }
            }
        }
        begun
    }

    fn begins_refund(&mut self, who: Who, refund: &Refund) -> Result<(), Cannot> {
        // Asked again, it is the same payment.
        if self.payment(who, &refund.payment)?.is_some() {
            return Ok(());
        }
        let new = NewPayment {
            id: refund.payment,
            payee: refund.to,
            name: refund.name.clone(),
            amount: refund.units,
            memo: Text::default(),
            certified: false,
            request: None,
            token: None,
            answered: None,
        };
        self.begin(who, new).map(drop)
    }

    /// A refund's payment by its state: a restored wallet tells no event of what it had told before.
    fn looks_after(&mut self, who: Who, till: &mut Till, refund: &Refund) {
        let Ok(payment) = self.payment(who, &refund.payment) else { return };
        let outcome = payment.as_ref().map(listening::outcome);
        if outcome == Some(Outcome::Open) {
            return;
        }
        let (now, node) = (self.clock(who), self.person(who).node.clone());
        till.decide(|shop, store| {
            let sale = store.sale(&refund.sale)?;
            Ok(shop.refund_stands(&refund.id, &refund.payment, outcome, sale, &node, now))
        });
    }
}
