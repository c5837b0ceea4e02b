//! A payer's side: amounts, selection, states, taking back, caps and keys.

use super::{nobody_refreshes, pays, three, with_reserve};
use daemon::store::Store;
use daemon::wallet::change::{Answered, Started};
use daemon::wallet::history::Movement;
use daemon::wallet::paying::{NewPayment, NotDone, PayRefusal, State};
use daemon::wallet::reserve::{Piece, Short, Taker};
use daemon::wallet::token::Token;
use protocol::id::{Digest, PaymentId};
use protocol::range::Range;
use protocol::wire::{ErrorCode, PayAnswer};
use tests::world::{Cannot, Kept, Mail, Who, World, units};

fn movements(world: &World, who: Who) -> Vec<(Movement, u64, u64)> {
    let lines = world.history(who);
    lines.iter().map(|line| (line.movement, line.units.get(), line.reserve.get())).collect()
}

/// N2, N6: what Alice pays is what Bob gets, and both histories say so.
#[test]
fn a_direct_payment_moves_exactly_the_amount() {
    let (mut world, [alice, bob, _]) = with_reserve(500);
    let id = pays(&mut world, alice, bob, 123);
    assert_eq!(world.state(alice, &id), State::Confirmed);
    assert_eq!((world.reserve(alice), world.reserve(bob)), (377, 123));
    assert_eq!(movements(&world, alice), [(Movement::Withdrawal, 500, 500), (Movement::Sent, 123, 377)]);
    assert_eq!(movements(&world, bob), [(Movement::Received, 123, 123)]);
    let (sent, received) = (&world.history(alice)[1], &world.history(bob)[0]);
    assert_eq!((sent.id, sent.name.as_str()), (received.id, "Bob"));
    assert_eq!((received.name.as_str(), received.memo.as_str()), ("Alice", "for something"));
    assert_eq!(received.party, world.person(alice).key());
    world.check_settled();
}

/// N2: a certified payment is final at once, and the payee has nothing to confirm.
#[test]
fn a_certified_payment_is_final_at_once() {
    let (mut world, [alice, bob, _]) = with_reserve(500);
    let id = world.pay_certified(alice, bob, 200).unwrap();
    world.settles();
    assert_eq!(world.state(alice, &id), State::Confirmed);
    assert_eq!(world.person(bob).wallet().holdings().confirmed, units(200));
    world.check_settled();
}

/// Above what the payee takes directly, the bank's certificate is used without anybody asking for it.
#[test]
fn above_the_policy_a_payment_is_certified_by_itself() {
    let (mut world, [alice, bob, _]) = with_reserve(500);
    nobody_refreshes(&mut world);
    pays(&mut world, alice, bob, 201);
    assert_eq!(world.person(bob).wallet().holdings().confirmed, units(201));
    for _ in 0..2 {
        pays(&mut world, alice, bob, 100);
    }
    assert_eq!(world.person(bob).wallet().holdings().unconfirmed, units(200));
    world.check_settled();
}

/// N7: an empty or short reserve names what is there; so does one that became short while the payee was asked.
#[test]
fn a_short_reserve_names_what_is_there() {
    let (mut world, [alice, bob, carol]) = three();
    let short = |free, asked| Err(Cannot::Pay(PayRefusal::Short { free: units(free), asked: units(asked) }));
    assert_eq!(world.pay(alice, bob, 30), short(0, 30));
    world.withdraw(alice, 50).unwrap();
    world.settles();
    assert_eq!(world.pay(alice, bob, 51), short(50, 51));
    let (first, second) = (world.pay(alice, bob, 40).unwrap(), world.pay(alice, carol, 20).unwrap());
    world.settles();
    assert_eq!(world.state(alice, &first), State::Confirmed);
    assert_eq!(world.state(alice, &second), State::NotDone(NotDone::Short(units(10))));
    world.check_settled();
}

/// Bad input: nothing, oneself, another amount than asked for, locked.
#[test]
fn what_can_not_be_paid_is_not_begun() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    assert_eq!(world.pay(alice, bob, 0), Err(Cannot::Pay(PayRefusal::Nothing)));
    assert_eq!(world.pay(alice, alice, 1), Err(Cannot::Pay(PayRefusal::Yourself)));
    let request = world.ask_for(bob, protocol::pay::AmountRule::Exactly(units(30))).unwrap();
    assert_eq!(world.pay_request(alice, &request, 31), Err(Cannot::Pay(PayRefusal::OtherAmount)));
    world.person_mut(alice).locked = true;
    assert_eq!(world.pay(alice, bob, 1), Err(Cannot::Locked));
    assert_eq!(world.history(alice).len(), 1);
}

