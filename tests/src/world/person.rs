//! Somebody with a workstation: the real wallet on the real store, and what an engine would do around them.
//!
//! Everything that is decided goes through a batch and its commit; only then are there effects. When the
//! disk fails, the workstation is down until it is started again, and then knows what the disk knows.

use super::books::{Books, Paper};
use super::chance::Chance;
use super::disk::{Disk, Kept};
use super::memory::Memory;
use daemon::store::{RedbStore, Store, StoreFault};
use daemon::wallet::change::{Batch, Decision, Effect};
use daemon::wallet::policy::Policy;
use daemon::wallet::receiving::{Known, Verdict};
use daemon::wallet::{OpenKeys, Owner, Wallet};
use protocol::bank::{Introduction, Party, Standing};
use protocol::id::{Hint, Key, RequestId};
use protocol::key::KeyTicket;
use protocol::key::bank::BankKeys;
use protocol::pay::{AmountRule, Mode, Payment, Reader, Receipt, Refusal, Request, VerifiedPayment};
use protocol::seal::ViewKey;
use protocol::sign::{Signed, Signer};
use protocol::time::Timestamp;
use protocol::wire::{ErrorCode, Offer, PayAnswer};
use std::collections::{BTreeSet, HashMap, VecDeque};

/// Tickets taken out of the pool at a time; few, so that the pool is used up now and then.
const TICKETS_AT_ONCE: usize = 4;
/// The pool is filled up to so many.
const TICKETS_FULL: usize = 24;

/// The workstation is down: its disk has failed, or it was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Down;

impl From<StoreFault> for Down {
    fn from(_: StoreFault) -> Down {
        Down
    }
}

/// Somebody with a workstation.
pub struct Person {
    /// The owner's name.
    pub name: String,
    /// What he shows of himself.
    pub introduction: Introduction,
    /// His node key.
    pub node: Signer,
    /// His view key.
    pub view: ViewKey,
    /// His disk.
    pub disk: Disk,
    /// Whether the private code has to be given before anything is signed.
    pub locked: bool,
    /// Whether his workstation is switched off, as far as others see it.
    pub off: bool,
    /// Whether he can't reach the bank.
    pub cut_off: bool,
    /// Something is worth a way to the bank.
    pub refresh_due: bool,
    /// It is time to ask the bank again for what takes days there.
    pub slow_due: bool,
    /// How often the workstation was started again.
    pub restarts: u64,
    /// Raised by each restore.
    pub generation: u32,
    pub(super) keys: OpenKeys,
    pub(super) wallet: Wallet,
    /// How often his wallet was changed or loaded again.
    pub changes: u64,
    /// Seconds that his clock is ahead of the right time, or behind it.
    pub skew: i64,
    pub(super) store: Option<Books>,
    pub(super) tickets: VecDeque<Signed<KeyTicket>>,
    /// Every note key he ever gave to somebody: none twice.
    pub(super) keys_given: BTreeSet<[u8; 32]>,
    pub(super) given_twice: bool,
    /// Papers that were checked, as the engine keeps them.
    pub(super) parties: HashMap<Key, Party>,
}

/// Who comes into the world, before he has an account.
pub struct Newcomer {
    /// Everything he signs with.
    pub keys: OpenKeys,
    /// His node key.
    pub node: Signer,
    /// His view key.
    pub view: ViewKey,
}

impl Person {
    /// A person whose workstation is new.
    pub fn new(
        newcomer: Newcomer,
        owner: Owner,
        keys: BankKeys,
        introduction: Introduction,
        paper: Paper,
    ) -> Person {
        let disk = Disk::new();
        let policy = Policy::of(&owner.currency);
        let name = owner.name.clone();
        let wallet = Wallet::new(owner, keys, policy);
        let store = match paper {
            Paper::Redb => Books::Redb(RedbStore::on(disk.clone()).expect("a new disk does not fail")),
            Paper::Memory => Books::Memory(Memory::new(disk.clone(), wallet.clone())),
        };
        Person {
            name,
            introduction,
            node: newcomer.node,
            view: newcomer.view,
            disk,
            locked: false,
            off: false,
            cut_off: false,
            refresh_due: false,
            slow_due: true,
            restarts: 0,
            generation: 1,
            keys: newcomer.keys,
            wallet,
            changes: 0,
            skew: 0,
            store: Some(store),
            tickets: VecDeque::new(),
            keys_given: BTreeSet::new(),
            given_twice: false,
            parties: HashMap::new(),
        }
    }

