//! The shop's records as programs see them.

use super::api;
use super::code::reason_of;
use crate::shop::Shop;
use crate::shop::catalogue::{Imported, Item, Price};
use crate::shop::change::AuditLine;
use crate::shop::failing::Failing;
use crate::shop::refund::{Refund, RefundState};
use crate::shop::rights::Staff;
use crate::shop::sale::{CartLine, Line, Sale, SalePaper, SaleState};
use crate::shop::settings::Settings;
use protocol::code::PublicCode;
use protocol::money::Units;
use protocol::node::rpc::RpcError;
use protocol::shop::{DayLine, DayReport};
use protocol::sign::Signed;
use protocol::time::{DAY_SECONDS, Day, Timestamp};

pub(super) fn settings(settings: &Settings) -> api::SettingsView {
    api::SettingsView {
        tills: settings.tills.clone(),
        offset_minutes: settings.offset_minutes,
        closes_minutes: settings.closes_minutes,
        sale_seconds: settings.sale_seconds,
        sweep: settings.sweep,
        backup_folder: settings.backup_folder.clone(),
        backup_keep: Some(settings.backup_keep),
    }
}

pub(super) fn settings_of(view: &api::SettingsView) -> Settings {
    Settings {
        tills: view.tills.clone(),
        offset_minutes: view.offset_minutes,
        closes_minutes: view.closes_minutes,
        sale_seconds: view.sale_seconds,
        sweep: view.sweep,
        backup_folder: view.backup_folder.clone(),
        backup_keep: view.backup_keep.unwrap_or(Settings::default().backup_keep),
    }
}

pub(super) fn item(item: &Item) -> api::ItemView {
    let (price, min, max) = match item.price {
        Price::Fixed(price) | Price::Suggested(price) => (Some(price), None, None),
        Price::Free { least, most } => (None, Some(least), Some(most)),
    };
    api::ItemView {
        sku: item.sku.clone(),
        name: item.name.clone(),
        category: Some(item.category.clone()),
        rule: item.price.word().to_owned(),
        price,
        min,
        max,
        unit: Some(item.unit.clone()),
        digital: Some(item.digital),
        active: Some(item.active),
    }
}

pub(super) fn item_of(view: api::ItemView) -> Result<Item, RpcError> {
    let price = match (view.rule.as_str(), view.price, view.max) {
        ("fixed", Some(price), None) => Price::Fixed(price),
        ("suggested", Some(price), None) => Price::Suggested(price),
        ("free", None, Some(most)) => Price::Free { least: view.min.unwrap_or_default(), most },
        ("fixed" | "suggested" | "free", ..) => {
            let why = "a fixed or suggested price has a price; a free one has a most, perhaps a least";
            return Err(reason_of("bad_value", why));
        }
        _ => return Err(reason_of("bad_value", "the rule is fixed, suggested or free")),
    };
    Ok(Item {
        sku: view.sku,
        name: view.name,
        category: view.category.unwrap_or_default(),
        price,
        unit: view.unit.unwrap_or_default(),
        digital: view.digital.unwrap_or(false),
        active: view.active.unwrap_or(true),
        version: 0,
    })
}

pub(super) fn imported(done: Imported) -> api::Imported {
    let Imported { added, changed, same, ended, version } = done;
    api::Imported { added, changed, same, ended, version }
}

pub(super) fn cart(lines: Vec<api::CartLine>) -> Vec<CartLine> {
    let line = |line: api::CartLine| CartLine {
        sku: line.sku,
        name: line.name,
        quantity: line.quantity.unwrap_or(1),
        price: line.price,
    };
    lines.into_iter().map(line).collect()
}

fn line(line: &Line) -> api::LineView {
    api::LineView {
        sku: line.sku.clone(),
        name: line.name.clone(),
        quantity: line.quantity,
        price: line.price,
        total: line.price.times(line.quantity).unwrap_or_default(),
    }
}

/// A sale with what the stores say beside it.
pub(super) fn sale(sale: &Sale, uri: Option<String>, refunds: &[Refund]) -> api::Sale {
    let paid = sale.paid.as_ref();
    api::Sale {
        sale: sale.id,
        till: sale.till.clone(),
        day: sale.day.to_string(),
        opened: sale.opened,
        by: sale.by.clone(),
        lines: sale.lines.iter().map(line).collect(),
        total: sale.total,
        state: sale.state.word().to_owned(),
        request: sale.request,
        uri,
        till_code: None,
        expires: sale.expires,
        number: paid.map(|paid| paid.number),
        payer: paid.map(|paid| PublicCode::of(paid.payer)),
        payer_name: paid.map(|paid| paid.name.clone()),
        // The money of an order came from the bank.
        payment: paid.filter(|paid| matches!(paid.receipt, SalePaper::Counter(_))).map(|paid| paid.payment),
        paid_at: paid.map(|paid| paid.at),
        confirmed: paid.map(|paid| paid.confirmed),
        late: paid.map(|paid| paid.late),
        refunded: sale.refunded,
        refunds: refunds.iter().map(refund).collect(),
        note: note(sale),
    }
}

