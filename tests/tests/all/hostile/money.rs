//! Notes that are none: forged, bent, too long, too many.

use super::{Scene, refusal, untouched};
use protocol::body::Body;
use protocol::id::Digest;
use protocol::note::{Destination, Link, Note};
use protocol::range::Range;
use protocol::sign::{Signed, Signer};
use protocol::wire::ErrorCode;
use tests::people::amount;
use tests::stranger::draft::{Draft, altered, odd_table};
use tests::stranger::{Purse, Stranger};

/// What is wrong, the code it gets, and how it is done to a payment that was honest.
type Forgery = (&'static str, ErrorCode, fn(&Stranger, &mut Draft, &Purse));

const FORGERIES: &[Forgery] = &[
    ("a root of one's own issue key", ErrorCode::BadSignature, |thief, draft, purse| {
        let owner = thief.fresh_key();
        let mut root = purse.note.root.unverified().clone();
        root.to = owner.key();
        let note = Note::fresh(thief.owner().sign(root));
        draft.with_notes(&[note.hand_on(draft.range, payee(draft), &owner).unwrap()]);
    }),
    ("a root that the bank signed for less", ErrorCode::BadSignature, |_, draft, purse| {
        let richer = altered(&purse.note.root, |root| root.units = amount(9_000_000));
        draft.with_notes(&[Note::fresh(richer).hand_on(draft.range, payee(draft), &purse.owner).unwrap()]);
    }),
    ("a root of a day that has no issue key", ErrorCode::RevokedEpoch, |thief, draft, purse| {
        let mut root = purse.note.root.unverified().clone();
        root.epoch += 1_000;
        draft.with_notes(&[Note::fresh(thief.owner().sign(root))
            .hand_on(draft.range, payee(draft), &purse.owner)
            .unwrap()]);
    }),
    ("a root of another bank", ErrorCode::BadChain, |thief, draft, purse| {
        let mut root = purse.note.root.unverified().clone();
        root.bank.0 = [7; 8];
        draft.with_notes(&[Note::fresh(thief.owner().sign(root))
            .hand_on(draft.range, payee(draft), &purse.owner)
            .unwrap()]);
    }),
    ("units that the root does not have", ErrorCode::BadChain, |_, draft, purse| {
        let beyond = Range::new(60_000, 60_030).unwrap();
        draft.with_notes(&[linked(
            &purse.note,
            link(purse.note.root.digest(), beyond, payee(draft)),
            &purse.owner,
        )]);
    }),
    ("units that the link before does not have", ErrorCode::BadChain, |thief, draft, purse| {
        let middle = thief.fresh_key();
        let once = purse.hands(draft.range, Destination::Key(middle.key()));
        let wide = Range::new(draft.range.start(), draft.range.end() + 1).unwrap();
        let tip = once.holding().unwrap().tip;
        draft.with_notes(&[linked(&once, link(tip, wide, payee(draft)), &middle)]);
    }),
    ("a link that follows something else", ErrorCode::BadChain, |_, draft, purse| {
        let note = linked(&purse.note, link(Digest([9; 32]), draft.range, payee(draft)), &purse.owner);
        draft.order.list = protocol::pay::list_of_notes(&[note.links[0].digest()]);
        draft.notes = odd_table(&[note.clone()], |parts| {
            parts.tips = vec![serde_bytes::ByteBuf::from(note.links[0].digest().0.to_vec())];
        });
    }),
    ("a link after the units went to the bank", ErrorCode::BadChain, |_, draft, purse| {
        let sunk = purse.hands(draft.range, Destination::Redeem(Digest([4; 32])));
        let tip = sunk.holding().unwrap().tip;
        draft.with_notes(&[linked(&sunk, link(tip, draft.range, payee(draft)), &purse.owner)]);
    }),
    ("a link by somebody who does not own the units", ErrorCode::BadSignature, |thief, draft, purse| {
        let body = link(purse.note.root.digest(), draft.range, payee(draft));
        draft.with_notes(&[linked(&purse.note, body, &thief.fresh_key())]);
    }),
    ("a link whose signature was changed", ErrorCode::BadSignature, |_, draft, purse| {
        let note = purse.hands(draft.range, payee(draft));
        let mut bytes = note.links[0].to_bytes();
        *bytes.last_mut().unwrap() ^= 1;
        let links = vec![Signed::from_bytes(&bytes).unwrap()];
        draft.with_notes(&[Note { links, ..note }]);
    }),
    ("a note that ends at the payer", ErrorCode::BadChain, |thief, draft, purse| {
        draft.with_notes(&[purse.hands(draft.range, Destination::Key(thief.fresh_key().key()))]);
    }),
    ("a note that ends at the bank", ErrorCode::BadChain, |_, draft, purse| {
        draft.with_notes(&[purse.hands(draft.range, Destination::Redeem(Digest([4; 32])))]);
    }),
    ("two notes with the same units", ErrorCode::BadChain, |_, draft, purse| {
        let (start, end) = (draft.range.start(), draft.range.end());
        let (first, second) = (Range::new(start, end - 10).unwrap(), Range::new(start + 10, end).unwrap());
        draft.with_notes(&[purse.hands(first, payee(draft)), purse.hands(second, payee(draft))]);
    }),
    ("one note twice", ErrorCode::BadChain, |_, draft, purse| {
        let note = purse.hands(draft.range, payee(draft));
        draft.with_notes(&[note.clone(), note]);
    }),
    ("less than the order says", ErrorCode::BadSum, |_, draft, purse| {
        let less = Range::new(draft.range.start(), draft.range.end() - 1).unwrap();
        draft.with_notes(&[purse.hands(less, payee(draft))]);
    }),
    ("notes that are not the order's", ErrorCode::BadChain, |_, draft, purse| {
        let list = draft.order.list;
        let other = Range::new(draft.range.end(), draft.range.end() + 30).unwrap();
        draft.with_notes(&[purse.hands(other, payee(draft))]);
        draft.order.list = list;
    }),
    ("no note at all", ErrorCode::BadSum, |_, draft, _| draft.with_notes(&[])),
    ("a note with 16 links", ErrorCode::TooDeep, |thief, draft, purse| {
        draft.with_notes(&[deep(thief, purse, draft.range, 16, payee(draft))]);
    }),
    ("a note with 40 links", ErrorCode::TooDeep, |thief, draft, purse| {
        draft.with_notes(&[deep(thief, purse, draft.range, 40, payee(draft))]);
    }),
    ("65 notes", ErrorCode::TooMany, |_, draft, purse| {
        let single = |at| Range::new(at, at + 1).unwrap();
        let notes: Vec<Note> = (1_000..1_065).map(|at| purse.hands(single(at), payee(draft))).collect();
        draft.with_notes(&notes);
    }),
    ("576 links", ErrorCode::TooMany, |thief, draft, purse| {
        let single = |at| Range::new(at, at + 1).unwrap();
        let notes = (1_000..1_064).map(|at| deep(thief, purse, single(at), 9, payee(draft)));
        draft.with_notes(&notes.collect::<Vec<_>>());
    }),
    ("65 key certificates", ErrorCode::TooMany, |thief, draft, _| {
        let known = thief.keys.certificates().next().unwrap().signed().clone();
        draft.keys = vec![known; 65];
    }),
    ("a key certificate of one's own", ErrorCode::BadSignature, |thief, draft, _| {
        let mut body = thief.keys.certificates().next().unwrap().signed().unverified().clone();
        body.key = thief.owner().key();
        body.epoch += 1;
        draft.keys = vec![thief.owner().sign(body)];
    }),
    ("a root that no note needs", ErrorCode::BadChain, |thief, draft, purse| {
        let stray = Note::fresh(altered(&purse.note.root, |root| root.serial += 1));
        let bytes = stray.root.to_bytes();
        let _ = thief;
        draft.notes = odd_table(&[purse.hands(draft.range, payee(draft))], |parts| {
            parts.roots.push(serde_bytes::ByteBuf::from(bytes));
        });
    }),
    ("a link that stands twice", ErrorCode::BadChain, |_, draft, purse| {
        draft.notes = odd_table(&[purse.hands(draft.range, payee(draft))], |parts| {
            parts.links.push(parts.links[0].clone());
        });
    }),
    ("a tip that leads nowhere", ErrorCode::BadChain, |_, draft, purse| {
        draft.notes = odd_table(&[purse.hands(draft.range, payee(draft))], |parts| parts.roots.clear());
    }),
];

fn payee(draft: &Draft) -> Destination {
    Destination::Key(draft.request.unverified().key())
}

fn link(prev: Digest, range: Range, to: Destination) -> Link {
    Link { prev, range, to }
}

/// A link put on without looking, as `hand_on` never would.
fn linked(note: &Note, body: Link, owner: &Signer) -> Note {
    let mut note = note.clone();
    note.links.push(owner.sign(body));
    note
}

/// Units that went through many hands before they reach the payee.
fn deep(thief: &Stranger, purse: &Purse, range: Range, links: usize, to: Destination) -> Note {
    let (mut note, mut owner) = (purse.note.clone(), purse.owner.clone());
    for at in 1..=links {
        let next = thief.fresh_key();
        let body = note.links.last().map_or_else(|| note.root.digest(), Signed::digest);
        let to = if at == links { to } else { Destination::Key(next.key()) };
        note = linked(&note, link(body, range, to), &owner);
        owner = next;
    }
    note
}

/// N7, N14: notes that break a rule are refused in writing, each with its own code, and leave no trace.
#[test]
fn forged_notes_are_refused_in_writing() {
    let mut scene = Scene::new();
    for (what, code, forge) in FORGERIES {
        let mut draft = scene.draft();
        forge(&scene.mallory, &mut draft, &scene.purse);
        let (mallory, target) = (&scene.mallory, &scene.target);
        untouched(&scene.bob, what, || {
            let answer = mallory.pays_draft(target, &draft);
            refusal(what, answer, &draft, target, *code);
        });
    }
    assert_eq!(protocol::pay::Order::TYPE, "order", "refusals name orders");
    scene.is_none_the_worse();
}
