//! Between reserve and account: withdrawals, deposits, refreshes, letters, and what survives a restart.

use bank_node::desk::standing;
use super::{nobody_refreshes, pays, three, with_reserve};
use daemon::store::Store;
use daemon::wallet::banking::{BankFlaw, BankRefusal, OpState};
use daemon::wallet::change::Change;
use daemon::wallet::history::{HistoryFlaw, Movement};
use daemon::wallet::paying::State;
use daemon::wallet::reserve::{MERGE_NOTES, OwnNote, Short, Taker};
use protocol::bank::LetterKind;
use protocol::id::Hint;
use protocol::note::Destination;
use protocol::range::{Range, RangeSet};
use protocol::sign::Signed;
use protocol::wire::{self, BankAnswer, BankAsk, ErrorCode};
use tests::world::{Cannot, Kept, Mail, units};

/// Every event that was told can be told again after a restart, without a gap.
#[test]
fn events_are_read_back_after_a_restart() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    pays(&mut world, alice, bob, 40);
    let events =
        |world: &tests::world::World| world.person(alice).store().unwrap().events(0, usize::MAX).unwrap();
    let before = events(&world);
    assert!(before.iter().map(|event| event.seq).eq(1..=before.len() as u64));
    world.crash(alice, Kept::Nothing);
    assert_eq!(events(&world), before);
    assert_eq!(world.person(alice).wallet().newest_event(), before.len() as u64);
    pays(&mut world, alice, bob, 40);
    assert!(events(&world).iter().map(|event| event.seq).eq(1..=events(&world).len() as u64));
}

/// N2, N6: a withdrawal moves units from the account into the reserve, with the bank's letter.
#[test]
fn a_withdrawal_comes_with_the_banks_letter() {
    let (mut world, [alice, ..]) = three();
    let id = world.withdraw(alice, 300).unwrap();
    world.settles();
    assert_eq!((world.reserve(alice), world.account(alice)), (300, 700));
    let store = world.person(alice).store().unwrap();
    let OpState::Done(Some(number)) = store.bank_op(&id).unwrap().unwrap().state else { panic!() };
    let letter = store.letter(number).unwrap().unwrap();
    assert_eq!(letter.unverified().kind, LetterKind::Payment);
    assert_eq!((letter.unverified().units, letter.unverified().balance), (units(300), units(700)));
    assert_eq!(world.person(alice).wallet().account().unwrap().units, units(700));
    let line = &world.history(alice)[0];
    assert_eq!((line.movement, line.account, line.account_known), (Movement::Withdrawal, units(700), true));
    world.check_settled();
}

/// N4: more than the account holds is refused in a letter that names the balance; nothing moves.
#[test]
fn an_overdraft_is_refused_with_a_letter() {
    let (mut world, [_, bob, _]) = three();
    let id = world.withdraw(bob, 101).unwrap();
    world.settles();
    let store = world.person(bob).store().unwrap();
    let OpState::Declined(number) = store.bank_op(&id).unwrap().unwrap().state else { panic!() };
    let letter = store.letter(number).unwrap().unwrap();
    assert_eq!(letter.unverified().kind, LetterKind::Refusal);
    assert_eq!((letter.unverified().units, letter.unverified().balance), (units(101), units(100)));
    assert_eq!((world.reserve(bob), world.account(bob)), (0, 100));
    assert!(world.history(bob).is_empty());
    world.check_settled();
}

