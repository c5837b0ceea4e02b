//! Who learns what (SPEC, levels of anonymity; N15): the network, a later holder, the bank. Read off the bytes.
//!
//! What is hidden and what is not stand side by side: a promise that nobody checks is none.

use daemon::wallet::banking::Operation;
use protocol::code::PublicCode;
use protocol::note::Note;
use protocol::seal;
use protocol::wire::{self, BankAnswer, BankAsk, Hail, Letterhead, PayAsk};
use tests::world::{Chance, Mail, Who, World, units};

/// Everything that goes out, in order, while the world comes to rest.
#[derive(Default)]
struct Overheard {
    to_people: Vec<(Who, Who, Vec<u8>)>,
    to_bank: Vec<(Who, Vec<u8>)>,
}

fn listens(world: &mut World) -> Overheard {
    let mut heard = Overheard::default();
    loop {
        while let Some(mail) = world.post.next(&mut Chance::of(0)) {
            match &mail {
                Mail::Ask(from, to, _, bytes) => heard.to_people.push((*from, *to, bytes.clone())),
                Mail::ToBank(who, _, bytes) => heard.to_bank.push((*who, bytes.clone())),
                _ => {}
            }
            world.arrive(mail).unwrap();
        }
        let everybody = world.everybody();
        everybody.iter().for_each(|who| world.remind(*who));
        if world.post.is_empty() {
            return heard;
        }
    }
}

