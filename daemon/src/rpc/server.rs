//! The server's side of the contract: a line per method.

use super::api::{self, Workstation};
use super::gate::TokenGate;
use super::view::ReceiptParts;
use super::{code, told, view};
use crate::engine::contact::Contacts;
use crate::engine::link::BankLink;
use crate::engine::waiting::Name;
use crate::engine::{BankCall, Engine, Input, Shared};
use crate::store::{Page, RedbStore, Store, StoreFault};
use crate::wallet::banking::OpState;
use crate::wallet::history::{self, Movement};
use crate::wallet::paying::State;
use crate::wallet::policy::Policy;
use crate::wallet::{Owner, Wallet};
use protocol::body::Text;
use protocol::code::PublicCode;
use protocol::id::{PaymentId, RequestId};
use protocol::money::Currency;
use protocol::node::net::Net;
use protocol::node::rpc::{Caller, Empty, Retry, RpcError};
use protocol::print::{Names, Paper};
use protocol::time::Timestamp;
use protocol::wire::{BankAnswer, BankAsk};
use std::sync::Arc;
use std::time::Duration;

/// Longest wait of a `wait` call.
const WAIT_MAX: u64 = 60;
/// Lines that a filtered page looks at before it gives back what it has.
const SCAN_MAX: usize = 20_000;
/// How long the reserve stays open when the caller does not say.
const UNLOCK_SECONDS: u64 = 900;
/// The longest it may be asked to stay open: a day.
const UNLOCK_MAX: u64 = 86_400;

/// Everything that calls are answered from.
pub struct Desk {
    engine: Engine,
    contacts: Arc<Contacts>,
    link: Arc<BankLink>,
    net: Net,
    gate: Arc<TokenGate>,
    owner: Owner,
    bank_name: String,
    unlock_seconds: u64,
}

/// What a desk is made of.
pub struct DeskParts {
    /// The engine.
    pub engine: Engine,
    /// Whom we know.
    pub contacts: Arc<Contacts>,
    /// The line to the bank.
    pub link: Arc<BankLink>,
    /// The network.
    pub net: Net,
    /// The tokens.
    pub gate: Arc<TokenGate>,
    /// Whose wallet it is.
    pub owner: Owner,
    /// The bank's name.
    pub bank_name: String,
    /// How long the reserve stays open when the caller does not say; 15 minutes when this does not either.
    pub unlock_seconds: Option<u64>,
}

fn fault(fault: StoreFault) -> RpcError {
    code::store(&fault)
}

fn not_found(what: &str) -> RpcError {
    code::reason_of("not_found", format!("no such {what} is on record here"))
}

impl Desk {
    /// A desk of these parts.
    pub fn new(parts: DeskParts) -> Desk {
        let DeskParts { engine, contacts, link, net, gate, owner, bank_name, unlock_seconds } = parts;
        let unlock_seconds = unlock_seconds.unwrap_or(UNLOCK_SECONDS);
        Desk { engine, contacts, link, net, gate, owner, bank_name, unlock_seconds }
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn contacts(&self) -> &Contacts {
        &self.contacts
    }

    pub(super) fn link(&self) -> &BankLink {
        &self.link
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.engine.shared
    }

    pub(super) fn store(&self) -> &RedbStore {
        &self.engine.shared.store
    }

    pub(super) fn owner(&self) -> &Owner {
        &self.owner
    }

    pub(super) fn gate(&self) -> &TokenGate {
        &self.gate
    }

    pub(super) fn net(&self) -> &Net {
        &self.net
    }

    fn currency(&self) -> &Currency {
        &self.owner.currency
    }

    fn paper(&self) -> Paper<'_> {
        Paper { bank: &self.bank_name, currency: self.currency() }
    }

    pub(super) fn call(&self, fault: crate::engine::CallFault) -> RpcError {
        code::call(fault, self.currency())
    }

    /// Where a payer may find this workstation if the network does not tell him.
    pub(super) async fn own_address(&self) -> Text {
        let addresses = self.net.external().await;
        let first =
            addresses.iter().find_map(|a| Text::new(&a.to_string(), protocol::bank::ADDRESS_MAX).ok());
        first.unwrap_or_default()
    }

    pub(super) fn payment(&self, id: &PaymentId) -> Result<api::Payment, RpcError> {
        let found = self.store().outgoing(id).map_err(fault)?.ok_or_else(|| not_found("payment"))?;
        Ok(view::payment(&found, self.currency()))
    }

