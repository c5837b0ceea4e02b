//! Units that somebody signed twice: the loss with its proof, the claim, what is asked of whom, who pays (SPEC §3.8, §4.10).

use super::{nobody_refreshes, pays, three, with_reserve};
use daemon::store::Store;
use daemon::wallet::claiming::ClaimState;
use daemon::wallet::defending::Question;
use daemon::wallet::doubt::{Awaited, Doubtful};
use daemon::wallet::history::Movement;
use daemon::wallet::paying::State;
use protocol::bank::LetterKind;
use protocol::id::PaymentId;
use protocol::note::NoteTable;
use protocol::pay::{Defence, Refusal};
use protocol::wire::{self, BankAnswer, CasePart, CaseStep, ErrorCode, Item};
use tests::world::{Kept, Mail, Who, World, units};

/// A second copy of Alice's workstation pays Carol with `count` units that Alice is about to pay elsewhere, and Carol
/// takes them to the bank first.
fn spent_elsewhere(world: &mut World, alice: Who, carol: Who, count: u64) {
    let mut twin = world.copy();
    twin.pay(alice, carol, count).unwrap();
    twin.deliver_all();
    twin.refresh(carol).unwrap().unwrap();
    let Some(Mail::ToBank(_, _, ask)) = twin.post.next(&mut twin.chance) else { panic!() };
    assert!(matches!(world.bank.ask(wire::decode(&ask).unwrap()), Some(BankAnswer::Reissued(_))));
}

fn sum_of(world: &World, who: Who, movement: Movement) -> u64 {
    world.history(who).iter().filter(|l| l.movement == movement).map(|l| l.units.get()).sum()
}

fn kinds(world: &World, who: Who) -> Vec<LetterKind> {
    let page = daemon::store::Page { before: None, limit: 100 };
    let letters = world.person(who).store().unwrap().letters(page).unwrap();
    letters.iter().map(|letter| letter.unverified().kind).collect()
}

/// X2, X3, X5: who loses units to a clash is paid by whoever signed twice; nobody is debited before the end, nothing is minted.
#[test]
fn whoever_signed_twice_pays_what_was_lost() {
    let (mut world, [alice, bob, carol]) = with_reserve(100);
    nobody_refreshes(&mut world);
    spent_elsewhere(&mut world, alice, carol, 10);
    pays(&mut world, alice, bob, 40);
    world.deposit(bob, 40).unwrap();
    world.settles();
    assert_eq!((sum_of(&world, bob, Movement::Lost), world.reserve(bob)), (10, 30));
    let claim = world.claims(bob).remove(0);
    assert_eq!((claim.state, claim.units(), claim.cases.len()), (ClaimState::Open, units(10), 1));
    assert_eq!(world.person(bob).wallet().holdings().claimed, units(10));
    let doubts = world.person(bob).wallet().doubts();
    let until = Some(world.now.plus_seconds(14 * 86_400));
    assert_eq!(
        (&doubts[0].what, &doubts[0].awaiting, doubts[0].until),
        (&Doubtful::Claim(claim.id), &Awaited::Bank, until)
    );
    world.ask_for_cases(alice).unwrap();
    // This Alice did not sign the other chain: she has nothing to say, and sees that she is asked.
    assert!(matches!(world.cases(alice)[0].state.part, CasePart::Asked(..)));
    assert_eq!(world.account(alice), 900, "a fork alone changes nothing");
    world.days(15);
    assert_eq!((world.account(alice), world.account(bob)), (890, 110));
    let claim = world.claims(bob).remove(0);
    assert_eq!((claim.state, claim.paid), (ClaimState::Closed(None), units(10)));
    assert_eq!(world.person(bob).wallet().holdings().claimed, units(0));
    assert_eq!(
        (sum_of(&world, bob, Movement::Recovered), sum_of(&world, alice, Movement::Charged)),
        (10, 10)
    );
    assert!(kinds(&world, bob).contains(&LetterKind::Recovery));
    assert!(kinds(&world, alice).contains(&LetterKind::Charge));
    assert!(
        world.person(bob).wallet().doubts().is_empty() && world.person(alice).wallet().doubts().is_empty()
    );
    assert!(world.bank.audit().ok);
    // Told again and again, it is recorded once.
    world.days(3);
    assert_eq!(sum_of(&world, bob, Movement::Recovered), 10);
    world.check_history(alice);
    world.check_history(bob);
    world.check_step();
}

