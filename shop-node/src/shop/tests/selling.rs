//! Sales: paid once, wherever the shop dies; what the wallet tells is heard once.

use super::*;
use crate::shop::sale::SalePaper;

/// N7: a sale from the cart to the receipt document.
#[test]
fn a_sale_is_paid_once() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    scene.wallet.hears_his_word(1, 1, 40, sale.request.unwrap());
    scene.settles();
    let paid = scene.sale(&sale.id);
    let proof = paid.paid.clone().unwrap();
    assert_eq!((paid.state, proof.number, proof.payer), (SaleState::Paid, 1, Key([1; 32])));
    let SalePaper::Counter(document) = proof.receipt else { panic!("{:?}", proof.receipt) };
    assert_eq!(document.check_by(&node().key()), Ok(()));
    assert_eq!((document.unverified().total, proof.confirmed), (units(40), false));
    scene.wallet.events.push(Told::Confirmed { payer: 1, payment: 1 });
    scene.settles();
    assert!(scene.sale(&sale.id).paid.unwrap().confirmed);
    assert_eq!(scene.shop.open_sales().count(), 0);
    scene.is_sound();
}

/// B7: dies at every commit, before it and after it, and is started again: whatever was on its way happens once.
#[test]
fn a_crash_anywhere_is_boring() {
    // The same calls with the same keys, as a caller repeats them who had no answer.
    fn life(scene: &mut Scene) -> Result<(), Crash> {
        scene.hears()?;
        let sale = scene.tries_to_sell("one", 40)?;
        if !scene.wallet.lines.contains(&(Line::Received, 40)) {
            scene.wallet.receives(1, 1, 40, sale.request.unwrap());
        }
        scene.hears()?;
        let id = name_of("shop-refund", None, "back");
        let new = NewRefund {
            id,
            call: Digest([3; 32]),
            units: Some(units(15)),
            reason: String::new(),
            looked: false,
        };
        let (sale, earlier) = (scene.sale(&sale.id), scene.store.refund(&id).unwrap());
        let decision = scene.shop.refund(new, sale, earlier, &boss(), scene.now).unwrap();
        scene.commit(decision)?;
        scene.carries_on()?;
        scene.hears()?;
        let payment = scene.refund(&id).payment;
        if scene.refund(&id).state == RefundState::Paying {
            scene.wallet.done(payment);
        }
        scene.hears()
    }
    let mut whole = Scene::new();
    life(&mut whole).unwrap();
    let commits = whole.commits;
    assert!(commits > 8, "{commits}");
    for at in 1..=commits {
        for on_disk in [false, true] {
            let mut scene = Scene::new();
            scene.dies_at = Some((at, on_disk));
            assert!(life(&mut scene).is_err(), "it dies at {at}");
            scene.starts_again();
            life(&mut scene).unwrap();
            let sale = scene.sale(&name_of("shop-sale", None, "one"));
            let refund = scene.refund(&name_of("shop-refund", None, "back"));
            assert_eq!(
                (sale.state, sale.refunded, sale.refunds),
                (SaleState::Paid, units(15), 1),
                "{at} {on_disk}"
            );
            assert_eq!(sale.paid.unwrap().number, 1);
            assert_eq!((refund.state, scene.wallet.payments.len()), (RefundState::Done, 1), "{at} {on_disk}");
            assert_eq!(scene.wallet.reserve, 25);
            scene.is_sound();
        }
    }
}

/// The wallet's events are shown twice, and out of their place: each counts once.
#[test]
fn what_was_heard_is_not_heard_again() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    scene.wallet.receives(1, 1, 40, sale.request.unwrap());
    scene.hears().unwrap();
    for from in [Cursor::default(), Cursor { event: 1, line: 0, generation: 0 }] {
        let decision = scene.shop.hear(scene.page(from), &node(), scene.now).unwrap();
        scene.decide(decision);
    }
    assert_eq!(scene.shop.period().received().unwrap(), units(40));
    let mut ahead = scene.page(Cursor::default());
    ahead.events[0].seq = 5;
    let decision = scene.shop.hear(ahead, &node(), scene.now).unwrap();
    scene.decide(decision);
    assert_eq!(scene.shop.cursor(), Some(Cursor { event: 1, line: 1, generation: 0 }));
    scene.is_sound();
}

