//! A payee's side: what is taken, what is not, and what a hostile or unlucky payer can't do.

use super::{nobody_refreshes, pays, three, with_reserve};
use bank_node::desk::standing::Change as Standing;
use daemon::store::Store;
use daemon::wallet::history::Movement;
use daemon::wallet::paying::{NotDone, State};
use protocol::id::{PaymentId, RequestId};
use protocol::note::{Destination, Note, NoteTable};
use protocol::pay::{AmountRule, Mode, Order, Payment, Request, list_of_notes};
use protocol::sign::Signed;
use protocol::wire::{ErrorCode, PayAnswer};
use tests::world::{Kept, Mail, Who, World, units};

/// A direct payment of exactly these notes of the payer's, made by hand as a hostile program would.
fn by_hand(world: &mut World, payer: Who, payee: Who, notes: &[Note], id: PaymentId) -> Payment {
    let sum: u64 = notes.iter().map(|n| n.holding().unwrap().range.units().get()).sum();
    let request = a_request(world, payee, sum);
    with_request(world, payer, &request, notes, id)
}

pub(super) fn a_request(world: &mut World, payee: Who, sum: u64) -> Signed<Request> {
    let (now, mut chance) = (world.now, world.chance.clone());
    let amount = AmountRule::AtMost(units(sum.max(1)));
    let person = world.person_mut(payee);
    let request = person.request(amount, Mode::Direct, now.plus_seconds(3600), &mut chance, now);
    world.chance = chance;
    request.unwrap().unwrap()
}

pub(super) fn with_request(
    world: &World,
    payer: Who,
    request: &Signed<Request>,
    notes: &[Note],
    id: PaymentId,
) -> Payment {
    let person = world.person(payer);
    let keys = person.open_keys().unwrap();
    let to = Destination::Key(request.unverified().key());
    let handed: Vec<Note> = notes
        .iter()
        .map(|note| {
            let own = person.wallet().notes().find(|own| own.note.root == note.root).unwrap();
            note.hand_on(note.holding().unwrap().range, to, &keys.seed().note(&own.hint)).unwrap()
        })
        .collect();
    let tips: Vec<_> = handed.iter().map(|n| n.holding().unwrap().tip).collect();
    let sum: u64 = handed.iter().map(|n| n.holding().unwrap().range.units().get()).sum();
    let order = keys.owner().sign(Order {
        bank: person.wallet().bank(),
        payment: id,
        request: request.digest(),
        payer: person.key(),
        payee: request.unverified().payee(),
        amount: units(sum),
        created: world.now,
        expires: world.now.plus_seconds(3600),
        mode: Mode::Direct,
        replaces: Default::default(),
        memo: Order::memo_digest(""),
        list: list_of_notes(&tips),
    });
    Payment {
        request: request.clone(),
        order,
        memo: String::new(),
        keys: Vec::new(),
        notes: NoteTable::pack(&handed),
    }
}

pub(super) fn shows(world: &mut World, payer: Who, payee: Who, payment: &Payment) -> PayAnswer {
    let (introduction, now) = (world.person(payer).introduction.clone(), world.now);
    world.person_mut(payee).answer_payment(introduction, payment.clone(), now).unwrap()
}

pub(super) fn only_note(world: &World, who: Who) -> Note {
    world.person(who).wallet().notes().next().unwrap().note.clone()
}

/// N3: a locked workstation takes money and gives none.
#[test]
fn a_locked_workstation_receives_and_never_spends() {
    let (mut world, [alice, bob, _]) = with_reserve(300);
    world.person_mut(bob).locked = true;
    let id = pays(&mut world, alice, bob, 40);
    assert_eq!(world.state(alice, &id), State::Receipted, "it can't go to the bank either");
    assert_eq!(world.reserve(bob), 40);
    assert_eq!(world.pay(bob, alice, 1), Err(tests::world::Cannot::Locked));
    assert_eq!(world.deposit(bob, 1), Err(tests::world::Cannot::Locked));
    world.person_mut(bob).locked = false;
    world.settles();
    assert_eq!(world.state(alice, &id), State::Confirmed);
    world.check_settled();
}

