//! The reserve and the account: balance, withdraw, deposit.

use super::fault::Fault;
use super::session::{Session, amount};
use super::show;
use super::{KeyWords, WaitWords};
use crate::rpc::api::{Balance, ByRequest, Move, Operation, WaitRequest, WorkstationClient};
use protocol::money::Currency;
use protocol::node::host::exit::Exit;
use protocol::node::rpc::Empty;

/// `balance`.
pub(crate) async fn balance(session: &Session) -> Result<Exit, Fault> {
    let balance = session.client().await?.balance(Empty {}).await?;
    session.show.answer(&balance, || balance_page(&balance))?;
    Ok(Exit::Done)
}

fn balance_page(balance: &Balance) -> String {
    let money = |units| balance.currency.show_full(units);
    let if_any = |units: protocol::money::Units, words: &str| match units.is_zero() {
        true => String::new(),
        false => format!("{} {words}", money(units)),
    };
    let account = match &balance.account {
        Some(account) => format!("{} (as of {})", money(account.units), account.at),
        None => "not known yet: stermina statement".to_owned(),
    };
    let mut page = show::facts(&[
        ("reserve", format!("{} to spend", money(balance.spendable))),
        ("  confirmed", if_any(balance.confirmed, "seen by the bank")),
        ("  unconfirmed", if_any(balance.unconfirmed, "the payers' word until the bank has seen it")),
        ("in doubt", if_any(balance.in_doubt, "promised to payments whose outcome is awaited")),
        ("at the bank", if_any(balance.at_bank, "in requests whose answer is awaited")),
        ("claimed", if_any(balance.claimed, "lost to somebody who signed twice: stermina claim list")),
        ("fenced", if_any(balance.fenced, "of the lost machine: comes to the account, see stermina doubt")),
        ("ordered", if_any(balance.ordered, "held by the bank for orders: stermina shop orders")),
        ("account", account),
    ]);
    if !balance.held.is_empty() {
        let row = |held: &crate::rpc::api::Held| {
            let amount = balance.currency.show(held.units);
            [
                held.kind.clone(),
                amount,
                held.state.clone(),
                held.awaiting.clone(),
                held.since.to_string(),
                held.until.map(|until| until.to_string()).unwrap_or_default(),
                held.id.clone(),
            ]
        };
        let header = ["held by", "amount", "state", "awaiting", "since", "until", "id"];
        page += &format!("\n{}", show::table(header, &[1], balance.held.iter().map(row).collect()));
    }
    page
}

/// What `withdraw` and `deposit` take.
#[derive(Debug, clap::Args)]
pub(crate) struct MoveWords {
    /// How much, in the bank's currency (12 or 12.50)
    #[arg(allow_negative_numbers = true)]
    amount: String,
    #[command(flatten)]
    key: KeyWords,
    #[command(flatten)]
    wait: WaitWords,
}

/// Which way the money goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// From the account into the reserve.
    Withdraw,
    /// From the reserve into the account.
    Deposit,
}

impl MoveWords {
    pub(crate) async fn run(self, way: Way, session: &Session) -> Result<Exit, Fault> {
        let client = session.client().await?;
        let currency = session.status(&client).await?.currency;
        let units = amount(&currency, &self.amount)?;
        let key = session.key(self.key.key.as_deref());
        let asked = Move { units, key: key.clone() };
        let operation = match way {
            Way::Withdraw => client.withdraw(asked).await?,
            Way::Deposit => client.deposit(asked).await?,
        };
        let operation = settle(&client, operation, &self.wait).await?;
        session.show.answer(&super::with_key(&operation, &key), || operation_page(&operation, &currency))?;
        Ok(end(&operation))
    }
}

async fn settle(client: &WorkstationClient, first: Operation, wait: &WaitWords) -> Result<Operation, Fault> {
    let request = first.request;
    let mut operation = first;
    for seconds in wait.slices() {
        if operation.state != "asked" {
            break;
        }
        operation = client.bank_wait(WaitRequest { request, seconds }).await?;
    }
    Ok(operation)
}

/// A request to the bank ends as its state says.
fn end(operation: &Operation) -> Exit {
    match operation.state.as_str() {
        "done" => Exit::Done,
        "declined" | "refused" => Exit::Refused,
        _ => Exit::InDoubt,
    }
}

fn operation_page(operation: &Operation, currency: &Currency) -> String {
    let amount = currency.show_full(operation.units);
    let what = &operation.operation;
    let first = match operation.state.as_str() {
        "done" => format!("Done: {what} of {amount}."),
        "declined" | "refused" => format!("Not done: {what} of {amount}."),
        _ => format!("Asked: {what} of {amount}."),
    };
    let letter = operation.letter.map(|number| format!("The bank's letter: stermina letter show {number}"));
    let open = operation.state == "asked";
    let next = open
        .then(|| format!("It goes on by itself; look again: stermina operation show {}", operation.request));
    let lines = [Some(first), operation.note.clone(), letter, next];
    lines.into_iter().flatten().map(|line| line + "\n").collect()
}

/// A request to the bank: withdraw, deposit and what happens by itself
#[derive(Debug, clap::Subcommand)]
pub(crate) enum OperationWords {
    /// Where it stands
    Show {
        /// Its id
        request: protocol::id::RequestId,
    },
    /// Wait until it has an answer
    Wait {
        /// Its id
        request: protocol::id::RequestId,
        #[command(flatten)]
        wait: WaitWords,
    },
}

impl OperationWords {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let client = session.client().await?;
        let currency = session.status(&client).await?.currency;
        let (OperationWords::Show { request } | OperationWords::Wait { request, .. }) = &self;
        let mut operation = client.bank_show(ByRequest { request: *request }).await?;
        if let OperationWords::Wait { wait, .. } = &self {
            operation = settle(&client, operation, wait).await?;
        }
        session.show.answer(&operation, || operation_page(&operation, &currency))?;
        Ok(end(&operation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::id::RequestId;
    use protocol::money::Units;
    use protocol::time::Timestamp;

    #[test]
    fn a_request_to_the_bank_ends_as_its_state_says() {
        let eur = Currency::new("EUR", 2).unwrap();
        for (state, number, words) in [
            ("done", 0, "Done: withdraw of 12.50 EUR.\n"),
            ("declined", 4, "the account holds 3.00 EUR\nThe bank's letter: stermina letter show 9\n"),
            ("refused", 4, "Not done: withdraw"),
            ("asked", 5, "stermina operation show 0707"),
        ] {
            let operation = Operation {
                request: RequestId([7; 16]),
                operation: "withdraw".into(),
                state: state.into(),
                units: Units::new(1250).unwrap(),
                since: Timestamp(0),
                letter: (state == "declined").then_some(9),
                note: (state == "declined").then(|| "the account holds 3.00 EUR".to_owned()),
            };
            assert_eq!(end(&operation).code(), number, "{state}");
            let page = operation_page(&operation, &eur);
            assert!(page.contains(words), "{page}");
        }
    }
}
