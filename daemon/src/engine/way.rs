//! A way to the bank by a shop near by, while there is none of one's own (M3, SPEC §5.5, ADR 0007).
//!
//! ```text
//! straight ─ lost ─▶ a moment's grace ─▶ shops near by, one after the other ─▶ carried, until it ends ─▶ straight first
//! ```

use super::handle::Shared;
use super::near;
use protocol::node::net::{Multiaddr, Net, NetStatus, PeerId, Protocol};
use protocol::wire::{self, Hail};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// How long the straight way is waited for, before somebody else is asked.
const GRACE: Duration = Duration::from_secs(2);
/// How long the handshake with the bank may take through a shop.
const HANDSHAKE: Duration = Duration::from_secs(12);
/// The first pause after nobody carried us; it doubles.
const PAUSE_FIRST: Duration = Duration::from_secs(2);
/// The longest one.
const PAUSE_LAST: Duration = Duration::from_secs(60);

/// Who carries.
#[derive(Clone, Debug)]
struct Carrier {
    peer: PeerId,
    name: String,
}

/// How the bank is reached while it isn't straight.
pub struct Way {
    shared: Arc<Shared>,
    net: Net,
    bank: PeerId,
    /// Nodes that the settings name: asked whatever the directory knows of them.
    named: Vec<PeerId>,
    by: Mutex<Option<Carrier>>,
}

impl Way {
    /// A way to `bank`; the owner has named these neighbours himself.
    pub fn new(shared: Arc<Shared>, net: Net, bank: PeerId, named: Vec<PeerId>) -> Way {
        Way { shared, net, bank, named, by: Mutex::default() }
    }

    /// The name of the shop that carries us to the bank now.
    pub fn by(&self) -> Option<String> {
        self.carrier().map(|carrier| carrier.name)
    }

    fn carrier(&self) -> Option<Carrier> {
        let by = self.by.lock().unwrap_or_else(PoisonError::into_inner);
        by.clone().filter(|_| self.net.status().borrow().carried)
    }

    /// Another door to the bank, for a question under another name; nothing while there is a straight way.
    pub(super) async fn side_door(&self) -> Option<Multiaddr> {
        let carrier = self.carrier()?;
        let (door, _) = self.net.door(carrier.peer).await.ok()?;
        door.with_p2p(self.bank).ok()
    }

    /// Looks for a way whenever there is none, for ever.
    pub async fn keep(self: Arc<Self>) {
        let mut status = self.net.status();
        let mut pause = PAUSE_FIRST;
        loop {
            if status.wait_for(|status| !status.bootstrap).await.is_err() {
                return;
            }
            let is_back = is_there_within(&mut status, GRACE).await || self.find(&mut status).await;
            if is_back {
                pause = PAUSE_FIRST;
                continue;
            }
            is_there_within(&mut status, pause).await;
            pause = (pause * 2).min(PAUSE_LAST);
        }
    }

    /// Whether somebody carries us now.
    async fn find(&self, status: &mut watch::Receiver<NetStatus>) -> bool {
        for carrier in self.carriers() {
            match self.go_by(&carrier, status).await {
                Ok(()) => {
                    tracing::info!(shop = carrier.name, "the bank is reached by way of a shop");
                    return true;
                }
                Err(why) => tracing::debug!(shop = carrier.name, %why, "not carried"),
            }
        }
        false
    }

    /// Shops by the directory, however old our copy of it is: they can read nothing, so nothing rests on their papers.
    fn carriers(&self) -> Vec<Carrier> {
        let near = near::shops(&self.shared, &self.net).unwrap_or_default();
        let shops = near.iter().filter_map(near::node_of).map(|(peer, name)| Carrier { peer, name });
        let mut carriers: Vec<Carrier> = shops.collect();
        for peer in &self.named {
            if carriers.iter().all(|known| known.peer != *peer) {
                carriers.push(Carrier { peer: *peer, name: peer.to_string() });
            }
        }
        carriers
    }

    async fn go_by(&self, carrier: &Carrier, status: &mut watch::Receiver<NetStatus>) -> Result<(), String> {
        // The greeting is only there to have a connection: who he is, the key in his address says.
        let hello = wire::encode(&Hail::Hello);
        let greeted = self.net.ask(carrier.peer, &[], Protocol::Pay, hello).await;
        greeted.map_err(|why| why.to_string())?;
        let (door, _) = self.net.door(carrier.peer).await.map_err(|why| why.to_string())?;
        *self.by.lock().unwrap_or_else(PoisonError::into_inner) = Some(carrier.clone());
        self.net.enter(self.bank, door).await;
        match is_there_within(status, HANDSHAKE).await {
            true => Ok(()),
            false => Err("what is at the other end is not the bank".to_owned()),
        }
    }
}

async fn is_there_within(status: &mut watch::Receiver<NetStatus>, time: Duration) -> bool {
    matches!(timeout(time, status.wait_for(|status| status.bootstrap)).await, Ok(Ok(_)))
}
