//! The operators' interface over its own socket.

use super::*;
use crate::desk::counter::Sign;
use crate::desk::tests::{NOON, keys_of_a_new_bank, units};
use crate::service::{Bank, World, start};
use crate::store::{Ledger, Memory};
use protocol::body::Text;
use protocol::node::clock::Clock;
use protocol::node::host::signals::{Shutdown, Stop};
use protocol::node::rpc::{CallError, Connection, EventsList, Limits, ServeConfig, serve, socket_in};
use serde_json::json;
use std::sync::Arc;

struct Loopback;

impl Reach for Loopback {
    fn addresses(&self) -> Vec<Text> {
        vec![Text::new("/ip4/127.0.0.1/tcp/1", 128).unwrap()]
    }

    fn connected(&self) -> u64 {
        3
    }
}

struct Scene {
    client: BankClient,
    bank: Bank<Ledger<Memory>>,
    _stop: Stop,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// The interface as an operator with a token of his own sees it.
    async fn operator(&self, name: &str) -> BankClient {
        let made = self.client.operator_add(OperatorName { name: name.to_owned() }).await.unwrap();
        BankClient::new(Connection::unix_with(&socket_in(self._folder.path()), made.secret))
    }
}

async fn scene() -> Scene {
    let sign = Sign { name: "Banca di prova".to_owned(), currency: Currency::new("STM", 2).unwrap() };
    let keys = keys_of_a_new_bank(NOON.day());
    let world = World::roomy(Clock::manual(NOON.0));
    let bank = start(Ledger::open(Memory::new()).unwrap(), keys, sign, world).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (stop, shutdown) = Shutdown::new();
    let config = ServeConfig {
        socket: Some(socket_in(folder.path())),
        http: None,
        runtime_dir: folder.path().to_owned(),
        program: "bank-node",
        version: "1",
        limits: Limits::default(),
    };
    let home = crate::home::Home::find(Some(&folder.path().join("home"))).unwrap();
    let safe = Arc::new(crate::backup::Backups::new(bank.clone(), home));
    let office = Office::new(bank.clone(), Arc::new(Loopback), safe).into_service();
    let events = Arc::new(JournalEvents(bank.clone()));
    serve(config, office, Arc::new(OperatorGate(bank.clone())), events, axum::Router::new(), shutdown)
        .await
        .unwrap();
    let client = BankClient::new(Connection::unix(&socket_in(folder.path())));
    Scene { client, bank, _stop: stop, _folder: folder }
}

fn alice(key: &str) -> AccountOpen {
    AccountOpen {
        kind: CustomerKind::Resident,
        name: "Alice".to_owned(),
        balance: units(50_000),
        offline_limit: units(200),
        key: key.to_owned(),
    }
}

fn reason<T: std::fmt::Debug>(result: Result<T, CallError>) -> String {
    match result {
        Err(CallError::Rpc(error)) => error.reason.into_owned(),
        other => panic!("{other:?}"),
    }
}

/// B7: the same key opens one account and gives the same letter, which opens with the bank's own words.
#[tokio::test]
async fn an_account_is_opened_once_and_its_letter_is_the_same() {
    let scene = scene().await;
    let made = scene.client.account_open(alice("k")).await.unwrap();
    assert_eq!(scene.client.account_open(alice("k")).await.unwrap(), made);
    let letter = protocol::code::parse_letter(&made.letter_uri).unwrap();
    assert_eq!((letter.account, letter.master), (made.account.0, scene.bank.keys().master()));
    assert_eq!(letter.code, *scene.bank.keys().activation_code(made.account.0, 1));
    assert_eq!(letter.addresses, Loopback.addresses());
    let other = AccountOpen { balance: units(1), ..alice("k") };
    assert_eq!(reason(scene.client.account_open(other).await), "key_reused");
    let again = AccountLetter { account: made.account, key: None };
    let second = scene.client.account_letter(again).await.unwrap();
    assert_ne!(second.letter_uri, made.letter_uri);
}

