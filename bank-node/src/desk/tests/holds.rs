//! Holds as scenes: who may say what, what the calendar does, and what nobody can do (SPEC §4.16).

use super::*;
use crate::ledger::holds::HoldView as _;
use crate::ledger::letters::LetterView as _;
use proptest::prelude::*;
use protocol::bank::{
    Act, Hold, HoldAct, HoldParty, HoldRule, Letter, LetterKind, NodeQuery, Purpose, code_hash,
};
use protocol::body::Text;
use protocol::wire::{HoldState, HoldStep, HoldTerm};

const DAY: u64 = DAY_SECONDS;

pub(crate) fn text(text: &str) -> Text {
    Text::new(text, 255).unwrap()
}

impl<S: Store> Bank<S> {
    /// A customer of another kind with an activated account.
    pub(crate) fn member(&self, kind: CustomerKind, name: &str, balance: u64) -> Customer {
        let opening =
            Opening { kind, name: name.to_owned(), balance: units(balance), offline_limit: units(200) };
        let opened = self.order(None, Operation::Open(opening)).unwrap();
        let customer = Customer { owner: self.signer(), account: opened.account };
        let answer = self.ask(self.activation(&customer, opened.letter.unwrap()));
        assert!(matches!(answer, BankAnswer::Activated(..)), "{answer:?}");
        customer
    }

    /// A hold of ten days for an order of eight.
    pub(crate) fn hold(&self, buyer: &Customer, shop: &Customer, amount: u64, rule: HoldRule) -> Hold {
        Hold {
            bank: self.keys.bank(),
            request: self.request(),
            owner: buyer.owner.key(),
            payee: shop.owner.key(),
            units: units(amount),
            order: Digest([4; 32]),
            rule,
            order_ends: self.now.get().plus_seconds(8 * DAY),
            ends: self.now.get().plus_seconds(10 * DAY),
            created: self.now.get(),
        }
    }

    pub(crate) fn act(&self, signer: &Signer, hold: RequestId, act: Act) -> BankAsk {
        let (bank, request, created) = (self.keys.bank(), self.request(), self.now.get());
        BankAsk::HoldAct(signer.sign(HoldAct { bank, request, hold, signer: signer.key(), created, act }))
    }

    pub(crate) fn node_query(&self, whose: &Customer, purpose: Purpose, number: u64) -> Signed<NodeQuery> {
        whose.owner.sign(NodeQuery {
            bank: self.keys.bank(),
            request: self.request(),
            owner: whose.owner.key(),
            node: whose.owner.key(),
            purpose,
            number,
            subject: Digest::default(),
            created: self.now.get(),
        })
    }
}

/// A code as the buyer would make it.
pub(crate) fn with_code(hold: Hold, code: &str) -> Hold {
    let salt = [9; 16];
    let rule = HoldRule::Code { salt, hash: code_hash(&salt, &hold.request, code) };
    Hold { rule, ..hold }
}

struct Scene {
    bank: Bank,
    alice: Customer,
    shop: Customer,
}

fn scene() -> Scene {
    let bank = Bank::new();
    let (alice, shop) = (bank.customer("Alice", 500), bank.member(CustomerKind::Shop, "Bakery", 0));
    Scene { bank, alice, shop }
}

impl Scene {
    fn asks(&self, hold: &Hold) -> BankAnswer {
        self.bank.ask(BankAsk::Hold(self.alice.owner.sign(hold.clone())))
    }

    fn holds(&self, amount: u64, rule: HoldRule) -> RequestId {
        let hold = self.bank.hold(&self.alice, &self.shop, amount, rule);
        assert!(matches!(self.asks(&hold), BankAnswer::Held(..)));
        hold.request
    }

    fn holds_with(&self, code: &str, amount: u64) -> RequestId {
        let hold = self.bank.hold(&self.alice, &self.shop, amount, HoldRule::Confirmation);
        let hold = with_code(hold, code);
        assert!(matches!(self.asks(&hold), BankAnswer::Held(..)));
        hold.request
    }

