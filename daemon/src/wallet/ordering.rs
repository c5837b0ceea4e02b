//! Orders from afar, the buyer's side (SPEC §3.10, C1–C4, C13): a signed order, the shop's word, money held by the bank.
//!
//! ```text
//! Placing ─┬▶ Holding ─┬▶ Held ⇄ Disputed ─▶ Closed     released to the shop, returned, or some of both
//!          │           ├▶ Declined                      the account does not hold that much: the bank's letter
//!          │           └▶ Refused (by the bank)
//!          └▶ Refused (by the shop, or too late)
//! ```
//! The hold is signed together with the order and asked once the shop has accepted, so a workstation that has locked
//! itself in between goes on. The code of an order is made here and stands here only: the hold has its hash.

use super::banking::{BankFlaw, BankOp, CallKey, OpState, Operation};
use super::change::{Answered, Change, Decision, Draft, Effect, Happening, Started};
use super::goods::{FETCH_DAYS, FETCH_SECONDS, goods_of};
use super::history::Movement;
use super::{OpenKeys, Wallet};
use protocol::bank::{Act, Hold, HoldAct, HoldRule, Letter, LetterKind, code_hash};
use protocol::body::{Body, Text};
use protocol::id::{Digest, Key, RequestId};
use protocol::money::Units;
use protocol::shop::{
    DELIVERY_MAX, ORDER_LINES_MAX, OrderWord, Release, SaleLine, ShopOrder, Word, delivery_digest, total,
};
use protocol::sign::{Signed, Signer};
use protocol::time::{DAY_SECONDS, Timestamp};
use protocol::wire::{
    self, BankAsk, CatalogueNews, ErrorCode, Goods, HoldState, HoldStep, HoldTerm, OrderState, PlacedOrder,
};
use serde::{Deserialize, Serialize};

/// Most orders without an end: as many as the bank holds money for.
const OPEN_MAX: usize = 64;
/// The bank holds money for 90 days at most; a day is left for the way there.
const ENDS_DAYS: u64 = 89;

/// An order of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purchase {
    /// Its name.
    pub id: RequestId,
    /// What the shop is sent, each time the same.
    pub placed: PlacedOrder,
    /// The shop's certified name.
    pub name: String,
    /// The code that releases the money; shown to its owner only.
    pub code: Option<String>,
    /// Names the hold, here and at the bank.
    pub hold: RequestId,
    /// Digest of the hold.
    pub digest: Digest,
    /// What the bank is asked once the shop has accepted.
    #[serde(with = "serde_bytes")]
    pub ask: Vec<u8>,
    /// Whether digital goods are confirmed by themselves when they are here.
    pub auto: bool,
    /// The shop's last word.
    pub word: Option<Signed<OrderWord>>,
    /// How the hold stands, as last told.
    pub held: Option<HoldState>,
    /// Digital goods.
    pub goods: Vec<Goods>,
    /// Where it stands.
    pub state: PurchaseState,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub changed: Timestamp,
    /// What its articles are now, if the shop refused it for older prices.
    #[serde(default)]
    pub news: Option<CatalogueNews>,
    /// Whether the shop is not asked for goods any more, though its money has ended.
    #[serde(default)]
    pub fetched: bool,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PurchaseState {
    /// The shop is asked, and asked again.
    Placing,
    /// The shop has accepted; the bank is asked to hold the money, and asked again.
    Holding,
    /// The bank holds the money.
    Held,
    /// Somebody disagrees: no timer acts.
    Disputed,
    /// So much went to the shop, so much came back.
    Closed(Units, Units),
    /// The account does not hold that much; the letter with this number says so.
    Declined(u64),
    /// The shop will not; its word says why.
    Refused,
    /// The shop will not, for this reason.
    NotTaken(ErrorCode),
    /// The bank will not, for this reason.
    NotHeld(ErrorCode),
    /// The shop did not answer in time.
    Late,
}

