//! Claims: units that somebody else redeemed, shown with the payer's order (SPEC §4.10, threats X2, X3, X5).
//!
//! ```text
//! claim ─▶ a case for each entry that its units are judged against ─▶ walk (defend) ─▶ judgement ─▶ payment (debt)
//! ```
//! Nobody is debited before the end, and a fork alone changes nothing.

use super::{Desk, Question, Reply, Stop, reclaim};
use crate::ledger::books::{Fault, Tx, View};
use crate::ledger::cases::{
    Case, CaseView, Due, Entered, Heard, Judgement, Shown, Since, Stage, paid_link, parting, segments,
};
use crate::ledger::outstanding::clashes;
use crate::ledger::posting::{Asked, Booking, EntryKind, known, next};
use crate::ledger::{Account, AccountNumber};
use protocol::bank::{Claim, DirectoryEntry};
use protocol::id::{BankId, Digest, Key};
use protocol::money::Units;
use protocol::note::{Checked, Destination, Link, Note, NoteTable};
use protocol::pay::{Defence, Evidence};
use protocol::range::Range;
use protocol::sign::Signed;
use protocol::time::{Day, Timestamp};
use protocol::wire::{BankAnswer, CASES_ASKED, CasePart, CaseState, CaseStep, ErrorCode};
use std::collections::BTreeSet;

/// Days after a root's last direct day in which its units may be claimed.
pub const CLAIM_DAYS: u32 = 30;
/// Open cases of one claimant.
pub const OPEN_MAX: u32 = 64;
/// Directory lines read at a time.
const LINES: usize = 1024;
/// Cases that one claim may make.
const PIECES_MAX: usize = 32;
/// Cases in one answer: with two chains each they still fit.
const PAGE_MAX: usize = 48;
/// Letters in one state, the newest.
const LETTERS_MAX: usize = 8;

/// A claim of which everything is proved that does not change.
#[derive(Clone, Debug)]
pub struct Examined {
    claim: Signed<Claim>,
    question: Question,
    serial: u64,
    until: Day,
    links: Vec<Signed<Link>>,
    evidence: Evidence,
}

/// Units, and the chain that they are judged against.
type Piece = (Range, Vec<Signed<Link>>);

/// What examining comes to.
#[derive(Debug)]
pub enum Ready {
    /// It needs no commit.
    Answered(Box<BankAnswer>),
    /// It may go to the desk.
    Examined(Box<Examined>),
}

/// Checks claim, note and order. The note ends in a sink that names the claim: who can't sign for the key has
/// lost nothing, and may not stand in the place of who has.
pub fn examine(
    bank: BankId,
    now: Timestamp,
    view: &impl View,
    asked: Signed<Claim>,
    table: NoteTable,
    evidence: Evidence,
) -> Result<Ready, Stop> {
    let claim = asked.unverified();
    if claim.bank != bank {
        return Err(ErrorCode::NotMine.into());
    }
    let claimant = claim.claimant;
    let account = view.account_of(&claimant)?.ok_or(ErrorCode::NotFound)?;
    if now.is_before(claim.created) {
        return Err(ErrorCode::Expired.into());
    }
    asked.check_by(&claimant).map_err(|_| ErrorCode::BadSignature)?;
    let question = Question::plain(claim.request, asked.digest());
    if let Some(answer) = question.answered(view)? {
        return Ok(Ready::Answered(Box::new(refreshed(view, answer, &account, &question.digest)?)));
    }
    let notes = table.unpack().map_err(|flaw| flaw.code())?;
    let [note] = notes.as_slice() else { return Err(ErrorCode::TooMany.into()) };
    let sink = Destination::Redeem(question.digest);
    let (serial, range) =
        reclaim::check(view, sink, note, &mut Checked::default())?.map_err(Stop::Refused)?;
    let body = note.links.last().map(Signed::unverified);
    if range != claim.range || body.is_none_or(|sink| sink.prev != claim.note) {
        return Err(ErrorCode::BadChain.into());
    }
    // Nobody but the bank handed the root to its first owner.
    let Some(lost) = note.links.iter().rev().nth(1) else { return Err(ErrorCode::NotAllowed.into()) };
    paid_link(bank, &evidence, &claimant, lost)?;
    let links = note.links.clone();
    let until = note.root.unverified().direct_until_day.plus_days(CLAIM_DAYS);
    Ok(Ready::Examined(Box::new(Examined { claim: asked, question, serial, until, links, evidence })))
}

