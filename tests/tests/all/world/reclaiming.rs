//! Payments that nobody answers, asked back by name: who may object, how it ends, what can't be cheated (SPEC §3.7, §4.11).

use super::{nobody_refreshes, pays, with_reserve};
use daemon::store::Store;
use daemon::wallet::banking::{BankFlaw, Operation};
use daemon::wallet::change::Happening;
use daemon::wallet::doubt::{Awaited, Doubtful};
use daemon::wallet::history::Movement;
use daemon::wallet::paying::{PaymentOutcome, State};
use daemon::wallet::reclaiming::ReclaimRefusal;
use protocol::bank::LetterKind;
use protocol::id::PaymentId;
use protocol::note::NoteTable;
use protocol::wire::{
    self, BankAnswer, BankAsk, ErrorCode, PayAnswer, ReclaimFate, ReclaimPiece, ReclaimState,
};
use tests::world::{Cannot, Kept, Mail, Who, World, units};

/// Alice has sent Bob something, and the post has lost it.
fn sent_and_lost(world: &mut World, payer: Who, payee: Who, count: u64) -> PaymentId {
    let id = world.pay(payer, payee, count).unwrap();
    world.deliver();
    world.deliver();
    assert_eq!(world.state(payer, &id), State::Sent);
    world.post.lose_everything();
    id
}

/// Bob has it, and his receipt is lost.
fn received_and_not_heard(world: &mut World, payer: Who, payee: Who, count: u64) -> PaymentId {
    let id = world.pay(payer, payee, count).unwrap();
    (0..3).for_each(|_| world.deliver());
    world.post.lose_everything();
    assert_eq!(world.state(payer, &id), State::Sent);
    id
}

fn movements(world: &World, who: Who) -> Vec<(Movement, u64, u64)> {
    world.history(who).iter().map(|l| (l.movement, l.units.get(), l.reserve.get())).collect()
}

/// X4, three outcomes: in doubt until the bank's date, then not done, with the money on the account and a letter.
#[test]
fn what_nobody_shows_comes_to_the_account() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    let id = sent_and_lost(&mut world, alice, bob, 40);
    world.person_mut(bob).locked = true;
    world.reclaim(alice, &id).unwrap();
    world.settles();
    let payment = world.payment(alice, &id).unwrap().unwrap();
    assert_eq!(
        (payment.state.clone(), payment.state.outcome()),
        (State::Reclaiming, PaymentOutcome::InDoubt)
    );
    assert_eq!(payment.until, Some(world.now.plus_seconds(7 * 86_400)));
    assert_eq!(world.reserve(alice), 60);
    world.days(6);
    assert_eq!(world.state(alice, &id), State::Reclaiming, "no clock of ours ends it");
    world.days(2);
    assert_eq!(world.state(alice, &id), State::Reclaimed);
    assert_eq!((world.reserve(alice), world.account(alice)), (60, 940));
    let lines = movements(&world, alice);
    assert_eq!(lines[1..], [(Movement::Sent, 40, 60), (Movement::Reclaimed, 40, 60)]);
    let page = daemon::store::Page { before: None, limit: 1 };
    let letter = world.person(alice).store().unwrap().letters(page).unwrap().remove(0);
    assert_eq!((letter.unverified().kind, letter.unverified().units), (LetterKind::Reclaim, units(40)));
    assert_eq!(world.person(alice).wallet().account().unwrap().units, units(940));
    world.check_settled();
}

/// Y10, three outcomes: what is in doubt is listed with whom it waits for, and is what the balances say.
#[test]
fn what_is_in_doubt_is_listed_with_its_date() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    let id = sent_and_lost(&mut world, alice, bob, 40);
    let doubts = world.person(alice).wallet().doubts();
    let bob_s = Awaited::Party(world.person(bob).key(), "Bob".to_owned());
    assert_eq!(doubts.len(), 1);
    assert_eq!(
        (&doubts[0].what, &doubts[0].awaiting, doubts[0].until),
        (&Doubtful::Payment(id), &bob_s, None)
    );
    world.person_mut(bob).locked = true;
    world.reclaim(alice, &id).unwrap();
    world.deliver_all();
    let doubts = world.person(alice).wallet().doubts();
    assert_eq!(doubts.len(), 1, "the request at the bank is told with its payment");
    let until = Some(world.now.plus_seconds(7 * 86_400));
    assert_eq!((&doubts[0].awaiting, doubts[0].until), (&Awaited::Bank, until));
    assert_eq!(doubts[0].units, world.person(alice).wallet().holdings().in_doubt);
}