impl PurchaseState {
    /// Its word for programs.
    pub fn word(self) -> &'static str {
        match self {
            PurchaseState::Placing => "placing",
            PurchaseState::Holding => "holding",
            PurchaseState::Held => "held",
            PurchaseState::Disputed => "disputed",
            PurchaseState::Closed(..) => "closed",
            PurchaseState::Declined(_) => "declined",
            PurchaseState::Refused | PurchaseState::NotTaken(_) => "refused",
            PurchaseState::NotHeld(_) => "not_held",
            PurchaseState::Late => "late",
        }
    }

    /// Whether something is still to come.
    pub fn is_open(self) -> bool {
        matches!(
            self,
            PurchaseState::Placing | PurchaseState::Holding | PurchaseState::Held | PurchaseState::Disputed
        )
    }
}

impl Purchase {
    /// What was ordered.
    pub fn order(&self) -> &ShopOrder {
        self.placed.order.unverified()
    }

    /// What the bank keeps of it, as far as known.
    pub fn left(&self) -> Units {
        self.held.as_ref().map_or(Units::ZERO, |held| held.left)
    }
}

/// An order to make.
#[derive(Clone, Debug)]
pub struct NewPurchase {
    /// Of whom.
    pub shop: Key,
    /// His certified name.
    pub name: String,
    /// The catalogue's version.
    pub version: u64,
    /// What.
    pub lines: Vec<SaleLine>,
    /// What releases the money.
    pub release: Release,
    /// Until when the order is to be carried out.
    pub order_ends: Timestamp,
    /// When the money comes back, if nothing else happens.
    pub ends: Timestamp,
    /// Where it shall be brought; empty when nothing is.
    pub address: Text,
    /// What there is to say.
    pub note: Text,
    /// Whether digital goods are confirmed by themselves.
    pub auto: bool,
}

/// New names and secrets for an order, from chance.
#[derive(Clone)]
pub struct FreshOrder {
    /// Names the order.
    pub order: RequestId,
    /// Names the hold.
    pub hold: RequestId,
    /// Salts the address.
    pub salt: [u8; 16],
    /// Salts the code.
    pub code_salt: [u8; 16],
    /// The code.
    pub code: String,
}

/// Why no order is made, or nothing is said about one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderRefusal {
    /// One's own shop.
    #[error("an order goes to somebody else's shop")]
    Yourself,
    /// What it comes to.
    #[error("an order has 1 to {ORDER_LINES_MAX} lines that come to one unit or more")]
    Lines,
    /// Its dates.
    #[error(
        "an order ends in the future, its money a day later or more, within {ENDS_DAYS} days; a release date lies between"
    )]
    Dates,
    /// The address.
    #[error("an address has at most {DELIVERY_MAX} bytes")]
    Address,
    /// Too many.
    #[error("{OPEN_MAX} orders are open: wait until some have ended")]
    TooMany,
    /// Nothing by this name.
    #[error("no such order is open here")]
    NotFound,
    /// The bank does not hold the money, so there is nothing to say about it.
    #[error("the bank does not hold this order's money now: it is {0}")]
    NotHeld(&'static str),
}

impl Wallet {
    /// Orders without an end.
    pub fn open_purchases(&self) -> impl Iterator<Item = &Purchase> {
        self.purchases.values()
    }

    /// An order without an end.
    pub fn open_purchase(&self, id: &RequestId) -> Option<&Purchase> {
        self.purchases.get(id)
    }

