//! Every message of the wire in its one form, and bytes that are not one.

use crate::cases;
use crate::papers;
use crate::scene::{Scene, range, units};
use protocol::bank::merkle::Tree;
use protocol::bank::{DirectoryEntry, LetterKind, RedeemKind, Redemption};
use protocol::body::Body;
use protocol::id::{Digest, RequestId};
use protocol::key::bank::Usage;
use protocol::money::Currency;
use protocol::note::{Destination, Note, NoteTable};
use protocol::wire::{
    BankAnswer, BankAsk, BankTerms, DirectoryPage, ErrorCode, Hail, HailAnswer, Item, Letterhead, Message,
    Offer, PayAnswer, PayAsk, ShopAsk, encode,
};
use serde_json::{Value, json};
use std::fmt::Debug;

#[derive(Default)]
struct Vectors {
    valid: Vec<Value>,
    malformed: Vec<Value>,
}

impl Vectors {
    fn valid<M: Message + Debug>(&mut self, kind: &str, name: &str, message: &M) -> Vec<u8> {
        let bytes = encode(message);
        let reads = format!("{message:?}").chars().take(400).collect::<String>();
        self.valid
            .push(json!({ "message": kind, "name": name, "bytes": hex::encode(&bytes), "reads": reads }));
        bytes
    }

    fn malformed(&mut self, kind: &str, why: &str, bytes: &[u8]) {
        self.malformed.push(json!({ "message": kind, "why": why, "bytes": hex::encode(bytes) }));
    }

    /// What every message refuses.
    fn odd_forms(&mut self, kind: &str, valid: &[u8]) {
        self.malformed(kind, "nothing", &[]);
        self.malformed(kind, "cut short", &valid[..valid.len() - 1]);
        self.malformed(kind, "a byte more", &[valid, &[0]].concat());
        self.malformed(kind, "nil", &[0xc0]);
    }
}

pub(crate) fn all() -> Value {
    let mut v = Vectors::default();
    let scene = Scene::new();
    pay(&mut v, &scene);
    asks(&mut v, &scene);
    answers(&mut v, &scene);
    let bytes = v.valid("SalesList", "SalesList", &crate::shops::sales());
    v.odd_forms("SalesList", &bytes);
    v.valid("SalesList", "SalesList", &protocol::wire::SalesList::default());
    odd(&mut v, &scene);
    let file = v.valid("ReceiptFile", "ReceiptFile", &crate::shop::file(&scene));
    v.odd_forms("ReceiptFile", &file);
    let file = v.valid("OrderFile", "OrderFile", &crate::orders::file(&scene));
    v.odd_forms("OrderFile", &file);
    let codes: Vec<Value> = ErrorCode::ALL
        .iter()
        .map(|code| json!({ "number": code.number(), "word": code.word(), "text": code.text() }))
        .collect();
    json!({ "valid": v.valid, "malformed": v.malformed, "codes": codes })
}

