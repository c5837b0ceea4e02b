//! The workstation as programs see it: one text that makes server, client and OpenRPC (ADR 0001).
//!
//! Amounts are integers of the smallest unit; `wallet.status` tells the currency's decimals. Times are
//! seconds since 1970. Every call that moves money takes the caller's `key`: the same key with the same
//! parameters gets the same answer for ever, with others `key_reused`.

pub use super::claims::{CaseView, ClaimView, Claims, DoubtView, Doubts};
pub use super::counter::{NearQuery, NearShop, NearShops, TillLine, TillQuery, TillSale};
pub use super::orders::{
    Article, ByOrder, Catalogue, CatalogueQuery, ConfirmOrder, DisputeOrder, NewOrder, Order, OrderLine,
    Orders, WaitOrder,
};
pub use super::secrets::{TokenSecret, Unlock};
pub use super::takings::{AccountLine, AccountLines, BySweepEntry, LinesQuery, Takings, TakingsLine};
pub use super::tokens::{ByToken, NewToken, TokenView, Tokens};
pub use super::told::{BankFaultView, BulletinView, RevokedKey};
pub use super::vault::VaultView;
use protocol::code::PublicCode;
use protocol::id::{PaymentId, RequestId};
use protocol::money::{Currency, Units};
use protocol::node::rpc::{Empty, Scope, rpc_contract};
use protocol::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! params {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    )*};
}

macro_rules! results {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    )*};
}

