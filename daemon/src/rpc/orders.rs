//! Orders from afar, as programs see them (SPEC §3.10).

use protocol::code::PublicCode;
use protocol::id::RequestId;
use protocol::money::Units;
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

params! {
    /// A page of a shop's catalogue.
    CatalogueQuery {
        /// The shop: its public code, a `stermina:` link, or its exact name.
        shop: String,
        /// Articles after this number; the first ones when left out.
        after: Option<String>,
    }
    /// A line of an order.
    OrderLine {
        /// The article's number.
        sku: String,
        /// How many; one when left out.
        quantity: Option<u32>,
        /// What one costs, where the catalogue leaves that open.
        price: Option<Units>,
    }
    /// An order to make.
    NewOrder {
        /// The shop: its public code, a `stermina:` link, or its exact name.
        shop: String,
        /// What is ordered, 1 to 64 lines.
        lines: Vec<OrderLine>,
        /// What it has to come to; nothing is ordered if the catalogue says otherwise by now.
        total: Option<Units>,
        /// Where it shall be brought, at most 255 bytes; only the shop reads it.
        address: Option<String>,
        /// What there is to say, at most 140 bytes.
        note: Option<String>,
        /// What releases the money besides your confirmation: code, date, or confirmation (nothing else), which it is when
        /// left out.
        release: Option<String>,
        /// The date, if that releases it.
        date: Option<Timestamp>,
        /// In so many days it has to be carried out: 7 when left out, 60 at the most.
        days: Option<u64>,
        /// Whether digital goods are confirmed by themselves when they are here.
        confirm_goods: Option<bool>,
        /// The caller's key: 1 to 64 characters.
        key: String,
    }
    /// One order.
    ByOrder {
        /// Its id.
        order: RequestId,
    }
    /// One order, and how long to wait.
    WaitOrder {
        /// Its id.
        order: RequestId,
        /// At most so many seconds, 60 at the most.
        seconds: u64,
        /// Until it is in another state than this; until the bank holds its money or it has ended, when left out.
        from: Option<String>,
    }
    /// An order to confirm.
    ConfirmOrder {
        /// Its id.
        order: RequestId,
        /// The caller's key: 1 to 64 characters.
        key: String,
    }
    /// An order to disagree about.
    DisputeOrder {
        /// Its id.
        order: RequestId,
        /// Why, at most 200 bytes; shop and bank read it.
        reason: String,
        /// The caller's key: 1 to 64 characters.
        key: String,
    }
}

results! {
    /// An article that can be ordered.
    Article {
        /// Its number.
        sku: String,
        /// What it is called.
        name: String,
        /// Where it stands.
        category: String,
        /// What one of it is.
        unit: String,
        /// fixed, suggested or free.
        rule: String,
        /// The price, unless it is free.
        price: Option<Units>,
        /// The least of a free price.
        min: Option<Units>,
        /// The most of a free price.
        max: Option<Units>,
        /// Whether it is handed over on line.
        digital: bool,
    }
    /// A page of a shop's catalogue.
    Catalogue {
        /// The shop.
        shop: PublicCode,
        /// Its certified name.
        name: String,
        /// The catalogue's version.
        version: u64,
        /// The articles, by number.
        items: Vec<Article>,
        /// Ask for `after` this number for the next page; none at the end.
        next: Option<String>,
    }
    /// A line of an order.
    OrderedLine {
        /// The article's number.
        sku: String,
        /// What it is called.
        name: String,
        /// How many.
        quantity: u32,
        /// What one costs.
        price: Units,
    }
    /// Money that the bank holds for an order.
    HoldView {
        /// Its name at the bank.
        hold: RequestId,
        /// How much was taken from the account.
        units: Units,
        /// How much of it the bank still holds.
        left: Units,
        /// Wrong codes that the shop has tried; after five it can try no more.
        wrong_codes: u8,
        /// When it comes back, if nothing else happens.
        ends: Timestamp,
        /// Who disagrees: you, or the shop.
        disputed_by: Option<String>,
        /// Why.
        reason: Option<String>,
        /// How much went to the shop, once it has ended.
        released: Option<Units>,
        /// How much came back, once it has ended.
        returned: Option<Units>,
    }
    /// Digital goods.
    GoodsView {
        /// The article's number.
        sku: String,
        /// What was handed over, in hex.
        content: String,
    }
    /// An article that the shop sells otherwise than it was ordered.
    OtherArticle {
        /// Its number.
        sku: String,
        /// What it was called.
        name: String,
        /// What one was to cost.
        was: Units,
        /// What it is called now; nothing, when it is not sold any more.
        name_now: Option<String>,
        /// What one costs now; nothing, when it is not sold any more or its price is free.
        now: Option<Units>,
    }
    /// An order of ours.
    Order {
        /// Its id.
        order: RequestId,
        /// The shop.
        shop: PublicCode,
        /// Its certified name.
        name: String,
        /// placing, holding, held, disputed, closed, declined, refused, not_held or late.
        state: String,
        /// What is ordered.
        lines: Vec<OrderedLine>,
        /// What it comes to.
        total: Units,
        /// What releases the money besides the confirmation: confirmation (nothing else), date or code.
        release: String,
        /// The date, if that releases it.
        date: Option<Timestamp>,
        /// The code to hand over with the goods; only the owner sees it.
        code: Option<String>,
        /// Where it shall be brought; only the owner sees it.
        address: Option<String>,
        /// What there was to say.
        note: String,
        /// Until when it has to be carried out.
        order_ends: Timestamp,
        /// The shop's last word: accepted, refused or ready.
        word: Option<String>,
        /// What the shop has to say.
        said: Option<String>,
        /// What the bank holds.
        hold: Option<HoldView>,
        /// Digital goods; only the owner sees them.
        goods: Vec<GoodsView>,
        /// When it was ordered.
        created: Timestamp,
        /// When it last changed.
        changed: Timestamp,
        /// Articles that the shop sells otherwise now, if it refused the order for that.
        other_articles: Vec<OtherArticle>,
        /// What it means: a sentence.
        meaning: String,
        /// What can be done: a sentence.
        can_do: String,
    }
    /// Orders.
    Orders {
        /// The newest first.
        orders: Vec<Order>,
    }
}
