//! Mailboxes in a world: somebody is off, and is paid all the same (SPEC §4.12).

use super::{Cannot, Chance, Who, World, units};
use daemon::engine::mailroom::{Unread, unseal};
use daemon::wallet::paying::{NewPayment, Outgoing, State, Terms};
use protocol::bank::{MailItem, MailKind, NodeQuery, Purpose, envelope_digest};
use protocol::id::{Digest, PaymentId, RequestId};
use protocol::pay::{AmountRule, Mode, Request};
use protocol::seal;
use protocol::sign::Signed;
use protocol::time::DAY_SECONDS;
use protocol::wire::{self, BankAnswer, BankAsk, Letterhead, Parcel, PayAnswer, PayAsk};
use serde_bytes::ByteBuf;

/// Requests of each kind that somebody leaves at the bank; few, so that they are used up now and then.
const LEFT_OF_EACH: usize = 2;

impl World {
    /// A question to the bank in somebody's name, signed by his node key.
    pub fn query(&mut self, who: Who, purpose: Purpose, number: u64, subject: Digest) -> NodeQuery {
        let (request, bank, created) =
            (RequestId(self.chance.bytes()), self.bank.keys().bank(), self.clock(who));
        let person = self.person(who);
        let (owner, node) = (person.key(), person.node.key());
        NodeQuery { bank, request, owner, node, purpose, number, subject, created }
    }

    fn signed(&self, who: Who, query: NodeQuery) -> Signed<NodeQuery> {
        self.person(who).node.sign(query)
    }

    /// Leaves requests at the bank for payers who come while he is off.
    pub fn leaves_requests(&mut self, who: Who) -> Result<(), Cannot> {
        let (now, mut chance) = (self.clock(who), self.chance.clone());
        let node = self.person(who).node.key();
        let mut stock = self.person(who).wallet().good_stock(&node, now);
        for (mode, most) in [(Mode::Direct, 200), (Mode::Certified, 1 << 40)] {
            let there = stock.iter().filter(|request| request.unverified().mode == mode).count();
            for _ in there..LEFT_OF_EACH {
                let (amount, until) = (AmountRule::AtMost(units(most)), now.plus_seconds(60 * DAY_SECONDS));
                let made = self.person_mut(who).request(amount, mode, until, &mut chance, now)?;
                stock.extend(made);
            }
        }
        self.chance = chance;
        let decision = self.person(who).wallet().set_stock(stock, now);
        let stock = self.settle_decision(who, decision)?;
        let query = self.query(who, Purpose::Leave, 0, Digest::default());
        let asked = BankAsk::LeaveRequests(self.signed(who, query), stock);
        if let Some(BankAnswer::RequestsLeft(names)) = self.ask_bank(who, asked) {
            let decision = self.person(who).wallet().stock_left(&names, now);
            self.settle_decision(who, decision)?;
        }
        Ok(())
    }

    /// Pays somebody who is off: by a request that he left, into his mailbox.
    pub fn pay_by_mail(&mut self, payer: Who, payee: Who, count: u64) -> Result<PaymentId, Cannot> {
        let new = self.new_payment(payee, count);
        self.begin_by_mail(payer, new)
    }

    /// The same for a payment as wished.
    pub fn begin_by_mail(&mut self, payer: Who, new: NewPayment) -> Result<PaymentId, Cannot> {
        let person = self.person(payer);
        person.open_keys().ok_or(Cannot::Locked)?;
        let decision = person.wallet().begin_payment(new, self.clock(payer)).map_err(Cannot::Pay)?;
        // The offer that would go out finds nobody.
        let (id, _) = self.person_mut(payer).commit(decision)?;
        self.take_left(payer, &id)?;
        Ok(id)
    }

    /// Asks the bank for a request that the payee left, and signs to it; whether there was one.
    pub fn take_left(&mut self, payer: Who, id: &PaymentId) -> Result<bool, Cannot> {
        let Some(payment) = self.person(payer).wallet().open_payment(id).cloned() else { return Ok(false) };
        if payment.state != State::Asking {
            return Ok(false);
        }
        let query = self.query(payer, Purpose::Take, payment.amount.get(), Digest(payment.payee.0));
        let query = NodeQuery { request: RequestId(id.0), ..query };
        let asked = BankAsk::TakeRequest(self.signed(payer, query));
        let Some(BankAnswer::OpenRequest(Some(request))) = self.ask_bank(payer, asked) else {
            return Ok(false);
        };
        self.accepts(payer, &payment, *request)
    }

