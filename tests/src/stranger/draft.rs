//! A payment as a stranger puts it together: honest first, then changed where a scene wants it.

use protocol::body::Body;
use protocol::id::{Digest, PaymentId};
use protocol::key::bank::KeyCertificate;
use protocol::node::chance::chance_bytes;
use protocol::note::{Destination, Note, NoteTable};
use protocol::pay::{Mode, Order, Payment, Receipt, Request, list_of_notes};
use protocol::range::Range;
use protocol::sign::{Signed, Signer};
use protocol::time::DAY_SECONDS;
use protocol::wire::{PayAnswer, PayAsk};
use serde::{Deserialize, Serialize};

use super::{Purse, Stranger, Target, now};
use crate::people::amount;

/// A payment that is not signed yet.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What the payee asks for.
    pub request: Signed<Request>,
    /// What the payer says to it.
    pub order: Order,
    /// What for.
    pub memo: String,
    /// Certificates beside the notes.
    pub keys: Vec<Signed<KeyCertificate>>,
    /// The notes.
    pub notes: NoteTable,
    /// Where the first note's units are handed on.
    pub range: Range,
}

impl Draft {
    /// Puts other notes in, and into the order.
    ///
    /// # Panics
    /// Never for notes: what makes no chain has a tip all the same.
    pub fn with_notes(&mut self, notes: &[Note]) {
        self.order.list = list_of_notes(&notes.iter().map(tip).collect::<Vec<_>>());
        self.notes = NoteTable::pack(notes);
    }

    /// Signed and ready to send.
    pub fn signed(&self, payer: &Signer) -> Payment {
        Payment {
            request: self.request.clone(),
            order: payer.sign(self.order.clone()),
            memo: self.memo.clone(),
            keys: self.keys.clone(),
            notes: self.notes.clone(),
        }
    }
}

/// Digest of a note's last body, also of a note that breaks the rules.
fn tip(note: &Note) -> Digest {
    note.links.last().map_or_else(|| note.root.digest(), Signed::digest)
}

/// A table as it would never be packed: these roots, links and tips, in this order.
///
/// # Panics
/// Never: every list of bodies is a table on the wire.
pub fn odd_table(notes: &[Note], more: impl FnOnce(&mut TableParts)) -> NoteTable {
    let packed = rmp_serde::to_vec(&NoteTable::pack(notes)).expect("a table has bytes");
    let mut parts: TableParts = rmp_serde::from_slice(&packed).expect("the same three lists");
    more(&mut parts);
    let bytes = rmp_serde::to_vec(&parts).expect("three lists have bytes");
    rmp_serde::from_slice(&bytes).expect("three lists are a table")
}

/// The three lists of a table.
#[derive(Debug, Serialize, Deserialize)]
pub struct TableParts {
    /// Roots.
    pub roots: Vec<serde_bytes::ByteBuf>,
    /// Links.
    pub links: Vec<serde_bytes::ByteBuf>,
    /// Tips.
    pub tips: Vec<serde_bytes::ByteBuf>,
}

/// The same signature under a body that was changed.
///
/// # Panics
/// When the body can no longer be read.
pub fn altered<T: Body + Clone>(signed: &Signed<T>, change: impl FnOnce(&mut T)) -> Signed<T> {
    let mut body = signed.unverified().clone();
    change(&mut body);
    let mut bytes = body.to_bytes();
    let whole = signed.to_bytes();
    let signature = whole.get(whole.len() - protocol::sign::SIGNATURE_LENGTH..).unwrap_or_default();
    bytes.extend_from_slice(signature);
    Signed::from_bytes(&bytes).unwrap_or_else(|why| panic!("{why}"))
}

impl Stranger {
    /// Asks a payee for a request.
    ///
    /// # Panics
    /// When he makes none.
    #[track_caller]
    pub fn is_asked(&self, target: &Target, units: u64, memo: &str) -> Signed<Request> {
        match self.says(target, self.offer(units, memo)) {
            PayAnswer::Request(request) => *request,
            other => panic!("no request but {other:?}"),
        }
    }

    /// An honest payment, up to the signature: offered, asked for, handed on.
    #[track_caller]
    pub fn drafts(&self, target: &Target, purse: &mut Purse, units: u64) -> Draft {
        let request = self.is_asked(target, units, "lunch");
        self.drafts_on(request, purse, units)
    }

    /// An honest payment on a request at hand.
    #[track_caller]
    pub fn drafts_on(&self, request: Signed<Request>, purse: &mut Purse, units: u64) -> Draft {
        let range = purse.take(units);
        let note = purse.hands(range, Destination::Key(request.unverified().key()));
        let order = Order {
            bank: self.bank(),
            payment: PaymentId(chance_bytes()),
            request: request.digest(),
            payer: self.owner().key(),
            payee: request.unverified().payee(),
            amount: amount(units),
            created: now(),
            expires: now().plus_seconds(7 * DAY_SECONDS),
            mode: Mode::Direct,
            replaces: Digest::default(),
            memo: Order::memo_digest("lunch"),
            list: Digest::default(),
        };
        let (keys, notes) = (Vec::new(), NoteTable::default());
        let mut draft = Draft { request, order, memo: "lunch".to_owned(), keys, notes, range };
        draft.with_notes(&[note]);
        draft
    }

    /// Sends a draft as it is.
    #[track_caller]
    pub fn pays_draft(&self, target: &Target, draft: &Draft) -> PayAnswer {
        self.says(target, PayAsk::Pay(Box::new(draft.signed(&self.owner()))))
    }

    /// Pays honestly, for once.
    ///
    /// # Panics
    /// When the payee does not take it.
    #[track_caller]
    pub fn pays(&self, target: &Target, purse: &mut Purse, units: u64) -> Signed<Receipt> {
        let draft = self.drafts(target, purse, units);
        match self.pays_draft(target, &draft) {
            PayAnswer::Receipt(receipt) => receipt,
            other => panic!("honest money is not taken: {other:?}"),
        }
    }
}
