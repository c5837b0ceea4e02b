//! Scenes between nodes on real loopback sockets. They wait for conditions, never for a time.

use std::{collections::HashSet, future::Future, io, time::Duration};

use ed25519_dalek::{Signer, SigningKey, Verifier, VerifyingKey};
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, StreamExt};
use libp2p::{
    StreamProtocol,
    request_response::{self, ProtocolSupport},
    swarm::SwarmEvent,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use super::*;

const TCP: &str = "/ip4/127.0.0.1/tcp/0";
const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";
const PATIENCE: Duration = Duration::from_secs(30);

/// Records of the scenes: signature, sequence, then the addresses, one a line.
struct Signed;

impl RecordCheck for Signed {
    fn check(&self, key: &[u8], value: &[u8]) -> Option<u64> {
        let (signature, signed) = value.split_at_checked(64)?;
        let key = VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
        key.verify(signed, &ed25519_dalek::Signature::from_slice(signature).ok()?).ok()?;
        Some(u64::from_be_bytes(signed.get(..8)?.try_into().ok()?))
    }

    fn addresses(&self, value: &[u8]) -> Vec<Multiaddr> {
        let text = std::str::from_utf8(&value[72..]).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }
}

fn record(secret: [u8; 32], sequence: u64, addresses: &[Multiaddr]) -> (Vec<u8>, Vec<u8>) {
    let key = SigningKey::from_bytes(&secret);
    let mut signed = sequence.to_be_bytes().to_vec();
    for address in addresses {
        signed.extend(format!("{address}\n").bytes());
    }
    let value = [&key.sign(&signed).to_bytes()[..], &signed].concat();
    (key.verifying_key().to_bytes().to_vec(), value)
}

struct Node {
    net: Net,
    inbound: mpsc::Receiver<Inbound>,
    secret: [u8; 32],
}

/// How a scene wants its node.
struct Wish<'a> {
    role: Role,
    listen: &'a [&'a str],
    bootstrap: Vec<Multiaddr>,
    limits: Limits,
    secret: [u8; 32],
    carried: Option<mpsc::Sender<CarryAsked>>,
}

impl Default for Wish<'_> {
    fn default() -> Self {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).unwrap();
        let (listen, limits) = (&[TCP, QUIC], Limits::TABLE);
        Self { role: Role::Client, listen, bootstrap: vec![], limits, secret, carried: None }
    }
}

impl Wish<'_> {
    fn start(self) -> Node {
        let config = NetConfig {
            secret: self.secret,
            listen: self.listen.iter().map(|address| address.parse().unwrap()).collect(),
            bootstrap: self.bootstrap,
            external: vec![],
            role: self.role,
            mdns: false,
            neighbours: vec![],
            carried: self.carried,
        };
        let (net, inbound) = start_with(config, Arc::new(Signed), self.limits).unwrap();
        Node { net, inbound, secret: self.secret }
    }
}

fn node() -> Node {
    Wish::default().start()
}

fn server() -> Node {
    Wish { role: Role::Server, ..Wish::default() }.start()
}

impl Node {
    fn peer(&self) -> PeerId {
        self.net.peer_id()
    }

    async fn over(&self, transport: &str) -> Vec<Multiaddr> {
        let mut addresses = self.net.listening().await;
        addresses.retain(|address| address.to_string().contains(transport));
        assert!(!addresses.is_empty(), "{transport} is listened on");
        addresses
    }

    /// With `/p2p/…`.
    async fn full(&self, transport: &str) -> Vec<Multiaddr> {
        self.over(transport).await.into_iter().map(|address| address.with_p2p(self.peer()).unwrap()).collect()
    }

    /// Answers everything with «re: » and the question, from now on.
    fn echoes(self) -> Net {
        let Self { net, mut inbound, .. } = self;
        tokio::spawn(async move {
            while let Some(Inbound { body, answer, .. }) = inbound.recv().await {
                answer.send([b"re: ", &body[..]].concat());
            }
        });
        net
    }

    /// Publishes where it is.
    async fn publishes(&self, sequence: u64) {
        let (key, value) = record(self.secret, sequence, &self.net.external().await);
        in_time(async { while self.net.publish(key.clone(), value.clone()).await.is_err() {} }).await;
    }
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("this should have happened by now")
}

