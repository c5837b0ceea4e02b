//! What the wallet's events and history mean to the shop: paid, safe, given back; and what every unit is booked under.
//!
//! Events and lines have numbers without gaps. The cursor stands in the same transaction as what they led to, so each is
//! taken once, whatever crashes; what is shown twice is known by its number.

use super::back::{Booked, Given, Lost};
use super::change::{Change, Decision, Draft, Happening};
use super::day::{Period, add};
use super::refund::{LOST, Refund, RefundState, SentBack, Why, back_of, give_up, payment_of};
use super::sale::{Line, Paid, Sale, SalePaper, SaleState};
use super::{Refusal, Shop};
use protocol::bank::Introduction;
use protocol::body::Text;
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::money::{OutOfRange, Units};
use protocol::shop::{RefundNote, SaleReceipt};
use protocol::sign::{Signed, Signer};
use protocol::time::Timestamp;
use protocol::wire::{Sale as Taking, SaleKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long a refund waits after a payment that came to nothing; twice as long each time, up to an hour.
const AGAIN_SECONDS: u64 = 2;
/// After so many, a refund that somebody decided is given up: about a day. What was paid for nothing stays owed.
const ATTEMPTS_MAX: u32 = 36;

/// Up to where the wallet was heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The last event.
    pub event: u64,
    /// The last line of the history.
    pub line: u64,
    /// The generation of the workstation: a restored one has another, and numbers of its own.
    pub generation: u32,
}

/// Events and lines that follow on each other, with what the stores say about them.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The next events.
    pub events: Vec<HeardEvent>,
    /// The next lines of the history.
    pub lines: Vec<HeardLine>,
    /// The shop's papers now.
    pub papers: Introduction,
}

/// An event of the wallet.
#[derive(Clone, Debug)]
pub struct HeardEvent {
    /// Its number.
    pub seq: u64,
    /// What it is about.
    pub what: What,
}

/// What an event is about.
#[derive(Clone, Debug)]
pub enum What {
    /// Money came in.
    Received(Arrival),
    /// Money is safe.
    Confirmed(PaidFor),
    /// A payment of ours that is a refund.
    Outgoing(Refund, Option<Sale>, Outcome),
    /// A payment of ours that a book which was put back does not know: the shop's, by its memo, or nobody can tell.
    Given(Option<Box<Given>>),
    /// Something that concerns the workstation alone.
    Other,
}

/// What somebody's payment was for.
#[derive(Clone, Debug)]
pub struct PaidFor {
    /// The payer.
    pub payer: Key,
    /// His payment id.
    pub payment: PaymentId,
    /// The sale that it paid.
    pub sale: Option<Sale>,
    /// What is sent back, since nothing was sold for it.
    pub back: Option<Refund>,
}

/// Money that came in.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The payer.
    pub payer: Key,
    /// His certified name.
    pub name: String,
    /// His payment id.
    pub payment: PaymentId,
    /// How much.
    pub units: Units,
    /// When.
    pub at: Timestamp,
    /// Digest of the request it answers.
    pub request: Digest,
    /// Digest of his order.
    pub order: Digest,
    /// Digest of our receipt.
    pub receipt: Digest,
    /// Whether it came certified, so that it is safe at once.
    pub certified: bool,
    /// The sale that its request was made for.
    pub sale: Option<Sale>,
    /// What the wallet knows of that sale, where a book that was put back knows nothing.
    pub lost: Option<Lost>,
}

/// Where a payment of ours stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody knows yet.
    Open,
    /// It is the customer's; with the digest of our order.
    Done(Digest),
    /// We have it.
    NotDone,
}

/// A line of the wallet's history.
#[derive(Clone, Debug)]
pub struct HeardLine {
    /// Its number.
    pub seq: u64,
    /// What moved.
    pub moved: Moved,
    /// How much.
    pub units: Units,
}

/// What moved, as far as it is not told by an event.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a page of them lives for a moment")]
pub enum Moved {
    /// From the account into the reserve.
    Withdrawn,
    /// From the reserve into the account.
    Deposited,
    /// Paid; for a refund, if it is one.
    Sent(Option<Refund>),
    /// Paid, for a refund that this page may tell of, or for nothing of the shop's.
    Paid(PaymentId),
    /// A payment that came to nothing.
    Returned(Option<Refund>),
    /// A payment that nobody answered, reclaimed: the units are on the account.
    Reclaimed(Option<Refund>),
    /// The bank had seen it spent before.
    Lost(PaidFor),
    /// An earlier workstation of ours had handed it on.
    Passed,
    /// Received again after a restore, which no event tells of.
    ShownAgain(Key, PaymentId),
    /// Told by an event, or not of the reserve.
    Elsewhere,
}

