//! Reclaims, claims and cases around the wallet's rules; and what is said again to those who may not have heard it.
//!
//! Cases are asked for when the bank comes into reach, at unlock and every hour; answers to what they ask go out by
//! themselves, locked or not, until the bank no longer asks (SPEC §3.8). Contests need no record: bulletins list what
//! is reclaimed as long as it is (SPEC §4.11).

use super::input::{CallFault, Input, Reply};
use super::jobs::Flight;
use super::outbox::Outbox;
use super::{Core, fresh};
use crate::store::{Store, StoreFault};
use crate::wallet::banking::{CallKey, Operation};
use crate::wallet::change::{Effect, Started, Touched};
use crate::wallet::claiming::Papers;
use crate::wallet::defending::{Question, contests};
use crate::wallet::paying::State;
use protocol::bank::{NodeQuery, Purpose, Reclaimed};
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::node::chance::chance_bytes;
use protocol::note::{LINKS_MAX, LINKS_PER_MESSAGE_MAX, Note, NoteTable};
use protocol::pay::Defence;
use protocol::time::DAY_SECONDS;
use protocol::wire::{self, BankAnswer, BankAsk, CASES_ASKED, CaseState, PayAnswer};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often the bank is asked how our cases stand.
const CASES_EVERY: Duration = Duration::from_secs(3600);
/// How soon again when it did not answer.
const CASES_AGAIN: Duration = Duration::from_secs(60);
/// Most cases that are read at once, besides those that ask something of us.
const CASES_MAX: usize = 1024;
/// The pause before the bank is asked again for what it refused without proof; it doubles up to an hour.
const PROOF_FIRST: Duration = Duration::from_secs(60);
const PROOF_LAST: Duration = Duration::from_secs(3600);
/// How often payments are looked for whose payees may have been to the bank.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// The pause before such a payment is offered again; it doubles up to a day.
const AGAIN_FIRST: Duration = Duration::from_secs(3600);
const AGAIN_LAST: Duration = Duration::from_secs(DAY_SECONDS);
/// After so long once a week is enough. There is no end to it: the bank takes notes for ever, and a payee who lost his disk
/// takes what he gave a receipt for whenever it is shown (threats X6).
const AGAIN_SECONDS: u64 = 90 * DAY_SECONDS;
const AGAIN_RARELY: Duration = Duration::from_secs(7 * DAY_SECONDS);
/// Most of them that are kept an eye on, and that are offered at a time.
const AGAIN_MAX: usize = 16_384;
const AGAIN_AT_ONCE: usize = 16;
/// Most payers that are told after a start that their money is safe.
const TELL_MAX: usize = 256;

/// What is done now and then.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    cases_due: Duration,
    proofs_due: Duration,
    proofs_pause: Duration,
    look_due: Duration,
    again: HashMap<PaymentId, (Duration, Duration)>,
}

impl Rounds {
    /// At the next tick.
    pub(super) fn ask_for_cases(&mut self) {
        self.cases_due = Duration::ZERO;
    }
}

impl Core {
    pub(super) fn reclaim(
        &mut self,
        id: PaymentId,
        key: CallKey,
        reply: Reply<Result<PaymentId, CallFault>>,
    ) -> Result<(), StoreFault> {
        let known = |started| match started {
            Started::Payment(id) => Some(id),
            Started::Bank(_) | Started::Request(_) | Started::Order(_) => None,
        };
        self.keyed(&key.clone(), reply, known, |core| {
            let now = core.now();
            core.room_on_disk()?;
            let keys = core.keyring.open(now).ok_or(CallFault::Locked)?;
            Ok(core.wallet.reclaim_payment(&id, keys, fresh(), key, now)?)
        })
    }

    pub(super) fn unanswered(&mut self, flight: Flight) {
        if flight == Flight::Cases {
            self.rounds.cases_due = self.shared.clock.monotonic() + CASES_AGAIN;
        }
        self.jobs.unanswered(flight);
    }

    pub(super) fn noted(&mut self, flight: &Flight) {
        match flight {
            Flight::Confirm(payer, payment) => {
                let decision = self.wallet.told(*payer, *payment, self.now());
                let _ = self.take(decision);
                self.jobs.done(flight);
            }
            Flight::Contest(_) => self.jobs.rest(*flight),
            _ => self.jobs.done(flight),
        }
    }

    /// What is due of all that is done now and then.
    pub(super) fn go_round(&mut self) -> Result<(), StoreFault> {
        let now = self.shared.clock.monotonic();
        if self.bank_reachable && now >= self.rounds.cases_due {
            self.rounds.cases_due = now + CASES_EVERY;
            self.jobs.ask_for_cases();
        }
        if self.bank_reachable && now >= self.rounds.proofs_due {
            self.ask_for_proof(now);
        }
        if now >= self.rounds.look_due {
            self.rounds.look_due = now + LOOK_EVERY;
            self.offer_again(now)?;
        }
        Ok(())
    }

