//! The shop's file: one transaction a decision, beside the wallet's and never together with it (ADR 0006).
//!
//! Records are MessagePack, reports their own fixed layout. What is open is loaded whole; what is closed is asked for
//! by its name, its request, its payment or its number.

pub mod backup;
mod orders;

use crate::shop::back::Back;
use crate::shop::change::{AuditLine, Change, Event};
use crate::shop::refund::Refund;
use crate::shop::sale::Sale;
use crate::shop::sweep::Sweep;
use crate::shop::{Keeper, Shop};
use daemon::store::{Page, StoreFault};
use protocol::bank::Introduction;
use protocol::body::Body;
use protocol::id::{Key, PaymentId, RequestId};
use protocol::shop::DayReport;
use protocol::sign::Signed;
use protocol::wire::Sale as Line;
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// The shop's file in the data folder.
pub const STORE_FILE: &str = "shop.redb";
/// Beside it: the number of the newest event that ever was on disk.
pub const HEAD_FILE: &str = "shop-head";

type Bytes = TableDefinition<'static, &'static [u8], &'static [u8]>;
type Numbered = TableDefinition<'static, u64, &'static [u8]>;

const META: Bytes = Bytes::new("meta");
const ITEMS: Bytes = Bytes::new("items");
const STAFF: Bytes = Bytes::new("staff");
const SALES: Bytes = Bytes::new("sales");
const OPEN_SALES: Bytes = Bytes::new("open_sales");
const SALES_BY_TIME: Bytes = Bytes::new("sales_by_time");
const REFUNDS: Bytes = Bytes::new("refunds");
const OPEN_REFUNDS: Bytes = Bytes::new("open_refunds");
const REFUNDS_OF_SALE: Bytes = Bytes::new("refunds_of_sale");
const BY_REQUEST: Bytes = Bytes::new("by_request");
const BY_PAYMENT: Bytes = Bytes::new("by_payment");
const BY_REFUND: Bytes = Bytes::new("by_refund");
const PAPERS: Bytes = Bytes::new("papers");
const NUMBERS: Numbered = Numbered::new("numbers");
const REPORTS: Numbered = Numbered::new("reports");
const EVENTS: Numbered = Numbered::new("events");
const AUDIT: Numbered = Numbered::new("audit");
const TAKINGS: Numbered = Numbered::new("takings");
const SWEEPS: Numbered = Numbered::new("sweeps");
const OPEN_SWEEPS: Numbered = Numbered::new("open_sweeps");
const SWEEP_LISTS: Bytes = Bytes::new("sweep_lists");
const HOOKS: Bytes = Bytes::new("hooks");
const NOTICES: Bytes = Bytes::new("notices");

const NAMED: [Bytes; 16] = [
    META,
    ITEMS,
    STAFF,
    SALES,
    OPEN_SALES,
    SALES_BY_TIME,
    REFUNDS,
    OPEN_REFUNDS,
    REFUNDS_OF_SALE,
    BY_REQUEST,
    BY_PAYMENT,
    BY_REFUND,
    PAPERS,
    SWEEP_LISTS,
    HOOKS,
    NOTICES,
];
const NUMBERED: [Numbered; 7] = [NUMBERS, REPORTS, EVENTS, AUDIT, TAKINGS, SWEEPS, OPEN_SWEEPS];

const SETTINGS: &[u8] = b"settings";
const PERIOD: &[u8] = b"period";
const CURSOR: &[u8] = b"cursor";
const ORDER_SETTINGS: &[u8] = b"order_settings";
const HOLDS_READ: &[u8] = b"holds_read";
const COPIES: &[u8] = b"copies";
const BACK: &[u8] = b"back";
const VERSION: &[u8] = b"version";
/// The form of the records in this file.
const VERSION_NOW: u32 = 3;
/// Cache of the database.
const CACHE_BYTES: usize = 8 << 20;

/// The shop's store.
#[derive(Debug)]
pub struct ShopStore {
    db: Database,
}

fn broken(error: impl Into<redb::Error>) -> StoreFault {
    match error.into() {
        redb::Error::Io(io) if io.kind() == std::io::ErrorKind::StorageFull => StoreFault::Full,
        other => StoreFault::Broken(other.to_string()),
    }
}

