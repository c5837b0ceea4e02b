//! Shops near by: who is in the local network, and stands in the bank's directory as a shop (M2, M3).
//!
//! What a stranger announces is a key and an address. Names, and that it is a shop, come from the bank's certificate.

use super::handle::Shared;
use crate::store::{Contact, StoreFault};
use protocol::bank::{CertificateKind, Introduction, Party, Standing};
use protocol::id::Key;
use protocol::node::net::{Net, PeerId, node_key_of};
use std::collections::HashSet;

/// Most shops that are looked at: a market, not a city.
const NEAR_MAX: usize = 64;

/// Shops near by, of whatever standing, with their names in order.
pub fn shops(shared: &Shared, net: &Net) -> Result<Vec<Contact>, StoreFault> {
    let nodes: HashSet<Key> = net.neighbours().iter().filter_map(node_key_of).map(Key).collect();
    let mut found = shared.store.contacts_at(&nodes)?;
    found.retain(|contact| contact.certificate.unverified().kind == CertificateKind::Shop);
    found.sort_by(|a, b| {
        let key = |contact: &Contact| {
            let body = contact.certificate.unverified();
            (body.name.as_str().to_owned(), body.owner.0)
        };
        key(a).cmp(&key(b))
    });
    found.truncate(NEAR_MAX);
    Ok(found)
}

/// Those of them whose papers are in order today.
pub fn certified(shared: &Shared, net: &Net) -> Result<Vec<Party>, StoreFault> {
    let (keys, now) = (shared.keys(), shared.now());
    let party = |contact: Contact| {
        let papers = Introduction { certificate: contact.certificate, identity: contact.identity? };
        let party = papers.verify(&keys, now).ok()?;
        let owner = party.owner();
        let suspended = shared.heard().suspends(&owner, Some(party.certificate.sequence));
        (!suspended && party.certificate.standing == Standing::Active).then_some(party)
    };
    Ok(shops(shared, net)?.into_iter().filter_map(party).collect())
}

/// The node of a contact, and his name.
pub(super) fn node_of(contact: &Contact) -> Option<(PeerId, String)> {
    let node = contact.identity.as_ref()?.unverified().node;
    let name = contact.certificate.unverified().name.as_str().to_owned();
    Some((protocol::node::net::peer_of(&node.0).ok()?, name))
}