/// X4, Y14: a payee who is locked objects all the same; the payment is done, and the chain is its proof.
#[test]
fn a_locked_payee_objects_and_keeps_his_money() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    nobody_refreshes(&mut world);
    let id = received_and_not_heard(&mut world, alice, bob, 40);
    world.person_mut(bob).locked = true;
    world.reclaim(alice, &id).unwrap();
    world.settles();
    let list = world.bank.reclaimed();
    assert_eq!(list.len(), 1);
    assert_eq!(world.contest(bob, &list), units(40));
    assert_eq!(world.contest(bob, &list), units(0), "a repeated objection moves nothing");
    world.days(8);
    let payment = world.payment(alice, &id).unwrap().unwrap();
    assert_eq!((payment.state.clone(), payment.state.outcome()), (State::Passed, PaymentOutcome::Done));
    assert!(payment.proof.is_some() && payment.back.is_zero());
    assert_eq!((world.reserve(bob), world.account(alice)), (40, 900));
    world.check_settled();
    world.cash_in();
}

/// X4 (iii): whoever has handed the units on objects, too; the last holder need not even be up.
#[test]
fn whoever_passed_it_on_objects_for_the_last_holder() {
    let (mut world, [alice, bob, carol]) = with_reserve(100);
    nobody_refreshes(&mut world);
    let id = received_and_not_heard(&mut world, alice, bob, 40);
    let on = pays_on(&mut world, bob, carol, 40);
    world.reclaim(alice, &id).unwrap();
    world.deliver_all();
    let list = world.bank.reclaimed();
    assert_eq!(world.person(bob).wallet().notes().count(), 0, "he holds nothing of it any more");
    assert_eq!(world.contest(bob, &list), units(40));
    world.days(8);
    assert_eq!((world.state(alice, &id), world.state(bob, &on)), (State::Passed, State::Receipted));
    world.check_settled();
    world.cash_in();
}

/// Pays while everybody else's open things rest.
fn pays_on(world: &mut World, payer: Who, payee: Who, count: u64) -> PaymentId {
    let id = world.pay(payer, payee, count).unwrap();
    world.deliver_all();
    id
}

/// X4: a receipt that comes while the reclaim runs is kept, and our own workstation tells the bank. The payee need not.
#[test]
fn a_late_receipt_ends_the_reclaim_for_the_payee() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    nobody_refreshes(&mut world);
    let id = world.pay(alice, bob, 40).unwrap();
    (0..3).for_each(|_| world.deliver());
    let receipt = std::mem::take(&mut world.post);
    world.reclaim(alice, &id).unwrap();
    world.deliver_all();
    world.post = receipt;
    world.deliver_all();
    let payment = world.payment(alice, &id).unwrap().unwrap();
    assert!(payment.receipt.is_some() && payment.state == State::Reclaiming);
    world.days(8);
    assert_eq!(world.state(alice, &id), State::Receipted);
    assert_eq!((world.reserve(bob), world.account(alice)), (40, 900));
    world.check_settled();
}

/// X4: a payee who says nothing and goes to the bank with it has been paid.
#[test]
fn redeeming_it_says_that_one_has_it() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    let id = received_and_not_heard(&mut world, alice, bob, 40);
    world.reclaim(alice, &id).unwrap();
    world.deliver_all();
    world.deposit(bob, 40).unwrap();
    // He tells nobody.
    while let Some(mail) = world.post.next(&mut tests::world::Chance::of(1)) {
        if !matches!(mail, Mail::Confirm(..)) {
            world.arrive(mail).unwrap();
        }
    }
    world.wait(86_400);
    world.remind(alice);
    world.deliver_all();
    let payment = world.payment(alice, &id).unwrap().unwrap();
    assert_eq!(payment.state.outcome(), PaymentOutcome::Done, "{:?}", payment.state);
    assert_eq!(world.account(bob), 140);
}