/// N3: when the tickets of a locked workstation are used up, payers are told to wait, and lose nothing.
#[test]
fn without_tickets_payers_wait() {
    let (mut world, [alice, bob, _]) = with_reserve(300);
    world.person_mut(bob).locked = true;
    let mut paid = 0;
    let waiting = loop {
        let id = world.pay(alice, bob, 1).unwrap();
        world.deliver_all();
        if world.state(alice, &id) == State::Asking {
            break id;
        }
        paid += 1;
    };
    assert_eq!(world.reserve(bob), paid);
    world.person_mut(bob).locked = false;
    world.settles();
    assert_eq!(world.state(alice, &waiting), State::Confirmed);
    world.check_settled();
}

/// X1: units that come back to whoever paid them are taken: whole, in part, and through a third hand.
#[test]
fn ones_own_units_come_home() {
    for (back, through_carol) in [(40, false), (15, false), (40, true), (15, true)] {
        let (mut world, [alice, bob, carol]) = with_reserve(100);
        nobody_refreshes(&mut world);
        pays(&mut world, alice, bob, 40);
        let mut holder = bob;
        if through_carol {
            pays(&mut world, bob, carol, 40);
            holder = carol;
        }
        let id = pays(&mut world, holder, alice, back);
        assert_eq!(world.state(holder, &id), State::Receipted, "{back} {through_carol}");
        assert_eq!(world.reserve(alice), 60 + back);
        // And they are as good as any others: out again, and to the bank.
        pays(&mut world, alice, bob, 60 + back);
        world.check_settled();
        world.cash_in();
    }
}

/// X1: the same units go round many times, until the chain is so long that the bank renews it.
#[test]
fn units_go_round_and_round() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    nobody_refreshes(&mut world);
    for _ in 0..20 {
        let id = pays(&mut world, alice, bob, 100);
        assert!(matches!(world.state(alice, &id), State::Receipted | State::Confirmed));
        pays(&mut world, bob, alice, 100);
    }
    assert_eq!(world.reserve(alice), 100);
    world.check_settled();
    world.cash_in();
}

/// The same message twice: the same receipt, and the money once; also after a restart, also much later.
#[test]
fn the_same_order_gets_the_same_answer_for_ever() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    let payment = {
        let note = only_note(&world, alice);
        by_hand(&mut world, alice, bob, &[note], PaymentId([1; 16]))
    };
    let first = shows(&mut world, alice, bob, &payment);
    assert!(matches!(first, PayAnswer::Receipt(_)), "{first:?}");
    for _ in 0..3 {
        world.crash(bob, Kept::Nothing);
        world.wait(40 * 86_400);
        assert_eq!(shows(&mut world, alice, bob, &payment), first);
    }
    assert_eq!(world.reserve(bob), 100);
    assert_eq!(world.history(bob).len(), 1);
}

/// H4: a payment id that comes back with another body gets an error, never the earlier answer.
#[test]
fn a_payment_id_used_again_is_refused() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    world.withdraw(alice, 50).unwrap();
    world.settles();
    let notes: Vec<Note> = world.person(alice).wallet().notes().map(|own| own.note.clone()).collect();
    let id = PaymentId([1; 16]);
    let first = by_hand(&mut world, alice, bob, &notes[..1], id);
    let second = by_hand(&mut world, alice, bob, &notes[1..], id);
    assert!(matches!(shows(&mut world, alice, bob, &first), PayAnswer::Receipt(_)));
    assert_eq!(shows(&mut world, alice, bob, &second), PayAnswer::Error(ErrorCode::IdReused));
    assert_eq!(world.reserve(bob), 100);
}

/// A note shown in a second order is a duplicate, and no fork: the same units by the same links.
#[test]
fn the_same_note_in_a_second_order_is_a_duplicate() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    nobody_refreshes(&mut world);
    let note = only_note(&world, alice);
    let request = a_request(&mut world, bob, 100);
    let first = with_request(&world, alice, &request, std::slice::from_ref(&note), PaymentId([1; 16]));
    let second = with_request(&world, alice, &request, &[note], PaymentId([2; 16]));
    assert!(matches!(shows(&mut world, alice, bob, &first), PayAnswer::Receipt(_)));
    let answer = shows(&mut world, alice, bob, &second);
    assert_eq!(answer, PayAnswer::Error(ErrorCode::RequestUsed));
    assert_eq!(world.reserve(bob), 100);
}