/// N4: each booking has a number and a balance, and the statement shows them in order and in pages.
#[tokio::test]
async fn a_statement_shows_every_booking() {
    let scene = scene().await;
    let account = scene.client.account_open(alice("k")).await.unwrap().account;
    for n in 1..=5 {
        let cash = Cash { account, units: units(n), key: format!("in-{n}") };
        scene.client.account_pay_in(cash.clone()).await.unwrap();
        scene.client.account_pay_in(cash).await.unwrap();
    }
    let over = Cash { account, units: units(60_000), key: "out".to_owned() };
    let refused = scene.client.account_pay_out(over).await;
    let Err(CallError::Rpc(error)) = refused else { panic!("{refused:?}") };
    assert_eq!(error.message, "the account holds 500.15 STM, less than was asked for");
    assert_eq!((error.reason.as_ref(), &error.details["balance"]), ("insufficient_funds", &json!(50_015)));

    let mut after = 0;
    let mut seen = Vec::new();
    loop {
        let asked = AccountShow { account, after, limit: Some(4) };
        let page = scene.client.account_show(asked).await.unwrap();
        seen.extend(page.entries.iter().map(|entry| (entry.kind, entry.balance.get())));
        after = page.entries.last().unwrap().number;
        if !page.more {
            break;
        }
    }
    let expected = [(EntryKind::Open, 50_000), (EntryKind::PayIn, 50_001), (EntryKind::PayIn, 50_003)];
    assert_eq!(seen.get(..3), Some(&expected[..]));
    assert_eq!(seen.len(), 6);
    let audit = scene.client.audit_run(Empty {}).await.unwrap();
    assert!(audit.ok);
    assert_eq!(audit.cash, units(50_015));
}

/// Operators' decisions: told to everybody through the directory, and with a reason in the journal.
#[tokio::test]
async fn decisions_and_lists() {
    let scene = scene().await;
    let account = scene.client.account_open(alice("k")).await.unwrap().account;
    let [anna, bruno] = [scene.operator("anna").await, scene.operator("bruno").await];
    let decision = Decision { account, change: Change::Suspend, reason: "case 7".to_owned(), key: None };
    let confirmation = Confirmation { account, change: Change::Suspend, key: None };
    assert_eq!(reason(scene.client.standing_propose(decision.clone()).await), "operator_needed");
    anna.standing_propose(decision.clone()).await.unwrap();
    assert_eq!(reason(anna.standing_confirm(confirmation.clone()).await), "same_operator");
    assert_eq!(reason(scene.client.standing_confirm(confirmation.clone()).await), "operator_needed");
    bruno.standing_confirm(confirmation).await.unwrap();
    assert_eq!(reason(anna.standing_propose(decision.clone()).await), "no_change");
    let list = scene.client.account_list(AccountList::default()).await.unwrap();
    assert_eq!(list.accounts.len(), 1, "the bank's own accounts are not customers'");
    assert!(list.accounts[0].suspended.is_some());
    let change = Change::Reinstate;
    bruno.standing_propose(Decision { change, ..decision }).await.unwrap();
    anna.standing_confirm(Confirmation { account, change, key: None }).await.unwrap();
    let journal = scene.client.journal_list(ListAfter { after: 3, limit: None }).await.unwrap();
    let told: Vec<_> = journal.entries.iter().map(|entry| (entry.kind, entry.by.as_str())).collect();
    let expected = [
        (EntryKind::Proposal, "anna"),
        (EntryKind::Suspend, "bruno"),
        (EntryKind::Proposal, "bruno"),
        (EntryKind::Reinstate, "anna"),
    ];
    assert_eq!(told, expected);
    let nobody = AccountShow { account: AccountNumber(1), after: 0, limit: None };
    assert_eq!(reason(scene.client.account_show(nobody).await), "account_not_found");
    let long = AccountList { after: 0, limit: Some(501) };
    assert_eq!(reason(scene.client.account_list(long).await), "invalid_params");
    assert!(scene.client.directory_list(DirectoryList::default()).await.unwrap().lines.is_empty());
    assert_eq!(scene.client.keys_list(Empty {}).await.unwrap().keys.len(), 34);
}

