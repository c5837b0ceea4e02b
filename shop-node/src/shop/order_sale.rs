//! What an order comes to once the bank has released its money: a sale like those at the counter (SPEC §3.10, §4.18).
//!
//! It has a number and a receipt document, a line in the next sweep and in the day's report, and refunds against it. Its
//! money is on the account and never was in the till.

use super::Shop;
use super::back::Booked;
use super::change::{Change, Draft};
use super::order::Order;
use super::refund::{Refund, RefundState, Why, payment_of, short};
use super::sale::{Line, Paid, Sale, SalePaper, SaleState};
use protocol::bank::Introduction;
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::money::Units;
use protocol::shop::OrderReceipt;
use protocol::sign::Signer;
use protocol::time::Timestamp;
use protocol::wire::{HoldStep, Sale as Taking, SaleKind};

/// The name under which orders stand where sales have their till.
pub const ORDERS: &str = "orders";

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

impl Draft {
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
        let (had, today) = (self.swept_as(Booked::Order, at, released), shop.today(self.now()));
        let number = self.number(had);
        let body = order.body();
        let receipt = node.sign(OrderReceipt {
            bank: body.bank,
            shop: body.shop,
            number,
            buyer: body.buyer,
            order: order.order.digest(),
            hold: hold.id,
            at,
            total: body.total,
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
        let line = |line: &protocol::shop::SaleLine| Line {
            sku: line.sku.to_string(),
            name: line.name.to_string(),
            quantity: line.quantity,
            price: line.price,
        };
        let paid = Paid {
            number,
            payer: body.buyer,
            name: order.buyer.clone(),
            // There is no payment: a name that no payment has.
            payment: PaymentId(short("shop-order-payment", &[&hold.id.0])),
            at,
            confirmed: true,
            lost: Units::ZERO,
            late: self.period.is_closed(today),
            receipt: SalePaper::Order(order.id(), receipt),
        };
        let mut sale = Sale {
            id: sale_of(&order.id()),
            call: Digest::default(),
            till: ORDERS.to_owned(),
            day: today,
            opened: order.placed,
            by: ORDERS.to_owned(),
            lines: body.lines.iter().map(line).collect(),
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
            self.put_refund(given_back(&sale, body.buyer, order.buyer.clone(), self.now()));
        }
        order.sale = Some(sale.id);
        self.put_sale(sale);
        self.put(Change::Papers(papers.clone()));
    }
}
