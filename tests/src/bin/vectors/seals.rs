//! Envelopes between two fixed view keys, and broken ones.

use protocol::seal::{SIZES, SealFlaw, ViewKey, open, open_record, seal, seal_record};
use rand_core::{TryCryptoRng, TryRng};
use serde_json::{Value, json};

/// A stream of digests: chance that repeats.
pub(crate) struct Counter(pub(crate) u64);

impl TryRng for Counter {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut word = [0; 4];
        self.try_fill_bytes(&mut word)?;
        Ok(u32::from_be_bytes(word))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut word = [0; 8];
        self.try_fill_bytes(&mut word)?;
        Ok(u64::from_be_bytes(word))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        self.0 += 1;
        blake3::Hasher::new().update(&self.0.to_be_bytes()).finalize_xof().fill(out);
        Ok(())
    }
}
impl TryCryptoRng for Counter {}

const SENDER: [u8; 32] = [1; 32];
const RECIPIENT: [u8; 32] = [2; 32];
const MESSAGE: &[u8] = b"120 for the rent";

fn envelopes() -> Vec<(&'static str, Vec<u8>)> {
    let (sender, recipient) = (ViewKey::from_secret(SENDER), ViewKey::from_secret(RECIPIENT));
    let good = seal(&sender, &recipient.key(), MESSAGE, &mut Counter(0)).unwrap();
    let changed = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let long = vec![7; 1_000];
    vec![
        ("a short message", good.clone()),
        ("no message", seal(&sender, &recipient.key(), b"", &mut Counter(1)).unwrap()),
        ("a message of 1,000 sevens", seal(&sender, &recipient.key(), &long, &mut Counter(2)).unwrap()),
        ("to somebody else", seal(&sender, &sender.key(), MESSAGE, &mut Counter(3)).unwrap()),
        ("another version", changed(0)),
        ("another sender", changed(1)),
        ("another recipient", changed(33)),
        ("another encapsulated key", changed(65)),
        ("another ciphertext", changed(97)),
        ("another tag", changed(1_023)),
        ("of no known size", good[..1_000].to_vec()),
        ("a sender's key of low order", [&good[..1], &[0; 32], &good[33..]].concat()),
    ]
}

pub(crate) fn all() -> Value {
    let mine = [ViewKey::from_secret(RECIPIENT)];
    let entry = |(name, envelope): (&str, Vec<u8>)| {
        let mut entry = json!({ "name": name, "envelope": hex::encode(&envelope) });
        match open(&mine, &envelope) {
            Ok(opened) => entry["message"] = json!(hex::encode(opened.message)),
            Err(flaw) => entry["flaw"] = json!(format!("{flaw:?}")),
        }
        entry
    };
    let too_big = vec![0; protocol::seal::MESSAGE_MAX + 1];
    let recipient = mine[0].key();
    let refused = seal(&ViewKey::from_secret(SENDER), &recipient, &too_big, &mut Counter(4));
    assert_eq!(refused, Err(SealFlaw::TooBig));
    let vault = protocol::key::Seed::from_bytes([9; 32]).vault();
    let place = protocol::bank::VaultHead { records: 7, digest: protocol::id::Digest([7; 32]) }.place();
    let record = seal_record(&vault.key(), &place, MESSAGE, &mut Counter(5)).unwrap();
    assert_eq!(open_record(&vault, &place, &record).as_ref().map(|plain| &plain[..]), Ok(MESSAGE));
    json!({
        "record": {
            "vault_secret": hex::encode(vault.secret()), "vault_key": vault.key(), "place": hex::encode(place),
            "message": hex::encode(MESSAGE), "record": hex::encode(record),
        },
        "sender": { "secret": hex::encode(SENDER), "key": ViewKey::from_secret(SENDER).key() },
        "recipient": { "secret": hex::encode(RECIPIENT), "key": recipient },
        "sizes": SIZES,
        "longest_message": protocol::seal::MESSAGE_MAX,
        "envelopes": envelopes().into_iter().map(entry).collect::<Vec<_>>(),
    })
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    envelopes().into_iter().take(2).map(|(_, bytes)| bytes).collect()
}
