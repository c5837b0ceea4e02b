//! Redeem: notes back to the bank, for an account or for new notes (SPEC §4.5, N5, N14).
//!
//! Checks in this order: size and number, whose bank, sums, sinks, the issue register, signatures — all of
//! it outside the batch — and inside it the double-spend rule. A root counts because it stands in the
//! register, never because it is signed: a stolen issue key mints nothing (threats H3).

use super::{Desk, Question, Reply, Stop, Word, check_keys};
use crate::ledger::Redeemed;
use crate::ledger::books::{Fault, Tx, View};
use crate::ledger::outstanding::clashes;
use crate::ledger::posting::{Asked, Booking, EntryKind};
use protocol::bank::{LetterKind, RedeemKind, Redemption};
use protocol::body;
use protocol::body::Body;
use protocol::id::{BankId, Digest};
use protocol::money::Units;
use protocol::note::{Checked, Destination, Link, NOTES_MAX, Note, NoteTable};
use protocol::range::Range;
use protocol::sign::Signed;
use protocol::wire::{BankAnswer, ErrorCode, Item};

/// Winning chains shown for one note at most: with 16 links each they still fit one message.
const WINNERS_MAX: usize = 32;

/// A note of which everything is proved but that nobody has redeemed it.
#[derive(Clone, Debug)]
pub struct Piece {
    serial: u64,
    range: Range,
    links: Vec<Signed<Link>>,
}

/// A redemption of which everything is proved but that its notes are still owed.
#[derive(Clone, Debug)]
pub struct Examined {
    redemption: Redemption,
    question: Question,
    items: Vec<Result<Piece, ErrorCode>>,
}

/// What examining comes to.
#[derive(Debug)]
pub enum Ready {
    /// It was answered before.
    Answered(Box<BankAnswer>),
    /// It may go to the desk.
    Examined(Box<Examined>),
}

/// Checks a deposit: its owner signs it, and each note stands for itself (threats H6).
pub fn examine_deposit(
    bank: BankId,
    view: &impl View,
    asked: Signed<Redemption>,
    table: NoteTable,
) -> Result<Ready, Stop> {
    let redemption = asked.unverified().clone();
    let [outcome] = redemption.outcomes.as_slice() else { return Err(ErrorCode::Malformed.into()) };
    if redemption.kind != RedeemKind::Deposit {
        return Err(ErrorCode::Malformed.into());
    }
    let notes = open(bank, &redemption, table)?;
    let question = question(&redemption, asked.digest(), &notes);
    if let Some(answer) = question.answered(view)? {
        return Ok(Ready::Answered(Box::new(answer)));
    }
    if view.account_of(&outcome.to)?.is_none() {
        return Err(ErrorCode::NotFound.into());
    }
    asked.check_by(&outcome.to).map_err(|_| ErrorCode::BadSignature)?;
    let items = pieces(view, &question, RedeemKind::Deposit, notes)?;
    Ok(Ready::Examined(Box::new(Examined { redemption, question, items })))
}

/// Checks a re-issue: the notes' signatures authorize it, and one bad note spoils it.
pub fn examine_reissue(
    bank: BankId,
    view: &impl View,
    asked: &[u8],
    table: NoteTable,
) -> Result<Ready, Stop> {
    let redemption = Redemption::from_bytes(asked).map_err(|_| ErrorCode::Malformed)?;
    if redemption.kind != RedeemKind::Reissue {
        return Err(ErrorCode::Malformed.into());
    }
    let notes = open(bank, &redemption, table)?;
    let question = question(&redemption, redemption.digest(), &notes);
    if let Some(answer) = question.answered(view)? {
        return Ok(Ready::Answered(Box::new(answer)));
    }
    check_keys(&redemption.outcomes)?;
    let items = pieces(view, &question, RedeemKind::Reissue, notes)?;
    // A bad note stays bad, so the answer needs no record to be the same for ever.
    let bad = (0u16..).zip(&items).filter_map(|(at, item)| Some((at, Item::Refused(*item.as_ref().err()?))));
    let bad: Vec<(u16, Item)> = bad.collect();
    if !bad.is_empty() {
        return Ok(Ready::Answered(Box::new(BankAnswer::Denied(bad))));
    }
    Ok(Ready::Examined(Box::new(Examined { redemption, question, items })))
}