    fn ask_for_proof(&mut self, now: Duration) {
        let asking = self.wallet.open_bank_ops().any(|op| op.what == Operation::Refresh);
        let time = self.now();
        let Some(keys) = self.keyring.open(time).filter(|_| !asking) else { return };
        let Some(decision) = self.wallet.ask_for_proof(keys, fresh(), time) else {
            self.rounds.proofs_pause = PROOF_FIRST;
            return;
        };
        let _ = self.take(decision);
        self.rounds.proofs_due = now + self.rounds.proofs_pause;
        self.rounds.proofs_pause = self.rounds.proofs_pause.saturating_mul(2).clamp(PROOF_FIRST, PROOF_LAST);
    }

    /// Payments whose payees gave a receipt and were not heard of since: offered again, with growing patience.
    fn offer_again(&mut self, now: Duration) -> Result<(), StoreFault> {
        let waiting = self.store.receipted(AGAIN_MAX)?;
        let known: BTreeSet<[u8; 16]> = waiting.iter().map(|id| id.0).collect();
        self.rounds.again.retain(|id, _| known.contains(&id.0));
        let mut due: Vec<PaymentId> = Vec::new();
        for id in waiting {
            let (at, pause) = self.rounds.again.entry(id).or_insert((now + AGAIN_FIRST, AGAIN_FIRST));
            if now >= *at && due.len() < AGAIN_AT_ONCE {
                *pause = pause.saturating_mul(2).min(AGAIN_LAST);
                *at = now + *pause;
                due.push(id);
            }
        }
        for id in due {
            self.settle(&[Touched::Outgoing(id)])?;
            let payment = self.store.outgoing(&id)?.filter(|p| p.state == State::Receipted);
            if let Some(payment) = payment.filter(|p| p.message.is_some()) {
                let old = self.now().seconds_since(payment.created) >= AGAIN_SECONDS;
                if let Some((at, _)) = self.rounds.again.get_mut(&id).filter(|_| old) {
                    *at = now + AGAIN_RARELY;
                }
                self.jobs.offer_once_more(payment);
            }
        }
        Ok(())
    }

    /// The answer to a payment that was offered again: only a receipt says something new.
    pub(super) fn answered_again(
        &mut self,
        id: &PaymentId,
        answer: PayAnswer,
        node: &Key,
    ) -> Result<(), StoreFault> {
        let PayAnswer::Receipt(receipt) = answer else { return Ok(()) };
        self.settle(&[Touched::Outgoing(*id)])?;
        if let Some(payment) = self.store.outgoing(id)?.filter(|p| p.state == State::Receipted) {
            let decision = self.wallet.receipted(&payment, receipt, node, self.now());
            let _ = self.take(decision);
        }
        Ok(())
    }

    /// After a start: payers whose money became safe, and who were not told as far as is known.
    pub(super) fn tell_who_does_not_know(&mut self) -> Result<(), StoreFault> {
        for incoming in self.store.to_tell(TELL_MAX)? {
            let effect = Effect::Confirm { payer: incoming.payer, payment: incoming.payment };
            self.jobs.start(effect, &self.wallet, &self.store, None);
        }
        Ok(())
    }

    /// Signs claims that were noted while the workstation was locked, or just now.
    pub(super) fn file_claims(&mut self) -> Result<(), StoreFault> {
        let now = self.now();
        if self.keyring.open(now).is_none() || self.wallet.claims_to_sign().next().is_none() {
            return Ok(());
        }
        self.flush()?;
        let mut ready: Vec<(RequestId, Option<Papers>)> = Vec::new();
        for claim in self.wallet.claims_to_sign() {
            ready.push((claim.id, self.store.papers(&claim.payer, &claim.payment)?));
        }
        for (id, papers) in ready {
            let (Some(papers), Some(keys)) = (papers, self.keyring.open(now)) else { continue };
            let decision = self.wallet.file_claim(&id, &papers, keys, now);
            let _ = self.take(decision);
        }
        Ok(())
    }

    /// Keeps what the bank tells of our cases, and answers what they ask.
    pub(super) fn cases_told(&mut self, flight: &Flight, states: Vec<CaseState>) -> Result<(), StoreFault> {
        self.jobs.done(flight);
        self.flush()?;
        let known = self.store.cases_numbered(states.iter().map(|state| state.case))?;
        let asked: Vec<(u64, Question)> =
            states.iter().filter_map(|state| Some((state.case, Question::of(state)?))).collect();
        match self.wallet.cases_told(states, &known, self.now()) {
            Ok(decision) => drop(self.take(decision)),
            Err(flaw) => tracing::error!(%flaw, "what the bank tells of a case is not acceptable"),
        }
        self.flush()?;
        for (case, question) in asked {
            let kept = self.store.kept_about(&question)?;
            let keys = self.keyring.open(self.shared.now());
            let defences = self.wallet.defences(case, &question, &kept, keys);
            if defences.is_empty() {
                tracing::warn!(case, "a case asks what only the owner can answer");
            } else {
                self.jobs.defend(case, defences);
            }
        }
        Ok(())
    }

