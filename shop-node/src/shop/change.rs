//! Changes and decisions: a reply goes out when what it says is on disk, and not before.

use super::Shop;
use super::back::Back;
use super::catalogue::Item;
use super::day::Period;
use super::failing::Failing;
use super::hearing::Cursor;
use super::hook::Hook;
use super::keeping::Copies;
use super::notice::Channel;
use super::order::{Order, OrderSettings};
use super::refund::Refund;
use super::rights::{Actor, Staff};
use super::sale::Sale;
use super::settings::Settings;
use super::sweep::Sweep;
use protocol::bank::Introduction;
use protocol::id::{Key, PaymentId, RequestId};
use protocol::money::Units;
use protocol::shop::DayReport;
use protocol::sign::Signed;
use protocol::time::{Day, Timestamp};
use protocol::wire::Sale as Line;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One thing that is put into the store, and into the shop in memory.
#[derive(Clone, Debug)]
pub enum Change {
    /// Other settings.
    Settings(Settings),
    /// An article, new or changed.
    Item(Item),
    /// Somebody who works here.
    Staff(Staff),
    /// A sale, new or further on.
    Sale(Sale),
    /// A refund, new or further on.
    Refund(Refund),
    /// What was booked since the last report.
    Period(Period),
    /// A Z report.
    Report(Signed<DayReport>),
    /// Up to where the wallet was heard.
    Cursor(Cursor),
    /// The shop's own papers at the time of a receipt.
    Papers(Introduction),
    /// The next event.
    Event(Event),
    /// The next line of the audit log.
    Audit(AuditLine),
    /// A line for the next sweep, under its number.
    Taking(u64, Line),
    /// The lines up to this number stand in a sweep, or stay with the shop.
    Taken(u64),
    /// The lines with these numbers are in a sweep that the bank has.
    TakingsGone(Vec<u64>),
    /// A sweep, new or further on.
    Sweep(Sweep),
    /// The list of the sweep with this id.
    SweepList(RequestId, Vec<u8>),
    /// The sweeps with these numbers follow with others.
    Renumbered(Vec<u64>),
    /// An order from afar.
    Order(Order),
    /// How orders are taken.
    OrderSettings(OrderSettings),
    /// Up to which journal entry the bank was asked about holds.
    HoldsRead(u64),
    /// What is handed over on line for an article.
    Content(String, Vec<u8>),
    /// A program that is told of events, and up to which.
    Hook(Hook),
    /// Since when nobody is told of orders there; or somebody is again.
    Notices(Channel, Option<Failing>),
    /// How copies of the book stand.
    Copies(Copies),
    /// This book was put back.
    Back(Back),
    /// The webhook with this name is no more.
    HookGone(String),
}

/// Something that programs may want to hear of. Numbers are gap-free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its number, from 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Happening,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// A sale changed its state.
    Sale {
        /// Which.
        sale: RequestId,
        /// At which till.
        till: String,
        /// Its new state.
        state: String,
        /// What it comes to.
        units: Units,
        /// The receipt's number, once it is paid.
        number: Option<u64>,
    },
    /// Money for a sale is safe now.
    Confirmed {
        /// Which.
        sale: RequestId,
    },
    /// Of the money for a sale, the bank had seen something spent before.
    SaleLost {
        /// Which.
        sale: RequestId,
        /// How much is lost.
        units: Units,
    },
    /// A payer has shown a payment again that an earlier workstation of ours had taken: no event of the wallet tells of
    /// it, and nothing is handed out for it. Somebody should look what it was for.
    ShownAgain {
        /// The payer.
        payer: Key,
        /// His payment id.
        payment: PaymentId,
        /// How much.
        units: Units,
    },
    /// A refund changed its state.
    Refund {
        /// Which.
        refund: RequestId,
        /// Of which sale.
        sale: RequestId,
        /// Its new state.
        state: String,
        /// How much.
        units: Units,
    },
    /// Articles changed.
    Catalogue {
        /// The catalogue's new version.
        version: u64,
        /// How many.
        items: u64,
    },
    /// A Z report was made.
    Report {
        /// Its number.
        number: u64,
        /// The day that it closed.
        day: Day,
    },
    /// A sweep changed its state, or has to wait.
    Sweep {
        /// Its number.
        number: u64,
        /// The day.
        day: Day,
        /// Its state.
        state: String,
        /// How much.
        units: Units,
        /// What keeps it waiting.
        note: String,
    },
    /// Somebody was given a role, or lost it.
    Staff {
        /// Who.
        staff: String,
        /// His role; nothing when it ended.
        role: Option<String>,
    },
    /// An order from afar changed; the money is there when its state is `held`.
    Order {
        /// Which.
        order: RequestId,
        /// Its new state.
        state: String,
        /// What it comes to.
        units: Units,
    },
    /// The settings changed.
    Settings {},
    /// The book was put back from a backup: events after `event` are others than those that had these numbers.
    PutBack {
        /// When the backup was made.
        made: Timestamp,
        /// The newest event in it.
        event: u64,
        /// The number of the last Z report that there is.
        reports: u64,
    },
    /// Money for a sale of which a book that was put back knows nothing: booked to its day, with the number it had.
    Unbooked {
        /// The sale as it stands now.
        sale: RequestId,
        /// Its business day.
        day: Day,
        /// How much.
        units: Units,
    },
    /// The bank holds money, or has held it, for an order of which a book that was put back knows nothing: somebody has to
    /// look for it.
    UnknownHold {
        /// Which.
        hold: RequestId,
        /// held, disputed or closed.
        state: String,
        /// What is left of it.
        units: Units,
    },
    /// A webhook is on, failing, off or removed.
    Webhook {
        /// Which.
        webhook: String,
        /// Its new state.
        state: String,
    },
    /// An event of the workstation's wallet.
    Wallet {
        /// Its number there.
        seq: u64,
    },
    /// The wallet has fewer events than were heard: it is an older one, or a restored one.
    WalletBehind {
        /// Up to where it had been heard.
        heard: u64,
        /// What it has.
        has: u64,
    },
}

