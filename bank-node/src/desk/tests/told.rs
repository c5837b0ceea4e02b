//! What the bank tells everybody (SPEC §4.14).

use super::*;
use crate::keys::replacement;
use crate::ledger::bulletin::DayRoots;
use protocol::bank::merkle::leads_to;
use protocol::bank::{Bulletin, DirectoryEntry};
use protocol::key::bank::Usage;
use protocol::time::{DAY_SECONDS, Day};
use protocol::wire::{BulletinPage, EPOCHS_MAX};

impl<S: Store> Bank<S> {
    fn makes_known(&self) -> Bulletin {
        let day = Day(self.now.get().day().0 - 1);
        let roots = DayRoots::of(&self.ledger.snapshot().unwrap(), day).unwrap();
        let made = self.ledger.in_one_commit(|tx| self.desk().state(tx, (day, roots.top())));
        made.unwrap().unwrap().unverified().clone()
    }

    fn told(&self, after: u64) -> BulletinPage {
        match self.ask(BankAsk::Bulletins(after)) {
            BankAnswer::Bulletins(page) => *page,
            other => panic!("a page: {other:?}"),
        }
    }
}

/// Y9: each root of the day that is over has a way to the digest in the bulletin; roots of other days have none.
#[test]
fn a_bulletin_commits_to_the_roots_of_the_day_that_is_over() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    for amount in 1..=7 {
        bank.note(&alice, amount);
    }
    bank.now.set(NOON.plus_seconds(DAY_SECONDS));
    for amount in 8..=10 {
        bank.note(&alice, amount);
    }
    bank.now.set(NOON.plus_seconds(2 * DAY_SECONDS));
    bank.note(&alice, 11);
    let view = bank.ledger.snapshot().unwrap();
    for (day, serials) in [(0, 1..=7), (1, 8..=10)] {
        let roots = DayRoots::of(&view, NOON.day().plus_days(day)).unwrap();
        for serial in 1..=11u64 {
            let root = view.issued(serial).unwrap().unwrap().root.digest();
            let found = roots.path(serial).is_some_and(|path| leads_to(&root, &path, &roots.top()));
            assert_eq!(found, serials.contains(&serial), "day {day}, root {serial}");
        }
    }
    let told = bank.makes_known();
    assert_eq!(told.day, NOON.day().plus_days(1));
    assert_eq!(told.roots, DayRoots::of(&view, told.day).unwrap().top());
    assert_eq!(DayRoots::of(&view, NOON.day().plus_days(9)).unwrap().top(), Digest::default());
}

/// X4: what is being reclaimed is listed until it is closed.
#[test]
fn reclaimed_keys_are_listed_while_the_reclaim_is_open() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    let note = bank.note(&alice, 100);
    let part = note.part(10, 40);
    let ask = bank.reclaim(&alice, &[&part]);
    bank.reclaimed(&ask);
    let [listed] = bank.makes_known().reclaimed.try_into().unwrap();
    let root = bank.ledger.snapshot().unwrap().issued(1).unwrap().unwrap().root.digest();
    assert_eq!((listed.root, listed.tip), (root, root), "the key that the root names");
    assert_eq!((listed.range.start(), listed.range.end()), (10, 40));
    bank.later(7 * 86_400);
    assert_eq!(bank.makes_known().reclaimed, []);
}

/// Y6: pages go on where one is, and somebody who knows more than there is hears so.
#[test]
fn bulletins_come_in_pages() {
    let bank = Bank::new();
    assert_eq!(bank.told(0).bulletins, []);
    for _ in 0..10 {
        bank.makes_known();
    }
    let numbers = |after| -> Vec<u64> {
        bank.told(after).bulletins.iter().map(|bulletin| bulletin.unverified().number).collect()
    };
    assert_eq!(numbers(0), (1..=8).collect::<Vec<_>>());
    assert_eq!(numbers(8), [9, 10]);
    assert_eq!(numbers(10), [] as [u64; 0]);
    assert_eq!(numbers(11), [10], "older than what he has");
}

