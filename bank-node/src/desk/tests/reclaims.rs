//! Reclaims: what comes back, what has gone where it belongs, and everybody who tries to get more.

use super::*;
use protocol::bank::{LetterKind, Reclaim, ReclaimKind};
use protocol::wire::{ReclaimFate, ReclaimState};

const DAYS: u64 = DAY_SECONDS;

impl<S: Store> Bank<S> {
    pub(crate) fn reclaim_of(&self, customer: &Customer, kind: ReclaimKind) -> Reclaim {
        Reclaim {
            bank: self.keys.bank(),
            request: self.request(),
            owner: customer.owner.key(),
            kind,
            created: self.now.get(),
        }
    }

    pub(crate) fn reclaim(&self, customer: &Customer, purses: &[&Purse]) -> BankAsk {
        reclaim_with(self.reclaim_of(customer, ReclaimKind::Payment), customer, purses)
    }

    pub(crate) fn reclaimed(&self, ask: &BankAsk) -> ReclaimState {
        match self.ask(ask.clone()) {
            BankAnswer::Reclaim(state) => *state,
            other => panic!("{other:?}"),
        }
    }

    /// How it stands, as (start, end, letter of the fate) a piece: O open, R returned, P passed, C clash.
    pub(crate) fn fates(&self, ask: &BankAsk) -> Vec<(u64, u64, char)> {
        let state = self.reclaimed(ask);
        let one = |piece: &wire::ReclaimPiece| {
            let fate = match piece.fate {
                ReclaimFate::Open => 'O',
                ReclaimFate::Returned => 'R',
                ReclaimFate::Passed(_) => 'P',
                ReclaimFate::Clash(_) => 'C',
            };
            (piece.range.start(), piece.range.end(), fate)
        };
        state.pieces.iter().flatten().map(one).collect()
    }

    /// Somebody takes the next generation, as a restored workstation does.
    fn restores(&self, customer: &Customer, generation: u32) {
        let record = self.identity(customer, generation, u64::from(generation));
        assert_eq!(self.ask(BankAsk::Publish(record)), BankAnswer::Published);
    }

    fn closes(&self, customer: &Customer, kind: ReclaimKind, purse: &Purse) -> u64 {
        let ask = reclaim_with(self.reclaim_of(customer, kind), customer, &[purse]);
        self.reclaimed(&ask).closes.seconds_since(self.now.get())
    }

    pub(crate) fn contests(&self, purses: &[&Purse]) -> u64 {
        let table = NoteTable::pack(purses.iter().map(|purse| &purse.note));
        match self.ask(BankAsk::Contest(table)) {
            BankAnswer::Contested(units) => units.get(),
            other => panic!("{other:?}"),
        }
    }
}

fn reclaim_with(reclaim: Reclaim, customer: &Customer, purses: &[&Purse]) -> BankAsk {
    let sink = Destination::Reclaim(reclaim.digest());
    let notes: Vec<Note> =
        purses.iter().map(|purse| purse.note.hand_on(purse.range, sink, &purse.key).unwrap()).collect();
    BankAsk::Reclaim(customer.owner.sign(reclaim), NoteTable::pack(&notes))
}

fn in_order<S: Store>(bank: &Bank<S>) {
    let audit = bank.audit();
    assert!(audit.ok, "{:?}", audit.findings);
}

/// N6, threats X4: a payment that nobody answers comes back to the account after the window, with a letter; the
/// same request tells at any time how it stands.
#[test]
fn what_nobody_shows_comes_back() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    let note = bank.note(&alice, 100);
    let ask = bank.reclaim(&alice, &[&note.part(10, 40)]);
    let filed = bank.reclaimed(&ask);
    assert_eq!((filed.number, filed.closes), (1, NOON.plus_seconds(7 * DAYS)));
    assert_eq!(bank.fates(&ask), [(10, 40, 'O')]);
    bank.later(7 * DAYS - 1);
    assert_eq!(bank.fates(&ask), [(10, 40, 'O')], "not a second earlier");
    bank.later(1);
    assert_eq!(bank.fates(&ask), [(10, 40, 'R')]);
    assert_eq!(bank.balance(&alice), 430);
    let letter = bank.reclaimed(&ask).letter.unwrap();
    letter.check_by(&bank.keys.attest.key()).unwrap();
    let letter = letter.unverified();
    assert_eq!((letter.kind, letter.units, letter.balance), (LetterKind::Reclaim, units(30), units(430)));
    // Once: neither the calendar nor a repeat does it again, and the units are gone from the note.
    bank.later(30 * DAYS);
    assert_eq!(bank.balance(&alice), 430);
    let BankAnswer::Deposited(items, _) = bank.ask(bank.deposit(&alice, &[&note.part(10, 40)])) else {
        panic!()
    };
    assert!(matches!(items.as_slice(), [Item::Clash(_)]));
    in_order(&bank);
}

