//! Stolen keys of the bank, before and after the master key's word against them (SPEC §1.4, threats H3).

use super::{pays, with_reserve};
use daemon::wallet::paying::State;
use protocol::id::{Digest, PaymentId};
use protocol::key::bank::Usage;
use protocol::note::{DIRECT_DAYS, Destination, Note, NoteTable, Root, RootKind};
use protocol::pay::{AmountRule, Mode, Order, Payment, list_of_notes, list_of_roots};
use protocol::sign::{Signed, Signer};
use protocol::time::DAY_SECONDS;
use protocol::wire::{ErrorCode, PayAnswer};
use tests::world::{Who, World, units};

/// A root for `to` that stands in no register.
fn forged_root(world: &World, issue: &Signer, to: &Signer) -> Signed<Root> {
    let (epoch, _) = world.bank.keys().issue_on(world.now.day()).unwrap();
    let today = world.now.day();
    issue.sign(Root {
        kind: RootKind::Plain,
        bank: world.bank.keys().bank(),
        serial: 9_999,
        id: Root::id_of(&Digest([8; 32]), 0),
        units: units(50),
        to: to.key(),
        epoch,
        issued_day: today,
        direct_until_day: today.plus_days(DIRECT_DAYS),
    })
}

/// Mallory pays Bob with what a stolen issue key has made: by a link, or as if the bank had certified it.
fn pays_forged(
    world: &mut World,
    (mallory, bob): (Who, Who),
    issue: &Signer,
    mode: Mode,
    epoch: u32,
) -> PayAnswer {
    let (now, mut chance) = (world.now, world.chance.clone());
    let expires = now.plus_seconds(DAY_SECONDS);
    let rule = AmountRule::Exactly(units(50));
    let request =
        world.person_mut(bob).request(rule, Mode::Direct, expires, &mut chance, now).unwrap().unwrap();
    world.chance = chance;
    let purse = Signer::from_secret(&world.chance.bytes());
    let payee = request.unverified().key();
    let note = match mode {
        Mode::Direct => {
            let mut root = forged_root(world, issue, &purse).unverified().clone();
            root.epoch = epoch;
            let note = Note::fresh(issue.sign(root));
            let whole = note.root.unverified().range();
            note.hand_on(whole, Destination::Key(payee), &purse).unwrap()
        }
        Mode::Certified => {
            let mut root = forged_root(world, issue, &purse).unverified().clone();
            (root.to, root.epoch) = (payee, epoch);
            Note::fresh(issue.sign(root))
        }
    };
    let list = match mode {
        Mode::Direct => list_of_notes(&[note.holding().unwrap().tip]),
        Mode::Certified => {
            let root = note.root.unverified();
            list_of_roots([(&root.id, root.units, &root.to)])
        }
    };
    let thief = world.person(mallory).open_keys().unwrap().owner().clone();
    let order = thief.sign(Order {
        bank: world.bank.keys().bank(),
        payment: PaymentId(world.chance.bytes()),
        request: request.digest(),
        payer: thief.key(),
        payee: request.unverified().payee(),
        amount: units(50),
        created: now,
        expires,
        mode,
        replaces: Digest::default(),
        memo: Order::memo_digest(""),
        list,
    });
    let payment =
        Payment { request, order, memo: String::new(), keys: Vec::new(), notes: NoteTable::pack(&[note]) };
    let papers = world.person(mallory).introduction.clone();
    world.person_mut(bob).answer_payment(papers, payment, now).unwrap()
}

fn code(answer: &PayAnswer) -> Option<ErrorCode> {
    match answer {
        PayAnswer::Refused(refusal) => Some(refusal.unverified().code),
        PayAnswer::Error(code) => Some(*code),
        _ => None,
    }
}

fn revoke(world: &mut World, usage: Usage, key: protocol::id::Key) {
    let mut chance = world.chance.clone();
    world.bank.revoke(usage, key, &mut chance);
    world.chance = chance;
}

