//! Orders from afar around the wallet's rules: asked of the shop, held at the bank, asked after (SPEC §3.10).

use super::input::{CallFault, Reply};
use super::jobs::Flight;
use super::outbox::Outbox;
use super::{Core, Input};
use crate::store::StoreFault;
use crate::wallet::banking::CallKey;
use crate::wallet::change::{Effect, Started};
use crate::wallet::ordering::{FreshOrder, NewPurchase, Purchase, PurchaseState};
use protocol::bank::{Act, Letter, NodeQuery, Purpose};
use protocol::id::{Digest, Key, RequestId};
use protocol::money::Units;
use protocol::node::chance::chance_bytes;
use protocol::sign::Signed;
use protocol::wire::{
    BankAnswer, BankAsk, CatalogueNews, ErrorCode, HoldState, OrderState, PayAnswer, PayAsk, ShopAnswer,
    ShopAsk,
};
use std::time::Duration;

/// How often the bank is asked how holds stand.
const HOLDS_EVERY: Duration = Duration::from_secs(60);
/// Somebody who looks at an order has it asked at once, but not more often than this.
const HOLDS_AGAIN: Duration = Duration::from_secs(1);
/// Most pages of holds in a turn.
const PAGES_MAX: usize = 8;

/// What is about orders and holds.
pub enum OrderInput {
    /// Order something of a shop.
    Order(NewPurchase, CallKey, Reply<Result<RequestId, CallFault>>),
    /// A shop says how an order stands; with the node key that signed its word.
    Told(RequestId, OrderState, Key),
    /// A shop will not take an order, for good.
    NotTaken(RequestId, ErrorCode),
    /// Say something about the hold of an order of ours.
    OfOrder(RequestId, Act, CallKey, Reply<Result<RequestId, CallFault>>),
    /// Say something about a hold in which we are the shop; with the units that it is about.
    OfHold(RequestId, Units, Act, CallKey, Reply<Result<RequestId, CallFault>>),
    /// How our holds stand.
    Holds(Vec<HoldState>),
    /// The shop has other prices now.
    Outdated(RequestId, CatalogueNews),
    /// What the bank has written about the account; nothing if it did not answer.
    Letters(Option<Vec<Signed<Letter>>>),
    /// The bank may have written about the account.
    FetchLetters,
    /// Somebody looks: ask bank and shops how our orders stand.
    Look,
}

/// What is done now and then.
#[derive(Debug, Default)]
pub(super) struct HoldRound {
    due: Duration,
    last: Duration,
}

impl Core {
    pub(super) fn order_input(&mut self, input: OrderInput) -> Result<(), StoreFault> {
        let now = self.now();
        match input {
            OrderInput::Order(new, key, reply) => self.order(new, key, reply)?,
            OrderInput::Told(id, state, node) => self.order_told(&id, state, &node),
            OrderInput::NotTaken(id, code) => {
                let decision = self.wallet.order_not_taken(&id, code, now);
                let _ = self.take(decision);
                self.jobs.done(&Flight::Order(id));
            }
            OrderInput::OfOrder(id, act, key, reply) => self.say_of_order(&id, act, key, reply)?,
            OrderInput::OfHold(hold, units, act, key, reply) => {
                self.say(key, reply, act, |_| Ok((hold, units)))?;
            }
            OrderInput::Holds(states) => {
                let decision = self.wallet.holds_told(states, now);
                let _ = self.take(decision);
                self.jobs.done(&Flight::Holds);
            }
            OrderInput::Outdated(id, news) => {
                let decision = self.wallet.order_outdated(&id, news, now);
                let _ = self.take(decision);
                self.jobs.done(&Flight::Order(id));
            }
            OrderInput::Letters(letters) => self.letters_came(letters)?,
            OrderInput::FetchLetters => {
                self.letters.are_due();
                self.fetch_letters();
            }
            OrderInput::Look => {
                let clock = self.shared.clock.monotonic();
                if clock.saturating_sub(self.holds.last) >= HOLDS_AGAIN {
                    (self.holds.due, self.holds.last) = (clock, clock);
                    self.ask_shops();
                }
            }
        }
        Ok(())
    }

