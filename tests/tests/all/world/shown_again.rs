//! Payments whose payee's machine was lost after its receipt: the next machine takes them for the receipt's sake, whenever
//! they are shown, and nobody honest pays for what a thief makes of that (SPEC §3.3, §4.13, threats X6).

use super::receiving::{only_note, shows, with_request};
use super::{nobody_refreshes, pays, with_reserve};
use bank_node::desk::standing::Change as Standing;
use bank_node::ledger::AccountNumber;
use daemon::store::Store;
use daemon::wallet::history::Movement;
use daemon::wallet::paying::{PaymentOutcome, State};
use protocol::id::PaymentId;
use protocol::pay::{AmountRule, Payment, Receipt};
use protocol::sign::{Signed, Signer};
use protocol::time::DAY_SECONDS;
use protocol::wire::{ErrorCode, PayAnswer};
use tests::world::{Person, Who, World, units};

/// Everybody has a vault, and nobody goes to the bank by himself.
fn a_careful_town(reserve: u64) -> (World, [Who; 3]) {
    let (mut world, people) = with_reserve(reserve);
    nobody_refreshes(&mut world);
    people.into_iter().for_each(|who| world.keep_vault(who));
    (world, people)
}

/// Days go by; everybody who is there reads the bulletins and shows the bank what he knows.
fn days(world: &mut World, days: u64) {
    for _ in 0..days * 4 {
        world.settles();
        let listed = world.bank.reclaimed();
        for who in world.everybody() {
            if !world.person(who).off && world.person(who).wallet().quarantine().is_none() {
                world.contest(who, &listed);
            }
        }
        world.wait(DAY_SECONDS / 4);
    }
    world.settles();
}

fn worth(world: &World, who: Who) -> u64 {
    world.reserve(who) + world.account(who)
}

/// Nothing was lost or made, both sides agree about every payment, and there is no case against anybody.
fn nobody_is_worse_off(world: &World) {
    let audit = world.bank.audit();
    assert!(audit.ok, "{:?}", audit.findings);
    for who in world.everybody() {
        assert!(world.cases(who).is_empty() && world.claims(who).is_empty(), "{}", world.person(who).name);
        world.check_history(who);
    }
    world.check_settled();
}

fn shown_with(
    world: &mut World,
    payer: Who,
    payee: Who,
    payment: &Payment,
    receipt: Signed<Receipt>,
) -> PayAnswer {
    let (papers, now) = (world.person(payer).introduction.clone(), world.now);
    world.person_mut(payee).answer_shown(papers, payment.clone(), Some(receipt), now).unwrap()
}

fn receipt_of(world: &World, payer: Who, id: &PaymentId) -> Signed<Receipt> {
    world.payment(payer, id).unwrap().unwrap().receipt.unwrap()
}

fn suspend(world: &mut World, who: Who, change: Standing) {
    let account = AccountNumber(world.person(who).wallet().owner().account);
    world.decide(account, change);
}

/// X6: Bob's second machine takes what his first one had asked for, and goes, too. Its receipt was lost; the third one
/// gives it again in its own name, for of the second one Alice has never heard.
#[test]
fn a_receipt_of_a_machine_between_is_given_again() {
    let (mut world, [alice, bob, _]) = a_careful_town(600);
    let id = world.pay(alice, bob, 100).unwrap();
    world.deliver();
    world.deliver();
    assert_eq!(world.state(alice, &id), State::Sent);
    world.restore(bob);
    world.deliver();
    assert_eq!(world.reserve(bob), 100, "the second machine has it");
    world.post.lose_everything();
    assert!(world.is_in_vault(bob));
    world.restore(bob);
    world.settles();
    assert_eq!(world.state(alice, &id).outcome(), PaymentOutcome::Done, "{:?}", world.state(alice, &id));
    days(&mut world, 9);
    assert_eq!((world.reserve(bob), world.account(bob)), (0, 200));
    nobody_is_worse_off(&world);
}