rpc_contract! {
    /// A resident's workstation.
    pub trait Workstation, client WorkstationClient, title "Stermina workstation", version "1" {
        /// Who this is, what state it is in, what it can reach.
        "wallet.status" (Scope::Read) status(Empty) -> Status;
        /// Opens the reserve for spending, for a time.
        "wallet.unlock" (Scope::Admin) unlock(Unlock) -> Unlocked;
        /// Closes it again. Receiving goes on.
        "wallet.lock" (Scope::Spend) lock(Empty) -> Done;
        /// The reserve in its kinds, the account as last told, and everything whose outcome is awaited, read in one go.
        "wallet.balance" (Scope::Read) balance(Empty) -> Balance;
        /// Moves units from the account into the reserve. Answers at once; see `bank.wait`.
        "wallet.withdraw" (Scope::Admin) withdraw(Move) -> Operation;
        /// Moves units from the reserve into the account. Answers at once; see `bank.wait`.
        "wallet.deposit" (Scope::Admin) deposit(Move) -> Operation;
        /// A request to the bank.
        "bank.show" (Scope::Read) bank_show(ByRequest) -> Operation;
        /// Waits until a request to the bank has its answer, or the time is over.
        "bank.wait" (Scope::Read) bank_wait(WaitRequest) -> Operation;
        /// Asks the bank for the account's balance. Needs an unlocked workstation and the bank.
        "bank.statement" (Scope::Admin) statement(Empty) -> AccountView;
        /// Asks the bank what moved money on the account, newest first. Needs an unlocked workstation and the bank.
        "bank.lines" (Scope::Admin) bank_lines(LinesQuery) -> AccountLines;
        /// Asks the bank for what a shop sent to its company: as the shop signed it, with the list of its sales.
        "bank.sweep" (Scope::Admin) bank_sweep(BySweepEntry) -> Takings;
        /// Copies what is new in the bank's directory.
        "directory.sync" (Scope::Read) directory_sync(Empty) -> DirectoryState;
        /// People, shops and companies by a part of their name or the beginning of their code.
        "directory.find" (Scope::Read) directory_find(Find) -> Contacts;
        /// What the bank last told everybody in its bulletin, and whether its words fit together.
        "bulletin.show" (Scope::Read) bulletin(Empty) -> BulletinView;
        /// Pays a public code, a `stermina:` link or a request. Answers at once; see `payment.wait`.
        "payment.pay" (Scope::Spend) pay(Pay) -> Payment;
        /// A payment that went out.
        "payment.show" (Scope::Read) payment_show(ByPayment) -> Payment;
        /// Waits until a payment has an outcome, or the time is over.
        "payment.wait" (Scope::Read) payment_wait(WaitPayment) -> Payment;
        /// Asks for a payment back that nobody answers. It signs that a chain which shows up later is the owner's to pay.
        "payment.reclaim" (Scope::Admin) payment_reclaim(Reclaim) -> Payment;
        /// Payments whose outcome is awaited.
        "payment.open" (Scope::Read) payment_open(Empty) -> Payments;
        /// Everything whose outcome is awaited, with the sums that it holds, read in one go.
        "doubt.list" (Scope::Read) doubt_list(Empty) -> Doubts;
        /// How far the vault goes, here and at the bank, and whether this workstation may spend.
        "vault.status" (Scope::Read) vault_status(Empty) -> VaultView;
        /// Claims for lost units, and cases in which others' claims ask of us.
        "claim.list" (Scope::Read) claim_list(Empty) -> Claims;
        /// A claim.
        "claim.show" (Scope::Read) claim_show(ByClaim) -> ClaimView;
        /// Takes a payment out of the payee's mailbox, where nobody has collected it. Answers at once; see `payment.wait`.
        "payment.cancel" (Scope::Spend) payment_cancel(ByPayment) -> Payment;
        /// What waits in mailboxes: payments left there, mail that lies in the own one, requests left for payers.
        "mailbox.show" (Scope::Read) mailbox_show(Empty) -> Mailbox;
        /// The receipt for a payment that went out, or that came in.
        "receipt.show" (Scope::Read) receipt_show(ByPayment) -> Receipt;
        /// Makes a request that somebody can pay once.
        "request.create" (Scope::Receive) request_create(NewRequest) -> RequestView;
        /// A request that was made here, and who paid it.
        "request.show" (Scope::Read) request_show(ByRequest) -> RequestView;
        /// Shops in the local network, by their certified names.
        "shop.near" (Scope::Read) shop_near(NearQuery) -> NearShops;
        /// What waits to be paid at the till that shows this code; `payment.pay` takes its `uri`.
        "shop.till" (Scope::Read) shop_till(TillQuery) -> TillSale;
        /// A page of a shop's catalogue, asked of the shop.
        "shop.catalogue" (Scope::Read) shop_catalogue(CatalogueQuery) -> Catalogue;
        /// Orders something of a shop; the bank holds the money. Answers at once; see `shop.wait`.
        "shop.order" (Scope::Admin) shop_order(NewOrder) -> Order;
        /// Orders, newest first.
        "shop.orders" (Scope::Read) shop_orders(Empty) -> Orders;
        /// An order.
        "shop.show" (Scope::Read) shop_show(ByOrder) -> Order;
        /// Waits until an order has got further, or the time is over.
        "shop.wait" (Scope::Read) shop_wait(WaitOrder) -> Order;
        /// What was ordered is here: the bank gives the money to the shop. See `bank.wait`.
        "shop.confirm" (Scope::Admin) shop_confirm(ConfirmOrder) -> Operation;
        /// Something is wrong: no date moves the money any more. See `bank.wait`.
        "shop.dispute" (Scope::Admin) shop_dispute(DisputeOrder) -> Operation;
        /// The history, newest first.
        "history.list" (Scope::Read) history_list(HistoryQuery) -> History;
        /// Checks the history's chain and running balances from the first line to the last.
        "history.check" (Scope::Read) history_check(Empty) -> HistoryState;
        /// The bank's letters, newest first.
        "letter.list" (Scope::Read) letter_list(LetterQuery) -> Letters;
        /// A letter with the bank's signature.
        "letter.show" (Scope::Read) letter_show(ByLetter) -> Letter;
        /// What is taken directly, and what only certified.
        "policy.show" (Scope::Read) policy_show(Empty) -> PolicyView;
        /// Changes it.
        "policy.set" (Scope::Admin) policy_set(PolicyView) -> PolicyView;
        /// Makes a token for a program: some methods, perhaps a cap, perhaps an end.
        "token.create" (Scope::Admin) token_create(NewToken) -> TokenSecret;
        /// The tokens, without their secrets.
        "token.list" (Scope::Admin) token_list(Empty) -> Tokens;
        /// Ends a token at once.
        "token.revoke" (Scope::Admin) token_revoke(ByToken) -> Done;
    }
}

