//! The account's statement, and what shops sent to their company: read at the bank, checked here (SPEC §4.18, N10).

use super::code;
use super::server::Desk;
use crate::engine::Input;
use protocol::bank::AccountQuery;
use protocol::body::Text;
use protocol::code::PublicCode;
use protocol::id::{BankId, Digest, Key};
use protocol::money::Units;
use protocol::node::rpc::{Retry, RpcError};
use protocol::sign::Signed;
use protocol::time::Timestamp;
use protocol::wire::{
    BankAnswer, BankAsk, ErrorCode, LineKind, SaleKind, SalesList, Span, StatementLine, decode, sales_digest,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Pages of the bank that one call looks through for lines of the kind that is wanted.
const PAGES_MAX: usize = 16;

/// Which lines of the statement.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinesQuery {
    /// Only what is older than this journal entry.
    pub before: Option<u64>,
    /// At most so many (1 to 256); 50 when left out.
    pub limit: Option<u64>,
    /// Only what shops sent to their company.
    pub sweeps: Option<bool>,
}

/// What moved money on the account, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AccountLines {
    /// The lines.
    pub lines: Vec<AccountLine>,
    /// Ask again with this as `before`, if there may be more.
    pub next: Option<u64>,
}

/// A line of the account's statement.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AccountLine {
    /// The bank's journal entry.
    pub entry: u64,
    /// When.
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

/// One sweep.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BySweepEntry {
    /// The journal entry of its line in the statement.
    pub entry: u64,
}

/// Takings as the shop signed them, with their list. Signature, digest and sum have been checked.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Takings {
    /// The shop.
    pub shop: PublicCode,
    /// Its name, as far as the directory tells it.
    pub name: String,
    /// The sweep's number: 1, 2, 3… for each shop.
    pub number: u64,
    /// The shop's day.
    pub day: String,
    /// What came.
    pub units: Units,
    /// Of what was taken, what the bank had released to the shop's account for orders from afar.
    pub ordered: Units,
    /// When the shop asked for it.
    pub at: Timestamp,
    /// The sales.
    pub sales: Vec<TakingsLine>,
}

/// A line of a list of sales.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TakingsLine {
    /// The receipt's number at the shop.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// `sale`, `late` (paid after its day's report), `order` (released by the bank), or `refund`, which counts against the
    /// sum.
    pub kind: String,
    /// How much.
    pub units: Units,
    /// The till.
    pub till: String,
    /// Digest of the receipt document, or of the note about the refund.
    pub receipt: Digest,
}

/// What a bank wrote is shown to people: as a text, or not at all.
fn plain(text: &str) -> String {
    Text::new(text, 255).map(|text| text.as_str().to_owned()).unwrap_or_default()
}

fn line(line: StatementLine) -> AccountLine {
    let StatementLine { entry, at, kind, incoming, outgoing, balance, other, about } = line;
    AccountLine { entry, at, kind, incoming, outgoing, balance, other: plain(&other), about: plain(&about) }
}

fn sales(list: SalesList) -> Vec<TakingsLine> {
    let line = |sale: protocol::wire::Sale| TakingsLine {
        number: sale.number,
        at: sale.at,
        kind: match sale.kind {
            SaleKind::Sale => "sale",
            SaleKind::Refund => "refund",
            SaleKind::Late => "late",
            SaleKind::Order => "order",
        }
        .to_owned(),
        units: sale.units,
        till: plain(&sale.till),
        receipt: sale.receipt,
    };
    list.sales.into_iter().map(line).collect()
}

/// A list that its shop signed for: nothing that the bank alone says.
fn checked(
    bank: BankId,
    sweep: Signed<protocol::bank::Sweep>,
    list: &[u8],
) -> Option<(Key, protocol::bank::Sweep, Vec<TakingsLine>)> {
    let owner = sweep.unverified().owner;
    let sweep = sweep.verify_by(&owner).ok()?;
    let read: SalesList = decode(list).ok()?;
    let fits = sweep.bank == bank
        && sales_digest(list) == sweep.list
        && (read.units(), read.ordered()) == (Ok(sweep.units), Ok(sweep.ordered))
        && u32::try_from(read.sales.len()) == Ok(sweep.sales);
    fits.then(|| (owner, sweep.signed().unverified().clone(), sales(read)))
}

fn not_told(why: impl Into<String>) -> RpcError {
    code::reason_of("bank_unreachable", why).retry(Retry::Later)
}

impl Desk {
    /// Asks the bank something about the own account.
    async fn ask_account(
        &self,
        ask: impl FnOnce(Signed<AccountQuery>) -> BankAsk,
    ) -> Result<BankAnswer, RpcError> {
        let query = self.engine().ask(Input::SignQuery).await.map_err(|f| self.call(f))?;
        let query = query.map_err(|f| self.call(f))?;
        match self.link().ask(&ask(query)).await.map_err(|fault| not_told(fault.to_string()))? {
            BankAnswer::Error(ErrorCode::NotFound) => {
                Err(code::reason_of("not_found", "there is no such sweep on this account"))
            }
            BankAnswer::Error(code) => Err(not_told(code.text())),
            answer => Ok(answer),
        }
    }

