//! A shop's workstation: a resident's one, with a till in it.
//!
//! ```text
//! main, cli ─▶ rpc ─▶ hands ─▶ room ─▶ store · shop (rules, no IO)
//!                       └─▶ daemon: engine, wallet, network (all about money)
//! ```
//! `hands` carry what the shop decided to the wallet, under names that make it happen once, and bring back what the
//! wallet's numbered events tell (ADR 0006), looked up by `listening`; `evening` is the hand that carries takings to the company.

mod aside;
pub mod backup;
pub mod carrying;
pub mod cli;
pub mod evening;
pub mod hands;
pub mod hooks;
pub mod listening;
pub mod notice;
pub mod orders;
pub mod room;
pub mod rpc;
pub mod run;
pub mod shop;
pub mod store;
pub mod tills;
