//! Scenes of orders from afar, rule by rule (C1–C4, C12, C13).

use crate::shop::catalogue::{Item, Price};
use crate::shop::change::{Change, Decision};
use crate::shop::notice::Channel;
use crate::shop::order::{Order, OrderSettings, OrderState, Taking};
use crate::shop::refund::NewRefund;
use crate::shop::rights::{Actor, Role, Staff};
use crate::shop::sale::SalePaper;
use crate::shop::{Keeper, Refusal, Shop};
use crate::store::ShopStore;
use protocol::bank::HoldParty;
use protocol::body::Text;
use protocol::id::{BankId, Digest, Key, RequestId};
use protocol::money::{Currency, Units};
use protocol::shop::{Release, SaleLine, ShopOrder, Word, delivery_digest, total};
use protocol::sign::Signer;
use protocol::time::{DAY_SECONDS, Timestamp};
use protocol::wire::{ErrorCode, HoldState, HoldStep, HoldTerm, PlacedOrder, PriceTag, SaleKind};

const NOON: Timestamp = Timestamp(20_500 * DAY_SECONDS + 43_200);
const SALT: [u8; 16] = [3; 16];
const ADDRESS: &str = "Via Roma 3";

fn units(count: u64) -> Units {
    Units::new(count).unwrap()
}

fn text(text: &str) -> Text {
    Text::new(text, 64).unwrap()
}

fn node() -> Signer {
    Signer::from_secret(&[7; 32])
}

pub(super) fn buyer(number: u8) -> Signer {
    Signer::from_secret(&[number; 32])
}

fn boss() -> Actor {
    Actor { name: "owner".to_owned(), role: Role::Owner, staff: None, token: None }
}

/// A shop on a disk in memory, with lunch and a song.
struct Scene {
    shop: Shop,
    store: ShopStore,
    now: Timestamp,
}

impl Scene {
    fn new() -> Scene {
        let store = ShopStore::on(redb::backends::InMemoryBackend::new()).unwrap();
        let mut scene = Scene { shop: store.load(keeper()).unwrap(), store, now: NOON };
        for (sku, digital) in [("lunch", false), ("song", true)] {
            let item = Item {
                sku: sku.to_owned(),
                name: sku.to_uppercase(),
                category: String::new(),
                price: Price::Fixed(units(22)),
                unit: String::new(),
                digital,
                active: true,
                version: 0,
            };
            let decision = scene.shop.put_item(item, &boss(), NOON).unwrap();
            scene.takes(decision);
        }
        scene
    }

    fn takes<R>(&mut self, decision: Decision<R>) -> R {
        decision.commit(&mut self.shop, |changes| self.store.commit(changes)).unwrap()
    }

    fn sets(&mut self, change: impl FnOnce(&mut OrderSettings)) {
        let mut settings = self.shop.order_settings().clone();
        change(&mut settings);
        let decision = self.shop.set_orders(settings, &boss(), self.now).unwrap();
        self.takes(decision);
    }

    fn places(&mut self, who: &Signer, placed: PlacedOrder) -> Result<Order, ErrorCode> {
        let earlier = self.store.order(&placed.order.unverified().id).unwrap();
        let decision = self.shop.place(placed, (&who.key(), "Alice"), earlier, &node(), self.now);
        self.takes(decision)
    }

    fn placed(&mut self, who: &Signer, number: u8, release: Release) -> Order {
        let placed = order(who, number, release, "lunch");
        self.places(who, placed).unwrap()
    }

    fn hears(&mut self, hold: HoldState) {
        let known = self.store.orders_held(std::slice::from_ref(&hold)).unwrap();
        let decision = self.shop.holds_told(vec![hold], known, (&node(), &super::papers()), self.now);
        self.takes(decision);
    }

    fn says(&mut self, id: &RequestId, word: Word) -> Result<Order, Refusal> {
        let order = self.store.order(id).unwrap().unwrap();
        let decision = self.shop.say_of_order(order, word, (&node(), &boss()), self.now)?;
        Ok(self.takes(decision))
    }

