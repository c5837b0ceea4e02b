//! What shops move at the bank, as the simulation keeps it: holds, sweeps, rents and cautions, each line of the journal
//! with the signed word or the date that allows it.
//!
//! Nothing here asks the bank's rules. Whoever signs something in a life says so here first ([`ShopTruth::says`] and its
//! neighbours); a line of the journal for which there is no such word, no date that has come, and no order of the
//! operators, is a violation.

use super::{Holds, broken};
use crate::world::Stall;
use bank_node::desk::office::{Operation, ShopOrder};
use bank_node::ledger::books::{Fault, View};
use bank_node::ledger::tenure::Every;
use bank_node::ledger::{AccountNumber, Asked, DEPOSITS, Entry, EntryKind, HELD};
use protocol::bank::HoldRule;
use protocol::id::{Digest, Key, RequestId};
use protocol::time::{Day, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Wrong codes that a hold takes.
const WRONG_MAX: u32 = 5;

/// A hold that somebody has signed.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The buyer's account.
    pub buyer: u64,
    /// The shop's account.
    pub shop: u64,
    /// How much.
    pub units: u64,
    /// When it comes back.
    pub ends: Timestamp,
    /// When it goes to the shop, if its rule is a date.
    pub date: Option<Timestamp>,
}

/// What somebody has signed about a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The goods are there.
    Confirm,
    /// He disagrees.
    Dispute,
    /// A code, and whether it is the right one.
    Code(bool),
    /// So much back.
    Refund(u64),
}

/// A word about a hold, and who has signed it.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    /// The hold.
    pub hold: RequestId,
    /// The signer's account; 0 for a stranger.
    pub by: u64,
    /// Whether with the owner's key.
    pub owner: bool,
    /// What.
    pub word: Word,
}

/// A sweep that a shop has signed.
#[derive(Clone, Copy, Debug)]
pub struct Takings {
    /// The shop's account.
    pub shop: u64,
    /// Its number.
    pub number: u64,
    /// How much.
    pub units: u64,
    /// Digest of the list.
    pub list: Digest,
}

/// A hold as it goes on.
#[derive(Clone, Debug)]
struct Held {
    id: RequestId,
    wish: Wish,
    left: u64,
    released: u64,
    returned: u64,
    disputed: bool,
    wrong: u32,
}

/// A lease as it goes on.
#[derive(Clone, Copy, Debug)]
struct Lease {
    caution: u64,
    rent: u64,
    every: Every,
    first: Day,
    fallen: u32,
}

impl Lease {
    fn next(&self) -> Day {
        match self.every {
            Every::Days(days) => Day(self.first.0 + u32::from(days) * self.fallen),
            Every::Month => self.first.plus_months(self.fallen),
        }
    }
}

/// Whose a shop is.
#[derive(Clone, Debug, Default)]
struct Tenure {
    company: u64,
    lease: Option<Lease>,
    /// What is owed, by period, the oldest first: when it was due, and how much.
    owed: Vec<(Day, u64)>,
    due: u128,
    paid: u128,
    sweeps: u64,
    closed: bool,
}

impl Tenure {
    fn falls(&mut self, now: Timestamp) {
        let Some(lease) = &mut self.lease else { return };
        while lease.next().start() <= now {
            self.owed.push((lease.next(), lease.rent));
            self.due += u128::from(lease.rent);
            lease.fallen += 1;
        }
    }
}

/// What shops move.
#[derive(Clone, Debug, Default)]
pub struct ShopTruth {
    net: BTreeMap<u64, i128>,
    wishes: BTreeMap<RequestId, Wish>,
    said: BTreeMap<RequestId, Said>,
    holds: BTreeMap<u64, Held>,
    takings: BTreeMap<RequestId, Takings>,
    tenures: BTreeMap<u64, Tenure>,
    /// What operators have ordered and the journal has not told yet.
    ordered: Vec<Operation>,
    /// What a decision has still to move: to the shop, to the buyer.
    split: Option<(u64, u64, u64)>,
    /// What a lease's end has still to move: to the company, back to the shop.
    caution: Option<(u64, u64, u64)>,
    /// What left a shop and has to come to its company with the next line.
    between: Option<(EntryKind, u64, u64)>,
    /// Accounts of stalls.
    stalls: BTreeSet<u64>,
    owners: BTreeMap<u64, Key>,
    /// What happened since somebody asked.
    pub happened: Vec<&'static str>,
}

