//! The harness: everything the tests, the demo and the benchmarks stand on.
//!
//! | module | what it holds |
//! |---|---|
//! | [`chaos`] | a town under load while everything that can happen to machines happens |
//! | [`process`] | the real programs as processes: build, start, stop, kill, freeze, their logs |
//! | [`people`] | a community with its bank and residents, each with a workstation of real processes |
//! | [`demo`] | the day that `cargo demo` plays |
//! | [`figures`] | what `cargo figures` measures |
//! | [`gone`] | a workstation whose folder is gone, and its restore |
//! | [`patience`] | waiting for something that another process does, with an end |
//! | [`receiver`] | a program that is told of events by a shop's webhook |
//! | [`sim`] | the simulation: lives of small worlds, act by act, and what must be true after each |
//! | [`stranger`] | a peer that keeps no rules |
//! | [`world`] | bank and wallets in one thread, with bad disks and bad post: no process, no network, no clock |

pub mod chaos;
pub mod demo;
pub mod figures;
pub mod gone;
pub mod patience;
pub mod people;
pub mod process;
pub mod receiver;
pub mod shopkeeper;
pub mod sim;
pub mod stranger;
pub mod world;