/// N5: a deposit names what the reserve holds when it is short, and brings a letter when it is not.
#[test]
fn a_deposit_is_exact_or_names_what_is_there() {
    let (mut world, [alice, bob, _]) = with_reserve(300);
    let short = BankRefusal::Short { free: units(300), asked: units(301) };
    assert_eq!(world.deposit(alice, 301), Err(Cannot::Bank(short)));
    assert_eq!(world.deposit(alice, 0), Err(Cannot::Bank(BankRefusal::Nothing)));
    assert_eq!(world.withdraw(alice, 0), Err(Cannot::Bank(BankRefusal::Nothing)));
    let id = world.deposit(alice, 120).unwrap();
    assert_eq!(world.reserve(alice), 300, "on its way it is still the reserve's");
    assert_eq!(world.person(alice).wallet().free(), units(180));
    world.settles();
    assert_eq!((world.reserve(alice), world.account(alice)), (180, 820));
    let store = world.person(alice).store().unwrap();
    assert!(matches!(store.bank_op(&id).unwrap().unwrap().state, OpState::Done(Some(_))));
    let line = world.history(alice).pop().unwrap();
    assert_eq!((line.movement, line.units, line.account), (Movement::Deposit, units(120), units(820)));
    pays(&mut world, alice, bob, 180);
    world.check_settled();
}

/// Received money is renewed at the bank, and only then its payer hears that it is safe.
#[test]
fn received_money_is_refreshed_and_then_confirmed() {
    let (mut world, [alice, bob, _]) = with_reserve(300);
    nobody_refreshes(&mut world);
    let first = pays(&mut world, alice, bob, 40);
    let second = pays(&mut world, alice, bob, 50);
    assert_eq!(world.person(bob).wallet().holdings().unconfirmed, units(90));
    for id in [first, second] {
        assert_eq!(world.state(alice, &id), State::Receipted);
    }
    assert!(
        world.payment(alice, &first).unwrap().unwrap().message.is_some(),
        "kept for a payee who lost his disk"
    );
    world.refresh(bob).unwrap().unwrap();
    world.settles();
    assert_eq!(world.person(bob).wallet().notes().count(), 1, "one fresh note");
    assert_eq!(world.person(bob).wallet().holdings().confirmed, units(90));
    for id in [first, second] {
        assert_eq!(world.state(alice, &id), State::Confirmed);
        assert!(world.payment(alice, &id).unwrap().unwrap().message.is_none());
    }
    world.check_settled();
}

/// A deposit of the very notes that were received tells their payer, too.
#[test]
fn depositing_what_was_received_confirms_it() {
    let (mut world, [alice, bob, _]) = with_reserve(300);
    nobody_refreshes(&mut world);
    let id = pays(&mut world, alice, bob, 40);
    world.deposit(bob, 40).unwrap();
    world.settles();
    assert_eq!(world.state(alice, &id), State::Confirmed);
    world.check_settled();
}

/// What was spent on in part is safe as soon as the rest is: nobody waits for units that are gone.
#[test]
fn a_payment_spent_on_in_part_is_confirmed_with_its_rest() {
    let (mut world, [alice, bob, carol]) = with_reserve(300);
    nobody_refreshes(&mut world);
    let id = pays(&mut world, alice, bob, 40);
    pays(&mut world, bob, carol, 15);
    assert_eq!(world.state(alice, &id), State::Receipted);
    world.refresh(bob).unwrap().unwrap();
    world.settles();
    assert_eq!(world.state(alice, &id), State::Confirmed);
    world.check_settled();
}

/// Of a reserve in more than 32 notes the smaller half is merged at the bank; the larger stays at hand meanwhile.
#[test]
fn a_scattered_reserve_is_merged() {
    let (mut world, [alice, ..]) = three();
    for _ in 0..=MERGE_NOTES {
        assert_eq!(world.refresh(alice).unwrap(), None, "nothing is worth it yet");
        world.withdraw(alice, 3).unwrap();
        world.deliver_all();
    }
    world.refresh(alice).unwrap().unwrap();
    world.settles();
    assert_eq!(world.person(alice).wallet().notes().count(), MERGE_NOTES / 2 + 1);
    assert_eq!(world.reserve(alice), 99);
    world.check_settled();
}

