//! The shop as programs see it: one text that makes server, client and OpenRPC (ADR 0001).
//!
//! Beside these stand all methods of the workstation (`daemon/openrpc.json`). Amounts are integers of the smallest unit;
//! times are seconds since 1970, days are `2026-11-22`. Every call that sells or gives back takes the caller's `key`: the
//! same key with the same parameters gets the same answer for ever, with others `key_reused`.

pub use super::backups::{Backup, BackupStatus, BookBack, NewBackup};
pub use super::orders::{
    ByOrder, ItemContent, Order, OrderCode, OrderDispute, OrderNote, OrderQuery, OrderRefund, OrderSaid,
    OrderSettingsView, Orders,
};
pub use super::people::{ByStaff, NewStaff, StaffList, StaffSecret, StaffView};
use super::shape::{params, results};
pub use super::sweeps::{Renumber, SweepNow, SweepStatus, SweepView, Sweeps};
pub use super::tillcodes::{TillCodeView, TillCodes, TillQuery};
pub use super::webhooks::{ByWebhook, NewWebhook, ResumeWebhook, Webhook, WebhookTest, Webhooks};
use protocol::code::PublicCode;
use protocol::id::{PaymentId, RequestId};
use protocol::money::{Currency, Units};
use protocol::node::rpc::{Empty, Scope, rpc_contract};
use protocol::time::Timestamp;

