//! `bank-node shop|hold|sweep|statement …`

use super::account::{Counter, counter, key_of};
use super::cases::{Page, more};
use super::show::{facts, table, when};
use super::{Desktop, Failure};
use crate::ledger::AccountNumber;
use crate::ledger::tenure::Every;
use crate::rpc::{
    Booked, ByNumber, HoldConfirmation, HoldDecision, HoldShown, ShopEndLease, ShopHandOver, ShopLease,
    ShopOwn, ShopShow, ShopShown, StatementAsked, SweepListAsked, SweepShow,
};
use clap::{Args, Subcommand};
use protocol::node::host::exit::Exit;
use protocol::node::rpc::CallError;
use protocol::time::Day;

/// Whose a shop is.
#[derive(Debug, Subcommand)]
pub(super) enum Shop {
    /// A company runs the shop itself: its takings go there.
    #[command(after_help = "Example: bank-node shop own 1002 1003")]
    Own {
        /// The shop's account.
        shop: u64,
        /// The company's account.
        company: u64,
        /// Your key for this call: the same key orders once; chosen at random if absent.
        #[arg(long)]
        key: Option<String>,
    },
    /// A company leases the shop out: the bank takes the caution, and rent by the calendar.
    #[command(after_help = "\
Example, rent of 250 on the same day of each month, first in 30 days:
  bank-node shop lease 1002 1003 --caution 500 --rent 250 --every month --in-days 30")]
    Lease(Lease),
    /// The lease ends: the company keeps what you say of the caution, the rest pays what rent is owed.
    EndLease {
        /// The shop's account.
        shop: u64,
        /// What the company keeps.
        #[arg(long, default_value = "0")]
        kept: String,
        /// Your key for this call.
        #[arg(long)]
        key: Option<String>,
    },
    /// Closes the shop's account for good and opens another one, for the same company; prints its letter.
    HandOver {
        /// The account that is closed; nothing may be left to settle.
        shop: u64,
        /// The public name of the new one.
        name: String,
        /// Your key for this call.
        #[arg(long)]
        key: Option<String>,
        /// Print the letter as a line only.
        #[arg(long)]
        no_qr: bool,
    },
    /// Show a shop: its company, its lease, what it owes.
    Show {
        /// The shop's account.
        shop: u64,
    },
    /// List shops by account.
    List(Page),
    /// List shops that owe rent.
    Arrears,
}

/// The terms of a lease.
#[derive(Debug, Args)]
pub(super) struct Lease {
    /// The shop's account.
    shop: u64,
    /// The company's account.
    company: u64,
    /// What the bank keeps as caution.
    #[arg(long)]
    caution: String,
    /// Rent of a period.
    #[arg(long)]
    rent: String,
    /// How long a period is: month, or a number of days.
    #[arg(long, value_parser = period)]
    every: Every,
    /// The first rent is due so many days from the bank's day on.
    #[arg(long, default_value_t = 0)]
    in_days: u32,
    /// Your key for this call.
    #[arg(long)]
    key: Option<String>,
}

fn period(text: &str) -> Result<Every, String> {
    match text {
        "month" => Ok(Every::Month),
        days => match days.parse() {
            Ok(days) if days > 0 => Ok(Every::Days(days)),
            _ => Err("write month, or a number of days".to_owned()),
        },
    }
}

/// Money that is kept for orders.
#[derive(Debug, Subcommand)]
pub(super) enum Hold {
    /// List them by number.
    List(Page),
    /// Show one.
    Show {
        /// Its number.
        number: u64,
    },
    /// Propose how a disputed one is split; nothing moves before another operator confirms it.
    #[command(after_help = "\
Example, two operators with tokens of their own:
  STERMINA_TOKEN=op-… bank-node hold propose 7 --to-buyer 12.50 --reason 'half was stale'
  STERMINA_TOKEN=op-… bank-node hold confirm 7 --to-buyer 12.50")]
    Propose {
        /// Its number.
        number: u64,
        /// How much goes back to the buyer; the rest goes to the shop.
        #[arg(long)]
        to_buyer: String,
        /// Why, for the journal.
        #[arg(long)]
        reason: String,
        /// Your key for this call.
        #[arg(long)]
        key: Option<String>,
    },
    /// Confirm what another operator proposed.
    Confirm {
        /// Its number.
        number: u64,
        /// What was proposed.
        #[arg(long)]
        to_buyer: String,
        /// Your key for this call.
        #[arg(long)]
        key: Option<String>,
    },
}

