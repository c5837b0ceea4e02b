//! The demo: a day with the real programs, told as it happens.
//!
//! A chapter plays a part of the day and fails by panicking, as a test does. The table at the end proves
//! that no unit was lost or made.

mod money;
mod shop;
mod trouble;

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;

use crate::people::{Community, Resident};

/// How a chapter is played.
type Play = fn(&mut Stage);

/// What became of a chapter.
#[derive(Debug, Serialize)]
pub struct Chapter {
    /// Its name.
    pub name: &'static str,
    /// Whether everything in it was as it should be.
    pub ok: bool,
}

/// The demo's last line with `--json`.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether every chapter went well and everything was conserved.
    pub ok: bool,
    /// Whether what was paid in is what everybody holds, to the unit.
    pub conserved: bool,
    /// Payments made.
    pub payments: u64,
    /// Processes killed on purpose.
    pub killed: u64,
    /// The chapters.
    pub chapters: Vec<Chapter>,
}

/// The town that the day is played in, and what is counted.
#[derive(Debug)]
pub struct Stage {
    town: Community,
    people: Vec<Resident>,
    paid_in: u64,
    payments: u64,
    killed: u64,
    conserved: bool,
}

impl Stage {
    /// Founds the bank.
    pub fn open() -> Stage {
        say("The programs are being built; the first time takes a few minutes.");
        crate::process::built();
        say("A bank is founded (bank-node init) and opened (bank-node run).");
        let town = Community::open("StarMine");
        Stage { town, people: Vec::new(), paid_in: 0, payments: 0, killed: 0, conserved: false }
    }

    /// Plays every chapter and says what became of each.
    pub fn play(&mut self) -> Report {
        let chapters: [(&str, Play); 3] =
            [("money", money::play), ("trouble", trouble::play), ("shop", shop::play)];
        let mut told = Vec::new();
        for (name, chapter) in chapters {
            title(name);
            let ok = catch_unwind(AssertUnwindSafe(|| chapter(self))).is_ok();
            told.push(Chapter { name, ok });
        }
        self.conserved = self.conserved && told.iter().all(|chapter| chapter.ok) && money::prove(self);
        let ok = self.conserved && told.iter().all(|chapter| chapter.ok);
        let (payments, killed) = (self.payments, self.killed);
        Report { ok, conserved: self.conserved, payments, killed, chapters: told }
    }

    /// Ends the day: nothing is left, or everything is left running with a word how to go on.
    pub fn close(self, keep: bool) {
        if !keep {
            return;
        }
        let names: Vec<String> = self.people.iter().map(|person| person.name().to_owned()).collect();
        let folder = self.town.keep(&self.people);
        say(&format!("Everything goes on running in {}.", folder.display()));
        let (built, shown) = (crate::process::built(), folder.display());
        for name in names {
            say(&format!("  {} --home {shown}/{name} balance", built.stermina.display()));
        }
        say(&format!("  {} --home {shown}/bank audit", built.bank_node.display()));
        say(&format!("The private codes lie beside the folders, in {shown}/NAME.code. To end it all:"));
        say(&format!("  pkill -f {shown}"));
    }
}

/// A line of the story; it goes to standard error, so that standard output stays for programs.
#[expect(clippy::print_stderr, reason = "the demo tells a story to a person")]
pub fn say(line: &str) {
    eprintln!("{line}");
}

fn title(name: &str) {
    say(&format!("\n── {name} {}", "─".repeat(60)));
}
