//! Finding somebody from his public code alone, and talking to him sealed (N7, N14).
//!
//! The directory says which keys are his; his own workstation does where the directory is behind. Where
//! he is on the network is known from before, from his request, from the room, or from the bank's and the
//! shops' nodes, in this order and without asking who wants to know.

use super::handle::Shared;
use super::link::BankLink;
use crate::store::StoreFault;
use protocol::bank::{Introduction, Party, Standing};
use protocol::id::Key;
use protocol::node::chance::chance;
use protocol::node::net::{AskError, Multiaddr, Net, Protocol, peer_of};
use protocol::pay::Request;
use protocol::seal::{self, ViewKey};
use protocol::wire::{self, ErrorCode, Hail, HailAnswer, Letterhead, PayAnswer, PayAsk};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most parties whose papers are kept checked in memory.
const PARTIES_MAX: usize = 1024;

/// Why somebody can't be talked to.
#[derive(Debug, thiserror::Error)]
pub enum SpeakFault {
    /// Nobody knows his keys.
    #[error("nobody by this code is in the directory")]
    Unknown,
    /// His papers are not in order.
    #[error("{0}")]
    Papers(String),
    /// His workstation can't be reached, or did not answer.
    #[error("not reached: {0}")]
    Unreachable(AskError),
    /// What came back can't be read.
    #[error("the answer can't be read")]
    Garbled,
    /// His workstation could not open the question: it reads with other keys by now, or is another's.
    #[error("he could not open it: {}", .0.text())]
    Unopened(ErrorCode),
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl SpeakFault {
    /// Whether it is his papers, and not the way to him or our own disk: no waiting makes them good.
    pub(super) fn is_for_good(&self) -> bool {
        matches!(self, SpeakFault::Unknown | SpeakFault::Papers(_))
    }
}

/// Checked papers, as of a version of the directory.
#[derive(Default)]
struct Parties {
    version: u64,
    /// Whom we speak to.
    known: HashMap<Key, Party>,
    /// Who spoke to us. Kept apart: what a stranger shows never says where our own letters go.
    callers: HashMap<Key, Party>,
}

/// Whom we know, and how to talk to them.
pub struct Contacts {
    shared: Arc<Shared>,
    net: Net,
    link: Arc<BankLink>,
    parties: Mutex<Parties>,
    places: Mutex<HashMap<Key, Vec<String>>>,
}

impl Contacts {
    /// Nobody is known in memory yet; the store knows more.
    pub fn new(shared: Arc<Shared>, net: Net, link: Arc<BankLink>) -> Contacts {
        Contacts { shared, net, link, parties: Mutex::default(), places: Mutex::default() }
    }

    /// Somebody's checked papers. `request` helps when the directory does not know him yet.
    pub async fn party(&self, owner: &Key, request: Option<&Request>) -> Result<Party, SpeakFault> {
        if let Some(party) = self.remembered(owner) {
            return Ok(party);
        }
        if let Some(party) = self.listed(owner)? {
            return Ok(party);
        }
        self.link.sync_directory().await;
        if let Some(party) = self.listed(owner)? {
            return Ok(party);
        }
        match request.filter(|request| request.payee() == *owner) {
            Some(request) => self.introduced(owner, &request.node, places_of(request)).await,
            None => Err(SpeakFault::Unknown),
        }
    }

    /// Somebody's papers though he may be suspended, or they may have run out: for telling him what is his already.
    pub async fn anybody(&self, owner: &Key, request: Option<&Request>) -> Result<Party, SpeakFault> {
        match self.party(owner, request).await {
            Err(SpeakFault::Papers(why)) => {
                let papers = self.shared.store.contact(owner)?;
                let papers = papers.and_then(|contact| {
                    Some(Introduction { certificate: contact.certificate, identity: contact.identity? })
                });
                let party = papers.and_then(|papers| papers.authenticate(&self.shared.keys()).ok());
                party.ok_or(SpeakFault::Papers(why))
            }
            party => party,
        }
    }

    fn parties(&self) -> MutexGuard<'_, Parties> {
        let version = self.shared.directory_version.load(Ordering::Relaxed);
        let mut parties = self.parties.lock().unwrap_or_else(PoisonError::into_inner);
        if parties.version != version {
            *parties = Parties { version, ..Parties::default() };
        }
        if parties.known.len() >= PARTIES_MAX {
            parties.known.clear();
        }
        if parties.callers.len() >= PARTIES_MAX {
            parties.callers.clear();
        }
        parties
    }

