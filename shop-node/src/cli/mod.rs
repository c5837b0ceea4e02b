//! `shop-node`: what a person types at the till and behind it. Parse, one call, print; the rules are elsewhere.

mod back;
mod backup;
mod cart;
mod fault;
mod goods;
mod hooks;
mod orders;
mod people;
mod report;
mod sale;
mod sweep;
mod till;

use crate::rpc::api::TillClient;
use clap::Parser;
use daemon::cli::show::{self, Show};
use daemon::settings::{Place, SettingFlags, Settings};
use fault::Fault;
use protocol::money::Currency;
use protocol::node::chance::chance_bytes;
use protocol::node::host::exit::Exit;
use protocol::node::host::paths::{Paths, PathsError};
use protocol::node::host::{logs, private_file, signals};
use protocol::node::rpc::{Connection, Empty, EventsList, socket_in};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// How a person starts this workstation.
const DAEMON: &[&str] = &["shop-node", "run"];
/// A token is shorter than that.
const TOKEN_MAX: u64 = 512;

const LONG_ABOUT: &str = "\
A shop: a till that is a reserve, a catalogue, sales, receipts, refunds, reports. The till's money is a workstation's like
anybody's: every command of stermina works on it (shop-node wallet …, or stermina --instance shop …).";

const AFTER_HELP: &str = "\
A first day:
  shop-node join stermina:stac1…                 open the shop's account from the bank's letter
  shop-node run                                  run the shop (in another window)
  shop-node wallet unlock --for 10h              so that it can give back
  shop-node catalogue import articles.csv
  shop-node sale new bread*2 milk                total, and a code for the customer; waits until it is paid
  shop-node till code --follow                   six digits for customers who choose the till by name
  shop-node sale receipt 1 --file receipt-1.stermina
  shop-node refund make 1 3.50 --reason stale
  shop-node report x · report z
  shop-node sweep status                         what goes to the company, in a shop that it owns

Exit codes: as those of stermina (0 done, 2 not understood, 3 not found, 4 refused, 5 pending, 6 not running).";

/// A shop: sells, gives back, closes the day
#[derive(Debug, Parser)]
#[command(name = "shop-node", version, long_about = LONG_ABOUT, after_help = AFTER_HELP, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    at: At,
    /// One JSON document on stdout instead of text; amounts in the smallest unit
    #[arg(long, global = true, help_heading = "Everywhere")]
    json: bool,
    /// Call with the token in this file (mode 0600): as one of the shop's people, not as its owner
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    token_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

/// Which shop is meant: the folder that it lives in.
#[derive(Clone, Debug, clap::Args)]
struct At {
    /// Keep everything beneath this folder, instead of the usual places
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "STERMINA_HOME",
        hide_env_values = true,
        help_heading = "Everywhere"
    )]
    home: Option<PathBuf>,
    /// Which of several workstations of one user
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "STERMINA_INSTANCE",
        hide_env_values = true,
        default_value = "shop",
        help_heading = "Everywhere"
    )]
    instance: String,
}

impl At {
    fn place(&self) -> Place {
        Place { home: self.home.clone(), instance: self.instance.clone() }
    }

    fn paths(&self) -> Result<Paths, PathsError> {
        self.place().paths()
    }
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Open the shop's account from the bank's letter (as stermina join)
    #[command(disable_help_flag = true)]
    Join(Words),
    /// Run the shop in the foreground; SIGTERM ends it in order
    Run {
        #[command(flatten)]
        settings: Box<SettingFlags>,
    },
    /// Bring the shop's money back from its recovery phrase (as stermina restore); then its book: backup restore
    #[command(disable_help_flag = true)]
    Restore(Words),
    #[command(subcommand)]
    Backup(backup::BackupWords),
    /// Any command of stermina, on the till's own wallet: unlock, balance, deposit, doubt …
    #[command(disable_help_flag = true)]
    Wallet(Words),
    /// The day, what is open, what is owed
    Status,
    #[command(subcommand)]
    Sale(sale::SaleWords),
    #[command(subcommand)]
    Till(till::TillWords),
    #[command(subcommand)]
    Refund(back::RefundWords),
    #[command(subcommand)]
    Order(orders::OrderWords),
    #[command(subcommand)]
    Item(goods::ItemWords),
    #[command(subcommand)]
    Catalogue(goods::CatalogueWords),
    #[command(subcommand)]
    Report(report::ReportWords),
    #[command(subcommand)]
    Sweep(sweep::SweepWords),
    #[command(subcommand)]
    Staff(people::StaffWords),
    #[command(subcommand)]
    Webhook(hooks::HookWords),
    /// Who asked for what, newest first
    Audit {
        /// At most so many lines
        #[arg(long, default_value_t = 50)]
        limit: u64,
    },
    #[command(subcommand)]
    Settings(people::SettingsWords),
    /// Print each event as a line of JSON, as it happens, until interrupted
    Events {
        /// Only events after this number; 0 for all. Only new ones if left out
        #[arg(long, value_name = "N")]
        since: Option<u64>,
    },
    /// Call a method of the JSON-RPC interface as it is
    Rpc {
        /// The method, such as sale.list
        method: String,
        /// Its parameters as a JSON object
        #[arg(default_value = "{}")]
        params: String,
    },
}

/// Words for stermina.
#[derive(Debug, clap::Args)]
struct Words {
    /// As stermina takes them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// One run of a command that talks to the shop.
struct Session {
    at: At,
    token_file: Option<PathBuf>,
    show: Show,
}

impl Session {
    async fn connection(&self) -> Result<Connection, Fault> {
        let run = self.at.paths()?.run;
        let socket = socket_in(&run);
        let connection = match &self.token_file {
            Some(file) => {
                let token = private_file::read(file, TOKEN_MAX)?;
                Connection::unix_with(&socket, String::from_utf8_lossy(&token).trim())
            }
            None => Connection::unix(&socket),
        };
        Ok(connection)
    }

