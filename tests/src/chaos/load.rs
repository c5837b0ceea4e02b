//! The load: everybody pays everybody, again and again, with the same key until he is answered.

use std::sync::atomic::{AtomicBool, Ordering};

use daemon::rpc::api::{Move, Pay};
use protocol::node::rpc::CallError;

use super::{Begun, Station};
use crate::patience::until;
use crate::patience::wait;
use crate::people::amount;
use crate::world::Chance;

/// Answers that a storm gives and that say: once more, with the same key.
const PASSING: [&str; 6] =
    ["locked", "stopping", "deadline", "insufficient_funds", "disk_low", "storage_failed"];

/// Pays until it is over.
pub(super) fn goes_on(stations: &[Station], at: usize, mut chance: Chance, over: &AtomicBool) -> Vec<Begun> {
    let mut begun = Vec::new();
    let Some(payer) = stations.get(at) else { return begun };
    for number in 0_u64.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let payee = (at + 1 + chance.place(stations.len() - 1)) % stations.len();
        let key = format!("chaos-{at}-{number}");
        match chance.below(12) {
            0 => moves(payer, &key, true, 1 + chance.below(50)),
            1 => moves(payer, &key, false, 1 + chance.below(50)),
            _ => begun.extend(pays(stations, (at, payee), &key, &mut chance)),
        }
    }
    begun
}

fn pays(
    stations: &[Station],
    (payer, payee): (usize, usize),
    key: &str,
    chance: &mut Chance,
) -> Option<Begun> {
    let (from, to) = (stations.get(payer)?, stations.get(payee)?);
    let asked = Pay {
        to: to.resident.public_code().to_string(),
        units: Some(amount(1 + chance.below(9))),
        memo: None,
        certified: chance.percent(15).then_some(true),
        key: key.to_owned(),
    };
    let sent = until(|| passed(wait(from.resident.rpc().pay(asked.clone()))));
    let name = from.resident.name();
    let id = sent.unwrap_or_else(|| panic!("{name} gets no answer to {key}")).payment;
    Some(Begun { payer, id })
}

fn moves(who: &Station, key: &str, out: bool, units: u64) {
    let asked = Move { units: amount(units), key: key.to_owned() };
    let rpc = who.resident.rpc();
    let answer = until(|| {
        let asked = asked.clone();
        passed(if out { wait(rpc.withdraw(asked)) } else { wait(rpc.deposit(asked)) })
    });
    assert!(answer.is_some(), "{} gets no answer to {key}", who.resident.name());
}

/// An answer to keep; none if the call has to be made again.
pub(super) fn passed<T>(answer: Result<T, CallError>) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(CallError::Unreachable { .. } | CallError::Lost { .. }) => None,
        Err(CallError::Rpc(error)) => {
            assert!(PASSING.contains(&&*error.reason), "{error:?}");
            None
        }
        Err(CallError::Protocol(why)) => panic!("{why}"),
    }
}
