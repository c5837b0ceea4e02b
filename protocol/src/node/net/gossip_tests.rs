//! Rumours between nodes on real loopback sockets. They wait for conditions, never for a time.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::mpsc, time::timeout};

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);
const LISTEN: &str = "/ip4/127.0.0.1/tcp/0";

/// A rumour that begins with «true» is true; each is news once.
struct Ears {
    listens: bool,
    heard: mpsc::Sender<Vec<u8>>,
    known: Mutex<HashSet<Vec<u8>>>,
}

impl RecordCheck for Ears {
    fn check(&self, _: &[u8], _: &[u8]) -> Option<u64> {
        None
    }

    fn addresses(&self, _: &[u8]) -> Vec<Multiaddr> {
        Vec::new()
    }

    fn hears_rumours(&self) -> bool {
        self.listens
    }

    fn rumour(&self, bytes: &[u8]) -> Rumour {
        if !bytes.starts_with(b"true") {
            return Rumour::False;
        }
        if !lock(&self.known).insert(bytes.to_vec()) {
            return Rumour::Known;
        }
        let _ = self.heard.try_send(bytes.to_vec());
        Rumour::News
    }
}

struct Ear {
    net: Net,
    heard: mpsc::Receiver<Vec<u8>>,
    _inbound: mpsc::Receiver<Inbound>,
}

fn node(listens: bool, bootstrap: Vec<Multiaddr>, limits: Limits) -> Ear {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).unwrap();
    let config = NetConfig {
        secret,
        listen: vec![LISTEN.parse().unwrap()],
        bootstrap,
        external: vec![],
        role: Role::Client,
        mdns: false,
        neighbours: vec![],
        carried: None,
    };
    let (sender, heard) = mpsc::channel(64);
    let ears = Ears { listens, heard: sender, known: Mutex::default() };
    let (net, inbound) = start_with(config, Arc::new(ears), limits).unwrap();
    Ear { net, heard, _inbound: inbound }
}

impl Ear {
    async fn address(&self) -> Multiaddr {
        let first = self.net.listening().await.remove(0);
        first.with_p2p(self.net.peer_id()).unwrap()
    }

    /// Says it again and again, each time in other words, until `listener` has heard one.
    async fn is_heard_by(&self, listener: &mut Ear, words: &str) {
        let said = async {
            for time in 0u32.. {
                self.net.spread(format!("{words} {time}").into_bytes()).await;
                if let Ok(Some(heard)) = timeout(Duration::from_millis(200), listener.heard.recv()).await {
                    return heard;
                }
            }
            Vec::new()
        };
        let heard = timeout(PATIENCE, said).await.unwrap();
        assert!(heard.starts_with(words.as_bytes()), "{heard:?}");
    }
}

/// Y6: what the bank says reaches a node that is connected to another one only; the bank itself does not listen.
#[tokio::test(flavor = "multi_thread")]
async fn a_rumour_is_passed_on() {
    let bank = node(false, vec![], Limits::TABLE);
    let mut near = node(true, vec![bank.address().await], Limits::TABLE);
    let mut far = node(true, vec![near.address().await], Limits::TABLE);
    bank.is_heard_by(&mut far, "true: the bank says so").await;
    assert!(near.heard.recv().await.unwrap().starts_with(b"true"));
}

/// A stranger who floods with lies is banned, none of them is passed on, and true words pass as before.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_s_flood_ends_with_a_ban() {
    let mut near = node(true, vec![], Limits::TABLE);
    let near_address = near.address().await;
    let mut far = node(true, vec![near_address.clone()], Limits::TABLE);
    let stranger = node(true, vec![near_address.clone()], Limits::TABLE);
    let friend = node(true, vec![near_address], Limits::TABLE);
    friend.is_heard_by(&mut far, "true: before").await;
    let flood = async {
        let mut status = near.net.status();
        for lie in 0u64.. {
            let mut long = lie.to_be_bytes().to_vec();
            long.resize(1000, 7);
            stranger.net.spread(long).await;
            if timeout(Duration::from_millis(2), status.wait_for(|now| now.banned > 0)).await.is_ok() {
                return lie;
            }
        }
        0
    };
    let lies = timeout(PATIENCE, flood).await.unwrap();
    assert!(lies < 5_000, "{lies} lies were listened to");
    friend.is_heard_by(&mut far, "true: after").await;
    while let Ok(heard) = far.heard.try_recv() {
        assert!(heard.starts_with(b"true"));
    }
    while let Ok(heard) = near.heard.try_recv() {
        assert!(heard.starts_with(b"true"));
    }
}

/// What is larger than the table says is not even looked at.
#[tokio::test(flavor = "multi_thread")]
async fn a_rumour_has_a_limit() {
    let mut near = node(true, vec![], Limits { rumour_bytes: 64, ..Limits::TABLE });
    let friend = node(true, vec![near.address().await], Limits::TABLE);
    friend.is_heard_by(&mut near, "true: short").await;
    let long = format!("true: {}", "long ".repeat(20));
    friend.net.spread(long.into_bytes()).await;
    friend.is_heard_by(&mut near, "true: short again").await;
    while let Ok(heard) = near.heard.try_recv() {
        assert!(heard.len() <= 64);
    }
}
