//! A shop carries a workstation that has no other network to the bank (M3): real programs, with nothing between them but the
//! shop.

use protocol::node::net::{self, Protocol};
use protocol::node::net::{CarryFault, NetConfig, Role, peer_of};
use protocol::wire::{self, Hail};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use tests::patience::{settles, wait};
use tests::people::{Community, Resident};
use tests::process::free_port;
use tests::shopkeeper::Shop;
use tests::stranger::Stranger;

/// Another line for the network's settings.
fn sets(home: &Path, line: &str) {
    let file = home.join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("[network]\n", &format!("[network]\n{line}\n"), 1)).unwrap();
}

/// A shop that carries, at an address that it keeps.
fn carrying(town: &Community, name: &str, more: &str) -> Shop {
    let shop = Shop::of(town, name);
    let file = shop.home().join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("127.0.0.1/tcp/0", &format!("127.0.0.1/tcp/{}", free_port())))
        .unwrap();
    sets(shop.home(), &format!("carries = true\n{more}"));
    shop.opened()
}

/// The shop's address as a neighbour writes it.
fn address_of(shop: &Shop) -> String {
    let status = shop.call("wallet.status", json!({}));
    format!("{}/p2p/{}", status["addresses"][0].as_str().unwrap(), status["node"].as_str().unwrap())
}

/// From now on only the shop is left of the network.
fn loses_the_bank(who: &Resident, shop: &Shop) {
    who.stops();
    let home = who.program().home();
    let file = home.join("data").join("account.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let lines = text.lines().map(|line| match line.trim_start().starts_with("addresses") {
        true => "addresses = [\"/ip4/127.0.0.1/tcp/1\"]",
        false => line,
    });
    std::fs::write(&file, lines.collect::<Vec<_>>().join("\n")).unwrap();
    sets(home, &format!("neighbours = [\"{}\"]", address_of(shop)));
    who.starts();
}

/// M3: withdraws, deposits, writes and reads mail, keeps its vault and refreshes as nobody, with the shop as its only
/// neighbour; the bank takes it for itself, and the shop sees bytes.
#[test]
fn everything_at_the_bank_goes_by_way_of_the_shop() {
    let town = Community::open("Naxos");
    let hall = carrying(&town, "hall", "");
    let alice = town.resident("alice", 100).joined().started().unlocked();
    let bob = town.resident("bob", 50).joined().started().unlocked();
    assert_eq!(alice.status().bank_by_way_of, None, "straight");
    settles("both are known", || alice.status().directory >= 6);
    loses_the_bank(&alice, &hall);
    settles("the bank is there", || alice.status().bank_reachable);
    assert_eq!(alice.status().bank_by_way_of.as_deref(), Some("hall"));
    let shown = alice.cli(&["status"]).expect_ok("status").stdout;
    assert!(shown.contains("connected by way of hall"), "{shown}");
    alice.unlocks();
    assert_eq!(alice.withdraws(60).state, "done");
    assert_eq!((alice.account().units.get(), alice.spendable()), (40, 60));
    settles("the vault is at the bank", || {
        let vault = alice.cli(&["--json", "vault"]).json();
        vault["there"] == vault["here"] && vault["here"] != json!(0)
    });

    // To somebody who is off: by the mailbox at the bank, and the answer comes back the same way.
    let code = bob.public_code().to_string();
    bob.stops();
    let left = alice.pays_to(&code, 15).sent();
    let lies = || alice.payment(left.payment).mailbox.is_some_and(|mailbox| mailbox.since.is_some());
    settles("it lies in the mailbox", lies);
    bob.starts();
    assert_eq!(alice.outcome(left.payment).outcome, "done");

    // Over the counter, and on to the bank under a name of its own.
    let sale = hall.sells("lunch", 10);
    alice.pays_to(&sale.uri.unwrap(), 10).done();
    let back = hall.sells("nothing", 5);
    hall.waits_for(&sale.sale);
    hall.gives_back(&sale.sale, 4);
    settles("the refund is confirmed at the bank", || {
        let balance = alice.balance();
        (balance.confirmed.get(), balance.unconfirmed.get()) == (39, 0)
    });
    hall.tries_to_cancel(&back.sale).unwrap();
    assert_eq!(alice.deposits(39).state, "done");
    assert_eq!((alice.account().units.get(), alice.reserve()), (79, 0));
    bob.unlocks();
    bob.has_settled();
    town.is_sound(&[&alice, &bob]);
}