    fn remembered(&self, owner: &Key) -> Option<Party> {
        let now = self.shared.now();
        self.parties().known.get(owner).filter(|party| party.runs(now)).cloned()
    }

    fn remember(&self, party: &Party) {
        self.parties().known.insert(party.owner(), party.clone());
    }

    /// The sender of these papers, if they were checked before and still run.
    pub fn caller(&self, papers: &Introduction) -> Option<Party> {
        let now = self.shared.now();
        let parties = self.parties();
        let party = parties.callers.get(&papers.certificate.unverified().owner)?;
        (party.shows(papers) && party.runs(now)).then(|| party.clone())
    }

    /// Remembers whose papers have just been checked.
    pub fn called(&self, party: &Party) {
        self.parties().callers.insert(party.owner(), party.clone());
    }

    fn listed(&self, owner: &Key) -> Result<Option<Party>, SpeakFault> {
        let Some(contact) = self.shared.store.contact(owner)? else { return Ok(None) };
        let Some(identity) = contact.identity else { return Ok(None) };
        let introduction = Introduction { certificate: contact.certificate, identity };
        let party = introduction.verify(&self.shared.keys(), self.shared.now());
        let party = party.map_err(|flaw| SpeakFault::Papers(flaw.to_string()))?;
        self.remember(&party);
        Ok(Some(party))
    }

    /// Asks a workstation who it is; it must be the owner's who was meant.
    async fn introduced(&self, owner: &Key, node: &Key, hints: Vec<Multiaddr>) -> Result<Party, SpeakFault> {
        let peer = peer_of(&node.0).map_err(|_| SpeakFault::Papers("not a node key".to_owned()))?;
        let asked = self.net.ask(peer, &hints, Protocol::Pay, wire::encode(&Hail::Hello)).await;
        let bytes = asked.map_err(SpeakFault::Unreachable)?;
        let Ok(HailAnswer::Introduction(introduction, certificates)) = wire::decode(&bytes) else {
            return Err(SpeakFault::Garbled);
        };
        let mut keys = (*self.shared.keys()).clone();
        for certificate in certificates.into_iter().take(8) {
            keys.learn(certificate).map_err(|flaw| SpeakFault::Papers(flaw.to_string()))?;
        }
        let party = introduction.verify(&keys, self.shared.now());
        let party = party.map_err(|flaw| SpeakFault::Papers(flaw.to_string()))?;
        if party.owner() != *owner || party.identity.node != *node {
            return Err(SpeakFault::Papers("another workstation answered".to_owned()));
        }
        self.remember(&party);
        Ok(party)
    }

    /// What directory and bulletin last said of somebody's standing.
    pub fn standing(&self, owner: &Key) -> Result<Option<Standing>, StoreFault> {
        let listed = self.shared.store.contact(owner)?;
        let listed = listed.as_ref().map(|contact| contact.certificate.unverified());
        if self.shared.heard().suspends(owner, listed.map(|certificate| certificate.sequence)) {
            return Ok(Some(Standing::Suspended));
        }
        Ok(listed.map(|certificate| certificate.standing))
    }

    /// Asks somebody something, sealed, and opens his answer.
    pub async fn speak(
        &self,
        party: &Party,
        request: Option<&Request>,
        ask: PayAsk,
    ) -> Result<PayAnswer, SpeakFault> {
        match self.hail(party, request, ask.clone()).await {
            Err(SpeakFault::Unopened(ErrorCode::NotMine)) => {}
            answer => return answer,
        }
        // He reads with another view key by now: ask him for his papers and try once more.
        let hints = self.hints(&party.identity.node, request)?;
        let newer = self.introduced(&party.owner(), &party.identity.node, hints).await?;
        self.hail(&newer, request, ask).await
    }

