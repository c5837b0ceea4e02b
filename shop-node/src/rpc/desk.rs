//! The server's side of the shop's contract: parse, one call, show.

use super::api::{self, Till};
use super::gate::{StaffGate, digest_of};
use super::tillcodes::Waiting;
use super::{code, view};
use crate::backup::Backups;
use crate::hands::Hands;
use crate::hooks::Hooks;
use crate::orders::Orders;
use crate::room::{Asked, Room};
use crate::shop::refund::{NewRefund, name_of};
use crate::shop::rights::{Actor, NewStaff, Role};
use crate::shop::sale::{NewSale, Sale};
use crate::shop::{Refusal, csv};
use crate::tills::Tills;
use daemon::engine::Engine;
use daemon::store::{Page, Store as _, StoreFault};
use protocol::body;
use protocol::code::{PublicCode, request_uri};
use protocol::id::{Digest, RequestId};
use protocol::money::{Currency, Units};
use protocol::node::chance::chance_bytes;
use protocol::node::rpc::{Caller, Empty, RpcError};
use protocol::shop::Word;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait of a `wait` call.
const WAIT_MAX: u64 = 60;

/// Everything that the shop's calls are answered from.
pub struct Desk {
    /// The shop.
    pub room: Room,
    /// Its hands.
    pub hands: Arc<Hands>,
    /// Its wallet.
    pub engine: Engine,
    /// Orders from afar.
    pub orders: Arc<Orders>,
    /// Copies of the book.
    pub backups: Arc<Backups>,
    /// Webhooks.
    pub hooks: Arc<Hooks>,
    /// What its tills show.
    pub tills: Arc<Tills>,
    /// Who is who.
    pub gate: Arc<StaffGate>,
    /// What amounts are shown in.
    pub currency: Currency,
    /// The bank's name.
    pub bank: String,
    /// The shop's name.
    pub name: String,
}

pub(super) fn store(fault: StoreFault) -> RpcError {
    code::store(&fault)
}

pub(super) fn not_found(what: &str) -> RpcError {
    code::reason_of("not_found", format!("there is no such {what} in this shop"))
}

pub(super) fn limit(limit: Option<u64>) -> Result<usize, RpcError> {
    match limit.unwrap_or(50) {
        limit @ 1..=500 => usize::try_from(limit).map_err(|_| RpcError::internal()),
        _ => Err(RpcError::invalid_params("limit: 1 to 500")),
    }
}

pub(super) fn check_key(key: &str) -> Result<(), RpcError> {
    if key.is_empty() || key.chars().count() > 64 || key.chars().any(char::is_control) {
        let why = "a key has 1 to 64 characters, none of them control characters";
        return Err(code::reason_of("bad_key", why));
    }
    Ok(())
}

/// A digest of everything that was asked; what was left out does not count.
pub(super) fn call(params: &impl Serialize) -> Result<Digest, RpcError> {
    let mut asked = serde_json::to_value(params).map_err(|_| RpcError::internal())?;
    if let Some(fields) = asked.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    let bytes = serde_json::to_vec(&asked).map_err(|_| RpcError::internal())?;
    Ok(body::digest("call", &bytes))
}

impl Desk {
    pub(super) fn asked(&self, caller: &Caller, method: &'static str) -> (Asked, Actor) {
        let actor = self.gate.actor(caller);
        (Asked { actor: actor.clone(), method, now: self.hands.now() }, actor)
    }

    pub(super) fn room_fault(&self, fault: crate::room::RoomFault) -> RpcError {
        code::room(fault, &self.currency)
    }

    pub(super) fn hands_fault(&self, fault: crate::hands::HandsFault) -> RpcError {
        code::hands(fault, &self.currency)
    }

    /// A sale by its id, by its order's, or by its receipt's number.
    fn find(&self, which: &str) -> Result<Sale, RpcError> {
        let found = match which.parse::<RequestId>() {
            Ok(id) => match self.room.store.order(&id).map_err(store)? {
                Some(order) => order.sale.map_or(Ok(None), |sale| self.room.store.sale(&sale)),
                None => self.room.store.sale(&id),
            },
            Err(_) => match which.parse::<u64>() {
                Ok(number) => self.room.store.sale_of_number(number),
                Err(_) => Ok(None),
            },
        };
        found.map_err(store)?.ok_or_else(|| not_found("sale"))
    }

