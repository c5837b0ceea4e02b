//! Goods that come on line, the buyer's side (SPEC §3.10): confirmed by themselves only when all of them are here, and fetched
//! though the order's money has ended.

use super::ordering::{Purchase, PurchaseState};
use protocol::id::Digest;
use protocol::shop::SaleLine;
use protocol::time::Timestamp;
use protocol::wire::{GOODS_MAX, Goods, HoldStep};

/// A shop that was paid is asked for goods on line for so many days.
pub(super) const FETCH_DAYS: u64 = 30;
/// A shop hears within so long that the bank has paid it.
pub(super) const FETCH_SECONDS: u64 = 600;

impl Purchase {
    /// Whether all that was ordered is here: it came on line.
    pub fn has_all_goods(&self) -> bool {
        let came = |line: &SaleLine| self.goods.iter().any(|goods| goods.sku == line.sku.as_str());
        self.order().lines.iter().all(came)
    }

    /// Whether the goods are here and are to be confirmed without being asked.
    pub fn is_to_confirm(&self) -> bool {
        self.state == PurchaseState::Held && self.auto && self.has_all_goods()
    }

    /// When the shop got something for goods that are still to be fetched, though nothing else is to come: nothing of the
    /// order had to be brought anywhere.
    pub(super) fn fetches_since(&self) -> Option<Timestamp> {
        let HoldStep::Closed(released, _, at) = self.held.as_ref()?.step else { return None };
        let on_line = self.order().delivery == Digest::default();
        (on_line && !self.fetched && !released.is_zero() && !self.has_all_goods()).then_some(at)
    }

    /// Whether something is still to come: the shop's word, money or goods.
    pub fn is_open(&self) -> bool {
        self.state.is_open() || self.fetches_since().is_some()
    }
}

/// What of it was ordered, once each, as much as an order's goods may be.
pub(super) fn goods_of(purchase: &Purchase, came: Vec<Goods>) -> Vec<Goods> {
    let bytes: usize = came.iter().map(|goods| goods.content.len()).sum();
    let mut kept = Vec::<Goods>::new();
    for goods in came.into_iter().filter(|_| bytes <= GOODS_MAX) {
        let ordered = purchase.order().lines.iter().any(|line| line.sku.as_str() == goods.sku);
        if ordered && kept.iter().all(|one| one.sku != goods.sku) {
            kept.push(goods);
        }
    }
    kept
}
