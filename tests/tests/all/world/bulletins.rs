//! The bank's bulletins, honest and not (SPEC §4.14, threats Y6, H3, X4).

use super::{pays, three};
use bank_node::desk::standing::Change;
use bank_node::ledger::AccountNumber;
use daemon::wallet::bulletins::{FaultKind, Source, Worth};
use daemon::wallet::paying::{NotDone, State};
use protocol::bank::{Bulletin, LISTED_MAX};
use protocol::id::{Digest, Key};
use protocol::key::bank::Usage;
use protocol::sign::{Signed, Signer};
use protocol::wire::{BankAnswer, BankAsk, ErrorCode, Message, encode};
use tests::world::{Who, World};

/// Bob has heard this many bulletins.
fn heard(count: usize) -> (World, Who, Vec<Signed<Bulletin>>) {
    let (mut world, [_, bob, _]) = three();
    let mut told = Vec::new();
    for _ in 0..count {
        told.push(world.bank.bulletin());
        world.wait(3600);
    }
    world.pull_bulletins(bob).unwrap();
    assert_eq!(world.person(bob).wallet().heard().number(), count as u64);
    (world, bob, told)
}

fn faults(world: &World, who: Who) -> Vec<(FaultKind, u64)> {
    world.person(who).wallet().heard().faults().map(|fault| (fault.kind, fault.number)).collect()
}

/// The bank's own key under another content.
fn signed(
    world: &World,
    bulletin: &Signed<Bulletin>,
    change: impl FnOnce(&mut Bulletin),
) -> Signed<Bulletin> {
    let mut body = bulletin.unverified().clone();
    change(&mut body);
    world.bank.keys().bulletin.sign(body)
}

/// Y6: a bank that contradicts itself again and again fills nobody's disk: of each kind eight proofs are kept, the rest
/// is counted, also over a restart.
#[test]
fn proofs_of_one_kind_are_kept_up_to_eight() {
    let (mut world, bob, told) = heard(12);
    for bulletin in &told {
        let other = signed(&world, bulletin, |b| b.journal += 1000);
        assert_eq!(world.hear(bob, other.clone(), Source::Pushed), Worth::Proof);
        assert_eq!(world.hear(bob, other, Source::Pushed), Worth::Proof);
    }
    let kept: Vec<(FaultKind, u64)> = (1..=8).map(|number| (FaultKind::TwoOfOneNumber, number)).collect();
    assert_eq!(faults(&world, bob), kept);
    let more =
        |world: &World| world.person(bob).wallet().heard().faults().map(|fault| fault.more).sum::<u64>();
    assert_eq!(more(&world), 8, "four numbers, each shown twice");
    world.crash(bob, tests::world::Kept::Everything);
    assert_eq!((faults(&world, bob), more(&world)), (kept, 8));
}

/// Y6: bulletins are numbered, each names the one before, and they say how the bank stands.
#[test]
fn bulletins_are_a_chain() {
    let (mut world, [alice, bob, _]) = three();
    world.withdraw(alice, 100).unwrap();
    world.settles();
    world.deposit(alice, 30).unwrap();
    world.settles();
    let first = world.bank.bulletin();
    world.wait(86_400);
    let second = world.bank.bulletin();
    let (one, two) = (first.unverified(), second.unverified());
    assert_eq!((one.number, one.prev, two.number, two.prev), (1, Digest::default(), 2, first.digest()));
    assert_eq!((one.issued.get(), one.redeemed.get()), (100, 30));
    assert_eq!((one.roots, two.day), (Digest::default(), one.day.plus_days(1)));
    assert_ne!(two.roots, Digest::default(), "the roots of the day that is over");
    world.pull_bulletins(bob).unwrap();
    assert_eq!(world.person(bob).wallet().heard().newest(), Some(two));
    assert_eq!(faults(&world, bob), []);
    let before = world.person(bob).wallet().heard().number();
    world.crash(bob, tests::world::Kept::Everything);
    assert_eq!(world.person(bob).wallet().heard().number(), before, "the head is durable");
}

