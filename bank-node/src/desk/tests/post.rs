//! The mailbox as a table of who may do what to whose mail, and what the bank says of it afterwards.

use super::*;
use crate::desk::counter::Work;
use crate::desk::post::{
    BYTES_MAX, ITEMS_MAX, ITEMS_OF_ONE_MAX, MAIL_SECONDS_MAX, POSTED_A_DAY, PostWork, TAKEN_A_DAY,
};
use crate::desk::standing::Change;
use crate::store::failing::{Failing, Fuse};
use protocol::bank::{MailFate, MailItem, MailKind, NodeQuery, Purpose, envelope_digest};
use protocol::id::Hint;
use protocol::key::KeyTicket;
use protocol::key::bank::Usage;
use protocol::pay::{AmountRule, Mode, Request};
use protocol::wire::{MAIL_MAX, Parcel};
use serde_bytes::ByteBuf;

/// A resident whose workstation signs with a key of its own.
struct Resident(Customer);

impl Resident {
    fn key(&self) -> Key {
        self.0.owner.key()
    }

    fn query<S: Store>(&self, bank: &Bank<S>, purpose: Purpose) -> NodeQuery {
        NodeQuery {
            bank: bank.keys.bank(),
            request: bank.request(),
            owner: self.key(),
            node: self.key(),
            purpose,
            number: 0,
            subject: Digest::default(),
            created: bank.now.get(),
        }
    }

    fn item<S: Store>(&self, bank: &Bank<S>, to: &Resident, envelope: &[u8]) -> MailItem {
        MailItem {
            bank: bank.keys.bank(),
            request: bank.request(),
            from: self.key(),
            node: self.key(),
            to: to.key(),
            kind: MailKind::Payment,
            order: Digest([9; 32]),
            envelope: envelope_digest(envelope),
            created: bank.now.get(),
            expires: bank.now.get().plus_seconds(7 * DAY_SECONDS),
        }
    }

    fn mail(&self, item: MailItem, envelope: &[u8]) -> BankAsk {
        BankAsk::Mail(self.0.owner.sign(item), ByteBuf::from(envelope))
    }

    /// Posts an envelope, and gives its item's digest.
    fn posts<S: Store>(&self, bank: &Bank<S>, to: &Resident, envelope: &[u8]) -> Digest {
        let item = self.item(bank, to, envelope);
        let digest = item.digest();
        assert_eq!(bank.ask(self.mail(item, envelope)), BankAnswer::MailKept);
        digest
    }

    fn collect<S: Store>(&self, bank: &Bank<S>, safe: u64) -> BankAsk {
        let query = NodeQuery { number: safe, ..self.query(bank, Purpose::Collect) };
        BankAsk::Collect(self.0.owner.sign(query))
    }

    fn collects<S: Store>(&self, bank: &Bank<S>, safe: u64) -> Vec<Parcel> {
        match bank.ask(self.collect(bank, safe)) {
            BankAnswer::Mail(parcels, _) => parcels,
            other => panic!("{other:?}"),
        }
    }

    fn back<S: Store>(&self, bank: &Bank<S>, item: Digest) -> BankAsk {
        let query = NodeQuery { subject: item, ..self.query(bank, Purpose::Withdraw) };
        BankAsk::MailBack(self.0.owner.sign(query))
    }

    fn request<S: Store>(&self, bank: &Bank<S>, amount: AmountRule, mode: Mode) -> Signed<Request> {
        let key = bank.signer().key();
        let ticket = KeyTicket { owner: self.key(), key, hint: Hint([7; 16]) };
        self.0.owner.sign(Request {
            bank: bank.keys.bank(),
            id: bank.request(),
            ticket: self.0.owner.sign(ticket),
            node: self.key(),
            amount,
            mode,
            created: bank.now.get(),
            expires: bank.now.get().plus_seconds(30 * DAY_SECONDS),
            memo: Text::default(),
            address: Text::default(),
        })
    }

    fn leaves<S: Store>(&self, bank: &Bank<S>, requests: &[Signed<Request>]) -> BankAnswer {
        let query = self.0.owner.sign(self.query(bank, Purpose::Leave));
        bank.ask(BankAsk::LeaveRequests(query, requests.to_vec()))
    }

