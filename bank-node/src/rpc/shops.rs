//! Shops, holds, sweeps and statements, as the interface shows them.

use crate::ledger::AccountNumber;
use crate::ledger::holds::Held;
use crate::ledger::sweeps::Swept;
use crate::ledger::tenure::{Every, Tenure};
use protocol::bank::HoldParty;
use protocol::id::{Digest, RequestId};
use protocol::money::Units;
use protocol::time::{Day, Timestamp};
use protocol::wire::{HoldTerm, LineKind, SaleKind, SalesList, StatementLine};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of `shop.own`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShopOwn {
    /// The shop's account.
    pub shop: AccountNumber,
    /// The company's account.
    pub company: AccountNumber,
    /// The caller's key.
    pub key: String,
}

/// Parameters of `shop.lease`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShopLease {
    /// The shop's account.
    pub shop: AccountNumber,
    /// The company's account.
    pub company: AccountNumber,
    /// What the bank takes from the shop's account and keeps as caution.
    pub caution: Units,
    /// Rent of a period.
    pub rent: Units,
    /// How long a period is.
    pub every: Every,
    /// When the first rent is due, in days since 1970; not before today.
    pub first_due: Day,
    /// The caller's key.
    pub key: String,
}

/// Parameters of `shop.end_lease`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShopEndLease {
    /// The shop's account.
    pub shop: AccountNumber,
    /// What the company keeps of the caution.
    pub kept: Units,
    /// The caller's key.
    pub key: String,
}

/// Parameters of `shop.hand_over`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShopHandOver {
    /// The account that is closed.
    pub shop: AccountNumber,
    /// The public name of the new one.
    pub name: String,
    /// The caller's key.
    pub key: String,
}

/// Parameters of `shop.show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShopShow {
    /// The shop's account.
    pub shop: AccountNumber,
}

/// A page of shops.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShopPage {
    /// By account.
    pub shops: Vec<ShopShown>,
    /// Whether there are more: ask again after the last account.
    pub more: bool,
}

/// A shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShopShown {
    /// Its account.
    pub shop: AccountNumber,
    /// Its company.
    pub company: AccountNumber,
    /// Since when, in seconds since 1970.
    pub since: Timestamp,
    /// The lease, if it is leased.
    pub lease: Option<LeaseShown>,
    /// Rent that came due and was not paid, the oldest first.
    pub arrears: Vec<ArrearShown>,
    /// Its sum.
    pub owed: Units,
    /// How often it has swept its takings.
    pub sweeps: u64,
    /// The account that it was handed over from.
    pub before: Option<AccountNumber>,
    /// The account that it was handed over to: this one is closed.
    pub after: Option<AccountNumber>,
}

/// A lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeaseShown {
    /// Since when, in seconds since 1970.
    pub since: Timestamp,
    /// What the bank keeps as caution.
    pub caution: Units,
    /// Rent of a period.
    pub rent: Units,
    /// How long a period is.
    pub every: Every,
    /// How many rents have come due.
    pub periods: u32,
    /// When the next one is, in days since 1970.
    pub next_due: Day,
}

/// Rent of a period that is still owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArrearShown {
    /// The period, counted from 1.
    pub period: u32,
    /// When it was due, in days since 1970.
    pub due: Day,
    /// How much is still owed.
    pub units: Units,
}

impl ShopShown {
    pub(crate) fn of(tenure: &Tenure) -> ShopShown {
        let lease = tenure.lease.as_ref().map(|lease| LeaseShown {
            since: lease.since,
            caution: lease.caution,
            rent: lease.rent,
            every: lease.every,
            periods: lease.periods,
            next_due: lease.next_due(),
        });
        let arrears = tenure.arrears.iter();
        ShopShown {
            shop: tenure.shop,
            company: tenure.company,
            since: tenure.since,
            lease,
            arrears: arrears.map(|a| ArrearShown { period: a.period, due: a.due, units: a.units }).collect(),
            owed: tenure.owed(),
            sweeps: tenure.sweeps,
            before: tenure.before,
            after: tenure.after,
        }
    }
}

/// Parameters of `hold.propose`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldDecision {
    /// The hold's number.
    pub hold: u64,
    /// How much goes back to the buyer; the rest goes to the shop.
    pub to_buyer: Units,
    /// Why, for the journal; at most 200 bytes.
    pub reason: String,
    /// The caller's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Parameters of `hold.confirm`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldConfirmation {
    /// The hold's number.
    pub hold: u64,
    /// What was proposed.
    pub to_buyer: Units,
    /// The caller's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// A page of holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldPage {
    /// By number.
    pub holds: Vec<HoldShown>,
    /// Whether there are more: ask again after the last number.
    pub more: bool,
}

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldShown {
    /// Its number.
    pub number: u64,
    /// Its name in what buyer and shop sign.
    pub id: RequestId,
    /// Whose money it is.
    pub buyer: AccountNumber,
    /// For whom it is kept.
    pub shop: AccountNumber,
    /// Digest of the order.
    pub order: Digest,
    /// How much was taken.
    pub units: Units,
    /// How much of it is still kept.
    pub left: Units,
    /// What went to the shop.
    pub released: Units,
    /// What came back to the buyer.
    pub returned: Units,
    /// What releases it: `confirmation`, `date` or `code`.
    pub rule: String,
    /// When the calendar ends it, if nobody disagrees; in seconds since 1970.
    pub until: Timestamp,
    /// Wrong codes so far.
    pub wrong: u8,
    /// Where it stands: `open`, `disputed` or `closed`.
    pub state: String,
    /// Who disagrees, `buyer` or `shop`.
    pub disputed_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// What one operator has proposed to give back to the buyer.
    pub proposed: Option<Units>,
    /// Who proposed it.
    pub proposed_by: Option<String>,
}

