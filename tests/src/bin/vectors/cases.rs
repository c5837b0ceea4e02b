//! Vectors of claims and reclaims: their bodies, what is asked and what is answered.

use crate::bodies::{self, spoil};
use crate::papers;
use crate::scene::{Scene, range, units};
use protocol::bank::{Admission, Claim, LetterKind, NodeQuery, Purpose, Reclaim, ReclaimKind};
use protocol::body::Body;
use protocol::id::{Digest, RequestId};
use protocol::note::{Destination, Note, NoteTable};
use protocol::pay::{Defence, Evidence};
use protocol::sign::Signed;
use protocol::time::Timestamp;
use protocol::wire::{
    BankAnswer, BankAsk, CasePart, CaseState, CaseStep, ErrorCode, ReclaimFate, ReclaimPiece, ReclaimState,
};

const AT: Timestamp = Timestamp(1_780_000_000);

fn claim(scene: &Scene) -> Claim {
    Claim {
        bank: scene.bank.id(),
        request: RequestId([71; 16]),
        claimant: scene.bob.owner().key(),
        note: scene.notes[0].holding().unwrap().tip,
        range: range(10, 40),
        created: AT,
    }
}

fn reclaim(scene: &Scene, kind: ReclaimKind) -> Reclaim {
    Reclaim {
        bank: scene.bank.id(),
        request: RequestId([72; 16]),
        owner: scene.bob.owner().key(),
        kind,
        created: AT,
    }
}

fn admission(scene: &Scene) -> Admission {
    Admission { bank: scene.bank.id(), case: 7, owner: scene.bob.owner().key() }
}

pub(crate) fn bodies(v: &mut bodies::Vectors, scene: &Scene) {
    let owner = scene.bob.owner();
    let bytes = v.signed(&owner, claim(scene));
    v.malformed::<Claim>(
        &bytes,
        [spoil(89, 40u64.to_be_bytes(), "not a range"), spoil(97, (1u64 << 53).to_be_bytes(), "not a range")],
    );
    let bytes = v.signed(&owner, admission(scene));
    v.malformed::<Admission>(&bytes, []);
    v.signed(&owner, reclaim(scene, ReclaimKind::Restore));
    let bytes = v.signed(&owner, reclaim(scene, ReclaimKind::Payment));
    v.malformed::<Reclaim>(
        &bytes,
        [spoil(57, [0], "unknown kind of reclaim"), spoil(57, [3], "unknown kind of reclaim")],
    );
}

/// A note of Bob's with a sink behind it.
fn sunk(scene: &Scene, to: Destination) -> Note {
    scene.notes[0].hand_on(range(10, 40), to, &scene.bob.note_key(1)).unwrap()
}

fn evidence(scene: &Scene) -> Evidence {
    let payment = scene.payment();
    let tips = scene.notes.iter().map(|note| note.holding().unwrap().tip).collect();
    Evidence { order: payment.order, request: payment.request, tips }
}

pub(crate) fn asks(ask: &mut impl FnMut(&str, BankAsk), scene: &Scene) {
    let (bob, owner) = (&scene.bob, scene.bob.owner());
    let body = reclaim(scene, ReclaimKind::Payment);
    let note = sunk(scene, Destination::Reclaim(body.digest()));
    ask("Reclaim", BankAsk::Reclaim(owner.sign(body), NoteTable::pack([&note])));
    ask("Contest", BankAsk::Contest(NoteTable::pack(&scene.notes[..1])));
    let body = claim(scene);
    let note = sunk(scene, Destination::Redeem(body.digest()));
    let claim = BankAsk::Claim(owner.sign(body), NoteTable::pack([&note]), Box::new(evidence(scene)));
    ask("Claim", claim);
    ask("Defend", BankAsk::Defend(7, Defence::Upstream(Box::new(evidence(scene)))));
    ask("Defend", BankAsk::Defend(7, Defence::Refused(bob.node().sign(papers::refusal(scene)))));
    ask("Defend", BankAsk::Defend(70_000, Defence::Admitted(owner.sign(admission(scene)))));
    let query = NodeQuery {
        bank: scene.bank.id(),
        request: RequestId([73; 16]),
        owner: owner.key(),
        node: bob.node().key(),
        purpose: Purpose::Cases,
        number: 6,
        subject: Digest::default(),
        created: AT,
    };
    ask("Cases", BankAsk::Cases(bob.node().sign(query)));
}

pub(crate) fn answers(answer: &mut impl FnMut(&str, BankAnswer), scene: &Scene) {
    let letter =
        |kind| -> Signed<_> { scene.bank.attest.sign(papers::letter(&scene.bank, &scene.bob, kind)) };
    let table = NoteTable::pack(&scene.notes[..1]);
    let piece = |start, end, fate| ReclaimPiece { range: range(start, end), fate };
    let open = ReclaimState {
        number: 3,
        closes: AT.plus_seconds(7 * 86_400),
        pieces: vec![vec![
            piece(10, 20, ReclaimFate::Open),
            piece(20, 30, ReclaimFate::Passed(table.clone())),
            piece(30, 40, ReclaimFate::Clash(table.clone())),
        ]],
        letter: None,
    };
    answer("Reclaim", BankAnswer::Reclaim(Box::new(open.clone())));
    let pieces = vec![vec![piece(10, 40, ReclaimFate::Returned)]];
    let closed = ReclaimState { pieces, letter: Some(letter(LetterKind::Reclaim)), ..open };
    answer("Reclaim", BankAnswer::Reclaim(Box::new(closed)));
    answer("Contested", BankAnswer::Contested(units(30)));
    let state = CaseState {
        case: 7,
        part: CasePart::Claimant,
        range: range(10, 40),
        lost: table.clone(),
        won: table,
        step: CaseStep::Open(AT),
        paid: units(0),
        letters: Vec::new(),
    };
    let asked = CasePart::Asked(2, Digest([8; 32]), AT);
    let dismissed = CaseStep::Dismissed(ErrorCode::Void);
    let states = vec![
        CaseState { part: asked, ..state.clone() },
        CaseState { case: 8, part: CasePart::Heard, step: dismissed, ..state.clone() },
        CaseState {
            case: 9,
            part: CasePart::Liable,
            step: CaseStep::Judged(units(12)),
            paid: units(18),
            letters: vec![letter(LetterKind::Charge)],
            ..state.clone()
        },
        CaseState { case: 10, letters: vec![letter(LetterKind::Recovery)], ..state },
    ];
    answer("Cases", BankAnswer::Cases(states));
}