/// Sixty pieces of one withdrawal, each with a chain of nine links: too many links for one message.
#[test]
fn a_reserve_of_long_chains_goes_to_the_bank_in_parts() {
    let (mut world, [alice, bob, _]) = with_reserve(600);
    nobody_refreshes(&mut world);
    let person = world.person(alice);
    let own = person.wallet().notes().next().unwrap().clone();
    let seed = person.open_keys().unwrap().seed().clone();
    let mut changes = Vec::new();
    for piece in 0..60u64 {
        let range = Range::new(piece * 10, piece * 10 + 10).unwrap();
        let (mut note, mut hint) = (own.note.clone(), own.hint);
        for hop in 0..9u8 {
            let next = Hint([hop; 16]);
            let to = Destination::Key(seed.note(&next).key());
            note = note.hand_on(range, to, &seed.note(&hint)).unwrap();
            hint = next;
        }
        let free = RangeSet::from_iter([range]);
        changes.push(Change::Note(OwnNote { number: 2 + piece, note, hint, free, ..own.clone() }));
    }
    changes.push(Change::Note(OwnNote { free: RangeSet::empty(), ..own }));
    world.person(alice).store().unwrap().commit(&changes).unwrap();
    world.crash(alice, Kept::Nothing);
    assert_eq!(world.reserve(alice), 600);
    // Ten links each on their way to the bank or to a payee: fifty-one fit.
    let payable = units(510);
    assert_eq!(world.deposit(alice, 600), Err(Cannot::Bank(BankRefusal::Scattered { payable })));
    assert_eq!(
        world.person(alice).wallet().select(units(511), Taker::Payee(world.now)),
        Err(Short::Form { payable })
    );
    let id = pays(&mut world, alice, bob, 195);
    assert!(matches!(world.state(alice, &id), State::Receipted | State::Confirmed));
    world.refresh(alice).unwrap().unwrap();
    world.settles();
    world.refresh(bob).unwrap().unwrap();
    world.settles();
    world.check_settled();
    world.cash_in();
}

/// X1 of the bank's side: a payee who was paid twice with one unit loses that unit and nothing else.
#[test]
fn only_the_units_that_clash_are_lost() {
    for deposit in [false, true] {
        let (mut world, [alice, bob, carol]) = with_reserve(100);
        nobody_refreshes(&mut world);
        // A second copy of Alice's workstation pays with the same units.
        let mut twin = world.copy();
        pays(&mut world, alice, bob, 40);
        twin.pay(alice, carol, 10).unwrap();
        twin.deliver_all();
        // Carol redeems first, at the one bank there is.
        twin.refresh(carol).unwrap().unwrap();
        let Some(Mail::ToBank(_, _, ask)) = twin.post.next(&mut twin.chance) else { panic!() };
        let answer = world.bank.ask(wire::decode(&ask).unwrap()).unwrap();
        assert!(matches!(answer, BankAnswer::Reissued(_)));
        if deposit {
            world.deposit(bob, 40).unwrap();
        } else {
            world.refresh(bob).unwrap().unwrap();
        }
        world.settles();
        let lost = |world: &tests::world::World| -> u64 {
            let lines = world.history(bob);
            lines.iter().filter(|l| l.movement == Movement::Lost).map(|l| l.units.get()).sum()
        };
        assert_eq!(lost(&world), 10, "the other thirty are still owed");
        assert_eq!(world.reserve(bob), 30);
        world.check_step();
        world.check_history(bob);
        world.deposit(bob, 30).unwrap();
        world.settles();
        assert_eq!((world.reserve(bob), world.account(bob)), (0, 130));
        assert!(world.bank.audit().ok);
    }
}

