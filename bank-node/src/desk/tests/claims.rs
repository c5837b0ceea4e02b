//! Claims: who lost units to a clash is paid by whoever signed twice, and nobody else is named.

use super::*;
use protocol::bank::{Admission, Claim, LetterKind, NodeQuery, Purpose};
use protocol::id::PaymentId;
use protocol::key::KeyTicket;
use protocol::pay::{AmountRule, Mode, Order as PayOrder, Refusal, Request, list_of_notes};
use protocol::pay::{Defence, Evidence};
use protocol::wire::{CasePart, CaseState, CaseStep};

const DAYS: u64 = DAY_SECONDS;

/// A payment as its payee has it: the note up to his key, and the payer's order.
#[derive(Clone)]
pub(crate) struct Paid {
    pub(crate) purse: Purse,
    pub(crate) evidence: Evidence,
}

impl Paid {
    fn order(&self) -> Digest {
        self.evidence.order.digest()
    }
}

pub(crate) fn tip(purse: &Purse) -> Digest {
    purse.note.holding().unwrap().tip
}

impl<S: Store> Bank<S> {
    fn request_for(&self, payee: &Customer, key: &Signer) -> Signed<Request> {
        let owner = &payee.owner;
        let hint = protocol::id::Hint([0; 16]);

        owner.sign(Request {
            bank: self.keys.bank(),
            id: self.request(),
            ticket: owner.sign(KeyTicket { owner: owner.key(), key: key.key(), hint }),
            node: owner.key(),
            amount: AmountRule::AtMost(Units::MAX),
            mode: Mode::Direct,
            created: self.now.get(),
            expires: self.now.get().plus_seconds(DAYS),
            memo: Text::default(),
            address: Text::default(),
        })
    }

    /// An order over a chain that leads to `key`, whoever made it.
    pub(crate) fn order_for(&self, payer: &Customer, payee: &Customer, to: &Purse) -> Evidence {
        let request = self.request_for(payee, &to.key);
        let tips = vec![tip(to)];
        let order = payer.owner.sign(PayOrder {
            bank: self.keys.bank(),
            payment: PaymentId(self.request().0),
            request: request.digest(),
            payer: payer.owner.key(),
            payee: payee.owner.key(),
            amount: to.range.units(),
            created: self.now.get(),
            expires: self.now.get().plus_seconds(DAYS),
            mode: Mode::Direct,
            replaces: Digest::default(),
            memo: PayOrder::memo_digest(""),
            list: list_of_notes(&tips),
        });
        Evidence { order, request, tips }
    }

    /// A direct payment.
    pub(crate) fn pays(&self, payer: &Customer, payee: &Customer, from: &Purse) -> Paid {
        let purse = from.to(&self.signer());
        let evidence = self.order_for(payer, payee, &purse);
        Paid { purse, evidence }
    }

    pub(crate) fn claim_over(&self, claimant: &Customer, lost: &Purse, evidence: &Evidence) -> BankAsk {
        let claim = Claim {
            bank: self.keys.bank(),
            request: self.request(),
            claimant: claimant.owner.key(),
            note: tip(lost),
            range: lost.range,
            created: self.now.get(),
        };
        claim_with(claim, claimant, lost, evidence)
    }

    pub(crate) fn claim(&self, claimant: &Customer, paid: &Paid) -> BankAsk {
        self.claim_over(claimant, &paid.purse, &paid.evidence)
    }

    pub(crate) fn states(&self, ask: &BankAsk) -> Vec<CaseState> {
        match self.ask(ask.clone()) {
            BankAnswer::Cases(states) => states,
            other => panic!("{other:?}"),
        }
    }

    /// The cases as one of their parties sees them, by a query that his workstation signs.
    pub(crate) fn cases_of(&self, customer: &Customer) -> Vec<CaseState> {
        self.states(&BankAsk::Cases(customer.owner.sign(NodeQuery {
            bank: self.keys.bank(),
            request: self.request(),
            owner: customer.owner.key(),
            node: customer.owner.key(),
            purpose: Purpose::Cases,
            number: 0,
            subject: Digest::default(),
            created: self.now.get(),
        })))
    }

    pub(crate) fn defends(&self, case: u64, defence: Defence) -> CaseState {
        match self.ask(BankAsk::Defend(case, defence)) {
            BankAnswer::Cases(mut states) => states.remove(0),
            other => panic!("{other:?}"),
        }
    }

    fn admits(&self, owner: &Customer, case: u64) -> Defence {
        Defence::Admitted(owner.owner.sign(Admission {
            bank: self.keys.bank(),
            case,
            owner: owner.owner.key(),
        }))
    }

    /// Takes units to the account.
    pub(crate) fn cashes(&self, customer: &Customer, purse: &Purse) {
        let answer = self.ask(self.deposit(customer, &[purse]));
        let BankAnswer::Deposited(items, _) = &answer else { panic!("{answer:?}") };
        assert_eq!(items.as_slice(), [Item::Paid(purse.range.units())]);
    }
}