    /// Objects to reclaims whose units went on to us, or through us.
    pub(super) fn contest(&mut self, list: &[Reclaimed]) -> Result<(), StoreFault> {
        self.flush()?;
        let roots: BTreeSet<[u8; 32]> = list.iter().map(|entry| entry.root.0).collect();
        let mut notes: Vec<Note> = Vec::new();
        for root in roots {
            notes.extend(contests(list, &self.store.notes_over(&Digest(root))?));
        }
        // As many as a message surely carries.
        notes.chunks(LINKS_PER_MESSAGE_MAX / LINKS_MAX).for_each(|part| self.jobs.contest(part));
        Ok(())
    }
}

impl Outbox {
    /// How our cases stand: all that ask something of us first, then the others, as many as are read at once, from
    /// where it was left off before.
    pub(super) async fn cases(&self) -> Input {
        let (mut all, mut after) = (Vec::new(), CASES_ASKED);
        loop {
            let Some(page) = self.page_of_cases(after).await else {
                return Input::Unanswered(Flight::Cases);
            };
            let Some(last) = page.iter().map(|state| state.case).max() else { break };
            all.extend(page);
            if last <= after & !CASES_ASKED {
                break;
            }
            after = CASES_ASKED | last;
        }
        let (asking, mut after) = (all.len(), self.shared().cases_read.load(Ordering::Relaxed));
        while all.len() < asking + CASES_MAX {
            let Some(page) = self.page_of_cases(after).await else {
                return Input::Unanswered(Flight::Cases);
            };
            let last = page.iter().map(|state| state.case).max().filter(|last| *last > after);
            all.extend(page);
            after = last.unwrap_or(0);
            if last.is_none() {
                break;
            }
        }
        self.shared().cases_read.store(after, Ordering::Relaxed);
        // One case may have been told twice: the later word is the newer one.
        let states: BTreeMap<u64, CaseState> = all.into_iter().map(|state| (state.case, state)).collect();
        Input::CasesTold(Flight::Cases, states.into_values().collect())
    }

    async fn page_of_cases(&self, after: u64) -> Option<Vec<CaseState>> {
        match self.link.ask(&BankAsk::Cases(self.query(after))).await {
            Ok(answer @ BankAnswer::Cases(_)) => self.cases_of(answer).await,
            _ => None,
        }
    }

    /// The cases in an answer, once the keys of all chains in it are known.
    async fn cases_of(&self, answer: BankAnswer) -> Option<Vec<CaseState>> {
        self.link.learn_keys_for(&answer).await;
        match answer {
            BankAnswer::Cases(states) => Some(states),
            _ => None,
        }
    }

    /// Signed by the node key, so that a locked workstation can ask.
    fn query(&self, number: u64) -> protocol::sign::Signed<NodeQuery> {
        let shared = self.shared();
        let node = &shared.persona.node;
        node.sign(NodeQuery {
            bank: shared.keys().bank(),
            request: RequestId(chance_bytes()),
            owner: shared.persona.owner,
            node: node.key(),
            purpose: Purpose::Cases,
            number,
            subject: Digest::default(),
            created: shared.now(),
        })
    }

    /// What the bank does not take is not said again, and the next defence is tried.
    pub(super) async fn defend(&self, case: u64, defences: Vec<Defence>) -> Input {
        let flight = Flight::Defend(case);
        for defence in defences {
            match self.link.ask(&BankAsk::Defend(case, defence)).await {
                Ok(answer @ BankAnswer::Cases(_)) => {
                    let states = self.cases_of(answer).await.unwrap_or_default();
                    return Input::CasesTold(flight, states);
                }
                Ok(BankAnswer::Error(code)) if code.is_passing() => return Input::Unanswered(flight),
                Ok(answer) => tracing::warn!(case, ?answer, "the bank did not take what we say in a case"),
                Err(_) => return Input::Unanswered(flight),
            }
        }
        Input::Noted(flight)
    }

    /// Over a throw-away identity: who holds what is nobody's business.
    pub(super) async fn contest(&self, flight: Flight, table: NoteTable) -> Input {
        match self.link.ask_anonymously(wire::encode(&BankAsk::Contest(table))).await {
            Ok(BankAnswer::Contested(units)) => {
                tracing::info!(%units, "a reclaim was objected to");
                Input::Noted(flight)
            }
            Ok(BankAnswer::Error(code)) if !code.is_passing() => Input::Noted(flight),
            _ => Input::Unanswered(flight),
        }
    }
}
