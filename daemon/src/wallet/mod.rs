//! The wallet's rules: what may be paid, received, asked of the bank. No IO, no clock, no chance of its own.
//!
//! ```text
//! input ─▶ Wallet::decide (reads) ─▶ Decision ─▶ Batch::commit (on disk) ─▶ Effects, replies
//! ```
//! Deciding takes `&self` and what the store was asked beforehand; applying what was decided cannot fail.
//! The wallet in memory holds what is still open: live notes, payments and bank requests without an
//! outcome, unused tickets, the head of the history. All else stays in the store.
//!
//! | file | what it decides |
//! |---|---|
//! | [`reserve`] | which units are free, which to take for an amount; `sorted`: in which order they lie |
//! | [`paying`] | a payment going out, from its first record to its end |
//! | [`posting`] | the way by the mailbox: posted, asked back, collected; requests left for payers |
//! | [`receiving`] | when a payee says yes |
//! | [`banking`] | what is asked of the bank: withdraw, deposit, refresh; `answers`: what comes of it; `losing`: what the bank did not take; `unasked`: what it writes by itself |
//! | [`reclaiming`] | payments in doubt that their owner wants back |
//! | [`ordering`] | orders from afar: what is ordered, what the bank holds for it |
//! | [`claiming`] | units that somebody else signed twice: the claim; [`defending`]: what others' claims ask of us |
//! | [`forks`] | chains that part, kept as evidence |
//! | [`doubt`] | everything whose outcome is awaited |
//! | [`history`] | the chain of movements with both balances |
//! | [`policy`] | what is taken directly, what only certified |
//! | [`bulletins`] | what the bank tells everybody, and whether it fits together |
//! | [`token`] | what programs may spend |
//! | [`vault`] | what goes into the vault, and what a restored wallet may not spend |
//! | [`change`] | what a decision is, and how it becomes durable before it has effects |

mod answers;
pub mod banking;
pub mod books;
pub mod bulletins;
pub mod change;
pub mod claiming;
pub mod defending;
pub mod doubt;
pub mod forks;
mod goods;
pub mod history;
mod losing;
pub mod ordering;
mod outgoing;
pub mod paying;
mod pieces;
pub mod policy;
pub mod posting;
mod proof;
pub mod receiving;
pub mod reclaiming;
pub mod reserve;
mod sorted;
mod tickets;
pub mod token;
mod unasked;
pub mod vault;

use banking::BankOp;
use bulletins::Heard;
use change::Change;
use claiming::{CaseRecord, Claiming};
use history::HistoryHead;
use ordering::Purchase;
use paying::Outgoing;
use policy::Policy;
use protocol::id::{BankId, Key, PaymentId, RequestId};
use protocol::key::bank::BankKeys;
use protocol::key::{KeyTicket, Seed};
use protocol::money::{Currency, Units};
use protocol::pay::Request;
use protocol::sign::{Signed, Signer};
use protocol::time::Timestamp;
use reserve::OwnNote;
use sorted::Sorted;
use std::collections::{BTreeMap, HashMap};
use token::Token;
use vault::{Fence, Quarantine};

/// Whose wallet it is, and at which bank; fixed when the account is opened.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The owner key.
    pub key: Key,
    /// The public name that the bank certified.
    pub name: String,
    /// The account's number.
    pub account: u64,
    /// What the units are called.
    pub currency: Currency,
}

/// The keys of an unlocked workstation. Nothing else can sign for the owner.
#[derive(Clone, Debug)]
pub struct OpenKeys {
    seed: Seed,
    owner: Signer,
}

impl OpenKeys {
    /// The keys that grow from `seed`.
    pub fn of(seed: Seed) -> OpenKeys {
        OpenKeys { owner: seed.owner(), seed }
    }

    /// The owner key.
    pub fn owner(&self) -> &Signer {
        &self.owner
    }

    /// The seed, from which note keys are derived.
    pub fn seed(&self) -> &Seed {
        &self.seed
    }
}

/// The account's balance as the bank last told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AccountBalance {
    /// The balance.
    pub units: Units,
    /// The number of the letter that told it: a higher one is newer.
    pub letter: u64,
    /// When the bank said so.
    pub at: Timestamp,
}

