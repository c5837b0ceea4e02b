//! Shops in a life: one with a workstation, one that is an account and changes its people, and a company that has both.
//!
//! Whatever is signed here is told to the simulation's own books first: what moves at the bank without it is a violation.

use super::{Life, tries};
use crate::sim::act::{Act, Kind};
use crate::sim::setting::{COMPANY, SHOP};
use crate::sim::truth::shops::{Said, Takings, Wish, Word as Meant};
use crate::sim::truth::{Violation, broken};
use crate::world::{Stall, Voice, Who, units};
use bank_node::desk::office::{Operation, ShopOrder};
use bank_node::desk::shop::tenure::LeaseTerms;
use bank_node::desk::standing::Change;
use bank_node::ledger::AccountNumber;
use bank_node::ledger::tenure::Every;
use daemon::wallet::ordering::{FreshOrder, NewPurchase, PurchaseState};
use protocol::bank::{Act as HoldWord, Sweep};
use protocol::body::Text;
use protocol::id::{Digest, RequestId};
use protocol::money::Units;
use protocol::shop::{Release, SaleLine, Word};
use protocol::sign::{Signed, Signer};
use protocol::time::DAY_SECONDS;
use protocol::wire::{BankAnswer, BankAsk, ErrorCode, Sale, SaleKind, SalesList, encode, sales_digest};
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;

/// Orders that are still talked about.
const ORDERS: usize = 40;
/// Words to the bank that may be said again.
const OLD: usize = 48;
const DAY: u64 = DAY_SECONDS;

/// An order as the simulation made it.
#[derive(Clone)]
struct Placed {
    buyer: Who,
    order: RequestId,
    hold: RequestId,
    /// The account of the shop.
    shop: AccountNumber,
    code: String,
}

/// Takings on their way.
type Sent = (Signed<Sweep>, ByteBuf);

/// What is known of shops in a life.
pub(in crate::sim) struct Shops {
    stall: Stall,
    /// Stalls that were handed over.
    before: Vec<Stall>,
    orders: Vec<Placed>,
    /// The sweep that a shop waits for an answer to.
    sweeps: BTreeMap<u64, Sent>,
    old: Vec<(BankAsk, Option<BankAnswer>)>,
}

impl Shops {
    /// A stall, and a company for both shops.
    pub(super) fn begin(life: &mut Life) -> Shops {
        let stall = life.world.open_stall("Stall");
        life.truth.bank.shops.stall(&stall);
        Shops { stall, before: Vec::new(), orders: Vec::new(), sweeps: BTreeMap::new(), old: Vec::new() }
    }
}

fn text(text: &str) -> Text {
    Text::new(text, 140).unwrap_or_default()
}

impl Life {
    /// Both shops are the company's.
    pub(super) fn own_shops(&mut self) {
        let company = self.account(Who::at(COMPANY));
        for shop in [self.account(Who::at(SHOP)), self.stall().account] {
            self.orders_of_shop(ShopOrder::Own { shop, company });
        }
    }

    fn stall(&self) -> Stall {
        self.shops.as_ref().map(|shops| shops.stall.clone()).expect("shops act in worlds that have some")
    }

    fn shops(&mut self) -> &mut Shops {
        self.shops.as_mut().expect("shops act in worlds that have some")
    }

    /// What happens in a shop.
    pub(super) fn goes_shopping(&mut self, act: &Act) -> Result<(), Violation> {
        if self.shops.is_none() {
            return Ok(());
        }
        match act.kind {
            Kind::Order => self.places_order(act),
            Kind::ShopWord => self.hears_shop(act),
            Kind::Confirm => self.confirms(act),
            Kind::Dispute => self.disputes(act),
            Kind::Code => self.tells_code(act)?,
            Kind::HoldRefund => self.gives_back(act)?,
            Kind::Meddle => self.meddles(act)?,
            Kind::Split => self.splits(act),
            Kind::Sweep => self.sweeps(act)?,
            Kind::SweepOther => self.sweeps_otherwise(act)?,
            Kind::Tenure => self.has_other_people(act),
            Kind::ShopReplay => self.says_again(act)?,
            Kind::DoubtClock => {
                self.tally.count("clock-doubted");
                self.world.bank.doubts_clock = true;
            }
            Kind::TrustClock => self.trusts_clock(),
            _ => self.counts(act)?,
        }
        Ok(())
    }

    fn trusts_clock(&mut self) {
        self.world.bank.doubts_clock = false;
        self.world.bank.turn();
    }

