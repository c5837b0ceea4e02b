//! `bank-node account …`

use super::show::{facts, qr, table, when};
use super::{Desktop, Failure};
use crate::ledger::{AccountNumber, CustomerKind};
use crate::rpc::{
    AccountLetter, AccountList, AccountOpen, AccountShow, AccountShown, BankClient, Booked, Cash, Change,
    LetterMade, ProposalShown, Statement,
};
use clap::{Args, Subcommand};
use protocol::money::{Currency, Units};
use protocol::node::chance::chance_bytes;
use protocol::node::host::exit::Exit;
use protocol::node::rpc::Empty;

#[derive(Debug, Subcommand)]
pub(super) enum Account {
    /// Open an account and print its activation letter.
    #[command(after_help = "\
Examples:
  bank-node account open 'Alice' --balance 500
  bank-node account open 'Bakery Rossi' --kind shop --key order-4711

The letter is a secret: whoever has it can claim the account, once.")]
    Open(Open),
    /// List accounts.
    List(List),
    /// Show an account and its journal entries.
    Show(Show),
    /// Print a new activation letter for an account that nobody has claimed; the old one ends.
    Letter(Letter),
    /// Book cash that was paid in.
    #[command(after_help = "Example: bank-node account pay-in 1001 250 --key receipt-88")]
    PayIn(Move),
    /// Book cash that was paid out.
    PayOut(Move),
}

#[derive(Debug, Args)]
pub(super) struct Open {
    /// The public name.
    name: String,
    /// Who holds it.
    #[arg(long, value_enum, default_value = "resident")]
    kind: CustomerKind,
    /// What is paid in with it.
    #[arg(long, default_value = "0")]
    balance: String,
    /// How much others should take from this payer without the bank.
    #[arg(long, default_value = "200")]
    offline_limit: String,
    /// Your key for this call: the same key opens one account; chosen at random if absent.
    #[arg(long)]
    key: Option<String>,
    /// Print the letter as a line only.
    #[arg(long)]
    no_qr: bool,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only accounts with higher numbers.
    #[arg(long, default_value_t = 0)]
    after: u64,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The account's number.
    account: u64,
    /// Only entries with higher numbers.
    #[arg(long, default_value_t = 0)]
    after: u64,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

#[derive(Debug, Args)]
pub(super) struct Letter {
    /// The account's number.
    account: u64,
    /// Your key for this call; without one, each call makes another letter.
    #[arg(long)]
    key: Option<String>,
    /// Print the letter as a line only.
    #[arg(long)]
    no_qr: bool,
}

#[derive(Debug, Args)]
pub(super) struct Move {
    /// The account's number.
    account: u64,
    /// How much, with decimals as the currency has them.
    amount: String,
    /// Your key for this call: the same key books once; chosen at random if absent.
    #[arg(long)]
    key: Option<String>,
}

/// A connection and the currency that amounts are shown in.
pub(super) struct Counter {
    pub(super) client: BankClient,
    currency: Currency,
}

pub(super) async fn counter(desktop: &Desktop) -> Result<Counter, Failure> {
    let client = BankClient::new(desktop.connect().await?);
    let currency = client.status(Empty {}).await?.currency;
    Ok(Counter { client, currency })
}

pub(super) fn key_of(given: Option<String>) -> String {
    given.unwrap_or_else(|| hex::encode(chance_bytes::<16>()))
}

pub(super) async fn account(desktop: &Desktop, command: Account) -> Result<Exit, Failure> {
    let counter = counter(desktop).await?;
    match command {
        Account::Open(open) => counter.open(desktop, open).await?,
        Account::List(list) => counter.list(desktop, &list).await?,
        Account::Show(show) => counter.show(desktop, &show).await?,
        Account::Letter(letter) => counter.letter(desktop, letter).await?,
        Account::PayIn(cash) => {
            let (cash, key) = counter.cash(cash)?;
            let booked = counter.client.account_pay_in(cash).await;
            counter.booked(desktop, booked.map_err(|error| Failure::from(error).with_key(&key))?)?;
        }
        Account::PayOut(cash) => {
            let (cash, key) = counter.cash(cash)?;
            let booked = counter.client.account_pay_out(cash).await;
            counter.booked(desktop, booked.map_err(|error| Failure::from(error).with_key(&key))?)?;
        }
    }
    Ok(Exit::Done)
}

impl Counter {
    pub(super) fn units(&self, amount: &str) -> Result<Units, Failure> {
        Ok(self.currency.parse(amount)?)
    }

    pub(super) fn amount(&self, units: Units) -> String {
        self.currency.show_full(units)
    }