/// Threats X4: after a restore the window is shorter; the status question tells the live state, too.
#[test]
fn a_restore_waits_less_and_status_is_live() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    let note = bank.note(&alice, 100);
    bank.restores(&alice, 2);
    let reclaim = bank.reclaim_of(&alice, ReclaimKind::Restore);
    let status = BankAsk::Status(reclaim.request, reclaim.digest());
    let ask = reclaim_with(reclaim, &alice, &[&note]);
    assert_eq!(bank.reclaimed(&ask).closes, NOON.plus_seconds(3 * DAYS));
    bank.later(3 * DAYS);
    assert_eq!(bank.reclaimed(&status).letter, bank.reclaimed(&ask).letter);
    assert_eq!((bank.balance(&alice), bank.fates(&ask)), (500, vec![(0, 100, 'R')]));
}

/// Threats X4 (i–iii): whoever had the units from the reclaimed key cancels it at once, without a name and
/// without his owner's key; all that the shown link handed on is reclaimed no more.
#[test]
fn a_contest_cancels_what_was_handed_on() {
    let bank = Bank::new();
    let (alice, bob) = (bank.customer("Alice", 500), bank.customer("Bob", 0));
    let note = bank.note(&alice, 100);
    let (bobs, carols) = (bank.signer(), bank.signer());
    let paid = note.part(0, 60).to(&bobs);
    let passed_on = paid.part(5, 10).to(&carols);
    let ask = bank.reclaim(&alice, &[&note.part(0, 80)]);
    bank.reclaimed(&ask);
    // Carol has only five units, but her chain shows that Alice handed on sixty.
    assert_eq!(bank.contests(&[&passed_on]), 60);
    let journal = bank.journal();
    assert_eq!((bank.contests(&[&passed_on]), bank.contests(&[&paid])), (0, 0), "again, it changes nothing");
    assert_eq!(bank.journal(), journal);
    assert_eq!(bank.fates(&ask), [(0, 60, 'P'), (60, 80, 'O')]);
    let ReclaimFate::Passed(proof) = &bank.reclaimed(&ask).pieces[0][0].fate else { panic!() };
    let proof = proof.clone().unpack().unwrap();
    assert_eq!(proof[0].links.last().map(Signed::unverified), paid.note.links.last().map(Signed::unverified));
    bank.later(8 * DAYS);
    assert_eq!(bank.fates(&ask), [(0, 60, 'P'), (60, 80, 'R')]);
    assert_eq!(bank.balance(&alice), 420);
    bank.ask(bank.deposit(&bob, &[&paid.part(10, 60)]));
    assert_eq!(bank.balance(&bob), 50, "the payee has it for good");
    in_order(&bank);
}

/// Threats X4 (i): reclaimed first and paid after: the payee's deposit wins, and the reclaimer has his chain as proof.
#[test]
fn reclaim_first_pay_after_gives_nothing() {
    let bank = Bank::new();
    let (alice, bob) = (bank.customer("Alice", 500), bank.customer("Bob", 0));
    let note = bank.note(&alice, 100);
    let ask = bank.reclaim(&alice, &[&note]);
    bank.reclaimed(&ask);
    bank.later(71 * 3600);
    let paid = note.to(&bank.signer());
    assert!(matches!(bank.ask(bank.deposit(&bob, &[&paid.part(0, 30)])), BankAnswer::Deposited(..)));
    assert_eq!(bank.fates(&ask), [(0, 100, 'P')], "the link that he shows hands on all of it");
    bank.later(10 * DAYS);
    assert_eq!((bank.balance(&alice), bank.balance(&bob)), (400, 30));
    bank.ask(bank.deposit(&bob, &[&paid.part(30, 100)]));
    assert_eq!(bank.balance(&bob), 100);
    in_order(&bank);
}

