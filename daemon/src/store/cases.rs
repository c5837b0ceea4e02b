//! Claims, cases and forks as they are kept, and the look-ups that answer for them (SPEC §3.8).

use super::redb::{
    Bytes, INCOMING, LIVE_NOTES, Numbered, OUTGOING, RedbStore, SPENT_NOTES, all_named, all_numbered, broken,
    open_of, pack, put, put_numbered, put_open, remove, unpack,
};
use super::{Store, StoreFault};
use crate::wallet::Wallet;
use crate::wallet::change::Change;
use crate::wallet::claiming::{CaseRecord, Claiming, Papers};
use crate::wallet::defending::{Kept, Question};
use crate::wallet::forks::ForkRecord;
use crate::wallet::ordering::Purchase;
use crate::wallet::paying::{Outgoing, State};
use crate::wallet::receiving::Incoming;
use crate::wallet::reserve::OwnNote;
use protocol::id::{Digest, Key, PaymentId, RequestId};
use redb::{ReadTransaction, ReadableTable, WriteTransaction};

pub(super) const CLAIMS: Bytes = Bytes::new("claims");
const OPEN_CLAIMS: Bytes = Bytes::new("open_claims");
pub(super) const PURCHASES: Bytes = Bytes::new("purchases");
const OPEN_PURCHASES: Bytes = Bytes::new("open_purchases");
pub(super) const CASES: Numbered = Numbered::new("cases");
pub(super) const FORKS: Bytes = Bytes::new("forks");
/// Payments by the note key that they hand on to.
const PAID_KEYS: Bytes = Bytes::new("paid_keys");
/// Payments with a receipt whose payees have not been to the bank, as far as known.
const RECEIPTED: Bytes = Bytes::new("receipted");
/// Payers who have to be told that their money is safe.
const TO_TELL: Bytes = Bytes::new("to_tell");

pub(super) const NAMED: &[Bytes] =
    &[CLAIMS, OPEN_CLAIMS, PURCHASES, OPEN_PURCHASES, FORKS, PAID_KEYS, RECEIPTED, TO_TELL];
pub(super) const NUMBERED: &[Numbered] = &[CASES];

/// What a change means to these tables, beside its own record.
pub(super) fn write(tx: &WriteTransaction, change: &Change) -> Result<(), StoreFault> {
    match change {
        Change::Claim(claim) => {
            put(tx, CLAIMS, &claim.id.0, &pack(claim))?;
            put_open(tx, OPEN_CLAIMS, &claim.id.0, claim.is_open())
        }
        Change::Case(record) => put_numbered(tx, CASES, record.state.case, &pack(record)),
        Change::Purchase(purchase) => {
            put(tx, PURCHASES, &purchase.id.0, &pack(purchase))?;
            put_open(tx, OPEN_PURCHASES, &purchase.id.0, purchase.is_open())
        }
        Change::Fork(fork) => put(tx, FORKS, &fork_key(fork), &pack(fork)),
        Change::Told(payer, payment) => remove(tx, TO_TELL, &[&payer.0[..], &payment.0].concat()),
        Change::Outgoing(payment) => write_payment(tx, payment),
        Change::Incoming(payment) if payment.confirmed && !payment.receipt.unverified().confirmed => {
            put(tx, TO_TELL, &[&payment.payer.0[..], &payment.payment.0].concat(), &[])
        }
        _ => Ok(()),
    }
}

fn write_payment(tx: &WriteTransaction, payment: &Outgoing) -> Result<(), StoreFault> {
    if let (Some(request), true) = (&payment.request, payment.order.is_some()) {
        let key = [&request.unverified().key().0[..], &payment.id.0].concat();
        put(tx, PAID_KEYS, &key, &[])?;
    }
    put_open(tx, RECEIPTED, &payment.id.0, payment.state == State::Receipted)
}

fn fork_key(fork: &ForkRecord) -> Vec<u8> {
    [&fork.root.0[..], &fork.parting.0, &fork.ours.to_be_bytes()].concat()
}

/// Puts what still runs into a wallet that is being loaded.
pub(super) fn load(tx: &ReadTransaction, wallet: &mut Wallet) -> Result<(), StoreFault> {
    let claims = tx.open_table(CLAIMS).map_err(broken)?;
    let open = tx.open_table(OPEN_CLAIMS).map_err(broken)?;
    for row in open.iter().map_err(broken)? {
        let (name, _) = row.map_err(broken)?;
        let record = claims.get(name.value()).map_err(broken)?.ok_or(StoreFault::Unreadable("claims"))?;
        wallet.apply(&Change::Claim(unpack("claims", record.value())?));
    }
    for bytes in open_of(tx, OPEN_PURCHASES, PURCHASES)? {
        wallet.apply(&Change::Purchase(unpack("purchases", &bytes)?));
    }
    for (_, bytes) in all_numbered(tx, CASES)? {
        wallet.apply(&Change::Case(unpack("cases", &bytes)?));
    }
    Ok(())
}

impl RedbStore {
    /// A claim of ours.
    pub fn claim(&self, id: &RequestId) -> Result<Option<Claiming>, StoreFault> {
        let tx = self.read()?;
        let table = tx.open_table(CLAIMS).map_err(broken)?;
        table.get(&id.0[..]).map_err(broken)?.map(|bytes| unpack("claims", bytes.value())).transpose()
    }

    /// All claims that were ever made here, in no order.
    pub fn claims(&self) -> Result<Vec<Claiming>, StoreFault> {
        all_named(&self.read()?, CLAIMS)?.iter().map(|bytes| unpack("claims", bytes)).collect()
    }

