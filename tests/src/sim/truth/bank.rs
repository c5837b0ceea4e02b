//! The bank's books as the simulation keeps them: each new row is read once.

use super::restored::last_signer;
use super::shops::ShopTruth;
use super::{Holds, Violation, broken};
use crate::world::Bank;
use bank_node::ledger::books::{Fault, View};
use bank_node::ledger::cases::Stage;
use bank_node::ledger::{Asked, CASH, Entry, EntryKind, GUARANTEE, OUTSTANDING};
use bank_node::store::shelf::Table;
use protocol::id::{Key, RequestId};
use protocol::note::Destination;
use protocol::range::Range;
use std::collections::{BTreeMap, BTreeSet};

/// Redeemed intervals of a root.
#[derive(Clone, Debug, Default)]
struct Units {
    units: u64,
    redeemed: BTreeMap<u64, u64>,
}

/// What the bank has done for an account's owner.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    withdrawn: u64,
    deposited: u64,
    reclaimed: u64,
    paid_in: i128,
    charged: u64,
    recovered: u64,
}

/// A case that has come to an end against somebody.
#[derive(Clone, Copy, Debug)]
pub struct Judged {
    /// The liable party's account.
    pub liable: u64,
    /// Whether he is said to have signed two payments.
    pub offence: bool,
    /// What he has paid.
    pub from_liable: u64,
    /// What the guarantee paid in his stead and has not got back.
    pub guaranteed: u64,
}

/// The bank's books.
#[derive(Clone, Debug, Default)]
pub struct BankTruth {
    entries: u64,
    balances: BTreeMap<u64, i128>,
    done: BTreeMap<u64, Done>,
    roots: BTreeMap<u64, Units>,
    issued: i128,
    redeemed: i128,
    /// Withdrawals and deposits that the bank has done: of which account, how much.
    moves: BTreeMap<RequestId, (EntryKind, u64, u64)>,
    /// Reclaims that were filed, and from which account.
    reclaims: BTreeMap<RequestId, u64>,
    open_cases: BTreeSet<u64>,
    /// Units that were reclaimed: of which root, and the key that had them.
    reclaimed: Vec<(u64, Range, Key)>,
    /// Judged cases.
    pub judged: BTreeMap<u64, Judged>,
    /// What shops move.
    pub shops: ShopTruth,
    /// What happened at the bank since somebody asked.
    pub happened: Vec<&'static str>,
}

/// What is new at the bank.
#[derive(Debug, Default)]
pub struct News {
    /// Redeemed: serial and units.
    pub redeemed: Vec<(u64, Range)>,
    /// Accounts that moved.
    pub accounts: Vec<u64>,
    rows: usize,
}

impl News {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }
}

fn fault(fault: Fault) -> Violation {
    Violation { rule: "bank-books", what: fault.to_string() }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.get(..8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes)
}

impl BankTruth {
    /// Everything that is there already.
    pub fn of(bank: &Bank) -> Result<BankTruth, Violation> {
        let mut truth = BankTruth::default();
        let (view, mut news) = (&bank.shelves, News::default());
        drop(view.written());
        for entry in view.entries_after(0, usize::MAX).map_err(fault)? {
            truth.entry(&entry, &mut news)?;
        }
        for issued in view.issued_after(0, usize::MAX).map_err(fault)? {
            truth.root(issued.serial(), issued.root.unverified().units.get())?;
        }
        for redeemed in view.redeemed_from(0, 0, usize::MAX).map_err(fault)? {
            truth.interval(redeemed.serial, redeemed.range)?;
        }
        truth.check_sums()?;
        Ok(truth)
    }