/// H3: forged money is taken before the word, in either mode, and found at the bank; after it, by nobody.
#[test]
fn a_stolen_issue_key_buys_nothing_after_its_revocation() {
    let (mut world, [_, bob, mallory]) = with_reserve(100);
    super::nobody_refreshes(&mut world);
    let (epoch, issue) = world.bank.keys().issue_on(world.now.day()).unwrap();
    let issue = issue.clone();
    for mode in [Mode::Direct, Mode::Certified] {
        let answer = pays_forged(&mut world, (mallory, bob), &issue, mode, epoch);
        assert!(matches!(answer, PayAnswer::Receipt(_)), "{mode:?}: {answer:?}");
    }
    revoke(&mut world, Usage::Issue, issue.key());
    world.bank.bulletin();
    world.pull_bulletins(bob).unwrap();
    for mode in [Mode::Direct, Mode::Certified] {
        let answer = pays_forged(&mut world, (mallory, bob), &issue, mode, epoch);
        assert_eq!(code(&answer), Some(ErrorCode::RevokedEpoch), "{mode:?}: {answer:?}");
    }
    world.crash(bob, tests::world::Kept::Everything);
    let answer = pays_forged(&mut world, (mallory, bob), &issue, Mode::Direct, epoch);
    assert_eq!(code(&answer), Some(ErrorCode::RevokedEpoch), "for ever");
    // The bank's register never had them.
    assert!(world.bank.audit().ok);
}

/// H3: honest notes of a revoked key go back to the bank by themselves, and their owner pays on: with whom knows the
/// revocation, certified from the first; with whom does not, after a refusal.
#[test]
fn honest_notes_of_a_revoked_key_keep_their_worth() {
    let (mut world, [alice, bob, carol]) = with_reserve(400);
    super::nobody_refreshes(&mut world);
    let issue = world.bank.keys().issue_on(world.now.day()).unwrap().1.key();
    revoke(&mut world, Usage::Issue, issue);
    assert!(
        world.bank.keys().issue_on(world.now.day()).is_some(),
        "another key of the same day takes its place"
    );
    world.bank.bulletin();

    // Bob knows, Alice does not.
    world.pull_bulletins(bob).unwrap();
    let refused = pays(&mut world, alice, bob, 60);
    assert_eq!(world.state(alice, &refused), State::Returned(ErrorCode::RevokedEpoch));
    let again = pays(&mut world, alice, bob, 60);
    assert_eq!(world.state(alice, &again), State::Receipted, "the units came back under the new key");

    // Alice knows, Carol does not: it is certified from the first.
    world.pull_bulletins(alice).unwrap();
    let known = pays(&mut world, alice, carol, 100);
    assert_eq!(world.state(alice, &known), State::Confirmed);
    assert!(!world.person(alice).wallet().worth_refreshing().is_empty());
    world.refresh(alice).unwrap().unwrap();
    world.settles();
    let direct = pays(&mut world, alice, carol, 100);
    assert_eq!(world.state(alice, &direct), State::Receipted);
    world.check_settled();
}

/// H3: what a stolen attest key certifies counts until the word, and never after; who was certified honestly is
/// certified anew by the bank, and pays on.
#[test]
fn a_stolen_attest_key_certifies_nobody_after_its_revocation() {
    let (mut world, [alice, bob, mallory]) = with_reserve(300);
    super::nobody_refreshes(&mut world);
    let thief = world.bank.keys().attest.clone();
    // Mallory is whoever he likes, by an official document with the highest of numbers.
    let mut lie = world.person(mallory).introduction.certificate.unverified().clone();
    (lie.sequence, lie.offline_limit) = (1 << 40, units(1 << 40));
    let honest = world.person(mallory).introduction.certificate.clone();
    world.person_mut(mallory).introduction.certificate = thief.sign(lie);
    let keys = world.person(bob).wallet().keys().clone();
    assert!(world.person(mallory).introduction.clone().verify(&keys, world.now).is_ok(), "until the word");

    world.wait(3600);
    revoke(&mut world, Usage::Attest, thief.key());
    world.bank.bulletin();
    for who in [alice, bob] {
        world.pull_bulletins(who).unwrap();
        world.renew_papers(who);
    }
    let keys = world.person(bob).wallet().keys().clone();
    assert!(world.person(mallory).introduction.clone().verify(&keys, world.now).is_err());
    world.person_mut(mallory).introduction.certificate = honest;
    assert!(
        world.person(mallory).introduction.clone().verify(&keys, world.now).is_err(),
        "his old one neither"
    );
    let id = pays(&mut world, alice, bob, 30);
    assert_eq!(world.state(alice, &id), State::Receipted, "she has been certified anew");
    let balance = world.bank.balance(&world.person(alice).key());
    world.deposit(alice, 20).unwrap();
    world.settles();
    assert_eq!(
        world.bank.balance(&world.person(alice).key()).get(),
        balance.get() + 20,
        "letters of the new key"
    );
    assert!(world.bank.audit().ok);
    world.check_settled();
}
