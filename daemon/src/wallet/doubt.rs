//! Everything whose outcome is awaited: by whom it is held, since when, until when (SPEC §3.7, threats Y10, Y14).

use super::Wallet;
use super::banking::{BankOp, Operation};
use super::claiming::{CaseRecord, ClaimState, Claiming};
use super::ordering::{Purchase, PurchaseState};
use super::paying::{Outgoing, State};
use super::reclaiming::ReclaimTold;
use super::reserve::{Holder, OwnNote};
use protocol::id::{Key, PaymentId, RequestId};
use protocol::money::Units;
use protocol::shop::Release;
use protocol::time::Timestamp;
use protocol::wire::{CasePart, CaseStep};

/// Whose word is awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// Somebody's, by key and certified name.
    Party(Key, String),
    /// The bank's.
    Bank,
    /// The owner's: the workstation has to be unlocked.
    Owner,
}

/// What is in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubtful {
    /// A payment going out.
    Payment(PaymentId),
    /// A request to the bank.
    Bank(RequestId),
    /// Units that the bank refused without proof, of the note with this number.
    Disputed(u64),
    /// A claim of ours.
    Claim(RequestId),
    /// A case in which we are asked, or have to pay.
    Case(u64),
    /// What a lost machine had, and is not asked back yet.
    Fenced,
    /// An order whose money the bank holds, or is asked to hold.
    Order(RequestId),
}

/// One thing whose outcome is awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// What.
    pub what: Doubtful,
    /// Where it stands, as a word.
    pub state: String,
    /// How much.
    pub units: Units,
    /// Whose word is awaited.
    pub awaiting: Awaited,
    /// Since when.
    pub since: Timestamp,
    /// When it is decided at the latest, where that is known.
    pub until: Option<Timestamp>,
}

impl Wallet {
    /// Everything whose outcome is awaited; the sums of the holdings are made of it.
    pub fn doubts(&self) -> Vec<Doubt> {
        let payments = self.open_payments().filter(|p| p.holds_money());
        let payments = payments.map(|p| self.payment_in_doubt(p));
        let ops = self.open_bank_ops().filter(|op| stands_alone(op)).map(op_in_doubt);
        let disputed = self.notes().filter_map(disputed);
        let claims = self.open_claims().map(|claim| self.claim_in_doubt(claim));
        let cases = self.open_cases().filter_map(case_in_doubt);
        let orders = self.open_purchases().filter_map(order_in_doubt);
        let all = payments.chain(ops).chain(disputed).chain(claims).chain(cases);
        all.chain(self.fenced_doubt()).chain(orders).collect()
    }

    /// What the bank holds for our orders, as far as known.
    pub fn ordered(&self) -> Units {
        Units::sum(self.open_purchases().map(Purchase::left)).unwrap_or(Units::MAX)
    }

    fn fenced_doubt(&self) -> Option<Doubt> {
        let since = self.fence()?.at;
        let units = Some(self.fenced()).filter(|units| !units.is_zero())?;
        Some(Doubt {
            what: Doubtful::Fenced,
            state: "to_reclaim".to_owned(),
            units,
            awaiting: Awaited::Owner,
            since,
            until: None,
        })
    }

    /// How the reclaim of a payment stands, as last told.
    pub fn reclaim_of(&self, id: &PaymentId) -> Option<ReclaimTold> {
        self.open_bank_ops().find(|op| op.what == Operation::Reclaim(*id))?.told
    }

    fn payment_in_doubt(&self, payment: &Outgoing) -> Doubt {
        let asked = |what: Operation| self.open_bank_ops().any(|op| op.what == what);
        let left = payment.post.as_ref().filter(|_| payment.state == State::Posted);
        let awaiting = match payment.state {
            State::TakingBack(_) if !asked(Operation::TakeBack(payment.id)) => Awaited::Owner,
            State::Certifying | State::TakingBack(_) | State::Reclaiming => Awaited::Bank,
            _ => Awaited::Party(payment.payee, payment.name.clone()),
        };
        Doubt {
            what: Doubtful::Payment(payment.id),
            state: payment.state.word().to_owned(),
            units: payment.amount,
            awaiting,
            since: payment.created,
            until: payment.until.or(left.map(|post| post.until)),
        }
    }

