//! The wallet's records as programs see them.

use super::{api, mail};
use crate::store::{RedbStore, Store};
use crate::wallet::banking::{BankOp, OpState};
use crate::wallet::doubt::{Doubt, Doubtful};
use crate::wallet::history::{Entry, Movement};
use crate::wallet::paying::{NotDone, Outgoing, PaymentOutcome, State};
use crate::wallet::receiving::RequestRecord;
use crate::wallet::reserve::Holdings;
use crate::wallet::{AccountBalance, Wallet};
use protocol::bank::{Letter, Standing};
use protocol::code::{PublicCode, request_uri};
use protocol::id::PaymentId;
use protocol::money::{Currency, Units};
use protocol::pay::AmountRule;
use protocol::print::{Names, Paper};
use protocol::sign::Signed;

pub(super) fn account(balance: AccountBalance) -> api::AccountView {
    api::AccountView { units: balance.units, at: balance.at, letter: balance.letter }
}

pub(super) fn balance(wallet: &Wallet) -> api::Balance {
    let Holdings { confirmed, unconfirmed, in_doubt, at_bank, claimed, fenced } = wallet.holdings();
    let holds = |doubt: &Doubt| !matches!(doubt.what, Doubtful::Case(_));
    let held = |doubt: &Doubt| api::Held {
        kind: super::doubt::kind(&doubt.what).to_owned(),
        id: super::doubt::id(&doubt.what),
        state: doubt.state.clone(),
        units: doubt.units,
        since: doubt.since,
        until: doubt.until,
        awaiting: super::doubt::awaiting(&doubt.awaiting),
    };
    api::Balance {
        currency: wallet.owner().currency.clone(),
        spendable: wallet.free(),
        confirmed,
        unconfirmed,
        in_doubt,
        at_bank,
        claimed,
        fenced,
        ordered: wallet.ordered(),
        account: wallet.account().map(account),
        held: wallet.doubts().iter().filter(|doubt| holds(doubt)).map(held).collect(),
    }
}

pub(super) fn named(name: &str, code: &PublicCode) -> String {
    if name.is_empty() { code.to_string() } else { name.to_owned() }
}

pub(super) fn operation(op: &BankOp, letter: Option<&Letter>, currency: &Currency) -> api::Operation {
    let note = match op.state {
        OpState::Asked => Some("the bank's answer is awaited; it is asked again by itself".to_owned()),
        OpState::Done(_) => letter.filter(|letter| letter.units != op.amount).map(|letter| {
            format!(
                "only {} of {}: the bank did not take the rest, see the history",
                currency.show(letter.units),
                currency.show_full(op.amount)
            )
        }),
        OpState::Declined(_) => Some(match letter {
            Some(letter) => format!(
                "not enough funds: the account holds {}, you asked for {}",
                currency.show_full(letter.balance),
                currency.show(op.amount)
            ),
            None => "not enough funds".to_owned(),
        }),
        OpState::Refused(code) => Some(code.text().to_owned()),
    };
    let letter = match op.state {
        OpState::Done(number) => number,
        OpState::Declined(number) => Some(number),
        OpState::Asked | OpState::Refused(_) => None,
    };
    api::Operation {
        request: op.id,
        operation: op.what.word().to_owned(),
        state: op.state.word().to_owned(),
        units: op.amount,
        since: op.created,
        letter,
        note,
    }
}

pub(super) fn payment(payment: &Outgoing, currency: &Currency) -> api::Payment {
    let outcome = match payment.state.outcome() {
        PaymentOutcome::Asking => "asking",
        PaymentOutcome::Done => "done",
        PaymentOutcome::NotDone => "not_done",
        PaymentOutcome::InDoubt => "in_doubt",
    };
    let payee = PublicCode::of(payment.payee);
    let (note, reason) = explain(payment, &named(&payment.name, &payee), currency);
    api::Payment {
        payment: payment.id,
        payee,
        name: payment.name.clone(),
        units: payment.amount,
        memo: payment.memo.clone(),
        state: payment.state.word().to_owned(),
        outcome: outcome.to_owned(),
        mode: payment.order.as_ref().map(|order| order.unverified().mode.name().to_owned()),
        created: payment.created,
        changed: payment.changed,
        back: Some(payment.back).filter(|back| !back.is_zero()),
        until: payment.until,
        note,
        reason,
        mailbox: payment.post.as_ref().map(mail::in_mailbox),
    }
}

