//! Chains against a model (SPEC §2.10, §2.11): a tree of hand-ons, and a bitmap of who owns which unit.

use crate::scene::{Bank, Person, range};
use proptest::prelude::*;
use protocol::id::{Digest, Key};
use protocol::note::{ChainFlaw, Checked, Destination, LINKS_MAX, Link, Note, Relation, compare};
use protocol::range::Range;
use protocol::sign::{BadSignature, Signed, Signer};

const SPAN: u8 = 40;

/// N5: whatever a payee may take, he can take to the bank: the last link is kept for that.
#[test]
fn the_deepest_note_can_still_be_redeemed() {
    let (bank, alice) = (Bank::new(), Person::new(1));
    let key = alice.note_key(0);
    let mut note = bank.issue(1, 100, key.key());
    for _ in 1..LINKS_MAX {
        note = note.hand_on(range(0, 100), Destination::Key(key.key()), &key).unwrap();
    }
    let one_more = note.hand_on(range(0, 100), Destination::Key(key.key()), &key);
    assert_eq!(one_more, Err(ChainFlaw::TooDeep(LINKS_MAX)));
    let redeemed = note.hand_on(range(0, 100), Destination::Redeem(Digest([7; 32])), &key).unwrap();
    assert!(redeemed.verify(&bank.keys(), &mut Checked::default()).is_ok());
}

/// A note of the tree, and what the model knows of it: the hand-ons since the root, the units in a bitmap's manner.
#[derive(Clone)]
struct Leaf {
    note: Note,
    way: Vec<(Range, u8, bool)>,
    owner: u8,
    units: Vec<u8>,
    sunk: bool,
}

/// One hand-on: of which leaf, from where, how much, to whom; now and then to the bank.
type Step = (prop::sample::Index, u8, u8, u8, bool);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (any::<prop::sample::Index>(), 0..SPAN, 1..SPAN, 0..4u8, prop::bool::weighted(0.1));
    prop::collection::vec(step, 1..14)
}

fn key_of(owner: u8) -> Signer {
    Signer::from_secret(&[owner + 1; 32])
}

/// Every note that the steps make, also of units signed away before: owners here cheat freely.
fn grow(bank: &Bank, steps: &[Step]) -> Vec<Leaf> {
    let note = bank.issue(1, u64::from(SPAN), key_of(0).key());
    let mut tree = vec![Leaf { note, way: Vec::new(), owner: 0, units: (0..SPAN).collect(), sunk: false }];
    for (which, skip, take, to, sink) in steps {
        let from = which.get(&tree).clone();
        let start = usize::from(*skip) % from.units.len();
        let units: Vec<u8> = from.units.iter().skip(start).take(usize::from(*take)).copied().collect();
        let over = as_range(&units);
        let way = [from.way.clone(), vec![(over, *to, *sink)]].concat();
        let to_where = match sink {
            true => Destination::Redeem(Digest([*to; 32])),
            false => Destination::Key(key_of(*to).key()),
        };
        let made = from.note.hand_on(over, to_where, &key_of(from.owner));
        let too_deep = way.len() >= LINKS_MAX && !sink;
        assert_eq!(made.is_err(), from.sunk || too_deep);
        tree.extend(made.map(|note| Leaf { note, way, owner: *to, units, sunk: *sink }));
    }
    tree
}

fn as_range(units: &[u8]) -> Range {
    range(u64::from(units[0]), u64::from(units[units.len() - 1]) + 1)
}