rpc_contract! {
    /// A shop's till.
    pub trait Till, client TillClient, title "Stermina shop", version "1", errors(super::code::ERRORS) {
        /// The shop at a glance: the day, what is open, what is owed.
        "shop.status" (Scope::Read) status(Empty) -> ShopStatus;
        /// Tills, closing hour, how long a sale waits.
        "shop.settings" (Scope::Read) settings(Empty) -> SettingsView;
        /// Changes them.
        "shop.set" (Scope::Admin) set(SettingsView) -> SettingsView;
        /// The catalogue, by number.
        "item.list" (Scope::Read) item_list(ItemQuery) -> Items;
        /// A new article, or another form of one.
        "item.put" (Scope::Admin) item_put(ItemView) -> Imported;
        /// Takes a whole CSV file over, or nothing of it. With `check` it only says what would happen.
        "catalogue.import" (Scope::Admin) import(ImportFile) -> Imported;
        /// The catalogue as CSV that reads back the same.
        "catalogue.export" (Scope::Read) export(Empty) -> CatalogueFile;
        /// Opens a sale and, unless `ask` is false, makes its request: show `uri` to the customer.
        "sale.open" (Scope::Receive) sale_open(NewSale) -> Sale;
        /// Other lines for a cart that has not been asked for.
        "sale.change" (Scope::Receive) sale_change(ChangeSale) -> Sale;
        /// The cart is complete: makes its request.
        "sale.ask" (Scope::Receive) sale_ask(BySale) -> Sale;
        /// Takes a sale back that nobody has paid. Who would pay it now is told so before he signs.
        "sale.cancel" (Scope::Receive) sale_cancel(BySale) -> Sale;
        /// A sale.
        "sale.show" (Scope::Read) sale_show(BySale) -> Sale;
        /// Waits until a sale is paid or over, or the time is over.
        "sale.wait" (Scope::Read) sale_wait(WaitSale) -> Sale;
        /// The six digits that each till shows now, for customers who choose it by name.
        "till.code" (Scope::Receive) till_code(TillQuery) -> TillCodes;
        /// Sales, newest first.
        "sale.list" (Scope::Read) sale_list(SaleQuery) -> Sales;
        /// The receipt document of a paid sale, for paper and as a file that anybody can verify off line.
        "sale.receipt" (Scope::Read) sale_receipt(BySale) -> ReceiptDocument;
        /// Gives a part of a sale back, or all of it; never above what was paid.
        "refund.make" (Scope::Spend) refund_make(NewRefund) -> Refund;
        /// How orders are taken, and who is told.
        "order.settings" (Scope::Read) order_settings(Empty) -> OrderSettingsView;
        /// Changes that.
        "order.set" (Scope::Admin) order_set(OrderSettingsView) -> OrderSettingsView;
        /// What is handed over on line for an article.
        "item.content" (Scope::Admin) item_content(ItemContent) -> Done;
        /// Orders from afar, newest first.
        "order.list" (Scope::Receive) order_list(OrderQuery) -> Orders;
        /// An order.
        "order.show" (Scope::Receive) order_show(ByOrder) -> Order;
        /// Says yes to an order that waits for somebody to look at it.
        "order.accept" (Scope::Receive) order_accept(OrderNote) -> Order;
        /// Says no; what the bank holds for it goes back by itself.
        "order.refuse" (Scope::Admin) order_refuse(OrderNote) -> Order;
        /// It is ready, or on its way.
        "order.ready" (Scope::Receive) order_ready(OrderNote) -> Order;
        /// The code that came back with the courier: the bank releases the money.
        "order.code" (Scope::Receive) order_code(OrderCode) -> OrderSaid;
        /// Gives back out of what the bank holds.
        "order.refund" (Scope::Spend) order_refund(OrderRefund) -> OrderSaid;
        /// Something is wrong: no date moves the money any more.
        "order.dispute" (Scope::Admin) order_dispute(OrderDispute) -> OrderSaid;
        /// A refund.
        "refund.show" (Scope::Read) refund_show(ByRefund) -> Refund;
        /// Refunds without an end: what is owed, and what is on its way.
        "refund.list" (Scope::Read) refund_list(Empty) -> Refunds;
        /// What was booked since the last Z report. Changes nothing.
        "report.x" (Scope::Read) report_x(Empty) -> Report;
        /// Closes the day: a numbered, signed report that is never changed. Once a business day.
        "report.z" (Scope::Admin) report_z(Empty) -> Report;
        /// A Z report.
        "report.show" (Scope::Read) report_show(ByReport) -> Report;
        /// Z reports, newest first.
        "report.list" (Scope::Read) report_list(PageQuery) -> Reports;
        /// What a business day came to, with what was paid late for it.
        "report.day" (Scope::Read) report_day(ByDay) -> DayView;
        /// Takes somebody on; the token is shown once.
        "staff.add" (Scope::Admin) staff_add(NewStaff) -> StaffSecret;
        /// Everybody with a token.
        "staff.list" (Scope::Read) staff_list(Empty) -> StaffList;
        /// Ends somebody's token at once.
        "staff.end" (Scope::Admin) staff_end(ByStaff) -> StaffEnded;
        /// What was taken since the last sweep goes to the company now, and what waits is tried at once.
        "sweep.now" (Scope::Admin) sweep_now(SweepNow) -> SweepStatus;
        /// What is on its way to the company, and what waits for the next sweep.
        "sweep.status" (Scope::Read) sweep_status(Empty) -> SweepStatus;
        /// Sweeps, newest first.
        "sweep.list" (Scope::Read) sweep_list(PageQuery) -> Sweeps;
        /// The bank has sweeps that this shop's file has not: those that wait go on from `next`.
        "sweep.renumber" (Scope::Admin) sweep_renumber(Renumber) -> SweepStatus;
        /// Writes a copy of the book that only the shop's recovery phrase or private code opens, while the shop goes on.
        "backup.make" (Scope::Admin) backup_make(NewBackup) -> Backup;
        /// Where copies go by themselves, the last one, and how putting one back went.
        "backup.status" (Scope::Read) backup_status(Empty) -> BackupStatus;
        /// Has events posted to an address, signed, in order, each at least once.
        "webhook.add" (Scope::Admin) webhook_add(NewWebhook) -> Webhook;
        /// Who is told of events, how far, and since when somebody takes none.
        "webhook.list" (Scope::Admin) webhook_list(Empty) -> Webhooks;
        /// Tells it nothing more.
        "webhook.remove" (Scope::Admin) webhook_remove(ByWebhook) -> Done;
        /// Tries it again at once: from where it was, or again from after an event.
        "webhook.resume" (Scope::Admin) webhook_resume(ResumeWebhook) -> Webhook;
        /// Posts an event that is none, now, and says what came of it.
        "webhook.test" (Scope::Admin) webhook_test(ByWebhook) -> WebhookTest;
        /// Who asked for what, and what came of it; newest first.
        "audit.list" (Scope::Read) audit_list(PageQuery) -> Audit;
    }
}