    // ---- orders ----

    fn places_order(&mut self, act: &Act) {
        let (buyer, much) = (self.one(act.who), u64::from(act.much));
        let shop = Who::at(SHOP);
        let (key, account) = match act.other % 2 {
            0 => (self.world.person(shop).key(), self.account(shop)),
            _ => (self.stall().owner.key(), self.stall().account),
        };
        let now = self.world.clock(buyer);
        let order_ends = now.plus_seconds(21_600 * (2 + act.number % 28));
        let ends = order_ends.plus_seconds(DAY + DAY * (act.number % 3));
        let release = match act.number % 5 {
            0 => Release::Confirmation,
            1 | 2 => Release::Date(order_ends.plus_seconds(act.number % DAY)),
            _ => Release::Code,
        };
        // Now and then more than anybody has.
        let price = if act.number.is_multiple_of(29) { 50_000 } else { 1 + much };
        let fresh = FreshOrder {
            order: RequestId(self.world.chance.bytes()),
            hold: RequestId(self.world.chance.bytes()),
            salt: self.world.chance.bytes(),
            code_salt: self.world.chance.bytes(),
            code: format!("{:08}", self.world.chance.below(100_000_000)),
        };
        let new = NewPurchase {
            shop: key,
            name: "Shop".to_owned(),
            version: 1,
            lines: vec![SaleLine {
                sku: text("lunch"),
                name: text("Lunch"),
                quantity: 1,
                price: units(price),
            }],
            release,
            order_ends,
            ends,
            address: text("Via Roma 3"),
            note: Text::default(),
            auto: false,
        };
        let date = match release {
            Release::Date(date) => Some(date),
            Release::Confirmation | Release::Code => None,
        };
        let wish = Wish { buyer: self.account(buyer).0, shop: account.0, units: price, ends, date };
        self.truth.bank.shops.wishes(fresh.hold, wish);
        let placed =
            Placed { buyer, order: fresh.order, hold: fresh.hold, shop: account, code: fresh.code.clone() };
        if self.world.order_of_shop(buyer, new, fresh).is_ok() {
            let orders = &mut self.shops().orders;
            if orders.len() >= ORDERS {
                orders.remove(0);
            }
            orders.push(placed.clone());
            // Half of the shops answer at once.
            if act.number.is_multiple_of(2) {
                self.answers(&placed, Word::Accepted);
            }
        }
    }

    fn order(&self, number: u64, wanted: impl Fn(&Placed) -> bool) -> Option<Placed> {
        let orders: Vec<&Placed> = self.shops.as_ref()?.orders.iter().filter(|order| wanted(order)).collect();
        let at = usize::try_from(number).ok()?.checked_rem(orders.len())?;
        orders.get(at).map(|order| (*order).clone())
    }

    /// An order of which the bank keeps money.
    fn held_order(&self, number: u64) -> Option<(Placed, u64, u64)> {
        let made = |order: &Placed| self.truth.bank.shops.made(&order.hold);
        let order = self.order(number, |order| made(order).is_some_and(|(_, left)| left > 0))?;
        let (number, left) = made(&order)?;
        Some((order, number, left))
    }

    fn state(&self, order: &Placed) -> Option<PurchaseState> {
        let purchase = self.world.person(order.buyer).wallet().open_purchase(&order.order);
        purchase.map(|purchase| purchase.state)
    }

    /// The key of the workstation that answers for a shop.
    fn node_of(&self, shop: AccountNumber) -> Signer {
        let shops = self.shops.iter();
        let stall =
            shops.flat_map(|shops| shops.before.iter().chain([&shops.stall])).find(|s| s.account == shop);
        stall.map_or_else(|| self.world.person(Who::at(SHOP)).node.clone(), |stall| stall.node.clone())
    }

    fn hears_shop(&mut self, act: &Act) {
        let placing = |order: &Placed| self.state(order) == Some(PurchaseState::Placing);
        let Some(order) = self.order(act.number, placing) else { return };
        let word = match act.much % 12 {
            0 => Word::Refused(text("sold out")),
            1 => Word::Ready(text("on its way")),
            _ => Word::Accepted,
        };
        self.answers(&order, word);
    }

    fn answers(&mut self, order: &Placed, word: Word) {
        if !self.cuts.parts(Some(order.buyer), Some(Who::at(SHOP))) && self.is_up(order.buyer) {
            let node = self.node_of(order.shop);
            tries(self.world.shop_says(order.buyer, &order.order, word, &node));
        }
    }

