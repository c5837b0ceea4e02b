//! `stermina`: a thin client of the workstation. Parse, one call, print.
//!
//! People get tables and sentences, `--json` gets exactly one document on stdout; advice and errors go to
//! stderr. The exit code says how it ended; `fault` has the one map from reasons to codes. A file per noun.

mod bank;
mod claim;
mod date;
mod export;
mod fault;
mod history;
mod join;
mod mail;
mod node;
mod ordered;
mod pay;
mod policy;
mod receive;
mod reserve;
mod restore;
mod secret;
mod session;
mod shop;
pub mod show;
mod takings;
mod till;
mod token;
mod told;
mod vault;
mod verify;

use crate::settings::Place;
use clap::Parser;
use fault::Fault;
use protocol::node::host::config::parse_duration;
use protocol::node::host::exit::Exit;
use reserve::Way;
use serde::Serialize;
use serde_json::{Map, Value};
use session::Session;
use show::Show;
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

const LONG_ABOUT: &str = "\
Electronic cash that workstations hand to each other. stermina talks to your workstation, sterminad, which must be
running for everything but join, config and completions.";

const AFTER_HELP: &str = "\
A first day:
  stermina join stermina:stac1…        open the account from the bank's letter
  sterminad                            run the workstation (in another window)
  stermina unlock                      open the reserve for a while
  stermina withdraw 500                from the account into the reserve
  stermina request 30 --memo lunch     ask to be paid
  stermina pay st1q… 120 --memo rent   pay somebody
  stermina balance · history · deposit 50
  stermina doubt                       what is not decided yet, and what you can do

Exit codes:
  0  done
  1  failed for another reason (network, disk)
  2  the command line, a code or an amount was not understood
  3  not found
  4  refused by a rule: funds, limit, locked, no permission
  5  in doubt or pending: it may have happened; the command that is shown asks again and pays once
  6  the workstation is not running
  130  interrupted";

/// Electronic cash that workstations hand to each other
#[derive(Debug, Parser)]
#[command(name = "stermina", version, long_about = LONG_ABOUT, after_help = AFTER_HELP, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    place: Place,
    /// One JSON document on stdout instead of text; amounts in the smallest unit
    #[arg(long, global = true, help_heading = "Everywhere")]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Join(Box<join::JoinWords>),
    Restore(Box<restore::RestoreWords>),
    Unlock(node::UnlockWords),
    /// Close the reserve; receiving goes on
    Lock,
    /// Who this workstation is and how it is
    Status,
    /// What can be spent, what is awaited, what the account holds
    Balance,
    /// Everything whose outcome is awaited: by whom, until when, what you can do
    Doubt,
    #[command(subcommand)]
    Claim(claim::ClaimWords),
    Statement(takings::StatementWords),
    #[command(subcommand)]
    Sweep(takings::SweepWords),
    /// Move money from the account into the reserve
    Withdraw(reserve::MoveWords),
    /// Move money from the reserve into the account
    Deposit(reserve::MoveWords),
    /// A request to the bank, by its id
    #[command(subcommand)]
    Operation(reserve::OperationWords),
    Pay(pay::PayWords),
    #[command(subcommand)]
    Payment(pay::PaymentWords),
    /// What waits in mailboxes: payments left there, mail of one's own, requests left for payers
    Mailbox,
    #[command(subcommand)]
    Receipt(pay::ReceiptWords),
    Request(receive::RequestWords),
    #[command(subcommand)]
    Shop(shop::ShopWords),
    /// The own public code, as text and QR
    Code,
    History(history::HistoryWords),
    #[command(subcommand)]
    Letter(bank::LetterWords),
    #[command(subcommand)]
    Directory(bank::DirectoryWords),
    /// What the bank last told everybody, and whether its words fit together
    Bulletin,
    #[command(subcommand)]
    Policy(policy::PolicyWords),
    #[command(subcommand)]
    Token(token::TokenWords),
    /// How far the vault goes: what a lost machine would bring back
    Vault,
    #[command(subcommand)]
    Events(node::EventsWords),
    Rpc(node::RpcWords),
    #[command(subcommand)]
    Config(node::ConfigWords),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

impl Command {
    async fn run(self, session: &Session) -> Result<Exit, Fault> {
        match self {
            Command::Join(words) => words.run(session).await,
            Command::Restore(words) => words.run(session).await,
            Command::Unlock(words) => words.run(session).await,
            Command::Lock => node::lock(session).await,
            Command::Status => node::status(session).await,
            Command::Balance => reserve::balance(session).await,
            Command::Doubt => claim::doubt(session).await,
            Command::Claim(words) => words.run(session).await,
            Command::Statement(words) => words.run(session).await,
            Command::Sweep(words) => words.run(session).await,
            Command::Withdraw(words) => words.run(Way::Withdraw, session).await,
            Command::Deposit(words) => words.run(Way::Deposit, session).await,
            Command::Operation(words) => words.run(session).await,
            Command::Pay(words) => words.run(session).await,
            Command::Payment(words) => words.run(session).await,
            Command::Receipt(words) => words.run(session).await,
            Command::Request(words) => words.run(session).await,
            Command::Shop(words) => words.run(session).await,
            Command::Code => receive::code(session).await,
            Command::History(words) => words.run(session).await,
            Command::Mailbox => mail::mailbox(session).await,
            Command::Letter(words) => words.run(session).await,
            Command::Directory(words) => words.run(session).await,
            Command::Bulletin => told::bulletin(session).await,
            Command::Policy(words) => words.run(session).await,
            Command::Token(words) => words.run(session).await,
            Command::Vault => vault::vault(session).await,
            Command::Events(words) => words.run(session).await,
            Command::Rpc(words) => words.run(session).await,
            Command::Config(words) => words.run(session),
            Command::Completions { shell } => node::completions(shell),
        }
    }
}

