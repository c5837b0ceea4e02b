//! Statements: what moved money on an account, with the other party's name (SPEC §4.18).

use crate::desk::{Desk, Reply, vault};
use crate::ledger::books::{Fault, View};
use crate::ledger::posting::{Entry, EntryKind};
use crate::ledger::{Account, AccountNumber};
use protocol::bank::AccountQuery;
use protocol::money::Units;
use protocol::sign::Signed;
use protocol::wire::{BankAnswer, LineKind, Span, StatementLine};

/// Lines in one answer: with the longest names they still fit.
const LINES_MAX: usize = 256;
/// Entries looked at for one answer.
const LOOKED_MAX: usize = 2048;

impl Desk<'_> {
    /// A page of the asker's own statement.
    pub(super) fn statement(&self, view: &impl View, asked: &Signed<AccountQuery>, span: Span) -> Reply {
        let account = vault::asker(self.keys.bank(), self.now, view, asked)?;
        let (lines, next) = lines_of(view, &account, span, LINES_MAX)?;
        Ok(BankAnswer::Statement(lines, next))
    }
}

/// Lines of an account's statement, and where to go on if there may be more.
pub fn lines_of(
    view: &impl View,
    account: &Account,
    span: Span,
    limit: usize,
) -> Result<(Vec<StatementLine>, Option<Span>), Fault> {
    let (mut lines, mut place) = (Vec::new(), span);
    for _ in 0..LOOKED_MAX {
        let entry = match place {
            Span::After(number) => view.entries_of(account.number, number, 1)?.into_iter().next(),
            Span::Before(number) => view.entry_before(account.number, number)?,
        };
        let Some(entry) = entry else { return Ok((lines, None)) };
        if lines.len() == limit {
            return Ok((lines, Some(place)));
        }
        place = match place {
            Span::After(_) => Span::After(entry.number),
            Span::Before(_) => Span::Before(entry.number),
        };
        lines.extend(line_of(view, account, &entry)?);
    }
    Ok((lines, Some(place)))
}

/// Which way money went.
#[derive(Clone, Copy)]
enum Way {
    In(LineKind),
    Out(LineKind),
}

fn way(kind: EntryKind) -> Option<Way> {
    use Way::{In, Out};
    Some(match kind {
        EntryKind::Open => In(LineKind::Opened),
        EntryKind::PayIn => In(LineKind::CashIn),
        EntryKind::PayOut => Out(LineKind::CashOut),
        EntryKind::Withdraw => Out(LineKind::Withdrawn),
        EntryKind::Deposit => In(LineKind::Deposited),
        EntryKind::Reclaim => In(LineKind::Reclaimed),
        EntryKind::Charge => Out(LineKind::Charged),
        EntryKind::Recovery => In(LineKind::Recovered),
        EntryKind::Hold => Out(LineKind::Held),
        EntryKind::HoldRelease => In(LineKind::Released),
        EntryKind::HoldReturn => In(LineKind::Returned),
        EntryKind::SweepOut => Out(LineKind::SweptOut),
        EntryKind::SweepIn => In(LineKind::SweptIn),
        EntryKind::RentOut => Out(LineKind::RentOut),
        EntryKind::RentIn => In(LineKind::RentIn),
        EntryKind::Lease => Out(LineKind::Caution),
        EntryKind::CautionBack => In(LineKind::CautionBack),
        EntryKind::CautionKept => In(LineKind::CautionKept),
        EntryKind::Activate
        | EntryKind::Decline
        | EntryKind::Reissue
        | EntryKind::Clash
        | EntryKind::Suspend
        | EntryKind::Reinstate
        | EntryKind::Letter
        | EntryKind::ReclaimFiled
        | EntryKind::Contest
        | EntryKind::Claim
        | EntryKind::Heard
        | EntryKind::Judged
        | EntryKind::Dismissed
        | EntryKind::GuaranteeIn
        | EntryKind::Proposal
        | EntryKind::OperatorAdded
        | EntryKind::OperatorEnded
        | EntryKind::HoldDispute
        | EntryKind::HoldCode
        | EntryKind::HoldProposal
        | EntryKind::HoldDecision
        | EntryKind::Own
        | EntryKind::EndLease
        | EntryKind::HandOver => return None,
    })
}

fn line_of(view: &impl View, account: &Account, entry: &Entry) -> Result<Option<StatementLine>, Fault> {
    let Some(way) = way(entry.kind) else { return Ok(None) };
    let sweeps = matches!(entry.kind, EntryKind::SweepIn | EntryKind::SweepOut);
    if entry.units.is_zero() && !sweeps {
        return Ok(None);
    }
    let (kind, incoming, outgoing) = match way {
        Way::In(kind) => (kind, entry.units, Units::ZERO),
        Way::Out(kind) => (kind, Units::ZERO, entry.units),
    };
    Ok(Some(StatementLine {
        entry: entry.number,
        at: entry.at,
        kind,
        incoming,
        outgoing,
        balance: entry.balance,
        other: other(view, account.number, entry)?,
        about: about(entry),
    }))
}

/// An operator's words are for the journal.
fn about(entry: &Entry) -> String {
    if entry.by.is_empty() { entry.reason.clone() } else { String::new() }
}

/// The other party's name; empty for cash, notes and what the bank keeps for nobody in particular.
fn other(view: &impl View, account: AccountNumber, entry: &Entry) -> Result<String, Fault> {
    let number = match entry.kind {
        EntryKind::Charge | EntryKind::RentOut | EntryKind::SweepOut => {
            entry.posting.map(|posting| posting.credit)
        }
        // The entry before it moved the money.
        EntryKind::Recovery | EntryKind::RentIn | EntryKind::SweepIn => {
            let before = view.entries_after(entry.number.saturating_sub(2), 1)?.into_iter().next();
            before.and_then(|before| before.account)
        }
        EntryKind::Hold | EntryKind::HoldRelease | EntryKind::HoldReturn => {
            let number = entry.reason.strip_prefix("hold ").and_then(|number| number.parse().ok());
            let held = number.map_or(Ok(None), |number| view.hold(number))?;
            held.map(|held| if held.buyer == account { held.shop } else { held.buyer })
        }
        _ => None,
    };
    let found = number.map_or(Ok(None), |number| view.account(number))?;
    Ok(found.filter(|found| found.customer().is_some()).map(|found| found.name).unwrap_or_default())
}
