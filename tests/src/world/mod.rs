//! A world in one thread: the real rules of bank and wallets, a clock that is set by hand, and a post that may be bad.
//!
//! ```text
//! person: decide ─▶ commit (disk may fail) ─▶ effects ─▶ post (may lose, repeat, overtake) ─▶ person or bank
//! ```
//! Nothing here sleeps, and all chance comes from a seed: the same seed plays the same world.
//! What the engine does around the wallet is done here in the same order, without network or threads.

mod bank;
mod books;
mod cases;
mod chance;
mod disk;
mod mailbox;
mod memory;
mod person;
mod post;
mod shelves;
mod told;
mod truth;
mod vault;

pub use bank::Bank;
pub use books::{Books, Paper};
pub use chance::Chance;
pub use disk::{Disk, Kept};
pub use memory::forget_vaults;
pub use person::{Down, Newcomer, Person};
pub use post::{Mail, Post, Weather, Who};
pub use shelves::Shelves;

use bank_node::desk::office::{Done, Operation};
use bank_node::desk::standing::Change;
use bank_node::ledger::AccountNumber;
use daemon::store::{DirectoryFlaw, Store};
use daemon::wallet::banking::{BankOp, BankRefusal, Fresh, Operation as Asked};
use daemon::wallet::change::Effect;
use daemon::wallet::paying::{NewPayment, NotDone, Outgoing, PayRefusal, State, Terms};
use daemon::wallet::receiving::RequestRecord;
use daemon::wallet::{OpenKeys, Owner};
use protocol::bank::{Activation, Identity, Introduction};
use protocol::body::Text;
use protocol::id::{Hint, Key, PaymentId, RequestId};
use protocol::key::Seed;
use protocol::key::bank::BankKeys;
use protocol::money::{Currency, Units};
use protocol::pay::{AmountRule, Mode, Payment, Receipt, Request};
use protocol::sign::{Signed, Signer};
use protocol::time::{DAY_SECONDS, Timestamp};
use protocol::wire::{self, BankAnswer, BankAsk, EPOCHS_MAX, Letterhead, Offer, PayAnswer, PayAsk};
use std::collections::BTreeSet;

/// Noon of the day on which every world begins.
pub const NOON: Timestamp = Timestamp(20_500 * DAY_SECONDS + 43_200);

/// So many units.
pub fn units(count: u64) -> Units {
    Units::new(count).expect("a test's amounts are small")
}

/// Why something can't even be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cannot {
    /// The workstation is down.
    Down,
    /// It is locked.
    Locked,
    /// A rule of paying.
    Pay(PayRefusal),
    /// A rule of banking.
    Bank(BankRefusal),
    /// A rule of reclaiming.
    Reclaim(daemon::wallet::reclaiming::ReclaimRefusal),
}

impl From<Down> for Cannot {
    fn from(_: Down) -> Cannot {
        Cannot::Down
    }
}

/// Bank, people, post and clock.
pub struct World {
    /// The bank.
    pub bank: Bank,
    /// The post.
    pub post: Post,
    /// What time it is.
    pub now: Timestamp,
    /// Where chance comes from.
    pub chance: Chance,
    /// Seconds that the bank's clock is ahead of the right time, or behind it.
    pub bank_skew: i64,
    people: Vec<Person>,
    paid_in: u64,
    paper: Paper,
}

impl World {
    /// A bank and nobody else.
    pub fn new(seed: u64) -> World {
        World::on(Paper::Redb, seed, 90)
    }

    /// The same, with people whose stores are of this kind, and so many days for which the bank can issue.
    pub fn on(paper: Paper, seed: u64, days: u32) -> World {
        let mut chance = Chance::of(seed);
        let bank = Bank::new(NOON, days, &mut chance);
        let (post, people) = (Post::default(), Vec::new());
        World { bank, post, now: NOON, chance, bank_skew: 0, people, paid_in: 0, paper }
    }

    /// The same world a second time, with a chance of its own; nobody may be down.
    pub fn copy(&self) -> World {
        let chance = Chance::of(self.chance.clone().number());
        World {
            bank: self.bank.copy(),
            post: self.post.clone(),
            now: self.now,
            chance,
            bank_skew: self.bank_skew,
            people: self.people.iter().map(Person::copy).collect(),
            paid_in: self.paid_in,
            paper: self.paper,
        }
    }

