//! The seams between rooms: who may know of whom, and of what.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{PRODUCT, Source, files_in, has_word, product};
use super::{Exceptions, none};

/// Without the feature `node` the protocol crate reaches no clock, file, socket, chance or runtime.
#[test]
fn the_protocol_is_pure_without_its_feature() {
    const OUTSIDE: &[&str] = &[
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "SystemTime",
        "Instant",
        "tokio",
        "libp2p",
        "axum",
        "hyper",
        "tower",
        "tracing",
        "getrandom",
        "rustix",
    ];
    let sources = product();
    let pure = sources.iter().filter(|s| s.within(&["protocol/src/"]) && !s.within(&["protocol/src/node/"]));
    none("the outside in pure protocol", pure.flat_map(|source| words(source, OUTSIDE)), &[]);
}

/// Rules decide; they neither wait nor touch the world.
#[test]
fn rules_do_no_io() {
    const ROOMS: &[&str] =
        &["daemon/src/wallet", "bank-node/src/ledger", "bank-node/src/desk", "shop-node/src/shop"];
    const OUTSIDE: &[&str] = &[
        "async",
        "await",
        "tokio",
        "std::fs",
        "std::net",
        "std::env",
        "std::thread",
        "std::process",
        "std::io",
        "SystemTime",
        "Instant",
        "redb",
        "protocol::node",
    ];
    let sources = product();
    let rules = sources.iter().filter(|source| source.within(ROOMS));
    none("the outside in rules", rules.flat_map(|source| words(source, OUTSIDE)), &[]);
}

fn words(source: &Source, words: &[&str]) -> Vec<String> {
    words.iter().flat_map(|word| source.lines_with(word)).collect()
}

/// JSON is known to the interfaces alone: what is stored or sent to peers has another form.
#[test]
fn json_stays_at_the_interfaces() {
    let exceptions: Exceptions = &[(
        "daemon/src/store/redb.rs",
        "events are kept as programs are shown them, and read by nobody else",
    )];
    knows("serde_json", &["/rpc/", "/cli/"], exceptions);
}

/// MessagePack is known to the wire and the stores alone.
#[test]
fn messagepack_stays_on_the_wire_and_in_the_stores() {
    let exceptions: Exceptions = &[
        ("daemon/src/profile.rs", "small files beside the store, for the time before there is one"),
        ("daemon/src/join.rs", "a join that was interrupted: before there is an owner there is no store"),
        (
            "daemon/src/restore/begun.rs",
            "a restore that was interrupted: before it is finished there is no store",
        ),
        ("daemon/src/keyring.rs", "wrong tries are counted while the store is closed, too"),
        ("bank-node/src/desk/office.rs", "an operator's key stands for a question and an answer, as bytes"),
    ];
    knows("rmp_serde", &["protocol/src/wire/", "/store/"], exceptions);
}

fn knows(format: &str, rooms: &[&str], exceptions: Exceptions) {
    let sources = product();
    let others = sources.iter().filter(|source| !rooms.iter().any(|room| source.path.contains(room)));
    none(format, others.flat_map(|source| source.lines_with(format)), exceptions);
}

/// Amounts are added in `money.rs` alone, where nothing wraps: what `get` returns is for showing and storing.
#[test]
fn amounts_are_added_in_one_place() {
    let exceptions: Exceptions = &[
        ("bank-node/src/ledger/account.rs", "all that went through an account: u128, beyond any amount"),
        ("bank-node/src/ledger/tenure.rs", "all rent that ever came due: u128, beyond any amount"),
        (
            "protocol/src/range.rs",
            "positions of units, not amounts; held against a bitmap by a property test",
        ),
    ];
    let sources = product();
    none("arithmetic on amounts", sources.iter().flat_map(arithmetic), exceptions);
}

fn arithmetic(source: &Source) -> Vec<String> {
    let lines = source.code.lines().enumerate();
    let guilty = lines.filter(|(_, line)| has_word(line, "Units::get") || line_adds(line));
    guilty.map(|(number, line)| format!("{}:{}: {}", source.path, number + 1, line.trim())).collect()
}

