//! The line to the bank: questions, the directory, and where we can be found (SPEC §4, §6).

use super::Engine;
use super::input::Input;
use super::vault::VaultWord;
use super::way::Way;
use crate::store::{Page, Store as _};
use crate::wallet::vault::Quarantine;
use protocol::bank::AddressRecord;
use protocol::id::Key;
use protocol::node::address::address_record;
use protocol::node::net::{AskError, Multiaddr, Net, NetStatus, PeerId, Protocol, ask_once, peer_of};
use protocol::wire::{self, BankAnswer, BankAsk, ENTRIES_MAX, EPOCHS_MAX};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Mutex;

/// How often the directory is asked for news.
const SYNC_EVERY: Duration = Duration::from_secs(60);
/// Addresses of so many others are kept for the time without the bank; in a small town that is everybody.
const KEPT_ADDRESSES: usize = 256;
/// How often each of them is fetched again.
const LOOK_UP_EVERY: Duration = Duration::from_secs(600);
/// How often our address is published again, or looked at for changes.
const PUBLISH_EVERY: Duration = Duration::from_secs(60);

/// Most pages of the directory that are copied in a turn: a bank whose list has no end keeps nobody busy for ever.
const PAGES_A_TURN: u32 = 64;

/// A page of the directory that is not the last.
struct Copied {
    /// Whether it has as many entries as a page can.
    full: bool,
    /// Entries between it and the head.
    left: u64,
}

/// How far a turn of copying has come.
#[derive(Default)]
struct Turn {
    pages: u32,
    left: Option<u64>,
}

impl Turn {
    /// Whether the next page is asked for now. The turn ends as well when the bank gives less than it could and the
    /// head runs away from us; the next one goes on where it stopped.
    fn goes_on(&mut self, page: Copied) -> bool {
        let nearer = self.left.is_none_or(|before| page.left < before);
        (self.pages, self.left) = (self.pages.saturating_add(1), Some(page.left));
        self.pages < PAGES_A_TURN && (page.full || nearer)
    }
}

/// Why the bank gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum LinkFault {
    /// The network.
    #[error("the bank can't be reached: {0}")]
    Unreachable(#[from] AskError),
    /// What came back can't be read.
    #[error("the bank's answer can't be read")]
    Garbled,
}

/// The bank-node, as seen from here.
pub struct BankLink {
    engine: Engine,
    net: Net,
    bank: PeerId,
    /// With the peer id at the end.
    addresses: Vec<Multiaddr>,
    way: Arc<Way>,
    /// Held while the directory is copied; when each node's address was last fetched.
    syncing: Mutex<HashMap<Key, Duration>>,
}

impl BankLink {
    /// A link to the node `bank` at `addresses`, or by `way` of somebody else.
    pub fn new(
        engine: Engine,
        net: Net,
        (bank, addresses): (PeerId, Vec<Multiaddr>),
        way: Arc<Way>,
    ) -> BankLink {
        BankLink { engine, net, bank, addresses, way, syncing: Mutex::default() }
    }

    /// Whether the bank is in reach, as it changes.
    pub fn status(&self) -> tokio::sync::watch::Receiver<NetStatus> {
        self.net.status()
    }

    /// Asks as ourselves.
    pub async fn ask(&self, ask: &BankAsk) -> Result<BankAnswer, LinkFault> {
        self.ask_bytes(wire::encode(ask)).await
    }

    /// Asks as ourselves what is on disk already.
    pub async fn ask_bytes(&self, ask: Vec<u8>) -> Result<BankAnswer, LinkFault> {
        let bytes = self.net.ask(self.bank, &self.addresses, Protocol::Bank, ask).await?;
        wire::decode(&bytes).map_err(|_| LinkFault::Garbled)
    }

    /// Asks as nobody: over a connection with a throw-away identity, so that the bank can't tell who refreshes (N15).
    pub async fn ask_anonymously(&self, ask: Vec<u8>) -> Result<BankAnswer, LinkFault> {
        let bytes = match self.way.side_door().await {
            Some(door) => ask_once(&[door], Protocol::Bank, ask).await?,
            None => ask_once(&self.addresses, Protocol::Bank, ask).await?,
        };
        wire::decode(&bytes).map_err(|_| LinkFault::Garbled)
    }