    async fn show(&self, sale: &Sale) -> Result<api::Sale, RpcError> {
        self.show_among(sale, &mut Waiting::new()).await
    }

    async fn show_among(&self, sale: &Sale, first: &mut Waiting) -> Result<api::Sale, RpcError> {
        let record = match sale.request.filter(|_| sale.state.is_open()) {
            Some(request) => self.engine.shared.store.request(&request).map_err(store)?,
            None => None,
        };
        let uri = record.map(|record| request_uri(&record.request));
        let refunds = self.room.store.refunds_of(&sale.id).map_err(store)?;
        let mut shown = view::sale(sale, uri, &refunds);
        shown.till_code = self.code_for(sale, first).await?;
        Ok(shown)
    }

    async fn show_again(&self, id: &RequestId) -> Result<api::Sale, RpcError> {
        self.show(&self.find(&id.to_string())?).await
    }

    fn refund_again(&self, id: &RequestId) -> Result<api::Refund, RpcError> {
        let found = self.room.store.refund(id).map_err(store)?;
        found.as_ref().map(view::refund).ok_or_else(|| not_found("refund"))
    }
}

impl Till for Desk {
    async fn status(&self, _: &Caller, _: Empty) -> Result<api::ShopStatus, RpcError> {
        let now = self.hands.now();
        let look = self.room.look(move |shop| {
            let owed: Vec<Units> = shop.open_refunds().map(|refund| refund.units).collect();
            let open = shop.open_sales().count();
            let items = shop.items().values().filter(|item| item.active).count();
            let days = (shop.today(now), shop.period().closed, shop.period().reports);
            (days, open, owed, items, shop.version(), view::failing(shop))
        });
        let ((day, closed, reports), open, owed, items, catalogue, failing) =
            look.await.map_err(|fault| self.room_fault(fault))?;
        let wallet =
            self.engine.look(|wallet, lock| (wallet.holdings(), wallet.history().reserve, lock)).await;
        let (holdings, reserve, lock) = wallet.map_err(|fault| self.hands_fault(fault.into()))?;
        Ok(api::ShopStatus {
            name: self.name.clone(),
            code: PublicCode::of(self.engine.shared.persona.owner),
            currency: self.currency.clone(),
            day: day.to_string(),
            closed: closed.map(|day| day.to_string()),
            reports,
            open_sales: open as u64,
            owed: owed.len() as u64,
            owed_units: Units::sum(owed).unwrap_or(Units::MAX),
            locked: lock.until.is_none(),
            bank_reachable: lock.bank_reachable,
            unconfirmed: holdings.unconfirmed,
            reserve,
            catalogue,
            items: items as u64,
            failing,
        })
    }

    async fn settings(&self, _: &Caller, _: Empty) -> Result<api::SettingsView, RpcError> {
        let look = self.room.look(|shop| view::settings(shop.settings()));
        look.await.map_err(|fault| self.room_fault(fault))
    }

    async fn set(&self, caller: &Caller, asked: api::SettingsView) -> Result<api::SettingsView, RpcError> {
        let (who, actor) = self.asked(caller, "shop.set");
        let (settings, now) = (view::settings_of(&asked), who.now);
        let done = self.room.decide_for(who, move |shop, _| Ok(shop.set(settings, &actor, now)?)).await;
        done.map(|()| asked).map_err(|fault| self.room_fault(fault))
    }

    async fn item_list(&self, _: &Caller, asked: api::ItemQuery) -> Result<api::Items, RpcError> {
        let text = asked.text.unwrap_or_default().to_lowercase();
        let all = asked.all.unwrap_or(false);
        let look = self.room.look(move |shop| {
            let fits = |field: &str| field.to_lowercase().contains(&text);
            let wanted = shop.items().values().filter(|item| all || item.active);
            let wanted = wanted.filter(|item| fits(&item.sku) || fits(&item.name) || fits(&item.category));
            api::Items { items: wanted.map(view::item).collect(), version: shop.version() }
        });
        look.await.map_err(|fault| self.room_fault(fault))
    }

    async fn item_put(&self, caller: &Caller, asked: api::ItemView) -> Result<api::Imported, RpcError> {
        let (who, actor) = self.asked(caller, "item.put");
        let (item, now) = (view::item_of(asked)?, who.now);
        let done = self.room.decide_for(who, move |shop, _| Ok(shop.put_item(item, &actor, now)?)).await;
        done.map(view::imported).map_err(|fault| self.room_fault(fault))
    }

