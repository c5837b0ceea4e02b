//! Tickets for payers, and the bank's keys as they are learned.

use super::change::{Change, Decision, Draft};
use super::{OpenKeys, Wallet};
use protocol::id::Hint;
use protocol::key::KeyTicket;
use protocol::key::bank::KeyCertificate;
use protocol::sign::Signed;
use protocol::time::Timestamp;

impl Wallet {
    /// Keeps key certificates that the master key has signed.
    pub fn learn_keys(&self, certificates: Vec<Signed<KeyCertificate>>, now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        let mut keys = self.keys().clone();
        for certificate in certificates {
            if keys.learn(certificate.clone()) == Ok(true) {
                draft.put(Change::BankKey(certificate));
            }
        }
        Decision::new(draft, ())
    }

    /// Fills the pool of tickets, so that the workstation can take payments while it is locked (N3).
    pub fn fill_tickets(&self, keys: &OpenKeys, hints: &[Hint], now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        for (number, hint) in (self.next_ticket()..).zip(hints) {
            let ticket =
                KeyTicket { owner: self.owner().key, key: keys.seed().note(hint).key(), hint: *hint };
            draft.put(Change::Ticket(number, keys.owner().sign(ticket)));
        }
        Decision::new(draft, ())
    }

    /// Takes up to `count` tickets out of the pool: after a restart they are not given out a second time.
    pub fn reserve_tickets(&self, count: usize, now: Timestamp) -> Decision<Vec<Signed<KeyTicket>>> {
        let mut draft = Draft::at(self, now);
        let taken: Vec<_> =
            self.tickets().take(count).map(|(number, ticket)| (number, ticket.clone())).collect();
        if let Some((last, _)) = taken.last() {
            draft.put(Change::TicketsTaken(*last));
        }
        Decision::new(draft, taken.into_iter().map(|(_, ticket)| ticket).collect())
    }
}
