//! The book's backup: what it holds comes back, what came after it is booked late, and numbers go on.

use super::*;
use crate::shop::back::TheirSweep;
use crate::shop::change::Event;
use crate::shop::order::Order;
use crate::shop::refund::{meant_by, memo_of};
use crate::store::backup::{About, BackupFlaw, about, bring_back, reread};
use protocol::bank;
use protocol::seal::ViewKey;
use protocol::shop::Release;
use protocol::wire::{HoldStep, Sale as Taking, SaleKind, SalesList};

fn mine() -> ViewKey {
    ViewKey::from_secret([5; 32])
}

/// A backup of the scene's book, as a file would have it.
fn backup(scene: &Scene) -> Vec<u8> {
    let snapshot = scene.store.snapshot().unwrap();
    let told = About {
        bank: keeper().bank,
        shop: keeper().key,
        made: scene.now,
        event: snapshot.event,
        reports: snapshot.period.reports,
        closed: snapshot.period.closed,
        wallet: Digest([3; 32]),
    };
    let mut file = Vec::new();
    let digest = snapshot.write(&told, &mine().key(), &mut file).unwrap();
    assert_eq!(reread(&mut &file[..]).unwrap(), digest);
    assert_eq!(about(&mut &file[..]).unwrap(), told);
    file
}

fn opened(file: &[u8], key: &ViewKey) -> Result<ShopStore, BackupFlaw> {
    let store = ShopStore::on(redb::backends::InMemoryBackend::new()).unwrap();
    bring_back(&mut &file[..], key, &store).map(|_| store)
}

/// The shop's machine is gone; the wallet is back, and the book from its backup.
fn put_back(scene: &mut Scene, file: &[u8], last: u64) {
    scene.store = opened(file, &mine()).unwrap();
    scene.starts_again();
    let decision = scene.shop.put_back((NOON, Digest([3; 32])), last, &boss(), scene.now).unwrap();
    scene.decide(decision);
    scene.starts_again();
}

fn kinds(scene: &Scene) -> Vec<Event> {
    scene.store.events(0, 1000).unwrap()
}

/// Issue 4, B6: a book from a backup has everything that was in it; a payment for a sale that it knows and one for a sale that
/// it does not know are booked to their day with the numbers that they had; Z reports go on without a number twice.
#[test]
fn a_book_comes_back_and_books_what_it_missed() {
    let mut scene = Scene::new();
    let first = scene.sells("one", 40);
    scene.wallet.receives(1, 1, 40, first.request.unwrap());
    scene.settles();
    let z = scene.closes().unwrap();
    let (open, file) = (scene.sells("two", 7), backup(&scene));
    scene.now = scene.now.plus_seconds(60);
    // What the backup does not know: a sale, its payment, and then the payment of the sale that it knows.
    let lost = scene.sells("three", 11);
    scene.wallet.receives(2, 2, 11, lost.request.unwrap());
    scene.wallet.receives(3, 3, 7, open.request.unwrap());
    scene.settles();
    let before =
        (scene.store.sale_of_number(2).unwrap().unwrap(), scene.store.sale_of_number(3).unwrap().unwrap());

    put_back(&mut scene, &file, 1);
    assert_eq!(scene.store.report(1).unwrap().unwrap().digest(), z.digest());
    scene.settles();
    let back = scene.shop.back().unwrap().clone();
    assert_eq!((back.unbooked, back.units, back.reports_missing), (1, units(11), 0));
    let again =
        (scene.store.sale_of_number(2).unwrap().unwrap(), scene.store.sale_of_number(3).unwrap().unwrap());
    let paid = |sale: &Sale| sale.paid.as_ref().map(|paid| (paid.number, paid.payer, paid.payment));
    assert_eq!(
        (paid(&again.0), paid(&again.1)),
        (paid(&before.0), paid(&before.1)),
        "the numbers that they had"
    );
    assert_eq!((again.0.day, again.0.total, again.0.till.as_str()), (before.0.day, units(11), "1"));
    assert_eq!((again.1.id, again.1.state), (open.id, SaleState::Paid));
    let told = kinds(&scene).iter().any(|event| {
        event.what == Happening::Unbooked { sale: again.0.id, day: before.0.day, units: units(11) }
    });
    assert!(told, "it is said plainly");
    // A customer of the lost sale can be given something back.
    assert!(scene.tries_to_refund(&again.0, "a", Some(5), &boss()).is_ok());
    scene.settles();
    scene.now = scene.now.plus_seconds(DAY_SECONDS);
    let next = scene.closes().unwrap();
    let report = next.unverified();
    assert_eq!((report.number, report.prev), (2, z.digest()));
    assert_eq!((report.reserve, report.expected), (units(53), units(53)), "nothing is missing");
}

