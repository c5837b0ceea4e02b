//! Signatures: domains, strict verification, and the type that proves it was done (SPEC §2.6).
//!
//! [`Signed<T>`] is bytes and a signature nobody has checked; [`Verified<T>`] can only come out of
//! [`Signed::verify`]. Verification is `verify_strict`, one by one: batch verification accepts
//! signatures that single verification refuses, and then two holders would disagree (threats H5).

pub mod recall;

use crate::body::{self, Body, Malformed};
use crate::id::{Digest, Key};
use crate::time::Timestamp;
use curve25519_dalek::edwards::CompressedEdwardsY;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use std::fmt;
use std::ops::Deref;

/// Bytes of a signature.
pub const SIGNATURE_LENGTH: usize = 64;

/// A key that is no usable Ed25519 key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a usable public key")]
pub struct BadKey;

/// A signature that does not verify under the key it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature of this {what} does not verify")]
pub struct BadSignature {
    /// The type of the body.
    pub what: &'static str,
}

/// A public key whose encoding is canonical and whose point is not of small order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl Key {
    /// The key for use: canonical bytes, not of small order.
    pub fn parse(&self) -> Result<PublicKey, BadKey> {
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| BadKey)?;
        if key.is_weak() || !is_reduced(&self.0) {
            return Err(BadKey);
        }
        Ok(PublicKey(key))
    }

    /// As [`Key::parse`], and free of torsion: asked once of an owner's key, when it is certified.
    pub fn parse_owner(&self) -> Result<PublicKey, BadKey> {
        let point = CompressedEdwardsY(self.0).decompress().ok_or(BadKey)?;
        if !point.is_torsion_free() {
            return Err(BadKey);
        }
        self.parse()
    }
}

/// Whether the y coordinate is below 2^255 − 19. With points of small order set aside that makes an encoding
/// canonical: the only other freedom is the sign of x = 0, and both points with x = 0 are of small order.
fn is_reduced(bytes: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = bytes;
    *first < 0xed || last & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff)
}

impl PublicKey {
    /// The key as bytes.
    pub fn key(&self) -> Key {
        Key(self.0.to_bytes())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.key())
    }
}

/// An Ed25519 key pair. Its `Debug` shows the public half only; the secret leaves memory with it.
#[derive(Clone)]
pub struct Signer(SigningKey);

impl Signer {
    /// The pair that grows from 32 secret bytes.
    pub fn from_secret(secret: &[u8; 32]) -> Signer {
        Signer(SigningKey::from_bytes(secret))
    }

    /// Its public half.
    pub fn key(&self) -> Key {
        Key(self.0.verifying_key().to_bytes())
    }

    /// The body with this key's signature.
    pub fn sign<T: Body>(&self, body: T) -> Signed<T> {
        let bytes = body.to_bytes();
        let message = message(T::TYPE, &bytes);
        let signature = self.0.sign(&message).to_bytes();
        recall::is_good(&self.key(), &signature, &message);
        Signed { body, bytes, signature }
    }

    /// Names an event for programs outside the protocol, and signs it as the Standard Webhooks have it (SPEC §5.6):
    /// `id.time.body`. Such an id begins with `evt_`, every other message of ours with `stermina/`: neither can stand for
    /// the other.
    pub fn sign_event(&self, name: &str, at: Timestamp, body: &[u8]) -> EventSignature {
        let id = format!("evt_{name}");
        let signature = self.0.sign(&[id.as_bytes(), format!(".{}.", at.0).as_bytes(), body].concat());
        EventSignature { id, signature: signature.to_bytes() }
    }
}

/// The name of an event, and the signature over it, the time and the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSignature {
    /// The name.
    pub id: String,
    /// Ed25519.
    pub signature: [u8; SIGNATURE_LENGTH],
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.key())
    }
}

/// What is signed: `stermina/1/` type, a zero byte, the body.
fn message(body_type: &str, bytes: &[u8]) -> Vec<u8> {
    [b"stermina/1/", body_type.as_bytes(), &[0], bytes].concat()
}

/// A body with a signature that nobody has checked yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed<T> {
    body: T,
    bytes: Vec<u8>,
    signature: [u8; SIGNATURE_LENGTH],
}

impl<T: Body> Signed<T> {
    /// Reads a body followed by its signature.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let too_short = Malformed { what: T::TYPE, why: "too short" };
        let (bytes, signature) = bytes.split_last_chunk::<SIGNATURE_LENGTH>().ok_or(too_short)?;
        Ok(Signed { body: T::from_bytes(bytes)?, bytes: bytes.to_vec(), signature: *signature })
    }

    /// The body followed by the signature.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.bytes[..], &self.signature].concat()
    }

    /// The body, before anybody has checked who signed it.
    pub fn unverified(&self) -> &T {
        &self.body
    }

    /// Digest of the body; the signature is no part of it.
    pub fn digest(&self) -> Digest {
        body::digest(T::TYPE, &self.bytes)
    }

    /// The body as proved to be signed by `key`.
    pub fn verify(self, key: &PublicKey) -> Result<Verified<T>, BadSignature> {
        self.check(key)?;
        Ok(Verified(self))
    }

    /// Whether `key` signed this, without giving it away.
    pub fn check(&self, key: &PublicKey) -> Result<(), BadSignature> {
        self.check_once(&key.key(), || Ok(*key))
    }

    fn check_once(
        &self,
        name: &Key,
        key: impl FnOnce() -> Result<PublicKey, BadKey>,
    ) -> Result<(), BadSignature> {
        let bad = BadSignature { what: T::TYPE };
        let message = message(T::TYPE, &self.bytes);
        if recall::knows(name, &self.signature, &message) {
            return Ok(());
        }
        let signature = Signature::from_bytes(&self.signature);
        key().map_err(|BadKey| bad)?.0.verify_strict(&message, &signature).map_err(|_| bad)?;
        recall::is_good(name, &self.signature, &message);
        Ok(())
    }

    /// As [`Signed::verify`], for a key that is still bytes.
    pub fn verify_by(self, key: &Key) -> Result<Verified<T>, BadSignature> {
        self.check_by(key)?;
        Ok(Verified(self))
    }

    /// As [`Signed::check`], for a key that is still bytes.
    pub fn check_by(&self, key: &Key) -> Result<(), BadSignature> {
        self.check_once(key, || key.parse())
    }
}

