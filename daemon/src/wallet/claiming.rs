//! Claims: units that were lost because somebody before us signed twice (SPEC §3.8, §4.10, threats X2, X3, X5).
//!
//! ```text
//! ToSign ─▶ Asked ─┬▶ Open ─▶ Closed     the bank walks up from order to order; nothing is done here but to wait
//!                  └▶ Refused            no case: the reason is kept
//! ```
//! A claim is noted in the commit that writes the units off, filed by itself as soon as the owner's key is there, and
//! asked again with the same bytes until the bank has it. What it takes as evidence is kept for ever: the payer's
//! order, our request that it answers, the tips of all the payment's notes.

use super::banking::{BankFlaw, BankOp, OpState, Operation};
use super::change::{Change, Decision, Draft, Effect, Happening};
use super::history::{Movement, NewEntry};
use super::proof::Twice;
use super::receiving::{Incoming, RequestRecord};
use super::reserve::OwnNote;
use super::{OpenKeys, Wallet};
use protocol::bank::{Claim, Letter, LetterKind};
use protocol::body::{Body, Text, digest};
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::key::bank::Usage;
use protocol::money::Units;
use protocol::note::{Destination, NoteTable};
use protocol::pay::Evidence;
use protocol::pay::list_of_notes;
use protocol::range::Range;
use protocol::sign::Verified;
use protocol::time::{Day, Timestamp};
use protocol::wire::{self, BankAsk, CasePart, CaseState, CaseStep, ErrorCode};
use serde::{Deserialize, Serialize};

/// So many days after a note's last direct day, or after they were lost, units of it can be claimed (SPEC §4.10).
const CLAIM_DAYS: u32 = 30;

/// A claim of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claiming {
    /// Names it, here and at the bank.
    pub id: RequestId,
    /// Who paid us with the units.
    pub payer: Key,
    /// His payment.
    pub payment: PaymentId,
    /// His certified name.
    pub name: String,
    /// Our number for the note.
    pub note: u64,
    /// The note's tip.
    pub tip: Digest,
    /// Which of its units.
    pub range: Range,
    /// The chains that the bank showed: they have the units.
    pub won: NoteTable,
    /// Where it stands.
    pub state: ClaimState,
    /// The bank's numbers for its cases.
    pub cases: Vec<u64>,
    /// Paid to the account so far.
    pub paid: Units,
    /// The last day on which it can be filed.
    pub last_day: Day,
    /// When the units were lost.
    pub created: Timestamp,
    /// When something last changed.
    pub changed: Timestamp,
}

/// Where a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClaimState {
    /// Noted; the owner's key has to sign it.
    ToSign,
    /// Filed, and filed again until the bank answers.
    Asked,
    /// The bank has it: its cases are walked up.
    Open,
    /// All its cases have ended; if nothing is paid, for this reason.
    Closed(Option<ErrorCode>),
    /// The bank did not take it.
    Refused(ErrorCode),
}

impl ClaimState {
    /// Its word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            ClaimState::ToSign => "to_sign",
            ClaimState::Asked => "asked",
            ClaimState::Open => "open",
            ClaimState::Closed(_) => "closed",
            ClaimState::Refused(_) => "refused",
        }
    }
}

/// A case at the bank in which we have a part, as it was last told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseRecord {
    /// As the bank told it.
    pub state: CaseState,
    /// When that last changed.
    pub changed: Timestamp,
}

impl CaseRecord {
    /// Whether nothing more will come of it.
    pub fn is_closed(&self) -> bool {
        match self.state.step {
            CaseStep::Open(_) => false,
            CaseStep::Dismissed(_) => true,
            CaseStep::Judged(owed) => owed.is_zero(),
        }
    }

    /// The same for whoever claims: who pays it in the end is nobody's business of his.
    fn is_settled(&self) -> bool {
        let paid =
            matches!(self.state.step, CaseStep::Judged(_)) && self.state.paid >= self.state.range.units();
        paid || self.is_closed()
    }
}