fn claim_with(claim: Claim, claimant: &Customer, lost: &Purse, evidence: &Evidence) -> BankAsk {
    let sink = Destination::Redeem(claim.digest());
    let note = lost.note.hand_on(lost.range, sink, &lost.key).unwrap();
    BankAsk::Claim(claimant.owner.sign(claim), NoteTable::pack([&note]), Box::new(evidence.clone()))
}

pub(crate) fn upstream(paid: &Paid) -> Defence {
    Defence::Upstream(Box::new(paid.evidence.clone()))
}

fn refuses(payee: &Customer, paid: &Paid) -> Defence {
    let code = ErrorCode::OverLimit;
    Defence::Refused(payee.owner.sign(Refusal { order: paid.order(), code, at: NOON }))
}

fn in_order<S: Store>(bank: &Bank<S>) {
    let audit = bank.audit();
    assert!(audit.ok, "{:?}", audit.findings);
}

fn letters(state: &CaseState) -> Vec<(LetterKind, u64)> {
    state.letters.iter().map(|l| (l.unverified().kind, l.unverified().units.get())).collect()
}

/// A thief pays the same hundred twice; Carol cashes it, and Bob's chain came over Alice.
struct Scene {
    bank: Bank,
    thief: Customer,
    alice: Customer,
    bob: Customer,
    carol: Customer,
    to_alice: Paid,
    to_bob: Paid,
}

fn scene(thief_keeps: u64) -> Scene {
    let bank = Bank::new();
    let thief = bank.customer("Thief", 100 + thief_keeps);
    let (alice, bob, carol) =
        (bank.customer("Alice", 50), bank.customer("Bob", 0), bank.customer("Carol", 0));
    let note = bank.note(&thief, 100);
    let to_carol = bank.pays(&thief, &carol, &note);
    let to_alice = bank.pays(&thief, &alice, &note);
    let to_bob = bank.pays(&alice, &bob, &to_alice.purse);
    bank.cashes(&carol, &to_carol.purse);
    Scene { bank, thief, alice, bob, carol, to_alice, to_bob }
}

impl Scene {
    fn balances(&self) -> [u64; 4] {
        [&self.thief, &self.alice, &self.bob, &self.carol].map(|customer| self.bank.balance(customer))
    }
}

/// B6, threats X5: the claim walks up from order to order to the signer of the parting key. Nobody is debited
/// before the end, each party sees its own part, and the honest one between them is left alone.
#[test]
fn a_double_spender_pays_who_lost() {
    let s = scene(300);
    let ask = s.bank.claim(&s.bob, &s.to_bob);
    let filed = s.bank.states(&ask);
    let until = NOON.plus_seconds(14 * DAYS);
    assert_eq!((filed.len(), filed[0].case, filed[0].part), (1, 1, CasePart::Claimant));
    assert_eq!((filed[0].step, filed[0].range.units()), (CaseStep::Open(until), units(100)));
    let asked = s.bank.cases_of(&s.alice);
    assert_eq!(asked[0].part, CasePart::Asked(2, tip(&s.to_bob.purse), until));
    assert!(s.bank.cases_of(&s.thief).is_empty(), "nobody has named him yet");
    assert_eq!(s.balances(), [300, 50, 0, 100]);

    s.bank.now.set(NOON.plus_seconds(DAYS));
    assert_eq!(s.bank.defends(1, upstream(&s.to_alice)).part, CasePart::Heard);
    let until = NOON.plus_seconds(15 * DAYS);
    assert_eq!(s.bank.cases_of(&s.thief)[0].part, CasePart::Asked(1, tip(&s.to_alice.purse), until));
    assert_eq!(s.balances(), [300, 50, 0, 100], "not before the end");
    s.bank.later(14 * DAYS);
    assert_eq!(s.balances(), [200, 50, 100, 100]);
    let (mine, his) = (s.bank.states(&ask), s.bank.cases_of(&s.thief));
    assert_eq!((mine[0].step, mine[0].paid), (CaseStep::Judged(Units::ZERO), units(100)));
    assert_eq!(letters(&mine[0]), [(LetterKind::Recovery, 100)]);
    assert_eq!((his[0].part, letters(&his[0])), (CasePart::Liable, vec![(LetterKind::Charge, 100)]));
    assert_eq!(s.bank.cases_of(&s.alice)[0].part, CasePart::Heard);
    assert_eq!(his[0].letters[0].unverified().balance, units(200));
    assert!(s.bank.cases_of(&s.carol).is_empty(), "the winner has no part in it");
    in_order(&s.bank);
}

