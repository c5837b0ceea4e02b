//! Roles, caps, the audit log.

use super::*;

/// A cashier's caps hold for each refund and for the business day, over a restart.
#[test]
fn caps_are_kept() {
    let mut scene = Scene::new();
    let ann = cashier(&mut scene, Some(10), Some(15));
    let sale = scene.sells("one", 100);
    scene.wallet.receives(1, 1, 100, sale.request.unwrap());
    scene.settles();
    let over = |left, asked| Err(Refusal::OverCap { left: units(left), asked: units(asked) });
    assert_eq!(scene.tries_to_refund(&sale, "a", Some(11), &ann), over(10, 11));
    assert!(scene.tries_to_refund(&sale, "b", Some(10), &ann).is_ok());
    scene.starts_again();
    assert_eq!(scene.tries_to_refund(&sale, "c", Some(6), &ann), over(5, 6));
    assert!(scene.tries_to_refund(&sale, "d", Some(5), &ann).is_ok());
    assert_eq!(scene.tries_to_refund(&sale, "e", Some(1), &ann), over(0, 1));
    assert!(scene.tries_to_refund(&sale, "f", Some(30), &boss()).is_ok(), "the owner has no cap");
    scene.now = scene.now.plus_seconds(DAY_SECONDS);
    assert!(scene.tries_to_refund(&sale, "g", Some(10), &ann).is_ok(), "a new day");
}

/// N7: a cashier whose day has no cap gives nothing back: a cap of one refund is got past by many.
#[test]
fn a_cashier_without_a_cap_gives_nothing_back() {
    let mut scene = Scene::new();
    let sale = scene.sells("one", 60);
    scene.wallet.receives(1, 1, 60, sale.request.unwrap());
    scene.settles();
    let ann = cashier(&mut scene, Some(10), None);
    let refused = scene.tries_to_refund(&sale, "a", Some(1), &ann);
    assert_eq!(refused, Err(Refusal::OverCap { left: Units::ZERO, asked: units(1) }));
}

/// What is asked and refused stands in the audit log as well as what is done.
#[test]
fn everything_is_audited() {
    let mut scene = Scene::new();
    let ann = cashier(&mut scene, None, None);
    scene.sells("one", 4);
    let decision = scene.shop.note(&ann, "report.z", "not_your_role", scene.now);
    scene.decide(decision);
    let end = scene.shop.end_staff("ann", &boss(), scene.now).unwrap();
    scene.decide(end);
    assert!(matches!(scene.shop.end_staff("ann", &boss(), NOON), Err(Refusal::NotFound(_))));
    scene.starts_again();
    let page = daemon::store::Page { before: None, limit: 10 };
    let lines = scene.store.audit(page).unwrap();
    let lines: Vec<(u64, &str, &str, &str)> = lines
        .iter()
        .map(|line| (line.number, line.who.as_str(), line.method.as_str(), line.outcome.as_str()))
        .collect();
    assert_eq!(
        lines,
        [
            (4, "owner", "staff.end", "done"),
            (3, "Ann", "report.z", "not_your_role"),
            (2, "owner", "sale.open", "done"),
            (1, "owner", "staff.add", "done"),
        ]
    );
}
