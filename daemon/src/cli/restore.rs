//! `restore`: the workstation back from its recovery phrase, or from the private code where the profile is still there.

use super::fault::Fault;
use super::secret::CodeFrom;
use super::session::Session;
use super::show;
use crate::restore::{RestoreOptions, Restored, Source, restore};
use crate::settings::{SettingFlags, Settings};
use protocol::code::parse_letter;
use protocol::node::clock::Clock;
use protocol::node::host::exit::Exit;
use protocol::time::Timestamp;
use std::io::{IsTerminal, Read};
use zeroize::Zeroizing;

/// Bytes of the longest recovery phrase that is read from the input.
const INPUT_MAX: u64 = 4096;

/// Bring a lost workstation back from its recovery phrase
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With a bank's letter, the recovery phrase is asked for (or read from the input), and a new private code is chosen: this
is for an empty machine. Any activation letter of your bank does, the used one as well. Without a letter, the account in
this folder is restored with its private code; its old files are kept aside.

Stop sterminad first. If the command is killed or the bank does not answer, run it again: it goes on where it stopped.
Nothing of what you had is spent by it: it comes back to your account, unless you had paid it to somebody.

Examples:
  stermina restore stermina:stac1…
  stermina restore stermina:stac1… --code-file ~/.stermina-code < phrase.txt
  stermina restore")]
pub(crate) struct RestoreWords {
    /// The line of a letter of the bank (stermina:stac1…); none restores the account in this folder
    uri: Option<String>,
    #[command(flatten)]
    code: CodeFrom,
    #[command(flatten)]
    settings: SettingFlags,
}

impl RestoreWords {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        self.code.check()?;
        let source = match &self.uri {
            None => Source::Profile,
            Some(line) => {
                let letter =
                    parse_letter(line).map_err(|flaw| Fault::Usage(format!("the letter: {flaw}")))?;
                Source::Phrase { letter: Box::new(letter), phrase: phrase()? }
            }
        };
        let paths = session.paths()?;
        let settings = Settings::load(&paths, self.settings)?;
        let code = if self.uri.is_some() { self.code.choose()? } else { self.code.read()? };
        let now = Timestamp(Clock::system().now_seconds());
        let options = RestoreOptions { now, cost: settings.guess_cost };
        let restored = Box::pin(restore(&paths, source, &code, options)).await.map_err(Box::new)?;
        session.show.answer(&document(&restored), || page(&restored, &session.place.flags()))?;
        Ok(Exit::Done)
    }
}

fn phrase() -> Result<Zeroizing<String>, Fault> {
    if std::io::stdin().is_terminal() {
        return Ok(Zeroizing::new(rpassword::prompt_password("Recovery phrase (24 words): ")?));
    }
    let mut text = Zeroizing::new(String::new());
    std::io::stdin().lock().take(INPUT_MAX).read_to_string(&mut text)?;
    Ok(text)
}

fn document(restored: &Restored) -> serde_json::Value {
    serde_json::json!({
        "code": restored.code,
        "name": restored.name,
        "bank": restored.bank,
        "account": restored.account,
        "currency": restored.currency,
        "generation": restored.generation,
        "balance": restored.balance,
        "reserve_to_reclaim": restored.reserve,
        "vault_records": restored.records,
        "newest_movement": restored.newest,
        "payments_in_doubt": restored.payments.0,
        "payments_in_doubt_units": restored.payments.1,
        "bank_requests_open": restored.requests,
        "old_files": restored.kept,
    })
}

fn page(restored: &Restored, place: &[String]) -> String {
    let command = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        show::shell(&words.into_iter().chain(place.iter().cloned()).collect::<Vec<_>>())
    };
    let amount = |units| restored.currency.show_full(units);
    let facts = show::facts(&[
        ("name", restored.name.clone()),
        ("public code", restored.code.to_string()),
        ("bank", restored.bank.clone()),
        ("account", restored.account.to_string()),
        ("vault", format!("{} records", restored.records)),
    ]);
    let mut text = format!(
        "Restored. The workstation before this one is shut out.\n\n{facts}\nBack now:\n  {} on the account, history, \
         letters, what waits at the bank\n",
        amount(restored.balance),
    );
    text.push_str("\nComes back:\n");
    if restored.reserve.is_zero() {
        text.push_str("  nothing: the reserve was empty\n");
    } else {
        text.push_str(&format!(
            "  {} of the reserve, to your account: sterminad asks the bank for them when it is unlocked. The bank waits \
             three days, because the lost machine may have paid with them; whoever has them keeps them\n",
            amount(restored.reserve)
        ));
    }
    if restored.payments.0 > 0 {
        text.push_str(&format!(
            "  {} payments over {} have no outcome yet: they are sent on\n",
            restored.payments.0,
            amount(restored.payments.1)
        ));
    }
    if restored.requests > 0 {
        text.push_str(&format!(
            "  {} requests to the bank have no answer yet: they are asked again\n",
            restored.requests
        ));
    }
    if let Some(kept) = &restored.kept {
        text.push_str(&format!("\nThe old files are in {}; delete them when all is well.\n", kept.display()));
    }
    text.push_str(&format!(
        "\nNext: {} (let it run), then in another window: {}\n",
        command(&["sterminad"]),
        command(&["stermina", "unlock"]),
    ));
    text
}
