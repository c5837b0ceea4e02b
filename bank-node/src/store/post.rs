//! The mailboxes' records as keys and values (SPEC §4.12).
//!
//! ```text
//! Mail, Envelopes   account ‖ number
//! Post   b account → box            n item → fate            e expires ‖ account ‖ number → nothing
//!        q account → requests left  t taker ‖ query → request taken
//!        r payee ‖ request → nothing: handed out             p taker ‖ payee → how many today
//! ```

use super::shelf::{Shelf, ShelfMut, Table};
use super::tables::{number_in, pair_key, read, record, write};
use crate::ledger::AccountNumber;
use crate::ledger::books::Fault;
use crate::ledger::post::{Held, Named, PostBox, PostTx, PostView, Taken, Today};
use protocol::id::{Digest, RequestId};
use protocol::pay::Request;
use protocol::sign::Signed;
use protocol::time::Timestamp;

fn key(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    [&[kind][..], &parts.concat()].concat()
}

fn of_account(kind: u8, account: AccountNumber) -> Vec<u8> {
    key(kind, &[&account.0.to_be_bytes()])
}

fn of_two(kind: u8, one: AccountNumber, other: AccountNumber) -> Vec<u8> {
    key(kind, &[&pair_key(one.0, other.0)])
}

fn of_request(kind: u8, account: AccountNumber, request: RequestId) -> Vec<u8> {
    key(kind, &[&account.0.to_be_bytes(), &request.0])
}

fn ending(held: &Held) -> Vec<u8> {
    let expires = held.item.unverified().expires.0;
    key(b'e', &[&expires.to_be_bytes(), &pair_key(held.account.0, held.number)])
}

fn damaged() -> Fault {
    Fault::Damaged("a mailbox names an item that is not there".to_owned())
}

impl<S: Shelf> PostView for S {
    fn post_box(&self, account: AccountNumber) -> Result<PostBox, Fault> {
        Ok(record(self, Table::Post, &of_account(b'b', account))?.unwrap_or_default())
    }

    fn mail_after(&self, account: AccountNumber, number: u64, limit: usize) -> Result<Vec<Held>, Fault> {
        let Some(from) = number.checked_add(1) else { return Ok(Vec::new()) };
        let pairs = self.from(Table::Mail, &pair_key(account.0, from), limit)?;
        let his = pairs.iter().take_while(|(key, _)| key.starts_with(&account.0.to_be_bytes()));
        his.map(|(_, value)| read(Table::Mail, value)).collect()
    }

    fn envelope(&self, account: AccountNumber, number: u64) -> Result<Vec<u8>, Fault> {
        self.get(Table::Envelopes, &pair_key(account.0, number))?.ok_or_else(damaged)
    }

    fn mail_named(&self, item: &Digest) -> Result<Option<Named>, Fault> {
        record(self, Table::Post, &key(b'n', &[&item.0]))
    }

    fn mail_ending(&self, before: Timestamp, limit: usize) -> Result<Vec<Held>, Fault> {
        let mut found = Vec::new();
        for (key, _) in self.from(Table::Post, b"e", limit)? {
            let Some(rest) = key.strip_prefix(b"e") else { break };
            let (expires, place) = rest.split_at_checked(8).ok_or_else(damaged)?;
            if number_in(Table::Post, expires)? >= before.0 {
                break;
            }
            found.push(record(self, Table::Mail, place)?.ok_or_else(damaged)?);
        }
        Ok(found)
    }

    fn requests_left(&self, account: AccountNumber) -> Result<Vec<Signed<Request>>, Fault> {
        Ok(record(self, Table::Post, &of_account(b'q', account))?.unwrap_or_default())
    }

    fn request_taken(
        &self,
        taker: AccountNumber,
        query: RequestId,
    ) -> Result<Option<Signed<Request>>, Fault> {
        record(self, Table::Post, &of_request(b't', taker, query))
    }

    fn was_handed_out(&self, payee: AccountNumber, request: RequestId) -> Result<bool, Fault> {
        Ok(self.get(Table::Post, &of_request(b'r', payee, request))?.is_some())
    }

    fn taken_today(&self, taker: AccountNumber, payee: AccountNumber) -> Result<Today, Fault> {
        Ok(record(self, Table::Post, &of_two(b'p', taker, payee))?.unwrap_or_default())
    }
}

impl<S: ShelfMut> PostTx for S {
    fn keep_post_box(&mut self, account: AccountNumber, post: &PostBox) -> Result<(), Fault> {
        self.put(Table::Post, &of_account(b'b', account), &write(post)?)
    }

    fn put_mail(&mut self, held: &Held, envelope: &[u8]) -> Result<(), Fault> {
        self.put(Table::Envelopes, &pair_key(held.account.0, held.number), envelope)?;
        self.put(Table::Post, &ending(held), &[])?;
        self.keep_mail(held)
    }

    fn keep_mail(&mut self, held: &Held) -> Result<(), Fault> {
        self.put(Table::Mail, &pair_key(held.account.0, held.number), &write(held)?)
    }

    fn drop_mail(&mut self, held: &Held) -> Result<(), Fault> {
        let place = pair_key(held.account.0, held.number);
        self.remove(Table::Mail, &place)?;
        self.remove(Table::Envelopes, &place)?;
        self.remove(Table::Post, &ending(held))
    }

    fn keep_named(&mut self, item: &Digest, named: &Named) -> Result<(), Fault> {
        self.put(Table::Post, &key(b'n', &[&item.0]), &write(named)?)
    }

    fn leave_requests(&mut self, payee: AccountNumber, left: &[Signed<Request>]) -> Result<(), Fault> {
        self.put(Table::Post, &of_account(b'q', payee), &write(&left)?)
    }

    fn hand_out(&mut self, taken: &Taken<'_>) -> Result<(), Fault> {
        let Taken { taker, payee, query, request, today } = *taken;
        self.put(Table::Post, &of_request(b't', taker, query), &write(request)?)?;
        self.put(Table::Post, &of_request(b'r', payee, request.unverified().id), &[])?;
        self.put(Table::Post, &of_two(b'p', taker, payee), &write(&today)?)
    }
}