/// Waits until the status is as wished.
async fn until(net: &Net, wish: impl FnMut(&NetStatus) -> bool) {
    in_time(net.status().wait_for(wish)).await.unwrap();
}

async fn ask(net: &Net, peer: PeerId, hints: &[Multiaddr], body: &[u8]) -> Result<Vec<u8>, AskError> {
    in_time(net.ask(peer, hints, Protocol::Pay, body.to_vec())).await
}

#[tokio::test]
async fn two_nodes_ask_each_other_over_each_transport() {
    for transport in ["tcp", "quic-v1"] {
        let (alice, bob) = (node(), node());
        let (at_bob, alices, bobs) = (bob.over(transport).await, alice.peer(), bob.peer());
        let (alice, bob) = (alice.echoes(), bob.echoes());
        assert_eq!(ask(&alice, bobs, &at_bob, b"one").await.unwrap(), b"re: one");
        assert_eq!(ask(&bob, alices, &[], b"two").await.unwrap(), b"re: two", "over the same connection");
        let bank = in_time(bob.ask(alices, &[], Protocol::Bank, Vec::new())).await;
        assert_eq!(bank.unwrap(), b"re: ", "an empty question is a question");
        assert_eq!(alice.known(bobs), at_bob);
        assert!(bob.known(alices).is_empty(), "an inbound connection says nothing about where to dial");
    }
}

#[tokio::test]
async fn the_peer_is_the_one_that_proved_its_key() {
    let (alice, mut bob) = (node(), node());
    let at_bob = bob.over("tcp").await;
    let mut asks = JoinSet::new();
    let (net, bobs) = (alice.net.clone(), bob.peer());
    asks.spawn(async move { ask(&net, bobs, &at_bob, b"who?").await });
    let inbound = in_time(bob.inbound.recv()).await.unwrap();
    assert_eq!(inbound.peer, alice.peer());
    let key = SigningKey::from_bytes(&alice.secret).verifying_key().to_bytes();
    assert_eq!(peer_of(&key).unwrap(), inbound.peer);
    assert_eq!(node_key_of(&inbound.peer), Some(key));
    inbound.answer.send(b"you".to_vec());
    assert_eq!(in_time(asks.join_next()).await.unwrap().unwrap(), Ok(b"you".to_vec()));
    let nobody = PeerId::random();
    let refused = ask(&alice.net, nobody, &bob.over("tcp").await, b"x").await.unwrap_err();
    assert_eq!(refused, AskError::Unreachable, "somebody else answers at that address");
}

#[tokio::test]
async fn hundreds_of_requests_wait_in_line_and_none_fails() {
    for transport in ["tcp", "quic-v1"] {
        let (alice, bob) = (node(), node());
        let (at_bob, alices, bobs) = (bob.over(transport).await, alice.peer(), bob.peer());
        let (alice, bob) = (alice.echoes(), bob.echoes());
        let mut asks = JoinSet::new();
        for n in 0_u32..200 {
            let (alice, bob, at_bob) = (alice.clone(), bob.clone(), at_bob.clone());
            asks.spawn(async move {
                let body = n.to_be_bytes().repeat(256);
                let there = ask(&alice, bobs, &at_bob, &body).await.unwrap();
                let back = ask(&bob, alices, &[], &body).await.unwrap();
                assert_eq!(there, [b"re: ", &body[..]].concat());
                assert_eq!(there, back);
            });
        }
        assert_eq!(in_time(asks.join_all()).await.len(), 200);
        assert_eq!(bob.status().borrow().dropped, 0);
    }
}

