//! What is in doubt, in words: what it means, until when, what can be done about it.

use super::api::{self, CaseView, ClaimView, DoubtView, Doubts};
use super::view::{account, named};
use crate::wallet::Wallet;
use crate::wallet::banking::Operation;
use crate::wallet::claiming::{CaseRecord, ClaimState, Claiming, part_word};
use crate::wallet::doubt::{Awaited, Doubt, Doubtful};
use crate::wallet::paying::State;
use protocol::code::PublicCode;
use protocol::money::Units;
use protocol::time::Timestamp;
use protocol::wire::{CasePart, CaseStep};

pub(super) fn kind(what: &Doubtful) -> &'static str {
    match what {
        Doubtful::Payment(_) => "payment",
        Doubtful::Bank(_) => "bank",
        Doubtful::Disputed(_) => "disputed",
        Doubtful::Claim(_) => "claim",
        Doubtful::Case(_) => "case",
        Doubtful::Fenced => "fenced",
        Doubtful::Order(_) => "order",
    }
}

pub(super) fn id(what: &Doubtful) -> String {
    match what {
        Doubtful::Payment(id) => id.to_string(),
        Doubtful::Bank(id) | Doubtful::Claim(id) | Doubtful::Order(id) => id.to_string(),
        Doubtful::Disputed(number) | Doubtful::Case(number) => number.to_string(),
        Doubtful::Fenced => String::new(),
    }
}

pub(super) fn awaiting(awaited: &Awaited) -> String {
    match awaited {
        Awaited::Party(key, name) => named(name, &PublicCode::of(*key)),
        Awaited::Bank => "the bank".to_owned(),
        Awaited::Owner => "you".to_owned(),
    }
}

pub(super) fn doubts(wallet: &Wallet) -> Doubts {
    let holdings = wallet.holdings();
    Doubts {
        currency: wallet.owner().currency.clone(),
        confirmed: holdings.confirmed,
        unconfirmed: holdings.unconfirmed,
        in_doubt: holdings.in_doubt,
        at_bank: holdings.at_bank,
        claimed: holdings.claimed,
        fenced: holdings.fenced,
        ordered: wallet.ordered(),
        account: wallet.account().map(account),
        items: wallet.doubts().iter().map(|doubt| item(wallet, doubt)).collect(),
    }
}

fn item(wallet: &Wallet, doubt: &Doubt) -> DoubtView {
    let awaiting = awaiting(&doubt.awaiting);
    let (meaning, can_do) = words(wallet, doubt, &awaiting);
    DoubtView {
        kind: kind(&doubt.what).to_owned(),
        id: id(&doubt.what),
        state: doubt.state.clone(),
        units: doubt.units,
        awaiting,
        since: doubt.since,
        until: doubt.until,
        meaning,
        can_do,
    }
}

fn words(wallet: &Wallet, doubt: &Doubt, awaiting: &str) -> (String, String) {
    let both = |meaning: &str, can_do: &str| (meaning.to_owned(), can_do.to_owned());
    match &doubt.what {
        Doubtful::Payment(id) => {
            let open = wallet.open_payment(id);
            match open.map(|payment| &payment.state) {
                Some(State::Sent) => (
                    format!("signed and sent; {awaiting} has not answered, so he may have it or not"),
                    format!(
                        "wait, it is sent again by itself; or ask for it back: stermina pay reclaim {id}"
                    ),
                ),
                Some(State::Reclaiming) => both(
                    "you have asked for it back; whoever has it may object until the date, then it comes to your account",
                    "wait: it is decided at that date without you",
                ),
                Some(State::TakingBack(_)) if doubt.awaiting == Awaited::Owner => both(
                    "the payee did not take it; the bank gives it back",
                    "stermina unlock: then the bank is asked",
                ),
                Some(State::Posted) => (
                    open.map(|payment| super::mail::posted(payment, awaiting)).unwrap_or_default(),
                    format!(
                        "wait; or take it back while nobody has collected it: stermina payment cancel {id}"
                    ),
                ),
                _ => both("the bank is asked; it is asked again by itself", "wait"),
            }
        }
        Doubtful::Order(id) => match wallet.open_purchase(id) {
            Some(purchase) => super::shopping::words(purchase, &wallet.owner().currency),
            None => both("an order", "wait"),
        },
        Doubtful::Fenced => both(
            "of the lost machine's reserve: asked back at the bank, which waits three days, as the lost machine may have paid with it",
            "stermina unlock: then it is asked back by itself",
        ),
        Doubtful::Bank(_) if doubt.state == Operation::Restore.word() => both(
            "of the lost machine's reserve: whoever was paid with it may show so until the date, the rest comes to your account",
            "wait: it is decided at that date without you",
        ),
        Doubtful::Bank(_) => both("a request to the bank; it is asked again by itself", "wait for the bank"),
        Doubtful::Disputed(_) => both(
            "the bank refused these units and showed no chain that has them: it owes you the proof",
            "wait, it is asked again by itself; if that goes on, show this to the bank",
        ),
        Doubtful::Claim(_) => match doubt.awaiting {
            Awaited::Owner => both(
                "somebody before you signed these units twice; the claim is ready to be signed",
                "stermina unlock: then it is filed by itself, within 30 days of the last direct day of the note",
            ),
            _ => both(
                "somebody before you signed these units twice; the bank asks from payer to payer who it was",
                "wait: your evidence is with the bank",
            ),
        },
        Doubtful::Case(_) => match doubt.state.as_str() {
            "asked" => both(
                "somebody lost units that went through your hands; you are asked whom you had them from",
                "what is on record here is shown by itself; unlock so that nothing is missing. After the date it is yours to pay",
            ),
            _ => both(
                "units that somebody lost are yours to pay; they are taken from your account",
                "keep the account filled; what you had them from somebody else for is between you and him",
            ),
        },
    }
}