    fn order(&self, id: &RequestId) -> Order {
        self.store.order(id).unwrap().unwrap()
    }

    fn tidies(&mut self) {
        if let Some(decision) = self.shop.tidy_orders(self.now) {
            self.takes(decision);
        }
    }

    /// The same shop after a crash.
    fn starts_again(&mut self) {
        self.shop = self.store.load(keeper()).unwrap();
    }
}

fn keeper() -> Keeper {
    let currency = Currency::default();
    Keeper { bank: BankId([1; 8]), key: node().key(), name: "Hall".to_owned(), currency }
}

pub(super) fn order(who: &Signer, number: u8, release: Release, sku: &str) -> PlacedOrder {
    let lines =
        vec![SaleLine { sku: text(sku), name: text(&sku.to_uppercase()), quantity: 1, price: units(22) }];
    let order = ShopOrder {
        bank: BankId([1; 8]),
        id: RequestId([number; 16]),
        buyer: who.key(),
        shop: node().key(),
        version: 1,
        release,
        order_ends: NOON.plus_seconds(7 * DAY_SECONDS),
        ends: NOON.plus_seconds(14 * DAY_SECONDS),
        delivery: delivery_digest(&SALT, ADDRESS),
        note: Text::default(),
        created: NOON,
        total: total(&lines).unwrap(),
        lines,
    };
    PlacedOrder { order: who.sign(order), salt: SALT, address: ADDRESS.to_owned() }
}

/// Digital goods: nothing is brought anywhere.
fn song(who: &Signer, number: u8) -> PlacedOrder {
    let lunch = order(who, number, Release::Date(NOON.plus_seconds(8 * DAY_SECONDS)), "song");
    let body = ShopOrder { delivery: Digest::default(), ..lunch.order.unverified().clone() };
    PlacedOrder { order: who.sign(body), salt: SALT, address: String::new() }
}

pub(super) fn hold(order: &Order, changed: u64, step: HoldStep) -> HoldState {
    let body = order.body();
    let left = if matches!(step, HoldStep::Closed(..)) { Units::ZERO } else { body.total };
    HoldState {
        number: 1,
        id: RequestId([99; 16]),
        buyer: body.buyer,
        shop: body.shop,
        order: order.order.digest(),
        units: body.total,
        left,
        rule: match body.release {
            Release::Confirmation => HoldTerm::Confirmation,
            Release::Date(date) => HoldTerm::Date(date),
            Release::Code => HoldTerm::Code,
        },
        wrong: 0,
        order_ends: body.order_ends,
        ends: body.ends,
        step,
        changed,
    }
}

/// C1, B7: on disk before the yes goes out; asked again, also after a crash, it is the same word.
#[test]
fn the_same_order_gets_the_same_word() {
    let (mut scene, alice) = (Scene::new(), buyer(1));
    let first = scene.placed(&alice, 5, Release::Code);
    assert_eq!((first.state, first.address.as_deref()), (OrderState::Accepted, Some(ADDRESS)));
    scene.starts_again();
    scene.now = NOON.plus_seconds(60);
    assert_eq!(scene.placed(&alice, 5, Release::Code).word, first.word);
    let other = order(&alice, 5, Release::Confirmation, "lunch");
    assert_eq!(scene.places(&alice, other), Err(ErrorCode::IdReused));
    let replayed = order(&alice, 5, Release::Code, "lunch");
    assert_eq!(scene.places(&buyer(2), replayed), Err(ErrorCode::NotMine));
}