fn fault(fault: Fault) -> super::Violation {
    super::Violation { rule: "bank-books", what: fault.to_string() }
}

impl ShopTruth {
    /// A stall is there.
    pub fn stall(&mut self, stall: &Stall) {
        self.stalls.insert(stall.account.0);
        self.owners.insert(stall.account.0, stall.owner.key());
    }

    /// Whose account this is.
    pub fn owner(&mut self, account: u64, owner: Key) {
        self.owners.insert(account, owner);
    }

    /// Somebody is about to sign a hold.
    pub fn wishes(&mut self, id: RequestId, wish: Wish) {
        self.wishes.insert(id, wish);
    }

    /// Somebody is about to say something of a hold.
    pub fn says(&mut self, request: RequestId, said: Said) {
        self.said.insert(request, said);
    }

    /// A shop is about to sign a sweep.
    pub fn takes(&mut self, request: RequestId, takings: Takings) {
        self.takings.insert(request, takings);
    }

    /// The operators have ordered something.
    pub fn orders(&mut self, operation: Operation) {
        self.ordered.push(operation);
    }

    /// What shops have brought to an account and taken from it.
    pub fn net(&self, account: u64) -> i128 {
        self.net.get(&account).copied().unwrap_or_default()
    }

    /// What is on all accounts of stalls.
    pub fn of_stalls(&self, balance: impl Fn(u64) -> i128) -> i128 {
        self.stalls.iter().map(|account| balance(*account)).sum()
    }

    /// Holds without an end: number, name, what is left, whether disputed.
    pub fn open(&self) -> Vec<(u64, RequestId, u64, bool)> {
        let open = self.holds.iter().filter(|(_, held)| held.left > 0);
        open.map(|(number, held)| (*number, held.id, held.left, held.disputed)).collect()
    }

    /// A hold that was made, by its name: its number and what is left.
    pub fn made(&self, id: &RequestId) -> Option<(u64, u64)> {
        let found = self.holds.iter().find(|(_, held)| held.id == *id);
        found.map(|(number, held)| (*number, held.left))
    }

    /// Whether a shop is leased.
    pub fn is_leased(&self, shop: u64) -> bool {
        self.tenures.get(&shop).is_some_and(|tenure| tenure.lease.is_some())
    }

    /// How often a shop has swept.
    pub fn swept(&self, shop: u64) -> u64 {
        self.tenures.get(&shop).map_or(0, |tenure| tenure.sweeps)
    }

    fn move_net(&mut self, account: u64, units: i128) {
        *self.net.entry(account).or_default() += units;
    }

    /// A new line of the journal.
    pub fn entry(&mut self, entry: &Entry, view: &impl View) -> Holds {
        let account = entry.account.map_or(0, |account| account.0);
        let units = entry.units.get();
        if let Some((kind, to, came)) = self.between.take()
            && (entry.kind, account, units) != (kind, to, came)
        {
            let what = format!("entry {}: {came} left a shop for account {to}: {entry:?}", entry.number);
            return broken("between-two-lines", what);
        }
        self.check_closed(entry)?;
        match entry.kind {
            EntryKind::Hold => self.held(entry, account, units, view),
            EntryKind::HoldRelease | EntryKind::HoldReturn => self.ends(entry, account, units),
            EntryKind::HoldDispute | EntryKind::HoldCode => self.marked(entry, account),
            EntryKind::HoldDecision => self.decided(entry, units),
            EntryKind::Own | EntryKind::Lease | EntryKind::EndLease | EntryKind::HandOver => {
                self.tenure(entry, account, units)
            }
            EntryKind::CautionBack | EntryKind::CautionKept => self.caution(entry, account, units),
            EntryKind::RentOut => self.rent(entry, account, units),
            EntryKind::SweepOut => self.swept_out(entry, account, units),
            // What came in was checked with the line before it; all else is not a shop's matter.
            _ => Ok(()),
        }
    }