    /// Reads what was written since.
    pub fn absorb(&mut self, bank: &Bank) -> Result<News, Violation> {
        let view = &bank.shelves;
        let rows = view.written();
        let mut news = News { rows: rows.len(), ..News::default() };
        for (table, key) in &rows {
            match table {
                Table::Journal => {
                    let entry = view.entries_after(number(key) - 1, 1).map_err(fault)?;
                    for entry in entry {
                        self.entry(&entry, &mut news)?;
                        self.shops.entry(&entry, view)?;
                    }
                }
                Table::Roots => {
                    let issued = view.issued(number(key)).map_err(fault)?;
                    if let Some(issued) = issued {
                        self.root(issued.serial(), issued.root.unverified().units.get())?;
                    }
                }
                Table::Redeemed => {
                    let (serial, start) = (number(key), number(key.get(8..).unwrap_or_default()));
                    for redeemed in view.redeemed_from(serial, start, 1).map_err(fault)? {
                        let shown = view.issued(serial).map_err(fault)?;
                        let chain = shown.map(|issued| redeemed.note(&issued.root));
                        let holding = chain.as_ref().and_then(|note| note.holding().ok());
                        // A reclaim redeems what nobody has shown to be handed on: parts of its chain's last range.
                        let Some(holding) = holding.filter(|holding| holding.range.contains(redeemed.range))
                        else {
                            return broken("redeemed-without-chain", format!("root {serial} at {start}"));
                        };
                        if let Destination::Reclaim(_) = holding.to
                            && let Some(key) = chain.as_ref().and_then(last_signer)
                        {
                            self.reclaimed.push((serial, redeemed.range, key));
                        }
                        self.interval(serial, redeemed.range)?;
                        news.redeemed.push((serial, redeemed.range));
                    }
                }
                Table::Cases => self.case(view, number(key))?,
                _ => {}
            }
        }
        for (table, key) in &rows {
            match table {
                Table::Accounts => self.check_account(view, number(key))?,
                Table::Holds => self.shops.check_hold(view, number(key))?,
                Table::Tenures => {
                    let shop = number(key.get(1..).unwrap_or_default());
                    self.shops.check_tenure(view, shop, bank.now())?;
                }
                _ => {}
            }
        }
        self.shops.orders_are_told();
        if !rows.is_empty() {
            self.check_sums()?;
            self.shops.check_sums(|account| self.balance(account))?;
            self.shops.check_stalls(|account| (self.balance(account), self.paid_in(account)))?;
        }
        Ok(news)
    }

    fn entry(&mut self, entry: &Entry, news: &mut News) -> Holds {
        if entry.number != self.entries + 1 {
            return broken("journal", format!("entry {} follows {}", entry.number, self.entries));
        }
        self.entries = entry.number;
        let units = entry.units.get();
        if let Some(posting) = entry.posting {
            let moved = i128::from(posting.units.get());
            *self.balances.entry(posting.debit.0).or_default() -= moved;
            *self.balances.entry(posting.credit.0).or_default() += moved;
            news.accounts.extend([posting.debit.0, posting.credit.0]);
            match entry.kind {
                EntryKind::Charge => {
                    self.done.entry(posting.debit.0).or_default().charged += units;
                    self.done.entry(posting.credit.0).or_default().recovered += units;
                }
                EntryKind::Reclaim => {
                    let done = self.done.entry(posting.credit.0).or_default();
                    (done.deposited, done.reclaimed) = (done.deposited + units, done.reclaimed + units);
                }
                _ => {}
            }
        }
        let event = match entry.kind {
            EntryKind::ReclaimFiled => "reclaim-filed",
            EntryKind::Contest => "reclaim-contested",
            EntryKind::Reclaim => "reclaim-closed",
            EntryKind::Claim => "claim-filed",
            EntryKind::Heard => "case-walked-up",
            EntryKind::Judged => "claim-judged",
            EntryKind::Dismissed => "claim-dismissed",
            EntryKind::Charge if entry.account == Some(GUARANTEE) => "guarantee-paid",
            EntryKind::Charge => "charged",
            EntryKind::Suspend => "suspended",
            EntryKind::Reinstate => "reinstated",
            _ => "",
        };
        if !event.is_empty() {
            self.happened.push(event);
        }
        let Some(account) = entry.account.map(|account| account.0) else { return Ok(()) };
        news.accounts.push(account);
        let done = self.done.entry(account).or_default();
        match entry.kind {
            EntryKind::Withdraw => done.withdrawn += units,
            EntryKind::Deposit => done.deposited += units,
            EntryKind::Open | EntryKind::PayIn | EntryKind::GuaranteeIn => done.paid_in += i128::from(units),
            EntryKind::PayOut => done.paid_in -= i128::from(units),
            _ => {}
        }
        if let (EntryKind::ReclaimFiled, Asked::Customer(id)) = (entry.kind, &entry.asked) {
            self.reclaims.insert(*id, account);
        }
        if let (EntryKind::Withdraw | EntryKind::Deposit, Asked::Customer(id)) = (entry.kind, &entry.asked)
            && self.moves.insert(*id, (entry.kind, account, units)).is_some()
        {
            return broken("request-done-twice", format!("entry {} repeats a request", entry.number));
        }
        Ok(())
    }

    fn case(&mut self, view: &impl View, number: u64) -> Holds {
        let case = view.case(number).map_err(fault)?;
        match case.as_ref().is_some_and(|case| case.is_open()) {
            true => self.open_cases.insert(number),
            false => self.open_cases.remove(&number),
        };
        let Some((case, Stage::Judged(debt))) = case.map(|case| (case.number, case.stage)) else {
            return Ok(());
        };
        let (liable, offence) = (debt.liable.0, debt.offence);
        let (from_liable, guaranteed) = (debt.from_liable.get(), debt.guaranteed().get());
        self.judged.insert(case, Judged { liable, offence, from_liable, guaranteed });
        Ok(())
    }