/// C3: what a shop does not take, and says so before anything is signed at the bank.
#[test]
fn what_a_shop_does_not_take() {
    let (mut scene, alice) = (Scene::new(), buyer(1));
    let unknown = order(&alice, 1, Release::Code, "caviar");
    assert_eq!(scene.places(&alice, unknown), Err(ErrorCode::OtherCatalogue));
    let mut changed = scene.shop.items()["lunch"].clone();
    changed.price = Price::Fixed(units(23));
    let decision = scene.shop.put_item(changed.clone(), &boss(), NOON).unwrap();
    scene.takes(decision);
    let old = order(&alice, 2, Release::Code, "lunch");
    assert_eq!(
        scene.places(&alice, old.clone()),
        Err(ErrorCode::OtherCatalogue),
        "the price has changed since"
    );
    let news = scene.shop.news_for(old.order.unverified()).unwrap();
    let [lunch] = &news.changed[..] else { panic!("{news:?}") };
    let now = lunch.now.as_ref().map(|item| item.price);
    assert_eq!(
        (news.version, &*lunch.sku, now),
        (scene.shop.version(), "lunch", Some(PriceTag::Fixed(units(23))))
    );
    changed.price = Price::Fixed(units(22));
    let decision = scene.shop.put_item(changed, &boss(), NOON).unwrap();
    scene.takes(decision);

    let bare = |sku| PlacedOrder {
        order: alice.sign(ShopOrder {
            delivery: Digest::default(),
            ..order(&alice, 3, Release::Code, sku).order.unverified().clone()
        }),
        salt: SALT,
        address: String::new(),
    };
    assert_eq!(scene.places(&alice, bare("lunch")), Err(ErrorCode::NoAddress));
    assert_eq!(scene.places(&alice, bare("song")).map(|order| order.state), Ok(OrderState::Accepted));
    scene.now = NOON.plus_seconds(7 * DAY_SECONDS);
    let late = order(&alice, 4, Release::Code, "lunch");
    assert_eq!(scene.places(&alice, late.clone()), Err(ErrorCode::Expired));
    scene.now = NOON;
    scene.sets(|settings| settings.taking = Taking::Closed);
    assert_eq!(scene.places(&alice, late.clone()), Err(ErrorCode::ShopClosed));
    scene.sets(|settings| settings.taking = Taking::Ask);
    assert_eq!(
        scene.places(&alice, late).map(|order| (order.state, order.word)),
        Ok((OrderState::New, None))
    );
}

/// C3: one buyer can't fill a shop with orders whose money never comes.
#[test]
fn one_buyer_s_orders_without_money_have_an_end() {
    let (mut scene, alice) = (Scene::new(), buyer(1));
    for number in 1..=16 {
        scene.placed(&alice, number, Release::Code);
    }
    let more = order(&alice, 17, Release::Code, "lunch");
    assert_eq!(scene.places(&alice, more.clone()), Err(ErrorCode::Busy));
    scene.placed(&buyer(2), 18, Release::Code);
    let first = scene.order(&RequestId([1; 16]));
    scene.hears(hold(&first, 4, HoldStep::Open));
    assert!(scene.places(&alice, more).is_ok(), "what has its money counts no more");
}

/// C3: orders without money shut a shop for an hour and no longer, however far off their ends are.
#[test]
fn orders_without_money_do_not_shut_out_everybody() {
    let (mut scene, alice) = (Scene::new(), buyer(1));
    let waits = scene.placed(&alice, 5, Release::Code);
    for number in 2_000..3_999_u16 {
        let body = ShopOrder {
            id: RequestId([number.to_be_bytes(); 8].concat().try_into().unwrap()),
            buyer: Key([9; 32]),
            ..waits.body().clone()
        };
        let order = Order { order: alice.sign(body), ..waits.clone() };
        scene.shop.apply(&Change::Order(order));
    }
    assert_eq!(scene.shop.live_orders().count(), 2_000);
    let more = |number| order(&buyer(2), number, Release::Code, "lunch");
    scene.now = NOON.plus_seconds(3_599);
    assert_eq!(scene.places(&buyer(2), more(21)), Err(ErrorCode::Busy));
    scene.now = NOON.plus_seconds(3_600);
    assert!(scene.places(&buyer(2), more(22)).is_ok());
}

