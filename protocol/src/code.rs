//! What people hand to each other: public codes, requests and activation letters as one line (SPEC §1.5).
//!
//! All are bech32m with a checksum; the whole line in capitals suits QR's alphanumeric mode.

mod mistyped;

use crate::bank::ActivationLetter;
use crate::body::{Body, Text};
use crate::id::Key;
use crate::money::{AmountFlaw, Currency, Units};
use crate::pay::{MEMO_MAX, Request};
use crate::sign::Signed;
use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32m, Hrp};
use std::fmt;
use std::str::FromStr;

/// The scheme of our URIs; read in any case.
pub const SCHEME: &str = "stermina:";
/// Longest line that is looked at.
pub const LINE_MAX: usize = 2048;

/// A person's, shop's or company's public code: what others pay to (N14).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicCode(Key);

/// Why a line is no code, request or letter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeFlaw {
    /// Mistyped, and the checksum can tell where.
    #[error("mistyped: look at {}", places(.0))]
    Mistyped(Vec<usize>),
    /// Mistyped, too much to tell where.
    #[error("mistyped: the checksum does not match; copy it again")]
    Checksum,
    /// A character that never occurs, or capitals and small letters mixed.
    #[error("character {0} can't be part of a code")]
    BadCharacter(usize),
    /// Capitals and small letters mixed.
    #[error("a code is all capitals or all small letters, not both")]
    MixedCase,
    /// A good code of another kind.
    #[error("this is {found}, {wanted} is wanted")]
    WrongKind {
        /// What was given.
        found: String,
        /// What was asked for.
        wanted: &'static str,
    },
    /// Nothing of ours at all.
    #[error("not a public code (they begin with st1), a request (strq1) or an activation letter (stac1)")]
    NotOurs,
    /// The bytes inside are not what they should be.
    #[error("the code is damaged inside: {0}")]
    Content(&'static str),
    /// The checksum is right, but what is inside is not acceptable.
    #[error("a part of the link is wrong: {0}")]
    Part(String),
    /// Required by whoever made the link, unknown here.
    #[error("the link requires «{0}», which this program does not know: update it")]
    UnknownRequirement(String),
    /// An amount in the link that is none.
    #[error(transparent)]
    Amount(#[from] AmountFlaw),
}

fn places(at: &[usize]) -> String {
    let named: Vec<String> = at.iter().map(|place| format!("character {place}")).collect();
    named.join(" and ")
}

/// What the three kinds of line begin with.
#[derive(Clone, Copy)]
struct Kind {
    hrp: &'static str,
    what: &'static str,
}
const CODE: Kind = Kind { hrp: "st", what: "a public code" };
const REQUEST: Kind = Kind { hrp: "strq", what: "a request to pay" };
const LETTER: Kind = Kind { hrp: "stac", what: "an activation letter" };
const KINDS: [Kind; 3] = [CODE, REQUEST, LETTER];

fn encode(kind: Kind, bytes: &[u8]) -> String {
    let hrp = Hrp::parse(kind.hrp).expect("our prefixes are valid");
    bech32::encode_lower::<Bech32m>(hrp, bytes).expect("bodies are shorter than bech32m's 1,023 characters")
}

fn decode(kind: Kind, text: &str) -> Result<Vec<u8>, CodeFlaw> {
    let text = strip_scheme(text.trim());
    let prefix = text.rsplit_once('1').map(|(prefix, _)| prefix.to_ascii_lowercase());
    let found = KINDS.iter().find(|k| prefix.as_deref() == Some(k.hrp));
    match found {
        None => return Err(CodeFlaw::NotOurs),
        Some(found) if found.hrp != kind.hrp => {
            return Err(CodeFlaw::WrongKind { found: found.what.to_owned(), wanted: kind.what });
        }
        Some(_) => {}
    }
    if text.len() > LINE_MAX {
        return Err(CodeFlaw::Checksum);
    }
    match CheckedHrpstring::new::<Bech32m>(text) {
        Ok(checked) => {
            let bytes: Vec<u8> = checked.byte_iter().collect();
            // Bits that fill the last character could be anything; one thing has one line.
            let one_form = encode(kind, &bytes).eq_ignore_ascii_case(text);
            if one_form { Ok(bytes) } else { Err(CodeFlaw::Content("bits that do not belong there")) }
        }
        Err(_) => Err(explain(text)),
    }
}

/// Says where a line was mistyped, as far as its checksum can tell.
fn explain(text: &str) -> CodeFlaw {
    let upper = text.bytes().any(|b| b.is_ascii_uppercase());
    if upper && text.bytes().any(|b| b.is_ascii_lowercase()) {
        return CodeFlaw::MixedCase;
    }
    let Some((prefix, data)) = text.rsplit_once('1') else { return CodeFlaw::Checksum };
    let odd = data.chars().position(|c| !mistyped::ALPHABET.contains(c.to_ascii_lowercase()));
    let from_start = |at: usize| prefix.len() + 1 + at + 1;
    if let Some(at) = odd {
        return CodeFlaw::BadCharacter(from_start(at));
    }
    // Beyond 90 characters the checksum promises nothing about places.
    let places = if text.len() <= 90 { mistyped::places(prefix, data) } else { None };
    places.map_or(CodeFlaw::Checksum, |at| CodeFlaw::Mistyped(at.into_iter().map(from_start).collect()))
}

fn strip_scheme(text: &str) -> &str {
    match text.get(..SCHEME.len()) {
        Some(scheme) if scheme.eq_ignore_ascii_case(SCHEME) => text.get(SCHEME.len()..).unwrap_or(""),
        _ => text,
    }
}

impl PublicCode {
    /// The code of an owner key.
    pub fn of(owner: Key) -> PublicCode {
        PublicCode(owner)
    }

    /// The owner key.
    pub fn owner(&self) -> Key {
        self.0
    }
}

impl fmt::Display for PublicCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&[1], &self.0.0[..]].concat();
        f.write_str(&encode(CODE, &bytes))
    }
}