/// The states of a claim's cases as they are now.
fn refreshed(
    view: &impl View,
    stored: BankAnswer,
    account: &Account,
    claim: &Digest,
) -> Result<BankAnswer, Fault> {
    let BankAnswer::Cases(first) = &stored else { return Ok(stored) };
    let after = first.first().map_or(0, |state| state.case.saturating_sub(1));
    let cases = view.cases_of(account.number, after, usize::MAX)?.into_iter();
    let own = cases.filter(|case| case.claim.digest() == *claim).take(PAGE_MAX);
    let states: Result<_, Fault> = own.map(|case| state_of(view, &case, account.number)).collect();
    Ok(BankAnswer::Cases(states?))
}

/// A stored answer about a claim as its claimant would get it now.
pub(super) fn refreshed_status(
    view: &impl View,
    answer: BankAnswer,
    claim: &Digest,
) -> Result<BankAnswer, Fault> {
    let BankAnswer::Cases(states) = &answer else { return Ok(answer) };
    let Some(case) = states.first().map(|state| view.case(state.case)).transpose()?.flatten() else {
        return Ok(answer);
    };
    let Some(account) = view.account(case.account)? else { return Ok(answer) };
    refreshed(view, answer, &account, claim)
}

/// The cases in which the owner has a part, after a number; with [`CASES_ASKED`] in it, those in which he is asked now.
pub fn cases(view: &impl View, account: AccountNumber, after: u64) -> Result<BankAnswer, Fault> {
    let cases = match after & CASES_ASKED {
        0 => view.cases_of(account, after, PAGE_MAX)?,
        _ => view.cases_asking(account, after & !CASES_ASKED, PAGE_MAX)?,
    };
    let states: Result<_, Fault> = cases.iter().map(|case| state_of(view, case, account)).collect();
    Ok(BankAnswer::Cases(states?))
}

/// A case as one of its parties sees it.
pub fn state_of(view: &impl View, case: &Case, reader: AccountNumber) -> Result<CaseState, Fault> {
    let missing = || Fault::Damaged(format!("root {} is missing", case.serial));
    let root = view.issued(case.serial)?.ok_or_else(missing)?.root;
    let pack =
        |links: &[Signed<Link>]| NoteTable::pack([&Note { root: root.clone(), links: links.to_vec() }]);
    let asked = case.last().is_some_and(|shown| shown.payer == reader);
    let link = case.lost().get(case.position()).map(Signed::digest).unwrap_or_default();
    let (part, step, paid) = match &case.stage {
        Stage::Open(until) if asked => {
            let links = u8::try_from(case.position() + 1).unwrap_or(u8::MAX);
            (CasePart::Asked(links, link, *until), CaseStep::Open(*until), Units::ZERO)
        }
        Stage::Open(until) => (part(case, reader), CaseStep::Open(*until), Units::ZERO),
        Stage::Dismissed(code) => (part(case, reader), CaseStep::Dismissed(*code), Units::ZERO),
        Stage::Judged(debt) => {
            let part = if debt.liable == reader { CasePart::Liable } else { part(case, reader) };
            (part, CaseStep::Judged(debt.owed()), debt.to_claimant)
        }
    };
    let own = case.letters.iter().filter(|(whose, _)| *whose == reader).map(|(_, letter)| letter.clone());
    let own: Vec<_> = own.collect();
    let letters = own.iter().skip(own.len().saturating_sub(LETTERS_MAX)).cloned().collect();
    let (lost, won) = (pack(case.lost()), pack(&case.won));
    Ok(CaseState { case: case.number, part, range: case.range, lost, won, step, paid, letters })
}

fn part(case: &Case, reader: AccountNumber) -> CasePart {
    if case.account == reader { CasePart::Claimant } else { CasePart::Heard }
}

/// Everything that counts for these units of a chain that lost: redeemed intervals, then settled claims.
fn entered(
    view: &impl View,
    serial: u64,
    range: Range,
    lost: &[Signed<Link>],
) -> Result<Vec<Entered>, Fault> {
    let redeemed = clashes(view, serial, range, usize::MAX)?.into_iter();
    let redeemed = redeemed.map(|entry| Entered {
        at: Since::Entry(entry.entry),
        range: entry.range,
        links: entry.links,
    });
    let counts = |case: &Case| case.counts_against(lost) && case.range.overlaps(range);
    let settled = view.cases_over(serial)?.into_iter().filter(counts);
    let settled = settled.map(|case| Entered {
        at: Since::Time(case.ended.unwrap_or(case.opened)),
        range: case.range,
        links: case.links,
    });
    Ok(redeemed.chain(settled).collect())
}

