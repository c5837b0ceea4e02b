//! The bank's own customers: other people's accounts, other people's notes, names used twice, guesses.

use protocol::bank::{AccountQuery, Letter, LetterKind, Outcome, RedeemKind, Redemption, Withdrawal};
use protocol::body::Body;
use protocol::code::parse_letter;
use protocol::id::{Digest, RequestId};
use protocol::node::chance::chance_bytes;
use protocol::note::{Destination, NoteTable};
use protocol::range::Range;
use protocol::sign::Signed;
use protocol::wire::{BankAnswer, BankAsk, ErrorCode, Item};
use serde_json::Value;
use tests::people::{Community, amount};
use tests::stranger::{Purse, Stranger, now};

struct Scene {
    town: Community,
    mallory: Stranger,
    victim: Stranger,
    purse: Purse,
}

impl Scene {
    fn new() -> Scene {
        let town = Community::open("Naxos");
        let mallory = Stranger::joins(&town, "mallory", 1_000);
        let victim = Stranger::joins(&town, "victim", 1_000);
        let purse = mallory.withdraws(&[500]).remove(0);
        Scene { town, mallory, victim, purse }
    }

    /// Everything in the bank's books that a lie could have moved.
    fn books(&self) -> (u64, u64, Value) {
        (balance(&self.mallory), balance(&self.victim), self.town.bank().audits())
    }

    #[track_caller]
    fn refused(&self, what: &str, ask: &BankAsk, code: ErrorCode) {
        self.denied(what, ask, &BankAnswer::Error(code));
    }

    #[track_caller]
    fn denied(&self, what: &str, ask: &BankAsk, expected: &BankAnswer) {
        let before = self.books();
        assert_eq!(&self.mallory.asks_bank(ask), expected, "{what}");
        assert_eq!(self.books(), before, "{what} has moved something");
    }

    /// A redemption of units 10 to 20 of the purse; `kind` and who gets it as wished.
    fn redemption(&self, kind: RedeemKind, to: protocol::id::Key) -> Redemption {
        let outcomes = vec![Outcome { to, units: amount(10) }];
        Redemption { bank: self.mallory.bank(), request: RequestId(chance_bytes()), kind, outcomes }
    }
}

fn range() -> Range {
    Range::new(10, 20).unwrap()
}

fn balance(who: &Stranger) -> u64 {
    let (bank, request, owner) = (who.bank(), RequestId(chance_bytes()), who.owner().key());
    let query = who.owner().sign(AccountQuery { bank, request, owner, created: now() });
    match who.asks_bank(&BankAsk::Balance(query)) {
        BankAnswer::Balance(letter) => {
            let letter: &Signed<Letter> = &letter;
            assert_eq!(letter.unverified().kind, LetterKind::Balance);
            letter.unverified().balance.get()
        }
        other => panic!("no balance but {other:?}"),
    }
}

/// N4, N5: an account moves by its owner's signature, notes by theirs, and nobody learns another one's balance.
#[test]
fn other_people_s_accounts_and_notes_stay_theirs() {
    let scene = Scene::new();
    let (mallory, victim) = (&scene.mallory, &scene.victim);
    let (asked, _) = victim.withdrawal(&[100]);
    let theft = mallory.owner().sign(asked.clone());
    scene.refused("a withdrawal in another's name", &BankAsk::Withdraw(theft), ErrorCode::BadSignature);
    let nobody = Withdrawal { owner: mallory.fresh_key().key(), ..asked.clone() };
    let nobody = mallory.owner().sign(nobody);
    scene.refused("a withdrawal in nobody's name", &BankAsk::Withdraw(nobody), ErrorCode::NotFound);
    let elsewhere = Withdrawal { bank: protocol::id::BankId([7; 8]), ..asked.clone() };
    let elsewhere = victim.owner().sign(elsewhere);
    scene.refused("a withdrawal at another bank", &BankAsk::Withdraw(elsewhere), ErrorCode::NotMine);
    let early = Withdrawal { created: now().plus_seconds(5_000), ..asked };
    scene.refused("one from the future", &BankAsk::Withdraw(victim.owner().sign(early)), ErrorCode::Expired);

    let query = AccountQuery {
        bank: victim.bank(),
        request: RequestId(chance_bytes()),
        owner: victim.owner().key(),
        created: now(),
    };
    let spied = mallory.owner().sign(query.clone());
    scene.refused("another's balance", &BankAsk::Balance(spied), ErrorCode::BadSignature);
    let stale =
        victim.owner().sign(AccountQuery { created: protocol::time::Timestamp(now().0 - 5_000), ..query });
    scene.refused("a question that was overheard", &BankAsk::Balance(stale), ErrorCode::Expired);

    let to_victim = scene.redemption(RedeemKind::Deposit, victim.owner().key());
    let notes = mallory.redeems(&to_victim, &scene.purse, range());
    let ask = BankAsk::Deposit(mallory.owner().sign(to_victim), notes);
    scene.refused("a deposit to another's account", &ask, ErrorCode::BadSignature);

    let honest = scene.redemption(RedeemKind::Reissue, mallory.fresh_key().key());
    let notes = mallory.redeems(&honest, &scene.purse, range());
    let stolen = scene.redemption(RedeemKind::Reissue, victim.fresh_key().key());
    let ask = BankAsk::Reissue(stolen.to_bytes(), notes.clone());
    let denied = BankAnswer::Denied(vec![(0, Item::Refused(ErrorCode::NotMine))]);
    scene.denied("notes that were handed over for another request", &ask, &denied);
    let bare = NoteTable::pack(&[scene.purse.hands(range(), Destination::Key(mallory.fresh_key().key()))]);
    let ask = BankAsk::Reissue(honest.to_bytes(), bare);
    scene.denied("notes that were not handed to the bank", &ask, &denied);
    let mut forged = scene.purse.clone();
    forged.owner = victim.fresh_key();
    let ask = BankAsk::Reissue(honest.to_bytes(), victim.redeems(&honest, &forged, range()));
    let unsigned = BankAnswer::Denied(vec![(0, Item::Refused(ErrorCode::BadSignature))]);
    scene.denied("notes that are signed by somebody else", &ask, &unsigned);
    let richer = Redemption {
        outcomes: vec![Outcome { to: mallory.fresh_key().key(), units: amount(11) }],
        ..honest.clone()
    };
    let ask = BankAsk::Reissue(richer.to_bytes(), mallory.redeems(&richer, &scene.purse, range()));
    scene.refused("more than the notes hold", &ask, ErrorCode::BadSum);

    // And the honest one, with the very notes that somebody tried to bend.
    let got = mallory.asks_bank(&BankAsk::Reissue(honest.to_bytes(), notes));
    assert!(matches!(&got, BankAnswer::Reissued(roots) if roots.len() == 1), "{got:?}");
    scene.town.bank().audits();
}

