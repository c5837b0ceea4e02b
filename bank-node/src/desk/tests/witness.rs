//! The bank's own letters, shown to it again.

use super::*;
use crate::ledger::Fault;
use crate::store::shelf::{Shelf as _, ShelfMut as _, Store as _, Table};
use protocol::bank::Letter;

fn letter_of(answer: BankAnswer) -> Signed<Letter> {
    match answer {
        BankAnswer::Withdrawn(_, letter) | BankAnswer::Balance(letter) => letter,
        other => panic!("{other:?}"),
    }
}

/// Books as they are now, for a bank that is opened on them later.
fn copy(books: &Memory) -> Memory {
    let (copy, now) = (Memory::new(), books.read().unwrap());
    for table in Table::ALL {
        let pairs = now.from(table, b"", usize::MAX).unwrap();
        copy.write(|shelf| pairs.iter().try_for_each(|(key, value)| shelf.put(table, key, value))).unwrap();
    }
    copy
}

/// Threats X7: a bank on yesterday's books meets a letter of today and stops, also when it has gone on meanwhile; one on
/// today's books stands by each of its letters.
#[test]
fn a_letter_of_today_stops_a_bank_of_yesterday() {
    let memory = Memory::new();
    let bank = Bank::on(memory.clone());
    let alice = bank.customer("Alice", 100);
    let yesterday = copy(&memory);
    let key = bank.signer();
    let withdraws = |bank: &Bank, units| {
        bank.now.set(bank.now.get().plus_seconds(60));
        letter_of(bank.ask(BankAsk::Withdraw(bank.withdrawal(&alice, &[(&key, units)]))))
    };
    let letters: Vec<_> = [10, 20].map(|units| withdraws(&bank, units)).into();
    for letter in &letters {
        assert_eq!(bank.ask(BankAsk::Witness(letter.clone())), BankAnswer::Noted);
    }

    let old = Bank::on(yesterday);
    old.next.set(1_000);
    let newest = letters[1].unverified().number;
    let shown = old.try_ask(BankAsk::Witness(letters[1].clone()));
    assert_eq!(shown, Err(Fault::Behind { entry: newest - 2, letter: Box::new(letters[1].clone()) }));
    (0..3).for_each(|_| drop(withdraws(&old, 1)));
    let shown = old.try_ask(BankAsk::Witness(letters[1].clone()));
    assert!(matches!(shown, Err(Fault::Damaged(_))), "it went on: {shown:?}");
}

/// Nobody but the bank can make its letters: another's word stops nothing.
#[test]
fn a_forged_letter_stops_nothing() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 100);
    let genuine = letter_of(bank.ask(BankAsk::Withdraw(bank.withdrawal(&alice, &[(&bank.signer(), 10)]))));
    let higher = Letter { number: 99, ..genuine.unverified().clone() };
    bank.refuses(BankAsk::Witness(alice.owner.sign(higher.clone())), ErrorCode::BadSignature);
    let late = Letter { at: Timestamp(bank.now.get().0 + 4_000 * DAY_SECONDS), ..higher.clone() };
    bank.refuses(BankAsk::Witness(bank.keys.attest.sign(late)), ErrorCode::BadSignature);
    let elsewhere = Letter { bank: protocol::id::BankId([9; 8]), ..higher };
    bank.refuses(BankAsk::Witness(bank.keys.attest.sign(elsewhere)), ErrorCode::NotMine);
}