/// What is open in the wallet; see the module's head.
#[derive(Clone, Debug)]
pub struct Wallet {
    owner: Owner,
    keys: BankKeys,
    policy: Policy,
    notes: BTreeMap<u64, OwnNote>,
    next_note: u64,
    outgoing: BTreeMap<PaymentId, Outgoing>,
    bank_ops: BTreeMap<RequestId, BankOp>,
    tickets: BTreeMap<u64, Signed<KeyTicket>>,
    next_ticket: u64,
    tickets_taken: u64,
    history: HistoryHead,
    account: Option<AccountBalance>,
    next_event: u64,
    tokens: BTreeMap<String, Token>,
    heard: Heard,
    /// Whether what is committed goes into the vault.
    vaulted: bool,
    fence: Option<Fence>,
    quarantine: Option<Quarantine>,
    claims: BTreeMap<RequestId, Claiming>,
    cases: BTreeMap<u64, CaseRecord>,
    purchases: BTreeMap<RequestId, Purchase>,
    /// Requests that lie at the bank for payers who come while we are off.
    stock: Vec<Signed<Request>>,
    /// The notes in order of size, kept beside them.
    sorted: Sorted,
    /// Free units per payer that no bank has confirmed, kept beside the notes so that policy is quick.
    unconfirmed: HashMap<Key, Units>,
}

impl Wallet {
    /// A wallet with nothing in it.
    pub fn new(owner: Owner, keys: BankKeys, policy: Policy) -> Wallet {
        Wallet {
            owner,
            keys,
            policy,
            notes: BTreeMap::new(),
            next_note: 1,
            outgoing: BTreeMap::new(),
            bank_ops: BTreeMap::new(),
            tickets: BTreeMap::new(),
            next_ticket: 1,
            tickets_taken: 0,
            history: HistoryHead::default(),
            account: None,
            next_event: 1,
            tokens: BTreeMap::new(),
            heard: Heard::default(),
            vaulted: false,
            fence: None,
            quarantine: None,
            claims: BTreeMap::new(),
            cases: BTreeMap::new(),
            purchases: BTreeMap::new(),
            stock: Vec::new(),
            sorted: Sorted::default(),
            unconfirmed: HashMap::new(),
        }
    }

