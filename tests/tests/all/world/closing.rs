//! Requests that their owner closes: who would pay one is told before he signs, and what comes all the same.

use super::with_reserve;
use daemon::store::Store;
use daemon::wallet::paying::{NotDone, State};
use daemon::wallet::receiving::{Closing, RequestRecord};
use protocol::pay::{AmountRule, Request};
use protocol::sign::Signed;
use protocol::wire::ErrorCode;
use tests::world::{Kept, Who, World, units};

fn record(world: &World, who: Who, request: &Signed<Request>) -> RequestRecord {
    world.person(who).store().unwrap().request(&request.unverified().id).unwrap().unwrap()
}

fn closes(world: &mut World, who: Who, request: &Signed<Request>) -> Closing {
    let record = record(world, who, request);
    let decision = world.person(who).wallet().close_request(record, world.now);
    world.settle_decision(who, decision).unwrap()
}

/// N7: a shop takes a sale back; who has its request in hand is told before anything of his is signed.
#[test]
fn a_closed_request_is_refused_before_the_debit() {
    let (mut world, [alice, bob, _]) = with_reserve(300);
    let request = world.ask_for(bob, AmountRule::Exactly(units(40))).unwrap();
    assert_eq!(closes(&mut world, bob, &request), Closing::Closed);
    // Closed stays closed, over a crash, too.
    world.crash(bob, Kept::Everything);
    assert_eq!(closes(&mut world, bob, &request), Closing::Closed);
    let id = world.pay_request(alice, &request, 40).unwrap();
    world.settles();
    assert_eq!(world.state(alice, &id), State::NotDone(NotDone::Declined(ErrorCode::RequestClosed)));
    assert_eq!((world.reserve(alice), world.reserve(bob)), (300, 0));
    world.check_settled();
}

/// X2, H2: closed between the payer's question and his money: refused for ever, and he has it back through the bank.
#[test]
fn money_on_its_way_to_a_closed_request_goes_back() {
    let (mut world, [alice, bob, _]) = with_reserve(300);
    let request = world.ask_for(bob, AmountRule::Exactly(units(40))).unwrap();
    let id = world.pay_request(alice, &request, 40).unwrap();
    while world.state(alice, &id) != State::Sent {
        world.deliver();
    }
    closes(&mut world, bob, &request);
    world.settles();
    assert_eq!(world.state(alice, &id), State::Returned(ErrorCode::RequestClosed));
    assert_eq!((world.reserve(alice), world.reserve(bob)), (300, 0));
    world.check_settled();
}

/// Certified money is the payee's already: it is taken, and its owner can send it back.
#[test]
fn certified_money_for_a_closed_request_is_taken() {
    let (mut world, [alice, bob, _]) = with_reserve(300);
    let request = world.ask_for(bob, AmountRule::Exactly(units(40))).unwrap();
    let (payee, node) = (request.unverified().payee(), world.person(bob).node.key());
    let verified = request.clone().verify_request(world.bank.keys().bank(), &node, world.now).unwrap();
    assert_eq!(payee, world.person(bob).key());
    let new = daemon::wallet::paying::NewPayment {
        request: Some(verified),
        certified: true,
        ..world.new_payment(bob, 40)
    };
    let id = world.begin(alice, new).unwrap();
    while !matches!(world.state(alice, &id), State::Certifying | State::Sent) {
        world.deliver();
    }
    closes(&mut world, bob, &request);
    world.settles();
    assert_eq!(world.state(alice, &id), State::Confirmed);
    assert_eq!((world.reserve(alice), world.reserve(bob)), (260, 40));
    world.check_settled();
}

/// Who pays first is in: a request that was paid can't be closed any more.
#[test]
fn a_paid_request_is_not_closed() {
    let (mut world, [alice, bob, _]) = with_reserve(300);
    let request = world.ask_for(bob, AmountRule::Exactly(units(40))).unwrap();
    let id = world.pay_request(alice, &request, 40).unwrap();
    world.settles();
    assert_eq!(closes(&mut world, bob, &request), Closing::Paid(world.person(alice).key(), id));
    assert_eq!(record(&world, bob, &request).closed, None);
}
