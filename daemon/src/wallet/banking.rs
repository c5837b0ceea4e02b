//! What the wallet asks of the bank, and what it makes of the answers (SPEC §4, N4, N5, B7).
//!
//! ```text
//! Asked ─┬▶ Done        the effect and the answer are one commit at the bank; asking again gets the same answer
//!        ├▶ Declined    not enough funds, with the bank's letter
//!        └▶ Refused     void at the bank: the units that were promised are free again
//! ```
//! After a crash every request that is still *asked* is sent again, the same bytes. «Busy» and silence
//! say nothing, so they change nothing.

use super::change::{Answered, Change, Decision, Draft, Effect, Happening, Started};
use super::history::{Movement, NewEntry};
use super::receiving::Incoming;
use super::reserve::{Holder, OwnNote, Piece, Short, Taker};
use super::{AccountBalance, OpenKeys, Wallet};
use protocol::bank::{Letter, LetterKind, Outcome, RedeemKind, Withdrawal};
use protocol::body::{Body, Text};
use protocol::id::{Digest, Hint, Key, PaymentId, RequestId};
use protocol::key::KeyTicket;
use protocol::key::bank::{KeyCertificate, Usage};
use protocol::money::Units;
use protocol::note::{ChainFlaw, Checked, Destination, Note, NoteTable, Root};
use protocol::range::RangeSet;
use protocol::sign::{BadSignature, Signed, Verified};
use protocol::time::Timestamp;
use protocol::wire::{self, BankAnswer, BankAsk, ErrorCode, Item};
use serde::{Deserialize, Serialize};

/// A request to the bank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BankOp {
    /// Names it.
    pub id: RequestId,
    /// What is asked.
    pub what: Operation,
    /// Digest of the request's body.
    pub digest: Digest,
    /// What is sent, each time the same.
    #[serde(with = "serde_bytes")]
    pub ask: Vec<u8>,
    /// How much it moves.
    pub amount: Units,
    /// What the bank shall issue, if it shall.
    #[serde(with = "outcome_as_pair")]
    pub outcome: Option<Outcome>,
    /// What our key in the outcome is derived from, if it is ours.
    pub hint: Option<Hint>,
    /// Our units that go into it.
    pub uses: Vec<Piece>,
    /// Where it stands.
    pub state: OpState,
    /// When it was first asked.
    pub created: Timestamp,
}

/// What is asked of the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Account to reserve.
    Withdraw,
    /// Reserve to account.
    Deposit,
    /// Our notes to one fresh note of ours.
    Refresh,
    /// Our notes to a fresh note of the payee's.
    Certify(PaymentId),
    /// A refused payment's notes to a fresh note of ours.
    TakeBack(PaymentId),
}

impl Operation {
    /// Its word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Operation::Withdraw => "withdraw",
            Operation::Deposit => "deposit",
            Operation::Refresh => "refresh",
            Operation::Certify(_) => "certify",
            Operation::TakeBack(_) => "take_back",
        }
    }

    /// Whether it names nobody, so that it should reach the bank over a throw-away identity.
    pub fn is_anonymous(&self) -> bool {
        !matches!(self, Operation::Withdraw | Operation::Deposit)
    }
}

/// Where a request to the bank stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OpState {
    /// Asked, and asked again until there is an answer.
    Asked,
    /// Done; the letter with this number says so, where there is one.
    Done(Option<u64>),
    /// Not enough funds; the letter with this number says what is there.
    Declined(u64),
    /// Void.
    Refused(ErrorCode),
}

impl OpState {
    /// Its word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            OpState::Asked => "asked",
            OpState::Done(_) => "done",
            OpState::Declined(_) => "declined",
            OpState::Refused(_) => "refused",
        }
    }
}

impl BankOp {
    /// Whether the answer is still awaited.
    pub fn is_open(&self) -> bool {
        self.state == OpState::Asked
    }
}

/// New names for a request to the bank, chosen at random.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// Names the request.
    pub request: RequestId,
    /// For the key that the bank shall issue to.
    pub hint: Hint,
}

/// A caller's key with the method and the digest of the call.
pub type CallKey = Option<(String, String, Digest)>;

/// Why nothing is asked of the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BankRefusal {
    /// Nothing to move.
    #[error("an amount of nothing can't be moved")]
    Nothing,
    /// The reserve does not hold that much (N5).
    #[error("the reserve holds {free}, the deposit asks {asked}")]
    Short {
        /// What is free.
        free: Units,
        /// What was asked.
        asked: Units,
    },
    /// The reserve holds it, in too many notes for one request.
    #[error("the notes are too many for one deposit: deposit {payable} first")]
    Scattered {
        /// What one request can carry.
        payable: Units,
    },
}