/// B7, threats H4: a name stands for one request; a second body under it gets neither an effect nor the answer.
#[test]
fn a_request_id_means_one_request() {
    let scene = Scene::new();
    let mallory = &scene.mallory;
    let (asked, _) = mallory.withdrawal(&[20, 30]);
    let first = BankAsk::Withdraw(mallory.owner().sign(asked.clone()));
    let BankAnswer::Withdrawn(roots, letter) = mallory.asks_bank(&first) else { panic!("the first is paid") };
    scene.denied("the same again", &first, &BankAnswer::Withdrawn(roots.clone(), letter.clone()));

    let mut more = asked.clone();
    more.outcomes[0].units = amount(21);
    let more = BankAsk::Withdraw(mallory.owner().sign(more));
    scene.refused("another body", &more, ErrorCode::IdReused);
    let (mut his, _) = scene.victim.withdrawal(&[20]);
    his.request = asked.request;
    let his = BankAsk::Withdraw(scene.victim.owner().sign(his));
    scene.refused("another's request under the same name", &his, ErrorCode::IdReused);
    let borrowed = Redemption {
        request: asked.request,
        ..scene.redemption(RedeemKind::Reissue, mallory.fresh_key().key())
    };
    let ask = BankAsk::Reissue(borrowed.to_bytes(), mallory.redeems(&borrowed, &scene.purse, range()));
    scene.refused("another kind under the same name", &ask, ErrorCode::IdReused);

    let digest = mallory.owner().sign(asked.clone()).digest();
    scene.denied(
        "a status by its digest",
        &BankAsk::Status(asked.request, digest),
        &BankAnswer::Withdrawn(roots, letter),
    );
    let guessed = BankAsk::Status(asked.request, Digest([7; 32]));
    scene.denied("a status without it", &guessed, &BankAnswer::NotSeen);
    scene.town.bank().audits();
}

/// N2, threats H1: an activation code can't be guessed, and who has the letter can still join after the guesses.
#[test]
fn activation_codes_are_not_guessed() {
    let scene = Scene::new();
    let uri = scene.town.bank().opens_account("late", "resident", 50);
    let letter = parse_letter(&uri).unwrap();
    let mut codes = Vec::new();
    for _ in 0..12 {
        let mut guess = letter.clone();
        guess.code = chance_bytes();
        let thief = Stranger::with_forged_papers(&scene.town);
        let ask = BankAsk::Activate(thief.activation(&guess), thief.introduction.identity.clone());
        match thief.asks_bank(&ask) {
            BankAnswer::Error(code) => codes.push(code),
            other => panic!("guessed: {other:?}"),
        }
    }
    assert_eq!(codes[0], ErrorCode::NotFound, "the first is just wrong");
    assert_eq!(
        codes[11],
        ErrorCode::Busy,
        "after some the account takes no more guesses for a minute: {codes:?}"
    );

    let other = Stranger::joins(&scene.town, "other", 5);
    assert_eq!(balance(&other), 5, "the neighbour joins meanwhile");
    let claimed = parse_letter(&scene.town.bank().opens_account("mine", "resident", 0)).unwrap();
    let (first, second) =
        (Stranger::with_forged_papers(&scene.town), Stranger::with_forged_papers(&scene.town));
    let claim = |who: &Stranger| {
        who.asks_bank(&BankAsk::Activate(who.activation(&claimed), who.introduction.identity.clone()))
    };
    assert!(matches!(claim(&first), BankAnswer::Activated(..)));
    assert_eq!(claim(&second), BankAnswer::Error(ErrorCode::NotFound), "a letter is good for one");
    assert!(matches!(claim(&first), BankAnswer::Activated(..)), "and for him again");
    scene.town.bank().audits();
}