/// What one page leads to.
pub(super) struct Hearing<'a> {
    pub(super) shop: &'a Shop,
    node: &'a Signer,
    pub(super) draft: Draft,
    pub(super) sales: BTreeMap<RequestId, Sale>,
    pub(super) refunds: BTreeMap<RequestId, Refund>,
    paid: bool,
}

impl Shop {
    /// The wallet is heard for the first time: what it holds now is the opening.
    pub fn begin_hearing(&self, at: Cursor, reserve: Units, now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        draft.book(|period| (period.from, period.opening) = (now, reserve));
        draft.put(Change::Cursor(at));
        draft.decide(())
    }

    /// The wallet has fewer events than were heard: it was restored, and goes on from where it is. What it had told
    /// before is booked; what it has lost shows as the next report's variance.
    pub fn wallet_is_behind(&self, at: Cursor, now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        let heard = self.cursor().unwrap_or_default().event;
        draft.event(Happening::WalletBehind { heard, has: at.event });
        draft.refunds_unclear();
        draft.put(Change::Cursor(at));
        draft.decide(())
    }

    fn hearing<'a>(&'a self, node: &'a Signer, now: Timestamp) -> Hearing<'a> {
        let (sales, refunds) = (BTreeMap::new(), BTreeMap::new());
        Hearing { shop: self, node, draft: Draft::at(self, now), sales, refunds, paid: false }
    }

    /// What paid a sale, where no event has told it: a restored wallet has it, and its events are others.
    pub fn hear_arrival(
        &self,
        arrival: Arrival,
        papers: Introduction,
        node: &Signer,
        now: Timestamp,
    ) -> Result<Decision<()>, Refusal> {
        if self.numbers_wait() {
            return Ok(Decision::reply(()));
        }
        let mut hearing = self.hearing(node, now);
        hearing.received(arrival)?;
        let Hearing { mut draft, paid, .. } = hearing;
        if paid {
            draft.put(Change::Papers(papers));
        }
        Ok(draft.decide(()))
    }

    /// Where the payment of a refund stands by the wallet's file; nothing, if it knows none. A restored wallet may have
    /// told it in no event that we heard, or may have lost it: then somebody has to ask the customer, since what a lost
    /// workstation has paid might be paid twice.
    pub fn refund_stands(
        &self,
        id: &RequestId,
        payment: &PaymentId,
        outcome: Option<Outcome>,
        sale: Option<Sale>,
        node: &Signer,
        now: Timestamp,
    ) -> Decision<()> {
        let paying = |refund: &&Refund| refund.state == RefundState::Paying && refund.payment == *payment;
        let found = self.open_refunds().find(|refund| refund.id == *id).filter(paying).cloned();
        let Some(refund) = found else { return Decision::reply(()) };
        let mut hearing = self.hearing(node, now);
        match outcome {
            Some(outcome) => hearing.outgoing(refund, sale, outcome),
            None => {
                let held = "the wallet was restored, and knows no payment for it: ask the customer whether he has it";
                let refund = Refund { held: held.to_owned(), ..refund };
                let of = sale.filter(|_| refund.why == Why::Customer);
                give_up(&mut hearing.draft, refund, of);
            }
        }
        hearing.draft.decide(())
    }

    /// Takes a page of events and lines. Up to where it was heard is the cursor: a book that was put back stops at the first
    /// payment until the bank has told which numbers its sweeps have.
    pub fn hear(&self, heard: Heard, node: &Signer, now: Timestamp) -> Result<Decision<()>, Refusal> {
        let mut cursor = self.cursor().unwrap_or_default();
        let mut hearing = self.hearing(node, now);
        let (mut waits, numbers_wait) = (false, self.numbers_wait());
        for event in heard.events {
            waits |= numbers_wait && matches!(event.what, What::Received(_));
            if waits {
                break;
            }
            if event.seq != cursor.event + 1 {
                continue;
            }
            cursor.event = event.seq;
            hearing.draft.event(Happening::Wallet { seq: event.seq });
            hearing.event(event.what)?;
        }
        for line in heard.lines {
            if waits || line.seq != cursor.line + 1 {
                continue;
            }
            cursor.line = line.seq;
            hearing.line(line)?;
        }
        let Hearing { mut draft, paid, .. } = hearing;
        if paid {
            draft.put(Change::Papers(heard.papers));
        }
        draft.put(Change::Cursor(cursor));
        Ok(draft.decide(()))
    }
}

