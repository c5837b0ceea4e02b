//! Orders from afar, the buyer's rules against the bank's: word, hold, confirmation, dispute, time (C1, C2, C4).

use daemon::store::{Page, Store as _};
use daemon::wallet::banking::BankFlaw;
use daemon::wallet::history::Movement;
use daemon::wallet::ordering::{FreshOrder, NewPurchase, OrderRefusal, PurchaseState};
use protocol::bank::Act;
use protocol::body::{Body as _, Text};
use protocol::id::RequestId;
use protocol::shop::{OrderWord, Release, SaleLine, Word};
use protocol::sign::Signer;
use protocol::time::DAY_SECONDS;
use protocol::wire::{BankAnswer, BankAsk, ErrorCode, Goods, OrderState};
use tests::world::{Kept, Who, World, units};

const CODE: &str = "48392017";

fn town() -> (World, Who, Who) {
    let mut world = World::new(7);
    let (alice, hall) = (world.join("Alice", 100), world.join_shop("Hall"));
    (world, alice, hall)
}

fn text(text: &str) -> Text {
    Text::new(text, 140).unwrap()
}

fn wants(world: &World, shop: Who, price: u64, release: Release) -> NewPurchase {
    NewPurchase {
        shop: world.person(shop).key(),
        name: "Hall".to_owned(),
        version: 1,
        lines: vec![SaleLine { sku: text("lunch"), name: text("Lunch"), quantity: 1, price: units(price) }],
        release,
        order_ends: world.now.plus_seconds(7 * DAY_SECONDS),
        ends: world.now.plus_seconds(9 * DAY_SECONDS),
        address: text("Via Roma 3"),
        note: Text::default(),
        auto: false,
    }
}

fn fresh(number: u8) -> FreshOrder {
    FreshOrder {
        order: RequestId([number; 16]),
        hold: RequestId([number + 100; 16]),
        salt: [1; 16],
        code_salt: [2; 16],
        code: CODE.to_owned(),
    }
}

fn tries(world: &mut World, who: Who, new: NewPurchase, number: u8) -> Result<RequestId, OrderRefusal> {
    let (wallet, keys) = (world.person(who).wallet(), world.person(who).secret_keys().clone());
    let decision = wallet.order_of_shop(new, &keys, fresh(number), None, world.now)?;
    Ok(world.settle_decision(who, decision).unwrap())
}

fn orders(world: &mut World, who: Who, shop: Who, price: u64, release: Release, number: u8) -> RequestId {
    let new = wants(world, shop, price, release);
    tries(world, who, new, number).unwrap()
}

/// The shop's word comes to the buyer, signed by `signer`.
fn told(
    world: &mut World,
    who: Who,
    shop: Who,
    id: &RequestId,
    word: Word,
    signer: &Signer,
) -> Result<(), BankFlaw> {
    let purchase = world.person(who).wallet().open_purchase(id).unwrap().clone();
    let (bank, node) = (world.bank.keys().bank(), world.person(shop).node.key());
    let (shop, order) = (world.person(shop).key(), purchase.placed.order.digest());
    let word = signer.sign(OrderWord { bank, shop, order, at: world.now, word });
    let state = OrderState { word: Some(word), held: false, goods: Vec::new() };
    let decision = world.person(who).wallet().order_told(id, state, &node, world.now)?;
    world.settle_decision(who, decision).unwrap();
    Ok(())
}

fn accepted(world: &mut World, who: Who, shop: Who, id: &RequestId) {
    let node = world.person(shop).node.clone();
    told(world, who, shop, id, Word::Accepted, &node).unwrap();
    world.settles();
}

fn state(world: &World, who: Who, id: &RequestId) -> Option<PurchaseState> {
    world.person(who).wallet().open_purchase(id).map(|purchase| purchase.state)
}

/// The bank tells the buyer how his holds stand.
fn hears(world: &mut World, who: Who) {
    let person = world.person(who);
    let query = protocol::bank::NodeQuery {
        bank: world.bank.keys().bank(),
        request: RequestId([9; 16]),
        owner: person.key(),
        node: person.node.key(),
        purpose: protocol::bank::Purpose::Holds,
        number: person.wallet().holds_known(),
        subject: protocol::id::Digest::default(),
        created: world.now,
    };
    let ask = BankAsk::Holds(person.node.sign(query));
    let Some(BankAnswer::Holds(states, _)) = world.bank.ask(ask) else { panic!("the bank tells of holds") };
    let decision = world.person(who).wallet().holds_told(states, world.now);
    world.settle_decision(who, decision).unwrap();
}

