//! Reclaim: units back whose fate their owner can't know (SPEC §4.11, threats X4).
//!
//! Filed by name. Whoever shows that the reclaimed key handed units on cancels it for them, without a name and
//! without a signature of his own, so a locked workstation does it. What nobody has shown comes to the account
//! when it is closed; with his signature the owner vouches for a chain that shows up later.

use super::{Desk, Question, Reply, Stop, Word};
use crate::ledger::books::{Fault, Tx, View};
use crate::ledger::cases::{Due, tip_of};
use crate::ledger::outstanding::clashes;
use crate::ledger::posting::{Asked, Booking, EntryKind, known, next};
use crate::ledger::reclaims::{Closing, Fate, Filed, Reclaimed};
use crate::ledger::{Account, AccountNumber, Redeemed};
use protocol::bank::{LetterKind, Reclaim, ReclaimKind};
use protocol::body;
use protocol::id::{BankId, Digest};
use protocol::money::Units;
use protocol::note::{Checked, Destination, Link, NOTES_MAX, Note, NoteTable};
use protocol::range::Range;
use protocol::sign::Signed;
use protocol::time::{DAY_SECONDS, Timestamp};
use protocol::wire::{BankAnswer, ErrorCode, Item, ReclaimFate, ReclaimPiece, ReclaimState};
use std::collections::{BTreeMap, BTreeSet};

/// Open reclaims of one account.
pub const OPEN_MAX: u32 = 20;
/// Listed notes of one account, if there are more in all than a bulletin lists: those of a whole request.
const SHARE: usize = NOTES_MAX;
/// Reclaims after a restore are filed within so long of the first one.
const RESTORE_SECONDS: u64 = DAY_SECONDS;
/// So long before its close a reclaim must have stood in a bulletin.
const NOTICE_SECONDS: u64 = 2 * DAY_SECONDS;
/// How long one waits for a place in a bulletin before it is looked at again.
const UNLISTED_SECONDS: u64 = 3600;
/// Chains shown in one answer: with 16 links each they still fit.
const CHAINS_MAX: usize = 96;

/// A reclaim of which everything is proved that does not change.
#[derive(Clone, Debug)]
pub struct Examined {
    asked: Signed<Reclaim>,
    question: Question,
    notes: Vec<Reclaimed>,
}

/// What examining comes to.
#[derive(Debug)]
pub enum Ready {
    /// It needs no commit.
    Answered(Box<BankAnswer>),
    /// It may go to the desk.
    Examined(Box<Examined>),
}

/// A chain shown against reclaims.
#[derive(Clone, Debug)]
pub struct Proof {
    serial: u64,
    links: Vec<Signed<Link>>,
}

/// Checks a reclaim as a deposit is checked; a note with a flaw spoils it, and is named.
pub fn examine(
    bank: BankId,
    now: Timestamp,
    view: &impl View,
    asked: Signed<Reclaim>,
    table: NoteTable,
) -> Result<Ready, Stop> {
    let reclaim = asked.unverified();
    if reclaim.bank != bank {
        return Err(ErrorCode::NotMine.into());
    }
    if now.is_before(reclaim.created) {
        return Err(ErrorCode::Expired.into());
    }
    let notes = table.unpack().map_err(|flaw| flaw.code())?;
    if notes.is_empty() {
        return Err(ErrorCode::BadSum.into());
    }
    let question = question(&asked, &notes);
    if let Some(answer) = live(view, &question)? {
        return Ok(Ready::Answered(Box::new(answer)));
    }
    let owner = reclaim.owner;
    if view.account_of(&owner)?.is_none() {
        return Err(ErrorCode::NotFound.into());
    }
    asked.check_by(&owner).map_err(|_| ErrorCode::BadSignature)?;
    let (good, bad) = sort(view, &question.digest, notes)?;
    if !bad.is_empty() {
        return Ok(Ready::Answered(Box::new(BankAnswer::Denied(bad))));
    }
    Ok(Ready::Examined(Box::new(Examined { asked, question, notes: good })))
}

fn question(asked: &Signed<Reclaim>, notes: &[Note]) -> Question {
    let tips: Vec<u8> = notes.iter().flat_map(|note| tip_of(note.root.digest(), &note.links).0).collect();
    let (id, digest) = (asked.unverified().request, asked.digest());
    Question { id, digest, notes: body::digest("redeemed-notes", &tips) }
}

/// How the reclaim stands that was filed under this question.
fn live(view: &impl View, question: &Question) -> Result<Option<BankAnswer>, Stop> {
    match question.answered(view)? {
        Some(answer) => Ok(Some(refreshed(view, answer)?)),
        None => Ok(None),
    }
}