/// X2, X5: money comes home that one's own second machine has spent as well. Who claims it is asked himself in the end, and
/// gets nothing: the claim is closed all the same, and a lost answer to it still fits when it is asked again.
#[test]
fn who_claims_what_his_own_other_machine_spent_gets_nothing() {
    let (mut world, [alice, bob, carol]) = with_reserve(100);
    nobody_refreshes(&mut world);
    spent_elsewhere(&mut world, alice, carol, 10);
    pays(&mut world, alice, bob, 40);
    pays(&mut world, bob, alice, 40);
    world.deposit(alice, 100).unwrap();
    world.deliver_all();
    world.remind(alice);
    assert_eq!(world.claims(alice)[0].state, ClaimState::Asked);
    // The answer to the claim is lost, and by the time it is asked again Bob has said whom he had it from.
    world.deliver();
    world.post.lose_everything();
    world.ask_for_cases(bob).unwrap();
    world.ask_for_cases(alice).unwrap();
    assert!(matches!(world.cases(alice)[0].state.part, CasePart::Asked(..)));
    world.settles();
    assert_eq!(world.claims(alice)[0].state, ClaimState::Open);
    world.days(15);
    // Nobody else has to pay her: the case is dismissed, and she has what her machines did not spend twice.
    let step = world.cases(alice)[0].state.step;
    assert!(matches!(step, CaseStep::Dismissed(_)), "{step:?}");
    assert!(matches!(world.claims(alice)[0].state, ClaimState::Closed(Some(_))));
    assert!(world.person(alice).wallet().doubts().is_empty());
    assert_eq!((world.account(alice) + world.reserve(alice), world.account(bob)), (990, 100));
    assert!(world.bank.audit().ok);
    world.check_step();
}

/// X5: the walk goes up from hand to hand; whoever only passed the units on shows whom he had them from, locked or not.
#[test]
fn a_locked_middleman_shows_whom_he_had_it_from_and_loses_nothing() {
    let (mut world, [alice, bob, carol]) = with_reserve(100);
    let dave = world.join("Dave", 100);
    nobody_refreshes(&mut world);
    spent_elsewhere(&mut world, alice, dave, 40);
    pays(&mut world, alice, bob, 40);
    pays(&mut world, bob, carol, 40);
    world.person_mut(bob).locked = true;
    world.deposit(carol, 40).unwrap();
    world.settles();
    let claim = world.claims(carol).remove(0);
    assert_eq!(claim.payer, world.person(bob).key());
    world.days(2);
    assert_eq!(world.cases(bob)[0].state.part, CasePart::Heard);
    assert!(matches!(world.cases(alice)[0].state.part, CasePart::Asked(..)));
    world.days(15);
    assert_eq!([alice, bob, carol].map(|who| world.account(who)), [860, 100, 140]);
    assert_eq!(world.claims(carol)[0].paid, units(40));
    assert!(world.bank.audit().ok);
}

/// H2, X5: a payee who refused an order by his signature can't claim by it; the payer shows that, locked or not.
#[test]
fn who_refused_an_order_gets_nothing_by_it() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    nobody_refreshes(&mut world);
    let id = world.pay(alice, bob, 40).unwrap();
    (0..2).for_each(|_| world.deliver());
    let message = world.message(alice, &id);
    world.post.lose_everything();
    // Bob says no, and keeps it all the same.
    let refusal = Refusal { order: message.order.digest(), code: ErrorCode::Fork, at: world.now };
    let refusal = world.person(bob).node.sign(refusal);
    let introduction = world.person(alice).introduction.clone();
    let now = world.now;
    world.person_mut(bob).answer_payment(introduction, message, now).unwrap();
    let decision = world.person(alice).wallet().refused(&id, ErrorCode::Fork, Some(refusal), now);
    world.settle_decision(alice, decision).unwrap();
    world.person_mut(alice).refresh_due = true;
    world.settles();
    assert_eq!(world.state(alice, &id), State::Returned(ErrorCode::Fork));
    world.person_mut(alice).locked = true;
    world.deposit(bob, 40).unwrap();
    world.settles();
    assert_eq!(world.claims(bob).len(), 1);
    world.days(1);
    let claim = world.claims(bob).remove(0);
    assert!(matches!(claim.state, ClaimState::Closed(Some(_))), "{:?}", claim.state);
    assert_eq!((claim.paid, world.account(alice), world.account(bob)), (units(0), 900, 100));
    world.days(20);
    assert_eq!((world.account(alice), world.reserve(alice), world.account(bob)), (900, 100, 100));
}

