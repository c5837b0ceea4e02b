//! Calls that move money, or prepare it: parse, one call to the engine, show.

use super::server::Desk;
use super::{api, code, view};
use crate::engine::{BankCall, CallFault, RequestOrder};
use crate::store::Store;
use crate::wallet::banking::{BankRefusal, CallKey};
use crate::wallet::paying::{NewPayment, PayRefusal};
use protocol::body::{self, Text};
use protocol::code::Payable;
use protocol::id::{Key, PaymentId, RequestId};
use protocol::money::{Currency, Units};
use protocol::node::chance::chance_bytes;
use protocol::node::rpc::{Caller, RpcError};
use protocol::pay::{AmountRule, MEMO_MAX, Request};
use protocol::sign::{Signed, Verified};
use protocol::time::DAY_SECONDS;
use serde::Serialize;
use std::time::Duration;

/// How long a payment waits for units that are just being renewed at the bank.
const RENEWAL_PATIENCE: Duration = Duration::from_secs(3);

impl Desk {
    /// The caller's key with the method and a digest of everything else that was asked.
    pub(super) fn call_key(
        &self,
        method: &str,
        caller: &Caller,
        key: &str,
        params: &impl Serialize,
    ) -> Result<CallKey, RpcError> {
        if key.is_empty() || key.chars().count() > 64 || key.chars().any(char::is_control) {
            return Err(code::reason_of(
                "bad_key",
                "a key has 1 to 64 characters, none of them control characters",
            ));
        }
        // What was left out does not count: a parameter that a later version adds must not make old keys new.
        let mut asked = serde_json::to_value(params).map_err(|_| RpcError::internal())?;
        if let Some(fields) = asked.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        let bytes = serde_json::to_vec(&asked).map_err(|_| RpcError::internal())?;
        // A program's keys are its own: another program may use the same ones.
        let key = format!("{}/{key}", caller.token.as_deref().unwrap_or(""));
        Ok(Some((method.to_owned(), key, body::digest("call", &bytes))))
    }

    fn memo(&self, memo: Option<&str>) -> Result<Text, RpcError> {
        Text::new(memo.unwrap_or(""), MEMO_MAX)
            .map_err(|flaw| code::reason_of("bad_text", format!("the memo: {flaw}")))
    }

    pub(super) async fn begin_payment(
        &self,
        caller: &Caller,
        asked: api::Pay,
    ) -> Result<api::Payment, RpcError> {
        let call = self.call_key("payment.pay", caller, &asked.key, &asked)?;
        let currency = &self.owner().currency;
        let payable = Payable::parse(&asked.to, currency).map_err(|flaw| code::code(&flaw))?;
        let (payee, linked, memo, request) = match payable {
            Payable::Code { code, amount, memo } => (code.owner(), amount, memo, None),
            Payable::Request(request) => {
                // A call that was answered gets its answer, however old the request is by now.
                let body = request.unverified();
                let wanted = match body.amount {
                    AmountRule::Exactly(units) => Some(units),
                    AmountRule::AtMost(_) => None,
                };
                (body.payee(), wanted, Some(body.memo.clone()), Some(*request))
            }
        };
        if let Some(earlier) = self.earlier_payment(&call).await? {
            return Ok(earlier);
        }
        let units = amount(asked.units, linked, currency)?;
        let memo = match (asked.memo, memo) {
            (Some(typed), _) => self.memo(Some(&typed))?,
            (None, Some(given)) => given,
            (None, None) => Text::default(),
        };
        let request = match request {
            Some(request) => Some(self.check_request(request).await?),
            None => None,
        };
        let new = NewPayment {
            id: PaymentId(chance_bytes()),
            payee,
            name: self.name_of(&payee),
            amount: units,
            memo,
            certified: asked.certified.unwrap_or(false),
            request,
            token: caller.token.clone(),
            answered: call,
        };
        let id = match self.spend_patiently(|| self.engine().pay(new.clone())).await {
            Ok(id) => id,
            Err(fault) => return Err(self.with_what_is_at_the_bank(code::call(fault, currency)).await),
        };
        self.payment(&id)
    }

    /// A reserve that seems short may have units at the bank that come back: said with the refusal.
    async fn with_what_is_at_the_bank(&self, mut error: RpcError) -> RpcError {
        let at_bank = self.engine().look(|wallet, _| wallet.holdings().at_bank).await.unwrap_or_default();
        if error.reason == "insufficient_funds" && !at_bank.is_zero() {
            let more = self.owner().currency.show_full(at_bank);
            error.message =
                format!("{}; {more} more are at the bank and come back when it answers", error.message);
            return error.detail("at_bank", at_bank.get());
        }
        error
    }

    /// The answer that this key got before, so that nothing about the call needs to hold any more.
    async fn earlier_payment(&self, call: &CallKey) -> Result<Option<api::Payment>, RpcError> {
        let Some((method, key, params)) = call else { return Ok(None) };
        let found = self.store().answered(method, key).map_err(|fault| code::store(&fault))?;
        match found {
            Some(answered) if answered.params == *params => match answered.started {
                crate::wallet::change::Started::Payment(id) => self.payment(&id).map(Some),
                _ => Ok(None),
            },
            Some(answered) => Err(code::call(CallFault::KeyReused(answered.params), &self.owner().currency)),
            None => Ok(None),
        }
    }

