//! Paying: a payment out, what became of it, its receipt.

use super::fault::{self, Fault};
use super::session::{Session, amount_if};
use super::show;
use super::till::{Chosen, TillWords};
use super::{KeyWords, WaitWords};
use crate::rpc::api::{ByPayment, Pay, Payment, TillSale, WaitPayment, WorkstationClient};
use protocol::id::PaymentId;
use protocol::money::Currency;
use protocol::node::host::exit::Exit;
use protocol::node::rpc::Empty;

/// Pay a public code, a stermina: link, a request, or what waits at a till
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
The payment goes from workstation to workstation and needs no bank. If its outcome is not known when the command
ends (exit code 5), it goes on by itself, and the command that is shown, with its key, pays no second time. What a
code led to is asked again by its request, never by the code: a script with a --key of its own does so, too.

Examples:
  stermina pay st1q… 120 --memo rent
  stermina pay stermina:strq1…              # a request says how much
  stermina pay st1q… 900 --certified        # final at once, by way of the bank
  stermina pay --till 'Mess*' --code 483920 # what waits at the till of a shop near by that shows this
  stermina pay reclaim 0f3a…                # nobody answers: what asking it back means"
)]
pub(crate) struct PayWords {
    /// Whom: a public code, a stermina: link or a request
    #[arg(required_unless_present = "code")]
    to: Option<String>,
    /// How much, in the bank's currency (12 or 12.50); a request or link may say it
    #[arg(allow_negative_numbers = true)]
    amount: Option<String>,
    /// What for, at most 140 bytes; the payee reads it
    #[arg(long, value_name = "TEXT")]
    memo: Option<String>,
    /// Have the bank certify it, so that it is final at once
    #[arg(long)]
    certified: bool,
    #[command(flatten)]
    till: TillWords,
    #[command(flatten)]
    key: KeyWords,
    #[command(flatten)]
    wait: WaitWords,
    #[command(subcommand)]
    command: Option<PayCommand>,
}

/// What else can be done about a payment of one's own.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum PayCommand {
    Reclaim(super::claim::ReclaimWords),
}

impl PayWords {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        if let Some(PayCommand::Reclaim(words)) = self.command {
            return words.run(session).await;
        }
        let client = session.client().await?;
        let currency = session.status(&client).await?.currency;
        let typed = amount_if(&currency, self.amount.as_ref())?;
        let given = self.key.key.as_deref();
        let (to, units, key) = match (self.till.chosen(session, &client, &currency).await?, &self.to) {
            (Chosen::Sale(sale), _) => {
                let words = self.words_for(&sale, &currency);
                (sale.uri, Some(sale.units), session.key_for(given, words))
            }
            (Chosen::Refused, _) => return Ok(Exit::Refused),
            (Chosen::NoTill, Some(to)) => (to.clone(), typed, session.key(given)),
            (Chosen::NoTill, None) => return Err(Fault::Usage("whom to pay is missing".to_owned())),
        };
        let certified = self.certified.then_some(true);
        let asked = Pay { to, units, memo: self.memo, certified, key: key.clone() };
        let payment = client.pay(asked).await?;
        let payment = until_posted(&client, payment, &self.wait).await?;
        session.show.answer(&super::with_key(&payment, &key), || payment_page(&payment, &currency))?;
        Ok(end(&payment))
    }
}

impl PayWords {
    /// The words that pay what a code led to: the code itself leads elsewhere later, or nowhere.
    fn words_for(&self, sale: &TillSale, currency: &Currency) -> Vec<String> {
        let mut words = vec!["pay".to_owned(), sale.uri.clone(), currency.show(sale.units)];
        words.extend(self.memo.iter().map(|memo| format!("--memo={memo}")));
        words.extend(self.certified.then(|| "--certified".to_owned()));
        words.extend(self.wait.words());
        words
    }
}

async fn settle(client: &WorkstationClient, first: Payment, wait: &WaitWords) -> Result<Payment, Fault> {
    let id = first.payment;
    let mut payment = first;
    for seconds in wait.slices() {
        if is_over(&payment) {
            break;
        }
        payment = client.payment_wait(WaitPayment { payment: id, seconds }).await?;
    }
    Ok(payment)
}

/// Whether there is nothing more to wait for: money that the bank has issued may still be on its way to the payee.
fn is_over(payment: &Payment) -> bool {
    matches!(payment.outcome.as_str(), "done" | "not_done") && payment.state != "issued"
}

/// As [`settle`], but nobody waits at the till for a payee who is off.
async fn until_posted(
    client: &WorkstationClient,
    first: Payment,
    wait: &WaitWords,
) -> Result<Payment, Fault> {
    let id = first.payment;
    let mut payment = first;
    for seconds in wait.slices() {
        let posted = payment.mailbox.as_ref().is_some_and(|mailbox| mailbox.since.is_some());
        if is_over(&payment) || posted {
            break;
        }
        // In short turns: a change that is no outcome ends none.
        payment = client.payment_wait(WaitPayment { payment: id, seconds: seconds.min(1) }).await?;
    }
    Ok(payment)
}

/// A payment ends as its outcome says, and why.
pub(super) fn end(payment: &Payment) -> Exit {
    match payment.outcome.as_str() {
        "done" => Exit::Done,
        "not_done" => payment.reason.as_deref().and_then(fault::of_reason).unwrap_or(Exit::Refused),
        _ => Exit::InDoubt,
    }
}

