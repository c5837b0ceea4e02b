//! Real workstations, a real bank, and somebody who is off (SPEC §4.12, threats Y8, X4).

use daemon::rpc::api::{Mailbox, Payment};
use protocol::bank::{MailItem, MailKind, NodeQuery, Purpose, envelope_digest};
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::node::chance::chance_bytes;
use protocol::node::rpc::Empty;
use protocol::pay::Refusal;
use protocol::time::DAY_SECONDS;
use protocol::wire::{BankAnswer, BankAsk, ErrorCode, Hail, Letterhead, PayAnswer, PayAsk, encode};
use serde_bytes::ByteBuf;
use tests::patience::{settles, wait};
use tests::people::{Community, Resident};
use tests::stranger::{Stranger, Target, now};

fn mailbox(who: &Resident) -> Mailbox {
    wait(who.rpc().mailbox_show(Empty {})).unwrap()
}

/// He has left requests at the bank, is locked, and goes home.
fn goes_home(who: &Resident) {
    settles("requests lie at the bank", || mailbox(who).requests > 0);
    who.locks();
    who.stops();
}

/// Pays somebody who is off, and sees it lie in his mailbox.
fn posts(payer: &Resident, payee: &Resident, units: u64) -> Payment {
    let sent = payer.pays(payee, units).memo("by mail").sent();
    settles("it lies in the mailbox", || {
        let now = payer.payment(sent.payment);
        now.state == "posted" && now.mailbox.is_some_and(|mailbox| mailbox.since.is_some())
    });
    payer.payment(sent.payment)
}

struct Scene {
    town: Community,
    alice: Resident,
    bob: Resident,
}

/// Alice has 500 in her reserve; Bob has gone home.
fn bob_is_off() -> Scene {
    let town = Community::open("Naxos");
    let bob = town.resident("bob", 0).joined().started().unlocked();
    let alice = town.resident("alice", 1_000).joined().started().unlocked();
    alice.withdraws(500);
    assert_eq!((alice.finds("bob"), bob.finds("alice")), (bob.public_code(), alice.public_code()));
    goes_home(&bob);
    Scene { town, alice, bob }
}

/// N3, N14, B7: payer and payee are never on line together, both are locked when they hear of each other, one of
/// them and the bank are killed in between. The payee has the money, and the payer sees that it is done.
#[test]
fn somebody_who_is_off_is_paid() {
    let Scene { town, alice, bob } = bob_is_off();
    let posted = posts(&alice, &bob, 120);
    assert_eq!(posted.outcome, "in_doubt");
    assert!(posted.note.contains("bob's mailbox") && posted.note.contains("cancel"), "{}", posted.note);
    let left = mailbox(&alice).left;
    assert_eq!(left.iter().map(|payment| payment.payment).collect::<Vec<_>>(), [posted.payment]);
    // What is in doubt says the same, and until when.
    let doubts = wait(alice.rpc().doubt_list(Empty {})).unwrap().items;
    assert!(
        doubts.len() == 1 && doubts[0].until.is_some() && doubts[0].can_do.contains("cancel"),
        "{doubts:?}"
    );
    alice.is_killed();
    town.bank().is_killed();
    town.bank().opens();

    bob.starts();
    settles("bob has the money", || bob.reserve() == 120);
    // A workstation that has not come to the end of its look yet says nothing of what waits.
    settles("what was collected is answered", || {
        let box_of_bob = mailbox(&bob);
        box_of_bob.looked.is_some() && box_of_bob.waiting == 0
    });
    bob.stops();

    alice.starts();
    settles("alice sees it", || alice.payment(posted.payment).outcome == "done");
    assert!(alice.receipt(posted.payment).text.contains("120"));
    bob.starts();
    bob.unlocks();
    bob.has_refreshed();
    settles("bob's confirmation", || alice.payment(posted.payment).state == "confirmed");
    let received = bob.history().iter().filter(|line| line.movement == "received").count();
    assert_eq!((received, alice.reserve(), bob.reserve()), (1, 380, 120));
    town.is_sound(&[&alice, &bob]);
}