#[tokio::test]
async fn bodies_have_limits_in_both_directions() {
    let small = Limits {
        pay: limits::Row { request_bytes: 64, answer_bytes: 64, ..Limits::TABLE.pay },
        ..Limits::TABLE
    };
    let (alice, strict) = (node(), Wish { limits: small, ..Wish::default() }.start());
    let at_strict = strict.over("tcp").await;
    let (alices, stricts) = (alice.peer(), strict.peer());
    let (alice, strict) = (alice.echoes(), strict.echoes());
    let whole = vec![7; Limits::TABLE.pay.request_bytes + 1];
    let error = ask(&alice, stricts, &at_strict, &whole).await.unwrap_err();
    assert_eq!(error, AskError::RequestTooBig);
    assert!(error.is_certainly_unsent());
    // Beyond what the other side takes: it closes the stream without reading on.
    let error = ask(&alice, stricts, &at_strict, &[7; 65]).await.unwrap_err();
    assert!(!error.is_certainly_unsent(), "{error:?}: bytes have left");
    // The answer is four bytes longer than the question.
    let error = ask(&strict, alices, &[], &[7; 64]).await.unwrap_err();
    assert_eq!(error, AskError::AnswerTooBig);
    assert_eq!(ask(&strict, alices, &[], &[7; 60]).await.unwrap().len(), 64);
    let largest = vec![7; Limits::TABLE.pay.request_bytes - 4];
    let bob = node();
    let (at_bob, bobs) = (bob.over("tcp").await, bob.peer());
    let _bob = bob.echoes();
    assert_eq!(ask(&alice, bobs, &at_bob, &largest).await.unwrap().len(), largest.len() + 4);
}

#[tokio::test]
async fn an_answer_that_is_dropped_is_seen_at_once_as_busy() {
    for transport in ["tcp", "quic-v1"] {
        let (alice, mut bob) = (node(), node());
        let (at_bob, bobs) = (bob.over(transport).await, bob.peer());
        tokio::spawn(async move { while bob.inbound.recv().await.is_some() {} });
        let error = ask(&alice.net, bobs, &at_bob, b"hello").await.unwrap_err();
        assert_eq!(error, AskError::Busy);
        assert!(!error.is_certainly_unsent());
    }
}

#[tokio::test]
async fn a_full_queue_is_busy_and_the_swarm_goes_on() {
    let limits = Limits { inbound_queue: 1, ..Limits::TABLE };
    let (alice, mut bob) = (node(), Wish { limits, ..Wish::default() }.start());
    let (at_bob, bobs) = (bob.over("tcp").await, bob.peer());
    let mut asks = JoinSet::new();
    for _ in 0..4 {
        let (net, at_bob) = (alice.net.clone(), at_bob.clone());
        asks.spawn(async move { ask(&net, bobs, &at_bob, b"hello").await });
    }
    // Nobody takes from the queue, so three are refused while the first waits.
    for _ in 0..3 {
        assert_eq!(in_time(asks.join_next()).await.unwrap().unwrap(), Err(AskError::Busy));
    }
    in_time(bob.inbound.recv()).await.unwrap().answer.send(b"now".to_vec());
    assert_eq!(in_time(asks.join_next()).await.unwrap().unwrap(), Ok(b"now".to_vec()));
    assert_eq!(bob.net.status().borrow().dropped, 3);
}

#[tokio::test]
async fn somebody_without_an_address_is_not_found() {
    let bank = server();
    let alone = ask(&node().net, PeerId::random(), &[], b"x").await.unwrap_err();
    let bootstrap = bank.full("tcp").await;
    let alice = Wish { bootstrap, ..Wish::default() }.start();
    until(&alice.net, |status| status.bootstrap).await;
    let asked_around = ask(&alice.net, PeerId::random(), &[], b"x").await.unwrap_err();
    for error in [alone, asked_around] {
        assert_eq!(error, AskError::NotFound);
        assert!(error.is_certainly_unsent());
    }
    let nobody_there = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
    let error = ask(&alice.net, PeerId::random(), &[nobody_there], b"x").await.unwrap_err();
    assert_eq!(error, AskError::Unreachable);
    assert!(error.is_certainly_unsent());
}

#[tokio::test]
async fn a_peer_is_found_through_the_bank_by_its_key_alone() {
    for transport in ["tcp", "quic-v1"] {
        let bank = server();
        let bootstrap = bank.full(transport).await;
        let alice = Wish { bootstrap: bootstrap.clone(), ..Wish::default() }.start();
        let bob = Wish { bootstrap, ..Wish::default() }.start();
        bob.publishes(1).await;
        let bobs = bob.peer();
        let _bob = bob.echoes();
        assert_eq!(ask(&alice.net, bobs, &[], b"found?").await.unwrap(), b"re: found?");
    }
}

