//! Owned shops, leases, rent and hand-over as scenes (SPEC §4.17, N10, N11).

use super::*;
use crate::desk::office::ShopOrder;
use crate::desk::shop::tenure::LeaseTerms;
use crate::ledger::letters::LetterView as _;
use crate::ledger::tenure::{Every, TenureTx as _, TenureView as _};
use protocol::bank::{HoldRule, LetterKind};
use protocol::time::Day;

const DAY: u64 = DAY_SECONDS;

pub(crate) struct Street {
    pub(crate) bank: Bank,
    pub(crate) shop: Customer,
    pub(crate) company: Customer,
}

/// A company, its shop, and so much money on the shop's account.
pub(crate) fn street(balance: u64) -> Street {
    let bank = Bank::new();
    let shop = bank.member(CustomerKind::Shop, "Bakery", balance);
    let company = bank.member(CustomerKind::Company, "Bread Ltd", 0);
    Street { bank, shop, company }
}

pub(crate) fn order(order: ShopOrder) -> Operation {
    Operation::Shop(order, "anna".to_owned())
}

impl Street {
    pub(crate) fn orders(&self, shop_order: ShopOrder) -> Result<Done, Objection> {
        self.bank.order(None, order(shop_order))
    }

    pub(crate) fn own(&self) -> ShopOrder {
        ShopOrder::Own { shop: self.shop.account, company: self.company.account }
    }

    fn lease(&self, caution: u64, rent: u64, every: Every) -> ShopOrder {
        let first_due = Day(self.bank.now.get().day().0 + 1);
        let terms = LeaseTerms { caution: units(caution), rent: units(rent), every, first_due };
        ShopOrder::Lease { shop: self.shop.account, company: self.company.account, terms }
    }

    fn end(&self, kept: u64) -> ShopOrder {
        ShopOrder::EndLease { shop: self.shop.account, kept: units(kept) }
    }

    fn hands_over(&self) -> ShopOrder {
        ShopOrder::HandOver { shop: self.shop.account, name: "New Bakery".to_owned() }
    }

    /// On the shop's account, kept as caution, on the company's account.
    pub(crate) fn money(&self) -> (u64, u64, u64) {
        let audit = self.bank.audit();
        assert!(audit.ok, "{:?}", audit.findings);
        (self.bank.balance(&self.shop), audit.deposits.get(), self.bank.balance(&self.company))
    }

    fn owed(&self) -> Vec<(u32, u64)> {
        let tenure = self.bank.ledger.snapshot().unwrap().tenure(self.shop.account).unwrap().unwrap();
        tenure.arrears.iter().map(|arrear| (arrear.period, arrear.units.get())).collect()
    }

    fn letters(&self, whose: &Customer) -> Vec<(LetterKind, u64)> {
        let letters = self.bank.ledger.snapshot().unwrap().letters_after(whose.account, 0, 999).unwrap();
        letters.iter().map(|letter| (letter.unverified().kind, letter.unverified().units.get())).collect()
    }
}

/// N11: the caution is kept, the rent goes to the company once a period, and each of them has the bank's word.
#[test]
fn a_lease_from_its_caution_to_its_end() {
    let street = street(1_000);
    street.orders(street.lease(300, 100, Every::Days(7))).unwrap();
    assert_eq!(street.money(), (700, 300, 0));
    street.bank.later(DAY);
    assert_eq!(street.money(), (600, 300, 100));
    street.bank.later(6 * DAY);
    street.bank.turn();
    assert_eq!(street.money(), (600, 300, 100), "a period is paid once");
    street.bank.later(DAY);
    assert_eq!(street.money(), (500, 300, 200));
    assert_eq!(street.orders(street.end(301)), Err(Objection::Insufficient { balance: units(300) }));
    street.orders(street.end(50)).unwrap();
    assert_eq!(street.money(), (750, 0, 250));
    street.bank.later(60 * DAY);
    assert_eq!(street.money(), (750, 0, 250), "and nothing comes due any more");
    use LetterKind::{Caution, CautionBack, CautionKept, RentIn, RentOut};
    assert_eq!(
        street.letters(&street.shop),
        [(Caution, 300), (RentOut, 100), (RentOut, 100), (CautionBack, 250)]
    );
    assert_eq!(street.letters(&street.company), [(RentIn, 100), (RentIn, 100), (CautionKept, 50)]);
}

/// N11: what is not there is owed, shown, and collected from whatever comes, the oldest first, before anything leaves.
#[test]
fn arrears_are_collected_as_soon_as_there_is_money() {
    let street = street(150);
    street.orders(street.lease(0, 100, Every::Days(7))).unwrap();
    street.bank.later(15 * DAY);
    assert_eq!((street.money(), street.owed()), ((0, 0, 150), vec![(2, 50), (3, 100)]));
    street.bank.order(None, Operation::PayIn(street.shop.account, units(60))).unwrap();
    let key = street.bank.signer();
    let all = street.bank.withdrawal(&street.shop, &[(&key, 60)]);
    assert!(matches!(street.bank.ask(BankAsk::Withdraw(all)), BankAnswer::Declined(_)));
    assert_eq!((street.money(), street.owed()), ((0, 0, 210), vec![(3, 90)]));
    street.bank.order(None, Operation::PayIn(street.shop.account, units(200))).unwrap();
    street.bank.turn();
    assert_eq!((street.money(), street.owed()), ((110, 0, 300), vec![]));
}