/// An admission ends it at once; the same answers again change nothing.
#[test]
fn an_admission_ends_it_at_once() {
    let s = scene(300);
    let ask = s.bank.claim(&s.bob, &s.to_bob);
    s.bank.states(&ask);
    let heard = s.bank.defends(1, upstream(&s.to_alice));
    assert_eq!(s.bank.defends(1, s.bank.admits(&s.thief, 1)).part, CasePart::Liable);
    assert_eq!(s.balances(), [200, 50, 100, 100]);
    let journal = s.bank.journal();
    s.bank.defends(1, s.bank.admits(&s.thief, 1));
    let again = s.bank.defends(1, upstream(&s.to_alice));
    assert_eq!((again.part, again.case), (heard.part, heard.case));
    let BankAsk::Claim(claim, ..) = &ask else { panic!() };
    let status = BankAsk::Status(claim.unverified().request, claim.digest());
    assert_eq!(s.bank.states(&status), s.bank.states(&ask), "a status question tells the live state");
    assert_eq!((s.bank.journal(), s.balances()), (journal, [200, 50, 100, 100]));
    in_order(&s.bank);
}

/// Who does not answer is liable, because he signed: here the one in the middle, who could have shown his order.
#[test]
fn silence_in_the_middle_is_paid_for() {
    let s = scene(300);
    s.bank.states(&s.bank.claim(&s.bob, &s.to_bob));
    s.bank.later(14 * DAYS);
    assert_eq!(s.balances(), [300, 0, 50, 100]);
    let his = s.bank.cases_of(&s.alice);
    assert_eq!((his[0].part, his[0].step), (CasePart::Liable, CaseStep::Judged(units(50))));
    let view = s.bank.ledger.snapshot().unwrap();
    let case = crate::ledger::cases::CaseView::case(&view, 1).unwrap().unwrap();
    let crate::ledger::cases::Stage::Judged(debt) = case.stage else { panic!() };
    assert!(!debt.offence, "it was not her key that signed twice");
    // What comes to her account is collected, and before she can carry it away.
    s.bank.order(None, Operation::PayIn(s.alice.account, units(70))).unwrap();
    let key = s.bank.signer();
    let all = s.bank.withdrawal(&s.alice, &[(&key, 70)]);
    assert!(matches!(s.bank.ask(BankAsk::Withdraw(all)), BankAnswer::Declined(_)));
    assert_eq!(s.balances(), [300, 20, 100, 100]);
    in_order(&s.bank);
}

/// Threats H2: a refusal is a defence against exactly its order; who refused and went on with the units pays.
#[test]
fn a_refusal_is_a_defence_against_its_own_order() {
    let bank = Bank::new();
    let (alice, bob, dora) =
        (bank.customer("Alice", 100), bank.customer("Bob", 80), bank.customer("Dora", 0));
    let note = bank.note(&alice, 100);
    let to_bob = bank.pays(&alice, &bob, &note);
    let other = bank.pays(&alice, &bob, &note);
    // Bob refuses, Alice takes the units back, Bob passes them on to Dora all the same.
    bank.cashes(&alice, &note);
    let to_dora = bank.pays(&bob, &dora, &to_bob.purse);
    bank.states(&bank.claim(&dora, &to_dora));
    bank.defends(1, upstream(&to_bob));
    let before = bank.journal();
    let forged = Refusal { order: to_bob.order(), code: ErrorCode::OverLimit, at: NOON };
    bank.refuses(BankAsk::Defend(1, Defence::Refused(alice.owner.sign(forged))), ErrorCode::BadSignature);
    bank.refuses(BankAsk::Defend(1, refuses(&bob, &other)), ErrorCode::NotMine);
    assert_eq!(bank.journal(), before);
    assert_eq!(bank.defends(1, refuses(&bob, &to_bob)).part, CasePart::Heard);
    assert_eq!([&alice, &bob, &dora].map(|c| bank.balance(c)), [100, 0, 80]);
    assert_eq!(bank.cases_of(&bob)[0].step, CaseStep::Judged(units(20)));
    in_order(&bank);
}

/// Threats H2: who refused a payment himself has lost nothing by it.
#[test]
fn who_refused_has_no_claim() {
    let bank = Bank::new();
    let (alice, bob) = (bank.customer("Alice", 100), bank.customer("Bob", 0));
    let note = bank.note(&alice, 100);
    let to_bob = bank.pays(&alice, &bob, &note);
    bank.cashes(&alice, &note);
    let ask = bank.claim(&bob, &to_bob);
    bank.states(&ask);
    bank.defends(1, refuses(&bob, &to_bob));
    assert_eq!(bank.states(&ask)[0].step, CaseStep::Dismissed(ErrorCode::Void));
    assert_eq!([&alice, &bob].map(|c| bank.balance(c)), [100, 0]);
    in_order(&bank);
}

