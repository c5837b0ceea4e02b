//! The storm: what happens to machines, to anybody, one thing after the other and some at once.

use std::time::Duration;

use protocol::node::clock::Clock;
use serde::Serialize;

use super::Station;
use super::wire::Wire;
use crate::patience::let_pass;
use crate::people::Community;
use crate::world::Chance;

/// How often what happened.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Toll {
    /// Workstations killed.
    pub kills: u64,
    /// The bank killed.
    pub bank_kills: u64,
    /// Processes held still.
    pub freezes: u64,
    /// Wires cut.
    pub cuts: u64,
    /// Disks filled.
    pub full_disks: u64,
    /// Workstations that gave up over a full disk and were started again.
    pub gave_up: u64,
}

pub(super) struct Storm<'a> {
    pub(super) town: &'a Community,
    pub(super) bank_wire: &'a Wire,
    pub(super) stations: &'a [Station],
}

impl Storm<'_> {
    /// Rages for a while.
    pub(super) fn rages(&self, mut chance: Chance, time: Duration) -> Toll {
        let clock = Clock::system();
        let end = clock.monotonic() + time;
        let mut toll = Toll::default();
        while clock.monotonic() < end {
            let_pass(Duration::from_millis(chance.below(400)));
            let victim = self.stations.get(chance.place(self.stations.len() + 1));
            match (victim, chance.below(10)) {
                (Some(station), 0..=3) => self.kills(station, &mut chance, &mut toll),
                (Some(station), 4..=5) => self.freezes(station, &mut chance, &mut toll),
                (Some(station), 6..=7) => self.cuts(&station.wire, &mut chance, &mut toll),
                (Some(station), _) => self.fills(station, &mut chance, &mut toll),
                (None, 0..=4) => {
                    self.town.bank().is_killed();
                    let_pass(Duration::from_millis(chance.below(500)));
                    self.town.bank().opens();
                    toll.bank_kills += 1;
                }
                (None, 5..=7) => {
                    self.town.bank().program().freeze();
                    let_pass(Duration::from_millis(chance.below(2_500)));
                    self.town.bank().program().thaw();
                    toll.freezes += 1;
                }
                (None, _) => self.cuts(self.bank_wire, &mut chance, &mut toll),
            }
        }
        toll
    }

    fn kills(&self, station: &Station, chance: &mut Chance, toll: &mut Toll) {
        station.resident.is_killed();
        let_pass(Duration::from_millis(chance.below(300)));
        comes_up(station);
        toll.kills += 1;
    }

    fn freezes(&self, station: &Station, chance: &mut Chance, toll: &mut Toll) {
        station.resident.program().freeze();
        let_pass(Duration::from_millis(chance.below(2_500)));
        station.resident.program().thaw();
        toll.freezes += 1;
    }

    fn cuts(&self, wire: &Wire, chance: &mut Chance, toll: &mut Toll) {
        wire.cut();
        let_pass(Duration::from_millis(chance.below(2_000)));
        wire.mend();
        toll.cuts += 1;
    }

    /// Fills a small disk; a workstation that gave up over it is started again once there is room.
    fn fills(&self, station: &Station, chance: &mut Chance, toll: &mut Toll) {
        let Some(disk) = &station.disk else { return self.kills(station, chance, toll) };
        disk.fill();
        let_pass(Duration::from_millis(chance.below(1_500)));
        disk.empty();
        toll.full_disks += 1;
        if !station.resident.program().is_running() {
            comes_up(station);
            toll.gave_up += 1;
        }
    }

    /// Everything works again, and nobody waits for a pause that has grown long.
    pub(super) fn clears(&self) {
        self.bank_wire.mend();
        for station in self.stations {
            station.wire.mend();
            station.disk.iter().for_each(super::disk::SmallDisk::empty);
            station.resident.is_killed();
            comes_up(station);
        }
    }
}

fn comes_up(station: &Station) {
    station.resident.is_killed();
    station.resident.starts();
    station.resident.unlocks_in_time();
}
