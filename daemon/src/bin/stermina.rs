//! `stermina`: what a person types. Everything is in `daemon::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::cli::run(std::env::args_os())
}
