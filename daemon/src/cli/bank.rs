//! What comes from the bank: its letters, its directory.

use super::fault::Fault;
use super::session::Session;
use super::show;
use crate::rpc::api::{ByLetter, ContactView, Find, Letter, LetterQuery};
use protocol::node::host::exit::Exit;
use protocol::node::rpc::Empty;

/// The bank's signed letters
#[derive(Debug, clap::Subcommand)]
pub(crate) enum LetterWords {
    /// The letters, newest first
    List {
        /// At most so many (1 to 500)
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=500))]
        limit: Option<u64>,
        /// Letters before this number
        #[arg(long, value_name = "N")]
        before: Option<u64>,
    },
    /// A letter with the bank's signature
    Show {
        /// Its number
        number: u64,
    },
}

impl LetterWords {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let client = session.client().await?;
        let (limit, before) = match self {
            LetterWords::List { limit, before } => (limit, before),
            LetterWords::Show { number } => {
                let letter = client.letter_show(ByLetter { number }).await?;
                session.show.answer(&letter, || {
                    format!("{}\n\nSigned (hex): {}", letter.text.trim_end(), letter.signed)
                })?;
                return Ok(Exit::Done);
            }
        };
        let currency = session.status(&client).await?.currency;
        let page = client.letter_list(LetterQuery { before, limit }).await?;
        session.show.answer(&page, || {
            let row = |letter: &Letter| {
                let (units, balance) = (currency.show(letter.units), currency.show(letter.balance));
                [letter.number.to_string(), letter.at.to_string(), letter.kind.clone(), units, balance]
            };
            let header = ["no", "time", "letter", "amount", "account after it"];
            let table = show::table(header, &[0, 3, 4], page.letters.iter().map(row).collect());
            match page.next {
                Some(next) => format!("{table}\nMore: --before {next}"),
                None => table,
            }
        })?;
        Ok(Exit::Done)
    }
}

/// People, shops and companies that the bank has certified
#[derive(Debug, clap::Subcommand)]
pub(crate) enum DirectoryWords {
    /// Look for a part of a name, or the beginning of a code
    Find {
        /// What to look for
        text: String,
        /// At most so many (1 to 100)
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100))]
        limit: Option<u64>,
    },
    /// Copy what is new at the bank
    Sync,
}

impl DirectoryWords {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let client = session.client().await?;
        let (text, limit) = match self {
            DirectoryWords::Find { text, limit } => (text, limit),
            DirectoryWords::Sync => {
                let state = client.directory_sync(Empty {}).await?;
                session.show.answer(&state, || format!("{} entries copied.", state.entries))?;
                return Ok(Exit::Done);
            }
        };
        let found = client.directory_find(Find { text: text.clone(), limit }).await?;
        session.show.answer(&found, || {
            let row = |contact: &ContactView| {
                [
                    contact.name.clone(),
                    contact.kind.clone(),
                    contact.standing.clone(),
                    contact.code.to_string(),
                ]
            };
            match found.contacts.is_empty() {
                true => format!("Nobody by «{text}»; copy what is new: stermina directory sync"),
                false => show::table(
                    ["name", "kind", "standing", "code"],
                    &[],
                    found.contacts.iter().map(row).collect(),
                ),
            }
        })?;
        Ok(if found.contacts.is_empty() { Exit::NotFound } else { Exit::Done })
    }
}