/// X4: a payee who turns up after a reclaim was closed is paid by the reclaimer, who says so himself. That is no offence.
#[test]
fn a_late_claim_is_the_reclaimers_to_pay() {
    let (mut world, [alice, bob, _]) = with_reserve(100);
    nobody_refreshes(&mut world);
    let id = world.pay(alice, bob, 40).unwrap();
    (0..3).for_each(|_| world.deliver());
    world.post.lose_everything();
    world.reclaim(alice, &id).unwrap();
    world.days(8);
    assert_eq!((world.state(alice, &id), world.account(alice)), (State::Reclaimed, 940));
    // Bob was away; nobody has objected for him.
    world.deposit(bob, 40).unwrap();
    world.settles();
    world.days(2);
    assert_eq!(sum_of(&world, bob, Movement::Lost), 40);
    assert_eq!((world.account(alice), world.account(bob)), (900, 140));
    assert_eq!(sum_of(&world, alice, Movement::Charged), 40);
    assert_eq!(world.claims(bob)[0].paid, units(40));
    assert!(world.bank.audit().ok);
}

/// Y14: a claim needs the owner's key. Until that is there it is noted, on disk, and the owner is told what to do.
#[test]
fn a_claim_waits_for_its_owner_over_restarts() {
    let (mut world, [alice, bob, carol]) = with_reserve(100);
    nobody_refreshes(&mut world);
    spent_elsewhere(&mut world, alice, carol, 10);
    pays(&mut world, alice, bob, 40);
    world.deposit(bob, 40).unwrap();
    world.person_mut(bob).locked = true;
    world.settles();
    let claim = world.claims(bob).remove(0);
    assert_eq!(claim.state, ClaimState::ToSign);
    assert_eq!(world.person(bob).wallet().doubts()[0].awaiting, Awaited::Owner);
    world.crash(bob, Kept::Nothing);
    world.settles();
    assert_eq!(world.claims(bob)[0].state, ClaimState::ToSign);
    world.person_mut(bob).locked = false;
    world.crash(bob, Kept::Nothing);
    world.settles();
    assert_eq!(world.claims(bob)[0].state, ClaimState::Open);
    assert_eq!(world.claims(bob).len(), 1);
}

/// X3: an offender who has nothing: what can't be recovered is not made up, and the claim says how much came.
#[test]
fn a_claim_is_paid_out_of_what_is_recovered() {
    let (mut world, [_, bob, carol]) = three();
    let mallory = world.join("Mallory", 60);
    world.withdraw(mallory, 50).unwrap();
    world.settles();
    nobody_refreshes(&mut world);
    spent_elsewhere(&mut world, mallory, carol, 50);
    pays(&mut world, mallory, bob, 50);
    let before = world.account(bob);
    world.deposit(bob, 50).unwrap();
    world.settles();
    world.days(15);
    let claim = world.claims(bob).remove(0);
    assert_eq!((world.account(mallory), claim.paid), (0, units(10)));
    assert_eq!(world.account(bob), before + 10);
    assert_eq!(claim.state, ClaimState::Open, "the rest stays owed");
    assert_eq!(world.person(bob).wallet().holdings().claimed, units(40));
    assert!(
        world
            .person(mallory)
            .wallet()
            .doubts()
            .iter()
            .any(|doubt| doubt.state == "to_pay" && doubt.units == units(40))
    );
    assert!(world.bank.audit().ok);
}

