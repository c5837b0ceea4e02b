//! Who may add to a vault, what counts as the same, and who reads it.

use super::*;
use crate::ledger::vault::Quota;
use protocol::bank::{AccountQuery, NodeQuery, Purpose, RECORD_MAX, RECORDS_MAX, VaultAppend, VaultHead};
use serde_bytes::ByteBuf;

fn records(count: usize, size: usize, first: u8) -> Vec<ByteBuf> {
    let bytes = (0..=u8::MAX).cycle().skip(first.into());
    bytes.take(count).map(|byte| ByteBuf::from(vec![byte; size])).collect()
}

fn head_after(before: VaultHead, records: &[ByteBuf]) -> VaultHead {
    records.iter().fold(before, |head, record| head.next(record))
}

fn append(bank: &Bank, whose: &Customer, before: VaultHead, records: &[ByteBuf]) -> VaultAppend {
    VaultAppend {
        bank: bank.keys.bank(),
        owner: whose.owner.key(),
        node: whose.owner.key(),
        generation: 1,
        after: before.records,
        head: head_after(before, records).digest,
    }
}

fn adds(bank: &Bank, whose: &Customer, before: VaultHead, records: &[ByteBuf]) -> VaultHead {
    let asked = whose.owner.sign(append(bank, whose, before, records));
    match bank.ask(BankAsk::VaultAppend(asked, records.to_vec())) {
        BankAnswer::Vault(head) => head,
        other => panic!("{other:?}"),
    }
}

fn reads(bank: &Bank, whose: &Customer, after: u64) -> (Vec<ByteBuf>, VaultHead) {
    let query = AccountQuery {
        bank: bank.keys.bank(),
        request: bank.request(),
        owner: whose.owner.key(),
        created: bank.now.get(),
    };
    match bank.ask(BankAsk::VaultRead(whose.owner.sign(query), after)) {
        BankAnswer::VaultRecords(records, head) => (records, head),
        other => panic!("{other:?}"),
    }
}

/// Records come back as they were put in, for whoever has the owner's key, and for nobody else's.
#[test]
fn what_is_put_in_comes_out_in_order() {
    let bank = Bank::new();
    let (alice, bob) = (bank.customer("Alice", 0), bank.customer("Bob", 0));
    let (first, second) = (records(3, 500, 1), records(2, 60_000, 10));
    let head = adds(&bank, &alice, VaultHead::default(), &first);
    let head = adds(&bank, &alice, head, &second);
    assert_eq!(head, head_after(VaultHead::default(), &[first.clone(), second.clone()].concat()));
    assert_eq!(reads(&bank, &alice, 0), ([first, second.clone()].concat(), head));
    assert_eq!(reads(&bank, &alice, 3), (second, head));
    assert_eq!(reads(&bank, &alice, 5), (vec![], head));
    assert_eq!(reads(&bank, &alice, u64::MAX), (vec![], head));
    assert_eq!(reads(&bank, &bob, 0), (vec![], VaultHead::default()));

    let asks = |node: &Signer| NodeQuery {
        bank: bank.keys.bank(),
        request: bank.request(),
        owner: alice.owner.key(),
        node: node.key(),
        purpose: Purpose::Vault,
        number: 0,
        subject: Digest::default(),
        created: bank.now.get(),
    };
    assert_eq!(bank.ask(BankAsk::VaultHead(alice.owner.sign(asks(&alice.owner)))), BankAnswer::Vault(head));
    bank.refuses(BankAsk::VaultHead(bob.owner.sign(asks(&bob.owner))), ErrorCode::OlderGeneration);
    let stolen = AccountQuery {
        bank: bank.keys.bank(),
        request: bank.request(),
        owner: alice.owner.key(),
        created: bank.now.get(),
    };
    bank.refuses(BankAsk::VaultRead(bob.owner.sign(stolen.clone()), 0), ErrorCode::BadSignature);
    let old = AccountQuery { created: Timestamp(NOON.0 - 601), ..stolen };
    bank.refuses(BankAsk::VaultRead(alice.owner.sign(old), 0), ErrorCode::Expired);
}

/// A large vault is read in pages that fit an answer.
#[test]
fn a_large_vault_comes_in_pages() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 0);
    let mut head = VaultHead::default();
    for n in 0..5 {
        head = adds(&bank, &alice, head, &records(3, RECORD_MAX, n * 3));
    }
    let (mut read, mut pages) = (VaultHead::default(), 0);
    while read != head {
        let (page, told) = reads(&bank, &alice, read.records);
        assert!(!page.is_empty());
        assert!(wire::encode(&BankAnswer::VaultRecords(page.clone(), told)).len() < 512 << 10);
        (read, pages) = (head_after(read, &page), pages + 1);
    }
    assert_eq!(pages, 3);
}