/// Takings that went to companies.
#[derive(Debug, Subcommand)]
pub(super) enum Sweep {
    /// List a shop's sweeps by number.
    List {
        /// The shop's account.
        shop: u64,
        #[command(flatten)]
        page: Page,
    },
    /// Show a sweep and its list of sales.
    Show {
        /// The shop's account.
        shop: u64,
        /// The sweep's number.
        number: u64,
    },
}

/// What moved money on an account.
#[derive(Debug, Args)]
pub(super) struct Statement {
    /// The account's number.
    account: u64,
    /// Only what is older than this journal entry.
    #[arg(long)]
    before: Option<u64>,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

pub(super) async fn shop(desktop: &Desktop, words: Shop) -> Result<Exit, Failure> {
    let counter = counter(desktop).await?;
    let client = &counter.client;
    match words {
        Shop::Own { shop, company, key } => {
            let key = key_of(key);
            let (shop, company) = (AccountNumber(shop), AccountNumber(company));
            let done = client.shop_own(ShopOwn { shop, company, key: key.clone() }).await;
            counter.ordered(desktop, done, &key)?;
        }
        Shop::Lease(lease) => {
            let today = client.status(protocol::node::rpc::Empty {}).await?.today;
            let (key, asked) = counter.lease(lease, today)?;
            counter.ordered(desktop, client.shop_lease(asked).await, &key)?;
        }
        Shop::EndLease { shop, kept, key } => {
            let (key, kept) = (key_of(key), counter.units(&kept)?);
            let asked = ShopEndLease { shop: AccountNumber(shop), kept, key: key.clone() };
            counter.ordered(desktop, client.shop_end_lease(asked).await, &key)?;
        }
        Shop::HandOver { shop, name, key, no_qr } => {
            let key = key_of(key);
            let asked = ShopHandOver { shop: AccountNumber(shop), name, key: key.clone() };
            let made = client.shop_hand_over(asked).await;
            let made = made.map_err(|error| Failure::from(error).with_key(&key))?;
            counter.letter_made(desktop, &made, no_qr)?;
        }
        Shop::Show { shop } => {
            let shown = client.shop_show(ShopShow { shop: AccountNumber(shop) }).await?;
            desktop.out.tell(&shown, || counter.shop(&shown))?;
        }
        Shop::List(page) => {
            let list = client.shop_list(page.asked()).await?;
            let last = list.shops.last().map_or(0, |shop| shop.shop.0);
            desktop.out.tell(&list, || more(counter.shops(&list.shops), list.more, last))?;
        }
        Shop::Arrears => {
            let list = client.shop_arrears(protocol::node::rpc::Empty {}).await?;
            desktop.out.tell(&list, || counter.shops(&list.shops))?;
        }
    }
    Ok(Exit::Done)
}

pub(super) async fn hold(desktop: &Desktop, words: Hold) -> Result<Exit, Failure> {
    let counter = counter(desktop).await?;
    let client = &counter.client;
    match words {
        Hold::List(page) => {
            let list = client.hold_list(page.asked()).await?;
            let last = list.holds.last().map_or(0, |hold| hold.number);
            desktop.out.tell(&list, || {
                let rows = list.holds.iter().map(|hold| counter.hold_row(hold));
                let head = ["HOLD", "BUYER", "SHOP", "AMOUNT", "LEFT", "RULE", "UNTIL", "STATE"];
                more(table(head, rows), list.more, last)
            })?;
        }
        Hold::Show { number } => {
            let shown = client.hold_show(ByNumber { number }).await?;
            desktop.out.tell(&shown, || counter.hold(&shown))?;
        }
        Hold::Propose { number, to_buyer, reason, key } => {
            let to_buyer = counter.units(&to_buyer)?;
            let booked = client.hold_propose(HoldDecision { hold: number, to_buyer, reason, key }).await?;
            let entry = booked.entry;
            desktop.out.tell(&booked, || {
                format!("Entry {entry}: proposed for hold {number}. Another operator has to confirm it.")
            })?;
        }
        Hold::Confirm { number, to_buyer, key } => {
            let to_buyer = counter.units(&to_buyer)?;
            let booked = client.hold_confirm(HoldConfirmation { hold: number, to_buyer, key }).await?;
            let back = counter.amount(to_buyer);
            let entry = booked.entry;
            desktop.out.tell(&booked, || {
                format!(
                    "Entry {entry}: {back} of hold {number} went back to the buyer, the rest to the shop."
                )
            })?;
        }
    }
    Ok(Exit::Done)
}

pub(super) async fn sweep(desktop: &Desktop, words: Sweep) -> Result<Exit, Failure> {
    let counter = counter(desktop).await?;
    match words {
        Sweep::List { shop, page } => {
            let page = page.asked();
            let asked = SweepListAsked { shop: AccountNumber(shop), after: page.after, limit: page.limit };
            let list = counter.client.sweep_list(asked).await?;
            let last = list.sweeps.last().map_or(0, |sweep| sweep.number);
            desktop.out.tell(&list, || {
                let rows = list.sweeps.iter().map(|sweep| {
                    let (number, company) = (sweep.number.to_string(), sweep.company.to_string());
                    let (amount, sales) = (counter.amount(sweep.units), sweep.sales.to_string());
                    [number, sweep.day.clone(), company, amount, sales, sweep.entry.to_string()]
                });
                more(table(["SWEEP", "DAY", "COMPANY", "AMOUNT", "SALES", "ENTRY"], rows), list.more, last)
            })?;
        }
        Sweep::Show { shop, number } => {
            let asked = SweepShow { shop: AccountNumber(shop), number };
            let shown = counter.client.sweep_show(asked).await?;
            desktop.out.tell(&shown, || {
                let rows = shown.sales.iter().map(|sale| {
                    let (at, amount) = (when(sale.at), counter.amount(sale.units));
                    [sale.number.to_string(), at, amount, sale.kind.clone(), sale.till.clone()]
                });
                let sum = counter.amount(shown.sweep.units);
                let lines = table(["SALE", "WHEN", "AMOUNT", "KIND", "TILL"], rows);
                format!("{lines}\n\n{sum} to account {}", shown.sweep.company)
            })?;
        }
    }
    Ok(Exit::Done)
}

pub(super) async fn statement(desktop: &Desktop, words: &Statement) -> Result<Exit, Failure> {
    let counter = counter(desktop).await?;
    let Statement { account, before, limit } = *words;
    let asked = StatementAsked { account: AccountNumber(account), before, limit: Some(limit) };
    let page = counter.client.account_statement(asked).await?;
    desktop.out.tell(&page, || {
        let rows = page.lines.iter().map(|line| {
            let kind = format!("{:?}", line.kind);
            let (incoming, outgoing) = (counter.amount(line.incoming), counter.amount(line.outgoing));
            let (other, about) = (line.other.clone(), line.about.clone());
            let balance = counter.amount(line.balance);
            [line.entry.to_string(), when(line.at), kind, incoming, outgoing, balance, other, about]
        });
        let lines = table(["ENTRY", "WHEN", "WHAT", "IN", "OUT", "BALANCE", "WITH", "ABOUT"], rows);
        match page.next {
            Some(next) => format!("{lines}\n… more: --before {next}"),
            None => lines,
        }
    })?;
    Ok(Exit::Done)
}

fn every_text(every: Every) -> String {
    match every {
        Every::Month => "month".to_owned(),
        Every::Days(days) => format!("{days} days"),
    }
}

impl Counter {
    fn ordered(&self, desktop: &Desktop, done: Result<Booked, CallError>, key: &str) -> Result<(), Failure> {
        self.booked(desktop, done.map_err(|error| Failure::from(error).with_key(key))?)
    }

