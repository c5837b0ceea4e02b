//! Reclaims, cases and what is due, as keys and values. Nothing is ever taken away: indices lead to records
//! that say themselves whether they are open.

use super::shelf::{Shelf, ShelfMut, Table};
use super::tables::{last_key, number_in, pair_key, record, records_after, write};
use crate::ledger::AccountNumber;
use crate::ledger::books::Fault;
use crate::ledger::cases::{Case, CaseTx, CaseView, Due, DueTx, DueView, Stage};
use crate::ledger::reclaims::{Filed, ReclaimTx, ReclaimView};
use protocol::time::Timestamp;

/// Keys read at a time.
const PAGE: usize = 256;
/// Where the first thing that is not done is kept.
const DONE: &[u8] = b"done";
/// Beside a party's case: it is he who is asked.
const ASKED: &[u8] = &[1];

fn halves(table: Table, key: &[u8]) -> Result<(u64, u64), Fault> {
    let (first, second) = key.split_at_checked(8).unwrap_or_default();
    Ok((number_in(table, first)?, number_in(table, second)?))
}

/// The second numbers of all pairs with this first one, after `after`.
fn seconds<S: Shelf>(
    shelf: &S,
    table: Table,
    first: u64,
    after: u64,
    limit: usize,
) -> Result<Vec<u64>, Fault> {
    let (mut found, mut after) = (Vec::new(), after);
    while let Some(from) = after.checked_add(1) {
        let page = shelf.from(table, &pair_key(first, from), PAGE.min(limit - found.len()))?;
        let more = page.len();
        for (key, _) in page {
            let (whose, number) = halves(table, &key)?;
            if whose != first {
                return Ok(found);
            }
            found.push(number);
            after = number;
        }
        if more == 0 || found.len() >= limit {
            break;
        }
    }
    Ok(found)
}

impl<S: Shelf> ReclaimView for S {
    fn reclaim(&self, number: u64) -> Result<Option<Filed>, Fault> {
        record(self, Table::Reclaims, &number.to_be_bytes())
    }

    fn last_reclaim(&self) -> Result<u64, Fault> {
        last_key(self, Table::Reclaims)
    }

    fn reclaims_after(&self, number: u64, limit: usize) -> Result<Vec<Filed>, Fault> {
        records_after(self, Table::Reclaims, number, limit)
    }

    fn reclaims_over(&self, serial: u64) -> Result<Vec<u64>, Fault> {
        seconds(self, Table::ReclaimsOver, serial, 0, usize::MAX)
    }
}

impl<S: ShelfMut> ReclaimTx for S {
    fn keep_reclaim(&mut self, filed: &Filed) -> Result<(), Fault> {
        for note in &filed.notes {
            self.put(Table::ReclaimsOver, &pair_key(note.serial, filed.number), &[])?;
        }
        self.put(Table::Reclaims, &filed.number.to_be_bytes(), &write(filed)?)
    }
}

impl<S: Shelf> CaseView for S {
    fn case(&self, number: u64) -> Result<Option<Case>, Fault> {
        record(self, Table::Cases, &number.to_be_bytes())
    }

    fn last_case(&self) -> Result<u64, Fault> {
        last_key(self, Table::Cases)
    }

    fn cases_after(&self, number: u64, limit: usize) -> Result<Vec<Case>, Fault> {
        records_after(self, Table::Cases, number, limit)
    }

    fn cases_over(&self, serial: u64) -> Result<Vec<Case>, Fault> {
        let numbers = seconds(self, Table::CasesOver, serial, 0, usize::MAX)?;
        numbers.into_iter().filter_map(|number| self.case(number).transpose()).collect()
    }

    fn cases_of(&self, account: AccountNumber, after: u64, limit: usize) -> Result<Vec<Case>, Fault> {
        let numbers = seconds(self, Table::CasesOf, account.0, after, usize::MAX)?.into_iter();
        let cases = numbers.filter_map(|number| self.case(number).transpose());
        // A walk that went back has forgotten whom it had asked.
        let is_his = |case: &Result<Case, Fault>| match case {
            Ok(case) => case.parties().contains(&account),
            Err(_) => true,
        };
        cases.filter(is_his).take(limit).collect()
    }

    fn cases_asking(&self, account: AccountNumber, after: u64, limit: usize) -> Result<Vec<Case>, Fault> {
        let (mut found, mut after) = (Vec::new(), after);
        while let Some(from) = after.checked_add(1) {
            let page = self.from(Table::CasesOf, &pair_key(account.0, from), PAGE)?;
            if page.is_empty() {
                break;
            }
            for (key, asked) in page {
                let (whose, number) = halves(Table::CasesOf, &key)?;
                if whose != account.0 || found.len() >= limit {
                    return Ok(found);
                }
                after = number;
                if asked == ASKED {
                    found.extend(self.case(number)?);
                }
            }
        }
        Ok(found)
    }