    /// Signs an order and its hold. The shop is asked once they are on disk.
    pub fn order_of_shop(
        &self,
        new: NewPurchase,
        keys: &OpenKeys,
        fresh: FreshOrder,
        call: CallKey,
        now: Timestamp,
    ) -> Result<Decision<RequestId>, OrderRefusal> {
        let sum = total(&new.lines).map_err(|_| OrderRefusal::Lines)?;
        if new.lines.is_empty() || new.lines.len() > ORDER_LINES_MAX || sum.is_zero() {
            return Err(OrderRefusal::Lines);
        }
        if new.shop == self.owner().key {
            return Err(OrderRefusal::Yourself);
        }
        if self.purchases.values().filter(|purchase| purchase.state.is_open()).count() >= OPEN_MAX {
            return Err(OrderRefusal::TooMany);
        }
        let address = new.address.as_str();
        let delivery = match address {
            "" => Digest::default(),
            address if address.len() > DELIVERY_MAX => return Err(OrderRefusal::Address),
            address => delivery_digest(&fresh.salt, address),
        };
        let order = ShopOrder {
            bank: self.bank(),
            id: fresh.order,
            buyer: self.owner().key,
            shop: new.shop,
            version: new.version,
            release: new.release,
            order_ends: new.order_ends,
            ends: new.ends,
            delivery,
            note: new.note,
            created: now,
            total: sum,
            lines: new.lines,
        };
        let latest = now.plus_seconds(ENDS_DAYS * DAY_SECONDS);
        if !order.is_in_order() || order.order_ends <= now || order.ends > latest {
            return Err(OrderRefusal::Dates);
        }
        let rule = match order.release {
            Release::Confirmation => HoldRule::Confirmation,
            Release::Date(date) => HoldRule::Date(date),
            Release::Code => HoldRule::Code {
                salt: fresh.code_salt,
                hash: code_hash(&fresh.code_salt, &fresh.hold, &fresh.code),
            },
        };
        let hold = Hold {
            bank: self.bank(),
            request: fresh.hold,
            owner: order.buyer,
            payee: order.shop,
            units: sum,
            order: order.digest(),
            rule,
            order_ends: order.order_ends,
            ends: order.ends,
            created: now,
        };
        let purchase = Purchase {
            id: fresh.order,
            code: (order.release == Release::Code).then_some(fresh.code),
            hold: fresh.hold,
            digest: hold.digest(),
            ask: wire::encode(&BankAsk::Hold(keys.owner().sign(hold))),
            placed: PlacedOrder {
                order: keys.owner().sign(order),
                salt: fresh.salt,
                address: address.to_owned(),
            },
            name: new.name,
            auto: new.auto,
            word: None,
            held: None,
            goods: Vec::new(),
            state: PurchaseState::Placing,
            created: now,
            changed: now,
            news: None,
            fetched: false,
        };
        let (id, mut draft) = (purchase.id, Draft::at(self, now));
        if let Some((method, key, params)) = call {
            draft.put(Change::Answered(Answered { method, key, params, started: Started::Order(id) }));
        }
        draft.put_purchase(purchase, PurchaseState::Placing);
        Ok(Decision::new(draft, id))
    }

    /// What the shop says of an order; `node` is the key of the workstation that answered.
    pub fn order_told(
        &self,
        id: &RequestId,
        told: OrderState,
        node: &Key,
        now: Timestamp,
    ) -> Result<Decision<()>, BankFlaw> {
        let mut draft = Draft::at(self, now);
        let Some(before) = self.open_purchase(id) else { return Ok(Decision::new(draft, ())) };
        let mut purchase = before.clone();
        if let Some(word) = told.word {
            word.check_by(node)?;
            let said = word.unverified();
            let order = before.order();
            if said.order != before.placed.order.digest()
                || said.shop != order.shop
                || said.bank != order.bank
            {
                return Err(BankFlaw::DoesNotFit);
            }
            if before.word.as_ref().is_none_or(|known| known.unverified().at <= said.at) {
                purchase.word = Some(word);
            }
        }
        let is_held = matches!(before.state, PurchaseState::Held | PurchaseState::Disputed);
        let fetches = before.fetches_since();
        let goods = goods_of(before, told.goods);
        if (is_held || fetches.is_some()) && goods.len() > before.goods.len() {
            purchase.goods = goods;
        }
        // A shop that knows of the end and has had time to look again has no more to give.
        purchase.fetched |= told.held && fetches.is_some_and(|at| at.plus_seconds(FETCH_SECONDS) <= now);
        let word = purchase.word.as_ref().map(|word| &word.unverified().word);
        let state = match (before.state, word) {
            (PurchaseState::Placing, Some(Word::Accepted | Word::Ready(_))) => PurchaseState::Holding,
            (PurchaseState::Placing, Some(Word::Refused(_))) => PurchaseState::Refused,
            (state, _) => state,
        };
        if state == PurchaseState::Holding && before.state == PurchaseState::Placing {
            draft.put_op(hold_op(&purchase, now), OpState::Asked);
        }
        if purchase != *before || state != before.state {
            draft.put_purchase(purchase, state);
        }
        Ok(Decision::new(draft, ()))
    }

    /// The shop has said no, and no more. Nothing was at stake before the hold.
    pub fn order_not_taken(&self, id: &RequestId, code: ErrorCode, now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        if let Some(purchase) = self.open_purchase(id).filter(|p| p.state == PurchaseState::Placing) {
            draft.put_purchase(purchase.clone(), PurchaseState::NotTaken(code));
        }
        Decision::new(draft, ())
    }

