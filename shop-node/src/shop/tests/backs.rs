//! What is given back, and what goes back by itself.

use super::*;

/// N7: paid after it was taken back, after it had ended, and a second time: all of it is sent back, once, with a note.
#[test]
fn what_comes_for_nothing_goes_back() {
    for (why, state) in [
        (Why::Cancelled, SaleState::Cancelled),
        (Why::Expired, SaleState::Expired),
        (Why::Twice, SaleState::Paid),
    ] {
        let mut scene = Scene::new();
        let sale = scene.sells("one", 40);
        let request = sale.request.unwrap();
        match why {
            Why::Cancelled => {
                let decision = scene.shop.cancel_sale(&sale.id, Some(request), &boss(), scene.now).unwrap();
                scene.decide(decision);
            }
            Why::Expired => {
                scene.now = scene.now.plus_seconds(1801);
                scene.carries_on().unwrap();
            }
            _ => scene.wallet.receives(2, 2, 40, request),
        }
        scene.settles();
        assert_eq!(scene.sale(&sale.id).state, state);
        scene.wallet.locked = true;
        scene.wallet.receives(1, 1, 40, request);
        scene.settles();
        let owed = scene.shop.owed(scene.now);
        assert_eq!((owed.len(), owed[0].why, owed[0].to, owed[0].units), (1, why, Key([1; 32]), units(40)));
        assert_eq!((owed[0].held.as_str(), owed[0].reason.starts_with("sent back")), ("locked", true));
        scene.wallet.locked = false;
        scene.settles();
        assert_eq!(scene.wallet.payments.len(), 1);
        // It comes to nothing once, and is tried again under another name; not at once.
        scene.wallet.comes_to_nothing(owed[0].payment, 40);
        scene.settles();
        assert_eq!(scene.wallet.payments.len(), 1);
        scene.now = scene.now.plus_seconds(61);
        scene.settles();
        assert_eq!(scene.wallet.payments.len(), 2);
        let second = scene.wallet.payments[1];
        scene.wallet.done(second);
        scene.settles();
        assert_eq!(scene.refund(&owed[0].id).state, RefundState::Done);
        assert_eq!(scene.shop.open_refunds().count(), 0);
        let period = scene.shop.period();
        assert_eq!((period.sent_back, period.other_in), (units(40), units(40)), "{why:?}");
        scene.is_sound();
    }
}

/// Never above what was paid, by one refund or by many; the same key gives back once; another call under it is refused.
#[test]
fn refunds_stay_within_what_was_paid() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    let unpaid = scene.tries_to_refund(&sale, "too early", Some(1), &boss());
    assert!(matches!(unpaid, Err(Refusal::State { state: "asked", .. })));
    scene.wallet.receives(1, 1, 40, sale.request.unwrap());
    scene.settles();
    assert_eq!(
        scene.tries_to_refund(&sale, "a", Some(41), &boss()),
        Err(Refusal::OverPaid { left: units(40), asked: units(41) })
    );
    assert_eq!(
        scene.tries_to_refund(&sale, "a", Some(0), &boss()),
        Err(Refusal::OverPaid { left: units(40), asked: units(0) })
    );
    let first = scene.tries_to_refund(&sale, "a", Some(30), &boss()).unwrap();
    assert_eq!(
        scene.tries_to_refund(&sale, "b", Some(11), &boss()),
        Err(Refusal::OverPaid { left: units(10), asked: units(11) })
    );
    assert_eq!(scene.tries_to_refund(&sale, "a", Some(30), &boss()).unwrap().id, first.id);
    assert_eq!(scene.tries_to_refund(&sale, "a", Some(31), &boss()), Err(Refusal::KeyReused));
    scene.settles();
    assert_eq!(scene.wallet.payments.len(), 1);
    // It comes to nothing: tried again, each time as a payment of its own; after a day what was promised is free again.
    let mut tries = 0;
    while scene.refund(&first.id).state != RefundState::Failed {
        scene.now = scene.now.plus_seconds(3600);
        scene.settles();
        let payment = *scene.wallet.payments.last().unwrap();
        tries += 1;
        assert_eq!(scene.wallet.payments.len(), tries);
        assert_eq!(scene.sale(&sale.id).refunded, units(30));
        scene.wallet.comes_to_nothing(payment, 30);
        scene.hears().unwrap();
    }
    assert_eq!(tries, 36);
    assert_eq!(scene.refund(&first.id).state, RefundState::Failed);
    assert_eq!(scene.sale(&sale.id).refunded, Units::ZERO);
    let all = scene.tries_to_refund(&sale, "c", None, &boss()).unwrap();
    assert_eq!(all.units, units(40));
    scene.settles();
    scene.wallet.done(all.payment);
    scene.settles();
    let note = scene.refund(&all.id).note.unwrap();
    let receipt = scene.sale(&sale.id).paid.unwrap().receipt;
    assert_eq!((note.unverified().sale, note.unverified().units), (receipt.digest(), units(40)));
    assert!(matches!(scene.tries_to_refund(&sale, "d", None, &boss()), Err(Refusal::OverPaid { .. })));
    assert_eq!(scene.shop.period().refunded().unwrap(), units(40));
    scene.is_sound();
}

