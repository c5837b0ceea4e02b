//! Money scenes: withdraw, deposit, re-issue, and everybody who tries to get more out than in.

use super::*;
use protocol::body::Body;
use protocol::key::bank::BankKeys;
use protocol::note::{Checked, Link, VerifiedNote};
use protocol::wire::{Item, encode};

fn letter_of(answer: &BankAnswer) -> Letter {
    match answer {
        BankAnswer::Withdrawn(_, letter)
        | BankAnswer::Declined(letter)
        | BankAnswer::Deposited(_, letter)
        | BankAnswer::Activated(_, letter)
        | BankAnswer::Balance(letter) => letter.unverified().clone(),
        other => panic!("no letter in {other:?}"),
    }
}

fn verified(bank: &Bank, note: Note) -> VerifiedNote {
    let keys: &BankKeys = &bank.keys.public;
    note.verify(keys, &mut Checked::default()).unwrap()
}

/// N4, M1, M3: the account becomes notes that the bank owes, and the payment letter states what is left. Threats Y5: a
/// root is named after the request, never by chance.
#[test]
fn a_withdrawal_becomes_notes_that_everybody_can_check() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    let (one, two) = (bank.signer(), bank.signer());
    let asked = bank.withdrawal(&alice, &[(&one, 120), (&two, 30)]);
    let answer = bank.ask(BankAsk::Withdraw(asked.clone()));
    let BankAnswer::Withdrawn(roots, letter) = &answer else { panic!("{answer:?}") };
    assert_eq!(roots.iter().map(|r| r.unverified().units.get()).collect::<Vec<_>>(), [120, 30]);
    for (index, root) in (0u16..).zip(roots) {
        verified(&bank, Note::fresh(root.clone()));
        assert_eq!(root.unverified().id, Root::id_of(&asked.digest(), index));
        assert_eq!(root.unverified().direct_until_day, NOON.day().plus_days(DIRECT_DAYS));
    }
    letter.check_by(&bank.keys.attest.key()).unwrap();
    let letter = letter_of(&answer);
    assert_eq!((letter.kind, letter.units, letter.balance), (LetterKind::Payment, units(150), units(350)));
    assert_eq!(letter.number, bank.journal());
    assert!(bank.audit().ok, "{:?}", bank.audit().findings);
}

/// Refusals are kept for ever, so an owner gets only so many a day.
#[test]
fn refusals_are_bounded() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 100);
    let key = bank.signer();
    let too_much = || BankAsk::Withdraw(bank.withdrawal(&alice, &[(&key, 101)]));
    for _ in 0..64 {
        assert!(matches!(bank.ask(too_much()), BankAnswer::Declined(_)));
    }
    bank.refuses(too_much(), ErrorCode::Busy);
    bank.note(&alice, 1);
    bank.now.set(NOON.plus_seconds(86_400));
    assert!(matches!(bank.ask(too_much()), BankAnswer::Declined(_)));
    assert!(bank.audit().ok);
}

/// N4: an overdraft is refused in a letter that names the balance, and nothing moves.
#[test]
fn an_overdraft_is_declined_with_the_balance() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 100);
    let key = bank.signer();
    let asked = BankAsk::Withdraw(bank.withdrawal(&alice, &[(&key, 101)]));
    let answer = bank.ask(asked.clone());
    assert!(matches!(answer, BankAnswer::Declined(_)));
    let letter = letter_of(&answer);
    assert_eq!((letter.kind, letter.units, letter.balance), (LetterKind::Refusal, units(101), units(100)));
    assert_eq!(bank.balance(&alice), 100);
    // The answer stays what it was, also when the money has come meanwhile.
    bank.order(None, Operation::PayIn(alice.account, units(900))).unwrap();
    assert_eq!(bank.ask(asked), answer);
    assert!(bank.audit().ok);
}