/// A stored answer about a reclaim as it would be given now.
pub(super) fn refreshed(view: &impl View, answer: BankAnswer) -> Result<BankAnswer, Fault> {
    let BankAnswer::Reclaim(state) = &answer else { return Ok(answer) };
    let missing = || Fault::Damaged(format!("reclaim {} is missing", state.number));
    let filed = view.reclaim(state.number)?.ok_or_else(missing)?;
    Ok(BankAnswer::Reclaim(Box::new(state_of(view, &filed)?)))
}

type Sorted = (Vec<Reclaimed>, Vec<(u16, Item)>);

/// Good notes, and the places of the others with what is wrong with them.
fn sort(view: &impl View, sink: &Digest, notes: Vec<Note>) -> Result<Sorted, Fault> {
    let mut checked = Checked::default();
    let (mut good, mut bad): Sorted = (Vec::with_capacity(notes.len()), Vec::new());
    for (at, note) in (0u16..).zip(notes) {
        let flaw = match check(view, Destination::Reclaim(*sink), &note, &mut checked)? {
            Err(code) => code,
            Ok((serial, range)) if is_free(view, &good, serial, range, &note)? => {
                let root = note.root.digest();
                good.push(Reclaimed { serial, root, range, links: note.links, passed: Vec::new() });
                continue;
            }
            Ok(_) => ErrorCode::DuplicateNote,
        };
        bad.push((at, Item::Refused(flaw)));
    }
    Ok((good, bad))
}

/// A note by itself: its chain, where it ends, the register, the signatures.
pub(super) fn check(
    view: &impl View,
    to: Destination,
    note: &Note,
    checked: &mut Checked,
) -> Result<Result<(u64, Range), ErrorCode>, Fault> {
    let holding = match note.holding() {
        Ok(holding) => holding,
        Err(flaw) => return Ok(Err(flaw.code())),
    };
    if holding.to != to {
        return Ok(Err(ErrorCode::NotMine));
    }
    let shown = note.root.unverified();
    if view.issued(shown.serial)?.is_none_or(|known| known.root.unverified() != shown) {
        return Ok(Err(ErrorCode::UnknownRoot));
    }
    if note.check_links(checked).is_err() {
        return Ok(Err(ErrorCode::BadSignature));
    }
    Ok(Ok((shown.serial, holding.range)))
}

