//! `join`: an account from the bank's activation letter.

use super::fault::Fault;
use super::secret::CodeFrom;
use super::session::Session;
use super::show;
use crate::join::{JoinOptions, Joined, join, phrase_was_shown};
use crate::settings::{SettingFlags, Settings};
use protocol::code::parse_letter;
use protocol::node::clock::Clock;
use protocol::node::host::exit::Exit;
use protocol::time::Timestamp;
use std::io::Read;
use zeroize::Zeroizing;

/// Bytes of the longest text that is read from the input.
const INPUT_MAX: u64 = 4096;

/// Open the account that the bank's activation letter names
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The private code guards this workstation: without it nothing can be spent. The recovery phrase is shown once,
at the end: write it down. Whoever has it has your money; without it a lost machine is lost money.

If the answer of the bank does not come, run the same command again with the same private code.

Examples:
  stermina join stermina:stac1…
  stermina join - < letter.txt --code-file ~/.stermina-code")]
pub(crate) struct JoinWords {
    /// The line of the letter (stermina:stac1…); `-` reads it from the input
    uri: String,
    /// Read a recovery phrase from the input and grow the keys from it, instead of making new ones
    #[arg(long)]
    phrase_stdin: bool,
    #[command(flatten)]
    code: CodeFrom,
    #[command(flatten)]
    settings: SettingFlags,
}

impl JoinWords {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        if self.phrase_stdin && self.uri == "-" {
            return Err(Fault::Usage("the input can't be both letter and phrase".to_owned()));
        }
        self.code.check()?;
        let line = if self.uri == "-" { input()? } else { Zeroizing::new(self.uri) };
        let letter = parse_letter(&line).map_err(|flaw| Fault::Usage(format!("the letter: {flaw}")))?;
        let phrase = if self.phrase_stdin { Some(input()?) } else { None };
        let paths = session.paths()?;
        let settings = Settings::load(&paths, self.settings)?;
        let code = self.code.choose()?;
        let now = Timestamp(Clock::system().now_seconds());
        let options = JoinOptions { now, phrase, cost: settings.guess_cost };
        let joined = Box::pin(join(&paths, letter, &code, options)).await.map_err(Box::new)?;
        session.show.answer(&document(&joined), || page(&joined, session))?;
        phrase_was_shown(&paths);
        Ok(Exit::Done)
    }
}

fn input() -> Result<Zeroizing<String>, Fault> {
    let mut text = Zeroizing::new(String::new());
    std::io::stdin().lock().take(INPUT_MAX).read_to_string(&mut text)?;
    Ok(text)
}

fn document(joined: &Joined) -> serde_json::Value {
    serde_json::json!({
        "code": joined.code,
        "name": joined.name,
        "bank": joined.bank,
        "account": joined.account,
        "currency": joined.currency,
        "balance": joined.balance,
        "phrase": *joined.phrase,
    })
}

fn page(joined: &Joined, session: &Session) -> String {
    let place = session.place.flags();
    let command = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        show::shell(&words.into_iter().chain(place.iter().cloned()).collect::<Vec<_>>())
    };
    let facts = show::facts(&[
        ("name", joined.name.clone()),
        ("public code", joined.code.to_string()),
        ("bank", joined.bank.clone()),
        ("account", joined.account.to_string()),
        ("balance", joined.currency.show_full(joined.balance)),
    ]);
    format!(
        "Joined.\n\n{facts}\nYour recovery phrase, shown only now. Write the 24 words on paper, in this order:\n\n{}\n\
         Whoever has them has your money. Without them a lost machine is lost money.\n\n\
         Next: {} (let it run), then in another window: {}\n",
        &*numbered(&joined.phrase),
        command(session.daemon),
        command(&["stermina", "unlock"]),
    )
}

/// Six lines of four words, each word with its number.
fn numbered(phrase: &str) -> Zeroizing<String> {
    let words: Vec<(usize, &str)> = (1..).zip(phrase.split(' ')).collect();
    let mut text = Zeroizing::new(String::new());
    for line in words.chunks(4) {
        for (number, word) in line {
            text.push_str(&format!("  {number:>2} {word:<10}"));
        }
        let end = text.trim_end().len();
        text.truncate(end);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phrase_stands_in_numbered_lines() {
        let phrase = protocol::key::Seed::from_bytes([9; 32]).phrase();
        let text = numbered(&phrase);
        assert_eq!(text.lines().count(), 6);
        let words: Vec<&str> = text.split_whitespace().collect();
        let (numbers, back): (Vec<&str>, Vec<&str>) = words.chunks(2).map(|pair| (pair[0], pair[1])).unzip();
        assert_eq!(back.join(" "), *phrase);
        assert_eq!((numbers[0], numbers[23]), ("1", "24"));
    }
}
