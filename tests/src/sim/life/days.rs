//! Time that passes, and what the calendar brings: bulletins, answers to cases, sweeps.

use super::{AWAY_MAX, LAST_DAYS, Life, tries};
use crate::sim::setting::DAYS;
use crate::world::{Kept, NOON, Who};
use protocol::time::DAY_SECONDS;

impl Life {
    pub(super) fn waits(&mut self, seconds: u64) {
        let end = NOON.plus_seconds((u64::from(DAYS) - LAST_DAYS - 10) * DAY_SECONDS);
        let mut left = seconds;
        while left > 0 && self.world.now.plus_seconds(left) < end {
            let slice = left.min(AWAY_MAX);
            left -= slice;
            self.passes(slice);
        }
    }

    /// Some time passes, and with it what the bank does by the calendar.
    pub(super) fn passes(&mut self, seconds: u64) {
        let before = self.world.now.day();
        self.world.wait(seconds);
        self.away += seconds;
        let days = self.world.now.day().0 - before.0;
        if days > 0 {
            self.world.bank.mend();
            self.world.bank.sweep_post();
        }
        self.tally.add("day-passed", u64::from(days));
        if self.away > AWAY_MAX {
            self.away = 0;
            self.keeps_up();
        }
    }

    /// Honest workstations are never away for longer than a case waits for them.
    pub(super) fn keeps_up(&mut self) {
        self.world.bank.mend();
        let honest = self.setting.honest();
        for who in self.people().into_iter().take(honest) {
            if self.world.person(who).is_down() {
                self.world.crash(who, Kept::Everything);
            }
            let cut = std::mem::replace(&mut self.world.person_mut(who).cut_off, false);
            self.world.person(who).disk.mend();
            tries(self.world.ask_for_cases(who));
            self.world.person_mut(who).cut_off = cut;
        }
    }

    /// The bank's next bulletin, for everybody who reaches it.
    pub(super) fn bulletin(&mut self) {
        self.world.bank.mend();
        drop(self.world.bank.bulletin());
        for who in self.world.everybody() {
            self.reads_bulletins(who);
        }
    }

    pub(super) fn reads_bulletins(&mut self, who: Who) {
        if !self.is_up(who) || self.world.person(who).cut_off || self.world.person(who).off {
            return;
        }
        self.world.bank.mend();
        tries(self.world.pull_bulletins(who));
        self.tally.count("bulletin-read");
        let list = self.world.bank.reclaimed();
        if !list.is_empty() && self.is_up(who) && !self.world.contest(who, &list).is_zero() {
            self.tally.count("contested");
        }
    }
}