    async fn open(&self, desktop: &Desktop, open: Open) -> Result<(), Failure> {
        let Open { name, kind, balance, offline_limit, key, no_qr } = open;
        let (balance, offline_limit) = (self.currency.parse(&balance)?, self.currency.parse(&offline_limit)?);
        let key = key_of(key);
        let asked = AccountOpen { kind, name, balance, offline_limit, key: key.clone() };
        let made = self.client.account_open(asked).await;
        self.letter_made(desktop, &made.map_err(|error| Failure::from(error).with_key(&key))?, no_qr)
    }

    async fn letter(&self, desktop: &Desktop, letter: Letter) -> Result<(), Failure> {
        let Letter { account, key, no_qr } = letter;
        let made = self.client.account_letter(AccountLetter { account: AccountNumber(account), key }).await?;
        self.letter_made(desktop, &made, no_qr)
    }

    pub(super) fn letter_made(
        &self,
        desktop: &Desktop,
        made: &LetterMade,
        no_qr: bool,
    ) -> Result<(), Failure> {
        let image = if no_qr { None } else { qr(&made.letter_uri) };
        desktop.out.tell(made, || {
            let LetterMade { account, letter_uri, balance } = made;
            format!(
                "Account {account}, balance {}. Hand this letter to its holder, and to nobody else:\n\n\
                 {letter_uri}\n\n{}\nThe holder joins with: stermina join '{letter_uri}'",
                self.amount(*balance),
                image.unwrap_or_default()
            )
        })?;
        Ok(())
    }

    async fn list(&self, desktop: &Desktop, list: &List) -> Result<(), Failure> {
        let asked = AccountList { after: list.after, limit: Some(list.limit) };
        let page = self.client.account_list(asked).await?;
        desktop.out.tell(&page, || {
            let rows = page.accounts.iter().map(|account| self.row(account));
            let mut text = table(["ACCOUNT", "NAME", "KIND", "BALANCE", "STANDING"], rows);
            if page.more {
                let last = page.accounts.last().map_or(0, |account| account.number.0);
                text.push_str(&format!("\n… more: --after {last}"));
            }
            text
        })?;
        Ok(())
    }

    fn row(&self, account: &AccountShown) -> [String; 5] {
        let kind = format!("{:?}", account.kind).to_lowercase();
        let amount = self.amount(account.balance);
        [account.number.to_string(), account.name.clone(), kind, amount, standing(account).to_owned()]
    }

    async fn show(&self, desktop: &Desktop, show: &Show) -> Result<(), Failure> {
        let account = AccountNumber(show.account);
        let asked = AccountShow { account, after: show.after, limit: Some(show.limit) };
        let statement = self.client.account_show(asked).await?;
        desktop.out.tell(&statement, || self.statement(&statement))?;
        Ok(())
    }

    fn statement(&self, statement: &Statement) -> String {
        let account = &statement.account;
        let head = facts([
            ("account", account.number.to_string()),
            ("name", account.name.clone()),
            ("balance", self.amount(account.balance)),
            ("standing", standing(account).to_owned()),
            ("proposed", account.proposal.as_ref().map(proposed).unwrap_or_default()),
            ("public code", account.owner.map(|code| code.to_string()).unwrap_or_default()),
        ]);
        let rows = statement.entries.iter().map(|entry| {
            let kind = serde_json::to_value(entry.kind).ok();
            let kind = kind.and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default();
            let (amount, balance) = (self.amount(entry.units), self.amount(entry.balance));
            let (by, why) = (entry.by.clone(), entry.reason.clone());
            [entry.number.to_string(), when(entry.at), kind, amount, balance, by, why]
        });
        let entries = table(["ENTRY", "WHEN", "WHAT", "AMOUNT", "BALANCE", "BY", "REASON"], rows);
        let last = statement.entries.last().map_or(0, |entry| entry.number);
        let more = if statement.more { format!("\n… more: --after {last}") } else { String::new() };
        format!("{head}\n\n{entries}{more}")
    }

    fn cash(&self, asked: Move) -> Result<(Cash, String), Failure> {
        let Move { account, amount, key } = asked;
        let units = self.currency.parse(&amount)?;
        let key = key_of(key);
        Ok((Cash { account: AccountNumber(account), units, key: key.clone() }, key))
    }

    pub(super) fn booked(&self, desktop: &Desktop, booked: Booked) -> Result<(), Failure> {
        desktop.out.tell(&booked, || {
            let Booked { entry, account, balance } = booked;
            format!("Entry {entry}: account {account} now holds {}", self.amount(balance))
        })?;
        Ok(())
    }
}

fn proposed(proposal: &ProposalShown) -> String {
    let change = match proposal.change {
        Change::Suspend => "suspend",
        Change::Reinstate => "reinstate",
    };
    format!(
        "{change}, by {} on {}: {}; waits for another operator",
        proposal.by,
        when(proposal.at),
        proposal.reason
    )
}

fn standing(account: &AccountShown) -> &'static str {
    match (account.suspended, account.owner) {
        (Some(_), _) => "suspended",
        (None, Some(_)) => "active",
        (None, None) => "not claimed yet",
    }
}