    /// Somebody opens an account with `balance` and joins.
    pub fn join(&mut self, name: &str, balance: u64) -> Who {
        let opened = self.bank.open(name, units(balance), units(200));
        self.join_with(opened, name, balance)
    }

    /// A shop opens an account and joins.
    pub fn join_shop(&mut self, name: &str) -> Who {
        let opened = self.bank.open_shop(name);
        self.join_with(opened, name, 0)
    }

    fn join_with(&mut self, opened: Done, name: &str, balance: u64) -> Who {
        let letter = opened.letter.expect("a new account has a letter");
        let seed = Seed::from_bytes(self.chance.bytes());
        let node = Signer::from_secret(&seed.node(1));
        let newcomer = Newcomer { view: seed.view(1), node, keys: OpenKeys::of(seed) };
        let owner = newcomer.keys.owner().clone();
        let bank = self.bank.keys().bank();
        let activation = Activation {
            bank,
            request: RequestId(self.chance.bytes()),
            account: opened.account.0,
            owner: owner.key(),
            code: *self.bank.keys().activation_code(opened.account.0, letter),
        };
        let identity = owner.sign(Identity {
            bank,
            owner: owner.key(),
            view: newcomer.view.key(),
            node: newcomer.node.key(),
            generation: 1,
            sequence: 1,
            expires: self.now.plus_seconds(300 * DAY_SECONDS),
        });
        let ask = BankAsk::Activate(owner.sign(activation), identity.clone());
        let Some(BankAnswer::Activated(certificate, letter)) = self.bank.ask(ask) else {
            panic!("a good activation");
        };
        let introduction = Introduction { certificate, identity };
        let owner = Owner {
            key: owner.key(),
            name: name.to_owned(),
            account: opened.account.0,
            currency: Currency::default(),
        };
        let keys = BankKeys::pinned(self.bank.keys().master());
        self.people.push(Person::new(newcomer, owner, keys, introduction, self.paper));
        self.paid_in += balance;
        let who = Who(self.people.len() - 1);
        self.learn_keys(who).expect("a new disk does not fail");
        let told = self.person(who).wallet.balance_told(letter, self.now).expect("the bank's own letter");
        self.person_mut(who).commit(told).expect("a new disk does not fail");
        let (now, mut chance) = (self.now, self.chance.clone());
        self.person_mut(who).fill_tickets(&mut chance, now).expect("a new disk does not fail");
        self.chance = chance;
        who
    }

    /// Somebody.
    pub fn person(&self, who: Who) -> &Person {
        self.people.get(who.0).expect("he is in the world")
    }

    /// Somebody, to change.
    pub fn person_mut(&mut self, who: Who) -> &mut Person {
        self.people.get_mut(who.0).expect("he is in the world")
    }

    /// Everybody.
    pub fn everybody(&self) -> Vec<Who> {
        (0..self.people.len()).map(Who).collect()
    }

    fn who(&self, owner: &Key) -> Who {
        Who(self.people.iter().position(|p| p.key() == *owner).expect("nobody pays a stranger"))
    }

    /// Time goes by.
    pub fn wait(&mut self, seconds: u64) {
        self.now = self.now.plus_seconds(seconds);
        self.bank.tell_time(self.off_by(self.bank_skew));
        self.bank.turn();
        self.people.iter_mut().for_each(|person| person.slow_due = true);
    }

    fn off_by(&self, skew: i64) -> Timestamp {
        Timestamp(self.now.0.saturating_add_signed(skew))
    }

    /// What time somebody believes it is.
    pub fn clock(&self, who: Who) -> Timestamp {
        self.off_by(self.person(who).skew)
    }

    /// What was paid in, by everybody.
    pub fn paid_in(&self) -> u64 {
        self.paid_in
    }

    /// Somebody's workstation is another one from now on.
    pub fn replace(&mut self, who: Who, person: Person) {
        let changes = self.person(who).changes.max(person.changes) + 1;
        *self.person_mut(who) = Person { changes, ..person };
    }

    /// A second workstation with somebody's keys and a copy of his disk, and nobody's mail.
    pub fn second_copy(&mut self, who: Who) -> Who {
        let copy = self.person(who).copy();
        self.add(copy)
    }

    /// One workstation more, which gets nobody's mail.
    pub fn add(&mut self, person: Person) -> Who {
        self.people.push(person);
        Who(self.people.len() - 1)
    }

    /// An operator's order.
    pub fn order(&mut self, operation: Operation) {
        self.bank.order(operation).expect("a good order");
    }