    fn take<S: Store>(&self, bank: &Bank<S>, from: &Resident, units: u64) -> NodeQuery {
        NodeQuery { subject: Digest(from.key().0), number: units, ..self.query(bank, Purpose::Take) }
    }

    fn takes<S: Store>(&self, bank: &Bank<S>, query: NodeQuery) -> BankAnswer {
        bank.ask(BankAsk::TakeRequest(self.0.owner.sign(query)))
    }
}

fn three() -> (Bank, [Resident; 3]) {
    let bank = Bank::new();
    let people = ["Alice", "Bob", "Carol"].map(|name| Resident(bank.customer(name, 0)));
    (bank, people)
}

fn word(bank: &Bank, answer: BankAnswer) -> (MailFate, Timestamp, Digest) {
    let BankAnswer::MailWord(word) = answer else { panic!("{answer:?}") };
    let word = bank.keys.public.verify(Usage::Attest, bank.now.get().day(), word).unwrap();
    (word.fate, word.at, word.item)
}

/// N14: what is posted is handed out as it was, oldest first, until it is safe with the addressee; asked again,
/// the same; nobody else gets it.
#[test]
fn mail_is_handed_out_until_it_is_safe() {
    let (bank, [alice, bob, carol]) = three();
    let item = alice.item(&bank, &bob, b"first");
    for _ in 0..2 {
        assert_eq!(bank.ask(alice.mail(item.clone(), b"first")), BankAnswer::MailKept, "and once only");
    }
    carol.posts(&bank, &bob, b"second");
    assert!(carol.collects(&bank, 0).is_empty() && alice.collects(&bank, 0).is_empty());
    for _ in 0..2 {
        let parcels = bob.collects(&bank, 0);
        let seen: Vec<(u64, &[u8])> = parcels.iter().map(|p| (p.number, &p.envelope[..])).collect();
        assert_eq!(seen, [(1, &b"first"[..]), (2, b"second")]);
        assert_eq!(parcels[0].item, alice.0.owner.sign(item.clone()));
    }
    assert_eq!(bob.collects(&bank, 1).len(), 1);
    carol.posts(&bank, &bob, b"third");
    // Number 3 was not handed out yet: it can't be safe with him, whatever he says.
    assert_eq!(bob.collects(&bank, 9).iter().map(|p| p.number).collect::<Vec<_>>(), [3]);
    assert!(bob.collects(&bank, 9).is_empty());
    assert_eq!(bank.journal(), 6, "three openings, three activations: mail moves nothing");
    assert!(bank.audit().ok);
}

/// X4, Y8: before it is collected it comes back, and is never handed out; afterwards not; the word never changes.
#[test]
fn the_word_on_an_item_is_said_once() {
    let (bank, [alice, bob, _]) = three();
    let (first, second) = (alice.posts(&bank, &bob, b"a"), alice.posts(&bank, &bob, b"b"));
    let told = bank.ask(alice.back(&bank, first));
    assert_eq!(word(&bank, told.clone()), (MailFate::Withdrawn, NOON, first));
    assert_eq!(bob.collects(&bank, 0).len(), 1, "the withdrawn one is not among them");
    let late = bank.ask(alice.back(&bank, second));
    assert_eq!(word(&bank, late.clone()), (MailFate::Collected, NOON, second));
    assert_eq!(bob.collects(&bank, 0).len(), 1, "and is handed out again until it is safe");
    bob.collects(&bank, 2);
    bank.now.set(NOON.plus_seconds(40 * DAY_SECONDS));
    assert_eq!(bank.ask(alice.back(&bank, first)), told);
    assert_eq!(bank.ask(alice.back(&bank, second)), late);
}

