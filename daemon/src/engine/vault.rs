//! What waits until the vault has it, and what ends when it turns out that somebody else writes to it (SPEC §4.13).
//!
//! - A request to the bank goes out when the commit that holds it is in the vault: whatever the bank issues comes to
//!   keys that the recovery phrase finds again.
//! - A payment that came in is confirmed to its payer when its commit is in the vault: the money can't get lost here.
//! - A payment from the mailbox is refused when the vault has that no: the mailbox may hand the same order to the next
//!   machine, and a no stays a no.
//! - A bank that takes no records (a full vault, another version) stops no money: requests go out as if there were no
//!   vault, and the status says so. Only what nobody has asked for, refreshing, waits: it would turn money that can be
//!   restored into money that can't.

use super::input::Reply;
use super::jobs::Flight;
use super::{Core, fresh};
use crate::head::{HEAD_FILE, HeadFile};
use crate::profile::FIRST_GENERATION;
use crate::store::StoreFault;
use crate::wallet::change::Effect;
use crate::wallet::vault::{Origin, Quarantine};
use protocol::id::{Key, PaymentId, RequestId};
use protocol::time::Timestamp;
use protocol::wire::ErrorCode;
use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

/// Restores whose mail can still be read.
const PAST_VIEWS: usize = 64;
/// Confirmations that wait at most; beyond that a payer has to ask.
const CONFIRM_MAX: usize = 4096;

/// What the bank's vault does, as the upload finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultWord {
    /// The bank has everything up to this record.
    Has(u64),
    /// The bank takes no more records, for this reason.
    Takes(ErrorCode),
    /// The bank has fewer records than it took; it was given everything once more.
    Lost(u64),
    /// Somebody else has written to it, or this workstation is not the newest.
    Quarantine(Quarantine),
}

/// How the vault stands, for whoever looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VaultState {
    /// Records made here.
    pub here: u64,
    /// Records that the bank has.
    pub there: u64,
    /// Why the bank takes no more records, and since when.
    pub refused: Option<(ErrorCode, Timestamp)>,
    /// When the bank was found to have lost records that it had taken.
    pub lost: Option<Timestamp>,
    /// Whether there is a vault: it is begun when the workstation is first unlocked.
    pub begun: bool,
}

/// What waits for the vault.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: VaultState,
    requests: VecDeque<(u64, RequestId)>,
    received: VecDeque<(u64, Key, PaymentId)>,
    waiting: Vec<(u64, Reply<()>)>,
    head: Option<HeadFile>,
    /// Whether payers have been told after this start what became safe before it.
    told: bool,
    /// When the identity record may be renewed again.
    pub(super) renewal_due: Duration,
}

impl Gate {
    /// A gate beside a wallet's file; without a head file nothing is lost but the check at the next start.
    pub(super) fn beside(data: &Path) -> Gate {
        let head = HeadFile::open(&data.join(HEAD_FILE));
        if let Err(fault) = &head {
            tracing::warn!(%fault, "the head file can't be kept");
        }
        Gate { head: head.ok(), ..Gate::default() }
    }

    /// Whether the bank takes no records: what is done now is in no vault.
    pub(super) fn is_refused(&self) -> bool {
        self.state.begun && self.state.refused.is_some()
    }

    fn is_shut_for(&self, record: u64) -> bool {
        self.state.begun && self.state.refused.is_none() && record > self.state.there
    }
}

impl Core {
    /// After a start: whatever is open waits until the bank has been asked how far the vault goes.
    pub(super) fn begin_gate(&mut self) -> Result<(), StoreFault> {
        self.note_head()?;
        self.gate.state.there = self.store.vault_sent()?.records;
        let here = self.gate.state.here;
        let open: Vec<RequestId> = self.wallet.open_bank_ops().map(|op| op.id).collect();
        open.into_iter().for_each(|id| self.hold_back(here, id));
        self.tell_vault();
        Ok(())
    }

    pub(super) fn wallet_is_vaulted(&self) -> bool {
        self.gate.state.begun
    }