/// C2: only the bank's word about exactly this money makes an order held; ready is said then, and not before.
#[test]
fn only_the_right_hold_counts() {
    let (mut scene, alice) = (Scene::new(), buyer(1));
    let placed = scene.placed(&alice, 5, Release::Code);
    let id = placed.id();
    assert!(matches!(scene.says(&id, Word::Ready(text("at six"))), Err(Refusal::State { .. })));
    let good = hold(&placed, 4, HoldStep::Open);
    let key = Key([9; 32]);
    for bad in [
        HoldState { units: units(21), left: units(21), ..good.clone() },
        HoldState { rule: HoldTerm::Confirmation, ..good.clone() },
        HoldState { buyer: key, ..good.clone() },
        HoldState { shop: key, ..good.clone() },
        HoldState { ends: Timestamp(good.ends.0 - 1), ..good.clone() },
        HoldState { order: Digest([1; 32]), ..good.clone() },
    ] {
        scene.hears(bad);
        assert_eq!(scene.order(&id).state, OrderState::Accepted);
    }
    assert_eq!(scene.shop.holds_read(), 4);
    scene.hears(good.clone());
    assert_eq!(scene.order(&id).state, OrderState::Held);
    let ready = scene.says(&id, Word::Ready(text("at six"))).unwrap();
    assert_eq!(ready.word.unwrap().unverified().word, Word::Ready(text("at six")));
    // An older word of the bank changes nothing, and neither does another hold for the same order.
    let disputed = HoldStep::Disputed(HoldParty::Buyer, "cold".to_owned(), NOON);
    scene.hears(HoldState { changed: 9, step: disputed, ..good.clone() });
    scene.hears(good.clone());
    scene.hears(HoldState { id: RequestId([98; 16]), changed: 12, ..good });
    assert_eq!(scene.order(&id).state, OrderState::Disputed);
    scene.starts_again();
    assert_eq!((scene.order(&id).state, scene.shop.holds_read()), (OrderState::Disputed, 12));
}

/// C1, C4: what is refused goes back, also when its money shows up later; what has ended takes no word.
#[test]
fn what_is_refused_owes_what_the_bank_holds() {
    let (mut scene, alice) = (Scene::new(), buyer(1));
    let placed = scene.placed(&alice, 5, Release::Code);
    let id = placed.id();
    let refused = scene.says(&id, Word::Refused(text("sold out"))).unwrap();
    assert_eq!((refused.state, refused.owes()), (OrderState::Refused, None));
    scene.hears(hold(&placed, 4, HoldStep::Open));
    let owing = scene.order(&id);
    assert_eq!((owing.state, owing.owes()), (OrderState::Refused, Some((RequestId([99; 16]), units(22)))));
    scene.hears(hold(&placed, 6, HoldStep::Closed(Units::ZERO, units(22), NOON)));
    let closed = scene.order(&id);
    assert_eq!((closed.state, closed.owes()), (OrderState::Closed(Units::ZERO, units(22)), None));
    assert!(matches!(scene.says(&id, Word::Accepted), Err(Refusal::State { .. })));
    assert!(matches!(scene.says(&id, Word::Refused(text(""))), Err(Refusal::State { .. })));
}

