//! One good paper of every type, from the people of the scene.

use crate::scene::{Bank, NOW, Person, Scene, TODAY, range, units};
use protocol::bank::merkle::Tree;
use protocol::bank::{
    AccountQuery, Activation, ActivationLetter, AddressRecord, Bulletin, DirectoryHead, Letter, LetterKind,
    NodeQuery, Outcome, Purpose, Reclaimed, RedeemKind, Redemption, VaultAppend, VaultHead, Withdrawal,
};
use protocol::body::Text;
use protocol::id::{Digest, RequestId};
use protocol::key::bank::{KeyCertificate, Revocation, Usage};
use protocol::pay::{Receipt, Refusal};
use protocol::sign::{Signed, Signer};
use protocol::time::{DAY_SECONDS, Day};
use protocol::wire::{BulletinPage, ErrorCode};
use serde_bytes::ByteBuf;

pub(crate) fn text(text: &str) -> Text {
    Text::new(text, 255).unwrap()
}

pub(crate) fn addresses(count: usize) -> Vec<Text> {
    let some = ["/ip4/192.0.2.7/tcp/4001", "/ip4/192.0.2.7/udp/4001/quic-v1", "/dns4/bank.example/tcp/4001"];
    some.iter().cycle().take(count).map(|address| text(address)).collect()
}

pub(crate) fn letter(bank: &Bank, owner: &Person, kind: LetterKind) -> Letter {
    Letter {
        bank: bank.id(),
        number: 41,
        kind,
        owner: owner.owner().key(),
        request: Digest([8; 32]),
        units: units(500),
        balance: units(1_500),
        at: NOW,
    }
}

pub(crate) fn activation_letter(bank: &Bank) -> ActivationLetter {
    ActivationLetter {
        master: bank.master.key(),
        node: Person::new(90).node().key(),
        account: 1_001,
        code: [0xc0; 16],
        addresses: addresses(2),
    }
}

pub(crate) fn activation(bank: &Bank, owner: &Person) -> Activation {
    Activation {
        bank: bank.id(),
        request: RequestId([11; 16]),
        account: 1_001,
        owner: owner.owner().key(),
        code: [0xc0; 16],
    }
}

pub(crate) fn address_record(person: &Person) -> AddressRecord {
    AddressRecord {
        node: person.node().key(),
        sequence: NOW.0,
        expires: NOW.plus_seconds(DAY_SECONDS),
        addresses: addresses(2),
    }
}

pub(crate) fn withdrawal(bank: &Bank, owner: &Person) -> Withdrawal {
    Withdrawal {
        bank: bank.id(),
        request: RequestId([12; 16]),
        owner: owner.owner().key(),
        created: NOW,
        outcomes: vec![
            Outcome { to: owner.note_key(1).key(), units: units(300) },
            Outcome { to: owner.note_key(2).key(), units: units(200) },
        ],
    }
}

pub(crate) fn redemption(bank: &Bank, kind: RedeemKind, owner: &Person) -> Redemption {
    let to = match kind {
        RedeemKind::Deposit => owner.owner().key(),
        RedeemKind::Reissue => owner.note_key(3).key(),
    };
    let outcomes = vec![Outcome { to, units: units(50) }];
    Redemption { bank: bank.id(), request: RequestId([13; 16]), kind, outcomes }
}

pub(crate) fn query(bank: &Bank, owner: &Person) -> AccountQuery {
    AccountQuery { bank: bank.id(), request: RequestId([14; 16]), owner: owner.owner().key(), created: NOW }
}

/// Two records after the seventh.
pub(crate) fn vault_append(bank: &Bank, owner: &Person) -> (VaultAppend, Vec<ByteBuf>) {
    let records = vec![ByteBuf::from(vec![7; 60]), ByteBuf::from(vec![8; 70])];
    let before = VaultHead { records: 7, digest: Digest([7; 32]) };
    let head = records.iter().fold(before, |head, record| head.next(record));
    let append = VaultAppend {
        bank: bank.id(),
        owner: owner.owner().key(),
        node: owner.node().key(),
        generation: 2,
        after: before.records,
        head: head.digest,
    };
    (append, records)
}

pub(crate) fn node_query(bank: &Bank, owner: &Person, purpose: Purpose) -> NodeQuery {
    NodeQuery {
        bank: bank.id(),
        request: RequestId([6; 16]),
        owner: owner.owner().key(),
        node: owner.node().key(),
        purpose,
        number: 0,
        subject: Digest::default(),
        created: NOW,
    }
}

pub(crate) fn head(bank: &Bank) -> DirectoryHead {
    DirectoryHead { bank: bank.id(), sequence: 2, digest: Digest([15; 32]), at: NOW }
}

pub(crate) fn receipt(scene: &Scene, confirmed: bool) -> Receipt {
    Receipt {
        order: scene.payment().order.digest(),
        payee: scene.bob.owner().key(),
        amount: units(30),
        received: NOW.plus_seconds(2),
        confirmed,
    }
}

pub(crate) fn refusal(scene: &Scene) -> Refusal {
    Refusal { order: scene.payment().order.digest(), code: ErrorCode::Fork, at: TODAY.start() }
}

pub(crate) fn revocation(bank: &Bank, usage: Usage) -> Revocation {
    let key = Signer::from_secret(&[110 + usage as u8; 32]).key();
    Revocation { bank: bank.id(), usage, key, from_day: TODAY }
}

pub(crate) fn bulletin(bank: &Bank) -> Bulletin {
    Bulletin {
        bank: bank.id(),
        number: 2,
        prev: Digest([16; 32]),
        at: NOW,
        journal: 41,
        lines: 2,
        issued: units(1_000),
        redeemed: units(50),
        day: Day(TODAY.0 - 1),
        roots: Tree::over([Digest([17; 32]), Digest([18; 32]), Digest([19; 32])]).top(),
        suspended: vec![Person::new(91).owner().key(), Person::new(92).owner().key()],
        reclaimed: vec![Reclaimed { root: Digest([20; 32]), tip: Digest([21; 32]), range: range(10, 40) }],
    }
}

pub(crate) fn page(bank: &Bank, keys: Vec<Signed<KeyCertificate>>) -> BulletinPage {
    BulletinPage {
        bulletins: vec![bank.attest.sign(bulletin(bank))],
        keys,
        revoked: vec![bank.master.sign(revocation(bank, Usage::Issue))],
    }
}
