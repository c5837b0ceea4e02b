//! Orders from afar, as the shop's people and programs see them (SPEC §3.10).

use super::shape::{params, results};
use protocol::code::PublicCode;
use protocol::id::RequestId;
use protocol::money::Units;
use protocol::time::Timestamp;

params! {
    /// How orders are taken, and who is told when the money is there.
    OrderSettingsView {
        /// auto, ask (somebody looks at each) or closed.
        taking: String,
        /// So many days after an order's end its address is forgotten.
        address_days: u64,
        /// A program that is run for each, with the order as JSON on its input. Its path; no shell.
        command: Option<String>,
        /// A folder that gets a slip for each.
        folder: Option<String>,
        /// A receipt printer (ESC/POS): a file, or host:port.
        printer: Option<String>,
    }
    /// What is handed over on line for an article.
    ItemContent {
        /// The article's number.
        sku: String,
        /// In hex, at most 64 KiB.
        content: String,
    }
    /// Which orders.
    OrderQuery {
        /// Goes on after an earlier page.
        before: Option<String>,
        /// At most so many; 50 when left out, 500 at the most.
        limit: Option<u64>,
        /// Only in this state: new, accepted, held, disputed, closed, refused or expired.
        state: Option<String>,
    }
    /// One order.
    ByOrder {
        /// Its id.
        order: RequestId,
    }
    /// One order, with something to say; the buyer reads it.
    OrderNote {
        /// Its id.
        order: RequestId,
        /// At most 140 bytes.
        note: Option<String>,
    }
    /// A code that came back with the courier.
    OrderCode {
        /// The order's id.
        order: RequestId,
        /// The code.
        code: String,
        /// The caller's key: 1 to 64 characters.
        key: String,
    }
    /// Money to give back out of what the bank holds.
    OrderRefund {
        /// The order's id.
        order: RequestId,
        /// How much; all that is left when left out.
        units: Option<Units>,
        /// The caller's key: 1 to 64 characters.
        key: String,
    }
    /// Something to disagree about.
    OrderDispute {
        /// The order's id.
        order: RequestId,
        /// Why, at most 200 bytes; buyer and bank read it.
        reason: String,
        /// The caller's key: 1 to 64 characters.
        key: String,
    }
}

results! {
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
    OrderHold {
        /// How much of it the bank still holds.
        left: Units,
        /// Wrong codes so far; after five no code is tried any more.
        wrong_codes: u8,
        /// When it goes back to the buyer, if nothing else happens.
        ends: Timestamp,
        /// Who disagrees: buyer or shop.
        disputed_by: Option<String>,
        /// Why.
        reason: Option<String>,
        /// How much came to the shop's account, once it has ended.
        released: Option<Units>,
        /// How much went back, once it has ended.
        returned: Option<Units>,
    }
    /// An order.
    Order {
        /// Its id.
        order: RequestId,
        /// Who ordered.
        buyer: PublicCode,
        /// His certified name.
        name: String,
        /// new, accepted, held, disputed, closed, refused or expired.
        state: String,
        /// What is ordered.
        lines: Vec<OrderedLine>,
        /// What it comes to.
        total: Units,
        /// What releases the money besides the buyer's confirmation: confirmation (nothing else), date or code.
        release: String,
        /// The date, if that releases it.
        date: Option<Timestamp>,
        /// Where it shall be brought; gone some days after its end.
        address: Option<String>,
        /// What the buyer has to say.
        note: String,
        /// Until when it has to be carried out.
        order_ends: Timestamp,
        /// The shop's last word: accepted, refused or ready.
        word: Option<String>,
        /// What the bank holds.
        hold: Option<OrderHold>,
        /// Whether digital goods have been handed over.
        delivered: bool,
        /// When it came.
        placed: Timestamp,
        /// When it ended.
        ended: Option<Timestamp>,
        /// What it means, and what is to be done: a sentence.
        meaning: String,
    }
    /// Orders.
    Orders {
        /// Newest first.
        orders: Vec<Order>,
        /// Goes on here; nothing at the end.
        next: Option<String>,
    }
    /// What the bank said to a word about an order's money.
    OrderSaid {
        /// done, asked (the bank is away: it is asked again by itself) or refused.
        said: String,
        /// Why it was refused: a word.
        reason: Option<String>,
        /// The order after it.
        order: Order,
    }
}