/// An answer that the bank could not have given if it kept its own rules: it changes nothing, and the request stays asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BankFlaw {
    /// Not signed by the key it must be.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// A root that is not valid.
    #[error(transparent)]
    Chain(#[from] ChainFlaw),
    /// An answer to something else.
    #[error("the bank's answer does not fit what was asked")]
    DoesNotFit,
}

impl Wallet {
    /// Asks for units from the account.
    pub fn withdraw(
        &self,
        units: Units,
        keys: &OpenKeys,
        fresh: Fresh,
        call: CallKey,
        now: Timestamp,
    ) -> Result<Decision<RequestId>, BankRefusal> {
        if units.is_zero() {
            return Err(BankRefusal::Nothing);
        }
        let outcome = Outcome { to: keys.seed().note(&fresh.hint).key(), units };
        let body = Withdrawal {
            bank: self.bank(),
            request: fresh.request,
            owner: self.owner().key,
            created: now,
            outcomes: vec![outcome],
        };
        let digest = body.digest();
        let op = BankOp {
            id: fresh.request,
            what: Operation::Withdraw,
            digest,
            ask: wire::encode(&BankAsk::Withdraw(keys.owner().sign(body))),
            amount: units,
            outcome: Some(outcome),
            hint: Some(fresh.hint),
            uses: Vec::new(),
            state: OpState::Asked,
            created: now,
        };
        Ok(self.begin(op, call, now))
    }

    /// Asks to credit units of the reserve to the account.
    pub fn deposit(
        &self,
        units: Units,
        keys: &OpenKeys,
        fresh: Fresh,
        call: CallKey,
        now: Timestamp,
    ) -> Result<Decision<RequestId>, BankRefusal> {
        if units.is_zero() {
            return Err(BankRefusal::Nothing);
        }
        let uses = self.select(units, Taker::Bank).map_err(|short| match short {
            Short::Funds { free } => BankRefusal::Short { free, asked: units },
            Short::Form { payable } => BankRefusal::Scattered { payable },
        })?;
        let outcome = Outcome { to: self.owner().key, units };
        let redemption = self.redemption(RedeemKind::Deposit, fresh.request, outcome);
        let digest = redemption.digest();
        let notes = self.hand_on(&uses, Destination::Redeem(digest), keys);
        let op = BankOp {
            id: fresh.request,
            what: Operation::Deposit,
            digest,
            ask: wire::encode(&BankAsk::Deposit(keys.owner().sign(redemption), NoteTable::pack(&notes))),
            amount: units,
            outcome: None,
            hint: None,
            uses,
            state: OpState::Asked,
            created: now,
        };
        Ok(self.begin(op, call, now))
    }

    /// Asks for one fresh note for what is unconfirmed, scattered or long; nothing if there is none.
    pub fn refresh(&self, keys: &OpenKeys, fresh: Fresh, now: Timestamp) -> Option<Decision<RequestId>> {
        let uses = self.worth_refreshing();
        let units = Units::sum(uses.iter().map(|p| p.range.units())).ok().filter(|u| !u.is_zero())?;
        let outcome = Outcome { to: keys.seed().note(&fresh.hint).key(), units };
        let redemption = self.redemption(RedeemKind::Reissue, fresh.request, outcome);
        let op = self.reissue_op(redemption, Operation::Refresh, uses, Some(fresh.hint), keys, now);
        Some(self.begin(op, None, now))
    }

    fn begin(&self, op: BankOp, call: CallKey, now: Timestamp) -> Decision<RequestId> {
        let mut draft = Draft::at(self, now);
        let id = op.id;
        if let Some((method, key, params)) = call {
            draft.put(Change::Answered(Answered { method, key, params, started: Started::Bank(id) }));
        }
        self.hold(&mut draft, &op.uses, Holder::Bank(id));
        draft.put_op(op, OpState::Asked);
        Decision::new(draft, id)
    }

