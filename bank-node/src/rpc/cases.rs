//! Cases, reclaims, operators and the guarantee, as the interface shows them.

use super::{Change, EntryShown};
use crate::desk::reclaim::state_of;
use crate::ledger::AccountNumber;
use crate::ledger::books::{Fault, Operator, View};
use crate::ledger::cases::{Case, Stage, parting};
use crate::ledger::reclaims::Filed;
use protocol::bank::ReclaimKind;
use protocol::money::Units;
use protocol::time::Timestamp;
use protocol::wire::ReclaimFate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Parameters of lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListAfter {
    /// Only those with higher numbers.
    #[serde(default)]
    pub after: u64,
    /// At most so many (1 to 500); 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Parameters of `claim.show` and `reclaim.show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ByNumber {
    /// The number.
    pub number: u64,
}

/// Parameters of `standing.confirm`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The account's number.
    pub account: AccountNumber,
    /// What was proposed.
    pub change: Change,
    /// The caller's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Parameters of `operator.add` and `operator.end`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperatorName {
    /// The name, at most 32 bytes without spaces; given once.
    pub name: String,
}

/// A new operator.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OperatorMade {
    /// The name.
    pub name: String,
    /// The token's secret; shown only now.
    pub secret: String,
}

impl fmt::Debug for OperatorMade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorMade").field("name", &self.name).finish_non_exhaustive()
    }
}

/// An operator's token has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ended {
    /// The name.
    pub name: String,
}

/// The operators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OperatorList {
    /// By name.
    pub operators: Vec<OperatorShown>,
}

/// An operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OperatorShown {
    /// The name.
    pub name: String,
    /// Since when, in seconds since 1970.
    pub since: Timestamp,
    /// When the token ended, if it has.
    pub ended: Option<Timestamp>,
}

impl OperatorShown {
    pub(crate) fn of(operator: Operator) -> OperatorShown {
        let Operator { name, since, ended, .. } = operator;
        OperatorShown { name, since, ended }
    }
}

/// Parameters of `guarantee.pay_in`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GuaranteeCash {
    /// How much.
    pub units: Units,
    /// The caller's key.
    pub key: String,
}

/// The guarantee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Guarantee {
    /// What is in it.
    pub balance: Units,
    /// The most that it pays in one offender's stead.
    pub cap: Units,
    /// What it has paid in others' stead and not got back.
    pub given: Units,
}

/// A page of cases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CasePage {
    /// By number.
    pub cases: Vec<CaseShown>,
    /// Whether there are more: ask again after the last number.
    pub more: bool,
}

/// A case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaseShown {
    /// Its number.
    pub number: u64,
    /// When it was filed, in seconds since 1970.
    pub opened: Timestamp,
    /// Whose claim it is.
    pub claimant: AccountNumber,
    /// The root's serial.
    pub root: u64,
    /// The first unit.
    pub start: u64,
    /// The unit after the last.
    pub end: u64,
    /// How many units.
    pub units: Units,
    /// Where it stands: `open`, `dismissed` or `judged`.
    pub state: String,
    /// Why it was dismissed: the word of the protocol's error.
    pub reason: Option<String>,
    /// Who is asked now.
    pub asked: Option<AccountNumber>,
    /// Until when.
    pub until: Option<Timestamp>,
    /// The link at which the chains part, counted from 0.
    pub parts_at: Option<u64>,
    /// Everybody who was named by an order so far, the signer of the last link first.
    pub named: Vec<AccountNumber>,
    /// Who has to pay.
    pub liable: Option<AccountNumber>,
    /// Whether he signed two payments of the same units; operators decide what follows.
    pub offence: bool,
    /// What the claimant has got.
    pub paid: Units,
    /// What the guarantee has paid of it and not got back.
    pub guaranteed: Units,
    /// What the liable party's own payee has paid of it.
    pub borne: Units,
    /// What is still to be recovered.
    pub owed: Units,
}

impl CaseShown {
    pub(crate) fn of(case: &Case) -> CaseShown {
        let parts_at = parting(case.lost(), &case.won).and_then(|parting| u64::try_from(parting.at).ok());
        let mut shown = CaseShown {
            number: case.number,
            opened: case.opened,
            claimant: case.account,
            root: case.serial,
            start: case.range.start(),
            end: case.range.end(),
            units: case.range.units(),
            state: "open".to_owned(),
            reason: None,
            asked: None,
            until: None,
            parts_at,
            named: case.shown.iter().map(|shown| shown.payer).collect(),
            liable: None,
            offence: false,
            paid: Units::ZERO,
            guaranteed: Units::ZERO,
            borne: Units::ZERO,
            owed: Units::ZERO,
        };
        match &case.stage {
            Stage::Open(until) => {
                shown.asked = case.last().map(|last| last.payer);
                shown.until = Some(*until);
            }
            Stage::Dismissed(code) => {
                "dismissed".clone_into(&mut shown.state);
                shown.reason = Some(code.word().to_owned());
            }
            Stage::Judged(debt) => {
                "judged".clone_into(&mut shown.state);
                shown.liable = Some(debt.liable);
                shown.offence = debt.offence;
                shown.paid = debt.to_claimant;
                shown.guaranteed = debt.guaranteed();
                shown.borne = debt.from_bearer;
                shown.owed = debt.owed();
            }
        }
        shown
    }
}

/// A page of reclaims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReclaimPage {
    /// By number.
    pub reclaims: Vec<ReclaimShown>,
    /// Whether there are more: ask again after the last number.
    pub more: bool,
}

/// A reclaim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReclaimShown {
    /// Its number.
    pub number: u64,
    /// Whose.
    pub account: AccountNumber,
    /// Why: `payment` or `restore`.
    pub kind: String,
    /// When it was filed, in seconds since 1970.
    pub filed: Timestamp,
    /// When it is closed.
    pub closes: Timestamp,
    /// Whether it was.
    pub closed: bool,
    /// What became of the units.
    pub pieces: Vec<PieceShown>,
}

/// Some units of a reclaim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PieceShown {
    /// The root's serial.
    pub root: u64,
    /// The first unit.
    pub start: u64,
    /// The unit after the last.
    pub end: u64,
    /// `open`, `returned`, `passed` or `clash`.
    pub fate: String,
}

impl ReclaimShown {
    pub(crate) fn of(view: &impl View, filed: &Filed) -> Result<ReclaimShown, Fault> {
        let state = state_of(view, filed)?;
        let mut pieces = Vec::new();
        for (note, fates) in filed.notes.iter().zip(&state.pieces) {
            pieces.extend(fates.iter().map(|piece| {
                PieceShown {
                    root: note.serial,
                    start: piece.range.start(),
                    end: piece.range.end(),
                    fate: match piece.fate {
                        ReclaimFate::Open => "open",
                        ReclaimFate::Returned => "returned",
                        ReclaimFate::Passed(_) => "passed",
                        ReclaimFate::Clash(_) => "clash",
                    }
                    .to_owned(),
                }
            }));
        }
        let kind = match filed.asked.unverified().kind {
            ReclaimKind::Payment => "payment",
            ReclaimKind::Restore => "restore",
        };
        Ok(ReclaimShown {
            number: filed.number,
            account: filed.account,
            kind: kind.to_owned(),
            filed: filed.filed,
            closes: filed.closes,
            closed: !filed.is_open(),
            pieces,
        })
    }
}

/// A page of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JournalPage {
    /// By number.
    pub entries: Vec<EntryShown>,
    /// Whether there are more: ask again after the last number.
    pub more: bool,
}
