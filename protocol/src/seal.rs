//! Sealed envelopes: HPKE (RFC 9180) in Auth mode between two view keys, padded (SPEC §2.7); and records of the
//! vault, in Base mode to the vault key, of which a workstation that seals them has the public half only.
//!
//! ```text
//! envelope = version 1 ‖ sender's view key 32 ‖ recipient's view key 32 ‖ enc 32 ‖ ciphertext
//! plaintext = length u32 ‖ message ‖ zeros, so that the envelope is 1, 4, 16, 64 or 256 KiB
//! ```
//! The seal keeps a secret and nothing more: whoever knows the recipient's view key can write as
//! anybody (threats H10). Who pays is said by the order's signature inside.

use crate::body;
use crate::error::ErrorCode;
use crate::id::Key;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, OpModeR, OpModeS, Serializable};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

type Kem = X25519HkdfSha256;
type Private = <Kem as hpke::Kem>::PrivateKey;
type Public = <Kem as hpke::Kem>::PublicKey;

const INFO: &[u8] = b"stermina/1/pay";
const RECORD_INFO: &[u8] = b"stermina/1/vault";
const HEADER: usize = 1 + 32 + 32 + 32;
const TAG: usize = 16;
const LENGTH: usize = 4;

/// The sizes an envelope can have, in bytes.
pub const SIZES: [usize; 5] = [1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18];

/// The longest message that fits an envelope.
pub const MESSAGE_MAX: usize = SIZES[4] - HEADER - TAG - LENGTH;

/// An X25519 key that envelopes are sealed to.
#[derive(Clone)]
pub struct ViewKey {
    secret: Zeroizing<[u8; 32]>,
    // Computed once: every envelope asks for it.
    public: Key,
}

impl ViewKey {
    /// The key that is these 32 secret bytes.
    pub fn from_secret(secret: [u8; 32]) -> ViewKey {
        let pair = x25519_dalek::StaticSecret::from(secret);
        let public = Key(x25519_dalek::PublicKey::from(&pair).to_bytes());
        ViewKey { secret: Zeroizing::new(secret), public }
    }

    /// Its public half.
    pub fn key(&self) -> Key {
        self.public
    }

    /// Its secret half, to keep in a private file.
    pub fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    fn private(&self) -> Result<Private, SealFlaw> {
        Private::from_bytes(&self.secret[..]).map_err(|_| SealFlaw::BadKey)
    }

    fn pair(&self) -> Result<(Private, Public), SealFlaw> {
        Ok((self.private()?, public(&self.public)?))
    }
}

impl std::fmt::Debug for ViewKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ViewKey({})", self.key())
    }
}

/// Why an envelope can't be made or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealFlaw {
    /// Longer than the largest envelope.
    #[error("the message does not fit an envelope of 256 KiB")]
    TooBig,
    /// Not one of the five sizes, or another version.
    #[error("not an envelope")]
    Malformed,
    /// Sealed to a key that is not ours.
    #[error("the envelope is sealed to somebody else")]
    NotMine,
    /// A view key of low order, or no key at all.
    #[error("not a usable view key")]
    BadKey,
    /// The ciphertext was changed, or the sender is another one.
    #[error("the envelope does not open")]
    DoesNotOpen,
}

impl SealFlaw {
    /// Its number on the wire.
    pub fn code(self) -> ErrorCode {
        match self {
            SealFlaw::TooBig => ErrorCode::TooBig,
            SealFlaw::Malformed | SealFlaw::BadKey | SealFlaw::DoesNotOpen => ErrorCode::Malformed,
            SealFlaw::NotMine => ErrorCode::NotMine,
        }
    }
}

fn public(key: &Key) -> Result<Public, SealFlaw> {
    Public::from_bytes(&key.0).map_err(|_| SealFlaw::BadKey)
}

/// Binds the two keys in the header to the ciphertext.
fn associated(from: &Key, to: &Key) -> [u8; 32] {
    body::digest("envelope", &[&from.0[..], &to.0].concat()).0
}

