//! What mailboxes speak in: items, the bank's word, queries, and their messages.

use crate::scene::{Bank, Person, Scene};
use protocol::bank::{MailFate, MailItem, MailKind, MailWord, NodeQuery, Purpose, envelope_digest};
use protocol::id::{Digest, RequestId};
use protocol::time::DAY_SECONDS;
use protocol::wire::{BankAnswer, BankAsk, Parcel};
use serde_bytes::ByteBuf;

const ENVELOPE: &[u8] = b"an envelope";

/// One of each kind.
pub(crate) fn items(bank: &Bank, from: &Person) -> Vec<MailItem> {
    let item = MailItem {
        bank: bank.id(),
        request: RequestId([31; 16]),
        from: from.owner().key(),
        node: from.node().key(),
        to: bank.master.key(),
        kind: MailKind::Payment,
        order: Digest([32; 32]),
        envelope: envelope_digest(ENVELOPE),
        created: crate::scene::NOW,
        expires: crate::scene::NOW.plus_seconds(30 * DAY_SECONDS),
    };
    vec![MailItem { kind: MailKind::Answer, ..item.clone() }, item]
}

/// One of each fate.
pub(crate) fn words(bank: &Bank) -> Vec<MailWord> {
    let word = MailWord {
        bank: bank.id(),
        item: Digest([33; 32]),
        order: Digest([32; 32]),
        fate: MailFate::Withdrawn,
        at: crate::scene::NOW,
    };
    vec![MailWord { fate: MailFate::Collected, ..word.clone() }, word]
}

fn query(bank: &Bank, owner: &Person, purpose: Purpose, number: u64, subject: Digest) -> NodeQuery {
    let (owner, node) = (owner.owner().key(), owner.node().key());
    let request = RequestId([34; 16]);
    NodeQuery { bank: bank.id(), request, owner, node, purpose, number, subject, created: crate::scene::NOW }
}

/// One of each purpose.
pub(crate) fn queries(bank: &Bank, owner: &Person) -> Vec<NodeQuery> {
    let none = Digest::default();
    let all = [
        (Purpose::Collect, 7, none),
        (Purpose::Withdraw, 0, Digest([33; 32])),
        (Purpose::Leave, 0, none),
        (Purpose::Take, 120, Digest(bank.master.key().0)),
        (Purpose::Vault, 0, none),
        (Purpose::Cases, 3, none),
        (Purpose::Holds, 40, none),
        (Purpose::Letters, 40, none),
    ];
    all.map(|(purpose, number, subject)| query(bank, owner, purpose, number, subject)).to_vec()
}

pub(crate) fn asks(scene: &Scene) -> Vec<(&'static str, BankAsk)> {
    let (bank, bob) = (&scene.bank, &scene.bob);
    let item = items(bank, bob).into_iter().next_back().unwrap();
    let signed = |purpose| {
        let found = queries(bank, bob).into_iter().find(|query| query.purpose == purpose);
        bob.node().sign(found.unwrap())
    };
    let request = bob.node().sign(scene.request.clone());
    vec![
        ("Mail", BankAsk::Mail(bob.node().sign(item), ByteBuf::from(ENVELOPE))),
        ("Collect", BankAsk::Collect(signed(Purpose::Collect))),
        ("MailBack", BankAsk::MailBack(signed(Purpose::Withdraw))),
        ("LeaveRequests", BankAsk::LeaveRequests(signed(Purpose::Leave), vec![request])),
        ("LeaveRequests", BankAsk::LeaveRequests(signed(Purpose::Leave), Vec::new())),
        ("TakeRequest", BankAsk::TakeRequest(signed(Purpose::Take))),
    ]
}

pub(crate) fn answers(scene: &Scene) -> Vec<(&'static str, BankAnswer)> {
    let (bank, bob) = (&scene.bank, &scene.bob);
    let item = items(bank, bob).into_iter().next_back().unwrap();
    let parcel = Parcel { number: 7, item: bob.node().sign(item), envelope: ByteBuf::from(ENVELOPE) };
    let word = words(bank).into_iter().next_back().unwrap();
    let request = bob.node().sign(scene.request.clone());
    vec![
        ("MailKept", BankAnswer::MailKept),
        ("Mail", BankAnswer::Mail(vec![parcel], true)),
        ("Mail", BankAnswer::Mail(Vec::new(), false)),
        ("MailWord", BankAnswer::MailWord(bank.attest.sign(word))),
        ("RequestsLeft", BankAnswer::RequestsLeft(vec![scene.request.id, RequestId([9; 16])])),
        ("OpenRequest", BankAnswer::OpenRequest(Some(Box::new(request)))),
        ("OpenRequest", BankAnswer::OpenRequest(None)),
    ]
}