    /// The shop has other prices now, and says which.
    pub fn order_outdated(&self, id: &RequestId, news: CatalogueNews, now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        if let Some(purchase) = self.open_purchase(id).filter(|p| p.state == PurchaseState::Placing) {
            let purchase = Purchase { news: Some(news), ..purchase.clone() };
            draft.put_purchase(purchase, PurchaseState::NotTaken(ErrorCode::OtherCatalogue));
        }
        Decision::new(draft, ())
    }

    /// Orders that no shop has answered in time, and goods that no shop has handed over; nothing if there are none.
    pub fn late_orders(&self, now: Timestamp) -> Option<Decision<()>> {
        let late = |p: &&Purchase| p.state == PurchaseState::Placing && p.order().order_ends <= now;
        let late: Vec<Purchase> = self.open_purchases().filter(late).cloned().collect();
        let given_up = |at: Timestamp| at.plus_seconds(FETCH_DAYS * DAY_SECONDS) <= now;
        let gone = self.open_purchases().filter(|p| p.fetches_since().is_some_and(given_up));
        let gone: Vec<Purchase> = gone.map(|p| Purchase { fetched: true, ..p.clone() }).collect();
        let mut draft = Draft::at(self, now);
        let any = !(late.is_empty() && gone.is_empty());
        late.into_iter().for_each(|purchase| draft.put_purchase(purchase, PurchaseState::Late));
        gone.into_iter().for_each(|purchase| draft.put(Change::Purchase(purchase)));
        any.then(|| Decision::new(draft, ()))
    }

    /// Whether the bank has to be asked how holds stand.
    pub fn awaits_holds(&self) -> bool {
        self.open_purchases().any(|p| matches!(p.state, PurchaseState::Held | PurchaseState::Disputed))
    }

    /// The journal entry after which changes of our holds are unknown here.
    pub fn holds_known(&self) -> u64 {
        let open = self.open_purchases().filter(|p| p.state.is_open());
        open.filter_map(|p| Some(p.held.as_ref()?.changed)).min().unwrap_or(0)
    }

    /// How holds stand, as the bank tells; those of others are no matter.
    pub fn holds_told(&self, states: Vec<HoldState>, now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        for state in states {
            let found = self.open_purchases().find(|purchase| purchase.hold == state.id);
            if let Some(purchase) = found.filter(|p| p.held.is_some() && fits(p, &state)) {
                draft.hold_changed(purchase, state);
            }
        }
        Decision::new(draft, ())
    }

    /// Says something about a hold: asked at the bank, and asked again until it answers. `signer` is the owner's key or
    /// the workstation's.
    pub fn say_of_hold(
        &self,
        (hold, units): (RequestId, Units),
        act: Act,
        signer: &Signer,
        request: RequestId,
        call: CallKey,
        now: Timestamp,
    ) -> Decision<RequestId> {
        let body = HoldAct { bank: self.bank(), request, hold, signer: signer.key(), created: now, act };
        let op = BankOp {
            id: request,
            what: Operation::HoldAct(hold),
            digest: body.digest(),
            ask: wire::encode(&BankAsk::HoldAct(signer.sign(body))),
            amount: units,
            outcome: None,
            hint: None,
            uses: Vec::new(),
            state: OpState::Asked,
            created: now,
            told: None,
        };
        self.begin(op, call, now)
    }

    /// The hold of an order about which something can be said, and what is left of it.
    pub fn hold_to_act_on(&self, order: &RequestId) -> Result<(RequestId, Units), OrderRefusal> {
        let purchase = self.open_purchase(order).ok_or(OrderRefusal::NotFound)?;
        match purchase.state {
            PurchaseState::Held | PurchaseState::Disputed => Ok((purchase.hold, purchase.left())),
            state => Err(OrderRefusal::NotHeld(state.word())),
        }
    }

    /// Orders whose goods are here and that are confirmed without being asked.
    pub fn orders_to_confirm(&self) -> Vec<RequestId> {
        let said = |hold| self.open_bank_ops().any(|op| op.what == Operation::HoldAct(hold));
        let due = self.open_purchases().filter(|p| p.is_to_confirm() && !said(p.hold));
        due.map(|purchase| purchase.id).collect()
    }

