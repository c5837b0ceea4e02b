//! Joining: activation, identity records, the directory.

use super::*;
use protocol::bank::{DirectoryEntry, Introduction, Standing};
use protocol::wire::DirectoryPage;

fn page(bank: &Bank, after: u64) -> DirectoryPage {
    match bank.ask(BankAsk::Directory(after)) {
        BankAnswer::Directory(page) => *page,
        other => panic!("{other:?}"),
    }
}

fn with_code(bank: &Bank, ask: BankAsk, owner: &Signer, code: [u8; 16]) -> BankAsk {
    let BankAsk::Activate(activation, identity) = ask else { panic!() };
    let changed = Activation { code, request: bank.request(), ..activation.unverified().clone() };
    BankAsk::Activate(owner.sign(changed), identity)
}

/// N14: with the code the account is mine, certified, in the directory; repeating changes nothing.
#[test]
fn the_code_makes_an_account_somebody_s() {
    let bank = Bank::new();
    let opened = bank.open("Alice", 500);
    let alice = Customer { owner: bank.signer(), account: opened.account };
    let asked = bank.activation(&alice, opened.letter.unwrap());
    let answer = bank.ask(asked.clone());
    let BankAnswer::Activated(certificate, letter) = &answer else { panic!("{answer:?}") };
    assert_eq!(letter.unverified().balance, units(500));
    assert_eq!(letter.unverified().kind, LetterKind::Opening);
    assert_eq!(certificate.unverified().offline_limit, units(200));
    let identity = bank.identity(&alice, 1, 1);
    let papers = Introduction { certificate: certificate.clone(), identity };
    papers.verify(&bank.keys.public, NOON).unwrap();

    assert_eq!(bank.ask(asked), answer, "the same request");
    assert_eq!(bank.ask(bank.activation(&alice, 1)), answer, "the same owner under another id");
    assert_eq!(page(&bank, 0).entries.len(), 2);
    assert!(bank.audit().ok, "{:?}", bank.audit().findings);
}

/// A wrong code, a second owner, an unknown account: all look the same.
#[test]
fn nobody_else_gets_the_account() {
    let bank = Bank::new();
    let opened = bank.open("Alice", 500);
    let alice = Customer { owner: bank.signer(), account: opened.account };
    let mallory = Customer { owner: bank.signer(), account: opened.account };
    let wrong = with_code(&bank, bank.activation(&mallory, 1), &mallory.owner, [0; 16]);
    bank.refuses(wrong, ErrorCode::NotFound);
    bank.ask(bank.activation(&alice, 1));
    bank.refuses(bank.activation(&mallory, 1), ErrorCode::NotFound);
    let nowhere = Customer { owner: bank.signer(), account: AccountNumber(99_999) };
    bank.refuses(bank.activation(&nowhere, 1), ErrorCode::NotFound);
    let cash = Customer { owner: bank.signer(), account: crate::ledger::CASH };
    bank.refuses(bank.activation(&cash, 0), ErrorCode::NotFound);
    let second = bank.open("Alice again", 0);
    let greedy = Customer { owner: alice.owner.clone(), account: second.account };
    bank.refuses(bank.activation(&greedy, 1), ErrorCode::NotAllowed);
}

/// Guessing is slowed down, for the account that is guessed at and for a minute; the right code always works.
#[test]
fn wrong_codes_are_counted() {
    let bank = Bank::new();
    let opened = bank.open("Alice", 500);
    let alice = Customer { owner: bank.signer(), account: opened.account };
    for _ in 0..5 {
        let wrong = with_code(&bank, bank.activation(&alice, 1), &alice.owner, [1; 16]);
        bank.refuses(wrong, ErrorCode::NotFound);
    }
    let wrong = || with_code(&bank, bank.activation(&alice, 1), &alice.owner, [1; 16]);
    bank.refuses(wrong(), ErrorCode::Busy);
    bank.now.set(NOON.plus_seconds(60));
    bank.refuses(wrong(), ErrorCode::NotFound);
    for _ in 0..10 {
        bank.ask(wrong());
    }
    assert!(matches!(bank.ask(bank.activation(&alice, 1)), BankAnswer::Activated(..)));
}

/// A new letter ends the old one.
#[test]
fn only_the_last_letter_counts() {
    let bank = Bank::new();
    let opened = bank.open("Alice", 500);
    let alice = Customer { owner: bank.signer(), account: opened.account };
    let second = bank.order(Some("again"), Operation::Letter(alice.account)).unwrap();
    assert_eq!(second.letter, Some(2));
    assert_eq!(bank.order(Some("again"), Operation::Letter(alice.account)).unwrap(), second);
    bank.refuses(bank.activation(&alice, 1), ErrorCode::NotFound);
    assert!(matches!(bank.ask(bank.activation(&alice, 2)), BankAnswer::Activated(..)));
    let late = bank.order(None, Operation::Letter(alice.account));
    assert_eq!(late, Err(Objection::Activated));
    assert!(bank.audit().ok);
}