fn pack<T: Serialize>(record: &T) -> Vec<u8> {
    rmp_serde::to_vec(record).expect("our records have nothing that MessagePack can't hold")
}

fn unpack<T: DeserializeOwned>(table: &'static str, bytes: &[u8]) -> Result<T, StoreFault> {
    rmp_serde::from_slice(bytes).map_err(|_| StoreFault::Unreadable(table))
}

impl ShopStore {
    /// Opens the file, or makes it.
    pub fn open(path: &Path) -> Result<ShopStore, StoreFault> {
        let db = Database::builder().set_cache_size(CACHE_BYTES).create(path).map_err(broken)?;
        ShopStore { db }.prepare()
    }

    /// A store on another backend: one that fails when a test wants it to.
    pub fn on(backend: impl redb::StorageBackend) -> Result<ShopStore, StoreFault> {
        let db =
            Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(backend).map_err(broken)?;
        ShopStore { db }.prepare()
    }

    fn prepare(self) -> Result<ShopStore, StoreFault> {
        let tx = self.db.begin_write().map_err(broken)?;
        for table in NAMED.into_iter().chain(orders::NAMED) {
            tx.open_table(table).map_err(broken)?;
        }
        for table in NUMBERED {
            tx.open_table(table).map_err(broken)?;
        }
        {
            let mut meta = tx.open_table(META).map_err(broken)?;
            let version =
                meta.get(VERSION).map_err(broken)?.map(|v| unpack::<u32>("meta", v.value())).transpose()?;
            match version {
                None => drop(meta.insert(VERSION, &pack(&VERSION_NOW)[..]).map_err(broken)?),
                Some(VERSION_NOW) => {}
                Some(found) => return Err(StoreFault::Version { found, ours: VERSION_NOW }),
            }
        }
        orders::index_digests(&tx)?;
        tx.commit().map_err(broken)?;
        Ok(self)
    }

    fn read(&self) -> Result<ReadTransaction, StoreFault> {
        self.db.begin_read().map_err(broken)
    }

    /// The shop as the last commit left it.
    pub fn load(&self, keeper: Keeper) -> Result<Shop, StoreFault> {
        let tx = self.read()?;
        let mut shop = Shop::new(keeper);
        let meta = tx.open_table(META).map_err(broken)?;
        let record = |key: &[u8]| -> Result<Option<Vec<u8>>, StoreFault> {
            Ok(meta.get(key).map_err(broken)?.map(|bytes| bytes.value().to_vec()))
        };
        if let Some(bytes) = record(SETTINGS)? {
            shop.apply(&Change::Settings(unpack("settings", &bytes)?));
        }
        if let Some(bytes) = record(PERIOD)? {
            shop.apply(&Change::Period(unpack("period", &bytes)?));
        }
        if let Some(bytes) = record(CURSOR)? {
            shop.apply(&Change::Cursor(unpack("cursor", &bytes)?));
        }
        for bytes in values(&tx, ITEMS)? {
            shop.apply(&Change::Item(unpack("items", &bytes)?));
        }
        for bytes in values(&tx, STAFF)? {
            shop.apply(&Change::Staff(unpack("staff", &bytes)?));
        }
        for bytes in values(&tx, HOOKS)? {
            shop.apply(&Change::Hook(unpack("hooks", &bytes)?));
        }
        for bytes in open_of(&tx, OPEN_SALES, SALES)? {
            shop.apply(&Change::Sale(unpack("sales", &bytes)?));
        }
        for bytes in open_of(&tx, OPEN_REFUNDS, REFUNDS)? {
            shop.apply(&Change::Refund(unpack("refunds", &bytes)?));
        }
        for (_, bytes) in pairs(&tx, OPEN_SWEEPS)? {
            shop.apply(&Change::Sweep(unpack("open_sweeps", &bytes)?));
        }
        for bytes in open_of(&tx, orders::LIVE_ORDERS, orders::ORDERS)? {
            shop.apply(&Change::Order(unpack("orders", &bytes)?));
        }
        if let Some(bytes) = record(ORDER_SETTINGS)? {
            shop.apply(&Change::OrderSettings(unpack("order_settings", &bytes)?));
        }
        if let Some(bytes) = record(HOLDS_READ)? {
            shop.apply(&Change::HoldsRead(unpack("holds_read", &bytes)?));
        }
        if let Some(bytes) = record(COPIES)? {
            shop.apply(&Change::Copies(unpack("copies", &bytes)?));
        }
        if let Some(bytes) = record(BACK)? {
            shop.apply(&Change::Back(unpack("back", &bytes)?));
        }
        for bytes in values(&tx, NOTICES)? {
            let (channel, failing) = unpack("notices", &bytes)?;
            shop.apply(&Change::Notices(channel, Some(failing)));
        }
        // Numbers go on where they were.
        if let Some((_, bytes)) = last(&tx, SWEEPS)? {
            shop.apply(&Change::Sweep(unpack("sweeps", &bytes)?));
        }
        if let Some((at, bytes)) = last(&tx, TAKINGS)? {
            shop.apply(&Change::Taking(at, unpack("takings", &bytes)?));
        }
        if let Some((_, id)) = last(&tx, NUMBERS)? {
            let sales = tx.open_table(SALES).map_err(broken)?;
            let sale = sales.get(&id[..]).map_err(broken)?.ok_or(StoreFault::Unreadable("numbers"))?;
            shop.apply(&Change::Sale(unpack("sales", sale.value())?));
        }
        if let Some((_, bytes)) = last(&tx, EVENTS)? {
            shop.apply(&Change::Event(unpack("events", &bytes)?));
        }
        if let Some((_, bytes)) = last(&tx, AUDIT)? {
            shop.apply(&Change::Audit(unpack("audit", &bytes)?));
        }
        Ok(shop)
    }

