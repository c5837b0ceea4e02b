//! Bytes that are no message: second forms, half ones, too long ones, any ones; to both protocols.

use super::{Scene, error, untouched};
use protocol::node::chance::chance_bytes;
use protocol::node::net::Protocol;
use protocol::note::{Destination, Link};
use protocol::seal::SIZES;
use protocol::wire::{
    BankAnswer, BankAsk, ErrorCode, Hail, HailAnswer, Letterhead, PayAnswer, PayAsk, decode, encode,
};
use tests::stranger::wire::{Reply, Scrawler, framed};
use tests::stranger::{Stranger, Target};

/// Random bytes of a length.
fn noise(length: usize) -> Vec<u8> {
    (0..length.div_ceil(32)).flat_map(|_| chance_bytes::<32>()).take(length).collect()
}

fn hail_error(stranger: &Stranger, target: &Target, what: &str, bytes: Vec<u8>, code: ErrorCode) {
    let answer = stranger.sends(target, bytes).unwrap_or_else(|why| panic!("{what}: no answer: {why}"));
    let answer: HailAnswer = decode(&answer).unwrap();
    assert!(
        matches!(answer, HailAnswer::Error(told) if told == code),
        "{what}: {code:?} expected: {answer:?}"
    );
}

/// Finds a part and puts another in its place.
fn replaced(bytes: &[u8], part: &[u8], by: &[u8]) -> Vec<u8> {
    let at = bytes.windows(part.len()).position(|window| window == part).expect("the part is there");
    [&bytes[..at], by, &bytes[at + part.len()..]].concat()
}

/// Threats X8: a payment has one form. Every other one is no message, on the outside and inside the envelope.
#[test]
fn a_workstation_takes_messages_in_their_one_form_only() {
    let mut scene = Scene::new();
    let draft = scene.draft();
    let (mallory, bob, target) = (&scene.mallory, &scene.bob, &scene.target);
    let letter = Letterhead {
        from: mallory.introduction.clone(),
        ask: PayAsk::Pay(Box::new(draft.signed(&mallory.owner()))),
    };
    let whole = encode(&letter);
    let offer = encode(&Letterhead { from: mallory.introduction.clone(), ask: mallory.offer(30, "lunch") });

    untouched(bob, "a second form inside the envelope", || {
        let forms: [(&str, Vec<u8>); 7] = [
            ("maps with names", rmp_serde::to_vec_named(&letter).unwrap()),
            ("a longer number", replaced(&offer, b"\x93\x1e\xa5lunch", b"\x93\xcc\x1e\xa5lunch")),
            ("a longer text", replaced(&offer, b"\x1e\xa5lunch", b"\x1e\xd9\x05lunch")),
            ("a byte behind it", [&whole[..], &[0]].concat()),
            ("half of it", whole[..whole.len() / 2].to_vec()),
            ("nothing", Vec::new()),
            ("noise", noise(3_000)),
        ];
        for (what, message) in forms {
            error(what, &mallory.says_bytes(target, &message), ErrorCode::Malformed);
        }
        let unknown = replaced(&offer, b"\xa5Offer", b"\xa5Gifts");
        error("an unknown kind", &mallory.says_bytes(target, &unknown), ErrorCode::Malformed);
        let nothing = replaced(&offer, b"\x93\x1e\xa5lunch", b"\x93\x00\xa5lunch");
        error("an offer of nothing", &mallory.says_bytes(target, &nothing), ErrorCode::Malformed);
    });

    untouched(bob, "bytes that are no envelope", || {
        let sealed = encode(&mallory.sealed(target, &whole));
        let mut turned = sealed.clone();
        *turned.last_mut().unwrap() ^= 1;
        let strange = [&[1][..], &noise(SIZES[1] - 1)].concat();
        let no_size = encode(&Hail::Sealed(noise(SIZES[0] - 1)));
        let to_nobody = {
            let stranger_view =
                Target { identity: mallory.introduction.identity.unverified().clone(), ..target.clone() };
            encode(&mallory.sealed(&stranger_view, &whole))
        };
        hail_error(mallory, target, "a bit turned", turned, ErrorCode::Malformed);
        hail_error(
            mallory,
            target,
            "noise in an envelope",
            encode(&Hail::Sealed(strange)),
            ErrorCode::NotMine,
        );
        hail_error(mallory, target, "sealed to another key", to_nobody, ErrorCode::NotMine);
        hail_error(mallory, target, "not one of the five sizes", no_size, ErrorCode::Malformed);
        hail_error(mallory, target, "cut off", sealed[..sealed.len() - 1].to_vec(), ErrorCode::Malformed);
        hail_error(mallory, target, "a byte behind it", [&sealed[..], &[0]].concat(), ErrorCode::Malformed);
        hail_error(mallory, target, "nothing", Vec::new(), ErrorCode::Malformed);
        hail_error(mallory, target, "too long", noise((256 << 10) + 65), ErrorCode::TooBig);
        for length in [1, 17, 1_000, 70_000] {
            hail_error(mallory, target, "noise", noise(length), ErrorCode::Malformed);
        }
        hail_error(mallory, target, "the bank's language", encode(&BankAsk::Terms), ErrorCode::Malformed);
    });
    untouched(bob, "broken frames", || broken_frames(target.peer, &target.addresses, Protocol::Pay));
    let (bank, at_bank) = mallory.bank_target();
    broken_frames(bank, &at_bank, Protocol::Bank);
    for (what, bytes) in [
        ("noise", noise(5_000)),
        ("nothing", Vec::new()),
        ("half a question", b"\x81\xa8Withdraw".to_vec()),
        ("a name of no question", b"\xa5Gifts".to_vec()),
        ("a byte behind it", [encode(&BankAsk::Terms), vec![0]].concat()),
    ] {
        let told: BankAnswer = decode(&mallory.sends_bank(bytes).unwrap()).unwrap();
        assert_eq!(told, BankAnswer::Error(ErrorCode::Malformed), "{what}");
    }
    let told: BankAnswer = decode(&mallory.sends_bank(noise((256 << 10) + 1)).unwrap()).unwrap();
    assert_eq!(told, BankAnswer::Error(ErrorCode::TooBig));
    assert!(mallory.sends(target, encode(&Hail::Hello)).is_ok(), "who greets properly is greeted");
    scene.is_none_the_worse();
}

