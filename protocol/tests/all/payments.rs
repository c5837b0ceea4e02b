//! A payment as its payee checks it (SPEC §3.3): each rule, broken alone, has its own answer.

use crate::scene::{Bank, NOW, Person, Scene, range, units};
use protocol::bank::{Introduction, IntroductionFlaw, Standing};
use protocol::id::{BankId, Digest, Key};
use protocol::key::bank::{BankKeys, Revocation, Usage};
use protocol::note::{ChainFlaw, Destination, Note};
use protocol::pay::{
    Mode, Payment, PaymentFlaw, Reader, Receipt, Request, RequestFlaw, VerifiedPayment, list_of_notes,
    list_of_roots,
};
use protocol::sign::{Signed, Signer};
use protocol::time::{DAY_SECONDS, Day, Timestamp};

impl Scene {
    /// Signs the request again after a change, and lets the order answer it.
    fn change_request(&mut self, change: impl FnOnce(&mut Request)) {
        change(&mut self.request);
        self.order.request = self.bob.node().sign(self.request.clone()).digest();
    }

    /// Other notes, and the order's list after them.
    fn change_notes(&mut self, notes: Vec<Note>) {
        let tips: Vec<Digest> = notes.iter().map(|note| note.holding().unwrap().tip).collect();
        self.order.list = list_of_notes(&tips);
        self.notes = notes;
    }

    fn reader<'a>(&self, nodes: &'a [Key], keys: &'a BankKeys, now: Timestamp) -> Reader<'a> {
        let owner = self.bob.owner().key();
        Reader { owner, nodes, receipt: None, keys, standing: None, checked: None, now }
    }

    fn read_at(&self, now: Timestamp, keys: &BankKeys) -> Result<VerifiedPayment, PaymentFlaw> {
        let nodes = [self.bob.node().key()];
        let reader = self.reader(&nodes, keys, now);
        self.payment().verify(self.alice.introduction(&self.bank), &reader)
    }

    fn read(&self) -> Result<VerifiedPayment, PaymentFlaw> {
        self.read_at(NOW, &self.bank.keys())
    }

    fn flaw(&self) -> PaymentFlaw {
        self.read().expect_err("a broken rule is found")
    }
}

#[test]
fn a_good_payment_is_taken() {
    let payment = Scene::new().read().unwrap();
    assert_eq!(payment.notes().len(), 1);
    assert_eq!(payment.order().amount, units(30));
    assert_eq!(payment.memo().as_str(), "lunch");
}

/// N7: the payer signed in time, so money that arrives after the request's hour, again and again, is still taken.
#[test]
fn a_request_may_end_while_the_payment_is_on_its_way() {
    let scene = Scene::new();
    let days_later = NOW.plus_seconds(5 * DAY_SECONDS);
    assert!(scene.read_at(days_later, &scene.bank.keys()).is_ok());
    let after_the_order = NOW.plus_seconds(8 * DAY_SECONDS);
    assert_eq!(scene.read_at(after_the_order, &scene.bank.keys()).unwrap_err(), PaymentFlaw::Expired);

    let mut late = Scene::new();
    late.order.created = NOW.plus_seconds(2 * 3_600);
    let flaw = late.read_at(late.order.created, &late.bank.keys()).unwrap_err();
    assert_eq!(flaw, PaymentFlaw::Request(RequestFlaw::Expired(late.request.expires)));
}

type Change = fn(&mut Scene);
type Found = fn(&PaymentFlaw) -> bool;

/// SPEC §3.3: each rule, broken alone, has its own answer.
#[test]
fn each_broken_rule_has_its_own_answer() {
    let forged = |scene: &mut Scene| {
        let thief = Signer::from_secret(&[66; 32]);
        let note = Note::fresh(thief.sign(scene.bank.root(1, 30, scene.request.key())));
        scene.change_notes(vec![note]);
    };
    let table: Vec<(Change, Found)> = vec![
        (|s| s.order.payee = Key([1; 32]), |f| *f == PaymentFlaw::NotMine),
        (|s| s.order.bank = BankId([1; 8]), |f| *f == PaymentFlaw::NotMine),
        (|s| s.order.request = Digest([1; 32]), |f| *f == PaymentFlaw::WrongRequest),
        (|s| s.order.amount = units(29), |f| *f == PaymentFlaw::WrongRequest),
        (|s| s.change_request(|r| r.mode = Mode::Certified), |f| *f == PaymentFlaw::NeedCertified),
        (|s| s.change_request(|r| r.node = Person::new(3).node().key()), |f| *f == PaymentFlaw::WrongRequest),
        (|s| s.change_request(|r| r.ticket = Person::new(3).ticket(1)), |f| *f == PaymentFlaw::WrongRequest),
        (|s| s.order.expires = NOW.plus_seconds(31 * DAY_SECONDS), |f| *f == PaymentFlaw::Expired),
        (|s| s.order.created = NOW.plus_seconds(601), |f| *f == PaymentFlaw::Expired),
        (|s| s.memo = "dinner".to_owned(), |f| *f == PaymentFlaw::Memo),
        (|s| s.order.payer = Key([1; 32]), |f| *f == PaymentFlaw::Payer(IntroductionFlaw::Mismatch)),
        (|s| s.notes.clear(), |f| *f == PaymentFlaw::WrongList),
        (|s| s.change_notes(Vec::new()), |f| matches!(f, PaymentFlaw::Sum { .. })),
        (forged, |f| matches!(f, PaymentFlaw::Chain { at: 0, flaw: ChainFlaw::Signature(_) })),
    ];
    for (at, (change, expected)) in table.into_iter().enumerate() {
        let mut scene = Scene::new();
        change(&mut scene);
        let flaw = scene.flaw();
        assert!(expected(&flaw), "line {at}: {flaw:?}");
    }
}

