//! What must hold after every step, whatever happened: looked at where the step touched something.
//!
//! The simulation keeps books of its own, from what it sees: the bank's new rows, the new lines of each
//! history, who has accepted what. No rule of the bank or the wallet is asked whether it was kept.
//!
//! | file | what it holds |
//! |---|---|
//! | [`bank`] | debits = credits, outstanding = roots − intervals, no unit redeemed twice |
//! | [`people`] | wealth = paid in + accepted in − accepted out, histories, one outcome a payment |
//! | [`restored`] | what lost machines had signed and taken |
//! | [`shops`] | each hold ends once, each rent and sweep is paid once, each line has somebody's word behind it |
//! | [`units`] | no unit is free twice, what is free is owed, who signed twice when it is not so |

pub mod bank;
pub mod people;
pub mod restored;
pub mod shops;
pub mod units;

use crate::sim::tally::Tally;
use crate::world::{Who, World};
use bank::BankTruth;
use daemon::wallet::paying::State;
use people::{Accepted, PersonTruth};
use protocol::id::{Key, RequestId};
use std::collections::{BTreeMap, BTreeSet};
use units::Holders;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule: a shrunk schedule breaks the same.
    pub rule: &'static str,
    /// What was found.
    pub what: String,
}

/// Whether a rule holds.
pub type Holds = Result<(), Violation>;

/// A broken rule.
pub fn broken<T>(rule: &'static str, what: String) -> Result<T, Violation> {
    Err(Violation { rule, what })
}

/// The simulation's own books.
pub struct Truth {
    pub(super) bank: BankTruth,
    pub(super) people: Vec<PersonTruth>,
    accepted: BTreeMap<[u8; 16], Accepted>,
    holders: Holders,
    /// Whose note keys are whose.
    owners: BTreeMap<Key, usize>,
    /// Answers of the bank that were looked at before.
    explained: BTreeSet<RequestId>,
    /// Units that each evil person has signed outside the rules.
    pub(super) signed_by_hand: BTreeMap<usize, u64>,
    /// Units that honest people have lost to each evil person.
    lost_to: BTreeMap<usize, u64>,
    /// The most that the guarantee pays in one offender's stead.
    pub(super) cap: u64,
}

impl Truth {
    /// Books of a world as it is now; the first `honest` of its people keep the rules.
    pub fn of(world: &World, honest: usize, tally: &mut Tally) -> Result<Truth, Violation> {
        let people = world.everybody().into_iter();
        let mut truth = Truth {
            bank: BankTruth::of(&world.bank)?,
            people: people.map(|who| PersonTruth::new(world.person(who), who.place() < honest)).collect(),
            accepted: BTreeMap::new(),
            holders: Holders::default(),
            owners: BTreeMap::new(),
            explained: BTreeSet::new(),
            signed_by_hand: BTreeMap::new(),
            lost_to: BTreeMap::new(),
            cap: world.bank.rules.guarantee_cap.get(),
        };
        for person in &truth.people {
            truth.bank.shops.owner(person.account, person.key);
        }
        truth.after_step(world, tally)?;
        Ok(truth)
    }

    /// Somebody evil runs a second workstation with the same keys.
    pub(super) fn second_copy(&mut self, world: &World, of: Who, copy: Who) {
        debug_assert_eq!(self.people.len(), copy.place());
        let of = self.root_of(of.place());
        let mut person = PersonTruth::new(world.person(copy), false);
        person.copy_of = Some(of);
        self.people.push(person);
    }

    fn root_of(&self, place: usize) -> usize {
        self.people.get(place).and_then(|person| person.copy_of).unwrap_or(place)
    }

    fn is_honest(&self, place: usize) -> bool {
        self.people.get(place).is_some_and(|person| person.honest)
    }

    /// Whether a note key is somebody's.
    pub(super) fn is_key_of(&self, key: Key, who: Who) -> bool {
        self.owners.get(&key).is_some_and(|owner| *owner == who.place())
    }

    fn place_of(&self, owner: &Key) -> Option<usize> {
        self.people.iter().position(|person| person.key == *owner)
    }

