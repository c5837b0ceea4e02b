//! `bank-node suspend|reinstate|operator|guarantee|claim|reclaim|journal …`

use super::account::{Counter, counter, key_of};
use super::show::{facts, table, when};
use super::{Desktop, Failure};
use crate::ledger::AccountNumber;
use crate::ledger::posting::EntryKind;
use crate::rpc::{
    ByNumber, CaseShown, Change, Confirmation, Decision, DirectoryList, EntryShown, GuaranteeCash, LineShown,
    ListAfter, OperatorName, ReclaimShown,
};
use clap::{Args, Subcommand};
use protocol::node::host::exit::Exit;
use protocol::node::rpc::Empty;
use protocol::time::Timestamp;

/// Two operators decide: one proposes, another one confirms.
#[derive(Debug, Subcommand)]
pub(super) enum Standing {
    /// Propose it; nothing changes before another operator confirms it.
    #[command(after_help = "\
Each operator calls with his own token in STERMINA_TOKEN (on the command line others see it); bank-node operator add NAME
makes one.
Example:
  STERMINA_TOKEN=op-… bank-node suspend propose 1001 --reason 'case 7: paid the same note twice'
  STERMINA_TOKEN=op-… bank-node suspend confirm 1001")]
    Propose {
        /// The account's number.
        account: u64,
        /// Why, for the journal.
        #[arg(long)]
        reason: String,
        /// Your key for this call.
        #[arg(long)]
        key: Option<String>,
    },
    /// Confirm what another operator proposed.
    Confirm {
        /// The account's number.
        account: u64,
        /// Your key for this call.
        #[arg(long)]
        key: Option<String>,
    },
}

/// People with tokens of their own.
#[derive(Debug, Subcommand)]
pub(super) enum Operators {
    /// Make a token for an operator; its secret is shown once.
    Add {
        /// His name, as the journal shows it; given once.
        name: String,
    },
    /// End an operator's token at once.
    End {
        /// His name.
        name: String,
    },
    /// List operators.
    List,
}

/// Money out of which claims are paid that nobody else pays.
#[derive(Debug, Subcommand)]
pub(super) enum GuaranteeWords {
    /// Book cash that was paid into it.
    PayIn {
        /// How much, with decimals as the currency has them.
        amount: String,
        /// Your key for this call: the same key books once; chosen at random if absent.
        #[arg(long)]
        key: Option<String>,
    },
    /// Show what is in it, and what it has paid.
    Show,
}

/// Lists and single ones.
#[derive(Debug, Subcommand)]
pub(super) enum Look {
    /// List them by number.
    List(Page),
    /// Show one.
    Show {
        /// Its number.
        number: u64,
    },
}