/// The day of an entry: who lost by it could know of it no sooner.
fn day_of(view: &impl View, since: Since) -> Result<Day, Fault> {
    match since {
        Since::Time(at) => Ok(at.day()),
        Since::Entry(number) => {
            let entry = view.entries_after(number.saturating_sub(1), 1)?.into_iter().next();
            let missing = || Fault::Damaged(format!("journal entry {number} is missing"));
            Ok(entry.ok_or_else(missing)?.at.day())
        }
    }
}

/// The node keys that the directory has listed for whoever is said to have refused, if the request's and his owner key
/// did not sign: a restored workstation refuses with a newer key than its request names.
fn nodes_of(view: &impl View, case: &Case, defence: &Defence) -> Result<Vec<Key>, Fault> {
    let (Defence::Refused(refusal), Some(shown)) = (defence, case.last()) else { return Ok(Vec::new()) };
    let (payee, node) = (shown.evidence.order.unverified().payee, shown.evidence.request.unverified().node);
    let known = refusal.check_by(&node).is_ok() || refusal.check_by(&payee).is_ok();
    if known || refusal.unverified().order != shown.evidence.order.digest() {
        return Ok(Vec::new());
    }
    let (mut nodes, mut after) = (BTreeSet::new(), 0);
    loop {
        let page = view.directory_after(after, LINES)?;
        let Some(last) = page.last() else { return Ok(nodes.into_iter().collect()) };
        after = last.number;
        nodes.extend(page.iter().filter_map(|line| match &line.entry {
            DirectoryEntry::Identity(record) if record.unverified().owner == payee => {
                Some(record.unverified().node)
            }
            DirectoryEntry::Identity(_) | DirectoryEntry::Certificate(_) => None,
        }));
    }
}

/// Whether an answer can be one: looked at before it goes to the batch, as its signatures cost.
pub fn examine_defence(
    bank: BankId,
    view: &impl View,
    number: u64,
    defence: &Defence,
) -> Result<Option<BankAnswer>, Stop> {
    let case = view.case(number)?.ok_or(ErrorCode::NotFound)?;
    if let Some(heard) = heard_before(&case, defence) {
        return Ok(Some(BankAnswer::Cases(vec![state_of(view, &case, heard)?])));
    }
    if !case.is_open() {
        return Err(ErrorCode::NotFound.into());
    }
    case.hear(bank, defence, &nodes_of(view, &case, defence)?)?;
    Ok(None)
}

/// Who has given this answer before, if somebody has: he is told how the case stands.
fn heard_before(case: &Case, defence: &Defence) -> Option<AccountNumber> {
    let (first, others) = case.shown.split_first()?;
    let ended = !case.is_open();
    match defence {
        Defence::Upstream(evidence) => {
            let order = evidence.order.digest();
            others.iter().find(|shown| shown.evidence.order.digest() == order).map(|shown| shown.payee)
        }
        Defence::Refused(refusal) => {
            let order = refusal.unverified().order;
            let mut shown = std::iter::once(first).chain(others);
            shown.find(|shown| ended && shown.evidence.order.digest() == order).map(|shown| shown.payer)
        }
        Defence::Admitted(admission) => {
            let owner = admission.unverified().owner;
            let mut shown = std::iter::once(first).chain(others);
            let his = shown.find(|shown| shown.evidence.order.unverified().payer == owner);
            his.filter(|_| ended && admission.unverified().case == case.number).map(|shown| shown.payer)
        }
    }
}

