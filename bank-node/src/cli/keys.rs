//! `bank-node keys …`

use super::show::table;
use super::{Desktop, Failure};
use crate::home::{Facts, HomeError};
use crate::keys::{ISSUE_DAYS, MasterKey, add_issue_keys, read_secret, replacement};
use crate::rpc::{BankClient, KeyList, KeyShown};
use clap::{Args, Subcommand};
use protocol::id::Key;
use protocol::key::bank::Usage;
use protocol::node::chance::chance_bytes;
use protocol::node::clock::Clock;
use protocol::node::host::exit::Exit;
use protocol::node::rpc::Empty;
use protocol::time::{Day, Timestamp};
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// List the working keys; also while the bank is closed.
    List,
    /// Make issue keys for more days, with the master key; also while the bank is open.
    #[command(after_help = "Example: bank-node keys extend --master /media/stick/master.key --days 31")]
    Extend(Extend),
    /// Say that a key counts no more, with the master key; also while the bank is open. It is replaced at once.
    #[command(after_help = "Example: bank-node keys revoke --master /media/stick/master.key 5f1c…\n\n\
        An open bank finds the word within half a minute and tells everybody. For ever: a revoked key does not come \
        back. Notes that a revoked issue key has signed are still redeemed, if they stand in the books.")]
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// The file with the master key.
    #[arg(long, value_name = "FILE")]
    master: PathBuf,
    /// The key, as «keys list» shows it.
    #[arg(value_name = "KEY")]
    key: Key,
}

#[derive(Debug, Args)]
pub(super) struct Extend {
    /// The file with the master key.
    #[arg(long, value_name = "FILE")]
    master: PathBuf,
    /// How many days to give a key, from today on: those that were never certified one.
    #[arg(long, default_value_t = ISSUE_DAYS, value_parser = clap::value_parser!(u32).range(1..=400))]
    days: u32,
}

pub(super) async fn keys(desktop: &Desktop, command: Keys) -> Result<Exit, Failure> {
    match command {
        Keys::List => list(desktop).await,
        Keys::Extend(extend) => self::extend(desktop, &extend),
        Keys::Revoke(revoke) => self::revoke(desktop, &revoke),
    }
}

async fn list(desktop: &Desktop) -> Result<Exit, Failure> {
    let listed = match desktop.connect().await {
        Ok(connection) => BankClient::new(connection).keys_list(Empty {}).await?,
        Err(_) => on_disk(desktop)?,
    };
    desktop.out.tell(&listed, || {
        let rows = listed.keys.iter().map(|key| {
            let here = match (key.revoked, key.private) {
                (true, _) => "revoked",
                (false, true) => "here",
                (false, false) => "destroyed",
            };
            [
                key.usage.clone(),
                key.from_day.clone(),
                key.until_day.clone(),
                here.to_owned(),
                key.key.to_string(),
            ]
        });
        table(["USAGE", "FROM", "UNTIL", "PRIVATE HALF", "KEY"], rows)
    })?;
    Ok(Exit::Done)
}

fn on_disk(desktop: &Desktop) -> Result<KeyList, Failure> {
    let facts = desktop.home.facts()?;
    let keys = desktop.home.keys().read(facts.master).map_err(HomeError::from)?;
    let keys = keys.public.certificates().map(|certificate| KeyShown::of(&keys, certificate)).collect();
    Ok(KeyList { keys })
}

fn master_key(facts: &Facts, file: &Path) -> Result<MasterKey, Failure> {
    let master = MasterKey::from_secret(*read_secret(file).map_err(HomeError::from)?);
    if master.key() == facts.master {
        return Ok(master);
    }
    let words = format!("{} is not the master key of «{}»", file.display(), facts.name);
    Err(Failure::new(Exit::Refused, words))
}