    async fn import(&self, caller: &Caller, asked: api::ImportFile) -> Result<api::Imported, RpcError> {
        let (who, actor) = self.asked(caller, "catalogue.import");
        let items = csv::read(&asked.csv, &self.currency).map_err(|flaws| {
            let first = flaws.first().map_or_else(String::new, |flaw| {
                let column =
                    if flaw.column.is_empty() { String::new() } else { format!(", {}", flaw.column) };
                format!(": line {}{column}: {}", flaw.line, flaw.why)
            });
            let list: Vec<serde_json::Value> = flaws
                .iter()
                .map(|flaw| serde_json::json!({ "line": flaw.line, "column": flaw.column, "why": flaw.why }))
                .collect();
            let why = format!("{} mistakes, nothing was taken over{first}", flaws.len());
            code::reason_of("bad_file", why).detail("flaws", list)
        })?;
        let (replace, now) = (asked.replace.unwrap_or(false), who.now);
        if asked.check.unwrap_or(false) {
            let look = self.room.look(move |shop| shop.would_import(items, replace, &actor, now));
            let would = look.await.map_err(|fault| self.room_fault(fault))?;
            return would.map(view::imported).map_err(|refusal| self.room_fault(refusal.into()));
        }
        let done =
            self.room.decide_for(who, move |shop, _| Ok(shop.import(items, replace, &actor, now)?)).await;
        done.map(view::imported).map_err(|fault| self.room_fault(fault))
    }

    async fn export(&self, _: &Caller, _: Empty) -> Result<api::CatalogueFile, RpcError> {
        let look = self.room.look(|shop| api::CatalogueFile {
            csv: csv::write(shop.items().values(), &shop.keeper().currency),
            version: shop.version(),
        });
        look.await.map_err(|fault| self.room_fault(fault))
    }

    async fn sale_open(&self, caller: &Caller, asked: api::NewSale) -> Result<api::Sale, RpcError> {
        check_key(&asked.key)?;
        let (who, actor) = self.asked(caller, "sale.open");
        let now = who.now;
        let (id, call) = (name_of("shop-sale", caller.token.as_deref(), &asked.key), call(&asked)?);
        let api::NewSale { till, lines, seconds, ask, .. } = asked;
        let new = NewSale { id, call, till, cart: view::cart(lines), seconds, ask: ask.unwrap_or(true) };
        let opened = self.room.decide_for(who, move |shop, store| {
            let earlier = store.sale(&id)?;
            Ok(shop.open_a_sale(new, earlier, &actor, now)?)
        });
        let sale = opened.await.map_err(|fault| self.room_fault(fault))?;
        self.have_it_asked(&sale).await?;
        self.show_again(&id).await
    }

    async fn sale_change(&self, caller: &Caller, asked: api::ChangeSale) -> Result<api::Sale, RpcError> {
        let (who, actor) = self.asked(caller, "sale.change");
        let (id, cart, now) = (self.find(&asked.sale)?.id, view::cart(asked.lines), who.now);
        let done =
            self.room.decide_for(who, move |shop, _| Ok(shop.change_sale(&id, &cart, &actor, now)?)).await;
        self.show(&done.map_err(|fault| self.room_fault(fault))?).await
    }

    async fn sale_ask(&self, caller: &Caller, asked: api::BySale) -> Result<api::Sale, RpcError> {
        let (who, actor) = self.asked(caller, "sale.ask");
        let (id, now) = (self.find(&asked.sale)?.id, who.now);
        let done = self.room.decide_for(who, move |shop, _| Ok(shop.ask_for_sale(&id, &actor, now)?)).await;
        let sale = done.map_err(|fault| self.room_fault(fault))?;
        self.have_it_asked(&sale).await?;
        self.show_again(&id).await
    }

