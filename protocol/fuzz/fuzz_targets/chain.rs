//! Two notes: what holds, stays inside its root; comparing never panics and agrees with itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::key::bank::BankKeys;
use protocol::note::{Checked, Note, Relation, compare};
use protocol::sign::Signer;

fuzz_target!(|input: &[u8]| {
    let Ok((ours, theirs)) = rmp_serde::from_slice::<(Note, Note)>(input) else { return };
    for note in [&ours, &theirs] {
        if let Ok(holding) = note.holding() {
            assert!(note.root.unverified().range().contains(holding.range));
            assert_eq!(holding.root, note.root.digest());
            if !note.links.is_empty() {
                assert_eq!(holding.tip, note.links[note.links.len() - 1].digest());
            }
        }
        let keys = BankKeys::pinned(Signer::from_secret(&[101; 32]).key());
        assert!(note.clone().verify(&keys, &mut Checked::default()).is_err(), "no issue key is known");
        let _ = note.check_links(&mut Checked::default());
    }
    let (there, back) = (compare(&ours, &theirs), compare(&theirs, &ours));
    match there {
        Relation::Apart | Relation::Fork { .. } => assert_eq!(back, there),
        Relation::ComesHome => assert_eq!(back, Relation::Seen),
        Relation::Seen => assert!(matches!(back, Relation::Seen | Relation::ComesHome)),
    }
});