    // ---- what is said about holds ----

    /// Says something of a hold at his own workstation, which asks until it is answered.
    fn says(&mut self, who: Who, order: &Placed, (act, word): (HoldWord, Meant), voice: Voice) {
        let request = RequestId(self.world.chance.bytes());
        let by = self.account(who).0;
        let said = Said { hold: order.hold, by, owner: voice == Voice::Owner, word };
        self.truth.bank.shops.says(request, said);
        let left = self.truth.bank.shops.made(&order.hold).map_or(0, |(_, left)| left);
        tries(self.world.say_of_hold(who, (order.hold, units(left)), act, voice, request));
    }

    /// Says something of a hold by hand.
    fn says_by_hand(
        &mut self,
        signer: &Signer,
        (by, owner): (u64, bool),
        order: &Placed,
        (act, word): (HoldWord, Meant),
    ) -> Result<Option<BankAnswer>, Violation> {
        let request = RequestId(self.world.chance.bytes());
        self.truth.bank.shops.says(request, Said { hold: order.hold, by, owner, word });
        let ask = self.world.word_of_hold(signer, order.hold, act, request);
        self.asks_bank(ask)
    }

    /// Asks the bank by hand; what it says may be lost on the way.
    pub(super) fn asks_bank(&mut self, ask: BankAsk) -> Result<Option<BankAnswer>, Violation> {
        if self.cuts.bank_gone {
            return Ok(None);
        }
        let answer = self.world.bank.ask(ask.clone());
        let old = &mut self.shops().old;
        let known = old.iter_mut().find(|(said, _)| *said == ask);
        match known {
            Some((_, first)) => {
                let same = match (&first, &answer) {
                    (Some(first), Some(answer)) if is_for_ever(first) => first == answer,
                    _ => true,
                };
                if !same {
                    return broken("another-answer", format!("{first:?} became {answer:?}"));
                }
                if first.is_none() {
                    *first = answer.clone();
                }
            }
            None => {
                if old.len() >= OLD {
                    old.remove(0);
                }
                old.push((ask, answer.clone()));
            }
        }
        let heard = !self.world.chance.percent(20);
        if answer.is_some() && !heard {
            self.tally.count("shop-not-heard");
        }
        Ok(answer.filter(|_| heard))
    }

    /// The shop of an order says something of its hold.
    fn shop_says(&mut self, order: &Placed, said: (HoldWord, Meant), voice: Voice) -> Result<(), Violation> {
        let shop = Who::at(SHOP);
        if order.shop == self.account(shop) {
            self.says(shop, order, said, voice);
            return Ok(());
        }
        let stall = self.stall();
        if stall.account == order.shop {
            let signer = if voice == Voice::Owner { &stall.owner } else { &stall.node };
            let by = (stall.account.0, voice == Voice::Owner);
            self.says_by_hand(signer, by, order, said).map(drop)?;
        }
        Ok(())
    }

    fn confirms(&mut self, act: &Act) {
        let known =
            |order: &Placed| matches!(self.state(order), Some(PurchaseState::Held | PurchaseState::Disputed));
        let Some(order) = self.order(act.number, known) else { return };
        self.says(order.buyer, &order, (HoldWord::Confirm, Meant::Confirm), Voice::Owner);
    }

    fn disputes(&mut self, act: &Act) {
        let Some((order, ..)) = self.held_order(act.number) else { return };
        let said = (HoldWord::Dispute(text("cold")), Meant::Dispute);
        let voice = if act.much.is_multiple_of(2) { Voice::Owner } else { Voice::Node };
        match act.other % 3 {
            0 => tries::<()>(self.shop_says(&order, said, voice).map_err(|_| crate::world::Cannot::Down)),
            _ => self.says(order.buyer, &order, said, voice),
        }
    }

    fn tells_code(&mut self, act: &Act) -> Result<(), Violation> {
        let Some((order, ..)) = self.held_order(act.number) else { return Ok(()) };
        let voice = if act.much.is_multiple_of(2) { Voice::Owner } else { Voice::Node };
        let wrong = |at: u64| (HoldWord::Code(text(&format!("{at:07}"))), Meant::Code(false));
        match act.other % 5 {
            // Somebody at the shop tries codes.
            0 => (0..6).try_for_each(|at| self.shop_says(&order, wrong(at), voice)),
            1 => self.shop_says(&order, wrong(act.number % 10_000_000), voice),
            _ => {
                let right = (HoldWord::Code(text(&order.code)), Meant::Code(true));
                self.shop_says(&order, right, voice)
            }
        }
    }

