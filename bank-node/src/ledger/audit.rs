//! Every invariant, recomputed from the records (SPEC §4.9).
//!
//! Reads in pages and keeps only totals, so that it can run beside the open bank on a snapshot.

use super::account::{Account, AccountKind, AccountNumber};
use super::books::{Fault, View};
use super::case_audit::CaseAudit;
use super::outstanding::{Issued, Redeemed};
use super::posting::{Entry, EntryKind};
use super::shop_audit::ShopAudit;
use protocol::bank::{DirectoryEntry, Standing, next_head};
use protocol::id::{Digest, Key};
use protocol::money::Units;
use protocol::note::Destination;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Records read at a time.
const PAGE: usize = 512;
/// Findings listed; beyond them only the count grows.
const FINDINGS_MAX: usize = 100;

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Which rule: a word for programs.
    pub rule: String,
    /// What is wrong.
    pub what: String,
}

/// What the audit saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Audit {
    /// Whether every invariant holds.
    pub ok: bool,
    /// Journal entries.
    pub entries: u64,
    /// Accounts of customers.
    pub accounts: u64,
    /// Money in cash: what was paid in and not paid out.
    pub cash: Units,
    /// Money on customers' accounts.
    pub on_accounts: Units,
    /// Money set aside to pay claims.
    pub guarantee: Units,
    /// Money out in notes.
    pub outstanding: Units,
    /// Roots issued.
    pub roots: u64,
    /// Intervals redeemed.
    pub intervals: u64,
    /// Directory lines.
    pub lines: u64,
    /// Reclaims filed.
    pub reclaims: u64,
    /// Cases filed.
    pub cases: u64,
    /// Money kept for orders.
    pub held: Units,
    /// Money kept as caution.
    pub deposits: Units,
    /// Holds asked for.
    pub holds: u64,
    /// Shops that are leased.
    pub leases: u64,
    /// Sweeps of takings.
    pub sweeps: u64,
    /// How many invariants are broken.
    pub broken: u64,
    /// The first of them.
    pub findings: Vec<Finding>,
}

/// Recomputes everything.
pub fn audit(view: &impl View) -> Result<Audit, Fault> {
    let mut auditor = Auditor::default();
    auditor.journal(view)?;
    auditor.accounts(view)?;
    auditor.notes(view)?;
    auditor.directory(view)?;
    auditor.reclaims_and_cases(view)?;
    auditor.shops(view)?;
    auditor.sums();
    let mut audit = auditor.audit;
    audit.ok = audit.broken == 0;
    Ok(audit)
}

/// Totals on both sides of an account.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Totals {
    debits: u128,
    credits: u128,
}

#[derive(Default)]
struct Auditor {
    audit: Audit,
    /// What the journal says about each account.
    posted: BTreeMap<AccountNumber, Totals>,
    issued: u128,
    redeemed: u128,
    in_roots: u128,
    in_intervals: u128,
    balance_cash: u128,
    balance_outstanding: u128,
    balance_customers: u128,
    balance_guarantee: u128,
    balance_held: u128,
    balance_deposits: u128,
    cases: CaseAudit,
    shops: ShopAudit,
    /// What the accounts say about their holders: owner, standing, certificate line, identity.
    members: BTreeMap<Key, Member>,
}

struct Member {
    standing: Standing,
    certificate: u64,
    identity: (u32, u64),
}

impl Auditor {
    fn find(&mut self, rule: &str, what: String) {
        self.audit.broken += 1;
        if self.audit.findings.len() < FINDINGS_MAX {
            self.audit.findings.push(Finding { rule: rule.to_owned(), what });
        }
    }

    fn demand(&mut self, holds: bool, rule: &str, what: impl FnOnce() -> String) {
        if !holds {
            self.find(rule, what());
        }
    }

