//! Every body: valid ones with digest and signature, malformed ones with what is wrong.

use crate::cases;
use crate::papers;
use crate::scene::{Bank, Person, Scene, range, units};
use protocol::bank::{CertificateKind, LetterKind, RedeemKind, Standing};
use protocol::body::Body;
use protocol::id::Digest;
use protocol::key::bank::Usage;
use protocol::note::{Destination, Link};
use protocol::pay::{AmountRule, Mode};
use protocol::sign::Signer;
use serde_json::{Value, json};
use std::fmt::Debug;

/// Bytes put over, or cut out of, a valid body, and what the reader says to the result.
pub(crate) struct Spoil {
    at: usize,
    with: Vec<u8>,
    why: &'static str,
}

/// At offset `at`, `with` instead of what is there.
pub(crate) fn spoil(at: usize, with: impl Into<Vec<u8>>, why: &'static str) -> Spoil {
    Spoil { at, with: with.into(), why }
}

#[derive(Default)]
pub(crate) struct Vectors {
    valid: Vec<Value>,
    malformed: Vec<Value>,
}

impl Vectors {
    /// A valid body, unsigned.
    fn plain<T: Body + Debug>(&mut self, body: T) -> Vec<u8> {
        let bytes = body.to_bytes();
        self.valid.push(json!({
            "type": T::TYPE, "body": hex::encode(&bytes), "digest": body.digest(), "reads": format!("{body:?}"),
        }));
        bytes
    }

    /// A valid body with its signature.
    pub(crate) fn signed<T: Body + Debug + Clone>(&mut self, signer: &Signer, body: T) -> Vec<u8> {
        let bytes = self.plain(body.clone());
        let last = self.valid.last_mut().unwrap();
        last["signer"] = json!(signer.key());
        last["signed"] = json!(hex::encode(signer.sign(body).to_bytes()));
        bytes
    }

    /// What every body refuses, and what this one refuses besides.
    pub(crate) fn malformed<T: Body>(&mut self, valid: &[u8], spoils: impl IntoIterator<Item = Spoil>) {
        let mut push = |bytes: &[u8], why: &str| {
            self.malformed.push(json!({ "type": T::TYPE, "body": hex::encode(bytes), "why": why }));
        };
        push(&[], "too short");
        push(&valid[..valid.len() - 1], "too short");
        push(&[valid, &[0]].concat(), "bytes after the end");
        push(&[&[2], &valid[1..]].concat(), "unknown version");
        for Spoil { at, with, why } in spoils {
            let mut bytes = valid.to_vec();
            bytes.splice(at..at + with.len(), with);
            push(&bytes, why);
        }
    }
}

const TOO_MANY_UNITS: [u8; 8] = (1u64 << 53).to_be_bytes();

pub(crate) fn all() -> Value {
    let mut v = Vectors::default();
    let scene = Scene::new();
    notes(&mut v, &scene);
    payments(&mut v, &scene);
    keys_and_people(&mut v, &scene.bank, &scene.bob);
    bank(&mut v, &scene.bank, &scene.bob);
    told(&mut v, &scene.bank);
    cases::bodies(&mut v, &scene);
    crate::shops::bodies(&mut v, &scene);
    crate::shop::bodies(&mut v, &scene);
    crate::orders::bodies(&mut v, &scene);
    json!({ "valid": v.valid, "malformed": v.malformed, "digests": digests(&scene) })
}

fn notes(v: &mut Vectors, scene: &Scene) {
    let root = scene.bank.root(1, 100, scene.alice.note_key(9).key());
    let bytes = v.signed(&scene.bank.issue, root.clone());
    v.malformed::<protocol::note::Root>(
        &bytes,
        [
            spoil(1, [2], "unknown kind of root"),
            spoil(50, [0; 8], "no units"),
            spoil(50, TOO_MANY_UNITS, "2^53 units or more"),
        ],
    );
    let link = |to| Link { prev: root.digest(), range: range(10, 40), to };
    let owner = scene.alice.note_key(9);
    v.signed(&owner, link(Destination::Redeem(Digest([21; 32]))));
    v.signed(&owner, link(Destination::Reclaim(Digest([22; 32]))));
    let bytes = v.signed(&owner, link(Destination::Key(scene.request.key())));
    v.malformed::<Link>(
        &bytes,
        [
            spoil(33, 40u64.to_be_bytes(), "not a range"),
            spoil(33, 41u64.to_be_bytes(), "not a range"),
            spoil(41, TOO_MANY_UNITS, "not a range"),
            spoil(49, [0], "unknown destination"),
            spoil(49, [4], "unknown destination"),
        ],
    );
}