/// Threats X4 (iv): a chain that parts above the reclaimed key wins at its time, but cancels nothing: it is shown
/// as a clash, and the rest comes back.
#[test]
fn beaten_from_above_is_a_clash() {
    let bank = Bank::new();
    let (thief, alice, carol) = (bank.customer("T", 500), bank.customer("Alice", 0), bank.customer("C", 0));
    let note = bank.note(&thief, 100);
    let (to_alice, to_carol) = (note.to(&bank.signer()), note.to(&bank.signer()));
    let ask = bank.reclaim(&alice, &[&to_alice]);
    bank.reclaimed(&ask);
    assert_eq!(bank.contests(&[&to_carol]), 0, "it does not go on from her key");
    bank.ask(bank.deposit(&carol, &[&to_carol.part(20, 50)]));
    assert_eq!(bank.fates(&ask), [(0, 20, 'O'), (20, 50, 'C'), (50, 100, 'O')]);
    bank.later(8 * DAYS);
    assert_eq!(bank.fates(&ask), [(0, 20, 'R'), (20, 50, 'C'), (50, 100, 'R')]);
    assert_eq!((bank.balance(&alice), bank.balance(&carol)), (70, 30));
    in_order(&bank);
}

/// Threats X4 (vi): of two reclaims on one branch the deeper one counts, whichever was filed first.
#[test]
fn the_deeper_of_two_reclaims_counts() {
    for deeper_first in [true, false] {
        let bank = Bank::new();
        let (alice, bob) = (bank.customer("Alice", 500), bank.customer("Bob", 0));
        let note = bank.note(&alice, 100);
        let paid = note.part(0, 70).to(&bank.signer());
        let (shallow, deep) = (bank.reclaim(&alice, &[&note]), bank.reclaim(&bob, &[&paid]));
        let order = if deeper_first { [&deep, &shallow] } else { [&shallow, &deep] };
        for ask in order {
            bank.reclaimed(ask);
        }
        assert_eq!(bank.fates(&shallow), [(0, 70, 'P'), (70, 100, 'O')]);
        assert_eq!(bank.fates(&deep), [(0, 70, 'O')]);
        bank.later(8 * DAYS);
        assert_eq!((bank.balance(&alice), bank.balance(&bob)), (430, 70));
        in_order(&bank);
    }
}

/// Threats X4 (vi): of two reclaims on two branches one gets the units, the other one a clash to claim with.
#[test]
fn two_reclaims_on_two_branches_pay_once() {
    let bank = Bank::new();
    let (thief, alice, bob) = (bank.customer("T", 500), bank.customer("A", 0), bank.customer("B", 0));
    let note = bank.note(&thief, 100);
    let (to_alice, to_bob) = (note.to(&bank.signer()), note.part(50, 100).to(&bank.signer()));
    let (first, second) = (bank.reclaim(&alice, &[&to_alice]), bank.reclaim(&bob, &[&to_bob]));
    bank.reclaimed(&first);
    bank.later(60);
    bank.reclaimed(&second);
    bank.later(8 * DAYS);
    assert_eq!(bank.fates(&first), [(0, 100, 'R')]);
    assert_eq!(bank.fates(&second), [(50, 100, 'C')]);
    assert_eq!((bank.balance(&alice), bank.balance(&bob)), (100, 0));
    in_order(&bank);
}