    async fn client(&self) -> Result<TillClient, Fault> {
        Ok(TillClient::new(self.connection().await?))
    }

    async fn with_currency(&self) -> Result<(TillClient, Currency), Fault> {
        let client = self.client().await?;
        let currency = client.status(Empty {}).await?.currency;
        Ok((client, currency))
    }
}

/// A key of the caller's, or a new one.
fn key(given: Option<String>) -> String {
    given.unwrap_or_else(|| hex::encode(chance_bytes::<8>()))
}

impl Command {
    async fn run(self, session: &Session) -> Result<Exit, Fault> {
        match self {
            Command::Join(_) | Command::Restore(_) | Command::Wallet(_) => {
                unreachable!("given to stermina before a runtime is made")
            }
            Command::Run { settings } => run_the_shop(session, *settings).await,
            Command::Backup(words) => words.run(session).await,
            Command::Status => report::status(session).await,
            Command::Sale(words) => words.run(session).await,
            Command::Till(words) => words.run(session).await,
            Command::Refund(words) => words.run(session).await,
            Command::Order(words) => words.run(session).await,
            Command::Item(words) => words.run(session).await,
            Command::Catalogue(words) => words.run(session).await,
            Command::Report(words) => words.run(session).await,
            Command::Sweep(words) => words.run(session).await,
            Command::Staff(words) => words.run(session).await,
            Command::Webhook(words) => words.run(session).await,
            Command::Audit { limit } => people::audit(session, limit).await,
            Command::Settings(words) => words.run(session).await,
            Command::Events { since } => events(session, since).await,
            Command::Rpc { method, params } => rpc(session, &method, &params).await,
        }
    }
}

async fn run_the_shop(session: &Session, flags: SettingFlags) -> Result<Exit, Fault> {
    let paths = session.at.paths()?;
    let settings = Settings::load(&paths, flags)?;
    logs::init(settings.log_format, &settings.log_level).map_err(|why| Fault::Run(why.to_string()))?;
    let shutdown = signals::shutdown()?;
    Box::pin(crate::run::run(settings, paths, shutdown)).await.map_err(|why| Fault::Run(why.to_string()))?;
    Ok(Exit::Done)
}

async fn events(session: &Session, since: Option<u64>) -> Result<Exit, Fault> {
    let connection = session.connection().await?;
    let first = EventsList { limit: Some(1), ..EventsList::default() };
    let mut since = match since {
        Some(since) => since,
        None => connection.events(&first).await?.newest,
    };
    loop {
        let asked = EventsList { since, limit: Some(500), wait_seconds: 50 };
        for event in connection.events(&asked).await?.events {
            since = event.get("seq").and_then(serde_json::Value::as_u64).unwrap_or(since);
            show::out(&event.to_string())?;
        }
    }
}

async fn rpc(session: &Session, method: &str, params: &str) -> Result<Exit, Fault> {
    let params = serde_json::from_str(params)
        .map_err(|flaw| Fault::Usage(format!("the parameters are no JSON: {flaw}")))?;
    let result = session.connection().await?.call_value(method, params).await?;
    show::out(&serde_json::to_string_pretty(&result).map_err(std::io::Error::other)?)?;
    Ok(Exit::Done)
}

/// Runs the command line, the program's name first, to its exit code.
pub fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(misread) => {
            // Nobody is left to tell when this fails.
            let _ = misread.print();
            return if misread.exit_code() == 0 { Exit::Done } else { Exit::Usage }.into();
        }
    };
    let show = if cli.json { Show::Json } else { Show::People };
    match cli.command {
        Command::Join(words) => to_stermina(&cli.at, show, Some("join"), words),
        Command::Restore(words) => to_stermina(&cli.at, show, Some("restore"), words),
        Command::Wallet(words) => to_stermina(&cli.at, show, None, words),
        command => {
            let session = Session { at: cli.at, token_file: cli.token_file, show };
            finish(&session, carry_out(command, &session))
        }
    }
}

/// The till's wallet is a workstation's: its commands are stermina's.
fn to_stermina(at: &At, show: Show, first: Option<&str>, words: Words) -> ExitCode {
    let mut line = vec!["stermina".to_owned()];
    line.extend(at.place().flags());
    line.extend((show == Show::Json).then(|| "--json".to_owned()));
    line.extend(first.map(str::to_owned));
    line.extend(words.words);
    daemon::cli::run_for(DAEMON, line.into_iter().map(OsString::from))
}

fn carry_out(command: Command, session: &Session) -> Result<Exit, Fault> {
    let mut runtime = match command {
        Command::Run { .. } => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build()?;
    let interrupted = !matches!(command, Command::Run { .. });
    runtime.block_on(async {
        let done = Box::pin(command.run(session));
        if !interrupted {
            // It ends in order by itself when it is told to.
            return done.await;
        }
        tokio::select! {
            done = done => done,
            heard = tokio::signal::ctrl_c() => heard.map(|()| Exit::Interrupted).map_err(Fault::from),
        }
    })
}

fn finish(session: &Session, done: Result<Exit, Fault>) -> ExitCode {
    let exit = match done {
        // Whoever read our answer has enough.
        Err(Fault::Output(why)) if why.kind() == std::io::ErrorKind::BrokenPipe => Exit::Done,
        Ok(exit) => exit,
        Err(fault) => {
            let exit = fault.exit();
            show::advise(&format!("shop-node: {fault}"));
            if session.show == Show::Json {
                // Nobody is left to tell when this fails.
                let _ = show::out(&format!("{:#}", fault.document(exit)));
            }
            exit
        }
    };
    exit.into()
}
