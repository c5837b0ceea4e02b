//! The bank-node: see `bank_node::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    bank_node::cli::main()
}