    fn says(&self, who: &Customer, hold: RequestId, act: Act) -> HoldState {
        match self.bank.ask(self.bank.act(&who.owner, hold, act)) {
            BankAnswer::Hold(state) => *state,
            other => panic!("{other:?}"),
        }
    }

    fn refuses(&self, signer: &Signer, hold: RequestId, act: Act, code: ErrorCode) {
        self.bank.refuses(self.bank.act(signer, hold, act), code);
    }

    fn money(&self) -> (u64, u64, u64) {
        let audit = self.bank.audit();
        assert!(audit.ok, "{:?}", audit.findings);
        (self.bank.balance(&self.alice), audit.held.get(), self.bank.balance(&self.shop))
    }

    fn step(&self, number: u64) -> HoldStep {
        self.bank.ledger.snapshot().unwrap().hold(number).unwrap().unwrap().state().step
    }

    fn letters(&self, whose: &Customer) -> Vec<Letter> {
        let letters = self.bank.ledger.snapshot().unwrap().letters_after(whose.account, 0, 99).unwrap();
        letters.iter().map(|letter| letter.unverified().clone()).collect()
    }
}

/// C1, C4: what the buyer holds leaves his account at once and reaches the shop when he confirms; each has the bank's word.
#[test]
fn an_order_is_held_and_confirmed() {
    let scene = scene();
    let hold = scene.bank.hold(&scene.alice, &scene.shop, 120, HoldRule::Confirmation);
    let asked = scene.alice.owner.sign(hold.clone());
    let BankAnswer::Held(state, letter) = scene.bank.ask(BankAsk::Hold(asked.clone())) else { panic!() };
    let told = letter.unverified();
    assert_eq!(
        (told.kind, told.request, told.units, told.balance),
        (LetterKind::Hold, hold.digest(), units(120), units(380))
    );
    assert_eq!(
        (state.number, state.id, state.left, state.rule),
        (1, hold.request, units(120), HoldTerm::Confirmation)
    );
    assert_eq!((state.step, state.changed), (HoldStep::Open, told.number));
    assert_eq!(scene.money(), (380, 120, 0));

    let confirmed = scene.says(&scene.alice, hold.request, Act::Confirm);
    assert_eq!(confirmed.step, HoldStep::Closed(units(120), Units::ZERO, NOON));
    assert_eq!(scene.money(), (380, 0, 120));
    let letters = scene.letters(&scene.shop);
    let [released] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!(
        (released.kind, released.units, released.balance),
        (LetterKind::Released, units(120), units(120))
    );
    assert_eq!(released.request, hold.digest());

    // B7: the same bytes get the first answer for ever; the calendar has nothing left to do.
    assert_eq!(
        scene.bank.ask(BankAsk::Hold(asked)),
        BankAnswer::Held(Box::new(*state_of(&scene, 1, told.number)), letter)
    );
    scene.bank.later(20 * DAY);
    assert_eq!(scene.money(), (380, 0, 120));
}

/// The state as it was told at first.
fn state_of(scene: &Scene, number: u64, changed: u64) -> Box<HoldState> {
    let now = scene.bank.ledger.snapshot().unwrap().hold(number).unwrap().unwrap().state();
    Box::new(HoldState { left: now.units, step: HoldStep::Open, changed, ..now })
}

/// C2: not enough funds is a refusal letter with the balance; nothing is held, and the same bytes stay refused.
#[test]
fn more_than_there_is_is_declined_with_a_letter() {
    let scene = scene();
    let hold = scene.bank.hold(&scene.alice, &scene.shop, 501, HoldRule::Confirmation);
    let declined = scene.asks(&hold);
    let BankAnswer::Declined(letter) = &declined else { panic!("{declined:?}") };
    let letter = letter.unverified();
    assert_eq!((letter.kind, letter.units, letter.balance), (LetterKind::Refusal, units(501), units(500)));
    scene.bank.order(None, Operation::PayIn(scene.alice.account, units(100))).unwrap();
    assert_eq!(scene.asks(&hold), declined);
    scene.refuses(&scene.alice.owner, hold.request, Act::Confirm, ErrorCode::NotFound);
    assert_eq!(scene.money(), (600, 0, 0));
}