/// B7: the same request gets the same bytes and happens once; the same id with another body gets nothing.
#[test]
fn a_repeat_gets_the_first_answer_and_a_reused_id_nobody_s() {
    let bank = Bank::new();
    let (alice, bob) = (bank.customer("Alice", 500), bank.customer("Bob", 500));
    let key = bank.signer();
    let asked = bank.withdrawal(&alice, &[(&key, 50)]);
    let first = bank.ask(BankAsk::Withdraw(asked.clone()));
    bank.now.set(NOON.plus_seconds(3 * DAY_SECONDS));
    let again = bank.ask(BankAsk::Withdraw(asked.clone()));
    assert_eq!(encode(&first), encode(&again), "byte by byte");
    assert_eq!(bank.balance(&alice), 450);
    assert_eq!(bank.ask(BankAsk::Status(asked.unverified().request, asked.digest())), first);
    assert_eq!(
        bank.ask(BankAsk::Status(asked.unverified().request, Digest([1; 32]))),
        BankAnswer::NotSeen,
        "who does not know the request learns nothing of it"
    );

    let other = Withdrawal { outcomes: outcomes_of(&[(&key, 51)]), ..asked.unverified().clone() };
    bank.refuses(BankAsk::Withdraw(alice.owner.sign(other)), ErrorCode::IdReused);
    let others = Withdrawal { owner: bob.owner.key(), ..asked.unverified().clone() };
    bank.refuses(BankAsk::Withdraw(bob.owner.sign(others)), ErrorCode::IdReused);
}

/// Table: withdrawals that break a rule.
#[test]
fn withdrawals_that_are_refused() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    let stranger = Customer { owner: bank.signer(), account: alice.account };
    let key = bank.signer();
    let good = bank.withdrawal(&alice, &[(&key, 5)]).unverified().clone();
    let future = Withdrawal { created: NOON.plus_seconds(700), ..good.clone() };
    let other_bank = Withdrawal { bank: protocol::id::BankId([1; 8]), ..good.clone() };
    let dead_key =
        Withdrawal { outcomes: vec![Outcome { to: Key([0; 32]), units: units(5) }], ..good.clone() };
    let too_much = Withdrawal {
        outcomes: outcomes_of(&[(&key, Units::MAX.get()), (&key, Units::MAX.get())]),
        ..good.clone()
    };
    let table = [
        (bank.withdrawal(&stranger, &[(&key, 5)]), ErrorCode::NotFound),
        (stranger.owner.sign(good.clone()), ErrorCode::BadSignature),
        (alice.owner.sign(future), ErrorCode::Expired),
        (alice.owner.sign(other_bank), ErrorCode::NotMine),
        (alice.owner.sign(dead_key), ErrorCode::Malformed),
        (alice.owner.sign(too_much), ErrorCode::OverLimit),
    ];
    for (asked, code) in table {
        bank.refuses(BankAsk::Withdraw(asked), code);
    }
    assert!(matches!(bank.ask(BankAsk::Withdraw(alice.owner.sign(good))), BankAnswer::Withdrawn(..)));
}

/// B6: without today's issue key nothing is issued, and the request may come again tomorrow.
#[test]
fn without_an_issue_key_the_bank_is_unavailable_and_forgets_the_request() {
    let mut bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    let key = bank.signer();
    let asked = BankAsk::Withdraw(bank.withdrawal(&alice, &[(&key, 5)]));
    let todays = bank.keys.issue.remove(&NOON.day().0).unwrap();
    bank.refuses(asked.clone(), ErrorCode::Unavailable);
    bank.keys.issue.insert(NOON.day().0, todays);
    assert!(matches!(bank.ask(asked), BankAnswer::Withdrawn(..)));
    assert!(bank.audit().ok);
}

/// B6: each day has its key, and a key whose day is over is gone.
#[test]
fn each_day_has_its_issue_key() {
    let mut bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    let tomorrow = NOON.plus_seconds(DAY_SECONDS);
    let (first, second) = (bank.note(&alice, 1), {
        bank.now.set(tomorrow);
        bank.note(&alice, 1)
    });
    assert_ne!(first.note.root.unverified().epoch, second.note.root.unverified().epoch);
    assert_eq!(bank.keys.drop_ended(tomorrow), [NOON.day().0]);
    assert!(bank.keys.issue_on(NOON.day()).is_none());
    assert_eq!(bank.keys.days_left(tomorrow.day()), 30);
    verified(&bank, first.note);
}