    /// What an answer of the bank changes. `incoming` are the payments that the request's notes came with.
    pub fn bank_answered(
        &self,
        id: &RequestId,
        answer: BankAnswer,
        incoming: &[Incoming],
        now: Timestamp,
    ) -> Result<Decision<()>, BankFlaw> {
        let mut draft = Draft::at(self, now);
        let Some(op) = self.open_bank_op(id) else { return Ok(Decision::new(draft, ())) };
        match answer {
            BankAnswer::Withdrawn(roots, letter) => self.withdrawn(&mut draft, op, roots, letter)?,
            BankAnswer::Declined(letter) => self.declined(&mut draft, op, letter)?,
            BankAnswer::Deposited(items, letter) => {
                self.deposited(&mut draft, op, &items, letter, incoming)?
            }
            BankAnswer::Reissued(roots) => self.reissued(&mut draft, op, roots, incoming)?,
            BankAnswer::Denied(faults) => self.denied(&mut draft, op, &faults, incoming)?,
            // A request dated ahead of the bank's clock is taken later: it stays asked.
            BankAnswer::Error(ErrorCode::Busy | ErrorCode::Unavailable | ErrorCode::Expired) => {}
            BankAnswer::Error(code) => self.void(&mut draft, op, code, &[], incoming),
            BankAnswer::Terms(_)
            | BankAnswer::Activated(..)
            | BankAnswer::Published
            | BankAnswer::Balance(_)
            | BankAnswer::NotSeen
            | BankAnswer::Directory(_) => return Err(BankFlaw::DoesNotFit),
        }
        Ok(Decision::new(draft, ()))
    }

    /// A letter about this request, signed by the bank.
    fn letter(
        &self,
        op: &BankOp,
        letter: Signed<Letter>,
        kind: LetterKind,
    ) -> Result<Verified<Letter>, BankFlaw> {
        let letter = self.keys().verify(Usage::Attest, letter.unverified().at.day(), letter)?;
        let fits = letter.kind == kind && letter.owner == self.owner().key && letter.request == op.digest;
        if fits { Ok(letter) } else { Err(BankFlaw::DoesNotFit) }
    }

    /// The one root that was asked for, checked like anybody else's.
    fn issued(&self, op: &BankOp, roots: Vec<Signed<Root>>) -> Result<Signed<Root>, BankFlaw> {
        let [root] = <[_; 1]>::try_from(roots).map_err(|_| BankFlaw::DoesNotFit)?;
        let body = root.unverified();
        let wanted = op.outcome.ok_or(BankFlaw::DoesNotFit)?;
        if body.id != Root::id_of(&op.digest, 0) || body.units != wanted.units || body.to != wanted.to {
            return Err(BankFlaw::DoesNotFit);
        }
        let note = Note::fresh(root).verify(self.keys(), &mut Checked::default())?;
        Ok(note.into_note().root)
    }

    fn withdrawn(
        &self,
        draft: &mut Draft,
        op: &BankOp,
        roots: Vec<Signed<Root>>,
        letter: Signed<Letter>,
    ) -> Result<(), BankFlaw> {
        let letter = self.letter(op, letter, LetterKind::Payment)?;
        if op.what != Operation::Withdraw || letter.units != op.amount {
            return Err(BankFlaw::DoesNotFit);
        }
        let root = self.issued(op, roots)?;
        self.take_in(draft, op, root)?;
        let balance = self.keep_letter(draft, &letter);
        draft.record(op.entry(Movement::Withdrawal, op.amount), balance);
        draft.put_op(op.clone(), OpState::Done(Some(letter.number)));
        Ok(())
    }

    fn declined(&self, draft: &mut Draft, op: &BankOp, letter: Signed<Letter>) -> Result<(), BankFlaw> {
        let letter = self.letter(op, letter, LetterKind::Refusal)?;
        if op.what != Operation::Withdraw {
            return Err(BankFlaw::DoesNotFit);
        }
        self.keep_letter(draft, &letter);
        draft.put_op(op.clone(), OpState::Declined(letter.number));
        Ok(())
    }

