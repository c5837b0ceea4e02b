//! The open bank, without sockets and without disk.

use super::*;
use crate::desk::office::{Opening, Operation};
use crate::desk::tests::{Customer, NOON, Purse, keys_of_a_new_bank, outcomes_of, secret_of, units};
use crate::keys::{KeyFolder, MasterKey, make_all};
use crate::ledger::books::{Tx as _, View};
use crate::ledger::{AccountNumber, CustomerKind, audit};
use crate::store::failing::{Failing, Fuse};
use crate::store::shelf::Store;
use crate::store::{Ledger, Memory};
use futures::future::join_all;
use protocol::bank::{Activation, Identity, RedeemKind, Redemption, Withdrawal};
use protocol::body::Body;
use protocol::id::{Key, RequestId};
use protocol::money::Currency;
use protocol::note::{Note, NoteTable};
use protocol::sign::{Signed, Signer};
use protocol::time::DAY_SECONDS;
use protocol::wire::encode;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

fn open_bank<S: Store>(store: S, world: World) -> Bank<Ledger<S>> {
    let sign = Sign { name: "Banca di prova".to_owned(), currency: Currency::default() };
    start(Ledger::open(store).unwrap(), keys_of_a_new_bank(NOON.day()), sign, world).unwrap()
}

fn noon() -> Clock {
    Clock::manual(NOON.0)
}

fn opening(balance: u64) -> Order {
    let operation = Operation::Open(Opening {
        kind: CustomerKind::Resident,
        name: "Alice".to_owned(),
        balance: units(balance),
        offline_limit: units(200),
    });
    Order { key: Some("open".to_owned()), operation }
}

fn request(n: u64) -> RequestId {
    RequestId(u128::from(n).to_be_bytes())
}

async fn alice<B: Books>(bank: &Bank<B>, balance: u64) -> Customer {
    let opened = bank.order(opening(balance)).await.unwrap();
    let alice = Customer { owner: Signer::from_secret(&[42; 32]), account: opened.account };
    let keys = bank.keys();
    let identity = alice.owner.sign(Identity {
        bank: keys.bank(),
        owner: alice.owner.key(),
        view: Key([3; 32]),
        node: alice.owner.key(),
        generation: 1,
        sequence: 1,
        expires: NOON.plus_seconds(30 * DAY_SECONDS),
    });
    let activation = alice.owner.sign(Activation {
        bank: keys.bank(),
        request: request(1),
        account: alice.account.0,
        owner: alice.owner.key(),
        code: *keys.activation_code(alice.account.0, 1),
    });
    let answer = bank.ask(BankAsk::Activate(activation, identity)).await;
    assert!(matches!(answer, BankAnswer::Activated(..)), "{answer:?}");
    alice
}

fn withdrawal<B: Books>(bank: &Bank<B>, alice: &Customer, n: u64, amount: u64) -> Signed<Withdrawal> {
    let key = Signer::from_secret(&secret_of(n));
    alice.owner.sign(Withdrawal {
        bank: bank.keys().bank(),
        request: request(n),
        owner: alice.owner.key(),
        created: NOON,
        outcomes: outcomes_of(&[(&key, amount)]),
    })
}

async fn books_are_in_order<B: Books>(bank: &Bank<B>) -> crate::ledger::Audit {
    let audit = bank.read(audit).await.unwrap();
    assert!(audit.ok, "{:?}", audit.findings);
    audit
}

async fn balance<B: Books>(bank: &Bank<B>, account: AccountNumber) -> u64 {
    bank.read(move |view| view.account(account)).await.unwrap().unwrap().balance().get()
}

