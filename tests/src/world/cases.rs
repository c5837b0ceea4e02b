//! What goes wrong: reclaims, objections, claims and cases, as an engine deals with them around the wallet.

use super::{Cannot, Who, World};
use daemon::store::Store;
use daemon::wallet::banking::Operation as Asked;
use daemon::wallet::claiming::{CaseRecord, Claiming};
use daemon::wallet::defending::{Question, contests};
use daemon::wallet::paying::State;
use daemon::wallet::reclaiming::{ReclaimRefusal, conceded};
use protocol::bank::{NodeQuery, Purpose, Reclaimed};
use protocol::id::{Digest, PaymentId, RequestId};
use protocol::money::Units;
use protocol::note::{Note, NoteTable};
use protocol::sign::Signed;
use protocol::time::DAY_SECONDS;
use protocol::wire::{BankAnswer, BankAsk, CaseState, PayAnswer};
use std::collections::BTreeSet;

impl World {
    /// So many days go by, and on each of them everything comes to rest.
    pub fn days(&mut self, days: u64) {
        for _ in 0..days {
            self.wait(DAY_SECONDS);
            self.settles();
        }
    }

    /// Somebody asks for a payment back that nobody answers.
    pub fn reclaim(&mut self, who: Who, id: &PaymentId) -> Result<PaymentId, Cannot> {
        let (fresh, now) = (self.fresh(), self.clock(who));
        let person = self.person(who);
        person.store()?;
        let keys = person.open_keys().ok_or(Cannot::Locked)?;
        let decision = person.wallet.reclaim_payment(id, keys, fresh, None, now);
        let decision = decision.map_err(|refusal: ReclaimRefusal| Cannot::Reclaim(refusal))?;
        self.settle_decision(who, decision)
    }

    /// Claims are signed, cases are asked for and answered, disputed units asked for: what is due of it.
    pub(super) fn look_after_cases(&mut self, who: Who) -> Result<(), Cannot> {
        self.file_claims(who)?;
        if !std::mem::take(&mut self.person_mut(who).slow_due) {
            return Ok(());
        }
        let again: Vec<PaymentId> = self.person(who).store()?.receipted(64).map_err(super::Down::from)?;
        again.iter().for_each(|id| self.offer_once_more(who, id));
        let conceding: Vec<PaymentId> = self.person(who).wallet.to_concede().map(|p| p.id).collect();
        conceding.iter().for_each(|id| self.concede(who, id));
        self.ask_for_cases(who)?;
        self.ask_for_proof(who)
    }

    fn file_claims(&mut self, who: Who) -> Result<(), Cannot> {
        let person = self.person(who);
        if person.open_keys().is_none() {
            return Ok(());
        }
        let claims: Vec<Claiming> = person.wallet.claims_to_sign().cloned().collect();
        for claim in claims {
            let (person, now) = (self.person(who), self.clock(who));
            let papers = person.store()?.papers(&claim.payer, &claim.payment).map_err(super::Down::from)?;
            let papers = papers.expect("what a claim needs is kept for ever");
            let decision = person.wallet.file_claim(&claim.id, &papers, &person.keys, now);
            self.settle_decision(who, decision)?;
        }
        Ok(())
    }

    fn ask_for_proof(&mut self, who: Who) -> Result<(), Cannot> {
        let (fresh, now) = (self.fresh(), self.clock(who));
        let person = self.person(who);
        let asking = person.wallet.open_bank_ops().any(|op| op.what == Asked::Refresh);
        let Some(keys) = person.open_keys().filter(|_| !asking) else { return Ok(()) };
        match person.wallet.ask_for_proof(keys, fresh, now) {
            Some(decision) => self.settle_decision(who, decision).map(drop),
            None => Ok(()),
        }
    }

    /// A query in somebody's name, signed by his workstation.
    pub fn signed_query(&mut self, who: Who, purpose: Purpose, number: u64) -> Signed<NodeQuery> {
        let (request, now, bank) = (RequestId(self.chance.bytes()), self.clock(who), self.bank.keys().bank());
        let person = self.person(who);
        person.node.sign(NodeQuery {
            bank,
            request,
            owner: person.key(),
            node: person.node.key(),
            purpose,
            number,
            subject: Digest::default(),
            created: now,
        })
    }