/// H3: another issue key of the same day, and everybody certified anew by another attest key.
#[test]
fn revoked_keys_are_replaced_at_once() {
    let mut bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    bank.note(&alice, 10);
    let master = MasterKey::from_secret([7; 32]);
    let mut n = 5_000_000;
    let mut chance = || {
        n += 1;
        secret_of(n)
    };
    let today = NOON.day();
    let (epoch, stolen) = bank.keys.issue_on(today).map(|(epoch, signer)| (epoch, signer.key())).unwrap();
    let next = bank.keys.next_epoch(today).unwrap();
    assert_ne!(next, epoch);
    let issue = replacement(&master, Usage::Issue, next, today, &mut chance);
    let attest = replacement(&master, Usage::Attest, 0, today, &mut chance);
    let old = bank.keys.attest.key();
    for made in [&issue, &attest] {
        bank.keys.public.learn(made.certificate.clone()).unwrap();
    }
    bank.keys.issue.insert(next, Signer::from_secret(&issue.secret));
    bank.keys.attest = Signer::from_secret(&attest.secret);
    bank.keys.public.revoke(master.revoke(Usage::Issue, stolen, today)).unwrap();
    bank.keys.public.revoke(master.revoke(Usage::Attest, old, today)).unwrap();
    assert_eq!(bank.keys.issue_on(today).unwrap().0, next);
    assert!(bank.keys.is_certified(today) && bank.keys.days_left(today) == 31);

    let lines = bank.ledger.snapshot().unwrap().directory_head().unwrap().0;
    for _ in 0..2 {
        let last = bank.ledger.in_one_commit(|tx| bank.desk().renew_certificates(tx, AccountNumber(0)));
        let last = last.unwrap().unwrap();
        let end = bank.ledger.in_one_commit(|tx| bank.desk().renew_certificates(tx, last));
        assert_eq!(end.unwrap(), None);
        let line = bank.ledger.snapshot().unwrap().directory_after(lines, 9).unwrap();
        let [line] = line.try_into().unwrap();
        assert!(
            matches!(&line.entry, DirectoryEntry::Certificate(c) if c.check_by(&bank.keys.attest.key()).is_ok())
        );
    }
    let root = bank.note(&alice, 20);
    assert_eq!(root.note.root.unverified().epoch, next);
    assert_eq!(bank.told(0).revoked.len(), 2);
    let audit = bank.audit();
    assert!(audit.ok, "{:?}", audit.findings);
}

/// B6: the lists leave out old issue keys; whoever has old roots asks by their epoch, and gets what there is: not the
/// keys of days to come, nothing for an epoch that never was, and no endless answer.
#[test]
fn old_issue_keys_are_shown_to_who_asks() {
    let bank = Bank::new();
    let first = NOON.day().0;
    let asked = |epochs: Vec<u32>| match bank.ask(BankAsk::IssueKeys(epochs)) {
        BankAnswer::IssueKeys(keys) => keys.iter().map(|key| key.unverified().epoch).collect::<Vec<u32>>(),
        other => panic!("keys: {other:?}"),
    };
    assert_eq!(asked(vec![first, first + 1, first + 2, 1]), [first, first + 1]);
    bank.now.set(NOON.plus_seconds(80 * DAY_SECONDS));
    let listed = bank.told(0).keys.into_iter().any(|key| key.unverified().epoch == first);
    assert!(!listed, "no list names it any more");
    assert_eq!(asked(vec![first]), [first]);
    assert_eq!(asked(Vec::new()), [0u32; 0]);
    let many = (0..=u32::try_from(EPOCHS_MAX).unwrap()).collect();
    assert_eq!(bank.ask(BankAsk::IssueKeys(many)), BankAnswer::Error(ErrorCode::TooMany));
}
