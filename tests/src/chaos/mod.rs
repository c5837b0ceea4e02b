//! Chaos: a bank and workstations as real processes, under load, while everything happens that happens to machines.
//!
//! ```text
//! load    everybody pays everybody, withdraws and deposits, each call with a key of its own until it is answered;
//!         a shop sells to them, gives back, and sends what it has taken to its company
//! storm   SIGKILL · SIGSTOP · connections cut · a disk filled to the last byte, to anybody, the bank among them
//! end     all is well again; then: one outcome a payment, the same on both sides; not a unit lost or made; one booking
//!         a sale, and its takings with the company once
//! ```
//! The moments and victims follow from a seed; the machine's speed does not, so the same seed is a similar storm.

mod disk;
mod load;
mod storm;
mod till;
mod wire;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use protocol::id::PaymentId;
use serde::Serialize;

use crate::demo::say;
use crate::patience::{until_within, wait};
use crate::people::{Community, Resident};
use crate::world::Chance;
use disk::SmallDisk;
use storm::{Storm, Toll};
use till::Sold;
use wire::Wire;

/// What everybody's account is opened with, and what he has of it in his reserve at first.
const OPENED: u64 = 4_000;
const WITHDRAWN: u64 = 2_000;
/// How long everything may take to settle once the storm is over: pauses have grown, and the machine is small.
const CALM: Duration = Duration::from_secs(240);

/// What is played.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// For how long.
    pub storm: Duration,
    /// How many workstations.
    pub residents: usize,
    /// Where chance comes from.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Whether it all held.
    pub ok: bool,
    /// The seed.
    pub seed: u64,
    /// Seconds of storm.
    pub seconds: u64,
    /// Workstations.
    pub residents: usize,
    /// Payments begun.
    pub payments: usize,
    /// Payments that are done on both sides.
    pub done: usize,
    /// Payments that are not done on both sides.
    pub not_done: usize,
    /// What happened to the machines.
    pub toll: Toll,
    /// Sales of the shop that were paid.
    pub sales: u64,
    /// Times in the storm at which its takings were sent off.
    pub evenings: u64,
    /// What its company has of them.
    pub company: u64,
    /// Whether the bank's audit passed.
    pub audited: bool,
    /// Whether reserves and accounts hold what was paid in, to the unit.
    pub conserved: bool,
    /// What does not agree, in sentences.
    pub wrong: Vec<String>,
}

/// A resident, his wire, and his disk if it is a small one.
struct Station {
    resident: Resident,
    wire: Wire,
    disk: Option<SmallDisk>,
}

/// A payment as its payer began it.
#[derive(Clone, Copy)]
struct Begun {
    payer: usize,
    id: PaymentId,
}

/// Plays it.
pub fn play(plan: Plan) -> Report {
    let bank_wire = Wire::new();
    let town = Community::open_at("Naxos", &bank_wire.setting());
    let mut stations: Vec<Station> = (0..plan.residents).map(|at| station(&town, at)).collect();
    // The last one is the shop.
    let shop = stations.len();
    stations.push(shop_of(&town));
    let stations = stations;
    for one in &stations {
        one.resident.withdraws(WITHDRAWN);
        one.resident.takes_directly_at_most(100);
    }
    for one in &stations {
        for other in &stations {
            let _code = one.resident.finds(other.resident.name());
        }
    }
    stations.iter().skip(shop).for_each(|shop| till::is_owned(&town, shop));
    say("Everybody is there. The storm begins.");
    let over = AtomicBool::new(false);
    let storm = Storm { town: &town, bank_wire: &bank_wire, stations: &stations };
    let (toll, begun, sold) = std::thread::scope(|threads| {
        let clerk = {
            let (over, stations, chance) = (&over, &stations, Chance::of(plan.seed ^ 0x5a1e));
            threads.spawn(move || till::goes_on(stations, shop, chance, over))
        };
        let payers: Vec<_> = (0..shop)
            .map(|at| {
                let (over, stations) = (&over, &stations);
                let chance = Chance::of(plan.seed ^ u64::try_from(at + 1).expect("few stations"));
                threads.spawn(move || load::goes_on(stations, at, chance, over))
            })
            .collect();
        let toll = storm.rages(Chance::of(plan.seed), plan.storm);
        over.store(true, Ordering::Relaxed);
        let begun = payers.into_iter().flat_map(|payer| payer.join().expect("a payer's calls are answered"));
        let mut begun = begun.collect::<Vec<Begun>>();
        let sold = clerk.join().expect("the clerk's calls are answered");
        begun.extend(sold.begun.iter().copied());
        (toll, begun, sold)
    });
    let (payments, sales) = (begun.len(), sold.sales.len());
    say(&format!("{payments} payments, {sales} sales, {toll:?}. Everything is mended now."));
    storm.clears();
    let seconds = plan.storm.as_secs();
    let mut report =
        Report { seed: plan.seed, seconds, residents: plan.residents, toll, ..Report::default() };
    reckon(&town, &stations, (&begun, &sold), &mut report);
    report.ok = report.audited && report.conserved && report.wrong.is_empty();
    report
}