/// Table: holds that are none, and the code for each.
#[test]
fn holds_that_are_refused() {
    let scene = scene();
    let (bank, alice) = (&scene.bank, &scene.alice);
    let bob = bank.customer("Bob", 50);
    let stranger = bank.signer();
    let good = || bank.hold(alice, &scene.shop, 10, HoldRule::Confirmation);
    let sign = |hold| BankAsk::Hold(alice.owner.sign(hold));
    let now = bank.now.get();
    let table = [
        (sign(Hold { bank: protocol::id::BankId([1; 8]), ..good() }), ErrorCode::NotMine),
        (sign(Hold { created: now.plus_seconds(601), ..good() }), ErrorCode::Expired),
        (BankAsk::Hold(stranger.sign(Hold { owner: stranger.key(), ..good() })), ErrorCode::NotFound),
        (BankAsk::Hold(bob.owner.sign(good())), ErrorCode::BadSignature),
        (sign(Hold { payee: alice.owner.key(), ..good() }), ErrorCode::SelfPayment),
        (sign(Hold { payee: stranger.key(), ..good() }), ErrorCode::NotFound),
        (sign(Hold { payee: bob.owner.key(), ..good() }), ErrorCode::NotAllowed),
        (sign(Hold { order_ends: Timestamp(now.0 - 601), ..good() }), ErrorCode::OverLimit),
        (sign(Hold { ends: now.plus_seconds(90 * DAY + 601), ..good() }), ErrorCode::OverLimit),
    ];
    for (ask, code) in table {
        bank.refuses(ask, code);
    }
    let hold = good();
    assert!(matches!(scene.asks(&hold), BankAnswer::Held(..)));
    bank.refuses(sign(Hold { units: units(11), ..hold }), ErrorCode::IdReused);
    assert_eq!(scene.money(), (490, 10, 0));
}

/// A hold always lives longer than its order: what does not can't even be read.
#[test]
fn a_hold_outlives_its_order() {
    let scene = scene();
    let good = scene.bank.hold(&scene.alice, &scene.shop, 10, HoldRule::Confirmation);
    let read = |hold: Hold| Hold::from_bytes(&hold.to_bytes()).map(|_| ()).map_err(|flaw| flaw.why);
    let flawed = Err("does not outlive its order");
    let day_before = Timestamp(good.ends.0 - DAY);
    let dated = |date| Hold { rule: HoldRule::Date(date), ..good.clone() };
    assert_eq!(read(Hold { order_ends: day_before, ..good.clone() }), Ok(()));
    assert_eq!(read(Hold { order_ends: day_before.plus_seconds(1), ..good.clone() }), flawed);
    assert_eq!(read(Hold { order_ends: good.ends.plus_seconds(1), ..good.clone() }), flawed);
    assert_eq!(read(dated(good.order_ends)), Ok(()));
    assert_eq!(read(dated(good.ends)), Ok(()));
    assert_eq!(read(dated(Timestamp(good.order_ends.0 - 1))), flawed);
    assert_eq!(read(dated(good.ends.plus_seconds(1))), flawed);
}

