//! The frozen vectors in `tests/vectors/`, against the implementation both ways (SPEC §6).
//!
//! Nothing here knows how the vectors were made: the files are read as a stranger would read them.

#![expect(clippy::unwrap_used, reason = "a vector that is not there ends the test")]

use protocol::body::{Body, Malformed};
use protocol::code::{Payable, PublicCode, letter_uri, parse_letter, request_uri};
use protocol::id::{Digest, Hint, Key, RootId};
use protocol::key::bank::{BankKeys, bank_id};
use protocol::key::lock::SealedSeed;
use protocol::key::{KeyTicket, Seed};
use protocol::money::{Currency, Units};
use protocol::note::{Checked, Destination, Link, Note, NoteTable, Root, compare};
use protocol::pay::{Order, Receipt, Refusal, Request, list_of_notes, list_of_roots};
use protocol::seal::{self, ViewKey};
use protocol::sign::{Signed, Signer};
use protocol::wire::{
    self, BankAnswer, BankAsk, ErrorCode, Hail, HailAnswer, Letterhead, Message, PayAnswer,
};
use protocol::{bank, key, shop};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn vectors(name: &str) -> Value {
    let path = here().join("vectors").join(format!("{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().unwrap_or_else(|| panic!("{field} is a list in {value}"))
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is a text in {value}"))
}

fn bytes(value: &Value, field: &str) -> Vec<u8> {
    hex::decode(text(value, field)).unwrap()
}

fn get<T: DeserializeOwned>(value: &Value, field: &str) -> T {
    serde_json::from_value(value[field].clone()).unwrap()
}

/// A body's bytes, written again, and its digest.
type Written = (Vec<u8>, Digest);

/// What a body's vector is checked with, for one type.
struct BodyReader {
    name: &'static str,
    again: fn(&[u8]) -> Result<Written, Malformed>,
    signed: fn(&[u8], &Key) -> bool,
}

fn reader<T: Body>() -> BodyReader {
    BodyReader {
        name: T::TYPE,
        again: |bytes| T::from_bytes(bytes).map(|body| (body.to_bytes(), body.digest())),
        signed: |bytes, key| {
            let signed = Signed::<T>::from_bytes(bytes).unwrap();
            assert_eq!(signed.to_bytes(), bytes);
            signed.check_by(key).is_ok()
        },
    }
}

fn readers() -> Vec<BodyReader> {
    vec![
        reader::<Root>(),
        reader::<Link>(),
        reader::<KeyTicket>(),
        reader::<Request>(),
        reader::<Order>(),
        reader::<Receipt>(),
        reader::<Refusal>(),
        reader::<key::bank::KeyCertificate>(),
        reader::<bank::Certificate>(),
        reader::<bank::Identity>(),
        reader::<bank::AddressRecord>(),
        reader::<bank::ActivationLetter>(),
        reader::<bank::Activation>(),
        reader::<bank::Withdrawal>(),
        reader::<bank::Redemption>(),
        reader::<bank::AccountQuery>(),
        reader::<bank::Letter>(),
        reader::<bank::DirectoryHead>(),
        reader::<bank::MailItem>(),
        reader::<bank::MailWord>(),
        reader::<bank::NodeQuery>(),
        reader::<bank::Claim>(),
        reader::<bank::Admission>(),
        reader::<bank::Reclaim>(),
        reader::<bank::Hold>(),
        reader::<bank::HoldAct>(),
        reader::<bank::Sweep>(),
        reader::<bank::Bulletin>(),
        reader::<bank::VaultAppend>(),
        reader::<key::bank::Revocation>(),
        reader::<shop::SaleReceipt>(),
        reader::<shop::RefundNote>(),
        reader::<shop::DayReport>(),
        reader::<shop::ShopOrder>(),
        reader::<shop::OrderWord>(),
        reader::<shop::OrderReceipt>(),
    ]
}

fn reader_of(name: &str) -> BodyReader {
    readers().into_iter().find(|r| r.name == name).unwrap_or_else(|| panic!("a body of type {name}"))
}

/// SPEC §2.5, §2.6: the same bytes, the same digest, the signer's signature and nobody else's.
#[test]
fn bodies_come_out_as_they_went_in() {
    for vector in list(&vectors("bodies"), "valid") {
        let (name, body) = (text(vector, "type"), bytes(vector, "body"));
        let reader = reader_of(name);
        let (again, digest) = (reader.again)(&body).unwrap();
        assert_eq!(again, body, "{name}");
        assert_eq!(digest, get(vector, "digest"), "{name}");
        if vector["signer"].is_null() {
            continue;
        }
        let (signer, mut signed): (Key, _) = (get(vector, "signer"), bytes(vector, "signed"));
        assert!(signed.starts_with(&body) && signed.len() == body.len() + 64, "{name}");
        assert!((reader.signed)(&signed, &signer), "{name}");
        signed[body.len() + 9] ^= 1;
        assert!(!(reader.signed)(&signed, &signer), "{name}");
    }
}

#[test]
fn malformed_bodies_are_refused_for_what_is_wrong() {
    for vector in list(&vectors("bodies"), "malformed") {
        let (name, body) = (text(vector, "type"), bytes(vector, "body"));
        let flaw = (reader_of(name).again)(&body).expect_err(name);
        assert_eq!(flaw.why, text(vector, "why"), "{name}: {}", text(vector, "body"));
    }
}

/// Every type that the crate's sources name has good vectors and bad ones, and a reader here.
#[test]
fn no_body_is_without_vectors() {
    let mut named = BTreeSet::new();
    each_source(&here().join("../protocol/src"), &mut |source| {
        let code = source.split("#[cfg(test)]").next().unwrap();
        let types = code.split("const TYPE: &'static str = \"").skip(1);
        named.extend(types.map(|rest| rest.split('"').next().unwrap().to_owned()));
    });
    let vectors = vectors("bodies");
    let types =
        |field| list(&vectors, field).iter().map(|v| text(v, "type").to_owned()).collect::<BTreeSet<_>>();
    assert!(named.len() > 10, "the sources were read");
    assert_eq!(types("valid"), named);
    assert_eq!(types("malformed"), named);
    assert_eq!(readers().iter().map(|r| r.name.to_owned()).collect::<BTreeSet<_>>(), named);
}

fn each_source(folder: &Path, look: &mut impl FnMut(&str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            each_source(&path, look);
        } else if path.extension().is_some_and(|e| e == "rs") {
            look(&std::fs::read_to_string(path).unwrap());
        }
    }
}

/// SPEC §2.5: digests of what is no body.
#[test]
fn other_digests_are_the_frozen_ones() {
    let all = vectors("bodies");
    let digests = &all["digests"];
    let bank: Key = get(&digests["bank"], "master");
    assert_eq!(bank_id(&bank), get(&digests["bank"], "id"));
    let root = &digests["root-id"];
    let index = u16::try_from(root["index"].as_u64().unwrap()).unwrap();
    let id: RootId = get(root, "id");
    assert_eq!(Root::id_of(&get(root, "request"), index), id);
    let tips: Vec<Digest> = get(&digests["list-direct"], "tips");
    assert_eq!(list_of_notes(&tips), get(&digests["list-direct"], "digest"));
    let certified = &digests["list-certified"];
    let roots: Vec<(RootId, Units, Key)> = list(certified, "roots")
        .iter()
        .map(|root| (get(root, "id"), get(root, "units"), get(root, "to")))
        .collect();
    let listed = list_of_roots(roots.iter().map(|(id, units, to)| (id, *units, to)));
    assert_eq!(listed, get(certified, "digest"));
    let memo = &digests["memo"];
    assert_eq!(Order::memo_digest(text(memo, "text")), get(memo, "digest"));

    let code = &digests["hold-code"];
    let salt: [u8; 16] = bytes(code, "salt").try_into().unwrap();
    let hidden = bank::code_hash(&salt, &get(code, "hold"), text(code, "code"));
    assert_eq!(hidden, get(code, "digest"));
    let sales = &digests["sales-list"];
    assert_eq!(wire::sales_digest(&bytes(sales, "list")), get(sales, "digest"));
    let heads: Vec<Digest> = get(&digests["directory"], "heads");
    let of = |name: &str| {
        let found = list(&all, "valid").iter().find(|v| text(v, "type") == name).unwrap();
        bytes(found, "signed")
    };
    let first = bank::DirectoryEntry::Certificate(Signed::from_bytes(&of("certificate")).unwrap());
    let second = bank::DirectoryEntry::Identity(Signed::from_bytes(&of("identity")).unwrap());
    assert_eq!(heads[1], bank::next_head(&heads[0], &first));
    assert_eq!(heads[2], bank::next_head(&heads[1], &second));
}

type Again = fn(&[u8]) -> Option<Vec<u8>>;

fn again<M: Message>(bytes: &[u8]) -> Option<Vec<u8>> {
    wire::decode::<M>(bytes).ok().map(|message| wire::encode(&message))
}

fn messages() -> [(&'static str, Again); 9] {
    [
        ("Hail", again::<Hail>),
        ("HailAnswer", again::<HailAnswer>),
        ("Letterhead", again::<Letterhead>),
        ("PayAnswer", again::<PayAnswer>),
        ("BankAsk", again::<BankAsk>),
        ("SalesList", again::<wire::SalesList>),
        ("BankAnswer", again::<BankAnswer>),
        ("ReceiptFile", again::<shop::ReceiptFile>),
        ("OrderFile", again::<shop::OrderFile>),
    ]
}

fn again_of(kind: &str) -> Again {
    messages().into_iter().find(|(name, _)| *name == kind).unwrap().1
}

/// SPEC §5.1: a message has one form.
#[test]
fn messages_have_one_form() {
    let all = vectors("messages");
    for vector in list(&all, "valid") {
        let (kind, message) = (text(vector, "message"), bytes(vector, "bytes"));
        assert_eq!(again_of(kind)(&message), Some(message), "{kind}: {}", text(vector, "name"));
    }
    for vector in list(&all, "malformed") {
        let (kind, message) = (text(vector, "message"), bytes(vector, "bytes"));
        assert_eq!(again_of(kind)(&message), None, "{kind}: {}", text(vector, "why"));
    }
    let too_big = vec![0xc0; BankAsk::MAX + 1];
    assert_eq!(wire::decode::<BankAsk>(&too_big), Err(wire::WireFlaw::TooBig(BankAsk::MAX)));
}

/// The variants of an enum on the wire: what its reader says it would have taken.
fn variants<T: DeserializeOwned + std::fmt::Debug>() -> BTreeSet<String> {
    let nobody = rmp_serde::to_vec("?").unwrap();
    let said = rmp_serde::from_slice::<T>(&nobody).unwrap_err().to_string();
    said.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

/// Every message, every variant and every error code has a vector.
#[test]
fn no_message_is_without_vectors() {
    let all = vectors("messages");
    let named = |kind: &str| -> BTreeSet<String> {
        let of_kind = list(&all, "valid").iter().filter(|v| text(v, "message") == kind);
        of_kind.map(|v| text(v, "name").to_owned()).collect()
    };
    assert_eq!(named("Hail"), variants::<Hail>());
    assert_eq!(named("HailAnswer"), variants::<HailAnswer>());
    assert_eq!(named("Letterhead"), variants::<wire::PayAsk>());
    assert_eq!(named("PayAnswer"), variants::<PayAnswer>());
    assert_eq!(named("BankAsk"), variants::<BankAsk>());
    assert_eq!(named("BankAnswer"), variants::<BankAnswer>());
    assert_eq!(variants::<BankAsk>().len(), 33, "the reader's words were understood");

    let mut sources = BTreeSet::new();
    each_source(&here().join("../protocol/src/wire"), &mut |source| {
        let names = source.split("impl Message for ").skip(1);
        sources.extend(names.map(|rest| rest.split(' ').next().unwrap().to_owned()));
    });
    assert_eq!(messages().map(|(name, _)| name.to_owned()).into_iter().collect::<BTreeSet<_>>(), sources);

    let codes: Vec<(u64, &str, &str)> = list(&all, "codes")
        .iter()
        .map(|code| (code["number"].as_u64().unwrap(), text(code, "word"), text(code, "text")))
        .collect();
    let ours: Vec<_> = ErrorCode::ALL.iter().map(|c| (u64::from(c.number()), c.word(), c.text())).collect();
    assert_eq!(codes, ours);
}

/// SPEC §1.1, §1.3: the seed brings every key back, and the private code the seed.
#[test]
fn keys_grow_from_the_seed() {
    let all = vectors("keys");
    let seed = Seed::from_phrase(text(&all, "phrase")).unwrap();
    assert_eq!(hex::encode(seed.as_bytes()), text(&all, "seed"));
    assert_eq!(seed.phrase().as_str(), text(&all, "phrase"));
    assert_eq!(seed.owner().key(), get(&all, "owner"));
    let hint: Hint = get(&all["note"], "hint");
    assert_eq!(seed.note(&hint).key(), get(&all["note"], "key"));
    for generation in [0, 1] {
        let at = usize::try_from(generation).unwrap();
        assert_eq!(seed.view(generation).key(), get(&all["view"][at], "key"));
        assert_eq!(hex::encode(*seed.node(generation)), text(&all["node"][at], "secret"));
        assert_eq!(Signer::from_secret(&seed.node(generation)).key(), get(&all["node"][at], "key"));
    }
    let lock: SealedSeed = rmp_serde::from_slice(&bytes(&all["lock"], "file")).unwrap();
    assert_eq!(rmp_serde::to_vec(&lock).unwrap(), bytes(&all["lock"], "file"));
    assert_eq!(lock.open(text(&all["lock"], "code")).unwrap().as_bytes(), seed.as_bytes());
    for bad in list(&all, "bad_phrases") {
        let flaw = Seed::from_phrase(text(bad, "words")).unwrap_err();
        assert_eq!(format!("{flaw:?}"), text(bad, "flaw"));
    }
}

/// SPEC §1.5: lines read as they were written, and wrong ones say what is wrong.
#[test]
fn lines_are_read_or_explained() {
    let all = vectors("lines");
    let currency: Currency = get(&all, "currency");
    for vector in list(&all, "lines") {
        let (name, line) = (text(vector, "name"), text(vector, "line"));
        let (payable, letter) = (Payable::parse(line, &currency), parse_letter(line));
        if let Some(expected) = vector["code"].as_object() {
            let Ok(Payable::Code { code, amount, memo }) = payable else { panic!("{name}: {payable:?}") };
            let again = PublicCode::of(code.owner()).to_string();
            assert!(line.to_lowercase().contains(&again), "{name}");
            assert_eq!(serde_json::json!(code.owner()), expected["owner"], "{name}");
            assert_eq!(serde_json::json!(amount), expected["amount"], "{name}");
            assert_eq!(serde_json::json!(memo.as_ref().map(|m| m.as_str())), expected["memo"], "{name}");
        } else if vector["request"].is_string() {
            let Ok(Payable::Request(request)) = payable else { panic!("{name}: {payable:?}") };
            assert_eq!(request.to_bytes(), bytes(vector, "request"), "{name}");
            assert_eq!(request_uri(&request), line, "{name}");
        } else if vector["letter"].is_string() {
            let letter = letter.unwrap();
            assert_eq!(letter.to_bytes(), bytes(vector, "letter"), "{name}");
            assert_eq!(letter_uri(&letter), line, "{name}");
        } else {
            let flaws = [format!("{:?}", payable.unwrap_err()), format!("{:?}", letter.unwrap_err())];
            assert_eq!(flaws.to_vec(), get::<Vec<String>>(vector, "flaws"), "{name}");
        }
    }
}

/// SPEC §2.7: what opens, and why the rest does not.
#[test]
fn envelopes_open_or_stay_shut() {
    let all = vectors("envelopes");
    let secret: [u8; 32] = bytes(&all["recipient"], "secret").try_into().unwrap();
    let (mine, sender): (ViewKey, Key) = (ViewKey::from_secret(secret), get(&all["sender"], "key"));
    assert_eq!(mine.key(), get(&all["recipient"], "key"));
    assert_eq!(get::<Vec<usize>>(&all, "sizes"), seal::SIZES);
    assert_eq!(get::<usize>(&all, "longest_message"), seal::MESSAGE_MAX);
    for vector in list(&all, "envelopes") {
        let name = text(vector, "name");
        match seal::open(std::slice::from_ref(&mine), &bytes(vector, "envelope")) {
            Ok(opened) => {
                assert_eq!(opened.message, bytes(vector, "message"), "{name}");
                assert_eq!((opened.from, opened.to), (sender, mine.key()), "{name}");
            }
            Err(flaw) => assert_eq!(format!("{flaw:?}"), text(vector, "flaw"), "{name}"),
        }
    }
}

fn note(root: &Value, links: &Value) -> Note {
    let signed = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap();
    let links = links.as_array().unwrap().iter().map(|link| Signed::from_bytes(&signed(link)).unwrap());
    Note { root: Signed::from_bytes(&signed(root)).unwrap(), links: links.collect() }
}

/// SPEC §2.10, §2.11: which chains hold, which rule the others break, how two stand to each other.
#[test]
fn chains_hold_or_name_their_rule() {
    let all = vectors("chains");
    let mut keys = BankKeys::pinned(get(&all, "master"));
    for certificate in get::<Vec<String>>(&all, "keys") {
        let certificate = Signed::from_bytes(&hex::decode(certificate).unwrap()).unwrap();
        assert!(keys.learn(certificate).unwrap());
    }
    for vector in list(&all, "chains") {
        let name = text(vector, "name");
        match note(&vector["root"], &vector["links"]).verify(&keys, &mut Checked::default()) {
            Ok(note) => {
                let (holding, expected) = (note.holding(), &vector["holding"]);
                let (kind, to) = match holding.to {
                    Destination::Key(key) => (1, key.to_string()),
                    Destination::Redeem(sink) => (2, sink.to_string()),
                    Destination::Reclaim(sink) => (3, sink.to_string()),
                };
                assert_eq!(
                    (holding.root, holding.tip),
                    (get(expected, "root"), get(expected, "tip")),
                    "{name}"
                );
                assert_eq!(holding.range.start(), get::<u64>(expected, "start"), "{name}");
                assert_eq!(holding.range.end(), get::<u64>(expected, "end"), "{name}");
                assert_eq!((kind, to.as_str()), (get(expected, "to_kind"), text(expected, "to")), "{name}");
            }
            Err(flaw) => {
                assert_eq!(format!("{flaw:?}"), text(vector, "flaw"), "{name}");
                assert_eq!(flaw.code().number(), get::<u16>(vector, "code"), "{name}");
            }
        }
    }
    for vector in list(&all, "compare") {
        let [ours, theirs] = ["ours", "theirs"].map(|side| note(&vector[side][0], &vector[side][1]));
        assert_eq!(
            format!("{:?}", compare(&ours, &theirs)),
            text(vector, "relation"),
            "{}",
            text(vector, "name")
        );
    }
}

/// SPEC §2.12.
#[test]
fn tables_hold_their_notes_or_are_refused() {
    for vector in list(&vectors("chains"), "tables") {
        let (name, packed) = (text(vector, "name"), bytes(vector, "table"));
        let table: NoteTable = rmp_serde::from_slice(&packed).unwrap();
        match table.unpack() {
            Ok(notes) => {
                let expected = list(vector, "notes").iter().map(|line| note(&line[0], &line[1]));
                assert_eq!(notes, expected.collect::<Vec<_>>(), "{name}");
                assert_eq!(rmp_serde::to_vec(&NoteTable::pack(&notes)).unwrap(), packed, "{name}");
            }
            Err(flaw) => assert_eq!(format!("{flaw:?}"), text(vector, "flaw"), "{name}"),
        }
    }
}

/// SPEC §2.6, threats H5: what a batch or a lax verifier would take is refused.
#[test]
fn signatures_are_checked_strictly() {
    let all = vectors("signatures");
    let body = bytes(&all, "body");
    for vector in list(&all, "signatures") {
        let signed = [body.clone(), bytes(vector, "signature")].concat();
        let verifies = (reader_of(text(&all, "type")).signed)(&signed, &get(vector, "key"));
        assert_eq!(verifies, get::<bool>(vector, "verifies"), "{}", text(vector, "name"));
    }
    for vector in list(&all, "keys") {
        let (name, key): (_, Key) = (text(vector, "name"), get(vector, "key"));
        assert_eq!(key.parse().is_ok(), get::<bool>(vector, "usable"), "{name}");
        assert_eq!(key.parse_owner().is_ok(), get::<bool>(vector, "owner"), "{name}");
    }
}

/// The generator still makes what is committed, so vectors and sources can't drift apart unseen.
#[test]
fn the_vectors_are_the_generator_s() {
    let made = Command::new(env!("CARGO_BIN_EXE_vectors")).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