    fn deposited(
        &self,
        draft: &mut Draft,
        op: &BankOp,
        items: &[Item],
        letter: Signed<Letter>,
        incoming: &[Incoming],
    ) -> Result<(), BankFlaw> {
        let letter = self.letter(op, letter, LetterKind::Deposit)?;
        if op.what != Operation::Deposit || items.len() != op.uses.len() {
            return Err(BankFlaw::DoesNotFit);
        }
        let paid = op.uses.iter().zip(items).filter(|(_, item)| matches!(item, Item::Paid(_)));
        let paid = Units::sum(paid.map(|(piece, _)| piece.range.units())).unwrap_or_default();
        if letter.units != paid {
            return Err(BankFlaw::DoesNotFit);
        }
        let balance = self.keep_letter(draft, &letter);
        let unpaid = op.uses.iter().zip(items).filter(|(_, item)| !matches!(item, Item::Paid(_)));
        let unpaid: Vec<(Piece, &Item)> = unpaid.map(|(piece, item)| (*piece, item)).collect();
        let lost = self.lost_of(&unpaid);
        let whole: Vec<Piece> = unpaid.iter().map(|(piece, _)| *piece).collect();
        self.confirm(draft, op, incoming, &lost);
        self.free_again(draft, Holder::Bank(op.id), &without(&whole, &lost));
        if !paid.is_zero() {
            draft.record(op.entry(Movement::Deposit, paid), balance);
        }
        self.record_lost(draft, op, &lost, incoming);
        if !lost.is_empty() || !whole.is_empty() {
            draft.then(Effect::Refresh);
        }
        draft.put_op(op.clone(), OpState::Done(Some(letter.number)));
        Ok(())
    }

    fn reissued(
        &self,
        draft: &mut Draft,
        op: &BankOp,
        roots: Vec<Signed<Root>>,
        incoming: &[Incoming],
    ) -> Result<(), BankFlaw> {
        let root = self.issued(op, roots)?;
        match op.what {
            Operation::Refresh => {
                self.confirm(draft, op, incoming, &[]);
                self.let_go(draft, Holder::Bank(op.id));
                self.take_in(draft, op, root)?;
            }
            Operation::Certify(payment) => {
                self.let_go(draft, Holder::Payment(payment));
                self.certified(draft, &payment, root);
            }
            Operation::TakeBack(payment) => {
                self.let_go(draft, Holder::Payment(payment));
                self.take_in(draft, op, root)?;
                self.taken_back(draft, &payment, op.amount);
            }
            Operation::Withdraw | Operation::Deposit => return Err(BankFlaw::DoesNotFit),
        }
        draft.put_op(op.clone(), OpState::Done(None));
        Ok(())
    }

    /// The bank named the notes at fault and voided the request: what clashed is lost, the rest free again.
    fn denied(
        &self,
        draft: &mut Draft,
        op: &BankOp,
        faults: &[(u16, Item)],
        incoming: &[Incoming],
    ) -> Result<(), BankFlaw> {
        let at_fault =
            |(place, item): &'_ (u16, Item)| op.uses.get(usize::from(*place)).map(|p| (*p, item.clone()));
        let bad: Option<Vec<(Piece, Item)>> = faults.iter().map(at_fault).collect();
        let bad = bad.filter(|bad| !bad.is_empty()).ok_or(BankFlaw::DoesNotFit)?;
        let bad: Vec<(Piece, &Item)> = bad.iter().map(|(piece, item)| (*piece, item)).collect();
        self.void(draft, op, ErrorCode::Clash, &self.lost_of(&bad), incoming);
        Ok(())
    }

    /// Which units of the pieces at fault are gone: those that the bank shows to be redeemed, and no others.
    /// Without such a proof it is the whole piece, or a bad one would be asked for again for ever.
    fn lost_of(&self, bad: &[(Piece, &Item)]) -> Vec<Piece> {
        let lost = |(piece, item): &(Piece, &Item)| {
            let shown = self.shown_redeemed(*piece, item);
            if shown.is_empty() { vec![*piece] } else { shown }
        };
        bad.iter().flat_map(lost).collect()
    }

    fn shown_redeemed(&self, piece: Piece, item: &Item) -> Vec<Piece> {
        let (Item::Clash(winners), Some(own)) = (item, self.note(piece.note)) else { return Vec::new() };
        let root = own.note.root.digest();
        let winners = winners.clone().unpack().unwrap_or_default();
        let holdings = winners.iter().filter_map(|note| note.holding().ok()).filter(|h| h.root == root);
        holdings.filter_map(|h| Some(Piece { range: h.range.intersection(piece.range)?, ..piece })).collect()
    }

    /// The request will never be carried out.
    fn void(&self, draft: &mut Draft, op: &BankOp, code: ErrorCode, lost: &[Piece], incoming: &[Incoming]) {
        let rest = without(&op.uses, lost);
        match op.what {
            Operation::Withdraw => {}
            Operation::Deposit | Operation::Refresh => {
                self.free_again(draft, Holder::Bank(op.id), &rest);
                self.record_lost(draft, op, lost, incoming);
            }
            Operation::Certify(payment) => {
                self.free_again(draft, Holder::Payment(payment), &rest);
                self.not_certified(draft, &payment, code);
                self.record_lost(draft, op, lost, incoming);
            }
            // Units that the payee has redeemed are his; the rest is asked for again.
            Operation::TakeBack(payment) => {
                self.hold_again(draft, Holder::Payment(payment), &rest);
                if rest.is_empty() {
                    self.taken_back(draft, &payment, Units::ZERO);
                }
            }
        }
        draft.then(Effect::Refresh);
        draft.put_op(op.clone(), OpState::Refused(code));
    }

