//! Changes, effects, and the one way from a decision to the world: through the disk.
//!
//! A [`Decision`]'s effects and reply are private. They come out of [`Batch::commit`] only, which has
//! made the changes durable: nothing can be sent before it is on disk, and the compiler keeps that promise.

use super::AccountBalance;
use super::Wallet;
use super::banking::BankOp;
use super::books::{Store, StoreFault};
use super::bulletins::BankFault;
use super::claiming::{CaseRecord, Claiming};
use super::forks::ForkRecord;
use super::history::Entry;
use super::ordering::Purchase;
use super::paying::Outgoing;
use super::policy::Policy;
use super::receiving::{Incoming, RequestRecord};
use super::reserve::OwnNote;
use super::token::Token;
use super::vault::{Fence, Quarantine};
use protocol::bank::{Bulletin, Letter};
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::key::KeyTicket;
use protocol::key::bank::{KeyCertificate, Revocation};
use protocol::money::Units;
use protocol::pay::Request;
use protocol::range::Range;
use protocol::sign::Signed;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One thing that is put into the store, and into the wallet in memory.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a handful live at a time, until their batch is on disk")]
pub enum Change {
    /// A note of ours, new or with other ranges free.
    Note(OwnNote),
    /// A payment going out.
    Outgoing(Outgoing),
    /// A payment that came in.
    Incoming(Incoming),
    /// A request for money that we made, or that was paid.
    Request(RequestRecord),
    /// A request to the bank.
    BankOp(BankOp),
    /// The next line of the history.
    History(Entry),
    /// The next event.
    Event(Event),
    /// What a caller's key stands for, for ever.
    Answered(Answered),
    /// A ticket for payers.
    Ticket(u64, Signed<KeyTicket>),
    /// Tickets up to this number are not given out again.
    TicketsTaken(u64),
    /// A key that the bank's master key certified.
    BankKey(Signed<KeyCertificate>),
    /// A key that the bank's master key revoked.
    Revocation(Signed<Revocation>),
    /// The newest bulletin.
    Bulletin(Signed<Bulletin>),
    /// Two words of the bank that contradict each other.
    BankFault(BankFault),
    /// A letter from the bank.
    Letter(Signed<Letter>),
    /// The account's balance.
    Account(AccountBalance),
    /// The requests that lie at the bank for payers.
    Stock(Vec<Signed<Request>>),
    /// The rules for taking money directly.
    Policy(Policy),
    /// A program's token, new or with more spent.
    Token(Token),
    /// A token that no longer counts.
    TokenRevoked(String),
    /// What a restored workstation may not spend.
    Fence(Fence),
    /// A note that came to a key from before the restore.
    Fenced(u64),
    /// Why nothing is spent or taken any more until the workstation is restored; the first reason stays.
    Quarantine(Quarantine),
    /// A claim of ours.
    Claim(Claiming),
    /// A case at the bank, as it was last told.
    Case(CaseRecord),
    /// Two chains that share units: evidence.
    Fork(ForkRecord),
    /// A payer knows that his money is safe.
    Told(Key, PaymentId),
    /// An order of ours.
    Purchase(Purchase),
}

/// What a caller's idempotency key stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The method it was used with.
    pub method: String,
    /// The caller's key.
    pub key: String,
    /// Digest of the call's parameters: the same key with others is refused.
    pub params: Digest,
    /// What it started.
    pub started: Started,
}

/// What a money call started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Started {
    /// A payment.
    Payment(PaymentId),
    /// A request to the bank.
    Bank(RequestId),
    /// A request for money.
    Request(RequestId),
    /// An order.
    Order(RequestId),
}

