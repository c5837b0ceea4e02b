//! How each act happens: one line for each kind, and what people do on their own.

use super::{Life, MAIL_MAX, tries};
use crate::sim::act::{Act, Kind, Need};
use crate::sim::sabotage;
use crate::sim::truth::Violation;
use crate::world::{Paper, Who, units};
use bank_node::desk::office::Operation;
use bank_node::desk::standing::Change;
use daemon::wallet::paying::{NotDone, Outgoing, State};
use daemon::wallet::policy::Policy;
use protocol::pay::AmountRule;

/// The most that is handed on so: more would have to be certified.
const ALL_AT_ONCE: u64 = 190;

impl Life {
    pub(super) fn happens(&mut self, act: &Act) -> Result<(), Violation> {
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
            Kind::Pay => tries(self.world.pay(who, other, self.sum_to_pay(who, act))),
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
            kind if kind.need() == Need::Sabotage => sabotage::happens(self, act),
            _ => self.disk_comes_back(who, act),
        }
        Ok(())
    }

    pub(super) fn asks(&mut self, who: Who) {
        if let Ok(request) = self.world.ask_for(who, AmountRule::AtMost(units(300))) {
            if self.requests.len() >= 32 {
                self.requests.remove(0);
            }
            self.requests.push(request);
        }
    }

    /// In a world at ease somebody often hands on all that he has.
    fn sum_to_pay(&self, who: Who, act: &Act) -> u64 {
        let all = self.setting.is_at_ease() && act.number.is_multiple_of(3);
        if all {
            self.world.person(who).wallet().free().get().clamp(1, ALL_AT_ONCE)
        } else {
            u64::from(act.much)
        }
    }

    pub(super) fn pays_request(&mut self, act: &Act) {
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

    pub(super) fn gives_up(&mut self, who: Who) {
        let asking = |p: &&Outgoing| p.state == State::Asking;
        let now = self.world.clock(who);
        let wallet = self.world.person(who).wallet();
        let Some(id) = wallet.open_payments().find(asking).map(|payment| payment.id) else { return };
        let decision = wallet.offer_failed(&id, NotDone::Unreachable, now);
        if self.world.person(who).store().is_ok() {
            tries(self.world.settle_decision(who, decision));
        }
    }

    pub(super) fn changes_policy(&mut self, who: Who, act: &Act) {
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

    pub(super) fn reminds(&mut self, who: Who) {
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

    pub(super) fn reclaims(&mut self, who: Who) {
        let sent = self.sent(who);
        if let Some(id) = sent.first()
            && self.world.reclaim(who, id).is_ok()
        {
            self.tally.count("reclaim-asked");
        }
    }

    pub(super) fn cancels(&mut self, who: Who) {
        let posted = |payment: &&Outgoing| payment.state == State::Posted;
        let id = self.world.person(who).wallet().open_payments().find(posted).map(|payment| payment.id);
        if let Some(id) = id
            && let Ok(true) = self.world.cancel(who, &id)
        {
            self.tally.count("mail-wanted-back");
        }
    }
}
