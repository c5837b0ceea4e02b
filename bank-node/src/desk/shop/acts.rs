//! Acts: what buyer and shop say about a hold (SPEC §4.16, C4).

use super::{Ready, ShopWork};
use crate::desk::{Desk, Question, Reply, Stop, read_answer};
use crate::ledger::books::{Fault, Tx, View};
use crate::ledger::holds::{Deed, Held, Voice};
use crate::ledger::posting::{Asked, EntryKind, known};
use protocol::bank::{HoldAct, HoldParty};
use protocol::id::{Key, RequestId};
use protocol::money::Units;
use protocol::sign::{Signed, Verified};
use protocol::wire::{BankAnswer, ErrorCode};

/// Checks a word; a repeat is answered at once.
pub(super) fn examine(desk: Desk<'_>, view: &impl View, asked: Signed<HoldAct>) -> Result<Ready, Stop> {
    let act = asked.unverified();
    if act.bank != desk.keys.bank() {
        return Err(ErrorCode::NotMine.into());
    }
    if desk.now.is_before(act.created) {
        return Err(ErrorCode::Expired.into());
    }
    if let Some(answer) = Question::plain(act.request, asked.digest()).answered(view)? {
        return Ok(answer.into());
    }
    let signer = act.signer;
    voice_of(view, &named(view, act.hold)?, &signer)?;
    let asked = asked.verify_by(&signer).map_err(|_| ErrorCode::BadSignature)?;
    Ok(ShopWork::Act(asked).into())
}

/// The hold that this request asked for: its stored answer says its number.
fn named(view: &impl View, request: RequestId) -> Result<Held, Stop> {
    let answer = view.answer_to(&Asked::Customer(request))?.ok_or(ErrorCode::NotFound)?;
    let BankAnswer::Held(state, _) = read_answer(&answer)? else { return Err(ErrorCode::NotFound.into()) };
    let missing = || Fault::Damaged(format!("hold {} is missing", state.number));
    Ok(view.hold(state.number)?.ok_or_else(missing)?)
}

/// Who speaks. A stranger learns nothing, not even that there is such a hold.
fn voice_of(view: &impl View, held: &Held, signer: &Key) -> Result<Voice, Stop> {
    for (number, party) in [(held.buyer, HoldParty::Buyer), (held.shop, HoldParty::Shop)] {
        let member = known(view, number)?.member;
        if member.owner == Some(*signer) {
            return Ok(Voice::Owner(party));
        }
        if member.node == Some(*signer) {
            return Ok(Voice::Node(party));
        }
    }
    Err(ErrorCode::NotFound.into())
}

impl Desk<'_> {
    /// Hears a word, and does what it comes to. A hold that has ended takes no more: the answer says how it did.
    pub(super) fn hold_act(&self, tx: &mut impl Tx, asked: &Verified<HoldAct>) -> Reply {
        let question = Question::plain(asked.request, asked.digest());
        if let Some(answer) = question.answered(tx)? {
            return Ok(answer);
        }
        let held = named(tx, asked.hold)?;
        let voice = voice_of(tx, &held, &asked.signer)?;
        let by = Some(Asked::Customer(question.id));
        let (entry, answer) = match held.hear(voice, &asked.act, self.now)? {
            Deed::Nothing => return Ok(BankAnswer::Hold(Box::new(held.state()))),
            Deed::Release => told(self.move_held(tx, &held, (held.left, Units::ZERO), by)?),
            Deed::Return(units) => told(self.move_held(tx, &held, (Units::ZERO, units), by)?),
            Deed::Dispute(dispute) => {
                let whose = if dispute.by == HoldParty::Buyer { held.buyer } else { held.shop };
                let disputed = Held { dispute: Some(dispute), ..held };
                told(self.mark_held(tx, disputed, EntryKind::HoldDispute, whose, by)?)
            }
            Deed::WrongCode => {
                let (wrong, shop) = (held.wrong.saturating_add(1), held.shop);
                let (entry, _) = self.mark_held(tx, Held { wrong, ..held }, EntryKind::HoldCode, shop, by)?;
                (entry, BankAnswer::Error(ErrorCode::WrongCode))
            }
        };
        question.keep(tx, Some(entry), &answer)?;
        Ok(answer)
    }
}

fn told((entry, held): (u64, Held)) -> (u64, BankAnswer) {
    (entry, BankAnswer::Hold(Box::new(held.state())))
}