/// C4: each rule has its end: a date pays the shop, everything else goes back to the buyer, and not a second earlier.
#[test]
fn the_calendar_ends_what_nobody_has_ended() {
    let scene = scene();
    scene.holds(10, HoldRule::Confirmation);
    scene.holds_with("4711", 20);
    let date = NOON.plus_seconds(9 * DAY);
    scene.holds(40, HoldRule::Date(date));
    scene.bank.later(9 * DAY - 1);
    assert_eq!(scene.money(), (430, 70, 0));
    scene.bank.later(1);
    assert_eq!(scene.money(), (430, 30, 40));
    scene.bank.later(DAY - 1);
    assert_eq!(scene.money(), (430, 30, 40));
    scene.bank.later(1);
    assert_eq!(scene.money(), (460, 0, 40));
    let kinds: Vec<LetterKind> = scene.letters(&scene.alice).iter().map(|letter| letter.kind).collect();
    assert_eq!(kinds, [LetterKind::Returned, LetterKind::Returned]);
}

/// C4: the courier's code releases the money, whoever of the shop's keys tells it.
#[test]
fn the_right_code_pays_the_shop() {
    let scene = scene();
    let hold = scene.holds_with("4711", 120);
    let node = scene.bank.signer();
    let record = Identity { node: node.key(), ..scene.bank.identity(&scene.shop, 1, 2).unverified().clone() };
    assert_eq!(scene.bank.ask(BankAsk::Publish(scene.shop.owner.sign(record))), BankAnswer::Published);
    let told = scene.bank.ask(scene.bank.act(&node, hold, Act::Code(text("4711"))));
    assert!(matches!(told, BankAnswer::Hold(state) if matches!(state.step, HoldStep::Closed(..))));
    assert_eq!(scene.money(), (380, 0, 120));
}

/// C4, hostile: a shop that guesses has five tries for ever, a repeat of one is no try, and then the code is of no use.
#[test]
fn a_code_is_guessed_five_times() {
    let scene = scene();
    let hold = scene.holds_with("4711", 120);
    let wrong = BankAnswer::Error(ErrorCode::WrongCode);
    let first = scene.bank.act(&scene.shop.owner, hold, Act::Code(text("0000")));
    let before = scene.bank.journal();
    for _ in 0..9 {
        assert_eq!(scene.bank.ask(first.clone()), wrong);
    }
    assert_eq!(scene.bank.journal(), before + 1);
    for guess in 1..5 {
        let guess = Act::Code(text(&format!("{guess:04}")));
        assert_eq!(scene.bank.ask(scene.bank.act(&scene.shop.owner, hold, guess)), wrong);
    }
    scene.refuses(&scene.shop.owner, hold, Act::Code(text("4711")), ErrorCode::NotAllowed);
    assert_eq!(scene.bank.ask(first), wrong);
    assert_eq!(scene.says(&scene.alice, hold, Act::Confirm).wrong, 5);
    assert_eq!(scene.money(), (380, 0, 120));
}

/// Table: words that are not the speaker's to say. A stranger is not even told that there is a hold.
#[test]
fn nobody_speaks_for_the_other() {
    let scene = scene();
    let bank = &scene.bank;
    let hold = scene.holds_with("4711", 100);
    let plain = scene.holds(50, HoldRule::Confirmation);
    let other = bank.member(CustomerKind::Shop, "Butcher", 0);
    let node = bank.signer();
    let record = Identity { node: node.key(), ..bank.identity(&scene.alice, 1, 2).unverified().clone() };
    bank.ask(BankAsk::Publish(scene.alice.owner.sign(record)));
    let (alice, shop) = (&scene.alice.owner, &scene.shop.owner);
    let table = [
        (&other.owner, hold, Act::Code(text("4711")), ErrorCode::NotFound),
        (&other.owner, hold, Act::Dispute(text("mine")), ErrorCode::NotFound),
        (alice, RequestId([9; 16]), Act::Confirm, ErrorCode::NotFound),
        (shop, hold, Act::Confirm, ErrorCode::NotAllowed),
        (&node, hold, Act::Confirm, ErrorCode::NotAllowed),
        (alice, hold, Act::Code(text("4711")), ErrorCode::NotAllowed),
        (alice, hold, Act::Refund(units(1)), ErrorCode::NotAllowed),
        (shop, plain, Act::Code(text("4711")), ErrorCode::NotAllowed),
        (shop, hold, Act::Refund(units(101)), ErrorCode::OverLimit),
    ];
    for (signer, hold, act, code) in table {
        scene.refuses(signer, hold, act, code);
    }
    let forged = HoldAct {
        bank: bank.keys.bank(),
        request: bank.request(),
        hold,
        signer: alice.key(),
        created: bank.now.get(),
        act: Act::Confirm,
    };
    bank.refuses(BankAsk::HoldAct(shop.sign(forged)), ErrorCode::BadSignature);
    // A locked workstation may disagree.
    let told = bank.ask(bank.act(&node, hold, Act::Dispute(text("stale"))));
    assert!(matches!(told, BankAnswer::Hold(state) if matches!(state.step, HoldStep::Disputed(..))));
    assert_eq!(scene.money(), (350, 150, 0));
}