    /// Two operators change an account's standing.
    pub fn decide(&mut self, account: AccountNumber, change: Change) {
        let by = |name: &str| name.to_owned();
        self.order(Operation::Propose { account, change, by: by("anna"), reason: "a case".to_owned() });
        self.order(Operation::Confirm { account, change, by: by("bruno") });
    }

    /// Asks the bank at once, if somebody reaches it.
    pub fn ask_bank(&mut self, who: Who, ask: BankAsk) -> Option<BankAnswer> {
        if self.person(who).cut_off { None } else { self.bank.ask(ask) }
    }

    // ---- what people begin ----

    /// Pays; the payee is asked for a request first.
    pub fn pay(&mut self, payer: Who, payee: Who, count: u64) -> Result<PaymentId, Cannot> {
        let new = self.new_payment(payee, count);
        self.begin(payer, new)
    }

    /// Pays certified.
    pub fn pay_certified(&mut self, payer: Who, payee: Who, count: u64) -> Result<PaymentId, Cannot> {
        let new = NewPayment { certified: true, ..self.new_payment(payee, count) };
        self.begin(payer, new)
    }

    /// Pays a request at hand.
    pub fn pay_request(
        &mut self,
        payer: Who,
        request: &Signed<Request>,
        count: u64,
    ) -> Result<PaymentId, Cannot> {
        let payee = self.who(&request.unverified().payee());
        let node = self.person(payee).node.key();
        let verified = request.clone().verify_request(self.bank.keys().bank(), &node, self.clock(payer));
        let request = Some(verified.expect("a test pays good requests"));
        let new = NewPayment { request, ..self.new_payment(payee, count) };
        self.begin(payer, new)
    }

    /// A payment as somebody would begin it.
    pub fn new_payment(&mut self, payee: Who, count: u64) -> NewPayment {
        NewPayment {
            id: PaymentId(self.chance.bytes()),
            payee: self.person(payee).key(),
            name: self.person(payee).name.clone(),
            amount: units(count),
            memo: Text::new("for something", 140).expect("a short memo"),
            certified: false,
            request: None,
            token: None,
            answered: None,
        }
    }

    /// Begins a payment.
    pub fn begin(&mut self, payer: Who, new: NewPayment) -> Result<PaymentId, Cannot> {
        let now = self.clock(payer);
        let person = self.person(payer);
        person.store()?;
        person.open_keys().ok_or(Cannot::Locked)?;
        let decision = person.wallet.begin_payment(new, now).map_err(Cannot::Pay)?;
        self.settle_decision(payer, decision)
    }

    /// Asks for units from the account.
    pub fn withdraw(&mut self, who: Who, count: u64) -> Result<RequestId, Cannot> {
        let (fresh, now) = (self.fresh(), self.clock(who));
        let person = self.person(who);
        person.store()?;
        let keys = person.open_keys().ok_or(Cannot::Locked)?;
        let decision = person.wallet.withdraw(units(count), keys, fresh, None, now);
        let decision = decision.map_err(Cannot::Bank)?;
        self.settle_decision(who, decision)
    }

    /// Asks to credit units to the account.
    pub fn deposit(&mut self, who: Who, count: u64) -> Result<RequestId, Cannot> {
        let (fresh, now) = (self.fresh(), self.clock(who));
        let person = self.person(who);
        person.store()?;
        let keys = person.open_keys().ok_or(Cannot::Locked)?;
        let decision = person.wallet.deposit(units(count), keys, fresh, None, now);
        let decision = decision.map_err(Cannot::Bank)?;
        self.settle_decision(who, decision)
    }

    /// Renews what is worth it; nothing if nothing is.
    pub fn refresh(&mut self, who: Who) -> Result<Option<RequestId>, Cannot> {
        let (fresh, now) = (self.fresh(), self.clock(who));
        let person = self.person(who);
        person.store()?;
        let keys = person.open_keys().ok_or(Cannot::Locked)?;
        let Some(decision) = person.wallet.refresh(keys, fresh, now) else { return Ok(None) };
        self.settle_decision(who, decision).map(Some)
    }