fn payment_page(payment: &Payment, currency: &Currency) -> String {
    let payee = if payment.name.is_empty() { payment.payee.to_string() } else { payment.name.clone() };
    let amount = currency.show_full(payment.units);
    let first = match payment.outcome.as_str() {
        "done" if payment.state == "issued" => format!("Paid: {amount} to {payee}, not collected yet."),
        "done" => format!("Paid: {amount} to {payee}."),
        "not_done" => format!("Not paid: {amount} to {payee}."),
        _ if payment.state == "posted" => format!("In the mailbox: {amount} for {payee}."),
        _ => format!("On its way: {amount} to {payee}."),
    };
    let facts = show::facts(&[
        ("what it means", payment.note.clone()),
        ("memo", payment.memo.clone()),
        ("state", payment.state.clone()),
        ("mode", payment.mode.clone().unwrap_or_default()),
        ("payee", payment.payee.to_string()),
        ("payment", payment.payment.to_string()),
        ("began", payment.created.to_string()),
        ("may be objected to", payment.until.map(|until| format!("until {until}")).unwrap_or_default()),
    ]);
    let next = match payment.outcome.as_str() {
        "done" if payment.state == "issued" => format!(
            "The bank has made it the payee's; to see whether he has it: stermina payment wait {}\n",
            payment.payment
        ),
        "done" => format!("The payee's receipt: stermina receipt show {}\n", payment.payment),
        "not_done" => String::new(),
        _ if payment.state == "posted" => format!(
            "To take it back while nobody has collected it: stermina payment cancel {}\n",
            payment.payment
        ),
        _ => format!(
            "It goes on by itself; look again: stermina payment wait {}\nWhat is not decided yet, and what you can do: stermina doubt\n",
            payment.payment
        ),
    };
    format!("{first}\n{facts}{next}")
}

/// Payments that went out
#[derive(Debug, clap::Subcommand)]
pub(crate) enum PaymentWords {
    /// Where a payment stands
    Show {
        /// Its id
        payment: PaymentId,
    },
    /// Wait until a payment has an outcome
    Wait {
        /// Its id
        payment: PaymentId,
        #[command(flatten)]
        wait: WaitWords,
    },
    /// Take a payment out of the payee's mailbox, if he has not collected it
    Cancel {
        /// Its id
        payment: PaymentId,
        #[command(flatten)]
        wait: WaitWords,
    },
    /// Payments whose outcome is awaited
    List,
}

impl PaymentWords {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let client = session.client().await?;
        let currency = session.status(&client).await?.currency;
        let payment = match self {
            PaymentWords::Show { payment } => client.payment_show(ByPayment { payment }).await?,
            PaymentWords::Wait { payment, wait } => {
                let first = client.payment_show(ByPayment { payment }).await?;
                settle(&client, first, &wait).await?
            }
            PaymentWords::Cancel { payment, wait } => {
                let first = client.payment_cancel(ByPayment { payment }).await?;
                settle(&client, first, &wait).await?
            }
            PaymentWords::List => return list(session, &client, &currency).await,
        };
        session.show.answer(&payment, || payment_page(&payment, &currency))?;
        Ok(end(&payment))
    }
}

async fn list(session: &Session, client: &WorkstationClient, currency: &Currency) -> Result<Exit, Fault> {
    let open = client.payment_open(Empty {}).await?;
    session.show.answer(&open, || {
        if open.payments.is_empty() {
            return "Every payment has its outcome.".to_owned();
        }
        let row = |payment: &Payment| {
            let amount = currency.show(payment.units);
            let (since, id) = (payment.created.to_string(), payment.payment.to_string());
            [payment.name.clone(), amount, payment.state.clone(), payment.memo.clone(), since, id]
        };
        let header = ["payee", "amount", "state", "memo", "since", "payment"];
        show::table(header, &[1], open.payments.iter().map(row).collect())
    })?;
    Ok(Exit::Done)
}

/// The payee's signed word that he has the money
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ReceiptWords {
    /// The receipt for a payment that went out or came in
    Show {
        /// The payment's id, as in the history
        payment: PaymentId,
    },
    Verify(super::verify::VerifyWords),
}

impl ReceiptWords {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let payment = match self {
            ReceiptWords::Show { payment } => payment,
            ReceiptWords::Verify(words) => return words.run(session),
        };
        let receipt = session.client().await?.receipt_show(ByPayment { payment }).await?;
        session.show.answer(&receipt, || receipt.text.clone())?;
        Ok(Exit::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::code::PublicCode;
    use protocol::money::Units;
    use protocol::sign::Signer;
    use protocol::time::Timestamp;

    fn payment(outcome: &str, reason: Option<&str>) -> Payment {
        Payment {
            payment: PaymentId([7; 16]),
            payee: PublicCode::of(Signer::from_secret(&[1; 32]).key()),
            name: "Bob".into(),
            units: Units::new(1250).unwrap(),
            memo: "rent".into(),
            state: "sent".into(),
            outcome: outcome.into(),
            mode: None,
            created: Timestamp(0),
            changed: Timestamp(0),
            back: None,
            until: None,
            note: "A sentence.".into(),
            reason: reason.map(str::to_owned),
            mailbox: None,
        }
    }

    #[test]
    fn a_payment_ends_as_its_outcome_says() {
        let eur = Currency::new("EUR", 2).unwrap();
        for (outcome, reason, number, words) in [
            ("done", None, 0, "Paid: 12.50 EUR to Bob."),
            ("in_doubt", None, 5, "payment wait 0707"),
            ("asking", None, 5, "On its way"),
            ("not_done", Some("insufficient_funds"), 4, "Not paid"),
            ("not_done", Some("unreachable"), 1, "Not paid"),
            ("not_done", Some("not_found"), 3, "Not paid"),
            ("not_done", None, 4, "Not paid"),
        ] {
            let payment = payment(outcome, reason);
            assert_eq!(end(&payment).code(), number, "{outcome} {reason:?}");
            let page = payment_page(&payment, &eur);
            assert!(page.contains(words) && page.contains("rent"), "{page}");
        }
    }
}