/// X1, X2: the same units signed over twice are a fork: refused, signed, and what was held stays as it was.
#[test]
fn the_same_units_signed_twice_are_refused_as_a_fork() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    nobody_refreshes(&mut world);
    let note = only_note(&world, alice);
    let first = by_hand(&mut world, alice, bob, std::slice::from_ref(&note), PaymentId([1; 16]));
    let second = by_hand(&mut world, alice, bob, &[note], PaymentId([2; 16]));
    assert!(matches!(shows(&mut world, alice, bob, &first), PayAnswer::Receipt(_)));
    let PayAnswer::Refused(refusal) = shows(&mut world, alice, bob, &second) else { panic!() };
    assert_eq!(refusal.unverified().code, ErrorCode::Fork);
    assert_eq!(refusal.unverified().order, second.order.digest());
    refusal.check_by(&world.person(bob).node.key()).unwrap();
    // It stays refused, also when he has spent them on, and after a restart.
    assert_eq!(shows(&mut world, alice, bob, &second), PayAnswer::Error(ErrorCode::NeedCertified));
    world.deposit(bob, 100).unwrap();
    world.settles();
    world.crash(bob, Kept::Everything);
    assert_eq!(shows(&mut world, alice, bob, &second), PayAnswer::Error(ErrorCode::NeedCertified));
    assert_eq!((world.reserve(bob), world.account(bob)), (0, 200));
}

/// A request takes money once; a second direct order is an error, and its payer gets his units back.
#[test]
fn a_request_is_paid_once() {
    let (mut world, [alice, bob, carol]) = with_reserve(100);
    world.withdraw(carol, 50).unwrap();
    world.settles();
    let request = world.ask_for(bob, AmountRule::Exactly(units(30))).unwrap();
    let first = world.pay_request(alice, &request, 30).unwrap();
    let second = world.pay_request(carol, &request, 30).unwrap();
    world.settles();
    assert_eq!(world.state(alice, &first), State::Confirmed);
    assert!(matches!(world.state(carol, &second), State::NotDone(_) | State::Returned(_)));
    assert_eq!((world.reserve(bob), world.reserve(carol)), (30, 50));
    let third = world.pay_request(carol, &request, 30).unwrap();
    world.settles();
    assert_eq!(world.state(carol, &third), State::NotDone(NotDone::Declined(ErrorCode::RequestUsed)));
    world.check_settled();
}

/// Two certified payments that cross on one request are both the payee's: refused, the second would be nobody's.
#[test]
fn a_second_certified_payment_is_taken_beside_the_first() {
    let (mut world, [alice, bob, carol]) = with_reserve(100);
    world.withdraw(carol, 50).unwrap();
    world.settles();
    let request = world.ask_for(bob, AmountRule::Exactly(units(30))).unwrap();
    for payer in [alice, carol] {
        let node = world.person(bob).node.key();
        let verified = request.clone().verify_request(world.bank.keys().bank(), &node, world.now).unwrap();
        let new = world.new_payment(bob, 30);
        let new = daemon::wallet::paying::NewPayment { certified: true, request: Some(verified), ..new };
        world.begin(payer, new).unwrap();
    }
    world.settles();
    assert_eq!(world.reserve(bob), 60);
    let lines = world.history(bob);
    let from: Vec<&str> = lines.iter().map(|line| line.name.as_str()).collect();
    assert_eq!(from, ["Alice", "Carol"]);
    let paid = world.person(bob).store().unwrap().request(&request.unverified().id).unwrap().unwrap().paid;
    assert_eq!(paid.unwrap().0, world.person(alice).key(), "the first stays the first");
    world.check_settled();
    world.cash_in();
}

/// N14: who is suspended can't pay directly, by his own papers or by the directory; nothing is kept of it.
#[test]
fn a_suspended_payer_is_refused() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    let note = only_note(&world, alice);
    let payment = by_hand(&mut world, alice, bob, std::slice::from_ref(&note), PaymentId([1; 16]));
    let account = bank_node::ledger::AccountNumber(world.person(alice).wallet().owner().account);
    world.decide(account, Standing::Suspend);
    world.copy_directory(bob);
    assert_eq!(shows(&mut world, alice, bob, &payment), PayAnswer::Error(ErrorCode::Suspended));
    world.decide(account, Standing::Reinstate);
    world.copy_directory(bob);
    // That order was told no, and stays refused; a new one is taken.
    assert_eq!(shows(&mut world, alice, bob, &payment), PayAnswer::Error(ErrorCode::NeedCertified));
    let payment = by_hand(&mut world, alice, bob, &[note], PaymentId([2; 16]));
    assert!(matches!(shows(&mut world, alice, bob, &payment), PayAnswer::Receipt(_)));
}

