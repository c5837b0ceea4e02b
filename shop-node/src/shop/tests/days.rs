//! Days: borders, reports, what is late, what differs.

use super::*;

/// Z once a business day; an X report changes nothing; what is paid after its day's report is late in the next.
#[test]
fn a_day_is_closed_once_and_late_money_is_told() {
    let mut scene = Scene::new();
    scene.hears().unwrap();
    let (first, late) = (scene.sells("one", 40), scene.sells("two", 25));
    scene.wallet.receives(1, 1, 40, first.request.unwrap());
    scene.hears().unwrap();
    let before = scene.store.events(0, 1000).unwrap().len();
    let x = scene.shop.report(scene.holds(), scene.now).unwrap();
    assert_eq!((x.received, x.number), (units(40), 1));
    assert_eq!(scene.store.events(0, 1000).unwrap().len(), before);
    let z1 = scene.closes().unwrap();
    assert_eq!(
        (z1.unverified().number, z1.unverified().received, z1.unverified().prev),
        (1, units(40), Digest::default())
    );
    assert_eq!(scene.closes(), Err(Refusal::DayClosed { day: Day(20_500), number: 1 }));
    // The shop goes on selling: that is tomorrow's.
    scene.now = scene.now.plus_seconds(60);
    let evening = scene.sells("three", 7);
    assert_eq!(evening.day, Day(20_501));
    scene.wallet.receives(2, 2, 25, late.request.unwrap());
    scene.wallet.receives(3, 3, 7, evening.request.unwrap());
    scene.hears().unwrap();
    assert!(scene.sale(&late.id).paid.unwrap().late);
    scene.now = scene.now.plus_seconds(DAY_SECONDS);
    let z2 = scene.closes().unwrap();
    let body = z2.unverified();
    assert_eq!((body.number, body.prev, body.opening), (2, z1.digest(), units(40)));
    assert_eq!(
        (body.received, body.late, body.expected, body.reserve),
        (units(7), units(25), units(72), units(72))
    );
    let lines: Vec<(Day, bool, Units)> =
        body.lines.iter().map(|line| (line.day, line.late, line.received)).collect();
    assert_eq!(lines, [(Day(20_500), true, units(25)), (Day(20_501), false, units(7))]);
    assert_eq!(z2.check_by(&node().key()), Ok(()));
    // Kept as they were made.
    scene.starts_again();
    assert_eq!(scene.store.report(1).unwrap().unwrap(), z1);
    assert_eq!((scene.shop.period().reports, scene.shop.period().opening), (2, units(72)));
}

/// Nobody closed the day in the evening: the report of the next morning is that day's, and the new day goes on.
#[test]
fn a_forgotten_day_is_closed_the_next_morning() {
    let mut scene = Scene::new();
    let monday = scene.sells("one", 40);
    scene.wallet.receives(1, 1, 40, monday.request.unwrap());
    scene.hears().unwrap();
    scene.now = scene.now.plus_seconds(DAY_SECONDS);
    let tuesday = scene.sells("two", 5);
    scene.wallet.receives(2, 2, 5, tuesday.request.unwrap());
    let first = scene.closes().unwrap();
    let lines: Vec<Day> = first.unverified().lines.iter().map(|line| line.day).collect();
    assert_eq!((first.unverified().day, lines), (Day(20_500), vec![Day(20_500), Day(20_501)]));
    let later = scene.sells("three", 6);
    assert_eq!(later.day, Day(20_501), "Tuesday goes on");
    scene.wallet.receives(3, 3, 6, later.request.unwrap());
    let second = scene.closes().unwrap();
    let body = second.unverified();
    assert_eq!(
        (body.day, body.received, body.late, body.opening),
        (Day(20_501), units(6), units(0), units(45))
    );
    assert_eq!(scene.closes(), Err(Refusal::DayClosed { day: Day(20_501), number: 2 }));
}

/// A wallet that holds something else than was booked shows in the report, once.
#[test]
fn a_difference_is_told_once() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    scene.wallet.receives(1, 1, 40, sale.request.unwrap());
    scene.hears().unwrap();
    scene.wallet.reserve -= 3;
    let z = scene.closes().unwrap();
    assert_eq!((z.unverified().expected, z.unverified().reserve), (units(40), units(37)));
    scene.now = scene.now.plus_seconds(DAY_SECONDS);
    let next = scene.closes().unwrap();
    assert_eq!((next.unverified().expected, next.unverified().reserve), (units(37), units(37)));
}

