//! The invariants of ARCHITECTURE.md, held by reading the source.
//!
//! What the compiler and clippy can hold is theirs. Every exception stands here with its reason, and an
//! exception that nothing needs any more fails its test too.

mod coverage;
mod lessons;
mod seams;
mod source;

use source::{everything, files_in, product};

/// Files that may do what others may not, each with its reason.
pub(crate) type Exceptions = &'static [(&'static str, &'static str)];

/// Fails unless every find (`path:line: …`) is excused and every excuse is needed.
#[track_caller]
pub(crate) fn none(what: &str, found: impl IntoIterator<Item = String>, exceptions: Exceptions) {
    let found: Vec<String> = found.into_iter().collect();
    let in_file = |find: &str, file: &str| find.strip_prefix(file).is_some_and(|rest| rest.starts_with(':'));
    let excused = |find: &&String| exceptions.iter().any(|(file, _)| in_file(find, file));
    let guilty: Vec<&String> = found.iter().filter(|find| !excused(find)).collect();
    assert!(
        guilty.is_empty(),
        "{what}:\n{}",
        guilty.iter().map(|s| s.as_str()).collect::<Vec<_>>().join("\n")
    );
    for (file, reason) in exceptions {
        assert!(
            found.iter().any(|find| in_file(find, file)),
            "{file} is excused ({reason}) and needs no excuse"
        );
    }
}

/// Lines of a text that hold `wrong`, as finds.
fn finds(path: &str, text: &str, wrong: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = text.lines().enumerate().filter(|(_, line)| wrong(line));
    lines.map(|(number, line)| format!("{path}:{}: {}", number + 1, line.trim())).collect()
}

/// No test is switched off, and nothing is put off without an issue that says so.
#[test]
fn nothing_is_put_off_in_silence() {
    // Put together here so that this file does not find itself.
    let off = concat!("#[ig", "nore");
    let later = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX"), concat!("HA", "CK")];
    let put_off =
        |line: &str| later.iter().any(|word| source::has_word(line, word)) && !line.contains("issue #");
    let sources = everything();
    let found =
        sources.iter().flat_map(|s| finds(&s.path, &s.text, |line| line.contains(off) || put_off(line)));
    none("put off", found, &[]);
}

/// A test that sleeps is slow when all is well and red when the machine is busy.
#[test]
fn no_test_sleeps() {
    let exceptions: Exceptions = &[("tests/src/patience.rs", "the one place that waits, with an end")];
    let sleeps = ["thread::sleep", "time::sleep"];
    let sources = everything();
    let tests = sources.iter().filter(|source| source.is_test() && !source.path.contains("/tidy"));
    let found =
        tests.flat_map(|s| finds(&s.path, &s.text, |line| sleeps.iter().any(|word| line.contains(word))));
    none("sleeping tests", found, exceptions);
}

/// A file that no longer fits into a head has a second noun hiding in it.
#[test]
fn files_are_short() {
    const LINES: usize = 600;
    let sources = product();
    let long = sources.iter().filter(|source| !source.is_test() && source.text.lines().count() > LINES);
    none("more than 600 lines", long.map(|s| format!("{}: {} lines", s.path, s.text.lines().count())), &[]);
}

/// A file says first what it is.
#[test]
fn files_open_with_what_they_are() {
    let sources = product();
    let silent = sources.iter().filter(|source| !source.is_test() && !source.text.starts_with("//!"));
    let silent = silent.map(|source| format!("{}:1: opens without //!", source.path));
    none("files without a word about themselves", silent, &[]);
}

/// What is committed works on every machine: no path of this one, no address of a package registry.
#[test]
fn nothing_knows_the_machine_it_was_written_on() {
    let words = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("crates", ".io"),
        concat!("pypi", ".org"),
        concat!("npmjs", ".org"),
    ];
    let committed =
        files_in("").into_iter().filter(|path| path != "Cargo.lock" && path != "protocol/fuzz/Cargo.lock");
    let found = committed.flat_map(|path| {
        let bytes = std::fs::read(tests::process::root().join(&path)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        finds(&path, &text, |line| words.iter().any(|word| line.contains(word)))
    });
    none("paths of a machine", found, &[]);
}