    fn accepts(&mut self, payer: Who, payment: &Outgoing, request: Signed<Request>) -> Result<bool, Cannot> {
        let node = self.person(self.who(&payment.payee)).node.key();
        let verified = request.verify_request(self.bank.keys().bank(), &node, self.clock(payer));
        // Left by a machine whose owner went back to an older one: its payer waits for another.
        let Ok(verified) = verified else { return Ok(false) };
        let bank_request = RequestId(self.chance.bytes());
        let person = self.person(payer);
        let keys = person.open_keys().ok_or(Cannot::Locked)?;
        let terms = Terms { request: &verified, certified: false, name: payment.name.clone(), post: true };
        let decision =
            person.wallet().offer_accepted(&payment.id, terms, keys, bank_request, self.clock(payer));
        self.settle_decision(payer, decision)?;
        Ok(true)
    }

    /// An envelope from somebody to somebody.
    pub fn envelope(&self, from: Who, to: Who, ask: PayAsk) -> Vec<u8> {
        let letter = Letterhead { from: self.person(from).introduction.clone(), ask };
        let (mine, theirs) = (&self.person(from).view, self.person(to).view.key());
        let mut chance = Chance::of(self.chance.clone().number());
        seal::seal(mine, &theirs, &wire::encode(&letter), &mut chance).expect("a test's letters are short")
    }

    pub(super) fn seal(&mut self, who: Who, id: &PaymentId) -> Result<(), Cannot> {
        let Some(payment) = self.person(who).wallet().open_payment(id).cloned() else { return Ok(()) };
        let (true, Some(message)) = (payment.is_to_seal(self.clock(who)), payment.message.clone()) else {
            return Ok(());
        };
        let envelope = self.envelope(who, self.who(&payment.payee), PayAsk::Pay(Box::new(message)));
        let (request, node) = (RequestId(self.chance.bytes()), self.person(who).node.key());
        let item = payment.mail_item(request, node, envelope_digest(&envelope), self.clock(who));
        let item = self.person(who).node.sign(item.expect("it has an order"));
        let decision = self.person(who).wallet().posted(id, item, envelope, self.clock(who));
        self.settle_decision(who, decision)
    }

    pub(super) fn mail_back(&mut self, who: Who, id: &PaymentId) -> Result<(), Cannot> {
        let payment = self.person(who).wallet().open_payment(id).filter(|p| p.is_asked_back());
        let Some(item) = payment.and_then(|payment| payment.post.as_ref()?.item) else { return Ok(()) };
        let query = self.query(who, Purpose::Withdraw, 0, item);
        let answer = self.ask_bank(who, BankAsk::MailBack(self.signed(who, query)));
        let Some(BankAnswer::MailWord(word)) = answer else { return Ok(()) };
        if self.breaks_off() {
            return Ok(());
        }
        let decision = self.person(who).wallet().mail_word(id, word, self.clock(who));
        let decision = decision.expect("the bank keeps its own rules");
        self.settle_decision(who, decision).map(drop)
    }

    /// Takes a payment out of the payee's mailbox.
    pub fn cancel(&mut self, who: Who, id: &PaymentId) -> Result<bool, Cannot> {
        self.person(who).store()?;
        match self.person(who).wallet().back_from_mailbox(id, self.clock(who)) {
            Ok(decision) => self.settle_decision(who, decision).map(|()| true),
            Err(_) => Ok(false),
        }
    }

    /// What a daemon does about mail by itself.
    pub(super) fn mind_the_mail(&mut self, who: Who) -> Result<(), Cannot> {
        for id in self.person(who).wallet().overdue_mail(self.clock(who)) {
            self.cancel(who, &id)?;
        }
        if let Some(decision) = self.person(who).wallet().end_posting(self.clock(who)) {
            self.settle_decision(who, decision)?;
        }
        let open: Vec<Outgoing> = self.person(who).wallet().open_payments().cloned().collect();
        for payment in open {
            let off = self.person(self.who(&payment.payee)).off;
            if off && payment.state == State::Asking && payment.request.is_none() && !self.person(who).locked
            {
                self.take_left(who, &payment.id)?;
            }
            self.seal(who, &payment.id)?;
            self.mail_back(who, &payment.id)?;
        }
        if self.bank.has_mail(&self.person(who).key()) {
            self.collect(who)?;
        }
        Ok(())
    }

