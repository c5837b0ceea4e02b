//! Names of things: fixed-length byte strings that cannot be mixed up (SPEC §2.3).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A text that is not the hex form of an id of this length.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} has {} hex digits, «{text}» does not", length * 2)]
pub struct NotAnId {
    /// Which id was meant.
    pub what: &'static str,
    /// Its length in bytes.
    pub length: usize,
    /// What was given.
    pub text: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $length:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; $length]);

        impl $name {
            /// Length in bytes.
            pub const LENGTH: usize = $length;

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }

            /// Whether all bytes are zero, which stands for «none» in fixed layouts.
            pub fn is_zero(&self) -> bool {
                self.0 == [0; $length]
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let mut bytes = [0; $length];
                match hex::decode_to_slice(text, &mut bytes) {
                    Ok(()) => Ok($name(bytes)),
                    Err(_) => {
                        Err(NotAnId { what: $what, length: $length, text: text.chars().take(80).collect() })
                    }
                }
            }
        }

        /// Hex where people read it (JSON), bytes elsewhere (MessagePack).
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                if to.is_human_readable() { to.collect_str(self) } else { to.serialize_bytes(&self.0) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                use serde::de::Error;
                if from.is_human_readable() {
                    std::borrow::Cow::<str>::deserialize(from)?.parse().map_err(D::Error::custom)
                } else {
                    let bytes = serde_bytes::ByteArray::<$length>::deserialize(from)?;
                    Ok($name(bytes.into_array()))
                }
            }
        }

        #[cfg(feature = "node")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "description": $what,
                    "pattern": format!("^[0-9a-fA-F]{{{}}}$", $length * 2),
                })
            }
        }
    };
}

id!(
    /// A bank: the first 8 bytes of the digest of its master key. A name only; trust comes from the pinned key.
    BankId, 8, "a bank id"
);
id!(
    /// A payment, chosen at random by the payer; unique per payer.
    PaymentId, 16, "a payment id"
);
id!(
    /// A request to pay or a request to the bank, chosen at random by who asks.
    RequestId, 16, "a request id"
);
id!(
    /// What a note key is derived from, together with the seed.
    Hint, 16, "a hint"
);
id!(
    /// A root's name: digest of the request that asked for it and the place of the outcome in it.
    RootId, 32, "a root id"
);
id!(
    /// BLAKE3 in key-derivation mode over a body, under the body's type.
    Digest, 32, "a digest"
);
id!(
    /// An Ed25519 or X25519 public key as it travels: bytes, checked where they are used.
    Key, 32, "a public key"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_hex_for_people_and_bytes_on_the_wire() {
        let id = PaymentId([7; 16]);
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{}\"", "07".repeat(16)));
        assert_eq!(serde_json::from_str::<PaymentId>(&format!("\"{}\"", "07".repeat(16))).unwrap(), id);
        let wire = rmp_serde::to_vec(&id).unwrap();
        assert_eq!(wire.len(), 18, "bin8 header and 16 bytes");
        assert_eq!(rmp_serde::from_slice::<PaymentId>(&wire).unwrap(), id);
        assert!(rmp_serde::from_slice::<PaymentId>(&wire[..17]).is_err());
        assert!("07".parse::<PaymentId>().unwrap_err().to_string().contains("32 hex digits"));
    }
}