/// B7: sixty-four copies of one request at once have one effect and one answer.
#[tokio::test(flavor = "multi_thread")]
async fn duplicates_at_once_have_one_effect() {
    let bank = open_bank(Memory::new(), World::roomy(noon()));
    let alice = alice(&bank, 1000).await;
    let asked = BankAsk::Withdraw(withdrawal(&bank, &alice, 7, 30));
    let answers = join_all((0..64).map(|_| bank.ask(asked.clone()))).await;
    let different: BTreeSet<Vec<u8>> = answers.iter().map(encode).collect();
    assert_eq!(different.len(), 1);
    assert!(matches!(answers.first(), Some(BankAnswer::Withdrawn(..))));
    assert_eq!(balance(&bank, alice.account).await, 970);
    let orders = join_all((0..64).map(|_| bank.order(opening(1000)))).await;
    assert!(orders.iter().all(|order| order == &orders[0] && order.is_ok()));
    assert_eq!(books_are_in_order(&bank).await.accounts, 1);
}

/// N14: of many who redeem the same units at once, one is paid.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_redeems_the_same_units() {
    let bank = open_bank(Memory::new(), World::roomy(noon()));
    let alice = alice(&bank, 1000).await;
    let BankAnswer::Withdrawn(roots, _) =
        bank.ask(BankAsk::Withdraw(withdrawal(&bank, &alice, 7, 100))).await
    else {
        panic!()
    };
    let key = Signer::from_secret(&secret_of(7));
    let note = Note::fresh(roots[0].clone());
    let purse = Purse { range: note.root.unverified().range(), note, key };
    let ask = |n: u64| {
        let to = Signer::from_secret(&secret_of(100 + n));
        let redemption = Redemption {
            bank: bank.keys().bank(),
            request: request(100 + n),
            kind: RedeemKind::Reissue,
            outcomes: outcomes_of(&[(&to, 51)]),
        };
        // All of them share at least one unit.
        let part = purse.part(n % 49, n % 49 + 51);
        BankAsk::Reissue(redemption.to_bytes(), NoteTable::pack([&part.sunk(&redemption)]))
    };
    let answers = join_all((0..64).map(|n| bank.ask(ask(n)))).await;
    let paid = answers.iter().filter(|answer| matches!(answer, BankAnswer::Reissued(_))).count();
    let lost = answers.iter().filter(|answer| matches!(answer, BankAnswer::Denied(_))).count();
    assert_eq!((paid, lost), (1, 63));
    assert_eq!(books_are_in_order(&bank).await.outstanding, units(100));
}

/// A store that fails closes the bank: this batch and all later ones are unavailable, and the process hears it.
#[tokio::test(flavor = "multi_thread")]
async fn a_failing_store_closes_the_bank() {
    let memory = Memory::new();
    drop(Ledger::open(memory.clone()).unwrap());
    let failing = Failing { store: memory.clone(), fuse: Fuse::of(25) };
    let bank = open_bank(failing, World::roomy(noon()));
    let alice = alice(&bank, 1000).await;
    let asked = |n| BankAsk::Withdraw(withdrawal(&bank, &alice, n, 1));
    let mut answers = Vec::new();
    for n in 10..20 {
        answers.push(bank.ask(asked(n)).await);
    }
    assert_eq!(answers.last(), Some(&BankAnswer::Error(ErrorCode::Unavailable)));
    assert!(matches!(bank.failed().await, Fault::Store(_)));
    assert_eq!(bank.order(opening(1)).await, Err(OrderError::Unavailable));

    let again = open_bank(memory, World::roomy(noon()));
    books_are_in_order(&again).await;
    for n in 10..20 {
        assert!(matches!(again.ask(asked(n)).await, BankAnswer::Withdrawn(..)));
    }
    assert_eq!(balance(&again, alice.account).await, 990);
    books_are_in_order(&again).await;
}

/// Books that break a rule close the bank, and the word says which.
#[tokio::test(flavor = "multi_thread")]
async fn broken_books_close_the_bank() {
    let memory = Memory::new();
    let bank = open_bank(memory.clone(), World::roomy(noon()));
    alice(&bank, 1000).await;
    bank.audit_books().await;
    assert!(bank.inner.failed.0.borrow().is_none(), "in order");
    let mut forged = bank.read(|view| view.accounts_after(AccountNumber(2), 1)).await.unwrap().remove(0);
    forged.credits += 1;
    Ledger::open(memory).unwrap().in_one_commit(|tx| tx.keep_account(&forged)).unwrap();
    bank.audit_books().await;
    let Fault::Damaged(words) = bank.failed().await else { panic!() };
    assert!(words.contains("broken rules, first: "), "{words}");
}