impl Claiming {
    /// A claim over units that `payer` paid us with.
    pub(super) fn over(
        own: &OwnNote,
        twice: &Twice,
        payer: &Incoming,
        op: &BankOp,
        now: Timestamp,
    ) -> Claiming {
        let range = twice.piece.range;
        // Drawn from what it is about: the same loss is claimed once, whenever it is decided again.
        let parts = [&op.id.0[..], &own.number.to_be_bytes(), &range.start().to_be_bytes()].concat();
        let Digest(name) = digest("claim-id", &parts);
        let mut id = [0; 16];
        id.iter_mut().zip(name).for_each(|(byte, new)| *byte = new);
        Claiming {
            id: RequestId(id),
            payer: payer.payer,
            payment: payer.payment,
            name: payer.name.clone(),
            note: own.number,
            tip: own.note.holding().map(|holding| holding.tip).unwrap_or_default(),
            range,
            won: twice.won.clone(),
            state: ClaimState::ToSign,
            cases: Vec::new(),
            paid: Units::ZERO,
            // The entry that has the units is not younger than the bank's word of it.
            last_day: own.note.root.unverified().direct_until_day.max(now.day()).plus_days(CLAIM_DAYS),
            created: now,
            changed: now,
        }
    }

    /// Whether something may still come of it.
    pub fn is_open(&self) -> bool {
        matches!(self.state, ClaimState::ToSign | ClaimState::Asked | ClaimState::Open)
    }

    /// How much was lost.
    pub fn units(&self) -> Units {
        self.range.units()
    }

    /// What may still come.
    pub(super) fn open_units(&self) -> Units {
        self.units().minus(self.paid).unwrap_or_default()
    }

    fn entry(&self, movement: Movement, units: Units) -> NewEntry {
        NewEntry {
            movement,
            units,
            party: self.payer,
            name: Text::new(&self.name, 255).unwrap_or_default(),
            memo: Text::default(),
            id: self.id.0,
        }
    }
}

/// The papers of a payment that came in: whoever shows them names his payer.
#[derive(Clone, Debug)]
pub struct Papers {
    /// The payment.
    pub incoming: Incoming,
    /// Our request that it answers.
    pub request: RequestRecord,
    /// All its notes, in the payment's order.
    pub notes: Vec<OwnNote>,
}

impl Papers {
    /// Them as evidence; none if something is missing.
    pub fn evidence(&self) -> Option<Evidence> {
        let tips: Result<Vec<Digest>, _> =
            self.notes.iter().map(|n| n.note.holding().map(|h| h.tip)).collect();
        let tips = tips.ok()?;
        let (order, request) = (self.incoming.order.clone(), self.request.request.clone());
        (list_of_notes(&tips) == order.unverified().list).then_some(Evidence { order, request, tips })
    }
}

impl Wallet {
    /// A payer knows that his money is safe.
    pub fn told(&self, payer: Key, payment: PaymentId, now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        draft.put(Change::Told(payer, payment));
        Decision::new(draft, ())
    }

    /// Claims that still run.
    pub fn open_claims(&self) -> impl Iterator<Item = &Claiming> {
        self.claims.values()
    }

    /// Whether the bank's «expired» is its last word on a request: a claim after its last day. Everything else that is
    /// dated ahead of its clock is taken later.
    pub fn came_too_late(&self, id: &RequestId, code: ErrorCode, now: Timestamp) -> bool {
        let claim = self.claims.get(id).filter(|_| code == ErrorCode::Expired);
        claim.is_some_and(|claim| now.day() > claim.last_day)
    }

    /// Claims that nobody has signed yet.
    pub fn claims_to_sign(&self) -> impl Iterator<Item = &Claiming> {
        self.claims.values().filter(|claim| claim.state == ClaimState::ToSign)
    }

    /// Cases that still run, as last told.
    pub fn open_cases(&self) -> impl Iterator<Item = &CaseRecord> {
        self.cases.values()
    }