fn says(world: &mut World, who: Who, id: &RequestId, act: Act, number: u8) {
    let wallet = world.person(who).wallet();
    let about = wallet.hold_to_act_on(id).unwrap();
    let owner = world.person(who).secret_keys().owner().clone();
    let decision = wallet.say_of_hold(about, act, &owner, RequestId([number; 16]), None, world.now);
    world.settle_decision(who, decision).unwrap();
    world.settles();
}

/// C1, C2, B7: nothing leaves the account before the shop's yes; then it is held once, over a crash, too; the code is in
/// nothing that goes out; confirmed, the shop has it.
#[test]
fn held_after_the_yes_and_released_by_the_confirmation() {
    let (mut world, alice, hall) = town();
    let id = orders(&mut world, alice, hall, 44, Release::Code, 1);
    world.settles();
    let key = world.person(alice).key();
    assert_eq!(
        (state(&world, alice, &id), world.bank.balance(&key)),
        (Some(PurchaseState::Placing), units(100))
    );
    world.crash(alice, Kept::Everything);
    let purchase = world.person(alice).wallet().open_purchase(&id).unwrap().clone();
    assert_eq!(purchase.code.as_deref(), Some(CODE));
    let out = [purchase.ask.clone(), purchase.order().to_bytes()].concat();
    assert!(!out.windows(CODE.len()).any(|part| part == CODE.as_bytes()), "the code stays here");

    let node = world.person(hall).node.clone();
    told(&mut world, alice, hall, &id, Word::Accepted, &node).unwrap();
    assert_eq!(state(&world, alice, &id), Some(PurchaseState::Holding));
    world.crash(alice, Kept::Everything);
    world.settles();
    assert_eq!((state(&world, alice, &id), world.bank.balance(&key)), (Some(PurchaseState::Held), units(56)));
    let wallet = world.person(alice).wallet();
    assert_eq!((wallet.ordered(), wallet.account().unwrap().units), (units(44), units(56)));
    assert_eq!(wallet.doubts().len(), 1, "shown, until when and what can be done");
    let lines = world.person(alice).store().unwrap().history(Page { before: None, limit: 9 }).unwrap();
    assert_eq!(lines.iter().filter(|line| line.movement == Movement::Held).count(), 1);

    says(&mut world, alice, &id, Act::Confirm, 50);
    assert_eq!(state(&world, alice, &id), None, "it has ended");
    assert_eq!(world.bank.balance(&world.person(hall).key()), units(44));
    assert_eq!(world.person(alice).wallet().ordered(), units(0));
    world.bank.audit();
}

/// C1: only the shop's own word about this order counts; a no ends it and nothing was at stake.
#[test]
fn whose_word_counts() {
    let (mut world, alice, hall) = town();
    let id = orders(&mut world, alice, hall, 44, Release::Confirmation, 1);
    let (shop, other) = (world.person(hall).node.clone(), world.person(alice).node.clone());
    assert!(told(&mut world, alice, hall, &id, Word::Accepted, &other).is_err(), "signed by somebody else");
    let second = orders(&mut world, alice, hall, 5, Release::Confirmation, 2);
    let foreign = {
        let purchase = world.person(alice).wallet().open_purchase(&second).unwrap();
        let (bank, order) = (world.bank.keys().bank(), purchase.placed.order.digest());
        shop.sign(OrderWord {
            bank,
            shop: world.person(hall).key(),
            order,
            at: world.now,
            word: Word::Accepted,
        })
    };
    let goods = vec![Goods { sku: "x".to_owned(), content: serde_bytes::ByteBuf::from(vec![1]) }];
    let odd = OrderState { word: Some(foreign), held: true, goods };
    let refused = world.person(alice).wallet().order_told(&id, odd, &shop.key(), world.now);
    assert!(matches!(refused, Err(BankFlaw::DoesNotFit)), "about another order");
    assert_eq!(state(&world, alice, &id), Some(PurchaseState::Placing));
    told(&mut world, alice, hall, &id, Word::Refused(text("sold out")), &shop).unwrap();
    assert_eq!(state(&world, alice, &id), None);
    let decision =
        world.person(alice).wallet().order_not_taken(&second, ErrorCode::OtherCatalogue, world.now);
    world.settle_decision(alice, decision).unwrap();
    world.settles();
    assert_eq!(world.bank.balance(&world.person(alice).key()), units(100));
}