params! {
    /// An amount to move.
    Move {
        /// How much.
        units: Units,
        /// The caller's key: 1 to 64 characters.
        key: String,
    }
    /// One request, by id.
    ByRequest {
        /// Its id.
        request: RequestId,
    }
    /// One request, and how long to wait.
    WaitRequest {
        /// Its id.
        request: RequestId,
        /// At most so many seconds, 60 at the most.
        seconds: u64,
    }
    /// One payment, by id.
    ByPayment {
        /// Its id.
        payment: PaymentId,
    }
    /// One payment, and how long to wait.
    WaitPayment {
        /// Its id.
        payment: PaymentId,
        /// At most so many seconds, 60 at the most.
        seconds: u64,
    }
    /// What to look for.
    Find {
        /// A part of a name, or the beginning of a code.
        text: String,
        /// At most so many; 20 when left out, 100 at the most.
        limit: Option<u64>,
    }
    /// A payment to make.
    Pay {
        /// A public code, a `stermina:` link or a request.
        to: String,
        /// How much; may be left out when a link or a request says it.
        units: Option<Units>,
        /// What for, at most 140 bytes.
        memo: Option<String>,
        /// Whether the bank shall certify it, so that it is final at once. The payee may ask for that by himself.
        certified: Option<bool>,
        /// The caller's key: 1 to 64 characters.
        key: String,
    }
    /// A payment to ask back.
    Reclaim {
        /// Its id.
        payment: PaymentId,
        /// The caller's key: 1 to 64 characters.
        key: String,
    }
    /// One claim, by id.
    ByClaim {
        /// Its id.
        claim: RequestId,
    }
    /// A request to make.
    NewRequest {
        /// How much.
        units: Units,
        /// Whether the payer may choose any amount up to that.
        at_most: Option<bool>,
        /// What for, at most 140 bytes.
        memo: Option<String>,
        /// Seconds until it expires; a day when left out, 30 days at the most.
        seconds: Option<u64>,
        /// The caller's key: 1 to 64 characters.
        key: String,
    }
    /// Which lines of the history.
    HistoryQuery {
        /// Lines before this number; the newest when left out.
        before: Option<u64>,
        /// At most so many; 50 when left out, 500 at the most.
        limit: Option<u64>,
        /// Only this kind: withdrawal, deposit, sent, received, returned, lost, reclaimed, recovered, charged, passed or held.
        movement: Option<String>,
        /// Only with this party.
        party: Option<PublicCode>,
        /// Only with this text in name or memo.
        text: Option<String>,
        /// Not before this time.
        since: Option<Timestamp>,
        /// Not after this time.
        until: Option<Timestamp>,
    }
    /// Which letters.
    LetterQuery {
        /// Letters before this number; the newest when left out.
        before: Option<u64>,
        /// At most so many; 50 when left out, 500 at the most.
        limit: Option<u64>,
    }
    /// One letter, by number.
    ByLetter {
        /// Its number.
        number: u64,
    }
    /// What is taken directly from a payer without the bank.
    PolicyView {
        /// Most units that a single direct payment may have.
        direct_max: Units,
        /// Most unconfirmed units from one payer.
        unconfirmed_per_payer: Units,
        /// Most unconfirmed units in all.
        unconfirmed_total: Units,
        /// Whether received money is taken to the bank by itself when it is in reach.
        refresh: bool,
        /// When the last bulletin is older than so many hours, the limits are a quarter of these; 0 is never.
        stale_hours: u32,
    }
}