    fn debts_of(&self, account: AccountNumber) -> Result<Vec<u64>, Fault> {
        let cases = seconds(self, Table::Debts, account.0, 0, usize::MAX)?.into_iter();
        let owed = cases.filter_map(|case| match self.get(Table::Debts, &pair_key(account.0, case)) {
            Ok(owed) => (owed.as_deref() == Some(&[1])).then_some(Ok(case)),
            Err(fault) => Some(Err(fault)),
        });
        owed.collect()
    }

    fn debts_after(
        &self,
        (account, case): (AccountNumber, u64),
        limit: usize,
    ) -> Result<Vec<(AccountNumber, u64)>, Fault> {
        let Some(from) = case.checked_add(1) else { return Ok(Vec::new()) };
        let mut from = pair_key(account.0, from).to_vec();
        let mut found = Vec::new();
        while found.len() < limit {
            let page = self.from(Table::Debts, &from, PAGE)?;
            let Some((last, _)) = page.last() else { break };
            from = [last.as_slice(), &[0]].concat();
            for (key, owed) in page {
                let (account, case) = halves(Table::Debts, &key)?;
                if owed == [1] && found.len() < limit {
                    found.push((AccountNumber(account), case));
                }
            }
        }
        Ok(found)
    }
}

impl<S: ShelfMut> CaseTx for S {
    fn keep_case(&mut self, case: &Case) -> Result<(), Fault> {
        self.put(Table::CasesOver, &pair_key(case.serial, case.number), &[])?;
        // A walk that went back asks somebody no more who is no party either.
        let before = self.case(case.number)?.and_then(|before| before.asked());
        for party in case.parties().into_iter().chain(before) {
            let asked: &[u8] = if case.asked() == Some(party) { ASKED } else { &[] };
            self.put(Table::CasesOf, &pair_key(party.0, case.number), asked)?;
        }
        if let Stage::Judged(debt) = &case.stage {
            let owed = u8::from(!debt.owed().is_zero());
            self.put(Table::Debts, &pair_key(debt.liable.0, case.number), &[owed])?;
        }
        self.put(Table::Cases, &case.number.to_be_bytes(), &write(case)?)
    }
}

fn due_key(at: Timestamp, due: Due) -> [u8; 17] {
    let (kind, number) = match due {
        Due::Reclaim(number) => (1, number),
        Due::Case(number) => (2, number),
        Due::Hold(number) => (3, number),
        Due::Rent(shop) => (4, shop),
    };
    let mut key = [0; 17];
    let (time, rest) = key.split_at_mut(8);
    time.copy_from_slice(&at.0.to_be_bytes());
    if let Some((first, last)) = rest.split_first_mut() {
        *first = kind;
        last.copy_from_slice(&number.to_be_bytes());
    }
    key
}

fn due_of(key: &[u8]) -> Result<(Timestamp, Due), Fault> {
    let damaged = || Fault::Damaged("a key in due".to_owned());
    let (time, rest) = key.split_at_checked(8).ok_or_else(damaged)?;
    let (kind, number) = rest.split_first().ok_or_else(damaged)?;
    let (at, number) = (Timestamp(number_in(Table::Due, time)?), number_in(Table::Due, number)?);
    match kind {
        1 => Ok((at, Due::Reclaim(number))),
        2 => Ok((at, Due::Case(number))),
        3 => Ok((at, Due::Hold(number))),
        4 => Ok((at, Due::Rent(number))),
        _ => Err(damaged()),
    }
}

impl<S: Shelf> DueView for S {
    fn due(&self, limit: usize) -> Result<Vec<(Timestamp, Due)>, Fault> {
        let from = match self.get(Table::Meta, DONE)? {
            Some(done) => [done.as_slice(), &[0]].concat(),
            None => Vec::new(),
        };
        self.from(Table::Due, &from, limit)?.iter().map(|(key, _)| due_of(key)).collect()
    }
}

impl<S: ShelfMut> DueTx for S {
    fn keep_due(&mut self, at: Timestamp, due: Due) -> Result<(), Fault> {
        // A clock that was set back must not put it where nobody looks any more.
        let first = match self.get(Table::Meta, DONE)? {
            Some(done) => due_of(&done)?.0.plus_seconds(1),
            None => Timestamp(0),
        };
        self.put(Table::Due, &due_key(at.max(first), due), &[])
    }

    fn done_due(&mut self, at: Timestamp, due: Due) -> Result<(), Fault> {
        self.put(Table::Meta, DONE, &due_key(at, due))
    }
}