    /// How this book was put back, if it was.
    pub fn back(&self) -> Result<Option<Back>, StoreFault> {
        self.named(META, "back", BACK)
    }

    /// Makes all changes durable, or none.
    pub fn commit(&self, changes: &[Change]) -> Result<(), StoreFault> {
        let tx = self.db.begin_write().map_err(broken)?;
        for change in changes {
            write(&tx, change)?;
        }
        tx.commit().map_err(broken)
    }

    fn named<T: DeserializeOwned>(
        &self,
        table: Bytes,
        what: &'static str,
        key: &[u8],
    ) -> Result<Option<T>, StoreFault> {
        let tx = self.read()?;
        let table = tx.open_table(table).map_err(broken)?;
        table.get(key).map_err(broken)?.map(|bytes| unpack(what, bytes.value())).transpose()
    }

    /// A sale.
    pub fn sale(&self, id: &RequestId) -> Result<Option<Sale>, StoreFault> {
        self.named(SALES, "sales", &id.0)
    }

    /// The sale that a request of the wallet was made for.
    pub fn sale_of_request(&self, request: &RequestId) -> Result<Option<Sale>, StoreFault> {
        match self.named::<RequestId>(BY_REQUEST, "by_request", &request.0)? {
            Some(id) => self.sale(&id),
            None => Ok(None),
        }
    }

    /// The sale with this receipt number.
    pub fn sale_of_number(&self, number: u64) -> Result<Option<Sale>, StoreFault> {
        let tx = self.read()?;
        let id =
            tx.open_table(NUMBERS).map_err(broken)?.get(number).map_err(broken)?.map(|v| v.value().to_vec());
        match id {
            Some(id) => self.named(SALES, "sales", &id),
            None => Ok(None),
        }
    }

    /// The sale that somebody's payment paid, or nothing. Payment ids are the payers' choice: two may have the same.
    pub fn sale_of_payment(&self, payer: &Key, payment: &PaymentId) -> Result<Option<Sale>, StoreFault> {
        match self.named::<RequestId>(BY_PAYMENT, "by_payment", &payment_key(payer, payment))? {
            Some(id) => self.sale(&id),
            None => Ok(None),
        }
    }

    /// The refund that a payment of ours is made for, or nothing.
    pub fn refund_of_payment(&self, payment: &PaymentId) -> Result<Option<Refund>, StoreFault> {
        match self.named::<RequestId>(BY_REFUND, "by_refund", &payment.0)? {
            Some(id) => self.refund(&id),
            None => Ok(None),
        }
    }

