//! Reading our own source: which part of a file is code, which is text, which is test.
//!
//! A small lexer, not a parser: it knows comments, strings and braces. That is enough for the invariants, and
//! they are written so that what it cannot see makes a test fail, not pass.

use std::fs;
use std::path::Path;

use tests::process::root;

/// The crates whose source is the product.
pub(crate) const PRODUCT: [&str; 4] = ["protocol", "daemon", "bank-node", "shop-node"];

/// A Rust file.
pub(crate) struct Source {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    /// As it is.
    pub(crate) text: String,
    /// Without comments and tests; strings are whole.
    pub(crate) product: String,
    /// Without comments, tests, and what stands in strings.
    pub(crate) code: String,
}

impl Source {
    fn read(path: String) -> Self {
        let text = fs::read_to_string(root().join(&path)).unwrap_or_else(|why| panic!("{path}: {why}"));
        Self::of(path, text)
    }

    /// Text as if it stood at a path.
    pub(crate) fn of(path: String, text: String) -> Self {
        let (product, code) = if is_test(&path) { Default::default() } else { without_tests(lex(&text)) };
        Self { path, text, product, code }
    }

    /// Whether the whole file is test.
    pub(crate) fn is_test(&self) -> bool {
        is_test(&self.path)
    }

    /// Places of `word` in the code, as `path:line: the line`.
    pub(crate) fn lines_with(&self, word: &str) -> Vec<String> {
        let hits = self.code.lines().zip(self.text.lines()).enumerate();
        let hits = hits.filter(|(_, (code, _))| has_word(code, word));
        hits.map(|(number, (_, line))| format!("{}:{}: {}", self.path, number + 1, line.trim())).collect()
    }

    /// Whether it lies in one of these folders, or is one of these files.
    pub(crate) fn within(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }
}

/// All product files: `src` of the crates, test files among them with empty code.
pub(crate) fn product() -> Vec<Source> {
    let files = PRODUCT.iter().flat_map(|krate| files_in(&format!("{krate}/src")));
    let sources: Vec<Source> = files.filter(|path| path.ends_with(".rs")).map(Source::read).collect();
    assert!(
        sources.len() > 50,
        "only {} product files found: the tests look in the wrong place",
        sources.len()
    );
    sources
}

/// All Rust files of the repository.
pub(crate) fn everything() -> Vec<Source> {
    files_in("").into_iter().filter(|path| path.ends_with(".rs")).map(Source::read).collect()
}

/// All files beneath a folder, by path from the root, without what is built or fetched.
pub(crate) fn files_in(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    gather(&root().join(folder), folder, &mut found);
    found.sort();
    found
}

fn gather(folder: &Path, path: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if matches!(name.as_str(), "target" | ".git" | "corpus" | "artifacts") {
            continue;
        }
        let path = if path.is_empty() { name } else { format!("{path}/{name}") };
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => gather(&entry.path(), &path, found),
            Ok(kind) if kind.is_file() => found.push(path),
            _ => {}
        }
    }
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.starts_with("tests/")
}

/// Whether `word` stands in `line` and is not a part of a longer name.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(letter);
        let after = line[at + word.len()..].chars().next().is_some_and(letter);
        !before && !after
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Text,
}

/// The characters of a file, each with what it belongs to.
fn lex(text: &str) -> Vec<(char, Kind)> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = Vec::with_capacity(chars.len());
    let mut at = 0;
    while at < chars.len() {
        let (kind, length) = token(&chars[at..], at > 0 && chars[at - 1].is_alphanumeric());
        out.extend(chars[at..at + length].iter().map(|c| (*c, kind)));
        at += length;
    }
    out
}

/// The kind and length of what begins here. `in_name`: the character before belongs to a name.
fn token(rest: &[char], in_name: bool) -> (Kind, usize) {
    let second = rest.get(1).copied().unwrap_or(' ');
    match rest[0] {
        '/' if second == '/' => (Kind::Comment, until(rest, |at| rest[at] == '\n')),
        '/' if second == '*' => (Kind::Comment, block_comment(rest)),
        '"' => (Kind::Text, quoted(rest)),
        'r' if !in_name && matches!(second, '"' | '#') => {
            raw(rest).map_or((Kind::Code, 1), |n| (Kind::Text, n))
        }
        // 'a' and '\n' are characters; 'a without an end is a lifetime.
        '\'' if second == '\\' => (Kind::Text, 3 + until(&rest[3..], |at| rest[3 + at] == '\'')),
        '\'' if rest.get(2) == Some(&'\'') => (Kind::Text, 3),
        _ => (Kind::Code, 1),
    }
}

fn until(rest: &[char], ends: impl Fn(usize) -> bool) -> usize {
    (0..rest.len()).find(|at| ends(*at)).unwrap_or(rest.len())
}

fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at + 1 < rest.len() {
        match (rest[at], rest[at + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') if depth == 1 => return at + 2,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
    }
    rest.len()
}

fn quoted(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

fn raw(rest: &[char]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    let open = 1 + hashes;
    (rest.get(open) == Some(&'"')).then_some(())?;
    let closes = |at: &usize| {
        rest[*at] == '"' && rest[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    let close = (open + 1..rest.len()).find(closes)?;
    Some(close + 1 + hashes)
}

/// `(product, code)` with every line where it was, so that line numbers hold.
fn without_tests(lexed: Vec<(char, Kind)>) -> (String, String) {
    let blank = |c: char| if c == '\n' { c } else { ' ' };
    let keep = |(c, kind): &(char, Kind), kept: &[Kind]| if kept.contains(kind) { *c } else { blank(*c) };
    let mut product: Vec<char> = lexed.iter().map(|one| keep(one, &[Kind::Code, Kind::Text])).collect();
    let mut code: Vec<char> = lexed.iter().map(|one| keep(one, &[Kind::Code])).collect();
    for (from, to) in test_items(&code) {
        for at in from..to {
            product[at] = blank(product[at]);
            code[at] = blank(code[at]);
        }
    }
    (product.into_iter().collect(), code.into_iter().collect())
}

/// From each `#[cfg(test)]` to the end of the item it stands before.
fn test_items(code: &[char]) -> Vec<(usize, usize)> {
    let mark: Vec<char> = "#[cfg(test)]".chars().collect();
    let mut items = Vec::new();
    let mut at = 0;
    while at + mark.len() <= code.len() {
        if code[at..at + mark.len()] == mark[..] {
            let end = end_of_item(code, at + mark.len());
            items.push((at, end));
            at = end;
        } else {
            at += 1;
        }
    }
    items
}

fn end_of_item(code: &[char], from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.iter().enumerate().skip(from) {
        match c {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' if depth <= 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

#[test]
fn the_reader_tells_code_from_text_and_tests() {
    let text = concat!(
        "//! tokio\nfn a() -> &'static str { \"tokio // \\\" \" } // tokio\n",
        "/* tokio /* */ tokio */ const C: char = '\"'; let l: &'a u8;\nconst R: &str = r#\"tokio \" \"#;\n",
        "#[cfg(test)]\nmod tests { fn tokio() { let _ = \"}\"; } }\nfn tokio_like() {}\nfn real() { tokio(); }\n",
    );
    let source = Source::of("x/src/y.rs".into(), text.into());
    assert_eq!(source.lines_with("tokio"), ["x/src/y.rs:8: fn real() { tokio(); }"]);
    assert!(source.product.contains("r#\"tokio \" \"#"));
}