fn pay(v: &mut Vectors, scene: &Scene) {
    let hello = v.valid("Hail", "Hello", &Hail::Hello);
    v.odd_forms("Hail", &hello);
    v.valid("Hail", "Sealed", &Hail::Sealed(vec![7; 40]));

    let certificate = scene.bank.certify(Usage::Attest, 0, scene.bank.attest.key());
    let bob = scene.bob.introduction(&scene.bank);
    let introduced = HailAnswer::Introduction(bob, vec![certificate]);
    let bytes = v.valid("HailAnswer", "Introduction", &introduced);
    v.odd_forms("HailAnswer", &bytes);
    v.valid("HailAnswer", "Sealed", &HailAnswer::Sealed(vec![7; 300]));
    v.valid("HailAnswer", "Error", &HailAnswer::Error(ErrorCode::NotMine));

    let from = scene.alice.introduction(&scene.bank);
    let mut ask = |name: &str, ask: PayAsk| {
        let bytes = v.valid("Letterhead", name, &Letterhead { from: from.clone(), ask });
        v.odd_forms("Letterhead", &bytes);
    };
    let offer = Offer { amount: units(120), memo: "rent".to_owned(), request: None };
    ask("Offer", PayAsk::Offer(Offer { request: Some(RequestId([4; 16])), ..offer.clone() }));
    ask("Offer", PayAsk::Offer(offer));
    ask("Pay", PayAsk::Pay(Box::new(scene.payment())));
    let mut paid = scene.payment();
    paid.keys = vec![scene.bank.certify(Usage::Issue, 7, scene.bank.issue.key())];
    ask("Pay", PayAsk::Pay(Box::new(paid)));
    let had = scene.bob.node().sign(papers::receipt(scene, false));
    ask("Again", PayAsk::Again(Box::new(scene.payment()), had));
    let safe = scene.bob.node().sign(papers::receipt(scene, true));
    ask("Confirm", PayAsk::Confirm(scene.order.payment, safe.clone()));
    let answer = Box::new(PayAnswer::Receipt(safe));
    ask("Answered", PayAsk::Answered(scene.order.payment, answer));
    for shop in crate::orders::asks(scene) {
        ask("Shop", PayAsk::Shop(Box::new(shop)));
    }

    let request = scene.bob.node().sign(scene.request.clone());
    let bytes = v.valid("PayAnswer", "Request", &PayAnswer::Request(Box::new(request)));
    v.odd_forms("PayAnswer", &bytes);
    v.valid("PayAnswer", "Open", &PayAnswer::Open(false));
    v.valid("PayAnswer", "Open", &PayAnswer::Open(true));
    let receipt = scene.bob.node().sign(papers::receipt(scene, false));
    v.valid("PayAnswer", "Receipt", &PayAnswer::Receipt(receipt));
    let refusal = scene.bob.node().sign(papers::refusal(scene));
    v.valid("PayAnswer", "Refused", &PayAnswer::Refused(refusal));
    v.valid("PayAnswer", "Noted", &PayAnswer::Noted);
    for shop in crate::orders::answers(scene) {
        v.valid("PayAnswer", "Shop", &PayAnswer::Shop(Box::new(shop)));
    }
    for code in ErrorCode::ALL {
        v.valid("PayAnswer", "Error", &PayAnswer::Error(*code));
    }
}

/// A redemption and its notes, each handed on to exactly it.
fn redeemed(scene: &Scene, kind: RedeemKind) -> (Redemption, Vec<Note>) {
    let redemption = papers::redemption(&scene.bank, kind, &scene.bob);
    let (sink, owner) = (Destination::Redeem(redemption.digest()), scene.bob.note_key(1));
    let paid = scene.notes[0].hand_on(range(10, 40), sink, &owner).unwrap();
    let fresh = scene.bank.issue(2, 20, owner.key()).hand_on(range(0, 20), sink, &owner).unwrap();
    (redemption, vec![paid, fresh])
}

fn asks(v: &mut Vectors, scene: &Scene) {
    let (bank, bob) = (&scene.bank, &scene.bob);
    let owner = bob.owner();
    let mut ask = |name: &str, ask: BankAsk| v.valid("BankAsk", name, &ask);
    let bytes = ask("Terms", BankAsk::Terms);
    let identity = owner.sign(bob.identity(bank));
    ask("Activate", BankAsk::Activate(owner.sign(papers::activation(bank, bob)), identity.clone()));
    ask("Publish", BankAsk::Publish(identity));
    ask("Withdraw", BankAsk::Withdraw(owner.sign(papers::withdrawal(bank, bob))));
    let (redemption, notes) = redeemed(scene, RedeemKind::Deposit);
    ask("Deposit", BankAsk::Deposit(owner.sign(redemption), NoteTable::pack(&notes)));
    let (redemption, notes) = redeemed(scene, RedeemKind::Reissue);
    ask("Reissue", BankAsk::Reissue(redemption.to_bytes(), NoteTable::pack(&notes)));
    ask("Status", BankAsk::Status(RequestId([12; 16]), Digest([8; 32])));
    ask("Balance", BankAsk::Balance(owner.sign(papers::query(bank, bob))));
    ask("Directory", BankAsk::Directory(0));
    ask("Directory", BankAsk::Directory(70_000));
    for (name, asked) in crate::post::asks(scene) {
        ask(name, asked);
    }
    ask("Witness", BankAsk::Witness(bank.attest.sign(papers::letter(bank, bob, LetterKind::Balance))));
    ask("Bulletins", BankAsk::Bulletins(0));
    ask("RootPath", BankAsk::RootPath(300));
    ask("IssueKeys", BankAsk::IssueKeys(vec![20_000, 20_001]));
    cases::asks(&mut |name, message| drop(ask(name, message)), scene);
    crate::shops::asks(&mut |name, message| drop(ask(name, message)), scene);
    let (append, records) = papers::vault_append(bank, bob);
    let node = bob.node();
    ask("VaultAppend", BankAsk::VaultAppend(node.sign(append), records));
    let query = papers::node_query(bank, bob, protocol::bank::Purpose::Vault);
    ask("VaultHead", BankAsk::VaultHead(node.sign(query)));
    ask("VaultRead", BankAsk::VaultRead(owner.sign(papers::query(bank, bob)), 7));
    v.odd_forms("BankAsk", &bytes);
}

