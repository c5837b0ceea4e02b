//! Mistakes that others made, tried here on purpose: `tests/LESSONS.md` says which scene belongs to which.

use super::receiving::{a_request, only_note, shows, with_request};
use super::{nobody_refreshes, three, with_reserve};
use daemon::store::Store;
use daemon::wallet::banking::BankOp;
use daemon::wallet::change::{Event, Happening};
use daemon::wallet::paying::{Outgoing, PaymentOutcome, State};
use daemon::wallet::reserve::{Holdings, OwnNote};
use protocol::id::{PaymentId, RequestId};
use protocol::wire::{ErrorCode, PayAnswer};
use tests::world::{Cannot, Kept, Mail, Who, World, units};

/// Alice with something of each kind on its way: sent, at the bank to be certified, a deposit, a withdrawal.
fn alice_is_busy() -> (World, [Who; 3]) {
    let (mut world, people) = with_reserve(200);
    let [alice, bob, carol] = people;
    world.pay(alice, bob, 40).unwrap();
    world.pay_certified(alice, carol, 10).unwrap();
    for _ in 0..4 {
        world.deliver();
    }
    world.deposit(alice, 30).unwrap();
    world.withdraw(alice, 20).unwrap();
    (world, people)
}

/// All mail that is on its way, by whom it is about, with its very bytes.
fn takes_all_mail(world: &mut World) -> Vec<([u8; 16], Vec<u8>)> {
    let mut mail = Vec::new();
    while let Some(next) = world.post.next(&mut world.chance) {
        mail.push(match next {
            Mail::Ask(_, _, id, bytes) => (id.0, bytes),
            Mail::ToBank(_, id, bytes) => (id.0, bytes),
            other => panic!("nobody has answered yet: {other:?}"),
        });
    }
    mail.sort_unstable();
    mail
}

/// What is open in a wallet, and which units it holds for what.
fn what_is_open(world: &World, who: Who) -> (Holdings, Vec<OwnNote>, Vec<Outgoing>, Vec<BankOp>) {
    let wallet = world.person(who).wallet();
    (
        wallet.holdings(),
        wallet.notes().cloned().collect(),
        wallet.open_payments().cloned().collect(),
        wallet.open_bank_ops().cloned().collect(),
    )
}

/// B7, lesson 1: what left before the power failed leaves again, byte by byte: all of it was on the disk first.
#[test]
fn what_is_sent_after_a_crash_is_what_was_sent_before_it() {
    let (mut world, [alice, ..]) = alice_is_busy();
    let before = takes_all_mail(&mut world);
    assert_eq!(before.len(), 4, "a payment and three requests to the bank");
    world.crash(alice, Kept::Nothing);
    world.remind(alice);
    assert_eq!(takes_all_mail(&mut world), before);
    world.settles();
    world.check_settled();
}

/// B7, lesson 4: starting again clears nothing up. Each unit is held for what it was held for.
#[test]
fn a_restart_frees_nothing() {
    let (mut world, [alice, ..]) = alice_is_busy();
    let before = what_is_open(&world, alice);
    assert_eq!(before.0.in_doubt, units(50));
    assert_eq!(before.0.at_bank, units(30));
    for kept in [Kept::Nothing, Kept::Some, Kept::Everything] {
        world.crash(alice, kept);
        assert_eq!(what_is_open(&world, alice), before, "{kept:?}");
    }
    world.settles();
    world.check_settled();
}

/// N7, lessons 2 and 3, threats Y11: no word of the payee's makes his payer's units spendable, whatever it says; nor do
/// ten years. In the end the bank's word does, and both sides agree.
#[test]
fn no_error_and_no_date_frees_a_unit() {
    let (mut base, [alice, bob, _]) = with_reserve(100);
    let id = base.pay(alice, bob, 40).unwrap();
    base.deliver();
    base.deliver();
    base.post.lose_everything();
    for code in ErrorCode::ALL {
        let mut world = base.copy();
        world.arrive(Mail::Paid(alice, bob, id, PayAnswer::Error(*code))).unwrap();
        for _ in 0..10 {
            world.wait(365 * 86_400);
            world.crash(alice, Kept::Nothing);
            world.remind(alice);
            world.post.lose_everything();
        }
        assert_eq!(world.state(alice, &id).outcome(), PaymentOutcome::InDoubt, "{code:?}");
        let wallet = world.person(alice).wallet();
        assert_eq!((wallet.free(), wallet.holdings().in_doubt), (units(60), units(40)), "{code:?}");

        let mut world = base.copy();
        world.arrive(Mail::Paid(alice, bob, id, PayAnswer::Error(*code))).unwrap();
        world.settles();
        world.check_settled();
    }
}

