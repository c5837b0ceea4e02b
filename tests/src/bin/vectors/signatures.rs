//! Signatures that some verifiers take and ours must not (SPEC §2.6), and keys that are none.

use crate::scene::{Bank, Person};
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use protocol::body::Body;
use protocol::id::Key;
use protocol::note::Root;
use protocol::sign::{Signed, Signer};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

const SECRET: [u8; 32] = [102; 32];
/// The order of the base point, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// A signature whose R carries `torsion`: a cofactored check takes it, a strict one does not.
fn with_torsion(message: &[u8], key: &Key, torsion: EdwardsPoint) -> [u8; 64] {
    let expanded = Sha512::digest(SECRET);
    let secret = Scalar::from_bytes_mod_order(clamp_integer(expanded[..32].try_into().unwrap()));
    let nonce = Scalar::from(4_711u64);
    let r = (ED25519_BASEPOINT_POINT * nonce + torsion).compress().0;
    let hash = Sha512::new().chain_update(r).chain_update(key.0).chain_update(message).finalize();
    let k = Scalar::from_bytes_mod_order_wide(&hash.into());
    let s = nonce + k * secret;
    assert!(cofactored(&r, &s, &k, key), "a batch would take it");
    [r, s.to_bytes()].concat().try_into().unwrap()
}

/// 8·s·B = 8·R + 8·k·A.
fn cofactored(r: &[u8; 32], s: &Scalar, k: &Scalar, key: &Key) -> bool {
    let [r, a] = [*r, key.0].map(|bytes| CompressedEdwardsY(bytes).decompress().unwrap());
    (ED25519_BASEPOINT_POINT * s - r - a * k).is_small_order()
}

/// s + L, little-endian: the same number modulo L, another signature.
fn plus_order(s: &[u8]) -> [u8; 32] {
    let mut carry = 0u16;
    std::array::from_fn(|at| {
        let sum = u16::from(s[at]) + u16::from(ORDER[at]) + carry;
        carry = sum >> 8;
        u8::try_from(sum & 0xff).unwrap()
    })
}

pub(crate) fn all() -> Value {
    let (bank, owner) = (Bank::new(), Person::new(1).note_key(9));
    let root = bank.root(1, 100, owner.key());
    let signer = Signer::from_secret(&SECRET);
    let (key, bytes) = (signer.key(), root.to_bytes());
    let message = [b"stermina/1/root\0", &bytes[..]].concat();
    let good: [u8; 64] = signer.sign(root).to_bytes()[bytes.len()..].try_into().unwrap();
    let high = [&good[..32], &plus_order(&good[32..])].concat().try_into().unwrap();
    let small = Key(EIGHT_TORSION[0].compress().0);
    let mut signatures = vec![
        ("good", key, good),
        ("S is not below the group's order", key, high),
        ("R and key are the identity, S is zero", small, [small.0, [0; 32]].concat().try_into().unwrap()),
        ("zeros", key, [0; 64]),
    ];
    let names = ["R plus torsion of order 8", "R plus torsion of order 4", "R plus torsion of order 2"];
    for (name, at) in names.into_iter().zip([1, 2, 4]) {
        signatures.push((name, key, with_torsion(&message, &key, EIGHT_TORSION[at])));
    }
    let entry = |(name, key, signature): (&str, Key, [u8; 64])| {
        let signed = [&bytes[..], &signature].concat();
        let verifies = Signed::<Root>::from_bytes(&signed).unwrap().check_by(&key).is_ok();
        json!({ "name": name, "key": key, "signature": hex::encode(signature), "verifies": verifies })
    };
    json!({
        "type": "root", "body": hex::encode(&bytes), "message": hex::encode(&message),
        "signatures": signatures.into_iter().map(entry).collect::<Vec<_>>(), "keys": keys(),
    })
}

fn keys() -> Vec<Value> {
    let good = Person::new(1).owner().key();
    let point = CompressedEdwardsY(good.0).decompress().unwrap();
    let mixed = Key((point + EIGHT_TORSION[1]).compress().0);
    let mut not_canonical = [0xff; 32];
    (not_canonical[0], not_canonical[31]) = (0xee, 0x7f);
    let mut negative_zero = EIGHT_TORSION[0].compress().0;
    negative_zero[31] |= 0x80;
    let cases = [
        ("an owner's key", good),
        ("with torsion: a note key, no owner's", mixed),
        ("zeros: small order", Key([0; 32])),
        ("the identity", Key(EIGHT_TORSION[0].compress().0)),
        ("y = 1 written as p + 1", Key(not_canonical)),
        ("x = 0 with a sign", Key(negative_zero)),
        ("no point", Key([0xff; 32])),
    ];
    let entry = |(name, key): (&str, Key)| json!({ "name": name, "key": key, "usable": key.parse().is_ok(), "owner": key.parse_owner().is_ok() });
    cases.into_iter().map(entry).collect()
}
