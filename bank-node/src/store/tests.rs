//! One suite for every store, and what happens when it dies.

use super::failing::{Failing, Fuse};
use super::shelf::{Shelf, ShelfMut, Store, Table};
use super::{Ledger, Memory, Redb};
use crate::desk::office::{Opening, Operation};
use crate::desk::standing::Change;
use crate::desk::tests::{Bank, Customer, proposal, units};
use crate::ledger::books::{Books as _, View as _};
use crate::ledger::{CustomerKind, Fault};
use protocol::wire::{BankAnswer, BankAsk, encode};

fn redb(folder: &tempfile::TempDir) -> Redb {
    Redb::open(&folder.path().join("bank.redb")).unwrap()
}

/// What every store has to do.
fn conforms(store: &impl Store) {
    let put = |table, key: &'static [u8], value: &'static [u8]| {
        store.write(|shelf| shelf.put(table, key, value)).unwrap();
    };
    put(Table::Roots, &[1], b"one");
    put(Table::Roots, &[3], b"three");
    put(Table::Redeemed, &[2], b"elsewhere");
    let before = store.read().unwrap();
    put(Table::Roots, &[2, 0], b"two");
    put(Table::Roots, &[3], b"drei");

    let now = store.read().unwrap();
    assert_eq!(now.get(Table::Roots, &[3]).unwrap().as_deref(), Some(&b"drei"[..]));
    assert_eq!(now.get(Table::Roots, &[2]).unwrap(), None);
    assert_eq!(before.get(Table::Roots, &[3]).unwrap().as_deref(), Some(&b"three"[..]), "a snapshot stays");
    let pair = |key: &[u8], value: &[u8]| (key.to_vec(), value.to_vec());
    assert_eq!(now.before(Table::Roots, &[3]).unwrap(), Some(pair(&[2, 0], b"two")));
    assert_eq!(now.before(Table::Roots, &[1]).unwrap(), None, "and not a neighbour in another table");
    assert_eq!(now.before(Table::Redeemed, &[2]).unwrap(), None);
    assert_eq!(now.from(Table::Roots, &[2], 9).unwrap(), [pair(&[2, 0], b"two"), pair(&[3], b"drei")]);
    assert_eq!(now.from(Table::Roots, &[], 1).unwrap(), [pair(&[1], b"one")]);

    let failed = store.write(|shelf| {
        shelf.put(Table::Roots, &[9], b"nine")?;
        assert_eq!(shelf.before(Table::Roots, &[0xff])?, Some(pair(&[9], b"nine")), "sees its own writes");
        Err::<(), _>(Fault::Store("on purpose".to_owned()))
    });
    assert!(failed.is_err());
    assert_eq!(store.read().unwrap().get(Table::Roots, &[9]).unwrap(), None, "all or nothing");
}

#[test]
fn memory_conforms() {
    conforms(&Memory::new());
}

#[test]
fn redb_conforms() {
    let folder = tempfile::tempdir().unwrap();
    conforms(&redb(&folder));
}

#[test]
fn books_of_another_version_are_not_touched() {
    for (format, whose) in [(4, "an earlier version"), (6, "a later version")] {
        let store = Memory::new();
        store.write(|shelf| shelf.put(Table::Meta, b"format", &[format])).unwrap();
        let Err(fault) = Ledger::open(store) else { panic!("format {format}") };
        assert_eq!(fault, Fault::Format { books: format, ours: 5 });
        assert!(fault.to_string().contains(whose), "{fault}");
    }
}

