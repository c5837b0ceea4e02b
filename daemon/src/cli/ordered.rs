//! `receipt verify` of an order from afar: what was ordered, what the bank released for it, what went back (SPEC §3.10).

use super::show;
use protocol::code::PublicCode;
use protocol::id::Key;
use protocol::key::bank::bank_id;
use protocol::money::{Currency, Units};
use protocol::shop::{FileFlaw, OrderFile, ProvedOrder, RefundNote, SaleLine};
use serde_json::{Value, json};

type Checked = Result<ProvedOrder, FileFlaw>;

pub(super) fn document(checked: &Checked, file: &OrderFile, master: &Key) -> Value {
    let proved = match checked {
        Ok(proved) => proved,
        Err(flaw) => return json!({ "genuine": false, "why": flaw.to_string() }),
    };
    let (order, receipt) = (&proved.order, &proved.receipt);
    json!({
        "genuine": true,
        "bank": bank_id(master),
        "shop": { "name": proved.shop, "code": PublicCode::of(receipt.shop), "certified_as_shop": proved.is_shop },
        "number": receipt.number,
        "order": order.id,
        "buyer": PublicCode::of(receipt.buyer),
        "hold": receipt.hold,
        "at": receipt.at,
        "total": receipt.total,
        "released": receipt.released,
        "returned": receipt.returned,
        "lines": line_values(&order.lines),
        "refunds": refund_values(&proved.refunds),
        "refunded": proved.refunded,
        "document": file.receipt.digest(),
    })
}

pub(super) fn page(checked: &Checked, currency: Option<&Currency>) -> String {
    let proved = match checked {
        Ok(proved) => proved,
        Err(flaw) => return format!("NOT GENUINE: {flaw}."),
    };
    let money = |units: Units| match currency {
        Some(currency) => currency.show_full(units),
        None => format!("{units} (smallest unit)"),
    };
    let some = |units: Units| if units.is_zero() { String::new() } else { money(units) };
    let receipt = &proved.receipt;
    let kind = if proved.is_shop { "" } else { " (not certified as a shop)" };
    let facts = show::facts(&[
        ("sold by", format!("{}{kind}", proved.shop)),
        ("public code", PublicCode::of(receipt.shop).to_string()),
        ("receipt", format!("no. {}", receipt.number)),
        ("ordered", money(receipt.total)),
        ("by", PublicCode::of(receipt.buyer).to_string()),
        ("released", format!("{} on {}", money(receipt.released), receipt.at)),
        ("came back before", some(receipt.returned)),
        ("given back since", some(proved.refunded)),
        ("hold", receipt.hold.to_string()),
    ]);
    let lines = line_table(&proved.order.lines, money);
    format!(
        "Genuine: the buyer signed this order, the shop signed that it got the money for it.\n\n{facts}\n{lines}\n\
         What was given back since stands here as far as the shop had noted it in this file.\n"
    )
}

pub(super) fn line_values(lines: &[SaleLine]) -> Vec<Value> {
    let value = |line: &SaleLine| json!({ "sku": line.sku.as_str(), "name": line.name.as_str(), "quantity": line.quantity, "price": line.price });
    lines.iter().map(value).collect()
}

pub(super) fn refund_values(notes: &[RefundNote]) -> Vec<Value> {
    let value = |note: &RefundNote| json!({ "refund": note.refund, "units": note.units, "at": note.at, "reason": note.reason.as_str(), "payment": note.payment });
    notes.iter().map(value).collect()
}

pub(super) fn line_table(lines: &[SaleLine], money: impl Fn(Units) -> String) -> String {
    let row = |line: &SaleLine| {
        let sum = line.price.times(line.quantity).unwrap_or_default();
        [
            line.quantity.to_string(),
            line.name.to_string(),
            line.sku.to_string(),
            money(line.price),
            money(sum),
        ]
    };
    show::table(["n", "what", "article", "each", "sum"], &[0, 3, 4], lines.iter().map(row).collect())
}