    fn lease(&self, lease: Lease, today: Day) -> Result<(String, ShopLease), Failure> {
        let Lease { shop, company, caution, rent, every, in_days, key } = lease;
        let key = key_of(key);
        let asked = ShopLease {
            shop: AccountNumber(shop),
            company: AccountNumber(company),
            caution: self.units(&caution)?,
            rent: self.units(&rent)?,
            every,
            first_due: today.plus_days(in_days),
            key: key.clone(),
        };
        Ok((key, asked))
    }

    fn shops(&self, shops: &[ShopShown]) -> String {
        let rows = shops.iter().map(|shop| {
            let kind = match (&shop.after, &shop.lease) {
                (Some(after), _) => format!("handed over to {after}"),
                (None, Some(_)) => "leased".to_owned(),
                (None, None) => "owned".to_owned(),
            };
            let (number, company) = (shop.shop.to_string(), shop.company.to_string());
            [number, company, kind, self.amount(shop.owed), shop.sweeps.to_string()]
        });
        table(["SHOP", "COMPANY", "STATE", "OWES", "SWEEPS"], rows)
    }

    fn shop(&self, shop: &ShopShown) -> String {
        let lease = shop.lease.as_ref().map(|lease| {
            facts([
                ("caution", self.amount(lease.caution)),
                ("rent", format!("{} every {}", self.amount(lease.rent), every_text(lease.every))),
                ("came due", format!("{} times", lease.periods)),
                ("next", lease.next_due.to_string()),
            ])
        });
        let arrears = shop.arrears.iter();
        let rows = arrears.map(|a| [a.period.to_string(), a.due.to_string(), self.amount(a.units)]);
        let head = facts([
            ("shop", shop.shop.to_string()),
            ("company", shop.company.to_string()),
            ("since", when(shop.since)),
            ("sweeps", shop.sweeps.to_string()),
            ("came from", shop.before.map(|before| before.to_string()).unwrap_or_default()),
            ("went to", shop.after.map(|after| after.to_string()).unwrap_or_default()),
            ("owes", self.amount(shop.owed)),
        ]);
        let owed = match shop.arrears.is_empty() {
            true => String::new(),
            false => format!("\n\n{}", table(["PERIOD", "DUE", "OWED"], rows)),
        };
        format!("{head}\n\n{}{owed}", lease.unwrap_or_else(|| "not leased".to_owned()))
    }

