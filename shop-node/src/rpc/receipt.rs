//! The receipt document of a sale, for paper and as a file that anybody verifies off line (SPEC §3.9).

use super::code;
use super::desk::{Desk, not_found, store};
use super::page::Paper;
use crate::shop::sale::Sale;
use daemon::store::Store as _;
use protocol::key::bank::Usage;
use protocol::node::rpc::RpcError;
use protocol::shop::ReceiptFile;

impl Desk {
    /// The file, the receipt's number, and the text.
    pub(super) fn file(&self, sale: &Sale) -> Result<(ReceiptFile, u64, String), RpcError> {
        let Some(paid) = &sale.paid else {
            return Err(code::reason_of("wrong_state", "a sale has a receipt when it is paid"));
        };
        let wallet = &self.engine.shared.store;
        let incoming = wallet.incoming(&paid.payer, &paid.payment).map_err(store)?;
        let incoming = incoming.ok_or_else(|| not_found("payment"))?;
        let refunds = self.room.store.refunds_of(&sale.id).map_err(store)?;
        let refunds: Vec<_> = refunds.into_iter().filter_map(|refund| refund.note).collect();
        // Only papers that something in the file needs: a shop that was restored has signed with several keys.
        let needed = |node: &protocol::id::Key| {
            paid.receipt.check_by(node).is_ok()
                || incoming.receipt.check_by(node).is_ok()
                || refunds.iter().any(|note| note.check_by(node).is_ok())
        };
        let mut introductions = self.room.store.papers().map_err(store)?;
        introductions.push(self.engine.shared.papers());
        introductions.retain(|papers| needed(&papers.identity.unverified().node));
        introductions.dedup();
        introductions.truncate(16);
        let keys = self.engine.shared.keys();
        let attest = keys.certificates().filter(|certificate| certificate.usage == Usage::Attest);
        let file = ReceiptFile {
            keys: attest.map(|certificate| certificate.signed().clone()).take(16).collect(),
            introductions,
            order: incoming.order.clone(),
            receipt: incoming.receipt.clone(),
            sale: paid.receipt.clone(),
            refunds,
        };
        let paper = Paper { bank: &self.bank, shop: &self.name, currency: &self.currency };
        Ok((file, paid.number, paper.receipt(sale, paid)))
    }
}
