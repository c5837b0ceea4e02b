//! What was sent before, sent again: to the same payee, to another one, changed a little.

use super::{Scene, error, receives, refusal, state, untouched};
use protocol::node::rpc::Empty;
use protocol::note::Destination;
use protocol::wire::{ErrorCode, PayAnswer, PayAsk};
use tests::patience::{settles, wait};

/// B7, threats H4: the same payment gets the same receipt for ever; anything else under its name gets nothing.
#[test]
fn a_payment_that_is_sent_again_is_one_payment() {
    let mut scene = Scene::new();
    let carol = receives(&scene.town, "carol");
    let to_carol = scene.mallory.finds(&carol);
    let draft = scene.draft();
    let paid = PayAsk::Pay(Box::new(draft.signed(&scene.mallory.owner())));
    let PayAnswer::Receipt(receipt) = scene.mallory.says(&scene.target, paid.clone()) else {
        panic!("the first time it is money")
    };

    let (mallory, bob, target) = (&scene.mallory, &scene.bob, &scene.target);
    untouched(bob, "a replay", || {
        for _ in 0..3 {
            let again = mallory.says(target, paid.clone());
            assert!(
                matches!(&again, PayAnswer::Receipt(same) if same.to_bytes() == receipt.to_bytes()),
                "the very same receipt: {again:?}"
            );
        }
    });
    untouched(&carol, "a replay to another payee", || {
        error("as it is", &mallory.says(&to_carol, paid.clone()), ErrorCode::NotMine);
        let mut hers = draft.clone();
        hers.order.payee = carol.public_code().owner();
        error("with her name in it", &mallory.pays_draft(&to_carol, &hers), ErrorCode::UnknownRequest);
        hers.request = mallory.is_asked(&to_carol, 30, "lunch");
        hers.order.request = hers.request.digest();
        let told = mallory.pays_draft(&to_carol, &hers);
        refusal("on her own request", told, &hers, &to_carol, ErrorCode::BadChain);
    });
    untouched(bob, "a known payment id with another body", || {
        let mut other = mallory.drafts(target, &mut scene.purse, 30);
        other.order.payment = draft.order.payment;
        error("another order", &mallory.pays_draft(target, &other), ErrorCode::IdReused);
    });
    untouched(bob, "the request again, under a new id", || {
        let other = mallory.drafts_on(draft.request.clone(), &mut scene.purse, 30);
        error("another payment", &mallory.pays_draft(target, &other), ErrorCode::RequestUsed);
    });
    let before = state(bob);
    {
        let mut other = mallory.drafts(target, &mut scene.purse, 30);
        let to = Destination::Key(other.request.unverified().key());
        other.with_notes(&[scene.purse.hands(draft.range, to)]);
        let told = mallory.pays_draft(target, &other);
        refusal("the same units", told, &other, target, ErrorCode::Fork);
    }
    let (reserve, lines, events) = before;
    assert_eq!(
        state(bob),
        (reserve, lines, events + 1),
        "units that he has already: kept as evidence, and told"
    );
    scene.ends_well();
}

/// Threats X1, M3: the same units to two payees. Both are told yes; the bank gives them to one, and says so to the other.
#[test]
fn units_that_are_spent_twice_are_paid_once() {
    let mut scene = Scene::new();
    let carol = receives(&scene.town, "carol");
    let to_carol = scene.mallory.finds(&carol);
    let first = scene.mallory.drafts(&scene.target, &mut scene.purse, 30);
    let mut second = scene.mallory.drafts(&to_carol, &mut scene.purse, 30);
    let to = Destination::Key(second.request.unverified().key());
    second.with_notes(&[scene.purse.hands(first.range, to)]);
    for (target, draft) in [(&scene.target, &first), (&to_carol, &second)] {
        let told = scene.mallory.pays_draft(target, draft);
        assert!(matches!(told, PayAnswer::Receipt(_)), "nobody can know it yet: {told:?}");
    }

    scene.bob.unlocks();
    scene.bob.has_refreshed();
    assert_eq!(scene.bob.reserve(), 30, "who comes first has it");
    carol.unlocks();
    settles("carol hears it from the bank", || carol.history().iter().any(|line| line.movement == "lost"));
    let claims = || wait(carol.rpc().claim_list(Empty {})).unwrap().claims;
    settles("carol's claim is with the bank", || claims().iter().any(|claim| claim.state == "open"));
    assert_eq!(carol.reserve(), 0, "the units are the first one's");
    let lines = carol.history();
    assert_eq!(lines.len(), 2, "received and lost: {lines:?}");

    scene.mallory.pays(&to_carol, &mut scene.purse, 5);
    scene.town.is_sound(&[&carol]);
    scene.ends_well();
}
