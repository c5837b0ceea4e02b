//! What tills show, as programs see it (M2).

use super::code;
use super::desk::Desk;
use crate::shop::sale::{Sale, SaleState};
use protocol::id::RequestId;
use protocol::money::Units;
use protocol::node::rpc::RpcError;
use protocol::pay::AmountRule;
use protocol::time::Timestamp;
use protocol::wire::ErrorCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Which till.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TillQuery {
    /// Its name; all of them when left out.
    pub till: Option<String>,
}

/// What a till shows now.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TillCodeView {
    /// The till.
    pub till: String,
    /// Six digits.
    pub code: String,
    /// When it shows others. These are taken for a minute more.
    pub until: Timestamp,
    /// The request to which the code leads now, if a sale waits there.
    pub request: Option<RequestId>,
    /// What it asks for.
    pub units: Option<Units>,
}

/// What the tills show now.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TillCodes {
    /// One line a till.
    pub tills: Vec<TillCodeView>,
}

/// The request to which each till's code leads now.
pub(super) type Waiting = HashMap<String, Option<RequestId>>;

fn failed(why: ErrorCode) -> RpcError {
    code::reason_of("stopping", why.text())
}

impl Desk {
    pub(super) async fn till_codes(&self, asked: TillQuery) -> Result<TillCodes, RpcError> {
        let names = self.tills.names().await.map_err(failed)?;
        if let Some(till) = asked.till.as_ref().filter(|till| !names.contains(till)) {
            return Err(self.room_fault(crate::shop::Refusal::NoTill(till.clone()).into()));
        }
        let now = self.hands.now();
        let mut tills = Vec::new();
        for till in names.into_iter().filter(|name| asked.till.as_ref().is_none_or(|till| till == name)) {
            let shown = self.tills.codes.shown(&till, now);
            let waiting = self.tills.waiting(&till, now).await.map_err(failed)?;
            let request = waiting.map(|sale| sale.request);
            let (code, until) = (shown.code.to_string(), shown.until);
            let units = request.as_ref().map(|request| match request.unverified().amount {
                AmountRule::Exactly(units) | AmountRule::AtMost(units) => units,
            });
            let request = request.map(|request| request.unverified().id);
            tills.push(TillCodeView { till, code, until, request, units });
        }
        Ok(TillCodes { tills })
    }

    /// What the till of a sale shows, while that leads to this sale and to no other; `first` remembers what waits where.
    pub(super) async fn code_for(
        &self,
        sale: &Sale,
        first: &mut Waiting,
    ) -> Result<Option<String>, RpcError> {
        if sale.state != SaleState::Asked {
            return Ok(None);
        }
        let now = self.hands.now();
        if !first.contains_key(&sale.till) {
            let waiting = self.tills.waiting(&sale.till, now).await.map_err(failed)?;
            first.insert(sale.till.clone(), waiting.map(|sale| sale.request.unverified().id));
        }
        let leads_here = first.get(&sale.till).is_some_and(|at| at.is_some() && *at == sale.request);
        Ok(leads_here.then(|| self.tills.codes.shown(&sale.till, now).code.to_string()))
    }
}
