//! The part of the audit that is about shops: what holds say is what the bank keeps for them (SPEC §4.9, §4.16).

use super::account::{Account, AccountNumber};
use super::audit::Finding;
use super::books::{Fault, View};
use super::holds::Held;
use protocol::money::Units;
use std::collections::BTreeMap;

/// Records read at a time.
const PAGE: usize = 256;

/// How many holds of an account are open: of its own money, and for it.
type Open = (u32, u32);

/// What the accounts say, to be compared with the records.
#[derive(Default)]
pub(super) struct ShopAudit {
    said: BTreeMap<AccountNumber, Open>,
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) findings: Vec<Finding>,
    pub(super) holds: u64,
}

impl Found {
    fn add(&mut self, rule: &str, what: String) {
        self.findings.push(Finding { rule: rule.to_owned(), what });
    }
}

impl ShopAudit {
    pub(super) fn account(&mut self, account: &Account) {
        let open = (account.member.holds, account.member.held_for);
        if open != (0, 0) {
            self.said.insert(account.number, open);
        }
    }

    /// Broken rules, and how many records there are.
    pub(super) fn compare(mut self, view: &impl View, held: u128) -> Result<Found, Fault> {
        let mut found = Found::default();
        self.holds(view, held, &mut found)?;
        Ok(found)
    }

    fn holds(&mut self, view: &impl View, balance: u128, found: &mut Found) -> Result<(), Fault> {
        let (mut last, mut kept) = (0, 0);
        let mut open: BTreeMap<AccountNumber, Open> = BTreeMap::new();
        loop {
            let page = view.holds_after(last, PAGE)?;
            if page.is_empty() {
                break;
            }
            for held in page {
                if held.number != last + 1 {
                    found.add("hold_gap", format!("hold {} follows hold {last}", held.number));
                }
                last = held.number;
                kept += u128::from(held.left.get());
                if held.is_open() {
                    open.entry(held.buyer).or_default().0 += 1;
                    open.entry(held.shop).or_default().1 += 1;
                }
                if !adds_up(&held) {
                    found.add("hold_sums", format!("hold {last} has moved another sum than its units"));
                }
            }
        }
        found.holds = last;
        if kept != balance {
            found.add("held", format!("holds have {kept} left, and {balance} are kept for them"));
        }
        let said = std::mem::take(&mut self.said);
        if said != open {
            found.add("holds_open", format!("accounts say {said:?} of open holds, which are {open:?}"));
        }
        Ok(())
    }
}

fn adds_up(held: &Held) -> bool {
    let sum = Units::sum([held.left, held.released, held.returned]);
    sum == Ok(held.terms().units) && held.is_open() != held.left.is_zero()
}