    /// The name of the shop by whose way the bank is reached, if it is not straight.
    pub fn by_way_of(&self) -> Option<String> {
        self.way.by()
    }

    /// Asks for the issue keys that an answer needs and that we never saw: who was away for months, or has an older
    /// disk, is given roots of a day whose key is in no list any more.
    pub async fn learn_keys_for(&self, answer: &BankAnswer) {
        let known = self.engine.shared.keys();
        let new = |epoch: &u32| known.issue_certificate(*epoch).is_none();
        let epochs: Vec<u32> = answer.epochs().into_iter().filter(new).collect();
        for page in epochs.chunks(EPOCHS_MAX) {
            // Asked as nobody, since what needs the keys may have been.
            match self.ask_anonymously(wire::encode(&BankAsk::IssueKeys(page.to_vec()))).await {
                Ok(BankAnswer::IssueKeys(keys)) => self.engine.tell(Input::BankKeys(keys)).await,
                Ok(_) | Err(_) => {
                    tracing::warn!("issue keys of the bank that are new here could not be asked for")
                }
            }
        }
    }

    /// Whether the bank-node is connected.
    pub fn is_there(&self) -> bool {
        self.net.status().borrow().bootstrap
    }

    /// Copies what is new in the directory; one copy at a time, and a fault only means that it stays as it was.
    pub async fn sync_directory(&self) {
        if !self.net.status().borrow().bootstrap {
            return;
        }
        let Ok(mut looked_up) = self.syncing.try_lock() else {
            // Somebody is at it: wait for him, that is as good.
            drop(self.syncing.lock().await);
            return;
        };
        let mut turn = Turn::default();
        while let Some(page) = self.sync_page().await
            && turn.goes_on(page)
        {}
        self.engine.shared.renew_papers();
        if self.engine.shared.is_replaced() {
            let word = VaultWord::Quarantine(Quarantine::OlderGeneration);
            self.engine.tell(Input::Vault(word)).await;
        }
        self.look_up(&mut looked_up).await;
    }

    /// Fetches where others are, so that they are found when the bank can't be asked. In a small town that is
    /// everybody, so nobody learns who looks for whom.
    async fn look_up(&self, looked_up: &mut HashMap<Key, Duration>) {
        let shared = &self.engine.shared;
        let (own, now) = (shared.persona.node.key(), shared.clock.monotonic());
        let nodes = shared.store.nodes(KEPT_ADDRESSES).unwrap_or_default();
        let due = |at: &Duration| now.saturating_sub(*at) >= LOOK_UP_EVERY;
        let wanted = nodes.into_iter().filter(|node| *node != own && looked_up.get(node).is_none_or(due));
        for node in wanted.collect::<Vec<_>>() {
            if let Ok(peer) = peer_of(&node.0) {
                self.net.look_up(peer).await;
            }
            looked_up.insert(node, now);
        }
    }

    async fn sync_page(&self) -> Option<Copied> {
        let shared = &self.engine.shared;
        let since = match shared.store.directory_head() {
            Ok((sequence, _)) => sequence,
            Err(fault) => {
                tracing::error!(%fault, "the directory can't be read");
                return None;
            }
        };
        let Ok(BankAnswer::Directory(page)) = self.ask(&BankAsk::Directory(since)).await else {
            return None;
        };
        let entries = page.entries.len();
        let copied = since.saturating_add(u64::try_from(entries).unwrap_or(u64::MAX));
        let left = page.head.unverified().sequence.saturating_sub(copied);
        let mut keys = (*shared.keys()).clone();
        let mut news = Vec::new();
        for certificate in &page.keys {
            match keys.learn(certificate.clone()) {
                Ok(true) => news.push(certificate.clone()),
                Ok(false) => {}
                Err(flaw) => tracing::error!(%flaw, "the bank shows a key that is not in order"),
            }
        }
        if !news.is_empty() {
            self.engine.tell(Input::BankKeys(news)).await;
        }
        let store = shared.store.clone();
        let taken = tokio::task::spawn_blocking(move || store.take_directory(*page, &keys)).await;
        match taken {
            Ok(Ok(more)) => {
                shared.directory_version.fetch_add(1, Ordering::Relaxed);
                more.then_some(Copied { full: entries >= ENTRIES_MAX, left })
            }
            Ok(Err(flaw)) => {
                tracing::error!(%flaw, "a page of the directory is refused");
                None
            }
            Err(_) => None,
        }
    }