    /// Makes a request that anybody may pay, and keeps it.
    pub fn ask_for(&mut self, payee: Who, amount: AmountRule) -> Result<Signed<Request>, Cannot> {
        let (now, mut chance) = (self.clock(payee), self.chance.clone());
        let expires = now.plus_seconds(DAY_SECONDS);
        let person = self.person_mut(payee);
        person.store()?;
        let request = person.request(amount, Mode::Direct, expires, &mut chance, now)?;
        let request = request.ok_or(Cannot::Locked)?;
        let record = RequestRecord::open(request.clone());
        let decision = person.wallet.record_request(record, None, now);
        person.commit(decision)?;
        self.chance = chance;
        Ok(request)
    }

    /// New names.
    pub fn fresh(&mut self) -> Fresh {
        Fresh { request: RequestId(self.chance.bytes()), hint: Hint(self.chance.bytes()) }
    }

    /// Commits what somebody decided and lets the effects out.
    pub fn settle_decision<R>(
        &mut self,
        who: Who,
        decision: daemon::wallet::change::Decision<R>,
    ) -> Result<R, Cannot> {
        let (reply, effects) = self.person_mut(who).commit(decision)?;
        self.act(who, effects)?;
        Ok(reply)
    }

    // ---- effects ----

    fn act(&mut self, who: Who, effects: Vec<Effect>) -> Result<(), Cannot> {
        for effect in effects {
            match effect {
                Effect::Offer(id) | Effect::Send(id) => {
                    if let Some(payment) = self.person(who).wallet.open_payment(&id).cloned() {
                        self.send_about(who, &payment);
                    }
                }
                Effect::Bank(id) => {
                    if let Some(op) = self.person(who).wallet.open_bank_op(&id).cloned() {
                        self.send_to_bank(who, &op);
                    }
                }
                Effect::Confirm { payer, payment } => self.confirm(who, &payer, payment)?,
                Effect::Concede(id) => self.concede(who, &id),
                Effect::Cases => self.person_mut(who).slow_due = true,
                Effect::Seal(id) => self.seal(who, &id)?,
                Effect::MailBack(id) => self.mail_back(who, &id)?,
                // Nobody orders anything in this world.
                Effect::Refresh | Effect::Order(_) => {}
            }
        }
        Ok(())
    }

    fn send_about(&mut self, who: Who, payment: &Outgoing) {
        let ask = match (&payment.state, &payment.message) {
            (State::Asking, _) => PayAsk::Offer(Offer {
                amount: payment.amount,
                memo: payment.memo.clone(),
                request: payment.request.as_ref().map(|r| r.unverified().id),
            }),
            (State::Sent | State::Issued, Some(message)) => payment.shown(message.clone()),
            _ => return,
        };
        let to = self.who(&payment.payee);
        self.send_ask(who, to, payment.id, ask);
    }

    /// Sends an ask as somebody's letterhead.
    pub fn send_ask(&mut self, from: Who, to: Who, id: PaymentId, ask: PayAsk) {
        if self.person(to).off {
            return;
        }
        let letterhead = Letterhead { from: self.person(from).introduction.clone(), ask };
        self.post.send(Mail::Ask(from, to, id, wire::encode(&letterhead)));
    }

    fn send_to_bank(&mut self, who: Who, op: &BankOp) {
        if self.is_in_vault(who) {
            self.post.send(Mail::ToBank(who, op.id, op.ask.clone()));
        }
    }

    fn confirm(&mut self, who: Who, payer: &Key, payment: PaymentId) -> Result<(), Down> {
        let person = self.person(who);
        let Some(incoming) = person.store()?.incoming(payer, &payment)? else { return Ok(()) };
        let receipt = Receipt { confirmed: true, ..incoming.receipt.unverified().clone() };
        let receipt = person.node.sign(receipt);
        let to = self.who(payer);
        self.post.send(Mail::Confirm(who, to, payment, receipt));
        Ok(())
    }

    // ---- what is done again until there is an answer ----

    /// Sends whatever of somebody's is open once more, and goes to the bank where that is due.
    pub fn remind(&mut self, who: Who) {
        // A workstation that goes down over it does nothing more, and is started again later.
        let _down = self.try_remind(who);
    }

    fn try_remind(&mut self, who: Who) -> Result<(), Cannot> {
        self.person(who).store()?;
        if self.person(who).off {
            return Ok(());
        }
        self.mind_the_mail(who)?;
        let payments: Vec<Outgoing> = self.person(who).wallet.open_payments().cloned().collect();
        payments.iter().for_each(|payment| self.send_about(who, payment));
        let ops: Vec<BankOp> = self.person(who).wallet.open_bank_ops().cloned().collect();
        let asked = |op: &&BankOp| op.told.is_none() || self.person(who).slow_due;
        let ops: Vec<BankOp> = ops.iter().filter(asked).cloned().collect();
        ops.iter().for_each(|op| self.send_to_bank(who, op));
        self.look_after_cases(who)?;
        self.reclaim_what_was_had(who)?;
        self.tell_what_is_safe(who)?;
        self.go_to_the_bank(who)
    }