/// N14: somebody else's papers, or papers that have ended, pay nothing.
#[test]
fn an_uncertified_payer_is_refused() {
    let (mut world, [alice, bob, carol]) = with_reserve(100);
    let note = only_note(&world, alice);
    let payment = by_hand(&mut world, alice, bob, &[note], PaymentId([1; 16]));
    assert_eq!(shows(&mut world, carol, bob, &payment), PayAnswer::Error(ErrorCode::NotCertified));
    let mut forged = world.person(alice).introduction.clone();
    let body = forged.certificate.unverified().clone();
    forged.certificate = world.person(alice).node.sign(body);
    let now = world.now;
    let answer = world.person_mut(bob).answer_payment(forged, payment.clone(), now).unwrap();
    assert_eq!(answer, PayAnswer::Error(ErrorCode::NotCertified));
    assert_eq!(world.reserve(bob), 0);
}

/// Over the payee's limits a direct payment is answered «certified, please», and the money comes back.
#[test]
fn over_policy_needs_the_bank() {
    let (mut world, [alice, bob, _]) = with_reserve(600);
    nobody_refreshes(&mut world);
    // Five offers of 150 are made before any is paid: each fits by itself, the fourth does not fit any more.
    let ids: Vec<PaymentId> = (0..4).map(|_| world.pay(alice, bob, 150).unwrap()).collect();
    world.settles();
    let states: Vec<State> = ids.iter().map(|id| world.state(alice, id)).collect();
    assert_eq!(states.iter().filter(|s| **s == State::Receipted).count(), 3);
    assert_eq!(states[3], State::Returned(ErrorCode::NeedCertified));
    assert_eq!((world.reserve(alice), world.reserve(bob)), (150, 450));
    world.check_settled();
}

/// H2: an order that was refused stays refused, also when it comes again after the limits have room: its payer
/// may have taken the units back by then.
#[test]
fn what_was_refused_is_not_taken_later() {
    let (mut world, [alice, bob, _]) = with_reserve(600);
    nobody_refreshes(&mut world);
    let ids: Vec<PaymentId> = (0..4).map(|_| world.pay(alice, bob, 150).unwrap()).collect();
    let mut copies = Vec::new();
    while let Some(mail) = world.post.next(&mut world.chance) {
        if matches!(&mail, Mail::Ask(_, _, id, _) if *id == ids[3]) {
            copies.push(mail.clone());
        }
        world.arrive(mail).unwrap();
    }
    world.settles();
    assert_eq!(world.state(alice, &ids[3]), State::Returned(ErrorCode::NeedCertified));
    // Bob has been to the bank and would take more directly now; then the last copy of the message arrives.
    world.refresh(bob).unwrap().unwrap();
    world.crash(bob, Kept::Nothing);
    world.settles();
    world.arrive(copies.pop().unwrap()).unwrap();
    world.settles();
    assert_eq!(world.reserve(bob), 450);
    world.check_settled();
}

/// A receipt that arrives while the bank is giving the units back: the bank's answer decides, and the books agree.
#[test]
fn a_late_receipt_does_not_undo_what_the_bank_gave_back() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    nobody_refreshes(&mut world);
    let id = world.pay(alice, bob, 40).unwrap();
    world.deliver();
    world.deliver();
    world.deliver();
    let Some(Mail::Paid(_, _, _, PayAnswer::Receipt(receipt))) = world.post.next(&mut world.chance) else {
        panic!()
    };
    // A refusal of the same payment overtakes it, and Alice asks the bank for her units.
    let decision = world.person(alice).wallet().refused(&id, ErrorCode::Expired, None, world.now);
    world.settle_decision(alice, decision).unwrap();
    world.person_mut(alice).refresh_due = true;
    world.remind(alice);
    let payment = world.payment(alice, &id).unwrap().unwrap();
    let node = world.person(bob).node.key();
    let decision = world.person(alice).wallet().receipted(&payment, receipt, &node, world.now);
    world.settle_decision(alice, decision).unwrap();
    world.settles();
    world.check_history(alice);
    assert_eq!(world.person(alice).wallet().history().reserve, units(100));
    assert_eq!(world.state(alice, &id), State::Returned(ErrorCode::Expired));
    assert_eq!(world.reserve(alice), 100);
    // Bob said two things. What he holds is worth nothing, and his own books say so once he has asked.
    world.refresh(bob).unwrap().unwrap();
    world.settles();
    assert_eq!(world.history(bob).pop().unwrap().movement, Movement::Lost);
    assert_eq!(world.reserve(bob), 0);
    assert!(world.bank.audit().ok);
}

