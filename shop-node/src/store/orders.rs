//! Orders from afar as they are kept, and what is handed over on line for them.

use super::{Bytes, ShopStore, broken, pack, put, put_open, unpack};
use crate::shop::order::Order;
use daemon::store::StoreFault;
use protocol::id::RequestId;
use redb::{ReadableDatabase as _, WriteTransaction};

pub(super) const ORDERS: Bytes = Bytes::new("orders");
pub(super) const LIVE_ORDERS: Bytes = Bytes::new("live_orders");
const ORDERS_BY_TIME: Bytes = Bytes::new("orders_by_time");
const CONTENT: Bytes = Bytes::new("content");

pub(super) const NAMED: [Bytes; 4] = [ORDERS, LIVE_ORDERS, ORDERS_BY_TIME, CONTENT];

/// What a change means to these tables.
pub(super) fn write_order(tx: &WriteTransaction, order: &Order) -> Result<(), StoreFault> {
    let id = order.id().0;
    put(tx, ORDERS, &id, &pack(order))?;
    put(tx, ORDERS_BY_TIME, &[&order.placed.0.to_be_bytes()[..], &id].concat(), &id)?;
    put_open(tx, LIVE_ORDERS, &id, order.is_live())
}

impl ShopStore {
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