impl HoldShown {
    pub(crate) fn of(held: &Held) -> HoldShown {
        let state = held.state();
        let dispute = held.dispute.as_ref();
        let by = |dispute: &crate::ledger::holds::Dispute| match dispute.by {
            HoldParty::Buyer => "buyer".to_owned(),
            HoldParty::Shop => "shop".to_owned(),
        };
        let step = match (held.is_open(), dispute) {
            (false, _) => "closed",
            (true, Some(_)) => "disputed",
            (true, None) => "open",
        };
        let rule = match state.rule {
            HoldTerm::Confirmation => "confirmation",
            HoldTerm::Date(_) => "date",
            HoldTerm::Code => "code",
        };
        HoldShown {
            number: held.number,
            id: state.id,
            buyer: held.buyer,
            shop: held.shop,
            order: state.order,
            units: state.units,
            left: held.left,
            released: held.released,
            returned: held.returned,
            rule: rule.to_owned(),
            until: held.timer().0,
            wrong: held.wrong,
            state: step.to_owned(),
            disputed_by: dispute.map(by),
            reason: dispute.map(|dispute| dispute.reason.clone()),
            proposed: held.split.as_ref().map(|split| split.to_buyer),
            proposed_by: held.split.as_ref().map(|split| split.by.clone()),
        }
    }
}

/// Parameters of `sweep.list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SweepListAsked {
    /// The shop's account.
    pub shop: AccountNumber,
    /// Only those with higher numbers.
    #[serde(default)]
    pub after: u64,
    /// At most so many (1 to 500); 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Parameters of `sweep.show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SweepShow {
    /// The shop's account.
    pub shop: AccountNumber,
    /// The sweep's number.
    pub number: u64,
}

/// A page of sweeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SweepPage {
    /// By number.
    pub sweeps: Vec<SweepShown>,
    /// Whether there are more: ask again after the last number.
    pub more: bool,
}

/// A sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SweepShown {
    /// Its number.
    pub number: u64,
    /// The shop's day.
    pub day: String,
    /// The company that got it.
    pub company: AccountNumber,
    /// How much.
    pub units: Units,
    /// How many lines its list has.
    pub sales: u32,
    /// The journal entry.
    pub entry: u64,
}

impl SweepShown {
    pub(crate) fn of(swept: &Swept) -> SweepShown {
        let sweep = swept.asked.unverified();
        SweepShown {
            number: sweep.number,
            day: super::day_text(sweep.day),
            company: swept.company,
            units: sweep.units,
            sales: sweep.sales,
            entry: swept.entry,
        }
    }
}

/// A sweep with its list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SweepDetail {
    /// The sweep.
    pub sweep: SweepShown,
    /// Its lines, in the order of the till.
    pub sales: Vec<SaleShown>,
}

/// A line of a list of sales.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SaleShown {
    /// The sale's number at the shop.
    pub number: u64,
    /// When, in seconds since 1970.
    pub at: Timestamp,
    /// How much.
    pub units: Units,
    /// `sale`, `refund`, `late`, or `order` (the bank had it already: it never was in the till).
    pub kind: String,
    /// The till's name.
    pub till: String,
    /// Digest of the receipt document.
    pub receipt: Digest,
}

impl SaleShown {
    pub(crate) fn all(list: SalesList) -> Vec<SaleShown> {
        let shown = |sale: protocol::wire::Sale| {
            let kind = match sale.kind {
                SaleKind::Sale => "sale",
                SaleKind::Refund => "refund",
                SaleKind::Late => "late",
                SaleKind::Order => "order",
            };
            SaleShown {
                number: sale.number,
                at: sale.at,
                units: sale.units,
                kind: kind.to_owned(),
                till: sale.till,
                receipt: sale.receipt,
            }
        };
        list.sales.into_iter().map(shown).collect()
    }
}

/// Parameters of `account.statement`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatementAsked {
    /// The account's number.
    pub account: AccountNumber,
    /// Only what is older than this journal entry, the newest first; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// At most so many (1 to 500); 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What moved money on an account, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatementPage {
    /// The lines.
    pub lines: Vec<LineOfStatement>,
    /// Ask again with this as `before`, if there may be more.
    pub next: Option<u64>,
}

/// A line of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LineOfStatement {
    /// The journal entry.
    pub entry: u64,
    /// When, in seconds since 1970.
    pub at: Timestamp,
    /// What it was.
    pub kind: LineKind,
    /// What came to the account.
    pub incoming: Units,
    /// What left it.
    pub outgoing: Units,
    /// The balance after it.
    pub balance: Units,
    /// The other party's name, if there is one.
    pub other: String,
    /// What it is about.
    pub about: String,
}

impl LineOfStatement {
    pub(crate) fn of(line: StatementLine) -> LineOfStatement {
        let StatementLine { entry, at, kind, incoming, outgoing, balance, other, about } = line;
        LineOfStatement { entry, at, kind, incoming, outgoing, balance, other, about }
    }
}
