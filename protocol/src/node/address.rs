//! Address records as the network room keeps them: the check, and the making of our own (SPEC §4.2).

use super::clock::Clock;
use super::net::{Multiaddr, RecordCheck};
use crate::bank::{ADDRESS_MAX, ADDRESSES_MAX, AddressRecord};
use crate::body::Text;
use crate::id::Key;
use crate::sign::{Signed, Signer};
use crate::time::Timestamp;

/// Takes only records that the node itself has signed, for its own key, for a day at most.
#[derive(Clone, Debug)]
pub struct AddressCheck {
    clock: Clock,
}

impl AddressCheck {
    /// A check by this clock.
    pub fn new(clock: Clock) -> AddressCheck {
        AddressCheck { clock }
    }
}

impl RecordCheck for AddressCheck {
    fn check(&self, key: &[u8], value: &[u8]) -> Option<u64> {
        let signed = Signed::<AddressRecord>::from_bytes(value).ok()?;
        let record = signed.unverified();
        let now = Timestamp(self.clock.now_seconds());
        let longest = now.plus_seconds(AddressRecord::SECONDS_MAX);
        if record.node.0 != key || now.is_past(record.expires) || record.expires.is_past(longest) {
            return None;
        }
        signed.check_by(&record.node).ok()?;
        Some(record.sequence)
    }

    fn addresses(&self, value: &[u8]) -> Vec<Multiaddr> {
        let Ok(signed) = Signed::<AddressRecord>::from_bytes(value) else { return Vec::new() };
        parse_addresses(&signed.unverified().addresses)
    }
}

/// The addresses that are any; the others are left out.
pub fn parse_addresses(texts: &[Text]) -> Vec<Multiaddr> {
    texts.iter().filter_map(|text| text.as_str().parse().ok()).collect()
}

/// Addresses as they stand in records and letters: at most as many and as long as fit.
pub fn address_texts(addresses: &[Multiaddr]) -> Vec<Text> {
    let texts = addresses.iter().filter_map(|address| Text::new(&address.to_string(), ADDRESS_MAX).ok());
    texts.take(ADDRESSES_MAX).collect()
}

/// Our own record, as key and value to publish.
pub fn address_record(node: &Signer, addresses: &[Multiaddr], now: Timestamp) -> (Key, Vec<u8>) {
    let record = AddressRecord {
        node: node.key(),
        sequence: now.0,
        expires: now.plus_seconds(AddressRecord::SECONDS_MAX),
        addresses: address_texts(addresses),
    };
    (node.key(), node.sign(record).to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> Multiaddr {
        "/ip4/10.1.2.3/tcp/4601".parse().unwrap()
    }

    #[test]
    fn our_own_record_passes_for_a_day() {
        let node = Signer::from_secret(&[1; 32]);
        let clock = Clock::manual(1_000_000);
        let check = AddressCheck::new(clock.clone());
        let (key, value) = address_record(&node, &[address()], Timestamp(1_000_000));
        assert_eq!(check.check(&key.0, &value), Some(1_000_000));
        assert_eq!(check.addresses(&value), [address()]);
        clock.set(1_000_000 + AddressRecord::SECONDS_MAX + 601);
        assert_eq!(check.check(&key.0, &value), None, "expired");
        clock.set(1_000_000 - 601);
        assert_eq!(check.check(&key.0, &value), None, "from the future, so it would live too long");
    }

    #[test]
    fn somebody_else_s_record_does_not() {
        let (node, thief) = (Signer::from_secret(&[1; 32]), Signer::from_secret(&[2; 32]));
        let check = AddressCheck::new(Clock::manual(5_000));
        let (key, value) = address_record(&node, &[address()], Timestamp(5_000));
        assert_eq!(check.check(&thief.key().0, &value), None, "another key");
        let record = Signed::<AddressRecord>::from_bytes(&value).unwrap().unverified().clone();
        let forged = thief.sign(record).to_bytes();
        assert_eq!(check.check(&key.0, &forged), None, "another signer");
        assert_eq!(check.check(&key.0, &value[1..]), None, "garbage");
        assert!(check.addresses(b"garbage").is_empty());
    }
}
