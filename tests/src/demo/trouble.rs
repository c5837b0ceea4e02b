//! Chapter «trouble»: somebody is off, somebody's computer is gone; nothing is lost (N6, N14, B6, B7).

use super::{Stage, say};
use crate::gone::{PATIENCE, is_safe, joins, loses_everything, restores, short_of_patience};
use crate::patience::{settles, until_within, wait};
use crate::people::Resident;
use protocol::node::rpc::Empty;

pub(super) fn play(stage: &mut Stage) {
    say("The bank is told to wait five seconds for objections, and not three days as it should.");
    short_of_patience(&stage.town);
    let dora = stage.town.resident("dora", 300);
    let phrase = joins(&dora);
    let dora = dora.started().unlocked();
    stage.paid_in += 300;
    dora.withdraws(200);
    say("dora joins, writes her 24 words down, and withdraws 200.");

    let Some(bob) = stage.people.get(1) else { unreachable!("bob has joined") };
    somebody_is_off(&dora, bob);
    stage.payments += 1;

    is_safe(&dora);
    let (reserve, account) = (dora.reserve(), dora.account().units.get());
    loses_everything(&dora);
    stage.killed += 1;
    say(&format!(
        "dora's computer is gone, with {reserve} in its reserve. Here is another one, with nothing on it."
    ));
    let told = restores(&dora, Some(dora.letter()), &phrase);
    assert!(told.is_ok(), "{told:?}");
    dora.starts();
    dora.unlocks();
    let lines = dora.history().len();
    say(&format!(
        "stermina restore: her {lines} movements are back at once; the reserve is reclaimed, not spent."
    ));
    let back = until_within(PATIENCE, || {
        let known = dora.balance().account.map(|known| known.units.get());
        (known == Some(account + reserve)).then_some(())
    });
    assert!(back.is_some(), "{:?}", dora.balance());
    say(&format!("Nobody objected: the {reserve} are on her account, {} in all.", account + reserve));
    dora.has_settled();
    stage.people.push(dora);
}

/// Payer and payee need not be on line together.
fn somebody_is_off(dora: &Resident, bob: &Resident) {
    let left = || wait(bob.rpc().mailbox_show(Empty {})).is_ok_and(|mailbox| mailbox.requests > 0);
    settles("bob has left requests at the bank", left);
    bob.locks();
    bob.stops();
    let sent = dora.pays(bob, 25).memo("for the door").sent();
    settles("it lies in his mailbox", || dora.payment(sent.payment).state == "posted");
    say("bob has gone home. dora pays him 25: it lies, sealed, in his mailbox at the bank.");
    bob.starts();
    let done = dora.outcome(sent.payment);
    assert_eq!(done.outcome, "done", "{done:?}");
    say("bob's workstation comes back, locked: it has collected the 25, and dora knows it.");
    bob.unlocks();
    bob.has_settled();
}