    /// A refund.
    pub fn refund(&self, id: &RequestId) -> Result<Option<Refund>, StoreFault> {
        self.named(REFUNDS, "refunds", &id.0)
    }

    /// Everything that was given back of a sale.
    pub fn refunds_of(&self, sale: &RequestId) -> Result<Vec<Refund>, StoreFault> {
        let names = {
            let tx = self.read()?;
            let index = tx.open_table(REFUNDS_OF_SALE).map_err(broken)?;
            let rows = index.range(&sale.0[..]..).map_err(broken)?;
            let mut names = Vec::new();
            for row in rows {
                let (key, _) = row.map_err(broken)?;
                let Some(name) = key.value().strip_prefix(&sale.0[..]) else { break };
                names.push(name.to_vec());
            }
            names
        };
        names.iter().filter_map(|name| self.named(REFUNDS, "refunds", name).transpose()).collect()
    }

    /// Sales, newest first; those opened before `before`, a key that an earlier page ended with.
    pub fn sales(&self, before: Option<&[u8]>, limit: usize) -> Result<Vec<(Vec<u8>, Sale)>, StoreFault> {
        let tx = self.read()?;
        let index = tx.open_table(SALES_BY_TIME).map_err(broken)?;
        let sales = tx.open_table(SALES).map_err(broken)?;
        let end = before.map_or_else(|| vec![0xff; 25], <[u8]>::to_vec);
        let mut found = Vec::new();
        for row in index.range(..&end[..]).map_err(broken)?.rev().take(limit) {
            let (key, id) = row.map_err(broken)?;
            let sale =
                sales.get(id.value()).map_err(broken)?.ok_or(StoreFault::Unreadable("sales_by_time"))?;
            found.push((key.value().to_vec(), unpack("sales", sale.value())?));
        }
        Ok(found)
    }

    /// A Z report.
    pub fn report(&self, number: u64) -> Result<Option<Signed<DayReport>>, StoreFault> {
        let tx = self.read()?;
        let table = tx.open_table(REPORTS).map_err(broken)?;
        table.get(number).map_err(broken)?.map(|bytes| signed(bytes.value())).transpose()
    }

    /// Z reports, newest first.
    pub fn reports(&self, page: Page) -> Result<Vec<Signed<DayReport>>, StoreFault> {
        self.newest(REPORTS, page)?.iter().map(|bytes| signed(bytes)).collect()
    }

    /// Lines of the audit log, newest first.
    pub fn audit(&self, page: Page) -> Result<Vec<AuditLine>, StoreFault> {
        self.newest(AUDIT, page)?.iter().map(|bytes| unpack("audit", bytes)).collect()
    }

    /// Events after a number, oldest first.
    pub fn events(&self, since: u64, limit: usize) -> Result<Vec<Event>, StoreFault> {
        let tx = self.read()?;
        let table = tx.open_table(EVENTS).map_err(broken)?;
        let rows = table.range(since.saturating_add(1)..).map_err(broken)?.take(limit);
        rows.map(|row| unpack("events", row.map_err(broken)?.1.value())).collect()
    }

    /// Lines that stand in no sweep yet, in their order.
    pub fn takings(&self) -> Result<Vec<(u64, Line)>, StoreFault> {
        let tx = self.read()?;
        pairs(&tx, TAKINGS)?.into_iter().map(|(at, bytes)| Ok((at, unpack("takings", &bytes)?))).collect()
    }

    /// Sweeps, newest first.
    pub fn sweeps(&self, page: Page) -> Result<Vec<Sweep>, StoreFault> {
        self.newest(SWEEPS, page)?.iter().map(|bytes| unpack("sweeps", bytes)).collect()
    }

    /// The list of a sweep, as it is sent.
    pub fn sweep_list(&self, id: &RequestId) -> Result<Vec<u8>, StoreFault> {
        let tx = self.read()?;
        let table = tx.open_table(SWEEP_LISTS).map_err(broken)?;
        let list = table.get(&id.0[..]).map_err(broken)?.map(|bytes| bytes.value().to_vec());
        list.ok_or(StoreFault::Unreadable("sweep_lists"))
    }