/// C4: nothing is released or returned by a timer that a signed disagreement has stopped; nor does a code then.
#[test]
fn a_dispute_stops_every_timer() {
    let scene = scene();
    let dated = scene.holds(10, HoldRule::Date(NOON.plus_seconds(9 * DAY)));
    let coded = scene.holds_with("4711", 20);
    let stale = scene.says(&scene.alice, dated, Act::Dispute(text("stale")));
    assert_eq!(stale.step, HoldStep::Disputed(HoldParty::Buyer, "stale".to_owned(), NOON));
    scene.says(&scene.shop, coded, Act::Dispute(text("they hide the code")));
    scene.refuses(&scene.shop.owner, coded, Act::Code(text("4711")), ErrorCode::NotAllowed);
    scene.bank.later(80 * DAY);
    assert_eq!(scene.money(), (470, 30, 0));
    // Another reason changes nothing, and writes nothing.
    let before = scene.bank.journal();
    assert_eq!(scene.says(&scene.shop, dated, Act::Dispute(text("fresh"))), stale);
    assert_eq!(scene.bank.journal(), before);
    // The buyer may still confirm, the shop may still give all of it back.
    scene.says(&scene.alice, coded, Act::Confirm);
    let ended = scene.says(&scene.shop, dated, Act::Refund(units(10)));
    assert!(matches!(ended.step, HoldStep::Closed(..)));
    assert_eq!(scene.money(), (480, 0, 20));
}

/// A dispute that comes in the second of the calendar is before it or after it, and never both.
#[test]
fn a_dispute_races_the_calendar() {
    for disputes_first in [true, false] {
        let scene = scene();
        let date = NOON.plus_seconds(9 * DAY);
        let hold = scene.holds(10, HoldRule::Date(date));
        scene.bank.now.set(date);
        let dispute = scene.bank.act(&scene.alice.owner, hold, Act::Dispute(text("late")));
        if !disputes_first {
            scene.bank.turn();
        }
        let BankAnswer::Hold(told) = scene.bank.ask(dispute) else { panic!() };
        scene.bank.turn();
        match disputes_first {
            true => assert!(matches!(told.step, HoldStep::Disputed(..))),
            false => assert_eq!(told.step, HoldStep::Closed(units(10), Units::ZERO, date)),
        }
        assert_eq!(scene.step(1), told.step);
        assert_eq!(scene.money(), if disputes_first { (490, 10, 0) } else { (490, 0, 10) });
    }
}

/// C4: the shop gives back in parts, never more than is left; a repeat is one refund, and the rest is released.
#[test]
fn refunds_go_back_at_once_and_once() {
    let scene = scene();
    let hold = scene.holds(100, HoldRule::Confirmation);
    let part = scene.bank.act(&scene.shop.owner, hold, Act::Refund(units(30)));
    let told = scene.bank.ask(part.clone());
    assert_eq!(scene.bank.ask(part), told);
    assert_eq!(scene.money(), (430, 70, 0));
    scene.refuses(&scene.shop.owner, hold, Act::Refund(units(71)), ErrorCode::OverLimit);
    let done = scene.says(&scene.alice, hold, Act::Confirm);
    assert_eq!(done.step, HoldStep::Closed(units(70), units(30), NOON));
    // Too late, and told so.
    assert_eq!(scene.says(&scene.shop, hold, Act::Refund(units(70))), done);
    assert_eq!(scene.money(), (430, 0, 70));
}