/// Table: reclaims that break a rule; nothing is filed, and the note at fault is named.
#[test]
fn reclaims_that_are_refused() {
    let bank = Bank::new();
    let (alice, bob) = (bank.customer("Alice", 500), bank.customer("Bob", 0));
    let note = bank.note(&alice, 100);
    let good = bank.reclaim_of(&alice, ReclaimKind::Payment);
    let of = |reclaim: Reclaim, purses: &[&Purse]| reclaim_with(reclaim, &alice, purses);
    let other_bank = Reclaim { bank: protocol::id::BankId([1; 8]), ..good.clone() };
    let future = Reclaim { created: NOON.plus_seconds(700), ..good.clone() };
    let stranger = Reclaim { owner: bank.signer().key(), ..good.clone() };
    let not_his = Reclaim { owner: bob.owner.key(), ..good.clone() };
    bank.refuses(of(other_bank, &[&note]), ErrorCode::NotMine);
    bank.refuses(of(future, &[&note]), ErrorCode::Expired);
    bank.refuses(of(stranger, &[&note]), ErrorCode::NotFound);
    bank.refuses(of(not_his, &[&note]), ErrorCode::BadSignature);
    bank.refuses(of(good.clone(), &[]), ErrorCode::BadSum);

    let thief = Purse { key: bank.signer(), ..note.clone() };
    bank.refuses(of(good.clone(), &[&thief]), ErrorCode::BadSignature);
    let sunk = note.sunk(&bank.redemption(RedeemKind::Deposit, &[(&alice.owner, 100)]));
    let elsewhere = BankAsk::Reclaim(alice.owner.sign(good.clone()), NoteTable::pack(&[sunk]));
    bank.refuses(elsewhere, ErrorCode::NotMine);
    let (low, high) = (note.part(0, 60), note.part(50, 100));
    let twice = bank.reclaim_of(&alice, ReclaimKind::Payment);
    bank.refuses(of(twice, &[&low, &high]), ErrorCode::DuplicateNote);

    bank.reclaimed(&of(good.clone(), &[&low]));
    bank.refuses(bank.reclaim(&alice, &[&high]), ErrorCode::DuplicateNote);
    bank.refuses(of(Reclaim { kind: ReclaimKind::Restore, ..good }, &[&low]), ErrorCode::IdReused);
    in_order(&bank);
}

/// Threats H6: one bad note does not hide which one it was, and the others can be reclaimed without it.
#[test]
fn a_bad_note_is_named() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    let (one, two) = (bank.note(&alice, 10), bank.note(&alice, 20));
    let forged = Purse { key: bank.signer(), ..two };
    let BankAnswer::Denied(bad) = bank.ask(bank.reclaim(&alice, &[&one, &forged])) else { panic!() };
    assert_eq!(bad, [(1, Item::Refused(ErrorCode::BadSignature))]);
    assert_eq!(bank.fates(&bank.reclaim(&alice, &[&one])), [(0, 10, 'O')]);
}

/// Threats X4: at most twenty are open; one that is closed makes room.
#[test]
fn open_reclaims_are_bounded() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    let note = bank.note(&alice, 100);
    for n in 0..20 {
        bank.reclaimed(&bank.reclaim(&alice, &[&note.part(n, n + 1)]));
    }
    let one_more = bank.reclaim(&alice, &[&note.part(20, 21)]);
    bank.refuses(one_more.clone(), ErrorCode::Busy);
    bank.later(7 * DAYS);
    assert_eq!(bank.fates(&one_more), [(20, 21, 'O')], "the same bytes, later");
    assert_eq!(bank.balance(&alice), 420);
    in_order(&bank);
}

/// A contest with a chain that is none costs its sender, and cancels nothing (threats X4, H2).
#[test]
fn forged_contests_cancel_nothing() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    let note = bank.note(&alice, 100);
    let ask = bank.reclaim(&alice, &[&note]);
    bank.reclaimed(&ask);
    let forger = bank.signer();
    let forged = Purse { key: forger, ..note.clone() }.to(&bank.signer());
    bank.refuses(BankAsk::Contest(NoteTable::pack([&forged.note])), ErrorCode::BadSignature);
    // Her own other sink is no hand-over: a take-back that was tried before does not count against her.
    let sink = note.sunk(&bank.redemption(RedeemKind::Reissue, &[(&bank.signer(), 100)]));
    assert_eq!(bank.ask(BankAsk::Contest(NoteTable::pack([&sink]))), BankAnswer::Contested(Units::ZERO));
    assert_eq!(bank.fates(&ask), [(0, 100, 'O')]);
}