/// C1, C4: an order of digital goods has no address to be forgotten: refused or late it is not at hand any more, and hears of
/// its money all the same.
#[test]
fn what_is_not_at_hand_hears_of_its_money() {
    let (mut scene, alice) = (Scene::new(), buyer(1));
    let refused = scene.places(&alice, song(&alice, 5)).unwrap();
    scene.says(&refused.id(), Word::Refused(text("sold out"))).unwrap();
    assert_eq!(scene.shop.live_orders().count(), 0);
    scene.starts_again();
    scene.hears(hold(&refused, 4, HoldStep::Open));
    let owes: Vec<_> = scene.shop.live_orders().filter_map(Order::owes).collect();
    assert_eq!(owes, [(RequestId([99; 16]), units(22))]);

    let late = scene.places(&alice, song(&alice, 6)).unwrap();
    scene.now = NOON.plus_seconds(8 * DAY_SECONDS);
    scene.tidies();
    scene.starts_again();
    assert_eq!(scene.order(&late.id()).state, OrderState::Expired);
    scene.hears(HoldState { id: RequestId([98; 16]), ..hold(&late, 6, HoldStep::Open) });
    assert_eq!(scene.order(&late.id()).state, OrderState::Held);
    assert!(scene.shop.live_orders().any(|order| order.id() == late.id()));
}

/// C1, C3: money is no yes. Where somebody looks at each order, what is paid unasked is not carried out before he has; what
/// he never looks at goes back.
#[test]
fn money_is_no_yes() {
    let (mut scene, alice) = (Scene::new(), buyer(1));
    scene.sets(|settings| (settings.taking, settings.folder) = (Taking::Ask, Some("/slips".to_owned())));
    let orders = [5, 6, 7].map(|number| scene.placed(&alice, number, Release::Code));
    for order in &orders {
        let told = HoldState { id: RequestId([order.id().0[0]; 16]), ..hold(order, 4, HoldStep::Open) };
        scene.hears(told);
        assert_eq!(scene.order(&order.id()).state, OrderState::New);
    }
    let [yes, no, nobody] = orders.map(|order| order.id());
    let told = |scene: &Scene| scene.shop.notices_due(Channel::Folder).unwrap().1.len();
    assert_eq!(told(&scene), 0);
    assert!(matches!(scene.says(&yes, Word::Ready(text("at six"))), Err(Refusal::State { .. })));
    assert_eq!(scene.says(&yes, Word::Accepted).unwrap().state, OrderState::Held);
    assert_eq!(told(&scene), 1);
    assert_eq!(scene.says(&no, Word::Refused(text("no"))).unwrap().owes().unwrap().1, units(22));
    scene.now = NOON.plus_seconds(8 * DAY_SECONDS);
    scene.tidies();
    let late = scene.order(&nobody);
    assert_eq!((late.state, late.owes().unwrap().1), (OrderState::Refused, units(22)));
    assert_eq!(scene.order(&yes).state, OrderState::Held);
}

/// C1, C4: a date that gives the shop what it has refused is stopped; too late for that, it is a sale of which all is owed
/// to the buyer, once.
#[test]
fn no_date_pays_for_what_is_refused() {
    let (mut scene, alice) = (Scene::new(), buyer(1));
    let placed = scene.places(&alice, song(&alice, 5)).unwrap();
    let id = placed.id();
    scene.hears(hold(&placed, 4, HoldStep::Open));
    assert!(!scene.order(&id).is_running_out());
    assert!(scene.says(&id, Word::Refused(text("sold out"))).unwrap().is_running_out());
    let stopped = HoldStep::Disputed(HoldParty::Shop, "refused".to_owned(), NOON);
    scene.hears(hold(&placed, 5, stopped));
    let order = scene.order(&id);
    assert_eq!((order.is_running_out(), order.owes().unwrap().1), (false, units(22)));
    let closed = hold(&placed, 9, HoldStep::Closed(units(20), units(2), NOON));
    scene.hears(closed.clone());
    scene.starts_again();
    scene.hears(HoldState { changed: 10, ..closed });
    let owed = scene.shop.owed(NOON);
    let [refund] = &owed[..] else { panic!("{owed:?}") };
    assert_eq!((refund.to, refund.units, refund.safe), (alice.key(), units(20), true));
    let sale = scene.store.sale(&scene.order(&id).sale.unwrap()).unwrap().unwrap();
    assert_eq!((sale.id, sale.refunded), (refund.sale, units(20)));
}