/// Half a frame, a length that is a lie, more than one frame: the stream is closed, nothing is answered.
fn broken_frames(
    peer: protocol::node::net::PeerId,
    addresses: &[protocol::node::net::Multiaddr],
    protocol: Protocol,
) {
    let mut scrawler = Scrawler::connects(peer, addresses, protocol);
    let claims = |length: u32, body: &[u8]| [&length.to_be_bytes(), body].concat();
    let frames = [
        claims(100, b"half of it"),
        claims(u32::MAX, &noise(5_000)),
        claims(400 << 10, &noise(64 << 10)),
        b"\0\0".to_vec(),
        framed(&[]).split_at(3).0.to_vec(),
    ];
    for frame in frames {
        scrawler.writes(frame.clone());
        match scrawler.hears() {
            Reply::Bytes(bytes) => assert!(bytes.is_empty(), "{protocol:?}: {} bytes back", bytes.len()),
            Reply::Broke(_) => {}
        }
    }
    // The same connection, and a good frame: the node still answers on it.
    let hello = match protocol {
        Protocol::Pay => encode(&Hail::Hello),
        Protocol::Bank => encode(&BankAsk::Terms),
    };
    scrawler.writes(framed(&hello));
    let Reply::Bytes(bytes) = scrawler.hears() else { panic!("a good question has an answer") };
    assert!(bytes.len() > 100, "{protocol:?}: {bytes:?}");
}

/// Threats H1: a peer that sends nonsense, or forged notes, again and again is turned away for a while; others are not.
#[test]
fn who_sends_nonsense_is_turned_away_for_a_while() {
    let mut scene = Scene::new();
    let mut forged = scene.draft();
    let thief = scene.mallory.fresh_key();
    let mut note = scene.purse.note.clone();
    let to = Destination::Key(forged.request.unverified().key());
    note.links.push(thief.sign(Link { prev: note.root.digest(), range: forged.range, to }));
    forged.with_notes(&[note]);
    let letter = Letterhead {
        from: scene.mallory.introduction.clone(),
        ask: PayAsk::Pay(Box::new(forged.signed(&scene.mallory.owner()))),
    };
    let sealed = || encode(&scene.mallory.sealed(&scene.target, &encode(&letter)));
    is_turned_away(&scene, "noise", || noise(64));
    is_turned_away(&scene, "forged notes", sealed);
    let told = scene.mallory.says(&scene.target, scene.mallory.offer(5, ""));
    assert!(matches!(told, PayAnswer::Request(_)), "another peer is welcome: {told:?}");
    scene.is_none_the_worse();
}

fn is_turned_away(scene: &Scene, what: &str, message: impl Fn() -> Vec<u8>) {
    let mut scrawler = Scrawler::connects(scene.target.peer, &scene.target.addresses, Protocol::Pay);
    let mut answered = 0;
    // 10,000 points, 500 a message, 200 back a second: after some twenty it is over.
    let banned = (0..200).any(|_| {
        scrawler.writes(framed(&message()));
        match scrawler.hears() {
            Reply::Bytes(bytes) if !bytes.is_empty() => answered += 1,
            Reply::Bytes(_) => {}
            Reply::Broke(_) => return true,
        }
        false
    });
    assert!(banned && answered >= 20, "{what}: turned away after {answered}");
}
