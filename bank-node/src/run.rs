//! The bank-node as a process: books, network, interface, calendar, until somebody stops it.

use crate::backup::Backups;
use crate::desk::Rules;
use crate::desk::counter::Sign;
use crate::home::{Home, HomeError, Kept, PROGRAM};
use crate::ledger::Fault;
use crate::ledger::books::Books as _;
use crate::ledger::vault::Quota;
use crate::network::{self, Addresses};
use crate::rpc::{BankOffice, JournalEvents, Office, OperatorGate};
use crate::service::{
    self, Bank, Calendar, Moment, ROOM_BYTES, World, keep_bulletins, keep_calendar, turn_page,
};
use protocol::money::{AmountFlaw, Currency};
use protocol::node::address::AddressCheck;
use protocol::node::clock::Clock;
use protocol::node::host::config::{Config, Key, Kind};
use protocol::node::host::disk::free_bytes;
use protocol::node::host::signals::{Shutdown, Stop};
use protocol::node::net::{self, Multiaddr, Net, NetConfig, NetError, Role};
use protocol::node::rpc::{Limits, Running, ServeConfig, ServeError, serve, socket_in};
use protocol::time::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Every setting of the bank-node.
pub const SETTINGS: &[Key] = &[
    Key {
        name: "network.listen",
        kind: Kind::List,
        default: Some("/ip4/0.0.0.0/tcp/4601,/ip4/0.0.0.0/udp/4601/quic-v1"),
        help: "where customers' workstations connect",
    },
    Key {
        name: "network.external",
        kind: Kind::List,
        default: None,
        help: "addresses in activation letters; those it listens on if absent",
    },
    Key {
        name: "network.mdns",
        kind: Kind::Switch,
        default: Some("true"),
        help: "announce the bank in the local network",
    },
    Key {
        name: "redo.path",
        kind: Kind::Text,
        default: None,
        help: "folder of the redo log, best on another disk than the books; data/redo if absent",
    },
    Key {
        name: "rpc.http",
        kind: Kind::Text,
        default: Some("127.0.0.1:4602"),
        help: "loopback address of the operators' interface; port 0 takes a free one, empty opens none",
    },
    Key {
        name: "reclaim.payment",
        kind: Kind::Duration,
        default: Some("7d"),
        help: "how long others may object to a reclaim of a payment",
    },
    Key {
        name: "reclaim.restore",
        kind: Kind::Duration,
        default: Some("3d"),
        help: "the same after a restore",
    },
    Key {
        name: "case.answer",
        kind: Kind::Duration,
        default: Some("14d"),
        help: "how long somebody who is asked in a case has for his answer",
    },
    Key {
        name: "case.guarantee_cap",
        kind: Kind::Text,
        default: Some("200"),
        help: "the most that the guarantee pays in one offender's stead, in the bank's currency",
    },
    Key {
        name: "vault.megabytes",
        kind: Kind::Number,
        default: Some("256"),
        help: "how much the vault of one account may hold",
    },
    Key {
        name: "vault.megabytes_a_day",
        kind: Kind::Number,
        default: Some("16"),
        help: "how much may be added to it on one day",
    },
    Key { name: "log.level", kind: Kind::Text, default: None, help: "say info, or bank_node=debug,info" },
    Key { name: "log.format", kind: Kind::Text, default: Some("text"), help: "text or json" },
];

/// Why the bank does not open, or has closed by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Its folders.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A setting that is no address.
    #[error("{key}: «{text}» is not an address")]
    Address {
        /// The setting.
        key: &'static str,
        /// What was written.
        text: String,
    },
    /// A setting that is no amount.
    #[error("{key}: {why}")]
    Amount {
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        why: AmountFlaw,
    },
    /// The network.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The interface.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The store failed.
    #[error(
        "{0}. The bank has closed; when that is mended, start it again: it will ask its books what was done"
    )]
    Fault(#[from] Fault),
}

/// A bank that is open to everybody.
pub struct Open {
    /// The bank.
    pub bank: Bank<Kept>,
    /// Its node.
    pub net: Net,
    /// Where the interface listens.
    pub office: Running,
    /// Where customers reach it.
    pub listening: Vec<Multiaddr>,
    /// What runs beside it.
    tasks: JoinSet<()>,
}

fn addresses(config: &Config, key: &'static str) -> Result<Vec<Multiaddr>, RunError> {
    let parse = |text: &String| text.parse().map_err(|_| RunError::Address { key, text: text.clone() });
    config.list(key).iter().map(parse).collect()
}

fn http(config: &Config) -> Result<Option<SocketAddr>, RunError> {
    match config.text("rpc.http") {
        None | Some("") => Ok(None),
        Some(text) => {
            let wrong = || RunError::Address { key: "rpc.http", text: text.to_owned() };
            text.parse().map(Some).map_err(|_| wrong())
        }
    }
}

/// How long people have, and how much the guarantee gives. An empty setting keeps its default.
fn rules(config: &Config, currency: &Currency) -> Result<Rules, RunError> {
    let usual = Rules::default();
    let seconds = |key: &str, usual: u64| config.duration(key).map_or(usual, |time| time.as_secs());
    let cap = config
        .text("case.guarantee_cap")
        .map(|text| currency.parse(text).map_err(|why| RunError::Amount { key: "case.guarantee_cap", why }));
    let megabytes = |key: &str, usual: u64| {
        let asked = config.number(key).and_then(|number| u64::try_from(number).ok());
        asked.map_or(usual, |number| number.saturating_mul(1 << 20))
    };
    Ok(Rules {
        reclaim_payment_seconds: seconds("reclaim.payment", usual.reclaim_payment_seconds),
        reclaim_restore_seconds: seconds("reclaim.restore", usual.reclaim_restore_seconds),
        case_seconds: seconds("case.answer", usual.case_seconds),
        guarantee_cap: cap.transpose()?.unwrap_or(usual.guarantee_cap),
        vault: Quota {
            bytes: megabytes("vault.megabytes", usual.vault.bytes),
            bytes_a_day: megabytes("vault.megabytes_a_day", usual.vault.bytes_a_day),
        },
    })
}

