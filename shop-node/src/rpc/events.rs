//! The shop's events as they are told: its own, and the wallet's among them where they happened.

use super::code;
use crate::hooks::{Telling, Told};
use crate::room::Room;
use crate::shop::change::{Event, Happening};
use daemon::rpc::StoredEvents;
use protocol::node::rpc::{EventSource, RpcError};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::watch;

/// Events, as durable as what they tell of.
pub struct ShopEvents {
    /// The shop's.
    pub room: Room,
    /// The wallet's.
    pub wallet: Arc<StoredEvents>,
}

impl EventSource for ShopEvents {
    fn read(&self, since: u64, limit: usize) -> Result<Vec<Value>, RpcError> {
        let events = self.room.store.events(since, limit).map_err(|fault| code::store(&fault))?;
        events.iter().map(|event| self.flat(event)).collect()
    }

    fn newest(&self) -> watch::Receiver<u64> {
        self.room.newest_event.subscribe()
    }
}

/// Whoever is told by a webhook reads the same.
impl Told for ShopEvents {
    fn after(&self, since: u64, limit: usize) -> Result<Vec<Telling>, String> {
        let events = self.read(since, limit).map_err(|error| error.message)?;
        let telling = |event: Value| {
            let seq = event.get("seq")?.as_u64()?;
            let kind = event.get("kind")?.as_str()?.to_owned();
            Some(Telling { seq, kind, body: event.to_string().into_bytes() })
        };
        let told: Option<Vec<Telling>> = events.into_iter().map(telling).collect();
        told.ok_or_else(|| "an event has no number or no kind".to_owned())
    }
}

impl ShopEvents {
    /// `seq`, `at` and `kind` beside what belongs to the kind. An event of the wallet stands here by its number; it is
    /// told as the workstation tells it, with that number as `wallet_seq`.
    fn flat(&self, event: &Event) -> Result<Value, RpcError> {
        let told = match &event.what {
            Happening::Wallet { seq } => self.wallet.read(seq.saturating_sub(1), 1)?.pop(),
            own => flat(own),
        };
        let Some(Value::Object(mut fields)) = told else { return Err(RpcError::internal()) };
        if let Happening::Wallet { seq } = event.what {
            fields.insert("wallet_seq".to_owned(), seq.into());
        }
        fields.insert("seq".to_owned(), event.seq.into());
        fields.insert("at".to_owned(), event.at.0.into());
        Ok(Value::Object(fields))
    }
}

fn flat(what: &Happening) -> Option<Value> {
    let Value::Object(by_kind) = serde_json::to_value(what).ok()? else { return None };
    let (kind, details) = by_kind.into_iter().next()?;
    let Value::Object(mut fields) = details else { return None };
    // The wallet has kinds of the same names for other things.
    let kind = match kind.as_str() {
        "confirmed" => "sale_confirmed".to_owned(),
        _ => kind,
    };
    fields.insert("kind".to_owned(), kind.into());
    Some(Value::Object(fields))
}