fn payments(v: &mut Vectors, scene: &Scene) {
    let bytes = v.signed(&scene.bob.owner(), scene.bob.ticket(1).unverified().clone());
    v.malformed::<protocol::key::KeyTicket>(&bytes, []);

    v.signed(&scene.bob.node(), scene.request.clone());
    let mut request = scene.bob.asks(&scene.bank, AmountRule::AtMost(units(500)));
    (request.mode, request.memo, request.address) =
        (Mode::Certified, papers::text("caffè"), papers::text("/ip4/192.0.2.7/tcp/4001"));
    let bytes = v.signed(&scene.bob.node(), request);
    v.malformed::<protocol::pay::Request>(
        &bytes,
        [
            spoil(25, [2], "unknown version"),
            spoil(202, [3], "unknown amount rule"),
            spoil(203, [0; 8], "asks for nothing"),
            spoil(203, TOO_MANY_UNITS, "2^53 units or more"),
            spoil(211, [0], "unknown mode"),
            spoil(228, [0xff], "too short"),
            spoil(229, [0xff], "a text that is not UTF-8"),
            spoil(229, [7], "a text that is too long or has control characters"),
        ],
    );

    let mut certified = scene.order.clone();
    (certified.mode, certified.replaces) = (Mode::Certified, Digest([23; 32]));
    v.signed(&scene.alice.owner(), certified);
    let bytes = v.signed(&scene.alice.owner(), scene.order.clone());
    v.malformed::<protocol::pay::Order>(
        &bytes,
        [
            spoil(121, [0; 8], "pays nothing"),
            spoil(121, TOO_MANY_UNITS, "2^53 units or more"),
            spoil(145, [3], "unknown mode"),
        ],
    );

    v.signed(&scene.bob.node(), papers::receipt(scene, false));
    let bytes = v.signed(&scene.bob.owner(), papers::receipt(scene, true));
    v.malformed::<protocol::pay::Receipt>(
        &bytes,
        [spoil(65, TOO_MANY_UNITS, "2^53 units or more"), spoil(81, [2], "neither confirmed nor not")],
    );
    let bytes = v.signed(&scene.bob.node(), papers::refusal(scene));
    v.malformed::<protocol::pay::Refusal>(
        &bytes,
        [spoil(33, [0, 0], "unknown error code"), spoil(33, [0xff, 0xff], "unknown error code")],
    );
}

fn keys_and_people(v: &mut Vectors, bank: &Bank, bob: &Person) {
    for (usage, epoch) in [(Usage::Attest, 0), (Usage::Bulletin, 0), (Usage::Node, 0)] {
        let key = Signer::from_secret(&[110 + usage as u8; 32]).key();
        v.signed(&bank.master, bank.certify(usage, epoch, key).unverified().clone());
    }
    let issue = bank.certify(Usage::Issue, 7, bank.issue.key());
    let bytes = v.signed(&bank.master, issue.unverified().clone());
    v.malformed::<protocol::key::bank::KeyCertificate>(
        &bytes,
        [
            spoil(9, [0], "unknown usage"),
            spoil(9, [5], "unknown usage"),
            spoil(46, u32::MAX.to_be_bytes(), "ends before it begins"),
        ],
    );

    let kinds = [
        CertificateKind::Resident,
        CertificateKind::Shop,
        CertificateKind::Company,
        CertificateKind::Card,
        CertificateKind::Terminal,
    ];
    for kind in kinds {
        let mut certificate = bank.certificate(bob.owner().key());
        certificate.kind = kind;
        v.signed(&bank.attest, certificate);
    }
    let mut suspended = bank.certificate(bob.owner().key());
    suspended.standing = Standing::Suspended;
    let bytes = v.signed(&bank.attest, suspended);
    v.malformed::<protocol::bank::Certificate>(
        &bytes,
        [
            spoil(49, [0], "unknown kind of account"),
            spoil(49, [6], "unknown kind of account"),
            spoil(50, [0], "unknown standing"),
            spoil(51, TOO_MANY_UNITS, "2^53 units or more"),
        ],
    );

    let bytes = v.signed(&bob.owner(), bob.identity(bank));
    v.malformed::<protocol::bank::Identity>(&bytes, []);
    let mut nowhere = papers::address_record(bob);
    nowhere.addresses.clear();
    v.signed(&bob.node(), nowhere);
    let bytes = v.signed(&bob.node(), papers::address_record(bob));
    v.malformed::<protocol::bank::AddressRecord>(&bytes, [spoil(49, [9], "too many addresses")]);
}