/// Every journal entry is an event, numbered as the journal is.
#[tokio::test]
async fn the_journal_is_the_event_stream() {
    let scene = scene().await;
    let account = scene.client.account_open(alice("k")).await.unwrap().account;
    scene.client.account_pay_in(Cash { account, units: units(7), key: "in".to_owned() }).await.unwrap();
    let asked = EventsList { since: 0, limit: None, wait_seconds: 0 };
    let page = scene.client.connection().events(&asked).await.unwrap();
    let events: Vec<Event> =
        page.events.into_iter().map(|event| serde_json::from_value(event).unwrap()).collect();
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((events[1].kind, events[1].units, page.newest), (EntryKind::PayIn, units(7), 2));
}

/// The status says what the operators have to do, and says it in time.
#[tokio::test]
async fn the_status_says_when_keys_run_out() {
    let scene = scene().await;
    let fine = scene.client.status(Empty {}).await.unwrap();
    assert_eq!((fine.issuing, fine.issue_days_left, fine.connected), (true, 31, 3));
    assert_eq!(fine.advice, None);
    let mut keys = keys_of_a_new_bank(NOON.day());
    keys.issue.retain(|epoch, _| *epoch < NOON.day().0 + 3);
    scene.bank.use_keys(keys);
    let few = scene.client.status(Empty {}).await.unwrap();
    assert_eq!(few.issue_days_left, 3);
    let mut keys = keys_of_a_new_bank(NOON.day());
    keys.issue.clear();
    scene.bank.use_keys(keys);
    let none = scene.client.status(Empty {}).await.unwrap();
    assert!(!none.issuing && none.advice.unwrap().contains("bank-node keys extend"));
}

/// B5: fields and errors are published: every word an objection uses is in the contract.
#[test]
fn the_contract_lists_every_error() {
    use crate::desk::office::Objection;
    let all = [
        Objection::NotFound(AccountNumber(1)),
        Objection::KeyReused,
        Objection::BadKey,
        Objection::BadName,
        Objection::BadReason,
        Objection::Nothing,
        Objection::Insufficient { balance: units(1) },
        Objection::TooMuch,
        Objection::Activated,
        Objection::NoChange,
    ];
    for objection in all {
        assert!(ERRORS.iter().any(|info| info.reason == objection.reason()), "{objection:?}");
    }
    let methods = &BankClient::contract().methods;
    assert!(methods.iter().all(|method| !method.summary().is_empty()));
}

/// Threats X2: an operator can't make himself a second one, and a token that was ended is of no use.
#[tokio::test]
async fn operators_are_made_by_the_owner_only() {
    let scene = scene().await;
    let anna = scene.operator("anna").await;
    let zoe = OperatorName { name: "zoe".to_owned() };
    assert_eq!(reason(anna.operator_add(zoe.clone()).await), "owner_needed");
    assert_eq!(reason(anna.operator_end(zoe.clone()).await), "owner_needed");
    assert_eq!(reason(scene.client.operator_end(zoe).await), "bad_operator");
    assert!(anna.operator_list(Empty {}).await.is_ok());
    scene.client.operator_end(OperatorName { name: "anna".to_owned() }).await.unwrap();
    assert!(anna.operator_list(Empty {}).await.is_err());
    let made = scene.client.operator_add(OperatorName { name: "bea".to_owned() }).await.unwrap();
    assert!(!format!("{made:?}").contains(&made.secret), "in no log");
    scene.client.operator_end(OperatorName { name: "bea".to_owned() }).await.unwrap();
    let list = scene.client.operator_list(Empty {}).await.unwrap().operators;
    assert!(matches!(list.as_slice(), [one, _] if one.name == "anna" && one.ended.is_some()));
}

/// Threats X2: an operator's token does not copy the books and the bank's keys to wherever he likes.
#[tokio::test]
async fn backups_are_the_owner_s() {
    let scene = scene().await;
    let anna = scene.operator("anna").await;
    let to = scene._folder.path().join("stolen");
    for keys in [true, false] {
        let asked = BackupAsked { to: to.display().to_string(), keys };
        assert_eq!(reason(anna.backup_make(asked).await), "owner_needed");
    }
    assert!(!to.exists());
    let mine = BackupAsked { to: "not/absolute".to_owned(), keys: false };
    assert_eq!(reason(scene.client.backup_make(mine).await), "no_backup", "the owner is let in");
}

