//! The shop's side of its contract, as far as it is about orders from afar: parse, one call, show.

use super::desk::{Desk, check_key, limit, not_found, store};
use super::orders::{self, OrderHold, OrderSaid, OrderSettingsView, OrderedLine};
use super::{api, code};
use crate::orders::call_key;
use crate::shop::order::{Order, OrderSettings, OrderState, Taking, said};
use crate::shop::rights::Actor;
use daemon::engine::CallFault;
use daemon::wallet::banking::OpState;
use protocol::bank::{Act, DISPUTE_MAX, HOLD_CODE_MAX, HoldParty};
use protocol::body::Text;
use protocol::code::PublicCode;
use protocol::id::{Digest, RequestId};
use protocol::money::Units;
use protocol::node::rpc::{Caller, Retry, RpcError};
use protocol::shop::{Release, Word};
use protocol::wire::HoldStep;

/// Most bytes that are handed over for an article.
const CONTENT_MAX: usize = 64 << 10;

/// What a word about an order's money needs.
struct Saying<'a> {
    method: &'static str,
    order: RequestId,
    key: &'a str,
    call: Digest,
    act: Act,
}

impl Desk {
    fn order_found(&self, id: &RequestId) -> Result<Order, RpcError> {
        self.room.store.order(id).map_err(store)?.ok_or_else(|| not_found("order"))
    }

    pub(super) async fn order_settings_now(&self) -> Result<OrderSettingsView, RpcError> {
        let look = self.room.look(|shop| settings_view(shop.order_settings()));
        look.await.map_err(|fault| self.room_fault(fault))
    }

    pub(super) async fn set_orders(
        &self,
        caller: &Caller,
        asked: OrderSettingsView,
    ) -> Result<OrderSettingsView, RpcError> {
        let (who, actor) = self.asked(caller, "order.set");
        let taking = Taking::ALL.into_iter().find(|taking| taking.word() == asked.taking);
        let taking = taking.ok_or_else(|| code::reason_of("bad_value", "taking: auto, ask or closed"))?;
        let OrderSettingsView { address_days, command, folder, printer, .. } = asked.clone();
        let settings = OrderSettings { taking, address_days, command, folder, printer };
        let now = who.now;
        let done = self.room.decide_for(who, move |shop, _| Ok(shop.set_orders(settings, &actor, now)?));
        done.await.map(|()| asked).map_err(|fault| self.room_fault(fault))
    }

    pub(super) async fn put_content(
        &self,
        caller: &Caller,
        asked: orders::ItemContent,
    ) -> Result<api::Done, RpcError> {
        let (who, actor) = self.asked(caller, "item.content");
        let content = hex::decode(&asked.content).ok().filter(|content| content.len() <= CONTENT_MAX);
        let content = content.ok_or_else(|| code::reason_of("bad_value", "content: hex, at most 64 KiB"))?;
        let (sku, now) = (asked.sku, who.now);
        let done =
            self.room.decide_for(who, move |shop, _| Ok(shop.put_content(&sku, content, &actor, now)?));
        done.await.map(|()| api::Done { done: true }).map_err(|fault| self.room_fault(fault))
    }

    pub(super) fn order_list_now(&self, asked: &orders::OrderQuery) -> Result<orders::Orders, RpcError> {
        let limit = limit(asked.limit)?;
        let before = asked.before.as_ref().map(hex::decode).transpose();
        let mut before =
            before.map_err(|_| RpcError::invalid_params("before: as an earlier page gave it"))?;
        let mut found = Vec::new();
        loop {
            let page = self.room.store.orders(before.as_deref(), limit.max(64)).map_err(store)?;
            let Some((last, _)) = page.last() else {
                return Ok(orders::Orders { orders: found, next: None });
            };
            let end = last.clone();
            for (key, order) in &page {
                if asked.state.as_ref().is_none_or(|state| order.state.word() == state) {
                    found.push(view(order));
                }
                if found.len() == limit {
                    return Ok(orders::Orders { orders: found, next: Some(hex::encode(key)) });
                }
            }
            before = Some(end);
        }
    }

    pub(super) fn order_now(&self, id: &RequestId) -> Result<orders::Order, RpcError> {
        self.order_found(id).map(|order| view(&order))
    }

    pub(super) async fn say(
        &self,
        caller: &Caller,
        method: &'static str,
        asked: orders::OrderNote,
        word: impl FnOnce(Text) -> Word,
    ) -> Result<orders::Order, RpcError> {
        let (who, _) = self.asked(caller, method);
        let note = said(asked.note.as_deref()).map_err(|flaw| self.room_fault(flaw.into()))?;
        let done = self.orders.say(asked.order, word(note), who).await;
        done.map_err(|fault| self.room_fault(fault))?;
        self.order_now(&asked.order)
    }