    fn root(&mut self, serial: u64, units: u64) -> Holds {
        let last = self.roots.last_key_value().map_or(0, |(serial, _)| *serial);
        if serial != last + 1 {
            return broken("serials", format!("root {serial} follows root {last}"));
        }
        self.issued += i128::from(units);
        self.roots.insert(serial, Units { units, redeemed: BTreeMap::new() });
        Ok(())
    }

    fn interval(&mut self, serial: u64, range: Range) -> Holds {
        let twice = self.redeemed_in(serial, range);
        let Some(root) = self.roots.get_mut(&serial).filter(|root| range.end() <= root.units) else {
            return broken("outside-root", format!("{range} of root {serial} was never issued"));
        };
        if let Some(other) = twice {
            return broken("redeemed-twice", format!("{range} of root {serial} overlaps {other}"));
        }
        root.redeemed.insert(range.start(), range.end());
        self.redeemed += i128::from(range.units().get());
        Ok(())
    }

    /// A redeemed interval that shares units with this one.
    pub fn redeemed_in(&self, serial: u64, range: Range) -> Option<Range> {
        let (start, end) = self.roots.get(&serial)?.redeemed.range(..range.end()).next_back()?;
        Range::new(*start, *end).ok().filter(|redeemed| redeemed.overlaps(range))
    }

    fn check_account(&self, view: &impl View, account: u64) -> Holds {
        let found = view.account(bank_node::ledger::AccountNumber(account)).map_err(fault)?;
        let Some(found) = found else { return broken("account", format!("{account} is gone")) };
        // Cash grows by debits.
        let booked =
            i128::try_from(found.credits).unwrap_or(i128::MAX) - i128::try_from(found.debits).unwrap_or(0);
        let posted = self.balances.get(&account).copied().unwrap_or_default();
        if booked != posted {
            return broken("account", format!("{account} shows {booked}, its postings say {posted}"));
        }
        Ok(())
    }

    /// Debits are credits, and outstanding is what roots have left.
    pub fn check_sums(&self) -> Holds {
        let sum: i128 = self.balances.values().sum();
        if sum != 0 {
            return broken("debits-credits", format!("they differ by {sum}"));
        }
        let outstanding = self.balance(OUTSTANDING.0);
        let left = self.issued - self.redeemed;
        if outstanding != left || left < 0 {
            return broken("outstanding", format!("{outstanding} on the account, {left} in roots"));
        }
        Ok(())
    }

    /// What an account holds.
    pub fn balance(&self, account: u64) -> i128 {
        self.balances.get(&account).copied().unwrap_or_default()
    }

    /// What all accounts hold.
    pub fn balances(&self) -> BTreeMap<u64, i128> {
        self.balances.clone()
    }

    /// What is owed to notes.
    pub fn outstanding(&self) -> i128 {
        self.issued - self.redeemed
    }

    /// What there is in all.
    pub fn cash(&self) -> i128 {
        -self.balance(CASH.0)
    }

    /// Cash paid in and not out, over the counter.
    pub fn paid_in(&self, account: u64) -> i128 {
        self.done.get(&account).map_or(0, |done| done.paid_in)
    }

    /// Withdrawals and deposits done for an account's owner.
    pub fn moved(&self, account: u64) -> (u64, u64) {
        self.done.get(&account).map_or((0, 0), |done| (done.withdrawn, done.deposited))
    }

    /// What reclaims brought to an account.
    pub fn reclaimed_to(&self, account: u64) -> u64 {
        self.done.get(&account).map_or(0, |done| done.reclaimed)
    }

    /// What cases took from an account, and what they brought to it.
    pub fn judged_for(&self, account: u64) -> (u64, u64) {
        self.done.get(&account).map_or((0, 0), |done| (done.charged, done.recovered))
    }

    /// How many lines the journal has.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Whether somebody is asked in a case.
    pub fn has_open_cases(&self) -> bool {
        !self.open_cases.is_empty()
    }

    /// How many of these units were reclaimed by somebody's keys.
    pub fn reclaimed_by(
        &self,
        mine: impl Fn(&Key) -> bool,
        pieces: impl Iterator<Item = (u64, Range)>,
    ) -> u64 {
        let reclaimed: Vec<_> = self.reclaimed.iter().filter(|(.., key)| mine(key)).collect();
        let shared = |(serial, range): (u64, Range)| {
            let same = reclaimed.iter().filter(move |(at, ..)| *at == serial);
            same.filter_map(|(_, had, _)| had.intersection(range)).map(|both| both.units().get()).sum::<u64>()
        };
        pieces.map(shared).sum()
    }

    /// Whether an account's owner has filed this reclaim.
    pub fn is_reclaim(&self, id: &RequestId, account: u64) -> bool {
        self.reclaims.get(id) == Some(&account)
    }

    /// A withdrawal or deposit that was done: whose and how much.
    pub fn done(&self, id: &RequestId) -> Option<(EntryKind, u64, u64)> {
        self.moves.get(id).copied()
    }
}
