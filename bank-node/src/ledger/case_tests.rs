//! The rules of cases as tables: which entry counts, where chains part, who pays how much.

use super::cases::{Debt, Entered, Funds, Side, Since, parting, segments};
use crate::ledger::AccountNumber;
use proptest::prelude::*;
use protocol::id::{Digest, Key};
use protocol::money::Units;
use protocol::note::{Destination, Link};
use protocol::range::Range;
use protocol::sign::{Signed, Signer};

fn units(units: u64) -> Units {
    Units::new(units).unwrap()
}

/// A chain by name: small letters hand to keys, capital ones are sinks.
fn chain(names: &str) -> Vec<Signed<Link>> {
    let signer = Signer::from_secret(&[1; 32]);
    let mut prev = Digest([0; 32]);
    let links = names.bytes().map(|name| {
        let to = if name.is_ascii_uppercase() {
            Destination::Redeem(Digest([name; 32]))
        } else {
            Destination::Key(Key([name; 32]))
        };
        let link = signer.sign(Link { prev, range: Range::new(0, 100).unwrap(), to });
        prev = link.digest();
        link
    });
    links.collect()
}

/// Threats X2: the parting names the signer; a sink on either side is no offence; one's own onward link is no parting.
#[test]
fn partings_as_a_table() {
    // lost, won, (the link, an offence)
    let table = [
        ("abc", "abxW", Some((2, true))),
        ("abc", "axW", Some((1, true))),
        ("abc", "xW", Some((0, true))),
        ("abc", "abW", Some((2, false))),
        ("abc", "W", Some((0, false))),
        ("abc", "abcW", None),
        ("abc", "abcdW", None),
    ];
    for (lost, won, expected) in table {
        let found = parting(&chain(lost), &chain(won)).map(|parting| (parting.at, parting.offence));
        assert_eq!(found, expected, "{lost} against {won}");
    }
}

type Piece = (u64, u64, &'static str);

/// Each unit is judged against the entry with the longest common prefix; neighbours against one entry are one piece;
/// units without an entry are none.
#[test]
fn segments_as_a_table() {
    let table: [(&[Piece], &[Piece]); 6] = [
        (&[], &[]),
        (&[(0, 10, "W")], &[]),
        (&[(0, 100, "W")], &[(20, 80, "W")]),
        (&[(0, 30, "W"), (50, 60, "axW")], &[(20, 30, "W"), (50, 60, "axW")]),
        // A settled claim inside a redeemed range cuts it in three.
        (&[(0, 100, "xW"), (40, 50, "abX")], &[(20, 40, "xW"), (40, 50, "abX"), (50, 80, "xW")]),
        // One that has less in common than what was redeemed changes nothing.
        (&[(0, 100, "abW"), (40, 50, "aX")], &[(20, 80, "abW")]),
    ];
    let range = |start, end| Range::new(start, end).unwrap();
    for (entries, expected) in table {
        let entered = |(start, end, names): &Piece| Entered {
            at: Since::Entry(1),
            range: range(*start, *end),
            links: chain(names),
        };
        let entries: Vec<Entered> = entries.iter().map(entered).collect();
        let found = segments(range(20, 80), &chain("abc"), &entries).into_iter();
        let found: Vec<Entered> = found.map(|(range, entry)| Entered { range, ..entry.clone() }).collect();
        assert_eq!(found, expected.iter().map(entered).collect::<Vec<_>>());
    }
}

fn debt(amount: u64, bearer: bool) -> Debt {
    let none = Units::ZERO;
    Debt {
        liable: AccountNumber(1001),
        offence: false,
        bearer: bearer.then_some(AccountNumber(1002)),
        units: units(amount),
        from_liable: none,
        from_guarantee: none,
        from_bearer: none,
        to_claimant: none,
        to_bearer: none,
    }
}

fn funds(liable: u64, guarantee: u64, bearer: u64) -> Funds {
    Funds { liable: units(liable), guarantee: units(guarantee), bearer: units(bearer) }
}

/// Threats X3: who pays how much of a hundred, and what is owed after it.
#[test]
fn payments_as_a_table() {
    // what liable, guarantee and bearer hold; is there a bearer; what they give; what is owed; what the claimant has
    let table = [
        ((100, 50, 50), true, [100, 0, 0], 0, 100),
        ((30, 50, 50), true, [30, 50, 20], 70, 100),
        ((0, 0, 0), true, [0, 0, 0], 100, 0),
        ((0, 10, 20), true, [0, 10, 20], 100, 30),
        ((0, 10, 20), false, [0, 10, 0], 100, 10),
        ((5, 0, 0), false, [5, 0, 0], 95, 5),
    ];
    for ((liable, guarantee, bearer), has_bearer, gives, owed, has) in table {
        let mut debt = debt(100, has_bearer);
        let moves = debt.settle(funds(liable, guarantee, bearer));
        let given = |side: Side| moves.iter().find(|(from, ..)| *from == side).map_or(0, |(_, _, u)| u.get());
        assert_eq!([given(Side::Liable), given(Side::Guarantee), given(Side::Bearer)], gives);
        assert_eq!(
            (debt.owed().get(), debt.to_claimant.get(), debt.guaranteed().get()),
            (owed, has, gives[1])
        );
    }
}

/// What is collected goes to the claimant, then to the bearer, then to the guarantee.
#[test]
fn collecting_has_an_order() {
    let mut debt = debt(100, true);
    debt.settle(funds(10, 20, 30));
    let given = |moves: Vec<(Side, Side, Units)>| -> Vec<(Side, u64)> {
        moves.into_iter().map(|(_, to, units)| (to, units.get())).collect()
    };
    assert_eq!(given(debt.collect(units(25))), [(Side::Claimant, 25)]);
    assert_eq!(given(debt.collect(units(25))), [(Side::Claimant, 15), (Side::Bearer, 10)]);
    assert_eq!(debt.guaranteed(), units(20));
    assert_eq!(given(debt.collect(units(500))), [(Side::Bearer, 20), (Side::Guarantee, 20)]);
    assert_eq!((debt.owed(), debt.guaranteed()), (Units::ZERO, Units::ZERO));
    assert!(debt.collect(units(500)).is_empty());
}

proptest! {
    /// Threats X3: whatever there is, nobody gets more than he lost and nobody pays more than he owes.
    #[test]
    fn a_debt_is_never_paid_twice(
        amount in 1..200u64,
        first in (0..150u64, 0..50u64, 0..150u64),
        later in prop::collection::vec(0..90u64, 0..8),
        bearer: bool,
    ) {
        let mut debt = debt(amount, bearer);
        debt.settle(funds(first.0, first.1, first.2));
        let sum = |parts: [Units; 3]| Units::sum(parts).unwrap();
        for income in later {
            debt.collect(units(income));
            prop_assert!(debt.to_claimant <= debt.units && debt.from_liable <= debt.units);
            prop_assert!(debt.to_bearer <= debt.from_bearer);
            // What came in went out, and the guarantee has back what it does not miss.
            let back = debt.from_guarantee.minus(debt.guaranteed()).unwrap();
            let paid = sum([debt.from_liable, debt.from_guarantee, debt.from_bearer]);
            prop_assert_eq!(paid, sum([debt.to_claimant, debt.to_bearer, back]));
        }
    }
}
