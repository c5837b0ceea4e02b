//! How answers look: tables for people, JSON for programs, QR codes for paper.

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use protocol::node::host::exit::Exit;
use protocol::time::Timestamp;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// Where answers go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Out {
    pub(super) json: bool,
}

impl Out {
    /// The answer, for whom it is.
    pub(super) fn tell<T: Serialize>(self, answer: &T, people: impl FnOnce() -> String) -> io::Result<()> {
        let text = if self.json { serde_json::to_string_pretty(answer)? } else { people() };
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{}", text.trim_end())?;
        stdout.flush()
    }
}

/// An error, on stderr: a sentence for people, an object for programs.
pub(super) fn complain(json: bool, exit: Exit, words: &str) {
    let text = if json {
        serde_json::json!({ "error": words, "exit": exit.code() }).to_string()
    } else {
        format!("bank-node: {words}")
    };
    // Without a stderr there is nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Rows under a head.
pub(super) fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(head);
    for row in rows {
        table.add_row(row);
    }
    table.trim_fmt()
}

/// Names and values.
pub(super) fn facts<const N: usize>(facts: [(&str, String); N]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = facts.iter().map(|(name, value)| format!("{name:width$}  {value}")).collect();
    lines.join("\n")
}

/// A line as a QR in half blocks, dark on light; in capitals it needs fewer of them.
///
/// A terminal is told to be white, whatever its own colours are; a file or a printer is.
pub(super) fn qr(line: &str) -> Option<String> {
    let plain = qr_blocks(line)?;
    if !io::stdout().is_terminal() {
        return Some(plain);
    }
    Some(plain.lines().map(|line| format!("\x1b[30;107m{line}\x1b[0m\n")).collect())
}

fn qr_blocks(line: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(line.to_ascii_uppercase(), EcLevel::L).ok()?;
    let mut image = code.render::<Dense1x2>();
    Some(image.dark_color(Dense1x2::Dark).light_color(Dense1x2::Light).quiet_zone(true).build())
}

/// A moment for people.
pub(super) fn when(at: Timestamp) -> String {
    at.to_string()
}