/// Lesson 3: a request to the bank has no date either. For twelve weeks no mail arrives; then it is done, once.
#[test]
fn a_request_to_the_bank_outlives_its_silence() {
    let (mut world, [alice, ..]) = with_reserve(100);
    let ids: [RequestId; 2] = [world.deposit(alice, 30).unwrap(), world.withdraw(alice, 70).unwrap()];
    for _ in 0..12 {
        world.post.lose_everything();
        world.wait(7 * 86_400);
        world.crash(alice, Kept::Nothing);
        world.remind(alice);
    }
    assert!(ids.iter().all(|id| world.person(alice).wallet().open_bank_op(id).is_some()));
    world.settles();
    assert_eq!((world.reserve(alice), world.account(alice)), (140, 860));
    world.check_settled();
}

/// Lesson 9, tribler#6306: the same units shown twice to one payee, on two requests with one key, are the same bytes.
/// They count once, and nobody is accused: no fork, no signed refusal.
#[test]
fn the_same_units_on_two_requests_accuse_nobody() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    nobody_refreshes(&mut world);
    let note = only_note(&world, alice);
    let request = a_request(&mut world, bob, 100);
    let mut twin = request.unverified().clone();
    twin.id = RequestId([9; 16]);
    let twin = world.person(bob).node.sign(twin);
    let first = with_request(&world, alice, &request, std::slice::from_ref(&note), PaymentId([1; 16]));
    let second = with_request(&world, alice, &twin, &[note], PaymentId([2; 16]));
    assert_eq!(first.notes, second.notes, "one key and one range make one link");
    assert!(matches!(shows(&mut world, alice, bob, &first), PayAnswer::Receipt(_)));
    for _ in 0..2 {
        let answer = shows(&mut world, alice, bob, &second);
        assert_eq!(answer, PayAnswer::Error(ErrorCode::DuplicateNote));
        world.crash(bob, Kept::Nothing);
    }
    world.deposit(bob, 100).unwrap();
    world.settles();
    assert_eq!((world.reserve(bob), world.account(bob)), (0, 200));
}

/// B7, lesson 12: after every message in turn all mail is lost and both sides lose their power. They come back to one
/// outcome, the same on both sides.
#[test]
fn whoever_vanishes_after_any_message_comes_back_to_one_outcome() {
    for certified in [false, true] {
        let (mut base, [alice, bob, _]) = with_reserve(100);
        let id = match certified {
            true => base.pay_certified(alice, bob, 40).unwrap(),
            false => base.pay(alice, bob, 40).unwrap(),
        };
        let mut delivered = 0;
        loop {
            let mut world = base.copy();
            world.post.lose_everything();
            world.crash(alice, Kept::Nothing);
            world.crash(bob, Kept::Nothing);
            world.settles();
            world.check_settled();
            assert_eq!(world.state(alice, &id).outcome(), PaymentOutcome::Done, "after {delivered} messages");
            assert_eq!((world.reserve(alice), world.reserve(bob)), (60, 40));
            if base.post.is_empty() {
                break;
            }
            base.deliver();
            delivered += 1;
        }
        assert!(delivered >= 4, "offer, request, payment, receipt: {delivered}");
    }
}

/// Lesson 18: wherever the disk fails, the events on it are numbered from one without a gap, and tell how it ended.
#[test]
fn events_have_no_gap_wherever_the_disk_fails() {
    let (base, [alice, bob, _]) = with_reserve(100);
    let mut writes = 0;
    loop {
        let mut world = base.copy();
        world.person(alice).disk.fail_after(writes);
        let begun = world.pay(alice, bob, 40);
        world.settles();
        let events = world.person(alice).store().unwrap().events(0, usize::MAX).unwrap();
        assert!(events.iter().map(|event| event.seq).eq(1..=events.len() as u64), "after {writes} writes");
        assert_eq!(world.person(alice).wallet().newest_event(), events.len() as u64);
        if let Ok(id) = begun {
            let state = world.state(alice, &id);
            assert_eq!(state.outcome(), PaymentOutcome::Done);
            let tells =
                |event: &&Event| matches!(&event.what, Happening::Payment { payment, .. } if *payment == id);
            let last = events.iter().rev().find(tells).map(|event| event.what.clone());
            let state = state.word().to_owned();
            assert_eq!(last, Some(Happening::Payment { payment: id, state, units: units(40) }));
        }
        if world.person(alice).restarts == 0 {
            break;
        }
        writes += 1;
        assert!(writes < 2_000, "it fails for ever");
    }
    assert!(writes > 3, "there is next to nothing to write: {writes}");
}

/// Lesson 20: with the bank away and notes of odd sizes, any amount is paid exactly; more than there is, is said before.
#[test]
fn odd_notes_pay_any_amount_exactly() {
    let (mut base, [alice, bob, _]) = three();
    for amount in [7, 13, 50, 1] {
        base.withdraw(alice, amount).unwrap();
        base.settles();
    }
    nobody_refreshes(&mut base);
    for amount in 1..=71 {
        let mut world = base.copy();
        let id = world.pay(alice, bob, amount).unwrap();
        world.settles();
        assert_eq!(world.state(alice, &id), State::Receipted, "directly, without the bank");
        assert_eq!((world.reserve(alice), world.reserve(bob)), (71 - amount, amount));
    }
    assert!(matches!(base.pay(alice, bob, 72), Err(Cannot::Pay(_))));
}
