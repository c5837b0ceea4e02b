//! Machines that crash, disks that are lost, copied or put back.

use super::{Life, tries};
use crate::sim::act::{Act, Kind};
use crate::sim::truth::{Violation, broken};
use crate::world::{Kept, Person, Who};

impl Life {
    /// Disks that are older than what their owners have signed.
    pub(super) fn disk_comes_back(&mut self, who: Who, act: &Act) {
        let place = who.place();
        match act.kind {
            Kind::Backup if !self.world.person(who).is_down() => {
                self.backups.insert(place, self.world.person(who).copy());
            }
            Kind::RollBack if place < self.setting.honest() => {
                if let Some(older) = self.backups.remove(&place) {
                    self.uses_old_disk(who, &older);
                    self.world.replace(who, older);
                    self.tally.count("rolled-back");
                }
            }
            Kind::Twin if place < self.setting.honest() && self.world.everybody().len() < 20 => {
                if let Some(older) = self.backups.remove(&place) {
                    self.uses_old_disk(who, &older);
                    let twin = self.world.add(older);
                    self.truth.second_copy(&self.world, who, twin);
                    self.twins.push(twin);
                    self.tally.count("twinned");
                }
            }
            Kind::TwinPays => {
                let at = usize::try_from(act.number).unwrap_or(0).checked_rem(self.twins.len());
                let payee = self.one(act.other);
                if let Some(twin) = at.and_then(|at| self.twins.get(at)).copied()
                    && payee.place() < self.setting.honest()
                    && self.world.person(payee).key() != self.world.person(twin).key()
                {
                    tries(self.world.pay(twin, payee, u64::from(act.much)));
                    self.world.remind(twin);
                }
            }
            _ => {}
        }
    }

    /// Whatever is on an old disk may be signed twice by its owner's key.
    pub(super) fn uses_old_disk(&mut self, who: Who, older: &Person) {
        self.truth.careless(&self.world, who);
        // What was there and not gone: free, or promised to somebody who may get it by another order now.
        let there = older.wallet().notes();
        let there = there.flat_map(|own| own.free.iter().chain(own.held.iter().map(|hold| hold.range)));
        let units: u64 = there.map(|range| range.units().get()).sum();
        *self.truth.signed_by_hand.entry(who.place()).or_default() += units;
    }

    /// A machine is lost, and made anew from the vault: nothing is spent that the lost one may have spent.
    pub(super) fn loses_machine(&mut self, who: Who) -> Result<(), Violation> {
        let honest = who.place() < self.setting.honest();
        if !honest || !self.setting.features.restore || self.world.person(who).cut_off {
            return Ok(());
        }
        self.world.bank.mend();
        if self.world.person(who).is_down() {
            // What it had sent out before it went down is looked at first.
            self.world.crash(who, Kept::Everything);
            self.truth.after_step(&self.world, &mut self.tally)?;
        }
        self.world.restore(who);
        self.tally.count("restored");
        if self.world.person(who).wallet().quarantine().is_some() {
            return broken("quarantine", "a restored machine is quarantined".to_owned());
        }
        self.truth.restored(&self.world, who)
    }

    pub(super) fn starts(&mut self, who: Who, number: u64) {
        let kept = match number % 3 {
            0 => Kept::Nothing,
            1 => Kept::Some,
            _ => Kept::Everything,
        };
        self.world.crash(who, kept);
    }
}
