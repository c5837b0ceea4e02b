//! The shop in the storm: its clerk sells, gives back and sends takings to the company; and what is true of it afterwards.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use daemon::rpc::api::Pay;
use protocol::id::RequestId;
use protocol::node::rpc::{CallError, Empty};
use serde_json::{Value, json};
use shop_node::rpc::api::{
    BySale, CartLine, NewRefund, NewSale, PageQuery, Report as DayReport, Sale, SweepNow, TillClient,
};

use super::load::passed;
use super::{Begun, CALM, Report, Station};
use crate::patience::{until, until_within, wait};
use crate::people::{Community, amount};
use crate::world::Chance;

/// The company that owns the shop: an account, and nobody in the storm.
const COMPANY: &str = "breadltd";
/// The shop.
pub(super) const SHOP: &str = "bakery";

/// What the clerk has begun.
#[derive(Default)]
pub(super) struct Sold {
    /// Payments of customers.
    pub(super) begun: Vec<Begun>,
    /// Sales.
    pub(super) sales: Vec<RequestId>,
    /// Times at which takings were sent off in the storm.
    pub(super) evenings: u64,
}

/// The shop belongs to a company, and what it takes goes there.
pub(super) fn is_owned(town: &Community, shop: &Station) {
    drop(town.bank().opens_account(COMPANY, "company", 0));
    let (of_shop, company) = (town.bank().account_of(SHOP), town.bank().account_of(COMPANY));
    town.bank().cli(&["shop", "own", &of_shop, &company]).expect_ok("shop own");
    let till = till(shop);
    let settings = wait(till.settings(Empty {}))
        .map(|settings| wait(till.set(shop_node::rpc::api::SettingsView { sweep: true, ..settings })));
    assert!(matches!(settings, Ok(Ok(_))), "the shop sweeps: {settings:?}");
}

fn till(shop: &Station) -> TillClient {
    TillClient::new(shop.resident.program().connection())
}

/// Asks again until there is an answer.
fn insists<T>(what: &str, mut call: impl FnMut() -> Result<T, CallError>) -> T {
    until(|| passed(call())).unwrap_or_else(|| panic!("the till gets no answer to {what}"))
}

/// Sells until it is over.
pub(super) fn goes_on(stations: &[Station], shop: usize, mut chance: Chance, over: &AtomicBool) -> Sold {
    let mut sold = Sold::default();
    let Some(station) = stations.get(shop) else { return sold };
    let till = till(station);
    let mut paid: Vec<(RequestId, u64)> = Vec::new();
    for number in 0_u64.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        match chance.below(10) {
            0 | 1 => {
                let at = chance.place(paid.len().max(1));
                if let Some((sale, price)) = paid.get(at).copied() {
                    gives_back(&till, sale, 1 + chance.below(price), &format!("back-{number}"));
                }
            }
            2 => {
                // Whatever is refused, such as an evening without anything new, changes nothing.
                let asked = || wait(till.sweep_now(SweepNow { from_account: None }));
                sold.evenings += u64::from(until(|| answered(asked())).is_some_and(|done| done));
            }
            _ => {
                let price = 1 + chance.below(9);
                let sale = sells(&till, price, number);
                sold.sales.push(sale.sale);
                let payer = chance.place(stations.len() - 1);
                if let Some(begun) = sale.uri.and_then(|uri| is_paid(stations, payer, (&uri, price), number))
                {
                    sold.begun.push(begun);
                    paid.push((sale.sale, price));
                }
            }
        }
    }
    sold
}

/// Whether it was done; nothing when nobody has answered.
fn answered<T>(answer: Result<T, CallError>) -> Option<bool> {
    match answer {
        Ok(_) => Some(true),
        Err(CallError::Rpc(_)) => Some(false),
        Err(_) => None,
    }
}

fn sells(till: &TillClient, price: u64, number: u64) -> Sale {
    let name = Some("bread".to_owned());
    insists("sale.open", || {
        let line = CartLine { sku: None, name: name.clone(), quantity: None, price: Some(amount(price)) };
        let key = format!("sale-{number}");
        wait(till.sale_open(NewSale { till: None, lines: vec![line], seconds: None, ask: None, key }))
    })
}

fn is_paid(stations: &[Station], payer: usize, (uri, price): (&str, u64), number: u64) -> Option<Begun> {
    let from = stations.get(payer)?;
    let key = format!("chaos-sale-{number}");
    let asked =
        Pay { to: uri.to_owned(), units: Some(amount(price)), memo: None, certified: None, key: key.clone() };
    let sent = until(|| passed(wait(from.resident.rpc().pay(asked.clone()))));
    let id = sent.unwrap_or_else(|| panic!("{} gets no answer to {key}", from.resident.name())).payment;
    Some(Begun { payer, id })
}