fn station(town: &Community, at: usize) -> Station {
    const NAMES: [&str; 8] = ["alice", "bob", "carol", "dora", "emil", "flora", "gino", "hanna"];
    let name = NAMES.get(at).map_or_else(|| format!("resident-{at}"), |name| (*name).to_owned());
    let wire = Wire::new();
    // Every third has a disk that fills up.
    let disk = if at.is_multiple_of(3) { SmallDisk::at(&town.folder().join(&name)) } else { None };
    let resident = town.resident_at(&name, OPENED, wire.setting()).joined().started().unlocked();
    Station { resident, wire, disk }
}

fn shop_of(town: &Community) -> Station {
    let wire = Wire::new();
    let resident = town.till_at(till::SHOP, OPENED, wire.setting()).joined().started().unlocked();
    Station { resident, wire, disk: None }
}

/// What is true when all is quiet.
fn reckon(town: &Community, stations: &[Station], (begun, sold): (&[Begun], &Sold), report: &mut Report) {
    report.payments = begun.len();

    for one in stations {
        let (name, resident) = (one.resident.name(), &one.resident);
        let open =
            || wait(resident.rpc().payment_open(protocol::node::rpc::Empty {})).map(|open| open.payments);
        let quiet = || resident.balance().held.is_empty() && open().is_ok_and(|open| open.is_empty());
        if until_within(CALM, || quiet().then_some(())).is_none() {
            report.wrong.push(format!("{name} still waits: {:?} {:?}", open(), resident.balance().held));
        }
        resident.has_refreshed();
    }
    // Everybody's payment has an outcome: nothing comes to the shop any more.
    stations.iter().filter(|one| one.resident.name() == till::SHOP).for_each(|shop| {
        till::reckon(town, shop, sold, report);
    });
    let moved = histories(stations);
    for Begun { payer, id } in begun {
        let Some(payer) = stations.get(*payer) else { continue };
        match one_outcome(&payer.resident, *id, &moved) {
            Ok(true) => report.done += 1,
            Ok(false) => report.not_done += 1,
            Err(why) => report.wrong.push(why),
        }
    }
    report.audited = town.bank().cli(&["audit", "--json"]).ok();
    let mut held = 0;
    for one in stations {
        let checked = one.resident.checks_history();
        let (reserve, account) = (one.resident.reserve(), one.resident.account().units.get());
        if checked.reserve.get() != reserve {
            report.wrong.push(format!("{}'s history does not fit his reserve", one.resident.name()));
        }
        held += reserve + account;
    }
    held += report.company;
    let paid_in = OPENED * u64::try_from(stations.len()).expect("few stations");
    report.conserved = held == paid_in;
    if held != paid_in {
        report.wrong.push(format!("{paid_in} were paid in, {held} are there"));
    }
}

/// What histories say of each payment: what left the payer for good, what came to the payee.
#[derive(Default)]
struct Moved {
    sent: u64,
    returned: u64,
    received: u64,
}

fn histories(stations: &[Station]) -> HashMap<String, Moved> {
    let mut moved: HashMap<String, Moved> = HashMap::new();
    for line in stations.iter().flat_map(|one| one.resident.history()) {
        let of = moved.entry(line.id).or_default();
        match line.movement.as_str() {
            "sent" => of.sent += line.units.get(),
            "returned" => of.returned += line.units.get(),
            "received" => of.received += line.units.get(),
            _ => {}
        }
    }
    moved
}

/// Whether a payment is done: what the payer is told, and what both histories say, must be one thing.
fn one_outcome(payer: &Resident, id: PaymentId, moved: &HashMap<String, Moved>) -> Result<bool, String> {
    let told = payer.payment(id);
    let nothing = Moved::default();
    let Moved { sent, returned, received } = moved.get(&id.to_string()).unwrap_or(&nothing);
    let (gone, units) = (sent - returned, told.units.get());
    match told.outcome.as_str() {
        "done" if gone == units && *received == units => Ok(true),
        "not_done" if gone == 0 && *received == 0 => Ok(false),
        _ => Err(format!("{}: sent {gone}, received {received}: {told:?}", payer.name())),
    }
}