/// Issue 4: a backup from before the last Z report: its owner says the last number, and none is used twice; sweeps that the bank
/// has are noted, what stands in them is not swept again, and before the bank has told them nothing is swept or closed.
#[test]
fn an_old_backup_uses_no_number_twice() {
    let mut scene = Scene::new();
    let settings = Settings { sweep: true, ..Settings::default() };
    let set = scene.shop.set(settings, &boss(), scene.now).unwrap();
    scene.decide(set);
    let one = scene.sells("one", 40);
    scene.wallet.receives(1, 1, 40, one.request.unwrap());
    scene.settles();
    let file = backup(&scene);
    // Closed and swept after it; all of that is lost, but not at the bank.
    let z = scene.closes().unwrap();
    let sweep = scene.shop.open_sweeps().next().unwrap().clone();
    let bytes = scene.store.sweep_list(&sweep.id).unwrap();
    let list: SalesList = protocol::wire::decode(&bytes).unwrap();
    let theirs = TheirSweep { sweep: scene.shop.sweep_body(&sweep), list, bytes };
    scene.now = scene.now.plus_seconds(DAY_SECONDS);

    let too_low = Scene { store: opened(&file, &mine()).unwrap(), ..Scene::new() };
    let shop = too_low.store.load(keeper()).unwrap();
    assert!(shop.put_back((NOON, Digest([3; 32])), 0, &boss(), NOON).is_ok(), "there was none in it");
    put_back(&mut scene, &file, 1);
    assert!(matches!(scene.shop.put_back((NOON, Digest([3; 32])), 0, &boss(), NOON), Err(Refusal::Value(_))));
    let two = scene.sells("two", 5);
    scene.wallet.receives(2, 2, 5, two.request.unwrap());
    scene.hears().unwrap();
    assert!(scene.shop.sweep_due(scene.now).is_none());
    let taken = || scene.store.takings().unwrap();
    assert_eq!(taken().len(), 1, "what the backup has; the number of the other may stand in a sweep");
    let holds = Holds { reserve: units(45), ..Holds::default() };
    let early = scene.shop.close_day(holds, taken(), &node(), &boss(), scene.now);
    assert!(matches!(early, Err(Refusal::State { .. })), "not before the bank has told");
    assert_eq!(scene.shop.sweeps_unknown(), Some(1));
    let told = scene.shop.sweeps_told(vec![theirs], &taken(), scene.now);
    scene.decide(told);
    scene.starts_again();
    scene.hears().unwrap();
    assert_eq!((scene.shop.sweeps_unknown(), scene.shop.next_sweep_number()), (None, 2));
    let left: Vec<(u64, SaleKind, Units)> = scene
        .store
        .takings()
        .unwrap()
        .into_iter()
        .map(|(_, line)| (line.number, line.kind, line.units))
        .collect();
    assert_eq!(left, [(2, SaleKind::Sale, units(5))], "what was swept is not swept again");
    let takings = scene.store.takings().unwrap();
    let next = scene.shop.close_day(holds, takings, &node(), &boss(), scene.now).unwrap();
    let next = scene.decide(next);
    assert_eq!((z.unverified().number, next.unverified().number), (1, 2), "no number twice");
    assert_eq!(next.unverified().lines.iter().map(|line| line.late).collect::<Vec<_>>(), [true, false]);
    let swept = scene.shop.open_sweeps().next().unwrap();
    assert_eq!((swept.number, swept.units), (2, units(5)));
}