    fn claim_in_doubt(&self, claim: &Claiming) -> Doubt {
        let steps = claim.cases.iter().filter_map(|case| self.cases.get(case));
        let until = steps.filter_map(|record| match record.state.step {
            CaseStep::Open(until) => Some(until),
            CaseStep::Dismissed(_) | CaseStep::Judged(_) => None,
        });
        Doubt {
            what: Doubtful::Claim(claim.id),
            state: claim.state.word().to_owned(),
            units: claim.open_units(),
            awaiting: if claim.state == ClaimState::ToSign { Awaited::Owner } else { Awaited::Bank },
            since: claim.created,
            until: until.max(),
        }
    }
}

/// Requests on behalf of a payment or a claim are told with it.
fn stands_alone(op: &BankOp) -> bool {
    matches!(op.what, Operation::Withdraw | Operation::Deposit | Operation::Refresh | Operation::Restore)
}

fn op_in_doubt(op: &BankOp) -> Doubt {
    Doubt {
        what: Doubtful::Bank(op.id),
        state: op.what.word().to_owned(),
        units: op.amount,
        awaiting: Awaited::Bank,
        since: op.created,
        until: op.told.map(|told| told.closes),
    }
}

/// What the shop has not accepted yet holds nothing.
fn order_in_doubt(purchase: &Purchase) -> Option<Doubt> {
    let shop = || Awaited::Party(purchase.order().shop, purchase.name.clone());
    let (units, awaiting) = match purchase.state {
        PurchaseState::Holding => (purchase.order().total, Awaited::Bank),
        PurchaseState::Held if purchase.order().release == Release::Confirmation => {
            (purchase.left(), Awaited::Owner)
        }
        PurchaseState::Held | PurchaseState::Disputed => (purchase.left(), shop()),
        _ => return None,
    };
    let until = match (purchase.state, purchase.order().release) {
        (PurchaseState::Disputed, _) => None,
        (_, Release::Date(date)) => Some(date),
        (_, Release::Confirmation | Release::Code) => Some(purchase.order().ends),
    };
    Some(Doubt {
        what: Doubtful::Order(purchase.id),
        state: purchase.state.word().to_owned(),
        units,
        awaiting,
        since: purchase.created,
        until,
    })
}

fn disputed(own: &OwnNote) -> Option<Doubt> {
    let ranges = own.held.iter().filter(|hold| hold.by == Holder::Disputed(None)).map(|hold| hold.range);
    let units = Units::sum(ranges.map(|range| range.units())).ok().filter(|units| !units.is_zero())?;
    Some(Doubt {
        what: Doubtful::Disputed(own.number),
        state: "no_proof".to_owned(),
        units,
        awaiting: Awaited::Bank,
        since: own.disputed.unwrap_or_default(),
        until: None,
    })
}

/// Cases in which nothing is asked of us and nothing is ours to pay are no doubt of ours.
fn case_in_doubt(record: &CaseRecord) -> Option<Doubt> {
    let (word, until, units) = match (record.state.part, record.state.step) {
        (CasePart::Asked(_, _, until), _) => ("asked", Some(until), record.state.range.units()),
        (CasePart::Liable, CaseStep::Judged(owed)) => ("to_pay", None, owed),
        (CasePart::Liable, CaseStep::Open(until)) => ("liable", Some(until), record.state.range.units()),
        (CasePart::Claimant | CasePart::Heard | CasePart::Liable, _) => return None,
    };
    Some(Doubt {
        what: Doubtful::Case(record.state.case),
        state: word.to_owned(),
        units,
        awaiting: Awaited::Bank,
        since: record.changed,
        until,
    })
}
