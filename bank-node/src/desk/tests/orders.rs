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
        (None, proposal(shop, Change::Suspend, "anna", ""), Objection::BadReason),
        (None, proposal(shop, Change::Suspend, "anna", &long), Objection::BadReason),
        (None, proposal(shop, Change::Reinstate, "anna", "x"), Objection::NoChange),
        (None, confirmation(shop, Change::Suspend, "anna"), Objection::NotProposed),
        (None, Operation::Guarantee(units(0), "anna".to_owned()), Objection::Nothing),
        (None, Operation::Guarantee(Units::MAX, "anna".to_owned()), Objection::TooMuch),
        (None, Operation::AddOperator("two words".to_owned(), Digest([1; 32])), Objection::BadOperator),
        (None, Operation::AddOperator("owner".to_owned(), Digest([1; 32])), Objection::BadOperator),
        (None, Operation::EndOperator("nobody".to_owned()), Objection::BadOperator),
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
    bank.suspend(opened.account);
    let alice = Customer { owner: bank.signer(), account: opened.account };
    let BankAnswer::Activated(certificate, _) = bank.ask(bank.activation(&alice, 1)) else { panic!() };
    assert_eq!(certificate.unverified().standing, protocol::bank::Standing::Suspended);
    assert!(bank.audit().ok);
}

fn confirmation(account: AccountNumber, change: Change, by: &str) -> Operation {
    Operation::Confirm { account, change, by: by.to_owned() }
}

/// Threats X2: one operator proposes, another one confirms; one alone changes nothing, and who did what and why
/// stands in the journal.
#[test]
fn two_operators_suspend_and_one_does_not() {
    let bank = Bank::new();
    let shop = bank.order(None, opening("Bakery", 10)).unwrap().account;
    let standing = || bank.ledger.snapshot().unwrap().account(shop).unwrap().unwrap().member.suspended;
    for (change, suspended) in [(Change::Suspend, Some(NOON)), (Change::Reinstate, None)] {
        let before = standing();
        bank.order(None, proposal(shop, change, "anna", "case 7")).unwrap();
        let other = if change == Change::Suspend { Change::Reinstate } else { Change::Suspend };
        assert_eq!(bank.order(None, confirmation(shop, change, "anna")), Err(Objection::SameOperator));
        assert_eq!(bank.order(None, confirmation(shop, other, "bruno")), Err(Objection::NotProposed));
        assert_eq!(standing(), before);
        let done = bank.order(Some(&format!("{change:?}")), confirmation(shop, change, "bruno")).unwrap();
        assert_eq!(standing(), suspended);
        let again = bank.order(Some(&format!("{change:?}")), confirmation(shop, change, "bruno"));
        assert_eq!(again.unwrap(), done, "the same order, once");
        assert_eq!(bank.order(None, confirmation(shop, change, "carla")), Err(Objection::NotProposed));
        let view = bank.ledger.snapshot().unwrap();
        let told = view.entries_after(done.entry - 2, 2).unwrap();
        let told: Vec<_> = told.iter().map(|entry| (entry.by.as_str(), entry.reason.as_str())).collect();
        assert_eq!(told, [("anna", "case 7"), ("bruno", "proposed by anna: case 7")]);
    }
    assert!(bank.audit().ok);
}

/// The guarantee is money that is owed to somebody some day: the books balance with it.
#[test]
fn the_guarantee_is_funded_with_cash() {
    let bank = Bank::new();
    bank.order(Some("g"), Operation::Guarantee(units(500), "anna".to_owned())).unwrap();
    bank.order(Some("g"), Operation::Guarantee(units(500), "anna".to_owned())).unwrap();
    let audit = bank.audit();
    assert!(audit.ok, "{:?}", audit.findings);
    assert_eq!((audit.guarantee, audit.cash), (units(500), units(500)));
}

/// A name in the journal is one person's for ever.
#[test]
fn operators_names_are_given_once() {
    let bank = Bank::new();
    let add = |name: &str| bank.order(None, Operation::AddOperator(name.to_owned(), Digest([1; 32])));
    add("anna").unwrap();
    assert_eq!(add("anna"), Err(Objection::BadOperator));
    bank.order(None, Operation::EndOperator("anna".to_owned())).unwrap();
    assert_eq!(add("anna"), Err(Objection::BadOperator));
    assert_eq!(bank.order(None, Operation::EndOperator("anna".to_owned())), Err(Objection::BadOperator));
    assert!(bank.audit().ok);
}
