//! What the owner and his programs ask: each call with a key is carried out once, however often it comes.

use super::input::{BankCall, CallFault, Reply, RequestOrder, TryOutcome};
use super::{Core, TICKETS_FULL, fresh};
use crate::keyring::UnlockRefusal;
use crate::store::{Store, StoreFault};
use crate::wallet::banking::CallKey;
use crate::wallet::change::{Answered, Decision, Started, Touched};
use crate::wallet::paying::NewPayment;
use crate::wallet::receiving::{Closing, RequestRecord};
use protocol::bank::{AccountQuery, Letter, Sweep};
use protocol::id::{Digest, Hint, PaymentId, RequestId};
use protocol::node::chance::chance_bytes;
use protocol::pay::{AmountRule, Mode};
use protocol::sign::Signed;
use protocol::time::Timestamp;

/// What a call comes to before anything is on disk.
enum Carried<T> {
    /// It was carried out before.
    Before(T),
    /// It is decided now.
    Now(Decision<T>),
}

impl Core {
    pub(super) fn finish_try(&mut self, outcome: TryOutcome, reply: Reply<Result<Timestamp, UnlockRefusal>>) {
        let now = self.now();
        let until = self.keyring.finish_try(outcome.result, now, outcome.seconds);
        if until.is_ok() {
            self.begin_vault();
            self.open_old_mail();
            self.fill_tickets();
            self.refresh_due = true;
            self.rounds.ask_for_cases();
        }
        reply.now(until);
    }

    pub(super) fn fill_tickets(&mut self) {
        let now = self.now();
        let missing = TICKETS_FULL.saturating_sub(self.wallet.tickets_left());
        let Some(keys) = self.keyring.open(now).filter(|_| missing > TICKETS_FULL / 4) else { return };
        let hints: Vec<Hint> = (0..missing).map(|_| Hint(chance_bytes())).collect();
        let decision = self.wallet.fill_tickets(keys, &hints, now);
        let _ = self.take(decision);
    }

    /// What a caller's key stands for already, or nothing; an error if it came with another call.
    fn earlier(&mut self, key: &CallKey) -> Result<Option<Started>, CallFault> {
        let Some((method, key, params)) = key else { return Ok(None) };
        self.settle(&[Touched::Call(method.clone(), key.clone())])?;
        match self.store.answered(method, key)? {
            None => Ok(None),
            Some(Answered { params: first, started, .. }) if first == *params => Ok(Some(started)),
            Some(Answered { params: first, .. }) => Err(CallFault::KeyReused(first)),
        }
    }