    /// The same person a second time, with a disk of his own. He must not be down.
    pub fn copy(&self) -> Person {
        let disk = self.disk.copy();
        let store = match &self.store {
            Some(Books::Memory(memory)) => Books::Memory(memory.copy(disk.clone())),
            _ => Books::Redb(RedbStore::on(disk.clone()).expect("a copied disk does not fail")),
        };
        Person {
            name: self.name.clone(),
            introduction: self.introduction.clone(),
            node: self.node.clone(),
            view: self.view.clone(),
            disk,
            locked: self.locked,
            off: self.off,
            cut_off: self.cut_off,
            refresh_due: self.refresh_due,
            slow_due: self.slow_due,
            restarts: self.restarts,
            generation: self.generation,
            keys: self.keys.clone(),
            wallet: self.wallet.clone(),
            changes: self.changes,
            skew: self.skew,
            store: Some(store),
            tickets: self.tickets.clone(),
            keys_given: self.keys_given.clone(),
            given_twice: self.given_twice,
            parties: self.parties.clone(),
        }
    }

    /// The same person on a machine with nothing on it but his keys.
    pub fn emptied(&self) -> Person {
        let newcomer = Newcomer { keys: self.keys.clone(), node: self.node.clone(), view: self.view.clone() };
        let paper = match self.store {
            Some(Books::Memory(_)) => Paper::Memory,
            _ => Paper::Redb,
        };
        let (owner, keys) = (self.wallet.owner().clone(), BankKeys::pinned(self.wallet.keys().master()));
        let person = Person::new(newcomer, owner, keys, self.introduction.clone(), paper);
        Person { restarts: self.restarts + 1, changes: self.changes + 1, ..person }
    }

    /// His owner key.
    pub fn key(&self) -> Key {
        self.wallet.owner().key
    }

    /// His wallet, as it is in memory.
    pub fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// His store.
    pub fn store(&self) -> Result<&Books, Down> {
        self.store.as_ref().filter(|_| !self.disk.is_dead()).ok_or(Down)
    }

    /// Whether it has to be started again.
    pub fn is_down(&self) -> bool {
        self.store.is_none() || self.disk.is_dead()
    }

    /// Whether two payers ever got the same note key from him.
    pub fn gave_a_ticket_twice(&self) -> bool {
        self.given_twice
    }

    /// The keys he signs with, locked or not: for whoever keeps no rules.
    pub fn secret_keys(&self) -> &OpenKeys {
        &self.keys
    }

    /// The owner's keys, if it is unlocked.
    pub fn open_keys(&self) -> Option<&OpenKeys> {
        (!self.locked && self.wallet.quarantine().is_none()).then_some(&self.keys)
    }

    /// Starts again with what a crash has left on the disk.
    pub fn start_again(&mut self, kept: Kept, chance: &mut Chance) {
        self.disk.kill();
        let before = self.store.take();
        let memory = before.and_then(|books| match books {
            Books::Memory(memory) => Some(Books::Memory(memory)),
            Books::Redb(_) => None,
        });
        self.disk.come_back(kept, chance);
        let from_disk = || RedbStore::on(self.disk.clone()).expect("what was synced can be opened");
        let store = memory.unwrap_or_else(|| Books::Redb(from_disk()));
        let (owner, master) = (self.wallet.owner().clone(), self.wallet.keys().master());
        let policy = Policy::of(&owner.currency);
        self.wallet =
            store.load(owner, BankKeys::pinned(master), policy).expect("what was committed can be read");
        self.store = Some(store);
        self.tickets.clear();
        self.parties.clear();
        self.refresh_due = true;
        self.slow_due = true;
        self.restarts += 1;
        self.changes += 1;
    }