/// Something that programs may want to hear of. Numbers are gap-free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its number, from 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Happening,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// A payment going out changed its state.
    Payment {
        /// Which.
        payment: PaymentId,
        /// Its new state.
        state: String,
        /// How much.
        units: Units,
    },
    /// Money came in.
    Received {
        /// The payer's payment id.
        payment: PaymentId,
        /// The payer's owner key.
        payer: Key,
        /// How much.
        units: Units,
        /// The request it answers.
        request: RequestId,
    },
    /// Money that came in is safe now.
    Confirmed {
        /// The payer's payment id.
        payment: PaymentId,
        /// The payer's owner key: ids are the payers' choice, two may have the same.
        #[serde(default)]
        payer: Key,
        /// How much.
        units: Units,
    },
    /// A request to the bank changed its state.
    Bank {
        /// Which.
        request: RequestId,
        /// Withdrawal, deposit, …
        operation: String,
        /// Its new state.
        state: String,
        /// How much.
        units: Units,
    },
    /// The bank would not take units that somebody paid us: they were spent before.
    Lost {
        /// How much.
        units: Units,
        /// The request to the bank that showed it.
        request: RequestId,
    },
    /// Two words of the bank contradict each other.
    BankFault {
        /// In what.
        kind: String,
        /// The bulletin's number.
        number: u64,
    },
    /// The bank's master key has revoked a key.
    KeyRevoked {
        /// Which.
        key: Key,
    },
    /// A claim changed.
    Claim {
        /// Which.
        claim: RequestId,
        /// Its state.
        state: String,
        /// How much was lost.
        units: Units,
        /// How much of it is paid.
        paid: Units,
    },
    /// A case at the bank in which we have a part changed.
    Case {
        /// Its number.
        case: u64,
        /// Our part: claimant, asked, heard or liable.
        part: String,
    },
    /// Somebody paid with units that somebody has signed twice; they were refused, both chains are kept.
    Forked {
        /// Who paid.
        payer: Key,
        /// His payment id.
        payment: PaymentId,
        /// How much.
        units: Units,
    },
    /// Our own key has signed these units elsewhere: somebody has the seed, or a copy of this workstation runs.
    KeyElsewhere {
        /// How much.
        units: Units,
        /// The request to the bank that showed it, if one did.
        request: Option<RequestId>,
    },
    /// The bank has written about the account, without being asked by us.
    Account {
        /// The letter's number.
        letter: u64,
        /// What it is about: released, returned, sweep_in, rent_out…
        kind: String,
        /// How much.
        units: Units,
        /// The balance after it.
        balance: Units,
    },
    /// An order of ours changed its state.
    Order {
        /// Which.
        order: RequestId,
        /// Its new state.
        state: String,
        /// What it comes to.
        units: Units,
    },
}

/// What is to be done once the changes are on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask the payee for a request (or whether ours is still open).
    Offer(PaymentId),
    /// Send a payment, or send it again.
    Send(PaymentId),
    /// Seal a payment for the payee's mailbox.
    Seal(PaymentId),
    /// Ask the bank for mail back that nobody has collected.
    MailBack(PaymentId),
    /// Ask the bank, or ask it again.
    Bank(RequestId),
    /// Tell a payer that his money is safe.
    Confirm {
        /// The payer.
        payer: Key,
        /// His payment.
        payment: PaymentId,
    },
    /// Unconfirmed or scattered notes are there: go to the bank with them when it is in reach.
    Refresh,
    /// Show the bank the chains of a reclaimed payment whose payee has answered after all.
    Concede(PaymentId),
    /// Ask the bank how our cases stand.
    Cases,
    /// Fetch what the bank has written about the account.
    Letters,
    /// Tell the shop of an order, or ask how it stands.
    Order(RequestId),
}

/// What a rule decided: changes, then effects and a reply, in this order and no other.
#[derive(Debug)]
#[must_use = "a decision does nothing until it is committed"]
pub struct Decision<R> {
    changes: Vec<Change>,
    effects: Vec<Effect>,
    reply: R,
}

/// A record that a decision changes, by the name under which the store is asked for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Touched {
    /// A payment that came in.
    Incoming(Key, PaymentId),
    /// A payment that went out.
    Outgoing(PaymentId),
    /// A request for money.
    Request(RequestId),
    /// What a caller's key stands for.
    Call(String, String),
    /// Units of a root that we hold or held.
    Units(Digest, Range),
}