/// A locked till owes, a wallet that says no for good ends it; both are said.
#[test]
fn a_refund_that_cannot_go_out_waits_or_ends() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    scene.wallet.receives(1, 1, 40, sale.request.unwrap());
    scene.settles();
    scene.wallet.locked = true;
    let refund = scene.tries_to_refund(&sale, "a", Some(5), &boss()).unwrap();
    scene.settles();
    let commits = scene.commits;
    scene.carries_on().unwrap();
    assert_eq!(scene.refund(&refund.id).held, "locked");
    assert_eq!(scene.store.events(0, 1000).unwrap().len(), {
        scene.carries_on().unwrap();
        scene.store.events(0, 1000).unwrap().len()
    });
    assert!(scene.commits > commits);
    scene.starts_again();
    let stored = scene.store.sale(&sale.id).unwrap();
    let held = Held::ForGood("over the cap".to_owned());
    let decision = scene.shop.refund_is_held(&refund.id, &refund.payment, held, stored, scene.now);
    scene.decide(decision);
    assert_eq!(scene.refund(&refund.id).state, RefundState::Failed);
    assert_eq!((scene.sale(&sale.id).refunded, scene.sale(&sale.id).refunds), (Units::ZERO, 0));
    scene.is_sound();
}

/// N7: what is only the payer's word is not given back in good money: not by somebody's call, and not by itself.
#[test]
fn a_word_is_not_given_back_as_money() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    scene.wallet.withdraws(100);
    scene.wallet.hears_his_word(1, 1, 40, sale.request.unwrap());
    scene.wallet.hears_his_word(2, 2, 40, sale.request.unwrap());
    scene.settles();
    let refund = scene.tries_to_refund(&sale, "a", Some(30), &boss()).unwrap();
    scene.settles();
    assert_eq!((refund.state, refund.held.contains("until the bank has seen")), (RefundState::Owed, true));
    assert_eq!((scene.wallet.payments.len(), scene.shop.open_refunds().count()), (0, 2));
    scene.wallet.events.push(Told::Confirmed { payer: 1, payment: 1 });
    scene.settles();
    assert_eq!(scene.wallet.payments, [refund.payment]);
    scene.wallet.events.push(Told::Confirmed { payer: 2, payment: 2 });
    // All of it on one page: received, sent back, safe.
    scene.wallet.hears_his_word(3, 3, 40, sale.request.unwrap());
    scene.wallet.events.push(Told::Confirmed { payer: 3, payment: 3 });
    scene.settles();
    assert_eq!(scene.wallet.payments.len(), 3);
    scene.is_sound();
}

/// N7: money that the bank had seen spent before is lost; what was promised of it does not go out, and no more can be.
#[test]
fn nothing_is_given_back_of_what_is_lost() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    scene.wallet.withdraws(100);
    scene.wallet.hears_his_word(1, 1, 40, sale.request.unwrap());
    scene.wallet.hears_his_word(2, 2, 40, sale.request.unwrap());
    scene.settles();
    let first = scene.tries_to_refund(&sale, "a", Some(10), &boss()).unwrap();
    let second = scene.tries_to_refund(&sale, "b", Some(20), &boss()).unwrap();
    scene.wallet.loses(1, 1, 40);
    scene.wallet.loses(2, 2, 40);
    scene.settles();
    for id in [first.id, second.id, back_of(&Key([2; 32]), &PaymentId([2; 16]))] {
        assert_eq!(scene.refund(&id).state, RefundState::Failed);
    }
    let lost = scene.sale(&sale.id);
    assert_eq!((lost.paid.unwrap().lost, lost.refunded, lost.refunds), (units(40), Units::ZERO, 0));
    let refused = scene.tries_to_refund(&sale, "c", Some(1), &boss());
    assert!(matches!(refused, Err(Refusal::State { .. })), "{refused:?}");
    scene.settles();
    assert_eq!((scene.wallet.payments.len(), scene.shop.open_refunds().count()), (0, 0));
    scene.is_sound();
}

/// N7: payment ids are the payers' choice; one who takes another's, or that of a refund, changes nothing about it.
#[test]
fn a_payment_id_is_its_payer_s_own() {
    let mut scene = Scene::new();
    let (dear, cheap) = (scene.sells("dear", 50), scene.sells("cheap", 1));
    scene.wallet.hears_his_word(2, 7, 50, dear.request.unwrap());
    scene.wallet.hears_his_word(1, 7, 1, cheap.request.unwrap());
    scene.settles();
    scene.wallet.events.push(Told::Confirmed { payer: 1, payment: 7 });
    scene.settles();
    let safe = |sale: &Sale| scene.sale(&sale.id).paid.unwrap().confirmed;
    assert_eq!((safe(&dear), safe(&cheap)), (false, true));
    let refund = scene.tries_to_refund(&cheap, "a", Some(1), &boss()).unwrap();
    scene.settles();
    // Somebody pays the next sale under the id of the refund's payment.
    let next = scene.sells("next", 5);
    let mut paid = next.clone();
    let earlier = scene.sale(&cheap.id).paid.unwrap();
    paid.state = SaleState::Paid;
    paid.paid = Some(super::super::sale::Paid { payer: Key([9; 32]), payment: refund.payment, ..earlier });
    scene.store.commit(&[Change::Sale(paid)]).unwrap();
    scene.wallet.done(refund.payment);
    scene.settles();
    assert_eq!(scene.refund(&refund.id).state, RefundState::Done);
}