fn three() -> (World, [Who; 3]) {
    let mut world = World::new(5);
    let people =
        [world.join("Alice Arrighi", 1_000), world.join("Bob Bardi", 100), world.join("Carol Conti", 100)];
    (world, people)
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// What names somebody: owner key, node key, public code, name.
fn names_of(world: &World, who: Who) -> Vec<Vec<u8>> {
    let person = world.person(who);
    let code = PublicCode::of(person.key()).to_string();
    vec![
        person.key().0.to_vec(),
        person.node.key().0.to_vec(),
        code.to_uppercase().into_bytes(),
        code.into_bytes(),
        person.name.clone().into_bytes(),
    ]
}

#[track_caller]
fn names_nobody(world: &World, bytes: &[u8]) {
    for who in world.everybody() {
        for name in names_of(world, who) {
            assert!(!holds(bytes, &name), "{} is named", world.person(who).name);
        }
    }
}

fn sealed(world: &World, from: Who, to: Who, letterhead: &[u8]) -> Vec<u8> {
    let (from, to) = (world.person(from), world.person(to));
    let mut chance = protocol::node::chance::chance();
    seal::seal(&from.view, &to.view.key(), letterhead, &mut chance).unwrap()
}

/// The network observer sees one of five sizes, and nothing of what is inside.
#[test]
fn the_network_sees_sizes_and_nothing_else() {
    let (mut world, [alice, bob, _]) = three();
    world.withdraw(alice, 500).unwrap();
    world.settles();
    let mut sizes = Vec::new();
    for (amount, memo) in [(1, "x"), (4_111, "rent for the second half of the year, with thanks")] {
        let mut new = world.new_payment(bob, amount.min(499));
        new.memo = protocol::body::Text::new(memo, 140).unwrap();
        let id = world.begin(alice, new).unwrap();
        let heard = listens(&mut world);
        assert!(heard.to_people.len() >= 2, "an offer and a payment");
        for (from, to, letterhead) in &heard.to_people {
            let envelope = sealed(&world, *from, *to, letterhead);
            assert!(seal::SIZES.contains(&envelope.len()), "{}", envelope.len());
            names_nobody(&world, &envelope);
            assert!(!holds(&envelope, memo.as_bytes()) || memo.len() < 4);
            assert!(!holds(&envelope, &id.0));
            // The letter itself has all of it: what hides it is the seal.
            assert!(holds(letterhead, &world.person(*from).key().0));
            let hail = wire::encode(&Hail::Sealed(envelope.clone()));
            assert!(hail.len() <= envelope.len() + 16, "{}", hail.len());
            // Sealed again, nothing but the keys in the header is the same: a resend does not look like one.
            let again = sealed(&world, *from, *to, letterhead);
            assert_eq!(again[..65], envelope[..65]);
            let same = again[65..].iter().zip(&envelope[65..]).filter(|(a, b)| a == b).count();
            assert!(same < envelope.len() / 64, "{same} bytes of {} are the same", envelope.len());
        }
        sizes.push(heard.to_people.iter().map(|(_, _, l)| size_class(l.len())).collect::<Vec<_>>());
    }
    assert_eq!(sizes[0], sizes[1], "one unit and many, a short memo and a long one look alike");
    world.check_settled();
}

fn size_class(letter: usize) -> usize {
    seal::SIZES.into_iter().find(|size| letter + 117 <= *size).unwrap()
}

/// Not hidden: the envelope's header has both view keys, and the directory says whose they are. On the wire it
/// lies inside Noise; who stores envelopes for others, as a mailbox does, sees them.
#[test]
fn an_envelope_shows_whom_it_is_from_and_to_by_their_view_keys() {
    let (world, [alice, bob, _]) = three();
    let envelope = sealed(&world, alice, bob, b"anything");
    assert_eq!(envelope[1..33], world.person(alice).view.key().0);
    assert_eq!(envelope[33..65], world.person(bob).view.key().0);
}

fn notes_in(letterhead: &[u8]) -> Option<Vec<Note>> {
    let letterhead: Letterhead = wire::decode(letterhead).unwrap();
    match letterhead.ask {
        PayAsk::Pay(payment) => Some(payment.notes.unpack().unwrap()),
        _ => None,
    }
}

fn nobody_refreshes(world: &mut World) {
    for who in world.everybody() {
        let policy = world.person(who).wallet().policy().clone();
        let policy = daemon::wallet::policy::Policy { refresh: false, ..policy };
        let decision = world.person(who).wallet().set_policy(policy, world.now);
        world.settle_decision(who, decision).unwrap();
    }
}

/// A later holder of a chain that was never renewed sees earlier amounts and keys, and no names.
#[test]
fn a_later_holder_sees_amounts_of_strangers_and_no_names() {
    let (mut world, [alice, bob, carol]) = three();
    world.withdraw(alice, 500).unwrap();
    world.settles();
    nobody_refreshes(&mut world);
    world.pay(alice, bob, 123).unwrap();
    world.settles();
    world.pay(bob, carol, 45).unwrap();
    let heard = listens(&mut world);
    let (.., letter) = heard.to_people.iter().find(|(.., l)| notes_in(l).is_some()).unwrap();
    assert!(!holds(letter, &world.person(alice).key().0), "Alice is not named to Carol");
    assert!(!holds(letter, &world.person(alice).node.key().0));
    assert!(!holds(letter, b"Alice"));
    let notes = notes_in(letter).unwrap();
    // What she does see: the withdrawal's size and day, the amount of the hop before hers, and that there was one.
    let root = notes[0].root.unverified();
    assert_eq!((root.units, root.issued_day), (units(500), world.now.day()));
    let amounts: Vec<u64> = notes[0].links.iter().map(|l| l.unverified().range.units().get()).collect();
    assert_eq!(amounts, [123, 45]);
    world.check_settled();
}

/// After a refresh, and after a certified payment, a later holder sees nothing of what was before.
#[test]
fn a_renewed_note_has_no_past() {
    let (mut world, [alice, bob, carol]) = three();
    world.withdraw(alice, 500).unwrap();
    world.settles();
    let old = world.person(alice).wallet().notes().next().unwrap().note.root.unverified().clone();
    world.pay(alice, bob, 123).unwrap();
    world.settles();
    world.pay(bob, carol, 45).unwrap();
    let direct = listens(&mut world);
    world.pay_certified(bob, carol, 20).unwrap();
    let certified = listens(&mut world);
    for heard in [direct, certified] {
        let (.., letter) = heard.to_people.iter().find(|(.., l)| notes_in(l).is_some()).unwrap();
        for trace in [&old.id.0, &old.to.0] {
            assert!(!holds(letter, trace), "the withdrawal shows");
        }
        let notes = notes_in(letter).unwrap();
        assert!(notes[0].links.len() <= 1, "no hop but this one");
        assert_ne!(notes[0].root.unverified().serial, old.serial);
        names_are_only(&world, letter, &[bob, carol]);
    }
}

#[track_caller]
fn names_are_only(world: &World, bytes: &[u8], known: &[Who]) {
    for who in world.everybody() {
        let named = names_of(world, who).iter().any(|name| holds(bytes, name));
        assert!(!named || known.contains(&who), "{} is named", world.person(who).name);
    }
}

/// The bank at a refresh, a certified payment, a taking back: note keys and ranges, nobody's name, nobody's memo.
#[test]
fn a_re_issue_does_not_say_who_asks_or_who_gets_it() {
    let (mut world, [alice, bob, _]) = three();
    world.withdraw(alice, 500).unwrap();
    world.settles();
    world.pay(alice, bob, 123).unwrap();
    world.pay_certified(alice, bob, 50).unwrap();
    let heard = listens(&mut world);
    let mut reissues = 0;
    for (_, ask) in &heard.to_bank {
        assert!(matches!(wire::decode(ask).unwrap(), BankAsk::Reissue(..)));
        names_nobody(&world, ask);
        assert!(!holds(ask, b"for something"), "nor what for");
        reissues += 1;
    }
    assert!(reissues >= 2, "Bob's refresh and Alice's certified payment");
    for what in
        [Operation::Refresh, Operation::Certify(Default::default()), Operation::TakeBack(Default::default())]
    {
        assert!(what.is_anonymous(), "{what:?} goes over a throw-away identity");
    }
    for what in [Operation::Withdraw, Operation::Deposit] {
        assert!(!what.is_anonymous());
    }
}

/// Threats H8, LA0, and not hidden: the bank knows who withdraws and who deposits, and matches the two for a payment of one hop.
#[test]
fn the_bank_matches_a_withdrawal_with_the_deposit_after_one_hop() {
    let (mut world, [alice, bob, _]) = three();
    nobody_refreshes(&mut world);
    world.withdraw(alice, 500).unwrap();
    let Some(Mail::ToBank(_, _, ask)) = world.post.next(&mut Chance::of(0)) else { panic!() };
    assert!(holds(&ask, &world.person(alice).key().0), "who withdraws");
    let Some(BankAnswer::Withdrawn(roots, _)) = world.bank.ask(wire::decode(&ask).unwrap()) else { panic!() };
    world.settles();
    world.pay(alice, bob, 123).unwrap();
    world.settles();
    world.deposit(bob, 123).unwrap();
    let heard = listens(&mut world);
    let (_, ask) = &heard.to_bank[0];
    assert!(holds(ask, &world.person(bob).key().0), "who deposits");
    let BankAsk::Deposit(_, notes) = wire::decode(ask).unwrap() else { panic!() };
    let notes = notes.unpack().unwrap();
    assert_eq!(
        notes[0].root, roots[0],
        "the very root that Alice withdrew: the bank knows payer, payee and amount"
    );
    // A refresh in between does not hide it either: the bank knows which root came of which.
    assert!(!holds(ask, &world.person(alice).key().0), "no name is in it; the register has it");
    world.check_settled();
}
