//! What operators order.

use super::*;

fn opening(name: &str, balance: u64) -> Operation {
    let (balance, offline_limit) = (units(balance), units(0));
    Operation::Open(Opening { kind: CustomerKind::Shop, name: name.to_owned(), balance, offline_limit })
}

/// B7: an operator's key gives the same answer for ever and does nothing again.
#[test]
fn an_order_happens_once_under_its_key() {
    let bank = Bank::new();
    let first = bank.order(Some("k1"), opening("Bakery", 10)).unwrap();
    assert_eq!(bank.order(Some("k1"), opening("Bakery", 10)).unwrap(), first);
    assert_eq!(bank.order(Some("k1"), opening("Bakery", 11)), Err(Objection::KeyReused));
    let paid = bank.order(Some("k2"), Operation::PayIn(first.account, units(5))).unwrap();
    assert_eq!(paid.balance, units(15));
    bank.order(Some("k3"), Operation::PayIn(first.account, units(5))).unwrap();
    assert_eq!(bank.order(Some("k2"), Operation::PayIn(first.account, units(5))).unwrap(), paid);
    assert_eq!(bank.audit().cash, units(20));
    assert!(bank.audit().ok);
}

/// Table: orders that are refused, and what the books look like after them: the same.
#[test]
fn orders_that_are_refused() {
    let bank = Bank::new();
    let shop = bank.order(None, opening("Bakery", 10)).unwrap().account;
    let nobody = AccountNumber(4242);
    let long = "x".repeat(201);
    let table = [
        (Some(""), Operation::PayIn(shop, units(1)), Objection::BadKey),
        (Some("#1"), Operation::PayIn(shop, units(1)), Objection::BadKey),
        (Some("a b"), Operation::PayIn(shop, units(1)), Objection::BadKey),
        (None, Operation::PayIn(shop, units(0)), Objection::Nothing),
        (None, Operation::PayIn(nobody, units(1)), Objection::NotFound(nobody)),
        (None, Operation::PayIn(crate::ledger::CASH, units(1)), Objection::NotFound(crate::ledger::CASH)),
        (None, Operation::PayIn(shop, Units::MAX), Objection::TooMuch),
        (None, Operation::PayOut(shop, units(11)), Objection::Insufficient { balance: units(10) }),
        (None, opening("", 1), Objection::BadName),
        (None, opening(" x", 1), Objection::BadName),
        (None, opening("bell\u{7}", 1), Objection::BadName),
        (None, opening("Greedy", Units::MAX.get()), Objection::TooMuch),
        (None, Operation::Suspend(shop, String::new()), Objection::BadReason),
        (None, Operation::Suspend(shop, long), Objection::BadReason),
        (None, Operation::Reinstate(shop, "x".to_owned()), Objection::NoChange),
    ];
    let before = bank.journal();
    for (key, operation, objection) in table {
        assert_eq!(bank.order(key, operation.clone()), Err(objection), "{operation:?}");
    }
    assert_eq!(bank.journal(), before);
    assert_eq!(bank.order(None, Operation::PayOut(shop, units(10))).unwrap().balance, Units::ZERO);
    assert!(bank.audit().ok, "{:?}", bank.audit().findings);
}

/// An account that was suspended before it was claimed is certified as suspended.
#[test]
fn suspension_comes_before_activation_too() {
    let bank = Bank::new();
    let opened = bank.open("Alice", 0);
    bank.order(None, Operation::Suspend(opened.account, "wait".to_owned())).unwrap();
    let alice = Customer { owner: bank.signer(), account: opened.account };
    let BankAnswer::Activated(certificate, _) = bank.ask(bank.activation(&alice, 1)) else { panic!() };
    assert_eq!(certificate.unverified().standing, protocol::bank::Standing::Suspended);
    assert!(bank.audit().ok);
}