/// Y6: what the bulletin key did not sign, what is old, and what comes twice, changes nothing.
#[test]
fn forged_and_old_bulletins_change_nothing() {
    let (mut world, bob, told) = heard(3);
    let thief = Signer::from_secret(&[66; 32]);
    let forged = thief.sign(Bulletin { number: 4, prev: told[2].digest(), ..told[2].unverified().clone() });
    let by_attest = world.bank.keys().attest.sign(forged.unverified().clone());
    let elsewhere = signed(&world, &forged, |b| b.bank.0 = [9; 8]);
    for wrong in [forged, by_attest, elsewhere] {
        for source in [Source::Pushed, Source::Bank] {
            assert_eq!(world.hear(bob, wrong.clone(), source), Worth::False);
        }
    }
    for old in told {
        assert_eq!(world.hear(bob, old, Source::Pushed), Worth::Known);
    }
    assert_eq!((world.person(bob).wallet().heard().number(), faults(&world, bob)), (3, vec![]));
}

/// Y6: a gap is noticed by the first bulletin behind it, and pulled.
#[test]
fn a_gap_is_pulled() {
    let (mut world, bob, _) = heard(1);
    let _lost = world.bank.bulletin();
    let pushed = world.bank.bulletin();
    assert_eq!(world.hear(bob, pushed.clone(), Source::Pushed), Worth::Gap);
    assert_eq!(world.person(bob).wallet().heard().number(), 1, "nothing is taken over a gap");
    world.pull_bulletins(bob).unwrap();
    assert_eq!(world.person(bob).wallet().heard().newest(), Some(pushed.unverified()));
    assert_eq!(faults(&world, bob), []);
}

/// Y6: two of one number are a proof, whichever comes first; it is kept, and told once.
#[test]
fn two_of_one_number_are_a_proof() {
    let (mut world, bob, told) = heard(2);
    let other = signed(&world, &told[1], |b| b.suspended.push(Key([5; 32])));
    let event = world.person(bob).wallet().newest_event();
    for _ in 0..3 {
        assert_eq!(world.hear(bob, other.clone(), Source::Pushed), Worth::Proof);
    }
    assert_eq!(faults(&world, bob), [(FaultKind::TwoOfOneNumber, 2)]);
    assert_eq!(world.person(bob).wallet().newest_event(), event + 1);
    let heard = world.person(bob).wallet().heard();
    let proof = heard.faults().next().unwrap();
    assert_eq!((&proof.first, &proof.second), (&told[1].to_bytes(), &other.to_bytes()));
    assert_eq!(heard.newest(), Some(told[1].unverified()), "the first stays");
    world.crash(bob, tests::world::Kept::Everything);
    assert_eq!(faults(&world, bob), [(FaultKind::TwoOfOneNumber, 2)]);
}

/// Y6, X7: a bank that leaves bulletins out, breaks its chain, goes back or forgets, is found out.
#[test]
fn a_bank_that_contradicts_itself_is_found_out() {
    let (world, bob, told) = heard(3);
    let next = signed(&world, &told[2], |b| (b.number, b.prev) = (4, told[2].digest()));
    let cases = [
        (FaultKind::LeftOut, signed(&world, &next, |b| b.number = 6)),
        (FaultKind::BrokenChain, signed(&world, &next, |b| b.prev = told[1].digest())),
        (FaultKind::Backwards, signed(&world, &next, |b| b.journal -= 1)),
        (FaultKind::Backwards, signed(&world, &next, |b| b.lines -= 1)),
        (FaultKind::Backwards, signed(&world, &next, |b| b.at.0 -= 1)),
    ];
    for (kind, bulletin) in cases {
        let mut world = world.copy();
        assert_eq!(world.hear(bob, bulletin.clone(), Source::Bank), Worth::Taken, "money goes on");
        assert_eq!(faults(&world, bob), [(kind, bulletin.unverified().number)]);
    }
    let mut honest = world.copy();
    assert_eq!(honest.hear(bob, next, Source::Bank), Worth::Taken);
    assert_eq!(faults(&honest, bob), []);

    // Restored from a backup: its newest is older than what it has given, and it asks for no less.
    let mut world = world.copy();
    let decision = world.person(bob).wallet().bank_is_behind(told[1].clone(), world.now);
    world.settle_decision(bob, decision).unwrap();
    assert_eq!(faults(&world, bob), [(FaultKind::Behind, 2)]);
}

/// X7: a journal that ends before a letter of ours.
#[test]
fn a_journal_behind_a_letter_is_told() {
    let (mut world, bob, told) = heard(1);
    world.withdraw(bob, 10).unwrap();
    world.settles();
    world.wait(3600);
    let now = world.now;
    let restored = signed(&world, &told[0], |b| (b.number, b.prev, b.at) = (2, told[0].digest(), now));
    assert_eq!(world.hear(bob, restored, Source::Bank), Worth::Taken);
    assert_eq!(faults(&world, bob), [(FaultKind::BehindLetter, 2)]);
}

