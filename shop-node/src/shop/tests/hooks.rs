//! Webhooks: how far somebody was told, and when he is given up.

use super::*;
use crate::shop::hook::{Came, Hook, NewHook};

fn new(url: &str) -> NewHook {
    let (id, host) = (url.to_owned(), "https://shop.example".to_owned());
    NewHook { id, url: url.to_owned(), host, kinds: Vec::new(), insecure: false, after: Some(0) }
}

impl Scene {
    fn hook(&self) -> Hook {
        self.shop.hook("one").unwrap().clone()
    }

    fn told(&mut self, by: &Hook, cursor: u64, came: Came) -> Option<Hook> {
        let decision = self.shop.hook_went(by, cursor, &came, self.now);
        self.decide(decision)
    }
}

/// Issue 4: after two weeks without an answer a hook is given up; resumed, it goes on with the first event that it missed.
#[test]
fn who_does_not_answer_is_given_up_and_loses_nothing() {
    let mut scene = Scene::new();
    let added = scene.shop.add_hook(new("one"), &boss(), scene.now).unwrap();
    scene.decide(added);
    scene.sells("bread", 4);
    let hook = scene.hook();
    scene.told(&hook, 1, Came::Told);
    for day in 0..14 {
        scene.told(&hook, 1, Came::Failed("it answered 500".to_owned()));
        assert_eq!((scene.hook().word(), scene.hook().failing.unwrap().tries), ("failing", day + 1));
        scene.now = scene.now.plus_seconds(DAY_SECONDS);
    }
    assert_eq!(scene.shop.failing().count(), 1);
    scene.told(&hook, 1, Came::Failed("it answered 500".to_owned()));
    scene.starts_again();
    assert_eq!((scene.hook().word(), scene.hook().cursor), ("off", 1));
    assert_eq!(scene.told(&hook, 3, Came::Told), None, "what is still on its way counts for nothing");
    let resumed = scene.shop.resume_hook("one", None, &boss(), scene.now).unwrap();
    scene.decide(resumed);
    assert_eq!((scene.hook().word(), scene.hook().cursor), ("on", 1));
    assert_eq!(scene.told(&hook, 3, Came::Told), None, "nor does what was sent before it was resumed");
    scene.told(&scene.hook(), 2, Came::Told);
    scene.starts_again();
    assert_eq!((scene.hook().cursor, scene.shop.failing().count()), (2, 0));
}

/// Issue 4: a receiver that takes every other post does not make events out of nothing; one that takes nothing is an event after
/// three tries, and one more when it takes again.
#[test]
fn a_receiver_that_takes_every_other_post_makes_no_events() {
    let mut scene = Scene::new();
    let added = scene.shop.add_hook(new("one"), &boss(), scene.now).unwrap();
    scene.decide(added);
    for article in ["bread", "milk", "cake"] {
        scene.sells(article, 4);
    }
    let newest = scene.shop.newest_event();
    assert!(newest > 3 && !scene.hook().wants("webhook") && scene.hook().wants("sale"));
    for cursor in 1..=newest {
        let came = if cursor < newest { Came::Failed("it answered 429".to_owned()) } else { Came::Told };
        scene.told(&scene.hook(), cursor, came);
    }
    assert_eq!(scene.shop.newest_event(), newest, "no event of its own");
    for tries in 1..=4 {
        scene.told(&scene.hook(), newest, Came::Failed("it answered 500".to_owned()));
        assert_eq!(scene.shop.newest_event(), newest + u64::from(tries >= 3));
    }
    scene.told(&scene.hook(), newest + 1, Came::Passed);
    assert_eq!((scene.shop.newest_event(), scene.hook().word()), (newest + 2, "on"));
    let named = NewHook { kinds: vec!["webhook".to_owned()], ..new("two") };
    let added = scene.shop.add_hook(named, &boss(), scene.now).unwrap();
    assert!(scene.decide(added).wants("webhook"));
}

/// Review of issue 4, N7: a person's webhooks end with the person, in the same decision, and it is said; the others go on; who
/// resumes one answers for it, and it may not go nearer than he may send it.
#[test]
fn a_webhook_ends_with_who_added_it() {
    let mut scene = Scene::new();
    let ann = Actor { role: Role::Manager, ..cashier(&mut scene, None, None) };
    for (id, who) in [("one", &ann), ("two", &boss())] {
        let added = scene.shop.add_hook(new(id), who, scene.now).unwrap();
        scene.decide(added);
    }
    let mine = scene.hook();
    assert_eq!((mine.near, scene.shop.hook("two").unwrap().near), (false, true));
    let insecure = NewHook { insecure: true, ..new("three") };
    assert!(matches!(scene.shop.add_hook(insecure, &ann, scene.now), Err(Refusal::Value(_))));
    let end = scene.shop.end_staff("ann", &boss(), scene.now).unwrap();
    assert_eq!(scene.decide(end), ["one"]);
    scene.starts_again();
    assert_eq!((scene.hook().word(), scene.shop.hook("two").unwrap().word()), ("off", "on"));
    let (what, failing) = scene.shop.failing().next().unwrap();
    assert!(what.contains("one") && failing.error.contains("Ann"), "{what}: {failing:?}");
    assert_eq!(scene.told(&mine, 1, Came::Told), None, "what is on its way counts for nothing");
    let resumed = scene.shop.resume_hook("one", None, &boss(), scene.now).unwrap();
    let resumed = scene.decide(resumed);
    assert_eq!(
        (resumed.word(), resumed.by.as_str(), resumed.staff, resumed.near),
        ("on", "owner", None, false)
    );
}

/// Issue 4: one address once, sixteen at most, words for kinds, no event that is not there.
#[test]
fn hooks_have_limits() {
    let mut scene = Scene::new();
    for number in 0..16 {
        let added = scene.shop.add_hook(new(&number.to_string()), &boss(), scene.now).unwrap();
        scene.decide(added);
    }
    let tries = |scene: &Scene, new| scene.shop.add_hook(new, &boss(), scene.now).map(drop);
    assert!(matches!(tries(&scene, new("more")), Err(Refusal::TooMany(_))));
    let removed = scene.shop.remove_hook("3", &boss(), scene.now).unwrap();
    scene.decide(removed);
    assert!(matches!(tries(&scene, new("4")), Err(Refusal::State { .. })));
    for kinds in [vec!["Sale".to_owned()], vec![String::new()], vec!["x".repeat(33)], vec!["a".into(); 65]] {
        assert!(matches!(tries(&scene, NewHook { kinds, ..new("x") }), Err(Refusal::Value(_))));
    }
    assert!(matches!(tries(&scene, NewHook { after: Some(999), ..new("x") }), Err(Refusal::Value(_))));
    scene.starts_again();
    assert_eq!(scene.shop.hooks().count(), 15);
}