impl Scene {
    fn sweeps(&mut self) {
        let settings = Settings { sweep: true, ..Settings::default() };
        let set = self.shop.set(settings, &boss(), self.now).unwrap();
        self.decide(set);
    }

    /// A sale paid a minute later.
    fn takes(&mut self, payment: u8, count: u64) -> Sale {
        self.now = self.now.plus_seconds(60);
        let sale = self.sells(&format!("sale {payment}"), count);
        self.wallet.times.insert(payment, self.now);
        self.wallet.receives(payment, payment, count, sale.request.unwrap());
        self.settles();
        self.sale(&sale.id)
    }

    /// An accepted order of 22 units.
    fn orders_lunch(&mut self, number: u8) -> Order {
        let lunch = item("lunch", "LUNCH", Price::Fixed(units(22)));
        let decision = self.shop.put_item(lunch, &boss(), self.now).unwrap();
        self.decide(decision);
        let alice = orders::buyer(1);
        let placed = orders::order(&alice, number, Release::Code, "lunch");
        let decision = self.shop.place(placed, (&alice.key(), "Alice"), None, &node(), self.now);
        self.decide(decision).unwrap()
    }

    /// The bank's word on a hold, as of the journal entry `changed`.
    fn hears_hold(&mut self, order: &Order, changed: u64, step: HoldStep) {
        let state = orders::hold(order, changed, step);
        let known = self.store.orders_held(std::slice::from_ref(&state)).unwrap();
        let decision = self.shop.holds_told(vec![state], known, (&node(), &papers()), self.now);
        self.decide(decision);
    }

    /// What the bank has of the sweep that waits.
    fn swept(&mut self) -> TheirSweep {
        self.closes().unwrap();
        let sweep = self.shop.open_sweeps().next().unwrap().clone();
        let bytes = self.store.sweep_list(&sweep.id).unwrap();
        let list: SalesList = protocol::wire::decode(&bytes).unwrap();
        TheirSweep { sweep: self.shop.sweep_body(&sweep), list, bytes }
    }

    fn bank_tells(&mut self, theirs: Vec<TheirSweep>) {
        let told = self.shop.sweeps_told(theirs, &self.store.takings().unwrap(), self.now);
        self.decide(told);
        self.starts_again();
    }

    fn waiting(&self) -> Vec<(u64, SaleKind, Units)> {
        let takings = self.store.takings().unwrap();
        takings.into_iter().map(|(_, line)| (line.number, line.kind, line.units)).collect()
    }

    fn numbers(&self) -> Vec<Option<(u64, Units)>> {
        let of = |number| self.store.sale_of_number(number).unwrap();
        (1..=4).map(|number| of(number).map(|sale| (sale.paid.unwrap().number, sale.total))).collect()
    }
}

