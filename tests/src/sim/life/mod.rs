//! A life: a world, what has happened in it, and the one function that makes an act happen.

mod days;
mod disks;
mod doing;
mod end;
mod mail;

use super::act::Act;
use super::evil::Evil;
use super::setting::{Nurseries, Setting};
use super::tally::Tally;
use super::truth::{Truth, Violation};
use crate::world::{Cannot, Chance, Mail, Paper, Person, Weather, Who, World, forget_vaults, units};
use bank_node::desk::office::Operation;
use bank_node::desk::standing::Change;
use bank_node::ledger::AccountNumber;
use daemon::wallet::paying::State;
use daemon::wallet::policy::Policy;
use protocol::id::PaymentId;
use protocol::pay::Request;
use protocol::sign::{Signed, recall};
use protocol::time::DAY_SECONDS;
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

/// Good signatures that a world remembers.
const SIGNATURES: usize = 1 << 17;

/// Of a hundred ways to a mailbox so many break off.
const BREAKS_OFF: u64 = 12;
/// What everybody takes back to his account before a life at ease: 50 stay in the reserve.
const AT_EASE_DEPOSITS: u64 = 450;

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
pub(in crate::sim) fn tries<T>(what: Result<T, Cannot>) {
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
    pub(in crate::sim) truth: Truth,
    pub(in crate::sim) evil: Evil,
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
        // In one world of eight each signature is checked whenever somebody checks it.
        match setting.seed.is_multiple_of(8) {
            true => recall::end(),
            false => recall::begin(SIGNATURES),
        }
        let mut world = nurseries.world(&setting);
        if setting.is_at_ease() {
            for who in world.everybody() {
                let wallet = world.person(who).wallet();
                let policy = Policy { refresh: false, ..wallet.policy().clone() };
                let decision = wallet.set_policy(policy, world.now);
                tries(world.settle_decision(who, decision));
                // Little money and no fresh one: what there is goes from hand to hand.
                tries(world.deposit(who, AT_EASE_DEPOSITS));
            }
            world.settles();
        }
        world.bank.rules.guarantee_cap = units(CAP);
        // What the bank was asked and has done, and what a mailbox has given, breaks off before it is heard.
        world.post.weather = Weather { lost: BREAKS_OFF, ..Weather::default() };
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

    pub(in crate::sim) fn one(&self, place: u8) -> Who {
        Who::at(usize::from(place) % self.setting.people)
    }

    /// Somebody evil; nobody if there is none.
    pub(in crate::sim) fn evil_one(&self, place: u8) -> Option<Who> {
        let place = usize::from(place).checked_rem(self.setting.evil)?;
        Some(Who::at(self.setting.honest() + place))
    }

    pub(in crate::sim) fn account(&self, who: Who) -> AccountNumber {
        AccountNumber(self.world.person(who).wallet().owner().account)
    }

    pub(in crate::sim) fn orders(&mut self, operation: Operation) {
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

    fn tell_cuts(&mut self) {
        for who in self.world.everybody() {
            self.world.person_mut(who).cut_off = self.cuts.parts(Some(who), None);
        }
    }

    fn is_up(&self, who: Who) -> bool {
        !self.world.person(who).is_down()
    }

    /// Those who joined, without copies.
    fn people(&self) -> Vec<Who> {
        (0..self.setting.people).map(Who::at).collect()
    }

    /// The ids of somebody's payments that wait for an answer.
    pub(in crate::sim) fn sent(&self, who: Who) -> Vec<PaymentId> {
        let payments = self.world.person(who).wallet().open_payments();
        payments.filter(|payment| payment.state == State::Sent).map(|payment| payment.id).collect()
    }
}