/// B7: some units are shown, the others come back; the payment is done, and says what came back.
#[test]
fn a_part_that_is_shown_is_done_and_the_rest_comes_back() {
    let (mut world, [alice, bob, _]) = with_reserve(30);
    world.withdraw(alice, 30).unwrap();
    world.settles();
    nobody_refreshes(&mut world);
    // In two notes, of thirty and of twenty units.
    let id = world.pay(alice, bob, 50).unwrap();
    (0..2).for_each(|_| world.deliver());
    // Another copy of Bob's workstation has it, and has taken ten units to the bank.
    let mut twin = world.copy();
    twin.deliver();
    twin.post.lose_everything();
    world.post.lose_everything();
    twin.deposit(bob, 10).unwrap();
    let Some(Mail::ToBank(_, _, ask)) = twin.post.next(&mut twin.chance) else { panic!() };
    assert!(matches!(world.bank.ask(wire::decode(&ask).unwrap()), Some(BankAnswer::Deposited(..))));
    world.person_mut(bob).locked = true;
    world.reclaim(alice, &id).unwrap();
    world.settles();
    world.days(8);
    let payment = world.payment(alice, &id).unwrap().unwrap();
    assert_eq!((payment.state.clone(), payment.back), (State::Passed, units(30)));
    assert_eq!(payment.state.outcome(), PaymentOutcome::Done);
    // A link was shown that handed on twenty: they are Bob's, though only ten of them were redeemed.
    assert_eq!((world.account(alice), world.account(bob)), (970, 110));
    assert!(world.bank.audit().ok);
}

/// Y14, refused calls move nothing: locked, certified, answered, unknown; and the same call again changes nothing.
#[test]
fn what_can_not_be_reclaimed_is_not_begun() {
    let (mut world, [alice, bob, _]) = with_reserve(300);
    let id = sent_and_lost(&mut world, alice, bob, 40);
    world.person_mut(alice).locked = true;
    assert_eq!(world.reclaim(alice, &id), Err(Cannot::Locked));
    world.person_mut(alice).locked = false;
    let refused = |refusal| Err(Cannot::Reclaim(refusal));
    assert_eq!(world.reclaim(alice, &PaymentId([9; 16])), refused(ReclaimRefusal::NotFound));
    let certified = world.pay_certified(alice, bob, 50).unwrap();
    (0..4).for_each(|_| world.deliver());
    assert_eq!(world.state(alice, &certified), State::Issued);
    world.post.lose_everything();
    assert_eq!(world.reclaim(alice, &certified), refused(ReclaimRefusal::Certified));
    let asking = world.pay(alice, bob, 1).unwrap();
    assert_eq!(world.reclaim(alice, &asking), refused(ReclaimRefusal::NotSent("asking")));
    world.post.lose_everything();
    world.reclaim(alice, &id).unwrap();
    let before = world.history(alice);
    assert_eq!(world.reclaim(alice, &id), Ok(id));
    assert_eq!(world.history(alice), before);
    let ops = world.person(alice).wallet().open_bank_ops();
    assert_eq!(ops.filter(|op| op.what == Operation::Reclaim(id)).count(), 1);
}