fn proposes(hold: u64, to_buyer: u64, by: &str) -> Operation {
    let reason = "half was stale".to_owned();
    Operation::ProposeSplit { hold, to_buyer: units(to_buyer), by: by.to_owned(), reason }
}

fn confirms(hold: u64, to_buyer: u64, by: &str) -> Operation {
    Operation::ConfirmSplit { hold, to_buyer: units(to_buyer), by: by.to_owned() }
}

/// X2: what is disputed is decided by two operators, of whom one is not two; nobody decides what is not disputed.
#[test]
fn two_operators_split_what_is_disputed() {
    let scene = scene();
    let bank = &scene.bank;
    let hold = scene.holds(100, HoldRule::Confirmation);
    assert_eq!(bank.order(None, proposes(1, 40, "anna")), Err(Objection::NotDisputed));
    assert_eq!(bank.order(None, proposes(2, 40, "anna")), Err(Objection::NoHold(2)));
    scene.says(&scene.shop, hold, Act::Dispute(text("delivered")));
    assert_eq!(bank.order(None, confirms(1, 40, "bruno")), Err(Objection::NotProposed));
    assert_eq!(bank.order(None, proposes(1, 101, "anna")), Err(Objection::OverLeft { left: units(100) }));
    bank.order(None, proposes(1, 40, "anna")).unwrap();
    assert_eq!(bank.order(None, confirms(1, 40, "anna")), Err(Objection::SameOperator));
    assert_eq!(bank.order(None, confirms(1, 41, "bruno")), Err(Objection::NotProposed));
    // A refund meanwhile: what was proposed was about another sum.
    scene.says(&scene.shop, hold, Act::Refund(units(10)));
    assert_eq!(bank.order(None, confirms(1, 40, "bruno")), Err(Objection::NotProposed));
    bank.order(None, proposes(1, 40, "anna")).unwrap();
    let done = bank.order(Some("split"), confirms(1, 40, "bruno")).unwrap();
    assert_eq!(bank.order(Some("split"), confirms(1, 40, "bruno")).unwrap(), done);
    assert_eq!(scene.step(1), HoldStep::Closed(units(50), units(50), NOON));
    assert_eq!(bank.order(None, proposes(1, 0, "anna")), Err(Objection::NotDisputed));
    assert_eq!(scene.money(), (450, 0, 50));
}

/// A suspended buyer holds nothing, and nothing is held for a suspended shop; what is held already is still carried out.
#[test]
fn who_is_suspended_makes_no_holds() {
    let scene = scene();
    let before = scene.holds(50, HoldRule::Confirmation);
    let suspended = BankAnswer::Error(ErrorCode::Suspended);
    scene.bank.suspend(scene.shop.account);
    let hold = scene.bank.hold(&scene.alice, &scene.shop, 10, HoldRule::Confirmation);
    assert_eq!(scene.asks(&hold), suspended);
    scene.bank.decide(scene.shop.account, Change::Reinstate).unwrap();
    assert_eq!(scene.asks(&hold), suspended, "these bytes were answered");
    scene.bank.suspend(scene.alice.account);
    let hold = scene.bank.hold(&scene.alice, &scene.shop, 10, HoldRule::Confirmation);
    assert_eq!(scene.asks(&hold), suspended);
    scene.says(&scene.alice, before, Act::Confirm);
    assert_eq!(scene.money(), (450, 0, 50));
}