    pub(super) fn operation(&self, id: &RequestId) -> Result<api::Operation, RpcError> {
        let op = self.store().bank_op(id).map_err(fault)?.ok_or_else(|| not_found("request to the bank"))?;
        let letter = match op.state {
            OpState::Declined(number) | OpState::Done(Some(number)) => {
                self.store().letter(number).map_err(fault)?
            }
            OpState::Asked | OpState::Done(None) | OpState::Refused(_) => None,
        };
        Ok(view::operation(&op, letter.as_ref().map(|l| l.unverified()), self.currency()))
    }

    /// Reads again after each change of what is waited for until `done`, or until the time is over.
    pub(super) async fn wait<T>(
        &self,
        name: Name,
        seconds: u64,
        read: impl Fn() -> Result<T, RpcError>,
        done: impl Fn(&T) -> bool,
    ) -> Result<T, RpcError> {
        let mut place = self.shared().waiting.wait_for(name);
        let over = tokio::time::sleep(Duration::from_secs(seconds.min(WAIT_MAX)));
        tokio::pin!(over);
        loop {
            let now = read()?;
            if done(&now) {
                return Ok(now);
            }
            tokio::select! {
                () = &mut over => return read(),
                () = place.next() => {}
            }
        }
    }

    fn receipt_of(&self, id: &PaymentId) -> Result<api::Receipt, RpcError> {
        if let Some(payment) = self.store().outgoing(id).map_err(fault)? {
            let (Some(order), Some(receipt)) = (&payment.order, &payment.receipt) else {
                return Err(code::reason_of(
                    "not_found",
                    "the payee has not given a receipt for this payment",
                ));
            };
            let names = Names { payer: &self.owner.name, payee: &payment.name, memo: &payment.memo };
            let confirmed = receipt.unverified().confirmed;
            return Ok(view::receipt(
                &ReceiptParts { order, receipt, confirmed, names, sent: true },
                self.paper(),
            ));
        }
        let incoming = self.store().incoming_by_id(id).map_err(fault)?.ok_or_else(|| not_found("payment"))?;
        let names = Names { payer: &incoming.name, payee: &self.owner.name, memo: &incoming.memo };
        let parts = ReceiptParts {
            order: &incoming.order,
            receipt: &incoming.receipt,
            confirmed: incoming.confirmed,
            names,
            sent: false,
        };
        Ok(view::receipt(&parts, self.paper()))
    }

    fn history(&self, query: &api::HistoryQuery) -> Result<api::History, RpcError> {
        let limit = page_limit(query.limit)?;
        if let Some(word) = &query.movement
            && !Movement::ALL.iter().any(|m| m.word() == word)
        {
            let words: Vec<&str> = Movement::ALL.iter().map(|m| m.word()).collect();
            return Err(RpcError::invalid_params(format!("movement: one of {}", words.join(", "))));
        }
        let text = query.text.as_ref().map(|t| t.to_lowercase());
        let wanted = |line: &api::HistoryLine| {
            query.movement.as_ref().is_none_or(|m| *m == line.movement)
                && query.party.is_none_or(|p| line.party == Some(p))
                && query.since.is_none_or(|t| line.at >= t)
                && query.until.is_none_or(|t| line.at <= t)
                && text.as_ref().is_none_or(|t| {
                    line.name.to_lowercase().contains(t) || line.memo.to_lowercase().contains(t)
                })
        };
        let mut lines = Vec::new();
        let (mut before, mut seen) = (query.before, 0);
        loop {
            let page = self.store().history(Page { before, limit: limit.max(64) }).map_err(fault)?;
            let Some(last) = page.last().map(|entry| entry.seq) else {
                return Ok(api::History { lines, next: None });
            };
            for entry in &page {
                seen += 1;
                let line = view::line(entry, self.store());
                if wanted(&line) {
                    lines.push(line);
                }
                if lines.len() == limit || seen == SCAN_MAX {
                    let next = (entry.seq > 1).then_some(entry.seq);
                    return Ok(api::History { lines, next });
                }
            }
            before = Some(last);
        }
    }

    fn check_history(&self) -> Result<api::HistoryState, RpcError> {
        let head = self.store().check_history().map_err(fault)?;
        let head =
            head.map_err(|flaw: history::HistoryFlaw| code::reason_of("history_broken", flaw.to_string()))?;
        Ok(api::HistoryState { lines: head.seq, digest: head.digest.to_string(), reserve: head.reserve })
    }

    fn letters(&self, query: &api::LetterQuery) -> Result<api::Letters, RpcError> {
        let limit = page_limit(query.limit)?;
        let found = self.store().letters(Page { before: query.before, limit }).map_err(fault)?;
        let next = found.last().filter(|_| found.len() == limit).map(|l| l.unverified().number);
        let letters = found.iter().map(|l| view::letter(l, self.paper(), &self.owner.name)).collect();
        Ok(api::Letters { letters, next })
    }