    /// Shows the bank its own newest letter: one that was opened on old books stops before it takes anybody's money a
    /// second time (threats X7). Who has no letter has nothing to show.
    async fn bear_witness(&self) {
        let store = self.engine.shared.store.clone();
        let newest =
            tokio::task::spawn_blocking(move || store.letters(Page { before: None, limit: 1 })).await;
        let Ok(Ok(letters)) = newest else { return };
        for letter in letters {
            let number = letter.unverified().number;
            match self.ask(&BankAsk::Witness(letter)).await {
                Ok(BankAnswer::Noted) => {}
                Ok(BankAnswer::Error(code)) => {
                    tracing::warn!(number, code = code.word(), "the bank says nothing to its own letter");
                }
                Ok(_) => tracing::warn!(number, "the bank answered something else to its own letter"),
                // Asked again when it is in reach again.
                Err(fault) => tracing::debug!(%fault, "the bank was not shown its letter"),
            }
        }
    }

    /// Tells the engine whether the bank is in reach, for ever.
    pub async fn watch_bank(self: Arc<Self>) {
        let mut status = self.net.status();
        loop {
            let reachable = status.borrow_and_update().bootstrap;
            self.engine.tell(Input::BankReachable(reachable)).await;
            if reachable {
                self.bear_witness().await;
                self.sync_directory().await;
            }
            if status.changed().await.is_err() {
                return;
            }
        }
    }

    /// Copies the directory now and then, for ever.
    pub async fn keep_directory(self: Arc<Self>) {
        loop {
            tokio::time::sleep(SYNC_EVERY).await;
            self.sync_directory().await;
        }
    }

    /// Publishes where this workstation is found, and again when that changes or has become old.
    pub async fn keep_address(self: Arc<Self>) {
        let mut published: Option<(Vec<Multiaddr>, u64)> = None;
        // A record counts seconds, and the servers keep the first of a second. A workstation that was killed and
        // started within one would stay at its old address, so the first record is followed by another.
        let mut settled = false;
        loop {
            let addresses = self.net.external().await;
            let now = self.engine.shared.now();
            let stale = published.as_ref().is_none_or(|(before, at)| {
                !settled || *before != addresses || now.0 > at + AddressRecord::SECONDS_MAX / 2
            });
            if stale && !addresses.is_empty() {
                let node = &self.engine.shared.persona.node;
                let (key, record) = address_record(node, &addresses, now);
                match self.net.publish(key.0.to_vec(), record).await {
                    Ok(()) => {
                        settled = published.is_some_and(|(_, before)| before < now.0);
                        published = Some((addresses, now.0));
                    }
                    Err(fault) => tracing::debug!(%fault, "our address is not published yet"),
                }
            }
            tokio::time::sleep(if settled { PUBLISH_EVERY } else { Duration::from_secs(1) }).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Y6: a bank that makes up entries for ever, full pages of them or one by one, has an end in each turn.
    #[test]
    fn a_directory_without_end_ends_the_turn() {
        let pages = |full, left: fn(u64) -> u64| {
            let mut turn = Turn::default();
            (0..10_000).take_while(|at| turn.goes_on(Copied { full, left: left(*at) })).count() + 1
        };
        assert_eq!(pages(true, |_| 1), 64, "always one more");
        assert_eq!(pages(false, |_| 1_000), 2, "the head does not come nearer");
        assert_eq!(pages(false, |at| 100_000 - at), 64, "it comes nearer by crumbs");
        assert_eq!(pages(true, |at| 100_000 - at), 64, "a large town is copied in several turns");
    }
}