/// Issue 4, N10: sales and orders share the receipts' numbers, and a book that was put back hears them from two sources in any
/// order. What the bank has in a sweep is not swept again, keeps its number, and no number is on two papers.
#[test]
fn an_order_between_two_sales_is_not_swept_twice() {
    for orders_first in [false, true] {
        let mut scene = Scene::new();
        scene.sweeps();
        scene.settles();
        let order = scene.orders_lunch(5);
        let file = backup(&scene);
        let closed = |scene: &Scene| HoldStep::Closed(units(22), Units::ZERO, scene.now);
        scene.takes(1, 100);
        scene.now = scene.now.plus_seconds(60);
        let step = closed(&scene);
        scene.hears_hold(&order, 7, step.clone());
        scene.takes(2, 200);
        let theirs = scene.swept();
        scene.takes(3, 5);
        let before = scene.numbers();
        assert_eq!(before.iter().flatten().map(|(_, sum)| sum.get()).collect::<Vec<_>>(), [100, 22, 200, 5]);
        scene.now = scene.now.plus_seconds(60);

        put_back(&mut scene, &file, 1);
        let cursor = scene.shop.cursor();
        scene.hears().unwrap();
        scene.hears_hold(&order, 7, step.clone());
        assert_eq!(scene.numbers(), [None; 4], "no number before the bank has told its own");
        assert_eq!(scene.shop.cursor(), cursor);
        scene.bank_tells(vec![theirs]);
        if orders_first {
            scene.hears_hold(&order, 7, step.clone());
            scene.starts_again();
        }
        scene.hears().unwrap();
        scene.hears_hold(&order, 7, step);
        scene.starts_again();
        assert_eq!(scene.numbers(), before, "the numbers that they had");
        assert_eq!(scene.waiting(), [(4, SaleKind::Sale, units(5))], "nothing is swept twice");
        assert!(scene.shop.back().unwrap().swept.is_empty());
        let next = scene.takes(4, 6);
        assert_eq!(next.paid.unwrap().number, 5);
    }
}

impl Scene {
    /// Gives back, and has the customer take it, as the wallet's file will have it for ever.
    fn gives_back(&mut self, sale: &Sale, count: u64) -> Refund {
        self.now = self.now.plus_seconds(60);
        let refund =
            self.tries_to_refund(sale, &format!("back {}", self.now.0), Some(count), &boss()).unwrap();
        self.settles();
        let memo = format!("{}: stale", memo_of(sale.paid.as_ref().unwrap().number));
        let Refund { payment, to, name, units, .. } = refund.clone();
        let (meant, at, token, outcome) = (meant_by(&memo), self.now, None, Outcome::Done(Digest([9; 32])));
        let given = Given { payment, meant, sale: None, to, name, units, memo, at, token, outcome };
        self.wallet.given.insert(payment, given);
        self.wallet.done(payment);
        self.settles();
        self.refund(&refund.id)
    }
}

/// Issue 4, N7: what was given back after the copy is in the wallet, and counts against its sale: it is not given a second time,
/// nor noted a second time, and stands in the next sweep unless the bank has it in one.
#[test]
fn what_was_given_back_after_the_copy_counts() {
    for swept in [false, true] {
        let mut scene = Scene::new();
        scene.sweeps();
        scene.settles();
        let old = scene.takes(1, 100);
        let file = backup(&scene);
        scene.gives_back(&old, 60);
        let new = scene.takes(2, 50);
        scene.gives_back(&new, 20);
        let theirs = if swept { vec![scene.swept()] } else { Vec::new() };
        let reports = u64::from(swept);
        scene.now = scene.now.plus_seconds(60);
        put_back(&mut scene, &file, reports);
        scene.hears().unwrap();
        assert_eq!(
            scene.tries_to_refund(&old, "early", Some(1), &boss()),
            Err(Refusal::MaybeGiven { made: NOON }),
            "not before all is heard"
        );
        scene.bank_tells(theirs);
        scene.settles();
        scene.starts_again();
        let new = scene.store.sale_of_number(2).unwrap().unwrap();
        let back = scene.shop.back().unwrap();
        assert_eq!((back.refunds, back.unclear, back.swept.len()), (2, false, 0));
        assert_eq!((scene.sale(&old.id).refunded, new.refunded), (units(60), units(20)));
        let refunds = scene.store.refunds_of(&old.id).unwrap();
        assert_eq!(refunds.len(), 1);
        assert_eq!((refunds[0].state, refunds[0].reason.as_str()), (RefundState::Done, "stale"));
        assert!(refunds[0].note.is_none(), "the customer has one");
        assert_eq!(
            scene.tries_to_refund(&old, "again", Some(60), &boss()),
            Err(Refusal::OverPaid { left: units(40), asked: units(60) })
        );
        let back_lines = scene.waiting().into_iter().filter(|(_, kind, _)| *kind == SaleKind::Refund);
        let expected: Vec<_> = [(1, units(60)), (2, units(20))].into_iter().filter(|_| !swept).collect();
        assert_eq!(back_lines.map(|(number, _, sum)| (number, sum)).collect::<Vec<_>>(), expected);
        assert_eq!(scene.shop.period().refunded().unwrap(), units(80));
        scene.is_sound();
        // A refund of the same sum that is made now is another one.
        let next = scene.tries_to_refund(&new, "next", Some(20), &boss()).unwrap();
        scene.settles();
        scene.wallet.done(next.payment);
        scene.settles();
        assert!(scene.waiting().contains(&(2, SaleKind::Refund, units(20))));
    }
}