    fn journal(&mut self, view: &impl View) -> Result<(), Fault> {
        let mut last = 0;
        loop {
            let page = view.entries_after(last, PAGE)?;
            if page.is_empty() {
                break;
            }
            for entry in page {
                self.demand(entry.number == last + 1, "journal_gap", || {
                    format!("entry {} follows entry {last}", entry.number)
                });
                last = entry.number;
                self.entry(view, &entry)?;
            }
        }
        self.audit.entries = last;
        Ok(())
    }

    fn entry(&mut self, view: &impl View, entry: &Entry) -> Result<(), Fault> {
        let answer = view.answer_to(&entry.asked)?;
        let kept = answer.is_some_and(|answer| answer.entry == Some(entry.number));
        self.demand(kept, "answer_missing", || format!("entry {} has no stored answer", entry.number));
        let units = u128::from(entry.units.get());
        match entry.kind {
            EntryKind::Withdraw => self.issued += units,
            EntryKind::Deposit | EntryKind::Reclaim => self.redeemed += units,
            EntryKind::Reissue => {
                self.issued += units;
                self.redeemed += units;
            }
            EntryKind::Open
            | EntryKind::Activate
            | EntryKind::PayIn
            | EntryKind::PayOut
            | EntryKind::Decline
            | EntryKind::Clash
            | EntryKind::Suspend
            | EntryKind::Reinstate
            | EntryKind::Letter
            | EntryKind::ReclaimFiled
            | EntryKind::Contest
            | EntryKind::Claim
            | EntryKind::Heard
            | EntryKind::Judged
            | EntryKind::Dismissed
            | EntryKind::GuaranteeIn
            | EntryKind::Proposal
            | EntryKind::OperatorAdded
            | EntryKind::OperatorEnded
            | EntryKind::Hold
            | EntryKind::HoldDispute
            | EntryKind::HoldCode
            | EntryKind::HoldRelease
            | EntryKind::HoldReturn
            | EntryKind::HoldProposal
            | EntryKind::HoldDecision
            | EntryKind::Lease
            | EntryKind::CautionBack
            | EntryKind::CautionKept
            | EntryKind::HandOver
            | EntryKind::Own
            | EntryKind::EndLease
            | EntryKind::RentIn
            | EntryKind::SweepOut
            | EntryKind::SweepIn => {}
            EntryKind::RentOut => self.shops.rent(entry),
            EntryKind::Charge => self.cases.charged(entry),
            EntryKind::Recovery => self.cases.recovered(entry),
        }
        if let Some(posting) = entry.posting {
            let units = u128::from(posting.units.get());
            self.posted.entry(posting.debit).or_default().debits += units;
            self.posted.entry(posting.credit).or_default().credits += units;
        }
        Ok(())
    }

    fn accounts(&mut self, view: &impl View) -> Result<(), Fault> {
        let mut last = AccountNumber(0);
        loop {
            let page = view.accounts_after(last, PAGE)?;
            let Some(end) = page.last().map(|account| account.number) else { break };
            for account in page {
                self.account(view, &account)?;
            }
            last = end;
        }
        let unknown: Vec<AccountNumber> = self.posted.keys().copied().collect();
        for number in unknown {
            self.find(
                "account_missing",
                format!("the journal posts to account {number}, which is not there"),
            );
        }
        Ok(())
    }

    fn account(&mut self, view: &impl View, account: &Account) -> Result<(), Fault> {
        let totals = Totals { debits: account.debits, credits: account.credits };
        let posted = self.posted.remove(&account.number).unwrap_or_default();
        self.demand(totals == posted, "account_totals", || {
            format!("account {} shows other totals than its postings", account.number)
        });
        self.demand(account.checked_balance().is_some(), "account_below_zero", || {
            format!("account {} is below zero", account.number)
        });
        let balance = u128::from(account.balance().get());
        match account.kind {
            AccountKind::Cash => self.balance_cash += balance,
            AccountKind::Outstanding => self.balance_outstanding += balance,
            AccountKind::Guarantee => self.balance_guarantee += balance,
            AccountKind::Held => self.balance_held += balance,
            AccountKind::Deposits => self.balance_deposits += balance,
            AccountKind::Customer(_) => {
                self.audit.accounts += 1;
                self.balance_customers += balance;
                self.cases.account(account);
                self.shops.account(account);
            }
        }
        if let Some(owner) = account.member.owner {
            let found = view.account_of(&owner)?.map(|found| found.number);
            self.demand(found == Some(account.number), "owner_index", || {
                format!("account {} is not found by its owner", account.number)
            });
            let member = &account.member;
            let (certificate, identity) = (member.certificate, member.identity);
            self.members.insert(owner, Member { standing: account.standing(), certificate, identity });
        }
        Ok(())
    }