    /// Asks the shops of open orders how they stand, though it was not due.
    fn ask_shops(&self) {
        for purchase in self.wallet.open_purchases().filter(|p| p.state != PurchaseState::Holding) {
            self.jobs.start(Effect::Order(purchase.id), &self.wallet, &self.store, None);
        }
    }

    fn order(
        &mut self,
        new: NewPurchase,
        key: CallKey,
        reply: Reply<Result<RequestId, CallFault>>,
    ) -> Result<(), StoreFault> {
        let known = |started| match started {
            Started::Order(id) => Some(id),
            Started::Payment(_) | Started::Bank(_) | Started::Request(_) => None,
        };
        self.keyed(&key.clone(), reply, known, |core| {
            let now = core.now();
            core.room_on_disk()?;
            let keys = core.keyring.open(now).ok_or(CallFault::Locked)?;
            Ok(core.wallet.order_of_shop(new, keys, fresh_order(), key, now)?)
        })
    }

    fn order_told(&mut self, id: &RequestId, state: OrderState, node: &Key) {
        let flight = Flight::Order(*id);
        match self.wallet.order_told(id, state, node, self.now()) {
            Ok(decision) => {
                let _ = self.take(decision);
                // A shop that has not said its last word is asked again in a while.
                self.jobs.rest(flight);
            }
            Err(flaw) => {
                tracing::warn!(order = %id, %flaw, "what a shop says of an order is not acceptable");
                self.jobs.unanswered(flight);
            }
        }
    }

    fn say_of_order(
        &mut self,
        id: &RequestId,
        act: Act,
        key: CallKey,
        reply: Reply<Result<RequestId, CallFault>>,
    ) -> Result<(), StoreFault> {
        let id = *id;
        self.say(key, reply, act, |core| Ok(core.wallet.hold_to_act_on(&id)?))
    }

    /// Confirming and giving back needs the owner's key; a dispute and a code, that of the workstation.
    fn say(
        &mut self,
        key: CallKey,
        reply: Reply<Result<RequestId, CallFault>>,
        act: Act,
        about: impl FnOnce(&Core) -> Result<(RequestId, Units), CallFault>,
    ) -> Result<(), StoreFault> {
        let known = |started| match started {
            Started::Bank(id) => Some(id),
            Started::Payment(_) | Started::Request(_) | Started::Order(_) => None,
        };
        self.keyed(&key.clone(), reply, known, |core| {
            let now = core.now();
            core.room_on_disk()?;
            if core.wallet.quarantine().is_some() {
                return Err(CallFault::Locked);
            }
            let about = about(core)?;
            let request = RequestId(chance_bytes());
            let signer = match (&act, core.keyring.open(now)) {
                (_, Some(keys)) => keys.owner().clone(),
                (Act::Dispute(_) | Act::Code(_), None) => core.shared.persona.node.clone(),
                (Act::Confirm | Act::Refund(_), None) => return Err(CallFault::Locked),
            };
            Ok(core.wallet.say_of_hold(about, act, &signer, request, key, now))
        })
    }

    /// What is due of orders: those too late, holds to ask after, goods to confirm.
    pub(super) fn mind_orders(&mut self) {
        let (now, clock) = (self.now(), self.shared.clock.monotonic());
        if let Some(decision) = self.wallet.late_orders(now) {
            let _ = self.take(decision);
        }
        if self.bank_reachable && clock >= self.holds.due && self.wallet.awaits_holds() {
            (self.holds.due, self.holds.last) = (clock + HOLDS_EVERY, clock);
            self.jobs.ask_for_holds(self.wallet.holds_known());
        }
        if self.wallet.quarantine().is_some() {
            return;
        }
        for order in self.wallet.orders_to_confirm() {
            let Some(keys) = self.keyring.open(now) else { return };
            let owner = keys.owner().clone();
            let Ok(about) = self.wallet.hold_to_act_on(&order) else { continue };
            let request = RequestId(chance_bytes());
            let decision = self.wallet.say_of_hold(about, Act::Confirm, &owner, request, None, now);
            let _ = self.take(decision);
        }
    }
}