/// Number, bank and sum: what costs nothing.
fn open(bank: BankId, redemption: &Redemption, table: NoteTable) -> Result<Vec<Note>, Stop> {
    if redemption.bank != bank {
        return Err(ErrorCode::NotMine.into());
    }
    let notes = table.unpack().map_err(|flaw| flaw.code())?;
    let shown = Units::sum(notes.iter().map(|note| last_range(note).units()));
    match (shown, redemption.units()) {
        (Ok(shown), Ok(asked)) if shown == asked => Ok(notes),
        _ => Err(ErrorCode::BadSum.into()),
    }
}

fn last_range(note: &Note) -> Range {
    note.links.last().map_or_else(|| note.root.unverified().range(), |link| link.unverified().range)
}

/// The notes are no part of the signed body, so the question names them beside it.
fn question(redemption: &Redemption, digest: Digest, notes: &[Note]) -> Question {
    let tips: Vec<u8> = notes
        .iter()
        .flat_map(|note| note.links.last().map_or_else(|| note.root.digest(), Signed::digest).0)
        .collect();
    Question { id: redemption.request, digest, notes: body::digest("redeemed-notes", &tips) }
}

/// Each note as a piece, or why it is none. One bad note spoils a re-issue, so it ends at the first signature
/// that is not good: checking them is what costs us most, and anybody may ask for it.
fn pieces(
    view: &impl View,
    question: &Question,
    kind: RedeemKind,
    notes: Vec<Note>,
) -> Result<Vec<Result<Piece, ErrorCode>>, Fault> {
    let mut checked = Checked::default();
    let mut taken: Vec<(u64, Range)> = Vec::with_capacity(notes.len());
    let mut items = Vec::with_capacity(notes.len());
    for note in notes {
        let mut item = piece(view, &question.digest, note, &mut checked)?;
        if let Ok(piece) = &item {
            // Only a good note counts against the next one, or a forgery beside it would spoil it.
            if taken.iter().any(|(serial, range)| *serial == piece.serial && range.overlaps(piece.range)) {
                item = Err(ErrorCode::DuplicateNote);
            } else {
                taken.push((piece.serial, piece.range));
            }
        }
        let is_over = kind == RedeemKind::Reissue && matches!(item, Err(ErrorCode::BadSignature));
        items.push(item);
        if is_over {
            break;
        }
    }
    Ok(items)
}

fn piece(
    view: &impl View,
    sink: &Digest,
    note: Note,
    checked: &mut Checked,
) -> Result<Result<Piece, ErrorCode>, Fault> {
    let holding = match note.holding() {
        Ok(holding) => holding,
        Err(flaw) => return Ok(Err(flaw.code())),
    };
    if holding.to != Destination::Redeem(*sink) {
        return Ok(Err(ErrorCode::NotMine));
    }
    let shown = note.root.unverified();
    let known = view.issued(shown.serial)?;
    if known.is_none_or(|known| known.root.unverified() != shown) {
        return Ok(Err(ErrorCode::UnknownRoot));
    }
    if note.check_links(checked).is_err() {
        return Ok(Err(ErrorCode::BadSignature));
    }
    Ok(Ok(Piece { serial: shown.serial, range: holding.range, links: note.links }))
}