/// What is asked back before it has arrived never arrives: a late copy finds the word.
#[test]
fn what_was_asked_back_early_never_comes() {
    let (bank, [alice, bob, carol]) = three();
    let item = alice.item(&bank, &bob, b"slow");
    let told = bank.ask(alice.back(&bank, item.digest()));
    assert_eq!(word(&bank, told.clone()).0, MailFate::Withdrawn);
    assert_eq!(bank.ask(alice.mail(item.clone(), b"slow")), told);
    assert!(bob.collects(&bank, 0).is_empty());
    // It is Alice's name for it: nobody else hears of it, and nobody can name somebody else's.
    bank.refuses(carol.back(&bank, item.digest()), ErrorCode::NotFound);
}

/// Hostile: somebody else's mail is not withdrawn, and a stolen name is no key to it.
#[test]
fn only_the_sender_withdraws() {
    let (bank, [alice, bob, carol]) = three();
    let item = alice.posts(&bank, &bob, b"a");
    for thief in [&bob, &carol] {
        bank.refuses(thief.back(&bank, item), ErrorCode::NotFound);
    }
    let query = NodeQuery { subject: item, ..alice.query(&bank, Purpose::Withdraw) };
    bank.refuses(BankAsk::MailBack(carol.0.owner.sign(query.clone())), ErrorCode::BadSignature);
    let mine = NodeQuery { node: carol.key(), ..query };
    bank.refuses(BankAsk::MailBack(carol.0.owner.sign(mine)), ErrorCode::OlderGeneration);
    assert_eq!(bob.collects(&bank, 0).len(), 1);
}

/// Hostile: Bob's query to collect, played again by another node or later, opens nothing.
#[test]
fn a_collection_is_the_owner_s_workstation_s() {
    let (bank, [alice, bob, carol]) = three();
    alice.posts(&bank, &bob, b"a");
    let query = bob.query(&bank, Purpose::Collect);
    let signed = |query: NodeQuery, who: &Resident| BankAsk::Collect(who.0.owner.sign(query));
    bank.refuses(signed(query.clone(), &carol), ErrorCode::BadSignature);
    bank.refuses(
        signed(NodeQuery { node: carol.key(), ..query.clone() }, &carol),
        ErrorCode::OlderGeneration,
    );
    let wrong = NodeQuery { purpose: Purpose::Vault, ..query.clone() };
    bank.refuses(signed(wrong, &bob), ErrorCode::Malformed);
    bank.now.set(NOON.plus_seconds(601));
    bank.refuses(signed(query, &bob), ErrorCode::Expired);
    let told = bank.ask(alice.back(&bank, alice.item(&bank, &bob, b"x").digest()));
    assert_eq!(word(&bank, told).0, MailFate::Withdrawn);
    // Nothing of all that has handed anything out.
    let parcels = bob.collects(&bank, 0);
    let item = parcels[0].item.digest();
    assert_eq!(word(&bank, bank.ask(alice.back(&bank, item))), (MailFate::Collected, bank.now.get(), item));
}

/// Table: an item that is not what it says is not kept.
#[test]
fn an_item_has_to_be_what_it_says() {
    let (bank, [alice, bob, carol]) = three();
    let good = alice.item(&bank, &bob, b"x");
    let nobody = bank.signer().key();
    let huge = vec![0; MAIL_MAX + 1];
    let late = NOON.plus_seconds(MAIL_SECONDS_MAX + 1);
    let other_bank = protocol::id::BankId([1; 8]);
    let table = [
        (MailItem { bank: other_bank, ..good.clone() }, ErrorCode::NotMine),
        (MailItem { envelope: Digest([1; 32]), ..good.clone() }, ErrorCode::Malformed),
        (MailItem { created: NOON.plus_seconds(601), ..good.clone() }, ErrorCode::Expired),
        (MailItem { expires: Timestamp(NOON.0 - 601), ..good.clone() }, ErrorCode::Expired),
        (MailItem { expires: late, ..good.clone() }, ErrorCode::Expired),
        (MailItem { to: alice.key(), ..good.clone() }, ErrorCode::SelfPayment),
        (MailItem { to: nobody, ..good.clone() }, ErrorCode::NotFound),
        (MailItem { from: nobody, ..good.clone() }, ErrorCode::NotFound),
        (MailItem { from: carol.key(), ..good.clone() }, ErrorCode::OlderGeneration),
        (MailItem { from: carol.key(), node: carol.key(), ..good.clone() }, ErrorCode::BadSignature),
    ];
    for (item, code) in table {
        bank.refuses(alice.mail(item, b"x"), code);
    }
    let big = MailItem { envelope: envelope_digest(&huge), ..good.clone() };
    bank.refuses(alice.mail(big, &huge), ErrorCode::TooBig);
    bank.decide(alice.0.account, Change::Suspend).unwrap();
    bank.refuses(alice.mail(good, b"x"), ErrorCode::Suspended);
    // Mail for somebody who is suspended is kept: what is in it may be his.
    bob.posts(&bank, &alice, b"y");
    assert_eq!(alice.collects(&bank, 0).len(), 1);
    assert!(bob.collects(&bank, 0).is_empty());
}