/// The clock may be set back: what is due is not lost (calendar).
#[test]
fn a_clock_that_was_set_back_loses_nothing() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    let note = bank.note(&alice, 100);
    bank.reclaimed(&bank.reclaim(&alice, &[&note.part(0, 10)]));
    bank.later(20 * DAYS);
    bank.now.set(NOON);
    let late = bank.reclaim(&alice, &[&note.part(10, 30)]);
    bank.reclaimed(&late);
    bank.later(21 * DAYS);
    assert_eq!(bank.fates(&late), [(10, 30, 'R')]);
    assert_eq!(bank.balance(&alice), 430);
}

/// A suspended owner's units come back, too: the bank keeps them in sight, and takes nothing from him.
#[test]
fn a_suspended_owner_may_reclaim() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    let note = bank.note(&alice, 100);
    bank.suspend(alice.account);
    bank.reclaimed(&bank.reclaim(&alice, &[&note]));
    bank.later(7 * DAYS);
    assert_eq!(bank.balance(&alice), 500);
}

/// Threats X4: nobody shortens the time for objections by a word. A restore has a generation of its own, and its
/// requests come within a day.
#[test]
fn a_restore_without_a_new_generation_waits_as_a_payment() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    let note = bank.note(&alice, 100);
    let next = Cell::new(0);
    let closes = |kind| {
        next.set(next.get() + 1);
        bank.closes(&alice, kind, &note.part(next.get() - 1, next.get())) / DAYS
    };
    assert_eq!(closes(ReclaimKind::Restore), 7, "she has restored nothing");
    bank.restores(&alice, 2);
    assert_eq!((closes(ReclaimKind::Restore), closes(ReclaimKind::Payment)), (3, 7));
    bank.now.set(NOON.plus_seconds(DAYS));
    assert_eq!(closes(ReclaimKind::Restore), 3, "more of the same restore");
    bank.now.set(NOON.plus_seconds(DAYS + 1));
    assert_eq!(closes(ReclaimKind::Restore), 7, "a day after the first");
    bank.restores(&alice, 3);
    assert_eq!(closes(ReclaimKind::Restore), 3);
}

/// Threats X4: a reclaim that stood in no bulletin is not closed, and one that did is closed 48 hours after at the
/// earliest.
#[test]
fn what_nobody_could_hear_of_is_not_closed() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 500);
    let ask = bank.reclaim(&alice, &[&bank.note(&alice, 100)]);
    bank.reclaimed(&ask);
    bank.now.set(NOON.plus_seconds(9 * DAYS));
    bank.turn();
    assert_eq!(bank.fates(&ask), [(0, 100, 'O')]);
    bank.later(3600);
    let listed = NOON.plus_seconds(9 * DAYS);
    bank.now.set(listed.plus_seconds(2 * DAYS - 1));
    bank.turn();
    assert_eq!(bank.fates(&ask), [(0, 100, 'O')]);
    assert_eq!(bank.reclaimed(&ask).closes, listed.plus_seconds(2 * DAYS), "the owner is told the date");
    bank.now.set(listed.plus_seconds(2 * DAYS));
    bank.turn();
    assert_eq!((bank.fates(&ask), bank.balance(&alice)), (vec![(0, 100, 'R')], 500));
    in_order(&bank);
}

/// Threats X4: a bulletin lists what closes first, whole notes with something open, and of one account no more than a
/// request's before all others have had theirs: nobody crowds out what is about to close.
#[test]
fn nobody_crowds_others_out_of_a_bulletin() {
    let bank = Bank::new();
    let (mallory, alice) = (bank.customer("Mallory", 5_000), bank.customer("Alice", 500));
    let note = bank.note(&mallory, 4_000);
    for request in 0..18u64 {
        let parts: Vec<Purse> = (0..60).map(|n| note.part(request * 60 + n, request * 60 + n + 1)).collect();
        bank.reclaimed(&bank.reclaim(&mallory, &parts.iter().collect::<Vec<_>>()));
        bank.now.set(bank.now.get().plus_seconds(1));
    }
    let hers = bank.note(&alice, 100);
    let ask = bank.reclaim(&alice, &[&hers]);
    bank.reclaimed(&ask);
    let root = hers.note.root.digest();
    let list = bank.bulletin().reclaimed;
    assert!(list.len() <= 1024 && list.len() > 1024 - 64, "{}", list.len());
    assert!(list.iter().any(|listed| listed.root == root));
    bank.now.set(bank.now.get().plus_seconds(6 * DAYS));
    let late = bank.note(&mallory, 1_000);
    bank.reclaimed(&bank.reclaim(&mallory, &[&late]));
    assert!(bank.bulletin().reclaimed.iter().any(|listed| listed.root == root), "hers closes before that");
}