#[test]
fn notes_must_be_mine_apart_and_young() {
    let mut scene = Scene::new();
    let (me, alice) = (Destination::Key(scene.request.key()), Person::new(1).note_key(9));
    let purse = scene.bank.issue(1, 100, alice.key());
    let [low, high] = [(10, 30), (20, 30)].map(|(a, b)| purse.hand_on(range(a, b), me, &alice).unwrap());
    scene.change_notes(vec![low.clone(), high]);
    assert_eq!(scene.flaw(), PaymentFlaw::SharedUnits);
    scene.change_notes(vec![low.clone(), low]);
    assert_eq!(scene.flaw(), PaymentFlaw::SharedUnits);
    scene.change_notes(vec![purse]);
    assert_eq!(scene.flaw(), PaymentFlaw::NotToMe(0));

    let mut old = scene.bank.root(1, 30, scene.request.key());
    old.direct_until_day = Day(1);
    scene.change_notes(vec![Note::fresh(scene.bank.issue.sign(old))]);
    assert_eq!(scene.flaw(), PaymentFlaw::TooOld(0));
}

/// A certified payment is a bare root to the request's key, as the order foretold.
#[test]
fn a_certified_payment_is_a_bare_root() {
    let mut scene = Scene::new();
    let key = scene.request.key();
    let note = scene.bank.issue(8, 30, key);
    scene.order.mode = Mode::Certified;
    scene.order.list = list_of_roots([(&note.root.unverified().id, units(30), &key)]);
    scene.notes = vec![note];
    assert!(scene.read().is_ok());

    // Money that is the payee's already is not refused for a date.
    assert!(scene.read_at(NOW.plus_seconds(70 * DAY_SECONDS), &scene.bank.keys()).is_ok());

    let alice = scene.alice.note_key(9);
    let bare = scene.bank.issue(8, 30, alice.key());
    scene.order.list = list_of_roots([(&bare.root.unverified().id, units(30), &key)]);
    scene.notes = vec![bare.hand_on(range(0, 30), Destination::Key(key), &alice).unwrap()];
    assert_eq!(scene.flaw(), PaymentFlaw::NotToMe(0));
}

/// N14: who pays is what the bank certified and the owner signed, and nobody whom the bank has suspended.
#[test]
fn the_payer_s_papers_are_looked_at() {
    let (scene, keys) = (Scene::new(), Bank::new().keys());
    let good = scene.alice.introduction(&scene.bank);
    let check = |change: &dyn Fn(&mut Introduction)| {
        let mut shown = good.clone();
        change(&mut shown);
        shown.verify(&keys, NOW).map(|party| party.owner())
    };
    assert_eq!(check(&|_| {}), Ok(scene.alice.owner().key()));

    let mut long = scene.alice.identity(&scene.bank);
    long.expires = NOW.plus_seconds(401 * DAY_SECONDS);
    let long = scene.alice.owner().sign(long);
    assert_eq!(check(&|shown| shown.identity = long.clone()), Err(IntroductionFlaw::TooLong));
    let bob = scene.bob.introduction(&scene.bank);
    assert_eq!(check(&|shown| shown.identity = bob.identity.clone()), Err(IntroductionFlaw::Mismatch));
    let mut suspended = good.certificate.unverified().clone();
    suspended.standing = Standing::Suspended;
    let suspended = scene.bank.attest.sign(suspended);
    assert_eq!(check(&|shown| shown.certificate = suspended.clone()), Err(IntroductionFlaw::Suspended));
    let own = scene.alice.owner().sign(good.certificate.unverified().clone());
    assert!(matches!(check(&|shown| shown.certificate = own.clone()), Err(IntroductionFlaw::Signature(_))));
    assert_eq!(
        good.clone().verify(&keys, NOW.plus_seconds(301 * DAY_SECONDS)).map(|p| p.owner()),
        Err(IntroductionFlaw::Expired)
    );
}

