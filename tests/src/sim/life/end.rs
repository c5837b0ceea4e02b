//! The end of a life: nothing is in the way any more, everything open ends, and everybody cashes in.

use super::{AWAY_MAX, Cuts, LAST_DAYS, Life, tries};
use crate::sim::tally::Tally;
use crate::sim::truth::{Violation, broken};
use crate::world::{Chance, Kept, Weather, Who};
use bank_node::desk::standing::Change;
use protocol::time::DAY_SECONDS;

impl Life {
    /// Everybody is there, nothing is in the way: what is open comes to its end, and everybody cashes in.
    pub fn end(&mut self) -> Result<(), Violation> {
        self.world.chance = Chance::of(self.setting.seed ^ 0xe4d);
        self.world.post.weather = Weather::default();
        self.cuts = Cuts::default();
        self.evil.settles_down();
        self.world.mend_disks();
        for who in self.people() {
            let person = self.world.person_mut(who);
            (person.locked, person.skew) = (false, 0);
            self.decides(who, Change::Reinstate);
        }
        self.tell_cuts();
        self.world.wait(1);
        for who in self.world.everybody() {
            if self.world.person(who).is_down() {
                self.world.crash(who, Kept::Everything);
            }
            // Who was suspended is so no longer.
            self.world.copy_directory(who);
        }
        self.rests()?;
        // Whoever was told that his machine is not to be trusted any more restores it.
        for who in self.people().into_iter().take(self.setting.honest()) {
            if self.world.person(who).wallet().quarantine().is_some() {
                self.loses_machine(who)?;
            }
        }
        self.last_days()?;
        self.shops_are_settled()?;
        self.truth.check_settled(&self.world, &mut Tally::default())?;
        self.truth.audit(&self.world, &mut self.tally)?;
        for _ in 0..12 {
            let mut all = true;
            for who in self.people().into_iter().take(self.setting.honest()) {
                all &= self.cashes_in(who);
            }
            self.rests()?;
            if all {
                break;
            }
        }
        // What was lost over that, and is claimed too late, is asked for until its last day.
        if self.people().into_iter().take(self.setting.honest()).any(|who| self.is_open(who)) {
            self.last_days()?;
        }
        self.truth.check_settled(&self.world, &mut self.tally)?;
        self.truth.check_cashed_in(&self.world)?;
        self.truth.audit(&self.world, &mut self.tally)?;
        self.tally.add("uninsured", self.truth.uninsured());
        Ok(())
    }

    /// What nobody answers is reclaimed, and time passes until all of it has ended. In some worlds somebody is away
    /// meanwhile, and finds his money reclaimed.
    pub(super) fn last_days(&mut self) -> Result<(), Violation> {
        let away = (self.setting.seed.is_multiple_of(3)).then(|| Who::at(0));
        if let Some(who) = away {
            self.world.person_mut(who).off = true;
        }
        let (mut day, mut step, mut before) = (0, 1, None);
        while day < LAST_DAYS {
            if day >= 9 && away.is_some() {
                self.world.person_mut(Who::at(0)).off = false;
            }
            for who in self.people() {
                if self.world.person(who).off {
                    continue;
                }
                for id in self.sent(who) {
                    if self.world.reclaim(who, &id).is_ok() {
                        self.tally.count("reclaim-asked");
                    }
                }
            }
            self.bulletin();
            self.shops_close();
            self.rests()?;
            let honest = self.people().into_iter().take(self.setting.honest());
            let done = !honest.into_iter().any(|who| self.is_open(who)) && !self.truth.bank.has_open_cases();
            if day > 9 && done && !self.shops_wait() {
                return Ok(());
            }
            // Days on which nothing happens are not looked at one by one; nobody is away for longer than he may be.
            let now = self.changes();
            step = if before == Some(now) { (step + 1).min(AWAY_MAX / DAY_SECONDS) } else { 1 };
            before = Some(now);
            if day > 9
                || self.people().into_iter().any(|who| self.is_open(who))
                || away.is_some()
                || self.shops_wait()
            {
                self.passes(step * DAY_SECONDS);
            }
            day += step;
        }
        Ok(())
    }

    fn is_open(&self, who: Who) -> bool {
        let wallet = self.world.person(who).wallet();
        wallet.open_payments().count() + wallet.open_bank_ops().count() > 0
    }

    /// Grows with whatever happens to people who keep the rules, and at the bank.
    fn changes(&self) -> (u64, u64) {
        let changes = |who: Who| self.world.person(who).wallet().newest_event();
        let honest = self.people().into_iter().take(self.setting.honest());
        (honest.map(changes).sum(), self.truth.bank.entries())
    }

    /// Asks for all that is free; true if there is nothing.
    pub(super) fn cashes_in(&mut self, who: Who) -> bool {
        let free = self.world.person(who).wallet().free().get();
        if free == 0 {
            return true;
        }
        if self.world.deposit(who, free).is_err() {
            // Too scattered or too long for one request.
            let notes = self.world.person(who).wallet().notes();
            let most = notes.flat_map(|own| own.free.iter().map(|range| range.units().get())).max();
            tries(self.world.deposit(who, most.unwrap_or(free)));
        }
        false
    }

    /// Delivers and reminds until nothing is on its way.
    pub(super) fn rests(&mut self) -> Result<(), Violation> {
        let mut before = None;
        for round in 0..60 {
            while self.waiting() > 0 {
                self.delivers(0)?;
                self.truth.after_step(&self.world, &mut self.tally)?;
            }
            for who in self.world.everybody() {
                if self.world.person(who).is_down() {
                    self.world.crash(who, Kept::Everything);
                }
            }
            // What is asked again and answered as before changes nothing any more.
            let now = Some(self.changes());
            if now == before {
                return Ok(());
            }
            before = now;
            for who in self.world.everybody() {
                // A copy that nobody knows of may ask for ever.
                if who.place() < self.setting.honest() || round < 30 {
                    self.world.remind(who);
                }
            }
            self.truth.after_step(&self.world, &mut self.tally)?;
        }
        broken("no-rest", format!("mail without end: {:?}", self.world.open_things()))
    }
}