/// B7: whatever write fails between the loss and the money, there is one claim, filed once, paid once.
#[test]
fn a_crash_at_any_write_of_a_claim_is_boring() {
    for write in (0..60).step_by(4) {
        let (mut world, [alice, bob, carol]) = with_reserve(100);
        nobody_refreshes(&mut world);
        spent_elsewhere(&mut world, alice, carol, 10);
        pays(&mut world, alice, bob, 40);
        world.deposit(bob, 40).unwrap();
        world.person(bob).disk.fail_after(write);
        world.settles();
        world.mend_disks();
        world.days(16);
        assert_eq!(world.claims(bob).len(), 1, "{write}");
        assert_eq!((world.account(alice), world.account(bob)), (890, 110), "{write}");
        assert_eq!(sum_of(&world, bob, Movement::Recovered), 10, "{write}");
        world.check_history(bob);
        world.check_step();
    }
}

/// Y9: «refused» without a chain writes nothing off. The units are held, shown, and asked for again until the bank has
/// given them back or shown who has them.
#[test]
fn a_refusal_without_proof_is_in_doubt_and_asked_again() {
    for proof in [false, true] {
        let (mut world, [alice, bob, carol]) = with_reserve(100);
        nobody_refreshes(&mut world);
        if proof {
            spent_elsewhere(&mut world, alice, carol, 40);
        }
        pays(&mut world, alice, bob, 40);
        let id = world.refresh(bob).unwrap().unwrap();
        world.post.lose_everything();
        let own = world.person(bob).wallet().notes().next().unwrap().note.clone();
        let nothing = Item::Refused(ErrorCode::UnknownRoot);
        let no_chain = Item::Clash(NoteTable::default());
        let not_elsewhere = Item::Clash(NoteTable::pack([&own]));
        let answer = BankAnswer::Denied(vec![(0, nothing)]);
        for answer in [no_chain, not_elsewhere].map(|item| BankAnswer::Denied(vec![(0, item)])) {
            // None of these is a proof either; looked at without effect.
            let decided = world.person(bob).wallet().bank_answered(&id, answer, &[], world.now);
            assert!(decided.is_ok());
        }
        let decision = world.person(bob).wallet().bank_answered(&id, answer, &[], world.now).unwrap();
        world.settle_decision(bob, decision).unwrap();
        assert_eq!((sum_of(&world, bob, Movement::Lost), world.reserve(bob)), (0, 40));
        assert_eq!(world.person(bob).wallet().free(), units(0), "it can't be paid with");
        let doubt = world.person(bob).wallet().doubts().remove(0);
        assert!(matches!(doubt.what, Doubtful::Disputed(_)));
        assert_eq!((doubt.units, doubt.since), (units(40), world.now));
        world.crash(bob, Kept::Nothing);
        world.settles();
        match proof {
            false => {
                assert_eq!(
                    (world.person(bob).wallet().free(), sum_of(&world, bob, Movement::Lost)),
                    (units(40), 0)
                );
                world.check_settled();
            }
            true => {
                assert_eq!((world.reserve(bob), sum_of(&world, bob, Movement::Lost)), (0, 40));
                assert_eq!(world.claims(bob)[0].units(), units(40));
            }
        }
    }
}

/// H2: of a payment that is taken back, what the bank refuses without proof waits alone; the rest comes back at once.
#[test]
fn what_is_disputed_does_not_hold_up_the_rest() {
    let (mut world, [alice, bob, _]) = with_reserve(30);
    world.withdraw(alice, 30).unwrap();
    world.settles();
    nobody_refreshes(&mut world);
    let id: PaymentId = world.pay(alice, bob, 50).unwrap();
    (0..2).for_each(|_| world.deliver());
    world.post.lose_everything();
    let decision = world.person(alice).wallet().refused(&id, ErrorCode::Expired, None, world.now);
    world.settle_decision(alice, decision).unwrap();
    world.person_mut(alice).refresh_due = true;
    world.remind(alice);
    world.post.lose_everything();
    let op = world.person(alice).wallet().open_bank_ops().next().unwrap().id;
    let answer = BankAnswer::Denied(vec![(0, Item::Refused(ErrorCode::BadSignature))]);
    let decision = world.person(alice).wallet().bank_answered(&op, answer, &[], world.now).unwrap();
    world.settle_decision(alice, decision).unwrap();
    world.remind(alice);
    world.deliver_all();
    assert!(matches!(world.state(alice, &id), State::TakingBack(_)), "thirty are still in dispute");
    assert_eq!(world.payment(alice, &id).unwrap().unwrap().back, units(20));
    assert_eq!(world.reserve(alice), 30);
    world.settles();
    assert_eq!(world.state(alice, &id), State::Returned(ErrorCode::Expired));
    assert_eq!(world.reserve(alice), 60);
    world.check_settled();
}