params! {
    /// Which articles.
    ItemQuery {
        /// A part of the number, the name or the category.
        text: Option<String>,
        /// Those that are not sold any more, too.
        all: Option<bool>,
    }
    /// A CSV file.
    ImportFile {
        /// Its text, at most 2 MiB. Columns: sku, name, category, rule, price, min, max, unit, digital, active.
        csv: String,
        /// Whether articles that are not in it are ended.
        replace: Option<bool>,
        /// Whether it is only checked.
        check: Option<bool>,
    }
    /// A line of a cart.
    CartLine {
        /// An article of the catalogue.
        sku: Option<String>,
        /// What it is called, when it is in no catalogue.
        name: Option<String>,
        /// How many; one when left out.
        quantity: Option<u32>,
        /// What one costs, where the catalogue leaves that open.
        price: Option<Units>,
    }
    /// A sale to open.
    NewSale {
        /// At which till; the first one when left out.
        till: Option<String>,
        /// What is sold.
        lines: Vec<CartLine>,
        /// Seconds until it expires; as the settings say when left out.
        seconds: Option<u64>,
        /// False for a cart that is still being filled.
        ask: Option<bool>,
        /// The caller's key: 1 to 64 characters.
        key: String,
    }
    /// Other lines for a sale.
    ChangeSale {
        /// Its id.
        sale: String,
        /// What is sold.
        lines: Vec<CartLine>,
    }
    /// One sale.
    BySale {
        /// Its id, or the number of its receipt.
        sale: String,
    }
    /// One sale, and how long to wait.
    WaitSale {
        /// Its id, or the number of its receipt.
        sale: String,
        /// At most so many seconds, 60 at the most.
        seconds: u64,
    }
    /// Which sales.
    SaleQuery {
        /// Goes on after an earlier page.
        before: Option<String>,
        /// At most so many; 50 when left out, 500 at the most.
        limit: Option<u64>,
        /// Only this till.
        till: Option<String>,
        /// Only in this state: open, asking, asked, paid, cancelled or expired.
        state: Option<String>,
    }
    /// A refund to make.
    NewRefund {
        /// The sale: its id, or the number of its receipt.
        sale: String,
        /// How much; all that is left when left out.
        units: Option<Units>,
        /// Why, at most 140 bytes; the customer reads it.
        reason: Option<String>,
        /// In a book that was put back (`maybe_given`): the caller has looked, and it was not given back already.
        looked: Option<bool>,
        /// The caller's key: 1 to 64 characters.
        key: String,
    }
    /// One refund.
    ByRefund {
        /// Its id.
        refund: RequestId,
    }
    /// One Z report.
    ByReport {
        /// Its number.
        number: u64,
    }
    /// A business day.
    ByDay {
        /// As in 2026-11-22.
        day: String,
    }
    /// A page, newest first.
    PageQuery {
        /// Before this number; the newest when left out.
        before: Option<u64>,
        /// At most so many; 50 when left out, 500 at the most.
        limit: Option<u64>,
    }
    /// The shop's settings.
    SettingsView {
        /// Names of the tills.
        tills: Vec<String>,
        /// Minutes that the shop's clock is ahead of UTC.
        offset_minutes: i32,
        /// Minutes after midnight at which a business day ends.
        closes_minutes: u32,
        /// How many seconds a sale waits for its payment.
        sale_seconds: u64,
        /// Whether what a day took goes to the company when it is closed: in a shop that its company owns.
        sweep: bool,
        /// The folder that gets a copy of the book after each Z report; none when left out.
        backup_folder: Option<String>,
        /// How many are kept there; 30 when left out.
        backup_keep: Option<u32>,
    }
    /// An article.
    ItemView {
        /// Its number: one word.
        sku: String,
        /// What it is called.
        name: String,
        /// Where it stands.
        category: Option<String>,
        /// fixed, suggested or free.
        rule: String,
        /// The price, unless it is free.
        price: Option<Units>,
        /// The least of a free price.
        min: Option<Units>,
        /// The most of a free price.
        max: Option<Units>,
        /// What one of it is.
        unit: Option<String>,
        /// Whether it is handed over on line.
        digital: Option<bool>,
        /// Whether it is sold now.
        active: Option<bool>,
    }
}

