//! The owner's identity record, renewed by itself: a workstation that is unlocked now and then never falls out of the
//! directory (SPEC §4.2, threats H7).

use super::Core;
use super::jobs::Flight;
use super::outbox::Job;
use protocol::bank::{IDENTITY_DAYS_MAX, Identity};
use protocol::time::DAY_SECONDS;
use std::time::Duration;

/// A record with fewer days left is renewed; the bank renews the certificate beside it.
const RENEW_BELOW_DAYS: u64 = 100;
/// A day less than the longest life, for a bank whose clock is behind.
const DAYS: u64 = IDENTITY_DAYS_MAX - 1;
/// How soon it is tried again.
const AGAIN: Duration = Duration::from_secs(3600);

impl Core {
    /// Signs and publishes a new record if the present one ends within a quarter.
    pub(super) fn renew_identity(&mut self) {
        let (now, clock) = (self.now(), self.shared.clock.monotonic());
        let present = self.shared.papers().identity;
        let present = present.unverified();
        let ending = present.expires < now.plus_seconds(RENEW_BELOW_DAYS * DAY_SECONDS);
        if !ending || !self.bank_reachable || clock < self.gate.renewal_due {
            return;
        }
        let Some(keys) = self.keyring.open(now) else { return };
        let persona = &self.shared.persona;
        let Some(view) = persona.views.first() else { return };
        let record = Identity {
            bank: self.wallet.bank(),
            owner: persona.owner,
            view: view.key(),
            node: persona.node.key(),
            generation: persona.generation,
            // Above any that was used: they are seconds, whoever made them.
            sequence: now.0.max(present.sequence.saturating_add(1)),
            expires: now.plus_seconds(DAYS * DAY_SECONDS),
        };
        self.gate.renewal_due = clock + AGAIN;
        self.jobs.publish(Flight::Publish, Job::Publish(keys.owner().sign(record)));
    }
}