/// A case that the bank tells with a letter that is not its own, or not ours, changes nothing.
#[test]
fn a_case_with_a_strange_letter_is_not_taken_over() {
    let (mut world, [alice, bob, carol]) = with_reserve(100);
    nobody_refreshes(&mut world);
    spent_elsewhere(&mut world, alice, carol, 10);
    pays(&mut world, alice, bob, 40);
    world.deposit(bob, 40).unwrap();
    world.settles();
    world.days(15);
    let told = world.cases(bob).remove(0).state;
    assert!(matches!(told.step, CaseStep::Judged(owed) if owed.is_zero()) && told.letters.len() == 1);
    let history = world.history(alice);
    let wallet = world.person(alice).wallet();
    assert!(wallet.cases_told(vec![told.clone()], &[], world.now).is_err(), "it is Bob's letter");
    let mut forged = told;
    let letter = forged.letters[0].unverified().clone();
    forged.letters = vec![world.person(alice).node.sign(letter)];
    assert!(world.person(bob).wallet().cases_told(vec![forged], &[], world.now).is_err());
    assert_eq!(world.history(alice), history);
}

/// X3: who has been paid in full has nothing to wait for, also while the offender still owes it to somebody else.
#[test]
fn a_claim_that_is_paid_by_whomever_is_closed() {
    let (mut world, [alice, bob, carol]) = with_reserve(100);
    nobody_refreshes(&mut world);
    spent_elsewhere(&mut world, alice, carol, 10);
    pays(&mut world, alice, bob, 40);
    world.deposit(bob, 40).unwrap();
    world.settles();
    let mut told = world.cases(bob).remove(0).state;
    for (paid, state) in [(4, ClaimState::Open), (10, ClaimState::Closed(None))] {
        (told.step, told.paid) = (CaseStep::Judged(units(10)), units(paid));
        let decision = world.person(bob).wallet().cases_told(vec![told.clone()], &[], world.now).unwrap();
        world.settle_decision(bob, decision).unwrap();
        assert_eq!((world.claims(bob)[0].state, world.claims(bob)[0].paid), (state, units(paid)));
    }
    assert_eq!(world.person(bob).wallet().holdings().claimed, units(0));
}

/// H2, X5: what the bank does not take is not all that we have to say.
#[test]
fn who_has_a_refusal_and_an_order_says_both() {
    let (mut world, [alice, bob, carol]) = with_reserve(100);
    let dave = world.join("Dave", 100);
    nobody_refreshes(&mut world);
    spent_elsewhere(&mut world, alice, dave, 40);
    pays(&mut world, alice, bob, 40);
    let id = pays(&mut world, bob, carol, 40);
    world.deposit(carol, 40).unwrap();
    world.settles();
    world.person_mut(bob).off = true;
    let query = world.signed_query(bob, protocol::bank::Purpose::Cases, wire::CASES_ASKED);
    let Some(BankAnswer::Cases(states)) = world.bank.ask(wire::BankAsk::Cases(query)) else { panic!() };
    let question = Question::of(&states[0]).expect("he is asked");
    let mut kept = world.person(bob).store().unwrap().kept_about(&question).unwrap();
    let order = world.payment(bob, &id).unwrap().unwrap().order.unwrap().digest();
    let refusal = Refusal { order, code: ErrorCode::OverLimit, at: world.now };
    let refusal = world.person(carol).node.sign(refusal);
    kept.paid.iter_mut().for_each(|payment| payment.refusal = Some(refusal.clone()));
    let wallet = world.person(bob).wallet();
    let said = wallet.defences(states[0].case, &question, &kept, world.person(bob).open_keys());
    assert!(matches!(said.as_slice(), [Defence::Refused(_), Defence::Upstream(_)]));
}