    fn gives_back(&mut self, act: &Act) -> Result<(), Violation> {
        let Some((order, _, left)) = self.held_order(act.number) else { return Ok(()) };
        // All, a part, and now and then more than there is.
        let back = match act.other % 4 {
            0 => left,
            1 => left + 1,
            _ => 1 + u64::from(act.much) % left,
        };
        let said = (HoldWord::Refund(units(back)), Meant::Refund(back));
        self.shop_says(&order, said, Voice::Owner)
    }

    /// Somebody says what is not his to say.
    fn meddles(&mut self, act: &Act) -> Result<(), Violation> {
        let Some((order, _, left)) = self.held_order(act.number) else { return Ok(()) };
        let other = self.one(act.other);
        let keys = |who: Who| self.world.person(who).secret_keys().owner().clone();
        let (buyer, shop) = (self.account(order.buyer).0, self.account(Who::at(SHOP)).0);
        let confirm = (HoldWord::Confirm, Meant::Confirm);
        let code = (HoldWord::Code(text(&order.code)), Meant::Code(true));
        let (signer, by, said) = match act.much % 5 {
            0 => (keys(Who::at(SHOP)), (shop, true), confirm),
            1 => (keys(order.buyer), (buyer, true), code),
            2 => (self.world.person(order.buyer).node.clone(), (buyer, false), confirm),
            3 => {
                let back = (HoldWord::Refund(units(left)), Meant::Refund(left));
                (keys(order.buyer), (buyer, true), back)
            }
            _ => (keys(other), (self.account(other).0, true), confirm),
        };
        if let Some(BankAnswer::Error(ErrorCode::NotAllowed | ErrorCode::NotFound)) =
            self.says_by_hand(&signer, by, &order, said)?
        {
            self.tally.count("meddling-refused");
        }
        Ok(())
    }

    /// Two operators decide what is disputed; or one of them tries alone.
    fn splits(&mut self, act: &Act) {
        let disputed: Vec<_> = self.truth.bank.shops.open().into_iter().filter(|open| open.3).collect();
        let at = usize::try_from(act.number).unwrap_or(0).checked_rem(disputed.len());
        let Some((hold, _, left, _)) = at.and_then(|at| disputed.get(at)).copied() else { return };
        let to_buyer = u64::from(act.much) % (left + 1);
        self.decide_split(hold, to_buyer, act.other % 4);
    }

    fn decide_split(&mut self, hold: u64, to_buyer: u64, how: u8) {
        let to_buyer = units(to_buyer);
        let by = |name: &str| name.to_owned();
        let propose = Operation::ProposeSplit { hold, to_buyer, by: by("anna"), reason: by("a reason") };
        let confirm = |name: &str| Operation::ConfirmSplit { hold, to_buyer, by: by(name) };
        match how {
            0 => self.orders(propose),
            // Nobody confirms his own word.
            1 => {
                self.orders(propose);
                self.orders_and_tells(confirm("anna"));
            }
            _ => {
                self.orders(propose);
                self.orders_and_tells(confirm("bruno"));
            }
        }
    }

    fn orders_and_tells(&mut self, operation: Operation) {
        self.truth.bank.shops.orders(operation.clone());
        self.orders(operation);
    }

    fn orders_of_shop(&mut self, order: ShopOrder) {
        self.orders_and_tells(Operation::Shop(order, "anna".to_owned()));
    }

    // ---- sweeps ----

    /// Which of the two shops, and who signs for it.
    fn sweeper(&self, act: &Act) -> (AccountNumber, Signer) {
        match act.who % 2 {
            0 => {
                let shop = Who::at(SHOP);
                (self.account(shop), self.world.person(shop).secret_keys().owner().clone())
            }
            _ => (self.stall().account, self.stall().owner),
        }
    }