    /// Makes a change that is, or is about to be, on disk. It cannot fail.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Note(note) => self.put_note(note.clone()),
            Change::Outgoing(payment) if payment.state.is_open() => {
                self.outgoing.insert(payment.id, payment.clone());
            }
            Change::Outgoing(payment) => {
                self.outgoing.remove(&payment.id);
            }
            Change::BankOp(op) if op.is_open() => {
                self.bank_ops.insert(op.id, op.clone());
            }
            Change::BankOp(op) => {
                self.bank_ops.remove(&op.id);
            }
            Change::Ticket(number, ticket) => {
                self.tickets.insert(*number, ticket.clone());
                self.next_ticket = self.next_ticket.max(number + 1);
            }
            Change::TicketsTaken(up_to) => {
                self.tickets_taken = self.tickets_taken.max(*up_to);
                self.next_ticket = self.next_ticket.max(up_to + 1);
                self.tickets = self.tickets.split_off(&(up_to + 1));
            }
            Change::History(entry) => self.history = entry.head(),
            Change::Event(event) => self.next_event = self.next_event.max(event.seq + 1),
            Change::BankKey(certificate) => {
                // It was verified when it was learned; a second one for an epoch is refused there.
                let _ = self.keys.learn(certificate.clone());
            }
            Change::Revocation(revocation) => {
                // Verified when it was learned, as above.
                let _ = self.keys.revoke(revocation.clone());
                self.heard.forget_unsigned(&self.keys);
            }
            Change::Bulletin(bulletin) => self.heard.keep(bulletin.clone(), &self.keys),
            Change::BankFault(fault) => self.heard.keep_fault(fault.clone()),
            Change::Account(balance) => self.account = Some(*balance),
            Change::Stock(stock) => self.stock = stock.clone(),
            Change::Policy(policy) => self.policy = policy.clone(),
            Change::Token(token) => {
                self.tokens.insert(token.id.clone(), token.clone());
            }
            Change::TokenRevoked(id) => {
                self.tokens.remove(id);
            }
            Change::Fence(fence) => self.fence = Some(fence.clone()),
            Change::Fenced(note) => {
                self.fence.get_or_insert_default().notes.insert(*note);
            }
            Change::Quarantine(why) => self.quarantine = self.quarantine.or(Some(*why)),
            Change::Claim(claim) if claim.is_open() => {
                self.claims.insert(claim.id, claim.clone());
            }
            Change::Claim(claim) => {
                self.claims.remove(&claim.id);
            }
            Change::Case(record) if record.is_closed() => {
                self.cases.remove(&record.state.case);
            }
            Change::Case(record) => {
                self.cases.insert(record.state.case, record.clone());
            }
            Change::Purchase(purchase) if purchase.is_open() => {
                self.purchases.insert(purchase.id, purchase.clone());
            }
            Change::Purchase(purchase) => {
                self.purchases.remove(&purchase.id);
            }
            // Kept in the store only: it is asked when one of them is wanted.
            Change::Fork(_) | Change::Told(..) => {}
            Change::Incoming(_) | Change::Request(_) | Change::Answered(_) | Change::Letter(_) => {}
        }
    }

    fn put_note(&mut self, note: OwnNote) {
        self.next_note = self.next_note.max(note.number + 1);
        if let Some(before) = self.notes.remove(&note.number) {
            self.sorted.take(&before);
            self.count_unconfirmed(&before, false);
        }
        if note.is_live() {
            self.sorted.put(&note);
            self.count_unconfirmed(&note, true);
            self.notes.insert(note.number, note);
        }
    }

    fn count_unconfirmed(&mut self, note: &OwnNote, add: bool) {
        let (Some(payer), false) = (note.payer(), note.confirmed) else { return };
        // What is on its way to the bank is still only the payer's word.
        let units = note.free.units().plus(note.held_at_bank()).expect("units of one note are below 2^53");
        let sum = self.unconfirmed.entry(payer).or_default();
        let new = if add { sum.plus(units) } else { sum.minus(units) };
        *sum = new.expect("the sum of live notes is below the bank's total, and takes out what was put in");
        if sum.is_zero() {
            self.unconfirmed.remove(&payer);
        }
    }

    /// Whose wallet it is.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The bank.
    pub fn bank(&self) -> BankId {
        self.keys.bank()
    }

    /// The bank's keys known here.
    pub fn keys(&self) -> &BankKeys {
        &self.keys
    }

    /// The rules for taking money directly.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The account's balance as last told.
    pub fn account(&self) -> Option<AccountBalance> {
        self.account
    }

    /// Payments without an outcome.
    pub fn open_payments(&self) -> impl Iterator<Item = &Outgoing> {
        self.outgoing.values()
    }

    /// A payment without an outcome.
    pub fn open_payment(&self, id: &PaymentId) -> Option<&Outgoing> {
        self.outgoing.get(id)
    }

    /// Requests to the bank without an answer.
    pub fn open_bank_ops(&self) -> impl Iterator<Item = &BankOp> {
        self.bank_ops.values()
    }

    /// A request to the bank without an answer.
    pub fn open_bank_op(&self, id: &RequestId) -> Option<&BankOp> {
        self.bank_ops.get(id)
    }

    /// The head of the history.
    pub fn history(&self) -> &HistoryHead {
        &self.history
    }

    /// How many tickets are left for payers.
    pub fn tickets_left(&self) -> usize {
        self.tickets.len()
    }

    /// The tickets, lowest number first.
    pub fn tickets(&self) -> impl Iterator<Item = (u64, &Signed<KeyTicket>)> {
        self.tickets.iter().map(|(number, ticket)| (*number, ticket))
    }

    /// The number that the next ticket gets.
    pub fn next_ticket(&self) -> u64 {
        self.next_ticket
    }

    /// The number of the newest event.
    pub fn newest_event(&self) -> u64 {
        self.next_event - 1
    }
}