    fn notes(&mut self, view: &impl View) -> Result<(), Fault> {
        let mut last = 0;
        loop {
            let page = view.issued_after(last, PAGE)?;
            if page.is_empty() {
                break;
            }
            for issued in page {
                self.demand(issued.serial() == last + 1, "serial_gap", || {
                    format!("root {} follows root {last}", issued.serial())
                });
                last = issued.serial();
                self.in_roots += u128::from(issued.root.unverified().units.get());
            }
        }
        self.audit.roots = last;
        self.intervals(view)
    }

    fn intervals(&mut self, view: &impl View) -> Result<(), Fault> {
        let (mut serial, mut start) = (0, 0);
        let mut before: Option<Redeemed> = None;
        let mut root: Option<Issued> = None;
        loop {
            let page = view.redeemed_from(serial, start, PAGE)?;
            let Some(end) = page.last() else { break };
            (serial, start) = (end.serial, end.range.start() + 1);
            for redeemed in page {
                if root.as_ref().map(Issued::serial) != Some(redeemed.serial) {
                    root = view.issued(redeemed.serial)?;
                }
                self.interval(before.as_ref(), root.as_ref(), &redeemed);
                before = Some(redeemed);
            }
        }
        Ok(())
    }

    fn interval(&mut self, before: Option<&Redeemed>, root: Option<&Issued>, redeemed: &Redeemed) {
        let place = || format!("units {} of root {}", redeemed.range, redeemed.serial);
        self.audit.intervals += 1;
        self.in_intervals += u128::from(redeemed.range.units().get());
        let overlaps =
            before.is_some_and(|b| b.serial == redeemed.serial && b.range.end() > redeemed.range.start());
        self.demand(!overlaps, "redeemed_twice", || format!("{} were redeemed twice", place()));
        let Some(root) = root else {
            return self.find("root_missing", format!("{} were redeemed, the root is not there", place()));
        };
        let inside = root.root.unverified().range().contains(redeemed.range);
        self.demand(inside, "outside_root", || format!("{} lie outside the root", place()));
        let chain = redeemed.note(&root.root).holding();
        // A part of what a reclaim asks for may have been somebody else's: what came back is inside its chain's range.
        let proof = chain.is_ok_and(|holding| match holding.to {
            Destination::Reclaim(_) => holding.range.contains(redeemed.range),
            Destination::Redeem(_) | Destination::Key(_) => holding.range == redeemed.range,
        });
        self.demand(proof, "chain_missing", || format!("{} have no chain as proof", place()));
    }

    fn directory(&mut self, view: &impl View) -> Result<(), Fault> {
        let (mut last, mut head) = (0, Digest::default());
        loop {
            let page = view.directory_after(last, PAGE)?;
            if page.is_empty() {
                break;
            }
            for line in page {
                self.demand(line.number == last + 1, "directory_gap", || {
                    format!("directory line {} follows line {last}", line.number)
                });
                last = line.number;
                head = next_head(&head, &line.entry);
                self.demand(head == line.head, "directory_head", || {
                    format!("the running digest is wrong from directory line {last} on")
                });
                self.line(last, &line.entry);
            }
        }
        self.audit.lines = last;
        self.demand(view.directory_head()? == (last, head), "directory_head", || {
            "the directory's head is not that of its lines".to_owned()
        });
        let unseen: Vec<String> =
            self.members.values().filter(|m| m.certificate != 0).map(|m| m.certificate.to_string()).collect();
        self.demand(unseen.is_empty(), "certificate_missing", || {
            format!("accounts name certificates that are not in the directory: {}", unseen.join(", "))
        });
        Ok(())
    }

