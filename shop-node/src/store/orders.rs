//! Orders from afar as they are kept, and what is handed over on line for them.

use super::{Bytes, ShopStore, broken, pack, put, put_open, unpack};
use crate::shop::order::Order;
use daemon::store::StoreFault;
use protocol::id::{Digest, RequestId};
use protocol::wire::HoldState;
use redb::{ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _, WriteTransaction};
use std::collections::BTreeMap;

pub(super) const ORDERS: Bytes = Bytes::new("orders");
pub(super) const LIVE_ORDERS: Bytes = Bytes::new("live_orders");
const ORDERS_BY_TIME: Bytes = Bytes::new("orders_by_time");
const CONTENT: Bytes = Bytes::new("content");

/// The bank names a hold's order by its digest.
const ORDERS_BY_DIGEST: Bytes = Bytes::new("orders_by_digest");

pub(super) const NAMED: [Bytes; 5] = [ORDERS, LIVE_ORDERS, ORDERS_BY_TIME, ORDERS_BY_DIGEST, CONTENT];

/// What a change means to these tables.
pub(super) fn write_order(tx: &WriteTransaction, order: &Order) -> Result<(), StoreFault> {
    let id = order.id().0;
    put(tx, ORDERS, &id, &pack(order))?;
    put(tx, ORDERS_BY_TIME, &[&order.placed.0.to_be_bytes()[..], &id].concat(), &id)?;
    put(tx, ORDERS_BY_DIGEST, &order.order.digest().0, &id)?;
    put_open(tx, LIVE_ORDERS, &id, order.is_live())
}

/// Fills the index of digests in a file, or in a backup, from before there was one.
pub(super) fn index_digests(tx: &WriteTransaction) -> Result<(), StoreFault> {
    let orders = tx.open_table(ORDERS).map_err(broken)?;
    let mut index = tx.open_table(ORDERS_BY_DIGEST).map_err(broken)?;
    if index.len().map_err(broken)? == orders.len().map_err(broken)? {
        return Ok(());
    }
    for row in orders.iter().map_err(broken)? {
        let (id, order) = row.map_err(broken)?;
        let order: Order = unpack("orders", order.value())?;
        index.insert(&order.order.digest().0[..], id.value()).map_err(broken)?;
    }
    Ok(())
}

impl ShopStore {
    /// The orders that these holds are for, open or not, by their digests.
    pub fn orders_held(&self, holds: &[HoldState]) -> Result<BTreeMap<Digest, Order>, StoreFault> {
        let tx = self.db.begin_read().map_err(broken)?;
        let index = tx.open_table(ORDERS_BY_DIGEST).map_err(broken)?;
        let orders = tx.open_table(ORDERS).map_err(broken)?;
        let mut found = BTreeMap::new();
        for hold in holds {
            let Some(id) = index.get(&hold.order.0[..]).map_err(broken)? else { continue };
            let order = orders.get(id.value()).map_err(broken)?;
            let order = order.ok_or(StoreFault::Unreadable("orders_by_digest"))?;
            found.insert(hold.order, unpack("orders", order.value())?);
        }
        Ok(found)
    }

    /// An order.
    pub fn order(&self, id: &RequestId) -> Result<Option<Order>, StoreFault> {
        self.named(ORDERS, "orders", &id.0)
    }

    /// Orders, newest first; those placed before `before`, a key that an earlier page ended with.
    pub fn orders(&self, before: Option<&[u8]>, limit: usize) -> Result<Vec<(Vec<u8>, Order)>, StoreFault> {
        let tx = self.db.begin_read().map_err(broken)?;
        let index = tx.open_table(ORDERS_BY_TIME).map_err(broken)?;
        let orders = tx.open_table(ORDERS).map_err(broken)?;
        let end = before.map_or_else(|| vec![0xff; 25], <[u8]>::to_vec);
        let mut found = Vec::new();
        for row in index.range(..&end[..]).map_err(broken)?.rev().take(limit) {
            let (key, id) = row.map_err(broken)?;
            let order = orders.get(id.value()).map_err(broken)?;
            let order = order.ok_or(StoreFault::Unreadable("orders_by_time"))?;
            found.push((key.value().to_vec(), unpack("orders", order.value())?));
        }
        Ok(found)
    }

    /// What is handed over on line for an article.
    pub fn content(&self, sku: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        let tx = self.db.begin_read().map_err(broken)?;
        let table = tx.open_table(CONTENT).map_err(broken)?;
        Ok(table.get(sku.as_bytes()).map_err(broken)?.map(|bytes| bytes.value().to_vec()))
    }
}

/// What is handed over on line for an article, from now on.
pub(super) fn write_content(tx: &WriteTransaction, sku: &str, content: &[u8]) -> Result<(), StoreFault> {
    put(tx, CONTENT, sku.as_bytes(), content)
}