/// Threats X4: a reclaim of which nothing is open is closed at once: it is in no bulletin, and takes none of the
/// twenty places.
#[test]
fn a_reclaim_of_nothing_open_is_over_at_once() {
    let bank = Bank::new();
    let (alice, bob) = (bank.customer("Alice", 500), bank.customer("Bob", 0));
    let open = |bank: &Bank| {
        let view = bank.ledger.snapshot().unwrap();
        view.account(alice.account).unwrap().unwrap().member.reclaims
    };
    // Paid before: the redeemed chain is shown, and nothing waits.
    let note = bank.note(&alice, 30);
    let paid = note.to(&bank.signer());
    bank.ask(bank.deposit(&bob, &[&paid]));
    let ask = bank.reclaim(&alice, &[&note]);
    assert!(bank.reclaimed(&ask).letter.is_some());
    assert_eq!((bank.fates(&ask), open(&bank)), (vec![(0, 30, 'P')], 0));
    // Objected to: over in the same commit.
    let note = bank.note(&alice, 40);
    let ask = bank.reclaim(&alice, &[&note]);
    bank.reclaimed(&ask);
    assert_eq!((bank.contests(&[&note.to(&bank.signer())]), open(&bank)), (40, 0));
    // Met by a deeper one of her own: the deeper one stays.
    let note = bank.note(&alice, 10);
    let (ask, deeper) = (bank.reclaim(&alice, &[&note]), bank.reclaim(&alice, &[&note.to(&bank.signer())]));
    bank.reclaimed(&ask);
    bank.reclaimed(&deeper);
    assert_eq!((bank.fates(&ask), bank.fates(&deeper)), (vec![(0, 10, 'P')], vec![(0, 10, 'O')]));
    assert_eq!(open(&bank), 1);
    bank.later(7 * DAYS);
    assert_eq!(open(&bank), 0);
    in_order(&bank);
    // Redeemed meanwhile: over after the next bulletin, which does not list it.
    let note = bank.note(&alice, 50);
    let ask = bank.reclaim(&alice, &[&note]);
    bank.reclaimed(&ask);
    bank.ask(bank.deposit(&bob, &[&note.to(&bank.signer())]));
    assert_eq!((bank.bulletin().reclaimed, open(&bank)), (vec![], 1));
    bank.now.set(bank.now.get().plus_seconds(1));
    bank.turn();
    assert_eq!((bank.fates(&ask), open(&bank)), (vec![(0, 50, 'P')], 0));
    in_order(&bank);
}

/// Threats Y9: each piece comes with a chain that proves it, also where many redemptions above the key stand side by
/// side.
#[test]
fn every_piece_is_shown_with_a_chain_over_it() {
    let bank = Bank::new();
    let (thief, alice, carol) = (bank.customer("T", 500), bank.customer("Alice", 0), bank.customer("C", 0));
    let note = bank.note(&thief, 100);
    let (to_alice, to_carol) = (note.to(&bank.signer()), note.to(&bank.signer()));
    bank.ask(bank.deposit(&carol, &[&to_carol.part(0, 30)]));
    bank.ask(bank.deposit(&carol, &[&to_carol.part(30, 60)]));
    let ask = bank.reclaim(&alice, &[&to_alice]);
    assert_eq!(bank.fates(&ask), [(0, 30, 'C'), (30, 60, 'C'), (60, 100, 'O')]);
    for piece in bank.reclaimed(&ask).pieces.into_iter().flatten() {
        let ReclaimFate::Clash(table) = piece.fate else { continue };
        let shown = table.unpack().unwrap();
        assert!(shown[0].holding().unwrap().range.contains(piece.range));
    }
}
