//! Scenes that need real parts from outside: networks with cables that can be pulled (N7, B7).
//!
//! Started by `tests/external/run`, which sees to the parts; see `README.md` beside it. A bank and two
//! workstations live in network namespaces of their own, joined by veth cables to one switch, as in a house.
//! Needs root. Nothing is skipped: without the parts these scenes fail.

#![expect(clippy::unwrap_used, reason = "a test that panics has found something")]

mod disk;
mod room;

use disk::Disk;
use room::Room;
use std::time::Duration;
use tests::patience::{let_pass, settles};
use tests::people::{Community, Resident};
use tests::process::{Setting, free_port};

struct House {
    town: Community,
    alice: Resident,
    bob: Resident,
    // Last: the programs end before their network does.
    room: Room,
}

fn house() -> House {
    let room = Room::with(&["bank", "alice", "bob"]);
    let setting = |who: &str, port: u16| Setting {
        place: room.place(who),
        listen: vec![format!("/ip4/{}/tcp/{port}", room.address(who))],
        external: Vec::new(),
        mdns: who != "bank",
    };
    let town = Community::open_at("Naxos", &setting("bank", free_port()));
    let person = |name: &str| town.resident_at(name, 1_000, setting(name, 0)).joined().started().unlocked();
    let (alice, bob) = (person("alice"), person("bob"));
    alice.withdraws(600);
    bob.withdraws(100);
    House { town, alice, bob, room }
}

/// N7: over real cables as over loopback.
#[test]
fn money_crosses_a_real_network() {
    let House { town, alice, bob, room: _room } = house();
    alice.pays(&bob, 120).memo("rent").done();
    bob.pays(&alice, 20).memo("change").done();
    assert_eq!((alice.reserve(), bob.reserve()), (500, 200));
    bob.deposits(200);
    town.is_sound(&[&alice, &bob]);
    println!("ran: payments and a deposit between three network namespaces");
}

/// N7: two workstations in one room find each other by mDNS when the bank is gone.
#[test]
fn neighbours_find_each_other_without_the_bank() {
    let House { town, alice, bob, room: _room } = house();
    alice.finds("bob");
    let code = bob.public_code();
    alice.stops();
    bob.stops();
    town.bank().closes();
    // Both listen on other ports than before, so that nothing anybody remembers is of use.
    alice.starts();
    bob.starts();
    alice.unlocks();
    alice.pays_to(&code.to_string(), 75).memo("eggs").done();
    settles("bob has it", || bob.reserve() == 175);
    town.bank().opens();
    alice.has_settled();
    bob.has_settled();
    town.is_sound(&[&alice, &bob]);
    println!("ran: discovery by mDNS and a payment, the bank stopped");
}

/// N7, B7: the cable is pulled in the middle of payments; each ends in one way, the same on both sides.
#[test]
fn a_pulled_cable_leaves_one_outcome() {
    let House { town, alice, bob, room } = house();
    alice.pays(&bob, 1).done();
    let mut arrived = 101;
    for round in 1..=6 {
        if round % 2 == 0 {
            room.unplug("bob");
        }
        let sent = alice.pays(&bob, round).memo("in the storm").sent();
        if round % 2 == 1 {
            // The payment is under way, nobody knows how far.
            room.unplug("bob");
        }
        room.plug("bob");
        let known = alice.outcome(sent.payment);
        assert!(matches!(known.outcome.as_str(), "done" | "not_done"), "{known:?}");
        if known.outcome == "done" {
            arrived += round;
        }
    }
    alice.has_settled();
    bob.has_settled();
    assert_eq!((alice.reserve(), bob.reserve()), (700 - arrived, arrived));
    town.is_sound(&[&alice, &bob]);
    println!("ran: a link taken down and up around six payments");
}

/// B9, B7: the redo log's own disk is full: nothing is answered and nothing lost; with room again everything goes on. The
/// disk is torn away: the bank closes, and opens when it is back.
#[test]
fn a_full_disk_under_the_redo_log() {
    let disk = Disk::with(80 << 20);
    let town = Community::open("Naxos");
    let bank = town.bank();
    bank.keeps_its_redo_log_in(&disk.path());
    let alice = town.resident("alice", 1_000).joined().started().unlocked();
    alice.withdraws(100);

    disk.fill();
    let asked = alice.tries_to_withdraw_later(50);
    let_pass(Duration::from_secs(2));
    assert_eq!(alice.account().units.get(), 900, "read and not written");
    assert!(bank.program().is_running());
    assert!(bank.program().log().contains("the disk is full"));
    disk.make_room();
    assert_eq!(alice.answered(asked).state, "done");

    // Without its log the bank does not open, and does not begin another one by itself.
    bank.is_killed();
    disk.hide();
    assert!(bank.program().try_start().is_err());
    assert!(bank.program().log().contains("its medium is not mounted"));
    disk.show();
    bank.opens();
    alice.deposits(150);
    assert_eq!(alice.account().units.get(), 1_000);
    town.is_sound(&[&alice]);
    println!("ran: a full and a missing disk under the redo log");
}