/// Y8, hostile: a stranger who floods a box fills his own share of it and nothing more.
#[test]
fn nobody_fills_another_s_box() {
    let (bank, [mallory, bob, carol]) = three();
    for _ in 0..ITEMS_OF_ONE_MAX {
        mallory.posts(&bank, &bob, b"junk");
    }
    let one_more = mallory.mail(mallory.item(&bank, &bob, b"junk"), b"junk");
    bank.refuses(one_more.clone(), ErrorCode::OverLimit);
    carol.posts(&bank, &bob, b"money");
    // When the box has been emptied, the same bytes are taken.
    let safe = bob.collects(&bank, 0).last().unwrap().number;
    assert!(bob.collects(&bank, safe).is_empty());
    assert_eq!(bank.ask(one_more), BankAnswer::MailKept);

    let friends: Vec<Resident> = (0..5).map(|n| Resident(bank.customer(&format!("Friend {n}"), 0))).collect();
    let full = |friend: &Resident| {
        let item = friend.item(&bank, &carol, b"junk");
        bank.ask(friend.mail(item, b"junk")) == BankAnswer::Error(ErrorCode::OverLimit)
    };
    let kept =
        friends.iter().flat_map(|friend| (0..ITEMS_OF_ONE_MAX).map(move |_| friend)).take_while(|f| !full(f));
    assert_eq!(kept.count(), ITEMS_MAX);
}

/// The same in bytes, and by day.
#[test]
fn a_box_holds_so_many_bytes_and_a_sender_posts_so_often() {
    let (bank, [alice, bob, _]) = three();
    let envelope = vec![1; MAIL_MAX];
    let per_sender = BYTES_MAX / MAIL_MAX as u64;
    assert_eq!(per_sender, ITEMS_MAX as u64, "both limits are met by the largest envelopes alone");
    for _ in 0..POSTED_A_DAY {
        let item = alice.posts(&bank, &bob, b"x");
        bank.ask(alice.back(&bank, item));
    }
    let item = alice.item(&bank, &bob, &envelope);
    bank.refuses(alice.mail(item.clone(), &envelope), ErrorCode::Busy);
    bank.refuses(alice.back(&bank, Digest([3; 32])), ErrorCode::Busy);
    bank.now.set(NOON.plus_seconds(DAY_SECONDS));
    assert_eq!(bank.ask(alice.mail(item, &envelope)), BankAnswer::MailKept);
}

/// A page is bounded; what is left is told and comes next.
#[test]
fn large_mail_comes_page_by_page() {
    let (bank, [alice, bob, _]) = three();
    let envelope = vec![1; MAIL_MAX];
    for _ in 0..5 {
        alice.posts(&bank, &bob, &envelope);
    }
    let ask = |safe| match bank.ask(bob.collect(&bank, safe)) {
        BankAnswer::Mail(parcels, more) => (parcels.iter().map(|p| p.number).collect::<Vec<_>>(), more),
        other => panic!("{other:?}"),
    };
    assert_eq!(ask(0), (vec![1, 2, 3], true));
    assert_eq!(ask(0), (vec![1, 2, 3], true));
    assert_eq!(ask(3), (vec![4, 5], false));
    assert_eq!(ask(5), (vec![], false));
    assert!(wire::encode(&bank.ask(bob.collect(&bank, 0))).len() < 1 << 19);
}