/// A wallet with fewer events than were heard is another one: it is said, and heard from where it is.
#[test]
fn a_restored_wallet_is_noticed() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    scene.wallet.receives(1, 1, 40, sale.request.unwrap());
    scene.settles();
    let decision = scene.shop.wallet_is_behind(Cursor::default(), scene.now);
    scene.decide(decision);
    let last = scene.store.events(0, 1000).unwrap().pop().unwrap();
    assert_eq!(last.what, Happening::WalletBehind { heard: 1, has: 0 });
    // The same payment, told again by the restored wallet: the sale is paid already, by this very one.
    scene.hears().unwrap();
    assert_eq!((scene.shop.open_refunds().count(), scene.shop.period().received().unwrap()), (0, units(40)));
}

/// Day borders and time zones: a table of (UTC second of the day, offset, closing hour) and the business day.
#[test]
fn a_business_day_ends_at_the_closing_hour() {
    let day = 20_500;
    let at = |hours: u64, minutes: u64| Timestamp(day * DAY_SECONDS + hours * 3600 + minutes * 60);
    let today = u32::try_from(day).unwrap();
    for (moment, offset_minutes, closes_minutes, expected) in [
        (at(0, 0), 0, 0, today),
        (at(23, 59), 0, 0, today),
        (at(23, 0), 120, 0, today + 1),
        (at(21, 59), 120, 0, today),
        (at(0, 30), -60, 0, today - 1),
        (at(2, 59), 0, 180, today - 1),
        (at(3, 0), 0, 180, today),
        (at(0, 59), 120, 180, today - 1),
        (at(1, 0), 120, 180, today),
        (at(12, 0), 14 * 60, 0, today + 1),
        (Timestamp(0), -60, 180, 0),
    ] {
        let settings = Settings { offset_minutes, closes_minutes, ..Settings::default() };
        assert_eq!(settings.day_of(moment), Day(expected), "{moment} {offset_minutes} {closes_minutes}");
    }
    let scene = Scene::new();
    let good = Settings::default();
    for bad in [
        Settings { tills: Vec::new(), ..good.clone() },
        Settings { tills: vec!["1".into(), "1".into()], ..good.clone() },
        Settings { tills: vec![" ".into()], ..good.clone() },
        Settings { tills: vec!["x".repeat(25)], ..good.clone() },
        Settings { offset_minutes: 841, ..good.clone() },
        Settings { closes_minutes: 1440, ..good.clone() },
        Settings { sale_seconds: 29, ..good.clone() },
    ] {
        assert!(scene.shop.set(bad, &boss(), NOON).is_err());
    }
}

/// N7: a clock that runs ahead closes no days that have not come: reports would be refused until then.
#[test]
fn a_clock_that_runs_ahead_closes_nothing() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 40);
    scene.wallet.receives(1, 1, 40, sale.request.unwrap());
    scene.hears().unwrap();
    scene.told = Some(scene.now);
    scene.now = NOON.plus_seconds(400 * DAY_SECONDS);
    let ahead = scene.new_sale("two", 5, None);
    let decision = scene.shop.open_a_sale(ahead, None, &boss(), scene.now).unwrap();
    scene.decide(decision);
    assert!(matches!(scene.closes(), Err(Refusal::Value(_))));
    assert_eq!(scene.shop.period().closed, None);
    // Nobody closed for weeks, and the bank says that it is so.
    scene.told = Some(scene.now);
    assert_eq!(scene.closes().unwrap().unverified().day, Day(20_500));
    scene.now = scene.now.plus_seconds(2 * DAY_SECONDS);
    assert_eq!(scene.closes().unwrap().unverified().day, Day(20_902), "the bank is away for two days");
}

/// N7: the report of a day that was closed late has lines of the next: it is looked at for both.
#[test]
fn a_report_is_looked_at_for_each_day_that_it_may_tell_of() {
    let mut scene = Scene::new();
    scene.hears().unwrap();
    scene.now = NOON;
    let report = scene.closes().unwrap();
    let is_before = |day| report.unverified().is_before(Day(day));
    assert_eq!([20_499, 20_500, 20_501, 20_502].map(is_before), [false, false, false, true]);
}

/// N7: money that is shown again after a restore is booked, and somebody is told to look at it.
#[test]
fn money_that_is_shown_again_is_booked() {
    let mut scene = Scene::new();
    scene.hears().unwrap();
    scene.wallet.reserve += 9;
    scene.wallet.lines.push((Line::ShownAgain { payer: 1, payment: 2 }, 9));
    scene.hears().unwrap();
    let last = scene.store.events(0, 1000).unwrap().pop().unwrap();
    let (payer, payment) = (Key([1; 32]), PaymentId([2; 16]));
    assert_eq!(last.what, Happening::ShownAgain { payer, payment, units: units(9) });
    scene.is_sound();
}