/// B6: a payee who has not met the bank since yesterday learns the new day's issue key from the payment.
#[test]
fn a_new_issue_key_travels_with_the_notes() {
    let scene = Scene::new();
    let mut old = BankKeys::pinned(scene.bank.master.key());
    old.learn(scene.bank.certify(Usage::Attest, 0, scene.bank.attest.key())).unwrap();
    let flaw = scene.read_at(NOW, &old).unwrap_err();
    assert_eq!(flaw, PaymentFlaw::Chain { at: 0, flaw: ChainFlaw::UnknownEpoch(7) });

    let nodes = [scene.bob.node().key()];
    let reader = Reader {
        receipt: None,
        owner: scene.bob.owner().key(),
        nodes: &nodes,
        keys: &old,
        standing: None,
        checked: None,
        now: NOW,
    };
    let mut payment = scene.payment();
    payment.keys = vec![scene.bank.certify(Usage::Issue, 7, scene.bank.issue.key())];
    let taken = payment.clone().verify(scene.alice.introduction(&scene.bank), &reader).unwrap();
    assert_eq!(taken.learned().len(), 1);
    let suspended = Reader { standing: Some(Standing::Suspended), ..reader };
    let flaw = payment.verify(scene.alice.introduction(&scene.bank), &suspended).unwrap_err();
    assert_eq!(flaw, PaymentFlaw::Suspended);
}

/// The receipt that Bob's workstation gave, signed by `node`, after a change.
fn receipt(scene: &Scene, node: &Signer, change: impl FnOnce(&mut Receipt)) -> Signed<Receipt> {
    let order = scene.alice.owner().sign(scene.order.clone()).digest();
    let (payee, amount) = (scene.bob.owner().key(), scene.order.amount);
    let mut receipt = Receipt { order, payee, amount, received: NOW, confirmed: false };
    change(&mut receipt);
    node.sign(receipt)
}

/// X6, SPEC §3.3: the payee's machine is lost after its receipt. His next one takes the payment for the receipt's sake,
/// whatever is past, whoever is suspended, whichever key is revoked.
#[test]
fn what_a_lost_machine_gave_a_receipt_for_is_taken_whenever_it_is_shown() {
    let scene = Scene::new();
    let lost = scene.bob.node();
    let nodes = [Signer::from_secret(&[77; 32]).key(), lost.key()];
    let mut keys = scene.bank.keys();
    let issue = scene.bank.issue.key();
    let revocation = Revocation { bank: scene.bank.id(), usage: Usage::Issue, key: issue, from_day: Day(0) };
    keys.revoke(scene.bank.master.sign(revocation)).unwrap();
    let given = receipt(&scene, &lost, |_| ());
    let years_later = NOW.plus_seconds(700 * DAY_SECONDS);
    let reader = Reader {
        receipt: Some(&given),
        standing: Some(Standing::Suspended),
        ..scene.reader(&nodes, &keys, years_later)
    };
    let taken = scene.payment().verify(scene.alice.introduction(&scene.bank), &reader).unwrap();
    assert!(taken.was_taken_before());
    let forged = Scene { memo: "dinner".to_owned(), ..scene };
    let flaw = forged.payment().verify(forged.alice.introduction(&forged.bank), &reader).unwrap_err();
    assert_eq!(flaw, PaymentFlaw::Memo, "everything else is checked as ever");
}

/// X6, hostile: only a receipt of a machine that is gone, for this order, over a request of before counts.
#[test]
fn another_receipt_opens_nothing() {
    let scene = Scene::new();
    let (lost, present) = (scene.bob.node(), Signer::from_secret(&[77; 32]));
    let keys = scene.bank.keys();
    let late = NOW.plus_seconds(8 * DAY_SECONDS);
    let says = |scene: &Scene, nodes: &[Key], given: &Signed<Receipt>| {
        let reader = Reader { receipt: Some(given), ..scene.reader(nodes, &keys, late) };
        scene.payment().verify(scene.alice.introduction(&scene.bank), &reader).unwrap_err()
    };
    let nodes = [present.key(), lost.key()];
    for other in [
        receipt(&scene, &scene.alice.node(), |_| ()),
        receipt(&scene, &present, |_| ()),
        receipt(&scene, &scene.bob.owner(), |_| ()),
        receipt(&scene, &lost, |r| r.order = Digest([9; 32])),
        receipt(&scene, &lost, |r| r.payee = scene.alice.owner().key()),
        receipt(&scene, &lost, |r| r.amount = units(29)),
    ] {
        assert_eq!(says(&scene, &nodes, &other), PaymentFlaw::Expired, "{other:?}");
    }
    let good = receipt(&scene, &lost, |_| ());
    assert_eq!(says(&scene, &[lost.key()], &good), PaymentFlaw::Expired, "the machine is not lost");
    // Whoever has the lost machine signs a receipt for a payment of today's request.
    let mut todays = Scene::new();
    todays.request.node = present.key();
    todays.order.request = present.sign(todays.request.clone()).digest();
    let given = receipt(&todays, &lost, |_| ());
    let reader = Reader { receipt: Some(&given), ..todays.reader(&nodes, &keys, late) };
    let shown = Payment { request: present.sign(todays.request.clone()), ..todays.payment() };
    let flaw = shown.verify(todays.alice.introduction(&todays.bank), &reader).unwrap_err();
    assert_eq!(flaw, PaymentFlaw::Expired);
}
