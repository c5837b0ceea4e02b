//! The whole bank on loopback: folders, books, network and interface, without a process of its own.

use super::*;
use crate::desk::tests::{NOON, secret_of};
use crate::rpc::{AccountOpen, BankClient};
use protocol::bank::{Activation, Identity};
use protocol::code::parse_letter;
use protocol::id::{Key as PublicKey, RequestId};
use protocol::money::{Currency, Units};
use protocol::node::address::parse_addresses;
use protocol::node::host::config::Layers;
use protocol::node::net::{AskError, PeerId, Protocol, peer_of};
use protocol::node::rpc::{Connection, Empty};
use protocol::sign::Signer;
use protocol::time::DAY_SECONDS;
use protocol::wire::{self, BankAnswer, BankAsk, ErrorCode};

fn new_home(folder: &tempfile::TempDir) -> Home {
    let home = Home::find(Some(&folder.path().join("bank"))).unwrap();
    let sign = Sign { name: "Banca di prova".to_owned(), currency: Currency::default() };
    let mut n = 0;
    let mut chance = || {
        n += 1;
        secret_of(n)
    };
    home.init(&sign, NOON.day(), 5, &mut chance).unwrap();
    home
}

fn config() -> Config {
    let flags =
        [("network.listen", "/ip4/127.0.0.1/tcp/0"), ("network.mdns", "false"), ("rpc.http", "127.0.0.1:0")];
    let flags = flags.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    Config::load(SETTINGS, &Layers { flags, ..Layers::default() }).unwrap()
}

/// A customer's node, and how it asks the bank.
struct Visitor {
    net: Net,
    bank: PeerId,
    hints: Vec<Multiaddr>,
}

impl Visitor {
    fn new(bank: PeerId, hints: Vec<Multiaddr>) -> Visitor {
        let config = NetConfig {
            secret: secret_of(77),
            listen: Vec::new(),
            bootstrap: Vec::new(),
            external: Vec::new(),
            role: Role::Client,
            mdns: false,
            neighbours: vec![],
            carried: None,
        };
        let (net, _) =
            net::start(config, Arc::new(AddressCheck::new(Clock::manual(NOON.0), |_: &PublicKey| true)))
                .unwrap();
        Visitor { net, bank, hints }
    }

    async fn send(&self, body: Vec<u8>) -> Result<BankAnswer, AskError> {
        let answer = self.net.ask(self.bank, &self.hints, Protocol::Bank, body).await?;
        Ok(wire::decode(&answer).unwrap())
    }

    async fn ask(&self, ask: &BankAsk) -> BankAnswer {
        self.send(wire::encode(ask)).await.unwrap()
    }
}

/// N14: from the letter alone a workstation finds the bank and joins; nonsense gets its error, then nothing at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_leads_to_the_bank() {
    let folder = tempfile::tempdir().unwrap();
    let home = new_home(&folder);
    let (stop, shutdown) = Shutdown::new();
    let open = Box::pin(open(&home, &config(), Clock::manual(NOON.0), &shutdown)).await.unwrap();

    let client = BankClient::new(Connection::to(&home.paths.run).await.unwrap());
    let made = client
        .account_open(AccountOpen {
            kind: crate::ledger::CustomerKind::Resident,
            name: "Alice".to_owned(),
            balance: Units::new(500).unwrap(),
            offline_limit: Units::new(200).unwrap(),
            key: "alice".to_owned(),
        })
        .await
        .unwrap();
    let letter = parse_letter(&made.letter_uri).unwrap();
    let visitor = Visitor::new(peer_of(&letter.node.0).unwrap(), parse_addresses(&letter.addresses));
    assert!(
        matches!(visitor.ask(&BankAsk::Terms).await, BankAnswer::Terms(terms) if terms.name == "Banca di prova")
    );

    let owner = Signer::from_secret(&secret_of(78));
    let bank = protocol::key::bank::bank_id(&letter.master);
    let (account, code) = (letter.account, letter.code);
    let request = RequestId([1; 16]);
    let activation = owner.sign(Activation { bank, request, account, owner: owner.key(), code });
    let identity = owner.sign(Identity {
        bank,
        owner: owner.key(),
        view: PublicKey([3; 32]),
        node: Signer::from_secret(&secret_of(77)).key(),
        generation: 1,
        sequence: 1,
        expires: NOON.plus_seconds(DAY_SECONDS),
    });
    let joined = visitor.ask(&BankAsk::Activate(activation, identity)).await;
    assert!(matches!(joined, BankAnswer::Activated(..)), "{joined:?}");

    let malformed = BankAnswer::Error(ErrorCode::Malformed);
    assert_eq!(visitor.send(b"nonsense".to_vec()).await.unwrap(), malformed);
    let status = client.status(Empty {}).await.unwrap();
    assert_eq!((status.connected, status.directory), (1, 2));
    visitor.net.stop().await;
    close(open, stop).await;
    assert!(home.lock().is_ok() && home.books().is_ok(), "closed, so the books can be opened");
}

/// Settings that are no addresses are found before the bank opens.
#[test]
fn settings_are_checked() {
    check(&config()).unwrap();
    for (key, value) in [("network.listen", "4601"), ("network.external", "here"), ("rpc.http", "localhost")]
    {
        let flags = vec![(key.to_owned(), value.to_owned())];
        let config = Config::load(SETTINGS, &Layers { flags, ..Layers::default() }).unwrap();
        let error = check(&config).unwrap_err().to_string();
        assert!(error.contains(key) && error.contains(value), "{error}");
    }
}

/// A second bank-node on the same folder is refused.
#[tokio::test]
async fn one_process_for_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let home = new_home(&folder);
    let _first = home.lock().unwrap();
    let (_stop, shutdown) = Shutdown::new();
    let second = Box::pin(run(&home, &config(), Clock::manual(NOON.0), shutdown)).await;
    assert!(matches!(second, Err(RunError::Home(HomeError::Lock(_)))), "{second:?}");
}
