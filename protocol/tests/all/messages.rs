//! Messages of the wire under hostile hands (SPEC §5.1): no panic, and never two forms of one message.

use crate::scene::Scene;
use proptest::collection::vec;
use proptest::prelude::*;
use protocol::id::{Digest, RequestId};
use protocol::key::bank::Usage;
use protocol::note::NoteTable;
use protocol::wire::{
    BankAnswer, BankAsk, ErrorCode, Hail, HailAnswer, Item, Letterhead, Message, PayAnswer, PayAsk, decode,
    encode,
};
use std::fmt::Debug;

fn reads_only_its_form<M: Message + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(message) = decode::<M>(bytes) {
        assert_eq!(encode(&message), bytes, "{message:?}");
    }
}

fn every_reader(bytes: &[u8]) {
    reads_only_its_form::<Hail>(bytes);
    reads_only_its_form::<HailAnswer>(bytes);
    reads_only_its_form::<Letterhead>(bytes);
    reads_only_its_form::<PayAnswer>(bytes);
    reads_only_its_form::<BankAsk>(bytes);
    reads_only_its_form::<BankAnswer>(bytes);
}

/// Good messages of many shapes.
fn good() -> Vec<Vec<u8>> {
    let scene = Scene::new();
    let from = scene.alice.introduction(&scene.bank);
    let mut payment = scene.payment();
    payment.keys = vec![scene.bank.certify(Usage::Issue, 7, scene.bank.issue.key())];
    let table = || NoteTable::pack(&scene.notes);
    let ticketed = scene.bob.node().sign(scene.request.clone());
    vec![
        encode(&Hail::Hello),
        encode(&Hail::Sealed(vec![3; 9])),
        encode(&HailAnswer::Introduction(from.clone(), payment.keys.clone())),
        encode(&Letterhead { from, ask: PayAsk::Pay(Box::new(payment)) }),
        encode(&PayAnswer::Request(Box::new(ticketed))),
        encode(&PayAnswer::Error(ErrorCode::Busy)),
        encode(&BankAsk::Status(RequestId([1; 16]), Digest([2; 32]))),
        encode(&BankAsk::Reissue(vec![1, 2, 3], table())),
        encode(&BankAnswer::Denied(vec![(3, Item::Clash(table()))])),
        encode(&BankAnswer::Deposited(
            vec![Item::Clash(table()), Item::Refused(ErrorCode::BadChain)],
            scene.bank.attest.sign(letter(&scene)),
        )),
    ]
}

fn letter(scene: &Scene) -> protocol::bank::Letter {
    protocol::bank::Letter {
        bank: scene.bank.id(),
        number: 1,
        kind: protocol::bank::LetterKind::Deposit,
        owner: scene.bob.owner().key(),
        request: Digest([1; 32]),
        units: crate::scene::units(30),
        balance: crate::scene::units(30),
        at: crate::scene::NOW,
    }
}

#[test]
fn good_messages_are_read() {
    let read = |bytes: &Vec<u8>| {
        decode::<Hail>(bytes).is_ok()
            || decode::<HailAnswer>(bytes).is_ok()
            || decode::<Letterhead>(bytes).is_ok()
            || decode::<PayAnswer>(bytes).is_ok()
            || decode::<BankAsk>(bytes).is_ok()
            || decode::<BankAnswer>(bytes).is_ok()
    };
    assert!(good().iter().all(read));
}

#[test]
fn no_message_is_read_from_a_part_of_it() {
    for message in good() {
        for cut in 0..message.len() {
            let part = &message[..cut];
            assert!(decode::<Letterhead>(part).is_err() && decode::<BankAnswer>(part).is_err());
            assert!(decode::<BankAsk>(part).is_err() && decode::<HailAnswer>(part).is_err());
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_break_a_reader(bytes in vec(any::<u8>(), 0..300)) {
        every_reader(&bytes);
    }

    /// A good message with bytes changed, cut out or put in, most of all among the first, where the forms are.
    #[test]
    fn no_changed_message_has_two_forms(
        which in any::<prop::sample::Index>(),
        changes in vec((any::<prop::sample::Index>(), any::<bool>(), 0..3u8, any::<u8>()), 1..5),
    ) {
        let mut bytes = which.get(&good()).clone();
        for (at, early, what, byte) in changes {
            let reach = if early { bytes.len().min(24) } else { bytes.len() };
            if reach == 0 {
                break;
            }
            let at = at.index(reach);
            match what {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        every_reader(&bytes);
    }
}