impl<T: fmt::Debug> fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signed").field(&self.body).finish()
    }
}

/// On the wire a signed body is one byte string.
impl<T: Body> serde::Serialize for Signed<T> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.to_bytes())
    }
}

impl<'de, T: Body> serde::Deserialize<'de> for Signed<T> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = serde_bytes::ByteBuf::deserialize(from)?;
        Signed::from_bytes(&bytes).map_err(serde::de::Error::custom)
    }
}

/// A signed body whose signature has been checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Verified<T>(Signed<T>);

impl<T: Body> Verified<T> {
    /// The signed body, to pass on.
    pub fn signed(&self) -> &Signed<T> {
        &self.0
    }

    /// Digest of the body.
    pub fn digest(&self) -> Digest {
        self.0.digest()
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.body
    }
}

impl<T: fmt::Debug> fmt::Debug for Verified<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Verified").field(&self.0.body).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::{Reader, Writer};

    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Ask(u64);
    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Tell(u64);

    macro_rules! number_body {
        ($name:ident, $type:literal) => {
            impl Body for $name {
                const TYPE: &'static str = $type;
                fn write(&self, out: &mut Writer) {
                    out.u64(self.0);
                }
                fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
                    from.u64().map($name)
                }
            }
        };
    }
    number_body!(Ask, "ask");
    number_body!(Tell, "tell");

    #[test]
    fn a_signature_holds_for_one_type_one_body_one_key() {
        let alice = Signer::from_secret(&[1; 32]);
        let bob = Signer::from_secret(&[2; 32]);
        let asked = alice.sign(Ask(7));
        assert_eq!(*asked.clone().verify_by(&alice.key()).unwrap(), Ask(7));
        assert!(asked.check_by(&bob.key()).is_err());

        let mut bytes = asked.to_bytes();
        assert!(Signed::<Tell>::from_bytes(&bytes).unwrap().check_by(&alice.key()).is_err());
        bytes[7] ^= 1;
        assert!(Signed::<Ask>::from_bytes(&bytes).unwrap().check_by(&alice.key()).is_err());
    }

    /// The quick look at the bytes says what decompressing and compressing again would say.
    #[test]
    fn a_key_is_canonical_or_refused() {
        let slow = |key: Key| {
            let point = CompressedEdwardsY(key.0).decompress();
            point.is_some_and(|point| point.compress().0 == key.0 && !point.is_small_order())
        };
        let near = |first: u8, last: u8| {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (first, last);
            bytes
        };
        let tops = (0..=255).flat_map(|first| [near(first, 0x7f), near(first, 0xff), near(first, 0x3f)]);
        let small = curve25519_dalek::constants::EIGHT_TORSION.iter().flat_map(|point| {
            let bytes = point.compress().0;
            let mut other = bytes;
            other[31] ^= 0x80;
            [bytes, other]
        });
        let honest = (0..64).map(|n| Signer::from_secret(&[n; 32]).key().0);
        for key in tops.chain(small).chain(honest).map(Key) {
            assert_eq!(key.parse().is_ok(), slow(key), "{key}");
        }
    }

    #[test]
    fn weak_and_odd_keys_are_refused() {
        let identity = {
            let mut k = [0; 32];
            k[0] = 1;
            k
        };
        let not_canonical = {
            let mut k = [0xff; 32];
            k[0] = 0xee;
            k[31] = 0x7f;
            k
        };
        for bytes in [[0; 32], identity, not_canonical, [0xff; 32]] {
            assert_eq!(Key(bytes).parse(), Err(BadKey), "{bytes:02x?}");
        }
        let good = Signer::from_secret(&[3; 32]).key();
        let torsion = curve25519_dalek::constants::EIGHT_TORSION[1];
        let mixed = (CompressedEdwardsY(good.0).decompress().unwrap() + torsion).compress();
        assert!(Key(mixed.0).parse().is_ok());
        assert_eq!(Key(mixed.0).parse_owner(), Err(BadKey));
        assert!(good.parse_owner().is_ok());
    }

    /// SPEC §5.6: frozen, since receivers outside check it; and no message of the protocol can stand for it.
    #[test]
    fn an_event_is_signed_as_standard_webhooks_have_it() {
        let shop = Signer::from_secret(&[7; 32]);
        let signed = shop.sign_event("17_00112233", Timestamp(1_795_000_000), br#"{"kind":"sale"}"#);
        assert_eq!(signed.id, "evt_17_00112233");
        assert_eq!(
            hex::encode(signed.signature),
            "92476c7c3e57fdc9effb22f1fb1d1fd71e897b3f147379660f3f765489b3ecdfeeae9d6a2064b6d297abd72417cac4ae74f31eebaeea0d60f2d0531bbe8c070f"
        );
        let message = br#"evt_17_00112233.1795000000.{"kind":"sale"}"#;
        let key = VerifyingKey::from_bytes(&shop.key().0).unwrap();
        assert!(key.verify_strict(message, &Signature::from_bytes(&signed.signature)).is_ok());
        assert!(!message.starts_with(b"stermina/"));
    }
}