/// H2: a payee who refuses and redeems all the same has been paid: the payer's history says so.
#[test]
fn a_payee_who_refuses_and_redeems_has_it() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    let id = world.pay(alice, bob, 40).unwrap();
    world.deliver();
    world.deliver();
    world.deliver();
    // Bob has it, says that he does not want it, and redeems it.
    world.post.lose_everything();
    world.refresh(bob).unwrap().unwrap();
    world.deliver_all();
    world.post.lose_everything();
    assert_eq!(world.state(alice, &id), State::Confirmed, "his confirmation went out by itself");
    let (mut world, [alice, bob, _]) = with_reserve(100);
    let id = world.pay(alice, bob, 40).unwrap();
    world.deliver();
    world.deliver();
    world.deliver();
    world.post.lose_everything();
    world.refresh(bob).unwrap().unwrap();
    world.deliver();
    world.deliver();
    world.post.lose_everything();
    let decision = world.person(alice).wallet().refused(&id, ErrorCode::Expired, None, world.now);
    world.settle_decision(alice, decision).unwrap();
    world.settles();
    assert_eq!(world.state(alice, &id), State::Taken(ErrorCode::Expired));
    assert_eq!((world.reserve(alice), world.reserve(bob)), (60, 40));
    assert!(world.history(alice).iter().all(|line| line.movement != Movement::Returned));
    world.check_settled();
}

/// H2 turned round: who refuses a payment, waits until it was taken back, and then pays with it, pays nothing.
#[test]
fn units_that_were_taken_back_do_not_come_home() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    nobody_refreshes(&mut world);
    let id = world.pay(alice, bob, 40).unwrap();
    world.deliver();
    world.deliver();
    world.deliver();
    // Bob has the units by signature. He says that he will not have them.
    world.post.lose_everything();
    let held = only_note(&world, bob);
    let decision = world.person(alice).wallet().refused(&id, ErrorCode::Expired, None, world.now);
    world.settle_decision(alice, decision).unwrap();
    let payment = by_hand(&mut world, bob, alice, std::slice::from_ref(&held), PaymentId([7; 16]));
    let waiting = shows(&mut world, bob, alice, &payment);
    assert_eq!(waiting, PayAnswer::Error(ErrorCode::Busy), "whose they are is not known yet");
    world.settles();
    assert_eq!(world.state(alice, &id), State::Returned(ErrorCode::Expired));
    let payment = by_hand(&mut world, bob, alice, &[held], PaymentId([8; 16]));
    let answer = shows(&mut world, bob, alice, &payment);
    assert_eq!(answer, PayAnswer::Error(ErrorCode::Clash), "Alice knows that they are redeemed");
    assert_eq!(world.reserve(alice), 100);
}

/// A payee who has not met the bank since takes notes of a day whose key he did not know: it comes with the payment.
#[test]
fn an_issue_key_is_learned_from_the_payment() {
    let (mut world, [alice, bob, carol]) = three();
    nobody_refreshes(&mut world);
    world.wait(5 * 86_400);
    world.withdraw(alice, 100).unwrap();
    world.settles();
    let epoch = only_note(&world, alice).root.unverified().epoch;
    assert!(world.person(bob).wallet().keys().issue_certificate(epoch).is_none());
    pays(&mut world, alice, bob, 40);
    assert!(world.person(bob).wallet().keys().issue_certificate(epoch).is_some());
    // And he keeps it, so that he can pass the note on.
    world.crash(bob, Kept::Nothing);
    pays(&mut world, bob, carol, 40);
    assert_eq!(world.reserve(carol), 40);
    world.check_settled();
}