    /// The bank holds the money.
    pub(super) fn held(
        &self,
        draft: &mut Draft,
        op: &BankOp,
        state: HoldState,
        letter: Signed<Letter>,
    ) -> Result<(), BankFlaw> {
        let letter = self.letter(op, letter, LetterKind::Hold)?;
        let Operation::Hold(id) = op.what else { return Err(BankFlaw::DoesNotFit) };
        if letter.units != op.amount {
            return Err(BankFlaw::DoesNotFit);
        }
        let balance = self.keep_letter(draft, &letter);
        if let Some(purchase) = self.open_purchase(&id) {
            if !fits(purchase, &state) {
                return Err(BankFlaw::DoesNotFit);
            }
            draft.record(op.entry(Movement::Held, op.amount), balance);
            draft.hold_changed(purchase, state);
        }
        draft.put_op(op.clone(), OpState::Done(Some(letter.number)));
        Ok(())
    }

    /// How a hold stands after what we have said about it.
    pub(super) fn hold_heard(
        &self,
        draft: &mut Draft,
        op: &BankOp,
        state: HoldState,
    ) -> Result<(), BankFlaw> {
        if op.what != Operation::HoldAct(state.id) {
            return Err(BankFlaw::DoesNotFit);
        }
        let found = self.open_purchases().find(|purchase| purchase.hold == state.id);
        if let Some(purchase) = found.filter(|purchase| fits(purchase, &state)) {
            draft.hold_changed(purchase, state);
        }
        draft.put_op(op.clone(), OpState::Done(None));
        Ok(())
    }

    /// The account does not hold that much, or the bank will not for another reason.
    pub(super) fn not_held(&self, draft: &mut Draft, order: &RequestId, state: PurchaseState) {
        if let Some(purchase) = self.open_purchase(order) {
            draft.put_purchase(purchase.clone(), state);
        }
    }
}

/// Whether it is the hold that we asked for.
fn fits(purchase: &Purchase, state: &HoldState) -> bool {
    let order = purchase.order();
    let rule = match order.release {
        Release::Confirmation => HoldTerm::Confirmation,
        Release::Date(date) => HoldTerm::Date(date),
        Release::Code => HoldTerm::Code,
    };
    state.id == purchase.hold
        && state.order == purchase.placed.order.digest()
        && (state.buyer, state.shop) == (order.buyer, order.shop)
        && (state.units, state.rule) == (order.total, rule)
}

fn hold_op(purchase: &Purchase, now: Timestamp) -> BankOp {
    BankOp {
        id: purchase.hold,
        what: Operation::Hold(purchase.id),
        digest: purchase.digest,
        ask: purchase.ask.clone(),
        amount: purchase.order().total,
        outcome: None,
        hint: None,
        uses: Vec::new(),
        state: OpState::Asked,
        created: now,
        told: None,
    }
}

impl Draft {
    /// Puts an order; what is to be asked of the shop is asked once it is on disk.
    pub(super) fn put_purchase(&mut self, mut purchase: Purchase, state: PurchaseState) {
        let at = self.now();
        (purchase.state, purchase.changed) = (state, at);
        let fetches = purchase.fetches_since().is_some();
        if fetches || matches!(state, PurchaseState::Placing | PurchaseState::Held) {
            self.then(Effect::Order(purchase.id));
        }
        let (order, units) = (purchase.id, purchase.order().total);
        self.put(Change::Purchase(purchase));
        self.event(Happening::Order { order, state: state.word().to_owned(), units });
    }

    /// Takes over how the bank says that a hold stands, if that is news.
    fn hold_changed(&mut self, purchase: &Purchase, told: HoldState) {
        if purchase.held.as_ref().is_some_and(|known| known.changed >= told.changed) {
            return;
        }
        let state = match told.step {
            HoldStep::Open => PurchaseState::Held,
            HoldStep::Disputed(..) => PurchaseState::Disputed,
            HoldStep::Closed(released, returned, _) => PurchaseState::Closed(released, returned),
        };
        if purchase.held.as_ref().is_some_and(|known| known.left != told.left) {
            self.then(Effect::Letters);
        }
        self.put_purchase(Purchase { held: Some(told), ..purchase.clone() }, state);
    }
}
