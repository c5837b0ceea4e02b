//! The command line: a thin client of the running bank, and what is done while it is closed.

mod account;
mod backup;
mod bank;
mod cases;
mod keys;
mod shops;
mod show;

#[cfg(test)]
mod tests;

use crate::home::{Home, HomeError};
use crate::rpc::Change;
use crate::run::RunError;
use clap::{CommandFactory, Parser, Subcommand};
use protocol::money::AmountFlaw;
use protocol::node::host::config::{Config, ConfigError, Layers};
use protocol::node::host::exit::Exit;
use protocol::node::rpc::{CallError, Connection, RpcError, socket_in};
use show::Out;
use std::path::PathBuf;
use std::process::ExitCode;

/// The bank: accounts, issue and redemption of notes, the directory.
#[derive(Debug, Parser)]
#[command(
    name = "bank-node",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "\
Examples, from an empty folder:
  bank-node init --name 'Banca di Valle'      make the bank: keys, empty books
  bank-node run                               open it (Ctrl-C closes it)
  bank-node account open 'Alice' --balance 500
                                              an account, and the letter to hand to Alice
  bank-node account list
  bank-node audit                             recompute every sum
  bank-node backup --to /mnt/backups          a verified copy, while the bank is open

Exit codes: 0 done, 1 failed, 2 not understood, 3 not found, 4 refused, 5 in doubt (ask again with
the same --key), 6 the bank is not running, 130 interrupted."
)]
pub struct Cli {
    /// Keep everything beneath this folder.
    #[arg(long, global = true, value_name = "DIR", env = "STERMINA_HOME")]
    home: Option<PathBuf>,
    /// Answer in JSON, for programs.
    #[arg(long, global = true)]
    json: bool,
    /// What to log, say info or bank_node=debug,info.
    #[arg(long, global = true, value_name = "LEVEL", env = "STERMINA_LOG")]
    log: Option<String>,
    /// Call with an operator's token. Better put it into STERMINA_TOKEN: whoever lists processes reads a command line.
    #[arg(long, global = true, value_name = "TOKEN", env = "STERMINA_TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a bank: its keys and empty books.
    Init(bank::Init),
    /// Open the bank until it is stopped.
    Run(bank::Run),
    /// Tell how the open bank is.
    Status,
    /// Open accounts, look at them, book cash.
    #[command(subcommand)]
    Account(account::Account),
    /// Suspend an account: it can't withdraw, nobody takes its payments; it may deposit. Two operators decide.
    #[command(subcommand)]
    Suspend(cases::Standing),
    /// Take a suspension back. Two operators decide.
    #[command(subcommand)]
    Reinstate(cases::Standing),
    /// Make, end and list operators' tokens.
    #[command(subcommand)]
    Operator(cases::Operators),
    /// Fund and show the guarantee, out of which claims are paid that nobody else pays.
    #[command(subcommand)]
    Guarantee(cases::GuaranteeWords),
    /// Look at claims: who is asked, who has to pay, what was paid.
    #[command(subcommand)]
    Claim(cases::Look),
    /// Look at reclaims: what is asked back, and until when others may object.
    #[command(subcommand)]
    Reclaim(cases::Look),
    /// Say whose a shop is, lease it, hand it over; look at what it owes.
    #[command(subcommand)]
    Shop(shops::Shop),
    /// Look at money that is kept for orders, decide what is disputed.
    #[command(subcommand)]
    Hold(shops::Hold),
    /// Look at takings that went to companies.
    #[command(subcommand)]
    Sweep(shops::Sweep),
    /// Show what moved money on an account, the newest first.
    Statement(shops::Statement),
    /// List the journal: who did what, when and why.
    Journal(cases::Page),
    /// List the directory: whom the bank has certified, and the workstations' records.
    Directory(cases::Page),
    /// Recompute every invariant of the books; exit code 1 if one is broken.
    Audit(bank::AuditArgs),
    /// Copy the open bank's books, and verify the copy.
    Backup(backup::Backup),
    /// Make a bank from a backup and its redo log.
    Restore(backup::Restore),
    /// Look at the working keys, make issue keys for more days.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Show or check the settings.
    #[command(subcommand)]
    Config(bank::ConfigCommand),
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// How a command ends when it does not end well.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    words: String,
}

impl Failure {
    fn new(exit: Exit, words: impl Into<String>) -> Failure {
        Failure { exit, words: words.into() }
    }

    /// The same with the key that repeats the call.
    fn with_key(mut self, key: &str) -> Failure {
        if self.exit == Exit::InDoubt {
            self.words =
                format!("{}\nthe key of this call was {key}: repeat it with --key {key}", self.words);
        }
        self
    }
}

