//! Status: what became of a request (SPEC §4.6, B7).

use super::{Stop, reclaim};
use crate::ledger::books::View;
use crate::ledger::posting::Asked;
use protocol::id::{Digest, RequestId};
use protocol::wire::BankAnswer;

/// The stored answer, for whoever knows the digest of the request; otherwise nobody learns that there is one.
///
/// `NotSeen` is about what is durable now: a request still on its way may come after it.
pub fn status(view: &impl View, id: RequestId, digest: Digest) -> Result<BankAnswer, Stop> {
    match view.answer_to(&Asked::Customer(id))? {
        Some(answer) if answer.request == digest => Ok(reclaim::refreshed(view, super::read_answer(&answer)?)?),
        Some(_) | None => Ok(BankAnswer::NotSeen),
    }
}
