//! Fetches what the bank has written about the account without being asked by us (SPEC §4.16).
//!
//! When the bank comes into reach, when a hold has changed, when a shop says so. Signed by the node key, so that a locked
//! workstation knows its balance, too. What is here already is known by its number.

use super::jobs::Flight;
use super::ordering::{OrderInput, query};
use super::outbox::Outbox;
use super::{Core, Input};
use crate::store::{Store as _, StoreFault};
use protocol::bank::{Letter, Purpose};
use protocol::sign::Signed;
use protocol::wire::{BankAnswer, BankAsk};

/// Most pages in a turn: more than the bank keeps for an account.
const PAGES_MAX: usize = 8;

/// Whether letters are to be fetched, and up to which number they were.
#[derive(Debug, Default)]
pub(super) struct LetterRound {
    due: bool,
    read: u64,
}

impl LetterRound {
    /// There may be new ones.
    pub(super) fn are_due(&mut self) {
        self.due = true;
    }
}

impl Core {
    /// Asks for letters, if there may be some.
    pub(super) fn fetch_letters(&mut self) {
        if self.letters.due && self.bank_reachable && self.jobs.ask_for_letters(self.letters.read) {
            self.letters.due = false;
        }
    }

    /// Keeps those that are not here yet.
    pub(super) fn letters_came(&mut self, letters: Option<Vec<Signed<Letter>>>) -> Result<(), StoreFault> {
        let Some(letters) = letters else {
            self.letters.due = true;
            self.jobs.unanswered(Flight::Letters);
            return Ok(());
        };
        self.jobs.done(&Flight::Letters);
        self.flush()?;
        let (mut fresh, mut last) = (Vec::new(), None);
        for letter in letters {
            let number = letter.unverified().number;
            if self.store.letter(number)?.is_none() {
                // A bad one must not keep the others away; the newest is asked for again.
                match self.wallet.letter_to_us(letter) {
                    Ok(letter) => fresh.push(letter),
                    Err(flaw) => {
                        tracing::warn!(number, %flaw, "a letter that is not the bank's is passed over");
                        continue;
                    }
                }
            }
            last = last.max(Some(number));
        }
        if !fresh.is_empty() {
            let purchases = self.store.purchases()?;
            let decision = self.wallet.letters_told(fresh, &purchases, self.now());
            let _ = self.take(decision);
        }
        self.letters.read = self.letters.read.max(last.unwrap_or_default());
        Ok(())
    }
}

impl Outbox {
    /// What the bank has written about the account after a journal entry.
    pub(super) async fn letters(&self, mut after: u64) -> Input {
        let mut all = Vec::new();
        for _ in 0..PAGES_MAX {
            let ask = BankAsk::Letters(query(self.shared(), Purpose::Letters, after));
            let Ok(BankAnswer::Letters(page, more)) = self.link.ask(&ask).await else {
                return Input::Order(OrderInput::Letters(None));
            };
            let last = page.iter().map(|letter| letter.unverified().number).max();
            all.extend(page);
            match last.filter(|last| more && *last > after) {
                Some(last) => after = last,
                None => break,
            }
        }
        Input::Order(OrderInput::Letters(Some(all)))
    }
}