/// B7: whatever write fails on the way, there is one reclaim with one end.
#[test]
fn a_crash_at_any_write_loses_and_doubles_nothing() {
    for write in (0..60).step_by(3) {
        let (mut world, [alice, bob, _]) = with_reserve(100);
        let id = sent_and_lost(&mut world, alice, bob, 40);
        world.person_mut(bob).locked = true;
        let begun = {
            world.person(alice).disk.fail_after(write);
            world.reclaim(alice, &id).is_ok()
        };
        for _ in 0..9 {
            world.days(1);
            if world.state(alice, &id) == State::Sent && !begun {
                // The call was not acknowledged: it is repeated.
                world.post.lose_everything();
                world.mend_disks();
                let _again = world.reclaim(alice, &id);
            }
        }
        world.mend_disks();
        world.days(9);
        let state = world.state(alice, &id);
        // Sent again after the crash, Bob may have got it: then he has it, and nobody else.
        match state.outcome() {
            PaymentOutcome::NotDone => {
                assert_eq!((world.reserve(alice), world.account(alice)), (60, 940), "{write}")
            }
            PaymentOutcome::Done => {
                assert_eq!((world.reserve(alice), world.reserve(bob)), (60, 40), "{write}")
            }
            other => panic!("{write}: {other:?}"),
        }
        world.check_settled();
    }
}

/// Y9: an answer that leaves units out, or says without a chain that they are gone, is none: the reclaim stays asked.
#[test]
fn the_bank_can_not_say_without_proof_that_units_are_gone() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    let id = sent_and_lost(&mut world, alice, bob, 40);
    world.reclaim(alice, &id).unwrap();
    world.post.lose_everything();
    let op = world.person(alice).wallet().open_bank_ops().next().unwrap().clone();
    let range = op.uses[0].range;
    let own = world.person(alice).wallet().note(op.uses[0].note).unwrap().note.clone();
    let fates = [
        ReclaimFate::Passed(NoteTable::default()),
        ReclaimFate::Clash(NoteTable::default()),
        ReclaimFate::Passed(NoteTable::pack([&own])),
        ReclaimFate::Clash(NoteTable::pack([&own])),
    ];
    let told = |pieces| {
        let state = ReclaimState { number: 1, closes: world.now, pieces, letter: None };
        let answer = BankAnswer::Reclaim(Box::new(state));
        world.person(alice).wallet().bank_answered(&op.id, answer, &[], world.now).map(drop)
    };
    for fate in fates {
        assert!(matches!(told(vec![vec![ReclaimPiece { range, fate }]]), Err(BankFlaw::NoProof)));
    }
    assert!(matches!(told(vec![Vec::new()]), Err(BankFlaw::DoesNotFit)));
    assert!(matches!(told(Vec::new()), Err(BankFlaw::DoesNotFit)));
    let half = range.split(units(20)).unwrap().0;
    let open = |range| ReclaimPiece { range, fate: ReclaimFate::Open };
    assert!(matches!(told(vec![vec![open(half)]]), Err(BankFlaw::DoesNotFit)), "units left out");
    assert!(matches!(told(vec![vec![open(range), open(half)]]), Err(BankFlaw::DoesNotFit)), "told twice");
    // The bank's own word, without its letter, brings nothing.
    let returned = ReclaimPiece { range, fate: ReclaimFate::Returned };
    assert!(told(vec![vec![returned]]).is_ok());
    assert_eq!(world.state(alice, &id), State::Reclaiming);
}

/// A reclaim that the bank does not take leaves the payment in doubt as it was.
#[test]
fn a_reclaim_that_is_not_taken_leaves_the_payment_sent() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    let id = sent_and_lost(&mut world, alice, bob, 40);
    world.reclaim(alice, &id).unwrap();
    world.post.lose_everything();
    let op = world.person(alice).wallet().open_bank_ops().next().unwrap().id;
    let answer = BankAnswer::Error(ErrorCode::NotFound);
    let decision = world.person(alice).wallet().bank_answered(&op, answer, &[], world.now).unwrap();
    world.settle_decision(alice, decision).unwrap();
    assert_eq!(world.state(alice, &id), State::Sent);
    world.settles();
    assert_eq!(world.state(alice, &id), State::Confirmed, "it goes on being sent, and Bob takes it");
    world.check_settled();
}

