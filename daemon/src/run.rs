//! The workstation from start to stop: everything is put together here, and nowhere else.
//!
//! ```text
//! profile, store ─▶ engine thread ◀─ Engine handles ─ rpc server, inbox, outbox, bank link ─ network
//! ```
//! In two steps, so that a shop can move in between: [`Workstation::start`], then [`Workstation::serve`].

use crate::engine::bulletins::{Gate as Gossip, keep_bulletins};
use crate::engine::carrier::Carrier;
use crate::engine::contact::Contacts;
use crate::engine::handle::{Persona, Shared};
use crate::engine::inbound::{Counter, Inbox};
use crate::engine::jobs::Jobs;
use crate::engine::link::BankLink;
use crate::engine::mailroom::Mailroom;
use crate::engine::outbox::Outbox;
use crate::engine::upload::Upload;
use crate::engine::way::Way;
use crate::engine::{Core, Engine, Input};
use crate::head::{HEAD_FILE, HeadFile};
use crate::keyring::Keyring;
use crate::profile::{Profile, ProfileFault, RESTORING_FILE};
use crate::rpc::api::Workstation as _;
use crate::rpc::{Desk, DeskParts, StoredEvents, TokenGate};
use crate::settings::Settings;
use crate::store::{RedbStore, STORE_FILE, Store as _, StoreFault};
use crate::wallet::Owner;
use crate::wallet::change::Change;
use crate::wallet::policy::Policy;
use crate::wallet::vault::Quarantine;
use protocol::id::Key;
use protocol::node::address::AddressCheck;
use protocol::node::clock::Clock;
use protocol::node::host::lock::{InstanceLock, LockError};
use protocol::node::host::paths::{Paths, PathsError};
use protocol::node::host::signals::Shutdown;
use protocol::node::net::{self, Multiaddr, Net, NetConfig, NetError, PeerId, Role, peer_of};
use protocol::node::rpc::{EventSource, Gate, Limits, ServeConfig, ServeError, Service, serve, socket_in};
use protocol::sign::Signer;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Inputs that may wait for the engine; whoever brings more has to wait as well.
const INPUTS_MAX: usize = 1024;
/// Neighbours that may wait to be carried.
const CARRY_ASKS: usize = 16;
/// How often open things are looked at.
const TICK: Duration = Duration::from_millis(250);

/// Why a workstation does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Its own files.
    #[error(transparent)]
    Profile(#[from] ProfileFault),
    /// Its folders.
    #[error(transparent)]
    Paths(#[from] PathsError),
    /// It runs already.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The network.
    #[error(transparent)]
    Net(#[from] NetError),
    /// JSON-RPC.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// An address of the bank that is none.
    #[error("the bank's address «{0}» in account.toml is not a multiaddress")]
    Address(String),
    /// A restore was begun in its folder.
    #[error(
        "a restore was begun here and is not finished: run «stermina restore» again, it goes on where it stopped"
    )]
    Restoring,
    /// A thread that could not be started, or that broke.
    #[error("the engine's thread ended: {0}")]
    Engine(String),
}

/// Runs until `shutdown`, or until the disk fails.
pub async fn run(settings: Settings, paths: Paths, shutdown: Shutdown) -> Result<(), RunError> {
    let workstation = Workstation::start(&settings, &paths, Role::Client).await?;
    let house = workstation.alone();
    workstation.serve(house, shutdown).await
}

/// A workstation whose engine runs: its store is open and its money safe, and nobody is let in yet. Whoever builds on
/// it takes what is here, puts its own beside it, and opens the doors with [`Workstation::serve`].
pub struct Workstation {
    /// The one task that owns the wallet.
    pub engine: Engine,
    /// Whom we know.
    pub contacts: Arc<Contacts>,
    /// The line to the bank.
    pub link: Arc<BankLink>,
    /// The network.
    pub net: Net,
    /// Whose wallet it is.
    pub owner: Owner,
    /// The bank's name.
    pub bank_name: String,
    /// Its own methods.
    pub service: Arc<dyn Service>,
    /// Its own tokens.
    pub gate: Arc<TokenGate>,
    /// Its own events.
    pub events: Arc<StoredEvents>,
    serving: Serving,
    inbound: mpsc::Receiver<net::Inbound>,
    tasks: Vec<JoinHandle<()>>,
    thread: std::thread::JoinHandle<Result<(), StoreFault>>,
    ended: mpsc::Receiver<()>,
    _one: InstanceLock,
}

/// Who lives in a workstation, as programs meet them: the workstation alone, or a shop in it.
pub struct House {
    /// The program's name for `system.version`.
    pub program: &'static str,
    /// The methods.
    pub service: Arc<dyn Service>,
    /// The tokens.
    pub gate: Arc<dyn Gate>,
    /// The events.
    pub events: Arc<dyn EventSource>,
    /// What callers may use up.
    pub limits: Limits,
    /// Who answers residents that ask for a shop; a resident's workstation has nobody.
    pub counter: Option<Arc<dyn Counter>>,
}