/// What the state means to the payer, and the reason's word when nothing was paid.
fn explain(payment: &Outgoing, payee: &str, currency: &Currency) -> (String, Option<String>) {
    let plain = |text: String| (text, None);
    match &payment.state {
        State::Asking => plain(format!("asking {payee}; nothing has been signed yet")),
        State::Certifying => {
            plain("the bank is certifying the amount; it is asked again by itself".to_owned())
        }
        State::Sent => {
            plain(format!("sent; {payee}'s receipt is awaited, the payment is sent again by itself"))
        }
        State::Posted => plain(mail::posted(payment, payee)),
        State::Issued => plain(format!(
            "done: the bank has issued it to {payee}, finally; {payee} has not collected it yet, and is told by itself until then"
        )),
        State::Receipted => plain(format!("{payee} has it; final once {payee} has been to the bank")),
        State::Confirmed => plain(format!("{payee} has it, finally")),
        State::TakingBack(_) if mail::was_withdrawn(payment) => plain(format!(
            "{payee} has not collected it; the bank is giving the units back, which needs the bank and an unlocked workstation"
        )),
        State::Returned(_) if mail::was_withdrawn(payment) => (
            format!("{payee} had not collected it from his mailbox. The units are back."),
            Some("not_collected".to_owned()),
        ),
        State::TakingBack(code) => plain(format!(
            "{payee} did not take it ({}); the bank is giving the units back, which needs the bank and an unlocked workstation",
            code.text()
        )),
        State::Returned(code) => {
            (format!("{payee} did not take it: {}. The units are back.", code.text()), word(code))
        }
        State::Taken(code) => {
            plain(format!("{payee} answered «{}», but has redeemed the units: he has them", code.text()))
        }
        State::Reclaiming => plain(reclaiming(payment, payee)),
        State::Reclaimed => (
            format!(
                "nobody showed that {payee} had it: {} came to your account. {}",
                currency.show_full(payment.back),
                match payment.receipt {
                    Some(_) => "A receipt came all the same: a claim for it would be yours to pay.",
                    None => "Should it turn up later, it is yours to pay.",
                }
            ),
            Some("reclaimed".to_owned()),
        ),
        State::Passed => {
            plain(format!("{payee} has it: a chain shows that he handed it on{}", part(payment, currency)))
        }
        State::NotDone(why) => not_done(why, payee, currency),
    }
}

fn reclaiming(payment: &Outgoing, payee: &str) -> String {
    let until = match payment.until {
        Some(until) => format!("until {until} whoever has it may object"),
        None => "the bank has not answered yet; it is asked again by itself".to_owned(),
    };
    let receipt = match payment.receipt {
        Some(_) => format!("; {payee}'s receipt has come, the bank is told"),
        None => String::new(),
    };
    format!("you have asked for it back: {until}; then it comes to your account{receipt}")
}

/// The part of a payment that came back.
fn part(payment: &Outgoing, currency: &Currency) -> String {
    match payment.back.is_zero() {
        true => String::new(),
        false => format!("; {} of it came back to your account", currency.show_full(payment.back)),
    }
}

fn word(code: &protocol::wire::ErrorCode) -> Option<String> {
    Some(code.word().to_owned())
}

fn not_done(why: &NotDone, payee: &str, currency: &Currency) -> (String, Option<String>) {
    let reason = |text: &str| Some(text.to_owned());
    match why {
        NotDone::Declined(code) => {
            (format!("{payee} declined: {} Nothing was paid.", code.text()), word(code))
        }
        NotDone::Unreachable => (
            format!("{payee}'s workstation can't be reached. Nothing was paid; try again later."),
            reason("unreachable"),
        ),
        NotDone::BadRequest(flaw) => (format!("{flaw}. Nothing was paid."), reason("bad_request")),
        NotDone::Short(free) => (
            format!(
                "the reserve held only {} when {payee} had answered. Nothing was paid.",
                currency.show_full(*free)
            ),
            reason("insufficient_funds"),
        ),
        NotDone::Restored => (
            format!(
                "the workstation was lost while {payee} was being asked; as far as the vault knows, nothing was paid."
            ),
            reason("restored"),
        ),
        NotDone::Locked => (
            "the workstation was locked before anything was signed. Nothing was paid.".to_owned(),
            reason("locked"),
        ),
        NotDone::BankRefused(code) => {
            (format!("the bank did not certify it: {} Nothing was paid.", code.text()), word(code))
        }
    }
}

