//! Letters that the bank wrote without being asked by us: a hold has ended, rent was paid, takings came (SPEC §4.16).

use super::banking::BankFlaw;
use super::change::{Change, Decision, Draft, Happening};
use super::history::{Movement, NewEntry};
use super::ordering::Purchase;
use super::{AccountBalance, Wallet};
use protocol::bank::{Letter, LetterKind};
use protocol::body::Text;
use protocol::id::Key;
use protocol::key::bank::Usage;
use protocol::sign::{Signed, Verified};
use protocol::time::Timestamp;

impl Wallet {
    /// A letter of the bank to us; one under a key that is revoked since is none.
    pub fn letter_to_us(&self, letter: Signed<Letter>) -> Result<Verified<Letter>, BankFlaw> {
        let letter = self.keys().verify(Usage::Attest, letter.unverified().at.day(), letter)?;
        match letter.owner == self.owner().key {
            true => Ok(letter),
            false => Err(BankFlaw::DoesNotFit),
        }
    }

    /// Letters that are not here yet, in the order of their numbers; `purchases` are our orders, so that what came back of
    /// a hold stands in the history under its name.
    pub fn letters_told(
        &self,
        letters: Vec<Verified<Letter>>,
        purchases: &[Purchase],
        now: Timestamp,
    ) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        let mut newest = self.account();
        for letter in letters {
            draft.put(Change::Letter(letter.signed().clone()));
            if newest.is_none_or(|known| known.letter < letter.number) {
                let told = AccountBalance { units: letter.balance, letter: letter.number, at: letter.at };
                draft.put(Change::Account(told));
                newest = Some(told);
            }
            if letter.kind == LetterKind::Returned {
                let of = purchases.iter().find(|purchase| purchase.digest == letter.request);
                draft.record(returned(&letter, of), newest.map(|account| account.units));
            }
            draft.event(Happening::Account {
                letter: letter.number,
                kind: letter.kind.word().to_owned(),
                units: letter.units,
                balance: letter.balance,
            });
        }
        Decision::new(draft, ())
    }
}

fn returned(letter: &Letter, of: Option<&Purchase>) -> NewEntry {
    let name = of.map_or("bank", |purchase| purchase.name.as_str());
    let (digest, _) = letter.request.0.split_first_chunk().expect("a digest has 32 bytes");
    NewEntry {
        movement: Movement::HeldBack,
        units: letter.units,
        party: of.map_or(Key::default(), |purchase| purchase.order().shop),
        name: Text::new(name, 255).unwrap_or_default(),
        memo: Text::default(),
        id: of.map_or(*digest, |purchase| purchase.hold.0),
    }
}