    fn go_to_the_bank(&mut self, who: Who) -> Result<(), Cannot> {
        if !self.person(who).refresh_due || self.person(who).open_keys().is_none() {
            return Ok(());
        }
        let refused: Vec<PaymentId> = self.person(who).wallet.to_take_back().collect();
        for id in refused {
            let (fresh, now) = (self.fresh(), self.clock(who));
            let person = self.person(who);
            let decision = person.wallet.take_back(&id, &person.keys, fresh, now);
            self.settle_decision(who, decision)?;
        }
        let person = self.person(who);
        let refreshing = person.wallet.open_bank_ops().any(|op| op.what == Asked::Refresh);
        if refreshing || !person.wallet.policy().refresh {
            return Ok(());
        }
        self.person_mut(who).refresh_due = false;
        if self.refresh(who)?.is_some() {
            self.person_mut(who).refresh_due = true;
        }
        Ok(())
    }

    /// Somebody's workstation crashes, and is started again.
    pub fn crash(&mut self, who: Who, kept: Kept) {
        let mut chance = self.chance.clone();
        self.person_mut(who).start_again(kept, &mut chance);
        self.chance = chance;
    }

    fn start_whoever_is_down(&mut self) -> bool {
        let down: Vec<Who> = self.everybody().into_iter().filter(|who| self.person(*who).is_down()).collect();
        for who in &down {
            let kept = match self.chance.below(3) {
                0 => Kept::Nothing,
                1 => Kept::Some,
                _ => Kept::Everything,
            };
            self.crash(*who, kept);
            self.remind(*who);
        }
        !down.is_empty()
    }

    /// Delivers all mail.
    pub fn deliver_all(&mut self) {
        let mut patience = 100_000;
        while !self.post.is_empty() {
            self.deliver();
            patience -= 1;
            assert!(patience > 0, "the post never ends");
        }
    }

    /// Delivers and reminds until nothing changes any more: all that can end has ended.
    pub fn settles(&mut self) {
        for _ in 0..40 {
            self.deliver_all();
            let woke = self.start_whoever_is_down();
            let everybody = self.everybody();
            everybody.iter().for_each(|who| self.remind(*who));
            let all_up = everybody.iter().all(|who| !self.person(*who).is_down());
            if self.post.is_empty() && !woke && all_up {
                return;
            }
        }
        panic!("the world does not come to rest: {:#?}", self.open_things());
    }

    /// No disk is about to fail any more; those that have failed stay so until they are started again.
    pub fn mend_disks(&mut self) {
        self.bank.mend();
        self.people.iter().for_each(|person| person.disk.mend());
    }

    // ---- arrivals ----

    /// Delivers the next mail, if it is not lost.
    pub fn deliver(&mut self) {
        let Some(mail) = self.post.next(&mut self.chance) else { return };
        // What a workstation that is down should have got is lost; whoever sent it will ask again.
        let _down = self.arrive(mail);
    }

    /// Delivers the mail that `wanted` picks, out of order; whether there was any.
    pub fn arrive(&mut self, mail: Mail) -> Result<(), Cannot> {
        match mail {
            Mail::Ask(_, to, ..) | Mail::Offered(to, ..) | Mail::Paid(to, ..) | Mail::Confirm(_, to, ..)
                if self.person(to).off =>
            {
                Ok(())
            }
            Mail::Ask(from, to, id, bytes) => self.asked(from, to, id, &bytes),
            Mail::Offered(who, payee, id, answer) => self.offered(who, payee, &id, answer),
            Mail::Paid(who, payee, id, answer) => self.paid(who, payee, &id, answer),
            Mail::Confirm(payee, who, id, receipt) => self.confirmed(payee, who, &id, receipt),
            Mail::ToBank(who, id, bytes) => {
                let ask = wire::decode(&bytes).expect("what wallets ask can be read");
                if let Some(answer) = self.bank.ask(ask) {
                    let answer = wire::decode(&wire::encode(&answer)).expect("what banks answer can be read");
                    self.post.send(Mail::FromBank(who, id, Box::new(answer)));
                }
                Ok(())
            }
            Mail::FromBank(who, id, answer) => self.bank_answered(who, &id, *answer),
        }
    }

