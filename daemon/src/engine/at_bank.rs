//! The bank's answers, and when to go there by ourselves.

use super::jobs::Flight;
use super::ordering::HoldRound;
use super::{BANK_REST, Core, fresh};
use crate::store::{Store, StoreFault};
use crate::wallet::banking::{BankOp, Operation};
use crate::wallet::change::Touched;
use protocol::id::{Key, PaymentId, RequestId};
use protocol::wire::{BankAnswer, ErrorCode};
use std::collections::HashSet;

/// Requests at once that renew notes, while there are very many.
const REFRESHES_MAX: usize = 4;

impl Core {
    pub(super) fn bank_answered(&mut self, id: &RequestId, answer: BankAnswer) -> Result<(), StoreFault> {
        let flight = Flight::Bank(*id);
        let later =
            |code: ErrorCode| code.leaves_it_open() && !self.wallet.came_too_late(id, code, self.now());
        if matches!(answer, BankAnswer::Error(code) if later(code)) {
            self.jobs.unanswered(flight);
            return Ok(());
        }
        let Some(op) = self.wallet.open_bank_op(id) else {
            self.jobs.done(&flight);
            return Ok(());
        };
        let anonymous = op.what.is_anonymous();
        let origins: HashSet<(Key, PaymentId)> =
            op.uses.iter().filter_map(|piece| self.wallet.note(piece.note)?.from).collect();
        let asked: Vec<Touched> = origins.iter().map(|(payer, id)| Touched::Incoming(*payer, *id)).collect();
        self.settle(&asked)?;
        let mut incoming = Vec::new();
        for (payer, payment) in origins {
            incoming.extend(self.store.incoming(&payer, &payment)?);
        }
        if anonymous && matches!(answer, BankAnswer::Error(_)) {
            self.bank_rests_until = self.shared.clock.monotonic() + BANK_REST;
        }
        match self.wallet.bank_answered(id, answer, &incoming, self.now()) {
            Ok(decision) => {
                let _ = self.take(decision);
                match self.wallet.takes_its_time(id) {
                    true => self.jobs.rest(flight),
                    false => self.jobs.done(&flight),
                }
                self.refresh_due = true;
            }
            Err(flaw) => {
                // The bank broke its own rules: nothing changes, the request stays asked.
                tracing::error!(request = %id, %flaw, "the bank's answer is not acceptable");
                self.jobs.unanswered(flight);
            }
        }
        Ok(())
    }

    pub(super) fn bank_came(&mut self, reachable: bool) {
        if reachable && !self.bank_reachable {
            self.jobs.bank_is_back();
            self.rounds.ask_for_cases();
            self.holds = HoldRound::default();
            self.letters.are_due();
            self.refresh_due = true;
        }
        self.bank_reachable = reachable;
    }

    pub(super) fn tick(&mut self) -> Result<(), StoreFault> {
        // The reserve locks when its time is over, not when somebody next tries it.
        let now = self.now();
        let _ = self.keyring.open(now);
        self.close_old_mail();
        self.mind_the_mail();
        // What this batch has decided is in memory already; only what is on disk may be sent.
        let committed = self.flush()?;
        self.jobs.start_open(&self.wallet, &committed);
        self.mind_orders();
        self.fetch_letters();
        self.go_round()?;
        self.renew_identity();
        self.reclaim_what_was_had();
        self.go_to_the_bank()
    }

    /// Refused payments first, then what is worth refreshing: one request at a time, and a few where notes are heaped.
    pub(super) fn go_to_the_bank(&mut self) -> Result<(), StoreFault> {
        let now = self.now();
        let resting = self.shared.clock.monotonic() < self.bank_rests_until;
        if !self.refresh_due || !self.bank_reachable || resting {
            return Ok(());
        }
        self.file_claims()?;
        let Some(keys) = self.keyring.open(now) else { return Ok(()) };
        let refused: Vec<PaymentId> = self.wallet.to_take_back().collect();
        for id in refused {
            let decision = self.wallet.take_back(&id, keys, fresh(), now);
            self.pending.extend(decision.touches());
            let _ = self.batch.take(&mut self.wallet, decision);
        }
        // What a vault misses can't be restored: money that it has is not turned by ourselves into roots that only this
        // disk would know. (Refresh stays due: it goes on when the vault does.)
        if !self.wallet.policy().refresh || self.gate.is_refused() {
            return Ok(());
        }
        let is_refresh = |op: &&BankOp| op.what == Operation::Refresh;
        let mut refreshing = self.wallet.open_bank_ops().filter(is_refresh).count();
        while refreshing < if self.wallet.is_heaped() { REFRESHES_MAX } else { 1 } {
            self.refresh_due = false;
            let Some(decision) = self.wallet.refresh(keys, fresh(), now) else { break };
            self.pending.extend(decision.touches());
            let _ = self.batch.take(&mut self.wallet, decision);
            self.refresh_due = true;
            refreshing += 1;
        }
        Ok(())
    }
}