/// The caller's key of a call that moves money.
#[derive(Debug, clap::Args)]
struct KeyWords {
    /// Your own key for this call: the same key with the same words happens once
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

/// How long to wait for the outcome.
#[derive(Debug, clap::Args)]
struct WaitWords {
    /// Wait so long for the outcome
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    wait: Duration,
    /// Do not wait: exit code 5 then means that it is on its way
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
}

impl WaitWords {
    /// As they are typed.
    fn words(&self) -> Vec<String> {
        match self.no_wait {
            true => vec!["--no-wait".to_owned()],
            false => vec!["--wait".to_owned(), format!("{}s", self.wait.as_secs())],
        }
    }

    /// The wait in parts that a single call may take.
    fn slices(&self) -> impl Iterator<Item = u64> {
        let mut left = if self.no_wait { 0 } else { self.wait.as_secs() };
        std::iter::from_fn(move || {
            let slice = left.min(60);
            left -= slice;
            (slice > 0).then_some(slice)
        })
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .ok_or_else(|| format!("«{text}» is no time: write a number with a unit, such as 90s, 15m, 2h or 7d"))
}

/// The answer with the key it was asked under.
fn with_key<T: Serialize>(answer: &T, key: &str) -> Value {
    let mut document = serde_json::to_value(answer).unwrap_or_default();
    if let Some(fields) = document.as_object_mut() {
        fields.insert("key".to_owned(), key.into());
    }
    document
}

/// How a command ends for a reason of the workstation or of the wire; nothing for one that is neither's.
pub fn end_of(reason: &str) -> Option<Exit> {
    fault::of_reason(reason)
}

/// Runs the command line, the program's name first, to its exit code.
pub fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    run_for(&["sterminad"], words)
}

/// The same for a workstation that another program runs: `daemon` is how a person starts it.
pub fn run_for(daemon: &'static [&'static str], words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = words.into_iter().collect();
    let plain: Vec<String> = words.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let exit = match Cli::try_parse_from(&words) {
        Ok(cli) => {
            let show = if cli.json { Show::Json } else { Show::People };
            let session = Session::new(cli.place, show, plain).of(daemon);
            finish(&session, carry_out(cli.command, &session))
        }
        Err(misread) => explain(&misread, &plain),
    };
    exit.into()
}

/// Carries the command out, until it ends or is interrupted.
fn carry_out(command: Command, session: &Session) -> Result<Exit, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            done = Box::pin(command.run(session)) => done,
            heard = tokio::signal::ctrl_c() => heard.map(|()| Exit::Interrupted).map_err(Fault::from),
        }
    })
}

fn finish(session: &Session, done: Result<Exit, Fault>) -> Exit {
    let (exit, told) = match done {
        // Whoever read our answer has enough.
        Err(Fault::Output(why)) if why.kind() == std::io::ErrorKind::BrokenPipe => return Exit::Done,
        Ok(exit) => (exit, Ok(())),
        Err(fault) => {
            let exit = fault.exit();
            (exit, session.show.fault(&fault.to_string(), facts(session, &fault, exit), exit))
        }
    };
    if let (Exit::InDoubt | Exit::Interrupted, Some(again)) = (exit, session.again()) {
        show::advise(&format!(
            "The outcome is not known here yet. This asks again and happens once:\n  {again}"
        ));
    }
    if told.is_err() { Exit::Failed } else { exit }
}

fn facts(session: &Session, fault: &Fault, exit: Exit) -> Map<String, Value> {
    let mut facts = fault.facts();
    if let (Exit::InDoubt, Some(again)) = (exit, session.again()) {
        facts.insert("again".to_owned(), again.into());
    }
    facts
}

/// Help and versions are answers; everything else is a misread command line.
fn explain(misread: &clap::Error, words: &[String]) -> Exit {
    // Nobody is left to tell when this fails.
    let _ = misread.print();
    if misread.exit_code() == 0 {
        return Exit::Done;
    }
    if words.iter().any(|word| word == "--json") {
        let message = misread.to_string().lines().next().unwrap_or_default().to_owned();
        let error = serde_json::json!({ "error": { "reason": "usage", "message": message, "exit": 2 } });
        let _ = show::out(&format!("{error:#}"));
    }
    Exit::Usage
}

#[cfg(test)]
mod tests;
