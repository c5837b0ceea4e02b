//! A receipt document for paper.

use crate::shop::sale::{Paid, Sale, SalePaper};
use protocol::code::PublicCode;
use protocol::money::Currency;

/// What stands above and beside a receipt.
pub(super) struct Paper<'a> {
    pub(super) bank: &'a str,
    pub(super) shop: &'a str,
    pub(super) currency: &'a Currency,
}

impl Paper<'_> {
    /// The receipt as text, 48 columns wide: what a small printer holds.
    pub(super) fn receipt(&self, sale: &Sale, paid: &Paid) -> String {
        const WIDTH: usize = 48;
        let right = |left: &str, text: &str| {
            let room = WIDTH.saturating_sub(left.chars().count() + text.chars().count()).max(1);
            format!("{left}{}{text}\n", " ".repeat(room))
        };
        let rule = format!("{}\n", "─".repeat(WIDTH));
        let mut text = format!("{}\nReceipt no. {}\n{rule}", self.shop, paid.number);
        for line in &sale.lines {
            let sum = line.price.times(line.quantity).unwrap_or_default();
            let name = match line.quantity {
                1 => line.name.clone(),
                many => format!("{many} × {}", line.name),
            };
            text += &right(&name, &self.currency.show(sum));
            if line.quantity > 1 {
                text += &format!("    {} each\n", self.currency.show(line.price));
            }
        }
        text += &rule;
        text += &right("Total", &self.currency.show_full(sale.total));
        if !sale.refunded.is_zero() {
            text += &right("Given back", &self.currency.show_full(sale.refunded));
        }
        let standing = match paid.confirmed {
            true => "safe: the bank has seen it",
            false => "received; the bank has not seen it yet",
        };
        let payer =
            if paid.name.is_empty() { PublicCode::of(paid.payer).to_string() } else { paid.name.clone() };
        for (label, value) in [
            ("Till", sale.till.clone()),
            ("Paid", paid.at.to_string()),
            ("By", payer),
            ("Standing", standing.to_owned()),
            ("Bank", self.bank.to_owned()),
            match &paid.receipt {
                SalePaper::Counter(_) => ("Payment", paid.payment.to_string()),
                SalePaper::Order(order, _) => ("Order", order.to_string()),
            },
            ("Document", paid.receipt.digest().to_string()),
        ] {
            text += &format!("{label:<9} {value}\n");
        }
        text
    }
}