/// Threats X2: a payment beside one's own take-back is a debt, and no offence.
#[test]
fn a_take_back_beside_a_payment_is_a_debt_and_no_offence() {
    let bank = Bank::new();
    let (alice, bob) = (bank.customer("Alice", 100), bank.customer("Bob", 0));
    let note = bank.note(&alice, 100);
    let to_bob = bank.pays(&alice, &bob, &note);
    bank.cashes(&alice, &note);
    bank.states(&bank.claim(&bob, &to_bob));
    bank.defends(1, bank.admits(&alice, 1));
    assert_eq!([&alice, &bob].map(|c| bank.balance(c)), [0, 100]);
    let view = bank.ledger.snapshot().unwrap();
    let case = crate::ledger::cases::CaseView::case(&view, 1).unwrap().unwrap();
    assert!(matches!(case.stage, crate::ledger::cases::Stage::Judged(debt) if !debt.offence));
    assert_eq!(view_standing(&bank, &alice), None, "nobody is suspended by a rule");
}

fn view_standing(bank: &Bank, customer: &Customer) -> Option<Timestamp> {
    let view = bank.ledger.snapshot().unwrap();
    view.account(customer.account).unwrap().unwrap().member.suspended
}

/// Threats X4: a chain that shows up after the close of a reclaim is the reclaimer's to pay, and no offence.
#[test]
fn a_late_claim_is_paid_by_the_reclaimer() {
    let bank = Bank::new();
    let (alice, bob) = (bank.customer("Alice", 100), bank.customer("Bob", 0));
    let note = bank.note(&alice, 100);
    let to_bob = bank.pays(&alice, &bob, &note);
    let reclaim = bank.reclaim(&alice, &[&note]);
    bank.reclaimed(&reclaim);
    bank.later(7 * DAYS);
    assert_eq!(bank.balance(&alice), 100);
    bank.now.set(NOON.plus_seconds(70 * DAYS));
    let ask = bank.claim(&bob, &to_bob);
    bank.states(&ask);
    bank.later(14 * DAYS);
    assert_eq!([&alice, &bob].map(|c| bank.balance(c)), [0, 100]);
    let view = bank.ledger.snapshot().unwrap();
    let case = crate::ledger::cases::CaseView::case(&view, 1).unwrap().unwrap();
    assert!(matches!(case.stage, crate::ledger::cases::Stage::Judged(debt) if !debt.offence));
    in_order(&bank);
}

/// Threats X4: a reclaim that was beaten from above becomes a claim of the reclaimer's.
#[test]
fn a_beaten_reclaimer_claims() {
    let s = scene(300);
    let reclaim = s.bank.reclaim(&s.bob, &[&s.to_bob.purse]);
    s.bank.reclaimed(&reclaim);
    s.bank.later(7 * DAYS);
    assert_eq!(s.bank.fates(&reclaim), [(0, 100, 'C')]);
    s.bank.states(&s.bank.claim(&s.bob, &s.to_bob));
    s.bank.defends(1, upstream(&s.to_alice));
    s.bank.later(14 * DAYS);
    assert_eq!(s.balances(), [200, 50, 100, 100]);
    in_order(&s.bank);
}

/// Threats X3: fifty accomplices are paid the same hundred. Together they get what was put in, and the guarantee
/// gives for the straw man no more than its cap.
#[test]
fn fifty_accomplices_get_what_was_put_in() {
    let bank = Bank::new();
    bank.rules.set(Rules { guarantee_cap: units(30), ..Rules::default() });
    bank.order(None, Operation::Guarantee(units(1_000), "anna".to_owned())).unwrap();
    let straw = bank.customer("Straw", 100);
    let note = bank.note(&straw, 100);
    let gang: Vec<Customer> = (0..50).map(|n| bank.customer(&format!("A{n}"), 0)).collect();
    let paid: Vec<Paid> = gang.iter().map(|member| bank.pays(&straw, member, &note)).collect();
    bank.cashes(&gang[0], &paid[0].purse);
    for (member, paid) in gang.iter().zip(&paid).skip(1) {
        bank.states(&bank.claim(member, paid));
    }
    bank.later(14 * DAYS);
    let together: u64 = gang.iter().map(|member| bank.balance(member)).sum();
    assert_eq!(together, 100 + 30);
    in_order(&bank);
    // What the straw man gets later goes to those who are still owed; the guarantee is the last to get its own back.
    bank.order(None, Operation::PayIn(straw.account, units(5_000))).unwrap();
    bank.later(1);
    let together: u64 = gang.iter().map(|member| bank.balance(member)).sum();
    assert_eq!((together, bank.balance(&straw)), (50 * 100, 100));
    assert_eq!(bank.audit().guarantee, units(1_000));
    in_order(&bank);
}