    async fn sale_cancel(&self, caller: &Caller, asked: api::BySale) -> Result<api::Sale, RpcError> {
        let (who, actor) = self.asked(caller, "sale.cancel");
        let (id, now) = (self.find(&asked.sale)?.id, who.now);
        // Its request may be made this very moment; then there is one to close, and that is the end of it.
        loop {
            let sale = self.find(&id.to_string())?;
            let request = sale.request.filter(|_| sale.state.is_open());
            if let Some(request) = request {
                // First at the wallet: afterwards nobody pays it any more. Should we crash here, it ends by its time.
                self.hands.close(request).await.map_err(|fault| self.hands_fault(fault))?;
            }
            let actor = actor.clone();
            let done = self.room.decide_for(who.clone(), move |shop, store| match store.sale(&id)? {
                Some(sale) if !sale.state.is_open() => Err(Refusal::State {
                    what: "sale",
                    state: sale.state.word(),
                    why: "only what is open can be taken back",
                }
                .into()),
                _ => Ok(shop.cancel_sale(&id, request, &actor, now)?),
            });
            if let Some(sale) = done.await.map_err(|fault| self.room_fault(fault))? {
                return self.show(&sale).await;
            }
        }
    }

    async fn sale_show(&self, _: &Caller, asked: api::BySale) -> Result<api::Sale, RpcError> {
        self.show(&self.find(&asked.sale)?).await
    }

    async fn sale_wait(&self, _: &Caller, asked: api::WaitSale) -> Result<api::Sale, RpcError> {
        let mut news = self.room.newest_event.subscribe();
        let over = tokio::time::sleep(Duration::from_secs(asked.seconds.min(WAIT_MAX)));
        tokio::pin!(over);
        loop {
            let sale = self.find(&asked.sale)?;
            if !sale.state.is_open() {
                return self.show(&sale).await;
            }
            tokio::select! {
                () = &mut over => return self.show(&self.find(&asked.sale)?).await,
                changed = news.changed() => if changed.is_err() { return self.show(&sale).await },
            }
        }
    }

    async fn sale_list(&self, _: &Caller, asked: api::SaleQuery) -> Result<api::Sales, RpcError> {
        /// Sales that a filtered page looks at before it gives back what it has.
        const SCAN_MAX: usize = 5_000;
        let limit = limit(asked.limit)?;
        let wrong = || RpcError::invalid_params("before: as an earlier page ended");
        let mut before = asked.before.map(hex::decode).transpose().map_err(|_| wrong())?;
        let fits = |sale: &Sale| {
            asked.till.as_ref().is_none_or(|till| sale.till == *till)
                && asked.state.as_ref().is_none_or(|state| sale.state.word() == state)
        };
        let (mut sales, mut seen, mut first) = (Vec::new(), 0, Waiting::new());
        loop {
            let page = self.room.store.sales(before.as_deref(), limit.max(64)).map_err(store)?;
            if page.is_empty() {
                return Ok(api::Sales { sales, next: None });
            }
            for (key, sale) in page {
                seen += 1;
                if fits(&sale) {
                    sales.push(self.show_among(&sale, &mut first).await?);
                }
                if sales.len() == limit || seen == SCAN_MAX {
                    return Ok(api::Sales { sales, next: Some(hex::encode(key)) });
                }
                before = Some(key);
            }
        }
    }

    async fn sale_receipt(&self, _: &Caller, asked: api::BySale) -> Result<api::ReceiptDocument, RpcError> {
        self.document(&self.find(&asked.sale)?)
    }

    async fn refund_make(&self, caller: &Caller, asked: api::NewRefund) -> Result<api::Refund, RpcError> {
        check_key(&asked.key)?;
        let (who, actor) = self.asked(caller, "refund.make");
        let now = who.now;
        let (id, call) = (name_of("shop-refund", caller.token.as_deref(), &asked.key), call(&asked)?);
        let sale = self.find(&asked.sale)?.id;
        let (reason, looked) = (asked.reason.unwrap_or_default(), asked.looked.unwrap_or(false));
        let new = NewRefund { id, call, units: asked.units, reason, looked };
        // What was given back before this book was put back is the wallet's to tell.
        let was_put_back = self.room.look(|shop| shop.back().is_some()).await;
        if was_put_back.map_err(|fault| self.room_fault(fault))? {
            self.hands.hear().await.map_err(|fault| self.hands_fault(fault))?;
        }
        let made = self.room.decide_for(who, move |shop, store| {
            let earlier = store.refund(&id)?;
            let sale = store.sale(&sale)?.ok_or(Refusal::NotFound("sale"))?;
            Ok(shop.refund(new, sale, earlier, &actor, now)?)
        });
        let refund = made.await.map_err(|fault| self.room_fault(fault))?;
        if refund.may_go_out(self.hands.now()) {
            self.hands.pay(refund).await.map_err(|fault| self.hands_fault(fault))?;
        }
        self.refund_again(&id)
    }

