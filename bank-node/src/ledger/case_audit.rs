//! The part of the audit that is about reclaims and cases: what they say is what the journal moved (SPEC §4.9).

use super::account::{Account, AccountNumber, GUARANTEE};
use super::audit::Finding;
use super::books::{Fault, View};
use super::cases::{Case, Debt, Stage};
use super::posting::Entry;
use std::collections::BTreeMap;

/// Records read at a time.
const PAGE: usize = 256;

/// What an account has to do with cases and reclaims.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Part {
    /// Taken from it by cases.
    charged: u128,
    /// Brought to it by cases.
    recovered: u128,
    /// Paid by the guarantee in its stead, and not recovered.
    guaranteed: u128,
    /// Its open reclaims.
    reclaims: u32,
    /// Its claims' open cases.
    claims: u32,
}

/// What journal and accounts say, to be compared with the cases.
#[derive(Default)]
pub(super) struct CaseAudit {
    said: BTreeMap<AccountNumber, Part>,
}

fn units(units: protocol::money::Units) -> u128 {
    u128::from(units.get())
}

impl CaseAudit {
    pub(super) fn charged(&mut self, entry: &Entry) {
        if let Some(account) = entry.account {
            self.said.entry(account).or_default().charged += units(entry.units);
        }
    }

    pub(super) fn recovered(&mut self, entry: &Entry) {
        if let Some(account) = entry.account {
            self.said.entry(account).or_default().recovered += units(entry.units);
        }
    }

    pub(super) fn account(&mut self, account: &Account) {
        let part = self.said.entry(account.number).or_default();
        part.guaranteed = units(account.member.guaranteed);
        part.reclaims = account.member.reclaims;
        part.claims = account.member.claims;
    }

    /// Broken rules, and how many reclaims and cases there are.
    pub(super) fn compare(mut self, view: &impl View) -> Result<(Vec<Finding>, u64, u64), Fault> {
        let mut found = Vec::new();
        let mut seen: BTreeMap<AccountNumber, Part> = BTreeMap::new();
        let reclaims = reclaims(view, &mut seen, &mut found)?;
        let cases = cases(view, &mut seen, &mut found)?;
        let accounts: Vec<AccountNumber> = self.said.keys().chain(seen.keys()).copied().collect();
        for account in accounts {
            let said = self.said.remove(&account).unwrap_or_default();
            let made = seen.remove(&account).unwrap_or_default();
            if said != made {
                let what = format!("account {account}: cases and reclaims make {made:?}, the books say {said:?}");
                found.push(Finding { rule: "cases".to_owned(), what });
            }
        }
        Ok((found, reclaims, cases))
    }
}

fn gap(found: &mut Vec<Finding>, what: &str, last: u64, number: u64) {
    if number != last + 1 {
        let what = format!("{what} {number} follows {what} {last}");
        found.push(Finding { rule: "case_gap".to_owned(), what });
    }
}

fn reclaims(
    view: &impl View,
    seen: &mut BTreeMap<AccountNumber, Part>,
    found: &mut Vec<Finding>,
) -> Result<u64, Fault> {
    let mut last = 0;
    loop {
        let page = view.reclaims_after(last, PAGE)?;
        if page.is_empty() {
            return Ok(last);
        }
        for filed in page {
            gap(found, "reclaim", last, filed.number);
            last = filed.number;
            seen.entry(filed.account).or_default().reclaims += u32::from(filed.is_open());
        }
    }
}

fn cases(
    view: &impl View,
    seen: &mut BTreeMap<AccountNumber, Part>,
    found: &mut Vec<Finding>,
) -> Result<u64, Fault> {
    let mut last = 0;
    loop {
        let page = view.cases_after(last, PAGE)?;
        if page.is_empty() {
            return Ok(last);
        }
        for case in page {
            gap(found, "case", last, case.number);
            last = case.number;
            seen.entry(case.account).or_default().claims += u32::from(case.is_open());
            if let Stage::Judged(debt) = &case.stage {
                book(seen, &case, debt);
                if debt.to_claimant > debt.units || debt.from_liable > debt.units || debt.units != case.range.units() {
                    let what = format!("case {last} has moved more than its units");
                    found.push(Finding { rule: "case_sums".to_owned(), what });
                }
            }
        }
    }
}

fn book(seen: &mut BTreeMap<AccountNumber, Part>, case: &Case, debt: &Debt) {
    let liable = seen.entry(debt.liable).or_default();
    liable.charged += units(debt.from_liable);
    liable.guaranteed += units(debt.guaranteed());
    seen.entry(case.account).or_default().recovered += units(debt.to_claimant);
    if let Some(bearer) = debt.bearer {
        let bearer = seen.entry(bearer).or_default();
        bearer.charged += units(debt.from_bearer);
        bearer.recovered += units(debt.to_bearer);
    }
    let back = units(debt.from_guarantee).saturating_sub(units(debt.guaranteed()));
    let guarantee = seen.entry(GUARANTEE).or_default();
    guarantee.charged += units(debt.from_guarantee);
    guarantee.recovered += back;
}