/// C2: above what the account holds the bank declines, with its letter; for somebody who is no shop it holds nothing.
#[test]
fn declined_and_not_held() {
    let (mut world, alice, hall) = town();
    let bob = world.join("Bob", 10);
    let much = orders(&mut world, alice, hall, 101, Release::Confirmation, 1);
    accepted(&mut world, alice, hall, &much);
    let no_shop = orders(&mut world, alice, bob, 5, Release::Confirmation, 2);
    accepted(&mut world, alice, bob, &no_shop);
    assert_eq!((state(&world, alice, &much), state(&world, alice, &no_shop)), (None, None));
    assert_eq!(world.bank.balance(&world.person(alice).key()), units(100));
    assert_eq!(world.person(alice).wallet().ordered(), units(0));

    let bad = |change: fn(&mut NewPurchase)| {
        let mut new = wants(&world, hall, 5, Release::Confirmation);
        change(&mut new);
        let keys = world.person(alice).secret_keys().clone();
        world.person(alice).wallet().order_of_shop(new, &keys, fresh(3), None, world.now).map(drop)
    };
    assert_eq!(
        bad(|new| new.ends = new.order_ends),
        Err(OrderRefusal::Dates),
        "its money would not outlive it"
    );
    assert_eq!(bad(|new| new.lines.clear()), Err(OrderRefusal::Lines));
    assert_eq!(bad(|new| new.lines = vec![new.lines[0].clone(); 65]), Err(OrderRefusal::Lines));
    assert_eq!(bad(|new| new.lines[0].price = units(0)), Err(OrderRefusal::Lines));
    let mut own = wants(&world, alice, 5, Release::Confirmation);
    own.note = text("for me");
    assert_eq!(tries(&mut world, alice, own, 4), Err(OrderRefusal::Yourself));
}

/// C2, C4: nobody says anything: at the end it comes back. Somebody disagrees: no time moves it, until they agree.
#[test]
fn a_dispute_stops_the_timer() {
    let (mut world, alice, hall) = town();
    let quiet = orders(&mut world, alice, hall, 30, Release::Code, 1);
    accepted(&mut world, alice, hall, &quiet);
    let date = world.now.plus_seconds(8 * DAY_SECONDS);
    let dated = orders(&mut world, alice, hall, 20, Release::Date(date), 2);
    accepted(&mut world, alice, hall, &dated);
    let disputed = orders(&mut world, alice, hall, 10, Release::Date(date), 3);
    accepted(&mut world, alice, hall, &disputed);
    says(&mut world, alice, &disputed, Act::Dispute(text("cold")), 50);
    assert_eq!(state(&world, alice, &disputed), Some(PurchaseState::Disputed));
    world.wait(7 * DAY_SECONDS);
    hears(&mut world, alice);
    assert_eq!(
        state(&world, alice, &quiet),
        Some(PurchaseState::Held),
        "the order is over, its money is not"
    );
    world.wait(30 * DAY_SECONDS);
    hears(&mut world, alice);
    assert_eq!((state(&world, alice, &quiet), state(&world, alice, &dated)), (None, None));
    assert_eq!(state(&world, alice, &disputed), Some(PurchaseState::Disputed), "no time moves it");
    let (alice_has, hall_has) = (world.person(alice).key(), world.person(hall).key());
    assert_eq!((world.bank.balance(&alice_has), world.bank.balance(&hall_has)), (units(70), units(20)));
    says(&mut world, alice, &disputed, Act::Confirm, 51);
    assert_eq!(world.bank.balance(&hall_has), units(30));
    assert_eq!(world.person(alice).wallet().hold_to_act_on(&disputed), Err(OrderRefusal::NotFound));
    world.bank.audit();
}