    fn sweep_of(&mut self, (shop, owner): (AccountNumber, &Signer), number: u64, sum: u64) -> Sent {
        let line = |number: u64, kind, amount: u64| Sale {
            number,
            at: self.world.now,
            units: units(amount),
            kind,
            till: "front".to_owned(),
            receipt: Digest([5; 32]),
        };
        let sales = vec![
            line(1, SaleKind::Sale, sum / 2 + 3),
            line(1, SaleKind::Refund, 3),
            line(2, SaleKind::Late, sum - sum / 2 - sum / 4),
            line(3, SaleKind::Order, sum / 4),
        ];
        let list = ByteBuf::from(encode(&SalesList { sales }));
        let request = RequestId(self.world.chance.bytes());
        let takings = Takings { shop: shop.0, number, units: sum, list: sales_digest(&list) };
        self.truth.bank.shops.takes(request, takings);
        let body = Sweep {
            bank: self.world.bank.keys().bank(),
            request,
            owner: owner.key(),
            number,
            day: self.world.now.day(),
            units: units(sum),
            ordered: units(sum / 4),
            sales: 4,
            list: takings.list,
            created: self.world.now,
        };
        (self.world.sign_sweep(owner, body), list)
    }

    fn sweeps(&mut self, act: &Act) -> Result<(), Violation> {
        if act.number.is_multiple_of(4) {
            self.world.bank.fail_after(act.number % 32);
        }
        if act.who.is_multiple_of(2) {
            return self.evening();
        }
        let (shop, owner) = self.sweeper(act);
        let known = self.shops().sweeps.get(&shop.0).cloned();
        let again = known.is_some();
        let (signed, list) = match known {
            Some(sent) => sent,
            None => {
                let has = u64::try_from(self.truth.bank.balance(shop.0)).unwrap_or(0);
                let sum = if act.other.is_multiple_of(9) { has + 1 } else { u64::from(act.much).min(has) };
                let number = self.truth.bank.shops.swept(shop.0) + 1;
                let sent = self.sweep_of((shop, &owner), number, sum);
                self.shops().sweeps.insert(shop.0, sent.clone());
                sent
            }
        };
        let answer = self.asks_bank(BankAsk::Sweep(signed.clone(), list))?;
        self.swept(shop, &signed, answer, again)
    }

    fn swept(
        &mut self,
        shop: AccountNumber,
        sweep: &Signed<Sweep>,
        answer: Option<BankAnswer>,
        again: bool,
    ) -> Result<(), Violation> {
        let digest = sweep.digest();
        let done = match answer {
            Some(BankAnswer::Swept(letter)) => {
                let told = letter.unverified();
                if (told.request, told.units) != (digest, sweep.unverified().units) {
                    return broken("sweep-letter", format!("{told:?} is about another sweep"));
                }
                if again {
                    self.tally.count("sweep-again");
                }
                true
            }
            Some(BankAnswer::Declined(_)) => {
                self.tally.count("sweep-declined");
                true
            }
            // The number is another sweep's: that file was the older one.
            Some(BankAnswer::Error(ErrorCode::IdReused)) => {
                self.tally.count("sweep-misnumbered");
                true
            }
            Some(BankAnswer::Error(ErrorCode::NotAllowed)) => {
                self.tally.count("sweep-of-leased");
                false
            }
            _ => false,
        };
        if done {
            self.shops().sweeps.remove(&shop.0);
        }
        Ok(())
    }

    /// Other takings under a number that is used, or on its way: from an older copy of the shop's file.
    fn sweeps_otherwise(&mut self, act: &Act) -> Result<(), Violation> {
        let (shop, owner) = self.sweeper(act);
        let swept = self.truth.bank.shops.swept(shop.0);
        let number = if act.other.is_multiple_of(3) { swept + 1 } else { swept.max(1) };
        let has = u64::try_from(self.truth.bank.balance(shop.0)).unwrap_or(0);
        let (signed, list) = self.sweep_of((shop, &owner), number, has.min(u64::from(act.much)));
        let answer = self.asks_bank(BankAsk::Sweep(signed, list))?;
        match answer {
            Some(BankAnswer::Error(ErrorCode::IdReused)) if number <= swept => {
                self.tally.count("sweep-number-used");
                Ok(())
            }
            Some(BankAnswer::Swept(_)) if number <= swept => {
                broken("sweep-gap", format!("sweep {number} was taken twice"))
            }
            _ => Ok(()),
        }
    }

    fn says_again(&mut self, act: &Act) -> Result<(), Violation> {
        let old = &self.shops().old;
        let at = usize::try_from(act.number).unwrap_or(0).checked_rem(old.len());
        let Some((ask, _)) = at.and_then(|at| old.get(at)).cloned() else { return Ok(()) };
        self.tally.count("shop-said-again");
        self.asks_bank(ask).map(drop)
    }

    // ---- whose a shop is ----