/// Y11: what nobody collected in time is handed out to nobody, taken away, and its word can still be asked for.
#[test]
fn mail_has_an_end_and_its_word_has_none() {
    let (bank, [alice, bob, _]) = three();
    let (unseen, seen) = (alice.posts(&bank, &bob, b"a"), alice.posts(&bank, &bob, b"b"));
    let swept = |bank: &Bank| {
        bank.ledger
            .in_one_commit(|tx| {
                Work::Post(Box::new(PostWork::Sweep)).perform(bank.desk(), tx, &mut Attempts::default())
            })
            .unwrap();
        let view = bank.ledger.snapshot().unwrap();
        assert!(!bank.desk().post_is_due(&view).unwrap());
        crate::ledger::post::PostView::mail_after(&view, bob.0.account, 0, 9).unwrap().len()
    };
    let ask = bank.ask(alice.back(&bank, seen));
    assert_eq!(word(&bank, ask).0, MailFate::Withdrawn);
    let seen = alice.posts(&bank, &bob, b"c");
    assert_eq!(swept(&bank), 2);
    let end = NOON.plus_seconds(7 * DAY_SECONDS);
    // Clocks may differ: it ends ten minutes late.
    bank.now.set(end.plus_seconds(600));
    assert_eq!((swept(&bank), bob.collects(&bank, 0).len()), (2, 2));
    let extra = alice.posts(&bank, &bob, b"d");
    bank.now.set(end.plus_seconds(601));
    assert_eq!(bob.collects(&bank, 0).len(), 1, "not handed out any more");
    assert_eq!(swept(&bank), 1);
    for (item, fate) in
        [(unseen, MailFate::Collected), (seen, MailFate::Collected), (extra, MailFate::Collected)]
    {
        let answer = bank.ask(alice.back(&bank, item));
        assert_eq!(word(&bank, answer).0, fate);
    }
    let never = alice.posts(&bank, &bob, b"e");
    bank.now.set(bank.now.get().plus_seconds(8 * DAY_SECONDS));
    assert_eq!(swept(&bank), 0);
    let answer = bank.ask(alice.back(&bank, never));
    assert_eq!(word(&bank, answer), (MailFate::Withdrawn, bank.now.get(), never));
}

/// N3: requests left for payers are handed out once each, the tightest first, and never come back.
#[test]
fn a_left_request_is_handed_out_once() {
    let (bank, [alice, bob, carol]) = three();
    let at_most = |count| AmountRule::AtMost(units(count));
    let small = bob.request(&bank, at_most(100), Mode::Direct);
    let large = bob.request(&bank, at_most(1_000), Mode::Certified);
    let exact = bob.request(&bank, AmountRule::Exactly(units(7)), Mode::Direct);
    let all = [large.clone(), small.clone(), exact.clone()];
    let names = |requests: &[&Signed<Request>]| {
        BankAnswer::RequestsLeft(requests.iter().map(|request| request.unverified().id).collect())
    };
    let open = |request: &Signed<Request>| BankAnswer::OpenRequest(Some(Box::new(request.clone())));
    assert_eq!(alice.takes(&bank, alice.take(&bank, &bob, 50)), BankAnswer::OpenRequest(None));
    assert_eq!(bob.leaves(&bank, &all), names(&[&large, &small, &exact]));
    let query = alice.take(&bank, &bob, 50);
    for _ in 0..2 {
        assert_eq!(alice.takes(&bank, query.clone()), open(&small), "to the same query the same");
    }
    let again = NodeQuery { created: NOON.plus_seconds(60), ..query.clone() };
    assert_eq!(alice.takes(&bank, again), open(&small), "signed anew after a restart");
    let other = NodeQuery { number: 101, ..query.clone() };
    assert_eq!(alice.takes(&bank, other), BankAnswer::Error(ErrorCode::IdReused));
    assert_eq!(bob.leaves(&bank, &all), names(&[&large, &exact]), "what is out stays out");
    assert_eq!(carol.takes(&bank, carol.take(&bank, &bob, 7)), open(&exact));
    assert_eq!(carol.takes(&bank, carol.take(&bank, &bob, 1_001)), BankAnswer::OpenRequest(None));
    assert_eq!(carol.takes(&bank, carol.take(&bank, &bob, 101)), open(&large));
    assert_eq!(carol.takes(&bank, carol.take(&bank, &bob, 1)), BankAnswer::OpenRequest(None));
}

