//! Payments to somebody who is off: by the bank's mailbox, alone and beside the direct way (SPEC §4.12).

use super::{nobody_refreshes, with_reserve};
use daemon::wallet::history::Movement;
use daemon::wallet::paying::State;
use daemon::wallet::posting::BackRefusal;
use protocol::bank::MailFate;
use protocol::id::PaymentId;
use protocol::key::bank::Usage;
use protocol::time::DAY_SECONDS;
use protocol::wire::{BankAsk, ErrorCode, PayAnswer, PayAsk};
use serde_bytes::ByteBuf;
use tests::world::{Kept, Mail, Who, World, units};

/// Alice has 500; Bob has left requests at the bank, and is off.
fn bob_is_off() -> (World, [Who; 3]) {
    let (mut world, people) = with_reserve(500);
    world.leaves_requests(people[1]).unwrap();
    world.person_mut(people[1]).off = true;
    (world, people)
}

fn posts(world: &mut World, payer: Who, payee: Who, count: u64) -> PaymentId {
    let id = world.pay_by_mail(payer, payee, count).unwrap();
    world.settles();
    assert_eq!(world.state(payer, &id), State::Posted);
    id
}

fn is_back(world: &World, who: Who, id: &PaymentId) -> bool {
    matches!(world.state(who, id), State::Returned(_))
}

/// N3, N14: payer and payee are never on line together, and the payee is locked all the time; he has the money, and
/// she knows it.
#[test]
fn they_are_never_on_line_together() {
    let (mut world, [alice, bob, _]) = bob_is_off();
    let id = posts(&mut world, alice, bob, 120);
    assert_eq!(world.reserve(alice), 380);
    world.person_mut(alice).off = true;
    world.wait(5 * DAY_SECONDS);
    (world.person_mut(bob).off, world.person_mut(bob).locked) = (false, true);
    world.settles();
    assert_eq!(world.reserve(bob), 120);
    assert_eq!(world.state(alice, &id), State::Posted, "she has not looked yet");
    world.person_mut(bob).off = true;
    world.person_mut(alice).off = false;
    world.settles();
    assert_eq!(world.state(alice, &id), State::Receipted);
    (world.person_mut(bob).off, world.person_mut(bob).locked) = (false, false);
    world.settles();
    assert_eq!(world.state(alice, &id), State::Confirmed);
    world.check_settled();
}

/// Above what Bob takes directly he has left requests that want the bank's certificate: that money is his at once,
/// and can't be cancelled.
#[test]
fn a_large_payment_by_mail_is_certified() {
    let (mut world, [alice, bob, _]) = bob_is_off();
    let id = world.pay_by_mail(alice, bob, 300).unwrap();
    world.settles();
    assert_eq!(world.state(alice, &id), State::Issued);
    let back = world.person(alice).wallet().back_from_mailbox(&id, world.now);
    assert_eq!(back.map(drop).unwrap_err(), BackRefusal::Certified);
    world.person_mut(bob).off = false;
    world.settles();
    assert_eq!(world.state(alice, &id), State::Confirmed);
    assert_eq!(world.person(bob).wallet().holdings().confirmed, units(300));
    world.check_settled();
}

/// X4: what nobody has collected comes back on the payer's word, with the bank's; and never reaches the payee.
#[test]
fn uncollected_mail_comes_back() {
    let (mut world, [alice, bob, _]) = bob_is_off();
    let id = posts(&mut world, alice, bob, 120);
    assert!(world.cancel(alice, &id).unwrap());
    assert!(world.cancel(alice, &id).unwrap(), "twice is once");
    world.settles();
    assert!(is_back(&world, alice, &id));
    assert_eq!(world.reserve(alice), 500);
    let kept = world.payment(alice, &id).unwrap().unwrap().post.unwrap();
    let word = kept.word.unwrap();
    let word = world.person(alice).wallet().keys().verify(Usage::Attest, world.now.day(), word).unwrap();
    assert_eq!((word.fate, Some(word.item)), (MailFate::Withdrawn, kept.item));
    world.person_mut(bob).off = false;
    world.settles();
    assert_eq!(world.reserve(bob), 0);
    world.check_settled();
    world.cash_in();
}

