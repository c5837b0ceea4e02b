//! A life: a world, what has happened in it, and the one function that makes an act happen.

use super::act::{Act, Kind, Need};
use super::evil::Evil;
use super::setting::{DAYS, Nurseries, Setting};
use super::tally::Tally;
use super::truth::{Truth, Violation};
use crate::world::{
    Cannot, Chance, Kept, Mail, NOON, Paper, Person, Weather, Who, World, forget_vaults, units,
};
use bank_node::desk::office::Operation;
use bank_node::desk::standing::Change;
use bank_node::ledger::AccountNumber;
use daemon::wallet::paying::{NotDone, State};
use daemon::wallet::policy::Policy;
use protocol::id::PaymentId;
use protocol::note::Destination;
use protocol::pay::{AmountRule, Mode, Request};
use protocol::sign::Signed;
use protocol::time::DAY_SECONDS;
use protocol::wire::{self, BankAnswer, ErrorCode, Letterhead, PayAnswer, PayAsk};
use std::collections::BTreeMap;

/// Mail kept to be sent again much later.
const OLD_MAIL: usize = 96;
/// So much mail at most is on its way: nobody starts more until some has arrived.
const MAIL_MAX: usize = 400;
/// Steps between two looks at everything.
const AUDIT_EVERY: usize = 750;

/// The most that the guarantee pays in one offender's stead, and what there is of it.
const CAP: u64 = 150;
const FUND: u64 = 400;
/// Everybody is on line and up once in so many seconds: who is asked in a case has to answer in time.
const AWAY_MAX: u64 = 3 * DAY_SECONDS;
/// Days at the end in which reclaims close and cases end.
const LAST_DAYS: u64 = 60;

/// Where the network is cut.
#[derive(Clone, Copy, Debug, Default)]
struct Cuts {
    /// Bits of those who are off line.
    off_line: u32,
    /// Bits of those on the one side; the bank is on the other.
    island: u32,
    bank_gone: bool,
}

impl Cuts {
    fn parts(&self, one: Option<Who>, other: Option<Who>) -> bool {
        let bit = |who: Option<Who>| who.map_or(0, |who| 1_u32 << who.place());
        let (one_bit, other_bit) = (bit(one), bit(other));
        let sides = (one_bit & self.island != 0, other_bit & self.island != 0);
        let bank = one.is_none() || other.is_none();
        (one_bit | other_bit) & self.off_line != 0 || sides.0 != sides.1 || (bank && self.bank_gone)
    }
}

/// What may well not be possible just now.
pub(super) fn tries<T>(what: Result<T, Cannot>) {
    drop(what);
}

/// A life.
pub struct Life {
    /// Its world.
    pub world: World,
    /// What it began with.
    pub setting: Setting,
    /// What happened in it.
    pub tally: Tally,
    pub(super) truth: Truth,
    pub(super) evil: Evil,
    cuts: Cuts,
    old_mail: Vec<Mail>,
    requests: Vec<Signed<Request>>,
    /// Disks that were copied aside.
    backups: BTreeMap<usize, Person>,
    steps: usize,
    /// Second workstations of people who keep the rules.
    twins: Vec<Who>,
    /// Seconds since everybody was on line.
    away: u64,
}

impl Life {
    /// A new life.
    pub fn begin(setting: Setting, nurseries: &mut Nurseries) -> Result<Life, Violation> {
        forget_vaults();
        let mut world = nurseries.world(&setting);
        world.bank.rules.guarantee_cap = units(CAP);
        world.order(Operation::Guarantee(units(FUND), "the operators".to_owned()));
        if setting.features.restore {
            world.everybody().into_iter().for_each(|who| world.keep_vault(who));
        }
        let mut tally = Tally::default();
        let truth = Truth::of(&world, setting.honest(), &mut tally)?;
        if setting.paper == Paper::Redb {
            tally.count("worlds-on-disk");
        }
        if setting.evil > 0 {
            tally.count("worlds-with-evil");
        }
        let (cuts, old_mail, requests) = (Cuts::default(), Vec::new(), Vec::new());
        let evil = Evil::default();
        Ok(Life {
            world,
            setting,
            tally,
            truth,
            evil,
            cuts,
            old_mail,
            requests,
            backups: BTreeMap::new(),
            steps: 0,
            twins: Vec::new(),
            away: 0,
        })
    }