/// Where JSON-RPC is served.
struct Serving {
    socket: Option<std::path::PathBuf>,
    http: Option<std::net::SocketAddr>,
    runtime_dir: std::path::PathBuf,
}

impl Workstation {
    /// Opens the store, starts the engine and the network. What arrives waits until [`Workstation::serve`].
    /// Its role is what it is to other nodes.
    pub async fn start(settings: &Settings, paths: &Paths, role: Role) -> Result<Workstation, RunError> {
        paths.prepare()?;
        let one = InstanceLock::take(&paths.data)?;
        // Before «no account»: the old files may be aside already, and joining would be the wrong advice.
        if paths.data.join(RESTORING_FILE).exists() {
            return Err(RunError::Restoring);
        }
        let profile = Profile::load(paths)?;
        let store = Arc::new(open_store(paths)?);
        let owner = profile.owner();
        let wallet = store.load(owner.clone(), profile.bank_keys(), Policy::of(&owner.currency))?;
        let tokens = wallet.tokens().cloned().collect();
        let clock = Clock::system();
        let persona = persona_of(&profile);
        let node = persona.node.clone();
        let shared = Arc::new(Shared::new(store, persona, clock.clone(), &wallet));

        let (bank, addresses) = bank_addresses(&profile)?;
        let (carried, asked_to_carry) = settings.carries.map(|_| mpsc::channel(CARRY_ASKS)).unzip();
        let config = NetConfig {
            secret: *profile.node_secret(),
            listen: settings.listen.clone(),
            bootstrap: addresses.clone(),
            external: settings.external.clone(),
            role,
            mdns: settings.mdns,
            neighbours: settings.neighbours.clone(),
            carried,
        };
        let check = AddressCheck::new(clock.clone(), |_: &Key| true);
        let (gossip_gate, heard) = Gossip::new(check, shared.clone());
        let (net, inbound) = net::start(config, Arc::new(gossip_gate))?;

        let (sender, inputs) = mpsc::channel(INPUTS_MAX);
        let engine = Engine::new(sender, shared.clone());
        let named = settings.neighbours.iter().filter_map(net::named_by).collect();
        let way = Arc::new(Way::new(shared.clone(), net.clone(), bank, named));
        let carrying = asked_to_carry.zip(settings.carries).map(|(asked, load)| {
            tokio::spawn(Arc::new(Carrier::new(shared.clone(), &addresses, load)).run(asked))
        });
        let link = Arc::new(BankLink::new(engine.clone(), net.clone(), (bank, addresses), way.clone()));
        let contacts = Arc::new(Contacts::new(shared.clone(), net.clone(), link.clone()));
        let outbox =
            Outbox::new(engine.clone(), contacts.clone(), link.clone(), tokio::runtime::Handle::current());
        let jobs = Jobs::new(Arc::new(outbox), clock, node);
        let keyring = Keyring::new(profile.sealed_seed(), Profile::attempts_file(paths));
        let no_account_yet = wallet.account().is_none();
        let core = Core::new(wallet, keyring, shared.clone(), jobs, paths.data.clone());
        let (ended_sender, ended) = mpsc::channel::<()>(1);
        let thread = std::thread::Builder::new().name("engine".to_owned()).spawn(move || {
            let result = core.run(inputs);
            drop(ended_sender);
            result
        });
        let thread = thread.map_err(|error| RunError::Engine(error.to_string()))?;

        if no_account_yet {
            let opening = profile.opening().clone();
            let _ = engine.ask(|reply| Input::Letter(opening, reply)).await;
        }
        let mut tasks = vec![
            tokio::spawn(keep_bulletins(engine.clone(), link.clone(), net.clone(), heard)),
            tokio::spawn(Upload::new(engine.clone(), link.clone(), profile.generation()).run()),
        ];
        tasks.extend(carrying);
        tasks.extend(settings.carried.then(|| tokio::spawn(way.keep())));
        let gate = Arc::new(TokenGate::new(shared.clone(), tokens));
        let bank_name = profile.bank_name().to_owned();
        let desk = Desk::new(DeskParts {
            engine: engine.clone(),
            contacts: contacts.clone(),
            link: link.clone(),
            net: net.clone(),
            gate: gate.clone(),
            owner: owner.clone(),
            bank_name: bank_name.clone(),
            unlock_seconds: Some(settings.unlock_seconds),
        });
        let serving = Serving {
            socket: settings.rpc_socket.then(|| socket_in(&paths.run)),
            http: settings.rpc_http,
            runtime_dir: paths.run.clone(),
        };
        let (service, events) = (desk.into_service(), Arc::new(StoredEvents(shared)));
        Ok(Workstation {
            engine,
            contacts,
            link,
            net,
            owner,
            bank_name,
            service,
            gate,
            events,
            serving,
            inbound,
            tasks,
            thread,
            ended,
            _one: one,
        })
    }

    /// Nobody else lives here.
    pub fn alone(&self) -> House {
        House {
            program: "sterminad",
            service: self.service.clone(),
            gate: self.gate.clone(),
            events: self.events.clone(),
            limits: Limits::default(),
            counter: None,
        }
    }

