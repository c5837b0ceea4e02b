//! Status: what became of a request (SPEC §4.6, B7).

use super::{Stop, claim, reclaim};
use crate::ledger::books::View;
use crate::ledger::posting::Asked;
use protocol::id::{Digest, RequestId};
use protocol::wire::BankAnswer;

/// The stored answer, for whoever knows the digest of the request; otherwise nobody learns that there is one.
///
/// `NotSeen` is about what is durable now: a request still on its way may come after it.
pub fn status(view: &impl View, id: RequestId, digest: Digest) -> Result<BankAnswer, Stop> {
    match view.answer_to(&Asked::Customer(id))? {
        Some(answer) if answer.request == digest => {
            let now = reclaim::refreshed(view, super::read_answer(&answer)?)?;
            Ok(claim::refreshed_status(view, now, &digest)?)
        }
        Some(_) | None => Ok(BankAnswer::NotSeen),
    }
}