/// Who asked for what, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLine {
    /// Its number, from 1.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// In which role.
    pub role: String,
    /// What was called.
    pub method: String,
    /// `done`, or the reason's word.
    pub outcome: String,
    /// The sale, refund, article or person that it was about.
    pub about: String,
}

/// What a rule decided: changes, and a reply that is kept back until they are on disk.
#[derive(Debug)]
#[must_use = "a decision does nothing until it is committed"]
pub struct Decision<R> {
    changes: Vec<Change>,
    reply: R,
}

impl<R> Decision<R> {
    /// Changes nothing.
    pub fn reply(reply: R) -> Decision<R> {
        Decision { changes: Vec::new(), reply }
    }

    /// The reply of a decision that is not taken.
    pub(super) fn would(self) -> R {
        self.reply
    }

    /// Makes the changes durable with `write`, then in memory, then gives the reply away.
    pub fn commit<E>(self, shop: &mut Shop, write: impl FnOnce(&[Change]) -> Result<(), E>) -> Result<R, E> {
        if !self.changes.is_empty() {
            write(&self.changes)?;
            self.changes.iter().for_each(|change| shop.apply(change));
        }
        Ok(self.reply)
    }
}

/// A decision being written: numbers run on within it, and what it booked is seen by what it books next.
#[derive(Debug)]
pub(super) struct Draft {
    changes: Vec<Change>,
    pub(super) period: Period,
    period_changed: bool,
    next_number: u64,
    next_event: u64,
    next_audit: u64,
    pub(super) next_taking: u64,
    pub(super) back: Option<Arc<Back>>,
    pub(super) back_changed: bool,
    now: Timestamp,
}

impl Draft {
    pub(super) fn at(shop: &Shop, now: Timestamp) -> Draft {
        Draft {
            changes: Vec::new(),
            period: shop.period.clone(),
            period_changed: false,
            next_number: shop.next_number,
            next_event: shop.next_event,
            next_audit: shop.next_audit,
            next_taking: shop.next_taking,
            back: shop.back.clone(),
            back_changed: false,
            now,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) fn put(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// A receipt's number: the one that it had, or the next.
    pub(super) fn number(&mut self, had: Option<u64>) -> u64 {
        had.unwrap_or_else(|| {
            self.next_number += 1;
            self.next_number - 1
        })
    }

    pub(super) fn event(&mut self, what: Happening) {
        self.changes.push(Change::Event(Event { seq: self.next_event, at: self.now, what }));
        self.next_event += 1;
    }

    pub(super) fn audit(&mut self, actor: &Actor, method: &str, outcome: &str, about: impl ToString) {
        self.changes.push(Change::Audit(AuditLine {
            number: self.next_audit,
            at: self.now,
            who: actor.name.clone(),
            role: actor.role.word().to_owned(),
            method: method.to_owned(),
            outcome: outcome.to_owned(),
            about: about.to_string(),
        }));
        self.next_audit += 1;
    }

    pub(super) fn book(&mut self, book: impl FnOnce(&mut Period)) {
        book(&mut self.period);
        self.period_changed = true;
    }

    pub(super) fn put_sale(&mut self, sale: Sale) {
        self.event(Happening::Sale {
            sale: sale.id,
            till: sale.till.clone(),
            state: sale.state.word().to_owned(),
            units: sale.total,
            number: sale.paid.as_ref().map(|paid| paid.number),
        });
        self.put(Change::Sale(sale));
    }

    pub(super) fn put_order(&mut self, order: Order) {
        self.event(Happening::Order {
            order: order.id(),
            state: order.state.word().to_owned(),
            units: order.body().total,
        });
        self.put(Change::Order(order));
    }

    pub(super) fn put_refund(&mut self, refund: Refund) {
        self.event(Happening::Refund {
            refund: refund.id,
            sale: refund.sale,
            state: refund.state.word().to_owned(),
            units: refund.units,
        });
        self.put(Change::Refund(refund));
    }

    pub(super) fn decide<R>(mut self, reply: R) -> Decision<R> {
        if self.period_changed {
            self.changes.push(Change::Period(self.period));
        }
        if let Some(back) = self.back.filter(|_| self.back_changed) {
            self.changes.push(Change::Back(Arc::unwrap_or_clone(back)));
        }
        Decision { changes: self.changes, reply }
    }
}

impl Shop {
    /// Notes what came of a word about an order's money.
    pub fn note_said(
        &self,
        actor: &Actor,
        method: &str,
        (outcome, order): (&str, RequestId),
        now: Timestamp,
    ) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        draft.audit(actor, method, outcome, order);
        draft.decide(())
    }

    /// Notes what was asked, and what came of it: `done`, or the reason's word.
    pub fn note(&self, actor: &Actor, method: &str, outcome: &str, now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        draft.audit(actor, method, outcome, "");
        draft.decide(())
    }
}