    async fn hail(
        &self,
        party: &Party,
        request: Option<&Request>,
        ask: PayAsk,
    ) -> Result<PayAnswer, SpeakFault> {
        let persona = &self.shared.persona;
        let letter = Letterhead { from: self.shared.papers(), ask };
        let (view, node) = (party.identity.view, party.identity.node);
        let sender = persona.views.first().ok_or(SpeakFault::Garbled)?;
        let sealed = seal::seal(sender, &view, &wire::encode(&letter), &mut chance());
        let sealed = sealed.map_err(|flaw| SpeakFault::Papers(flaw.to_string()))?;
        let peer = peer_of(&node.0).map_err(|_| SpeakFault::Papers("not a node key".to_owned()))?;
        let hints = self.hints(&node, request)?;
        let asked = self.net.ask(peer, &hints, Protocol::Pay, wire::encode(&Hail::Sealed(sealed))).await;
        let bytes = asked.map_err(SpeakFault::Unreachable)?;
        self.keep_places(&node, peer);
        let answer = wire::decode(&bytes).map_err(|_| SpeakFault::Garbled)?;
        opened(answer, &self.shared.views(), &view)
    }

    fn hints(&self, node: &Key, request: Option<&Request>) -> Result<Vec<Multiaddr>, StoreFault> {
        let mut hints = request.filter(|r| r.node == *node).map(places_of).unwrap_or_default();
        hints.extend(self.shared.store.addresses(node)?.iter().filter_map(|text| text.parse().ok()));
        Ok(hints)
    }

    /// Remembers where somebody was reached, for the time when nobody can be asked; written when it changed only.
    fn keep_places(&self, node: &Key, peer: protocol::node::net::PeerId) {
        let known: Vec<String> = self.net.known(peer).iter().take(4).map(ToString::to_string).collect();
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_empty() || places.get(node) == Some(&known) {
            return;
        }
        let same_on_disk = self.shared.store.addresses(node).is_ok_and(|stored| stored == known);
        if !same_on_disk && let Err(fault) = self.shared.store.remember_addresses(node, &known) {
            tracing::warn!(%fault, "an address was not kept");
        }
        places.insert(*node, known);
    }
}

/// What somebody with this view key has answered. Only what is sealed is an answer to the question: who could not open it
/// says nothing about what is in it.
fn opened(answer: HailAnswer, mine: &[ViewKey], his: &Key) -> Result<PayAnswer, SpeakFault> {
    match answer {
        HailAnswer::Sealed(envelope) => {
            let opened = seal::open(mine, &envelope).map_err(|_| SpeakFault::Garbled)?;
            if opened.from != *his {
                return Err(SpeakFault::Garbled);
            }
            wire::decode(&opened.message).map_err(|_| SpeakFault::Garbled)
        }
        HailAnswer::Error(code) => Err(SpeakFault::Unopened(code)),
        HailAnswer::Introduction(..) => Err(SpeakFault::Garbled),
    }
}

fn places_of(request: &Request) -> Vec<Multiaddr> {
    request.address.as_str().parse().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Y8: an item whose sender's papers fail is settled and leaves the box; one whose answer finds no way, or no disk,
    /// is looked at again.
    #[test]
    fn only_papers_fail_for_good() {
        assert!(SpeakFault::Unknown.is_for_good());
        assert!(SpeakFault::Papers("expired".to_owned()).is_for_good());
        assert!(!SpeakFault::Garbled.is_for_good());
        assert!(!SpeakFault::Unopened(ErrorCode::NotMine).is_for_good());
        assert!(!SpeakFault::Store(StoreFault::Broken("full".to_owned())).is_for_good());
    }

    /// H2, SPEC §5.2: a sealed no is the payee's word on the payment, and ends it; from who can't open the envelope comes no
    /// word on it, whatever code he says. That one stays in doubt, and can be reclaimed.
    #[test]
    fn only_a_sealed_no_is_an_answer() {
        let [mine, his, other] = [1, 2, 3].map(|n| ViewKey::from_secret([n; 32]));
        let views = [mine.clone()];
        for code in [ErrorCode::NotMine, ErrorCode::Malformed] {
            let plain = opened(HailAnswer::Error(code), &views, &his.key());
            assert!(matches!(plain, Err(SpeakFault::Unopened(said)) if said == code), "{plain:?}");
            let said = wire::encode(&PayAnswer::Error(code));
            let seals = |key: &ViewKey| seal::seal(key, &mine.key(), &said, &mut chance()).unwrap();
            let sealed = opened(HailAnswer::Sealed(seals(&his)), &views, &his.key());
            assert_eq!(sealed.unwrap(), PayAnswer::Error(code));
            assert!(!code.is_passing(), "the payer takes the units back");
            let strangers = opened(HailAnswer::Sealed(seals(&other)), &views, &his.key());
            assert!(matches!(strangers, Err(SpeakFault::Garbled)), "{strangers:?}");
        }
    }
}