results! {
    /// Nothing more to say.
    Done {
        /// Always true.
        done: bool,
    }
    /// Who this is and how it is.
    Status {
        /// The public code.
        code: PublicCode,
        /// The certified name.
        name: String,
        /// The account's number.
        account: u64,
        /// The currency.
        currency: Currency,
        /// The bank's name.
        bank: String,
        /// Whether the bank-node is connected now.
        bank_reachable: bool,
        /// The shop that carries us there, if it is not reached straight.
        bank_by_way_of: Option<String>,
        /// Whether the reserve can be spent from.
        locked: bool,
        /// When it locks by itself.
        unlocked_until: Option<Timestamp>,
        /// How many more payments it can take before it has to be unlocked.
        tickets_left: u64,
        /// Workstations and nodes connected now.
        peers: u64,
        /// Its name in the network: an address with `/p2p/` and this behind it leads here and nowhere else.
        node: String,
        /// Where it listens.
        addresses: Vec<String>,
        /// How many directory entries have been copied.
        directory: u64,
        /// The program's version.
        version: String,
        /// What is amiss: a clock that is wrong, a bank that was silent for long, words of the bank that do not fit.
        warnings: Vec<String>,
    }
    /// Until when the reserve is open.
    Unlocked {
        /// When it locks by itself.
        until: Timestamp,
    }
    /// The account as the bank last told.
    AccountView {
        /// Its balance.
        units: Units,
        /// When the bank said so.
        at: Timestamp,
        /// The letter or journal number that said so.
        letter: u64,
    }
    /// Something whose outcome is awaited.
    Held {
        /// `payment`, `bank`, `disputed`, `claim` or `order`.
        kind: String,
        /// The payment's or the request's id.
        id: String,
        /// Where it stands.
        state: String,
        /// How much.
        units: Units,
        /// Since when.
        since: Timestamp,
        /// When it is decided at the latest, where that is known.
        until: Option<Timestamp>,
        /// Whose answer is awaited: a name, or the bank.
        awaiting: String,
    }
    /// The reserve in its kinds and the account.
    Balance {
        /// The currency.
        currency: Currency,
        /// What can be spent now: confirmed and unconfirmed.
        spendable: Units,
        /// Of that, what the bank has seen.
        confirmed: Units,
        /// Of that, what is only the payers' word until the bank has seen it.
        unconfirmed: Units,
        /// Promised to payments whose outcome is awaited; not in `spendable`.
        in_doubt: Units,
        /// In requests to the bank whose answer is awaited; not in `spendable`.
        at_bank: Units,
        /// Lost to somebody who signed twice, and claimed; in no other sum.
        claimed: Units,
        /// Of a lost machine: comes to the account by a reclaim, and is not spent before.
        fenced: Units,
        /// Taken from the account and held by the bank for orders; in no other sum.
        ordered: Units,
        /// The account, as last told.
        account: Option<AccountView>,
        /// What holds `in_doubt`, `at_bank`, `claimed` and `ordered`.
        held: Vec<Held>,
    }
    /// A request to the bank.
    Operation {
        /// Its id.
        request: RequestId,
        /// withdraw, deposit, refresh, certify, take_back, reclaim, restore, claim, post, hold or hold_act.
        operation: String,
        /// asked, done, declined or refused.
        state: String,
        /// How much.
        units: Units,
        /// Since when.
        since: Timestamp,
        /// The bank's letter about it.
        letter: Option<u64>,
        /// Why it was declined or refused, or what is awaited: a sentence.
        note: Option<String>,
    }
    /// Somebody in the directory.
    ContactView {
        /// The public code.
        code: PublicCode,
        /// The certified name.
        name: String,
        /// resident, shop, company, card or terminal.
        kind: String,
        /// active or suspended.
        standing: String,
    }
    /// People, shops and companies.
    Contacts {
        /// Those found.
        contacts: Vec<ContactView>,
    }
    /// How much of the directory has been copied.
    DirectoryState {
        /// How many entries.
        entries: u64,
    }
    /// A payment that went out.
    Payment {
        /// Its id.
        payment: PaymentId,
        /// The payee's public code.
        payee: PublicCode,
        /// The payee's certified name, as far as known.
        name: String,
        /// How much.
        units: Units,
        /// What for.
        memo: String,
        /// asking, certifying, sent, posted, receipted, confirmed, not_done, taking_back, returned, taken, reclaiming,
        /// reclaimed or passed.
        state: String,
        /// asking, done, not_done or in_doubt.
        outcome: String,
        /// direct or certified, once it is known.
        mode: Option<String>,
        /// When it began.
        created: Timestamp,
        /// When its state last changed.
        changed: Timestamp,
        /// Units of it that came back, if any did.
        back: Option<Units>,
        /// While it is asked back: until when others may object.
        until: Option<Timestamp>,
        /// What it means for the payer, and what is awaited: a sentence.
        note: String,
        /// The reason's word when it was not done.
        reason: Option<String>,
        /// Its way by the payee's mailbox, if it goes or went that way.
        mailbox: Option<InMailbox>,
    }
    /// A payment's way by a mailbox.
    InMailbox {
        /// Since when it lies there, as the bank has said.
        since: Option<Timestamp>,
        /// Until when it can be collected; then it comes back by itself.
        until: Timestamp,
        /// Whether it is being asked back.
        asked_back: bool,
        /// withdrawn or collected, once the bank was asked for it back.
        fate: Option<String>,
        /// The bank's signed word on that, in hex.
        word: Option<String>,
    }
    /// What waits in mailboxes.
    Mailbox {
        /// When the own mailbox was last looked into.
        looked: Option<Timestamp>,
        /// Items in it that could not be handled yet; they are looked at again by themselves.
        waiting: u64,
        /// Requests that lie at the bank for payers who come while this workstation is off.
        requests: u64,
        /// Payments that were left in payees' mailboxes and have no outcome.
        left: Vec<Payment>,
    }
    /// Payments.
    Payments {
        /// The payments.
        payments: Vec<Payment>,
    }
    /// The payee's signed word that he has the money.
    Receipt {
        /// The payment.
        payment: PaymentId,
        /// Who paid.
        payer: PublicCode,
        /// Who was paid.
        payee: PublicCode,
        /// The other party's certified name.
        name: String,
        /// How much.
        units: Units,
        /// What for.
        memo: String,
        /// When it was received.
        received: Timestamp,
        /// Whether the payee has been to the bank with it.
        confirmed: bool,
        /// `sent` or `received`, seen from here.
        direction: String,
        /// The signed order, in hex (SPEC §3.2).
        order: String,
        /// The signed receipt, in hex (SPEC §3.4).
        receipt: String,
        /// All of it as a page of text.
        text: String,
    }
    /// A request that was made here.
    RequestView {
        /// Its id.
        request: RequestId,
        /// The line to hand over.
        uri: String,
        /// How much.
        units: Units,
        /// Whether the payer may choose any amount up to that.
        at_most: bool,
        /// What for.
        memo: String,
        /// When it expires.
        expires: Timestamp,
        /// Who paid it.
        paid_by: Option<PublicCode>,
        /// The payer's payment id.
        payment: Option<PaymentId>,
    }
    /// A line of the history.
    HistoryLine {
        /// Its number, from 1.
        seq: u64,
        /// When.
        at: Timestamp,
        /// withdrawal, deposit, sent, received, returned, lost, reclaimed, recovered, charged, passed or held.
        movement: String,
        /// How much.
        units: Units,
        /// The reserve after it.
        reserve: Units,
        /// The account after it, as last told.
        account: Option<Units>,
        /// The other party's public code; none for the bank.
        party: Option<PublicCode>,
        /// The other party's certified name.
        name: String,
        /// What for.
        memo: String,
        /// The payment's or the bank request's id.
        id: String,
        /// For payments sent: where it stands now.
        state: Option<String>,
    }
    /// A page of the history.
    History {
        /// The lines, newest first.
        lines: Vec<HistoryLine>,
        /// Ask for `before` this number for the next page; none at the end.
        next: Option<u64>,
    }
    /// What checking the history found.
    HistoryState {
        /// How many lines.
        lines: u64,
        /// Digest of the newest line, in hex.
        digest: String,
        /// The reserve after it.
        reserve: Units,
    }
    /// A letter from the bank.
    Letter {
        /// Its number in the bank's journal.
        number: u64,
        /// opening, payment, deposit, refusal, reclaim, recovery, charge, hold and others.
        kind: String,
        /// Units moved, or asked for in a refusal.
        units: Units,
        /// The account's balance after it.
        balance: Units,
        /// When.
        at: Timestamp,
        /// The signed letter, in hex (SPEC §4.6).
        signed: String,
        /// All of it as a page of text.
        text: String,
    }
    /// A page of letters.
    Letters {
        /// The letters, newest first.
        letters: Vec<Letter>,
        /// Ask for `before` this number for the next page; none at the end.
        next: Option<u64>,
    }
}
