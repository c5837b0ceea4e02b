//! Issue keys change at midnight: nothing that anybody does around it fails (B6).

use super::{pays, with_reserve};
use daemon::wallet::paying::State;
use protocol::time::DAY_SECONDS;
use tests::world::{Who, World, units};

/// Ten seconds before the end of the day.
fn until_midnight(world: &mut World) {
    world.wait(DAY_SECONDS - 10 - world.now.0 % DAY_SECONDS);
}

/// Lets the post bring so many things, and no more.
fn delivers(world: &mut World, mails: usize) {
    (0..mails).for_each(|_| world.deliver());
}

fn confirmed(world: &World, who: Who) -> u64 {
    world.person(who).wallet().holdings().confirmed.get()
}

/// B6: wherever a certified payment stands when the day ends, it is done on the next one.
#[test]
fn a_certified_payment_crosses_midnight_at_any_step() {
    for steps in 0..8 {
        let (mut world, [alice, bob, _]) = with_reserve(500);
        until_midnight(&mut world);
        let id = world.pay_certified(alice, bob, 90).unwrap();
        delivers(&mut world, steps);
        world.wait(20);
        world.settles();
        assert_eq!(world.state(alice, &id), State::Confirmed, "after {steps} steps");
        assert_eq!(confirmed(&world, bob), 90, "after {steps} steps");
        world.check_settled();
    }
}

/// B6: the same for a direct payment, a withdrawal and a deposit.
#[test]
fn whatever_is_under_way_at_midnight_is_done() {
    for steps in 0..6 {
        let (mut world, [alice, bob, carol]) = with_reserve(500);
        until_midnight(&mut world);
        let direct = world.pay(alice, bob, 40).unwrap();
        world.withdraw(carol, 60).unwrap();
        world.deposit(alice, 30).unwrap();
        delivers(&mut world, steps);
        world.wait(20);
        world.settles();
        assert_eq!(world.state(alice, &direct), State::Confirmed, "after {steps} steps");
        assert_eq!([alice, bob, carol].map(|who| world.reserve(who)), [430, 40, 60], "after {steps} steps");
        world.check_settled();
    }
}

/// B6: money that came in before midnight is refreshed after it, under a key that its holder did not know.
#[test]
fn what_came_in_yesterday_is_refreshed_today() {
    let (mut world, [alice, bob, carol]) = with_reserve(500);
    super::nobody_refreshes(&mut world);
    until_midnight(&mut world);
    pays(&mut world, alice, bob, 70);
    world.wait(20);
    world.refresh(bob).unwrap().unwrap();
    world.settles();
    assert_eq!(confirmed(&world, bob), 70);
    let onward = pays(&mut world, bob, carol, 70);
    assert!(matches!(world.state(bob, &onward), State::Receipted));
    world.check_settled();
}

/// B6: a payee who has not met the bank for days takes notes of a day whose key he has never heard of.
#[test]
fn the_next_day_s_key_comes_with_the_notes() {
    let (mut world, [alice, bob, carol]) = super::three();
    super::nobody_refreshes(&mut world);
    // He knew tomorrow's key when he joined.
    world.wait(DAY_SECONDS);
    for day in 2..=5u64 {
        world.wait(DAY_SECONDS);
        world.learn_keys(alice).unwrap();
        world.withdraw(alice, 30).unwrap();
        world.settles();
        let known = world.person(bob).wallet().keys().certificates().count();
        let id = pays(&mut world, alice, bob, 30);
        assert_eq!(world.state(alice, &id), State::Receipted, "day {day}");
        assert!(world.person(bob).wallet().keys().certificates().count() > known, "day {day}");
    }
    // And he hands on what he has got so, to somebody who knows even less.
    let id = pays(&mut world, bob, carol, 50);
    assert!(matches!(world.state(bob, &id), State::Receipted));
    world.check_settled();
}

/// Y6: after two days without a bulletin a quarter is taken directly, and the rest certified; with a bulletin all
/// of it again.
#[test]
fn days_without_the_bank_make_careful() {
    let (mut world, [alice, bob, _]) = with_reserve(900);
    super::nobody_refreshes(&mut world);
    world.bank.bulletin();
    world.pull_bulletins(bob).unwrap();
    world.wait(47 * 3600);
    pays(&mut world, alice, bob, 200);
    assert_eq!(world.person(bob).wallet().holdings().unconfirmed, units(200), "a weekend");
    world.wait(2 * 3600);
    assert!(world.person(bob).wallet().is_stale(world.now));
    pays(&mut world, alice, bob, 51);
    assert_eq!(world.person(bob).wallet().holdings().confirmed, units(51), "only certified");
    world.bank.bulletin();
    world.pull_bulletins(bob).unwrap();
    pays(&mut world, alice, bob, 120);
    assert_eq!(world.person(bob).wallet().holdings().unconfirmed, units(320), "and directly again");
    world.check_settled();
}

/// B6, B7: the bank does its part on a day whose issue key nobody away ever saw, the answer is lost, and whoever asked is back
/// only when no list names that key any more. The bank shows it to him, and he has his units.
#[test]
fn an_answer_of_months_ago_can_still_be_read() {
    let (mut world, [alice, bob, carol]) = super::three();
    super::nobody_refreshes(&mut world);
    world.wait(3 * DAY_SECONDS);
    world.withdraw(carol, 60).unwrap();
    world.learn_keys(alice).unwrap();
    world.withdraw(alice, 80).unwrap();
    delivers(&mut world, 2);
    world.post.lose_everything();
    world.wait(70 * DAY_SECONDS);
    let known = world.person(carol).wallet().keys().certificates().count();
    world.learn_keys(carol).unwrap();
    assert!(
        world.person(carol).wallet().keys().certificates().count() > known,
        "she hears of the keys of now"
    );
    world.settles();
    assert_eq!([alice, bob, carol].map(|who| world.reserve(who)), [80, 0, 60]);
    // Old units are certified when they are paid; who gets them has to read them, too.
    let id = world.pay_certified(carol, bob, 60).unwrap();
    world.settles();
    assert_eq!(world.state(carol, &id), State::Confirmed);
    world.check_settled();
}