    /// Of the units promised to `by`, those in `rest` are free again; the others are gone.
    fn free_again(&self, draft: &mut Draft, by: Holder, rest: &[Piece]) {
        for note in self.notes().filter(|n| n.held.iter().any(|h| h.by == by)) {
            let mut note = note.clone();
            let number = note.number;
            note.release(by);
            rest.iter().filter(|p| p.note == number).for_each(|p| note.free.insert(p.range));
            draft.put(Change::Note(note));
        }
    }

    /// Of the units promised to `by`, those in `rest` stay so; the others are gone.
    fn hold_again(&self, draft: &mut Draft, by: Holder, rest: &[Piece]) {
        for note in self.notes().filter(|n| n.held.iter().any(|h| h.by == by)) {
            let mut note = note.clone();
            let number = note.number;
            note.release(by);
            rest.iter().filter(|p| p.note == number).for_each(|p| note.hold(p.range, by));
            draft.put(Change::Note(note));
        }
    }

    /// A fresh note of ours.
    fn take_in(&self, draft: &mut Draft, op: &BankOp, root: Signed<Root>) -> Result<(), BankFlaw> {
        let hint = op.hint.ok_or(BankFlaw::DoesNotFit)?;
        let free = RangeSet::from_iter([root.unverified().range()]);
        let number = draft.note_number();
        let note = Note::fresh(root);
        draft.put(Change::Note(OwnNote {
            number,
            note,
            hint,
            confirmed: true,
            free,
            held: Vec::new(),
            from: None,
        }));
        Ok(())
    }

    /// Payments that came in, of whose notes nothing is left outside this request: their payers can be told that
    /// the money is safe. What was passed on before needs no payer who keeps it; what was lost is not safe.
    fn confirm(&self, draft: &mut Draft, op: &BankOp, incoming: &[Incoming], lost: &[Piece]) {
        let done = |number: &u64| {
            let here =
                |own: &OwnNote| own.free.is_empty() && own.held.iter().all(|h| h.by == Holder::Bank(op.id));
            self.note(*number).is_none_or(here)
        };
        let good = |p: &&Incoming| !p.confirmed && p.lost.is_zero() && !touches(p, lost);
        for payment in incoming.iter().filter(good).filter(|p| p.notes.iter().all(done)) {
            let confirmed = Incoming { confirmed: true, ..payment.clone() };
            let (payer, id, units) = (payment.payer, payment.payment, payment.amount);
            draft.put(Change::Incoming(confirmed));
            draft.event(Happening::Confirmed { payment: id, units });
            draft.then(Effect::Confirm { payer, payment: id });
        }
    }

    fn record_lost(&self, draft: &mut Draft, op: &BankOp, lost: &[Piece], incoming: &[Incoming]) {
        let sum = units_of(lost);
        if sum.is_zero() {
            return;
        }
        draft.record(op.entry(Movement::Lost, sum), self.account().map(|a| a.units));
        draft.event(Happening::Lost { units: sum, request: op.id });
        for payment in incoming.iter().filter(|p| touches(p, lost)) {
            let his: Vec<Piece> = lost.iter().filter(|p| payment.notes.contains(&p.note)).copied().collect();
            let lost = payment.lost.plus(units_of(&his)).unwrap_or(payment.amount);
            draft.put(Change::Incoming(Incoming { lost, ..payment.clone() }));
        }
    }

    /// Keeps a letter, and the balance it tells if none newer is known.
    pub(super) fn keep_letter(&self, draft: &mut Draft, letter: &Verified<Letter>) -> Option<Units> {
        draft.put(Change::Letter(letter.signed().clone()));
        let told = AccountBalance { units: letter.balance, letter: letter.number, at: letter.at };
        match self.account() {
            Some(known) if known.letter >= told.letter => Some(known.units),
            _ => {
                draft.put(Change::Account(told));
                Some(told.units)
            }
        }
    }