    /// After a commit: how far the vault goes now, on disk and in the head file.
    pub(super) fn note_head(&mut self) -> Result<(), StoreFault> {
        let here = self.store.vault_head()?.records;
        self.gate.state.begun |= here > 0;
        self.gate.state.here = here;
        let commits = self.store.commits()?;
        if let Some(Err(fault)) = self.gate.head.as_mut().map(|head| head.raise(commits)) {
            tracing::warn!(%fault, "the head file is not written");
            self.gate.head = None;
        }
        Ok(())
    }

    /// Holds a request back until the vault has what this batch has written.
    pub(super) fn hold_for_vault(&mut self, effect: &Effect) {
        if let Effect::Bank(id) = effect {
            self.hold_back(self.gate.state.here, *id);
        }
    }

    fn hold_back(&mut self, record: u64, id: RequestId) {
        if self.gate.is_shut_for(record) {
            self.jobs.hold(Flight::Bank(id));
            self.gate.requests.push_back((record, id));
        }
    }

    /// Answers once the vault has all that is decided by now; at once where there is no vault to wait for.
    pub(super) fn when_vaulted(&mut self, reply: Reply<()>) -> Result<(), StoreFault> {
        let _committed = self.flush()?;
        let here = self.gate.state.here;
        match self.gate.is_shut_for(here) {
            true => self.gate.waiting.push((here, reply)),
            false => reply.now(()),
        }
        Ok(())
    }

    fn answer_who_waits(&mut self) {
        let gate = &mut self.gate;
        let waiting = std::mem::take(&mut gate.waiting);
        // Who has given up waiting is forgotten.
        for (record, reply) in waiting.into_iter().filter(|(_, reply)| !reply.is_given_up()) {
            match gate.is_shut_for(record) {
                true => gate.waiting.push((record, reply)),
                false => reply.now(()),
            }
        }
    }

    /// Payments that this batch has taken are confirmed once the vault has them.
    pub(super) fn confirm_when_safe(&mut self, received: Vec<(Key, PaymentId)>) {
        if !self.gate.state.begun {
            return;
        }
        let here = self.gate.state.here;
        self.gate.received.extend(received.into_iter().map(|(payer, payment)| (here, payer, payment)));
        let beyond = self.gate.received.len().saturating_sub(CONFIRM_MAX);
        self.gate.received.drain(..beyond);
    }

    /// Somebody shows a payment again that we have: if it is safe, he is told so.
    pub(super) fn shown_again(&mut self, payer: Key, payment: PaymentId) {
        let state = &self.gate.state;
        let safe = state.begun && state.here > 0 && state.here == state.there;
        if safe && self.wallet.quarantine().is_none() {
            self.start_effect(Effect::Confirm { payer, payment });
        }
    }

    pub(super) fn vault_said(&mut self, word: VaultWord) {
        let now = self.now();
        match word {
            VaultWord::Has(records) => {
                self.gate.state.there = records;
                self.gate.state.refused = None;
                while self.gate.requests.front().is_some_and(|(record, _)| *record <= records) {
                    self.let_next_go();
                }
                while self.gate.received.front().is_some_and(|(record, ..)| *record <= records) {
                    if let Some((_, payer, payment)) = self.gate.received.pop_front() {
                        self.start_effect(Effect::Confirm { payer, payment });
                    }
                }
                if !self.gate.told && records >= self.gate.state.here {
                    self.gate.told = true;
                    if let Err(fault) = self.tell_who_does_not_know() {
                        tracing::error!(%fault, "nobody is told that his money is safe");
                    }
                }
            }
            VaultWord::Takes(code) => {
                if self.gate.state.refused.is_none_or(|(before, _)| before != code) {
                    tracing::error!(code = code.word(), "the bank takes no more records for the vault");
                    self.gate.state.refused = Some((code, now));
                }
                while !self.gate.requests.is_empty() {
                    self.let_next_go();
                }
            }
            VaultWord::Lost(records) => {
                tracing::error!(
                    records,
                    "the bank has lost records of the vault: it is given everything again"
                );
                self.gate.state.lost = Some(now);
                self.gate.state.here = self.store.vault_head().map_or(records, |head| head.records);
                let here = self.gate.state.here;
                self.gate.requests.iter_mut().for_each(|(record, _)| *record = here);
                self.gate.received.iter_mut().for_each(|(record, ..)| *record = here);
                self.gate.waiting.iter_mut().for_each(|(record, _)| *record = here);
                self.gate.state.there = records;
            }
            VaultWord::Quarantine(why) => self.quarantine(why),
        }
        self.answer_who_waits();
        self.tell_vault();
    }

