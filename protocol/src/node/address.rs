//! Address records on the network: who may publish where a node is found (SPEC §5.5).

use super::clock::Clock;
use super::net::{Multiaddr, RecordCheck};
use crate::bank::{ADDRESS_MAX, ADDRESSES_MAX, AddressRecord};
use crate::body::Text;
use crate::id::Key;
use crate::sign::{Signed, Signer};
use crate::time::Timestamp;

/// Takes records that the node itself has signed, that run at most a day, and whose node is somebody.
pub struct AddressCheck<Known> {
    clock: Clock,
    known: Known,
}

impl<Known: Fn(&Key) -> bool + Send + Sync> AddressCheck<Known> {
    /// `known` says whether a node key is anybody's: a server asks the directory, so that strangers can't fill its
    /// shelves; a workstation takes what it looked for.
    pub fn new(clock: Clock, known: Known) -> Self {
        AddressCheck { clock, known }
    }

    fn record(&self, key: &[u8], value: &[u8]) -> Option<AddressRecord> {
        let record = Signed::<AddressRecord>::from_bytes(value).ok()?;
        let node = record.unverified().node;
        if key != node.as_bytes() || !(self.known)(&node) {
            return None;
        }
        let record = record.verify_by(&node).ok()?;
        let now = Timestamp(self.clock.now_seconds());
        let longest = now.plus_seconds(AddressRecord::SECONDS_MAX);
        (!now.is_past(record.expires) && !longest.is_before(record.expires)).then(|| (*record).clone())
    }
}

impl<Known: Fn(&Key) -> bool + Send + Sync> RecordCheck for AddressCheck<Known> {
    fn check(&self, key: &[u8], value: &[u8]) -> Option<u64> {
        self.record(key, value).map(|record| record.sequence)
    }

    fn addresses(&self, value: &[u8]) -> Vec<Multiaddr> {
        let record = Signed::<AddressRecord>::from_bytes(value);
        record.map(|r| parse_addresses(&r.unverified().addresses)).unwrap_or_default()
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

    #[test]
    fn a_record_counts_for_its_own_node_only_and_for_a_day() {
        let clock = Clock::manual(1_000_000);
        let (alice, mallory) = (Signer::from_secret(&[1; 32]), Signer::from_secret(&[2; 32]));
        let record = |expires: u64| AddressRecord {
            node: alice.key(),
            sequence: 7,
            expires: Timestamp(expires),
            addresses: vec![Text::new("/ip4/127.0.0.1/tcp/4001", 128).unwrap()],
        };
        let check = AddressCheck::new(clock, |_: &Key| true);
        let good = alice.sign(record(1_000_100)).to_bytes();
        assert_eq!(check.check(&alice.key().0, &good), Some(7));
        assert_eq!(check.addresses(&good).len(), 1);
        assert_eq!(check.check(&mallory.key().0, &good), None, "under another key");
        assert_eq!(check.check(&alice.key().0, &mallory.sign(record(1_000_100)).to_bytes()), None, "forged");
        assert_eq!(check.check(&alice.key().0, &alice.sign(record(900_000)).to_bytes()), None, "over");
        assert_eq!(check.check(&alice.key().0, &alice.sign(record(2_000_000)).to_bytes()), None, "too long");
        let strict = AddressCheck::new(Clock::manual(1_000_000), |_: &Key| false);
        assert_eq!(strict.check(&alice.key().0, &good), None, "nobody in the directory");
    }
}