    /// Ticks off what an account says against the line that proves it.
    fn line(&mut self, number: u64, entry: &DirectoryEntry) {
        match entry {
            DirectoryEntry::Certificate(certificate) => {
                let certificate = certificate.unverified();
                let Some(member) = self.members.get_mut(&certificate.owner) else {
                    return self.find("stranger", format!("directory line {number} certifies a stranger"));
                };
                let agrees = certificate.standing == member.standing || number < member.certificate;
                if number == member.certificate {
                    member.certificate = 0;
                }
                self.demand(agrees, "standing", || {
                    format!("directory line {number} states another standing than the account")
                });
            }
            DirectoryEntry::Identity(identity) => {
                let identity = identity.unverified();
                let known = self.members.get(&identity.owner).map(|member| member.identity);
                let older = known.is_some_and(|mark| (identity.generation, identity.sequence) <= mark);
                self.demand(older, "identity", || {
                    format!("directory line {number} is newer than the account knows")
                });
            }
        }
    }

    fn reclaims_and_cases(&mut self, view: &impl View) -> Result<(), Fault> {
        let (found, reclaims, cases) = std::mem::take(&mut self.cases).compare(view)?;
        (self.audit.reclaims, self.audit.cases) = (reclaims, cases);
        for Finding { rule, what } in found {
            self.find(&rule, what);
        }
        Ok(())
    }

    fn shops(&mut self, view: &impl View) -> Result<(), Fault> {
        let found =
            std::mem::take(&mut self.shops).compare(view, self.balance_held, self.balance_deposits)?;
        (self.audit.holds, self.audit.leases, self.audit.sweeps) = (found.holds, found.leases, found.sweeps);
        for Finding { rule, what } in found.findings {
            self.find(&rule, what);
        }
        Ok(())
    }

    fn sums(&mut self) {
        let owed = self.issued.checked_sub(self.redeemed);
        let in_notes = self.in_roots.checked_sub(self.in_intervals);
        let outstanding = self.balance_outstanding;
        self.demand(owed == Some(outstanding), "outstanding_journal", || {
            format!("outstanding is {outstanding}, issued less redeemed is {owed:?}")
        });
        self.demand(in_notes == Some(outstanding), "outstanding_register", || {
            format!("outstanding is {outstanding}, roots less intervals are {in_notes:?}")
        });
        let (cash, customers) = (self.balance_cash, self.balance_customers);
        let (guarantee, held, deposits) = (self.balance_guarantee, self.balance_held, self.balance_deposits);
        let owed = outstanding + customers + guarantee + held + deposits;
        self.demand(cash == owed, "debits_credits", || {
            format!(
                "cash {cash} is not what is owed: {outstanding} in notes, {customers} on accounts, \
                 {guarantee} in the guarantee, {held} for orders, {deposits} as caution"
            )
        });
        let units = |sum: u128| u64::try_from(sum).ok().and_then(|u| Units::new(u).ok());
        let shown = (units(cash), units(customers), units(outstanding), units(guarantee));
        (self.audit.held, self.audit.deposits) =
            (units(held).unwrap_or(Units::MAX), units(deposits).unwrap_or(Units::MAX));
        match shown {
            (Some(cash), Some(customers), Some(outstanding), Some(guarantee)) => {
                self.audit.guarantee = guarantee;
                self.audit.cash = cash;
                self.audit.on_accounts = customers;
                self.audit.outstanding = outstanding;
            }
            _ => self.find("too_much", "there is more money than 2^53 units".to_owned()),
        }
    }
}
