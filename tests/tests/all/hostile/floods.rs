//! Too much of everything: half frames held open, connections, noise, offers. Honest payments pass meanwhile.

use super::{Scene, receives};
use protocol::node::net::Protocol;
use protocol::wire::{ErrorCode, PayAnswer};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tests::people::Resident;
use tests::stranger::wire::{Reply, Scrawler, framed};
use tests::stranger::{Stranger, Target};

/// Connections that hold streams open, and streams on each.
const LORISES: usize = 8;
const HELD: usize = 24;
/// Connections that say nothing at all.
const MUTE: usize = 100;
/// Threads that send noise as fast as they can.
const NOISY: usize = 3;
/// Honest payments meanwhile.
const HONEST: u64 = 12;
/// What a locked workstation has tickets for.
const TICKETS: usize = 512;

/// N7, threats H1: half frames held open, mute connections and noise at once; every honest payment arrives.
#[test]
fn honest_payments_pass_in_the_middle_of_a_flood() {
    let scene = Scene::new();
    let alice = scene.town.resident("alice", 1_000).joined().started().unlocked();
    alice.withdraws(500);
    let mut lorises = hold_half_frames(&scene.target);
    let mute = mute_connections(&scene.target);
    let (over, sent) = (AtomicBool::new(false), AtomicUsize::new(0));

    std::thread::scope(|threads| {
        for _ in 0..NOISY {
            threads.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    // Answered or turned away, it goes on under another name.
                    let _ = scene.mallory.sends(&scene.target, vec![0xc1; 20_000]);
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let paid = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for number in 0..HONEST {
                alice.pays(&scene.bob, 1 + number).memo("in the flood").done();
            }
        }));
        over.store(true, Ordering::Relaxed);
        paid.expect("every honest payment is done");
    });
    assert!(sent.into_inner() > 0, "there was noise");
    drop(mute);
    let arrived: u64 = (1..=HONEST).sum();
    assert_eq!((alice.reserve(), scene.bob.reserve()), (500 - arrived, arrived));

    // The deadline for a request ends what is held open: the payee does it, not the one who holds.
    for loris in &mut lorises {
        for _ in 0..HELD {
            match loris.hears() {
                Reply::Bytes(bytes) => assert!(bytes.is_empty(), "half a frame is no question"),
                Reply::Broke(why) => assert!(!why.contains("never ended"), "{why}"),
            }
        }
    }
    scene.town.is_sound(&[&alice]);
    scene.is_none_the_worse();
}

fn hold_half_frames(target: &Target) -> Vec<Scrawler> {
    let lorises: Vec<Scrawler> =
        (0..LORISES).map(|_| Scrawler::connects(target.peer, &target.addresses, Protocol::Pay)).collect();
    for loris in &lorises {
        for _ in 0..HELD {
            let mut half = framed(&[7; 1_000]);
            half.truncate(500);
            loris.writes_and_holds(half);
        }
    }
    lorises
}

fn mute_connections(target: &Target) -> Vec<TcpStream> {
    let mut parts = target.addresses[0].iter();
    let (Some(libp2p::multiaddr::Protocol::Ip4(ip)), Some(libp2p::multiaddr::Protocol::Tcp(port))) =
        (parts.next(), parts.next())
    else {
        panic!("a workstation of a scene listens on TCP: {}", target.addresses[0])
    };
    (0..MUTE).map(|_| TcpStream::connect((ip, port)).unwrap()).collect()
}

/// N3, threats H1: one payer, however often he asks, takes only so many tickets from a locked workstation; the next
/// payer still gets one. (Locked, it has 512 and can make no more.)
#[test]
fn a_flood_of_offers_leaves_tickets_for_others() {
    let scene = Scene::new();
    let carol = Stranger::joins(&scene.town, "carol", 100);
    let left = |bob: &Resident| bob.status().tickets_left;
    let before = left(&scene.bob);
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                for _ in 0..(TICKETS + 100) / 4 {
                    let told = scene.mallory.says(&scene.target, scene.mallory.offer(5, "again"));
                    let fine = matches!(told, PayAnswer::Request(_) | PayAnswer::Error(ErrorCode::Busy));
                    assert!(fine, "{told:?}");
                }
            });
        }
    });
    assert!(left(&scene.bob) + 128 >= before, "{} of {before} tickets are left", left(&scene.bob));
    let told = carol.says(&scene.target, carol.offer(5, "honest"));
    assert!(matches!(told, PayAnswer::Request(_)), "{told:?}");
    scene.is_none_the_worse();
}

/// Threats H1: two hundred names at once are no reason to keep an honest one out.
#[test]
fn many_connections_leave_room_for_one_more() {
    let scene = Scene::new();
    let alice = scene.town.resident("alice", 500).joined().started().unlocked();
    alice.withdraws(100);
    let crowd: Vec<Scrawler> = (0..200)
        .map(|_| Scrawler::connects(scene.target.peer, &scene.target.addresses, Protocol::Pay))
        .collect();
    for one in &crowd {
        one.writes_and_holds(vec![0]);
    }
    alice.pays(&scene.bob, 40).memo("in the crowd").done();
    assert_eq!(scene.bob.reserve(), 40);
    drop(crowd);
    let _ = receives(&scene.town, "carol");
    scene.town.is_sound(&[&alice]);
    scene.is_none_the_worse();
}