    /// An account that was handed over takes nothing any more but what its notes still bring.
    fn check_closed(&self, entry: &Entry) -> Holds {
        let Some(posting) = entry.posting else { return Ok(()) };
        let closed = |account: AccountNumber| self.tenures.get(&account.0).is_some_and(|t| t.closed);
        let late = matches!(entry.kind, EntryKind::Deposit | EntryKind::Reclaim | EntryKind::PayOut);
        if (closed(posting.credit) || closed(posting.debit)) && !late {
            return broken("closed-account", format!("a closed account moves: {entry:?}"));
        }
        Ok(())
    }

    fn held(&mut self, entry: &Entry, account: u64, units: u64, view: &impl View) -> Holds {
        let Asked::Customer(id) = entry.asked else {
            return broken("hold-unasked", format!("{entry:?}"));
        };
        let wish = self.wishes.get(&id).filter(|wish| (wish.buyer, wish.units) == (account, units)).cloned();
        let Some(wish) = wish else { return broken("hold-unasked", format!("nobody has signed {entry:?}")) };
        if self.holds.values().any(|held| held.id == id) {
            return broken("held-twice", format!("{entry:?}"));
        }
        let number = self.holds.last_key_value().map_or(0, |(number, _)| *number) + 1;
        let row = view.hold(number).map_err(fault)?;
        let owner = self.owners.get(&account).copied().unwrap_or_default();
        let signed = row.as_ref().is_some_and(|row| row.asked.check_by(&owner).is_ok());
        let same = row.as_ref().is_some_and(|row| {
            let terms = row.terms();
            let date = match terms.rule {
                HoldRule::Date(date) => Some(date),
                HoldRule::Confirmation | HoldRule::Code { .. } => None,
            };
            (terms.request, terms.units.get(), terms.ends, date) == (id, wish.units, wish.ends, wish.date)
                && (row.buyer.0, row.shop.0) == (wish.buyer, wish.shop)
        });
        if !signed || !same {
            return broken("hold-unasked", format!("hold {number} is not what its buyer has signed"));
        }
        self.move_net(account, -i128::from(units));
        let held = Held { id, wish, left: units, released: 0, returned: 0, disputed: false, wrong: 0 };
        self.holds.insert(number, held);
        self.happened.push("hold-made");
        Ok(())
    }

    fn hold_of(&self, entry: &Entry) -> Option<u64> {
        let text = entry.reason.strip_prefix("hold ")?;
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok().filter(|number| self.holds.contains_key(number))
    }

    /// The signed word that a line names, about this hold.
    fn word(&self, entry: &Entry, number: u64) -> Option<Said> {
        let Asked::Customer(request) = &entry.asked else { return None };
        let said = self.said.get(request)?;
        (self.holds.get(&number)?.id == said.hold).then_some(*said)
    }