/// B7: the same records again change nothing; others in their place, or behind a gap, are a fork.
#[test]
fn the_same_again_is_fine_and_another_branch_is_a_fork() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 0);
    let (first, second, other) = (records(2, 100, 1), records(2, 100, 5), records(2, 100, 9));
    let start = VaultHead::default();
    let one = adds(&bank, &alice, start, &first);
    assert_eq!(adds(&bank, &alice, start, &first), one);
    let two = adds(&bank, &alice, one, &second);
    assert_eq!(adds(&bank, &alice, one, &second), two);
    let branch = |before, records: &[ByteBuf]| {
        BankAsk::VaultAppend(alice.owner.sign(append(&bank, &alice, before, records)), records.to_vec())
    };
    for (before, records) in [(one, &other), (start, &first), (VaultHead { records: 9, ..two }, &other)] {
        bank.refuses(branch(before, records), ErrorCode::Fork);
    }
    let lie = VaultAppend { head: Digest([7; 32]), ..append(&bank, &alice, two, &other) };
    bank.refuses(BankAsk::VaultAppend(alice.owner.sign(lie), other.clone()), ErrorCode::Fork);
    assert_eq!(reads(&bank, &alice, 0).1, two);
    assert_eq!(adds(&bank, &alice, two, &other).records, 6);
}

/// Table: what is wrong with an append, and the code for it.
#[test]
fn only_the_newest_workstation_adds_and_only_what_fits() {
    let bank = Bank::new();
    let (alice, stranger) = (bank.customer("Alice", 0), bank.signer());
    let start = VaultHead::default();
    let few = records(2, 100, 1);
    let good = append(&bank, &alice, start, &few);
    let other_bank = VaultAppend { bank: protocol::id::BankId([1; 8]), ..good.clone() };
    let nobody = VaultAppend { owner: stranger.key(), ..good.clone() };
    let other_node = VaultAppend { node: stranger.key(), ..good.clone() };
    let older = VaultAppend { generation: 0, ..good.clone() };
    let table = [
        (alice.owner.sign(other_bank), few.clone(), ErrorCode::NotMine),
        (alice.owner.sign(good.clone()), vec![], ErrorCode::Malformed),
        (alice.owner.sign(good.clone()), records(2, 0, 1), ErrorCode::Malformed),
        (alice.owner.sign(good.clone()), records(RECORDS_MAX + 1, 1, 1), ErrorCode::TooMany),
        (alice.owner.sign(good.clone()), records(1, RECORD_MAX + 1, 1), ErrorCode::TooBig),
        (alice.owner.sign(nobody), few.clone(), ErrorCode::NotFound),
        (stranger.sign(other_node), few.clone(), ErrorCode::OlderGeneration),
        (alice.owner.sign(older), few.clone(), ErrorCode::OlderGeneration),
        (stranger.sign(good.clone()), few.clone(), ErrorCode::BadSignature),
    ];
    for (asked, records, code) in table {
        bank.refuses(BankAsk::VaultAppend(asked, records), code);
    }
    assert_eq!(reads(&bank, &alice, 0), (vec![], start));
}

/// X6, H7: from the moment at which a restored workstation is published, the older one, or whoever has its node key,
/// adds nothing.
#[test]
fn an_older_generation_adds_nothing() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 0);
    let head = adds(&bank, &alice, VaultHead::default(), &records(1, 100, 1));
    let node = bank.signer();
    let record = Identity { node: node.key(), ..bank.identity(&alice, 2, 2).unverified().clone() };
    assert_eq!(bank.ask(BankAsk::Publish(alice.owner.sign(record))), BankAnswer::Published);
    let more = records(1, 100, 2);
    let asked = append(&bank, &alice, head, &more);
    bank.refuses(
        BankAsk::VaultAppend(alice.owner.sign(asked.clone()), more.clone()),
        ErrorCode::OlderGeneration,
    );
    let newer = VaultAppend { node: node.key(), generation: 2, ..asked };
    assert!(matches!(bank.ask(BankAsk::VaultAppend(node.sign(newer), more)), BankAnswer::Vault(_)));
}

/// A vault has its quota, of a day and in all; the next day there is room again.
#[test]
fn a_vault_has_a_quota() {
    let quota = Quota { bytes: 1_000, bytes_a_day: 400 };
    let full = |records: usize, day| {
        (0..records).fold(crate::ledger::vault::Vault::default(), |vault, _| {
            vault.with(&[1; 100], protocol::time::Day(day))
        })
    };
    assert!(full(4, 1).is_within(quota));
    assert!(!full(5, 1).is_within(quota));
    let next = full(4, 1).with(&[1; 100], protocol::time::Day(2));
    assert!(next.is_within(quota));
    assert_eq!((next.bytes, next.on_day.1, next.head.records), (500, 100, 5));

    let bank = Bank::new();
    let alice = bank.customer("Alice", 0);
    let mut head = VaultHead::default();
    let page = records(3, RECORD_MAX, 0);
    let a_page = (3 * RECORD_MAX) as u64;
    for _ in 0..Quota::default().bytes_a_day / a_page {
        head = adds(&bank, &alice, head, &page);
    }
    let more = append(&bank, &alice, head, &page);
    bank.refuses(BankAsk::VaultAppend(alice.owner.sign(more), page.clone()), ErrorCode::OverLimit);
    bank.now.set(NOON.plus_seconds(DAY_SECONDS));
    assert!(adds(&bank, &alice, head, &page).records > head.records);
}
