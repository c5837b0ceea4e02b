//! The shop's rules: what is sold, given back, reported, and by whom. No IO, no clock, no chance of its own.
//!
//! ```text
//! call, or the wallet's events ─▶ a rule (reads) ─▶ Decision ─▶ commit (on disk) ─▶ reply
//! ```
//! Money is the wallet's (N12): a rule here never moves any. It says what is owed or asked for, and the hands carry it
//! to the wallet under a name that makes it happen once; what came of it is heard from the wallet's numbered events.
//!
//! | file | what it decides |
//! |---|---|
//! | [`catalogue`], [`csv`] | articles and their price rules; import and export |
//! | [`sale`] | a sale at the counter, from the cart to its end |
//! | [`refund`] | what is given back, and what is sent back because nothing was sold for it |
//! | [`hearing`] | what the wallet's events and history mean to the shop |
//! | [`order`], [`order_sale`] | orders from afar, whose money the bank holds; what they come to |
//! | [`day`] | X and Z reports, and where one day ends |
//! | [`sweep`] | what goes to the company in the evening |
//! | [`notice`] | who is told of an order |
//! | [`keeping`], [`back`] | copies of the book; one that was put back |
//! | [`hook`] | who outside is told of events |
//! | [`rights`] | who may do what |
//! | [`change`] | what a decision is |

pub mod back;
pub mod catalogue;
pub mod change;
pub mod csv;
pub mod day;
pub mod failing;
pub mod hearing;
pub mod hook;
pub mod keeping;
pub mod notice;
pub mod order;
pub mod order_sale;
pub mod refund;
pub mod rights;
pub mod sale;
pub mod settings;
pub mod sweep;

use back::Back;
use catalogue::Item;
use change::Change;
use day::Period;
use failing::Failing;
use hearing::Cursor;
use hook::Hook;
use keeping::Copies;
use notice::Channel;
use order::{Order, OrderSettings};
use protocol::id::{BankId, Key, RequestId};
use protocol::money::{Currency, OutOfRange, Units};
use protocol::time::{Day, Timestamp};
use refund::Refund;
use rights::Staff;
use sale::Sale;
use settings::Settings;
use std::collections::BTreeMap;
use std::sync::Arc;
use sweep::Sweep;

/// Whose shop it is.
#[derive(Clone, Debug)]
pub struct Keeper {
    /// The bank.
    pub bank: BankId,
    /// The shop's owner key.
    pub key: Key,
    /// Its certified name.
    pub name: String,
    /// What amounts are shown in.
    pub currency: Currency,
}

/// What is open in the shop, and what every sale needs. What is closed stays in the store.
#[derive(Clone, Debug)]
pub struct Shop {
    keeper: Keeper,
    settings: Settings,
    items: BTreeMap<String, Item>,
    version: u64,
    staff: BTreeMap<String, Staff>,
    sales: BTreeMap<RequestId, Sale>,
    refunds: BTreeMap<RequestId, Refund>,
    orders: BTreeMap<RequestId, Order>,
    order_settings: OrderSettings,
    holds_read: u64,
    period: Period,
    cursor: Option<Cursor>,
    next_number: u64,
    next_event: u64,
    next_audit: u64,
    sweeps: BTreeMap<u64, Sweep>,
    next_sweep: u64,
    next_taking: u64,
    hooks: BTreeMap<String, Hook>,
    notices: BTreeMap<Channel, Failing>,
    copies: Copies,
    back: Option<Arc<Back>>,
}