/// A workstation that is locked between the offer and its answer signs nothing and owes nothing.
#[test]
fn locked_before_the_payee_answered_means_not_done() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    let id = world.pay(alice, bob, 60).unwrap();
    world.person_mut(alice).locked = true;
    world.settles();
    assert_eq!(world.state(alice, &id), State::NotDone(NotDone::Locked));
    assert_eq!(world.reserve(alice), 100);
    world.check_settled();
}

/// SPEC §3.6: the smallest note that covers the amount, else the largest first.
#[test]
fn selection_takes_the_best_fit_else_the_largest_first() {
    let (mut world, [alice, ..]) = three();
    for amount in [50, 20, 80, 20] {
        world.withdraw(alice, amount).unwrap();
        world.settles();
    }
    let wallet = world.person(alice).wallet();
    let pieces = |amount| -> Vec<(u64, u64)> {
        let taken = wallet.select(units(amount), Taker::Payee(world.now)).unwrap();
        taken.iter().map(|piece: &Piece| (piece.note, piece.range.units().get())).collect()
    };
    assert_eq!(pieces(20), [(2, 20)], "the first of two that fit exactly");
    assert_eq!(pieces(21), [(1, 21)], "the smallest that covers it");
    assert_eq!(pieces(51), [(3, 51)]);
    assert_eq!(pieces(81), [(3, 80), (1, 1)], "the largest first");
    assert_eq!(pieces(151), [(3, 80), (1, 50), (2, 20), (4, 1)]);
    assert_eq!(pieces(170), [(3, 80), (1, 50), (2, 20), (4, 20)]);
    assert_eq!(wallet.select(units(171), Taker::Bank), Err(Short::Funds { free: units(170) }));
}

/// Y10: a payee gets confirmed units as long as there are any.
#[test]
fn payees_get_confirmed_units_first() {
    let (mut world, [alice, bob, carol]) = with_reserve(100);
    world.withdraw(bob, 60).unwrap();
    world.settles();
    nobody_refreshes(&mut world);
    pays(&mut world, alice, bob, 30);
    let wallet = world.person(bob).wallet();
    let confirmed = |piece: &Piece| wallet.note(piece.note).unwrap().confirmed;
    let taken = |amount| wallet.select(units(amount), Taker::Payee(world.now)).unwrap();
    assert!(taken(30).iter().all(confirmed), "an unconfirmed note fits better and is left");
    let both = taken(70);
    assert_eq!(both.iter().map(confirmed).collect::<Vec<_>>(), [true, false]);
    assert_eq!(both[0].range.units(), units(60));
    pays(&mut world, bob, carol, 90);
    assert_eq!(world.reserve(bob), 0);
    world.check_settled();
}

/// Many small payments in a row never lose or make a unit, and notes stay few.
#[test]
fn any_amount_can_be_paid_until_nothing_is_left() {
    let (mut world, [alice, bob, _]) = with_reserve(211);
    for amount in [1, 2, 3, 5, 8, 13, 21, 34, 55, 69] {
        pays(&mut world, alice, bob, amount);
    }
    assert_eq!((world.reserve(alice), world.reserve(bob)), (0, 211));
    world.check_settled();
    world.cash_in();
}

/// H2: what a payee refuses comes back through the bank before it can be spent again; the history says so.
#[test]
fn a_refused_payment_comes_back_through_the_bank() {
    let (mut world, [alice, bob, carol]) = with_reserve(100);
    let request = world.ask_for(bob, protocol::pay::AmountRule::AtMost(units(100))).unwrap();
    let first = world.pay_request(alice, &request, 40).unwrap();
    let second = world.pay_request(alice, &request, 30).unwrap();
    world.person_mut(alice).refresh_due = false;
    world.deliver_all();
    assert_eq!(world.state(alice, &first), State::Receipted);
    assert_eq!(world.state(alice, &second), State::TakingBack(ErrorCode::RequestUsed));
    assert_eq!(world.person(alice).wallet().free(), units(30), "a refusal frees nothing");
    assert_eq!(
        world.pay(alice, carol, 31),
        Err(Cannot::Pay(PayRefusal::Short { free: units(30), asked: units(31) }))
    );
    world.settles();
    assert_eq!(world.state(alice, &second), State::Returned(ErrorCode::RequestUsed));
    let last = world.history(alice).pop().unwrap();
    assert_eq!((last.movement, last.units, last.id), (Movement::Returned, units(30), second.0));
    assert_eq!((world.reserve(alice), world.reserve(bob)), (60, 40));
    world.check_settled();
}