    async fn status_now(&self) -> Result<api::Status, RpcError> {
        let now = self.shared().now();
        let look = self.engine.look(move |wallet, lock| {
            (wallet.tickets_left(), told::warnings(wallet, lock.bank_reachable, now), lock)
        });
        let (tickets_left, warnings, lock) = look.await.map_err(|f| self.call(f))?;
        let peers = self.net.status().borrow().connected;
        let (directory, _) = self.store().directory_head().map_err(fault)?;
        Ok(api::Status {
            code: PublicCode::of(self.owner.key),
            name: self.owner.name.clone(),
            account: self.owner.account,
            currency: self.currency().clone(),
            bank: self.bank_name.clone(),
            bank_reachable: lock.bank_reachable,
            bank_by_way_of: self.link.by_way_of(),
            locked: lock.until.is_none(),
            unlocked_until: lock.until,
            tickets_left: tickets_left as u64,
            peers: peers as u64,
            node: self.net.peer_id().to_string(),
            addresses: self.net.listening().await.iter().map(ToString::to_string).collect(),
            directory,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            warnings,
        })
    }

    async fn ask_statement(&self) -> Result<api::AccountView, RpcError> {
        let query = self.engine.ask(Input::SignQuery).await.map_err(|f| self.call(f))?;
        let query = query.map_err(|f| self.call(f))?;
        let unreachable = |why: String| {
            code::reason_of("bank_unreachable", why).retry(Retry::Later).hint(
                "direct payments go on without the bank; withdrawals and deposits wait for it by themselves",
            )
        };
        let answer =
            self.link.ask(&BankAsk::Balance(query)).await.map_err(|fault| unreachable(fault.to_string()))?;
        let letter = match answer {
            BankAnswer::Balance(letter) => letter,
            BankAnswer::Error(code) => return Err(unreachable(code.text().to_owned())),
            _ => return Err(unreachable("the bank answered something else".to_owned())),
        };
        let told = letter.unverified().clone();
        match self.engine.ask(|reply| Input::Letter(letter, reply)).await.map_err(|f| self.call(f))? {
            true => Ok(api::AccountView { units: told.balance, at: told.at, letter: told.number }),
            false => Err(unreachable("the statement is not signed by the bank".to_owned())),
        }
    }
}

fn page_limit(limit: Option<u64>) -> Result<usize, RpcError> {
    match limit.unwrap_or(50) {
        limit @ 1..=500 => usize::try_from(limit).map_err(|_| RpcError::internal()),
        _ => Err(RpcError::invalid_params("limit: 1 to 500")),
    }
}

fn policy_view(policy: &Policy) -> api::PolicyView {
    api::PolicyView {
        direct_max: policy.direct_max,
        unconfirmed_per_payer: policy.unconfirmed_per_payer,
        unconfirmed_total: policy.unconfirmed_total,
        refresh: policy.refresh,
        stale_hours: policy.stale_hours,
    }
}

impl Workstation for Desk {
    async fn status(&self, _: &Caller, _: Empty) -> Result<api::Status, RpcError> {
        self.status_now().await
    }

    async fn unlock(&self, _: &Caller, asked: api::Unlock) -> Result<api::Unlocked, RpcError> {
        let seconds = asked.seconds.unwrap_or(self.unlock_seconds).clamp(1, UNLOCK_MAX);
        let until: Result<Timestamp, _> =
            self.engine.unlock(asked.code, seconds).await.map_err(|f| self.call(f))?;
        until.map(|until| api::Unlocked { until }).map_err(code::unlock)
    }

    async fn lock(&self, _: &Caller, _: Empty) -> Result<api::Done, RpcError> {
        self.engine.ask(Input::Lock).await.map_err(|f| self.call(f))?;
        Ok(api::Done { done: true })
    }

    async fn balance(&self, _: &Caller, _: Empty) -> Result<api::Balance, RpcError> {
        self.engine.look(|wallet, _| view::balance(wallet)).await.map_err(|f| self.call(f))
    }

    async fn withdraw(&self, caller: &Caller, asked: api::Move) -> Result<api::Operation, RpcError> {
        self.ask_bank("wallet.withdraw", caller, asked, BankCall::Withdraw).await
    }

    async fn deposit(&self, caller: &Caller, asked: api::Move) -> Result<api::Operation, RpcError> {
        self.ask_bank("wallet.deposit", caller, asked, BankCall::Deposit).await
    }