/// Issue 4, N7: where the wallet can't tell what was given back after the copy, a sale older than that is given back only by
/// somebody who says that he has looked; one of now by anybody.
#[test]
fn what_may_have_been_given_back_is_looked_for() {
    for forgets in ["payment", "payer", "events"] {
        let mut scene = Scene::new();
        scene.settles();
        let old = scene.takes(1, 100);
        let file = backup(&scene);
        let refund = scene.gives_back(&old, 60);
        match forgets {
            "payment" => scene.wallet.given.clear(),
            "payer" => scene.wallet.given.get_mut(&refund.payment).unwrap().to = Key([9; 32]),
            _ => {}
        }
        scene.now = scene.now.plus_seconds(60);
        put_back(&mut scene, &file, 0);
        if forgets == "events" {
            let at = Cursor { event: 3, line: 2, generation: 1 };
            let decision = scene.shop.wallet_is_behind(at, scene.now);
            scene.decide(decision);
        }
        scene.settles();
        scene.starts_again();
        let unclear = Err(Refusal::MaybeGiven { made: NOON });
        assert_eq!(scene.tries_to_refund(&old, "again", Some(60), &boss()), unclear, "{forgets}");
        let new = scene.takes(2, 50);
        assert!(scene.tries_to_refund(&new, "new", Some(5), &boss()).is_ok());
        let id = RequestId([77; 16]);
        let call = NewRefund { id, call: Digest([1; 32]), units: None, reason: String::new(), looked: true };
        assert!(scene.shop.refund(call, scene.sale(&old.id), None, &boss(), scene.now).is_ok());
    }
}

/// Issue 4, N10: money that the bank holds for an order which came after the copy is shown, and what of it is released is booked:
/// it has a receipt and a line, and the number that it had.
#[test]
fn what_is_held_for_an_unknown_order_is_not_lost() {
    for swept in [false, true] {
        let mut scene = Scene::new();
        scene.sweeps();
        scene.settles();
        let file = backup(&scene);
        let order = scene.orders_lunch(5);
        scene.hears_hold(&order, 6, HoldStep::Open);
        let closed = HoldStep::Closed(units(20), units(2), scene.now);
        let theirs = match swept {
            true => {
                scene.hears_hold(&order, 7, closed.clone());
                vec![scene.swept()]
            }
            false => Vec::new(),
        };
        scene.now = scene.now.plus_seconds(60);
        put_back(&mut scene, &file, u64::from(swept));
        scene.bank_tells(theirs);
        if !swept {
            scene.hears_hold(&order, 6, HoldStep::Open);
            scene.starts_again();
            let holds = &scene.shop.back().unwrap().holds;
            assert_eq!((holds.len(), holds[0].left, holds[0].order), (1, units(22), order.order.digest()));
        }
        for _ in 0..2 {
            scene.hears_hold(&order, 7, closed.clone());
            scene.starts_again();
        }
        assert!(scene.shop.back().unwrap().holds.is_empty());
        let sale = scene.store.sale_of_number(1).unwrap().unwrap();
        assert_eq!((sale.total, sale.paid.unwrap().payer), (units(20), orders::buyer(1).key()));
        let lines = if swept { vec![] } else { vec![(1, SaleKind::Order, units(20))] };
        assert_eq!(scene.waiting(), lines);
        assert_eq!(scene.shop.period().ordered().unwrap(), units(20));
        assert!(scene.store.sale_of_number(2).unwrap().is_none(), "once");
    }
}