/// Seals `message` so that only the holder of `to` reads it and sees that it is from `from`.
pub fn seal(
    from: &ViewKey,
    to: &Key,
    message: &[u8],
    chance: &mut impl CryptoRng,
) -> Result<Vec<u8>, SealFlaw> {
    let needed = HEADER + TAG + LENGTH + message.len();
    let size = SIZES.into_iter().find(|size| needed <= *size).ok_or(SealFlaw::TooBig)?;
    let length = u32::try_from(message.len()).map_err(|_| SealFlaw::TooBig)?;
    let mut plain = Zeroizing::new(Vec::with_capacity(size));
    plain.extend_from_slice(&length.to_be_bytes());
    plain.extend_from_slice(message);
    plain.resize(size - HEADER - TAG, 0);

    let sender = from.key();
    let (enc, sealed) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, Kem>(
        &OpModeS::Auth(from.pair()?),
        &public(to)?,
        INFO,
        &plain,
        &associated(&sender, to),
        chance,
    )
    .map_err(|_| SealFlaw::BadKey)?;
    Ok([&[1], &sender.0[..], &to.0, &enc.to_bytes(), &sealed].concat())
}

/// Bytes that a sealed record is longer than what is in it.
pub const RECORD_OVERHEAD: usize = 1 + 32 + TAG;

/// Seals a record of the vault to its key. `place` says where in the vault it belongs: it opens nowhere else.
pub fn seal_record(
    to: &Key,
    place: &[u8],
    message: &[u8],
    chance: &mut impl CryptoRng,
) -> Result<Vec<u8>, SealFlaw> {
    let (enc, sealed) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, Kem>(
        &OpModeS::Base,
        &public(to)?,
        RECORD_INFO,
        message,
        place,
        chance,
    )
    .map_err(|_| SealFlaw::BadKey)?;
    Ok([&[1], &enc.to_bytes()[..], &sealed].concat())
}

