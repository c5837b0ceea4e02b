//! Fixed layouts: what is signed or digested has one form in bytes (SPEC §2.5).
//!
//! Big-endian integers, byte strings of fixed length, texts with a one-byte length; no options, no
//! padding. MessagePack only carries the result, so nobody can sign one form and verify another.

use crate::id::Digest;

/// A body: a thing with one form in bytes.
pub trait Body: Sized {
    /// Names the type in digests and signatures.
    const TYPE: &'static str;

    /// Appends the body to `out`.
    fn write(&self, out: &mut Writer);

    /// Reads the body; the caller checks that nothing follows.
    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed>;

    /// The one form in bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(128));
        self.write(&mut out);
        out.0
    }

    /// The body, if `bytes` are exactly one.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader { left: bytes, what: Self::TYPE };
        let body = Self::read(&mut reader)?;
        reader.end()?;
        Ok(body)
    }

    /// Digest of the body under its type.
    fn digest(&self) -> Digest {
        digest(Self::TYPE, &self.to_bytes())
    }
}

/// BLAKE3 in key-derivation mode, context `stermina/1/` and the type.
pub fn digest(body_type: &str, bytes: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key(&format!("stermina/1/{body_type}"));
    hasher.update(bytes);
    Digest(*hasher.finalize().as_bytes())
}

/// Bytes that are not a body of the wanted type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {what}: {why}")]
pub struct Malformed {
    /// The type that was wanted.
    pub what: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Writes a body from its first byte to its last.
#[derive(Debug)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.raw(&[value])
    }

    /// Two bytes, the high one first.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Four bytes.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Eight bytes.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Bytes of a length that the layout fixes.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A text behind its length in one byte; the type that holds it has checked that it fits.
    pub fn text(&mut self, text: &str) -> &mut Self {
        let length =
            u8::try_from(text.len()).expect("texts in bodies are made by Text, which is at most 255 bytes");
        self.u8(length).raw(text.as_bytes())
    }
}

/// Reads a body from its first byte to its last.
#[derive(Debug)]
pub struct Reader<'a> {
    left: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// A flaw of the body that is being read.
    pub fn flaw(&self, why: &'static str) -> Malformed {
        Malformed { what: self.what, why }
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (first, left) = self.left.split_first_chunk::<N>().ok_or(self.flaw("too short"))?;
        self.left = left;
        Ok(*first)
    }

    /// The next byte.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(u8::from_be_bytes)
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next four bytes.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next eight bytes.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next `length` bytes.
    pub fn slice(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (first, left) = self.left.split_at_checked(length).ok_or(self.flaw("too short"))?;
        self.left = left;
        Ok(first)
    }

    /// A text behind its length, at most `max` bytes, checked as [`Text`] is.
    pub fn text(&mut self, max: usize) -> Result<Text, Malformed> {
        let length = usize::from(self.u8()?);
        let bytes = self.slice(length)?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.flaw("a text that is not UTF-8"))?;
        Text::new(text, max).map_err(|_| self.flaw("a text that is too long or has control characters"))
    }

    /// The version byte, which must be 1: an unknown version is refused, never guessed.
    pub fn version(&mut self) -> Result<(), Malformed> {
        match self.u8()? {
            1 => Ok(()),
            _ => Err(self.flaw("unknown version")),
        }
    }

    fn end(&self) -> Result<(), Malformed> {
        if self.left.is_empty() { Ok(()) } else { Err(self.flaw("bytes after the end")) }
    }
}

/// A short text without control characters: a memo, a name, an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(String);

/// A text too long for its place, or with control characters in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a text of at most {max} bytes without control characters is wanted, this one has {length}")]
pub struct BadText {
    /// Bytes allowed.
    pub max: usize,
    /// Bytes given.
    pub length: usize,
}

impl Text {
    /// The text, if it has at most `max` (and 255) bytes and no control or direction-changing characters.
    pub fn new(text: &str, max: usize) -> Result<Text, BadText> {
        // Direction overrides would let a memo or a name read as something else on a screen.
        let hidden = |c: char| {
            c.is_control()
                || matches!(c, '\u{061c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        if text.len() > max.min(255) || text.chars().any(hidden) {
            return Err(BadText { max, length: text.len() });
        }
        Ok(Text(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Sample(u16, Text);

    impl Body for Sample {
        const TYPE: &'static str = "sample";

        fn write(&self, out: &mut Writer) {
            out.u8(1).u16(self.0).text(self.1.as_str());
        }

        fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
            from.version()?;
            Ok(Sample(from.u16()?, from.text(10)?))
        }
    }

    #[test]
    fn one_form_in_bytes() {
        let sample = Sample(258, Text::new("tè", 10).unwrap());
        let bytes = sample.to_bytes();
        assert_eq!(bytes, [1, 1, 2, 3, b't', 0xc3, 0xa8]);
        assert_eq!(Sample::from_bytes(&bytes).unwrap(), sample);
        for cut in 0..bytes.len() {
            assert_eq!(Sample::from_bytes(&bytes[..cut]).unwrap_err().why, "too short");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Sample::from_bytes(&longer).unwrap_err().why, "bytes after the end");
        assert_eq!(Sample::from_bytes(&[2, 1, 2, 0]).unwrap_err().why, "unknown version");
        assert_eq!(Sample::from_bytes(&[1, 1, 2, 1, 0xff]).unwrap_err().why, "a text that is not UTF-8");
        assert!(Sample::from_bytes(&[1, 1, 2, 1, 7]).is_err(), "a bell is no text");
        for turns in ["\u{061c}", "\u{202e}", "\u{2066}"] {
            assert!(Text::new(turns, 10).is_err(), "{turns:?} changes the direction of reading");
        }
    }

    #[test]
    fn types_have_digests_of_their_own() {
        assert_ne!(digest("root", b"x"), digest("link", b"x"));
    }
}
