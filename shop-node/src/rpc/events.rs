//! The shop's events as they are told: its own, and the wallet's among them where they happened.

use super::code;
use crate::hooks::{Telling, Told};
use crate::room::Room;
use crate::shop::change::{Event, Happening};
use daemon::rpc::StoredEvents;
use protocol::node::rpc::{EventSource, RpcError};
use serde::de::{Deserialize, Deserializer, Visitor};
use serde_json::Value;
use std::collections::BTreeSet;
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

/// All kinds that events can have: the shop's, and the wallet's.
pub(super) fn kinds() -> BTreeSet<&'static str> {
    let own = variants::<Happening>().iter().filter(|kind| **kind != "wallet").map(|kind| renamed(kind));
    own.chain(variants::<daemon::wallet::change::Happening>().iter().copied()).collect()
}

/// The wallet has kinds of the same names for other things.
fn renamed(kind: &str) -> &str {
    match kind {
        "confirmed" => "sale_confirmed",
        _ => kind,
    }
}

/// The variants of an enum as JSON has them, read off what it asks for when it is read: so no list of them can be out of date.
fn variants<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut found: &'static [&'static str] = &[];
    // Nothing is read: there is always an error.
    let _ = T::deserialize(Variants(&mut found));
    found
}

struct Variants<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Variants<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(serde::de::Error::custom("only an enum's variants are asked for"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = variants;
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

fn flat(what: &Happening) -> Option<Value> {
    let Value::Object(by_kind) = serde_json::to_value(what).ok()? else { return None };
    let (kind, details) = by_kind.into_iter().next()?;
    let Value::Object(mut fields) = details else { return None };
    fields.insert("kind".to_owned(), renamed(&kind).into());
    Some(Value::Object(fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Issue 4: a webhook can name every kind that an event has, of the shop and of the wallet, and no other.
    #[test]
    fn every_kind_is_known() {
        let kinds = kinds();
        for kind in
            ["sale", "sale_confirmed", "confirmed", "report", "wallet_behind", "webhook", "received", "order"]
        {
            assert!(kinds.contains(kind), "{kind}");
        }
        assert!(!kinds.contains("wallet") && !kinds.contains("sales"));
        let told = flat(&Happening::WalletBehind { heard: 2, has: 1 }).unwrap();
        assert!(kinds.contains(told["kind"].as_str().unwrap()));
    }
}
