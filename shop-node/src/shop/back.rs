//! A book that was put back from a backup: what it does not know is told by the wallet and the bank, and is booked late.
//!
//! | what came after the backup | who knows it |
//! |---|---|
//! | payments for sales | the wallet's events: booked as *unbooked* sales to their days, with the receipt numbers that they had |
//! | refunds | the wallet's payments, by their memo: they count against their sales |
//! | orders | the bank's holds: those without an order are shown while they last, and booked when they end |
//! | what else moved | the wallet's history: the next report has it where it belongs |
//! | sweeps | the bank, with their lists: they are noted, and what stands in them is not swept again |
//! | receipt numbers | the same lists: what stands in one gets the number that it has there, what stands in none a higher one |
//! | Z reports | paper: the owner says the number of the last one, and the next one has the number after it |

use super::change::{Change, Decision, Draft, Happening};
use super::hearing::{Arrival, Cursor, Hearing, Outcome};
use super::refund::{Meant, Refund, RefundState, Why, short};
use super::rights::Actor;
use super::sale::{Line, Sale, SaleState};
use super::sweep::{Sweep, SweepState};
use super::{Refusal, Shop};
use protocol::body;
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::money::{OutOfRange, Units};
use protocol::time::{Day, Timestamp};
use protocol::wire::{HoldState, Sale as Taking, SaleKind, SalesList};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a book remembers of having been put back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Back {
    /// When the backup was made.
    pub made: Timestamp,
    /// When it was put back.
    pub at: Timestamp,
    /// What the wallet looked like at the place up to which it had been heard.
    pub wallet: Digest,
    /// Z reports that are not in it: their numbers are not used again.
    pub reports_missing: u64,
    /// Payments for sales that it did not know, so far.
    pub unbooked: u64,
    /// What they come to.
    pub units: Units,
    /// Whether the bank has been asked for sweeps that are not in it.
    pub asked: bool,
    /// Lines of those sweeps that nothing here was found for yet: what is booked later may be one of them.
    #[serde(default)]
    pub swept: Vec<Swept>,
    /// The highest receipt number in them.
    #[serde(default)]
    pub numbers: u64,
    /// Refunds that it did not know, so far.
    #[serde(default)]
    pub refunds: u64,
    /// Whether there may be refunds that nobody has told.
    #[serde(default)]
    pub unclear: bool,
    /// What the bank holds for orders that it does not know.
    #[serde(default)]
    pub holds: Vec<HoldState>,
}

/// A payment for a sale of which the book knows nothing.
#[derive(Clone, Debug)]
pub struct Lost {
    /// The till, as the request named it.
    pub till: String,
    /// The wallet's request.
    pub request: RequestId,
}

/// A payment of ours that this book does not know.
#[derive(Clone, Debug)]
pub struct Given {
    /// Its name.
    pub payment: PaymentId,
    /// What it was, by its memo.
    pub meant: Meant,
    /// The sale with the receipt that the memo names, if it is here.
    pub sale: Option<Sale>,
    /// To whom.
    pub to: Key,
    /// His name.
    pub name: String,
    /// How much.
    pub units: Units,
    /// The memo.
    pub memo: String,
    /// When.
    pub at: Timestamp,
    /// The program's token that it is counted to.
    pub token: Option<String>,
    /// Where it stands.
    pub outcome: Outcome,
}

/// A sweep as the bank has it.
#[derive(Clone, Debug)]
pub struct TheirSweep {
    /// What the shop signed.
    pub sweep: protocol::bank::Sweep,
    /// Its list.
    pub list: SalesList,
    /// The same as it was sent.
    pub bytes: Vec<u8>,
}

/// What a line is about; whether it came late depends on who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Booked {
    /// A sale at the counter.
    Sale,
    /// What was given back.
    Refund,
    /// An order that the bank released money for.
    Order,
}

/// A line of a sweep that the bank has. When a sale was paid, and for how much, is the wallet's or the bank's to say, and the
/// same in a book that was put back; a receipt's number is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    /// What it is about.
    pub what: Booked,
    /// The receipt's number.
    pub number: u64,
    /// When it was paid, or given back.
    pub at: Timestamp,
    /// How much.
    pub units: Units,
}

