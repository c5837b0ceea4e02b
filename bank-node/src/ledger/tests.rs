//! Ledger rules as tables, the double-spend rule against a bitmap, and an audit that finds what is wrong.

use super::account::Unposted;
use super::books::{Books, Line};
use super::outstanding::{Neighbours, clashes};
use super::*;
use crate::desk::tests::{Bank, NOON, units};
use proptest::prelude::*;
use protocol::id::Digest;
use protocol::range::Range;
use std::collections::BTreeMap;

fn account(kind: AccountKind, debits: u128, credits: u128) -> Account {
    Account { debits, credits, ..Account::new(AccountNumber(7), kind, "x", NOON) }
}

/// Debit and credit on both kinds of account; nothing falls below zero, nothing leaves 2^53.
#[test]
fn postings_as_a_table() {
    let shop = AccountKind::Customer(CustomerKind::Shop);
    let max = u128::from(units((1 << 53) - 1).get());
    let too_little = |balance| Err(Unposted::Insufficient { balance: units(balance) });
    type Case = (AccountKind, (u128, u128), (u64, u64), Result<u64, Unposted>);
    // kind, (debits, credits) before, (debited, credited), balance after
    let table: [Case; 10] = [
        (shop, (0, 0), (0, 5), Ok(5)),
        (shop, (3, 8), (5, 0), Ok(0)),
        (shop, (3, 8), (6, 0), too_little(5)),
        (shop, (0, max), (0, 1), Err(Unposted::TooMuch)),
        (shop, (1 << 80, (1 << 80) + 4), (4, 0), Ok(0)),
        (AccountKind::Outstanding, (3, 8), (6, 0), too_little(5)),
        (AccountKind::Cash, (0, 0), (5, 0), Ok(5)),
        (AccountKind::Cash, (8, 3), (0, 6), too_little(5)),
        (AccountKind::Cash, (max, 0), (1, 0), Err(Unposted::TooMuch)),
        (AccountKind::Cash, (8, 3), (0, 5), Ok(0)),
    ];
    for (kind, (debits, credits), (debited, credited), expected) in table {
        let before = account(kind, debits, credits);
        let after = before.debited(units(debited)).and_then(|a| a.credited(units(credited)));
        assert_eq!(after.map(|a| a.balance().get()), expected, "{kind:?} {debits}/{credits}");
    }
}

/// A model of one root: which units are redeemed, and by which interval.
#[derive(Default)]
struct Model(BTreeMap<u64, Range>);

impl Neighbours for Model {
    type Interval = Range;

    fn last_before(&self, _: u64, below: u64) -> Result<Option<(Range, Range)>, Fault> {
        Ok(self.0.range(..below).next_back().map(|(_, range)| (*range, *range)))
    }
}

proptest! {
    /// N14: an interval is taken exactly if none of its units was taken before, and the winners shown are
    /// exactly those that share units with it.
    #[test]
    fn the_double_spend_rule_against_a_bitmap(
        asked in prop::collection::vec((0..64usize, 1..16usize), 1..60)
    ) {
        let mut model = Model::default();
        let mut bitmap = [false; 80];
        for (start, length) in asked {
            let units = start..start + length;
            let range = Range::new(units.start as u64, units.end as u64).unwrap();
            let free = !bitmap[units.clone()].contains(&true);
            let found = clashes(&model, 1, range, 100).unwrap();
            prop_assert_eq!(found.is_empty(), free);
            let mut sharing: Vec<Range> = model.0.values().copied().filter(|r| r.overlaps(range)).collect();
            sharing.reverse();
            prop_assert_eq!(&found, &sharing);
            prop_assert_eq!(clashes(&model, 1, range, 1).unwrap().len(), usize::from(!free));
            if free {
                model.0.insert(range.start(), range);
                bitmap[units].fill(true);
            }
        }
    }
}

/// Books with a bit of everything.
fn a_bank() -> Bank {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    let note = bank.note(&alice, 100);
    bank.ask(bank.deposit(&alice, &[&note.part(10, 30)]));
    assert!(bank.audit().ok);
    bank
}

/// M1: whatever is changed behind the desk's back, the audit names the rule.
#[test]
fn the_audit_finds_what_is_wrong() {
    type Tx<'t> = <crate::store::Ledger<crate::store::Memory> as Books>::Tx<'t>;
    type Damage = fn(&mut Tx<'_>) -> Result<(), Fault>;
    let table: [(&str, Damage); 9] = [
        ("account_totals", |tx| {
            let mut account = tx.account(FIRST_CUSTOMER)?.unwrap();
            account.credits += 1;
            tx.keep_account(&account)
        }),
        ("debits_credits", |tx| {
            let mut account = tx.account(CASH)?.unwrap();
            account.debits += 1;
            tx.keep_account(&account)
        }),
        ("account_below_zero", |tx| {
            let mut account = tx.account(FIRST_CUSTOMER)?.unwrap();
            account.debits += 1 << 60;
            tx.keep_account(&account)
        }),
        ("redeemed_twice", |tx| {
            let mut redeemed = tx.redeemed_before(1, 100)?.unwrap();
            redeemed.range = Range::new(29, 31).unwrap();
            tx.keep_redeemed(&redeemed)
        }),
        ("outside_root", |tx| {
            let mut redeemed = tx.redeemed_before(1, 100)?.unwrap();
            redeemed.range = Range::new(90, 101).unwrap();
            tx.keep_redeemed(&redeemed)
        }),
        ("serial_gap", |tx| {
            let mut issued = tx.issued(1)?.unwrap();
            let mut root = issued.root.unverified().clone();
            root.serial = 3;
            issued.root = protocol::sign::Signer::from_secret(&[1; 32]).sign(root);
            tx.keep_issued(&issued)
        }),
        ("journal_gap", |tx| {
            let mut entry = tx.entries_after(1, 1)?.remove(0);
            entry.number = 99;
            tx.keep_entry(&entry)
        }),
        ("answer_missing", |tx| {
            let mut entry = tx.entries_after(1, 1)?.remove(0);
            entry.asked = Asked::Operator("never".to_owned());
            tx.keep_entry(&entry)
        }),
        ("directory_head", |tx| {
            let line = tx.directory_after(0, 1)?.remove(0);
            tx.keep_line(&Line { head: Digest([1; 32]), ..line })
        }),
    ];
    for (rule, damage) in table {
        let bank = a_bank();
        bank.ledger.in_one_commit(damage).unwrap();
        let audit = bank.audit();
        assert!(!audit.ok && audit.broken > 0);
        let rules: Vec<&str> = audit.findings.iter().map(|finding| finding.rule.as_str()).collect();
        assert!(rules.contains(&rule), "{rule} is not among {rules:?}");
    }
}