    /// How much mail is on its way.
    pub fn waiting(&self) -> usize {
        self.world.post.len()
    }

    /// Makes an act happen and looks at what it has touched.
    pub fn step(&mut self, act: &Act) -> Result<(), Violation> {
        self.world.chance = Chance::of(act.number);
        self.steps += 1;
        let before = self.world.bank.deaths();
        self.happens(act)?;
        self.tell_cuts();
        self.tally.add("bank-crashed", self.world.bank.deaths() - before);
        self.truth.after_step(&self.world, &mut self.tally)?;
        if self.steps.is_multiple_of(AUDIT_EVERY) {
            self.truth.audit(&self.world, &mut self.tally)?;
        }
        Ok(())
    }

    pub(super) fn one(&self, place: u8) -> Who {
        Who::at(usize::from(place) % self.setting.people)
    }

    /// Somebody evil; nobody if there is none.
    pub(super) fn evil_one(&self, place: u8) -> Option<Who> {
        let place = usize::from(place).checked_rem(self.setting.evil)?;
        Some(Who::at(self.setting.honest() + place))
    }

    fn happens(&mut self, act: &Act) -> Result<(), Violation> {
        let (who, other, much) = (self.one(act.who), self.one(act.other), u64::from(act.much));
        let place = usize::try_from(act.number).unwrap_or(usize::MAX) % self.world.post.len().max(1);
        let crowded = self.world.post.len() > MAIL_MAX;
        match act.kind {
            Kind::Deliver => self.delivers(0)?,
            Kind::Overtake => {
                self.tally.count("mail-overtaken");
                self.delivers(place)?;
            }
            Kind::Lose => {
                if let Some(mail) = self.world.post.take(place) {
                    self.keep(mail);
                    self.tally.count("mail-lost");
                }
            }
            Kind::Repeat => {
                if let Some(mail) = self.world.post.at(0).cloned() {
                    self.world.post.send(mail);
                    self.tally.count("mail-repeated");
                }
                self.delivers(0)?;
            }
            Kind::Replay => {
                let at = usize::try_from(act.number).unwrap_or(0).checked_rem(self.old_mail.len());
                if let Some(mail) = at.and_then(|at| self.old_mail.get(at)).cloned() {
                    self.world.post.send(mail);
                    self.tally.count("mail-replayed");
                }
            }
            _ if crowded => {}
            Kind::Pay => tries(self.world.pay(who, other, much)),
            Kind::PayCertified => tries(self.world.pay_certified(who, other, much)),
            Kind::Ask => self.asks(who),
            Kind::PayRequest => self.pays_request(act),
            Kind::GiveUp => self.gives_up(who),
            Kind::Withdraw => tries(self.world.withdraw(who, much * 3)),
            Kind::Deposit => tries(self.world.deposit(who, much)),
            Kind::Refresh => tries(self.world.refresh(who)),
            Kind::Remind => self.reminds(who),
            Kind::Reclaim => self.reclaims(who),
            Kind::Bulletin => self.bulletin(),
            Kind::Pull => self.reads_bulletins(who),
            Kind::LeaveRequests if self.is_up(who) => tries(self.world.leaves_requests(who)),
            Kind::PayByMail if self.is_up(who) => tries(self.world.pay_by_mail(who, other, much)),
            Kind::Cancel => self.cancels(who),
            Kind::Collect if self.is_up(who) => {
                let there = !self.world.person(who).cut_off
                    && self.world.bank.has_mail(&self.world.person(who).key());
                self.tally.add("mail-collected", u64::from(there));
                tries(self.world.collect(who));
            }
            Kind::LeaveRequests | Kind::PayByMail | Kind::Collect => {}
            Kind::LoseMachine => self.loses_machine(who)?,
            Kind::Lock => self.world.person_mut(who).locked = true,
            Kind::Unlock => self.world.person_mut(who).locked = false,
            Kind::Moment => self.waits(much * 7),
            Kind::Hours => self.waits(much * 300),
            Kind::Days => self.waits(much * 4_000),
            Kind::Skew => {
                // Honest clocks differ by ten minutes at most: five to this side and five to that.
                self.world.person_mut(who).skew =
                    i64::from(act.much % 301) * if act.other.is_multiple_of(2) { 1 } else { -1 };
            }
            Kind::Leave => self.cuts.off_line |= 1 << who.place(),
            Kind::Return => self.cuts.off_line &= !(1 << who.place()),
            Kind::Part => self.cuts.island = act.much & 0xff,
            Kind::Heal => self.cuts.island = 0,
            Kind::BankLeaves => self.cuts.bank_gone = true,
            Kind::BankReturns => self.cuts.bank_gone = false,
            Kind::Directory => {
                let cut = self.cuts.parts(Some(who), None);
                if !cut && !self.world.person(who).is_down() {
                    self.world.bank.mend();
                    self.world.copy_directory(who);
                }
            }
            Kind::Suspend => self.decides(who, Change::Suspend),
            Kind::Reinstate => self.decides(who, Change::Reinstate),
            Kind::PayIn => self.orders(Operation::PayIn(self.account(who), units(much))),
            Kind::PayOut => self.orders(Operation::PayOut(self.account(who), units(much))),
            Kind::Policy => self.changes_policy(who, act),
            Kind::Crash => {
                self.tally.count("crashed");
                self.starts(who, act.number);
            }
            Kind::FailDisk => {
                let writes = if self.setting.paper == Paper::Redb { 40 } else { 6 };
                self.world.person(who).disk.fail_after(act.number % writes);
            }
            Kind::Start => {
                let down = self.world.everybody().into_iter().find(|who| self.world.person(*who).is_down());
                if let Some(who) = down {
                    self.tally.count("disk-died");
                    self.starts(who, act.number);
                    self.world.remind(who);
                }
            }
            Kind::FailBank => self.world.bank.fail_after(act.number % 40),
            kind if kind.need() == Need::Evil => self.does_evil(act),
            kind if kind.need() == Need::Sabotage => super::sabotage::happens(self, act),
            _ => self.disk_comes_back(who, act),
        }
        Ok(())
    }