    /// The shop's papers, all that ever stood behind a receipt.
    pub fn papers(&self) -> Result<Vec<Introduction>, StoreFault> {
        let tx = self.read()?;
        values(&tx, PAPERS)?.iter().map(|bytes| unpack("papers", bytes)).collect()
    }

    fn newest(&self, table: Numbered, page: Page) -> Result<Vec<Vec<u8>>, StoreFault> {
        let tx = self.read()?;
        let table = tx.open_table(table).map_err(broken)?;
        let end = page.before.unwrap_or(u64::MAX);
        let rows = table.range(..end).map_err(broken)?.rev().take(page.limit);
        rows.map(|row| row.map(|(_, bytes)| bytes.value().to_vec()).map_err(broken)).collect()
    }
}

fn signed<T: Body>(bytes: &[u8]) -> Result<Signed<T>, StoreFault> {
    Signed::from_bytes(bytes).map_err(|_| StoreFault::Unreadable("reports"))
}

fn values(tx: &ReadTransaction, table: Bytes) -> Result<Vec<Vec<u8>>, StoreFault> {
    let table = tx.open_table(table).map_err(broken)?;
    table.iter().map_err(broken)?.map(|row| row.map(|(_, v)| v.value().to_vec()).map_err(broken)).collect()
}

fn pairs(tx: &ReadTransaction, table: Numbered) -> Result<Vec<(u64, Vec<u8>)>, StoreFault> {
    let table = tx.open_table(table).map_err(broken)?;
    let rows = table.iter().map_err(broken)?;
    rows.map(|row| row.map(|(k, v)| (k.value(), v.value().to_vec())).map_err(broken)).collect()
}

fn last(tx: &ReadTransaction, table: Numbered) -> Result<Option<(u64, Vec<u8>)>, StoreFault> {
    let table = tx.open_table(table).map_err(broken)?;
    Ok(table.last().map_err(broken)?.map(|(k, v)| (k.value(), v.value().to_vec())))
}

/// The records whose names stand in the table of open ones.
fn open_of(tx: &ReadTransaction, open: Bytes, records: Bytes) -> Result<Vec<Vec<u8>>, StoreFault> {
    let open = tx.open_table(open).map_err(broken)?;
    let records = tx.open_table(records).map_err(broken)?;
    let mut found = Vec::new();
    for row in open.iter().map_err(broken)? {
        let (name, _) = row.map_err(broken)?;
        let record = records.get(name.value()).map_err(broken)?;
        found.push(record.ok_or(StoreFault::Unreadable("open records"))?.value().to_vec());
    }
    Ok(found)
}

fn put(tx: &WriteTransaction, table: Bytes, key: &[u8], value: &[u8]) -> Result<(), StoreFault> {
    tx.open_table(table).map_err(broken)?.insert(key, value).map_err(broken).map(drop)
}

fn put_numbered(tx: &WriteTransaction, table: Numbered, key: u64, value: &[u8]) -> Result<(), StoreFault> {
    tx.open_table(table).map_err(broken)?.insert(key, value).map_err(broken).map(drop)
}

fn remove_numbered(tx: &WriteTransaction, table: Numbered, key: u64) -> Result<(), StoreFault> {
    tx.open_table(table).map_err(broken)?.remove(key).map_err(broken).map(drop)
}

fn put_open(tx: &WriteTransaction, table: Bytes, key: &[u8], open: bool) -> Result<(), StoreFault> {
    match open {
        true => put(tx, table, key, &[]),
        false => tx.open_table(table).map_err(broken)?.remove(key).map_err(broken).map(drop),
    }
}