    /// True after every step.
    pub fn after_step(&mut self, world: &World, tally: &mut Tally) -> Holds {
        let news = self.bank.absorb(&world.bank)?;
        for event in self.bank.happened.drain(..).chain(self.bank.shops.happened.drain(..)) {
            tally.count(event);
        }
        let changed: Vec<Who> = world
            .everybody()
            .into_iter()
            .filter(|who| {
                let (person, seen) = (world.person(*who), self.people.get(who.place()));
                !person.is_down() && seen.is_some_and(|seen| seen.changes != person.changes)
            })
            .collect();
        for who in &changed {
            self.read_history(world, *who, tally)?;
        }
        let fresh: Vec<_> = changed.iter().map(|who| self.read_units(world, *who)).collect();
        for (who, fresh) in changed.iter().zip(&fresh) {
            self.check_person(world, *who, tally)?;
            self.check_units(world, *who, fresh)?;
        }
        if !news.is_empty() {
            self.check_redeemed(world, &news.redeemed)?;
            for account in &news.accounts {
                let place = self.people.iter().position(|person| person.account == *account);
                if let Some(place) = place.filter(|place| !world.person(Who::at(*place)).is_down()) {
                    self.check_wealth(world, Who::at(place))?;
                }
            }
            self.check_coalition()?;
        }
        self.check_named(world)
    }

    /// True at any time, looked at now and then: everything at once, from the records.
    pub fn audit(&mut self, world: &World, tally: &mut Tally) -> Holds {
        let audit = world.bank.audit();
        if !audit.ok {
            return broken("bank-audit", format!("{:?}", audit.findings));
        }
        self.bank.check_sums()?;
        for who in world.everybody() {
            let person = world.person(who);
            if person.is_down() || !self.is_honest(who.place()) {
                continue;
            }
            let head = person.store().map(|store| store.check_history());
            match head {
                Ok(Ok(Ok(head))) if head == *person.wallet().history() => {}
                other => return broken("history", format!("{}'s history: {other:?}", person.name)),
            }
            self.check_person(world, who, tally)?;
        }
        Ok(())
    }

    /// Who has accepted a payment, and how much it was.
    pub fn accepted_units(&self, id: &[u8; 16]) -> Option<(usize, u64)> {
        self.accepted.get(id).map(|accepted| (accepted.payee, accepted.units))
    }

    /// What somebody's payment has brought its payee for good: accepted, and not come back.
    pub fn given_for_good(&self, payer: usize, id: &[u8; 16]) -> u64 {
        let back = self.people.get(payer).and_then(|payer| payer.back.get(id)).copied().unwrap_or(0);
        self.accepted.get(id).map_or(0, |accepted| accepted.units).saturating_sub(back)
    }

    /// Whether this owner keeps the rules.
    pub fn keeps_rules(&self, owner: &Key) -> bool {
        self.place_of(owner).is_some_and(|place| self.is_honest(place))
    }

    /// Whether somebody has kept the rules, and his machine, until now.
    pub fn is_careful(&self, place: usize) -> bool {
        self.people.get(place).is_some_and(|person| person.honest && person.restored == 0)
    }

    /// When the calendar is up to date: each rent is due once, and whoever owes some has nothing.
    pub fn check_rents(&mut self, world: &World) -> Holds {
        let balances: BTreeMap<u64, i128> = self.bank.balances();
        let balance = |account: u64| balances.get(&account).copied().unwrap_or_default();
        self.bank.shops.check_rents(&world.bank.shelves, world.bank.now(), balance)
    }