    async fn bank_show(&self, _: &Caller, asked: api::ByRequest) -> Result<api::Operation, RpcError> {
        self.operation(&asked.request)
    }

    async fn bank_wait(&self, _: &Caller, asked: api::WaitRequest) -> Result<api::Operation, RpcError> {
        self.wait(asked.request.0, asked.seconds, || self.operation(&asked.request), |op| op.state != "asked")
            .await
    }

    async fn statement(&self, _: &Caller, _: Empty) -> Result<api::AccountView, RpcError> {
        self.ask_statement().await
    }

    async fn bank_lines(&self, _: &Caller, asked: api::LinesQuery) -> Result<api::AccountLines, RpcError> {
        self.account_lines(asked).await
    }

    async fn bank_sweep(&self, _: &Caller, asked: api::BySweepEntry) -> Result<api::Takings, RpcError> {
        self.takings(asked).await
    }

    async fn directory_sync(&self, _: &Caller, _: Empty) -> Result<api::DirectoryState, RpcError> {
        if !self.net.status().borrow().bootstrap {
            return Err(code::reason_of(
                "bank_unreachable",
                "the bank can't be reached; the copy stays as it was",
            )
            .retry(Retry::Later));
        }
        self.link.sync_directory().await;
        let (entries, _) = self.store().directory_head().map_err(fault)?;
        Ok(api::DirectoryState { entries })
    }

    async fn directory_find(&self, _: &Caller, asked: api::Find) -> Result<api::Contacts, RpcError> {
        let limit = usize::try_from(asked.limit.unwrap_or(20).min(100)).map_err(|_| RpcError::internal())?;
        // Always the whole list: the bank is not told whom one looks for.
        self.link.sync_directory().await;
        let found = self.store().find_contacts(&asked.text, limit).map_err(fault)?;
        Ok(api::Contacts { contacts: found.iter().map(view::contact).collect() })
    }

    async fn pay(&self, caller: &Caller, asked: api::Pay) -> Result<api::Payment, RpcError> {
        self.begin_payment(caller, asked).await
    }

    async fn shop_near(&self, _: &Caller, asked: api::NearQuery) -> Result<api::NearShops, RpcError> {
        self.shops_near(asked).await
    }

    async fn shop_till(&self, _: &Caller, asked: api::TillQuery) -> Result<api::TillSale, RpcError> {
        self.sale_at_till(asked).await
    }

    async fn shop_catalogue(
        &self,
        _: &Caller,
        asked: api::CatalogueQuery,
    ) -> Result<api::Catalogue, RpcError> {
        self.catalogue(asked).await
    }

    async fn shop_order(&self, caller: &Caller, asked: api::NewOrder) -> Result<api::Order, RpcError> {
        self.order(caller, asked).await
    }

    async fn shop_orders(&self, caller: &Caller, _: Empty) -> Result<api::Orders, RpcError> {
        self.orders(caller)
    }

    async fn shop_show(&self, caller: &Caller, asked: api::ByOrder) -> Result<api::Order, RpcError> {
        self.order_seen(caller, &asked.order).await
    }

    async fn shop_wait(&self, caller: &Caller, asked: api::WaitOrder) -> Result<api::Order, RpcError> {
        self.order_wait(caller, asked).await
    }

    async fn shop_confirm(
        &self,
        caller: &Caller,
        asked: api::ConfirmOrder,
    ) -> Result<api::Operation, RpcError> {
        self.order_confirm(caller, asked).await
    }

    async fn shop_dispute(
        &self,
        caller: &Caller,
        asked: api::DisputeOrder,
    ) -> Result<api::Operation, RpcError> {
        self.order_dispute(caller, asked).await
    }

    async fn payment_show(&self, _: &Caller, asked: api::ByPayment) -> Result<api::Payment, RpcError> {
        self.payment(&asked.payment)
    }

    async fn payment_cancel(&self, caller: &Caller, asked: api::ByPayment) -> Result<api::Payment, RpcError> {
        self.take_out_of_mailbox(caller, asked.payment).await
    }

    async fn mailbox_show(&self, _: &Caller, _: Empty) -> Result<api::Mailbox, RpcError> {
        self.mailbox().await
    }

    async fn payment_wait(&self, _: &Caller, asked: api::WaitPayment) -> Result<api::Payment, RpcError> {
        // Certified money is the payee's before he has it: whoever waits, waits for his receipt.
        let settled = |p: &api::Payment| {
            (p.outcome == "done" || p.outcome == "not_done") && p.state != State::Issued.word()
        };
        self.wait(asked.payment.0, asked.seconds, || self.payment(&asked.payment), settled).await
    }