/// Whether no note before it and no open reclaim of the same key has some of the units.
fn is_free(
    view: &impl View,
    before: &[Reclaimed],
    serial: u64,
    range: Range,
    note: &Note,
) -> Result<bool, Fault> {
    if before.iter().any(|other| other.serial == serial && other.range.overlaps(range)) {
        return Ok(false);
    }
    let tip = note.links.last().map(|sink| sink.unverified().prev);
    for filed in open_over(view, serial)? {
        let same = |other: &Reclaimed| Some(other.tip()) == tip && other.range.overlaps(range);
        if filed.notes.iter().any(same) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn open_over(view: &impl View, serial: u64) -> Result<Vec<Filed>, Fault> {
    let mut open = Vec::new();
    for number in view.reclaims_over(serial)? {
        open.extend(view.reclaim(number)?.filter(Filed::is_open));
    }
    Ok(open)
}

fn entries(view: &impl View, note: &Reclaimed) -> Result<Vec<Redeemed>, Fault> {
    clashes(view, note.serial, note.range, usize::MAX)
}

/// How a reclaim stands.
pub fn state_of(view: &impl View, filed: &Filed) -> Result<ReclaimState, Fault> {
    let mut chains = 0;
    let mut pieces = Vec::with_capacity(filed.notes.len());
    for note in &filed.notes {
        let missing = || Fault::Damaged(format!("root {} is missing", note.serial));
        let root = view.issued(note.serial)?.ok_or_else(missing)?.root;
        let mut shown = |links: Vec<Signed<Link>>| {
            chains += 1;
            if chains > CHAINS_MAX {
                return NoteTable::default();
            }
            NoteTable::pack([&Note { root: root.clone(), links }])
        };
        let fates = note.fates(&entries(view, note)?).into_iter().map(|(range, fate)| {
            let fate = match fate {
                Fate::Open => ReclaimFate::Open,
                Fate::Returned => ReclaimFate::Returned,
                Fate::Passed(links) => ReclaimFate::Passed(shown(links)),
                Fate::Clash(links) => ReclaimFate::Clash(shown(links)),
            };
            ReclaimPiece { range, fate }
        });
        pieces.push(fates.collect());
    }
    let letter = filed.closed.as_ref().map(|closing| closing.letter.clone());
    Ok(ReclaimState { number: filed.number, closes: filed.closes, pieces, letter })
}

/// What a bulletin lists.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// What is open of each note: from its first open unit to its last.
    pub(super) list: Vec<protocol::bank::Reclaimed>,
    /// The reclaims of which everything open is in the list.
    pub(super) reclaims: Vec<Filed>,
    /// Those of which nothing is open any more.
    pub(super) idle: Vec<u64>,
}

/// What bulletins list, at most `limit`: the reclaims that close first, each whole. If there are too many, no account
/// has more than its share before every account has had it: else whoever files much would keep others' out of sight.
pub(super) fn listing(view: &impl View, limit: usize) -> Result<Listing, Fault> {
    let mut all = Listing::default();
    let mut shares: BTreeMap<AccountNumber, usize> = BTreeMap::new();
    let mut seen: BTreeSet<u64> = BTreeSet::new();
    let (mut beyond, mut waiting) = (Vec::new(), 0);
    for (_, due) in view.due(usize::MAX)? {
        let Due::Reclaim(number) = due else { continue };
        let Some(filed) = view.reclaim(number)?.filter(Filed::is_open) else { continue };
        let share = shares.entry(filed.account).or_default();
        if !seen.insert(number) || (*share >= SHARE && waiting >= limit) {
            continue;
        }
        let open = listed_of(view, &filed)?;
        if open.is_empty() {
            all.idle.push(number);
        } else if *share + open.len() > SHARE {
            waiting += open.len();
            beyond.push((filed, open));
        } else if all.list.len() + open.len() <= limit {
            *share += open.len();
            all.take(filed, open);
        } else {
            break;
        }
    }
    for (filed, open) in beyond {
        if all.list.len() + open.len() > limit {
            break;
        }
        all.take(filed, open);
    }
    Ok(all)
}

impl Listing {
    fn take(&mut self, filed: Filed, open: Vec<protocol::bank::Reclaimed>) {
        self.list.extend(open);
        self.reclaims.push(filed);
    }
}

/// Of each note of a reclaim that has open units: from the first of them to the last.
fn listed_of(view: &impl View, filed: &Filed) -> Result<Vec<protocol::bank::Reclaimed>, Fault> {
    let mut open = Vec::with_capacity(filed.notes.len());
    for note in &filed.notes {
        let fates = note.fates(&entries(view, note)?).into_iter();
        let ranges: Vec<Range> =
            fates.filter(|(_, fate)| *fate == Fate::Open).map(|(range, _)| range).collect();
        let ends = ranges.first().zip(ranges.last());
        let range = ends.and_then(|(first, last)| Range::new(first.start(), last.end()).ok());
        let tip = note.tip();
        open.extend(range.map(|range| protocol::bank::Reclaimed { root: note.root, tip, range }));
    }
    Ok(open)
}

/// What bulletins list, as [`listing`] says.
pub fn listed(view: &impl View, limit: usize) -> Result<Vec<protocol::bank::Reclaimed>, Fault> {
    Ok(listing(view, limit)?.list)
}

/// Checks chains shown against reclaims; `None` for those that change nothing.
pub fn examine_contest(view: &impl View, table: NoteTable) -> Result<Option<Vec<Proof>>, Stop> {
    let mut checked = Checked::default();
    let mut proofs = Vec::new();
    for note in table.unpack().map_err(|flaw| flaw.code())? {
        let to = note.holding().map_err(|flaw| flaw.code())?.to;
        let (serial, _) = check(view, to, &note, &mut checked)?.map_err(Stop::Refused)?;
        let links = note.links;
        if open_over(view, serial)?.iter().flat_map(|filed| &filed.notes).any(|other| {
            other.serial == serial
                && other.contested_by(&links).is_some_and(|shown| other.clone().contest(shown))
        }) {
            proofs.push(Proof { serial, links });
        }
    }
    Ok((!proofs.is_empty()).then_some(proofs))
}

impl Desk<'_> {
    /// Files a reclaim; asked again, it tells how it stands.
    pub fn reclaim(&self, tx: &mut impl Tx, examined: &Examined) -> Reply {
        let Examined { asked, question, notes } = examined;
        if let Some(answer) = live(tx, question)? {
            return Ok(answer);
        }
        let mut account = tx.account_of(&asked.unverified().owner)?.ok_or(ErrorCode::NotFound)?;
        if account.member.reclaims >= OPEN_MAX {
            return Err(ErrorCode::Busy.into());
        }
        // The books may have changed since it was examined.
        let taken = self.taken(tx, notes)?;
        if !taken.is_empty() {
            return Ok(BankAnswer::Denied(taken));
        }
        let filed = Filed {
            number: next(tx.last_reclaim()?)?,
            asked: asked.clone(),
            account: account.number,
            filed: self.now,
            closes: self.now.plus_seconds(self.window(asked.unverified().kind, &mut account)),
            notes: notes.clone(),
            closed: None,
            listed: None,
        };
        let filed = self.meet_others(tx, filed)?;
        // Another one of the same owner may have ended by it.
        let restored = account.member.restored;
        account = known(tx, account.number)?;
        account.member.restored = restored;
        tx.keep_reclaim(&filed)?;
        tx.keep_due(filed.closes, Due::Reclaim(filed.number))?;
        account.member.reclaims = account.member.reclaims.saturating_add(1);
        tx.keep_account(&account)?;
        let entry = self.reclaim_booking(EntryKind::ReclaimFiled, &account, &filed)?;
        let entry = Booking { asked: Some(Asked::Customer(question.id)), ..entry }.write(tx)?;
        let answer = BankAnswer::Reclaim(Box::new(state_of(tx, &filed)?));
        question.keep(tx, Some(entry.number), &answer)?;
        if self.close_idle(tx, &filed)? {
            return Ok(refreshed(tx, answer)?);
        }
        Ok(answer)
    }

    /// Closes a reclaim of which nothing is open: it comes to nothing, and must not stand in others' way.
    fn close_idle(&self, tx: &mut impl Tx, filed: &Filed) -> Result<bool, Fault> {
        let idle = listed_of(tx, filed)?.is_empty();
        if idle {
            self.close(tx, filed.clone())?;
        }
        Ok(idle)
    }

    fn taken(&self, tx: &impl Tx, notes: &[Reclaimed]) -> Result<Vec<(u16, Item)>, Fault> {
        let mut taken = Vec::new();
        for (at, note) in (0u16..).zip(notes) {
            let open = open_over(tx, note.serial)?;
            let mut others = open.iter().flat_map(|filed| &filed.notes);
            if others.any(|other| {
                other.serial == note.serial && other.tip() == note.tip() && other.range.overlaps(note.range)
            }) {
                taken.push((at, Item::Refused(ErrorCode::DuplicateNote)));
            }
        }
        Ok(taken)
    }

    /// How long others may object. A restore makes a new generation: whoever calls something a restore without one, or
    /// files more for it later, waits as for a payment.
    fn window(&self, kind: ReclaimKind, account: &mut Account) -> u64 {
        let member = &mut account.member;
        let (generation, (last, first)) = (member.identity.0, member.restored);
        if kind == ReclaimKind::Restore && generation > last.max(1) {
            member.restored = (generation, self.now);
            return self.rules.reclaim_restore_seconds;
        }
        let soon = generation == last && self.now.seconds_since(first) <= RESTORE_SECONDS;
        if kind == ReclaimKind::Restore && soon && generation > 1 {
            self.rules.reclaim_restore_seconds
        } else {
            self.rules.reclaim_payment_seconds
        }
    }

    /// Until when a reclaim has to wait, because no bulletin that lists it is old enough.
    fn unheard(&self, filed: &Filed) -> Option<Timestamp> {
        let window = self.rules.reclaim_restore_seconds.min(self.rules.reclaim_payment_seconds);
        let notice = NOTICE_SECONDS.min(window / 3 * 2);
        match filed.listed {
            None => Some(self.now.plus_seconds(notice.clamp(1, UNLISTED_SECONDS))),
            Some(listed) => Some(listed.plus_seconds(notice)).filter(|until| *until > self.now),
        }
    }

    /// The calendar has come to a reclaim: it is closed if its time is over and others could know of it, or if nothing
    /// of it is open.
    pub(super) fn look_at(&self, tx: &mut impl Tx, mut filed: Filed) -> Result<(), Fault> {
        if self.close_idle(tx, &filed)? || filed.closes > self.now {
            return Ok(());
        }
        match self.unheard(&filed) {
            None => self.close(tx, filed),
            Some(until) => {
                filed.closes = until;
                tx.keep_reclaim(&filed)?;
                tx.keep_due(until, Due::Reclaim(filed.number))
            }
        }
    }

    fn reclaim_booking(&self, kind: EntryKind, account: &Account, filed: &Filed) -> Result<Booking, Stop> {
        let units = Units::sum(filed.notes.iter().map(|note| note.range.units()));
        Ok(Booking {
            at: self.now,
            kind,
            account: Some(account.number),
            units: units.map_err(|_| ErrorCode::OverLimit)?,
            asked: None,
            reason: format!("reclaim {}", filed.number),
            by: String::new(),
        })
    }

    /// A deeper reclaim through another's key is a contest of it, whichever of the two was first.
    fn meet_others(&self, tx: &mut impl Tx, mut filed: Filed) -> Result<Filed, Stop> {
        for note in &mut filed.notes {
            let serial = note.serial;
            for mut other in open_over(tx, serial)? {
                let mut shown = false;
                for theirs in other.notes.iter_mut().filter(|theirs| theirs.serial == serial) {
                    if let Some(proof) = theirs.contested_by(&note.links) {
                        shown |= theirs.contest(proof);
                    }
                    if let Some(proof) = note.contested_by(&theirs.links) {
                        note.contest(proof);
                    }
                }
                if shown {
                    tx.keep_reclaim(&other)?;
                    self.contested(tx, &other)?;
                    self.close_idle(tx, &other)?;
                }
            }
        }
        Ok(filed)
    }

    fn contested(&self, tx: &mut impl Tx, filed: &Filed) -> Result<(), Stop> {
        let account = known(tx, filed.account)?;
        let booking = self.reclaim_booking(EntryKind::Contest, &account, filed)?;
        self.note_down(tx, booking)?;
        Ok(())
    }

    /// Looks at chains shown against reclaims; says how many units are reclaimed no more.
    pub fn contest(&self, tx: &mut impl Tx, proofs: &[Proof]) -> Reply {
        let mut freed = Units::ZERO;
        for Proof { serial, links } in proofs {
            for mut filed in open_over(tx, *serial)? {
                let before = open_units(tx, &filed)?;
                let mut shown = false;
                for note in filed.notes.iter_mut().filter(|note| note.serial == *serial) {
                    if let Some(proof) = note.contested_by(links) {
                        shown |= note.contest(proof);
                    }
                }
                if shown {
                    tx.keep_reclaim(&filed)?;
                    self.contested(tx, &filed)?;
                    let less = before.minus(open_units(tx, &filed)?).unwrap_or(Units::ZERO);
                    freed = freed.plus(less).map_err(|_| ErrorCode::OverLimit)?;
                    self.close_idle(tx, &filed)?;
                }
            }
        }
        Ok(BankAnswer::Contested(freed))
    }

    /// Its time is over: what nobody has shown is redeemed to the owner's account.
    fn close(&self, tx: &mut impl Tx, mut filed: Filed) -> Result<(), Fault> {
        let mut pieces: Vec<(&Reclaimed, Range)> = Vec::new();
        for note in &filed.notes {
            let fates = note.fates(&entries(tx, note)?).into_iter();
            pieces.extend(fates.filter(|(_, fate)| *fate == Fate::Open).map(|(range, _)| (note, range)));
        }
        let units = Units::sum(pieces.iter().map(|(_, range)| range.units()));
        let units = units.map_err(|why| Fault::Damaged(why.to_string()))?;
        let mut account = known(tx, filed.account)?;
        account.member.reclaims = account.member.reclaims.saturating_sub(1);
        tx.keep_account(&account)?;
        let entry = self.note_down(
            tx,
            Booking {
                at: self.now,
                kind: EntryKind::Reclaim,
                account: Some(filed.account),
                units,
                asked: None,
                reason: format!("reclaim {}", filed.number),
                by: String::new(),
            },
        )?;
        let request = filed.asked.digest();
        for (note, range) in pieces {
            let links = note.links.clone();
            tx.keep_redeemed(&Redeemed { serial: note.serial, range, request, entry: entry.number, links })?;
        }
        let letter = self.letter(&Word {
            number: entry.number,
            kind: LetterKind::Reclaim,
            owner: filed.asked.unverified().owner,
            request,
            units: entry.units,
            balance: entry.balance,
        });
        filed.closed = Some(Closing { entry: entry.number, letter });
        tx.keep_reclaim(&filed)
    }
}

fn open_units(view: &impl View, filed: &Filed) -> Result<Units, Fault> {
    let mut open = Units::ZERO;
    for note in &filed.notes {
        for (range, fate) in note.fates(&entries(view, note)?) {
            if fate == Fate::Open {
                open = open.plus(range.units()).map_err(|why| Fault::Damaged(why.to_string()))?;
            }
        }
    }
    Ok(open)
}