/// A forged note is refused before anything is kept: a root of another key, a link outside its parent.
#[test]
fn forged_chains_are_refused_and_leave_nothing() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    let note = only_note(&world, alice);
    let mut root = note.root.unverified().clone();
    root.units = units(1_000);
    let forged = Note::fresh(world.person(alice).node.sign(root));
    let good = by_hand(&mut world, alice, bob, &[note], PaymentId([1; 16]));
    let request = good.request.clone();
    let keys = world.person(alice).open_keys().unwrap().clone();
    let own = world.person(alice).wallet().notes().next().unwrap().clone();
    let to = Destination::Key(request.unverified().key());
    let handed = forged.hand_on(forged.holding().unwrap().range, to, &keys.seed().note(&own.hint)).unwrap();
    let order =
        Order { list: list_of_notes(&[handed.holding().unwrap().tip]), ..good.order.unverified().clone() };
    let payment =
        Payment { notes: NoteTable::pack([&handed]), order: keys.owner().sign(order), ..good.clone() };
    let PayAnswer::Refused(refusal) = shows(&mut world, alice, bob, &payment) else { panic!() };
    assert_eq!(refusal.unverified().code, ErrorCode::BadSignature);
    assert_eq!(world.reserve(bob), 0);
    assert!(
        world
            .person(bob)
            .store()
            .unwrap()
            .incoming(&world.person(alice).key(), &PaymentId([1; 16]))
            .unwrap()
            .is_none()
    );
    assert!(
        matches!(shows(&mut world, alice, bob, &good), PayAnswer::Receipt(_)),
        "the good one is still taken"
    );
    assert_ne!(RequestId([0; 16]), request.unverified().id);
}

/// Threats X2, H2: an order that was answered with no stays refused, also when the reason has passed and its mail
/// comes once more: its payer has taken the units back.
#[test]
fn what_was_refused_once_is_not_taken_later() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    let id = world.pay(alice, bob, 40).unwrap();
    world.deliver();
    world.deliver();
    let payment = world.post.next(&mut world.chance).unwrap();
    world.post.send(payment.clone());
    let account = bank_node::ledger::AccountNumber(world.person(alice).wallet().owner().account);
    world.decide(account, Standing::Suspend);
    world.copy_directory(bob);
    world.settles();
    assert_eq!(world.state(alice, &id), State::Returned(ErrorCode::Suspended));
    world.decide(account, Standing::Reinstate);
    world.copy_directory(bob);
    world.post.send(payment);
    world.settles();
    assert_eq!((world.reserve(alice), world.reserve(bob)), (100, 0));
    world.check_settled();
}

/// Threats H2: a payer who showed his order with other notes has our signed refusal of it; the same order with the
/// right ones is not taken any more, or he would hold a refusal and a receipt for one order.
#[test]
fn one_order_gets_no_refusal_and_a_receipt() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    nobody_refreshes(&mut world);
    let note = only_note(&world, alice);
    let good = by_hand(&mut world, alice, bob, std::slice::from_ref(&note), PaymentId([1; 16]));
    let other = by_hand(&mut world, alice, bob, &[note], PaymentId([2; 16]));
    let wrong = Payment { notes: other.notes, ..good.clone() };
    assert!(matches!(shows(&mut world, alice, bob, &wrong), PayAnswer::Refused(_)));
    world.crash(bob, Kept::Nothing);
    assert_eq!(shows(&mut world, alice, bob, &good), PayAnswer::Error(ErrorCode::NeedCertified));
    assert_eq!(world.reserve(bob), 0);
}

/// Threats H2: somebody who only knows a request can't use it up with orders that he did not sign.
#[test]
fn unsigned_orders_use_no_request_up() {
    let (mut world, [alice, bob, carol]) = with_reserve(100);
    let note = only_note(&world, alice);
    let good = by_hand(&mut world, alice, bob, &[note], PaymentId([1; 16]));
    let account = bank_node::ledger::AccountNumber(world.person(alice).wallet().owner().account);
    world.decide(account, Standing::Suspend);
    world.copy_directory(bob);
    for number in 0..40 {
        let mut order = good.order.unverified().clone();
        order.payment = PaymentId([number; 16]);
        let order = world.person(carol).node.sign(order);
        let forged = Payment { order, ..good.clone() };
        assert_eq!(shows(&mut world, alice, bob, &forged), PayAnswer::Error(ErrorCode::Suspended));
    }
    world.decide(account, Standing::Reinstate);
    world.copy_directory(bob);
    assert!(matches!(shows(&mut world, alice, bob, &good), PayAnswer::Receipt(_)));
}