    /// Lets payers and programs in, until `shutdown` or until the engine ends.
    pub async fn serve(self, house: House, shutdown: Shutdown) -> Result<(), RunError> {
        let Workstation {
            engine, contacts, link, net, serving, inbound, mut tasks, thread, mut ended, ..
        } = self;
        let inbox = Inbox::new(engine.clone(), contacts.clone(), net.clone(), house.counter.clone());
        tasks.extend(spawn_tasks(&engine, &link, &contacts, (&net, inbound), Arc::new(inbox)));
        let config = ServeConfig {
            socket: serving.socket,
            http: serving.http,
            runtime_dir: serving.runtime_dir,
            program: house.program,
            version: env!("CARGO_PKG_VERSION"),
            limits: house.limits,
        };
        let House { service, gate, events, .. } = house;
        let running = serve(config, service, gate, events, axum::Router::new(), shutdown.clone()).await?;
        tracing::info!(http = ?running.http_addr, "the workstation is up");

        tokio::select! {
            () = shutdown.requested() => tracing::info!("stopping"),
            _ = ended.recv() => tracing::error!("the engine has ended"),
        }
        tasks.iter().for_each(JoinHandle::abort);
        net.stop().await;
        engine.tell(Input::Stop).await;
        let finished = tokio::task::spawn_blocking(move || thread.join()).await;
        match finished {
            Ok(Ok(result)) => result?,
            _ => return Err(RunError::Engine("it broke; what was acknowledged is on disk".to_owned())),
        }
        running.finished().await;
        Ok(())
    }
}

fn persona_of(profile: &Profile) -> Persona {
    Persona {
        owner: profile.owner().key,
        introduction: profile.introduction(),
        views: profile.view_keys(),
        node: Signer::from_secret(&profile.node_secret()),
        generation: profile.generation(),
        past_nodes: profile.past_nodes(),
    }
}

/// The wallet's file, put into quarantine if it is not the one that was here last.
fn open_store(paths: &Paths) -> Result<RedbStore, RunError> {
    let file = paths.data.join(STORE_FILE);
    // The profile is there, so the file was: an empty one in its place would be a wallet without its money.
    let missing = !file.exists();
    let store = RedbStore::open(&file)?;
    let head = HeadFile::open(&paths.data.join(HEAD_FILE)).map_or(0, |head| head.number());
    let why = match (missing, store.commits()? < head) {
        (true, _) => Some(Quarantine::StoreMissing),
        (false, true) => Some(Quarantine::StoreBehind),
        (false, false) => None,
    };
    if let Some(why) = why {
        store.commit(&[Change::Quarantine(why)])?;
    }
    Ok(store)
}

/// The bank-node's peer id, and its addresses with it at the end.
fn bank_addresses(profile: &Profile) -> Result<(PeerId, Vec<Multiaddr>), RunError> {
    let bank = peer_of(&profile.bank_node().0)?;
    let parse = |text: &String| -> Result<Multiaddr, RunError> {
        let address: Multiaddr = text.parse().map_err(|_| RunError::Address(text.clone()))?;
        address.with_p2p(bank).map_err(|_| RunError::Address(text.clone()))
    };
    let addresses = profile.bank_addresses().iter().map(parse).collect::<Result<_, _>>()?;
    Ok((bank, addresses))
}

fn spawn_tasks(
    engine: &Engine,
    link: &Arc<BankLink>,
    contacts: &Arc<Contacts>,
    (net, inbound): (&Net, mpsc::Receiver<net::Inbound>),
    inbox: Arc<Inbox>,
) -> Vec<JoinHandle<()>> {
    let ticking = engine.clone();
    let mailroom = Mailroom::new(engine.clone(), contacts.clone(), link.clone(), inbox.clone());
    vec![
        tokio::spawn(inbox.run(inbound)),
        tokio::spawn(mailroom.run(net.clone())),
        tokio::spawn(link.clone().watch_bank()),
        tokio::spawn(link.clone().keep_directory()),
        tokio::spawn(link.clone().keep_address()),
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(TICK);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                ticking.tell(Input::Tick).await;
            }
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::SettingFlags;

    /// X6: killed when the old files were aside and the new ones not there yet, a restore is told as one, and not as a
    /// workstation that has never joined.
    #[tokio::test]
    async fn a_begun_restore_is_said_before_no_account() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::beneath(&folder.path().join("home"));
        paths.prepare().unwrap();
        let (_stop, shutdown) = Shutdown::new();
        let settings = Settings::load(&paths, SettingFlags::default()).unwrap();
        let bare = run(settings.clone(), paths.clone(), shutdown.clone()).await;
        assert!(matches!(bare, Err(RunError::Profile(ProfileFault::NotJoined { .. }))));
        std::fs::write(paths.data.join(RESTORING_FILE), b"begun").unwrap();
        let begun = run(settings, paths, shutdown).await;
        assert!(matches!(begun, Err(RunError::Restoring)));
    }
}