    pub(super) async fn try_code(
        &self,
        caller: &Caller,
        asked: orders::OrderCode,
    ) -> Result<OrderSaid, RpcError> {
        let call = super::desk::call(&asked)?;
        let text = Text::new(asked.code.trim(), HOLD_CODE_MAX);
        let text = text.map_err(|flaw| code::reason_of("bad_text", format!("the code: {flaw}")))?;
        let (order, act) = (asked.order, Act::Code(text));
        self.act(caller, Saying { method: "order.code", order, key: &asked.key, call, act }).await
    }

    pub(super) async fn refund_order(
        &self,
        caller: &Caller,
        asked: orders::OrderRefund,
    ) -> Result<OrderSaid, RpcError> {
        let call = super::desk::call(&asked)?;
        let found = self.order_found(&asked.order)?;
        let left = found.hold.as_ref().map_or(Units::ZERO, |hold| hold.left);
        let units = asked.units.unwrap_or(left);
        let known = self.is_known("order.refund", caller, &asked.key)?;
        if !known && (units.is_zero() || units > left) {
            let text = format!("the bank holds {} of this order", self.currency.show_full(left));
            return Err(code::reason_of("over_paid", text).detail("left", left.get()));
        }
        let (order, act) = (asked.order, Act::Refund(units));
        let saying = Saying { method: "order.refund", order, key: &asked.key, call, act };
        if known {
            return self.act(caller, saying).await;
        }
        let (who, actor) = self.asked(caller, "order.refund");
        let (now, giver) = (who.now, actor.clone());
        let counted = self.room.decide_for(who, move |shop, _| Ok(shop.count_held(&giver, units, now)?));
        counted.await.map_err(|fault| self.room_fault(fault))?;
        let said = self.act(caller, saying).await;
        let is_void = |said: &OrderSaid| said.reason.is_some();
        if said.as_ref().map_or(true, is_void) {
            let undone = self.room.decide(move |shop, _| Ok(shop.uncount_held(&actor, units, now)));
            undone.await.map_err(|fault| self.room_fault(fault))?;
        }
        said
    }

    pub(super) async fn dispute_order(
        &self,
        caller: &Caller,
        asked: orders::OrderDispute,
    ) -> Result<OrderSaid, RpcError> {
        let call = super::desk::call(&asked)?;
        let reason =
            Text::new(asked.reason.trim(), DISPUTE_MAX).ok().filter(|text| !text.as_str().is_empty());
        let reason =
            reason.ok_or_else(|| code::reason_of("bad_text", "a reason of 1 to 200 bytes is needed"))?;
        let (order, act) = (asked.order, Act::Dispute(reason));
        self.act(caller, Saying { method: "order.dispute", order, key: &asked.key, call, act }).await
    }

    fn is_known(&self, method: &str, caller: &Caller, key: &str) -> Result<bool, RpcError> {
        use daemon::store::Store as _;
        let actor = self.gate.actor(caller);
        let Some((method, key, _)) = call_key(method, &actor, key, Digest::default()) else {
            return Ok(false);
        };
        let found = self.engine.shared.store.answered(&method, &key).map_err(store)?;
        Ok(found.is_some())
    }

    /// A word to the bank: said once under its key, asked again until it answers.
    async fn act(&self, caller: &Caller, saying: Saying<'_>) -> Result<OrderSaid, RpcError> {
        check_key(saying.key)?;
        let (who, actor) = self.asked(caller, saying.method);
        let found = self.order_found(&saying.order)?;
        let about = match found.hold_to_act_on() {
            Ok((hold, left)) => (hold, left),
            // A call that was answered gets its answer, though there is nothing more to say.
            Err(_)
                if let Some(hold) = &found.hold
                    && self.is_known(saying.method, caller, saying.key)? =>
            {
                (hold.id, hold.left)
            }
            Err(refusal) => return Err(self.room_fault(refusal.into())),
        };
        let key = call_key(saying.method, &actor, saying.key, saying.call);
        let state = self.orders.act(about, saying.act, key).await.map_err(|fault| self.call_fault(fault))?;
        self.note_act(who, actor, saying.order, state).await?;
        Ok(OrderSaid {
            said: state.word().to_owned(),
            reason: match state {
                OpState::Refused(code) => Some(code.word().to_owned()),
                OpState::Asked | OpState::Done(_) | OpState::Declined(_) => None,
            },
            order: self.order_now(&saying.order)?,
        })
    }

