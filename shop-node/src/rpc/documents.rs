//! Receipt documents, as they are handed out (SPEC §3.9, §3.10).

use super::desk::{Desk, not_found, store};
use super::page::Paper;
use super::{api, code};
use crate::shop::sale::{Paid, Sale, SalePaper};
use daemon::store::Store as _;
use protocol::bank::Introduction;
use protocol::id::{Key, RequestId};
use protocol::key::bank::{KeyCertificate, Usage};
use protocol::node::rpc::RpcError;
use protocol::shop::{OrderFile, OrderReceipt, ReceiptFile, RefundNote, SaleReceipt};
use protocol::sign::Signed;
use protocol::wire;

/// Most papers of a kind that go into a file.
const PAPERS: usize = 16;

impl Desk {
    /// The document of a sale or an order.
    pub(super) fn document(&self, sale: &Sale) -> Result<api::ReceiptDocument, RpcError> {
        let Some(paid) = &sale.paid else {
            return Err(code::reason_of("wrong_state", "a sale has a receipt when it is paid"));
        };
        let refunds = self.room.store.refunds_of(&sale.id).map_err(store)?;
        let refunds: Vec<_> = refunds.into_iter().filter_map(|refund| refund.note).collect();
        let file = match &paid.receipt {
            SalePaper::Counter(receipt) => self.of_sale(paid, receipt, refunds)?,
            SalePaper::Order(order, receipt) => self.of_order(order, receipt, refunds)?,
        };
        let paper = Paper { bank: &self.bank, shop: &self.name, currency: &self.currency };
        let (number, text) = (paid.number, paper.receipt(sale, paid));
        Ok(api::ReceiptDocument { number, text, file: hex::encode(file) })
    }

    fn of_sale(
        &self,
        paid: &Paid,
        receipt: &Signed<SaleReceipt>,
        refunds: Vec<Signed<RefundNote>>,
    ) -> Result<Vec<u8>, RpcError> {
        let incoming = self.engine.shared.store.incoming(&paid.payer, &paid.payment).map_err(store)?;
        let incoming = incoming.ok_or_else(|| not_found("payment"))?;
        let needed = |node: &Key| {
            receipt.check_by(node).is_ok()
                || incoming.receipt.check_by(node).is_ok()
                || refunds.iter().any(|note| note.check_by(node).is_ok())
        };
        let introductions = self.introductions(needed)?;
        Ok(wire::encode(&ReceiptFile {
            keys: self.attest_keys(),
            introductions,
            order: incoming.order.clone(),
            receipt: incoming.receipt.clone(),
            sale: receipt.clone(),
            refunds,
        }))
    }

    fn of_order(
        &self,
        order: &RequestId,
        receipt: &Signed<OrderReceipt>,
        refunds: Vec<Signed<RefundNote>>,
    ) -> Result<Vec<u8>, RpcError> {
        let order = self.room.store.order(order).map_err(store)?.ok_or_else(|| not_found("order"))?;
        let needed = |node: &Key| {
            receipt.check_by(node).is_ok() || refunds.iter().any(|note| note.check_by(node).is_ok())
        };
        let introductions = self.introductions(needed)?;
        Ok(wire::encode(&OrderFile {
            keys: self.attest_keys(),
            introductions,
            order: order.order,
            receipt: receipt.clone(),
            refunds,
        }))
    }

    /// Only papers that something in the file needs: a shop that was restored has signed with several keys.
    fn introductions(&self, needed: impl Fn(&Key) -> bool) -> Result<Vec<Introduction>, RpcError> {
        let mut introductions = self.room.store.papers().map_err(store)?;
        introductions.push(self.engine.shared.papers());
        introductions.retain(|papers| needed(&papers.identity.unverified().node));
        introductions.dedup();
        introductions.truncate(PAPERS);
        Ok(introductions)
    }

    fn attest_keys(&self) -> Vec<Signed<KeyCertificate>> {
        let keys = self.engine.shared.keys();
        let attest = keys.certificates().filter(|certificate| certificate.usage == Usage::Attest);
        attest.map(|certificate| certificate.signed().clone()).take(PAPERS).collect()
    }
}