/// Cancelled too late: the word says that Bob's workstation has it, and so it ends as if it had been sent.
#[test]
fn collected_mail_does_not_come_back() {
    let (mut world, [alice, bob, _]) = bob_is_off();
    let id = posts(&mut world, alice, bob, 120);
    let parcels = world.parcels(bob, 0);
    assert_eq!(parcels.len(), 1);
    // Bob crashes over it. Alice does not wait any longer.
    assert!(world.cancel(alice, &id).unwrap());
    assert_eq!(world.state(alice, &id), State::Sent);
    assert!(!world.cancel(alice, &id).unwrap());
    assert_eq!(world.reserve(alice), 380, "a word that says «collected» frees nothing");
    world.person_mut(bob).off = false;
    world.settles();
    assert_eq!((world.state(alice, &id), world.reserve(bob)), (State::Confirmed, 120));
    world.check_settled();
}

/// Before the item has gone anywhere it is cancelled without the bank; before the bank has it, with it.
#[test]
fn it_can_be_cancelled_on_its_way_to_the_mailbox() {
    let (mut world, [alice, bob, _]) = bob_is_off();
    let id = world.pay_by_mail(alice, bob, 120).unwrap();
    assert!(world.cancel(alice, &id).unwrap(), "the item is still in the post to the bank");
    assert!(matches!(world.state(alice, &id), State::TakingBack(_)));
    // The item arrives late: it finds the word.
    world.settles();
    assert!(world.parcels(bob, 0).is_empty());
    assert!(is_back(&world, alice, &id));
    world.person_mut(bob).off = false;
    world.settles();
    world.check_settled();
}

/// Y11: at its end it comes back without anybody's word; no date frees anything before the bank has spoken.
#[test]
fn what_nobody_collects_in_time_comes_back_by_itself() {
    let (mut world, [alice, bob, _]) = bob_is_off();
    let id = posts(&mut world, alice, bob, 120);
    let until = world.payment(alice, &id).unwrap().unwrap().post.unwrap().until;
    world.wait(until.seconds_since(world.now));
    world.settles();
    assert_eq!(world.state(alice, &id), State::Posted, "clocks may differ");
    world.wait(601);
    world.bank.sweep_post();
    world.person_mut(bob).off = false;
    world.person_mut(alice).locked = true;
    world.settles();
    assert!(matches!(world.state(alice, &id), State::TakingBack(_)));
    assert_eq!((world.reserve(alice), world.reserve(bob)), (380, 0));
    world.person_mut(alice).locked = false;
    world.settles();
    assert!(is_back(&world, alice, &id));
    world.check_settled();
}

/// A payment without an answer is posted as well; it arrives twice and counts once. It can't be cancelled.
#[test]
fn directly_and_by_mail_is_one_credit() {
    let (mut world, [alice, bob, _]) = with_reserve(500);
    nobody_refreshes(&mut world);
    let id = world.pay(alice, bob, 50).unwrap();
    while world.state(alice, &id) != State::Sent {
        world.deliver();
    }
    // The payment arrives, its receipt is lost, and Bob is off.
    world.deliver();
    world.post.lose_everything();
    world.person_mut(bob).off = true;
    world.wait(61);
    world.settles();
    assert!(world.bank.has_mail(&world.person(bob).key()));
    assert!(!world.cancel(alice, &id).unwrap());
    world.person_mut(bob).off = false;
    world.person_mut(alice).off = true;
    world.collect(bob).unwrap();
    assert_eq!(world.reserve(bob), 50);
    world.person_mut(alice).off = false;
    world.settles();
    assert_eq!(world.state(alice, &id), State::Receipted);
    let credits = world.history(bob).iter().filter(|line| line.movement == Movement::Received).count();
    assert_eq!((credits, world.reserve(bob)), (1, 50));
    world.cash_in();
}