impl<R> Decision<R> {
    /// What the store must not be asked about until this is on disk.
    pub fn touches(&self) -> impl Iterator<Item = Touched> + '_ {
        self.changes.iter().filter_map(|change| match change {
            Change::Incoming(payment) => Some(Touched::Incoming(payment.payer, payment.payment)),
            Change::Outgoing(payment) => Some(Touched::Outgoing(payment.id)),
            Change::Request(record) => Some(Touched::Request(record.request.unverified().id)),
            Change::Answered(answered) => Some(Touched::Call(answered.method.clone(), answered.key.clone())),
            Change::Note(own) => {
                let holding = own.note.holding().ok()?;
                Some(Touched::Units(holding.root, holding.range))
            }
            _ => None,
        })
    }

    /// Changes nothing.
    pub fn reply(reply: R) -> Decision<R> {
        Decision { changes: Vec::new(), effects: Vec::new(), reply }
    }

    pub(super) fn new(draft: Draft, reply: R) -> Decision<R> {
        Decision { changes: draft.changes, effects: draft.effects, reply }
    }
}

/// A decision being written: numbers for events and notes run on within it.
#[derive(Debug)]
pub(super) struct Draft {
    changes: Vec<Change>,
    effects: Vec<Effect>,
    next_event: u64,
    next_note: u64,
    pub(super) history: super::history::HistoryHead,
    now: Timestamp,
}

impl Draft {
    pub(super) fn at(wallet: &Wallet, now: Timestamp) -> Draft {
        Draft {
            changes: Vec::new(),
            effects: Vec::new(),
            next_event: wallet.next_event,
            next_note: wallet.next_note,
            history: wallet.history.clone(),
            now,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) fn put(&mut self, change: Change) {
        self.changes.push(change);
    }

    pub(super) fn then(&mut self, effect: Effect) {
        if !self.effects.contains(&effect) {
            self.effects.push(effect);
        }
    }

    pub(super) fn event(&mut self, what: Happening) {
        let event = Event { seq: self.next_event, at: self.now, what };
        self.next_event += 1;
        self.changes.push(Change::Event(event));
    }

    pub(super) fn note_number(&mut self) -> u64 {
        self.next_note += 1;
        self.next_note - 1
    }
}

/// Decisions on their way to the disk together: one commit makes them all durable.
#[derive(Debug, Default)]
pub struct Batch {
    changes: Vec<Change>,
    effects: Vec<Effect>,
}

/// Proof that a batch is on disk; what it allows has been kept back until then.
#[derive(Debug)]
pub struct Committed(());

/// A reply kept back until its batch is on disk.
#[derive(Debug)]
pub struct Sealed<R>(R);

impl<R> Sealed<R> {
    /// The reply, now that it may go.
    pub fn open(self, _: &Committed) -> R {
        self.0
    }
}

impl Batch {
    /// Applies a decision in memory, so that the next one sees it, and queues it for the commit.
    ///
    /// Should the commit fail, memory is ahead of the disk: the caller drops the wallet and loads it again.
    pub fn take<R>(&mut self, wallet: &mut Wallet, decision: Decision<R>) -> Sealed<R> {
        decision.changes.iter().for_each(|change| wallet.apply(change));
        self.changes.extend(decision.changes);
        for effect in decision.effects {
            if !self.effects.contains(&effect) {
                self.effects.push(effect);
            }
        }
        Sealed(decision.reply)
    }

    /// The payments and bank requests that it changes.
    pub fn names(&self) -> Vec<[u8; 16]> {
        let name = |change: &Change| match change {
            Change::Outgoing(payment) => Some(payment.id.0),
            Change::BankOp(op) => Some(op.id.0),
            Change::Purchase(purchase) => Some(purchase.id.0),
            _ => None,
        };
        self.changes.iter().filter_map(name).collect()
    }

    /// Payments that it takes, and whose payers are told later that they are safe.
    pub fn received(&self) -> Vec<(Key, PaymentId)> {
        let name = |change: &Change| match change {
            Change::Incoming(payment)
                if !payment.receipt.unverified().confirmed && payment.lost.is_zero() =>
            {
                Some((payment.payer, payment.payment))
            }
            _ => None,
        };
        self.changes.iter().filter_map(name).collect()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Makes all changes durable in one transaction, and only then lets the effects out.
    pub fn commit(self, store: &impl Store) -> Result<(Committed, Vec<Effect>), StoreFault> {
        if !self.changes.is_empty() {
            store.commit(&self.changes)?;
        }
        Ok((Committed(()), self.effects))
    }
}
