//! The shop from start to stop: a workstation, and the shop that moves in before its doors open.
//!
//! ```text
//! workstation (engine, network) ─▶ room (shop.redb) ─▶ hands ─▶ house (methods, roles, events) ─▶ doors open
//! ```

use crate::backup::Backups;
use crate::hands::Hands;
use crate::hooks::Hooks;
use crate::notice::Notices;
use crate::orders::Orders;
use crate::room;
use crate::rpc::api::Till as _;
use crate::rpc::{Desk, House, ShopEvents, StaffGate, order_json};
use crate::shop::Keeper;
use crate::store::{HEAD_FILE, STORE_FILE, ShopStore};
use crate::tills::Tills;
use daemon::head::HeadFile;
use daemon::run::{self, RunError, Workstation};
use daemon::settings::Settings;
use daemon::store::StoreFault;
use protocol::node::host::paths::Paths;
use protocol::node::host::signals::Shutdown;
use protocol::node::net::Role;
use protocol::node::rpc::Limits;
use std::sync::Arc;

/// Why a shop does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ShopError {
    /// Its workstation.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Its disk.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// Its file is an older one, put back: it would number receipts and reports twice, and forget what it has given back.
    #[error(
        "shop.redb is older than the shop: it ends at event {has}, the shop was at {noted}; put the newest file back, or the newest backup (shop-node backup restore)"
    )]
    Older {
        /// Its newest event.
        has: u64,
        /// The newest that ever was.
        noted: u64,
    },
    /// Its head file.
    #[error("the shop's head file: {0}")]
    Head(#[from] std::io::Error),
    /// Its thread.
    #[error("the shop's thread ended: {0}")]
    Room(String),
}

/// A catalogue's file, written as JSON.
const BODY_MAX: usize = 5 << 20;

/// Runs until `shutdown`, or until a disk fails.
pub async fn run(settings: Settings, paths: Paths, shutdown: Shutdown) -> Result<(), ShopError> {
    let workstation = Workstation::start(&settings, &paths, Role::Shop).await?;
    let store = Arc::new(ShopStore::open(&paths.data.join(STORE_FILE))?);
    let keeper = Keeper {
        bank: workstation.engine.shared.keys().bank(),
        key: workstation.owner.key,
        name: workstation.owner.name.clone(),
        currency: workstation.owner.currency.clone(),
    };
    let shop = store.load(keeper)?;
    let head = HeadFile::open(&paths.data.join(HEAD_FILE))?;
    let (has, noted) = (shop.newest_event(), head.number());
    if has < noted {
        return Err(ShopError::Older { has, noted });
    }
    let staff = shop.staff().cloned().collect();
    let (room, thread) = room::open(shop, store, head).map_err(|error| ShopError::Room(error.to_string()))?;
    let hands = Arc::new(Hands::new(
        room.clone(),
        workstation.engine.clone(),
        workstation.net.clone(),
        workstation.link.clone(),
    ));
    let tills = Arc::new(Tills::new(room.clone(), workstation.engine.clone()));
    let (engine, link) = (workstation.engine.clone(), workstation.link.clone());
    let orders = Arc::new(Orders::new(room.clone(), engine, link, tills.clone()));
    let gate = Arc::new(StaffGate::new(room.clone(), workstation.gate.clone(), staff));
    let events = Arc::new(ShopEvents { room: room.clone(), wallet: workstation.events.clone() });
    let shared = &workstation.engine.shared;
    let hooks =
        Arc::new(Hooks::new(room.clone(), events.clone(), shared.persona.node.clone(), shared.clock.clone()));
    let notices = Notices::new(room.clone(), shared.clock.clone(), order_json);
    let backups = Arc::new(Backups::new(room.clone(), workstation.engine.clone(), workstation.link.clone()));
    let working = [
        tokio::spawn(hands.clone().run()),
        tokio::spawn(orders.clone().run()),
        tokio::spawn(hooks.clone().run()),
        tokio::spawn(notices.run()),
        tokio::spawn(backups.clone().run()),
    ];
    let desk = Desk {
        room: room.clone(),
        hands,
        orders,
        tills,
        engine: workstation.engine.clone(),
        backups,
        hooks,
        gate,
        currency: workstation.owner.currency.clone(),
        bank: workstation.bank_name.clone(),
        name: workstation.owner.name.clone(),
    };
    let house = house(&workstation, desk, events);
    // The room's thread ends by itself when its disk fails: then the doors close as well.
    let (stop, closing) = Shutdown::new();
    let mut ended = tokio::task::spawn_blocking(move || thread.join());
    let watching = tokio::spawn(async move {
        let early = tokio::select! {
            () = shutdown.requested() => None,
            done = &mut ended => Some(done),
        };
        stop.now();
        match early {
            Some(done) => done,
            None => ended.await,
        }
    });
    let served = workstation.serve(house, closing).await;
    working.iter().for_each(tokio::task::JoinHandle::abort);
    // The last handles go, and with them the room.
    for task in working {
        let _ = task.await;
    }
    drop(room);
    served?;
    match watching.await {
        Ok(Ok(Ok(result))) => Ok(result?),
        _ => Err(ShopError::Room("it broke; what was acknowledged is on disk".to_owned())),
    }
}

fn house(workstation: &Workstation, desk: Desk, events: Arc<ShopEvents>) -> run::House {
    let (room, gate, orders) = (desk.room.clone(), desk.gate.clone(), desk.orders.clone());
    let service = House {
        shop: desk.into_service(),
        workstation: workstation.service.clone(),
        gate: gate.clone(),
        room,
        engine: workstation.engine.clone(),
    };
    run::House {
        program: "shop-node",
        service: Arc::new(service),
        gate,
        events,
        limits: Limits { body: BODY_MAX, ..Limits::default() },
        counter: Some(orders),
    }
}