/// Threats X3: what is not recovered falls on the offender's own payee, who chose to trust him, as far as his
/// account goes; when the offender has money again, his payee gets it back.
#[test]
fn an_empty_offender_s_payee_bears_the_loss() {
    let s = scene(0);
    s.bank.states(&s.bank.claim(&s.bob, &s.to_bob));
    s.bank.defends(1, upstream(&s.to_alice));
    s.bank.later(14 * DAYS);
    assert_eq!(s.balances(), [0, 0, 50, 100]);
    let heard = s.bank.cases_of(&s.alice);
    assert_eq!((heard[0].part, letters(&heard[0])), (CasePart::Heard, vec![(LetterKind::Charge, 50)]));
    s.bank.order(None, Operation::PayIn(s.thief.account, units(80))).unwrap();
    s.bank.later(1);
    assert_eq!(s.balances(), [0, 30, 100, 100]);
    s.bank.order(None, Operation::PayIn(s.thief.account, units(80))).unwrap();
    s.bank.later(1);
    assert_eq!(s.balances(), [60, 50, 100, 100]);
    assert_eq!(s.bank.cases_of(&s.thief)[0].step, CaseStep::Judged(Units::ZERO));
    in_order(&s.bank);
}

/// A settled claim counts as a redemption of its branch: who comes after it is judged against it, and who signed
/// that branch onward has nothing to claim.
#[test]
fn a_settled_claim_is_an_entry() {
    let s = scene(300);
    s.bank.states(&s.bank.claim(&s.bob, &s.to_bob));
    // Alice paid Dora the same units that Bob has.
    let dora = s.bank.customer("Dora", 0);
    let to_dora = s.bank.pays(&s.alice, &dora, &s.to_alice.purse);
    s.bank.states(&s.bank.claim(&dora, &to_dora));
    s.bank.defends(2, upstream(&s.to_alice));
    s.bank.defends(1, upstream(&s.to_alice));
    s.bank.defends(1, s.bank.admits(&s.thief, 1));
    // Now Dora's chain parts from Bob's at Alice's key: Alice is asked again, and the thief no more.
    assert!(matches!(s.bank.cases_of(&s.alice)[1].part, CasePart::Asked(2, ..)));
    assert_eq!(s.bank.cases_of(&s.thief).last().unwrap().part, CasePart::Liable);
    s.bank.refuses(BankAsk::Defend(2, upstream(&s.to_alice)), ErrorCode::NotAllowed);
    s.bank.later(14 * DAYS);
    assert_eq!(s.balances(), [200, 0, 100, 100]);
    assert_eq!(s.bank.balance(&dora), 50);
    let alices = s.bank.claim(&s.alice, &s.to_alice);
    s.bank.refuses(alices, ErrorCode::NotAllowed);
    in_order(&s.bank);
}

/// A later entry over a part of the units cuts the case: each piece has its own winner.
#[test]
fn a_case_is_cut_where_its_winner_changes() {
    let s = scene(300);
    let dora = s.bank.customer("Dora", 0);
    let to_dora = s.bank.pays(&s.alice, &dora, &s.to_alice.purse.part(0, 40));
    let bobs = s.bank.claim(&s.bob, &s.to_bob);
    s.bank.states(&bobs);
    s.bank.states(&s.bank.claim(&dora, &to_dora));
    s.bank.defends(2, upstream(&s.to_alice));
    s.bank.defends(2, s.bank.admits(&s.thief, 2));
    let states = s.bank.states(&bobs);
    let ranges: Vec<_> =
        states.iter().map(|state| (state.case, state.range.start(), state.range.end())).collect();
    assert_eq!(ranges, [(1, 0, 40), (3, 40, 100)]);
    s.bank.defends(3, upstream(&s.to_alice));
    s.bank.refuses(BankAsk::Defend(1, upstream(&s.to_alice)), ErrorCode::NotAllowed);
    s.bank.later(14 * DAYS);
    assert_eq!(s.balances(), [200, 10, 100, 100]);
    assert_eq!(s.bank.balance(&dora), 40);
    in_order(&s.bank);
}

/// Units that were redeemed by several make several cases; those that nobody redeemed are not claimed.
#[test]
fn a_claim_is_cut_at_the_borders_of_entries() {
    let bank = Bank::new();
    let (thief, bob) = (bank.customer("Thief", 500), bank.customer("Bob", 0));
    let note = bank.note(&thief, 100);
    let to_bob = bank.pays(&thief, &bob, &note);
    bank.cashes(&thief, &note.part(10, 20));
    bank.cashes(&thief, &note.part(20, 30));
    bank.cashes(&thief, &note.part(60, 70));
    let states = bank.states(&bank.claim(&bob, &to_bob));
    let ranges: Vec<_> = states.iter().map(|state| (state.range.start(), state.range.end())).collect();
    assert_eq!(ranges, [(10, 20), (20, 30), (60, 70)]);
    bank.cashes(&bob, &to_bob.purse.part(30, 60));
    in_order(&bank);
}

