//! What the wallet's events and lines are about, looked up in both stores: for the rules in [`crate::shop::hearing`].

use crate::shop::back::{Given, Lost};
use crate::shop::hearing::{Arrival, Cursor, HeardEvent, HeardLine, Moved, Outcome, PaidFor, What};
use crate::shop::refund::{Meant, back_of, meant_by};
use crate::shop::sale::Sale;
use crate::store::ShopStore;
use daemon::store::{Page, Store, StoreFault};
use daemon::wallet::change::{Event, Happening};
use daemon::wallet::history::{Entry, Movement};
use daemon::wallet::paying::{Outgoing, PaymentOutcome};
use daemon::wallet::receiving::Incoming;
use protocol::id::{Key, PaymentId, RequestId};
use protocol::pay::Mode;

fn count(from: u64, to: u64) -> usize {
    usize::try_from(to.saturating_sub(from)).unwrap_or(0)
}

/// The events between two places.
pub fn events(
    wallet: &impl Store,
    store: &ShopStore,
    from: Cursor,
    to: Cursor,
) -> Result<Vec<HeardEvent>, StoreFault> {
    let found = wallet.events(from.event, count(from.event, to.event))?;
    found.into_iter().map(|event| heard(wallet, store, event)).collect()
}

fn heard(wallet: &impl Store, store: &ShopStore, event: Event) -> Result<HeardEvent, StoreFault> {
    let what = match event.what {
        Happening::Received { payment, payer, units, request } => {
            let Some(incoming) = wallet.incoming(&payer, &payment)? else {
                return Err(StoreFault::Unreadable("incoming"));
            };
            let sale = store.sale_of_request(&request)?;
            let lost = match (&sale, store.back()?) {
                (None, Some(_)) => lost(wallet, request)?,
                _ => None,
            };
            What::Received(Arrival { units, lost, ..arrival(&incoming, sale) })
        }
        Happening::Confirmed { payment, payer, .. } => What::Confirmed(paid_for(store, &payer, &payment)?),
        Happening::Payment { payment, .. } => outgoing(wallet, store, &payment)?,
        _ => What::Other,
    };
    Ok(HeardEvent { seq: event.seq, what })
}

/// What a request of the shop says about its sale, when the book was put back and does not know it.
fn lost(wallet: &impl Store, request: RequestId) -> Result<Option<Lost>, StoreFault> {
    let Some(record) = wallet.request(&request)? else { return Ok(None) };
    let memo = &record.request.unverified().memo;
    let till = memo.as_str().rsplit_once(", till ").map(|(_, till)| till.to_owned());
    Ok(till.map(|till| Lost { till, request }))
}

fn paid_for(store: &ShopStore, payer: &Key, payment: &PaymentId) -> Result<PaidFor, StoreFault> {
    let (sale, back) = (store.sale_of_payment(payer, payment)?, store.refund(&back_of(payer, payment))?);
    Ok(PaidFor { payer: *payer, payment: *payment, sale, back })
}

/// Money that came in, as a rule is told of it.
pub fn arrival(incoming: &Incoming, sale: Option<Sale>) -> Arrival {
    Arrival {
        payer: incoming.payer,
        name: incoming.name.clone(),
        payment: incoming.payment,
        units: incoming.amount,
        at: incoming.at,
        request: incoming.order.unverified().request,
        order: incoming.order.digest(),
        receipt: incoming.receipt.digest(),
        certified: incoming.order.unverified().mode == Mode::Certified,
        sale,
        lost: None,
    }
}

/// Where a payment stands, as a rule is told of it.
pub fn outcome(payment: &Outgoing) -> Outcome {
    match payment.state.outcome() {
        PaymentOutcome::Done => {
            Outcome::Done(payment.order.as_ref().map(|order| order.digest()).unwrap_or_default())
        }
        PaymentOutcome::NotDone => Outcome::NotDone,
        PaymentOutcome::Asking | PaymentOutcome::InDoubt => Outcome::Open,
    }
}

fn outgoing(wallet: &impl Store, store: &ShopStore, id: &PaymentId) -> Result<What, StoreFault> {
    // A payment of an earlier attempt has had its outcome.
    let refund = store.refund_of_payment(id)?.filter(|refund| refund.payment == *id);
    let payment = wallet.outgoing(id)?;
    let (Some(refund), Some(payment)) = (refund, payment.as_ref()) else { return given(store, id, payment) };
    let sale = store.sale(&refund.sale)?;
    Ok(What::Outgoing(refund, sale, outcome(payment)))
}

/// A payment of ours of which no book knows: made by the shop, perhaps, before its book was put back.
fn given(store: &ShopStore, id: &PaymentId, payment: Option<Outgoing>) -> Result<What, StoreFault> {
    if store.refund_of_payment(id)?.is_some() || store.back()?.is_none() {
        return Ok(What::Other);
    }
    let Some(payment) = payment else { return Ok(What::Given(None)) };
    let (meant, outcome) = (meant_by(&payment.memo), outcome(&payment));
    let sale = match meant {
        Meant::Refund(number) => store.sale_of_number(number)?,
        Meant::SentBack => None,
        Meant::Other => return Ok(What::Other),
    };
    let Outgoing { payee, name, amount: units, memo, created: at, token, .. } = payment;
    Ok(What::Given(Some(Box::new(Given {
        payment: *id,
        meant,
        sale,
        to: payee,
        name,
        units,
        memo,
        at,
        token,
        outcome,
    }))))
}

/// The lines of the history between two places.
pub fn lines(
    wallet: &impl Store,
    store: &ShopStore,
    from: Cursor,
    to: Cursor,
) -> Result<Vec<HeardLine>, StoreFault> {
    let limit = count(from.line, to.line);
    if limit == 0 {
        return Ok(Vec::new());
    }
    let mut found = wallet.history(Page { before: Some(to.line + 1), limit })?;
    found.reverse();
    found.into_iter().map(|entry| line(wallet, store, &entry)).collect()
}

fn is_told(wallet: &impl Store, payer: &Key, payment: &PaymentId) -> Result<bool, StoreFault> {
    let Some(incoming) = wallet.incoming(payer, payment)? else { return Ok(true) };
    Ok(wallet.request(&incoming.request)?.is_none_or(|record| record.paid.is_some()))
}

fn line(wallet: &impl Store, store: &ShopStore, entry: &Entry) -> Result<HeardLine, StoreFault> {
    let refund = || store.refund_of_payment(&PaymentId(entry.id));
    let moved = match entry.movement {
        Movement::Withdrawal => Moved::Withdrawn,
        Movement::Deposit => Moved::Deposited,
        Movement::Sent => match refund()? {
            Some(refund) => Moved::Sent(Some(refund)),
            None => Moved::Paid(PaymentId(entry.id)),
        },
        Movement::Returned => Moved::Returned(refund()?),
        Movement::Lost => Moved::Lost(paid_for(store, &entry.party, &PaymentId(entry.id))?),
        Movement::Passed => Moved::Passed,
        Movement::Reclaimed => Moved::Reclaimed(refund()?),
        // Told by its event, which says by whom its request is paid from now on; or by none.
        Movement::Received => match is_told(wallet, &entry.party, &PaymentId(entry.id))? {
            true => Moved::Elsewhere,
            false => Moved::ShownAgain(entry.party, PaymentId(entry.id)),
        },
        // Between the bank and the account.
        Movement::Recovered | Movement::Charged | Movement::Held | Movement::HeldBack => Moved::Elsewhere,
    };
    Ok(HeardLine { seq: entry.seq, moved, units: entry.units })
}