    async fn note_act(
        &self,
        who: crate::room::Asked,
        actor: Actor,
        order: RequestId,
        state: OpState,
    ) -> Result<(), RpcError> {
        let (method, now) = (who.method, who.now);
        let note =
            self.room.decide(move |shop, _| Ok(shop.note_said(&actor, method, (state.word(), order), now)));
        note.await.map_err(|fault| self.room_fault(fault))
    }

    fn call_fault(&self, fault: CallFault) -> RpcError {
        let message = fault.to_string();
        match fault {
            CallFault::Locked | CallFault::Quarantined(_) => {
                daemon::rpc::reason_of("locked", message).hint("shop-node wallet unlock")
            }
            CallFault::KeyReused(_) => code::reason_of("key_reused", message),
            CallFault::DiskLow => daemon::rpc::reason_of("disk_low", message).retry(Retry::SameKey),
            _ => code::reason_of("stopping", message).retry(Retry::SameKey),
        }
    }
}

fn settings_view(settings: &OrderSettings) -> OrderSettingsView {
    let OrderSettings { taking, address_days, command, folder, printer } = settings.clone();
    OrderSettingsView { taking: taking.word().to_owned(), address_days, command, folder, printer }
}

/// An order for whoever carries it out, as JSON.
pub fn order_json(order: &Order) -> String {
    serde_json::to_string(&view(order)).unwrap_or_default()
}

fn view(order: &Order) -> orders::Order {
    let body = order.body();
    let word = order.word.as_ref().map(|word| match &word.unverified().word {
        Word::Accepted => "accepted",
        Word::Refused(_) => "refused",
        Word::Ready(_) => "ready",
    });
    let line = |line: &protocol::shop::SaleLine| OrderedLine {
        sku: line.sku.to_string(),
        name: line.name.to_string(),
        quantity: line.quantity,
        price: line.price,
    };
    orders::Order {
        order: order.id(),
        buyer: PublicCode::of(body.buyer),
        name: order.buyer.clone(),
        state: order.state.word().to_owned(),
        lines: body.lines.iter().map(line).collect(),
        total: body.total,
        release: body.release.word().to_owned(),
        date: match body.release {
            Release::Date(date) => Some(date),
            Release::Confirmation | Release::Code => None,
        },
        address: order.address.clone(),
        note: body.note.to_string(),
        order_ends: body.order_ends,
        word: word.map(str::to_owned),
        hold: order.hold.as_ref().map(hold_view),
        delivered: order.delivered,
        placed: order.placed,
        ended: order.ended,
        meaning: meaning(order).to_owned(),
    }
}

fn hold_view(hold: &protocol::wire::HoldState) -> OrderHold {
    let (disputed_by, reason) = match &hold.step {
        HoldStep::Disputed(HoldParty::Buyer, reason, _) => (Some("buyer"), Some(reason.clone())),
        HoldStep::Disputed(HoldParty::Shop, reason, _) => (Some("shop"), Some(reason.clone())),
        HoldStep::Open | HoldStep::Closed(..) => (None, None),
    };
    let closed = match hold.step {
        HoldStep::Closed(released, returned, _) => Some((released, returned)),
        HoldStep::Open | HoldStep::Disputed(..) => None,
    };
    OrderHold {
        left: hold.left,
        wrong_codes: hold.wrong,
        ends: hold.ends,
        disputed_by: disputed_by.map(str::to_owned),
        reason,
        released: closed.map(|(released, _)| released),
        returned: closed.map(|(_, returned)| returned),
    }
}

fn meaning(order: &Order) -> &'static str {
    match (order.state, order.body().release) {
        (OrderState::New, _) => "somebody has to say yes or no: order accept, order refuse",
        (OrderState::Accepted, _) => "do nothing yet: the bank does not hold the money so far",
        (OrderState::Held, Release::Code) => {
            "carry it out; ask for the code when you hand it over, and type it in: order code"
        }
        (OrderState::Held, Release::Date(_)) => {
            "carry it out; the money comes at its date unless somebody disagrees"
        }
        (OrderState::Held, Release::Confirmation) => "carry it out; the money comes when the buyer confirms",
        (OrderState::Disputed, _) => {
            "somebody disagrees: no date moves the money; agree with the buyer, give it back, or the bank decides"
        }
        (OrderState::Closed(released, _), _) if !released.is_zero() && !order.is_accepted() => {
            "not accepted, and the bank released it before it could be given back: that is done out of the till, see refund list"
        }
        (OrderState::Closed(..), _) => "it has ended: see what came to the account, and what went back",
        (OrderState::Refused, _) if order.owes().is_some() => {
            "refused; what the bank holds is given back by itself while the till is unlocked"
        }
        (OrderState::Refused, _) => "refused",
        (OrderState::Expired, _) => "its time was over before the money was there",
    }
}