    /// Lines of the statement, newest first.
    pub(super) async fn account_lines(&self, asked: LinesQuery) -> Result<AccountLines, RpcError> {
        let limit = match asked.limit.unwrap_or(50) {
            limit @ 1..=256 => usize::try_from(limit).map_err(|_| RpcError::internal())?,
            _ => return Err(RpcError::invalid_params("limit: 1 to 256")),
        };
        let only_sweeps = asked.sweeps.unwrap_or(false);
        let fits = |kind: LineKind| !only_sweeps || matches!(kind, LineKind::SweptIn | LineKind::SweptOut);
        let (mut lines, mut before) = (Vec::new(), asked.before.unwrap_or(u64::MAX));
        for _ in 0..PAGES_MAX {
            let answer = self.ask_account(|query| BankAsk::Statement(query, Span::Before(before))).await?;
            let BankAnswer::Statement(told, next) = answer else {
                return Err(not_told("the bank answered something else"));
            };
            let first = before;
            for told in told.into_iter().filter(|told| told.entry < first) {
                if lines.len() == limit {
                    return Ok(AccountLines { lines, next: Some(before) });
                }
                before = told.entry;
                lines.extend(Some(told).filter(|told| fits(told.kind)).map(line));
            }
            match next {
                Some(Span::Before(place)) if place <= before => before = place,
                _ => return Ok(AccountLines { lines, next: None }),
            }
        }
        Ok(AccountLines { lines, next: Some(before) })
    }

    /// What the statement says came in by this sweep; nothing on the shop's own side.
    async fn swept_in(&self, entry: u64) -> Result<Option<Units>, RpcError> {
        let span = Span::Before(entry.saturating_add(1));
        let BankAnswer::Statement(lines, _) =
            self.ask_account(|query| BankAsk::Statement(query, span)).await?
        else {
            return Err(not_told("the bank answered something else"));
        };
        let line = lines.into_iter().find(|line| line.entry == entry);
        let line = line.ok_or_else(|| not_told("the bank shows takings that are not in the statement"))?;
        Ok((line.kind == LineKind::SweptIn).then_some(line.incoming))
    }

    /// A sweep with its list.
    pub(super) async fn takings(&self, asked: BySweepEntry) -> Result<Takings, RpcError> {
        let answer = self.ask_account(|query| BankAsk::SweepList(query, asked.entry)).await?;
        let BankAnswer::SweepList(sweep, list) = answer else {
            return Err(not_told("the bank answered something else"));
        };
        let bank = self.shared().keys().bank();
        let (owner, sweep, sales) = checked(bank, *sweep, &list).ok_or_else(|| {
            not_told("what the bank shows is not what the shop signed: keep it, and ask the bank")
        })?;
        let contact = self.shared().store.contact(&owner).map_err(|fault| code::store(&fault))?;
        let booked = self.swept_in(asked.entry).await?;
        if booked.is_some_and(|units| units != sweep.units) {
            return Err(not_told(
                "the bank has booked another sum than the shop signed for: keep both, and ask the bank",
            ));
        }
        if booked.is_some() && contact.is_none() {
            return Err(not_told("the bank shows takings of somebody who is in no directory: ask the bank"));
        }
        let name = contact.map(|contact| contact.certificate.unverified().name.as_str().to_owned());
        Ok(Takings {
            shop: PublicCode::of(owner),
            name: name.unwrap_or_default(),
            number: sweep.number,
            day: sweep.day.to_string(),
            units: sweep.units,
            ordered: sweep.ordered,
            at: sweep.created,
            sales,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::id::RequestId;
    use protocol::sign::Signer;
    use protocol::time::Day;
    use protocol::wire::{Sale, encode};

    fn sold(units: u64, kind: SaleKind) -> Sale {
        let (till, receipt) = ("bar".to_owned(), Digest([3; 32]));
        Sale { number: 1, at: Timestamp(9), units: Units::new(units).unwrap(), kind, till, receipt }
    }

    /// N10, B4: a company believes the shop's signature over list and sum, and not the bank's word for them.
    #[test]
    fn a_list_is_what_its_shop_signed() {
        let (bank, shop) = (BankId([1; 8]), Signer::from_secret(&[4; 32]));
        let list = SalesList { sales: vec![sold(30, SaleKind::Sale), sold(4, SaleKind::Refund)] };
        let bytes = encode(&list);
        let body = protocol::bank::Sweep {
            bank,
            request: RequestId([2; 16]),
            owner: shop.key(),
            number: 7,
            day: Day(20_500),
            units: Units::new(26).unwrap(),
            ordered: Units::ZERO,
            sales: 2,
            list: sales_digest(&bytes),
            created: Timestamp(10),
        };
        let good = checked(bank, shop.sign(body.clone()), &bytes).unwrap();
        assert_eq!((good.0, good.1.number, good.2.len()), (shop.key(), 7, 2));
        let other = encode(&SalesList { sales: vec![sold(26, SaleKind::Sale)] });
        assert!(checked(bank, shop.sign(body.clone()), &other).is_none(), "another list");
        assert!(checked(BankId([2; 8]), shop.sign(body.clone()), &bytes).is_none(), "another bank");
        let thief = Signer::from_secret(&[5; 32]);
        assert!(checked(bank, thief.sign(body.clone()), &bytes).is_none(), "not the shop's signature");
        let more = protocol::bank::Sweep { units: Units::new(27).unwrap(), ..body };
        assert!(checked(bank, shop.sign(more), &bytes).is_none(), "not the sum");
    }
}
