//! A key stolen from the bank's own folder, and the master key's word against it (threats H3, X4, Y6).

use super::{Operators, Scene, refusal};
use daemon::rpc::api::BulletinView;
use protocol::node::rpc::Empty;
use protocol::note::{Destination, Note};
use protocol::sign::{Signed, Signer};
use protocol::wire::{ErrorCode, PayAnswer};
use std::path::Path;
use tests::patience::{settles, wait};
use tests::people::Resident;

/// The secret of a working key, as a thief reads it.
fn stolen(folder: &Path, name: &str) -> Signer {
    let bytes = std::fs::read(folder.join("data/keys").join(name)).unwrap();
    Signer::from_secret(&bytes.try_into().unwrap())
}

fn bulletin(resident: &Resident) -> BulletinView {
    wait(resident.rpc().bulletin(Empty {})).unwrap()
}

/// H3: before the word a stolen issue key's money is taken within limits; after it by nobody, and honest money goes on.
#[test]
fn the_master_key_ends_what_a_stolen_issue_key_can_do() {
    let mut scene = Scene::new();
    let folder = scene.town.bank().program().home().to_owned();
    let epoch = scene.purse.note.root.unverified().epoch;
    let issue = stolen(&folder, &format!("issue-{epoch}"));
    settles("the first bulletin arrives", || bulletin(&scene.bob).number > 0);

    let forge = |scene: &mut Scene, serial: u64| {
        let mut draft = scene.draft();
        let purse = scene.mallory.fresh_key();
        let mut root = scene.purse.note.root.unverified().clone();
        (root.to, root.serial, root.id.0) = (purse.key(), serial, [9; 32]);
        let root: Signed<_> = issue.sign(root);
        let to = Destination::Key(draft.request.unverified().key());
        draft.with_notes(&[Note::fresh(root).hand_on(draft.range, to, &purse).unwrap()]);
        draft
    };
    let draft = forge(&mut scene, 900_001);
    let answer = scene.mallory.pays_draft(&scene.target, &draft);
    assert!(matches!(answer, PayAnswer::Receipt(_)), "nobody can know yet: {answer:?}");

    let master = folder.join("master/master.key");
    let key = issue.key().to_string();
    scene
        .town
        .bank()
        .cli(&["keys", "revoke", "--master", master.to_str().unwrap(), &key])
        .expect_ok("keys revoke");
    settles("Bob has heard of it", || !bulletin(&scene.bob).revoked.is_empty());
    assert_eq!(bulletin(&scene.bob).revoked[0].key.to_string(), key);
    let draft = forge(&mut scene, 900_002);
    let answer = scene.mallory.pays_draft(&scene.target, &draft);
    refusal("a note of a revoked key", answer, &draft, &scene.target, ErrorCode::RevokedEpoch);

    // Another key of the same day has taken its place.
    scene.purse = scene.mallory.withdraws(&[1_000]).remove(0);
    assert_ne!(scene.purse.note.root.unverified().epoch, epoch);
    let before = scene.bob.reserve();
    scene.mallory.pays(&scene.target, &mut scene.purse, 7);
    assert_eq!(scene.bob.reserve(), before + 7);
    assert_eq!(scene.town.bank().audits()["ok"], true);
}

/// X4, Y6: an operator's suspension reaches the workstations by itself, within moments.
#[test]
fn a_suspension_is_told_at_once() {
    let mut scene = Scene::new();
    settles("the first bulletin arrives", || bulletin(&scene.bob).number > 0);
    scene.mallory.pays(&scene.target, &mut scene.purse, 7);
    let seen = bulletin(&scene.bob).number;
    let bank = scene.town.bank();
    Operators::of(bank).decide(bank, "suspend", scene.mallory.account);
    settles("Bob has heard of it", || {
        let told = bulletin(&scene.bob);
        told.suspended == 1 && told.number > seen
    });
    let offer = scene.mallory.offer(30, "lunch");
    super::error(
        "an offer of somebody suspended",
        &scene.mallory.says(&scene.target, offer),
        ErrorCode::Suspended,
    );
}