    /// Spends; if units are just being renewed at the bank, waits a moment for them.
    async fn spend_patiently<T, F>(&self, spend: impl Fn() -> F) -> Result<T, CallFault>
    where
        F: Future<Output = Result<T, CallFault>>,
    {
        let mut events = self.shared().newest_event.subscribe();
        let until = tokio::time::sleep(RENEWAL_PATIENCE);
        tokio::pin!(until);
        loop {
            let short = match spend().await {
                Err(
                    short @ (CallFault::Pay(PayRefusal::Short { .. })
                    | CallFault::Bank(BankRefusal::Short { .. })),
                ) => short,
                other => return other,
            };
            let renewing = self.engine().look(|wallet, _| wallet.holdings().at_bank).await?;
            if renewing.is_zero() {
                return Err(short);
            }
            tokio::select! {
                () = &mut until => return Err(short),
                changed = events.changed() => if changed.is_err() { return Err(short) },
            }
        }
    }

    /// A request at hand, with the signatures it must have; the payee's papers may have to be fetched first.
    async fn check_request(&self, request: Signed<Request>) -> Result<Verified<Request>, RpcError> {
        let body = request.unverified().clone();
        let party = self.contacts().party(&body.payee(), Some(&body)).await;
        let party = party.map_err(|fault| code::reason_of("not_found", format!("the payee: {fault}")))?;
        let shared = self.shared();
        request.verify_request(shared.keys().bank(), &party.identity.node, shared.now()).map_err(|flaw| {
            let reason = match flaw {
                protocol::pay::RequestFlaw::Expired(_) => "expired",
                _ => "bad_code",
            };
            code::reason_of(reason, flaw.to_string())
        })
    }

    fn name_of(&self, owner: &Key) -> String {
        let contact = self.store().contact(owner).ok().flatten();
        contact.map(|c| c.certificate.unverified().name.as_str().to_owned()).unwrap_or_default()
    }

    pub(super) async fn ask_bank(
        &self,
        method: &str,
        caller: &Caller,
        asked: api::Move,
        call: impl FnOnce(Units) -> BankCall,
    ) -> Result<api::Operation, RpcError> {
        let key = self.call_key(method, caller, &asked.key, &asked)?;
        let call = call(asked.units);
        let started = self.spend_patiently(|| self.engine().bank(call, key.clone())).await;
        let id: RequestId = started.map_err(|fault| code::call(fault, &self.owner().currency))?;
        self.operation(&id)
    }

    pub(super) async fn begin_reclaim(
        &self,
        caller: &Caller,
        asked: api::Reclaim,
    ) -> Result<api::Payment, RpcError> {
        let key = self.call_key("payment.reclaim", caller, &asked.key, &asked)?;
        let begun = self.engine().reclaim(asked.payment, key).await;
        let id = begun.map_err(|fault| code::call(fault, &self.owner().currency))?;
        self.payment(&id)
    }

    pub(super) async fn make_request(
        &self,
        caller: &Caller,
        asked: api::NewRequest,
    ) -> Result<api::RequestView, RpcError> {
        let key = self.call_key("request.create", caller, &asked.key, &asked)?;
        if asked.units.is_zero() {
            return Err(code::reason_of("bad_amount", "a request asks for one unit or more"));
        }
        let seconds = asked.seconds.unwrap_or(DAY_SECONDS);
        if seconds == 0 || seconds > 30 * DAY_SECONDS {
            return Err(RpcError::invalid_params("seconds: a request runs one second to 30 days"));
        }
        let amount = match asked.at_most.unwrap_or(false) {
            true => AmountRule::AtMost(asked.units),
            false => AmountRule::Exactly(asked.units),
        };
        let order = RequestOrder {
            amount,
            memo: self.memo(asked.memo.as_deref())?,
            expires: self.shared().now().plus_seconds(seconds),
            address: self.own_address().await,
        };
        let made = self.engine().make_request(order, key).await;
        let id = made.map_err(|fault| code::call(fault, &self.owner().currency))?;
        self.request(&id)
    }
}

impl Desk {
    pub(super) fn request(&self, id: &RequestId) -> Result<api::RequestView, RpcError> {
        let found = self.store().request(id).map_err(|fault| code::store(&fault))?;
        let record = found.ok_or_else(|| code::reason_of("not_found", "no such request was made here"))?;
        Ok(view::request(&record))
    }
}

/// What was typed, or what the link says; when both say something they must agree.
fn amount(typed: Option<Units>, linked: Option<Units>, currency: &Currency) -> Result<Units, RpcError> {
    match (typed, linked) {
        (Some(typed), Some(linked)) if typed != linked => Err(code::reason_of(
            "other_amount",
            format!(
                "the link or request asks for {}, {} was given",
                currency.show_full(linked),
                currency.show(typed)
            ),
        )),
        (Some(units), _) | (None, Some(units)) => Ok(units),
        (None, None) => {
            Err(code::reason_of("bad_amount", "say how much: neither the call nor the link does"))
        }
    }
}