fn answers(v: &mut Vectors, scene: &Scene) {
    let (bank, bob) = (&scene.bank, &scene.bob);
    let letter = |kind| bank.attest.sign(papers::letter(bank, bob, kind));
    let papers_of_bob = bob.introduction(bank);
    let keys = vec![bank.certify(Usage::Attest, 0, bank.attest.key())];
    let root = bank.issue.sign(bank.root(1, 100, bob.note_key(1).key()));
    let (_, notes) = redeemed(scene, RedeemKind::Deposit);
    let mut answer = |name: &str, answer: BankAnswer| v.valid("BankAnswer", name, &answer);

    let terms = BankTerms {
        name: "Bank of Stermina".to_owned(),
        currency: Currency::new("EUR", 2).unwrap(),
        keys: keys.clone(),
    };
    let bytes = answer("Terms", BankAnswer::Terms(terms));
    answer(
        "Activated",
        BankAnswer::Activated(papers_of_bob.certificate.clone(), letter(LetterKind::Opening)),
    );
    answer("Published", BankAnswer::Published);
    let (append, records) = papers::vault_append(bank, bob);
    let head = protocol::bank::VaultHead { records: append.after + 2, digest: append.head };
    answer("Vault", BankAnswer::Vault(head));
    answer("VaultRecords", BankAnswer::VaultRecords(records, head));
    answer("Withdrawn", BankAnswer::Withdrawn(vec![root.clone()], letter(LetterKind::Payment)));
    answer("Declined", BankAnswer::Declined(letter(LetterKind::Refusal)));
    let clash = NoteTable::pack(&notes[..1]);
    let items =
        vec![Item::Paid(units(20)), Item::Refused(ErrorCode::UnknownRoot), Item::Clash(clash.clone())];
    answer("Deposited", BankAnswer::Deposited(items, letter(LetterKind::Deposit)));
    answer("Reissued", BankAnswer::Reissued(vec![root]));
    answer(
        "Denied",
        BankAnswer::Denied(vec![(0, Item::Clash(clash)), (1, Item::Refused(ErrorCode::BadSignature))]),
    );
    answer("Balance", BankAnswer::Balance(letter(LetterKind::Balance)));
    answer("NotSeen", BankAnswer::NotSeen);
    let entries = vec![
        DirectoryEntry::Certificate(papers_of_bob.certificate),
        DirectoryEntry::Identity(papers_of_bob.identity),
    ];
    let head = bank.attest.sign(papers::head(bank));
    for (name, told) in crate::post::answers(scene) {
        answer(name, told);
    }
    answer("Noted", BankAnswer::Noted);
    answer("Directory", BankAnswer::Directory(Box::new(DirectoryPage { entries, head, keys: keys.clone() })));
    answer("Bulletins", BankAnswer::Bulletins(Box::new(papers::page(bank, keys))));
    let tree = Tree::over([Digest([17; 32]), Digest([18; 32]), Digest([19; 32])]);
    answer("RootPath", BankAnswer::RootPath(tree.path(1).unwrap()));
    answer("IssueKeys", BankAnswer::IssueKeys(vec![bank.certify(Usage::Issue, 7, bank.issue.key())]));
    cases::answers(&mut |name, message| drop(answer(name, message)), scene);
    crate::shops::answers(&mut |name, message| drop(answer(name, message)), scene);
    answer("Error", BankAnswer::Error(ErrorCode::Busy));
    v.odd_forms("BankAnswer", &bytes);
}