/// Table: claims that break a rule, in the order of the rules.
#[test]
fn claims_that_are_refused() {
    let s = scene(300);
    let bank = &s.bank;
    let good = Claim {
        bank: bank.keys.bank(),
        request: bank.request(),
        claimant: s.bob.owner.key(),
        note: tip(&s.to_bob.purse),
        range: s.to_bob.purse.range,
        created: NOON,
    };
    let lost = &s.to_bob.purse;
    let of = |claim: Claim| claim_with(claim, &s.bob, lost, &s.to_bob.evidence);
    bank.refuses(of(Claim { bank: protocol::id::BankId([1; 8]), ..good.clone() }), ErrorCode::NotMine);
    bank.refuses(of(Claim { claimant: bank.signer().key(), ..good.clone() }), ErrorCode::NotFound);
    bank.refuses(of(Claim { created: NOON.plus_seconds(700), ..good.clone() }), ErrorCode::Expired);
    bank.refuses(of(Claim { claimant: s.carol.owner.key(), ..good.clone() }), ErrorCode::BadSignature);
    bank.refuses(of(Claim { note: Digest([1; 32]), ..good.clone() }), ErrorCode::BadChain);
    bank.refuses(of(Claim { range: Range::new(0, 50).unwrap(), ..good.clone() }), ErrorCode::BadChain);

    // The chain alone, without a signature of the key that lost: an accomplice may know that much.
    let bare = BankAsk::Claim(
        s.bob.owner.sign(good.clone()),
        NoteTable::pack([&lost.note]),
        Box::new(s.to_bob.evidence.clone()),
    );
    bank.refuses(bare, ErrorCode::NotMine);
    let not_his = Purse { key: bank.signer(), ..lost.clone() };
    bank.refuses(claim_with(good.clone(), &s.bob, &not_his, &s.to_bob.evidence), ErrorCode::BadSignature);

    // Orders that do not tie a payer to this link.
    let with = |evidence: Evidence| claim_with(good.clone(), &s.bob, lost, &evidence);
    bank.refuses(with(s.to_alice.evidence.clone()), ErrorCode::NotMine);
    let other_link =
        bank.order_for(&s.alice, &s.bob, &Purse { key: lost.key.clone(), ..s.to_alice.purse.clone() });
    bank.refuses(with(other_link), ErrorCode::BadChain);
    let other_key = bank.order_for(&s.alice, &s.bob, &Purse { key: bank.signer(), ..lost.clone() });
    bank.refuses(with(other_key), ErrorCode::UnknownRequest);
    let mut forged = s.to_bob.evidence.clone();
    forged.order = s.carol.owner.sign(forged.order.unverified().clone());
    bank.refuses(with(forged), ErrorCode::BadSignature);
    let mut forged = s.to_bob.evidence.clone();
    forged.request = s.carol.owner.sign(forged.request.unverified().clone());
    bank.refuses(with(forged), ErrorCode::BadSignature);
    let himself = bank.order_for(&s.bob, &s.bob, lost);
    bank.refuses(with(himself), ErrorCode::SelfPayment);
    let stranger = Customer { owner: bank.signer(), account: s.bob.account };
    bank.refuses(with(bank.order_for(&stranger, &s.bob, lost)), ErrorCode::NotCertified);

    bank.now.set(NOON.plus_seconds(91 * DAYS));
    bank.refuses(of(good.clone()), ErrorCode::Expired);
    bank.now.set(NOON);
    bank.states(&of(good.clone()));
    bank.refuses(bank.claim(&s.bob, &s.to_bob), ErrorCode::DuplicateNote);
    bank.refuses(of(Claim { created: NOON.plus_seconds(1), ..good }), ErrorCode::IdReused);
    in_order(bank);
}

/// Units that nobody redeemed are redeemed, not claimed; one's own second signature is nobody else's debt.
#[test]
fn nothing_lost_and_nothing_claimed() {
    let bank = Bank::new();
    let (alice, bob, carol) = (bank.customer("A", 200), bank.customer("B", 0), bank.customer("C", 0));
    let note = bank.note(&alice, 100);
    let to_bob = bank.pays(&alice, &bob, &note);
    bank.refuses(bank.claim(&bob, &to_bob), ErrorCode::NotFound);
    // Bob signs twice: Carol cashes, Bob claims what he has passed on.
    let to_carol = bank.pays(&bob, &carol, &to_bob.purse);
    bank.cashes(&carol, &to_carol.purse);
    bank.refuses(bank.claim(&bob, &to_bob), ErrorCode::NotAllowed);
    // The first owner of a root had it from the bank.
    let fresh = bank.order_for(&bob, &alice, &note);
    bank.refuses(bank.claim_over(&alice, &note, &fresh), ErrorCode::NotAllowed);
}