/// The guarantee is funded once per key, and shown with its cap; cases and reclaims are lists, empty here.
#[tokio::test]
async fn the_guarantee_is_funded_and_shown() {
    let scene = scene().await;
    let cash = GuaranteeCash { units: units(700), key: "g".to_owned() };
    let booked = scene.client.guarantee_pay_in(cash.clone()).await.unwrap();
    assert_eq!(scene.client.guarantee_pay_in(cash).await.unwrap(), booked);
    let shown = scene.client.guarantee_show(Empty {}).await.unwrap();
    assert_eq!((shown.balance, shown.cap, shown.given), (units(700), units(20_000), units(0)));
    assert!(scene.client.claim_list(ListAfter::default()).await.unwrap().cases.is_empty());
    assert!(scene.client.reclaim_list(ListAfter::default()).await.unwrap().reclaims.is_empty());
    assert_eq!(reason(scene.client.claim_show(ByNumber { number: 1 }).await), "case_not_found");
    assert_eq!(reason(scene.client.reclaim_show(ByNumber { number: 1 }).await), "case_not_found");
}

/// N11, M5: the shop's life over the interface: the same key orders once, and what can't be done has a reason.
#[tokio::test]
async fn shops_are_ordered_and_shown() {
    let scene = scene().await;
    let client = &scene.client;
    let open = |kind, name: &str, key: &str| AccountOpen { kind, name: name.to_owned(), ..alice(key) };
    let shop = client.account_open(open(CustomerKind::Shop, "Bakery", "s")).await.unwrap().account;
    let company = client.account_open(open(CustomerKind::Company, "Bread Ltd", "c")).await.unwrap().account;
    assert_eq!(reason(client.shop_show(ShopShow { shop }).await), "shop_not_found");
    let today = client.status(Empty {}).await.unwrap().today;
    let (every, key) = (crate::ledger::tenure::Every::Days(7), "lease".to_owned());
    let lease =
        ShopLease { shop, company, caution: units(300), rent: units(50), every, first_due: today, key };
    let booked = client.shop_lease(lease.clone()).await.unwrap();
    assert_eq!(client.shop_lease(lease.clone()).await.unwrap(), booked);
    assert_eq!(booked.balance, units(49_700));
    let other = ShopLease { rent: units(51), ..lease };
    assert_eq!(reason(client.shop_lease(other).await), "key_reused");
    let own = ShopOwn { shop, company, key: "own".to_owned() };
    assert_eq!(reason(client.shop_own(own).await), "leased");
    let over = ShopHandOver { shop, name: "New".to_owned(), key: "over".to_owned() };
    assert_eq!(reason(client.shop_hand_over(over).await), "not_settled");
    let shown = client.shop_list(ListAfter::default()).await.unwrap().shops;
    assert_eq!(shown, [client.shop_show(ShopShow { shop }).await.unwrap()]);
    assert_eq!(
        shown[0].lease.as_ref().map(|lease| (lease.caution, lease.next_due)),
        Some((units(300), today))
    );
    assert!(client.shop_arrears(Empty {}).await.unwrap().shops.is_empty());
    let asked = StatementAsked { account: shop, before: None, limit: Some(1) };
    let page = client.account_statement(asked.clone()).await.unwrap();
    assert_eq!((page.lines[0].outgoing, page.lines[0].balance), (units(300), units(49_700)));
    let rest = StatementAsked { before: page.next, ..asked };
    let rest = client.account_statement(rest).await.unwrap();
    assert_eq!((rest.lines[0].incoming, rest.next), (units(50_000), None));
    assert_eq!(reason(client.hold_show(ByNumber { number: 1 }).await), "hold_not_found");
    assert_eq!(reason(client.sweep_show(SweepShow { shop, number: 1 }).await), "sweep_not_found");
    let decision = HoldConfirmation { hold: 1, to_buyer: units(1), key: None };
    assert_eq!(reason(client.hold_confirm(decision.clone()).await), "operator_needed");
    assert_eq!(reason(scene.operator("anna").await.hold_confirm(decision).await), "hold_not_found");
}