    async fn order_settings(&self, _: &Caller, _: Empty) -> Result<api::OrderSettingsView, RpcError> {
        self.order_settings_now().await
    }

    async fn order_set(
        &self,
        caller: &Caller,
        asked: api::OrderSettingsView,
    ) -> Result<api::OrderSettingsView, RpcError> {
        self.set_orders(caller, asked).await
    }

    async fn item_content(&self, caller: &Caller, asked: api::ItemContent) -> Result<api::Done, RpcError> {
        self.put_content(caller, asked).await
    }

    async fn order_list(&self, _: &Caller, asked: api::OrderQuery) -> Result<api::Orders, RpcError> {
        self.order_list_now(&asked)
    }

    async fn order_show(&self, _: &Caller, asked: api::ByOrder) -> Result<api::Order, RpcError> {
        self.order_now(&asked.order)
    }

    async fn order_accept(&self, caller: &Caller, asked: api::OrderNote) -> Result<api::Order, RpcError> {
        self.say(caller, "order.accept", asked, |_| Word::Accepted).await
    }

    async fn order_refuse(&self, caller: &Caller, asked: api::OrderNote) -> Result<api::Order, RpcError> {
        self.say(caller, "order.refuse", asked, Word::Refused).await
    }

    async fn order_ready(&self, caller: &Caller, asked: api::OrderNote) -> Result<api::Order, RpcError> {
        self.say(caller, "order.ready", asked, Word::Ready).await
    }

    async fn order_code(&self, caller: &Caller, asked: api::OrderCode) -> Result<api::OrderSaid, RpcError> {
        self.try_code(caller, asked).await
    }

    async fn order_refund(
        &self,
        caller: &Caller,
        asked: api::OrderRefund,
    ) -> Result<api::OrderSaid, RpcError> {
        self.refund_order(caller, asked).await
    }

    async fn order_dispute(
        &self,
        caller: &Caller,
        asked: api::OrderDispute,
    ) -> Result<api::OrderSaid, RpcError> {
        self.dispute_order(caller, asked).await
    }

    async fn refund_show(&self, _: &Caller, asked: api::ByRefund) -> Result<api::Refund, RpcError> {
        self.refund_again(&asked.refund)
    }

    async fn refund_list(&self, _: &Caller, _: Empty) -> Result<api::Refunds, RpcError> {
        let look = self.room.look(|shop| shop.open_refunds().map(view::refund).collect::<Vec<_>>());
        let refunds = look.await.map_err(|fault| self.room_fault(fault))?;
        let units = Units::sum(refunds.iter().map(|refund| refund.units)).unwrap_or(Units::MAX);
        Ok(api::Refunds { refunds, units })
    }

    async fn report_x(&self, _: &Caller, _: Empty) -> Result<api::Report, RpcError> {
        let report = self.hands.x_report().await.map_err(|fault| self.hands_fault(fault))?;
        Ok(view::x_report(&report))
    }

    async fn report_z(&self, caller: &Caller, _: Empty) -> Result<api::Report, RpcError> {
        let (who, _) = self.asked(caller, "report.z");
        let report = self.hands.z_report(who).await.map_err(|fault| self.hands_fault(fault))?;
        Ok(view::z_report(&report))
    }

    async fn report_show(&self, _: &Caller, asked: api::ByReport) -> Result<api::Report, RpcError> {
        let found = self.room.store.report(asked.number).map_err(store)?;
        found.as_ref().map(view::z_report).ok_or_else(|| not_found("report"))
    }

    async fn report_list(&self, _: &Caller, asked: api::PageQuery) -> Result<api::Reports, RpcError> {
        let limit = limit(asked.limit)?;
        let found = self.room.store.reports(Page { before: asked.before, limit }).map_err(store)?;
        let next = found.last().filter(|_| found.len() == limit).map(|report| report.unverified().number);
        Ok(api::Reports { reports: found.iter().map(view::z_report).collect(), next })
    }

    async fn report_day(&self, _: &Caller, asked: api::ByDay) -> Result<api::DayView, RpcError> {
        self.day(&asked.day).await
    }

    async fn till_code(&self, _: &Caller, asked: api::TillQuery) -> Result<api::TillCodes, RpcError> {
        self.till_codes(asked).await
    }

    async fn sweep_now(&self, caller: &Caller, asked: api::SweepNow) -> Result<api::SweepStatus, RpcError> {
        self.sweep_at_once(caller, asked).await
    }

