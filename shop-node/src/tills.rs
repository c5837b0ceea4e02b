//! What a till shows, and who asks by it: six digits that change each minute lead to the sale that waits there (M2, SPEC §3.11).
//!
//! The secret behind the digits is made anew at each start and lies on no disk: what a till shows afterwards is simply
//! something else. A wrong code says nothing about sales, not even whether there are any.

use crate::room::Room;
use daemon::engine::Engine;
use daemon::store::Store as _;
use protocol::body;
use protocol::id::{Digest, Key};
use protocol::node::chance::chance_bytes;
use protocol::shop::TILL_MAX;
use protocol::time::Timestamp;
use protocol::wire::{ErrorCode, ShopAnswer, TillAsk, TillCode, TillLine, TillSale};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long a till shows the same.
const SHOWN_SECONDS: u64 = 60;
/// Wrong codes of one person within [`WINDOW_SECONDS`]; the next ones are not looked at.
const WRONG_MAX: u32 = 5;
/// Wrong codes of everybody together within [`SHOWN_SECONDS`].
const WRONG_OF_ALL_MAX: u32 = 60;
/// How long a wrong code is remembered.
const WINDOW_SECONDS: u64 = 600;

/// What a till shows now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The digits.
    pub code: TillCode,
    /// When it shows others. These are taken for a minute more.
    pub until: Timestamp,
}

/// The tills' codes, and wrong ones.
pub struct Codes {
    secret: [u8; 32],
    wrong: Mutex<Wrong>,
}

/// Wrong codes, by who sent them. As many as all together may send, so it needs no other bound.
#[derive(Default)]
struct Wrong {
    by: HashMap<Key, (u64, u32)>,
    minute: u64,
    in_minute: u32,
}

impl Wrong {
    /// Whether somebody may try.
    fn may(&mut self, who: &Key, now: u64) -> bool {
        let minute = now / SHOWN_SECONDS;
        if self.minute != minute {
            (self.minute, self.in_minute) = (minute, 0);
            self.by.retain(|_, (since, _)| now.saturating_sub(*since) < WINDOW_SECONDS);
        }
        let own = self.by.get(who).filter(|(since, _)| now.saturating_sub(*since) < WINDOW_SECONDS);
        self.in_minute < WRONG_OF_ALL_MAX && own.is_none_or(|(_, count)| *count < WRONG_MAX)
    }

    fn note(&mut self, who: Key, now: u64) {
        self.in_minute += 1;
        let (since, count) = self.by.entry(who).or_insert((now, 0));
        if now.saturating_sub(*since) >= WINDOW_SECONDS {
            (*since, *count) = (now, 0);
        }
        *count += 1;
    }
}

impl Codes {
    /// Codes that nobody can know beforehand.
    pub fn new() -> Codes {
        Codes::of(chance_bytes())
    }

    fn of(secret: [u8; 32]) -> Codes {
        Codes { secret, wrong: Mutex::default() }
    }

    fn in_minute(&self, till: &str, minute: u64) -> TillCode {
        let material = [&self.secret[..], &minute.to_be_bytes(), till.as_bytes()].concat();
        let Digest(digest) = body::digest("till-code", &material);
        let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        TillCode::of(number)
    }

    /// What a till shows.
    pub fn shown(&self, till: &str, now: Timestamp) -> Shown {
        let minute = now.0 / SHOWN_SECONDS;
        Shown { code: self.in_minute(till, minute), until: Timestamp((minute + 1) * SHOWN_SECONDS) }
    }

    /// The till that shows this code now, or did a minute ago; `named` where several do.
    pub fn till(
        &self,
        (named, code): (&str, TillCode),
        tills: &[String],
        who: Key,
        now: Timestamp,
    ) -> Result<String, ErrorCode> {
        let mut wrong = self.wrong();
        if !wrong.may(&who, now.0) {
            return Err(ErrorCode::TooManyTries);
        }
        let minute = now.0 / SHOWN_SECONDS;
        let shows = |till: &str| {
            self.in_minute(till, minute) == code || self.in_minute(till, minute.saturating_sub(1)) == code
        };
        let mut found = tills.iter().filter(|till| (named.is_empty() || *till == named) && shows(till));
        match (found.next(), found.next()) {
            (Some(till), None) => Ok(till.clone()),
            (Some(_), Some(_)) => Err(ErrorCode::WhichTill),
            (None, _) => {
                wrong.note(who, now.0);
                Err(ErrorCode::OtherTillCode)
            }
        }
    }

    fn wrong(&self) -> MutexGuard<'_, Wrong> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Codes {
    fn default() -> Codes {
        Codes::new()
    }
}

/// Answers customers who read a code off a till.
pub struct Tills {
    room: Room,
    engine: Engine,
    /// The codes.
    pub codes: Arc<Codes>,
}

impl Tills {
    /// The tills of this room.
    pub fn new(room: Room, engine: Engine) -> Tills {
        Tills { room, engine, codes: Arc::default() }
    }

    /// Their names.
    pub async fn names(&self) -> Result<Vec<String>, ErrorCode> {
        let look = self.room.look(|shop| shop.settings().tills.clone());
        look.await.map_err(|_| ErrorCode::Unavailable)
    }