/// Y8, hostile: a full box takes no more. The payer is told, and has her money back.
#[test]
fn a_full_box_costs_the_payer_nothing() {
    let (mut world, [alice, bob, carol]) = bob_is_off();
    let junk = world.envelope(carol, bob, PayAsk::Answered(PaymentId([1; 16]), Box::new(PayAnswer::Noted)));
    let first = posts(&mut world, alice, bob, 1);
    let item = world.parcels(bob, 0).remove(0).item.unverified().clone();
    let item = protocol::bank::MailItem {
        from: world.person(carol).key(),
        node: world.person(carol).node.key(),
        ..item
    };
    let mallories: Vec<Who> = (0..4).map(|n| world.join(&format!("Mallory {n}"), 0)).collect();
    for (n, mallory) in mallories.iter().flat_map(|who| (0..16u8).map(move |n| (n, *who))) {
        let person = world.person(mallory);
        let item = protocol::bank::MailItem {
            request: protocol::id::RequestId([n; 16]),
            from: person.key(),
            node: person.node.key(),
            envelope: protocol::bank::envelope_digest(&junk),
            ..item.clone()
        };
        let ask = BankAsk::Mail(person.node.sign(item), ByteBuf::from(junk.clone()));
        world.bank.ask(ask);
    }
    let id = world.pay_by_mail(alice, bob, 120).unwrap();
    world.settles();
    assert_eq!(world.state(alice, &id), State::Returned(ErrorCode::OverLimit));
    assert_eq!(world.reserve(alice), 499);
    // Bob throws the junk away, and what came before it is his.
    world.person_mut(bob).off = false;
    world.settles();
    assert!(!world.bank.has_mail(&world.person(bob).key()));
    assert_eq!(world.state(alice, &first), State::Confirmed);
    assert_eq!(world.reserve(bob), 1);
    world.check_settled();
}

/// Hostile bank: it says «withdrawn» and hands the item out all the same. Whoever is first at the bank has the
/// units. If that is Bob, Alice learns that she has paid; she loses nothing that he does not have.
#[test]
fn a_bank_that_lies_and_the_payee_is_first() {
    let (mut world, [alice, bob, _]) = bob_is_off();
    let id = posts(&mut world, alice, bob, 120);
    let parcels = world.copy().parcels(bob, 0);
    world.person_mut(alice).locked = true;
    world.cancel(alice, &id).unwrap();
    world.person_mut(bob).off = false;
    assert!(world.handle(bob, &parcels[0]).unwrap());
    world.refresh(bob).unwrap();
    world.settles();
    world.person_mut(alice).locked = false;
    world.settles();
    assert!(world.state(alice, &id).outcome() == daemon::wallet::paying::PaymentOutcome::Done);
    assert_eq!((world.reserve(alice), world.reserve(bob)), (380, 120));
    assert!(world.history(bob).iter().all(|line| line.movement != Movement::Lost));
    assert!(world.bank.audit().ok);
}

/// The same, and Alice's units are back before Bob is at the bank: the bank's own word, which names this order,
/// shows who has lied. Alice has signed what she was told to; Bob's loss is the bank's, and provable.
#[test]
fn a_bank_that_lies_is_named_by_its_own_word() {
    let (mut world, [alice, bob, _]) = bob_is_off();
    let id = posts(&mut world, alice, bob, 120);
    let parcels = world.copy().parcels(bob, 0);
    world.cancel(alice, &id).unwrap();
    world.settles();
    assert!(is_back(&world, alice, &id));
    world.person_mut(bob).off = false;
    // She may be on line or not: an order that she took back is never done again.
    assert!(world.handle(bob, &parcels[0]).unwrap());
    world.settles();
    assert_eq!(world.reserve(bob), 0, "he does not keep what the bank will not redeem");
    assert!(world.history(bob).iter().any(|line| line.movement == Movement::Lost));
    let payment = world.payment(alice, &id).unwrap().unwrap();
    let word = payment.post.unwrap().word.unwrap();
    let keys = world.person(bob).wallet().keys();
    let word = keys.verify(Usage::Attest, world.now.day(), word).unwrap();
    assert_eq!((word.fate, word.order), (MailFate::Withdrawn, payment.order.unwrap().digest()));
    assert!(is_back(&world, alice, &id) && world.bank.audit().ok);
}

