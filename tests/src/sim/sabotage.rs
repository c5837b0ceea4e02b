//! Worlds broken on purpose: a simulation that can't fail proves nothing.

use super::act::{Act, Kind};
use super::life::Life;
use crate::world::Who;
use bank_node::ledger::AccountNumber;
use bank_node::ledger::books::View;
use bank_node::ledger::holds::{Held, HoldView as _};
use bank_node::ledger::tenure::{Tenure, TenureView as _};
use bank_node::store::shelf::{Shelf, Table};
use daemon::store::Store;
use daemon::wallet::change::Change;
use protocol::money::Units;
use protocol::range::{Range, RangeSet};

/// Breaks something that the rules would never break.
pub(super) fn happens(life: &mut Life, act: &Act) {
    let who = Who::at(usize::from(act.who) % life.setting.honest());
    match act.kind {
        Kind::ForgetRedeemed => {
            let shelves = &life.world.bank.shelves;
            let last = shelves.before(Table::Redeemed, &[0xff; 17]).ok().flatten();
            if let Some((key, _)) = last {
                shelves.tamper(Table::Redeemed, &key, None);
            }
        }
        Kind::CreditNothing => {
            let number = life.world.person(who).wallet().owner().account;
            let view = &life.world.bank.shelves;
            let found = view.account(AccountNumber(number)).ok().flatten();
            if let Some(mut account) = found {
                account.credits += u128::from(act.much);
                let bytes = rmp(&account);
                view.tamper(Table::Accounts, &number.to_be_bytes(), Some(bytes));
            }
        }
        Kind::ForgetDispute => change_hold(life, |held| held.dispute.take().is_some()),
        Kind::LoseHeld => change_hold(life, |held| {
            let less = held.left.minus(Units::new(1).unwrap_or_default());
            less.map(|left| held.left = left).is_ok()
        }),
        Kind::ForgetPeriod => change_tenure(life, |tenure| {
            let lease = tenure.lease.as_mut().filter(|lease| lease.periods > 0);
            lease.map(|lease| lease.periods -= 1).is_some()
        }),
        Kind::ForgetSweep => change_tenure(life, |tenure| {
            tenure.sweeps = tenure.sweeps.saturating_sub(1);
            tenure.sweeps > 0
        }),
        Kind::GiveBackTwice => life.gives_back_twice(),
        Kind::FreeAgain => {
            // As a wallet would that lets a date free what it has promised.
            let person = life.world.person(who);
            let held = person.wallet().notes().find(|own| !own.held.is_empty()).cloned();
            if let Some(mut own) = held {
                for hold in std::mem::take(&mut own.held) {
                    own.free.insert(hold.range);
                }
                commit(life, who, &[Change::Note(own)]);
            }
        }
        Kind::EditHistory => {
            let person = life.world.person(who);
            let page = daemon::store::Page { before: None, limit: 1 };
            let line = person.store().ok().and_then(|store| store.history(page).ok()?.pop());
            if let Some(mut line) = line {
                line.seq += 1;
                line.reserve = line.reserve.plus(Units::new(1).unwrap_or_default()).unwrap_or_default();
                commit(life, who, &[Change::History(line)]);
            }
        }
        Kind::StretchNote => {
            // One unit more than the chain hands over.
            let person = life.world.person(who);
            let own = person.wallet().notes().find(|own| !own.free.is_empty()).cloned();
            if let Some(mut own) = own
                && let Ok(holding) = own.note.holding()
                && let Ok(longer) = Range::new(holding.range.start(), holding.range.end() + 1)
            {
                own.free = RangeSet::from_iter([longer]);
                commit(life, who, &[Change::Note(own)]);
            }
        }
        _ => {}
    }
}

fn rmp<T: serde::Serialize>(record: &T) -> Vec<u8> {
    rmp_serde::to_vec(record).unwrap_or_default()
}

/// Changes the first open hold that can be changed so.
fn change_hold(life: &Life, change: impl Fn(&mut Held) -> bool) {
    let view = &life.world.bank.shelves;
    let holds = view.holds_after(0, usize::MAX).unwrap_or_default();
    let changed = holds.into_iter().filter(Held::is_open).find_map(|mut held| {
        let number = held.number.to_be_bytes();
        change(&mut held).then(|| (number, rmp(&held)))
    });
    if let Some((key, row)) = changed {
        view.tamper(Table::Holds, &key, Some(row));
    }
}

/// The same of whose a shop is.
fn change_tenure(life: &Life, change: impl Fn(&mut Tenure) -> bool) {
    let view = &life.world.bank.shelves;
    let tenures = view.tenures_after(AccountNumber(0), usize::MAX).unwrap_or_default();
    let changed = tenures.into_iter().find_map(|mut tenure| {
        let key = [&b"t"[..], &tenure.shop.0.to_be_bytes()].concat();
        change(&mut tenure).then(|| (key, rmp(&tenure)))
    });
    if let Some((key, row)) = changed {
        view.tamper(Table::Tenures, &key, Some(row));
    }
}

fn commit(life: &mut Life, who: Who, changes: &[Change]) {
    if life.world.person(who).store().is_ok_and(|store| store.commit(changes).is_ok()) {
        // Loaded again, the wallet believes what its disk says.
        life.world.crash(who, crate::world::Kept::Everything);
    }
}