    fn hold_row(&self, hold: &HoldShown) -> [String; 8] {
        [
            hold.number.to_string(),
            hold.buyer.to_string(),
            hold.shop.to_string(),
            self.amount(hold.units),
            self.amount(hold.left),
            hold.rule.clone(),
            when(hold.until),
            hold.state.clone(),
        ]
    }

    fn hold(&self, hold: &HoldShown) -> String {
        let proposed = hold.proposed.map(|units| {
            let by = hold.proposed_by.clone().unwrap_or_default();
            format!("{} back to the buyer, by {by}; waits for another operator", self.amount(units))
        });
        let disputed = hold.disputed_by.as_ref().map(|by| {
            let why = hold.reason.clone().unwrap_or_default();
            format!("by the {by}: {why}")
        });
        facts([
            ("hold", hold.number.to_string()),
            ("buyer", hold.buyer.to_string()),
            ("shop", hold.shop.to_string()),
            ("amount", self.amount(hold.units)),
            ("kept", self.amount(hold.left)),
            ("to the shop", self.amount(hold.released)),
            ("back to the buyer", self.amount(hold.returned)),
            ("released by", hold.rule.clone()),
            ("wrong codes", hold.wrong.to_string()),
            ("ends by itself", when(hold.until)),
            ("state", hold.state.clone()),
            ("disputed", disputed.unwrap_or_default()),
            ("proposed", proposed.unwrap_or_default()),
            ("order", hold.order.to_string()),
        ])
    }
}