    /// A statement of balance, or the opening letter.
    pub fn balance_told(
        &self,
        letter: Signed<Letter>,
        now: Timestamp,
    ) -> Result<Decision<AccountBalance>, BankFlaw> {
        let letter = self.keys().verify(Usage::Attest, letter.unverified().at.day(), letter)?;
        if letter.owner != self.owner().key {
            return Err(BankFlaw::DoesNotFit);
        }
        let mut draft = Draft::at(self, now);
        if letter.kind == LetterKind::Balance {
            // A statement is no paper to keep: only the balance counts.
            let told = AccountBalance { units: letter.balance, letter: letter.number, at: letter.at };
            if self.account().is_none_or(|known| known.letter <= told.letter) {
                draft.put(Change::Account(told));
            }
        } else {
            self.keep_letter(&mut draft, &letter);
        }
        Ok(Decision::new(
            draft,
            AccountBalance { units: letter.balance, letter: letter.number, at: letter.at },
        ))
    }

    /// Keeps key certificates that the master key has signed.
    pub fn learn_keys(&self, certificates: Vec<Signed<KeyCertificate>>, now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        let mut keys = self.keys().clone();
        for certificate in certificates {
            if keys.learn(certificate.clone()) == Ok(true) {
                draft.put(Change::BankKey(certificate));
            }
        }
        Decision::new(draft, ())
    }

    /// Fills the pool of tickets, so that the workstation can take payments while it is locked (N3).
    pub fn fill_tickets(&self, keys: &OpenKeys, hints: &[Hint], now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        for (number, hint) in (self.next_ticket()..).zip(hints) {
            let ticket =
                KeyTicket { owner: self.owner().key, key: keys.seed().note(hint).key(), hint: *hint };
            draft.put(Change::Ticket(number, keys.owner().sign(ticket)));
        }
        Decision::new(draft, ())
    }

    /// Takes up to `count` tickets out of the pool: after a restart they are not given out a second time.
    pub fn reserve_tickets(&self, count: usize, now: Timestamp) -> Decision<Vec<Signed<KeyTicket>>> {
        let mut draft = Draft::at(self, now);
        let taken: Vec<_> =
            self.tickets().take(count).map(|(number, ticket)| (number, ticket.clone())).collect();
        if let Some((last, _)) = taken.last() {
            draft.put(Change::TicketsTaken(*last));
        }
        Decision::new(draft, taken.into_iter().map(|(_, ticket)| ticket).collect())
    }
}

fn units_of(pieces: &[Piece]) -> Units {
    Units::sum(pieces.iter().map(|p| p.range.units())).expect("units of one request are below 2^53")
}

fn touches(payment: &Incoming, pieces: &[Piece]) -> bool {
    pieces.iter().any(|piece| payment.notes.contains(&piece.note))
}

/// What is left of the pieces.
fn without(pieces: &[Piece], gone: &[Piece]) -> Vec<Piece> {
    let left = |piece: &Piece| {
        let mut ranges = RangeSet::from_iter([piece.range]);
        gone.iter().filter(|g| g.note == piece.note).for_each(|g| ranges.remove(g.range));
        let note = piece.note;
        ranges.iter().map(move |range| Piece { note, range }).collect::<Vec<_>>()
    };
    pieces.iter().flat_map(left).collect()
}

impl BankOp {
    fn entry(&self, movement: Movement, units: Units) -> NewEntry {
        let name = Text::new("bank", 255).unwrap_or_default();
        NewEntry { movement, units, party: Key::default(), name, memo: Text::default(), id: self.id.0 }
    }
}

impl Draft {
    /// Puts a request to the bank; asked ones are sent once they are on disk.
    pub(super) fn put_op(&mut self, mut op: BankOp, state: OpState) {
        op.state = state;
        let (request, operation, units) = (op.id, op.what.word().to_owned(), op.amount);
        if op.is_open() {
            self.then(Effect::Bank(op.id));
        }
        self.put(Change::BankOp(op));
        self.event(Happening::Bank { request, operation, state: state.word().to_owned(), units });
    }
}

/// `Outcome` is a part of bodies and has no MessagePack form of its own.
mod outcome_as_pair {
    use super::{Key, Outcome, Units};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(outcome: &Option<Outcome>, to: S) -> Result<S::Ok, S::Error> {
        outcome.map(|o| (o.to, o.units)).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Outcome>, D::Error> {
        let pair = Option::<(Key, Units)>::deserialize(from)?;
        Ok(pair.map(|(to, units)| Outcome { to, units }))
    }
}
