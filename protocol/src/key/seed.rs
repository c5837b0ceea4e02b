//! The seed, its recovery phrase, and all keys that grow from it (SPEC §1.1).

use crate::id::Hint;
use crate::seal::ViewKey;
use crate::sign::Signer;
use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

/// 32 bytes that everything a person owns can be derived from.
#[derive(Clone)]
pub struct Seed(Zeroizing<[u8; 32]>);

/// Words that are no recovery phrase.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPhrase {
    /// Not 24 words.
    #[error("a recovery phrase has 24 words, this one has {0}")]
    WordCount(usize),
    /// A word that is not on the list.
    #[error("word {0} of the recovery phrase is not on the list of words: check its spelling")]
    UnknownWord(usize),
    /// All words are known, but they do not belong together.
    #[error("the words do not belong together: one is wrong or two are swapped")]
    Checksum,
}

impl Seed {
    /// The seed that is these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Seed {
        Seed(Zeroizing::new(bytes))
    }

    /// A new seed.
    pub fn generate(chance: &mut impl CryptoRng) -> Seed {
        let mut bytes = Zeroizing::new([0; 32]);
        chance.fill_bytes(&mut *bytes);
        Seed(bytes)
    }

    /// The bytes, for sealing them.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 24 BIP 39 words that stand for it.
    pub fn phrase(&self) -> Zeroizing<String> {
        let words = bip39::Mnemonic::from_entropy(&self.0[..]).expect("32 bytes are valid BIP 39 entropy");
        Zeroizing::new(words.to_string())
    }

    /// The seed that 24 words stand for.
    pub fn from_phrase(words: &str) -> Result<Seed, BadPhrase> {
        let words = Zeroizing::new(words.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase());
        let count = words.split(' ').filter(|word| !word.is_empty()).count();
        if count != 24 {
            return Err(BadPhrase::WordCount(count));
        }
        let mnemonic = bip39::Mnemonic::parse_normalized(&words).map_err(|error| match error {
            bip39::Error::UnknownWord(at) => BadPhrase::UnknownWord(at + 1),
            _ => BadPhrase::Checksum,
        })?;
        let mut entropy = mnemonic.to_entropy();
        let bytes = <[u8; 32]>::try_from(entropy.as_slice()).map_err(|_| BadPhrase::Checksum);
        entropy.zeroize();
        bytes.map(Seed::from_bytes)
    }

    /// The owner key O.
    pub fn owner(&self) -> Signer {
        Signer::from_secret(&self.derive("owner", &[]))
    }

    /// The note key P that `hint` names.
    pub fn note(&self, hint: &Hint) -> Signer {
        Signer::from_secret(&self.derive("note", hint.as_bytes()))
    }

    /// The view key V of a generation.
    pub fn view(&self, generation: u32) -> ViewKey {
        ViewKey::from_secret(*self.derive("view", &generation.to_be_bytes()))
    }

    /// The key that opens the vault's records; its public half seals them.
    pub fn vault(&self) -> ViewKey {
        ViewKey::from_secret(*self.derive("vault", &[]))
    }

    /// The secret of the node key N of a generation.
    pub fn node(&self, generation: u32) -> Zeroizing<[u8; 32]> {
        self.derive("node", &generation.to_be_bytes())
    }

    /// HKDF-SHA-256 with info `stermina/1/` label, a slash, and the rest: one label per role.
    fn derive(&self, label: &str, rest: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0; 32]);
        let info = [b"stermina/1/", label.as_bytes(), b"/", rest].concat();
        Hkdf::<Sha256>::new(None, &self.0[..])
            .expand(&info, &mut *out)
            .expect("32 bytes are within HKDF's limit");
        out
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phrase_brings_every_key_back() {
        let seed = Seed::from_bytes([9; 32]);
        let again = Seed::from_phrase(&seed.phrase().to_uppercase()).unwrap();
        assert_eq!(again.owner().key(), seed.owner().key());
        assert_eq!(again.note(&Hint([4; 16])).key(), seed.note(&Hint([4; 16])).key());
        assert_eq!(again.view(1).key(), seed.view(1).key());
        assert_eq!(*again.node(1), *seed.node(1));
    }

    #[test]
    fn each_role_has_its_own_key() {
        let seed = Seed::from_bytes([9; 32]);
        let keys = [
            seed.owner().key(),
            seed.note(&Hint([0; 16])).key(),
            seed.note(&Hint([1; 16])).key(),
            Signer::from_secret(&seed.node(1)).key(),
            Signer::from_secret(&seed.node(2)).key(),
            seed.view(1).key(),
            seed.view(2).key(),
            seed.vault().key(),
        ];
        for (i, a) in keys.iter().enumerate() {
            assert!(keys.iter().skip(i + 1).all(|b| a != b));
        }
    }

    #[test]
    fn wrong_phrases_say_what_is_wrong() {
        let phrase = Seed::from_bytes([9; 32]).phrase();
        let mut words: Vec<&str> = phrase.split(' ').collect();
        assert_eq!(Seed::from_phrase("abandon").unwrap_err(), BadPhrase::WordCount(1));
        words.swap(0, 5);
        assert_eq!(Seed::from_phrase(&words.join(" ")).unwrap_err(), BadPhrase::Checksum);
        words[2] = "zzz";
        assert_eq!(Seed::from_phrase(&words.join(" ")).unwrap_err(), BadPhrase::UnknownWord(3));
    }
}
