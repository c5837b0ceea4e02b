//! Sweeps as programs see them, and the calls about them.

use super::code;
use super::desk::Desk;
use crate::shop::Shop;
use crate::shop::sweep::{Sweep, SweepState};
use daemon::store::Page;
use protocol::money::Units;
use protocol::node::rpc::{Caller, RpcError};
use protocol::time::Timestamp;
use protocol::wire::SaleKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What shall go to the company.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SweepNow {
    /// Whether what the till lacks is taken from what the account holds.
    pub from_account: Option<bool>,
}

/// From which number sweeps go on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Renumber {
    /// One more than the last that the bank has.
    pub next: u64,
}

/// Takings on their way to the company, or there.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SweepView {
    /// Its number at the bank.
    pub number: u64,
    /// The business day.
    pub day: String,
    /// How much.
    pub units: Units,
    /// Of what was taken, what the bank had released to the account for orders: the till gives the rest.
    pub ordered: Units,
    /// Lines of its list.
    pub sales: u32,
    /// Digest of the list.
    pub list: String,
    /// `depositing`, `sending` or `done`.
    pub state: String,
    /// What has gone from the till into the account for it.
    pub deposited: Units,
    /// What keeps it waiting.
    pub note: String,
    /// The bank's letter.
    pub letter: Option<u64>,
    /// When the company had it.
    pub done: Option<Timestamp>,
}

/// How sweeping stands.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SweepStatus {
    /// Whether closing the day sweeps.
    pub on: bool,
    /// On their way, the first one first.
    pub open: Vec<SweepView>,
    /// Lines for the next sweep.
    pub lines: u64,
    /// What was received in them.
    pub received: Units,
    /// What was given back in them.
    pub refunded: Units,
}

/// A page of sweeps.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Sweeps {
    /// Newest first.
    pub sweeps: Vec<SweepView>,
    /// Where an older page begins.
    pub next: Option<u64>,
}

fn view(sweep: &Sweep) -> SweepView {
    let (letter, done) = match sweep.state {
        SweepState::Done(letter, at) => (Some(letter), Some(at)),
        SweepState::Depositing | SweepState::Sending => (None, None),
    };
    SweepView {
        number: sweep.number,
        day: sweep.day.to_string(),
        units: sweep.units,
        ordered: sweep.ordered,
        sales: sweep.sales,
        list: sweep.list.to_string(),
        state: sweep.state.word().to_owned(),
        deposited: sweep.deposited,
        note: sweep.held.clone(),
        letter,
        done,
    }
}

impl Desk {
    /// What was taken since the last sweep goes now.
    pub(super) async fn sweep_at_once(
        &self,
        caller: &Caller,
        asked: SweepNow,
    ) -> Result<SweepStatus, RpcError> {
        let (who, _) = self.asked(caller, "sweep.now");
        let made = self.hands.sweep_now(who, asked.from_account.unwrap_or(false)).await;
        made.map_err(|fault| self.hands_fault(fault))?;
        self.sweeps().await
    }

    /// A page of sweeps.
    pub(super) fn swept(&self, before: Option<u64>, limit: usize) -> Result<Sweeps, RpcError> {
        let found = self.room.store.sweeps(Page { before, limit }).map_err(|fault| code::store(&fault))?;
        let next = found.last().filter(|_| found.len() == limit).map(|sweep| sweep.number);
        Ok(Sweeps { sweeps: found.iter().map(view).collect(), next })
    }

    /// The sweeps that wait go on from another number.
    pub(super) async fn renumber(&self, caller: &Caller, next: u64) -> Result<SweepStatus, RpcError> {
        let (who, actor) = self.asked(caller, "sweep.renumber");
        let now = who.now;
        let rule = move |shop: &Shop, _: &_| Ok(shop.renumber_sweeps(next, &actor, now)?);
        self.room.decide_for(who, rule).await.map_err(|fault| self.room_fault(fault))?;
        self.sweeps().await
    }

    /// How sweeping stands.
    pub(super) async fn sweeps(&self) -> Result<SweepStatus, RpcError> {
        let look = |shop: &Shop| (shop.settings().sweep, shop.open_sweeps().map(view).collect::<Vec<_>>());
        let (on, open) = self.room.look(look).await.map_err(|fault| self.room_fault(fault))?;
        let lines = self.room.store.takings().map_err(|fault| code::store(&fault))?;
        let sum = |refunds: bool| {
            let of = lines.iter().filter(|(_, line)| (line.kind == SaleKind::Refund) == refunds);
            Units::sum(of.map(|(_, line)| line.units)).unwrap_or(Units::MAX)
        };
        let (received, refunded) = (sum(false), sum(true));
        Ok(SweepStatus { on, open, lines: lines.len() as u64, received, refunded })
    }
}
