//! Papers for people: letters and receipts as pages of text (N4, N5, N7). Pure functions of what they show.

use crate::bank::{Letter, LetterKind};
use crate::code::PublicCode;
use crate::money::{Currency, Units};
use crate::pay::{Order, Receipt};

/// What the papers of one bank have in common.
#[derive(Clone, Copy, Debug)]
pub struct Paper<'a> {
    /// The bank's name.
    pub bank: &'a str,
    /// What its units are called.
    pub currency: &'a Currency,
}

/// The other party of a payment, and what it was for.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The payer's certified name.
    pub payer: &'a str,
    /// The payee's certified name.
    pub payee: &'a str,
    /// What for.
    pub memo: &'a str,
}

impl Paper<'_> {
    /// A letter of the bank to `name`.
    pub fn letter(&self, letter: &Letter, name: &str) -> String {
        let money = |units: Units| self.currency.show_full(units);
        let what = match letter.kind {
            LetterKind::Opening => format!("Your account was opened with {}.", money(letter.units)),
            LetterKind::Payment => {
                format!("{} were moved from your account into your reserve.", money(letter.units))
            }
            LetterKind::Deposit => {
                format!("{} were moved from your reserve into your account.", money(letter.units))
            }
            LetterKind::Refusal => format!(
                "You asked for {}. Your account does not hold that much, so nothing was moved.\n\
                 You can ask for up to {}.",
                money(letter.units),
                money(letter.balance)
            ),
            LetterKind::Balance => "This is the balance of your account, as you asked.".to_owned(),
            LetterKind::Reclaim => format!(
                "You reclaimed units of your reserve, and nobody showed that they were passed on: {} came to your account. \
                 Whoever shows a valid chain over them later is paid by you.",
                money(letter.units)
            ),
            LetterKind::Recovery => {
                format!("Of what you claimed, {} came to your account.", money(letter.units))
            }
            LetterKind::Charge => format!(
                "A claim was judged, and {} were taken from your account: you signed for these units.",
                money(letter.units)
            ),
            LetterKind::Hold => format!(
                "{} were taken from your account. The bank keeps them for your order until you confirm it or its time is over.",
                money(letter.units)
            ),
            LetterKind::Released => {
                format!(
                    "An order was carried out: {} that the bank kept came to your account.",
                    money(letter.units)
                )
            }
            LetterKind::Returned => {
                format!(
                    "{} that the bank kept for your order came back to your account.",
                    money(letter.units)
                )
            }
            LetterKind::SweepOut => {
                format!("The takings, {}, went from your account to your company's.", money(letter.units))
            }
            LetterKind::SweepIn => {
                format!("The takings of a shop, {}, came to your account.", money(letter.units))
            }
            LetterKind::RentOut => format!("{} of rent were taken from your account.", money(letter.units)),
            LetterKind::RentIn => format!("{} of rent came to your account.", money(letter.units)),
            LetterKind::Caution => format!(
                "{} were taken from your account. The bank keeps them as your caution as long as the lease lasts.",
                money(letter.units)
            ),
            LetterKind::CautionBack => {
                format!(
                    "The lease has ended: {} of your caution came back to your account.",
                    money(letter.units)
                )
            }
            LetterKind::CautionKept => {
                format!("A lease has ended: {} of its caution came to your account.", money(letter.units))
            }
        };
        let rows = [
            ("To", name.to_owned()),
            ("Public code", PublicCode::of(letter.owner).to_string()),
            ("Date", letter.at.to_string()),
            ("Journal no.", letter.number.to_string()),
            ("Balance", money(letter.balance)),
            ("Request", letter.request.to_string()),
        ];
        page(self.bank, letter.kind.title(), &what, &rows)
    }

    /// A receipt with the order that it answers.
    pub fn receipt(&self, order: &Order, receipt: &Receipt, names: Names<'_>) -> String {
        let what =
            format!("{} paid {} {}.", names.payer, names.payee, self.currency.show_full(receipt.amount));
        let standing = match receipt.confirmed {
            true => "confirmed: the payee has been to the bank with it",
            false => "received: the payee has it, the bank has not seen it yet",
        };
        let rows = [
            ("For", names.memo.to_owned()),
            ("Payer", PublicCode::of(order.payer).to_string()),
            ("Payee", PublicCode::of(order.payee).to_string()),
            ("Date", receipt.received.to_string()),
            ("Payment", order.payment.to_string()),
            ("Order", receipt.order.to_string()),
            ("Mode", order.mode.name().to_owned()),
            ("Standing", standing.to_owned()),
        ];
        page(self.bank, "receipt", &what, &rows)
    }
}

fn page(bank: &str, title: &str, what: &str, rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    let lines: Vec<String> = rows.iter().map(|(label, text)| format!("  {label:<width$}  {text}")).collect();
    let head = format!("{bank} — {}", title.to_uppercase());
    let rule = "─".repeat(head.chars().count());
    format!("{head}\n{rule}\n\n{what}\n\n{}\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{BankId, Digest};
    use crate::time::Timestamp;

    /// N4: not enough funds is a letter with the balance that invites a valid request.
    #[test]
    fn a_refusal_letter_says_what_may_be_asked_for() {
        let letter = Letter {
            bank: BankId([1; 8]),
            number: 42,
            kind: LetterKind::Refusal,
            owner: crate::sign::Signer::from_secret(&[1; 32]).key(),
            request: Digest([3; 32]),
            units: Units::new(50_000).unwrap(),
            balance: Units::new(1_250).unwrap(),
            at: Timestamp(1_795_305_600),
        };
        let currency = Currency::new("EUR", 2).unwrap();
        let text = Paper { bank: "StarMine", currency: &currency }.letter(&letter, "Alice");
        for part in
            ["StarMine — REFUSAL LETTER", "500.00 EUR", "up to 12.50 EUR", "2026-11-22", "42", "Alice", "st1"]
        {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }
}
