//! Whoever plays together against the bank: payouts stay below what was put in and the guarantee (threats X3).

use super::claims::{Paid, upstream};
use super::*;
use crate::ledger::cases::{CaseView as _, Stage};
use proptest::prelude::*;
use protocol::pay::Defence;
use protocol::wire::{CasePart, CaseState};
use std::collections::BTreeSet;

/// What somebody does, with numbers that pick who and with what.
#[derive(Clone, Copy, Debug)]
enum Move {
    /// Pays a part of a note that he has, or had: the second time is a fork.
    Pay(usize, usize, u64),
    /// Takes one to the bank.
    Cash(usize),
    /// Claims one.
    Claim(usize),
    /// Reclaims one, though it was paid away.
    Reclaim(usize),
    /// Shows one against the reclaims.
    Contest(usize),
    /// Somebody who is asked shows any order.
    Show(usize, usize),
    /// The money on an account is withdrawn into a new note, out of the bank's reach.
    Empty(usize),
    /// Days go by.
    Wait(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let any = 0..1000usize;
    let one = prop_oneof![
        5 => (any.clone(), any.clone(), 0..4u64).prop_map(|(note, to, cut)| Move::Pay(note, to, cut)),
        3 => any.clone().prop_map(Move::Cash),
        4 => any.clone().prop_map(Move::Claim),
        1 => any.clone().prop_map(Move::Reclaim),
        1 => any.clone().prop_map(Move::Contest),
        3 => (any.clone(), any.clone()).prop_map(|(case, order)| Move::Show(case, order)),
        1 => any.prop_map(Move::Empty),
        2 => (1..20u64).prop_map(Move::Wait),
    ];
    prop::collection::vec(one, 10..60)
}

/// A note that somebody has or had; without an order if the bank issued it to him.
struct Held {
    whose: usize,
    purse: Purse,
    paid: Option<Paid>,
}

struct Town {
    bank: Bank,
    gang: Vec<Customer>,
    held: Vec<Held>,
    /// Claims, to be asked about again.
    cases: u64,
}

const CAP: u64 = 25;
const GUARANTEE: u64 = 1_000;

impl Town {
    fn new() -> Town {
        let bank = Bank::new();
        bank.rules.set(Rules { guarantee_cap: units(CAP), ..Rules::default() });
        bank.order(None, Operation::Guarantee(units(GUARANTEE), "anna".to_owned())).unwrap();
        let gang: Vec<Customer> = (0..4).map(|n| bank.customer(&format!("G{n}"), 100)).collect();
        let held =
            (0..2).map(|whose| Held { whose, purse: bank.note(&gang[whose], 60), paid: None }).collect();
        Town { bank, gang, held, cases: 0 }
    }

    fn make(&mut self, step: Move) {
        let count = self.held.len();
        match step {
            Move::Pay(at, to, cut) => {
                let Held { whose, purse, .. } = &self.held[at % count];
                let (whose, to) = (*whose, to % self.gang.len());
                let (start, end) = (purse.range.start(), purse.range.end());
                let part = purse.part(start + (end - start) * cut / 8, end);
                if to != whose && purse.note.links.len() < 14 {
                    let paid = self.bank.pays(&self.gang[whose], &self.gang[to], &part);
                    self.held.push(Held { whose: to, purse: paid.purse.clone(), paid: Some(paid) });
                }
            }
            Move::Cash(at) => {
                let Held { whose, purse, .. } = &self.held[at % count];
                self.bank.ask(self.bank.deposit(&self.gang[*whose], &[purse]));
            }
            Move::Claim(at) => {
                let Held { whose, paid, .. } = &self.held[at % count];
                if let Some(paid) = paid {
                    self.bank.ask(self.bank.claim(&self.gang[*whose], paid));
                    self.cases = self.bank.ledger.snapshot().unwrap().last_case().unwrap();
                }
            }
            Move::Reclaim(at) => {
                let Held { whose, purse, .. } = &self.held[at % count];
                self.bank.ask(self.bank.reclaim(&self.gang[*whose], &[purse]));
            }
            Move::Contest(at) => {
                let table = NoteTable::pack([&self.held[at % count].purse.note]);
                self.bank.ask(BankAsk::Contest(table));
            }
            Move::Show(case, order) => {
                let orders: Vec<&Paid> = self.held.iter().filter_map(|held| held.paid.as_ref()).collect();
                if let Some(paid) = orders.get(order % orders.len().max(1)) {
                    let case = u64::try_from(case).unwrap() % (self.cases + 1);
                    self.bank.ask(BankAsk::Defend(case, upstream(paid)));
                }
            }
            Move::Empty(whose) => {
                let whose = whose % self.gang.len();
                let all = self.bank.balance(&self.gang[whose]);
                if all > 0 {
                    let key = self.bank.signer();
                    let asked = self.bank.withdrawal(&self.gang[whose], &[(&key, all)]);
                    if let BankAnswer::Withdrawn(roots, _) = self.bank.ask(BankAsk::Withdraw(asked)) {
                        let note = Note::fresh(roots.into_iter().next().unwrap());
                        let range = note.root.unverified().range();
                        self.held.push(Held { whose, purse: Purse { note, range, key }, paid: None });
                    }
                }
            }
            Move::Wait(days) => self.bank.later(days * DAY_SECONDS),
        }
    }