    /// Commits a decision and gives its reply and its effects.
    pub fn commit<R>(&mut self, decision: Decision<R>) -> Result<(R, Vec<Effect>), Down> {
        self.changes += 1;
        let mut batch = Batch::default();
        let sealed = batch.take(&mut self.wallet, decision);
        let (committed, effects) = batch.commit(self.store()?)?;
        if effects.contains(&Effect::Refresh) {
            self.refresh_due = true;
        }
        Ok((sealed.open(&committed), effects))
    }

    /// Fills the pool of tickets, if it is unlocked.
    pub fn fill_tickets(&mut self, chance: &mut Chance, now: Timestamp) -> Result<(), Down> {
        let missing = TICKETS_FULL.saturating_sub(self.wallet.tickets_left());
        if self.locked || missing < TICKETS_FULL / 2 {
            return Ok(());
        }
        let hints: Vec<Hint> = (0..missing).map(|_| Hint(chance.bytes())).collect();
        let decision = self.wallet.fill_tickets(&self.keys, &hints, now);
        self.commit(decision).map(drop)
    }

    fn ticket(&mut self, chance: &mut Chance, now: Timestamp) -> Result<Option<Signed<KeyTicket>>, Down> {
        if self.tickets.is_empty() {
            self.fill_tickets(chance, now)?;
            let decision = self.wallet.reserve_tickets(TICKETS_AT_ONCE, now);
            let (taken, _) = self.commit(decision)?;
            self.tickets.extend(taken);
        }
        let ticket = self.tickets.pop_front();
        if let Some(ticket) = &ticket {
            self.given_twice |= !self.keys_given.insert(ticket.unverified().key.0);
        }
        Ok(ticket)
    }

    /// A request for money, if there is a ticket left; it is not on record yet.
    pub fn request(
        &mut self,
        amount: AmountRule,
        mode: Mode,
        expires: Timestamp,
        chance: &mut Chance,
        now: Timestamp,
    ) -> Result<Option<Signed<Request>>, Down> {
        let Some(ticket) = self.ticket(chance, now)? else { return Ok(None) };
        Ok(Some(self.node.sign(Request {
            bank: self.wallet.bank(),
            id: RequestId(chance.bytes()),
            ticket,
            node: self.node.key(),
            amount,
            mode,
            created: now,
            expires,
            memo: protocol::body::Text::default(),
            address: protocol::body::Text::default(),
        })))
    }

    /// Somebody's papers, checked once and then known.
    pub fn party(&mut self, from: Introduction, now: Timestamp) -> Result<Party, ErrorCode> {
        let owner = from.certificate.unverified().owner;
        let known = self.parties.get(&owner).filter(|party| party.shows(&from) && party.runs(now));
        let party = match known {
            Some(party) => party.clone(),
            None => {
                let party = from.verify(self.wallet.keys(), now).map_err(|flaw| flaw.code())?;
                self.parties.insert(owner, party.clone());
                party
            }
        };
        match self.standing(&owner) {
            Ok(Some(Standing::Suspended)) => Err(ErrorCode::Suspended),
            Ok(_) | Err(Down) => Ok(party),
        }
    }

    /// What he says to somebody who would like to pay him.
    pub fn answer_offer(
        &mut self,
        party: &Party,
        offer: &Offer,
        chance: &mut Chance,
        now: Timestamp,
    ) -> Result<PayAnswer, Down> {
        let mode = self.wallet.mode_for(&party.owner(), party.certificate.offline_limit, offer.amount, now);
        if let Some(id) = offer.request {
            return Ok(match self.store()?.request(&id)? {
                None => PayAnswer::Error(ErrorCode::UnknownRequest),
                Some(record) if record.paid.is_some() => PayAnswer::Error(ErrorCode::RequestUsed),
                Some(record) if record.closed.is_some() => PayAnswer::Error(ErrorCode::RequestClosed),
                Some(record) if now.is_past(record.request.unverified().expires) => {
                    PayAnswer::Error(ErrorCode::Expired)
                }
                Some(_) => PayAnswer::Open(mode == Mode::Certified),
            });
        }
        let amount = AmountRule::Exactly(offer.amount);
        Ok(match self.request(amount, mode, now.plus_seconds(3600), chance, now)? {
            None => PayAnswer::Error(ErrorCode::NoTickets),
            Some(request) => PayAnswer::Request(Box::new(request)),
        })
    }

