//! Scenes in a world of the real rules: no process, no network, no clock; bad disks and bad post.

mod banking;
mod bulletins;
mod claiming;
mod closing;
mod crashes;
mod lessons;
mod mailbox;
mod midnight;
mod ordering;
mod paying;
mod receiving;
mod reclaiming;
mod schedules;
mod shown_again;
mod stolen;
mod vault;

use protocol::id::PaymentId;
use tests::world::{Who, World};

/// Alice with 1,000 on her account, Bob and Carol with 100.
fn three() -> (World, [Who; 3]) {
    let mut world = World::new(1);
    let people = [world.join("Alice", 1_000), world.join("Bob", 100), world.join("Carol", 100)];
    (world, people)
}

/// The same, and Alice has so much in her reserve.
fn with_reserve(units: u64) -> (World, [Who; 3]) {
    let (mut world, people) = three();
    world.withdraw(people[0], units).unwrap();
    world.settles();
    (world, people)
}

/// Nobody goes to the bank by himself: chains grow, money stays unconfirmed.
fn nobody_refreshes(world: &mut World) {
    for who in world.everybody() {
        let mut policy = world.person(who).wallet().policy().clone();
        policy.refresh = false;
        let decision = world.person(who).wallet().set_policy(policy, world.now);
        world.settle_decision(who, decision).unwrap();
    }
}

/// Pays, and everything that follows from it happens.
fn pays(world: &mut World, payer: Who, payee: Who, units: u64) -> PaymentId {
    let id = world.pay(payer, payee, units).unwrap();
    world.settles();
    id
}
