//! The machine a program runs on: where its files lie, that it runs once, how it is told to stop.

pub mod config;
pub mod disk;
pub mod exit;
pub mod lock;
pub mod logs;
pub mod paths;
pub mod private_file;
mod setting;
pub mod signals;