impl Hearing<'_> {
    /// The sale as this page has left it.
    fn sale(&self, known: Sale) -> Sale {
        self.sales.get(&known.id).cloned().unwrap_or(known)
    }

    fn event(&mut self, what: What) -> Result<(), Refusal> {
        match what {
            What::Received(arrival) => self.received(arrival),
            What::Confirmed(paid_for) => {
                self.confirmed(paid_for);
                Ok(())
            }
            What::Outgoing(refund, sale, outcome) => {
                self.outgoing(refund, sale, outcome);
                Ok(())
            }
            What::Given(given) => {
                self.given(given)?;
                Ok(())
            }
            What::Other => Ok(()),
        }
    }

    fn received(&mut self, mut arrival: Arrival) -> Result<(), Refusal> {
        let Some(sale) = arrival.sale.take() else {
            return match arrival.lost.take() {
                Some(lost) if self.draft.back.is_some() => self.unbooked(arrival, &lost),
                _ => self.for_nothing(arrival.units),
            };
        };
        let sale = self.sale(sale);
        let again = |paid: &Paid| (paid.payer, paid.payment) == (arrival.payer, arrival.payment);
        if sale.paid.as_ref().is_some_and(again) {
            return Ok(());
        }
        let why = match sale.state {
            SaleState::Open | SaleState::Asking | SaleState::Asked => return self.pay(sale, arrival),
            SaleState::Paid => Why::Twice,
            SaleState::Cancelled => Why::Cancelled,
            SaleState::Expired => Why::Expired,
        };
        self.for_nothing(arrival.units)?;
        let Arrival { payer, name, payment, units, certified: safe, .. } = arrival;
        let back = SentBack { sale: &sale, why, payer, name, payment, units, safe };
        let back = back.refund(self.draft.now());
        self.put_refund(back);
        Ok(())
    }

    /// Paid for a sale that a book which was put back does not know: it is a sale all the same, on its day. It has
    /// the number that it has in a sweep, or comes in its turn.
    fn unbooked(&mut self, arrival: Arrival, lost: &Lost) -> Result<(), Refusal> {
        let (sale, units) = (self.shop.unbooked_sale(&arrival, lost), arrival.units);
        self.draft.event(Happening::Unbooked { sale: sale.id, day: sale.day, units });
        if let Some(back) = self.draft.back.as_mut().map(Arc::make_mut) {
            (back.unbooked, back.units) = (back.unbooked + 1, back.units.plus(units)?);
            self.draft.back_changed = true;
        }
        self.pay(sale, arrival)
    }

    fn for_nothing(&mut self, units: Units) -> Result<(), Refusal> {
        Ok(self.book(|period| add(&mut period.other_in, units))?)
    }

    fn book(&mut self, book: impl FnOnce(&mut Period) -> Result<(), OutOfRange>) -> Result<(), OutOfRange> {
        let mut done = Ok(());
        self.draft.book(|period| done = book(period));
        done
    }

    fn pay(&mut self, sale: Sale, arrival: Arrival) -> Result<(), Refusal> {
        let had = self.draft.swept_as(Booked::Sale, arrival.at, arrival.units);
        let number = self.draft.number(had);
        let keeper = self.shop.keeper();
        let receipt = self.node.sign(SaleReceipt {
            bank: keeper.bank,
            shop: keeper.key,
            till: Text::new(&sale.till, 255).unwrap_or_default(),
            number,
            payer: arrival.payer,
            payment: arrival.payment,
            request: arrival.request,
            order: arrival.order,
            receipt: arrival.receipt,
            opened: sale.opened,
            at: arrival.at,
            total: sale.total,
            lines: sale.lines.iter().map(Line::on_paper).collect(),
        });
        let late = self.draft.period.is_closed(sale.day);
        self.book(|period| {
            let tally = period.tally(sale.day, &sale.till);
            tally.sales = tally.sales.saturating_add(1);
            add(&mut tally.received, arrival.units)
        })?;
        if had.is_none() {
            self.draft.take(Taking {
                number,
                at: arrival.at,
                units: arrival.units,
                kind: if late { SaleKind::Late } else { SaleKind::Sale },
                till: sale.till.clone(),
                receipt: receipt.digest(),
            });
        }
        let Arrival { payer, name, payment, at, certified: confirmed, .. } = arrival;
        let paid = Paid {
            number,
            payer,
            name,
            payment,
            at,
            confirmed,
            lost: Units::ZERO,
            late,
            receipt: SalePaper::Counter(receipt),
        };
        let sale = Sale { state: SaleState::Paid, paid: Some(paid), ..sale };
        self.sales.insert(sale.id, sale.clone());
        self.draft.put_sale(sale);
        self.paid = true;
        Ok(())
    }

    /// The bank has seen it: what waits for that goes out.
    fn confirmed(&mut self, what: PaidFor) {
        let what = self.as_it_is(what);
        for refund in self.kept_back(&what).into_iter().filter(|refund| !refund.safe) {
            self.put_refund(Refund { safe: true, held: String::new(), ..refund });
        }
        let Some(mut sale) = what.sale else { return };
        let Some(paid) = sale.paid.as_mut().filter(|paid| !paid.confirmed) else { return };
        paid.confirmed = true;
        self.draft.event(Happening::Confirmed { sale: sale.id });
        self.draft.put(Change::Sale(sale.clone()));
        self.sales.insert(sale.id, sale);
    }

    /// The bank had seen it spent before: nothing is given back for it that has not gone out yet.
    fn lost(&mut self, what: PaidFor, units: Units) -> Result<(), OutOfRange> {
        let what = self.as_it_is(what);
        let kept_back = self.kept_back(&what);
        let mut sale = what.sale;
        if let Some(paid) = sale.as_mut().and_then(|sale| sale.paid.as_mut()) {
            add(&mut paid.lost, units)?;
        }
        if let Some(sale) = sale.as_ref() {
            self.draft.event(Happening::SaleLost { sale: sale.id, units });
            self.draft.put(Change::Sale(sale.clone()));
        }
        for refund in kept_back {
            let refund = Refund { held: LOST.to_owned(), ..refund };
            self.refunds.insert(refund.id, Refund { state: RefundState::Failed, ..refund.clone() });
            match refund.why {
                Why::Customer => sale = give_up(&mut self.draft, refund, sale),
                Why::Cancelled | Why::Expired | Why::Twice => drop(give_up(&mut self.draft, refund, None)),
            }
        }
        if let Some(sale) = sale {
            self.sales.insert(sale.id, sale);
        }
        Ok(())
    }

    /// What a payment was for, as this page has left it: it may have come on this very page.
    fn as_it_is(&self, what: PaidFor) -> PaidFor {
        let his = |paid: &Paid| (paid.payer, paid.payment) == (what.payer, what.payment);
        let fresh = self.sales.values().find(|sale| sale.paid.as_ref().is_some_and(his)).cloned();
        let back = self.refunds.get(&back_of(&what.payer, &what.payment)).cloned();
        let sale = fresh.or(what.sale);
        PaidFor { sale, back: back.or(what.back), ..what }
    }

    /// Refunds of what a payment was for that the wallet has not been asked for yet.
    fn kept_back(&self, what: &PaidFor) -> Vec<Refund> {
        let of_sale = |refund: &&Refund| {
            refund.why == Why::Customer && what.sale.as_ref().is_some_and(|sale| sale.id == refund.sale)
        };
        let of_sale = self.shop.open_refunds().filter(of_sale).cloned();
        let known = of_sale.chain(what.back.clone());
        let newest = known.map(|refund| self.refunds.get(&refund.id).cloned().unwrap_or(refund));
        newest.filter(|refund| refund.state == RefundState::Owed).collect()
    }

    pub(super) fn put_refund(&mut self, refund: Refund) {
        self.refunds.insert(refund.id, refund.clone());
        self.draft.put_refund(refund);
    }

    pub(super) fn outgoing(&mut self, refund: Refund, sale: Option<Sale>, outcome: Outcome) {
        let refund = self.refunds.get(&refund.id).cloned().unwrap_or(refund);
        if !refund.state.is_open() {
            return;
        }
        let sale = sale.map(|sale| self.sale(sale));
        let now = self.draft.now();
        let refund = match (outcome, refund.why) {
            (Outcome::Open, _) => return,
            (Outcome::Done(order), _) => {
                // Counted when it is done, whatever came back on the way; its units are booked as they move.
                if refund.why == Why::Customer {
                    let today = self.shop.today(now);
                    self.draft.book(|period| {
                        let tally = period.tally(today, &refund.till);
                        tally.refunds = tally.refunds.saturating_add(1);
                    });
                }
                let note = self.note(&refund, sale.as_ref(), order).map(|note| self.node.sign(note));
                self.take_back(&refund, sale.as_ref(), note.as_ref());
                Refund { state: RefundState::Done, held: String::new(), note, ..refund }
            }
            (Outcome::NotDone, Why::Customer) if refund.attempt + 1 >= ATTEMPTS_MAX => {
                let failed = Refund { state: RefundState::Failed, ..refund.clone() };
                if let Some(sale) = give_up(&mut self.draft, refund, sale) {
                    self.sales.insert(sale.id, sale);
                }
                self.refunds.insert(failed.id, failed);
                return;
            }
            (Outcome::NotDone, _) => {
                let wait = AGAIN_SECONDS << refund.attempt.min(11);
                let (attempt, not_before) = (refund.attempt + 1, now.plus_seconds(wait.min(3600)));
                let payment = payment_of(&refund.id, attempt);
                let held = "the payment came to nothing; it is tried again".to_owned();
                Refund { state: RefundState::Owed, attempt, not_before, payment, held, ..refund }
            }
        };
        self.put_refund(refund);
    }

    /// A refund that went out counts against what was taken.
    fn take_back(&mut self, refund: &Refund, sale: Option<&Sale>, note: Option<&Signed<RefundNote>>) {
        let number = sale.and_then(|sale| sale.paid.as_ref()).map(|paid| paid.number);
        let (Some(number), Some(note)) = (number, note) else { return };
        if self.draft.refund_is_swept(number, refund.units, refund.begun) {
            return;
        }
        self.draft.take(Taking {
            number,
            at: self.draft.now(),
            units: refund.units,
            kind: SaleKind::Refund,
            till: refund.till.clone(),
            receipt: note.digest(),
        });
    }

    fn note(&self, refund: &Refund, sale: Option<&Sale>, order: Digest) -> Option<RefundNote> {
        let paid = sale?.paid.as_ref().filter(|_| refund.why == Why::Customer)?;
        Some(RefundNote {
            bank: self.shop.keeper().bank,
            shop: self.shop.keeper().key,
            sale: paid.receipt.digest(),
            refund: refund.id,
            units: refund.units,
            to: refund.to,
            payment: refund.payment,
            order,
            at: self.draft.now(),
            reason: Text::new(&refund.reason, 255).unwrap_or_default(),
        })
    }

    fn line(&mut self, line: HeardLine) -> Result<(), OutOfRange> {
        let units = line.units;
        let today = self.shop.today(self.draft.now());
        let moved = match line.moved {
            Moved::Paid(payment) => Moved::Sent(self.refund_by(&payment).cloned()),
            moved => moved,
        };
        if let Moved::Lost(what) = &moved {
            self.lost(what.clone(), units)?;
        }
        if let Moved::ShownAgain(payer, payment) = moved {
            self.draft.event(Happening::ShownAgain { payer, payment, units });
        }
        self.book(|period| match moved {
            Moved::Withdrawn => add(&mut period.withdrawn, units),
            Moved::Deposited => add(&mut period.swept, units),
            Moved::Lost(_) => add(&mut period.lost, units),
            Moved::Sent(Some(refund)) if refund.why == Why::Customer => {
                add(&mut period.tally(today, &refund.till).refunded, units)
            }
            Moved::Sent(Some(_)) => add(&mut period.sent_back, units),
            Moved::Sent(None) | Moved::Paid(_) | Moved::Passed => add(&mut period.other_out, units),
            Moved::Returned(refund) => period.take_off(refund.as_ref(), units),
            // Not given back, and not in the reserve either.
            Moved::Reclaimed(refund) => {
                period.take_off(refund.as_ref(), units)?;
                add(&mut period.swept, units)
            }
            Moved::ShownAgain(..) => add(&mut period.other_in, units),
            Moved::Elsewhere => Ok(()),
        })
    }
}