/// X6: Bob's machine goes before his vault had the payment, and Alice is away until her order, and even the last direct day
/// of her notes, is past. Bob gets his money all the same.
#[test]
fn a_receipt_of_the_lost_machine_has_no_date() {
    for away in [1, 8, 70, 400] {
        let (mut world, [alice, bob, _]) = a_careful_town(600);
        let id = pays(&mut world, alice, bob, 100);
        assert_eq!(world.state(alice, &id), State::Receipted);
        world.person_mut(alice).off = true;
        world.restore(bob);
        world.wait(away * DAY_SECONDS);
        world.person_mut(alice).off = false;
        days(&mut world, 9);
        assert_eq!((world.reserve(bob), world.account(bob)), (0, 200), "after {away} days");
        assert_eq!(world.state(alice, &id), State::Confirmed);
        nobody_is_worse_off(&world);
    }
}

/// X6: without the receipt the order stays refused, for good. With it the no of before does not count; another payment's
/// receipt, or one that the payer made himself, changes nothing.
#[test]
fn a_no_to_an_offer_is_no_answer_to_a_receipt() {
    let (mut world, [alice, bob, _]) = a_careful_town(600);
    let [id, other] = [100, 50].map(|units| pays(&mut world, alice, bob, units));
    let message = world.message(alice, &id);
    world.person_mut(alice).off = true;
    world.restore(bob);
    world.wait(8 * DAY_SECONDS);
    let said = PayAnswer::Error;
    assert_eq!(shows(&mut world, alice, bob, &message), said(ErrorCode::Expired));
    let forged = receipt_of(&world, alice, &id).unverified().clone();
    let forged = world.person(alice).open_keys().unwrap().owner().sign(forged);
    let of_another = receipt_of(&world, alice, &other);
    for receipt in [forged, of_another] {
        assert_eq!(shown_with(&mut world, alice, bob, &message, receipt), said(ErrorCode::Expired));
    }
    let receipt = receipt_of(&world, alice, &id);
    let taken = shown_with(&mut world, alice, bob, &message, receipt.clone());
    assert!(matches!(taken, PayAnswer::Receipt(_)), "{taken:?}");
    assert_eq!(shown_with(&mut world, alice, bob, &message, receipt), taken, "the same for ever");
    assert_eq!(world.person(bob).wallet().free(), units(0), "it is behind the fence");
    world.person_mut(alice).off = false;
    days(&mut world, 9);
    assert_eq!((world.reserve(bob), world.account(bob)), (0, 250));
    nobody_is_worse_off(&world);
}

/// X6: the payer, or the payee, was suspended in the meantime.
#[test]
fn a_suspension_does_not_strand_what_was_paid() {
    for alices in [true, false] {
        let (mut world, [alice, bob, _]) = a_careful_town(600);
        let id = pays(&mut world, alice, bob, 100);
        world.person_mut(alice).off = true;
        world.restore(bob);
        world.copy_directory(bob);
        suspend(&mut world, if alices { alice } else { bob }, Standing::Suspend);
        world.copy_directory(bob);
        world.wait(8 * DAY_SECONDS);
        world.person_mut(alice).off = false;
        days(&mut world, 9);
        assert_eq!((world.reserve(bob), world.account(bob)), (0, 200));
        assert_eq!(world.state(alice, &id), State::Confirmed);
        assert!(world.bank.audit().ok);
    }
}

