//! The store of payer, payee and bank fails at every write in turn: each time one outcome, the same on both sides.

use super::{nobody_refreshes, with_reserve};
use daemon::wallet::paying::State;
use protocol::wire::ErrorCode;
use tests::world::{Who, World};

/// Whose store fails.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Workstation(Who),
    Bank,
}

impl Victim {
    fn fails_after(self, world: &World, writes: u64) {
        match self {
            Victim::Workstation(who) => world.person(who).disk.fail_after(writes),
            Victim::Bank => world.bank.fail_after(writes),
        }
    }

    fn has_failed(self, world: &World) -> bool {
        match self {
            Victim::Workstation(who) => world.person(who).restarts > 0,
            Victim::Bank => world.bank.deaths() > 0,
        }
    }
}

/// Plays `scene` with the victim's store failing at the first write, at the second, … until it gets by without.
fn at_every_write(base: &World, victims: &[Victim], scene: impl Fn(&mut World)) -> u64 {
    let mut played = 0;
    for victim in victims {
        let mut writes = 0;
        loop {
            let mut world = base.copy();
            victim.fails_after(&world, writes);
            scene(&mut world);
            world.settles();
            world.check_settled();
            played += 1;
            if !victim.has_failed(&world) {
                break;
            }
            writes += 1;
            assert!(writes < 2_000, "{victim:?} fails for ever");
        }
        assert!(writes > 3, "{victim:?} has next to nothing to write in this scene: {writes}");
    }
    played
}

/// B7, N2: a direct payment, with the refresh and the confirmation that follow it.
#[test]
fn a_direct_payment_survives_every_failing_write() {
    let (base, [alice, bob, _]) = with_reserve(100);
    let victims = [Victim::Workstation(alice), Victim::Workstation(bob), Victim::Bank];
    at_every_write(&base, &victims, |world| {
        // A disk that fails before the payment is on it has not begun one.
        let begun = world.pay(alice, bob, 40).is_ok();
        world.settles();
        assert_eq!(world.reserve(bob), if begun || world.reserve(bob) > 0 { 40 } else { 0 });
    });
}

/// The same, certified: order and request are on disk before the bank is asked (threats H1).
#[test]
fn a_certified_payment_survives_every_failing_write() {
    let (base, [alice, bob, _]) = with_reserve(100);
    let victims = [Victim::Workstation(alice), Victim::Workstation(bob), Victim::Bank];
    at_every_write(&base, &victims, |world| {
        let begun = world.pay_certified(alice, bob, 40).is_ok();
        world.settles();
        assert_eq!(world.reserve(bob), if begun || world.reserve(bob) > 0 { 40 } else { 0 });
    });
}

/// A withdrawal: debited and received, or neither.
#[test]
fn a_withdrawal_survives_every_failing_write() {
    let (base, [alice, ..]) = with_reserve(100);
    at_every_write(&base, &[Victim::Workstation(alice), Victim::Bank], |world| {
        let _begun = world.withdraw(alice, 70);
        world.settles();
        assert!([(100, 900), (170, 830)].contains(&(world.reserve(alice), world.account(alice))));
    });
}

/// A deposit: spent and credited, or neither.
#[test]
fn a_deposit_survives_every_failing_write() {
    let (base, [alice, ..]) = with_reserve(100);
    at_every_write(&base, &[Victim::Workstation(alice), Victim::Bank], |world| {
        let _begun = world.deposit(alice, 70);
        world.settles();
        assert!([(100, 900), (30, 970)].contains(&(world.reserve(alice), world.account(alice))));
    });
}

/// A refresh of what was received.
#[test]
fn a_refresh_survives_every_failing_write() {
    let (mut base, [alice, bob, _]) = with_reserve(100);
    nobody_refreshes(&mut base);
    let id = super::pays(&mut base, alice, bob, 40);
    let victims = [Victim::Workstation(alice), Victim::Workstation(bob), Victim::Bank];
    at_every_write(&base, &victims, |world| {
        let _begun = world.refresh(bob);
        world.settles();
        assert_eq!(world.reserve(bob), 40);
        assert!(matches!(world.state(alice, &id), State::Receipted | State::Confirmed));
    });
}

/// A refused payment, and its units' way back through the bank.
#[test]
fn taking_back_survives_every_failing_write() {
    let (mut base, [alice, bob, _]) = with_reserve(100);
    let id = base.pay(alice, bob, 40).unwrap();
    base.deliver();
    base.deliver();
    base.post.lose_everything();
    base.wait(8 * 86_400);
    let victims = [Victim::Workstation(alice), Victim::Bank];
    at_every_write(&base, &victims, |world| {
        world.settles();
        assert_eq!(world.state(alice, &id), State::Returned(ErrorCode::Expired));
        assert_eq!((world.reserve(alice), world.reserve(bob)), (100, 0));
    });
}