/// Requests that were left are used up one by one; without one nothing is signed.
#[test]
fn without_a_request_nothing_is_signed() {
    let (mut world, [alice, bob, carol]) = bob_is_off();
    for _ in 0..2 {
        posts(&mut world, alice, bob, 10);
    }
    let third = world.pay_by_mail(alice, bob, 10).unwrap();
    // The certified ones are left, and serve a small amount as well.
    world.settles();
    assert_eq!(world.state(alice, &third), State::Issued);
    world.withdraw(carol, 50).unwrap();
    world.settles();
    world.pay_by_mail(carol, bob, 10).unwrap();
    let none = world.pay_by_mail(carol, bob, 10).unwrap();
    assert_eq!(world.state(carol, &none), State::Asking);
    world.person_mut(bob).off = false;
    world.settles();
    assert_eq!(world.reserve(bob), 50);
    world.check_settled();
}

/// B7: the payer's disk fails at every write of posting and taking back; so does the payee's over collecting, and
/// the bank's over all of it. Every time both agree at the end.
#[test]
fn crashes_at_every_write_lose_no_mail() {
    let base = bob_is_off().0;
    let [alice, bob] = [base.everybody()[0], base.everybody()[1]];
    let kinds: [fn(&World, u64); 3] = [
        |world, writes| world.person(world.everybody()[0]).disk.fail_after(writes),
        |world, writes| world.person(world.everybody()[1]).disk.fail_after(writes),
        |world, writes| world.bank.fail_after(writes),
    ];
    let (mut done, mut back) = (0, 0);
    for (fail, cancels) in kinds.into_iter().flat_map(|fail| [(fail, false), (fail, true)]) {
        for writes in (0..60).step_by(3) {
            let mut world = base.copy();
            let id = world.pay_by_mail(alice, bob, 120);
            fail(&world, writes);
            for turn in 0..4 {
                world.deliver_all();
                if let (Ok(id), true, true) = (id, cancels, turn > 0) {
                    let _may_be_down = world.cancel(alice, &id);
                }
                world.person_mut(bob).off = turn < 2;
                world.remind(bob);
                world.remind(alice);
                for who in [alice, bob] {
                    if world.person(who).is_down() {
                        world.crash(who, Kept::Some);
                    }
                }
            }
            world.mend_disks();
            world.settles();
            world.check_settled();
            match id.map(|id| world.state(alice, &id).outcome()) {
                Ok(daemon::wallet::paying::PaymentOutcome::Done) => done += 1,
                Ok(daemon::wallet::paying::PaymentOutcome::NotDone) => back += 1,
                other => panic!("{other:?}"),
            }
            world.cash_in();
        }
    }
    assert!(done > 20 && back > 20, "{done} {back}");
}

/// A late copy of the payment's item, and one of an answer, change nothing.
#[test]
fn late_copies_are_nothing_new() {
    let (mut world, [alice, bob, _]) = bob_is_off();
    let id = world.pay_by_mail(alice, bob, 120).unwrap();
    let op = world.person(alice).wallet().open_bank_ops().next().unwrap().clone();
    world.settles();
    world.person_mut(bob).off = false;
    world.settles();
    assert_eq!(world.state(alice, &id), State::Confirmed);
    for _ in 0..2 {
        world.post.send(Mail::ToBank(alice, op.id, op.ask.clone()));
        world.settles();
    }
    assert!(!world.bank.has_mail(&world.person(bob).key()));
    world.check_settled();
}

/// X4: what is reclaimed lies in no mailbox any more: the bank is asked for it back, and a late copy finds its word.
#[test]
fn what_is_reclaimed_is_taken_out_of_the_mailbox() {
    let (mut world, [alice, bob, _]) = with_reserve(500);
    let id = world.pay(alice, bob, 120).unwrap();
    world.deliver();
    world.deliver();
    assert_eq!(world.state(alice, &id), State::Sent);
    world.post.lose_everything();
    world.person_mut(bob).off = true;
    world.wait(120);
    world.settles();
    assert!(world.bank.has_mail(&world.person(bob).key()), "it went to the mailbox, too");
    world.reclaim(alice, &id).unwrap();
    world.settles();
    assert_eq!(world.state(alice, &id), State::Reclaiming);
    let post = world.payment(alice, &id).unwrap().unwrap().post.unwrap();
    assert_eq!(post.fate(), Some(MailFate::Withdrawn));
    assert!(!world.bank.has_mail(&world.person(bob).key()));
    world.days(8);
    world.person_mut(bob).off = false;
    world.settles();
    assert_eq!((world.state(alice, &id), world.reserve(bob)), (State::Reclaimed, 0));
    world.check_settled();
}
