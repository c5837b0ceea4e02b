//! What an order comes to once the bank has released its money: a sale like those at the counter (SPEC §3.10, §4.18).
//!
//! It has a number and a receipt document, a line in the next sweep and in the day's report, and refunds against it. Its
//! money is on the account and never was in the till.

use super::Shop;
use super::back::Booked;
use super::change::{Change, Draft, Happening};
use super::order::Order;
use super::refund::{Refund, RefundState, Why, payment_of, short};
use super::sale::{Line, Paid, Sale, SalePaper, SaleState};
use protocol::bank::Introduction;
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::money::Units;
use protocol::shop::OrderReceipt;
use protocol::sign::Signer;
use protocol::time::Timestamp;
use protocol::wire::{HoldState, HoldStep, Sale as Taking, SaleKind};
use std::sync::Arc;

/// The name under which orders stand where sales have their till.
pub const ORDERS: &str = "orders";

/// Most holds without an order that are kept.
const STRAYS_MAX: usize = 1_000;

/// How a hold stands, for programs.
pub fn hold_word(step: &HoldStep) -> &'static str {
    match step {
        HoldStep::Open => "held",
        HoldStep::Disputed(..) => "disputed",
        HoldStep::Closed(..) => "closed",
    }
}

/// The sale of an order: its buyer chose the order's name, so it is not the sale's.
fn sale_of(order: &RequestId) -> RequestId {
    RequestId(short("shop-order-sale", &[&order.0]))
}

/// What the bank released to the shop for an order that it had refused, or never accepted.
fn given_back(sale: &Sale, to: Key, name: String, now: Timestamp) -> Refund {
    let id = RequestId(short("shop-order-back", &[&sale.id.0]));
    Refund {
        id,
        call: Digest::default(),
        sale: sale.id,
        till: sale.till.clone(),
        why: Why::Customer,
        reason: "the order was not accepted".to_owned(),
        to,
        name,
        units: sale.refunded,
        by: "shop".to_owned(),
        token: None,
        begun: now,
        state: RefundState::Owed,
        safe: true,
        held: String::new(),
        attempt: 0,
        not_before: now,
        payment: payment_of(&id, 0),
        note: None,
    }
}

/// What a hold has ended with, and for which order.
struct Released<'a> {
    hold: &'a HoldState,
    released: Units,
    returned: Units,
    at: Timestamp,
    order: RequestId,
    buyer: &'a str,
    placed: Timestamp,
    lines: Vec<Line>,
    /// Whether it goes back.
    unwanted: bool,
}

impl Draft {
    /// Notes a hold of whose order a book that was put back knows nothing: shown while it lasts, and booked when it ends.
    pub(super) fn stray(&mut self, shop: &Shop, hold: HoldState, node: &Signer, papers: &Introduction) {
        // What was told once is booked, or noted, already.
        let Some(back) = self.back.as_mut().filter(|_| hold.changed > shop.holds_read()) else { return };
        let known = back.holds.iter().position(|known| known.id == hold.id);
        if known.and_then(|at| back.holds.get(at)).is_some_and(|known| known.changed >= hold.changed) {
            return;
        }
        self.back_changed = true;
        let back = Arc::make_mut(back);
        if let Some(at) = known {
            back.holds.swap_remove(at);
        }
        let units = hold.left;
        if let HoldStep::Closed(released, returned, at) = hold.step {
            if !released.is_zero() {
                let name = "ordered before the book was put back".to_owned();
                let line = Line { sku: String::new(), name, quantity: 1, price: hold.units };
                let order = RequestId(short("shop-order-unknown", &[&hold.order.0]));
                let (hold, lines) = (&hold, vec![line]);
                let (buyer, placed, unwanted) = ("", at, false);
                let sale = Released { hold, released, returned, at, order, buyer, placed, lines, unwanted };
                self.book_released(shop, sale, node, papers);
            }
        } else if back.holds.len() < STRAYS_MAX {
            back.holds.push(hold.clone());
        } else {
            tracing::warn!(hold = %hold.id, "more holds without an order than are kept");
        }
        self.event(Happening::UnknownHold { hold: hold.id, state: hold_word(&hold.step).to_owned(), units });
    }

    /// Books an order whose hold has just ended with something for the shop; once only. Of an `unwanted` one, all of that is
    /// given back by itself, out of the till.
    pub(super) fn sell(
        &mut self,
        shop: &Shop,
        order: &mut Order,
        unwanted: bool,
        (node, papers): (&Signer, &Introduction),
    ) {
        let Some(hold) = order.hold.clone().filter(|_| order.sale.is_none()) else { return };
        let HoldStep::Closed(released, returned, at) = hold.step else { return };
        if released.is_zero() {
            return;
        }
        let body = order.body();
        let line = |line: &protocol::shop::SaleLine| Line {
            sku: line.sku.to_string(),
            name: line.name.to_string(),
            quantity: line.quantity,
            price: line.price,
        };
        let lines = body.lines.iter().map(line).collect();
        let (id, buyer, placed) = (order.id(), &order.buyer, order.placed);
        let hold = &hold;
        let ended = Released { hold, released, returned, at, order: id, buyer, placed, lines, unwanted };
        order.sale = Some(self.book_released(shop, ended, node, papers));
    }

    fn book_released(
        &mut self,
        shop: &Shop,
        ended: Released<'_>,
        node: &Signer,
        papers: &Introduction,
    ) -> RequestId {
        let Released { hold, released, returned, at, order, buyer, placed, lines, unwanted } = ended;
        let (had, today) = (self.swept_as(Booked::Order, at, released), shop.today(self.now()));
        let number = self.number(had);
        let receipt = node.sign(OrderReceipt {
            bank: shop.keeper().bank,
            shop: hold.shop,
            number,
            buyer: hold.buyer,
            order: hold.order,
            hold: hold.id,
            at,
            total: hold.units,
            released,
            returned,
        });
        if had.is_none() {
            self.take(Taking {
                number,
                at,
                units: released,
                kind: SaleKind::Order,
                till: ORDERS.to_owned(),
                receipt: receipt.digest(),
            });
        }
        self.book(|period| {
            let tally = period.tally(today, ORDERS);
            tally.orders = tally.orders.saturating_add(1);
            // All that the bank owes is below 2^53.
            tally.ordered = tally.ordered.plus(released).unwrap_or(Units::MAX);
        });
        let paid = Paid {
            number,
            payer: hold.buyer,
            name: buyer.to_owned(),
            // There is no payment: a name that no payment has.
            payment: PaymentId(short("shop-order-payment", &[&hold.id.0])),
            at,
            confirmed: true,
            lost: Units::ZERO,
            late: self.period.is_closed(today),
            receipt: SalePaper::Order(order, receipt),
        };
        let mut sale = Sale {
            id: sale_of(&order),
            call: Digest::default(),
            till: ORDERS.to_owned(),
            day: today,
            opened: placed,
            by: ORDERS.to_owned(),
            lines,
            // What went back before is not the shop's to give back.
            total: released,
            seconds: 0,
            state: SaleState::Paid,
            request: None,
            expires: None,
            paid: Some(paid),
            refunded: Units::ZERO,
            refunds: 0,
        };
        if unwanted {
            (sale.refunded, sale.refunds) = (released, 1);
            self.put_refund(given_back(&sale, hold.buyer, buyer.to_owned(), self.now()));
        }
        let id = sale.id;
        self.put_sale(sale);
        self.put(Change::Papers(papers.clone()));
        id
    }
}