    /// Nobody honest is named an offender, nor owes more than he took back; the guarantee keeps to its cap.
    fn check_named(&self, world: &World) -> Holds {
        let mut guaranteed: BTreeMap<u64, u64> = BTreeMap::new();
        let mut paid: BTreeMap<u64, u64> = BTreeMap::new();
        for (number, case) in &self.bank.judged {
            *guaranteed.entry(case.liable).or_default() += case.guaranteed;
            *paid.entry(case.liable).or_default() += case.from_liable;
            if case.offence && self.person_of(case.liable).is_some_and(|person| person.honest) {
                let what = format!("account {} is an offender in case {number}: {case:?}", case.liable);
                return broken("blamed-honest", what);
            }
        }
        if let Some((account, units)) = guaranteed.iter().find(|(_, units)| **units > self.cap) {
            return broken("guarantee-cap", format!("{units} paid for account {account}"));
        }
        for (account, paid) in paid {
            let Some(person) = self.person_of(account) else { continue };
            // What his lost machine had taken and handed on the present one may have refused: that is his to pay.
            // And what he has asked back may be his at the bank before he hears of it; who is down is asked later.
            let Some(who) = self.place_of(&person.key).map(Who::at) else { continue };
            if world.person(who).is_down() {
                continue;
            }
            let asked = world.person(who).wallet().open_payments();
            let asked = asked.filter(|payment| matches!(payment.state, State::TakingBack(_)));
            let asked: u64 = asked.map(|payment| payment.amount.get()).sum();
            // What he lost and was paid for he may owe to whomever he had paid with it before his machine was lost.
            let (_, recovered) = self.bank.judged_for(account);
            let most = self.took_back(person) + person.missing() + asked + recovered;
            if person.honest && paid > most {
                return broken("owes-too-much", format!("account {account} paid {paid}, took back {most}"));
            }
            if person.careless {
                let place = self.place_of(&person.key).unwrap_or(usize::MAX);
                let signed = self.signed_by_hand.get(&place).copied().unwrap_or_default();
                let (_, deposited) = self.bank.moved(account);
                if paid > signed + most + deposited {
                    let what =
                        format!("careless account {account} paid {paid}, may have signed {signed} twice");
                    return broken("owes-too-much", what);
                }
            }
        }
        Ok(())
    }

    fn person_of(&self, account: u64) -> Option<&PersonTruth> {
        self.people.iter().find(|person| person.account == account)
    }

    /// What honest people have accepted from others: id, payer, units.
    fn accepted_by(&self, place: usize) -> Vec<([u8; 16], Key, u64)> {
        let all = self.accepted.iter().filter(|(_, accepted)| accepted.payee == place);
        all.map(|(id, accepted)| (*id, accepted.payer, accepted.units)).collect()
    }

    /// How often honest people were named offenders.
    pub fn blamed_honest(&self) -> u64 {
        let honest = |case: &&bank::Judged| {
            case.offence && self.person_of(case.liable).is_some_and(|person| person.honest)
        };
        u64::try_from(self.bank.judged.values().filter(honest).count()).unwrap_or(u64::MAX)
    }

    fn brought_again(&self, person: &PersonTruth) -> u64 {
        let (_, brought) = self.bank.moved(person.account);
        brought.saturating_sub(person.brought_before).min(person.moves.signed_in_all())
    }

    /// What came to somebody's account over the counter and by shops, less what left it so.
    fn put_in(&self, person: &PersonTruth) -> i128 {
        self.bank.paid_in(person.account) + self.bank.shops.net(person.account)
    }

    /// Those who keep no rules have no more on their accounts than they paid in, what honest people paid them, what
    /// honest people owed them, and what a guarantee paid.
    fn check_coalition(&self) -> Holds {
        let evil = |person: &&PersonTruth| !person.honest && person.copy_of.is_none();
        let there: i128 = self.people.iter().filter(evil).map(|p| self.bank.balance(p.account)).sum();
        let put_in: i128 = self.people.iter().filter(evil).map(|p| self.put_in(p) + p.own).sum();
        let honest = || self.people.iter().filter(|person| person.honest);
        let paid: u64 = honest().map(PersonTruth::to_evil).sum();
        let charged: u64 = honest().map(|person| self.bank.judged_for(person.account).0).sum();
        let guaranteed: u64 = self.bank.judged.values().map(|case| case.guaranteed).sum();
        // Who went back to an older disk may deposit or reclaim what he had paid before that, until those he paid have
        // claimed it.
        let again: u64 =
            self.people.iter().filter(|person| person.careless).map(|p| self.brought_again(p)).sum();
        let most = put_in + i128::from(paid + charged + guaranteed + again);
        if there > most {
            return broken("coalition", format!("evil people have {there}, and may have {most} at most"));
        }
        Ok(())
    }
}