#[tokio::test]
async fn what_no_server_took_goes_out_again_by_itself() {
    let bank = server();
    let limits = Limits { republish: Duration::from_millis(200), ..Limits::TABLE };
    let (bootstrap, secret) = (bank.full("tcp").await, bank.secret);
    let bare = bank.over("tcp").await[0].to_string();
    in_time(bank.net.stop()).await;
    let bob = Wish { bootstrap: bootstrap.clone(), limits, ..Wish::default() }.start();
    let (key, value) = record(bob.secret, 1, &bob.net.external().await);
    assert!(matches!(in_time(bob.net.publish(key, value)).await, Err(NetError::Unpublished)));
    let _bank = Wish { role: Role::Server, listen: &[&bare], secret, ..Wish::default() }.start();
    let alice = Wish { bootstrap, ..Wish::default() }.start();
    let bobs = bob.peer();
    let _bob = bob.echoes();
    in_time(async { while ask(&alice.net, bobs, &[], b"where?").await.is_err() {} }).await;
}

/// Whoever is in the table is dialled and told what others look for, so a stranger must not get in, whatever
/// he says of himself.
#[tokio::test]
async fn a_server_that_nobody_pinned_is_not_asked() {
    let (bank, mallory) = (server(), server());
    let bob = Wish { bootstrap: bank.full("tcp").await, ..Wish::default() }.start();
    let carol = Wish { bootstrap: mallory.full("tcp").await, ..Wish::default() }.start();
    // Only mallory keeps carol's record.
    carol.publishes(1).await;
    let (carols, bobs, banks) = (carol.peer(), bob.peer(), bank.peer());
    let (at_bank, at_bob) = (bank.over("tcp").await, bob.over("tcp").await);
    let (bank, bob, _carol) = (bank.echoes(), bob.echoes(), carol.echoes());
    for (peer, at) in [(banks, at_bank), (bobs, at_bob)] {
        for _ in 0..20 {
            assert_eq!(ask(&mallory.net, peer, &at, b"hello").await.unwrap(), b"re: hello");
        }
    }
    for net in [bob, bank] {
        assert_eq!(ask(&net, carols, &[], b"there?").await, Err(AskError::NotFound));
    }
}

#[tokio::test]
async fn a_wrong_hint_costs_a_dial_and_the_bank_helps() {
    let bank = server();
    let bootstrap = bank.full("tcp").await;
    let alice = Wish { bootstrap: bootstrap.clone(), ..Wish::default() }.start();
    let bob = Wish { bootstrap, ..Wish::default() }.start();
    bob.publishes(1).await;
    let bobs = bob.peer();
    let _bob = bob.echoes();
    let stale = bank.over("tcp").await;
    assert_eq!(ask(&alice.net, bobs, &stale, b"found?").await.unwrap(), b"re: found?");
}

#[tokio::test]
async fn forged_records_are_refused_and_the_newest_wins() {
    let (bank, bob) = (server(), node());
    let (at_bob, bobs) = (bob.over("tcp").await, bob.peer());
    let (key, newest) = record(bob.secret, 5, &at_bob);
    let (_, older) = record(bob.secret, 4, &bank.over("tcp").await);
    let (_, twin) = record(bob.secret, 5, &bank.over("tcp").await);
    let mut forged = newest.clone();
    *forged.last_mut().unwrap() ^= 1;
    let (_, stolen) = record([9; 32], 6, &at_bob);
    for (what, expected) in [(&forged, "not valid"), (&stolen, "not valid")] {
        let refused = bank.net.publish(key.clone(), what.clone()).await.unwrap_err();
        assert!(refused.to_string().contains(expected), "{refused}");
    }
    bank.net.publish(key.clone(), newest.clone()).await.unwrap();
    bank.net.publish(key.clone(), newest.clone()).await.unwrap();
    for late in [older, twin] {
        assert!(matches!(bank.net.publish(key.clone(), late).await, Err(NetError::OldRecord)));
    }
    let alice = Wish { bootstrap: bank.full("tcp").await, ..Wish::default() }.start();
    let _bob = bob.echoes();
    assert_eq!(ask(&alice.net, bobs, &[], b"where?").await.unwrap(), b"re: where?");
}