/// X6: the lost machine had handed the money on. Carol keeps what she has, Bob gets the rest.
#[test]
fn what_the_lost_machine_handed_on_stays_where_it_is() {
    let (mut world, [alice, bob, carol]) = a_careful_town(600);
    world.wait(60);
    let id = pays(&mut world, alice, bob, 100);
    pays(&mut world, bob, carol, 60);
    world.person_mut(alice).off = true;
    world.restore(bob);
    world.wait(8 * DAY_SECONDS);
    world.person_mut(alice).off = false;
    days(&mut world, 9);
    assert_eq!(world.state(alice, &id), State::Confirmed);
    assert_eq!((world.reserve(bob), world.account(bob), worth(&world, carol)), (0, 140, 160));
    let passed: u64 = lines(&world, bob, Movement::Passed);
    assert_eq!(passed, 60);
    assert!(world.bank.audit().ok);
    assert!(world.cases(bob).is_empty() && world.cases(carol).is_empty() && world.cases(alice).is_empty());
}

fn lines(world: &World, who: Who, movement: Movement) -> u64 {
    let lines = world.history(who);
    lines.iter().filter(|line| line.movement == movement).map(|line| line.units.get()).sum()
}

/// X6: what the lost machine had paid came home to it, and nothing of that was in the vault. Whenever Alice shows it, before
/// the reclaim of the old note or after it, and whether or not anybody objected, Bob has his hundred once.
#[test]
fn what_came_home_to_the_lost_machine_is_there_once() {
    for away in [0, 1, 2, 3, 5, 9, 80] {
        let (mut world, [alice, bob, _]) = super::three();
        nobody_refreshes(&mut world);
        [alice, bob].into_iter().for_each(|who| world.keep_vault(who));
        world.withdraw(bob, 100).unwrap();
        world.settles();
        assert!(world.is_in_vault(bob));
        world.wait(60);
        pays(&mut world, bob, alice, 100);
        let home = pays(&mut world, alice, bob, 100);
        assert_eq!(world.state(alice, &home), State::Receipted);
        world.person_mut(alice).off = true;
        world.restore(bob);
        days(&mut world, away);
        world.person_mut(alice).off = false;
        days(&mut world, 12);
        assert_eq!((worth(&world, alice), worth(&world, bob)), (1_000, 100), "shown after {away} days");
        let audit = world.bank.audit();
        assert!(audit.ok, "{:?}", audit.findings);
        for who in [alice, bob] {
            assert!(world.cases(who).is_empty() && world.claims(who).is_empty(), "after {away} days");
            world.check_history(who);
        }
    }
}

/// Bob's machine is stolen, switched off; Bob restores. What the thief holds.
fn stolen(world: &mut World, bob: Who) -> Person {
    let lost = world.person(bob).copy();
    world.restore(bob);
    lost
}

fn forges(thief: &Signer, payment: &Payment, world: &World) -> Signed<Receipt> {
    let order = payment.order.unverified();
    thief.sign(Receipt {
        order: payment.order.digest(),
        payee: order.payee,
        amount: order.amount,
        received: world.now,
        confirmed: false,
    })
}

/// X6, hostile: a thief with the lost machine signs a receipt for a friend who pays with units that he has spent already. It
/// comes in behind the fence, buys nothing from a waiting program, is told as lost, and nobody honest pays for it.
#[test]
fn a_thief_s_receipt_costs_nobody_honest_anything() {
    let (mut world, [alice, bob, mallory]) = a_careful_town(600);
    world.withdraw(mallory, 100).unwrap();
    world.settles();
    let bought = world.ask_for(bob, AmountRule::AtMost(units(500))).unwrap();
    assert!(world.is_in_vault(bob));
    let purse = only_note(&world, mallory);
    let forked = with_request(&world, mallory, &bought, &[purse], PaymentId([66; 16]));
    pays(&mut world, mallory, alice, 100);
    world.deposit(alice, 700).unwrap();
    world.settles();
    let (before, alices) = (worth(&world, bob), worth(&world, alice));
    let thief = stolen(&mut world, bob).node.clone();
    world.wait(2 * DAY_SECONDS);
    assert_eq!(shows(&mut world, mallory, bob, &forked), PayAnswer::Error(ErrorCode::Expired));
    let receipt = forges(&thief, &forked, &world);
    let taken = shown_with(&mut world, mallory, bob, &forked, receipt);
    assert!(matches!(taken, PayAnswer::Receipt(_)), "{taken:?}");
    let record = world.person(bob).store().unwrap().request(&bought.unverified().id).unwrap();
    assert_eq!(record.unwrap().paid, None, "who waits for it hands nothing out");
    assert_eq!(world.person(bob).wallet().free(), units(0));
    days(&mut world, 9);
    assert_eq!((worth(&world, bob), worth(&world, alice)), (before, alices));
    assert_eq!(lines(&world, bob, Movement::Lost), 100);
    assert!(world.bank.audit().ok);
}

