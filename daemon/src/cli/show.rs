//! What a command says: one JSON document for programs, text for people; advice and errors on stderr.

use comfy_table::{CellAlignment, Table, presets};
use protocol::node::host::exit::Exit;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use serde::Serialize;
use serde_json::Value;
use std::io::{self, Write};

/// The two forms of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// Tables and sentences.
    People,
    /// Exactly one JSON document.
    Json,
}

impl Show {
    /// Says the answer in its form; `text` is made only for people.
    pub fn answer<T: Serialize>(self, answer: &T, text: impl FnOnce() -> String) -> io::Result<()> {
        match self {
            Show::People => out(&text()),
            Show::Json => {
                let json = serde_json::to_string_pretty(answer).map_err(io::Error::other)?;
                out(&json)
            }
        }
    }

    /// Says why there is no answer: a sentence on stderr, and for programs the document that stdout owes them.
    pub(crate) fn fault(
        self,
        text: &str,
        mut facts: serde_json::Map<String, Value>,
        exit: Exit,
    ) -> io::Result<()> {
        advise(&format!("stermina: {text}"));
        if self == Show::People {
            return Ok(());
        }
        facts.insert("message".to_owned(), text.into());
        facts.insert("exit".to_owned(), exit.code().into());
        let document = serde_json::json!({ "error": facts });
        out(&serde_json::to_string_pretty(&document).map_err(io::Error::other)?)
    }
}

/// A text on stdout, with one line end behind it.
pub fn out(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        stdout.write_all(b"\n")?;
    }
    stdout.flush()
}

/// A sentence beside the answer.
pub fn advise(text: &str) {
    // A person who closed stderr does not want to know.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A table; the columns named in `right` hold amounts.
pub fn table<const N: usize>(header: [&str; N], right: &[usize], rows: Vec<[String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.map(str::to_uppercase));
    for row in rows {
        table.add_row(row);
    }
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    trimmed(&table)
}

/// Facts under each other, each with its name.
pub fn facts(facts: &[(&str, String)]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        table.add_row([(*name).to_owned(), value.clone()]);
    }
    trimmed(&table)
}

fn trimmed(table: &Table) -> String {
    table
        .lines()
        .map(|line| line.trim_end().strip_prefix(' ').unwrap_or(line.trim_end()).to_owned() + "\n")
        .collect()
}

/// A QR code for a terminal; nothing if the text is too long for one.
///
/// Ours are read in any case, and capitals take a third less room.
pub fn qr(text: &str) -> String {
    let Ok(code) = QrCode::with_error_correction_level(text.to_uppercase(), EcLevel::M) else {
        return String::new();
    };
    // Terminals are dark: what is printed shines.
    code.render::<Dense1x2>().dark_color(Dense1x2::Dark).light_color(Dense1x2::Light).build()
}

/// Words as a shell takes them back.
pub fn shell(words: &[String]) -> String {
    let plain = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&b))
    };
    let quoted = |word: &String| match plain(word) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        let words = ["pay", "st1x", "--memo", "Ann's lunch", ""].map(str::to_owned);
        assert_eq!(shell(&words), r"pay st1x --memo 'Ann'\''s lunch' ''");
    }

    #[test]
    fn amounts_stand_to_the_right_and_empty_facts_are_left_out() {
        let text =
            table(["who", "amount"], &[1], vec![["Ann".into(), "5".into()], ["Bob".into(), "120".into()]]);
        assert_eq!(text, "WHO  AMOUNT\nAnn       5\nBob     120\n");
        assert_eq!(facts(&[("name", "Ann".into()), ("memo", String::new())]), "name  Ann\n");
    }

    #[test]
    fn a_code_fits_a_terminal_and_a_book_does_not() {
        let lines = qr(&format!("stermina:st1{}", "q".repeat(58)));
        assert!((15..=25).contains(&lines.lines().count()), "{}", lines.lines().count());
        assert_eq!(qr(&"q".repeat(5_000)), "");
    }
}