/// Whether the settings can be used at all; for `config check`. Amounts are read with the usual currency, as there
/// may be no bank yet.
pub fn check(config: &Config) -> Result<(), RunError> {
    rules(config, &Currency::default())?;
    addresses(config, "network.listen")?;
    addresses(config, "network.external")?;
    http(config).map(drop)
}

/// Opens the bank in `home`; it closes with the shutdown. The caller holds the folder's lock.
pub async fn open(home: &Home, config: &Config, clock: Clock, shutdown: &Shutdown) -> Result<Open, RunError> {
    let (listen, external) = (addresses(config, "network.listen")?, addresses(config, "network.external")?);
    let http = http(config)?;
    home.paths.prepare().map_err(HomeError::from)?;
    let home = &home.clone().with_redo(config.text("redo.path"));
    let facts = home.facts()?;
    let rules = rules(config, &facts.currency)?;
    let books = home.books()?;
    let at = Moment { now: Timestamp(clock.now_seconds()), running: clock.monotonic() };
    let mut calendar = Calendar::of(&books.snapshot()?)?;
    let keys = turn_page(&home.keys(), facts.master, &mut calendar, at).map_err(HomeError::from)?;
    let node = keys.node.clone();
    let media = [home.paths.data.clone(), home.redo.clone()];
    let has_room = move || media.iter().all(|at| free_bytes(at).is_ok_and(|free| free >= ROOM_BYTES));
    let world = World { clock: clock.clone(), has_room: Box::new(has_room), rules };
    let sign = Sign { name: facts.name, currency: facts.currency };
    let bank = service::start(books, keys, sign, world)?;

    let mdns = config.switch("network.mdns");
    let net_config = NetConfig {
        secret: *node,
        listen,
        bootstrap: Vec::new(),
        external: external.clone(),
        role: Role::Server,
        mdns,
        neighbours: Vec::new(),
        carried: None,
    };
    let residents = Arc::new(network::Residents::new(bank.keys().node_key()));
    residents.learn(&bank).await;
    let known = Arc::clone(&residents);
    let check = AddressCheck::new(clock, move |node: &protocol::id::Key| known.knows(node));
    let (net, inbound) = net::start(net_config, Arc::new(check))?;
    let reach = Arc::new(Addresses::new(&net));
    network::learn_addresses(&net, &external, &reach).await;
    let listening = net.listening().await;
    let mut tasks = JoinSet::new();
    tasks.spawn(network::serve(bank.clone(), residents, net.clone(), inbound));
    let audited = bank.clone();
    tasks.spawn(async move { audited.audit_books().await });
    tasks.spawn(network::announce(bank.clone(), net.clone(), shutdown.clone()));
    tasks.spawn(keep_bulletins(bank.clone(), net.clone(), shutdown.clone()));
    bank.doubt_clock(calendar.doubts());
    tasks.spawn(keep_calendar(bank.clone(), home.keys(), calendar, shutdown.clone()));

    let serve_config = ServeConfig {
        socket: Some(socket_in(&home.paths.run)),
        http,
        runtime_dir: home.paths.run.clone(),
        program: PROGRAM,
        version: env!("CARGO_PKG_VERSION"),
        limits: Limits::default(),
    };
    let safe = Arc::new(Backups::new(bank.clone(), home.clone()));
    let office = Office::new(bank.clone(), reach, safe).into_service();
    let events = Arc::new(JournalEvents(bank.clone()));
    let extra = axum::Router::new();
    let office =
        serve(serve_config, office, Arc::new(OperatorGate(bank.clone())), events, extra, shutdown.clone())
            .await?;
    Ok(Open { bank, net, office, listening, tasks })
}

/// Runs the bank until the shutdown, or until its store fails.
pub async fn run(home: &Home, config: &Config, clock: Clock, shutdown: Shutdown) -> Result<(), RunError> {
    let _lock = home.lock()?;
    // A store that fails stops everything beside it, too.
    let (stop, both) = Shutdown::new();
    let open = Box::pin(open(home, config, clock, &both)).await?;
    let http = open.office.http_addr.map(|address| address.to_string()).unwrap_or_default();
    tracing::info!(
        bank = %open.bank.keys().bank(), peer = %open.net.peer_id(), listening = ?open.listening, http,
        "the bank is open"
    );
    let failed = tokio::select! {
        () = shutdown.requested() => None,
        fault = open.bank.failed() => Some(fault),
    };
    close(open, stop).await;
    match failed {
        Some(fault) => Err(fault.into()),
        None => Ok(()),
    }
}

/// Nobody new, then those inside, then the books. `stop` is the word for the shutdown it was opened with.
pub async fn close(open: Open, stop: Stop) {
    let Open { bank, net, office, mut tasks, .. } = open;
    stop.now();
    net.stop().await;
    while tasks.join_next().await.is_some() {}
    office.finished().await;
    bank.stop().await;
    tracing::info!("the bank is closed");
}

#[cfg(test)]
mod tests;