    async fn payment_open(&self, _: &Caller, _: Empty) -> Result<api::Payments, RpcError> {
        let open = self.engine.look(|wallet, _| wallet.open_payments().cloned().collect::<Vec<_>>()).await;
        let open = open.map_err(|f| self.call(f))?;
        Ok(api::Payments { payments: open.iter().map(|p| view::payment(p, self.currency())).collect() })
    }

    async fn payment_reclaim(&self, caller: &Caller, asked: api::Reclaim) -> Result<api::Payment, RpcError> {
        self.begin_reclaim(caller, asked).await
    }

    async fn doubt_list(&self, _: &Caller, _: Empty) -> Result<api::Doubts, RpcError> {
        self.engine.look(|wallet, _| super::doubt::doubts(wallet)).await.map_err(|f| self.call(f))
    }

    async fn vault_status(&self, _: &Caller, _: Empty) -> Result<api::VaultView, RpcError> {
        let shared = self.engine.shared.clone();
        let look = move |wallet: &Wallet, _| {
            let state = *shared.vault.borrow();
            super::vault::view(wallet, state, shared.persona.generation)
        };
        self.engine.look(look).await.map_err(|f| self.call(f))
    }

    async fn claim_list(&self, _: &Caller, _: Empty) -> Result<api::Claims, RpcError> {
        self.claim_list_now()
    }

    async fn claim_show(&self, _: &Caller, asked: api::ByClaim) -> Result<api::ClaimView, RpcError> {
        self.claim_now(&asked.claim)
    }

    async fn receipt_show(&self, _: &Caller, asked: api::ByPayment) -> Result<api::Receipt, RpcError> {
        self.receipt_of(&asked.payment)
    }

    async fn request_create(
        &self,
        caller: &Caller,
        asked: api::NewRequest,
    ) -> Result<api::RequestView, RpcError> {
        self.make_request(caller, asked).await
    }

    async fn request_show(&self, _: &Caller, asked: api::ByRequest) -> Result<api::RequestView, RpcError> {
        self.request(&asked.request)
    }

    async fn history_list(&self, _: &Caller, asked: api::HistoryQuery) -> Result<api::History, RpcError> {
        self.history(&asked)
    }

    async fn history_check(&self, _: &Caller, _: Empty) -> Result<api::HistoryState, RpcError> {
        self.check_history()
    }

    async fn letter_list(&self, _: &Caller, asked: api::LetterQuery) -> Result<api::Letters, RpcError> {
        self.letters(&asked)
    }

    async fn letter_show(&self, _: &Caller, asked: api::ByLetter) -> Result<api::Letter, RpcError> {
        let letter = self.store().letter(asked.number).map_err(fault)?.ok_or_else(|| not_found("letter"))?;
        Ok(view::letter(&letter, self.paper(), &self.owner.name))
    }

    async fn bulletin(&self, _: &Caller, _: Empty) -> Result<api::BulletinView, RpcError> {
        let now = self.shared().now();
        let look = self.engine.look(move |wallet, lock| told::bulletin(wallet, lock.bank_reachable, now));
        look.await.map_err(|f| self.call(f))
    }

    async fn policy_show(&self, _: &Caller, _: Empty) -> Result<api::PolicyView, RpcError> {
        self.engine.look(|wallet, _| policy_view(wallet.policy())).await.map_err(|f| self.call(f))
    }

    async fn policy_set(&self, _: &Caller, asked: api::PolicyView) -> Result<api::PolicyView, RpcError> {
        let policy = Policy {
            direct_max: asked.direct_max,
            unconfirmed_per_payer: asked.unconfirmed_per_payer,
            unconfirmed_total: asked.unconfirmed_total,
            refresh: asked.refresh,
            stale_hours: asked.stale_hours,
        };
        self.engine.ask(|reply| Input::SetPolicy(policy, reply)).await.map_err(|f| self.call(f))?;
        Ok(asked)
    }

    async fn token_create(&self, _: &Caller, asked: api::NewToken) -> Result<api::TokenSecret, RpcError> {
        self.new_token(asked).await
    }

    async fn token_list(&self, _: &Caller, _: Empty) -> Result<api::Tokens, RpcError> {
        self.tokens().await
    }

    async fn token_revoke(&self, _: &Caller, asked: api::ByToken) -> Result<api::Done, RpcError> {
        let known = self
            .engine
            .ask(|reply| Input::RevokeToken(asked.token, reply))
            .await
            .map_err(|f| self.call(f))?;
        self.gate.renew(&self.engine).await;
        if known { Ok(api::Done { done: true }) } else { Err(not_found("token")) }
    }
}