/// A memo is read as it is written, whatever reason follows.
#[test]
fn a_memo_says_what_it_was() {
    assert_eq!(meant_by(&memo_of(17)), Meant::Refund(17));
    assert_eq!(meant_by(&format!("{}: refund, receipt 3", memo_of(17))), Meant::Refund(17));
    assert_eq!(meant_by("sent back: the sale had ended"), Meant::SentBack);
    for other in ["", "refund", "refund, receipt ", "refund, receipt 17x", "rent"] {
        assert_eq!(meant_by(other), Meant::Other, "{other}");
    }
}

/// Issue 4: two lines that look alike are two: a sweep takes away as many as it has.
#[test]
fn a_sweep_takes_only_its_own_lines_away() {
    let mut scene = Scene::new();
    let file = backup(&scene);
    put_back(&mut scene, &file, 0);
    let line = |number: u64| Taking {
        number,
        at: NOON,
        units: units(3),
        kind: SaleKind::Refund,
        till: "1".to_owned(),
        receipt: Digest([9; 32]),
    };
    let list = SalesList { sales: vec![line(1)] };
    let body = bank::Sweep {
        bank: keeper().bank,
        request: RequestId([4; 16]),
        owner: keeper().key,
        number: 1,
        day: Day(20_500),
        units: Units::ZERO,
        ordered: Units::ZERO,
        sales: 1,
        list: Digest([8; 32]),
        created: NOON,
    };
    scene
        .store
        .commit(&[Change::Taking(1, line(1)), Change::Taking(2, line(1)), Change::Taking(3, line(2))])
        .unwrap();
    let takings = scene.store.takings().unwrap();
    let told =
        scene.shop.sweeps_told(vec![TheirSweep { sweep: body, list, bytes: Vec::new() }], &takings, NOON);
    scene.decide(told);
    let left: Vec<u64> = scene.store.takings().unwrap().iter().map(|(at, _)| *at).collect();
    assert_eq!(left, [2, 3]);
}

/// Issue 4, X5: a backup opens with the shop's seed alone; cut, changed, or put together from two, it is refused whole.
#[test]
fn a_backup_is_whole_or_none() {
    let mut scene = Scene::new();
    let list = format!(
        "sku,name,category,rule,price,min,max\n{}",
        (0..3000).map(|n| format!("a{n},Article number {n},all,fixed,3,,\n")).collect::<String>()
    );
    let items = csv::read(&list, &keeper().currency).unwrap();
    let imported = scene.shop.import(items, false, &boss(), NOON).unwrap();
    scene.decide(imported);
    let file = backup(&scene);
    assert!(file.len() > 2 * 65_000, "more than one part: {}", file.len());
    let whole = opened(&file, &mine()).unwrap();
    assert_eq!(whole.load(keeper()).unwrap().items(), scene.shop.items());
    let stranger = ViewKey::from_secret([6; 32]);
    assert!(matches!(opened(&file, &stranger), Err(BackupFlaw::DoesNotOpen)));
    for length in [0, 15, 16, 19, 60, 300, file.len() / 2, file.len() - 1] {
        assert!(opened(&file[..length], &mine()).is_err(), "{length} bytes");
    }
    for at in [0, 17, 40, 200, 700, file.len() / 2, file.len() - 1] {
        let mut changed = file.clone();
        changed[at] ^= 1;
        assert!(opened(&changed, &mine()).is_err(), "byte {at}");
    }
    assert!(opened(&[&file[..], b"x"].concat(), &mine()).is_err());
    scene.sells("one", 40);
    let other = backup(&scene);
    let mixed = [&file[..file.len() / 2], &other[file.len() / 2..]].concat();
    assert!(opened(&mixed, &mine()).is_err());
    assert!(!file.windows(7).any(|part| part == b"Article"), "nobody reads it");
}