/// Why a call is not carried out; nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing by this name.
    #[error("there is no such {0} in this shop")]
    NotFound(&'static str),
    /// The caller's key came before with another call.
    #[error("this key was used for another call")]
    KeyReused,
    /// A till that the settings do not name.
    #[error("there is no till «{0}»; the settings name them")]
    NoTill(String),
    /// A line of a cart that can't be sold like this.
    #[error("line {line}: {why}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// No lines, or more than a receipt holds.
    #[error("a sale has 1 to {0} lines")]
    Lines(usize),
    /// A text too long for its place, or with control characters.
    #[error("{0}")]
    Text(String),
    /// A value that makes no sense.
    #[error("{0}")]
    Value(String),
    /// It is not in the state for that.
    #[error("the {what} is {state}: {why}")]
    State {
        /// What.
        what: &'static str,
        /// Where it stands.
        state: &'static str,
        /// Why that forbids it.
        why: &'static str,
    },
    /// More than was paid and not given back yet.
    #[error("of this sale {left} can still be given back, {asked} was asked")]
    OverPaid {
        /// What is left.
        left: Units,
        /// What was asked.
        asked: Units,
    },
    /// Above what this person may give back.
    #[error("{left} may be given back by this person, {asked} was asked: call the manager")]
    OverCap {
        /// What is left.
        left: Units,
        /// What was asked.
        asked: Units,
    },
    /// The day has its report.
    #[error("{day} is closed by report {number}; what comes now is in the next one")]
    DayClosed {
        /// Which.
        day: Day,
        /// By which report.
        number: u64,
    },
    /// It may have been given back already: by the book that was lost, after the copy.
    #[error(
        "this book was put back from a copy made {made}, and what was given back since is not all known: look in the \
         wallet's history whether this was, then say that you have looked (--looked)"
    )]
    MaybeGiven {
        /// When the copy was made.
        made: Timestamp,
    },
    /// Too much at once.
    #[error("{0}")]
    TooMany(&'static str),
    /// An amount beyond 2^53.
    #[error(transparent)]
    Range(#[from] OutOfRange),
}

impl Shop {
    /// A shop in which nothing has been sold.
    pub fn new(keeper: Keeper) -> Shop {
        Shop {
            keeper,
            settings: Settings::default(),
            items: BTreeMap::new(),
            version: 0,
            staff: BTreeMap::new(),
            sales: BTreeMap::new(),
            refunds: BTreeMap::new(),
            orders: BTreeMap::new(),
            order_settings: OrderSettings::default(),
            holds_read: 0,
            period: Period::default(),
            cursor: None,
            next_number: 1,
            next_event: 1,
            next_audit: 1,
            sweeps: BTreeMap::new(),
            next_sweep: 1,
            next_taking: 1,
            hooks: BTreeMap::new(),
            notices: BTreeMap::new(),
            copies: Copies::default(),
            back: None,
        }
    }

    /// Makes a change that is, or is about to be, on disk. It cannot fail.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Settings(settings) => self.settings = settings.clone(),
            Change::Item(item) => {
                self.version = self.version.max(item.version);
                self.items.insert(item.sku.clone(), item.clone());
            }
            Change::Staff(staff) => drop(self.staff.insert(staff.id.clone(), staff.clone())),
            Change::Sale(sale) => {
                if let Some(paid) = &sale.paid {
                    self.next_number = self.next_number.max(paid.number + 1);
                }
                match sale.state.is_open() {
                    true => drop(self.sales.insert(sale.id, sale.clone())),
                    false => drop(self.sales.remove(&sale.id)),
                }
            }
            Change::Refund(refund) if refund.state.is_open() => {
                self.refunds.insert(refund.id, refund.clone());
            }
            Change::Refund(refund) => drop(self.refunds.remove(&refund.id)),
            Change::Period(period) => self.period = period.clone(),
            Change::Cursor(cursor) => self.cursor = Some(*cursor),
            Change::Event(event) => self.next_event = self.next_event.max(event.seq + 1),
            Change::Audit(line) => self.next_audit = self.next_audit.max(line.number + 1),
            Change::Taking(at, _) => self.next_taking = self.next_taking.max(at + 1),
            Change::Sweep(sweep) => {
                self.next_sweep = self.next_sweep.max(sweep.number + 1);
                match sweep.state.is_open() {
                    true => drop(self.sweeps.insert(sweep.number, sweep.clone())),
                    false => drop(self.sweeps.remove(&sweep.number)),
                }
            }
            Change::Renumbered(_) => self.sweeps.clear(),
            Change::Order(order) if order.is_live() => {
                self.orders.insert(order.id(), order.clone());
            }
            Change::Order(order) => drop(self.orders.remove(&order.id())),
            Change::OrderSettings(settings) => self.order_settings = settings.clone(),
            Change::HoldsRead(entry) => self.holds_read = *entry,
            Change::Hook(hook) => drop(self.hooks.insert(hook.id.clone(), hook.clone())),
            Change::HookGone(id) => drop(self.hooks.remove(id)),
            Change::Notices(channel, Some(failing)) => {
                self.notices.insert(*channel, failing.clone());
            }
            Change::Notices(channel, None) => drop(self.notices.remove(channel)),
            Change::Copies(copies) => self.copies = copies.clone(),
            Change::Back(back) => {
                self.next_number = self.next_number.max(back.numbers + 1);
                self.back = Some(Arc::new(back.clone()));
            }
            // In the store only.
            Change::Report(_)
            | Change::Papers(_)
            | Change::Content(..)
            | Change::Taken(_)
            | Change::TakingsGone(_)
            | Change::SweepList(..) => {}
        }
    }

    /// Whose shop it is.
    pub fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The articles, by number.
    pub fn items(&self) -> &BTreeMap<String, Item> {
        &self.items
    }

    /// The catalogue's version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Everybody who works or worked here.
    pub fn staff(&self) -> impl Iterator<Item = &Staff> {
        self.staff.values()
    }

    /// Sales without an end.
    pub fn open_sales(&self) -> impl Iterator<Item = &Sale> {
        self.sales.values()
    }

    /// A sale without an end.
    pub fn open_sale(&self, id: &RequestId) -> Option<&Sale> {
        self.sales.get(id)
    }

    /// Refunds without an end.
    pub fn open_refunds(&self) -> impl Iterator<Item = &Refund> {
        self.refunds.values()
    }

    /// What was booked since the last Z report.
    pub fn period(&self) -> &Period {
        &self.period
    }

    /// Up to where the wallet was heard; nothing before the first time.
    pub fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    /// The number of the newest event.
    pub fn newest_event(&self) -> u64 {
        self.next_event - 1
    }
}

#[cfg(test)]
mod tests;
