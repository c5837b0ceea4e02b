//! The private code's lock: the seed sealed under what only its owner knows (SPEC §1.3, N3).

use super::Seed;
use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The seed under the private code: Argon2id to a key, XChaCha20-Poly1305 around the seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedSeed {
    version: u8,
    memory_kib: u32,
    passes: u32,
    #[serde(with = "serde_bytes")]
    salt: [u8; 16],
    #[serde(with = "serde_bytes")]
    nonce: [u8; 24],
    #[serde(with = "serde_bytes")]
    sealed: Vec<u8>,
}

/// How dear one guess of a private code is made.
#[derive(Clone, Copy, Debug)]
pub struct GuessCost {
    /// Memory for one guess.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for GuessCost {
    /// 64 MiB and three passes, the second recommendation of RFC 9106.
    fn default() -> Self {
        GuessCost { memory_kib: 64 * 1024, passes: 3 }
    }
}

/// Shortest private code, in characters.
pub const CODE_MIN: usize = 6;
/// Longest private code, in bytes.
pub const CODE_MAX: usize = 256;

/// Why a lock does not open or close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockFlaw {
    /// Another code closed it.
    #[error("wrong private code")]
    WrongCode,
    /// Too short or too long to be a private code.
    #[error("a private code has at least {CODE_MIN} characters and at most {CODE_MAX} bytes")]
    BadCode,
    /// The sealed seed is damaged or of another version.
    #[error("the sealed seed is damaged: restore from the recovery phrase")]
    Damaged,
}

const ASSOCIATED: &[u8] = b"stermina/1/seed";

impl SealedSeed {
    /// Seals `seed` under `code`.
    pub fn close(
        seed: &Seed,
        code: &str,
        cost: GuessCost,
        chance: &mut impl CryptoRng,
    ) -> Result<SealedSeed, LockFlaw> {
        if code.chars().count() < CODE_MIN || code.len() > CODE_MAX {
            return Err(LockFlaw::BadCode);
        }
        let mut lock = SealedSeed {
            version: 1,
            memory_kib: cost.memory_kib,
            passes: cost.passes,
            salt: [0; 16],
            nonce: [0; 24],
            sealed: Vec::new(),
        };
        chance.fill_bytes(&mut lock.salt);
        chance.fill_bytes(&mut lock.nonce);
        let payload = Payload { msg: seed.as_bytes(), aad: ASSOCIATED };
        lock.sealed =
            lock.cipher(code)?.encrypt(&XNonce::from(lock.nonce), payload).map_err(|_| LockFlaw::Damaged)?;
        Ok(lock)
    }

    /// The seed, if `code` is the private code.
    pub fn open(&self, code: &str) -> Result<Seed, LockFlaw> {
        if code.len() > CODE_MAX {
            return Err(LockFlaw::WrongCode);
        }
        let payload = Payload { msg: &self.sealed, aad: ASSOCIATED };
        let plain = self.cipher(code)?.decrypt(&XNonce::from(self.nonce), payload);
        let plain = Zeroizing::new(plain.map_err(|_| LockFlaw::WrongCode)?);
        let bytes = <[u8; 32]>::try_from(plain.as_slice()).map_err(|_| LockFlaw::Damaged)?;
        Ok(Seed::from_bytes(bytes))
    }

    fn cipher(&self, code: &str) -> Result<XChaCha20Poly1305, LockFlaw> {
        // A damaged file must not ask for all the memory there is.
        if self.version != 1 || self.memory_kib > 1 << 20 || self.passes > 64 {
            return Err(LockFlaw::Damaged);
        }
        let params = Params::new(self.memory_kib, self.passes, 1, Some(32)).map_err(|_| LockFlaw::Damaged)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(code.as_bytes(), &self.salt, &mut *key)
            .map_err(|_| LockFlaw::Damaged)?;
        XChaCha20Poly1305::new_from_slice(&*key).map_err(|_| LockFlaw::Damaged)
    }
}

/// Seconds to wait after so many wrong codes in a row: three are free, then 2, 4, 8 … up to an hour.
///
/// The count is kept on disk by the caller, so that a restart does not give new tries.
pub fn delay_after(wrong_codes: u32) -> u64 {
    match wrong_codes.checked_sub(3) {
        None => 0,
        Some(more) => 1u64.checked_shl(more + 1).map_or(3600, |seconds| seconds.min(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::tests::Counter;

    const CHEAP: GuessCost = GuessCost { memory_kib: 64, passes: 1 };

    /// N3: the archive opens to the private code and to nothing else.
    #[test]
    fn the_private_code_opens_the_seed() {
        let seed = Seed::from_bytes([9; 32]);
        let lock = SealedSeed::close(&seed, "correct horse", CHEAP, &mut Counter(0)).unwrap();
        assert_eq!(lock.open("correct horse").unwrap().as_bytes(), seed.as_bytes());
        assert_eq!(lock.open("correct hors").unwrap_err(), LockFlaw::WrongCode);
        assert_eq!(lock.open(&"x".repeat(10_000)).unwrap_err(), LockFlaw::WrongCode);
        assert_eq!(SealedSeed::close(&seed, "12345", CHEAP, &mut Counter(0)).unwrap_err(), LockFlaw::BadCode);

        let bytes = rmp_serde::to_vec(&lock).unwrap();
        assert_eq!(rmp_serde::from_slice::<SealedSeed>(&bytes).unwrap(), lock);
        let greedy = SealedSeed { memory_kib: u32::MAX, ..lock };
        assert_eq!(greedy.open("correct horse").unwrap_err(), LockFlaw::Damaged);
    }

    #[test]
    fn guessing_gets_slower() {
        assert_eq!([0, 2, 3, 4, 5].map(delay_after), [0, 0, 2, 4, 8]);
        assert_eq!(delay_after(14), 3600);
        assert_eq!(delay_after(u32::MAX), 3600);
    }
}