    /// Answers with what the key stands for already; else carries the call out, and answers once it is on disk.
    pub(super) fn keyed<T: Send + 'static>(
        &mut self,
        key: &CallKey,
        reply: Reply<Result<T, CallFault>>,
        known: impl FnOnce(Started) -> Option<T>,
        carry_out: impl FnOnce(&mut Core) -> Result<Decision<T>, CallFault>,
    ) -> Result<(), StoreFault> {
        let carried = self.earlier(key).and_then(|earlier| match earlier {
            // Keys belong to a method, and a method always starts the same kind of thing.
            Some(started) => {
                known(started).map(Carried::Before).ok_or(CallFault::KeyReused(Digest::default()))
            }
            None => carry_out(self).map(Carried::Now),
        });
        match carried {
            Ok(Carried::Before(id)) => reply.now(Ok(id)),
            Ok(Carried::Now(decision)) => {
                let id = self.take(decision);
                self.reply_after(id, reply, Ok);
            }
            Err(CallFault::Store(fault)) => return Err(fault),
            Err(CallFault::Locked) if let Some(why) = self.wallet.quarantine() => {
                reply.now(Err(CallFault::Quarantined(why)));
            }
            Err(fault) => reply.now(Err(fault)),
        }
        Ok(())
    }

    pub(super) fn pay(
        &mut self,
        new: NewPayment,
        reply: Reply<Result<PaymentId, CallFault>>,
    ) -> Result<(), StoreFault> {
        let known = |started| match started {
            Started::Payment(id) => Some(id),
            Started::Bank(_) | Started::Request(_) | Started::Order(_) => None,
        };
        self.keyed(&new.answered.clone(), reply, known, |core| {
            let now = core.now();
            core.keyring.open(now).ok_or(CallFault::Locked)?;
            core.room_on_disk()?;
            Ok(core.wallet.begin_payment(new, now)?)
        })
    }

    pub(super) fn bank(
        &mut self,
        call: BankCall,
        key: CallKey,
        reply: Reply<Result<RequestId, CallFault>>,
    ) -> Result<(), StoreFault> {
        let known = |started| match started {
            Started::Bank(id) => Some(id),
            Started::Payment(_) | Started::Request(_) | Started::Order(_) => None,
        };
        self.keyed(&key.clone(), reply, known, |core| {
            let now = core.now();
            core.room_on_disk()?;
            let keys = core.keyring.open(now).ok_or(CallFault::Locked)?;
            Ok(match call {
                BankCall::Withdraw(units) => core.wallet.withdraw(units, keys, fresh(), key, now)?,
                BankCall::Deposit(units) => core.wallet.deposit(units, keys, fresh(), key, now)?,
            })
        })
    }

    pub(super) fn make_request(
        &mut self,
        order: RequestOrder,
        key: CallKey,
        reply: Reply<Result<RequestId, CallFault>>,
    ) -> Result<(), StoreFault> {
        let known = |started| match started {
            Started::Request(id) => Some(id),
            Started::Payment(_) | Started::Bank(_) | Started::Order(_) => None,
        };
        self.keyed(&key.clone(), reply, known, |core| {
            core.room_on_disk()?;
            let ticket = core.ticket()?.ok_or(CallFault::NoTickets)?;
            let now = core.now();
            let (AmountRule::Exactly(units) | AmountRule::AtMost(units)) = order.amount;
            let mode = if units <= core.wallet.policy().direct_max { Mode::Direct } else { Mode::Certified };
            let request = core.request(ticket, mode, order, now);
            Ok(core.wallet.record_request(RequestRecord::open(request), key, now))
        })
    }

    pub(super) fn close_request(
        &mut self,
        id: RequestId,
        reply: Reply<Result<Option<Closing>, CallFault>>,
    ) -> Result<(), StoreFault> {
        self.settle(&[Touched::Request(id)])?;
        match self.store.request(&id)? {
            None => reply.now(Ok(None)),
            Some(record) => {
                let decision = self.wallet.close_request(record, self.now());
                let closing = self.take(decision);
                self.reply_after(closing, reply, |closing| Ok(Some(closing)));
            }
        }
        Ok(())
    }

    pub(super) fn sign_query(&mut self, reply: Reply<Result<Signed<AccountQuery>, CallFault>>) {
        let now = self.now();
        let (bank, owner) = (self.wallet.bank(), self.wallet.owner().key);
        let query = AccountQuery { bank, request: RequestId(chance_bytes()), owner, created: now };
        reply.now(self.keyring.open(now).map(|keys| keys.owner().sign(query)).ok_or(CallFault::Locked));
    }

    /// Signs a sweep of our own account, and of no other.
    pub(super) fn sign_sweep(&mut self, sweep: Sweep, reply: Reply<Result<Signed<Sweep>, CallFault>>) {
        let ours = (self.wallet.bank(), self.wallet.owner().key) == (sweep.bank, sweep.owner);
        let keys = self.keyring.open(self.now()).filter(|_| ours);
        reply.now(keys.map(|keys| keys.owner().sign(sweep)).ok_or(CallFault::Locked));
    }

    pub(super) fn letter(&mut self, letter: Signed<Letter>, reply: Reply<bool>) {
        match self.wallet.balance_told(letter, self.now()) {
            Ok(decision) => {
                let told = self.take(decision);
                self.reply_after(told, reply, |_| true);
            }
            Err(flaw) => {
                tracing::warn!(%flaw, "a letter that is not the bank's");
                reply.now(false);
            }
        }
    }

    pub(super) fn room_on_disk(&self) -> Result<(), CallFault> {
        if self.disk_is_low() { Err(CallFault::DiskLow) } else { Ok(()) }
    }
}