/// Bad money that was paid on and refused: its payer has lost it, and the payee who refused does not have it.
#[test]
fn bad_money_that_was_refused_is_lost_and_not_taken() {
    let (mut world, [alice, bob, carol]) = with_reserve(100);
    nobody_refreshes(&mut world);
    let mut twin = world.copy();
    pays(&mut world, alice, bob, 40);
    twin.pay(alice, carol, 10).unwrap();
    twin.deliver_all();
    twin.refresh(carol).unwrap().unwrap();
    let Some(Mail::ToBank(_, _, ask)) = twin.post.next(&mut twin.chance) else { panic!() };
    assert!(matches!(world.bank.ask(wire::decode(&ask).unwrap()), Some(BankAnswer::Reissued(_))));
    // Bob pays Carol with what Alice gave him, and Carol will not have it.
    let id = world.pay(bob, carol, 40).unwrap();
    world.deliver();
    world.deliver();
    world.post.lose_everything();
    let decision = world.person(bob).wallet().refused(&id, ErrorCode::Expired, None, world.now);
    world.settle_decision(bob, decision).unwrap();
    world.person_mut(bob).refresh_due = true;
    world.settles();
    assert_eq!(world.state(bob, &id), State::Returned(ErrorCode::Expired));
    let lines = world.history(bob);
    let lines: Vec<_> = lines.iter().skip(1).map(|l| (l.movement, l.units.get(), l.reserve.get())).collect();
    let expected = [
        (Movement::Sent, 40, 0),
        (Movement::Returned, 10, 10),
        (Movement::Lost, 10, 0),
        (Movement::Returned, 30, 30),
    ];
    assert_eq!(lines, expected);
    world.check_step();
    world.deposit(bob, 30).unwrap();
    world.settles();
    assert_eq!(world.account(bob), 130);
}

/// B7: asked again, the bank gives the first answer; a second one changes nothing here.
#[test]
fn an_answer_that_comes_twice_counts_once() {
    let (mut world, [alice, ..]) = three();
    world.withdraw(alice, 70).unwrap();
    let asked = world.post.next(&mut world.chance).unwrap();
    for _ in 0..3 {
        world.arrive(asked.clone()).unwrap();
    }
    world.settles();
    assert_eq!((world.reserve(alice), world.account(alice)), (70, 930));
    world.check_settled();
}

/// An answer that is not the bank's, or is to something else, changes nothing: the request stays asked.
#[test]
fn an_answer_that_does_not_fit_changes_nothing() {
    let (mut world, [alice, bob, _]) = three();
    let other = world.withdraw(bob, 10).unwrap();
    let Some(Mail::ToBank(_, _, ask)) = world.post.next(&mut world.chance) else { panic!() };
    let others: BankAnswer = world.bank.ask(wire::decode(&ask).unwrap()).unwrap();
    let id = world.withdraw(alice, 10).unwrap();
    let BankAnswer::Withdrawn(roots, letter) = others.clone() else { panic!() };
    let forged = world.person(bob).node.sign(letter.unverified().clone());
    let wrong: Vec<BankAnswer> = vec![
        others,
        BankAnswer::Withdrawn(roots.clone(), forged),
        BankAnswer::Withdrawn(Vec::new(), letter.clone()),
        BankAnswer::Declined(letter),
        BankAnswer::Reissued(roots),
        BankAnswer::Denied(Vec::new()),
        BankAnswer::Published,
        BankAnswer::NotSeen,
    ];
    for answer in wrong {
        let refused = world.person(alice).wallet().bank_answered(&id, answer.clone(), &[], world.now);
        assert!(refused.is_err(), "{answer:?}");
    }
    let fits = BankFlaw::DoesNotFit;
    let refused = world.person(alice).wallet().bank_answered(&id, BankAnswer::Published, &[], world.now);
    assert_eq!(refused.unwrap_err(), fits);
    for code in [ErrorCode::Busy, ErrorCode::Unavailable] {
        let answer = BankAnswer::Error(code);
        let decision = world.person(alice).wallet().bank_answered(&id, answer, &[], world.now).unwrap();
        world.settle_decision(alice, decision).unwrap();
        assert!(world.person(alice).wallet().open_bank_op(&id).is_some(), "{code:?} says nothing");
    }
    world.settles();
    assert!(world.person(bob).store().unwrap().bank_op(&other).unwrap().is_some());
    world.check_settled();
}

/// A suspended account can't be withdrawn from; the request is over, and the bank keeps to that.
#[test]
fn a_suspended_account_gives_nothing_out() {
    let (mut world, [alice, ..]) = with_reserve(50);
    let account = bank_node::ledger::AccountNumber(world.person(alice).wallet().owner().account);
    world.decide(account, standing::Change::Suspend);
    let id = world.withdraw(alice, 10).unwrap();
    let asked = world.post.next(&mut world.chance).unwrap();
    world.arrive(asked.clone()).unwrap();
    world.settles();
    let state = world.person(alice).store().unwrap().bank_op(&id).unwrap().unwrap().state;
    assert_eq!(state, OpState::Refused(ErrorCode::Suspended));
    world.decide(account, standing::Change::Reinstate);
    world.arrive(asked).unwrap();
    world.deposit(alice, 50).unwrap();
    world.settles();
    assert_eq!(world.account(alice), 1_000, "what the bank refused for good does not happen later");
    world.check_settled();
}

