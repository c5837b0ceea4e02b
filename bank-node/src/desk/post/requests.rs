//! Requests that a payee leaves for payers who come while he is off: each is handed out once.

use super::{TAKEN_A_DAY, asker, customer};
use crate::desk::{Desk, Reply, Stop};
use crate::ledger::books::Tx;
use crate::ledger::post::Taken;
use protocol::bank::{NodeQuery, Standing};
use protocol::id::{Key, RequestId};
use protocol::money::Units;
use protocol::pay::{AmountRule, Request};
use protocol::sign::Signed;
use protocol::time::Timestamp;
use protocol::wire::{BankAnswer, ErrorCode, REQUESTS_MAX};

/// Whether requests may be left: his, signed by his workstation, not past.
pub(super) fn examine_left(
    now: Timestamp,
    asked: &NodeQuery,
    requests: &[Signed<Request>],
) -> Result<(), Stop> {
    if requests.len() > REQUESTS_MAX {
        return Err(ErrorCode::TooMany.into());
    }
    let mut names: Vec<RequestId> = requests.iter().map(|request| request.unverified().id).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() != requests.len() {
        return Err(ErrorCode::Malformed.into());
    }
    for request in requests {
        let body = request.unverified();
        if body.payee() != asked.owner {
            return Err(ErrorCode::NotMine.into());
        }
        request.clone().verify_request(asked.bank, &asked.node, now).map_err(|flaw| flaw.code())?;
    }
    Ok(())
}

impl Desk<'_> {
    /// Replaces what he had left. What was handed out meanwhile does not come back.
    pub(super) fn leave(&self, tx: &mut impl Tx, asked: &NodeQuery, requests: &[Signed<Request>]) -> Reply {
        let payee = asker(tx, asked)?.number;
        let mut left = Vec::new();
        for request in requests {
            if !tx.was_handed_out(payee, request.unverified().id)? {
                left.push(request.clone());
            }
        }
        tx.leave_requests(payee, &left)?;
        Ok(BankAnswer::RequestsLeft(left.iter().map(|request| request.unverified().id).collect()))
    }

    /// Hands out the tightest request that takes so much; to the same query always the same.
    pub(super) fn take_request(&self, tx: &mut impl Tx, asked: &NodeQuery) -> Reply {
        let taker = asker(tx, asked)?;
        let payee = Key(asked.subject.0);
        let units = Units::new(asked.number).map_err(|_| ErrorCode::Malformed)?;
        if let Some(taken) = tx.request_taken(taker.number, asked.request)? {
            let same = taken.unverified().payee() == payee && taken.unverified().amount.allows(units);
            let again = || BankAnswer::OpenRequest(Some(Box::new(taken)));
            return if same { Ok(again()) } else { Err(ErrorCode::IdReused.into()) };
        }
        if taker.standing() == Standing::Suspended {
            return Err(ErrorCode::Suspended.into());
        }
        if asked.owner == payee {
            return Err(ErrorCode::SelfPayment.into());
        }
        let payee = customer(tx, &payee)?.number;
        let mut left = tx.requests_left(payee)?;
        let fits = |request: &Request| request.amount.allows(units) && !self.now.is_past(request.expires);
        let fitting = left.iter().map(Signed::unverified).enumerate().filter(|(_, request)| fits(request));
        let Some((place, _)) = fitting.min_by_key(|(_, request)| (most(request.amount), request.mode)) else {
            return Ok(BankAnswer::OpenRequest(None));
        };
        let (today, (day, before)) = (self.now.day(), tx.taken_today(taker.number, payee)?);
        let before = if day == today { before } else { 0 };
        if before >= TAKEN_A_DAY {
            return Err(ErrorCode::Busy.into());
        }
        let request = left.remove(place);
        tx.leave_requests(payee, &left)?;
        let today = (today, before.saturating_add(1));
        let (taker, query) = (taker.number, asked.request);
        tx.hand_out(&Taken { taker, payee, query, request: &request, today })?;
        Ok(BankAnswer::OpenRequest(Some(Box::new(request))))
    }
}

fn most(amount: AmountRule) -> Units {
    match amount {
        AmountRule::Exactly(units) | AmountRule::AtMost(units) => units,
    }
}