/// Whether `.get()` on this line is an operand.
fn line_adds(line: &str) -> bool {
    const AFTER: &[&str] =
        &["+", "- ", "*", "/", "%", ".checked_", ".saturating_", ".wrapping_", ".overflowing_"];
    const BEFORE: &[&str] = &[
        "+",
        " -",
        "*",
        "_add(",
        "_sub(",
        "_mul(",
        "_div(",
        "_add(u128::from(",
        "+ u128::from(",
        "+ i128::from(",
    ];
    line.match_indices(".get()").any(|(at, found)| {
        let after = line[at + found.len()..].trim_start_matches(')').trim_start();
        let path = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | ':');
        let before = line[..at].trim_end_matches(path).trim_end();
        AFTER.iter().any(|sign| after.starts_with(sign)) || BEFORE.iter().any(|sign| before.ends_with(sign))
    })
}

#[test]
fn arithmetic_is_recognised() {
    for line in ["a.get() + b", "n + self.units.get()", "x.get().checked_sub(1)", "a.checked_add(b.get())"] {
        assert!(line_adds(line), "{line}");
    }
    for line in ["out.u64(self.units.get()).u64(1)", "map.get(key)", "if a.get() > 3 {", "fn f() -> x.get()"]
    {
        assert!(!line_adds(line), "{line}");
    }
}

/// The bank and the workstation meet in the protocol and nowhere else; arrows between crates run one way.
#[test]
fn crates_know_what_they_may_know() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("protocol", &[][..]),
        ("daemon", &["protocol"][..]),
        ("bank-node", &["protocol"][..]),
        ("shop-node", &["protocol", "daemon"][..]),
    ]);
    for krate in PRODUCT {
        let manifest = tests::process::root().join(krate).join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).unwrap();
        for other in PRODUCT.iter().filter(|other| **other != krate) {
            let named = text.lines().any(|line| line.split(['=', '.', ' ']).next() == Some(*other));
            assert!(!named || allowed[krate].contains(other), "{krate} must not depend on {other}");
        }
    }
}

/// An arrow that closes a circle between rooms, and why it may.
type Arrow = (&'static str, &'static str, &'static str, &'static str);

/// Modules form no cycle: each room can be read after those it stands on.
#[test]
fn modules_form_no_cycle() {
    let exceptions: &[Arrow] = &[];
    let sources = product();
    let mut circles = Vec::new();
    for krate in PRODUCT {
        let mut arrows = arrows_of(krate, &sources);
        for (_, from, to, reason) in exceptions.iter().filter(|one| one.0 == krate) {
            let there = arrows.get_mut(*from).and_then(|set| set.remove(*to)).is_some();
            assert!(there, "{krate}: {from} → {to} is excused ({reason}) and not there any more");
        }
        circles.extend(circle(&arrows).map(|circle| format!("{krate}: {circle}")));
    }
    assert!(circles.is_empty(), "modules stand on each other in a circle:\n{}", circles.join("\n"));
}

/// From, to, and a line that says so.
type Arrows = BTreeMap<String, BTreeMap<String, String>>;

fn arrows_of(krate: &str, sources: &[Source]) -> Arrows {
    let own: Vec<&Source> = sources.iter().filter(|s| s.path.starts_with(&format!("{krate}/src/"))).collect();
    let rooms: BTreeSet<String> = own.iter().filter_map(|source| room(&source.path)).collect();
    let mut arrows = Arrows::new();
    for source in own {
        let Some(from) = room(&source.path) else { continue };
        for (number, to) in names_from_the_root(source) {
            if to != from && rooms.contains(&to) {
                let line = format!("{}:{number}", source.path);
                arrows.entry(from.clone()).or_default().entry(to).or_insert(line);
            }
        }
    }
    arrows
}