fn by_reason(error: &RpcError) -> Option<Exit> {
    match error.reason.as_ref() {
        "account_not_found" | "case_not_found" | "hold_not_found" | "sweep_not_found" | "shop_not_found" => {
            Some(Exit::NotFound)
        }
        "bad_key" | "bad_name" | "bad_reason" | "bad_operator" | "nothing" | "bad_day" | "wrong_kind" => {
            Some(Exit::Usage)
        }
        "key_reused" | "insufficient_funds" | "too_much" | "already_activated" | "no_change"
        | "not_disputed" | "over_left" | "account_closed" | "leased" | "not_leased" | "other_owner"
        | "no_company" | "arrears" | "not_settled" | "not_proposed" | "same_operator" | "operator_needed"
        | "owner_needed" => Some(Exit::Refused),
        _ => None,
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let words = match &error {
            CallError::Unreachable { .. } => {
                format!("the bank is not open here ({error}); open it with bank-node run")
            }
            CallError::Lost { .. } | CallError::Rpc(_) | CallError::Protocol(_) => error.to_string(),
        };
        Failure::new(Exit::of(&error, by_reason), words)
    }
}

impl From<HomeError> for Failure {
    fn from(error: HomeError) -> Self {
        let exit = match error {
            HomeError::Redo(error) => return error.into(),
            HomeError::NoBank(_) => Exit::NotFound,
            HomeError::BadName | HomeError::Currency(_) => Exit::Usage,
            HomeError::Taken(_) => Exit::Refused,
            _ => Exit::Failed,
        };
        Failure::new(exit, error.to_string())
    }
}

impl From<AmountFlaw> for Failure {
    fn from(flaw: AmountFlaw) -> Self {
        Failure::new(Exit::Usage, flaw.to_string())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Failure::new(Exit::Usage, error.to_string())
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Home(error) => error.into(),
            RunError::Address { .. } | RunError::Amount { .. } => {
                Failure::new(Exit::Usage, error.to_string())
            }
            RunError::Net(_) | RunError::Serve(_) | RunError::Fault(_) => {
                Failure::new(Exit::Failed, error.to_string())
            }
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::new(Exit::Failed, error.to_string())
    }
}

/// What every command needs.
pub(crate) struct Desktop {
    home: Home,
    out: Out,
    log: Option<String>,
    token: Option<String>,
}

impl Desktop {
    async fn connect(&self) -> Result<Connection, Failure> {
        match &self.token {
            Some(token) => Ok(Connection::unix_with(&socket_in(&self.home.paths.run), token.as_str())),
            None => Ok(Connection::to(&self.home.paths.run).await?),
        }
    }

    fn config(&self, flags: Vec<(String, String)>) -> Result<Config, Failure> {
        let layers = Layers {
            file: Some(&self.home.paths.config),
            env: Config::env_of_process(),
            env_ignored: &["STERMINA_HOME", "STERMINA_LOG", "STERMINA_TOKEN"],
            flags,
        };
        Ok(Config::load(crate::run::SETTINGS, &layers)?)
    }
}

/// Reads the command line of this process and carries it out.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; an error that can't be printed has nobody to read it.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let json = cli.json;
    match carry_out(cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            show::complain(json, failure.exit, &failure.words);
            failure.exit.into()
        }
    }
}

fn carry_out(cli: Cli) -> Result<Exit, Failure> {
    let Cli { home, json, log, token, command } = cli;
    let desktop = Desktop { home: Home::find(home.as_deref())?, out: Out { json }, log, token };
    if let Command::Completions { shell } = command {
        clap_complete::generate(shell, &mut Cli::command(), "bank-node", &mut std::io::stdout());
        return Ok(Exit::Done);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let exit = runtime.block_on(Box::pin(dispatch(&desktop, command)));
    // A request that is still being examined has written nothing.
    runtime.shutdown_background();
    exit
}

async fn dispatch(desktop: &Desktop, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Init(init) => bank::init(desktop, &init),
        Command::Run(run) => Box::pin(bank::run(desktop, &run)).await,
        Command::Status => bank::status(desktop).await,
        Command::Account(account) => account::account(desktop, account).await,
        Command::Suspend(words) => cases::standing(desktop, Change::Suspend, words).await,
        Command::Reinstate(words) => cases::standing(desktop, Change::Reinstate, words).await,
        Command::Operator(words) => cases::operators(desktop, words).await,
        Command::Guarantee(words) => cases::guarantee(desktop, words).await,
        Command::Claim(look) => cases::claims(desktop, look).await,
        Command::Reclaim(look) => cases::reclaims(desktop, look).await,
        Command::Shop(words) => shops::shop(desktop, words).await,
        Command::Hold(words) => shops::hold(desktop, words).await,
        Command::Sweep(words) => shops::sweep(desktop, words).await,
        Command::Statement(words) => shops::statement(desktop, &words).await,
        Command::Journal(page) => cases::journal(desktop, &page).await,
        Command::Directory(page) => cases::directory(desktop, &page).await,
        Command::Audit(audit) => bank::audit(desktop, &audit).await,
        Command::Backup(asked) => backup::backup(desktop, &asked).await,
        Command::Restore(asked) => backup::restored(desktop, &asked),
        Command::Keys(keys) => keys::keys(desktop, keys).await,
        Command::Config(config) => bank::config(desktop, &config),
        Command::Completions { .. } => Ok(Exit::Done),
    }
}
