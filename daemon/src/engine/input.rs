//! Everything that can reach the engine: a closed list.

use super::jobs::Flight;
use super::mailing::MailInput;
use super::ordering::OrderInput;
use super::vault::VaultWord;
use crate::keyring::{Attempt, UnlockRefusal};
use crate::store::StoreFault;
use crate::wallet::banking::{BankRefusal, CallKey};
use crate::wallet::bulletins::{Source, Worth};
use crate::wallet::ordering::OrderRefusal;
use crate::wallet::paying::{NewPayment, NotDone, PayRefusal};
use crate::wallet::policy::Policy;
use crate::wallet::posting::BackRefusal;
use crate::wallet::receiving::Closing;
use crate::wallet::reclaiming::ReclaimRefusal;
use crate::wallet::token::Token;
use crate::wallet::vault::Quarantine;
use crate::wallet::{OpenKeys, Wallet};
use protocol::bank::{AccountQuery, Bulletin, Letter, Party, Reclaimed, Sweep};
use protocol::body::Text;
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::key::bank::{KeyCertificate, Revocation};
use protocol::key::lock::LockFlaw;
use protocol::money::Units;
use protocol::pay::{AmountRule, Receipt, Request, VerifiedPayment};
use protocol::sign::{Signed, Verified};
use protocol::time::Timestamp;
use protocol::wire::{BankAnswer, CaseState, Offer, PayAnswer};
use tokio::sync::oneshot;

/// Where an answer goes. A caller that has gone away is no matter.
#[derive(Debug)]
pub struct Reply<T>(pub(super) oneshot::Sender<T>);

