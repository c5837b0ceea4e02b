//! `receipt verify`: a shop's receipt document, checked without asking anybody (SPEC §3.9).

use super::fault::Fault;
use super::ordered::{self, line_table, line_values, refund_values};
use super::session::Session;
use super::show;
use crate::profile::Profile;
use protocol::code::{PublicCode, parse_letter};
use protocol::id::Key;
use protocol::key::bank::bank_id;
use protocol::money::{Currency, Units};
use protocol::node::host::exit::Exit;
use protocol::shop::{OrderFile, Proved, ReceiptFile};
use protocol::wire::{self, Message as _};
use serde_json::{Value, json};
use std::io::Read;
use std::path::PathBuf;

/// Check a shop's receipt document off line: who sold what, to whom, for how much, and what was given back
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Everything is checked against the master key of your bank: that of your account, or of any letter line (--bank).

Examples:
  stermina receipt verify receipt-17.stermina
  stermina receipt verify receipt-17.stermina --bank stermina:stac1…")]
pub(crate) struct VerifyWords {
    /// The file
    file: PathBuf,
    /// A letter line of the bank (stermina:stac1…; a used one does), when this machine has no account
    #[arg(long, value_name = "LINE")]
    bank: Option<String>,
}

impl VerifyWords {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Fault> {
        let (master, currency) = match &self.bank {
            Some(line) => {
                let letter =
                    parse_letter(line).map_err(|flaw| Fault::Usage(format!("the bank's line: {flaw}")))?;
                (letter.master, None)
            }
            None => {
                let profile = Profile::load(&session.paths()?).map_err(|why| {
                    Fault::Usage(format!(
                        "which bank? {why}; or say it with --bank and one of its letter lines"
                    ))
                })?;
                (profile.bank_keys().master(), Some(profile.owner().currency))
            }
        };
        let bytes = self.read()?;
        // The two kinds have other fields, so a file can be read as one of them only.
        if let Ok(file) = wire::decode::<OrderFile>(&bytes) {
            let checked = file.verify(master);
            let document = ordered::document(&checked, &file, &master);
            session.show.answer(&document, || ordered::page(&checked, currency.as_ref()))?;
            return Ok(if checked.is_ok() { Exit::Done } else { Exit::Refused });
        }
        let file: ReceiptFile = wire::decode(&bytes)
            .map_err(|flaw| Fault::Usage(format!("{}: no receipt document: {flaw}", self.file.display())))?;
        let checked = file.verify(master);
        let document = document(&checked, &file, &master);
        session.show.answer(&document, || page(&checked, currency.as_ref()))?;
        Ok(if checked.is_ok() { Exit::Done } else { Exit::Refused })
    }

    fn read(&self) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        let open = std::fs::File::open(&self.file)
            .map_err(|why| Fault::Usage(format!("{}: {why}", self.file.display())))?;
        let most = u64::try_from(ReceiptFile::MAX).unwrap_or(u64::MAX);
        open.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

type Checked = Result<Proved, protocol::shop::FileFlaw>;

fn document(checked: &Checked, file: &ReceiptFile, master: &Key) -> Value {
    let proved = match checked {
        Ok(proved) => proved,
        Err(flaw) => return json!({ "genuine": false, "why": flaw.to_string() }),
    };
    let sale = &proved.sale;
    json!({
        "genuine": true,
        "bank": bank_id(master),
        "shop": { "name": proved.shop, "code": PublicCode::of(sale.shop), "certified_as_shop": proved.is_shop },
        "till": sale.till.as_str(),
        "number": sale.number,
        "payer": PublicCode::of(sale.payer),
        "payment": sale.payment,
        "at": sale.at,
        "total": sale.total,
        "lines": line_values(&sale.lines),
        "refunds": refund_values(&proved.refunds),
        "refunded": proved.refunded,
        "document": file.sale.digest(),
    })
}

fn page(checked: &Checked, currency: Option<&Currency>) -> String {
    let proved = match checked {
        Ok(proved) => proved,
        Err(flaw) => return format!("NOT GENUINE: {flaw}."),
    };
    let money = |units: Units| match currency {
        Some(currency) => currency.show_full(units),
        None => format!("{units} (smallest unit)"),
    };
    let sale = &proved.sale;
    let kind = if proved.is_shop { "" } else { " (not certified as a shop)" };
    let facts = show::facts(&[
        ("sold by", format!("{}{kind}", proved.shop)),
        ("public code", PublicCode::of(sale.shop).to_string()),
        ("receipt", format!("no. {} of till {}", sale.number, sale.till)),
        ("paid", format!("{} on {}", money(sale.total), sale.at)),
        ("by", PublicCode::of(sale.payer).to_string()),
        ("payment", sale.payment.to_string()),
        ("given back", if proved.refunds.is_empty() { String::new() } else { money(proved.refunded) }),
    ]);
    let lines = line_table(&sale.lines, money);
    format!(
        "Genuine: the shop signed for these goods and for this payment, the payer signed the payment.\n\n{facts}\n{lines}\n         What was given back stands here as far as the shop had noted it in this file.\n"
    )
}