    fn asked(&mut self, from: Who, to: Who, id: PaymentId, bytes: &[u8]) -> Result<(), Cannot> {
        let letterhead: Letterhead = wire::decode(bytes).expect("what wallets send can be read");
        let (now, mut chance) = (self.clock(to), self.chance.clone());
        self.person(to).store()?;
        let mail = match letterhead.ask {
            PayAsk::Offer(offer) => {
                let answer = match self.person_mut(to).party(letterhead.from, now) {
                    Ok(party) => self.person_mut(to).answer_offer(&party, &offer, &mut chance, now)?,
                    Err(code) => PayAnswer::Error(code),
                };
                Mail::Offered(from, to, id, answer)
            }
            PayAsk::Pay(payment) => {
                let answer = self.person_mut(to).answer_payment(letterhead.from, *payment, now)?;
                Mail::Paid(from, to, id, answer)
            }
            PayAsk::Again(payment, receipt) => {
                let shown =
                    self.person_mut(to).answer_shown(letterhead.from, *payment, Some(receipt), now)?;
                Mail::Paid(from, to, id, shown)
            }
            PayAsk::Confirm(..) | PayAsk::Answered(..) | PayAsk::Shop(_) => {
                unreachable!("they have mail of their own")
            }
        };
        self.chance = chance;
        self.post.send(mail);
        Ok(())
    }

    fn offered(&mut self, who: Who, payee: Who, id: &PaymentId, answer: PayAnswer) -> Result<(), Cannot> {
        let (now, node, bank) = (self.clock(who), self.person(payee).node.key(), self.bank.keys().bank());
        let request = RequestId(self.chance.bytes());
        let person = self.person(who);
        person.store()?;
        let Some(payment) = person.wallet.open_payment(id) else { return Ok(()) };
        let failed = |why| person.wallet.offer_failed(id, why, now);
        let (signed, certified) = match (answer, &payment.request) {
            (PayAnswer::Request(request), None) => (*request, false),
            (PayAnswer::Open(certified), Some(request)) => (request.clone(), certified),
            (PayAnswer::Error(code), _) if code.is_passing() => return Ok(()),
            (PayAnswer::Error(code), _) => {
                let decision = failed(NotDone::Declined(code));
                return self.settle_decision(who, decision);
            }
            // An answer to an earlier asking of the same payment.
            _ => return Ok(()),
        };
        let decision = match (signed.verify_request(bank, &node, now), person.open_keys()) {
            (Err(flaw), _) => failed(NotDone::BadRequest(flaw.to_string())),
            (_, None) => failed(NotDone::Locked),
            (Ok(verified), Some(keys)) => {
                let terms = Terms { request: &verified, certified, name: payment.name.clone(), post: false };
                person.wallet.offer_accepted(id, terms, keys, request, now)
            }
        };
        self.settle_decision(who, decision)
    }

    fn paid(&mut self, who: Who, payee: Who, id: &PaymentId, answer: PayAnswer) -> Result<(), Cannot> {
        let (now, node) = (self.clock(who), self.person(payee).node.key());
        let person = self.person(who);
        person.store()?;
        let Some(payment) = person.wallet.open_payment(id).cloned() else {
            return self.paid_again(who, payee, id, answer);
        };
        let decision = match answer {
            PayAnswer::Receipt(receipt) => {
                let decision = person.wallet.receipted(&payment, receipt, &node, now);
                return self.settle_decision(who, decision).map(drop);
            }
            PayAnswer::Refused(refusal) => {
                let code = refusal.unverified().code;
                person.wallet.refused(id, code, Some(refusal), now)
            }
            PayAnswer::Error(code) if code.is_passing() => return Ok(()),
            PayAnswer::Error(code) => person.wallet.refused(id, code, None, now),
            PayAnswer::Request(_) | PayAnswer::Open(_) | PayAnswer::Noted | PayAnswer::Shop(_) => {
                return Ok(());
            }
        };
        self.settle_decision(who, decision)
    }