    /// Disks that are older than what their owners have signed.
    fn disk_comes_back(&mut self, who: Who, act: &Act) {
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
    fn uses_old_disk(&mut self, who: Who, older: &Person) {
        self.truth.careless(&self.world, who);
        let units = |person: &Person| -> u64 {
            let notes = person.wallet().notes();
            notes.map(|own| own.note.holding().map_or(0, |held| held.range.units().get())).sum()
        };
        let all = units(older) + units(self.world.person(who));
        *self.truth.signed_by_hand.entry(who.place()).or_default() += 2 * all;
    }

    pub(super) fn account(&self, who: Who) -> AccountNumber {
        AccountNumber(self.world.person(who).wallet().owner().account)
    }

    pub(super) fn orders(&mut self, operation: Operation) {
        self.world.bank.mend();
        // An order that can't be carried out, such as a second suspension, changes nothing.
        drop(self.world.bank.order(operation));
    }

    /// Two operators decide on somebody's standing.
    fn decides(&mut self, who: Who, change: Change) {
        let account = self.account(who);
        let by = |name: &str| name.to_owned();
        self.orders(Operation::Propose { account, change, by: by("anna"), reason: by("a reason") });
        self.orders(Operation::Confirm { account, change, by: by("bruno") });
    }

    fn waits(&mut self, seconds: u64) {
        let end = NOON.plus_seconds((u64::from(DAYS) - LAST_DAYS - 10) * DAY_SECONDS);
        let mut left = seconds;
        while left > 0 && self.world.now.plus_seconds(left) < end {
            let slice = left.min(AWAY_MAX);
            left -= slice;
            self.passes(slice);
        }
    }

    /// Some time passes, and with it what the bank does by the calendar.
    fn passes(&mut self, seconds: u64) {
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
    fn keeps_up(&mut self) {
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

    fn tell_cuts(&mut self) {
        for who in self.world.everybody() {
            self.world.person_mut(who).cut_off = self.cuts.parts(Some(who), None);
        }
    }

    fn is_up(&self, who: Who) -> bool {
        !self.world.person(who).is_down()
    }

    fn reminds(&mut self, who: Who) {
        self.world.remind(who);
        if self.is_up(who) {
            match self.world.is_in_vault(who) {
                true => self.tally.count("in-vault"),
                false if self.world.person(who).wallet().quarantine().is_some() => {
                    self.tally.count("quarantined");
                }
                false => {}
            }
        }
    }

    fn reclaims(&mut self, who: Who) {
        let sent = self.sent(who);
        if let Some(id) = sent.first()
            && self.world.reclaim(who, id).is_ok()
        {
            self.tally.count("reclaim-asked");
        }
    }

    /// The bank's next bulletin, for everybody who reaches it.
    fn bulletin(&mut self) {
        self.world.bank.mend();
        drop(self.world.bank.bulletin());
        for who in self.world.everybody() {
            self.reads_bulletins(who);
        }
    }

    fn reads_bulletins(&mut self, who: Who) {
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

    fn cancels(&mut self, who: Who) {
        let posted = |payment: &&daemon::wallet::paying::Outgoing| payment.state == State::Posted;
        let id = self.world.person(who).wallet().open_payments().find(posted).map(|payment| payment.id);
        if let Some(id) = id
            && let Ok(true) = self.world.cancel(who, &id)
        {
            self.tally.count("mail-wanted-back");
        }
    }

    /// A machine is lost, and made anew from the vault: nothing is spent that the lost one may have spent.
    fn loses_machine(&mut self, who: Who) -> Result<(), Violation> {
        let honest = who.place() < self.setting.honest();
        if !honest || !self.setting.features.restore || self.world.person(who).cut_off {
            return Ok(());
        }
        self.world.bank.mend();
        self.world.restore(who);
        self.tally.count("restored");
        if self.world.person(who).wallet().quarantine().is_some() {
            return super::truth::broken("quarantine", "a restored machine is quarantined".to_owned());
        }
        self.truth.restored(&self.world, who)
    }

    fn starts(&mut self, who: Who, number: u64) {
        let kept = match number % 3 {
            0 => Kept::Nothing,
            1 => Kept::Some,
            _ => Kept::Everything,
        };
        self.world.crash(who, kept);
    }

    fn asks(&mut self, who: Who) {
        if let Ok(request) = self.world.ask_for(who, AmountRule::AtMost(units(300))) {
            if self.requests.len() >= 32 {
                self.requests.remove(0);
            }
            self.requests.push(request);
        }
    }

    fn pays_request(&mut self, act: &Act) {
        let at = usize::try_from(act.number).unwrap_or(0).checked_rem(self.requests.len());
        let Some(request) = at.and_then(|at| self.requests.get(at)).cloned() else { return };
        let (who, body) = (self.one(act.who), request.unverified());
        let runs =
            !self.world.clock(who).is_past(body.expires) && !self.world.clock(who).is_before(body.created);
        // Requests of a machine that is gone are paid by nobody: the directory names another one.
        let payee = self.people().into_iter().find(|who| self.world.person(*who).key() == body.payee());
        let runs = runs && payee.is_some_and(|payee| self.world.person(payee).node.key() == body.node);
        if runs && body.payee() != self.world.person(who).key() {
            tries(self.world.pay_request(who, &request, u64::from(act.much)));
        }
    }

    fn gives_up(&mut self, who: Who) {
        let asking = |p: &&daemon::wallet::paying::Outgoing| p.state == State::Asking;
        let now = self.world.clock(who);
        let wallet = self.world.person(who).wallet();
        let Some(id) = wallet.open_payments().find(asking).map(|payment| payment.id) else { return };
        let decision = wallet.offer_failed(&id, NotDone::Unreachable, now);
        if self.world.person(who).store().is_ok() {
            tries(self.world.settle_decision(who, decision));
        }
    }

    fn changes_policy(&mut self, who: Who, act: &Act) {
        let now = self.world.clock(who);
        let wallet = self.world.person(who).wallet();
        let policy = match act.other % 4 {
            0 => Policy { refresh: !wallet.policy().refresh, ..wallet.policy().clone() },
            1 => Policy { direct_max: units(20 + u64::from(act.much)), ..wallet.policy().clone() },
            2 => {
                Policy { unconfirmed_per_payer: units(100 + u64::from(act.much)), ..wallet.policy().clone() }
            }
            _ => Policy { refresh: true, ..Policy::of(&wallet.owner().currency) },
        };
        let decision = wallet.set_policy(policy, now);
        if self.world.person(who).store().is_ok() {
            tries(self.world.settle_decision(who, decision));
        }
    }

    // ---- mail ----

    fn keep(&mut self, mail: Mail) {
        if self.old_mail.len() < OLD_MAIL {
            self.old_mail.push(mail);
        } else {
            let place = self.steps % OLD_MAIL;
            if let Some(old) = self.old_mail.get_mut(place) {
                *old = mail;
            }
        }
    }

    fn delivers(&mut self, place: usize) -> Result<(), Violation> {
        let Some(mail) = self.world.post.take(place) else { return Ok(()) };
        if self.steps.is_multiple_of(4) {
            self.keep(mail.clone());
        }
        let (from, to) = mail.ends();
        if self.cuts.parts(from, to) {
            self.tally.count("mail-cut");
            return Ok(());
        }
        self.look_at(&mail)?;
        if let Mail::Ask(from, to, id, bytes) = &mail
            && to.place() >= self.setting.honest()
            && let Ok(Letterhead { from: papers, ask: PayAsk::Pay(payment) }) = wire::decode(bytes)
        {
            self.evil_is_paid((*from, *to, *id), papers, *payment);
            return Ok(());
        }
        // What a workstation that is down should have got is lost; whoever sent it will ask again.
        tries(self.world.arrive(mail));
        Ok(())
    }

    /// What mail tells about what happens.
    fn look_at(&mut self, mail: &Mail) -> Result<(), Violation> {
        match mail {
            Mail::FromBank(who, id, answer) => {
                self.tally.count(match &**answer {
                    BankAnswer::Withdrawn(..) => "answer-withdrawn",
                    BankAnswer::Declined(_) => "answer-declined",
                    BankAnswer::Deposited(items, _)
                        if items.iter().any(|item| matches!(item, wire::Item::Clash(_))) =>
                    {
                        "answer-clash"
                    }
                    BankAnswer::Deposited(..) => "answer-deposited",
                    BankAnswer::Reissued(_) => "answer-reissued",
                    BankAnswer::Denied(_) => "answer-clash",
                    _ => "answer-error",
                });
                self.truth.explain(&self.world, *who, id, answer)?;
            }
            Mail::Paid(_, _, _, PayAnswer::Error(code)) => self.tally.count(refused(*code)),
            Mail::Paid(_, _, _, PayAnswer::Refused(refusal)) => {
                self.tally.count(refused(refusal.unverified().code));
            }
            Mail::Confirm(..) => self.tally.count("confirmed"),
            // Opening each message once more would cost as much as checking it.
            Mail::Ask(_, to, _, bytes) if self.steps.is_multiple_of(8) => self.look_at_notes(*to, bytes),
            Mail::Ask(..) | Mail::Offered(..) | Mail::Paid(..) | Mail::ToBank(..) => {}
        }
        Ok(())
    }

    fn look_at_notes(&mut self, to: Who, bytes: &[u8]) {
        let Ok(Letterhead { ask: PayAsk::Pay(payment), .. }) = wire::decode(bytes) else { return };
        if payment.order.unverified().mode == Mode::Certified {
            self.tally.count("certified");
        }
        for note in payment.notes.unpack().unwrap_or_default() {
            if note.links.len() > 6 {
                self.tally.count("long-chain");
            }
            let mine = |key| self.truth.is_key_of(key, to);
            let links = note.links.iter().rev().skip(1).map(|link| link.unverified().to);
            let keys = links.chain([Destination::Key(note.root.unverified().to)]);
            if keys.into_iter().any(|to| matches!(to, Destination::Key(key) if mine(key))) {
                self.tally.count("came-home");
            }
        }
    }

    // ---- the end ----

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
        self.truth.check_settled(&self.world, &mut self.tally)?;
        self.truth.check_cashed_in(&self.world)?;
        self.truth.audit(&self.world, &mut self.tally)?;
        self.tally.add("uninsured", self.truth.uninsured());
        Ok(())
    }

    /// What nobody answers is reclaimed, and time passes until all of it has ended. In some worlds somebody is away
    /// meanwhile, and finds his money reclaimed.
    fn last_days(&mut self) -> Result<(), Violation> {
        let away = (self.setting.seed.is_multiple_of(3)).then(|| Who::at(0));
        if let Some(who) = away {
            self.world.person_mut(who).off = true;
        }
        for day in 0..LAST_DAYS {
            if day == 9 && away.is_some() {
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
            self.rests()?;
            let open = |who: &Who| {
                let wallet = self.world.person(*who).wallet();
                wallet.open_payments().count() + wallet.open_bank_ops().count() > 0
            };
            let honest = self.people().into_iter().take(self.setting.honest());
            if day > 9 && !honest.into_iter().any(|who| open(&who)) && !self.truth.bank.has_open_cases() {
                return Ok(());
            }
            if day > 9 || self.people().iter().any(open) || away.is_some() {
                self.passes(DAY_SECONDS);
            }
        }
        Ok(())
    }

    /// Those who joined, without copies.
    fn people(&self) -> Vec<Who> {
        (0..self.setting.people).map(Who::at).collect()
    }

    /// Asks for all that is free; true if there is nothing.
    fn cashes_in(&mut self, who: Who) -> bool {
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
    fn rests(&mut self) -> Result<(), Violation> {
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
            let changes = |who: Who| self.world.person(who).wallet().newest_event();
            let now: u64 = self.people().into_iter().take(self.setting.honest()).map(changes).sum();
            let now = Some((now, self.truth.bank.entries()));
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
        super::truth::broken("no-rest", format!("mail without end: {:?}", self.world.open_things()))
    }

    /// The ids of somebody's payments that wait for an answer.
    pub(super) fn sent(&self, who: Who) -> Vec<PaymentId> {
        let payments = self.world.person(who).wallet().open_payments();
        payments.filter(|payment| payment.state == State::Sent).map(|payment| payment.id).collect()
    }
}

fn refused(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Expired => "refused-expired",
        ErrorCode::Fork => "refused-fork",
        ErrorCode::DuplicateNote => "refused-duplicate-note",
        ErrorCode::NeedCertified => "refused-need-certified",
        ErrorCode::Suspended => "refused-suspended",
        ErrorCode::RequestUsed => "refused-request-used",
        ErrorCode::Clash => "refused-clash",
        ErrorCode::Busy => "refused-busy",
        ErrorCode::IdReused => "refused-id-reused",
        ErrorCode::UnknownRequest => "refused-unknown-request",
        _ => "refused-otherwise",
    }
}
