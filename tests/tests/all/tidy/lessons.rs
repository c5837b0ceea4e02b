//! `tests/LESSONS.md` stays true: every test that it names is there, every lesson has one or says that it waits.

use std::collections::BTreeSet;

use tests::process::root;

use super::coverage::scenes;
use super::source::{Source, everything};

/// Others' mistakes, numbered as in the page.
const LESSONS: u32 = 23;
/// The heading from which on lessons wait for what they are about.
const LATER: &str = "# For later";

/// A lesson of the page: its heading's number, and what it points to.
struct Lesson {
    number: Option<u32>,
    heading: String,
    waits: bool,
    tests: Vec<(String, String)>,
    files: Vec<String>,
}

/// `## 7. A heading` and what stands beneath it. What stands in quotes for code and has a `/` points to a file; with
/// `::` to a test in it.
fn lessons_of(page: &str) -> Vec<Lesson> {
    let mut waits = false;
    let mut lessons: Vec<Lesson> = Vec::new();
    for line in page.lines() {
        waits |= line == LATER;
        if let Some(heading) = line.strip_prefix("## ") {
            let number = heading.split_once(". ").and_then(|(number, _)| number.parse().ok());
            let (tests, files) = Default::default();
            lessons.push(Lesson { number, heading: heading.to_owned(), waits, tests, files });
        }
        let quoted = line.split('`').skip(1).step_by(2).filter(|word| word.contains('/'));
        for word in quoted {
            let Some(lesson) = lessons.last_mut() else { continue };
            match word.split_once("::") {
                Some((file, test)) => lesson.tests.push((file.to_owned(), test.to_owned())),
                None => lesson.files.push(word.to_owned()),
            }
        }
    }
    lessons
}

/// What is wrong with the page, each as a sentence.
fn untrue(lessons: &[Lesson], sources: &[Source], is_there: impl Fn(&str) -> bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let numbers: Vec<u32> = lessons.iter().filter_map(|lesson| lesson.number).collect();
    let once: BTreeSet<u32> = numbers.iter().copied().collect();
    if numbers.len() != once.len() || !once.iter().copied().eq(1..=LESSONS) {
        wrong.push(format!("the lessons are numbered {numbers:?}, not each of 1 to {LESSONS} once"));
    }
    for Lesson { heading, waits, tests, files, .. } in lessons {
        if tests.is_empty() && !waits {
            wrong.push(format!("«{heading}» names no test, and is not among those for later"));
        }
        for file in files.iter().filter(|file| !is_there(file)) {
            wrong.push(format!("«{heading}»: there is no {file}"));
        }
        for (file, test) in tests {
            match sources.iter().find(|source| source.path == *file) {
                None => wrong.push(format!("«{heading}»: there is no {file}")),
                Some(source) if !scenes(source).iter().any(|scene| scene.name == *test) => {
                    wrong.push(format!("«{heading}»: {file} has no test {test}"));
                }
                Some(_) => {}
            }
        }
    }
    wrong
}

/// Every lesson stands once, with tests that exist, or among those for later.
#[test]
fn every_lesson_names_tests_that_are_there() {
    let page = std::fs::read_to_string(root().join("tests/LESSONS.md")).unwrap();
    let wrong = untrue(&lessons_of(&page), &everything(), |file| root().join(file).exists());
    assert!(wrong.is_empty(), "tests/LESSONS.md:\n{}", wrong.join("\n"));
}

#[test]
fn a_page_that_is_not_true_is_found_out() {
    let text = "#[test]\nfn here() {}\nfn no_test() {}\nproptest! {\n    #[test]\n    fn always(n in 0..9u8) {}\n}\n";
    let sources = [Source::of("tests/x.rs".into(), text.into())];
    let wrong = |page: &str| untrue(&lessons_of(page), &sources, |file| file == "a/b.rs");
    let good =
        |number| format!("## {number}. Good\n`a/b.rs` `x::y` by `tests/x.rs::here`, `tests/x.rs::always`.\n");
    let mut page: String = (1..LESSONS).map(good).collect();
    assert_eq!(wrong(&page).len(), 1, "one is missing");
    page.push_str(&format!("## More\n`tests/x.rs::here`\n{LATER}\n## {LESSONS}. Waits\n"));
    assert_eq!(wrong(&page), Vec::<String>::new());

    let more = |line: &str| wrong(&format!("## {LESSONS}. Bad\n{line}\n{page}"));
    assert_eq!(more("`tests/x.rs::here`").len(), 1, "a number twice");
    for (bad, wrong) in [("", 2), ("`tests/x.rs::no_test`", 2), ("`tests/y.rs::here`", 2), ("`a/c.rs`", 3)] {
        assert_eq!(more(bad).len(), wrong, "{bad}");
    }
}