impl Desk<'_> {
    /// Opens the cases of a claim; asked again, it tells how they stand.
    pub fn claim(&self, tx: &mut impl Tx, examined: &Examined) -> Reply {
        let Examined { claim, question, serial, until, links, evidence } = examined;
        let body = claim.unverified();
        let mut account = tx.account_of(&body.claimant)?.ok_or(ErrorCode::NotFound)?;
        if let Some(answer) = question.answered(tx)? {
            return Ok(refreshed(tx, answer, &account, &question.digest)?);
        }
        let payer = tx.account_of(&evidence.order.unverified().payer)?.ok_or(ErrorCode::NotCertified)?;
        let same = |case: &Case| case.claim.unverified().note == body.note && case.range.overlaps(body.range);
        let over = tx.cases_over(*serial)?;
        if over.iter().any(same) {
            return Err(ErrorCode::DuplicateNote.into());
        }
        // Who has a case over the root came in time: a loss in many pieces outruns the cases that may be open.
        let any_time = *until >= self.now.day() || over.iter().any(|case| case.account == account.number);
        if account.member.claims >= OPEN_MAX {
            return Err(ErrorCode::Busy.into());
        }
        let pieces = self.pieces(tx, *serial, body.range, links, any_time)?;
        let until = self.now.plus_seconds(self.rules.case_seconds);
        let shown = Shown { evidence: evidence.clone(), payer: payer.number, payee: account.number };
        let mut states = Vec::with_capacity(pieces.len());
        let mut units = Units::ZERO;
        for (range, won) in pieces {
            let case = Case {
                number: next(tx.last_case()?)?,
                claim: claim.clone(),
                account: account.number,
                serial: *serial,
                range,
                links: links.clone(),
                won,
                shown: vec![shown.clone()],
                opened: self.now,
                stage: Stage::Open(until),
                entered: false,
                letters: Vec::new(),
                refused: None,
                ended: None,
            };
            tx.keep_case(&case)?;
            tx.keep_due(until, Due::Case(case.number))?;
            units = units.plus(range.units()).map_err(|_| ErrorCode::OverLimit)?;
            account.member.claims = account.member.claims.saturating_add(1);
            states.push(state_of(tx, &case, account.number)?);
        }
        tx.keep_account(&account)?;
        let first = states.first().map_or(0, |state| state.case);
        let mut booking = self.case_booking(EntryKind::Claim, account.number, units, first);
        booking.asked = Some(Asked::Customer(question.id));
        let entry = booking.write(tx)?;
        let answer = BankAnswer::Cases(states);
        question.keep(tx, Some(entry.number), &answer)?;
        Ok(answer)
    }

    /// The units that have an entry, each with the chain it is judged against. What the claimant signed onward
    /// himself is left out.
    fn pieces(
        &self,
        tx: &impl Tx,
        serial: u64,
        range: Range,
        links: &[Signed<Link>],
        any_time: bool,
    ) -> Result<Vec<Piece>, Stop> {
        let lost = links.split_last().map_or(links, |(_, lost)| lost);
        let entries = entered(tx, serial, range, lost)?;
        let pieces = segments(range, lost, &entries);
        if pieces.is_empty() {
            return Err(ErrorCode::NotFound.into());
        }
        let good = pieces.into_iter().filter(|(_, entry)| parting(lost, &entry.links).is_some());
        let good: Vec<_> = good.collect();
        let others_signed = !good.is_empty();
        let mut in_time = Vec::with_capacity(good.len());
        for (range, entry) in good {
            if any_time || day_of(tx, entry.at)?.plus_days(CLAIM_DAYS) >= self.now.day() {
                in_time.push((range, entry.links.clone()));
            }
        }
        match in_time.len() {
            0 if others_signed => Err(ErrorCode::Expired.into()),
            0 => Err(ErrorCode::NotAllowed.into()),
            1..=PIECES_MAX => Ok(in_time),
            _ => Err(ErrorCode::TooMany.into()),
        }
    }

    pub(super) fn case_booking(
        &self,
        kind: EntryKind,
        account: AccountNumber,
        units: Units,
        case: u64,
    ) -> Booking {
        Booking {
            at: self.now,
            kind,
            account: Some(account),
            units,
            asked: None,
            reason: format!("case {case}"),
            by: String::new(),
        }
    }

    /// Hears whoever is asked.
    pub fn defend(&self, tx: &mut impl Tx, number: u64, defence: &Defence) -> Reply {
        let mut case = tx.case(number)?.ok_or(ErrorCode::NotFound)?;
        if let Some(heard) = heard_before(&case, defence) {
            return Ok(BankAnswer::Cases(vec![state_of(tx, &case, heard)?]));
        }
        if !case.is_open() {
            return Err(ErrorCode::NotFound.into());
        }
        let asked = case.last().map(|shown| shown.payer).ok_or(ErrorCode::NotFound)?;
        match case.hear(self.keys.bank(), defence, &nodes_of(tx, &case, defence)?)? {
            Heard::Upstream(evidence, payer) => {
                let payer = tx.account_of(&payer)?.ok_or(ErrorCode::NotCertified)?.number;
                case.shown.push(Shown { evidence: *evidence, payer, payee: asked });
                self.ask_next(tx, &mut case)?;
                tx.keep_case(&case)?;
                let booking = self.case_booking(EntryKind::Heard, asked, case.range.units(), number);
                self.note_down(tx, booking)?;
            }
            Heard::End(judgement) => {
                if matches!((defence, judgement), (Defence::Refused(_), Judgement::Liable { .. })) {
                    case.refused = Some(case.position());
                }
                self.conclude(tx, case, judgement)?;
            }
        }
        let case = tx.case(number)?.ok_or(ErrorCode::NotFound)?;
        Ok(BankAnswer::Cases(vec![state_of(tx, &case, asked)?]))
    }

    fn ask_next(&self, tx: &mut impl Tx, case: &mut Case) -> Result<(), Fault> {
        let until = self.now.plus_seconds(self.rules.case_seconds);
        case.stage = Stage::Open(until);
        tx.keep_due(until, Due::Case(case.number))
    }

    /// Somebody's time is over. He is liable, unless he has got more time since.
    pub(super) fn overdue(&self, tx: &mut impl Tx, number: u64) -> Result<(), Fault> {
        let Some(case) = tx.case(number)? else { return Ok(()) };
        match case.stage {
            Stage::Open(until) if until <= self.now => {
                let judgement = case.silent();
                self.conclude(tx, case, judgement)
            }
            Stage::Open(_) | Stage::Dismissed(_) | Stage::Judged(_) => Ok(()),
        }
    }

    /// Ends a case. If its chain is entered, others over the same units may have another winner from now on.
    pub(super) fn conclude(
        &self,
        tx: &mut impl Tx,
        mut case: Case,
        judgement: Judgement,
    ) -> Result<(), Fault> {
        let mut claimant = known(tx, case.account)?;
        claimant.member.claims = claimant.member.claims.saturating_sub(1);
        tx.keep_account(&claimant)?;
        let units = case.range.units();
        case.ended = Some(self.now);
        case.entered = match judgement {
            Judgement::Dismissed { code, enter } => {
                case.stage = Stage::Dismissed(code);
                let booking = self.case_booking(EntryKind::Dismissed, case.account, units, case.number);
                self.note_down(tx, booking)?;
                enter
            }
            Judgement::Liable { liable, bearer, offence, enter } => {
                let booking = self.case_booking(EntryKind::Judged, liable, units, case.number);
                self.note_down(tx, booking)?;
                self.settle_debt(tx, &mut case, (liable, bearer), offence)?;
                enter
            }
        };
        tx.keep_case(&case)?;
        if case.entered || case.refused.is_some() { self.reconsider(tx, &case) } else { Ok(()) }
    }

    /// Open cases that share units with one whose chain was entered just now.
    fn reconsider(&self, tx: &mut impl Tx, settled: &Case) -> Result<(), Fault> {
        for other in tx.cases_over(settled.serial)? {
            // An earlier one in this list may have ended it meanwhile.
            let Some(other) = tx.case(other.number)? else { continue };
            if other.is_open() && other.range.overlaps(settled.range) {
                self.judge_again(tx, other)?;
            }
        }
        Ok(())
    }

    /// Cuts a case where its units have different winners now, and asks again whoever has become the signer.
    fn judge_again(&self, tx: &mut impl Tx, case: Case) -> Result<(), Fault> {
        let entries = entered(tx, case.serial, case.range, case.lost())?;
        let pieces = segments(case.range, case.lost(), &entries);
        let mut number = Some(case.number);
        for (range, entry) in pieces {
            let mut piece = Case { range, won: entry.links.clone(), ..case.clone() };
            piece.number = match number.take() {
                Some(first) => first,
                None => self.split_off(tx, &piece)?,
            };
            match parting(piece.lost(), &piece.won) {
                Some(parting) => {
                    if piece.turn(parting.at) {
                        self.ask_next(tx, &mut piece)?;
                    }
                    tx.keep_case(&piece)?;
                }
                None => {
                    tx.keep_case(&piece)?;
                    let judgement = Judgement::Dismissed { code: ErrorCode::NotAllowed, enter: false };
                    self.conclude(tx, piece, judgement)?;
                }
            }
        }
        Ok(())
    }

    fn split_off(&self, tx: &mut impl Tx, piece: &Case) -> Result<u64, Fault> {
        let number = next(tx.last_case()?)?;
        let mut claimant = known(tx, piece.account)?;
        claimant.member.claims = claimant.member.claims.saturating_add(1);
        tx.keep_account(&claimant)?;
        if let Stage::Open(until) = piece.stage {
            tx.keep_due(until, Due::Case(number))?;
        }
        Ok(number)
    }
}

/// Cases for operators, after a number.
pub fn listed(view: &impl CaseView, after: u64, limit: usize) -> Result<Vec<Case>, Fault> {
    view.cases_after(after, limit)
}