/// The first module on the way to a file; none for the crate's root and its programs.
fn room(path: &str) -> Option<String> {
    let inside = path.split_once("/src/")?.1;
    let first = inside.split('/').next()?.trim_end_matches(".rs");
    (!matches!(first, "lib" | "main" | "bin")).then(|| first.to_owned())
}

/// Names that a file takes from its crate's root, with their lines: `crate::x`, `crate::{x, y::z}`, `super::x`.
fn names_from_the_root(source: &Source) -> Vec<(usize, String)> {
    let inside = source.path.split_once("/src/").map_or("", |(_, inside)| inside);
    let is_folder = inside.ends_with("/mod.rs");
    let depth = inside.matches('/').count() + usize::from(!is_folder);
    // From here, so many `super` lead to the root.
    let up = format!("{}::", vec!["super"; depth].join("::"));
    let mut names = Vec::new();
    for prefix in ["crate::", up.as_str()] {
        for (at, _) in source.code.match_indices(prefix) {
            let before = source.code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '$')) {
                continue;
            }
            let line = source.code[..at].lines().count().max(1);
            let rest = &source.code[at + prefix.len()..];
            names.extend(first_names(rest).into_iter().map(|name| (line, name)));
        }
    }
    names
}

/// The name here, or the first name of each branch of the group here.
fn first_names(rest: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(group) = rest.trim_start().strip_prefix('{') else { return vec![name(rest)] };
    let mut branches = vec![String::new()];
    let mut depth = 0_usize;
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => branches.push(String::new()),
            c if depth == 0 => branches.last_mut().unwrap().push(c),
            _ => {}
        }
    }
    branches.iter().map(|branch| name(branch)).collect()
}

/// A shortest circle, with the lines that make it.
fn circle(arrows: &Arrows) -> Option<String> {
    let circles = arrows.keys().filter_map(|start| way_back(arrows, start));
    let shortest = circles.min_by_key(Vec::len)?;
    let steps =
        shortest.windows(2).map(|pair| format!("{} → {} ({})", pair[0], pair[1], arrows[&pair[0]][&pair[1]]));
    Some(steps.collect::<Vec<_>>().join(", "))
}

/// Breadth first from `start` to itself.
fn way_back(arrows: &Arrows, start: &str) -> Option<Vec<String>> {
    let mut ways = vec![vec![start.to_owned()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in arrows.get(way.last()?).into_iter().flat_map(BTreeMap::keys) {
                let mut further = way.clone();
                further.push(next.clone());
                if next == start {
                    return Some(further);
                }
                if seen.insert(next.clone()) {
                    longer.push(further);
                }
            }
        }
        ways = longer;
    }
    None
}

#[test]
fn circles_are_found() {
    let file = |path: &str, text: &str| Source::of(path.into(), text.into());
    let sources = [
        file("k/src/a.rs", "use crate::{b::{x, y}, d};"),
        file("k/src/b/mod.rs", "use super::d::z;"),
        file("k/src/b/e.rs", "fn f() { super::super::c::go() } use super::d;"),
        file("k/src/c.rs", "// crate::d\nuse super::a;"),
        file("k/src/d.rs", "#[cfg(test)]\nmod tests { use crate::a; }"),
    ];
    let found = circle(&arrows_of("k", &sources)).unwrap();
    assert_eq!(found, "a → b (k/src/a.rs:1), b → c (k/src/b/e.rs:1), c → a (k/src/c.rs:2)");
}

/// Every room of the product is reachable for these tests: a new crate has to be added to the list.
#[test]
fn every_crate_is_looked_at() {
    let manifests = files_in("").into_iter().filter(|path| path.ends_with("/Cargo.toml"));
    let crates: BTreeSet<String> =
        manifests.map(|path| path.trim_end_matches("/Cargo.toml").to_owned()).collect();
    let known = PRODUCT.iter().copied().chain(["tests", "protocol/fuzz"]);
    let unknown: Vec<&String> = crates.iter().filter(|name| !known.clone().any(|one| one == *name)).collect();
    assert!(unknown.is_empty(), "crates that tidy does not know: {unknown:?}");
}