/// N11: a bank that was off for years catches up, each period once; so does a lease that ends meanwhile.
#[test]
fn rents_of_an_outage_are_caught_up_once_each() {
    for ends_it in [false, true] {
        let street = street(100_000);
        street.orders(street.lease(0, 10, Every::Days(1))).unwrap();
        street.bank.now.set(NOON.plus_seconds(1_000 * DAY));
        if ends_it {
            street.orders(street.end(0)).unwrap();
        }
        for _ in 0..5 {
            street.bank.turn();
            street.bank.now.set(street.bank.now.get().plus_seconds(20));
        }
        assert_eq!(street.money(), (90_000, 0, 10_000));
        street.bank.now.set(NOON.plus_seconds(500 * DAY));
        street.bank.turn();
        assert_eq!(street.money(), (90_000, 0, 10_000), "the clock was set back");
    }
}

/// N11: what one shop catches up is not lost behind another one's date.
#[test]
fn two_shops_catch_up_side_by_side() {
    let street = street(10_000);
    let other = street.bank.member(CustomerKind::Shop, "Butcher", 10_000);
    let first_due = NOON.day();
    let terms = LeaseTerms { caution: units(0), rent: units(1), every: Every::Days(1), first_due };
    let company = street.company.account;
    street.orders(ShopOrder::Lease { shop: street.shop.account, company, terms }).unwrap();
    let later = LeaseTerms { every: Every::Month, first_due: Day(first_due.0 + 399), ..terms };
    street.orders(ShopOrder::Lease { shop: other.account, company, terms: later }).unwrap();
    street.bank.now.set(NOON.plus_seconds(399 * DAY));
    street.bank.turn();
    street.bank.now.set(street.bank.now.get().plus_seconds(20));
    street.bank.turn();
    assert_eq!((street.bank.balance(&street.shop), street.bank.balance(&other)), (9_600, 9_999));
    street.money();
}

/// N11: a lease that follows another is not paid by the first one's dates.
#[test]
fn a_second_lease_has_its_own_dates() {
    let street = street(1_000);
    street.orders(street.lease(0, 10, Every::Days(7))).unwrap();
    street.bank.later(3 * DAY);
    street.orders(street.end(0)).unwrap();
    street.orders(street.lease(0, 20, Every::Days(7))).unwrap();
    for _ in 0..30 {
        street.bank.later(DAY);
    }
    // One of the first lease; five of the second, from its second day on.
    assert_eq!(street.money(), (890, 0, 110));
}

/// Table: orders that make no sense, and what each is called; nothing was written.
#[test]
fn orders_about_shops_that_are_refused() {
    let street = street(100);
    let (shop, company) = (street.shop.account, street.company.account);
    let other = street.bank.member(CustomerKind::Company, "Other Ltd", 0).account;
    let alice = street.bank.customer("Alice", 0).account;
    let nobody = AccountNumber(4242);
    let before = street.bank.journal();
    let lease = |terms| ShopOrder::Lease { shop, company, terms };
    let today = NOON.day();
    let terms = LeaseTerms { caution: units(10), rent: units(1), every: Every::Month, first_due: today };
    let table = [
        (ShopOrder::Own { shop: alice, company }, Objection::WrongKind(alice)),
        (ShopOrder::Own { shop, company: alice }, Objection::WrongKind(alice)),
        (ShopOrder::Own { shop: nobody, company }, Objection::NotFound(nobody)),
        (lease(LeaseTerms { rent: Units::ZERO, ..terms }), Objection::Nothing),
        (lease(LeaseTerms { every: Every::Days(0), ..terms }), Objection::Nothing),
        (lease(LeaseTerms { first_due: Day(today.0 - 1), ..terms }), Objection::BadDay),
        (lease(LeaseTerms { caution: units(101), ..terms }), Objection::Insufficient { balance: units(100) }),
        (street.end(0), Objection::NotLeased),
        (street.hands_over(), Objection::NoCompany),
    ];
    for (order, objection) in table {
        assert_eq!(street.orders(order.clone()), Err(objection), "{order:?}");
    }
    assert_eq!(street.bank.journal(), before);
    street.orders(street.own()).unwrap();
    assert_eq!(street.orders(street.own()), Err(Objection::NoChange));
    let others = ShopOrder::Lease { shop, company: other, terms };
    assert_eq!(street.orders(others), Err(Objection::OtherOwner(company)));
    street.orders(lease(terms)).unwrap();
    assert_eq!(street.orders(lease(terms)), Err(Objection::Leased));
    assert_eq!(street.orders(ShopOrder::Own { shop, company: other }), Err(Objection::Leased));
}