#[derive(Clone)]
pub(super) enum Step {
    Ask(Box<BankAsk>),
    Order(&'static str, Operation),
}

fn ask(ask: BankAsk) -> Step {
    Step::Ask(Box::new(ask))
}

fn opening(name: &str, balance: u64) -> Operation {
    let (kind, name) = (CustomerKind::Resident, name.to_owned());
    Operation::Open(Opening { kind, name, balance: units(balance), offline_limit: units(200) })
}

/// Carries out a step; the answer as bytes.
pub(super) fn perform<S: Store>(bank: &Bank<S>, step: &Step) -> Result<Vec<u8>, Fault> {
    match step {
        Step::Ask(ask) => bank.try_ask(BankAsk::clone(ask)).map(|answer| encode(&answer)),
        Step::Order(key, operation) => {
            bank.try_order(Some(key), operation.clone()).map(|done| format!("{done:?}").into_bytes())
        }
    }
}

/// Whether a repeat is told how things stand, and not what was answered first.
pub(super) fn tells_what_is(step: &Step) -> bool {
    let Step::Ask(ask) = step else { return false };
    matches!(**ask, BankAsk::Reclaim(..) | BankAsk::Claim(..) | BankAsk::Defend(..))
}

/// A day at the bank: every kind of request, with repeats.
pub(super) fn a_day() -> Vec<(Step, Vec<u8>)> {
    let bank = Bank::new();
    let mut day: Vec<(Step, Vec<u8>)> = Vec::new();
    let mut step = |step: Step| {
        let answer = perform(&bank, &step).unwrap();
        day.push((step, answer.clone()));
        answer
    };
    let mut people = Vec::new();
    for (key, name, balance) in [("open-a", "Alice", 500), ("open-b", "Bob", 0)] {
        step(Step::Order(key, opening(name, balance)));
        let account = crate::ledger::AccountNumber(1001 + people.len() as u64);
        let customer = Customer { owner: bank.signer(), account };
        step(ask(bank.activation(&customer, 1)));
        people.push(customer);
    }
    let [alice, bob] = people.as_slice() else { panic!() };
    step(Step::Order("cash", Operation::PayIn(alice.account, units(50))));

    let keys: Vec<_> = (0..3).map(|_| bank.signer()).collect();
    let asked = bank.withdrawal(alice, &[(&keys[0], 100), (&keys[1], 20)]);
    let answer = step(ask(BankAsk::Withdraw(asked.clone())));
    step(ask(BankAsk::Withdraw(asked)));
    let BankAnswer::Withdrawn(roots, _) = protocol::wire::decode(&answer).unwrap() else { panic!() };
    let purses: Vec<_> = roots
        .into_iter()
        .zip(&keys)
        .map(|(root, key)| crate::desk::tests::Purse {
            range: root.unverified().range(),
            note: protocol::note::Note::fresh(root),
            key: key.clone(),
        })
        .collect();
    step(ask(BankAsk::Withdraw(bank.withdrawal(alice, &[(&keys[2], 4_000)]))));
    step(ask(bank.deposit(bob, &[&purses[0].part(0, 30), &purses[1]])));
    step(ask(bank.deposit(bob, &[&purses[0].part(20, 40)])));
    step(ask(bank.reissue(&[&purses[0].part(30, 100)], &[(&keys[2], 30), (&keys[1], 40)])));
    step(ask(bank.reissue(&[&purses[0].part(90, 100)], &[(&keys[2], 10)])));
    step(ask(BankAsk::Publish(bank.identity(bob, 1, 2))));
    step(Step::Order("propose", proposal(bob.account, Change::Suspend, "anna", "case 7")));
    let confirm =
        Operation::Confirm { account: bob.account, change: Change::Suspend, by: "bruno".to_owned() };
    step(Step::Order("suspend", confirm));
    step(ask(BankAsk::Withdraw(bank.withdrawal(bob, &[(&keys[2], 1)]))));
    step(Step::Order("out", Operation::PayOut(alice.account, units(7))));
    step(ask(bank.reclaim(alice, &[&purses[0].part(60, 80)])));
    // Bob has cashed the twenty units of the second note; Alice paid them to somebody else, too.
    let dora = Customer { owner: bank.signer(), account: crate::ledger::AccountNumber(1003) };
    step(Step::Order("open-d", opening("Dora", 0)));
    step(ask(bank.activation(&dora, 1)));
    let paid = bank.pays(alice, &dora, &purses[1]);
    step(ask(bank.claim(&dora, &paid)));
    step(ask(bank.claim(&dora, &paid)));
    step(Step::Order("guarantee", Operation::Guarantee(units(30), "anna".to_owned())));
    let admission = protocol::bank::Admission { bank: bank.keys.bank(), case: 1, owner: alice.owner.key() };
    let admitted = protocol::pay::Defence::Admitted(alice.owner.sign(admission));
    step(ask(BankAsk::Defend(1, admitted)));
    let shop = Customer { owner: bank.signer(), account: crate::ledger::AccountNumber(1004) };
    for shopping in an_order(&bank, alice, &shop).into_iter().chain(a_company(&bank, &shop)) {
        step(shopping);
    }
    assert!(bank.audit().ok, "{:?}", bank.audit().findings);
    day
}

/// What is held for a shop: guessed at, refunded in part, disputed, split.
fn an_order(bank: &Bank, alice: &Customer, shop: &Customer) -> Vec<Step> {
    use crate::desk::tests::holds::{text, with_code};
    use protocol::bank::{Act, HoldRule};
    let (kind, name) = (CustomerKind::Shop, "Bakery".to_owned());
    let opening = Opening { kind, name, balance: units(0), offline_limit: units(0) };
    let hold = |amount| bank.hold(alice, shop, amount, HoldRule::Confirmation);
    let (coded, split) = (with_code(hold(30), "4711"), hold(40));
    let act = |who: &Customer, hold: &protocol::bank::Hold, act| ask(bank.act(&who.owner, hold.request, act));
    let wrong = act(shop, &coded, Act::Code(text("0000")));
    let (proposal, to_buyer) = ("half was stale".to_owned(), units(15));
    let (anna, bruno) = ("anna".to_owned(), "bruno".to_owned());
    vec![
        Step::Order("open-s", Operation::Open(opening)),
        ask(bank.activation(shop, 1)),
        ask(BankAsk::Hold(alice.owner.sign(coded.clone()))),
        ask(BankAsk::Hold(alice.owner.sign(hold(5_000)))),
        wrong.clone(),
        wrong,
        act(shop, &coded, Act::Refund(units(10))),
        act(shop, &coded, Act::Code(text("4711"))),
        ask(BankAsk::Hold(alice.owner.sign(split.clone()))),
        act(alice, &split, Act::Dispute(text("stale"))),
        Step::Order("split", Operation::ProposeSplit { hold: 2, to_buyer, by: anna, reason: proposal }),
        Step::Order("done", Operation::ConfirmSplit { hold: 2, to_buyer, by: bruno }),
    ]
}

/// The shop is swept twice, leased with a caution it gets back, and handed over.
fn a_company(bank: &Bank, till: &Customer) -> Vec<Step> {
    use crate::desk::office::ShopOrder;
    use crate::desk::shop::tenure::LeaseTerms;
    use crate::desk::tests::sweeps::{a_list, sweep};
    use crate::desk::tests::tenure::order;
    use crate::ledger::AccountNumber;
    let (shop, company) = (till.account, AccountNumber(1005));
    let (kind, name) = (CustomerKind::Company, "Bread Ltd".to_owned());
    let opening = Opening { kind, name, balance: units(0), offline_limit: units(0) };
    let swept = |number| {
        let list = a_list();
        ask(BankAsk::Sweep(till.owner.sign(sweep(bank, till, number, &list)), list))
    };
    let first_due = bank.now.get().day();
    let every = crate::ledger::tenure::Every::Month;
    let terms = LeaseTerms { caution: units(5), rent: units(100), every, first_due };
    let own = ShopOrder::Own { shop, company };
    vec![
        Step::Order("open-c", Operation::Open(opening)),
        Step::Order("own", order(own)),
        swept(1),
        Step::Order("till", Operation::PayIn(shop, units(10))),
        swept(1),
        Step::Order("lease", order(ShopOrder::Lease { shop, company, terms })),
        Step::Order("end", order(ShopOrder::EndLease { shop, kept: units(5) })),
        Step::Order("over", order(ShopOrder::HandOver { shop, name: "New Bakery".to_owned() })),
    ]
}

/// Plays the day on a store that dies at its `writes`-th write, then on what the next process opens; says
/// whether it died at all.
fn dies_and_goes_on<S: Store>(day: &[(Step, Vec<u8>)], open: impl Fn() -> S, writes: u64) -> bool {
    let failing = Failing { store: open(), fuse: Fuse::of(writes) };
    dies_and_another_goes_on(day, Ok(failing), open, writes)
}

/// The same with a store that dies by itself, perhaps while it is opened.
pub(super) fn dies_and_another_goes_on<D: Store, S: Store>(
    day: &[(Step, Vec<u8>)],
    dying: Result<D, Fault>,
    open: impl Fn() -> S,
    writes: u64,
) -> bool {
    let mut at = 0;
    if let Ok(bank) = dying.and_then(Bank::try_on) {
        while let Some((step, expected)) = day.get(at) {
            match perform(&bank, step) {
                Ok(answer) => assert_eq!(&answer, expected, "write {writes}, step {at}"),
                Err(_) => break,
            }
            at += 1;
        }
        if at == day.len() {
            return false;
        }
    }
    resumes(day, at, open(), writes);
    true
}

fn is_live(step: &Step) -> bool {
    matches!(step, Step::Ask(ask) if matches!(**ask, BankAsk::Claim(..)))
}

/// The next process finds what is durable; whoever got no answer asks again, and so does everybody before.
fn resumes<S: Store>(day: &[(Step, Vec<u8>)], at: usize, store: S, writes: u64) {
    let bank = Bank::on(store);
    let audit = bank.audit();
    assert!(audit.ok, "write {writes}, right after: {:?}", audit.findings);
    for (place, (step, expected)) in day.iter().enumerate().skip(at) {
        assert_eq!(&perform(&bank, step).unwrap(), expected, "write {writes}, step {place}");
    }
    for (place, (step, expected)) in day.iter().enumerate() {
        let again = perform(&bank, step).unwrap();
        // A claim asked again tells how its cases stand now.
        assert!(&again == expected || is_live(step), "write {writes}, step {place} again");
    }
    let audit = bank.audit();
    assert!(audit.ok, "write {writes}: {:?}", audit.findings);
    assert_eq!((audit.cash, audit.entries), (units(583), entries_of(day)));
}

fn entries_of(day: &[(Step, Vec<u8>)]) -> u64 {
    let bank = Bank::new();
    for (step, _) in day {
        perform(&bank, step).unwrap();
    }
    bank.journal()
}

/// N14, B7: whichever write fails, also a commit that was durable all the same, each request has one outcome.
#[test]
fn memory_dies_at_every_write() {
    let day = a_day();
    let dies = |writes| {
        let store = Memory::new();
        dies_and_goes_on(&day, || store.clone(), writes)
    };
    let deaths = (0..).take_while(|writes| dies(*writes)).count();
    assert!(deaths > 100, "the day has {deaths} writes");
}

/// The same on disk, at every seventh write.
#[test]
fn redb_dies_at_many_writes() {
    let day = a_day();
    let deaths = (0..)
        .step_by(7)
        .take_while(|writes| {
            let folder = tempfile::tempdir().unwrap();
            dies_and_goes_on(&day, || redb(&folder), *writes)
        })
        .count();
    assert!(deaths > 10);
}

/// A hold by date, one that goes back, and a leased shop; all of it due at once after a month.
fn what_is_due<S: Store>(bank: &Bank<S>) -> Result<[crate::ledger::AccountNumber; 3], Fault> {
    use crate::desk::office::ShopOrder;
    use crate::desk::shop::tenure::LeaseTerms;
    use crate::desk::tests::tenure::order;
    use crate::ledger::tenure::Every;
    use protocol::bank::HoldRule;
    let alice = bank.customer("Alice", 500);
    let shop = bank.member(CustomerKind::Shop, "Bakery", 100);
    let company = bank.member(CustomerKind::Company, "Bread Ltd", 0);
    let date = bank.now.get().plus_seconds(9 * protocol::time::DAY_SECONDS);
    for (amount, rule) in [(70, HoldRule::Date(date)), (30, HoldRule::Confirmation)] {
        let hold = bank.hold(&alice, &shop, amount, rule);
        bank.try_ask(BankAsk::Hold(alice.owner.sign(hold)))?;
    }
    let first_due = bank.now.get().day();
    let terms = LeaseTerms { caution: units(10), rent: units(45), every: Every::Days(7), first_due };
    let lease = ShopOrder::Lease { shop: shop.account, company: company.account, terms };
    bank.try_order(Some("lease"), order(lease))?.unwrap();
    Ok([alice.account, shop.account, company.account])
}

/// C4, N11, N14: whichever write fails while the calendar works, the next look finds what is left to do, and nothing is
/// done twice: no rent, no release, no return.
#[test]
fn the_calendar_dies_at_every_write() {
    let month = 30 * protocol::time::DAY_SECONDS;
    let mut deaths = 0;
    loop {
        let store = Memory::new();
        let accounts = what_is_due(&Bank::on(store.clone())).unwrap();
        // Opening writes nothing but the commit itself, which burns twice.
        let dying = Bank::on(Failing { store: store.clone(), fuse: Fuse::of(deaths + 2) });
        dying.now.set(dying.now.get().plus_seconds(month));
        let turned = dying.ledger.in_one_commit(|tx| dying.desk().turn(tx));
        let bank = Bank::on(store);
        bank.now.set(bank.now.get().plus_seconds(month));
        bank.turn();
        let audit = bank.audit();
        assert!(audit.ok, "write {deaths}: {:?}", audit.findings);
        let view = bank.ledger.snapshot().unwrap();
        let balances = accounts.map(|number| view.account(number).unwrap().unwrap().balance().get());
        // Five rents of 45 are due, and the shop had 90 and the order's 70.
        assert_eq!((balances, audit.held), ([430, 0, 160], units(0)), "write {deaths}");
        if turned.is_ok() {
            break;
        }
        deaths += 1;
    }
    assert!(deaths > 20, "the calendar has {deaths} writes");
}