    /// What lies in somebody's mailbox, up to this number acknowledged.
    pub fn parcels(&mut self, who: Who, safe: u64) -> Vec<Parcel> {
        let query = self.query(who, Purpose::Collect, safe, Digest::default());
        match self.ask_bank(who, BankAsk::Collect(self.signed(who, query))) {
            Some(BankAnswer::Mail(parcels, _)) => parcels,
            _ => Vec::new(),
        }
    }

    /// Collects and handles what lies in somebody's mailbox; acknowledges what is answered.
    pub fn collect(&mut self, who: Who) -> Result<(), Cannot> {
        self.person(who).store()?;
        // As the engine does: whoever was off for days hears the bank first, or he would take less than he asked for.
        if self.person(who).wallet().is_stale(self.now) {
            let _told = self.bank.bulletin();
            self.pull_bulletins(who)?;
        }
        let mut safe = 0;
        loop {
            let parcels = self.parcels(who, safe);
            let before = safe;
            for parcel in parcels {
                if !self.handle(who, &parcel)? {
                    break;
                }
                safe = parcel.number;
                if self.breaks_off() {
                    // What was handled and not acknowledged comes once more.
                    return Ok(());
                }
            }
            if safe == before || self.breaks_off() {
                return Ok(());
            }
        }
    }

    /// Handles an item; whether it is safe and answered.
    pub fn handle(&mut self, who: Who, parcel: &Parcel) -> Result<bool, Cannot> {
        let (views, all) = self.person(who).views();
        let opened = match unseal(&views, all, &parcel.envelope) {
            Ok(opened) => opened,
            Err(unread) => return Ok(unread != Unread::Locked),
        };
        let letter: Letterhead =
            wire::decode(&opened.message).expect("wallets write letters that can be read");
        let sender = self.who(&parcel.item.unverified().from);
        match letter.ask {
            PayAsk::Pay(payment) => {
                let (id, order) = (payment.order.unverified().payment, payment.order.digest());
                let now = self.clock(who);
                let answer = self.person_mut(who).answer_payment(letter.from, *payment, now)?;
                if matches!(answer, PayAnswer::Error(code) if code.is_passing()) {
                    return Ok(false);
                }
                // A no is said when the vault has it: the next machine is handed the same order.
                if matches!(answer, PayAnswer::Refused(_)) && !self.is_in_vault(who) {
                    return Ok(false);
                }
                Ok(self.leaves_answer(who, sender, order, PayAsk::Answered(id, Box::new(answer))))
            }
            PayAsk::Answered(id, answer) => {
                self.paid(who, sender, &id, *answer)?;
                let decision = self.person(who).wallet().was_collected(&id, self.clock(who));
                self.settle_decision(who, decision)?;
                Ok(true)
            }
            PayAsk::Offer(_) | PayAsk::Again(..) | PayAsk::Confirm(..) | PayAsk::Shop(_) => Ok(true),
        }
    }

    fn leaves_answer(&mut self, from: Who, to: Who, order: Digest, ask: PayAsk) -> bool {
        let envelope = self.envelope(from, to, ask);
        let item = MailItem {
            bank: self.bank.keys().bank(),
            request: RequestId(self.chance.bytes()),
            from: self.person(from).key(),
            node: self.person(from).node.key(),
            to: self.person(to).key(),
            kind: MailKind::Answer,
            order,
            envelope: envelope_digest(&envelope),
            created: self.clock(from),
            expires: self.clock(from).plus_seconds(30 * DAY_SECONDS),
        };
        let item = self.person(from).node.sign(item);
        self.ask_bank(from, BankAsk::Mail(item, ByteBuf::from(envelope))).is_some() && !self.breaks_off()
    }

    /// Whether the way to the bank breaks off, after it was asked and before its answer is here.
    fn breaks_off(&mut self) -> bool {
        let lost = self.post.weather.lost;
        lost > 0 && self.chance.percent(lost)
    }
}