impl From<&Taking> for Swept {
    fn from(line: &Taking) -> Swept {
        let what = match line.kind {
            SaleKind::Sale | SaleKind::Late => Booked::Sale,
            SaleKind::Refund => Booked::Refund,
            SaleKind::Order => Booked::Order,
        };
        Swept { what, number: line.number, at: line.at, units: line.units }
    }
}

impl Swept {
    fn is_like(&self, other: &Swept) -> bool {
        (self.what, self.at, self.units) == (other.what, other.at, other.units)
    }
}

/// Takes the line that fits out of `swept`; of two that look alike the one with this number, or the first.
fn taken_out(swept: &mut Vec<Swept>, number: u64, fits: impl Fn(&Swept) -> bool) -> Option<Swept> {
    let found = swept.iter().enumerate().filter(|(_, line)| fits(line));
    let (place, _) = found.min_by_key(|(_, line)| (line.number != number, line.number))?;
    Some(swept.swap_remove(place))
}

impl Draft {
    /// Whether what is booked now stands in a sweep that the bank has: its number there. It is not to be swept again.
    pub(super) fn swept_as(&mut self, what: Booked, at: Timestamp, units: Units) -> Option<u64> {
        let asked = Swept { what, number: 0, at, units };
        self.swept(0, |line| line.is_like(&asked))
    }

    /// The same for what was given back of the sale with this number: when that was heard is the old book's own.
    pub(super) fn refund_is_swept(&mut self, number: u64, units: Units, begun: Timestamp) -> bool {
        let known = self.back.as_ref().is_some_and(|back| begun < back.at);
        let same = |line: &Swept| (line.what, line.number, line.units) == (Booked::Refund, number, units);
        known && self.swept(number, same).is_some()
    }

    fn swept(&mut self, number: u64, fits: impl Fn(&Swept) -> bool) -> Option<u64> {
        let back = self.back.as_mut().filter(|back| back.swept.iter().any(&fits))?;
        self.back_changed = true;
        taken_out(&mut Arc::make_mut(back).swept, number, fits).map(|line| line.number)
    }
}

impl Draft {
    /// What was given back after the copy is not known in full.
    pub(super) fn refunds_unclear(&mut self) {
        if let Some(back) = self.back.as_mut().filter(|back| !back.unclear) {
            Arc::make_mut(back).unclear = true;
            self.back_changed = true;
        }
    }
}