/// Table: requests that are not his, not whole, or too many are not left; and who may not take.
#[test]
fn only_his_own_requests_are_left() {
    let (bank, [alice, bob, carol]) = three();
    let good = bob.request(&bank, AmountRule::AtMost(units(9)), Mode::Direct);
    let hers = carol.request(&bank, AmountRule::AtMost(units(9)), Mode::Direct);
    let by_her = carol.0.owner.sign(good.unverified().clone());
    let past = bob.0.owner.sign(Request { expires: Timestamp(NOON.0 - 601), ..good.unverified().clone() });
    let many: Vec<_> =
        (0..17).map(|_| bob.request(&bank, AmountRule::AtMost(units(9)), Mode::Direct)).collect();
    let table = [
        (vec![hers], ErrorCode::NotMine),
        (vec![by_her], ErrorCode::BadSignature),
        (vec![past], ErrorCode::Expired),
        (vec![good.clone(), good.clone()], ErrorCode::Malformed),
        (many.clone(), ErrorCode::TooMany),
    ];
    for (requests, code) in table {
        assert_eq!(bob.leaves(&bank, &requests), BankAnswer::Error(code));
    }
    bob.leaves(&bank, &many[..16]);
    assert_eq!(bob.takes(&bank, bob.take(&bank, &bob, 1)), BankAnswer::Error(ErrorCode::SelfPayment));
    for _ in 0..TAKEN_A_DAY {
        assert!(matches!(alice.takes(&bank, alice.take(&bank, &bob, 1)), BankAnswer::OpenRequest(Some(_))));
    }
    assert_eq!(alice.takes(&bank, alice.take(&bank, &bob, 1)), BankAnswer::Error(ErrorCode::Busy));
    assert!(matches!(carol.takes(&bank, carol.take(&bank, &bob, 1)), BankAnswer::OpenRequest(Some(_))));
    bank.decide(carol.0.account, Change::Suspend).unwrap();
    assert_eq!(carol.takes(&bank, carol.take(&bank, &bob, 1)), BankAnswer::Error(ErrorCode::Suspended));
    // A month later what was left has ended.
    bank.now.set(NOON.plus_seconds(31 * DAY_SECONDS));
    assert_eq!(alice.takes(&bank, alice.take(&bank, &bob, 1)), BankAnswer::OpenRequest(None));
}

/// X6: a workstation that was restored asks again for what the one before it had posted, and hears that it lies there;
/// what is new it can't post in the old one's name.
#[test]
fn a_restored_sender_finds_what_he_had_posted() {
    let (bank, [alice, bob, _]) = three();
    let item = alice.item(&bank, &bob, b"sealed");
    assert_eq!(bank.ask(alice.mail(item.clone(), b"sealed")), BankAnswer::MailKept);
    restores(&bank, &alice);
    assert_eq!(bank.ask(alice.mail(item.clone(), b"sealed")), BankAnswer::MailKept);
    bank.decide(alice.0.account, Change::Suspend).unwrap();
    assert_eq!(bank.ask(alice.mail(item.clone(), b"sealed")), BankAnswer::MailKept);
    bank.decide(alice.0.account, Change::Reinstate).unwrap();
    let forged = bob.0.owner.sign(item.clone());
    let forged = BankAsk::Mail(forged, ByteBuf::from(b"sealed"));
    assert_eq!(bank.ask(forged), BankAnswer::Error(ErrorCode::BadSignature));
    let other = alice.item(&bank, &bob, b"other");
    assert_eq!(bank.ask(alice.mail(other, b"other")), BankAnswer::Error(ErrorCode::OlderGeneration));
}

