//! The mailbox: sealed things left at the bank for somebody who is off (SPEC §4.12, threats Y8).

use crate::body::{self, Body, Malformed, Reader, Writer};
use crate::id::{BankId, Digest, Key, RequestId};
use crate::time::Timestamp;

/// What is in the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MailKind {
    /// A payment.
    Payment = 1,
    /// The answer to a payment, or its confirmation.
    Answer = 2,
}

/// Leaves an envelope for somebody; signed by the sender's node key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailItem {
    /// The bank.
    pub bank: BankId,
    /// Names this item.
    pub request: RequestId,
    /// The sender's owner key.
    pub from: Key,
    /// The sender's node key, which signs.
    pub node: Key,
    /// Whose mailbox.
    pub to: Key,
    /// What it is.
    pub kind: MailKind,
    /// Digest of the order that it is about.
    pub order: Digest,
    /// BLAKE3 digest `envelope-bytes` of the envelope.
    pub envelope: Digest,
    /// When it was written.
    pub created: Timestamp,
    /// From then on nobody can collect it.
    pub expires: Timestamp,
}

impl Body for MailItem {
    const TYPE: &'static str = "mail-item";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.request.0).raw(&self.from.0).raw(&self.node.0).raw(&self.to.0);
        out.u8(self.kind as u8).raw(&self.order.0).raw(&self.envelope.0);
        out.u64(self.created.0).u64(self.expires.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let bank = BankId(from.array()?);
        let request = RequestId(from.array()?);
        let (sender, node, to) = (Key(from.array()?), Key(from.array()?), Key(from.array()?));
        let kind = match from.u8()? {
            1 => MailKind::Payment,
            2 => MailKind::Answer,
            _ => return Err(from.flaw("unknown kind of mail")),
        };
        let (order, envelope) = (Digest(from.array()?), Digest(from.array()?));
        let (created, expires) = (Timestamp(from.u64()?), Timestamp(from.u64()?));
        Ok(MailItem { bank, request, from: sender, node, to, kind, order, envelope, created, expires })
    }
}

/// Digest of an envelope, as its item names it.
pub fn envelope_digest(envelope: &[u8]) -> Digest {
    body::digest("envelope-bytes", envelope)
}

/// What became of an item whose sender took it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MailFate {
    /// Nobody has collected it, and nobody will.
    Withdrawn = 1,
    /// It was handed to the addressee's workstation.
    Collected = 2,
}

/// The bank's word on an item; signed by an attest key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailWord {
    /// The bank.
    pub bank: BankId,
    /// Digest of the item.
    pub item: Digest,
    /// Digest of the order that it is about; zeros if the item never came.
    pub order: Digest,
    /// What became of it.
    pub fate: MailFate,
    /// When the bank said so: at the first asking.
    pub at: Timestamp,
}

impl Body for MailWord {
    const TYPE: &'static str = "mail-word";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.item.0).raw(&self.order.0);
        out.u8(self.fate as u8).u64(self.at.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let bank = BankId(from.array()?);
        let (item, order) = (Digest(from.array()?), Digest(from.array()?));
        let fate = match from.u8()? {
            1 => MailFate::Withdrawn,
            2 => MailFate::Collected,
            _ => return Err(from.flaw("unknown fate of mail")),
        };
        Ok(MailWord { bank, item, order, fate, at: Timestamp(from.u64()?) })
    }
}

/// What a workstation asks the bank in its owner's name without his key, so that it may be locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// Hand out what lies in the mailbox; `number` is the last item that is safe here: up to it all may go.
    Collect = 1,
    /// Take an item back that nobody has collected; `subject` is its digest.
    Withdraw = 2,
    /// Leave requests for payers.
    Leave = 3,
    /// Take a request that a payee left; `subject` is his owner key, `number` the units.
    Take = 4,
    /// How far the vault goes.
    Vault = 5,
    /// The cases in which the owner has a part; `number`: only those with higher numbers.
    Cases = 6,
    /// The holds in which the owner has a part; `number`: only those that changed after this journal entry.
    Holds = 7,
    /// The bank's letters to the owner that answer no request of his; `number`: only those after this journal entry.
    Letters = 8,
}

/// Asks in an owner's name; signed by his workstation's node key. It counts only while it is fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeQuery {
    /// The bank.
    pub bank: BankId,
    /// Names this query.
    pub request: RequestId,
    /// The owner.
    pub owner: Key,
    /// The node key in his newest identity record, which signs.
    pub node: Key,
    /// What is asked.
    pub purpose: Purpose,
    /// See [`Purpose`]; else 0.
    pub number: u64,
    /// See [`Purpose`]; else zeros.
    pub subject: Digest,
    /// When.
    pub created: Timestamp,
}

impl Body for NodeQuery {
    const TYPE: &'static str = "node-query";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).raw(&self.request.0).raw(&self.owner.0).raw(&self.node.0);
        out.u8(self.purpose as u8).u64(self.number).raw(&self.subject.0).u64(self.created.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let bank = BankId(from.array()?);
        let request = RequestId(from.array()?);
        let (owner, node) = (Key(from.array()?), Key(from.array()?));
        let purpose = match from.u8()? {
            1 => Purpose::Collect,
            2 => Purpose::Withdraw,
            3 => Purpose::Leave,
            4 => Purpose::Take,
            5 => Purpose::Vault,
            6 => Purpose::Cases,
            7 => Purpose::Holds,
            8 => Purpose::Letters,
            _ => return Err(from.flaw("unknown purpose")),
        };
        let (number, subject) = (from.u64()?, Digest(from.array()?));
        Ok(NodeQuery {
            bank,
            request,
            owner,
            node,
            purpose,
            number,
            subject,
            created: Timestamp(from.u64()?),
        })
    }
}