/// C1: a shop that does not answer holds nothing up for ever; and a workstation keeps no more than 64 orders open.
#[test]
fn an_order_that_nobody_answers_ends() {
    let (mut world, alice, hall) = town();
    let id = orders(&mut world, alice, hall, 30, Release::Confirmation, 1);
    assert!(world.person(alice).wallet().late_orders(world.now).is_none());
    world.wait(7 * DAY_SECONDS);
    let decision = world.person(alice).wallet().late_orders(world.now).unwrap();
    world.settle_decision(alice, decision).unwrap();
    assert_eq!(state(&world, alice, &id), None);
    for number in 2..66 {
        orders(&mut world, alice, hall, 1, Release::Confirmation, number);
    }
    let more = wants(&world, hall, 1, Release::Confirmation);
    assert_eq!(tries(&mut world, alice, more, 66), Err(OrderRefusal::TooMany));
}

/// An order of a song and a map, held; where nothing is brought, it has no address.
fn of_goods(world: &mut World, who: Who, shop: Who, address: &str, number: u8) -> RequestId {
    let line = |sku: &str| SaleLine { sku: text(sku), name: text("Goods"), quantity: 1, price: units(5) };
    let lines = vec![line("song"), line("map")];
    let address = text(address);
    let new = NewPurchase { lines, address, auto: true, ..wants(world, shop, 5, Release::Confirmation) };
    let id = tries(world, who, new, number).unwrap();
    accepted(world, who, shop, &id);
    id
}

/// The shop hands goods over.
fn hands_over(world: &mut World, who: Who, shop: Who, id: &RequestId, skus: &[&str]) {
    let content = |sku: &&str| Goods { sku: (*sku).to_owned(), content: serde_bytes::ByteBuf::from(vec![1]) };
    let told = OrderState { word: None, held: true, goods: skus.iter().map(content).collect() };
    let node = world.person(shop).node.key();
    let decision = world.person(who).wallet().order_told(id, told, &node, world.now).unwrap();
    world.settle_decision(who, decision).unwrap();
}

/// C2: a workstation pays by itself only for what is here, all of it; what nobody ordered counts for nothing.
#[test]
fn only_goods_that_are_all_here_are_confirmed_by_themselves() {
    let (mut world, alice, hall) = town();
    let id = of_goods(&mut world, alice, hall, "Via Roma 3", 1);
    for skus in [&["stone", "dust"][..], &["song", "song", "stone"], &["song"]] {
        hands_over(&mut world, alice, hall, &id, skus);
        assert_eq!(world.person(alice).wallet().orders_to_confirm(), Vec::new(), "{skus:?}");
    }
    hands_over(&mut world, alice, hall, &id, &["song", "map"]);
    assert_eq!(world.person(alice).wallet().orders_to_confirm(), [id]);
}

/// C2: goods of an order whose money has ended are fetched all the same, also after a crash, until the shop has no more.
#[test]
fn goods_are_fetched_after_the_end() {
    let (mut world, alice, hall) = town();
    let [first, second, third, brought] = [("", 1), ("", 2), ("", 3), ("Via Roma 3", 4)]
        .map(|(address, number)| of_goods(&mut world, alice, hall, address, number));
    for (id, number) in [(first, 11), (second, 12), (third, 13), (brought, 14)] {
        says(&mut world, alice, &id, Act::Confirm, number);
    }
    world.crash(alice, Kept::Everything);
    let closed = Some(PurchaseState::Closed(units(10), units(0)));
    assert_eq!([first, second, third].map(|id| state(&world, alice, &id)), [closed; 3]);
    assert_eq!(state(&world, alice, &brought), None, "nobody knows that anything of it comes on line");
    assert!(!world.person(alice).wallet().awaits_holds() && world.person(alice).wallet().doubts().is_empty());
    hands_over(&mut world, alice, hall, &first, &["song", "map"]);
    assert_eq!(state(&world, alice, &first), None);
    // A shop that may not have heard yet is asked again.
    hands_over(&mut world, alice, hall, &second, &[]);
    assert_eq!(state(&world, alice, &second), closed);
    world.now = world.now.plus_seconds(600);
    hands_over(&mut world, alice, hall, &second, &[]);
    assert_eq!(state(&world, alice, &second), None);
    world.now = world.now.plus_seconds(30 * DAY_SECONDS);
    let over = world.person(alice).wallet().late_orders(world.now).unwrap();
    world.settle_decision(alice, over).unwrap();
    assert_eq!(state(&world, alice, &third), None);
}