    fn has_other_people(&mut self, act: &Act) {
        let much = u64::from(act.much);
        let company = self.account(Who::at(COMPANY));
        let (shop, _) = self.sweeper(act);
        match act.number % 10 {
            0 | 1 => {
                let every = match act.other % 3 {
                    0 => Every::Month,
                    days => Every::Days(u16::from(days)),
                };
                let first_due = self.world.now.day().plus_days(u32::from(act.other % 3));
                let (caution, rent) = (units(much), units(1 + much / 3));
                let terms = LeaseTerms { caution, rent, every, first_due };
                self.orders_of_shop(ShopOrder::Lease { shop, company, terms });
            }
            2 | 3 => self.orders_of_shop(ShopOrder::EndLease { shop, kept: units(much / 4) }),
            4 => self.orders_of_shop(ShopOrder::Own { shop, company }),
            5 => self.orders(Operation::PayIn(self.stall().account, units(much))),
            6 => self.stands(Change::Suspend),
            7 => self.stands(Change::Reinstate),
            _ => self.hands_over(act),
        }
    }

    /// Two operators decide on the stall's standing.
    fn stands(&mut self, change: Change) {
        let account = self.stall().account;
        let by = |name: &str| name.to_owned();
        self.orders(Operation::Propose { account, change, by: by("anna"), reason: by("a reason") });
        self.orders(Operation::Confirm { account, change, by: by("bruno") });
    }

    /// The stall gets other people, who have an account and keys of their own. Half of the time it is settled before.
    fn hands_over(&mut self, act: &Act) {
        let stall = self.stall();
        if act.other.is_multiple_of(2) {
            let has = u64::try_from(self.truth.bank.balance(stall.account.0)).unwrap_or(0);
            self.orders_of_shop(ShopOrder::EndLease { shop: stall.account, kept: Units::ZERO });
            // What the caution brought is paid out with what was there.
            let has = has.max(self.world.bank.balance(&stall.owner.key()).get());
            self.orders(Operation::PayOut(stall.account, units(has)));
        }
        self.world.bank.mend();
        let order = ShopOrder::HandOver { shop: stall.account, name: "Stall".to_owned() };
        self.truth.bank.shops.orders(Operation::Shop(order, "anna".to_owned()));
        match self.world.hand_over(stall.account, "Stall") {
            Some(new) => {
                self.truth.bank.shops.stall(&new);
                self.shops().sweeps.remove(&stall.account.0);
                self.shops().before.push(stall);
                self.shops().stall = new;
            }
            None => self.tally.count("hand-over-refused"),
        }
    }

    // ---- the end ----

    /// Whether something at a shop has not ended.
    pub(super) fn shops_wait(&self) -> bool {
        let waiting = |who: &Who| self.world.person(*who).wallet().open_purchases().count() > 0;
        let people = self.people().into_iter().take(self.setting.honest());
        !self.truth.bank.shops.open().is_empty() || people.into_iter().any(|who| waiting(&who))
    }

    /// At the end the clock is right, what is disputed is decided, and leases end.
    pub(super) fn shops_close(&mut self) {
        if self.shops.is_none() {
            return;
        }
        self.trusts_clock();
        for (hold, _, left, disputed) in self.truth.bank.shops.open() {
            if disputed {
                self.decide_split(hold, left / 2, 2);
            }
        }
        for shop in [self.account(Who::at(SHOP)), self.stall().account] {
            if self.truth.bank.shops.is_leased(shop.0) {
                self.orders_of_shop(ShopOrder::EndLease { shop, kept: Units::ZERO });
            }
        }
    }

    /// Nothing is left at a shop.
    pub(super) fn shops_are_settled(&mut self) -> Result<(), Violation> {
        if self.shops.is_none() {
            return Ok(());
        }
        if self.shops_wait() {
            let open = self.truth.bank.shops.open();
            return broken("shops-not-settled", format!("{open:?}, or an order has no end"));
        }
        self.world.bank.turn();
        self.truth.after_step(&self.world, &mut self.tally)?;
        self.counter_is_settled()?;
        self.truth.check_rents(&self.world)
    }
}

/// Answers that are the same whenever they are asked for.
fn is_for_ever(answer: &BankAnswer) -> bool {
    match answer {
        BankAnswer::Swept(_) | BankAnswer::Declined(_) => true,
        BankAnswer::Error(code) => *code == ErrorCode::WrongCode,
        _ => false,
    }
}