/// N3: tickets are given out once, whatever is lost: the pool in memory, the last commit, the power.
#[test]
fn no_ticket_is_given_out_twice() {
    let (mut world, [alice, bob, _]) = with_reserve(200);
    for round in 0..12 {
        let id = world.pay(alice, bob, 1).unwrap();
        world.deliver();
        if round % 3 == 0 {
            world.post.lose_everything();
            world.crash(bob, if round % 2 == 0 { Kept::Nothing } else { Kept::Everything });
        }
        world.settles();
        assert_eq!(world.state(alice, &id), State::Confirmed);
        world.check_step();
    }
    world.check_settled();
}

/// N6: a line that was edited, and one that is missing, are found.
#[test]
fn an_edited_history_is_found_out() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    for amount in [10, 20, 30] {
        pays(&mut world, alice, bob, amount);
    }
    world.check_history(alice);
    let lines = world.history(alice);
    let heads = lines.iter().scan(Default::default(), |head, line| {
        let before = std::mem::replace(head, line.head());
        Some(before)
    });
    let heads: Vec<daemon::wallet::history::HistoryHead> = heads.collect();
    for (line, before) in lines.iter().zip(&heads) {
        assert_eq!(line.follows(before), Ok(line.head()));
        let mut edited = line.clone();
        edited.units = units(line.units.get() + 1);
        assert_eq!(edited.follows(before), Err(HistoryFlaw::Balance(line.seq)));
        // With both numbers made to fit, the next line gives it away.
        edited.reserve = line.movement.moves(before.reserve, edited.units).unwrap();
        let head = edited.follows(before).unwrap();
        if let Some(next) = lines.get(usize::try_from(line.seq).unwrap()) {
            assert_eq!(next.follows(&head), Err(HistoryFlaw::Broken(next.seq)));
        }
    }
    let missing = daemon::store::RedbStore::in_memory().unwrap();
    let kept: Vec<_> = lines.iter().filter(|line| line.seq != 2).cloned().collect();
    let changes: Vec<_> = kept.into_iter().map(Change::History).collect();
    missing.commit(&changes).unwrap();
    assert_eq!(missing.check_history().unwrap(), Err(HistoryFlaw::Broken(3)));
}

/// A statement of balance counts, unless a newer letter was there before it.
#[test]
fn the_newest_letter_tells_the_balance() {
    let (mut world, [alice, ..]) = three();
    world.withdraw(alice, 100).unwrap();
    world.settles();
    let query = |world: &mut tests::world::World| -> Signed<protocol::bank::Letter> {
        let (bank, owner) = (world.bank.keys().bank(), world.person(alice).key());
        let request = world.fresh().request;
        let body = protocol::bank::AccountQuery { bank, request, owner, created: world.now };
        let signed = world.person(alice).open_keys().unwrap().owner().sign(body);
        match world.bank.ask(BankAsk::Balance(signed)) {
            Some(BankAnswer::Balance(letter)) => letter,
            other => panic!("{other:?}"),
        }
    };
    let old = query(&mut world);
    world.withdraw(alice, 100).unwrap();
    world.settles();
    for _ in 0..2 {
        let decision = world.person(alice).wallet().balance_told(old.clone(), world.now).unwrap();
        world.settle_decision(alice, decision).unwrap();
        assert_eq!(world.person(alice).wallet().account().unwrap().units, units(800));
    }
    let new = query(&mut world);
    let decision = world.person(alice).wallet().balance_told(new, world.now).unwrap();
    assert_eq!(world.settle_decision(alice, decision).unwrap().units, units(800));
    world.check_settled();
}