/// Money for no sale at all is booked as such, and kept.
#[test]
fn a_present_is_no_sale() {
    let mut scene = Scene::new();
    scene.hears().unwrap();
    scene.wallet.receives(1, 1, 7, RequestId([77; 16]));
    scene.wallet.withdraws(100);
    scene.settles();
    let period = scene.shop.period();
    assert_eq!(
        (period.other_in, period.withdrawn, period.received().unwrap()),
        (units(7), units(100), units(0))
    );
    scene.is_sound();
}

/// A till that the settings do not name, the same key with another cart, a cart whose request is out.
#[test]
fn a_sale_that_cannot_be_opened_is_not() {
    let mut scene = Scene::new();
    let new = NewSale { till: Some("9".to_owned()), ..scene.new_sale("a", 4, None) };
    assert!(matches!(scene.shop.open_a_sale(new, None, &boss(), NOON), Err(Refusal::NoTill(_))));
    let new = scene.new_sale("a", 4, Some(10));
    assert!(matches!(scene.shop.open_a_sale(new, None, &boss(), NOON), Err(Refusal::Value(_))));
    let sale = scene.sells("a", 4);
    let other = scene.new_sale("a", 5, None);
    assert!(matches!(
        scene.shop.open_a_sale(other, Some(sale.clone()), &boss(), NOON),
        Err(Refusal::KeyReused)
    ));
    assert!(matches!(scene.shop.change_sale(&sale.id, &[], &boss(), NOON), Err(Refusal::State { .. })));
    assert!(matches!(
        scene.shop.change_sale(&RequestId([0; 16]), &[], &boss(), NOON),
        Err(Refusal::NotFound(_))
    ));
    // Asked by the wallet after it was taken back: nobody has seen the request, and it stays so.
    let cart = NewSale { ask: true, ..scene.new_sale("b", 4, None) };
    let decision = scene.shop.open_a_sale(cart, None, &boss(), NOON).unwrap();
    let asking = scene.decide(decision);
    let decision = scene.shop.cancel_sale(&asking.id, None, &boss(), NOON).unwrap();
    scene.decide(decision);
    let decision = scene.shop.asked(&asking.id, RequestId([9; 16]), NOON, NOON);
    assert!(!scene.decide(decision), "the request has to be closed");
    assert_eq!(scene.sale(&asking.id).state, SaleState::Cancelled);
}

/// N7: a sale is taken back only with the request that was closed for it: another was made meanwhile.
#[test]
fn a_sale_is_taken_back_with_its_request() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    let decision = scene.shop.cancel_sale(&sale.id, None, &boss(), NOON).unwrap();
    assert_eq!(scene.decide(decision), None);
    assert_eq!(scene.sale(&sale.id).state, SaleState::Asked);
    let decision = scene.shop.asked(&sale.id, sale.request.unwrap(), NOON, NOON);
    assert!(scene.decide(decision), "asked twice, it is the same one");
}

/// N7, SPEC §3.3: what was signed in time is taken when it comes later: a sale ends when its payer's mail has been looked
/// for. What nobody pays for ends after a day, or carts would fill the shop.
#[test]
fn a_sale_ends_when_nothing_can_be_on_its_way() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    let cart = NewSale { ask: false, ..scene.new_sale("cart", 4, None) };
    let decision = scene.shop.open_a_sale(cart, None, &boss(), NOON).unwrap();
    let cart = scene.decide(decision);
    let (ends, later) = (NOON.plus_seconds(901), NOON.plus_seconds(1801));
    assert_eq!(scene.shop.overdue(ends, Some(ends)), []);
    assert_eq!(scene.shop.overdue(later, None), []);
    assert_eq!(scene.shop.overdue(later, Some(ends)), []);
    assert_eq!(scene.shop.overdue(later, Some(later)), [(sale.id, sale.request)]);
    assert_eq!(scene.shop.overdue(NOON.plus_seconds(DAY_SECONDS + 1), None), [(cart.id, None)]);
    scene.now = NOON.plus_seconds(DAY_SECONDS + 1);
    scene.carries_on().unwrap();
    assert_eq!(scene.shop.open_sales().count(), 0);
}

