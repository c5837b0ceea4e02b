//! `bank-node init`, `run`, `status`, `audit`, `config`

use super::show::facts;
use super::{Desktop, Failure};
use crate::desk::counter::Sign;
use crate::home::{Facts, Home, HomeError};
use crate::keys::ISSUE_DAYS;
use crate::ledger::books::Books;
use crate::ledger::{Audit, audit as recompute};
use crate::rpc::BankClient;
use clap::{Args, Subcommand};
use protocol::money::Currency;
use protocol::node::chance::chance_bytes;
use protocol::node::clock::Clock;
use protocol::node::host::exit::Exit;
use protocol::node::host::{logs, signals};
use protocol::node::rpc::Empty;
use protocol::time::Timestamp;
use serde::Serialize;

#[derive(Debug, Args)]
#[command(after_help = "\
Example: bank-node init --name 'Banca di Valle' --currency STM --digits 0

Name, currency and digits are fixed for ever. The master key is written to a folder of its own: move it
to a medium that is kept off line, and bring it back once a month for bank-node keys extend.")]
pub(super) struct Init {
    /// The bank's name.
    #[arg(long)]
    name: String,
    /// What its units are called: three to eight capital letters.
    #[arg(long, default_value = "STM")]
    currency: String,
    /// Digits behind the point, 0 to 8.
    #[arg(long, default_value_t = 0)]
    digits: u8,
    /// Days of issue keys to make.
    #[arg(long, default_value_t = ISSUE_DAYS, value_parser = clap::value_parser!(u32).range(1..=400))]
    days: u32,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bank-node run
  bank-node run --listen /ip4/127.0.0.1/tcp/0 --http 127.0.0.1:0 --mdns false")]
pub(super) struct Run {
    /// Where customers connect; several separated by commas.
    #[arg(long, value_name = "MULTIADDR")]
    listen: Option<String>,
    /// Addresses for activation letters, if others reach the bank by other ones.
    #[arg(long, value_name = "MULTIADDR")]
    external: Option<String>,
    /// Loopback address of the operators' interface.
    #[arg(long, value_name = "IP:PORT")]
    http: Option<String>,
    /// Whether to announce the bank in the local network.
    #[arg(long, value_name = "true|false")]
    mdns: Option<String>,
    /// Open books whose redo log is lost for good: the newest journal number that the bank is known to have signed, from
    /// its last bulletin or a customer's newest letter.
    #[arg(long, value_name = "NUMBER")]
    said: Option<u64>,
    /// Open although the bank was shown a letter of this number: you have made sure that it never signed it. Better revoke
    /// the attest key that did.
    #[arg(long, value_name = "NUMBER")]
    not_said: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// Read the books themselves, while the bank is closed.
    #[arg(long)]
    offline: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Show every setting, its value and where it came from.
    Show,
    /// Say whether the settings can be used.
    Check,
}

#[derive(Serialize)]
struct Made<'f> {
    #[serde(flatten)]
    facts: &'f Facts,
    master_file: String,
    issue_days: u32,
}

pub(super) fn init(desktop: &Desktop, init: &Init) -> Result<Exit, Failure> {
    let sign = Sign { name: init.name.clone(), currency: Currency::new(&init.currency, init.digits)? };
    let today = Timestamp(Clock::system().now_seconds()).day();
    let config = desktop.config(Vec::new())?;
    let home = desktop.home.clone().with_redo(config.text("redo.path"));
    let facts = home.init(&sign, today, init.days, &mut chance_bytes::<32>)?;
    let master_file = desktop.home.master_file().display().to_string();
    let made = Made { facts: &facts, master_file: master_file.clone(), issue_days: init.days };
    desktop.out.tell(&made, || {
        format!(
            "«{}» is made; it has issue keys for {} days.\n\n\
             The master key lies in {master_file}\n\
             Move it to a medium that is kept off line: whoever has it is the bank. You need it again for\n  \
             bank-node keys extend --master FILE\n\n\
             Open the bank with: bank-node run",
            facts.name, init.days
        )
    })?;
    Ok(Exit::Done)
}