    fn let_next_go(&mut self) {
        if let Some((_, id)) = self.gate.requests.pop_front() {
            self.jobs.release(&Flight::Bank(id));
            self.start_effect(Effect::Bank(id));
        }
    }

    fn start_effect(&mut self, effect: Effect) {
        self.jobs.start(effect, &self.wallet, &self.store, self.keyring.open(self.shared.now()));
    }

    /// Nothing is signed for the owner any more, and nothing is taken: see [`Quarantine`].
    pub(super) fn quarantine(&mut self, why: Quarantine) {
        if self.wallet.quarantine().is_none() {
            tracing::error!(why = why.word(), "{why}: this workstation must be restored");
        }
        self.keyring.lock();
        let decision = self.wallet.put_in_quarantine(why, self.now());
        let _ = self.take(decision);
    }

    /// After a restore: what the workstation before this one had comes back by reclaims.
    pub(super) fn reclaim_what_was_had(&mut self) {
        let now = self.now();
        if !self.bank_reachable || self.wallet.fence().is_none() {
            return;
        }
        let Some(keys) = self.keyring.open(now) else { return };
        if let Some(decision) = self.wallet.reclaim_behind_fence(keys, fresh(), now) {
            let _ = self.take(decision);
        }
    }

    /// Unlocked, mail to keys of all earlier generations can be read.
    pub(super) fn open_old_mail(&mut self) {
        let (now, generation) = (self.now(), self.shared.persona.generation);
        let Some(keys) = self.keyring.open(now) else { return };
        let views = (FIRST_GENERATION..generation).rev().take(PAST_VIEWS).map(|n| keys.seed().view(n));
        self.shared.set_past_views(views.collect());
        self.shared.mail.look_again();
    }

    /// Locked again, the keys of earlier generations leave memory.
    pub(super) fn close_old_mail(&self) {
        if self.keyring.until().is_none() {
            self.shared.set_past_views(Vec::new());
        }
    }

    /// A workstation that has no vault yet begins one when it is unlocked.
    pub(super) fn begin_vault(&mut self) {
        let now = self.now();
        let Some(keys) = self.keyring.open(now).filter(|_| !self.gate.state.begun) else { return };
        let origin = Origin { account: self.wallet.owner().account, joined: now };
        let begun = self.store.begin_vault(keys.seed().vault().key(), &origin);
        self.wallet.keep_vault();
        let noted = begun.and_then(|()| self.note_head());
        if let Err(fault) = noted {
            tracing::error!(%fault, "the vault can't be begun");
        }
        self.tell_vault();
    }

    /// Tells the upload, and whoever looks.
    pub(super) fn tell_vault(&self) {
        let state = self.gate.state;
        self.shared.vault.send_if_modified(|known| std::mem::replace(known, state) != state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// X6: with a vault that takes nothing more no refresh begins by itself; without a vault, or once it takes records
    /// again, it does.
    #[test]
    fn only_a_vault_that_is_refused_holds_refreshing_back() {
        let mut gate = Gate::default();
        gate.state.refused = Some((ErrorCode::OverLimit, Timestamp(1)));
        assert!(!gate.is_refused(), "there is none yet");
        gate.state.begun = true;
        assert!(gate.is_refused());
        assert!(!gate.is_shut_for(9), "what the owner asks for goes out");
        gate.state.refused = None;
        assert!(!gate.is_refused());
        assert!(gate.is_shut_for(9));
    }
}