#[tokio::test]
async fn the_bank_keeps_the_newer_record_whoever_brings_the_older_one() {
    let bank = server();
    let bootstrap = bank.full("tcp").await;
    let bob = Wish { bootstrap: bootstrap.clone(), ..Wish::default() }.start();
    bob.publishes(7).await;
    // A peer that has seen only the older record brings it again, then a forged one.
    let parrot = Wish { bootstrap: bootstrap.clone(), ..Wish::default() }.start();
    let (key, older) = record(bob.secret, 6, &["/ip4/127.0.0.1/tcp/1".parse().unwrap()]);
    in_time(async { while parrot.net.publish(key.clone(), older.clone()).await.is_err() {} }).await;
    let alice = Wish { bootstrap, ..Wish::default() }.start();
    let bobs = bob.peer();
    let _bob = bob.echoes();
    assert_eq!(ask(&alice.net, bobs, &[], b"still there?").await.unwrap(), b"re: still there?");
}

/// Forged records reach the bank only from a program that does not check: its peer pays for it.
#[tokio::test]
async fn who_brings_forged_records_is_banned() {
    struct Gullible;
    impl RecordCheck for Gullible {
        fn check(&self, _: &[u8], _: &[u8]) -> Option<u64> {
            Some(1)
        }
        fn addresses(&self, _: &[u8]) -> Vec<Multiaddr> {
            vec![]
        }
    }
    let limits = Limits { offence_points: Limits::TABLE.offence_malformed, ..Limits::TABLE };
    let bank = Wish { role: Role::Server, limits, ..Wish::default() }.start();
    let config = NetConfig {
        secret: [3; 32],
        listen: vec![],
        bootstrap: bank.full("tcp").await,
        external: vec![],
        role: Role::Client,
        mdns: false,
        neighbours: vec![],
        carried: None,
    };
    let (forger, _inbound) = start(config, Arc::new(Gullible)).unwrap();
    until(&forger, |status| status.bootstrap).await;
    for n in 0..4_u8 {
        // Refused or not, the forger cannot know.
        let _ = in_time(forger.publish(vec![n; 32], vec![n])).await;
    }
    until(&bank.net, |status| status.banned == 1).await;
    until(&forger, |status| !status.bootstrap).await;
}

#[tokio::test]
async fn a_flood_of_one_peer_leaves_the_others_alone() {
    let limits =
        Limits { pay: limits::Row { per_second: 1, burst: 20, ..Limits::TABLE.pay }, ..Limits::TABLE };
    let (mallory, alice) = (node(), node());
    let bob = Wish { limits, ..Wish::default() }.start();
    let (at_bob, bobs) = (bob.over("tcp").await, bob.peer());
    let bob = bob.echoes();
    let mut flood = JoinSet::new();
    for _ in 0..200 {
        let (net, at_bob) = (mallory.net.clone(), at_bob.clone());
        flood.spawn(async move { ask(&net, bobs, &at_bob, b"more!").await });
    }
    for _ in 0..10 {
        assert_eq!(ask(&alice.net, bobs, &at_bob, b"please").await.unwrap(), b"re: please");
    }
    let (answered, refused): (Vec<_>, Vec<_>) =
        in_time(flood.join_all()).await.into_iter().partition(Result::is_ok);
    assert!(answered.len() >= 20, "the burst is allowed");
    assert!(refused.len() >= 100, "{} refused", refused.len());
    assert!(refused.iter().all(|error| *error == Err(AskError::Busy)));
    assert!(bob.status().borrow().dropped >= 100);
}

#[tokio::test]
async fn a_peer_without_points_is_disconnected_and_kept_out() {
    let (mallory, bob) = (node(), node());
    let (at_bob, bobs, mallorys) = (bob.over("tcp").await, bob.peer(), mallory.peer());
    let bob = bob.echoes();
    assert!(ask(&mallory.net, bobs, &at_bob, b"nonsense").await.is_ok());
    bob.penalize(mallorys, Limits::TABLE.offence_points / 2).await;
    assert!(ask(&mallory.net, bobs, &at_bob, b"nonsense").await.is_ok());
    bob.penalize(mallorys, Limits::TABLE.offence_points).await;
    until(&mallory.net, |status| status.connected == 0).await;
    assert!(ask(&mallory.net, bobs, &at_bob, b"nonsense").await.is_err());
    assert_eq!(bob.status().borrow().banned, 1);
}