pub(super) async fn run(desktop: &Desktop, run: &Run) -> Result<Exit, Failure> {
    let given = [
        ("network.listen", &run.listen),
        ("network.external", &run.external),
        ("rpc.http", &run.http),
        ("network.mdns", &run.mdns),
    ];
    let flag = |(key, value): (&str, &Option<String>)| Some((key.to_owned(), value.clone()?));
    let config = desktop.config(given.into_iter().filter_map(flag).collect())?;
    let level = logs::level(desktop.log.as_deref(), config.text("log.level"));
    let format = config.text("log.format").unwrap_or("text").parse::<logs::LogFormat>();
    let started = format.and_then(|format| logs::init(format, &level));
    started.map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    let shutdown = signals::shutdown()?;
    let home = Home { said: run.said, not_said: run.not_said, ..desktop.home.clone() };
    Box::pin(crate::run::run(&home, &config, Clock::system(), shutdown)).await?;
    Ok(Exit::Done)
}

pub(super) async fn status(desktop: &Desktop) -> Result<Exit, Failure> {
    let status = BankClient::new(desktop.connect().await?).status(Empty {}).await?;
    desktop.out.tell(&status, || {
        let lines = facts([
            ("bank", status.name.clone()),
            ("currency", format!("{}, {} digits", status.currency.code(), status.currency.digits())),
            ("id", status.bank.clone()),
            ("addresses", status.addresses.join("\n           ")),
            ("connected", status.connected.to_string()),
            ("day", status.day.clone()),
            ("issue keys", format!("{} days", status.issue_days_left)),
            ("journal", status.journal.to_string()),
            ("directory", status.directory.to_string()),
        ]);
        match &status.advice {
            Some(advice) => format!("{lines}\n\n{advice}"),
            None => lines,
        }
    })?;
    Ok(Exit::Done)
}

pub(super) async fn audit(desktop: &Desktop, args: &AuditArgs) -> Result<Exit, Failure> {
    let (audit, currency) = if args.offline { closed(desktop)? } else { open(desktop).await? };
    desktop.out.tell(&audit, || findings(&audit, &currency))?;
    Ok(if audit.ok { Exit::Done } else { Exit::Failed })
}

/// Of the open bank.
async fn open(desktop: &Desktop) -> Result<(Audit, Currency), Failure> {
    let client = BankClient::new(desktop.connect().await?);
    let currency = client.status(Empty {}).await?.currency;
    Ok((client.audit_run(Empty {}).await?, currency))
}

/// Of the books themselves; nobody may have them open.
fn closed(desktop: &Desktop) -> Result<(Audit, Currency), Failure> {
    let facts = desktop.home.facts()?;
    let _lock = desktop.home.lock()?;
    let config = desktop.config(Vec::new())?;
    let books = desktop.home.clone().with_redo(config.text("redo.path")).books()?;
    let audit = books.snapshot().and_then(|view| recompute(&view)).map_err(HomeError::from)?;
    Ok((audit, facts.currency))
}

fn findings(audit: &Audit, currency: &Currency) -> String {
    let sums = facts([
        ("cash", currency.show_full(audit.cash)),
        ("on accounts", currency.show_full(audit.on_accounts)),
        ("in notes", currency.show_full(audit.outstanding)),
        ("accounts", audit.accounts.to_string()),
        ("entries", audit.entries.to_string()),
        ("roots", audit.roots.to_string()),
        ("redeemed", audit.intervals.to_string()),
        ("directory", audit.lines.to_string()),
    ]);
    if audit.ok {
        return format!("{sums}\n\nEvery invariant holds.");
    }
    let lines: Vec<String> =
        audit.findings.iter().map(|finding| format!("  {}: {}", finding.rule, finding.what)).collect();
    format!("{sums}\n\n{} INVARIANTS ARE BROKEN\n{}", audit.broken, lines.join("\n"))
}

pub(super) fn config(desktop: &Desktop, command: &ConfigCommand) -> Result<Exit, Failure> {
    let config = desktop.config(Vec::new())?;
    crate::run::check(&config)?;
    match command {
        ConfigCommand::Check => {
            desktop.out.tell(&serde_json::json!({ "ok": true }), || "The settings are good.".to_owned())?;
        }
        ConfigCommand::Show => {
            let shown = config.show();
            desktop.out.tell(&shown, || {
                let rows = shown.iter().map(|line| {
                    let value = line.value.clone().unwrap_or_default();
                    [line.key.to_owned(), value, format!("{:?}", line.source), line.help.to_owned()]
                });
                super::show::table(["SETTING", "VALUE", "FROM", "WHAT IT IS"], rows)
            })?;
        }
    }
    Ok(Exit::Done)
}