/// X6: a confirmation that got lost is heard when the payment is offered again, also after restarts.
#[test]
fn a_lost_confirmation_is_heard_when_the_payment_is_offered_again() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    let id = world.pay(alice, bob, 40).unwrap();
    for _ in 0..40 {
        let Some(mail) = world.post.next(&mut tests::world::Chance::of(1)) else {
            world.remind(bob);
            continue;
        };
        if !matches!(mail, Mail::Confirm(..)) {
            world.arrive(mail).unwrap();
        }
    }
    world.post.lose_everything();
    assert_eq!(world.state(alice, &id), State::Receipted);
    let told = world.person(bob).store().unwrap().to_tell(8).unwrap();
    assert_eq!(told.len(), 1, "it is still to be told after a restart");
    world.crash(alice, Kept::Nothing);
    world.crash(bob, Kept::Nothing);
    assert_eq!(world.person(bob).store().unwrap().to_tell(8).unwrap().len(), 1);
    world.settles();
    assert_eq!(world.state(alice, &id), State::Confirmed);
    world.check_settled();
}

/// X1: a fork is refused, and both chains are kept as evidence; whoever shows it again adds nothing.
#[test]
fn a_fork_is_kept_as_evidence() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    nobody_refreshes(&mut world);
    let mut twin = world.copy();
    pays(&mut world, alice, bob, 40);
    let id = twin.pay(alice, bob, 30).unwrap();
    (0..2).for_each(|_| twin.deliver());
    let message = twin.message(alice, &id);
    let (introduction, now) = (world.person(alice).introduction.clone(), world.now);
    for _ in 0..3 {
        let answer =
            world.person_mut(bob).answer_payment(introduction.clone(), message.clone(), now).unwrap();
        assert!(!matches!(answer, PayAnswer::Receipt(_)), "{answer:?}");
    }
    let root = message.notes.clone().unpack().unwrap()[0].root.digest();
    let forks = world.person(bob).store().unwrap().forks_over(&root).unwrap();
    assert_eq!(forks.len(), 1);
    assert_eq!((forks[0].by_our_key, forks[0].payer()), (false, (world.person(alice).key(), id)));
    let told = happenings(&world, bob, |what| matches!(what, Happening::Forked { .. }));
    assert_eq!(told, 1, "told once");
    assert_eq!(happenings(&world, bob, |what| matches!(what, Happening::KeyElsewhere { .. })), 0);
}

fn happenings(world: &World, who: Who, wanted: impl Fn(&Happening) -> bool) -> usize {
    let events = world.person(who).store().unwrap().events(0, usize::MAX).unwrap();
    events.iter().filter(|event| wanted(&event.what)).count()
}

/// X1, X6: units that come home though they never left: our own key signs elsewhere, and the owner hears of it.
#[test]
fn our_own_key_signing_elsewhere_raises_an_alarm() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    nobody_refreshes(&mut world);
    let mut twin = world.copy();
    pays(&mut twin, alice, bob, 40);
    // Bob, who knows one Alice only, pays the other with what the first gave him.
    let id = twin.pay(bob, alice, 40).unwrap();
    (0..2).for_each(|_| twin.deliver());
    let message = twin.message(bob, &id);
    let (introduction, now) = (world.person(bob).introduction.clone(), world.now);
    let answer = world.person_mut(alice).answer_payment(introduction, message, now).unwrap();
    assert!(matches!(answer, PayAnswer::Refused(_)), "{answer:?}");
    assert_eq!(happenings(&world, alice, |what| matches!(what, Happening::KeyElsewhere { .. })), 1);
    assert_eq!(world.reserve(alice), 100, "and nothing moved");
}

/// Whoever asks the bank about a request that is none of a reclaim's kinds gets no reclaim's answer.
#[test]
fn a_withdrawal_is_not_answered_with_a_reclaim() {
    let (mut world, [alice, ..]) = with_reserve(100);
    let id = world.withdraw(alice, 10).unwrap();
    let state = ReclaimState { number: 1, closes: world.now, pieces: Vec::new(), letter: None };
    let answer = BankAnswer::Reclaim(Box::new(state));
    let told = world.person(alice).wallet().bank_answered(&id, answer, &[], world.now);
    assert!(matches!(told, Err(BankFlaw::DoesNotFit)));
    assert!(matches!(world.bank.ask(BankAsk::Terms), Some(BankAnswer::Terms(_))));
}