/// One buyer has 64 holds open; when one has ended there is room again.
#[test]
fn open_holds_are_counted() {
    let scene = scene();
    let first = scene.holds(1, HoldRule::Confirmation);
    for _ in 1..64 {
        scene.holds(1, HoldRule::Confirmation);
    }
    let one_more = scene.bank.hold(&scene.alice, &scene.shop, 1, HoldRule::Confirmation);
    scene.bank.refuses(BankAsk::Hold(scene.alice.owner.sign(one_more.clone())), ErrorCode::Busy);
    scene.says(&scene.shop, first, Act::Refund(units(1)));
    assert!(matches!(scene.asks(&one_more), BankAnswer::Held(..)));
    assert_eq!(scene.money(), (436, 64, 0));
}

/// All the money there can be goes into a hold and out of it: no balance leaves its bounds on the way.
#[test]
fn all_the_money_there_can_be_is_held() {
    let bank = Bank::new();
    let max = Units::MAX.get();
    let (alice, shop) = (bank.customer("Alice", max), bank.member(CustomerKind::Shop, "Bakery", 0));
    let hold = bank.hold(&alice, &shop, max, HoldRule::Confirmation);
    assert!(matches!(bank.ask(BankAsk::Hold(alice.owner.sign(hold.clone()))), BankAnswer::Held(..)));
    let told = bank.ask(bank.act(&alice.owner, hold.request, Act::Confirm));
    assert!(matches!(told, BankAnswer::Hold(_)), "{told:?}");
    assert_eq!((bank.balance(&alice), bank.balance(&shop)), (0, max));
    assert!(bank.audit().ok);
}

/// C1, C4: both sides follow their holds by what changed after an entry, in its order; nobody sees others'.
#[test]
fn both_sides_are_told_what_changed() {
    let scene = scene();
    let ids: Vec<RequestId> = (1..=3).map(|n| scene.holds(n, HoldRule::Confirmation)).collect();
    let told = |who: &Customer, after| match scene.bank.ask(BankAsk::Holds(scene.bank.node_query(
        who,
        Purpose::Holds,
        after,
    ))) {
        BankAnswer::Holds(states, more) => {
            assert!(!more);
            states
        }
        other => panic!("{other:?}"),
    };
    let numbers = |states: &[HoldState]| states.iter().map(|state| state.number).collect::<Vec<_>>();
    let all = told(&scene.shop, 0);
    assert_eq!(numbers(&all), [1, 2, 3]);
    assert_eq!(all, told(&scene.alice, 0));
    let last = all.last().unwrap().changed;
    assert!(told(&scene.shop, last).is_empty());
    scene.says(&scene.alice, ids[0], Act::Confirm);
    assert_eq!(numbers(&told(&scene.shop, last)), [1]);
    assert_eq!(numbers(&told(&scene.shop, 0)), [2, 3, 1]);
    let bob = scene.bank.customer("Bob", 0);
    assert!(told(&bob, 0).is_empty());
    let other = scene.bank.node_query(&scene.shop, Purpose::Cases, 0);
    scene.bank.refuses(BankAsk::Holds(other), ErrorCode::Malformed);
}