impl Hearing<'_> {
    /// The refund that this page has of a payment.
    pub(super) fn refund_by(&self, payment: &PaymentId) -> Option<&Refund> {
        self.refunds.values().find(|refund| refund.payment == *payment)
    }

    /// A refund that the lost book had made counts against its sale as it did there: its note is the customer's, and no second
    /// one is made. What does not fit a sale leaves it open what else was given back.
    pub(super) fn given(&mut self, given: Option<Box<Given>>) -> Result<(), OutOfRange> {
        let Some(given) = given else {
            self.draft.refunds_unclear();
            return Ok(());
        };
        let after = self.draft.back.as_ref().is_none_or(|back| given.at >= back.at);
        if after {
            return Ok(());
        }
        if let Some(refund) = self.refund_by(&given.payment).cloned() {
            self.outgoing(refund, given.sale, given.outcome);
            return Ok(());
        }
        if given.outcome == Outcome::NotDone {
            return Ok(());
        }
        let Some(sale) = self.sale_given_for(&given) else {
            self.draft.refunds_unclear();
            return Ok(());
        };
        let refund = self.refund_again(&sale, &given);
        let sale = Sale { refunded: sale.refunded.plus(given.units)?, refunds: sale.refunds + 1, ..sale };
        self.draft.put(Change::Sale(sale.clone()));
        if let (Outcome::Done(order), Some(paid)) = (given.outcome, &sale.paid) {
            let today = self.shop.today(self.draft.now());
            self.draft.book(|period| {
                let tally = period.tally(today, &sale.till);
                tally.refunds = tally.refunds.saturating_add(1);
            });
            if !self.draft.refund_is_swept(paid.number, given.units, given.at) {
                let (number, at, units, till) = (paid.number, given.at, given.units, sale.till.clone());
                self.draft.take(Taking { number, at, units, kind: SaleKind::Refund, till, receipt: order });
            }
        }
        if let Some(back) = self.draft.back.as_mut().map(Arc::make_mut) {
            back.refunds += 1;
            self.draft.back_changed = true;
        }
        self.sales.insert(sale.id, sale);
        self.put_refund(refund);
        Ok(())
    }

    /// The sale of which that was given back: paid by the same, and with as much left.
    fn sale_given_for(&self, given: &Given) -> Option<Sale> {
        let Meant::Refund(number) = given.meant else { return None };
        let its = |sale: &&Sale| sale.paid.as_ref().is_some_and(|paid| paid.number == number);
        let stored = given.sale.as_ref().map(|sale| self.sales.get(&sale.id).unwrap_or(sale));
        let sale = self.sales.values().find(its).or(stored)?;
        let his = sale.paid.as_ref().is_some_and(|paid| paid.payer == given.to);
        let left = sale.total.minus(sale.refunded).is_ok_and(|left| given.units <= left);
        (his && left).then(|| sale.clone())
    }

    fn refund_again(&self, sale: &Sale, given: &Given) -> Refund {
        let done = matches!(given.outcome, Outcome::Done(_));
        Refund {
            id: RequestId(short("shop-given", &[&given.payment.0])),
            call: Digest::default(),
            sale: sale.id,
            till: sale.till.clone(),
            why: Why::Customer,
            reason: given.memo.split_once(": ").map(|(_, reason)| reason.to_owned()).unwrap_or_default(),
            to: given.to,
            name: given.name.clone(),
            units: given.units,
            by: "shop".to_owned(),
            token: given.token.clone(),
            begun: given.at,
            state: if done { RefundState::Done } else { RefundState::Paying },
            safe: true,
            held: String::new(),
            attempt: 0,
            not_before: given.at,
            payment: given.payment,
            note: None,
        }
    }
}

impl Shop {
    /// Whether all that was given back of a sale paid then is known: after the copy somebody may have been told otherwise.
    pub(super) fn knows_refunds_of(&self, paid: Timestamp) -> Result<(), Refusal> {
        match self.back().filter(|back| paid < back.at && (back.unclear || self.numbers_wait())) {
            Some(back) => Err(Refusal::MaybeGiven { made: back.made }),
            None => Ok(()),
        }
    }

    /// Whether, and how, this book was put back.
    pub fn back(&self) -> Option<&Back> {
        self.back.as_deref()
    }