/// X6, hostile: a request of the machine that runs now is paid by its rules, whatever receipt the lost one signs.
#[test]
fn a_thief_s_receipt_lifts_no_limit_of_today() {
    let (mut world, [alice, bob, _]) = a_careful_town(600);
    let thief = stolen(&mut world, bob).node.clone();
    let request = world.ask_for(bob, AmountRule::AtMost(units(600))).unwrap();
    let purse = only_note(&world, alice);
    let large = with_request(&world, alice, &request, &[purse], PaymentId([7; 16]));
    let receipt = forges(&thief, &large, &world);
    let answer = shown_with(&mut world, alice, bob, &large, receipt);
    assert_eq!(answer, PayAnswer::Error(ErrorCode::NeedCertified));
}

/// Y14: once the bank has issued it to Bob's key Alice has paid: nothing of it is in doubt, nothing can be asked back. It
/// waits for Bob in his mailbox, is put there again when its time is over, and finds him after a year and a restore.
#[test]
fn certified_money_is_paid_and_waits_for_its_payee() {
    let (mut world, [alice, bob, _]) = a_careful_town(600);
    let id = world.pay_certified(alice, bob, 300).unwrap();
    while world.state(alice, &id) != State::Issued {
        world.deliver();
    }
    world.post.lose_everything();
    world.person_mut(bob).off = true;
    let wallet = world.person(alice).wallet();
    assert_eq!(world.state(alice, &id).outcome(), PaymentOutcome::Done);
    assert_eq!((wallet.holdings().in_doubt, wallet.doubts().len()), (units(0), 0));
    for month in 0..12 {
        world.wait(120);
        world.settles();
        let waiting = world.parcels(bob, 0);
        assert_eq!(waiting.len(), 1, "month {month}: one is there, and one only");
        let post = world.payment(alice, &id).unwrap().unwrap().post.unwrap();
        world.wait(post.until.seconds_since(world.now) + 601);
        world.settles();
    }
    assert_eq!(world.state(alice, &id), State::Issued);
    assert!(!world.cancel(alice, &id).unwrap() && world.reclaim(alice, &id).is_err());
    world.person_mut(alice).off = true;
    world.restore(bob);
    world.person_mut(bob).off = false;
    world.collect(bob).unwrap();
    assert_eq!(world.reserve(bob), 300);
    world.person_mut(alice).off = false;
    days(&mut world, 9);
    assert_eq!(world.state(alice, &id), State::Confirmed);
    assert_eq!(worth(&world, bob), 400);
    nobody_is_worse_off(&world);
}

/// B7: whatever write of Alice's fails on the way to a certified payment, it has one end, and is never both paid and back.
#[test]
fn an_issued_payment_survives_every_crash() {
    for write in 0..12 {
        let (mut world, [alice, bob, _]) = with_reserve(600);
        world.person(alice).disk.fail_after(write);
        let begun = world.pay_certified(alice, bob, 300);
        (0..8).for_each(|_| world.deliver());
        world.mend_disks();
        world.settles();
        world.wait(DAY_SECONDS);
        world.settles();
        let paid = world.reserve(bob);
        assert!(paid == 0 || paid == 300, "after {write} writes");
        assert!(begun.is_err() || paid == 300, "what was begun is paid, after {write} writes");
        world.check_settled();
    }
}
