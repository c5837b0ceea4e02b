//! Strict verification (SPEC §2.6, threats H5): a batch takes what a single check refuses, so nobody batches.

use crate::scene::{Bank, Person};
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use proptest::prelude::*;
use protocol::body::Body;
use protocol::note::Root;
use protocol::sign::{Signed, Signer};
use sha2::{Digest as _, Sha512};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn torsion_in_r_is_refused(secret in any::<[u8; 32]>(), nonce in any::<[u8; 32]>(), which in 1..8usize) {
        let root = Bank::new().root(1, 100, Person::new(1).note_key(0).key());
        let (key, body) = (Signer::from_secret(&secret).key(), root.to_bytes());
        let expanded = Sha512::digest(secret);
        let secret = Scalar::from_bytes_mod_order(clamp_integer(expanded[..32].try_into().unwrap()));
        let nonce = Scalar::from_bytes_mod_order(nonce);
        let signature = |torsion: EdwardsPoint| {
            let r = (ED25519_BASEPOINT_POINT * nonce + torsion).compress();
            let hash = Sha512::new().chain_update(r.0).chain_update(key.0);
            let hash = hash.chain_update(b"stermina/1/root\0").chain_update(&body).finalize();
            let k = Scalar::from_bytes_mod_order_wide(&hash.into());
            let s = nonce + k * secret;
            let key = CompressedEdwardsY(key.0).decompress().unwrap();
            let rest = ED25519_BASEPOINT_POINT * s - r.decompress().unwrap() - key * k;
            assert!(rest.is_small_order(), "a cofactored check, as in a batch, takes it");
            [&body[..], &r.0, &s.to_bytes()].concat()
        };
        let checks = |signed: Vec<u8>| Signed::<Root>::from_bytes(&signed).unwrap().check_by(&key).is_ok();
        prop_assert!(checks(signature(EIGHT_TORSION[0])), "without torsion it is a plain signature");
        prop_assert!(!checks(signature(EIGHT_TORSION[which])));
    }
}