/// What somebody does with a hold.
#[derive(Clone, Debug)]
enum Move {
    Holds(u64, u8),
    Says(usize, usize, u8, u64),
    Splits(u64, u64),
    Waits(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        3 => (1..200u64, 0..3u8).prop_map(|(units, rule)| Move::Holds(units, rule)),
        6 => (0..9usize, 0..3usize, 0..5u8, 1..80u64).prop_map(|(h, who, act, units)| Move::Says(h, who, act, units)),
        1 => (1..9u64, 0..80u64).prop_map(|(hold, units)| Move::Splits(hold, units)),
        2 => (0..6u64).prop_map(Move::Waits),
    ];
    prop::collection::vec(one, 1..50)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// C1, C2, C4: whatever buyer, shop, stranger, operators and the calendar do in whatever order: no unit is lost or
    /// made, what was disputed is ended by nobody alone but him who may, and the books agree after each step.
    #[test]
    fn holds_lose_nothing_and_make_nothing(moves in moves()) {
        let scene = scene();
        let stranger = scene.bank.customer("Mallory", 0);
        let mut ids = Vec::new();
        for step in moves {
            match step {
                Move::Holds(amount, rule) => {
                    let date = HoldRule::Date(scene.bank.now.get().plus_seconds(9 * DAY));
                    let rule = if rule == 0 { date } else { HoldRule::Confirmation };
                    let hold = with_or_without(scene.bank.hold(&scene.alice, &scene.shop, amount, rule), amount);
                    if let BankAnswer::Held(..) = scene.asks(&hold) {
                        ids.push(hold.request);
                    }
                }
                Move::Says(hold, who, act, amount) => {
                    let Some(hold) = ids.get(hold) else { continue };
                    let signer = &[&scene.alice, &scene.shop, &stranger][who].owner;
                    let act = match act {
                        0 => Act::Confirm,
                        1 => Act::Dispute(text("no")),
                        2 => Act::Code(text("4711")),
                        3 => Act::Code(text("0000")),
                        _ => Act::Refund(units(amount)),
                    };
                    scene.bank.ask(scene.bank.act(signer, *hold, act));
                }
                Move::Splits(hold, to_buyer) => {
                    let stopped = scene.bank.order(None, proposes(hold, to_buyer, "anna")).is_ok();
                    prop_assert!(scene.bank.order(None, confirms(hold, to_buyer, "anna")).is_err());
                    prop_assert_eq!(scene.bank.order(None, confirms(hold, to_buyer, "bruno")).is_ok(), stopped);
                }
                Move::Waits(days) => {
                    let stopped = |scene: &Scene| {
                        let all = scene.bank.ledger.snapshot().unwrap().holds_after(0, 999).unwrap();
                        all.into_iter().filter(|held| held.is_open() && held.dispute.is_some()).collect::<Vec<_>>()
                    };
                    let before = stopped(&scene);
                    scene.bank.later(days * DAY);
                    prop_assert_eq!(before, stopped(&scene), "a timer that was stopped has acted");
                }
            }
            let (buyer, held, shop) = scene.money();
            prop_assert_eq!(buyer + held + shop, 500);
        }
    }
}

/// Every other amount is held with a code.
fn with_or_without(hold: Hold, amount: u64) -> Hold {
    if amount.is_multiple_of(2) && hold.rule == HoldRule::Confirmation {
        with_code(hold, "4711")
    } else {
        hold
    }
}

/// M1: whatever is changed behind the desk's back in a hold, the audit names the rule.
#[test]
fn the_audit_finds_what_is_wrong_with_holds() {
    use crate::ledger::books::Tx;
    use crate::ledger::holds::Held;
    type Damage = fn(Held) -> Held;
    let table: [(&str, Damage); 4] = [
        ("held", |held| Held { left: units(99), returned: units(1), ..held }),
        ("hold_sums", |held| Held { released: units(1), ..held }),
        ("holds_open", |held| Held { closed: Some(NOON), ..held }),
        ("hold_gap", |held| Held { number: 3, ..held }),
    ];
    for (rule, damage) in table {
        let scene = scene();
        scene.holds(100, HoldRule::Confirmation);
        let harm = |tx: &mut _| {
            let tx: &mut <Ledger<Memory> as Books>::Tx<'_> = tx;
            let held = tx.hold(1)?.unwrap();
            Tx::keep_account(tx, &crate::ledger::posting::known(tx, scene.alice.account)?)?;
            crate::ledger::holds::HoldTx::keep_hold(tx, &damage(held))
        };
        scene.bank.ledger.in_one_commit(harm).unwrap();
        let rules: Vec<String> = scene.bank.audit().findings.into_iter().map(|found| found.rule).collect();
        assert!(rules.iter().any(|found| found == rule), "{rule} is not among {rules:?}");
    }
}