impl fmt::Debug for PublicCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicCode({self})")
    }
}

impl FromStr for PublicCode {
    type Err = CodeFlaw;

    fn from_str(text: &str) -> Result<Self, CodeFlaw> {
        let bytes = decode(CODE, text)?;
        let bytes = <[u8; 33]>::try_from(bytes).map_err(|_| CodeFlaw::Content("wrong length"))?;
        let (version, key) = bytes.split_first_chunk::<1>().ok_or(CodeFlaw::Content("wrong length"))?;
        if *version != [1] {
            return Err(CodeFlaw::Content("unknown version"));
        }
        let key = Key(<[u8; 32]>::try_from(key).map_err(|_| CodeFlaw::Content("wrong length"))?);
        key.parse().map_err(|_| CodeFlaw::Content("not a usable key"))?;
        Ok(PublicCode(key))
    }
}

impl serde::Serialize for PublicCode {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for PublicCode {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "node")]
impl schemars::JsonSchema for PublicCode {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PublicCode".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "a public code: bech32m with prefix st",
            "pattern": "^(st1[02-9ac-hj-np-z]+|ST1[02-9AC-HJ-NP-Z]+)$",
        })
    }
}

/// A signed request as one line, with the scheme.
pub fn request_uri(request: &Signed<Request>) -> String {
    format!("{SCHEME}{}", encode(REQUEST, &request.to_bytes()))
}

/// An activation letter as one line, with the scheme.
pub fn letter_uri(letter: &ActivationLetter) -> String {
    format!("{SCHEME}{}", encode(LETTER, &letter.to_bytes()))
}

/// The activation letter in a line.
pub fn parse_letter(text: &str) -> Result<ActivationLetter, CodeFlaw> {
    ActivationLetter::from_bytes(&decode(LETTER, text)?).map_err(|flaw| CodeFlaw::Content(flaw.why))
}

/// What a payer was given: a code, perhaps with an amount and a memo, or a signed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payable {
    /// A public code.
    Code {
        /// Whom to pay.
        code: PublicCode,
        /// How much, if the link says.
        amount: Option<Units>,
        /// What for, if the link says.
        memo: Option<Text>,
    },
    /// A signed request; its signature is not checked yet.
    Request(Box<Signed<Request>>),
}