/// Threats Y7: an identity record is replaced by a newer one only, and its generation never goes down.
#[test]
fn the_newest_identity_record_counts() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 0);
    let stranger = Customer { owner: bank.signer(), account: alice.account };
    let publish = |who: &Customer, generation, sequence| {
        bank.ask(BankAsk::Publish(bank.identity(who, generation, sequence)))
    };
    assert_eq!(publish(&alice, 2, 5), BankAnswer::Published);
    assert_eq!(publish(&alice, 2, 5), BankAnswer::Published, "the same again is fine");
    assert_eq!(page(&bank, 0).entries.len(), 3, "and written once");
    assert_eq!(publish(&alice, 1, 6), BankAnswer::Error(ErrorCode::OlderGeneration));
    assert_eq!(publish(&alice, 2, 4), BankAnswer::Error(ErrorCode::IdReused));
    assert_eq!(publish(&alice, 3, 5), BankAnswer::Error(ErrorCode::IdReused));
    assert_eq!(publish(&stranger, 1, 1), BankAnswer::Error(ErrorCode::NotFound));
    let mut forged = bank.identity(&alice, 3, 9).unverified().clone();
    forged.node = stranger.owner.key();
    let forged = BankAsk::Publish(stranger.owner.sign(forged));
    assert_eq!(bank.ask(forged), BankAnswer::Error(ErrorCode::BadSignature));
    let mut far = bank.identity(&alice, 3, 9).unverified().clone();
    far.expires = NOON.plus_seconds(402 * DAY_SECONDS);
    assert_eq!(bank.ask(BankAsk::Publish(alice.owner.sign(far))), BankAnswer::Error(ErrorCode::Expired));
    let flood = (10..60).map(|n| publish(&alice, 2, n)).filter(|a| *a == BankAnswer::Published).count();
    assert_eq!(flood, 31, "one had come before");
    assert!(bank.audit().ok, "{:?}", bank.audit().findings);
}

/// A certificate that ends soon is renewed beside the next identity record.
#[test]
fn certificates_are_renewed() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 0);
    bank.now.set(NOON.plus_seconds(350 * DAY_SECONDS));
    assert_eq!(bank.ask(BankAsk::Publish(bank.identity(&alice, 1, 2))), BankAnswer::Published);
    let entries = page(&bank, 2).entries;
    assert!(matches!(entries.as_slice(), [DirectoryEntry::Certificate(_), DirectoryEntry::Identity(_)]));
    assert!(bank.audit().ok);
}

/// N14: the directory is a list that only grows, in pages, under one head.
#[test]
fn the_directory_is_one_growing_list() {
    let bank = Bank::new();
    for n in 0..140 {
        bank.customer(&format!("customer {n}"), 0);
    }
    let mut head = Digest::default();
    let mut read = 0;
    loop {
        let page = page(&bank, read);
        page.head.check_by(&bank.keys.attest.key()).unwrap();
        if page.entries.is_empty() {
            assert_eq!((page.head.unverified().sequence, page.head.unverified().digest), (read, head));
            break;
        }
        for entry in &page.entries {
            head = next_head(&head, entry);
            read += 1;
        }
    }
    assert_eq!(read, 280);
}

/// Suspension is told to everybody; the account may deposit, not withdraw.
#[test]
fn a_suspended_account_deposits_and_does_not_withdraw() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 100);
    let note = bank.note(&alice, 40);
    bank.suspend(alice.account);
    assert_eq!(bank.decide(alice.account, Change::Suspend), Err(Objection::NoChange));
    let DirectoryEntry::Certificate(last) = page(&bank, 2).entries.remove(0) else { panic!() };
    assert_eq!(last.unverified().standing, Standing::Suspended);

    let key = bank.signer();
    let asked = BankAsk::Withdraw(bank.withdrawal(&alice, &[(&key, 1)]));
    bank.refuses(asked.clone(), ErrorCode::Suspended);
    assert!(matches!(bank.ask(bank.deposit(&alice, &[&note])), BankAnswer::Deposited(..)));
    assert_eq!(bank.balance(&alice), 100);
    bank.decide(alice.account, Change::Reinstate).unwrap();
    bank.refuses(asked, ErrorCode::Suspended);
    bank.note(&alice, 1);
    assert!(bank.audit().ok, "{:?}", bank.audit().findings);
}

/// N4: the balance is told to its owner, now.
#[test]
fn the_balance_is_told_to_its_owner_within_the_skew() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 100);
    let query = protocol::bank::AccountQuery {
        bank: bank.keys.bank(),
        request: bank.request(),
        owner: alice.owner.key(),
        created: NOON,
    };
    let asked = alice.owner.sign(query.clone());
    let BankAnswer::Balance(letter) = bank.ask(BankAsk::Balance(asked.clone())) else { panic!() };
    assert_eq!((letter.unverified().balance, letter.unverified().number), (units(100), bank.journal()));
    assert_eq!(letter.unverified().request, asked.digest());
    bank.refuses(BankAsk::Balance(bank.signer().sign(query)), ErrorCode::BadSignature);
    bank.now.set(NOON.plus_seconds(700));
    bank.refuses(BankAsk::Balance(asked), ErrorCode::Expired);
}