/// A locked workstation can't take back; what was refused waits, and is not spendable.
#[test]
fn taking_back_waits_until_it_is_unlocked() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    let id = world.pay(alice, bob, 40).unwrap();
    world.deliver();
    world.deliver();
    world.post.lose_everything();
    assert_eq!(world.state(alice, &id), State::Sent);
    world.person_mut(alice).locked = true;
    let decision = world.person(alice).wallet().refused(&id, ErrorCode::Expired, None, world.now);
    world.settle_decision(alice, decision).unwrap();
    world.settles();
    assert_eq!(world.state(alice, &id), State::TakingBack(ErrorCode::Expired));
    assert_eq!(world.person(alice).wallet().free(), units(60));
    world.person_mut(alice).locked = false;
    world.settles();
    assert_eq!(world.state(alice, &id), State::Returned(ErrorCode::Expired));
    world.check_settled();
}

/// Token caps: counted when a payment begins, given back when it comes to nothing, once.
#[test]
fn a_token_spends_up_to_its_cap_and_gets_back_what_came_to_nothing() {
    let (mut world, [alice, bob, _]) = with_reserve(200);
    let token = Token {
        id: "t1".to_owned(),
        name: "till".to_owned(),
        secret: Digest::default(),
        scopes: "spend".to_owned(),
        cap: Some(units(100)),
        spent: units(0),
        expires: None,
    };
    let decision = world.person(alice).wallet().add_token(token, world.now);
    world.settle_decision(alice, decision).unwrap();
    let spent = |world: &World| world.person(alice).wallet().tokens().next().unwrap().spent.get();
    let with_token = |world: &mut World, amount| {
        let new = NewPayment { token: Some("t1".to_owned()), ..world.new_payment(bob, amount) };
        world.begin(alice, new)
    };
    with_token(&mut world, 70).unwrap();
    world.settles();
    assert_eq!(spent(&world), 70);
    let over = PayRefusal::OverCap { left: units(30), asked: units(31) };
    assert_eq!(with_token(&mut world, 31), Err(Cannot::Pay(over)));
    let declined = with_token(&mut world, 30).unwrap();
    assert_eq!(spent(&world), 100);
    let decision = world.person(alice).wallet().offer_failed(&declined, NotDone::Unreachable, world.now);
    world.settle_decision(alice, decision).unwrap();
    let again = world.person(alice).wallet().offer_failed(&declined, NotDone::Unreachable, world.now);
    world.settle_decision(alice, again).unwrap();
    assert_eq!(spent(&world), 70);
    world.post.lose_everything();
    let refused = with_token(&mut world, 30).unwrap();
    world.deliver();
    world.deliver();
    world.post.lose_everything();
    let decision = world.person(alice).wallet().refused(&refused, ErrorCode::Expired, None, world.now);
    world.settle_decision(alice, decision).unwrap();
    assert_eq!(spent(&world), 100, "in doubt is spent");
    world.settles();
    assert_eq!(spent(&world), 70);
    world.crash(alice, Kept::Nothing);
    assert_eq!(spent(&world), 70);
    let revoked = world.person(alice).wallet().revoke_token("t1", world.now);
    assert!(world.settle_decision(alice, revoked).unwrap());
    assert!(matches!(with_token(&mut world, 1), Err(Cannot::Pay(PayRefusal::OverCap { .. }))));
    world.check_settled();
}

/// A caller's key stands for what it started, for ever: in the same commit, and after any restart.
#[test]
fn a_callers_key_is_as_durable_as_what_it_started() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    let key = ("pay".to_owned(), "order 66".to_owned(), Digest([6; 32]));
    let new = NewPayment { answered: Some(key.clone()), ..world.new_payment(bob, 10) };
    let id = world.begin(alice, new).unwrap();
    let stands_for =
        Answered { method: key.0.clone(), key: key.1.clone(), params: key.2, started: Started::Payment(id) };
    let known = |world: &World| world.person(alice).store().unwrap().answered("pay", "order 66").unwrap();
    assert_eq!(known(&world), Some(stands_for.clone()));
    world.settles();
    world.wait(400 * 86_400);
    world.crash(alice, Kept::Nothing);
    assert_eq!(known(&world), Some(stands_for));
    assert_eq!(world.person(alice).store().unwrap().answered("deposit", "order 66").unwrap(), None);
    // When the disk fails, neither the key nor the payment is there.
    let new = NewPayment { answered: Some(key.clone()), ..world.new_payment(bob, 10) };
    let lost = NewPayment { answered: Some((key.0, "order 67".to_owned(), key.2)), ..new };
    let id = lost.id;
    world.person(alice).disk.fail_after(0);
    assert_eq!(world.begin(alice, lost), Err(Cannot::Down));
    world.crash(alice, Kept::Nothing);
    assert_eq!(world.person(alice).store().unwrap().answered("pay", "order 67").unwrap(), None);
    assert_eq!(world.payment(alice, &id).unwrap().map(|p| p.state), None);
}