fn write(tx: &WriteTransaction, change: &Change) -> Result<(), StoreFault> {
    match change {
        Change::Settings(settings) => put(tx, META, SETTINGS, &pack(settings)),
        Change::Item(item) => put(tx, ITEMS, item.sku.as_bytes(), &pack(item)),
        Change::Staff(staff) => put(tx, STAFF, staff.id.as_bytes(), &pack(staff)),
        Change::Sale(sale) => put_sale(tx, sale),
        Change::Refund(refund) => {
            put(tx, REFUNDS, &refund.id.0, &pack(refund))?;
            put_open(tx, OPEN_REFUNDS, &refund.id.0, refund.state.is_open())?;
            put(tx, BY_REFUND, &refund.payment.0, &pack(&refund.id))?;
            put(tx, REFUNDS_OF_SALE, &[refund.sale.0, refund.id.0].concat(), &[])
        }
        Change::Period(period) => put(tx, META, PERIOD, &pack(period)),
        Change::Report(report) => put_numbered(tx, REPORTS, report.unverified().number, &report.to_bytes()),
        Change::Cursor(cursor) => put(tx, META, CURSOR, &pack(cursor)),
        Change::Order(order) => orders::write_order(tx, order),
        Change::OrderSettings(settings) => put(tx, META, ORDER_SETTINGS, &pack(settings)),
        Change::HoldsRead(entry) => put(tx, META, HOLDS_READ, &pack(entry)),
        Change::Content(sku, content) => orders::write_content(tx, sku, content),
        Change::Papers(papers) => put(tx, PAPERS, &papers.identity.digest().0, &pack(papers)),
        Change::Event(event) => put_numbered(tx, EVENTS, event.seq, &pack(event)),
        Change::Audit(line) => put_numbered(tx, AUDIT, line.number, &pack(line)),
        Change::Taking(at, line) => put_numbered(tx, TAKINGS, *at, &pack(line)),
        Change::Taken(last) => {
            tx.open_table(TAKINGS).map_err(broken)?.retain_in(..=*last, |_, _| false).map_err(broken)
        }
        Change::Sweep(sweep) => {
            put_numbered(tx, SWEEPS, sweep.number, &pack(sweep))?;
            match sweep.state.is_open() {
                true => put_numbered(tx, OPEN_SWEEPS, sweep.number, &pack(sweep)),
                false => remove_numbered(tx, OPEN_SWEEPS, sweep.number),
            }
        }
        Change::SweepList(id, list) => put(tx, SWEEP_LISTS, &id.0, list),
        Change::Hook(hook) => put(tx, HOOKS, hook.id.as_bytes(), &pack(hook)),
        Change::Notices(channel, Some(failing)) => {
            put(tx, NOTICES, channel.word().as_bytes(), &pack(&(channel, failing)))
        }
        Change::Notices(channel, None) => {
            let word = channel.word().as_bytes();
            tx.open_table(NOTICES).map_err(broken)?.remove(word).map_err(broken).map(drop)
        }
        Change::Copies(copies) => put(tx, META, COPIES, &pack(copies)),
        Change::Back(back) => put(tx, META, BACK, &pack(back)),
        Change::TakingsGone(lines) => lines.iter().try_for_each(|at| remove_numbered(tx, TAKINGS, *at)),
        Change::HookGone(id) => {
            tx.open_table(HOOKS).map_err(broken)?.remove(id.as_bytes()).map_err(broken).map(drop)
        }
        Change::Renumbered(numbers) => numbers.iter().try_for_each(|number| {
            remove_numbered(tx, SWEEPS, *number)?;
            remove_numbered(tx, OPEN_SWEEPS, *number)
        }),
    }
}

fn payment_key(payer: &Key, payment: &PaymentId) -> Vec<u8> {
    [&payer.0[..], &payment.0].concat()
}

fn put_sale(tx: &WriteTransaction, sale: &Sale) -> Result<(), StoreFault> {
    put(tx, SALES, &sale.id.0, &pack(sale))?;
    put_open(tx, OPEN_SALES, &sale.id.0, sale.state.is_open())?;
    put(tx, SALES_BY_TIME, &[&sale.opened.0.to_be_bytes()[..], &sale.id.0].concat(), &sale.id.0)?;
    if let Some(request) = sale.request {
        put(tx, BY_REQUEST, &request.0, &pack(&sale.id))?;
    }
    if let Some(paid) = &sale.paid {
        put_numbered(tx, NUMBERS, paid.number, &sale.id.0)?;
        put(tx, BY_PAYMENT, &payment_key(&paid.payer, &paid.payment), &pack(&sale.id))?;
    }
    Ok(())
}