/// N5: a deposit is credited with a letter, whoever withdrew the notes, also after several hands.
#[test]
fn a_deposit_is_credited() {
    let bank = Bank::new();
    let (alice, bob) = (bank.customer("Alice", 500), bank.customer("Bob", 0));
    let (shop, bobs) = (bank.signer(), bank.signer());
    let note = bank.note(&alice, 300);
    let paid = note.part(100, 250).to(&shop).to(&bobs);
    let answer = bank.ask(bank.deposit(&bob, &[&paid]));
    let BankAnswer::Deposited(items, _) = &answer else { panic!("{answer:?}") };
    assert_eq!(items, &[Item::Paid(units(150))]);
    let letter = letter_of(&answer);
    assert_eq!((letter.kind, letter.units, letter.balance), (LetterKind::Deposit, units(150), units(150)));
    assert_eq!(bank.audit().outstanding, units(150));
    assert!(bank.audit().ok);
}

/// H6: one bad note does not spoil the rest.
#[test]
fn a_deposit_is_paid_item_by_item() {
    let bank = Bank::new();
    let (alice, bob) = (bank.customer("Alice", 1000), bank.customer("Bob", 0));
    let (good, forged, spent) = (bank.note(&alice, 100), bank.note(&alice, 10), bank.note(&alice, 1));
    let first = bank.deposit(&alice, &[&spent]);
    bank.ask(first);

    let redemption = bank.redemption(RedeemKind::Deposit, &[(&bob.owner, 211)]);
    let mut bad = forged.sunk(&redemption);
    // Signed by somebody who does not own it.
    let link = bad.links[0].unverified().clone();
    bad.links[0] = bank.signer().sign(link);
    let notes = [
        good.part(0, 60).sunk(&redemption),
        bad,
        spent.sunk(&redemption),
        good.part(30, 90).sunk(&redemption),
        good.part(60, 100).sunk(&redemption),
        // Goes to another sink: that of a redemption with another id.
        good.part(60, 100).sunk(&bank.redemption(RedeemKind::Deposit, &[(&bob.owner, 100)])),
    ];
    let sum: u64 = notes.iter().map(|n| n.holding().unwrap().range.units().get()).sum();
    assert_eq!(sum, 211);
    let answer = bank.ask(BankAsk::Deposit(bob.owner.sign(redemption), NoteTable::pack(&notes)));
    let BankAnswer::Deposited(items, _) = &answer else { panic!("{answer:?}") };
    assert_eq!(items[0], Item::Paid(units(60)));
    assert_eq!(items[1], Item::Refused(ErrorCode::BadSignature));
    assert!(matches!(&items[2], Item::Clash(_)));
    assert_eq!(items[3], Item::Refused(ErrorCode::DuplicateNote));
    assert_eq!(items[4], Item::Paid(units(40)));
    assert_eq!(items[5], Item::Refused(ErrorCode::NotMine));
    assert_eq!(bank.balance(&bob), 100);
    assert_eq!(letter_of(&answer).units, units(100));
    // What was refused is not lost: it can be deposited by whoever may.
    bank.ask(bank.deposit(&bob, &[&forged]));
    assert_eq!(bank.balance(&bob), 110);
    assert!(bank.audit().ok, "{:?}", bank.audit().findings);
}

/// N14: a clash shows the winning chain, down to the sink, and it verifies.
#[test]
fn a_clash_returns_the_winning_chain() {
    let bank = Bank::new();
    let (alice, bob, carol) =
        (bank.customer("Alice", 500), bank.customer("Bob", 0), bank.customer("Carol", 0));
    let (to_bob, to_carol) = (bank.signer(), bank.signer());
    let note = bank.note(&alice, 100);
    // Alice pays the units 40..60 twice.
    let bobs = note.part(0, 60).to(&to_bob);
    let carols = note.part(40, 100).to(&to_carol);
    bank.ask(bank.deposit(&bob, &[&bobs]));
    let lost = bank.ask(bank.deposit(&carol, &[&carols]));
    let BankAnswer::Deposited(items, letter) = &lost else { panic!("{lost:?}") };
    let [Item::Clash(table)] = items.as_slice() else { panic!("{items:?}") };
    let winners = table.clone().unpack().unwrap();
    assert_eq!(winners.len(), 1);
    let winner = verified(&bank, winners[0].clone());
    assert_eq!(winner.holding().range, bobs.range);
    assert_eq!(winners[0].links[0], bobs.note.links[0], "the link that Alice signed first");
    assert_eq!(letter.unverified().units, Units::ZERO);
    assert_eq!(bank.balance(&carol), 0);
    assert!(bank.audit().ok);
}

