//! What an order comes to once the bank has released its money: a sale like those at the counter (SPEC §3.10, §4.18).
//!
//! It has a number and a receipt document, a line in the next sweep and in the day's report, and refunds against it. Its
//! money is on the account and never was in the till.

use super::Shop;
use super::back::Booked;
use super::change::{Change, Draft};
use super::order::Order;
use super::refund::short;
use super::sale::{Line, Paid, Sale, SalePaper, SaleState};
use protocol::bank::Introduction;
use protocol::id::{Digest, PaymentId, RequestId};
use protocol::money::Units;
use protocol::shop::OrderReceipt;
use protocol::sign::Signer;
use protocol::wire::{HoldStep, Sale as Taking, SaleKind};

/// The name under which orders stand where sales have their till.
pub const ORDERS: &str = "orders";

/// The sale of an order: its buyer chose the order's name, so it is not the sale's.
fn sale_of(order: &RequestId) -> RequestId {
    RequestId(short("shop-order-sale", &[&order.0]))
}

impl Draft {
    /// Books an order whose hold has just ended with something for the shop; once only.
    pub(super) fn sell(&mut self, shop: &Shop, order: &mut Order, node: &Signer, papers: &Introduction) {
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
        let sale = Sale {
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
        order.sale = Some(sale.id);
        self.put_sale(sale);
        self.put(Change::Papers(papers.clone()));
    }
}