/// First the key in its place, then the word against it: a crash in between leaves a bank that can work.
fn revoke(desktop: &Desktop, revoke: &Revoke) -> Result<Exit, Failure> {
    let facts = desktop.home.facts()?;
    let master = master_key(&facts, &revoke.master)?;
    let folder = desktop.home.keys();
    let known = folder.read(facts.master).map_err(HomeError::from)?;
    let mut certificates = known.public.certificates();
    let Some(certificate) = certificates.find(|certificate| certificate.key == revoke.key) else {
        return Err(Failure::new(
            Exit::Refused,
            format!("«{}» has no such key: bank-node keys list", facts.name),
        ));
    };
    let today = Timestamp(Clock::system().now_seconds()).day();
    let (usage, from_day) = match certificate.usage {
        Usage::Issue => (Usage::Issue, certificate.from_day),
        Usage::Attest | Usage::Bulletin => (certificate.usage, today),
        Usage::Node => {
            let words =
                "every workstation knows the bank by its node key: it can't be revoked, only the bank moved";
            return Err(Failure::new(Exit::Refused, words));
        }
    };
    let epoch = match usage {
        Usage::Issue if certificate.until_day >= today => known.next_epoch(certificate.from_day),
        Usage::Attest if known.attest.key() == revoke.key => Some(0),
        Usage::Bulletin if known.bulletin.key() == revoke.key => Some(0),
        // A day that is over, or a key that was replaced before, needs no other.
        Usage::Issue | Usage::Attest | Usage::Bulletin | Usage::Node => None,
    };
    let was_revoked = known.public.revocations().any(|word| word.unverified().key == revoke.key);
    if let Some(epoch) = epoch.filter(|_| !was_revoked) {
        let made = replacement(&master, usage, epoch, today, &mut chance_bytes::<32>);
        folder.replace(&made).map_err(HomeError::from)?;
    }
    folder.write_revocation(&master.revoke(usage, revoke.key, from_day)).map_err(HomeError::from)?;
    let told = serde_json::json!({ "key": revoke.key, "replaced": epoch.is_some() && !was_revoked });
    desktop.out.tell(&told, || {
        "The key is revoked. An open bank finds the word within half a minute and tells everybody.\n\
         Take the master key off line again."
            .to_owned()
    })?;
    Ok(Exit::Done)
}

/// The bank picks the new files up by itself.
fn extend(desktop: &Desktop, extend: &Extend) -> Result<Exit, Failure> {
    let facts = desktop.home.facts()?;
    let master = master_key(&facts, &extend.master)?;
    let folder = desktop.home.keys();
    let known = folder.read(facts.master).map_err(HomeError::from)?;
    let today = Timestamp(Clock::system().now_seconds()).day();
    // A day keeps the key it was certified, so days that ever had one are passed over. Gaps are filled: a wrong
    // clock may have extended far ahead.
    let days: Vec<Day> = (0..u32::MAX)
        .map(|ahead| today.plus_days(ahead))
        .filter(|day| !known.is_certified(*day))
        .zip(0..extend.days)
        .map(|(day, _)| day)
        .collect();
    let first = days.first().copied().unwrap_or(today);
    let last = days.last().copied().unwrap_or(today);
    folder.write(&add_issue_keys(&master, days, &mut chance_bytes::<32>)).map_err(HomeError::from)?;
    let lost: Vec<String> = known.lost_days(today).iter().map(Day::to_string).collect();
    let told = serde_json::json!({
        "from_day": first.to_string(), "until_day": last.to_string(), "lost_days": lost,
    });
    desktop.out.tell(&told, || added(first, last, &lost))?;
    Ok(Exit::Done)
}

fn added(first: Day, last: Day, lost: &[String]) -> String {
    let added = format!(
        "There are issue keys from {first} until {last}. An open bank finds them within half a minute.\n\
         Take the master key off line again."
    );
    if lost.is_empty() {
        return added;
    }
    let days = lost.join(", ");
    format!(
        "{added}\nThe private half for these days is lost: {days}. A day has one key for ever, so nothing can be \
         issued then; restore the key files from a backup if there is one."
    )
}