/// M3, B7: the shop dies while the bank is being asked; when it is back the same request goes on, and moves the money once.
#[test]
fn the_shop_dies_in_the_middle() {
    let town = Community::open("Naxos");
    let hall = carrying(&town, "hall", "");
    let alice = town.resident("alice", 100).joined().started().unlocked();
    settles("the shop is known", || alice.status().directory >= 4);
    loses_the_bank(&alice, &hall);
    alice.unlocks();
    settles("carried", || alice.status().bank_by_way_of.is_some());
    town.bank().program().freeze();
    let request = alice.tries_to_withdraw_later(30);
    hall.program().kill();
    town.bank().program().thaw();
    settles("there is no way", || !alice.status().bank_reachable);
    let asked = alice.cli(&["--json", "operation", "show", &request.to_string()]).json();
    assert!(asked["state"] == "asked" || asked["state"] == "done", "{asked}");
    let later = alice.tries_to_withdraw_later(20);
    hall.program().start();
    assert_eq!(alice.answered(request).state, "done");
    assert_eq!(alice.answered(later).state, "done");
    assert_eq!((alice.account().units.get(), alice.spendable()), (50, 50), "each once");
    town.is_sound(&[&alice]);
}

/// M3, threats: somebody who is in no directory is carried nowhere; a shop that is full says so and the next one comes in when
/// there is room; a shop that does not carry is no way.
#[test]
fn strangers_and_too_many_are_not_carried() {
    let town = Community::open("Naxos");
    let hall = carrying(&town, "hall", "carries_at_once = 1");
    let plain = Shop::of(&town, "plain").opened();
    let alice = town.resident("alice", 10).joined().started();
    let bob = town.resident("bob", 10).joined().started();
    settles("all are known", || alice.status().directory >= 8 && bob.status().directory >= 8);
    let (known, nobody) = (Stranger::joins(&town, "eve", 0), Stranger::with_forged_papers(&town));
    let full = address_of(&hall).parse().unwrap();
    let door = |who: &Stranger| wait(knocks(who, &full));
    assert_eq!(door(&nobody), Err(CarryFault::Stranger));
    settles("the shop has heard of eve", || door(&known) != Err(CarryFault::Stranger));

    loses_the_bank(&alice, &hall);
    settles("alice is carried", || alice.status().bank_reachable);
    assert_eq!(door(&known), Err(CarryFault::Full));
    loses_the_bank(&bob, &plain);
    assert!(!bob.status().bank_reachable);
    bob.stops();
    sets(bob.program().home(), "# hall, too");
    let file = bob.program().home().join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(&address_of(&plain), &address_of(&hall))).unwrap();
    bob.starts();
    alice.stops();
    settles("there is room for bob", || bob.status().bank_by_way_of.as_deref() == Some("hall"));
}

/// Asks to be carried, with nothing but a node key; gives the place back at once.
async fn knocks(who: &Stranger, shop: &net::Multiaddr) -> Result<(), CarryFault> {
    let config = NetConfig {
        secret: who.node_secret(),
        listen: Vec::new(),
        bootstrap: Vec::new(),
        external: Vec::new(),
        role: Role::Client,
        mdns: false,
        neighbours: Vec::new(),
        carried: None,
    };
    let (net, _inbound) = net::start(config, Arc::new(NoRecords)).unwrap();
    assert_eq!(net.peer_id(), peer_of(&who.node().key().0).unwrap());
    let peer = net::named_by(shop).unwrap();
    let hello = wire::encode(&Hail::Hello);
    net.ask(peer, std::slice::from_ref(shop), Protocol::Pay, hello).await.unwrap();
    let door = net.door(peer).await.map(|(_, through)| through.abort());
    net.stop().await;
    door
}

struct NoRecords;

impl net::RecordCheck for NoRecords {
    fn check(&self, _: &[u8], _: &[u8]) -> Option<u64> {
        None
    }
    fn addresses(&self, _: &[u8]) -> Vec<net::Multiaddr> {
        Vec::new()
    }
}