/// C4, N7: what somebody may give back has the same caps when the bank holds it: refusing gives back, too.
#[test]
fn caps_count_what_the_bank_holds() {
    let (mut scene, alice) = (Scene::new(), buyer(1));
    let staff = Staff {
        id: "s1".to_owned(),
        name: "Mia".to_owned(),
        role: Role::Manager,
        secret: Digest::default(),
        refund_max: None,
        refund_day: Some(units(30)),
        refunded: (NOON.day(), units(0)),
        ended: None,
    };
    scene.shop.apply(&Change::Staff(staff));
    let mia =
        Actor { name: "Mia".to_owned(), role: Role::Manager, staff: Some("s1".to_owned()), token: None };
    let [held, bare, other] = [5, 6, 7].map(|number| scene.placed(&alice, number, Release::Code));
    for order in [&held, &other] {
        scene.hears(HoldState { id: RequestId([order.id().0[0]; 16]), ..hold(order, 4, HoldStep::Open) });
    }
    let refuses = |order: &Order, scene: &mut Scene| {
        let order = scene.order(&order.id());
        let said = scene.shop.say_of_order(order, Word::Refused(text("no")), (&node(), &mia), NOON)?;
        Ok(scene.takes(said).state)
    };
    assert_eq!(refuses(&held, &mut scene), Ok(OrderState::Refused));
    assert_eq!(refuses(&held, &mut scene), Ok(OrderState::Refused), "said again, it is not counted again");
    assert_eq!(refuses(&bare, &mut scene), Ok(OrderState::Refused), "nothing is held for it");
    let over = Refusal::OverCap { left: units(8), asked: units(22) };
    assert_eq!(refuses(&other, &mut scene), Err(over.clone()));
    assert_eq!(scene.shop.count_held(&mia, units(22), NOON).map(drop), Err(over));
    let decision = scene.shop.count_held(&mia, units(8), NOON).unwrap();
    scene.takes(decision);
    let decision = scene.shop.uncount_held(&mia, units(22), NOON);
    scene.takes(decision);
    assert_eq!(refuses(&other, &mut scene), Ok(OrderState::Refused));
}

/// C12: the address is forgotten some days after the end, and not before; the order stays, and its digest with it.
#[test]
fn the_address_is_forgotten_and_the_order_is_not() {
    let (mut scene, alice) = (Scene::new(), buyer(1));
    scene.sets(|settings| settings.address_days = 30);
    let placed = scene.placed(&alice, 5, Release::Confirmation);
    let id = placed.id();
    scene.hears(hold(&placed, 4, HoldStep::Open));
    scene.now = NOON.plus_seconds(60 * DAY_SECONDS);
    scene.tidies();
    assert!(scene.order(&id).address.is_some(), "it is open");
    scene.hears(hold(&placed, 6, HoldStep::Closed(units(22), Units::ZERO, scene.now)));
    scene.now = scene.now.plus_seconds(30 * DAY_SECONDS - 1);
    scene.tidies();
    assert!(scene.order(&id).address.is_some());
    scene.now = scene.now.plus_seconds(1);
    scene.tidies();
    let after = scene.order(&id);
    assert_eq!((&after.address, after.order.digest()), (&None, placed.order.digest()));
    assert_eq!(scene.shop.live_orders().count(), 0, "nothing of it is kept at hand");
    assert!(!after.order.to_bytes().windows(ADDRESS.len()).any(|part| part == ADDRESS.as_bytes()));
}

/// C1: an order whose money never came ends; money that shows up all the same makes it held.
#[test]
fn an_order_without_money_ends_and_money_wakes_it() {
    let (mut scene, alice) = (Scene::new(), buyer(1));
    let placed = scene.placed(&alice, 5, Release::Code);
    let id = placed.id();
    scene.now = NOON.plus_seconds(8 * DAY_SECONDS - 1);
    scene.tidies();
    assert_eq!(scene.order(&id).state, OrderState::Accepted, "the bank may have been away");
    scene.now = NOON.plus_seconds(8 * DAY_SECONDS);
    scene.tidies();
    assert_eq!(scene.order(&id).state, OrderState::Expired);
    scene.hears(hold(&placed, 4, HoldStep::Open));
    let woken = scene.order(&id);
    assert_eq!((woken.state, woken.ended, woken.noticed), (OrderState::Held, None, false));
}