/// A receipt counts only from the payee, for this order, over this amount.
#[test]
fn only_the_payees_own_receipt_ends_a_payment() {
    let (mut world, [alice, bob, carol]) = with_reserve(100);
    let other = pays(&mut world, alice, bob, 5);
    let id = world.pay(alice, bob, 40).unwrap();
    world.deliver();
    world.deliver();
    world.post.lose_everything();
    let payment = world.payment(alice, &id).unwrap().unwrap();
    let order = payment.order.clone().unwrap().digest();
    let good = protocol::pay::Receipt {
        order,
        payee: world.person(bob).key(),
        amount: units(40),
        received: world.now,
        confirmed: true,
    };
    let node = world.person(bob).node.key();
    let (theirs, strangers) = (world.person(bob).node.clone(), world.person(carol).node.clone());
    let earlier = world.payment(alice, &other).unwrap().unwrap().receipt.unwrap();
    let bad = [
        strangers.sign(good.clone()),
        theirs.sign(protocol::pay::Receipt { amount: units(39), ..good.clone() }),
        theirs.sign(protocol::pay::Receipt { payee: world.person(carol).key(), ..good.clone() }),
        theirs.sign(protocol::pay::Receipt { order: Digest([1; 32]), ..good.clone() }),
        earlier,
    ];
    for receipt in bad {
        let decision = world.person(alice).wallet().receipted(&payment, receipt, &node, world.now);
        assert!(!world.settle_decision(alice, decision).unwrap());
        assert_eq!(world.state(alice, &id), State::Sent);
    }
    world.settles();
    assert_eq!(world.state(alice, &id), State::Confirmed);
    world.check_settled();
}

/// A payment older than the notes' sixty days goes through the bank, not to the payee as it is.
#[test]
fn old_notes_are_paid_certified() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    world.wait(61 * 86_400);
    world.learn_keys(bob).unwrap();
    let id = pays(&mut world, alice, bob, 40);
    assert_eq!(world.state(alice, &id), State::Confirmed);
    assert_eq!(world.person(bob).wallet().holdings().confirmed, units(40));
    world.check_settled();
}

/// Sent in time, arrived after the order's week: refused, and back through the bank.
#[test]
fn a_direct_order_expires_and_a_certified_one_does_not() {
    for certified in [false, true] {
        let (mut world, [alice, bob, _]) = with_reserve(100);
        let id = match certified {
            true => world.pay_certified(alice, bob, 40).unwrap(),
            false => world.pay(alice, bob, 40).unwrap(),
        };
        while !matches!(world.state(alice, &id), State::Sent | State::Issued) {
            world.deliver();
        }
        world.post.lose_everything();
        world.wait(8 * 86_400);
        world.settles();
        let expected = if certified { State::Confirmed } else { State::Returned(ErrorCode::Expired) };
        assert_eq!(world.state(alice, &id), expected);
        world.check_settled();
    }
}

/// Units that are promised are in no selection, and a fresh id never meets an old one.
#[test]
fn promised_units_are_not_taken_twice() {
    let (mut world, [alice, bob, carol]) = with_reserve(100);
    let first = world.pay(alice, bob, 60).unwrap();
    world.deliver();
    world.deliver();
    let wallet = world.person(alice).wallet();
    assert_eq!(wallet.holdings().in_doubt, units(60));
    let taken = wallet.select(units(40), Taker::Bank).unwrap();
    assert_eq!(taken, [Piece { note: 1, range: Range::new(60, 100).unwrap() }]);
    let second = world.pay(alice, carol, 40).unwrap();
    world.settles();
    for id in [first, second] {
        assert_eq!(world.state(alice, &id), State::Confirmed);
    }
    assert_ne!(first, PaymentId::default());
    world.check_settled();
}

/// H2: a payee who says that it is not his, or can't be read, has answered: the units come back through the bank.
#[test]
fn a_payee_who_says_that_it_is_not_his_has_answered() {
    for code in [ErrorCode::NotMine, ErrorCode::Malformed] {
        let (mut world, [alice, bob, _]) = with_reserve(100);
        let id = world.pay(alice, bob, 40).unwrap();
        world.deliver();
        world.deliver();
        world.post.lose_everything();
        assert_eq!(world.state(alice, &id), State::Sent);
        world.arrive(Mail::Paid(alice, bob, id, PayAnswer::Error(code))).unwrap();
        world.deliver_all();
        world.remind(alice);
        world.deliver_all();
        assert_eq!(world.state(alice, &id), State::Returned(code));
        assert_eq!(world.reserve(alice), 100);
        world.check_settled();
    }
}