/// Threats X7: a bank that is shown a later letter of its own writes nothing any more, and remembers the number.
#[tokio::test(flavor = "multi_thread")]
async fn a_witness_closes_the_bank() {
    let memory = Memory::new();
    let bank = open_bank(memory.clone(), World::roomy(noon()));
    let alice = alice(&bank, 1000).await;
    let answer = bank.ask(BankAsk::Withdraw(withdrawal(&bank, &alice, 7, 30))).await;
    let BankAnswer::Withdrawn(_, letter) = answer else { panic!() };
    assert_eq!(bank.ask(BankAsk::Witness(letter.clone())).await, BankAnswer::Noted);
    let later = protocol::bank::Letter { number: 1_000, ..letter.unverified().clone() };
    let later = Box::new(bank.keys().attest.sign(later));
    let unavailable = BankAnswer::Error(ErrorCode::Unavailable);
    assert_eq!(bank.ask(BankAsk::Witness(Signed::clone(&later))).await, unavailable);
    assert_eq!(bank.failed().await, Fault::Behind { entry: 3, letter: later });
    assert_eq!(bank.ask(BankAsk::Withdraw(withdrawal(&bank, &alice, 8, 30))).await, unavailable);
    assert_eq!(bank.order(opening(1)).await, Err(OrderError::Unavailable));
    assert_eq!(bank.read(|view| view.journal_head()).await, Some(3));
}

/// A full disk: nothing is written, nothing is lost, and it goes on when there is room again.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_says_nothing_about_a_request() {
    let room = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&room);
    let world = World { has_room: Box::new(move || seen.load(Ordering::SeqCst)), ..World::roomy(noon()) };
    let bank = open_bank(Memory::new(), world);
    let alice = alice(&bank, 1000).await;
    room.store(false, Ordering::SeqCst);
    let asked = BankAsk::Withdraw(withdrawal(&bank, &alice, 7, 30));
    assert_eq!(bank.ask(asked.clone()).await, BankAnswer::Error(ErrorCode::Unavailable));
    assert_eq!(bank.order(opening(2)).await, Err(OrderError::Unavailable));
    let BankAsk::Withdraw(signed) = &asked else { panic!() };
    let status = BankAsk::Status(signed.unverified().request, signed.digest());
    assert_eq!(bank.ask(status).await, BankAnswer::NotSeen, "reading still works");
    room.store(true, Ordering::SeqCst);
    assert!(matches!(bank.ask(asked).await, BankAnswer::Withdrawn(..)));
    books_are_in_order(&bank).await;
}

/// Y6: news that can't be written down stay for the next look and do not wake it themselves: no loop while the disk is full.
#[tokio::test(flavor = "multi_thread")]
async fn news_without_room_wait() {
    let room = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&room);
    let world = World { has_room: Box::new(move || seen.load(Ordering::SeqCst)), ..World::roomy(noon()) };
    let bank = open_bank(Memory::new(), world);
    assert!(bank.inner.news.is_woken(), "opening is news");
    assert_eq!(bank.bulletin_if_due().await, None);
    assert!(!bank.inner.news.is_woken());
    room.store(true, Ordering::SeqCst);
    assert!(bank.bulletin_if_due().await.is_some());
}

/// Who asks while too many are inside is told to come later, and leaves no trace.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_at_once_are_told_to_come_later() {
    let bank = open_bank(Memory::new(), World::roomy(noon()));
    let all = u32::try_from(ADMITTED).unwrap();
    let places = Arc::clone(&bank.inner.admission).acquire_many_owned(all).await.unwrap();
    assert_eq!(bank.ask(BankAsk::Terms).await, BankAnswer::Error(ErrorCode::Busy));
    drop(places);
    assert!(matches!(bank.ask(BankAsk::Terms).await, BankAnswer::Terms(_)));
}