    /// The book is put back. `last` is the number of the last Z report that there is anywhere.
    pub fn put_back(
        &self,
        (made, wallet): (Timestamp, Digest),
        last: u64,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Decision<Back>, Refusal> {
        let has = self.period().reports;
        let missing = last.checked_sub(has).ok_or_else(|| {
            Refusal::Value(format!("the backup itself has Z report {has}: the last one is no earlier"))
        })?;
        let (unbooked, units) = (0, Units::ZERO);
        let back = Back {
            made,
            at: now,
            wallet,
            reports_missing: missing,
            unbooked,
            units,
            asked: false,
            swept: Vec::new(),
            numbers: 0,
            refunds: 0,
            unclear: false,
            holds: Vec::new(),
        };
        let mut draft = Draft::at(self, now);
        let event = self.newest_event();
        draft.event(Happening::PutBack { made, event, reports: last });
        draft.audit(actor, "backup.restore", "done", format!("made {made}, Z reports go on after {last}"));
        draft.book(|period| period.reports = last);
        draft.put(Change::Back(back.clone()));
        Ok(draft.decide(back))
    }

    /// The wallet is the one that this book heard: it goes on where it was.
    pub fn wallet_goes_on(&self, generation: u32, now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        if let Some(cursor) = self.cursor() {
            draft.put(Change::Cursor(Cursor { generation, ..cursor }));
        }
        draft.decide(())
    }

    /// The sale that a payment was for, as far as the wallet tells it.
    pub(super) fn unbooked_sale(&self, arrival: &Arrival, lost: &Lost) -> Sale {
        let Arrival { payer, payment, .. } = arrival;
        let digest = body::digest("shop-unbooked", &[&payer.0[..], &payment.0].concat());
        let (id, _) = digest.0.split_first_chunk().expect("a digest has 32 bytes");
        let line = Line {
            sku: String::new(),
            name: "sold before the book was put back".to_owned(),
            quantity: 1,
            price: arrival.units,
        };
        Sale {
            id: RequestId(*id),
            call: digest,
            till: lost.till.clone(),
            // It was opened after the backup, and so after the last report that is in it.
            day: self.today(arrival.at),
            opened: arrival.at,
            by: "shop".to_owned(),
            lines: vec![line],
            total: arrival.units,
            seconds: 0,
            state: SaleState::Asked,
            request: Some(lost.request),
            expires: None,
            paid: None,
            refunded: Units::ZERO,
            refunds: 0,
        }
    }

    /// The first sweep of which this book may know nothing; nothing, when the bank need not be asked.
    pub fn sweeps_unknown(&self) -> Option<u64> {
        let asks = self.back().is_some_and(|back| !back.asked);
        asks.then(|| self.next_sweep_number())
    }

    /// Whether numbers of receipts may stand in a sweep that is not known yet: then nothing is given one.
    pub(super) fn numbers_wait(&self) -> bool {
        self.settings().sweep && self.sweeps_unknown().is_some()
    }

    /// A book that was put back sweeps nothing before the bank has told what it has.
    pub(super) fn may_sweep(&self) -> Result<(), Refusal> {
        match self.sweeps_unknown() {
            None => Ok(()),
            Some(_) => Err(Refusal::State {
                what: "book",
                state: "put back",
                why: "the bank has first to tell which sweeps are not in it: unlock the till while the bank is there",
            }),
        }
    }

    /// What the bank has of sweeps after this book's last one, and which lines wait here for the next.
    pub fn sweeps_told(
        &self,
        theirs: Vec<TheirSweep>,
        lines: &[(u64, Taking)],
        now: Timestamp,
    ) -> Decision<()> {
        let Some(back) = self.back().filter(|back| !back.asked).cloned() else { return Decision::reply(()) };
        let mut draft = Draft::at(self, now);
        let mut swept: Vec<Swept> = Vec::new();
        let mut closed: Option<Day> = None;
        for TheirSweep { sweep, list, bytes } in theirs {
            if sweep.number < self.next_sweep_number() {
                continue;
            }
            swept.extend(list.sales.iter().map(Swept::from));
            closed = closed.max(Some(sweep.day));
            let id = sweep.request;
            draft.put(Change::SweepList(id, bytes));
            draft.put_sweep(Sweep {
                number: sweep.number,
                id,
                request: sweep.request,
                created: sweep.created,
                day: sweep.day,
                units: sweep.units,
                ordered: sweep.ordered,
                sales: sweep.sales,
                list: sweep.list,
                state: SweepState::Done(0, sweep.created),
                deposited: sweep.units.minus(sweep.ordered).unwrap_or_default(),
                part: 0,
                from_account: false,
                held: "found at the bank: this book was put back from before it".to_owned(),
                tries: 0,
                not_before: sweep.created,
                misnumbered: false,
            });
        }
        let numbers = swept.iter().map(|line| line.number).fold(back.numbers, u64::max);
        let mut gone = Vec::new();
        for (at, line) in lines {
            let mine = Swept::from(line);
            if taken_out(&mut swept, mine.number, |line| line.is_like(&mine)).is_some() {
                gone.push(*at);
            }
        }
        draft.put(Change::TakingsGone(gone));
        // Reports that are missing have closed the days that were swept.
        if back.reports_missing > 0 {
            draft.book(|period| period.closed = period.closed.max(closed));
        }
        draft.put(Change::Back(Back { asked: true, swept, numbers, ..back }));
        draft.decide(())
    }
}