    /// Signs a claim and files it.
    pub fn file_claim(
        &self,
        id: &RequestId,
        papers: &Papers,
        keys: &OpenKeys,
        now: Timestamp,
    ) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        let Some(claim) = self.claims.get(id).filter(|claim| claim.state == ClaimState::ToSign) else {
            return Decision::new(draft, ());
        };
        let note = papers.notes.iter().find(|own| own.number == claim.note);
        let (Some(note), Some(evidence)) = (note, papers.evidence()) else {
            draft.put_claim(Claiming { state: ClaimState::Refused(ErrorCode::NotFound), ..claim.clone() });
            return Decision::new(draft, ());
        };
        let body = Claim {
            bank: self.bank(),
            request: *id,
            claimant: self.owner().key,
            note: claim.tip,
            range: claim.range,
            created: now,
        };
        let digest = body.digest();
        // Signed with the lost key: whoever can't sign for it has lost nothing.
        let signer = keys.seed().note(&note.hint);
        let Ok(shown) = note.note.hand_on(claim.range, Destination::Redeem(digest), &signer) else {
            draft.put_claim(Claiming { state: ClaimState::Refused(ErrorCode::BadChain), ..claim.clone() });
            return Decision::new(draft, ());
        };
        let table = NoteTable::pack([&shown]);
        let op = BankOp {
            id: *id,
            what: Operation::Claim(*id),
            digest,
            ask: wire::encode(&BankAsk::Claim(keys.owner().sign(body), table, Box::new(evidence))),
            amount: claim.units(),
            outcome: None,
            hint: None,
            uses: Vec::new(),
            state: OpState::Asked,
            created: now,
            told: None,
        };
        draft.put_op(op, OpState::Asked);
        draft.put_claim(Claiming { state: ClaimState::Asked, ..claim.clone() });
        Decision::new(draft, ())
    }

    /// The bank has made cases of a claim.
    pub(super) fn claim_filed(
        &self,
        draft: &mut Draft,
        op: &BankOp,
        states: &[CaseState],
    ) -> Result<(), BankFlaw> {
        let Operation::Claim(id) = op.what else { return Err(BankFlaw::DoesNotFit) };
        if let Some(claim) = self.claims.get(&id) {
            if states.is_empty() || !states.iter().all(|state| claim.is_about(state)) {
                return Err(BankFlaw::DoesNotFit);
            }
            draft.put_claim(Claiming { state: ClaimState::Open, ..claim.clone() });
        }
        // How they stand is asked at once, and told in one place.
        draft.then(Effect::Cases);
        draft.put_op(op.clone(), OpState::Done(None));
        Ok(())
    }

    pub(super) fn claim_refused(&self, draft: &mut Draft, id: &RequestId, code: ErrorCode) {
        if let Some(claim) = self.claims.get(id) {
            draft.put_claim(Claiming { state: ClaimState::Refused(code), ..claim.clone() });
        }
    }

    /// What the bank tells of our cases. `known` are those of them that are on disk.
    pub fn cases_told(
        &self,
        states: Vec<CaseState>,
        known: &[CaseRecord],
        now: Timestamp,
    ) -> Result<Decision<()>, BankFlaw> {
        let mut draft = Draft::at(self, now);
        let mut account = self.account();
        let mut touched: Vec<RequestId> = Vec::new();
        let mut told: Vec<CaseRecord> = Vec::new();
        for state in states {
            let before = known.iter().find(|record| record.state.case == state.case);
            if before.is_some_and(|record| record.state == state) {
                continue;
            }
            let claim = self.claims.values().find(|claim| claim.is_about(&state));
            let known = before.into_iter().flat_map(|record| &record.state.letters);
            let newest = known.map(|letter| letter.unverified().number).max().unwrap_or(0);
            for letter in state.letters.iter().filter(|letter| letter.unverified().number > newest) {
                let letter =
                    self.keys().verify(Usage::Attest, letter.unverified().at.day(), letter.clone())?;
                self.letter_of_a_case(&mut draft, &letter, claim, &mut account)?;
            }
            touched.extend(claim.map(|claim| claim.id));
            draft.event(Happening::Case { case: state.case, part: part_word(&state.part).to_owned() });
            told.push(CaseRecord { state, changed: now });
        }
        touched.sort_unstable_by_key(|id| id.0);
        touched.dedup();
        for claim in touched.iter().filter_map(|id| self.claims.get(id)) {
            let claim = self.as_told(claim, &told, known);
            draft.put_claim(claim);
        }
        told.into_iter().for_each(|record| draft.put(Change::Case(record)));
        Ok(Decision::new(draft, ()))
    }

    /// A claim as its cases stand by now.
    fn as_told(&self, claim: &Claiming, told: &[CaseRecord], known: &[CaseRecord]) -> Claiming {
        let mut cases = claim.cases.clone();
        cases.extend(told.iter().filter(|r| claim.is_about(&r.state)).map(|r| r.state.case));
        cases.sort_unstable();
        cases.dedup();
        let newest = |case: &u64| {
            let all = told.iter().chain(self.cases.values()).chain(known);
            all.into_iter().find(|record| record.state.case == *case)
        };
        let records: Vec<&CaseRecord> = cases.iter().filter_map(newest).collect();
        let paid = Units::sum(records.iter().map(|record| record.state.paid)).unwrap_or_default();
        let closed = records.len() == cases.len() && records.iter().all(|record| record.is_settled());
        let why = records.iter().find_map(|record| match record.state.step {
            CaseStep::Dismissed(code) => Some(code),
            CaseStep::Open(_) | CaseStep::Judged(_) => None,
        });
        let state = if closed { ClaimState::Closed(why) } else { ClaimState::Open };
        Claiming { state, cases, paid, ..claim.clone() }
    }

    /// Units that a case brought to the account, or took from it.
    fn letter_of_a_case(
        &self,
        draft: &mut Draft,
        letter: &Verified<Letter>,
        claim: Option<&Claiming>,
        account: &mut Option<super::AccountBalance>,
    ) -> Result<(), BankFlaw> {
        let movement = match letter.kind {
            LetterKind::Recovery => Movement::Recovered,
            LetterKind::Charge => Movement::Charged,
            _ => return Err(BankFlaw::DoesNotFit),
        };
        if letter.owner != self.owner().key {
            return Err(BankFlaw::DoesNotFit);
        }
        draft.put(Change::Letter(letter.signed().clone()));
        let told = super::AccountBalance { units: letter.balance, letter: letter.number, at: letter.at };
        if account.is_none_or(|known| known.letter < told.letter) {
            draft.put(Change::Account(told));
            *account = Some(told);
        }
        let entry = claim.map(|claim| claim.entry(movement, letter.units));
        let bank = NewEntry {
            movement,
            units: letter.units,
            party: Key::default(),
            name: Text::new("bank", 255).unwrap_or_default(),
            memo: Text::default(),
            id: [0; 16],
        };
        draft.record(entry.unwrap_or(bank), account.map(|a| a.units));
        Ok(())
    }
}

impl Claiming {
    /// Whether a case is one of this claim's, whatever else its owner is in it: who has signed twice by another machine of
    /// his may be asked about his own claim, and be liable for it.
    fn is_about(&self, state: &CaseState) -> bool {
        let lost = state.lost.clone().unpack().unwrap_or_default();
        let same = |note: &protocol::note::Note| note.holding().is_ok_and(|h| h.tip == self.tip);
        self.range.contains(state.range) && lost.iter().any(same)
    }
}

/// A part's word for programs.
pub fn part_word(part: &CasePart) -> &'static str {
    match part {
        CasePart::Claimant => "claimant",
        CasePart::Asked(..) => "asked",
        CasePart::Heard => "heard",
        CasePart::Liable => "liable",
    }
}

impl Draft {
    /// Puts a claim; one that has to be signed is, as soon as that can be.
    pub(super) fn put_claim(&mut self, mut claim: Claiming) {
        claim.changed = self.now();
        if claim.state == ClaimState::ToSign {
            self.then(Effect::Refresh);
        }
        let (id, state, units) = (claim.id, claim.state.word().to_owned(), claim.units());
        let paid = claim.paid;
        self.put(Change::Claim(claim));
        self.event(Happening::Claim { claim: id, state, units, paid });
    }
}