/// Other forms of good messages, and good forms of no message.
fn odd(v: &mut Vectors, scene: &Scene) {
    v.malformed("Hail", "an unknown variant", &raw("Goodbye"));
    v.malformed("Hail", "a variant by number", &[0]);
    v.malformed("Hail", "a unit variant as a map", &[&[0x81][..], &raw("Hello"), &[0xc0]].concat());
    v.malformed("Hail", "str8 where fixstr would do", &[&[0xd9, 5][..], b"Hello"].concat());
    let sealed = raw("Sealed");
    v.malformed("Hail", "bytes as an array of numbers", &[&[0x81][..], &sealed, &[0x92, 1, 2]].concat());
    v.malformed("Hail", "bytes as a text", &[&[0x81][..], &sealed, &[0xa2, b'h', b'i']].concat());
    v.malformed("Hail", "bin16 where bin8 would do", &[&[0x81][..], &sealed, &[0xc5, 0, 1, 7]].concat());
    v.malformed(
        "Hail",
        "two variants at once",
        &[&[0x82][..], &sealed, &[0xc4, 0], &sealed, &[0xc4, 0]].concat(),
    );
    let directory = raw("Directory");
    v.malformed("BankAsk", "uint8 where fixint would do", &[&[0x81][..], &directory, &[0xcc, 5]].concat());
    v.malformed("BankAsk", "a float", &[&[0x81][..], &directory, &[0xca, 0, 0, 0, 0]].concat());
    v.malformed("BankAsk", "a negative number", &[&[0x81][..], &directory, &[0xff]].concat());
    let error = raw("Error");
    v.malformed("PayAnswer", "error code 0", &[&[0x81][..], &error, &[0]].concat());
    v.malformed("PayAnswer", "error code 65535", &[&[0x81][..], &error, &[0xcd, 0xff, 0xff]].concat());

    let offer = Offer { amount: units(1), memo: String::new(), request: None };
    let from = scene.alice.introduction(&scene.bank);
    let letterhead = Letterhead { from: from.clone(), ask: PayAsk::Offer(offer) };
    v.malformed("Letterhead", "maps with field names", &rmp_serde::to_vec_named(&letterhead).unwrap());
    let till = crate::orders::till_ask();
    let ask = PayAsk::Shop(Box::new(ShopAsk::Till(till)));
    let mut beyond = encode(&Letterhead { from: from.clone(), ask });
    // 999,999, and one more: seven digits.
    let at = beyond.windows(5).rposition(|part| part == [0xce, 0, 0x0f, 0x42, 0x3f]).unwrap();
    beyond[at + 4] = 0x40;
    v.malformed("Letterhead", "a till's code of seven digits", &beyond);
    let mut damaged = encode(&Letterhead { from, ask: PayAsk::Pay(Box::new(scene.payment())) });
    let order = scene.payment().order.to_bytes();
    let at = damaged.windows(order.len()).position(|part| part == order).unwrap();
    damaged[at] = 2;
    v.malformed("Letterhead", "an order of another version inside", &damaged);
    let terms = (("Bank", ("eur", 2u8), Vec::<u8>::new()),);
    let terms = rmp_serde::to_vec(&std::collections::BTreeMap::from([("Terms", &terms.0)])).unwrap();
    v.malformed("BankAnswer", "a currency in small letters", &terms);
    let wide = [&[0x81][..], &raw("Withdraw"), &[0xc4, 3, 1, 2, 3]].concat();
    v.malformed("BankAsk", "a body that is none", &wide);
}

/// A text in MessagePack.
fn raw(text: &str) -> Vec<u8> {
    rmp_serde::to_vec(text).unwrap()
}

/// Bytes of the valid messages with the bank, or of the others; one of each name.
pub(crate) fn seeds(which: &str) -> Vec<Vec<u8>> {
    let all = all();
    let mut seen = std::collections::BTreeSet::new();
    let kinds = ["Hail", "HailAnswer", "Letterhead", "PayAnswer", "BankAsk", "BankAnswer", "SalesList"];
    let bank = |kind: &str| kind.starts_with("Bank") || kind == "SalesList";
    let mut seeds = Vec::new();
    for entry in all["valid"].as_array().unwrap() {
        let (kind, name) = (entry["message"].as_str().unwrap(), entry["name"].as_str().unwrap());
        if bank(kind) == (which == "Bank") && seen.insert((kind, name)) {
            let at = kinds.iter().position(|k| *k == kind).unwrap() % 4;
            let bytes = hex::decode(entry["bytes"].as_str().unwrap()).unwrap();
            seeds.push([vec![u8::try_from(at).unwrap()], bytes].concat());
        }
    }
    seeds
}