#[derive(Debug, Args)]
pub(super) struct Page {
    /// Only those with higher numbers.
    #[arg(long, default_value_t = 0)]
    after: u64,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

impl Page {
    pub(super) fn asked(&self) -> ListAfter {
        ListAfter { after: self.after, limit: Some(self.limit) }
    }
}

pub(super) async fn standing(desktop: &Desktop, change: Change, words: Standing) -> Result<Exit, Failure> {
    let counter = counter(desktop).await?;
    match words {
        Standing::Propose { account, reason, key } => {
            let asked = Decision { account: AccountNumber(account), change, reason, key };
            let booked = counter.client.standing_propose(asked).await?;
            let entry = booked.entry;
            desktop.out.tell(&booked, || {
                format!("Entry {entry}: proposed for account {account}. Another operator has to confirm it.")
            })?;
        }
        Standing::Confirm { account, key } => {
            let asked = Confirmation { account: AccountNumber(account), change, key };
            let booked = counter.client.standing_confirm(asked).await?;
            let (entry, done) = (
                booked.entry,
                match change {
                    Change::Suspend => "suspended",
                    Change::Reinstate => "in good standing",
                },
            );
            desktop
                .out
                .tell(&booked, || format!("Entry {entry}: account {account} is {done} from now on."))?;
        }
    }
    Ok(Exit::Done)
}

pub(super) async fn operators(desktop: &Desktop, words: Operators) -> Result<Exit, Failure> {
    let client = counter(desktop).await?.client;
    match words {
        Operators::Add { name } => {
            let made = client.operator_add(OperatorName { name }).await?;
            desktop.out.tell(&made, || {
                let shown = facts([("operator", made.name.clone()), ("token", made.secret.clone())]);
                format!(
                    "{shown}\n\nThe token is shown only now: hand it to {}, and to nobody else.",
                    made.name
                )
            })?;
        }
        Operators::End { name } => {
            let ended = client.operator_end(OperatorName { name }).await?;
            desktop.out.tell(&ended, || format!("The token of {} is of no use any more.", ended.name))?;
        }
        Operators::List => {
            let list = client.operator_list(Empty {}).await?;
            desktop.out.tell(&list, || {
                let rows = list.operators.iter().map(|operator| {
                    let ended = operator.ended.map(when).unwrap_or_default();
                    [operator.name.clone(), when(operator.since), ended]
                });
                table(["OPERATOR", "SINCE", "ENDED"], rows)
            })?;
        }
    }
    Ok(Exit::Done)
}

pub(super) async fn guarantee(desktop: &Desktop, words: GuaranteeWords) -> Result<Exit, Failure> {
    let counter = counter(desktop).await?;
    match words {
        GuaranteeWords::PayIn { amount, key } => {
            let (units, key) = (counter.units(&amount)?, key_of(key));
            let booked = counter.client.guarantee_pay_in(GuaranteeCash { units, key: key.clone() }).await;
            let booked = booked.map_err(|error| Failure::from(error).with_key(&key))?;
            let (entry, balance) = (booked.entry, counter.amount(booked.balance));
            desktop.out.tell(&booked, || format!("Entry {entry}: the guarantee now holds {balance}"))?;
        }
        GuaranteeWords::Show => {
            let shown = counter.client.guarantee_show(Empty {}).await?;
            desktop.out.tell(&shown, || {
                facts([
                    ("guarantee", counter.amount(shown.balance)),
                    ("at most for one offender", counter.amount(shown.cap)),
                    ("paid and not recovered", counter.amount(shown.given)),
                ])
            })?;
        }
    }
    Ok(Exit::Done)
}

pub(super) async fn claims(desktop: &Desktop, look: Look) -> Result<Exit, Failure> {
    let counter = counter(desktop).await?;
    match look {
        Look::List(page) => {
            let list = counter.client.claim_list(page.asked()).await?;
            desktop.out.tell(&list, || {
                let rows = list.cases.iter().map(|case| counter.case_row(case));
                let last = list.cases.last().map_or(0, |case| case.number);
                more(
                    table(["CASE", "FILED", "CLAIMANT", "AMOUNT", "STATE", "PAID", "OWED"], rows),
                    list.more,
                    last,
                )
            })?;
        }
        Look::Show { number } => {
            let case = counter.client.claim_show(ByNumber { number }).await?;
            desktop.out.tell(&case, || counter.case(&case))?;
        }
    }
    Ok(Exit::Done)
}

pub(super) fn more(text: String, more: bool, last: u64) -> String {
    if more { format!("{text}\n… more: --after {last}") } else { text }
}

fn numbers(accounts: &[AccountNumber]) -> String {
    accounts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn state(case: &CaseShown) -> String {
    let until = case.until.map(when).unwrap_or_default();
    match (case.asked, case.liable) {
        (Some(asked), _) => format!("{asked} is asked until {until}"),
        (None, Some(liable)) => format!("{liable} has to pay"),
        (None, None) => format!("dismissed ({})", case.reason.clone().unwrap_or_default()),
    }
}

impl Counter {
    fn case_row(&self, case: &CaseShown) -> [String; 7] {
        [
            case.number.to_string(),
            when(case.opened),
            case.claimant.to_string(),
            self.amount(case.units),
            state(case),
            self.amount(case.paid),
            self.amount(case.owed),
        ]
    }

    fn case(&self, case: &CaseShown) -> String {
        facts([
            ("case", case.number.to_string()),
            ("filed", when(case.opened)),
            ("claimant", case.claimant.to_string()),
            ("units", format!("[{}, {}) of root {}", case.start, case.end, case.root)),
            ("amount", self.amount(case.units)),
            ("state", state(case)),
            ("named by orders", numbers(&case.named)),
            ("two payments of the same units", if case.offence { "yes" } else { "no" }.to_owned()),
            ("paid to the claimant", self.amount(case.paid)),
            ("of it by the guarantee", self.amount(case.guaranteed)),
            ("of it by the payee of who is liable", self.amount(case.borne)),
            ("still owed", self.amount(case.owed)),
        ])
    }
}

pub(super) async fn reclaims(desktop: &Desktop, look: Look) -> Result<Exit, Failure> {
    let client = counter(desktop).await?.client;
    match look {
        Look::List(page) => {
            let list = client.reclaim_list(page.asked()).await?;
            desktop.out.tell(&list, || {
                let rows = list.reclaims.iter().map(|reclaim| {
                    let state = if reclaim.closed { "closed" } else { "open" };
                    let (filed, closes) = (when(reclaim.filed), when(reclaim.closes));
                    let (number, account) = (reclaim.number.to_string(), reclaim.account.to_string());
                    [number, account, reclaim.kind.clone(), filed, closes, state.to_owned()]
                });
                let last = list.reclaims.last().map_or(0, |reclaim| reclaim.number);
                more(table(["RECLAIM", "ACCOUNT", "KIND", "FILED", "CLOSES", "STATE"], rows), list.more, last)
            })?;
        }
        Look::Show { number } => {
            let shown = client.reclaim_show(ByNumber { number }).await?;
            desktop.out.tell(&shown, || reclaim(&shown))?;
        }
    }
    Ok(Exit::Done)
}

fn reclaim(reclaim: &ReclaimShown) -> String {
    let head = facts([
        ("reclaim", reclaim.number.to_string()),
        ("account", reclaim.account.to_string()),
        ("kind", reclaim.kind.clone()),
        ("filed", when(reclaim.filed)),
        (if reclaim.closed { "closed" } else { "closes" }, when(reclaim.closes)),
    ]);
    let rows = reclaim.pieces.iter().map(|piece| {
        [piece.root.to_string(), piece.start.to_string(), piece.end.to_string(), piece.fate.clone()]
    });
    format!("{head}\n\n{}", table(["ROOT", "FROM", "TO", "FATE"], rows))
}

pub(super) async fn journal(desktop: &Desktop, page: &Page) -> Result<Exit, Failure> {
    let counter = counter(desktop).await?;
    let list = counter.client.journal_list(page.asked()).await?;
    desktop.out.tell(&list, || {
        let rows = list.entries.iter().map(|entry| counter.line(entry));
        let last = list.entries.last().map_or(0, |entry| entry.number);
        more(table(["ENTRY", "WHEN", "WHAT", "ACCOUNT", "AMOUNT", "BY", "REASON"], rows), list.more, last)
    })?;
    Ok(Exit::Done)
}

pub(super) async fn directory(desktop: &Desktop, page: &Page) -> Result<Exit, Failure> {
    let counter = counter(desktop).await?;
    let asked = DirectoryList { after: page.after, limit: Some(page.limit) };
    let list = counter.client.directory_list(asked).await?;
    desktop.out.tell(&list, || {
        let last = list.lines.last().map_or(0, |line| directory_row(line).0);
        let rows = list.lines.iter().map(|line| directory_row(line).1);
        more(table(["LINE", "WHOSE", "WHAT", "UNTIL"], rows), last < list.sequence, last)
    })?;
    Ok(Exit::Done)
}

fn directory_row(line: &LineShown) -> (u64, [String; 4]) {
    let (number, owner, what, expires) = match line {
        LineShown::Certificate { number, owner, name, kind, suspended, expires } => {
            let standing = if *suspended { ", suspended" } else { "" };
            (*number, owner, format!("certificate: {name}, {kind}{standing}"), *expires)
        }
        LineShown::Identity { number, owner, generation, sequence, expires } => {
            (*number, owner, format!("workstation: generation {generation}, record {sequence}"), *expires)
        }
    };
    (number, [number.to_string(), owner.to_string(), what, when(expires)])
}

fn word(kind: EntryKind) -> String {
    let word = serde_json::to_value(kind).ok();
    word.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

impl Counter {
    fn line(&self, entry: &EntryShown) -> [String; 7] {
        let at: Timestamp = entry.at;
        let account = entry.account.map(|account| account.to_string()).unwrap_or_default();
        let (amount, by) = (self.amount(entry.units), entry.by.clone());
        [entry.number.to_string(), when(at), word(entry.kind), account, amount, by, entry.reason.clone()]
    }
}