/// Review of issue 4: a notice goes to a whole path, wherever the shop stands, or to a printer in the network.
#[test]
fn notices_go_to_whole_paths() {
    let scene = Scene::new();
    let tries = |command: &str, folder: &str, printer: &str| {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (command, folder, printer) = (given(command), given(folder), given(printer));
        let settings = OrderSettings { command, folder, printer, ..scene.shop.order_settings().clone() };
        scene.shop.set_orders(settings, &boss(), scene.now).map(drop)
    };
    for (command, folder, printer) in
        [("ring", "", ""), ("", "slips", ""), ("", "", "lp0"), ("", "", ":9100"), ("", "../slips", "")]
    {
        let came = tries(command, folder, printer);
        assert!(matches!(came, Err(Refusal::Value(_))), "{command}{folder}{printer}");
    }
    assert_eq!(tries("/bin/ring", "/srv/slips", "/dev/usb/lp0"), Ok(()));
    assert_eq!(tries("", "", "printer.hall:9100"), Ok(()));
}

/// Issue 4: each channel is told until it has taken it, and once; what fails is said since when, over a restart; an order that
/// ends meanwhile is told nobody any more.
#[test]
fn each_channel_is_told_until_it_took_it() {
    let (mut scene, alice) = (Scene::new(), buyer(1));
    scene.sets(|settings| {
        (settings.printer, settings.command) = (Some("/dev/null".to_owned()), Some("/bin/true".to_owned()));
    });
    let placed = scene.placed(&alice, 5, Release::Code);
    let id = placed.id();
    let due = |scene: &Scene, channel| scene.shop.notices_due(channel).map(|(_, orders)| orders.len());
    assert_eq!(due(&scene, Channel::Printer), Some(0), "the money is not there yet");
    scene.hears(hold(&placed, 4, HoldStep::Open));
    assert_eq!((due(&scene, Channel::Printer), due(&scene, Channel::Folder)), (Some(1), None));
    let went = |scene: &mut Scene, channel, came: Result<(), &str>| {
        let decision = scene.shop.notice_went(channel, &id, came.map_err(str::to_owned), scene.now);
        scene.takes(decision);
    };
    went(&mut scene, Channel::Printer, Err("no paper"));
    went(&mut scene, Channel::Printer, Err("no paper"));
    went(&mut scene, Channel::Command, Ok(()));
    scene.starts_again();
    let failing: Vec<(String, u32)> =
        scene.shop.failing().map(|(what, failing)| (what, failing.tries)).collect();
    assert_eq!(failing, [("notice of orders, printer".to_owned(), 2)]);
    assert_eq!((due(&scene, Channel::Printer), due(&scene, Channel::Command)), (Some(1), Some(0)));
    assert!(!scene.order(&id).noticed);
    went(&mut scene, Channel::Printer, Ok(()));
    scene.starts_again();
    assert!(scene.order(&id).noticed && scene.shop.failing().next().is_none());
    let other = scene.placed(&alice, 6, Release::Code);
    scene.hears(hold(&other, 9, HoldStep::Open));
    went(&mut scene, Channel::Printer, Err("no paper"));
    scene.hears(hold(&other, 10, HoldStep::Closed(units(22), Units::ZERO, scene.now)));
    assert_eq!(due(&scene, Channel::Printer), Some(0));
    let rest = scene.shop.notices_rest(Channel::Printer, scene.now).unwrap();
    scene.takes(rest);
    assert!(scene.shop.failing().next().is_none());
}