/// The store holds what was decided: loaded again, the shop is the same.
#[test]
fn what_is_loaded_is_what_was_left() {
    let mut scene = Scene::new();
    let decision = scene.shop.import(three_items(), false, &boss(), NOON).unwrap();
    scene.decide(decision);
    cashier(&mut scene, Some(5), None);
    let settings =
        Settings { tills: vec!["a".into(), "b".into()], closes_minutes: 180, ..Settings::default() };
    let decision = scene.shop.set(settings, &boss(), NOON).unwrap();
    scene.decide(decision);
    let (open, paid) = (scene.sells("one", 4), scene.sells("two", 5));
    scene.wallet.receives(1, 1, 5, paid.request.unwrap());
    scene.settles();
    let before = format!("{:?}", scene.shop);
    scene.starts_again();
    assert_eq!(format!("{:?}", scene.shop), before);
    assert_eq!(scene.shop.open_sale(&open.id), Some(&open));
    assert_eq!(scene.store.sale_of_number(1).unwrap().unwrap().id, paid.id);
    let page: Vec<RequestId> =
        scene.store.sales(None, 10).unwrap().into_iter().map(|(_, sale)| sale.id).collect();
    assert_eq!(page.len(), 2);
    let change = Change::Cursor(Cursor { event: 9, line: 9, generation: 0 });
    scene.shop.apply(&change);
    assert_eq!(scene.shop.cursor(), Some(Cursor { event: 9, line: 9, generation: 0 }));
}

/// M2: what a till's code leads to is the sale there whose request went out last and runs: no cart, none that is paid, taken back
/// or over, none of another till.
#[test]
fn a_till_has_the_sale_that_was_asked_last() {
    let mut scene = Scene::new();
    let waiting = |scene: &Scene| {
        let sales = scene.shop.waiting_at("1", scene.now);
        sales.iter().map(|sale| sale.total.get()).collect::<Vec<_>>()
    };
    let cart = NewSale { ask: false, ..scene.new_sale("cart", 9, None) };
    let cart = scene.shop.open_a_sale(cart, None, &boss(), scene.now).unwrap();
    let cart = scene.decide(cart);
    assert!(waiting(&scene).is_empty());
    let first = scene.sells("first", 5);
    scene.now = scene.now.plus_seconds(10);
    let second = scene.sells("second", 7);
    assert_eq!((waiting(&scene), scene.shop.waiting_at("2", scene.now).len()), (vec![7, 5], 0));
    // The cart was opened before both, and is asked after them: its customer stands there now.
    scene.now = scene.now.plus_seconds(10);
    let asking = scene.shop.ask_for_sale(&cart.id, &boss(), scene.now).unwrap();
    scene.decide(asking);
    let (request, ends) = (RequestId([77; 16]), scene.now.plus_seconds(cart.seconds));
    let asked = scene.shop.asked(&cart.id, request, ends, scene.now);
    scene.decide(asked);
    assert_eq!(waiting(&scene), [9, 7, 5]);
    let back = scene.shop.cancel_sale(&cart.id, Some(request), &boss(), scene.now).unwrap();
    scene.decide(back);
    scene.wallet.receives(3, 3, 7, second.request.unwrap());
    scene.settles();
    assert_eq!(waiting(&scene), [5]);
    scene.now = first.expires.unwrap();
    assert!(waiting(&scene).is_empty(), "its time is over, though it is not written off yet");
    assert_eq!(scene.sale(&first.id).state, SaleState::Asked);
}