/// X6: requests that the workstation before had left are signed by its node key: with the new one they are gone. A
/// record of the same workstation changes nothing.
#[test]
fn a_restore_takes_back_the_requests_that_were_left() {
    let (bank, [alice, bob, _]) = three();
    let request = bob.request(&bank, AmountRule::AtMost(units(9)), Mode::Direct);
    bob.leaves(&bank, std::slice::from_ref(&request));
    let renewed = bank.identity(&bob.0, 1, NOON.0 + 50);
    assert_eq!(bank.ask(BankAsk::Publish(renewed)), BankAnswer::Published);
    assert!(matches!(alice.takes(&bank, alice.take(&bank, &bob, 1)), BankAnswer::OpenRequest(Some(_))));
    bob.leaves(&bank, &[bob.request(&bank, AmountRule::AtMost(units(9)), Mode::Direct)]);
    restores(&bank, &bob);
    assert_eq!(alice.takes(&bank, alice.take(&bank, &bob, 1)), BankAnswer::OpenRequest(None));
}

/// His next generation has another node key.
fn restores(bank: &Bank, who: &Resident) {
    let record = bank.identity(&who.0, 2, NOON.0 + 100).unverified().clone();
    let node = bank.signer().key();
    let record = who.0.owner.sign(Identity { node, ..record });
    assert_eq!(bank.ask(BankAsk::Publish(record)), BankAnswer::Published);
}

/// B7: the bank dies at every write of a day at the post; whoever asks again gets what a bank would have said that
/// did not die, and an item is collected or withdrawn, never both.
#[test]
fn the_post_survives_every_write() {
    let day = |bank: &Bank<Failing<Memory>>, asks: &[BankAsk]| -> Result<Vec<BankAnswer>, Fault> {
        asks.iter().map(|ask| bank.try_ask(ask.clone())).collect()
    };
    let store = Memory::new();
    let never = u64::MAX / 2;
    // A few tries a day: what one payer takes in a day is bounded.
    let open = |writes: u64, at: u64| {
        let bank = Bank::on(Failing { store: store.clone(), fuse: Fuse::of(writes.saturating_add(2)) });
        bank.now.set(NOON.plus_seconds(at / 4 * DAY_SECONDS));
        bank
    };
    let bank = open(never, 0);
    let people = ["Alice", "Bob"].map(|name| Resident(bank.customer(name, 0)));
    let [alice, bob] = &people;
    let mut deaths = 0;
    for writes in 0.. {
        let names = open(never, writes);
        for _ in 0..(writes + 1) * 100 {
            names.fresh();
        }
        let (one, two) = (alice.item(&names, bob, b"1"), alice.item(&names, bob, b"2"));
        let left = [bob.request(&names, AmountRule::AtMost(units(5)), Mode::Direct)];
        let taken = alice.take(&names, bob, 5);
        let asks = [
            alice.mail(one.clone(), b"1"),
            alice.mail(two.clone(), b"2"),
            alice.back(&names, one.digest()),
            BankAsk::LeaveRequests(bob.0.owner.sign(bob.query(&names, Purpose::Leave)), left.to_vec()),
            BankAsk::TakeRequest(alice.0.owner.sign(taken)),
            bob.collect(&names, u64::MAX),
            alice.back(&names, two.digest()),
        ];
        let died = day(&open(writes, writes), &asks).is_err();
        deaths += u64::from(died);
        let answers = day(&open(never, writes), &asks).unwrap();
        let fates = answers.iter().filter_map(|answer| match answer {
            BankAnswer::MailWord(word) => Some(word.unverified().fate),
            _ => None,
        });
        let fates: Vec<MailFate> = fates.collect();
        assert!(fates.ends_with(&[MailFate::Collected]), "{writes}: {fates:?}");
        assert!(fates.contains(&MailFate::Withdrawn), "{writes}: {fates:?}");
        assert!(matches!(answers.get(4), Some(BankAnswer::OpenRequest(Some(_)))), "{:?}", answers.get(4));
        bob.collects(&names, u64::MAX);
        if !died {
            break;
        }
    }
    assert!(deaths > 10, "{deaths}");
}