/// Opens a record of the vault at its place.
pub fn open_record(mine: &ViewKey, place: &[u8], record: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealFlaw> {
    let (version, rest) = record.split_first_chunk::<1>().ok_or(SealFlaw::Malformed)?;
    let (enc, sealed) = rest.split_first_chunk::<32>().ok_or(SealFlaw::Malformed)?;
    if *version != [1] {
        return Err(SealFlaw::Malformed);
    }
    let plain = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, Kem>(
        &OpModeR::Base,
        &mine.private()?,
        &<Kem as hpke::Kem>::EncappedKey::from_bytes(enc).map_err(|_| SealFlaw::BadKey)?,
        RECORD_INFO,
        sealed,
        place,
    );
    plain.map(Zeroizing::new).map_err(|_| SealFlaw::DoesNotOpen)
}

/// An opened envelope.
#[derive(Debug)]
pub struct Opened {
    /// The sender's view key, as the envelope says and the seal confirms.
    pub from: Key,
    /// Our view key that it was sealed to.
    pub to: Key,
    /// What was inside.
    pub message: Vec<u8>,
}

/// Opens an envelope with whichever of `mine` it is sealed to.
pub fn open(mine: &[ViewKey], envelope: &[u8]) -> Result<Opened, SealFlaw> {
    if !SIZES.contains(&envelope.len()) {
        return Err(SealFlaw::Malformed);
    }
    let (version, rest) = envelope.split_first_chunk::<1>().ok_or(SealFlaw::Malformed)?;
    let (from, rest) = rest.split_first_chunk::<32>().ok_or(SealFlaw::Malformed)?;
    let (to, rest) = rest.split_first_chunk::<32>().ok_or(SealFlaw::Malformed)?;
    let (enc, sealed) = rest.split_first_chunk::<32>().ok_or(SealFlaw::Malformed)?;
    if *version != [1] {
        return Err(SealFlaw::Malformed);
    }
    let (from, to) = (Key(*from), Key(*to));
    let my_key = mine.iter().find(|key| key.key() == to).ok_or(SealFlaw::NotMine)?;
    let plain = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, Kem>(
        &OpModeR::Auth(public(&from)?),
        &my_key.private()?,
        &<Kem as hpke::Kem>::EncappedKey::from_bytes(enc).map_err(|_| SealFlaw::BadKey)?,
        INFO,
        sealed,
        &associated(&from, &to),
    )
    .map_err(|_| SealFlaw::DoesNotOpen)?;
    let (length, rest) = plain.split_first_chunk::<LENGTH>().ok_or(SealFlaw::Malformed)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| SealFlaw::Malformed)?;
    let (message, padding) = rest.split_at_checked(length).ok_or(SealFlaw::Malformed)?;
    if padding.iter().any(|byte| *byte != 0) {
        return Err(SealFlaw::Malformed);
    }
    Ok(Opened { from, to, message: message.to_vec() })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rand_core::{TryCryptoRng, TryRng};

    /// A stream of digests: chance that repeats, for tests.
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

    fn people() -> (ViewKey, ViewKey, ViewKey) {
        (ViewKey::from_secret([1; 32]), ViewKey::from_secret([2; 32]), ViewKey::from_secret([3; 32]))
    }

    /// N14: only the receiver reads it, and nobody can change it on the way.
    #[test]
    fn only_the_recipient_opens_it_and_only_unchanged() {
        let (alice, bob, carol) = people();
        let envelope = seal(&alice, &bob.key(), b"120 for the rent", &mut Counter(0)).unwrap();
        let opened = open(&[carol.clone(), bob.clone()], &envelope).unwrap();
        assert_eq!((opened.message.as_slice(), opened.from), (&b"120 for the rent"[..], alice.key()));
        assert_eq!(open(&[carol], &envelope).unwrap_err(), SealFlaw::NotMine);
        for at in [0, 5, 40, 70, 100, 1000] {
            let mut changed = envelope.clone();
            changed[at] ^= 1;
            assert!(open(std::slice::from_ref(&bob), &changed).is_err(), "byte {at}");
        }
        assert_eq!(open(&[bob], &envelope[..1000]).unwrap_err(), SealFlaw::Malformed);
    }

    /// N15: the size tells an observer one of five classes.
    #[test]
    fn sizes_come_in_five_classes() {
        let (alice, bob, _) = people();
        for (length, size) in [(0, 1024), (900, 1024), (1000, 4096), (60_000, 65_536), (MESSAGE_MAX, 262_144)]
        {
            assert_eq!(seal(&alice, &bob.key(), &vec![7; length], &mut Counter(1)).unwrap().len(), size);
        }
        let too_big = vec![7; MESSAGE_MAX + 1];
        assert_eq!(seal(&alice, &bob.key(), &too_big, &mut Counter(1)), Err(SealFlaw::TooBig));
    }

    /// A record opens with the vault's key at its place in the vault, unchanged, and in no other way.
    #[test]
    fn a_record_opens_at_its_place_only() {
        let (vault, other, _) = people();
        let record = seal_record(&vault.key(), b"after the 7th", b"paid 120", &mut Counter(0)).unwrap();
        assert_eq!(record.len(), b"paid 120".len() + RECORD_OVERHEAD);
        assert_eq!(&open_record(&vault, b"after the 7th", &record).unwrap()[..], b"paid 120");
        assert_eq!(open_record(&vault, b"after the 8th", &record), Err(SealFlaw::DoesNotOpen));
        assert_eq!(open_record(&other, b"after the 7th", &record), Err(SealFlaw::DoesNotOpen));
        for at in 0..record.len() {
            let mut changed = record.clone();
            changed[at] ^= 1;
            assert!(open_record(&vault, b"after the 7th", &changed).is_err(), "byte {at}");
        }
        for length in 0..record.len() {
            assert!(open_record(&vault, b"after the 7th", &record[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_low_order_view_key_is_refused() {
        let (alice, _, _) = people();
        assert_eq!(seal(&alice, &Key([0; 32]), b"x", &mut Counter(1)), Err(SealFlaw::BadKey));
    }
}