/// X4: what was not collected comes back by the owner's command, and never reaches the payee. With the bank away
/// nothing is decided, and nothing is lost.
#[test]
fn a_payment_in_a_mailbox_is_cancelled() {
    let Scene { town, alice, bob } = bob_is_off();
    let posted = posts(&alice, &bob, 120);
    let shown = alice.cli(&["mailbox"]).expect_ok("mailbox");
    assert!(
        shown.stdout.contains(&posted.payment.to_string()) && shown.stdout.contains("bob"),
        "{}",
        shown.stdout
    );

    town.bank().closes();
    let id = posted.payment.to_string();
    let asked = alice.cli(&["payment", "cancel", &id, "--no-wait", "--json"]);
    assert_eq!(asked.status, Some(5), "in doubt until the bank has spoken: {}", asked.stdout);
    assert_eq!(alice.reserve(), 380);
    town.bank().opens();
    settles("the units are back", || alice.reserve() == 500);
    let back = alice.payment(posted.payment);
    assert_eq!((back.outcome.as_str(), back.reason.as_deref()), ("not_done", Some("not_collected")));
    let way = back.mailbox.unwrap();
    assert!(way.fate.as_deref() == Some("withdrawn") && way.word.is_some());
    let again = alice.cli(&["payment", "cancel", &id, "--json"]);
    assert_eq!(again.status, Some(4), "not paid, as before: {}", again.stdout);

    bob.starts();
    settles("bob has looked", || mailbox(&bob).looked.is_some());
    assert_eq!(bob.reserve(), 0);
    // Now he is there: paid directly, and that can't be cancelled.
    let paid = alice.pays(&bob, 7).done();
    let late = alice.cli(&["payment", "cancel", &paid.payment.to_string(), "--json"]);
    assert_eq!(late.json()["error"]["reason"], "not_in_mailbox");
    town.is_sound(&[&alice, &bob]);
}

/// Leaves something in somebody's mailbox.
fn mails(stranger: &Stranger, to: Key, kind: MailKind, order: Digest, envelope: &[u8]) -> BankAnswer {
    let item = MailItem {
        bank: stranger.bank(),
        request: RequestId(chance_bytes()),
        from: stranger.owner().key(),
        node: stranger.node().key(),
        to,
        kind,
        order,
        envelope: envelope_digest(envelope),
        created: now(),
        expires: now().plus_seconds(DAY_SECONDS),
    };
    stranger.asks_bank(&BankAsk::Mail(stranger.node().sign(item), ByteBuf::from(envelope)))
}

fn sealed(stranger: &Stranger, target: &Target, letter: &Letterhead) -> Vec<u8> {
    match stranger.sealed(target, &encode(letter)) {
        Hail::Sealed(envelope) => envelope,
        Hail::Hello => panic!("an envelope was wanted"),
    }
}