/// X4: who is suspended is refused as soon as a bulletin says so, before the directory is copied; and taken again.
#[test]
fn the_suspended_are_refused_by_the_bulletin_alone() {
    let (mut world, [alice, bob, _]) = super::with_reserve(300);
    super::nobody_refreshes(&mut world);
    let account = AccountNumber(world.person(alice).wallet().owner().account);
    world.decide(account, Change::Suspend);
    let told = world.bank.bulletin();
    assert_eq!(told.unverified().suspended, [world.person(alice).key()]);
    world.hear(bob, told, Source::Pushed);
    let id = pays(&mut world, alice, bob, 30);
    assert!(
        matches!(world.state(alice, &id), State::NotDone(NotDone::Declined(ErrorCode::Suspended))),
        "{:?}",
        world.state(alice, &id)
    );
    // The directory knows that she is reinstated before the next bulletin does.
    world.wait(3600);
    world.decide(account, Change::Reinstate);
    world.copy_directory(bob);
    let id = pays(&mut world, alice, bob, 30);
    assert_eq!(world.state(alice, &id), State::Receipted);
    assert_eq!(world.bank.bulletin().unverified().suspended, []);
    world.check_settled();
}

/// Nobody is made to carry lists without end: too long is malformed, and full pages keep the message's limit.
#[test]
fn lists_and_pages_have_an_end() {
    let (world, _, told) = heard(1);
    let full = signed(&world, &told[0], |b| b.suspended = vec![Key([7; 32]); LISTED_MAX]);
    let bytes = full.to_bytes();
    assert!(Signed::<Bulletin>::from_bytes(&bytes).is_ok());
    assert!(bytes.len() <= protocol::node::net::limits::Limits::TABLE.rumour_bytes);
    let count = bytes.len() - 64 - 2 - 32 * LISTED_MAX - 2;
    let mut longer = bytes;
    let said = u16::try_from(LISTED_MAX + 1).unwrap().to_be_bytes();
    longer[count..count + 2].copy_from_slice(&said);
    longer.splice(count + 2..count + 2, [0; 32]);
    let why = Signed::<Bulletin>::from_bytes(&longer).unwrap_err();
    assert!(why.to_string().contains("too long a list"), "{why}");

    let (mut world, bob, _) = heard(1);
    for _ in 0..200 {
        world.bank.bulletin();
    }
    let Some(BankAnswer::Bulletins(page)) = world.bank.ask(BankAsk::Bulletins(1)) else { panic!("a page") };
    assert_eq!(page.bulletins.len(), 1, "who is too far behind gets the newest alone");
    assert!(encode(&BankAnswer::Bulletins(page)).len() <= BankAnswer::MAX);
    world.pull_bulletins(bob).unwrap();
    assert_eq!((world.person(bob).wallet().heard().number(), faults(&world, bob)), (201, vec![]));
}

/// H3: a stolen bulletin key suspends people and runs ahead with numbers, until it is revoked: then its words are
/// forgotten, and the bank's own chain goes on.
#[test]
fn a_stolen_bulletin_key_ends_with_its_revocation() {
    let (mut world, [alice, bob, _]) = super::with_reserve(300);
    super::nobody_refreshes(&mut world);
    let first = world.bank.bulletin();
    world.pull_bulletins(bob).unwrap();
    let thief = world.bank.keys().bulletin.clone();
    let victim = world.person(alice).key();
    let lie = thief.sign(Bulletin {
        number: 2,
        prev: first.digest(),
        suspended: vec![victim],
        ..first.unverified().clone()
    });
    assert_eq!(world.hear(bob, lie.clone(), Source::Pushed), Worth::Taken);
    let id = pays(&mut world, alice, bob, 20);
    assert!(matches!(world.state(alice, &id), State::NotDone(NotDone::Declined(ErrorCode::Suspended))));
    world.wait(3600);
    let mut chance = world.chance.clone();
    world.bank.revoke(Usage::Bulletin, thief.key(), &mut chance);
    world.chance = chance;
    let own = world.bank.bulletin();
    world.pull_bulletins(bob).unwrap();
    assert_eq!(world.person(bob).wallet().heard().newest(), Some(own.unverified()));
    assert_eq!(world.hear(bob, lie, Source::Pushed), Worth::False);
    let id = pays(&mut world, alice, bob, 20);
    assert_eq!(world.state(alice, &id), State::Receipted);
    world.check_settled();
}