/// A note that meets many redeemed pieces still gets an answer that fits a message.
#[test]
fn a_clash_with_many_pieces_shows_some_of_them() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    let note = bank.note(&alice, 100);
    for start in 0..50 {
        bank.ask(bank.deposit(&alice, &[&note.part(start, start + 1)]));
    }
    let to = bank.signer();
    let lost = bank.ask(bank.reissue(&[&note], &[(&to, 100)]));
    let BankAnswer::Denied(clashes) = &lost else { panic!("{lost:?}") };
    let [(0, Item::Clash(table))] = clashes.as_slice() else { panic!("{clashes:?}") };
    assert_eq!(table.clone().unpack().unwrap().len(), 32);
}

/// M1: re-issue is all or nothing, does not say who asks, and conserves.
#[test]
fn a_reissue_is_all_or_nothing() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    let (one, two) = (bank.note(&alice, 100), bank.note(&alice, 20));
    let (x, y, z) = (bank.signer(), bank.signer(), bank.signer());
    let asked = bank.reissue(&[&one.part(0, 50), &two], &[(&x, 30), (&y, 40)]);
    let answer = bank.ask(asked.clone());
    let BankAnswer::Reissued(roots) = &answer else { panic!("{answer:?}") };
    assert_eq!(roots.iter().map(|r| r.unverified().units.get()).collect::<Vec<_>>(), [30, 40]);
    assert_eq!(bank.ask(asked), answer);
    assert_eq!(bank.audit().outstanding, units(120), "owed before and after");
    let entry = bank.ledger.snapshot().unwrap().entries_after(bank.journal() - 1, 1).unwrap().remove(0);
    assert_eq!((entry.account, entry.posting), (None, None));

    // A second one over a good note and a spent one takes neither, for good.
    let asked = bank.reissue(&[&one.part(50, 60), &two], &[(&z, 30)]);
    let refused = bank.ask(asked.clone());
    let BankAnswer::Denied(clashes) = &refused else { panic!("{refused:?}") };
    assert_eq!(clashes.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [1]);
    assert_eq!(bank.ask(asked), refused);
    let rest = bank.reissue(&[&one.part(50, 100)], &[(&z, 50)]);
    assert!(matches!(bank.ask(rest), BankAnswer::Reissued(_)), "the good note is still owed");
    assert!(bank.audit().ok, "{:?}", bank.audit().findings);
}

/// Table: re-issues that break a rule; a re-issue with one bad note takes none.
#[test]
fn reissues_that_are_refused() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    let note = bank.note(&alice, 100);
    let to = bank.signer();
    let redemption = |amount| bank.redemption(RedeemKind::Reissue, &[(&to, amount)]);
    let ask = |redemption: &Redemption, notes: &[Note]| {
        BankAsk::Reissue(redemption.to_bytes(), NoteTable::pack(notes))
    };

    let more = redemption(101);
    bank.refuses(ask(&more, &[note.sunk(&more)]), ErrorCode::BadSum);
    let less = redemption(99);
    bank.refuses(ask(&less, &[note.sunk(&less)]), ErrorCode::BadSum);
    bank.refuses(ask(&redemption(100), &[]), ErrorCode::BadSum);

    let overlapping = redemption(100);
    let notes = [note.part(0, 60).sunk(&overlapping), note.part(59, 99).sunk(&overlapping)];
    bank.refuses(ask(&overlapping, &notes), ErrorCode::DuplicateNote);

    let mine = redemption(100);
    bank.refuses(ask(&mine, std::slice::from_ref(&note.note)), ErrorCode::NotMine);
    bank.refuses(ask(&mine, &[note.sunk(&redemption(100))]), ErrorCode::NotMine);
    let deposit = bank.redemption(RedeemKind::Deposit, &[(&to, 100)]);
    bank.refuses(ask(&deposit, &[note.sunk(&deposit)]), ErrorCode::Malformed);

    // A link over units that the link before it does not have.
    let out = redemption(100);
    let mut outside = note.part(0, 50).to(&to).note;
    let prev = outside.links[0].digest();
    let range = Range::new(0, 100).unwrap();
    outside.links.push(to.sign(Link { prev, range, to: Destination::Redeem(out.digest()) }));
    bank.refuses(ask(&out, &[outside]), ErrorCode::BadChain);

    // A forged link in the middle: the thief signs for the owner.
    let forged = redemption(100);
    let thief = bank.signer();
    let stolen = Purse { key: thief.clone(), ..note.clone() }.to(&thief);
    bank.refuses(ask(&forged, &[stolen.sunk(&forged)]), ErrorCode::BadSignature);

    // It ends at the first forgery: what comes after it is not looked at.
    let twice = redemption(200);
    let forgeries = [stolen.part(0, 100).sunk(&twice), stolen.part(0, 100).sunk(&twice)];
    bank.refuses(ask(&twice, &forgeries), ErrorCode::BadSignature);

    let dead =
        Redemption { outcomes: vec![Outcome { to: Key([0; 32]), units: units(100) }], ..redemption(100) };
    bank.refuses(ask(&dead, &[note.sunk(&dead)]), ErrorCode::Malformed);
    let good = redemption(100);
    assert!(matches!(bank.ask(ask(&good, &[note.sunk(&good)])), BankAnswer::Reissued(_)));
}

