//! What is in doubt, claims, and asking a payment back.

use super::KeyWords;
use super::fault::Fault;
use super::session::Session;
use super::show;
use crate::rpc::api::{ByClaim, ByPayment, CaseView, ClaimView, DoubtView, Doubts, Payment, Reclaim};
use protocol::id::{PaymentId, RequestId};
use protocol::money::{Currency, Units};
use protocol::node::host::exit::Exit;
use protocol::node::rpc::Empty;

/// Ask for a payment back that nobody answers
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --sign nothing happens: it says what you would sign, and what follows from it.

  1  You sign: «the units of this payment back to my account; a valid chain over them that shows up later is mine
     to pay». Your name stands under it.
  2  For about seven days (the bank says the date) whoever has the units may object by showing the chain that leads
     to him. Workstations do that by themselves, also locked ones. Then the payment is done: he has the money.
  3  If nobody objects, the units come to your account, with a letter of the bank. The payment is not done.
  4  If the payee turns up after that with a valid chain, the bank pays him and takes it from your account. That is
     no offence: it is what you signed.")]
pub(crate) struct ReclaimWords {
    /// The payment's id
    payment: PaymentId,
    /// Sign it
    #[arg(long)]
    sign: bool,
    #[command(flatten)]
    key: KeyWords,
}

impl ReclaimWords {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let client = session.client().await?;
        let currency = session.status(&client).await?.currency;
        if !self.sign {
            let payment = client.payment_show(ByPayment { payment: self.payment }).await?;
            session.show.answer(&payment, || explained(&payment, &currency))?;
            return Ok(Exit::Refused);
        }
        let key = session.key(self.key.key.as_deref());
        let payment = client.payment_reclaim(Reclaim { payment: self.payment, key: key.clone() }).await?;
        session.show.answer(&super::with_key(&payment, &key), || asked_back(&payment, &currency))?;
        Ok(super::pay::end(&payment))
    }
}

fn explained(payment: &Payment, currency: &Currency) -> String {
    let (amount, name) = (currency.show_full(payment.units), who(&payment.name, &payment.payee.to_string()));
    format!(
        "Nothing has been signed. This asks for {amount} back that you paid to {name} ({}):\n\
         - you sign that a valid chain over these units that shows up later is yours to pay;\n\
         - for about seven days whoever has the units may object, then they come to your account;\n\
         - until then the money is neither yours nor his, and nothing can be called back.\n\
         To sign it: stermina pay reclaim {} --sign\n",
        payment.state, payment.payment
    )
}

fn asked_back(payment: &Payment, currency: &Currency) -> String {
    let amount = currency.show_full(payment.units);
    format!(
        "Asked back: {amount}.\n{}\nLook again: stermina payment show {}\n",
        capital(&payment.note),
        payment.payment
    )
}

/// `doubt`.
pub(crate) async fn doubt(session: &Session) -> Result<Exit, Fault> {
    let doubts = session.client().await?.doubt_list(Empty {}).await?;
    session.show.answer(&doubts, || doubt_page(&doubts))?;
    Ok(Exit::Done)
}

fn doubt_page(doubts: &Doubts) -> String {
    let money = |units: Units| doubts.currency.show_full(units);
    let mut page = show::facts(&[
        ("to spend, confirmed", money(doubts.confirmed)),
        ("to spend, unconfirmed", money(doubts.unconfirmed)),
        ("in doubt", money(doubts.in_doubt)),
        ("at the bank", money(doubts.at_bank)),
        ("claimed", money(doubts.claimed)),
        ("held for orders", money(doubts.ordered)),
    ]);
    if doubts.items.is_empty() {
        return page + "\nNothing is in doubt: every payment is done or not done.\n";
    }
    for item in &doubts.items {
        page += &item_page(item, &doubts.currency);
    }
    page
}

fn item_page(item: &DoubtView, currency: &Currency) -> String {
    let until = item.until.map(|until| format!(", until {until}")).unwrap_or_default();
    format!(
        "\n{} {} · {} · awaiting {} since {}{until}\n  {}\n  You can: {}\n",
        capital(&item.kind),
        item.id,
        currency.show_full(item.units),
        item.awaiting,
        item.since,
        capital(&item.meaning),
        item.can_do
    )
}