impl Payable {
    /// Reads a code, a `stermina:` URI or a request; amounts in URIs are decimal in the bank's currency.
    pub fn parse(text: &str, currency: &Currency) -> Result<Payable, CodeFlaw> {
        if text.len() > LINE_MAX {
            return Err(CodeFlaw::NotOurs);
        }
        let line = strip_scheme(text.trim());
        let (path, query) = line.split_once('?').unwrap_or((line, ""));
        let prefix = path.rsplit_once('1').map_or("", |(prefix, _)| prefix);
        if prefix.eq_ignore_ascii_case(REQUEST.hrp) {
            if !query.is_empty() {
                return Err(CodeFlaw::Part("a request takes no parameters".to_owned()));
            }
            let request = Signed::from_bytes(&decode(REQUEST, path)?);
            return request
                .map(|r| Payable::Request(Box::new(r)))
                .map_err(|flaw| CodeFlaw::Content(flaw.why));
        }
        let code = path.parse()?;
        let (mut amount, mut memo) = (None, None);
        let mut seen = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if seen.contains(&key) {
                return Err(CodeFlaw::Part(format!("«{key}» stands twice")));
            }
            seen.push(key);
            match key {
                "amount" => amount = Some(currency.parse(value)?),
                "memo" => memo = Some(memo_from(value)?),
                "currency" if value != currency.code() => {
                    return Err(CodeFlaw::Part(format!(
                        "it asks for {value}, your bank issues {}",
                        currency.code()
                    )));
                }
                required if required.starts_with("req-") => {
                    return Err(CodeFlaw::UnknownRequirement(required.to_owned()));
                }
                // Unknown keys without `req-` are hints for others.
                _ => {}
            }
        }
        Ok(Payable::Code { code, amount, memo })
    }
}

fn memo_from(value: &str) -> Result<Text, CodeFlaw> {
    let bad = || CodeFlaw::Part("the memo is not percent-encoded UTF-8".to_owned());
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = match (first, more.split_at_checked(2)) {
            (b'%', Some((digits, after))) => {
                let mut byte = [0];
                hex::decode_to_slice(digits, &mut byte).map_err(|_| bad())?;
                bytes.extend(byte);
                after
            }
            (b'%', None) => return Err(bad()),
            (byte, _) => {
                bytes.push(*byte);
                more
            }
        };
    }
    let text = String::from_utf8(bytes).map_err(|_| bad())?;
    Text::new(&text, MEMO_MAX).map_err(|flaw| CodeFlaw::Part(flaw.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::Signer;
    use proptest::prelude::*;

    fn code(secret: u8) -> PublicCode {
        PublicCode::of(Signer::from_secret(&[secret; 32]).key())
    }

    /// N14: a public code is one line, and a slip of the pen is found and shown.
    #[test]
    fn a_mistyped_code_says_which_character() {
        let text = code(1).to_string();
        assert!(text.starts_with("st1"));
        assert_eq!(text.parse::<PublicCode>().unwrap(), code(1));
        assert_eq!(text.to_uppercase().parse::<PublicCode>().unwrap(), code(1));
        for place in 4..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[place] = if wrong[place] == b'q' { b'p' } else { b'q' };
            let flaw = String::from_utf8(wrong).unwrap().parse::<PublicCode>().unwrap_err();
            assert_eq!(flaw, CodeFlaw::Mistyped(vec![place + 1]));
        }
        let odd = text.replacen(text.chars().nth(9).unwrap(), "b", 1);
        assert!(matches!(odd.parse::<PublicCode>(), Err(CodeFlaw::BadCharacter(_))));
        assert_eq!("hello".parse::<PublicCode>(), Err(CodeFlaw::NotOurs));
        assert_eq!("".parse::<PublicCode>(), Err(CodeFlaw::NotOurs));
    }

    #[test]
    fn links_say_how_much_and_what_for() {
        let eur = Currency::new("EUR", 2).unwrap();
        let link = |query: &str| Payable::parse(&format!("STERMINA:{}?{query}", code(1)), &eur);
        let Ok(Payable::Code { amount, memo, .. }) = link("amount=12.5&memo=caff%C3%A8%20%26%20co&label=x")
        else {
            panic!("a good link");
        };
        assert_eq!(amount.unwrap().get(), 1250);
        assert_eq!(memo.unwrap().as_str(), "caffè & co");
        assert!(matches!(link("req-tip=1"), Err(CodeFlaw::UnknownRequirement(_))));
        assert!(matches!(link("amount=1&amount=2"), Err(CodeFlaw::Part(_))));
        assert!(matches!(link("amount=1.234"), Err(CodeFlaw::Amount(_))));
        assert!(matches!(link("currency=USD"), Err(CodeFlaw::Part(_))));
        assert!(matches!(link("memo=%zz"), Err(CodeFlaw::Part(_))));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "\\PC{0,200}") {
            let _ = Payable::parse(&text, &Currency::default());
            let _ = parse_letter(&text);
        }

        #[test]
        fn no_ending_of_a_code_breaks_the_reader(text in "(st|strq|stac)1[a-z0-9]{0,120}(\\?[a-z=&%]{0,40})?") {
            let _ = Payable::parse(&text, &Currency::default());
            let _ = parse_letter(&text);
        }
    }
}