fn bank(v: &mut Vectors, bank: &Bank, bob: &Person) {
    let bytes = v.plain(papers::activation_letter(bank));
    v.malformed::<protocol::bank::ActivationLetter>(&bytes, [spoil(89, [5], "too many addresses")]);
    let bytes = v.signed(&bob.owner(), papers::activation(bank, bob));
    v.malformed::<protocol::bank::Activation>(&bytes, []);

    let odd = "an outcome of nothing, or of 2^53 units or more";
    let bytes = v.signed(&bob.owner(), papers::withdrawal(bank, bob));
    v.malformed::<protocol::bank::Withdrawal>(
        &bytes,
        [
            spoil(65, [0, 0], "no outcomes, or too many"),
            spoil(65, [0, 65], "no outcomes, or too many"),
            spoil(99, [0; 8], odd),
            spoil(99, TOO_MANY_UNITS, odd),
        ],
    );
    let mut two = papers::redemption(bank, RedeemKind::Reissue, bob);
    two.outcomes.push(two.outcomes[0]);
    let two = v.plain(two);
    v.malformed::<protocol::bank::Redemption>(&two, [spoil(25, [1], "a deposit has one outcome")]);
    let bytes = v.signed(&bob.owner(), papers::redemption(bank, RedeemKind::Deposit, bob));
    v.malformed::<protocol::bank::Redemption>(
        &bytes,
        [
            spoil(25, [3], "unknown kind of redemption"),
            spoil(26, [0, 0], "no outcomes, or too many"),
            spoil(60, [0; 8], odd),
        ],
    );
    let bytes = v.signed(&bob.owner(), papers::query(bank, bob));
    v.malformed::<protocol::bank::AccountQuery>(&bytes, []);
    let (append, _) = papers::vault_append(bank, bob);
    let bytes = v.signed(&bob.node(), append);
    v.malformed::<protocol::bank::VaultAppend>(&bytes, []);

    let kinds = [
        LetterKind::Opening,
        LetterKind::Payment,
        LetterKind::Deposit,
        LetterKind::Refusal,
        LetterKind::Reclaim,
        LetterKind::Recovery,
        LetterKind::Charge,
        LetterKind::Hold,
        LetterKind::Released,
        LetterKind::Returned,
        LetterKind::SweepOut,
        LetterKind::SweepIn,
        LetterKind::RentOut,
        LetterKind::RentIn,
        LetterKind::Caution,
        LetterKind::CautionBack,
        LetterKind::CautionKept,
        LetterKind::Balance,
    ];
    let mut bytes = Vec::new();
    for kind in kinds {
        bytes = v.signed(&bank.attest, papers::letter(bank, bob, kind));
    }
    v.malformed::<protocol::bank::Letter>(
        &bytes,
        [
            spoil(17, [0], "unknown kind of letter"),
            spoil(17, [19], "unknown kind of letter"),
            spoil(82, TOO_MANY_UNITS, "2^53 units or more"),
            spoil(90, TOO_MANY_UNITS, "2^53 units or more"),
        ],
    );
    let node = bob.node();
    for item in crate::post::items(bank, bob) {
        let bytes = v.signed(&node, item);
        v.malformed::<protocol::bank::MailItem>(&bytes, [spoil(121, [3], "unknown kind of mail")]);
    }
    for word in crate::post::words(bank) {
        let bytes = v.signed(&bank.attest, word);
        v.malformed::<protocol::bank::MailWord>(&bytes, [spoil(73, [0], "unknown fate of mail")]);
    }
    for query in crate::post::queries(bank, bob) {
        let bytes = v.signed(&node, query);
        v.malformed::<protocol::bank::NodeQuery>(&bytes, [spoil(89, [9], "unknown purpose")]);
    }
    let bytes = v.signed(&bank.attest, papers::head(bank));
    v.malformed::<protocol::bank::DirectoryHead>(&bytes, []);
}