fn note(sale: &Sale) -> String {
    match (sale.state, sale.paid.as_ref().map(|paid| paid.confirmed)) {
        _ if sale.paid.as_ref().is_some_and(|paid| !paid.lost.is_zero()) => {
            "the bank had seen the money for it spent before: it is lost, and nothing is given back"
        }
        (SaleState::Open, _) => "a cart; its request is made by sale.ask",
        (SaleState::Asking, _) => "the request could not be made yet; it is tried again by itself",
        (SaleState::Asked, _) => "show the code to the customer; his payment is awaited",
        (SaleState::Paid, Some(true)) => "paid, and safe: the bank has seen it",
        (SaleState::Paid, _) => "paid; the bank has not seen it yet, until then it is the payer's word",
        (SaleState::Cancelled, _) => "taken back; what is paid for it all the same is sent back",
        (SaleState::Expired, _) => "nobody paid in time; what is paid for it all the same is sent back",
    }
    .to_owned()
}

pub(super) fn refund(refund: &Refund) -> api::Refund {
    let note = match refund.state {
        _ if !refund.held.is_empty() => refund.held.clone(),
        RefundState::Owed => "goes out in a moment".to_owned(),
        RefundState::Paying => "on its way to the customer; if he is off, it waits in his mailbox".to_owned(),
        RefundState::Done => "paid: it is the customer's, he has it or collects it".to_owned(),
        RefundState::Failed => "the payments came to nothing: make another refund".to_owned(),
    };
    api::Refund {
        refund: refund.id,
        sale: refund.sale,
        till: refund.till.clone(),
        why: refund.why.word().to_owned(),
        reason: refund.reason.clone(),
        units: refund.units,
        to: PublicCode::of(refund.to),
        name: refund.name.clone(),
        by: refund.by.clone(),
        begun: refund.begun,
        state: refund.state.word().to_owned(),
        payment: refund.payment,
        note,
    }
}

pub(super) fn report_line(line: &DayLine) -> api::ReportLine {
    api::ReportLine {
        day: line.day.to_string(),
        till: line.till.as_str().to_owned(),
        late: line.late,
        sales: line.sales,
        received: line.received,
        refunds: line.refunds,
        refunded: line.refunded,
        orders: line.orders,
        ordered: line.ordered,
    }
}

pub(super) fn x_report(report: &DayReport) -> api::Report {
    let less = |a: Units, b: Units| a.minus(b).unwrap_or_default();
    api::Report {
        kind: "x".to_owned(),
        number: report.number,
        day: report.day.to_string(),
        from: report.from,
        to: report.to,
        opening: report.opening,
        received: report.received,
        late: report.late,
        other_in: report.other_in,
        withdrawn: report.withdrawn,
        refunded: report.refunded,
        sent_back: report.sent_back,
        other_out: report.other_out,
        swept: report.swept,
        lost: report.lost,
        expected: report.expected,
        reserve: report.reserve,
        surplus: less(report.reserve, report.expected),
        shortage: less(report.expected, report.reserve),
        unconfirmed: report.unconfirmed,
        ordered: report.ordered,
        lines: report.lines.iter().map(report_line).collect(),
        prev: report.prev.to_string(),
        digest: None,
        signed: None,
    }
}

pub(super) fn z_report(report: &Signed<DayReport>) -> api::Report {
    api::Report {
        kind: "z".to_owned(),
        digest: Some(report.digest().to_string()),
        signed: Some(hex::encode(report.to_bytes())),
        ..x_report(report.unverified())
    }
}

pub(super) fn staff(staff: &Staff) -> api::StaffView {
    api::StaffView {
        staff: staff.id.clone(),
        name: staff.name.clone(),
        role: staff.role.word().to_owned(),
        refund_max: staff.refund_max,
        refund_day: staff.refund_day,
        ended: staff.ended,
    }
}

pub(super) fn audit(line: &AuditLine) -> api::AuditView {
    let AuditLine { number, at, who, role, method, outcome, about } = line.clone();
    api::AuditView { number, at, who, role, method, outcome, about }
}

/// What outside does not do its part.
pub(super) fn failing(shop: &Shop) -> Vec<api::Failing> {
    shop.failing().map(|(what, failing)| one_failing(what, failing)).collect()
}

pub(super) fn one_failing(what: String, failing: &Failing) -> api::Failing {
    let Failing { since, tries, error, .. } = failing.clone();
    api::Failing { what, since, tries, error }
}

/// A day as it is written: `2026-11-22`.
pub(super) fn day_of(text: &str) -> Result<Day, RpcError> {
    let wrong = || reason_of("bad_value", "write a day as in 2026-11-22");
    let first = text.split('-').next().and_then(|year| year.parse::<u64>().ok()).ok_or_else(wrong)?;
    // Years are near enough for a guess; the day that is written the same is the one.
    let guess = first.checked_sub(1970).and_then(|years| years.checked_mul(365)).ok_or_else(wrong)?;
    let days = (guess..guess.saturating_add(600)).take_while(|day| *day < 3_000_000);
    let at = |day: u64| Timestamp(day * DAY_SECONDS).day();
    days.map(at).find(|day| day.to_string() == text).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_read_back() {
        for day in [0, 59, 11_016, 20_454, 20_780, 47_541] {
            let text = Day(day).to_string();
            assert_eq!(day_of(&text).unwrap(), Day(day), "{text}");
        }
        for bad in
            ["", "2026", "2026-13-01", "2026-02-30", "99999999999999999999-01-01", "1969-12-31", "x-1-1"]
        {
            assert!(day_of(bad).is_err(), "{bad}");
        }
    }
}