    /// What the directory, as he has copied it, says of somebody.
    pub fn standing(&self, owner: &Key) -> Result<Option<Standing>, Down> {
        let listed = self.store()?.contact(owner)?;
        let listed = listed.as_ref().map(|contact| contact.certificate.unverified());
        if self.wallet.heard().suspends(owner, listed.map(|certificate| certificate.sequence)) {
            return Ok(Some(Standing::Suspended));
        }
        Ok(listed.map(|certificate| certificate.standing))
    }

    /// Takes a payment, or says why not: the checks in the SPEC's order.
    pub fn answer_payment(
        &mut self,
        from: Introduction,
        payment: Payment,
        now: Timestamp,
    ) -> Result<PayAnswer, Down> {
        self.answer_shown(from, payment, None, now)
    }

    /// The same for a payment that may come with the receipt its payer has.
    pub fn answer_shown(
        &mut self,
        from: Introduction,
        payment: Payment,
        receipt: Option<Signed<Receipt>>,
        now: Timestamp,
    ) -> Result<PayAnswer, Down> {
        let order = payment.order.unverified();
        let (payer, id, digest) = (order.payer, order.payment, payment.order.digest());
        if let Some(earlier) = self.store()?.incoming(&payer, &id)? {
            return Ok(answer(Wallet::earlier_answer(&earlier, &digest, &self.node)));
        }
        if self.wallet.quarantine().is_some() {
            return Ok(PayAnswer::Error(ErrorCode::Unavailable));
        }
        let nodes = self.nodes();
        let reader = Reader {
            owner: self.key(),
            nodes: &nodes,
            receipt: receipt.as_ref(),
            keys: self.wallet.keys(),
            standing: self.standing(&payer)?,
            checked: self.parties.get(&payer).filter(|p| p.shows(&from) && p.runs(now)).cloned(),
            now,
        };
        let (request, signed) = (payment.request.clone(), payment.order.clone());
        let verified = match payment.verify(from, &reader) {
            Ok(verified) => verified,
            Err(flaw) => {
                if receipt.is_some() {
                    return Ok(PayAnswer::Error(flaw.code()));
                }
                if flaw.is_for_good(&signed) {
                    let known = self.store()?.request(&request.unverified().id)?;
                    let decision = self.wallet.refuse_for_good(&request, digest, known, now);
                    self.commit(decision)?;
                }
                let code = flaw.code();
                return Ok(if flaw.after_notes_were_opened() {
                    PayAnswer::Refused(self.node.sign(Refusal { order: digest, code, at: now }))
                } else {
                    PayAnswer::Error(code)
                });
            }
        };
        let known = self.known(&verified)?;
        let decision = self.wallet.receive(&verified, &known, &self.node, now);
        self.commit(decision).map(|(verdict, _)| answer(verdict))
    }

    /// What the store knows about a payment.
    pub fn known(&self, payment: &VerifiedPayment) -> Result<Known, Down> {
        let store = self.store()?;
        let order = payment.order();
        let roots: BTreeSet<_> = payment.notes().iter().map(|note| note.holding().root).collect();
        let mut known = Known {
            earlier: store.incoming(&order.payer, &order.payment)?,
            request: store.request(&payment.request().id)?,
            notes: Vec::new(),
            forks: Vec::new(),
        };
        for root in roots {
            known.notes.extend(store.notes_over(&root)?);
            known.forks.extend(store.forks_over(&root)?);
        }
        Ok(known)
    }
}

fn answer(verdict: Verdict) -> PayAnswer {
    match verdict {
        Verdict::Receipt(receipt) => PayAnswer::Receipt(receipt),
        Verdict::Refused(refusal) => PayAnswer::Refused(refusal),
        Verdict::Error(code) => PayAnswer::Error(code),
    }
}
