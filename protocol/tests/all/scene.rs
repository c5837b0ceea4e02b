//! A bank, two people, and papers in good order, all from fixed secrets.

use protocol::bank::{Certificate, CertificateKind, Identity, Introduction, Standing};
use protocol::body::Text;
use protocol::id::{BankId, Digest, Hint, Key, PaymentId, RequestId, RootId};
use protocol::key::bank::{BankKeys, KeyCertificate, Usage, bank_id};
use protocol::key::{KeyTicket, Seed};
use protocol::money::Units;
use protocol::note::{Destination, Note, NoteTable, Root, RootKind};
use protocol::pay::{AmountRule, Mode, Order, Payment, Request, list_of_notes};
use protocol::range::Range;
use protocol::sign::{Signed, Signer};
use protocol::time::{DAY_SECONDS, Day, Timestamp};

/// The day on which everything happens.
pub(crate) const TODAY: Day = Day(20_800);
/// The moment at which everything happens.
pub(crate) const NOW: Timestamp = Timestamp(20_800 * DAY_SECONDS + 36_000);

pub(crate) fn units(units: u64) -> Units {
    Units::new(units).unwrap()
}

pub(crate) fn range(start: u64, end: u64) -> Range {
    Range::new(start, end).unwrap()
}

/// The bank, with all its keys.
pub(crate) struct Bank {
    pub(crate) master: Signer,
    pub(crate) issue: Signer,
    pub(crate) attest: Signer,
}

impl Bank {
    pub(crate) fn new() -> Bank {
        let [master, issue, attest] = [101, 102, 103].map(|n| Signer::from_secret(&[n; 32]));
        Bank { master, issue, attest }
    }

    pub(crate) fn id(&self) -> BankId {
        bank_id(&self.master.key())
    }

    pub(crate) fn certify(&self, usage: Usage, epoch: u32, key: Key) -> Signed<KeyCertificate> {
        let (from_day, until_day) = (TODAY, TODAY.plus_days(if usage == Usage::Issue { 0 } else { 400 }));
        self.master.sign(KeyCertificate { bank: self.id(), usage, epoch, key, from_day, until_day })
    }

    /// What a customer knows who met the bank today.
    pub(crate) fn keys(&self) -> BankKeys {
        let mut keys = BankKeys::pinned(self.master.key());
        keys.learn(self.certify(Usage::Issue, 7, self.issue.key())).unwrap();
        keys.learn(self.certify(Usage::Attest, 0, self.attest.key())).unwrap();
        keys
    }

    pub(crate) fn root(&self, serial: u64, units_of: u64, to: Key) -> Root {
        Root {
            kind: RootKind::Plain,
            bank: self.id(),
            serial,
            id: RootId([serial.to_be_bytes()[7]; 32]),
            units: units(units_of),
            to,
            epoch: 7,
            issued_day: TODAY,
            direct_until_day: TODAY.plus_days(60),
        }
    }

    pub(crate) fn issue(&self, serial: u64, units: u64, to: Key) -> Note {
        Note::fresh(self.issue.sign(self.root(serial, units, to)))
    }

    pub(crate) fn certificate(&self, owner: Key) -> Certificate {
        Certificate {
            bank: self.id(),
            sequence: 3,
            owner,
            kind: CertificateKind::Resident,
            standing: Standing::Active,
            offline_limit: units(2_000),
            issued: NOW,
            expires: NOW.plus_seconds(300 * DAY_SECONDS),
            name: Text::new("somebody", 48).unwrap(),
        }
    }
}

/// A person: a seed and what grows from it.
pub(crate) struct Person(pub(crate) Seed);

impl Person {
    pub(crate) fn new(n: u8) -> Person {
        Person(Seed::from_bytes([n; 32]))
    }

    pub(crate) fn owner(&self) -> Signer {
        self.0.owner()
    }

    pub(crate) fn node(&self) -> Signer {
        Signer::from_secret(&self.0.node(0))
    }

    pub(crate) fn note_key(&self, n: u8) -> Signer {
        self.0.note(&Hint([n; 16]))
    }

    pub(crate) fn identity(&self, bank: &Bank) -> Identity {
        Identity {
            bank: bank.id(),
            owner: self.owner().key(),
            view: self.0.view(0).key(),
            node: self.node().key(),
            generation: 0,
            sequence: 1,
            expires: NOW.plus_seconds(399 * DAY_SECONDS),
        }
    }

    pub(crate) fn introduction(&self, bank: &Bank) -> Introduction {
        Introduction {
            certificate: bank.attest.sign(bank.certificate(self.owner().key())),
            identity: self.owner().sign(self.identity(bank)),
        }
    }

    pub(crate) fn ticket(&self, n: u8) -> Signed<KeyTicket> {
        let (owner, key) = (self.owner().key(), self.note_key(n).key());
        self.owner().sign(KeyTicket { owner, key, hint: Hint([n; 16]) })
    }

    pub(crate) fn asks(&self, bank: &Bank, amount: AmountRule) -> Request {
        Request {
            bank: bank.id(),
            id: RequestId([4; 16]),
            ticket: self.ticket(1),
            node: self.node().key(),
            amount,
            mode: Mode::Direct,
            created: NOW,
            expires: NOW.plus_seconds(3_600),
            memo: Text::default(),
            address: Text::default(),
        }
    }
}

/// Alice pays Bob 30 of her 100 units, for lunch; every part can be changed before it is signed.
pub(crate) struct Scene {
    pub(crate) bank: Bank,
    pub(crate) alice: Person,
    pub(crate) bob: Person,
    pub(crate) request: Request,
    pub(crate) order: Order,
    pub(crate) memo: String,
    pub(crate) notes: Vec<Note>,
}

impl Scene {
    pub(crate) fn new() -> Scene {
        let (bank, alice, bob) = (Bank::new(), Person::new(1), Person::new(2));
        let request = bob.asks(&bank, AmountRule::Exactly(units(30)));
        let purse = bank.issue(1, 100, alice.note_key(9).key());
        let note = purse.hand_on(range(10, 40), Destination::Key(request.key()), &alice.note_key(9)).unwrap();
        let order = Order {
            bank: bank.id(),
            payment: PaymentId([5; 16]),
            request: bob.node().sign(request.clone()).digest(),
            payer: alice.owner().key(),
            payee: bob.owner().key(),
            amount: units(30),
            created: NOW,
            expires: NOW.plus_seconds(7 * DAY_SECONDS),
            mode: Mode::Direct,
            replaces: Digest::default(),
            memo: Order::memo_digest("lunch"),
            list: list_of_notes(&[note.holding().unwrap().tip]),
        };
        Scene { bank, alice, bob, request, order, memo: "lunch".to_owned(), notes: vec![note] }
    }

    pub(crate) fn payment(&self) -> Payment {
        Payment {
            request: self.bob.node().sign(self.request.clone()),
            order: self.alice.owner().sign(self.order.clone()),
            memo: self.memo.clone(),
            keys: Vec::new(),
            notes: NoteTable::pack(&self.notes),
        }
    }
}