#[tokio::test]
async fn noise_and_half_open_connections_disturb_nobody() {
    let limits = Limits { handshake: Duration::from_secs(1), ..Limits::TABLE };
    let (alice, bob) = (node(), Wish { limits, ..Wish::default() }.start());
    let (at_bob, bobs) = (bob.over("tcp").await, bob.peer());
    let port = at_bob[0]
        .iter()
        .find_map(|part| match part {
            libp2p::multiaddr::Protocol::Tcp(port) => Some(port),
            _ => None,
        })
        .unwrap();
    let bob = bob.echoes();
    let mut silent = Vec::new();
    for n in 0..50_u8 {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        if n.is_multiple_of(2) {
            let mut noise = vec![0; 4096];
            getrandom::fill(&mut noise).unwrap();
            // It may be thrown out while it still talks.
            let _ = socket.write_all(&noise).await;
        }
        silent.push(socket);
    }
    assert_eq!(ask(&alice.net, bobs, &at_bob, b"quiet?").await.unwrap(), b"re: quiet?");
    for mut socket in silent {
        let mut rest = Vec::new();
        // The end or a reset: what counts is that bob does not keep the socket.
        let _ = in_time(socket.read_to_end(&mut rest)).await;
    }
    assert_eq!(ask(&alice.net, bobs, &at_bob, b"and now?").await.unwrap(), b"re: and now?");
    assert_eq!(bob.status().borrow().connected, 1);
}

/// A codec of a hostile program: promises a body and never sends it.
#[derive(Clone, Default)]
struct Staller;

impl request_response::Codec for Staller {
    type Protocol = StreamProtocol;
    type Request = ();
    type Response = ();

    async fn read_request<T: Send>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<()> {
        Ok(())
    }

    async fn read_response<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<()> {
        io.read_to_end(&mut Vec::new()).await.map(drop)
    }

    async fn write_request<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        (): (),
    ) -> io::Result<()> {
        io.write_all(&[0, 0, 4, 0, 1, 2, 3]).await?;
        io.flush().await?;
        std::future::pending().await
    }

    async fn write_response<T: Send>(&mut self, _: &StreamProtocol, _: &mut T, (): ()) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn requests_sent_drop_by_drop_end_at_the_deadline_and_disturb_nobody() {
    let limits = Limits {
        pay: limits::Row { deadline: Duration::from_secs(1), ..Limits::TABLE.pay },
        idle: Duration::from_secs(1),
        offence_points: 20 * Limits::TABLE.offence_stalled,
        ..Limits::TABLE
    };
    let (alice, bob) = (node(), Wish { limits, ..Wish::default() }.start());
    let (at_bob, bobs) = (bob.over("tcp").await, bob.peer());
    let bob = bob.echoes();
    let mut mallory =
        behaviour::swarm(identity::Keypair::generate_ed25519(), &Limits::TABLE, PATIENCE, |_| {
            request_response::Behaviour::<Staller>::new(
                [(StreamProtocol::new(Limits::TABLE.pay.name), ProtocolSupport::Outbound)],
                request_response::Config::default().with_request_timeout(2 * PATIENCE),
            )
        })
        .unwrap();
    for _ in 0..50 {
        mallory.behaviour_mut().send_request_with_addresses(&bobs, (), at_bob.clone());
    }
    let stalling = tokio::spawn(async move {
        loop {
            if let SwarmEvent::ConnectionClosed { .. } = mallory.select_next_some().await {
                return;
            }
        }
    });
    until(&bob, |status| status.connected == 1).await;
    for _ in 0..10 {
        assert_eq!(ask(&alice.net, bobs, &at_bob, b"please").await.unwrap(), b"re: please");
    }
    // Bob gives up the streams, and has enough of mallory, who never would end it.
    in_time(stalling).await.unwrap();
    until(&bob, |status| status.banned > 0).await;
}

#[tokio::test]
async fn an_answer_that_never_comes_ends_at_the_deadline() {
    let limits = Limits {
        pay: limits::Row { deadline: Duration::from_millis(300), ..Limits::TABLE.pay },
        ..Limits::TABLE
    };
    let (alice, mut bob) = (Wish { limits, ..Wish::default() }.start(), node());
    let (at_bob, bobs) = (bob.over("tcp").await, bob.peer());
    let (error, held) = tokio::join!(ask(&alice.net, bobs, &at_bob, b"hello"), bob.inbound.recv());
    assert_eq!(error, Err(AskError::TimedOut));
    drop(held);
}