impl<T> Reply<T> {
    pub(super) fn now(self, answer: T) {
        let _ = self.0.send(answer);
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_given_up(&self) -> bool {
        self.0.is_closed()
    }
}

/// Whether the reserve can be spent from, and the bank reached.
#[derive(Clone, Copy, Debug)]
pub struct LockState {
    /// When it locks by itself; nothing while it is locked.
    pub until: Option<Timestamp>,
    /// Whether the bank-node is connected.
    pub bank_reachable: bool,
}

/// A try of a private code, with how long the reserve shall be open.
#[derive(Debug)]
pub struct TryOutcome {
    /// What came of it.
    pub result: Result<OpenKeys, LockFlaw>,
    /// For how long.
    pub seconds: u64,
}

/// What came of asking a payee.
#[derive(Debug)]
pub enum OfferReply {
    /// He made a request, or ours is still open; true when he wants it certified.
    Request {
        /// What to pay.
        request: Box<Verified<Request>>,
        /// Whether it has to be certified.
        certified: bool,
        /// The payee's certified name.
        name: String,
        /// Whether he is off: then it goes into his mailbox.
        post: bool,
    },
    /// He will not, or his papers are not in order.
    Failed(NotDone),
    /// Not just now: he was not reached, or said so himself. What is told if it stays like this.
    Retry(NotDone),
}

/// What the owner asks of the bank.
#[derive(Clone, Copy, Debug)]
pub enum BankCall {
    /// Account to reserve.
    Withdraw(Units),
    /// Reserve to account.
    Deposit(Units),
}

/// A request for money that the owner makes.
#[derive(Clone, Debug)]
pub struct RequestOrder {
    /// How much.
    pub amount: AmountRule,
    /// What for.
    pub memo: Text,
    /// Until when.
    pub expires: Timestamp,
    /// Where we are reached.
    pub address: Text,
}

/// Why a call of the owner or of a program is not carried out; nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum CallFault {
    /// The private code has not been given.
    #[error("the reserve is locked: unlock it with the private code")]
    Locked,
    /// It must be restored: what it holds is not all there is.
    #[error("this workstation is in quarantine ({0}): run «stermina restore»; nothing is lost by it")]
    Quarantined(Quarantine),
    /// The caller's key came before with another call.
    #[error("this key was used for another call")]
    KeyReused(Digest),
    /// A payment's rules.
    #[error(transparent)]
    Pay(#[from] PayRefusal),
    /// A bank request's rules.
    #[error(transparent)]
    Bank(#[from] BankRefusal),
    /// A reclaim's rules.
    #[error(transparent)]
    Reclaim(#[from] ReclaimRefusal),
    /// An order's rules.
    #[error(transparent)]
    Order(#[from] OrderRefusal),
    /// A payment that does not come back out of a mailbox.
    #[error(transparent)]
    Back(#[from] BackRefusal),
    /// No ticket is left, and a locked workstation can't make new ones.
    #[error("no more requests can be made until the workstation is unlocked")]
    NoTickets,
    /// The disk is nearly full.
    #[error("the disk is nearly full: make room first; nothing was moved")]
    DiskLow,
    /// The disk failed.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The engine has ended.
    #[error("the workstation is stopping: start it again and repeat the call with the same key")]
    Stopped,
}

/// A look at the wallet's state.
pub type Look = Box<dyn FnOnce(&Wallet, LockState) + Send>;

/// Everything that can reach the engine.
#[expect(
    clippy::large_enum_variant,
    reason = "inputs live in a queue for a moment; a box for each would cost more"
)]
pub enum Input {
    /// Somebody wants to read the wallet's state, after what was decided before is on disk.
    Look(Look),
    /// A private code is about to be tried.
    BeginTry(Reply<Result<Attempt, UnlockRefusal>>),
    /// It has been tried.
    FinishTry(TryOutcome, Reply<Result<Timestamp, UnlockRefusal>>),
    /// Lock the reserve.
    Lock(Reply<()>),
    /// Pay.
    Pay(NewPayment, Reply<Result<PaymentId, CallFault>>),
    /// A payee has answered an offer.
    Offered(PaymentId, OfferReply),
    /// A payee has answered a payment; with the node key that may have signed the answer.
    PayAnswered(PaymentId, PayAnswer, Key),
    /// Nobody answered.
    Unanswered(Flight),
    /// It was taken, whatever it was.
    Noted(Flight),
    /// Reclaim a payment that nobody answers.
    Reclaim(PaymentId, CallKey, Reply<Result<PaymentId, CallFault>>),
    /// How our cases stand, and what was asked to learn it.
    CasesTold(Flight, Vec<CaseState>),
    /// Units that others reclaim, as bulletins list them: whoever has a chain that goes on objects.
    Reclaimed(Vec<Reclaimed>),
    /// A payee tells that the money of a payment is safe.
    Confirmed(PaymentId, Signed<Receipt>, Key, Reply<bool>),
    /// Somebody would like to pay us.
    Offer(Box<Party>, Offer, Reply<PayAnswer>),
    /// Somebody pays us; everything that needs no state has been checked.
    Paid(Box<VerifiedPayment>, Reply<PayAnswer>),
    /// A direct order on this request of ours is about to be told no.
    Refuse(Box<Signed<Request>>, Digest, Reply<()>),
    /// Withdraw or deposit.
    Bank(BankCall, CallKey, Reply<Result<RequestId, CallFault>>),
    /// The bank has answered.
    BankAnswered(RequestId, BankAnswer),
    /// Sign a question about the account's balance.
    SignQuery(Reply<Result<Signed<AccountQuery>, CallFault>>),
    /// Sign a sweep of our own account, as whoever keeps it has it on disk.
    SignSweep(Box<Sweep>, Reply<Result<Signed<Sweep>, CallFault>>),
    /// A letter of the bank that answers no request to move money.
    Letter(Signed<Letter>, Reply<bool>),
    /// Make a request for money.
    MakeRequest(RequestOrder, CallKey, Reply<Result<RequestId, CallFault>>),
    /// Close a request of ours; nothing if there is none by this name.
    CloseRequest(RequestId, Reply<Result<Option<Closing>, CallFault>>),
    /// Keys that the bank's master key has certified.
    BankKeys(Vec<Signed<KeyCertificate>>),
    /// Keys that the bank's master key has revoked; whether any was news is told once it is on disk.
    Revoked(Vec<Signed<Revocation>>, Reply<bool>),
    /// A bulletin; what it was worth is told once it is on disk.
    Bulletin(Box<Signed<Bulletin>>, Source, Reply<Worth>),
    /// The bank's newest bulletin, which is older than one that we have.
    BankBehind(Box<Signed<Bulletin>>),
    /// Other rules for taking money directly.
    SetPolicy(Policy, Reply<()>),
    /// A new token.
    AddToken(Token, Reply<()>),
    /// End a token.
    RevokeToken(String, Reply<bool>),
    /// What was found about the vault.
    Vault(VaultWord),
    /// Somebody shows a payment again that was taken before.
    ShownAgain(Key, PaymentId),
    /// What concerns the mailbox.
    Mail(MailInput),
    /// What concerns orders and holds.
    Order(OrderInput),
    /// The bank-node was found or lost.
    BankReachable(bool),
    /// Time has passed.
    Tick,
    /// Finish the batch and end.
    Stop,
}