/// Hostile: junk, a letter in another's name, a payment that is not the item's, an offer, an answer for a payment to
/// somebody else. All of it is dropped, none of it blocks the box, and honest mail behind it arrives.
#[test]
fn nonsense_by_mail_is_dropped_and_blocks_nothing() {
    let town = Community::open("Naxos");
    let bob = town.resident("bob", 0).joined().started().unlocked();
    let alice = town.resident("alice", 1_000).joined().started().unlocked();
    alice.withdraws(500);
    let mallory = Stranger::joins(&town, "mallory", 1_000);
    let mut purse = mallory.withdraws(&[500]).remove(0);
    let (at_bob, at_alice) = (mallory.finds(&bob), mallory.finds(&alice));
    let (to, to_alice) = (at_bob.identity.owner, at_alice.identity.owner);
    let draft = mallory.drafts(&at_bob, &mut purse, 30);
    let honest = mallory.drafts(&at_bob, &mut purse, 40);
    goes_home(&bob);

    let other = Stranger::joins(&town, "other", 0);
    let pay = |draft: &tests::stranger::draft::Draft| PayAsk::Pay(Box::new(draft.signed(&mallory.owner())));
    let letter = |from: &Stranger, ask| Letterhead { from: from.introduction.clone(), ask };
    let order = |draft: &tests::stranger::draft::Draft| draft.signed(&mallory.owner()).order.digest();
    let forged = sealed(&mallory, &at_bob, &letter(&other, pay(&draft)));
    let elsewhere = sealed(&mallory, &at_bob, &letter(&mallory, pay(&draft)));
    let offer = sealed(&mallory, &at_bob, &letter(&mallory, mallory.offer(5, "now")));
    let for_alice = sealed(&mallory, &at_alice, &letter(&mallory, pay(&draft)));
    for (what, kind, order, envelope) in [
        ("bytes that are no envelope", MailKind::Payment, order(&draft), vec![7; 300]),
        ("nothing", MailKind::Payment, order(&draft), Vec::new()),
        ("another's papers", MailKind::Payment, order(&draft), forged),
        ("a payment on another order", MailKind::Payment, Digest([3; 32]), elsewhere.clone()),
        ("a payment as an answer", MailKind::Answer, order(&draft), elsewhere.clone()),
        ("an offer", MailKind::Payment, order(&draft), offer),
        ("an envelope for somebody else", MailKind::Payment, order(&draft), for_alice),
    ] {
        assert_eq!(mails(&mallory, to, kind, order, &envelope), BankAnswer::MailKept, "{what}");
    }
    let good = sealed(&mallory, &at_bob, &letter(&mallory, pay(&honest)));
    assert_eq!(mails(&mallory, to, MailKind::Payment, order(&honest), &good), BankAnswer::MailKept);
    let posted = posts(&alice, &bob, 60);

    // Mallory can't take Alice's mail back, nor see Bob's, nor answer in his name.
    let query = |purpose, subject| NodeQuery {
        bank: mallory.bank(),
        request: RequestId(chance_bytes()),
        owner: to,
        node: mallory.node().key(),
        purpose,
        number: 0,
        subject,
        created: now(),
    };
    let collect = mallory.node().sign(query(Purpose::Collect, Digest::default()));
    let refused = BankAnswer::Error(ErrorCode::OlderGeneration);
    assert_eq!(mallory.asks_bank(&BankAsk::Collect(collect)), refused);
    let refusal = |order| {
        let refusal = Refusal { order, code: ErrorCode::BadSum, at: now() };
        let answer = PayAnswer::Refused(mallory.node().sign(refusal));
        letter(&mallory, PayAsk::Answered(posted.payment, Box::new(answer)))
    };
    let lie = sealed(&mallory, &at_alice, &refusal(Digest([4; 32])));
    assert_eq!(mails(&mallory, to_alice, MailKind::Answer, Digest([4; 32]), &lie), BankAnswer::MailKept);
    let unknown = letter(&mallory, PayAsk::Answered(PaymentId([5; 16]), Box::new(PayAnswer::Noted)));
    let unknown = sealed(&mallory, &at_alice, &unknown);
    assert_eq!(mails(&mallory, to_alice, MailKind::Answer, Digest([4; 32]), &unknown), BankAnswer::MailKept);

    bob.starts();
    settles("honest mail is there", || bob.reserve() == 100);
    settles("nothing is left in the box", || mailbox(&bob).waiting == 0);
    let dropped = bob.program().log().matches("mail that is dropped").count();
    assert_eq!(dropped, 7, "{}", bob.program().log_tail());
    settles("alice's payment is done", || alice.payment(posted.payment).outcome == "done");
    alice.stops();
    alice.starts();
    settles("alice has looked", || mailbox(&alice).looked.is_some());
    assert_eq!(alice.payment(posted.payment).outcome, "done");
    town.is_sound(&[&alice, &bob]);
}
