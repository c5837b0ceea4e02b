//! The part of the audit that is about shops: what holds and leases say is what the bank keeps for them, each rent was paid
//! once, sweeps have no gaps and their lists add up (SPEC §4.9, §4.16 to §4.18).

use super::account::{Account, AccountNumber};
use super::audit::Finding;
use super::books::{Fault, View};
use super::holds::Held;
use super::posting::Entry;
use super::tenure::Tenure;
use protocol::money::Units;
use protocol::wire::{SalesList, decode, sales_digest};
use std::collections::BTreeMap;

/// Records read at a time.
const PAGE: usize = 256;

/// How many holds of an account are open: of its own money, and for it.
type Open = (u32, u32);

/// What the accounts say, to be compared with the records.
#[derive(Default)]
pub(super) struct ShopAudit {
    said: BTreeMap<AccountNumber, Open>,
    /// Rent that the journal took from each account.
    rents: BTreeMap<AccountNumber, u128>,
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) findings: Vec<Finding>,
    pub(super) holds: u64,
    pub(super) leases: u64,
    pub(super) sweeps: u64,
}

impl Found {
    fn add(&mut self, rule: &str, what: String) {
        self.findings.push(Finding { rule: rule.to_owned(), what });
    }
}

impl ShopAudit {
    pub(super) fn rent(&mut self, entry: &Entry) {
        if let Some(account) = entry.account {
            *self.rents.entry(account).or_default() += u128::from(entry.units.get());
        }
    }

    pub(super) fn account(&mut self, account: &Account) {
        let open = (account.member.holds, account.member.held_for);
        if open != (0, 0) {
            self.said.insert(account.number, open);
        }
    }

    /// Broken rules, and how many records there are.
    pub(super) fn compare(mut self, view: &impl View, held: u128, deposits: u128) -> Result<Found, Fault> {
        let mut found = Found::default();
        self.holds(view, held, &mut found)?;
        let cautions = tenures(view, &self.rents, &mut found)?;
        if cautions != deposits {
            found.add(
                "deposits",
                format!("leases have {cautions} of caution, and {deposits} are kept for them"),
            );
        }
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

fn tenures(
    view: &impl View,
    rents: &BTreeMap<AccountNumber, u128>,
    found: &mut Found,
) -> Result<u128, Fault> {
    let (mut last, mut cautions) = (AccountNumber(0), 0);
    let mut rents = rents.clone();
    loop {
        let page = view.tenures_after(last, PAGE)?;
        let Some(end) = page.last() else { break };
        last = end.shop;
        for tenure in page {
            let shop = tenure.shop;
            if let Some(lease) = &tenure.lease {
                found.leases += 1;
                cautions += u128::from(lease.caution.get());
            }
            let paid = rents.remove(&shop).unwrap_or_default();
            let owed: u128 = tenure.arrears.iter().map(|arrear| u128::from(arrear.units.get())).sum();
            if tenure.paid != paid || tenure.due != paid + owed {
                let what =
                    format!("shop {shop} owed {} of rent and paid {paid}: {owed} are arrears", tenure.due);
                found.add("rent", what);
            }
            sweeps(view, &tenure, found)?;
        }
    }
    if !rents.is_empty() {
        found.add("rent", format!("accounts paid rent for no lease: {rents:?}"));
    }
    Ok(cautions)
}

fn sweeps(view: &impl View, tenure: &Tenure, found: &mut Found) -> Result<(), Fault> {
    let (shop, mut last) = (tenure.shop, 0);
    loop {
        let page = view.sweeps_after(shop, last, PAGE)?;
        if page.is_empty() {
            break;
        }
        for swept in page {
            let sweep = swept.asked.unverified();
            if sweep.number != last + 1 {
                found.add("sweep_gap", format!("sweep {} of shop {shop} follows sweep {last}", sweep.number));
            }
            last = sweep.number;
            let bytes = view.sales_of(&swept)?;
            let list = decode::<SalesList>(&bytes);
            let sum = list.ok().and_then(|list| list.units().ok());
            if sales_digest(&bytes) != sweep.list || sum != Some(sweep.units) {
                found.add("sweep_list", format!("the list of sweep {last} of shop {shop} is another one"));
            }
            found.sweeps += 1;
        }
    }
    if last != tenure.sweeps {
        found
            .add("sweep_gap", format!("shop {shop} has swept {} times, and {last} are there", tenure.sweeps));
    }
    Ok(())
}