#[tokio::test]
async fn each_question_asked_once_comes_from_another_name() {
    for transport in ["tcp", "quic-v1"] {
        let mut bank = server();
        let addresses = bank.full(transport).await;
        let mut names = HashSet::new();
        for n in 0..20_u8 {
            let addresses = addresses.clone();
            let asking = tokio::spawn(async move { ask_once(&addresses, Protocol::Bank, vec![n]).await });
            let inbound = in_time(bank.inbound.recv()).await.unwrap();
            assert_eq!((inbound.protocol, &inbound.body), (Protocol::Bank, &vec![n]));
            names.insert(inbound.peer);
            inbound.answer.send(vec![n, n]);
            assert_eq!(in_time(asking).await.unwrap(), Ok(vec![n, n]));
        }
        assert_eq!(names.len(), 20);
        until(&bank.net, |status| status.connected == 0).await;
    }
    assert_eq!(ask_once(&[], Protocol::Bank, vec![]).await, Err(AskError::NotFound));
    let nobody = format!("/ip4/127.0.0.1/tcp/1/p2p/{}", PeerId::random()).parse().unwrap();
    assert_eq!(in_time(ask_once(&[nobody], Protocol::Bank, vec![])).await, Err(AskError::Unreachable));
}

#[tokio::test]
async fn a_lost_bank_is_dialled_until_it_is_back_and_learns_the_addresses_again() {
    let limits = Limits { redial_last: Duration::from_secs(1), ..Limits::TABLE };
    let bank = server();
    let (bootstrap, secret) = (bank.full("tcp").await, bank.secret);
    let bare = bank.over("tcp").await[0].to_string();
    let bob = Wish { bootstrap: bootstrap.clone(), limits, ..Wish::default() }.start();
    bob.publishes(1).await;
    until(&bob.net, |status| status.bootstrap).await;
    in_time(bank.net.stop()).await;
    until(&bob.net, |status| !status.bootstrap).await;
    let bank = Wish { role: Role::Server, listen: &[&bare], secret, ..Wish::default() }.start();
    until(&bob.net, |status| status.bootstrap).await;
    // Nobody published anew: bob's node did, when it was back.
    let alice = Wish { bootstrap: bank.full("tcp").await, ..Wish::default() }.start();
    let bobs = bob.peer();
    let _bob = bob.echoes();
    in_time(async { while ask(&alice.net, bobs, &[], b"back?").await.is_err() {} }).await;
}

#[tokio::test]
async fn a_stopped_node_answers_no_call() {
    let (alice, bob) = (node(), node());
    let (at_bob, bobs) = (bob.over("tcp").await, bob.peer());
    let (left, bob) = (bob.net.clone(), bob.echoes());
    in_time(bob.stop()).await;
    assert!(left.listening().await.is_empty());
    assert_eq!(ask(&left, alice.peer(), &[], b"x").await, Err(AskError::Stopped));
    assert_eq!(ask(&alice.net, bobs, &at_bob, b"x").await, Err(AskError::Unreachable));
}

#[tokio::test]
async fn a_bootstrap_address_must_name_its_peer() {
    let config = NetConfig {
        secret: [1; 32],
        listen: vec![],
        bootstrap: vec!["/ip4/127.0.0.1/tcp/1".parse().unwrap()],
        external: vec![],
        role: Role::Client,
        mdns: true,
        neighbours: vec![],
        carried: None,
    };
    assert!(matches!(start(config, Arc::new(Signed)), Err(NetError::Bootstrap(_))));
}

/// A node that carries whoever asks, to the bank at `bank`.
async fn carrier(bank: Multiaddr) -> Node {
    let (sender, mut asked) = mpsc::channel::<CarryAsked>(4);
    let node = Wish { role: Role::Server, carried: Some(sender), ..Wish::default() }.start();
    let bank = socket_of(&bank).unwrap();
    tokio::spawn(async move {
        while let Some(asked) = asked.recv().await {
            tokio::spawn(async move {
                let tcp = TcpStream::connect(bank).await.unwrap();
                asked.carry(tcp, &Terms { time: PATIENCE, take: &|_| true }).await;
            });
        }
    });
    node
}