/// What `compare` should say: the same hand-ons in the same order are the same chain.
fn expected(ours: &Leaf, theirs: &Leaf) -> Relation {
    let parting = ours.way.iter().zip(&theirs.way).position(|(a, b)| a != b);
    match parting {
        _ if !ours.units.iter().any(|unit| theirs.units.contains(unit)) => Relation::Apart,
        Some(at) => Relation::Fork { at },
        None if theirs.way.len() > ours.way.len() => Relation::ComesHome,
        None => Relation::Seen,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn chains_are_what_the_model_says(steps in steps()) {
        let bank = Bank::new();
        let (keys, tree) = (bank.keys(), grow(&bank, &steps));
        let mut checked = Checked::default();
        for leaf in &tree {
            let holding = leaf.note.clone().verify(&keys, &mut checked).unwrap().holding();
            prop_assert_eq!(holding.range, as_range(&leaf.units));
            match leaf.sunk {
                true => prop_assert_eq!(holding.to, Destination::Redeem(Digest([leaf.owner; 32]))),
                false => prop_assert_eq!(holding.to, Destination::Key(key_of(leaf.owner).key())),
            }
            for other in &tree {
                prop_assert_eq!(compare(&leaf.note, &other.note), expected(leaf, other));
            }
        }
    }

    /// Each way to break a chain is refused, and by its own rule.
    #[test]
    fn a_broken_chain_names_its_rule(depth in 1..6usize, at in any::<prop::sample::Index>(), odd in 0..6u8) {
        let bank = Bank::new();
        let mut note = bank.issue(1, u64::from(SPAN), key_of(0).key());
        for step in 0..depth {
            let to = Destination::Key(key_of(0).key());
            note = note.hand_on(range(step as u64, u64::from(SPAN)), to, &key_of(0)).unwrap();
        }
        let at = at.index(depth);
        let mut body = note.links[at].unverified().clone();
        let expected = match odd {
            0 => {
                body.prev = Digest([9; 32]);
                ChainFlaw::NotLinked(at)
            }
            1 => {
                body.range = range(0, u64::from(SPAN) + 1);
                ChainFlaw::OutsideParent(at)
            }
            2 => {
                body.to = Destination::Redeem(Digest([9; 32]));
                if at + 1 < depth { ChainFlaw::AfterSink(at + 1) } else { return Ok(()) }
            }
            3 => {
                body.to = Destination::Key(Key([9; 32]));
                if at + 1 < depth { ChainFlaw::NotLinked(at + 1) } else { return Ok(()) }
            }
            4 => {
                note.links[at] = key_of(1).sign(body.clone());
                ChainFlaw::Signature(BadSignature { what: "link" })
            }
            _ => {
                note.root = key_of(1).sign(note.root.unverified().clone());
                ChainFlaw::Signature(BadSignature { what: "root" })
            }
        };
        if odd < 4 {
            note.links[at] = key_of(0).sign(body);
        }
        prop_assert_eq!(note.verify(&bank.keys(), &mut Checked::default()).unwrap_err(), expected);
    }

    /// A signature that was good once is no good with any bit changed, also after it was remembered as good.
    #[test]
    fn no_bit_of_a_signature_can_change(bit in 0..512usize) {
        let bank = Bank::new();
        let note = bank.issue(1, 40, key_of(0).key());
        let note = note.hand_on(range(0, 9), Destination::Key(key_of(1).key()), &key_of(0)).unwrap();
        let mut checked = Checked::default();
        prop_assert!(note.clone().verify(&bank.keys(), &mut checked).is_ok());
        let mut bytes = note.links[0].to_bytes();
        let from = bytes.len() - 64;
        bytes[from + bit / 8] ^= 1 << (bit % 8);
        let changed = Note { links: vec![Signed::<Link>::from_bytes(&bytes).unwrap()], ..note };
        let flaw = changed.verify(&bank.keys(), &mut checked).unwrap_err();
        prop_assert_eq!(flaw, ChainFlaw::Signature(BadSignature { what: "link" }));
    }
}

#[test]
fn other_banks_and_other_days_are_told_apart() {
    let bank = Bank::new();
    let key = key_of(0).key();
    let check = |root| Note::fresh(bank.issue.sign(root)).verify(&bank.keys(), &mut Checked::default());
    let good = bank.root(1, 10, key);
    assert!(check(good.clone()).is_ok());
    let mut other = good.clone();
    other.bank = protocol::id::BankId([1; 8]);
    assert_eq!(check(other).unwrap_err(), ChainFlaw::OtherBank);
    let mut epoch = good.clone();
    epoch.epoch = 8;
    assert_eq!(check(epoch).unwrap_err(), ChainFlaw::UnknownEpoch(8));
    let mut day = good;
    day.issued_day = day.issued_day.plus_days(1);
    assert_eq!(check(day).unwrap_err(), ChainFlaw::UnknownEpoch(7));
}
