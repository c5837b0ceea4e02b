//! Orders that do not fit their request, requests that nobody made, papers that the bank did not sign.

use super::{Operators, Scene, error, untouched};
use protocol::bank::Introduction;
use protocol::body::Text;
use protocol::id::{Digest, PaymentId};
use protocol::node::chance::chance_bytes;
use protocol::node::rpc::Empty;
use protocol::pay::Order;
use protocol::time::{DAY_SECONDS, Timestamp};
use protocol::wire::{ErrorCode, PayAnswer, PayAsk};
use tests::patience::wait;
use tests::people::amount;
use tests::stranger::draft::{Draft, altered};
use tests::stranger::{Stranger, now};

/// What is wrong, the code it gets, and how it is done to a payment that was honest.
type Misfit = (&'static str, ErrorCode, fn(&Stranger, &mut Draft));

const MISFITS: &[Misfit] = &[
    ("an order for somebody else", ErrorCode::NotMine, |payer, draft| {
        draft.order.payee = payer.fresh_key().key();
    }),
    ("an order in another bank's money", ErrorCode::NotMine, |_, draft| draft.order.bank.0 = [7; 8]),
    ("an order on another request", ErrorCode::UnknownRequest, |_, draft| {
        draft.order.request = Digest([7; 32]);
    }),
    ("a request by another workstation", ErrorCode::UnknownRequest, |payer, draft| {
        let mut request = draft.request.unverified().clone();
        request.node = payer.node().key();
        draft.request = payer.node().sign(request);
        draft.order.request = draft.request.digest();
    }),
    ("a request that the payee did not sign", ErrorCode::BadSignature, |payer, draft| {
        let mut request = draft.request.unverified().clone();
        request.id.0 = chance_bytes();
        draft.request = payer.node().sign(request);
        draft.order.request = draft.request.digest();
    }),
    ("a request that was changed", ErrorCode::BadSignature, |_, draft| {
        draft.request = altered(&draft.request, |request| request.memo = Text::new("more", 140).unwrap());
        draft.order.request = draft.request.digest();
    }),
    ("a request with a key of the payer's", ErrorCode::BadSignature, |payer, draft| {
        let key = payer.fresh_key().key();
        draft.request = altered(&draft.request, |request| {
            request.ticket = altered(&request.ticket, |ticket| ticket.key = key);
        });
        draft.order.request = draft.request.digest();
    }),
    ("another amount than was asked for", ErrorCode::UnknownRequest, |_, draft| {
        draft.order.amount = amount(29);
    }),
    ("an order that has expired", ErrorCode::Expired, |_, draft| {
        draft.order.created = Timestamp(now().0 - 10_000);
        draft.order.expires = Timestamp(now().0 - 700);
    }),
    ("an order from the future", ErrorCode::Expired, |_, draft| {
        draft.order.created = now().plus_seconds(1_000)
    }),
    ("an order on a request that had ended", ErrorCode::Expired, |_, draft| {
        draft.order.created = now().plus_seconds(2 * DAY_SECONDS);
        draft.order.expires = now().plus_seconds(3 * DAY_SECONDS);
    }),
    ("an order that runs for ever", ErrorCode::Expired, |_, draft| {
        draft.order.expires = now().plus_seconds(40 * DAY_SECONDS);
    }),
    ("an order of somebody else", ErrorCode::NotCertified, |payer, draft| {
        draft.order.payer = payer.fresh_key().key();
    }),
    ("an order of the payee himself", ErrorCode::SelfPayment, |_, draft| {
        draft.order.payer = draft.order.payee
    }),
    ("another memo than the order's", ErrorCode::Malformed, |_, draft| draft.memo.push('!')),
    ("a memo that is too long", ErrorCode::Malformed, |_, draft| {
        draft.memo = "m".repeat(141);
        draft.order.memo = Order::memo_digest(&draft.memo);
    }),
    ("a memo that turns the line around", ErrorCode::Malformed, |_, draft| {
        draft.memo = "lunch\u{202e}".to_owned();
        draft.order.memo = Order::memo_digest(&draft.memo);
    }),
];

/// N7, N14: whatever does not fit is turned away before a note is looked at, by its own code, and leaves no trace.
#[test]
fn orders_that_do_not_fit_are_turned_away() {
    let mut scene = Scene::new();
    for (what, code, bend) in MISFITS {
        let mut draft = scene.draft();
        bend(&scene.mallory, &mut draft);
        untouched(&scene.bob, what, || error(what, &scene.mallory.pays_draft(&scene.target, &draft), *code));
    }
    let what = "an order that the payer did not sign";
    let draft = scene.draft();
    let forged = PayAsk::Pay(Box::new(draft.signed(&scene.mallory.fresh_key())));
    untouched(&scene.bob, what, || {
        error(what, &scene.mallory.says(&scene.target, forged), ErrorCode::BadSignature);
    });
    scene.ends_well();
}

/// N14: papers that the bank did not sign, or that are somebody else's, open no door.
#[test]
fn nobody_pays_with_papers_that_are_not_his() {
    let mut scene = Scene::new();
    let (bob, target) = (&scene.bob, &scene.target);
    let mayor = Stranger::with_forged_papers(&scene.town);
    let draft = scene.mallory.drafts(target, &mut scene.purse, 30);

    untouched(bob, "a certificate that one wrote oneself", || {
        error("an offer", &mayor.says(target, mayor.offer(30, "")), ErrorCode::NotCertified);
        let order = Order { payer: mayor.owner().key(), ..draft.order.clone() };
        let payment = Draft { order, ..draft.clone() }.signed(&mayor.owner());
        error("a payment", &mayor.says(target, PayAsk::Pay(Box::new(payment))), ErrorCode::NotCertified);
    });
    untouched(bob, "another name and limit in a real certificate", || {
        let certificate = altered(&scene.mallory.introduction.certificate, |paper| {
            paper.offline_limit = amount(1_000_000);
        });
        let papers = Introduction { certificate, ..scene.mallory.introduction.clone() };
        let offered = scene.mallory.says_as(papers, target, scene.mallory.offer(900, ""));
        error("an offer", &offered, ErrorCode::NotCertified);
    });
    untouched(bob, "a real certificate of somebody else", || {
        let certificate = scene.mallory.introduction.certificate.clone();
        let papers = Introduction { certificate, ..mayor.introduction.clone() };
        error("an offer", &mayor.says_as(papers, target, mayor.offer(30, "")), ErrorCode::NotCertified);
    });
    untouched(bob, "an envelope of one with the papers of another", || {
        let papers = scene.mallory.introduction.clone();
        let offered = mayor.says_as(papers.clone(), target, mayor.offer(30, ""));
        error("an offer", &offered, ErrorCode::NotCertified);
        let payment = PayAsk::Pay(Box::new(draft.signed(&scene.mallory.owner())));
        error("a payment", &mayor.says_as(papers, target, payment), ErrorCode::NotCertified);
    });
    untouched(bob, "a confirmation of a payment that never was", || {
        let receipt = mayor.node().sign(protocol::pay::Receipt {
            order: Digest([1; 32]),
            payee: scene.mallory.owner().key(),
            amount: amount(30),
            received: now(),
            confirmed: true,
        });
        let confirm = PayAsk::Confirm(PaymentId([1; 16]), receipt);
        error("a confirmation", &scene.mallory.says(target, confirm), ErrorCode::NotFound);
    });
    scene.ends_well();
}

/// N14: the directory's word counts more than a certificate that was good when it was written.
#[test]
fn a_suspended_payer_is_turned_away() {
    let mut scene = Scene::new();
    let eve = Stranger::joins(&scene.town, "eve", 100);
    let mut purse = eve.withdraws(&[100]).remove(0);
    eve.pays(&scene.target, &mut purse, 10);
    let draft = eve.drafts(&scene.target, &mut purse, 10);
    let operators = Operators::of(scene.town.bank());
    let decide = |change: &str| operators.decide(scene.town.bank(), change, eve.account);
    decide("suspend");
    wait(scene.bob.rpc().directory_sync(Empty {})).unwrap();

    untouched(&scene.bob, "money of a suspended payer", || {
        error("an offer", &eve.says(&scene.target, eve.offer(10, "")), ErrorCode::Suspended);
        error("a payment", &eve.pays_draft(&scene.target, &draft), ErrorCode::Suspended);
    });
    decide("reinstate");
    wait(scene.bob.rpc().directory_sync(Empty {})).unwrap();
    error("the same order", &eve.pays_draft(&scene.target, &draft), ErrorCode::NeedCertified);
    let draft = eve.drafts(&scene.target, &mut purse, 10);
    let taken = eve.pays_draft(&scene.target, &draft);
    assert!(matches!(taken, PayAnswer::Receipt(_)), "the suspension is over: {taken:?}");
    scene.mallory.pays(&scene.target, &mut scene.purse, 3);
    scene.ends_well();
}