results! {
    /// Nothing more to say.
    Done {
        /// Always true.
        done: bool,
    }
    /// Somebody works here no more.
    StaffEnded {
        /// Always true.
        done: bool,
        /// The webhooks that he had added: they are told nothing more until somebody resumes them.
        webhooks: Vec<String>,
    }
    /// The shop at a glance.
    ShopStatus {
        /// The certified name.
        name: String,
        /// The public code.
        code: PublicCode,
        /// The currency.
        currency: Currency,
        /// The business day of what is sold now.
        day: String,
        /// The day that the last Z report closed.
        closed: Option<String>,
        /// How many Z reports there are.
        reports: u64,
        /// Sales without an end.
        open_sales: u64,
        /// Refunds that have still to be paid.
        owed: u64,
        /// What they come to.
        owed_units: Units,
        /// Whether the till is locked: it sells, and gives nothing back.
        locked: bool,
        /// Whether the bank is connected; the till takes payments without it, within its policy.
        bank_reachable: bool,
        /// Of the reserve, what is only the payers' word until the bank has seen it.
        unconfirmed: Units,
        /// What the reserve holds.
        reserve: Units,
        /// The catalogue's version.
        catalogue: u64,
        /// How many articles are sold.
        items: u64,
        /// What outside does not do its part.
        failing: Vec<Failing>,
    }
    /// Something outside that does not do its part: it is tried again by itself.
    Failing {
        /// What.
        what: String,
        /// Since when.
        since: Timestamp,
        /// How often it was tried.
        tries: u32,
        /// What came of the last try.
        error: String,
    }
    /// Articles.
    Items {
        /// Those found.
        items: Vec<ItemView>,
        /// The catalogue's version.
        version: u64,
    }
    /// What an import changed, or would.
    Imported {
        /// Articles that are new.
        added: u64,
        /// Articles that are different.
        changed: u64,
        /// Articles that were like this.
        same: u64,
        /// Articles that are not sold any more.
        ended: u64,
        /// The catalogue's version after it.
        version: u64,
    }
    /// A catalogue.
    CatalogueFile {
        /// CSV, RFC 4180.
        csv: String,
        /// The catalogue's version.
        version: u64,
    }
    /// A line of a sale.
    LineView {
        /// The article's number; empty if it is in no catalogue.
        sku: String,
        /// What it is called.
        name: String,
        /// How many.
        quantity: u32,
        /// What one costs.
        price: Units,
        /// What all cost.
        total: Units,
    }
    /// A sale.
    Sale {
        /// Its id.
        sale: RequestId,
        /// At which till.
        till: String,
        /// To which business day it belongs.
        day: String,
        /// When it was opened.
        opened: Timestamp,
        /// By whom.
        by: String,
        /// What is sold.
        lines: Vec<LineView>,
        /// What it comes to.
        total: Units,
        /// open, asking, asked, paid, cancelled or expired.
        state: String,
        /// The wallet's request.
        request: Option<RequestId>,
        /// What the customer pays: a line, and a QR code.
        uri: Option<String>,
        /// The six digits that its till shows now, for a customer who chooses it by name, while they lead to this sale.
        till_code: Option<String>,
        /// Until when.
        expires: Option<Timestamp>,
        /// The receipt's number.
        number: Option<u64>,
        /// Who paid.
        payer: Option<PublicCode>,
        /// His certified name.
        payer_name: Option<String>,
        /// His payment's id.
        payment: Option<PaymentId>,
        /// When it was received.
        paid_at: Option<Timestamp>,
        /// Whether the bank has seen it: until then it is the payer's word.
        confirmed: Option<bool>,
        /// Whether its day had been closed when it was paid.
        late: Option<bool>,
        /// What was given back, or is about to be.
        refunded: Units,
        /// What that was.
        refunds: Vec<Refund>,
        /// What it means: a sentence.
        note: String,
    }
    /// Sales.
    Sales {
        /// Newest first.
        sales: Vec<Sale>,
        /// Goes on here; nothing at the end.
        next: Option<String>,
    }
    /// A receipt document.
    ReceiptDocument {
        /// The receipt's number.
        number: u64,
        /// For paper.
        text: String,
        /// The file, in hex: `stermina receipt verify FILE` checks it.
        file: String,
    }
    /// Something that is given back.
    Refund {
        /// Its id.
        refund: RequestId,
        /// Of which sale.
        sale: RequestId,
        /// At which till.
        till: String,
        /// customer, or why it is sent back by itself: sale_cancelled, sale_expired or paid_twice.
        why: String,
        /// In words.
        reason: String,
        /// How much.
        units: Units,
        /// To whom.
        to: PublicCode,
        /// His name.
        name: String,
        /// Who decided it.
        by: String,
        /// When.
        begun: Timestamp,
        /// owed, paying, done or failed.
        state: String,
        /// The shop's payment.
        payment: PaymentId,
        /// What it means, or what keeps it: a sentence.
        note: String,
    }
    /// Refunds.
    Refunds {
        /// Those without an end.
        refunds: Vec<Refund>,
        /// What they come to.
        units: Units,
    }
    /// A day and a till in a report.
    ReportLine {
        /// The business day of the sales.
        day: String,
        /// The till.
        till: String,
        /// Whether that day had been closed before.
        late: bool,
        /// Sales that were paid.
        sales: u32,
        /// What they came to.
        received: Units,
        /// Refunds that went out.
        refunds: u32,
        /// What they came to.
        refunded: Units,
        /// Orders from afar whose money the bank released.
        orders: u32,
        /// What that was: on the account, not in the reserve.
        ordered: Units,
    }
    /// An X or Z report.
    Report {
        /// x or z.
        kind: String,
        /// The Z report's number; for an X report the number that the next one will have.
        number: u64,
        /// The business day.
        day: String,
        /// When the Z report before was made.
        from: Timestamp,
        /// When this one was made.
        to: Timestamp,
        /// The reserve at the Z report before.
        opening: Units,
        /// Paid for sales.
        received: Units,
        /// Paid for sales of days that were closed before.
        late: Units,
        /// Received for no sale.
        other_in: Units,
        /// From the account.
        withdrawn: Units,
        /// Given back against receipts.
        refunded: Units,
        /// Sent back, since nothing was sold for it.
        sent_back: Units,
        /// Paid for something else.
        other_out: Units,
        /// To the account.
        swept: Units,
        /// Taken off: the bank had seen it spent before.
        lost: Units,
        /// What the reserve should hold by all that.
        expected: Units,
        /// What it holds.
        reserve: Units,
        /// What it holds more than expected.
        surplus: Units,
        /// What it holds less than expected.
        shortage: Units,
        /// Of the reserve, what is only the payers' word.
        unconfirmed: Units,
        /// Released by the bank for orders from afar: on the account, not in the reserve.
        ordered: Units,
        /// Days and tills.
        lines: Vec<ReportLine>,
        /// Digest of the Z report before; zero for the first.
        prev: String,
        /// Digest of this one; nothing for an X report.
        digest: Option<String>,
        /// The signed report in hex; nothing for an X report.
        signed: Option<String>,
    }
    /// Z reports.
    Reports {
        /// Newest first.
        reports: Vec<Report>,
        /// Goes on before this number; nothing at the end.
        next: Option<u64>,
    }
    /// What a day came to.
    DayView {
        /// The business day.
        day: String,
        /// The Z report that closed it; nothing while it is open.
        report: Option<u64>,
        /// What it came to in that report, or so far.
        received: Units,
        /// What was paid late for it, and stands in later reports.
        late: Units,
        /// Both.
        corrected: Units,
        /// Given back on that day.
        refunded: Units,
        /// Released by the bank for orders from afar on that day.
        ordered: Units,
        /// Tills, and what came late.
        lines: Vec<ReportLine>,
    }
    /// A line of the audit log.
    AuditView {
        /// Its number.
        number: u64,
        /// When.
        at: Timestamp,
        /// Who.
        who: String,
        /// In which role.
        role: String,
        /// What was called.
        method: String,
        /// done, or the reason's word.
        outcome: String,
        /// What it was about.
        about: String,
    }
    /// The audit log.
    Audit {
        /// Newest first.
        lines: Vec<AuditView>,
        /// Goes on before this number; nothing at the end.
        next: Option<u64>,
    }
}
