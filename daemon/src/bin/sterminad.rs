//! `sterminad`: the workstation as a program. It stays in the foreground; SIGTERM ends it in order.

use anyhow::Context;
use clap::Parser;
use daemon::settings::{Place, SettingFlags, Settings};
use protocol::node::host::{logs, signals};
use std::io::Write as _;
use std::process::ExitCode;

/// Runs a workstation: holds its reserve, takes payments, talks to other workstations and to the bank
#[derive(Debug, Parser)]
#[command(
    name = "sterminad",
    version,
    max_term_width = 110,
    after_help = "\
The account is opened first, with: stermina join stermina:stac1…
Each setting is a flag, a variable (STERMINA_NETWORK_LISTEN), or a line of config.toml, in this order of strength;
stermina config show tells where each value comes from.

Examples:
  sterminad
  sterminad --home /media/stick/stermina --network-mdns false --log-level debug"
)]
struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    settings: SettingFlags,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // For a person: what is wrong and what to do, without a trace of the program's inside.
            let _ = writeln!(std::io::stderr(), "sterminad: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let paths = arguments.place.paths()?;
    let settings = Settings::load(&paths, arguments.settings)?;
    logs::init(settings.log_format, &settings.log_level)?;
    let shutdown = signals::shutdown().context("signals can't be listened for")?;
    daemon::run::run(settings, paths, shutdown).await?;
    Ok(())
}