/// Units that were lost because somebody before you signed them twice, and what others claim
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ClaimWords {
    /// Your claims, and cases in which you have a part
    List,
    /// A claim
    Show {
        /// Its id
        claim: RequestId,
    },
}

impl ClaimWords {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let client = session.client().await?;
        let currency = session.status(&client).await?.currency;
        if let ClaimWords::Show { claim } = self {
            let claim = client.claim_show(ByClaim { claim }).await?;
            session.show.answer(&claim, || claim_page(&claim, &currency))?;
            return Ok(Exit::Done);
        }
        let all = client.claim_list(Empty {}).await?;
        session.show.answer(&all, || {
            let mut page = match all.claims.is_empty() {
                true => "No claims: nobody has paid you with units that were spent before.\n".to_owned(),
                false => claims_table(&all.claims, &currency),
            };
            if !all.cases.is_empty() {
                page += &format!("\n{}", cases_table(&all.cases, &currency));
            }
            page
        })?;
        Ok(Exit::Done)
    }
}

fn claims_table(claims: &[ClaimView], currency: &Currency) -> String {
    let row = |claim: &ClaimView| {
        [
            who(&claim.name, &claim.payer.to_string()),
            currency.show(claim.units),
            currency.show(claim.paid),
            claim.state.clone(),
            claim.until.map(|until| until.to_string()).unwrap_or_default(),
            claim.since.to_string(),
            claim.claim.to_string(),
        ]
    };
    let header = ["payer", "lost", "recovered", "state", "until", "since", "claim"];
    show::table(header, &[1, 2], claims.iter().map(row).collect())
}

fn cases_table(cases: &[CaseView], currency: &Currency) -> String {
    let row = |case: &CaseView| {
        [
            case.case.to_string(),
            case.part.clone(),
            currency.show(case.units),
            case.state.clone(),
            case.until.map(|until| until.to_string()).unwrap_or_default(),
            case.note.clone(),
        ]
    };
    show::table(
        ["case", "your part", "amount", "state", "until", "what it means"],
        &[0, 2],
        cases.iter().map(row).collect(),
    )
}

fn claim_page(claim: &ClaimView, currency: &Currency) -> String {
    let cases: Vec<String> = claim.cases.iter().map(u64::to_string).collect();
    let facts = show::facts(&[
        ("lost", currency.show_full(claim.units)),
        ("recovered", currency.show_full(claim.paid)),
        ("paid by", who(&claim.name, &claim.payer.to_string())),
        ("his payment", claim.payment.to_string()),
        ("state", claim.state.clone()),
        ("since", claim.since.to_string()),
        ("until", claim.until.map(|until| until.to_string()).unwrap_or_default()),
        ("the bank's cases", cases.join(", ")),
    ]);
    format!("{}.\n{facts}", capital(claim.note.trim_end_matches('.')))
}

fn who(name: &str, code: &str) -> String {
    if name.is_empty() { code.to_owned() } else { name.to_owned() }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::time::Timestamp;

    fn doubts(items: Vec<DoubtView>) -> Doubts {
        Doubts {
            currency: Currency::new("EUR", 2).unwrap(),
            confirmed: Units::new(1_000).unwrap(),
            unconfirmed: Units::ZERO,
            in_doubt: Units::new(1_250).unwrap(),
            at_bank: Units::ZERO,
            claimed: Units::ZERO,
            ordered: Units::ZERO,
            fenced: Units::ZERO,
            account: None,
            items,
        }
    }

    #[test]
    fn what_is_in_doubt_says_whom_it_waits_for_until_when_and_what_can_be_done() {
        let item = DoubtView {
            kind: "payment".into(),
            id: "0707".into(),
            state: "reclaiming".into(),
            units: Units::new(1_250).unwrap(),
            awaiting: "the bank".into(),
            since: Timestamp(0),
            until: Some(Timestamp(86_400)),
            meaning: "you have asked for it back".into(),
            can_do: "wait".into(),
        };
        let page = doubt_page(&doubts(vec![item]));
        let words = [
            "12.50 EUR",
            "awaiting the bank since 1970-01-01",
            "until 1970-01-02",
            "You can: wait",
            "10.00 EUR",
        ];
        for word in words {
            assert!(page.contains(word), "{word}: {page}");
        }
        assert!(doubt_page(&doubts(Vec::new())).contains("Nothing is in doubt"));
    }
}