/// Threats X5: answers that do not fit: the wrong order, somebody else's word, an order for another link.
#[test]
fn answers_that_are_refused() {
    let s = scene(300);
    s.bank.states(&s.bank.claim(&s.bob, &s.to_bob));
    let bad = |defence: Defence, code| s.bank.refuses(BankAsk::Defend(1, defence), code);
    bad(upstream(&s.to_bob), ErrorCode::NotMine);
    bad(s.bank.admits(&s.thief, 1), ErrorCode::NotMine);
    bad(s.bank.admits(&s.alice, 2), ErrorCode::NotMine);
    let word = Admission { bank: s.bank.keys.bank(), case: 1, owner: s.alice.owner.key() };
    bad(Defence::Admitted(s.bob.owner.sign(word)), ErrorCode::BadSignature);
    let other = s.bank.pays(&s.thief, &s.alice, &s.bank.note(&s.thief, 5));
    bad(upstream(&other), ErrorCode::UnknownRequest);
    s.bank.refuses(BankAsk::Defend(2, upstream(&s.to_alice)), ErrorCode::NotFound);
    // The thief may not send the walk on: it was he who signed twice.
    s.bank.defends(1, upstream(&s.to_alice));
    let invented = s.bank.order_for(&s.carol, &s.thief, &s.to_alice.purse);
    bad(Defence::Upstream(Box::new(invented)), ErrorCode::NotAllowed);
    assert_eq!(s.balances(), [295, 50, 0, 100]);
}

/// Threats X5: an accomplice can't file in the loser's place, with a ticket that he wrote for the loser's key.
#[test]
fn nobody_claims_in_the_loser_s_place() {
    let s = scene(300);
    let mallory = s.bank.customer("Mallory", 0);
    let forged = s.bank.order_for(&s.thief, &mallory, &s.to_alice.purse);
    let his_key = Purse { key: mallory.owner.clone(), ..s.to_alice.purse.clone() };
    s.bank.refuses(s.bank.claim_over(&mallory, &his_key, &forged), ErrorCode::BadSignature);
    s.bank.states(&s.bank.claim(&s.bob, &s.to_bob));
}

/// A suspended party answers and pays as everybody else.
#[test]
fn suspension_changes_nothing_in_a_case() {
    let s = scene(300);
    for party in [&s.thief, &s.alice, &s.bob] {
        s.bank.suspend(party.account);
    }
    s.bank.states(&s.bank.claim(&s.bob, &s.to_bob));
    s.bank.defends(1, upstream(&s.to_alice));
    s.bank.later(14 * DAYS);
    assert_eq!(s.balances(), [200, 50, 100, 100]);
    in_order(&s.bank);
}

/// A payer who holds all the money that there can be pays, too: no balance leaves its bounds.
#[test]
fn a_claim_over_everything_is_paid() {
    let bank = Bank::new();
    let max = Units::MAX.get();
    let thief = bank.customer("Thief", max);
    let bob = bank.customer("Bob", 0);
    let note = bank.note(&thief, max);
    let to_bob = bank.pays(&thief, &bob, &note);
    bank.cashes(&thief, &note);
    bank.states(&bank.claim(&bob, &to_bob));
    bank.later(14 * DAYS);
    assert_eq!([&thief, &bob].map(|c| bank.balance(c)), [0, max]);
    in_order(&bank);
}

/// Threats X5: whoever is asked hears it first, however many cases there are in which he has a part.
#[test]
fn who_is_asked_can_ask_for_that_alone() {
    let s = scene(300);
    let asking = |customer: &Customer| {
        let view = s.bank.ledger.snapshot().unwrap();
        let answer = claim::cases(&view, customer.account, wire::CASES_ASKED).unwrap();
        let BankAnswer::Cases(states) = answer else { panic!() };
        states.iter().map(|state| state.case).collect::<Vec<_>>()
    };
    // Sixty cases of Bob's that have ended, more than a page.
    for n in 0..60 {
        let part = s.to_bob.purse.part(n, n + 1);
        s.bank.states(&s.bank.claim_over(&s.bob, &part, &s.to_bob.evidence));
        s.bank.defends(n + 1, s.bank.admits(&s.alice, n + 1));
    }
    s.bank.states(&s.bank.claim_over(&s.bob, &s.to_bob.purse.part(60, 100), &s.to_bob.evidence));
    assert_eq!((asking(&s.alice), asking(&s.thief)), (vec![61], vec![]));
    s.bank.defends(61, upstream(&s.to_alice));
    assert_eq!((asking(&s.alice), asking(&s.thief)), (vec![], vec![61]));
    s.bank.later(14 * DAYS);
    assert_eq!(asking(&s.thief), [0; 0]);
    in_order(&s.bank);
}

/// Threats H2: a refusal that a restored workstation signed counts, too: any node key that the directory ever listed
/// for the payee.
#[test]
fn a_refusal_by_any_node_key_of_the_payee_s_is_a_defence() {
    let bank = Bank::new();
    let (alice, bob, dora) =
        (bank.customer("Alice", 100), bank.customer("Bob", 100), bank.customer("Dora", 0));
    let note = bank.note(&alice, 100);
    let to_bob = bank.pays(&alice, &bob, &note);
    bank.cashes(&alice, &note);
    let to_dora = bank.pays(&bob, &dora, &to_bob.purse);
    bank.states(&bank.claim(&dora, &to_dora));
    bank.defends(1, upstream(&to_bob));
    let node = bank.signer();
    let body = Refusal { order: to_bob.order(), code: ErrorCode::OverLimit, at: NOON };
    let refusal = Defence::Refused(node.sign(body));
    bank.refuses(BankAsk::Defend(1, refusal.clone()), ErrorCode::BadSignature);
    for (generation, key) in [(2, node.key()), (3, bank.signer().key())] {
        let mut record = bank.identity(&bob, generation, u64::from(generation)).unverified().clone();
        record.node = key;
        assert_eq!(bank.ask(BankAsk::Publish(bob.owner.sign(record))), BankAnswer::Published);
    }
    assert_eq!(bank.defends(1, refusal).part, CasePart::Heard);
    assert_eq!([&alice, &bob, &dora].map(|c| bank.balance(c)), [100, 0, 100]);
    in_order(&bank);
}