/// N11: at a hand-over the old account is closed for good and the new people open link 1 with a letter of their own.
#[test]
fn a_shop_is_handed_over() {
    let street = street(0);
    let bank = &street.bank;
    street.orders(street.own()).unwrap();
    let made = bank.order(Some("over"), order(street.hands_over())).unwrap();
    assert_eq!(bank.order(Some("over"), order(street.hands_over())).unwrap(), made);
    assert_ne!(made.account, street.shop.account);
    let view = bank.ledger.snapshot().unwrap();
    let tenure = view.tenure(made.account).unwrap().unwrap();
    assert_eq!((tenure.company, tenure.before), (street.company.account, Some(street.shop.account)));

    // The old keys open nothing any more, and nobody pays into the old account or brings it back.
    let again = bank.activation(
        &Customer { owner: street.shop.owner.clone(), account: made.account },
        made.letter.unwrap(),
    );
    bank.refuses(again, ErrorCode::NotAllowed);
    let new = Customer { owner: bank.signer(), account: made.account };
    assert!(matches!(bank.ask(bank.activation(&new, made.letter.unwrap())), BankAnswer::Activated(..)));
    let old = street.shop.account;
    let closed = Err(Objection::Closed(old));
    assert_eq!(bank.order(None, Operation::PayIn(old, units(1))), closed);
    assert_eq!(bank.order(None, proposal(old, Change::Reinstate, "anna", "please")), closed);
    assert_eq!(street.orders(street.hands_over()), closed);
    let alice = bank.customer("Alice", 100);
    let hold = bank.hold(&alice, &street.shop, 10, HoldRule::Confirmation);
    let told = bank.ask(BankAsk::Hold(alice.owner.sign(hold)));
    assert_eq!(told, BankAnswer::Error(ErrorCode::Suspended));
    assert!(bank.bulletin().suspended.contains(&street.shop.owner.key()));
    let lines = bank.ledger.snapshot().unwrap().directory_after(0, 99).unwrap();
    let ended = lines.iter().rev().find_map(|line| match &line.entry {
        DirectoryEntry::Certificate(it) if it.unverified().owner == street.shop.owner.key() => {
            Some(it.unverified().expires)
        }
        _ => None,
    });
    assert_eq!(ended, Some(bank.now.get()), "its certificate has ended");
    street.money();
}

/// N11, hostile: nothing is handed over while something is left to settle, and the refusal says what.
#[test]
fn a_hand_over_waits_for_the_till() {
    let street = street(5);
    let bank = &street.bank;
    street.orders(street.own()).unwrap();
    let alice = bank.customer("Alice", 100);
    let hold = bank.hold(&alice, &street.shop, 10, HoldRule::Confirmation);
    bank.ask(BankAsk::Hold(alice.owner.sign(hold.clone())));
    let Err(Objection::Unsettled(why)) = street.orders(street.hands_over()) else { panic!() };
    assert!(why.contains("money") && why.contains("1 holds for it"), "{why}");
    bank.ask(bank.act(&street.shop.owner, hold.request, protocol::bank::Act::Refund(units(10))));
    bank.order(None, Operation::PayOut(street.shop.account, units(5))).unwrap();
    let bell = ShopOrder::HandOver { shop: street.shop.account, name: "bell\u{7}".to_owned() };
    assert_eq!(street.orders(bell), Err(Objection::BadName));
    street.orders(street.hands_over()).unwrap();
    street.money();
}

/// N11: a note that turns up after the hand-over is still the bank's debt: it is deposited, and paid out in cash.
#[test]
fn late_notes_of_a_closed_shop_are_paid_out() {
    let street = street(50);
    let bank = &street.bank;
    street.orders(street.own()).unwrap();
    let note = bank.note(&street.shop, 50);
    street.orders(street.hands_over()).unwrap();
    let paid = bank.ask(bank.deposit(&street.shop, &[&note]));
    assert!(matches!(paid, BankAnswer::Deposited(..)), "{paid:?}");
    bank.order(None, Operation::PayOut(street.shop.account, units(50))).unwrap();
    assert_eq!(street.money(), (0, 0, 0));
}

/// M1: whatever is changed behind the desk's back in a lease, the audit names the rule.
#[test]
fn the_audit_finds_what_is_wrong_with_leases() {
    use crate::ledger::tenure::Tenure;
    type Damage = fn(Tenure) -> Tenure;
    let table: [(&str, Damage); 3] = [
        ("deposits", |tenure| Tenure { lease: None, ..tenure }),
        ("rent", |tenure| Tenure { due: tenure.due + 100, ..tenure }),
        ("sweep_gap", |tenure| Tenure { sweeps: 1, ..tenure }),
    ];
    for (rule, damage) in table {
        let street = street(1_000);
        street.orders(street.lease(300, 100, Every::Month)).unwrap();
        street.bank.later(DAY);
        let harm = |tx: &mut <Ledger<Memory> as Books>::Tx<'_>| {
            let tenure = tx.tenure(street.shop.account)?.unwrap();
            tx.keep_tenure(&damage(tenure))
        };
        street.bank.ledger.in_one_commit(harm).unwrap();
        let rules: Vec<String> = street.bank.audit().findings.into_iter().map(|found| found.rule).collect();
        assert!(rules.iter().any(|found| found == rule), "{rule} is not among {rules:?}");
    }
}