/// N7: the wallet's answer to an attempt that was given up meanwhile says nothing about the next one.
#[test]
fn an_answer_to_an_earlier_attempt_says_nothing() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    scene.wallet.receives(1, 1, 40, sale.request.unwrap());
    scene.settles();
    let first = scene.tries_to_refund(&sale, "a", Some(5), &boss()).unwrap();
    assert!(scene.wallet.pay(&first));
    scene.wallet.comes_to_nothing(first.payment, 5);
    scene.hears().unwrap();
    let second = scene.refund(&first.id);
    assert_ne!(second.payment, first.payment);
    let decision = scene.shop.refund_is_paying(&first.id, &first.payment, scene.now);
    scene.decide(decision);
    let held = Held::ForGood("no".to_owned());
    let stored = Some(scene.sale(&sale.id));
    let decision = scene.shop.refund_is_held(&first.id, &first.payment, held, stored, scene.now);
    scene.decide(decision);
    assert_eq!(scene.refund(&first.id), second);
}

/// N7: what came for nothing stays owed, whatever the wallet says.
#[test]
fn what_came_for_nothing_is_not_given_up() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    scene.wallet.locked = true;
    scene.wallet.receives(1, 1, 40, sale.request.unwrap());
    scene.wallet.receives(2, 2, 40, sale.request.unwrap());
    scene.settles();
    let back = scene.shop.owed(scene.now).pop().unwrap();
    let (held, stored) = (Held::ForGood("over the cap".to_owned()), Some(scene.sale(&sale.id)));
    let decision = scene.shop.refund_is_held(&back.id, &back.payment, held, stored, scene.now);
    scene.decide(decision);
    let back = scene.refund(&back.id);
    assert_eq!((back.state, back.held.as_str()), (RefundState::Owed, "over the cap"));
}

/// N7: a refund whose payments come back another way, or in parts, is still one refund, of what the customer has.
#[test]
fn a_refund_is_counted_once_however_it_goes() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    scene.wallet.receives(1, 1, 40, sale.request.unwrap());
    scene.settles();
    let first = scene.tries_to_refund(&sale, "a", Some(5), &boss()).unwrap();
    scene.settles();
    scene.wallet.reclaims(first.payment, 5);
    scene.settles();
    scene.now = scene.now.plus_seconds(3600);
    scene.settles();
    let second = scene.wallet.payments[1];
    // Back from the bank in two parts.
    scene.wallet.reserve += 2;
    scene.wallet.lines.push((Line::Returned(second), 2));
    scene.wallet.comes_to_nothing(second, 3);
    scene.settles();
    scene.now = scene.now.plus_seconds(3600);
    scene.settles();
    let third = scene.wallet.payments[2];
    scene.wallet.done(third);
    scene.settles();
    let period = scene.shop.period().clone();
    let refunds: u32 = period.lines.values().map(|tally| tally.refunds).sum();
    assert_eq!((refunds, period.refunded().unwrap()), (1, units(5)));
    assert_eq!((period.swept, period.other_in, period.sent_back), (units(5), Units::ZERO, Units::ZERO));
    scene.is_sound();
}

/// N7: what a restored wallet tells in no event is seen by its state; a payment that it does not know is not made twice.
#[test]
fn a_refund_over_a_restore() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    scene.wallet.receives(1, 1, 40, sale.request.unwrap());
    scene.settles();
    let done = scene.tries_to_refund(&sale, "a", Some(5), &boss()).unwrap();
    let unknown = scene.tries_to_refund(&sale, "b", Some(7), &boss()).unwrap();
    scene.settles();
    for (refund, outcome, state, refunded) in [
        (&done, Some(Outcome::Done(Digest([9; 32]))), RefundState::Done, 12),
        (&unknown, None, RefundState::Failed, 5),
    ] {
        let stored = Some(scene.sale(&sale.id));
        let (id, payment, signer) = (refund.id, refund.payment, node());
        let decision = scene.shop.refund_stands(&id, &payment, outcome, stored, &signer, scene.now);
        scene.decide(decision);
        assert_eq!((scene.refund(&id).state, scene.sale(&sale.id).refunded), (state, units(refunded)));
    }
    assert!(scene.refund(&unknown.id).held.contains("ask the customer"));
    assert_eq!(scene.shop.open_refunds().count(), 0);
}