    fn confirmed(
        &mut self,
        payee: Who,
        who: Who,
        id: &PaymentId,
        receipt: Signed<Receipt>,
    ) -> Result<(), Cannot> {
        let (now, node) = (self.clock(who), self.person(payee).node.key());
        let Some(payment) = self.payment(who, id)? else { return Ok(()) };
        let wanted = matches!(
            payment.state,
            State::Sent
                | State::Posted
                | State::Issued
                | State::Receipted
                | State::Confirmed
                | State::TakingBack(_)
                | State::Reclaiming
                | State::Reclaimed
                | State::Passed
        );
        if wanted {
            let decision = self.person(who).wallet.receipted(&payment, receipt, &node, now);
            self.settle_decision(who, decision)?;
        }
        Ok(())
    }

    /// A payment that went out, open or not.
    pub fn payment(&self, who: Who, id: &PaymentId) -> Result<Option<Outgoing>, Down> {
        let person = self.person(who);
        match person.wallet.open_payment(id) {
            Some(open) => Ok(Some(open.clone())),
            None => Ok(person.store()?.outgoing(id)?),
        }
    }

    fn bank_answered(&mut self, who: Who, id: &RequestId, answer: BankAnswer) -> Result<(), Cannot> {
        let now = self.clock(who);
        let person = self.person(who);
        let store = person.store()?;
        let Some(op) = person.wallet.open_bank_op(id) else { return Ok(()) };
        let origins: BTreeSet<(Key, PaymentId)> =
            op.uses.iter().filter_map(|piece| person.wallet.note(piece.note)?.from).collect();
        let mut incoming = Vec::new();
        for (payer, payment) in origins {
            incoming.extend(store.incoming(&payer, &payment).map_err(Down::from)?);
        }
        self.learn_keys_for(who, &answer)?;
        if let Ok(decision) = self.person(who).wallet.bank_answered(id, answer.clone(), &incoming, now) {
            self.person_mut(who).refresh_due = true;
            return self.settle_decision(who, decision);
        }
        // A key of the bank that is new here: it is asked for, and then the answer has to do.
        self.learn_keys(who)?;
        let decision = self.person(who).wallet.bank_answered(id, answer, &incoming, now);
        let decision = decision.expect("the bank keeps its own rules");
        self.person_mut(who).refresh_due = true;
        self.settle_decision(who, decision)
    }

    /// Asks the bank for issue keys that an answer needs and that its reader never saw.
    pub(super) fn learn_keys_for(&mut self, who: Who, answer: &BankAnswer) -> Result<(), Cannot> {
        let known = self.person(who).wallet.keys();
        let epochs = answer.epochs().into_iter().filter(|epoch| known.issue_certificate(*epoch).is_none());
        let epochs: Vec<u32> = epochs.take(EPOCHS_MAX).collect();
        if epochs.is_empty() {
            return Ok(());
        }
        let Some(BankAnswer::IssueKeys(keys)) = self.ask_bank(who, BankAsk::IssueKeys(epochs)) else {
            return Ok(());
        };
        let decision = self.person(who).wallet.learn_keys(keys, self.clock(who));
        self.settle_decision(who, decision)
    }

    /// Asks the bank for its keys.
    pub fn learn_keys(&mut self, who: Who) -> Result<(), Cannot> {
        let Some(BankAnswer::Terms(terms)) = self.ask_bank(who, BankAsk::Terms) else {
            return Ok(());
        };
        let decision = self.person(who).wallet.learn_keys(terms.keys, self.clock(who));
        self.settle_decision(who, decision)
    }

    /// Copies the directory.
    pub fn copy_directory(&mut self, who: Who) {
        loop {
            let store = self.people.get(who.0).and_then(|p| p.store().ok()).expect("he is up");
            let (since, _) = store.directory_head().expect("the disk works");
            let Some(BankAnswer::Directory(page)) = self.bank.ask(BankAsk::Directory(since)) else {
                panic!("the bank shows its directory");
            };
            let keys = self.person(who).wallet.keys().clone();
            let store = self.person(who).store().expect("he is up");
            let more = match store.take_directory(*page, &keys) {
                // He goes down over it, and asks again when he is back.
                Err(DirectoryFlaw::Store(_)) => return,
                more => more.expect("the bank's own directory"),
            };
            if !more {
                self.person_mut(who).parties.clear();
                return;
            }
        }
    }

    /// Takes a payment's message as it was sent, for tests that send it elsewhere.
    pub fn message(&self, who: Who, id: &PaymentId) -> Payment {
        let payment = self.payment(who, id).expect("he is up").expect("it is on record");
        payment.message.expect("it was sent")
    }
}