    /// The sale that waits at the till with this code.
    pub async fn asked(&self, who: Key, ask: TillAsk) -> Result<ShopAnswer, ErrorCode> {
        if ask.till.len() > TILL_MAX {
            return Err(ErrorCode::Malformed);
        }
        let (tills, now) = (self.names().await?, self.engine.shared.now());
        let till = self.codes.till((&ask.till, ask.code), &tills, who, now)?;
        let sale = self.waiting(&till, now).await?.ok_or(ErrorCode::NothingToPay)?;
        Ok(ShopAnswer::Till(Box::new(sale)))
    }

    /// Of the sales at a till that can be paid now, the one that was asked last.
    pub async fn waiting(&self, till: &str, now: Timestamp) -> Result<Option<TillSale>, ErrorCode> {
        let till = till.to_owned();
        let look = self.room.look(move |shop| shop.waiting_at(&till, now));
        for sale in look.await.map_err(|_| ErrorCode::Unavailable)? {
            let Some(request) = sale.request else { continue };
            let found = self.engine.shared.store.request(&request).map_err(|_| ErrorCode::Unavailable)?;
            // The wallet knows of a payment before the shop does.
            let Some(record) = found.filter(|record| record.paid.is_none() && record.closed.is_none()) else {
                continue;
            };
            let line = |line: &crate::shop::sale::Line| TillLine {
                name: line.name.clone(),
                quantity: line.quantity,
                price: line.price,
            };
            let lines = sale.lines.iter().map(line).collect();
            return Ok(Some(TillSale { till: sale.till, request: record.request, lines }));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Key = Key([1; 32]);
    const AT: Timestamp = Timestamp(600_000);

    fn tills(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn another(code: TillCode) -> TillCode {
        TillCode::of(u64::from(code.number()) + 1)
    }

    /// M2: a till's code holds for its minute and the next one; another till shows another, and so does a restart.
    #[test]
    fn a_code_holds_for_two_minutes_and_for_one_till() {
        let (codes, both) = (Codes::of([7; 32]), tills(&["1", "2"]));
        let Shown { code, until } = codes.shown("2", AT);
        assert_eq!(until, AT.plus_seconds(60));
        let at = |seconds| codes.till(("", code), &both, ALICE, AT.plus_seconds(seconds));
        assert_eq!(at(0).as_deref(), Ok("2"));
        assert_eq!(at(119).as_deref(), Ok("2"));
        assert_eq!(at(120), Err(ErrorCode::OtherTillCode));
        assert_eq!(codes.till(("1", code), &both, ALICE, AT), Err(ErrorCode::OtherTillCode));
        assert_ne!(codes.shown("1", AT).code, code);
        assert_ne!(Codes::of([8; 32]).shown("2", AT).code, code);
        assert_ne!(codes.shown("2", until).code, code);
    }

    /// M2: two tills that show the same by chance are told apart by name, and none of them is taken for the other.
    #[test]
    fn two_tills_with_one_code_are_told_apart_by_name() {
        let codes = Codes::of([7; 32]);
        let names: Vec<String> = (0..2_000).map(|n| n.to_string()).collect();
        let twins = names.iter().find_map(|one| {
            let shown = codes.shown(one, AT).code;
            let other = names.iter().find(|other| *other != one && codes.shown(other, AT).code == shown)?;
            Some([one.clone(), other.clone()])
        });
        let twins = twins.unwrap();
        let code = codes.shown(&twins[0], AT).code;
        assert_eq!(codes.till(("", code), &twins, ALICE, AT), Err(ErrorCode::WhichTill));
        assert_eq!(codes.till((&twins[1], code), &twins, ALICE, AT).as_ref(), Ok(&twins[1]));
    }

    /// M2, threats: five wrong codes, and the right one is not looked at for ten minutes; others go on, until all together
    /// have guessed too much in this minute.
    #[test]
    fn who_guesses_is_not_heard_any_more() {
        let (codes, one) = (Codes::of([7; 32]), tills(&["1"]));
        let guess = |who: Key, seconds: u64, right: bool| {
            let now = AT.plus_seconds(seconds);
            let code = codes.shown("1", now).code;
            let code = if right { code } else { another(another(code)) };
            codes.till(("", code), &one, who, now)
        };
        for _ in 0..WRONG_MAX {
            assert_eq!(guess(ALICE, 0, false), Err(ErrorCode::OtherTillCode));
        }
        assert_eq!(guess(ALICE, 0, true), Err(ErrorCode::TooManyTries));
        assert_eq!(guess(ALICE, WINDOW_SECONDS - 1, true), Err(ErrorCode::TooManyTries));
        assert_eq!(guess(ALICE, WINDOW_SECONDS, true).as_deref(), Ok("1"));
        let mut refused = 0;
        for n in 0..100_u8 {
            let who = Key([n + 2; 32]);
            refused += u32::from(guess(who, 6_000, false) == Err(ErrorCode::TooManyTries));
        }
        assert_eq!(refused, 100 - WRONG_OF_ALL_MAX);
        assert_eq!(guess(Key([200; 32]), 6_059, true), Err(ErrorCode::TooManyTries), "this minute");
        assert_eq!(guess(Key([200; 32]), 6_060, true).as_deref(), Ok("1"), "the next one");
    }
}