/// Asks for a refund until somebody answers; that a sale is not paid yet, or has been given back, is an answer.
fn gives_back(till: &TillClient, sale: RequestId, units: u64, key: &str) {
    let asked = || {
        let units = Some(amount(units));
        let (sale, reason, key) = (sale.to_string(), None, key.to_owned());
        wait(till.refund_make(NewRefund { sale, units, reason, looked: None, key }))
    };
    assert!(until(|| answered(asked())).is_some(), "the till gets no answer to {key}");
}

/// What is true of the shop when all is quiet: every paid sale has one booking, the reports add up, and the company has
/// what was taken less what was given back, once.
pub(super) fn reckon(town: &Community, shop: &Station, sold: &Sold, report: &mut Report) {
    let till = till(shop);
    let mut wrong = Vec::new();
    let owes = || wait(till.refund_list(Empty {})).map(|open| open.refunds);
    if until_within(CALM, || owes().ok().filter(Vec::is_empty)).is_none() {
        wrong.push(format!("the shop still owes: {:?}", owes()));
    }
    let mut numbers = BTreeSet::new();
    let (mut received, mut refunded, mut paid) = (0, 0, 0);
    for id in &sold.sales {
        let sale = insists("sale.show", || wait(till.sale_show(BySale { sale: id.to_string() })));
        if sale.state != "paid" {
            continue;
        }
        paid += 1;
        received += sale.total.get();
        let done = sale.refunds.iter().filter(|refund| refund.state == "done");
        let back: u64 = done.map(|refund| refund.units.get()).sum();
        if back > sale.total.get() || back != sale.refunded.get() {
            wrong.push(format!("{back} were given back of {sale:?}"));
        }
        refunded += back;
        if !sale.number.is_some_and(|number| numbers.insert(number)) {
            wrong.push(format!("a receipt's number is missing, or given twice: {sale:?}"));
        }
        let by_customer = sold.begun.iter().any(|begun| Some(begun.id) == sale.payment);
        if !by_customer {
            wrong.push(format!("nobody has begun the payment of {sale:?}"));
        }
    }
    (report.sales, report.evenings) = (paid, sold.evenings);
    let last = numbers.last().copied().unwrap_or(0);
    if last != u64::try_from(numbers.len()).unwrap_or(0) {
        wrong.push(format!("{} receipts, and the last has number {last}", numbers.len()));
    }
    // The evening after the storm takes what is left.
    let z: DayReport = insists("report.z", || wait(till.report_z(Empty {})));
    if (z.received.get() + z.late.get(), z.refunded.get()) != (received, refunded) {
        wrong.push(format!("{received} were taken and {refunded} given back, the report says {z:?}"));
    }
    if !z.surplus.is_zero() || !z.shortage.is_zero() {
        wrong.push(format!("the till is not what it should be: {z:?}"));
    }
    let open = || wait(till.sweep_status(Empty {})).map(|status| status.open);
    if until_within(CALM, || open().ok().filter(Vec::is_empty)).is_none() {
        wrong.push(format!("takings still wait: {:?}", open()));
    }
    let page = insists("sweep.list", || wait(till.sweep_list(PageQuery { before: None, limit: Some(500) })));
    let swept: u64 = page.sweeps.iter().map(|sweep| sweep.units.get()).sum();
    let company = has(town, COMPANY);
    if (swept, company) != (received - refunded, received - refunded) {
        let due = received - refunded;
        wrong.push(format!("{due} are the company's, the shop has sent {swept}, the company has {company}"));
    }
    let mut sweeps: Vec<u64> = page.sweeps.iter().map(|sweep| sweep.number).collect();
    sweeps.reverse();
    if !sweeps.iter().copied().eq(1..=u64::try_from(sweeps.len()).unwrap_or(0)) {
        wrong.push(format!("sweeps are numbered {sweeps:?}"));
    }
    report.company = company;
    report.wrong.extend(wrong);
}

/// What an account holds, as the bank says.
fn has(town: &Community, name: &str) -> u64 {
    let page = town.bank().call("account.list", json!({ "limit": 500 }));
    let accounts = page.get("accounts").and_then(Value::as_array).cloned().unwrap_or_default();
    let found = accounts.iter().find(|account| account.get("name").and_then(Value::as_str) == Some(name));
    found.and_then(|account| account.get("balance")?.as_u64()).unwrap_or(0)
}