/// Eight digits from chance; what is above the last whole hundred million of 2^64 is as good as never.
fn fresh_order() -> FreshOrder {
    let digits = u64::from_be_bytes(chance_bytes()) % 100_000_000;
    FreshOrder {
        order: RequestId(chance_bytes()),
        hold: RequestId(chance_bytes()),
        salt: chance_bytes(),
        code_salt: chance_bytes(),
        code: format!("{digits:08}"),
    }
}

impl Outbox {
    /// Tells a shop of an order, or asks how it stands.
    pub(super) async fn order(&self, purchase: &Purchase) -> Input {
        let (id, flight) = (purchase.id, Flight::Order(purchase.id));
        let placing = purchase.state == PurchaseState::Placing;
        let party = match self.contacts.party(&purchase.order().shop, None).await {
            Ok(party) => party,
            Err(fault) => {
                tracing::debug!(order = %id, %fault, "the shop is not reached");
                return Input::Unanswered(flight);
            }
        };
        let ask = match placing {
            true => ShopAsk::Place(purchase.placed.clone()),
            false => ShopAsk::Order(id),
        };
        match self.contacts.speak(&party, None, PayAsk::Shop(Box::new(ask))).await {
            Ok(PayAnswer::Shop(answer)) => match *answer {
                ShopAnswer::Order(state) => Input::Order(OrderInput::Told(id, state, party.identity.node)),
                ShopAnswer::Changed(news) if placing => Input::Order(OrderInput::Outdated(id, news)),
                ShopAnswer::Changed(_)
                | ShopAnswer::Catalogue(_)
                | ShopAnswer::Till(_)
                | ShopAnswer::Tills(_) => Input::Unanswered(flight),
            },
            Ok(PayAnswer::Error(code)) if placing && !code.is_passing() => {
                Input::Order(OrderInput::NotTaken(id, code))
            }
            Ok(answer) => {
                tracing::debug!(order = %id, ?answer, "the shop answered something else");
                Input::Unanswered(flight)
            }
            Err(fault) => {
                tracing::debug!(order = %id, %fault, "the shop did not answer");
                Input::Unanswered(flight)
            }
        }
    }

    /// How our holds stand that changed after a journal entry.
    pub(super) async fn holds(&self, after: u64) -> Input {
        match holds_after(self.shared(), &self.link, after).await {
            Some(states) => Input::Order(OrderInput::Holds(states)),
            None => Input::Unanswered(Flight::Holds),
        }
    }
}

/// The holds in which we have a part and that changed after a journal entry, as the bank tells them; as many as are
/// read in a turn. Signed by the node key, so that a locked workstation can ask. Nothing if the bank did not answer.
pub async fn holds_after(
    shared: &super::Shared,
    link: &super::link::BankLink,
    mut after: u64,
) -> Option<Vec<HoldState>> {
    let mut all = Vec::new();
    for _ in 0..PAGES_MAX {
        let BankAnswer::Holds(page, more) =
            link.ask(&BankAsk::Holds(query(shared, Purpose::Holds, after))).await.ok()?
        else {
            return None;
        };
        let last = page.iter().map(|state| state.changed).max();
        all.extend(page);
        match last.filter(|last| more && *last > after) {
            Some(last) => after = last,
            None => break,
        }
    }
    Some(all)
}

pub(super) fn query(shared: &super::Shared, purpose: Purpose, number: u64) -> Signed<NodeQuery> {
    let node = &shared.persona.node;
    node.sign(NodeQuery {
        bank: shared.keys().bank(),
        request: RequestId(chance_bytes()),
        owner: shared.persona.owner,
        node: node.key(),
        purpose,
        number,
        subject: Digest::default(),
        created: shared.now(),
    })
}