    async fn sweep_status(&self, _: &Caller, _: Empty) -> Result<api::SweepStatus, RpcError> {
        self.sweeps().await
    }

    async fn sweep_list(&self, _: &Caller, asked: api::PageQuery) -> Result<api::Sweeps, RpcError> {
        self.swept(asked.before, limit(asked.limit)?)
    }

    async fn sweep_renumber(
        &self,
        caller: &Caller,
        asked: api::Renumber,
    ) -> Result<api::SweepStatus, RpcError> {
        self.renumber(caller, asked.next).await
    }

    async fn staff_add(&self, caller: &Caller, asked: api::NewStaff) -> Result<api::StaffSecret, RpcError> {
        let (who, actor) = self.asked(caller, "staff.add");
        let role = Role::of_word(&asked.role)
            .ok_or_else(|| code::reason_of("bad_value", "the role is cashier, manager or owner"))?;
        let (id, secret) = (hex::encode(chance_bytes::<4>()), hex::encode(chance_bytes::<32>()));
        let new = NewStaff {
            id: id.clone(),
            name: asked.name,
            role,
            secret: digest_of(&secret),
            refund_max: asked.refund_max,
            refund_day: asked.refund_day,
        };
        let now = who.now;
        let done = self.room.decide_for(who, move |shop, _| Ok(shop.add_staff(new, &actor, now)?)).await;
        done.map_err(|fault| self.room_fault(fault))?;
        self.gate.renew().await;
        Ok(api::StaffSecret { staff: id, secret })
    }

    async fn staff_list(&self, _: &Caller, _: Empty) -> Result<api::StaffList, RpcError> {
        let look = self.room.look(|shop| shop.staff().map(view::staff).collect());
        Ok(api::StaffList { staff: look.await.map_err(|fault| self.room_fault(fault))? })
    }

    async fn staff_end(&self, caller: &Caller, asked: api::ByStaff) -> Result<api::StaffEnded, RpcError> {
        let (who, actor) = self.asked(caller, "staff.end");
        let now = who.now;
        let rule = move |shop: &crate::shop::Shop, _: &_| Ok(shop.end_staff(&asked.staff, &actor, now)?);
        let webhooks = self.room.decide_for(who, rule).await.map_err(|fault| self.room_fault(fault))?;
        self.hooks.touch();
        self.gate.renew().await;
        Ok(api::StaffEnded { done: true, webhooks })
    }

    async fn backup_make(&self, caller: &Caller, asked: api::NewBackup) -> Result<api::Backup, RpcError> {
        self.make_backup(caller, asked).await
    }

    async fn backup_status(&self, _: &Caller, _: Empty) -> Result<api::BackupStatus, RpcError> {
        self.backups_now().await
    }

    async fn webhook_add(&self, caller: &Caller, asked: api::NewWebhook) -> Result<api::Webhook, RpcError> {
        self.add_webhook(caller, asked).await
    }

    async fn webhook_list(&self, _: &Caller, _: Empty) -> Result<api::Webhooks, RpcError> {
        self.webhooks().await
    }

    async fn webhook_remove(&self, caller: &Caller, asked: api::ByWebhook) -> Result<api::Done, RpcError> {
        self.remove_webhook(caller, asked).await
    }

    async fn webhook_resume(
        &self,
        caller: &Caller,
        asked: api::ResumeWebhook,
    ) -> Result<api::Webhook, RpcError> {
        self.resume_webhook(caller, asked).await
    }

    async fn webhook_test(
        &self,
        caller: &Caller,
        asked: api::ByWebhook,
    ) -> Result<api::WebhookTest, RpcError> {
        self.test_webhook(caller, asked).await
    }

    async fn audit_list(&self, _: &Caller, asked: api::PageQuery) -> Result<api::Audit, RpcError> {
        let limit = limit(asked.limit)?;
        let found = self.room.store.audit(Page { before: asked.before, limit }).map_err(store)?;
        let next = found.last().filter(|_| found.len() == limit).map(|line| line.number);
        Ok(api::Audit { lines: found.iter().map(view::audit).collect(), next })
    }
}

impl Desk {
    async fn have_it_asked(&self, sale: &Sale) -> Result<(), RpcError> {
        if sale.state != crate::shop::sale::SaleState::Asking {
            return Ok(());
        }
        self.hands.ask(sale).await.map_err(|fault| self.hands_fault(fault))
    }
}