/// C3: a catalogue is read in pages, and has an end.
#[test]
fn a_catalogue_in_pages() {
    let mut scene = Scene::new();
    let items = (0..450).map(|number| Item {
        sku: format!("a{number:03}"),
        active: number != 7,
        ..scene.shop.items()["song"].clone()
    });
    let decision = scene.shop.import(items.collect(), false, &boss(), NOON).unwrap();
    scene.takes(decision);
    let (mut after, mut seen) = (String::new(), 0);
    loop {
        let page = scene.shop.catalogue_page(&after);
        seen += page.items.len();
        let Some(last) = page.items.last() else { break };
        after = last.sku.clone();
        if !page.more {
            break;
        }
    }
    assert_eq!((seen, after.as_str()), (451, "song"));
    assert!(scene.shop.catalogue_page("zzz").items.is_empty());
}

/// N10, M5: what the bank releases for an order is a sale with a receipt document and a line for the company, once; it is
/// no money of the till.
#[test]
fn a_released_order_is_a_sale() {
    let (mut scene, alice) = (Scene::new(), buyer(1));
    let placed = scene.placed(&alice, 5, Release::Code);
    scene.hears(hold(&placed, 4, HoldStep::Open));
    assert_eq!(scene.store.takings().unwrap(), Vec::new());
    let closed = hold(&placed, 9, HoldStep::Closed(units(20), units(2), NOON));
    scene.hears(closed.clone());
    scene.starts_again();
    scene.hears(HoldState { changed: 10, ..closed });
    let sale = scene.order(&placed.id()).sale.unwrap();
    let sale = scene.store.sale(&sale).unwrap().unwrap();
    let paid = sale.paid.unwrap();
    let SalePaper::Order(of, paper) = &paid.receipt else { panic!("{:?}", paid.receipt) };
    assert_eq!(paper.check_by(&node().key()), Ok(()));
    let body = paper.unverified();
    assert_eq!((*of, body.order, body.hold), (placed.id(), placed.order.digest(), RequestId([99; 16])));
    assert_eq!((body.total, body.released, body.returned), (units(22), units(20), units(2)));
    let takings = scene.store.takings().unwrap();
    let [(_, line)] = &takings[..] else { panic!("{takings:?}") };
    assert_eq!((line.kind, line.units, line.receipt), (SaleKind::Order, units(20), paper.digest()));
    let period = scene.shop.period();
    assert_eq!(
        (period.ordered(), period.received(), period.expected()),
        (Ok(units(20)), Ok(Units::ZERO), Ok(Units::ZERO))
    );
}

/// C4: what goes back after the release, and what the bank gave back before it, are together never more than was paid.
#[test]
fn refunds_of_an_order_end_with_what_was_released() {
    let (mut scene, alice) = (Scene::new(), buyer(1));
    let placed = scene.placed(&alice, 5, Release::Code);
    scene.hears(hold(&placed, 9, HoldStep::Closed(units(20), units(2), NOON)));
    let sale = scene.order(&placed.id()).sale.unwrap();
    let mut gives = |key: u8, amount: u64| {
        let new = NewRefund {
            id: RequestId([key; 16]),
            call: Digest([key; 32]),
            units: Some(units(amount)),
            reason: "cold".to_owned(),
            looked: false,
        };
        let (sale, earlier) =
            (scene.store.sale(&sale).unwrap().unwrap(), scene.store.refund(&new.id).unwrap());
        let decision = scene.shop.refund(new, sale, earlier, &boss(), NOON)?;
        Ok(scene.takes(decision))
    };
    let first = gives(1, 15).unwrap();
    assert_eq!((first.to, first.units, first.safe), (alice.key(), units(15), true));
    assert_eq!(gives(2, 6), Err(Refusal::OverPaid { left: units(5), asked: units(6) }));
    assert_eq!(gives(1, 15).unwrap().id, first.id, "the same name gives back once");
    gives(2, 5).unwrap();
    assert!(matches!(gives(3, 1), Err(Refusal::OverPaid { .. })));
}