pub(super) fn claim(claim: &Claiming, cases: &[CaseRecord]) -> ClaimView {
    let his: Vec<&CaseRecord> = cases.iter().filter(|r| claim.cases.contains(&r.state.case)).collect();
    let until = his.iter().filter_map(|record| deadline(record)).max();
    let payer = PublicCode::of(claim.payer);
    let name = named(&claim.name, &payer);
    let (note, reason) = match claim.state {
        ClaimState::ToSign => {
            (format!("units from {name} were spent before; unlock, and the claim is filed"), None)
        }
        ClaimState::Asked => ("the bank has not answered yet; it is asked again by itself".to_owned(), None),
        ClaimState::Open => ("the bank asks from payer to payer who signed twice".to_owned(), None),
        ClaimState::Closed(_) if claim.paid == claim.units() => {
            ("all of it came to your account".to_owned(), None)
        }
        ClaimState::Closed(Some(code)) => (format!("closed: {}", code.text()), Some(code.word().to_owned())),
        ClaimState::Closed(None) => ("closed; no more can be recovered".to_owned(), None),
        ClaimState::Refused(code) => {
            (format!("the bank did not take the claim: {}", code.text()), Some(code.word().to_owned()))
        }
    };
    ClaimView {
        claim: claim.id,
        payer,
        name: claim.name.clone(),
        payment: claim.payment,
        units: claim.units(),
        paid: claim.paid,
        state: claim.state.word().to_owned(),
        since: claim.created,
        until,
        cases: claim.cases.clone(),
        note,
        reason,
    }
}

fn deadline(record: &CaseRecord) -> Option<Timestamp> {
    match record.state.step {
        CaseStep::Open(until) => Some(until),
        CaseStep::Dismissed(_) | CaseStep::Judged(_) => None,
    }
}

pub(super) fn case(record: &CaseRecord) -> CaseView {
    let state = &record.state;
    let (word, owed) = match state.step {
        CaseStep::Open(_) => ("open", Units::ZERO),
        CaseStep::Dismissed(_) => ("dismissed", Units::ZERO),
        CaseStep::Judged(owed) => ("judged", owed),
    };
    let note = match (state.part, state.step) {
        (CasePart::Claimant, CaseStep::Dismissed(code)) => {
            format!("your claim is dismissed: {}", code.text())
        }
        (CasePart::Claimant, _) => "your claim".to_owned(),
        (CasePart::Asked(_, _, until), _) => {
            format!("you are asked whom you had the units from; after {until} they are yours to pay")
        }
        (CasePart::Heard, _) => "you have shown whom you had the units from".to_owned(),
        (CasePart::Liable, CaseStep::Dismissed(_)) => "nothing is yours to pay".to_owned(),
        (CasePart::Liable, _) => "the units are yours to pay".to_owned(),
    };
    CaseView {
        case: state.case,
        part: part_word(&state.part).to_owned(),
        state: word.to_owned(),
        units: state.range.units(),
        until: deadline(record),
        paid: state.paid,
        owed,
        note,
    }
}

impl super::server::Desk {
    pub(super) fn claim_list_now(&self) -> Result<api::Claims, protocol::node::rpc::RpcError> {
        let (mut claims, cases) = self.claims_and_cases()?;
        claims.sort_by_key(|claim| (std::cmp::Reverse(claim.created), claim.id.0));
        Ok(api::Claims {
            claims: claims.iter().map(|one| claim(one, &cases)).collect(),
            cases: cases.iter().map(case).collect(),
        })
    }

    pub(super) fn claim_now(
        &self,
        id: &protocol::id::RequestId,
    ) -> Result<ClaimView, protocol::node::rpc::RpcError> {
        let found = self.store().claim(id).map_err(|fault| super::code::store(&fault))?;
        let found =
            found.ok_or_else(|| super::code::reason_of("not_found", "no such claim is on record here"))?;
        let cases = self.store().cases_numbered(found.cases.iter().copied());
        Ok(claim(&found, &cases.map_err(|fault| super::code::store(&fault))?))
    }

    fn claims_and_cases(&self) -> Result<(Vec<Claiming>, Vec<CaseRecord>), protocol::node::rpc::RpcError> {
        let store = self.store();
        let read = store.claims().and_then(|claims| Ok((claims, store.cases()?)));
        read.map_err(|fault| super::code::store(&fault))
    }
}
