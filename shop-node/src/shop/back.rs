//! A book that was put back from a backup: what it does not know is told by the wallet and the bank, and is booked late.
//!
//! | what came after the backup | who knows it |
//! |---|---|
//! | payments for sales | the wallet's events: booked as *unbooked* sales to their days, with the receipt numbers that they had |
//! | what else moved | the wallet's history: the next report has it where it belongs |
//! | sweeps | the bank, with their lists: they are noted, and what stands in them is not swept again |
//! | Z reports | paper: the owner says the number of the last one, and the next one has the number after it |

use super::change::{Change, Decision, Draft, Happening};
use super::hearing::{Arrival, Cursor};
use super::rights::Actor;
use super::sale::{Line, Sale, SaleState};
use super::sweep::{Sweep, SweepState};
use super::{Refusal, Shop};
use protocol::body;
use protocol::id::{Digest, RequestId};
use protocol::money::Units;
use protocol::time::{Day, Timestamp};
use protocol::wire::{Sale as Taking, SaleKind, SalesList};
use serde::{Deserialize, Serialize};

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
}

/// A payment for a sale of which the book knows nothing.
#[derive(Clone, Debug)]
pub struct Lost {
    /// The till, as the request named it.
    pub till: String,
    /// The wallet's request.
    pub request: RequestId,
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

/// A line for a sweep, however its receipt was printed.
type Name = (bool, u64, Units);

fn name_of(line: &Taking) -> Name {
    (line.kind == SaleKind::Refund, line.number, line.units)
}

impl Shop {
    /// Whether, and how, this book was put back.
    pub fn back(&self) -> Option<&Back> {
        self.back.as_ref()
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
        let back = Back { made, at: now, wallet, reports_missing: missing, unbooked, units, asked: false };
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
        let mut swept: Vec<Name> = Vec::new();
        let mut closed: Option<Day> = None;
        for TheirSweep { sweep, list, bytes } in theirs {
            if sweep.number < self.next_sweep_number() {
                continue;
            }
            swept.extend(list.sales.iter().map(name_of));
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
        let mut gone = Vec::new();
        for (at, line) in lines {
            if let Some(place) = swept.iter().position(|name| *name == name_of(line)) {
                swept.swap_remove(place);
                gone.push(*at);
            }
        }
        draft.put(Change::TakingsGone(gone));
        // Reports that are missing have closed the days that were swept.
        if back.reports_missing > 0 {
            draft.book(|period| period.closed = period.closed.max(closed));
        }
        draft.put(Change::Back(Back { asked: true, ..back }));
        draft.decide(())
    }
}