/// What the bank tells everybody.
fn told(v: &mut Vectors, bank: &Bank) {
    for usage in [Usage::Issue, Usage::Attest, Usage::Bulletin, Usage::Node] {
        v.signed(&bank.master, papers::revocation(bank, usage));
    }
    let bytes = v.signed(&bank.master, papers::revocation(bank, Usage::Issue));
    v.malformed::<protocol::key::bank::Revocation>(
        &bytes,
        [spoil(9, [0], "unknown usage"), spoil(9, [5], "unknown usage")],
    );
    let mut first = papers::bulletin(bank);
    (first.number, first.prev) = (1, Digest::default());
    first.suspended.clear();
    first.reclaimed.clear();
    v.signed(&bank.attest, first);
    let bytes = v.signed(&bank.attest, papers::bulletin(bank));
    let lists = bytes.len() - (2 + 2 * 32 + 2 + 80);
    v.malformed::<protocol::bank::Bulletin>(
        &bytes,
        [
            spoil(73, TOO_MANY_UNITS, "2^53 units or more"),
            spoil(81, TOO_MANY_UNITS, "2^53 units or more"),
            spoil(lists, [4, 1], "too long a list"),
            spoil(lists + 66, [4, 1], "too long a list"),
            spoil(lists + 68 + 64, u64::MAX.to_be_bytes(), "not a range"),
        ],
    );
}

/// Digests of what is no body of its own.
fn digests(scene: &Scene) -> Value {
    use protocol::bank::{DirectoryEntry, next_head};
    use protocol::key::bank::bank_id;
    use protocol::note::Root;
    use protocol::pay::{Order, list_of_notes, list_of_roots};
    let (request, key) = (Digest([24; 32]), scene.request.key());
    let id = Root::id_of(&request, 258);
    let papers = scene.bob.introduction(&scene.bank);
    let first = DirectoryEntry::Certificate(papers.certificate);
    let second = DirectoryEntry::Identity(papers.identity);
    let after_first = next_head(&Digest::default(), &first);
    json!({
        "bank": { "master": scene.bank.master.key(), "id": bank_id(&scene.bank.master.key()) },
        "root-id": { "request": request, "index": 258, "id": id },
        "list-direct": {
            "tips": [Digest([25; 32]), Digest([26; 32])],
            "digest": list_of_notes(&[Digest([25; 32]), Digest([26; 32])]),
        },
        "list-certified": {
            "roots": [{ "id": id, "units": 30, "to": key }],
            "digest": list_of_roots([(&id, units(30), &key)]),
        },
        "hold-code": crate::shops::code(),
        "sales-list": {
            "list": hex::encode(protocol::wire::encode(&crate::shops::sales())),
            "digest": protocol::wire::sales_digest(&protocol::wire::encode(&crate::shops::sales())),
        },
        "memo": { "text": "caffè", "digest": Order::memo_digest("caffè") },
        "root-tree": {
            "roots": [Digest([17; 32]), Digest([18; 32]), Digest([19; 32])],
            "top": papers::bulletin(&scene.bank).roots,
        },
        "directory": { "heads": [Digest::default(), after_first, next_head(&after_first, &second)] },
    })
}

/// Valid and malformed bodies, each behind a byte that picks the type as the fuzz target does.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let all = all();
    let types = [
        "root",
        "link",
        "ticket",
        "key-certificate",
        "certificate",
        "identity",
        "address",
        "activation-letter",
        "activation",
        "withdrawal",
        "redemption",
        "account-query",
        "letter",
        "directory-head",
        "request",
        "order",
        "receipt",
        "refusal",
        "revocation",
        "bulletin",
        "mail-item",
        "mail-word",
        "node-query",
        "claim",
        "admission",
        "reclaim",
        "hold",
        "hold-act",
        "sweep",
    ];
    let first_of = |(at, name): (usize, &&str)| {
        let body = all["valid"].as_array().unwrap().iter().find(|v| v["type"] == **name).unwrap();
        let bytes = hex::decode(body["body"].as_str().unwrap()).unwrap();
        [vec![u8::try_from(at).unwrap()], bytes].concat()
    };
    types.iter().enumerate().map(first_of).collect()
}
