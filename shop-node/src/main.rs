//! `shop-node`: a shop as a program; what a person types is in `shop_node::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    shop_node::cli::run(std::env::args_os())
}