    /// An order of ours.
    pub fn purchase(&self, id: &RequestId) -> Result<Option<Purchase>, StoreFault> {
        let tx = self.read()?;
        let table = tx.open_table(PURCHASES).map_err(broken)?;
        table.get(&id.0[..]).map_err(broken)?.map(|bytes| unpack("purchases", bytes.value())).transpose()
    }

    /// All orders that were ever made here, in no order.
    pub fn purchases(&self) -> Result<Vec<Purchase>, StoreFault> {
        all_named(&self.read()?, PURCHASES)?.iter().map(|bytes| unpack("purchases", bytes)).collect()
    }

    /// All cases in which we had a part, by number.
    pub fn cases(&self) -> Result<Vec<CaseRecord>, StoreFault> {
        all_numbered(&self.read()?, CASES)?.iter().map(|(_, bytes)| unpack("cases", bytes)).collect()
    }

    /// Cases by number, those that are on record.
    pub fn cases_numbered(&self, numbers: impl Iterator<Item = u64>) -> Result<Vec<CaseRecord>, StoreFault> {
        let tx = self.read()?;
        let table = tx.open_table(CASES).map_err(broken)?;
        let mut found = Vec::new();
        for number in numbers {
            if let Some(bytes) = table.get(number).map_err(broken)? {
                found.push(unpack("cases", bytes.value())?);
            }
        }
        Ok(found)
    }

    /// Forks that were seen over a root.
    pub fn forks_over(&self, root: &Digest) -> Result<Vec<ForkRecord>, StoreFault> {
        let tx = self.read()?;
        let table = tx.open_table(FORKS).map_err(broken)?;
        let mut found = Vec::new();
        for row in table.range(&root.0[..]..).map_err(broken)? {
            let (key, bytes) = row.map_err(broken)?;
            if !key.value().starts_with(&root.0) {
                break;
            }
            found.push(unpack("forks", bytes.value())?);
        }
        Ok(found)
    }

    /// The papers of a payment that came in.
    pub fn papers(&self, payer: &Key, payment: &PaymentId) -> Result<Option<Papers>, StoreFault> {
        let Some(incoming) = self.incoming(payer, payment)? else { return Ok(None) };
        let Some(request) = self.request(&incoming.request)? else { return Ok(None) };
        let notes = self.notes_numbered(&incoming.notes)?;
        Ok(Some(Papers { incoming, request, notes }))
    }

    fn notes_numbered(&self, numbers: &[u64]) -> Result<Vec<OwnNote>, StoreFault> {
        let tx = self.read()?;
        let live = tx.open_table(LIVE_NOTES).map_err(broken)?;
        let spent = tx.open_table(SPENT_NOTES).map_err(broken)?;
        let mut found = Vec::new();
        for number in numbers {
            let bytes = match live.get(*number).map_err(broken)? {
                Some(bytes) => bytes,
                None => spent.get(*number).map_err(broken)?.ok_or(StoreFault::Unreadable("notes"))?,
            };
            found.push(unpack("notes", bytes.value())?);
        }
        Ok(found)
    }

    /// Payments that hand on to a note key.
    pub fn payments_to(&self, key: &Key) -> Result<Vec<Outgoing>, StoreFault> {
        let tx = self.read()?;
        let index = tx.open_table(PAID_KEYS).map_err(broken)?;
        let payments = tx.open_table(OUTGOING).map_err(broken)?;
        let mut found = Vec::new();
        for row in index.range(&key.0[..]..).map_err(broken)? {
            let (name, _) = row.map_err(broken)?;
            let Some(id) = name.value().strip_prefix(&key.0[..]) else { break };
            let record = payments.get(id).map_err(broken)?.ok_or(StoreFault::Unreadable("paid_keys"))?;
            found.push(unpack::<Outgoing>("outgoing", record.value())?.standing_now());
        }
        Ok(found)
    }

    /// What is kept about a case's question.
    pub fn kept_about(&self, question: &Question) -> Result<Kept, StoreFault> {
        let notes = self.notes_over(&question.root)?;
        let from = match question.note(&notes).and_then(|own| own.from) {
            Some((payer, payment)) => self.papers(&payer, &payment)?,
            None => None,
        };
        Ok(Kept { from, paid: self.payments_to(&question.to)? })
    }

    /// Payments with a receipt that says nothing of the bank yet; at most so many.
    pub fn receipted(&self, limit: usize) -> Result<Vec<PaymentId>, StoreFault> {
        let tx = self.read()?;
        let table = tx.open_table(RECEIPTED).map_err(broken)?;
        let rows = table.iter().map_err(broken)?.take(limit);
        let id =
            |bytes: &[u8]| bytes.try_into().map(PaymentId).map_err(|_| StoreFault::Unreadable("receipted"));
        rows.map(|row| id(row.map_err(broken)?.0.value())).collect()
    }

    /// Payments that came in and are safe, and whose payers do not know it yet; at most so many.
    pub fn to_tell(&self, limit: usize) -> Result<Vec<Incoming>, StoreFault> {
        let tx = self.read()?;
        let table = tx.open_table(TO_TELL).map_err(broken)?;
        let payments = tx.open_table(INCOMING).map_err(broken)?;
        let mut found = Vec::new();
        for row in table.iter().map_err(broken)?.take(limit) {
            let (key, _) = row.map_err(broken)?;
            let record =
                payments.get(key.value()).map_err(broken)?.ok_or(StoreFault::Unreadable("to_tell"))?;
            found.push(unpack("incoming", record.value())?);
        }
        Ok(found)
    }
}