    /// Whether what a line moves is allowed by somebody's word, by a date, or by the operators.
    fn why(&mut self, entry: &Entry, number: u64, to_shop: bool, units: u64) -> Option<&'static str> {
        if let Some((of, shop, buyer)) = self.split.filter(|(of, ..)| *of == number) {
            let due = if to_shop { shop } else { buyer };
            self.split = match to_shop {
                true => Some((of, 0, buyer)).filter(|_| buyer > 0),
                false => None,
            };
            return (due == units && (to_shop || shop == 0)).then_some("hold-split");
        }
        let held = self.holds.get(&number)?;
        let (buyer, shop) = (held.wish.buyer, held.wish.shop);
        if let Asked::Customer(_) = entry.asked {
            let said = self.word(entry, number)?;
            let all = units == held.left;
            return match (said.word, to_shop) {
                (Word::Confirm, true) if all && said.owner && said.by == buyer => Some("hold-confirmed"),
                (Word::Code(true), true)
                    if all && said.by == shop && !held.disputed && held.wrong < WRONG_MAX =>
                {
                    Some("hold-coded")
                }
                (Word::Refund(back), false) if back == units && said.owner && said.by == shop => {
                    Some(if all { "hold-refunded" } else { "hold-partly-refunded" })
                }
                _ => None,
            };
        }
        let timer = held.wish.date.unwrap_or(held.wish.ends);
        let fits = held.wish.date.is_some() == to_shop && timer <= entry.at && units == held.left;
        (fits && !held.disputed).then_some(if to_shop { "hold-dated" } else { "hold-came-back" })
    }

    fn ends(&mut self, entry: &Entry, account: u64, units: u64) -> Holds {
        let to_shop = entry.kind == EntryKind::HoldRelease;
        let Some(number) = self.hold_of(entry) else { return broken("hold-moves", format!("{entry:?}")) };
        let Some(why) = self.why(entry, number, to_shop, units) else {
            let held = self.holds.get(&number);
            return broken("hold-moves", format!("nothing allows {entry:?} of {held:?}"));
        };
        let Some(held) = self.holds.get_mut(&number) else { return Ok(()) };
        let whose = if to_shop { held.wish.shop } else { held.wish.buyer };
        if whose != account || units > held.left {
            return broken("hold-ends-twice", format!("{entry:?} of {held:?}"));
        }
        held.left -= units;
        if to_shop {
            held.released += units;
        } else {
            held.returned += units;
        }
        if held.left + held.released + held.returned != held.wish.units {
            return broken("hold-ends-twice", format!("{held:?}"));
        }
        self.move_net(account, i128::from(units));
        self.happened.push(why);
        Ok(())
    }

    fn marked(&mut self, entry: &Entry, account: u64) -> Holds {
        let word = self.hold_of(entry).and_then(|number| Some((number, self.word(entry, number)?)));
        let Some((number, said)) = word else { return broken("hold-word", format!("{entry:?}")) };
        let Some(held) = self.holds.get_mut(&number) else { return Ok(()) };
        let party = said.by == account && [held.wish.buyer, held.wish.shop].contains(&account);
        match (entry.kind, said.word) {
            (EntryKind::HoldDispute, Word::Dispute) if party && !held.disputed && held.left > 0 => {
                held.disputed = true;
                self.happened.push("hold-disputed");
                Ok(())
            }
            (EntryKind::HoldCode, Word::Code(false)) if said.by == held.wish.shop && !held.disputed => {
                held.wrong += 1;
                let wrong = held.wrong;
                self.happened.push(if wrong == WRONG_MAX { "codes-used-up" } else { "wrong-code" });
                match wrong <= WRONG_MAX {
                    true => Ok(()),
                    false => broken("hold-word", format!("{wrong} wrong codes: {entry:?}")),
                }
            }
            _ => broken("hold-word", format!("{entry:?} is not what was said: {said:?}")),
        }
    }

    fn decided(&mut self, entry: &Entry, to_buyer: u64) -> Holds {
        let ordered = self.hold_of(entry).filter(|number| {
            self.ordered.iter().any(|operation| {
                matches!(operation, Operation::ConfirmSplit { hold, to_buyer: back, by }
                    if hold == number && back.get() == to_buyer && *by == entry.by)
            })
        });
        let held = ordered.and_then(|number| Some((number, self.holds.get(&number)?)));
        let Some((number, held)) = held.filter(|(_, held)| held.disputed && to_buyer <= held.left) else {
            return broken("hold-decision", format!("{entry:?}"));
        };
        self.split = Some((number, held.left - to_buyer, to_buyer));
        Ok(())
    }

    fn tenure(&mut self, entry: &Entry, account: u64, units: u64) -> Holds {
        let wanted = self.ordered.iter().find_map(|operation| match (operation, entry.kind) {
            (Operation::Shop(order, _), EntryKind::Own) => {
                matches!(order, ShopOrder::Own { shop, .. } if shop.0 == account).then_some(order)
            }
            (Operation::Shop(order, _), EntryKind::Lease) => {
                matches!(order, ShopOrder::Lease { shop, .. } if shop.0 == account).then_some(order)
            }
            (Operation::Shop(order, _), EntryKind::EndLease) => {
                matches!(order, ShopOrder::EndLease { shop, .. } if shop.0 == account).then_some(order)
            }
            (Operation::Shop(order, _), EntryKind::HandOver) => {
                matches!(order, ShopOrder::HandOver { shop, .. } if shop.0 == account).then_some(order)
            }
            _ => None,
        });
        let Some(wanted) = wanted.cloned() else {
            return broken("tenure", format!("nobody ordered {entry:?}"));
        };
        let tenure = self.tenures.entry(account).or_default();
        match wanted {
            ShopOrder::Own { company, .. } if tenure.lease.is_none() && tenure.owed.is_empty() => {
                tenure.company = company.0;
                self.happened.push("owned");
                Ok(())
            }
            ShopOrder::Lease { company, terms, .. }
                if tenure.lease.is_none() && terms.caution.get() == units =>
            {
                let (caution, rent) = (units, terms.rent.get());
                tenure.company = company.0;
                let lease = Lease { caution, rent, every: terms.every, first: terms.first_due, fallen: 0 };
                tenure.lease = Some(lease);
                self.move_net(account, -i128::from(units));
                self.happened.push("leased");
                Ok(())
            }
            ShopOrder::EndLease { kept, .. } if tenure.lease.is_some() => {
                tenure.falls(entry.at);
                let caution = tenure.lease.take().map_or(0, |lease| lease.caution);
                let back = caution.checked_sub(kept.get());
                let Some(back) = back else { return broken("tenure", format!("{entry:?}")) };
                self.caution = Some((account, kept.get(), back)).filter(|_| caution > 0);
                self.happened.push("lease-ended");
                Ok(())
            }
            ShopOrder::HandOver { .. } if tenure.lease.is_none() && !tenure.closed => {
                tenure.closed = true;
                self.happened.push("handed-over");
                Ok(())
            }
            _ => broken("tenure", format!("{entry:?} of {tenure:?}")),
        }
    }

    fn caution(&mut self, entry: &Entry, account: u64, units: u64) -> Holds {
        let Some((shop, kept, back)) = self.caution else { return broken("caution", format!("{entry:?}")) };
        let company = self.tenures.get(&shop).map_or(0, |tenure| tenure.company);
        let fits = match entry.kind {
            EntryKind::CautionKept => (account, units) == (company, kept),
            _ => (account, units) == (shop, back),
        };
        if !fits {
            return broken("caution", format!("{entry:?}, {kept} are kept, {back} come back"));
        }
        self.caution = match entry.kind {
            EntryKind::CautionKept => Some((shop, 0, back)).filter(|_| back > 0),
            _ => None,
        };
        self.move_net(account, i128::from(units));
        Ok(())
    }

    fn rent(&mut self, entry: &Entry, shop: u64, units: u64) -> Holds {
        let Some(tenure) = self.tenures.get_mut(&shop) else { return broken("rent", format!("{entry:?}")) };
        tenure.falls(entry.at);
        let Some((_, owed)) = tenure.owed.first_mut().filter(|(_, owed)| units <= *owed) else {
            return broken("rent", format!("so much is not owed: {entry:?}, {tenure:?}"));
        };
        *owed -= units;
        tenure.paid += u128::from(units);
        let part = *owed > 0;
        if !part {
            tenure.owed.remove(0);
        }
        let company = tenure.company;
        self.goes_to(entry, shop, company, (EntryKind::RentIn, units))?;
        self.happened.push(if part { "rent-partly-paid" } else { "rent-paid" });
        Ok(())
    }

    /// A line that takes units from a shop to its company, and the line that has to follow it.
    fn goes_to(&mut self, entry: &Entry, shop: u64, company: u64, next: (EntryKind, u64)) -> Holds {
        let (kind, units) = next;
        let to = entry.posting.map(|posting| (posting.debit.0, posting.credit.0, posting.units.get()));
        if to != (units > 0).then_some((shop, company, units)) {
            return broken("other-company", format!("{entry:?} should go to account {company}"));
        }
        self.move_net(shop, -i128::from(units));
        self.move_net(company, i128::from(units));
        self.between = Some((kind, company, units));
        Ok(())
    }

    fn swept_out(&mut self, entry: &Entry, shop: u64, units: u64) -> Holds {
        let Asked::Customer(request) = &entry.asked else {
            return broken("sweep-unasked", format!("{entry:?}"));
        };
        let signed = self.takings.remove(request).filter(|takings| takings.shop == shop);
        let Some(takings) = signed.filter(|takings| takings.units == units) else {
            return broken("sweep-unasked", format!("no shop has signed {entry:?}, or it was done before"));
        };
        let Some(tenure) = self.tenures.get_mut(&shop).filter(|t| t.lease.is_none() && !t.closed) else {
            return broken("sweep-unasked", format!("no company owns the shop of {entry:?}"));
        };
        if takings.number != tenure.sweeps + 1 {
            let what = format!("sweep {} follows sweep {}", takings.number, tenure.sweeps);
            return broken("sweep-gap", what);
        }
        tenure.sweeps = takings.number;
        let company = tenure.company;
        self.goes_to(entry, shop, company, (EntryKind::SweepIn, units))?;
        self.happened.push("swept");
        Ok(())
    }

    /// A hold as it lies in the books.
    pub fn check_hold(&self, view: &impl View, number: u64) -> Holds {
        let Some(row) = view.hold(number).map_err(fault)? else {
            return broken("hold-row", "gone".to_owned());
        };
        let Some(held) = self.holds.get(&number) else {
            return broken("hold-row", format!("hold {number} has no line in the journal"));
        };
        let sums = (row.left.get(), row.released.get(), row.returned.get());
        let same = sums == (held.left, held.released, held.returned)
            && row.dispute.is_some() == held.disputed
            && u32::from(row.wrong) == held.wrong
            && row.is_open() == (held.left > 0);
        if same { Ok(()) } else { broken("hold-row", format!("{row:?} is {held:?} by the journal")) }
    }

    /// Whose a shop is, as it lies in the books.
    pub fn check_tenure(&mut self, view: &impl View, shop: u64, now: Timestamp) -> Holds {
        let row = view.tenure(AccountNumber(shop)).map_err(fault)?;
        let Some(row) = row else { return Ok(()) };
        let tenure = self.tenures.entry(shop).or_default();
        // The account that follows on a hand-over is its company's from the beginning.
        if tenure.company == 0 {
            tenure.company = row.company.0;
        }
        tenure.falls(now);
        let lease = row.lease.as_ref().map(|lease| (lease.caution.get(), lease.rent.get()));
        let same = row.company.0 == tenure.company
            && lease == tenure.lease.map(|lease| (lease.caution, lease.rent))
            && (row.paid, row.sweeps) == (tenure.paid, tenure.sweeps)
            && row.due <= tenure.due
            && row.after.is_some() == tenure.closed;
        if same { Ok(()) } else { broken("tenure-row", format!("{row:?} is {tenure:?} by the journal")) }
    }

    /// What the bank keeps is what holds and leases have left.
    pub fn check_sums(&self, balance: impl Fn(u64) -> i128) -> Holds {
        let held: u64 = self.holds.values().map(|held| held.left).sum();
        if balance(HELD.0) != i128::from(held) {
            return broken("held", format!("{} are kept for holds that have {held} left", balance(HELD.0)));
        }
        let leases = self.tenures.values().filter_map(|tenure| tenure.lease.as_ref());
        let cautions: u64 = leases.map(|lease| lease.caution).sum();
        if balance(DEPOSITS.0) != i128::from(cautions) {
            return broken("deposits", format!("{} are kept for {cautions}", balance(DEPOSITS.0)));
        }
        if self.split.is_some() || self.caution.is_some() || self.between.is_some() {
            let half = (&self.split, &self.caution, &self.between);
            return broken("half-done", format!("a commit has ended in the middle: {half:?}"));
        }
        Ok(())
    }

    /// A stall has what was paid in, and what shops moved.
    pub fn check_stalls(&self, has: impl Fn(u64) -> (i128, i128)) -> Holds {
        for account in &self.stalls {
            let (balance, paid_in) = has(*account);
            let due = paid_in + self.net(*account);
            if balance != due {
                return broken(
                    "wealth",
                    format!("the stall of account {account} has {balance}, due is {due}"),
                );
            }
        }
        Ok(())
    }

    /// What was ordered is over: nothing later comes of it.
    pub fn orders_are_told(&mut self) {
        self.ordered.clear();
    }

    /// When the calendar is up to date: each period that has begun is due once, and whoever owes rent has nothing.
    pub fn check_rents(&mut self, view: &impl View, now: Timestamp, balance: impl Fn(u64) -> i128) -> Holds {
        for (shop, tenure) in &mut self.tenures {
            tenure.falls(now);
            let row = view.tenure(AccountNumber(*shop)).map_err(fault)?;
            let (due, paid) = row.map_or((0, 0), |row| (row.due, row.paid));
            if (due, paid) != (tenure.due, tenure.paid) {
                return broken("rent", format!("{due} due and {paid} paid by the books: {tenure:?}"));
            }
            if !tenure.owed.is_empty() && balance(*shop) > 0 {
                let what = format!("shop {shop} has {} and owes {:?}", balance(*shop), tenure.owed);
                return broken("arrears-with-money", what);
            }
        }
        Ok(())
    }
}