/// H3: whoever steals the day's issue key can sign roots, and the bank redeems none of them.
#[test]
fn a_stolen_issue_key_mints_nothing() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    let note = bank.note(&alice, 100);
    let (_, stolen) = bank.keys.issue_on(NOON.day()).unwrap();
    let real = note.note.root.unverified().clone();
    let to = bank.signer();
    let forgeries = [
        Root { serial: real.serial + 1, ..real.clone() },
        Root { units: units(101), ..real.clone() },
        Root { to: to.key(), ..real.clone() },
        Root { id: protocol::id::RootId([1; 32]), ..real.clone() },
    ];
    for forgery in forgeries {
        let key = if forgery.to == to.key() { to.clone() } else { note.key.clone() };
        let forged = Note::fresh(stolen.sign(forgery));
        verified(&bank, forged.clone());
        let purse = Purse { range: Range::new(0, 100).unwrap(), note: forged, key };
        bank.refuses(bank.reissue(&[&purse], &[(&to, 100)]), ErrorCode::UnknownRoot);
    }
    assert_eq!(bank.audit().outstanding, units(100));
}

/// A repeated deposit under another id pays nothing: units are redeemed once.
#[test]
fn the_same_units_are_paid_once() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 100);
    let note = bank.note(&alice, 100);
    let asked = bank.deposit(&alice, &[&note]);
    let first = bank.ask(asked.clone());
    assert_eq!(bank.ask(asked), first);
    let second = bank.ask(bank.deposit(&alice, &[&note]));
    assert!(matches!(&second, BankAnswer::Deposited(items, _) if matches!(items[0], Item::Clash(_))));
    assert_eq!(bank.balance(&alice), 100);
    assert!(bank.audit().ok);
}

/// B7: the same redemption with other notes is another request under a used id.
#[test]
fn a_redemption_id_covers_its_notes() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 100);
    let note = bank.note(&alice, 100);
    let redemption = bank.redemption(RedeemKind::Deposit, &[(&alice.owner, 40)]);
    let ask = |purse: Purse| {
        BankAsk::Deposit(alice.owner.sign(redemption.clone()), NoteTable::pack([&purse.sunk(&redemption)]))
    };
    assert!(matches!(bank.ask(ask(note.part(0, 40))), BankAnswer::Deposited(..)));
    bank.refuses(ask(note.part(40, 80)), ErrorCode::IdReused);
    assert_eq!(bank.balance(&alice), 40);
}

/// A deposit needs its owner's signature and an account.
#[test]
fn deposits_that_are_refused() {
    let bank = Bank::new();
    let (alice, bob) = (bank.customer("Alice", 100), bank.customer("Bob", 0));
    let stranger = Customer { owner: bank.signer(), account: alice.account };
    let note = bank.note(&alice, 10);
    bank.refuses(bank.deposit(&stranger, &[&note]), ErrorCode::NotFound);
    let redemption = bank.redemption(RedeemKind::Deposit, &[(&alice.owner, 10)]);
    let notes = NoteTable::pack([&note.sunk(&redemption)]);
    bank.refuses(BankAsk::Deposit(bob.owner.sign(redemption), notes), ErrorCode::BadSignature);
}
