//! Keys from a fixed seed, and the lines that people hand to each other.

use crate::papers;
use crate::scene::{Bank, Person, Scene, units};
use crate::seals::Counter;
use bech32::{Bech32m, Hrp};
use protocol::body::Body;
use protocol::code::{Payable, PublicCode, letter_uri, parse_letter, request_uri};
use protocol::id::Hint;
use protocol::key::Seed;
use protocol::key::bank::bank_id;
use protocol::key::lock::{GuessCost, SealedSeed};
use protocol::money::Currency;
use protocol::pay::{AmountRule, Mode};
use protocol::sign::Signer;
use serde_json::{Value, json};

pub(crate) fn keys() -> Value {
    let seed = Seed::from_bytes(std::array::from_fn(|at| u8::try_from(at).unwrap()));
    let view = |generation| json!({ "generation": generation, "key": seed.view(generation).key() });
    let node = |generation| {
        let secret = seed.node(generation);
        let key = Signer::from_secret(&secret).key();
        json!({ "generation": generation, "secret": hex::encode(*secret), "key": key })
    };
    let hint = Hint([0x0f; 16]);
    let cost = GuessCost { memory_kib: 64, passes: 1 };
    let lock = SealedSeed::close(&seed, "correct horse", cost, &mut Counter(7)).unwrap();
    let master = Bank::new().master.key();
    json!({
        "seed": hex::encode(seed.as_bytes()),
        "phrase": seed.phrase().as_str(),
        "owner": seed.owner().key(),
        "vault": seed.vault().key(),
        "note": { "hint": hint, "key": seed.note(&hint).key() },
        "view": [view(0), view(1)],
        "node": [node(0), node(1)],
        "bank": { "master": master, "id": bank_id(&master) },
        "lock": { "code": "correct horse", "file": hex::encode(rmp_serde::to_vec(&lock).unwrap()) },
        "bad_phrases": bad_phrases(&seed),
    })
}

fn bad_phrases(seed: &Seed) -> Vec<Value> {
    let phrase = seed.phrase();
    let words: Vec<&str> = phrase.split(' ').collect();
    let changed = |at: usize, word| {
        let mut words = words.clone();
        words[at] = word;
        words.join(" ")
    };
    let phrases = [words[1..].join(" "), changed(4, "stermina"), changed(4, "zoo")];
    let entry = |words: String| {
        let flaw = Seed::from_phrase(&words).unwrap_err();
        json!({ "words": words, "flaw": format!("{flaw:?}") })
    };
    phrases.into_iter().map(entry).collect()
}

fn bech(prefix: &str, bytes: &[u8]) -> String {
    bech32::encode::<Bech32m>(Hrp::parse(prefix).unwrap(), bytes).unwrap()
}

/// Lines and what they are.
fn lines() -> Vec<(&'static str, String)> {
    let scene = Scene::new();
    let owner = scene.bob.owner().key();
    let code = PublicCode::of(owner).to_string();
    let mistyped = |at: usize| {
        let mut bytes = code.clone().into_bytes();
        bytes[at] = if bytes[at] == b'q' { b'p' } else { b'q' };
        String::from_utf8(bytes).unwrap()
    };
    let request = request_uri(&scene.bob.node().sign(scene.request.clone()));
    let mut asked = scene.bob.asks(&scene.bank, AmountRule::AtMost(units(9_007_199_254_740_991)));
    (asked.mode, asked.memo) = (Mode::Certified, papers::text(&"m".repeat(140)));
    asked.address = papers::text(&"a".repeat(128));
    let longest = request_uri(&scene.bob.node().sign(asked));
    let versioned = |version: u8| bech("st", &[&[version], &owner.0[..]].concat());
    vec![
        ("a public code", code.clone()),
        ("in capitals", code.to_uppercase()),
        ("as a URI", format!("stermina:{code}")),
        ("for a QR", format!("STERMINA:{}", code.to_uppercase())),
        ("with amount and memo", format!("stermina:{code}?amount=12.5&memo=caff%C3%A8%20%26%20co&label=x")),
        ("with the currency", format!("stermina:{code}?currency=EUR&amount=0.05")),
        ("a request", request.clone()),
        ("the longest request", longest),
        ("a letter", letter_uri(&papers::activation_letter(&scene.bank))),
        ("one character mistyped", mistyped(20)),
        ("mixed case", code.replacen("st1", "ST1", 1)),
        ("a character that never occurs", format!("{}b{}", &code[..9], &code[10..])),
        ("a character too few", code[..code.len() - 1].to_owned()),
        ("another version", versioned(2)),
        ("a byte too few", bech("st", &owner.0)),
        ("no key", bech("st", &[&[1], &[0; 32][..]].concat())),
        ("bech32 instead of bech32m", {
            bech32::encode::<bech32::Bech32>(Hrp::parse("st").unwrap(), &[&[1], &owner.0[..]].concat())
                .unwrap()
        }),
        ("another prefix", bech("bc", &[&[1], &owner.0[..]].concat())),
        ("nothing of ours", "hello".to_owned()),
        ("nothing", String::new()),
        ("an amount twice", format!("{code}?amount=1&amount=2")),
        ("too many decimals", format!("{code}?amount=1.234")),
        ("another currency", format!("{code}?currency=USD")),
        ("a requirement that nobody knows", format!("{code}?req-tip=1")),
        ("a memo that is no text", format!("{code}?memo=%FF")),
        ("a memo too long", format!("{code}?memo={}", "m".repeat(141))),
        ("a request with parameters", format!("{request}?amount=1")),
        ("a request cut short", bech("strq", &[1; 100])),
        ("a letter of another version", bech("stac", &[2; 90])),
    ]
}

/// In a bank's currency of two digits, EUR.
pub(crate) fn all() -> Value {
    let currency = Currency::new("EUR", 2).unwrap();
    let entry = |(name, line): (&str, String)| {
        let mut entry = json!({ "name": name, "line": line });
        match (Payable::parse(&line, &currency), parse_letter(&line)) {
            (Ok(Payable::Code { code, amount, memo }), _) => {
                let memo = memo.map(|memo| memo.as_str().to_owned());
                entry["code"] = json!({ "owner": code.owner(), "amount": amount, "memo": memo });
            }
            (Ok(Payable::Request(request)), _) => entry["request"] = json!(hex::encode(request.to_bytes())),
            (_, Ok(letter)) => entry["letter"] = json!(hex::encode(letter.to_bytes())),
            (Err(as_payable), Err(as_letter)) => {
                entry["flaws"] = json!([format!("{as_payable:?}"), format!("{as_letter:?}")]);
            }
        }
        entry
    };
    json!({ "currency": currency, "lines": lines().into_iter().map(entry).collect::<Vec<_>>() })
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let kept = ["a public code", "with amount and memo", "a request", "a letter", "one character mistyped"];
    let lines = lines().into_iter().filter(|(name, _)| kept.contains(name));
    lines.map(|(_, line)| line.into_bytes()).chain([Person::new(1).0.phrase().as_bytes().to_vec()]).collect()
}