pub(super) fn line(entry: &Entry, store: &RedbStore) -> api::HistoryLine {
    let state = match entry.movement {
        Movement::Sent => {
            store.outgoing(&PaymentId(entry.id)).ok().flatten().map(|p| p.state.word().to_owned())
        }
        _ => None,
    };
    api::HistoryLine {
        seq: entry.seq,
        at: entry.at,
        movement: entry.movement.word().to_owned(),
        units: entry.units,
        reserve: entry.reserve,
        account: entry.account_known.then_some(entry.account),
        party: (!entry.party.is_zero()).then(|| PublicCode::of(entry.party)),
        name: entry.name.as_str().to_owned(),
        memo: entry.memo.as_str().to_owned(),
        id: PaymentId(entry.id).to_string(),
        state,
    }
}

pub(super) fn contact(contact: &crate::store::Contact) -> api::ContactView {
    let certificate = contact.certificate.unverified();
    api::ContactView {
        code: PublicCode::of(certificate.owner),
        name: certificate.name.as_str().to_owned(),
        kind: certificate.kind.name().to_owned(),
        standing: match certificate.standing {
            Standing::Active => "active",
            Standing::Suspended => "suspended",
        }
        .to_owned(),
    }
}

pub(super) fn request(record: &RequestRecord) -> api::RequestView {
    let body = record.request.unverified();
    let (units, at_most) = match body.amount {
        AmountRule::Exactly(units) => (units, false),
        AmountRule::AtMost(units) => (units, true),
    };
    api::RequestView {
        request: body.id,
        uri: request_uri(&record.request),
        units,
        at_most,
        memo: body.memo.as_str().to_owned(),
        expires: body.expires,
        paid_by: record.paid.map(|(payer, _)| PublicCode::of(payer)),
        payment: record.paid.map(|(_, id)| id),
    }
}

pub(super) fn letter(signed: &Signed<Letter>, paper: Paper<'_>, name: &str) -> api::Letter {
    let body = signed.unverified();
    api::Letter {
        number: body.number,
        kind: body.kind.word().to_owned(),
        units: body.units,
        balance: body.balance,
        at: body.at,
        signed: hex::encode(signed.to_bytes()),
        text: paper.letter(body, name),
    }
}

/// What a receipt is made of, whichever side asks.
pub(super) struct ReceiptParts<'a> {
    pub(super) order: &'a Signed<protocol::pay::Order>,
    pub(super) receipt: &'a Signed<protocol::pay::Receipt>,
    pub(super) confirmed: bool,
    pub(super) names: Names<'a>,
    pub(super) sent: bool,
}

pub(super) fn receipt(parts: &ReceiptParts<'_>, paper: Paper<'_>) -> api::Receipt {
    let (order, receipt) = (parts.order.unverified(), parts.receipt.unverified());
    let shown = protocol::pay::Receipt { confirmed: parts.confirmed, ..receipt.clone() };
    let units: Units = receipt.amount;
    api::Receipt {
        payment: order.payment,
        payer: PublicCode::of(order.payer),
        payee: PublicCode::of(order.payee),
        name: if parts.sent { parts.names.payee } else { parts.names.payer }.to_owned(),
        units,
        memo: parts.names.memo.to_owned(),
        received: receipt.received,
        confirmed: parts.confirmed,
        direction: if parts.sent { "sent" } else { "received" }.to_owned(),
        order: hex::encode(parts.order.to_bytes()),
        receipt: hex::encode(parts.receipt.to_bytes()),
        text: paper.receipt(order, &shown, parts.names),
    }
}