    /// Somebody asks how his cases stand, and his workstation answers what they ask.
    pub fn ask_for_cases(&mut self, who: Who) -> Result<(), Cannot> {
        let mut after = 0;
        loop {
            let query = self.signed_query(who, Purpose::Cases, after);
            let Some(BankAnswer::Cases(states)) = self.ask_bank(who, BankAsk::Cases(query)) else {
                return Ok(());
            };
            let last = states.iter().map(|state| state.case).max().unwrap_or(0);
            self.cases_told(who, states)?;
            if last <= after {
                return Ok(());
            }
            after = last;
        }
    }

    /// The bank tells somebody of his cases.
    pub fn cases_told(&mut self, who: Who, states: Vec<CaseState>) -> Result<(), Cannot> {
        self.learn_keys_for(who, &BankAnswer::Cases(states.clone()))?;
        let now = self.clock(who);
        let store = self.person(who).store()?;
        let known = store.cases_numbered(states.iter().map(|state| state.case)).map_err(super::Down::from)?;
        let asked: Vec<(u64, Question)> =
            states.iter().filter_map(|state| Some((state.case, Question::of(state)?))).collect();
        let decision = match self.person(who).wallet.cases_told(states.clone(), &known, now) {
            Ok(decision) => decision,
            Err(_) => {
                self.learn_keys(who)?;
                let told = self.person(who).wallet.cases_told(states, &known, now);
                told.expect("the bank keeps its own rules")
            }
        };
        self.settle_decision(who, decision)?;
        for (case, question) in asked {
            let person = self.person(who);
            let kept = person.store()?.kept_about(&question).map_err(super::Down::from)?;
            for defence in person.wallet.defences(case, &question, &kept, person.open_keys()) {
                if let Some(BankAnswer::Cases(states)) = self.ask_bank(who, BankAsk::Defend(case, defence)) {
                    self.cases_told(who, states)?;
                    break;
                }
            }
        }
        Ok(())
    }

    /// Somebody reads what others reclaim, and objects if he can; how many units are reclaimed no more.
    pub fn contest(&mut self, who: Who, list: &[Reclaimed]) -> Units {
        let roots: BTreeSet<Digest> = list.iter().map(|entry| entry.root).collect();
        let mut notes: Vec<Note> = Vec::new();
        for root in roots {
            let held = self.person(who).store().ok().and_then(|store| store.notes_over(&root).ok());
            notes.extend(contests(list, &held.unwrap_or_default()));
        }
        self.object(&notes)
    }

    fn object(&mut self, notes: &[Note]) -> Units {
        if notes.is_empty() {
            return Units::ZERO;
        }
        match self.bank.ask(BankAsk::Contest(NoteTable::pack(notes))) {
            Some(BankAnswer::Contested(units)) => units,
            _ => Units::ZERO,
        }
    }

    pub(super) fn concede(&mut self, who: Who, id: &PaymentId) {
        let payment = self.person(who).wallet.open_payment(id).cloned();
        let notes = payment.as_ref().and_then(conceded).and_then(|table| table.unpack().ok());
        self.object(&notes.unwrap_or_default());
    }

    /// Shows a payment again, with the receipt, whose payee was not heard of since he gave it.
    pub fn offer_once_more(&mut self, who: Who, id: &PaymentId) {
        let payment = self.payment(who, id).ok().flatten();
        if let Some(payment) = payment.filter(|p| p.state == State::Receipted)
            && let Some(message) = payment.message.clone()
        {
            let to = self.who(&payment.payee);
            self.send_ask(who, to, *id, payment.shown(message));
        }
    }

    pub(super) fn paid_again(
        &mut self,
        who: Who,
        payee: Who,
        id: &PaymentId,
        answer: PayAnswer,
    ) -> Result<(), Cannot> {
        let (now, node) = (self.clock(who), self.person(payee).node.key());
        // As in the engine: to whom has a receipt only another receipt says something new.
        let payment = self.payment(who, id)?.filter(|payment| payment.state == State::Receipted);
        if let (Some(payment), PayAnswer::Receipt(receipt)) = (payment, answer) {
            let decision = self.person(who).wallet.receipted(&payment, receipt, &node, now);
            self.settle_decision(who, decision)?;
        }
        Ok(())
    }

    /// Somebody's claims, as his disk has them.
    pub fn claims(&self, who: Who) -> Vec<Claiming> {
        self.person(who).store().expect("he is up").claims().expect("the disk works")
    }

    /// The cases in which somebody has a part.
    pub fn cases(&self, who: Who) -> Vec<CaseRecord> {
        self.person(who).store().expect("he is up").cases().expect("the disk works")
    }
}