impl Desk<'_> {
    /// Takes the notes back that are still owed.
    pub fn redeem(&self, tx: &mut impl Tx, examined: &Examined) -> Reply {
        if let Some(answer) = examined.question.answered(tx)? {
            return Ok(answer);
        }
        let winners = winners(tx, &examined.items)?;
        match examined.redemption.kind {
            RedeemKind::Deposit => self.deposit(tx, examined, winners),
            RedeemKind::Reissue if winners.iter().any(Option::is_some) => {
                Ok(self.clash(tx, examined, winners)?)
            }
            RedeemKind::Reissue => self.reissue(tx, examined),
        }
    }

    fn deposit(&self, tx: &mut impl Tx, examined: &Examined, winners: Vec<Option<NoteTable>>) -> Reply {
        let Examined { redemption, question, items } = examined;
        let owner = redemption.outcomes.first().ok_or(ErrorCode::Malformed)?.to;
        let account = tx.account_of(&owner)?.ok_or(ErrorCode::NotFound)?;
        let told: Vec<Item> = items
            .iter()
            .zip(winners)
            .map(|(item, winner)| match (item, winner) {
                (Err(code), _) => Item::Refused(*code),
                (Ok(_), Some(winners)) => Item::Clash(winners),
                (Ok(piece), None) => Item::Paid(piece.range.units()),
            })
            .collect();
        let paid = told.iter().map(|item| match item {
            Item::Paid(units) => *units,
            Item::Refused(_) | Item::Clash(_) => Units::ZERO,
        });
        let booking = Booking {
            at: self.now,
            kind: EntryKind::Deposit,
            account: Some(account.number),
            units: Units::sum(paid).map_err(|_| ErrorCode::OverLimit)?,
            asked: Some(Asked::Customer(question.id)),
            reason: String::new(),
            by: String::new(),
        };
        booking.check(tx)?.map_err(|_| ErrorCode::OverLimit)?;
        let entry = booking.write(tx)?;
        for (item, told) in items.iter().zip(&told) {
            if let (Ok(piece), Item::Paid(_)) = (item, told) {
                tx.keep_redeemed(&piece.redeemed(&question.digest, entry.number))?;
            }
        }
        let letter = self.letter(&Word {
            number: entry.number,
            kind: LetterKind::Deposit,
            owner,
            request: question.digest,
            units: entry.units,
            balance: entry.balance,
        });
        let answer = BankAnswer::Deposited(told, letter);
        question.keep(tx, Some(entry.number), &answer)?;
        Ok(answer)
    }

    fn reissue(&self, tx: &mut impl Tx, examined: &Examined) -> Reply {
        let Examined { redemption, question, items } = examined;
        let key = self.issue_key()?;
        let entry = self.anonymous(EntryKind::Reissue, examined)?.write(tx)?;
        for piece in items.iter().flatten() {
            tx.keep_redeemed(&piece.redeemed(&question.digest, entry.number))?;
        }
        let roots = self.issue(tx, key, &question.digest, &redemption.outcomes, entry.number)?;
        let answer = BankAnswer::Reissued(roots);
        question.keep(tx, Some(entry.number), &answer)?;
        Ok(answer)
    }

    /// All or nothing: nothing, for good, with what was redeemed before.
    fn clash(
        &self,
        tx: &mut impl Tx,
        examined: &Examined,
        winners: Vec<Option<NoteTable>>,
    ) -> Result<BankAnswer, Fault> {
        let booking = self.anonymous(EntryKind::Clash, examined);
        let entry = booking.map_err(|_| Fault::Damaged("an examined sum".to_owned()))?.write(tx)?;
        let lost = (0u16..).zip(winners).filter_map(|(at, winner)| Some((at, Item::Clash(winner?))));
        let answer = BankAnswer::Denied(lost.collect());
        examined.question.keep(tx, Some(entry.number), &answer)?;
        Ok(answer)
    }

    /// An entry that does not say who asks.
    fn anonymous(&self, kind: EntryKind, examined: &Examined) -> Result<Booking, ErrorCode> {
        Ok(Booking {
            at: self.now,
            kind,
            account: None,
            units: examined.redemption.units().map_err(|_| ErrorCode::OverLimit)?,
            asked: Some(Asked::Customer(examined.question.id)),
            reason: String::new(),
            by: String::new(),
        })
    }
}

impl Piece {
    fn redeemed(&self, request: &Digest, entry: u64) -> Redeemed {
        let Piece { serial, range, links } = self.clone();
        Redeemed { serial, range, request: *request, entry, links }
    }
}

/// For each note the redeemed notes that share units with it, if there are any.
fn winners(tx: &impl View, items: &[Result<Piece, ErrorCode>]) -> Result<Vec<Option<NoteTable>>, Fault> {
    let share = NOTES_MAX.checked_div(items.len()).unwrap_or(1).clamp(1, WINNERS_MAX);
    let one = |item: &Result<Piece, ErrorCode>| {
        let Ok(piece) = item else { return Ok(None) };
        let found = clashes(tx, piece.serial, piece.range, share)?;
        if found.is_empty() {
            return Ok(None);
        }
        let missing = || Fault::Damaged(format!("root {} is missing", piece.serial));
        let root = tx.issued(piece.serial)?.ok_or_else(missing)?.root;
        let notes: Vec<Note> = found.iter().map(|redeemed| redeemed.note(&root)).collect();
        Ok(Some(NoteTable::pack(&notes)))
    };
    items.iter().map(one).collect()
}