/// After the last commit the bank is closed, and every entry was announced.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_bank_has_finished() {
    let bank = open_bank(Memory::new(), World::roomy(noon()));
    let newest = bank.newest();
    bank.order(opening(5)).await.unwrap();
    assert_eq!(*newest.borrow(), 1);
    bank.stop().await;
    assert_eq!(bank.order(opening(5)).await, Err(OrderError::Unavailable));
    assert_eq!(bank.read(|view| view.journal_head()).await, Some(1));
}

/// B6: the private half of an issue key ends with its day; what was signed with it stays good.
#[test]
fn a_day_that_is_over_loses_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let keys = KeyFolder::beneath(folder.path());
    protocol::node::host::paths::private_folder(keys.path()).unwrap();
    let master = MasterKey::from_secret([7; 32]);
    let mut n = 0;
    let mut chance = || {
        n += 1;
        secret_of(n)
    };
    keys.write(&make_all(&master, NOON.day(), 3, &mut chance)).unwrap();
    keys.write_letters(&[9; 32]).unwrap();
    let mut calendar = Calendar::of(&Ledger::open(Memory::new()).unwrap().snapshot().unwrap()).unwrap();
    let mut turn = |now| {
        let at = Moment { now, running: std::time::Duration::ZERO };
        turn_page(&keys, master.key(), &mut calendar, at).unwrap()
    };
    let today = turn(NOON);
    assert_eq!(today.days_left(NOON.day()), 3);
    assert!(today.attests_on(NOON.day()));
    let file = keys.path().join(format!("issue-{}", NOON.day().0));
    assert!(file.exists());

    let midnight = NOON.day().plus_days(1).start();
    let jumped = turn(NOON.plus_seconds(40 * DAY_SECONDS));
    assert!(jumped.issue.is_empty() && file.exists(), "a clock that jumps destroys nothing");
    let back = turn(NOON);
    assert!(back.issue_on(NOON.day()).is_some(), "set right, the bank issues again");
    let later = turn(midnight.plus_seconds(601));
    assert!(!file.exists());
    assert_eq!(later.days_left(midnight.day()), 2);
    assert!(later.issue_on(NOON.day()).is_none());
    assert!(later.public.issue(NOON.day().0, NOON.day()).is_some(), "its certificate stays");
    let stranger = MasterKey::from_secret([8; 32]);
    assert!(keys.read(stranger.key()).is_err(), "another master key's certificates do not count");
}

/// N6: the open bank closes a reclaim by its own clock, and a look that finds nothing writes nothing.
#[tokio::test]
async fn the_open_bank_closes_reclaims_by_its_clock() {
    let clock = noon();
    let bank = open_bank(Memory::new(), World::roomy(clock.clone()));
    let alice = alice(&bank, 1000).await;
    let answer = bank.ask(BankAsk::Withdraw(withdrawal(&bank, &alice, 7, 30))).await;
    let BankAnswer::Withdrawn(roots, _) = answer else { panic!("{answer:?}") };
    let reclaim = protocol::bank::Reclaim {
        bank: bank.keys().bank(),
        request: request(8),
        owner: alice.owner.key(),
        kind: protocol::bank::ReclaimKind::Payment,
        created: NOON,
    };
    let sink = protocol::note::Destination::Reclaim(reclaim.digest());
    let root = roots.into_iter().next().unwrap();
    let range = root.unverified().range();
    let note = Note::fresh(root).hand_on(range, sink, &Signer::from_secret(&secret_of(7))).unwrap();
    let asked = BankAsk::Reclaim(alice.owner.sign(reclaim), NoteTable::pack([&note]));
    assert!(matches!(bank.ask(asked).await, BankAnswer::Reclaim(_)));
    bank.bulletin_if_due().await.expect("the first one is due, and lists it");
    let before = *bank.newest().borrow();
    assert!(bank.turn().await);
    assert_eq!(*bank.newest().borrow(), before);
    clock.advance(std::time::Duration::from_secs(7 * DAY_SECONDS));
    assert!(bank.turn().await);
    assert_eq!(balance(&bank, alice.account).await, 1000);
    books_are_in_order(&bank).await;
}
