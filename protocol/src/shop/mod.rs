//! Papers of a shop: what was sold, what was given back, what a day came to (SPEC §3.9, §3.10).
//!
//! Signed by the shop's node key, so that a locked till can make them. Nothing in them moves money: they bind
//! goods to payments that anybody can check by themselves.

mod day;
mod file;
mod order;
mod order_file;
mod order_receipt;
mod receipt;

pub use day::{DayLine, DayReport, LINES_MAX as DAY_LINES_MAX};
pub use file::{FileFlaw, Proved, ReceiptFile};
pub use order::{DELIVERY_MAX, ORDER_LINES_MAX, OrderWord, Release, ShopOrder, Word, delivery_digest};
pub use order_file::{OrderFile, ProvedOrder};
pub use order_receipt::OrderReceipt;
pub use receipt::{LINES_MAX, NAME_MAX, RefundNote, SKU_MAX, SaleLine, SaleReceipt, TILL_MAX, total};
