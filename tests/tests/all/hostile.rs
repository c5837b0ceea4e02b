//! A peer that keeps no rules, against the real programs (threats H, X, Y): each lie gets its typed error, costs
//! little and changes nothing, and honest money passes afterwards.
//!
//! | scenes | who is attacked |
//! |---|---|
//! | [`money`] | a payee, with notes that are none |
//! | [`papers`] | a payee, with orders, requests and papers that do not fit |
//! | [`again`] | a payee, with what was sent before |
//! | [`bytes`] | both protocols, with bytes that are no message |
//! | [`floods`] | a payee, with too much of everything |
//! | [`bank`] | the bank-node, by its own customers |
//! | [`doors`] | the local interfaces of both programs |
//! | [`keys`] | everybody, with a key stolen from the bank |

mod again;
mod bank;
mod bytes;
mod doors;
mod floods;
mod keys;
mod money;
mod papers;

use protocol::node::rpc::EventsList;
use protocol::pay::Refusal;
use protocol::sign::Signed;
use protocol::wire::{ErrorCode, PayAnswer};
use tests::patience::wait;
use tests::people::{Bank, Community, Resident};
use tests::stranger::draft::Draft;
use tests::stranger::{Purse, Stranger, Target};

/// A payee who is at home and locked, so that nothing moves by itself; and somebody who holds real money.
struct Scene {
    town: Community,
    bob: Resident,
    target: Target,
    mallory: Stranger,
    purse: Purse,
}

impl Scene {
    fn new() -> Scene {
        let town = Community::open("Naxos");
        let bob = receives(&town, "bob");
        let mallory = Stranger::joins(&town, "mallory", 100_000);
        let target = mallory.finds(&bob);
        let purse = mallory.withdraws(&[50_000]).remove(0);
        Scene { town, bob, target, mallory, purse }
    }

    fn draft(&mut self) -> Draft {
        self.mallory.drafts(&self.target, &mut self.purse, 30)
    }

    /// The payee takes honest money from the very same hands, and the books agree.
    fn ends_well(mut self) {
        let before = self.bob.reserve();
        self.mallory.pays(&self.target, &mut self.purse, 7);
        assert_eq!(self.bob.reserve(), before + 7);
        self.town.is_sound(&[&self.bob]);
    }
}

/// With tickets for payers and without the keys to move anything.
fn receives(town: &Community, name: &str) -> Resident {
    let resident = town.resident(name, 0).joined().started().unlocked();
    resident.locks();
    resident
}

/// All that a payee could have been made to do: his money, his history, his events.
fn state(resident: &Resident) -> (u64, usize, u64) {
    let connection = resident.program().connection();
    let events = wait(connection.events(&EventsList::default())).unwrap();
    (resident.reserve(), resident.history().len(), events.newest)
}

/// Two operators of a bank, by the secrets of their tokens: one alone decides nothing.
struct Operators([String; 2]);

impl Operators {
    fn of(bank: &Bank) -> Operators {
        Operators(["anna", "bruno"].map(|name| {
            let made = bank.cli(&["--json", "operator", "add", name]).expect_ok("operator add").json();
            made["secret"].as_str().unwrap().to_owned()
        }))
    }

    /// `suspend` or `reinstate`, as two of them do it.
    fn decide(&self, bank: &Bank, change: &str, account: u64) {
        let (Operators([anna, bruno]), account) = (self, account.to_string());
        let propose = ["--token", anna, change, "propose", &account, "--reason", "case 7"];
        bank.cli(&propose).expect_ok("propose");
        let alone = bank.cli(&["--token", anna, change, "confirm", &account]);
        assert!(!alone.ok(), "one operator alone: {alone:?}");
        bank.cli(&["--token", bruno, change, "confirm", &account]).expect_ok("confirm");
    }
}

/// Plays something that must leave no trace at the payee.
#[track_caller]
fn untouched(resident: &Resident, what: &str, play: impl FnOnce()) {
    let before = state(resident);
    play();
    assert_eq!(state(resident), before, "{what} has changed something");
}

#[track_caller]
fn error(what: &str, answer: &PayAnswer, code: ErrorCode) {
    assert!(
        matches!(answer, PayAnswer::Error(told) if *told == code),
        "{what}: {code:?} expected: {answer:?}"
    );
}

/// A refusal of this order, signed by the payee's workstation.
#[track_caller]
fn refusal(what: &str, answer: PayAnswer, draft: &Draft, by: &Target, code: ErrorCode) {
    let refusal: Signed<Refusal> = match answer {
        PayAnswer::Refused(refusal) => refusal,
        other => panic!("{what}: a refusal was expected: {other:?}"),
    };
    assert_eq!(refusal.unverified().code, code, "{what}");
    assert!(refusal.check_by(&by.identity.node).is_ok(), "{what}: the refusal is not his");
    let payer = protocol::sign::Signer::from_secret(&[1; 32]);
    assert_eq!(refusal.unverified().order, payer.sign(draft.order.clone()).digest(), "{what}: another order");
}
