//! The workstation itself: status, unlock, lock, settings, events, raw calls, completions.

use super::Cli;
use super::fault::Fault;
use super::secret::CodeFrom;
use super::session::Session;
use super::show;
use crate::rpc::api::{Status, Unlock};
use crate::settings::{self, SettingFlags, Settings};
use clap::CommandFactory;
use protocol::node::host::config::Source;
use protocol::node::host::exit::Exit;
use protocol::node::rpc::{Empty, EventsList};
use std::io::Read;
use std::time::Duration;
use zeroize::Zeroizing;

/// Open the reserve for spending, for a time
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Receiving works while locked. A wrong code makes the next try wait longer, also over a restart.

Examples:
  stermina unlock --for 15m
  stermina unlock --code-file ~/.stermina-code")]
pub(crate) struct UnlockWords {
    /// Lock again after this time (90s, 15m, 2h); as the settings say if left out
    #[arg(long = "for", value_name = "TIME", value_parser = super::duration)]
    time: Option<Duration>,
    #[command(flatten)]
    code: CodeFrom,
}

impl UnlockWords {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        self.code.check()?;
        let client = session.client().await?;
        let code = self.code.read()?;
        let asked = Unlock { code: code.to_string(), seconds: self.time.map(|time| time.as_secs()) };
        let unlocked = client.unlock(asked).await?;
        session.show.answer(&unlocked, || format!("Unlocked until {}.", unlocked.until))?;
        Ok(Exit::Done)
    }
}

/// `lock`.
pub(crate) async fn lock(session: &Session) -> Result<Exit, Fault> {
    let done = session.client().await?.lock(Empty {}).await?;
    session.show.answer(&done, || "Locked. Receiving goes on.".to_owned())?;
    Ok(Exit::Done)
}

/// `status`.
pub(crate) async fn status(session: &Session) -> Result<Exit, Fault> {
    let client = session.client().await?;
    let status = session.status(&client).await?;
    session.show.answer(&status, || status_page(&status))?;
    Ok(Exit::Done)
}

fn status_page(status: &Status) -> String {
    let lock = match (status.locked, status.unlocked_until) {
        (true, _) => "locked (receiving works)".to_owned(),
        (false, Some(until)) => format!("unlocked until {until}"),
        (false, None) => "unlocked".to_owned(),
    };
    let reach = match &status.bank_by_way_of {
        Some(shop) => format!("connected by way of {shop}"),
        None if status.bank_reachable => "connected".to_owned(),
        None => "not reachable now: direct payments go on".to_owned(),
    };
    let mut page = show::facts(&[
        ("name", status.name.clone()),
        ("public code", status.code.to_string()),
        ("account", status.account.to_string()),
        ("bank", format!("{} ({reach})", status.bank)),
        ("reserve", lock),
        ("can receive", format!("{} payments before it must be unlocked", status.tickets_left)),
        ("peers", status.peers.to_string()),
        ("node", status.node.clone()),
        ("listening", status.addresses.join(" ")),
        ("directory", format!("{} entries", status.directory)),
        ("version", status.version.clone()),
    ]);
    for warning in &status.warnings {
        page.push_str(&format!("\nWarning: {warning}."));
    }
    page
}

/// The settings: every value with its source, or whether they are valid
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ConfigWords {
    /// Every setting, its value and where that came from
    Show {
        #[command(flatten)]
        flags: SettingFlags,
    },
    /// Whether file, environment and flags make sense together
    Check {
        #[command(flatten)]
        flags: SettingFlags,
    },
}

impl ConfigWords {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Fault> {
        let file = session.paths()?.config;
        let (ConfigWords::Show { flags } | ConfigWords::Check { flags }) = &self;
        let config = settings::config(&file, settings::environment(), flags.clone());
        let config = config.map_err(settings::SettingsFault::from)?;
        if let ConfigWords::Check { .. } = self {
            Settings::of(&config)?;
            let fine = serde_json::json!({ "file": file.display().to_string(), "valid": true });
            session.show.answer(&fine, || format!("The settings are valid ({}).", file.display()))?;
            return Ok(Exit::Done);
        }
        let shown = config.show();
        let document = serde_json::json!({ "file": file.display().to_string(), "settings": shown });
        session.show.answer(&document, || {
            let row = |line: &protocol::node::host::config::Shown| {
                let value = line.value.clone().unwrap_or_default();
                [line.key.to_owned(), value, source(&line.source), line.help.to_owned()]
            };
            show::table(["setting", "value", "from", "what it is"], &[], shown.iter().map(row).collect())
        })?;
        Ok(Exit::Done)
    }
}

fn source(source: &Source) -> String {
    match source {
        Source::Default => "default".to_owned(),
        Source::File(path) => path.display().to_string(),
        Source::Env(name) | Source::Flag(name) => name.clone(),
    }
}

/// Events of the workstation
#[derive(Debug, clap::Subcommand)]
pub(crate) enum EventsWords {
    /// Print each event as a line of JSON, as it happens, until interrupted
    #[command(after_help = "\
Each event has a number `seq` without gaps. Keep the last one: with --since it goes on there and misses nothing.

Example:
  stermina events follow --since 120 | jq .")]
    Follow {
        /// Only events after this number; 0 for all. Only new ones if left out
        #[arg(long, value_name = "N")]
        since: Option<u64>,
    },
}

impl EventsWords {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let EventsWords::Follow { since } = self;
        let client = session.client().await?;
        let mut since = match since {
            Some(since) => since,
            None => {
                client
                    .connection()
                    .events(&EventsList { limit: Some(1), ..EventsList::default() })
                    .await?
                    .newest
            }
        };
        loop {
            let asked = EventsList { since, limit: Some(500), wait_seconds: 50 };
            for event in client.connection().events(&asked).await?.events {
                let seq = event.get("seq").and_then(serde_json::Value::as_u64);
                since =
                    seq.filter(|seq| *seq > since).ok_or(Fault::Nonsense("an event without its number"))?;
                show::out(&event.to_string())?;
            }
        }
    }
}

/// Call a method of the JSON-RPC interface as it is
#[derive(Debug, clap::Args)]
#[command(after_help = "\
`stermina rpc rpc.discover` lists every method with its parameters.

Examples:
  stermina rpc wallet.balance
  stermina rpc payment.wait '{\"payment\": \"…\", \"seconds\": 30}'")]
pub(crate) struct RpcWords {
    /// The method, such as wallet.balance
    method: String,
    /// Its parameters as a JSON object; `-` reads them from the input
    #[arg(default_value = "{}")]
    params: String,
}

/// No parameters of ours are longer.
const PARAMS_MAX: u64 = 256 << 10;

impl RpcWords {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let mut text = Zeroizing::new(self.params);
        if *text == "-" {
            text.clear();
            std::io::stdin().lock().take(PARAMS_MAX).read_to_string(&mut text)?;
        }
        let params = serde_json::from_str(&text)
            .map_err(|flaw| Fault::Usage(format!("the parameters are no JSON: {flaw}")))?;
        let client = session.client().await?;
        let result = client.connection().call_value(&self.method, params).await?;
        show::out(&serde_json::to_string_pretty(&result).map_err(std::io::Error::other)?)?;
        Ok(Exit::Done)
    }
}

/// `completions`.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<Exit, Fault> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "stermina", &mut script);
    show::out(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