/// Threats X2, H2: who refused and handed the units on pays for that once. His payee, if he signs onward and claims,
/// stands in for the rest, whichever claim was first; the payer who was refused keeps his own claim.
#[test]
fn a_refused_hand_on_is_paid_for_once() {
    for payee_first in [true, false] {
        let bank = Bank::new();
        let (alice, bob) = (bank.customer("Alice", 100), bank.customer("Bob", 300));
        let (carol, dora) = (bank.customer("Carol", 0), bank.customer("Dora", 0));
        let note = bank.note(&alice, 100);
        let to_bob = bank.pays(&alice, &bob, &note);
        bank.cashes(&alice, &note);
        let to_carol = bank.pays(&bob, &carol, &to_bob.purse);
        let to_dora = bank.pays(&carol, &dora, &to_carol.purse);
        let (carols, doras) = (bank.claim(&carol, &to_carol), bank.claim(&dora, &to_dora));
        if payee_first {
            bank.states(&carols);
            bank.defends(1, upstream(&to_bob));
            bank.defends(1, refuses(&bob, &to_bob));
            assert_eq!(bank.balance(&carol), 100);
            bank.states(&doras);
            // She is asked for her own second hand-on, and may not send the walk on.
            bank.refuses(BankAsk::Defend(2, upstream(&to_carol)), ErrorCode::NotAllowed);
            bank.later(14 * DAYS);
        } else {
            bank.states(&doras);
            bank.states(&carols);
            bank.defends(1, upstream(&to_carol));
            bank.defends(1, upstream(&to_bob));
            bank.defends(1, refuses(&bob, &to_bob));
            assert_eq!(bank.states(&carols)[0].step, CaseStep::Dismissed(ErrorCode::NotAllowed));
            bank.later(14 * DAYS);
        }
        let all = [&alice, &bob, &carol, &dora].map(|c| bank.balance(c));
        assert_eq!(all, [100, 200, 0, 100], "payee first: {payee_first}");
        in_order(&bank);
    }
}

/// Threats X2: the payer whose order was refused is not judged against the chain behind it.
#[test]
fn a_refused_payer_keeps_his_claim() {
    let bank = Bank::new();
    let (thief, alice) = (bank.customer("Thief", 300), bank.customer("Alice", 0));
    let (bob, carol) = (bank.customer("Bob", 300), bank.customer("Carol", 0));
    let note = bank.note(&thief, 100);
    let to_alice = bank.pays(&thief, &alice, &note);
    bank.cashes(&thief, &note);
    let to_bob = bank.pays(&alice, &bob, &to_alice.purse);
    let to_carol = bank.pays(&bob, &carol, &to_bob.purse);
    bank.states(&bank.claim(&carol, &to_carol));
    bank.defends(1, upstream(&to_bob));
    bank.defends(1, refuses(&bob, &to_bob));
    bank.states(&bank.claim(&alice, &to_alice));
    bank.later(14 * DAYS);
    assert_eq!([&thief, &alice, &bob, &carol].map(|c| bank.balance(c)), [200, 100, 200, 100]);
    in_order(&bank);
}

/// Threats X2: a loss that shows late is claimed within 30 days of its entry; and who has a case over the root files
/// the rest of it later.
#[test]
fn a_claim_s_time_runs_from_the_entry_too() {
    let bank = Bank::new();
    let (thief, bob) = (bank.customer("Thief", 500), bank.customer("Bob", 0));
    let note = bank.note(&thief, 100);
    let to_bob = bank.pays(&thief, &bob, &note);
    bank.cashes(&thief, &note.part(0, 10));
    let day = |n| bank.now.set(NOON.plus_seconds(n * DAYS));
    day(80);
    bank.cashes(&thief, &note.part(10, 20));
    bank.cashes(&thief, &note.part(20, 30));
    let part = |start, end| bank.claim_over(&bob, &to_bob.purse.part(start, end), &to_bob.evidence);
    day(110);
    bank.refuses(part(0, 10), ErrorCode::Expired);
    let states = bank.states(&part(5, 20));
    assert_eq!(states.len(), 1, "only what was lost lately");
    assert_eq!((states[0].range.start(), states[0].range.end()), (10, 20));
    day(111);
    assert_eq!(bank.states(&part(20, 30)).len(), 1, "he has a case over this root");
    in_order(&bank);
}