/// M3: a node that has no way to the bank of its own reaches it through one that carries; what goes through is sealed to
/// the bank's key, so another node at the other end is no bank, and a node that carries nobody says so.
#[tokio::test]
async fn a_node_is_carried_to_the_bank_and_to_nobody_else() {
    let bank = server();
    let bank_peer = bank.peer();
    let shop = carrier(bank.over("tcp").await[0].clone()).await;
    let nowhere: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
    let alone = || Wish { bootstrap: vec![nowhere.clone().with_p2p(bank_peer).unwrap()], ..Wish::default() };
    let _bank = bank.echoes();
    let (at_shop, shops) = (shop.over("tcp").await, shop.peer());
    let alice = alone().start();
    let _shop = shop.echoes();
    assert_eq!(alice.net.door(shops).await.unwrap_err(), CarryFault::NotCarrying, "not even connected");
    in_time(ask(&alice.net, shops, &at_shop, b"hello")).await.unwrap();
    let (door, through) = in_time(alice.net.door(shops)).await.unwrap();
    alice.net.enter(bank_peer, door).await;
    until(&alice.net, |status| status.bootstrap && status.carried).await;
    let answer = in_time(alice.net.ask(bank_peer, &[], Protocol::Bank, b"balance?".to_vec())).await;
    assert_eq!(answer.unwrap(), b"re: balance?");
    assert!(alice.net.known(bank_peer).is_empty(), "a door is no address of the bank's");
    // Under another name, by another door.
    let (side, _) = in_time(alice.net.door(shops)).await.unwrap();
    let side = [side.with_p2p(bank_peer).unwrap()];
    assert_eq!(in_time(ask_once(&side, Protocol::Bank, b"who?".to_vec())).await.unwrap(), b"re: who?");
    through.abort();
    until(&alice.net, |status| !status.bootstrap && !status.carried).await;

    let other = server();
    let liar = carrier(other.over("tcp").await[0].clone()).await;
    let (at_liar, liars) = (liar.over("tcp").await, liar.peer());
    let _liar = liar.echoes();
    let bob = alone().start();
    in_time(ask(&bob.net, liars, &at_liar, b"hello")).await.unwrap();
    let (door, through) = in_time(bob.net.door(liars)).await.unwrap();
    bob.net.enter(bank_peer, door).await;
    in_time(through).await.unwrap();
    assert!(!bob.net.status().borrow().bootstrap, "another node is not the bank");
    let carol = node();
    let (at_carol, carols) = (carol.over("tcp").await, carol.peer());
    let _carol = carol.echoes();
    in_time(ask(&bob.net, carols, &at_carol, b"hello")).await.unwrap();
    assert_eq!(in_time(bob.net.door(carols)).await.unwrap_err(), CarryFault::NotCarrying);
}

/// M3: whoever is carried goes on trying the straight way, and leaves the shop as soon as the bank is there again.
#[tokio::test]
async fn a_carried_node_leaves_the_shop_when_the_straight_way_is_back() {
    let bank = server();
    let (bank_peer, secret) = (bank.peer(), bank.secret);
    let shop = carrier(bank.over("tcp").await[0].clone()).await;
    // Where the bank cannot be reached straight as yet.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let straight: Multiaddr =
        format!("/ip4/127.0.0.1/tcp/{}", closed.local_addr().unwrap().port()).parse().unwrap();
    drop(closed);
    let limits = Limits { redial_last: Duration::from_secs(1), ..Limits::TABLE };
    let bootstrap = vec![straight.clone().with_p2p(bank_peer).unwrap()];
    let alice = Wish { bootstrap, limits, ..Wish::default() }.start();
    let _bank = bank.echoes();
    let (at_shop, shops) = (shop.over("tcp").await, shop.peer());
    let _shop = shop.echoes();
    in_time(ask(&alice.net, shops, &at_shop, b"hello")).await.unwrap();
    let (door, _through) = in_time(alice.net.door(shops)).await.unwrap();
    alice.net.enter(bank_peer, door).await;
    until(&alice.net, |status| status.bootstrap && status.carried).await;
    let bare = straight.to_string();
    let back = Wish { role: Role::Server, listen: &[&bare], secret, ..Wish::default() }.start();
    until(&alice.net, |status| status.bootstrap && !status.carried).await;
    let _back = back.echoes();
    let answer = in_time(alice.net.ask(bank_peer, &[], Protocol::Bank, b"balance?".to_vec())).await;
    assert_eq!(answer.unwrap(), b"re: balance?");
}