    /// Who was called liable so far, and what the guarantee has paid for each of them.
    fn guaranteed(&self) -> Vec<(AccountNumber, u64)> {
        let view = self.bank.ledger.snapshot().unwrap();
        let cases = view.cases_after(0, usize::MAX).unwrap();
        let liable = cases.iter().filter_map(|case| match case.stage {
            Stage::Judged(debt) => Some(debt.liable),
            Stage::Open(_) | Stage::Dismissed(_) => None,
        });
        let liable: BTreeSet<AccountNumber> = liable.collect();
        let given = |number| view.account(number).unwrap().unwrap().member.guaranteed.get();
        liable.into_iter().map(|number| (number, given(number))).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Threats X3: whatever a coalition signs, cashes, claims and shows, all of it together gets no more out than it
    /// put in and the cap for each who was found liable; the books agree with that after every move.
    #[test]
    fn a_coalition_gets_what_it_put_in_and_the_cap(moves in moves()) {
        let mut town = Town::new();
        for step in moves {
            town.make(step);
            let audit = town.bank.audit();
            prop_assert!(audit.ok, "{:?}", audit.findings);
        }
        // Everything that can still be got is got.
        for at in 0..town.held.len() {
            town.make(Move::Cash(at));
            town.make(Move::Claim(at));
        }
        town.bank.later(60 * DAY_SECONDS);
        let audit = town.bank.audit();
        prop_assert!(audit.ok, "{:?}", audit.findings);
        let guaranteed = town.guaranteed();
        prop_assert!(guaranteed.iter().all(|(_, given)| *given <= CAP));
        let on_accounts: u64 = town.gang.iter().map(|member| town.bank.balance(member)).sum();
        let given: u64 = guaranteed.iter().map(|(_, given)| given).sum();
        prop_assert!(on_accounts + audit.outstanding.get() == 400 + given, "not a unit from nowhere");
    }

    /// Threats X2, X5: an honest one in the middle of any such mess, who signs every unit once, answers whoever asks
    /// and cashes nothing that he has passed on, is never called liable and never an offender.
    #[test]
    fn an_honest_one_among_them_is_never_liable(before in moves(), after in moves()) {
        let mut town = Town::new();
        for step in before {
            town.make(step);
        }
        let honest = town.bank.customer("Honest", 500);
        // He is paid, and passes all of it on.
        let at = town.held.len() - 1;
        let Held { whose, purse, .. } = &town.held[at];
        prop_assume!(purse.note.links.len() < 10);
        let got = town.bank.pays(&town.gang[*whose], &honest, purse);
        let to = (*whose + 1) % town.gang.len();
        let gave = town.bank.pays(&honest, &town.gang[to], &got.purse);
        town.held.push(Held { whose: to, purse: gave.purse.clone(), paid: Some(gave) });
        for step in after {
            town.make(step);
            answers(&town, &honest, &got);
        }
        for at in 0..town.held.len() {
            town.make(Move::Claim(at));
            answers(&town, &honest, &got);
        }
        for _ in 0..10 {
            town.make(Move::Wait(13));
            answers(&town, &honest, &got);
        }
        let named = town.guaranteed();
        prop_assert!(named.iter().all(|(liable, _)| *liable != honest.account), "{named:?}");
    }
}

/// What his workstation does on every look, locked or not.
fn answers(town: &Town, honest: &Customer, got: &Paid) {
    let asked = |state: &CaseState| matches!(state.part, CasePart::Asked(..));
    for state in town.bank.cases_of(honest).iter().filter(|state| asked(state)) {
        let defence = Defence::Upstream(Box::new(got.evidence.clone()));
        let told = town.bank.ask(BankAsk::Defend(state.case, defence));
        assert!(matches!(told, BankAnswer::Cases(_)), "{told:?}");
    }
}
